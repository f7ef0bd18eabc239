//! The recipe of one kind of pair, and its presets.

use serde::{Deserialize, Serialize};

use super::lists::{LinkRule, ListRule, Retain};
use super::units::{Count, PairOrder, PairRule, PairUnit};
use super::weight::PairWeight;
use crate::event::{EventKind, KindSet};
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::ReasonCode;
use crate::scorer::vote::VoteDecay;
use crate::time::Span;
use crate::tune::{Axis, DAY, Over, Tunable};

/// Recipe for [`CoOccurrence`](super::CoOccurrence). The default is [`co_view`](Self::co_view).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `co_view` | not empty | the scorer's name |
/// | `unit` | session | | within what items must meet |
/// | `from`, `to` | view, click | at least one kind | what is done to the first and to the second item |
/// | `order` | any | | whether the first must come first |
/// | `weight` | cosine | | how pairs are weighed |
/// | `shrinkage` | 10 | 0 to 1e6 | draws pairs met in few units towards zero |
/// | `min_support` | 2 | 1 to 1e9 | units a pair must be met in |
/// | `min_shoppers` | 1 | 1 to 1e9 | shoppers a pair must be met by (k-anonymity) |
/// | `neighbours` | 50 | 1 to 10000 | neighbours kept an item |
/// | `max_items` | 200 | 2 to 100000 | of a unit only the latest so many distinct items count |
/// | `history` | 50 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | positions, half-life 10 | half-life above 0 | how a vote fades |
/// | `retain` | counts | | what is kept for updates |
/// | `reason` | viewed together | | what the opinion means to a shopper |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoOccurrenceParams {
    /// The scorer's name.
    pub name: String,
    /// Within what items must meet.
    pub unit: PairUnit,
    /// What is done to the first item of a pair; these touches of the shopper vote.
    pub from: KindSet,
    /// What is done to the second item of a pair.
    pub to: KindSet,
    /// Whether the first item must come first.
    pub order: PairOrder,
    /// How pairs are weighed.
    pub weight: PairWeight,
    /// A pair met in `n` units weighs `n / (n + shrinkage)` of its weight.
    pub shrinkage: f32,
    /// Units a pair must be met in, `1..=1_000_000_000`.
    pub min_support: u32,
    /// Shoppers a pair must be met by, `1..=1_000_000_000`: with `k` of them, no list, score or reason rests on a pair that
    /// fewer than `k` shoppers made (k-anonymity of the evidence; Sweeney 2002). An anonymous visit counts as a shopper of
    /// its own. Above 1, and where a unit is less than a shopper, pairs are counted twice.
    pub min_shoppers: u32,
    /// Neighbours kept an item, `1..=10_000`.
    pub neighbours: usize,
    /// Of a unit only the latest so many distinct items count, `2..=100_000`: a unit costs its square. Which are the
    /// latest is decided by each item's last event; equal times by item number.
    pub max_items: usize,
    /// The shopper's latest distinct items that vote, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What is kept for updates.
    pub retain: Retain,
    /// What the opinion means to a shopper.
    pub reason: ReasonCode,
}

impl Default for CoOccurrenceParams {
    fn default() -> Self {
        Self::co_view()
    }
}

