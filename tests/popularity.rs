//! Popularity: a slow twin, hand-computed scores, updates against rebuilds.

use std::collections::{BTreeMap, BTreeSet};

use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

#[derive(Clone, Copy, Debug)]
struct Tiny {
    user: u8,
    item: u8,
    kind: usize,
    day: i64,
    units: u8,
}

const KINDS: [EventKind; 4] = [EventKind::View, EventKind::Purchase, EventKind::Return, EventKind::Impression];

fn tiny() -> impl Strategy<Value = Tiny> {
    (0u8..5, 0u8..6, 0..KINDS.len(), -3i64..9, 1u8..4).prop_map(|(user, item, kind, day, units)| Tiny {
        user,
        item,
        kind,
        day,
        units,
    })
}

fn push(builder: &mut DatasetBuilder, events: &[Tiny]) {
    for e in events {
        let (user, item) = (format!("u{}", e.user), format!("i{}", e.item));
        let who = match e.user {
            0 => Shopper::Anonymous { session: &user },
            _ => Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract)),
        };
        let at = Timestamp::from_millis(e.day * DAY + DAY / 3);
        builder.push(&Event::new(who, &item, KINDS[e.kind], at).quantity(f32::from(e.units) / 2.0)).unwrap();
    }
}

fn data(events: &[Tiny]) -> Dataset {
    let mut builder = DatasetBuilder::default();
    push(&mut builder, events);
    builder.finish().unwrap()
}

fn fit(params: &PopularityParams, data: &Dataset) -> Popularity {
    params.clone().check().unwrap().fit(&data.into(), &Run::default()).unwrap()
}

fn scores(model: &Popularity, data: &Dataset) -> Vec<Option<f32>> {
    let shelf = Shelf::bare(data);
    let items: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    opinions(model, &Context::new(data, &shelf, data.as_of()), &items)
}

fn recipes() -> impl Strategy<Value = PopularityParams> {
    let counts = prop::sample::select(vec![Count::Events, Count::Shoppers, Count::Visits, Count::Units]);
    let kinds = prop::sample::select(vec![KindSet::INTEREST, KindSet::of(&[EventKind::Purchase]), KindSet::ALL]);
    let window = prop::option::of((1u32..120).prop_map(Span::hours));
    let half_life = prop::option::of((1u32..10).prop_map(Span::days));
    let bucket = prop::sample::select(vec![Span::hours(5), Span::days(1), Span::days(2)]);
    (counts, kinds, window, half_life, bucket).prop_map(|(count, kinds, window, half_life, bucket)| PopularityParams {
        count,
        kinds,
        window,
        half_life,
        bucket,
        ..PopularityParams::default()
    })
}

