//! Who was shown what, and whether the shares came out as planned.
//!
//! An exposure is logged when the variant *makes a difference*, not when it is assigned: shoppers who never came to the
//! page only add noise. The shares of the first exposures must be those of the plan; if they are not (a sample-ratio
//! mismatch), something lost shoppers of one variant, and no figure of the experiment can be trusted (Fabijan et al. 2019,
//! "Diagnosing sample ratio mismatch in online controlled experiments", KDD).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::math::distribution::chi_square_tail;

/// One line of the exposure log. Plain data: keep it where events are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// When.
    pub at: Timestamp,
    /// The id that was assigned.
    pub unit: String,
    /// The experiment's name.
    pub experiment: String,
    /// The variant's name.
    pub variant: String,
}

/// The first exposures of one experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposed {
    /// Variant and instant of every unit's first exposure, by unit. Equal instants: the variant that sorts first.
    pub first: BTreeMap<String, (String, Timestamp)>,
    /// Units that met more than one variant: a changed salt, a lost cookie. They stand in `first`; leave them out of the
    /// figures if they are many.
    pub crossed: Vec<String>,
}

impl Exposed {
    /// Reads the log of `experiment`, in any order of lines: the result is the same. `O(n log n)`.
    #[must_use]
    pub fn of<'a>(log: impl IntoIterator<Item = &'a Exposure>, experiment: &str) -> Self {
        let mut first: BTreeMap<&str, (&str, Timestamp)> = BTreeMap::new();
        let mut crossed = std::collections::BTreeSet::new();
        for line in log.into_iter().filter(|line| line.experiment == experiment) {
            let held = first.entry(&line.unit).or_insert((&line.variant, line.at));
            if held.0 != line.variant {
                crossed.insert(line.unit.as_str());
            }
            if (line.at, line.variant.as_str()) < (held.1, held.0) {
                *held = (&line.variant, line.at);
            }
        }
        let first = first.into_iter().map(|(unit, (variant, at))| (unit.to_owned(), (variant.to_owned(), at)));
        Self { first: first.collect(), crossed: crossed.into_iter().map(str::to_owned).collect() }
    }

    /// How many units first met `variant`.
    #[must_use]
    pub fn count(&self, variant: &str) -> u64 {
        self.first.values().filter(|(met, _)| met == variant).count() as u64
    }
}

/// Whether counts fit their planned weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRatio {
    /// Pearson's statistic, `Σ (observed - expected)² / expected`.
    pub chi_square: f64,
    /// Variants less one.
    pub degrees: u32,
    /// The chance of counts as far off or further under the plan. Below .0005 stop and search; it is checked often, so
    /// .05 would cry wolf.
    pub p_value: f64,
}

/// Counts that cannot be checked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SampleRatioError {
    /// Not one weight a count.
    #[error("{counts} counts and {weights} weights; expected one weight a variant")]
    Lengths {
        /// Counts given.
        counts: usize,
        /// Weights given.
        weights: usize,
    },
    /// Fewer than two variants, or a weight of 0.
    #[error("a sample ratio needs at least two variants, each with a weight above 0")]
    Weights,
    /// Too few for the law to hold.
    #[error("the smallest variant expects {expected:.1} units; wait until it expects 5")]
    TooFew {
        /// Expected units of the smallest variant.
        expected: f64,
    },
}

/// Compares `observed` first exposures with planned `weights` by Pearson's chi-square test.
///
/// # Errors
/// [`SampleRatioError`] when there is nothing to compare, or a variant expects fewer than 5 units.
///
/// # Example
/// ```
/// use likewise::experiment::sample_ratio;
/// assert!(sample_ratio(&[50_050, 49_950], &[1, 1])?.p_value > 0.5);
/// assert!(sample_ratio(&[50_800, 49_200], &[1, 1])?.p_value < 0.0005);
/// # Ok::<(), likewise::experiment::SampleRatioError>(())
/// ```
pub fn sample_ratio(observed: &[u64], weights: &[u32]) -> Result<SampleRatio, SampleRatioError> {
    if observed.len() != weights.len() {
        return Err(SampleRatioError::Lengths { counts: observed.len(), weights: weights.len() });
    }
    if weights.len() < 2 || weights.contains(&0) {
        return Err(SampleRatioError::Weights);
    }
    let units: f64 = observed.iter().map(|n| *n as f64).sum();
    let weight: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let expected = |w: &u32| units * f64::from(*w) / weight;
    let smallest = weights.iter().map(expected).fold(f64::INFINITY, f64::min);
    if smallest < 5.0 {
        return Err(SampleRatioError::TooFew { expected: smallest });
    }
    let chi_square = observed.iter().zip(weights).map(|(n, w)| (*n as f64 - expected(w)).powi(2) / expected(w)).sum();
    let degrees = weights.len() as u32 - 1;
    Ok(SampleRatio { chi_square, degrees, p_value: chi_square_tail(chi_square, degrees.into()) })
}
