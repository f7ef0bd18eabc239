//! The fitted model: scores, proposals and neighbours.

use std::fmt;

use super::params::AlsParams;
use super::row::Fixed;
use crate::dataset::{Dataset, Extent, MemoryReport};
use crate::ids::{ItemIdx, UserIdx};
use crate::scorer::factors::Factors;
use crate::scorer::together::propose_alone;
use crate::scorer::{
    Candidates, Context, Explanation, Proposing, ReasonCode, Scored, Scorer, Scores, Together, Workspace,
};
use crate::time::Timestamp;

pub(super) const NAME: &str = "als";

/// Vectors of shoppers and items whose products say who would like what. Fitted from [`AlsParams`].
#[derive(Clone)]
pub struct Als {
    pub(super) params: AlsParams,
    pub(super) extent: Extent,
    pub(super) as_of: Timestamp,
    pub(super) users: Factors,
    pub(super) items: Factors,
    /// `alpha0 Yᵀ Y` of the items, for fold-ins.
    pub(super) gram: Vec<f32>,
    pub(super) active_items: usize,
}

impl Als {
    /// The parameters it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &AlsParams {
        &self.params
    }

    /// The vector of a shopper row at the time of the fit; `None` for one without a pair of positive weight.
    #[must_use]
    pub fn user_factors(&self, user: UserIdx) -> Option<&[f32]> {
        self.users.known(user.as_usize())
    }

    /// The vector of an item; `None` for one without a pair of positive weight.
    #[must_use]
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        self.items.known(item.as_usize())
    }

    /// The `k` items most alike to `item` by the cosine of their vectors, best first, itself left out. `O(items x
    /// factors)`.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        let alike = self.items.most_alike(item.as_usize(), 0..self.extent.n_items, k);
        alike.into_iter().map(|(item, score)| Scored { item: ItemIdx::new(item), score }).collect()
    }

    /// The `k` profiled shoppers of `data` most alike to `user` by the cosine of their vectors at the time of the fit,
    /// best first, themselves left out. Anonymous sessions have vectors, but are nobody's neighbours. `O(rows x
    /// factors)`.
    #[must_use]
    pub fn similar_users(&self, data: &Dataset, user: UserIdx, k: usize) -> Vec<(UserIdx, f32)> {
        let alike = self.users.most_alike(user.as_usize(), data.users().map(UserIdx::as_usize), k);
        alike.into_iter().map(|(user, cosine)| (UserIdx::new(user), cosine)).collect()
    }

    pub(in crate::scorer) const fn items(&self) -> &Factors {
        &self.items
    }

    pub(super) fn fixed_items(&self) -> Fixed<'_> {
        Fixed { params: &self.params, rows: self.items.flat(), gram: &self.gram, active: self.active_items }
    }
}

impl Scorer for Als {
    fn name(&self) -> &str {
        NAME
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// The product of the shopper's vector with each item's: about 1 for what they surely like, 0 for what says nothing
    /// to them. No opinion on items without events at the fit, and for a shopper without any liking. No evidence item
    /// is named here, since that would take a product with every item of the history; [`explain`](Scorer::explain)
    /// names it.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(x) = self.taste(cx, ws) else { return };
        self.items.score(&x, out, ws, |item| Some(item.as_usize()));
        ws.give_floats(x);
    }

    /// The best of all items, found as [`AlsParams::retrieval`] says.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        propose_alone(self, cx, limit, out, ws);
    }

    fn together(&self) -> Option<&dyn Together> {
        Some(self)
    }

    /// What each item of the history adds to the score, strongest first (Hu, Koren & Volinsky 2008, section 5).
    ///
    /// With `W = A⁻¹` of the shopper's equations, the score of `i` is `Σ_j c_j yᵢᵀ W y_j` over their items `j`. A last
    /// part holds what the history at hand does not account for (a longer history at the fit, rounding), so that the
    /// parts add up to the score. `O(history x factors² + factors³)`.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        self.explained(NAME, cx, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The cosine of the items' vectors.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.items.cosine(a.as_usize(), b.as_usize())
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("shopper factors", self.users.heap_bytes())
            .with("item factors", self.items.heap_bytes())
            .with("packed items", self.items.packed_bytes())
            .with("gram matrix", self.gram.capacity() * size_of::<f32>())
    }
}

impl Together for Als {
    fn propose_together(&self, asks: &mut [Proposing<'_>], limit: usize, ws: &mut Workspace) {
        let item = |_: &Context<'_>, row: usize| Some(ItemIdx::new(row as u32));
        self.items.propose(asks, limit, ws, |cx, ws| self.taste(cx, ws), item, |_, _, _, _| {});
    }
}

impl fmt::Debug for Als {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Als").field("params", &self.params).field("extent", &self.extent).finish_non_exhaustive()
    }
}

crate::persist::portable!(Als { params, extent, as_of, users, items, gram, active_items }
    "factors that do not fit" => |m| m.users.rows() <= m.extent.n_rows
        && m.users.dim() == m.items.dim()
        && m.items.dim().checked_mul(m.items.dim()) == Some(m.gram.len()),
    "an item beyond its last" => |m| m.items.rows() >= m.extent.n_items);
