//! The situations, as data: each a predicate with parameters.

use serde::{Deserialize, Serialize};

use super::params::CENTURY;
use crate::event::{EventKind, KindSet};
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::time::Span;

/// A situation a trigger waits for.
///
/// "Bought" is a purchase that was not returned; a visit ends with a pause of [`TriggerParams::visit_gap`]; a moment
/// exactly at a limit counts as inside.
///
/// [`TriggerParams::visit_gap`]: super::TriggerParams::visit_gap
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum When {
    /// Something lies in the cart, and the shopper has gone.
    CartAbandoned(CartAbandoned),
    /// The last visit looked at things and put nothing in the cart.
    BrowseAbandoned(BrowseAbandoned),
    /// The running visit looks and looks.
    Lingering(Lingering),
    /// A category is viewed again and again without a purchase from it.
    Hesitation(Hesitation),
    /// Something viewed or carted costs less.
    PriceDropped(PriceDropped),
    /// Something viewed or carted is there again.
    BackInStock(BackInStock),
    /// Something bought again and again is due.
    ReplenishmentDue(ReplenishmentDue),
    /// The shopper is later than their own rhythm.
    WinBack(WinBack),
    /// Something was bought that others go with.
    PostPurchase(PostPurchase),
    /// Something new in a category the shopper loves.
    NewArrival(NewArrival),
}

impl Default for When {
    fn default() -> Self {
        Self::CartAbandoned(CartAbandoned::default())
    }
}

impl When {
    /// Its name as in serde.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CartAbandoned(_) => "cart_abandoned",
            Self::BrowseAbandoned(_) => "browse_abandoned",
            Self::Lingering(_) => "lingering",
            Self::Hesitation(_) => "hesitation",
            Self::PriceDropped(_) => "price_dropped",
            Self::BackInStock(_) => "back_in_stock",
            Self::ReplenishmentDue(_) => "replenishment_due",
            Self::WinBack(_) => "win_back",
            Self::PostPurchase(_) => "post_purchase",
            Self::NewArrival(_) => "new_arrival",
        }
    }

    /// The category or tags attribute it goes by.
    pub(super) fn attribute(&self) -> Option<&str> {
        match self {
            Self::Hesitation(Hesitation { attribute, .. }) | Self::NewArrival(NewArrival { attribute, .. }) => {
                Some(attribute)
            }
            _ => None,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ParamError> {
        let outcome = match self {
            Self::CartAbandoned(p) => p.validate(),
            Self::BrowseAbandoned(p) => p.validate(),
            Self::Lingering(p) => p.validate(),
            Self::Hesitation(p) => p.validate(),
            Self::PriceDropped(p) => p.validate(),
            Self::BackInStock(p) => p.validate(),
            Self::ReplenishmentDue(p) => p.validate(),
            Self::WinBack(p) => p.validate(),
            Self::PostPurchase(p) => p.validate(),
            Self::NewArrival(p) => p.validate(),
        };
        outcome.map_err(|e| ParamError { param: format!("when.{}.{}", self.name(), e.param), ..e })
    }
}

/// A field that can be held against its line of the table.
trait Field {
    fn check<P: Validate>(&self, name: &str) -> Result<(), ParamError>;
}

impl Field for Span {
    fn check<P: Validate>(&self, name: &str) -> Result<(), ParamError> {
        check_range::<P>(name, self.as_millis() as f64)
    }
}

impl Field for u32 {
    fn check<P: Validate>(&self, name: &str) -> Result<(), ParamError> {
        check_range::<P>(name, (*self).into())
    }
}

impl Field for f64 {
    fn check<P: Validate>(&self, name: &str) -> Result<(), ParamError> {
        check_range::<P>(name, *self)
    }
}

impl Field for String {
    fn check<P: Validate>(&self, name: &str) -> Result<(), ParamError> {
        let ok = !self.trim().is_empty();
        if ok { Ok(()) } else { Err(ParamError::new(name, format_args!("{self:?}"), "a text that is not empty")) }
    }
}

impl Field for KindSet {
    fn check<P: Validate>(&self, name: &str) -> Result<(), ParamError> {
        if self.is_empty() { Err(ParamError::new(name, "[]", "at least one kind")) } else { Ok(()) }
    }
}

/// One struct of parameters: fields with documentation, type, default and line of the table.
macro_rules! situation {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr, $spec:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Validate for $name {
            fn table() -> &'static [ParamSpec] {
                const TABLE: &[ParamSpec] = &[$($spec,)*];
                TABLE
            }

            fn validate(&self) -> Result<(), ParamError> {
                $(self.$field.check::<Self>(stringify!($field))?;)*
                Ok(())
            }
        }
    };
}

