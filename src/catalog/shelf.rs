//! The items of a snapshot: the dataset's numbering joined with the catalogue.

use std::sync::Arc;

use super::column::{AttributeKind, Column};
use super::{ALWAYS, AttributeId, Catalog, REMOVED};
use crate::dataset::{Dataset, MemoryReport};
use crate::ids::{ItemIdx, Lineage};
use crate::persist::{Loader, PersistError, Portable, Saver};
use crate::time::Timestamp;

/// "Not in the catalogue."
const NO_ROW: u32 = u32::MAX;

/// Items as requests see them: those of the dataset under their numbers, then those only the catalogue knows.
///
/// A catalogue update makes a new shelf ([`renewed`](Self::renewed)) and refits nothing. Numbers at or beyond [`Dataset::n_items`] mean something
/// within this shelf only. Memory: 20 bytes an item and 4 a catalogue row, beside the shared catalogue.
#[derive(Clone, Debug)]
pub struct Shelf {
    lineage: Lineage,
    catalog: Arc<Catalog>,
    /// Catalogue row of each item.
    row_of: Arc<[u32]>,
    /// Item of each catalogue row.
    item_of: Arc<[ItemIdx]>,
    /// From when until when, both included, each item is for sale: stock, dates and removal in one look-up, as a request
    /// asks for it a thousand times.
    season: Vec<(i64, i64)>,
    n_known: usize,
}

impl Shelf {
    /// Joins the numbering of `data` with `catalog`. `O(items)` lookups.
    #[must_use]
    pub fn new(data: &Dataset, catalog: Arc<Catalog>) -> Self {
        let n_known = data.n_items();
        let mut row_of: Vec<u32> = data.item_keys().map(|key| catalog.row(key).unwrap_or(NO_ROW)).collect();
        let mut item_of = vec![ItemIdx::new(u32::MAX); catalog.len()];
        for (item, &row) in row_of.iter().enumerate() {
            if row != NO_ROW {
                item_of[row as usize] = ItemIdx::new(item as u32);
            }
        }
        for (row, item) in item_of.iter_mut().enumerate() {
            if item.get() == u32::MAX {
                *item = ItemIdx::new(row_of.len() as u32);
                row_of.push(row as u32);
            }
        }
        Self::joined(data.lineage(), catalog, row_of.into(), item_of.into(), n_known)
    }

    /// This shelf with the catalogue after an update: joins anew only when there are new items, or another dataset.
    /// `O(items)`, without lookups for news of prices, stock, dates and values.
    #[must_use]
    pub fn renewed(&self, data: &Dataset, catalog: Arc<Catalog>) -> Self {
        let same_items = Arc::ptr_eq(&self.catalog.items, &catalog.items);
        if same_items && self.lineage == data.lineage() && self.n_known == data.n_items() {
            Self::joined(self.lineage, catalog, self.row_of.clone(), self.item_of.clone(), self.n_known)
        } else {
            Self::new(data, catalog)
        }
    }

    fn joined(
        lineage: Lineage,
        catalog: Arc<Catalog>,
        row_of: Arc<[u32]>,
        item_of: Arc<[ItemIdx]>,
        n_known: usize,
    ) -> Self {
        let season = |&row: &u32| if row == NO_ROW { ALWAYS } else { catalog.season(row) };
        let season = row_of.iter().map(season).collect();
        Self { lineage, catalog, row_of, item_of, season, n_known }
    }

    /// A shelf without catalogue.
    #[must_use]
    pub fn bare(data: &Dataset) -> Self {
        Self::new(data, Arc::default())
    }

