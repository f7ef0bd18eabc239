//! What shoppers did since the snapshot was made.

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
    pub(crate) item: Box<str>,
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

/// The fresh events of one profile, in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FreshProfile {
    base: Base,
    events: Vec<FreshEvent>,
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

type Shard = HashMap<Box<str>, Arc<FreshProfile>, FxBuildHasher>;

/// The fresh events of all profiles.
pub(super) struct FreshTable {
    shards: Vec<RwLock<Shard>>,
    /// Events kept a profile; the oldest by arrival go first.
    cap: usize,
}

impl FreshTable {
    pub(super) fn new(cap: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect(), cap }
    }

    fn shard(&self, user: &str) -> &RwLock<Shard> {
        &self.shards[FxBuildHasher.hash_one(user) as usize % SHARDS]
    }

    fn read(&self, user: &str) -> RwLockReadGuard<'_, Shard> {
        self.shard(user).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, user: &str) -> RwLockWriteGuard<'_, Shard> {
        self.shard(user).write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, user: &str) -> Option<Arc<FreshProfile>> {
        self.read(user).get(user).cloned()
    }

    pub(super) fn push(&self, user: &str, event: FreshEvent) {
        let mut shard = self.write(user);
        let profile = match shard.get_mut(user) {
            Some(profile) => profile,
            None => shard.entry(user.into()).or_default(),
        };
        // A reader that holds the profile keeps the state it took.
        let profile = Arc::make_mut(profile);
        if profile.events.len() >= self.cap {
            profile.events.remove(0);
        }
        profile.events.push(event);
    }

    /// From now on these events are all there is of the profile, until a snapshot of epoch `until`.
    pub(super) fn replace(&self, user: &str, mut events: Vec<FreshEvent>, until: u64) {
        events.drain(..events.len().saturating_sub(self.cap));
        let profile = Arc::new(FreshProfile { base: Base::Nothing { until }, events });
        self.write(user).insert(user.into(), profile);
    }

    /// Drops what a snapshot that covers the log to `covers` at `epoch` holds itself.
    pub(super) fn settle(&self, covers: Cursor, epoch: u64) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, profile| {
                let profile = Arc::make_mut(profile);
                if matches!(profile.base, Base::Nothing { until } if until > epoch) {
                    return true;
                }
                profile.base = Base::Row;
                profile.events.retain(|event| event.cursor > covers);
                !profile.events.is_empty()
            });
            shard.shrink_to_fit();
        }
    }

    /// Drops everything.
    pub(super) fn clear(&self) {
        self.shards.iter().for_each(|shard| shard.write().unwrap_or_else(PoisonError::into_inner).clear());
    }

    /// Profiles and events held.
    pub(super) fn len(&self) -> (usize, usize) {
        let shards = self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner));
        shards.fold((0, 0), |(profiles, events), shard| {
            (profiles + shard.len(), events + shard.values().map(|profile| profile.events.len()).sum::<usize>())
        })
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let of = |profile: &Arc<FreshProfile>| {
            let items: usize = profile.events.iter().map(|event| event.item.len()).sum();
            size_of::<FreshProfile>() + 48 + profile.events.capacity() * size_of::<FreshEvent>() + items
        };
        let shards = self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner));
        shards
            .map(|shard| shard.values().map(of).sum::<usize>() + shard.keys().map(|user| user.len()).sum::<usize>())
            .sum()
    }
}
