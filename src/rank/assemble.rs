//! Filling the list place by place: pins, slots, the best candidate under the re-ranks, fallbacks, and at last what a
//! cap held back.
//!
//! The candidates wait in a heap ordered by their value when last looked at. As a re-rank's value never rises with what
//! is chosen, that is an upper bound: only the top has to be looked at again (Minoux 1978). With 1,000 candidates, MMR
//! and a cap this asks for a few dozen values a place instead of a thousand.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::pipeline::{Query, Stage, StageReport};
use super::placed::{Effect, Placed, Placement, RuleApplied};
use super::ranker::{Bound, BoundRule, Ranker};
use super::rerank::{Memo, NextPlace, Rerank, WhenShort};
use super::rule::{Action, PinFilters};
use crate::ids::ItemIdx;
use crate::kernel::top_k::top_k;
use crate::scorer::{Candidates, ItemSet, Scored, Scorer, Scores, Workspace};

/// A waiting candidate.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    value: f32,
    item: ItemIdx,
    slot: u32,
    /// How many places were filled when `value` was found.
    seen: u32,
}

impl Waiting {
    fn key_order(&self, other: &Self) -> Ordering {
        self.value.total_cmp(&other.value).then(other.item.cmp(&self.item))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    /// The heap's greatest is the best: higher value, then lower item number.
    fn cmp(&self, other: &Self) -> Ordering {
        self.key_order(other)
    }
}

/// What a cap held back, in the order it may still come.
#[derive(Clone, Copy, Debug)]
struct HeldBack {
    stage: usize,
    score: f32,
    item: ItemIdx,
    slot: Option<usize>,
    fallback: Option<usize>,
}

/// The buffers of the filling.
#[derive(Default)]
pub(crate) struct Assembly {
    heap: Vec<Waiting>,
    memos: Vec<Memo>,
    fresh: Vec<Memo>,
    chain: Vec<usize>,
    chosen: Vec<ItemIdx>,
    taken: ItemSet,
    held: Vec<HeldBack>,
    /// The items of `held`.
    waiting: ItemSet,
    /// Pending pins: place, rule, item. Last is next.
    pins: Vec<(usize, usize, ItemIdx)>,
    /// Pending slots: place, rule. Last is next.
    slots: Vec<(usize, usize)>,
    /// The engine's best among the candidates, its first at the front.
    engine: Vec<Scored>,
    /// Results of the engine that are guarded: last place, rank with the engine, slot. Last is next.
    guards: Vec<(usize, usize, usize)>,
}

/// Everything the filling looks at, and where it writes.
pub(crate) struct Filler<'f, 'q> {
    pub(crate) ranker: &'f Ranker,
    pub(crate) bound: &'f Bound,
    pub(crate) query: &'f Query<'q>,
    pub(crate) candidates: &'f ItemSet,
    pub(crate) scores: &'f [f32],
    pub(crate) admit: &'f dyn Fn(ItemIdx) -> bool,
    pub(crate) placed: &'f mut Vec<Placed>,
    pub(crate) stages: &'f mut Vec<StageReport>,
    pub(crate) log: &'f mut Vec<RuleApplied>,
}

/// Whether a candidate may have the next place.
enum Verdict {
    Worth(f32),
    Refused(WhenShort),
}

impl Filler<'_, '_> {
    pub(crate) fn fill(mut self, a: &mut Assembly, ws: &mut Workspace) {
        self.begin(a);
        self.fill_ranked(a, ws);
        if self.query.candidates.is_none() {
            for f in 0..self.ranker.fallbacks.len() {
                self.fill_from_fallback(a, f, ws);
            }
            self.fill_from_catalogue(a, ws);
        }
        self.fill_relaxed(a, ws);
        while self.open() && self.place_by_rule(a, usize::MAX, ws) {} // pins beyond the end of the list
    }

    fn open(&self) -> bool {
        self.placed.len() < self.query.places
    }

