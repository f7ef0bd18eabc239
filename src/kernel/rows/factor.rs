//! `A v = g` for a symmetric positive definite matrix, by its factors `L D Lᵀ`, without a square root.

use crate::kernel::lanes::{Block, LANES, Lanes};

/// Pivots finished before they are taken off everything below in one pass.
const PANEL: usize = 4;

/// Replaces `g` by `v` and the upper triangle of `a` (`n` rows of `width` blocks; what lies below is never used) by `D Lᵀ`.
///
/// `n³ / 6` multiply-adds. What is not positive definite gives numbers that are not finite.
#[inline(always)]
pub(super) fn solve<L: Lanes>(a: &mut [Block], n: usize, width: usize, g: &mut [Block], inverse: &mut [Block]) {
    let g = &mut g[..width];
    let inverse = &mut inverse.as_flattened_mut()[..n];
    for start in (0..n).step_by(PANEL) {
        let end = (start + PANEL).min(n);
        let first = start / LANES;
        let (panel, below) = a[start * width..n * width].split_at_mut((end - start) * width);
        for k in start..end {
            let (row, rest) = panel[(k - start) * width..].split_at_mut(width);
            let pivot = row.as_flattened()[k];
            // Not above zero, or not a number: everything that follows shows it.
            inverse[k] = if pivot > 0.0 { 1.0 / pivot } else { f32::NAN };
            for (i, next) in (k + 1..end).zip(rest.chunks_exact_mut(width)) {
                take_off::<L, 1>([row.as_flattened()[i] * inverse[k]], [row], first, next);
            }
            let times = g.as_flattened()[k] * inverse[k];
            // The panel's own numbers of `g`, one by one; the others below.
            for i in k + 1..end {
                let of_row = row.as_flattened()[i];
                let g = &mut g.as_flattened_mut()[i];
                *g = (-times).mul_add(of_row, *g);
            }
        }
        if end - start < PANEL || end == n {
            break;
        }
        let (u0, rest) = panel.split_at(width);
        let (u1, rest) = rest.split_at(width);
        let (u2, u3) = rest.split_at(width);
        let rows = [u0, u1, u2, u3];
        let flat = rows.map(|row| row.as_flattened());
        let inverse = [inverse[start], inverse[start + 1], inverse[start + 2], inverse[start + 3]];
        for (i, next) in (end..n).zip(below.chunks_exact_mut(width)) {
            let times =
                [flat[0][i] * inverse[0], flat[1][i] * inverse[1], flat[2][i] * inverse[2], flat[3][i] * inverse[3]];
            take_off::<L, PANEL>(times, rows, i / LANES, next);
        }
        let of_g = &g.as_flattened()[start..];
        let times = [of_g[0] * inverse[0], of_g[1] * inverse[1], of_g[2] * inverse[2], of_g[3] * inverse[3]];
        let before = g[first];
        take_off::<L, PANEL>(times, rows, first, g);
        // What was done already shares a block with what was not.
        let done = end.min((first + 1) * LANES) - first * LANES;
        g[first][..done].copy_from_slice(&before[..done]);
    }
    // From the last: D Lᵀ v = g.
    for start in (0..n).step_by(PANEL).rev() {
        let end = (start + PANEL).min(n);
        let first = start / LANES;
        let mut sums = [L::zero(); LANES];
        for (sum, k) in sums.iter_mut().zip(start..end) {
            let row = &a[k * width..(k + 1) * width];
            // What is left of the panel's end has no meaning, or is not known yet.
            *sum = L::load(&g[first]).mul(L::load(&row[first]).tail(end - first * LANES));
            for (row, g) in row.iter().zip(&*g).skip(first + 1) {
                *sum = sum.fma(L::load(row), L::load(g));
            }
        }
        let mut out = [0.0; LANES];
        L::sums(sums).store(&mut out);
        let g = g.as_flattened_mut();
        for k in (start..end).rev() {
            let row = a[k * width..(k + 1) * width].as_flattened();
            let mut left = g[k] - out[k - start];
            for (row, g) in row[k + 1..end].iter().zip(&g[k + 1..end]) {
                left = (-row).mul_add(*g, left);
            }
            g[k] = left * inverse[k];
        }
    }
}

/// `to -= Σ times row` from block `first` on.
#[inline(always)]
fn take_off<L: Lanes, const N: usize>(times: [f32; N], rows: [&[Block]; N], first: usize, to: &mut [Block]) {
    let width = to.len();
    let mut factors = [L::zero(); N];
    for (factor, times) in factors.iter_mut().zip(times) {
        *factor = L::splat(times);
    }
    for block in first..width {
        let mut left = L::load(&to[block]);
        for (factor, row) in factors.iter().zip(&rows) {
            left = left.fnma(*factor, L::load(&row[block]));
        }
        left.store(&mut to[block]);
    }
}
