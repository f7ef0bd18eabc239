//! ALS: fit, fold-in, scores and the scan.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn data(items: u32, events: u64) -> Dataset {
    let params = ShopParams { items, users: items, events, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    assert!(builder.ingest(&SyntheticShop::new(params.check().unwrap())).is_ok());
    builder.finish().unwrap()
}

fn fit(c: &mut Criterion) {
    let mut group = c.benchmark_group("fit_als/one iteration, 20k items, 500k events");
    group.sample_size(10);
    let data = data(20_000, 500_000);
    for (name, factors, solver) in [
        ("64 factors, 2 cg steps", 64, Solver::default()),
        ("64 factors, cholesky", 64, Solver::Cholesky),
        ("128 factors, 2 cg steps", 128, Solver::default()),
        ("256 factors, 2 cg steps", 256, Solver::default()),
        ("256 factors, blocks of 32", 256, Solver::Subspace { block: 32 }),
    ] {
        let recipe = AlsParams { factors, iterations: 1, solver, ..AlsParams::default() }.check().unwrap();
        group.bench_function(name, |b| b.iter(|| recipe.fit(&(&data).into(), &Run::new(1))));
    }
    group.finish();
}

fn request(c: &mut Criterion) {
    let data = data(20_000, 500_000);
    let shelf = Shelf::bare(&data);
    let recipe = AlsParams { iterations: 2, ..AlsParams::default() }.check().unwrap();
    let als = recipe.fit(&(&data).into(), &Run::new(1)).unwrap();
    let known = (0..data.n_items() as u32).map(ItemIdx::new).filter(|&i| als.item_factors(i).is_some());
    let touch = |item| Touch { item, kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let history: Vec<Touch> = known.step_by(97).map(touch).take(55).collect();
    assert_eq!(history.len(), 55);
    let mut ws = Workspace::default();
    c.bench_function("als/fold in 55 items, 64 factors", |b| {
        b.iter(|| {
            let x = als.fold_in(black_box(&history), &mut ws);
            x.map(|x| ws.give_floats(x))
        });
    });
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, 5);
    let mut trial = Trial::default();
    c.bench_function("als/propose 100 of 20k and score them, folding in twice", |b| {
        b.iter(|| trial.ask(&als, black_box(&cx), 100).len());
    });
    c.bench_function("als/propose 1000 of 20k and score them, folding in twice", |b| {
        b.iter(|| trial.ask(&als, black_box(&cx), 1000).len());
    });
    c.bench_function("als/explain one item, 55 in the history", |b| {
        b.iter(|| als.explain(black_box(&cx), ItemIdx::new(0), &mut ws));
    });
    c.bench_function("als/similar items among 20k", |b| b.iter(|| als.similar_items(black_box(history[0].item), 20)));
}

criterion_group!(benches, fit, request);
criterion_main!(benches);
