//! The counting scorers: fit, update and propose. `cargo bench --bench popularity`

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use likewise::testing::{ShopParams, SyntheticShop, proposals};
use likewise::{
    Context, DatasetBuilder, Delta, EventSource, Fit, Flow, PopularInParams, PopularityParams, RecentParams, Run,
    Scorer, Shelf, Touch, TrainingSet, TrendingParams, Validate,
};

const EVENTS: u64 = 1_000_000;

fn shop(events: u64) -> SyntheticShop {
    let params = ShopParams { items: 20_000, users: 20_000, events, ..ShopParams::default() };
    SyntheticShop::new(params.check().expect("valid"))
}

fn benches(c: &mut Criterion) {
    let shop = shop(EVENTS);
    // The base lacks the last thousandth of the events.
    let build = |events: u64| {
        let (mut source, mut builder, mut told) = (&shop, DatasetBuilder::default(), 0);
        let read = source.for_each(&mut |offered| {
            told += 1;
            match offered.event {
                Ok(event) if told <= events && builder.push(&event).is_ok() => Flow::Continue,
                _ => Flow::Stop,
            }
        });
        read.expect("events");
        builder.finish().expect("a dataset")
    };
    let (data, base) = (build(EVENTS), build(EVENTS - EVENTS / 1000));
    let shelf = Shelf::new(&data, shop.catalog().expect("a catalogue").into());
    let train = TrainingSet::with_shelf(&data, &shelf);
    let popularity = PopularityParams::default().check().expect("valid");
    let popular_in = PopularInParams::default().check().expect("valid");
    let trending = TrendingParams::default().check().expect("valid");
    let recent = RecentParams::default().check().expect("valid");

    let mut group = c.benchmark_group("shop");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("events", |b| {
        b.iter(|| {
            let (mut source, mut bytes) = (&shop, 0);
            let told = source.for_each(&mut |offered| {
                bytes += offered.event.map_or(0, |event| event.item.len());
                Flow::Continue
            });
            black_box((told, bytes))
        });
    });
    group.finish();

    let mut group = c.benchmark_group("fit");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    group.bench_function("popularity", |b| b.iter(|| popularity.fit(&train, &Run::default())));
    group.bench_function("popular_in", |b| b.iter(|| popular_in.fit(&train, &Run::default())));
    group.bench_function("trending", |b| b.iter(|| trending.fit(&train, &Run::default())));
    if let (Some(delta), Ok(model)) = (Delta::between(&base, &data), popularity.fit(&(&base).into(), &Run::default())) {
        let update = || popularity.update(&model, &delta, None, &Run::default());
        group.bench_function("popularity, update by 0.1 %", |b| b.iter(update));
    }
    group.finish();

    let user = data.users().next();
    let touch = |e: likewise::EventRef| Touch { item: e.item, kind: e.kind, at: e.at, weight: 1.0 };
    let history: Vec<Touch> =
        user.map(|u| data.events_of(u).iter().rev().take(50).map(touch).collect()).unwrap_or_default();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    let models: [Box<dyn Scorer>; 4] = [
        Box::new(popularity.fit(&train, &Run::default()).expect("a model")),
        Box::new(popular_in.fit(&train, &Run::default()).expect("a model")),
        Box::new(trending.fit(&train, &Run::default()).expect("a model")),
        Box::new(recent.fit(&train, &Run::default()).expect("a model")),
    ];
    // With a cold workspace: the buffers of the asking are part of the figure.
    let mut group = c.benchmark_group("propose 100");
    for model in &models {
        group.bench_function(model.name(), |b| b.iter(|| black_box(proposals(&**model, &cx, 100))));
    }
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
