//! Events held under caps: a builder that lets go of the oldest and of the ids nobody needs.
//!
//! What is held is a fold over the events in the order of arrival: a sweep comes when so many have arrived since the last,
//! and what it does depends on what is held alone, never on how much room a column happens to have, or when somebody looked.
//! So what grew with the log equals what is read from the log again, numbers included.
//!
//! A sweep costs `O(held)`, and comes once a quarter more has arrived: a few dozen nanoseconds an event.

use std::mem::size_of;

use serde::{Deserialize, Serialize};

use super::builder::DatasetBuilder;
use super::log::Rewriter;
use super::rows::NO_SESSION;
use super::table::retain;
use super::{Dataset, DatasetError, HistoryCaps, IngestError, MemoryReport};
use crate::ids::{IdMap, Lineage, TooManyIds, UserIdx};
use crate::persist::{Loader, PersistError, Saver};
use crate::source::{EventSource, Flow};
use crate::time::Timestamp;

/// Arrivals between two sweeps at least, and dead ids that are not worth a renumbering.
const FEW: usize = 64;
/// The cap on all events is not lowered below this.
const SMALLEST: u32 = 64;
/// Bytes of one event as it is held: shopper, session, item, kind, time, quantity, value, channel.
const EVENT_BYTES: usize = 4 + 4 + 4 + 1 + 8 + 4 + 4 + 1;
const SEARCH_BYTES: usize = size_of::<(UserIdx, Timestamp, u32)>();

/// What is held may not grow beyond this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    pub(crate) caps: HistoryCaps,
    /// Of events and ids together; where they need more, the cap on all events is lowered.
    pub(crate) bytes: Option<u64>,
}

/// What the arrivals so far led to, beside the events themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fold {
    arrived: u64,
    /// The next sweep comes when so many have arrived.
    sweep_at: u64,
    /// The cap on all events that is in force.
    events: u32,
    /// How often numbers were given anew.
    numbering: u64,
    /// What the cap on all events may rise to by itself; 0 in files of when it did not.
    #[serde(default)]
    most: u32,
    /// How often everything was read again for a higher cap.
    #[serde(default)]
    readings: u64,
}

/// Events under caps.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    builder: DatasetBuilder,
    /// The name of the first numbering.
    base: Lineage,
    bounds: Bounds,
    fold: Fold,
}

/// Which events and searches are kept.
struct Kept {
    events: Vec<bool>,
    searches: Vec<bool>,
}

impl Held {
    /// Nothing, with the builder's rules.
    pub(crate) fn new(builder: DatasetBuilder, bounds: Bounds) -> Self {
        let events = bounds.caps.events;
        let fold = Fold { arrived: 0, sweep_at: FEW as u64, events, numbering: 0, most: events, readings: 0 };
        Self { base: builder.lineage, builder, bounds, fold }
    }

    /// Nothing, to read everything again with a cap on all events of `most`: what it becomes is what would be held if that had
    /// been the cap all the time. `empty` is of the same rules and bounds.
    pub(crate) fn read_again(&self, empty: Self, most: u32) -> Self {
        let readings = self.fold.readings + 1;
        let mut again = Self { fold: Fold { events: most, most, readings, ..empty.fold }, ..empty };
        again.builder.lineage = again.name();
        again
    }

    /// To how many events the cap may be raised by reading everything again, if it keeps events out and memory allows: so
    /// many of `share` are `used` by a state.
    pub(crate) fn may_rise(&self, used: u64, share: u64) -> Option<u32> {
        let Fold { events, most, .. } = self.fold;
        let lowered = most < self.bounds.caps.events && events == most;
        if !lowered || !self.is_full() || used > share / 2 || !self.has_room() {
            return None;
        }
        // To three quarters of the share, as far as one can tell, and at most four times as far.
        let aim = u128::from(most) * u128::from(share / 4 * 3) / u128::from(used.max(1));
        Some(aim.min(4 * u128::from(most)).min(u128::from(self.bounds.caps.events)) as u32)
    }

