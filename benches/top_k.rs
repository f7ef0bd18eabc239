//! The best 200 of many scored items, as every proposing scorer takes them, by the number of items and of ties.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use likewise::testing::Trial;
use likewise::{
    Candidates, Context, Dataset, DatasetBuilder, Extent, ItemIdx, Scored, Scorer, Scores, Shelf, Workspace,
};

/// Proposes the best of a list that is given.
#[derive(Debug)]
struct Given {
    extent: Extent,
    scored: Vec<Scored>,
}

impl Scorer for Given {
    fn name(&self) -> &'static str {
        "given"
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, _: &Context<'_>, _: &mut Scores<'_>, _: &mut Workspace) {}

    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut scored = ws.take_scored();
        scored.extend_from_slice(&self.scored);
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
    }
}

fn shop(items: usize) -> Option<Dataset> {
    let keys: Vec<String> = (0..items).map(|i| i.to_string()).collect();
    let mut builder = DatasetBuilder::default();
    builder.items(keys.iter().map(String::as_str)).ok()?;
    builder.finish().ok()
}

fn top_k(c: &mut Criterion) {
    let mut group = c.benchmark_group("top_k");
    for items in [2_500usize, 20_000, 100_000] {
        let Some(data) = shop(items) else { continue };
        let shelf = Shelf::bare(&data);
        let cx = Context::new(&data, &shelf, data.as_of());
        for (what, distinct) in [("distinct", u64::MAX), ("ten values", 10)] {
            let score = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31) >> 40) % distinct;
            let scored =
                (0..items as u64).map(|i| Scored { item: ItemIdx::new(i as u32), score: score(i) as f32 }).collect();
            let given = Given { extent: data.extent(), scored };
            let mut trial = Trial::default();
            group.bench_function(BenchmarkId::new(what, items), |b| {
                b.iter(|| black_box(trial.ask(&given, &cx, 200).len()));
            });
            group.bench_function(BenchmarkId::new(format!("{what}, full sort"), items), |b| {
                let sort = |mut all: Vec<Scored>| {
                    all.sort_unstable_by(Scored::order);
                    all.truncate(200);
                    all
                };
                b.iter_batched(|| given.scored.clone(), sort, BatchSize::LargeInput);
            });
        }
    }
    group.finish();
}

criterion_group!(benches, top_k);
criterion_main!(benches);
