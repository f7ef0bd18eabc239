//! Bounded memory: what is held under caps is the newest, the same whether it grew or was read again; a budget is kept.

use std::sync::Arc;

use likewise::log::{Durability, EventLog, MemoryLog};
use likewise::serve::Codecs;
use likewise::*;
use proptest::prelude::*;

use crate::persist::Scratch;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Contract)
}

fn view<'a>(user: &'a str, item: &'a str, s: i64) -> Event<'a> {
    Event::new(Shopper::Profiled(who(user)), item, EventKind::View, at(s))
}

fn lineup() -> Lineup {
    let co = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::default() };
    Lineup::new()
        .model(co.check().unwrap(), 1.0, Refit::EveryRefresh)
        .model(TrendingParams::default().check().unwrap(), 0.3, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh)
}

fn caps(row_events: u32, item_events: u32, events: u32) -> Checked<HistoryCaps> {
    HistoryCaps { row_events, item_events, events }.check().unwrap()
}

fn open<L: EventLog>(log: L, config: LiveConfig) -> Live<L> {
    Live::open(log, config, at(0), &Run::new(1)).unwrap()
}

/// An event by numbers: shopper, item, time, and whether it is a search instead.
type Deed = (u32, u32, i64, bool);

fn record<L: EventLog>(live: &Live<L>, deeds: &[Deed]) {
    for &(user, item, s, search) in deeds {
        let (user, item, session) = (format!("u{user}"), format!("i{item}"), format!("visit {user} {s}"));
        let mut event = view(&user, &item, s).session(&session);
        if search {
            event = Event::new(event.shopper, "", EventKind::Search, at(s)).query(&item);
        }
        live.record(&[event], at(s), Durability::Memory).unwrap();
    }
}

fn refresh<L: EventLog>(live: &Live<L>) -> Refreshed {
    live.refresh(at(100_000), &Run::new(1)).unwrap()
}

/// Everything of a state: the numbering's name, the dataset, and what everybody is told to the last bit.
fn state<L: EventLog>(live: &Live<L>) -> (Lineage, String, Vec<(String, u32)>) {
    let (held, told) = contents(live);
    (live.recommender().snapshot().dataset().lineage(), held, told)
}

/// The same without the name.
fn contents<L: EventLog>(live: &Live<L>) -> (String, Vec<(String, u32)>) {
    let snapshot = live.recommender().snapshot();
    let data = snapshot.dataset();
    let mut told = Vec::new();
    for user in data.users().map(|user| data.user_key(user)).chain(["nobody"]) {
        let list = live.recommend(&Request::profiled(who(user), at(100_000)).k(10)).unwrap();
        told.extend(list.iter().map(|r| (format!("{user} {}", r.id()), r.score().to_bits())));
    }
    let mut held = format!("{:?}", data.summary());
    let ids: Vec<&str> = data.item_keys().collect();
    held += &format!("{ids:?}");
    for row in 0..data.n_rows() as u32 {
        let row = UserIdx::new(row);
        let (events, searches) = (data.events_of(row), data.searches_of(row));
        let (sessions, events): (_, Vec<_>) = (events.sessions(), events.iter().collect());
        held += &format!("{} {sessions:?} {events:?} {:?}", data.user_key(row), searches.collect::<Vec<_>>());
    }
    (held, told)
}

/// What a shopper is known to have done: item and time, oldest first.
fn known<L: EventLog>(live: &Live<L>, user: &str) -> Vec<(String, i64)> {
    let snapshot = live.recommender().snapshot();
    let data = snapshot.dataset();
    let row = data.user(user).map(|user| data.events_of(user));
    row.into_iter()
        .flat_map(|row| row.iter())
        .map(|e| (data.item_key(e.item).to_owned(), e.at.millis() / 1000))
        .collect()
}

