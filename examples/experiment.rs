//! Did it work? Assignment, an A/A and an A/B test that is stopped when it says so, false alarms and power in tables, and
//! what another policy would have earned.
//!
//! ```sh
//! cargo run --release --example experiment [runs, 10000 unless said]
//! ```

use std::error::Error;
use std::io::Read;

use likewise::experiment::off_policy::{Estimator, Logged, OffPolicyParams, RewardModelParams, cross_fitted, evaluate};
use likewise::experiment::*;
use likewise::{Run, Timestamp, Validate};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let runs: u64 = std::env::args().nth(1).map_or(Ok(10_000), |n| n.parse())?;
    campaign()?;
    false_alarms(runs)?;
    power(runs)?;
    open_bandit()
}

/// A simulated shop: an experiment from its plan to its verdict.
fn campaign() -> Result<(), Box<dyn Error>> {
    println!("1. one experiment, from plan to verdict");
    let variant = |name: &str| VariantRecipe { name: name.to_owned(), weight: 1 };
    let recipe = |share| {
        let ranker = ExperimentRecipe {
            name: "ranker".to_owned(),
            salt: String::new(),
            places: 0..EVERYBODY,
            share,
            variants: vec![variant("as-is"), variant("blended")],
            starts: None,
            ends: None,
        };
        let layer = LayerRecipe { name: "home".to_owned(), experiments: vec![ranker], ..LayerRecipe::default() };
        PlanRecipe { holdout: 500, layers: vec![layer], ..PlanRecipe::default() }
    };
    let (first_week, later) = (Plan::new(recipe(1_000))?, Plan::new(recipe(EVERYBODY))?);
    let now = Timestamp::from_secs(0);
    let mut log = Vec::new();
    let (mut early, mut moved) = (0, 0);
    for shopper in 0..40_000 {
        let unit = format!("shopper-{shopper}");
        let before = first_week.assign("home", &unit, now).and_then(Assigned::variant);
        let after = later.assign("home", &unit, now).and_then(Assigned::variant);
        early += u32::from(before.is_some());
        moved += u32::from(before.is_some() && before != after);
        if let Some(variant) = after {
            log.push(Exposure { at: now, unit, experiment: "ranker".to_owned(), variant: variant.to_owned() });
        }
    }
    let exposed = Exposed::of(&log, "ranker");
    let counts = [exposed.count("as-is"), exposed.count("blended")];
    let ratio = sample_ratio(&counts, &[1, 1])?;
    println!("   {early} shoppers at a share of 10 %, {} at 100 %; {moved} changed variant", log.len());
    println!("   shares {counts:?}: sample ratio p = {:.3}", ratio.p_value);

    // Shoppers differ: who spent before, spends again. The blended ranking lifts revenue by 4 %.
    let mut draw = Draw(11);
    let outcomes: Vec<Outcome> = (exposed.first.values())
        .map(|(variant, _)| {
            let (taste, blended) = (draw.exponential(), usize::from(variant == "blended"));
            let spend = |draw: &mut Draw, lift: f64| 30.0 * taste * lift * (0.5 + draw.unit());
            let before = spend(&mut draw, 1.0);
            let during = spend(&mut draw, 1.0 + 0.04 * blended as f64);
            let totals = |revenue: f64| Totals {
                impressions: 20,
                clicks: (revenue / 15.0) as u64,
                visits: 1 + (revenue / 30.0) as u64,
                orders: u64::from(revenue > 20.0),
                revenue: if revenue > 20.0 { revenue } else { 0.0 },
            };
            Outcome { variant: blended, before: totals(before), during: totals(during) }
        })
        .collect();
    println!(
        "   {:<18} {:>9} {:>9} {:>21} {:>8} {:>9}",
        "kpi", "as-is", "blended", "95 % of the lift", "p", "variance"
    );
    for kpi in Kpi::ALL {
        for adjust in [Adjust::Plain, Adjust::Cuped] {
            let of = measure(&outcomes, 2, kpi, adjust)?;
            let found = welch(of[0].into(), of[1].into(), 0.95)?;
            let (low, high) = found.lift.map_or((f64::NAN, f64::NAN), |(_, interval)| interval);
            println!(
                "   {:<18} {:>9.4} {:>9.4} {:>9.2} % to {:>5.2} % {:>8.4} {:>8.0} %",
                if adjust == Adjust::Plain { format!("{kpi:?}") } else { "  with CUPED".to_owned() },
                of[0].estimate,
                of[1].estimate,
                100.0 * low,
                100.0 * high,
                found.p_value,
                100.0 * (1.0 - of[1].reduction)
            );
        }
    }
    let params = SequentialParams { mixture: Mixture::TunedFor(20_000), burn_in: 1_000, ..SequentialParams::default() };
    let mut test = Sequential::new(params.check()?);
    for (n, outcome) in outcomes.iter().enumerate() {
        let side = if outcome.variant == 0 { Side::Control } else { Side::Treatment };
        let look = test.observe(side, outcome.during.revenue)?;
        if look.verdict != Verdict::GoOn || n + 1 == outcomes.len() {
            let (low, high) = look.interval;
            println!("   read after every shopper: {:?} after {} of {}", look.verdict, n + 1, outcomes.len());
            println!("   difference {:.2}, at all times within {low:.2} to {high:.2}", look.difference);
            break;
        }
    }
    Ok(())
}

