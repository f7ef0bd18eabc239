//! Co-occurrence: counts against a slow twin, updates against rebuilds, worked examples, planted structure.

use std::collections::{BTreeMap, BTreeSet};

use approx::assert_relative_eq;
use likewise::*;
use proptest::prelude::*;

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

#[derive(Debug, Default, PartialEq)]
struct Slow {
    pairs: BTreeMap<(u32, u32), u32>,
    from: BTreeMap<u32, u32>,
    to: BTreeMap<u32, u32>,
    units: u32,
    /// By how many rows each pair was met; not part of what a model tells.
    rows: BTreeMap<(u32, u32), BTreeSet<u32>>,
}

fn slow(data: &Dataset, p: &CoOccurrenceParams) -> Slow {
    let mut units: BTreeMap<(u32, u32), Vec<EventRef>> = BTreeMap::new();
    for row in 0..data.n_rows() as u32 {
        let events = data.events_of(UserIdx::new(row));
        for (event, &session) in events.iter().zip(events.sessions()) {
            if p.from.contains(event.kind) || p.to.contains(event.kind) {
                let session = if p.unit == PairUnit::Session { session } else { 0 };
                units.entry((row, session)).or_default().push(event);
            }
        }
    }
    let mut slow = Slow { units: units.len() as u32, ..Slow::default() };
    for ((row, _), events) in &units {
        let items: BTreeSet<u32> = events.iter().map(|e| e.item.get()).collect();
        let latest = |item: u32| events.iter().filter(|e| e.item.get() == item).map(|e| e.at).max().unwrap();
        let mut items: Vec<u32> = items.into_iter().collect();
        items.sort_by_key(|&item| (std::cmp::Reverse(latest(item)), item));
        items.truncate(p.max_items);
        let done = |item: u32, kinds: KindSet| {
            events.iter().filter(move |e| e.item.get() == item && kinds.contains(e.kind)).collect::<Vec<_>>()
        };
        for &a in &items {
            *slow.from.entry(a).or_default() += u32::from(!done(a, p.from).is_empty());
            *slow.to.entry(a).or_default() += u32::from(!done(a, p.to).is_empty());
            for &b in items.iter().filter(|&&b| b != a) {
                let met = done(a, p.from).iter().any(|x| {
                    done(b, p.to).iter().any(|y| match p.order {
                        PairOrder::Then { within } => {
                            let later = y.at > x.at || (y.at == x.at && y.kind != x.kind);
                            later && y.at.since(x.at) <= within
                        }
                        _ => true,
                    })
                });
                if met {
                    *slow.pairs.entry((a, b)).or_default() += 1;
                    slow.rows.entry((a, b)).or_default().insert(*row);
                }
            }
        }
    }
    slow.from.retain(|_, n| *n > 0);
    slow.to.retain(|_, n| *n > 0);
    slow
}

