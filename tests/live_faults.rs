//! Faults through a live recommender: the error is typed, serving goes on from the last good state, nothing acknowledged is
//! lost, and a later try works. Here by a log that fails on command, in `live_disk.rs` by files that cannot grow; and what
//! else may come: deaths in the middle of an erasure, wrong clocks, deliveries twice.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use likewise::log::{
    Aliases, Appended, Cursor, Durability, Erasure, EventLog, LogError, LogState, Logged, MemoryLog, Retention, Scan,
};
use likewise::serve::Codecs;
use likewise::*;

use crate::persist::Scratch;

pub(crate) fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Contract)
}

pub(crate) fn buy<'a>(user: &'a str, item: &'a str, s: i64) -> Event<'a> {
    Event::new(Shopper::Profiled(who(user)), item, EventKind::Purchase, at(s))
}

pub(crate) fn lineup() -> Lineup {
    let co = CoOccurrenceParams {
        unit: PairUnit::Shopper,
        min_support: 1,
        shrinkage: 0.0,
        ..CoOccurrenceParams::co_purchase()
    };
    Lineup::new()
        .model(co.check().unwrap(), 1.0, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh)
        .arranged(|ranker| ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None }))
}

pub(crate) fn open<L: EventLog>(log: L, config: LiveConfig) -> Live<L> {
    Live::open(log, config, at(0), &Run::new(1)).unwrap()
}

pub(crate) fn refresh<L: EventLog>(live: &Live<L>) -> Result<Refreshed, LiveError> {
    live.refresh(at(1_000), &Run::new(1))
}

pub(crate) const HISTORY: [(&str, &str); 6] =
    [("ann", "tea"), ("ann", "mug"), ("bob", "mug"), ("bob", "saw"), ("cat", "tea"), ("cat", "jam")];

pub(crate) fn fill<L: EventLog>(live: &Live<L>) {
    let events: Vec<Event<'_>> = HISTORY.iter().map(|(user, item)| buy(user, item, 1)).collect();
    assert_eq!(live.record(&events, at(1), Durability::Disk).unwrap().appended.accepted, 6);
}

pub(crate) fn told<L: EventLog>(live: &Live<L>, user: &str) -> Vec<(String, u32)> {
    let list = live.recommend(&Request::profiled(who(user), at(1_000)).k(10)).unwrap();
    list.iter().map(|r| (r.id().to_owned(), r.score().to_bits())).collect()
}

/// What fails next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Fault {
    None,
    /// The disk is full: nothing was kept.
    Append,
    /// Reading breaks off in the middle.
    Scan,
    State,
    Merges,
    /// The erasure is done, and said to have failed.
    Erased,
    /// The erasure fails, and was not done.
    Erase,
    Expire,
}

/// A log that fails on command.
#[derive(Debug, Default)]
struct Faulty {
    inner: MemoryLog,
    fault: AtomicU32,
    /// Calls that go well before the fault.
    after: AtomicI64,
}

impl Faulty {
    fn fail(&self, fault: Fault, after: i64) {
        self.fault.store(fault as u32, Ordering::SeqCst);
        self.after.store(after, Ordering::SeqCst);
    }

    fn hit(&self, fault: Fault) -> Result<(), LogError> {
        if self.fault.load(Ordering::SeqCst) == fault as u32 && self.after.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(if fault == Fault::Append { LogError::Full } else { broken() });
        }
        Ok(())
    }
}

fn broken() -> LogError {
    LogError::Io { action: "read", reason: "injected".to_owned() }
}

