//! A dataset in numbers: what it holds and what it weighs.

use std::fmt;

use super::Dataset;
use crate::event::EventKind;
use crate::time::Timestamp;

/// Counts that describe a dataset.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Events that count.
    pub events: usize,
    /// Events that were cancelled, with the events that cancelled them.
    pub cancelled: u64,
    /// Events by kind, only kinds that occur.
    pub by_kind: Vec<(EventKind, u64)>,
    /// Profiled shoppers.
    pub users: usize,
    /// Anonymous sessions.
    pub anonymous_sessions: usize,
    /// Sessions in all.
    pub sessions: usize,
    /// Items numbered.
    pub items: usize,
    /// Items with at least one event.
    pub items_with_events: usize,
    /// Distinct (shopper, item) pairs of positive weight.
    pub pairs: usize,
    /// Searches that were recorded.
    pub searches: usize,
    /// Time of the first and of the last event.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events ({} cancelled) of {} shoppers and {} anonymous sessions on {} items; {} sessions, {} pairs",
            self.events, self.cancelled, self.users, self.anonymous_sessions, self.items, self.sessions, self.pairs
        )
    }
}

/// Bytes by part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryReport {
    parts: Vec<(String, usize)>,
}

impl MemoryReport {
    /// With one part more.
    #[must_use]
    pub fn with(mut self, part: impl Into<String>, bytes: usize) -> Self {
        self.parts.push((part.into(), bytes));
        self
    }

    /// With all parts of another report, under a prefix.
    #[must_use]
    pub fn with_all(mut self, prefix: &str, other: &Self) -> Self {
        self.parts.extend(other.parts.iter().map(|(part, bytes)| (format!("{prefix}/{part}"), *bytes)));
        self
    }

    /// All bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.parts.iter().map(|(_, bytes)| bytes).sum()
    }

    /// The parts with their bytes.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        self.parts.iter().map(|(part, bytes)| (part.as_str(), *bytes))
    }
}

impl fmt::Display for MemoryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>14} bytes in all", self.total())?;
        self.parts.iter().try_for_each(|(part, bytes)| writeln!(f, "{bytes:>14} {part}"))
    }
}

impl Dataset {
    /// The dataset in numbers. `O(events)`.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut by_code = [0u64; EventKind::CODES];
        self.table.kind.iter().for_each(|&code| by_code[code as usize] += 1);
        let by_kind = (0..EventKind::CODES as u8)
            .map(|code| (EventKind::from_code(code), by_code[code as usize]))
            .filter(|(_, n)| *n > 0)
            .collect();
        let first = self.table.at.iter().min();
        let last = self.table.at.iter().max();
        let users = self.users().count();
        Summary {
            events: self.n_events(),
            cancelled: self.cancelled,
            by_kind,
            users,
            anonymous_sessions: self.n_rows() - users,
            sessions: self.n_sessions(),
            items: self.n_items(),
            items_with_events: self.item_offsets.windows(2).filter(|w| w[0] < w[1]).count(),
            pairs: self.n_pairs(),
            searches: self.searches.rows.len(),
            span: first.zip(last).map(|(a, b)| (Timestamp::from_millis(*a), Timestamp::from_millis(*b))),
        }
    }

    /// The heap bytes it holds, by part.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("events", self.table.heap_bytes() + self.offsets.capacity() * 8)
            .with("sessions", self.session.capacity() * 4)
            .with("event weights", self.weight.capacity() * 4)
            .with("item index", self.item_offsets.capacity() * 8 + self.item_events.capacity() * 4)
            .with("pairs by shopper", self.by_user.heap_bytes())
            .with("pairs by item", self.by_item.heap_bytes())
            .with("shopper keys", self.shoppers.heap_bytes())
            .with("item keys", self.items.heap_bytes())
            .with("searches", self.searches.rows.capacity() * 24 + self.searches.queries.heap_bytes())
    }
}
