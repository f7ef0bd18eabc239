//! Dense indices inside, the shop's own keys at the border.
//!
//! A shop names shoppers and items by strings. Every structure in this crate works on dense `u32` numbers instead, so
//! that a row is a slice and a lookup is an array access. [`IdMap`] is the only place where the two meet. Numbering is
//! append-only: a key keeps its number for the whole life of a [`Lineage`]; removal is a mask, never a renumbering.

mod keys;
mod saved;

pub(crate) use keys::KeyArena;
use keys::KeyTable;

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