impl EventLog for Faulty {
    fn append(&self, batch: &[Event<'_>], now: Timestamp, durability: Durability) -> Result<Appended, LogError> {
        self.hit(Fault::Append)?;
        self.inner.append(batch, now, durability)
    }
    fn scan(&self, scan: Scan<'_>, sink: &mut dyn FnMut(Logged<'_>) -> Flow) -> Result<Cursor, LogError> {
        let mut failed = None;
        let end = self.inner.scan(scan, &mut |logged| {
            failed = self.hit(Fault::Scan).err();
            if failed.is_some() { Flow::Stop } else { sink(logged) }
        })?;
        failed.map_or(Ok(end), Err)
    }
    fn merge(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LogError> {
        self.inner.merge(from, into)
    }
    fn unmerge(&self, from: Shopper<'_>) -> Result<(), LogError> {
        self.inner.unmerge(from)
    }
    fn restrict(&self, user: &str) -> Result<(), LogError> {
        self.inner.restrict(user)
    }
    fn lift(&self, user: &str) -> Result<(), LogError> {
        self.inner.lift(user)
    }
    fn erase(&self, user: &str) -> Result<Erasure, LogError> {
        self.hit(Fault::Erase)?;
        let erasure = self.inner.erase(user)?;
        self.hit(Fault::Erased)?;
        Ok(erasure)
    }
    fn expire(&self, retention: &Retention, now: Timestamp) -> Result<u64, LogError> {
        self.hit(Fault::Expire)?;
        self.inner.expire(retention, now)
    }
    fn sync(&self) -> Result<(), LogError> {
        self.inner.sync()
    }
    fn compact(&self) -> Result<(), LogError> {
        self.inner.compact()
    }
    fn check(&self) -> Result<(), LogError> {
        self.inner.check()
    }
    fn merges(&self) -> Result<Aliases, LogError> {
        self.hit(Fault::Merges)?;
        self.inner.merges()
    }
    fn state(&self) -> Result<LogState, LogError> {
        self.hit(Fault::State)?;
        self.inner.state()
    }
}

#[test]
fn a_full_log_keeps_nothing_of_the_batch_and_serving_goes_on() {
    let live = open(Faulty::default(), LiveConfig::new(lineup()));
    fill(&live);
    refresh(&live).unwrap();
    let before = told(&live, "eve");
    live.log().fail(Fault::Append, 0);
    let batch = [buy("eve", "tea", 5).id("order-1")];
    for _ in 0..3 {
        let error = live.record(&batch, at(5), Durability::Disk).unwrap_err();
        assert!(matches!(error, LiveError::Log(LogError::Full)), "{error}");
        assert_eq!(told(&live, "eve"), before, "what was not acknowledged is not known");
    }
    refresh(&live).unwrap();
    assert_eq!(told(&live, "eve"), before);
    live.log().fail(Fault::None, 0);
    assert_eq!(live.record(&batch, at(6), Durability::Disk).unwrap().appended.accepted, 1);
    assert_ne!(told(&live, "eve"), before);
    refresh(&live).unwrap();
    assert!(told(&live, "eve").iter().all(|(id, _)| id != "tea"));
}

#[test]
fn a_refresh_that_cannot_read_changes_nothing_and_the_next_one_works() {
    for fault in [Fault::Scan, Fault::State, Fault::Expire] {
        for after in 0..3 {
            let retention = Retention::default().window(KindSet::of(&[EventKind::View]), Span::secs(100));
            let live = open(Faulty::default(), LiveConfig::new(lineup()).retention(retention));
            fill(&live);
            refresh(&live).unwrap();
            live.record(&[buy("eve", "tea", 5), buy("dan", "mug", 6), buy("dan", "jam", 6)], at(6), Durability::Disk)
                .unwrap();
            let before = (told(&live, "eve"), live.recommender().snapshot().generation(), live.report().events);
            live.log().fail(fault, after);
            let failed = refresh(&live);
            if let Err(error) = failed {
                assert!(matches!(error, LiveError::Log(LogError::Io { .. })), "{error}");
                let now = (told(&live, "eve"), live.recommender().snapshot().generation(), live.report().events);
                assert_eq!(now, before, "{fault:?} after {after}");
            } else {
                assert!(after > 0, "{fault:?} was not met");
            }
            live.log().fail(Fault::None, 0);
            refresh(&live).unwrap();
            let rebuilt = Live::open(live.log(), LiveConfig::new(lineup()), at(1_000), &Run::new(1)).unwrap();
            for user in ["ann", "bob", "cat", "dan", "eve", "nobody"] {
                assert_eq!(told(&live, user), told(&rebuilt, user), "{fault:?} after {after}: {user}");
            }
            assert_eq!(live.report().events, 0);
        }
    }
}

#[test]
fn a_log_that_cannot_be_read_is_not_opened() {
    for fault in [Fault::State, Fault::Merges, Fault::Scan] {
        let log = Faulty::default();
        log.append(&[buy("ann", "mug", 1)], at(1), Durability::Disk).unwrap();
        log.fail(fault, 0);
        let error = Live::open(&log, LiveConfig::new(lineup()), at(2), &Run::new(1)).map(drop).unwrap_err();
        assert!(matches!(error, LiveError::Log(LogError::Io { .. })), "{fault:?}: {error}");
        log.fail(Fault::None, 0);
        assert_eq!(open(&log, LiveConfig::new(lineup())).recommender().snapshot().dataset().n_events(), 1);
    }
}

/// The log erased and something behind it failed: the shopper is gone all the same, and calling again ends it.
#[test]
fn an_erasure_that_was_done_counts_whatever_failed_behind_it() {
    for fault in [Fault::Erased, Fault::Merges] {
        let folder = Scratch::new();
        let store = Store::open(folder.path(), 3).unwrap();
        let live = open(Faulty::default(), LiveConfig::new(lineup()).store(store.clone(), Codecs::default()));
        fill(&live);
        live.merge(Shopper::Profiled(who("phone")), who("ann")).unwrap();
        refresh(&live).unwrap();
        live.save().unwrap();
        let stranger = told(&live, "nobody");
        assert_ne!(told(&live, "ann"), stranger);
        live.log().fail(fault, 0);
        assert!(matches!(live.forget("ann").unwrap_err(), LiveError::Log(LogError::Io { .. })), "{fault:?}");
        assert_eq!(told(&live, "ann"), stranger, "{fault:?}");
        assert!(store.generations().unwrap().is_empty(), "{fault:?}");
        live.log().fail(Fault::None, 0);
        // The phone is nobody's: what it does is its own.
        live.record(&[buy("phone", "tea", 9)], at(9), Durability::Disk).unwrap();
        assert_eq!(told(&live, "ann"), stranger);
        live.forget("ann").unwrap();
        refresh(&live).unwrap();
        assert!(live.recommender().snapshot().dataset().user("ann").is_none());
        live.save().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "a generation and the pointer");
    }
}

