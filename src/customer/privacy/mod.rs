//! Counts that may leave the house: differentially private releases, and the account of what they cost.
//!
//! *When to use it:* a number about shoppers goes to somebody who must learn nothing about any one of them: a supplier, a
//! public page, a partner. *When not:* inside the shop, where retention, consent and `min_shoppers` decide who sees what;
//! noise only hurts there.
//!
//! A release counts, for items the shop names, the rows (profiles and anonymous visits) that touched each. One row changes
//! at most `max_items` of these counts by 1 each: that is the sensitivity the noise hides. Which items are counted is the
//! caller's choice and must not depend on the events (a catalogue is fine, "all items with sales" is not).
//!
//! *Whom it protects:* a row. Somebody whose devices and visits were not merged is several rows, and of `k` rows together
//! the promise is `k` times as weak (Dwork & Roth 2014, theorem 2.2). Merge what is known to be one person first, and where
//! many visit without an account, release counts of profiles alone: build the dataset from those.
//!
//! *What it hangs on:* bits nobody else can know; see [`release`](crate::Checked::release). A ledger counts what it
//! is shown: keep one for all releases about the same shoppers, whoever makes them.
//!
//! Noise is whole-numbered and sampled exactly, without a floating-point logarithm whose rounding could give data away
//! (Mironov 2012).
//!
//! # Example
//! ```
//! use likewise::customer::privacy::{CountRelease, Ledger, Mechanism};
//! use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, Shopper, Timestamp, Validate};
//! let mut shop = DatasetBuilder::default();
//! for n in 0..500 {
//!     let id = format!("s{n}");
//!     let who = Shopper::Profiled(Consented::new(&id, LawfulBasis::Contract));
//!     shop.push(&Event::new(who, if n < 400 { "tea" } else { "mug" }, EventKind::Purchase, Timestamp::from_secs(n)))?;
//! }
//! let data = shop.finish()?;
//! let recipe = CountRelease { max_items: 1, mechanism: Mechanism::Laplace { epsilon: 0.5 }, ..CountRelease::default() };
//! let mut year = Ledger::new(1.0, 0.0)?;
//! // For real use these bits come from the operating system's generator, never from a seed somebody could guess.
//! let mut state = 1u64;
//! let mut bits = || {
//!     state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
//!     state ^ (state >> 29)
//! };
//! let release = recipe.check()?.release(&data, &["tea", "mug", "saw"], &mut year, &mut bits)?;
//! assert!((release.counts[0].1 - 400).abs() < 60 && release.counts[2].1.abs() < 60);
//! assert_eq!(year.spent(), 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # References
//! * C. Dwork & A. Roth (2014): The algorithmic foundations of differential privacy.
//! * M. Bun & T. Steinke (2016): Concentrated differential privacy: simplifications, extensions, and lower bounds. TCC.
//! * C. Canonne, G. Kamath & T. Steinke (2020): The discrete Gaussian for differential privacy. NeurIPS.

mod ledger;
mod noise;
mod release;

pub use ledger::{Ledger, LedgerError, Loss};
pub use release::{CountRelease, Mechanism, PrivacyError, Release};
