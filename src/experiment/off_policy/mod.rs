//! What another policy would have earned, from the log of the one that ran.
//!
//! **When:** a policy should be judged before shoppers meet it, and the log says with which probability each choice was
//! made ([`decide::content`](crate::decide::content) logs it). **When not:** when the new policy shows things the old one
//! never did: no estimator can know them. [`Estimates::effective`] tells how many rows the answer rests on.
//!
//! With `r` the reward, `p` the logged propensity, `π` what the evaluated policy gives the logged action, `w = π / p`,
//! `q` a model's reward of the logged action and `v = Σ_a π(a) q(a)`, all means over rows:
//!
//! | estimator | formula | paper | right when |
//! |---|---|---|---|
//! | [`Estimator::Ips`] | `w r` | Horvitz & Thompson 1952, JASA | propensities are right; wild where `w` is large |
//! | [`Estimator::ClippedIps`] | `min(w, M) r` | Ionides 2008, JCGS | tamed; too low |
//! | [`Estimator::SelfNormalised`] | `Σ w r / Σ w` | Swaminathan & Joachims 2015, NIPS | the first choice without a model |
//! | [`Estimator::Direct`] | `v` | | the model is right |
//! | [`Estimator::DoublyRobust`] | `v + w (r − q)` | Dudík, Langford & Li 2011, ICML | either is right |
//! | [`Estimator::SelfNormalisedDoublyRobust`] | `v + Σ w (r − q) / Σ w` | Thomas & Brunskill 2016, ICML | the first choice with a model |
//! | [`Estimator::SwitchDoublyRobust`] | `v + [w <= T] w (r − q)` | Wang, Agarwal & Dudík 2017, ICML | few huge `w` |
//! | [`Estimator::Replay`] | mean `r` of accepted rows | Li, Chu, Langford & Wang 2011, WSDM | plain to explain; wastes rows |
//!
//! Replay accepts a row with probability `w / max w` (rejection sampling), which is "the policies chose the same" on a
//! uniform log and a deterministic policy, and is right for any other pair too.

mod reward_model;

pub use reward_model::{RewardModel, RewardModelError, RewardModelParams, cross_fitted};

use serde::{Deserialize, Serialize};

use crate::kernel::rng::SplitMix64;
use crate::math::special::quantile;
use crate::{Cancelled, Checked, ParamError, ParamSpec, Run, Validate, check_range};

/// One row of the log, seen by the evaluated policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// What the choice earned.
    pub reward: f64,
    /// The probability with which it was chosen; above 0, at most 1.
    pub propensity: f64,
    /// The probability with which the evaluated policy chooses it here; 0 to 1.
    pub target: f64,
    /// A model's reward of it; 0 without a model.
    #[serde(default)]
    pub modelled: f64,
    /// The model's reward of the evaluated policy here, `Σ_a π(a) q(a)`; 0 without a model.
    #[serde(default)]
    pub value: f64,
}

/// How a policy's value is estimated; the [module](self) has the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Estimator {
    /// Inverse propensity scores.
    Ips,
    /// The same with weights of at most [`OffPolicyParams::clip`].
    ClippedIps,
    /// The same, divided by the weights' sum.
    SelfNormalised,
    /// The model alone.
    Direct,
    /// The model, corrected by weighted residuals.
    DoublyRobust,
    /// The same, with self-normalised weights.
    SelfNormalisedDoublyRobust,
    /// The same as doubly robust, uncorrected where the weight is above [`OffPolicyParams::switch`].
    SwitchDoublyRobust,
    /// The rows both policies would have chosen.
    Replay,
}

impl Estimator {
    /// All of them, in the order of [`Estimates::of`].
    pub const ALL: [Self; 8] = [
        Self::Ips,
        Self::ClippedIps,
        Self::SelfNormalised,
        Self::Direct,
        Self::DoublyRobust,
        Self::SelfNormalisedDoublyRobust,
        Self::SwitchDoublyRobust,
        Self::Replay,
    ];
}