#[test]
fn an_erasure_that_was_not_done_leaves_everything() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 3).unwrap();
    let live = open(Faulty::default(), LiveConfig::new(lineup()).store(store.clone(), Codecs::default()));
    fill(&live);
    refresh(&live).unwrap();
    live.save().unwrap();
    let hers = told(&live, "ann");
    live.log().fail(Fault::Erase, 0);
    assert!(live.forget("ann").is_err());
    assert_eq!((told(&live, "ann"), store.generations().unwrap().len()), (hers, 1));
    live.log().fail(Fault::None, 0);
    let again = open(live.log(), LiveConfig::new(lineup()).store(store, Codecs::default()));
    assert!(again.origin().generation.is_some() && again.origin().removed.is_empty(), "{:?}", again.origin());
}

/// Death between the log's erasure and that of the store: the next process finds files of who was erased.
#[test]
fn a_death_in_an_erasure_leaves_no_file_after_the_next_opening() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 3).unwrap();
    let config = || LiveConfig::new(lineup()).store(store.clone(), Codecs::default());
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config());
    fill(&live);
    refresh(&live).unwrap();
    live.save().unwrap();
    let (second, third) = (live.save().unwrap(), live.save().unwrap());
    std::fs::write(store.path(third), b"damaged").unwrap();
    drop(live);
    // Without the note: what can be read tells its epoch.
    log.erase("ann").unwrap();
    let again = open(Arc::clone(&log), config());
    assert_eq!((again.origin().generation, again.origin().removed.len()), (None, 2), "{:?}", again.origin());
    assert!(!store.path(second).exists() && store.path(third).exists());
    drop(again);
    // With it: everything goes, whatever it is.
    std::fs::write(folder.path().join("ERASING"), b"").unwrap();
    std::fs::write(folder.path().join("snapshot-0000000000000009.likewise.unfinished"), b"half").unwrap();
    let again = open(Arc::clone(&log), config());
    assert_eq!(again.origin().removed.len(), 2, "{:?}", again.origin());
    assert!(store.generations().unwrap().is_empty() && !folder.path().join("ERASING").exists());
    refresh(&again).unwrap();
    again.save().unwrap();
    assert!(open(log, config()).origin().generation.is_some());
}

