//! What comes of it: who gets what, when and why.

use serde::{Deserialize, Serialize};

use super::state::TriggerId;
use crate::event::EventKind;
use crate::time::{Span, Timestamp};

/// One trigger that fired for one shopper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Firing {
    /// Names the first of the situations it covers; the same after every restart.
    pub id: TriggerId,
    /// All situations it covers, each marked as fired.
    pub covers: Vec<TriggerId>,
    /// Whom.
    pub shopper: String,
    /// The [rule](super::TriggerRule)'s name.
    pub trigger: String,
    /// When it fired.
    pub at: Timestamp,
    /// When to send: not before `at`, never in quiet hours. Ask [`still_holds`](super::Bound::still_holds) then.
    pub send_at: Timestamp,
    /// What it is about, most important first: what lies in the cart, what costs less, what is due.
    pub items: Vec<String>,
    /// What to show beside it: alternatives, complements, favourites. Empty where nobody suggests.
    pub suggested: Vec<String>,
    /// The events that show the situation, newest first; none that the shopper had taken back.
    pub because: Vec<Evidence>,
    /// What else there is to say.
    pub detail: Detail,
}

/// One event that speaks for a situation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evidence {
    /// The item.
    pub item: String,
    /// What the shopper did with it.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
}

/// What a message may want to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Detail {
    /// Nothing more.
    #[default]
    None,
    /// What the cart is worth; 0 where no price is known.
    Cart {
        /// In the shop's currency.
        worth: f64,
    },
    /// The price before and after.
    Price {
        /// Before.
        from: f64,
        /// After.
        to: f64,
    },
    /// The kind of items it is about.
    Value {
        /// The attribute.
        attribute: String,
        /// Its value.
        value: String,
    },
    /// A rhythm that was expected.
    Rhythm {
        /// The usual interval.
        usual: Span,
        /// What has passed.
        elapsed: Span,
    },
}

/// A situation that holds, and why nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// The rule.
    pub trigger: String,
    /// Why.
    pub why: Hold,
    /// Until when at least; `None` for good.
    pub until: Option<Timestamp>,
}

/// Why a trigger whose situation holds does not fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Hold {
    /// It fired for this very situation before.
    Fired,
    /// It rests after firing for another.
    Cooldown,
    /// The shopper bought something just now.
    Purchase,
    /// It is night where the shopper is.
    Quiet,
    /// The shopper got enough messages.
    Cap,
}

/// What one look at one shopper gave.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// What fired, in the order of the rules.
    pub fired: Vec<Firing>,
    /// What would have fired but for something.
    pub held: Vec<Held>,
    /// The next moment at which something may fire though nothing happens; `None` for never.
    pub next: Option<Timestamp>,
}