    /// Events and searches that ever arrived.
    pub(crate) const fn arrived(&self) -> u64 {
        self.fold.arrived
    }

    /// The cap on all events that is in force: what was asked for, or less.
    pub(crate) const fn events_cap(&self) -> u32 {
        self.fold.events
    }

    /// Takes everything `source` offers. On an error, what came before is held.
    pub(crate) fn ingest<S: EventSource>(&mut self, source: &mut S) -> Result<(), IngestError<S::Error>> {
        let mut full = None;
        let outcome = source.for_each(&mut |offered| {
            let Ok(mut event) = offered.event else { return Flow::Continue };
            event.id = None; // what a log gives out it gives out once
            let swept = match self.builder.push(&event) {
                Ok(()) => {
                    self.fold.arrived += 1;
                    if self.fold.arrived < self.fold.sweep_at { Ok(()) } else { self.sweep() }
                }
                Err(IngestError::Full(full)) => Err(full),
                Err(_) => Ok(()),
            };
            full = swept.err();
            if full.is_some() { Flow::Stop } else { Flow::Continue }
        });
        match (full, outcome) {
            (Some(full), _) => Err(IngestError::Full(full)),
            (None, Err(source)) => Err(IngestError::Source { source, report: Box::default() }),
            (None, Ok(())) => Ok(()),
        }
    }

    /// The dataset of what the caps allow, as of `now`.
    pub(crate) fn dataset(&self, now: Timestamp) -> Result<Dataset, DatasetError> {
        let from = &self.builder;
        let mut view = DatasetBuilder {
            shoppers: from.shoppers.clone(),
            items: from.items.clone(),
            queries: from.queries.clone(),
            user: from.user.clone(),
            session: from.session.clone(),
            table: from.table.clone(),
            searches: from.searches.clone(),
            ..DatasetBuilder::new(from.lineage).weights(from.weights.clone()).session_gap(from.session_gap).as_of(now)
        };
        self.kept().apply(&mut view);
        view.finish()
    }

    /// Lowers the cap on all events by a quarter of what is held, and lets go; `false` when there is next to nothing left.
    pub(crate) fn tighten(&mut self) -> Result<bool, TooManyIds> {
        if self.fold.events <= SMALLEST {
            return Ok(false);
        }
        self.lower();
        self.fold.most = self.fold.events;
        self.sweep()?;
        self.renumber()?;
        Ok(true)
    }

    fn lower(&mut self) {
        let most = self.builder.table.len().max(self.builder.searches.len()).min(self.fold.events as usize) as u32;
        self.fold.events = (most - most / 4).min(self.fold.events - 1).max(SMALLEST);
    }

    fn sweep(&mut self) -> Result<(), TooManyIds> {
        loop {
            self.kept().apply(&mut self.builder);
            self.let_go_of_ids()?;
            let fits = self.bounds.bytes.is_none_or(|bytes| self.needed() as u64 <= bytes);
            if fits || self.fold.events <= SMALLEST {
                break;
            }
            self.lower();
        }
        let Fold { events, most, .. } = self.fold;
        // By half, which is then three quarters of the bytes: up and down do not follow each other.
        if events < most && self.is_full() && self.has_room() {
            self.fold.events = events.saturating_add(events / 2).min(most);
        }
        let slack = (self.len() / 4).max(FEW);
        self.fold.sweep_at = self.fold.arrived + slack as u64;
        Ok(())
    }

    /// Whether the cap on all events is used up.
    fn is_full(&self) -> bool {
        self.builder.table.len().max(self.builder.searches.len()) >= self.fold.events as usize
    }

    /// Whether half of the bytes are free.
    fn has_room(&self) -> bool {
        self.bounds.bytes.is_none_or(|bytes| self.needed() as u64 <= bytes / 2)
    }