/// The slow twin: sorts everything, in the documented order of eviction.
fn twin(deeds: &[Deed], row: usize, item: usize, all: usize) -> Vec<(u32, String, i64)> {
    let mut events: Vec<(i64, usize, u32, u32)> = deeds
        .iter()
        .enumerate()
        .filter(|(_, deed)| !deed.3)
        .map(|(place, &(user, item, s, _))| (s, place, user, item))
        .collect();
    events.sort_unstable();
    events.reverse();
    let cap = |events: Vec<(i64, usize, u32, u32)>, most: usize, of: fn(&(i64, usize, u32, u32)) -> u32| {
        let mut seen = std::collections::BTreeMap::<u32, usize>::new();
        let keep = |event: &(i64, usize, u32, u32)| {
            let n = seen.entry(of(event)).or_default();
            *n += 1;
            *n <= most
        };
        events.into_iter().filter(keep).collect::<Vec<_>>()
    };
    let events = cap(cap(cap(events, row, |e| e.2), item, |e| e.3), all, |_| 0);
    events.into_iter().rev().map(|(s, _, user, item)| (user, format!("i{item}"), s)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Below the first sweep all three caps are those of the slow twin.
    #[test]
    fn the_newest_are_kept(
        deeds in prop::collection::vec((0u32..5, 0u32..5, 0i64..40, prop::bool::weighted(0.1)), 0..60),
        row in 1u32..12, item in 1u32..12, all in 1u32..40,
    ) {
        let history = Lineup::new().model(RecentParams::default().check().unwrap(), 1.0, Refit::EveryRefresh);
        let live = open(MemoryLog::default(), LiveConfig::new(history).caps(caps(row, item, all)));
        record(&live, &deeds);
        let refreshed = refresh(&live);
        let expected = twin(&deeds, row as usize, item as usize, all as usize);
        let mut held = 0;
        for user in 0..5u32 {
            let own: Vec<(String, i64)> =
                expected.iter().filter(|e| e.0 == user).map(|(_, item, s)| (item.clone(), *s)).collect();
            held += own.len();
            prop_assert_eq!(known(&live, &format!("u{user}")), own, "u{}", user);
        }
        let searches = live.recommender().snapshot().dataset().summary().searches;
        prop_assert_eq!(refreshed.evicted as usize + held + searches, deeds.len(), "kept and evicted are all");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Through sweeps and renumberings, with refreshes wherever: the caps of a shopper and of all are exact.
    #[test]
    fn sweeps_keep_the_newest(
        deeds in prop::collection::vec((0u32..40, 0u32..30, 0i64..4000, prop::bool::weighted(0.1)), 300..600),
        row in 1u32..8, all in 20u32..150, every in 20usize..200,
    ) {
        let history = Lineup::new().model(RecentParams::default().check().unwrap(), 1.0, Refit::EveryRefresh);
        let live = open(MemoryLog::default(), LiveConfig::new(history).caps(caps(row, u32::MAX, all)));
        for chunk in deeds.chunks(every) {
            record(&live, chunk);
            refresh(&live);
        }
        let expected = twin(&deeds, row as usize, usize::MAX, all as usize);
        for user in 0..40u32 {
            let own: Vec<(String, i64)> =
                expected.iter().filter(|e| e.0 == user).map(|(_, item, s)| (item.clone(), *s)).collect();
            prop_assert_eq!(known(&live, &format!("u{user}")), own, "u{}", user);
        }
    }

    /// Incremental == rebuilt == restarted, bit for bit, with all caps on, shoppers and items that come and go, merges and erasures.
    #[test]
    fn grown_equals_read_again(
        deeds in prop::collection::vec((0u32..12, 0u32..12, 0i64..60, prop::bool::weighted(0.1)), 200..450),
        row in 2u32..10, item in 3u32..30, all in 30u32..90, every in 15usize..90, shift in 1u32..6,
    ) {
        // Who comes later is somebody else: ids die.
        let deeds: Vec<Deed> = deeds
            .iter()
            .enumerate()
            .map(|(n, &(user, item, s, search))| {
                let era = n as u32 / 40 * shift;
                (user + 2 * era, item + era, s + 30 * i64::from(era), search)
            })
            .collect();
        let folder = Scratch::new();
        let store = Store::open(folder.path(), 2).unwrap();
        let config = || LiveConfig::new(lineup()).caps(caps(row, item, all));
        let log = Arc::new(MemoryLog::default());
        let live = open(Arc::clone(&log), config().store(store, Codecs::default()));
        let chunks = deeds.chunks(every).count();
        let mut restarted = None;
        for (n, chunk) in deeds.chunks(every).enumerate() {
            record(&live, chunk);
            refresh(&live);
            if n == chunks / 2 {
                live.forget("u1").unwrap();
                drop(live.merge(Shopper::Profiled(who("u2")), who("u3")));
                refresh(&live);
                live.save().unwrap();
                restarted = Some(open(Arc::clone(&log), config().store(Store::open(folder.path(), 2).unwrap(), Codecs::default())));
            }
        }
        let again = open(Arc::clone(&log), config());
        refresh(&again);
        prop_assert_eq!(state(&live), state(&again));
        let restarted = restarted.unwrap();
        prop_assert!(restarted.origin().generation.is_some(), "{:?}", restarted.origin());
        refresh(&restarted);
        prop_assert_eq!(state(&restarted), state(&again));
        let data = Arc::clone(again.recommender().snapshot().dataset());
        prop_assert!(data.n_events() <= all as usize);
        prop_assert!(data.users().all(|user| data.events_of(user).len() <= row as usize));
    }
}

/// A stream in which everybody and everything is new after a while.
fn stream(n: i64) -> Deed {
    let n32 = n as u32;
    (n32 / 8 + n32.wrapping_mul(2_654_435_761) % 40, n32 / 20 + n32.wrapping_mul(40_503) % 25, n, n % 17 == 0)
}

#[test]
fn ids_do_not_pile_up() {
    let live = open(MemoryLog::default(), LiveConfig::new(lineup()).caps(caps(50, u32::MAX, 400)));
    let mut most = 0;
    for round in 0..12i64 {
        let deeds: Vec<Deed> = (round * 1_000..(round + 1) * 1_000).map(stream).collect();
        record(&live, &deeds);
        refresh(&live);
        let (data, report) = (Arc::clone(live.recommender().snapshot().dataset()), live.memory_report());
        assert!(data.n_events() <= 400 && data.n_rows() < 1_200 && data.n_items() < 1_200, "{:?}", data.summary());
        let keys: usize = report.parts().filter(|(part, _)| part.contains("keys")).map(|(_, bytes)| bytes).sum();
        if round < 4 {
            most = most.max(keys);
        }
        assert!(keys <= 2 * most, "{keys} bytes of keys, {most} before");
    }
    assert_eq!(live.log().state().unwrap().events, 12_000, "the log has them all");
}

#[test]
fn a_budget_is_kept_and_serving_goes_on() {
    let budget: MemoryBudget = "1MiB".parse().unwrap();
    let config = || LiveConfig::new(lineup()).budget(budget);
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config());
    for round in 0..6i64 {
        let deeds: Vec<Deed> = (round * 2_500..(round + 1) * 2_500).map(stream).collect();
        record(&live, &deeds);
        assert!(live.memory_report().total() as u64 <= budget.bytes(), "{}", live.memory_report());
        let refreshed = refresh(&live);
        let report = live.report();
        assert!(report.memory.total() as u64 <= budget.bytes() / 4 * 3, "{}", report.memory);
        assert_eq!((report.events, report.let_go, report.budget), (0, 0, Some(budget)));
        assert_eq!(log.state().unwrap().events, (round as u64 + 1) * 2_500);
        let data = Arc::clone(live.recommender().snapshot().dataset());
        assert!(data.n_events() > 100 && data.n_events() <= report.events_cap as usize, "{}", data.summary());
        assert_eq!(refreshed.covers, log.state().unwrap().end);
        let (user, _, now, _) = stream(round * 2_500 + 2_499);
        assert!(live.recommend(&Request::profiled(who(&format!("u{user}")), at(now)).k(5)).unwrap().iter().count() > 0);
    }
    let report = live.report();
    assert!(report.events_cap < 15_000, "it was lowered");
    // Who opens anew ends within the budget too.
    let again = open(Arc::clone(&log), config());
    assert!(again.memory_report().total() as u64 <= budget.bytes() / 2, "{}", again.memory_report());
    assert!(again.recommender().snapshot().dataset().n_events() > 100);
}

fn catalogue(items: u32) -> Arc<Catalog> {
    let mut builder = CatalogBuilder::default();
    for n in 0..items {
        builder.add(&ItemRecord::new(format!("item number {n} of a catalogue")).price(1.0)).unwrap();
    }
    Arc::new(builder.build())
}

/// A catalogue that grows takes room from the events, and one that shrinks gives it back. Whenever the cap rose, and
/// however the log grew since, the state is that of the same cap from the start.
#[test]
fn the_cap_on_all_events_falls_and_rises_with_the_room_there_is() {
    let budget: MemoryBudget = "1MiB".parse().unwrap();
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), LiveConfig::new(lineup()).budget(budget));
    let (mut caps_seen, mut rises, mut n) = (Vec::new(), 0, 0i64);
    let mut raised_to = None;
    for (items, rounds) in [(1, 4), (1_800, 4), (1, 16), (1_800, 4), (1, 16)] {
        live.set_catalog(catalogue(items)).unwrap();
        for _ in 0..rounds {
            record(&live, &(n..n + 400).map(stream).collect::<Vec<_>>());
            n += 400;
            let before = live.report().events_cap;
            let refreshed = refresh(&live);
            assert_eq!(refreshed.events, 400, "read again or not, so many came");
            let report = live.report();
            assert!(report.memory.total() as u64 <= budget.bytes() / 4 * 3, "{}", report.memory);
            let after = report.events_cap;
            if after > before {
                assert!(after <= before.saturating_mul(4));
                rises += 1;
                raised_to = Some(after);
            } else if after < before {
                raised_to = None; // what was let go of then is not what would have been from the start
            }
            if raised_to == Some(after) {
                let config = LiveConfig::new(lineup()).caps(caps(10_000, u32::MAX, after)).catalog(catalogue(items));
                let twin = open(Arc::clone(&log), config);
                refresh(&twin);
                let steps = (before, after, &caps_seen);
                assert!(contents(&live) == contents(&twin), "{steps:?}, {items} items, {n} events");
            }
        }
        caps_seen.push(live.report().events_cap);
    }
    let [small, large, small_again, large_again, last] = caps_seen[..] else { panic!("{caps_seen:?}") };
    assert!(large < small && small_again > large && large_again < small_again && last > large_again, "{caps_seen:?}");
    assert!((2..=12).contains(&rises), "{rises} rises to {caps_seen:?}");
    // A cap that was asked for is never exceeded.
    assert!(last < u32::MAX);
}

