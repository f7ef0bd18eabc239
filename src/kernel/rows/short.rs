//! Exactly, by as many unknowns as there are observed rows.
//!
//! With `u = √e D^-½ y` the solution is `x = D⁻¹ c + D^-½ Uᵀ v` where `(I + U Uᵀ) v` are the weights less what the
//! means explain: the ridge regression in its dual form. `n² dim / 2 + n³ / 6` multiply-adds instead of `n dim² / 2 + dim³ / 6`.

use super::{Own, Room, Shared, factor, room};
use crate::kernel::fused::fused;
use crate::kernel::lanes::{Block, LANES, Lanes};

/// Rows and columns of a tile of products.
const TILE: usize = 4;

fused! {
    /// Puts the solution into `x`, whatever that held.
    fn short = short_body(shared: &Shared<'_>, own: &Own<'_>, at: &mut Room, x: &mut [Block])
}

#[inline(always)]
pub(super) fn short_body<L: Lanes>(shared: &Shared<'_>, own: &Own<'_>, at: &mut Room, x: &mut [Block]) {
    let (n, width) = (own.index.len(), shared.width);
    let x = &mut x[..width];
    shared.foresee::<L>(own);
    let wide = n.div_ceil(LANES);
    let rows = n.next_multiple_of(TILE);
    let scaled = room(&mut at.scaled, rows * width);
    let matrix = room(&mut at.matrix, wide * LANES * wide);
    let (g, inverse) = room(&mut at.terms, 2 * wide).split_at_mut(wide);
    let root = room(&mut at.vectors, width);
    let ridge = L::splat(own.ridge);
    for (root, value) in root.iter_mut().zip(shared.values) {
        L::splat(1.0).div(L::load(value).add(ridge).sqrt()).store(root);
    }
    if wide > 0 {
        g[wide - 1] = [0.0; LANES];
    }
    for ((j, to), g) in scaled.chunks_exact_mut(width).take(n).enumerate().zip(g.as_flattened_mut()) {
        // Below that the reciprocal overflows; it says nothing either way.
        let excess = own.excess[j].max(f32::MIN_POSITIVE);
        let part = excess.sqrt();
        *g = (shared.base + own.excess[j]) / part;
        let part = L::splat(part);
        for ((to, y), root) in to.iter_mut().zip(shared.row(own.index[j])).zip(&*root) {
            L::load(y).mul(part.mul(L::load(root))).store(to);
        }
    }
    scaled[n * width..].fill([0.0; LANES]);
    if let Some(mean) = own.mean {
        // x starts as D⁻¹ ridge m; what that explains of an observed row is taken off its weight.
        for ((x, mean), root) in x.iter_mut().zip(mean).zip(&*root) {
            let root = L::load(root);
            L::load(mean).mul(ridge).mul(root).mul(root).store(x);
        }
        for ((&j, &excess), g) in own.index.iter().zip(own.excess).zip(g.as_flattened_mut()) {
            let mut sum = L::zero();
            for (y, x) in shared.row(j).iter().zip(&*x) {
                sum = sum.fma(L::load(y), L::load(x));
            }
            *g -= excess.max(f32::MIN_POSITIVE).sqrt() * sum.sum();
        }
    } else {
        x.fill([0.0; LANES]);
    }
    // Columns beyond the last must count for nothing.
    matrix.fill([0.0; LANES]);
    for i in (0..rows).step_by(TILE) {
        for j in (i..rows).step_by(TILE) {
            tile::<L>(scaled, width, i, j, matrix.as_flattened_mut(), wide * LANES);
        }
    }
    for k in 0..n {
        matrix.as_flattened_mut()[k * wide * LANES + k] += 1.0;
    }
    factor::solve::<L>(matrix, n, wide, g, inverse);
    // x += root ∘ Uᵀ v, block of columns by block of columns.
    let v = &g.as_flattened()[..n];
    let mut column = 0;
    while column + 4 <= width {
        spread::<L, 4>(scaled, width, v, column, root, x);
        column += 4;
    }
    while column < width {
        spread::<L, 1>(scaled, width, v, column, root, x);
        column += 1;
    }
}

/// The products of rows `i ..` with rows `j ..`.
#[inline(always)]
fn tile<L: Lanes>(rows: &[Block], width: usize, i: usize, j: usize, out: &mut [f32], stride: usize) {
    let a = &rows[i * width..(i + TILE) * width];
    let b = &rows[j * width..(j + TILE) * width];
    let mut sums = [L::zero(); LANES];
    for k in 0..width {
        // SAFETY: both are `TILE * width` blocks long, and `k` is below `width`.
        #[allow(unsafe_code)]
        let [a, b] = unsafe {
            [
                [
                    a.get_unchecked(k),
                    a.get_unchecked(width + k),
                    a.get_unchecked(2 * width + k),
                    a.get_unchecked(3 * width + k),
                ],
                [
                    b.get_unchecked(k),
                    b.get_unchecked(width + k),
                    b.get_unchecked(2 * width + k),
                    b.get_unchecked(3 * width + k),
                ],
            ]
        };
        let b = [L::load(b[0]), L::load(b[1]), L::load(b[2]), L::load(b[3])];
        for (sums, a) in sums.chunks_exact_mut(TILE).zip(a) {
            let a = L::load(a);
            for (sum, &b) in sums.iter_mut().zip(&b) {
                *sum = sum.fma(a, b);
            }
        }
    }
    let mut products = [0.0; LANES];
    L::sums(sums).store(&mut products);
    for (r, products) in products.chunks_exact(TILE).enumerate() {
        let start = (i + r) * stride + j;
        out[start..start + TILE].copy_from_slice(products);
    }
}

#[inline(always)]
fn spread<L: Lanes, const N: usize>(
    scaled: &[Block],
    width: usize,
    v: &[f32],
    column: usize,
    root: &[Block],
    x: &mut [Block],
) {
    let mut sums = [L::zero(); N];
    for (row, &v) in scaled.chunks_exact(width).zip(v) {
        let Some(row) = row[column..].first_chunk::<N>() else { return };
        let v = L::splat(v);
        for (sum, row) in sums.iter_mut().zip(row) {
            *sum = sum.fma(L::load(row), v);
        }
    }
    for ((sum, root), x) in sums.iter().zip(&root[column..]).zip(&mut x[column..]) {
        L::load(x).fma(*sum, L::load(root)).store(x);
    }
}
