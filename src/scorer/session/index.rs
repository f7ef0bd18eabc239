//! Training sessions, the newest first, and who met whom.
//!
//! What a request walks is kept compact: each item's sessions are cut at the `recent` newest, since no request looks at
//! older ones, and where no formula asks for places a session's row holds its distinct items and nothing else.

use crate::ids::ItemIdx;

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
    pub(super) starts: Vec<u32>,
    pub(super) clicks: Vec<ItemIdx>,
    /// Whether a click is the session's last on its item; empty where all are.
    pub(super) last: Vec<bool>,
    /// Where the sessions of each item begin, and where the last one's end.
    pub(super) item_starts: Vec<u32>,
    /// The newest sessions that hold the item, newest first.
    pub(super) holders: Vec<u32>,
}

impl SessionIndex {
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
