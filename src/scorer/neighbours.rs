//! Each item's weighted list of other items: what every fitted item-to-item model boils down to.

use std::sync::atomic::Ordering;

use super::Scored;
use crate::ids::ItemIdx;
use crate::kernel::column::Column;
use crate::run::{Cancelled, Run};

/// Lists of items with weights, one an item, heaviest first: 8 bytes an entry and 8 an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::scorer) struct Neighbours {
    offsets: Column<u64>,
    near: Column<Scored>,
}

/// Items listed by one task.
const BLOCK: usize = 64;

impl Neighbours {
    /// The list of each item below `n_items`, in parallel: `list(scratch, item, row)` leaves it in `row`, in order
    /// ([`Scored::order`]). The same for any number of threads.
    pub(in crate::scorer) fn build<S>(
        n_items: usize,
        run: &Run<'_>,
        scratch: impl Fn() -> S + Sync + Send,
        list: impl Fn(&mut S, ItemIdx, &mut Vec<Scored>) + Sync + Send,
    ) -> Result<Self, Cancelled> {
        let init = || (scratch(), Vec::new());
        let blocks = run.threads.map_with(n_items.div_ceil(BLOCK), init, |(scratch, row), block| {
            if run.cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            let (mut lens, mut near) = (Vec::with_capacity(BLOCK), Vec::new());
            for item in block * BLOCK..n_items.min((block + 1) * BLOCK) {
                row.clear();
                list(scratch, ItemIdx::new(item as u32), row);
                lens.push(row.len() as u64);
                near.extend_from_slice(row);
            }
            Ok((lens, near))
        });
        let mut out = Self { offsets: Column::with_capacity(n_items + 1), near: Column::default() };
        out.offsets.push(0);
        let mut end = 0;
        for block in blocks {
            let (lens, near) = block?;
            out.near.own().extend_from_slice(&near);
            for len in lens {
                end += len;
                out.offsets.push(end);
            }
        }
        out.near.shrink_to_fit();
        Ok(out)
    }

    /// Puts the lists of the items that follow behind these.
    pub(in crate::scorer) fn append(&mut self, next: &Self) {
        let end = self.near.len() as u64;
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        self.offsets.own().extend(next.offsets.iter().skip(1).map(|next| end + next));
        self.near.own().extend_from_slice(&next.near);
    }

    /// At its smallest, with a list for each item below `n_items`.
    pub(in crate::scorer) fn shrink(&mut self, n_items: usize) {
        let end = self.near.len() as u64;
        self.offsets.own().resize(n_items + 1, end);
        self.offsets.shrink_to_fit();
        self.near.shrink_to_fit();
    }

    /// The same weights by the item they lead to: `b` is in the list of `a` where `a` was in the list of `b`. `finish`
    /// sees each list in order, and may change its weights but not that order.
    pub(in crate::scorer) fn turned(
        &self,
        n_items: usize,
        run: &Run<'_>,
        finish: impl Fn(&mut [Scored]) + Sync + Send,
    ) -> Result<Self, Cancelled> {
        let mut ends = vec![0usize; n_items + 1];
        self.near.iter().for_each(|near| ends[near.item.as_usize() + 1] += 1);
        for item in 0..n_items {
            ends[item + 1] += ends[item];
        }
        let (mut next, mut turned) =
            (ends.clone(), vec![Scored { item: ItemIdx::new(0), score: 0.0 }; self.near.len()]);
        for from in (0..n_items as u32).map(ItemIdx::new) {
            for near in self.of(from) {
                let at = &mut next[near.item.as_usize()];
                turned[*at] = Scored { item: from, score: near.score };
                *at += 1;
            }
        }
        Self::build(
            n_items,
            run,
            || (),
            |(), item, row| {
                row.extend_from_slice(&turned[ends[item.as_usize()]..ends[item.as_usize() + 1]]);
                row.sort_unstable_by(Scored::order);
                finish(row);
            },
        )
    }

    /// The list of `item`, heaviest first, equal weights by ascending item; empty for an unknown item.
    #[inline]
    pub(in crate::scorer) fn of(&self, item: ItemIdx) -> &[Scored] {
        match (self.offsets.get(item.as_usize()), self.offsets.get(item.as_usize() + 1)) {
            (Some(&from), Some(&to)) => &self.near[from as usize..to as usize],
            _ => &[],
        }
    }

    /// Whether every neighbour is one of `n_items`.
    pub(in crate::scorer) fn is_within(&self, n_items: usize) -> bool {
        self.offsets.len().saturating_sub(1) <= n_items && self.near.iter().all(|near| near.item.as_usize() < n_items)
    }

    /// The weight from `a` to `b`, if `b` is in the list of `a`. `O(list)`.
    pub(in crate::scorer) fn weight(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.of(a).iter().find(|near| near.item == b).map(|near| near.score)
    }

    pub(in crate::scorer) fn heap_bytes(&self) -> usize {
        self.offsets.capacity() * 8 + self.near.capacity() * 8
    }
}

crate::persist::portable!(Neighbours { offsets, near }
    "lists that are not cut out of its entries" => |n| crate::persist::cuts_or_none(&n.offsets, n.near.len()));
