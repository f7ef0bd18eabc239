//! Exact sums over pairs of steps.
//!
//! Row by row over the first item (Gustavson 1978): at each place of the item, the steps within the window before and
//! behind it are added to a dense row. `O(Σ steps x window)`, in parallel over blocks of items.

use serde::{Deserialize, Serialize};

use super::steps::{KindFactors, Step, StepRule, Steps};
use crate::dataset::Dataset;
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};
use crate::time::{Span, Timestamp};

/// Whether an item that comes again within the window makes a pair with itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Repeats {
    /// No: an item says nothing about itself.
    #[default]
    Skipped,
    /// Like any other pair: what people come back to is recommended again.
    Counted,
}

/// What a pair of steps counts, `gap` steps apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::scorer) enum GapLaw {
    /// `gap^-exponent`.
    Power(f32),
    /// `1 - gap / 10`, nothing from ten on.
    Linear,
    /// `1 / log10(gap + 1.7)`.
    Log,
}

impl GapLaw {
    /// At most 2.4: what `Log` gives a gap of 1.
    fn of(self, gap: usize) -> f64 {
        let gap = gap as f64;
        match self {
            Self::Power(exponent) => gap.powf(-f64::from(exponent)),
            Self::Linear => (1.0 - 0.1 * gap).max(0.0),
            Self::Log => 1.0 / (gap + 1.7).log10(),
        }
    }
}

/// What a pair of steps counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct PairRule {
    pub(in crate::scorer) steps: StepRule,
    /// The most steps apart.
    pub(in crate::scorer) window: usize,
    pub(in crate::scorer) law: GapLaw,
    /// Time after which a pair counts half.
    pub(in crate::scorer) half_life: Option<Span>,
    /// What the later item says about the earlier one, relative to the other way round.
    pub(in crate::scorer) back: f32,
    pub(in crate::scorer) source: KindFactors,
    pub(in crate::scorer) target: KindFactors,
    pub(in crate::scorer) repeats: Repeats,
}

/// One in the sums. A pair of steps counts at most 2.4 x 16 x 16 < 2^10, so 2^26 such meetings of two items fit; of
/// meetings that count 1 or less, 2^36.
const ONE: f64 = (1u64 << 28) as f64;

fn exact(weight: f64) -> u64 {
    (weight * ONE).round() as u64
}

/// [`PairRule`], ready to be asked often.
struct Weigher<'r> {
    rule: &'r PairRule,
    /// By gap, from 0.
    law: Vec<f64>,
    /// What a pair adds by its gap, ahead and back, where neither kind nor time matters.
    plain: Option<(Vec<u64>, Vec<u64>)>,
}

impl<'r> Weigher<'r> {
    fn new(rule: &'r PairRule, longest: usize) -> Self {
        let window = rule.window.min(longest.saturating_sub(1));
        let law: Vec<f64> = (0..=window).map(|gap| if gap == 0 { 0.0 } else { rule.law.of(gap) }).collect();
        let one = KindFactors::default();
        let plain = (rule.source == one && rule.target == one && rule.half_life.is_none()).then(|| {
            let ahead = law.iter().map(|&w| exact(w)).collect();
            (ahead, law.iter().map(|&w| exact(f64::from(rule.back) * w)).collect())
        });
        Self { rule, law, plain }
    }

    /// Calls `add(step, weight)` for each step near `unit[at]`.
    fn near(&self, unit: &[Step], at: usize, mut add: impl FnMut(ItemIdx, u64)) {
        let window = self.law.len() - 1;
        let before = &unit[at.saturating_sub(window)..at];
        let behind = &unit[at + 1..unit.len().min(at + 1 + window)];
        if let Some((ahead, back)) = &self.plain {
            before.iter().rev().zip(&back[1..]).for_each(|(step, &w)| add(step.item, w));
            behind.iter().zip(&ahead[1..]).for_each(|(step, &w)| add(step.item, w));
        } else {
            let Self { rule, law, .. } = self;
            let back = f64::from(rule.back);
            before
                .iter()
                .rev()
                .zip(&law[1..])
                .for_each(|(s, &w)| add(s.item, exact(w * back * self.pair(&unit[at], s))));
            behind.iter().zip(&law[1..]).for_each(|(s, &w)| add(s.item, exact(w * self.pair(&unit[at], s))));
        }
    }

    /// What kinds and time make of a pair.
    fn pair(&self, source: &Step, target: &Step) -> f64 {
        let kinds = f64::from(self.rule.source.of(source.kind)) * f64::from(self.rule.target.of(target.kind));
        let [earlier, later] = [source.at.min(target.at), source.at.max(target.at)].map(Timestamp::from_millis);
        let apart = later.since(earlier);
        self.rule.half_life.map_or(kinds, |half_life| kinds * apart.decay(half_life))
    }
}

