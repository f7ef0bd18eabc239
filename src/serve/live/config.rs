//! How a live recommender records and learns, and where it is kept.

use std::path::Path;
use std::sync::Arc;

use super::Lineup;
use crate::budget::MemoryBudget;
use crate::catalog::Catalog;
use crate::dataset::{EventWeights, HistoryCaps};
use crate::ids::Lineage;
use crate::log::Retention;
use crate::params::Checked;
use crate::persist::{Container, PersistError, Store, Verify};
use crate::scorer::Codecs;
use crate::time::Span;

/// How a [`Live`](super::Live) recommender records and learns.
#[derive(Clone, Debug)]
#[must_use]
pub struct LiveConfig {
    pub(super) lineup: Lineup,
    pub(super) catalog: Option<Arc<Catalog>>,
    pub(super) lineage: Lineage,
    pub(super) weights: Checked<EventWeights>,
    pub(super) session_gap: Span,
    pub(super) retention: Retention,
    pub(super) fresh_events: usize,
    pub(super) caps: Checked<HistoryCaps>,
    pub(super) budget: Option<MemoryBudget>,
    pub(super) store: Option<Kept>,
}

/// Where a live recommender is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) store: Store,
    pub(super) codecs: Codecs,
    pub(super) open: fn(&Path) -> Result<Container, PersistError>,
}

impl LiveConfig {
    /// These models; no catalogue, default event weights, no retention window, 500 fresh events a profile,
    /// 10,000 events a shopper, no budget.
    pub fn new(lineup: Lineup) -> Self {
        Self {
            lineup,
            catalog: None,
            lineage: Lineage::default(),
            weights: Checked::default(),
            session_gap: Span::minutes(30),
            retention: Retention::default(),
            fresh_events: 500,
            caps: Checked::default(),
            budget: None,
            store: None,
        }
    }

    /// With this catalogue from the start; later ones by [`Live::set_catalog`](super::Live::set_catalog). Without, the one
    /// that was saved last, or none.
    pub fn catalog(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = Some(catalog);
        self
    }

    /// With a store: [`Live::open`](super::Live::open) begins with its newest generation, [`Live::save`](super::Live::save)
    /// adds one, [`Live::forget`](super::Live::forget) removes all. `codecs` names the kinds of scorers in the lineup; the
    /// default has all built-in ones.
    pub fn store(mut self, store: Store, codecs: Codecs) -> Self {
        self.store = Some(Kept { store, codecs, open: |path| Container::read(path, Verify::Now) });
        self
    }

    /// The same, served by memory map: less memory is the process's own, and it opens as soon as the bytes are checked. Only
    /// the store may write into its folder.
    #[cfg(feature = "mmap")]
    #[cfg_attr(docsrs, doc(cfg(feature = "mmap")))]
    pub fn mapped_store(mut self, store: Store, codecs: Codecs) -> Self {
        self.store = Some(Kept { store, codecs, open: |path| Container::map(path, Verify::Now) });
        self
    }

    /// With numberings named after this one. Give every shop of a process its own.
    pub const fn lineage(mut self, lineage: Lineage) -> Self {
        self.lineage = lineage;
        self
    }

    /// With these event weights.
    pub fn weights(mut self, weights: Checked<EventWeights>) -> Self {
        self.weights = weights;
        self
    }

    /// With sessions that end after this long a pause.
    pub const fn session_gap(mut self, gap: Span) -> Self {
        self.session_gap = gap;
        self
    }

    /// With windows that every refresh enforces, in the log too.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// With at most so many events a shopper, an item and in all in the dataset; the rest stays in the log.
    pub fn caps(mut self, caps: Checked<HistoryCaps>) -> Self {
        self.caps = caps;
        self
    }

    /// With this much memory for everything: an eighth for fresh events, five eighths for two states of dataset, models and
    /// what the next refresh goes on from (the one that is served, and the one that is made), and a quarter for the work of a
    /// refresh, the workspaces of requests and what the allocator loses. What the bound does not know: the log's own memory,
    /// files that are mapped, and replaced snapshots that a reader holds on to
    /// ([`LiveReport::memory`](super::LiveReport) shows these). On reaching it nothing stops and nothing acknowledged is lost:
    ///
    /// * fresh events beyond their share: profiles that recorded nothing for the longest are answered from the snapshot alone
    ///   until the next refresh ([`LiveReport::let_go`](super::LiveReport) counts them: refresh sooner);
    /// * a dataset and models beyond theirs: the refresh lowers the cap on all events by a quarter of what is held, and again,
    ///   until they fit ([`LiveReport::events_cap`](super::LiveReport) says where it ended);
    /// * a dataset and models that take at most half of theirs, under a cap that was lowered and keeps events out: the refresh
    ///   raises the cap, to where they should take three quarters, at most four times as far, and never above that of the
    ///   [`caps`](Self::caps). What was let go of is only in the log: such a refresh reads all of it again and fits every
    ///   model, as an [`open`](super::Live::open) does, and what it holds is what that cap would have held from the start. It
    ///   comes at most once in as many events as a quarter of the cap, and after one that found no higher cap that fits only
    ///   after twice as many as the last time. An `open` and a change of the log's epoch begin with the cap of the `caps` themselves;
    /// * ids that are large (events that wait are held in an eighth): the cap on all events is lowered as they arrive, and
    ///   rises by half where they take less than half of it; what did not fit meanwhile stays out;
    /// * where even 64 events do not fit (a catalogue or a model of fixed size is too large):
    ///   [`LiveError::Budget`](super::LiveError::Budget), and the last snapshot is served on.
    pub const fn budget(mut self, budget: MemoryBudget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// With at most so many events a profile between two refreshes; of more, the oldest wait for the refresh. At least 1.
    pub fn fresh_events(mut self, at_most: usize) -> Self {
        self.fresh_events = at_most.max(1);
        self
    }
}
