//! A recommender that records while it serves.
//!
//! A recorded event counts in the very next request of its shopper: in the history (and so in every scorer linear in it,
//! and in the fold-in of factor models), in the seen filter, in the baskets. In the counts of everybody else it counts
//! after the next [`Live::refresh`], which touches only what changed where a model can do that.
//!
//! Memory is bounded by [caps](LiveConfig::caps) and a [budget](LiveConfig::budget); what is left out of it stays in the log.
//! Several shops in a process share nothing but the thread pool they are run on: give each its own
//! [lineage](LiveConfig::lineage), log and store; example `tenants` opens them as they are asked for.
//!
//! Nothing happens behind the shop's back: no thread, no clock. The shop calls `refresh` when it likes, or gives a thread
//! to [`Live::keep_fresh`].

mod budget;
mod config;
mod fresh;
mod learning;
mod lineup;
mod saved;
mod shopper;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use config::Kept;
pub use config::LiveConfig;
pub use lineup::{Lineup, Refit};
pub use saved::Origin;

pub(crate) use fresh::{Base, Fresh};

use super::{Recommendations, Recommender, Request, RequestError, Snapshot, SnapshotError, Why};
use crate::budget::MemoryBudget;
use crate::catalog::Catalog;
use crate::consent::Shopper;
use crate::dataset::{DatasetError, MemoryReport};
use crate::event::Event;
use crate::ids::TooManyIds;
use crate::log::{Aliases, Appended, Cursor, Durability, EventLog, LogError, Retention};
use crate::persist::{Resident, StoreError};
use crate::rank::RankerError;
use crate::run::Run;
use crate::scorer::{FitError, Workspace};
use crate::source::Flow;
use crate::time::Timestamp;
use fresh::{FreshCount, FreshEvent, FreshTable};
use learning::{Learning, Next, Task};

/// Why a live recommender could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// The log could not.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A model could not be fitted. The last snapshot is served on.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The log holds more than a dataset can.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A numbering is full.
    #[error(transparent)]
    Full(#[from] TooManyIds),
    /// The lineup's ranker cannot be built.
    #[error(transparent)]
    Ranker(#[from] RankerError),
    /// Dataset, catalogue and ranker do not fit together.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The memory budget does not hold the models of even the fewest events. The last snapshot is served on.
    #[error(
        "the memory budget of {declared} bytes is too small: it would take about {needed}; raise it, keep less of the catalogue, or serve smaller models"
    )]
    Budget {
        /// Bytes that were declared.
        declared: u64,
        /// Bytes that would do, as far as is known.
        needed: u64,
    },
    /// There is nothing to save to.
    #[error("no store was configured; open with LiveConfig::store")]
    NoStore,
}

/// What recording did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// What became of each event.
    pub appended: Appended,
    /// Events the served snapshot does not hold yet: how far it lags behind the log. Refresh when it grows.
    pub lag: u64,
}

/// What a refresh did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// The generation that is served now.
    pub generation: u64,
    /// Up to where in the log it goes.
    pub covers: Cursor,
    /// Events that came in.
    pub events: u64,
    /// Models that were fitted or updated; the others serve on as they were.
    pub models: usize,
    /// Events that retention took away.
    pub expired: u64,
    /// Events of the log that caps or the budget keep out of the dataset.
    pub evicted: u64,
}

/// What is held in memory between refreshes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveReport {
    /// Profiles with fresh events.
    pub profiles: usize,
    /// Fresh events.
    pub events: usize,
    /// Profiles whose fresh events were let go of since the last refresh, for want of room: refresh sooner.
    pub let_go: u64,
    /// The cap on all events that is in force: that of the [`caps`](LiveConfig::caps), or less to stay within the budget.
    pub events_cap: u32,
    /// The declared budget.
    pub budget: Option<MemoryBudget>,
    /// Bytes by part: the served snapshot, what the next refresh goes on from, the file it began with as long as columns
    /// share it (not where it is mapped), fresh events, merges, and replaced snapshots that are still read. Not the log's, and
    /// not those of the workspaces of requests (as many as run at once; a
    /// few dozen bytes an item each).
    pub memory: MemoryReport,
}

