//! The weighted least-squares problem of one row of a factorisation, in the eigenbasis of the Gram matrix that all rows
//! share: there its equations are a diagonal and one term for each observed row.
//!
//! ```text
//! (D + Σ e y yᵀ) x = Σ (base + e) y + ridge m        D = values + ridge
//! ```
//!
//! Four ways to solve it: [`short`] (exactly, by as many unknowns as there are observed rows), [`long`] (exactly, by as
//! many as there are factors), [`steps`] (conjugate gradients from what `x` holds) and [`sweep`] (block by block).
//! Vectors are whole [`Block`]s; what is beyond the last factor is zero and stays so.

mod factor;
mod long;
mod short;
mod steps;
mod sweep;

pub(crate) use long::long;
pub(crate) use short::short;
pub(crate) use steps::steps;
pub(crate) use sweep::sweep;

use super::lanes::{Block, LANES, Lanes};

/// Rows to ask for ahead of the next problem.
const AHEAD: usize = 64;
/// Observed rows whose products are summed together.
const TOGETHER: usize = LANES;

/// What the rows of a half-step share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'a> {
    /// Blocks a vector.
    pub(crate) width: usize,
    /// The vectors held fixed, end to end.
    pub(crate) rows: &'a [Block],
    /// Eigenvalues of their Gram matrix times `base`; not below zero.
    pub(crate) values: &'a [Block],
    /// What an unobserved row weighs.
    pub(crate) base: f32,
}

/// What is a row's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    /// The observed rows.
    pub(crate) index: &'a [u32],
    /// What each weighs beyond `base`.
    pub(crate) excess: &'a [f32],
    /// The observed rows of the problem that comes next; only speed depends on it.
    pub(crate) next: &'a [u32],
    /// What the diagonal gets on top.
    pub(crate) ridge: f32,
    /// What the ridge draws `x` to; zero if there is none.
    pub(crate) mean: Option<&'a [Block]>,
}

/// Room for a solve, kept from row to row.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// The observed rows, scaled.
    scaled: Vec<Block>,
    matrix: Vec<Block>,
    /// A number for each observed row.
    terms: Vec<Block>,
    /// The vectors of an iteration.
    vectors: Vec<Block>,
}

impl<'a> Shared<'a> {
    #[inline(always)]
    fn row(&self, index: u32) -> &'a [Block] {
        let start = index as usize * self.width;
        &self.rows[start..start + self.width]
    }

    /// Asks for the observed rows of the next problem while this one is being solved: with many factors the rows
    /// lie beyond the caches.
    #[inline(always)]
    fn foresee<L: Lanes>(&self, own: &Own<'_>) {
        for &index in own.next.iter().take(AHEAD) {
            for block in self.row(index) {
                L::prefetch(block);
            }
        }
    }
}

/// As many blocks as `len`, whatever they hold.
#[inline(always)]
fn room(of: &mut Vec<Block>, len: usize) -> &mut [Block] {
    if of.len() < len {
        of.resize(len, [0.0; LANES]);
    }
    &mut of[..len]
}

/// `out[j] = f(y_j · p, j)`: what is to be done with the products of the observed rows with `p`.
#[inline(always)]
fn products<L: Lanes>(shared: &Shared<'_>, index: &[u32], p: &[Block], out: &mut [Block]) {
    for (index, out) in index.chunks(TOGETHER).zip(out) {
        match index.len().div_ceil(4) {
            1 => some_products::<L, 4>(shared, index, p, out),
            2 => some_products::<L, 8>(shared, index, p, out),
            3 => some_products::<L, 12>(shared, index, p, out),
            _ => some_products::<L, 16>(shared, index, p, out),
        }
    }
}

#[inline(always)]
fn some_products<L: Lanes, const N: usize>(shared: &Shared<'_>, index: &[u32], p: &[Block], out: &mut Block) {
    let width = shared.width;
    let p = &p[..width];
    let mut from = [p; N];
    for (from, &index) in from.iter_mut().zip(index) {
        *from = shared.row(index);
    }
    let mut sums = [L::zero(); TOGETHER];
    for (k, p) in p.iter().enumerate() {
        let p = L::load(p);
        for (sum, from) in sums.iter_mut().zip(&from) {
            // SAFETY: every one of `from` is `width` blocks long, and `k` is below `width`.
            #[allow(unsafe_code)]
            let y = unsafe { from.get_unchecked(k) };
            *sum = sum.fma(L::load(y), p);
        }
    }
    L::sums(sums).store(out);
    out[index.len()..].fill(0.0);
}

/// `out += Σ t_j y_j`.
#[inline(always)]
fn combine<L: Lanes>(shared: &Shared<'_>, index: &[u32], t: &[Block], out: &mut [Block]) {
    let t = &t.as_flattened()[..index.len()];
    let mut column = 0;
    while column + 8 <= shared.width {
        combine_tile::<L, 8>(shared, index, t, column, out);
        column += 8;
    }
    while column + 4 <= shared.width {
        combine_tile::<L, 4>(shared, index, t, column, out);
        column += 4;
    }
    while column < shared.width {
        combine_tile::<L, 1>(shared, index, t, column, out);
        column += 1;
    }
}

#[inline(always)]
fn combine_tile<L: Lanes, const N: usize>(
    shared: &Shared<'_>,
    index: &[u32],
    t: &[f32],
    column: usize,
    out: &mut [Block],
) {
    let Some(out) = out[column..].first_chunk_mut::<N>() else { return };
    let mut sums = [L::zero(); N];
    for (sum, out) in sums.iter_mut().zip(&*out) {
        *sum = L::load(out);
    }
    for (&index, &t) in index.iter().zip(t) {
        let Some(y) = shared.row(index)[column..].first_chunk::<N>() else { return };
        let t = L::splat(t);
        for (sum, y) in sums.iter_mut().zip(y) {
            *sum = sum.fma(L::load(y), t);
        }
    }
    for (sum, out) in sums.iter().zip(out) {
        sum.store(out);
    }
}

#[cfg(test)]
mod tests;
