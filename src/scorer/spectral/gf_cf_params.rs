//! What a [`GfCf`](super::GfCf) is fitted with.

use serde::{Deserialize, Serialize};

use super::{check_kinds, check_name};
use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::retrieval::Retrieval;
use crate::scorer::vote::{Strength, VoteDecay};
use crate::time::Span;
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`GfCf`](super::GfCf).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `gf_cf` | not empty | the scorer's name |
/// | `factors` | 64 | 0 to 1024 | singular vectors of the low-pass filter; 0 for none |
/// | `rounds` | 6 | 1 to 100 | refinements of the decomposition |
/// | `low_pass` | 0.3 | 0 to 1e6 | α: weight of the low-pass filter |
/// | `shopper_exponent` | 0.5 | 0 to 1 | a: how much less shoppers of many items count |
/// | `from_exponent` | 0.6 | -1 to 2 | f: how much less a popular item's vote counts |
/// | `to_exponent` | 0.3 | -1 to 2 | t: how much less a popular item is given |
/// | `strength` | one | | what a pair counts in the fit, and as a vote |
/// | `half_life` | none | any span | after how long a pair counts half in the fit |
/// | `kinds` | interest | at least one kind | touches of the shopper that vote |
/// | `history` | 500 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
/// | `retrieval` | auto | see [`Retrieval`] | how `propose` looks through the low-pass filter |
///
/// With `R` the matrix of pairs, `D` and `N` the sums of its rows and columns, and `V` the leading right singular vectors
/// of `D^-½ R N^-½`, a shopper with votes `x` gives the items
///
/// ```text
/// x N^-f Rᵀ D^-2a R N^-t  +  α x N^-½ V Vᵀ N^½
/// ```
///
/// With all exponents at 0.5 it is the model of Shen et al. (the defaults rank better on the gowalla check-ins); with `a` at
/// 0.5, `f` at 1 and no low-pass filter the graph walk RP3-beta, untruncated, `t` being its beta.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GfCfParams {
    /// The scorer's name.
    pub name: String,
    /// Singular vectors of the low-pass filter, at most as many as there are items or shopper rows; 0 for no low-pass
    /// filter.
    pub factors: usize,
    /// Refinements of the decomposition, `1..=100`. Six are enough for ranking.
    pub rounds: u32,
    /// α: weight of the low-pass filter beside the linear one.
    pub low_pass: f32,
    /// a: how much less shoppers of many items count.
    pub shopper_exponent: f32,
    /// f: how much less a popular item's vote counts.
    pub from_exponent: f32,
    /// t: how much less a popular item is given.
    pub to_exponent: f32,
    /// What a pair counts in the fit, and an item of the shopper as a vote.
    pub strength: Strength,
    /// After how long a pair counts half in the fit; `None` for never.
    pub half_life: Option<Span>,
    /// Touches of the shopper that vote.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// How [`propose`](crate::Scorer::propose) looks through the low-pass filter; items that share a shopper with a voter
    /// are always looked at.
    pub retrieval: Retrieval,
}

impl Default for GfCfParams {
    fn default() -> Self {
        Self {
            name: "gf_cf".to_owned(),
            factors: 64,
            rounds: 6,
            low_pass: 0.3,
            shopper_exponent: 0.5,
            from_exponent: 0.6,
            to_exponent: 0.3,
            strength: Strength::One,
            half_life: None,
            kinds: KindSet::INTEREST,
            history: 500,
            recency: None,
            retrieval: Retrieval::Auto,
        }
    }
}

impl Validate for GfCfParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::int("factors", 0, 1024, "singular vectors of the low-pass filter"),
            ParamSpec::int("rounds", 1, 100, "refinements of the decomposition"),
            ParamSpec::real("low_pass", 0.0, 1e6, "weight of the low-pass filter"),
            ParamSpec::real("shopper_exponent", 0.0, 1.0, "how much less shoppers of many items count"),
            ParamSpec::real("from_exponent", -1.0, 2.0, "how much less a popular item's vote counts"),
            ParamSpec::real("to_exponent", -1.0, 2.0, "how much less a popular item is given"),
            ParamSpec::typed("strength", "one, weight or log", "what a pair counts"),
            ParamSpec::typed("half_life", "none, or any span", "after how long a pair counts half"),
            ParamSpec::typed("kinds", "at least one kind", "touches of the shopper that vote"),
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("retrieval", Retrieval::ALLOWED, "how items are looked for"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name(&self.name)?;
        check_range::<Self>("factors", self.factors as f64)?;
        check_range::<Self>("rounds", self.rounds.into())?;
        check_range::<Self>("low_pass", self.low_pass.into())?;
        check_range::<Self>("shopper_exponent", self.shopper_exponent.into())?;
        check_range::<Self>("from_exponent", self.from_exponent.into())?;
        check_range::<Self>("to_exponent", self.to_exponent.into())?;
        check_kinds(self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))?;
        self.retrieval.validate("retrieval")
    }
}

impl Tunable for GfCfParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("factors", Over::LogInt { lo: 16, hi: 256 }),
            Axis::new("low_pass", Over::Log { lo: 0.01, hi: 2.0 }),
            Axis::new("shopper_exponent", Over::Real { lo: 0.2, hi: 0.9 }),
            Axis::new("from_exponent", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("to_exponent", Over::Real { lo: 0.0, hi: 0.8 }),
            Axis::new("strength", Over::OneOf(&["\"one\"", "\"log\""])),
        ];
        SPACE
    }
}
