//! All shoppers at once, or only those for whom something may have changed.
//!
//! A full sweep looks at every shopper. An incremental one looks at those with other events than last time (a hash of the
//! row says so, which also sees events that arrived late), those whose waiting time is over, and those who touched an item
//! with news. The predicates say when the passing of time alone may make them true, so that both give the same firings:
//! a property test holds them against each other.

use rustc_hash::FxHashSet;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::bind::Bound;
use super::decide::Scratch;
use super::firing::{Firing, Hold};
use super::news::CatalogNews;
use super::state::{Fired, TriggerState, Watch};
use crate::consent::{Consented, LawfulBasis};
use crate::dataset::Events;
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};
use crate::time::Timestamp;

/// On which basis a shopper may be written to; `None` for not at all. Of a log:
/// [`Permissions::asked`](crate::decide::Permissions::asked).
pub type Permission<'a> = dyn Fn(&str) -> Option<LawfulBasis> + Sync + 'a;

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Sweep {
    /// What fired: by shopper number, then in the order of the rules.
    pub firings: Vec<Firing>,
    /// Profiled shoppers with a permission.
    pub permitted: usize,
    /// Those who were looked at.
    pub looked_at: usize,
    /// Situations that were held back, by reason, ascending.
    pub held: Vec<(Hold, usize)>,
}

/// Rows a thread takes at a time.
const CHUNK: usize = 512;

/// What came of one row.
enum Outcome {
    /// No permission: not even a print is kept.
    Nobody,
    Unchanged,
    Looked {
        watch: Watch,
        firings: Vec<Firing>,
        held: Vec<Hold>,
        fired: Option<Fired>,
    },
}

