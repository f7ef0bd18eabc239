//! How a study searches.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};

/// Where proposals come from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Sampler {
    /// Anywhere in the space, evenly. Hard to beat with many parameters that do not matter and few trials (Bergstra &
    /// Bengio, JMLR 2012), and the yardstick of the others.
    Random,
    /// Near the good trials and away from the others: a tree-structured Parzen estimator.
    Tpe(Tpe),
}

impl Default for Sampler {
    fn default() -> Self {
        Self::Tpe(Tpe::default())
    }
}

/// Settings of the tree-structured Parzen estimator (Bergstra, Bardenet, Bengio & Kégl, NIPS 2011).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tpe {
    /// Whether the axes are modelled each by itself or together.
    pub kernels: Kernels,
    /// Trials before the model is used, `1..=10_000`; until then proposals are random.
    pub startup: usize,
    /// Candidates drawn for a proposal, `1..=10_000`.
    pub candidates: usize,
    /// The share of the trials that is called good, 0.01 to 0.5.
    pub good: f64,
}

impl Default for Tpe {
    fn default() -> Self {
        Self { kernels: Kernels::Joint, startup: 8, candidates: 32, good: 0.15 }
    }
}

/// What one kernel of a Parzen estimator spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kernels {
    /// One axis, as in the paper: parameters that do not depend on each other.
    PerAxis,
    /// All axes: parameters that do (Falkner, Klein & Hutter, ICML 2018).
    #[default]
    Joint,
}

/// How much effort trials get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// All of it, each.
    #[default]
    Full,
    /// Successive halving, again and again: many trials get the least share, the best `1 / eta` of them `eta` times that,
    /// and so on to the whole (Jamieson & Talwalkar, AISTATS 2016).
    Halving {
        /// How sharply, `2..=16`.
        eta: u32,
        /// The least share, 0.0001 to 1.
        least: f64,
    },
    /// Hyperband: halvings that begin with many trials at the least share, then with fewer at larger ones, in turn: for
    /// objectives whose small shares may mislead (Li et al., JMLR 2018).
    Hyperband {
        /// How sharply, `2..=16`.
        eta: u32,
        /// The least share, 0.0001 to 1.
        least: f64,
    },
}

/// What is tried first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Start {
    /// The space's base: a search never ends below the defaults.
    #[default]
    Base,
    /// Any point.
    Anywhere,
}

/// How a [`Study`](super::Study) searches.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `sampler` | TPE | | where proposals come from |
/// | `schedule` | full | eta 2 to 16, least 0.0001 to 1 | how much effort trials get |
/// | `batch` | 4 | 1 to 1024 | proposals made before their scores are looked at: what may run in parallel |
/// | `start` | base | | what is tried first |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudyParams {
    /// Where proposals come from.
    pub sampler: Sampler,
    /// How much effort trials get.
    pub schedule: Schedule,
    /// Proposals made before their scores are looked at, `1..=1024`.
    pub batch: usize,
    /// What is tried first.
    pub start: Start,
}

impl Default for StudyParams {
    fn default() -> Self {
        Self { sampler: Sampler::default(), schedule: Schedule::default(), batch: 4, start: Start::default() }
    }
}

impl Validate for StudyParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("sampler", "random, or tpe with its settings", "where proposals come from"),
            ParamSpec::typed("schedule", "full, halving or hyperband", "how much effort trials get"),
            ParamSpec::int("batch", 1, 1024, "proposals made before their scores are looked at"),
            ParamSpec::typed("start", "base or anywhere", "what is tried first"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("batch", self.batch as f64)?;
        if let Sampler::Tpe(Tpe { startup, candidates, good, .. }) = self.sampler {
            for (field, value) in [("startup", startup), ("candidates", candidates)] {
                if !(1..=10_000).contains(&value) {
                    return Err(ParamError::new(
                        format!("sampler.tpe.{field}"),
                        value,
                        "a whole number from 1 to 10000",
                    ));
                }
            }
            if !(0.01..=0.5).contains(&good) {
                return Err(ParamError::new("sampler.tpe.good", good, "a number from 0.01 to 0.5"));
            }
        }
        match self.schedule {
            Schedule::Halving { eta, least } => shares("schedule.halving", eta, least),
            Schedule::Hyperband { eta, least } => shares("schedule.hyperband", eta, least),
            Schedule::Full => Ok(()),
        }
    }
}

fn shares(path: &str, eta: u32, least: f64) -> Result<(), ParamError> {
    if !(2..=16).contains(&eta) {
        return Err(ParamError::new(format!("{path}.eta"), eta, "a whole number from 2 to 16"));
    }
    if !(1e-4..=1.0).contains(&least) {
        return Err(ParamError::new(format!("{path}.least"), least, "a number from 0.0001 to 1"));
    }
    Ok(())
}
