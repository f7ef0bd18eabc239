//! A recommender that records while it serves: what it says equals what a rebuild from its log says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use likewise::log::{Durability, EventLog, LogError, MemoryLog, Replay, Retention};
use likewise::*;
use proptest::prelude::*;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Contract)
}

fn event<'a>(user: &'a str, item: &'a str, kind: EventKind, s: i64) -> Event<'a> {
    Event::new(Shopper::Profiled(who(user)), item, kind, at(s))
}

fn lineup() -> Lineup {
    let co = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::default() };
    let als = AlsParams { factors: 4, iterations: 2, ..AlsParams::default() };
    Lineup::new()
        .model(co.check().unwrap(), 1.0, Refit::EveryRefresh)
        .model(TrendingParams::default().check().unwrap(), 0.3, Refit::EveryRefresh)
        .model(SessionKnnParams::default().check().unwrap(), 0.4, Refit::EveryRefresh)
        .model(als.check().unwrap(), 0.5, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh)
        .arranged(|ranker| ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None }))
}

fn open(config: LiveConfig) -> Live<MemoryLog> {
    Live::open(MemoryLog::default(), config, at(0), &Run::new(1)).unwrap()
}

/// Everything a shopper is told, to the last bit.
fn told<L: EventLog>(live: &Live<L>, user: &str, now: i64) -> Vec<(String, u32)> {
    let list = live.recommend(&Request::profiled(who(user), at(now)).k(20)).unwrap();
    list.iter().map(|r| (r.id().to_owned(), r.score().to_bits())).collect()
}

/// A live recommender opened on the same log, which has seen nothing of how it came about.
fn rebuilt<L: EventLog>(live: &Live<L>, now: i64) -> Live<&L> {
    Live::open(live.log(), LiveConfig::new(lineup()), at(now), &Run::new(1)).unwrap()
}

const USERS: [&str; 6] = ["ann", "bob", "cat", "dan", "eve", "fay"];
const ITEMS: [&str; 6] = ["mug", "tea", "saw", "hat", "pen", "jam"];
const KINDS: [EventKind; 4] = [EventKind::View, EventKind::AddToCart, EventKind::Purchase, EventKind::Return];

#[derive(Clone, Debug)]
enum Step {
    Record(Vec<(usize, usize, usize, i64)>),
    Refresh,
    Merge(usize, usize),
    Unmerge(usize),
    Forget(usize),
    Withdraw(usize),
    Reinstate(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec((0usize..6, 0usize..6, 0usize..4, 0i64..500), 1..8).prop_map(Step::Record),
        3 => Just(Step::Refresh),
        1 => (0usize..6, 0usize..6).prop_map(|(from, into)| Step::Merge(from, into)),
        1 => (0usize..6).prop_map(Step::Unmerge),
        1 => (0usize..6).prop_map(Step::Forget),
        1 => (0usize..6).prop_map(Step::Withdraw),
        1 => (0usize..6).prop_map(Step::Reinstate),
    ]
}

fn take<L: EventLog>(live: &Live<L>, step: &Step, now: i64) {
    match step {
        Step::Record(batch) => {
            // Late events among them: times jump back and forth.
            let events: Vec<Event<'_>> =
                batch.iter().map(|&(u, i, k, s)| event(USERS[u], ITEMS[i], KINDS[k], s)).collect();
            live.record(&events, at(now), Durability::Memory).unwrap();
        }
        Step::Refresh => drop(live.refresh(at(now), &Run::new(1)).unwrap()),
        Step::Merge(from, into) => drop(live.merge(Shopper::Profiled(who(USERS[*from])), who(USERS[*into]))),
        Step::Unmerge(from) => drop(live.unmerge(Shopper::Profiled(who(USERS[*from])))),
        Step::Forget(user) => drop(live.forget(USERS[*user]).unwrap()),
        Step::Withdraw(user) => live.withdraw(USERS[*user]).unwrap(),
        Step::Reinstate(user) => live.reinstate(who(USERS[*user])).unwrap(),
    }
}