/// What the documentation says, event by event.
fn twin(p: &PopularityParams, data: &Dataset) -> Vec<Option<f32>> {
    let bucket = |at: Timestamp| at.millis().div_euclid(p.bucket.as_millis());
    let now = bucket(data.as_of());
    let mut counts = vec![BTreeMap::<i64, f64>::new(); data.n_items()];
    for row in (0..data.n_rows() as u32).map(UserIdx::new) {
        let mut latest = BTreeMap::new();
        let mut visits = BTreeSet::new();
        for e in data.events_of(row).iter().filter(|e| p.kinds.contains(e.kind)) {
            let (item, at) = (e.item.as_usize(), bucket(e.at));
            match p.count {
                Count::Events => *counts[item].entry(at).or_default() += 1.0,
                Count::Units => *counts[item].entry(at).or_default() += f64::from(e.quantity),
                Count::Shoppers => _ = latest.insert(item, at),
                _ => _ = visits.insert((item, at)),
            }
        }
        for (item, at) in latest.into_iter().chain(visits) {
            *counts[item].entry(at).or_default() += 1.0;
        }
    }
    let buckets = p.window.map(|w| (w.as_millis() as u64).div_ceil(p.bucket.as_millis() as u64) as i64);
    let score = |by_bucket: &BTreeMap<i64, f64>| {
        let inside = by_bucket.iter().filter(|(at, _)| buckets.is_none_or(|n| now - **at < n));
        let age = |at: i64| Span::millis((now - at) * p.bucket.as_millis());
        let count: f64 = inside.map(|(at, n)| n * p.half_life.map_or(1.0, |h| age(*at).decay(h))).sum();
        (count > 0.0).then(|| (1.0 + count / f64::from(p.smoothing)).ln() as f32)
    };
    counts.iter().map(score).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn equals_the_slow_twin(events in prop::collection::vec(tiny(), 0..40), p in recipes()) {
        let data = data(&events);
        let (fast, slow) = (scores(&fit(&p, &data), &data), twin(&p, &data));
        for (fast, slow) in fast.iter().zip(&slow) {
            prop_assert_eq!(fast.is_some(), slow.is_some());
            prop_assert!((fast.unwrap_or(0.0) - slow.unwrap_or(0.0)).abs() < 1e-5, "{:?} {:?}", fast, slow);
        }
    }

    #[test]
    fn an_update_is_a_rebuild(
        first in prop::collection::vec(tiny(), 0..30),
        second in prop::collection::vec(tiny(), 0..30),
        p in recipes(),
        as_of in prop::option::of(prop::sample::select(vec![(9i64, 9i64), (9, 12), (20, 10)])),
    ) {
        let mut builder = DatasetBuilder::default();
        push(&mut builder, &first);
        let at = |b: DatasetBuilder, day: Option<i64>| match day {
            Some(day) => b.as_of(Timestamp::from_millis(day * DAY)),
            None => b,
        };
        let before = at(builder.clone(), as_of.map(|a| a.0)).finish().unwrap();
        push(&mut builder, &second);
        let after = at(builder, as_of.map(|a| a.1)).finish().unwrap();
        let delta = Delta::between(&before, &after).unwrap();
        let recipe = p.clone().check().unwrap();
        let updated = recipe.update(&fit(&p, &before), &delta, None, &Run::default()).unwrap();
        prop_assert_eq!(updated, fit(&p, &after));
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        (events, shuffled) in prop::collection::vec(tiny(), 0..30)
            .prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
        p in recipes(),
    ) {
        // Returns take back what came before them, and equal times keep their order of arrival: leave them out.
        let keep = |e: &&Tiny| KINDS[e.kind] != EventKind::Return;
        let (events, shuffled): (Vec<Tiny>, Vec<Tiny>) =
            (events.iter().filter(keep).copied().collect(), shuffled.iter().filter(keep).copied().collect());
        let items = ["i0", "i1", "i2", "i3", "i4", "i5"];
        let build = |events: &[Tiny]| {
            let mut builder = DatasetBuilder::default();
            builder.items(items).unwrap();
            push(&mut builder, events);
            builder.finish().unwrap()
        };
        let (one, other) = (build(&events), build(&shuffled));
        let (one, other) = (scores(&fit(&p, &one), &one), scores(&fit(&p, &other), &other));
        prop_assert_eq!(one, other);
    }
}

#[test]
fn scores_by_hand() {
    let on = |user, item, day| Tiny { user, item, kind: 0, day, units: 4 };
    // Item 0: two shoppers, one twice; item 1: one shopper, two days ago.
    let data = data(&[on(1, 0, 4), on(1, 0, 4), on(2, 0, 2), on(1, 1, 2), on(0, 2, 1)]);
    let half_life = Some(Span::days(2));
    let by = |count, window| {
        let p = PopularityParams { count, window, half_life, ..PopularityParams::default() };
        scores(&fit(&p, &data), &data)
    };
    let ln = |x: f64| Some((1.0 + x).ln() as f32);
    let old = 2f64.powf(-1.5);
    assert_eq!(by(Count::Shoppers, None), [ln(1.5), ln(0.5), ln(old)]);
    assert_eq!(by(Count::Visits, None), [ln(1.5), ln(0.5), ln(old)]);
    assert_eq!(by(Count::Events, None), [ln(2.5), ln(0.5), ln(old)]);
    assert_eq!(by(Count::Units, None), [ln(5.0), ln(1.0), ln(2.0 * old)]);
    assert_eq!(by(Count::Events, Some(Span::days(3))), [ln(2.5), ln(0.5), None]);
    assert_eq!(by(Count::Events, Some(Span::millis(1))), [ln(2.0), None, None]);
}

