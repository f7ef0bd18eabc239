//! From runs to the dataset: rows by shopper, then their columns.

use std::ops::Range;

use super::columns::{Brought, Columns, Finished, Home};
use super::run::{self, Events};
use super::{HELD, SpillError, Spilled, SpillingBuilder, ids};
use crate::budget::MemoryBudget;
use crate::dataset::builder::{DatasetBuilder, by_items};
use crate::dataset::rows::{RowRules, Written, by_row};
use crate::dataset::turn::Turn;
use crate::dataset::{Dataset, DatasetError, Searches};
use crate::event::EventKind;
use crate::ids::UserIdx;
use crate::run::Run;
use crate::time::Timestamp;

/// Bytes an event takes while its row is read, sorted and written, and in a build that spills nothing.
const AT_WORK: u64 = 120;
/// Ranges of shoppers worked on together, however many threads there are.
const TOGETHER: u64 = 8;

/// Bytes that ranges may take together. They are counted as held to the end, since allocators keep small pieces that were
/// given back. Measured 2026-11-23, 10^7 events within 600 MiB: with all that was left for ranges, 718 MiB were resident.
const fn share(budget: MemoryBudget) -> u64 {
    budget.bytes() / 8
}

impl SpillingBuilder {
    /// The dataset of all events, in memory. Time: that of [`DatasetBuilder::finish_parallel`], and writing and reading
    /// each event twice.
    ///
    /// # Errors
    /// [`SpillError::Dataset`] when it does not fit the budget, before anything of it is allocated: at once where the
    /// number of events says so, otherwise when all rows were written. [`SpillError::Shopper`], [`SpillError::Cancelled`],
    /// and when a file cannot be written or read. All files are deleted, whatever comes of it.
    pub fn finish(self, run: &Run<'_>) -> Result<Dataset, SpillError> {
        let all = self.held.len() as u64;
        if self.runs.is_empty() && self.held_bytes() + all * (AT_WORK - HELD) <= self.budget.bytes() {
            return Ok(self.held.finish_parallel(run)?);
        }
        self.finish_in(Home::Memory, run)
    }

    /// The dataset of all events, its columns in files that are mapped: for a dataset that is larger than memory. The same
    /// numbers and the same answers; the system reads pages when they are looked at and drops them when it needs room, so
    /// that random requests may wait for the disk. The files lose their names at once and go with the last clone of the
    /// dataset. The budget holds for what is not mapped.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); [`SpillError::Dataset`] when what is a number a shopper or an item does not fit.
    #[cfg(all(feature = "mmap", unix))]
    pub fn finish_mapped(self, run: &Run<'_>) -> Result<Dataset, SpillError> {
        self.finish_in(Home::Mapped, run)
    }

    /// Bytes held now.
    fn held_bytes(&self) -> u64 {
        ids(&self.held, &self.spilled.by_user) + self.held.len() as u64 * HELD + self.held.sessions.heap_bytes() as u64
    }

    fn finish_in(mut self, home: Home, run: &Run<'_>) -> Result<Dataset, SpillError> {
        self.spilled.spill(&mut self.held, &mut self.scratch, &mut self.runs)?;
        let Self { held, budget, scratch, runs, mut spilled, .. } = self;
        if spilled.events > u64::from(u32::MAX) {
            return Err(DatasetError::TooManyEvents { got: spilled.events }.into());
        }
        let latest = spilled.latest.max(held.latest()).unwrap_or(0);
        let DatasetBuilder { lineage, weights, as_of, session_gap, mut shoppers, mut items, mut queries, .. } = held;
        let mut searches = held.searches;
        drop((held.ids, held.user, held.session, held.table, held.sessions));
        shoppers.shrink();
        items.shrink();
        queries.shrink();
        searches.shrink_to_fit();
        let as_of = as_of.unwrap_or(Timestamp::from_millis(latest));
        let (n_rows, n_items) = (shoppers.len(), items.len());
        spilled.by_user.resize(n_rows, 0);

        // What is there for good, and 36 bytes a search while these are sorted.
        let keys = (shoppers.heap_bytes() + items.heap_bytes() + queries.heap_bytes() + searches.len() * 36) as u64;
        let fixed = keys + 16 * (n_rows as u64 + 1) + 16 * (n_items as u64 + 1);
        let (least, events) = (fixed + spilled.least_bytes(&weights, home), spilled.events);
        if least > budget.bytes() {
            return Err(SpillError::Dataset { events, needed: least, budget });
        }
        let rules = RowRules { weights: &weights, as_of, gap: session_gap };
        let work = fixed + 4 * n_rows as u64;
        let ranges = spilled.ranges(budget, work)?;
        let bounds: Vec<u32> = ranges.iter().map(|range| range.end).collect();
        let cuts = runs.iter().map(|run| run::cuts(run, &bounds)).collect::<Result<Vec<_>, _>>()?;
        let load = |range: usize| -> Result<Written, SpillError> {
            let cut = |cuts: &[usize]| range.checked_sub(1).map_or(0, |before| cuts[before])..cuts[range];
            let n = cuts.iter().map(|cuts| cut(cuts).len()).sum();
            let mut events = Events::with_room(n);
            for (run, cuts) in runs.iter().zip(&cuts) {
                let Range { start, end } = cut(cuts);
                events.read(run, start, end)?;
            }
            let rows = (ranges[range].end - ranges[range].start) as usize;
            let order = by_row(&events.user, UserIdx::new(ranges[range].start), rows);
            // Within one task: tasks are what runs side by side.
            let serial = Run { threads: crate::run::Parallelism::Serial, progress: None, ..*run };
            Ok(rules.write(&events.table, &events.session, order, &serial)?)
        };
        let mut columns = Columns::new(&scratch, n_rows)?;
        let mut done = 0;
        while done < ranges.len() {
            run.step(done as u64, ranges.len() as u64, None)?;
            let together = spilled.together(&ranges[done..], budget, work);
            for written in run.threads.map(together, |n| load(done + n)) {
                columns.append(&scratch, written?)?;
            }
            done += together;
        }
        runs.into_iter().for_each(super::Kept::delete);
        drop((spilled, cuts, ranges));
        let finished = columns.finish()?;
        let (needed, turn) = finished.bytes(fixed, n_items as u64, home, budget);
        if needed > budget.bytes() {
            return Err(SpillError::Dataset { events: finished.rows.events(), needed, budget });
        }
        let brought = finished.bring(home)?;
        let (by_item, item_offsets, item_events) = match home {
            Home::Memory => {
                let by_item = brought.by_user.turned(n_items, run.threads, turn);
                let (starts, events) = by_items(&brought.table, n_items, run.threads, turn);
                (by_item, starts, events.into())
            }
            #[cfg(all(feature = "mmap", unix))]
            Home::Mapped => super::turned::by_item(&brought, n_items, &scratch, budget.bytes() - needed)?,
        };
        let Brought { table, session, weight, by_user, offsets, n_sessions, cancelled } = brought;
        Ok(Dataset {
            lineage,
            as_of,
            weights,
            shoppers,
            items,
            offsets: offsets.into(),
            table,
            session,
            n_sessions,
            weight,
            item_offsets: item_offsets.into(),
            item_events,
            by_user,
            by_item,
            searches: Searches::new(searches, queries),
            cancelled,
        })
    }
}

