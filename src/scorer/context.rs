//! A request resolved against one snapshot: dense ids, one clock, one dataset.

use super::scores::Scored;
use super::workspace::Workspace;
use crate::catalog::Shelf;
use crate::dataset::Dataset;
use crate::event::{Channel, EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::time::Timestamp;

/// One thing the shopper did with an item, as known at the time of the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Touch {
    /// The item.
    pub item: ItemIdx,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The event's weight at the time of the request; negative for a dislike.
    pub weight: f32,
}

/// What a scorer, filter or re-rank may know about a request.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The events. Read them through [`Context::history`] where that is enough: it respects `now`.
    pub dataset: &'a Dataset,
    /// The items: numbers, keys and catalogue.
    pub shelf: &'a Shelf,
    /// The shopper's profile row; `None` for an anonymous or brand-new shopper.
    pub user: Option<UserIdx>,
    /// What the shopper did, newest first: the session of the request, whole, then the profile's events up to `now`, as
    /// far as the ranker's history limit leaves room. Every item is below [`Shelf::n_items`].
    pub history: &'a [Touch],
    /// What the shopper did since the dataset was built, newest first, if the request came through a
    /// [`Live`](crate::Live) recommender. It is in `history` too, among the profile's events.
    pub fresh: &'a [Touch],
    /// How many touches at the head of `history` came with the request.
    pub session_len: usize,
    /// What is in the basket, distinct, in the order given.
    pub basket: &'a [ItemIdx],
    /// The item whose page is shown.
    pub context_item: Option<ItemIdx>,
    /// What a search engine says of the candidates it gave, ascending by item, each once; empty when it says nothing.
    pub relevance: &'a [Scored],
    /// Where the list will be shown.
    pub channel: Channel,
    /// The time of the request.
    pub now: Timestamp,
}

impl<'a> Context<'a> {
    /// A context with nothing but a clock; the engine and tests fill in the rest.
    #[must_use]
    pub const fn new(dataset: &'a Dataset, shelf: &'a Shelf, now: Timestamp) -> Self {
        Self {
            dataset,
            shelf,
            user: None,
            history: &[],
            fresh: &[],
            session_len: 0,
            basket: &[],
            context_item: None,
            relevance: &[],
            channel: Channel::Unknown,
            now,
        }
    }

    /// The touches that came with the request, newest first.
    #[must_use]
    pub fn session(&self) -> &'a [Touch] {
        &self.history[..self.session_len.min(self.history.len())]
    }

    /// Puts into `out` the latest touch of each of the latest `limit` distinct items touched by one of `kinds`, newest
    /// first. `O(history)`.
    pub fn distinct(&self, kinds: KindSet, limit: usize, ws: &mut Workspace, out: &mut Vec<Touch>) {
        let mut met = ws.take_set(self.shelf.n_items());
        for touch in self.history.iter().filter(|t| kinds.contains(t.kind)) {
            if out.len() == limit {
                break;
            }
            if met.insert(touch.item) {
                out.push(*touch);
            }
        }
        ws.give_set(met);
    }
}
