//! Linear and spectral models: fit and query on one synthetic shop of 2,000 items and 200,000 events.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn shop() -> Dataset {
    let params = ShopParams { items: 2_000, users: 10_000, events: 200_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    builder.finish().unwrap()
}

fn recipes() -> Vec<(&'static str, Box<dyn DynFit>)> {
    vec![
        ("slim", Box::new(Checked::<SlimParams>::default())),
        ("sparse_ease", Box::new(Checked::<SparseEaseParams>::default())),
        ("ease", Box::new(Checked::<EaseParams>::default())),
        ("gf_cf", Box::new(Checked::<GfCfParams>::default())),
        ("pure_svd", Box::new(Checked::<PureSvdParams>::default())),
    ]
}

fn linear(c: &mut Criterion) {
    let data = shop();
    let shelf = Shelf::bare(&data);
    let now = data.as_of();
    let history: Vec<Touch> =
        (0..50u32).map(|n| Touch { item: ItemIdx::new(n * 13), kind: EventKind::View, at: now, weight: 1.0 }).collect();
    let mut cx = Context::new(&data, &shelf, now);
    cx.history = &history;
    let mut trial = Trial::default();
    let mut group = c.benchmark_group("linear");
    group.sample_size(10);
    for (name, recipe) in recipes() {
        group.bench_function(format!("{name}/fit"), |b| {
            b.iter(|| recipe.fit_dyn(&(&data).into(), &Run::default()).unwrap());
        });
        let model = recipe.fit_dyn(&(&data).into(), &Run::default()).unwrap();
        group.bench_function(format!("{name}/query, 50 voters, 20 places"), |b| {
            b.iter(|| trial.ask(&*model, black_box(&cx), 20).len());
        });
    }
    group.finish();
}

criterion_group!(benches, linear);
criterion_main!(benches);
