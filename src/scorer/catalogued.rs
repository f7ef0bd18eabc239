//! Items as a fit numbered them: those of its dataset, then those only its catalogue knew. Content models have an opinion on
//! both, and the numbers of the latter mean something within one shelf only.

use std::sync::Arc;

use super::TrainingSet;
use crate::catalog::Shelf;
use crate::ids::ItemIdx;

/// The items of a fit, found again among those of a request by their catalogue keys. Holds the shelf of the fit: 36 bytes an
/// item, the catalogue shared.
#[derive(Clone, Debug)]
pub(in crate::scorer) struct Catalogued {
    shelf: Option<Shelf>,
    /// Items whose numbers hold for good.
    n_known: usize,
}

impl Catalogued {
    pub(in crate::scorer) fn new(train: &TrainingSet<'_>) -> Self {
        Self { shelf: train.shelf.cloned(), n_known: train.data.n_items() }
    }

    /// Places the fit has.
    pub(in crate::scorer) fn len(&self) -> usize {
        self.shelf.as_ref().map_or(0, Shelf::n_items).max(self.n_known)
    }

    /// The place that `item` of `shelf` has in the fit.
    #[inline]
    pub(in crate::scorer) fn place(&self, shelf: &Shelf, item: ItemIdx) -> Option<usize> {
        if item.as_usize() < self.n_known {
            return Some(item.as_usize());
        }
        let fitted = self.shelf.as_ref()?;
        let row = counterpart(shelf, shelf.row(item)?, fitted)?;
        Some(fitted.item_at(row)?.as_usize()).filter(|&place| place >= self.n_known)
    }

    /// The item of `shelf` that has this place in the fit.
    #[inline]
    pub(in crate::scorer) fn item(&self, shelf: &Shelf, place: usize) -> Option<ItemIdx> {
        let item = ItemIdx::new(place as u32);
        if place < self.n_known {
            return Some(item);
        }
        let fitted = self.shelf.as_ref()?;
        shelf.item_at(counterpart(fitted, fitted.row(item)?, shelf)?)
    }

    /// Items that came to the catalogue after the fit: those in rows it did not have.
    pub(in crate::scorer) fn news<'a>(&'a self, shelf: &'a Shelf) -> impl Iterator<Item = ItemIdx> + 'a {
        let from = self.shelf.as_ref().map_or(0, |fitted| fitted.catalog().len());
        let items = (from..shelf.catalog().len()).filter_map(|row| shelf.item_at(row as u32));
        items.filter(|&item| self.place(shelf, item).is_none())
    }
}

/// The row in the catalogue of `to` of the item in row `row` of the catalogue of `from`. Rows stay what they are from one
/// update to the next, so a look-up is needed only for a catalogue built anew.
fn counterpart(from: &Shelf, row: u32, to: &Shelf) -> Option<u32> {
    let (from, to) = (from.catalog(), to.catalog());
    if Arc::ptr_eq(from, to) {
        return Some(row);
    }
    let key = from.key(row);
    if to.key(row) == key { Some(row).filter(|_| !key.is_empty()) } else { to.row(key) }
}

crate::persist::portable!(Catalogued { shelf, n_known });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{CatalogBuilder, CatalogChange, ItemRecord};
    use crate::consent::{Consented, LawfulBasis, Shopper};
    use crate::dataset::{Dataset, DatasetBuilder};
    use crate::event::{Event, EventKind};
    use crate::time::Timestamp;

    fn dataset(items: &[&str]) -> Dataset {
        let mut builder = DatasetBuilder::default();
        for item in items {
            let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
            builder.push(&Event::new(who, item, EventKind::View, Timestamp::from_secs(1))).unwrap();
        }
        builder.finish().unwrap()
    }

    fn catalogue(items: &[&str]) -> Arc<crate::Catalog> {
        let mut builder = CatalogBuilder::default();
        items.iter().for_each(|item| builder.add(&ItemRecord::new(*item)).unwrap());
        Arc::new(builder.build())
    }

    #[test]
    fn items_are_found_again_in_every_later_shelf() {
        let data = dataset(&["a", "b"]);
        let fitted = Shelf::new(&data, catalogue(&["c", "b", "d"]));
        let places = Catalogued::new(&TrainingSet::with_shelf(&data, &fitted));
        assert_eq!(places.len(), 4);
        let (updated, _) = fitted.catalog().update([CatalogChange::Put(ItemRecord::new("e"))]).unwrap();
        let grown = dataset(&["a", "b", "d"]); // an item of the catalogue got its first event, and with it a number
        let shelves = [
            (&data, fitted.clone()),
            (&data, Shelf::new(&data, Arc::new(updated.clone()))),
            (&grown, Shelf::new(&grown, Arc::new(updated))),
            (&data, Shelf::new(&data, catalogue(&["e", "d", "c", "b"]))),
        ];
        for (data, shelf) in &shelves {
            for key in ["a", "b", "c", "d"] {
                let item = shelf.item(data, key).unwrap();
                let place = places.place(shelf, item).unwrap();
                assert_eq!(fitted.key(&dataset(&["a", "b"]), ItemIdx::new(place as u32)), key);
                assert_eq!(places.item(shelf, place), Some(item));
            }
            let new: Vec<&str> = places.news(shelf).map(|item| shelf.key(data, item)).collect();
            assert!(new.is_empty() || new == ["e"], "{new:?}");
            assert_eq!(shelf.item(data, "e").and_then(|item| places.place(shelf, item)), None);
        }
        let new = |shelf: &Shelf| places.news(shelf).count();
        assert_eq!([new(&shelves[0].1), new(&shelves[1].1), new(&shelves[2].1)], [0, 1, 1]);
        assert_eq!(places.place(&shelves[0].1, ItemIdx::new(99)), None);
    }
}
