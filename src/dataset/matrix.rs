//! Compressed sparse rows, the one sparse layout of the crate.

use std::ops::Range;

use super::turn::{Turn, starts};
use crate::kernel::column::Column;
use crate::kernel::prefetch::prefetch;
use crate::persist::{cuts_or_none, portable};
use crate::run::Parallelism;

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

    /// Asks for the beginning of a row that will be read.
    #[inline]
    pub(crate) fn prefetch(&self, row: usize) {
        let start = self.range(row).start;
        prefetch(&self.index, start);
        prefetch(&self.weight, start);
    }

    /// Puts the rows of `next` behind these.
    pub(crate) fn append(&mut self, next: &Self) {
        let entries = self.len() as u64;
        self.offsets.own().extend(next.offsets.iter().skip(1).map(|end| entries + end));
        self.index.own().extend_from_slice(&next.index);
        self.weight.own().extend_from_slice(&next.weight);
    }

    /// Of these columns.
    pub(super) const fn of(offsets: Column<u64>, index: Column<u32>, weight: Column<f32>) -> Self {
        Self { offsets, index, weight }
    }

    /// Where each row begins, and the last one ends; the indices; the weights.
    pub(super) fn columns(&self) -> (&[u64], &[u32], &[f32]) {
        (&self.offsets, &self.index, &self.weight)
    }

    /// The same entries by column. `O(entries + columns)`.
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        self.turned(columns, Parallelism::Serial, Turn::default())
    }

    /// [`transposed`](Self::transposed) on those threads.
    pub(super) fn turned(&self, columns: usize, threads: Parallelism, turn: Turn) -> Self {
        let starts = starts(&self.index, columns);
        let index = turn.by_column(&self.index, &starts, threads, |range, out| {
            // The row of each entry: those of the range, the first one's found by halving.
            let mut row = self.offsets.partition_point(|&end| end <= range.start as u64).saturating_sub(1);
            for entry in range {
                while self.offsets[row + 1] <= entry as u64 {
                    row += 1;
                }
                out.push(row as u32);
            }
        });
        let weight = turn.by_column(&self.index, &starts, threads, |range, out| {
            out.extend_from_slice(&self.weight[range]);
        });
        Self { offsets: starts.into(), index: index.into(), weight: weight.into() }
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
