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

#[test]
fn days_questions_and_chances_by_hand() {
    let mut builder = DatasetBuilder::default();
    let mut buy = |who: &str, item: &str, at: Timestamp| {
        let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, EventKind::Purchase, at)).unwrap();
    };
    for (n, who) in ["ann", "bob", "cy", "dee"].into_iter().enumerate() {
        let every = 8 + 3 * n as i64;
        (0..6).for_each(|k| buy(who, "soap", day(k * every + k % 2)));
        buy(who, "pan", day(n as i64));
    }
    let data = builder.build().unwrap();
    let days = PurchaseDays::purchases(&data, data.as_of());
    let (ann, soap, pan) = (data.user("ann").unwrap(), data.item("soap").unwrap(), data.item("pan").unwrap());
    // A day apart to the millisecond is two occasions, less is one.
    let mut twice = DatasetBuilder::default();
    let eve = Shopper::Profiled(Consented::new("eve", LawfulBasis::Contract));
    for at in [day(0), day(1), day(2).minus(Span::millis(1))] {
        twice.push(&Event::new(eve, "soap", EventKind::Purchase, at)).unwrap();
    }
    let twice = twice.build().unwrap();
    let own = PurchaseDays::purchases(&twice, twice.as_of());
    assert_eq!(own.get(UserIdx::new(0), ItemIdx::new(0)), [0.0, 1.0]);

    // The chance of the pan is the prior's alone, drawn down by four purchases nothing followed; after ever so long a
    // stretch the probability is that chance, and silence lowers it.
    let params = ReplenishmentParams { chance_prior: 4.0, ..ReplenishmentParams::default() };
    let model = Replenishment::fit(&params.check().unwrap(), &days).unwrap();
    let all = 20.0 / 28.0; // of 24 soaps 20 were followed, of 4 pans none
    let chance = 4.0 * all / 8.0;
    let bought = days.get(ann, pan);
    assert_relative_eq!(model.probability(pan, bought, day(0), 1e9), chance, max_relative = 1e-6);
    assert!(model.probability(pan, bought, day(400), 1e9) < 0.5 * chance);
    let window = model.window(pan, bought, day(0)).unwrap();
    assert_relative_eq!(window.chance, chance, max_relative = 1e-9);
    // A window never begins in the past.
    let own = days.get(ann, soap);
    let last = own[own.len() - 1];
    for silent in [0.0, 1.0, 5.0, 50.0] {
        let now = Timestamp::from_millis(((last + silent) * 86_400_000.0) as i64);
        let window = model.window(soap, own, now).unwrap();
        assert!(window.from >= now && window.from <= window.middle && window.middle <= window.to, "{silent}");
    }

    // A purchase at the cut is a question; a shopper's questions are one observation.
    let cut = day(22); // Bob's third, after 0, 12 and 22
    let asked = |cut| model.backtest(&days, &days, cut, 1, 0.95);
    assert_eq!(asked(cut).questions, asked(cut.minus(Span::millis(1))).questions);
    assert_eq!(asked(cut).questions, asked(cut.plus(Span::millis(1))).questions + 1);
    let test = asked(day(0));
    let hits = |user: &str| {
        let own = days.get(data.user(user).unwrap(), soap);
        let hit = |k: usize| {
            let at = Timestamp::from_millis((own[k - 1] * 86_400_000.0) as i64);
            let window = model.window(soap, &own[..k], at).unwrap();
            let day = |at: Timestamp| at.millis() as f64 / 86_400_000.0;
            f64::from(u8::from((day(window.from) - 1e-6..=day(window.to) + 1e-6).contains(&own[k])))
        };
        (2..own.len()).map(hit).collect::<Vec<f64>>()
    };
    let of = ["ann", "bob", "cy", "dee"].map(hits);
    let n = of.iter().map(Vec::len).sum::<usize>() as f64;
    let mean = of.iter().flatten().sum::<f64>() / n;
    let off = |own: &Vec<f64>| own.iter().map(|hit| hit - mean).sum::<f64>().powi(2);
    let error = (of.iter().map(off).sum::<f64>() / (n * n)).sqrt();
    assert_eq!(test.questions as f64, n);
    assert_relative_eq!(test.scores[0].hits.value, mean, max_relative = 1e-9);
    assert!(error > 0.0, "they are not all alike: {of:?}");
    assert_relative_eq!(test.scores[0].hits.high - mean, 1.959_964 * error, max_relative = 1e-6);
}
