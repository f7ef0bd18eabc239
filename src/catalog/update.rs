//! News about the catalogue: prices, stock, dates, values, whole items. Nothing is fitted anew.

use std::borrow::Cow;

use super::Catalog;
use super::error::CatalogError;
use super::record::{AttributeValue, ItemRecord};
use super::write::{Put, check_dates, check_price};
use crate::time::Timestamp;

/// How many unknown items an [`UpdateReport`] names.
const NAMED: usize = 5;

/// One piece of news about one item.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CatalogChange<'a> {
    /// The price of one unit; `None` for unknown.
    Price {
        /// The item.
        item: Cow<'a, str>,
        /// Finite, at least 0.
        price: Option<f64>,
    },
    /// The units in stock; `None` when the shop does not say.
    Stock {
        /// The item.
        item: Cow<'a, str>,
        /// 0 takes it off sale.
        stock: Option<u32>,
    },
    /// Both dates; `None` for no limit.
    Dates {
        /// The item.
        item: Cow<'a, str>,
        /// On sale from this moment on.
        released: Option<Timestamp>,
        /// Off sale from this moment on.
        expires: Option<Timestamp>,
    },
    /// What the item has for one attribute, in place of what it had; `None` for nothing.
    Value {
        /// The item.
        item: Cow<'a, str>,
        /// A declared attribute.
        attribute: Cow<'a, str>,
        /// A value of the attribute's kind.
        value: Option<AttributeValue<'a>>,
    },
    /// The whole item, new or in place of what was known of it; brings a removed item back.
    Put(ItemRecord<'a>),
    /// The item is sold no more: it is never [available](crate::Shelf::available). Its number and what is known of it
    /// stay, so that past events on it keep their meaning.
    Remove {
        /// The item.
        item: Cow<'a, str>,
    },
}

impl<'a> CatalogChange<'a> {
    /// A new price.
    #[must_use]
    pub fn price(item: impl Into<Cow<'a, str>>, price: f64) -> Self {
        Self::Price { item: item.into(), price: Some(price) }
    }

    /// A new stock count.
    #[must_use]
    pub fn stock(item: impl Into<Cow<'a, str>>, units: u32) -> Self {
        Self::Stock { item: item.into(), stock: Some(units) }
    }

    /// A new value for an attribute.
    #[must_use]
    pub fn value(item: impl Into<Cow<'a, str>>, attribute: impl Into<Cow<'a, str>>, value: AttributeValue<'a>) -> Self {
        Self::Value { item: item.into(), attribute: attribute.into(), value: Some(value) }
    }

    /// The end of an item.
    #[must_use]
    pub fn remove(item: impl Into<Cow<'a, str>>) -> Self {
        Self::Remove { item: item.into() }
    }

    /// The item it is about.
    #[must_use]
    pub fn item(&self) -> &str {
        match self {
            Self::Price { item, .. }
            | Self::Stock { item, .. }
            | Self::Dates { item, .. }
            | Self::Value { item, .. }
            | Self::Remove { item } => item,
            Self::Put(record) => &record.id,
        }
    }
}

/// What one [`Catalog::update`] did: `changed + added + removed + unchanged + unknown` is the number of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateReport {
    /// Changes that made a difference to an item.
    pub changed: u64,
    /// Items that are new.
    pub added: u64,
    /// Items that were removed.
    pub removed: u64,
    /// Changes that said what was known already.
    pub unchanged: u64,
    /// Changes to items the catalogue does not have; they had no effect.
    pub unknown: u64,
    /// The first few of the unknown items.
    pub unknown_items: Vec<String>,
}

