//! Repeat purchases, spend, timing and propensity: published figures, hand-computed ones, slow twins, bad input.

use approx::assert_relative_eq;
use likewise::decide::predict::*;
use likewise::*;
use proptest::prelude::*;

fn day(d: i64) -> Timestamp {
    Timestamp::from_secs(d * 86_400)
}

/// Days since the epoch of a `19970101`, by counting.
fn civil(text: &str) -> i64 {
    let number: i64 = text.parse().unwrap();
    let (y, m, d) = (number / 10_000, number / 100 % 100, number % 100);
    let leap = |y: i64| y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    let months = [31, if leap(y) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    (1970..y).map(|y| if leap(y) { 366 } else { 365 }).sum::<i64>() + months[..m as usize - 1].iter().sum::<i64>() + d
        - 1
}

/// The CDNOW sample: customer, day, dollars.
#[cfg(feature = "gzip")]
fn cdnow() -> Option<PurchaseLog> {
    use std::io::Read;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/cdnow/CDNOW_sample.txt.gz");
    let Ok(file) = std::fs::File::open(path) else {
        println!("SKIPPED: {path} is not there");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let rows = text.lines().map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields[1], day(civil(fields[2])), fields[4].parse().unwrap())
    });
    Some(PurchaseLog::from_rows(rows, SummaryParams::default().check().unwrap()).unwrap())
}

#[test]
#[cfg(feature = "gzip")]
fn the_published_figures_of_cdnow() {
    let Some(log) = cdnow() else { return };
    let (until, end) = (day(civil("19970930")), day(civil("19980630")));
    let known = log.summaries(until);
    let customers: Vec<CustomerSummary> = known.iter().map(|(_, c)| *c).collect();
    assert_eq!((customers.len(), customers.iter().filter(|c| c.frequency > 0).count()), (2357, 946));
    let model = BgNbd::fit(&BgNbdParams::default().check().unwrap(), &customers).unwrap();
    for (got, published, digits) in [
        (model.r(), 0.243, 0.2426),
        (model.alpha(), 4.414, 4.4136),
        (model.a(), 0.793, 0.7929),
        (model.b(), 2.426, 2.4259),
    ] {
        assert_relative_eq!(got.value, published, max_relative = 0.01);
        assert_relative_eq!(got.value, digits, max_relative = 1e-3);
        assert!(got.low < got.value && got.value < got.high && got.holds(published));
    }
    assert_relative_eq!(model.log_likelihood(), -9582.4292, epsilon = 1e-3);
    // The standard errors follow from the curvature; those of b are wide: .7 on 2.4.
    assert!(model.b().high - model.b().low > 1.5 && model.r().high - model.r().low < 0.06);

    // The paper's example: customer 1516's 1.226 expected purchases in the next 39 weeks.
    let (x, recency, age) = (2, 30.43, 38.86);
    let published = BgNbd::known(0.243, 4.414, 0.793, 2.426).unwrap();
    assert_relative_eq!(published.expected(&CustomerSummary::new(x, recency, age, 0.0), 39.0), 1.226, epsilon = 2e-3);

    let later: Vec<(CustomerSummary, u32)> = known.iter().map(|&(c, s)| (s, log.purchases(c, until, end))).collect();
    let table = model.calibration(&later, log.units(until, end), 7);
    assert_eq!((log.units(until, end), table.actual), (39.0, 1882));
    assert_relative_eq!(table.expected, 1653.4087, epsilon = 0.05);
    assert_relative_eq!(table.rmse, 1.6080, epsilon = 1e-3);
    assert_relative_eq!(table.mae, 0.7855, epsilon = 1e-3);
    assert_eq!(table.rows.iter().map(|r| r.customers).sum::<usize>(), 2357);

    let spend = GammaGamma::fit(&GammaGammaParams::default().check().unwrap(), &customers).unwrap();
    assert_eq!((spend.customers(), spend.left_out()), (946, 2357 - 946));
    for (got, published) in [(spend.p(), 6.25), (spend.q(), 3.74), (spend.v(), 15.44)] {
        assert_relative_eq!(got.value, published, max_relative = 2e-3);
        assert!(got.low < got.value && got.value < got.high);
    }
    assert_relative_eq!(spend.correlation(), 0.11, epsilon = 5e-3); // published, with the other figures
    let worth = lifetime_value(&model, &spend, &customers[0], &LifetimeParams::default().check().unwrap()).unwrap();
    assert!(0.0 < worth.low && worth.low < worth.value && worth.value < worth.high);
}

