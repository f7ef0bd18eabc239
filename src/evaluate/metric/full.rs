//! Metrics over the full ranking of the catalogue, and those that only look at a sample of it.

use rustc_hash::FxHashSet;

use super::{Judged, Metric, n_targets};
use crate::evaluate::case::Case;
use crate::ids::ItemIdx;
use crate::kernel::rng::SplitMix64;

/// The chance that a target stands above an item that is none, over all items that may be recommended.
///
/// `Σ_t (others below t + others level with t / 2) / (|T| × others)`. Items the system did not list are level with each
/// other below those it did; a target that may not be recommended, or that nobody knows, is below all. Undefined where
/// all items are targets. Of little use for long catalogues, where only the head of the list is seen.
///
/// Looks at the full ranking: the scorer sorts the whole catalogue for every case, about 1 ms for 40,000 items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auc;

impl Metric for Auc {
    fn name(&self) -> String {
        "auc".to_owned()
    }

    fn depth(&self, _: &Case) -> usize {
        usize::MAX
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let targets = n_targets(judged)?;
        let refused = judged.task.refused(judged.case);
        let admitted = |item: &&ItemIdx| judged.task.admits(**item, &refused);
        let mut waiting = judged.case.known_targets().iter().filter(admitted).count();
        let others = judged.task.n_admitted(&refused).checked_sub(waiting).filter(|&n| n > 0)?;
        let (mut above, mut won) = (0, 0.0);
        for &item in judged.list {
            if judged.case.is_target(item) {
                won += others.saturating_sub(above) as f64;
                waiting = waiting.saturating_sub(1);
            } else {
                above += 1;
            }
        }
        won += waiting as f64 * others.saturating_sub(above) as f64 / 2.0;
        Some(won / (targets * others as f64))
    }
}

/// A metric over the targets and a few random other items instead of the catalogue: `sampled_recall@10(100 negatives)`.
///
/// Sampled metrics are no estimate of the metric they are named after: they can order two systems the other way round
/// (Krichene & Rendle 2020, "On sampled metrics for item recommendation", KDD). They are here to compare with papers that
/// used them. Being another type with another name, they are never taken for the full metric.
///
/// The negatives are drawn without replacement from the items that may be recommended and are no targets, by seed and
/// case: every system is judged by the same ones. Costs the full ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampled<M> {
    metric: M,
    negatives: usize,
    seed: u64,
}

impl<M: Metric> Sampled<M> {
    /// `metric` over the targets and `negatives` random items.
    #[must_use]
    pub const fn new(metric: M, negatives: usize, seed: u64) -> Self {
        Self { metric, negatives, seed }
    }

    fn draw(&self, judged: &Judged<'_>) -> FxHashSet<ItemIdx> {
        let (task, case) = (judged.task, judged.case);
        let refused = task.refused(case);
        let items = (0..task.shelf().n_items() as u32).map(ItemIdx::new);
        let mut pool: Vec<ItemIdx> =
            items.filter(|&item| task.admits(item, &refused) && !case.is_target(item)).collect();
        let who = case.user.map_or(u64::MAX, |user| user.get().into());
        let parts = [case.now.millis() as u64, who].into_iter();
        let parts = parts.chain(case.known_targets().iter().map(|item| item.get().into()));
        let mut rng =
            parts.fold(SplitMix64::stream(self.seed, 0), |mut rng, part| SplitMix64::stream(rng.next(), part));
        let n = self.negatives.min(pool.len());
        for place in 0..n {
            let other = place + rng.below(pool.len() - place);
            pool.swap(place, other);
        }
        pool.truncate(n);
        pool.into_iter().collect()
    }
}

impl<M: Metric> Metric for Sampled<M> {
    fn name(&self) -> String {
        format!("sampled_{}({} negatives)", self.metric.name(), self.negatives)
    }

    fn depth(&self, _: &Case) -> usize {
        usize::MAX
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let negatives = self.draw(judged);
        let kept = |item: &ItemIdx| judged.case.is_target(*item) || negatives.contains(item);
        let list: Vec<ItemIdx> = judged.list.iter().copied().filter(kept).collect();
        self.metric.of(&Judged { list: &list, ..*judged })
    }
}
