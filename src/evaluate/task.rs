//! A data set cut into what may be learned from, what is known at the time of the question, and the questions.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::case::Case;
use super::lists::Lists;
use super::split::LeftOut;
use crate::catalog::Shelf;
use crate::dataset::{Dataset, KindWeight};
use crate::event::KindSet;
use crate::ids::{ItemIdx, Lineage};
use crate::rank::{Filter, NotCurrent, Query, RankScratch, Ranker, Seen, rank};
use crate::run::{Cancelled, Run};
use crate::scorer::{Candidates, Context, ItemSet, Scorer, Touch, TrainingSet, Workspace};
use crate::serve::{Snapshot, SnapshotError, append_profile};

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
    n_removed: usize,
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

/// Cases a thread takes at a time.
const CHUNK: usize = 64;

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
        let items = (0..shelf.n_items() as u32).map(ItemIdx::new);
        let n_removed = items.filter(|&item| shelf.is_removed(item)).count();
        Ok(Self {
            fit,
            serve,
            shelf,
            cases,
            exclude: Vec::new(),
            history: HISTORY,
            weights,
            left_out: LeftOut::default(),
            n_removed,
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
        let ask = |asker: &mut Asker<'_>, cases: &[Case]| {
            let mut lists = Lists::default();
            cases.iter().for_each(|case| lists.push(asker.ask(case, k)));
            lists
        };
        Ok(self.ask_all(system, run, ask)?.iter().fold(Lists::default(), |mut all, lists| {
            all.append(lists);
            all
        }))
    }

    /// Runs `ask(asker, cases)` over all cases in chunks; the results are in the order of the cases.
    pub(super) fn ask_all<T: Send>(
        &self,
        system: System<'_>,
        run: &Run<'_>,
        ask: impl Fn(&mut Asker<'_>, &[Case]) -> T + Sync + Send,
    ) -> Result<Vec<T>, Cancelled> {
        let n = self.cases.len();
        let chunk = |asker: &mut Asker<'_>, chunk: usize| {
            let first = chunk * CHUNK;
            run.step(first as u64, n as u64, None)?;
            Ok(ask(asker, &self.cases[first..n.min(first + CHUNK)]))
        };
        run.threads.map_with(n.div_ceil(CHUNK), || self.asker(system), chunk).into_iter().collect()
    }

    /// A ranker over the task's data and items, to be evaluated as a shop would serve it: [`System::Snapshot`].
    ///
    /// # Errors
    /// As [`Snapshot::new`].
    pub fn snapshot(&self, ranker: Arc<Ranker>) -> Result<Snapshot, SnapshotError> {
        Snapshot::new(Arc::clone(&self.serve), Arc::clone(self.shelf.catalog()), ranker)
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

    /// What the shopper of a case is known to have touched: the running session, then the profile.
    pub(super) fn touched<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = ItemIdx> + 'a {
        let stored = case.user.into_iter().flat_map(|user| self.serve.events_of(user).until(case.now).items());
        case.session.iter().map(|touch| touch.item).chain(stored.copied())
    }

    /// The items that are never recommended in a case.
    pub(super) fn refused(&self, case: &Case) -> FxHashSet<ItemIdx> {
        let mut refused = FxHashSet::default();
        let mut history = Vec::new();
        if !self.exclude.is_empty() {
            self.refuse(&self.context(case, &mut history), &mut |item| {
                refused.insert(item);
            });
        }
        refused
    }

    /// Whether `item` may be recommended, given what is refused.
    pub(super) fn admits(&self, item: ItemIdx, refused: &FxHashSet<ItemIdx>) -> bool {
        item.as_usize() < self.shelf.n_items() && !self.shelf.is_removed(item) && !refused.contains(&item)
    }

    /// How many items may be recommended, given what is refused.
    pub(super) fn n_admitted(&self, refused: &FxHashSet<ItemIdx>) -> usize {
        let there = |item: &&ItemIdx| item.as_usize() < self.shelf.n_items() && !self.shelf.is_removed(**item);
        self.shelf.n_items() - self.n_removed - refused.iter().filter(there).count()
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
