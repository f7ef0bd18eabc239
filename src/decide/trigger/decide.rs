//! One shopper, now: which triggers fire, which are held back and by what, and when to look again.

use super::bind::Bound;
use super::firing::{Decision, Detail, Evidence, Firing, Held, Hold};
use super::look::{Found, Look, Verdict};
use super::params::{Reach, SendTime, TriggerRule};
use super::state::{Fired, TriggerState};
use super::suggest::Asked;
use super::timeline::{Timeline, fresh_events};
use super::when::When;
use super::zone::Zone;
use crate::catalog::Select;
use crate::consent::Consented;
use crate::ids::{ItemIdx, UserIdx};
use crate::scorer::Workspace;
use crate::serve::SessionEvent;
use crate::time::{Span, Timestamp};

/// The buffers of one thread.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) timeline: Timeline,
    verdict: Verdict,
    ws: Workspace,
}

impl<'a> Bound<'a> {
    /// Looks at one shopper: at the stored events up to `now`, and at what happened since the dataset was built. What fires
    /// is noted in `state`. Pure otherwise: the same facts, state and `now` give the same decision.
    ///
    /// A shopper without events gives an empty decision. `O(events of the shopper)` and a request for each firing.
    pub fn evaluate(
        &self,
        who: Consented<'_>,
        fresh: &[SessionEvent<'_>],
        state: &mut TriggerState,
        now: Timestamp,
    ) -> Decision {
        let mut scratch = Scratch::default();
        let user = self.fill(who.user(), fresh, now, &mut scratch.timeline);
        let (decision, fired) = self.decide(who, user, state.fired.get(who.user()), &mut scratch);
        state.put(who.user(), fired);
        if let Some(user) = user
            && let Some(watch) = state.watched.get_mut(user.as_usize())
        {
            *watch = None; // the next sweep looks again: it does not know what was fresh here
        }
        decision
    }

    /// Whether what `firing` is about still holds at `now`: ask before sending. `false` when the shopper bought meanwhile,
    /// came back, took it out of the cart; when the price rose again or the time is over; when the rule is gone.
    #[must_use]
    pub fn still_holds(&self, firing: &Firing, who: Consented<'_>, fresh: &[SessionEvent<'_>], now: Timestamp) -> bool {
        let rules = self.params.rules.iter().zip(&self.prepared);
        let Some((rule, prepared)) = rules.into_iter().find(|(rule, _)| rule.name == firing.trigger) else {
            return false;
        };
        let mut scratch = Scratch::default();
        self.fill(who.user(), fresh, now, &mut scratch.timeline);
        let look = Look { bound: self, prepared, shopper: who.user(), rule: &rule.name };
        look.at(&rule.when, &mut scratch.timeline, &mut scratch.verdict);
        let bought = scratch.timeline.last_purchase.is_some_and(|at| now.since(at) < rule.after_purchase);
        !bought && scratch.verdict.found.iter().any(|found| firing.covers.contains(&found.id))
    }

