//! Repeat purchases and what they bring: published figures, hand-computed ones, slow twins, bad input.

use approx::assert_relative_eq;
use likewise::decide::predict::*;
use likewise::*;
use proptest::prelude::*;

use super::day;

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

    // Bit by bit: what is expected in each step, for what a purchase brings (equation 5 of the note), less the waiting.
    let (c, params) = (customers[0], LifetimeParams { horizon: 10.0, step: 4.0, discount: 0.01, margin: 0.3 });
    let (p, q, v, x) = (spend.p().value, spend.q().value, spend.v().value, f64::from(c.frequency));
    let value = p * (v + x * c.mean_value) / (p * x + q - 1.0);
    assert_relative_eq!(spend.value(&c).value, value, max_relative = 1e-9);
    let new = CustomerSummary::new(0, 0.0, 5.0, 0.0);
    assert_relative_eq!(spend.value(&new).value, p * v / (q - 1.0), max_relative = 1e-9);
    let ends = [0.0, 4.0, 8.0, 10.0];
    let step = |w: &[f64]| (model.expected(&c, w[1]) - model.expected(&c, w[0])) * 1.01f64.powf(-w[1]);
    let by_hand = 0.3 * value * ends.windows(2).map(step).sum::<f64>();
    let worth = lifetime_value(&model, &spend, &c, &params.check().unwrap()).unwrap();
    assert_relative_eq!(worth.value, by_hand, max_relative = 1e-9);
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
    assert_eq!((log.purchases(0, day(4), day(11)), log.purchases(0, day(4), day(10))), (1, 0));
    // What came back of the first purchase is not a repeat's affair.
    let rows = [("ann", day(0), 10.0), ("ann", day(1), -4.0), ("ann", day(7), 6.0), ("ann", day(8), -2.0)];
    let returned = PurchaseLog::from_rows(rows, SummaryParams::default().check().unwrap()).unwrap();
    assert_eq!(returned.summary(0, day(14)), Some(CustomerSummary::new(1, 1.0, 2.0, 4.0)));
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
