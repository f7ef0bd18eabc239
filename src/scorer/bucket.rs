//! Whole-number counts per item and stretch of time: what makes "update equals rebuild, bit for bit" true.
//!
//! Decay and windows are applied to whole buckets when a model is made, never to single events: integers can be taken
//! out again exactly, floats cannot. Only buckets in which something happened are kept: 12 bytes each, 8 an item, however
//! far apart the events are.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Delta, Turn, starts};
use crate::event::KindSet;
use crate::ids::UserIdx;
use crate::kernel::column::Column;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::time::{Span, Timestamp};

/// What counts as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Count {
    /// Every event.
    Events,
    /// Every shopper (or anonymous session) once an item, at the time of their latest event on it.
    #[default]
    Shoppers,
    /// Every shopper (or anonymous session) once an item and bucket of time.
    Visits,
    /// Every unit: the event's quantity, in steps of 1/1024, at most 1,048,576 an event.
    Units,
}

/// Steps one counted thing is made of, and the most units one event counts: 2^32 events of 2^30 steps stay below 2^63.
const UNIT_STEPS: f64 = 1024.0;
const MOST_UNITS: f64 = 1_048_576.0;

/// The shortest and the longest bucket, in milliseconds. With ten minutes, 10,000 years of buckets fit an `i32`.
pub(crate) const SHORTEST: u64 = 600_000;
pub(crate) const CENTURY: u64 = 3_155_760_000_000;

pub(crate) const BUCKET: ParamSpec =
    ParamSpec::int("bucket", SHORTEST, CENTURY, "milliseconds counted as one: windows and decay go by whole buckets");
pub(crate) const NAME: ParamSpec = ParamSpec::typed("name", "a text that is not empty", "what the scorer is called");
pub(crate) const KINDS: ParamSpec = ParamSpec::typed("kinds", "at least one kind", "the events that count");

/// The checks every counting recipe shares.
pub(crate) fn check_name_and_kinds(name: &str, kinds: KindSet) -> Result<(), ParamError> {
    if name.trim().is_empty() {
        return Err(ParamError::new("name", format_args!("{name:?}"), "a text that is not empty"));
    }
    if kinds.is_empty() {
        return Err(ParamError::new("kinds", "[]", "at least one kind"));
    }
    Ok(())
}

pub(crate) fn check_span<P: Validate>(name: &str, span: Option<Span>) -> Result<(), ParamError> {
    span.map_or(Ok(()), |span| check_range::<P>(name, span.as_millis() as f64))
}

/// What to count, and in which buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counting {
    pub(crate) kinds: KindSet,
    pub(crate) count: Count,
    pub(crate) bucket: Span,
}

impl Counting {
    /// The number of the bucket that holds an instant.
    pub(crate) fn bucket_of(&self, at: Timestamp) -> i64 {
        at.millis().div_euclid(self.bucket.as_millis().max(1))
    }

    /// How many buckets a span takes, the last one perhaps in part; at least one.
    pub(crate) fn buckets_in(&self, span: Span) -> i64 {
        let bucket = self.bucket.as_millis().max(1);
        (span.as_millis() / bucket + i64::from(span.as_millis() % bucket != 0)).max(1)
    }

    /// The oldest bucket within the latest `window` up to `as_of`.
    pub(crate) fn since(&self, as_of: Timestamp, window: Option<Span>) -> i64 {
        window.map_or(i64::MIN, |window| self.bucket_of(as_of).saturating_sub(self.buckets_in(window) - 1))
    }

    /// How much a bucket still counts, `2^(-age / half_life)` by the difference of bucket numbers.
    pub(crate) fn decay(&self, age: i64, half_life: Option<Span>) -> f64 {
        half_life.map_or(1.0, |half_life| Span::millis(age.saturating_mul(self.bucket.as_millis())).decay(half_life))
    }

    /// A counted number in the words of the recipe: events, shoppers, visits or whole units.
    pub(crate) fn whole(&self, steps: u64) -> u64 {
        if self.count == Count::Units { steps / UNIT_STEPS as u64 } else { steps }
    }

    /// The same as a real number.
    pub(crate) fn real(&self, steps: u64) -> f64 {
        if self.count == Count::Units { steps as f64 / UNIT_STEPS } else { steps as f64 }
    }

