//! The buyer's tables over a shop of 20,000 shoppers and 500,000 events.

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::decide::predict::PurchaseDays;
use likewise::insight::*;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

fn tables(c: &mut Criterion) {
    let params = ShopParams { items: 2_000, users: 20_000, events: 500_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.finish().unwrap();
    let now = data.as_of();
    let mut group = c.benchmark_group("insight/20k shoppers, 500k events");
    group.sample_size(10);
    group.bench_function("baskets", |b| b.iter(|| Baskets::of(&data, KindSet::ALL, BasketUnit::Shopper)));
    let baskets = Baskets::of(&data, KindSet::ALL, BasketUnit::Shopper);
    let visits = Baskets::of(&data, KindSet::ALL, BasketUnit::Session);
    let pairs = AffinityPairsParams::default().check().unwrap();
    group.bench_function("pairs", |b| b.iter(|| baskets.affinity(&pairs)));
    let rules = BasketRulesParams { min_support: 0.005, ..BasketRulesParams::default() }.check().unwrap();
    group.bench_function("rules from .5 % on (FP-growth)", |b| b.iter(|| visits.rules(&rules)));
    let related = RelationParams::default().check().unwrap();
    group.bench_function("relations", |b| b.iter(|| relations(&visits, &visits, &related)));
    let days = PurchaseDays::of(&data, KindSet::ALL, now);
    group.bench_function("repeat intervals", |b| b.iter(|| repeat_intervals(&data, &days, now, 5, 0.95)));
    let demanded =
        DemandParams { kinds: KindSet::ALL, period: Span::days(1), min_periods: 5, ..DemandParams::default() };
    let demanded = demanded.check().unwrap();
    group.bench_function("demand", |b| b.iter(|| demand(&data, now, &demanded)));
    let prices = PriceParams { kinds: KindSet::ALL, ..PriceParams::default() }.check().unwrap();
    group.bench_function("price response", |b| b.iter(|| price_response(&data, now, &prices)));
    group.bench_function("views without purchase", |b| b.iter(|| unbought_views(&data, 20, 0.95)));
    group.finish();
}

criterion_group!(benches, tables);
criterion_main!(benches);