/// Found by the property below: the account kept what a device did that was forgotten.
#[test]
fn an_account_goes_on_without_a_device_that_is_forgotten() {
    let live =
        open(LiveConfig::new(Lineup::new().model(RecentParams::default().check().unwrap(), 1.0, Refit::EveryRefresh)));
    live.record(&[event("zoe", "mug", EventKind::View, 0)], at(0), Durability::Memory).unwrap();
    live.refresh(at(1), &Run::new(1)).unwrap();
    live.merge(Shopper::Profiled(who("phone")), who("ann")).unwrap();
    live.record(&[event("phone", "mug", EventKind::View, 2)], at(2), Durability::Memory).unwrap();
    let seen = |now| told(&live, "ann", now)[0].1 > 0;
    assert!(seen(3));
    live.forget("phone").unwrap();
    assert!(!seen(4));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn incremental_equals_rebuilt(steps in prop::collection::vec(step(), 1..14)) {
        let live = open(LiveConfig::new(lineup()));
        for (step, now) in steps.iter().zip(1000..) {
            take(&live, step, now);
        }
        live.refresh(at(2000), &Run::new(1)).unwrap();
        let fresh = rebuilt(&live, 2000);
        for user in USERS {
            prop_assert_eq!(told(&live, user, 2000), told(&fresh, user, 2000), "{}", user);
        }
        prop_assert_eq!(live.report().events, 0);
    }

    /// Without another fit, the shopper's own history is already that of a rebuild.
    #[test]
    fn the_next_request_knows_the_whole_history(steps in prop::collection::vec(step(), 1..14)) {
        let history = Lineup::new().model(RecentParams::default().check().unwrap(), 1.0, Refit::EveryRefresh);
        let live = open(LiveConfig::new(history.clone()));
        // Every item is known from the start: an unknown one waits for the refresh.
        let all: Vec<Event<'_>> = ITEMS.iter().map(|item| event("zoe", item, EventKind::View, 0)).collect();
        live.record(&all, at(0), Durability::Memory).unwrap();
        live.refresh(at(1), &Run::new(1)).unwrap();
        for (step, now) in steps.iter().zip(1000..) {
            take(&live, step, now);
        }
        let views = |live: &Live<&MemoryLog>, user| told(live, user, 2000);
        let fresh = Live::open(live.log(), LiveConfig::new(history), at(2000), &Run::new(1)).unwrap();
        for user in USERS {
            // Returns are netted in a dataset only; without them both say the same.
            if !steps.iter().any(|s| matches!(s, Step::Record(b) if b.iter().any(|e| e.2 == 3))) {
                prop_assert_eq!(told(&live, user, 2000), views(&fresh, user), "{}", user);
            }
        }
    }

    #[test]
    fn forgotten_is_never_seen(batch in prop::collection::vec((0usize..6, 0usize..6, 0usize..4, 0i64..500), 1..40), gone in 0usize..6) {
        let (live, without) = (open(LiveConfig::new(lineup())), open(LiveConfig::new(lineup())));
        for &(u, i, k, s) in &batch {
            let event = [event(USERS[u], ITEMS[i], KINDS[k], s)];
            live.record(&event, at(s), Durability::Memory).unwrap();
            if u != gone {
                without.record(&event, at(s), Durability::Memory).unwrap();
            }
        }
        live.refresh(at(600), &Run::new(1)).unwrap();
        let certificate = live.forget(USERS[gone]).unwrap();
        prop_assert_eq!(certificate.events as usize, batch.iter().filter(|e| e.0 == gone).count());
        // At once: whoever asks in that name is a stranger.
        let stranger: Vec<(String, u32)> = told(&live, "stranger", 600);
        prop_assert_eq!(told(&live, USERS[gone], 600), stranger);
        live.refresh(at(600), &Run::new(1)).unwrap();
        without.refresh(at(600), &Run::new(1)).unwrap();
        for user in USERS {
            prop_assert_eq!(told(&live, user, 600), told(&without, user, 600), "{}", user);
        }
    }
}