    fn len(&self) -> usize {
        self.builder.table.len() + self.builder.searches.len()
    }

    /// Bytes that what is held needs, whatever room its columns have.
    fn needed(&self) -> usize {
        let b = &self.builder;
        let keys = b.shoppers.key_bytes() + b.items.key_bytes() + b.sessions.key_bytes() + b.queries.key_bytes();
        b.table.len() * EVENT_BYTES + b.searches.len() * SEARCH_BYTES + keys
    }

    fn kept(&self) -> Kept {
        let (b, caps) = (&self.builder, &self.bounds.caps);
        let (rows, items) = (b.shoppers.len(), b.items.len());
        let (events, searches) = (b.table.len(), b.searches.len());
        let mut kept = Kept { events: vec![true; events], searches: vec![true; searches] };
        let at = |place: usize| b.table.at[place];
        newest_of_each(&mut kept.events, rows, caps.row_events, |place| b.user[place].as_usize(), at);
        newest_of_each(&mut kept.events, items, caps.item_events, |place| b.table.item[place].as_usize(), at);
        newest(&mut kept.events, self.fold.events, at);
        let at = |place: usize| b.searches[place].1.millis();
        newest_of_each(&mut kept.searches, rows, caps.row_events, |place| b.searches[place].0.as_usize(), at);
        newest(&mut kept.searches, self.fold.events, at);
        kept
    }

    /// Forgets the keys that nothing refers to, where they are the most.
    fn let_go_of_ids(&mut self) -> Result<(), TooManyIds> {
        let b = &mut self.builder;
        if b.sessions.len() > 2 * distinct(&b.session, b.sessions.len()) + FEW {
            b.sessions = rekeyed(&b.sessions, b.session.own().iter_mut())?;
        }
        let asked: Vec<u32> = b.searches.iter().map(|search| search.2).collect();
        if b.queries.len() > 2 * distinct(&asked, b.queries.len()) + FEW {
            b.queries = rekeyed(&b.queries, b.searches.iter_mut().map(|search| &mut search.2))?;
        }
        let rows = b.user.iter().chain(b.searches.iter().map(|search| &search.0)).map(|user| user.get());
        let live = count(rows, b.shoppers.len()) + count(b.table.item.iter().map(|item| item.get()), b.items.len());
        if b.shoppers.len() + b.items.len() > 2 * live + FEW { self.renumber() } else { Ok(()) }
    }

    /// Numbers shoppers and items anew, in the order of arrival of what is held, under another name.
    fn renumber(&mut self) -> Result<(), TooManyIds> {
        let mut rewriter = Rewriter::new(&self.builder);
        rewriter.add(|_| true, |_, _| true)?;
        self.builder = rewriter.into_builder();
        self.fold.numbering += 1;
        self.builder.lineage = self.name();
        Ok(())
    }

    fn name(&self) -> Lineage {
        let Fold { numbering, readings, .. } = self.fold;
        let (numbering, readings) =
            (numbering.wrapping_mul(0xd1b5_4a32_d192_ed03), readings.wrapping_mul(0x9fb2_1c65_1e98_df25));
        Lineage::new(self.base.get() ^ numbering ^ readings)
    }

    /// The heap bytes held, by part.
    pub(crate) fn memory_report(&self) -> MemoryReport {
        let b = &self.builder;
        let columns = b.user.capacity() * size_of::<UserIdx>() + b.session.capacity() * size_of::<u32>();
        MemoryReport::default()
            .with("events", b.table.heap_bytes() + columns)
            .with("searches", b.searches.capacity() * SEARCH_BYTES + b.queries.heap_bytes())
            .with("shopper keys", b.shoppers.heap_bytes())
            .with("item keys", b.items.heap_bytes())
            .with("session keys", b.sessions.heap_bytes())
    }

