//! Training sessions, the newest first, and who met whom.

use std::cmp::Reverse;

use crate::dataset::Dataset;
use crate::event::{EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};
use crate::time::Timestamp;

/// Sessions numbered by recency, 0 the newest, so that "the `m` most recent" of any set is its head. 9 bytes an event,
/// 24 a session, 16 an item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct SessionIndex {
    /// Where each session's clicks begin, and where the last one's end.
    starts: Vec<u32>,
    clicks: Vec<ItemIdx>,
    /// Whether a click is the session's last on its item.
    last: Vec<bool>,
    /// Distinct items of each session.
    sizes: Vec<u32>,
    times: Vec<Timestamp>,
    /// Where the sessions of each item begin, and where the last one's end.
    item_starts: Vec<u32>,
    /// The sessions that hold the item, newest first.
    holders: Vec<u32>,
    /// Clicks on each item.
    n_clicks: Vec<u32>,
}

impl SessionIndex {
    /// Of all sessions with a click of `kinds` on at most `longest` distinct items. A session's time is that of its last
    /// click; of equal times, the session that came later in the dataset counts as newer.
    pub(super) fn build(data: &Dataset, kinds: KindSet, longest: usize, run: &Run<'_>) -> Result<Self, Cancelled> {
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
        Ok(found.indexed(data.n_items()))
    }

    pub(super) fn n_sessions(&self) -> usize {
        self.times.len()
    }

    /// (Session, distinct item) pairs.
    pub(super) fn n_pairs(&self) -> usize {
        self.holders.len()
    }

    /// The items clicked in a session, oldest first, each with whether it is the last click on its item.
    #[inline]
    pub(super) fn clicks(&self, session: u32) -> (&[ItemIdx], &[bool]) {
        let range = self.starts[session as usize] as usize..self.starts[session as usize + 1] as usize;
        (&self.clicks[range.clone()], &self.last[range])
    }

    /// Distinct items of a session.
    pub(super) fn size(&self, session: usize) -> u32 {
        self.sizes[session]
    }

    pub(super) fn time(&self, session: usize) -> Timestamp {
        self.times[session]
    }

    /// The sessions that hold `item`, newest first; none for an unknown item.
    #[inline]
    pub(super) fn holders(&self, item: ItemIdx) -> &[u32] {
        match (self.item_starts.get(item.as_usize()), self.item_starts.get(item.as_usize() + 1)) {
            (Some(&from), Some(&to)) => &self.holders[from as usize..to as usize],
            _ => &[],
        }
    }

    /// Clicks on `item`, below the number of items.
    pub(super) fn n_clicks(&self, item: usize) -> u32 {
        self.n_clicks[item]
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let words = [&self.starts, &self.sizes, &self.item_starts, &self.holders, &self.n_clicks];
        words.iter().map(|v| v.capacity() * 4).sum::<usize>()
            + self.clicks.capacity() * 4
            + self.last.capacity()
            + self.times.capacity() * 8
    }
}

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

    fn indexed(self, n_items: usize) -> SessionIndex {
        let mut order: Vec<u32> = (0..self.ends.len() as u32).collect();
        order.sort_unstable_by_key(|&s| Reverse((self.times[s as usize], s)));
        let mut index = SessionIndex {
            starts: Vec::with_capacity(order.len() + 1),
            clicks: Vec::with_capacity(self.clicks.len()),
            last: vec![false; self.clicks.len()],
            sizes: order.iter().map(|&s| self.sizes[s as usize]).collect(),
            times: order.iter().map(|&s| self.times[s as usize]).collect(),
            item_starts: vec![0; n_items + 1],
            holders: Vec::new(),
            n_clicks: vec![0; n_items],
        };
        index.starts.push(0);
        // The newest session an item was met in so far, plus one.
        let mut met = vec![0u32; n_items];
        for (new, &old) in (1u32..).zip(&order) {
            let from = if old == 0 { 0 } else { self.ends[old as usize - 1] };
            index.clicks.extend_from_slice(&self.clicks[from as usize..self.ends[old as usize] as usize]);
            let (start, end) = (index.starts[new as usize - 1] as usize, index.clicks.len());
            for click in (start..end).rev() {
                let item = index.clicks[click].as_usize();
                index.n_clicks[item] += 1;
                if std::mem::replace(&mut met[item], new) != new {
                    index.last[click] = true;
                    index.item_starts[item + 1] += 1;
                }
            }
            index.starts.push(end as u32);
        }
        for item in 0..n_items {
            index.item_starts[item + 1] += index.item_starts[item];
        }
        let mut next = index.item_starts.clone();
        index.holders = vec![0; index.item_starts[n_items] as usize];
        for session in 0..order.len() {
            for click in index.starts[session] as usize..index.starts[session + 1] as usize {
                if index.last[click] {
                    let slot = &mut next[index.clicks[click].as_usize()];
                    index.holders[*slot as usize] = session as u32;
                    *slot += 1;
                }
            }
        }
        index
    }
}
