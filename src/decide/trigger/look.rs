//! The predicates: does a situation hold for this past, and when may it come to hold by the passing of time alone?

use super::bind::{Bound, Prepared};
use super::firing::Detail;
use super::news::Change;
use super::state::{Situation, TriggerId};
use super::timeline::{CLOSES, Timeline, VIEWS};
use super::when::*;
use crate::dataset::EventRef;
use crate::event::{EventKind, KindSet};
use crate::ids::ItemIdx;
use crate::time::{Span, Timestamp};

/// One situation that holds.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: TriggerId,
    /// What it is about, most important first.
    pub(super) items: Vec<ItemIdx>,
    /// The events that show it, by place.
    pub(super) because: Vec<usize>,
    pub(super) detail: Detail,
}

/// What a predicate says.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) found: Vec<Found>,
    /// The earliest later moment at which it may say more though nothing happens.
    pub(super) wake: Option<Timestamp>,
}

impl Verdict {
    pub(super) fn clear(&mut self) {
        self.found.clear();
        self.wake = None;
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

/// The items and events a firing names at most.
const NAMED: usize = 10;
const DAY: i64 = 86_400_000;

/// One shopper under one rule.
pub(super) struct Look<'a> {
    pub(super) bound: &'a Bound<'a>,
    pub(super) prepared: &'a Prepared,
    pub(super) shopper: &'a str,
    pub(super) rule: &'a str,
}

impl Look<'_> {
    pub(super) fn at(&self, when: &When, t: &mut Timeline, out: &mut Verdict) {
        out.clear();
        match when {
            When::CartAbandoned(p) => self.cart(p, t, out),
            When::BrowseAbandoned(p) => self.browse(p, t, out),
            When::Lingering(p) => self.lingering(p, t, out),
            When::Hesitation(p) => self.hesitation(p, t, out),
            When::PriceDropped(p) => {
                let tells = |change: &Change, item| match *change {
                    Change::Price { from, to } if (from - to) / from >= p.by => {
                        let still = self.bound.facts.shelf.price(item).is_none_or(|price| price <= to);
                        still.then_some(Detail::Price { from, to })
                    }
                    _ => None,
                };
                self.news(p.kinds, p.within, p.fresh, &tells, t, out);
            }
            When::BackInStock(p) => {
                let tells = |change: &Change, _| matches!(change, Change::Restocked).then_some(Detail::None);
                self.news(p.kinds, p.within, p.fresh, &tells, t, out);
            }
            When::ReplenishmentDue(p) => self.replenishment(p, t, out),
            When::WinBack(p) => self.win_back(p, t, out),
            When::PostPurchase(p) => self.post_purchase(p, t, out),
            When::NewArrival(p) => self.arrival(p, t, out),
        }
    }

    fn situation(&self) -> Situation {
        Situation::of(self.shopper, self.rule)
    }

    fn key(&self, item: ItemIdx) -> &str {
        let facts = &self.bound.facts;
        facts.shelf.key(facts.data, item)
    }

    fn sold(&self, item: ItemIdx, now: Timestamp) -> bool {
        self.bound.facts.shelf.available(item, now)
    }

    fn cart(&self, p: &CartAbandoned, t: &Timeline, out: &mut Verdict) {
        if !t.events.iter().any(|e| e.kind == EventKind::AddToCart) {
            return;
        }
        let mut open: Vec<usize> = Vec::new();
        for (place, e) in t.events.iter().enumerate() {
            match e.kind {
                EventKind::AddToCart => {
                    open.retain(|&o| t.events[o].item != e.item);
                    open.push(place);
                }
                EventKind::RemoveFromCart | EventKind::Purchase => open.retain(|&o| t.events[o].item != e.item),
                _ => {}
            }
        }
        open.retain(|&o| t.now.since(t.events[o].at) <= p.until && self.sold(t.events[o].item, t.now));
        let worth = |&o: &usize| {
            let e: &EventRef = &t.events[o];
            let price = e.value.map(f64::from).or_else(|| self.bound.facts.shelf.price(e.item));
            price.unwrap_or(0.0) * f64::from(e.quantity)
        };
        let worth: f64 = open.iter().map(worth).sum();
        let Some(last) = t.last().filter(|_| !open.is_empty() && worth >= p.worth) else { return };
        let due = last.at.plus(p.after);
        if t.now < due {
            out.wake_at(due);
            return;
        }
        for &place in open.iter().rev() {
            let e = &t.events[place];
            out.found.push(Found {
                id: self.situation().text(self.key(e.item)).at(e.at).id(),
                items: vec![e.item],
                because: vec![place],
                detail: Detail::Cart { worth },
            });
        }
    }

