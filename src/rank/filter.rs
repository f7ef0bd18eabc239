//! What must not be shown: hard filters, asked before anything is scored.

use std::fmt;

use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::scorer::Context;
use crate::time::{Span, Timestamp};

/// Whether a filter named all it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusals {
    /// Everything it refuses was named: [`Filter::keep`] need not be asked.
    Named,
    /// Ask [`Filter::keep`] for each candidate.
    Ask,
}

/// A hard condition on (shopper, item). What it refuses is never shown, whatever re-ranks, rules and fallbacks do,
/// except by a pin that overrides filters and says so.
///
/// Any closure over (context, item) is one through [`FilterFn`].
pub trait Filter: fmt::Debug + Send + Sync + 'static {
    /// A short name for "why not this item".
    fn name(&self) -> &str;

    /// Whether `item` may be shown. Pure: the same context and item give the same answer.
    fn keep(&self, cx: &Context<'_>, item: ItemIdx) -> bool;

    /// Names the refused items, where they are few and known up front (the shopper's own history). The provided method
    /// names none and asks for [`Filter::keep`]; that is always correct. An override must agree with `keep`.
    fn refusals(&self, cx: &Context<'_>, refuse: &mut dyn FnMut(ItemIdx)) -> Refusals {
        let _ = (cx, refuse);
        Refusals::Ask
    }
}

/// Refuses what the shopper has touched by one of `kinds`, in the profile up to `now` or in the request's session.
///
/// With `again_after`, an item comes back that long after the last such touch: a re-buy window for consumables. A
/// purchase does not count as bought once its return is in the dataset (a return in the request's session changes
/// nothing yet). `O(history)` a request.
///
/// # Example
/// ```
/// use likewise::{EventKind, KindSet, Seen, Span};
/// let bought_lately = Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: Some(Span::days(30)) };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The kinds of touch that count.
    pub kinds: KindSet,
    /// After how long an item may be shown again; `None` for never.
    #[serde(default)]
    pub again_after: Option<Span>,
}

impl Seen {
    fn recent(&self, at: Timestamp, now: Timestamp) -> bool {
        self.again_after.is_none_or(|window| now.since(at) < window)
    }

    fn touched<'c>(&'c self, cx: &'c Context<'_>) -> impl Iterator<Item = ItemIdx> + 'c {
        let session = cx.session().iter().chain(cx.fresh).map(|t| (t.item, t.kind, t.at));
        let stored = cx
            .user
            .into_iter()
            .flat_map(|user| cx.dataset.events_of(user).until(cx.now).iter().map(|e| (e.item, e.kind, e.at)));
        let counts = |&(_, kind, at): &(ItemIdx, _, _)| self.kinds.contains(kind) && self.recent(at, cx.now);
        session.chain(stored).filter(counts).map(|(item, _, _)| item)
    }
}

impl Filter for Seen {
    fn name(&self) -> &'static str {
        "seen"
    }

    fn keep(&self, cx: &Context<'_>, item: ItemIdx) -> bool {
        self.touched(cx).all(|touched| touched != item)
    }

    fn refusals(&self, cx: &Context<'_>, refuse: &mut dyn FnMut(ItemIdx)) -> Refusals {
        self.touched(cx).for_each(refuse);
        Refusals::Named
    }
}

/// Refuses what cannot be sold now: out of stock, not yet released, expired or removed.
/// See [`Shelf::available`](crate::Shelf::available).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Available;

impl Filter for Available {
    fn name(&self) -> &'static str {
        "available"
    }

    fn keep(&self, cx: &Context<'_>, item: ItemIdx) -> bool {
        cx.shelf.available(item, cx.now)
    }
}

/// Refuses what is in the basket already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotInBasket;

impl Filter for NotInBasket {
    fn name(&self) -> &'static str {
        "in basket"
    }

    fn keep(&self, cx: &Context<'_>, item: ItemIdx) -> bool {
        !cx.basket.contains(&item)
    }

    fn refusals(&self, cx: &Context<'_>, refuse: &mut dyn FnMut(ItemIdx)) -> Refusals {
        cx.basket.iter().copied().for_each(refuse);
        Refusals::Named
    }
}

/// Refuses the item the shopper is looking at: the latest of the running session, and the item of the page. Whether a
/// shop wants it depends on what a repeat means there; in click streams where people reload pages it decides the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NotCurrent;

impl NotCurrent {
    fn current<'c>(cx: &'c Context<'_>) -> impl Iterator<Item = ItemIdx> + 'c {
        cx.session().first().map(|t| t.item).into_iter().chain(cx.context_item)
    }
}

impl Filter for NotCurrent {
    fn name(&self) -> &'static str {
        "not current"
    }

    fn keep(&self, cx: &Context<'_>, item: ItemIdx) -> bool {
        Self::current(cx).all(|current| current != item)
    }

    fn refusals(&self, cx: &Context<'_>, refuse: &mut dyn FnMut(ItemIdx)) -> Refusals {
        Self::current(cx).for_each(refuse);
        Refusals::Named
    }
}

/// A closure as a filter: a seller never sees their own goods, a minor no spirits.
///
/// # Example
/// ```
/// use likewise::{Context, FilterFn, ItemIdx};
/// let even = FilterFn::new("even numbers only", |_: &Context<'_>, item: ItemIdx| item.get() % 2 == 0);
/// ```
pub struct FilterFn<F> {
    name: Box<str>,
    keep: F,
}

impl<F: Fn(&Context<'_>, ItemIdx) -> bool> FilterFn<F> {
    /// Keeps the items for which `keep` is true.
    pub fn new(name: &str, keep: F) -> Self {
        Self { name: name.into(), keep }
    }
}

impl<F> fmt::Debug for FilterFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterFn").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Fn(&Context<'_>, ItemIdx) -> bool + Send + Sync + 'static> Filter for FilterFn<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn keep(&self, cx: &Context<'_>, item: ItemIdx) -> bool {
        (self.keep)(cx, item)
    }
}
