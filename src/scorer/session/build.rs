//! From a dataset's rows to sessions, the newest first, and to the sessions that hold each item.
//!
//! Read, put in order, copied, posted; each is shared out by what no other thread writes: blocks of rows, of new sessions,
//! of columns.

use std::borrow::Cow;
use std::ops::Range;

use super::index::{Rows, SessionIndex};
use crate::dataset::{Dataset, Events, Turn, starts};
use crate::event::{EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::prefetch::prefetch;
use crate::run::{Cancelled, Run};
use crate::scorer::FitError;
use crate::time::Timestamp;

/// Rows of the dataset read at a time.
const ROWS: usize = 4096;
/// Sessions copied by a thread at a time.
const SESSIONS: usize = 1 << 15;
/// Sessions that are asked for before their turn comes.
const AHEAD: usize = 16;

/// Which sessions, and what is kept of them.
pub(super) struct Wanted {
    /// Clicks of these kinds.
    pub(super) kinds: KindSet,
    /// No session of more distinct items.
    pub(super) longest: usize,
    /// Of each item's sessions so many, the newest.
    pub(super) recent: usize,
    pub(super) rows: Rows,
}

/// What a fit wants to know of the sessions, and a request does not.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Distinct items of each session.
    pub(super) sizes: Vec<u32>,
    pub(super) times: Vec<Timestamp>,
    /// Clicks on each item.
    pub(super) clicks: Vec<u32>,
    /// Sessions with each item.
    pub(super) holders: Vec<u32>,
    /// (Session, distinct item) pairs.
    pub(super) pairs: u64,
}

/// Where a session was found: its time, the block of rows and its number there. The greater the newer: of equal times,
/// the session that comes later in the dataset.
type Place = (Timestamp, u32, u32);

impl Wanted {
    /// The index of a dataset's sessions. A session's time is that of its last click.
    pub(super) fn build(&self, data: &Dataset, run: &Run<'_>) -> Result<(SessionIndex, Facts), FitError> {
        self.afford(data, run)?;
        let found = self.each_block(data, run, |found| found)?;
        let mut order: Vec<Place> = Vec::with_capacity(found.iter().map(|found| found.times.len()).sum());
        for (found, block) in found.iter().zip(0..) {
            order.extend(found.times.iter().zip(0..).map(|(&time, session)| (time, block, session)));
        }
        run.threads.sort_unstable_by(&mut order, |a, b| b.cmp(a));
        run.step(1, 3, None)?;

        let (mut index, sizes) = self.copied(&found, &order, run);
        let pairs = sizes.iter().map(|&size| u64::from(size)).sum();
        let times = order.into_iter().map(|(time, ..)| time).collect();
        let mut clicks = vec![0u32; data.n_items()];
        let dropped = found.iter().flat_map(|found| &found.repeats);
        dropped.chain(&index.clicks).for_each(|item| clicks[item.as_usize()] += 1);
        drop(found);
        run.step(2, 3, None)?;

        let holders = index.post(&sizes, data.n_items(), self.recent, run);
        Ok((index, Facts { sizes, times, clicks, holders, pairs }))
    }

    /// What `of` makes of each block of rows.
    fn each_block<T: Send>(
        &self,
        data: &Dataset,
        run: &Run<'_>,
        of: impl Fn(Found) -> T + Sync + Send,
    ) -> Result<Vec<T>, Cancelled> {
        let blocks = data.n_rows().div_ceil(ROWS);
        let read = |block: usize| {
            run.step(block as u64, blocks as u64, None)?;
            Ok(of(Found::read(data, block * ROWS..data.n_rows().min((block + 1) * ROWS), self)))
        };
        run.threads.map(blocks, read).into_iter().collect()
    }

    /// Whether the run allows what the fit will take: reads everything once without keeping it.
    fn afford(&self, data: &Dataset, run: &Run<'_>) -> Result<(), FitError> {
        let Some(allowed) = run.memory else { return Ok(()) };
        let blocks = self.each_block(data, run, |found| {
            [found.clicks.len(), found.repeats.len(), found.times.len(), found.distinct()].map(|n| n as u64)
        })?;
        let sum = |n: usize| blocks.iter().map(|block| block[n]).sum::<u64>();
        let (clicks, repeats, sessions, pairs, items) = (sum(0), sum(1), sum(2), sum(3), data.n_items() as u64);
        let flags = if self.rows == Rows::Clicks { clicks } else { 0 };
        let found = 4 * (clicks + repeats) + flags + 16 * sessions;
        let index = 4 * (clicks + sessions) + flags;
        let copying = found + 16 * sessions + index + 8 * sessions;
        let column = if self.rows == Rows::Clicks { 4 * pairs + 4 * sessions } else { 0 };
        // Sizes and times lie where extents and places lay.
        let dealt = (Turn::default().bytes() / 8).min(pairs); // each with its number beside it, and once more alone
        let posting = index + 24 * sessions + column + 4 * pairs + 12 * dealt;
        let needed = copying.max(posting) + 28 * items;
        if allowed < needed {
            return Err(FitError::Memory { model: "session_knn", needed, allowed });
        }
        Ok(())
    }