    fn fill(&self, who: &str, fresh: &[SessionEvent<'_>], now: Timestamp, timeline: &mut Timeline) -> Option<UserIdx> {
        let (data, shelf) = (self.facts.data, self.facts.shelf);
        let user = data.user(who);
        timeline.fill(data, user, fresh_events(fresh, |id| shelf.item(data, id)), self.params.visit_gap, now);
        user
    }

    /// Decides over the scratch's timeline; the second part is what is now known to have fired, if that changed.
    pub(super) fn decide(
        &self,
        who: Consented<'_>,
        user: Option<UserIdx>,
        known: Option<&Fired>,
        scratch: &mut Scratch,
    ) -> (Decision, Option<Fired>) {
        let Scratch { timeline, verdict, ws } = scratch;
        let now = timeline.now;
        let mut decision = Decision::default();
        if timeline.events.is_empty() {
            return (decision, None);
        }
        let mut zone: Option<Zone> = None;
        let mut changed: Option<Fired> = None;
        let wake = |decision: &mut Decision, at: Option<Timestamp>| {
            if let Some(at) = at {
                decision.next = Some(decision.next.map_or(at, |next| next.min(at)));
            }
        };
        for (rule, prepared) in self.params.rules.iter().zip(&self.prepared) {
            let look = Look { bound: self, prepared, shopper: who.user(), rule: &rule.name };
            look.at(&rule.when, timeline, verdict);
            wake(&mut decision, verdict.wake);
            if verdict.found.is_empty() {
                continue;
            }
            let fired = changed.as_ref().or(known);
            let zone = zone.get_or_insert_with(|| self.zone(who.user()));
            match self.clear_to_send(rule, verdict, timeline, user, fired, zone) {
                Err(held) => {
                    wake(&mut decision, held.until);
                    decision.held.push(held);
                }
                Ok(send_at) => {
                    let mut all = fired.cloned().unwrap_or_default();
                    let rest = self.params.rules.iter().map(|rule| rule.cooldown).max().unwrap_or_default();
                    all.prune(now, self.params.remember, rest, self.longest_memory_of_sends());
                    let firing = self.fire(rule, &verdict.found, timeline, &all, who, send_at, ws);
                    all.ids.extend(firing.covers.iter().map(|&id| (id, now)));
                    all.last.insert(rule.name.clone(), now);
                    if rule.reach == Reach::Message {
                        all.sends.push(send_at);
                    }
                    wake(&mut decision, Some(now.plus(self.params.remember).plus(Span::millis(1))));
                    decision.fired.push(firing);
                    changed = Some(all);
                }
            }
        }
        (decision, changed)
    }

    /// How long a sent message can matter for the cap.
    fn longest_memory_of_sends(&self) -> Span {
        self.params.cap.map_or(Span::ZERO, |cap| Span::millis(cap.within.as_millis().saturating_mul(2)))
    }

    /// When the rule's message may go out, or what holds it back.
    fn clear_to_send(
        &self,
        rule: &TriggerRule,
        verdict: &Verdict,
        timeline: &Timeline,
        user: Option<UserIdx>,
        fired: Option<&Fired>,
        zone: &Zone,
    ) -> Result<Timestamp, Held> {
        let now = timeline.now;
        let held = |why, until| Err(Held { trigger: rule.name.clone(), why, until });
        // A situation is not forgotten before `remember` is over, pruned or not.
        let is_new = |found: &Found| {
            let at = fired.and_then(|fired| fired.ids.get(&found.id));
            at.is_none_or(|at| now.since(*at) > self.params.remember)
        };
        if !verdict.found.iter().any(is_new) {
            let again = verdict.found.iter().filter_map(|found| fired?.ids.get(&found.id)).min();
            return held(Hold::Fired, again.map(|at| at.plus(self.params.remember).plus(Span::millis(1))));
        }
        let rested = fired.and_then(|fired| fired.last.get(&rule.name)).map(|last| last.plus(rule.cooldown));
        if let Some(rested) = rested.filter(|rested| now < *rested) {
            return held(Hold::Cooldown, Some(rested));
        }
        let later = timeline.last_purchase.map(|last| last.plus(rule.after_purchase));
        if let Some(later) = later.filter(|later| now < *later) {
            return held(Hold::Purchase, Some(later));
        }
        if rule.reach == Reach::OnSite {
            return Ok(now);
        }
        if let Some(quiet) = self.params.quiet.filter(|quiet| quiet.covers(zone, now)) {
            return held(Hold::Quiet, Some(quiet.end(zone, now)));
        }
        let send_at = match (rule.send, self.facts.activity) {
            (SendTime::BestMoment { within }, Some(activity)) => {
                let until = now.plus(within);
                activity.best_moment(&timeline.events, user, zone, self.params.quiet.as_ref(), now, until)
            }
            _ => now,
        };
        if let (Some(cap), Some(fired)) = (self.params.cap, fired) {
            let near = |s: &&Timestamp| send_at.since(**s) < cap.within && s.since(send_at) < cap.within;
            if fired.sends.iter().filter(near).count() >= cap.messages as usize {
                // The first of them leaves the window of the earliest message that could be sent then; not before now.
                let first = fired.sends.iter().filter(near).min().copied().unwrap_or(now);
                return held(Hold::Cap, Some(first.plus(cap.within).minus(rule.wait()).max(now)));
            }
        }
        Ok(send_at)
    }

    #[expect(clippy::too_many_arguments, reason = "one place, all different")]
    fn fire(
        &self,
        rule: &TriggerRule,
        found: &[Found],
        timeline: &Timeline,
        fired: &Fired,
        who: Consented<'_>,
        send_at: Timestamp,
        ws: &mut Workspace,
    ) -> Firing {
        // A cart is shown whole; of anything else only what is new.
        let whole = matches!(rule.when, When::CartAbandoned(_));
        let new = || found.iter().filter(|found| !fired.ids.contains_key(&found.id));
        let told: Vec<&Found> = if whole { found.iter().collect() } else { new().collect() };
        let covers: Vec<_> = new().map(|found| found.id).collect();
        let mut items: Vec<ItemIdx> = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        for found in &told {
            found.items.iter().for_each(|item| {
                if !items.contains(item) {
                    items.push(*item);
                }
            });
            places.extend(&found.because);
        }
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.dedup();
        let (data, shelf) = (self.facts.data, self.facts.shelf);
        let key = |item: ItemIdx| shelf.key(data, item);
        let about: Vec<&str> = items.iter().map(|&item| key(item)).collect();
        let detail = told.first().map_or(Detail::None, |found| found.detail.clone());
        let suggested = match (self.facts.suggest, rule.suggest) {
            (None, _) | (_, 0) => Vec::new(),
            (Some(suggest), k) => {
                let only = match (&rule.when, &detail) {
                    (When::Hesitation(_), Detail::Value { attribute, value }) => {
                        Some(Select::within(attribute.as_str(), [value.as_str()]))
                    }
                    _ => None,
                };
                let intent = rule.when.intent();
                let asked = Asked { who, now: timeline.now, intent, about: &about, only: only.as_ref(), k: k as usize };
                suggest.suggest(&asked, ws)
            }
        };
        let evidence = |&place: &usize| {
            let e = timeline.events.get(place)?;
            Some(Evidence { item: key(e.item).to_owned(), kind: e.kind, at: e.at })
        };
        Firing {
            id: covers.first().copied().unwrap_or_else(|| super::state::Situation::of(who.user(), &rule.name).id()),
            covers,
            shopper: who.user().to_owned(),
            trigger: rule.name.clone(),
            at: timeline.now,
            send_at,
            items: about.iter().map(|&item| item.to_owned()).collect(),
            suggested,
            because: places.iter().filter_map(evidence).collect(),
            detail,
        }
    }
}