    /// The same with `extra` items at the end that neither the dataset nor the catalogue knows.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn padded(&self, extra: usize) -> Self {
        let row_of = self.row_of.iter().copied().chain(std::iter::repeat_n(NO_ROW, extra)).collect();
        Self::joined(self.lineage, Arc::clone(&self.catalog), row_of, Arc::clone(&self.item_of), self.n_known)
    }

    /// The catalogue.
    #[must_use]
    pub const fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Items in all: of the dataset and of the catalogue.
    #[must_use]
    pub fn n_items(&self) -> usize {
        self.row_of.len()
    }

    /// The number of an item, through the dataset it was joined with or the catalogue.
    #[must_use]
    pub fn item(&self, data: &Dataset, id: &str) -> Option<ItemIdx> {
        data.item(id).or_else(|| self.catalog.row(id).map(|row| self.item_of[row as usize]))
    }

    /// The id of an item; `""` for an unknown number.
    #[must_use]
    pub fn key<'a>(&'a self, data: &'a Dataset, item: ItemIdx) -> &'a str {
        if item.as_usize() < self.n_known {
            data.item_key(item)
        } else {
            self.row(item).map_or("", |r| self.catalog.key(r))
        }
    }

    /// The catalogue row of an item.
    #[inline]
    #[must_use]
    pub fn row(&self, item: ItemIdx) -> Option<u32> {
        self.row_of.get(item.as_usize()).copied().filter(|&row| row != NO_ROW)
    }

    /// The item of a catalogue row.
    #[inline]
    pub(crate) fn item_at(&self, row: u32) -> Option<ItemIdx> {
        self.item_of.get(row as usize).copied()
    }

    /// An attribute by name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<AttributeId> {
        self.catalog.attribute(name)
    }

    /// What an attribute holds.
    #[must_use]
    pub fn kind(&self, attribute: AttributeId) -> Option<AttributeKind> {
        self.catalog.column(attribute).map(Column::kind)
    }

    /// The dictionary codes an item has for a category or tag attribute, ascending; none for other kinds.
    #[inline]
    #[must_use]
    pub fn codes(&self, item: ItemIdx, attribute: AttributeId) -> &[u32] {
        match (self.row(item), self.catalog.column(attribute)) {
            (Some(row), Some(Column::Coded(_, column))) => column.codes(row as usize),
            _ => &[],
        }
    }

    /// How many dictionary codes a category or tag attribute has.
    #[must_use]
    pub fn n_codes(&self, attribute: AttributeId) -> usize {
        match self.catalog.column(attribute) {
            Some(Column::Coded(_, column)) => column.dictionary.len(),
            _ => 0,
        }
    }

    /// The dictionary code of a value; a category path is spelled `Home > Kitchen`.
    #[must_use]
    pub fn code(&self, attribute: AttributeId, value: &str) -> Option<u32> {
        match self.catalog.column(attribute) {
            Some(Column::Coded(_, column)) => column.dictionary.get(value),
            _ => None,
        }
    }

    /// The value of a dictionary code.
    #[must_use]
    pub fn value(&self, attribute: AttributeId, code: u32) -> Option<&str> {
        match self.catalog.column(attribute) {
            Some(Column::Coded(_, column)) => column.dictionary.key(code),
            _ => None,
        }
    }

    /// The most specific code of a category path (its last prefix), or the first of several tags. Of several paths it
    /// is the one whose last prefix came to the catalogue last.
    #[must_use]
    pub fn leaf(&self, item: ItemIdx, attribute: AttributeId) -> Option<u32> {
        let codes = self.codes(item, attribute);
        match self.catalog.column(attribute)?.kind() {
            // Prefixes are interned parent first, so the deepest has the largest code of its own path.
            AttributeKind::Category => codes.last().copied(),
            _ => codes.first().copied(),
        }
    }

    /// The number an item has for a numeric attribute.
    #[must_use]
    pub fn number(&self, item: ItemIdx, attribute: AttributeId) -> Option<f64> {
        match (self.row(item), self.catalog.column(attribute)) {
            (Some(row), Some(Column::Number(column))) => column.get(row as usize).copied().filter(|v| !v.is_nan()),
            _ => None,
        }
    }

    /// The text an item has for a text attribute.
    #[must_use]
    pub fn text(&self, item: ItemIdx, attribute: AttributeId) -> Option<&str> {
        match (self.row(item), self.catalog.column(attribute)) {
            (Some(row), Some(Column::Text(column))) => column.get(row as usize).map(|t| &**t).filter(|t| !t.is_empty()),
            _ => None,
        }
    }

    /// The price of one unit, in the shop's currency.
    #[must_use]
    pub fn price(&self, item: ItemIdx) -> Option<f64> {
        self.row(item).and_then(|row| self.catalog.price(row))
    }

    /// The units in stock; `None` when the shop does not say.
    #[must_use]
    pub fn stock(&self, item: ItemIdx) -> Option<u32> {
        self.row(item).and_then(|row| self.catalog.stock(row))
    }

    /// When the item was or will be released.
    #[must_use]
    pub fn released(&self, item: ItemIdx) -> Option<Timestamp> {
        self.row(item).and_then(|row| self.catalog.released(row))
    }

    /// Whether the item was removed from the catalogue. A removed item is never recommended, filters or not.
    #[inline]
    #[must_use]
    pub fn is_removed(&self, item: ItemIdx) -> bool {
        self.season.get(item.as_usize()) == Some(&REMOVED)
    }

    /// Whether the item can be sold at `now`: not removed, not known to be out of stock, released, and not yet expired
    /// (it is off sale from the moment of expiry on). An item that is not in the catalogue is sold, as nothing says
    /// otherwise; a number beyond [`n_items`](Self::n_items) is no item and is not.
    #[inline]
    #[must_use]
    pub fn available(&self, item: ItemIdx, now: Timestamp) -> bool {
        self.season.get(item.as_usize()).is_some_and(|&(from, until)| from <= now.millis() && now.millis() <= until)
    }

    /// The heap bytes it holds, by part, the catalogue's included.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let joins = size_of_val(&*self.row_of) + size_of_val(&*self.item_of);
        MemoryReport::default()
            .with("joins", joins)
            .with("seasons", self.season.capacity() * size_of::<(i64, i64)>())
            .with_all("catalogue", &self.catalog.memory_report())
    }
}

/// What a model remembers of the shelf it was fitted on: which items there were, under which numbers. Nothing about them.
impl Portable for Shelf {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.part("lineage", &self.lineage)?;
        out.part("items", &self.catalog.items)?;
        out.column("row_of", &self.row_of)?;
        out.column("item_of", &self.item_of)?;
        out.part("n_known", &self.n_known)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let catalog = Arc::new(Catalog::bare(from.part("items")?));
        let (row_of, item_of): (Vec<u32>, Vec<ItemIdx>) = (from.part("row_of")?, from.part("item_of")?);
        let n_known: usize = from.part("n_known")?;
        let sound = item_of.len() == catalog.len()
            && n_known <= row_of.len()
            && row_of.iter().all(|&row| row == NO_ROW || (row as usize) < catalog.len())
            && item_of.iter().all(|item| item.as_usize() < row_of.len());
        if !sound {
            return Err(from.unsound("joins numbers that are not there"));
        }
        Ok(Self::joined(from.part("lineage")?, catalog, row_of.into(), item_of.into(), n_known))
    }
}
