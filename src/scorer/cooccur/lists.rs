//! From counts to each item's nearest neighbours, and what a fit keeps of both.

use serde::{Deserialize, Serialize};

use super::bounded::{self, Bounded, Room};
use super::count::{Alone, Counter, PairCounts, Tally};
use super::units::{Count, PairRule, PairUnit};
use super::weight::PairWeight;
use crate::dataset::{Dataset, Delta, Extent, MemoryReport};
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};
use crate::scorer::FitError;
use crate::scorer::best::Best;
use crate::scorer::neighbours::Neighbours;

/// What a fitted model keeps beside its neighbour lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Retain {
    /// All counts, 8 bytes a pair: an update counts only the shoppers that changed, and supports can be asked for.
    #[default]
    Counts,
    /// Nothing: an update is a fit.
    ListsOnly,
}

/// Which pairs make it into the lists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ListRule {
    pub(super) weight: PairWeight,
    pub(super) shrinkage: f32,
    pub(super) min_support: u32,
    /// Shoppers a pair must have been met by.
    pub(super) min_shoppers: u32,
    /// 0 for any.
    pub(super) min_lift: f32,
    pub(super) neighbours: usize,
}

/// Whose neighbours are listed, and by what.
struct Lister<'a> {
    alone: &'a Alone,
    rule: ListRule,
}

impl Lister<'_> {
    /// Offers `b`, met by `a` in `n_ab` units, as a neighbour of `a`.
    fn offer(&self, a: ItemIdx, b: ItemIdx, n_ab: u32, best: &mut Best) {
        let Self { alone, rule } = self;
        let (n, n_a, n_b) = (alone.n_units, alone.n_from[a.as_usize()], alone.n_to[b.as_usize()]);
        if n_ab < rule.min_support
            || rule.min_lift > 0.0 && PairWeight::Lift.of(n_ab, n_a, n_b, n) < f64::from(rule.min_lift)
        {
            return;
        }
        let score = rule.weight.shrunk(n_ab, n_a, n_b, n, rule.shrinkage) as f32;
        if score > 0.0 {
            best.offer(b, score);
        }
    }
}

/// How to count and list one kind of pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LinkRule {
    pub(super) pairs: PairRule,
    pub(super) lists: ListRule,
    pub(super) retain: Retain,
}

impl LinkRule {
    /// The rule by which the shoppers of a pair are counted, where that says more than its units do.
    fn shoppers(&self) -> Option<PairRule> {
        let apart = self.lists.min_shoppers > 1 && self.pairs.unit != PairUnit::Shopper;
        apart.then_some(PairRule { count: Count::Rows, ..self.pairs })
    }

    /// How the lists are made; a pair's units are its shoppers where a unit is one.
    fn listing(&self) -> ListRule {
        let shoppers = if self.pairs.unit == PairUnit::Shopper { self.lists.min_shoppers } else { 0 };
        ListRule { min_support: self.lists.min_support.max(shoppers), ..self.lists }
    }
}

/// One kind of pair, fitted: what every scorer of the family is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Link {
    rule: LinkRule,
    extent: Extent,
    n_events: usize,
    lists: Neighbours,
    counts: Option<PairCounts>,
    /// By how many shoppers each pair was met, if the rule asks and units do not say.
    shoppers: Option<PairCounts>,
}