#[test]
fn summaries_by_hand() {
    // Two on one day are one; a return counts against the purchase before it; times before 1970 work.
    let rows = [
        ("ann", day(-3), 10.0),
        ("ann", day(4), 20.0),
        ("ann", day(4), 4.0),
        ("ann", day(5), -6.0),
        ("ann", day(11), 12.0),
        ("bob", day(1), -5.0),
        ("cy", day(9), 3.0),
        ("cy", day(10), -3.0),
    ];
    let log = PurchaseLog::from_rows(rows, SummaryParams::default().check().unwrap()).unwrap();
    assert_eq!((log.len(), log.unmatched_returns(), log.find("bob")), (2, 1, None));
    assert_eq!(log.summary(0, day(11)), Some(CustomerSummary::new(2, 2.0, 2.0, (24.0 - 6.0 + 12.0) / 2.0)));
    // As of the 4th the return has not happened: nothing after a moment is looked at.
    assert_eq!(log.summary(0, day(4)), Some(CustomerSummary::new(1, 1.0, 1.0, 24.0)));
    assert_eq!(log.summary(0, day(-4)), None);
    assert_eq!(log.summary(1, day(30)), Some(CustomerSummary::new(0, 0.0, 3.0, 0.0)));
    assert_eq!((log.purchases(0, day(-3), day(30)), log.purchases(1, day(9), day(30))), (2, 0));
    assert_eq!((log.summary(7, day(1)), log.purchases(7, day(0), day(9)), log.id(7)), (None, 0, ""));
    let params = SummaryParams::default().check().unwrap();
    let error = PurchaseLog::from_rows([("a", day(0), f64::NAN)], params).unwrap_err();
    assert!(matches!(error, PredictError::Row { row: 0, what: "spend", .. }), "{error}");
}

#[test]
fn summaries_of_a_dataset_are_those_of_its_rows() {
    let mut builder = DatasetBuilder::default();
    let rows = [("ann", "tea", 0, 3.0, 2.0), ("ann", "mug", 7, 5.0, 1.0), ("bob", "tea", 3, 3.0, 1.0)];
    for (who, item, d, price, units) in rows {
        let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, EventKind::Purchase, day(d)).value(price).quantity(units)).unwrap();
        builder.push(&Event::new(who, item, EventKind::View, day(d + 1))).unwrap();
    }
    let data = builder.finish().unwrap();
    let params = SummaryParams::default().check().unwrap();
    let of_data = PurchaseLog::of(&data, params.clone());
    let rows = rows.map(|(who, _, d, price, units)| (who, day(d), f64::from(price) * f64::from(units)));
    let of_rows = PurchaseLog::from_rows(rows, params).unwrap();
    for until in 0..12 {
        assert_eq!(of_data.summaries(day(until)), of_rows.summaries(day(until)));
    }
}

