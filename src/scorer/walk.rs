//! From the shopper's items to shoppers, and on to their items: the query side of models that keep no lists.
//!
//! A request costs two passes over adjacency lists, `Σ users(i)` over the shopper's items and `Σ items(u)` over the
//! shoppers met, never more than all pairs each. The lists are ascending, and shoppers are visited in ascending order:
//! so an item's score adds up the same terms in the same order whether the weight is pushed to all items or pulled by
//! the few that are asked for, and a ranking agrees with its scores to the last bit.

use super::{Candidates, Context, Explanation, Reason, Scored, Scorer, Scores, Workspace, opinion};
use crate::dataset::Csr;
use crate::ids::ItemIdx;

/// Adjacency lists with weights, which are not stored when all are 1: 4 or 8 bytes an entry, 8 a list.
#[derive(Clone, Debug, Default, PartialEq)]
struct Links {
    offsets: Vec<u64>,
    to: Vec<u32>,
    weight: Vec<f32>,
}

impl Links {
    fn new(csr: &Csr) -> Self {
        let rows = || (0..csr.rows()).map(|row| csr.row(row));
        let plain = rows().all(|row| row.weights().iter().all(|&w| w == 1.0));
        let mut out = Self { offsets: Vec::with_capacity(csr.rows() + 1), ..Self::default() };
        out.to.reserve_exact(csr.len());
        out.weight.reserve_exact(if plain { 0 } else { csr.len() });
        out.offsets.push(0);
        for row in rows() {
            out.to.extend_from_slice(row.indices());
            if !plain {
                out.weight.extend_from_slice(row.weights());
            }
            out.offsets.push(out.to.len() as u64);
        }
        out
    }

    fn lists(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    fn len_of(&self, list: usize) -> usize {
        match (self.offsets.get(list), self.offsets.get(list + 1)) {
            (Some(from), Some(to)) => (to - from) as usize,
            _ => 0,
        }
    }

    /// Hands each entry of a list to `f`, ascending; none for an unknown list.
    #[inline]
    fn each(&self, list: usize, mut f: impl FnMut(u32, f32)) {
        let (Some(&from), Some(&end)) = (self.offsets.get(list), self.offsets.get(list + 1)) else { return };
        let to = &self.to[from as usize..end as usize];
        if self.weight.is_empty() {
            to.iter().for_each(|&t| f(t, 1.0));
        } else {
            to.iter().zip(&self.weight[from as usize..end as usize]).for_each(|(&t, &w)| f(t, w));
        }
    }

    fn heap_bytes(&self) -> usize {
        self.offsets.capacity() * 8 + self.to.capacity() * 4 + self.weight.capacity() * 4
    }
}

/// The ways of a walk.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::scorer) struct Graph {
    /// From an item to its shoppers.
    out: Links,
    /// From a shopper to their items.
    back: Links,
    /// The weights of `back` in the order of `out`, unless they are the ones of `out`.
    back_by_item: Option<Vec<f32>>,
}

impl Graph {
    /// Shoppers there are ways back from.
    pub(in crate::scorer) fn n_shoppers(&self) -> usize {
        self.back.lists()
    }

    /// Items there are ways out from.
    pub(in crate::scorer) fn n_items(&self) -> usize {
        self.out.lists()
    }

    /// Out by the weights of `out` (items x rows), back by those of `back` (rows x items, the same pairs).
    pub(in crate::scorer) fn new(out: &Csr, back: &Csr) -> Self {
        let back_by_item = back.transposed(out.rows());
        let (out, turned, back) = (Links::new(out), Links::new(&back_by_item), Links::new(back));
        let same = out.weight == turned.weight;
        Self { out, back, back_by_item: (!same).then_some(turned.weight) }
    }

    /// Hands each shopper of `item` with the weight of the way out to `f`, ascending.
    #[inline]
    pub(in crate::scorer) fn each_shopper(&self, item: ItemIdx, mut f: impl FnMut(usize, f32)) {
        self.out.each(item.as_usize(), |row, weight| f(row as usize, weight));
    }

    /// Hands each item of shopper `row` with the weight of the way back to `f`, ascending.
    #[inline]
    pub(in crate::scorer) fn each_item(&self, row: usize, mut f: impl FnMut(usize, f32)) {
        self.back.each(row, |item, weight| f(item as usize, weight));
    }

    pub(in crate::scorer) fn heap_bytes(&self) -> usize {
        self.out.heap_bytes() + self.back.heap_bytes() + self.back_by_item.as_ref().map_or(0, |w| w.capacity() * 4)
    }

