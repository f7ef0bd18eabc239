//! One request: the running session, its neighbours, and what they say.

use super::SessionKnn;
use super::params::{NextClick, PlaceWeight, StepDecay};
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::kernel::top_k::top_k;
use crate::scorer::{Context, CurrentItem, ItemSet, Touch, Workspace};

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

/// Clicks after a shared one that count as "next".
const AHEAD: usize = 10;
/// Clicks compared to tell how far a neighbour came the same way.
const SUFFIX: usize = 5;

/// What each item's votes are multiplied by in a request.
pub(super) struct Factors {
    next: NextClick,
    again: (f32, f32),
    /// What followed the newest click in the neighbours, and all of it.
    followed: Accumulator,
    total: f32,
    /// The distinct items of the running session, newest first.
    running: ItemSet,
}

impl SessionKnn {
    /// Calls `vote(item, value, evidence)` for each item of each neighbour, always in the same order for the same
    /// context; tells what the sums are multiplied by.
    pub(super) fn poll(
        &self,
        cx: &Context<'_>,
        ws: &mut Workspace,
        mut vote: impl FnMut(ItemIdx, f32, ItemIdx),
    ) -> Factors {
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
        let mut followed = ws.take_accumulator(self.extent.n_items);
        let mut total = 0.0;
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
            if newest == 0 && self.params.next.power > 0.0 {
                self.follow(neighbour.likeness(), clicks, items, |item, weight| {
                    followed.add(item.get(), weight);
                    total += weight;
                });
            }
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
        ws.give(scratch);
        let again = (self.params.repeat, self.params.returning);
        Factors { next: self.params.next, again, followed, total, running: places }
    }

    /// Calls `add(item, weight)` for each click of a neighbour soon after one on the newest item of the running session
    /// (its clicks, newest first): the more, the sooner it came and the longer both sessions had gone the same way.
    fn follow(&self, likeness: f32, clicks: &[ItemIdx], running: &[ItemIdx], mut add: impl FnMut(ItemIdx, f32)) {
        for here in (0..clicks.len()).filter(|&here| clicks[here] == running[0]) {
            let before = clicks[..here].iter().rev().zip(&running[1..]).take(SUFFIX - 1);
            let same_way = before.take_while(|(theirs, ours)| theirs == ours).count();
            let weight = likeness * self.params.next.suffix.powi(same_way as i32);
            for (&item, fade) in clicks[here + 1..].iter().zip(&self.fade) {
                add(item, weight * fade);
            }
        }
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

impl Factors {
    pub(super) fn of(&self, item: ItemIdx) -> f32 {
        let again = match self.running.position(item) {
            None => 1.0,
            Some(0) => self.again.0,
            Some(_) => self.again.1,
        };
        let followed = self.followed.get(item.get());
        if followed > 0.0 {
            again * (1.0 + followed / self.total / self.next.floor).powf(self.next.power)
        } else {
            again
        }
    }

    pub(super) fn give_back(self, ws: &mut Workspace) {
        ws.give_accumulator(self.followed);
        ws.give_set(self.running);
    }
}

/// What a click `ahead` clicks after a shared one counts as its successor, 1 for the very next.
pub(super) fn fades(next: NextClick) -> Vec<f32> {
    (1..=AHEAD).map(|ahead| (ahead as f32).powf(-next.fade)).collect()
}

/// Leaves the `m` most recent sessions, in no particular order.
fn top_m(sessions: &mut Vec<u32>, m: usize) {
    if m < sessions.len() {
        sessions.select_nth_unstable(m - 1);
        sessions.truncate(m);
    }
}
