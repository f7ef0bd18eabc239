//! Cutting a log into what is learned from, what is known, and what is asked.
//!
//! | split | fit on | question | protocol |
//! |---|---|---|---|
//! | [`Split::at`], [`Split::fraction`] | everything before the cut | a shopper's events after it, as of the cut | what a shop does; the only one without any knowledge of the future |
//! | [`Split::walk_forward`] | the same at several cuts | the events up to the next cut | how steady is it |
//! | [`Split::leave_last`] | all but each shopper's last events | these | the literature's; see below |
//! | [`Split::leave_last_sessions`] | all but each shopper's last baskets | these | next basket |
//! | [`Split::hold_out`] | the other shoppers | a held-out shopper's later part, given the earlier one | strong generalisation (Marlin 2004; Liang et al. 2018) |
//! | [`Split::given`] | one log | another log | published train and test files |
//!
//! What is asked about the part that lies ahead is said by [`Questions`], apart from the cut: all of it at once, the next
//! basket, or the next item after each place of a session.
//!
//! **No leak.** The dataset to fit on is built from the past alone: its numbering, its sessions, its cancellations (a
//! purchase that is returned after the cut *is* a purchase before it) and its decay. Whatever stands in the log after the
//! cut, models and lists come out the same to the bit. The splits by shopper ([`leave_last`](Split::leave_last),
//! [`hold_out`](Split::hold_out)) keep that promise for each shopper, not between shoppers: a model may learn from what
//! others did later. That flatters models that follow trends (Ji, Sun, Zhang & Li 2023, "A critical study on data leakage
//! in recommender system offline evaluation", TOIS 41(3)); prefer a cut in time where the data has times.
//!
//! | in the log | what happens |
//! |---|---|
//! | a shopper with events ahead but none before | left out, or asked as a stranger: [`NewShoppers`] |
//! | a target without events before the cut | a miss, or dropped: [`NewItems`]; a catalogue's items can be found |
//! | a shopper with nothing ahead | teaches, is not asked |
//! | the same item twice ahead | one target, the values added |
//! | events of equal time | a cut in time never parts them; the splits by shopper part them by the order of arrival |
//! | nothing before the cut, or nobody to ask | [`SplitError`] |
//! | anonymous sessions | teach; are asked only for the next item of the session |

mod ask;
mod cut;
mod questions;
mod write;

pub use questions::{Ask, NewItems, NewShoppers, Questions, RepeatTargets};

use super::task::{Task, TaskError};
use crate::dataset::{DatasetBuilder, DatasetError, Log};
use crate::ids::TooManyIds;
use crate::time::{Span, Timestamp};

/// Why a log makes no task.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A share that leaves one side empty.
    #[error("the share of {what} is {got}; expected a number above 0 and below 1")]
    Share {
        /// Of what.
        what: &'static str,
        /// The share.
        got: f64,
    },
    /// A split that holds out nothing.
    #[error("nothing is held out: ask for at least one {what}")]
    Nothing {
        /// What is counted.
        what: &'static str,
    },
    /// Nothing to learn from.
    #[error("no event is left to fit on; cut later, or hold out less (the log has {events} events)")]
    NoPast {
        /// Events in the log.
        events: usize,
    },
    /// Nobody to ask.
    #[error("nobody is left to ask: {left_out}; cut earlier, or widen the kinds of targets")]
    NoQuestions {
        /// Who and what was left out.
        left_out: LeftOut,
    },
    /// Too many keys.
    #[error(transparent)]
    Full(#[from] TooManyIds),
    /// Too many events.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The parts do not fit together.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// What a split left out of its questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LeftOut {
    /// Shoppers with targets but without a past, under [`NewShoppers::Skip`].
    pub new_shoppers: usize,
    /// Questions whose every target was dropped.
    pub without_target: usize,
    /// Targets dropped as the shopper knew them ([`RepeatTargets::NewTo`]).
    pub known_targets: usize,
    /// Targets dropped as the data to fit on does not know them ([`NewItems::Drop`]).
    pub unknown_targets: usize,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { new_shoppers, without_target, known_targets, unknown_targets } = self;
        write!(
            f,
            "left out {new_shoppers} shoppers without a past, {without_target} questions without a target, \
             {known_targets} targets known to the shopper and {unknown_targets} unknown to the past"
        )
    }
}

/// Whether a model may learn from the step just before the questions.
///
/// That step is what [`Split::validation`] asks about: the time of one horizon before the cut, the last held-out events
/// but one, the shoppers held out for validation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FitOn {
    /// Yes: what a shop does that fits every day.
    #[default]
    TrainAndValidation,
    /// No: it is known when the question is asked, but not fitted on. The convention of many sequence papers.
    Train,
}

