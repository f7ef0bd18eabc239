//! What changed in the catalogue, as events of its own.

use serde::{Deserialize, Serialize};

use crate::catalog::{AttributeKind, Catalog};
use crate::time::Timestamp;

/// One change to one item at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogNews {
    /// The item.
    pub item: String,
    /// When it changed.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
}

/// What changed about an item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Change {
    /// Its price.
    Price {
        /// Before; above 0.
        from: f64,
        /// After.
        to: f64,
    },
    /// It was sold out or removed, and can be sold again.
    Restocked,
    /// Anything else a trigger may depend on: sold out, new, other dates or attribute values.
    Other,
}

impl CatalogNews {
    /// News of one item.
    #[must_use]
    pub fn new(item: impl Into<String>, at: Timestamp, change: Change) -> Self {
        Self { item: item.into(), at, change }
    }

    /// What is different in `new`, as news of the moment `at`, in the order of its rows. An item can have two pieces of
    /// news. `O(items + values)`.
    ///
    /// # Example
    /// ```
    /// use likewise::decide::trigger::{CatalogNews, Change};
    /// use likewise::{CatalogBuilder, CatalogChange, ItemRecord, Timestamp};
    /// let mut builder = CatalogBuilder::default();
    /// builder.add(&ItemRecord::new("mug").price(8.0).stock(0))?;
    /// let old = builder.build();
    /// let (new, _) = old.update([CatalogChange::price("mug", 6.0), CatalogChange::stock("mug", 4)])?;
    /// let at = Timestamp::from_secs(1_000);
    /// let news = CatalogNews::between(&old, &new, at);
    /// assert_eq!(news[0], CatalogNews::new("mug", at, Change::Price { from: 8.0, to: 6.0 }));
    /// assert_eq!(news[1], CatalogNews::new("mug", at, Change::Restocked));
    /// # Ok::<(), likewise::CatalogError>(())
    /// ```
    #[must_use]
    pub fn between(old: &Catalog, new: &Catalog, at: Timestamp) -> Vec<Self> {
        let mut news = Vec::new();
        for (row, key) in new.keys().enumerate() {
            let row = row as u32;
            let mut tell = |change| news.push(Self::new(key, at, change));
            let Some(was) = old.row(key) else {
                tell(Change::Other);
                continue;
            };
            if let (Some(from), Some(to)) = (old.price(was), new.price(row))
                && from > 0.0
                && from.total_cmp(&to).is_ne()
            {
                tell(Change::Price { from, to });
            } else if old.price(was).map(f64::to_bits) != new.price(row).map(f64::to_bits) {
                tell(Change::Other);
            }
            let sold = |catalog: &Catalog, row| {
                let (from, until) = catalog.season(row);
                from <= until // neither sold out nor removed nor expired for good
            };
            if !sold(old, was) && sold(new, row) {
                tell(Change::Restocked);
            } else if old.season(was) != new.season(row) || !same_values(old, was, new, row) {
                tell(Change::Other);
            }
        }
        news
    }
}

/// Whether an item has the same categories and tags in both.
fn same_values(old: &Catalog, was: u32, new: &Catalog, row: u32) -> bool {
    new.attributes().filter(|(_, kind)| matches!(kind, AttributeKind::Category | AttributeKind::Tags)).all(
        |(name, _)| {
            let values = |catalog: &Catalog, row| {
                let mut values = catalog.coded_values(name, row);
                values.sort_unstable();
                values.into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            values(old, was) == values(new, row)
        },
    )
}
