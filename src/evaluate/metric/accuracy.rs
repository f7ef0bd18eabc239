//! Were the targets found, and how high?

use super::{Judged, Metric, discount, n_targets};
use crate::evaluate::case::Case;

fn hits(judged: &Judged<'_>, k: usize) -> f64 {
    judged.hits(k).filter(|&hit| hit).count() as f64
}

macro_rules! at {
    ($name:literal) => {
        fn name(&self) -> String {
            format!(concat!($name, "@{}"), self.0)
        }

        fn depth(&self, _: &Case) -> usize {
            self.0
        }
    };
}

/// The share of the targets among the first `k`: `Σ_{p≤k} hit(p) / |T|`, not divided by `min(|T|, k)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall(pub usize);

impl Metric for Recall {
    at!("recall");

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        n_targets(judged).map(|targets| hits(judged, self.0) / targets)
    }
}

/// The share of the first `k` places that are hits: `Σ_{p≤k} hit(p) / k`. A short list does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision(pub usize);

impl Metric for Precision {
    at!("precision");

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        n_targets(judged).filter(|_| self.0 > 0).map(|_| hits(judged, self.0) / self.0 as f64)
    }
}

/// Whether any of the first `k` places is a hit. Session papers call it P@k.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitRate(pub usize);

impl Metric for HitRate {
    at!("hr");

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        n_targets(judged).map(|_| f64::from(u8::from(judged.hits(self.0).any(|hit| hit))))
    }
}

/// Normalised discounted cumulative gain with gain 1 a hit (Järvelin & Kekäläinen 2002, TOIS 20(4)):
/// `Σ_{p≤k} hit(p) / log2(p + 1)` over its largest possible value, that of `min(|T|, k)` hits at the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ndcg(pub usize);

impl Metric for Ndcg {
    at!("ndcg");

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let targets = n_targets(judged)?;
        let gain: f64 = judged.hits(self.0).enumerate().filter(|(_, hit)| *hit).map(|(place, _)| discount(place)).sum();
        let ideal: f64 = (0..self.0.min(targets as usize)).map(discount).sum();
        (ideal > 0.0).then_some(gain / ideal)
    }
}

/// Average precision, whose mean is MAP: `Σ_{p≤k} hit(p) precision@p / min(|T|, k)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map(pub usize);

impl Metric for Map {
    at!("map");

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let most = n_targets(judged)?.min(self.0 as f64);
        let mut found = 0.0;
        let mut sum = 0.0;
        for (place, _) in judged.hits(self.0).enumerate().filter(|(_, hit)| *hit) {
            found += 1.0;
            sum += found / (place + 1) as f64;
        }
        (most > 0.0).then_some(sum / most)
    }
}

/// One over the place of the first hit, 0 when it is beyond `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mrr(pub usize);

impl Metric for Mrr {
    at!("mrr");

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        n_targets(judged)?;
        Some(judged.hits(self.0).position(|hit| hit).map_or(0.0, |place| 1.0 / (place + 1) as f64))
    }
}

/// Precision at the number of targets, where it equals recall: `Σ_{p≤|T|} hit(p) / |T|`. It looks as deep as the case has
/// targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RPrecision;

impl Metric for RPrecision {
    fn name(&self) -> String {
        "r_precision".to_owned()
    }

    fn depth(&self, case: &Case) -> usize {
        case.n_targets()
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        n_targets(judged).map(|targets| hits(judged, judged.case.n_targets()) / targets)
    }
}
