//! Next basket: worked examples, slow twins, updates against rebuilds, threads, the laws.

use std::collections::BTreeMap;

use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

use crate::common::{consented, day};

/// Who bought what in which basket; a basket is a day.
type Sold = Vec<(u8, u8, u8)>;

fn sold() -> impl Strategy<Value = Sold> {
    prop::collection::vec((0u8..6, 0u8..9, 0u8..7), 0..60)
}

fn push(builder: &mut DatasetBuilder, sold: &[(u8, u8, u8)]) {
    for &(who, on, item) in sold {
        let (user, item, session) = (format!("u{who}"), format!("i{item}"), format!("{who}/{on}"));
        let who = Shopper::Profiled(consented(&user));
        let event = Event::new(who, &item, EventKind::Purchase, day(on.into())).session(&session);
        builder.push(&event).unwrap();
    }
}

fn data(sold: &[(u8, u8, u8)]) -> Dataset {
    let mut builder = DatasetBuilder::default().as_of(day(100));
    push(&mut builder, sold);
    builder.finish().unwrap()
}

fn fit<P: Validate>(params: P, data: &Dataset) -> <Checked<P> as Fit>::Model
where
    Checked<P>: Fit,
{
    params.check().unwrap().fit(&data.into(), &Run::default()).unwrap()
}

