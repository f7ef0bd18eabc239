//! What the buyer is told: counts of published sets, slow twins, hand-computed goldens, bad input.

use std::collections::BTreeMap;

use approx::assert_relative_eq;
use likewise::decide::predict::PurchaseDays;
use likewise::insight::*;
use likewise::*;
use proptest::prelude::*;

fn day(d: i64) -> Timestamp {
    Timestamp::from_secs(d * 86_400)
}

fn shop(events: &[(&str, &str, EventKind, i64)]) -> Dataset {
    let mut builder = DatasetBuilder::default();
    for &(who, item, kind, d) in events {
        let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, kind, day(d)).value(2.0)).unwrap();
    }
    builder.finish().unwrap()
}

#[cfg(feature = "gzip")]
fn groceries() -> Option<Baskets> {
    use std::io::Read;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/groceries/groceries.csv.gz");
    let Ok(file) = std::fs::File::open(path) else {
        println!("SKIPPED: {path} is not there");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(Baskets::from_sets(text.lines().map(|line| line.split(',').map(str::trim).filter(|item| !item.is_empty()))))
}

#[test]
#[cfg(feature = "gzip")]
fn the_rules_of_the_groceries_are_those_of_arules() {
    let Some(baskets) = groceries() else { return };
    assert_eq!((baskets.len(), baskets.counts().len()), (9835, 169));
    let rules = |min_support, min_confidence| {
        let params = BasketRulesParams { min_support, min_confidence, ..BasketRulesParams::default() };
        baskets.rules(&params.check().unwrap())
    };
    let (strict, wide) = (rules(0.001, 0.8), rules(0.006, 0.25));
    assert_eq!((strict.len(), wide.len()), (410, 463));
    // The rules everybody quotes (Hahsler et al.): liquor and wine for beer, lift 11.24, confidence .905 of 19 baskets.
    let liquor =
        strict.iter().find(|r| r.right == "bottled beer" && r.left_items == 2 && r.left.contains("liquor")).unwrap();
    assert_eq!(liquor.both, 19);
    assert_relative_eq!(liquor.confidence, 0.9047619, epsilon = 1e-6);
    assert_relative_eq!(liquor.lift, 11.235269, epsilon = 1e-5);
    let herbs = wide.iter().find(|r| r.left == "herbs" && r.right == "root vegetables").unwrap();
    assert_relative_eq!(herbs.support, 0.007015760, epsilon = 1e-8);
    assert_relative_eq!(herbs.confidence, 0.43125, epsilon = 1e-8);
    assert_relative_eq!(herbs.lift, 3.956477, epsilon = 1e-5);
    assert_eq!(wide[0].left, "herbs", "the highest lift first");
    // With one item allowed, `{} => whole milk` joins at .25 (25.55 % of all baskets).
    let params =
        BasketRulesParams { min_support: 0.006, min_confidence: 0.25, min_items: 1, ..BasketRulesParams::default() };
    assert_eq!(baskets.rules(&params.check().unwrap()).len(), 464);
    // The pair everybody quotes: 736 baskets, lift 1.5136.
    let pairs = baskets.affinity(&AffinityPairsParams::default().check().unwrap());
    let milk = pairs.iter().find(|p| {
        [&p.a[..], &p.b] == ["other vegetables", "whole milk"] || [&p.b[..], &p.a] == ["other vegetables", "whole milk"]
    });
    let milk = milk.unwrap();
    assert_eq!(milk.both, 736);
    assert_relative_eq!(milk.lift, 1.5136, epsilon = 1e-4);
    assert!(milk.lift_low > 1.4 && milk.lift_high < 1.65 && milk.p_value < 1e-30);
}

/// Every set of items, counted in every basket.
fn slow_sets(baskets: &[Vec<u8>], least: u32, longest: usize) -> BTreeMap<Vec<String>, u32> {
    let mut out = BTreeMap::new();
    for mask in 1u32..1 << 7 {
        let set: Vec<u8> = (0..7).filter(|i| mask >> i & 1 == 1).collect();
        let count = baskets.iter().filter(|basket| set.iter().all(|item| basket.contains(item))).count() as u32;
        if set.len() <= longest && count >= least {
            out.insert(set.iter().map(|i| NAMES[*i as usize].to_owned()).collect(), count);
        }
    }
    out
}

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn fp_growth_finds_what_enumeration_finds(
        sets in prop::collection::vec(prop::collection::vec(0u8..7, 0..7), 0..25),
        least in 1u32..6,
        longest in 1usize..8,
        confidence in 0.0f64..1.0,
    ) {
        let baskets = Baskets::from_sets(sets.iter().map(|set| set.iter().map(|i| NAMES[*i as usize])));
        let full: Vec<Vec<u8>> = sets.into_iter().filter(|set| !set.is_empty()).collect();
        prop_assert_eq!(baskets.len(), full.len());
        let found: Vec<(Vec<String>, u32)> = baskets.frequent_sets(least, longest).into_iter().map(|(set, count)| {
            let mut names: Vec<String> = set.into_iter().map(|item| baskets.key(item).to_owned()).collect();
            names.sort();
            (names, count)
        }).collect();
        let slow = slow_sets(&full, least, longest);
        prop_assert_eq!(found.len(), slow.len(), "each once");
        prop_assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), slow.clone());

        // Rules: every set, every right side, by definition.
        if !full.is_empty() {
            let n = full.len() as f64;
            let params = BasketRulesParams {
                min_support: (f64::from(least) - 0.5) / n, min_confidence: confidence, max_items: longest as u32,
                ..BasketRulesParams::default()
            };
            prop_assume!(params.min_support <= 1.0);
            let rules = baskets.rules(&params.check().unwrap());
            let everything = slow_sets(&full, 1, 7);
            let mut expected = 0;
            for (set, both) in slow.iter().filter(|(set, _)| set.len() > 1) {
                for right in set {
                    let left: Vec<String> = set.iter().filter(|i| *i != right).cloned().collect();
                    expected += usize::from(f64::from(*both) / f64::from(everything[&left]) >= confidence);
                }
            }
            prop_assert_eq!(rules.len(), expected);
            for rule in &rules {
                prop_assert!(rule.confidence_low <= rule.confidence && rule.confidence <= rule.confidence_high);
                prop_assert!(rule.lift_low <= rule.lift && rule.lift <= rule.lift_high);
            }
        }
    }

    #[test]
    fn pairs_are_counted_as_loops_count(
        sets in prop::collection::vec(prop::collection::vec(0u8..7, 0..7), 1..25),
        least in 1u32..5,
    ) {
        let baskets = Baskets::from_sets(sets.iter().map(|set| set.iter().map(|i| NAMES[*i as usize])));
        let params = AffinityPairsParams { min_count: least, ..AffinityPairsParams::default() };
        let pairs = baskets.affinity(&params.check().unwrap());
        let full: Vec<Vec<u8>> = sets.into_iter().filter(|set| !set.is_empty()).collect();
        let slow = slow_sets(&full, least, 2);
        prop_assert_eq!(pairs.len(), slow.keys().filter(|set| set.len() == 2).count());
        for pair in &pairs {
            let mut key = vec![pair.a.clone(), pair.b.clone()];
            key.sort();
            prop_assert_eq!(slow[&key], pair.both);
            prop_assert!(pair.support_low <= pair.support && pair.support <= pair.support_high);
            prop_assert!(pair.lift_low <= pair.lift && pair.lift <= pair.lift_high && pair.lift_low > 0.0);
            prop_assert!((0.0..=1.0).contains(&pair.p_value) && pair.llr.is_finite());
            prop_assert_eq!(pair.llr < 0.0, pair.lift < 1.0 && pair.llr != 0.0);
        }
        prop_assert!(pairs.is_sorted_by(|a, b| a.llr >= b.llr));
    }

    #[test]
    fn forecasts_use_nothing_later(
        series in prop::collection::vec(prop_oneof![3 => Just(0.0f64), 2 => 0.0f64..50.0], 1..40),
        other in prop::collection::vec(0.0f64..50.0, 0..10),
        alpha in 0.0f64..1.0,
    ) {
        for method in Forecaster::ALL {
            let path = method.path(&series, alpha);
            let mut longer = series.clone();
            longer.extend(&other);
            prop_assert_eq!(&method.path(&longer, alpha)[..series.len()], &path[..]);
            prop_assert!(path.iter().all(|f| f.is_finite() && *f >= 0.0));
            let most = series.iter().copied().fold(0.0, f64::max);
            prop_assert!(path.iter().all(|f| *f <= most + 1e-9));
        }
    }
}

