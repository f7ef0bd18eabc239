//! One request: 100,000 and 10,000 items, six scorers blended, availability + seen + attribute filter, MMR, cap 3 a
//! category, k = 20, reasons included.
//!
//! `cargo bench --bench single_user` gives the means; the percentiles of one request at a time:
//! `cargo bench --bench single_user -- --percentiles` (10,000 requests after 1,000 for warming up).

mod bench {
    use std::hint::black_box;
    use std::time::Instant;

    use criterion::{BenchmarkId, Criterion};
    use likewise::{Request, Retrieval, Workspace};

    use super::common::Counter;

    pub(crate) fn single_user(c: &mut Criterion) {
        let mut group = c.benchmark_group("single_user");
        for (items, history) in [(10_000, 5), (10_000, 50), (100_000, 50), (100_000, 500)] {
            let Ok(counter) = Counter::open(items, 20 * u64::from(items), history) else { continue };
            let name = |what: &str| BenchmarkId::new(what, format!("{items} items, {history} events"));
            let mut ws = Workspace::default();
            group.bench_function(name("warm workspace"), |b| {
                counter.with_request(|r| b.iter(|| black_box(counter.snapshot.recommend_with(r, &mut ws))));
            });
            group.bench_function(name("cold workspace"), |b| {
                counter.with_request(|r| {
                    b.iter(|| black_box(counter.snapshot.recommend_with(r, &mut Workspace::default())))
                });
            });
            group.bench_function(name("anonymous"), |b| {
                let r = Request::anonymous(counter.now).k(20);
                b.iter(|| black_box(counter.snapshot.recommend_with(&r, &mut ws)));
            });
        }
        group.finish();
    }

    pub(crate) fn percentiles() -> Result<(), Box<dyn std::error::Error>> {
        // At 100,000 items the request of the first figures had factors that judge what others propose.
        let judging = Retrieval::None;
        for (items, retrieval) in [(10_000, Retrieval::Auto), (100_000, judging), (100_000, Retrieval::Auto)] {
            let counter = Counter::open_with(items, 20 * u64::from(items), 50, retrieval)?;
            let mut ws = Workspace::default();
            let mut micros = Vec::with_capacity(10_000);
            for i in 0..11_000 {
                let start = Instant::now();
                let list = counter.with_request(|r| counter.snapshot.recommend_with(r, &mut ws))?;
                if i >= 1000 {
                    micros.push(start.elapsed().as_secs_f64() * 1e6);
                }
                black_box(list);
            }
            micros.sort_by(f64::total_cmp);
            let at = |share: f64| micros[(share * (micros.len() - 1) as f64) as usize];
            println!(
                "{items} items, retrieval {retrieval:?}: p50 {:.1} µs, p90 {:.1} µs, p99 {:.1} µs",
                at(0.5),
                at(0.9),
                at(0.99)
            );
        }
        Ok(())
    }
}

mod common;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|arg| arg == "--percentiles") {
        return bench::percentiles();
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    bench::single_user(&mut criterion);
    criterion.final_summary();
    Ok(())
}
