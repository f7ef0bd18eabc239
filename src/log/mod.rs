//! Where do events rest? Logs that keep what was acknowledged, and forget what must be forgotten.
//!
//! A log holds events in the order of arrival, each under a [`Cursor`], and a table of merged identities. It is the one
//! place that outlives the process: datasets, models and snapshots can all be made again from it.
//!
//! | log | rests in | survives | feature |
//! |---|---|---|---|
//! | [`MemoryLog`] | memory | nothing | |
//! | [`SqliteLog`] | one SQLite file, readable with the `sqlite3` shell | as [`Durability`] says | `sqlite` |
//!
//! *Identities.* Events keep the identity they were recorded under; [`EventLog::merge`] only notes that one identity
//! belongs to an account, and reading resolves it. So [`EventLog::unmerge`] is exact: it is as if the merge had never been.
//!
//! *Erasure.* [`EventLog::erase`] takes away every event of a shopper under every merged identity, the identities
//! themselves, and the event ids. It leaves no tombstone: an event that arrives later starts a new, empty profile.
//!
//! *Restriction.* [`EventLog::restrict`] is for consent that was withdrawn without a wish to be erased (GDPR Art. 7(3) and
//! 18): what is held stays for the shopper to see, but no dataset, model or list has it any more, and nothing is added.
//!
//! *Epoch.* Appending moves the end of the log; everything else that changes what a scan says (merge, unmerge,
//! restrict, lift, erase, expire) raises the epoch. Who reads on from a cursor must start anew when the epoch is another.

mod alias;
mod error;
mod memory;
mod owned;
mod receipt;
mod replay;
mod retention;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use alias::Aliases;
pub use error::LogError;
pub use memory::MemoryLog;
pub use receipt::{Appended, Erasure, Export, ExportedEvent, ExportedIdentity, LogState};
pub use replay::Replay;
pub use retention::Retention;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLog;

use std::sync::Arc;

use crate::consent::{Consented, Shopper};
use crate::event::Event;
use crate::source::Flow;
use crate::time::Timestamp;

/// A place in a log: behind the event of this number. Numbers grow with arrival and are never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Cursor(u64);

impl Cursor {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// Behind the event of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of the event before it; 0 at the start.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// Nothing: it rests with this process until a later, stronger append or [`EventLog::sync`].
    Memory,
    /// The end of the process, `kill -9` included: the operating system has it.
    Os,
    /// The end of the machine's power: the disk said that it has it.
    #[default]
    Disk,
}

/// One event read from a log, under the identity it belongs to now.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Logged<'a> {
    /// The place behind it.
    pub cursor: Cursor,
    /// When it was appended, as the shop's clock said.
    pub received: Timestamp,
    /// The event.
    pub event: Event<'a>,
}

/// Which part of a log to read, and how.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Scan<'a> {
    pub(crate) from: Cursor,
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) retention: Option<(&'a Retention, Timestamp)>,
    pub(crate) shopper: Option<&'a str>,
    pub(crate) restricted: bool,
}

impl<'a> Scan<'a> {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Everything behind `cursor`.
    pub fn after(cursor: Cursor) -> Self {
        Self { from: cursor, ..Self::default() }
    }

    /// Only what was known at `moment`: received until then, and said to have happened until then.
    pub const fn as_of(mut self, moment: Timestamp) -> Self {
        self.as_of = Some(moment);
        self
    }

    /// Only what may still be used at `now`.
    pub const fn retained(mut self, retention: &'a Retention, now: Timestamp) -> Self {
        self.retention = Some((retention, now));
        self
    }

    /// Only the events of one profile, under all its identities.
    pub const fn of(mut self, user: &'a str) -> Self {
        self.shopper = Some(user);
        self
    }

    /// Also what is [restricted](EventLog::restrict): to show it to the shopper, or to move the log; never to learn from.
    pub const fn even_restricted(mut self) -> Self {
        self.restricted = true;
        self
    }

    /// Whether events recorded under `shopper` are shown.
    fn shows(&self, aliases: &Aliases, shopper: Shopper<'_>) -> bool {
        self.restricted || !aliases.is_restricted(shopper)
    }