#[test]
fn a_pair_by_hand() {
    // 100 baskets: 10 both, 20 with a, 30 with b. Lift 10 * 100 / 600; the rest by a calculator.
    let set = |i: u32| match i {
        0..10 => vec!["a", "b"],
        10..20 => vec!["a"],
        20..40 => vec!["b"],
        _ => vec!["c"],
    };
    let baskets = Baskets::from_sets((0..100).map(set));
    let pairs = baskets.affinity(&AffinityPairsParams::default().check().unwrap());
    let [pair] = &pairs[..] else { panic!("{pairs:?}") };
    assert_eq!((pair.both, pair.with_a, pair.with_b), (10, 20, 30));
    assert_relative_eq!(pair.lift, 5.0 / 3.0, max_relative = 1e-12);
    let g2 = 2.0
        * (10.0 * (5f64 / 3.0).ln()
            + 10.0 * (10.0 / 14.0f64).ln()
            + 20.0 * (20.0 / 24.0f64).ln()
            + 60.0 * (60.0 / 56.0f64).ln());
    assert_relative_eq!(pair.llr, g2, max_relative = 1e-12);
    // var ln lift = 10 (1/10 - 1/20 - 1/30)^2 + 10/400 + 20/900 - 1/100
    let variance: f64 = 10.0 * (0.1 - 0.05 - 1.0 / 30.0f64).powi(2) + 0.025 + 20.0 / 900.0 - 0.01;
    assert_relative_eq!(pair.lift_high / pair.lift, (1.959964 * variance.sqrt()).exp(), max_relative = 1e-6);
    // Wilson's interval for 10 of 20: (.2993, .7007).
    assert_relative_eq!(pair.confidence_a_to_b_low, 0.2993, epsilon = 1e-4);
    assert_relative_eq!(pair.confidence_a_to_b_high, 0.7007, epsilon = 1e-4);
}

