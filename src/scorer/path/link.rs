//! From sums to each item's heaviest successors, and what a fit keeps of both.

use super::sums::{PairRule, PairSums};
use crate::dataset::{Dataset, Delta, Extent, MemoryReport};
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::top_k::top_k;
use crate::run::{Cancelled, Run};
use crate::scorer::Scored;
use crate::scorer::cooccur::Retain;
use crate::scorer::neighbours::Neighbours;

/// How sums become weights: `s / (count(a)^source count(b)^target)`, where `s` is the sum, shrunk to
/// `sum^2 / (sum + shrinkage)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct ListRule {
    pub(in crate::scorer) source_exponent: f32,
    pub(in crate::scorer) target_exponent: f32,
    pub(in crate::scorer) shrinkage: f32,
    pub(in crate::scorer) neighbours: usize,
    /// Added to what an item says about itself, kept beside the others.
    pub(in crate::scorer) self_weight: f32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct LinkRule {
    pub(in crate::scorer) pairs: PairRule,
    pub(in crate::scorer) lists: ListRule,
    pub(in crate::scorer) retain: Retain,
}

/// Successor lists, fitted: what every scorer of the family is made of.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::scorer) struct PathLink {
    rule: LinkRule,
    extent: Extent,
    n_events: usize,
    lists: Neighbours,
    sums: Option<PairSums>,
}

impl PathLink {
    pub(in crate::scorer) fn fit(rule: LinkRule, data: &Dataset, run: &Run<'_>) -> Result<Self, Cancelled> {
        let rows: Vec<UserIdx> = (0..data.n_rows() as u32).map(UserIdx::new).collect();
        let sums = PairSums::of(data, &rows, &rule.pairs, run)?;
        let weigher = ListWeigher::new(rule.lists, &sums);
        let lists = Neighbours::build(sums.n_items(), run, || (), |(), item, row| weigher.list(&sums, item, row))?;
        Ok(Self::new(rule, data, lists, sums))
    }

    /// What [`fit`](Self::fit) on `delta.data()` gives, by summing only the shoppers that changed and listing only the
    /// items they touched or that lead to such, if this was fitted by the same rule on `delta.base()` and kept its sums;
    /// by fitting otherwise.
    pub(in crate::scorer) fn update(
        &self,
        rule: LinkRule,
        delta: &Delta<'_>,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        let (base, data) = (delta.base(), delta.data());
        if self.rule == rule
            && self.extent == base.extent()
            && self.n_events == base.n_events()
            && let Some(sums) = &self.sums
        {
            let old = PairSums::of(base, delta.rows(), &rule.pairs, run)?;
            let new = PairSums::of(data, delta.rows(), &rule.pairs, run)?;
            if let Some(sums) = sums.patched(&old, &new) {
                let (stale, weigher) = (sums.stale(&old, &new), ListWeigher::new(rule.lists, &sums));
                let list = |(): &mut (), item: ItemIdx, row: &mut Vec<Scored>| {
                    if stale[item.as_usize()] {
                        weigher.list(&sums, item, row);
                    } else {
                        row.extend_from_slice(self.lists.of(item));
                    }
                };
                let lists = Neighbours::build(sums.n_items(), run, || (), list)?;
                return Ok(Self::new(rule, data, lists, sums));
            }
        }
        Self::fit(rule, data, run)
    }

    fn new(rule: LinkRule, data: &Dataset, lists: Neighbours, sums: PairSums) -> Self {
        let sums = (rule.retain == Retain::Counts).then_some(sums);
        Self { rule, extent: data.extent(), n_events: data.n_events(), lists, sums }
    }

    pub(in crate::scorer) fn extent(&self) -> Extent {
        self.extent
    }

    pub(in crate::scorer) fn lists(&self) -> &Neighbours {
        &self.lists
    }

    pub(in crate::scorer) fn sums(&self) -> Option<&PairSums> {
        self.sums.as_ref()
    }

    pub(in crate::scorer) fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("successor lists", self.lists.heap_bytes())
            .with("pair sums", self.sums.as_ref().map_or(0, PairSums::heap_bytes))
    }
}

/// [`ListRule`] with the powers of all counts.
struct ListWeigher {
    rule: ListRule,
    source: Vec<f64>,
    target: Vec<f64>,
}

impl ListWeigher {
    fn new(rule: ListRule, sums: &PairSums) -> Self {
        let powers = |exponent: f32| -> Vec<f64> {
            let power = |item| f64::from(sums.count(item).max(1)).powf(-f64::from(exponent));
            (0..sums.n_items()).map(power).collect()
        };
        Self { rule, source: powers(rule.source_exponent), target: powers(rule.target_exponent) }
    }

    fn list(&self, sums: &PairSums, item: ItemIdx, row: &mut Vec<Scored>) {
        let (a, shrinkage) = (item.as_usize(), f64::from(self.rule.shrinkage));
        row.extend(sums.row(a).filter_map(|(b, sum)| {
            let weight = sum * (sum / (sum + shrinkage)) * self.source[a] * self.target[b.as_usize()];
            let score = weight as f32;
            (score > 0.0).then_some(Scored { item: b, score })
        }));
        top_k(row, self.rule.neighbours, Scored::order);
        if self.rule.self_weight > 0.0 && sums.count(a) > 0 {
            match row.iter_mut().find(|near| near.item == item) {
                Some(own) => own.score += self.rule.self_weight,
                None => row.push(Scored { item, score: self.rule.self_weight }),
            }
            row.sort_unstable_by(Scored::order);
        }
    }
}

crate::persist::portable!(ListRule { source_exponent, target_exponent, shrinkage, neighbours, self_weight });
crate::persist::portable!(LinkRule { pairs, lists, retain });
crate::persist::portable!(PathLink { rule, extent, n_events, lists, sums }
    "a neighbour beyond its items" => |m| m.lists.is_within(m.extent.n_items));
