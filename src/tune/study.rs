//! A search: propose, try, remember; the same again from a log.

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::domain::{Point, Space};
use super::schedule::{Round, Rung};
use super::study_params::StudyParams;
use super::tpe;
use crate::params::Checked;
use crate::run::{Cancelled, Run};
use crate::source::Flow;

/// What an objective is asked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ask<'a> {
    /// The trial's number, from 0.
    pub trial: usize,
    /// All parameters.
    pub params: &'a Map<String, Value>,
    /// How much of the effort to spend, above 0 up to 1: the share of the validation cases, of the iterations, of the
    /// training data, as the objective decides. 1 unless the study has a [`Schedule`](super::Schedule) of shares.
    pub share: f64,
}

/// What a study maximises: any `Fn(&Ask) -> Result<f64, impl Display>`, and [`OnTask`](super::OnTask).
pub trait Objective: Sync {
    /// How good these parameters are; larger is better. The same question must get the same answer.
    ///
    /// # Errors
    /// A text for the log: the trial failed, the study goes on.
    fn score(&self, ask: &Ask<'_>) -> Result<f64, String>;
}

impl<F, E> Objective for F
where
    F: Fn(&Ask<'_>) -> Result<f64, E> + Sync,
    E: fmt::Display,
{
    fn score(&self, ask: &Ask<'_>) -> Result<f64, String> {
        self(ask).map_err(|error| error.to_string())
    }
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// With a score, kept to 12 significant digits: what a line of the log carries.
    Score(f64),
    /// With an error.
    Error(String),
}

/// One trial of a study, a line of its log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0.
    pub trial: usize,
    /// The share of the effort that was spent.
    pub share: f64,
    /// The parameters that vary.
    pub params: Map<String, Value>,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Trial {
    /// Its score, if it got one.
    #[must_use]
    pub const fn score(&self) -> Option<f64> {
        match self.outcome {
            Outcome::Score(score) => Some(score),
            Outcome::Error(_) => None,
        }
    }
}

/// Why a study went no further.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// No proposal was allowed.
    #[error("of {tries} points of the space none is allowed; the last one: {refusal}")]
    NothingAllowed {
        /// How many were drawn.
        tries: usize,
        /// Why the last was refused.
        refusal: String,
    },
    /// The log is of another study.
    #[error(
        "trial {trial} of the log is not what this study tries; resume with the space, settings and seed it began with"
    )]
    OtherLog {
        /// The first trial that differs.
        trial: usize,
    },
    /// The caller wanted it.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Why a study ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The budget is spent.
    Budget,
    /// The callback said so.
    Stopped,
    /// Every point of the space has been tried, as far as can be told.
    Exhausted,
}

/// A search over a [`Space`] for the parameters with the largest score.
///
/// What is proposed depends on space, settings, seed and the scores of the finished rounds, never on threads or the
/// clock. The first trial is the space's base, unless the settings say otherwise.
///
/// # Example
/// ```
/// use likewise::tune::{Ask, Axis, Flow, Over, Space, Study, StudyParams};
/// use likewise::{Run, Validate};
/// use serde_json::json;
/// let base = json!({ "x": 1.0 }).as_object().unwrap().clone();
/// let space = Space::new(base, &[Axis::new("x", Over::Log { lo: 1e-3, hi: 1e3 })]);
/// let mut study = Study::new(space, StudyParams::default().check()?, 42);
/// let peak = |ask: &Ask<'_>| match ask.params["x"].as_f64() {
///     Some(x) => Ok(-(x / 20.0).ln().abs()),
///     None => Err("x is no number"),
/// };
/// study.run(40, &peak, &Run::default(), |_| Flow::Continue)?;
/// let best = study.best().unwrap().params["x"].as_f64().unwrap();
/// assert!((15.0..27.0).contains(&best), "{best}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Study {
    pub(super) space: Space,
    pub(super) params: Checked<StudyParams>,
    pub(super) seed: u64,
    trials: Vec<Trial>,
    pub(super) tried: Vec<Tried>,
    pending: VecDeque<Proposal>,
    round: Round,
    skipped: u64,
}

