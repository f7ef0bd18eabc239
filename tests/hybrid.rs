//! Attribute-aware factors: ALS where there are no attributes, planted structure for new items, hostile input.

use std::sync::Arc;

use likewise::testing::{check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

use crate::common::{day, world};

fn small() -> HybridParams {
    HybridParams { als: AlsParams { factors: 6, iterations: 8, ..AlsParams::default() }, ..HybridParams::default() }
}

fn fit(params: &HybridParams, data: &Dataset, shelf: &Shelf, run: &Run<'_>) -> Hybrid {
    params.clone().check().unwrap().fit(&TrainingSet::with_shelf(data, shelf), run).unwrap()
}

const KINDS: usize = 4;

/// Shoppers of `KINDS` tastes, each a brand; items 10, 20, 30, ... of a brand are not touched by anybody.
fn shop() -> (Dataset, CatalogBuilder) {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    let mut catalog = CatalogBuilder::default().attribute("brand", AttributeKind::Tags).unwrap();
    for n in 0..40 {
        let item = format!("i{n}");
        catalog.add(&ItemRecord::new(&*item).tag("brand", format!("b{}", n % KINDS))).unwrap();
        if n < 34 {
            for u in (0..60).filter(|u| u % KINDS == n % KINDS && (u * 7 + n * 3) % 10 < 7) {
                let user = format!("u{u}");
                let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
                builder.push(&Event::new(who, &item, EventKind::Purchase, day(1))).unwrap();
            }
        }
    }
    builder.items(["i34", "i35", "i36", "i37"]).unwrap(); // numbered, but without events; the others are catalogue-only
    (builder.finish().unwrap(), catalog)
}

fn number(data: &Dataset, shelf: &Shelf, item: ItemIdx) -> usize {
    shelf.key(data, item)[1..].parse().unwrap()
}

#[test]
fn new_items_stand_with_their_kind() {
    let (data, catalog) = shop();
    let catalog = Arc::new(catalog.build());
    let shelf = Shelf::new(&data, catalog.clone());
    let model = fit(&small(), &data, &shelf, &Run::new(2));
    // Items 40 to 43 came after the fit.
    let news =
        (40..44).map(|n| CatalogChange::Put(ItemRecord::new(format!("i{n}")).tag("brand", format!("b{}", n % KINDS))));
    let (later, _) = catalog.update(news).unwrap();
    let later = Shelf::new(&data, Arc::new(later));
    for (shelf, from, to) in [(&shelf, 34, 40), (&later, 34, 44)] {
        let new: Vec<ItemIdx> = (from..to).map(|n| shelf.item(&data, &format!("i{n}")).unwrap()).collect();
        for user in data.users() {
            let taste = data.user_key(user)[1..].parse::<usize>().unwrap() % KINDS;
            let mut cx = Context::new(&data, shelf, day(2));
            cx.user = Some(user);
            let scores = opinions(&model, &cx, &new);
            let of_kind = |own: bool| {
                let kind = new.iter().zip(&scores).filter(|(i, _)| (number(&data, shelf, **i) % KINDS == taste) == own);
                kind.map(|(_, score)| score.unwrap()).collect::<Vec<_>>()
            };
            let worst_own = of_kind(true).into_iter().fold(f32::MAX, f32::min);
            let best_other = of_kind(false).into_iter().fold(f32::MIN, f32::max);
            assert!(worst_own > best_other + 0.2, "{worst_own} {best_other}");
            // They are proposed too, in the order of their scores.
            let proposed = proposals(&model, &cx, 100);
            assert_eq!(proposed.len(), shelf.n_items());
            assert!(proposed[..10].iter().all(|&i| number(&data, shelf, i) % KINDS == taste));
        }
    }
    // Seeing a new item says something of the shopper.
    let seen = later.item(&data, "i38").unwrap();
    let history = [Touch { item: seen, kind: EventKind::View, at: day(2), weight: 1.0 }];
    let mut cx = Context::new(&data, &later, day(2));
    (cx.history, cx.session_len) = (&history, 1);
    assert!(proposals(&model, &cx, 8).iter().all(|&i| number(&data, &later, i) % KINDS == 38 % KINDS));
    // Explanations of an item the fit knew, and of one it did not.
    for key in ["i3", "i39", "i42"] {
        let item = later.item(&data, key).unwrap();
        let explanation = model.explain(&cx, item, &mut Workspace::default());
        let sum: f32 = explanation.details.iter().filter_map(|d| d.value).sum();
        assert!((sum - explanation.value.unwrap()).abs() < 1e-4, "{key}: {explanation:?}");
    }
    check_scorer(&model, &data, &shelf).unwrap();
    check_scorer(&model, &data, &later).unwrap();
}

#[test]
fn without_attributes_it_is_als_bit_for_bit() {
    let (data, _) = shop();
    let shelf = Shelf::bare(&data);
    let hybrid = fit(&small(), &data, &shelf, &Run::new(4));
    let als = small().als.check().unwrap().fit(&(&data).into(), &Run::new(4)).unwrap();
    let mut cx = Context::new(&data, &shelf, day(2));
    cx.user = data.user("u3");
    let items: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    assert_eq!(opinions(&hybrid, &cx, &items), opinions(&als, &cx, &items));
    assert_eq!(proposals(&hybrid, &cx, 9), proposals(&als, &cx, 9));
}

#[test]
fn few_events_are_moderated_by_the_kind_and_many_are_not() {
    // One more item of brand 0: touched once, by a shopper of another taste; or by everybody of that taste.
    let cosine = |takers: usize| {
        let (_, catalog) = shop();
        let mut builder = DatasetBuilder::new(Lineage::new(1));
        for n in 0..34 {
            for u in (0..60).filter(|u| u % KINDS == n % KINDS && (u * 7 + n * 3) % 10 < 7) {
                push(&mut builder, u, n);
            }
        }
        (0..60).filter(|u| u % KINDS == 1).take(takers).for_each(|u| push(&mut builder, u, 36));
        let data = builder.finish().unwrap();
        let shelf = Shelf::new(&data, Arc::new(catalog.build()));
        let params = HybridParams {
            als: AlsParams { alpha0: 0.03, regularization: 1.0, frequency_exponent: 0.0, ..small().als },
            attribute_regularization: 0.1,
            ..small()
        };
        let model = fit(&params, &data, &shelf, &Run::new(4));
        let item = |key: &str| data.item(key).unwrap();
        model.similarity(item("i36"), item("i0")).unwrap() // i0 is of brand 0 as well
    };
    let (once, often) = (cosine(1), cosine(15));
    assert!(once > often + 0.1, "{once} {often}");
}

fn push(builder: &mut DatasetBuilder, user: usize, item: usize) {
    let (user, item) = (format!("u{user}"), format!("i{item}"));
    let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
    builder.push(&Event::new(who, &item, EventKind::Purchase, day(1))).unwrap();
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let (data, catalog) = shop();
    let shelf = Shelf::new(&data, Arc::new(catalog.build()));
    let mut cx = Context::new(&data, &shelf, day(2));
    cx.user = data.user("u3");
    let items: Vec<ItemIdx> = (0..shelf.n_items() as u32).map(ItemIdx::new).collect();
    let serial = opinions(&fit(&small(), &data, &shelf, &Run::new(4).threads(Parallelism::Serial)), &cx, &items);
    assert!(serial.iter().all(Option::is_some));
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| opinions(&fit(&small(), &data, &shelf, &Run::new(4)), &cx, &items)), serial);
    }
}

#[test]
fn what_is_missing_is_said() {
    let (data, catalog) = shop();
    let shelf = Shelf::new(&data, Arc::new(catalog.build()));
    let named = HybridParams { attributes: vec![AttributeWeight::new("colour", 1.0)], ..small() }.check().unwrap();
    for train in [TrainingSet::from(&data), TrainingSet::with_shelf(&data, &shelf)] {
        let error = named.fit(&train, &Run::new(1)).unwrap_err();
        assert_eq!(error, FitError::NoAttribute { name: "colour".to_owned() });
    }
    let stop = std::sync::atomic::AtomicBool::new(true);
    let error = small().check().unwrap().fit(&(&data).into(), &Run::new(1).cancel(&stop)).unwrap_err();
    assert!(matches!(error, FitError::Cancelled(_)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn keeps_the_laws(world in world()) {
        let data = world.dataset();
        let shelf = Shelf::new(&data, Arc::new(world.catalog()));
        let als = AlsParams { factors: 3, iterations: 2, ..AlsParams::default() };
        let model = fit(&HybridParams { als, ..small() }, &data, &shelf, &Run::new(1));
        check_scorer(&model, &data, &shelf).unwrap();
    }
}