/// How a log is evaluated.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `clip` | 10 | 1e-6 to 1e12 | the largest weight of clipped IPS |
/// | `switch` | 10 | 0 to 1e12 | the largest weight switch-DR corrects with |
/// | `resamples` | 1,000 | 0 to 1,000,000 | bootstrap replicates; 0 for no intervals |
/// | `level` | 0.95 | 0.01 to 0.9999 | of the intervals |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OffPolicyParams {
    /// The largest weight of clipped IPS.
    pub clip: f64,
    /// The largest weight switch-DR corrects with.
    pub switch: f64,
    /// Bootstrap replicates.
    pub resamples: u32,
    /// Of the intervals.
    pub level: f64,
}

impl Default for OffPolicyParams {
    fn default() -> Self {
        Self { clip: 10.0, switch: 10.0, resamples: 1_000, level: 0.95 }
    }
}

impl Validate for OffPolicyParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("clip", 1e-6, 1e12, "the largest weight of clipped IPS"),
            ParamSpec::real("switch", 0.0, 1e12, "the largest weight switch-DR corrects with"),
            ParamSpec::int("resamples", 0, 1_000_000, "bootstrap replicates"),
            ParamSpec::real("level", 0.01, 0.9999, "of the intervals"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("clip", self.clip)?;
        check_range::<Self>("switch", self.switch)?;
        check_range::<Self>("resamples", self.resamples.into())?;
        check_range::<Self>("level", self.level)
    }
}

/// One estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// How.
    pub estimator: Estimator,
    /// The value a row; `None` where nothing supports it (no weight at all, no row accepted).
    pub value: Option<f64>,
    /// The percentile bootstrap interval; `None` without replicates.
    pub interval: Option<(f64, f64)>,
    /// The standard deviation over replicates.
    pub deviation: Option<f64>,
}

/// All estimates of one policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimates {
    /// Rows.
    pub rows: usize,
    /// The effective number of rows, `(Σ w)² / Σ w²` (Kish 1965): with few, believe nothing.
    pub effective: f64,
    /// The mean weight; 1 on average if propensities and targets are right.
    pub mean_weight: f64,
    /// The largest weight.
    pub largest_weight: f64,
    /// Rows replay accepted.
    pub accepted: usize,
    /// In the order of [`Estimator::ALL`].
    pub of: Vec<Estimate>,
}

impl Estimates {
    /// The estimate of one kind.
    #[must_use]
    pub fn get(&self, estimator: Estimator) -> Option<&Estimate> {
        self.of.iter().find(|e| e.estimator == estimator)
    }
}

/// A log that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OffPolicyError {
    /// No rows.
    #[error("the log is empty; there is nothing to estimate from")]
    Empty,
    /// A choice that had no chance of being made.
    #[error("row {row} has propensity {got}; expected above 0 and at most 1, as logged with the choice")]
    Propensity {
        /// Its place in the log.
        row: usize,
        /// Its propensity.
        got: f64,
    },
    /// A target that is no probability.
    #[error("row {row} has target probability {got}; expected 0 to 1")]
    Target {
        /// Its place in the log.
        row: usize,
        /// Its target.
        got: f64,
    },
    /// A reward or model value that is not a number.
    #[error("row {row} has {what} {got}; expected a finite number")]
    Number {
        /// Its place in the log.
        row: usize,
        /// Which number.
        what: &'static str,
        /// What it was.
        got: f64,
    },
    /// The caller ended it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// What the sums of a resample consist of, a row.
const COLUMNS: usize = 9;

/// The estimators as functions of the sums over `n` rows.
fn from_sums(sums: &[f64; COLUMNS], n: f64) -> [Option<f64>; 8] {
    let [wr, clipped, w, v, wres, switched, accepted, accepted_r, _] = *sums;
    let over = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    [
        Some(wr / n),
        Some(clipped / n),
        over(wr, w),
        Some(v / n),
        Some((v + wres) / n),
        over(wres, w).map(|correction| v / n + correction),
        Some((v + switched) / n),
        over(accepted_r, accepted),
    ]
}

