//! Co-occurrence: counts against a slow twin, updates against rebuilds, worked examples, planted structure.

use std::collections::{BTreeMap, BTreeSet};

use approx::assert_relative_eq;
use likewise::*;
use proptest::prelude::*;

mod twin;
mod worked;

/// One event in small numbers: shopper, session (0 for "not given"), item, kind, second.
#[derive(Clone, Copy, Debug)]
struct Tiny {
    user: u8,
    session: u8,
    item: u8,
    kind: EventKind,
    second: i64,
}

const KINDS: [EventKind; 5] =
    [EventKind::View, EventKind::View, EventKind::AddToCart, EventKind::Purchase, EventKind::Return];

fn tiny(seconds: i64) -> impl Strategy<Value = Tiny> {
    (0u8..6, 0u8..4, 0u8..9, 0usize..KINDS.len(), 0..seconds).prop_map(|(user, session, item, kind, second)| Tiny {
        user,
        session,
        item,
        kind: KINDS[kind],
        second,
    })
}

fn push(builder: &mut DatasetBuilder, events: &[Tiny]) {
    for e in events {
        let (user, item) = (format!("u{}", e.user), format!("i{}", e.item));
        let session = format!("{}/{}", e.user, e.session);
        let who = match e.user {
            0 => Shopper::Anonymous { session: &session },
            _ => Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract)),
        };
        let mut event = Event::new(who, &item, e.kind, Timestamp::from_secs(e.second));
        if e.session > 0 {
            event = event.session(&session);
        }
        builder.push(&event).unwrap();
    }
}

fn builder(events: &[Tiny]) -> DatasetBuilder {
    let mut builder = DatasetBuilder::default().session_gap(Span::secs(5));
    builder.items(["i0", "i1", "i2", "i3", "i4"]).unwrap();
    push(&mut builder, events);
    builder
}

fn data(events: &[Tiny]) -> Dataset {
    builder(events).finish().unwrap()
}

fn fit<F: Fit>(recipe: &F, data: &Dataset) -> F::Model {
    recipe.fit(&data.into(), &Run::default()).unwrap()
}

fn i(n: u32) -> ItemIdx {
    ItemIdx::new(n)
}

/// All sensible combinations of unit, kinds, order and cap, with nothing thrown away.
fn recipes() -> impl Strategy<Value = CoOccurrenceParams> {
    let seen = KindSet::of(&[EventKind::View]);
    let bought = KindSet::of(&[EventKind::Purchase]);
    let any = KindSet::INTEREST;
    let orders = [
        PairOrder::Any,
        PairOrder::Then { within: Span::ZERO },
        PairOrder::Then { within: Span::secs(3) },
        PairOrder::Then { within: Span::MAX },
    ];
    let kinds = [(seen, seen), (seen, bought), (bought, bought), (any, bought), (any, any)];
    let weights = [PairWeight::Cosine, PairWeight::Jaccard, PairWeight::Lift, PairWeight::Llr, PairWeight::Conditional];
    (
        any_of(kinds),
        any_of(orders),
        any_of(weights),
        any_of([PairUnit::Shopper, PairUnit::Session]),
        2usize..8,
        (1u32..3, 1u32..4),
    )
        .prop_map(move |((from, to), order, weight, unit, max_items, (min_support, min_shoppers))| {
            CoOccurrenceParams {
                unit,
                from,
                to,
                order,
                weight,
                max_items,
                min_support,
                min_shoppers,
                ..CoOccurrenceParams::default()
            }
        })
}

fn any_of<T: Clone + std::fmt::Debug + 'static>(all: impl IntoIterator<Item = T>) -> impl Strategy<Value = T> {
    prop::sample::select(all.into_iter().collect::<Vec<T>>())
}

/// `user` did `kind` to `item` at `second`, in one session a user.
fn did(user: u8, item: u8, kind: EventKind, second: i64) -> Tiny {
    Tiny { user, session: 1, item, kind, second }
}

#[test]
fn a_model_of_other_data_or_rules_is_not_patched() {
    let (view, run) = (EventKind::View, Run::default());
    let some = [did(1, 0, view, 1), did(1, 1, view, 2), did(2, 0, view, 3), did(2, 1, view, 4)];
    let bought = [did(3, 0, EventKind::Purchase, 1), did(3, 1, EventKind::Purchase, 2)];
    let mut shop = builder(&[&some[..], &bought].concat());
    let before = shop.build().unwrap();
    push(&mut shop, &[did(2, 2, view, 5)]);
    let after = shop.build().unwrap();
    let delta = Delta::between(&before, &after).unwrap();
    let recipe = Checked::<CoOccurrenceParams>::default();
    let fresh = fit(&recipe, &after);
    let other_data = fit(&recipe, &data(&some[..3]));
    assert_eq!(recipe.update(&other_data, &delta, None, &run).unwrap(), fresh);
    let (from, to) = (KindSet::INTEREST, KindSet::INTEREST);
    let other_rule = CoOccurrenceParams { from, to, ..Default::default() }.check().unwrap();
    assert_eq!(recipe.update(&fit(&other_rule, &before), &delta, None, &run).unwrap(), fresh);
}

