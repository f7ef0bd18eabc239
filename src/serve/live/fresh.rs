//! What shoppers did since the snapshot was made.
//!
//! Two caps: on the events a profile, and on the bytes of all. Where the bytes are used up, profiles that recorded nothing
//! for the longest are let go of: the log has their events, and until the next refresh they are answered from the snapshot.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::event::{Event, EventKind};
use crate::log::Cursor;
use crate::time::Timestamp;

/// Shards of the table; a record locks one of them for a push.
const SHARDS: usize = 64;

/// One event of a profile, recorded and not yet in a dataset.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FreshEvent {
    cursor: Cursor,
    /// Shared by the copies of a profile: one is made where somebody records while a request of theirs is answered.
    pub(crate) item: Arc<str>,
    pub(crate) kind: EventKind,
    pub(crate) at: Timestamp,
    pub(crate) quantity: f32,
    pub(crate) value: Option<f32>,
}

impl FreshEvent {
    pub(super) fn new(cursor: Cursor, event: &Event<'_>) -> Self {
        Self {
            cursor,
            item: event.item.into(),
            kind: event.kind,
            at: event.at,
            quantity: event.quantity,
            value: event.value,
        }
    }

    /// What its item's key takes: the text, its counts and the allocator's.
    fn key_bytes(&self) -> usize {
        self.item.len() + 32
    }
}

/// What the fresh events of a profile come on top of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Base {
    /// Its row in the dataset.
    #[default]
    Row,
    /// Nothing: the row is of somebody who was erased, or of a profile before a merge. The fresh events are all there is,
    /// until a snapshot of at least this epoch.
    Nothing {
        /// The log's epoch from which on rows are right again.
        until: u64,
    },
}

/// The fresh events of one profile, in the order of arrival: a ring, since at the cap every record lets go of the oldest.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FreshProfile {
    base: Base,
    events: VecDeque<FreshEvent>,
    /// Bytes of the items' keys.
    keys: usize,
}

impl FreshProfile {
    /// Its heap bytes, with its entry in the table (half of whose slots may be empty) and the allocator's.
    fn bytes(&self, user: &str) -> usize {
        const ENTRY: usize = 2 * size_of::<(Box<str>, Arc<FreshProfile>)>() + size_of::<FreshProfile>() + 48;
        ENTRY + user.len() + self.events.capacity() * size_of::<FreshEvent>() + self.keys
    }

    fn push(&mut self, event: FreshEvent) {
        self.keys += event.key_bytes();
        self.events.push_back(event);
    }

    /// Leaves the newest `n`. `O(events that go)`.
    fn leave(&mut self, n: usize) {
        for event in self.events.drain(..self.events.len().saturating_sub(n)) {
            self.keys -= event.key_bytes();
        }
    }

    fn retain(&mut self, keep: impl Fn(&FreshEvent) -> bool) {
        self.events.retain(keep);
        self.events.shrink_to_fit();
        self.keys = self.events.iter().map(FreshEvent::key_bytes).sum();
    }

    fn latest(&self) -> Cursor {
        self.events.back().map_or(Cursor::START, |event| event.cursor)
    }
}

/// A profile's fresh events as seen from one snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fresh<'a> {
    profile: &'a FreshProfile,
    covered: Cursor,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(profile: &'a FreshProfile, covered: Cursor) -> Self {
        Self { profile, covered }
    }

    pub(crate) fn base(&self) -> Base {
        self.profile.base
    }

    /// Those the snapshot does not know.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'a FreshEvent> {
        let (base, covered) = (self.profile.base, self.covered);
        self.profile.events.iter().filter(move |e| base != Base::Row || e.cursor > covered)
    }
}

#[derive(Debug, Default)]
struct Shard {
    profiles: HashMap<Box<str>, Arc<FreshProfile>, FxBuildHasher>,
    bytes: usize,
    /// Profiles whose events were let go of since the last refresh.
    let_go: u64,
}

/// The fresh events of all profiles.
pub(super) struct FreshTable {
    shards: Vec<RwLock<Shard>>,
    /// Events kept a profile; the oldest by arrival go first.
    cap: usize,
    /// Bytes a shard.
    most: usize,
}

/// What the fresh events amount to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FreshCount {
    pub(super) profiles: usize,
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) let_go: u64,
}

