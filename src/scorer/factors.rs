//! The vectors of one side, shoppers or items, and the scan over them: what every factor model serves from.

use std::fmt;

use ndarray::Array2;

use super::retrieval::{Index, Retrieval};
use super::{Context, Proposing, Scored, Scores, Touch, Workspace};
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::kernel::column::Column;
use crate::kernel::dot::dot;
use crate::kernel::panel_products::products_at;
use crate::kernel::top_k::top_k;
use crate::run::Run;
use crate::time::Timestamp;

/// One vector a row, with its length: `4 x (factors + 1)` bytes a row. A vector of zeros means "nothing is known".
#[derive(Clone)]
pub(in crate::scorer) struct Factors {
    flat: Column<f32>,
    /// Numbers a row.
    dim: usize,
    rows: usize,
    norms: Column<f32>,
    /// The leading numbers that make the direction; what follows is an offset.
    direction: usize,
    /// The packed rows, where the model proposes.
    index: Option<Index>,
}

impl Factors {
    pub(in crate::scorer) fn new(of: Array2<f32>) -> Self {
        let direction = of.ncols();
        Self::directed(of, direction)
    }

    /// Vectors whose last number is an offset: it counts in products, not in likeness.
    pub(in crate::scorer) fn with_offset(of: Array2<f32>) -> Self {
        let direction = of.ncols().saturating_sub(1);
        Self::directed(of, direction)
    }

    fn directed(of: Array2<f32>, direction: usize) -> Self {
        let norm = |y: &[f32]| dot(&y[..direction], &y[..direction]).sqrt();
        let norms = of.rows().into_iter().map(|row| row.to_slice().map_or(0.0, norm)).collect();
        let (rows, dim) = of.dim();
        let flat = of.as_standard_layout().into_owned().into_raw_vec_and_offset().0; // row after row; it is so already
        Self { flat: flat.into(), dim, rows, norms, direction, index: None }
    }

    /// The same, ready to be searched.
    pub(in crate::scorer) fn indexed(mut self, retrieval: Retrieval, run: &Run<'_>) -> Self {
        let rows = (0..self.rows() as u32).filter(|&row| self.is_known(row as usize)).collect();
        self.index = Index::new(retrieval, self.flat(), self.dim, rows, run);
        self
    }

    /// All vectors, end to end.
    pub(in crate::scorer) fn flat(&self) -> &[f32] {
        &self.flat
    }

    /// Numbers a vector.
    pub(in crate::scorer) const fn dim(&self) -> usize {
        self.dim
    }

    pub(in crate::scorer) fn rows(&self) -> usize {
        self.rows
    }

    /// Whether anything is known about a row.
    #[inline]
    pub(in crate::scorer) fn is_known(&self, row: usize) -> bool {
        self.norms.get(row).is_some_and(|&norm| norm > 0.0)
    }

    /// The vector of a row, if anything is known about it.
    #[inline]
    pub(in crate::scorer) fn known(&self, row: usize) -> Option<&[f32]> {
        let dim = self.dim;
        self.is_known(row).then(|| &self.flat()[row * dim..(row + 1) * dim])
    }

    /// The length of a row's direction; 0 for one of which nothing is known.
    #[inline]
    pub(in crate::scorer) fn length(&self, row: usize) -> f32 {
        self.norms.get(row).copied().unwrap_or(0.0)
    }

    pub(in crate::scorer) fn cosine(&self, a: usize, b: usize) -> Option<f32> {
        let (x, y) = (&self.known(a)?[..self.direction], &self.known(b)?[..self.direction]);
        let cosine = dot(x, y) / (self.norms[a] * self.norms[b]);
        cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
    }

