//! Is it more than what everybody knows?
//!
//! An item's popularity is the number of shoppers (rows, with a positive weight) in the data to fit on.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{Judged, Metric, n_targets};
use crate::evaluate::case::Case;
use crate::evaluate::task::Task;
use crate::ids::ItemIdx;

fn popularity(task: &Task, item: ItemIdx) -> f64 {
    task.fit_on().users_of(item).len() as f64
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let n = values.len();
    (n > 0).then(|| values.sum::<f64>() / n as f64)
}

/// Mean self-information of the first `k`: `-log2(shoppers of the item / shoppers)`, in bits (Zhou et al. 2010, PNAS
/// 107(10); Vargas & Castells 2011, RecSys). An item nobody touched counts as if one had. Undefined for an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Novelty(pub usize);

impl Metric for Novelty {
    fn name(&self) -> String {
        format!("novelty@{}", self.0)
    }

    fn depth(&self, _: &Case) -> usize {
        self.0
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let shoppers = judged.task.fit_on().n_rows().max(1) as f64;
        let bits = |&item: &ItemIdx| (shoppers / popularity(judged.task, item).max(1.0)).log2();
        mean(judged.top(self.0).iter().map(bits))
    }
}

/// Mean popularity of the first `k` (ARP; Yin et al. 2012, VLDB). Undefined for an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AveragePopularity(pub usize);

impl Metric for AveragePopularity {
    fn name(&self) -> String {
        format!("average_popularity@{}", self.0)
    }

    fn depth(&self, _: &Case) -> usize {
        self.0
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        mean(judged.top(self.0).iter().map(|&item| popularity(judged.task, item)))
    }
}

/// How much more popular the first `k` are than what the shopper chose by themselves: `mean popularity of the list / mean
/// popularity of the shopper's distinct items - 1` (after Abdollahpouri et al. 2020, RecSys). 0 keeps to their taste,
/// 1 is twice as popular. Undefined without a past or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PopularityLift(pub usize);

impl Metric for PopularityLift {
    fn name(&self) -> String {
        format!("popularity_lift@{}", self.0)
    }

    fn depth(&self, _: &Case) -> usize {
        self.0
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let list = mean(judged.top(self.0).iter().map(|&item| popularity(judged.task, item)))?;
        let mut own: Vec<ItemIdx> = judged.task.touched(judged.case).collect();
        own.sort_unstable();
        own.dedup();
        let own = mean(own.iter().map(|&item| popularity(judged.task, item))).filter(|&own| own > 0.0)?;
        Some(list / own - 1.0)
    }
}

/// The share of the first `k` places that are hits a popularity list of `k` would not have had (Ge, Delgado-Battenfeld &
/// Jannach 2010, RecSys): `Σ_{p≤k} hit(p) [item not expected] / k`.
///
/// Expected are the `k` most popular items that may be recommended to this very shopper.
#[derive(Clone, Debug)]
pub struct Serendipity {
    k: usize,
    /// All items of the data to fit on, most popular first.
    popular: Arc<[ItemIdx]>,
}

impl Serendipity {
    /// At `k`, for this task and others fitted on the same data. `O(items log)`.
    #[must_use]
    pub fn new(k: usize, task: &Task) -> Self {
        let mut popular: Vec<ItemIdx> = (0..task.fit_on().n_items() as u32).map(ItemIdx::new).collect();
        popular.sort_by_key(|&item| std::cmp::Reverse(task.fit_on().users_of(item).len()));
        Self { k, popular: popular.into() }
    }
}

impl Metric for Serendipity {
    fn name(&self) -> String {
        format!("serendipity@{}", self.k)
    }

    fn depth(&self, _: &Case) -> usize {
        self.k
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        n_targets(judged).filter(|_| self.k > 0)?;
        let refused = judged.task.refused(judged.case);
        let admitted = |item: &&ItemIdx| judged.task.admits(**item, &refused);
        let expected: FxHashSet<ItemIdx> = self.popular.iter().filter(admitted).take(self.k).copied().collect();
        let surprise = |item: &&ItemIdx| judged.case.is_target(**item) && !expected.contains(*item);
        Some(judged.top(self.k).iter().filter(surprise).count() as f64 / self.k as f64)
    }
}