#[test]
fn fresh_events_beyond_their_share_wait_for_the_refresh() {
    let budget = MemoryBudget::new(1 << 20).unwrap();
    let live = open(MemoryLog::default(), LiveConfig::new(lineup()).budget(budget));
    for n in 0..4_000 {
        record(&live, &[(n, n % 30, i64::from(n), false)]);
    }
    let report = live.report();
    assert!(report.let_go > 1_000 && report.profiles < 3_000, "{report:?}");
    let fresh = report.memory.parts().find(|(part, _)| *part == "fresh events").unwrap().1;
    assert!(fresh as u64 <= budget.bytes() / 8, "{fresh}");
    // The latest are known at once, the others once they are in the dataset.
    let ask = |user: &str| live.why(&Request::profiled(who(user), at(5_000)).k(1)).unwrap();
    drop(ask("u3999"));
    refresh(&live);
    assert_eq!((live.report().let_go, live.report().profiles), (0, 0));
    assert!(!known(&live, "u3900").is_empty());
}

#[test]
fn what_never_fits_is_a_typed_error_and_the_last_state_is_served() {
    let live = open(MemoryLog::default(), LiveConfig::new(lineup()).budget(MemoryBudget::new(1 << 20).unwrap()));
    record(&live, &[(1, 1, 1, false), (1, 2, 2, false), (2, 1, 3, false)]);
    refresh(&live);
    let before = state(&live);
    let mut builder = CatalogBuilder::default();
    for n in 0..30_000 {
        builder.add(&ItemRecord::new(format!("item number {n} of a large catalogue")).price(1.0)).unwrap();
    }
    // The catalogue is served at once; the next refresh says that it takes too much.
    live.set_catalog(Arc::new(builder.build())).unwrap();
    let generation = live.recommender().snapshot().generation();
    record(&live, &[(3, 1, 4, false)]);
    let error = live.refresh(at(100_000), &Run::new(1)).unwrap_err();
    let LiveError::Budget { declared, needed } = error else { panic!("{error}") };
    assert!(declared == 1 << 20 && needed > 4 << 20, "{needed}");
    assert_eq!(live.recommender().snapshot().generation(), generation);
    live.set_catalog(Arc::default()).unwrap();
    assert_eq!(state(&live).1, before.1);
    assert_eq!(refresh(&live).events, 1, "nothing was lost");
}

