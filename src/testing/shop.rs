//! A shop that never was: seeded, of any size, with structure a recommender should find.

use super::rng::{Zipf, hash};
use super::shop_params::ShopParams;
use super::shop_stream::Stream;
use crate::catalog::{AttributeKind, Catalog, CatalogBuilder, CatalogError, ItemRecord};
use crate::params::Checked;
use crate::source::{EventSource, Flow, Offered};
use crate::time::{Span, Timestamp};

/// A seeded generator of a shop's events and catalogue, with planted truth.
///
/// The same parameters give the same events on every machine. Items are numbered by popularity (0 is wanted most), and
/// what is planted can be asked for: the [`partner`](Self::partner) shoppers go on to after an item, and the
/// [`taste`](Self::taste) of a shopper. Sessions follow the hours of the day and the days of the week; whole sessions
/// come one after the other, so that times of neighbouring sessions overlap by minutes, as in a real log.
///
/// It streams: 8 bytes an item, nothing a shopper or event. More than 5 M events a second on one core.
///
/// # Example
/// ```
/// use likewise::testing::{ShopParams, SyntheticShop};
/// use likewise::{DatasetBuilder, Validate};
/// let shop = SyntheticShop::new(ShopParams { items: 100, events: 5_000, ..ShopParams::default() }.check()?);
/// let mut builder = DatasetBuilder::default();
/// assert_eq!(builder.ingest(&shop)?.accepted, 5_000);
/// assert_eq!(shop.items().count(), 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SyntheticShop {
    pub(super) params: Checked<ShopParams>,
    /// Over all items.
    pub(super) crowd: Zipf,
    /// Over the items of one category.
    pub(super) shelf: Zipf,
}

/// One item of the catalogue.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ShopItem {
    /// Its number: 0 is the most wanted.
    pub number: u32,
    /// Its id, as in the events.
    pub id: String,
    /// Its category, `department > category`.
    pub category: String,
    /// Its brand.
    pub brand: String,
    /// Its price.
    pub price: f64,
    /// Units in stock.
    pub stock: u32,
    /// When it was released; `None` when it was always there.
    pub released: Option<Timestamp>,
}

/// What a shopper was made to like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taste {
    /// Numbers of the categories, most visited first, distinct.
    pub categories: Vec<u32>,
    /// Number of the brand.
    pub brand: u32,
}

/// The questions [`hash`] answers.
mod ask {
    pub(super) const BRAND: u64 = 1;
    pub(super) const PRICE: u64 = 2;
    pub(super) const STOCK: u64 = 3;
    pub(super) const RELEASE: u64 = 4;
    pub(super) const TASTE: u64 = 5;
    pub(super) const LOVED_BRAND: u64 = 6;
}

/// Items come in circles of this many, each the partner of the one before.
const CIRCLE: u32 = 8;

impl SyntheticShop {
    /// The shop of these parameters. `O(items)`.
    #[must_use]
    pub fn new(params: Checked<ShopParams>) -> Self {
        let crowd = Zipf::new(params.items, params.popularity);
        let shelf = Zipf::new(params.items.div_ceil(params.categories), params.popularity);
        Self { params, crowd, shelf }
    }

    /// Its parameters.
    #[must_use]
    pub const fn params(&self) -> &Checked<ShopParams> {
        &self.params
    }

    /// The id of item `number` in the events.
    #[must_use]
    pub fn item_key(number: u32) -> String {
        format!("i{number}")
    }

    /// The id of shopper `number` in the events.
    #[must_use]
    pub fn user_key(number: u32) -> String {
        format!("u{number}")
    }

    /// The item shoppers often go on to after `item`, in views and in baskets; `None` for the last item of some shops.
    #[must_use]
    pub fn partner(&self, item: u32) -> Option<u32> {
        let first = item - item % CIRCLE;
        let circle = CIRCLE.min(self.params.items.checked_sub(first)?);
        let partner = first + (item - first + 1) % circle.max(1);
        (partner != item && item < self.params.items).then_some(partner)
    }

    /// What shopper `user` likes.
    #[must_use]
    pub fn taste(&self, user: u32) -> Taste {
        let mut categories = Vec::with_capacity(self.params.tastes as usize);
        for nth in 0..self.params.tastes {
            let category = self.liked(user.into(), nth);
            if !categories.contains(&category) {
                categories.push(category);
            }
        }
        Taste { categories, brand: self.loved_brand(user.into()) }
    }

