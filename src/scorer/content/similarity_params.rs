//! The recipe of content similarity.

use serde::{Deserialize, Serialize};

use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::attributes::{AttributeWeight, check_attributes};
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`ContentSimilarity`](super::ContentSimilarity).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `content` | not empty | the scorer's name |
/// | `attributes` | all | in the catalogue, weights above 0 | what likeness is made of; none named for every attribute, each counting 1 |
/// | `spans` | 8 | 0 to 1000 | spans of equally many items a number is cut into; 0 leaves numbers out |
/// | `idf` | 2 | 0 to 4 | how much more a rare value says: 0 for no more |
/// | `kinds` | interest | at least one | touches that count |
/// | `history` | 50 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | positions, half-life 5 | half-life above 0 | how a vote fades |
/// | `strength` | one | | what an item's vote counts before it fades |
///
/// # Example
/// ```
/// use likewise::{AttributeWeight, ContentSimilarityParams, Validate};
/// let attributes = vec![AttributeWeight::new("category", 1.0), AttributeWeight::new("title", 0.5)];
/// assert!(ContentSimilarityParams { attributes, ..ContentSimilarityParams::default() }.check().is_ok());
/// let twice = vec![AttributeWeight::new("brand", 1.0); 2];
/// let error = ContentSimilarityParams { attributes: twice, ..ContentSimilarityParams::default() }.check().unwrap_err();
/// assert_eq!(error.param, "attributes.1.attribute");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentSimilarityParams {
    /// The scorer's name.
    pub name: String,
    /// What likeness is made of; none for every attribute of the catalogue, each counting 1.
    pub attributes: Vec<AttributeWeight>,
    /// Spans of equally many items a number is cut into, `0..=1000`.
    pub spans: u32,
    /// A value of `n` of `N` items weighs `ln(1 + N/n)` to this power.
    pub idf: f32,
    /// Touches that count.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What an item's vote counts before it fades.
    pub strength: Strength,
}

impl Default for ContentSimilarityParams {
    fn default() -> Self {
        Self {
            name: "content".to_owned(),
            attributes: Vec::new(),
            spans: 8,
            idf: 2.0,
            kinds: KindSet::INTEREST,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 5.0 }),
            strength: Strength::One,
        }
    }
}

impl ContentSimilarityParams {
    pub(super) fn voting(&self) -> Voting {
        Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength }
    }
}

impl Validate for ContentSimilarityParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            ParamSpec::typed(
                "attributes",
                "named once each, weights above 0, at most 1000000",
                "what likeness is made of",
            ),
            ParamSpec::int("spans", 0, 1000, "spans a number is cut into"),
            ParamSpec::real("idf", 0.0, 4.0, "how much more a rare value says"),
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
        check_range::<Self>("idf", self.idf.into())?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for ContentSimilarityParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("idf", Over::Real { lo: 0.0, hi: 3.0 }),
            Axis::new("history", Over::LogInt { lo: 1, hi: 100 }),
            Axis::new("recency", Over::OneOf(&["null", "{\"positions\":{\"half_life\":5}}"])),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 50.0 }),
            Axis::new("strength", Over::OneOf(&["\"one\"", "\"log\"", "\"weight\""])),
        ];
        SPACE
    }
}
