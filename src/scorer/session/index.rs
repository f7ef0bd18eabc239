//! Training sessions, the newest first, and who met whom.
//!
//! What a request walks is kept compact: each item's sessions are cut at the `recent` newest, since no request looks at
//! older ones, and where no formula asks for places a session's row holds its distinct items and nothing else.

use crate::dataset::Dataset;
use crate::event::{EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::prefetch::prefetch;
use crate::run::{Cancelled, Run};
use crate::time::Timestamp;

/// What is kept of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rows {
    /// Every click, in order.
    Clicks,
    /// Its distinct items, in the order of the last click on each.
    Distinct,
}

/// Sessions numbered by recency, 0 the newest, so that "the `m` most recent" of any set is its head. 5 bytes a click (4
/// where rows are distinct items), 4 a posting, a session and an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SessionIndex {
    /// Where each session's clicks begin, and where the last one's end.
    starts: Vec<u32>,
    clicks: Vec<ItemIdx>,
    /// Whether a click is the session's last on its item; empty where all are.
    last: Vec<bool>,
    /// Where the sessions of each item begin, and where the last one's end.
    item_starts: Vec<u32>,
    /// The newest sessions that hold the item, newest first.
    holders: Vec<u32>,
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

impl SessionIndex {
    /// Of all sessions with a click of `kinds` on at most `longest` distinct items; of each item's sessions the newest
    /// `recent`. A session's time is that of its last click; of equal times, the session that came later in the dataset
    /// counts as newer.
    pub(super) fn build(
        data: &Dataset,
        kinds: KindSet,
        longest: usize,
        recent: usize,
        rows: Rows,
        run: &Run<'_>,
    ) -> Result<(Self, Facts), Cancelled> {
        let mut found = Found::default();
        let (mut clicks, mut met) = (Vec::new(), Vec::new());
        for row in 0..data.n_rows() as u32 {
            if row % 4096 == 0 {
                run.step(row.into(), data.n_rows() as u64, None)?;
            }
            let events = data.events_of(UserIdx::new(row));
            clicks.clear();
            for (place, (&session, &kind)) in events.sessions().iter().zip(events.kinds()).enumerate() {
                if kinds.contains(EventKind::from_code(kind)) {
                    clicks.push((session, place));
                }
            }
            clicks.sort_unstable(); // sessions of one row may overlap
            for session in clicks.chunk_by(|a, b| a.0 == b.0) {
                let items = || session.iter().map(|&(_, place)| events.items()[place]);
                met.clear();
                met.extend(items());
                met.sort_unstable();
                met.dedup();
                if met.len() <= longest {
                    let latest = session.last().map_or(0, |&(_, place)| events.times()[place]);
                    found.push(Timestamp::from_millis(latest), items(), met.len());
                }
            }
        }
        Ok(found.indexed(data.n_items(), recent, rows, run))
    }

    pub(super) fn n_sessions(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The items of a session, oldest click first, each with whether it is the last click on its item; no such flags
    /// where all are.
    #[inline]
    pub(super) fn clicks(&self, session: u32) -> (&[ItemIdx], &[bool]) {
        let range = self.starts[session as usize] as usize..self.starts[session as usize + 1] as usize;
        (&self.clicks[range.clone()], self.last.get(range).unwrap_or_default())
    }

    /// The items of a session.
    #[inline]
    pub(super) fn row(&self, session: u32) -> &[ItemIdx] {
        &self.clicks[self.starts[session as usize] as usize..self.starts[session as usize + 1] as usize]
    }

    /// The most items in a row.
    pub(super) fn longest_row(&self) -> usize {
        self.starts.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0)
    }

    /// The newest sessions that hold `item`, newest first; none for an unknown item.
    #[inline]
    pub(super) fn holders(&self, item: ItemIdx) -> &[u32] {
        match (self.item_starts.get(item.as_usize()), self.item_starts.get(item.as_usize() + 1)) {
            (Some(&from), Some(&to)) => &self.holders[from as usize..to as usize],
            _ => &[],
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let words = [&self.starts, &self.item_starts, &self.holders];
        words.iter().map(|v| v.capacity() * 4).sum::<usize>() + self.clicks.capacity() * 4 + self.last.capacity()
    }
}

/// Sessions and clicks that are asked for before their turn comes.
const AHEAD: usize = 16;

/// Sessions in the order of the dataset.
#[derive(Default)]
struct Found {
    ends: Vec<u32>,
    clicks: Vec<ItemIdx>,
    sizes: Vec<u32>,
    times: Vec<Timestamp>,
}

impl Found {
    fn push(&mut self, time: Timestamp, items: impl Iterator<Item = ItemIdx>, distinct: usize) {
        self.clicks.extend(items);
        self.ends.push(self.clicks.len() as u32);
        self.sizes.push(distinct as u32);
        self.times.push(time);
    }

