//! Writes a file in one pass.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::PersistError;
use super::layout::{ALIGN, Section, Table, Trailer, aligned, prelude};

/// A file being written.
pub(crate) struct ContainerWriter<'w> {
    out: &'w mut dyn Write,
    at: u64,
    table: Table,
}

fn writing(source: io::Error) -> PersistError {
    PersistError::Io { doing: "written", source }
}

impl<'w> ContainerWriter<'w> {
    pub(crate) fn new(out: &'w mut dyn Write) -> Result<Self, PersistError> {
        out.write_all(&prelude()).map_err(writing)?;
        Ok(Self { out, at: ALIGN as u64, table: Table { sections: Vec::new(), values: BTreeMap::new() } })
    }

    fn align(&mut self) -> Result<(), PersistError> {
        let next = aligned(self.at).unwrap_or(self.at);
        self.out.write_all(&[0; ALIGN][..(next - self.at) as usize]).map_err(writing)?;
        self.at = next;
        Ok(())
    }

    fn set_value(&mut self, name: &str, value: Value) -> Result<(), PersistError> {
        match self.table.values.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(PersistError::unsound(name, "is written twice")),
        }
    }

    fn add_section(&mut self, name: &str, dtype: &str, shape: &[u64], bytes: &[u8]) -> Result<(), PersistError> {
        if self.table.sections.iter().any(|section| section.name == name) {
            return Err(PersistError::unsound(name, "is written twice"));
        }
        self.align()?;
        let (at, len) = (self.at, bytes.len() as u64);
        let section = Section {
            name: name.to_owned(),
            dtype: dtype.to_owned(),
            shape: shape.to_vec(),
            at,
            bytes: len,
            xxh3: xxh3_64(bytes),
        };
        self.out.write_all(bytes).map_err(writing)?;
        self.at += len;
        self.table.sections.push(section);
        Ok(())
    }

    /// Writes the table and the end; bytes written in all.
    pub(crate) fn finish(mut self) -> Result<u64, PersistError> {
        self.align()?;
        let table = serde_json::to_vec(&self.table).map_err(|e| PersistError::unsound("the table", e.to_string()))?;
        let (table_at, table_len, table_xxh3) = (self.at, table.len() as u64, xxh3_64(&table));
        self.out.write_all(&table).map_err(writing)?;
        self.at += table_len;
        self.align()?;
        let file_len = self.at + ALIGN as u64;
        let trailer = Trailer { table_at, table_len, table_xxh3, file_len };
        self.out.write_all(&trailer.encode()).map_err(writing)?;
        self.out.flush().map_err(writing)?;
        Ok(file_len)
    }
}

/// Where a [`Saver`](super::Saver) puts things.
pub(super) trait Sink {
    fn value(&mut self, name: &str, value: Value) -> Result<(), PersistError>;
    fn column(&mut self, name: &str, dtype: &str, shape: &[u64], bytes: &[u8]) -> Result<(), PersistError>;
}

impl Sink for ContainerWriter<'_> {
    fn value(&mut self, name: &str, value: Value) -> Result<(), PersistError> {
        self.set_value(name, value)
    }

    fn column(&mut self, name: &str, dtype: &str, shape: &[u64], bytes: &[u8]) -> Result<(), PersistError> {
        self.add_section(name, dtype, shape, bytes)
    }
}
