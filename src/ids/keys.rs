//! Key text and the tables that find a key's number: what every numbering is made of.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::{MAX_IDS, TooManyIds};
use crate::kernel::column::Column;
use crate::persist::portable;

/// The number of the next key, after `known` of them.
fn next_id(known: usize, what: &'static str) -> Result<u32, TooManyIds> {
    u32::try_from(known).ok().filter(|&n| n < MAX_IDS).ok_or(TooManyIds { what, limit: MAX_IDS })
}

/// Key text laid end to end: `8 + len` bytes a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyArena {
    /// UTF-8 each.
    pub(super) bytes: Column<u8>,
    pub(super) ends: Column<u64>,
}

impl KeyArena {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    #[cfg(any(feature = "csv", feature = "json"))]
    pub(super) fn clear(&mut self) {
        self.bytes.own().clear();
        self.ends.own().clear();
    }

    pub(crate) fn push(&mut self, key: &str) {
        self.bytes.own().extend_from_slice(key.as_bytes());
        self.ends.push(self.bytes.len() as u64);
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |i| self.ends[i] as usize);
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }

    /// Whether the key that lies at `start` reads `key`, given that it is as long.
    fn reads(&self, start: usize, key: &str) -> bool {
        self.bytes.get(start..start + key.len()).is_some_and(|known| same(known, key.as_bytes()))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u64>()
    }

    /// Bytes held once `n` keys more came, with what growing takes for a moment; their texts are the first to come.
    pub(super) fn bytes_ahead(&self, n: usize) -> usize {
        let growing = |free: usize| if free < n { 3 } else { 1 };
        let (ends, bytes) = (self.ends.capacity() - self.ends.len(), self.bytes.capacity() - self.bytes.len());
        self.bytes.capacity() * growing(bytes / 64) + self.ends.capacity() * size_of::<u64>() * growing(ends)
    }

    /// Bytes that the keys need, with a table to find them by; whatever room there is beside.
    pub(super) fn key_bytes(&self) -> usize {
        self.bytes.len() + self.len() * (size_of::<u64>() + 2 * size_of::<Entry>())
    }

    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Whether two texts of one length are the same. Most keys are short: two words each, and no call.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    let ends = || Some((a.first_chunk()?, a.last_chunk()?, b.first_chunk()?, b.last_chunk()?));
    match ends() {
        Some((a_first, a_last, b_first, b_last)) if a.len() <= 16 => {
            let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
            (word(a_first) ^ word(b_first)) | (word(a_last) ^ word(b_last)) == 0
        }
        Some(_) => a == b,
        None => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

/// Numbers by key text, over a [`KeyArena`].
///
/// An entry holds a piece of the hash and where its key lies, so that a lookup of a known key touches two places in
/// memory, the entry and the text, and growing touches no text at all. With the number alone (4 bytes an entry instead
/// of 16) a lookup went to the arena's ends as well, and growing hashed every key again. 2026-11-22, two million events
/// of 100,000 shoppers with a session id a shopper and day, alternating: 0.85 M events/s with the number alone, 1.05 M with the entry.
///
/// What came from a file is found in the table that lies there; only what was added since is in this one.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyTable {
    pub(super) grown: HashTable<Entry>,
    pub(super) filed: Option<FiledTable>,
}

/// Numbers by key text as a file holds them: the slots of bucket `b`, the leading bits of the hash, are
/// `starts[b]..starts[b + 1]`. A slot is the hash above the number. Nothing is built when a file is opened.
#[derive(Debug, Clone)]
pub(super) struct FiledTable {
    pub(super) starts: Column<u32>,
    pub(super) slots: Column<u64>,
}

impl FiledTable {
    /// Of the keys of these numbers, ascending. `O(keys)`.
    pub(super) fn of(arena: &KeyArena, numbers: impl Iterator<Item = usize>) -> Self {
        let hashed = |number| (KeyTable::hash(arena.get(number).unwrap_or_default()), number as u32);
        let keys: Vec<(u32, u32)> = numbers.map(hashed).collect();
        let buckets = keys.len().next_power_of_two();
        let bucket = |hash: u32| ((u64::from(hash) * buckets as u64) >> 32) as usize;
        let mut starts = vec![0u32; buckets + 1];
        keys.iter().for_each(|&(hash, _)| starts[bucket(hash) + 1] += 1);
        (0..buckets).for_each(|b| starts[b + 1] += starts[b]);
        let (mut next, mut slots) = (starts.clone(), vec![0u64; keys.len()]);
        for (hash, number) in keys {
            let at = &mut next[bucket(hash)];
            slots[*at as usize] = u64::from(hash) << 32 | u64::from(number);
            *at += 1;
        }
        Self { starts: starts.into(), slots: slots.into() }
    }