#[test]
fn threads_do_not_show() {
    let data = data(&planted());
    let models = |run: &Run<'_>| {
        let p = CoOccurrenceParams { from: KindSet::INTEREST, ..CoOccurrenceParams::viewed_then_bought() };
        let train = TrainingSet::from(&data);
        format!(
            "{:?} {:?} {:?} {:?}",
            Checked::<CoOccurrenceParams>::default().fit(&train, run).unwrap(),
            p.check().unwrap().fit(&train, run).unwrap(),
            Checked::<CrossOccurrenceParams>::default().fit(&train, run).unwrap(),
            Checked::<FrequentlyBoughtTogetherParams>::default().fit(&train, run).unwrap(),
        )
    };
    let serial = models(&Run::default().threads(Parallelism::Serial));
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| models(&Run::default())) == serial, "{threads} threads differ from serial");
    }
}

/// 3,000 sessions of four items; after an even item its successor follows seven times of ten.
fn planted() -> Vec<Tiny> {
    let mut state = 7u64;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut events = Vec::new();
    for n in 0..3_000i64 {
        let (user, mut second) = (1 + draw(250) as u8, n * 1_000);
        for _ in 0..2 {
            let item = draw(20) as u8 * 2;
            let next = if draw(10) < 7 { item + 1 } else { draw(20) as u8 * 2 + 1 };
            for item in [item, next] {
                second += 1;
                events.push(Tiny { user, session: 0, item, kind: EventKind::View, second });
            }
            let kind = EventKind::Purchase;
            events.push(Tiny { user, session: 0, item: next, kind, second });
        }
    }
    events
}

#[test]
fn planted_partners_are_found() {
    let data = data(&planted());
    let item = |n: usize| data.item(&format!("i{n}")).unwrap();
    for weight in [PairWeight::Cosine, PairWeight::Jaccard, PairWeight::Lift, PairWeight::Llr, PairWeight::Conditional]
    {
        let viewed = fit(&CoOccurrenceParams { weight, ..CoOccurrenceParams::co_view() }.check().unwrap(), &data);
        let unit = PairUnit::Session;
        let p = CoOccurrenceParams { weight, unit, ..CoOccurrenceParams::viewed_then_bought() };
        let then = fit(&p.check().unwrap(), &data);
        for n in (0..40).step_by(2) {
            assert_eq!(viewed.similar_items(item(n), 1)[0].item, item(n + 1), "{weight:?}");
            assert_eq!(viewed.similar_items(item(n + 1), 1)[0].item, item(n), "{weight:?}");
            assert_eq!(then.similar_items(item(n), 1)[0].item, item(n + 1), "{weight:?}");
        }
    }
}

#[test]
fn the_laws_hold() {
    use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer};
    let shop = SyntheticShop::new(ShopParams { items: 200, events: 8_000, ..ShopParams::default() }.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let time = Some(VoteDecay::Time { half_life: Span::days(7) });
    let recipes = [
        CoOccurrenceParams::co_view(),
        CoOccurrenceParams { weight: PairWeight::Llr, recency: time, ..CoOccurrenceParams::co_purchase() },
        CoOccurrenceParams { weight: PairWeight::Lift, recency: None, ..CoOccurrenceParams::viewed_then_bought() },
    ];
    for recipe in recipes {
        check_scorer(&fit(&recipe.check().unwrap(), &data), &data, &shelf).unwrap();
    }
    check_scorer(&fit(&Checked::<CrossOccurrenceParams>::default(), &data), &data, &shelf).unwrap();
    let params = FrequentlyBoughtTogetherParams { min_support: 1, ..Default::default() };
    check_scorer(&fit(&params.check().unwrap(), &data), &data, &shelf).unwrap();
    check_params::<CoOccurrenceParams>().unwrap();
    check_params::<CrossOccurrenceParams>().unwrap();
    check_params::<FrequentlyBoughtTogetherParams>().unwrap();
}

