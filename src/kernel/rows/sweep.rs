//! One sweep over blocks of coordinates, each solved exactly while the others are held: the subspace method of iALS++
//! (Rendle, Krichene, Zhang & Koren 2021, arXiv:2110.14044), row by row, in the eigenbasis.
//!
//! `observed x dim x (2 + block / 2) + dim x block² / 6` multiply-adds.

use super::{Own, Room, Shared, factor, products, room};
use crate::kernel::fused::fused;
use crate::kernel::gram::add_rows_body;
use crate::kernel::lanes::{Block, LANES, Lanes};

/// Observed rows gathered before they are added to the matrix.
const STRIP: usize = 64;

fused! {
    /// Improves `x`, `block` blocks of sixteen numbers at a time. Each lowers `½ xᵀ A x - bᵀ x`.
    fn sweep = sweep_body(shared: &Shared<'_>, own: &Own<'_>, block: usize, at: &mut Room, x: &mut [Block])
}

#[inline(always)]
pub(super) fn sweep_body<L: Lanes>(shared: &Shared<'_>, own: &Own<'_>, block: usize, at: &mut Room, x: &mut [Block]) {
    let (width, n) = (shared.width, own.index.len());
    let x = &mut x[..width];
    shared.foresee::<L>(own);
    let ridge = L::splat(own.ridge);
    // What each observed row still lacks: (base + e) - e (y · x).
    let lacks = room(&mut at.terms, n.div_ceil(LANES));
    products::<L>(shared, own.index, x, lacks);
    for (lack, &excess) in lacks.as_flattened_mut().iter_mut().zip(own.excess) {
        *lack = (-excess).mul_add(*lack, shared.base + excess);
    }
    let (g, inverse) = room(&mut at.vectors, 2 * width).split_at_mut(width);
    // Coordinates do not meet in the diagonal, so the residual of a block needs its own numbers only.
    for first in (0..width).step_by(block.max(1)) {
        let wide = block.max(1).min(width - first);
        let g = &mut g[..wide];
        let matrix = room(&mut at.matrix, wide * LANES * wide);
        let scaled = room(&mut at.scaled, STRIP * wide);
        matrix.fill([0.0; LANES]);
        for (k, g) in (first..).zip(g.iter_mut()) {
            let mut r = L::zero().fnma(L::load(&shared.values[k]).add(ridge), L::load(&x[k]));
            if let Some(mean) = own.mean {
                r = r.fma(ridge, L::load(&mean[k]));
            }
            r.store(g);
        }
        let part = |index: u32| &shared.row(index)[first..first + wide];
        for ((index, excess), lacks) in
            own.index.chunks(STRIP).zip(own.excess.chunks(STRIP)).zip(lacks.chunks(STRIP / LANES))
        {
            for ((to, &index), &excess) in scaled.chunks_exact_mut(wide).zip(index).zip(excess) {
                let root = L::splat(excess.sqrt());
                for (to, y) in to.iter_mut().zip(part(index)) {
                    L::load(y).mul(root).store(to);
                }
            }
            add_rows_body::<L>(&scaled[..index.len() * wide], wide, matrix);
            for (&index, &lack) in index.iter().zip(lacks.as_flattened()) {
                let lack = L::splat(lack);
                for (g, y) in g.iter_mut().zip(part(index)) {
                    L::load(g).fma(L::load(y), lack).store(g);
                }
            }
        }
        let flat = matrix.as_flattened_mut();
        for (k, value) in shared.values[first..first + wide].as_flattened().iter().enumerate() {
            flat[k * wide * LANES + k] += value + own.ridge;
        }
        factor::solve::<L>(matrix, wide * LANES, wide, g, inverse);
        for (x, g) in x[first..].iter_mut().zip(&*g) {
            L::load(x).add(L::load(g)).store(x);
        }
        if first + wide == width {
            break;
        }
        for ((&index, &excess), lack) in own.index.iter().zip(own.excess).zip(lacks.as_flattened_mut()) {
            let mut sum = L::zero();
            for (y, g) in part(index).iter().zip(&*g) {
                sum = sum.fma(L::load(y), L::load(g));
            }
            *lack = (-excess).mul_add(sum.sum(), *lack);
        }
    }
}
