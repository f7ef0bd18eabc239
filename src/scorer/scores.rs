//! One scorer's opinions on the candidates of a request, and the candidates themselves.

use std::cmp::Ordering;

use crate::ids::ItemIdx;
use crate::kernel::top_k::top_k_first;

/// An item with a score.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Scored {
    /// The item.
    pub item: ItemIdx,
    /// The score; finite.
    pub score: f32,
}

impl Scored {
    /// The one order of the crate: higher score first, equal scores by ascending item index.
    #[inline]
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }

    /// Score and item in one number, the better the larger: one comparison without a branch, where `total_cmp` and then
    /// `cmp` take two.
    #[inline]
    pub(crate) const fn key(&self) -> u64 {
        let bits = self.score.to_bits();
        let ascending = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        (ascending as u64) << 32 | !self.item.get() as u64
    }

    /// What has this [`key`](Self::key).
    #[inline]
    pub(crate) const fn of_key(key: u64) -> Self {
        let ascending = (key >> 32) as u32;
        let bits = if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending };
        Self { item: ItemIdx::new(!(key as u32)), score: f32::from_bits(bits) }
    }
}

/// Where an item stands in a list, for many lists over one item space: no clearing, no hashing.
///
/// `at[item]` is only believed when the list really holds the item there (a sparse set, Briggs & Torczon 1993).
#[derive(Debug, Default)]
pub(crate) struct Slots {
    at: Vec<u32>,
}

impl Slots {
    pub(crate) fn reserve(&mut self, n_items: usize) {
        if self.at.len() < n_items {
            self.at.resize(n_items, 0);
        }
    }

    #[inline]
    fn find(&self, list: &[ItemIdx], item: ItemIdx) -> Option<usize> {
        let slot = *self.at.get(item.as_usize())? as usize;
        (list.get(slot) == Some(&item)).then_some(slot)
    }
}

/// A set of items: membership in O(1), clearing in O(1), order of insertion kept.
#[derive(Debug, Default)]
pub(crate) struct ItemSet {
    items: Vec<ItemIdx>,
    slots: Slots,
}

impl ItemSet {
    pub(crate) fn reset(&mut self, n_items: usize) {
        self.items.clear();
        self.slots.reserve(n_items);
    }

    #[inline]
    pub(crate) fn contains(&self, item: ItemIdx) -> bool {
        self.slots.find(&self.items, item).is_some()
    }

    /// The place of `item` in the order of insertion.
    #[inline]
    pub(crate) fn position(&self, item: ItemIdx) -> Option<usize> {
        self.slots.find(&self.items, item)
    }

    /// Adds `item`, which must be below `n_items`; `false` when it is in already.
    #[inline]
    pub(crate) fn insert(&mut self, item: ItemIdx) -> bool {
        if self.contains(item) {
            return false;
        }
        self.slots.at[item.as_usize()] = self.items.len() as u32;
        self.items.push(item);
        true
    }

    pub(crate) fn items(&self) -> &[ItemIdx] {
        &self.items
    }
}

/// Items proposed for one request: distinct, in range, and admitted by the request's filters.
pub struct Candidates<'a> {
    admitted: &'a mut ItemSet,
    refused: &'a mut ItemSet,
    n_items: usize,
    unknown: usize,
    admit: &'a dyn Fn(ItemIdx) -> bool,
}

/// What became of a proposed item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposed {
    /// It is a candidate, by this scorer or one before it.
    Admitted,
    /// A filter refused it.
    Refused,
    /// There is no such item. It is counted and reported with the result.
    Unknown,
}

impl<'a> Candidates<'a> {
    pub(crate) fn new(
        admitted: &'a mut ItemSet,
        refused: &'a mut ItemSet,
        n_items: usize,
        admit: &'a dyn Fn(ItemIdx) -> bool,
    ) -> Self {
        Self { admitted, refused, n_items, unknown: 0, admit }
    }

    /// Proposes one item. A filter is asked once an item and request; twice for one that a scan over factors met first.
    pub fn push(&mut self, item: ItemIdx) -> Proposed {
        if item.as_usize() >= self.n_items {
            self.unknown += 1;
            return Proposed::Unknown;
        }
        if self.admitted.contains(item) {
            return Proposed::Admitted;
        }
        if self.refused.contains(item) {
            return Proposed::Refused;
        }
        if (self.admit)(item) {
            self.admitted.insert(item);
            Proposed::Admitted
        } else {
            self.refused.insert(item);
            Proposed::Refused
        }
    }

    /// Proposes items in the order given until `limit` of them are candidates; returns how many are.
    pub fn extend(&mut self, items: impl IntoIterator<Item = ItemIdx>, limit: usize) -> usize {
        let mut kept = 0;
        for item in items {
            if kept == limit {
                break;
            }
            kept += usize::from(self.push(item) == Proposed::Admitted);
        }
        kept
    }

    /// Proposes the best of `scored` until `limit` of them are candidates; returns how many are. `scored` is reordered.
    pub fn extend_top(&mut self, scored: &mut [Scored], limit: usize) -> usize {
        let mut kept = 0;
        let mut rest = scored;
        let mut batch = limit;
        while kept < limit && !rest.is_empty() {
            batch = batch.min(rest.len());
            top_k_first(rest, batch, Scored::order);
            let (best, after) = rest.split_at_mut(batch);
            kept += self.extend(best.iter().map(|s| s.item), limit - kept);
            rest = after;
            batch = batch.saturating_mul(2); // what is refused is often the best: do not go over the rest for each few
        }
        kept
    }