/// The sum of each ordered pair of items, and the steps on each item: 12 bytes a pair, 12 an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::scorer) struct PairSums {
    offsets: Vec<u64>,
    to: Vec<u32>,
    sum: Vec<u64>,
    count: Vec<u32>,
}

/// Items summed by one task, and steps of the run.
const BLOCK: usize = 64;
const STAGES: usize = 16;

impl PairSums {
    /// The sums over the units of `rows`.
    pub(super) fn of(data: &Dataset, rows: &[UserIdx], rule: &PairRule, run: &Run<'_>) -> Result<Self, Cancelled> {
        let steps = Steps::gather(data, rows, &rule.steps, run)?;
        let n_items = data.n_items();
        let mut sums = Self::with_items(n_items);
        sums.count = steps.count(n_items);
        let places = Places::of(&steps, &sums.count);
        let weigher = Weigher::new(rule, steps.longest());
        let stage = n_items.div_ceil(STAGES).next_multiple_of(BLOCK).max(BLOCK);
        for first in (0..n_items).step_by(stage) {
            let last = n_items.min(first + stage);
            let blocks = run.threads.map_with(
                (last - first).div_ceil(BLOCK),
                || Tally { sum: vec![0; n_items], touched: Vec::new() },
                |tally, block| {
                    let items = first + block * BLOCK..last.min(first + (block + 1) * BLOCK);
                    Block::sum(items, &steps, &places, &weigher, tally)
                },
            );
            blocks.into_iter().for_each(|block| sums.append(&block));
            run.step(last as u64, n_items as u64, None)?;
        }
        sums.shrink();
        Ok(sums)
    }

    fn with_items(n_items: usize) -> Self {
        let mut offsets = Vec::with_capacity(n_items + 1);
        offsets.push(0);
        Self { offsets, count: vec![0; n_items], ..Self::default() }
    }

    fn append(&mut self, block: &Block) {
        let pairs = self.to.len() as u64;
        self.offsets.extend(block.ends.iter().map(|&end| pairs + end as u64));
        self.to.extend_from_slice(&block.to);
        self.sum.extend_from_slice(&block.sum);
    }

    fn shrink(&mut self) {
        self.to.shrink_to_fit();
        self.sum.shrink_to_fit();
    }

    pub(super) fn n_items(&self) -> usize {
        self.count.len()
    }

    /// The steps on `item`.
    pub(super) fn count(&self, item: usize) -> u32 {
        self.count.get(item).copied().unwrap_or(0)
    }

    /// The items that pair with `item` as the first, ascending, with their sums.
    pub(super) fn row(&self, item: usize) -> impl ExactSizeIterator<Item = (ItemIdx, f64)> + '_ {
        let (to, sum) = self.columns(item);
        to.iter().map(|&b| ItemIdx::new(b)).zip(sum.iter().map(|&sum| sum as f64 / ONE))
    }

    /// Of one ordered pair; 0 when it was never met. `O(log row)`.
    pub(in crate::scorer) fn pair(&self, a: ItemIdx, b: ItemIdx) -> f64 {
        let (to, sum) = self.columns(a.as_usize());
        to.binary_search(&b.get()).map_or(0.0, |at| sum[at] as f64 / ONE)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.offsets.capacity() + self.sum.capacity()) * 8 + (self.to.capacity() + self.count.capacity()) * 4
    }

    fn columns(&self, row: usize) -> (&[u32], &[u64]) {
        match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(&from), Some(&to)) => (&self.to[from as usize..to as usize], &self.sum[from as usize..to as usize]),
            _ => (&[], &[]),
        }
    }

    /// These sums without `old` and with `new`; `None` if `old` was never part of them. `O(pairs)` to copy.
    pub(super) fn patched(&self, old: &Self, new: &Self) -> Option<Self> {
        let n_items = self.n_items().max(new.n_items());
        let mut out = Self::with_items(n_items);
        let mut changed: Vec<(u32, u64, u64)> = Vec::new(); // item, added, taken
        for row in 0..n_items {
            out.count[row] = self.count(row).checked_sub(old.count(row))?.checked_add(new.count(row))?;
            let (to, sum) = self.columns(row);
            let (taken, added) = (old.columns(row), new.columns(row));
            if taken.0.is_empty() && added.0.is_empty() {
                out.to.extend_from_slice(to);
                out.sum.extend_from_slice(sum);
            } else {
                changed.clear();
                changed.extend(to.iter().zip(sum).map(|(&b, &sum)| (b, sum, 0)));
                changed.extend(added.0.iter().zip(added.1).map(|(&b, &sum)| (b, sum, 0)));
                changed.extend(taken.0.iter().zip(taken.1).map(|(&b, &sum)| (b, 0, sum)));
                changed.sort_unstable();
                for pair in changed.chunk_by(|x, y| x.0 == y.0) {
                    let (plus, minus) = pair.iter().fold((0u64, 0u64), |(p, m), x| (p + x.1, m + x.2));
                    let sum = plus.checked_sub(minus)?;
                    if sum > 0 {
                        out.to.push(pair[0].0);
                        out.sum.push(sum);
                    }
                }
            }
            out.offsets.push(out.to.len() as u64);
        }
        out.shrink();
        Some(out)
    }

    /// The items whose row of weights may differ from what it was before `old` was taken out of and `new` put into them.
    pub(super) fn stale(&self, old: &Self, new: &Self) -> Vec<bool> {
        let recounted: Vec<bool> = (0..self.n_items()).map(|item| old.count(item) != new.count(item)).collect();
        let moved = |row| old.columns(row) != new.columns(row);
        let leads_to_recounted = |row: usize| self.columns(row).0.iter().any(|&b| recounted[b as usize]);
        (0..self.n_items()).map(|row| recounted[row] || moved(row) || leads_to_recounted(row)).collect()
    }
}

