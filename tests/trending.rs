//! Trending: hand-computed trends, a slow twin, updates against rebuilds.

use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions};
use likewise::*;
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

/// One view of an item by a shopper on a day.
type Tiny = (u16, u8, i64);

fn push(builder: &mut DatasetBuilder, events: &[Tiny]) {
    for &(user, item, day) in events {
        let (user, item) = (format!("u{user}"), format!("i{item}"));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        builder.push(&Event::new(who, &item, EventKind::View, Timestamp::from_millis(day * DAY + 1))).unwrap();
    }
}

fn data(events: &[Tiny]) -> Dataset {
    let mut builder = DatasetBuilder::default();
    push(&mut builder, events);
    builder.finish().unwrap()
}

/// Windows of two days, by the day, two earlier ones, one event of variance.
fn days() -> TrendingParams {
    let (window, bucket) = (Span::days(2), Span::days(1));
    TrendingParams { window, bucket, baseline: 2, prior: 1.0, acceleration: 0.5, min_count: 2, ..Default::default() }
}

fn fit(params: &TrendingParams, data: &Dataset) -> Trending {
    params.clone().check().unwrap().fit(&data.into(), &Run::default()).unwrap()
}

fn scores(model: &Trending, data: &Dataset) -> Vec<Option<f32>> {
    let shelf = Shelf::bare(data);
    let items: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    opinions(model, &Context::new(data, &shelf, data.as_of()), &items)
}

/// `n` shoppers of their own look at `item` on `day`.
fn views(item: u8, day: i64, n: u16) -> impl Iterator<Item = Tiny> {
    (0..n).map(move |user| (user, item, day))
}

#[test]
fn trends_by_hand() {
    // Windows, latest first: days 4 and 5, days 2 and 3, days 0 and 1.
    let rising = views(0, 0, 1).chain(views(0, 3, 3)).chain(views(0, 4, 5)).chain(views(0, 5, 4));
    let steady = views(1, 0, 4).chain(views(1, 2, 4)).chain(views(1, 5, 4));
    let falling = views(2, 1, 9).chain(views(2, 3, 5)).chain(views(2, 4, 2));
    let rare = views(3, 5, 1);
    let braking = views(4, 0, 1).chain(views(4, 2, 9)).chain(views(4, 5, 6));
    let data = data(&rising.chain(steady).chain(falling).chain(rare).chain(braking).collect::<Vec<_>>());
    let model = fit(&days(), &data);
    // Item 0: x = 9, 3, 1; expected 2; velocity 7 / sqrt(3); change 9 - 6 + 1 = 4 over sqrt(13), half of it.
    let (velocity, acceleration) = (7.0 / 3f64.sqrt(), 0.5 * 4.0 / 13f64.sqrt());
    // Item 4: x = 6, 9, 1; expected 5; velocity 1 / sqrt(6); change 6 - 18 + 1 = -11 over sqrt(31), half: below zero.
    let expected = [Some(velocity as f32 + acceleration as f32), None, None, None, None];
    assert_eq!(scores(&model, &data), expected);
    let shelf = Shelf::bare(&data);
    let cx = Context::new(&data, &shelf, data.as_of());
    let explanation = model.explain(&cx, ItemIdx::new(0), &mut Workspace::default());
    let count = |events| Reason::Count { events, code: ReasonCode::Trending };
    let parts: Vec<_> = explanation.details.iter().map(|d| (d.value.unwrap(), d.reason.clone())).collect();
    assert_eq!(parts, [(velocity as f32, count(9)), (acceleration as f32, count(3))]);
    assert_eq!(explanation.value, Some(parts[0].0 + parts[1].0));
}

#[test]
fn too_little_past_says_nothing() {
    // Five days of data hold one earlier window only.
    let short: Vec<Tiny> = views(0, 1, 1).chain(views(0, 5, 50)).collect();
    assert!(fit(&days(), &data(&short)).ranking().is_empty());
    let enough: Vec<Tiny> = views(0, 0, 1).chain(views(0, 5, 50)).collect();
    assert_eq!(fit(&days(), &data(&enough)).ranking().len(), 1);
    assert!(fit(&days(), &data(&[])).ranking().is_empty());
}

#[test]
fn one_shopper_reloading_a_page_is_no_trend() {
    let past = views(0, 0, 1).chain(views(1, 0, 1));
    let reloads = std::iter::repeat_n((7, 0, 5), 500).chain(views(1, 5, 6));
    let data = data(&past.chain(reloads).collect::<Vec<_>>());
    assert_eq!(fit(&days(), &data).ranking(), [data.item("i1").unwrap()]);
    let events = TrendingParams { count: Count::Events, ..days() };
    assert_eq!(fit(&events, &data).ranking()[0], data.item("i0").unwrap());
    assert_eq!(TrendingParams { count: Count::Shoppers, ..days() }.check().unwrap_err().param, "count");
}

