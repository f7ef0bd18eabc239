//! A blend by hand, by learned weights and by learned trees, each fitted on the past only and compared on the next month.
//!
//! ```sh
//! cargo run --release --example learn_blend
//! ```
//!
//! Invoices of a gift wholesaler, cut by time. Five voices are fitted anew before each cut. The learners see the orders of
//! two spans of four weeks, what there is to choose (which hand-set blend, how many trees, which learner) is chosen on the
//! next four weeks, and the four weeks after that are the test.

mod online_retail;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use likewise::evaluate::{Evaluation, Judgement, Questions, Split, System, Task};
use likewise::tune::learn::{JudgedLists, LearnParams, Method, Shape, TreesParams, learn, learn_trees};
use likewise::tune::{Aim, Columns};
use likewise::*;
use online_retail::midnight;

const VOICES: [&str; 5] = ["als", "co-purchase", "buy again", "popular", "trending"];

/// What somebody who knows the trade would try. Wholesalers reorder, so buying again leads the later ones.
const BY_HAND: [(&str, [f32; 5]); 6] = [
    ("all the same", [1.0, 1.0, 1.0, 1.0, 1.0]),
    ("taste and company first", [1.0, 1.0, 0.3, 0.3, 0.2]),
    ("buy again first", [0.3, 0.3, 1.0, 0.1, 0.1]),
    ("buy again, then taste", [0.5, 0.1, 1.0, 0.1, 0.1]),
    ("buy again, then company", [0.1, 0.5, 1.0, 0.1, 0.1]),
    ("buy again and trends", [0.2, 0.2, 1.0, 0.1, 0.4]),
];

/// Proposals of each voice, for learning and serving.
const POOL: usize = 100;

struct Cut {
    task: Task,
    voices: Vec<Arc<dyn Scorer>>,
    columns: Columns,
}

enum Blender {
    Weights(Vec<f32>),
    Trees(Forest),
}