impl Bound<'_> {
    /// Looks at every profiled shopper that `permission` names a basis for, as far as anything may have changed since the
    /// last sweep of `state` ([`TriggerState::look_again`] makes it everybody), and notes what fires.
    ///
    /// The same for any number of threads; an incremental sweep fires what a full one would. A sweep as of a time before
    /// the last one, or with other parameters, is a full one. `O(events)` for the prints, 50 ns a row of 50; a look takes
    /// `O(events of the shopper)`.
    ///
    /// # Errors
    /// [`Cancelled`]; the state is then as before.
    pub fn sweep(
        &self,
        permission: &Permission<'_>,
        state: &mut TriggerState,
        now: Timestamp,
        run: &Run<'_>,
    ) -> Result<Sweep, Cancelled> {
        let known_news = |n: &&CatalogNews| n.at <= now;
        let news = self.facts.news.iter().filter(known_news).map(|n| (news_print(n), n.item.as_str()));
        let usable = state.settings == self.settings && state.swept.is_some_and(|swept| swept <= now);
        let flagged = match state.swept.filter(|_| usable) {
            None => None,
            Some(swept) => {
                let unknown = news.clone().filter(|(print, _)| !state.news.contains(print)).map(|(_, item)| item);
                Some(self.flagged(swept, now, unknown))
            }
        };
        let data = self.facts.data;
        let rows = data.n_rows();
        let seen = &*state;
        let chunk = |scratch: &mut Scratch, chunk: usize| {
            run.step((chunk * CHUNK) as u64, rows as u64, None)?;
            let rows = (chunk * CHUNK..rows.min((chunk + 1) * CHUNK)).map(|row| UserIdx::new(row as u32));
            let outcome = |row| {
                let user = data.user_key(row);
                let Some(basis) = Some(user).filter(|user| !user.is_empty()).and_then(permission) else {
                    return Outcome::Nobody;
                };
                let events = data.events_of(row).until(now);
                let print = print(user, events);
                if let Some(flagged) = &flagged {
                    let watch = seen.watched.get(row.as_usize()).copied().flatten();
                    let asleep = |w: Watch| w.print == print && w.wake.is_none_or(|wake| now < wake);
                    let told = || !flagged.is_empty() && events.items().iter().any(|item| flagged.contains(item));
                    if watch.is_some_and(asleep) && !told() {
                        return Outcome::Unchanged;
                    }
                }
                let who = Consented::new(user, basis);
                scratch.timeline.fill(data, Some(row), std::iter::empty(), self.params.visit_gap, now);
                let (decision, fired) = self.decide(who, Some(row), seen.fired.get(user), scratch);
                let held = decision.held.iter().map(|held| held.why).collect();
                let watch = Watch { print, wake: decision.next };
                Outcome::Looked { watch, firings: decision.fired, held, fired }
            };
            Ok(rows.map(outcome).collect::<Vec<Outcome>>())
        };
        let outcomes = run.threads.map_with(rows.div_ceil(CHUNK), Scratch::default, chunk);
        let outcomes: Vec<Vec<Outcome>> = outcomes.into_iter().collect::<Result<_, Cancelled>>()?;

        let mut sweep = Sweep::default();
        let mut held: Vec<Hold> = Vec::new();
        state.watched.resize(rows, None);
        for (row, outcome) in outcomes.into_iter().flatten().enumerate() {
            match outcome {
                Outcome::Nobody => state.watched[row] = None,
                Outcome::Unchanged => sweep.permitted += 1,
                Outcome::Looked { watch, firings, held: why, fired } => {
                    sweep.permitted += 1;
                    sweep.looked_at += 1;
                    state.watched[row] = Some(watch);
                    sweep.firings.extend(firings);
                    held.extend(why);
                    state.put(data.user_key(UserIdx::new(row as u32)), fired);
                }
            }
        }
        (state.swept, state.settings) = (Some(now), self.settings);
        state.news = news.map(|(print, _)| print).collect();
        held.sort_unstable();
        sweep.held = held.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
        Ok(sweep)
    }

    /// Items about which something is new, and all that share a value with them in an attribute of a rule about arrivals.
    fn flagged<'n>(
        &self,
        swept: Timestamp,
        now: Timestamp,
        unknown: impl Iterator<Item = &'n str>,
    ) -> FxHashSet<ItemIdx> {
        let (data, shelf) = (self.facts.data, self.facts.shelf);
        let (from, to) = (
            self.released.partition_point(|&(at, _)| at <= swept),
            self.released.partition_point(|&(at, _)| at <= now),
        );
        let mut flagged: FxHashSet<ItemIdx> = self.released[from..to].iter().map(|&(_, item)| item).collect();
        flagged.extend(unknown.filter_map(|item| shelf.item(data, item)));
        if flagged.is_empty() {
            return flagged;
        }
        let mut mates = Vec::new();
        for prepared in self.prepared.iter().filter(|prepared| !prepared.arrivals.is_empty()) {
            let Some(attribute) = prepared.attribute else { continue };
            let codes: FxHashSet<u32> = flagged.iter().filter_map(|&item| shelf.leaf(item, attribute)).collect();
            let items = (0..shelf.n_items() as u32).map(ItemIdx::new);
            mates.extend(items.filter(|&item| shelf.leaf(item, attribute).is_some_and(|code| codes.contains(&code))));
        }
        flagged.extend(mates);
        flagged
    }
}

/// Tells a shopper's events from any others, whoever they are.
fn print(user: &str, events: Events<'_>) -> u64 {
    let mut hash = xxh3_64(user.as_bytes());
    let mut mix = |x: u64| hash = (hash.rotate_left(23) ^ x).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mix(events.len() as u64);
    for ((&at, &kind), &item) in events.times().iter().zip(events.kinds()).zip(events.items()) {
        mix(at as u64);
        mix(u64::from(item.get()) << 8 | u64::from(kind));
    }
    hash
}

fn news_print(news: &CatalogNews) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(news.item.as_bytes());
    hash.update(&[0xff]);
    hash.update(&news.at.millis().to_le_bytes());
    hash.update(format!("{:?}", news.change).as_bytes());
    hash.digest()
}