/// Estimates the evaluated policy's reward a row in every way at once.
///
/// Replay's coins and the bootstrap come from `run.seed`; everything else is deterministic. `O(rows × (1 + resamples))`,
/// the same for any number of threads.
///
/// # Errors
/// [`OffPolicyError`] names the first row that cannot be right: a propensity of 0 (the choice could not have been made), a
/// target that is no probability, a number that is none.
///
/// # Example
/// ```
/// use likewise::{Run, Validate};
/// use likewise::experiment::off_policy::{Estimator, Logged, OffPolicyParams, evaluate};
/// // Two banners shown by a coin; the new policy shows the second, which is clicked more, nine times of ten.
/// let log: Vec<Logged> = (0..1_000)
///     .map(|i| {
///         let (second, clicked) = (i % 2 == 1, i % 20 < 3);
///         let target = if second { 0.9 } else { 0.1 };
///         let reward = f64::from(u8::from(second && clicked));
///         Logged { reward, propensity: 0.5, target, modelled: 0.0, value: 0.0 }
///     })
///     .collect();
/// let found = evaluate(&log, &OffPolicyParams::default().check()?, &Run::new(1))?;
/// let snips = found.get(Estimator::SelfNormalised).unwrap().value.unwrap();
/// assert!((snips - 0.09).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn evaluate(log: &[Logged], params: &Checked<OffPolicyParams>, run: &Run<'_>) -> Result<Estimates, OffPolicyError> {
    check(log)?;
    let largest = log.iter().map(|row| row.target / row.propensity).fold(0.0, f64::max);
    let table: Vec<[f64; COLUMNS]> = (log.iter().enumerate())
        .map(|(number, row)| {
            let w = row.target / row.propensity;
            let residual = w * (row.reward - row.modelled);
            let coin = (SplitMix64::stream(run.seed ^ 0x7265_706c_6179, number as u64).next() >> 11) as f64
                / (1u64 << 53) as f64;
            let accepted = f64::from(u8::from(w > 0.0 && coin * largest < w));
            let switched = if w <= params.switch { residual } else { 0.0 };
            let clipped = w.min(params.clip) * row.reward;
            [w * row.reward, clipped, w, row.value, residual, switched, accepted, accepted * row.reward, w * w]
        })
        .collect();
    let n = table.len();
    let add = |sums: &mut [f64; COLUMNS], row: &[f64; COLUMNS]| sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
    let mut sums = [0.0; COLUMNS];
    table.iter().for_each(|row| add(&mut sums, row));
    let values = from_sums(&sums, n as f64);
    let drawn = run.threads.map(params.resamples as usize, |replicate| {
        run.step(replicate as u64, params.resamples.into(), None)?;
        let mut rng = SplitMix64::stream(run.seed, replicate as u64);
        let mut sums = [0.0; COLUMNS];
        for _ in 0..n {
            if let Some(row) = table.get(rng.below(n)) {
                add(&mut sums, row);
            }
        }
        Ok(from_sums(&sums, n as f64))
    });
    let drawn = drawn.into_iter().collect::<Result<Vec<_>, Cancelled>>()?;
    let tail = (1.0 - params.level) / 2.0;
    let estimate = |(place, estimator): (usize, Estimator)| {
        let mut of: Vec<f64> = drawn.iter().filter_map(|values| values.get(place).copied().flatten()).collect();
        of.sort_unstable_by(f64::total_cmp);
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        let square = of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (of.len() as f64 - 1.0);
        Estimate {
            estimator,
            value: values.get(place).copied().flatten(),
            interval: (!of.is_empty()).then(|| (quantile(&of, tail), quantile(&of, 1.0 - tail))),
            deviation: (of.len() > 1).then(|| square.sqrt()),
        }
    };
    let [_, _, w, _, _, _, accepted, _, square] = sums;
    Ok(Estimates {
        rows: n,
        effective: if square > 0.0 { w * w / square } else { 0.0 },
        mean_weight: w / n as f64,
        largest_weight: largest,
        accepted: accepted as usize,
        of: Estimator::ALL.into_iter().enumerate().map(estimate).collect(),
    })
}

fn check(log: &[Logged]) -> Result<(), OffPolicyError> {
    if log.is_empty() {
        return Err(OffPolicyError::Empty);
    }
    for (row, logged) in log.iter().enumerate() {
        if !(logged.propensity > 0.0 && logged.propensity <= 1.0) {
            return Err(OffPolicyError::Propensity { row, got: logged.propensity });
        }
        if !(0.0..=1.0).contains(&logged.target) {
            return Err(OffPolicyError::Target { row, got: logged.target });
        }
        let numbers = [("reward", logged.reward), ("modelled", logged.modelled), ("value", logged.value)];
        if let Some((what, got)) = numbers.into_iter().find(|(_, v)| !v.is_finite()) {
            return Err(OffPolicyError::Number { row, what, got });
        }
    }
    Ok(())
}
