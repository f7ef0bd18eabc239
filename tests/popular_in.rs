//! Popularity within attribute values: worked examples, a slow twin, updates of events and of the catalogue.

use std::sync::Arc;

use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

/// One view of an item by a shopper on a day.
type Tiny = (u8, u8, i64);

fn push(builder: &mut DatasetBuilder, events: &[Tiny]) {
    for &(user, item, day) in events {
        let (user, item) = (format!("u{user}"), format!("i{item}"));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        builder.push(&Event::new(who, &item, EventKind::View, Timestamp::from_millis(day * DAY))).unwrap();
    }
}

fn data(events: &[Tiny]) -> Dataset {
    let mut builder = DatasetBuilder::default();
    push(&mut builder, events);
    builder.finish().unwrap()
}

fn catalog(items: &[(&str, &str)]) -> Arc<Catalog> {
    let mut builder = CatalogBuilder::default().attribute("category", AttributeKind::Category).unwrap();
    for &(id, path) in items {
        builder.add(&ItemRecord::new(id).category("category", path)).unwrap();
    }
    builder.build().into()
}

/// Events counted one by one, nothing fades, two days of prior.
fn plain() -> PopularInParams {
    PopularInParams { count: Count::Events, half_life: None, prior: 2.0, ..PopularInParams::default() }
}

fn fit(params: &PopularInParams, data: &Dataset, shelf: &Shelf) -> PopularIn {
    params.clone().check().unwrap().fit(&TrainingSet::with_shelf(data, shelf), &Run::default()).unwrap()
}

fn on_page(model: &PopularIn, data: &Dataset, shelf: &Shelf, id: &str) -> Vec<Option<f32>> {
    let mut cx = Context::new(data, shelf, data.as_of());
    cx.context_item = shelf.item(data, id);
    let all: Vec<ItemIdx> = (0..shelf.n_items() as u32).map(ItemIdx::new).collect();
    opinions(model, &cx, &all)
}

#[test]
fn rates_by_hand() {
    // Days 0 to 3. i0: 6 views in 4 days; i1: 1 view in 2 days; i2 in another category; i3 brand-new.
    let data = data(&[(1, 0, 0), (1, 0, 1), (1, 0, 2), (2, 0, 2), (3, 0, 3), (4, 0, 3), (1, 1, 2), (9, 2, 3)]);
    let shelf = Shelf::new(&data, catalog(&[("i0", "a > b"), ("i1", "a > b"), ("i2", "a > c"), ("i3", "a > b")]));
    let model = fit(&plain(), &data, &shelf);
    // Mean 7 / 6 a day. Rates with two days of it: (6 + 7/3) / 6, (1 + 7/3) / 4, (7/3) / 2.
    let mean = 7.0 / 6.0;
    let rates = [(6.0 + 2.0 * mean) / 6.0, (1.0 + 2.0 * mean) / 4.0, mean];
    let relative = |rate: f64| Some((rate / rates[0]) as f32);
    let expected = [relative(rates[0]), relative(rates[1]), None, relative(rates[2])];
    assert_eq!(on_page(&model, &data, &shelf, "i0"), expected);
    assert_eq!(on_page(&model, &data, &shelf, "i3"), expected, "a brand-new page works too");
    assert!(expected[3] > expected[1], "new beats known to be slow");
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.context_item = shelf.item(&data, "i1");
    let ids = proposals(&model, &cx, 9);
    assert_eq!(ids, [data.item("i0").unwrap(), data.item("i1").unwrap()]);
    let explanation = model.explain(&cx, ids[0], &mut Workspace::default());
    let code = ReasonCode::PopularInCategory;
    assert_eq!(explanation.details[0].reason, Reason::Because { item: ids[1], code });
    assert_eq!(explanation.details[0].details[0].reason, Reason::Count { events: 6, code });
}

#[test]
fn history_shares_the_say_by_place() {
    let data = data(&[(1, 0, 0), (1, 1, 0), (1, 2, 0)]);
    let shelf = Shelf::new(&data, catalog(&[("i0", "a"), ("i1", "b"), ("i2", "c")]));
    let model = fit(&PopularInParams { place_half_life: 1.0, ..plain() }, &data, &shelf);
    let touch = |item, kind| Touch { item: ItemIdx::new(item), kind, at: data.as_of(), weight: 1.0 };
    let (view, dislike) = (EventKind::View, EventKind::Dislike);
    let history = [touch(0, view), touch(2, dislike), touch(0, view), touch(1, view)];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    let all: Vec<ItemIdx> = (0..3).map(ItemIdx::new).collect();
    let scores = opinions(&model, &cx, &all);
    let near = |score: Option<f32>, x: f32| (score.unwrap() - x).abs() < 1e-6;
    assert!(near(scores[0], 2.0 / 3.0) && near(scores[1], 1.0 / 3.0) && scores[2].is_none(), "{scores:?}");
    cx.context_item = Some(ItemIdx::new(2));
    assert_eq!(opinions(&model, &cx, &all), [None, None, Some(1.0)], "the page comes first");
    cx.context_item = None;
    cx.history = &[];
    assert_eq!(opinions(&model, &cx, &all), [None; 3]);
}

