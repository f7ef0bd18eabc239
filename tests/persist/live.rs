//! A restart is not noticed, except by the clock; who was forgotten is in no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use likewise::log::{Durability, EventLog, MemoryLog};
use likewise::persist::{Container, Store, StoreError, Verify};
use likewise::serve::Codecs;
use likewise::*;
use proptest::prelude::*;

use super::Scratch;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Contract)
}

const USERS: [&str; 6] = ["ann", "bob", "cat", "dan", "eve", "fay"];
const ITEMS: [&str; 6] = ["mug", "tea", "saw", "hat", "pen", "jam"];
const KINDS: [EventKind; 4] = [EventKind::View, EventKind::AddToCart, EventKind::Purchase, EventKind::Return];

type Deed = (usize, usize, usize, i64);

fn event((user, item, kind, s): Deed) -> Event<'static> {
    Event::new(Shopper::Profiled(who(USERS[user])), ITEMS[item], KINDS[kind], at(s)).session("same")
}

fn deeds(n: usize) -> impl Strategy<Value = Vec<Deed>> {
    prop::collection::vec((0usize..6, 0usize..6, 0usize..4, 0i64..500), 0..n)
}

fn lineup() -> Lineup {
    let co = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::default() };
    let als = AlsParams { factors: 4, iterations: 2, ..AlsParams::default() };
    Lineup::new()
        .model(co.check().unwrap(), 1.0, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh)
        .model(TrendingParams::default().check().unwrap(), 0.3, Refit::EveryRefresh)
        .model(als.check().unwrap(), 0.5, Refit::After { events: 5 })
        .arranged(|ranker| ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None }))
}

fn config(store: &Store) -> LiveConfig {
    LiveConfig::new(lineup()).store(store.clone(), Codecs::default())
}

fn open<L: EventLog>(log: L, config: LiveConfig, now: i64) -> Live<L> {
    Live::open(log, config, at(now), &Run::new(1)).unwrap()
}

fn record<L: EventLog>(live: &Live<L>, deeds: &[Deed]) {
    let events: Vec<Event<'_>> = deeds.iter().map(|&deed| event(deed)).collect();
    live.record(&events, at(600), Durability::Memory).unwrap();
}