    pub(super) fn find(&self, arena: &KeyArena, hash: u32, key: &str) -> Option<u32> {
        let buckets = self.starts.len().saturating_sub(1) as u64;
        let bucket = ((u64::from(hash) * buckets) >> 32) as usize;
        let (from, to) = (*self.starts.get(bucket)?, *self.starts.get(bucket + 1)?);
        let mut slots = self.slots.get(from as usize..to as usize)?.iter();
        let is = |&&slot: &&u64| (slot >> 32) as u32 == hash && arena.get(slot as u32 as usize) == Some(key);
        slots.find(is).map(|&slot| slot as u32)
    }
}

portable!(FiledTable { starts, slots });

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    hash: u32,
    index: u32,
    /// Start of the key in the arena, and its length where that is below [`Entry::LONG`].
    place: u64,
}

impl Entry {
    /// From this length on the length is looked up in the arena.
    const LONG: u64 = (1 << 24) - 1;

    fn new(hash: u32, index: u32, start: u64, len: usize) -> Self {
        Self { hash, index, place: start << 24 | (len as u64).min(Self::LONG) }
    }

    fn is(&self, hash: u32, key: &str, arena: &KeyArena) -> bool {
        self.hash == hash
            && match self.place & Self::LONG {
                Self::LONG => arena.get(self.index as usize) == Some(key),
                len => len == key.len() as u64 && arena.reads((self.place >> 24) as usize, key),
            }
    }

    /// Spreads the kept piece of the hash over the bits that the table looks at (Fibonacci hashing).
    const fn spread(hash: u32) -> u64 {
        (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl KeyTable {
    fn hash(key: &str) -> u32 {
        (xxh3_64(key.as_bytes()) >> 32) as u32
    }

    pub(super) fn find(&self, arena: &KeyArena, key: &str) -> Option<u32> {
        let hash = Self::hash(key);
        let filed = self.filed.as_ref().and_then(|filed| filed.find(arena, hash, key));
        filed.or_else(|| {
            self.grown.find(Entry::spread(hash), |entry| entry.is(hash, key, arena)).map(|entry| entry.index)
        })
    }

    #[cfg(any(feature = "csv", feature = "json"))]
    pub(super) fn clear(&mut self) {
        self.grown.clear();
        self.filed = None;
    }

    pub(super) fn intern(&mut self, arena: &mut KeyArena, key: &str, what: &'static str) -> Result<u32, TooManyIds> {
        let hash = Self::hash(key);
        let spread = Entry::spread(hash);
        if let Some(found) = self.filed.as_ref().and_then(|filed| filed.find(arena, hash, key)) {
            return Ok(found);
        }
        if let Some(found) = self.grown.find(spread, |entry| entry.is(hash, key, arena)) {
            return Ok(found.index);
        }
        let next = next_id(arena.len(), what)?;
        let start = arena.bytes.len() as u64;
        arena.push(key);
        self.grown.insert_unique(spread, Entry::new(hash, next, start, key.len()), |entry| Entry::spread(entry.hash));
        Ok(next)
    }

    pub(super) fn shrink(&mut self) {
        self.grown.shrink_to_fit(|entry| Entry::spread(entry.hash));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.grown.allocation_size()
    }

    /// Bytes held once `n` keys more came, with what growing takes for a moment.
    pub(super) fn bytes_ahead(&self, n: usize) -> usize {
        let free = self.grown.capacity() - self.grown.len();
        self.grown.allocation_size() * if free < n { 3 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_length_are_told_apart_at_every_byte() {
        for len in 0..40 {
            let a: Vec<u8> = (0..len).collect();
            assert!(same(&a, &a.clone()));
            for at in 0..len as usize {
                let mut b = a.clone();
                b[at] ^= 0x80;
                assert!(!same(&a, &b), "{len} bytes, differing at {at}");
            }
        }
    }

    #[test]
    fn a_catalogue_beyond_32_bits_is_refused() {
        assert_eq!(next_id(MAX_IDS as usize - 1, "items"), Ok(MAX_IDS - 1));
        for known in [MAX_IDS as usize, u32::MAX as usize, usize::MAX] {
            let error = next_id(known, "items").unwrap_err();
            assert_eq!(error, TooManyIds { what: "items", limit: MAX_IDS });
            assert!(error.to_string().contains("split the data"), "{error}");
        }
    }
}
