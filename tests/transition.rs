//! Order-aware neighbours: sums and lists against nested loops, updates against rebuilds, votes against a naive path.

use std::collections::BTreeMap;

use approx::assert_relative_eq;
use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

/// One event in small numbers: shopper (0 is anonymous), session (0 for "not given"), item, kind, second.
#[derive(Clone, Copy, Debug)]
struct Tiny {
    user: u8,
    session: u8,
    item: u8,
    kind: EventKind,
    second: i64,
}

const KINDS: [EventKind; 5] =
    [EventKind::View, EventKind::View, EventKind::AddToCart, EventKind::Purchase, EventKind::Impression];

fn tiny(seconds: i64) -> impl Strategy<Value = Tiny> {
    (0u8..5, 0u8..3, 0u8..7, 0usize..KINDS.len(), 0..seconds).prop_map(|(user, session, item, kind, second)| Tiny {
        user,
        session,
        item,
        kind: KINDS[kind],
        second,
    })
}

fn push(builder: &mut DatasetBuilder, events: &[Tiny]) {
    for e in events {
        let (user, item, session) =
            (format!("u{}", e.user), format!("i{}", e.item), format!("{}/{}", e.user, e.session));
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
    builder.items(["i0", "i1", "i2"]).unwrap();
    push(&mut builder, events);
    builder
}

fn fit<F: Fit>(recipe: &F, data: &Dataset) -> F::Model {
    recipe.fit(&data.into(), &Run::default()).unwrap()
}

fn any_of<T: Clone + std::fmt::Debug + 'static>(all: impl IntoIterator<Item = T>) -> impl Strategy<Value = T> {
    prop::sample::select(all.into_iter().collect::<Vec<T>>())
}

fn recipes() -> impl Strategy<Value = TransitionParams> {
    let bought = KindFactors { purchase: 3.0, add_to_cart: 0.0, ..KindFactors::default() };
    let factors = || any_of([KindFactors::default(), KindFactors::default(), bought]);
    let counts = (
        any_of([PairUnit::Shopper, PairUnit::Session]),
        any_of([PathStep::Event, PathStep::Run, PathStep::First, PathStep::Last]),
        any_of([1usize, 2, 5, 10_000]),
        any_of([0.0f32, 0.5, 2.0]),
        any_of([None, Some(Span::secs(4)), Some(Span::ZERO)]),
        any_of([0.0f32, 0.25, 1.0]),
        (factors(), factors()),
        any_of([Repeats::Skipped, Repeats::Counted]),
    );
    let lists = (
        any_of([0.0f32, 0.5, 1.0]),
        any_of([0.0f32, 0.25]),
        any_of([0.0f32, 1.5]),
        any_of([0.0f32, 0.75]),
        any_of([1usize, 3, 1_000_000]),
    );
    let votes = (
        1usize..6,
        any_of([
            None,
            Some(VoteDecay::Positions { half_life: 1.5 }),
            Some(VoteDecay::Time { half_life: Span::secs(9) }),
        ]),
        factors(),
        any_of([CurrentItem::Allowed, CurrentItem::Excluded]),
    );
    (counts, lists, votes).prop_map(|(c, l, v)| TransitionParams {
        unit: c.0,
        step: c.1,
        window: c.2,
        gap_exponent: c.3,
        gap_half_life: c.4,
        back: c.5,
        source: c.6.0,
        target: c.6.1,
        repeats: c.7,
        source_exponent: l.0,
        target_exponent: l.1,
        shrinkage: l.2,
        self_weight: l.3,
        neighbours: l.4,
        history: v.0,
        recency: v.1,
        profile: v.2,
        current: v.3,
        ..TransitionParams::default()
    })
}

type Step = (ItemIdx, EventKind, Timestamp);

fn commitment(kind: EventKind) -> u8 {
    match kind {
        EventKind::Purchase => 2,
        EventKind::AddToCart => 1,
        _ => 0,
    }
}

/// The steps of a path, oldest first.
fn path(events: &[Step], step: PathStep) -> Vec<Step> {
    let strongest = |of: &[Step]| of.iter().map(|e| e.1).max_by_key(|&kind| commitment(kind)).unwrap();
    match step {
        PathStep::Run => events.chunk_by(|a, b| a.0 == b.0).map(|r| (r[0].0, strongest(r), r[r.len() - 1].2)).collect(),
        PathStep::First | PathStep::Last => {
            let mut out = Vec::new();
            for (place, event) in events.iter().enumerate() {
                let others = if step == PathStep::First { &events[..place] } else { &events[place + 1..] };
                if others.iter().all(|other| other.0 != event.0) {
                    let all: Vec<Step> = events.iter().copied().filter(|e| e.0 == event.0).collect();
                    out.push((event.0, strongest(&all), event.2));
                }
            }
            out
        }
        _ => events.to_vec(),
    }
}

