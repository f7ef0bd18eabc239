//! One request: the running session, its neighbours, and what they say.

use std::sync::Arc;

use super::SessionKnn;
use super::index::Rows;
use super::neighbours::{Limits, Neighbour, Search};
use super::params::{NextClick, PlaceWeight, StepDecay};
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::scorer::best::Best;
use crate::scorer::{Context, CurrentItem, ItemSet, Scored, Touch, Workspace};

/// Clicks after a shared one that count as "next".
const AHEAD: usize = 10;
/// Clicks compared to tell how far a neighbour came the same way.
const SUFFIX: usize = 5;

/// A distinct item of the running session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clicked {
    pub(super) item: ItemIdx,
    /// In the similarity.
    pub(super) place: f32,
    /// What a neighbour counts whose newest shared item it is.
    step: f32,
}

/// What an item has that nobody voted for: every vote is at least `+0`, and so is every sum of them.
const NO_VOTE: f64 = -0.0;

/// One request asked: what the neighbours say of each item, and the buffers it takes to find out.
#[derive(Default)]
pub(super) struct Poll {
    /// The model it asked: it is kept alive, so that no other can come to stand where it stood.
    of: Option<Arc<()>>,
    /// The running session's clicks, newest first.
    clicks: Vec<ItemIdx>,
    /// Those of the next request.
    asked: Vec<ItemIdx>,
    /// Its distinct items that training sessions hold, newest first.
    running: Vec<Clicked>,
    /// All its distinct items, newest first.
    places: ItemSet,
    search: Search,
    neighbours: Vec<Neighbour>,
    /// The votes on each item; in `f64`, since published lists are to be met to the sixth digit.
    votes: Vec<f64>,
    /// The items with a vote in `..n_voted`, and room for a row more.
    voted: Vec<ItemIdx>,
    n_voted: usize,
    /// The newest shared item of the neighbours that voted for each item, by its place in `running`.
    because: Vec<u32>,
    /// What followed the newest click in the neighbours, and all of it.
    followed: Accumulator,
    all_followed: f32,
    best: Best,
}

impl Poll {
    fn reset(&mut self, model: &SessionKnn, shelf: usize) {
        let n_items = model.extent.n_items;
        self.voted[..self.n_voted].iter().for_each(|item| self.votes[item.as_usize()] = NO_VOTE);
        self.n_voted = 0;
        if self.votes.len() < n_items {
            self.votes.resize(n_items, NO_VOTE);
            self.because.resize(n_items, 0);
        }
        if self.voted.len() < n_items + model.longest_row {
            self.voted.resize(n_items + model.longest_row, ItemIdx::new(0));
        }
        self.running.clear();
        self.places.reset(n_items.max(shelf));
        self.followed.reset(n_items);
        self.all_followed = 0.0;
        self.of = Some(Arc::clone(&model.token));
    }

    #[inline]
    fn vote(&mut self, item: ItemIdx, value: f32) {
        self.vote_row(&[item], value);
    }

    /// One vote for each item of a row.
    #[inline]
    fn vote_row(&mut self, row: &[ItemIdx], value: f32) {
        let votes = &mut self.votes[..];
        let new = &mut self.voted[self.n_voted..self.n_voted + row.len()];
        let (value, mut n_new) = (f64::from(value), 0);
        for &item in row {
            let votes = &mut votes[item.as_usize()];
            new[n_new] = item; // overwritten by the next unless it is new
            n_new += usize::from(votes.to_bits() == NO_VOTE.to_bits());
            *votes += value;
        }
        self.n_voted += n_new;
    }

    /// Notes that those voted for since `from` owe it to the item of the running session at `newest`.
    fn explain(&mut self, from: usize, newest: u32) {
        for item in &self.voted[from..self.n_voted] {
            self.because[item.as_usize()] = newest;
        }
    }

    /// The newest shared item of a neighbour that voted for `item`, which somebody did.
    pub(super) fn evidence(&self, item: ItemIdx) -> ItemIdx {
        self.running[self.because[item.as_usize()] as usize].item
    }

    /// The items that were voted for, the one that may not be recommended perhaps among them.
    pub(super) fn voted(&self) -> &[ItemIdx] {
        &self.voted[..self.n_voted]
    }

    /// The sum of the votes on an item.
    fn votes(&self, item: ItemIdx) -> Option<f64> {
        self.votes.get(item.as_usize()).copied().filter(|votes| votes.to_bits() != NO_VOTE.to_bits())
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

/// Of a training session's clicks on shared items, the place of the latest.
fn anchor(clicks: &[ItemIdx], shared: &ItemSet) -> usize {
    clicks.iter().rposition(|&item| shared.contains(item)).unwrap_or_default()
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
    /// Asks the neighbours of the running session; the poll just taken is not taken again. Give it back to the workspace.
    pub(super) fn poll(&self, cx: &Context<'_>, ws: &mut Workspace) -> Box<Poll> {
        let mut poll = ws.take::<Poll>();
        self.clicks(cx, &mut poll.asked);
        if poll.clicks == poll.asked && poll.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &self.token)) {
            return poll;
        }
        poll.reset(self, cx.shelf.n_items());
        let Poll { clicks, asked, running, places, search, neighbours, .. } = &mut *poll;
        std::mem::swap(clicks, asked);
        for (back, &item) in clicks.iter().enumerate() {
            if places.insert(item) && !self.index.holders(item).is_empty() {
                let (place, step) = (self.params.place.of(back, clicks.len()), self.params.step.of(back));
                running.push(Clicked { item, place, step });
            }
        }
        let limits = Limits { recent: self.params.recent, neighbours: self.params.neighbours };
        search.find(&self.index, running, &self.gain, limits, neighbours);
        self.hear_all(&mut poll);
        poll
    }

