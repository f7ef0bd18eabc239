//! What should the buyer know? Tables for procurement, pricing and merchandising, each figure with how sure it is.
//!
//! | question | use |
//! |---|---|
//! | what is bought together | [`Baskets::affinity`] |
//! | what follows from having these two in the basket | [`Baskets::rules`] (FP-growth) |
//! | what replaces, what completes this item | [`relations`] |
//! | after how long is it bought again | [`repeat_intervals`] |
//! | how many will be sold next week | [`demand`], [`Forecaster`] |
//! | what does the price do | [`price_response`] |
//! | what is looked at and not bought, searched and not found, never shown | [`unbought_views`], [`fruitless_searches`], [`unseen_items`] |
//! | all of that as a file | `write_csv` (feature `csv`), `write_json` (feature `json`) |
//!
//! All rows are flat structs of item ids and numbers that serialise. A NaN says "not known" (JSON `null`, CSV `NaN`).
//! Intervals are of one figure each, at the level that was asked for: of a thousand pairs looked at, a twentieth
//! stands outside by chance, so take a small p-value or a high level where the best of many is picked.

mod affinity;
mod baskets;
mod demand;
#[cfg(any(feature = "csv", feature = "json"))]
mod export;
mod forecast;
mod fp_growth;
mod gaps;
mod price;
mod relation;
mod repeat;
mod rules;

pub use affinity::{AffinityPair, AffinityPairsParams};
pub use baskets::{BasketUnit, Baskets};
pub use demand::{DemandParams, DemandRow, demand, series};
#[cfg(any(feature = "csv", feature = "json"))]
pub use export::ExportError;
#[cfg(feature = "csv")]
pub use export::write_csv;
#[cfg(feature = "json")]
pub use export::write_json;
pub use forecast::{Backtest, Forecast, Forecaster, Pattern, backtest, pattern};
pub use gaps::{FruitlessSearch, UnboughtView, UnseenItem, fruitless_searches, unbought_views, unseen_items};
pub use price::{PriceParams, PriceResponse, PriceVerdict, price_response};
pub use relation::{Relation, RelationParams, RelationRow, relations};
pub use repeat::{RepeatInterval, repeat_intervals};
pub use rules::{BasketRule, BasketRulesParams};
