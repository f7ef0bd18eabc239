//! What a synthetic shop looks like.

use serde::{Deserialize, Serialize};

use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::time::Timestamp;

/// The size and habits of a [`SyntheticShop`](super::SyntheticShop).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `seed` | 42 | any | picks one of the shops |
/// | `items` | 1,000 | 1 to 100 M | items sold |
/// | `users` | 500 | 1 to 1,000 M | shoppers with an id |
/// | `events` | 20,000 | 0 to 10^12 | events to tell |
/// | `departments` | 5 | 1 to 1,000 | top categories |
/// | `categories` | 20 | 1 to 100,000 | leaf categories, spread over the departments |
/// | `brands` | 30 | 1 to 100,000 | brands |
/// | `popularity` | 1.0 | 0 to 3 | Zipf exponent: item `r` is wanted `(r + 1)^-popularity` |
/// | `tastes` | 3 | 1 to 16 | categories a shopper likes |
/// | `taste_share` | 0.7 | 0 to 1 | views that follow the taste rather than the crowd |
/// | `partner_share` | 0.3 | 0 to 1 | views, and baskets, that go on to the last item's partner |
/// | `views` | 4.0 | 1 to 50 | views a session, on average (at most 64) |
/// | `cart_share` | 0.25 | 0 to 1 | sessions that put the last item in the cart |
/// | `purchase_share` | 0.5 | 0 to 1 | carts that are bought |
/// | `anonymous_share` | 0.3 | 0 to 1 | sessions of nobody in particular |
/// | `new_share` | 0.1 | 0 to 1 | items released while the events go on |
/// | `sold_out_share` | 0.05 | 0 to 1 | items out of stock at the end |
/// | `days` | 90 | 1 to 36,500 | days the events are spread over |
/// | `start` | 2024-01-01 | a day whose end is before the year 10000 | the first day, in Unix milliseconds |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShopParams {
    /// Picks one of the shops.
    pub seed: u64,
    /// Items sold.
    pub items: u32,
    /// Shoppers with an id.
    pub users: u32,
    /// Events to tell.
    pub events: u64,
    /// Top categories.
    pub departments: u32,
    /// Leaf categories.
    pub categories: u32,
    /// Brands.
    pub brands: u32,
    /// Zipf exponent of the items' popularity.
    pub popularity: f64,
    /// Categories a shopper likes.
    pub tastes: u32,
    /// Share of views that follow the taste.
    pub taste_share: f64,
    /// Share of views and baskets that go on to the partner of the last item.
    pub partner_share: f64,
    /// Mean views a session.
    pub views: f64,
    /// Share of sessions with something in the cart.
    pub cart_share: f64,
    /// Share of carts that are bought.
    pub purchase_share: f64,
    /// Share of sessions without shopper id.
    pub anonymous_share: f64,
    /// Share of items released while the events go on.
    pub new_share: f64,
    /// Share of items out of stock.
    pub sold_out_share: f64,
    /// Days the events are spread over.
    pub days: u32,
    /// The first moment of the first day.
    pub start: Timestamp,
}

impl Default for ShopParams {
    fn default() -> Self {
        Self {
            seed: 42,
            items: 1_000,
            users: 500,
            events: 20_000,
            departments: 5,
            categories: 20,
            brands: 30,
            popularity: 1.0,
            tastes: 3,
            taste_share: 0.7,
            partner_share: 0.3,
            views: 4.0,
            cart_share: 0.25,
            purchase_share: 0.5,
            anonymous_share: 0.3,
            new_share: 0.1,
            sold_out_share: 0.05,
            days: 90,
            start: Timestamp::from_secs(1_704_067_200),
        }
    }
}

/// The years 1 to 9899, so that 100 years of events end before 10000.
const STARTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=250_246_627_199_999;

impl Validate for ShopParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("seed", "any whole number", "picks one of the shops"),
            ParamSpec::int("items", 1, 100_000_000, "items sold"),
            ParamSpec::int("users", 1, 1_000_000_000, "shoppers with an id"),
            ParamSpec::int("events", 0, 1_000_000_000_000, "events to tell"),
            ParamSpec::int("departments", 1, 1_000, "top categories"),
            ParamSpec::int("categories", 1, 100_000, "leaf categories"),
            ParamSpec::int("brands", 1, 100_000, "brands"),
            ParamSpec::real("popularity", 0.0, 3.0, "Zipf exponent of the items' popularity"),
            ParamSpec::int("tastes", 1, 16, "categories a shopper likes"),
            ParamSpec::real("taste_share", 0.0, 1.0, "views that follow the taste"),
            ParamSpec::real("partner_share", 0.0, 1.0, "views and baskets that go on to the partner"),
            ParamSpec::real("views", 1.0, 50.0, "mean views a session"),
            ParamSpec::real("cart_share", 0.0, 1.0, "sessions with something in the cart"),
            ParamSpec::real("purchase_share", 0.0, 1.0, "carts that are bought"),
            ParamSpec::real("anonymous_share", 0.0, 1.0, "sessions without shopper id"),
            ParamSpec::real("new_share", 0.0, 1.0, "items released while the events go on"),
            ParamSpec::real("sold_out_share", 0.0, 1.0, "items out of stock"),
            ParamSpec::int("days", 1, 36_500, "days the events are spread over"),
            ParamSpec::typed("start", "a moment in the years 1 to 9899", "the first moment"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        let fields = [
            ("items", f64::from(self.items)),
            ("users", self.users.into()),
            ("events", self.events as f64),
            ("departments", self.departments.into()),
            ("categories", self.categories.into()),
            ("brands", self.brands.into()),
            ("popularity", self.popularity),
            ("tastes", self.tastes.into()),
            ("taste_share", self.taste_share),
            ("partner_share", self.partner_share),
            ("views", self.views),
            ("cart_share", self.cart_share),
            ("purchase_share", self.purchase_share),
            ("anonymous_share", self.anonymous_share),
            ("new_share", self.new_share),
            ("sold_out_share", self.sold_out_share),
            ("days", self.days.into()),
        ];
        fields.into_iter().try_for_each(|(name, value)| check_range::<Self>(name, value))?;
        if !STARTS.contains(&self.start.millis()) {
            return Err(ParamError::new("start", self.start.millis(), "a moment in the years 1 to 9899"));
        }
        Ok(())
    }
}