#[test]
fn a_catalogue_that_changed_is_matched_by_name() {
    let data = data(&[(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 2, 0)]);
    let before = Shelf::new(&data, catalog(&[("i0", "a"), ("i1", "a"), ("i2", "b")]));
    let model = fit(&plain(), &data, &before);
    // Other codes for the same names, an item that moved, one that is new, one that went, and a value nobody knew.
    let after = Shelf::new(&data, catalog(&[("x", "z"), ("i2", "a"), ("new", "a"), ("i0", "a")]));
    let scores = on_page(&model, &data, &after, "i0");
    let of = |id: &str| scores[after.item(&data, id).unwrap().as_usize()];
    assert_eq!(of("i0"), Some(1.0));
    assert!(of("i2").is_some() && of("new").is_some() && of("i1").is_none() && of("x").is_none(), "{scores:?}");
    assert!(on_page(&model, &data, &after, "x").iter().all(Option::is_none));
    check_scorer(&model, &data, &after).unwrap();
    assert!(on_page(&model, &data, &Shelf::bare(&data), "i0").iter().all(Option::is_none));
    check_scorer(&model, &data, &Shelf::bare(&data)).unwrap();
}

#[test]
fn long_on_sale_without_a_sale_is_not_new() {
    let mut builder = CatalogBuilder::default().attribute("category", AttributeKind::Category).unwrap();
    for (id, day) in [("i0", 100), ("dud", 0), ("coming", 200)] {
        let released = Timestamp::from_millis(day * DAY);
        builder.add(&ItemRecord::new(id).category("category", "a").released(released)).unwrap();
    }
    let mut numbered = DatasetBuilder::default();
    numbered.items(["i0", "dud", "coming"]).unwrap();
    push(&mut numbered, &[(1, 0, 100)]);
    let numbered = numbered.finish().unwrap();
    let shelf = Shelf::new(&numbered, builder.build().into());
    let scores = on_page(&fit(&plain(), &numbered, &shelf), &numbered, &shelf, "i0");
    // Mean m: "coming" gets 2 m / 2, the dud of 101 days 2 m / 103.
    let ratio = scores[1].unwrap() / scores[2].unwrap();
    assert!((ratio - 2.0 / 103.0).abs() < 1e-6, "{scores:?}");
}

#[test]
fn without_the_attribute_there_is_no_fit() {
    let data = data(&[(1, 0, 0)]);
    let recipe = plain().check().unwrap();
    let error = FitError::NoAttribute { name: "category".to_owned() };
    assert_eq!(recipe.fit(&(&data).into(), &Run::default()).unwrap_err(), error);
    let bare = Shelf::bare(&data);
    assert_eq!(recipe.fit(&TrainingSet::with_shelf(&data, &bare), &Run::default()).unwrap_err(), error);
}

/// Rates by the documentation, one item and value at a time.
fn twin(p: &PopularInParams, data: &Dataset, shelf: &Shelf, page: &str) -> Vec<Option<f32>> {
    let attribute = shelf.attribute("category").unwrap();
    let now = data.as_of().millis().div_euclid(DAY);
    let decay = |age: i64| p.half_life.map_or(1.0, |h| Span::days(age as u32).decay(h));
    let figures = |item: ItemIdx| {
        let days: Vec<i64> = data.events_on(item).map(|e| e.at.millis().div_euclid(DAY)).collect();
        let count: f64 = days.iter().map(|day| decay(now - day)).sum();
        let on_sale: f64 = days.iter().min().map_or(0.0, |first| (0..=now - first).map(decay).sum());
        (count, on_sale)
    };
    let Some(code) = shelf.item(data, page).and_then(|item| shelf.leaf(item, attribute)) else {
        return vec![None; shelf.n_items()];
    };
    let all: Vec<ItemIdx> = (0..shelf.n_items() as u32).map(ItemIdx::new).collect();
    let members: Vec<ItemIdx> = all.iter().copied().filter(|&i| shelf.codes(i, attribute).contains(&code)).collect();
    let (counts, days): (Vec<f64>, Vec<f64>) = members.iter().map(|&i| figures(i)).unzip();
    let mean = if days.iter().sum::<f64>() > 0.0 { counts.iter().sum::<f64>() / days.iter().sum::<f64>() } else { 0.0 };
    let prior = f64::from(p.prior);
    let rate = |(count, days): (f64, f64)| (count + prior * mean) / (days + prior);
    let known = members.iter().filter(|i| i.as_usize() < data.n_items());
    let most = known.map(|&i| rate(figures(i))).fold(0.0, f64::max);
    let score = |i: &ItemIdx| (members.contains(i) && most > 0.0).then(|| (rate(figures(*i)) / most) as f32);
    all.iter().map(score).collect()
}