#[test]
fn the_interval_of_the_lift_holds_what_it_promises() {
    // Independent items bought with .3 and .2: the true lift is 1.
    let mut state = 7_u64;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let params = AffinityPairsParams { min_count: 1, ..AffinityPairsParams::default() }.check().unwrap();
    let mut held = 0;
    for _ in 0..1000 {
        let sets: Vec<Vec<&str>> = (0..300)
            .map(|_| {
                [("a", 0.3), ("b", 0.2), ("c", 1.0)].iter().filter(|(_, p)| unit() < *p).map(|(i, _)| *i).collect()
            })
            .collect();
        let pairs = Baskets::from_sets(sets).affinity(&params);
        let pair =
            pairs.iter().find(|p| [&p.a[..], &p.b[..]] == ["a", "b"] || [&p.a[..], &p.b[..]] == ["b", "a"]).unwrap();
        held += u32::from(pair.lift_low <= 1.0 && 1.0 <= pair.lift_high);
    }
    assert!((930..=970).contains(&held), "{held} of 1000 at .95");
}

#[test]
fn substitutes_are_compared_and_complements_are_bought_together() {
    let mut events = Vec::new();
    let ids: Vec<String> = (0..400).map(|i| format!("s{i}")).collect();
    for (i, who) in ids.iter().enumerate() {
        let d = i as i64;
        if i < 120 {
            // Compares two pans and takes one.
            events.push((who.as_str(), "pan1", EventKind::View, d));
            events.push((who.as_str(), "pan2", EventKind::View, d));
            events.push((who.as_str(), if i % 2 == 0 { "pan1" } else { "pan2" }, EventKind::Purchase, d));
        } else if i < 240 {
            events.push((who.as_str(), "tea", EventKind::Purchase, d));
            events.push((who.as_str(), "mug", EventKind::Purchase, d));
        } else {
            events.push((who.as_str(), "saw", EventKind::View, d));
            events.push((who.as_str(), "saw", EventKind::Purchase, d));
        }
    }
    let data = shop(&events);
    let viewed = Baskets::of(&data, KindSet::of(&[EventKind::View]), BasketUnit::Session);
    let bought = Baskets::of(&data, KindSet::of(&[EventKind::Purchase]), BasketUnit::Session);
    let rows = relations(&viewed, &bought, &RelationParams::default().check().unwrap());
    let of = |a: &str, b: &str| rows.iter().find(|r| (r.a == a && r.b == b) || (r.a == b && r.b == a)).unwrap();
    assert_eq!(of("pan1", "pan2").relation, Relation::Substitute);
    assert_eq!((of("pan1", "pan2").viewed_together, of("pan1", "pan2").bought_together), (120, 0));
    assert_eq!(of("tea", "mug").relation, Relation::Complement);
    assert!(of("tea", "mug").view_lift.is_nan() && rows.len() == 2);
    assert!(
        relations(&Baskets::default(), &Baskets::default(), &RelationParams::default().check().unwrap()).is_empty()
    );
}

