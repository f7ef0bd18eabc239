//! What a catalogue is in a file.

use std::sync::Arc;

use super::{Catalog, Column};
use crate::ids::IdMap;
use crate::persist::{Loader, PersistError, Portable, Saver};

impl Portable for Catalog {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.part("items", &self.items)?;
        out.value("attributes", &self.attributes.iter().map(|(name, _)| &**name).collect::<Vec<_>>())?;
        for (place, (_, column)) in self.attributes.iter().enumerate() {
            out.part(format_args!("attributes/{place}"), column)?;
        }
        out.part("price", &self.price)?;
        out.part("stock", &self.stock)?;
        out.part("dates", &self.dates)?;
        out.part("removed", &self.removed)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let names: Vec<Box<str>> = from.value("attributes")?;
        let column = |(place, name)| Ok((name, from.part::<Column>(format_args!("attributes/{place}"))?));
        let attributes = names.into_iter().enumerate().map(column).collect::<Result<Vec<_>, PersistError>>()?;
        if attributes.len() > super::AttributeId::LIMIT {
            return Err(from.unsound("has more attributes than there are numbers"));
        }
        Ok(Self {
            items: from.part("items")?,
            attributes,
            price: from.part("price")?,
            stock: from.part("stock")?,
            dates: from.part("dates")?,
            removed: from.part("removed")?,
        })
    }
}

impl Catalog {
    /// Its items and nothing about them.
    pub(super) fn bare(items: Arc<IdMap>) -> Self {
        Self { items, ..Self::default() }
    }
}