/// A recommender over an [`EventLog`]: records, serves, refreshes, forgets.
///
/// Requests take the served snapshot and the shopper's fresh events, both in memory, and wait for nobody. Recording
/// takes the log's append and a push. A refresh fits outside of all locks that readers or recorders take; two refreshes
/// wait for each other.
///
/// # Example
/// ```
/// use likewise::log::{Durability, MemoryLog};
/// use likewise::*;
///
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let who = |user| Consented::new(user, LawfulBasis::Contract);
/// let buy = |user, item, d| Event::new(Shopper::Profiled(who(user)), item, EventKind::Purchase, day(d));
/// let together = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::co_purchase() };
/// let lineup = Lineup::new().model(together.check()?, 1.0, Refit::EveryRefresh);
/// let shop = Live::open(MemoryLog::default(), LiveConfig::new(lineup), day(0), &Run::new(1))?;
/// let history = [buy("ann", "tea", 1), buy("ann", "mug", 1), buy("bob", "mug", 2), buy("bob", "saw", 2)];
/// shop.record(&history, day(2), Durability::Disk)?;
/// shop.refresh(day(3), &Run::new(1))?;
///
/// let eve = Request::profiled(who("eve"), day(4));
/// let first = |list: Recommendations| list.ids().next().map(str::to_owned);
/// let stranger = first(shop.recommend(&eve)?); // nobody knows her
/// shop.record(&[buy("eve", "tea", 4)], day(4), Durability::Disk)?;
/// assert_eq!(first(shop.recommend(&eve)?).as_deref(), Some("mug")); // the very next request
/// shop.forget("eve")?;
/// assert_eq!(first(shop.recommend(&eve)?), stranger);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Live<L> {
    log: L,
    config: LiveConfig,
    recommender: Recommender,
    fresh: FreshTable,
    aliases: RwLock<Aliases>,
    /// An epoch of the log since which the aliases were read.
    aliases_epoch: AtomicU64,
    learning: Mutex<Learning>,
    /// What the learning holds, told without waiting for a refresh.
    standing: Mutex<Standing>,
    catalog: RwLock<Arc<Catalog>>,
    /// Whether the generations of the store must go and could not be taken away.
    outdated: AtomicBool,
    /// The epoch of what was opened or saved last.
    saved_epoch: AtomicU64,
    origin: Origin,
}

/// What is known of the learning while a refresh holds it.
#[derive(Clone, Debug, Default)]
struct Standing {
    held: MemoryReport,
    file: Resident,
    events_cap: u32,
}

impl<L: EventLog> Live<L> {
    /// Reads the log, fits every model and serves. With a [store](LiveConfig::store), serves the newest generation that is
    /// good and fits this log and lineup, and reads only what was logged since: nothing is fitted before the next refresh.
    /// [`origin`](Live::origin) tells which of the two it was.
    ///
    /// # Errors
    /// [`LiveError`]. A generation that cannot be opened is no error, see [`Origin`].
    pub fn open(log: L, config: LiveConfig, now: Timestamp, run: &Run<'_>) -> Result<Self, LiveError> {
        let fresh = FreshTable::new(config.fresh_events, config.budget.map(budget::fresh));
        let (learning, snapshot, origin) = match saved::restore(&log, &config, &fresh)? {
            Ok((state, snapshot, origin)) => (Learning { state: Some(state) }, snapshot, origin),
            Err(origin) => {
                let mut learning = Learning::default();
                let catalog = config.catalog.clone().unwrap_or_default();
                let task = Task { config: &config, catalog: &catalog, now, run, stale: Stale::All };
                let next = learning.next(&log, &task)?;
                (learning, next.snapshot, origin)
            }
        };
        let aliases_epoch = AtomicU64::new(log.state()?.epoch);
        let aliases = RwLock::new(log.merges()?);
        let catalog = RwLock::new(Arc::clone(snapshot.shelf().catalog()));
        let recommender = Recommender::new(snapshot);
        Ok(Self {
            standing: Mutex::new(learning.standing()),
            outdated: AtomicBool::new(false),
            saved_epoch: AtomicU64::new(learning.epoch()),
            learning: Mutex::new(learning),
            log,
            config,
            recommender,
            fresh,
            aliases,
            aliases_epoch,
            catalog,
            origin,
        })
    }