#[test]
fn explains_with_the_count_it_made() {
    let on = |user, day| Tiny { user, item: 0, kind: 0, day, units: 3 };
    let data = data(&[on(1, 0), on(2, 0), on(3, 5)]);
    let shelf = Shelf::bare(&data);
    let cx = Context::new(&data, &shelf, data.as_of());
    for (count, expected) in [(Count::Shoppers, 3), (Count::Units, 4)] {
        let model = fit(&PopularityParams { count, ..PopularityParams::default() }, &data);
        let explanation = model.explain(&cx, ItemIdx::new(0), &mut Workspace::default());
        assert_eq!(explanation.details[0].reason, Reason::Count { events: expected, code: ReasonCode::Popular });
        assert_eq!(explanation.details[0].value, explanation.value);
    }
}

#[test]
fn keeps_the_laws() {
    check_params::<PopularityParams>().unwrap();
    let shop = SyntheticShop::new(ShopParams::default().check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::new(&data, shop.catalog().unwrap().into());
    let recipe = PopularityParams::default().check().unwrap();
    let serial = recipe.fit(&(&data).into(), &Run::default().threads(Parallelism::Serial)).unwrap();
    check_scorer(&serial, &data, &shelf).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(pool.install(|| recipe.fit(&(&data).into(), &Run::default())).unwrap(), serial);
    let cx = Context::new(&data, &shelf, data.as_of());
    assert_eq!(proposals(&serial, &cx, 7), serial.ranking()[..7]);
    // The most wanted by design are wanted most.
    let head: Vec<u32> = serial.ranking()[..10].iter().map(|&i| data.item_key(i)[1..].parse().unwrap()).collect();
    assert!(head.iter().filter(|&&n| n < 30).count() >= 8, "{head:?}");
    assert!(serial.memory_report().total() > data.n_items() * 16);
}

#[test]
fn clocks_at_the_limits_and_no_data_are_fine() {
    let recipe = PopularityParams { window: Some(Span::days(3)), ..PopularityParams::default() }.check().unwrap();
    for as_of in [None, Some(Timestamp::MAX)] {
        for day in [-719_162, 0, 2_932_896] {
            // The first and the last day a dataset takes.
            let mut builder = DatasetBuilder::default();
            push(&mut builder, &[Tiny { user: 1, item: 0, kind: 0, day, units: 2 }]);
            let data = as_of.map_or(builder.clone(), |t| builder.as_of(t)).finish().unwrap();
            let model = recipe.fit(&(&data).into(), &Run::default()).unwrap();
            assert_eq!(model.ranking().len(), usize::from(as_of.is_none()));
            check_scorer(&model, &data, &Shelf::bare(&data)).unwrap();
        }
    }
    let none = DatasetBuilder::default().as_of(Timestamp::MIN).finish().unwrap();
    assert!(recipe.fit(&(&none).into(), &Run::default()).unwrap().ranking().is_empty());
}

#[test]
fn a_cancelled_fit_ends() {
    let data = data(&[Tiny { user: 1, item: 0, kind: 0, day: 0, units: 2 }]);
    let flag = std::sync::atomic::AtomicBool::new(true);
    let error = PopularityParams::default().check().unwrap().fit(&(&data).into(), &Run::new(0).cancel(&flag));
    assert_eq!(error.unwrap_err(), FitError::Cancelled(Cancelled));
}
