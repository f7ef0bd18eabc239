//! Vectors of whole blocks, end to end, at addresses that suit wide loads.

use super::lanes::{Block, LANES};

/// Rows of `width` blocks; what is beyond the last number of a row is zero.
#[derive(Debug)]
pub(crate) struct Vectors {
    data: Vec<f32>,
    /// Where the first row lies: the first address that 64 divides.
    start: usize,
    rows: usize,
    dim: usize,
}

impl Vectors {
    /// All zeros.
    pub(crate) fn new(rows: usize, dim: usize) -> Self {
        let data = vec![0.0; rows * dim.next_multiple_of(LANES) + LANES];
        // Only speed depends on it, so an address that cannot be told is as good as any.
        let start = data.as_ptr().align_offset(size_of::<Block>()).min(LANES);
        Self { data, start, rows, dim }
    }

    /// Bytes that this takes for so many rows.
    pub(crate) fn bytes(rows: usize, dim: usize) -> u64 {
        4 * (rows as u64 * dim.next_multiple_of(LANES) as u64 + LANES as u64)
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Blocks a row.
    pub(crate) fn width(&self) -> usize {
        self.dim.div_ceil(LANES)
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.data[self.start..].as_chunks().0[..self.rows * self.width()]
    }

    pub(crate) fn blocks_mut(&mut self) -> &mut [Block] {
        let len = self.rows * self.width();
        &mut self.data[self.start..].as_chunks_mut().0[..len]
    }

    /// The rows without what pads them, in the same memory.
    pub(crate) fn into_dense(mut self) -> Vec<f32> {
        let stride = self.width() * LANES;
        for row in 0..self.rows {
            let from = self.start + row * stride;
            self.data.copy_within(from..from + self.dim, row * self.dim);
        }
        self.data.truncate(self.rows * self.dim);
        self.data.shrink_to_fit();
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_as_they_went_in() {
        for (rows, dim) in [(0, 3), (1, 1), (3, 5), (4, 16), (5, 17)] {
            let mut vectors = Vectors::new(rows, dim);
            let width = vectors.width();
            for (row, blocks) in vectors.blocks_mut().chunks_exact_mut(width).enumerate() {
                for (k, v) in blocks.as_flattened_mut()[..dim].iter_mut().enumerate() {
                    *v = (row * dim + k) as f32;
                }
            }
            let counted: Vec<f32> = (0..rows * dim).map(|i| i as f32).collect();
            assert_eq!(vectors.into_dense(), counted);
        }
    }
}