/// How a log is cut. See the [module](self) for which to take.
///
/// # Example
/// ```
/// use likewise::evaluate::{Exclusion, Questions, Split};
/// use likewise::testing::{ShopParams, SyntheticShop};
/// use likewise::{DatasetBuilder, EventKind, KindSet, Validate};
/// let shop = SyntheticShop::new(ShopParams { items: 200, events: 20_000, ..ShopParams::default() }.check()?);
/// let mut log = DatasetBuilder::default();
/// log.ingest(&shop)?;
///
/// let bought = KindSet::of(&[EventKind::Purchase]);
/// let questions = Questions::default().targets(bought).exclude(Exclusion::Seen(bought));
/// let task = Split::fraction(0.8).task(&log, &questions)?;
/// assert!(task.fit_on().n_events() <= 16_000 && !task.cases().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    how: How,
    fit_on: FitOn,
    /// 0 asks about the last step, 1 about the one before.
    back: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum How {
    At { cuts: Vec<Timestamp>, horizon: Option<Span> },
    Fraction { before: f64, horizon: Option<Span> },
    LeaveLast { n: usize, unit: Unit },
    HoldOut { shoppers: f64, fold_in: f64, seed: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Events,
    Sessions,
}

impl Split {
    const fn new(how: How) -> Self {
        Self { how, fit_on: FitOn::TrainAndValidation, back: 0 }
    }

    /// By time: what happened before `cut` is known, what happened at or after it is asked for, as of `cut`.
    #[must_use]
    pub fn at(cut: Timestamp) -> Self {
        Self::new(How::At { cuts: vec![cut], horizon: None })
    }

    /// By time, where the cut is the time of the event that has this share of all events before it. Events of that very
    /// time are all asked for, so that the known part may be smaller.
    #[must_use]
    pub const fn fraction(before: f64) -> Self {
        Self::new(How::Fraction { before, horizon: None })
    }

    /// By time, `folds` times: at `first`, one `step` later, and so on, each asking about one step.
    #[must_use]
    pub fn walk_forward(first: Timestamp, step: Span, folds: usize) -> Self {
        let nth = |fold| first.plus(Span::millis(step.as_millis().saturating_mul(fold as i64)));
        Self::new(How::At { cuts: (0..folds).map(nth).collect(), horizon: Some(step) })
    }

    /// By shopper: the last `n` events of the kinds asked for, as of the first of these. Shoppers with fewer teach and
    /// are not asked.
    #[must_use]
    pub const fn leave_last(n: usize) -> Self {
        Self::new(How::LeaveLast { n, unit: Unit::Events })
    }

    /// By shopper: the last `n` sessions or baskets with an event of the kinds asked for, as of the start of the first.
    /// What else the shopper did from then on is left out.
    #[must_use]
    pub const fn leave_last_sessions(n: usize) -> Self {
        Self::new(How::LeaveLast { n, unit: Unit::Sessions })
    }

    /// Strong generalisation: this share of the profiled shoppers with at least two events of the kinds asked for is
    /// held out of the fit. The first `fold_in` share of such a shopper's events (at least one, not all) is known when
    /// the rest is asked for.
    ///
    /// The draw depends on the seed and the shoppers' ids alone.
    #[must_use]
    pub const fn hold_out(shoppers: f64, fold_in: f64, seed: u64) -> Self {
        Self::new(How::HoldOut { shoppers, fold_in, seed })
    }

    /// With questions about this much time from the cut on (default: to the end of the log). Splits by time only.
    #[must_use]
    pub fn horizon(mut self, span: Span) -> Self {
        if let How::At { horizon, .. } | How::Fraction { horizon, .. } = &mut self.how {
            *horizon = Some(span);
        }
        self
    }

    /// With or without the step before the questions in the data to fit on.
    #[must_use]
    pub const fn fit_on(mut self, fit_on: FitOn) -> Self {
        self.fit_on = fit_on;
        self
    }

    /// The same split one step earlier, blind to what this one asks for: where parameters are chosen.
    ///
    /// A cut in time moves back by its horizon (without one, by the time from the cut to the end of the log), a fraction
    /// applies to the part before the cut once more, the last events are the last but those, and other shoppers are held
    /// out.
    #[must_use]
    pub fn validation(mut self) -> Self {
        self.back += 1;
        self
    }

    /// The tasks, one a cut, in the order of time. `O(events log)` each.
    ///
    /// # Errors
    /// [`SplitError`] when a cut has no past or no question.
    pub fn tasks(&self, log: &DatasetBuilder, questions: &Questions) -> Result<Vec<Task>, SplitError> {
        let read = Log::new(log);
        let cuts = cut::cuts(self, &read, questions)?;
        cuts.iter().map(|cut| write::task(log, &read, cut, None, questions)).collect()
    }

    /// The task; of several the last.
    ///
    /// # Errors
    /// As [`tasks`](Self::tasks).
    pub fn task(&self, log: &DatasetBuilder, questions: &Questions) -> Result<Task, SplitError> {
        let read = Log::new(log);
        let cuts = cut::cuts(self, &read, questions)?;
        let cut = cuts.last().ok_or(SplitError::Nothing { what: "cut" })?;
        write::task(log, &read, cut, None, questions)
    }

    /// Two logs: fit on all of `train`, ask about all of `test`, as of the end of `train` (or, for the next item, of the
    /// running session). The shoppers and items of both are matched by their ids.
    ///
    /// For validation, split `train` by any other split.
    ///
    /// # Errors
    /// As [`tasks`](Self::tasks).
    ///
    /// # Example
    /// ```
    /// use likewise::evaluate::{Questions, Split};
    /// use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, Shopper, Timestamp};
    /// let log = |rows: &[(&str, &str, i64)]| {
    ///     let mut log = DatasetBuilder::default();
    ///     for (user, item, at) in rows {
    ///         let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
    ///         log.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(*at)))?;
    ///     }
    ///     Ok::<_, Box<dyn std::error::Error>>(log)
    /// };
    /// let train = log(&[("ann", "mug", 1), ("bob", "tea", 2)])?;
    /// let test = log(&[("ann", "tea", 3), ("ann", "cup", 4)])?;
    /// let task = Split::given(&train, &test, &Questions::default())?;
    /// assert_eq!(task.cases()[0].n_targets(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn given(train: &DatasetBuilder, test: &DatasetBuilder, questions: &Questions) -> Result<Task, SplitError> {
        let (past, ahead) = (Log::new(train), Log::new(test));
        write::task(train, &past, &cut::given(&past), Some(&ahead), questions)
    }
}
