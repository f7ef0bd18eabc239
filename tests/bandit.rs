//! Bandits: what they report is what they do, evidence merges, regret stays below the baseline's; fatigue and pages.

use std::collections::{BTreeMap, BTreeSet};

use approx::assert_relative_eq;
use likewise::decide::content::*;
use likewise::experiment::{SampleRatio, sample_ratio};
use likewise::{ItemIdx, Span, Timestamp, Validate};
use proptest::prelude::*;
use rayon::prelude::*;

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

/// Regret a visit over `visits` visits; `rate(arm, visit)` is the chance of a click.
fn regret(params: &BanditParams, visits: i64, seed: u64, rate: impl Fn(usize, i64) -> f64) -> f64 {
    let names = ["0", "1", "2", "3", "4"];
    let mut bandit = bandit(params.clone(), &names);
    let (mut lost, mut draw) = (0.0, Draw(seed));
    let context = ContentContext::default();
    for visit in 0..visits {
        let choice = bandit.choose(&ask(&visit.to_string(), &context, visit, seed)).unwrap();
        let arm: usize = choice.arm.parse().unwrap();
        let best = (0..5).map(|arm| rate(arm, visit)).fold(0.0, f64::max);
        lost += best - rate(arm, visit);
        if draw.unit() < rate(arm, visit) {
            let _ = bandit.reward(&choice.id, 1.0, secs(visit)).unwrap();
        }
    }
    lost / visits as f64
}

