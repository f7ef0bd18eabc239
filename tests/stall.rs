//! Readers at full rate while a recommender records and refreshes: no torn list, and how long a read takes.
//!
//! `cargo test --release --all-features --test all stall -- --nocapture` runs two seconds a phase; the long run is
//! `LIKEWISE_STALL=60 cargo test --release --all-features --test all stall -- --nocapture`. Times are printed, never asserted: eight readers on two
//! cores wait for the scheduler now and then. Compare the phases: in the first, snapshots are fitted and thrown away, in
//! the second they are swapped in. What is longer in the second is the swap's.
//!
//! 2026-11-22, two cores, 60 s a phase, debug build: above 4.1 ms took a snapshot 2,431 times while fits were thrown away
//! (the longest 32 ms) and 2,389 times while they were swapped in (37 ms): the scheduler's, with nine threads on two cores.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use likewise::log::{Durability, MemoryLog};
use likewise::*;

const READERS: usize = 8;
const ITEMS: usize = 400;
const USERS: usize = 200;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

/// Wall times in powers of two of microseconds, and the longest.
#[derive(Debug, Default)]
struct Times {
    buckets: [u64; 24],
    longest: Duration,
}

impl Times {
    fn add(&mut self, took: Duration) {
        self.buckets[(took.as_micros().max(1).ilog2() as usize).min(23)] += 1;
        self.longest = self.longest.max(took);
    }

    fn join(mut self, other: &Self) -> Self {
        self.buckets.iter_mut().zip(other.buckets).for_each(|(sum, n)| *sum += n);
        self.longest = self.longest.max(other.longest);
        self
    }

    /// The upper end of the bucket that holds this share of all.
    fn percentile(&self, share: f64) -> u64 {
        let all: u64 = self.buckets.iter().sum();
        let mut seen = 0;
        let holds = |n: &u64| {
            seen += n;
            seen as f64 >= share * all as f64
        };
        2 << self.buckets.iter().position(holds).unwrap_or(23)
    }

    fn above(&self, micros: u64) -> u64 {
        self.buckets[micros.ilog2() as usize..].iter().sum()
    }
}

fn lineup() -> Lineup {
    Lineup::new()
        .model(
            CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::default() }.check().unwrap(),
            1.0,
            Refit::EveryRefresh,
        )
        .model(TrendingParams::default().check().unwrap(), 0.2, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh)
}

fn events(ids: &[(String, String)], from: usize) -> Vec<Event<'_>> {
    (from..from + 50)
        .map(|n| {
            let (user, item) = (&ids[n * 7 % USERS].0, &ids[n * n % ITEMS].1);
            let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
            Event::new(who, item, EventKind::View, at((n / 10) as i64))
        })
        .collect()
}

/// What a reader found out.
type Found = (Times, Times, u64);

/// Asks without a pause, and asks every list's own snapshot for the list again: the answers must be one.
fn read(live: &Live<MemoryLog>, stop: &AtomicBool, reader: usize) -> Found {
    let mut ws = Workspace::default();
    let (mut take, mut whole) = (Times::default(), Times::default());
    let (mut last, mut reads) = (0, 0u64);
    let session = [SessionEvent::new("i1", EventKind::View, at(1)), SessionEvent::new("i4", EventKind::View, at(2))];
    while !stop.load(Ordering::Relaxed) {
        let request = Request::anonymous(at(1_000_000)).session(&session).k(1 + reader);
        let began = Instant::now();
        drop(live.recommender().snapshot());
        take.add(began.elapsed());
        let began = Instant::now();
        let list = live.recommend_with(&request, &mut ws).unwrap();
        whole.add(began.elapsed());
        assert!(list.generation() >= last, "generations do not go back");
        last = list.generation();
        if reads % 16 == 0 {
            let again = list.snapshot().recommend_with(&request, &mut ws).unwrap();
            let shown = |list: &Recommendations| -> Vec<(String, u32)> {
                list.iter().map(|r| (r.id().to_owned(), r.score().to_bits())).collect()
            };
            assert_eq!(shown(&list), shown(&again), "a list of two generations");
        }
        reads += 1;
    }
    (take, whole, reads)
}

#[test]
fn readers_do_not_feel_a_swap() {
    let seconds = std::env::var("LIKEWISE_STALL").ok().and_then(|s| s.parse().ok()).unwrap_or(1u64);
    let ids: Vec<(String, String)> = (0..ITEMS).map(|n| (format!("u{}", n % USERS), format!("i{n}"))).collect();
    let open = || Live::open(MemoryLog::default(), LiveConfig::new(lineup()), at(0), &Run::new(1)).unwrap();
    let (live, aside) = (open(), open());
    for phase in ["fitted aside", "swapped in"] {
        let (stop, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
        let found: Vec<Found> = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..READERS)
                .map(|reader| {
                    let (live, stop) = (&live, &stop);
                    scope.spawn(move || read(live, stop, reader))
                })
                .collect();
            let end = Instant::now() + Duration::from_secs(seconds);
            let target = if phase == "swapped in" { &live } else { &aside };
            let serial = Run::new(1).threads(Parallelism::Serial);
            while Instant::now() < end {
                let round = swaps.fetch_add(1, Ordering::Relaxed);
                target.record(&events(&ids, round as usize * 50), at(round as i64), Durability::Memory).unwrap();
                target.refresh(at(round as i64), &serial).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
            readers.into_iter().map(|reader| reader.join().unwrap()).collect()
        });
        let sum = |pick: fn(&Found) -> &Times| found.iter().fold(Times::default(), |all, one| all.join(pick(one)));
        let (take, whole) = (sum(|f| &f.0), sum(|f| &f.1));
        let reads: u64 = found.iter().map(|f| f.2).sum();
        for (what, times) in [("take a snapshot", take), ("whole request", whole)] {
            println!(
                "{phase}, {what}: {reads} reads, {} refreshes; p50 < {} us, p99.9 < {} us, above 4.1 ms {}, longest {:?}",
                swaps.load(Ordering::Relaxed),
                times.percentile(0.5),
                times.percentile(0.999),
                times.above(4096),
                times.longest,
            );
        }
        assert!(reads > 100);
    }
    assert_eq!(live.recommender().tidy(), 0, "nobody reads the replaced ones any more");
}
