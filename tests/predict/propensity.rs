//! Features, regression and calibration: by hand, against slow twins, on bad input.

use approx::assert_relative_eq;
use likewise::decide::predict::*;
use likewise::*;
use proptest::prelude::*;

use super::day;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn pooled_violators_rise_and_fit_no_worse_than_any_rising_pair(
        rows in prop::collection::vec((0u8..12, 0u8..2), 1..40),
        levels in (0.0f64..1.0, 0.0f64..1.0),
        cut in 0u8..12,
    ) {
        let p: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 11.0).collect();
        let labels: Vec<u8> = rows.iter().map(|r| r.1).collect();
        let map = Isotonic::fit(&p, &labels).unwrap();
        prop_assert!(map.steps().windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1 + 1e-12));
        prop_assert!((0..=100).map(|i| map.probability(f64::from(i) / 100.0)).collect::<Vec<_>>().is_sorted());
        // The pools have the least squares of all rising functions; try step functions with one cut.
        let (low, high) = (levels.0.min(levels.1), levels.0.max(levels.1));
        let square = |f: &dyn Fn(f64) -> f64| p.iter().zip(&labels).map(|(x, y)| (f(*x) - f64::from(*y)).powi(2)).sum::<f64>();
        let pooled = slow_isotonic(&p, &labels);
        let best: f64 = p.iter().zip(&labels).map(|(x, y)| (pooled(*x) - f64::from(*y)).powi(2)).sum();
        let other = square(&|x| if x < f64::from(cut) / 11.0 { low } else { high });
        prop_assert!(best <= other + 1e-9);
        // And they are those of the definition (max over starts of min over ends), but for the guard at 0 and 1.
        let guard = 1.0 / (p.len() as f64 + 2.0);
        let mut levels: Vec<f64> = p.iter().map(|x| pooled(*x).clamp(guard, 1.0 - guard)).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let mut steps: Vec<f64> = map.steps().iter().map(|s| s.1).collect();
        steps.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        prop_assert_eq!(levels.len(), steps.len());
        prop_assert!(levels.iter().zip(&steps).all(|(a, b)| (a - b).abs() < 1e-9));
    }
}

/// Isotonic regression by its min-max formula.
fn slow_isotonic<'a>(p: &'a [f64], labels: &'a [u8]) -> impl Fn(f64) -> f64 + 'a {
    move |x| {
        let mean = |from: f64, to: f64| {
            let inside = p.iter().zip(labels).filter(|(v, _)| (from..=to).contains(*v)).map(|(_, y)| f64::from(*y));
            let (sum, n) = inside.fold((0.0, 0.0), |(s, n), y| (s + y, n + 1.0));
            sum / n
        };
        let starts = p.iter().copied().filter(|v| *v <= x);
        let ends =
            |from| p.iter().copied().filter(|v| *v >= x).map(move |to| mean(from, to)).fold(f64::INFINITY, f64::min);
        starts.map(ends).fold(f64::NEG_INFINITY, f64::max)
    }
}

#[test]
fn features_do_not_look_past_their_moment() {
    let mut builder = DatasetBuilder::default();
    let mut push = |who: &str, item: &str, kind, d: i64| {
        let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, kind, day(d)).value(4.0)).unwrap();
    };
    push("ann", "tea", EventKind::Purchase, 0);
    push("ann", "tea", EventKind::Purchase, 10);
    push("ann", "mug", EventKind::View, 12);
    push("bob", "mug", EventKind::View, 5);
    let past = builder.build().unwrap();
    let mut push = |who: &str, item: &str, kind, d: i64| {
        let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, kind, day(d)).value(4.0)).unwrap();
    };
    push("ann", "pot", EventKind::Purchase, 25);
    push("bob", "pot", EventKind::Purchase, 60);
    push("eve", "pot", EventKind::Purchase, 21);
    let future = builder.build().unwrap();
    let params = ProfileParams::default().check().unwrap();
    let (now, month) = (day(20), Span::days(30));
    let set = Labelled::new(&past, &future, now, month, &params);
    assert_eq!(set, Labelled::new(&future, &future, now, month, &params), "later events and shoppers change nothing");
    assert_eq!(set.labels, [1, 0]);
    let ann: Vec<f64> = set.profiles.rows().next().unwrap().to_vec();
    let expected = [
        11f64.ln(),
        9f64.ln(),
        3f64.ln(),
        21f64.ln(),
        9f64.ln(),
        5f64.ln(),
        2f64.ln(),
        3f64.ln(),
        3f64.ln(),
        2f64.ln(),
        11f64.ln(),
        0.0,
        1.0,
        0.5,
    ];
    for ((name, got), expected) in Profiles::names().iter().zip(&ann).zip(expected) {
        assert_relative_eq!(*got, expected, epsilon = 1e-12);
        assert!(got.is_finite(), "{name}");
    }
    let bob = past.user("bob").unwrap();
    assert_eq!(Profiles::of(&past, bob, now, &params).unwrap(), set.profiles.rows().nth(1).unwrap());
    assert_eq!(Profiles::of(&past, bob, day(4), &params), None);
    assert_eq!(Profiles::of(&past, UserIdx::new(99), now, &params), None);
}

