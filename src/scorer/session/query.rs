//! One request: the running session, its neighbours, and what they say.

use super::SessionKnn;
use super::params::{PlaceWeight, StepDecay};
use crate::ids::ItemIdx;
use crate::kernel::top_k::top_k;
use crate::scorer::{Context, CurrentItem, Touch, Workspace};

/// A distinct item of the running session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clicked {
    item: ItemIdx,
    /// In the similarity.
    place: f32,
    /// What a neighbour counts whose newest shared item it is.
    step: f32,
}

/// Buffers of a request.
#[derive(Default)]
struct Scratch {
    /// The running session's clicks, newest first.
    items: Vec<ItemIdx>,
    /// Its distinct items, newest first.
    running: Vec<Clicked>,
    candidates: Vec<u32>,
    neighbours: Vec<Ranked>,
}

/// A session and how alike it is, in one number: the more alike the smaller, of equals the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked(u64);

impl Ranked {
    /// `likeness` above 0, so that its bits ascend with it.
    fn new(likeness: f32, session: u32) -> Self {
        Self(u64::from(!likeness.to_bits()) << 32 | u64::from(session))
    }

    fn likeness(self) -> f32 {
        f32::from_bits(!((self.0 >> 32) as u32))
    }

    fn session(self) -> u32 {
        self.0 as u32
    }
}

impl PlaceWeight {
    /// Of the click `back` clicks before the newest, in a session of `len`.
    fn of(self, back: usize, len: usize) -> f32 {
        let share = (len - back) as f32 / len as f32;
        match self {
            Self::Same => 1.0,
            Self::Linear => share,
            Self::Quadratic => share * share,
            Self::Log => (back as f32 + 1.7).log10().recip(),
            Self::Exponential { scale } => (-(back as f32) / scale).exp(),
        }
    }
}

impl StepDecay {
    /// Of a neighbour whose newest shared item was clicked `back` clicks before the newest.
    fn of(self, back: usize) -> f32 {
        let steps = back as f32 + 1.0;
        match self {
            Self::Same => 1.0,
            Self::Linear => (1.0 - steps / 10.0).max(0.0),
            Self::Reciprocal => steps.recip(),
            Self::Quadratic => (steps * steps).recip(),
            Self::Exponential { scale } => (-(back as f32) / scale).exp(),
        }
    }
}

/// The touches of the running session, newest first: those of the request or, without any, those of the profile's latest
/// session.
fn running_touches<'a>(cx: &Context<'a>) -> &'a [Touch] {
    if !cx.session().is_empty() {
        return cx.session();
    }
    let Some(user) = cx.user else { return &[] };
    let known = cx.dataset.events_of(user).until(cx.now);
    let Some(latest) = known.sessions().last() else { return &[] };
    let length = known.sessions().iter().rev().take_while(|session| *session == latest).count();
    let Some(began) = known.get(known.len() - length).map(|event| event.at) else { return &[] };
    let within = cx.history.iter().take_while(|touch| touch.at >= began).count();
    &cx.history[..within]
}

impl SessionKnn {
    /// Calls `vote(item, value, evidence)` for each item of each neighbour, always in the same order for the same
    /// context.
    pub(super) fn each_vote(&self, cx: &Context<'_>, ws: &mut Workspace, mut vote: impl FnMut(ItemIdx, f32, ItemIdx)) {
        let mut scratch = ws.take::<Scratch>();
        let Scratch { items, running, candidates, neighbours } = &mut *scratch;
        self.clicks(cx, items);
        let mut places = ws.take_set(cx.shelf.n_items().max(self.extent.n_items));
        running.clear();
        for (back, &item) in items.iter().enumerate() {
            if places.insert(item) {
                let (place, step) = (self.params.place.of(back, items.len()), self.params.step.of(back));
                running.push(Clicked { item, place, step });
            }
        }
        self.neighbours(running, ws, candidates, neighbours);
        let withheld = items.first().copied().filter(|_| self.params.current == CurrentItem::Excluded);
        for neighbour in &*neighbours {
            let (clicks, last) = self.index.clicks(neighbour.session());
            let (mut newest, mut anchor) = (running.len(), 0);
            for (place, &item) in clicks.iter().enumerate() {
                if let Some(shared) = places.position(item) {
                    newest = newest.min(shared);
                    anchor = place;
                }
            }
            let Some(evidence) = running.get(newest) else { continue };
            let voice = neighbour.likeness() * evidence.step;
            if voice <= 0.0 {
                continue;
            }
            for (place, (&item, _)) in clicks.iter().zip(last).enumerate().filter(|(_, (_, last))| **last) {
                if Some(item) != withheld {
                    let near = self.nearness[place.abs_diff(anchor)];
                    vote(item, voice * near * self.rarity[item.as_usize()], evidence.item);
                }
            }
        }
        ws.give_set(places);
        ws.give(scratch);
    }

    /// Puts the latest clicks of the running session into `items`, newest first.
    fn clicks(&self, cx: &Context<'_>, items: &mut Vec<ItemIdx>) {
        let touches = running_touches(cx).iter().filter(|touch| self.params.kinds.contains(touch.kind));
        items.clear();
        items.extend(cx.context_item);
        let at_hand = cx.context_item;
        let rest = touches.map(|touch| touch.item).enumerate().filter(|&(i, item)| i > 0 || Some(item) != at_hand);
        items.extend(rest.map(|(_, item)| item).take(self.params.latest - items.len()));
    }

    /// Puts the neighbours into `out`, most alike first.
    fn neighbours(&self, running: &[Clicked], ws: &mut Workspace, candidates: &mut Vec<u32>, out: &mut Vec<Ranked>) {
        let recent = self.params.recent;
        // The m-th most recent session of one item bounds the m-th of all.
        let mth = |clicked: &Clicked| self.index.holders(clicked.item).get(recent - 1).copied();
        let oldest = running.iter().filter_map(mth).min().unwrap_or(u32::MAX);
        let mut shared = ws.take_accumulator(self.index.n_sessions());
        for clicked in running {
            for &session in self.index.holders(clicked.item).iter().take_while(|&&session| session <= oldest) {
                shared.add(session, clicked.place);
            }
        }
        candidates.clear();
        candidates.extend(shared.iter().map(|(session, _)| session));
        top_m(candidates, recent);
        out.clear();
        out.extend(candidates.iter().filter_map(|&session| {
            let likeness = shared.get(session) * self.gain[session as usize];
            (likeness > 0.0).then(|| Ranked::new(likeness, session))
        }));
        top_k(out, self.params.neighbours, Ord::cmp);
        ws.give_accumulator(shared);
    }
}

/// Leaves the `m` most recent sessions, in no particular order.
fn top_m(sessions: &mut Vec<u32>, m: usize) {
    if m < sessions.len() {
        sessions.select_nth_unstable(m - 1);
        sessions.truncate(m);
    }
}
