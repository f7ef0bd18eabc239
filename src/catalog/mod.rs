//! What is sold? Attributes by column, price, stock, release and expiry dates.

mod column;
mod select;
mod shelf;

pub use column::AttributeKind;
pub use select::{CompiledSelect, Select, SelectError};
pub use shelf::Shelf;

use std::sync::Arc;

use crate::ids::IdMap;
use crate::time::Timestamp;
use column::Column;

/// The number of an attribute within one catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributeId(u16);

/// Items and what is known of them, immutable. Cheap to clone; an update copies only the columns it changes.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    items: Arc<IdMap>,
    attributes: Vec<(Box<str>, Column)>,
    /// NaN for none.
    price: Arc<Vec<f64>>,
    /// `u32::MAX` for "not said".
    stock: Arc<Vec<u32>>,
    /// Release and expiry, `i64::MIN` and `i64::MAX` for none.
    dates: Arc<Vec<(i64, i64)>>,
}

impl Catalog {
    /// How many items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The row of an item.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<u32> {
        self.items.get(id)
    }

    /// The id of a row; `""` beyond the last.
    #[must_use]
    pub fn key(&self, row: u32) -> &str {
        self.items.key(row).unwrap_or_default()
    }

    /// All ids in the order of their rows.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.items.iter()
    }

    /// An attribute by name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<AttributeId> {
        self.attributes.iter().position(|(n, _)| &**n == name).map(|i| AttributeId(i as u16))
    }

    pub(crate) fn column(&self, attribute: AttributeId) -> Option<&Column> {
        self.attributes.get(attribute.0 as usize).map(|(_, column)| column)
    }

    pub(crate) fn price(&self, row: u32) -> Option<f64> {
        self.price.get(row as usize).copied().filter(|p| !p.is_nan())
    }

    pub(crate) fn stock(&self, row: u32) -> Option<u32> {
        self.stock.get(row as usize).copied().filter(|&s| s != u32::MAX)
    }

    pub(crate) fn released(&self, row: u32) -> Option<Timestamp> {
        let &(released, _) = self.dates.get(row as usize)?;
        (released != i64::MIN).then(|| Timestamp::from_millis(released))
    }

    pub(crate) fn available(&self, row: u32, now: Timestamp) -> bool {
        let in_stock = self.stock.get(row as usize).is_none_or(|&stock| stock != 0);
        let in_season = self
            .dates
            .get(row as usize)
            .is_none_or(|&(released, expires)| released <= now.millis() && now.millis() < expires);
        in_stock && in_season
    }
}