/// Everything everybody is told, to the last bit.
fn told<L: EventLog>(live: &Live<L>) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    for user in USERS.iter().chain(&["nobody"]) {
        let list = live.recommend(&Request::profiled(who(user), at(1_000)).k(20)).unwrap();
        all.extend(list.iter().map(|r| (format!("{user} {}", r.id()), r.score().to_bits())));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Restarted from a file, before and after the next refresh, it says what it would have said without.
    #[test]
    fn a_restart_is_not_noticed(first in deeds(20), saved in deeds(15), tail in deeds(10), later in deeds(10)) {
        let folder = Scratch::new();
        let store = Store::open(folder.path(), 2).unwrap();
        let run = Run::new(1);
        let log = Arc::new(MemoryLog::default());
        let live = open(Arc::clone(&log), config(&store), 0);
        record(&live, &first);
        live.refresh(at(1_000), &run).unwrap();
        record(&live, &saved);
        live.refresh(at(1_001), &run).unwrap();
        live.save().unwrap();
        record(&live, &tail);
        let again = open(Arc::clone(&log), config(&store), 1_002);
        prop_assert!(again.origin().generation.is_some(), "{:?}", again.origin());
        prop_assert_eq!(again.origin().replayed, log.state().unwrap().end.get() - again.recommender().snapshot().covers().get());
        prop_assert_eq!(told(&again), told(&live));
        for live in [&live, &again] {
            live.refresh(at(1_003), &run).unwrap();
        }
        prop_assert_eq!(told(&again), told(&live));
        record(&live, &later);
        // The log is shared: what one recorded, the other takes in with a refresh.
        for live in [&live, &again] {
            live.refresh(at(1_004), &run).unwrap();
        }
        prop_assert_eq!(told(&again), told(&live));
        live.save().unwrap();
        let first = std::fs::read(store.path(store.generations().unwrap().pop().unwrap())).unwrap();
        again.save().unwrap();
        let second = std::fs::read(store.path(store.generations().unwrap().pop().unwrap())).unwrap();
        prop_assert_eq!(first, second, "and files, byte for byte");
    }

    /// Law 8 on files. Two histories differ in one shopper, who is then forgotten: the files are equal, byte for byte.
    /// And against a history in which the shopper never was, everything is but the log's numbering: the cursor that is
    /// covered, the epoch, and the lineage that is named after it.
    #[test]
    fn forgotten_is_never_seen_on_disk(
        deeds in prop::collection::vec((0usize..5, 0usize..6, 0usize..4, 0i64..500, any::<bool>(), 0usize..6), 1..25),
    ) {
        let save = |recorded: &[Event<'_>], forgotten: Option<&str>| {
            let folder = Scratch::new();
            let store = Store::open(folder.path(), 2).unwrap();
            let live = open(MemoryLog::default(), config(&store), 0);
            live.record(recorded, at(600), Durability::Memory).unwrap();
            live.refresh(at(900), &Run::new(1)).unwrap();
            if let Some(user) = forgotten {
                live.save().unwrap();
                let certificate = live.forget(user).unwrap();
                assert_eq!(certificate.files.len(), 1);
                assert!(store.generations().unwrap().is_empty());
                assert!(matches!(live.save().unwrap_err(), LiveError::Store(StoreError::Superseded { .. })));
                assert!(store.generations().unwrap().is_empty());
            }
            live.refit(at(1_000), &Run::new(1)).unwrap();
            let generation = live.save().unwrap();
            std::fs::read(store.path(generation)).unwrap()
        };
        // Somebody else, with other deeds at the same places of the log, whom nobody but them is to tell from each other.
        let history = |user: &'static str, shift: usize| -> Vec<Event<'static>> {
            let of = |&(other, item, kind, s, secret, unseen): &(usize, usize, usize, i64, bool, usize)| {
                if !secret {
                    return event((other, item, kind, s));
                }
                let item = ["secret-1", "secret-2", "mug", "tea", "saw", "hat"][(unseen + shift) % 6];
                Event::new(Shopper::Profiled(who(user)), item, KINDS[(kind + shift) % 4], at(s + shift as i64)).session(user)
            };
            deeds.iter().map(of).collect()
        };
        let a = save(&history("ursula", 0), Some("ursula"));
        let b = save(&history("viktor", 1), Some("viktor"));
        prop_assert!(a == b, "the file tells who was forgotten");
        for secret in ["ursula", "secret-1", "secret-2"] {
            prop_assert!(!a.windows(secret.len()).any(|w| w == secret.as_bytes()), "{} is in the file", secret);
        }
        let others: Vec<Event<'_>> =
            deeds.iter().filter(|deed| !deed.4).map(|&(user, item, kind, s, ..)| event((user, item, kind, s))).collect();
        let never = save(&others, None);
        let parts = |file: &[u8]| {
            let file = Container::from_bytes(file, Verify::Now).unwrap();
            let columns: BTreeMap<String, Vec<u8>> =
                file.sections().map(|section| (section.name.to_owned(), section.bytes.to_vec())).collect();
            let values: BTreeMap<String, String> =
                file.values().map(|(name, value)| (name.to_owned(), value)).collect();
            (columns, values)
        };
        let ((columns, values), (never_columns, never_values)) = (parts(&a), parts(&never));
        prop_assert_eq!(columns, never_columns);
        prop_assert!(values.keys().eq(never_values.keys()));
        for (name, value) in &values {
            let numbering = ["covers", "live/epoch", "live/last_event"].contains(&name.as_str()) || name.ends_with("lineage");
            prop_assert!(numbering || never_values[name] == *value, "{} {} {}", name, value, never_values[name]);
        }
    }
}

