//! Little data, extreme data, and runs that are stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use likewise::*;

use super::*;

#[test]
fn items_without_events_change_nothing_and_get_no_opinion() {
    let pairs = some_pairs();
    let mut builder = DatasetBuilder::default();
    for &(user, item, _) in &pairs {
        let (user, item) = (format!("u{user}"), format!("i{item}"));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        builder.push(&Event::new(who, &item, EventKind::View, Timestamp::from_secs(DAY))).unwrap();
    }
    let without = builder.build().unwrap();
    builder.items(["never", "seen"]).unwrap();
    let with = builder.finish().unwrap();
    let params = AlsParams { factors: 4, ..AlsParams::default() };
    let (a, b) = (fit(&params, &without, &Run::new(1)), fit(&params, &with, &Run::new(1)));
    for user in without.users() {
        assert_eq!(a.user_factors(user), b.user_factors(user));
    }
    let never = with.item("never").unwrap();
    assert_eq!(b.item_factors(never), None);
    assert_eq!(b.similarity(never, ItemIdx::new(0)), None);
    assert!(b.similar_items(never, 5).is_empty());
    let opinions = scores(&b, &with, &[touch(0, 1.0), touch(never.get(), 1.0)], 2);
    assert_eq!(opinions[never.as_usize()], None);
    assert!(opinions[0].is_some());
    let only_never = scores(&b, &with, &[touch(never.get(), 1.0)], 1);
    assert!(only_never.iter().all(Option::is_none), "nothing known is liked");
}

#[test]
fn little_data_gives_few_opinions_and_no_error() {
    let params = AlsParams { factors: 4, ..AlsParams::default() };
    let empty = DatasetBuilder::default().finish().unwrap();
    let als = fit(&params, &empty, &Run::new(1));
    assert_eq!(als.extent(), empty.extent());
    assert_eq!(als.fold_in(&[touch(0, 1.0)], &mut Workspace::default()), None);
    assert!(als.similar_items(ItemIdx::new(0), 3).is_empty());
    assert!(als.similar_users(&empty, UserIdx::new(0), 3).is_empty());

    let one = dataset(&[(0, 0, 1.0)]);
    for solver in [Solver::Cholesky, Solver::default()] {
        let als = fit(&AlsParams { solver, ..params.clone() }, &one, &Run::new(1));
        assert!(scores(&als, &one, &[touch(0, 1.0)], 1)[0].unwrap() > 0.5);
        assert!(scores(&als, &one, &[], 0)[0].is_none(), "an anonymous shopper with nothing");
        assert!(scores(&als, &one, &[touch(0, -1.0)], 1)[0].is_none(), "nothing but a dislike");
        assert!(scores(&als, &one, &[touch(77, 1.0)], 1)[0].is_none(), "an item beyond the fit");
    }
}

#[test]
fn extreme_weights_give_finite_vectors_or_a_typed_error() {
    let mut pairs = some_pairs();
    pairs[0].2 = 1e6;
    let huge = dataset(&pairs);
    let tiny = dataset(&some_pairs().iter().map(|&(u, i, _)| (u, i, 1e-30)).collect::<Vec<_>>());
    for solver in [Solver::Cholesky, Solver::default()] {
        for confidence in [Confidence::Log, Confidence::Linear] {
            let params = AlsParams { factors: 4, solver, confidence, ..AlsParams::default() };
            for data in [&huge, &tiny] {
                fit(&params, data, &Run::new(1));
            }
            let params = AlsParams { alpha: 1e6, regularization: 1e-6, ..params };
            match params.check().unwrap().fit(&(&huge).into(), &Run::new(1)) {
                Ok(als) => assert!(als.user_factors(UserIdx::new(0)).unwrap().iter().all(|v| v.is_finite())),
                Err(error) => assert!(matches!(error, FitError::NotFinite { model: "als", .. }), "{error}"),
            }
        }
    }
    let als = fit(&AlsParams { factors: 4, ..AlsParams::default() }, &tiny, &Run::new(1));
    for weight in [f32::MAX, f32::MIN_POSITIVE, -f32::MAX] {
        let opinions = scores(&als, &tiny, &[touch(0, weight), touch(0, weight), touch(1, 1.0)], 3);
        assert!(opinions.iter().flatten().all(|s| s.is_finite()));
    }
}

