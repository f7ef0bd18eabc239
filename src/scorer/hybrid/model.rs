//! The fitted model.

use std::fmt;

use super::map::{add, read};
use super::params::HybridParams;
use crate::catalog::Shelf;
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::kernel::dot::dot;
use crate::kernel::panel_products::product as fused;
use crate::scorer::als::Als;
use crate::scorer::attributes::Features;
use crate::scorer::catalogued::Catalogued;
use crate::scorer::together::propose_alone;
use crate::scorer::{
    Candidates, Context, Explanation, Proposing, Reason, ReasonCode, Scored, Scorer, Scores, Together, Touch, Workspace,
};

/// Factors of shoppers and items, an item's made of its attributes' as far as events say nothing else. Fitted from
/// [`HybridParams`].
#[derive(Clone)]
pub struct Hybrid {
    pub(super) params: HybridParams,
    /// Over the places of the fit instead of the items of the dataset.
    pub(super) als: Als,
    pub(super) places: Catalogued,
    pub(super) features: Features,
    /// A vector for each value, end to end.
    pub(super) values: Vec<f32>,
}

/// What reading a new item's values needs.
#[derive(Default)]
struct Reading {
    word: String,
    row: Vec<(u32, f32)>,
}

impl Hybrid {
    /// The parameters it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &HybridParams {
        &self.params
    }

    /// The vector of an item of the dataset: its own where it has events, that of its attributes where it has none; `None`
    /// where nothing is known of it.
    #[must_use]
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        (item.as_usize() < self.als.extent().n_items).then(|| self.als.items().known(item.as_usize())).flatten()
    }

    /// The product with `x` of an item that came to the catalogue after the fit.
    fn product(&self, shelf: &Shelf, item: ItemIdx, x: &[f32], ws: &mut Workspace) -> Option<f32> {
        shelf.row(item)?;
        let mut reading = ws.take::<Reading>();
        read(&self.features, shelf, item, &mut reading.word, &mut reading.row);
        let mut y = ws.take_floats(x.len());
        add(&self.values, x.len(), reading.row.iter().copied(), &mut y);
        let product = (!reading.row.is_empty() && y.iter().any(|&v| v != 0.0)).then(|| fused(&y, x));
        ws.give_floats(y);
        ws.give(reading);
        product
    }

    /// The shopper's touches with places for items; those the fit does not know are left out.
    fn history(&self, cx: &Context<'_>, ws: &mut Workspace) -> Vec<Touch> {
        let mut history = ws.take_touches();
        history.extend(cx.history.iter().filter_map(|&touch| {
            let place = self.places.place(cx.shelf, touch.item)?;
            Some(Touch { item: ItemIdx::new(place as u32), ..touch })
        }));
        history
    }

    /// The shopper's vector; the caller gives it back to `ws`.
    fn taste(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Vec<f32>> {
        let history = self.history(cx, ws);
        let taste = self.als.taste(&Context { history: &history, ..*cx }, ws);
        ws.give_touches(history);
        taste
    }
}

impl Scorer for Hybrid {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.als.extent()
    }

    /// The product of the shopper's vector with each item's, as in [`Als`]. No opinion on items with neither events nor known
    /// values, and for a shopper without any liking.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(x) = self.taste(cx, ws) else { return };
        self.als.items().score(&x, out, ws, |item| self.places.place(cx.shelf, item));
        for (slot, &item) in out.items().iter().enumerate().filter(|(_, item)| item.as_usize() >= self.extent().n_items)
        {
            if self.places.place(cx.shelf, item).is_none()
                && let Some(product) = self.product(cx.shelf, item, &x, ws)
            {
                out.set(slot, product);
            }
        }
        ws.give_floats(x);
    }

    /// The best of all items, found as [`AlsParams::retrieval`](crate::AlsParams) says; items that came after the fit one by
    /// one.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        propose_alone(self, cx, limit, out, ws);
    }

    fn together(&self) -> Option<&dyn Together> {
        Some(self)
    }

    /// As that of [`Als`] for items the fit knows; for one that came later, what each of its values adds.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let (name, code) = (&self.params.name, self.reason());
        if let Some(place) = self.places.place(cx.shelf, item) {
            let history = self.history(cx, ws);
            let at_places = Context { history: &history, ..*cx };
            let mut explanation = self.als.explained(name, &at_places, ItemIdx::new(place as u32), ws);
            ws.give_touches(history);
            for detail in &mut explanation.details {
                if let Reason::Because { item, .. } = &mut detail.reason {
                    *item = self.places.item(cx.shelf, item.as_usize()).unwrap_or(*item);
                }
            }
            return explanation;
        }
        let mut explanation = Explanation::leaf(None, Reason::Abstained);
        let Some(x) = self.taste(cx, ws) else { return explanation };
        if let Some(score) = self.product(cx.shelf, item, &x, ws).filter(|score| score.is_finite()) {
            explanation.value = Some(score + 0.0);
            explanation.reason = Reason::Scorer { name: name.clone(), code };
            let mut reading = ws.take::<Reading>();
            read(&self.features, cx.shelf, item, &mut reading.word, &mut reading.row);
            for &(value, weight) in &reading.row {
                let start = value as usize * x.len();
                let part = weight * dot(&self.values[start..start + x.len()], &x);
                let reason = match value.checked_sub(1).map(|feature| self.features.label(feature)) {
                    Some((attribute, value)) => Reason::Attribute { attribute, value, code },
                    None => Reason::Scorer { name: name.clone(), code: ReasonCode::Other },
                };
                explanation.details.push(Explanation::leaf(Some(part), reason));
            }
            ws.give(reading);
        }
        ws.give_floats(x);
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The cosine of the vectors of two items of the dataset.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        let known = |item: ItemIdx| item.as_usize() < self.extent().n_items;
        (known(a) && known(b)).then(|| self.als.items().cosine(a.as_usize(), b.as_usize())).flatten()
    }

    fn memory_report(&self) -> MemoryReport {
        let values = self.values.capacity() * size_of::<f32>() + self.features.heap_bytes();
        self.als.memory_report().with("attributes", values)
    }
}

impl Together for Hybrid {
    fn propose_together(&self, asks: &mut [Proposing<'_>], limit: usize, ws: &mut Workspace) {
        let item = |cx: &Context<'_>, place: usize| self.places.item(cx.shelf, place);
        let beyond = |cx: &Context<'_>, x: &[f32], ws: &mut Workspace, offer: &mut dyn FnMut(Scored) -> f64| {
            for item in self.places.news(cx.shelf) {
                if let Some(score) = self.product(cx.shelf, item, x, ws) {
                    offer(Scored { item, score });
                }
            }
        };
        self.als.items().propose(asks, limit, ws, |cx, ws| self.taste(cx, ws), item, beyond);
    }
}

impl fmt::Debug for Hybrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hybrid").field("params", &self.params).field("extent", &self.extent()).finish_non_exhaustive()
    }
}

crate::persist::portable!(Hybrid { params, als, places, features, values }
"vectors that are not one a value" => |m| {
    let n = m.features.count().checked_add(1).and_then(|n| n.checked_mul(m.als.items().dim()));
    n == Some(m.values.len())
});
