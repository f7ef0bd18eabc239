//! Why an item got its score: a tree, made on demand from the same arithmetic as the score.

use serde::{Deserialize, Serialize};

use crate::ids::ItemIdx;
use crate::time::Timestamp;

/// A value and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The value being explained; `None` for no opinion.
    pub value: Option<f32>,
    /// What kind of value it is.
    pub reason: Reason,
    /// Its parts.
    pub details: Vec<Explanation>,
}

impl Explanation {
    /// A value without parts.
    #[must_use]
    pub const fn leaf(value: Option<f32>, reason: Reason) -> Self {
        Self { value, reason, details: Vec::new() }
    }
}

/// A machine-readable reason with its evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The sum over scorers, preferences and rules.
    Blend,
    /// One scorer's opinion: raw, or after normalisation and weight.
    Scorer {
        /// Its name.
        name: String,
        /// Its code.
        code: ReasonCode,
    },
    /// One item of the shopper's history or basket speaks for it.
    Because {
        /// That item.
        item: ItemIdx,
        /// What the scorer's code makes of it.
        code: ReasonCode,
    },
    /// A count of events speaks for it.
    Count {
        /// How many events.
        events: u64,
        /// What the scorer's code makes of it.
        code: ReasonCode,
    },
    /// The shopper's own purchases of it, and when the next one is due.
    Repeat {
        /// When they bought it last.
        last: Timestamp,
        /// How often they bought it.
        times: u32,
        /// How long ago that is, in the unit of the scorer's clock: days, or baskets.
        age: f32,
        /// After how long it is bought again, in the same unit: half of those who do buy again have done so.
        interval: f32,
    },
    /// An attribute value of the item speaks for it.
    Attribute {
        /// The attribute's name.
        attribute: String,
        /// The value: a category path, a tag, a word of a text, a span of numbers.
        value: String,
        /// What the scorer's code makes of it.
        code: ReasonCode,
    },
    /// A rule or preference moved it.
    Rule {
        /// Its id.
        id: String,
    },
    /// The scorer has no opinion.
    Abstained,
}

/// What a scorer's opinion means to a shopper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasonCode {
    /// Many shoppers want it.
    Popular,
    /// Popular within an attribute value such as the category at hand.
    PopularInCategory,
    /// More wanted than it used to be.
    Trending,
    /// The shopper looked at it lately.
    RecentlyViewed,
    /// Seen by those who saw the evidence item.
    ViewedTogether,
    /// Bought by those who bought the evidence item.
    BoughtTogether,
    /// Bought in the end by those who viewed the evidence item.
    ViewedThenBought,
    /// Goes with what is in the basket.
    GoesWithBasket,
    /// The shopper bought it before, and buys again.
    BoughtBefore,
    /// Shoppers of similar taste want it.
    SimilarTaste,
    /// Alike, by what the catalogue says of both, to the evidence item.
    SimilarItem,
    /// Of a category, brand or other value the shopper comes back to.
    FavouriteKind,
    /// Released lately.
    New,
    /// In the shopper's usual price range.
    PriceMatch,
    /// It matches what was searched for.
    MatchesSearch,
    /// Put there by a rule of the shop.
    Curated,
    /// A scorer of the shop's own.
    #[serde(other)]
    Other,
}

crate::persist::portable_value!(ReasonCode);
