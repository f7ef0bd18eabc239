//! By hand.

use super::*;

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
