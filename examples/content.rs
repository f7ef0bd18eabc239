//! Which banner? Bandits against a simulated shop: regret by policy and world, propensities against frequencies, and a
//! page planned as a whole.
//!
//! ```sh
//! cargo run --release --example content [visits, 4000 unless said] [shops, 50 unless said]
//! ```
//!
//! Epsilon-greedy is tuned in hindsight: of four constants, and of four decays, the one that lost least in this very world.
//! It is told the usual rate, but for the line "flat prior": there its first looks are optimistic (an arm not seen for long
//! is taken to be clicked half of the time), which explores by itself.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Instant;

use likewise::decide::content::*;
use likewise::experiment::off_policy::{Estimator, Logged, OffPolicyParams, evaluate};
use likewise::experiment::sample_ratio;
use likewise::{ItemIdx, Run, Span, Timestamp, Validate};
use rayon::prelude::*;

const BANNERS: [&str; 5] = ["spring", "sale", "toys", "garden", "gift"];

/// The chance that a visitor clicks a banner.
#[derive(Clone, Copy)]
enum World {
    /// .04, .05, .06, .07, .08, for ever.
    Still,
    /// .04, but .10 for the banner of the season; a season is a fifth of the visits.
    Drifting,
    /// .03, but .10 for the banner of the visitor's segment.
    Personal,
}

fn rate(world: World, banner: usize, visit: u32, visits: u32, segment: usize) -> f64 {
    match world {
        World::Still => 0.04 + 0.01 * banner as f64,
        World::Drifting => {
            if (u64::from(visit) * 5 / u64::from(visits)) as usize * 2 % 5 == banner {
                0.1
            } else {
                0.04
            }
        }
        World::Personal => {
            if segment == banner {
                0.1
            } else {
                0.03
            }
        }
    }
}

struct Told {
    /// Regret so far at each tenth of the visits.
    curve: [f64; 10],
    log: Vec<(Choice, f64)>,
}

/// A recipe, for epsilon-greedy perhaps with an epsilon that decays: `min(1, c / visits)`.
#[derive(Clone)]
struct Plan {
    params: BanditParams,
    decay: Option<f64>,
}

fn simulate(plan: &Plan, world: World, visits: u32, seed: u64) -> Result<Told, Box<dyn Error + Send + Sync>> {
    let arms = || BANNERS.map(Arm::new).to_vec();
    let mut bandit = Bandit::new(plan.params.clone().check()?, arms(), "shop", Evidence::default())?;
    let mut draw = Draw(seed);
    let mut told = Told { curve: [0.0; 10], log: Vec::new() };
    let (mut regret, mut late): (f64, VecDeque<(ChoiceId, u32)>) = (0.0, VecDeque::new());
    for visit in 0..visits {
        if let Some(c) = plan.decay.filter(|_| visit % 50 == 0) {
            // A new recipe over the same evidence.
            let policy = Policy::EpsilonGreedy { epsilon: (c / f64::from(visit + 25)).min(1.0) };
            let params = BanditParams { policy, ..plan.params.clone() };
            bandit = Bandit::new(params.check()?, arms(), "shop", bandit.evidence().clone())?;
        }
        let now = Timestamp::from_secs(visit.into());
        let segment = (draw.unit() * 5.0) as usize;
        let context = ContentContext { segments: vec![format!("s{segment}")], ..ContentContext::default() };
        let id = visit.to_string();
        let choice = bandit.choose(&ContentRequest { id: &id, context: &context, now, seed, fatigue: None })?;
        let banner = BANNERS.iter().position(|b| *b == choice.arm).ok_or("an arm nobody gave")?;
        let chance = |banner| rate(world, banner, visit, visits, segment);
        regret += (0..5).map(chance).fold(0.0, f64::max) - chance(banner);
        let clicked = draw.unit() < chance(banner);
        if clicked {
            late.push_back((choice.id.clone(), visit + 30)); // the click is known half a minute later
        }
        while late.front().is_some_and(|(_, at)| *at <= visit) {
            let Some((id, _)) = late.pop_front() else { break };
            let _ = bandit.reward(&id, 1.0, now)?;
        }
        told.curve[(u64::from(visit) * 10 / u64::from(visits)) as usize] = regret;
        told.log.push((choice, f64::from(u8::from(clicked))));
    }
    Ok(told)
}