impl Link {
    pub(super) fn fit(rule: LinkRule, data: &Dataset, run: &Run<'_>) -> Result<Self, FitError> {
        let rows: Vec<UserIdx> = (0..data.n_rows() as u32).map(UserIdx::new).collect();
        if let Some(allowed) = run.memory {
            return Self::fit_within(rule, data, &rows, allowed, run);
        }
        if rule.retain == Retain::Counts {
            let counts = PairCounts::of(data, &rows, &rule.pairs, run)?;
            let by_shopper = |pairs: PairRule| PairCounts::of(data, &rows, &pairs, run);
            let shoppers = rule.shoppers().map(by_shopper).transpose()?;
            return Ok(Self::list(rule, data, counts, shoppers, run)?);
        }
        // Listed as they are counted: the pairs of a row are gone with it.
        let counter = Counter::new(data, &rows, &rule.pairs, run)?;
        let by_shopper = rule.shoppers();
        let shoppers = by_shopper.as_ref().map(|pairs| Counter::new(data, &rows, pairs, run)).transpose()?;
        let lister = Lister { alone: &counter.alone, rule: rule.listing() };
        let n_items = data.n_items();
        let scratch = || (Tally::new(n_items), Tally::new(n_items), Vec::new(), Best::default());
        let lists = Neighbours::build(n_items, run, scratch, |(tally, others, few, best), a, row| {
            best.reset(rule.lists.neighbours);
            few.clear();
            if let Some(shoppers) = &shoppers {
                shoppers.row(a, others, |b, n| {
                    if n < rule.lists.min_shoppers {
                        few.push(b);
                    }
                });
                few.sort_unstable();
            }
            counter.row(a, tally, |b, n_ab| {
                if few.binary_search(&b).is_err() {
                    lister.offer(a, b, n_ab, best);
                }
            });
            row.extend(best.sorted());
        })?;
        Ok(Self { rule, extent: data.extent(), n_events: data.n_events(), lists, counts: None, shoppers: None })
    }

    /// [`fit`](Self::fit) in so many bytes beyond the data and the lists.
    fn fit_within(
        rule: LinkRule,
        data: &Dataset,
        rows: &[UserIdx],
        allowed: u64,
        run: &Run<'_>,
    ) -> Result<Self, FitError> {
        let by_shopper = rule.shoppers();
        let rules: Vec<&PairRule> = std::iter::once(&rule.pairs).chain(&by_shopper).collect();
        let room = Room::of(data, rows, &rules, allowed, run)?;
        if rule.retain == Retain::Counts {
            let counts = PairCounts::within(data, rows, &rule.pairs, &room, run)?;
            let room = room.beside(&counts);
            let shoppers = by_shopper.as_ref().map(|pairs| PairCounts::within(data, rows, pairs, &room, run));
            return Ok(Self::list(rule, data, counts, shoppers.transpose()?, run)?);
        }
        let pairs = Bounded::new(data, rows, &rule.pairs, &room, run)?;
        let by_shopper = by_shopper.as_ref().map(|pairs| Bounded::new(data, rows, pairs, &room, run)).transpose()?;
        let counters: Vec<&Bounded<'_>> = std::iter::once(&pairs).chain(&by_shopper).collect();
        let lister = Lister { alone: &pairs.alone, rule: rule.listing() };
        let mut lists = Neighbours::default();
        for items in Bounded::ranges(&counters, &room) {
            run.step(items.start as u64, data.n_items() as u64, None)?;
            let counted = pairs.count(&items, run)?;
            let shoppers = by_shopper.as_ref().map(|pairs| pairs.count(&items, run)).transpose()?;
            let quiet = Run { progress: None, ..*run };
            let more = Neighbours::build(items.len(), &quiet, Best::default, |best, at, row| {
                best.reset(rule.lists.neighbours);
                let item = ItemIdx::new((items.start + at.as_usize()) as u32);
                let by = shoppers.as_ref().map(|blocks| bounded::row(blocks, at.as_usize()));
                let enough = |b: &u32| {
                    by.is_none_or(|(to, count)| {
                        to.binary_search(b).is_ok_and(|at| count[at] >= rule.lists.min_shoppers)
                    })
                };
                let (to, count) = bounded::row(&counted, at.as_usize());
                let met = to.iter().zip(count).filter(|(b, _)| enough(b));
                met.for_each(|(&b, &n_ab)| lister.offer(item, ItemIdx::new(b), n_ab, best));
                row.extend(best.sorted());
            })?;
            lists.append(&more);
        }
        lists.shrink(data.n_items());
        Ok(Self { rule, extent: data.extent(), n_events: data.n_events(), lists, counts: None, shoppers: None })
    }