    fn begin(&mut self, a: &mut Assembly) {
        let (rules, cx) = (&self.ranker.rules, &self.query.cx);
        a.chosen.clear();
        a.held.clear();
        a.pins.clear();
        a.slots.clear();
        a.chain.clear();
        a.taken.reset(cx.shelf.n_items());
        a.waiting.reset(cx.shelf.n_items());
        a.chain.extend(0..self.bound.reranks.len());
        for (r, (rule, bound)) in rules.iter().zip(&self.bound.rules).enumerate() {
            if !rule.applies(cx, &self.query.page) {
                continue;
            }
            match (&rule.action, bound) {
                (Action::Pin { position, filters, .. }, BoundRule::Pin(item)) => match item {
                    None => self.log.push(RuleApplied { rule: r, effect: Effect::PinUnknown }),
                    Some(item) if a.pins.iter().any(|(_, _, other)| other == item) => {
                        self.log.push(RuleApplied { rule: r, effect: Effect::PinShadowed });
                    }
                    Some(item) if *filters == PinFilters::Respect && !(self.admit)(*item) => {
                        self.log.push(RuleApplied { rule: r, effect: Effect::PinRefused });
                    }
                    Some(item) => a.pins.push((*position, r, *item)),
                },
                (Action::Slot { position, .. }, BoundRule::Slot(_)) => a.slots.push((*position, r)),
                (_, BoundRule::Cap(_)) => a.chain.push(self.bound.reranks.len() + r),
                _ => {}
            }
        }
        a.pins.sort_unstable_by_key(|&(position, rule, _)| Reverse((position, rule)));
        a.slots.sort_unstable_by_key(|&slot| Reverse(slot));
        self.guard(a);
        a.fresh.clear();
        a.fresh.resize(a.chain.len(), Memo::default());
        a.memos.clear();
        a.memos.resize(a.chain.len() * self.candidates.items().len(), Memo::default());
    }

    /// Lists what the search guard holds near the top.
    fn guard(&self, a: &mut Assembly) {
        a.guards.clear();
        let Some(guard) = self.ranker.guard.as_ref().filter(|_| self.query.candidates.is_some()) else { return };
        a.engine.clear();
        a.engine.extend(self.query.cx.relevance.iter().filter(|scored| self.candidates.contains(scored.item)));
        top_k(&mut a.engine, guard.guarded(), Scored::order);
        let deadline = |(rank, scored): (usize, &Scored)| {
            Some((guard.deadline(rank)?, rank, self.candidates.position(scored.item)?))
        };
        a.guards.extend(a.engine.iter().enumerate().filter_map(deadline));
        a.guards.sort_unstable_by_key(|&guarded| Reverse(guarded));
    }

    /// Fills the next place by a guarded result that may not stand below `place`; `false` when there is none.
    fn place_guarded(&mut self, a: &mut Assembly, place: usize) -> bool {
        while let Some(&(deadline, rank, slot)) = a.guards.last()
            && deadline <= place
        {
            a.guards.pop();
            if !Self::is_taken(a, self.candidates.items()[slot]) {
                let placed = self.candidate(slot, Placement::Guarded(rank));
                self.place(a, placed);
                return true;
            }
        }
        false
    }

    /// The re-ranks of the ranker, then the cap rules at work.
    fn link(&self, number: usize) -> &dyn Rerank {
        let reranks = &self.bound.reranks;
        match number.checked_sub(reranks.len()).map(|rule| &self.bound.rules[rule]) {
            Some(BoundRule::Cap(cap)) => &**cap,
            _ => &*reranks[number],
        }
    }

