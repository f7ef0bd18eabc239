//! What is believed of an arm by itself: its prior and what was seen of it.

use super::evidence::ArmEvidence;
use super::params::{Policy, Prior};
use super::standing::Law;
use crate::kernel::cholesky64;

/// What is believed of an arm, given the prior and what was seen.
pub(super) fn law(policy: Policy, prior: Prior, seen: &ArmEvidence, x: &[f64]) -> Law {
    let Prior { mean, weight } = prior;
    let n = weight + seen.weight;
    let average = (weight * mean + seen.reward) / n;
    match policy {
        Policy::EpsilonGreedy { .. } => Law::Normal { mean: average, error: 0.0 },
        Policy::ThompsonBeta => Law::Beta {
            successes: (weight * mean + seen.reward).max(1e-6),
            failures: (weight * (1.0 - mean) + seen.weight - seen.reward).max(1e-6),
        },
        Policy::ThompsonNormal { deviation } => {
            let within = if seen.weight > 0.0 { seen.square - seen.reward * seen.reward / seen.weight } else { 0.0 };
            let variance = (weight * deviation * deviation + within.max(0.0)) / n;
            Law::Normal { mean: average, error: (variance / n).sqrt() }
        }
        Policy::LinUcb { noise, .. } | Policy::LinThompson { noise } => linear(prior, seen, x, noise),
    }
}

/// Ridge regression towards `mean` everywhere: expectation and `noise × sqrt(xᵀ A⁻¹ x)`.
fn linear(prior: Prior, seen: &ArmEvidence, x: &[f64], noise: f64) -> Law {
    let dim = x.len();
    let mut a = vec![0.0; dim * dim];
    let mut sums = seen.gram.iter();
    for (i, row) in a.chunks_exact_mut(dim.max(1)).enumerate() {
        row.iter_mut().skip(i).zip(&mut sums).for_each(|(a, sum)| *a = *sum);
        row.iter_mut().skip(i).take(1).for_each(|a| *a += prior.weight);
    }
    let mut b = seen.moment.clone();
    b.resize(dim, 0.0);
    b.iter_mut().take(1).for_each(|b| *b += prior.weight * prior.mean);
    let mut y = x.to_vec();
    if cholesky64::factor(&mut a, dim).is_err() {
        // Not reached: the ridge is at least .001. The prior is what is left to say.
        return Law::Normal { mean: prior.mean, error: noise };
    }
    cholesky64::forward(&a, dim, &mut y);
    cholesky64::forward(&a, dim, &mut b);
    let dot = |v: &[f64], w: &[f64]| v.iter().zip(w).map(|(v, w)| v * w).sum::<f64>();
    Law::Normal { mean: dot(&y, &b), error: noise * dot(&y, &y).sqrt() }
}
