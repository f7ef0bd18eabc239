//! The recipe of item neighbours.

use serde::{Deserialize, Serialize};

use super::similarity::Similarity;
use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::ReasonCode;
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::pairs::{ListScale, Own, PairDecay};
use crate::scorer::vote::{Strength, VoteDecay};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`ItemKnn`](super::ItemKnn).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `item_knn` | not empty | the scorer's name |
/// | `kinds` | interest | at least one kind | the touches that make pairs, and those of the shopper that vote |
/// | `pairs` | one | | what a (shopper, item) pair weighs, by its summed event weights |
/// | `similarity` | bm25, `k1` 1.2, `b` 0.25 | `alpha`, `b` 0 to 1, `k1` 0 to 1000 | how alike two items are |
/// | `shrinkage` | 0 | 0 to 1e6 | draws items met by few shoppers towards zero |
/// | `locality` | 1 | 0.125 to 8 | power of the similarity: beyond 1 the nearest count more |
/// | `decay` | none | | how a shopper's say about two items fades with time |
/// | `own` | dropped | | whether an item is its own neighbour |
/// | `neighbours` | 200 | 1 to 100000 | neighbours kept an item |
/// | `scale` | as it is | | whether all of the shopper's items have the same say |
/// | `history` | 500 | 1 to 100000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
/// | `strength` | one | | what an item's vote counts |
/// | `reason` | similar taste | | what the opinion means to a shopper |
///
/// To tune: where order is known `recency` first (half after 2 items on reviews, after 50 on a wholesaler's invoices);
/// where demand moves with the season, [`PairDecay::Age`] of about a month with short lists that
/// [sum to one](ListScale::SumToOne); then similarity and length of the lists.
///
/// The neighbours of `implicit` 0.7's `CosineRecommender(K)`, `TFIDFRecommender(K)` and `BM25Recommender(K, K1, B)` are
/// those of the same similarity with `neighbours: K, own: Own::Kept`, up to the order of equal weights.
///
/// # Example
/// ```
/// use likewise::{ItemKnnParams, Similarity, Validate};
/// let tf_idf = ItemKnnParams { similarity: Similarity::TfIdf, neighbours: 500, ..ItemKnnParams::default() };
/// assert!(tf_idf.check().is_ok());
/// let wrong = ItemKnnParams { similarity: Similarity::Bm25 { k1: 1.2, b: 2.0 }, ..ItemKnnParams::default() };
/// assert_eq!(wrong.check().unwrap_err().param, "similarity.bm25.b");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ItemKnnParams {
    /// The scorer's name.
    pub name: String,
    /// The touches that make pairs, and those of the shopper that vote.
    pub kinds: KindSet,
    /// What a (shopper, item) pair weighs, by the summed weight of its events.
    pub pairs: Strength,
    /// How alike two items are.
    pub similarity: Similarity,
    /// A similarity by `n` common shoppers counts `n / (n + shrinkage)`.
    pub shrinkage: f32,
    /// The similarity is raised to this power, after shrinking (Aiolli 2013).
    pub locality: f32,
    /// How a shopper's say about two items fades with time. The lengths of the items' vectors do not fade with it.
    pub decay: Option<PairDecay>,
    /// Whether an item is its own neighbour.
    pub own: Own,
    /// Neighbours kept an item, `1..=100_000`.
    pub neighbours: usize,
    /// Whether the weights of a list are made to sum to 1 (Deshpande & Karypis 2004).
    pub scale: ListScale,
    /// The shopper's latest distinct items that vote, the item of the page included; `1..=100_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What an item's vote counts.
    pub strength: Strength,
    /// What the opinion means to a shopper.
    pub reason: ReasonCode,
}

impl Default for ItemKnnParams {
    fn default() -> Self {
        Self {
            name: "item_knn".to_owned(),
            kinds: KindSet::INTEREST,
            pairs: Strength::One,
            similarity: Similarity::Bm25 { k1: 1.2, b: 0.25 },
            shrinkage: 0.0,
            locality: 1.0,
            decay: None,
            own: Own::Dropped,
            neighbours: 200,
            scale: ListScale::AsIs,
            history: 500,
            recency: None,
            strength: Strength::One,
            reason: ReasonCode::SimilarTaste,
        }
    }
}

impl Validate for ItemKnnParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("pairs", "one, weight or log", "what a (shopper, item) pair weighs"),
            ParamSpec::typed("similarity", Similarity::ALLOWED, "how alike two items are"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "draws items met by few shoppers towards zero"),
            ParamSpec::real("locality", 0.125, 8.0, "power of the similarity"),
            ParamSpec::typed("decay", "none, or distance or age", "how a say about two items fades with time"),
            ParamSpec::typed("own", "dropped or kept", "whether an item is its own neighbour"),
            ParamSpec::int("neighbours", 1, 100_000, "neighbours kept an item"),
            ParamSpec::typed("scale", "as_is or sum_to_one", "whether all of the shopper's items have the same say"),
            ParamSpec::int("history", 1, 100_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("strength", "one, weight or log", "what an item's vote counts"),
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

impl Tunable for ItemKnnParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("similarity", Over::OneOf(Similarity::CHOICES)),
            Axis::new("similarity.asymmetric_cosine.alpha", Over::Real { lo: 0.1, hi: 0.9 }),
            Axis::new("similarity.bm25.k1", Over::Log { lo: 0.1, hi: 100.0 }),
            Axis::new("similarity.bm25.b", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("neighbours", Over::LogInt { lo: 20, hi: 1000 }),
            Axis::new("shrinkage", Over::Log { lo: 0.1, hi: 100.0 }),
            Axis::new("locality", Over::Real { lo: 0.5, hi: 2.5 }),
            Axis::new("scale", Over::OneOf(&["\"as_is\"", "\"sum_to_one\""])),
            Axis::new("decay", Over::OneOf(&["null", "{\"age\":{\"half_life\":2592000000}}"])),
            Axis::new("decay.age.half_life", Over::LogInt { lo: 604_800_000, hi: 31_536_000_000 }),
            Axis::new("pairs", Over::OneOf(&["\"one\"", "\"log\""])),
            Axis::new("recency", Over::OneOf(&["null", "{\"positions\":{\"half_life\":10.0}}"])),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 100.0 }),
        ];
        SPACE
    }
}
