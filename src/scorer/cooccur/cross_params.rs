//! The recipe of several kinds of behaviour into one outcome.

use serde::{Deserialize, Serialize};

use super::lists::{LinkRule, ListRule, Retain};
use super::params::{not_empty, some_kind};
use super::units::{Count, PairOrder, PairRule, PairUnit};
use super::weight::PairWeight;
use crate::event::{EventKind, KindSet};
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::ReasonCode;
use crate::scorer::vote::VoteDecay;
use crate::tune::{Axis, DAY, Over, Tunable};

/// One kind of behaviour that tells of the outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Indicator {
    /// The behaviour: what is done to the first item of a pair.
    pub kinds: KindSet,
    /// What its votes count, `0..=1_000_000`.
    pub weight: f32,
    /// How pairs are weighed.
    pub pair: PairWeight,
    /// Whether the behaviour must come before the outcome.
    pub order: PairOrder,
    /// A pair met in `n` units weighs `n / (n + shrinkage)` of its weight; `0..=1_000_000`.
    pub shrinkage: f32,
    /// Units a pair must be met in, `1..=1_000_000_000`.
    pub min_support: u32,
    /// What its votes mean to a shopper.
    pub reason: ReasonCode,
}

impl Default for Indicator {
    fn default() -> Self {
        Self {
            kinds: KindSet::of(&[EventKind::Purchase]),
            weight: 1.0,
            pair: PairWeight::Llr,
            order: PairOrder::Any,
            shrinkage: 0.0,
            min_support: 2,
            reason: ReasonCode::BoughtTogether,
        }
    }
}

/// Recipe for [`CrossOccurrence`](super::CrossOccurrence).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `cross_occurrence` | not empty | the scorer's name |
/// | `unit` | shopper | | within what items must meet |
/// | `target` | purchase | at least one kind | the outcome |
/// | `indicators` | purchase 1, cart 0.5, view and click 0.25 | 1 to 16 | the behaviour that tells of it |
/// | `indicators[..].weight` | 1 | 0 to 1e6 | what an indicator's votes count |
/// | `indicators[..].shrinkage` | 0 | 0 to 1e6 | draws pairs met in few units towards zero |
/// | `indicators[..].min_support` | 2 | 1 to 1e9 | units a pair must be met in |
/// | `min_shoppers` | 1 | 1 to 1e9 | shoppers a pair must be met by (k-anonymity) |
/// | `neighbours` | 50 | 1 to 10000 | neighbours kept an item and indicator |
/// | `max_items` | 200 | 2 to 100000 | of a unit only the latest so many distinct items count |
/// | `history` | 50 | 1 to 10000 | the shopper's latest distinct items that vote, an indicator |
/// | `recency` | positions, half-life 10 | half-life above 0 | how a vote fades |
/// | `retain` | counts | | what is kept for updates |
/// | `reason` | similar taste | | what the opinion as a whole means to a shopper |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossOccurrenceParams {
    /// The scorer's name.
    pub name: String,
    /// Within what items must meet.
    pub unit: PairUnit,
    /// The outcome: what is done to the second item of a pair.
    pub target: KindSet,
    /// The behaviour that tells of it, 1 to 16 kinds of it.
    pub indicators: Vec<Indicator>,
    /// Shoppers a pair must be met by, `1..=1_000_000_000`, as
    /// [`CoOccurrenceParams::min_shoppers`](super::CoOccurrenceParams::min_shoppers).
    pub min_shoppers: u32,
    /// Neighbours kept an item and indicator, `1..=10_000`.
    pub neighbours: usize,
    /// Of a unit only the latest so many distinct items count (of one indicator or the target), `2..=100_000`.
    pub max_items: usize,
    /// The shopper's latest distinct items that vote, for each indicator; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What is kept for updates.
    pub retain: Retain,
    /// What the opinion as a whole means to a shopper; each indicator has a code of its own.
    pub reason: ReasonCode,
}

impl Default for CrossOccurrenceParams {
    fn default() -> Self {
        let after = |kinds: &[EventKind], weight| Indicator {
            kinds: KindSet::of(kinds),
            weight,
            reason: ReasonCode::ViewedThenBought,
            ..Indicator::default()
        };
        Self {
            name: "cross_occurrence".to_owned(),
            unit: PairUnit::Shopper,
            target: KindSet::of(&[EventKind::Purchase]),
            indicators: vec![
                Indicator::default(),
                after(&[EventKind::AddToCart], 0.5),
                after(&[EventKind::View, EventKind::Click], 0.25),
            ],
            min_shoppers: 1,
            neighbours: 50,
            max_items: 200,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 10.0 }),
            retain: Retain::Counts,
            reason: ReasonCode::SimilarTaste,
        }
    }
}

impl CrossOccurrenceParams {
    pub(super) fn rule(&self, indicator: &Indicator) -> LinkRule {
        let Self { unit, target, min_shoppers, neighbours, max_items, retain, .. } = *self;
        let Indicator { kinds, pair, order, shrinkage, min_support, .. } = *indicator;
        LinkRule {
            pairs: PairRule { unit, from: kinds, to: target, order, max_items, count: Count::Units },
            lists: ListRule { weight: pair, shrinkage, min_support, min_shoppers, min_lift: 0.0, neighbours },
            retain,
        }
    }
}

impl Validate for CrossOccurrenceParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::typed("unit", "shopper or session", "within what items must meet"),
            ParamSpec::typed("target", "at least one kind", "the outcome"),
            ParamSpec::typed(
                "indicators",
                "1 to 16, each with at least one kind, weight and shrinkage from 0 to 1000000, min_support from 1",
                "the behaviour that tells of the outcome",
            ),
            ParamSpec::int("min_shoppers", 1, 1_000_000_000, "shoppers a pair must be met by"),
            ParamSpec::int("neighbours", 1, 10_000, "neighbours kept an item and indicator"),
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
        some_kind("target", self.target)?;
        if !(1..=16).contains(&self.indicators.len()) {
            return Err(ParamError::new("indicators", self.indicators.len(), "1 to 16 of them"));
        }
        for (i, indicator) in self.indicators.iter().enumerate() {
            indicator.validate(&format!("indicators[{i}]"))?;
        }
        check_range::<Self>("min_shoppers", self.min_shoppers.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("max_items", self.max_items as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for CrossOccurrenceParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
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

impl Indicator {
    fn validate(&self, path: &str) -> Result<(), ParamError> {
        some_kind(&format!("{path}.kinds"), self.kinds)?;
        for (field, value) in [("weight", self.weight), ("shrinkage", self.shrinkage)] {
            if !(0.0..=1e6).contains(&value) {
                return Err(ParamError::new(format!("{path}.{field}"), value, "a finite number from 0 to 1000000"));
            }
        }
        if !(1..=1_000_000_000).contains(&self.min_support) {
            let expected = "a whole number from 1 to 1000000000";
            return Err(ParamError::new(format!("{path}.min_support"), self.min_support, expected));
        }
        Ok(())
    }
}