    pub(crate) fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.value("bounds", &self.bounds)?;
        out.value("fold", &self.fold)?;
        self.builder.save(out)
    }

    /// What was saved beside `data`, if it is of the same rules and bounds as `like`.
    pub(crate) fn load(from: &Loader<'_>, data: &Dataset, like: &Self) -> Result<Option<Self>, PersistError> {
        let (bounds, fold): (Bounds, Fold) = (from.value("bounds")?, from.value("fold")?);
        let builder = DatasetBuilder::load(from, data)?;
        let most = if fold.most == 0 { fold.events } else { fold.most };
        let loaded = Self { builder, base: like.base, bounds, fold: Fold { most, ..fold } };
        let name = loaded.name();
        let alike = loaded.builder.is_like(&DatasetBuilder { lineage: name, ..like.builder.clone() });
        Ok((alike && loaded.bounds == like.bounds && loaded.fold.events <= most && most <= like.fold.most)
            .then_some(loaded))
    }
}

impl Kept {
    fn apply(&self, to: &mut DatasetBuilder) {
        if self.events.contains(&false) {
            to.table.retain(&self.events);
            retain(&mut to.user, &self.events);
            retain(&mut to.session, &self.events);
        }
        let mut keep = self.searches.iter();
        to.searches.retain(|_| keep.next().copied().unwrap_or(true));
    }
}

/// Of each owner with more than `cap` kept, only the newest.
fn newest_of_each(
    kept: &mut [bool],
    owners: usize,
    cap: u32,
    owner: impl Fn(usize) -> usize,
    at: impl Fn(usize) -> i64,
) {
    if kept.len() <= cap as usize {
        return;
    }
    let mut held = vec![0u32; owners];
    (0..kept.len()).filter(|&place| kept[place]).for_each(|place| held[owner(place)] += 1);
    if held.iter().all(|&n| n <= cap) {
        return;
    }
    let mut over: Vec<(usize, i64, usize)> = (0..kept.len())
        .filter(|&place| kept[place] && held[owner(place)] > cap)
        .map(|place| (owner(place), at(place), place))
        .collect();
    over.sort_unstable();
    for of_one in over.chunk_by(|a, b| a.0 == b.0) {
        of_one[..of_one.len() - cap as usize].iter().for_each(|&(_, _, place)| kept[place] = false);
    }
}

/// Only the newest `cap` of those kept.
fn newest(kept: &mut [bool], cap: u32, at: impl Fn(usize) -> i64) {
    if kept.len() <= cap as usize {
        return;
    }
    let mut places: Vec<(i64, usize)> =
        (0..kept.len()).filter(|&place| kept[place]).map(|place| (at(place), place)).collect();
    let Some(go @ 1..) = places.len().checked_sub(cap as usize) else { return };
    places.select_nth_unstable(go - 1);
    places[..go].iter().for_each(|&(_, place)| kept[place] = false);
}

/// How many of `0..of` occur.
fn count(numbers: impl Iterator<Item = u32>, of: usize) -> usize {
    let mut met = vec![false; of];
    numbers.for_each(|number| met[number as usize] = true);
    met.into_iter().filter(|&met| met).count()
}

fn distinct(keys: &[u32], of: usize) -> usize {
    count(keys.iter().copied().filter(|&key| key != NO_SESSION), of)
}

