//! From rows of events to the units in which items meet.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
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
}

/// Units with the distinct items that count in each, by ascending item. Five bytes an entry, and nine an event where
/// order matters.
#[derive(Debug, Default)]
pub(super) struct Units {
    /// Where each unit's entries end.
    ends: Vec<u32>,
    item: Vec<ItemIdx>,
    role: Vec<u8>,
    /// Where each entry's events end; kept, like the events, only where order matters.
    event_ends: Vec<u32>,
    at: Vec<i64>,
    kind: Vec<u8>,
}

const FROM: u8 = 1;
const TO: u8 = 2;
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
            all.append(&block?);
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
        }
    }

    fn add_unit(&mut self, unit: &[Meeting], rule: &PairRule) {
        let oldest = oldest_that_counts(unit, rule.max_items);
        for events in unit.chunk_by(|x, y| x.item == y.item).filter(|events| recency(events) <= oldest) {
            let has = |kinds: KindSet| events.iter().any(|e| kinds.contains_code(e.kind));
            self.item.push(events[0].item);
            self.role.push((u8::from(has(rule.from)) * FROM) | (u8::from(has(rule.to)) * TO));
            if rule.order != PairOrder::Any {
                self.at.extend(events.iter().map(|e| e.at));
                self.kind.extend(events.iter().map(|e| e.kind));
                self.event_ends.push(self.at.len() as u32);
            }
        }
        self.ends.push(self.item.len() as u32);
    }

    fn append(&mut self, other: &Self) {
        let (entries, events) = (self.item.len() as u32, self.at.len() as u32);
        self.ends.extend(other.ends.iter().map(|end| end + entries));
        self.item.extend_from_slice(&other.item);
        self.role.extend_from_slice(&other.role);
        self.event_ends.extend(other.event_ends.iter().map(|end| end + events));
        self.at.extend_from_slice(&other.at);
        self.kind.extend_from_slice(&other.kind);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The entries of one unit: its items in ascending order.
    pub(super) fn entries(&self, unit: usize) -> std::ops::Range<usize> {
        range(&self.ends, unit)
    }

    pub(super) fn item(&self, entry: usize) -> ItemIdx {
        self.item[entry]
    }

    /// The entry of `item` in one unit.
    pub(super) fn find(&self, unit: usize, item: ItemIdx) -> Option<usize> {
        let entries = self.entries(unit);
        self.item[entries.clone()].binary_search(&item).ok().map(|at| entries.start + at)
    }

    pub(super) fn is_from(&self, entry: usize) -> bool {
        self.role[entry] & FROM != 0
    }

    pub(super) fn is_to(&self, entry: usize) -> bool {
        self.role[entry] & TO != 0
    }

    /// Whether entry `b` follows entry `a` of the same unit as [`PairOrder::Then`] has it.
    pub(super) fn follows(&self, a: usize, b: usize, rule: &PairRule, within: Span) -> bool {
        let (a, b) = (range(&self.event_ends, a), range(&self.event_ends, b));
        b.filter(|&to| rule.to.contains_code(self.kind[to])).any(|to| {
            let known = self.at[a.clone()].partition_point(|&at| at <= self.at[to]);
            (a.start..a.start + known)
                .rev()
                .take_while(|&from| self.at[to].saturating_sub(self.at[from]) <= within.as_millis())
                .filter(|&from| rule.from.contains_code(self.kind[from]))
                .any(|from| self.at[from] < self.at[to] || self.kind[from] != self.kind[to])
        })
    }
}

/// Whether nobody asked to end the run. Progress is reported in one place only, where the work is.
pub(super) fn go_on(run: &Run<'_>) -> Result<(), Cancelled> {
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
