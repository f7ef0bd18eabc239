//! The hyper-parameters of ALS.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::retrieval::Retrieval;
use crate::tune::{Axis, Over, Tunable};

/// How the weight `r` of a (shopper, item) pair becomes confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Confidence {
    /// `t(r) = r`.
    Linear,
    /// `t(r) = log2(1 + r)`: a weight of 1 counts 1, one of 1,000 about 10. It keeps a shopper who bought the same
    /// thing a thousand times from drowning all others.
    #[default]
    Log,
}

impl Confidence {
    pub(super) fn of(self, r: f32) -> f32 {
        match self {
            Self::Linear => r,
            Self::Log => r.ln_1p() / std::f32::consts::LN_2,
        }
    }
}

/// How the least-squares problem of one row is solved in a half-step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Solver {
    /// Exactly: `O(pairs x factors² + rows x factors³)` an iteration, or `O(pairs² x factors + pairs³)` for each row that
    /// has fewer pairs than factors.
    Cholesky,
    /// By a few conjugate-gradient steps from the last iteration's solution: `O(steps x pairs x factors + rows x
    /// factors²)` an iteration. Rows so short that the exact solution costs less get that.
    ConjugateGradient {
        /// Steps a row, `1..=1024`. Two end where the exact solver ends on real data.
        steps: u32,
    },
    /// By one sweep over blocks of factors from the last iteration's solution, each solved exactly while the others are
    /// held (iALS++): `O(pairs x factors x block + rows x factors x (block² + factors))` an iteration. Rows so short
    /// that the exact solution costs less get that. For many factors where steps of conjugate gradients do not get far.
    Subspace {
        /// Factors a block, `1..=1024`; rounded up to a multiple of 16.
        block: u32,
    },
}

impl Default for Solver {
    fn default() -> Self {
        Self::ConjugateGradient { steps: 2 }
    }
}

/// What [`Als`](super::Als) minimises and how.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `factors` | 64 | 1 to 1024 | numbers a shopper and an item |
/// | `iterations` | 15 | 1 to 1000 | sweeps over items and shoppers |
/// | `alpha` | 1 | 1e-6 to 1e6 | confidence of an observed pair of transformed weight 1 |
/// | `alpha0` | 0.03 | 1e-6 to 1e6 | confidence of every pair, observed or not |
/// | `confidence` | log | linear, log | transform of a pair's weight |
/// | `regularization` | 0.003 | 1e-6 to 1e6 | λ |
/// | `frequency_exponent` | 1 | 0 to 1 | ν: how λ grows with a row's confidence |
/// | `solver` | 2 conjugate-gradient steps | steps, block 1 to 1024 | how a row is solved |
/// | `init_std` | 0.1 | 1e-6 to 1e3 | length of a starting vector, about |
/// | `retrieval` | auto | see [`Retrieval`] | how `propose` looks for items |
///
/// With `c = alpha0 + alpha * t(r)` for a pair of weight `r` and `c = alpha0` for all others, the objective is
///
/// ```text
/// Σ_observed c (1 - x·y)² + Σ_others c (x·y)² + λ Σ_rows (Σ c of the row)^ν |x|² + the same for columns
/// ```
///
/// where only items and shoppers with at least one pair count. So
///
/// * `alpha0: 1, frequency_exponent: 0` is Hu, Koren & Volinsky 2008 (`c = 1 + alpha r`);
/// * `alpha: 1`, weights of 1 and `frequency_exponent: 1` is iALS as Rendle et al. 2021 tune it, up to the scale of the
///   scores: their unobserved weight is `alpha0`, their λ is `regularization / (1 + alpha0)`.
///
/// To tune: `alpha0` first (by factors of 3; smaller for larger catalogues), then `regularization`, then `factors`.
///
/// # Example
/// ```
/// use likewise::{AlsParams, Solver, Validate};
/// let hkv = AlsParams { alpha: 40.0, alpha0: 1.0, regularization: 30.0, frequency_exponent: 0.0, ..AlsParams::default() };
/// assert!(hkv.check().is_ok());
/// let wrong = AlsParams { factors: 0, ..AlsParams::default() };
/// assert_eq!(wrong.check().unwrap_err().param, "factors");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlsParams {
    /// Numbers a shopper and an item, `1..=1024`.
    pub factors: u32,
    /// Sweeps, each a half-step over items and one over shoppers, `1..=1000`.
    pub iterations: u32,
    /// What an observed pair of transformed weight 1 counts beyond `alpha0`.
    pub alpha: f64,
    /// What every pair counts, observed or not.
    pub alpha0: f64,
    /// How a pair's weight becomes confidence.
    pub confidence: Confidence,
    /// λ: how much long vectors cost.
    pub regularization: f64,
    /// ν: 0 for the same λ everywhere, 1 for a λ proportional to the confidence of the row.
    pub frequency_exponent: f64,
    /// How a row is solved.
    pub solver: Solver,
    /// Standard deviation of a starting vector: each of its numbers has this over the root of `factors`.
    pub init_std: f64,
    /// How [`propose`](crate::Scorer::propose) looks for items.
    pub retrieval: Retrieval,
}

