//! Rows times a square matrix, in place.
//!
//! The matrix is kept in panels of 32 columns; 8 rows x 32 columns of the result stay in registers while the panel
//! passes by. Every number is summed in ascending order by fused multiply-add, whatever the rows beside it.

use super::fused::fused;
use super::lanes::{Block, LANES, Lanes};

/// Rows of a tile.
const TILE: usize = 8;
/// Blocks of a panel.
const WIDE: usize = 2;

/// A square matrix to multiply by from the right.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    width: usize,
    /// Panel after panel: two blocks of columns, row by row; the last panel may be one block wide.
    panels: Vec<Block>,
}

impl Rotation {
    /// From its rows, `width` blocks each.
    pub(crate) fn new(rows: &[Block], width: usize) -> Self {
        let panel = |column: usize| {
            let wide = WIDE.min(width - column);
            rows.chunks_exact(width).flat_map(move |row| &row[column..column + wide])
        };
        Self { width, panels: (0..width).step_by(WIDE).flat_map(panel).copied().collect() }
    }
}

fused! {
    /// Replaces each row `y` (as many blocks as the matrix is wide) by `y Q`.
    fn rotate = rotate_body(rows: &mut [Block], by: &Rotation)
}

#[inline(always)]
fn rotate_body<L: Lanes>(rows: &mut [Block], by: &Rotation) {
    let width = by.width;
    if width == 0 {
        return;
    }
    let mut from = vec![[0.0; LANES]; TILE * width];
    for rows in rows.chunks_mut(TILE * width) {
        from[..rows.len()].copy_from_slice(rows);
        let few = rows.len() <= TILE / 2 * width;
        for (panel, column) in by.panels.chunks(WIDE * LANES * width).zip((0..width).step_by(WIDE)) {
            match (panel.len() / (LANES * width), few) {
                (WIDE, false) => tile::<L, TILE, WIDE>(&from, width, panel, column, rows),
                (WIDE, true) => tile::<L, { TILE / 2 }, WIDE>(&from, width, panel, column, rows),
                _ => tile::<L, TILE, 1>(&from, width, panel, column, rows),
            }
        }
    }
}

#[inline(always)]
fn tile<L: Lanes, const R: usize, const N: usize>(
    from: &[Block],
    width: usize,
    panel: &[Block],
    column: usize,
    to: &mut [Block],
) {
    let lanes = width * LANES;
    let panel = &panel.as_chunks::<N>().0[..lanes];
    let flat = from.as_flattened();
    let mut left = [flat; R];
    for (row, left) in left.iter_mut().enumerate() {
        *left = &flat[row * lanes..(row + 1) * lanes];
    }
    let mut sums = [[L::zero(); N]; R];
    for (k, right) in panel.iter().enumerate() {
        let mut blocks = [L::zero(); N];
        for (block, right) in blocks.iter_mut().zip(right) {
            *block = L::load(right);
        }
        for (left, sums) in left.iter().zip(&mut sums) {
            // SAFETY: every one of `left` is `lanes` numbers long, as many as `panel` has rows, and `k` counts those.
            #[allow(unsafe_code)]
            let left = L::splat(unsafe { *left.get_unchecked(k) });
            for (sum, &right) in sums.iter_mut().zip(&blocks) {
                *sum = sum.fma(left, right);
            }
        }
    }
    for (sums, to) in sums.iter().zip(to.chunks_exact_mut(width)) {
        for (sum, to) in sums.iter().zip(&mut to[column..]) {
            sum.store(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::lanes::Portable;
    use crate::kernel::rng::SplitMix64;

    #[test]
    fn is_the_product_and_the_same_for_every_width() {
        let mut rng = SplitMix64::new(6);
        for (n, width) in [(0, 1), (1, 1), (7, 2), (9, 3), (21, 4)] {
            let mut blocks =
                |n: usize| -> Vec<Block> { (0..n).map(|_| std::array::from_fn(|_| rng.normal())).collect() };
            let (rows, matrix) = (blocks(n * width), blocks(width * LANES * width));
            let by = Rotation::new(&matrix, width);
            let (mut fast, mut slow) = (rows.clone(), rows.clone());
            rotate(&mut fast, &by);
            rotate_body::<Portable>(&mut slow, &by);
            assert!(fast.as_flattened().iter().zip(slow.as_flattened()).all(|(a, b)| a.to_bits() == b.to_bits()));
            let dim = width * LANES;
            for (i, fast) in fast.as_flattened().iter().enumerate() {
                let row = &rows.as_flattened()[i / dim * dim..][..dim];
                let column = matrix.as_flattened()[i % dim..].iter().step_by(dim);
                let plain: f64 = row.iter().zip(column).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                approx::assert_relative_eq!(f64::from(*fast), plain, epsilon = 1e-4);
            }
            // A row does not depend on its neighbours.
            for (row, fast) in rows.chunks_exact(width).zip(fast.chunks_exact(width)) {
                let mut alone = row.to_vec();
                rotate(&mut alone, &by);
                assert_eq!(alone, fast);
            }
        }
    }
}
