//! Tests that may be read at any time: false alarms, power, and the formulas behind them.

use approx::assert_relative_eq;
use likewise::Validate;
use likewise::experiment::*;
use proptest::prelude::*;

/// Uniform numbers of a fixed sequence (splitmix64).
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
    fn success(&mut self, share: f64) -> f64 {
        f64::from(u8::from(self.unit() < share))
    }
}

fn params(metric: Metric, mixture: Mixture) -> SequentialParams {
    SequentialParams { metric, mixture, ..SequentialParams::default() }
}

/// The share of runs that stop within `pairs` looks, looking after every observation.
fn alarms(runs: u64, pairs: u32, params: &SequentialParams, mut value: impl FnMut(&mut Draw, Side) -> f64) -> f64 {
    let params = params.clone().check().unwrap();
    let stopped = (0..runs).filter(|seed| {
        let mut draw = Draw(seed.wrapping_mul(0x1234_5678_9abc_def1));
        let mut test = Sequential::new(params.clone());
        (0..pairs).any(|_| {
            let first = test.observe(Side::Control, value(&mut draw, Side::Control)).unwrap();
            let second = test.observe(Side::Treatment, value(&mut draw, Side::Treatment)).unwrap();
            first.verdict != Verdict::GoOn || second.verdict != Verdict::GoOn
        })
    });
    stopped.count() as f64 / runs as f64
}

/// The short version; `cargo run --release --example experiment` runs 10,000 of each.
#[test]
fn no_difference_is_rarely_seen_however_often_one_looks() {
    for mixture in [Mixture::Effect(0.1), Mixture::TunedFor(1_000)] {
        let share = alarms(600, 600, &params(Metric::Mean, mixture), |draw, _| draw.normal());
        assert!(share <= 0.05, "{share} of A/A runs on means with {mixture:?}");
        let share = alarms(600, 600, &params(Metric::Proportion, mixture), |draw, _| draw.success(0.1));
        assert!(share <= 0.05, "{share} of A/A runs on proportions with {mixture:?}");
    }
}

#[test]
fn a_fixed_test_read_at_every_look_cries_wolf() {
    // What the always-valid test is for: the same runs, read by Welch's test after every tenth pair.
    let found = (0..200u64).filter(|seed| {
        let mut draw = Draw(seed.wrapping_mul(0x1234_5678_9abc_def1));
        let (mut control, mut treatment) = (Moments::default(), Moments::default());
        (0..600).any(|pair| {
            control.push(draw.normal());
            treatment.push(draw.normal());
            pair >= 100 && pair % 10 == 0 && welch(control.sample(), treatment.sample(), 0.95).unwrap().p_value < 0.05
        })
    });
    assert!(found.count() > 30);
}