    fn browse(&self, p: &BrowseAbandoned, t: &Timeline, out: &mut Verdict) {
        let Some((start, visit)) = t.last_visit() else { return };
        let Some(last) = visit.last() else { return };
        let views = visit.iter().filter(|e| VIEWS.contains(e.kind)).count();
        if visit.iter().any(|e| CLOSES.contains(e.kind)) || views < p.views as usize {
            return;
        }
        // A visit is over only when its gap has passed.
        let over = Span::millis(t.gap.as_millis().saturating_add(1));
        let due = last.at.plus(p.after.max(over));
        if t.now < due {
            out.wake_at(due);
        } else if t.now.since(last.at) <= p.until {
            let (items, because) = self.latest(t, start, VIEWS, |item| self.sold(item, t.now));
            if !items.is_empty() {
                out.found.push(Found {
                    id: self.situation().at(visit[0].at).id(),
                    items,
                    because,
                    detail: Detail::None,
                });
            }
        }
    }

    fn lingering(&self, p: &Lingering, t: &Timeline, out: &mut Verdict) {
        let Some((start, visit)) = t.last_visit() else { return };
        let (Some(first), Some(last)) = (visit.first(), visit.last()) else { return };
        let views = visit.iter().filter(|e| VIEWS.contains(e.kind)).count();
        let running = t.now.since(last.at) <= t.gap;
        let long = last.at.since(first.at) >= p.over;
        if running && long && views >= p.views as usize && !visit.iter().any(|e| CLOSES.contains(e.kind)) {
            let (items, because) = self.latest(t, start, VIEWS, |_| true);
            let id = self.situation().at(first.at).id();
            out.found.push(Found { id, items, because, detail: Detail::None });
        }
    }

    /// The distinct items of the events of `kinds` from place `start` on, newest first, and the latest event of each.
    fn latest(
        &self,
        t: &Timeline,
        start: usize,
        kinds: KindSet,
        keep: impl Fn(ItemIdx) -> bool,
    ) -> (Vec<ItemIdx>, Vec<usize>) {
        let (mut items, mut because) = (Vec::new(), Vec::new());
        for (place, e) in t.events.iter().enumerate().skip(start).rev() {
            if kinds.contains(e.kind) && items.len() < NAMED && !items.contains(&e.item) && keep(e.item) {
                items.push(e.item);
                because.push(place);
            }
        }
        (items, because)
    }

    fn hesitation(&self, p: &Hesitation, t: &Timeline, out: &mut Verdict) {
        struct Run {
            code: u32,
            views: u32,
            visits: u32,
            visit: usize,
            start: Timestamp,
            closed: bool,
        }
        if t.events.len() < p.views as usize {
            return;
        }
        let Some(attribute) = self.prepared.attribute else { return };
        let shelf = self.bound.facts.shelf;
        let mut runs: Vec<Run> = Vec::new();
        let mut visit = t.visits.len();
        for (place, e) in t.events.iter().enumerate().rev() {
            while visit > 0 && t.visits.get(visit - 1).is_some_and(|v| v.start > place) {
                visit -= 1;
            }
            let (viewed, bought) = (VIEWS.contains(e.kind), e.kind == EventKind::Purchase);
            let Some(code) = shelf.leaf(e.item, attribute).filter(|_| viewed || bought) else { continue };
            let run = match runs.iter_mut().find(|run| run.code == code) {
                Some(run) => run,
                None => {
                    // "Since the last view" is a pause like that between two.
                    runs.push(Run { code, views: 0, visits: 0, visit: usize::MAX, start: t.now, closed: false });
                    let last = runs.len() - 1;
                    &mut runs[last]
                }
            };
            run.closed |= bought || run.start.since(e.at) > p.pause;
            if !run.closed {
                run.views += 1;
                run.visits += u32::from(run.visit != visit);
                run.visit = visit;
                run.start = e.at;
            }
        }
        for run in runs.iter().filter(|run| run.views >= p.views && run.visits >= p.visits) {
            let Some(value) = shelf.value(attribute, run.code) else { continue };
            let start = t.events.partition_point(|e| e.at < run.start);
            let (items, because) = self.latest(t, start, VIEWS, |item| shelf.leaf(item, attribute) == Some(run.code));
            let id = self.situation().text(value).at(run.start).id();
            let detail = Detail::Value { attribute: p.attribute.clone(), value: value.to_owned() };
            out.found.push(Found { id, items, because, detail });
        }
    }

