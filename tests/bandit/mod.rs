//! Bandits: what they report is what they do, evidence merges, regret stays below the baseline's; fatigue and pages.

use std::collections::{BTreeMap, BTreeSet};

use approx::assert_relative_eq;
use likewise::decide::content::*;
use likewise::experiment::{SampleRatio, sample_ratio};
use likewise::{ItemIdx, Span, Timestamp, Validate};
use proptest::prelude::*;
use rayon::prelude::*;

mod evidence;
mod page;
mod pooled;
mod regret;

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
    /// Gamma by Marsaglia & Tsang 2000, for shapes of 1 and more.
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        loop {
            let z = self.normal();
            let v = (1.0 + z / (9.0 * d).sqrt()).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * z * z + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

fn secs(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn arms(names: &[&str]) -> Vec<Arm> {
    names.iter().map(|name| Arm::new(*name)).collect()
}

fn bandit(params: BanditParams, names: &[&str]) -> Bandit {
    Bandit::new(params.check().unwrap(), arms(names), "p", Evidence::default()).unwrap()
}

fn ask<'a>(id: &'a str, context: &'a ContentContext, now: i64, seed: u64) -> ContentRequest<'a> {
    ContentRequest { id, context, now: secs(now), seed, fatigue: None }
}

const POLICIES: [Policy; 5] = [
    Policy::EpsilonGreedy { epsilon: 0.2 },
    Policy::ThompsonBeta,
    Policy::ThompsonNormal { deviation: 0.5 },
    Policy::LinUcb { width: 1.5, noise: 0.5 },
    Policy::LinThompson { noise: 0.5 },
];

fn features() -> Features {
    Features { segments: vec!["vip".into()], hour: HourFeature::Circle, affinities: 1, ..Features::default() }
}

fn context(draw: &mut Draw) -> ContentContext {
    ContentContext {
        segments: if draw.unit() < 0.5 { vec!["vip".into()] } else { vec![] },
        device: Some(if draw.unit() < 0.5 { "phone" } else { "desk" }.into()),
        hour: Some((draw.unit() * 24.0) as u8),
        affinities: vec![draw.unit()],
    }
}

/// A bandit with some history.
fn taught(policy: Policy, seed: u64, choices: i64) -> Bandit {
    let params = BanditParams { policy, features: features(), ..BanditParams::default() };
    let mut bandit = bandit(params, &["a", "b", "c"]);
    let mut draw = Draw(seed);
    for visit in 0..choices {
        let context = context(&mut draw);
        let choice = bandit.choose(&ask(&visit.to_string(), &context, visit, seed)).unwrap();
        let rate = match choice.arm.as_str() {
            "a" => 0.2,
            "b" => 0.25,
            _ => 0.3,
        };
        if draw.unit() < rate {
            assert_eq!(bandit.reward(&choice.id, 1.0, secs(visit)).unwrap(), Rewarded::Counted);
        }
    }
    bandit
}

#[test]
fn propensities_are_the_frequencies() {
    for policy in POLICIES {
        let bandit = taught(policy, 5, 60);
        let context = context(&mut Draw(3));
        let stated = bandit.propensities(&context, secs(60), None).unwrap();
        let total: f64 = stated.iter().map(|(_, p)| p).sum();
        assert_relative_eq!(total, 1.0, max_relative = 1e-12);
        let mut counts = [0u64; 3];
        for request in 0..20_000 {
            // A fresh copy each time: the question is what this state does.
            let id = request.to_string();
            let choice = bandit.clone().choose(&ask(&id, &context, 60, 9)).unwrap();
            let place = ["a", "b", "c"].iter().position(|a| *a == choice.arm).unwrap();
            counts[place] += 1;
            assert_eq!(choice.propensity, choice.among[place].1);
            assert_eq!(choice.propensity, stated[place].1);
        }
        let weights: Vec<u32> = stated.iter().map(|(_, p)| (p * 1e8) as u32).collect();
        let SampleRatio { p_value, .. } = sample_ratio(&counts, &weights).unwrap();
        assert!(p_value > 0.001, "{policy:?}: {counts:?} against {stated:?}");
    }
}

#[test]
fn thompsons_propensities_are_those_of_drawing() {
    // The slow twin: draw from each posterior and count who is largest.
    let params = BanditParams { explore: 0.0, pool: Pool::Apart, spread: 1.0, ..BanditParams::default() };
    let mut bandit = bandit(params, &["a", "b", "c"]);
    let (mut shown, mut hit) = ([0.0; 3], [0.0; 3]);
    let mut draw = Draw(8);
    for visit in 0..40i64 {
        let choice = bandit.choose(&ask(&visit.to_string(), &ContentContext::default(), visit, 1)).unwrap();
        let arm = ["a", "b", "c"].iter().position(|a| *a == choice.arm).unwrap();
        shown[arm] += 1.0;
        if draw.unit() < 0.3 + 0.1 * arm as f64 {
            hit[arm] += 1.0;
            let _ = bandit.reward(&choice.id, 1.0, secs(visit)).unwrap();
        }
    }
    let stated = bandit.propensities(&ContentContext::default(), secs(99), None).unwrap();
    let (mut best, n) = ([0.0; 3], 60_000);
    for _ in 0..n {
        let drawn: Vec<f64> = (0..3)
            .map(|arm| {
                let (s, f) = (draw.gamma(1.0 + hit[arm]), draw.gamma(1.0 + shown[arm] - hit[arm]));
                s / (s + f)
            })
            .collect();
        let top = (0..3).max_by(|x, y| drawn[*x].total_cmp(&drawn[*y])).unwrap();
        best[top] += 1.0 / f64::from(n);
    }
    for ((_, stated), drawn) in stated.iter().zip(best) {
        assert!((stated - drawn).abs() < 0.008, "{stated} {drawn}");
    }
}

/// A name, the chance of a click by arm and visit, the half-life, and the usual rate.
type World = (&'static str, fn(usize, i64) -> f64, Option<Span>, f64);

#[test]
fn who_may_not_see_an_arm_never_does() {
    let night = Eligible { hours: Some((22, 6)), devices: vec!["phone".into()], ..Eligible::default() };
    let vip = Eligible { segments: vec!["vip".into()], not_segments: vec!["staff".into()], ..Eligible::default() };
    let sale = Eligible { from: Some(secs(10)), until: Some(secs(20)), ..Eligible::default() };
    let with = |segments: &[&str], device: &str, hour| ContentContext {
        segments: segments.iter().map(|s| s.to_string()).collect(),
        device: (!device.is_empty()).then(|| device.into()),
        hour,
        affinities: vec![],
    };
    let now = secs(15);
    for (hour, may) in [(21, false), (22, true), (0, true), (5, true), (6, false)] {
        assert_eq!(night.admits(&with(&[], "phone", Some(hour)), now), may, "{hour}");
    }
    assert!(!night.admits(&with(&[], "desk", Some(23)), now) && !night.admits(&with(&[], "phone", None), now));
    assert!(vip.admits(&with(&["vip"], "", None), now) && !vip.admits(&with(&["vip", "staff"], "", None), now));
    assert!(!sale.admits(&with(&[], "", None), secs(9)) && !sale.admits(&with(&[], "", None), secs(20)));
    assert!(sale.admits(&with(&[], "", None), secs(10)));
    let arms = vec![Arm { eligible: vip, ..Arm::new("vip") }, Arm::new("all")];
    let mut bandit = Bandit::new(
        BanditParams { explore: 1.0, ..BanditParams::default() }.check().unwrap(),
        arms,
        "p",
        Evidence::default(),
    )
    .unwrap();
    for n in 0..100 {
        let choice = bandit.choose(&ask(&n.to_string(), &ContentContext::default(), n, 1)).unwrap();
        assert_eq!((choice.arm.as_str(), choice.propensity), ("all", 1.0));
    }
}

#[test]
fn cold_arms_are_shown_and_exploration_reaches_all() {
    let params = BanditParams {
        policy: Policy::EpsilonGreedy { epsilon: 0.0 },
        explore: 0.1,
        cold_shows: 50,
        cold_share: 0.3,
        ..BanditParams::default()
    };
    let mut bandit = bandit(params, &["a"]);
    let context = ContentContext::default();
    for n in 0..60 {
        let choice = bandit.choose(&ask(&n.to_string(), &context, n, 1)).unwrap();
        let _ = bandit.reward(&choice.id, 1.0, secs(n)).unwrap();
    }
    bandit.set_arms(arms(&["a", "b"])).unwrap();
    let of = bandit.propensities(&context, secs(60), None).unwrap();
    assert_relative_eq!(of[1].1, 0.1 / 2.0 + 0.9 * 0.3, max_relative = 1e-12);
    assert_relative_eq!(of[0].1, 0.1 / 2.0 + 0.9 * 0.7, max_relative = 1e-12);
    // The best arm and an epsilon of everything, by a pure share of everything.
    let params = BanditParams {
        policy: Policy::EpsilonGreedy { epsilon: 0.2 },
        explore: 0.1,
        prior: Prior { mean: 0.1, weight: 4.0 },
        ..BanditParams::default()
    };
    let three = Bandit::new(params.check().unwrap(), arms(&["a", "b", "c"]), "q", bandit.evidence().clone()).unwrap();
    let of = three.propensities(&context, secs(60), None).unwrap();
    for (got, greedy) in of.iter().zip([0.8 + 0.2 / 3.0, 0.2 / 3.0, 0.2 / 3.0]) {
        assert_relative_eq!(got.1, 0.1 / 3.0 + 0.9 * greedy, max_relative = 1e-12);
    }
    // Shown as often as is asked for, an arm is cold no more.
    let shown = |bandit: &Bandit| bandit.evidence().of("b", secs(0), None).shown;
    for n in 60.. {
        if shown(&bandit) == 50 {
            break;
        }
        let _ = bandit.choose(&ask(&n.to_string(), &context, n, 1)).unwrap();
    }
    let of = bandit.propensities(&context, secs(9_999), None).unwrap();
    assert_relative_eq!(of[1].1, 0.1 / 2.0, max_relative = 1e-12);
}
