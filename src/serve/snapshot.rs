//! One immutable state of everything a request needs.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use super::request::{Request, RequestError};
use super::resolve::Resolved;
use super::result::{Contribution, Entry, Ignored, Recommendations, Source};
use crate::catalog::{Catalog, Shelf};
use crate::dataset::{Dataset, Extent, KindWeight, MemoryReport};
use crate::ids::{ItemIdx, Lineage};
use crate::log::Cursor;
use crate::rank::{Bound, BoundError, Placed, Query, RankScratch, Ranker, rank};
use crate::scorer::{NOBODY, ReasonCode, Scorer, Workspace};

/// Why dataset, catalogue and ranker make no snapshot.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A scorer was fitted in another numbering.
    #[error("scorer {scorer:?} was fitted on {fitted:?}, the dataset is of {dataset:?}; fit it on this data")]
    Lineage {
        /// The scorer.
        scorer: String,
        /// Its lineage.
        fitted: Lineage,
        /// The dataset's.
        dataset: Lineage,
    },
    /// A scorer knows more items or shoppers than the dataset.
    #[error(
        "scorer {scorer:?} was fitted on more than the dataset holds; serve the later dataset ({fitted:?}, {dataset:?})"
    )]
    Extent {
        /// The scorer.
        scorer: String,
        /// What it was fitted on.
        fitted: Extent,
        /// What the dataset has.
        dataset: Extent,
    },
    /// The ranker asks for something the catalogue does not have.
    #[error(transparent)]
    Bind(#[from] BoundError),
}

/// A dataset, a catalogue and a ranker that fit together: immutable, cheap to clone, shared by all threads.
///
/// The same request to the same snapshot gives the same bytes, on any thread, alone or in a batch. A change makes a
/// new snapshot: [`with_catalog`](Snapshot::with_catalog) and [`with_ranker`](Snapshot::with_ranker) refit nothing.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::{
///     Catalog, Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, PopularityParams, Ranker, Request, Run,
///     Shopper, Snapshot, Timestamp, Validate,
/// };
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let buy = |user, item, d| {
///     Event::new(Shopper::Profiled(Consented::new(user, LawfulBasis::Contract)), item, EventKind::Purchase, day(d))
/// };
/// let mut builder = DatasetBuilder::default();
/// builder.ingest(vec![buy("ann", "mug", 1), buy("bob", "mug", 2), buy("bob", "tea", 3)])?;
/// let data = Arc::new(builder.finish()?);
/// let popular = PopularityParams::default().check()?.fit(&(&*data).into(), &Run::new(1))?;
/// let ranker = Ranker::builder().scorer(Arc::new(popular), 1.0).build()?;
/// let snapshot = Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(ranker))?;
/// let list = snapshot.recommend(&Request::anonymous(day(4)).k(2))?;
/// assert_eq!(list.ids().collect::<Vec<_>>(), ["mug", "tea"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Snapshot {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    generation: u64,
    covers: Cursor,
    pub(crate) dataset: Arc<Dataset>,
    pub(crate) shelf: Shelf,
    pub(crate) ranker: Arc<Ranker>,
    pub(crate) bound: Arc<Bound>,
    /// Event weights by kind code.
    pub(crate) weights: Vec<KindWeight>,
    /// Idle workspaces of the easy door.
    idle: Mutex<Vec<Workspace>>,
}

/// The buffers of one request beside the scorers' own.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) resolved: Resolved,
    pub(crate) ranking: RankScratch,
}

impl Snapshot {
    /// Joins dataset, catalogue and ranker under generation 0. `O(items + catalogue)`.
    ///
    /// # Errors
    /// [`SnapshotError`] when a scorer belongs to another numbering or a later dataset, or the ranker asks for an
    /// attribute or scorer that is not there.
    pub fn new(dataset: Arc<Dataset>, catalog: Arc<Catalog>, ranker: Arc<Ranker>) -> Result<Self, SnapshotError> {
        let shelf = Shelf::new(&dataset, catalog);
        Self::assemble(dataset, shelf, ranker)
    }

    fn assemble(dataset: Arc<Dataset>, shelf: Shelf, ranker: Arc<Ranker>) -> Result<Self, SnapshotError> {
        let extent = dataset.extent();
        for scorer in ranker.scorers().iter().chain(ranker.fallbacks()) {
            let (name, fitted) = (scorer.name().to_owned(), scorer.extent());
            if fitted.lineage != extent.lineage {
                let (fitted, dataset) = (fitted.lineage, extent.lineage);
                return Err(SnapshotError::Lineage { scorer: name, fitted, dataset });
            }
            if fitted.n_items > extent.n_items || fitted.n_rows > extent.n_rows {
                return Err(SnapshotError::Extent { scorer: name, fitted, dataset: extent });
            }
        }
        let bound = Arc::new(Bound::new(&ranker, &dataset, &shelf)?);
        let weights = dataset.weights().by_code();
        let idle = Mutex::default();
        Ok(Self {
            inner: Arc::new(Inner {
                generation: 0,
                covers: Cursor::START,
                dataset,
                shelf,
                ranker,
                bound,
                weights,
                idle,
            }),
        })
    }