    /// The number of an item's category.
    #[must_use]
    pub fn category(&self, item: u32) -> u32 {
        item % self.params.categories
    }

    /// The number of an item's brand.
    #[must_use]
    pub fn brand(&self, item: u32) -> u32 {
        self.pick(ask::BRAND, item.into(), self.params.brands)
    }

    /// The price of one unit.
    #[must_use]
    pub fn price(&self, item: u32) -> f32 {
        // Cubed, so that cheap things are common; whole cents from 1 to 250.
        let unit = f64::from(self.pick(ask::PRICE, item.into(), 10_000)) / 10_000.0;
        let cents = 100 + (24_900.0 * unit * unit * unit) as u32;
        cents as f32 / 100.0
    }

    /// When an item was released; `None` when it was always there.
    #[must_use]
    pub fn released(&self, item: u32) -> Option<Timestamp> {
        // The most wanted item of each category is always there, so that every category can be shopped in.
        if item < self.params.categories {
            return None;
        }
        let unit = f64::from(self.pick(ask::RELEASE, item.into(), 1 << 24)) / f64::from(1 << 24);
        let share = unit / self.params.new_share;
        (share < 1.0).then(|| self.params.start.plus(Span::millis((self.length() as f64 * share) as i64)))
    }

    /// One item of the catalogue; a number beyond the last is one like any other, but never in the events.
    #[must_use]
    pub fn item(&self, number: u32) -> ShopItem {
        let category = self.category(number);
        let sold_out = f64::from(self.pick(ask::STOCK, number.into(), 1 << 24)) / f64::from(1 << 24);
        let stock = if sold_out < self.params.sold_out_share { 0 } else { 1 + (sold_out * 100.0) as u32 };
        ShopItem {
            number,
            id: Self::item_key(number),
            category: self.category_path(category),
            brand: self.brand_name(self.brand(number)),
            price: f64::from((self.price(number) * 100.0).round()) / 100.0,
            stock,
            released: self.released(number),
        }
    }

    /// All items of the catalogue by number.
    pub fn items(&self) -> impl ExactSizeIterator<Item = ShopItem> + '_ {
        (0..self.params.items as usize).map(|number| self.item(number as u32))
    }

    /// The catalogue: attributes `category` and `brand`, price, stock and release. `O(items)`.
    ///
    /// # Errors
    /// [`CatalogError`], which no shop is known to meet.
    pub fn catalog(&self) -> Result<Catalog, CatalogError> {
        let mut builder = CatalogBuilder::default()
            .attribute("category", AttributeKind::Category)?
            .attribute("brand", AttributeKind::Tags)?;
        for item in self.items() {
            let record = ItemRecord::new(&item.id)
                .category("category", &item.category)
                .tag("brand", &item.brand)
                .price(item.price)
                .stock(item.stock);
            builder.add(&match item.released {
                Some(at) => record.released(at),
                None => record,
            })?;
        }
        Ok(builder.build())
    }

    /// The path of a category, `department > category`.
    #[must_use]
    pub fn category_path(&self, category: u32) -> String {
        format!("department {} > category {category}", category % self.params.departments)
    }

    /// The name of a brand.
    #[must_use]
    pub fn brand_name(&self, brand: u32) -> String {
        format!("brand {brand}")
    }

    /// Milliseconds from the first event to the end.
    pub(super) fn length(&self) -> i64 {
        i64::from(self.params.days) * 86_400_000
    }

    pub(super) fn loved_brand(&self, who: u64) -> u32 {
        self.pick(ask::LOVED_BRAND, who, self.params.brands)
    }

    /// Category number `nth` a shopper likes; two may be the same.
    pub(super) fn liked(&self, who: u64, nth: u32) -> u32 {
        self.pick(
            ask::TASTE,
            who.wrapping_mul(16).wrapping_add(nth.into()),
            self.params.categories.min(self.params.items),
        )
    }

    fn pick(&self, question: u64, of: u64, n: u32) -> u32 {
        (((hash(self.params.seed, question, of) >> 32) * u64::from(n)) >> 32) as u32
    }
}

impl EventSource for &SyntheticShop {
    type Error = std::convert::Infallible;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Self::Error> {
        Stream::new(self).run(sink);
        Ok(())
    }
}