    /// The sessions in their order, nothing posted yet, and how many distinct items each has.
    fn copied(&self, found: &[Found], order: &[Place], run: &Run<'_>) -> (SessionIndex, Vec<u32>) {
        let mut extents = vec![(0u32, 0u32); order.len()];
        run.threads.for_chunks(
            &mut extents,
            SESSIONS,
            || (),
            |(), chunk, extents| {
                let order = &order[chunk * SESSIONS..][..extents.len()];
                for (at, extent) in extents.iter_mut().enumerate() {
                    if let Some(&(_, block, session)) = order.get(at + AHEAD) {
                        prefetch(&found[block as usize].ends, session as usize);
                        prefetch(&found[block as usize].sizes, session as usize);
                    }
                    let (_, block, session) = order[at];
                    let found = &found[block as usize];
                    *extent = (found.range(session).len() as u32, found.sizes[session as usize]);
                }
            },
        );
        let starts = ends(extents.iter().map(|&(clicks, _)| clicks));
        let sizes = extents.into_iter().map(|(_, size)| size).collect();
        let kept = starts[order.len()] as usize;
        let mut clicks = bytemuck::zeroed_vec(kept);
        let mut last = vec![false; if self.rows == Rows::Clicks { kept } else { 0 }];
        let mut pieces = Vec::with_capacity(order.len().div_ceil(SESSIONS));
        let (mut rest, mut rest_last) = (&mut clicks[..], &mut last[..]);
        for order in order.chunks(SESSIONS) {
            let many = order.iter().map(|&(_, block, session)| found[block as usize].range(session).len()).sum();
            let (clicks, others) = rest.split_at_mut(many);
            let (last, others_last) = rest_last.split_at_mut(many.min(rest_last.len()));
            pieces.push((order, clicks, last));
            (rest, rest_last) = (others, others_last);
        }
        run.threads.for_chunks(
            &mut pieces,
            1,
            || (),
            |(), _, pieces| {
                for (order, clicks, last) in pieces {
                    copy(found, order, clicks, last);
                }
            },
        );
        (SessionIndex { starts, clicks, last, ..SessionIndex::default() }, sizes)
    }
}

/// Where each begins that has so many, and the last one ends.
fn ends(lengths: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut end = 0;
    std::iter::once(0)
        .chain(lengths.map(|length| {
            end += length;
            end
        }))
        .collect()
}

/// The clicks of some sessions, one after the other, and their flags where there are any.
fn copy(found: &[Found], order: &[Place], clicks: &mut [ItemIdx], last: &mut [bool]) {
    let mut to = 0;
    for (at, &(_, block, session)) in order.iter().enumerate() {
        if let Some(&(_, block, session)) = order.get(at + AHEAD) {
            prefetch(&found[block as usize].ends, session as usize);
        }
        if let Some(&(_, block, session)) = order.get(at + AHEAD / 2) {
            let found = &found[block as usize];
            prefetch(&found.clicks, found.range(session).start);
        }
        let found = &found[block as usize];
        let from = found.range(session);
        let range = to..to + from.len();
        to = range.end;
        if !last.is_empty() {
            last[range.clone()].copy_from_slice(&found.last[from.clone()]);
        }
        clicks[range].copy_from_slice(&found.clicks[from]);
    }
}