impl CoOccurrenceParams {
    /// Seen in the same sessions.
    #[must_use]
    pub fn co_view() -> Self {
        let seen = KindSet::of(&[EventKind::View, EventKind::Click]);
        Self {
            name: "co_view".to_owned(),
            unit: PairUnit::Session,
            from: seen,
            to: seen,
            order: PairOrder::Any,
            weight: PairWeight::Cosine,
            shrinkage: 10.0,
            min_support: 2,
            min_shoppers: 1,
            neighbours: 50,
            max_items: 200,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 10.0 }),
            retain: Retain::Counts,
            reason: ReasonCode::ViewedTogether,
        }
    }

    /// Bought by the same shoppers.
    #[must_use]
    pub fn co_purchase() -> Self {
        let bought = KindSet::of(&[EventKind::Purchase]);
        Self {
            name: "co_purchase".to_owned(),
            unit: PairUnit::Shopper,
            from: bought,
            to: bought,
            reason: ReasonCode::BoughtTogether,
            ..Self::co_view()
        }
    }

    /// Viewed, then something else bought by the same shopper within two weeks.
    #[must_use]
    pub fn viewed_then_bought() -> Self {
        Self {
            name: "viewed_then_bought".to_owned(),
            unit: PairUnit::Shopper,
            to: KindSet::of(&[EventKind::Purchase]),
            order: PairOrder::Then { within: Span::days(14) },
            reason: ReasonCode::ViewedThenBought,
            ..Self::co_view()
        }
    }

    pub(super) fn rule(&self) -> LinkRule {
        let Self {
            unit,
            from,
            to,
            order,
            max_items,
            weight,
            shrinkage,
            min_support,
            min_shoppers,
            neighbours,
            retain,
            ..
        } = *self;
        LinkRule {
            pairs: PairRule { unit, from, to, order, max_items, count: Count::Units },
            lists: ListRule { weight, shrinkage, min_support, min_shoppers, min_lift: 0.0, neighbours },
            retain,
        }
    }
}

impl Validate for CoOccurrenceParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::typed("unit", "shopper or session", "within what items must meet"),
            ParamSpec::typed("from", "at least one kind", "what is done to the first item"),
            ParamSpec::typed("to", "at least one kind", "what is done to the second item"),
            ParamSpec::typed("order", "any or then", "whether the first must come first"),
            ParamSpec::typed("weight", "cosine, jaccard, lift, llr or conditional", "how pairs are weighed"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "draws pairs met in few units towards zero"),
            ParamSpec::int("min_support", 1, 1_000_000_000, "units a pair must be met in"),
            ParamSpec::int("min_shoppers", 1, 1_000_000_000, "shoppers a pair must be met by"),
            ParamSpec::int("neighbours", 1, 10_000, "neighbours kept an item"),
            ParamSpec::int("max_items", 2, 100_000, "latest distinct items of a unit that count"),
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("retain", "counts or lists_only", "what is kept for updates"),
            ParamSpec::typed("reason", "any code", "what the opinion means to a shopper"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        not_empty("name", &self.name)?;
        some_kind("from", self.from)?;
        some_kind("to", self.to)?;
        check_range::<Self>("shrinkage", self.shrinkage.into())?;
        check_range::<Self>("min_support", self.min_support.into())?;
        check_range::<Self>("min_shoppers", self.min_shoppers.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("max_items", self.max_items as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for CoOccurrenceParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("weight", Over::OneOf(&["\"cosine\"", "\"jaccard\"", "\"llr\"", "\"conditional\""])),
            Axis::new("shrinkage", Over::Log { lo: 0.1, hi: 200.0 }),
            Axis::new("min_support", Over::Int { lo: 1, hi: 5 }),
            Axis::new("neighbours", Over::LogInt { lo: 20, hi: 1_000 }),
            Axis::new("history", Over::LogInt { lo: 1, hi: 500 }),
            Axis::new(
                "recency",
                Over::OneOf(&["null", "{\"positions\":{\"half_life\":10.0}}", "{\"time\":{\"half_life\":2592000000}}"]),
            ),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 100.0 }),
            Axis::new("recency.time.half_life", Over::LogInt { lo: DAY, hi: 365 * DAY }),
        ];
        SPACE
    }
}

pub(super) fn not_empty(field: &str, name: &str) -> Result<(), ParamError> {
    if name.is_empty() { Err(ParamError::new(field, "\"\"", "not empty")) } else { Ok(()) }
}

pub(super) fn some_kind(field: &str, kinds: KindSet) -> Result<(), ParamError> {
    if kinds.is_empty() { Err(ParamError::new(field, "[]", "at least one kind")) } else { Ok(()) }
}
