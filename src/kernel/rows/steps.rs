//! A few steps of conjugate gradients from what `x` holds, conditioned by the diagonal of the matrix.
//!
//! In the eigenbasis the shared part costs nothing to apply, so a step is two passes over the observed rows; and the
//! diagonal, which in any other basis says little, holds most of the matrix. (Takács, Pilászy & Tikk 2011 for the
//! method; the basis is ours.)

use super::{Own, Room, Shared, combine, products, room};
use crate::kernel::fused::fused;
use crate::kernel::lanes::{Block, LANES, Lanes};

/// Observed rows that stay in the first-level cache from one pass to the next.
const STRIP: usize = 128;

fused! {
    /// Improves `x` by at most `count` steps. Each lowers `½ xᵀ A x - bᵀ x`.
    ///
    /// Stops early once the residual is down to what rounding leaves, where further steps would only wander.
    fn steps = steps_body(shared: &Shared<'_>, own: &Own<'_>, count: usize, at: &mut Room, x: &mut [Block])
}

#[inline(always)]
pub(super) fn steps_body<L: Lanes>(shared: &Shared<'_>, own: &Own<'_>, count: usize, at: &mut Room, x: &mut [Block]) {
    let width = shared.width;
    let x = &mut x[..width];
    shared.foresee::<L>(own);
    let terms = room(&mut at.terms, STRIP / LANES);
    let vectors = room(&mut at.vectors, 5 * width);
    let (residual, vectors) = vectors.split_at_mut(width);
    let (direction, vectors) = vectors.split_at_mut(width);
    let (image, vectors) = vectors.split_at_mut(width);
    let (diagonal, condition) = vectors.split_at_mut(width);
    let ridge = L::splat(own.ridge);
    for k in 0..width {
        let d = L::load(&shared.values[k]).add(ridge);
        d.store(&mut diagonal[k]);
        d.store(&mut condition[k]);
        let mut r = L::zero().fnma(d, L::load(&x[k]));
        if let Some(mean) = own.mean {
            r = r.fma(ridge, L::load(&mean[k]));
        }
        r.store(&mut residual[k]);
    }
    for (index, excess) in own.index.chunks(STRIP).zip(own.excess.chunks(STRIP)) {
        products::<L>(shared, index, x, terms);
        for (term, &excess) in terms.as_flattened_mut().iter_mut().zip(excess) {
            *term = (-excess).mul_add(*term, shared.base + excess);
        }
        begin::<L>(shared, index, terms, excess, residual, condition);
    }
    let mut left = 0.0;
    for step in 0..count {
        // z = residual / condition; the direction turns towards it.
        let (mut now, mut size) = (L::zero(), L::zero());
        for k in 0..width {
            let (r, c) = (L::load(&residual[k]), L::load(&condition[k]));
            let x = L::load(&x[k]);
            now = now.fma(r, r.div(c));
            size = size.fma(x.mul(c), x);
        }
        let (now, size) = (now.sum(), size.sum());
        // Also false for NaN: what is not finite stays so, and the caller sees it in `x`.
        if now <= size * 1e-13 {
            break;
        }
        let keep = L::splat(if step == 0 { 0.0 } else { now / left });
        left = now;
        for k in 0..width {
            let z = L::load(&residual[k]).div(L::load(&condition[k]));
            let p = if step == 0 { z } else { z.fma(keep, L::load(&direction[k])) };
            p.store(&mut direction[k]);
            p.mul(L::load(&diagonal[k])).store(&mut image[k]);
        }
        for (index, excess) in own.index.chunks(STRIP).zip(own.excess.chunks(STRIP)) {
            products::<L>(shared, index, direction, terms);
            for (term, &excess) in terms.as_flattened_mut().iter_mut().zip(excess) {
                *term *= excess;
            }
            combine::<L>(shared, index, terms, image);
        }
        let mut curvature = L::zero();
        for k in 0..width {
            curvature = curvature.fma(L::load(&direction[k]), L::load(&image[k]));
        }
        let length = L::splat(left / curvature.sum());
        for k in 0..width {
            L::load(&x[k]).fma(length, L::load(&direction[k])).store(&mut x[k]);
            L::load(&residual[k]).fnma(length, L::load(&image[k])).store(&mut residual[k]);
        }
    }
}

/// `residual += Σ t_j y_j` and, number by number, `condition += Σ e_j y_j²`.
#[inline(always)]
fn begin<L: Lanes>(
    shared: &Shared<'_>,
    index: &[u32],
    t: &[Block],
    excess: &[f32],
    residual: &mut [Block],
    condition: &mut [Block],
) {
    let t = &t.as_flattened()[..index.len()];
    let mut column = 0;
    while column + 4 <= shared.width {
        begin_tile::<L, 4>(shared, index, t, excess, &mut residual[column..], &mut condition[column..], column);
        column += 4;
    }
    while column < shared.width {
        begin_tile::<L, 1>(shared, index, t, excess, &mut residual[column..], &mut condition[column..], column);
        column += 1;
    }
}

#[inline(always)]
fn begin_tile<L: Lanes, const N: usize>(
    shared: &Shared<'_>,
    index: &[u32],
    t: &[f32],
    excess: &[f32],
    residual: &mut [Block],
    condition: &mut [Block],
    column: usize,
) {
    let (mut sums, mut squares) = ([L::zero(); N], [L::zero(); N]);
    for (sum, from) in sums.iter_mut().zip(&*residual) {
        *sum = L::load(from);
    }
    for (square, from) in squares.iter_mut().zip(&*condition) {
        *square = L::load(from);
    }
    for ((&index, &t), &excess) in index.iter().zip(t).zip(excess) {
        let Some(y) = shared.row(index)[column..].first_chunk::<N>() else { return };
        let (t, excess) = (L::splat(t), L::splat(excess));
        for ((sum, square), y) in sums.iter_mut().zip(&mut squares).zip(y) {
            let y = L::load(y);
            *sum = sum.fma(y, t);
            *square = square.fma(y.mul(excess), y);
        }
    }
    for (sum, to) in sums.iter().zip(residual) {
        sum.store(to);
    }
    for (square, to) in squares.iter().zip(condition) {
        square.store(to);
    }
}