impl SessionIndex {
    /// Lists the newest `recent` sessions of each item; how many there are in all.
    fn post(&mut self, sizes: &[u32], n_items: usize, recent: usize, run: &Run<'_>) -> Vec<u32> {
        // Each (session, item) pair once, session by session.
        let (column, starts_of_sessions): (Cow<'_, [u32]>, Cow<'_, [u32]>) = if self.last.is_empty() {
            (bytemuck::cast_slice(&self.clicks).into(), (&self.starts).into())
        } else {
            let lasts = self.clicks.iter().zip(&self.last).filter(|&(_, &last)| last);
            let mut column = Vec::with_capacity(sizes.iter().map(|&size| size as usize).sum());
            column.extend(lasts.map(|(item, _)| item.get()));
            (column.into(), ends(sizes.iter().copied()).into())
        };
        let starts = starts(&column, n_items);
        let mut holders = Turn::default().by_column(&column, &starts, run.threads, |range, out| {
            let mut session = starts_of_sessions.partition_point(|&start| start as usize <= range.start) - 1;
            for pair in range {
                while starts_of_sessions[session + 1] as usize <= pair {
                    session += 1;
                }
                out.push(session as u32);
            }
        });
        let mut end = 0;
        self.item_starts = Vec::with_capacity(n_items + 1);
        self.item_starts.push(0);
        for item in starts.windows(2) {
            let from = item[0] as usize..item[1].min(item[0].saturating_add(recent as u64)) as usize;
            let kept = from.len();
            holders.copy_within(from, end);
            end += kept;
            self.item_starts.push(end as u32);
        }
        holders.truncate(end);
        holders.shrink_to_fit();
        self.holders = holders;
        starts.windows(2).map(|item| (item[1] - item[0]) as u32).collect()
    }
}

/// The sessions of a block of rows, in the order of the dataset.
#[derive(Default)]
struct Found {
    ends: Vec<u32>,
    clicks: Vec<ItemIdx>,
    /// Whether a click is the session's last on its item; empty where only those are kept.
    last: Vec<bool>,
    /// Clicks that are not kept.
    repeats: Vec<ItemIdx>,
    /// Distinct items of each session.
    sizes: Vec<u32>,
    times: Vec<Timestamp>,
}

impl Found {
    fn read(data: &Dataset, rows: Range<usize>, wanted: &Wanted) -> Self {
        let (mut found, mut clicks, mut scratch) = (Self::default(), Vec::new(), Scratch::default());
        for row in rows {
            let events = data.events_of(UserIdx::new(row as u32));
            clicks.clear();
            for (place, (&session, &kind)) in events.sessions().iter().zip(events.kinds()).enumerate() {
                if wanted.kinds.contains(EventKind::from_code(kind)) {
                    clicks.push((session, place));
                }
            }
            clicks.sort_unstable(); // sessions of one row may overlap
            for session in clicks.chunk_by(|a, b| a.0 == b.0) {
                found.offer(&events, session, wanted, &mut scratch);
            }
        }
        let Self { ends, clicks, last, repeats, sizes, times } = &mut found;
        ends.shrink_to_fit();
        sizes.shrink_to_fit();
        clicks.shrink_to_fit();
        repeats.shrink_to_fit();
        last.shrink_to_fit();
        times.shrink_to_fit();
        found
    }

    fn offer(&mut self, events: &Events<'_>, session: &[(u32, usize)], wanted: &Wanted, scratch: &mut Scratch) {
        let size = scratch.mark(session.iter().map(|&(_, place)| events.items()[place]));
        if size > wanted.longest {
            return;
        }
        for (&(_, place), &last) in session.iter().zip(&scratch.last) {
            match wanted.rows {
                Rows::Distinct if !last => self.repeats.push(events.items()[place]),
                Rows::Distinct => self.clicks.push(events.items()[place]),
                Rows::Clicks => {
                    self.clicks.push(events.items()[place]);
                    self.last.push(last);
                }
            }
        }
        self.ends.push(self.clicks.len() as u32);
        self.sizes.push(size as u32);
        let latest = session.last().map_or(0, |&(_, place)| events.times()[place]);
        self.times.push(Timestamp::from_millis(latest));
    }

    fn range(&self, session: u32) -> Range<usize> {
        let from = if session == 0 { 0 } else { self.ends[session as usize - 1] };
        from as usize..self.ends[session as usize] as usize
    }

    fn distinct(&self) -> usize {
        self.sizes.iter().map(|&size| size as usize).sum()
    }
}

#[derive(Default)]
struct Scratch {
    met: Vec<(ItemIdx, usize)>,
    /// Whether a click is the last on its item.
    last: Vec<bool>,
}

impl Scratch {
    /// Marks the last click on each item; how many items there are.
    fn mark(&mut self, items: impl Iterator<Item = ItemIdx>) -> usize {
        self.met.clear();
        self.met.extend(items.zip(0..));
        self.met.sort_unstable();
        self.last.clear();
        self.last.resize(self.met.len(), false);
        let mut distinct = 0;
        for clicks in self.met.chunk_by(|a, b| a.0 == b.0) {
            distinct += 1;
            self.last[clicks[clicks.len() - 1].1] = true;
        }
        distinct
    }
}