    fn indexed(self, n_items: usize, recent: usize, rows: Rows, run: &Run<'_>) -> (SessionIndex, Facts) {
        // With its time beside each number: looked up in a comparison, every one of them would be somewhere else.
        let mut timed: Vec<(Timestamp, u32)> = self.times.iter().copied().zip(0..).collect();
        run.threads.sort_unstable_by(&mut timed, |a, b| b.cmp(a));
        let order: Vec<u32> = timed.into_iter().map(|(_, session)| session).collect();
        let mut facts = Facts {
            sizes: order.iter().map(|&s| self.sizes[s as usize]).collect(),
            times: order.iter().map(|&s| self.times[s as usize]).collect(),
            clicks: vec![0; n_items],
            holders: vec![0; n_items],
            pairs: self.sizes.iter().map(|&size| u64::from(size)).sum(),
        };
        let kept = if rows == Rows::Clicks { self.clicks.len() } else { facts.pairs as usize };
        let mut index = SessionIndex {
            starts: Vec::with_capacity(order.len() + 1),
            clicks: Vec::with_capacity(kept),
            last: Vec::with_capacity(if rows == Rows::Clicks { kept } else { 0 }),
            item_starts: Vec::with_capacity(n_items + 1),
            holders: Vec::new(),
        };
        index.starts.push(0);
        // The newest session an item was met in so far, plus one; and the row at hand, newest click first.
        let (mut met, mut row) = (vec![0u32; n_items], Vec::new());
        for (new, &old) in (1u32..).zip(&order) {
            if let Some(&ahead) = order.get(new as usize + AHEAD) {
                prefetch(&self.ends, ahead as usize);
            }
            if let Some(&ahead) = order.get(new as usize + AHEAD / 2) {
                prefetch(&self.clicks, (self.ends[ahead as usize] as usize).saturating_sub(1));
            }
            let from = if old == 0 { 0 } else { self.ends[old as usize - 1] };
            row.clear();
            for &item in self.clicks[from as usize..self.ends[old as usize] as usize].iter().rev() {
                facts.clicks[item.as_usize()] += 1;
                let last = std::mem::replace(&mut met[item.as_usize()], new) != new;
                facts.holders[item.as_usize()] += u32::from(last);
                row.push((item, last));
            }
            for &(item, last) in row.iter().rev().filter(|click| rows == Rows::Clicks || click.1) {
                index.clicks.push(item);
                if rows == Rows::Clicks {
                    index.last.push(last);
                }
            }
            index.starts.push(index.clicks.len() as u32);
        }
        index.post(&facts.holders, u32::try_from(recent).unwrap_or(u32::MAX));
        (index, facts)
    }
}

impl SessionIndex {
    /// Lists the newest `recent` sessions of each item.
    fn post(&mut self, holders: &[u32], recent: u32) {
        let mut end = 0;
        self.item_starts.push(0);
        for &holders in holders {
            end += holders.min(recent);
            self.item_starts.push(end);
        }
        let mut next = self.item_starts.clone();
        self.holders = vec![0; end as usize];
        for session in 0..self.n_sessions() {
            for click in self.starts[session] as usize..self.starts[session + 1] as usize {
                if let Some(ahead) = self.clicks.get(click + AHEAD) {
                    prefetch(&self.holders, next[ahead.as_usize()] as usize);
                }
                let item = self.clicks[click].as_usize();
                if self.last.get(click).is_none_or(|&last| last) && next[item] < self.item_starts[item + 1] {
                    self.holders[next[item] as usize] = session as u32;
                    next[item] += 1;
                }
            }
        }
    }
}

crate::persist::portable!(SessionIndex { starts, clicks, last, item_starts, holders }
    "clicks that are not cut into sessions" => |m| m.is_sound());

impl SessionIndex {
    fn is_sound(&self) -> bool {
        let cuts = |starts: &[u32], n: usize| {
            starts.is_empty() && n == 0
                || starts.first() == Some(&0) && starts.is_sorted() && starts.last() == Some(&(n as u32))
        };
        let items = self.item_starts.len().saturating_sub(1);
        cuts(&self.starts, self.clicks.len())
            && cuts(&self.item_starts, self.holders.len())
            && (self.last.is_empty() || self.last.len() == self.clicks.len())
            && self.clicks.iter().all(|item| item.as_usize() < items)
            && self.holders.iter().all(|&session| (session as usize) < self.starts.len().saturating_sub(1))
    }
}
