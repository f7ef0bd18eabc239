//! The recipe of affinity.

use serde::{Deserialize, Serialize};

use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::attributes::{AttributeWeight, check_attributes};
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`Affinity`](super::Affinity).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `affinity` | not empty | the scorer's name |
/// | `attributes` | all categories and tags | in the catalogue, weights above 0 | whose values a shopper may come back to |
/// | `spans` | 8 | 1 to 1000 | spans of equally many items a number is cut into |
/// | `prior` | 2 | 0 to 1e6 | votes of everybody a shopper starts with |
/// | `popularity` | 1 | 0 to 2 | how much an item's share of its value's events counts: 0 for not at all, 1 for in proportion |
/// | `kinds` | interest | at least one | touches that count |
/// | `history` | 100 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | positions, half-life 5 | half-life above 0 | how a vote fades |
/// | `strength` | one | | what an item's vote counts before it fades |
///
/// # Example
/// ```
/// use likewise::{AffinityParams, AttributeWeight, Validate};
/// let brands = vec![AttributeWeight::new("brand", 1.0)];
/// assert!(AffinityParams { attributes: brands, ..AffinityParams::default() }.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffinityParams {
    /// The scorer's name.
    pub name: String,
    /// Whose values a shopper may come back to; none for every category and tag attribute, each counting 1.
    pub attributes: Vec<AttributeWeight>,
    /// Spans of equally many items a number is cut into, `1..=1000`.
    pub spans: u32,
    /// Votes, spread over the values as all events are, that a shopper starts with: how slowly they move away from
    /// everybody.
    pub prior: f32,
    /// The power of an item's share of its value's events.
    pub popularity: f32,
    /// Touches that count.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What an item's vote counts before it fades.
    pub strength: Strength,
}

impl Default for AffinityParams {
    fn default() -> Self {
        Self {
            name: "affinity".to_owned(),
            attributes: Vec::new(),
            spans: 8,
            prior: 2.0,
            popularity: 1.0,
            kinds: KindSet::INTEREST,
            history: 100,
            recency: Some(VoteDecay::Positions { half_life: 5.0 }),
            strength: Strength::One,
        }
    }
}

impl AffinityParams {
    pub(super) fn voting(&self) -> Voting {
        Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength }
    }
}

impl Validate for AffinityParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            ParamSpec::typed("attributes", "named once each, weights above 0, at most 1000000", "whose values count"),
            ParamSpec::int("spans", 1, 1000, "spans a number is cut into"),
            ParamSpec::real("prior", 0.0, 1e6, "votes of everybody a shopper starts with"),
            ParamSpec::real("popularity", 0.0, 2.0, "how much an item's share of its value's events counts"),
            KINDS,
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("strength", "one, weight or log", "what a vote counts before it fades"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_attributes(&self.attributes)?;
        check_range::<Self>("spans", self.spans.into())?;
        check_range::<Self>("prior", self.prior.into())?;
        check_range::<Self>("popularity", self.popularity.into())?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for AffinityParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("prior", Over::Log { lo: 0.1, hi: 100.0 }),
            Axis::new("popularity", Over::Real { lo: 0.0, hi: 1.5 }),
            Axis::new("history", Over::LogInt { lo: 1, hi: 300 }),
            Axis::new("recency", Over::OneOf(&["null", "{\"positions\":{\"half_life\":10}}"])),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 100.0 }),
        ];
        SPACE
    }
}
