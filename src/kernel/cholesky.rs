//! `A = Uᵀ U` for a symmetric positive definite matrix, in place, and the solution of `A x = b`.
//!
//! Row-major and upper triangular, so that every inner loop runs along a row. Four pivot rows are finished, then taken
//! off everything below in one pass (a right-looking factorisation in panels of four).

use super::dispatch::vectorised;
use super::dot::{axpy, axpy4, dot};

/// The matrix is not positive definite, or rounding made it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("pivot {pivot} is not above zero; the matrix needs a larger ridge")]
pub(crate) struct NotPositiveDefinite {
    /// The first row whose pivot is not above zero (or not a number).
    pub(crate) pivot: usize,
}

const PANEL: usize = 4;

vectorised! {
    /// Replaces the upper triangle of the row-major `dim x dim` matrix `a` by `U`. What is below it is never read.
    ///
    /// `dim³ / 6` multiply-adds.
    fn factor = factor_body(a: &mut [f32], dim: usize) -> Result<(), NotPositiveDefinite>
}

#[inline(always)]
fn factor_body(a: &mut [f32], dim: usize) -> Result<(), NotPositiveDefinite> {
    for start in (0..dim).step_by(PANEL) {
        let end = (start + PANEL).min(dim);
        let (panel, below) = a[start * dim..].split_at_mut((end - start) * dim);
        for k in start..end {
            let (row, rest) = panel[(k - start) * dim..].split_at_mut(dim);
            // Written so that NaN fails too.
            if !(row[k] > 0.0 && row[k].is_finite()) {
                return Err(NotPositiveDefinite { pivot: k });
            }
            let inverse = 1.0 / row[k].sqrt();
            row[k..].iter_mut().for_each(|v| *v *= inverse);
            for (i, next) in (k + 1..end).zip(rest.chunks_exact_mut(dim)) {
                axpy(-row[i], &row[i..], &mut next[i..]);
            }
        }
        if end - start < PANEL {
            break; // the last panel has nothing below it
        }
        let (u0, rest) = panel.split_at(dim);
        let (u1, rest) = rest.split_at(dim);
        let (u2, u3) = rest.split_at(dim);
        for (i, row) in (end..dim).zip(below.chunks_exact_mut(dim)) {
            axpy4([-u0[i], -u1[i], -u2[i], -u3[i]], [&u0[i..], &u1[i..], &u2[i..], &u3[i..]], &mut row[i..]);
        }
    }
    Ok(())
}

vectorised! {
    /// Replaces `b` by the `x` of `Uᵀ U x = b`. `dim²` multiply-adds.
    fn solve = solve_body(u: &[f32], dim: usize, b: &mut [f32])
}

#[inline(always)]
fn solve_body(u: &[f32], dim: usize, b: &mut [f32]) {
    for (k, row) in u.chunks_exact(dim).enumerate() {
        b[k] /= row[k];
        axpy(-b[k], &row[k + 1..], &mut b[k + 1..]);
    }
    for (k, row) in u.chunks_exact(dim).enumerate().rev() {
        b[k] = (b[k] - dot(&row[k + 1..], &b[k + 1..])) / row[k];
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::rng::SplitMix64;

    /// The twin: Gaussian elimination with row exchanges, in `f64`.
    pub(crate) fn eliminate(a: &[f32], dim: usize, b: &[f32]) -> Vec<f64> {
        let mut m: Vec<Vec<f64>> = (0..dim)
            .map(|i| a[i * dim..(i + 1) * dim].iter().chain([&b[i]]).map(|&v| f64::from(v)).collect())
            .collect();
        for k in 0..dim {
            let best = (k..dim).max_by(|&i, &j| m[i][k].abs().total_cmp(&m[j][k].abs())).unwrap();
            m.swap(k, best);
            for i in (0..dim).filter(|&i| i != k) {
                let pivot = m[k].clone();
                let f = m[i][k] / pivot[k];
                m[i].iter_mut().zip(&pivot).skip(k).for_each(|(v, p)| *v -= f * p);
            }
        }
        (0..dim).map(|i| m[i][dim] / m[i][i]).collect()
    }

    #[test]
    fn solves_what_elimination_solves() {
        let mut rng = SplitMix64::new(5);
        for dim in [1, 2, 3, 4, 5, 7, 8, 13, 16, 33, 64] {
            let rows: Vec<f32> = (0..3 * dim * dim).map(|_| rng.normal()).collect();
            let blocks = [crate::kernel::gram::block(&rows, dim)];
            let mut a = crate::kernel::gram::sum_blocks(&blocks, dim, 1.0);
            (0..dim).for_each(|i| a[i * dim + i] += 1.0);
            let b: Vec<f32> = (0..dim).map(|_| rng.normal()).collect();
            let slow = eliminate(&a, dim, &b);
            for i in 0..dim {
                a[i * dim..i * dim + i].fill(f32::NAN); // nobody may look below the diagonal
            }
            let mut x = b.clone();
            factor(&mut a, dim).unwrap();
            solve(&a, dim, &mut x);
            for (fast, slow) in x.iter().zip(slow) {
                approx::assert_relative_eq!(f64::from(*fast), slow, epsilon = 1e-4, max_relative = 1e-3);
            }
        }
    }

    #[test]
    fn by_hand() {
        // [4 2; 2 5] = [2 0; 1 2] [2 1; 0 2], and [4 2; 2 5] [1; 2] = [8; 12].
        let mut a = [4.0, 2.0, 0.0, 5.0];
        factor(&mut a, 2).unwrap();
        assert_eq!([a[0], a[1], a[3]], [2.0, 1.0, 2.0]);
        let mut b = [8.0, 12.0];
        solve(&a, 2, &mut b);
        assert_eq!(b, [1.0, 2.0]);
    }

    #[test]
    fn a_pivot_that_is_not_above_zero_is_named() {
        assert_eq!(factor(&mut [0.0], 1), Err(NotPositiveDefinite { pivot: 0 }));
        assert_eq!(factor(&mut [1.0, 2.0, 2.0, 1.0], 2), Err(NotPositiveDefinite { pivot: 1 }));
        assert_eq!(factor(&mut [f32::NAN], 1), Err(NotPositiveDefinite { pivot: 0 }));
        assert_eq!(factor(&mut [f32::INFINITY], 1), Err(NotPositiveDefinite { pivot: 0 }));
    }
}
