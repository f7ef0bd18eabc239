//! Dense indices inside, the shop's own keys at the border.
//!
//! A shop names shoppers and items by strings. Every structure in this crate works on dense `u32` numbers instead, so
//! that a row is a slice and a lookup is an array access. [`IdMap`] is the only place where the two meet. Numbering is
//! append-only: a key keeps its number for the whole life of a [`Lineage`]; removal is a mask, never a renumbering.

mod saved;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::kernel::column::Column;
use crate::persist::portable;

/// The longest key, in bytes, that is accepted as a shopper, item, session or attribute id.
///
/// Longer keys are rejected as a record with [`RejectReason::IdTooLong`](crate::RejectReason::IdTooLong): a key of
/// several kilobytes is always a column mix-up, and one of them would cost more memory than a thousand events.
pub const MAX_ID_BYTES: usize = 4096;

macro_rules! dense_index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[derive(bytemuck::Pod, bytemuck::Zeroable)]
        #[serde(transparent)]
        #[repr(transparent)]
        pub struct $name(u32);

        impl $name {
            /// Wraps a dense number. Only numbers handed out by a dataset or a snapshot mean anything.
            #[must_use]
            pub const fn new(index: u32) -> Self {
                Self(index)
            }

            /// The number as `u32`.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }

            /// The number as an array index.
            #[must_use]
            pub const fn as_usize(self) -> usize {
                self.0 as usize
            }
        }
    };
}

dense_index! {
    /// The dense number of a shopper row: a consented profile or one anonymous session.
    UserIdx
}
dense_index! {
    /// The dense number of an item.
    ItemIdx
}

/// Identifies one append-only numbering of shoppers and items.
///
/// Fitted models remember the lineage they were numbered in; a snapshot refuses to mix two. The caller chooses it (a
/// shop id, a counter, a hash of the tenant's name), because the library draws no entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Lineage(u64);

impl Lineage {
    /// Names a lineage.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The name as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// More than `u32::MAX - 1` distinct keys were offered to one numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the numbering of {what} is full: {limit} distinct keys is the most it holds; split the data by shop or region"
)]
pub struct TooManyIds {
    /// What was being numbered: `items`, `shoppers`, ...
    pub what: &'static str,
    /// The largest number of keys.
    pub limit: u32,
}

/// The largest number of keys one numbering holds (`u32::MAX` itself is kept as "none").
pub(crate) const MAX_IDS: u32 = u32::MAX - 1;

/// The number of the next key, after `known` of them.
fn next_id(known: usize, what: &'static str) -> Result<u32, TooManyIds> {
    u32::try_from(known).ok().filter(|&n| n < MAX_IDS).ok_or(TooManyIds { what, limit: MAX_IDS })
}

/// Key text laid end to end: `8 + len` bytes a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyArena {
    /// UTF-8 each.
    bytes: Column<u8>,
    ends: Column<u64>,
}

