//! How trees are learned.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};

/// How [`learn_trees`](super::learn_trees) goes about it.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `rounds` | 300 | 1 to 100,000 | trees at most |
/// | `patience` | 40 | 1 to 100,000 | trees without a better NDCG on the held-out lists before it stops |
/// | `leaves` | 8 | 2 to 1,024 | leaves of a tree: about how many opinions may depend on each other, and how finely |
/// | `shrinkage` | 0.05 | 0.001 to 1 | how much of a tree is taken |
/// | `least` | 50 | 1 to 10^9 | items a leaf must have |
/// | `l2` | 1 | 0 to 10^9 | what is added to the curvature of a leaf: its value is `slope / (curvature + l2)` |
/// | `share` | 0.7 | 0.01 to 1 | lists a tree sees, drawn by the seed |
/// | `bins` | 64 | 2 to 255 | steps an opinion is cut into, at its quantiles |
/// | `k` | 10 | 1 to 10,000 | the cut-off of the NDCG that is reported and stops |
/// | `reach` | 30 | 1 to 10,000 | the cut-off of the NDCG whose slope is followed: a place or two beyond the page says what might come onto it |
/// | `shape` | rising | free, rising | whether a better opinion may lower the score |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreesParams {
    /// Trees at most.
    pub rounds: u32,
    /// Trees without a better NDCG before it stops.
    pub patience: u32,
    /// Leaves of a tree.
    pub leaves: u32,
    /// How much of a tree is taken.
    pub shrinkage: f64,
    /// Items a leaf must have.
    pub least: u32,
    /// What is added to the curvature of a leaf.
    pub l2: f64,
    /// Share of the lists a tree sees.
    pub share: f64,
    /// Steps an opinion is cut into.
    pub bins: u32,
    /// The cut-off of NDCG.
    pub k: u32,
    /// The cut-off whose slope is followed.
    pub reach: u32,
    /// Whether a better opinion may lower the score.
    pub shape: Shape,
}

/// Whether a better opinion may lower the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// It may: for opinions that are not "the more the better".
    Free,
    /// A better opinion, all others the same, never lowers the score. With few lists it keeps trees from learning noise.
    #[default]
    Rising,
}

impl Default for TreesParams {
    fn default() -> Self {
        Self {
            rounds: 300,
            patience: 40,
            leaves: 8,
            shrinkage: 0.05,
            least: 50,
            l2: 1.0,
            share: 0.7,
            bins: 64,
            k: 10,
            reach: 30,
            shape: Shape::default(),
        }
    }
}

impl Validate for TreesParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("rounds", 1, 100_000, "trees at most"),
            ParamSpec::int("patience", 1, 100_000, "trees without a better NDCG"),
            ParamSpec::int("leaves", 2, 1_024, "leaves of a tree"),
            ParamSpec::real("shrinkage", 0.001, 1.0, "how much of a tree is taken"),
            ParamSpec::int("least", 1, 1_000_000_000, "items a leaf must have"),
            ParamSpec::real("l2", 0.0, 1e9, "what is added to the curvature of a leaf"),
            ParamSpec::real("share", 0.01, 1.0, "share of the lists a tree sees"),
            ParamSpec::int("bins", 2, 255, "steps an opinion is cut into"),
            ParamSpec::int("k", 1, 10_000, "the cut-off of NDCG"),
            ParamSpec::int("reach", 1, 10_000, "the cut-off whose slope is followed"),
            ParamSpec::typed("shape", "free or rising", "whether a better opinion may lower the score"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("rounds", self.rounds.into())?;
        check_range::<Self>("patience", self.patience.into())?;
        check_range::<Self>("leaves", self.leaves.into())?;
        check_range::<Self>("shrinkage", self.shrinkage)?;
        check_range::<Self>("least", self.least.into())?;
        check_range::<Self>("l2", self.l2)?;
        check_range::<Self>("share", self.share)?;
        check_range::<Self>("bins", self.bins.into())?;
        check_range::<Self>("k", self.k.into())?;
        check_range::<Self>("reach", self.reach.into())
    }
}