/// What a shop measures, with nothing different between the variants or `lift` in the treatment.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    metric: Metric,
    burn_in: u64,
    deviation: f64,
    value: fn(&mut Draw) -> f64,
}

const WORLDS: [World; 4] = [
    World { name: "normal values", metric: Metric::Mean, burn_in: 100, deviation: 1.0, value: |draw| draw.normal() },
    World {
        name: "clicks, 5 %",
        metric: Metric::Proportion,
        burn_in: 100,
        deviation: 0.217_944_947_177_033_7,
        value: |draw| f64::from(u8::from(draw.unit() < 0.05)),
    },
    World {
        name: "seconds, exponential",
        metric: Metric::Mean,
        burn_in: 100,
        deviation: 1.0,
        value: Draw::exponential,
    },
    World {
        name: "revenue, 5 % buy",
        metric: Metric::Mean,
        burn_in: 1_000,
        deviation: 16.04,
        value: |draw| if draw.unit() < 0.05 { 40.0 * (draw.normal() * 0.8).exp() } else { 0.0 },
    },
];

const PAIRS: u64 = 2_000;

/// One run: pairs until the test stops, looking after every observation; and whether Welch's test, read after every
/// 100th pair and at the end, would have cried.
struct Outcomes {
    stopped: Option<u64>,
    peeking: bool,
    fixed: bool,
}

fn simulate(world: &World, mixture: Mixture, lift: f64, run: u64) -> Result<Outcomes, Box<dyn Error + Send + Sync>> {
    let params = SequentialParams { metric: world.metric, mixture, burn_in: world.burn_in, alpha: 0.05 };
    let mut draw = Draw(run.wrapping_mul(0xd1b5_4a32_d192_ed03));
    let mut test = Sequential::new(params.check()?);
    let (mut control, mut treatment) = (Moments::default(), Moments::default());
    let mut found = Outcomes { stopped: None, peeking: false, fixed: false };
    for pair in 1..=PAIRS {
        let first = (world.value)(&mut draw);
        let mut second = (world.value)(&mut draw);
        if world.metric == Metric::Mean {
            second += lift;
        } else if second == 0.0 && lift > 0.0 && draw.unit() < lift / 0.95 {
            second = 1.0;
        }
        control.push(first);
        treatment.push(second);
        if found.stopped.is_none() {
            let one = test.observe(Side::Control, first)?;
            let two = test.observe(Side::Treatment, second)?;
            if one.verdict != Verdict::GoOn || two.verdict != Verdict::GoOn {
                found.stopped = Some(pair);
            }
        }
        if pair % 100 == 0 && pair >= world.burn_in {
            // Welch's test with hundreds of degrees of freedom: its statistic against the normal quantile.
            let (c, t) = (control.sample(), treatment.sample());
            let error = (c.variance / c.n as f64 + t.variance / t.n as f64).sqrt();
            let sure = ((t.mean - c.mean) / error).abs() > 1.959_964;
            found.peeking |= sure;
            found.fixed = sure;
        }
    }
    Ok(found)
}

