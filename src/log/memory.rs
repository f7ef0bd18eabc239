//! A log in memory: for tests, for shops that keep their events elsewhere, and as the slow twin of the others.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::alias::{Aliases, Identity, check_id};
use super::owned::OwnedEvent;
use super::{Appended, Cursor, Durability, Erasure, EventLog, LogError, LogState, Logged, Retention, Scan};
use crate::consent::{Consented, Shopper};
use crate::dataset::vet;
use crate::event::Event;
use crate::source::{Flow, RejectReason};
use crate::time::Timestamp;

/// Events in memory. Every [`Durability`] is the same: nothing survives the process.
///
/// Memory: about 180 bytes an event and its text. Scans hold a read lock, everything else a write lock; `erase` and
/// `expire` take `O(events)`.
#[derive(Debug, Default)]
pub struct MemoryLog {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Stored>,
    ids: BTreeSet<Box<str>>,
    aliases: Aliases,
    last: u64,
    epoch: u64,
}

#[derive(Debug)]
struct Stored {
    number: u64,
    received: Timestamp,
    event: OwnedEvent,
}

impl MemoryLog {
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes away the events for which `goes` holds, with their ids; how many.
    fn take_away(&mut self, mut goes: impl FnMut(&Event<'_>) -> bool) -> u64 {
        let before = self.events.len();
        let ids = &mut self.ids;
        self.events.retain(|stored| {
            let event = stored.event.borrow();
            let goes = goes(&event);
            if let Some(id) = event.id.filter(|_| goes) {
                ids.remove(id);
            }
            !goes
        });
        (before - self.events.len()) as u64
    }
}

impl EventLog for MemoryLog {
    fn append(&self, batch: &[Event<'_>], received: Timestamp, _: Durability) -> Result<Appended, LogError> {
        let mut inner = self.write();
        let mut appended = Appended::default();
        for (place, event) in batch.iter().enumerate() {
            if let Err(reason) = vet(event) {
                appended.rejected.push((place, reason));
                continue;
            }
            if inner.aliases.is_restricted(event.shopper) {
                appended.rejected.push((place, RejectReason::Restricted));
                continue;
            }
            if let Some(id) = event.id.filter(|id| !id.is_empty())
                && !inner.ids.insert(id.into())
            {
                appended.duplicates.push(place);
                continue;
            }
            inner.last += 1;
            let number = inner.last;
            inner.events.push(Stored { number, received, event: OwnedEvent::new(event) });
            appended.accepted += 1;
        }
        appended.end = Cursor::new(inner.last);
        Ok(appended)
    }

    fn scan(&self, scan: Scan<'_>, sink: &mut dyn FnMut(Logged<'_>) -> Flow) -> Result<Cursor, LogError> {
        let inner = self.read();
        let first = inner.events.partition_point(|stored| stored.number <= scan.from.get());
        let mut end = scan.from;
        for stored in &inner.events[first..] {
            let cursor = Cursor::new(stored.number);
            let mut event = stored.event.borrow();
            let shown = scan.shows(&inner.aliases, event.shopper);
            event.shopper = inner.aliases.resolve(event.shopper);
            let wanted = scan.shopper.is_none_or(|user| Identity::of(event.shopper) == Identity::profile(user));
            if wanted
                && shown
                && scan.admits(&event, stored.received)
                && sink(Logged { cursor, received: stored.received, event }) == Flow::Stop
            {
                return Ok(cursor);
            }
            end = cursor;
        }
        Ok(end.max(Cursor::new(inner.last)))
    }

    fn merge(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LogError> {
        let mut inner = self.write();
        if inner.aliases.link(from, into)? {
            inner.aliases.insert(Identity::of(from), into.user(), into.basis());
            inner.epoch += 1;
        }
        Ok(())
    }

    fn unmerge(&self, from: Shopper<'_>) -> Result<(), LogError> {
        let mut inner = self.write();
        inner.aliases.unmerge(from)?;
        inner.epoch += 1;
        Ok(())
    }

    fn restrict(&self, user: &str) -> Result<(), LogError> {
        let mut inner = self.write();
        inner.epoch += u64::from(inner.aliases.restrict(user)?);
        Ok(())
    }

    fn lift(&self, user: &str) -> Result<(), LogError> {
        let mut inner = self.write();
        inner.epoch += u64::from(inner.aliases.lift(user));
        Ok(())
    }

    fn erase(&self, user: &str) -> Result<Erasure, LogError> {
        check_id("the user", user)?;
        let mut inner = self.write();
        let identities = inner.aliases.identities(user);
        let mut erasure = Erasure { identities: identities.len() as u64 - 1, ..Erasure::default() };
        inner.take_away(|event| {
            let theirs = identities.contains(&Identity::of(event.shopper));
            if theirs {
                erasure.add(event.kind, event.at);
            }
            theirs
        });
        inner.aliases.forget(&identities);
        inner.epoch += 1;
        Ok(erasure)
    }

    fn expire(&self, retention: &Retention, now: Timestamp) -> Result<u64, LogError> {
        let mut inner = self.write();
        let expired = inner.take_away(|event| !retention.keeps(event.kind, event.at, now));
        inner.epoch += u64::from(expired > 0);
        Ok(expired)
    }

    fn sync(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn compact(&self) -> Result<(), LogError> {
        self.write().events.shrink_to_fit();
        Ok(())
    }

    fn check(&self) -> Result<(), LogError> {
        Ok(())
    }

    fn merges(&self) -> Result<Aliases, LogError> {
        Ok(self.read().aliases.clone())
    }

    fn state(&self) -> Result<LogState, LogError> {
        let inner = self.read();
        Ok(LogState { end: Cursor::new(inner.last), events: inner.events.len() as u64, epoch: inner.epoch })
    }
}