/// The documented formula, counting events anew for every window.
fn twin(p: &TrendingParams, data: &Dataset) -> Vec<Option<f32>> {
    let bucket = |at: Timestamp| at.millis().div_euclid(p.bucket.as_millis());
    let width = (p.window.as_millis() + p.bucket.as_millis() - 1) / p.bucket.as_millis();
    let now = bucket(data.as_of());
    let all = || (0..data.n_items() as u32).map(ItemIdx::new).flat_map(|item| data.events_on(item));
    let first = all().map(|e| bucket(e.at)).min().unwrap_or(now + 1);
    let windows = ((now - first + 1) / width - 1).min(p.baseline.into());
    let score = |item| {
        let x = |ago: i64| {
            let inside = |e: &EventRef| (now - bucket(e.at)) / width == ago;
            data.events_on(item).filter(|e| p.kinds.contains(e.kind)).filter(inside).count() as f64
        };
        let expected = (1..=windows).map(x).sum::<f64>() / windows as f64;
        let velocity = ((x(0) - expected) / (expected + f64::from(p.prior)).sqrt()) as f32;
        let change = (x(0) - 2.0 * x(1) + x(2)) / (6.0 * expected + f64::from(p.prior)).sqrt();
        let score = velocity + (f64::from(p.acceleration) * change) as f32;
        (windows >= 2 && x(0) >= f64::from(p.min_count) && velocity > 0.0 && score > 0.0).then_some(score)
    };
    (0..data.n_items() as u32).map(|item| score(ItemIdx::new(item))).collect()
}

fn recipes() -> impl Strategy<Value = TrendingParams> {
    (1u32..40, 2u32..5, prop::sample::select(vec![Span::hours(9), Span::days(1), Span::days(2)]), 1u32..4).prop_map(
        |(hours, baseline, bucket, min_count)| TrendingParams {
            window: Span::hours(hours),
            baseline,
            bucket,
            min_count,
            count: Count::Events,
            ..TrendingParams::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn equals_the_slow_twin(events in prop::collection::vec((0u16..4, 0u8..4, 0i64..16), 0..60), p in recipes()) {
        let data = data(&events);
        prop_assert_eq!(scores(&fit(&p, &data), &data), twin(&p, &data));
    }

    #[test]
    fn an_update_is_a_rebuild(
        first in prop::collection::vec((0u16..4, 0u8..4, 0i64..16), 0..40),
        second in prop::collection::vec((0u16..5, 0u8..5, 0i64..20), 0..40),
        count in prop::sample::select(vec![Count::Events, Count::Visits, Count::Units]),
        p in recipes(),
    ) {
        let p = TrendingParams { count, ..p };
        let mut builder = DatasetBuilder::default();
        push(&mut builder, &first);
        let before = builder.build().unwrap();
        push(&mut builder, &second);
        let after = builder.finish().unwrap();
        let delta = Delta::between(&before, &after).unwrap();
        let recipe = p.clone().check().unwrap();
        let updated = recipe.update(&fit(&p, &before), &delta, None, &Run::default()).unwrap();
        prop_assert_eq!(updated, fit(&p, &after));
    }
}

#[test]
fn keeps_the_laws() {
    check_params::<TrendingParams>().unwrap();
    let shop = SyntheticShop::new(ShopParams::default().check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::new(&data, shop.catalog().unwrap().into());
    let recipe = TrendingParams { window: Span::days(14), min_count: 1, ..TrendingParams::default() }.check().unwrap();
    let serial = recipe.fit(&(&data).into(), &Run::default().threads(Parallelism::Serial)).unwrap();
    assert!(serial.ranking().len() > 20);
    check_scorer(&serial, &data, &shelf).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    assert_eq!(pool.install(|| recipe.fit(&(&data).into(), &Run::default())).unwrap(), serial);
}

#[test]
fn clocks_at_the_limits_are_fine() {
    for as_of in [Timestamp::MIN, Timestamp::MAX] {
        let mut builder = DatasetBuilder::default();
        push(&mut builder, &[(1, 0, -719_162), (1, 0, 2_932_896)]);
        let data = builder.as_of(as_of).finish().unwrap();
        let widest = TrendingParams { window: Span::days(36_525), baseline: 1000, ..days() };
        for p in [days(), widest] {
            let model = fit(&p, &data);
            assert!(model.ranking().is_empty());
            check_scorer(&model, &data, &Shelf::bare(&data)).unwrap();
        }
    }
}
