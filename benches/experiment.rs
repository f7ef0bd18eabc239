//! Assignment, looks, figures and off-policy estimates.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::experiment::off_policy::{Logged, OffPolicyParams, evaluate};
use likewise::experiment::*;
use likewise::{Run, Timestamp, Validate};

fn assignment(c: &mut Criterion) {
    let variants = || ["as-is", "new"].map(|name| VariantRecipe { name: name.to_owned(), weight: 1 }).to_vec();
    let experiment = |layer: u32, i: u32| ExperimentRecipe {
        name: format!("e{layer}-{i}"),
        salt: String::new(),
        places: i * 1_000..(i + 1) * 1_000,
        share: EVERYBODY,
        variants: variants(),
        starts: None,
        ends: None,
    };
    let layer = |l: u32| LayerRecipe {
        name: format!("layer-{l}"),
        experiments: (0..10).map(|i| experiment(l, i)).collect(),
        ..LayerRecipe::default()
    };
    let plan = Plan::new(PlanRecipe { layers: (0..4).map(layer).collect(), ..PlanRecipe::default() }).unwrap();
    let (now, mut shopper) = (Timestamp::from_secs(0), 0u32);
    c.bench_function("experiment/assign in one layer of ten experiments", |b| {
        b.iter(|| {
            shopper = shopper.wrapping_add(1);
            plan.assign("layer-2", black_box(&format!("shopper-{shopper}")), now).and_then(Assigned::variant)
        });
    });
    c.bench_function("experiment/assign in four layers", |b| {
        b.iter(|| plan.assign_all(black_box("shopper-17"), now).filter(|(_, at)| at.variant().is_some()).count());
    });
}

fn figures(c: &mut Criterion) {
    let mut test = Sequential::new(SequentialParams::default().check().unwrap());
    let mut value = 0.0;
    c.bench_function("experiment/observe and look", |b| {
        b.iter(|| {
            value = (value + 0.37) % 1.0;
            let side = if value < 0.5 { Side::Control } else { Side::Treatment };
            test.observe(side, black_box(value)).map(|look| look.p_value)
        });
    });
    let outcome = |i: u32| {
        let totals = |k: u32| Totals {
            impressions: 10,
            clicks: (i * k % 4).into(),
            visits: 2,
            orders: (i * k % 2).into(),
            revenue: f64::from(i * k % 90),
        };
        Outcome { variant: (i % 2) as usize, before: totals(7), during: totals(11) }
    };
    let outcomes: Vec<Outcome> = (0..100_000).map(outcome).collect();
    let mut group = c.benchmark_group("experiment/100k shoppers");
    group.sample_size(20);
    group.bench_function("revenue per visitor with CUPED", |b| {
        b.iter(|| measure(black_box(&outcomes), 2, Kpi::RevenuePerVisitor, Adjust::Cuped));
    });
    group.finish();
    let (a, z): (Vec<u32>, Vec<u32>) = ((0..50).collect(), (0..50).rev().collect());
    c.bench_function("experiment/team draft of 20 from two lists of 50", |b| {
        b.iter(|| team_draft(black_box(&a), &z, 20, 7, "visit"));
    });
}

fn off_policy(c: &mut Criterion) {
    let row = |i: u32| Logged {
        reward: f64::from(u8::from(i.is_multiple_of(17))),
        propensity: 0.1 + 0.8 * f64::from(i % 7) / 7.0,
        target: f64::from(i % 11) / 11.0,
        modelled: 0.05,
        value: 0.06,
    };
    let log: Vec<Logged> = (0..20_000).map(row).collect();
    let params = OffPolicyParams { resamples: 100, ..OffPolicyParams::default() }.check().unwrap();
    let mut group = c.benchmark_group("experiment/off-policy, 20k rows");
    group.sample_size(10);
    group.bench_function("eight estimators, 100 replicates", |b| b.iter(|| evaluate(&log, &params, &Run::new(1))));
    group.finish();
}

criterion_group!(benches, assignment, figures, off_policy);
criterion_main!(benches);
