//! When is it due again: planted habits, windows, bad input.

use approx::assert_relative_eq;
use likewise::decide::predict::*;
use likewise::*;

use super::day;

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