    /// The log.
    pub const fn log(&self) -> &L {
        &self.log
    }

    /// The handle to what is served, for requests of nobody and for looking: it does not see fresh events, and knows who was
    /// erased, withdrew or was merged until the next refresh. Ask for a shopper by [`recommend`](Live::recommend).
    pub const fn recommender(&self) -> &Recommender {
        &self.recommender
    }

    /// Keeps the events and makes them count in the next requests of their shoppers. What it acknowledges is as safe as
    /// `durability` says.
    ///
    /// # Errors
    /// [`LiveError::Log`]; then nothing of the batch was kept.
    pub fn record(&self, batch: &[Event<'_>], now: Timestamp, durability: Durability) -> Result<Recorded, LiveError> {
        // Held over the append, so that a merge or an erasure comes wholly before or wholly behind it.
        let aliases = self.aliases.read().unwrap_or_else(PoisonError::into_inner);
        let appended = self.log.append(batch, now, durability)?;
        for (place, cursor) in appended.kept(batch.len()) {
            let event = &batch[place];
            if let Shopper::Profiled(who) = aliases.resolve(event.shopper)
                && !event.item.is_empty()
            {
                self.fresh.push(who.user(), FreshEvent::new(cursor, event));
            }
        }
        drop(aliases);
        let lag = appended.end.get().saturating_sub(self.recommender.snapshot().covers().get());
        Ok(Recorded { appended, lag })
    }

    /// Answers a request, the shopper's fresh events included.
    ///
    /// # Errors
    /// As [`Snapshot::recommend`].
    pub fn recommend(&self, request: &Request<'_>) -> Result<Recommendations, RequestError> {
        self.answer(request, |snapshot, request| snapshot.recommend(request))
    }

    /// The same with the caller's workspace.
    ///
    /// # Errors
    /// As [`Snapshot::recommend`].
    pub fn recommend_with(&self, request: &Request<'_>, ws: &mut Workspace) -> Result<Recommendations, RequestError> {
        self.answer(request, |snapshot, request| snapshot.recommend_with(request, ws))
    }

    /// Calls `ask` with the served snapshot and the request, which carries the shopper's fresh events: the way to
    /// [`Snapshot::explain`] and everything else a snapshot does.
    pub fn answer<T>(&self, request: &Request<'_>, ask: impl FnOnce(&Snapshot, &Request<'_>) -> T) -> T {
        // The fresh events first: a snapshot taken later may know some of them (and says which), one taken earlier could
        // miss what the table no longer holds.
        let fresh = request.user.and_then(|who| self.fresh.get(who.user()));
        let snapshot = self.recommender.snapshot();
        let fresh = fresh.as_deref().map(|profile| Fresh::new(profile, snapshot.covers()));
        ask(&snapshot, &Request { fresh, ..*request })
    }

    /// Takes in what the log holds, fits what is stale and serves the result. Enforces retention first.
    ///
    /// # Errors
    /// [`LiveError`]; the last snapshot is served on.
    pub fn refresh(&self, now: Timestamp, run: &Run<'_>) -> Result<Refreshed, LiveError> {
        self.renew(now, run, Stale::ByPolicy)
    }