/// Sums in units of 2^-28, and steps an item.
fn slow(data: &Dataset, p: &TransitionParams) -> (BTreeMap<(ItemIdx, ItemIdx), u64>, BTreeMap<ItemIdx, u32>) {
    let mut units: BTreeMap<(u32, u32), Vec<Step>> = BTreeMap::new();
    for row in 0..data.n_rows() as u32 {
        let events = data.events_of(UserIdx::new(row));
        for (event, &session) in events.iter().zip(events.sessions()).filter(|(e, _)| p.kinds.contains(e.kind)) {
            let session = if p.unit == PairUnit::Session { session } else { 0 };
            units.entry((row, session)).or_default().push((event.item, event.kind, event.at));
        }
    }
    let (mut sums, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for events in units.values() {
        let path = path(events, p.step);
        path.iter().for_each(|step| *counts.entry(step.0).or_default() += 1);
        for (x, a) in path.iter().enumerate() {
            for (y, b) in path.iter().enumerate() {
                let gap = x.abs_diff(y);
                if gap == 0 || gap > p.window || (a.0 == b.0 && p.repeats == Repeats::Skipped) {
                    continue;
                }
                let apart = if a.2 < b.2 { b.2.since(a.2) } else { a.2.since(b.2) };
                let weight = (gap as f64).powf(-f64::from(p.gap_exponent))
                    * p.gap_half_life.map_or(1.0, |half| apart.decay(half))
                    * f64::from(p.source.of(a.1))
                    * f64::from(p.target.of(b.1))
                    * if x < y { 1.0 } else { f64::from(p.back) };
                *sums.entry((a.0, b.0)).or_default() += (weight * f64::from(1 << 28)).round() as u64;
            }
        }
    }
    sums.retain(|_, sum| *sum > 0);
    (sums, counts)
}

/// Every list, and every number as close as two orders of the same multiplications are.
fn same(fast: &[Scored], slow: &[Scored]) {
    assert_eq!(fast.len(), slow.len());
    let by_item = |list: &[Scored]| list.iter().map(|s| (s.item, s.score)).collect::<BTreeMap<_, _>>();
    for ((a, x), (b, y)) in by_item(fast).into_iter().zip(by_item(slow)) {
        assert_eq!(a, b);
        assert_relative_eq!(x, y, max_relative = 1e-5);
    }
    assert!(fast.is_sorted_by(|a, b| a.order(b).is_le()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn sums_and_lists_equal_nested_loops(events in prop::collection::vec(tiny(30), 0..50), p in recipes()) {
        let data = builder(&events).finish().unwrap();
        let p = TransitionParams { neighbours: 1_000_000, ..p };
        let model = fit(&p.clone().check().unwrap(), &data);
        let (sums, counts) = slow(&data, &p);
        let items = || (0..data.n_items() as u32).map(ItemIdx::new);
        for a in items() {
            let mut list = Vec::new();
            for b in items() {
                let sum = sums.get(&(a, b)).map_or(0.0, |&sum| sum as f64 / f64::from(1 << 28));
                assert_relative_eq!(model.support(a, b).unwrap(), sum, epsilon = 1e-6);
                let mut weight = 0.0;
                if sum > 0.0 {
                    let shrunk = sum / (1.0 + f64::from(p.shrinkage) / sum);
                    weight = shrunk / f64::from(counts[&a]).powf(f64::from(p.source_exponent))
                        / f64::from(counts[&b]).powf(f64::from(p.target_exponent));
                }
                if a == b && counts.contains_key(&a) {
                    weight += f64::from(p.self_weight);
                }
                if weight > 0.0 {
                    list.push(Scored { item: b, score: weight as f32 });
                }
            }
            list.sort_by(Scored::order);
            same(&model.successors(a, usize::MAX), &list);
        }
    }

    #[test]
    fn an_update_is_a_rebuild(
        first in prop::collection::vec(tiny(30), 0..40),
        second in prop::collection::vec(tiny(60), 0..10),
        third in prop::collection::vec(tiny(60), 0..10),
        p in recipes(),
        retain in any_of([Retain::Counts, Retain::ListsOnly]),
    ) {
        let run = Run::default();
        let recipe = TransitionParams { retain, ..p }.check().unwrap();
        let mut shop = builder(&first);
        let mut before = shop.build().unwrap();
        let mut model = fit(&recipe, &before);
        for more in [second, third] {
            push(&mut shop, &more);
            let after = shop.build().unwrap();
            model = recipe.update(&model, &Delta::between(&before, &after).unwrap(), None, &run).unwrap();
            prop_assert_eq!(&model, &fit(&recipe, &after));
            before = after;
        }
    }

    #[test]
    fn the_latest_steps_vote(
        events in prop::collection::vec(tiny(30), 0..50),
        history in prop::collection::vec((0u32..9, 0usize..KINDS.len()), 0..14),
        page in prop::option::of(0u32..9),
        p in recipes(),
    ) {
        let data = builder(&events).finish().unwrap();
        let model = fit(&p.clone().check().unwrap(), &data);
        // Items beyond the fit keep their place in the history.
        let mut more = DatasetBuilder::default();
        more.items(["i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8"]).unwrap();
        let shelf = Shelf::bare(&more.finish().unwrap());
        let now = Timestamp::from_secs(1000);
        let history: Vec<Touch> = history.iter().zip(0..).map(|(&(item, kind), age)| Touch {
            item: ItemIdx::new(item),
            kind: KINDS[kind],
            at: now.minus(Span::secs(3 * age)),
            weight: 1.0,
        }).collect();
        let mut cx = Context::new(&data, &shelf, now);
        cx.history = &history;
        cx.context_item = page.map(ItemIdx::new);

        let oldest_first: Vec<Step> =
            history.iter().rev().filter(|t| p.kinds.contains(t.kind)).map(|t| (t.item, t.kind, t.at)).collect();
        let mut steps = path(&oldest_first, p.step);
        steps.reverse();
        if let Some(page) = cx.context_item {
            let again = |place: usize, step: &Step| {
                step.0 == page && (place == 0 || matches!(p.step, PathStep::First | PathStep::Last))
            };
            steps = steps.iter().enumerate().filter(|&(place, step)| !again(place, step)).map(|s| *s.1).collect();
            steps.insert(0, (page, EventKind::View, now));
        }
        let mut expected: BTreeMap<ItemIdx, f32> = BTreeMap::new();
        for (place, step) in steps.iter().take(p.history).enumerate() {
            let fresh = match p.recency {
                Some(VoteDecay::Positions { half_life }) => 0.5f32.powf(place as f32 / half_life),
                Some(VoteDecay::Time { half_life }) => now.since(step.2).decay(half_life) as f32,
                _ => 1.0,
            };
            let whole = place == 0 && cx.context_item.is_some();
            let vote = if whole { 1.0 } else { fresh * p.profile.of(step.1) };
            for near in model.successors(step.0, usize::MAX).iter().filter(|_| vote > 0.0) {
                *expected.entry(near.item).or_default() += vote * near.score;
            }
        }
        if p.current == CurrentItem::Excluded {
            let latest = oldest_first.last().map(|step| step.0);
            expected.retain(|&item, _| Some(item) != cx.context_item.or(latest));
        }
        let items: Vec<ItemIdx> = (0..9).map(ItemIdx::new).collect();
        for (score, item) in opinions(&model, &cx, &items).into_iter().zip(&items) {
            match (score, expected.get(item)) {
                (Some(score), Some(&slow)) => assert_relative_eq!(score, slow, max_relative = 1e-4),
                (score, slow) => prop_assert_eq!(score.is_some(), slow.is_some()),
            }
        }
        prop_assert_eq!(proposals(&model, &cx, 99).len(), expected.len());
    }
}

/// `ann` walks i1, i2, i3; `bob` i1, i2.
fn two_paths() -> Dataset {
    let did = |user, item, second| Tiny { user, session: 0, item, kind: EventKind::View, second };
    builder(&[did(1, 1, 1), did(1, 2, 2), did(1, 3, 3), did(2, 1, 1), did(2, 2, 2)]).finish().unwrap()
}

#[test]
fn worked_by_hand() {
    let data = two_paths();
    let i = |n: u32| data.item(&format!("i{n}")).unwrap();
    let params = TransitionParams {
        gap_exponent: 1.0,
        back: 0.5,
        source_exponent: 0.5,
        target_exponent: 1.0,
        shrinkage: 2.0,
        ..TransitionParams::default()
    };
    let model = fit(&params.clone().check().unwrap(), &data);
    // 1 → 2 twice at distance 1, 1 → 3 once at distance 2; 2 → 1 half of that back.
    let supports = [(1, 2, 2.0), (1, 3, 0.5), (2, 3, 1.0), (2, 1, 1.0), (3, 1, 0.25), (3, 2, 0.5), (1, 1, 0.0)];
    for (a, b, sum) in supports {
        assert_eq!(model.support(i(a), i(b)), Some(sum), "{a} → {b}");
    }
    // 2 shrinks to 2 x 2/(2+2) = 1, over √2 x 2; 0.5 to 0.5 x 0.5/2.5 = 0.1, over √2 x 1.
    let list = model.successors(i(1), 9);
    assert_eq!(list.iter().map(|s| s.item).collect::<Vec<_>>(), [i(2), i(3)]);
    assert_relative_eq!(list[0].score, 0.5 / 2f32.sqrt(), max_relative = 1e-6);
    assert_relative_eq!(list[1].score, 0.1 / 2f32.sqrt(), max_relative = 1e-6);

    let shelf = Shelf::bare(&data);
    let touch = |item, kind| Touch { item: i(item), kind, at: data.as_of(), weight: 1.0 };
    let history = [touch(2, EventKind::View), touch(2, EventKind::AddToCart), touch(1, EventKind::View)];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    let profile = KindFactors { add_to_cart: 4.0, ..KindFactors::default() };
    let recency = Some(VoteDecay::Positions { half_life: 1.0 });
    let model = fit(&TransitionParams { profile, recency, ..params }.check().unwrap(), &data);
    // Viewing and carting 2 is one step worth 4; 1 was the step before, worth ½.
    let three = 4.0 * model.successors(i(2), 9).iter().find(|s| s.item == i(3)).unwrap().score + 0.5 * list[1].score;
    assert_relative_eq!(opinions(&model, &cx, &[i(3)])[0].unwrap(), three, max_relative = 1e-6);
    let why = model.explain(&cx, i(3), &mut Workspace::default());
    assert_eq!((why.value.is_some(), why.details.len()), (true, 2));
}

#[test]
fn a_model_of_other_data_or_rules_is_not_patched() {
    let first = two_paths();
    let mut shop = builder(&[Tiny { user: 1, session: 0, item: 1, kind: EventKind::View, second: 1 }]);
    let before = shop.build().unwrap();
    push(&mut shop, &[Tiny { user: 1, session: 0, item: 2, kind: EventKind::View, second: 2 }]);
    let after = shop.build().unwrap();
    let (delta, run) = (Delta::between(&before, &after).unwrap(), Run::default());
    let recipe = Checked::<TransitionParams>::default();
    let fresh = fit(&recipe, &after);
    assert_eq!(recipe.update(&fit(&recipe, &first), &delta, None, &run).unwrap(), fresh);
    let other = TransitionParams { window: 1, ..Default::default() }.check().unwrap();
    assert_eq!(recipe.update(&fit(&other, &before), &delta, None, &run).unwrap(), fresh);
}

#[test]
fn nothing_one_item_and_one_instant() {
    let recipe = TransitionParams { step: PathStep::Event, repeats: Repeats::Counted, ..Default::default() };
    let empty = fit(&recipe.clone().check().unwrap(), &DatasetBuilder::default().finish().unwrap());
    assert!(empty.successors(ItemIdx::new(0), 5).is_empty());
    let again = Tiny { user: 1, session: 0, item: 0, kind: EventKind::View, second: 7 };
    let one = builder(&[again; 4]).finish().unwrap();
    let alone = fit(&recipe.clone().check().unwrap(), &one);
    let own = one.item("i0").unwrap();
    assert_eq!(alone.successors(own, 5).iter().map(|s| s.item).collect::<Vec<_>>(), [own]);
    let runs = fit(&TransitionParams { step: PathStep::Run, ..recipe }.check().unwrap(), &one);
    assert!(runs.successors(own, 5).is_empty(), "four clicks in a row are one step");
}

#[test]
fn the_same_for_any_number_of_threads_and_lawful() {
    let params = ShopParams { items: 300, users: 400, events: 8_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap();
    let data = builder.finish().unwrap();
    let half_life = Some(Span::hours(3));
    for unit in [PairUnit::Shopper, PairUnit::Session] {
        let recipe = TransitionParams { unit, gap_half_life: half_life, ..Default::default() }.check().unwrap();
        let serial = recipe.fit(&(&data).into(), &Run::default().threads(Parallelism::Serial)).unwrap();
        for threads in [1, 2, 4, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| fit(&recipe, &data)), serial);
        }
        check_scorer(&serial, &data, &Shelf::bare(&data)).unwrap();
    }
    let again = TransitionParams { self_weight: 0.5, current: CurrentItem::Excluded, ..Default::default() };
    check_scorer(&fit(&again.check().unwrap(), &data), &data, &Shelf::bare(&data)).unwrap();
}

#[test]
fn parameters_keep_their_tables() {
    check_params::<TransitionParams>().unwrap();
    check_params::<KindFactors>().unwrap();
    for preset in [TransitionParams::next_item(), TransitionParams::next_click(), TransitionParams::next_purchase()] {
        assert!(preset.clone().check().is_ok(), "{}", preset.name);
    }
    let target = KindFactors { purchase: 17.0, ..KindFactors::default() };
    assert_eq!(TransitionParams { target, ..Default::default() }.check().unwrap_err().param, "target.purchase");
}