fn with_cx<T>(data: &Dataset, user: UserIdx, f: impl FnOnce(&Context<'_>) -> T) -> T {
    let shelf = Shelf::bare(data);
    let mut cx = Context::new(data, &shelf, day(9));
    cx.user = Some(user);
    f(&cx)
}

fn all(data: &Dataset) -> Vec<ItemIdx> {
    (0..data.n_items() as u32).map(ItemIdx::new).collect()
}

fn scores(model: &dyn Scorer, data: &Dataset, user: UserIdx) -> Vec<f64> {
    with_cx(data, user, |cx| {
        opinions(model, cx, &all(data)).into_iter().map(|score| score.map_or(0.0, f64::from)).collect()
    })
}

fn list(model: &dyn Scorer, data: &Dataset, user: &str) -> String {
    let ids =
        |cx: &Context<'_>| proposals(model, cx, 99).into_iter().map(|i| data.item_key(i)).collect::<Vec<_>>().join(" ");
    with_cx(data, data.user(user).unwrap(), ids)
}

/// Each shopper's baskets, oldest first, as day and items: what the data says, found the slow way.
fn baskets(sold: &Sold, data: &Dataset) -> Vec<Vec<(u8, Vec<usize>)>> {
    let mut rows = vec![BTreeMap::<u8, Vec<usize>>::new(); data.n_rows()];
    for &(who, on, item) in sold {
        let row = data.user(&format!("u{who}")).unwrap().as_usize();
        let item = data.item(&format!("i{item}")).unwrap().as_usize();
        let held = rows[row].entry(on).or_default();
        if !held.contains(&item) {
            held.push(item);
        }
    }
    rows.into_iter().map(|row| row.into_iter().collect()).collect()
}

const CHAIN: [(u8, u8, u8); 11] = [
    // i0 in two baskets of u0, i1 and i2 in one; over all, i2 sells more than i1.
    (0, 0, 0),
    (0, 1, 0),
    (0, 1, 1),
    (0, 0, 2),
    (1, 0, 2),
    (2, 0, 2),
    (1, 1, 3),
    (2, 1, 3),
    (2, 2, 4),
    (2, 0, 4),
    (2, 2, 5),
];

#[test]
fn top_frequency_is_count_then_popularity_then_number() {
    let data = data(&CHAIN);
    let personal = fit(PersonalFrequencyParams::top_frequency(), &data);
    assert_eq!(list(&personal, &data, "u0"), "i0 i2 i1");
    assert_eq!(list(&personal, &data, "u2"), "i4 i2 i3 i5");
    let others = Others::ByPopularity;
    let global = fit(PersonalFrequencyParams { others, ..PersonalFrequencyParams::top_frequency() }, &data);
    // i3 and i4 are in two baskets each and follow by number.
    assert_eq!(list(&global, &data, "u0"), "i0 i2 i1 i3 i4 i5");
    let said = scores(&global, &data, data.user("u0").unwrap());
    let [i3, i4, i5] = ["i3", "i4", "i5"].map(|id| said[data.item(id).unwrap().as_usize()]);
    assert!(i3 == i4 && i4 > i5 && i3 < 1e-20);
    assert_eq!(said[data.item("i0").unwrap().as_usize()], 1.0);
    assert_eq!(said[data.item("i1").unwrap().as_usize()], 0.5);
    assert_eq!(global.popularity(data.item("i2").unwrap()), 3);
}

#[test]
fn newer_baskets_and_what_sells_now_come_first() {
    let data = data(&[(0, 0, 0), (0, 1, 0), (0, 8, 1), (1, 8, 1), (1, 0, 2), (2, 0, 2), (3, 0, 2), (0, 8, 2)]);
    let recency = Some(BasketDecay::Baskets { half_life: 0.5 });
    let by_place = PersonalFrequencyParams { recency, ..PersonalFrequencyParams::top_frequency() };
    assert_eq!(list(&fit(by_place.clone(), &data), &data, "u0"), "i2 i1 i0");
    let recency = Some(BasketDecay::Time { half_life: Span::days(2) });
    let by_time = PersonalFrequencyParams { recency, ..by_place };
    assert_eq!(list(&fit(by_time, &data), &data, "u0"), "i2 i1 i0");
    // "Now" is day 100: within 95 days only day 8 counts, where i1 is in two baskets and i2 in one.
    let demand = PersonalFrequencyParams {
        demand: 1.0,
        popular_within: Some(Span::days(95)),
        ..PersonalFrequencyParams::top_frequency()
    };
    let said = scores(&fit(demand, &data), &data, data.user("u0").unwrap());
    let [i0, i1, i2] = ["i0", "i1", "i2"].map(|id| said[data.item(id).unwrap().as_usize()]);
    let third = 1.0 / 3.0;
    for (got, expected) in [(i0, 2.0 * third * third), (i1, third), (i2, third * 2.0 * third)] {
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }
}

#[test]
fn tifu_by_hand() {
    // u0 has three baskets in two groups of at most two: {i0}, then {i0 i1} and {i1}. u1 shares an item and is nearest.
    let data = data(&[(0, 0, 0), (0, 1, 0), (0, 1, 1), (0, 2, 1), (1, 0, 0), (1, 0, 2), (2, 0, 3), (2, 0, 4)]);
    let params = TifuKnnParams {
        neighbours: 1,
        groups: 2,
        basket_decay: 0.5,
        group_decay: 0.25,
        own: 0.5,
        ..Default::default()
    };
    let model = fit(params, &data);
    let u0 = data.user("u0").unwrap();
    // Baskets weigh 0.25 / 2, 0.5 / 2 / 2 and 1 / 2 / 2; the neighbour's only one weighs 1.
    let expected = [("i0", 0.5 * (0.125 + 0.125) + 0.5), ("i1", 0.5 * (0.125 + 0.25)), ("i2", 0.5), ("i3", 0.0)];
    let said = scores(&model, &data, u0);
    for (item, score) in expected {
        assert_eq!(said[data.item(item).unwrap().as_usize()], score, "{item}");
    }
    let near = with_cx(&data, u0, |cx| model.neighbours(cx, &mut Workspace::default()));
    assert_eq!(near, [data.user("u1").unwrap()]);
}

#[test]
fn explanations_name_baskets_neighbours_and_the_last_purchase() {
    let data = data(&[(0, 0, 0), (0, 3, 0), (0, 6, 0), (0, 7, 1), (1, 0, 0), (1, 2, 0), (1, 2, 1), (2, 5, 2)]);
    let (u0, i0) = (data.user("u0").unwrap(), data.item("i0").unwrap());
    let model = fit(BuyAgainParams { clock: Clock::Time, ..BuyAgainParams::default() }, &data);
    let told = with_cx(&data, u0, |cx| model.explain(cx, i0, &mut Workspace::default()));
    let Reason::Repeat { last, times, age, interval } = told.details[0].reason.clone() else { panic!("{told:?}") };
    assert_eq!((last, times, age), (day(6), 3, 3.0));
    assert!((2.0..=3.0).contains(&interval), "{interval}");
    assert_eq!(told.value, told.details[0].value);
    for model in [&fit(TifuKnnParams::default(), &data) as &dyn Scorer, &fit(UpCfParams::default(), &data)] {
        let told = with_cx(&data, u0, |cx| model.explain(cx, i0, &mut Workspace::default()));
        let sum: f32 = told.details.iter().filter_map(|part| part.value).sum();
        assert!((told.value.unwrap() - sum).abs() < 1e-6 && told.details.len() == 2, "{told:?}");
        let counts: Vec<&Reason> = told.details.iter().map(|part| &part.reason).collect();
        assert_eq!(*counts[0], Reason::Count { events: 3, code: ReasonCode::BoughtBefore });
        assert_eq!(*counts[1], Reason::Count { events: 1, code: ReasonCode::SimilarTaste });
    }
}

#[test]
fn the_running_session_is_the_newest_basket() {
    let data = data(&CHAIN);
    let shelf = Shelf::bare(&data);
    let i5 = data.item("i5").unwrap();
    let touch = Touch { item: i5, kind: EventKind::Purchase, at: day(9), weight: 1.0 };
    let mut cx = Context::new(&data, &shelf, day(9));
    (cx.history, cx.session_len) = (std::slice::from_ref(&touch), 1);
    let first = |model: &dyn Scorer| proposals(model, &cx, 1);
    assert_eq!(first(&fit(PersonalFrequencyParams::default(), &data)), [i5]);
    assert_eq!(first(&fit(TifuKnnParams { own: 1.0, ..TifuKnnParams::default() }, &data)), [i5]);
    assert_eq!(first(&fit(UpCfParams::default(), &data)), [i5]);
    assert_eq!(first(&fit(BuyAgainParams::default(), &data)), [i5]);
}

fn tifu_vector(p: &TifuKnnParams, baskets: &[(u8, Vec<usize>)], n_items: usize) -> Vec<f64> {
    let mut vector = vec![0.0; n_items];
    if baskets.is_empty() {
        return vector;
    }
    // Cut from the newest end, so that the oldest group is the small one.
    let size = baskets.len().div_ceil(p.groups);
    let groups: Vec<&[(u8, Vec<usize>)]> = baskets.rchunks(size).collect();
    for (age, group) in groups.iter().enumerate() {
        for (older, (_, items)) in group.iter().rev().enumerate() {
            let in_group = f64::from(p.basket_decay).powi(older as i32) / group.len() as f64;
            let weight = in_group * f64::from(p.group_decay).powi(age as i32) / groups.len() as f64;
            items.iter().for_each(|&item| vector[item] += weight);
        }
    }
    vector
}

fn close(fast: &[f64], slow: &[f64]) -> Result<(), TestCaseError> {
    for (item, (a, b)) in fast.iter().zip(slow).enumerate() {
        prop_assert!((a - b).abs() <= 1e-5 * b.abs().max(1e-2), "item {item}: {a}, not {b}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn personal_frequency_equals_its_twin(sold in sold(), follow: bool, half_life in prop::option::of(1u8..5)) {
        let data = data(&sold);
        let others = if follow { Others::ByPopularity } else { Others::Silent };
        let recency = half_life.map(|h| BasketDecay::Baskets { half_life: h.into() });
        let params = PersonalFrequencyParams { others, recency, ..PersonalFrequencyParams::top_frequency() };
        let model = fit(params, &data);
        let rows = baskets(&sold, &data);
        let mut popular = vec![0u32; data.n_items()];
        rows.iter().flatten().flat_map(|basket| &basket.1).for_each(|&item| popular[item] += 1);
        for (row, own) in rows.iter().enumerate() {
            let counts = |n: usize| half_life.map_or(1.0, |h| 0.5f64.powf(n as f64 / f64::from(h)));
            let mut frequency = vec![0.0; data.n_items()];
            for (later, (_, items)) in own.iter().rev().enumerate() {
                items.iter().for_each(|&item| frequency[item] += counts(later));
            }
            let total: f64 = (0..own.len()).map(counts).sum();
            let slow: Vec<f64> = frequency.iter().map(|f| f / total.max(1e-9)).collect();
            let user = UserIdx::new(row as u32);
            close(&scores(&model, &data, user), &slow)?;
            if half_life.is_none() {
                let mut order: Vec<usize> = (0..data.n_items()).filter(|&i| follow || frequency[i] > 0.0).collect();
                order.sort_by_key(|&i| (std::cmp::Reverse((frequency[i] as u32, popular[i])), i));
                let proposed = with_cx(&data, user, |cx| proposals(&model, cx, 99));
                prop_assert_eq!(proposed.into_iter().map(ItemIdx::as_usize).collect::<Vec<_>>(), order);
            }
        }
    }

    #[test]
    fn tifu_equals_its_twin(
        sold in sold(), neighbours in 1usize..8, groups in 1usize..6, basket_decay in 0.0f32..=1.0, group_decay in 0.0f32..=1.0,
        own in 0.0f32..=1.0,
    ) {
        let data = data(&sold);
        let params = TifuKnnParams { neighbours, groups, basket_decay, group_decay, own, ..TifuKnnParams::default() };
        let model = fit(params.clone(), &data);
        let rows: Vec<Vec<f64>> =
            baskets(&sold, &data).iter().map(|row| tifu_vector(&params, row, data.n_items())).collect();
        for me in 0..rows.len() {
            let user = UserIdx::new(me as u32);
            let vector = |row: usize| model.vector(UserIdx::new(row as u32)).fold(vec![0.0; data.n_items()], |mut v, s| {
                v[s.item.as_usize()] = s.score.into();
                v
            });
            close(&vector(me), &rows[me])?;
            let near = with_cx(&data, user, |cx| model.neighbours(cx, &mut Workspace::default()));
            // Which of equally near ones is chosen may hang on the last bit: their distances may not.
            let distance = |other: usize| rows[me].iter().zip(&rows[other]).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            let mut distances: Vec<f64> = (0..rows.len()).filter(|&other| other != me).map(distance).collect();
            distances.sort_by(f64::total_cmp);
            distances.truncate(neighbours);
            prop_assert_eq!(near.len(), distances.len());
            for (other, expected) in near.iter().zip(&distances) {
                prop_assert!((distance(other.as_usize()) - expected).abs() < 1e-5);
            }
            let mean = |item: usize| near.iter().map(|v| rows[v.as_usize()][item]).sum::<f64>() / near.len().max(1) as f64;
            let own = f64::from(own);
            let slow: Vec<f64> = (0..data.n_items()).map(|i| own * rows[me][i] + (1.0 - own) * mean(i)).collect();
            close(&scores(&model, &data, user), &slow)?;
        }
    }

    #[test]
    fn up_cf_equals_its_twin(
        sold in sold(), window in 1usize..6, asymmetry in 0.0f32..=1.0, locality in 0.0f32..4.0, items: bool,
    ) {
        let data = data(&sold);
        let compare = if items { Compare::Items } else { Compare::Shares };
        let params = UpCfParams { window, asymmetry, locality, compare, ..UpCfParams::default() };
        let model = fit(params, &data);
        let share = |row: &Vec<(u8, Vec<usize>)>| {
            let recent = &row[row.len().saturating_sub(window)..];
            let held = |item: usize| recent.iter().filter(|basket| basket.1.contains(&item)).count() as f64;
            (0..data.n_items()).map(|item| held(item) / recent.len() as f64).collect::<Vec<f64>>()
        };
        let shares: Vec<Vec<f64>> = baskets(&sold, &data).iter().map(share).collect();
        let compared = |row: usize, item: usize| match shares[row][item] {
            share if items => f64::from(u8::from(share > 0.0)),
            share => share,
        };
        for me in 0..shares.len() {
            let product = |a: usize, b: usize| (0..data.n_items()).map(|i| compared(a, i) * compared(b, i)).sum::<f64>();
            let weight = |other: usize| match product(me, other) {
                0.0 => 0.0,
                _ if me == other => 1.0,
                uv => {
                    let a = f64::from(asymmetry);
                    let lengths = product(me, me).powf(a) * product(other, other).powf(1.0 - a);
                    (uv / lengths).powf(locality.into())
                }
            };
            let total: f64 = (0..shares.len()).map(weight).sum();
            let mean = |i: usize| (0..shares.len()).map(|v| weight(v) * shares[v][i]).sum::<f64>() / total;
            let slow: Vec<f64> = (0..data.n_items()).map(mean).collect();
            close(&scores(&model, &data, UserIdx::new(me as u32)), &slow)?;
        }
    }

    #[test]
    fn buy_again_equals_its_twin(
        sold in sold(), by_time: bool, shrinkage in 0.125f32..9.0, chance_prior in 0.125f32..9.0, interval_prior in 0.0f32..9.0,
    ) {
        let data = data(&sold);
        let clock = if by_time { Clock::Time } else { Clock::Baskets };
        let params = BuyAgainParams { clock, shrinkage, chance_prior, interval_prior, ..BuyAgainParams::default() };
        let model = fit(params, &data);
        let rows = baskets(&sold, &data);
        // Places of an item in a shopper's life: days, or numbers of baskets.
        let places = |row: usize, item: usize| -> Vec<f64> {
            let held = rows[row].iter().enumerate().filter(|(_, basket)| basket.1.contains(&item));
            held.map(|(number, basket)| if by_time { basket.0.into() } else { number as f64 }).collect()
        };
        let logs = |places: &[f64]| places.windows(2).map(|w| (w[1] - w[0]).ln()).collect::<Vec<f64>>();
        let of_item = |item: usize| {
            let each: Vec<Vec<f64>> = (0..rows.len()).map(|row| places(row, item)).collect();
            (each.iter().map(Vec::len).sum::<usize>() as f64, each.iter().flat_map(|p| logs(p)).collect::<Vec<f64>>())
        };
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len().max(1) as f64;
        let scatter = |x: &[f64], m: f64| x.iter().map(|x| (x - m).powi(2)).sum::<f64>();
        let items: Vec<(f64, Vec<f64>)> = (0..data.n_items()).map(of_item).collect();
        let (bought, all) = (items.iter().map(|i| i.0).sum::<f64>(), items.iter().flat_map(|i| i.1.clone()).collect::<Vec<_>>());
        let (chance, center) = (all.len() as f64 / bought.max(1.0), mean(&all));
        let variance = if all.is_empty() { 1.0 } else { scatter(&all, center) / all.len() as f64 };
        let s = f64::from(shrinkage);
        for (row, visits) in rows.iter().enumerate() {
            let fast = scores(&model, &data, UserIdx::new(row as u32));
            for item in 0..data.n_items() {
                let own = places(row, item);
                let Some(last) = own.last() else {
                    prop_assert_eq!(fast[item], 0.0);
                    continue;
                };
                let (n, x) = (&items[item].0, &items[item].1);
                let item_chance = (x.len() as f64 + s * chance) / (n + s);
                let item_mean = (x.iter().sum::<f64>() + s * center) / (x.len() as f64 + s);
                let spread = ((scatter(x, item_mean) + s * variance) / (x.len() as f64 + s)).sqrt().max(0.1);
                let (c, m) = (f64::from(chance_prior), f64::from(interval_prior));
                let repeats = own.len() as f64 - 1.0;
                let p = (repeats + c * item_chance) / (repeats + 1.0 + c);
                let mu = if repeats + m > 0.0 { (logs(&own).iter().sum::<f64>() + m * item_mean) / (repeats + m) } else { item_mean };
                let age: f64 = if by_time { 9.0 - last } else { visits.len() as f64 - last };
                let bell = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
                let z = (age.ln() - mu) / spread;
                // The upper tail by the trapezoid rule.
                let tail: f64 = (0..4000).map(|i| 0.5 * (bell(z + 0.005 * f64::from(i)) + bell(z + 0.005 * f64::from(i + 1))) * 0.005).sum();
                let tail = if z < -12.0 { 1.0 } else { tail.min(1.0) };
                let slow = p * bell(z) / (age * spread) / (p * tail + 1.0 - p);
                prop_assert!((fast[item] - slow).abs() < 1e-4 * slow + 1e-6, "item {}: {} not {}", item, fast[item], slow);
            }
        }
    }

    #[test]
    fn updates_equal_rebuilds(before in sold(), after in sold()) {
        let mut builder = DatasetBuilder::default().as_of(day(100));
        push(&mut builder, &before);
        let base = builder.build().unwrap();
        push(&mut builder, &after);
        let data = builder.finish().unwrap();
        let delta = Delta::between(&base, &data).unwrap();
        let run = Run::default();
        let top = PersonalFrequencyParams::top_frequency().check().unwrap();
        let recent = PersonalFrequencyParams::default().check().unwrap();
        for recipe in [top, recent] {
            let old = recipe.fit(&(&base).into(), &run).unwrap();
            prop_assert_eq!(recipe.update(&old, &delta, None, &run).unwrap(), recipe.fit(&(&data).into(), &run).unwrap());
        }
        for clock in [Clock::Baskets, Clock::Time] {
            let recipe = BuyAgainParams { clock, ..BuyAgainParams::default() }.check().unwrap();
            let old = recipe.fit(&(&base).into(), &run).unwrap();
            prop_assert_eq!(recipe.update(&old, &delta, None, &run).unwrap(), recipe.fit(&(&data).into(), &run).unwrap());
        }
    }
}

fn shop(events: u64) -> Dataset {
    let shop = SyntheticShop::new(ShopParams { events, ..ShopParams::default() }.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    builder.finish().unwrap()
}

fn models(data: &Dataset) -> Vec<Box<dyn Scorer>> {
    let time = Some(BasketDecay::Time { half_life: Span::days(3) });
    let kinds = KindSet::INTEREST;
    vec![
        Box::new(fit(PersonalFrequencyParams::default(), data)),
        Box::new(fit(
            PersonalFrequencyParams { others: Others::ByPopularity, recency: time, ..Default::default() },
            data,
        )),
        Box::new(fit(TifuKnnParams { neighbours: 20, ..Default::default() }, data)),
        Box::new(fit(TifuKnnParams { own: 0.0, ..Default::default() }, data)),
        Box::new(fit(UpCfParams { neighbours: 20, ..Default::default() }, data)),
        Box::new(fit(
            UpCfParams { compare: Compare::Items, locality: 100.0, asymmetry: 0.0, ..Default::default() },
            data,
        )),
        Box::new(fit(BuyAgainParams { kinds, ..Default::default() }, data)),
        Box::new(fit(BuyAgainParams { kinds, clock: Clock::Time, ..Default::default() }, data)),
    ]
}

#[test]
fn keep_the_laws() {
    check_params::<PersonalFrequencyParams>().unwrap();
    check_params::<TifuKnnParams>().unwrap();
    check_params::<UpCfParams>().unwrap();
    check_params::<BuyAgainParams>().unwrap();
    let data = shop(3_000);
    let shelf = Shelf::bare(&data);
    for model in models(&data) {
        check_scorer(&*model, &data, &shelf).unwrap();
    }
    let bad =
        PersonalFrequencyParams { recency: Some(BasketDecay::Baskets { half_life: f32::NAN }), ..Default::default() };
    assert_eq!(bad.check().unwrap_err().param, "recency.baskets.half_life");
    let bad =
        PersonalFrequencyParams { recency: Some(BasketDecay::Time { half_life: Span::ZERO }), ..Default::default() };
    assert_eq!(bad.check().unwrap_err().param, "recency.time.half_life");
    let bad = PersonalFrequencyParams { popular_within: Some(Span::ZERO), ..Default::default() };
    assert_eq!(bad.check().unwrap_err().param, "popular_within");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = shop(3_000);
    let run = Run::new(1).threads(Parallelism::Serial);
    let (tifu, up) = (Checked::<TifuKnnParams>::default(), Checked::<UpCfParams>::default());
    let (serial_tifu, serial_up) = (tifu.fit(&(&data).into(), &run).unwrap(), up.fit(&(&data).into(), &run).unwrap());
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| tifu.fit(&(&data).into(), &Run::default()).unwrap() == serial_tifu));
        assert!(pool.install(|| up.fit(&(&data).into(), &Run::default()).unwrap() == serial_up));
    }
}

#[test]
fn hostile_shops() {
    let empty = DatasetBuilder::default().finish().unwrap();
    let shelf = Shelf::bare(&empty);
    for model in models(&empty) {
        assert!(proposals(&*model, &Context::new(&empty, &shelf, day(1)), 10).is_empty());
        check_scorer(&*model, &empty, &shelf).unwrap();
    }
    // One item, bought by everybody again and again at one moment; and events of a kind nobody counts.
    let mut builder = DatasetBuilder::default();
    for user in ["ann", "bob", "ann", "ann"] {
        let who = Shopper::Profiled(consented(user));
        builder.push(&Event::new(who, "mug", EventKind::Purchase, day(1))).unwrap();
        builder.push(&Event::new(who, "tea", EventKind::Impression, day(1))).unwrap();
    }
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    for model in models(&data) {
        check_scorer(&*model, &data, &shelf).unwrap();
        let proposed = with_cx(&data, data.user("ann").unwrap(), |cx| proposals(&*model, cx, 1_000));
        let never_again = model.name() == "buy_again";
        assert_eq!(proposed, if never_again { vec![] } else { vec![data.item("mug").unwrap()] }, "{}", model.name());
    }
}