    fn news(
        &self,
        kinds: KindSet,
        within: Span,
        fresh: Span,
        tells: &dyn Fn(&Change, ItemIdx) -> Option<Detail>,
        t: &Timeline,
        out: &mut Verdict,
    ) {
        let told = &self.bound.news;
        if told.is_empty() {
            return;
        }
        let mut met: Vec<ItemIdx> = Vec::new();
        for (place, e) in t.events.iter().enumerate().rev() {
            if !kinds.contains(e.kind) || met.contains(&e.item) {
                continue;
            }
            let Some(news) = told.get(&e.item) else { continue };
            met.push(e.item);
            // The latest news that is known, then whether it says what is asked for.
            let known = news.iter().rev().filter(|n| n.at <= t.now && t.now.since(n.at) <= fresh);
            for n in known {
                // The latest touch before the news counts; one after it is no reason, the shopper knows.
                let touch = t.events[..=place]
                    .iter()
                    .enumerate()
                    .rev()
                    .find(|(_, touch)| touch.item == e.item && kinds.contains(touch.kind) && touch.at <= n.at);
                let Some((place, touch)) = touch.filter(|(_, touch)| n.at.since(touch.at) <= within) else { continue };
                if let Some(detail) = tells(&n.change, e.item)
                    && self.sold(e.item, t.now)
                    && !t.bought_since(e.item, touch.at)
                {
                    let to = match n.change {
                        Change::Price { to, .. } => to.to_bits(),
                        _ => 0,
                    };
                    let id = self.situation().text(self.key(e.item)).at(n.at).number(to).id();
                    out.found.push(Found { id, items: vec![e.item], because: vec![place], detail });
                    break;
                }
            }
        }
    }

    fn replenishment(&self, p: &ReplenishmentDue, t: &mut Timeline, out: &mut Verdict) {
        t.sort_purchases();
        for group in t.bought.chunk_by(|a, b| a.0 == b.0) {
            let item = group[0].0;
            let usual = self.bound.facts.usual.and_then(|usual| usual(item)).filter(|usual| *usual > Span::ZERO);
            let needed = if usual.is_some() { p.with_usual } else { p.purchases } as usize;
            if group.len() < needed {
                continue;
            }
            // The first purchase of each occasion; the last event of the last counts for the age.
            let (first, last) = (group[0].1, group[group.len() - 1].1);
            let occasions = occasions(group.iter().map(|&(_, at)| at));
            if occasions < needed {
                continue;
            }
            let own = occasions as f64 - 1.0;
            let span = if occasions > 1 { last.since(first).as_millis() as f64 } else { 0.0 };
            let (prior, usual) = usual.map_or((0.0, 0.0), |usual| (p.prior, usual.as_millis() as f64));
            let interval = (span + prior * usual) / (own + prior);
            if !interval.is_finite() || interval < p.least.as_millis() as f64 {
                continue;
            }
            let after = |share: f64| last.plus(Span::millis((share * interval) as i64));
            if t.now < after(p.early) {
                out.wake_at(after(p.early));
            } else if t.now <= after(p.late) && self.sold(item, t.now) {
                let place = t.events.iter().rposition(|e| e.kind == EventKind::Purchase && e.item == item);
                out.found.push(Found {
                    id: self.situation().text(self.key(item)).at(last).id(),
                    items: vec![item],
                    because: place.into_iter().collect(),
                    detail: Detail::Rhythm { usual: Span::millis(interval as i64), elapsed: t.now.since(last) },
                });
            }
        }
    }

    fn win_back(&self, p: &WinBack, t: &Timeline, out: &mut Verdict) {
        let Some(last) = t.last_purchase else { return };
        let purchases = || t.events.iter().filter(|e| e.kind == EventKind::Purchase).map(|e| e.at);
        let mut starts: Vec<Timestamp> = Vec::new();
        for at in purchases() {
            if starts.last().is_none_or(|start| at.since(*start).as_millis() >= DAY) {
                starts.push(at);
            }
        }
        if starts.len() < p.purchases as usize {
            return;
        }
        let mut intervals: Vec<i64> = starts.windows(2).map(|w| w[1].since(w[0]).as_millis()).collect();
        intervals.sort_unstable();
        let usual = quantile(&intervals, p.quantile);
        let late = Span::millis((p.factor * usual) as i64).max(p.least);
        let elapsed = t.now.since(last);
        if elapsed <= late {
            out.wake_at(last.plus(late).plus(Span::millis(1)));
        } else if elapsed <= p.until {
            let because = t.events.iter().rposition(|e| e.kind == EventKind::Purchase).into_iter().collect();
            let id = self.situation().at(last).id();
            let detail = Detail::Rhythm { usual: Span::millis(usual as i64), elapsed };
            out.found.push(Found { id, items: Vec::new(), because, detail });
        }
    }

