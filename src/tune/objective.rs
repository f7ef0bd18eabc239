//! The objective most studies have: a model's mean metric on a task.

use std::borrow::Cow;

use super::study::{Ask, Objective};
use crate::evaluate::{Case, Judged, Lists, Metric, System, Task};
use crate::kernel::rng::SplitMix64;
use crate::recipe::ModelKind;
use crate::run::Run;

/// A metric with its part in a mix.
#[derive(Debug)]
pub struct Goal {
    /// The metric.
    pub metric: Box<dyn Metric>,
    /// What its mean counts.
    pub weight: f64,
}

impl Goal {
    /// One metric alone.
    #[must_use]
    pub fn of(metric: impl Metric + 'static) -> Self {
        Self { metric: Box::new(metric), weight: 1.0 }
    }

    /// `Σ weight x mean` over the cases where a metric is defined.
    #[must_use]
    pub fn score(goals: &[Self], task: &Task, lists: &Lists) -> f64 {
        let mean = |metric: &dyn Metric| {
            let judged = task.cases().iter().zip(lists.iter()).map(|(case, list)| Judged { task, case, list });
            let (sum, n) = judged.filter_map(|j| metric.of(&j)).fold((0.0, 0u32), |(sum, n), x| (sum + x, n + 1));
            sum / f64::from(n.max(1))
        };
        goals.iter().map(|goal| goal.weight * mean(&*goal.metric)).sum()
    }
}

/// Fits a kind of model on a task and judges its lists. The share of a trial is the share of the task's cases that are
/// asked: the same ones for the same share, and all those of a smaller share among them. The fit itself is always whole,
/// so shares save time where asking costs more than fitting.
#[derive(Debug)]
pub struct OnTask<'a> {
    /// The model.
    pub kind: &'a ModelKind,
    /// What to fit on and what to ask; a validation cut, not the test.
    pub task: &'a Task,
    /// What to maximise.
    pub goals: &'a [Goal],
    /// How long the lists are.
    pub k: usize,
    /// Seed, threads and cancellation of fits and lists.
    pub run: Run<'a>,
}

impl Objective for OnTask<'_> {
    fn score(&self, ask: &Ask<'_>) -> Result<f64, String> {
        let task = share_of(self.task, ask.share, self.run.seed)?;
        let fit = self.kind.build(ask.params).map_err(|error| error.to_string())?;
        let model = fit.fit_dyn(&task.training_set(), &self.run).map_err(|error| error.to_string())?;
        let lists = task.lists(System::Scorer(&*model), self.k, &self.run).map_err(|error| error.to_string())?;
        Ok(Goal::score(self.goals, &task, &lists))
    }
}

/// The task with a share of its cases, drawn by the seed.
fn share_of(task: &Task, share: f64, seed: u64) -> Result<Cow<'_, Task>, String> {
    let n = (task.cases().len() as f64 * share).ceil() as usize;
    if n >= task.cases().len() {
        return Ok(Cow::Borrowed(task));
    }
    let mut order: Vec<(u64, usize)> =
        (0..task.cases().len()).map(|case| (SplitMix64::stream(seed, case as u64).next(), case)).collect();
    order.sort_unstable();
    order.truncate(n);
    let mut chosen: Vec<usize> = order.into_iter().map(|(_, case)| case).collect();
    chosen.sort_unstable();
    let cases: Vec<Case> = chosen.into_iter().map(|case| task.cases()[case].clone()).collect();
    task.with_cases(cases).map(Cow::Owned).map_err(|error| error.to_string())
}