fn quick(data: &Dataset, counts: &PairCounts) -> Slow {
    let mut quick = Slow { units: counts.n_units(), ..Slow::default() };
    for a in (0..data.n_items() as u32).map(i) {
        quick.pairs.extend(counts.row(a).map(|(b, n)| ((a.get(), b.get()), n)));
        quick.from.extend(Some((a.get(), counts.n_from(a))).filter(|x| x.1 > 0));
        quick.to.extend(Some((a.get(), counts.n_to(a))).filter(|x| x.1 > 0));
    }
    quick
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn counts_and_lists_equal_nested_loops(events in prop::collection::vec(tiny(30), 0..60), p in recipes()) {
        let data = data(&events);
        let model = fit(&p.clone().check().unwrap(), &data);
        let lists_only = fit(&CoOccurrenceParams { retain: Retain::ListsOnly, ..p.clone() }.check().unwrap(), &data);
        let mut slow = slow(&data, &p);
        let rows = std::mem::take(&mut slow.rows);
        prop_assert_eq!(&quick(&data, model.counts().unwrap()), &slow);
        for a in (0..data.n_items() as u32).map(i) {
            let mut list: Vec<Scored> = slow.pairs.iter()
                .filter(|&(&(x, b), &n)| {
                    x == a.get() && n >= p.min_support && rows[&(x, b)].len() >= p.min_shoppers as usize
                })
                .map(|(&(_, b), &n)| Scored {
                    item: i(b),
                    score: p.weight.shrunk(n, slow.from[&a.get()], slow.to[&b], slow.units, p.shrinkage) as f32,
                })
                .filter(|s| s.score > 0.0)
                .collect();
            list.sort_by(Scored::order);
            prop_assert_eq!(&model.similar_items(a, usize::MAX), &list);
            prop_assert_eq!(lists_only.similar_items(a, usize::MAX), list);
        }
    }

    #[test]
    fn an_update_is_a_rebuild(
        first in prop::collection::vec(tiny(30), 0..40),
        second in prop::collection::vec(tiny(60), 0..12),
        third in prop::collection::vec(tiny(60), 0..12),
        p in recipes(),
        retain in any_of([Retain::Counts, Retain::ListsOnly]),
    ) {
        let run = Run::default();
        let recipe = CoOccurrenceParams { retain, ..p }.check().unwrap();
        let mut shop = builder(&first);
        let (mut before, mut model) = {
            let data = shop.build().unwrap();
            let model = fit(&recipe, &data);
            (data, model)
        };
        for more in [second, third] {
            push(&mut shop, &more);
            let after = shop.build().unwrap();
            let delta = Delta::between(&before, &after).unwrap();
            model = recipe.update(&model, &delta, None, &run).unwrap();
            prop_assert_eq!(&model, &fit(&recipe, &after));
            before = after;
        }
    }

    #[test]
    fn arrival_order_does_not_matter(
        (events, shuffled) in prop::collection::vec(tiny(1), 0..40).prop_flat_map(|mut events| {
            // A time of its own for each: of equal times the order of arrival *is* the order.
            (0..).zip(&mut events).for_each(|(n, e)| (e.item, e.second) = (e.item % 5, n));
            (Just(events.clone()), Just(events).prop_shuffle())
        }),
        p in recipes(),
        cut in 0usize..40,
    ) {
        let recipe = p.check().unwrap();
        let (head, tail) = shuffled.split_at(cut.min(shuffled.len()));
        let mut shop = builder(head);
        let before = shop.build().unwrap();
        push(&mut shop, tail);
        let after = shop.build().unwrap();
        let delta = Delta::between(&before, &after).unwrap();
        let updated = recipe.update(&fit(&recipe, &before), &delta, None, &Run::default()).unwrap();
        prop_assert_eq!(updated, fit(&recipe, &data(&events)));
    }

    #[test]
    fn the_others_update_too(
        first in prop::collection::vec(tiny(30), 0..40), second in prop::collection::vec(tiny(60), 0..12),
    ) {
        let run = Run::default();
        let mut shop = builder(&first);
        let before = shop.build().unwrap();
        push(&mut shop, &second);
        let after = shop.build().unwrap();
        let delta = Delta::between(&before, &after).unwrap();
        let cross = CrossOccurrenceParams::default().check().unwrap();
        prop_assert_eq!(cross.update(&fit(&cross, &before), &delta, None, &run).unwrap(), fit(&cross, &after));
        let basket = FrequentlyBoughtTogetherParams { min_support: 1, ..Default::default() }.check().unwrap();
        prop_assert_eq!(basket.update(&fit(&basket, &before), &delta, None, &run).unwrap(), fit(&basket, &after));
    }
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
fn worked_by_hand() {
    let buy = EventKind::Purchase;
    // Baskets: {0,1}, {0,1}, {0,2}, {1}.
    let events = [did(1, 0, buy, 1), did(1, 1, buy, 1), did(2, 0, buy, 2), did(2, 1, buy, 2)];
    let events = [&events[..], &[did(3, 0, buy, 3), did(3, 2, buy, 3), did(4, 1, buy, 4)]].concat();
    let data = data(&events);
    let params = CoOccurrenceParams { shrinkage: 2.0, min_support: 1, ..CoOccurrenceParams::co_purchase() };
    let model = fit(&params.check().unwrap(), &data);
    assert_eq!(
        (model.support(i(0), i(1)), model.support(i(0), i(2)), model.support(i(2), i(1))),
        (Some(2), Some(1), Some(0))
    );
    // cosine(0,1) = 2/3, shrunk by 2/(2+2); cosine(0,2) = 1/sqrt(3), shrunk by 1/3.
    let near = model.similar_items(i(0), 9);
    assert_eq!(near.iter().map(|s| s.item).collect::<Vec<_>>(), [i(1), i(2)]);
    assert_relative_eq!(near[0].score, 1.0 / 3.0, epsilon = 1e-6);
    assert_relative_eq!(near[1].score, 1.0 / 3f32.sqrt() / 3.0, epsilon = 1e-6);
    assert_relative_eq!(model.similarity(i(1), i(0)).unwrap(), 1.0 / 3.0, epsilon = 1e-6);
    assert_eq!((model.similarity(i(1), i(2)), model.similarity(i(0), i(0))), (Some(0.0), Some(1.0)));
    assert_eq!((model.similarity(i(0), i(3)), model.similarity(i(0), i(999))), (None, None));

    // The shopper bought 2 just now and 1 before; positions halve: 0 gets w(2→0) + w(1→0) / 2.
    let shelf = Shelf::bare(&data);
    let touch = |item, second| Touch { item: i(item), kind: buy, at: Timestamp::from_secs(second), weight: 5.0 };
    let history = [touch(2, 9), touch(1, 8), touch(2, 7)];
    let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(10));
    cx.history = &history;
    let recency = Some(VoteDecay::Positions { half_life: 1.0 });
    let params = CoOccurrenceParams { shrinkage: 0.0, min_support: 1, recency, ..CoOccurrenceParams::co_purchase() };
    let model = fit(&params.check().unwrap(), &data);
    let why = model.explain(&cx, i(0), &mut Workspace::default());
    assert_relative_eq!(why.value.unwrap(), 1.0 / 3f32.sqrt() + 0.5 * 2.0 / 3.0, epsilon = 1e-6);
    let evidence: Vec<&Reason> = why.details.iter().map(|d| &d.reason).collect();
    let because = |item| Reason::Because { item: i(item), code: ReasonCode::BoughtTogether };
    assert_eq!(evidence, [&because(2), &because(1)]);
    assert_eq!(model.explain(&cx, i(3), &mut Workspace::default()).reason, Reason::Abstained);
}

