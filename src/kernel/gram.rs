//! Gram matrices `Σ w y yᵀ` of the rows of a tall matrix.
//!
//! Four rows are added at a time, so that one pass over the result does four multiply-adds a number. Only the upper
//! triangle is computed. Sums run in a fixed order: within a call in `f32`, four rows first; [`sum_blocks`] adds the
//! results of blocks of rows in `f64`. No fused multiply-add, no library: the same bits on every machine.
//! A tuned matrix product would be faster, but a Gram matrix is a small part of an ALS half-step, and a library that
//! picks its kernel by the machine would give each machine a model of its own.

use super::dispatch::vectorised;
use super::dot::{axpy, axpy4};

/// Adds `Σ w y yᵀ` over `rows` of `dim` numbers to the upper triangle of the row-major `dim x dim` matrix `out`.
#[inline(always)]
pub(crate) fn add_weighted<'a>(out: &mut [f32], dim: usize, rows: impl Iterator<Item = (&'a [f32], f32)>) {
    let mut rows = rows.fuse();
    loop {
        match (rows.next(), rows.next(), rows.next(), rows.next()) {
            (Some((y0, w0)), Some((y1, w1)), Some((y2, w2)), Some((y3, w3))) => {
                for (i, row) in out.chunks_exact_mut(dim).enumerate() {
                    let scale = [w0 * y0[i], w1 * y1[i], w2 * y2[i], w3 * y3[i]];
                    axpy4(scale, [&y0[i..], &y1[i..], &y2[i..], &y3[i..]], &mut row[i..]);
                }
            }
            (first, second, third, _) => {
                for (y, w) in [first, second, third].into_iter().flatten() {
                    for (i, row) in out.chunks_exact_mut(dim).enumerate() {
                        axpy(w * y[i], &y[i..], &mut row[i..]);
                    }
                }
                return;
            }
        }
    }
}

vectorised! {
    /// The upper triangle of `Yᵀ Y` for one block of rows laid end to end.
    fn block = block_body(rows: &[f32], dim: usize) -> Vec<f32>
}

#[inline(always)]
fn block_body(rows: &[f32], dim: usize) -> Vec<f32> {
    let mut out = vec![0.0; dim * dim];
    add_weighted(&mut out, dim, rows.chunks_exact(dim).map(|row| (row, 1.0)));
    out
}

/// How many rows make a block: at least 2,048, and so many that there are at most 64 blocks.
pub(crate) fn block_rows(rows: usize) -> usize {
    rows.div_ceil(64).max(2048)
}

/// The full matrix `scale * Σ block` from the upper triangles of the blocks, summed in order in `f64`.
pub(crate) fn sum_blocks(blocks: &[Vec<f32>], dim: usize, scale: f64) -> Vec<f32> {
    let mut out = vec![0.0; dim * dim];
    for i in 0..dim {
        for j in i..dim {
            let sum: f64 = blocks.iter().map(|block| f64::from(block[i * dim + j])).sum();
            let value = (sum * scale) as f32;
            out[i * dim + j] = value;
            out[j * dim + i] = value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::SplitMix64;

    #[test]
    fn equals_the_plain_triple_sum() {
        let mut rng = SplitMix64::new(3);
        for (n, dim) in [(0, 3), (1, 1), (3, 5), (4, 4), (37, 16), (201, 19)] {
            let rows: Vec<f32> = (0..n * dim).map(|_| rng.normal()).collect();
            let cut = (n / 2) * dim;
            let fast = sum_blocks(&[block(&rows[..cut], dim), block(&rows[cut..], dim)], dim, 0.5);
            for i in 0..dim {
                for j in 0..dim {
                    let at = |r: usize, c: usize| f64::from(rows[r * dim + c]);
                    let slow: f64 = (0..n).map(|r| at(r, i) * at(r, j)).sum::<f64>() * 0.5;
                    approx::assert_relative_eq!(f64::from(fast[i * dim + j]), slow, epsilon = 1e-4);
                }
            }
        }
    }

    #[test]
    fn there_are_never_more_than_64_blocks() {
        for rows in [0usize, 1, 2048, 131_072, 131_073, 10_000_000] {
            assert!(rows.div_ceil(block_rows(rows)) <= 64);
        }
    }
}