#[test]
fn the_very_next_request_filters_and_folds_in() {
    let live = open(LiveConfig::new(lineup()));
    let bought = [
        ("ann", "tea"),
        ("ann", "mug"),
        ("bob", "tea"),
        ("bob", "mug"),
        ("bob", "jam"),
        ("cat", "saw"),
        ("cat", "hat"),
    ];
    let events: Vec<Event<'_>> = bought.iter().map(|(u, i)| event(u, i, EventKind::Purchase, 10)).collect();
    live.record(&events, at(10), Durability::Disk).unwrap();
    live.refresh(at(11), &Run::new(1)).unwrap();
    let before = told(&live, "eve", 20);
    let recorded = live.record(&[event("eve", "tea", EventKind::Purchase, 20)], at(20), Durability::Disk).unwrap();
    assert_eq!(recorded.lag, 1);
    let after = told(&live, "eve", 20);
    assert!(before.iter().any(|(id, _)| id == "tea") && !after.iter().any(|(id, _)| id == "tea"), "bought: not again");
    assert_eq!(after[0].0, "mug");
    // Explained from the same evidence.
    let request = Request::profiled(who("eve"), at(20)).k(5);
    let explained = live.answer(&request, |snapshot, request| snapshot.explain(request, "mug").unwrap());
    assert!(matches!(explained.fate, Fate::Listed { position: 0, .. }), "{explained:?}");
    // And told in terms of what she did.
    let whys = live.why(&request).unwrap();
    let listed = live.recommend(&request).unwrap();
    assert_eq!(whys.len(), listed.iter().count());
    for (why, item) in whys.iter().zip(listed.iter()) {
        assert_eq!((&*why.item, why.score), (item.id(), item.score()));
        let parts = why.because.iter().map(|b| b.value).chain(why.otherwise.iter().map(|o| o.value));
        let sum: f32 = parts.sum();
        assert!((sum - why.score).abs() <= 1e-4 * why.score.abs().max(1.0), "{why:?}");
    }
    assert_eq!(whys[0].because[0].item, "tea");
    assert_eq!(whys[0].because[0].events, [(EventKind::Purchase, at(20))]);
    let text = whys[0].text(&|id| format!("the {id}"));
    assert!(text.starts_with("the mug: because you bought the tea on 1970-01-01"), "{text}");
}

#[test]
fn who_withdraws_is_a_stranger_at_once_and_comes_back_whole() {
    let live = open(LiveConfig::new(lineup()));
    let bought = [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "jam"), ("cat", "saw")];
    let events: Vec<Event<'_>> = bought.iter().map(|(u, i)| event(u, i, EventKind::Purchase, 10)).collect();
    live.record(&events, at(10), Durability::Disk).unwrap();
    live.refresh(at(11), &Run::new(1)).unwrap();
    let (hers, stranger) = (told(&live, "ann", 20), told(&live, "nobody", 20));
    live.withdraw("ann").unwrap();
    assert_eq!(told(&live, "ann", 20), stranger);
    let recorded = live.record(&[event("ann", "saw", EventKind::View, 20)], at(20), Durability::Disk).unwrap();
    assert_eq!((recorded.appended.accepted, recorded.appended.rejected.len()), (0, 1));
    assert_eq!(told(&live, "ann", 20), stranger);
    assert_eq!(live.export("ann").unwrap().events.len(), 2);
    live.refresh(at(11), &Run::new(1)).unwrap();
    assert!(live.recommender().snapshot().dataset().user("ann").is_none());
    live.reinstate(who("ann")).unwrap();
    assert!(told(&live, "ann", 20).iter().all(|r| r.0 != "tea"), "what she bought is known again at once");
    live.refresh(at(11), &Run::new(1)).unwrap();
    assert_eq!(told(&live, "ann", 20), hers);
}

