//! From rows of events to the units in which items meet.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::prefetch::prefetch;
use crate::run::{Cancelled, Run};
use crate::time::Span;

/// Within what two items must meet to count as a pair. Each unit counts a pair at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PairUnit {
    /// All events of one shopper row, however far apart.
    Shopper,
    /// One session, visit, invoice or basket, given or derived from pauses.
    #[default]
    Session,
}

/// Whether it matters which of two items came first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PairOrder {
    /// Both in one unit, in any order.
    #[default]
    Any,
    /// First the one, then the other: some event on `a` (of a from-kind) at time `t` and some event on `b` (of a
    /// to-kind) at a time in `t..=t + within`. At the very same time the pair counts only if the two events are of
    /// different kinds: a view stamped like a purchase came before it, two lines of one invoice came together.
    Then {
        /// The longest time between the two.
        within: Span,
    },
}

/// What makes a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PairRule {
    pub(super) unit: PairUnit,
    pub(super) from: KindSet,
    pub(super) to: KindSet,
    pub(super) order: PairOrder,
    /// Only this many items of a unit count, the latest touched.
    pub(super) max_items: usize,
    pub(super) count: Count,
}

/// What a pair is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Count {
    /// The units it was met in.
    #[default]
    Units,
    /// The rows that have such a unit: shoppers, and anonymous visits.
    Rows,
}

/// Units, each with the items that count as the first and as the second of a pair.
#[derive(Debug, Default)]
pub(super) struct Units {
    pub(super) from: Side,
    pub(super) to: Side,
    /// The row of each unit, plus 1; kept only where rows are counted.
    row: Vec<u32>,
}

/// The items of each unit that were touched by some kinds, ascending: an entry each. Four bytes an entry, and where
/// order matters four more and nine an event.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// Where each unit's entries end.
    ends: Vec<u32>,
    item: Vec<ItemIdx>,
    /// Where each entry's events end; kept, like the events (oldest first), only where order matters.
    event_ends: Vec<u32>,
    at: Vec<i64>,
    kind: Vec<u8>,
}

/// Rows gathered by one task.
const BLOCK: usize = 2048;

/// One relevant event: its derived order is by unit, item, time, kind, and so free of the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Meeting {
    unit: u32,
    item: ItemIdx,
    at: i64,
    kind: u8,
}

impl Units {
    /// The units of `rows` (rows without events, or beyond the dataset, have none). `O(events log)`.
    pub(super) fn gather(data: &Dataset, rows: &[UserIdx], rule: &PairRule, run: &Run<'_>) -> Result<Self, Cancelled> {
        let blocks = run.threads.map(rows.len().div_ceil(BLOCK), |block| {
            go_on(run)?;
            let mut units = Self::default();
            let mut meetings = Vec::new();
            for &row in rows[block * BLOCK..].iter().take(BLOCK) {
                units.add_row(data, row, rule, &mut meetings);
            }
            Ok(units)
        });
        let mut all = Self::default();
        for block in blocks {
            let block = block?;
            all.from.append(&block.from);
            all.to.append(&block.to);
            all.row.extend_from_slice(&block.row);
        }
        Ok(all)
    }

    fn add_row(&mut self, data: &Dataset, row: UserIdx, rule: &PairRule, meetings: &mut Vec<Meeting>) {
        let events = data.events_of(row);
        let columns = events.sessions().iter().zip(events.items()).zip(events.times()).zip(events.kinds());
        meetings.clear();
        meetings.extend(
            columns.filter(|&(_, &kind)| rule.from.contains_code(kind) || rule.to.contains_code(kind)).map(
                |(((&session, &item), &at), &kind)| Meeting {
                    unit: if rule.unit == PairUnit::Session { session } else { 0 },
                    item,
                    at,
                    kind,
                },
            ),
        );
        meetings.sort_unstable();
        for unit in meetings.chunk_by(|x, y| x.unit == y.unit) {
            self.add_unit(unit, rule);
            if rule.count == Count::Rows {
                self.row.push(row.get() + 1);
            }
        }
    }

    fn add_unit(&mut self, unit: &[Meeting], rule: &PairRule) {
        let oldest = oldest_that_counts(unit, rule.max_items);
        for events in unit.chunk_by(|x, y| x.item == y.item).filter(|events| recency(events) <= oldest) {
            self.from.add(events, rule.from, rule.order);
            self.to.add(events, rule.to, rule.order);
        }
        self.from.end_unit();
        self.to.end_unit();
    }