/// Mean and standard error over seeds.
fn mean_regret(params: &BanditParams, visits: i64, seeds: u64, rate: fn(usize, i64) -> f64) -> (f64, f64) {
    let lost: Vec<f64> = (0..seeds).into_par_iter().map(|seed| regret(params, visits, seed, rate)).collect();
    let n = seeds as f64;
    let mean = lost.iter().sum::<f64>() / n;
    let variance = lost.iter().map(|lost| (lost - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// A name, the chance of a click by arm and visit, the half-life, and the usual rate.
type World = (&'static str, fn(usize, i64) -> f64, Option<Span>, f64);

/// Every policy with the recipe's own defaults and a flat prior against the best of five constant epsilons, which is told the
/// usual rate. The mean of each is below; where the world stands still, by more than the standard error of the difference.
/// The same over 50 shops and more visits, and epsilons that decay, are printed by the example `content`.
#[test]
fn regret_is_below_the_best_epsilon_greedy() {
    let still = |arm: usize, _: i64| if arm == 3 { 0.35 } else { 0.05 };
    // The best arm changes every 800 visits.
    let drift = |arm: usize, visit: i64| {
        if (visit / 800) as usize % 5 == arm { 0.3 } else { 0.1 }
    };
    let worlds: [World; 2] = [("stationary", still, None, 0.1), ("drifting", drift, Some(Span::secs(200)), 0.14)];
    for (what, rate, half_life, usual) in worlds {
        let of = |params: BanditParams| mean_regret(&params, 2_400, 8, rate);
        let base = BanditParams { explore: 0.0, half_life, ..BanditParams::default() };
        let told = BanditParams { prior: Prior { mean: usual, weight: 4.0 }, pool: Pool::Apart, ..base.clone() };
        let baseline = [0.02, 0.05, 0.1, 0.2, 0.3]
            .map(|epsilon| of(BanditParams { policy: Policy::EpsilonGreedy { epsilon }, ..told.clone() }));
        let (theirs, error) = baseline.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        for policy in [
            Policy::ThompsonBeta,
            Policy::ThompsonNormal { deviation: 0.5 },
            Policy::LinUcb { width: 1.5, noise: 0.5 },
            Policy::LinThompson { noise: 0.5 },
        ] {
            // A segment that means nothing, for the linear ones.
            let (ours, own) = of(BanditParams { policy, features: features(), ..base.clone() });
            let clearly = if half_life.is_none() { f64::hypot(error, own) } else { 0.0 };
            assert!(ours + clearly < theirs, "{what}, {policy:?}: {ours} ± {own}, theirs {theirs} ± {error}");
        }
    }
}

#[test]
fn linear_policies_learn_who_likes_what() {
    for policy in [Policy::LinUcb { width: 1.5, noise: 0.5 }, Policy::LinThompson { noise: 0.3 }] {
        let features = Features { segments: vec!["vip".into()], ..Features::default() };
        let params =
            BanditParams { policy, features, prior: Prior { mean: 0.0, weight: 1.0 }, ..BanditParams::default() };
        let mut bandit = bandit(params, &["luxury", "bargain"]);
        let (mut draw, mut right) = (Draw(4), 0);
        for visit in 0..600i64 {
            let context = ContentContext {
                segments: if visit % 2 == 0 { vec!["vip".into()] } else { vec![] },
                ..ContentContext::default()
            };
            let choice = bandit.choose(&ask(&visit.to_string(), &context, visit, 2)).unwrap();
            let fits = (choice.arm == "luxury") == (visit % 2 == 0);
            right += i32::from(fits && visit >= 300);
            if draw.unit() < if fits { 0.5 } else { 0.1 } {
                let _ = bandit.reward(&choice.id, 1.0, secs(visit)).unwrap();
            }
        }
        assert!(right > 260, "{policy:?}: {right} of 300");
    }
}

const STRENGTHS: [f64; 3] = [8.0, 64.0, 512.0];

/// The slot's mean by its definition.
fn usual(prior: Prior, strength: f64, arms: &[(f64, f64)]) -> f64 {
    let counts = |n: f64| n * strength / (n + strength);
    let sum: f64 = arms.iter().filter(|(n, _)| *n > 0.0).map(|(n, r)| counts(*n) * r / n).sum();
    let weight: f64 = arms.iter().filter(|(n, _)| *n > 0.0).map(|(n, _)| counts(*n)).sum();
    (prior.mean * prior.weight + sum) / (prior.weight + weight)
}

/// A bandit that shows all arms evenly, rewarded as said; (shown, rewarded) by arm.
fn even(params: BanditParams, visits: i64, reward: impl Fn(usize, i64) -> f64) -> (Bandit, [Vec<(bool, f64)>; 3]) {
    let mut bandit = bandit(BanditParams { explore: 1.0, ..params }, &["0", "1", "2"]);
    let mut seen: [Vec<(bool, f64)>; 3] = Default::default();
    for visit in 0..visits {
        let vip = visit % 3 == 0;
        let segments = if vip { vec!["vip".to_owned()] } else { vec![] };
        let context = ContentContext { segments, ..ContentContext::default() };
        let choice = bandit.choose(&ask(&visit.to_string(), &context, visit, 3)).unwrap();
        let arm: usize = choice.arm.parse().unwrap();
        let got = reward(arm, visit);
        assert_eq!(bandit.reward(&choice.id, got, secs(visit)), Ok(Rewarded::Counted));
        seen[arm].push((vip, got));
    }
    (bandit, seen)
}

/// The slow twin of pooled shares: the integrals of the likelihood, by sums over a fine grid.
#[test]
fn pooled_shares_are_those_of_integrating() {
    let (bandit, seen) = even(BanditParams::default(), 50, |arm, n| f64::from(u8::from((n * 7 + arm as i64) % 4 == 0)));
    let arms = seen.map(|of| (of.len() as f64, of.iter().map(|r| r.1).sum::<f64>()));
    let prior = Prior::default();
    let mut cases = Vec::new();
    for strength in STRENGTHS {
        let mean = usual(prior, strength, &arms);
        // Zeroth to second moment of likelihood x density, over that of the density.
        let moments = |n: f64, r: f64| {
            let mut sums = [0.0; 4];
            for step in 0..200_000 {
                let p = (f64::from(step) + 0.5) / 200_000.0;
                let density = ((strength * mean - 1.0) * p.ln() + (strength * (1.0 - mean) - 1.0) * (-p).ln_1p()).exp();
                let likely = density * p.powf(r) * (1.0 - p).powf(n - r);
                sums[0] += likely;
                sums[1] += likely * p;
                sums[2] += likely * p * p;
                sums[3] += density;
            }
            sums
        };
        let of: Vec<[f64; 4]> = arms.iter().map(|(n, r)| moments(*n, *r)).collect();
        cases.push((of.iter().map(|m| m[0] / m[3]).product::<f64>(), of));
    }
    let total: f64 = cases.iter().map(|(likely, _)| likely).sum();
    for (arm, (mean, error)) in bandit.beliefs(&ContentContext::default(), secs(50)).into_iter().enumerate() {
        let moment = |k: usize| cases.iter().map(|(likely, of)| likely / total * of[arm][k] / of[arm][0]).sum::<f64>();
        assert_relative_eq!(mean, moment(1), max_relative = 1e-6);
        assert_relative_eq!(error, (moment(2) - moment(1).powi(2)).sqrt(), max_relative = 1e-5);
    }
}

/// Solves `a x = b` by elimination and tells the logarithm of the determinant: small, symmetric, positive.
fn solved(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> (Vec<f64>, f64) {
    let n = b.len();
    let mut log = 0.0;
    for k in 0..n {
        log += a[k][k].ln();
        for i in (0..n).filter(|i| *i != k) {
            let f = a[i][k] / a[k][k];
            let pivot = a[k].clone();
            a[i].iter_mut().zip(pivot).for_each(|(v, p)| *v -= f * p);
            b[i] -= f * b[k];
        }
    }
    ((0..n).map(|k| b[k] / a[k][k]).collect(), log)
}

/// The slow twin of pooled linear beliefs: the same model seen from the observations, whose covariance is written down.
#[test]
fn pooled_rewards_are_those_of_the_observations() {
    for (features, ridges) in [(vec![], vec![1.0]), (vec!["vip".to_owned()], vec![16.0, 128.0, 1e6])] {
        let policy = if features.is_empty() {
            Policy::ThompsonNormal { deviation: 3.0 }
        } else {
            Policy::LinThompson { noise: 3.0 }
        };
        let dim = 1 + features.len();
        let prior = Prior { mean: 1.0, weight: 2.0 };
        let features = Features { segments: features, ..Features::default() };
        let params = BanditParams { policy, prior, features, ..BanditParams::default() };
        let (bandit, seen) =
            even(params, 40, |arm, n| arm as f64 - 2.0 + (n % 5) as f64 * if n % 3 == 0 { 3.0 } else { 1.0 });
        let arms = seen.clone().map(|of| (of.len() as f64, of.iter().map(|r| r.1).sum::<f64>()));
        let within: f64 =
            seen.iter().zip(arms).map(|(of, (n, r))| of.iter().map(|y| (y.1 - r / n).powi(2)).sum::<f64>()).sum();
        let noise = (prior.weight * 9.0 + within) / (prior.weight + arms.iter().map(|a| a.0).sum::<f64>());
        let x = |vip: bool| {
            if dim == 1 { vec![1.0] } else { vec![1.0, f64::from(u8::from(vip))] }
        };
        let mut cases = Vec::new();
        for strength in STRENGTHS {
            for ridge in &ridges {
                let mean = usual(prior, strength, &arms);
                let held = |i: usize| if i == 0 { strength } else { *ridge };
                let between = |v: &[f64], w: &[f64]| (0..dim).map(|i| v[i] * w[i] * noise / held(i)).sum::<f64>();
                let here = x(true);
                let mut log = 0.0;
                let laws: Vec<(f64, f64)> = seen
                    .iter()
                    .map(|of| {
                        let rows: Vec<Vec<f64>> = of.iter().map(|(vip, _)| x(*vip)).collect();
                        let covariance: Vec<Vec<f64>> = (0..rows.len())
                            .map(|i| {
                                (0..rows.len())
                                    .map(|j| between(&rows[i], &rows[j]) + if i == j { noise } else { 0.0 })
                                    .collect()
                            })
                            .collect();
                        let off: Vec<f64> = of.iter().map(|(_, y)| y - mean).collect();
                        let (weights, ln_det) = solved(covariance.clone(), off.clone());
                        log -= 0.5 * (ln_det + off.iter().zip(&weights).map(|(a, b)| a * b).sum::<f64>());
                        let toward: Vec<f64> = rows.iter().map(|row| between(row, &here)).collect();
                        let (known, _) = solved(covariance, toward.clone());
                        let variance =
                            between(&here, &here) - toward.iter().zip(&known).map(|(a, b)| a * b).sum::<f64>();
                        (mean + toward.iter().zip(&weights).map(|(a, b)| a * b).sum::<f64>(), variance)
                    })
                    .collect();
                cases.push((log, laws));
            }
        }
        let top = cases.iter().map(|c| c.0).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = cases.iter().map(|c| (c.0 - top).exp()).sum();
        let vip = ContentContext { segments: vec!["vip".into()], ..ContentContext::default() };
        for (arm, (mean, error)) in bandit.beliefs(&vip, secs(40)).into_iter().enumerate() {
            let mix = |of: &dyn Fn((f64, f64)) -> f64| {
                cases.iter().map(|c| (c.0 - top).exp() / total * of(c.1[arm])).sum::<f64>()
            };
            let wanted = mix(&|(mean, _)| mean);
            assert_relative_eq!(mean, wanted, max_relative = 1e-9);
            assert_relative_eq!(error * error, mix(&|(own, v)| v + (own - wanted).powi(2)), max_relative = 1e-8);
        }
    }
}

#[test]
fn nothing_seen_nothing_varying_and_losses_have_beliefs() {
    let context = ContentContext::default();
    for policy in POLICIES {
        let params = BanditParams { policy, features: features(), ..BanditParams::default() };
        // No data: all arms are equal, and believed to be what the prior says.
        let fresh = bandit(params.clone(), &["a", "b", "c"]);
        for (_, chance) in fresh.propensities(&context, secs(0), None).unwrap() {
            assert_relative_eq!(chance, 1.0 / 3.0, max_relative = 1e-9);
        }
        assert!(
            fresh.beliefs(&context, secs(0)).iter().all(|(mean, error)| (mean - 0.5).abs() < 1e-9 && *error >= 0.0)
        );
        // Zero variance: every reward the same, for 300 choices; nothing is NaN, nothing is chosen by rounding.
        for reward in [0.0, 1.0] {
            let (same, _) = even(params.clone(), 300, |_, _| reward);
            let beliefs = same.beliefs(&context, secs(300));
            assert!(beliefs.iter().all(|(mean, error)| mean.is_finite() && error.is_finite()), "{beliefs:?}");
            assert!(beliefs.iter().all(|(mean, _)| (mean - reward).abs() < 0.05), "{policy:?}: {beliefs:?}");
        }
        if policy == Policy::ThompsonBeta {
            continue;
        }
        // Negative revenue: the arm that loses money is left.
        let (losing, _) = even(params, 300, |arm, n| if arm == 1 { -40.0 } else { (n % 3) as f64 });
        let beliefs = losing.beliefs(&context, secs(300));
        assert!(beliefs[1].0 < -20.0 && beliefs[0].0 > beliefs[1].0, "{policy:?}: {beliefs:?}");
    }
}

/// An arm that comes mid-flight starts at what is usual in its slot; one with a prior of its own starts there.
#[test]
fn new_arms_start_from_the_slot() {
    for policy in [Policy::ThompsonBeta, Policy::ThompsonNormal { deviation: 0.5 }, Policy::LinThompson { noise: 0.5 }]
    {
        let params = BanditParams { policy, ..BanditParams::default() };
        let (mut bandit, _) = even(params, 900, |_, n| f64::from(u8::from(n % 10 == 0)));
        let own = Arm { prior: Some(Prior { mean: 0.7, weight: 10.0 }), ..Arm::new("own") };
        bandit.set_arms(arms(&["0", "1", "2", "new"]).into_iter().chain([own]).collect()).unwrap();
        let beliefs = bandit.beliefs(&ContentContext::default(), secs(900));
        assert!((beliefs[3].0 - 0.1).abs() < 0.01, "{policy:?}: {beliefs:?}");
        assert!(beliefs[3].1 > 1.5 * beliefs[0].1, "less sure than of what was shown: {beliefs:?}");
        assert_relative_eq!(beliefs[4].0, 0.7, max_relative = 1e-9);
    }
}

#[test]
fn beliefs_worked_by_hand() {
    let one = |policy, prior| {
        let features = Features { segments: vec!["vip".into()], ..Features::default() };
        let params =
            BanditParams { policy, prior, features, explore: 0.0, pool: Pool::Apart, ..BanditParams::default() };
        let mut bandit = bandit(params, &["a"]);
        let vip = ContentContext { segments: vec!["vip".into()], ..ContentContext::default() };
        for (n, reward) in [(0, 1.0), (1, 0.5), (2, 0.0)] {
            let choice = bandit.choose(&ask(&n.to_string(), &vip, n, 0)).unwrap();
            let _ = bandit.reward(&choice.id, reward, secs(n)).unwrap();
        }
        bandit.beliefs(&vip, secs(3))[0]
    };
    let prior = Prior { mean: 0.5, weight: 2.0 };
    // Beta(1 + 1.5, 1 + 1.5): mean 1/2, variance .25 / 6.
    let (mean, error) = one(Policy::ThompsonBeta, prior);
    assert_relative_eq!(mean, 0.5);
    assert_relative_eq!(error, (0.25f64 / 6.0).sqrt(), max_relative = 1e-12);
    // Five observations' worth; squares 1.25 - 1.5²/3 = .5, prior's 2 x .25.
    let (mean, error) = one(Policy::ThompsonNormal { deviation: 0.5 }, prior);
    assert_relative_eq!(mean, 0.5);
    assert_relative_eq!(error, (1.0f64 / 5.0 / 5.0).sqrt(), max_relative = 1e-12);
    // x = (1, 1), A = 2 I + 3 x x': x' A^-1 x = 2 / (2 + 6) = 1/4; theta = A^-1 (1.5 x + (1, 0)).
    let (mean, error) = one(Policy::LinThompson { noise: 2.0 }, prior);
    assert_relative_eq!(error, 1.0, max_relative = 1e-12);
    assert_relative_eq!(mean, 1.5 * 0.25 + 0.125, max_relative = 1e-12);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Three processes choose, are rewarded, and exchange copies: any merge order gives the same bytes, and merging again
    /// changes nothing.
    #[test]
    fn merging_is_commutative_associative_and_idempotent(steps in prop::collection::vec((0usize..3, 0u8..4, 0u64..6), 0..40), linear: bool) {
        let policy = if linear { Policy::LinThompson { noise: 0.5 } } else { Policy::ThompsonBeta };
        let params = BanditParams { policy, features: features(), half_life: Some(Span::secs(30)), ..BanditParams::default() };
        let mut processes: Vec<Bandit> = (0..3)
            .map(|p| Bandit::new(params.clone().check().unwrap(), arms(&["a", "b"]), format!("p{p}"), Evidence::default()).unwrap())
            .collect();
        let mut copies = vec![Evidence::default()];
        let mut draw = Draw(7);
        for (n, (p, what, which)) in steps.into_iter().enumerate() {
            let (id, context) = (n.to_string(), context(&mut draw));
            match what {
                0 | 1 => { processes[p].choose(&ask(&id, &context, n as i64, 3)).unwrap(); }
                2 => {
                    let id = ChoiceId { process: format!("p{p}"), number: which };
                    let _ = processes[p].reward(&id, 1.0, secs(n as i64)).unwrap();
                }
                _ => { let from = processes[(p + 1) % 3].evidence().clone(); processes[p].merge(&from).unwrap(); }
            }
            copies.push(processes[p].evidence().clone());
        }
        let join = |of: &[&Evidence]| { let mut all = Evidence::default(); of.iter().for_each(|e| all.merge(e)); all };
        let (a, b, c) = (processes[0].evidence(), processes[1].evidence(), processes[2].evidence());
        let bc = join(&[b, c]);
        let ab = join(&[a, b]);
        prop_assert_eq!(join(&[a, &bc]), join(&[&ab, c]));
        prop_assert_eq!(join(&[a, b]), join(&[b, a]));
        prop_assert_eq!(join(&[a, b, c, a, &bc, b]), join(&[c, b, a]));
        // Old copies that come late change nothing.
        let mut late = join(&[a, b, c]);
        copies.iter().for_each(|copy| late.merge(copy));
        prop_assert_eq!(&late, &join(&[a, b, c]));
        let text = serde_json::to_string(&late).unwrap();
        prop_assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), late);
    }

    /// Rewards in any order, twice, and late choices: the sums are those of a list that is added up at the end.
    #[test]
    fn evidence_is_what_a_list_adds_up_to(choices in prop::collection::vec((0i64..50, prop::option::of(0i64..20)), 1..25), half in 1u32..100) {
        let half_life = Span::secs(half);
        let params = BanditParams { half_life: Some(half_life), wait: Span::secs(10), ..BanditParams::default() };
        let mut bandit = bandit(params, &["a", "b"]);
        let mut choices: Vec<_> = choices.into_iter().collect();
        choices.sort_unstable();
        let mut list = Vec::new();
        let mut rewards = Vec::new();
        for (n, (at, after)) in choices.iter().enumerate() {
            let choice = bandit.choose(&ask(&n.to_string(), &ContentContext::default(), *at, 1)).unwrap();
            list.push((choice.arm.clone(), *at, after.is_some_and(|after| after <= 10)));
            if let Some(after) = after { rewards.push((at + after, choice.id.clone(), *after <= 10)); }
        }
        rewards.sort_unstable();
        rewards.reverse();
        for (at, id, in_time) in rewards {
            // A choice is forgotten only when a later one sees it is too old.
            let first = bandit.reward(&id, 1.0, secs(at)).unwrap();
            let fine = first == Rewarded::TooLate || in_time && first == Rewarded::Counted;
            prop_assert!(fine, "{first:?}");
            if first == Rewarded::Counted {
                prop_assert_eq!(bandit.reward(&id, 0.5, secs(at)).unwrap(), Rewarded::Duplicate);
            } else {
                let number = id.number as usize;
                list[number].2 = false;
            }
        }
        for arm in ["a", "b"] {
            let seen = bandit.evidence().of(arm, secs(60), Some(half_life));
            let mine = || list.iter().filter(|(a, ..)| a == arm);
            let weigh = |at: i64| 0.5f64.powf((60 - at) as f64 / f64::from(half));
            prop_assert_eq!(seen.shown, mine().count() as u64);
            prop_assert!((seen.weight - mine().map(|(_, at, _)| weigh(*at)).sum::<f64>()).abs() < 1e-9);
            prop_assert!((seen.reward - mine().filter(|c| c.2).map(|(_, at, _)| weigh(*at)).sum::<f64>()).abs() < 1e-9);
        }
    }

    /// A page shows nothing twice, adds up, and is nearly as good as the best of all pages.
    #[test]
    fn pages_are_lawful_and_good(
        attention in prop::collection::vec(0.0f64..=1.0, 1..4),
        modules in prop::collection::vec((prop::collection::vec((0u32..8, 0.0f64..1.0), 0..5), 0u8..3, 0.0f64..3.0, 0.5f64..=1.0), 1..6),
    ) {
        let slots: Vec<Slot> = attention.iter().enumerate().map(|(n, a)| Slot { id: n.to_string(), attention: *a }).collect();
        let modules: Vec<Module> = modules.into_iter().enumerate().map(|(n, (items, topic, value, fresh))| Module {
            id: n.to_string(),
            topic: if topic == 0 { String::new() } else { topic.to_string() },
            body: if items.is_empty() { Body::Banner(value) } else {
                let mut items: Vec<(ItemIdx, f64)> = items.into_iter().map(|(i, v)| (ItemIdx::new(i), v)).collect();
                items.sort_by(|a, b| b.1.total_cmp(&a.1));
                Body::Rail { items, show: 3, least: 1 + usize::from(topic) }
            },
            fresh,
        }).collect();
        let params = PageParams::default().check().unwrap();
        let page = plan_page(&slots, &modules, &params).unwrap();
        let items: Vec<ItemIdx> = page.filled.iter().flat_map(|f| f.items.clone()).collect();
        prop_assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len());
        prop_assert_eq!(page.filled.iter().map(|f| f.module).collect::<BTreeSet<_>>().len(), page.filled.len());
        prop_assert!((page.filled.iter().map(|f| f.value).sum::<f64>() - page.value).abs() < 1e-9);
        let looked: Vec<f64> = page.filled.iter().map(|f| slots[f.slot].attention).collect();
        prop_assert!(looked.windows(2).all(|w| w[0] >= w[1]));
        // All assignments, each planned alone: the slots in their order of attention.
        let mut order: Vec<usize> = (0..slots.len()).collect();
        order.sort_by(|a, b| slots[*b].attention.total_cmp(&slots[*a].attention));
        let mut best = 0.0f64;
        let mut stack = vec![Vec::new()];
        while let Some(chosen) = stack.pop() {
            if chosen.len() == slots.len() {
                best = best.max(worth(&slots, &order, &modules, &chosen));
                continue;
            }
            for next in std::iter::once(None).chain((0..modules.len()).map(Some)) {
                if next.is_none() || !chosen.contains(&next) {
                    let mut more = chosen.clone();
                    more.push(next);
                    stack.push(more);
                }
            }
        }
        prop_assert!((page.value - best).abs() < 1e-9, "{} of {best}", page.value);
        // Beyond the exact ones: exchanges stop where no single one helps.
        let quick = plan_page(&slots, &modules, &PageParams { exact: 0, ..PageParams::default() }.check().unwrap()).unwrap();
        prop_assert!(quick.value <= best + 1e-9 && quick.value >= 0.5 * best - 1e-9, "{} of {best}", quick.value);
        let items: Vec<ItemIdx> = quick.filled.iter().flat_map(|f| f.items.clone()).collect();
        prop_assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len());
    }
}

#[test]
fn exchanged_pages_are_nearly_the_best() {
    let mut draw = Draw(12);
    let (mut best, mut mean, pages) = (0, 0.0, 300);
    for _ in 0..pages {
        let slots: Vec<Slot> = (0..3).map(|n| Slot { id: n.to_string(), attention: draw.unit() }).collect();
        let modules: Vec<Module> = (0..6)
            .map(|n| {
                let mut items: Vec<(ItemIdx, f64)> =
                    (0..6).map(|_| (ItemIdx::new((draw.unit() * 20.0) as u32), draw.unit())).collect();
                items.sort_by(|a, b| b.1.total_cmp(&a.1));
                let topic = if n % 2 == 0 { String::new() } else { "toys".to_owned() };
                Module { id: n.to_string(), topic, body: Body::Rail { items, show: 4, least: 2 }, fresh: 1.0 }
            })
            .collect();
        let value = |exact| {
            plan_page(&slots, &modules, &PageParams { exact, ..PageParams::default() }.check().unwrap()).unwrap().value
        };
        let (quick, exact) = (value(0), value(1_000));
        best += i32::from(quick >= exact - 1e-9);
        mean += quick / exact / f64::from(pages);
    }
    assert!(best >= 240 && mean > 0.99, "{best} of {pages} are the best, {mean} of it on average");
}

/// A page's value by its definition.
fn worth(slots: &[Slot], order: &[usize], modules: &[Module], chosen: &[Option<usize>]) -> f64 {
    let (mut shown, mut topics, mut total) = (BTreeSet::new(), BTreeMap::new(), 0.0);
    for (slot, module) in order.iter().zip(chosen) {
        let Some(module) = module.map(|m| &modules[m]) else {
            continue;
        };
        let value = match &module.body {
            Body::Banner(value) => *value,
            Body::Rail { items, show, least } => {
                let mut own = Vec::new();
                for (item, value) in items {
                    if !shown.contains(item) && !own.iter().any(|(i, _)| i == item) && own.len() < *show {
                        own.push((*item, *value));
                    }
                }
                if own.len() < *least {
                    continue;
                }
                shown.extend(own.iter().map(|(item, _)| *item));
                own.iter().enumerate().map(|(place, (_, value))| value * 0.85f64.powi(place as i32)).sum()
            }
        };
        let before = topics.entry(module.topic.clone()).or_insert(0);
        let same = if module.topic.is_empty() { 0 } else { *before };
        *before += 1;
        total += value * slots[*slot].attention * module.fresh * 0.6f64.powi(same);
    }
    total
}

#[test]
fn the_same_question_has_the_same_answer_after_a_restart() {
    for policy in POLICIES {
        let mut bandit = taught(policy, 2, 80);
        let text = serde_json::to_string(bandit.evidence()).unwrap();
        let params = BanditParams { policy, features: features(), ..BanditParams::default() };
        let evidence = serde_json::from_str(&text).unwrap();
        let mut back = Bandit::new(params.check().unwrap(), arms(&["a", "b", "c"]), "p", evidence).unwrap();
        let context = context(&mut Draw(1));
        assert_eq!(
            bandit.choose(&ask("r", &context, 90, 4)).unwrap(),
            back.choose(&ask("r", &context, 90, 4)).unwrap()
        );
    }
}

#[test]
fn arms_come_and_go() {
    let mut bandit = taught(Policy::ThompsonBeta, 1, 200);
    let context = ContentContext::default();
    let before = bandit.evidence().of("c", secs(200), None);
    let mut pending = None;
    for n in 0..50 {
        let choice = bandit.choose(&ask(&format!("x{n}"), &context, 200, 1)).unwrap();
        if choice.arm == "c" {
            pending = Some(choice);
        }
    }
    let pending = pending.unwrap();
    bandit.set_arms(arms(&["a", "new"])).unwrap();
    let choice = bandit.choose(&ask("y", &context, 201, 1)).unwrap();
    assert!(choice.among.iter().map(|(arm, _)| arm.as_str()).eq(["a", "new"]));
    assert!(choice.among[1].1 > 0.5, "what nobody has seen may be better than .2: {choice:?}");
    // The reward of an arm that left still counts, and it comes back as it was.
    assert_eq!(bandit.reward(&pending.id, 1.0, secs(202)).unwrap(), Rewarded::Counted);
    bandit.set_arms(arms(&["a", "c"])).unwrap();
    let after = bandit.evidence().of("c", secs(202), None);
    assert!(after.shown > before.shown && after.reward >= before.reward + 1.0);
    assert_eq!(bandit.set_arms(arms(&["a", "a"])), Err(BanditError::ArmName { id: "a".into() }));
    assert_eq!(bandit.set_arms(arms(&[""])), Err(BanditError::ArmName { id: String::new() }));
    assert_eq!(bandit.arms().len(), 2);
    bandit.set_arms(vec![]).unwrap();
    assert_eq!(bandit.choose(&ask("z", &context, 203, 1)), Err(BanditError::NoneEligible { arms: 0 }));
}

#[test]
fn rewards_find_their_choice_or_say_why_not() {
    let params = BanditParams { wait: Span::secs(10), ..BanditParams::default() };
    let mut bandit = bandit(params.clone(), &["a", "b"]);
    let context = ContentContext::default();
    let choice = bandit.choose(&ask("r", &context, 0, 1)).unwrap();
    let id = |process: &str, number| ChoiceId { process: process.into(), number };
    let mut tell = |id: &ChoiceId, reward, at| bandit.reward(id, reward, secs(at));
    assert_eq!(tell(&id("p", 1), 1.0, 1), Ok(Rewarded::Unknown));
    assert_eq!(tell(&id("q", 0), 1.0, 1), Ok(Rewarded::Unknown));
    assert!(matches!(tell(&choice.id, 1.5, 1), Err(BanditError::Reward { .. })));
    assert!(matches!(tell(&choice.id, f64::NAN, 1), Err(BanditError::Reward { .. })));
    assert!(matches!(tell(&choice.id, -1.0, 1), Err(BanditError::Reward { .. })));
    assert_eq!(tell(&choice.id, 1.0, 1), Ok(Rewarded::Counted));
    assert_eq!(tell(&choice.id, 1.0, 2), Ok(Rewarded::Duplicate));
    assert_eq!(tell(&choice.id, 1.0, 11), Ok(Rewarded::TooLate));
    let mut other = Bandit::new(params.check().unwrap(), arms(&["a", "b"]), "q", bandit.evidence().clone()).unwrap();
    assert_eq!(other.reward(&choice.id, 1.0, secs(3)), Ok(Rewarded::Elsewhere));
    assert_eq!(other.evidence(), bandit.evidence(), "nothing of that was counted");
    // Revenue may be negative where rewards are any numbers.
    let normal = BanditParams { policy: Policy::ThompsonNormal { deviation: 10.0 }, ..BanditParams::default() };
    let mut shop = self::bandit(normal, &["a"]);
    let choice = shop.choose(&ask("r", &context, 0, 1)).unwrap();
    assert_eq!(shop.reward(&choice.id, -25.0, secs(1)), Ok(Rewarded::Counted));
    assert!(shop.beliefs(&context, secs(1))[0].0 < 0.0);
}

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
}

