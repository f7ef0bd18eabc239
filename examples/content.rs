//! Which banner? Bandits against a simulated shop: regret by policy and world, propensities against frequencies, and a
//! page planned as a whole.
//!
//! ```sh
//! cargo run --release --example content [visits, 10000 unless said]
//! ```

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

fn simulate(params: &BanditParams, world: World, visits: u32, seed: u64) -> Result<Told, Box<dyn Error + Send + Sync>> {
    let arms = BANNERS.map(Arm::new).to_vec();
    let mut bandit = Bandit::new(params.clone().check()?, arms, "shop", Evidence::default())?;
    let mut draw = Draw(seed);
    let mut told = Told { curve: [0.0; 10], log: Vec::new() };
    let (mut regret, mut late): (f64, Vec<(ChoiceId, u32)>) = (0.0, Vec::new());
    for visit in 0..visits {
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
            late.push((choice.id.clone(), visit + 30)); // the click is known half a minute later
        }
        while late.first().is_some_and(|(_, at)| *at <= visit) {
            let (id, _) = late.remove(0);
            let _ = bandit.reward(&id, 1.0, now)?;
        }
        told.curve[(u64::from(visit) * 10 / u64::from(visits)) as usize] = regret;
        told.log.push((choice, f64::from(u8::from(clicked))));
    }
    Ok(told)
}

fn main() -> Result<(), Box<dyn Error>> {
    let visits: u32 = std::env::args().nth(1).map_or(Ok(10_000), |n| n.parse())?;
    let visits = visits.max(100);
    let usual = Prior { mean: 0.05, weight: 4.0 }; // about what a banner is clicked
    let base = BanditParams { explore: 0.0, prior: usual, ..BanditParams::default() };
    let segments = Features { segments: (0..5).map(|s| format!("s{s}")).collect(), ..Features::default() };
    let few = Prior { mean: 0.05, weight: 1.0 };
    let linear = |policy| BanditParams { policy, features: segments.clone(), prior: few, ..base.clone() };
    let policies = [
        ("epsilon-greedy .1", BanditParams { policy: Policy::EpsilonGreedy { epsilon: 0.1 }, ..base.clone() }),
        ("Thompson, shares", base.clone()),
        (
            "Thompson, normal",
            BanditParams { policy: Policy::ThompsonNormal { deviation: 0.25 }, prior: few, ..base.clone() },
        ),
        ("LinUCB", linear(Policy::LinUcb { width: 0.5 })),
        ("linear Thompson", linear(Policy::LinThompson { noise: 0.25 })),
    ];
    for (number, (world, what)) in [
        (World::Still, "a world that stands still"),
        (World::Drifting, "another best banner every fifth of the time"),
        (World::Personal, "every segment has a banner of its own"),
    ]
    .into_iter()
    .enumerate()
    {
        println!("{}. {what}: clicks lost against always showing the best, mean of 8 shops", number + 1);
        print!("   {:<30}", "after visits");
        (1..=5).for_each(|fifth| print!("{:>9}", visits / 5 * fifth));
        println!();
        for (name, params) in &policies {
            let halves = if matches!(world, World::Drifting) { vec![None, Some(visits / 20)] } else { vec![None] };
            for half in halves {
                let params = BanditParams { half_life: half.map(Span::secs), ..params.clone() };
                let all: Result<Vec<Told>, _> =
                    (0..8u64).into_par_iter().map(|seed| simulate(&params, world, visits, seed)).collect();
                let all = all.map_err(|error| error.to_string())?;
                let name = half.map_or_else(|| (*name).to_owned(), |_| format!("{name}, fading"));
                print!("   {name:<30}");
                for tenth in [1, 3, 5, 7, 9] {
                    print!("{:>9.1}", all.iter().map(|told| told.curve[tenth]).sum::<f64>() / all.len() as f64);
                }
                println!();
            }
        }
        println!();
    }
    propensities(&base)?;
    replay(&base, visits)?;
    page()
}

/// What is reported against what is done.
fn propensities(base: &BanditParams) -> Result<(), Box<dyn Error>> {
    println!("4. propensities against the frequencies of 20,000 choices from one state");
    let params = BanditParams { explore: 0.05, ..base.clone() };
    let mut bandit = Bandit::new(params.check()?, BANNERS.map(Arm::new).to_vec(), "shop", Evidence::default())?;
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
    let params = BanditParams { explore: 0.05, ..base.clone() };
    let told = simulate(&params, World::Still, visits, 3).map_err(|error| error.to_string())?;
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