#[test]
fn then_means_then() {
    let (view, buy) = (EventKind::View, EventKind::Purchase);
    let supports = |events: &[Tiny], within| {
        let order = PairOrder::Then { within };
        let p =
            CoOccurrenceParams { order, from: KindSet::of(&[view, buy]), ..CoOccurrenceParams::viewed_then_bought() };
        let model = fit(&p.check().unwrap(), &data(events));
        (model.support(i(0), i(1)).unwrap(), model.support(i(1), i(0)).unwrap())
    };
    let week = Span::secs(7);
    assert_eq!(supports(&[did(1, 0, view, 0), did(1, 1, buy, 7)], week), (1, 0), "the end belongs to the window");
    assert_eq!(supports(&[did(1, 0, view, 0), did(1, 1, buy, 8)], week), (0, 0));
    assert_eq!(supports(&[did(1, 0, view, 8), did(1, 1, buy, 7)], week), (0, 0), "afterwards is not before");
    assert_eq!(supports(&[did(1, 0, view, 7), did(1, 1, buy, 7)], Span::ZERO), (1, 0), "another kind at the same time");
    assert_eq!(supports(&[did(1, 0, buy, 7), did(1, 1, buy, 7)], week), (0, 0), "one basket has no order");
    assert_eq!(supports(&[did(1, 0, buy, 1), did(1, 1, buy, 2), did(1, 0, buy, 3)], week), (1, 1));
    // A later view opens the window again, and a unit counts a pair once.
    let again = [did(1, 0, view, 0), did(1, 0, view, 20), did(1, 1, buy, 21), did(1, 0, view, 22), did(1, 1, buy, 23)];
    assert_eq!(supports(&again, week), (1, 0));
}

#[test]
fn what_was_returned_was_never_bought() {
    let (buy, back) = (EventKind::Purchase, EventKind::Return);
    let events = [did(1, 0, buy, 1), did(1, 1, buy, 1), did(2, 0, buy, 1), did(2, 1, buy, 1), did(2, 1, back, 9)];
    let model = fit(&CoOccurrenceParams::co_purchase().check().unwrap(), &data(&events));
    let counts = model.counts().unwrap();
    assert_eq!((counts.pair(i(0), i(1)), counts.n_from(i(0)), counts.n_from(i(1)), counts.n_units()), (1, 2, 1, 2));
}

#[test]
fn very_active_units_count_their_latest_items() {
    let events: Vec<Tiny> = (0..5).map(|item| did(1, item, EventKind::View, i64::from(item % 4))).collect();
    let params = CoOccurrenceParams { max_items: 3, ..Default::default() };
    let model = fit(&params.check().unwrap(), &data(&events));
    let counts = model.counts().unwrap();
    // Times 0 1 2 3 0: the latest are 3, 2, 1.
    assert_eq!((0..5).map(|item| counts.n_from(i(item))).collect::<Vec<_>>(), [0, 1, 1, 1, 0]);
}