    fn judge(&self, chain: &[usize], memos: &mut [Memo], chosen: &[ItemIdx], item: ItemIdx, score: f32) -> Verdict {
        let mut value = score;
        for (&number, memo) in chain.iter().zip(memos) {
            let link = self.link(number);
            match link.value(&self.query.cx, NextPlace { item, value, chosen }, memo).filter(|v| v.is_finite()) {
                Some(next) => value = next + 0.0, // one zero: equal values stand by item number
                None => return Verdict::Refused(link.when_short()),
            }
        }
        Verdict::Worth(value)
    }

    /// Whether `item` is on the list already or waits for a pin of its own.
    fn is_taken(a: &Assembly, item: ItemIdx) -> bool {
        a.taken.contains(item) || a.pins.iter().any(|&(_, _, pinned)| pinned == item)
    }

    fn place(&mut self, a: &mut Assembly, placed: Placed) {
        a.taken.insert(placed.item);
        a.chosen.push(placed.item);
        self.placed.push(placed);
    }

    fn candidate(&self, slot: usize, placement: Placement) -> Placed {
        let item = self.candidates.items()[slot];
        Placed { item, score: self.scores[slot], placement, slot: Some(slot), fallback: None }
    }

    /// Fills the next place by a pin or slot meant for a place up to `place`; `false` when there is none.
    fn place_by_rule(&mut self, a: &mut Assembly, place: usize, ws: &mut Workspace) -> bool {
        if let Some(&(position, rule, item)) = a.pins.last()
            && position <= place
            && let Some(slot) = self.candidates.position(item)
        {
            a.pins.pop();
            self.log.push(RuleApplied { rule, effect: Effect::Pinned { position: self.placed.len() } });
            let placed = self.candidate(slot, Placement::Pinned(rule));
            self.place(a, placed);
            return true;
        }
        while let Some(&(position, rule)) = a.slots.last()
            && position <= place
        {
            a.slots.pop();
            if let Some(placed) = self.best_for_slot(a, rule, ws) {
                self.log.push(RuleApplied { rule, effect: Effect::SlotFilled { position: self.placed.len() } });
                self.place(a, placed);
                return true;
            }
            self.log.push(RuleApplied { rule, effect: Effect::SlotReleased });
        }
        false
    }

    fn best_for_slot(&self, a: &Assembly, rule: usize, ws: &mut Workspace) -> Option<Placed> {
        let BoundRule::Slot(select) = &self.bound.rules[rule] else { return None };
        let cx = &self.query.cx;
        let fits = |item| !Self::is_taken(a, item) && select.matches(cx.shelf, item, cx.now);
        let best = self
            .candidates
            .items()
            .iter()
            .enumerate()
            .filter(|(_, item)| fits(**item))
            .max_by(|(s, i), (t, j)| self.scores[*s].total_cmp(&self.scores[*t]).then(j.cmp(i)));
        if let Some((slot, _)) = best {
            return Some(self.candidate(slot, Placement::Slot(rule)));
        }
        if self.query.candidates.is_some() {
            return None;
        }
        let admit = |item: ItemIdx| fits(item) && (self.admit)(item);
        self.ranker.fallbacks.iter().enumerate().find_map(|(f, scorer)| {
            let (item, score) =
                proposals(scorer.as_ref(), self.query, 1, &admit, ws, |first| first.first().copied()).0?;
            Some(Placed { item, score, placement: Placement::Slot(rule), slot: None, fallback: Some(f) })
        })
    }