#[test]
fn features_and_labels_at_their_limits() {
    let mut builder = DatasetBuilder::default();
    let fay = Shopper::Profiled(Consented::new("fay", LawfulBasis::Contract));
    for (kind, d) in [
        (EventKind::View, 10),     // thirty days ago: still interest
        (EventKind::View, 9),      // and no more
        (EventKind::Purchase, 10), // the thirty-first day back: not of the last thirty
        (EventKind::Purchase, 11), // the thirtieth
        (EventKind::Purchase, 40), // now: past, not future
    ] {
        builder.push(&Event::new(fay, "tea", kind, day(d)).value(1.0)).unwrap();
    }
    let data = builder.build().unwrap();
    let params = ProfileParams::default().check().unwrap();
    let set = Labelled::new(&data, &data, day(40), Span::days(30), &params);
    let row = set.profiles.rows().next().unwrap();
    let of = |name: &str| row[Profiles::names().iter().position(|known| *known == name).unwrap()].exp_m1();
    assert_relative_eq!(of("purchase_days"), 3.0, epsilon = 1e-12);
    assert_relative_eq!(of("purchase_days_30"), 2.0, epsilon = 1e-12);
    assert_relative_eq!(of("purchase_days_90"), 3.0, epsilon = 1e-12);
    assert_relative_eq!(of("interest_30"), 1.0, epsilon = 1e-12);
    assert_eq!(set.labels, [0], "a purchase now is no later one");
    assert_eq!(Labelled::new(&data, &data, day(10), Span::days(1), &params).labels, [1], "the last moment counts");
}

#[test]
fn the_regression_is_the_one_gradient_descent_finds() {
    let rows: Vec<[f64; 2]> = (0..60).map(|i| [f64::from(i % 7), f64::from(i * i % 11)]).collect();
    let labels: Vec<u8> = (0..60).map(|i| u8::from((i * 5 + i * i / 3) % 7 > 3)).collect();
    let params = LogisticParams { l2: 0.7, ..LogisticParams::default() }.check().unwrap();
    let model = Logistic::fit(&params, rows.iter().map(|r| &r[..]), &labels).unwrap();
    // A slow twin: plain descent on the same standardised columns.
    let column = |c: usize| rows.iter().map(move |r| r[c]);
    let mean = |c: usize| column(c).sum::<f64>() / 60.0;
    let deviation = |c: usize| (column(c).map(|v| (v - mean(c)).powi(2)).sum::<f64>() / 60.0).sqrt();
    let z: Vec<[f64; 3]> =
        rows.iter().map(|r| [1.0, (r[0] - mean(0)) / deviation(0), (r[1] - mean(1)) / deviation(1)]).collect();
    let mut w = [0.0; 3];
    for _ in 0..20_000 {
        let mut slope = [0.0, 0.7 * w[1], 0.7 * w[2]];
        for (x, &y) in z.iter().zip(&labels) {
            let p = 1.0 / (1.0 + (-(w[0] * x[0] + w[1] * x[1] + w[2] * x[2])).exp());
            (0..3).for_each(|i| slope[i] += (p - f64::from(y)) * x[i]);
        }
        (0..3).for_each(|i| w[i] -= 0.02 * slope[i]);
    }
    assert_relative_eq!(model.intercept(), w[0], epsilon = 1e-7);
    for (c, own) in model.coefficients().iter().zip(&w[1..]) {
        assert_relative_eq!(c.by_deviation.value, *own, epsilon = 1e-7);
        assert!(c.by_deviation.low < c.by_deviation.value);
    }
}