/// Withdrawal, retention and merges: what docs promise of generations of before.
#[test]
fn generations_of_before_a_change_go() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 5).unwrap();
    let retention = Retention::default().window(KindSet::of(&[EventKind::View]), Span::secs(100));
    let live = open(
        MemoryLog::default(),
        LiveConfig::new(lineup()).retention(retention).store(store.clone(), Codecs::default()),
    );
    let files = || store.generations().unwrap().len();
    fill(&live);
    let seen = Event::new(Shopper::Profiled(who("dan")), "mug", EventKind::View, at(950));
    live.record(&[seen], at(950), Durability::Disk).unwrap();
    let saved = |now: i64| {
        live.refresh(at(now), &Run::new(1)).unwrap();
        live.save().unwrap();
    };
    saved(1_000);
    saved(1_000);
    assert_eq!(files(), 2);
    live.withdraw("ann").unwrap();
    assert_eq!(files(), 0, "with the withdrawal");
    saved(1_000);
    assert_eq!(live.refresh(at(2_000), &Run::new(1)).unwrap().expired, 1);
    assert_eq!(files(), 0, "with the expiry");
    live.save().unwrap();
    live.save().unwrap();
    live.merge(Shopper::Profiled(who("phone")), who("bob")).unwrap();
    assert_eq!(files(), 2);
    saved(2_000);
    assert_eq!(files(), 1, "with the next save");
}

#[test]
fn another_log_of_as_many_events_is_not_taken_for_this_one() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 3).unwrap();
    let config = || LiveConfig::new(lineup()).store(store.clone(), Codecs::default());
    let live = open(MemoryLog::default(), config());
    fill(&live);
    refresh(&live).unwrap();
    live.save().unwrap();
    let other = MemoryLog::default();
    for n in 0..20 {
        other.append(&[buy("zoe", "pen", n)], at(n), Durability::Disk).unwrap();
    }
    let opened = open(other, config());
    assert_eq!(opened.origin().generation, None);
    assert!(opened.origin().skipped[0].1.contains("another log"), "{:?}", opened.origin());
    assert!(opened.recommender().snapshot().dataset().user("ann").is_none());
}