#[test]
fn the_basket_speaks_and_is_left_alone() {
    let buy = EventKind::Purchase;
    let baskets: [&[u8]; 6] = [&[0, 1, 2], &[0, 1], &[0, 2], &[1, 3], &[3], &[4]];
    let events: Vec<Tiny> = (1..).zip(baskets).flat_map(|(u, b)| b.iter().map(move |&x| did(u, x, buy, 1))).collect();
    let data = data(&events);
    let params = FrequentlyBoughtTogetherParams { min_support: 1, shrinkage: 0.0, min_lift: 1.1, ..Default::default() };
    let model = fit(&params.check().unwrap(), &data);
    let shelf = Shelf::bare(&data);
    let ws = &mut Workspace::default();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    let value = |cx: &Context<'_>, item, ws: &mut Workspace| model.explain(cx, i(item), ws).value;
    assert_eq!(value(&cx, 2, ws), None, "no basket, no page, no opinion");
    cx.context_item = Some(i(0));
    assert_relative_eq!(value(&cx, 2, ws).unwrap(), 2.0 / 3.0, epsilon = 1e-6);
    let basket = [i(1), i(3)];
    cx.basket = &basket;
    // 1 → 0: 2/3, lift 6·2/9 = 1.33; 1 → 2: 1/3, but lift 6·1/(3·2) = 1; 3 says nothing of 0.
    assert_relative_eq!(value(&cx, 0, ws).unwrap(), 2.0 / 3.0 / 2.0, epsilon = 1e-6);
    assert_eq!((value(&cx, 2, ws), value(&cx, 3, ws), value(&cx, 1, ws)), (None, None, None));
    let why = model.explain(&cx, i(0), ws);
    assert_eq!(why.details[0].reason, Reason::Because { item: i(1), code: ReasonCode::GoesWithBasket });
}

#[test]
fn every_indicator_adds_its_part() {
    let (view, buy) = (EventKind::View, EventKind::Purchase);
    let mut events = Vec::new();
    for user in 1..=3 {
        events.extend([did(user, 0, view, 1), did(user, 1, buy, 2), did(user, 2, buy, 3)]);
    }
    events.extend([did(4, 3, buy, 1), did(5, 4, view, 1)]);
    let data = data(&events);
    let model = fit(&Checked::<CrossOccurrenceParams>::default(), &data);
    let seen = model.similar_items(2, i(0), 1)[0];
    let bought = model.similar_items(0, i(2), 1)[0];
    assert_eq!((seen.item, bought.item), (i(1), i(1)));
    assert_relative_eq!(f64::from(seen.score), PairWeight::Llr.of(3, 3, 3, 5), epsilon = 1e-6);
    assert_relative_eq!(f64::from(bought.score), PairWeight::Llr.of(3, 3, 3, 4), epsilon = 1e-6);
    let shelf = Shelf::bare(&data);
    let touch = |item, kind| Touch { item: i(item), kind, at: Timestamp::from_secs(5), weight: 1.0 };
    let history = [touch(0, view), touch(2, buy)];
    let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(9));
    cx.history = &history;
    let why = model.explain(&cx, i(1), &mut Workspace::default());
    assert_relative_eq!(why.value.unwrap(), bought.score + 0.25 * seen.score, epsilon = 1e-6);
    let codes: Vec<&Reason> = why.details.iter().map(|d| &d.reason).collect();
    assert_eq!(
        codes,
        [
            &Reason::Because { item: i(2), code: ReasonCode::BoughtTogether },
            &Reason::Because { item: i(0), code: ReasonCode::ViewedThenBought },
        ]
    );
    cx.history = &[];
    cx.context_item = Some(i(0));
    let why = model.explain(&cx, i(1), &mut Workspace::default());
    assert_relative_eq!(why.value.unwrap(), 0.25 * seen.score, epsilon = 1e-6);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// With little memory, counted in blocks of shoppers and of items: the same model, or a refusal that says how much it
    /// takes; and with what it asked for there is one.
    #[test]
    fn little_memory_gives_the_same_model(
        events in prop::collection::vec(tiny(30), 0..80),
        recipe in recipes(),
        (memory, lists_only) in (0u64..12_000, any::<bool>()),
    ) {
        let retain = if lists_only { Retain::ListsOnly } else { Retain::Counts };
        let recipe = CoOccurrenceParams { retain, ..recipe }.check().unwrap();
        let data = data(&events);
        let expected = fit(&recipe, &data);
        let within = |memory| recipe.fit(&(&data).into(), &Run::default().threads(Parallelism::Serial).memory(memory));
        let mut memory = memory;
        let model = loop {
            match within(memory) {
                Ok(model) => break model,
                Err(FitError::Memory { needed, allowed, .. }) => {
                    prop_assert!(needed > allowed && allowed == memory);
                    memory = needed.max(memory + memory / 2);
                }
                Err(error) => panic!("{error}"),
            }
        };
        prop_assert_eq!(&model, &expected);
        if lists_only {
            let least = match within(0) {
                Err(FitError::Memory { needed, .. }) => needed,
                _ => 0,
            };
            prop_assert!(within(least).unwrap() == expected, "the least that was asked for is enough");
        }
    }
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