    pub(super) fn len(&self) -> usize {
        self.from.ends.len()
    }

    /// The row of a unit, plus 1, where rows are counted; 0 where units are.
    pub(super) fn row(&self, unit: usize) -> u32 {
        self.row.get(unit).copied().unwrap_or(0)
    }

    /// Whether second entry `b` follows first entry `a` of the same unit as [`PairOrder::Then`] has it.
    pub(super) fn follows(&self, a: usize, b: usize, within: Span) -> bool {
        let (first, second) = (range(&self.from.event_ends, a), range(&self.to.event_ends, b));
        second.map(|to| (self.to.at[to], self.to.kind[to])).any(|(at, kind)| {
            let known = self.from.at[first.clone()].partition_point(|&earlier| earlier <= at);
            (first.start..first.start + known)
                .rev()
                .take_while(|&from| at.saturating_sub(self.from.at[from]) <= within.as_millis())
                .any(|from| self.from.at[from] < at || self.from.kind[from] != kind)
        })
    }
}

impl Side {
    /// Adds what a unit has on one item, if any of it is of `kinds`.
    fn add(&mut self, events: &[Meeting], kinds: KindSet, order: PairOrder) {
        let mut matching = events.iter().filter(|e| kinds.contains_code(e.kind)).peekable();
        if matching.peek().is_none() {
            return;
        }
        self.item.push(events[0].item);
        if order != PairOrder::Any {
            for event in matching {
                self.at.push(event.at);
                self.kind.push(event.kind);
            }
            self.event_ends.push(self.at.len() as u32);
        }
    }

    fn end_unit(&mut self) {
        self.ends.push(self.item.len() as u32);
    }

    fn append(&mut self, other: &Self) {
        let (entries, events) = (self.item.len() as u32, self.at.len() as u32);
        self.ends.extend(other.ends.iter().map(|end| end + entries));
        self.item.extend_from_slice(&other.item);
        self.event_ends.extend(other.event_ends.iter().map(|end| end + events));
        self.at.extend_from_slice(&other.at);
        self.kind.extend_from_slice(&other.kind);
    }

    /// The entries of one unit.
    pub(super) fn entries(&self, unit: usize) -> std::ops::Range<usize> {
        range(&self.ends, unit)
    }

    /// The items of one unit, ascending.
    pub(super) fn items(&self, unit: usize) -> &[ItemIdx] {
        &self.item[self.entries(unit)]
    }

    /// Asks for where a unit's entries end.
    #[inline]
    pub(super) fn prefetch_end(&self, unit: usize) {
        prefetch(&self.ends, unit);
    }

    /// Asks for the items of a unit, whose end should be there by now.
    #[inline]
    pub(super) fn prefetch_items(&self, unit: usize) {
        prefetch(&self.item, range(&self.ends, unit).start);
    }

    /// In how many units each item is.
    pub(super) fn count(&self, n_items: usize) -> Vec<u32> {
        let mut count = vec![0; n_items];
        self.count_into(&mut count);
        count
    }

    pub(super) fn count_into(&self, count: &mut [u32]) {
        self.item.iter().for_each(|item| count[item.as_usize()] += 1);
    }
}

/// Whether nobody asked to end the run. Progress is reported in one place only, where the work is.
fn go_on(run: &Run<'_>) -> Result<(), Cancelled> {
    if run.cancel.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
}

fn range(ends: &[u32], i: usize) -> std::ops::Range<usize> {
    let start = i.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[i] as usize
}

/// Latest first, equal times by ascending item.
fn recency(events: &[Meeting]) -> (std::cmp::Reverse<i64>, ItemIdx) {
    (std::cmp::Reverse(events[events.len() - 1].at), events[0].item)
}

/// The recency of the last item of a unit that still counts.
fn oldest_that_counts(unit: &[Meeting], max_items: usize) -> (std::cmp::Reverse<i64>, ItemIdx) {
    const ALL: (std::cmp::Reverse<i64>, ItemIdx) = (std::cmp::Reverse(i64::MIN), ItemIdx::new(u32::MAX));
    if unit.len() <= max_items {
        return ALL;
    }
    let mut items: Vec<_> = unit.chunk_by(|x, y| x.item == y.item).map(recency).collect();
    if items.len() <= max_items {
        return ALL;
    }
    *items.select_nth_unstable(max_items - 1).1
}

crate::persist::portable_value!(PairUnit, PairOrder, Count);
crate::persist::portable!(PairRule { unit, from, to, order, max_items, count });
