//! A catalogue by hand.

use std::sync::Arc;

use super::column::{AttributeKind, Column};
use super::error::CatalogError;
use super::record::ItemRecord;
use super::write::Put;
use super::{AttributeId, Catalog};
use crate::ids::MAX_ID_BYTES;

/// Collects items and turns them into a [`Catalog`].
///
/// Declare the attributes first. An item given twice counts once: the later record replaces the earlier one whole, and
/// [`replaced`](Self::replaced) counts it. To go on from a finished catalogue, perhaps with a further attribute, make a
/// builder of it with `CatalogBuilder::from`; for prices and stock, [`Catalog::update`] is shorter.
///
/// # Example
/// ```
/// use likewise::{AttributeKind, CatalogBuilder, ItemRecord};
/// let mut builder = CatalogBuilder::default()
///     .attribute("category", AttributeKind::Category)?
///     .attribute("brand", AttributeKind::Tags)?;
/// builder.add(&ItemRecord::new("mug").category("category", "Home > Kitchen").tag("brand", "Acme").price(7.5))?;
/// builder.add(&ItemRecord::new("tea").category("category", "Food").stock(0))?;
/// let error = builder.add(&ItemRecord::new("lid").price(f64::NAN)).unwrap_err();
/// assert_eq!(error.to_string(), "the price of item `lid` is NaN; expected a finite number of at least 0, or none");
/// let catalog = builder.build();
/// assert_eq!(catalog.keys().collect::<Vec<_>>(), ["mug", "tea"]);
/// # Ok::<(), likewise::CatalogError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CatalogBuilder {
    catalog: Catalog,
    replaced: u64,
}

impl From<Catalog> for CatalogBuilder {
    fn from(catalog: Catalog) -> Self {
        Self { catalog, replaced: 0 }
    }
}

impl CatalogBuilder {
    /// With an attribute more. One that was declared before as the same kind stays as it is.
    ///
    /// # Errors
    /// [`CatalogError::AttributeName`], [`CatalogError::DeclaredTwice`] for two kinds of one name, and
    /// [`CatalogError::TooManyAttributes`] beyond 65,535.
    pub fn attribute(mut self, name: &str, kind: AttributeKind) -> Result<Self, CatalogError> {
        self.declare(name, kind)?;
        Ok(self)
    }

    pub(super) fn declare(&mut self, name: &str, kind: AttributeKind) -> Result<(), CatalogError> {
        if name.is_empty() || name.len() > MAX_ID_BYTES {
            return Err(CatalogError::AttributeName { bytes: name.len() });
        }
        match self.catalog.attribute(name).map(|id| self.catalog.kind(id)) {
            Some(first) if first != kind => {
                Err(CatalogError::DeclaredTwice { attribute: name.to_owned(), first, second: kind })
            }
            Some(_) => Ok(()),
            None if self.catalog.attributes.len() == AttributeId::LIMIT => {
                Err(CatalogError::TooManyAttributes { limit: AttributeId::LIMIT })
            }
            None => {
                self.catalog.attributes.push((name.into(), Column::new(kind)));
                Ok(())
            }
        }
    }

    /// Takes one item, in place of an earlier one with the same id.
    ///
    /// # Errors
    /// Any [`CatalogError`] about the item; the builder is then as before.
    pub fn add(&mut self, item: &ItemRecord<'_>) -> Result<(), CatalogError> {
        self.catalog.check_record(item)?;
        if self.catalog.put_record(item)? != Put::Added {
            self.replaced += 1;
        }
        Ok(())
    }

    /// How many records replaced an earlier one of the same item.
    #[must_use]
    pub const fn replaced(&self) -> u64 {
        self.replaced
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.catalog.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.catalog.is_empty()
    }

    /// The catalogue.
    #[must_use]
    pub fn build(self) -> Catalog {
        let mut catalog = self.catalog;
        Arc::get_mut(&mut catalog.items).into_iter().for_each(crate::ids::IdMap::shrink);
        catalog.attributes.iter_mut().for_each(|(_, column)| column.shrink());
        Arc::get_mut(&mut catalog.price).into_iter().for_each(Vec::shrink_to_fit);
        Arc::get_mut(&mut catalog.stock).into_iter().for_each(Vec::shrink_to_fit);
        Arc::get_mut(&mut catalog.dates).into_iter().for_each(Vec::shrink_to_fit);
        catalog
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_end_where_their_numbers_do() {
        let mut full = CatalogBuilder::default();
        full.catalog.attributes =
            (0..AttributeId::LIMIT).map(|i| (format!("a{i}").into(), Column::new(AttributeKind::Number))).collect();
        let error = full.clone().attribute("one more", AttributeKind::Number).unwrap_err();
        assert_eq!(error, CatalogError::TooManyAttributes { limit: AttributeId::LIMIT });
        assert!(full.attribute("a7", AttributeKind::Number).is_ok());
    }
}