const LOOKED_AT: KindSet = KindSet::of(&[EventKind::View, EventKind::Click, EventKind::AddToCart, EventKind::Like]);
const ATTRIBUTE: ParamSpec =
    ParamSpec::typed("attribute", "a category or tags attribute", "what the kinds of items are called in");

situation! {
    /// Something lies in the cart that was neither bought nor taken out, and the shopper has done nothing for `after`.
    ///
    /// Every item is a situation of its own: what was put in once is mentioned once. The firing names all that lies there
    /// and can be sold. Without prices the cart is worth 0.
    CartAbandoned {
        /// Since the shopper's last event of any kind (1 hour; up to 100 years).
        after: Span = Span::hours(1), ParamSpec::int("after", 0, CENTURY, "milliseconds without any event");
        /// Items put in longer ago are forgotten (7 days; up to 100 years).
        until: Span = Span::days(7), ParamSpec::int("until", 0, CENTURY, "milliseconds after which an item is forgotten");
        /// What the cart has to be worth (0; up to 10^9).
        worth: f64 = 0.0, ParamSpec::real("worth", 0.0, 1e9, "what the cart has to be worth");
    }
}

situation! {
    /// The last visit viewed at least `views` times, put nothing in the cart, bought nothing, and ended at least `after`
    /// and at most `until` ago. One situation a visit.
    BrowseAbandoned {
        /// Since the visit's last event (4 hours; at least the visit's gap holds).
        after: Span = Span::hours(4), ParamSpec::int("after", 0, CENTURY, "milliseconds since the visit's last event");
        /// Visits that ended longer ago are forgotten (3 days).
        until: Span = Span::days(3), ParamSpec::int("until", 0, CENTURY, "milliseconds after which a visit is forgotten");
        /// Views and clicks in the visit (3; 1 to 10,000).
        views: u32 = 3, ParamSpec::int("views", 1, 10_000, "views and clicks in the visit");
    }
}

situation! {
    /// The visit that is running has viewed at least `views` times over at least `over` and put nothing in the cart. One
    /// situation a visit; ask for it while the shopper is there.
    Lingering {
        /// Views and clicks in the visit so far (8; 1 to 10,000).
        views: u32 = 8, ParamSpec::int("views", 1, 10_000, "views and clicks in the visit so far");
        /// From its first to its last event (5 minutes).
        over: Span = Span::minutes(5), ParamSpec::int("over", 0, CENTURY, "milliseconds from the first to the last event");
    }
}

situation! {
    /// One value of an attribute was viewed at least `views` times in at least `visits` visits without a purchase from it,
    /// with no pause longer than `pause` between two views, nor since the last. One situation a run of views.
    Hesitation {
        /// The category or tags attribute; of several values an item's leaf counts (`category`).
        attribute: String = "category".to_owned(), ATTRIBUTE;
        /// Views and clicks in the run (5; 1 to 10,000).
        views: u32 = 5, ParamSpec::int("views", 1, 10_000, "views and clicks in the run");
        /// Visits with one of them (3; 1 to 10,000).
        visits: u32 = 3, ParamSpec::int("visits", 1, 10_000, "visits with one of them");
        /// The pause that ends a run (14 days).
        pause: Span = Span::days(14), ParamSpec::int("pause", 0, CENTURY, "milliseconds of pause that end a run");
    }
}

situation! {
    /// The price of an item the shopper had touched fell by at least `by`, has not risen again, and the item was not bought
    /// since it was touched. One situation an item and fall.
    PriceDropped {
        /// By which share of the old price (0.1; 0 to 1).
        by: f64 = 0.1, ParamSpec::real("by", 0.0, 1.0, "share of the old price");
        /// The touches that count (view, click, add to cart, like).
        kinds: KindSet = LOOKED_AT, ParamSpec::typed("kinds", "at least one kind", "the touches that count");
        /// How long before the fall a touch may lie (30 days).
        within: Span = Span::days(30), ParamSpec::int("within", 0, CENTURY, "milliseconds a touch may lie before the news");
        /// How old the news may be (3 days).
        fresh: Span = Span::days(3), ParamSpec::int("fresh", 0, CENTURY, "milliseconds the news may be old");
    }
}

situation! {
    /// An item the shopper had touched was sold out and can be sold again, and was not bought since it was touched. One
    /// situation an item and return.
    BackInStock {
        /// The touches that count (view, click, add to cart, like).
        kinds: KindSet = LOOKED_AT, ParamSpec::typed("kinds", "at least one kind", "the touches that count");
        /// How long before the return a touch may lie (60 days).
        within: Span = Span::days(60), ParamSpec::int("within", 0, CENTURY, "milliseconds a touch may lie before the news");
        /// How old the news may be (7 days).
        fresh: Span = Span::days(7), ParamSpec::int("fresh", 0, CENTURY, "milliseconds the news may be old");
    }
}