    fn post_purchase(&self, p: &PostPurchase, t: &Timeline, out: &mut Verdict) {
        let Some(last) = t.last_purchase else { return };
        let due = last.plus(p.after);
        if t.now < due {
            out.wake_at(due);
            return;
        }
        if t.now.since(last) > p.until {
            return;
        }
        let (mut start, mut first) = (t.events.len(), last);
        for (place, e) in t.events.iter().enumerate().rev().filter(|(_, e)| e.kind == EventKind::Purchase) {
            if first.since(e.at) > t.gap {
                break;
            }
            (start, first) = (place, e.at);
        }
        let (items, because) = self.latest(t, start, KindSet::of(&[EventKind::Purchase]), |_| true);
        out.found.push(Found { id: self.situation().at(first).id(), items, because, detail: Detail::None });
    }

    fn arrival(&self, p: &NewArrival, t: &Timeline, out: &mut Verdict) {
        let Some(attribute) = self.prepared.attribute else { return };
        if self.prepared.arrivals.is_empty() || t.events.len() < p.touches as usize {
            return;
        }
        let shelf = self.bound.facts.shelf;
        let mut counts: Vec<(u32, u32)> = Vec::new();
        let (mut all, mut oldest) = (0u32, t.now);
        for e in t.events.iter().rev().take_while(|e| t.now.since(e.at) <= p.within) {
            if !p.kinds.contains(e.kind) {
                continue;
            }
            all += 1;
            oldest = e.at;
            let Some(code) = shelf.leaf(e.item, attribute) else { continue };
            match counts.iter_mut().find(|(known, _)| *known == code) {
                Some((_, count)) => *count += 1,
                None => counts.push((code, 1)),
            }
        }
        let first = t.now.minus(p.fresh);
        for &(code, count) in counts.iter().filter(|(_, count)| *count >= p.touches) {
            let Some(released) = self.prepared.arrivals.get(&code) else { continue };
            let new = released.partition_point(|&(at, _)| at < first)..released.partition_point(|&(at, _)| at <= t.now);
            if new.is_empty() {
                continue;
            }
            if f64::from(count) < p.share * f64::from(all) {
                // The share rises when touches of other values grow too old.
                out.wake_at(oldest.plus(p.within).plus(Span::millis(1)));
                continue;
            }
            let Some(value) = shelf.value(attribute, code) else { continue };
            let touched = |item| t.events.iter().any(|e| e.item == item);
            let loved = |item| shelf.leaf(item, attribute) == Some(code);
            let mut sold = released[new].iter().rev().filter(|(_, item)| self.sold(*item, t.now)).peekable();
            let Some(&&(newest, _)) = sold.peek() else { continue };
            let items: Vec<ItemIdx> = sold.map(|&(_, item)| item).filter(|&item| !touched(item)).take(NAMED).collect();
            if !items.is_empty() {
                let start = t.events.partition_point(|e| t.now.since(e.at) > p.within);
                let (_, because) = self.latest(t, start, p.kinds, loved);
                let id = self.situation().text(value).at(newest).id();
                let detail = Detail::Value { attribute: p.attribute.clone(), value: value.to_owned() };
                out.found.push(Found { id, items, because, detail });
            }
        }
    }
}

/// How many of ascending moments are at least a day after the one counted before.
fn occasions(ascending: impl Iterator<Item = Timestamp>) -> usize {
    let (mut n, mut start) = (0, None::<Timestamp>);
    for at in ascending {
        if start.is_none_or(|start| at.since(start).as_millis() >= DAY) {
            n += 1;
            start = Some(at);
        }
    }
    n
}

/// The `q`-quantile of ascending numbers, interpolated between order statistics (type 7 of Hyndman & Fan 1996).
fn quantile(ascending: &[i64], q: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else { return 0.0 };
    let place = q * last as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let (a, b) = (ascending[low.min(last)] as f64, ascending[(low + 1).min(last)] as f64);
    a + share * (b - a)
}
