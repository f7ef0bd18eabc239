//! A log as a source of events.

use super::{Cursor, EventLog, LogError, Retention, Scan};
use crate::source::{EventSource, Flow, Offered};
use crate::time::Timestamp;

/// A log as an [`EventSource`]: everything, or what was known at some moment.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, Shopper, Timestamp};
/// use likewise::log::{Durability, EventLog, MemoryLog, Replay};
/// let at = Timestamp::from_secs;
/// let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
/// let log = MemoryLog::default();
/// log.append(&[Event::new(ann, "mug", EventKind::View, at(10))], at(10), Durability::Memory)?;
/// log.append(&[Event::new(ann, "tea", EventKind::View, at(5))], at(20), Durability::Memory)?; // arrives late
/// let mut then = DatasetBuilder::default();
/// assert_eq!(then.ingest(Replay::new(&log).as_of(at(15)))?.accepted, 1); // nobody knew of the tea
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Replay<'a, L: ?Sized> {
    log: &'a L,
    scan: Scan<'a>,
    end: Cursor,
}

impl<'a, L: EventLog + ?Sized> Replay<'a, L> {
    /// The whole log.
    pub fn new(log: &'a L) -> Self {
        Self { log, scan: Scan::all(), end: Cursor::START }
    }

    /// Only what is behind `cursor`.
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.scan.from = cursor;
        self
    }

    /// Only what was known at `moment`.
    pub fn as_of(mut self, moment: Timestamp) -> Self {
        self.scan = self.scan.as_of(moment);
        self
    }

    /// Only what may still be used at `now`.
    pub fn retained(mut self, retention: &'a Retention, now: Timestamp) -> Self {
        self.scan = self.scan.retained(retention, now);
        self
    }

    /// Where the last replay ended.
    #[must_use]
    pub const fn end(&self) -> Cursor {
        self.end
    }
}

impl<L: EventLog + ?Sized> EventSource for Replay<'_, L> {
    type Error = LogError;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), LogError> {
        self.end = self.log.scan(self.scan, &mut |logged| {
            sink(Offered { line: Some(logged.cursor.get()), event: Ok(logged.event) })
        })?;
        Ok(())
    }
}
