//! Files: saving, opening by read and by map, restarting.
//!
//! `cargo bench --bench persist` gives the means for a middling shop. The bars are of large ones, each in two steps, so that the
//! second begins as a new process does:
//!
//! ```text
//! cargo bench --bench persist -- --log FOLDER        # five million events into a log, fitted and saved
//! cargo bench --bench persist -- --restart FOLDER    # from nothing to the first answer
//! cargo bench --bench persist -- --gigabyte FOLDER   # a snapshot of a gigabyte
//! cargo bench --bench persist -- --open FOLDER       # by map and by read
//! ```

mod bench {
    use std::hint::black_box;
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Instant;

    use criterion::{Criterion, Throughput};
    use likewise::log::{Durability, EventLog, SqliteLog};
    use likewise::persist::{Container, Store, Verify};
    use likewise::serve::Codecs;
    use likewise::testing::{ShopParams, SyntheticShop};
    use likewise::{
        AlsParams, CoOccurrenceParams, Consented, Dataset, DatasetBuilder, Event, EventKind, EventSource, Fit, Flow,
        KindSet, LawfulBasis, Lineup, Live, LiveConfig, PopularityParams, Ranker, Refit, Request, Run, Seen, Shopper,
        Snapshot, Timestamp, Validate,
    };

    type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

    fn shop(events: u64, users: u32, items: u32) -> Result<SyntheticShop> {
        Ok(SyntheticShop::new(ShopParams { events, users, items, ..ShopParams::default() }.check()?))
    }

    fn data(shop: &SyntheticShop) -> Result<Arc<Dataset>> {
        let mut builder = DatasetBuilder::default();
        builder.ingest(shop)?;
        Ok(Arc::new(builder.finish()?))
    }

    fn snapshot(data: Arc<Dataset>, factors: u32, catalog: likewise::Catalog) -> Result<Snapshot> {
        let run = Run::new(1);
        let train = (&*data).into();
        let als = AlsParams { factors, iterations: 1, ..AlsParams::default() }.check()?.fit(&train, &run)?;
        let popular = PopularityParams::default().check()?.fit(&train, &run)?;
        let ranker = Ranker::builder().scorer(Arc::new(als), 1.0).fallback(Arc::new(popular)).build()?;
        Ok(Snapshot::new(data, Arc::new(catalog), Arc::new(ranker))?)
    }

    /// Ends nowhere.
    struct Nowhere;

    impl Write for Nowhere {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(black_box(bytes).len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    pub(crate) fn persist(c: &mut Criterion) -> Result<()> {
        let shop = shop(500_000, 50_000, 20_000)?;
        let snapshot = snapshot(data(&shop)?, 64, shop.catalog()?)?;
        let codecs = Codecs::default();
        let folder = std::env::temp_dir().join(format!("likewise-bench-persist-{}", std::process::id()));
        let store = Store::open(&folder, 1)?;
        let generation = store.publish(|out| snapshot.write_to(out, &codecs).map(drop))?;
        let path = store.path(generation);
        let mut group = c.benchmark_group("persist");
        group.sample_size(20);
        group.throughput(Throughput::Bytes(std::fs::metadata(&path)?.len()));
        group.bench_function("write", |b| b.iter(|| snapshot.write_to(&mut Nowhere, &codecs)));
        group.bench_function("save to a store", |b| {
            b.iter(|| store.publish(|out| snapshot.write_to(out, &codecs).map(drop)));
        });
        let path = store.path(store.generations()?.pop().unwrap_or(generation));
        let open = |file: likewise::persist::Container| Snapshot::read_from(&file, &codecs, |ranker| ranker);
        group.bench_function("open by read", |b| b.iter(|| Container::read(&path, Verify::Now).and_then(open)));
        #[cfg(feature = "mmap")]
        {
            group.bench_function("open by map", |b| b.iter(|| Container::map(&path, Verify::Now).and_then(open)));
            group.bench_function("open by map, verified before", |b| {
                b.iter(|| Container::map(&path, Verify::Later).and_then(open));
            });
        }
        group.finish();
        std::fs::remove_dir_all(folder)?;
        Ok(())
    }

    fn config(folder: &Path) -> Result<LiveConfig> {
        let lineup = Lineup::new()
            .model(CoOccurrenceParams::co_view().check()?, 1.0, Refit::EveryRefresh)
            .model(AlsParams { factors: 32, iterations: 2, ..AlsParams::default() }.check()?, 1.0, Refit::ByHand)
            .fallback(PopularityParams::default().check()?, Refit::EveryRefresh)
            .arranged(|ranker| ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None }));
        Ok(LiveConfig::new(lineup).store(Store::open(folder.join("store"), 2)?, Codecs::default()))
    }

    /// Behind every event of the shop.
    fn later(shop: &SyntheticShop) -> Timestamp {
        shop.params().start.plus(likewise::Span::days(2 * shop.params().days))
    }

    const LOGGED: u64 = 5_000_000;
    /// Of which the snapshot does not know so many.
    const TAIL: usize = 10_000;

    /// An event of one's own.
    struct Deed {
        who: (bool, String),
        item: String,
        kind: EventKind,
        at: Timestamp,
        session: Option<String>,
    }

    impl Deed {
        fn of(event: &Event<'_>) -> Self {
            let who = match event.shopper {
                Shopper::Profiled(who) => (true, who.user().to_owned()),
                Shopper::Anonymous { session } => (false, session.to_owned()),
            };
            let session = event.session.map(str::to_owned);
            Self { who, item: event.item.to_owned(), kind: event.kind, at: event.at, session }
        }

