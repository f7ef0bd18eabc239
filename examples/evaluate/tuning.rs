//! Better parameters, and better weights, by a validation cut.

use std::error::Error;

use likewise::evaluate::Task;
use likewise::evaluate::metric::Ndcg;
use likewise::recipe::{BlendRecipe, ModelRecipe, RecipePart};
use likewise::tune::{Aim, Columns, Flow, Goal, OnTask, Outcome, Study, StudyParams};
use likewise::{Blended, Fit, Parallelism, Run, Scorer, Validate};

use crate::measure::sample;
use crate::progress::Meter;

/// Questions of a validation cut that are asked a trial: enough to tell good parameters from bad ones.
const CASES: usize = 3000;

/// Proposals of each part that a weighting looks at.
const DEPTH: usize = 200;

/// Fewer questions, evenly from all.
pub(crate) fn thin(task: Task) -> Result<Task, Box<dyn Error>> {
    let cases = sample(task.cases(), CASES).into_iter().cloned().collect();
    Ok(task.with_cases(cases)?)
}

/// The best parameters of `trials` for what the recipe does not say, by NDCG at `k`.
pub(crate) fn params(
    recipe: &ModelRecipe,
    task: &Task,
    k: usize,
    trials: usize,
    run: &Run<'_>,
    meter: &Meter,
) -> Result<ModelRecipe, Box<dyn Error>> {
    let kind = recipe.kind()?;
    let space = recipe.params.iter().fold(kind.space(), |space, (name, value)| space.fix(name, value.clone()));
    let goals = [Goal::of(Ndcg(k))];
    let objective = OnTask { kind, task, goals: &goals, k, run: *run };
    let mut study = Study::new(space, StudyParams::default().check()?, run.seed);
    // A fit uses all threads by itself.
    let one_by_one = run.threads(Parallelism::Serial);
    let mut best = f64::NEG_INFINITY;
    study.run(trials, &objective, &one_by_one, |trial| {
        match &trial.outcome {
            Outcome::Score(score) if *score > best => {
                best = *score;
                let params = serde_json::Value::from(kind.changes(&kind.with(&trial.params)));
                meter.say(&format!("{} trial {}: {score:.5} {params}", kind.name(), trial.trial));
            }
            Outcome::Error(error) => meter.say(&format!("{} trial {}: {error}", kind.name(), trial.trial)),
            _ => {}
        }
        Flow::Continue
    })?;
    let Some(best) = study.best() else { return Err(format!("no trial of {} succeeded", kind.name()).into()) };
    Ok(ModelRecipe::new(kind.name()).with(kind.changes(&study.params_of(best))))
}

/// The best weights of a blend, by NDCG at `k`; parts that only harm are left out.
pub(crate) fn weights(
    blend: &BlendRecipe,
    task: &Task,
    k: usize,
    trials: usize,
    run: &Run<'_>,
    meter: &Meter,
) -> Result<BlendRecipe, Box<dyn Error>> {
    let mut alone: Vec<Blended> = Vec::new();
    for part in &blend.parts {
        meter.step(&format!("fit {} to weigh it", part.model));
        let one = BlendRecipe { parts: vec![RecipePart { weight: 1.0, ..part.clone() }], pool: blend.pool };
        alone.push(one.build()?.fit(&task.training_set(), run)?);
    }
    let parts: Vec<&dyn Scorer> = alone.iter().map(|part| part as &dyn Scorer).collect();
    let columns = Columns::of(task, &parts, DEPTH, run)?;
    let tuned = columns.tune(&Aim::ndcg(k), trials, run);
    meter.say(&format!("{} weightings, best ndcg@{k} {:.5}: {:?}", tuned.tried, tuned.score, tuned.weights));
    let mut best = blend.clone();
    best.parts.iter_mut().zip(&tuned.weights).for_each(|(part, &weight)| part.weight = weight);
    best.parts.retain(|part| part.weight > 0.0);
    Ok(best)
}
