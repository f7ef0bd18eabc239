//! Were the items found, and how high?

use super::{Judged, Metric};

fn defined(judged: &Judged<'_>) -> Option<f64> {
    (judged.case.n_targets() > 0).then_some(judged.case.n_targets() as f64)
}

fn hits(judged: &Judged<'_>, k: usize) -> f64 {
    judged.hits(k).filter(|&hit| hit).count() as f64
}

/// The share of the targets that is among the first `k`: `hits / targets`, not divided by `min(targets, k)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall(pub usize);

impl Metric for Recall {
    fn name(&self) -> String {
        format!("recall@{}", self.0)
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        defined(judged).map(|targets| hits(judged, self.0) / targets)
    }
}

/// The share of the first `k` places that are hits; a short list does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision(pub usize);

impl Metric for Precision {
    fn name(&self) -> String {
        format!("precision@{}", self.0)
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        defined(judged).filter(|_| self.0 > 0).map(|_| hits(judged, self.0) / self.0 as f64)
    }
}

/// Whether any of the first `k` places is a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitRate(pub usize);

impl Metric for HitRate {
    fn name(&self) -> String {
        format!("hr@{}", self.0)
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        defined(judged).map(|_| f64::from(u8::from(judged.hits(self.0).any(|hit| hit))))
    }
}

/// Normalised discounted cumulative gain with gain 1 a hit: `Σ hit(p) / log2(p + 1)` over its largest possible value, that
/// of `min(targets, k)` hits at the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ndcg(pub usize);

impl Metric for Ndcg {
    fn name(&self) -> String {
        format!("ndcg@{}", self.0)
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let targets = defined(judged)?;
        let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
        let gain: f64 = judged.hits(self.0).enumerate().filter(|(_, hit)| *hit).map(|(place, _)| discount(place)).sum();
        let ideal: f64 = (0..self.0.min(targets as usize)).map(discount).sum();
        (ideal > 0.0).then_some(gain / ideal)
    }
}

/// One over the place of the first hit, 0 when it is beyond `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mrr(pub usize);

impl Metric for Mrr {
    fn name(&self) -> String {
        format!("mrr@{}", self.0)
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        defined(judged)?;
        Some(judged.hits(self.0).position(|hit| hit).map_or(0.0, |place| 1.0 / (place + 1) as f64))
    }
}