        fn event(&self) -> Event<'_> {
            let shopper = match &self.who {
                (true, user) => Shopper::Profiled(Consented::new(user, LawfulBasis::Contract)),
                (false, session) => Shopper::Anonymous { session },
            };
            let event = Event::new(shopper, &self.item, self.kind, self.at);
            self.session.as_deref().map_or(event, |session| event.session(session))
        }
    }

    pub(crate) fn fill(folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let shop = shop(LOGGED, 100_000, 20_000)?;
        let now = later(&shop);
        let log = Arc::new(SqliteLog::open(folder.join("shop.db"))?);
        let started = Instant::now();
        let mut all = Vec::new();
        let mut source = &shop;
        source.for_each(&mut |offered| {
            all.extend(offered.event.ok().map(|event| Deed::of(&event)));
            Flow::Continue
        })?;
        let known = all.len() - TAIL;
        let append = |deeds: &[Deed]| -> Result<()> {
            for batch in deeds.chunks(5_000) {
                let events: Vec<Event<'_>> = batch.iter().map(Deed::event).collect();
                log.append(&events, now, Durability::Memory)?;
            }
            Ok(())
        };
        append(&all[..known])?;
        Live::open(Arc::clone(&log), config(folder)?, now, &Run::new(1))?.save()?;
        append(&all[known..])?;
        let n = all.len();
        log.sync()?;
        println!("{n} events logged and a snapshot saved in {:.1} s", started.elapsed().as_secs_f64());
        Ok(())
    }

    pub(crate) fn restart(folder: &Path) -> Result<()> {
        let shop = shop(LOGGED, 100_000, 20_000)?;
        let now = later(&shop);
        let user = SyntheticShop::user_key(7);
        let started = Instant::now();
        let live = Live::open(SqliteLog::open(folder.join("shop.db"))?, config(folder)?, now, &Run::new(1))?;
        let opened = started.elapsed();
        let list = live.recommend(&Request::profiled(Consented::new(&user, LawfulBasis::Contract), now).k(10))?;
        let answered = started.elapsed();
        let origin = live.origin();
        println!(
            "restart with {} logged events: opened in {:.3} s (generation {:?}, {} events read from the log), first answer \
             of {} items after {:.3} s",
            live.log().state()?.events,
            opened.as_secs_f64(),
            origin.generation.map(likewise::persist::Generation::get),
            origin.replayed,
            list.len(),
            answered.as_secs_f64(),
        );
        origin.skipped.iter().for_each(|(generation, why)| println!("  skipped {generation}: {why}"));
        Ok(())
    }

    fn gigabyte_path(folder: &Path) -> PathBuf {
        folder.join("gigabyte.likewise")
    }

    pub(crate) fn gigabyte(folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let shop = shop(20_000_000, 300_000, 50_000)?;
        let snapshot = snapshot(data(&shop)?, 64, shop.catalog()?)?;
        let started = Instant::now();
        let mut file = std::io::BufWriter::new(std::fs::File::create(gigabyte_path(folder))?);
        let bytes = snapshot.write_to(&mut file, &Codecs::default())?;
        file.into_inner()?.sync_all()?;
        let took = started.elapsed().as_secs_f64();
        println!("{bytes} bytes ({:.2} GiB) written and synced in {took:.2} s", bytes as f64 / f64::from(1 << 30));
        Ok(())
    }

    pub(crate) fn open(folder: &Path) -> Result<()> {
        let (path, codecs) = (gigabyte_path(folder), Codecs::default());
        let bytes = std::fs::metadata(&path)?.len() as f64;
        let ms = |started: Instant| started.elapsed().as_secs_f64() * 1e3;
        println!("{:.2} GiB", bytes / f64::from(1 << 30));
        #[cfg(feature = "mmap")]
        for _ in 0..3 {
            let started = Instant::now();
            let file = Container::map(&path, Verify::Later)?;
            let read = Snapshot::read_from(&file, &codecs, |ranker| ranker)?;
            println!("by map, nothing verified:  {:>8.1} ms ({} events)", ms(started), read.dataset().n_events());
            let started = Instant::now();
            file.verify()?;
            println!("checksums alone:           {:>8.1} ms", ms(started));
            drop((read, file));
            let started = Instant::now();
            let read =
                Container::map(&path, Verify::Now).and_then(|f| Snapshot::read_from(&f, &codecs, |ranker| ranker))?;
            println!("by map, all verified:      {:>8.1} ms ({} events)", ms(started), read.dataset().n_events());
        }
        let started = Instant::now();
        let read =
            Container::read(&path, Verify::Now).and_then(|f| Snapshot::read_from(&f, &codecs, |ranker| ranker))?;
        println!("by read, all verified:     {:>8.1} ms ({:.0} MB/s)", ms(started), bytes / 1e3 / ms(started));
        drop(read);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let folder =
        |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)).map(std::path::Path::new);
    for (flag, run) in [
        ("--log", bench::fill as fn(&std::path::Path) -> _),
        ("--restart", bench::restart),
        ("--gigabyte", bench::gigabyte),
        ("--open", bench::open),
    ] {
        if let Some(folder) = folder(flag) {
            return run(folder);
        }
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    bench::persist(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