#[test]
fn repeat_intervals_count_silence() {
    let mut events = Vec::new();
    let ids: Vec<String> = (0..40).map(|i| format!("s{i}")).collect();
    for (i, who) in ids.iter().enumerate() {
        events.push((who.as_str(), "soap", EventKind::Purchase, 0));
        if i % 4 == 0 {
            events.push((who.as_str(), "soap", EventKind::Purchase, 20 + i as i64 / 4));
        }
    }
    events.push(("eve", "pan", EventKind::Purchase, 5));
    let data = shop(&events);
    let until = day(100);
    let rows = repeat_intervals(&data, &PurchaseDays::purchases(&data, until), until, 1, 0.95);
    let [soap, pan] = &rows[..] else { panic!() };
    assert_eq!((soap.purchases, soap.followed, soap.censored), (50, 10, 40));
    assert_relative_eq!(soap.ended_median, 24.5);
    // 10 of 50 were followed: there is no median, and the ended ones alone would have said 24.5 days.
    assert!(soap.median.is_nan() && soap.quarter.is_nan(), "{soap:?}");
    assert!(soap.within_90_low < soap.within_90 && soap.within_90 < soap.within_90_high);
    assert!((soap.within_90 - 0.2).abs() < 0.01, "{}", soap.within_90);
    assert_eq!((pan.followed, pan.censored, pan.within_90), (0, 1, 0.0));
    assert!(pan.ended_median.is_nan());
}

#[test]
fn forecasters_by_hand() {
    let y = [0.0, 0.0, 6.0, 0.0, 3.0, 0.0];
    // Croston at .5: size 6, interval 3; then size 4.5, interval 2.5.
    assert_eq!(Forecaster::Croston.path(&y, 0.5), [0.0, 0.0, 2.0, 2.0, 1.8, 1.8]);
    assert_eq!(Forecaster::Sba.path(&y, 0.5), [0.0, 0.0, 1.5, 1.5, 1.35, 1.35]);
    // TSB at .5: the first demand came in the third period, so 1/3; then 1/6, 7/12, 7/24; sizes 6, 6, 4.5, 4.5.
    let tsb = Forecaster::Tsb.path(&y, 0.5);
    for (got, expected) in tsb.iter().zip([0.0, 0.0, 2.0, 1.0, 2.625, 1.3125]) {
        assert_relative_eq!(*got, expected, epsilon = 1e-12);
    }
    assert_eq!(Forecaster::Smoothing.path(&[4.0, 0.0, 2.0], 0.5), [4.0, 2.0, 2.0]);
    assert_eq!(Forecaster::Naive.path(&[4.0, f64::NAN, -2.0], 0.5), [4.0, 0.0, 0.0]);
    let patterns = [
        &[5.0; 8][..],
        &[1.0, 30.0, 1.0, 1.0, 40.0],
        &[0.0, 4.0, 0.0, 4.0],
        &[0.0, 1.0, 0.0, 50.0, 0.0, 1.0],
        &[0.0; 4],
    ];
    let expected = [Pattern::Smooth, Pattern::Erratic, Pattern::Intermittent, Pattern::Lumpy, Pattern::None];
    assert_eq!(patterns.map(pattern), expected);

    // A steady level with noise: smoothing beats the last value, and the chosen method is not worse than naive.
    let noisy: Vec<f64> = (0..60).map(|i| 20.0 + f64::from((i * i * 7 + 3 * i) % 11) - 5.0).collect();
    let (rows, forecast) = backtest(&noisy, 12, 0.9).unwrap();
    let mase = |m: Forecaster| rows.iter().find(|r| r.method == m).unwrap().mase;
    assert!(mase(Forecaster::Smoothing) < mase(Forecaster::Naive));
    assert!(forecast.next.low < 20.0 && 20.0 < forecast.next.high && forecast.method != Forecaster::Naive);
    assert!(backtest(&[1.0, 2.0, 3.0], 12, 0.9).is_none() && backtest(&[], 0, 0.9).is_none());
    // No movement before the test: nothing to scale by.
    assert!(backtest(&[3.0; 30], 5, 0.9).unwrap().0.iter().all(|r| r.mase.is_nan() && r.mae <= 0.3));
}

