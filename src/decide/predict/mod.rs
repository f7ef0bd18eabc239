//! Who will buy again, what, when, and for how much? Each answer comes with how sure it is.
//!
//! | to ask | use |
//! |---|---|
//! | how often and how recently did each customer buy, as known at a moment | [`PurchaseLog`] → [`CustomerSummary`] |
//! | is the customer still there; how many purchases will come | [`BgNbdParams`] → [`BgNbd`] |
//! | what will a purchase be worth | [`GammaGammaParams`] → [`GammaGamma`] |
//! | what is the customer worth | [`lifetime_value`] |
//! | does that hold on later purchases | [`BgNbd::calibration`] |
//! | when is this item due again for this shopper | [`ReplenishmentParams`] → [`Replenishment`] |
//! | will they buy within so many days; will they stay away (churn) | [`Profiles`], [`LogisticParams`] → [`Logistic`] |
//! | are these probabilities true | [`Platt`], [`Isotonic`], [`Reliability`], [`Quality`] |
//!
//! What goes into the next basket is a ranking, and lives with the scorers:
//! [`PersonalFrequency`](crate::PersonalFrequency) and [`TifuKnn`](crate::TifuKnn) for what,
//! [`BuyAgain`](crate::BuyAgain) for what is due among a shopper's own items.
//!
//! Of a log's shoppers only those are learned from and spoken of whom it permits, where it is asked with
//! [`Permissions::histories`](crate::decide::Permissions::histories) in place of the dataset.
//!
//! Everything is a pure function of data and time. A [`Dataset`](crate::Dataset) has applied every return it knows,
//! also those that came after the moment asked about: to learn as of a moment, build it with
//! [`DatasetBuilder::as_of`](crate::DatasetBuilder::as_of) that moment, as `examples/predict.rs` does.

mod bg_nbd;
mod bg_nbd_law;
mod calibration;
mod error;
mod features;
mod gamma_gamma;
mod lifetime;
mod likelihood;
mod logistic;
mod probability;
mod purchase_days;
mod quality;
mod replenish;
mod replenish_backtest;
mod summary;

pub use bg_nbd::{BgNbd, BgNbdParams, PurchaseForecast};
pub use calibration::{Calibration, CalibrationRow};
pub use error::PredictError;
pub use features::{Labelled, ProfileParams, Profiles};
pub use gamma_gamma::{GammaGamma, GammaGammaParams};
pub use lifetime::{LifetimeParams, lifetime_value};
pub use logistic::{Coefficient, Logistic, LogisticParams, Separation};
pub use probability::{Isotonic, Platt};
pub use purchase_days::PurchaseDays;
pub use quality::{Quality, Reliability, ReliabilityRow};
pub use replenish::{Replenishment, ReplenishmentParams, Window};
pub use replenish_backtest::{WindowBacktest, WindowScore};
pub use summary::{CustomerSummary, PurchaseLog, SummaryParams};
