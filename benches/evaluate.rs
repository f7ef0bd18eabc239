//! Evaluation beside the models: cutting a log, asking, judging, and saying how sure the figures are.
//!
//! The size is that of a long session task: 56,000 cases of one target each, lists of 20 out of 17,000 items, twelve
//! metrics. `ask` asks a scorer that costs next to nothing, so that what is left is the overhead of a case.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::evaluate::metric::*;
use likewise::evaluate::*;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

const CASES: u32 = 56_000;
const ITEMS: u32 = 17_000;

fn task() -> Task {
    let params = ShopParams { items: ITEMS, users: 20_000, events: 400_000, ..ShopParams::default() };
    let mut log = DatasetBuilder::default();
    log.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    let data = Arc::new(log.finish().unwrap());
    let n_items = data.n_items() as u32;
    let (now, touch) = (data.as_of(), |item: u32| Touch {
        item: ItemIdx::new(item % n_items),
        kind: EventKind::View,
        at: data.as_of(),
        weight: 1.0,
    });
    let case = |n: u32| {
        let target = Target { item: Some(touch(n.wrapping_mul(2_654_435_761) >> 16).item), value: 1.0 };
        Case::new(now, [target]).in_session((0..n % 8).map(|i| touch(n + 31 * i)).collect())
    };
    let cases = (0..CASES).map(case).collect();
    let shelf = Shelf::bare(&data);
    Task::new(Arc::clone(&data), data, shelf, cases).unwrap()
}

fn evaluation(task: &Task) -> Evaluation {
    Evaluation::at(20)
        .metric(Recall(5))
        .metric(Ndcg(5))
        .metric(RPrecision)
        .metric(RevenueRecall(20))
        .metric(Novelty(20))
        .metric(Serendipity::new(20, task))
}

fn evaluate(c: &mut Criterion) {
    let task = task();
    let run = Run::new(1);
    let popular = PopularityParams::default().check().unwrap().fit(&task.training_set(), &run).unwrap();
    let lists = task.lists(System::Scorer(&popular), 20, &run).unwrap();
    let evaluation = evaluation(&task);
    let judged = evaluation.judge_lists(&task, &lists, &run);
    let mut group = c.benchmark_group("evaluate");
    group.sample_size(10);
    group.bench_function("ask 56k cases by popularity", |b| {
        b.iter(|| task.lists(System::Scorer(black_box(&popular)), 20, &run).unwrap().len());
    });
    group.bench_function("judge 56k cases x 12 metrics", |b| {
        b.iter(|| evaluation.judge_lists(&task, black_box(&lists), &run).mean("ndcg@20"));
    });
    group.bench_function("1000 bootstrap samples of 56k x 12", |b| b.iter(|| black_box(&judged).report(&run).cases));
    group.bench_function("cut a log of 400k events in time", |b| {
        let mut log = DatasetBuilder::default();
        let params = ShopParams { items: ITEMS, users: 20_000, events: 400_000, ..ShopParams::default() };
        log.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
        b.iter(|| Split::fraction(0.8).task(black_box(&log), &Questions::default()).unwrap().cases().len());
    });
    group.finish();
}

criterion_group!(benches, evaluate);
criterion_main!(benches);
