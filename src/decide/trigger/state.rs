//! What has fired already: held by the caller, saved where the shop saves things.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::time::{Span, Timestamp};

/// Names one situation of one shopper and trigger, the same after every restart: the hash of the shopper's id, the
/// trigger's name and what makes the situation (an item and when it was put in the cart, the start of a visit, ...).
///
/// Spelled in serde as 32 hexadecimal digits. A mailer that refuses an id it has seen makes sending idempotent too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TriggerId(u128);

/// A text that is no [`TriggerId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{got:?} is no trigger id; expected 32 hexadecimal digits")]
pub struct BadTriggerId {
    /// What was read.
    pub got: String,
}

impl TriggerId {
    /// The id as a number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl TryFrom<String> for TriggerId {
    type Error = BadTriggerId;
    fn try_from(text: String) -> Result<Self, BadTriggerId> {
        let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| plain);
        number.map(Self).ok_or(BadTriggerId { got: text })
    }
}

impl From<TriggerId> for String {
    fn from(id: TriggerId) -> Self {
        id.to_string()
    }
}

/// Collects what makes a situation.
#[derive(Clone)]
pub(super) struct Situation(Xxh3);

impl Situation {
    pub(super) fn of(shopper: &str, trigger: &str) -> Self {
        Self(Xxh3::new()).text(shopper).text(trigger)
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update(text.as_bytes());
        self.0.update(&[0xff]); // in no UTF-8 text
        self
    }

    pub(super) fn at(self, at: Timestamp) -> Self {
        self.number(at.millis() as u64)
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.0.update(&number.to_le_bytes());
        self
    }

    pub(super) fn id(self) -> TriggerId {
        TriggerId(self.0.digest128())
    }
}

/// What was fired to one shopper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Fired {
    /// Situations and when they fired.
    pub(super) ids: BTreeMap<TriggerId, Timestamp>,
    /// When each trigger fired last.
    pub(super) last: BTreeMap<String, Timestamp>,
    /// When messages went or will go out.
    pub(super) sends: Vec<Timestamp>,
}

impl Fired {
    /// Forgets what no rule asks for any more.
    pub(super) fn prune(&mut self, now: Timestamp, remember: Span, rest: Span, sends: Span) {
        self.ids.retain(|_, at| now.since(*at) <= remember);
        self.last.retain(|_, at| now.since(*at) <= rest);
        self.sends.retain(|at| now.since(*at) <= sends);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.last.is_empty() && self.sends.is_empty()
    }
}

/// When a shopper has to be looked at again, if nothing happens: 24 bytes a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Tells the shopper and their events from any other.
    pub(super) print: u64,
    /// The earliest moment at which something may come true by the passing of time.
    pub(super) wake: Option<Timestamp>,
}

/// What all triggers remember. Hand it to every sweep, save it between them (serde), lose nothing: the same situation
/// never fires twice, whatever restarts lie in between.
///
/// It grows by some 60 bytes a firing, forgotten after [`TriggerParams::remember`](super::TriggerParams::remember), and
/// 24 bytes a shopper row for the incremental sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TriggerState {
    pub(super) fired: BTreeMap<String, Fired>,
    pub(super) swept: Option<Timestamp>,
    /// Of which parameters and zones the watch is.
    pub(super) settings: u64,
    pub(super) watched: Vec<Option<Watch>>,
    /// News the last sweep knew.
    pub(super) news: BTreeSet<u64>,
}

impl TriggerState {
    /// When the last sweep was.
    #[must_use]
    pub const fn swept(&self) -> Option<Timestamp> {
        self.swept
    }

    /// Makes the next sweep look at everybody: after a change nobody told, such as another model of usual intervals. What
    /// has fired stays.
    pub fn look_again(&mut self) {
        self.swept = None;
        self.watched.clear();
        self.news.clear();
    }

    /// How many situations of a shopper are known to have fired.
    #[must_use]
    pub fn fired_to(&self, user: &str) -> usize {
        self.fired.get(user).map_or(0, |fired| fired.ids.len())
    }

    /// Whether this situation of a shopper has fired.
    #[must_use]
    pub fn has_fired(&self, user: &str, id: TriggerId) -> bool {
        self.fired.get(user).is_some_and(|fired| fired.ids.contains_key(&id))
    }

    /// Forgets a shopper: nothing tells any more that they were here.
    pub fn forget(&mut self, user: &str) {
        self.fired.remove(user);
        self.look_again(); // a row's print is made of the id
    }

    /// Forgets everybody `keep` does not name: after erasures,
    /// `state.retain(|user| permissions.holds(user))` with the log's [`Permissions`](crate::decide::Permissions).
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        let before = self.fired.len();
        self.fired.retain(|user, _| keep(user));
        if self.fired.len() < before {
            self.look_again(); // a row's print is made of the id
        }
    }

    /// Counts what was fired to `from` as fired to `into`, after two profiles turned out to be one person. Situations are
    /// hashed with the id they fired under, so a cooldown and the cap carry over, a situation may fire once more.
    pub fn merge(&mut self, from: &str, into: &str) {
        let Some(other) = self.fired.remove(from) else { return };
        let own = self.fired.entry(into.to_owned()).or_default();
        own.ids.extend(other.ids);
        for (name, at) in other.last {
            let last = own.last.entry(name).or_insert(at);
            *last = at.max(*last);
        }
        own.sends.extend(other.sends);
        own.sends.sort_unstable();
        self.look_again();
    }

    /// Notes that one shopper was looked at outside a sweep.
    pub(super) fn put(&mut self, user: &str, fired: Option<Fired>) {
        if let Some(fired) = fired {
            if fired.is_empty() {
                self.fired.remove(user);
            } else {
                self.fired.insert(user.to_owned(), fired);
            }
        }
    }
}
