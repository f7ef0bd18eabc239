//! What a shop asks: who, where, with what in hand, how many.

use super::live::Fresh;
use crate::catalog::{Select, SelectError};
use crate::consent::Consented;
use crate::event::{Channel, EventKind};
use crate::time::Timestamp;

/// Something the shopper did in the running session, not (yet) in the dataset.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionEvent<'a> {
    /// The item; an unknown one is ignored and counted in the result.
    pub item: &'a str,
    /// What happened.
    pub kind: EventKind,
    /// When; a time after the request's `now` counts as `now`.
    pub at: Timestamp,
    /// Units; not finite or not above 0 counts as 1.
    pub quantity: f32,
    /// Price or rating; not finite counts as none.
    pub value: Option<f32>,
}

impl<'a> SessionEvent<'a> {
    /// One unit, nothing else known.
    #[must_use]
    pub const fn new(item: &'a str, kind: EventKind, at: Timestamp) -> Self {
        Self { item, kind, at, quantity: 1.0, value: None }
    }
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Its filter expression does not fit the catalogue.
    #[error("the request's `only`: {0}")]
    Only(#[from] SelectError),
}

/// One question: what should this shopper see now?
///
/// Everything is borrowed and optional but the clock. Unknown ids are no errors: an unknown shopper is served like a new
/// one, unknown items are ignored and counted in [`Ignored`](crate::Ignored). `k = 0` gives an empty list, a `k` beyond
/// the catalogue all eligible items.
///
/// # Example
/// ```
/// use likewise::{Consented, EventKind, LawfulBasis, Request, SessionEvent, Timestamp};
/// let now = Timestamp::from_secs(1_323_300_000);
/// let session = [SessionEvent::new("85123A", EventKind::View, now)];
/// let request = Request::profiled(Consented::new("17850", LawfulBasis::Consent), now)
///     .session(&session)
///     .basket(&["71053"])
///     .exclude(&["22423"])
///     .k(20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Request<'a> {
    pub(crate) user: Option<Consented<'a>>,
    pub(crate) session: &'a [SessionEvent<'a>],
    pub(crate) basket: &'a [&'a str],
    pub(crate) context_item: Option<&'a str>,
    pub(crate) candidates: Option<&'a [&'a str]>,
    pub(crate) relevance: &'a [f32],
    pub(crate) exclude: &'a [&'a str],
    pub(crate) only: Option<&'a Select>,
    pub(crate) segments: &'a [&'a str],
    pub(crate) placement: Option<&'a str>,
    pub(crate) channel: Channel,
    pub(crate) k: usize,
    pub(crate) offset: usize,
    pub(crate) now: Timestamp,
    pub(crate) fresh: Option<Fresh<'a>>,
}

impl<'a> Request<'a> {
    /// A request that touches no profile: session, basket and page only.
    pub const fn anonymous(now: Timestamp) -> Self {
        Self {
            user: None,
            session: &[],
            basket: &[],
            context_item: None,
            candidates: None,
            relevance: &[],
            exclude: &[],
            only: None,
            segments: &[],
            placement: None,
            channel: Channel::Unknown,
            k: 10,
            offset: 0,
            now,
            fresh: None,
        }
    }

    /// A request for a shopper who may be profiled.
    pub const fn profiled(user: Consented<'a>, now: Timestamp) -> Self {
        let mut request = Self::anonymous(now);
        request.user = Some(user);
        request
    }

    /// Who asks, if it is a shopper who may be profiled: the key of an [`Answer`](crate::Answer) in a batch.
    #[must_use]
    pub const fn user(&self) -> Option<Consented<'a>> {
        self.user
    }

    /// What happened in the running session, in any order.
    pub const fn session(mut self, events: &'a [SessionEvent<'a>]) -> Self {
        self.session = events;
        self
    }

    /// What is in the basket.
    pub const fn basket(mut self, items: &'a [&'a str]) -> Self {
        self.basket = items;
        self
    }

    /// The item whose page is shown. It is not recommended itself.
    pub const fn on_page_of(mut self, item: &'a str) -> Self {
        self.context_item = Some(item);
        self
    }

    /// Ranks these items and no others: a search result, a category page. Only a pin rule of the ranker may put another
    /// among them; give such rules a placement when they are not meant for search results.
    pub const fn candidates(mut self, items: &'a [&'a str]) -> Self {
        self.candidates = Some(items);
        self
    }

    /// What a search engine says of each of the [`candidates`](Self::candidates), in their order, on any scale: the higher the
    /// better. [`SearchScore`](crate::SearchScore) brings it into the blend, and
    /// [`SearchGuard`](crate::SearchGuard) keeps the engine's best near the top. Missing numbers, ones that are not finite,
    /// and those of items that are not known count as no opinion; of an item given twice the first counts. For an engine
    /// that gives an order only, say `-1.0, -2.0, ...`.
    pub const fn relevance(mut self, scores: &'a [f32]) -> Self {
        self.relevance = scores;
        self
    }

    /// Never shows these items.
    pub const fn exclude(mut self, items: &'a [&'a str]) -> Self {
        self.exclude = items;
        self
    }

    /// Shows only items that match.
    pub const fn only(mut self, items: &'a Select) -> Self {
        self.only = Some(items);
        self
    }

    /// The segments the shopper is in, for rules.
    pub const fn segments(mut self, segments: &'a [&'a str]) -> Self {
        self.segments = segments;
        self
    }

    /// The page slot the list is for, for rules.
    pub const fn placement(mut self, placement: &'a str) -> Self {
        self.placement = Some(placement);
        self
    }

    /// Where the list will be shown.
    pub const fn channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// How many items (default 10).
    pub const fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// How many items of the list to leave out at its head: the next page has `offset = k`, and so on. Within one
    /// generation, pages never overlap nor miss an item.
    pub const fn offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }
}
