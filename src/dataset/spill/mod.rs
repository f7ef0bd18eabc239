//! Building a dataset of more events than memory holds.
//!
//! An external sort, by shopper: events are held until their share of the budget is full, sorted, and written to a file
//! (a run); at the end as many shoppers as fit are read from all runs at a time, their rows written on all threads as the
//! [`DatasetBuilder`] writes them, and the finished columns appended to files. Then, and before anything of it is
//! allocated, the size of the dataset is known, and it is read, or refused.
//!
//! | what | where |
//! |---|---|
//! | ids of shoppers and items, texts of searches, 16 bytes an event id | memory, at most half of the budget |
//! | events: 34 bytes each while sorting, 21 to 30 and 8 a (shopper, item) pair when finished | files |
//! | the dataset | memory ([`SpillingBuilder::finish`]), or files that are mapped (`finish_mapped`) |
//!
//! Partitions by shopper made while events arrive would need to know how many shoppers there will be and which of them
//! are busy; a sorted run can be cut anywhere afterwards.

mod columns;
mod error;
mod files;
mod finish;
mod run;
#[cfg(all(feature = "mmap", unix))]
mod turned;

pub use error::{SpillError, SpillIngestError};

use std::path::Path;

use super::builder::{DatasetBuilder, Ended};
use super::{IngestReport, table::EventTable};
use crate::budget::MemoryBudget;
use crate::event::{Event, EventKind};
use crate::ids::{IdMap, TooManyIds};
use crate::source::EventSource;
use files::{Kept, Scratch};

#[cfg(any(feature = "csv", feature = "json"))]
use crate::{run::Run, source::BlockSource};

/// A [`DatasetBuilder`] that keeps to a budget of memory: events it cannot hold go to files. The dataset is the one of
/// the builder it was made of, byte for byte, for any budget and any number of threads.
///
/// Use it where 60 to 80 bytes an event are too many; where they are not, the [`DatasetBuilder`] is faster. Everything the
/// build holds counts: ids, the events at hand, and in the end the dataset itself, unless that is mapped. What does not
/// count: a few KiB of buffers, and what a source reads ahead.
///
/// Files lie in a new folder inside the one that was named, and are deleted with the builder: also after errors, but not
/// if the process is killed. They hold user numbers and what was done, but no ids.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, MemoryBudget, Run, Shopper, Timestamp};
/// let folder = std::env::temp_dir();
/// let mut builder = DatasetBuilder::default().spill_to(folder, MemoryBudget::new(256 << 10)?)?;
/// for n in 0..4000 {
///     let name = format!("shopper {}", n % 40);
///     let who = Shopper::Profiled(Consented::new(&name, LawfulBasis::Contract));
///     builder.push(&Event::new(who, "mug", EventKind::View, Timestamp::from_secs(n)))?;
/// }
/// assert!(builder.spilled() > 0);
/// let data = builder.finish(&Run::default())?;
/// assert_eq!(data.n_events(), 4000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SpillingBuilder {
    /// Numbers everything, and holds the events since the last run.
    held: DatasetBuilder,
    budget: MemoryBudget,
    scratch: Scratch,
    runs: Vec<Kept>,
    spilled: Spilled,
    /// Events taken since what is held was looked at.
    unseen: u32,
}

/// What is known of the events in files.
#[derive(Debug)]
struct Spilled {
    events: u64,
    /// By shopper row.
    by_user: Vec<u32>,
    by_kind: [u64; EventKind::CODES],
    latest: Option<i64>,
    /// Bytes an event of the columns that are not the same for all: quantity, value, channel.
    used: [u64; 3],
}

/// What is held is looked at after so many events.
const LOOK: u32 = 16;
/// Bytes of an event that is held, at most.
const HELD: u64 = 30;

impl DatasetBuilder {
    /// A builder that holds at most `budget` bytes, and what is more in files in `folder`, which must exist. See
    /// [`SpillingBuilder`].
    ///
    /// # Errors
    /// [`SpillError::Folder`] when no files can be made there.
    pub fn spill_to(self, folder: impl AsRef<Path>, budget: MemoryBudget) -> Result<SpillingBuilder, SpillError> {
        let scratch = Scratch::within(folder.as_ref())?;
        let spilled =
            Spilled { events: 0, by_user: Vec::new(), by_kind: [0; EventKind::CODES], latest: None, used: [0; 3] };
        Ok(SpillingBuilder { held: self, budget, scratch, runs: Vec::new(), spilled, unseen: 0 })
    }
}