    /// [`refresh`](Live::refresh), with every model fitted anew.
    ///
    /// # Errors
    /// As [`refresh`](Live::refresh).
    pub fn refit(&self, now: Timestamp, run: &Run<'_>) -> Result<Refreshed, LiveError> {
        self.renew(now, run, Stale::All)
    }

    fn renew(&self, now: Timestamp, run: &Run<'_>, stale: Stale) -> Result<Refreshed, LiveError> {
        let mut learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let expired = if self.config.retention == Retention::default() {
            0
        } else {
            self.log.expire(&self.config.retention, now)?
        };
        if expired > 0 {
            self.outdate();
        }
        self.clear_store()?;
        let catalog = Arc::clone(&self.catalog.read().unwrap_or_else(PoisonError::into_inner));
        let next = learning.next(&self.log, &Task { config: &self.config, catalog: &catalog, now, run, stale })?;
        if self.aliases_epoch.load(Ordering::Acquire) != learning.epoch() {
            // Another process may have merged, withdrawn or erased: what is recorded from now on goes by what the log says.
            let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
            *aliases = self.log.merges()?;
            self.aliases_epoch.store(learning.epoch(), Ordering::Release);
        }
        let covers = next.snapshot.covers();
        let generation = self.recommender.publish(next.snapshot);
        self.fresh.settle(covers, learning.epoch());
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = learning.standing();
        self.recommender.tidy();
        let Next { events, evicted, models, .. } = next;
        Ok(Refreshed { generation, covers, events, models, expired, evicted })
    }

    /// Refreshes until `pause` says [`Flow::Stop`]: called after each refresh with what it did, it sleeps, waits for a
    /// signal or for enough [lag](Recorded::lag). The shop gives the thread and the clock.
    ///
    /// # Errors
    /// The first error of a refresh; the last snapshot is served on, and the loop may be called again.
    pub fn keep_fresh(
        &self,
        run: &Run<'_>,
        mut clock: impl FnMut() -> Timestamp,
        mut pause: impl FnMut(&Refreshed) -> Flow,
    ) -> Result<(), LiveError> {
        while pause(&self.refresh(clock(), run)?) == Flow::Continue {}
        Ok(())
    }

    /// Serves another catalogue at once; nothing is refitted.
    ///
    /// # Errors
    /// [`LiveError::Snapshot`] when the ranker asks for an attribute it does not have.
    pub fn set_catalog(&self, catalog: Arc<Catalog>) -> Result<u64, LiveError> {
        // No refresh may publish the old catalogue behind our back.
        let _learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.recommender.snapshot().with_catalog(Arc::clone(&catalog))?;
        *self.catalog.write().unwrap_or_else(PoisonError::into_inner) = catalog;
        Ok(self.recommender.publish(next))
    }

    /// What is held in memory. Waits for no refresh. `O(profiles with fresh events + items)`.
    #[must_use]
    pub fn report(&self) -> LiveReport {
        let FreshCount { profiles, events, bytes, let_go } = self.fresh.count();
        let Standing { held, file, events_cap } = self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let merges = self.aliases.read().unwrap_or_else(PoisonError::into_inner).heap_bytes();
        let snapshot = self.recommender.snapshot();
        let memory = snapshot
            .memory_report()
            .with_all("learning", &held)
            .with("file", file.heap_bytes())
            .with("fresh events", bytes)
            .with("merges", merges)
            .with("replaced snapshots", self.recommender.retired_bytes());
        LiveReport { profiles, events, let_go, events_cap, budget: self.config.budget, memory }
    }

    /// The heap bytes held, by part: [`report`](Live::report)'s.
    #[must_use]
    pub fn memory_report(&self) -> MemoryReport {
        self.report().memory
    }
}

/// Which models a refresh fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stale {
    ByPolicy,
    All,
}

impl<L: fmt::Debug> fmt::Debug for Live<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("log", &self.log).field("serving", &self.recommender).finish_non_exhaustive()
    }
}