fn many(world: &World, mixture: Mixture, lift: f64, runs: u64) -> Result<Vec<Outcomes>, Box<dyn Error>> {
    let all = (0..runs).into_par_iter().map(|run| simulate(world, mixture, lift, run)).collect::<Result<_, _>>();
    all.map_err(|error| error.to_string().into())
}

fn share(of: &[Outcomes], what: impl Fn(&Outcomes) -> bool) -> f64 {
    100.0 * of.iter().filter(|o| what(o)).count() as f64 / of.len() as f64
}

fn false_alarms(runs: u64) -> Result<(), Box<dyn Error>> {
    println!("\n2. A/A: false alarms of {runs} runs of {PAIRS} pairs, in % (at most 5 was asked)");
    println!("   {:<22} {:>12} {:>12} {:>14} {:>14}", "", "mixture SPRT", "tuned", "Welch, once", "Welch, often");
    for world in &WORLDS {
        let effect = many(world, Mixture::Effect(0.1 * world.deviation), 0.0, runs)?;
        let tuned = many(world, Mixture::TunedFor(2 * PAIRS), 0.0, runs)?;
        let alarms = |of: &[Outcomes]| share(of, |o| o.stopped.is_some());
        println!(
            "   {:<22} {:>12.2} {:>12.2} {:>14.2} {:>14.2}",
            world.name,
            alarms(&effect),
            alarms(&tuned),
            share(&tuned, |o| o.fixed),
            share(&tuned, |o| o.peeking)
        );
    }
    println!("   the sequential tests are read after every observation, \"often\" is every 100 pairs");
    Ok(())
}

fn power(runs: u64) -> Result<(), Box<dyn Error>> {
    let runs = (runs / 5).max(1);
    println!("\n3. A/B: power in % and mean pairs until the end, {runs} runs of at most {PAIRS} pairs, normal values");
    println!("   {:>9} {:>16} {:>22} {:>22}", "effect", "Welch at the end", "mixture SPRT (.1)", "tuned for the end");
    for effect in [0.05, 0.09, 0.15, 0.3] {
        let world = &WORLDS[0];
        let sprt = many(world, Mixture::Effect(0.1), effect, runs)?;
        let tuned = many(world, Mixture::TunedFor(2 * PAIRS), effect, runs)?;
        let pairs =
            |of: &[Outcomes]| of.iter().map(|o| o.stopped.unwrap_or(PAIRS) as f64).sum::<f64>() / of.len() as f64;
        let power = |of: &[Outcomes]| share(of, |o| o.stopped.is_some());
        println!(
            "   {effect:>7.2} d {:>9.1} {PAIRS:>6} {:>13.1} {:>8.0} {:>13.1} {:>8.0}",
            share(&sprt, |o| o.fixed),
            power(&sprt),
            pairs(&sprt),
            power(&tuned),
            pairs(&tuned)
        );
    }
    Ok(())
}

/// The Open Bandit data, if it lies beside the repository: what the log of one policy says about the other.
fn open_bandit() -> Result<(), Box<dyn Error>> {
    println!("\n4. off-policy: clicks per 10,000 impressions, Open Bandit data");
    println!(
        "   {:<5} {:>16} {:>7} {:>6} {:>6} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6} {:>16} {:>6}",
        "", "", "truth", "IPS", "clip", "SNIPS", "DM", "DR", "SNDR", "switch", "replay", "95 % of SNDR", "rows"
    );
    for campaign in ["all", "men", "women"] {
        for (from, to) in [("random", "bts"), ("bts", "random")] {
            let (Some(from_log), Some(to_log)) =
                (load(&format!("{from}_{campaign}"))?, load(&format!("{to}_{campaign}"))?)
            else {
                println!("   (../shared/data/open-bandit is not there)");
                return Ok(());
            };
            let log = seen(&from_log, &to_log)?;
            let found = evaluate(&log, &OffPolicyParams::default().check()?, &Run::new(42))?;
            let truth = to_log.iter().map(|i| i.click).sum::<f64>() / to_log.len() as f64;
            let of = |e| found.get(e).and_then(|e| e.value).map_or(f64::NAN, |v| 1e4 * v);
            let (low, high) = (found.get(Estimator::SelfNormalisedDoublyRobust).and_then(|e| e.interval))
                .map_or((f64::NAN, f64::NAN), |(low, high)| (1e4 * low, 1e4 * high));
            println!(
                "   {:<5} {:>16} {:>7.1} {:>6.1} {:>6.1} {:>7.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>7.1} to {:>5.1} {:>6.0}",
                campaign,
                format!("{from} -> {to}"),
                1e4 * truth,
                of(Estimator::Ips),
                of(Estimator::ClippedIps),
                of(Estimator::SelfNormalised),
                of(Estimator::Direct),
                of(Estimator::DoublyRobust),
                of(Estimator::SelfNormalisedDoublyRobust),
                of(Estimator::SwitchDoublyRobust),
                of(Estimator::Replay),
                low,
                high,
                found.effective
            );
        }
    }
    println!("   \"rows\" is the effective number of 10,000; the truth has a standard error of about 7");
    Ok(())
}