#[test]
fn a_tired_shopper_is_shown_something_else() {
    let params = FatigueParams { factor: 0.5, recovery: Span::days(1), floor: 0.01 };
    let mut tired = Fatigue::new(params.check().unwrap());
    let day = |d: i64| secs(d * 86_400);
    tired.shown("hero", "a", day(0));
    tired.shown("hero", "a", day(0));
    assert_relative_eq!(tired.factor("hero", "a", day(0)), 0.25);
    assert_relative_eq!(tired.factor("hero", "a", day(1)), 0.5, max_relative = 1e-12);
    assert_relative_eq!(tired.factor("hero", "a", day(2)), 0.5f64.sqrt(), max_relative = 1e-12);
    assert_eq!((tired.factor("footer", "a", day(0)), tired.factor("hero", "b", day(0))), (1.0, 1.0));
    let params = BanditParams { explore: 1.0, ..BanditParams::default() };
    let bandit = bandit(params, &["a", "b"]);
    let of = bandit.propensities(&ContentContext::default(), day(0), Some((&tired, "hero"))).unwrap();
    assert_relative_eq!(of[0].1, 0.2, max_relative = 1e-12);
    assert_relative_eq!(of[1].1, 0.8, max_relative = 1e-12);
    (0..100).for_each(|_| tired.shown("hero", "a", day(3)));
    assert_eq!(tired.factor("hero", "a", day(3)), 0.01);
    let text = serde_json::to_string(&tired).unwrap();
    assert_eq!(serde_json::from_str::<Fatigue>(&text).unwrap(), tired);
    tired.clicked("hero", "a");
    assert_eq!(tired.factor("hero", "a", day(3)), 1.0);
    tired.shown("hero", "a", day(3));
    tired.forget(0.1, day(30));
    assert_eq!(
        tired,
        Fatigue::new(FatigueParams { factor: 0.5, recovery: Span::days(1), floor: 0.01 }.check().unwrap())
    );
}

