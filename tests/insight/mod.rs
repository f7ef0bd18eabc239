//! What the buyer is told: counts of published sets, slow twins, hand-computed goldens, bad input.

use std::collections::BTreeMap;

use approx::assert_relative_eq;
use likewise::decide::predict::PurchaseDays;
use likewise::insight::*;
use likewise::*;
use proptest::prelude::*;

mod baskets;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

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

    // By hand: intervals of 10, 30 and 90 days, and a silence of 20: 4 at risk, then 2, then 1.
    let data = shop(&[
        ("ann", "tea", EventKind::Purchase, 0),
        ("ann", "tea", EventKind::Purchase, 10),
        ("ann", "tea", EventKind::Purchase, 40),
        ("ann", "tea", EventKind::Purchase, 130),
    ]);
    let tea =
        |until| repeat_intervals(&data, &PurchaseDays::purchases(&data, day(until)), day(until), 1, 0.95).remove(0);
    let known = tea(150);
    assert_relative_eq!(known.quarter, 10.0); // 3/4
    assert_relative_eq!(known.median, 30.0); // 3/4 x 1/2
    assert_relative_eq!(known.within_90, 1.0, epsilon = 1e-12); // the ninetieth day is within
    // Two of four: half is half.
    let known = tea(131);
    assert_relative_eq!(known.median, 30.0); // 1 left at once: 2/3, 1/3
    let two = shop(&[("ann", "tea", EventKind::Purchase, 0), ("ann", "tea", EventKind::Purchase, 10)]);
    let known = repeat_intervals(&two, &PurchaseDays::purchases(&two, day(60)), day(60), 1, 0.95).remove(0);
    assert_relative_eq!(known.median, 10.0); // one of two
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
    // By hand, always the last value: four values before the test are enough, three are not; errors 1, 1, 1, 1, 2.
    let rising = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
    assert!(backtest(&rising, 2, 0.9).is_some() && backtest(&rising, 3, 0.9).is_none());
    let (_, forecast) = backtest(&rising, 2, 0.9).unwrap();
    assert_eq!(forecast.method, Forecaster::Naive);
    let spread = (8.0f64 / 5.0).sqrt() * 1.644_853_6;
    assert_relative_eq!(forecast.next.high, 7.0 + spread, max_relative = 1e-6);
    assert_relative_eq!(forecast.next.low, 7.0 - spread, max_relative = 1e-6);
    // 33 periods of 25 with a sale: an interval of 1.32 is intermittent; 32 are not.
    let sold = |periods: usize| (0..periods).map(|t| f64::from(u8::from(t < 25))).collect::<Vec<f64>>();
    assert_eq!([33, 32].map(|periods| pattern(&sold(periods))), [Pattern::Intermittent, Pattern::Smooth]);
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
    let least = |min_periods| DemandParams { test: 5, min_periods, ..DemandParams::default() }.check().unwrap();
    assert_eq!((demand(&data, day(210), &least(30)).len(), demand(&data, day(210), &least(31)).len()), (1, 0));
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
    // HC3 by hand, with Student's t of 38 degrees (2.024394): the price stands for itself, not for its logarithm.
    let (x, y): (Vec<f64>, Vec<f64>) = (0..40i64)
        .map(|week| {
            let price = [2.0f32, 2.5, 3.0, 3.5][week as usize % 4];
            let noise = 1.0 + 0.2 * (((week * 37) % 11) as f32 / 5.0 - 1.0);
            (f64::from(price).ln(), f64::from(1000.0 * price.powf(-2.0) * noise).ln())
        })
        .unzip();
    let (mx, my) = (x.iter().sum::<f64>() / 40.0, y.iter().sum::<f64>() / 40.0);
    let xx: f64 = x.iter().map(|x| (x - mx).powi(2)).sum();
    let slope = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / xx;
    let bent = |(x, y): (&f64, &f64)| {
        let leverage = 1.0 / 40.0 + (x - mx).powi(2) / xx;
        ((x - mx) * (y - my - slope * (x - mx)) / (1.0 - leverage)).powi(2)
    };
    let half = 2.024_394 * x.iter().zip(&y).map(bent).sum::<f64>().sqrt() / xx;
    assert_relative_eq!(elastic.elasticity, slope, max_relative = 1e-6);
    assert_relative_eq!(elastic.elasticity_high - elastic.elasticity, half, max_relative = 1e-5);
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
    // A touch at the very end of the time bears fruit.
    assert_eq!(fruitless_searches(&data, Span::ZERO, 1, 0.95)[0].fruitless, 19);
    // What was shown at the moment itself is before it; as often as allowed is still unseen.
    let shown = |since, most| unseen_items(&data, day(since), most).iter().map(|u| u.shown).collect::<Vec<_>>();
    assert_eq!((shown(1, 1), shown(0, 20), shown(0, 19)), (vec![0, 0, 1], vec![0, 0, 20], vec![0, 0]));
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
