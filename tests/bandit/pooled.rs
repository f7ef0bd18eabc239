//! What arms learn from each other: against integrals and full regressions, and by hand.

use super::*;

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