#[test]
fn demand_is_cut_into_periods_that_end_now() {
    let mut events = vec![("ann", "tea", EventKind::Purchase, 0)];
    events.extend((1..=30).map(|week| ("ann", "tea", EventKind::Purchase, 7 * week)));
    events.push(("bob", "new", EventKind::Purchase, 200));
    let data = shop(&events);
    let params = DemandParams { test: 5, ..DemandParams::default() }.check().unwrap();
    let tea = series(&data, data.item("tea").unwrap(), day(210), &params);
    assert_eq!(tea, vec![1.0; 31]);
    let rows = demand(&data, day(210), &params);
    let [tea] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((tea.periods, tea.units, tea.pattern, tea.next), (30, 30.0, Pattern::Smooth, 1.0));
    assert!(demand(&data, day(-1), &params).is_empty());
    assert!(demand(&shop(&[]), day(0), &params).is_empty());
}

#[test]
fn planted_elasticity_is_found_and_too_little_is_said() {
    let mut builder = DatasetBuilder::default();
    let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    let mut sell = |item: &str, week: i64, price: f32, units: f32| {
        let event = Event::new(who, item, EventKind::Purchase, day(7 * week)).value(price).quantity(units);
        builder.push(&event).unwrap();
    };
    for week in 0..40 {
        let price = [2.0, 2.5, 3.0, 3.5][week as usize % 4];
        let noise = 1.0 + 0.2 * (((week * 37) % 11) as f32 / 5.0 - 1.0);
        sell("elastic", week, price, 1000.0 * price.powf(-2.0) * noise);
        sell("flat", week, 2.0, 5.0 + (week % 3) as f32);
        sell("free", week, 0.0, 5.0);
    }
    sell("rare", 3, 2.0, 1.0);
    let data = builder.finish().unwrap();
    let rows = price_response(&data, data.as_of(), &PriceParams::default().check().unwrap());
    let of = |item: &str| rows.iter().find(|r| r.item == item);
    let elastic = of("elastic").unwrap();
    assert_eq!((elastic.verdict, elastic.prices), (PriceVerdict::Falls, 4));
    assert!(
        (elastic.elasticity + 2.0).abs() < 0.3 && elastic.elasticity_low < -2.0 && elastic.elasticity_high > -2.0,
        "{elastic:?}"
    );
    assert_eq!(of("flat").unwrap().verdict, PriceVerdict::TooFewPrices);
    assert_eq!(of("rare").unwrap().verdict, PriceVerdict::TooFewPeriods);
    assert!(of("rare").unwrap().elasticity.is_nan() && of("free").is_none(), "no price, no row");
}

