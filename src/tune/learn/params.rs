//! How weights are learned.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};

/// How [`learn`](super::learn) goes about it.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `method` | pairwise | | what is made better |
/// | `k` | 10 | 1 to 10,000 | the cut-off of NDCG, which coordinate ascent climbs and all report |
/// | `l2` | 0.001 | 0 to 10^6 | how strongly large weights are held back, for the two gradients |
/// | `rounds` | 200 | 1 to 100,000 | steps of a gradient, or rounds over all weights |
/// | `clip` | 20 | 1 to 10^9 | the most one click may count: less variance for a little bias |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnParams {
    /// What is made better.
    pub method: Method,
    /// The cut-off of NDCG.
    pub k: u32,
    /// How strongly large weights are held back.
    pub l2: f64,
    /// Steps.
    pub rounds: u32,
    /// The most one click may count.
    pub clip: f64,
}

/// What a learner makes better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// NDCG itself, one weight at a time (Metzler & Croft, "Linear feature-based models for information retrieval",
    /// Information Retrieval 2007). For few parts.
    CoordinateAscent,
    /// The chance of a click, by logistic regression with an offset; what was clicked counts `gain / propensity` for it, the
    /// rest against it. Convex.
    Logistic,
    /// The order of what was clicked and what was not (RankNet's loss: Burges et al., ICML 2005), each pair weighed by the
    /// clicked item's `gain / propensity`. Convex.
    #[default]
    Pairwise,
}

impl Default for LearnParams {
    fn default() -> Self {
        Self { method: Method::default(), k: 10, l2: 1e-3, rounds: 200, clip: 20.0 }
    }
}

impl Validate for LearnParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("method", "coordinate_ascent, logistic or pairwise", "what is made better"),
            ParamSpec::int("k", 1, 10_000, "the cut-off of NDCG"),
            ParamSpec::real("l2", 0.0, 1e6, "how strongly large weights are held back"),
            ParamSpec::int("rounds", 1, 100_000, "steps"),
            ParamSpec::real("clip", 1.0, 1e9, "the most one click may count"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("k", self.k.into())?;
        check_range::<Self>("l2", self.l2)?;
        check_range::<Self>("rounds", self.rounds.into())?;
        check_range::<Self>("clip", self.clip)
    }
}
