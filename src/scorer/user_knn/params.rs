//! The recipe of shopper neighbours.

use serde::{Deserialize, Serialize};

use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::ReasonCode;
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::item_knn::Similarity;
use crate::scorer::pairs::Own;
use crate::scorer::vote::{Strength, VoteDecay};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`UserKnn`](super::UserKnn).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `user_knn` | not empty | the scorer's name |
/// | `kinds` | interest | at least one kind | the touches that make pairs, and those of the shopper that count |
/// | `pairs` | one | | what a (shopper, item) pair weighs, by its summed event weights |
/// | `similarity` | tf_idf | `alpha`, `b` 0 to 1, `k1` 0 to 1000 | how alike two shoppers are |
/// | `shrinkage` | 0 | 0 to 1e6 | draws shoppers with few common items towards zero |
/// | `locality` | 1 | 0.125 to 8 | power of the similarity: beyond 1 the nearest count more |
/// | `own` | kept | | whether the shopper's own row is a neighbour |
/// | `neighbours` | 1000 | 1 to 10000000 | nearest shoppers that vote |
/// | `history` | 500 | 1 to 100000 | the shopper's latest distinct items that count |
/// | `recency` | none | half-life above 0 | how an item of the shopper fades |
/// | `strength` | one | | what an item of the shopper counts |
/// | `reason` | similar taste | | what the opinion means to a shopper |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UserKnnParams {
    /// The scorer's name.
    pub name: String,
    /// The touches that make pairs, and those of the shopper that count.
    pub kinds: KindSet,
    /// What a (shopper, item) pair weighs, by the summed weight of its events.
    pub pairs: Strength,
    /// How alike two shoppers are by their items. In its formulas shoppers and items change places: `idf` is an item's.
    pub similarity: Similarity,
    /// A similarity by `n` common items counts `n / (n + shrinkage)`.
    pub shrinkage: f32,
    /// The similarity is raised to this power, after shrinking.
    pub locality: f32,
    /// Whether the shopper's own row is a neighbour. It speaks for nothing but what they have touched already, so it
    /// matters only where that may be recommended again.
    pub own: Own,
    /// Nearest shoppers that vote, `1..=10_000_000`.
    pub neighbours: usize,
    /// The shopper's latest distinct items that count, the item of the page included; `1..=100_000`.
    pub history: usize,
    /// How an item of the shopper fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What an item of the shopper counts.
    pub strength: Strength,
    /// What the opinion means to a shopper.
    pub reason: ReasonCode,
}

impl Default for UserKnnParams {
    fn default() -> Self {
        Self {
            name: "user_knn".to_owned(),
            kinds: KindSet::INTEREST,
            pairs: Strength::One,
            similarity: Similarity::TfIdf,
            shrinkage: 0.0,
            locality: 1.0,
            own: Own::Kept,
            neighbours: 1_000,
            history: 500,
            recency: None,
            strength: Strength::One,
            reason: ReasonCode::SimilarTaste,
        }
    }
}

impl Validate for UserKnnParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("pairs", "one, weight or log", "what a (shopper, item) pair weighs"),
            ParamSpec::typed("similarity", Similarity::ALLOWED, "how alike two shoppers are"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "draws shoppers with few common items towards zero"),
            ParamSpec::real("locality", 0.125, 8.0, "power of the similarity"),
            ParamSpec::typed("own", "dropped or kept", "whether the shopper's own row is a neighbour"),
            ParamSpec::int("neighbours", 1, 10_000_000, "nearest shoppers that vote"),
            ParamSpec::int("history", 1, 100_000, "latest distinct items of the shopper that count"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how an item of the shopper fades"),
            ParamSpec::typed("strength", "one, weight or log", "what an item of the shopper counts"),
            ParamSpec::typed("reason", "any code", "what the opinion means to a shopper"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        self.similarity.validate("similarity")?;
        check_range::<Self>("shrinkage", self.shrinkage.into())?;
        check_range::<Self>("locality", self.locality.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for UserKnnParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("similarity", Over::OneOf(Similarity::CHOICES)),
            Axis::new("similarity.asymmetric_cosine.alpha", Over::Real { lo: 0.1, hi: 0.9 }),
            Axis::new("similarity.bm25.k1", Over::Log { lo: 0.1, hi: 100.0 }),
            Axis::new("similarity.bm25.b", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("neighbours", Over::LogInt { lo: 50, hi: 10_000 }),
            Axis::new("shrinkage", Over::Log { lo: 0.1, hi: 100.0 }),
            Axis::new("locality", Over::Real { lo: 0.5, hi: 3.0 }),
            Axis::new("recency", Over::OneOf(&["null", "{\"positions\":{\"half_life\":10.0}}"])),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 100.0 }),
        ];
        SPACE
    }
}
