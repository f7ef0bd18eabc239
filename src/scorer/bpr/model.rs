//! The fitted model: scores, proposals and fold-ins.

use std::fmt;

use super::params::BprParams;
use crate::dataset::{Extent, MemoryReport};
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::pairwise::learn_taste;
use crate::kernel::rng::SplitMix64;
use crate::scorer::factors::{Factors, Stored};
use crate::scorer::together::propose_alone;
use crate::scorer::{Candidates, Context, Proposing, ReasonCode, Scored, Scorer, Scores, Together, Touch, Workspace};
use crate::time::Timestamp;

/// Vectors of shoppers and items whose products put what a shopper would touch above what they would not. Fitted from
/// [`BprParams`].
#[derive(Clone)]
pub struct Bpr {
    pub(super) params: BprParams,
    pub(super) extent: Extent,
    pub(super) as_of: Timestamp,
    pub(super) seed: u64,
    /// The last number of a shopper is 1, of an item its offset.
    pub(super) users: Factors,
    pub(super) items: Factors,
    /// The items with a pair at the fit, ascending.
    pub(super) active: Vec<u32>,
}

/// How often a fold-in draws another item because the shopper touched it.
const TRIES: usize = 16;

impl Bpr {
    /// The parameters it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &BprParams {
        &self.params
    }

    /// The vector of a shopper row at the time of the fit, a 1 at its end; `None` for one without a pair of positive weight.
    #[must_use]
    pub fn user_factors(&self, user: UserIdx) -> Option<&[f32]> {
        self.users.known(user.as_usize())
    }

    /// The vector of an item, its offset at the end; `None` for one without a pair of positive weight.
    #[must_use]
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        self.items.known(item.as_usize())
    }

    /// The `k` items most alike to `item` by the cosine of their vectors (without offset), best first, itself left out.
    /// `O(items x factors)`.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        let alike = self.items.most_alike(item.as_usize(), 0..self.extent.n_items, k);
        alike.into_iter().map(|(item, score)| Scored { item: ItemIdx::new(item), score }).collect()
    }

    /// The vector of a shopper with this history, items held as they are: the steps of the fit, on the shopper only, against
    /// items drawn evenly. The draws follow from the fit's seed, so the same history gives the same vector. `None` when no
    /// item known to the model is liked (has weights that sum above zero).
    ///
    /// `O(fold_in x history x factors)`; no allocation but the result.
    #[must_use]
    pub fn fold_in(&self, history: &[Touch], ws: &mut Workspace) -> Option<Vec<f32>> {
        self.folded(history, None, ws)
    }

    fn folded(&self, history: &[Touch], stored: Option<&[f32]>, ws: &mut Workspace) -> Option<Vec<f32>> {
        let mut liked = ws.take_indices(0);
        self.items.liked(history, ws, |item, _| liked.push(item));
        let mut x = ws.take_floats(self.params.factors as usize + 1);
        match stored {
            Some(stored) => x.copy_from_slice(stored),
            None => x.iter_mut().rev().take(1).for_each(|last| *last = 1.0),
        }
        liked.sort_unstable(); // what is drawn does not depend on the order of the touches
        self.steps(&liked, &mut x);
        let known = !liked.is_empty() && x.iter().all(|v| v.is_finite());
        ws.give_indices(liked);
        if known {
            return Some(x);
        }
        ws.give_floats(x);
        None
    }

    fn steps(&self, liked: &[u32], x: &mut [f32]) {
        let of = liked.len() * self.params.fold_in as usize;
        let mut rng = SplitMix64::stream(self.seed, 0);
        for step in 0..of {
            let mut other = self.active[rng.below(self.active.len())];
            for _ in 1..TRIES {
                if liked.binary_search(&other).is_err() {
                    break;
                }
                other = self.active[rng.below(self.active.len())];
            }
            let pair = (liked[step % liked.len()], other);
            if let (Some(i), Some(j)) = (self.items.known(pair.0 as usize), self.items.known(pair.1 as usize)) {
                learn_taste(x, i, j, self.params.pace(step, of));
            }
        }
    }

    /// The vector of the request's shopper; the caller gives it back to `ws`.
    fn taste(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Vec<f32>> {
        match Stored::of(&self.users, self.as_of, cx) {
            Stored::Current(stored) => {
                let mut x = ws.take_floats(stored.len());
                x.copy_from_slice(stored);
                Some(x)
            }
            Stored::Stale(stored) => self.folded(cx.history, Some(stored), ws),
            Stored::Nothing => self.folded(cx.history, None, ws),
        }
    }
}

impl Scorer for Bpr {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// The product of the shopper's vector with each item's, plus the item's offset. Only the order of the scores means
    /// anything. No opinion on items without events at the fit, and for a shopper without any liking.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(x) = self.taste(cx, ws) else { return };
        self.items.score(&x, out, ws, |item| Some(item.as_usize()));
        ws.give_floats(x);
    }

    /// The best of all items, found as [`BprParams::retrieval`] says.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        propose_alone(self, cx, limit, out, ws);
    }

    fn together(&self) -> Option<&dyn Together> {
        Some(self)
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The cosine of the items' vectors, offsets left out.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.items.cosine(a.as_usize(), b.as_usize())
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("shopper factors", self.users.heap_bytes())
            .with("item factors", self.items.heap_bytes())
            .with("packed items", self.items.packed_bytes())
            .with("known items", self.active.capacity() * size_of::<u32>())
    }
}

impl Together for Bpr {
    fn propose_together(&self, asks: &mut [Proposing<'_>], limit: usize, ws: &mut Workspace) {
        let item = |_: &Context<'_>, row: usize| Some(ItemIdx::new(row as u32));
        self.items.propose(asks, limit, ws, |cx, ws| self.taste(cx, ws), item, |_, _, _, _| {});
    }
}

impl fmt::Debug for Bpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bpr").field("params", &self.params).field("extent", &self.extent).finish_non_exhaustive()
    }
}

crate::persist::portable!(Bpr { params, extent, as_of, seed, users, items, active }
    "factors that do not fit" => |m| m.users.rows() <= m.extent.n_rows
        && m.users.dim() == m.items.dim()
        && m.items.rows() == m.extent.n_items
        && m.active.iter().all(|&item| (item as usize) < m.items.rows()));
