//! Requests of every shape, made up from a dataset.

use crate::catalog::Shelf;
use crate::dataset::Dataset;
use crate::event::{Channel, EventKind};
use crate::ids::{ItemIdx, UserIdx};
use crate::scorer::{Context, Touch};
use crate::time::{Span, Timestamp};

/// What a [`Context`] borrows.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) name: String,
    user: Option<UserIdx>,
    history: Vec<Touch>,
    session_len: usize,
    basket: Vec<ItemIdx>,
    context_item: Option<ItemIdx>,
    channel: Channel,
    now: Timestamp,
}

impl Case {
    fn new(name: impl Into<String>, now: Timestamp) -> Self {
        Self {
            name: name.into(),
            user: None,
            history: Vec::new(),
            session_len: 0,
            basket: Vec::new(),
            context_item: None,
            channel: Channel::Unknown,
            now,
        }
    }

    pub(super) fn context<'a>(&'a self, data: &'a Dataset, shelf: &'a Shelf) -> Context<'a> {
        Context {
            user: self.user,
            history: &self.history,
            session_len: self.session_len,
            basket: &self.basket,
            context_item: self.context_item,
            channel: self.channel,
            ..Context::new(data, shelf, self.now)
        }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = ItemIdx> + '_ {
        self.history.iter().map(|t| t.item).chain(self.basket.iter().copied()).chain(self.context_item)
    }
}

/// How many profiled shoppers are asked for.
const SHOPPERS: usize = 6;
/// How many of a shopper's touches a context holds.
const HISTORY: usize = 50;

/// A shopper's events up to `now`, newest first.
fn history_of(data: &Dataset, user: UserIdx, now: Timestamp) -> Vec<Touch> {
    let touch = |e: crate::dataset::EventRef| {
        let weight = data.weights().of(e.kind, e.quantity, e.value, e.at, now);
        Touch { item: e.item, kind: e.kind, at: e.at, weight }
    };
    data.events_of(user).until(now).iter().rev().take(HISTORY).map(touch).collect()
}

/// Contexts over the items below `n_items`, of which those from `stranger` on are known to nobody.
pub(super) fn cases(data: &Dataset, stranger: usize, n_items: usize) -> Vec<Case> {
    let now = data.as_of();
    let spread = |n: usize| (0..n.min(stranger)).map(move |i| ItemIdx::new((i * stranger / n.min(stranger)) as u32));
    let strangers = || (stranger..n_items).map(|i| ItemIdx::new(i as u32));
    let touched = |items: &mut dyn Iterator<Item = ItemIdx>, kind, weight, now: Timestamp| -> Vec<Touch> {
        let at = |i: usize| now.minus(Span::minutes(i as u32));
        items.enumerate().map(|(i, item)| Touch { item, kind, at: at(i), weight }).collect()
    };
    let viewed = |items: &mut dyn Iterator<Item = ItemIdx>| touched(items, EventKind::View, 1.0, now);
    let mut all = vec![
        Case::new("anonymous, nothing known", now),
        Case { user: Some(UserIdx::new(data.n_rows() as u32)), ..Case::new("shopper newer than the dataset", now) },
    ];
    let users: Vec<UserIdx> = data.users().collect();
    for user in users.iter().step_by((users.len() / SHOPPERS).max(1)).take(SHOPPERS) {
        let name = format!("shopper {:?} with history", data.user_key(*user));
        let history = history_of(data, *user, now);
        all.push(Case { user: Some(*user), history, ..Case::new(name, now) });
    }
    if let Some(&user) = users.first() {
        let mut session = viewed(&mut spread(2));
        let session_len = session.len();
        session.extend(history_of(data, user, now));
        let with_session = Case { user: Some(user), history: session, session_len, ..Case::new("", now) };
        all.push(Case { user: Some(user), ..Case::new("shopper with empty history", now) });
        for (name, at) in [("earliest clock", Timestamp::MIN), ("latest clock", Timestamp::MAX)] {
            all.push(Case { user: Some(user), history: history_of(data, user, at), ..Case::new(name, at) });
            // The session's times come from the shop: nothing keeps them before the clock.
            all.push(Case { name: format!("{name}, session elsewhere in time"), now: at, ..with_session.clone() });
        }
        all.push(Case { name: "shopper with session".to_owned(), ..with_session });
    }
    let session =
        |name: &str, history: Vec<Touch>| Case { session_len: history.len(), history, ..Case::new(name, now) };
    all.push(session("session only", viewed(&mut spread(5))));
    all.push(session("session of one item, over and over", viewed(&mut spread(1).cycle().take(9))));
    all.push(session("disliked session", touched(&mut spread(3), EventKind::Dislike, -5.0, now)));
    all.push(session("bought in session", touched(&mut spread(3), EventKind::Purchase, 5.0, now)));
    all.push(session("weightless session", touched(&mut spread(3), EventKind::View, 0.0, now)));
    all.push(session("session at the end of time", touched(&mut spread(3), EventKind::View, 1.0, Timestamp::MAX)));
    all.push(session("session before time", touched(&mut spread(3), EventKind::View, 1.0, Timestamp::MIN)));
    all.push(session("session of unknown items", viewed(&mut strangers())));
    all.push(session("session of known and unknown items", viewed(&mut strangers().chain(spread(3)))));
    all.push(Case { basket: spread(3).collect(), ..Case::new("basket only", now) });
    all.push(Case { basket: strangers().collect(), ..Case::new("basket of unknown items", now) });
    all.push(Case { context_item: strangers().next(), ..Case::new("unknown context item", now) });
    for item in spread(3) {
        let channel = Channel::Web;
        all.push(Case { context_item: Some(item), channel, ..Case::new(format!("context item {}", item.get()), now) });
    }
    all
}