    /// Hands each shopper of `item` with the weight of the way back to `f`, ascending.
    #[inline]
    fn each_back(&self, item: usize, mut f: impl FnMut(u32, f32)) {
        match &self.back_by_item {
            None => self.out.each(item, f),
            Some(weight) => {
                let Some(&from) = self.out.offsets.get(item) else { return };
                let weight = weight.get(from as usize..).unwrap_or_default();
                let mut place = 0;
                self.out.each(item, |row, _| {
                    f(row, weight.get(place).copied().unwrap_or(1.0));
                    place += 1;
                });
            }
        }
    }
}

/// How many bits of a score do not decide its step of the histogram: eight steps between powers of two stay.
const STEP: u32 = 20;

/// How many items beyond the wanted ones and the shopper's own are ranked at once.
const HEADROOM: usize = 32;

/// Scratch of a walk: how much arrived at each shopper, and who was met.
#[derive(Debug, Default)]
pub(in crate::scorer) struct Middle {
    mass: Vec<f32>,
    /// One bit a shopper row.
    met: Vec<u64>,
    /// What arrived at each item.
    items: Vec<f32>,
    /// Items by the first bits of their scores.
    steps: Vec<u32>,
    /// For walks that choose among the shoppers met.
    pub(in crate::scorer) keys: Vec<u64>,
    /// For walks that count what is shared with each shopper; zero between requests.
    pub(in crate::scorer) shared: Vec<f32>,
}

impl Middle {
    /// Nothing has arrived anywhere.
    fn reset(&mut self, n_rows: usize) {
        let Self { mass, met, .. } = self;
        each_bit(met, |row| mass[row] = 0.0);
        met.clear();
        met.resize(n_rows.div_ceil(64), 0);
        mass.resize(n_rows, 0.0); // what is cut off was zero, and so is the rest
    }

    #[inline]
    fn arrive(&mut self, row: u32, mass: f32) {
        self.met[row as usize / 64] |= 1 << (row % 64);
        self.mass[row as usize] += mass;
    }

    /// Replaces what arrived at each shopper met, ascending; 0 leaves the shopper out.
    pub(in crate::scorer) fn each_mut(&mut self, mut f: impl FnMut(usize, &mut f32)) {
        let Self { mass, met, .. } = self;
        each_bit(met, |row| f(row, &mut mass[row]));
    }

    /// A score, as bits, that at least `enough` items reach, and not many more; 0 when there are fewer.
    ///
    /// The bits of positive numbers ascend with them: a histogram over the first ones finds it in two passes.
    fn bar(&mut self, enough: usize) -> u32 {
        let Self { items, steps, .. } = self;
        steps.clear();
        steps.resize(1 << (32 - STEP), 0);
        items.iter().for_each(|score| steps[(score.to_bits() >> STEP) as usize] += 1);
        let mut reached = 0;
        for (step, &n) in steps.iter().enumerate().skip(1).rev() {
            reached += n as usize;
            if reached >= enough {
                return (step as u32) << STEP;
            }
        }
        0
    }

    /// Puts the items into `out` whose scores, as bits, are in `from..to`.
    fn scored(&self, from: u32, to: u32, out: &mut Vec<Scored>) {
        for (item, &score) in self.items.iter().enumerate() {
            if score > 0.0 && score.to_bits() >= from && score.to_bits() < to {
                out.push(Scored { item: ItemIdx::new(item as u32), score });
            }
        }
    }

    /// The shopper no longer has a say.
    pub(in crate::scorer) fn silence(&mut self, row: usize) {
        if let Some(mass) = self.mass.get_mut(row) {
            *mass = 0.0;
        }
    }
}

