//! From the shop's keys to dense numbers: a request against one snapshot.

use super::live::Base;
use super::request::{Request, RequestError};
use super::result::Ignored;
use super::snapshot::Inner;
use crate::catalog::CompiledSelect;
use crate::dataset::{Dataset, KindWeight, weigh};
use crate::ids::{ItemIdx, UserIdx};
use crate::rank::{Page, Query};
use crate::scorer::{Context, Scored, Touch, Workspace};
use crate::time::Timestamp;

/// The resolved parts of a request, in buffers that are reused.
#[derive(Default)]
pub(crate) struct Resolved {
    user: Option<UserIdx>,
    history: Vec<Touch>,
    fresh: Vec<Touch>,
    session_len: usize,
    basket: Vec<ItemIdx>,
    context_item: Option<ItemIdx>,
    exclude: Vec<ItemIdx>,
    candidates: Vec<ItemIdx>,
    relevance: Vec<Scored>,
    only: CompiledSelect,
    pub(crate) ignored: Ignored,
}

impl Resolved {
    pub(crate) fn fill(
        &mut self,
        inner: &Inner,
        request: &Request<'_>,
        ws: &mut Workspace,
    ) -> Result<(), RequestError> {
        let (data, shelf) = (&*inner.dataset, &inner.shelf);
        self.ignored = Ignored::default();
        let ignored = &mut self.ignored;
        let mut item = |id: &str| {
            let found = shelf.item(data, id);
            ignored.unknown_items += usize::from(found.is_none());
            found
        };
        if let Some(only) = request.only {
            self.only.compile_into(only, data, shelf)?;
        }
        self.basket.clear();
        if !request.basket.is_empty() {
            let mut met = ws.take_set(shelf.n_items());
            self.basket.extend(request.basket.iter().filter_map(|id| item(id)).filter(|&item| met.insert(item)));
            ws.give_set(met);
        }
        self.context_item = request.context_item.and_then(&mut item);
        self.exclude.clear();
        self.exclude.extend(request.exclude.iter().filter_map(|id| shelf.item(data, id)));
        self.exclude.extend(self.context_item);
        self.candidates.clear();
        self.relevance.clear();
        for (place, id) in request.candidates.unwrap_or_default().iter().enumerate() {
            let Some(item) = item(id) else { continue };
            self.candidates.push(item);
            if let Some(&score) = request.relevance.get(place) {
                self.relevance.push(Scored { item, score });
            }
        }
        self.relevance.sort_by_key(|scored| scored.item); // stable: of an item given twice the first counts
        self.relevance.dedup_by_key(|scored| scored.item);
        self.relevance.retain(|scored| scored.score.is_finite());
        self.history.clear();
        for e in request.session {
            let Some(item) = item(e.item) else { continue };
            let at = e.at.min(request.now);
            let quantity = if e.quantity > 0.0 && e.quantity.is_finite() { e.quantity } else { 1.0 };
            let value = e.value.filter(|v| v.is_finite());
            let weight = weigh(&inner.weights[e.kind.code() as usize], e.kind, quantity, value, at, request.now);
            self.history.push(Touch { item, kind: e.kind, at, weight });
        }
        self.history.reverse(); // of equal times the later in the slice is the newer
        if !self.history.is_sorted_by_key(|t| std::cmp::Reverse(t.at)) {
            self.history.sort_by_key(|t| std::cmp::Reverse(t.at));
        }
        self.session_len = self.history.len();
        self.user = request.user.and_then(|who| data.user(who.user()));
        self.fresh.clear();
        if let Some(fresh) = request.fresh {
            self.user = self.user.filter(|_| fresh.base() == Base::Row);
            for e in fresh.events().filter(|e| e.at <= request.now) {
                let Some(item) = shelf.item(data, &e.item) else { continue };
                let weight =
                    weigh(&inner.weights[e.kind.code() as usize], e.kind, e.quantity, e.value, e.at, request.now);
                self.fresh.push(Touch { item, kind: e.kind, at: e.at, weight });
            }
            self.fresh.reverse(); // of equal times the later recorded is the newer
            self.fresh.sort_by_key(|t| std::cmp::Reverse(t.at));
        }
        self.ignored.unknown_user = request.user.is_some() && self.user.is_none() && self.fresh.is_empty();
        let room = inner.ranker.history.saturating_sub(self.session_len);
        self.history.extend(self.fresh.iter().take(room));
        if let Some(user) = self.user {
            append_profile(data, &inner.weights, user, request.now, room, &mut self.history);
        }
        if !self.fresh.is_empty() {
            let profile = &mut self.history[self.session_len..];
            if !profile.is_sorted_by_key(|t| std::cmp::Reverse(t.at)) {
                profile.sort_by_key(|t| std::cmp::Reverse(t.at));
            }
            self.history.truncate(self.session_len + room);
        }
        Ok(())
    }

    pub(crate) fn query<'a>(&'a self, inner: &'a Inner, request: &Request<'a>) -> Query<'a> {
        let mut cx = Context::new(&inner.dataset, &inner.shelf, request.now);
        cx.user = self.user;
        cx.history = &self.history;
        cx.fresh = &self.fresh;
        cx.session_len = self.session_len;
        cx.basket = &self.basket;
        cx.context_item = self.context_item;
        cx.relevance = &self.relevance;
        cx.channel = request.channel;
        Query {
            cx,
            page: Page { placement: request.placement, segments: request.segments },
            exclude: &self.exclude,
            candidates: request.candidates.map(|_| &self.candidates[..]),
            only: request.only.map(|_| &self.only),
            probe: None,
            proposed: None,
            places: if request.k == 0 { 0 } else { request.offset.saturating_add(request.k) },
        }
    }
}

/// Appends the latest `room` events of `user` that are known at `now`, newest first, weighed for that moment.
pub(crate) fn append_profile(
    data: &Dataset,
    weights: &[KindWeight],
    user: UserIdx,
    now: Timestamp,
    room: usize,
    history: &mut Vec<Touch>,
) {
    let known = data.events_of(user).until(now);
    history.extend(known.iter().rev().take(room).map(|e| {
        let weight = weigh(&weights[e.kind.code() as usize], e.kind, e.quantity, e.value, e.at, now);
        Touch { item: e.item, kind: e.kind, at: e.at, weight }
    }));
}