impl FreshTable {
    /// With at most `cap` events a profile and `most` bytes in all.
    pub(super) fn new(cap: usize, most: Option<u64>) -> Self {
        let most = most.map_or(usize::MAX, |most| usize::try_from(most / SHARDS as u64).unwrap_or(usize::MAX));
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), cap, most }
    }

    fn shard(&self, user: &str) -> &RwLock<Shard> {
        // The high bits: the tables inside go by the low ones.
        &self.shards[(FxBuildHasher.hash_one(user) >> 32) as usize % self.shards.len()]
    }

    fn read(&self, user: &str) -> RwLockReadGuard<'_, Shard> {
        self.shard(user).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, user: &str) -> RwLockWriteGuard<'_, Shard> {
        self.shard(user).write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, user: &str) -> Option<Arc<FreshProfile>> {
        self.read(user).profiles.get(user).cloned()
    }

    pub(super) fn push(&self, user: &str, event: FreshEvent) {
        let cap = self.cap;
        self.change(user, |profile| {
            profile.leave(cap.saturating_sub(1));
            profile.push(event);
        });
    }

    /// From now on these events are all there is of the profile, until a snapshot of epoch `until`.
    pub(super) fn replace(&self, user: &str, events: Vec<FreshEvent>, until: u64) {
        let mut all = FreshProfile { base: Base::Nothing { until }, ..FreshProfile::default() };
        let newest = events.len().saturating_sub(self.cap);
        events.into_iter().skip(newest).for_each(|event| all.push(event));
        all.events.shrink_to_fit();
        self.change(user, |profile| *profile = all);
    }

    fn change(&self, user: &str, change: impl FnOnce(&mut FreshProfile)) {
        let mut shard = self.write(user);
        let Shard { profiles, bytes, .. } = &mut *shard;
        let profile = match profiles.get_mut(user) {
            Some(profile) => {
                *bytes = bytes.saturating_sub(profile.bytes(user));
                profile
            }
            None => profiles.entry(user.into()).or_default(),
        };
        // A reader that holds the profile keeps the state it took.
        change(Arc::make_mut(profile));
        *bytes += profile.bytes(user);
        if *bytes > self.most {
            shard.make_room(self.most);
        }
    }

    /// Drops what a snapshot that covers the log to `covers` at `epoch` holds itself.
    pub(super) fn settle(&self, covers: Cursor, epoch: u64) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let Shard { profiles, bytes, let_go } = &mut *shard;
            profiles.retain(|_, profile| {
                if matches!(profile.base, Base::Nothing { until } if until > epoch) {
                    return true;
                }
                let profile = Arc::make_mut(profile);
                profile.base = Base::Row;
                profile.retain(|event| event.cursor > covers);
                !profile.events.is_empty()
            });
            profiles.shrink_to_fit();
            *bytes = profiles.iter().map(|(user, profile)| profile.bytes(user)).sum();
            *let_go = 0;
        }
    }

    /// Drops everything.
    pub(super) fn clear(&self) {
        self.shards.iter().for_each(|shard| *shard.write().unwrap_or_else(PoisonError::into_inner) = Shard::default());
    }

    pub(super) fn count(&self) -> FreshCount {
        let shards = self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner));
        shards.fold(FreshCount::default(), |all, shard| FreshCount {
            profiles: all.profiles + shard.profiles.len(),
            events: all.events + shard.profiles.values().map(|profile| profile.events.len()).sum::<usize>(),
            bytes: all.bytes + shard.bytes,
            let_go: all.let_go + shard.let_go,
        })
    }
}

impl Shard {
    /// Lets go of events until three quarters of `most` are held: of those first who recorded nothing for the longest, of
    /// the last profile that is left the older half. That a row must not be used (somebody was erased) is never let go of.
    fn make_room(&mut self, most: usize) {
        let enough = most / 4 * 3;
        let mut by_age: Vec<(Cursor, Box<str>)> = self
            .profiles
            .iter()
            .filter(|(_, profile)| !profile.events.is_empty())
            .map(|(user, profile)| (profile.latest(), user.clone()))
            .collect();
        by_age.sort_unstable();
        let newest = by_age.pop();
        for (_, user) in by_age {
            if self.bytes <= enough {
                return;
            }
            self.let_go += 1;
            self.shorten(&user, |_| 0);
        }
        let Some((_, user)) = newest else { return };
        while self.bytes > most && self.profiles.get(&user).is_some_and(|profile| profile.events.len() > 1) {
            self.shorten(&user, |events| events / 2);
        }
    }

    /// Leaves a profile the newest few of its events.
    fn shorten(&mut self, user: &str, to: impl FnOnce(usize) -> usize) {
        let Some(profile) = self.profiles.get_mut(user) else { return };
        let before = profile.bytes(user);
        let changed = Arc::make_mut(profile);
        changed.leave(to(changed.events.len()));
        changed.events.shrink_to_fit();
        let after = if profile.base == Base::Row && profile.events.is_empty() {
            self.profiles.remove(user);
            0
        } else {
            profile.bytes(user)
        };
        self.bytes = self.bytes.saturating_sub(before) + after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Consented, LawfulBasis, Shopper};

    fn event(n: u64) -> FreshEvent {
        let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
        FreshEvent::new(Cursor::new(n), &Event::new(who, "an item of some length", EventKind::View, Timestamp::MIN))
    }

    #[test]
    fn bytes_are_counted_as_they_are_and_stay_below_the_cap() {
        let most = 64 * 4000;
        let table = FreshTable::new(50, Some(most));
        for n in 0..20_000u64 {
            table.push(&format!("user {}", n * n % 3000), event(n));
            if n % 500 == 0 {
                let counted = table.count().bytes;
                let each = table.shards.iter().map(|shard| {
                    let shard = shard.read().unwrap();
                    shard.profiles.iter().map(|(user, profile)| profile.bytes(user)).sum::<usize>()
                });
                assert_eq!(counted, each.sum::<usize>());
                assert!(counted as u64 <= most);
            }
        }
        assert!(table.count().let_go > 0);
        table.settle(Cursor::new(20_000), 0);
        let FreshCount { profiles, events, bytes, let_go } = table.count();
        assert_eq!((profiles, events, bytes, let_go), (0, 0, 0, 0));
    }

    #[test]
    fn the_longest_silent_go_first_and_an_erasure_is_remembered() {
        let table = FreshTable { shards: vec![RwLock::default()], cap: 50, most: 4000 };
        table.replace("gone", vec![event(1)], 7);
        (2..=10).for_each(|n| table.push(&format!("user {n}"), event(n)));
        (11..60).for_each(|n| table.push("user 10", event(n)));
        let gone = table.get("gone").unwrap();
        assert_eq!((gone.base, gone.events.len()), (Base::Nothing { until: 7 }, 0));
        assert!(table.get("user 2").is_none());
        let last = table.get("user 10").unwrap();
        assert_eq!(last.latest(), Cursor::new(59));
        assert!(table.count().bytes <= 4000);
    }
}