/// Mean and standard error.
fn mean(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    (mean, (of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

/// What runs in a world: a name, and plans of which the one that loses least in the end is printed.
fn contenders(world: World, visits: u32) -> Vec<(&'static str, Vec<Plan>)> {
    let half_life = matches!(world, World::Drifting).then(|| Span::secs(visits / 20));
    // Clicks come within half a minute.
    let base = BanditParams { explore: 0.0, half_life, wait: Span::secs(60), ..BanditParams::default() };
    let features = Features { segments: (0..5).map(|s| format!("s{s}")).collect(), ..Features::default() };
    // Epsilon-greedy is told what a banner is clicked; the others start from "half, worth two choices" and find out.
    let told = BanditParams { prior: Prior { mean: 0.05, weight: 4.0 }, ..base.clone() };
    let one = |params: BanditParams| vec![Plan { params, decay: None }];
    let greedy = |base: &BanditParams| {
        let of = |epsilon| Plan {
            params: BanditParams { policy: Policy::EpsilonGreedy { epsilon }, ..base.clone() },
            decay: None,
        };
        [0.02, 0.05, 0.1, 0.2].map(of).to_vec()
    };
    let decaying = [20.0, 50.0, 100.0, 200.0].map(|c| Plan {
        params: BanditParams { policy: Policy::EpsilonGreedy { epsilon: 1.0 }, ..told.clone() },
        decay: Some(c),
    });
    let with = |policy| BanditParams { policy, ..base.clone() };
    let linear = |policy| BanditParams { policy, features: features.clone(), ..base.clone() };
    let ucb = Policy::LinUcb { width: 1.5, noise: 0.5 };
    let mut all = vec![("epsilon-greedy, best constant", greedy(&told))];
    if !matches!(world, World::Personal) {
        all.push(("epsilon-greedy, best decay", decaying.to_vec()));
        all.push(("epsilon-greedy, flat prior", greedy(&base)));
    }
    all.push(("Thompson, shares", one(base.clone())));
    if !matches!(world, World::Personal) {
        all.push(("Thompson, normal", one(with(Policy::ThompsonNormal { deviation: 0.5 }))));
        all.push(("upper bound, no context", one(with(ucb))));
    }
    all.push(("LinUCB", one(linear(ucb))));
    all.push(("linear Thompson", one(linear(Policy::LinThompson { noise: 0.5 }))));
    all
}

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at: usize, usual: u32| std::env::args().nth(at).map_or(Ok(usual), |n| n.parse::<u32>());
    let (visits, shops) = (number(1, 4_000)?.max(100), number(2, 50)?.max(2));
    for (number, (world, what)) in [
        (World::Still, "a world that stands still"),
        (World::Drifting, "another best banner every fifth of the time, evidence fading by half in a twentieth"),
        (World::Personal, "every segment has a banner of its own"),
    ]
    .into_iter()
    .enumerate()
    {
        println!("{}. {what}: clicks lost against always showing the best, {shops} shops", number + 1);
        print!("   {:<38}", "after visits");
        (1..=5).for_each(|fifth| print!("{:>8}", visits / 5 * fifth));
        println!("   ± s.e.");
        for (name, plans) in contenders(world, visits) {
            let mut best: Option<(f64, Vec<[f64; 10]>, &Plan)> = None;
            for plan in &plans {
                let run = |seed| simulate(plan, world, visits, seed).map(|told| told.curve);
                let all: Result<Vec<_>, _> = (0..u64::from(shops)).into_par_iter().map(run).collect();
                let all = all.map_err(|error| error.to_string())?;
                let (lost, _) = mean(&all.iter().map(|curve| curve[9]).collect::<Vec<_>>());
                if best.as_ref().is_none_or(|(least, ..)| lost < *least) {
                    best = Some((lost, all, plan));
                }
            }
            let (_, all, plan) = best.ok_or("no plan")?;
            let note = match (plan.decay, plan.params.policy) {
                (Some(c), _) => format!(" ({c}/n)"),
                (None, Policy::EpsilonGreedy { epsilon }) => format!(" ({epsilon})"),
                _ => String::new(),
            };
            print!("   {:<38}", format!("{name}{note}"));
            let at = |tenth: usize| mean(&all.iter().map(|curve| curve[tenth]).collect::<Vec<_>>());
            [1, 3, 5, 7, 9].iter().for_each(|tenth| print!("{:>8.1}", at(*tenth).0));
            println!(" {:>8.1}", at(9).1);
        }
        println!();
    }
    let base = BanditParams { explore: 0.05, ..BanditParams::default() };
    propensities(&base)?;
    replay(&base, visits)?;
    page()
}

/// What is reported against what is done.
fn propensities(base: &BanditParams) -> Result<(), Box<dyn Error>> {
    println!("4. propensities against the frequencies of 20,000 choices from one state");
    let mut bandit = Bandit::new(base.clone().check()?, BANNERS.map(Arm::new).to_vec(), "shop", Evidence::default())?;
    let (context, mut draw) = (ContentContext::default(), Draw(1));
    for visit in 0..400 {
        let id = visit.to_string();
        let now = Timestamp::from_secs(visit);
        let choice = bandit.choose(&ContentRequest { id: &id, context: &context, now, seed: 1, fatigue: None })?;
        if draw.unit() < 0.1 {
            let _ = bandit.reward(&choice.id, 1.0, now)?;
        }
    }
    let now = Timestamp::from_secs(400);
    let stated = bandit.propensities(&context, now, None)?;
    let mut counts = [0u64; 5];
    let started = Instant::now();
    for request in 0..20_000 {
        let id = request.to_string();
        let choice =
            bandit.clone().choose(&ContentRequest { id: &id, context: &context, now, seed: 7, fatigue: None })?;
        counts[BANNERS.iter().position(|b| *b == choice.arm).ok_or("an arm nobody gave")?] += 1;
    }
    let took = started.elapsed() / 20_000;
    for ((place, p), count) in stated.iter().zip(counts) {
        println!("   {:<8} said {p:.4}, done {:.4}", BANNERS[*place], count as f64 / 2e4);
    }
    let weights: Vec<u32> = stated.iter().map(|(_, p)| (p * 1e9) as u32).collect();
    println!(
        "   chi-square p = {:.3}; {took:?} a choice, the copy of its state included\n",
        sample_ratio(&counts, &weights)?.p_value
    );
    Ok(())
}

/// The log of one policy, read by another: the bandit that explored is judged by off-policy evaluation.
fn replay(base: &BanditParams, visits: u32) -> Result<(), Box<dyn Error>> {
    println!("5. the log of Thompson sampling (5 % exploration) says what a fixed banner would have earned");
    let plan = Plan { params: base.clone(), decay: None };
    let told = simulate(&plan, World::Still, visits, 3).map_err(|error| error.to_string())?;
    for (number, banner) in BANNERS.iter().enumerate() {
        let rows = told.log.iter().map(|(choice, reward)| {
            let target = f64::from(u8::from(choice.arm == *banner));
            Logged { reward: *reward, propensity: choice.propensity, target, modelled: 0.0, value: 0.0 }
        });
        let rows: Vec<Logged> = rows.collect();
        let found =
            evaluate(&rows, &OffPolicyParams { resamples: 200, ..OffPolicyParams::default() }.check()?, &Run::new(1))?;
        let snips = found.get(Estimator::SelfNormalised).ok_or("no estimate")?;
        let (low, high) = snips.interval.unwrap_or((f64::NAN, f64::NAN));
        println!(
            "   {banner:<8} truth {:.3}, estimate {:.3} ({low:.3} to {high:.3})",
            rate(World::Still, number, 0, visits, 0),
            snips.value.unwrap_or(f64::NAN)
        );
    }
    Ok(())
}

/// Three slots, five modules that share items, and a shopper who saw the banner often.
fn page() -> Result<(), Box<dyn Error>> {
    println!("\n6. a page of three slots");
    let now = Timestamp::from_secs(0);
    let mut tired = Fatigue::new(FatigueParams::default().check()?);
    (0..4).for_each(|_| tired.shown("hero", "banner: sale", now));
    let slots =
        [("hero", 1.0), ("middle", 0.6), ("foot", 0.3)].map(|(id, attention)| Slot { id: id.to_owned(), attention });
    let rail = |id: &str, topic: &str, items: &[(u32, f64)]| Module {
        id: id.to_owned(),
        topic: topic.to_owned(),
        body: Body::Rail { items: items.iter().map(|(i, v)| (ItemIdx::new(*i), *v)).collect(), show: 4, least: 2 },
        fresh: 1.0,
    };
    let banner = Module {
        id: "banner: sale".to_owned(),
        topic: "sale".to_owned(),
        body: Body::Banner(0.5),
        fresh: tired.factor("hero", "banner: sale", now),
    };
    let modules = [
        banner,
        rail("for you", "", &[(1, 0.12), (2, 0.11), (3, 0.1), (4, 0.09), (5, 0.08)]),
        rail("bought together", "", &[(2, 0.14), (1, 0.1), (6, 0.08), (7, 0.05)]),
        rail("toys", "toys", &[(8, 0.1), (9, 0.09), (3, 0.08), (10, 0.07)]),
        rail("more toys", "toys", &[(11, 0.1), (12, 0.09), (13, 0.08), (14, 0.07)]),
    ];
    let page = plan_page(&slots, &modules, &PageParams::default().check()?)?;
    for filled in &page.filled {
        let items: Vec<u32> = filled.items.iter().map(|item| item.get()).collect();
        println!(
            "   {:<7} {:<16} {items:?} worth {:.3}",
            slots[filled.slot].id, modules[filled.module].id, filled.value
        );
    }
    println!("   the page is worth {:.3}", page.value);
    Ok(())
}

/// A fixed sequence of random numbers (splitmix64), so that everybody sees the same tables.
struct Draw(u64);

impl Draw {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