#[inline]
fn each_bit(words: &[u64], mut f: impl FnMut(usize)) {
    for (at, &word) in words.iter().enumerate() {
        let mut rest = word;
        while rest != 0 {
            f(at * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}

/// A scorer whose opinion arrives by way of other shoppers.
pub(in crate::scorer) trait Walker: Scorer {
    /// The ways.
    fn graph(&self) -> &Graph;

    /// Puts what leaves each item of the shopper into `out`, newest item first.
    fn depart(&self, cx: &Context<'_>, ws: &mut Workspace, out: &mut Vec<Scored>);

    /// Turns what arrived at the shoppers into what leaves them. Must not depend on candidates.
    fn pass(&self, cx: &Context<'_>, departed: &[Scored], middle: &mut Middle);

    /// What becomes of the sum that arrives at an item.
    fn arrive(&self, item: usize, sum: f32) -> f32;

    /// [`Scorer::score`].
    fn score_walk(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let graph = self.graph();
        let mut departed = ws.take_scored();
        let mut middle = gather(self, cx, &mut departed, ws);
        self.pass(cx, &departed, &mut middle);
        let mut pushes = 0;
        each_bit(&middle.met, |row| pushes += if middle.mass[row] == 0.0 { 0 } else { graph.back.len_of(row) });
        let pulls: usize = out.items().iter().map(|item| graph.out.len_of(item.as_usize())).sum();
        let pushed = pushes < pulls;
        if pushed {
            push(graph, &mut middle);
        }
        for (slot, item) in out.items().iter().map(|item| item.as_usize()).enumerate() {
            let sum = if pushed {
                middle.items.get(item).copied().unwrap_or(0.0)
            } else {
                let mut sum = 0.0;
                graph.each_back(item, |row, weight| sum += middle.mass[row as usize] * weight);
                sum
            };
            if sum > 0.0 {
                out.set(slot, self.arrive(item, sum));
            }
        }
        ws.give(middle);
        ws.give_scored(departed);
    }

    /// [`Scorer::propose`].
    fn propose_walk(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut departed = ws.take_scored();
        let mut middle = gather(self, cx, &mut departed, ws);
        self.pass(cx, &departed, &mut middle);
        push(self.graph(), &mut middle);
        for (item, sum) in middle.items.iter_mut().enumerate().filter(|(_, sum)| **sum > 0.0) {
            let score = self.arrive(item, *sum) + 0.0;
            *sum = if score.is_finite() { score } else { 0.0 };
        }
        // Most of a catalogue is met, and few of it are wanted: the items the shopper has, which filters often refuse,
        // and a few more. The rest is sorted out only when that is not enough.
        let enough = limit.saturating_add(departed.len() + HEADROOM);
        let bar = middle.bar(enough);
        let mut scored = ws.take_scored();
        middle.scored(bar, u32::MAX, &mut scored);
        let kept = out.extend_top(&mut scored, limit);
        if kept < limit && bar > 0 {
            scored.clear();
            middle.scored(0, bar, &mut scored);
            out.extend_top(&mut scored, limit - kept);
        }
        ws.give_scored(scored);
        ws.give(middle);
        ws.give_scored(departed);
    }

    /// [`Scorer::explain`]: what each item of the shopper adds, newest first. A shopper's say is split among the items
    /// shared with them by what each brought. The parts sum to the score up to rounding.
    fn explain_walk(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let known = item.as_usize() < self.extent().n_items;
        let Some(score) = known.then(|| opinion(self, cx, item, ws).0).flatten() else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let reason = Reason::Scorer { name: self.name().to_owned(), code: self.reason() };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let graph = self.graph();
        let mut departed = ws.take_scored();
        let mut middle = gather(self, cx, &mut departed, ws);
        let arrived = middle.mass.clone();
        self.pass(cx, &departed, &mut middle);
        // What one unit that arrives at a shopper brings to the item.
        let mut brings = ws.take_floats(arrived.len());
        graph.each_back(item.as_usize(), |row, weight| {
            let row = row as usize;
            if arrived[row] > 0.0 {
                brings[row] = middle.mass[row] / arrived[row] * weight;
            }
        });
        for &Scored { item: from, score: leaves } in &departed {
            let mut sum = 0.0;
            graph.out.each(from.as_usize(), |row, weight| sum += leaves * weight * brings[row as usize]);
            let part = self.arrive(item.as_usize(), sum);
            if sum > 0.0 && part.is_finite() {
                let reason = Reason::Because { item: from, code: self.reason() };
                explanation.details.push(Explanation::leaf(Some(part), reason));
            }
        }
        ws.give_floats(brings);
        ws.give(middle);
        ws.give_scored(departed);
        explanation
    }
}

/// Everything that arrives at shoppers.
fn gather<W: Walker + ?Sized>(
    walker: &W,
    cx: &Context<'_>,
    departed: &mut Vec<Scored>,
    ws: &mut Workspace,
) -> Box<Middle> {
    let graph = walker.graph();
    let mut middle = ws.take::<Middle>();
    middle.reset(graph.back.lists());
    walker.depart(cx, ws, departed);
    for &Scored { item, score } in departed.iter() {
        graph.out.each(item.as_usize(), |row, weight| middle.arrive(row, score * weight));
    }
    middle
}

/// From the shoppers to all their items.
fn push(graph: &Graph, middle: &mut Middle) {
    let Middle { mass, met, items, .. } = middle;
    items.clear();
    items.resize(graph.out.lists(), 0.0);
    each_bit(met, |row| {
        let leaves = mass[row];
        if leaves != 0.0 {
            graph.back.each(row, |item, weight| items[item as usize] += leaves * weight);
        }
    });
}

crate::persist::portable!(Links { offsets, to, weight }
    "lists that are not cut out of its links" => |l| crate::persist::cuts_or_none(&l.offsets, l.to.len())
        && (l.weight.is_empty() || l.weight.len() == l.to.len()));
crate::persist::portable!(Graph { out, back, back_by_item }
    "a link beyond its ends" => |g| g.out.to.iter().all(|&row| (row as usize) < g.back.lists())
        && g.back.to.iter().all(|&item| (item as usize) < g.out.lists()));