#[test]
fn nothing_and_nobody() {
    let empty = data(&[]);
    let shelf = Shelf::bare(&empty);
    let cx = Context::new(&empty, &shelf, Timestamp::MAX);
    let ws = &mut Workspace::default();
    let models: [&dyn Scorer; 3] = [
        &fit(&Checked::<CoOccurrenceParams>::default(), &empty),
        &fit(&Checked::<CrossOccurrenceParams>::default(), &empty),
        &fit(&Checked::<FrequentlyBoughtTogetherParams>::default(), &empty),
    ];
    for model in models {
        for item in [0, 4, 5, u32::MAX] {
            assert_eq!(model.explain(&cx, i(item), ws).value, None);
            assert_eq!(model.similarity(i(item), i(0)), None);
        }
    }
    let model = fit(&Checked::<CoOccurrenceParams>::default(), &data(&[did(1, 0, EventKind::View, 1)]));
    assert_eq!(model.counts().unwrap().n_units(), 1);
    assert!(model.similar_items(i(0), 5).is_empty() && model.similar_items(i(u32::MAX), 5).is_empty());
    assert_eq!(model.support(i(u32::MAX), i(0)), Some(0));
    let lists_only = CoOccurrenceParams { retain: Retain::ListsOnly, ..Default::default() };
    assert_eq!(fit(&lists_only.check().unwrap(), &empty).support(i(0), i(0)), None);
}

#[test]
fn a_cancelled_fit_says_so() {
    let flag = std::sync::atomic::AtomicBool::new(true);
    let data = data(&planted());
    let fit = Checked::<CoOccurrenceParams>::default().fit(&(&data).into(), &Run::default().cancel(&flag));
    assert_eq!(fit.unwrap_err(), FitError::Cancelled(Cancelled));
}

#[test]
fn refusals_name_the_field() {
    let wrong = |p: CoOccurrenceParams| p.check().unwrap_err().param;
    let base = CoOccurrenceParams::default;
    assert_eq!(wrong(CoOccurrenceParams { name: String::new(), ..base() }), "name");
    assert_eq!(wrong(CoOccurrenceParams { from: KindSet::EMPTY, ..base() }), "from");
    assert_eq!(wrong(CoOccurrenceParams { shrinkage: f32::NAN, ..base() }), "shrinkage");
    assert_eq!(wrong(CoOccurrenceParams { min_support: 0, ..base() }), "min_support");
    let recency = Some(VoteDecay::Positions { half_life: f32::NAN });
    assert_eq!(wrong(CoOccurrenceParams { recency, ..base() }), "recency.positions.half_life");
    let bad = Indicator { weight: f32::INFINITY, ..Indicator::default() };
    let cross = CrossOccurrenceParams { indicators: vec![Indicator::default(), bad], ..Default::default() };
    assert_eq!(cross.check().unwrap_err().param, "indicators[1].weight");
    let cross = CrossOccurrenceParams { indicators: vec![], ..Default::default() };
    assert_eq!(cross.check().unwrap_err().param, "indicators");
}

#[test]
fn recipes_survive_serde() {
    let recipes =
        [CoOccurrenceParams::co_view(), CoOccurrenceParams::co_purchase(), CoOccurrenceParams::viewed_then_bought()];
    for recipe in recipes {
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(*serde_json::from_str::<Checked<CoOccurrenceParams>>(&text).unwrap(), recipe);
    }
    let text = r#"{"order":{"then":{"within":5000}},"weight":"llr","recency":{"time":{"half_life":1000}}}"#;
    let read: CoOccurrenceParams = serde_json::from_str(text).unwrap();
    assert_eq!(read.order, PairOrder::Then { within: Span::secs(5) });
    assert!(serde_json::from_str::<CoOccurrenceParams>(r#"{"shrink":1}"#).is_err());
    let cross = CrossOccurrenceParams::default();
    let text = serde_json::to_string(&cross).unwrap();
    assert_eq!(serde_json::from_str::<CrossOccurrenceParams>(&text).unwrap(), cross);
}

/// What is refused is refused before anything is counted, whatever is kept; and a fit that is cancelled leaves no model.
#[test]
fn budgets_of_counts_and_cancelled_counts() {
    let events: Vec<Tiny> = (0..200u8)
        .map(|n| Tiny { user: n % 5 + 1, session: n % 3, item: n % 9, kind: EventKind::View, second: n.into() })
        .collect();
    let data = data(&events);
    let none = std::sync::atomic::AtomicBool::new(true);
    for retain in [Retain::Counts, Retain::ListsOnly] {
        let recipe = CoOccurrenceParams { retain, min_shoppers: 2, ..CoOccurrenceParams::co_view() }.check().unwrap();
        let train = TrainingSet::from(&data);
        let error = recipe.fit(&train, &Run::default().memory(100)).unwrap_err();
        assert!(matches!(error, FitError::Memory { needed: 101.., allowed: 100, .. }), "{error}");
        assert!(error.to_string().contains("allow more"), "{error}");
        for memory in [None, Some(1 << 30)] {
            let run = Run { memory, ..Run::default().cancel(&none) };
            assert_eq!(recipe.fit(&train, &run).unwrap_err(), FitError::Cancelled(Cancelled));
        }
    }
}