/// A finished trial, where it lies.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub(super) point: Point,
    pub(super) share: f64,
    pub(super) score: Option<f64>,
}

#[derive(Clone, Debug)]
struct Proposal {
    point: Point,
    share: f64,
}

/// How often a proposal is drawn anew before the study gives up; the second half at random.
const DRAWS: usize = 200;

impl Study {
    /// A study that has tried nothing yet.
    #[must_use]
    pub fn new(space: Space, params: Checked<StudyParams>, seed: u64) -> Self {
        let round = Round::new(params.schedule);
        Self { space, params, seed, trials: Vec::new(), tried: Vec::new(), pending: VecDeque::new(), round, skipped: 0 }
    }

    /// A study that goes on where the log of another of the same space, settings and seed ends.
    ///
    /// # Errors
    /// [`StudyError::OtherLog`] where the log differs from what this study tries.
    pub fn resume(
        space: Space,
        params: Checked<StudyParams>,
        seed: u64,
        log: impl IntoIterator<Item = Trial>,
    ) -> Result<Self, StudyError> {
        let mut study = Self::new(space, params, seed);
        for trial in log {
            if study.pending.is_empty() {
                study.propose()?;
            }
            let number = study.trials.len();
            let Some(proposal) = study.pending.pop_front() else {
                return Err(StudyError::OtherLog { trial: number });
            };
            let expected = study.varied(&proposal.point.params);
            let same = trial.trial == number && close(trial.share, proposal.share) && alike(&expected, &trial.params);
            if !same {
                return Err(StudyError::OtherLog { trial: number });
            }
            study.record(proposal, trial.outcome);
        }
        Ok(study)
    }

    /// Goes on until `budget` full trials are spent in all (a trial at a third of the effort costs a third), or
    /// `each(trial)`, called in order as trials finish, says [`Flow::Stop`]; it is also the place to write the log.
    ///
    /// With [`Parallelism::Pool`](crate::Parallelism::Pool) the trials of a round run side by side, else one after the
    /// other: take that when a trial uses all threads by itself, or memory is short. The trials are the same.
    ///
    /// # Errors
    /// [`StudyError::NothingAllowed`] or [`StudyError::Cancelled`]; what finished before is kept.
    pub fn run(
        &mut self,
        budget: usize,
        objective: &dyn Objective,
        run: &Run<'_>,
        mut each: impl FnMut(&Trial) -> Flow,
    ) -> Result<Ended, StudyError> {
        loop {
            if self.pending.is_empty() && !self.propose()? {
                return Ok(Ended::Exhausted);
            }
            run.step(self.spent() as u64, budget as u64, self.best().and_then(Trial::score).map(|best| -best))?;
            let mut left = budget as f64 - self.spent() + 1e-9;
            let affordable = self.pending.iter().take_while(|proposal| {
                left -= proposal.share;
                left >= 0.0
            });
            let at_once = match run.threads {
                crate::run::Parallelism::Serial => affordable.count().min(1),
                crate::run::Parallelism::Pool => affordable.count(),
            };
            if at_once == 0 {
                return Ok(Ended::Budget);
            }
            let asked: Vec<Proposal> = self.pending.drain(..at_once).collect();
            let first = self.trials.len();
            let outcomes = run.threads.map(asked.len(), |i| {
                let ask = Ask { trial: first + i, params: &asked[i].point.params, share: asked[i].share };
                match objective.score(&ask) {
                    Ok(score) if score.is_finite() => Outcome::Score(twelve_digits(score)),
                    Ok(score) => Outcome::Error(format!("the score is {score}")),
                    Err(error) => Outcome::Error(error),
                }
            });
            let mut flow = Flow::Continue;
            for (proposal, outcome) in asked.into_iter().zip(outcomes) {
                self.record(proposal, outcome);
                if let Some(Flow::Stop) = self.trials.last().map(&mut each) {
                    flow = Flow::Stop;
                }
            }
            if flow == Flow::Stop {
                return Ok(Ended::Stopped);
            }
        }
    }