impl KeyArena {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    #[cfg(any(feature = "csv", feature = "json"))]
    fn clear(&mut self) {
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
    fn bytes_ahead(&self, n: usize) -> usize {
        let growing = |free: usize| if free < n { 3 } else { 1 };
        let (ends, bytes) = (self.ends.capacity() - self.ends.len(), self.bytes.capacity() - self.bytes.len());
        self.bytes.capacity() * growing(bytes / 64) + self.ends.capacity() * size_of::<u64>() * growing(ends)
    }

    /// Bytes that the keys need, with a table to find them by; whatever room there is beside.
    fn key_bytes(&self) -> usize {
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
struct KeyTable {
    grown: HashTable<Entry>,
    filed: Option<FiledTable>,
}

/// Numbers by key text as a file holds them: the slots of bucket `b`, the leading bits of the hash, are
/// `starts[b]..starts[b + 1]`. A slot is the hash above the number. Nothing is built when a file is opened.
#[derive(Debug, Clone)]
struct FiledTable {
    starts: Column<u32>,
    slots: Column<u64>,
}

impl FiledTable {
    /// Of the keys of these numbers, ascending. `O(keys)`.
    fn of(arena: &KeyArena, numbers: impl Iterator<Item = usize>) -> Self {
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

    fn find(&self, arena: &KeyArena, hash: u32, key: &str) -> Option<u32> {
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
struct Entry {
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

    fn find(&self, arena: &KeyArena, key: &str) -> Option<u32> {
        let hash = Self::hash(key);
        let filed = self.filed.as_ref().and_then(|filed| filed.find(arena, hash, key));
        filed.or_else(|| {
            self.grown.find(Entry::spread(hash), |entry| entry.is(hash, key, arena)).map(|entry| entry.index)
        })
    }

    #[cfg(any(feature = "csv", feature = "json"))]
    fn clear(&mut self) {
        self.grown.clear();
        self.filed = None;
    }

    fn intern(&mut self, arena: &mut KeyArena, key: &str, what: &'static str) -> Result<u32, TooManyIds> {
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

    fn shrink(&mut self) {
        self.grown.shrink_to_fit(|entry| Entry::spread(entry.hash));
    }

    fn heap_bytes(&self) -> usize {
        self.grown.allocation_size()
    }

    /// Bytes held once `n` keys more came, with what growing takes for a moment.
    fn bytes_ahead(&self, n: usize) -> usize {
        let free = self.grown.capacity() - self.grown.len();
        self.grown.allocation_size() * if free < n { 3 } else { 1 }
    }
}

/// An append-only map from string keys to `0..len`, and back.
///
/// Costs about `30 + len(key)` bytes a key. Lookup is one xxh3 hash and, almost always, one comparison.
///
/// # Example
/// ```
/// use likewise::IdMap;
/// let mut items = IdMap::default();
/// let mug = items.intern("mug")?;
/// assert_eq!(items.intern("mug")?, mug);
/// assert_eq!(items.get("mug"), Some(mug));
/// assert_eq!(items.key(mug), Some("mug"));
/// assert_eq!(items.get("spoon"), None);
/// # Ok::<(), likewise::TooManyIds>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct IdMap {
    arena: KeyArena,
    table: KeyTable,
}

impl IdMap {
    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of `key`, if it is known.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<u32> {
        self.table.find(&self.arena, key)
    }

    /// The key of number `index`.
    #[must_use]
    pub fn key(&self, index: u32) -> Option<&str> {
        self.arena.get(index as usize)
    }

    /// The number of `key`, handing out the next one if it is new.
    ///
    /// # Errors
    /// [`TooManyIds`] when the numbering is full.
    pub fn intern(&mut self, key: &str) -> Result<u32, TooManyIds> {
        self.table.intern(&mut self.arena, key, "keys")
    }

    /// All keys in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.arena.get(i).unwrap_or_default())
    }

    /// Forgets all keys, but not the room they took.
    #[cfg(any(feature = "csv", feature = "json"))]
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.table.clear();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.arena.heap_bytes() + self.table.heap_bytes()
    }

    /// Bytes held once `n` keys more came, with what growing takes for a moment.
    pub(crate) fn bytes_ahead(&self, n: usize) -> usize {
        self.arena.bytes_ahead(n) + self.table.bytes_ahead(n)
    }

    pub(crate) fn key_bytes(&self) -> usize {
        self.arena.key_bytes()
    }

    pub(crate) fn shrink(&mut self) {
        self.arena.shrink();
        self.table.shrink();
    }
}

/// The numbering of shopper rows: consented profiles by user id, anonymous sessions by session id.
///
/// The two namespaces share one numbering and never meet: no user id, whatever its text, finds an anonymous row.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShopperMap {
    arena: KeyArena,
    profiled: KeyTable,
    anonymous: KeyTable,
    is_profiled: Vec<bool>,
}

impl ShopperMap {
    pub(crate) fn len(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn profiled(&self, key: &str) -> Option<UserIdx> {
        self.profiled.find(&self.arena, key).map(UserIdx)
    }

    #[cfg(any(feature = "csv", feature = "json"))]
    pub(crate) fn anonymous(&self, session: &str) -> Option<UserIdx> {
        self.anonymous.find(&self.arena, session).map(UserIdx)
    }

    pub(crate) fn intern_profiled(&mut self, key: &str) -> Result<UserIdx, TooManyIds> {
        let index = self.profiled.intern(&mut self.arena, key, "shoppers")?;
        self.is_profiled.resize(self.arena.len(), true);
        Ok(UserIdx(index))
    }

    pub(crate) fn intern_anonymous(&mut self, session: &str) -> Result<UserIdx, TooManyIds> {
        let index = self.anonymous.intern(&mut self.arena, session, "shoppers")?;
        self.is_profiled.resize(self.arena.len(), false);
        Ok(UserIdx(index))
    }

    /// Forgets all keys, but not the room they took.
    #[cfg(any(feature = "csv", feature = "json"))]
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.profiled.clear();
        self.anonymous.clear();
        self.is_profiled.clear();
    }

    pub(crate) fn is_profiled(&self, row: UserIdx) -> bool {
        self.is_profiled.get(row.as_usize()).copied().unwrap_or(false)
    }

    pub(crate) fn key(&self, row: UserIdx) -> Option<&str> {
        self.arena.get(row.as_usize())
    }

    /// Bytes held once `n` keys more came, with what growing takes for a moment.
    pub(crate) fn bytes_ahead(&self, n: usize) -> usize {
        self.arena.bytes_ahead(n)
            + self.profiled.bytes_ahead(n)
            + self.anonymous.bytes_ahead(n)
            + self.is_profiled.capacity()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.arena.heap_bytes() + self.profiled.heap_bytes() + self.anonymous.heap_bytes() + self.is_profiled.capacity()
    }

    pub(crate) fn key_bytes(&self) -> usize {
        self.arena.key_bytes()
    }

    pub(crate) fn shrink(&mut self) {
        self.arena.shrink();
        self.profiled.shrink();
        self.anonymous.shrink();
        self.is_profiled.shrink_to_fit();
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
    fn numbers_are_handed_out_in_order_and_kept() {
        let mut map = IdMap::default();
        for i in 0..1000 {
            assert_eq!(map.intern(&format!("k{i}")), Ok(i));
        }
        assert_eq!(map.intern("k7"), Ok(7));
        assert_eq!(map.len(), 1000);
        assert_eq!(map.iter().nth(999), Some("k999"));
        map.shrink();
        assert_eq!(map.get("k999"), Some(999));
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

    #[test]
    fn an_anonymous_session_is_not_reachable_by_a_user_id() {
        let mut map = ShopperMap::default();
        let anonymous = map.intern_anonymous("same text").unwrap();
        assert_eq!(map.profiled("same text"), None);
        let profiled = map.intern_profiled("same text").unwrap();
        assert_ne!(anonymous, profiled);
        assert!(!map.is_profiled(anonymous) && map.is_profiled(profiled));
    }
}
