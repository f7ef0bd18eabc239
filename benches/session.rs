//! Session neighbours: fit and query.
//!
//! 20,000 items with Zipf popularity, 500,000 events; the running session has five clicks on popular items, so that every
//! one has more sessions than are looked at: the worst case of a query.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn session(c: &mut Criterion) {
    let params = ShopParams { items: 20_000, users: 50_000, events: 500_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let mut popular: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    popular.sort_by_key(|&item| std::cmp::Reverse(data.events_on(item).len()));
    let touch = |&item: &ItemIdx| Touch { item, kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let history: Vec<Touch> = popular[..5].iter().map(touch).collect();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, history.len());
    let mut trial = Trial::default();
    for params in [SessionKnnParams::vmis(), SessionKnnParams::vstan(), SessionKnnParams::next_click()] {
        let recipe = params.check().unwrap();
        let model = recipe.fit(&(&data).into(), &Run::default()).unwrap();
        c.bench_function(&format!("session/query/{}, 5 popular clicks, 100 candidates", recipe.name), |b| {
            b.iter(|| trial.ask(&model, black_box(&cx), 100).len());
        });
    }
    let recipe = SessionKnnParams::next_click().check().unwrap();
    let mut group = c.benchmark_group("session/fit 500k events");
    group.sample_size(10);
    group.bench_function("next_click", |b| b.iter(|| recipe.fit(&(&data).into(), &Run::default()).unwrap()));
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