/// Where each item's steps are: unit and place.
struct Places {
    starts: Vec<usize>,
    at: Vec<(u32, u32)>,
}

impl Places {
    fn of(steps: &Steps, count: &[u32]) -> Self {
        let mut starts = Vec::with_capacity(count.len() + 1);
        let mut total = 0;
        starts.push(0);
        starts.extend(count.iter().map(|&n| {
            total += n as usize;
            total
        }));
        let (mut next, mut at) = (starts.clone(), vec![(0, 0); total]);
        let mut first = 0;
        for (unit, &end) in steps.ends.iter().enumerate() {
            for place in first..end {
                let slot = &mut next[steps.steps[place as usize].item.as_usize()];
                at[*slot] = (unit as u32, place - first);
                *slot += 1;
            }
            first = end;
        }
        Self { starts, at }
    }

    fn of_item(&self, item: usize) -> &[(u32, u32)] {
        &self.at[self.starts[item]..self.starts[item + 1]]
    }
}

/// One row being summed: a dense array and what was touched of it.
struct Tally {
    sum: Vec<u64>,
    touched: Vec<u32>,
}

impl Tally {
    #[inline]
    fn add(&mut self, item: ItemIdx, weight: u64) {
        let sum = &mut self.sum[item.as_usize()];
        if *sum == 0 && weight > 0 {
            self.touched.push(item.get());
        }
        *sum += weight;
    }
}

/// The rows of a few consecutive items.
#[derive(Default)]
struct Block {
    ends: Vec<usize>,
    to: Vec<u32>,
    sum: Vec<u64>,
}

impl Block {
    fn sum(
        items: std::ops::Range<usize>,
        steps: &Steps,
        places: &Places,
        weigher: &Weigher<'_>,
        tally: &mut Tally,
    ) -> Self {
        let mut block = Self::default();
        let repeats = weigher.rule.repeats;
        for row in items {
            for &(unit, place) in places.of_item(row) {
                let first = (unit as usize).checked_sub(1).map_or(0, |before| steps.ends[before] as usize);
                let unit = &steps.steps[first..steps.ends[unit as usize] as usize];
                match repeats {
                    Repeats::Counted => weigher.near(unit, place as usize, |item, w| tally.add(item, w)),
                    Repeats::Skipped => weigher.near(unit, place as usize, |item, w| {
                        if item.as_usize() != row {
                            tally.add(item, w);
                        }
                    }),
                }
            }
            tally.touched.sort_unstable();
            for &b in &tally.touched {
                block.to.push(b);
                block.sum.push(std::mem::take(&mut tally.sum[b as usize]));
            }
            tally.touched.clear();
            block.ends.push(block.to.len());
        }
        block
    }
}

crate::persist::portable_value!(Repeats, GapLaw);
crate::persist::portable!(PairRule { steps, window, law, half_life, back, source, target, repeats });
crate::persist::portable!(PairSums { offsets, to, sum, count }
    "pairs that are not cut out of its sums" => |s| crate::persist::cuts_or_none(&s.offsets, s.to.len())
        && s.sum.len() == s.to.len());