    /// Everything one shopper row adds: `f(item, bucket, number)`.
    fn row(&self, data: &Dataset, row: UserIdx, met: &mut Met, mut f: impl FnMut(u32, i64, u64)) {
        met.next_row(data.n_items());
        // Newest first: the first event met on an item is the shopper's latest.
        for event in data.events_of(row).iter().rev().filter(|e| self.kinds.contains(e.kind)) {
            let (item, bucket) = (event.item.get(), self.bucket_of(event.at));
            let number = match self.count {
                Count::Events => 1,
                Count::Shoppers => u64::from(!met.meet(item, bucket)),
                Count::Visits => u64::from(!met.meet_in(item, bucket)),
                Count::Units => (f64::from(event.quantity).min(MOST_UNITS) * UNIT_STEPS).round() as u64,
            };
            if number > 0 {
                f(item, bucket, number);
            }
        }
    }
}

/// The items met in the current row, each with the bucket it was last met in.
#[derive(Debug, Default)]
struct Met {
    row: u64,
    seen: Vec<(u64, i64)>,
}

impl Met {
    fn next_row(&mut self, n_items: usize) {
        self.row += 1; // 0 marks what was never met
        if self.seen.len() < n_items {
            self.seen.resize(n_items, (0, 0));
        }
    }

    /// Whether `item` was met before in this row; it is now.
    fn meet(&mut self, item: u32, bucket: i64) -> bool {
        std::mem::replace(&mut self.seen[item as usize], (self.row, bucket)).0 == self.row
    }

    /// Whether it was last met in this row and bucket. Buckets come in descending order.
    fn meet_in(&mut self, item: u32, bucket: i64) -> bool {
        std::mem::replace(&mut self.seen[item as usize], (self.row, bucket)) == (self.row, bucket)
    }
}

/// Counts by item, then by bucket, ascending; no zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Nothing older is kept.
    from: i64,
    offsets: Column<u64>,
    bucket: Column<i32>,
    count: Column<u64>,
}

