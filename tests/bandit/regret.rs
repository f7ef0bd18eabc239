//! What is lost: below the best epsilon-greedy, and less with context that matters.

use super::*;

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
