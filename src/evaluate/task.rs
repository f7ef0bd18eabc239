//! A data set cut into what may be learned from, what is known at the time of the question, and the questions.

use std::sync::Arc;

use super::case::Case;
use super::lists::Lists;
use super::split::LeftOut;
use crate::catalog::Shelf;
use crate::dataset::{Dataset, KindWeight};
use crate::event::KindSet;
use crate::ids::{ItemIdx, Lineage};
use crate::rank::{Filter, NotCurrent, Query, RankScratch, Seen, rank};
use crate::run::{Cancelled, Run};
use crate::scorer::{Candidates, Context, ItemSet, Scorer, Touch, TrainingSet, Workspace};
use crate::serve::{Snapshot, append_profile};

/// What is never recommended in a task, whoever recommends.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Exclusion {
    /// Items the shopper touched in one of these ways, in the running session or before.
    Seen(KindSet),
    /// The item the shopper is looking at: the latest of the running session.
    Current,
}

/// Why datasets and cases make no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// Two numberings.
    #[error("fit on {fit:?}, serve from {serve:?}: build both datasets from one DatasetBuilder")]
    Lineage {
        /// Of the data to fit on.
        fit: Lineage,
        /// Of the data to serve from.
        serve: Lineage,
    },
    /// A case names a shopper row that is not there.
    #[error("case {case} names shopper row {row}, the data served from has {rows}")]
    NoSuchRow {
        /// The case's number.
        case: usize,
        /// The row.
        row: u32,
        /// How many there are.
        rows: usize,
    },
    /// A case names an item that is not there.
    #[error("case {case} names item number {item}, the shelf has {items}")]
    NoSuchItem {
        /// The case's number.
        case: usize,
        /// The item.
        item: u32,
        /// How many there are.
        items: usize,
    },
}

/// A data set cut for an evaluation.
#[derive(Clone, Debug)]
pub struct Task {
    fit: Arc<Dataset>,
    serve: Arc<Dataset>,
    shelf: Shelf,
    cases: Vec<Case>,
    exclude: Vec<Exclusion>,
    history: usize,
    weights: Vec<KindWeight>,
    left_out: LeftOut,
}

