//! Is a predicted .3 really three in ten? Maps from predicted to true probabilities, learned on rows the model has
//! not seen.
//!
//! [`Platt`] has two numbers and asks for hundreds of rows; [`Isotonic`] takes any rising shape and asks for
//! thousands. Learn them on a period after the one the model was fitted on and before the one it is judged on.

use serde::Serialize;

use super::PredictError;
use super::quality::check;
use crate::Estimated;
use crate::math::solve::Symmetric;
use crate::math::special::{logistic, soft_plus};

/// The log-odds, with 0 and 1 taken for one in 10^13.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-13, 1.0 - 1e-13);
    (p / (1.0 - p)).ln()
}

/// Log-odds stretched and shifted: `logistic(slope x log-odds + shift)`.
///
/// Platt 1999, "Probabilistic outputs for support vector machines", with the targets and the safeguarded Newton of
/// Lin, Lin & Weng 2007 ("A note on Platt's probabilistic outputs", Machine Learning 68): targets a little inside 0
/// and 1 keep it finite for any labels, all the same ones included. A slope below 1 says that the model was too sure
/// of itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Platt {
    slope: f64,
    shift: f64,
    slope_error: f64,
}

impl Platt {
    /// Learns from predicted probabilities and what came.
    ///
    /// # Errors
    /// [`PredictError::Lengths`], [`PredictError::TooFew`] without rows, [`PredictError::Row`] for a probability
    /// outside 0 to 1 or a label above 1.
    pub fn fit(probabilities: &[f64], labels: &[u8]) -> Result<Self, PredictError> {
        check(probabilities, labels)?;
        let yes = labels.iter().filter(|&&l| l == 1).count() as f64;
        let no = labels.len() as f64 - yes;
        let (high, low) = ((yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0));
        let rows: Vec<(f64, f64)> =
            probabilities.iter().zip(labels).map(|(&p, &l)| (log_odds(p), if l == 1 { high } else { low })).collect();
        let cost = |a: f64, b: f64| rows.iter().map(|(f, t)| soft_plus(a * f + b) - t * (a * f + b)).sum::<f64>();
        let (mut a, mut b) = (0.0, ((yes + 1.0) / (no + 1.0)).ln());
        let mut now = cost(a, b);
        let mut slope_error = f64::NAN;
        for _ in 0..100 {
            let (mut slope, mut bend) = ([0.0; 2], Symmetric::zero(2));
            for (f, t) in &rows {
                let p = logistic(a * f + b);
                let (off, spread) = (p - t, p * (1.0 - p));
                slope[0] += off * f;
                slope[1] += off;
                bend.add(0, 0, spread * f * f);
                bend.add(1, 0, spread * f);
                bend.add(1, 1, spread);
            }
            slope_error = bend.inverse().map_or(f64::NAN, |inverse| inverse.get(0, 0).sqrt());
            // Predictions that are all alike have no slope to learn: the small addition keeps it at 0.
            bend.add(0, 0, 1e-10);
            bend.add(1, 1, 1e-10);
            let Some(step) = bend.factor().map(|factor| factor.solve(&slope)) else { break };
            let tried = (0..30).map(|k| 0.5_f64.powi(k)).find_map(|length| {
                let next = (a - length * step[0], b - length * step[1]);
                let there = cost(next.0, next.1);
                (there < now).then_some((next, there))
            });
            let Some((next, there)) = tried else { break };
            let done = now - there <= 1e-13 * now.abs();
            ((a, b), now) = (next, there);
            if done {
                break;
            }
        }
        Ok(Self { slope: a, shift: b, slope_error })
    }

    /// The calibrated probability.
    #[must_use]
    pub fn probability(&self, predicted: f64) -> f64 {
        logistic(self.slope * log_odds(predicted) + self.shift)
    }

    /// The slope with its interval (normal, of level .95): 1 is right, below 1 too sure, above 1 not sure enough.
    #[must_use]
    pub fn slope(&self) -> Estimated {
        Estimated::normal(self.slope, self.slope_error, 0.95)
    }

    /// The shift of the log-odds: above 0 where too little was predicted.
    #[must_use]
    pub const fn shift(&self) -> f64 {
        self.shift
    }
}

/// The rising steps nearest to what came: pool adjacent violators (Zadrozny & Elkan 2002; Ayer et al. 1955), straight
/// between the middles of the steps. No step is below `1 / (rows + 2)` or above one less that, so that no log loss is
/// infinite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Isotonic {
    /// The mean prediction and the share of yes of each step, both rising.
    steps: Vec<(f64, f64)>,
    rows: usize,
}

impl Isotonic {
    /// Learns from predicted probabilities and what came. `O(rows log rows)`.
    ///
    /// # Errors
    /// As [`Platt::fit`].
    pub fn fit(probabilities: &[f64], labels: &[u8]) -> Result<Self, PredictError> {
        check(probabilities, labels)?;
        let mut rows: Vec<(f64, f64)> = probabilities.iter().zip(labels).map(|(&p, &l)| (p, f64::from(l))).collect();
        rows.sort_by(|x, y| x.0.total_cmp(&y.0));
        // Sum of predictions, sum of labels, rows of each step; equal predictions are one from the start.
        let mut steps: Vec<(f64, f64, f64)> = Vec::new();
        for same in rows.chunk_by(|x, y| x.0 == y.0) {
            let n = same.len() as f64;
            let mut step = (same[0].0 * n, same.iter().map(|row| row.1).sum::<f64>(), n);
            while let Some(before) = steps.pop_if(|before| before.1 * step.2 >= step.1 * before.2) {
                step = (before.0 + step.0, before.1 + step.1, before.2 + step.2);
            }
            steps.push(step);
        }
        let least = 1.0 / (rows.len() as f64 + 2.0);
        let share = |(predicted, yes, n): (f64, f64, f64)| (predicted / n, (yes / n).clamp(least, 1.0 - least));
        Ok(Self { steps: steps.into_iter().map(share).collect(), rows: rows.len() })
    }

    /// The calibrated probability.
    #[must_use]
    pub fn probability(&self, predicted: f64) -> f64 {
        let place = self.steps.partition_point(|step| step.0 <= predicted);
        let (before, after) = (place.checked_sub(1).and_then(|p| self.steps.get(p)), self.steps.get(place));
        match (before, after) {
            (Some(a), Some(b)) => a.1 + (b.1 - a.1) * (predicted - a.0) / (b.0 - a.0),
            (Some(end), None) | (None, Some(end)) => end.1,
            (None, None) => predicted,
        }
    }

    /// Mean prediction and share of yes of each step, both rising: few steps are a coarse map.
    #[must_use]
    pub fn steps(&self) -> &[(f64, f64)] {
        &self.steps
    }
}
