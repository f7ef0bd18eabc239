//! How much of what happened is held in memory.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};

/// How many events a dataset that grows for ever holds. What is evicted stays in the log, and in what was learned from it
/// until the next refresh.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `row_events` | 10,000 | 1 to 2^32 - 1 | events a shopper (or an anonymous session) |
/// | `item_events` | 2^32 - 1 | 1 to 2^32 - 1 | events an item |
/// | `events` | 2^32 - 1 | 1 to 2^32 - 1 | events in all |
///
/// *Order of eviction.* The oldest go first: by the time they happened, of equal times by arrival. The cap of a shopper comes
/// first, then that of an item (over what the shoppers kept), then that of all. Searches without an item have the caps of a
/// shopper and of all for themselves. Who has no event left has no row, and an item without any has no number, from the
/// moment on at which more than half of the ids held are such; then numbers are given anew and every model is fitted anew.
///
/// *When.* A dataset never holds more than the caps say. What it is made from may hold a quarter more, and is swept when that
/// is used up. Both depend on the events and on their order alone, so a dataset that grew is the one that is built again from
/// the log, bit for bit.
///
/// A cap on shoppers costs the habits of the heaviest (bots, for the most part). A cap on items makes popularity saturate: use
/// it where a few items have most of the events and are recommended anyway. A cap on all is a window that slides with the
/// traffic; [`Retention`](crate::log::Retention) is one that slides with time, and takes the events from the log too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryCaps {
    /// Events a shopper, `1..=4_294_967_295`.
    pub row_events: u32,
    /// Events an item, `1..=4_294_967_295`.
    pub item_events: u32,
    /// Events in all, `1..=4_294_967_295`.
    pub events: u32,
}

impl Default for HistoryCaps {
    fn default() -> Self {
        Self { row_events: 10_000, item_events: u32::MAX, events: u32::MAX }
    }
}

impl Validate for HistoryCaps {
    fn table() -> &'static [ParamSpec] {
        const MOST: u64 = u32::MAX as u64;
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("row_events", 1, MOST, "events a shopper"),
            ParamSpec::int("item_events", 1, MOST, "events an item"),
            ParamSpec::int("events", 1, MOST, "events in all"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("row_events", f64::from(self.row_events))?;
        check_range::<Self>("item_events", f64::from(self.item_events))?;
        check_range::<Self>("events", f64::from(self.events))
    }
}
