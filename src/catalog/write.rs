//! How a catalogue takes an item: all checks first, then every column. Shared by building and updating.

use std::sync::Arc;

use super::column::{Cell, Column, path_prefixes, put};
use super::error::CatalogError;
use super::record::{AttributeValue, ItemRecord};
use super::{AttributeId, Catalog};
use crate::ids::MAX_ID_BYTES;
use crate::time::Timestamp;

impl Catalog {
    pub(super) fn check_record(&self, record: &ItemRecord<'_>) -> Result<(), CatalogError> {
        match record.id.len() {
            0 => return Err(CatalogError::EmptyId),
            bytes if bytes > MAX_ID_BYTES => return Err(CatalogError::IdTooLong { bytes }),
            _ => {}
        }
        check_price(&record.id, record.price)?;
        check_dates(&record.id, record.released, record.expires)?;
        record.values.iter().try_for_each(|(name, value)| self.check_value(&record.id, name, value).map(drop))
    }

    pub(super) fn declared(&self, item: &str, name: &str) -> Result<AttributeId, CatalogError> {
        self.attribute(name)
            .ok_or_else(|| CatalogError::UnknownAttribute { item: item.to_owned(), attribute: name.to_owned() })
    }

    /// The attribute a value is for, when the value fits it.
    pub(super) fn check_value(
        &self,
        item: &str,
        name: &str,
        value: &AttributeValue<'_>,
    ) -> Result<AttributeId, CatalogError> {
        let id = self.declared(item, name)?;
        let (item, attribute) = (|| item.to_owned(), || name.to_owned());
        let (kind, got) = (self.kind(id), value.kind());
        if kind != got {
            return Err(CatalogError::WrongKind { item: item(), attribute: attribute(), kind, got });
        }
        match value {
            AttributeValue::Category(values) | AttributeValue::Tags(values) => {
                match values.iter().map(|value| value.len()).find(|&bytes| bytes > MAX_ID_BYTES) {
                    Some(bytes) => Err(CatalogError::ValueTooLong { item: item(), attribute: attribute(), bytes }),
                    None => Ok(id),
                }
            }
            &AttributeValue::Number(got) if !got.is_finite() => {
                Err(CatalogError::Number { item: item(), attribute: attribute(), got })
            }
            AttributeValue::Number(_) | AttributeValue::Text(_) => Ok(id),
        }
    }

    /// Takes a checked item whole: what it does not say is forgotten. Its row, whether it is new, whether anything
    /// changed.
    pub(super) fn put_record(&mut self, record: &ItemRecord<'_>) -> Result<Put, CatalogError> {
        let known = self.items.get(&record.id);
        let row = match known {
            Some(row) => row,
            None => Arc::make_mut(&mut self.items).intern(&record.id)?,
        };
        let mut changed = false;
        for attribute in 0..self.attributes.len() {
            let name = &self.attributes[attribute].0;
            let value = record.values.iter().find(|(n, _)| **n == **name).map(|(_, value)| value);
            changed |= self.put_value(row, AttributeId(attribute as u16), value)?;
        }
        changed |= self.put_price(row, record.price);
        changed |= self.put_stock(row, record.stock);
        changed |= self.put_dates(row, record.released, record.expires);
        changed |= self.put_removed(row, false);
        Ok(match known {
            None => Put::Added,
            Some(_) if changed => Put::Changed,
            Some(_) => Put::Same,
        })
    }

    /// Writes a checked value, or none; whether that changed anything.
    pub(super) fn put_value(
        &mut self,
        row: u32,
        attribute: AttributeId,
        value: Option<&AttributeValue<'_>>,
    ) -> Result<bool, CatalogError> {
        let row = row as usize;
        let Some((_, column)) = self.attributes.get_mut(attribute.0 as usize) else { return Ok(false) };
        Ok(match column {
            Column::Coded(_, column) => {
                let values: Vec<String> = match value {
                    Some(AttributeValue::Category(paths)) => {
                        paths.iter().flat_map(|path| path_prefixes(path)).collect()
                    }
                    Some(AttributeValue::Tags(tags)) => {
                        tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
                    }
                    _ => Vec::new(),
                };
                if column.holds(row, &values) {
                    return Ok(false);
                }
                Arc::make_mut(column).set(row, values.iter().map(String::as_str))?;
                true
            }
            Column::Text(column) => {
                let text = match value {
                    Some(AttributeValue::Text(text)) => Box::from(&**text),
                    _ => Cell::none(),
                };
                put(column, row, text)
            }
            Column::Number(column) => {
                let number = match value {
                    Some(AttributeValue::Number(number)) => *number,
                    _ => Cell::none(),
                };
                put(column, row, number)
            }
        })
    }

    pub(super) fn put_price(&mut self, row: u32, price: Option<f64>) -> bool {
        put(&mut self.price, row as usize, price.unwrap_or_else(Cell::none))
    }

    pub(super) fn put_stock(&mut self, row: u32, stock: Option<u32>) -> bool {
        // The largest number means "not said".
        put(&mut self.stock, row as usize, stock.map_or_else(Cell::none, |units| units.min(u32::MAX - 1)))
    }

    pub(super) fn put_dates(&mut self, row: u32, released: Option<Timestamp>, expires: Option<Timestamp>) -> bool {
        let (from, until): (i64, i64) = Cell::none();
        put(
            &mut self.dates,
            row as usize,
            (released.map_or(from, Timestamp::millis), expires.map_or(until, Timestamp::millis)),
        )
    }

    pub(super) fn put_removed(&mut self, row: u32, removed: bool) -> bool {
        put(&mut self.removed, row as usize, removed)
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Added,
    Changed,
    Same,
}

pub(super) fn check_price(item: &str, price: Option<f64>) -> Result<(), CatalogError> {
    match price {
        Some(got) if !(got.is_finite() && got >= 0.0) => Err(CatalogError::Price { item: item.to_owned(), got }),
        _ => Ok(()),
    }
}

pub(super) fn check_dates(
    item: &str,
    released: Option<Timestamp>,
    expires: Option<Timestamp>,
) -> Result<(), CatalogError> {
    match (released, expires) {
        (Some(released), Some(expires)) if expires < released => {
            Err(CatalogError::Dates { item: item.to_owned(), released, expires })
        }
        _ => Ok(()),
    }
}