    /// Lets all neighbours vote, those with the newest shared item first.
    fn hear_all(&self, poll: &mut Poll) {
        let neighbours = std::mem::take(&mut poll.neighbours);
        for alike in neighbours.chunk_by(|a, b| a.newest == b.newest) {
            let (newest, from) = (alike[0].newest, poll.n_voted);
            let Clicked { item, step, .. } = poll.running[newest as usize];
            match self.rows {
                Rows::Distinct => self.hear_rows(alike, step, poll),
                Rows::Clicks => self.hear_clicks(alike, step, item, poll),
            }
            poll.explain(from, newest);
        }
        poll.neighbours = neighbours;
        if let Some(votes) = self.at_hand(poll).and_then(|item| poll.votes.get_mut(item.as_usize())) {
            *votes = NO_VOTE;
        }
    }

    fn hear_rows(&self, neighbours: &[Neighbour], step: f32, poll: &mut Poll) {
        for neighbour in neighbours {
            let voice = neighbour.likeness * step;
            if voice > 0.0 {
                poll.vote_row(self.index.row(neighbour.session), voice);
            }
        }
    }

    fn hear_clicks(&self, neighbours: &[Neighbour], step: f32, newest: ItemIdx, poll: &mut Poll) {
        for neighbour in neighbours {
            let (clicks, last) = self.index.clicks(neighbour.session);
            if self.params.next.boost > 0.0 && poll.clicks.first() == Some(&newest) {
                self.follow(neighbour.likeness, clicks, poll);
            }
            let voice = neighbour.likeness * step;
            if voice <= 0.0 {
                continue;
            }
            let anchor = anchor(clicks, &poll.places);
            for (place, &item) in clicks.iter().enumerate().filter(|&(place, _)| last[place]) {
                poll.vote(item, voice * self.nearness[place.abs_diff(anchor)]);
            }
        }
    }

    /// Calls `heard(value, newest shared item)` for each vote on `item`.
    pub(super) fn each_vote(&self, poll: &Poll, item: ItemIdx, mut heard: impl FnMut(f32, ItemIdx)) {
        for neighbour in &poll.neighbours {
            let row = self.index.row(neighbour.session);
            let Clicked { item: newest, step, .. } = poll.running[neighbour.newest as usize];
            let voice = neighbour.likeness * step;
            let Some(place) = row.iter().rposition(|&clicked| clicked == item).filter(|_| voice > 0.0) else {
                continue;
            };
            let near = match self.rows {
                Rows::Distinct => 1.0,
                Rows::Clicks => self.nearness[place.abs_diff(anchor(row, &poll.places))],
            };
            heard(voice * near, newest);
        }
    }

    /// The item that may not be recommended.
    fn at_hand(&self, poll: &Poll) -> Option<ItemIdx> {
        poll.clicks.first().copied().filter(|_| self.params.current == CurrentItem::Excluded)
    }

    /// What the votes on an item are multiplied by.
    pub(super) fn factor(&self, poll: &Poll, item: ItemIdx) -> f64 {
        let rarity = f64::from(self.rarity[item.as_usize()]);
        if self.even {
            return rarity;
        }
        let again = match poll.places.position(item) {
            None => 1.0,
            Some(0) => self.params.repeat,
            Some(_) => self.params.returning,
        };
        let followed = poll.followed.get(item.get());
        if followed > 0.0 {
            let share = followed / poll.all_followed;
            rarity * f64::from(again * (1.0 + self.params.next.boost * share).powf(self.params.next.power))
        } else {
            rarity * f64::from(again)
        }
    }

    /// The score of an item, if anybody voted for it.
    #[inline]
    pub(super) fn score_of(&self, poll: &Poll, item: ItemIdx) -> Option<f32> {
        poll.votes(item).map(|votes| (votes * self.factor(poll, item)) as f32)
    }

    /// Puts the best `limit` items of a poll into `out`, best first.
    pub(super) fn best(&self, poll: &mut Poll, limit: usize, out: &mut Vec<Scored>) {
        let mut best = std::mem::take(&mut poll.best);
        best.reset(limit);
        for &item in poll.voted() {
            if let Some(score) = self.score_of(poll, item)
                && score.is_finite()
            {
                best.offer(item, score);
            }
        }
        out.extend(best.sorted());
        poll.best = best;
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
}

/// What a click `ahead` clicks after a shared one counts as its successor, 1 for the very next.
pub(super) fn fades(next: NextClick) -> Vec<f32> {
    (1..=AHEAD).map(|ahead| (ahead as f32).powf(-next.fade)).collect()
}
