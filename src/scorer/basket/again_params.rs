//! The recipe of buy-it-again.

use serde::{Deserialize, Serialize};

use crate::event::{EventKind, KindSet};
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::tune::{Axis, Over, Tunable};

/// What intervals are measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Clock {
    /// By the shopper's own baskets: bought in this one and in the next is an interval of 1. Shoppers differ in how often
    /// they come more than in how many visits a packet lasts.
    #[default]
    Baskets,
    /// By time, in days. Baskets less than a day apart are one occasion, and no age is less than a day.
    Time,
}

/// Recipe for [`BuyAgain`](super::BuyAgain).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `buy_again` | not empty | the scorer's name |
/// | `kinds` | purchase | at least one | the events that put an item into a basket |
/// | `clock` | baskets | | what intervals are measured by |
/// | `shrinkage` | 15 | 0 to 1e6 | observations by which an item's habits are drawn towards those of all items |
/// | `chance_prior` | 2 | 0 to 1e6 | purchases by which a shopper's chance is drawn towards the item's |
/// | `interval_prior` | 3 | 0 to 1e6 | intervals by which a shopper's interval is drawn towards the item's |
///
/// The defaults are the best, or within noise of it, on validation cuts of UCI Online Retail and of Ta-Feng alike; all of
/// them are flat. The clock is not: by baskets NDCG@20 on the former is .308, by time .297.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuyAgainParams {
    /// The scorer's name.
    pub name: String,
    /// The events that put an item into a basket.
    pub kinds: KindSet,
    /// What intervals are measured by.
    pub clock: Clock,
    /// Observations by which an item's habits are drawn towards those of all items, `0..=1e6`.
    pub shrinkage: f32,
    /// Purchases by which a shopper's chance to buy again is drawn towards the item's, `0..=1e6`. At 0 what was bought once
    /// is never bought again.
    pub chance_prior: f32,
    /// Intervals by which a shopper's interval is drawn towards the item's, `0..=1e6`.
    pub interval_prior: f32,
}

impl Default for BuyAgainParams {
    fn default() -> Self {
        Self {
            name: "buy_again".to_owned(),
            kinds: KindSet::of(&[EventKind::Purchase]),
            clock: Clock::default(),
            shrinkage: 15.0,
            chance_prior: 2.0,
            interval_prior: 3.0,
        }
    }
}

impl Validate for BuyAgainParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("clock", "baskets or time", "what intervals are measured by"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "observations that draw an item towards all items"),
            ParamSpec::real("chance_prior", 0.0, 1e6, "purchases that draw a shopper's chance towards the item's"),
            ParamSpec::real("interval_prior", 0.0, 1e6, "intervals that draw a shopper's interval towards the item's"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("shrinkage", self.shrinkage.into())?;
        check_range::<Self>("chance_prior", self.chance_prior.into())?;
        check_range::<Self>("interval_prior", self.interval_prior.into())
    }
}

impl Tunable for BuyAgainParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("clock", Over::OneOf(&[r#""baskets""#, r#""time""#])),
            Axis::new("shrinkage", Over::Log { lo: 1.0, hi: 200.0 }),
            Axis::new("chance_prior", Over::Log { lo: 0.3, hi: 10.0 }),
            Axis::new("interval_prior", Over::Log { lo: 0.3, hi: 30.0 }),
        ];
        SPACE
    }
}