#[test]
fn weights_whose_squares_overflow_are_solved_all_the_same() {
    // A confidence of 1e26: squares leave the range of f32, but a row's scaled equations do not.
    let weight = KindWeight {
        weight: 1e6,
        quantity: Transform::Linear { cap: 1e6 },
        value: Transform::Linear { cap: 1e6 },
        half_life: None,
    };
    let weights = EventWeights::default().with(EventKind::Purchase, weight).check().unwrap();
    let mut builder = DatasetBuilder::default().weights(weights);
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    for item in ["mug", "tea"] {
        let event = Event::new(ann, item, EventKind::Purchase, Timestamp::default()).quantity(1e6).value(1e6);
        (0..50).for_each(|_| builder.push(&event).unwrap());
    }
    let data = builder.finish().unwrap();
    for solver in [Solver::Cholesky, Solver::default()] {
        let params =
            AlsParams { confidence: Confidence::Linear, alpha: 1e6, init_std: 1e3, solver, ..AlsParams::default() };
        let als = fit(&params, &data, &Run::new(1));
        let x = als.user_factors(UserIdx::new(0)).unwrap();
        for item in [0, 1].map(ItemIdx::new) {
            let product = product(x, als.item_factors(item).unwrap());
            assert!((0.9..1.1).contains(&product), "{product}");
        }
    }
}

#[test]
fn a_fit_that_needs_more_memory_than_allowed_is_refused_before_it_starts() {
    let data = dataset(&some_pairs());
    let params = AlsParams { factors: 1024, ..AlsParams::default() }.check().unwrap();
    match params.fit(&(&data).into(), &Run::new(1).memory(1 << 20)) {
        Err(FitError::Memory { model: "als", needed, allowed: 0x10_0000 }) => assert!(needed > 1 << 20),
        other => panic!("{other:?}"),
    }
    let params = AlsParams { factors: 4, ..AlsParams::default() };
    assert_eq!(
        fit(&params, &data, &Run::new(1).memory(1 << 20)).user_factors(UserIdx::new(0)),
        fit(&params, &data, &Run::new(1)).user_factors(UserIdx::new(0)),
    );
}

#[test]
fn a_cancelled_run_ends() {
    let data = dataset(&some_pairs());
    let params = AlsParams::default().check().unwrap();
    let flag = AtomicBool::new(true);
    let cancelled = |outcome| assert!(matches!(outcome, Err(FitError::Cancelled(_))), "{outcome:?}");
    cancelled(params.fit(&(&data).into(), &Run::new(1).cancel(&flag)));
    flag.store(false, Ordering::Relaxed);
    let stop_later = |p: Progress| flag.store(p.step == 3, Ordering::Relaxed);
    cancelled(params.fit(&(&data).into(), &Run::new(1).cancel(&flag).progress(&stop_later)));
}

#[test]
fn memory_is_four_bytes_a_factor_and_one_more_to_search() {
    let data = dataset(&some_pairs());
    let params = AlsParams { factors: 8, retrieval: Retrieval::None, ..AlsParams::default() };
    let quiet = fit(&params, &data, &Run::new(1)).memory_report().total();
    assert_eq!(quiet, 4 * ((8 + 1) * (data.n_rows() + data.n_items()) + 8 * 8));
    let als = fit(&AlsParams { factors: 8, ..AlsParams::default() }, &data, &Run::new(1));
    let searched = als.memory_report().total() - quiet;
    let panels = data.n_items().div_ceil(16);
    assert!((panels * (16 * 8 + 16 * 4 + 32)..4 * panels * (16 * 8 + 16 * 4 + 32)).contains(&searched), "{searched}");
    let json = serde_json::to_string(als.params()).unwrap();
    assert_eq!(serde_json::from_str::<Checked<AlsParams>>(&json).unwrap().into_inner(), *als.params());
}