#[test]
fn views_searches_and_items_that_lead_nowhere() {
    let mut builder = DatasetBuilder::default();
    builder.items(["tea", "mug", "pan", "attic"]).unwrap();
    let mut push = |who: &str, item: &str, kind, d: i64, query: Option<&str>| {
        let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
        let mut event = Event::new(who, item, kind, day(d));
        event.query = query;
        builder.push(&event).unwrap();
    };
    for i in 0..20 {
        let who = format!("s{i}");
        push(&who, "tea", EventKind::View, 1, None);
        if i % 2 == 0 {
            push(&who, "tea", EventKind::Purchase, 2, None);
        }
        push(&who, "mug", EventKind::View, 5, None);
        push(&who, "pan", EventKind::Purchase, 3, None); // bought unseen
        push(&who, "", EventKind::Search, 10, Some("Blue  Umbrella "));
    }
    push("s1", "tea", EventKind::View, 10, None); // at once after the search
    let data = builder.finish().unwrap();
    let views = unbought_views(&data, 1, 0.95);
    assert_eq!(
        views.iter().map(|v| (&v.item[..], v.viewers, v.buyers)).collect::<Vec<_>>(),
        [("mug", 20, 0), ("tea", 20, 10)]
    );
    assert_eq!((views[0].conversion_low, views[0].missing_buyers), (0.0, 5.0));
    assert!(views[0].conversion_high > 0.1);
    let searches = fruitless_searches(&data, Span::hours(1), 1, 0.95);
    let [search] = &searches[..] else { panic!() };
    assert_eq!((&search.query[..], search.searches, search.shoppers, search.fruitless), ("blue umbrella", 20, 20, 19));
    let unseen = unseen_items(&data, day(0), 0);
    assert_eq!(
        unseen.iter().map(|u| (&u.item[..], u.shown, u.bought)).collect::<Vec<_>>(),
        [("pan", 0, 20), ("attic", 0, 0)]
    );
    let empty = shop(&[]);
    assert!(unbought_views(&empty, 0, 0.95).is_empty() && unseen_items(&empty, day(0), 9).is_empty());
    assert!(fruitless_searches(&empty, Span::ZERO, 0, 0.95).is_empty());
}

#[test]
#[cfg(all(feature = "csv", feature = "json"))]
fn every_report_is_a_file() {
    let data = shop(&[
        ("ann", "tea", EventKind::View, 0),
        ("ann", "tea", EventKind::Purchase, 1),
        ("ann", "a \"mug\", blue", EventKind::Purchase, 1),
        ("ann", "tea", EventKind::Purchase, 30),
    ]);
    let bought = Baskets::of(&data, KindSet::of(&[EventKind::Purchase]), BasketUnit::Shopper);
    let pairs =
        bought.affinity(&AffinityPairsParams { min_count: 1, ..AffinityPairsParams::default() }.check().unwrap());
    let rules = bought.rules(&BasketRulesParams::default().check().unwrap());
    let repeats = repeat_intervals(&data, &PurchaseDays::purchases(&data, day(40)), day(40), 1, 0.95);
    let prices = price_response(&data, day(40), &PriceParams::default().check().unwrap());
    let related =
        relations(&bought, &bought, &RelationParams { min_count: 1, ..RelationParams::default() }.check().unwrap());
    fn both<T: serde::Serialize>(rows: &[T], lines: usize) {
        let (mut csv, mut json) = (Vec::new(), Vec::new());
        write_csv(rows, &mut csv).unwrap();
        write_json(rows, &mut json).unwrap();
        let text = String::from_utf8(csv).unwrap();
        assert_eq!(text.lines().count(), if lines > 0 { lines + 1 } else { 0 }, "{text}");
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(read.as_array().unwrap().len(), lines);
    }
    both(&pairs, 1);
    both(&rules, 2);
    both(&repeats, 2);
    both(&prices, 2);
    both(&related, 1);
    both(&unbought_views(&data, 1, 0.95), 1);
    both(&unseen_items(&data, day(0), 5), 2);
    both::<UnseenItem>(&[], 0);
    // What is not flat, and a writer that refuses, are errors that say so.
    #[derive(serde::Serialize)]
    struct Nested {
        inner: BTreeMap<u8, u8>,
    }
    let nested = Nested { inner: BTreeMap::from([(1, 2)]) };
    assert!(matches!(write_csv([nested], Vec::new()), Err(ExportError::Row { format: "CSV", .. })));
    let mut full: [u8; 4] = [0; 4];
    assert!(matches!(write_json(&repeats, &mut full[..]), Err(ExportError::Io(_))));
    assert!(matches!(write_csv(&repeats, &mut full[..]), Err(ExportError::Io(_))));
}

#[test]
#[cfg(feature = "testing")]
fn the_parameter_tables_hold() {
    use likewise::testing::check_params;
    check_params::<AffinityPairsParams>().unwrap();
    check_params::<BasketRulesParams>().unwrap();
    check_params::<RelationParams>().unwrap();
    check_params::<DemandParams>().unwrap();
    check_params::<PriceParams>().unwrap();
}