impl Catalog {
    /// The catalogue after some changes, in their order. Copies only the columns that change (a flat copy each); all
    /// others are shared with this one. Items keep their rows and values their codes; new ones come after.
    ///
    /// A change to an item that is not there is counted and left out, as a stock feed may run ahead of the item feed. A
    /// change that makes no sense is an error, and the update then has no effect at all.
    ///
    /// # Errors
    /// Any [`CatalogError`] about an item.
    ///
    /// # Example
    /// ```
    /// use likewise::{CatalogBuilder, CatalogChange, ItemRecord};
    /// let mut builder = CatalogBuilder::default();
    /// builder.add(&ItemRecord::new("mug").price(7.5).stock(3))?;
    /// let catalog = builder.build();
    /// let news = [CatalogChange::price("mug", 6.0), CatalogChange::stock("mug", 3), CatalogChange::stock("lid", 1)];
    /// let (after, report) = catalog.update(news)?;
    /// assert_eq!((report.changed, report.unchanged, report.unknown), (1, 1, 1));
    /// assert_eq!((catalog.price_of("mug"), after.price_of("mug")), (Some(7.5), Some(6.0)));
    /// # Ok::<(), likewise::CatalogError>(())
    /// ```
    pub fn update<'a>(
        &self,
        changes: impl IntoIterator<Item = CatalogChange<'a>>,
    ) -> Result<(Self, UpdateReport), CatalogError> {
        let mut next = self.clone();
        let mut report = UpdateReport::default();
        for change in changes {
            next.apply(&change, &mut report)?;
        }
        Ok((next, report))
    }

    fn apply(&mut self, change: &CatalogChange<'_>, report: &mut UpdateReport) -> Result<(), CatalogError> {
        if let CatalogChange::Put(record) = change {
            self.check_record(record)?;
            match self.put_record(record)? {
                Put::Added => report.added += 1,
                Put::Changed => report.changed += 1,
                Put::Same => report.unchanged += 1,
            }
            return Ok(());
        }
        let item = change.item();
        let Some(row) = self.row(item) else {
            report.unknown += 1;
            if report.unknown_items.len() < NAMED {
                report.unknown_items.push(item.to_owned());
            }
            return Ok(());
        };
        let changed = match change {
            CatalogChange::Price { price, .. } => {
                check_price(item, *price)?;
                self.put_price(row, *price)
            }
            CatalogChange::Stock { stock, .. } => self.put_stock(row, *stock),
            CatalogChange::Dates { released, expires, .. } => {
                check_dates(item, *released, *expires)?;
                self.put_dates(row, *released, *expires)
            }
            CatalogChange::Value { attribute, value, .. } => match value {
                Some(value) => {
                    let id = self.check_value(item, attribute, value)?;
                    self.put_value(row, id, Some(value))?
                }
                None => {
                    let id = self.declared(item, attribute)?;
                    self.put_value(row, id, None)?
                }
            },
            CatalogChange::Remove { .. } => {
                if self.put_removed(row, true) {
                    report.removed += 1;
                    return Ok(());
                }
                false
            }
            CatalogChange::Put(_) => false,
        };
        *if changed { &mut report.changed } else { &mut report.unchanged } += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::column::{AttributeKind, Column};
    use crate::catalog::{CatalogBuilder, ItemRecord};

    /// What each part of a catalogue points to.
    fn parts(catalog: &Catalog) -> Vec<(String, *const ())> {
        let plain = [
            ("items", Arc::as_ptr(&catalog.items).cast::<()>()),
            ("price", Arc::as_ptr(&catalog.price).cast()),
            ("stock", Arc::as_ptr(&catalog.stock).cast()),
            ("dates", Arc::as_ptr(&catalog.dates).cast()),
            ("removed", Arc::as_ptr(&catalog.removed).cast()),
        ];
        let columns = catalog.attributes.iter().map(|(name, column)| {
            let at = match column {
                Column::Coded(_, column) => Arc::as_ptr(column).cast::<()>(),
                Column::Text(column) => Arc::as_ptr(column).cast(),
                Column::Number(column) => Arc::as_ptr(column).cast(),
            };
            (name.to_string(), at)
        });
        plain.into_iter().map(|(name, at)| (name.to_owned(), at)).chain(columns).collect()
    }

    fn copied(before: &Catalog, change: CatalogChange<'_>) -> Vec<String> {
        let (after, _) = before.update([change]).unwrap();
        let pairs = parts(before).into_iter().zip(parts(&after));
        pairs.filter(|(old, new)| old.1 != new.1).map(|(old, _)| old.0).collect()
    }

    #[test]
    fn only_what_changes_is_copied() {
        let mut builder = CatalogBuilder::default()
            .attribute("brand", AttributeKind::Tags)
            .and_then(|b| b.attribute("title", AttributeKind::Text))
            .and_then(|b| b.attribute("weight", AttributeKind::Number))
            .unwrap();
        let mug = ItemRecord::new("mug").tag("brand", "Acme").text("title", "Mug").number("weight", 1.0);
        builder.add(&mug.clone().price(2.0).stock(1)).unwrap();
        let shop = builder.build();
        let brand = |name| CatalogChange::value("mug", "brand", AttributeValue::tags([name]));
        assert_eq!(copied(&shop, CatalogChange::price("mug", 3.0)), ["price"]);
        assert_eq!(copied(&shop, CatalogChange::stock("mug", 0)), ["stock"]);
        assert_eq!(copied(&shop, CatalogChange::remove("mug")), ["removed"]);
        assert_eq!(copied(&shop, brand("Bolt")), ["brand"]);
        assert_eq!(copied(&shop, CatalogChange::value("mug", "weight", AttributeValue::Number(2.0))), ["weight"]);
        assert_eq!(copied(&shop, CatalogChange::Put(mug.clone().price(4.0).stock(1))), ["price"]);
        assert_eq!(copied(&shop, CatalogChange::Put(ItemRecord::new("lid").price(1.0))), ["items", "price"]);
        for same in [CatalogChange::price("mug", 2.0), brand("Acme"), CatalogChange::Put(mug.price(2.0).stock(1))] {
            assert_eq!(copied(&shop, same), [""; 0]);
        }
    }
}
