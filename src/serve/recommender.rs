//! The handle an application keeps: it swaps snapshots, and a reader never waits for a fit.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::request::{Request, RequestError};
use super::result::Recommendations;
use super::snapshot::Snapshot;
use crate::scorer::Workspace;

/// A shared handle to the latest snapshot. Cheap to clone; all clones see what any of them publishes.
///
/// Readers hold the lock for one reference-count increment, the publisher for one pointer store: a fit happens outside.
/// A lock-free swap was left out on purpose: at a million reads a second the lock is not what costs, and the one
/// place that would change is this file. Nor does a reader free what was replaced, which may be gigabytes: the publisher
/// keeps it until its last reader has gone, and frees it when it publishes again or is asked to
/// [tidy](Recommender::tidy).
///
/// # Example
/// ```
/// # use std::sync::Arc;
/// # use likewise::{Catalog, DatasetBuilder, Ranker, Recommender, Request, Snapshot, Timestamp};
/// # let snapshot = || -> Result<Snapshot, Box<dyn std::error::Error>> {
/// #     let data = Arc::new(DatasetBuilder::default().finish()?);
/// #     Ok(Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(Ranker::builder().build()?))?)
/// # };
/// let recommender = Recommender::new(snapshot()?);
/// let list = recommender.recommend(&Request::anonymous(Timestamp::from_secs(0)))?;
/// assert_eq!(list.generation(), 1);
/// assert_eq!(recommender.publish(snapshot()?), 2); // the next request sees it
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recommender {
    current: Arc<RwLock<Snapshot>>,
    /// Replaced, and perhaps still read.
    retired: Arc<Mutex<Vec<Snapshot>>>,
}

impl Recommender {
    /// A handle to `first`, as generation 1.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self { current: Arc::new(RwLock::new(first.with_generation(1))), retired: Arc::default() }
    }

    /// The snapshot of this moment. Take one a request (or one a page of requests) and keep to it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes `next` the snapshot that later requests see, and returns its generation: one more than the last.
    pub fn publish(&self, next: Snapshot) -> u64 {
        loop {
            // The copy under its new number is made outside the lock; only if another publisher was faster, again.
            let generation = self.snapshot().generation() + 1;
            let numbered = next.with_generation(generation);
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            if current.generation() + 1 == generation {
                let last = std::mem::replace(&mut *current, numbered);
                drop(current);
                self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(last);
                self.tidy();
                return generation;
            }
        }
    }

    /// Frees the replaced snapshots that nobody reads any more, on this thread; how many are still read.
    pub fn tidy(&self) -> usize {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let (read, free): (Vec<_>, Vec<_>) = retired.drain(..).partition(Snapshot::is_shared);
        let left = read.len();
        *retired = read;
        drop(retired);
        drop(free); // may take a while: no lock is held
        left
    }

    /// The heap bytes of replaced snapshots that are still read, as far as the served one does not share them.
    pub(super) fn retired_bytes(&self) -> usize {
        let current = self.snapshot();
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.iter().map(|snapshot| snapshot.bytes_beside(&current)).sum()
    }

    /// Answers a request from the snapshot of this moment.
    ///
    /// # Errors
    /// As [`Snapshot::recommend`].
    pub fn recommend(&self, request: &Request<'_>) -> Result<Recommendations, RequestError> {
        self.snapshot().recommend(request)
    }

    /// The same with the caller's workspace.
    ///
    /// # Errors
    /// As [`Snapshot::recommend`].
    pub fn recommend_with(&self, request: &Request<'_>, ws: &mut Workspace) -> Result<Recommendations, RequestError> {
        self.snapshot().recommend_with(request, ws)
    }
}
