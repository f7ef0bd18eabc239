//! What a search re-rank may not do: bury what the engine is sure of.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};

/// Keeps the engine's best results near the top of a re-ranked search, whatever the shopper likes.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `exact` | 1 | 0 to 1,000 | the first results of the engine that keep their places |
/// | `top` | 5 | 0 to 1,000 | the first results that may come down by at most `displacement` |
/// | `displacement` | 3 | 0 to 10,000 | how many places |
///
/// The engine's order is that of [`Request::relevance`](crate::Request::relevance) among the candidates that no filter
/// refuses, equal scores by item number; results without a score are not guarded. A guarded result takes the last place it
/// may have, marked [`Placement::Guarded`](crate::Placement::Guarded), against caps and re-ranks, as a pin would; the score
/// it shows is its own. Rules act first: a pin above a guarded result pushes it one further.
///
/// It is a deadline for each guarded result. No two share one, so that all can be kept (Jackson 1955, "Scheduling a
/// production line to minimize maximum tardiness": the earliest deadline first).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchGuard {
    /// The first results that keep their places.
    pub exact: u32,
    /// The first results that may come down a little.
    pub top: u32,
    /// By how many places.
    pub displacement: u32,
}

impl Default for SearchGuard {
    fn default() -> Self {
        Self { exact: 1, top: 5, displacement: 3 }
    }
}

impl Validate for SearchGuard {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("exact", 0, 1_000, "the engine's first results that keep their places"),
            ParamSpec::int("top", 0, 1_000, "its first results that may come down a little"),
            ParamSpec::int("displacement", 0, 10_000, "by how many places"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("exact", self.exact.into())?;
        check_range::<Self>("top", self.top.into())?;
        check_range::<Self>("displacement", self.displacement.into())
    }
}

impl SearchGuard {
    /// The last place the engine's result `rank` may have; `None` where it is not guarded.
    pub(super) fn deadline(&self, rank: usize) -> Option<usize> {
        if rank < self.exact as usize {
            Some(rank)
        } else {
            (rank < self.top as usize).then_some(rank + self.displacement as usize)
        }
    }

    /// How many of the engine's results are guarded.
    pub(super) fn guarded(&self) -> usize {
        self.exact.max(self.top) as usize
    }
}
