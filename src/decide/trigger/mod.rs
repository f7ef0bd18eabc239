//! Who should hear from the shop, about what, when and why?
//!
//! Triggers are predicates over a shopper's past, the catalogue's news and the clock: pure functions of (events, state,
//! now). What fired is remembered in a [`TriggerState`] the caller keeps, so that a situation fires once, whatever
//! restarts lie in between.
//!
//! | situation | parameters | fires once for |
//! |---|---|---|
//! | something lies in the cart | [`CartAbandoned`] | an item put in |
//! | the last visit looked and left | [`BrowseAbandoned`] | a visit |
//! | the running visit looks and looks | [`Lingering`] | a visit |
//! | a category viewed again and again, nothing bought | [`Hesitation`] | a run of views |
//! | something touched costs less | [`PriceDropped`] | an item and fall |
//! | something touched is there again | [`BackInStock`] | an item and return |
//! | something bought regularly is due | [`ReplenishmentDue`] | an item and its last purchase |
//! | the shopper is later than their own rhythm | [`WinBack`] | a last purchase |
//! | something was bought that others go with | [`PostPurchase`] | an order |
//! | something new in a loved category | [`NewArrival`] | a value and its newest item |
//!
//! A situation that holds still has to pass, in this order: not fired before; the rule's cooldown; its pause after a
//! purchase; quiet hours in the shopper's zone; the cap across all triggers. What is held back is told with the moment it
//! may go on, and the state knows when to look again.
//!
//! **Consent.** Only rows of profiled shoppers are looked at, and of these only those for whom the caller names a
//! [`LawfulBasis`](crate::LawfulBasis) at the time of the sweep. Where events rest in a log, that is one line which knows
//! of every withdrawal and erasure, also of those the dataset has not heard of yet:
//! `bound.sweep(&Permissions::of(&log)?.asked(), ..)` ([`Permissions`](crate::decide::Permissions); of a running shop,
//! `Permissions::of(live.log())`). Whether the basis covers a message of that kind is the shop's decision, not the
//! library's.
//!
//! **Not for** recommendations on a page (that is a [`Request`](crate::Request)), nor for newsletters to everybody.
//!
//! # Example
//! ```
//! use likewise::decide::trigger::{Bound, CartAbandoned, Facts, TriggerParams, TriggerRule, TriggerState, When};
//! use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, Run, Shelf, Shopper, Span, Timestamp, Validate};
//!
//! let noon = Timestamp::from_secs(1_323_691_200);
//! let ann = Consented::new("ann", LawfulBasis::Consent);
//! let mut builder = DatasetBuilder::default();
//! builder.push(&Event::new(Shopper::Profiled(ann), "mug", EventKind::AddToCart, noon))?;
//! let data = builder.build()?;
//! let shelf = Shelf::bare(&data);
//!
//! let cart = TriggerRule::new("cart", When::CartAbandoned(CartAbandoned::default()));
//! let params = TriggerParams { rules: vec![cart], ..TriggerParams::default() }.check()?;
//! let bound = Bound::new(&params, Facts::new(&data, &shelf))?;
//! let mut state = TriggerState::default();
//! let agreed = |_: &str| Some(LawfulBasis::Consent);
//!
//! let soon = bound.sweep(&agreed, &mut state, noon.plus(Span::minutes(30)), &Run::new(1))?;
//! assert!(soon.firings.is_empty());
//! let later = bound.sweep(&agreed, &mut state, noon.plus(Span::hours(2)), &Run::new(1))?;
//! assert_eq!((later.firings[0].shopper.as_str(), &later.firings[0].items[..]), ("ann", &["mug".to_owned()][..]));
//! let again = bound.sweep(&agreed, &mut state, noon.plus(Span::hours(5)), &Run::new(1))?;
//! assert!(again.firings.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod activity;
mod bind;
mod decide;
mod firing;
mod look;
mod news;
mod params;
mod quiet;
mod state;
mod suggest;
mod sweep;
mod timeline;
mod when;
mod zone;

pub use activity::{Activity, ActivityParams, Week};
pub use bind::{Bound, Facts, TriggerError, UsualInterval, ZoneOf};
pub use firing::{Decision, Detail, Evidence, Firing, Held, Hold};
pub use news::{CatalogNews, Change};
pub use params::{FrequencyCap, Reach, SendTime, TriggerParams, TriggerRule};
pub use quiet::QuietHours;
pub use state::{BadTriggerId, TriggerId, TriggerState};
pub use suggest::{Asked, Intent, Suggest, Suggesters};
pub use sweep::{Permission, Sweep};
pub use when::{
    BackInStock, BrowseAbandoned, CartAbandoned, Hesitation, Lingering, NewArrival, PostPurchase, PriceDropped,
    ReplenishmentDue, When, WinBack,
};
pub use zone::{HOURS, Zone, ZoneError};