/// The keys that are used, numbered in the order of their use.
fn rekeyed<'k>(from: &IdMap, used: impl Iterator<Item = &'k mut u32>) -> Result<IdMap, TooManyIds> {
    let mut to = IdMap::default();
    let mut new = vec![NO_SESSION; from.len()];
    for key in used.filter(|key| **key != NO_SESSION) {
        let known = &mut new[*key as usize];
        if *known == NO_SESSION {
            *known = to.intern(from.key(*key).unwrap_or_default())?;
        }
        *key = *known;
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Consented, LawfulBasis, Shopper};
    use crate::event::{Event, EventKind};
    use crate::source::FromIter;

    /// Events of shoppers whose ids are so long, each of them another.
    fn era(from: usize, n: usize, length: usize) -> Vec<(String, String, i64)> {
        (from..from + n).map(|s| (format!("{s:0>length$}"), format!("i{}", s % 50), s as i64)).collect()
    }

    fn take(held: &mut Held, events: &[(String, String, i64)]) {
        let mut source = FromIter(events.iter().map(|(user, item, s)| {
            let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
            Event::new(who, item, EventKind::View, Timestamp::from_secs(*s))
        }));
        held.ingest(&mut source).unwrap();
    }

    fn held(events: u32, bytes: Option<u64>) -> Held {
        let caps = HistoryCaps { events, ..HistoryCaps::default() };
        Held::new(DatasetBuilder::new(Lineage::new(1)), Bounds { caps, bytes })
    }

    fn contents(held: &Held) -> Vec<(String, String, i64)> {
        let data = held.dataset(Timestamp::from_secs(1_000_000)).unwrap();
        let mut all = Vec::new();
        for user in data.users() {
            let key = data.user_key(user);
            all.extend(
                data.events_of(user).iter().map(|e| (key.to_owned(), data.item_key(e.item).to_owned(), e.at.millis())),
            );
        }
        all
    }

    /// Long ids let fewer events be held, short ones more again, whoever looks when.
    #[test]
    fn the_cap_falls_and_rises_with_the_ids_as_a_fold() {
        const BYTES: u64 = 100_000;
        let eras = [era(0, 3_000, 200), era(3_000, 6_000, 8), era(9_000, 3_000, 150), era(12_000, 6_000, 8)];
        let mut grown = held(u32::MAX, Some(BYTES));
        let mut caps = Vec::new();
        for events in &eras {
            for piece in events.chunks(700) {
                take(&mut grown, piece);
                grown.dataset(Timestamp::from_secs(1)).unwrap(); // somebody looks
            }
            caps.push(grown.events_cap());
            assert!(grown.needed() as u64 <= BYTES / 4 * 5, "{}", grown.needed());
        }
        assert!(caps[1] > caps[0] && caps[2] < caps[1] && caps[3] > caps[2], "{caps:?}");
        let mut at_once = held(u32::MAX, Some(BYTES));
        take(&mut at_once, &eras.concat());
        assert_eq!((grown.fold, contents(&grown)), (at_once.fold, contents(&at_once)));
        assert_eq!(grown.builder.lineage, at_once.builder.lineage);
        // A cap that was asked for is not exceeded.
        let mut capped = held(500, Some(BYTES));
        take(&mut capped, &eras.concat());
        assert!(capped.events_cap() <= 500);
    }

    #[test]
    fn read_again_is_what_the_cap_would_have_held_and_has_a_name_of_its_own() {
        let events = era(0, 5_000, 8);
        let mut lowered = held(u32::MAX, None);
        take(&mut lowered, &events);
        while lowered.events_cap() > 1_000 {
            assert!(lowered.tighten().unwrap());
        }
        assert_eq!(lowered.may_rise(60, 100), None, "more than half is used");
        let most = lowered.may_rise(50, 100).unwrap();
        assert_eq!(most, lowered.events_cap() * 3 / 2);
        assert_eq!(lowered.may_rise(1, 100).unwrap(), lowered.events_cap() * 4, "so far at once");
        let mut again = lowered.read_again(held(u32::MAX, None), most);
        take(&mut again, &events);
        let mut from_the_start = held(most, None);
        take(&mut from_the_start, &events);
        assert_eq!((contents(&again), again.events_cap()), (contents(&from_the_start), most));
        assert!(again.name() != lowered.name() && again.name() != from_the_start.name());
        assert_eq!(from_the_start.may_rise(1, 100), None, "that is the cap that was asked for");
        let mut few = lowered.read_again(held(u32::MAX, None), most);
        take(&mut few, &events[..100]);
        assert_eq!(few.may_rise(1, 100), None, "it keeps nothing out");
    }
}