#[test]
fn recipes_and_evidence_that_do_not_fit_are_refused() {
    let refused = |params: BanditParams| params.check().unwrap_err().param;
    let base = BanditParams::default;
    assert_eq!(refused(BanditParams { policy: Policy::EpsilonGreedy { epsilon: 1.5 }, ..base() }), "policy.epsilon");
    assert_eq!(refused(BanditParams { policy: Policy::LinThompson { noise: 0.0 }, ..base() }), "policy.noise");
    let endless = Policy::LinUcb { width: 1.0, noise: f64::INFINITY };
    assert_eq!(refused(BanditParams { policy: endless, ..base() }), "policy.noise");
    assert_eq!(refused(BanditParams { spread: 0.0, ..base() }), "spread");
    assert_eq!(refused(BanditParams { prior: Prior { mean: 1.0, weight: 1.0 }, ..base() }), "prior.mean");
    assert_eq!(refused(BanditParams { prior: Prior { mean: 0.5, weight: f64::NAN }, ..base() }), "prior.weight");
    assert_eq!(refused(BanditParams { explore: -0.1, ..base() }), "explore");
    assert_eq!(refused(BanditParams { half_life: Some(Span::ZERO), ..base() }), "half_life");
    let twice = Features { devices: vec!["x".into(), "x".into()], ..Features::default() };
    assert_eq!(refused(BanditParams { features: twice, ..base() }), "devices");
    let linear = taught(Policy::LinUcb { width: 1.5, noise: 0.5 }, 1, 10);
    let other = BanditParams { policy: Policy::LinUcb { width: 1.5, noise: 0.5 }, ..base() }.check().unwrap();
    let made = Bandit::new(other, arms(&["a"]), "p", linear.evidence().clone());
    assert!(matches!(made, Err(BanditError::Features { expected: 1, .. })));
    let nameless = Bandit::new(base().check().unwrap(), arms(&["a"]), "", Evidence::default());
    assert_eq!(nameless.err(), Some(BanditError::Process));
    let sure = Arm { prior: Some(Prior { mean: 0.0, weight: 1.0 }), ..Arm::new("a") };
    assert!(matches!(
        Bandit::new(base().check().unwrap(), vec![sure], "p", Evidence::default()),
        Err(BanditError::Prior { .. })
    ));
    let slot = [Slot { id: "s".into(), attention: 1.5 }];
    assert_eq!(plan_page(&slot, &[], &PageParams::default().check().unwrap()).unwrap_err().what, "the attention");
    let module = |value| Module { id: "m".into(), topic: String::new(), body: Body::Banner(value), fresh: 1.0 };
    for bad in [f64::NAN, -1.0] {
        assert!(plan_page(&[], &[module(bad)], &PageParams::default().check().unwrap()).is_err());
    }
}
