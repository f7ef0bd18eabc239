//! One shopper's past as the predicates see it: sorted, cut at now, in visits, without what was sent back.

use std::ops::Range;

use crate::dataset::{Dataset, EventRef};
use crate::event::{Channel, EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::serve::SessionEvent;
use crate::time::{Span, Timestamp};

pub(super) const VIEWS: KindSet = KindSet::of(&[EventKind::View, EventKind::Click]);
pub(super) const CLOSES: KindSet = KindSet::of(&[EventKind::AddToCart, EventKind::Purchase]);

/// A shopper's events up to now, oldest first.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    pub(super) events: Vec<EventRef>,
    pub(super) visits: Vec<Range<usize>>,
    pub(super) gap: Span,
    pub(super) now: Timestamp,
    pub(super) last_purchase: Option<Timestamp>,
    /// Purchases of one item after the other, oldest first: filled on demand.
    pub(super) bought: Vec<(ItemIdx, Timestamp)>,
}

impl Timeline {
    /// The stored events of `user` and what happened since.
    pub(super) fn fill(
        &mut self,
        data: &Dataset,
        user: Option<UserIdx>,
        fresh: impl Iterator<Item = EventRef>,
        gap: Span,
        now: Timestamp,
    ) {
        self.events.clear();
        (self.gap, self.now) = (gap, now);
        if let Some(user) = user {
            self.events.extend(data.events_of(user).until(now).iter());
        }
        let stored = self.events.len();
        self.events.extend(fresh.filter(|e| e.at <= now));
        if self.events.len() > stored {
            self.events.sort_by_key(|e| e.at); // stable: of equal times the stored ones, then as given
        }
        self.take_back();
        self.visits.clear();
        let mut from = 0;
        for at in 1..=self.events.len() {
            let ends = at == self.events.len() || self.events[at].at.since(self.events[at - 1].at) > gap;
            if ends {
                self.visits.push(from..at);
                from = at;
            }
        }
        self.last_purchase = self.events.iter().rev().find(|e| e.kind == EventKind::Purchase).map(|e| e.at);
        self.bought.clear();
    }

    /// What the dataset did not cancel by itself: returns among the fresh events, or where a shop lets nothing cancel.
    fn take_back(&mut self) {
        if !self.events.iter().any(|e| e.kind == EventKind::Return) {
            return;
        }
        for at in 0..self.events.len() {
            let back = self.events[at];
            if back.kind != EventKind::Return {
                continue;
            }
            let mut units = back.quantity;
            for e in self.events[..at].iter_mut().rev() {
                if e.kind == EventKind::Purchase && e.item == back.item && e.quantity > 0.0 {
                    let taken = units.min(e.quantity);
                    e.quantity -= taken;
                    units -= taken;
                }
                if units <= 0.0 {
                    break;
                }
            }
        }
        self.events.retain(|e| e.quantity > 0.0 && e.kind != EventKind::Return);
    }

    pub(super) fn last(&self) -> Option<&EventRef> {
        self.events.last()
    }

    /// The latest visit, with where it starts.
    pub(super) fn last_visit(&self) -> Option<(usize, &[EventRef])> {
        let visit = self.visits.last()?;
        Some((visit.start, &self.events[visit.clone()]))
    }

    /// Whether `item` was bought at or after `since`.
    pub(super) fn bought_since(&self, item: ItemIdx, since: Timestamp) -> bool {
        self.events.iter().rev().take_while(|e| e.at >= since).any(|e| e.kind == EventKind::Purchase && e.item == item)
    }

    /// Sorts the purchases by item and time, once.
    pub(super) fn sort_purchases(&mut self) {
        if self.bought.is_empty() && self.last_purchase.is_some() {
            let purchases = self.events.iter().filter(|e| e.kind == EventKind::Purchase);
            self.bought.extend(purchases.map(|e| (e.item, e.at)));
            self.bought.sort_unstable();
        }
    }
}

/// What happened since the dataset was built, as a timeline's events; unknown items are left out.
pub(super) fn fresh_events<'a>(
    fresh: &'a [SessionEvent<'a>],
    item: impl Fn(&str) -> Option<ItemIdx> + 'a,
) -> impl Iterator<Item = EventRef> + 'a {
    fresh.iter().filter_map(move |e| {
        let quantity = if e.quantity > 0.0 && e.quantity.is_finite() { e.quantity } else { 1.0 };
        let value = e.value.filter(|v| v.is_finite());
        Some(EventRef { item: item(e.item)?, kind: e.kind, at: e.at, quantity, value, channel: Channel::Unknown })
    })
}