fn main() -> Result<(), Box<dyn Error>> {
    let (log, catalog, _) = online_retail::read(None)?;
    let run = Run::new(42);
    let questions = Questions::default().targets(KindSet::of(&[EventKind::Purchase])).catalog(catalog);
    let cut = |day: &str| -> Result<Cut, Box<dyn Error>> {
        let task = Split::at(midnight(day)?).horizon(Span::days(28)).task(&log, &questions)?;
        let voices = voices(&task, &run)?;
        let asked: Vec<&dyn Scorer> = voices.iter().map(|voice| &**voice).collect();
        let columns = Columns::of(&task, &asked, POOL, &run)?;
        Ok(Cut { task, voices, columns })
    };
    let (learning, choosing, test) = ([cut("2011-08-09")?, cut("2011-09-06")?], cut("2011-10-04")?, cut("2011-11-01")?);
    println!(
        "customers: {} + {} to learn from, {} to choose by, {} to test",
        learning[0].task.cases().len(),
        learning[1].task.cases().len(),
        choosing.task.cases().len(),
        test.task.cases().len()
    );
    let aim = Aim::ndcg(10);
    println!("\nvoices alone, NDCG@10 on the month to choose by:");
    for (voice, name) in VOICES.iter().enumerate() {
        let weights: Vec<f32> = (0..VOICES.len()).map(|v| f32::from(u8::from(v == voice))).collect();
        println!("  {name:<26} {:.4}", choosing.columns.score(&weights, &aim, &run));
    }
    println!("by hand:");
    let mut hand = (f64::NEG_INFINITY, BY_HAND[0]);
    for (name, weights) in BY_HAND {
        let score = choosing.columns.score(&weights, &aim, &run);
        println!("  {name:<26} {score:.4}");
        if score > hand.0 {
            hand = (score, (name, weights));
        }
    }

    // Each with its NDCG on the month to choose by.
    let lists = JudgedLists::joined(learning.iter().map(|cut| JudgedLists::from_columns(&cut.columns)));
    let lists = lists.ok_or("lists of different blends")?;
    let held_out = JudgedLists::from_columns(&choosing.columns);
    println!("{} lists to learn from, {} to stop by", lists.len(), held_out.len());
    let mut all = vec![(format!("by hand: {}", hand.1.0), hand.0, Blender::Weights(hand.1.1.to_vec()))];
    let methods = [
        ("coordinate ascent", Method::CoordinateAscent),
        ("logistic", Method::Logistic),
        ("pairwise", Method::Pairwise),
    ];
    for (name, method) in methods {
        let start = Instant::now();
        let learned = learn(&LearnParams { method, ..LearnParams::default() }.check()?, &lists, &run)?;
        let score = choosing.columns.score(&learned.weights, &aim, &run);
        let shares: Vec<String> = learned.weights.iter().map(|w| format!("{w:.3}")).collect();
        println!("  {name:<26} {score:.4}  {} in {:.2} s", shares.join(" "), start.elapsed().as_secs_f64());
        all.push((name.to_owned(), score, Blender::Weights(learned.weights)));
    }
    let linear = all[1..].iter().max_by(|a, b| a.1.total_cmp(&b.1)).ok_or("no method")?;
    let (best_linear, start) = match &linear.2 {
        Blender::Weights(weights) => (linear.0.clone(), weights.clone()),
        Blender::Trees(_) => return Err("weights are weights".into()),
    };
    for (name, shape, start) in [
        ("LambdaMART, rising", Shape::Rising, start.clone()),
        ("LambdaMART, free", Shape::Free, start.clone()),
        ("LambdaMART, from nothing", Shape::Rising, vec![0.0; VOICES.len()]),
    ] {
        let began = Instant::now();
        let params = TreesParams { shape, ..TreesParams::default() }.check()?;
        let learned = learn_trees(&params, &lists, &held_out, &start, &run)?;
        // Lists without a candidate that was bought count 0, as they do for the weights.
        let share = held_out.len() as f64 / choosing.task.cases().len() as f64;
        let score = learned.curve[learned.forest.trees()] * share;
        println!(
            "  {name:<26} {score:.4}  {} trees, of {} grown in {:.2} s",
            learned.forest.trees(),
            learned.curve.len() - 1,
            began.elapsed().as_secs_f64()
        );
        all.push((name.to_owned(), score, Blender::Trees(learned.forest)));
    }

    // The test: the voices fitted anew on everything before it, lists made as they are served.
    let evaluation = Evaluation::at(10);
    let judge = |blender: &Blender| -> Result<Judgement, Box<dyn Error>> {
        let blend: Box<dyn Scorer> = match blender {
            Blender::Weights(weights) => {
                let speaking = test.voices.iter().zip(weights).filter(|(_, w)| **w > 0.0);
                let part =
                    |(voice, w): (&Arc<dyn Scorer>, &f32)| BlendPart::new(voice.clone(), *w).scale(PartScale::AsIs);
                Box::new(Blended::new("blend", speaking.map(part))?.pool(POOL)?)
            }
            Blender::Trees(forest) => {
                Box::new(TreeBlend::new("trees", test.voices.clone(), forest.clone())?.pool(POOL)?)
            }
        };
        Ok(evaluation.judge(&test.task, System::Scorer(&*blend), &run)?)
    };
    let chosen = all.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, ..)| name.clone()).ok_or("nothing")?;
    let hand = judge(&all[0].2)?;
    println!("\ntest, beside the hand-set blend (NDCG@10 with its 95 % interval), * the one that was chosen:");
    println!("  {:<36} {:>7} {:>9}   difference in NDCG@10", "", "NDCG@10", "Recall@10");
    for (name, _, blender) in &all {
        let judged = judge(blender)?;
        let compared = judged.compare(&hand, &run)?;
        let ndcg = compared.iter().find(|c| c.metric.eq_ignore_ascii_case("ndcg@10")).ok_or("no NDCG")?;
        let interval =
            ndcg.low.zip(ndcg.high).map_or_else(String::new, |(low, high)| format!("({low:+.4} to {high:+.4})"));
        let of = |metric: &str| {
            let found = compared.iter().find(|c| c.metric.eq_ignore_ascii_case(metric));
            found.and_then(|c| judged.mean(&c.metric)).unwrap_or(f64::NAN)
        };
        let mark = if *name == chosen { "*" } else { " " };
        let beside = ndcg.difference.map_or_else(String::new, |d| format!("{d:+.4} {interval}"));
        println!("{mark} {name:<36} {:>7.4} {:>9.4}   {beside}", of("ndcg@10"), of("recall@10"));
    }
    println!("trees start from the weights of {best_linear}");
    Ok(())
}

/// The voices, fitted on the past of a task, each on the scale of its own proposals.
fn voices(task: &Task, run: &Run<'_>) -> Result<Vec<Arc<dyn Scorer>>, Box<dyn Error>> {
    let train = task.training_set();
    let bought = KindSet::of(&[EventKind::Purchase]);
    let popular = PopularityParams { kinds: bought, half_life: Some(Span::days(14)), ..PopularityParams::default() };
    let trending = TrendingParams { kinds: bought, window: Span::days(7), ..TrendingParams::default() };
    let recipes: [Box<dyn DynFit>; 5] = [
        Box::new(AlsParams::default().check()?),
        Box::new(CoOccurrenceParams::co_purchase().check()?),
        Box::new(PersonalFrequencyParams::default().check()?),
        Box::new(popular.check()?),
        Box::new(trending.check()?),
    ];
    let fit = |(name, recipe): (&str, Box<dyn DynFit>)| -> Result<Arc<dyn Scorer>, Box<dyn Error>> {
        let part = BlendPart::new(recipe.fit_dyn(&train, run)?, 1.0);
        Ok(Arc::new(Blended::new(name, [part])?.pool(POOL)?))
    };
    VOICES.into_iter().zip(recipes).map(fit).collect()
}