impl Default for AlsParams {
    fn default() -> Self {
        Self {
            factors: 64,
            iterations: 15,
            alpha: 1.0,
            alpha0: 0.03,
            confidence: Confidence::default(),
            regularization: 0.003,
            frequency_exponent: 1.0,
            solver: Solver::default(),
            init_std: 0.1,
            retrieval: Retrieval::Auto,
        }
    }
}

impl Validate for AlsParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("factors", 1, 1024, "numbers a shopper and an item"),
            ParamSpec::int("iterations", 1, 1000, "sweeps over items and shoppers"),
            ParamSpec::real("alpha", 1e-6, 1e6, "confidence of an observed pair of weight 1"),
            ParamSpec::real("alpha0", 1e-6, 1e6, "confidence of every pair"),
            ParamSpec::typed("confidence", "linear or log", "transform of a pair's weight"),
            ParamSpec::real("regularization", 1e-6, 1e6, "how much long vectors cost"),
            ParamSpec::real("frequency_exponent", 0.0, 1.0, "how that grows with a row's confidence"),
            ParamSpec::typed(
                "solver",
                "cholesky, conjugate_gradient with steps or subspace with block from 1 to 1024",
                "how a row is solved",
            ),
            ParamSpec::real("init_std", 1e-6, 1e3, "length of a starting vector"),
            ParamSpec::typed("retrieval", Retrieval::ALLOWED, "how items are looked for"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("factors", self.factors.into())?;
        check_range::<Self>("iterations", self.iterations.into())?;
        check_range::<Self>("alpha", self.alpha)?;
        check_range::<Self>("alpha0", self.alpha0)?;
        check_range::<Self>("regularization", self.regularization)?;
        check_range::<Self>("frequency_exponent", self.frequency_exponent)?;
        check_range::<Self>("init_std", self.init_std)?;
        self.retrieval.validate("retrieval")?;
        match self.solver {
            Solver::ConjugateGradient { steps } if !(1..=1024).contains(&steps) => {
                Err(ParamError::new("solver.conjugate_gradient.steps", steps, "a whole number from 1 to 1024"))
            }
            Solver::Subspace { block } if !(1..=1024).contains(&block) => {
                Err(ParamError::new("solver.subspace.block", block, "a whole number from 1 to 1024"))
            }
            _ => Ok(()),
        }
    }
}

impl Tunable for AlsParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("factors", Over::LogInt { lo: 32, hi: 256 }),
            Axis::new("iterations", Over::LogInt { lo: 8, hi: 32 }),
            Axis::new("alpha0", Over::Log { lo: 1e-3, hi: 1.0 }),
            Axis::new("confidence", Over::OneOf(&["\"log\"", "\"linear\""])),
            Axis::new("regularization", Over::Log { lo: 1e-4, hi: 0.1 }),
            Axis::new("frequency_exponent", Over::Real { lo: 0.0, hi: 1.0 }),
        ];
        SPACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_one_counts_one() {
        assert_eq!(Confidence::Log.of(1.0), 1.0);
        assert_eq!(Confidence::Linear.of(2.5), 2.5);
        assert!((Confidence::Log.of(1023.0) - 10.0).abs() < 1e-5);
        assert!(Confidence::Log.of(f32::MAX) < 129.0);
    }

    #[test]
    fn the_table_is_kept() {
        crate::testing::check_params::<AlsParams>().unwrap();
        for steps in [0, 1025] {
            let params = AlsParams { solver: Solver::ConjugateGradient { steps }, ..AlsParams::default() };
            assert_eq!(params.validate().unwrap_err().param, "solver.conjugate_gradient.steps");
            let params = AlsParams { solver: Solver::Subspace { block: steps }, ..AlsParams::default() };
            assert_eq!(params.validate().unwrap_err().param, "solver.subspace.block");
        }
    }
}
