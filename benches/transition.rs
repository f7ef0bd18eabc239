//! Order-aware neighbours: fit, update and query on a synthetic shop of 10,000 items and 500,000 events with Zipf
//! popularity.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn transition(c: &mut Criterion) {
    let params = ShopParams { items: 10_000, users: 20_000, events: 500_000, ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.build().unwrap();
    let run = Run::default();

    let mut group = c.benchmark_group("transition/fit 500k events");
    group.sample_size(10);
    let recipe = Checked::<TransitionParams>::default();
    group.bench_function("shopper, window 50", |b| b.iter(|| recipe.fit(&(&data).into(), &run).unwrap()));
    let session = TransitionParams { unit: PairUnit::Session, window: 10, ..Default::default() }.check().unwrap();
    group.bench_function("session, window 10", |b| b.iter(|| session.fit(&(&data).into(), &run).unwrap()));
    let timed = TransitionParams { gap_half_life: Some(Span::hours(6)), ..Default::default() }.check().unwrap();
    group.bench_function("shopper, window 50, by time", |b| b.iter(|| timed.fit(&(&data).into(), &run).unwrap()));
    let rules = Checked::<SequentialRulesParams>::default();
    group.bench_function("sequential rules", |b| b.iter(|| rules.fit(&(&data).into(), &run).unwrap()));

    let model = recipe.fit(&(&data).into(), &run).unwrap();
    builder.push(&Event::new(Shopper::Anonymous { session: "late" }, "i1", EventKind::View, data.as_of())).unwrap();
    let after = builder.finish().unwrap();
    let delta = Delta::between(&data, &after).unwrap();
    group.bench_function("one shopper changed", |b| {
        b.iter(|| recipe.update(&model, &delta, None, &run).unwrap());
    });
    group.finish();

    let shelf = Shelf::bare(&data);
    let history: Vec<Touch> = (0..50u32)
        .map(|n| Touch { item: ItemIdx::new(n * 199), kind: EventKind::View, at: data.as_of(), weight: 1.0 })
        .collect();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    let mut trial = Trial::default();
    for steps in [5, 50] {
        cx.history = &history[..steps];
        c.bench_function(&format!("transition/query/{steps} steps at 10k items, 200 candidates"), |b| {
            b.iter(|| trial.ask(&model, black_box(&cx), 200).len());
        });
    }
}

criterion_group!(benches, transition);
criterion_main!(benches);
