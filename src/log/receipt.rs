//! What a log says it did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cursor, Logged};
use crate::consent::Shopper;
use crate::event::{Channel, EventKind};
use crate::source::RejectReason;
use crate::time::Timestamp;

/// What became of a batch: `accepted + duplicates.len() + rejected.len()` is its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The place behind the last event of the batch that was kept; the log's end if none was.
    pub end: Cursor,
    /// Events kept.
    pub accepted: u64,
    /// The places in the batch of events whose id was there already.
    pub duplicates: Vec<usize>,
    /// The places in the batch of events that no dataset could use, with the reasons.
    pub rejected: Vec<(usize, RejectReason)>,
}

/// Where a log stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogState {
    /// Behind the last event appended so far.
    pub end: Cursor,
    /// Events held.
    pub events: u64,
    /// Raised by everything but appending; see the [module documentation](crate::log).
    pub epoch: u64,
}

/// The certificate of an erasure. It does not name the shopper: it may be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Erasure {
    /// Events taken away.
    pub events: u64,
    /// The same by kind.
    pub by_kind: BTreeMap<EventKind, u64>,
    /// Merged identities that were taken away with the profile.
    pub identities: u64,
    /// When the earliest of the events had happened.
    pub earliest: Option<Timestamp>,
    /// When the latest had.
    pub latest: Option<Timestamp>,
    /// Files of the [store](crate::LiveConfig::store) that were removed, since they may have held the shopper.
    #[serde(default)]
    pub files: Vec<String>,
}

impl Appended {
    /// The places in a batch of `len` events that were kept, each with its number in the log.
    pub(crate) fn kept(&self, len: usize) -> impl Iterator<Item = (usize, Cursor)> {
        let left_out = |place: &usize| {
            self.duplicates.binary_search(place).is_ok() || self.rejected.binary_search_by_key(place, |r| r.0).is_ok()
        };
        let first = self.end.get() - self.accepted;
        (0..len).filter(move |place| !left_out(place)).zip(first + 1..).map(|(place, n)| (place, Cursor::new(n)))
    }
}

impl Erasure {
    pub(crate) fn add(&mut self, kind: EventKind, at: Timestamp) {
        self.events += 1;
        *self.by_kind.entry(kind).or_default() += 1;
        self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        self.latest = Some(self.latest.map_or(at, |latest| latest.max(at)));
    }
}

/// Everything a log holds about one profile; serialises to what a shopper may ask for (GDPR Art. 15 and 20).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Export {
    /// The profile.
    pub user: String,
    /// The identities that were merged into it, whose events are among these.
    #[serde(default)]
    pub merged: Vec<ExportedIdentity>,
    /// Whether its use is [restricted](super::EventLog::restrict).
    #[serde(default)]
    pub restricted: bool,
    /// Its events, in the order of arrival.
    pub events: Vec<ExportedEvent>,
}

/// An identity of an [`Export`]; `{"profile": "old-account"}` or `{"session": "phone-7"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportedIdentity {
    /// Another profile.
    Profile(String),
    /// An anonymous visitor's session.
    Session(String),
}

/// One event of an [`Export`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedEvent {
    /// When it happened, in Unix milliseconds.
    pub at: Timestamp,
    /// When it was recorded, in Unix milliseconds.
    pub received: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// With which item; empty for a search that led nowhere.
    pub item: String,
    /// Units.
    pub quantity: f32,
    /// Price of a unit, or the rating.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f32>,
    /// The event's own id, an order line's say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The session, visit, invoice or basket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Where.
    pub channel: Channel,
    /// The text of a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// On which ground it was tied to the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<crate::LawfulBasis>,
}

impl ExportedEvent {
    pub(crate) fn new(logged: &Logged<'_>) -> Self {
        let event = &logged.event;
        Self {
            at: event.at,
            received: logged.received,
            kind: event.kind,
            item: event.item.to_owned(),
            quantity: event.quantity,
            value: event.value,
            id: event.id.map(str::to_owned),
            session: event.session.map(str::to_owned),
            channel: event.channel,
            query: event.query.map(str::to_owned),
            basis: match event.shopper {
                Shopper::Profiled(who) => Some(who.basis()),
                Shopper::Anonymous { .. } => None,
            },
        }
    }
}
