//! The model of the direct method: logistic regression on one-hot features of context and action, by Newton's method.
//!
//! `min_θ ½ |θ|² + C Σ log-loss` with an intercept that is not penalised, the scale in which `C` is usually stated. With
//! `d` features a step is `O(rows × set features² + d³ / 6)`; a thousand features are the limit of good sense.
//! Predictions for rows a model was fitted on flatter it, so [`cross_fitted`] predicts each fold by the others.

use serde::{Deserialize, Serialize};

use crate::kernel::cholesky64;
use crate::math::special::{logistic, soft_plus};
use crate::{Checked, ParamError, ParamSpec, Run, Validate, check_range};

/// How [`RewardModel`] is fitted.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `c` | 100 | 1e-6 to 1e9 | inverse strength of the penalty |
/// | `steps` | 50 | 1 to 1,000 | Newton steps at most |
/// | `tolerance` | 1e-10 | 1e-15 to 1 | it ends when no coefficient moves further |
/// | `folds` | 3 | 2 to 100 | of [`cross_fitted`]; row `i` is in fold `i mod folds` |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardModelParams {
    /// Inverse strength of the penalty.
    pub c: f64,
    /// Newton steps at most.
    pub steps: u32,
    /// When to end.
    pub tolerance: f64,
    /// Folds.
    pub folds: u32,
}

impl Default for RewardModelParams {
    fn default() -> Self {
        Self { c: 100.0, steps: 50, tolerance: 1e-10, folds: 3 }
    }
}

impl Validate for RewardModelParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("c", 1e-6, 1e9, "inverse strength of the penalty"),
            ParamSpec::int("steps", 1, 1_000, "Newton steps at most"),
            ParamSpec::real("tolerance", 1e-15, 1.0, "it ends when no coefficient moves further"),
            ParamSpec::int("folds", 2, 100, "of the cross-fit"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("c", self.c)?;
        check_range::<Self>("steps", self.steps.into())?;
        check_range::<Self>("tolerance", self.tolerance)?;
        check_range::<Self>("folds", self.folds.into())
    }
}

/// A fit that did not come about.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RewardModelError {
    /// A reward that is neither 0 nor 1.
    #[error("row {row} has reward {got}; the logistic model takes 0 or 1")]
    Reward {
        /// Its place.
        row: usize,
        /// The reward.
        got: f64,
    },
    /// A feature number beyond the dimension.
    #[error("row {row} sets feature {got} of {dim}; number features from 0")]
    Feature {
        /// Its place.
        row: usize,
        /// The feature.
        got: u32,
        /// Features there are.
        dim: usize,
    },
    /// Features and rewards of different length, or none.
    #[error("{features} rows of features and {rewards} rewards; expected as many of both, and at least one a fold")]
    Lengths {
        /// Rows of features.
        features: usize,
        /// Rewards.
        rewards: usize,
    },
    /// The curvature is singular beyond repair.
    #[error("the curvature of step {step} is not positive definite; lower `c`")]
    Singular {
        /// The step.
        step: u32,
    },
    /// The caller ended it.
    #[error(transparent)]
    Cancelled(#[from] crate::Cancelled),
}

/// A fitted model: an intercept and a coefficient a feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardModel {
    /// Log-odds without features.
    pub intercept: f64,
    /// Log-odds each feature adds.
    pub coefficients: Vec<f64>,
}

impl RewardModel {
    /// Fits `rewards` (0 or 1) on the features that are set in each row, of `dim` in all.
    ///
    /// # Errors
    /// [`RewardModelError`]; separable data is no error, the penalty keeps it finite.
    pub fn fit<F: AsRef<[u32]>>(
        features: &[F],
        rewards: &[f64],
        dim: usize,
        params: &Checked<RewardModelParams>,
        run: &Run<'_>,
    ) -> Result<Self, RewardModelError> {
        check(features, rewards, dim)?;
        let rows: Vec<(&[u32], f64)> = features.iter().map(AsRef::as_ref).zip(rewards.iter().copied()).collect();
        Self::newton(&rows, dim, params, run)
    }

