//! The fixed parts of a file: what its first and last bytes and its table are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::PersistError;

/// Sections begin at multiples of this; prelude and trailer are as long.
pub(super) const ALIGN: usize = 64;
/// The format that is written, and the latest that is read.
pub(super) const FORMAT: u32 = 1;

const HEAD: &[u8; 8] = b"LIKEWISE";
const TAIL: &[u8; 8] = b"ESIWEKIL";

/// The next multiple of [`ALIGN`].
pub(super) const fn aligned(at: u64) -> Option<u64> {
    at.checked_next_multiple_of(ALIGN as u64)
}

/// What a file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) sections: Vec<Section>,
    pub(super) values: BTreeMap<String, Value>,
}

/// Where a column lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) shape: Vec<u64>,
    pub(super) at: u64,
    pub(super) bytes: u64,
    pub(super) xxh3: u64,
}

/// Where the table lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    pub(super) table_at: u64,
    pub(super) table_len: u64,
    pub(super) table_xxh3: u64,
    pub(super) file_len: u64,
}

fn sealed(mut block: [u8; ALIGN]) -> [u8; ALIGN] {
    let sum = xxh3_64(&block[..ALIGN - 8]);
    block[ALIGN - 8..].copy_from_slice(&sum.to_le_bytes());
    block
}

fn is_sealed(block: &[u8]) -> bool {
    block.len() == ALIGN && word(block, ALIGN - 8) == xxh3_64(&block[..ALIGN - 8])
}

/// The eight bytes at `at`; 0 beyond the end.
fn word(block: &[u8], at: usize) -> u64 {
    block.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// The first bytes of a file.
pub(super) fn prelude() -> [u8; ALIGN] {
    let mut block = [0; ALIGN];
    block[..8].copy_from_slice(HEAD);
    block[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    sealed(block)
}

/// Whether a file begins as one of this crate.
pub(super) fn check_prelude(bytes: &[u8]) -> Result<(), PersistError> {
    let shown = bytes.len().min(HEAD.len());
    if bytes[..shown] != HEAD[..shown] || shown == 0 {
        return Err(PersistError::Foreign);
    }
    let Some(block) = bytes.get(..ALIGN) else {
        return Err(PersistError::Length { expected: 2 * ALIGN as u64, got: bytes.len() as u64 });
    };
    if !is_sealed(block) {
        return Err(PersistError::Damaged { part: "the prelude".into() });
    }
    let found = word(block, 8) as u32;
    if found == 0 || found > FORMAT {
        return Err(PersistError::Newer { found, known: FORMAT });
    }
    Ok(())
}

impl Trailer {
    pub(super) fn encode(self) -> [u8; ALIGN] {
        let mut block = [0; ALIGN];
        for (place, number) in [self.table_at, self.table_len, self.table_xxh3, self.file_len].into_iter().enumerate() {
            block[8 * place..8 * (place + 1)].copy_from_slice(&number.to_le_bytes());
        }
        block[ALIGN - 16..ALIGN - 8].copy_from_slice(TAIL);
        sealed(block)
    }

    /// The trailer of a file of so many bytes whose prelude is good; `last` are its last bytes. What it says of the table's
    /// place is within the file.
    pub(super) fn decode(last: &[u8], got: u64) -> Result<Self, PersistError> {
        let block = last.len().checked_sub(ALIGN).and_then(|at| last.get(at..)).filter(|_| got >= 2 * ALIGN as u64);
        let Some(block) = block else { return Err(PersistError::Length { expected: 2 * ALIGN as u64, got }) };
        if !is_sealed(block) || block[ALIGN - 16..ALIGN - 8] != TAIL[..] {
            return Err(PersistError::Damaged { part: "the end".into() });
        }
        let trailer = Self {
            table_at: word(block, 0),
            table_len: word(block, 8),
            table_xxh3: word(block, 16),
            file_len: word(block, 24),
        };
        if trailer.file_len != got {
            return Err(PersistError::Length { expected: trailer.file_len, got });
        }
        let end = trailer.table_end().and_then(aligned).and_then(|end| end.checked_add(ALIGN as u64));
        if trailer.table_at < ALIGN as u64 || !trailer.table_at.is_multiple_of(ALIGN as u64) || end != Some(got) {
            return Err(PersistError::unsound("the table", "is not before the end"));
        }
        Ok(trailer)
    }

    /// Where the table ends.
    pub(super) const fn table_end(&self) -> Option<u64> {
        self.table_at.checked_add(self.table_len)
    }
}
