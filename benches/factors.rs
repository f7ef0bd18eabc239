//! Serving from factors: all shoppers in a batch, one shopper at a time, exactly and through lists.
//!
//! * `cargo bench --bench factors`: criterion over a synthetic shop of 40,000 items.
//! * `cargo bench --bench factors -- --rounds TRAIN.csv.gz`: fits 64 factors to the pairs (`user,item` lines after a header),
//!   then answers every line of the standard input, `batch` or `single`, with the milliseconds it took: so that another
//!   program can alternate with it.
//! * `cargo bench --bench factors -- --recall ITEMS`: what the lists find of the exact best twenty, and in what time.

mod bench {
    use std::error::Error;
    use std::hint::black_box;
    use std::io::{BufRead, Read, Write};
    use std::sync::Arc;
    use std::time::Instant;

    use criterion::{BenchmarkId, Criterion, Throughput};
    use likewise::testing::{ShopParams, SyntheticShop, Trial};
    use likewise::*;
    use rayon::ThreadPoolBuilder;

    type Outcome<T> = Result<T, Box<dyn Error>>;

    fn serve(data: Dataset, params: AlsParams) -> Outcome<Snapshot> {
        let data = Arc::new(data);
        let als = params.check()?.fit(&(&*data).into(), &Run::new(1))?;
        let ranker = Ranker::builder()
            .scorer_scaled(Arc::new(als), 1.0, Normalise::AsIs)
            .filter(Seen { kinds: KindSet::ALL, again_after: None })
            .candidates(20);
        Ok(Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(ranker.build()?))?)
    }

    fn all(snapshot: &Snapshot) -> Outcome<u64> {
        let now = snapshot.dataset().as_of();
        let request = |id| Request::profiled(Consented::new(id, LawfulBasis::Contract), now).k(20);
        let mut items = 0;
        snapshot.recommend_all(request, &Run::new(0), |answer| {
            items += answer.list.map_or(0, |list| list.len() as u64);
            Flow::Continue
        })?;
        Ok(items)
    }

    /// The milliseconds of each of the first `n` shoppers, one at a time.
    fn singles(snapshot: &Snapshot, n: usize, ws: &mut Workspace) -> Outcome<Vec<f64>> {
        let data = snapshot.dataset();
        let mut millis = Vec::with_capacity(n);
        for user in data.users().take(n) {
            let who = Consented::new(data.user_key(user), LawfulBasis::Contract);
            let start = Instant::now();
            black_box(snapshot.recommend_with(&Request::profiled(who, data.as_of()).k(20), ws)?);
            millis.push(start.elapsed().as_secs_f64() * 1e3);
        }
        millis.sort_by(f64::total_cmp);
        Ok(millis)
    }

    pub(crate) fn rounds(path: &str) -> Outcome<()> {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
        let mut builder = DatasetBuilder::default();
        for line in text.lines().skip(1) {
            let (user, rest) = line.split_once(',').ok_or("a line without comma")?;
            let item = rest.split(',').next().unwrap_or(rest);
            let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
            builder.push(&Event::new(who, item, EventKind::View, Timestamp::from_secs(0)))?;
        }
        let snapshot = serve(builder.finish()?, AlsParams::default())?;
        let pool = ThreadPoolBuilder::new().num_threads(2).build()?;
        let mut ws = Workspace::default();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{} shoppers, {} items", snapshot.dataset().users().count(), snapshot.shelf().n_items())?;
        out.flush()?;
        for line in std::io::stdin().lock().lines() {
            match &*line? {
                "batch" => {
                    let start = Instant::now();
                    let items = pool.install(|| all(&snapshot).map_err(|e| e.to_string()))?;
                    writeln!(out, "{:.3} {items}", start.elapsed().as_secs_f64() * 1e3)?;
                }
                _ => {
                    let millis = singles(&snapshot, 1000, &mut ws)?;
                    writeln!(out, "{:.5} {:.5}", millis[500], millis[990])?;
                }
            }
            out.flush()?;
        }
        Ok(())
    }

    fn shop(items: u32) -> Outcome<Dataset> {
        let params = ShopParams { items, users: items, events: 20 * u64::from(items), ..ShopParams::default() };
        let mut builder = DatasetBuilder::default();
        builder.ingest(&SyntheticShop::new(params.check()?))?;
        Ok(builder.finish()?)
    }

    pub(crate) fn recall(items: u32) -> Outcome<()> {
        let data = shop(items)?;
        let shelf = Shelf::bare(&data);
        let lists = (2.0 * f64::from(items).sqrt()) as u32;
        let fit = |retrieval| -> Outcome<Als> {
            let params = AlsParams { iterations: 5, retrieval, ..AlsParams::default() };
            Ok(params.check()?.fit(&(&data).into(), &Run::new(1))?)
        };
        let exact = fit(Retrieval::Exact)?;
        let users: Vec<UserIdx> = data.users().step_by((data.n_rows() / 1000).max(1)).take(1000).collect();
        let mut trial = Trial::default();
        let mut ask = |als: &Als| {
            let mut micros = Vec::new();
            let mut found: Vec<Vec<Scored>> = Vec::new();
            for &user in &users {
                let mut cx = Context::new(&data, &shelf, data.as_of());
                cx.user = Some(user);
                let start = Instant::now();
                let best = trial.ask(als, &cx, 20).to_vec();
                micros.push(start.elapsed().as_secs_f64() * 1e6);
                found.push(best);
            }
            micros.sort_by(f64::total_cmp);
            (micros[micros.len() / 2], found)
        };
        let (micros, truth) = ask(&exact);
        println!("{items} items, exact: {micros:.0} µs");
        for share in [64, 32, 16, 8, 4] {
            let probes = (lists / share).max(1);
            let start = Instant::now();
            let model = fit(Retrieval::Ivf { lists, probes })?;
            let fitted = start.elapsed().as_secs_f64();
            let (micros, found) = ask(&model);
            let (mut hits, mut of) = (0, 0);
            for (truth, found) in truth.iter().zip(&found) {
                of += truth.len();
                hits += truth.iter().filter(|t| found.contains(t)).count();
            }
            let recall = hits as f64 / of as f64;
            println!("{lists} lists, {probes} probed: recall {recall:.4}, {micros:.0} µs (fitted in {fitted:.1} s)");
        }
        Ok(())
    }

    pub(crate) fn factors(c: &mut Criterion) -> Outcome<()> {
        let snapshot = serve(shop(40_000)?, AlsParams { iterations: 2, ..AlsParams::default() })?;
        let mut group = c.benchmark_group("batch");
        group.sample_size(10).throughput(Throughput::Elements(snapshot.dataset().users().count() as u64));
        for threads in [1, 2] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
            group.bench_function(BenchmarkId::new("factors, 40000 items", format!("{threads} threads")), |b| {
                b.iter(|| pool.install(|| all(&snapshot).map_err(|e| e.to_string())));
            });
        }
        group.finish();
        let mut group = c.benchmark_group("single_user");
        let mut ws = Workspace::default();
        group.bench_function("factors, 40000 items, 100 shoppers", |b| {
            b.iter(|| singles(&snapshot, 100, &mut ws).is_ok())
        });
        group.finish();
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let after = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
    if let Some(path) = after("--rounds") {
        return bench::rounds(path);
    }
    if let Some(items) = after("--recall") {
        return bench::recall(items.parse()?);
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    bench::factors(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