    fn fill_ranked(&mut self, a: &mut Assembly, ws: &mut Workspace) {
        let links = a.chain.len();
        let mut waiting = std::mem::take(&mut a.heap);
        waiting.clear();
        for (slot, &item) in self.candidates.items().iter().enumerate() {
            let memos = &mut a.memos[slot * links..(slot + 1) * links];
            match self.judge(&a.chain, memos, &[], item, self.scores[slot]) {
                Verdict::Worth(value) => waiting.push(Waiting { value, item, slot: slot as u32, seen: 0 }),
                Verdict::Refused(when_short) => self.hold_back(a, 0, slot, when_short),
            }
        }
        let mut heap = BinaryHeap::from(waiting);
        while self.open() {
            if self.place_by_rule(a, self.placed.len(), ws) || self.place_guarded(a, self.placed.len()) {
                continue;
            }
            let Some(top) = heap.pop() else {
                // What a strict cap refused is guarded all the same.
                if self.place_guarded(a, usize::MAX) {
                    continue;
                }
                break;
            };
            if Self::is_taken(a, top.item) {
                continue;
            }
            let slot = top.slot as usize;
            if links == 0 || top.seen as usize == a.chosen.len() {
                let placed = self.candidate(slot, Placement::Ranked);
                self.place(a, placed);
                continue;
            }
            let memos = &mut a.memos[slot * links..(slot + 1) * links];
            match self.judge(&a.chain, memos, &a.chosen, top.item, self.scores[slot]) {
                // A value that rose would break the bound: it is held to what it was.
                Verdict::Worth(value) => {
                    heap.push(Waiting { value: value.min(top.value), seen: a.chosen.len() as u32, ..top });
                }
                Verdict::Refused(when_short) => self.hold_back(a, 0, slot, when_short),
            }
        }
        a.heap = heap.into_vec();
    }

    fn hold_back(&self, a: &mut Assembly, stage: usize, slot: usize, when_short: WhenShort) {
        if when_short == WhenShort::Relax {
            let (score, item) = (self.scores[slot], self.candidates.items()[slot]);
            a.waiting.insert(item);
            a.held.push(HeldBack { stage, score, item, slot: Some(slot), fallback: None });
        }
    }

    /// Places one item from beyond the candidates, or holds it back.
    fn offer(&mut self, a: &mut Assembly, stage: usize, placed: Placed, ws: &mut Workspace) {
        while self.open() && self.place_by_rule(a, self.placed.len(), ws) {}
        if !self.open() || Self::is_taken(a, placed.item) || a.waiting.contains(placed.item) {
            return;
        }
        a.fresh.fill(Memo::default());
        match self.judge(&a.chain, &mut a.fresh, &a.chosen, placed.item, placed.score) {
            Verdict::Worth(_) => self.place(a, placed),
            Verdict::Refused(WhenShort::Strict) => {}
            Verdict::Refused(WhenShort::Relax) => {
                let Placed { item, score, slot, fallback, .. } = placed;
                a.waiting.insert(item);
                a.held.push(HeldBack { stage, score, item, slot, fallback });
            }
        }
    }

    /// Walks down a fallback's own list, taking more of it until the places are filled or it ends. How much is asked for
    /// does not depend on the places: whatever a scorer makes of the limit, all pages are cuts out of one walk.
    fn fill_from_fallback(&mut self, a: &mut Assembly, f: usize, ws: &mut Workspace) {
        let scorer = &self.ranker.fallbacks[f];
        let n_items = self.query.cx.shelf.n_items();
        let mut walked = 0;
        let mut asked = FIRST_ASKED;
        let mut known = ws.take_scored();
        while self.open() {
            let candidates = self.candidates;
            let admit = |item: ItemIdx| !candidates.contains(item) && (self.admit)(item);
            known.clear();
            let (got, unknown) = proposals(scorer.as_ref(), self.query, asked, &admit, ws, |all| {
                known.extend(all.iter().map(|&(item, score)| crate::scorer::Scored { item, score }));
                all.len()
            });
            let new = got.saturating_sub(walked);
            self.stages.push(StageReport { stage: Stage::Fallback(f), asked, new, unknown });
            for s in &known[walked.min(got)..] {
                let placement = Placement::Fallback(f);
                let placed = Placed { item: s.item, score: s.score, placement, slot: None, fallback: Some(f) };
                self.offer(a, f + 1, placed, ws);
            }
            walked = got;
            if got < asked || asked >= n_items {
                break;
            }
            asked = (4 * asked).min(n_items);
        }
        ws.give_scored(known);
    }

