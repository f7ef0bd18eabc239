//! Repeat purchases, timing and propensity: fits over 20,000 customers, forecasts of one.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::decide::predict::*;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

fn shop() -> Dataset {
    let params =
        ShopParams { items: 2_000, users: 20_000, events: 500_000, anonymous_share: 0.0, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    builder.finish().unwrap()
}

/// Customers whose histories spread as those of a shop do: frequencies fall off, recencies lie anywhere.
fn customers() -> Vec<CustomerSummary> {
    let one = |i: u32| {
        let (x, age) = ((i * 7919 % 1000) / 250 * (i % 5), 26.0 + f64::from(i % 13));
        let recency = if x == 0 { 0.0 } else { age * (0.1 + 0.9 * f64::from(i * 31 % 97) / 97.0) };
        CustomerSummary::new(x, recency, age, 10.0 + f64::from(i * 17 % 61))
    };
    (0..20_000).map(one).collect()
}

fn models(c: &mut Criterion) {
    let mut group = c.benchmark_group("predict/fit, 20k customers");
    group.sample_size(10);
    let customers = customers();
    let recipe = BgNbdParams::default().check().unwrap();
    group.bench_function("BG/NBD", |b| b.iter(|| BgNbd::fit(&recipe, black_box(&customers))));
    let spend = GammaGammaParams::default().check().unwrap();
    group.bench_function("Gamma-Gamma", |b| b.iter(|| GammaGamma::fit(&spend, black_box(&customers))));
    group.finish();

    let model = BgNbd::fit(&recipe, &customers).unwrap();
    let spend = GammaGamma::fit(&spend, &customers).unwrap();
    let one = CustomerSummary::new(3, 20.0, 30.0, 25.0);
    let horizon = LifetimeParams::default().check().unwrap();
    c.bench_function("predict/expected purchases of one", |b| b.iter(|| model.expected(black_box(&one), 39.0)));
    c.bench_function("predict/forecast of one, with intervals", |b| b.iter(|| model.forecast(black_box(&one), 39.0)));
    c.bench_function("predict/lifetime value of one, 13 steps", |b| {
        b.iter(|| lifetime_value(&model, &spend, black_box(&one), &horizon));
    });
}

fn timing(c: &mut Criterion) {
    let data = shop();
    let kinds = KindSet::ALL; // the synthetic shop sells too little for its views
    let now = data.as_of();
    let mut group = c.benchmark_group("predict/timing, 20k shoppers, 500k events");
    group.sample_size(10);
    group.bench_function("days of purchase", |b| b.iter(|| PurchaseDays::of(&data, kinds, now)));
    let days = PurchaseDays::of(&data, kinds, now);
    let recipe = ReplenishmentParams::default().check().unwrap();
    group.bench_function("fit replenishment", |b| b.iter(|| Replenishment::fit(&recipe, &days)));
    let profile = ProfileParams { kinds }.check().unwrap();
    group.bench_function("profiles", |b| b.iter(|| Profiles::at(&data, now, &profile)));
    let profiles = Profiles::at(&data, now, &profile);
    let labels: Vec<u8> = (0..profiles.len()).map(|i| u8::from(i % 7 < 2)).collect();
    let logistic = LogisticParams::default().check().unwrap();
    group.bench_function("fit propensity, 14 columns", |b| {
        b.iter(|| Logistic::fit(&logistic, profiles.rows(), &labels))
    });
    group.finish();
    let model = Replenishment::fit(&recipe, &days).unwrap();
    let (_, item, own) = days.iter().max_by_key(|(_, _, own)| own.len()).unwrap();
    c.bench_function("predict/window after a silence", |b| {
        b.iter(|| model.window(item, black_box(own), now.plus(Span::days(9))));
    });
}

criterion_group!(benches, models, timing);
criterion_main!(benches);