impl SpillingBuilder {
    /// As [`DatasetBuilder::items`].
    ///
    /// # Errors
    /// [`TooManyIds`] when the numbering is full.
    pub fn items<'k>(&mut self, keys: impl IntoIterator<Item = &'k str>) -> Result<(), TooManyIds> {
        self.held.items(keys)
    }

    /// Events taken in.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.spilled.events + self.held.len() as u64
    }

    /// Whether no event was taken in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Events that lie in files.
    #[must_use]
    pub const fn spilled(&self) -> u64 {
        self.spilled.events
    }

    /// The budget it keeps to.
    #[must_use]
    pub const fn budget(&self) -> MemoryBudget {
        self.budget
    }

    /// Takes everything `source` offers, as [`DatasetBuilder::ingest`].
    ///
    /// # Errors
    /// As there, and [`SpillIngestError::Spill`] when a file cannot be written or ids take too much. What was accepted
    /// before stays.
    pub fn ingest<S: EventSource>(&mut self, source: S) -> Result<IngestReport, SpillIngestError<S::Error>> {
        let Self { held, budget, scratch, runs, spilled, unseen } = self;
        let mut watch = |held: &mut DatasetBuilder| spilled.look(held, *budget, scratch, runs, unseen);
        held.ingest_watched(source, &mut watch).map_err(SpillIngestError::from)
    }

    /// Takes everything `source` offers, parsed on the threads of `run`, as [`DatasetBuilder::ingest_parallel`]. Blocks of
    /// text that are parsed together take about a megabyte each: one at least, and an eighth of the budget at most.
    ///
    /// # Errors
    /// As [`ingest`](Self::ingest).
    #[cfg(any(feature = "csv", feature = "json"))]
    pub fn ingest_parallel<S: BlockSource>(
        &mut self,
        source: S,
        run: &Run<'_>,
    ) -> Result<IngestReport, SpillIngestError<S::Error>> {
        let Self { held, budget, scratch, runs, spilled, unseen } = self;
        let blocks = usize::try_from(budget.bytes() / 8 / (1 << 20)).unwrap_or(usize::MAX);
        let mut watch = |held: &mut DatasetBuilder| {
            *unseen = LOOK;
            spilled.look(held, *budget, scratch, runs, unseen)
        };
        held.ingest_parallel_watched(source, run, blocks, &mut watch).map_err(SpillIngestError::from)
    }

    /// Takes one event, as [`DatasetBuilder::push`].
    ///
    /// # Errors
    /// As there, and [`SpillIngestError::Spill`]; then the event was taken all the same.
    pub fn push(&mut self, event: &Event<'_>) -> Result<(), SpillIngestError<std::convert::Infallible>> {
        self.held.push(event)?;
        let Self { held, budget, scratch, runs, spilled, unseen } = self;
        spilled.look(held, *budget, scratch, runs, unseen).map_err(|source| {
            let mut report = IngestReport::default();
            (report.offered, report.accepted) = (1, 1);
            SpillIngestError::Spill { source, report: Box::new(report) }
        })
    }
}

impl<E: std::error::Error + 'static> From<Ended<E, SpillError>> for SpillIngestError<E> {
    fn from(ended: Ended<E, SpillError>) -> Self {
        match ended {
            Ended::Ingest(error) => Self::Ingest(error),
            Ended::Watch(source, report) => Self::Spill { source, report },
        }
    }
}

/// Bytes of what is never spilled, with what growing it takes for a moment.
fn ids(held: &DatasetBuilder, by_user: &[u32]) -> u64 {
    const NEXT: usize = 2 * LOOK as usize;
    let growing = if held.ids.capacity() - held.ids.len() < NEXT { 3 } else { 1 };
    let maps = held.shoppers.bytes_ahead(NEXT) + held.items.bytes_ahead(NEXT) + held.queries.bytes_ahead(NEXT);
    let searches = held.searches.capacity() * 24;
    (maps + held.ids.allocation_size() * growing + searches + size_of_val(by_user)) as u64
}

impl Spilled {
    /// Spills what is held once it fills its share of the budget.
    #[inline]
    fn look(
        &mut self,
        held: &mut DatasetBuilder,
        budget: MemoryBudget,
        scratch: &mut Scratch,
        runs: &mut Vec<Kept>,
        unseen: &mut u32,
    ) -> Result<(), SpillError> {
        *unseen += 1;
        if *unseen < LOOK {
            return Ok(());
        }
        *unseen = 0;
        let ids = ids(held, &self.by_user);
        if ids > budget.bytes() / 2 {
            return Err(SpillError::Ids { held: ids, budget });
        }
        // A run is sorted by 8 bytes an event and a hash a session beside it.
        if held.len() as u64 * HELD + held.sessions.heap_bytes() as u64 >= budget.bytes() / 4 {
            self.spill(held, scratch, runs)?;
        }
        Ok(())
    }

    /// Writes what is held into a run; if that fails, it is still held.
    fn spill(
        &mut self,
        held: &mut DatasetBuilder,
        scratch: &mut Scratch,
        runs: &mut Vec<Kept>,
    ) -> Result<(), SpillError> {
        if held.is_empty() {
            return Ok(());
        }
        runs.push(run::write(held, scratch)?);
        self.by_user.resize(held.shoppers.len(), 0);
        held.user.iter().for_each(|user| self.by_user[user.as_usize()] += 1);
        held.table.kind.iter().for_each(|&code| self.by_kind[usize::from(code)] += 1);
        self.latest = self.latest.max(held.table.at.iter().copied().max());
        self.events += held.len() as u64;
        let EventTable { quantity, value, channel, .. } = &held.table;
        let stored = [(quantity.is_stored(), 4), (value.is_stored(), 4), (channel.is_stored(), 1)];
        for (used, (stored, bytes)) in self.used.iter_mut().zip(stored) {
            *used = if stored { bytes } else { *used };
        }
        held.table.clear();
        held.user.own().clear();
        held.session.own().clear();
        held.sessions = IdMap::default();
        Ok(())
    }
}