    fn fill_from_catalogue(&mut self, a: &mut Assembly, ws: &mut Workspace) {
        if !self.open() {
            return;
        }
        let stage = self.ranker.fallbacks.len() + 1;
        let before = self.placed.len();
        for i in 0..self.query.cx.shelf.n_items() as u32 {
            let item = ItemIdx::new(i);
            if !self.open() {
                break;
            }
            if !self.candidates.contains(item) && !Self::is_taken(a, item) && (self.admit)(item) {
                let placement = Placement::Catalogue;
                self.offer(a, stage, Placed { item, score: 0.0, placement, slot: None, fallback: None }, ws);
            }
        }
        let new = self.placed[before..].iter().filter(|p| p.placement == Placement::Catalogue).count();
        self.stages.push(StageReport { stage: Stage::Catalogue, asked: self.query.places - before, new, unknown: 0 });
    }

    /// Whether a re-rank that stays strict refuses the item; one that relaxes may have refused it before that was asked.
    fn strictly_refused(&self, a: &Assembly, item: ItemIdx, score: f32) -> bool {
        let next = NextPlace { item, value: score, chosen: &a.chosen };
        let mut strict =
            a.chain.iter().map(|&number| self.link(number)).filter(|l| l.when_short() == WhenShort::Strict);
        strict.any(|link| link.value(&self.query.cx, next, &mut Memo::default()).is_none_or(|value| !value.is_finite()))
    }

    /// What a cap held back fills the places that would stay empty: by stage, then score.
    fn fill_relaxed(&mut self, a: &mut Assembly, ws: &mut Workspace) {
        let mut held = std::mem::take(&mut a.held);
        held.sort_unstable_by(|x, y| x.stage.cmp(&y.stage).then(y.score.total_cmp(&x.score)).then(x.item.cmp(&y.item)));
        for h in &held {
            while self.open() && self.place_by_rule(a, self.placed.len(), ws) {}
            if !self.open() {
                break;
            }
            if !Self::is_taken(a, h.item) && !self.strictly_refused(a, h.item, h.score) {
                let HeldBack { item, score, slot, fallback, .. } = *h;
                self.place(a, Placed { item, score, placement: Placement::Relaxed, slot, fallback });
            }
        }
        a.held = held;
    }
}

/// How much of a fallback's list is asked for at first; four times as much whenever that was not enough.
const FIRST_ASKED: usize = 64;

/// Asks a scorer for `limit` admitted items and hands them, with its own scores, to `take`; also says how many
/// proposals named no item.
fn proposals<T>(
    scorer: &dyn Scorer,
    query: &Query<'_>,
    limit: usize,
    admit: &dyn Fn(ItemIdx) -> bool,
    ws: &mut Workspace,
    take: impl FnOnce(&[(ItemIdx, f32)]) -> T,
) -> (T, usize) {
    let n_items = query.cx.shelf.n_items();
    let (mut admitted, mut refused) = (ws.take_set(n_items), ws.take_set(n_items));
    let mut out = Candidates::new(&mut admitted, &mut refused, n_items, admit);
    scorer.propose(&query.cx, limit, &mut out, ws);
    let unknown = out.unknown();
    let n = admitted.items().len();
    let (mut values, mut because) = (ws.take_floats(n), ws.take_indices(n));
    let mut scores = Scores::new(&admitted, &mut values, &mut because);
    scorer.score(&query.cx, &mut scores, ws);
    let mut both = ws.take::<Vec<(ItemIdx, f32)>>();
    both.clear();
    both.extend(admitted.items().iter().enumerate().map(|(slot, &item)| (item, scores.get(slot).unwrap_or(0.0))));
    let taken = take(&both);
    ws.give(both);
    ws.give_floats(values);
    ws.give_indices(because);
    ws.give_set(admitted);
    ws.give_set(refused);
    (taken, unknown)
}