impl Finished {
    /// Bytes the dataset takes at most at one time, and how its columns are turned into rows by item within the budget.
    fn bytes(&self, fixed: u64, items: u64, home: Home, budget: MemoryBudget) -> (u64, Turn) {
        let (events, pairs) = (self.rows.events(), self.rows.pairs());
        // Counting what each item has, and then where its next entry goes.
        let fixed = fixed + 12 * items;
        match home {
            Home::Memory => {
                let needed = fixed + events * (self.event_bytes() + 4) + pairs * 16;
                let (share, turn) = (share(budget), Turn::default());
                let dealt = needed + share.max(turn.bytes());
                if dealt <= budget.bytes() { (dealt, turn) } else { (needed + share, Turn::plain()) }
            }
            #[cfg(all(feature = "mmap", unix))]
            Home::Mapped => (fixed + super::turned::LEAST + share(budget), Turn::plain()),
        }
    }
}

impl Spilled {
    /// Bytes of the columns of events that certainly come to be: only what takes back, or may be taken back, may not.
    fn least_bytes(&self, weights: &crate::dataset::EventWeights, home: Home) -> u64 {
        if home != Home::Memory {
            return 0;
        }
        let by = |code: u8| weights.cancels().iter().any(|c| c.by.code() == code);
        let taking = (0..EventKind::CODES as u8).any(|code| by(code) && self.by_kind[usize::from(code)] > 0);
        if !taking {
            return self.events * (25 + self.used.iter().sum::<u64>());
        }
        let safe = (0..EventKind::CODES as u8).filter(|&code| !weights.cancelling().contains_code(code));
        safe.map(|code| self.by_kind[usize::from(code)]).sum::<u64>() * 25
    }

    /// Shoppers in ranges of which [`TOGETHER`] fit into what `taken` leaves of the budget; or one alone, if that is all
    /// that fits.
    fn ranges(&self, budget: MemoryBudget, taken: u64) -> Result<Vec<Range<u32>>, SpillError> {
        let room = budget.bytes().saturating_sub(taken);
        let (mut ranges, mut start, mut events) = (Vec::new(), 0, 0);
        for (user, &n) in (0u32..).zip(&self.by_user) {
            let n = u64::from(n);
            if n * AT_WORK > room {
                return Err(SpillError::Shopper { events: n, needed: taken + n * AT_WORK, budget });
            }
            if events > 0 && (events + n) * AT_WORK > room.min(share(budget)) / TOGETHER {
                ranges.push(start..user);
                (start, events) = (user, 0);
            }
            events += n;
        }
        if (start as usize) < self.by_user.len() {
            ranges.push(start..self.by_user.len() as u32);
        }
        Ok(ranges)
    }

    /// How many of the ranges can be worked on at once: one at least.
    fn together(&self, ranges: &[Range<u32>], budget: MemoryBudget, taken: u64) -> usize {
        let mut room = budget.bytes().saturating_sub(taken).min(share(budget));
        let fits = ranges.iter().take(TOGETHER as usize).take_while(|range| {
            let users = &self.by_user[range.start as usize..range.end as usize];
            let bytes = users.iter().map(|&n| u64::from(n)).sum::<u64>() * AT_WORK;
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        fits.count().max(1)
    }
}