    fn list(
        rule: LinkRule,
        data: &Dataset,
        counts: PairCounts,
        shoppers: Option<PairCounts>,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        let alone = counts.alone();
        let lister = Lister { alone: &alone, rule: rule.listing() };
        let enough = |a, b| shoppers.as_ref().is_none_or(|shoppers| shoppers.pair(a, b) >= rule.lists.min_shoppers);
        let lists = Neighbours::build(counts.n_items(), run, Best::default, |best, a, row| {
            best.reset(rule.lists.neighbours);
            counts.row(a).filter(|&(b, _)| enough(a, b)).for_each(|(b, n_ab)| lister.offer(a, b, n_ab, best));
            row.extend(best.sorted());
        })?;
        Ok(Self { rule, extent: data.extent(), n_events: data.n_events(), lists, counts: Some(counts), shoppers })
    }

    /// What [`fit`](Self::fit) on `delta.data()` gives, by counting only the shoppers that changed, if this was fitted
    /// by the same rule on `delta.base()` and kept its counts; by fitting otherwise.
    pub(super) fn update(&self, rule: LinkRule, delta: &Delta<'_>, run: &Run<'_>) -> Result<Self, FitError> {
        let (base, data) = (delta.base(), delta.data());
        if self.rule == rule
            && self.extent == base.extent()
            && self.n_events == base.n_events()
            && let Some(counts) = &self.counts
        {
            let patched = |counts: &PairCounts, pairs: &PairRule| {
                let old = PairCounts::of(base, delta.rows(), pairs, run)?;
                let new = PairCounts::of(data, delta.rows(), pairs, run)?;
                let needed = (counts.heap_bytes() + old.heap_bytes() + new.heap_bytes()) as u64;
                match run.memory {
                    Some(allowed) if allowed < needed => {
                        Err(FitError::Memory { model: "an update of a count of pairs", needed, allowed })
                    }
                    _ => Ok(counts.patched(&old, &new)),
                }
            };
            let shoppers = match (&self.shoppers, rule.shoppers()) {
                (Some(shoppers), Some(pairs)) => patched(shoppers, &pairs)?.map(Some),
                (None, None) => Some(None),
                _ => None,
            };
            if let (Some(counts), Some(shoppers)) = (patched(counts, &rule.pairs)?, shoppers) {
                return Ok(Self::list(rule, data, counts, shoppers, run)?);
            }
        }
        Self::fit(rule, data, run)
    }

    pub(super) fn extent(&self) -> Extent {
        self.extent
    }

    pub(super) fn lists(&self) -> &Neighbours {
        &self.lists
    }

    pub(super) fn counts(&self) -> Option<&PairCounts> {
        self.counts.as_ref()
    }

    /// How alike two items are by the lists: the stronger of both directions; 0 when neither of two lists names the
    /// other item, `None` when there are no two lists to look at.
    pub(super) fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        let listed = !self.lists.of(a).is_empty() && !self.lists.of(b).is_empty();
        if a == b {
            return listed.then_some(1.0);
        }
        let both = [self.lists.weight(a, b), self.lists.weight(b, a)];
        let strongest = both.into_iter().flatten().reduce(f32::max).or_else(|| listed.then_some(0.0))?;
        Some(self.rule.lists.weight.likeness(strongest))
    }

    pub(super) fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("neighbour lists", self.lists.heap_bytes())
            .with("pair counts", self.counts.iter().chain(&self.shoppers).map(PairCounts::heap_bytes).sum())
    }
}

crate::persist::portable_value!(Retain);
crate::persist::portable!(ListRule { weight, shrinkage, min_support, min_shoppers, min_lift, neighbours });
crate::persist::portable!(LinkRule { pairs, lists, retain });
crate::persist::portable!(Link { rule, extent, n_events, lists, counts, shoppers }
    "a neighbour beyond its items" => |m| m.lists.is_within(m.extent.n_items));
