//! One request: the running session, its neighbours, and what they say.

use super::SessionKnn;
use super::params::{NextClick, PlaceWeight, SessionKnnParams, StepDecay};
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::kernel::top_k::top_k;
use crate::scorer::{Context, CurrentItem, ItemSet, Touch, Workspace};

/// Clicks after a shared one that count as "next".
const AHEAD: usize = 10;
/// Clicks compared to tell how far a neighbour came the same way.
const SUFFIX: usize = 5;

/// A distinct item of the running session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clicked {
    item: ItemIdx,
    /// In the similarity.
    place: f32,
    /// What a neighbour counts whose newest shared item it is.
    step: f32,
}

/// One request asked: what the neighbours say of each item, and the buffers it takes to find out.
#[derive(Default)]
pub(super) struct Poll {
    /// The running session's clicks, newest first.
    clicks: Vec<ItemIdx>,
    /// Its distinct items, newest first, and where each stands.
    running: Vec<Clicked>,
    places: ItemSet,
    candidates: Vec<u32>,
    neighbours: Vec<Ranked>,
    /// The votes on each item, NaN for none; in `f64`, since published lists are to be met to the sixth digit.
    votes: Vec<f64>,
    voted: Vec<ItemIdx>,
    /// What followed the newest click in the neighbours, and all of it.
    followed: Accumulator,
    all_followed: f32,
    next: NextClick,
    repeat: f32,
    returning: f32,
}

impl Poll {
    fn reset(&mut self, n_items: usize, shelf: usize, params: &SessionKnnParams) {
        self.voted.drain(..).for_each(|item| self.votes[item.as_usize()] = f64::NAN);
        if self.votes.len() < n_items {
            self.votes.resize(n_items, f64::NAN);
        }
        self.running.clear();
        self.places.reset(n_items.max(shelf));
        self.followed.reset(n_items);
        self.all_followed = 0.0;
        (self.next, self.repeat, self.returning) = (params.next, params.repeat, params.returning);
    }

    fn vote(&mut self, item: ItemIdx, value: f32) {
        let votes = &mut self.votes[item.as_usize()];
        if votes.is_nan() {
            self.voted.push(item);
            *votes = value.into();
        } else {
            *votes += f64::from(value);
        }
    }

    /// What the votes on `item` are multiplied by.
    pub(super) fn factor(&self, item: ItemIdx) -> f32 {
        let again = match self.places.position(item) {
            None => 1.0,
            Some(0) => self.repeat,
            Some(_) => self.returning,
        };
        let followed = self.followed.get(item.get());
        if followed > 0.0 {
            again * (1.0 + self.next.boost * followed / self.all_followed).powf(self.next.power)
        } else {
            again
        }
    }

    /// The score of an item that was voted for.
    pub(super) fn score(&self, item: ItemIdx) -> Option<f32> {
        let votes = self.votes.get(item.as_usize()).copied().filter(|votes| !votes.is_nan())?;
        Some((votes * f64::from(self.factor(item))) as f32)
    }

    /// The items that were voted for.
    pub(super) fn voted(&self) -> &[ItemIdx] {
        &self.voted
    }
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
    /// Asks the neighbours of the running session, and calls `heard(item, value, evidence)` for each vote, always in the
    /// same order for the same context. Give the poll back to the workspace.
    pub(super) fn poll(
        &self,
        cx: &Context<'_>,
        ws: &mut Workspace,
        mut heard: impl FnMut(ItemIdx, f32, ItemIdx),
    ) -> Box<Poll> {
        let mut poll = ws.take::<Poll>();
        poll.reset(self.extent.n_items, cx.shelf.n_items(), &self.params);
        self.clicks(cx, &mut poll.clicks);
        for (back, &item) in poll.clicks.iter().enumerate() {
            if poll.places.insert(item) {
                let (place, step) = (self.params.place.of(back, poll.clicks.len()), self.params.step.of(back));
                poll.running.push(Clicked { item, place, step });
            }
        }
        self.neighbours(&mut poll, ws);
        let at_hand = poll.clicks.first().copied().filter(|_| self.params.current == CurrentItem::Excluded);
        for n in 0..poll.neighbours.len() {
            let neighbour = poll.neighbours[n];
            let (clicks, last) = self.index.clicks(neighbour.session());
            let (mut newest, mut anchor) = (poll.running.len(), 0);
            for (place, &item) in clicks.iter().enumerate() {
                if let Some(shared) = poll.places.position(item) {
                    newest = newest.min(shared);
                    anchor = place;
                }
            }
            let Some(&Clicked { item: evidence, step, .. }) = poll.running.get(newest) else { continue };
            if newest == 0 && self.params.next.boost > 0.0 {
                self.follow(neighbour.likeness(), clicks, &mut poll);
            }
            let voice = neighbour.likeness() * step;
            if voice <= 0.0 {
                continue;
            }
            for (place, &item) in
                clicks.iter().enumerate().filter(|&(place, item)| last[place] && Some(*item) != at_hand)
            {
                let value = voice * self.nearness[place.abs_diff(anchor)] * self.rarity[item.as_usize()];
                poll.vote(item, value);
                heard(item, value, evidence);
            }
        }
        poll
    }

    /// Notes each click of a neighbour soon after one on the newest item of the running session: the more, the sooner it
    /// came and the longer both sessions had gone the same way.
    fn follow(&self, likeness: f32, clicks: &[ItemIdx], poll: &mut Poll) {
        for here in (0..clicks.len()).filter(|&here| clicks[here] == poll.clicks[0]) {
            let before = clicks[..here].iter().rev().zip(&poll.clicks[1..]).take(SUFFIX - 1);
            let same_way = before.take_while(|(theirs, ours)| theirs == ours).count();
            let weight = likeness * self.params.next.suffix.powi(same_way as i32);
            for (item, fade) in clicks[here + 1..].iter().zip(&self.fade) {
                poll.followed.add(item.get(), weight * fade);
                poll.all_followed += weight * fade;
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

    /// Finds the neighbours, most alike first.
    fn neighbours(&self, poll: &mut Poll, ws: &mut Workspace) {
        let Poll { running, candidates, neighbours, .. } = poll;
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
        if recent < candidates.len() {
            candidates.select_nth_unstable(recent - 1);
            candidates.truncate(recent);
        }
        neighbours.clear();
        neighbours.extend(candidates.iter().filter_map(|&session| {
            let likeness = shared.get(session) * self.gain[session as usize];
            (likeness > 0.0).then(|| Ranked::new(likeness, session))
        }));
        top_k(neighbours, self.params.neighbours, Ord::cmp);
        ws.give_accumulator(shared);
    }
}

/// What a click `ahead` clicks after a shared one counts as its successor, 1 for the very next.
pub(super) fn fades(next: NextClick) -> Vec<f32> {
    (1..=AHEAD).map(|ahead| (ahead as f32).powf(-next.fade)).collect()
}