    /// The trials so far, in order.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The best trial of those at the largest share, the first of equals.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        let scored = || self.trials.iter().filter_map(|trial| Some((trial, trial.score()?)));
        let share = scored().map(|(trial, _)| trial.share).fold(0.0, f64::max);
        let full = scored().filter(|(trial, _)| close(trial.share, share));
        full.reduce(|best, other| if other.1 > best.1 { other } else { best }).map(|(trial, _)| trial)
    }

    /// All parameters of a trial, those that do not vary included.
    #[must_use]
    pub fn params_of(&self, trial: &Trial) -> Map<String, Value> {
        let mut all = self.space.base().clone();
        all.extend(trial.params.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }

    /// What has been spent, in full trials.
    #[must_use]
    pub fn spent(&self) -> f64 {
        self.trials.iter().map(|trial| trial.share).sum()
    }

    /// How many proposals were left out because the space does not allow them. They cost nothing.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn record(&mut self, proposal: Proposal, outcome: Outcome) {
        let params = self.varied(&proposal.point.params);
        let trial = Trial { trial: self.trials.len(), share: proposal.share, params, outcome };
        self.tried.push(Tried { point: proposal.point, share: proposal.share, score: trial.score() });
        self.trials.push(trial);
    }

    /// The parameters with an axis in or on them.
    fn varied(&self, params: &Map<String, Value>) -> Map<String, Value> {
        let heads = self.space.axes().iter().map(|axis| axis.name.split('.').next().unwrap_or(axis.name));
        heads.filter_map(|head| Some((head.to_owned(), params.get(head)?.clone()))).collect()
    }

    /// Makes the next round; `false` when there is nothing new to try.
    fn propose(&mut self) -> Result<bool, StudyError> {
        match self.round.next(&self.tried) {
            Rung::Fresh { n: None, share } => self.draw(self.params.batch, share)?,
            Rung::Fresh { n: Some(n), share } => {
                self.draw(n, share)?;
                self.round.began(self.pending.len());
            }
            Rung::Promoted { points, share } => {
                self.pending.extend(points.into_iter().map(|point| Proposal { point, share }));
            }
        }
        Ok(!self.pending.is_empty())
    }

    /// Draws up to `n` points that were not tried yet.
    fn draw(&mut self, n: usize, share: f64) -> Result<(), StudyError> {
        for _ in 0..n {
            let number = self.tried.len() + self.pending.len();
            let (mut refusal, mut repeated) = (String::new(), false);
            let mut found = None;
            for attempt in 0..DRAWS {
                let point = self.candidate(number, attempt);
                if let Err(error) = self.space.check(&point.params) {
                    self.skipped += 1;
                    refusal = error;
                    continue;
                }
                let known = self.tried.iter().map(|t| &t.point).chain(self.pending.iter().map(|p| &p.point));
                if known.into_iter().any(|other| other.params == point.params) {
                    repeated = true;
                    continue;
                }
                found = Some(point);
                break;
            }
            match found {
                Some(point) => self.pending.push_back(Proposal { point, share }),
                None if repeated || !self.tried.is_empty() || !self.pending.is_empty() => return Ok(()),
                None => return Err(StudyError::NothingAllowed { tries: DRAWS, refusal }),
            }
        }
        Ok(())
    }

    fn candidate(&self, number: usize, attempt: usize) -> Point {
        if number == 0 && attempt == 0 && self.params.start == super::Start::Base {
            return self.space.start();
        }
        let mut dice = tpe::Dice::new(self.seed, number, attempt);
        match self.params.sampler {
            super::Sampler::Tpe(params) if attempt < DRAWS / 2 => {
                let pending: Vec<&Point> = self.pending.iter().map(|p| &p.point).collect();
                tpe::propose(&self.space, &params, &self.tried, &pending, &mut dice)
            }
            _ => tpe::random(&self.space, &mut dice),
        }
    }
}

/// Rounded to what every JSON reader gives back bit for bit.
fn twelve_digits(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}

pub(super) fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Equal but for the last bits of numbers.
fn alike(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| close(a, b)),
            (Value::Object(a), Value::Object(b)) => alike(a, b),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            _ => a == b,
        }
    }
    a.len() == b.len() && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| same(value, other)))
}