#[test]
fn a_store_that_fails_costs_the_save_and_nothing_else() {
    let folder = Scratch::new();
    let (dir, aside) = (folder.path().join("store"), folder.path().join("aside"));
    let store = Store::open(&dir, 3).unwrap();
    let config = || LiveConfig::new(lineup()).store(store.clone(), Codecs::default());
    let log = Arc::new(MemoryLog::default());
    let live = open(Arc::clone(&log), config());
    fill(&live);
    refresh(&live).unwrap();
    let first = live.save().unwrap();
    // The folder is gone, and a file is in its place.
    std::fs::rename(&dir, &aside).unwrap();
    for _ in 0..2 {
        assert!(matches!(live.save().unwrap_err(), LiveError::Store(StoreError::Io { .. })));
        live.record(&[buy("eve", "tea", 5)], at(5), Durability::Disk).unwrap();
        refresh(&live).unwrap();
        assert!(told(&live, "eve").iter().all(|(id, _)| id != "tea"));
        let _ = std::fs::write(&dir, b"in the way");
    }
    // An erasure says that files could not be removed, and is done again.
    assert!(matches!(live.forget("ann").unwrap_err(), LiveError::Store(_)));
    assert!(Live::open(Arc::clone(&log), config(), at(5), &Run::new(1)).is_err());
    std::fs::remove_file(&dir).unwrap();
    std::fs::rename(&aside, &dir).unwrap();
    assert!(store.path(first).exists());
    assert_eq!(live.forget("ann").unwrap().files.len(), 1);
    refresh(&live).unwrap();
    live.save().unwrap();
    let again = open(log, config());
    assert!(again.origin().generation.is_some());
    assert_eq!(told(&again, "eve"), told(&live, "eve"));
}

/// Someone is forgotten while a refresh that still knows them is about to be served.
#[test]
fn who_is_forgotten_during_a_refresh_does_not_come_back() {
    type Deed = Box<dyn FnMut() + Send>;
    let during: Arc<Mutex<Option<Deed>>> = Arc::default();
    let hook = Arc::clone(&during);
    let lineup = lineup().arranged(move |ranker| {
        if let Some(mut deed) = hook.lock().unwrap().take() {
            deed();
        }
        ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None })
    });
    static LIVE: OnceLock<Live<MemoryLog>> = OnceLock::new();
    let live = LIVE.get_or_init(|| open(MemoryLog::default(), LiveConfig::new(lineup)));
    fill(live);
    *during.lock().unwrap() = Some(Box::new(|| {
        let live = LIVE.get().unwrap();
        live.forget("ann").unwrap();
        live.record(&[buy("ann", "jam", 7)], at(7), Durability::Disk).unwrap();
    }));
    refresh(live).unwrap();
    assert!(live.recommender().snapshot().dataset().user("ann").is_some(), "the snapshot still knows");
    let known = |live: &Live<MemoryLog>| told(live, "ann").into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert!(known(live).contains(&"mug".to_owned()), "she never bought a mug, but jam: {:?}", known(live));
    assert!(!known(live).contains(&"jam".to_owned()));
    refresh(live).unwrap();
    let snapshot = live.recommender().snapshot();
    let data = snapshot.dataset();
    assert_eq!(data.events_of(data.user("ann").unwrap()).len(), 1, "a new profile, with the jam alone");
    assert_eq!(live.export("ann").unwrap().events.len(), 1);
}

#[test]
fn a_clock_that_goes_back_and_a_delivery_that_comes_twice_change_nothing() {
    let live = open(MemoryLog::default(), LiveConfig::new(lineup()));
    fill(&live);
    refresh(&live).unwrap();
    let order = [buy("eve", "tea", 900).id("order-7")];
    assert_eq!(live.record(&order, at(900), Durability::Disk).unwrap().appended.accepted, 1);
    let (once, events) = (told(&live, "eve"), live.report().events);
    // Delivered again, by a clock that was set back.
    let again = live.record(&order, at(10), Durability::Disk).unwrap();
    assert_eq!((again.appended.accepted, again.appended.duplicates, live.report().events), (0, vec![0], events));
    assert_eq!(told(&live, "eve"), once);
    for now in [5, -5, 1_000] {
        live.refresh(at(now), &Run::new(1)).unwrap();
        live.recommend(&Request::profiled(who("eve"), at(now))).unwrap();
    }
    let rebuilt = Live::open(live.log(), LiveConfig::new(lineup()), at(1_000), &Run::new(1)).unwrap();
    assert_eq!(told(&live, "eve"), told(&rebuilt, "eve"));
    assert_eq!(live.recommender().snapshot().dataset().n_events(), 7);
}
