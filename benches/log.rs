//! Recording: the log alone, and a live recommender over it.
//!
//! `cargo bench --bench log` gives the means; `cargo bench --bench log -- --percentiles` those of one `record` after the
//! other in memory; `cargo bench --bench log -- --threads` durable events a second of 1 to 16 threads that share commits.

mod bench {
    use std::hint::black_box;
    use std::path::PathBuf;
    use std::time::Instant;

    use criterion::{Criterion, Throughput};
    use likewise::log::{Durability, EventLog, MemoryLog, SqliteLog};
    use likewise::{
        CoOccurrenceParams, Consented, Event, EventKind, LawfulBasis, Lineup, Live, LiveConfig, Refit, Run, Shopper,
        Timestamp, Validate,
    };

    type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

    /// A file that goes with it.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Result<Self> {
            let folder = std::env::temp_dir().join(format!("likewise-bench-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            Ok(Self(folder))
        }

        fn log(&self) -> Result<SqliteLog> {
            Ok(SqliteLog::open(self.0.join("shop.db"))?)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// Shoppers and items of a middling shop.
    struct Names {
        users: Vec<String>,
        items: Vec<String>,
    }

    impl Names {
        fn new() -> Self {
            let names = |prefix: &str, n: usize| (0..n).map(|i| format!("{prefix}-{i}")).collect();
            Self { users: names("customer", 100_000), items: names("sku", 20_000) }
        }

        fn event(&self, n: usize) -> Event<'_> {
            let user = &self.users[n.wrapping_mul(2_654_435_761) % self.users.len()];
            let item = &self.items[n.wrapping_mul(40_503) % self.items.len()];
            let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
            Event::new(who, item, EventKind::View, Timestamp::from_secs(1_700_000_000 + n as i64))
        }
    }

    fn live() -> Result<Live<MemoryLog>> {
        let co = CoOccurrenceParams::co_view().check()?;
        let config = LiveConfig::new(Lineup::new().model(co, 1.0, Refit::EveryRefresh));
        Ok(Live::open(MemoryLog::default(), config, Timestamp::from_secs(0), &Run::new(1))?)
    }

    pub(crate) fn log(c: &mut Criterion) {
        let names = Names::new();
        let mut group = c.benchmark_group("log");
        for batch in [1usize, 100, 1000] {
            group.throughput(Throughput::Elements(batch as u64));
            for durability in [Durability::Os, Durability::Disk] {
                let Ok(scratch) = Scratch::new(&format!("{batch}-{durability:?}")) else { continue };
                let Ok(log) = scratch.log() else { continue };
                let mut n = 0;
                group.bench_function(format!("sqlite, {durability:?}, batches of {batch}"), |b| {
                    b.iter(|| {
                        let events: Vec<Event<'_>> = (n..n + batch).map(|n| names.event(n)).collect();
                        n += batch;
                        black_box(log.append(&events, Timestamp::from_secs(0), durability))
                    });
                });
            }
        }
        group.finish();
    }

    pub(crate) fn percentiles() -> Result<()> {
        let (names, live) = (Names::new(), live()?);
        let mut micros = Vec::with_capacity(1_000_000);
        for n in 0..1_000_000 {
            let event = names.event(n);
            let started = Instant::now();
            live.record(&[event], event.at, Durability::Memory)?;
            micros.push(started.elapsed().as_secs_f64() * 1e6);
        }
        let tell = |what: &str, mut micros: Vec<f64>| {
            micros.sort_by(f64::total_cmp);
            let at = |share: f64| micros[(share * (micros.len() - 1) as f64) as usize];
            println!("{what}: p50 {:.2} µs, p99 {:.2} µs, p99.9 {:.2} µs", at(0.5), at(0.99), at(0.999));
        };
        tell("record in memory", micros);
        // A shopper at the cap of fresh events, where every record lets go of the oldest: alone, and while a request of theirs
        // is being answered.
        let (live, who) = (self::live()?, Consented::new("heavy", LawfulBasis::Contract));
        let record = |n: usize| -> Result<f64> {
            let at = Timestamp::from_secs(n as i64);
            let event = Event::new(Shopper::Profiled(who), &names.items[n % names.items.len()], EventKind::View, at);
            let started = Instant::now();
            live.record(&[event], at, Durability::Memory)?;
            Ok(started.elapsed().as_secs_f64() * 1e6)
        };
        (0..1_000).try_for_each(|n| record(n).map(drop))?;
        tell("at the cap", (0..100_000).map(record).collect::<Result<_>>()?);
        let request = likewise::Request::profiled(who, Timestamp::from_secs(1));
        let beside = |n| live.answer(&request, |_, _| record(n));
        tell("at the cap, beside a request", (0..20_000).map(beside).collect::<Result<_>>()?);
        Ok(())
    }

    pub(crate) fn threads() -> Result<()> {
        let names = Names::new();
        for (threads, batch) in [(1usize, 1usize), (16, 1), (1, 100), (4, 100), (16, 100), (1, 1000), (4, 1000)] {
            let scratch = Scratch::new("threads")?;
            let log = scratch.log()?;
            let started = Instant::now();
            let rounds = (60_000 / (threads * batch)).clamp(5, 600);
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (log, names) = (&log, &names);
                    scope.spawn(move || {
                        for round in 0..rounds {
                            let first = (thread * rounds + round) * batch;
                            let events: Vec<Event<'_>> = (first..first + batch).map(|n| names.event(n)).collect();
                            let _ = black_box(log.append(&events, Timestamp::from_secs(0), Durability::Disk));
                        }
                    });
                }
            });
            let (kept, took) = (log.state()?.events, started.elapsed().as_secs_f64());
            println!("{threads:>2} threads, batches of {batch:>4}: {:>9.0} durable events/s", kept as f64 / took);
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|arg| arg == "--percentiles") {
        return bench::percentiles();
    }
    if std::env::args().any(|arg| arg == "--threads") {
        return bench::threads();
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    bench::log(&mut criterion);
    criterion.final_summary();
    Ok(())
}
