//! The recipe of nearness in the shop's vectors.

use serde::{Deserialize, Serialize};

use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::retrieval::Retrieval;
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::tune::{Axis, Over, Tunable};

/// How a shopper's items speak together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProfileBy {
    /// By the mean of their cosines: what is near to all.
    #[default]
    Mean,
    /// By the largest: what is near to one of them, however far from the others. Costs a scan for each of them.
    Max,
}

/// Recipe for [`Embedding`](super::Embedding); the vectors come beside it, in an
/// [`EmbeddingRecipe`](super::EmbeddingRecipe).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `embedding` | not empty | the scorer's name |
/// | `profile` | mean | | how a shopper's items speak together |
/// | `kinds` | interest | at least one | touches that count |
/// | `history` | 20 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | positions, half-life 5 | half-life above 0 | how a vote fades |
/// | `strength` | one | | what an item's vote counts before it fades |
/// | `retrieval` | auto | see [`Retrieval`] | how `propose` looks for vectors; by the largest, always exactly |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingParams {
    /// The scorer's name.
    pub name: String,
    /// How a shopper's items speak together.
    pub profile: ProfileBy,
    /// Touches that count.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What an item's vote counts before it fades.
    pub strength: Strength,
    /// How [`propose`](crate::Scorer::propose) looks for vectors. With [`ProfileBy::Max`] it compares all of them, unless this
    /// is [`Retrieval::None`].
    pub retrieval: Retrieval,
}

impl Default for EmbeddingParams {
    fn default() -> Self {
        Self {
            name: "embedding".to_owned(),
            profile: ProfileBy::default(),
            kinds: KindSet::INTEREST,
            history: 20,
            recency: Some(VoteDecay::Positions { half_life: 5.0 }),
            strength: Strength::One,
            retrieval: Retrieval::Auto,
        }
    }
}

impl EmbeddingParams {
    pub(super) fn voting(&self) -> Voting {
        Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength }
    }
}

impl Validate for EmbeddingParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            ParamSpec::typed("profile", "mean or max", "how a shopper's items speak together"),
            KINDS,
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("strength", "one, weight or log", "what a vote counts before it fades"),
            ParamSpec::typed("retrieval", Retrieval::ALLOWED, "how vectors are looked for"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))?;
        self.retrieval.validate("retrieval")
    }
}

impl Tunable for EmbeddingParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("profile", Over::OneOf(&["\"mean\"", "\"max\""])),
            Axis::new("history", Over::LogInt { lo: 1, hi: 50 }),
            Axis::new("recency", Over::OneOf(&["null", "{\"positions\":{\"half_life\":5}}"])),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 50.0 }),
        ];
        SPACE
    }
}