/// Expected purchases by integrating over the probability of leaving: for a given one, a customer whose rate is
/// Gamma(r + x, alpha + T) buys `(1 - (1 + p h / (alpha + T))^-(r + x)) / p` times while there.
fn expected_by_integration(law: [f64; 4], c: &CustomerSummary, h: f64) -> f64 {
    let [r, alpha, a, b] = law;
    let (x, n) = (f64::from(c.frequency), 200_000);
    let (shape, rate, b) = (r + x, alpha + c.age, b + x);
    // Below a = 1, p = u^(1/a) flattens the density's pole at 0; the weights are summed the same way, so that
    // constants cancel.
    let bend = a.min(1.0);
    let (mut sum, mut total) = (0.0, 0.0);
    for i in 0..n {
        let u = (f64::from(i) + 0.5) / f64::from(n);
        let p = u.powf(1.0 / bend);
        let weight = p.powf(a - bend) * (1.0 - p).powf(b - 1.0);
        sum += weight * -(-shape * (p * h / rate).ln_1p()).exp_m1() / p;
        total += weight;
    }
    let gone = if x > 0.0 { a / (b - 1.0) * ((alpha + c.age) / (alpha + c.recency)).powf(shape) } else { 0.0 };
    sum / total / (1.0 + gone)
}