#[test]
fn a_damaged_generation_is_told_and_the_one_before_served() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 3).unwrap();
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config(&store), 0);
    record(&live, &[(0, 0, 2, 1), (0, 1, 2, 2), (1, 0, 2, 3)]);
    live.refresh(at(1_000), &Run::new(1)).unwrap();
    let first = live.save().unwrap();
    record(&live, &[(2, 0, 2, 5), (2, 3, 2, 6)]);
    live.refresh(at(1_001), &Run::new(1)).unwrap();
    let second = live.save().unwrap();
    let mut bytes = std::fs::read(store.path(second)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(store.path(second), &bytes).unwrap();
    let again = open(Arc::clone(&log), config(&store), 1_002);
    let origin = again.origin();
    assert_eq!((origin.generation, origin.replayed), (Some(first), 2));
    assert!(matches!(&origin.skipped[..], [(generation, why)] if *generation == second && why.contains("damaged")));
    again.refresh(at(1_003), &Run::new(1)).unwrap();
    live.refresh(at(1_003), &Run::new(1)).unwrap();
    assert_eq!(told(&again), told(&live));
    // With both gone, the log is enough.
    std::fs::write(store.path(first), b"nothing").unwrap();
    let rebuilt = open(Arc::clone(&log), config(&store), 1_004);
    assert_eq!((rebuilt.origin().generation, rebuilt.origin().skipped.len()), (None, 2));
    rebuilt.refresh(at(1_003), &Run::new(1)).unwrap();
    assert_eq!(told(&rebuilt), told(&live));
}

#[test]
fn other_recipes_weights_and_logs_are_fitted_anew() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 3).unwrap();
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config(&store), 0);
    record(&live, &[(0, 0, 2, 1), (0, 1, 2, 2), (1, 0, 2, 3)]);
    live.refresh(at(1_000), &Run::new(1)).unwrap();
    live.save().unwrap();
    let fewer = Lineup::new().fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh);
    let why = |live: &Live<Arc<MemoryLog>>| {
        assert_eq!(live.origin().generation, None);
        live.origin().skipped[0].1.clone()
    };
    let other = open(Arc::clone(&log), LiveConfig::new(fewer).store(store.clone(), Codecs::default()), 1_000);
    assert!(why(&other).contains("lineup"), "{}", why(&other));
    let weights = EventWeights::default().with(EventKind::View, KindWeight { weight: 9.0, ..KindWeight::default() });
    let other = open(Arc::clone(&log), config(&store).weights(weights.check().unwrap()), 1_000);
    assert!(why(&other).contains("weights"), "{}", why(&other));
    let other = open(Arc::new(MemoryLog::default()), config(&store), 1_000);
    assert!(why(&other).contains("another log"), "{}", why(&other));
    let none = Live::open(Arc::clone(&log), LiveConfig::new(lineup()), at(1_000), &Run::new(1)).unwrap();
    assert!(matches!(none.save().unwrap_err(), LiveError::NoStore));
    // A merge is another epoch: what was saved before says otherwise.
    live.merge(Shopper::Profiled(who("bob")), who("ann")).unwrap();
    let other = open(Arc::clone(&log), config(&store), 1_000);
    assert!(why(&other).contains("epoch"), "{}", why(&other));
}

#[test]
fn it_opens_by_map_and_keeps_the_catalogue() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 3).unwrap();
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config(&store), 0);
    record(&live, &[(0, 0, 2, 1), (0, 1, 2, 2), (1, 0, 2, 3), (2, 3, 0, 4)]);
    live.refresh(at(1_000), &Run::new(1)).unwrap();
    let mut builder = CatalogBuilder::default();
    builder.add(&ItemRecord::new("mug").price(7.5)).unwrap();
    builder.add(&ItemRecord::new("new").price(1.0)).unwrap();
    live.set_catalog(Arc::new(builder.build())).unwrap();
    live.save().unwrap();
    let mapped = LiveConfig::new(lineup()).mapped_store(store.clone(), Codecs::default());
    let again = open(Arc::clone(&log), mapped, 1_000);
    assert_eq!(told(&again), told(&live));
    let snapshot = again.recommender().snapshot();
    assert_eq!(snapshot.shelf().catalog().price_of("mug"), Some(7.5));
    // Columns are the file's, not the heap's.
    let heap = |live: &Live<Arc<MemoryLog>>| {
        let report = live.report().memory;
        report
            .parts()
            .filter(|(part, _)| *part == "dataset/events" || *part == "dataset/event weights")
            .map(|p| p.1)
            .sum::<usize>()
    };
    assert!(heap(&live) > 0 && heap(&again) == 0);
    record(&again, &[(3, 2, 2, 9)]);
    again.refresh(at(1_001), &Run::new(1)).unwrap();
    live.refresh(at(1_001), &Run::new(1)).unwrap();
    assert_eq!(told(&again), told(&live));
    // The file may go; the map stays.
    store.erase_all().unwrap();
    assert_eq!(told(&again), told(&live));
}
