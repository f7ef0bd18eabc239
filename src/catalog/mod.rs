//! What is sold? Attributes by column, price, stock, release and expiry dates.
//!
//! | to | use | cost |
//! |---|---|---|
//! | fill a catalogue by hand or from files | [`CatalogBuilder`] | `O(values)` |
//! | change prices, stock, values, items | [`Catalog::update`] | a flat copy of each column that changes |
//! | see the items as requests do | [`Shelf`] | one lookup an item, after each change |
//! | name a set of items | [`Select`] | a few tests an item |
//!
//! Nothing here is fitted, so a change never needs a fit: make a catalogue of the old one and the news, and a shelf of
//! it and the dataset.
//!
//! Memory, of 100,000 items: 800 kB price, 400 kB stock, 1.6 MB dates, and a category, brand or number 400 to 800 kB
//! each, as far as the shop says them; texts and ids take their own length and 16 bytes or so.

mod builder;
mod column;
mod error;
#[cfg(any(feature = "csv", feature = "json"))]
mod load;
#[cfg(any(feature = "csv", feature = "json"))]
mod mapping;
mod record;
mod saved;
mod select;
mod shelf;
mod update;
mod write;

pub use builder::CatalogBuilder;
pub use column::AttributeKind;
pub use error::CatalogError;
#[cfg(any(feature = "csv", feature = "json"))]
pub use load::{CatalogLoadError, CatalogReport};
#[cfg(any(feature = "csv", feature = "json"))]
pub use mapping::CatalogColumns;
pub use record::{AttributeValue, ItemRecord};
pub use select::{CompiledSelect, Select, SelectError};
pub use shelf::Shelf;
pub use update::{CatalogChange, UpdateReport};

use std::sync::Arc;

use crate::dataset::MemoryReport;
use crate::ids::IdMap;
use crate::time::Timestamp;
use column::Column;

/// The number of an attribute within one catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributeId(u16);

impl AttributeId {
    /// How many attributes there are numbers for.
    pub(crate) const LIMIT: usize = u16::MAX as usize;
}

/// Items and what is known of them, immutable. Cheap to clone; an update copies only the columns it changes.
///
/// Make one by hand with [`CatalogBuilder`], change it with [`Catalog::update`], and read it, item by item, through a
/// [`Shelf`]. A removed item keeps its row, so rows only ever grow in number.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::{AttributeKind, CatalogBuilder, CatalogChange, DatasetBuilder, ItemRecord, Select, Shelf, Timestamp};
///
/// let mut builder = CatalogBuilder::default().attribute("category", AttributeKind::Category)?;
/// builder.add(&ItemRecord::new("mug").category("category", "Home > Kitchen > Mugs").price(7.5).stock(1))?;
/// builder.add(&ItemRecord::new("tea").category("category", "Food").price(3.0))?;
/// let catalog = builder.build();
///
/// let (catalog, _) = catalog.update([CatalogChange::stock("mug", 0)])?; // the last one was sold
/// let data = DatasetBuilder::default().build()?;
/// let shelf = Shelf::new(&data, Arc::new(catalog));
/// let kitchen = Select::within("category", ["Home > Kitchen"]).compile(&data, &shelf)?;
///
/// let (mug, now) = (shelf.item(&data, "mug").unwrap(), Timestamp::from_secs(1_700_000_000));
/// assert!(kitchen.matches(&shelf, mug, now));
/// assert!(!shelf.available(mug, now));
/// assert_eq!(shelf.price(mug), Some(7.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// From a file:
/// ```
/// # #[cfg(feature = "csv")] {
/// use likewise::{CatalogBuilder, CatalogColumns, Dialect};
/// let text = "sku,type,brand,price,stock\nmug,Home/Kitchen,Acme,7.50,3\ntea,Food,,3.00,many\n";
/// let columns = CatalogColumns::new("sku")
///     .category("category", "type", '/')
///     .tag("brand", "brand")
///     .price("price")
///     .stock("stock");
/// let mut builder = CatalogBuilder::default();
/// let report = builder.read_csv(text.as_bytes(), Dialect::CSV, &columns)?; // or `read_csv_file("items.csv.gz", ..)`
/// assert_eq!(report.rows.to_string(), "2 offered, 1 accepted, 1 rejected\n  1 x stock is not a finite number (lines 3)");
/// assert_eq!(builder.build().stock_of("mug"), Some(3));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    /// Sold no more.
    removed: Arc<Vec<bool>>,
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

    /// All attributes, in the order they were declared.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = (&str, AttributeKind)> {
        self.attributes.iter().map(|(name, column)| (&**name, column.kind()))
    }

    /// The price of an item, if it is known.
    #[must_use]
    pub fn price_of(&self, id: &str) -> Option<f64> {
        self.row(id).and_then(|row| self.price(row))
    }

    /// The units of an item in stock, if the shop says.
    #[must_use]
    pub fn stock_of(&self, id: &str) -> Option<u32> {
        self.row(id).and_then(|row| self.stock(row))
    }

    /// Whether an item was [removed](CatalogChange::Remove).
    #[must_use]
    pub fn is_removed(&self, id: &str) -> bool {
        self.row(id).is_some_and(|row| self.removed.get(row as usize).is_some_and(|&removed| removed))
    }

    /// The heap bytes it holds, by part, whether or not it shares them with an earlier catalogue. `O(texts)`.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let plain = self.price.capacity() * size_of::<f64>()
            + self.stock.capacity() * size_of::<u32>()
            + self.dates.capacity() * size_of::<(i64, i64)>()
            + self.removed.capacity();
        let report =
            MemoryReport::default().with("item keys", self.items.heap_bytes()).with("price, stock, dates", plain);
        self.attributes
            .iter()
            .fold(report, |report, (name, column)| report.with(format!("attribute {name}"), column.heap_bytes()))
    }

    /// What an attribute holds; the id is one of this catalogue.
    pub(crate) fn kind(&self, attribute: AttributeId) -> AttributeKind {
        self.attributes[attribute.0 as usize].1.kind()
    }

    pub(crate) fn column(&self, attribute: AttributeId) -> Option<&Column> {
        self.attributes.get(attribute.0 as usize).map(|(_, column)| column)
    }

    /// The values a row has for a category (each prefix) or tags attribute; none for other kinds and names.
    pub(crate) fn coded_values(&self, name: &str, row: u32) -> Vec<&str> {
        match self.attribute(name).and_then(|id| self.column(id)) {
            Some(Column::Coded(_, column)) => {
                column.codes(row as usize).iter().filter_map(|&code| column.dictionary.key(code)).collect()
            }
            _ => Vec::new(),
        }
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

    /// From when until when (both included) a row is for sale; [`NEVER`] when it is not.
    pub(crate) fn season(&self, row: u32) -> (i64, i64) {
        let row = row as usize;
        let removed = self.removed.get(row).is_some_and(|&removed| removed);
        let sold_out = self.stock.get(row).is_some_and(|&units| units == 0);
        let (released, expires) = self.dates.get(row).copied().unwrap_or((i64::MIN, i64::MAX));
        match expires {
            _ if removed => REMOVED,
            _ if sold_out => NEVER,
            i64::MIN => NEVER,
            i64::MAX => (released, i64::MAX),
            _ => (released, expires - 1),
        }
    }
}

/// The season that holds every moment.
pub(crate) const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);
/// A season that holds no moment.
pub(crate) const NEVER: (i64, i64) = (i64::MAX, i64::MIN);
/// The season of a removed item: it holds no moment, and is told from being sold out.
pub(crate) const REMOVED: (i64, i64) = (i64::MAX, i64::MIN + 1);