/// What is evaluated: one scorer by itself, or everything a shop would serve.
#[derive(Clone, Copy, Debug)]
pub enum System<'a> {
    /// The scorer's own proposals, best first.
    Scorer(&'a dyn Scorer),
    /// The list of the snapshot's ranker: blend, filters, re-ranks, rules and fallbacks. Its dataset and shelf should be
    /// the task's; its own filters hold beside the task's exclusions.
    Snapshot(&'a Snapshot),
}

/// The latest touches scorers may look at, as in a default ranker.
const HISTORY: usize = 500;

impl Task {
    /// A task in which models are fitted on `fit` and asked when the events of `serve` are known. The same dataset may
    /// be both.
    ///
    /// # Errors
    /// [`TaskError`] when the datasets are of different numberings or a case names what is not there.
    pub fn new(fit: Arc<Dataset>, serve: Arc<Dataset>, shelf: Shelf, cases: Vec<Case>) -> Result<Self, TaskError> {
        if fit.lineage() != serve.lineage() {
            return Err(TaskError::Lineage { fit: fit.lineage(), serve: serve.lineage() });
        }
        for (number, case) in cases.iter().enumerate() {
            if let Some(user) = case.user.filter(|user| user.as_usize() >= serve.n_rows()) {
                return Err(TaskError::NoSuchRow { case: number, row: user.get(), rows: serve.n_rows() });
            }
            let touched = case.session.iter().map(|t| t.item).chain(case.basket.iter().copied());
            let beyond = |item: &ItemIdx| item.as_usize() >= shelf.n_items();
            if let Some(item) = touched.chain(case.known_targets().iter().copied()).find(beyond) {
                return Err(TaskError::NoSuchItem { case: number, item: item.get(), items: shelf.n_items() });
            }
        }
        let weights = serve.weights().by_code();
        Ok(Self {
            fit,
            serve,
            shelf,
            cases,
            exclude: Vec::new(),
            history: HISTORY,
            weights,
            left_out: LeftOut::default(),
        })
    }

    /// With something that is never recommended.
    #[must_use]
    pub fn exclude(mut self, exclusion: Exclusion) -> Self {
        self.exclude.push(exclusion);
        self
    }

    /// With this many latest touches of the shopper that scorers may look at (default 500).
    #[must_use]
    pub fn history(mut self, touches: usize) -> Self {
        self.history = touches;
        self
    }

    /// The same task with other cases of the same data: a sample, a segment.
    ///
    /// # Errors
    /// As [`Task::new`].
    pub fn with_cases(&self, cases: Vec<Case>) -> Result<Self, TaskError> {
        let new = Self::new(Arc::clone(&self.fit), Arc::clone(&self.serve), self.shelf.clone(), cases)?;
        Ok(Self { exclude: self.exclude.clone(), history: self.history, left_out: self.left_out, ..new })
    }

    pub(super) fn with_left_out(mut self, left_out: LeftOut) -> Self {
        self.left_out = left_out;
        self
    }

    /// Who and what the split left out of the questions; nothing for a task made by hand.
    #[must_use]
    pub const fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// What a model may be fitted on.
    #[must_use]
    pub fn training_set(&self) -> TrainingSet<'_> {
        TrainingSet::with_shelf(&self.fit, &self.shelf)
    }

    /// The events to fit on.
    #[must_use]
    pub const fn fit_on(&self) -> &Arc<Dataset> {
        &self.fit
    }

    /// The events known when the questions are asked.
    #[must_use]
    pub const fn serve_from(&self) -> &Arc<Dataset> {
        &self.serve
    }

    /// The items.
    #[must_use]
    pub const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The questions.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// What is never recommended.
    #[must_use]
    pub fn exclusions(&self) -> &[Exclusion] {
        &self.exclude
    }

    /// The list of at most `k` items of every case. The same for any number of threads.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn lists(&self, system: System<'_>, k: usize, run: &Run<'_>) -> Result<Lists, Cancelled> {
        let n = self.cases.len();
        let asked = run.threads.map_with(
            n,
            || self.asker(system),
            |asker, case| {
                if case % 256 == 0 {
                    run.step(case as u64, n as u64, None)?;
                }
                Ok(asker.ask(&self.cases[case], k).to_vec())
            },
        );
        let asked: Vec<Vec<ItemIdx>> = asked.into_iter().collect::<Result<_, Cancelled>>()?;
        Ok(asked.into_iter().collect())
    }

    /// Someone who asks `system` case by case, with scratch of their own: for timing single requests.
    #[must_use]
    pub fn asker<'a>(&'a self, system: System<'a>) -> Asker<'a> {
        Asker { task: self, system, scratch: Scratch::default(), ws: Workspace::default() }
    }

    /// Calls `f` with the context of a case and the items that may be recommended in it.
    #[cfg(feature = "json")]
    pub(crate) fn asking<T>(&self, case: &Case, f: impl FnOnce(&Context<'_>, &dyn Fn(ItemIdx) -> bool) -> T) -> T {
        let (mut history, mut named) = (Vec::new(), ItemSet::default());
        let cx = self.context(case, &mut history);
        named.reset(self.shelf.n_items());
        self.refuse(&cx, &mut |item| {
            if item.as_usize() < cx.shelf.n_items() {
                named.insert(item);
            }
        });
        f(&cx, &|item| !named.contains(item) && !cx.shelf.is_removed(item))
    }

    /// The context of a case: its session, then the shopper's profile as known at its time.
    fn context<'a>(&'a self, case: &'a Case, history: &'a mut Vec<Touch>) -> Context<'a> {
        history.clear();
        history.extend_from_slice(&case.session);
        if let Some(user) = case.user {
            let room = self.history.saturating_sub(case.session.len());
            append_profile(&self.serve, &self.weights, user, case.now, room, history);
        }
        let mut cx = Context::new(&self.serve, &self.shelf, case.now);
        cx.user = case.user;
        cx.history = history;
        cx.session_len = case.session.len();
        cx.basket = &case.basket;
        cx
    }

    /// Names the excluded items of a case.
    fn refuse(&self, cx: &Context<'_>, refuse: &mut dyn FnMut(ItemIdx)) {
        for exclusion in &self.exclude {
            match *exclusion {
                Exclusion::Seen(kinds) => Seen { kinds, again_after: None }.refusals(cx, refuse),
                Exclusion::Current => NotCurrent.refusals(cx, refuse),
            };
        }
    }
}

#[derive(Default)]
struct Scratch {
    history: Vec<Touch>,
    named: ItemSet,
    admitted: ItemSet,
    refused: ItemSet,
    ranking: RankScratch,
    list: Vec<ItemIdx>,
}

/// Asks a system the cases of a task, one by one.
pub struct Asker<'a> {
    task: &'a Task,
    system: System<'a>,
    scratch: Scratch,
    ws: Workspace,
}

impl Asker<'_> {
    /// The list of at most `k` items for `case`, best first.
    pub fn ask(&mut self, case: &Case, k: usize) -> &[ItemIdx] {
        let Scratch { history, named, admitted, refused, ranking, list } = &mut self.scratch;
        let task = self.task;
        let cx = task.context(case, history);
        named.reset(task.shelf.n_items());
        task.refuse(&cx, &mut |item| {
            if item.as_usize() < cx.shelf.n_items() {
                named.insert(item);
            }
        });
        list.clear();
        match self.system {
            System::Scorer(scorer) => {
                admitted.reset(task.shelf.n_items());
                refused.reset(task.shelf.n_items());
                let admit = |item: ItemIdx| !named.contains(item) && !cx.shelf.is_removed(item);
                let mut out = Candidates::new(admitted, refused, task.shelf.n_items(), &admit);
                scorer.propose(&cx, k, &mut out, &mut self.ws);
                list.extend(out.items().iter().take(k));
            }
            System::Snapshot(snapshot) => {
                let inner = snapshot.inner();
                let query = Query::of(cx, named.items(), k);
                rank(&inner.ranker, &inner.bound, &query, ranking, &mut self.ws);
                list.extend(ranking.placed.iter().map(|placed| placed.item));
            }
        }
        list
    }
}

impl std::fmt::Debug for Asker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("system", &self.system).finish_non_exhaustive()
    }
}