const PATHS: [&str; 5] = ["a", "a > b", "a > c", "d", "d > e > f"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn equals_the_slow_twin(
        events in prop::collection::vec((0u8..4, 0u8..6, 0i64..12), 0..40),
        paths in prop::collection::vec(0..PATHS.len(), 9),
        page in 0usize..9,
        half_life in prop::option::of(1u32..9),
    ) {
        let data = data(&events);
        let ids: Vec<String> = (0..9).map(|i| format!("i{i}")).collect();
        let items: Vec<(&str, &str)> = ids.iter().zip(&paths).map(|(id, &path)| (id.as_str(), PATHS[path])).collect();
        let shelf = Shelf::new(&data, catalog(&items));
        let p = PopularInParams { half_life: half_life.map(Span::days), ..plain() };
        let fast = on_page(&fit(&p, &data, &shelf), &data, &shelf, &ids[page]);
        let slow = twin(&p, &data, &shelf, &ids[page]);
        for (fast, slow) in fast.iter().zip(&slow) {
            prop_assert_eq!(fast.is_some(), slow.is_some());
            prop_assert!((fast.unwrap_or(0.0) - slow.unwrap_or(0.0)).abs() < 1e-5, "{:?} {:?}", fast, slow);
        }
    }

    #[test]
    fn an_update_is_a_rebuild(
        first in prop::collection::vec((0u8..4, 0u8..6, 0i64..12), 0..30),
        second in prop::collection::vec((0u8..5, 0u8..9, 0i64..15), 0..30),
        window in prop::option::of(1u32..9),
        count in prop::sample::select(vec![Count::Events, Count::Shoppers, Count::Visits, Count::Units]),
    ) {
        let mut builder = DatasetBuilder::default();
        push(&mut builder, &first);
        let before = builder.build().unwrap();
        push(&mut builder, &second);
        let after = builder.finish().unwrap();
        let items = [("i0", "a > b"), ("i1", "a > b"), ("i2", "a > c"), ("i3", "a"), ("i4", "a > b"), ("i8", "a > b")];
        let shelves = [&before, &after].map(|data| Shelf::new(data, catalog(&items)));
        let p = PopularInParams { count, window: window.map(Span::days), half_life: Some(Span::days(5)), ..plain() };
        let delta = Delta::between(&before, &after).unwrap();
        let base = fit(&p, &before, &shelves[0]);
        let recipe = p.clone().check().unwrap();
        let updated = recipe.update(&base, &delta, Some(&shelves[1]), &Run::default()).unwrap();
        let rebuilt = fit(&p, &after, &shelves[1]);
        for page in ["i0", "i2", "i3"] {
            let bits = |m: &PopularIn| -> Vec<Option<u32>> {
                on_page(m, &after, &shelves[1], page).into_iter().map(|s| s.map(f32::to_bits)).collect()
            };
            prop_assert_eq!(bits(&updated), bits(&rebuilt));
        }
    }
}

#[test]
fn keeps_the_laws() {
    check_params::<PopularInParams>().unwrap();
    let shop = SyntheticShop::new(ShopParams::default().check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::new(&data, shop.catalog().unwrap().into());
    for attribute in ["category", "brand"] {
        for (place_half_life, pool) in [(3.0, 200), (1.0 / 1024.0, 3)] {
            let attribute = attribute.to_owned();
            let p = PopularInParams { attribute, place_half_life, pool, ..PopularInParams::default() };
            check_scorer(&fit(&p, &data, &shelf), &data, &shelf).unwrap();
        }
    }
    let recipe = PopularInParams::default().check().unwrap();
    let train = TrainingSet::with_shelf(&data, &shelf);
    let serial = recipe.fit(&train, &Run::default().threads(Parallelism::Serial)).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let parallel = pool.install(|| recipe.fit(&train, &Run::default())).unwrap();
    for id in ["i0", "i17", "i400"] {
        assert_eq!(on_page(&serial, &data, &shelf, id), on_page(&parallel, &data, &shelf, id));
    }
}