/// A bucket of a stored event: always within `i32`, see [`SHORTEST`].
fn narrow(bucket: i64) -> i32 {
    bucket.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Rows between two looks at the cancel flag.
const STRETCH: usize = 1 << 12;

impl Buckets {
    /// Counts everything from bucket `from` on. `O(events)`, and a sort of each item's buckets.
    pub(crate) fn count(counting: Counting, data: &Dataset, from: i64, run: &Run<'_>) -> Result<Self, Cancelled> {
        let (n_items, n_rows) = (data.n_items(), data.n_rows());
        let read = |met: &mut Met, block: usize| {
            let rows = block * STRETCH..n_rows.min((block + 1) * STRETCH);
            run.step(rows.start as u64, n_rows as u64, None)?;
            let mut added = Added::default();
            for row in rows {
                counting.row(data, UserIdx::new(row as u32), met, |item, bucket, n| {
                    if bucket >= from {
                        added.item.push(item);
                        added.bucket.push(narrow(bucket));
                        if counting.count == Count::Units {
                            added.number.push(n);
                        }
                    }
                });
            }
            Ok(added)
        };
        let read = run.threads.map_with(n_rows.div_ceil(STRETCH), Met::default, read);
        let Added { item, bucket, number } = Added::joined(read.into_iter().collect::<Result<_, Cancelled>>()?);
        let starts = starts(&item, n_items);
        let by_item = |range: Range<usize>, out: &mut Vec<i32>| out.extend_from_slice(&bucket[range]);
        let buckets = Turn::default().by_column(&item, &starts, run.threads, by_item);
        drop(bucket);
        let by_item = |range: Range<usize>, out: &mut Vec<u64>| out.extend_from_slice(&number[range]);
        let numbers = if number.is_empty() {
            Vec::new()
        } else {
            Turn::default().by_column(&item, &starts, run.threads, by_item)
        };
        drop((item, number));
        let merged = run.threads.map(n_items, |item| {
            let range = starts[item] as usize..starts[item + 1] as usize;
            merge(&buckets[range.clone()], numbers.get(range).unwrap_or_default())
        });
        let mut out = Self::with_capacity(from, n_items, merged.iter().map(Vec::len).sum());
        for item in merged {
            item.into_iter().for_each(|(bucket, n)| out.push(bucket, n));
            out.end_item();
        }
        Ok(out)
    }

    /// The counts of `delta.data()`, given those of `delta.base()`: `O(changed events + buckets kept)`.
    pub(crate) fn updated(
        &self,
        counting: Counting,
        delta: &Delta<'_>,
        from: i64,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        if from < self.from {
            return Self::count(counting, delta.data(), from, run); // what a longer window needs was never kept
        }
        let mut met = Met::default();
        let mut changes: Vec<(u32, i32, i128)> = Vec::new();
        for (data, sign) in [(delta.base(), -1), (delta.data(), 1)] {
            for (i, &row) in delta.rows().iter().enumerate() {
                if i % STRETCH == 0 {
                    run.step(i as u64, delta.rows().len() as u64, None)?;
                }
                counting.row(data, row, &mut met, |item, bucket, n| {
                    changes.push((item, narrow(bucket), sign * i128::from(n)));
                });
            }
        }
        changes.sort_unstable_by_key(|&(item, bucket, _)| (item, bucket));
        let mut changes = &changes[..];
        let n_items = delta.data().n_items();
        let mut out = Self::with_capacity(from, n_items, self.count.len() + changes.len());
        let mut both: Vec<(i32, i128)> = Vec::new();
        for item in 0..n_items {
            let (mine, rest) = changes.split_at(changes.partition_point(|c| c.0 as usize == item));
            changes = rest;
            both.clear();
            both.extend(self.item(item).map(|(bucket, n)| (narrow(bucket), i128::from(n))));
            both.extend(mine.iter().map(|&(_, bucket, n)| (bucket, n)));
            both.sort_unstable_by_key(|b| b.0);
            for group in both.chunk_by(|a, b| a.0 == b.0) {
                let sum: i128 = group.iter().map(|g| g.1).sum();
                if sum > 0 && i64::from(group[0].0) >= from {
                    out.push(group[0].0, sum as u64);
                }
            }
            out.end_item();
        }
        Ok(out)
    }

    /// One item's counts, oldest bucket first; none beyond the last item.
    pub(crate) fn item(&self, item: usize) -> impl DoubleEndedIterator<Item = (i64, u64)> + '_ {
        let range = match (self.offsets.get(item), self.offsets.get(item + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => 0..0,
        };
        self.bucket[range.clone()].iter().map(|&b| i64::from(b)).zip(self.count[range].iter().copied())
    }

    /// All one item has.
    pub(crate) fn total(&self, item: usize) -> u64 {
        self.item(item).map(|(_, n)| n).sum()
    }

    /// Items counted.
    pub(crate) fn n_items(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.offsets.capacity() * 8 + self.bucket.capacity() * 4 + self.count.capacity() * 8
    }

    fn with_capacity(from: i64, n_items: usize, entries: usize) -> Self {
        let mut offsets = Column::with_capacity(n_items + 1);
        offsets.push(0);
        Self { from, offsets, bucket: Column::with_capacity(entries), count: Column::with_capacity(entries) }
    }

    fn push(&mut self, bucket: i32, n: u64) {
        self.bucket.push(bucket);
        self.count.push(n);
    }

    fn end_item(&mut self) {
        self.offsets.push(self.bucket.len() as u64);
    }
}

/// What some rows add to which item and bucket, in their order.
#[derive(Default)]
struct Added {
    item: Vec<u32>,
    bucket: Vec<i32>,
    /// Empty where each is 1.
    number: Vec<u64>,
}

impl Added {
    fn joined(parts: Vec<Self>) -> Self {
        let entries = parts.iter().map(|part| part.item.len()).sum();
        let mut all =
            Self { item: Vec::with_capacity(entries), bucket: Vec::with_capacity(entries), ..Self::default() };
        for part in parts {
            all.item.extend(part.item);
            all.bucket.extend(part.bucket);
            all.number.extend(part.number);
        }
        all
    }
}

/// Sums by bucket, ascending; without numbers each counts one.
fn merge(buckets: &[i32], numbers: &[u64]) -> Vec<(i32, u64)> {
    if numbers.is_empty() {
        let mut buckets = buckets.to_vec();
        buckets.sort_unstable();
        return buckets.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as u64)).collect();
    }
    let mut counts: Vec<(i32, u64)> = buckets.iter().copied().zip(numbers.iter().copied()).collect();
    counts.sort_unstable();
    counts.chunk_by(|a, b| a.0 == b.0).map(|same| (same[0].0, same.iter().map(|&(_, n)| n).sum())).collect()
}

crate::persist::portable_value!(Count);
crate::persist::portable!(Counting { kinds, count, bucket } "buckets of no length" => |c| c.bucket.as_millis() > 0);
crate::persist::portable!(Buckets { from, offsets, bucket, count }
    "items that are not cut out of its buckets" => |b| crate::persist::cuts_or_none(&b.offsets, b.bucket.len())
        && b.count.len() == b.bucket.len());
