//! From rows to columns: what belongs to each item, in the order of the rows.
//!
//! Written straight to its place, every entry goes to another line of memory and another page: with 200,000 items the
//! heads of all columns fill 25 MB, and no cache near the core holds them. So entries are dealt into [`BUCKETS`] of
//! neighbouring columns first, a slab of them at a time, and then, bucket by bucket, to their places: few enough heads
//! either time. Buckets are columns that nobody else writes, so each thread takes its own.

use std::ops::Range;

use crate::run::Parallelism;

/// Neighbouring columns are dealt with together: so many groups of them.
const BUCKETS: usize = 256;
/// Below so many columns their heads stay in the caches, and below so many entries the entries do.
const FEW_COLUMNS: usize = 4096;
const FEW: usize = 1 << 16;

/// How entries are dealt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Entries dealt at once, and how many such slabs stand in memory; no slabs for writing straight to the place.
    slab: usize,
    slabs: usize,
}

impl Default for Turn {
    fn default() -> Self {
        Self { slab: 1 << 20, slabs: 8 }
    }
}

/// Where each column begins, and the last one ends.
pub(crate) fn starts(column: &[u32], columns: usize) -> Vec<u64> {
    let mut count = vec![0u32; columns];
    column.iter().for_each(|&c| count[c as usize] += 1);
    let mut end = 0;
    let ends = count.iter().map(|&n| {
        end += u64::from(n);
        end
    });
    let mut starts = Vec::with_capacity(columns + 1);
    starts.push(0);
    starts.extend(ends);
    starts
}

/// A slab of entries by bucket: those of bucket `b` are `entries[starts[b]..starts[b + 1]]`, in order.
struct Slab<T> {
    starts: [u32; BUCKETS + 1],
    entries: Vec<(u32, T)>,
}

/// One bucket's place in what is made: its columns' next free places, less where it begins; and its part of the result.
struct Bucket<'o, T> {
    first: usize,
    next: &'o mut [usize],
    out: &'o mut [T],
}

impl Turn {
    /// Straight to the place, without any memory beside the result.
    pub(super) const fn plain() -> Self {
        Self { slab: 1, slabs: 0 }
    }

    /// Bytes beside the result, at most, for entries of 8 bytes.
    pub(crate) const fn bytes(self) -> u64 {
        (self.slab * self.slabs * 8) as u64
    }

    /// What `payload` says of each entry, by column; of one column in the order of the entries.
    pub(crate) fn by_column<T: Copy + Default + Send + Sync>(
        self,
        column: &[u32],
        starts: &[u64],
        threads: Parallelism,
        payload: impl Fn(Range<usize>, &mut Vec<T>) + Sync + Send,
    ) -> Vec<T> {
        let columns = starts.len() - 1;
        let few = self.slab > FEW && (columns <= FEW_COLUMNS || column.len() <= FEW);
        if self.slabs == 0 || few {
            return straight(column, starts, payload);
        }
        // Columns of bucket `b`: those whose number is `b` without its last `shift` digits.
        let shift = usize::BITS - (columns.saturating_sub(1) / BUCKETS).leading_zeros();
        let mut out = vec![T::default(); column.len()];
        let mut next = vec![0usize; columns];
        let mut buckets = Vec::with_capacity(BUCKETS);
        let (mut rest, mut rest_next) = (&mut out[..], &mut next[..]);
        for first in (0..columns).step_by(1 << shift) {
            let last = columns.min(first + (1 << shift));
            let (out, others) = rest.split_at_mut((starts[last] - starts[first]) as usize);
            let (next, others_next) = rest_next.split_at_mut(last - first);
            for (next, start) in next.iter_mut().zip(&starts[first..last]) {
                *next = (start - starts[first]) as usize;
            }
            buckets.push(Bucket { first, next, out });
            (rest, rest_next) = (others, others_next);
        }
        let slabs = column.len().div_ceil(self.slab);
        for wave in (0..slabs).step_by(self.slabs) {
            let dealt = threads.map(self.slabs.min(slabs - wave), |n| {
                let from = (wave + n) * self.slab;
                let range = from..column.len().min(from + self.slab);
                let mut values = Vec::with_capacity(range.len());
                payload(range.clone(), &mut values);
                deal(&column[range], &values, shift)
            });
            threads.for_chunks(
                &mut buckets,
                1,
                || (),
                |(), b, bucket| {
                    for Bucket { first, next, out } in bucket {
                        for slab in &dealt {
                            for &(column, value) in &slab.entries[slab.starts[b] as usize..slab.starts[b + 1] as usize]
                            {
                                let at = &mut next[column as usize - *first];
                                out[*at] = value;
                                *at += 1;
                            }
                        }
                    }
                },
            );
        }
        out
    }
}

fn deal<T: Copy + Default>(column: &[u32], values: &[T], shift: u32) -> Slab<T> {
    let mut starts = [0u32; BUCKETS + 1];
    column.iter().for_each(|&c| starts[(c >> shift) as usize + 1] += 1);
    for b in 0..BUCKETS {
        starts[b + 1] += starts[b];
    }
    let mut next = starts;
    let mut entries = vec![(0, T::default()); column.len()];
    for (&c, &value) in column.iter().zip(values) {
        let at = &mut next[(c >> shift) as usize];
        entries[*at as usize] = (c, value);
        *at += 1;
    }
    Slab { starts, entries }
}

/// Each entry written to its place as it comes.
fn straight<T: Copy + Default>(column: &[u32], starts: &[u64], payload: impl Fn(Range<usize>, &mut Vec<T>)) -> Vec<T> {
    const STEP: usize = 4096;
    let mut next = starts.to_vec();
    let mut out = vec![T::default(); column.len()];
    let mut values = Vec::with_capacity(STEP);
    for from in (0..column.len()).step_by(STEP) {
        let range = from..column.len().min(from + STEP);
        values.clear();
        payload(range.clone(), &mut values);
        for (&c, &value) in column[range].iter().zip(&values) {
            let at = &mut next[c as usize];
            out[*at as usize] = value;
            *at += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn dealt_in_slabs_is_written_straight(
            columns in 1usize..2000,
            wanted in prop::collection::vec(0u32..2000, 0..600),
            (slab, slabs) in (1usize..90, 1usize..5),
        ) {
            let column: Vec<u32> = wanted.iter().map(|c| c % columns as u32).collect();
            let starts = starts(&column, columns);
            let place = |range: Range<usize>, out: &mut Vec<u64>| out.extend(range.map(|at| at as u64 + 7));
            let expected = straight(&column, &starts, place);
            for (c, w) in starts.windows(2).enumerate() {
                let slow: Vec<u64> =
                    (0u64..).zip(&column).filter(|&(_, &of)| of as usize == c).map(|(at, _)| at + 7).collect();
                prop_assert_eq!(&expected[w[0] as usize..w[1] as usize], &slow);
            }
            for threads in [Parallelism::Serial, Parallelism::Pool] {
                prop_assert_eq!(&Turn { slab, slabs }.by_column(&column, &starts, threads, place), &expected);
            }
        }
    }
}