#[test]
fn caps_of_nothing_are_refused() {
    let none = HistoryCaps { row_events: 0, ..HistoryCaps::default() };
    assert_eq!(none.check().unwrap_err().param, "row_events");
}

#[test]
fn other_caps_are_fitted_anew_and_the_report_has_every_part() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 2).unwrap();
    let config = |row| LiveConfig::new(lineup()).caps(caps(row, 900, 900)).store(store.clone(), Codecs::default());
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config(9));
    record(&live, &(0..200).map(stream).collect::<Vec<_>>());
    refresh(&live);
    live.merge(Shopper::Anonymous { session: "phone" }, who("u1")).unwrap();
    record(&live, &[(1, 1, 201, false)]);
    let report = live.memory_report();
    for part in ["dataset/events", "shelf/joins", "learning/events", "learning/session keys", "fresh events", "merges"]
    {
        assert!(report.parts().any(|(name, bytes)| name == part && bytes > 0), "{part} is not in\n{report}");
    }
    for model in ["co_view/", "trending", "popularity"] {
        assert!(
            report.parts().any(|(name, bytes)| name.starts_with(model) && bytes > 0),
            "{model} is not in\n{report}"
        );
    }
    refresh(&live);
    live.save().unwrap();
    let again = open(Arc::clone(&log), config(9));
    assert!(again.origin().generation.is_some());
    // Columns that lie in the file count as the file.
    let file = |live: &Live<Arc<MemoryLog>>| live.memory_report().parts().find(|part| part.0 == "file").unwrap().1;
    assert!(file(&again) > 10_000 && file(&live) == 0);
    assert!(again.memory_report().total() > live.memory_report().total() / 2);
    let other = open(Arc::clone(&log), config(8));
    assert!(other.origin().skipped[0].1.contains("caps"), "{:?}", other.origin());
}
