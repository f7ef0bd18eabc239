//! Co-occurrence: fit, update and query.
//!
//! Model: 100,000 items in random sessions of 30, so that every item met more than 50 others and each list is full:
//! the worst case for a query, which then adds 50 voters x 50 neighbours. `fit` counts a synthetic shop of 10,000
//! items and 500,000 events with Zipf popularity.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

const ITEMS: u64 = 100_000;

/// Every item three times, in sessions of 30.
fn full_lists() -> Dataset {
    let mut builder = DatasetBuilder::default();
    for n in 0..3 * ITEMS {
        // An odd multiplier modulo a number it shares no factor with visits every item once a round.
        let item = (n * (7_919 + 2 * (n / ITEMS) * 1_234) + n / ITEMS) % ITEMS;
        let (session, item) = (format!("s{}", n / 30), format!("i{item}"));
        let who = Shopper::Anonymous { session: &session };
        let event = Event::new(who, &item, EventKind::View, Timestamp::from_secs(n as i64));
        builder.push(&event).unwrap_or_else(|e| panic!("{e}"));
    }
    builder.finish().unwrap()
}

fn query(c: &mut Criterion) {
    let data = full_lists();
    let recipe = CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::co_view() }.check().unwrap();
    let model = recipe.fit(&(&data).into(), &Run::default()).unwrap();
    let shelf = Shelf::bare(&data);
    let now = data.as_of();
    let history: Vec<Touch> = (0..50u32)
        .map(|n| Touch { item: ItemIdx::new(n * 1_999), kind: EventKind::View, at: now, weight: 1.0 })
        .collect();
    let full = history.iter().filter(|t| model.similar_items(t.item, 50).len() == 50).count();
    assert_eq!(full, 50, "the lists are not full");
    let mut cx = Context::new(&data, &shelf, now);
    cx.history = &history;
    let mut trial = Trial::default();
    for limit in [200, 1_000] {
        c.bench_function(&format!("cooccur/query/50x50 at 100k items, {limit} candidates"), |b| {
            b.iter(|| trial.ask(&model, black_box(&cx), limit).len());
        });
    }
    cx.history = &history[..5];
    c.bench_function("cooccur/query/5x50 at 100k items, 200 candidates", |b| {
        b.iter(|| trial.ask(&model, black_box(&cx), 200).len());
    });
}

fn fit(c: &mut Criterion) {
    let params = ShopParams { items: 10_000, users: 20_000, events: 500_000, ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.build().unwrap();
    let run = Run::default();
    let mut group = c.benchmark_group("fit_cooccurrence");
    group.sample_size(10);
    let recipes =
        [CoOccurrenceParams::co_view(), CoOccurrenceParams::co_purchase(), CoOccurrenceParams::viewed_then_bought()];
    for recipe in recipes {
        let recipe = recipe.check().unwrap();
        group.bench_function(recipe.name.clone(), |b| b.iter(|| recipe.fit(&(&data).into(), &run).unwrap()));
    }
    let cross = Checked::<CrossOccurrenceParams>::default();
    group.bench_function("cross_occurrence", |b| b.iter(|| cross.fit(&(&data).into(), &run).unwrap()));
    let lists_only = CoOccurrenceParams { retain: Retain::ListsOnly, ..CoOccurrenceParams::co_view() }.check().unwrap();
    group.bench_function("co_view, lists only", |b| b.iter(|| lists_only.fit(&(&data).into(), &run).unwrap()));
    group.finish();

    let who = Shopper::Anonymous { session: "late" };
    builder.push(&Event::new(who, "i1", EventKind::View, data.as_of())).unwrap_or_else(|e| panic!("{e}"));
    let after = builder.finish().unwrap();
    let delta = Delta::between(&data, &after).unwrap();
    let recipe = Checked::<CoOccurrenceParams>::default();
    let model = recipe.fit(&(&data).into(), &run).unwrap();
    let mut group = c.benchmark_group("update");
    group.sample_size(10);
    group.bench_function("co_view, one shopper changed", |b| {
        b.iter(|| recipe.update(&model, &delta, None, &run).unwrap());
    });
    group.finish();
}

criterion_group!(benches, query, fit);
criterion_main!(benches);