#[test]
fn devices_become_one_and_two_again() {
    let live = open(LiveConfig::new(lineup()));
    let events = [
        event("bob", "tea", EventKind::View, 1),
        event("bob", "mug", EventKind::View, 2),
        event("phone", "tea", EventKind::View, 3),
    ];
    live.record(&events, at(3), Durability::Disk).unwrap();
    live.refresh(at(4), &Run::new(1)).unwrap();
    let (apart, phone) = (told(&live, "ann", 5), told(&live, "phone", 5));
    live.merge(Shopper::Profiled(who("phone")), who("ann")).unwrap();
    assert_eq!(told(&live, "ann", 5).first().map(|r| &*r.0), Some("mug"), "what the phone saw counts at once");
    assert_eq!(told(&live, "phone", 5), apart);
    live.record(&[event("phone", "mug", EventKind::Purchase, 6)], at(6), Durability::Disk).unwrap();
    assert!(told(&live, "ann", 6).iter().all(|r| r.0 != "mug"), "and what it does from now on");
    assert!(matches!(
        live.merge(Shopper::Profiled(who("ann")), who("phone")),
        Err(LiveError::Log(LogError::Cycle { .. }))
    ));
    live.unmerge(Shopper::Profiled(who("phone"))).unwrap();
    assert_eq!(told(&live, "ann", 6), apart);
    assert_ne!(told(&live, "phone", 6), phone, "the purchase is the phone's own");
    assert!(matches!(live.unmerge(Shopper::Profiled(who("phone"))), Err(LiveError::Log(LogError::NotMerged { .. }))));
}

#[test]
fn retention_reaches_log_counts_and_history() {
    let retention = Retention::default().window(KindSet::of(&[EventKind::View]), Span::secs(100));
    let live = open(LiveConfig::new(lineup()).retention(retention));
    live.record(
        &[event("ann", "mug", EventKind::View, 10), event("ann", "tea", EventKind::Purchase, 10)],
        at(10),
        Durability::Disk,
    )
    .unwrap();
    assert_eq!(live.refresh(at(110), &Run::new(1)).unwrap().expired, 0);
    let refreshed = live.refresh(at(111), &Run::new(1)).unwrap();
    assert_eq!(refreshed.expired, 1);
    assert_eq!(live.log().state().unwrap().events, 1);
    assert!(live.recommender().snapshot().dataset().item("mug").is_none());
}

#[test]
fn policies_say_which_models_are_fitted() {
    let popular = || PopularityParams { name: "often".to_owned(), ..PopularityParams::default() }.check().unwrap();
    let lineup = Lineup::new()
        .model(CoOccurrenceParams::default().check().unwrap(), 1.0, Refit::EveryRefresh)
        .model(TrendingParams::default().check().unwrap(), 1.0, Refit::After { events: 3 })
        .model(RecentParams::default().check().unwrap(), 1.0, Refit::Older { than: Span::secs(50) })
        .fallback(popular(), Refit::ByHand);
    let live = open(LiveConfig::new(lineup));
    let refresh = |now| live.refresh(at(now), &Run::new(1)).unwrap();
    let view = |s| live.record(&[event("ann", "mug", EventKind::View, s)], at(s), Durability::Disk).unwrap();
    view(1);
    assert_eq!((refresh(2).models, refresh(3).events), (1, 0));
    view(4);
    view(5);
    assert_eq!(refresh(6).models, 2, "three events since the second was fitted");
    assert_eq!(refresh(60).models, 2, "the third is old");
    assert_eq!(live.refit(at(61), &Run::new(1)).unwrap().models, 4);
    live.forget("ann").unwrap();
    assert_eq!(refresh(62).models, 4, "what was erased is in no model");
}

#[test]
fn fresh_events_are_capped_and_a_cancelled_refresh_changes_nothing() {
    let live = open(LiveConfig::new(lineup()).fresh_events(3));
    for s in 0..10 {
        live.record(&[event("ann", ITEMS[s as usize % 6], EventKind::View, s)], at(s), Durability::Memory).unwrap();
    }
    let report = live.report();
    assert_eq!((report.profiles, report.events), (1, 3));
    let stop = AtomicBool::new(true);
    let cancelled = live.refresh(at(20), &Run::new(1).cancel(&stop));
    assert!(matches!(cancelled, Err(LiveError::Fit(FitError::Cancelled(_)))));
    assert_eq!((live.recommender().snapshot().generation(), live.report().events), (1, 3));
    let mut rounds = 0;
    live.keep_fresh(
        &Run::new(1),
        || at(30),
        |_| {
            rounds += 1;
            if rounds == 3 { Flow::Stop } else { Flow::Continue }
        },
    )
    .unwrap();
    assert_eq!((rounds, live.recommender().snapshot().generation(), live.report().events), (3, 4, 0));
}

