//! Compressed sparse rows, the one sparse layout of the crate.

use std::ops::Range;

use crate::kernel::column::Column;
use crate::persist::{cuts_or_none, portable};

/// One row of a sparse matrix: ascending indices, and a weight for each.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row<'a> {
    index: &'a [u32],
    weight: &'a [f32],
}

impl<'a> Row<'a> {
    /// Indices with weights, ascending.
    pub fn iter(self) -> impl ExactSizeIterator<Item = (u32, f32)> + 'a {
        self.index.iter().copied().zip(self.weight.iter().copied())
    }

    /// The ascending indices.
    #[must_use]
    pub const fn indices(self) -> &'a [u32] {
        self.index
    }

    /// The weights, in the order of the indices.
    #[must_use]
    pub const fn weights(self) -> &'a [f32] {
        self.weight
    }

    /// How many entries.
    #[must_use]
    pub const fn len(self) -> usize {
        self.index.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.index.is_empty()
    }

    /// The weight at `index`, if there is an entry. `O(log len)`.
    #[must_use]
    pub fn get(self, index: u32) -> Option<f32> {
        self.index.binary_search(&index).ok().map(|at| self.weight[at])
    }
}

/// A sparse matrix by rows: 8 bytes an entry and 8 bytes a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Csr {
    offsets: Column<u64>,
    index: Column<u32>,
    weight: Column<f32>,
}

impl Csr {
    pub(crate) fn with_capacity(rows: usize, entries: usize) -> Self {
        let mut offsets = Column::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, index: Column::with_capacity(entries), weight: Column::with_capacity(entries) }
    }

    /// Appends one entry to the row being written; indices must ascend.
    pub(crate) fn push(&mut self, index: u32, weight: f32) {
        self.index.push(index);
        self.weight.push(weight);
    }

    /// Ends the row being written.
    pub(crate) fn end_row(&mut self) {
        self.offsets.push(self.index.len() as u64);
    }

    pub(crate) fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn row(&self, row: usize) -> Row<'_> {
        let range = self.range(row);
        Row { index: &self.index[range.clone()], weight: &self.weight[range] }
    }

    /// Where the entries of `row` stand among all; empty for an unknown row.
    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => 0..0,
        }
    }

    /// The same entries by column. `O(entries + columns)`.
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        let mut offsets = vec![0u64; columns + 1];
        for &c in self.index.iter() {
            offsets[c as usize + 1] += 1;
        }
        for c in 0..columns {
            offsets[c + 1] += offsets[c];
        }
        let mut next = offsets.clone();
        let mut index = vec![0; self.index.len()];
        let mut weight = vec![0.0; self.index.len()];
        for r in 0..self.rows() {
            for (c, w) in self.row(r).iter() {
                let at = next[c as usize] as usize;
                next[c as usize] += 1;
                index[at] = r as u32;
                weight[at] = w;
            }
        }
        Self { offsets: offsets.into(), index: index.into(), weight: weight.into() }
    }

    /// Whether every index is below `columns` and, in each row, above the one before; asked of what came from a file.
    pub(crate) fn is_sound(&self, columns: usize) -> bool {
        cuts_or_none(&self.offsets, self.index.len())
            && self.index.len() == self.weight.len()
            && self.index.is_below(columns)
            && self.index.rises_within(&self.offsets)
    }

    pub(crate) fn shrink(&mut self) {
        self.index.shrink_to_fit();
        self.weight.shrink_to_fit();
        self.offsets.shrink_to_fit();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.offsets.capacity() * 8 + self.index.capacity() * 4 + self.weight.capacity() * 4
    }
}

portable!(Csr { offsets, index, weight } "rows that are not cut out of its entries" => |csr| csr.len() == csr.weight.len() && cuts_or_none(&csr.offsets, csr.len()));