situation! {
    /// An item's usual interval has nearly passed since it was bought last. The interval is the mean of the shopper's own,
    /// drawn towards what is [usual](super::Facts::usual) for the item as if by `prior` own intervals. Purchases less than
    /// a day apart are one. One situation an item and last purchase.
    ///
    /// How many own purchases it takes decides between many messages and apt ones. On 2026-11-23, in 16 weekly sweeps over
    /// Online Retail (`cargo run --example campaign -- --refill`), of the items reminded of were bought within a fortnight:
    /// 13.2 % with one purchase and a usual interval (11,035 messages), 16.8 % from two on (6,043), 24.8 % from three
    /// (3,580), 31.9 % from four (2,219); of everything bought before, 3.4 %. A usual interval beside one's own three
    /// purchases changed nothing there (24.0 %).
    ReplenishmentDue {
        /// Own purchases of the item from which on it counts where nothing is known of its usual interval (3; 2 to 1,000).
        purchases: u32 = 3, ParamSpec::int("purchases", 2, 1_000, "own purchases where nothing is usual");
        /// The same where its usual interval is known (3; 1 to 1,000).
        with_usual: u32 = 3, ParamSpec::int("with_usual", 1, 1_000, "own purchases where an interval is usual");
        /// From which share of the interval on (0.9; 0 to 10).
        early: f64 = 0.9, ParamSpec::real("early", 0.0, 10.0, "share of the interval from which on it is due");
        /// Up to which share of the interval (1.5; 0 to 100).
        late: f64 = 1.5, ParamSpec::real("late", 0.0, 100.0, "share of the interval up to which it is due");
        /// How many own intervals the usual one counts (1; 0 to 1,000).
        prior: f64 = 1.0, ParamSpec::real("prior", 0.0, 1_000.0, "own intervals the usual one counts");
        /// Shorter intervals are no reason to write (5 days).
        least: Span = Span::days(5), ParamSpec::int("least", 0, CENTURY, "milliseconds the interval has to be long");
    }
}

situation! {
    /// The time since the last purchase is above `factor` times the `quantile` of the shopper's own intervals between
    /// purchases (those less than a day apart are one). One situation a last purchase.
    WinBack {
        /// Own purchases from which on there is a rhythm (3; 2 to 1,000).
        purchases: u32 = 3, ParamSpec::int("purchases", 2, 1_000, "own purchases from which on there is a rhythm");
        /// Which of the own intervals, interpolated (0.9; 0 to 1).
        quantile: f64 = 0.9, ParamSpec::real("quantile", 0.0, 1.0, "which of the own intervals");
        /// How many times it (1.5; 0 to 100).
        factor: f64 = 1.5, ParamSpec::real("factor", 0.0, 100.0, "how many times the interval");
        /// Never before (21 days).
        least: Span = Span::days(21), ParamSpec::int("least", 0, CENTURY, "milliseconds before which it is never late");
        /// Never after (1 year).
        until: Span = Span::days(365), ParamSpec::int("until", 0, CENTURY, "milliseconds after which the shopper is gone");
    }
}

situation! {
    /// The last purchase was at least `after` and at most `until` ago: time for what goes with it. One situation an order:
    /// purchases with no more than a visit's gap in between.
    PostPurchase {
        /// Since the order (3 days).
        after: Span = Span::days(3), ParamSpec::int("after", 0, CENTURY, "milliseconds since the order");
        /// Not later than (14 days).
        until: Span = Span::days(14), ParamSpec::int("until", 0, CENTURY, "milliseconds after which it is too late");
    }
}

situation! {
    /// An item was released at most `fresh` ago in a value of the attribute that has at least `touches` and a `share` of the
    /// shopper's touches within `within`, and the shopper has not touched it yet. One situation a value and its newest item.
    NewArrival {
        /// The category or tags attribute; of several values an item's leaf counts (`category`).
        attribute: String = "category".to_owned(), ATTRIBUTE;
        /// The touches that count ([`KindSet::INTEREST`]).
        kinds: KindSet = KindSet::INTEREST, ParamSpec::typed("kinds", "at least one kind", "the touches that count");
        /// Touches of the value (4; 1 to 10,000).
        touches: u32 = 4, ParamSpec::int("touches", 1, 10_000, "touches of the value");
        /// Their share of all touches (0.2; 0 to 1).
        share: f64 = 0.2, ParamSpec::real("share", 0.0, 1.0, "their share of all touches");
        /// How far back (180 days).
        within: Span = Span::days(180), ParamSpec::int("within", 0, CENTURY, "milliseconds back");
        /// How long an item is new (14 days).
        fresh: Span = Span::days(14), ParamSpec::int("fresh", 0, CENTURY, "milliseconds for which an item is new");
    }
}