    /// The same with another catalogue: new prices, stock, attributes or items, nothing refitted. Generation 0 until it
    /// is published.
    ///
    /// # Errors
    /// As [`Snapshot::new`].
    pub fn with_catalog(&self, catalog: Arc<Catalog>) -> Result<Self, SnapshotError> {
        let Inner { dataset, shelf, ranker, covers, .. } = &*self.inner;
        let next = Self::assemble(Arc::clone(dataset), shelf.renewed(dataset, catalog), Arc::clone(ranker))?;
        Ok(next.covering(*covers))
    }

    /// The same with another ranker: new weights, filters or rules, nothing refitted. Generation 0 until it is published.
    ///
    /// # Errors
    /// As [`Snapshot::new`].
    pub fn with_ranker(&self, ranker: Arc<Ranker>) -> Result<Self, SnapshotError> {
        let Inner { dataset, shelf, covers, .. } = &*self.inner;
        Ok(Self::assemble(Arc::clone(dataset), shelf.clone(), ranker)?.covering(*covers))
    }

    /// The same under another generation. Copies the 16 bytes an item of the shelf, binds nothing anew.
    pub(crate) fn with_generation(&self, generation: u64) -> Self {
        self.labelled(generation, self.inner.covers)
    }

    /// The same, said to hold a log's events up to `covers`.
    pub(crate) fn covering(&self, covers: Cursor) -> Self {
        self.labelled(self.inner.generation, covers)
    }

    fn labelled(&self, generation: u64, covers: Cursor) -> Self {
        let Inner { dataset, shelf, ranker, bound, weights, .. } = &*self.inner;
        Self {
            inner: Arc::new(Inner {
                generation,
                covers,
                dataset: Arc::clone(dataset),
                shelf: shelf.clone(),
                ranker: Arc::clone(ranker),
                bound: Arc::clone(bound),
                weights: weights.clone(),
                idle: Mutex::default(),
            }),
        }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// The number the [`Recommender`](crate::Recommender) gave it; 0 before it was published.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.inner.generation
    }

    /// Up to where in the log its events go, if a [`Live`](crate::Live) recommender made it.
    #[must_use]
    pub fn covers(&self) -> Cursor {
        self.inner.covers
    }

    /// The events it serves from.
    #[must_use]
    pub fn dataset(&self) -> &Arc<Dataset> {
        &self.inner.dataset
    }