#[test]
fn the_hypergeometric_form_is_the_integral() {
    for law in [[0.243, 4.414, 0.793, 2.426], [1.5, 10.0, 1.0, 3.0], [0.6, 3.0, 2.4, 1.7], [5.0, 20.0, 0.3, 1.2]] {
        let model = BgNbd::known(law[0], law[1], law[2], law[3]).unwrap();
        for c in [(0, 0.0, 30.0), (1, 10.0, 30.0), (7, 29.0, 30.0), (40, 38.0, 39.0), (3, 2.0, 300.0)] {
            let c = CustomerSummary::new(c.0, c.1, c.2, 0.0);
            for h in [0.5, 39.0, 400.0] {
                let slow = expected_by_integration(law, &c, h);
                assert_relative_eq!(model.expected(&c, h), slow, max_relative = 2e-7);
                let counts = model.counts(&c, h);
                assert!((0.99..=1.000_001).contains(&counts.iter().sum::<f64>()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn forecasts_are_sane(
        law in prop::array::uniform4(0.05f64..20.0),
        (x, age, share) in (0u32..60, 0.01f64..200.0, 0.0f64..1.0),
        h in 0.01f64..100.0,
    ) {
        let model = BgNbd::known(law[0], law[1], law[2], law[3]).unwrap();
        let c = CustomerSummary::new(x, if x == 0 { 0.0 } else { age * share }, age, 1.0);
        let alive = model.alive(&c).value;
        prop_assert!((0.0..=1.0).contains(&alive));
        let (near, far) = (model.expected(&c, h), model.expected(&c, 2.0 * h));
        prop_assert!(near.is_finite() && near >= 0.0 && far >= near - 1e-7, "{} {}", near, far);
        // Never more than without leaving.
        prop_assert!(near <= (law[0] + f64::from(x)) / (law[1] + age) * h * alive * (1.0 + 1e-6) + 1e-9);
        let counts = model.counts(&c, h);
        let mean: f64 = counts.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
        prop_assert!(counts.iter().all(|p| (-1e-12..=1.0 + 1e-9).contains(p)));
        prop_assert!((mean - near).abs() <= 2e-2 * near + 1e-3, "{} {}", mean, near);
    }

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
fn models_refuse_what_says_nothing() {
    let params = BgNbdParams::default().check().unwrap();
    let fit = |c: &[CustomerSummary]| BgNbd::fit(&params, c).unwrap_err();
    let c = CustomerSummary::new;
    assert!(matches!(fit(&[]), PredictError::TooFew { what: "customers", got: 0, .. }));
    assert!(matches!(fit(&[c(0, 0.0, 0.0, 0.0); 9]), PredictError::NoTime { customers: 9 }));
    assert!(matches!(fit(&[c(0, 0.0, 5.0, 0.0); 9]), PredictError::TooFew { what: "repeat purchases", .. }));
    for bad in [
        c(1, 6.0, 5.0, 0.0),
        c(1, f64::NAN, 5.0, 0.0),
        c(0, 1.0, 5.0, 0.0),
        c(1, 1.0, -5.0, 0.0),
        c(1, 1.0, 5.0, f64::INFINITY),
    ] {
        assert!(matches!(fit(&[c(1, 1.0, 5.0, 0.0), bad]), PredictError::Row { row: 1, .. }), "{bad:?}");
    }
    // Everybody alike, and nobody ever leaves: there is no maximum, or one without a curvature; nothing panics.
    match BgNbd::fit(&params, &[c(10, 10.0, 10.0, 5.0); 50]) {
        Err(error) => assert!(matches!(error, PredictError::NotFound { .. }), "{error}"),
        Ok(model) => assert!(model.r().value.is_finite()),
    }
    assert!(BgNbd::known(0.0, 1.0, 1.0, 1.0).is_err() && BgNbd::known(1.0, f64::NAN, 1.0, 1.0).is_err());

    let params = GammaGammaParams::default().check().unwrap();
    let refused = |c: &[CustomerSummary]| GammaGamma::fit(&params, c).unwrap_err();
    assert!(matches!(refused(&[c(0, 0.0, 5.0, 0.0); 9]), PredictError::TooFew { got: 0, .. }));
    assert!(
        matches!(refused(&[c(2, 1.0, 5.0, -3.0); 9]), PredictError::TooFew { got: 0, .. }),
        "negative revenue is left out"
    );
    assert!(matches!(refused(&[c(2, 1.0, 5.0, 7.0); 9]), PredictError::NotFound { .. }), "zero variance");
}

#[test]
fn an_unknown_customer_and_no_time_ahead() {
    let model = BgNbd::known(0.243, 4.414, 0.793, 2.426).unwrap();
    let new = CustomerSummary::default();
    let next = model.forecast(&new, 10.0);
    assert_eq!(next.alive.value, 1.0);
    assert_relative_eq!(next.expected.value, model.expected_of_new(10.0).value, max_relative = 1e-12);
    let none = model.forecast(&new, 0.0);
    assert_eq!((none.expected.value, none.any, none.likely), (0.0, 0.0, (0, 0)));
    assert_eq!(model.forecast(&new, -5.0).expected.value, 0.0);
    assert!(!model.has_intervals() && next.expected.low.is_nan());
}

/// Intervals of shoppers with rates of their own, regular ones: a plain generator, seeded.
fn shop_of_regulars(shape: u32, shoppers: u32) -> Dataset {
    let mut builder = DatasetBuilder::default();
    let mut state = 88_172_645_463_325_252_u64;
    let mut unit = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    for s in 0..shoppers {
        let id = format!("s{s}");
        let who = Shopper::Profiled(Consented::new(&id, LawfulBasis::Contract));
        // Gamma(4) over 4 about mean 1, times 20 days.
        let rate = (0..4).map(|_| -unit().ln()).sum::<f64>() / 4.0 / 20.0;
        let mut at = unit() * 30.0;
        while at < 300.0 {
            builder
                .push(&Event::new(who, "soap", EventKind::Purchase, Timestamp::from_millis((at * 864e5) as i64)))
                .unwrap();
            at += ((0..shape).map(|_| -unit().ln()).sum::<f64>() / f64::from(shape) / rate).max(1.0);
        }
    }
    builder.finish().unwrap()
}

#[test]
fn planted_regularity_is_found_and_windows_hold_what_they_promise() {
    for (shape, about) in [(1, 0.7..1.5), (9, 7.5..11.0)] {
        let data = shop_of_regulars(shape, 400);
        let days = PurchaseDays::purchases(&data, data.as_of());
        let known = PurchaseDays::purchases(&data, day(150));
        let model = Replenishment::fit(&ReplenishmentParams::default().check().unwrap(), &known).unwrap();
        assert!(about.contains(&model.regularity()), "planted {shape}, found {}", model.regularity());
        let test = model.backtest(&known, &days, day(150), 1, 0.95);
        let [model, naive, ..] = &test.scores[..] else { panic!() };
        // Ends of the data cut long intervals off: a little more than promised may fall in.
        assert!((0.46..0.60).contains(&model.hits.value), "{model:?}");
        assert!(model.hits.value > naive.hits.value - 0.01, "{model:?} {naive:?}");
        assert_relative_eq!(model.width, naive.width, max_relative = 1e-9);
    }
}

#[test]
fn windows_move_with_silence_and_end_with_nothing_known() {
    let data = shop_of_regulars(9, 200);
    let days = PurchaseDays::purchases(&data, data.as_of());
    let model = Replenishment::fit(&ReplenishmentParams::default().check().unwrap(), &days).unwrap();
    let (soap, user) = (data.item("soap").unwrap(), data.user("s1").unwrap());
    let own = days.get(user, soap);
    let last = Timestamp::from_millis((own[own.len() - 1] * 864e5) as i64);
    let mut before: Option<Window> = None;
    for silence in [0, 5, 20, 60, 400, 100_000] {
        let now = last.plus(Span::days(silence));
        let w = model.window(soap, own, now).unwrap();
        assert!(w.from <= w.middle && w.middle <= w.to && w.from >= now.minus(Span::millis(2)), "{silence}: {w:?}");
        if let Some(b) = before {
            assert!(w.to >= b.to.minus(Span::days(9)) && w.chance <= b.chance + 1e-9, "{silence}");
        }
        let p = [1.0, 30.0, 3000.0].map(|h| model.probability(soap, own, now, h));
        assert!(p.is_sorted() && (0.0..=1.0).contains(&p[0]) && p[2] <= 1.0);
        assert!(model.bent_rate(soap, own, now) > 0.0);
        before = Some(w);
    }
    // Nothing bought, an unknown item, one purchase only.
    assert_eq!((model.window(soap, &[], last), model.probability(soap, &[], last, 9.0)), (None, 0.0));
    let once = model.window(ItemIdx::new(77), &own[..1], last).unwrap();
    assert_eq!(once.own_intervals, 0);
    assert!(model.due(&days, UserIdx::new(9_999), last).is_empty());
    assert_eq!(model.due(&days, user, last).len(), 1);
    // The bent rate peaks when the mean interval has passed.
    let rate =
        |d: u32| model.bent_rate(soap, &own[..1], Timestamp::from_millis((own[0] * 864e5) as i64).plus(Span::days(d)));
    let best = (0..60).max_by(|a, b| rate(*a).total_cmp(&rate(*b))).unwrap();
    assert!((8..50).contains(&best), "{best}");
}

#[test]
fn replenishment_refuses_what_says_nothing() {
    let params = ReplenishmentParams::default().check().unwrap();
    let fit = |data: &Dataset| Replenishment::fit(&params, &PurchaseDays::purchases(data, data.as_of()));
    let shop = |times: &[i64]| {
        let mut builder = DatasetBuilder::default();
        for (i, &d) in times.iter().enumerate() {
            let id = format!("s{}", i / 4);
            let who = Shopper::Profiled(Consented::new(&id, LawfulBasis::Contract));
            builder.push(&Event::new(who, "tea", EventKind::Purchase, day(d))).unwrap();
        }
        builder.finish().unwrap()
    };
    for few in [&[][..], &[1], &[5; 12]] {
        assert!(matches!(fit(&shop(few)), Err(PredictError::TooFew { .. })), "{few:?}");
    }
    // Clockwork: nothing to be unsure about, so no finite maximum.
    let clockwork: Vec<i64> = (0..40).map(|i| i % 4 * 10).collect();
    assert!(matches!(fit(&shop(&clockwork)), Err(PredictError::NotFound { .. })));
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

#[test]
#[cfg(feature = "testing")]
fn the_parameter_tables_hold() {
    use likewise::testing::check_params;
    check_params::<SummaryParams>().unwrap();
    check_params::<BgNbdParams>().unwrap();
    check_params::<GammaGammaParams>().unwrap();
    check_params::<ReplenishmentParams>().unwrap();
    check_params::<ProfileParams>().unwrap();
    check_params::<LogisticParams>().unwrap();
    check_params::<LifetimeParams>().unwrap();
}