    /// The `k` rows of `among` whose vectors point most nearly where that of `row` does, itself left out.
    pub(in crate::scorer) fn most_alike(
        &self,
        row: usize,
        among: impl Iterator<Item = usize>,
        k: usize,
    ) -> Vec<(u32, f32)> {
        let others = among.filter(|&other| other != row);
        let mut alike: Vec<_> = others.filter_map(|o| self.cosine(row, o).map(|c| (o as u32, c))).collect();
        top_k(&mut alike, k, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        alike
    }

    /// Scores each candidate that has a known row by the product of its vector with `x`.
    pub(in crate::scorer) fn score(
        &self,
        x: &[f32],
        out: &mut Scores<'_>,
        ws: &mut Workspace,
        row_of: impl Fn(ItemIdx) -> Option<usize>,
    ) {
        let (mut known, mut slots) = (ws.take_indices(0), ws.take_indices(0));
        for (slot, &item) in out.items().iter().enumerate() {
            if let Some(row) = row_of(item).filter(|&row| self.is_known(row)) {
                known.push(row as u32);
                slots.push(slot as u32);
            }
        }
        let mut products = ws.take_floats(known.len());
        products_at(self.flat(), &known, x, &mut products);
        slots.iter().zip(&products).for_each(|(&slot, &score)| out.set(slot as usize, score));
        ws.give_floats(products);
        ws.give_indices(slots);
        ws.give_indices(known);
    }

    /// Proposes to each of `asks` the best rows by the same bits as [`score`](Self::score). See [`Index::propose`].
    pub(in crate::scorer) fn propose(
        &self,
        asks: &mut [Proposing<'_>],
        limit: usize,
        ws: &mut Workspace,
        taste: impl Fn(&Context<'_>, &mut Workspace) -> Option<Vec<f32>>,
        item_of: impl Fn(&Context<'_>, usize) -> Option<ItemIdx>,
        beyond: impl Fn(&Context<'_>, &[f32], &mut Workspace, &mut dyn FnMut(Scored) -> f64),
    ) {
        if let Some(index) = &self.index {
            index.propose(self.flat(), asks, limit, ws, taste, item_of, beyond);
        }
    }

    /// The rows of the history's items with the summed weights that are above zero, in the order of their first touch.
    pub(in crate::scorer) fn liked(&self, history: &[Touch], ws: &mut Workspace, mut like: impl FnMut(u32, f32)) {
        let mut sums: Accumulator = ws.take_accumulator(self.rows());
        for touch in history.iter().filter(|touch| self.is_known(touch.item.as_usize())) {
            sums.add(touch.item.get(), touch.weight);
        }
        sums.iter().filter(|&(_, sum)| sum > 0.0).for_each(|(row, sum)| like(row, sum));
        ws.give_accumulator(sums);
    }

    pub(in crate::scorer) fn heap_bytes(&self) -> usize {
        self.flat.capacity() * size_of::<f32>() + self.norms.capacity() * size_of::<f32>()
    }

    /// What being searchable takes beside.
    pub(in crate::scorer) fn packed_bytes(&self) -> usize {
        self.index.as_ref().map_or(0, Index::heap_bytes)
    }
}

/// The same vectors; what was packed from them says nothing more.
impl PartialEq for Factors {
    fn eq(&self, other: &Self) -> bool {
        self.flat == other.flat && self.dim == other.dim && self.direction == other.direction
    }
}

impl fmt::Debug for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factors").field("shape", &[self.rows, self.dim]).finish_non_exhaustive()
    }
}

/// What a fit made at `as_of` stored for the shopper of a request.
pub(in crate::scorer) enum Stored<'m> {
    /// All there is to know: no session, no touch later than the fit's data.
    Current(&'m [f32]),
    /// Something happened since.
    Stale(&'m [f32]),
    /// Nothing, or nothing the request may know: one from before the fit (a replay) would be told of its future.
    Nothing,
}

impl<'m> Stored<'m> {
    pub(in crate::scorer) fn of(shoppers: &'m Factors, as_of: Timestamp, cx: &Context<'_>) -> Self {
        let user = cx.user.filter(|_| cx.now >= as_of);
        let news = cx.session_len > 0 || cx.history.iter().any(|touch| touch.at > as_of);
        match user.and_then(|user| shoppers.known(user.as_usize())) {
            Some(x) if news => Self::Stale(x),
            Some(x) => Self::Current(x),
            None => Self::Nothing,
        }
    }
}

crate::persist::portable!(Factors { flat, dim, rows, norms, direction, index }
    "vectors that are not one a row" => |f| f.rows.checked_mul(f.dim) == Some(f.flat.len())
        && f.norms.len() == f.rows
        && f.direction <= f.dim
        && f.index.as_ref().is_none_or(|index| index.is_within(f.rows, f.dim)));
