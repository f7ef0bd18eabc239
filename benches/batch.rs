//! Many requests: shoppers of synthetic shops of 10,000 and 100,000 items, six scorers, every filter and re-rank on, k = 20.
//!
//! `cargo bench --bench batch` gives the rate on one and two threads; `cargo bench --bench batch -- --scaling` alternates
//! the two over seven rounds and prints the ratio of the medians.

mod common;

mod bench {
    use std::error::Error;
    use std::hint::black_box;
    use std::time::Instant;

    use criterion::{BenchmarkId, Criterion, Throughput};
    use likewise::{Consented, Flow, LawfulBasis, Request, Run, Snapshot, Timestamp};
    use rayon::{ThreadPool, ThreadPoolBuilder};

    use super::common::Counter;

    const ITEMS: [u32; 2] = [10_000, 100_000];

    fn pool(threads: usize) -> Result<ThreadPool, Box<dyn Error>> {
        Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
    }

    /// Answers `n` shoppers on the pool; returns how many items they got.
    fn answer(snapshot: &Snapshot, now: Timestamp, n: usize, pool: &ThreadPool) -> usize {
        let data = snapshot.dataset();
        let shoppers = data.users().take(n).map(|user| data.user_key(user));
        let requests = shoppers.map(|id| Request::profiled(Consented::new(id, LawfulBasis::Contract), now).k(20));
        let mut items = 0;
        let done = pool.install(|| {
            snapshot.recommend_batch(requests, &Run::default(), |answer| {
                items += answer.list.map_or(0, |list| list.len());
                Flow::Continue
            })
        });
        debug_assert!(done.is_ok());
        items
    }

    pub(crate) fn batch(c: &mut Criterion) -> Result<(), Box<dyn Error>> {
        let mut group = c.benchmark_group("batch");
        group.sample_size(10).throughput(Throughput::Elements(4096));
        for items in ITEMS {
            let counter = Counter::open(items, 20 * u64::from(items), 50)?;
            for threads in [1, 2] {
                let pool = pool(threads)?;
                group.bench_function(BenchmarkId::new(format!("{items} items"), format!("{threads} threads")), |b| {
                    b.iter(|| black_box(answer(&counter.snapshot, counter.now, 4096, &pool)));
                });
            }
        }
        group.finish();
        Ok(())
    }

    pub(crate) fn scaling() -> Result<(), Box<dyn Error>> {
        ITEMS.into_iter().try_for_each(scaling_of)
    }

    fn scaling_of(items: u32) -> Result<(), Box<dyn Error>> {
        let counter = Counter::open(items, 20 * u64::from(items), 50)?;
        let pools = [pool(1)?, pool(2)?];
        let mut seconds = [Vec::new(), Vec::new()];
        let n = 8192;
        for round in 0..8 {
            for (pool, seconds) in pools.iter().zip(&mut seconds) {
                let start = Instant::now();
                black_box(answer(&counter.snapshot, counter.now, n, pool));
                if round > 0 {
                    seconds.push(start.elapsed().as_secs_f64());
                }
            }
        }
        let median = |s: &mut Vec<f64>| {
            s.sort_by(f64::total_cmp);
            s[s.len() / 2]
        };
        let [one, two] = &mut seconds;
        let (one, two) = (median(one), median(two));
        let rate = |s: f64| n as f64 / s;
        println!("{items} items: 1 thread {:.0}/s, 2 threads {:.0}/s: {:.2} times", rate(one), rate(two), one / two);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().any(|arg| arg == "--scaling") {
        return bench::scaling();
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    bench::batch(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}