    fn newton(
        rows: &[(&[u32], f64)],
        dim: usize,
        params: &RewardModelParams,
        run: &Run<'_>,
    ) -> Result<Self, RewardModelError> {
        let size = dim + 1; // the intercept stands last
        let mean = rows.iter().map(|(_, r)| r).sum::<f64>() / rows.len() as f64;
        let start = mean.clamp(1e-6, 1.0 - 1e-6);
        let mut model = Self { intercept: (start / (1.0 - start)).ln(), coefficients: vec![0.0; dim] };
        let mut loss = model.loss(rows, params.c);
        for step in 0..params.steps {
            run.step(step.into(), params.steps.into(), Some(loss))?;
            let (mut curve, mut slope) = (vec![0.0; size * size], vec![0.0; size]);
            for (at, (slope, theta)) in slope.iter_mut().zip(&model.coefficients).enumerate() {
                *slope = *theta;
                curve[at * size + at] = 1.0;
            }
            for (set, reward) in rows {
                let p = model.predict(set);
                let (off, weight) = (params.c * (p - reward), params.c * p * (1.0 - p));
                let with_intercept = || set.iter().map(|f| *f as usize).chain([dim]);
                for i in with_intercept() {
                    slope[i] += off;
                    for j in with_intercept().filter(|j| *j >= i) {
                        curve[i * size + j] += weight;
                    }
                }
            }
            // A row without reward at all lets the intercept's curvature vanish; this much keeps it solvable.
            curve[size * size - 1] += 1e-12;
            cholesky64::factor(&mut curve, size).map_err(|_| RewardModelError::Singular { step })?;
            cholesky64::solve(&curve, size, &mut slope);
            let mut scale = 1.0;
            let (next, better) = loop {
                let moved = |theta: f64, by: f64| theta - scale * by;
                let next = Self {
                    intercept: moved(model.intercept, slope[dim]),
                    coefficients: model.coefficients.iter().zip(&slope).map(|(t, by)| moved(*t, *by)).collect(),
                };
                let better = next.loss(rows, params.c);
                if better <= loss || scale < 1e-6 {
                    break (next, better);
                }
                scale /= 2.0;
            };
            let moved = slope.iter().map(|by| (scale * by).abs()).fold(0.0, f64::max);
            if better <= loss {
                (model, loss) = (next, better);
            }
            if moved <= params.tolerance || scale < 1e-6 {
                break;
            }
        }
        Ok(model)
    }

    fn loss(&self, rows: &[(&[u32], f64)], c: f64) -> f64 {
        let size: f64 = self.coefficients.iter().map(|t| t * t).sum();
        let fit: f64 = rows.iter().map(|(set, r)| soft_plus(self.log_odds(set)) - r * self.log_odds(set)).sum();
        0.5 * size + c * fit
    }

    fn log_odds(&self, set: &[u32]) -> f64 {
        self.intercept + set.iter().filter_map(|f| self.coefficients.get(*f as usize)).sum::<f64>()
    }

    /// The expected reward with these features set; unknown features count nothing.
    #[must_use]
    pub fn predict(&self, set: &[u32]) -> f64 {
        logistic(self.log_odds(set))
    }
}

fn check<F: AsRef<[u32]>>(features: &[F], rewards: &[f64], dim: usize) -> Result<(), RewardModelError> {
    if features.len() != rewards.len() || features.is_empty() {
        return Err(RewardModelError::Lengths { features: features.len(), rewards: rewards.len() });
    }
    for (row, (set, &got)) in features.iter().zip(rewards).enumerate() {
        if got != 0.0 && got != 1.0 {
            return Err(RewardModelError::Reward { row, got });
        }
        if let Some(&got) = set.as_ref().iter().find(|f| **f as usize >= dim) {
            return Err(RewardModelError::Feature { row, got, dim });
        }
    }
    Ok(())
}

/// One model a fold, fitted on all other folds: use `models[row % folds]` for `row`.
///
/// # Errors
/// As [`RewardModel::fit`]; fewer rows than folds.
pub fn cross_fitted<F: AsRef<[u32]> + Sync>(
    features: &[F],
    rewards: &[f64],
    dim: usize,
    params: &Checked<RewardModelParams>,
    run: &Run<'_>,
) -> Result<Vec<RewardModel>, RewardModelError> {
    check(features, rewards, dim)?;
    let folds = params.folds as usize;
    if features.len() < folds {
        return Err(RewardModelError::Lengths { features: features.len(), rewards: rewards.len() });
    }
    let fit = |fold: usize| {
        let others = features.iter().map(AsRef::as_ref).zip(rewards.iter().copied()).enumerate();
        let rows: Vec<(&[u32], f64)> = others.filter(|(row, _)| row % folds != fold).map(|(_, row)| row).collect();
        RewardModel::newton(&rows, dim, params, run)
    };
    run.threads.map(folds, fit).into_iter().collect()
}