    /// Its items.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.inner.shelf
    }

    /// Its ranker.
    #[must_use]
    pub fn ranker(&self) -> &Arc<Ranker> {
        &self.inner.ranker
    }

    /// The id of an item; `""` for an unknown number.
    #[must_use]
    pub fn item_id(&self, item: ItemIdx) -> &str {
        self.inner.shelf.key(&self.inner.dataset, item)
    }

    /// The number of an item.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<ItemIdx> {
        self.inner.shelf.item(&self.inner.dataset, id)
    }

    /// The name of where a contribution comes from: a scorer's name, a rule's id, a preference's kind.
    #[must_use]
    pub fn source_name(&self, source: Source) -> &str {
        let ranker = &self.inner.ranker;
        match source {
            Source::Scorer(i) => ranker.scorers().get(i).map_or("", |s| s.name()),
            Source::Fallback(i) => ranker.fallbacks().get(i).map_or("", |s| s.name()),
            Source::Rule(i) => ranker.rules().get(i).map_or("", |r| &r.id),
            Source::Preference(i) => ranker.preferences().get(i).map_or("", |(p, _)| p.name()),
        }
    }

    /// Answers a request with a workspace of the snapshot's own.
    ///
    /// # Errors
    /// [`RequestError`] when the request's filter expression does not fit the catalogue.
    pub fn recommend(&self, request: &Request<'_>) -> Result<Recommendations, RequestError> {
        self.recommend_with(request, &mut self.borrow_workspace())
    }

    /// An idle workspace of the snapshot's own; it goes back when dropped.
    pub(crate) fn borrow_workspace(&self) -> Borrowed<'_> {
        let mut idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        Borrowed { home: &self.inner.idle, ws: idle.pop().unwrap_or_default() }
    }

    /// Answers a request with the caller's workspace: once it is warm, nothing is allocated but the result.
    ///
    /// # Errors
    /// As [`recommend`](Snapshot::recommend).
    pub fn recommend_with(&self, request: &Request<'_>, ws: &mut Workspace) -> Result<Recommendations, RequestError> {
        let mut scratch = ws.take::<Scratch>();
        let answer = self
            .run(request, &mut scratch, ws, None)
            .map(|()| self.answer(&scratch.ranking, scratch.resolved.ignored, request.offset));
        ws.give(scratch);
        answer
    }

    /// Resolves and ranks; the list is in the scratch.
    /// Whether anybody else holds it.
    pub(super) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.inner) > 1
    }

    pub(crate) fn run(
        &self,
        request: &Request<'_>,
        scratch: &mut Scratch,
        ws: &mut Workspace,
        probe: Option<ItemIdx>,
    ) -> Result<(), RequestError> {
        let Scratch { resolved, ranking } = scratch;
        resolved.fill(&self.inner, request, ws)?;
        let query = Query { probe, ..resolved.query(&self.inner, request) };
        rank(&self.inner.ranker, &self.inner.bound, &query, ranking, ws);
        Ok(())
    }

    pub(super) fn answer(&self, r: &RankScratch, ignored: Ignored, offset: usize) -> Recommendations {
        let page = &r.placed[offset.min(r.placed.len())..];
        let mut entries = Vec::with_capacity(page.len());
        let mut contributions = Vec::with_capacity(page.iter().map(|p| self.contributions(r, p).count()).sum());
        for p in page {
            let first = contributions.len() as u32;
            contributions.extend(self.contributions(r, p));
            let end = contributions.len() as u32;
            entries.push(Entry { item: p.item, score: p.score, placement: p.placement, first, end });
        }
        Recommendations {
            snapshot: self.clone(),
            entries,
            contributions,
            stages: r.stages.clone(),
            rules: r.log.clone(),
            ignored,
        }
    }

    /// The parts of a placed item's score that are not zero, in the order they were added.
    pub(crate) fn contributions<'s>(
        &'s self,
        r: &'s RankScratch,
        placed: &Placed,
    ) -> impl Iterator<Item = Contribution> + use<'s> {
        let ranker = &self.inner.ranker;
        let n = r.scores.len();
        let (scorers, preferences) = (ranker.scorers.len(), ranker.preferences.len());
        let columns = placed.slot.map_or(0, |_| scorers + preferences + r.boosts.len());
        let slot = placed.slot.unwrap_or(0);
        let fallback = placed.fallback.map(|f| Contribution {
            source: Source::Fallback(f),
            value: placed.score,
            code: ranker.fallbacks[f].reason(),
            because: None,
        });
        let blended = (0..columns).map(move |column| {
            let value = r.columns[column * n + slot];
            let (source, code, because) = if column < scorers {
                (Source::Scorer(column), ranker.scorers[column].reason(), r.because[column * n + slot])
            } else if column < scorers + preferences {
                let p = column - scorers;
                (Source::Preference(p), ranker.preferences[p].0.reason(), NOBODY)
            } else {
                (Source::Rule(r.boosts[column - scorers - preferences]), ReasonCode::Curated, NOBODY)
            };
            Contribution { source, value, code, because: (because != NOBODY).then(|| ItemIdx::new(because)) }
        });
        blended.chain(fallback).filter(|c| c.value != 0.0)
    }

    /// The heap bytes of the dataset, the shelf with its catalogue, the scorers and the fallbacks, by part; a model that is in
    /// the ranker twice counts once.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        let Inner { dataset, shelf, .. } = &*self.inner;
        let report = MemoryReport::default()
            .with_all("dataset", &dataset.memory_report())
            .with_all("shelf", &shelf.memory_report());
        let mut models = self.models();
        let mut met: Vec<*const ()> = Vec::new();
        models.retain(|model| {
            let place = Arc::as_ptr(model).cast::<()>();
            let new = !met.contains(&place);
            met.push(place);
            new
        });
        models.into_iter().fold(report, |all, model| all.with_all(model.name(), &model.memory_report()))
    }

    fn models(&self) -> Vec<&Arc<dyn Scorer>> {
        let ranker = &self.inner.ranker;
        ranker.scorers().iter().chain(ranker.fallbacks()).collect()
    }

    /// The heap bytes of dataset and models that `other` does not share.
    pub(super) fn bytes_beside(&self, other: &Self) -> usize {
        let (mine, theirs) = (self.dataset(), other.dataset());
        let data = if Arc::ptr_eq(mine, theirs) { 0 } else { mine.memory_report().total() };
        let shared = other.models();
        let own = self.models().into_iter().filter(|model| !shared.iter().any(|other| Arc::ptr_eq(model, other)));
        data + own.map(|model| model.memory_report().total()).sum::<usize>()
    }
}

/// A workspace that goes back to the snapshot's idle ones when dropped.
pub(crate) struct Borrowed<'a> {
    home: &'a Mutex<Vec<Workspace>>,
    ws: Workspace,
}

impl Deref for Borrowed<'_> {
    type Target = Workspace;
    fn deref(&self) -> &Workspace {
        &self.ws
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Workspace {
        &mut self.ws
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let ws = std::mem::take(&mut self.ws);
        self.home.lock().unwrap_or_else(PoisonError::into_inner).push(ws);
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { generation, dataset, shelf, ranker, .. } = &*self.inner;
        f.debug_struct("Snapshot")
            .field("generation", generation)
            .field("events", &dataset.n_events())
            .field("items", &shelf.n_items())
            .field("scorers", &ranker.scorers().iter().map(|s| s.name()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