#[test]
fn separable_constant_and_wrong_rows() {
    let params = LogisticParams::default().check().unwrap();
    let fit = |rows: &[Vec<f64>], labels: &[u8]| Logistic::fit(&params, rows.iter().map(|r| &r[..]), labels);
    let rows: Vec<Vec<f64>> = (0..30).map(|i| vec![f64::from(i), 7.0]).collect();
    let split: Vec<u8> = (0..30).map(|i| u8::from(i > 12)).collect();
    let model = fit(&rows, &split).unwrap();
    assert_eq!(model.separation(), Separation::Separable);
    let [slope, constant] = model.coefficients()[..] else { panic!() };
    assert!(slope.by_deviation.value.is_finite() && slope.by_deviation.value > 1.0);
    assert_eq!((constant.deviation, constant.by_unit), (0.0, 0.0), "zero variance: not used");
    let p = model.probability(&[1e300, 7.0]).unwrap();
    assert!((0.0..=1.0).contains(&p.value));
    assert!(matches!(fit(&rows, &[1; 30]), Err(PredictError::OneClass { rows: 30, label: 1 })));
    assert!(matches!(fit(&rows, &[1; 3]), Err(PredictError::Lengths { rows: 30, labels: 3 })));
    assert!(matches!(fit(&[], &[]), Err(PredictError::TooFew { .. })));
    assert!(matches!(fit(&[vec![1.0], vec![1.0, 2.0]], &[0, 1]), Err(PredictError::Columns { got: 2, expected: 1 })));
    assert!(matches!(fit(&[vec![1.0], vec![f64::NAN]], &[0, 1]), Err(PredictError::Row { row: 1, .. })));
    assert!(matches!(fit(&[vec![1.0], vec![2.0]], &[0, 2]), Err(PredictError::Row { row: 1, .. })));
    assert!(matches!(model.probability(&[1.0]), Err(PredictError::Columns { got: 1, expected: 2 })));
}

#[test]
fn calibration_by_hand() {
    // Predictions twice as sure as they should be: log-odds ±4 where ±ln 3 came (a quarter wrong).
    let sure = 1.0 / (1.0 + (-4f64).exp());
    let (mut p, mut labels) = (Vec::new(), Vec::new());
    for i in 0..4000 {
        let high = i % 2 == 0;
        p.push(if high { sure } else { 1.0 - sure });
        labels.push(u8::from(high == (i / 2 % 4 != 0)));
    }
    let platt = Platt::fit(&p, &labels).unwrap();
    assert_relative_eq!(platt.slope().value, 3f64.ln() / 4.0, max_relative = 2e-3);
    assert!(platt.slope().holds(3f64.ln() / 4.0) && !platt.slope().holds(1.0) && platt.shift().abs() < 1e-6);
    assert_relative_eq!(platt.probability(sure), 0.75, epsilon = 1e-3);
    let isotonic = Isotonic::fit(&p, &labels).unwrap();
    assert_relative_eq!(isotonic.probability(0.999), 0.75, epsilon = 1e-12);
    assert_relative_eq!(isotonic.probability(0.5), 0.5, epsilon = 1e-9);
    // Parts of one share are one step.
    let even = Isotonic::fit(&[0.1, 0.1, 0.3, 0.3], &[0, 1, 1, 0]).unwrap();
    assert_eq!(even.steps(), [(0.2, 0.5)]);
    let table = Reliability::new(&p, &labels, 10, 0.95).unwrap();
    assert_eq!(table.rows.iter().map(|r| r.rows).collect::<Vec<_>>(), [2000, 2000], "equal predictions are not parted");
    assert_relative_eq!(table.error, sure - 0.75, epsilon = 1e-9);

    let quality = Quality::of(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1], 0.95).unwrap();
    assert_relative_eq!(quality.auc.value, 0.75); // the example everybody quotes
    let brier = (0.01 + 0.16 + 0.65f64.powi(2) + 0.04) / 4.0;
    assert_relative_eq!(quality.brier.value, brier, epsilon = 1e-12);
    let loss = -(0.9f64.ln() + 0.6f64.ln() + 0.35f64.ln() + 0.8f64.ln()) / 4.0;
    assert_relative_eq!(quality.log_loss.value, loss, epsilon = 1e-12);
    assert_relative_eq!(quality.base_log_loss, 2f64.ln(), epsilon = 1e-12);
    // All the same label, all the same prediction, impossible things that came, nonsense.
    assert!(Quality::of(&[0.2, 0.3], &[1, 1], 0.95).unwrap().auc.value.is_nan());
    assert_relative_eq!(Quality::of(&[0.5; 4], &[0, 1, 0, 1], 0.95).unwrap().auc.value, 0.5);
    assert_eq!(Quality::of(&[0.0, 1.0], &[1, 1], 0.95).unwrap().log_loss.value, f64::INFINITY);
    assert!(Platt::fit(&[0.5; 9], &[1; 9]).unwrap().probability(0.5) > 0.8);
    assert!(Platt::fit(&[0.0, 1.0], &[0, 1]).unwrap().probability(1.0) <= 1.0);
    assert!(Platt::fit(&[1.5], &[1]).is_err() && Isotonic::fit(&[f64::NAN], &[1]).is_err());
    // One check for all four: a label of 2 is no yes.
    assert!(matches!(Quality::of(&[0.5; 2], &[0, 2], 0.95), Err(PredictError::Row { row: 1, what: "label", .. })));
    assert!(Reliability::new(&[0.5; 2], &[0, 2], 5, 0.95).is_err() && Platt::fit(&[0.5; 2], &[0, 2]).is_err());
    assert!(Reliability::new(&[], &[], 5, 0.95).is_err() && Quality::of(&[0.5], &[], 0.95).is_err());
}