    /// Whether an event passes, but for the cursor and the shopper.
    fn admits(&self, event: &Event<'_>, received: Timestamp) -> bool {
        self.as_of.is_none_or(|moment| received <= moment && event.at <= moment)
            && self.retention.is_none_or(|(retention, now)| retention.keeps(event.kind, event.at, now))
    }
}

/// Anything that keeps events durably, in order, once each.
///
/// All methods take `&self`: a log is shared by the threads that record and those that read. Times are arguments; a log
/// reads no clock.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, Shopper, Timestamp};
/// use likewise::log::{Durability, EventLog, MemoryLog, Replay};
/// let at = Timestamp::from_secs;
/// let ann = Consented::new("ann", LawfulBasis::Consent);
/// let log = MemoryLog::default();
/// let viewed = Event::new(Shopper::Anonymous { session: "phone-7" }, "mug", EventKind::View, at(10)).id("e1");
/// log.append(&[viewed], at(10), Durability::Disk)?;
/// assert_eq!(log.append(&[viewed], at(11), Durability::Disk)?.duplicates, [0]); // delivered twice, kept once
/// log.merge(Shopper::Anonymous { session: "phone-7" }, ann)?; // she logs in
///
/// let mut builder = DatasetBuilder::default();
/// builder.ingest(Replay::new(&log))?;
/// let data = builder.finish()?;
/// assert_eq!(data.events_of(data.user("ann").unwrap()).len(), 1);
///
/// assert_eq!(log.erase("ann")?.events, 1);
/// assert_eq!(log.state()?.events, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait EventLog: Send + Sync {
    /// Adds events in order, at the shop's time `received`. When it returns, what it accepted is as safe as `durability`
    /// says, and every later scan shows it. Events that no dataset could use are refused one by one, with the reason; an
    /// event whose id is there already is counted and left out. All the others are accepted, or, on an error, none.
    ///
    /// # Errors
    /// [`LogError`] when the events could not be kept.
    fn append(&self, batch: &[Event<'_>], received: Timestamp, durability: Durability) -> Result<Appended, LogError>;

    /// Hands the events of `scan` to `sink`, in the order of arrival, under the identities of this moment, and returns the
    /// place to read on from. One scan sees one state of the log, whatever is appended or erased meanwhile.
    ///
    /// # Errors
    /// [`LogError`] when the log cannot be read on.
    fn scan(&self, scan: Scan<'_>, sink: &mut dyn FnMut(Logged<'_>) -> Flow) -> Result<Cursor, LogError>;

    /// Notes that what was or will be recorded under `from` belongs to the account `into`.
    ///
    /// # Errors
    /// [`LogError::Cycle`] when `into` belongs to `from` already, [`LogError::MergedElsewhere`] when `from` belongs to
    /// another account: unmerge it first.
    fn merge(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LogError>;

    /// Takes a merge back, exactly.
    ///
    /// # Errors
    /// [`LogError::NotMerged`].
    fn unmerge(&self, from: Shopper<'_>) -> Result<(), LogError>;

    /// Stops the use of a profile: from now on no scan shows what is held of it, under whatever identity, but one that
    /// [asks](Scan::even_restricted) for that; events of it are refused with
    /// [`RejectReason::Restricted`](crate::source::RejectReason::Restricted). Restricting twice is restricting once.
    ///
    /// # Errors
    /// [`LogError`] when it could not be noted.
    fn restrict(&self, user: &str) -> Result<(), LogError>;

    /// Allows the use of a profile again, all that was held of it included.
    ///
    /// # Errors
    /// [`LogError`] when it could not be noted.
    fn lift(&self, user: &str) -> Result<(), LogError>;

    /// Takes away everything of a shopper: events under all identities merged into the profile, the merges, the ids. It
    /// cannot be undone, and what was erased is not readable from the files any more.
    ///
    /// # Errors
    /// [`LogError::NotScrubbed`], with the certificate, when it is done but for bytes that a reader keeps in a journal: call
    /// [`compact`](Self::compact) later. Any other [`LogError`] when it could not be done; then nothing was.
    fn erase(&self, user: &str) -> Result<Erasure, LogError>;

    /// Takes away what `retention` no longer allows at `now`; returns the number of events. Where a reader keeps a journal
    /// from being emptied, what it holds goes at the next opportunity: no scan shows it any more.
    ///
    /// # Errors
    /// [`LogError`].
    fn expire(&self, retention: &Retention, now: Timestamp) -> Result<u64, LogError>;

    /// Makes everything appended so far as safe as [`Durability::Disk`].
    ///
    /// # Errors
    /// [`LogError`].
    fn sync(&self) -> Result<(), LogError>;

    /// Gives back the space of what was taken away.
    ///
    /// # Errors
    /// [`LogError`].
    fn compact(&self) -> Result<(), LogError>;

    /// Reads everything and says whether it is whole.
    ///
    /// # Errors
    /// [`LogError::Damaged`].
    fn check(&self) -> Result<(), LogError>;

    /// The merges of this moment: identity and account, without those that go through another account first.
    ///
    /// # Errors
    /// [`LogError`].
    fn merges(&self) -> Result<Aliases, LogError>;

    /// Where its end is, how much it holds and whether more than appending happened.
    ///
    /// # Errors
    /// [`LogError`].
    fn state(&self) -> Result<LogState, LogError>;

    /// Everything held about one profile, under all its identities, restricted or not: these identities, the restriction and
    /// the events with all that was recorded of them. `O(log)` unless the log can do better.
    ///
    /// # Errors
    /// As [`scan`](EventLog::scan).
    fn export(&self, user: &str) -> Result<Export, LogError> {
        let aliases = self.merges()?;
        let merged = aliases.identities(user).into_iter().skip(1).map(|identity| match identity.profiled {
            alias::Space::Profile => ExportedIdentity::Profile(identity.key.into()),
            alias::Space::Session => ExportedIdentity::Session(identity.key.into()),
        });
        let profile = Shopper::Profiled(Consented::new(user, crate::consent::LawfulBasis::Consent));
        let restricted = aliases.is_restricted(profile);
        let mut export = Export { user: user.to_owned(), merged: merged.collect(), restricted, events: Vec::new() };
        self.scan(Scan::all().of(user).even_restricted(), &mut |logged| {
            export.events.push(ExportedEvent::new(&logged));
            Flow::Continue
        })?;
        Ok(export)
    }
}

/// A shared log is a log.
macro_rules! forward {
    ($log:ident for $pointer:ty) => {
        impl<$log: EventLog + ?Sized> EventLog for $pointer {
            fn append(
                &self,
                batch: &[Event<'_>],
                received: Timestamp,
                durability: Durability,
            ) -> Result<Appended, LogError> {
                (**self).append(batch, received, durability)
            }
            fn scan(&self, scan: Scan<'_>, sink: &mut dyn FnMut(Logged<'_>) -> Flow) -> Result<Cursor, LogError> {
                (**self).scan(scan, sink)
            }
            fn merge(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LogError> {
                (**self).merge(from, into)
            }
            fn unmerge(&self, from: Shopper<'_>) -> Result<(), LogError> {
                (**self).unmerge(from)
            }
            fn restrict(&self, user: &str) -> Result<(), LogError> {
                (**self).restrict(user)
            }
            fn lift(&self, user: &str) -> Result<(), LogError> {
                (**self).lift(user)
            }
            fn erase(&self, user: &str) -> Result<Erasure, LogError> {
                (**self).erase(user)
            }
            fn expire(&self, retention: &Retention, now: Timestamp) -> Result<u64, LogError> {
                (**self).expire(retention, now)
            }
            fn sync(&self) -> Result<(), LogError> {
                (**self).sync()
            }
            fn compact(&self) -> Result<(), LogError> {
                (**self).compact()
            }
            fn check(&self) -> Result<(), LogError> {
                (**self).check()
            }
            fn merges(&self) -> Result<Aliases, LogError> {
                (**self).merges()
            }
            fn state(&self) -> Result<LogState, LogError> {
                (**self).state()
            }
            fn export(&self, user: &str) -> Result<Export, LogError> {
                (**self).export(user)
            }
        }
    };
}

forward!(L for &L);
forward!(L for Arc<L>);
forward!(L for Box<L>);