    /// Whether `item`, which is below `n_items`, would be admitted. What a filter refuses is remembered.
    #[inline]
    pub(crate) fn admits(&mut self, item: ItemIdx) -> bool {
        if self.admitted.contains(item) {
            return true;
        }
        if self.refused.contains(item) {
            return false;
        }
        let admitted = (self.admit)(item);
        if !admitted {
            self.refused.insert(item);
        }
        admitted
    }

    /// Proposes items that are [admitted](Self::admits).
    pub(crate) fn extend_admitted(&mut self, items: &[ItemIdx]) {
        for &item in items {
            self.admitted.insert(item);
        }
    }

    /// What decides whether a proposed item is admitted.
    pub(crate) fn filter(&self) -> &'a dyn Fn(ItemIdx) -> bool {
        self.admit
    }

    /// The candidates so far.
    #[must_use]
    pub fn items(&self) -> &[ItemIdx] {
        self.admitted.items()
    }

    /// How many proposals named no item at all.
    #[must_use]
    pub const fn unknown(&self) -> usize {
        self.unknown
    }
}

impl std::fmt::Debug for Candidates<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidates").field("items", &self.items()).finish_non_exhaustive()
    }
}

/// No item, where an item may stand.
pub(crate) const NOBODY: u32 = u32::MAX;

/// One scorer's column over the candidates. A slot left unset means "no opinion", which is not zero.
///
/// Values that are not finite stay unset: this is the one place where that is decided.
pub struct Scores<'a> {
    items: &'a ItemSet,
    values: &'a mut [f32],
    because: &'a mut [u32],
}

impl<'a> Scores<'a> {
    /// An empty column; `values` and `because` are as long as `items`.
    pub(crate) fn new(items: &'a ItemSet, values: &'a mut [f32], because: &'a mut [u32]) -> Self {
        values.fill(f32::NAN);
        because.fill(NOBODY);
        Self { items, values, because }
    }

    /// The candidates, distinct, in the order of the slots.
    #[must_use]
    pub fn items(&self) -> &'a [ItemIdx] {
        self.items.items()
    }

    /// The slot of `item`, if it is a candidate. O(1).
    #[inline]
    #[must_use]
    pub fn slot_of(&self, item: ItemIdx) -> Option<usize> {
        self.items.position(item)
    }

    /// Sets the opinion on slot `slot`; a value that is not finite stays "no opinion".
    #[inline]
    pub fn set(&mut self, slot: usize, score: f32) {
        if score.is_finite() {
            self.values[slot] = score + 0.0; // -0.0 becomes 0.0: equal scores must compare equal
        }
    }

    /// Sets the opinion and the item of the shopper's history (or basket) that speaks loudest for it.
    #[inline]
    pub fn set_because(&mut self, slot: usize, score: f32, evidence: ItemIdx) {
        self.set(slot, score);
        self.because[slot] = evidence.get();
    }

    /// The opinion on a slot, if there is one.
    #[must_use]
    pub fn get(&self, slot: usize) -> Option<f32> {
        self.values.get(slot).copied().filter(|v| !v.is_nan())
    }

    /// The evidence given for a slot.
    #[must_use]
    pub fn because(&self, slot: usize) -> Option<ItemIdx> {
        self.because.get(slot).copied().filter(|&b| b != NOBODY).map(ItemIdx::new)
    }
}

impl std::fmt::Debug for Scores<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..self.values.len()).map(|slot| (self.items()[slot], self.get(slot)))).finish()
    }
}

crate::persist::element!(Scored, "u32f32", |x| Self {
    item: ItemIdx::new(x.item.get().swap_bytes()),
    score: f32::from_bits(x.score.to_bits().swap_bytes()),
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_opinions_are_abstentions_and_zero_has_one_sign() {
        let mut set = ItemSet::default();
        set.reset(4);
        (0..4).for_each(|i| assert!(set.insert(ItemIdx::new(i))));
        let (mut values, mut because) = ([0.0; 4], [0; 4]);
        let mut scores = Scores::new(&set, &mut values, &mut because);
        scores.set(0, f32::NAN);
        scores.set(1, f32::INFINITY);
        scores.set(2, -0.0);
        assert_eq!((scores.get(0), scores.get(1), scores.get(3)), (None, None, None));
        assert_eq!(scores.get(2).map(f32::to_bits), Some(0));
    }

    #[test]
    fn keys_tell_score_and_item() {
        for score in [0.0, 1.5, -1.5, f32::MIN, f32::MAX, 1e-45, -1e-45] {
            for item in [0, 1, 7, u32::MAX - 1] {
                let scored = Scored { item: ItemIdx::new(item), score };
                assert_eq!(Scored::of_key(scored.key()), scored);
            }
        }
    }

    #[test]
    fn proposals_are_distinct_admitted_and_in_range() {
        let (mut admitted, mut refused) = (ItemSet::default(), ItemSet::default());
        admitted.reset(5);
        refused.reset(5);
        let even = |item: ItemIdx| item.get().is_multiple_of(2);
        let mut out = Candidates::new(&mut admitted, &mut refused, 5, &even);
        let mut scored: Vec<Scored> = (0..7).map(|i| Scored { item: ItemIdx::new(i), score: i as f32 }).collect();
        assert_eq!(out.extend_top(&mut scored, 2), 2);
        assert_eq!(out.items(), [ItemIdx::new(4), ItemIdx::new(2)]);
        assert_eq!(out.unknown(), 2);
    }
}
