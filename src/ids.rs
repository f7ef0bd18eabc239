//! Dense indices inside, the shop's own keys at the border.
//!
//! A shop names shoppers and items by strings. Every structure in this crate works on dense `u32` numbers instead, so
//! that a row is a slice and a lookup is an array access. [`IdMap`] is the only place where the two meet. Numbering is
//! append-only: a key keeps its number for the whole life of a [`Lineage`]; removal is a mask, never a renumbering.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// The longest key, in bytes, that is accepted as a shopper, item, session or attribute id.
///
/// Longer keys are rejected as a record with [`RejectReason::IdTooLong`](crate::RejectReason::IdTooLong): a key of
/// several kilobytes is always a column mix-up, and one of them would cost more memory than a thousand events.
pub const MAX_ID_BYTES: usize = 4096;

macro_rules! dense_index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
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

/// Key text laid end to end: `8 + len` bytes a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyArena {
    bytes: String,
    ends: Vec<u64>,
}

impl KeyArena {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn push(&mut self, key: &str) {
        self.bytes.push_str(key);
        self.ends.push(self.bytes.len() as u64);
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |i| self.ends[i] as usize);
        Some(&self.bytes[start..end])
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u64>()
    }

    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// An append-only map from string keys to `0..len`, and back.
///
/// Costs about `8 + len(key) + 5` bytes a key. Lookup is one xxh3 hash and, almost always, one comparison.
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
    table: HashTable<u32>,
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
        let arena = &self.arena;
        self.table.find(xxh3_64(key.as_bytes()), |&i| arena.get(i as usize) == Some(key)).copied()
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
        let Self { arena, table } = self;
        intern_in(arena, table, key, "keys")
    }

    /// All keys in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.arena.get(i).unwrap_or_default())
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.arena.heap_bytes() + self.table.allocation_size()
    }

    pub(crate) fn shrink(&mut self) {
        self.arena.shrink();
        let arena = &self.arena;
        self.table.shrink_to_fit(|&i| xxh3_64(arena.get(i as usize).unwrap_or_default().as_bytes()));
    }
}

fn intern_in(
    arena: &mut KeyArena,
    table: &mut HashTable<u32>,
    key: &str,
    what: &'static str,
) -> Result<u32, TooManyIds> {
    let hash = xxh3_64(key.as_bytes());
    if let Some(&found) = table.find(hash, |&i| arena.get(i as usize) == Some(key)) {
        return Ok(found);
    }
    let next = u32::try_from(arena.len()).ok().filter(|&n| n < MAX_IDS);
    let next = next.ok_or(TooManyIds { what, limit: MAX_IDS })?;
    arena.push(key);
    table.insert_unique(hash, next, |&i| xxh3_64(arena.get(i as usize).unwrap_or_default().as_bytes()));
    Ok(next)
}

/// The numbering of shopper rows: consented profiles by user id, anonymous sessions by session id.
///
/// The two namespaces share one numbering and never meet: no user id, whatever its text, finds an anonymous row.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShopperMap {
    arena: KeyArena,
    profiled: HashTable<u32>,
    anonymous: HashTable<u32>,
    is_profiled: Vec<bool>,
}

impl ShopperMap {
    pub(crate) fn len(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn profiled(&self, key: &str) -> Option<UserIdx> {
        let arena = &self.arena;
        self.profiled.find(xxh3_64(key.as_bytes()), |&i| arena.get(i as usize) == Some(key)).map(|&i| UserIdx(i))
    }

    pub(crate) fn intern_profiled(&mut self, key: &str) -> Result<UserIdx, TooManyIds> {
        let index = intern_in(&mut self.arena, &mut self.profiled, key, "shoppers")?;
        self.is_profiled.resize(self.arena.len(), true);
        Ok(UserIdx(index))
    }

    pub(crate) fn intern_anonymous(&mut self, session: &str) -> Result<UserIdx, TooManyIds> {
        let index = intern_in(&mut self.arena, &mut self.anonymous, session, "shoppers")?;
        self.is_profiled.resize(self.arena.len(), false);
        Ok(UserIdx(index))
    }

    pub(crate) fn is_profiled(&self, row: UserIdx) -> bool {
        self.is_profiled.get(row.as_usize()).copied().unwrap_or(false)
    }

    pub(crate) fn key(&self, row: UserIdx) -> Option<&str> {
        self.arena.get(row.as_usize())
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.arena.heap_bytes()
            + self.profiled.allocation_size()
            + self.anonymous.allocation_size()
            + self.is_profiled.capacity()
    }

    pub(crate) fn shrink(&mut self) {
        self.arena.shrink();
        let arena = &self.arena;
        let hash = |&i: &u32| xxh3_64(arena.get(i as usize).unwrap_or_default().as_bytes());
        self.profiled.shrink_to_fit(hash);
        self.anonymous.shrink_to_fit(hash);
        self.is_profiled.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_anonymous_session_is_not_reachable_by_a_user_id() {
        let mut map = ShopperMap::default();
        let anonymous = map.intern_anonymous("same text").unwrap();
        assert_eq!(map.profiled("same text"), None);
        let profiled = map.intern_profiled("same text").unwrap();
        assert_ne!(anonymous, profiled);
        assert!(!map.is_profiled(anonymous) && map.is_profiled(profiled));
    }
}
