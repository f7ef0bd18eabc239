//! Gram matrices `Σ y yᵀ` of the rows of a tall matrix.
//!
//! Tiles of 8 x 32 numbers of the result stay in registers while 128 rows pass by; only the upper triangle is computed.
//! Sums run in a fixed order: over 128 rows by fused multiply-add, over those strips in `f32`, and [`sum_wide`] adds
//! the results of blocks of rows in `f64`.

use super::fused::fused;
use super::lanes::{Block, LANES, Lanes};

/// Rows that pass by a tile: with 64 numbers each, half of a first-level cache.
const STRIP: usize = 128;
/// Rows of a tile.
const TILE: usize = 8;

fused! {
    /// Adds `Σ y yᵀ` over rows of `width` blocks each to `out`, as many blocks wide. Blocks to the left of the diagonal
    /// are left alone.
    fn add_rows = add_rows_body(rows: &[Block], width: usize, out: &mut [Block])
}

#[inline(always)]
pub(super) fn add_rows_body<L: Lanes>(rows: &[Block], width: usize, out: &mut [Block]) {
    for strip in rows.chunks(STRIP * width) {
        for (group, out) in out.chunks_exact_mut(TILE * width).enumerate() {
            let first = group * TILE / LANES;
            let at = group * TILE % LANES;
            for column in (first..width - (width - first) % 2).step_by(2) {
                tile::<L, 2>(strip, width, first, at, column, out);
            }
            if (width - first) % 2 == 1 {
                tile::<L, 1>(strip, width, first, at, width - 1, out);
            }
        }
    }
}

/// Rows `16 first + at ..` and `WIDE` blocks of columns from `column` on.
#[inline(always)]
fn tile<L: Lanes, const WIDE: usize>(
    strip: &[Block],
    width: usize,
    first: usize,
    at: usize,
    column: usize,
    out: &mut [Block],
) {
    let mut sums = [[L::zero(); WIDE]; TILE];
    for row in strip.chunks_exact(width) {
        let left: &[f32; TILE] = row[first][at..].first_chunk().unwrap_or(&[0.0; TILE]);
        let right: [L; WIDE] = load(&row[column..]);
        for (sums, &left) in sums.iter_mut().zip(left) {
            let left = L::splat(left);
            for (sum, &right) in sums.iter_mut().zip(&right) {
                *sum = sum.fma(left, right);
            }
        }
    }
    for (sums, out) in sums.iter().zip(out.chunks_exact_mut(width)) {
        for (sum, out) in sums.iter().zip(&mut out[column..]) {
            L::load(out).add(*sum).store(out);
        }
    }
}

#[inline(always)]
fn load<L: Lanes, const N: usize>(from: &[Block]) -> [L; N] {
    let mut to = [L::zero(); N];
    for (to, from) in to.iter_mut().zip(&from[..N]) {
        *to = L::load(from);
    }
    to
}

/// The upper triangle of `Yᵀ Y` for one block of rows of `dim` numbers laid end to end, row-major.
pub(crate) fn block(rows: &[f32], dim: usize) -> Vec<f32> {
    let width = dim.div_ceil(LANES);
    let mut sums = vec![[0.0; LANES]; width * LANES * width];
    let mut strip = vec![[0.0; LANES]; STRIP.min(rows.len().div_ceil(dim.max(1))) * width];
    for rows in rows.chunks((STRIP * dim).max(1)) {
        for (to, row) in strip.as_flattened_mut().chunks_exact_mut(width * LANES).zip(rows.chunks_exact(dim)) {
            to[..dim].copy_from_slice(row);
        }
        add_rows(&strip[..rows.len() / dim * width], width, &mut sums);
    }
    let wide = sums.as_flattened().chunks_exact((width * LANES).max(1));
    wide.take(dim).flat_map(|row| &row[..dim]).copied().collect()
}

/// How many rows make a block: at least 2,048, and so many that there are at most 64 blocks.
pub(crate) fn block_rows(rows: usize) -> usize {
    rows.div_ceil(64).max(2048)
}

/// The full matrix `scale * Σ block` from the upper triangles of the blocks, summed in order in `f64`.
#[cfg(test)]
pub(crate) fn sum_blocks(blocks: &[Vec<f32>], dim: usize, scale: f64) -> Vec<f32> {
    sum(blocks.iter().map(|block| &block[..]), dim, dim, scale)
}

/// The full matrix `scale * Σ block` from the upper triangles that [`add_rows`] gave, summed in order in `f64`.
pub(crate) fn sum_wide(blocks: &[Vec<Block>], dim: usize, scale: f64) -> Vec<f32> {
    sum(blocks.iter().map(|block| block.as_flattened()), dim, dim.next_multiple_of(LANES), scale)
}

fn sum<'a>(blocks: impl Iterator<Item = &'a [f32]> + Clone, dim: usize, stride: usize, scale: f64) -> Vec<f32> {
    let mut out = vec![0.0; dim * dim];
    for i in 0..dim {
        for j in i..dim {
            let sum: f64 = blocks.clone().map(|block| f64::from(block[i * stride + j])).sum();
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
    use crate::kernel::lanes::Portable;
    use crate::kernel::rng::SplitMix64;

    #[test]
    fn equals_the_plain_triple_sum() {
        let mut rng = SplitMix64::new(3);
        for (n, dim) in [(0, 3), (1, 1), (3, 5), (4, 4), (37, 16), (201, 19), (300, 33), (129, 64)] {
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
    fn every_width_gives_the_same_bits() {
        let mut rng = SplitMix64::new(4);
        for (n, width) in [(1, 1), (131, 2), (300, 3), (140, 5)] {
            let rows: Vec<Block> = (0..n * width).map(|_| std::array::from_fn(|_| rng.normal())).collect();
            let mut fast = vec![[1.0; LANES]; width * LANES * width];
            let mut slow = fast.clone();
            add_rows(&rows, width, &mut fast);
            add_rows_body::<Portable>(&rows, width, &mut slow);
            assert!(fast.as_flattened().iter().zip(slow.as_flattened()).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn there_are_never_more_than_64_blocks() {
        for rows in [0usize, 1, 2048, 131_072, 131_073, 10_000_000] {
            assert!(rows.div_ceil(block_rows(rows)) <= 64);
        }
    }
}