#[test]
fn a_difference_is_found() {
    let shift = |side: Side| if side == Side::Treatment { 0.3 } else { 0.0 };
    let share =
        alarms(100, 1_000, &params(Metric::Mean, Mixture::Effect(0.3)), |draw, side| draw.normal() + shift(side));
    assert!(share > 0.95, "{share}");
    let share = alarms(100, 1_000, &params(Metric::Proportion, Mixture::Effect(0.1)), |draw, side| {
        draw.success(if side == Side::Treatment { 0.3 } else { 0.2 })
    });
    assert!(share > 0.9, "{share}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Johari et al.'s ratio for pairs, written as in the paper, with the running minimum taken by hand; and the interval
    /// leaves out 0 exactly when the test stops.
    #[test]
    fn the_ratio_is_the_papers(pairs in prop::collection::vec((-3.0f64..3.0, -2.0f64..4.0), 3..60), tau in 0.05f64..2.0) {
        let params = SequentialParams { burn_in: 2, ..params(Metric::Mean, Mixture::Effect(tau)) };
        let mut test = Sequential::new(params.check().unwrap());
        let (mut xs, mut ys, mut p) = (Vec::new(), Vec::new(), 1.0f64);
        for (x, y) in pairs {
            xs.push(x);
            ys.push(y);
            test.record(Side::Control, x).unwrap();
            let look = test.observe(Side::Treatment, y).unwrap();
            if xs.len() < 2 { continue }
            let (c, t) = (Sample::of(&xs).unwrap(), Sample::of(&ys).unwrap());
            let (n, v) = (xs.len() as f64, c.variance + t.variance);
            let d = t.mean - c.mean;
            let ratio = (v / (v + n * tau * tau)).sqrt() * (n * n * tau * tau * d * d / (2.0 * v * (v + n * tau * tau))).exp();
            p = p.min(1.0 / ratio);
            prop_assert!((look.p_value - p).abs() <= 1e-7 * p, "{} {p}", look.p_value);
            let out = look.interval.0 > 0.0 || look.interval.1 < 0.0;
            prop_assert!(out == (look.p_value <= 0.05) || (look.p_value - 0.05).abs() < 1e-9);
            prop_assert_eq!(look.verdict != Verdict::GoOn, look.p_value <= 0.05);
        }
    }

    /// Moments in pieces are the moments of the whole, in any grouping.
    #[test]
    fn moments_merge(values in prop::collection::vec(-1e3f64..1e3, 0..40), cut in 0usize..40) {
        let of = |values: &[f64]| { let mut m = Moments::default(); values.iter().for_each(|v| m.push(*v)); m };
        let (left, right) = values.split_at(cut.min(values.len()));
        let (whole, parts) = (of(&values), of(left).merge(of(right)));
        prop_assert_eq!(whole.n, parts.n);
        prop_assert!((whole.mean - parts.mean).abs() < 1e-9 && (whole.squares - parts.squares).abs() < 1e-6);
    }
}

#[test]
fn the_two_mixtures_are_one_boundary() {
    // With a known deviation of 1, tuned for n is an effect of sqrt(4 rho²): x = rho² (n + n) = tau² / (2 / n).
    let alpha: f64 = 0.05;
    let mut x = 6.0f64;
    for _ in 0..200 {
        x = (1.0 + x).ln() - 2.0 * alpha.ln();
    }
    let (tuned_for, n) = (4_000u64, 1_234u64);
    let rho_squared = x / tuned_for as f64;
    let same = Sample { n, mean: 0.0, variance: 1.0 };
    let other = Sample { n, mean: 0.07, variance: 1.0 };
    let look = |mixture| {
        Sequential::new(params(Metric::Mean, mixture).check().unwrap()).look_at_estimates(same, other).unwrap()
    };
    let (a, b) = (look(Mixture::TunedFor(tuned_for)), look(Mixture::Effect((4.0 * rho_squared).sqrt())));
    assert_relative_eq!(a.p_value, b.p_value, max_relative = 1e-6);
    assert_relative_eq!(a.interval.0, b.interval.0, max_relative = 1e-6);
}

#[test]
fn the_boundary_is_narrowest_where_it_was_tuned() {
    let wide = |tuned_for| {
        let m = Moments { n: 1_000, mean: 0.0, squares: 999.0 };
        m.interval(0.05, tuned_for).unwrap().1
    };
    // Waudby-Smith et al., their form of the boundary, at rho² = x / 1000 with x = ln(1 + x) - 2 ln .05 = 8.1965...
    assert!(
        wide(1_000) < wide(500) && wide(1_000) < wide(2_000) && wide(1_000) < wide(900) && wide(1_000) < wide(1_110)
    );
    assert!((wide(1_000) - 0.0959).abs() < 5e-4, "{}", wide(1_000));
    assert_eq!(Moments::default().interval(0.05, 10), None);
    assert_eq!(Moments { n: 5, mean: 1.0, squares: 0.0 }.interval(0.05, 10), None);
}

#[test]
fn a_confidence_sequence_covers_the_mean_at_all_times() {
    let left = (0..600u64).filter(|seed| {
        let mut draw = Draw(seed * 77_777 + 5);
        let mut m = Moments::default();
        (0..800).any(|n| {
            m.push(-(1.0 - draw.unit()).ln()); // exponential with mean 1
            n >= 100 && m.interval(0.05, 500).is_none_or(|(low, high)| low > 1.0 || high < 1.0)
        })
    });
    let left = left.count();
    assert!(left <= 30, "{left} of 600");
}

#[test]
fn a_test_survives_storage_and_waits_for_its_burn_in() {
    let mut test = Sequential::new(params(Metric::Proportion, Mixture::Effect(0.2)).check().unwrap());
    for _ in 0..99 {
        test.observe(Side::Control, 0.0).unwrap();
        let look = test.observe(Side::Treatment, 1.0).unwrap();
        assert_eq!((look.p_value, look.verdict), (1.0, Verdict::GoOn));
        assert_eq!(look.interval, (f64::NEG_INFINITY, f64::INFINITY));
    }
    let text = serde_json::to_string(&test).unwrap();
    let mut back: Sequential = serde_json::from_str(&text).unwrap();
    for test in [&mut test, &mut back] {
        test.observe(Side::Control, 0.0).unwrap();
        assert_eq!(test.observe(Side::Treatment, 1.0).unwrap().verdict, Verdict::Higher);
        assert_eq!(test.units(), (100, 100));
    }
    assert_eq!(test.look(), back.look());
}

#[test]
fn strange_values_are_refused_and_zero_variance_waits() {
    let mut test = Sequential::new(params(Metric::Proportion, Mixture::Effect(0.2)).check().unwrap());
    assert!(matches!(test.observe(Side::Control, 0.5), Err(SequentialError::Value { expected: "0 or 1", .. })));
    let mut test = Sequential::new(params(Metric::Mean, Mixture::TunedFor(100)).check().unwrap());
    assert!(test.observe(Side::Control, f64::NAN).is_err());
    assert_eq!(test.units(), (0, 0));
    for _ in 0..500 {
        test.observe(Side::Control, -3.0).unwrap();
        assert_eq!(test.observe(Side::Treatment, -3.0).unwrap().verdict, Verdict::GoOn);
    }
    let broken = Sample { n: 5, mean: f64::NAN, variance: 1.0 };
    assert!(matches!(test.look_at_estimates(broken, broken), Err(SequentialError::Estimate(_))));
    for mixture in [Mixture::Effect(0.0), Mixture::Effect(f64::NAN), Mixture::TunedFor(0)] {
        assert_eq!(params(Metric::Mean, mixture).check().unwrap_err().param, "mixture");
    }
    assert!(SequentialParams { alpha: 0.0, ..SequentialParams::default() }.check().is_err());
    assert!(SequentialParams { burn_in: 1, ..SequentialParams::default() }.check().is_err());
}