struct Impression {
    item: u32,
    position: u32,
    click: f64,
    propensity: f64,
    features: Vec<String>,
}

fn load(name: &str) -> Result<Option<Vec<Impression>>, Box<dyn Error>> {
    let path = format!("{}/../shared/data/open-bandit/{name}.csv.gz", env!("CARGO_MANIFEST_DIR"));
    let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let field: Vec<&str> = line.split(',').take(10).collect();
        let &[_, _, item, position, click, propensity, ref features @ ..] = field.as_slice() else {
            return Err(format!("a line of {name} is short: {line}").into());
        };
        rows.push(Impression {
            item: item.parse()?,
            position: position.parse()?,
            click: click.parse()?,
            propensity: propensity.parse()?,
            features: features.iter().map(|f| (*f).to_owned()).collect(),
        });
    }
    Ok(Some(rows))
}

/// The log of one policy seen by the other, whose probabilities are its own shares of items by position; the reward
/// model is a logistic regression on features, position and item, cross-fitted.
fn seen(from: &[Impression], to: &[Impression]) -> Result<Vec<Logged>, Box<dyn Error>> {
    use std::collections::BTreeMap;
    let mut shares: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    let mut rows: BTreeMap<u32, f64> = BTreeMap::new();
    for i in to {
        *shares.entry((i.position, i.item)).or_default() += 1.0;
        *rows.entry(i.position).or_default() += 1.0;
    }
    shares.iter_mut().for_each(|((position, _), share)| *share /= rows[position]);
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let mut number = |key: String| {
        let next = numbers.len() as u32;
        *numbers.entry(key).or_insert(next)
    };
    let contexts: Vec<Vec<u32>> = (from.iter())
        .map(|i| {
            let features = i.features.iter().enumerate().map(|(n, f)| format!("{n} {f}"));
            features.chain([format!("position {}", i.position)]).map(&mut number).collect()
        })
        .collect();
    let items: BTreeMap<u32, u32> =
        from.iter().chain(to).map(|i| (i.item, number(format!("item {}", i.item)))).collect();
    let with = |context: &[u32], item: u32| [context, &[items[&item]]].concat();
    let features: Vec<Vec<u32>> = from.iter().zip(&contexts).map(|(i, context)| with(context, i.item)).collect();
    let clicks: Vec<f64> = from.iter().map(|i| i.click).collect();
    let models = cross_fitted(&features, &clicks, numbers.len(), &RewardModelParams::default().check()?, &Run::new(0))?;
    let mut known: BTreeMap<(usize, &[u32]), f64> = BTreeMap::new();
    let rows = from.iter().zip(&contexts).zip(&features).enumerate().map(|(row, ((i, context), set))| {
        let fold = row % models.len();
        let value = known.entry((fold, context)).or_insert_with(|| {
            let at = shares.range((i.position, 0)..=(i.position, u32::MAX));
            at.map(|((_, item), share)| share * models[fold].predict(&with(context, *item))).sum()
        });
        Logged {
            reward: i.click,
            propensity: i.propensity,
            target: shares.get(&(i.position, i.item)).copied().unwrap_or(0.0),
            modelled: models[fold].predict(set),
            value: *value,
        }
    });
    Ok(rows.collect())
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

    fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}