/// Readers at full rate while events are recorded and snapshots are swapped: every list is of exactly one generation.
#[test]
fn no_reader_sees_half_a_swap() {
    let live = Arc::new(open(LiveConfig::new(lineup())));
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for user in &USERS[..4] {
            let (live, stop, reads) = (&live, &stop, &reads);
            scope.spawn(move || {
                let mut last = 0;
                let mut ws = Workspace::default();
                while !stop.load(Ordering::Relaxed) {
                    let request = Request::profiled(who(user), at(10_000)).k(5);
                    let list = live.recommend_with(&request, &mut ws).unwrap();
                    assert!(list.generation() >= last, "generations do not go back");
                    last = list.generation();
                    let snapshot = list.snapshot();
                    assert!(list.iter().all(|r| snapshot.item(r.id()) == Some(r.item())), "ids of another generation");
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..40 {
            for n in 0..20 {
                let (u, i) = ((round * 7 + n) % 6, (round + n * 5) % 6);
                live.record(
                    &[event(USERS[u], ITEMS[i], KINDS[n % 3], round as i64)],
                    at(round as i64),
                    Durability::Memory,
                )
                .unwrap();
            }
            if round % 9 == 8 {
                live.forget(USERS[round % 6]).unwrap();
            }
            live.refresh(at(round as i64), &Run::new(1)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 100);
}

#[test]
fn a_dataset_of_the_log_is_that_of_the_snapshot() {
    let live = open(LiveConfig::new(lineup()));
    live.record(
        &[event("ann", "mug", EventKind::View, 1), event("bob", "tea", EventKind::View, 2)],
        at(2),
        Durability::Disk,
    )
    .unwrap();
    live.refresh(at(3), &Run::new(1)).unwrap();
    let mut builder = DatasetBuilder::default().as_of(at(3));
    builder.ingest(Replay::new(live.log())).unwrap();
    assert_eq!(format!("{:?}", builder.finish().unwrap()), format!("{:?}", live.recommender().snapshot().dataset()));
    assert_eq!(live.export("ann").unwrap().events.len(), 1);
}

/// Two processes over one log, as two recommenders: what one is told of identities, the other goes by from its next refresh.
#[test]
fn a_merge_by_another_process_counts_after_the_next_refresh() {
    let log = Arc::new(MemoryLog::default());
    let [here, there] = [(); 2].map(|()| {
        let config = LiveConfig::new(lineup());
        Live::open(Arc::clone(&log), config, at(0), &Run::new(1)).unwrap()
    });
    let view = |user, item, s| Event::new(Shopper::Profiled(who(user)), item, EventKind::View, at(s));
    here.record(&[view("old", "mug", 1), view("new", "tea", 2)], at(2), Durability::Memory).unwrap();
    there.merge(Shopper::Profiled(who("old")), who("new")).unwrap();
    here.refresh(at(3), &Run::new(1)).unwrap();
    let known = |user: &str| here.answer(&Request::profiled(who(user), at(9)), |_, request| format!("{request:?}"));
    here.record(&[view("old", "saw", 4)], at(4), Durability::Memory).unwrap();
    assert!(known("new").contains("saw") && !known("old").contains("saw"), "{} {}", known("new"), known("old"));
    there.unmerge(Shopper::Profiled(who("old"))).unwrap();
    here.refresh(at(5), &Run::new(1)).unwrap();
    here.record(&[view("old", "hat", 6)], at(6), Durability::Memory).unwrap();
    assert!(!known("new").contains("hat") && known("old").contains("hat"));
    // Who is forgotten there is gone here with the refresh, and a new event of theirs is all there is.
    there.forget("old").unwrap();
    here.refresh(at(7), &Run::new(1)).unwrap();
    assert!(here.recommender().snapshot().dataset().user("old").is_none() && !known("old").contains("hat"));
}
