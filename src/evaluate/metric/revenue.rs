//! Was the money found? Targets count by their value.

use super::{Judged, Metric, discount};
use crate::evaluate::case::Case;

fn value(judged: &Judged<'_>) -> Option<f64> {
    let sum: f64 = judged.case.targets().iter().map(|target| f64::from(target.value)).sum();
    (sum > 0.0 && sum.is_finite()).then_some(sum)
}

fn gains<'a>(judged: &'a Judged<'_>, k: usize) -> impl Iterator<Item = f64> + 'a {
    judged.top(k).iter().map(|&item| judged.case.value_of(item).map_or(0.0, f64::from))
}

/// The share of the targets' value among the first `k`: `Σ_{p≤k} value(p) / Σ_T value`. Undefined where the targets are
/// worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevenueRecall(pub usize);

impl Metric for RevenueRecall {
    fn name(&self) -> String {
        format!("revenue_recall@{}", self.0)
    }

    fn depth(&self, _: &Case) -> usize {
        self.0
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let all = value(judged)?;
        Some(gains(judged, self.0).sum::<f64>() / all)
    }
}

/// [`Ndcg`](super::Ndcg) whose gain is the target's value: `Σ_{p≤k} value(p) / log2(p + 1)` over that of the most valuable
/// targets first. Undefined where the targets are worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevenueNdcg(pub usize);

impl Metric for RevenueNdcg {
    fn name(&self) -> String {
        format!("revenue_ndcg@{}", self.0)
    }

    fn depth(&self, _: &Case) -> usize {
        self.0
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        value(judged)?;
        let discounted = |(place, value): (usize, f64)| value * discount(place);
        let mut best: Vec<f64> = judged.case.targets().iter().map(|target| f64::from(target.value)).collect();
        best.sort_unstable_by(|a, b| b.total_cmp(a));
        let ideal: f64 = best.into_iter().take(self.0).enumerate().map(discounted).sum();
        let gain: f64 = gains(judged, self.0).enumerate().map(discounted).sum();
        (ideal > 0.0).then_some(gain / ideal)
    }
}
