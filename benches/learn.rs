//! Learning a blend of five voices from 1,000 lists of 200 items with three clicks each: the three learners of weights, trees
//! on one thread and on all, and what trees cost when they are asked.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use likewise::tune::learn::*;
use likewise::{Parallelism, Run, Validate};

fn lists() -> JudgedLists {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let lists: Vec<LoggedList> = (0..1_000)
        .map(|_| {
            let item = |place: u32| {
                let x: [f32; 5] = std::array::from_fn(|_| next());
                let gain = f32::from(u8::from(next() < 0.04 * x[0] * (x[1] + x[2])));
                // A third of the opinions is silence.
                let parts = x.into_iter().map(|x| if x < 0.33 { f32::NAN } else { x }).collect();
                LoggedItem { place, parts, gain, ..LoggedItem::default() }
            };
            LoggedList { items: (0..200).map(item).collect() }
        })
        .collect();
    JudgedLists::from_log(&lists, &Propensities::none(), 20.0)
}

fn learning(c: &mut Criterion) {
    let lists = lists();
    let mut group = c.benchmark_group("learn/1,000 lists of 200");
    group.sample_size(10);
    let methods = [
        ("coordinate ascent", Method::CoordinateAscent),
        ("logistic", Method::Logistic),
        ("pairwise", Method::Pairwise),
    ];
    for (name, method) in methods {
        let params = LearnParams { method, rounds: 20, ..LearnParams::default() }.check().unwrap();
        group.bench_function(format!("{name}, 20 rounds"), |b| {
            b.iter(|| learn(&params, black_box(&lists), &Run::new(1)).unwrap());
        });
    }
    let params = TreesParams { rounds: 20, ..TreesParams::default() }.check().unwrap();
    let none = JudgedLists::default();
    for (name, threads) in [("one thread", Parallelism::Serial), ("all", Parallelism::default())] {
        let run = Run::new(1).threads(threads);
        group.bench_function(format!("trees, 20 rounds, {name}"), |b| {
            b.iter(|| learn_trees(&params, black_box(&lists), &none, &[0.2; 5], &run).unwrap());
        });
    }
    group.finish();
    let params = TreesParams { rounds: 100, ..TreesParams::default() }.check().unwrap();
    let forest = learn_trees(&params, &lists, &none, &[0.2; 5], &Run::new(1)).unwrap().forest;
    let opinions = [Some(0.4), None, Some(0.7), Some(0.1), None];
    c.bench_function("learn/contributions/100 trees of 8 leaves", |b| {
        b.iter(|| forest.contributions(black_box(&opinions)));
    });
}

criterion_group!(benches, learning);
criterion_main!(benches);
