//! The weights of a blend, learned on a validation month and compared with hand-set ones on the next.
//!
//! ```sh
//! cargo run --release --example learn_blend
//! ```
//!
//! Invoices of a gift wholesaler, cut by time: five voices are fitted on everything before November 2011 less four weeks, the
//! learners see the orders of these four weeks, the method that does best on their second half is taken, and what comes
//! after is asked once.

mod online_retail;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use likewise::evaluate::{Evaluation, Questions, Split, System, Task};
use likewise::tune::learn::{JudgedLists, LearnParams, Method, learn};
use likewise::tune::{Aim, Columns};
use likewise::*;
use online_retail::midnight;

const BY_HAND: [f32; 5] = [1.0, 1.0, 0.3, 0.3, 0.2];

fn main() -> Result<(), Box<dyn Error>> {
    let (log, catalog, _) = online_retail::read(None)?;
    let run = Run::new(42);
    let bought = KindSet::of(&[EventKind::Purchase]);
    let questions = Questions::default().targets(bought).catalog(catalog);
    let split = Split::at(midnight("2011-11-01")?).horizon(Span::days(28));
    let (validation, test) = (split.clone().validation().task(&log, &questions)?, split.task(&log, &questions)?);
    println!("validation: {} customers, test: {} customers", validation.cases().len(), test.cases().len());

    let parts = voices(&validation, &run)?;
    let alone: Vec<Blended> = parts.iter().map(|(_, part)| one(part)).collect::<Result<_, _>>()?;
    let voices: Vec<&dyn Scorer> = alone.iter().map(|part| part as &dyn Scorer).collect();
    let half = |odd: usize| -> Result<Columns, Box<dyn Error>> {
        let cases = validation.cases().iter().skip(odd).step_by(2).cloned().collect();
        Ok(Columns::of(&validation.with_cases(cases)?, &voices, 100, &run)?)
    };
    let (first, second) = (half(0)?, half(1)?);
    let aim = Aim::ndcg(10);
    println!(
        "\n{:<20} {:>8} {:>8}  weights: {}",
        "",
        "learnt",
        "held out",
        parts.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    );
    let show = |name: &str, weights: &[f32], took: Option<f64>| {
        let scores = (first.score(weights, &aim, &run), second.score(weights, &aim, &run));
        let sum: f32 = weights.iter().sum();
        let shares: Vec<String> = weights.iter().map(|w| format!("{:.3}", w / sum)).collect();
        let took = took.map_or_else(String::new, |took| format!("  {took:.2} s"));
        println!("{name:<20} {:>8.4} {:>8.4}  {}{took}", scores.0, scores.1, shares.join(" "));
        scores.1
    };
    show("by hand", &BY_HAND, None);
    let lists = JudgedLists::from_columns(&first);
    let mut best: Option<(f64, &str, Vec<f32>)> = None;
    let methods = [
        ("coordinate ascent", Method::CoordinateAscent),
        ("logistic", Method::Logistic),
        ("pairwise", Method::Pairwise),
    ];
    for (name, method) in methods {
        let start = Instant::now();
        let learned = learn(&LearnParams { method, ..LearnParams::default() }.check()?, &lists, &run)?;
        let score = show(name, &learned.weights, Some(start.elapsed().as_secs_f64()));
        if best.as_ref().is_none_or(|(best, ..)| score > *best) {
            best = Some((score, name, learned.weights));
        }
    }
    let (_, name, weights) = best.ok_or("no method")?;

    // The test, once: the voices fitted anew on everything before it.
    let parts = self::voices(&test, &run)?;
    let evaluation = Evaluation::at(10);
    let judge = |weights: &[f32]| -> Result<_, Box<dyn Error>> {
        let speaking = parts.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        let blend =
            Blended::new("blend", speaking.map(|((_, part), w)| BlendPart::new(part.clone(), *w)))?.pool(100)?;
        Ok(evaluation.judge(&test, System::Scorer(&blend), &run)?)
    };
    let (hand, learned) = (judge(&BY_HAND)?, judge(&weights)?);
    println!("\ntest, {name} against the hand-set weights:");
    for c in learned.compare(&hand, &run)? {
        let of = |judgement: &evaluate::Judgement| judgement.mean(&c.metric).unwrap_or(0.0);
        let interval = c.low.zip(c.high).map_or_else(String::new, |(low, high)| format!("{low:+.4} to {high:+.4}"));
        println!(
            "  {:<13} {:.4} {:.4}  {:+.4} ({interval}), p = {:.3}",
            c.metric,
            of(&hand),
            of(&learned),
            c.difference.unwrap_or(0.0),
            c.p_value
        );
    }
    Ok(())
}

type Voice = (&'static str, Arc<dyn Scorer>);

fn voices(task: &Task, run: &Run<'_>) -> Result<Vec<Voice>, Box<dyn Error>> {
    let train = task.training_set();
    let bought = KindSet::of(&[EventKind::Purchase]);
    let popular = PopularityParams { kinds: bought, half_life: Some(Span::days(14)), ..PopularityParams::default() };
    let trending = TrendingParams { kinds: bought, window: Span::days(7), ..TrendingParams::default() };
    let recipes: [(&str, Box<dyn DynFit>); 5] = [
        ("als", Box::new(AlsParams::default().check()?)),
        ("co-purchase", Box::new(CoOccurrenceParams::co_purchase().check()?)),
        ("buy again", Box::new(PersonalFrequencyParams::default().check()?)),
        ("popular", Box::new(popular.check()?)),
        ("trending", Box::new(trending.check()?)),
    ];
    let fit = |(name, recipe): (&'static str, Box<dyn DynFit>)| Ok((name, recipe.fit_dyn(&train, run)?));
    recipes.into_iter().map(fit).collect()
}

/// A voice on the scale blends share.
fn one(part: &Arc<dyn Scorer>) -> Result<Blended, Box<dyn Error>> {
    Ok(Blended::new("part", [BlendPart::new(part.clone(), 1.0)])?.pool(100)?)
}
