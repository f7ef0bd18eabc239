//! What happened? An immutable, columnar record of events with rows by shopper and by item.
//!
//! Memory: 13 bytes an event (item, kind, time), 4 its session, 4 its weight, 4 its place in the item index; 4 each for
//! quantity and value and 1 for the channel where they are used; 16 bytes a distinct (shopper, item) pair; and the keys.

mod builder;
mod caps;
mod delta;
mod held;
mod log;
mod matrix;
#[cfg(any(feature = "csv", feature = "json"))]
mod parallel;
#[cfg(any(feature = "csv", feature = "json"))]
mod part;
mod report;
mod rows;
mod saved;
mod spill;
mod summary;
mod table;
mod turn;
mod weights;

pub use builder::{DatasetBuilder, OnReject};
pub use caps::HistoryCaps;
pub use delta::Delta;
pub use matrix::Row;
pub use report::{IngestError, IngestReport, Rejections, SAMPLED_LINES};
pub use spill::{SpillError, SpillIngestError, SpillingBuilder};
pub use summary::{MemoryReport, Summary};
pub use table::{EventRef, Events};
pub use weights::{Cancel, EventWeights, KindWeight, Transform};

pub(crate) use builder::vet;
pub(crate) use held::{Bounds, Held};
pub(crate) use log::{Log, Rewriter};
pub(crate) use matrix::Csr;
pub(crate) use turn::{Turn, starts};
pub(crate) use weights::weigh;

use crate::ids::{IdMap, ItemIdx, Lineage, ShopperMap, UserIdx};
use crate::kernel::column::Column;
use crate::params::Checked;
use crate::run::Cancelled;
use crate::time::Timestamp;
use table::EventTable;

/// Why no dataset could be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// More events than positions.
    #[error("{got} events are more than the {} one dataset holds; split it by time or by shop", u32::MAX)]
    TooManyEvents {
        /// How many there are.
        got: u64,
    },
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The extent of a numbering at some moment: what a model was fitted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Extent {
    /// The numbering.
    pub lineage: Lineage,
    /// Items numbered then.
    pub n_items: usize,
    /// Shopper rows numbered then.
    pub n_rows: usize,
}

/// An immutable set of events. See the [module documentation](crate::dataset) for its layout and memory.
#[derive(Debug, Clone)]
pub struct Dataset {
    lineage: Lineage,
    as_of: Timestamp,
    weights: Checked<EventWeights>,
    shoppers: ShopperMap,
    items: IdMap,
    offsets: Column<u64>,
    table: EventTable,
    session: Column<u32>,
    n_sessions: u32,
    weight: Column<f32>,
    item_offsets: Column<u64>,
    item_events: Column<u32>,
    by_user: Csr,
    by_item: Csr,
    searches: Searches,
    cancelled: u64,
}

/// Searches, by shopper row and time.
#[derive(Debug, Clone, Default)]
struct Searches {
    rows: Vec<(UserIdx, Timestamp, u32)>,
    queries: IdMap,
}

impl Searches {
    fn new(mut rows: Vec<(UserIdx, Timestamp, u32)>, queries: IdMap) -> Self {
        rows.sort_by_key(|&(user, at, _)| (user, at)); // stable: arrival order breaks ties
        Self { rows, queries }
    }
}

impl Dataset {
    /// The numbering its shoppers and items belong to.
    #[must_use]
    pub const fn lineage(&self) -> Lineage {
        self.lineage
    }

    /// The moment it describes: what [`DatasetBuilder::as_of`] said, or the time of its latest event.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The event weights it was built with.
    #[must_use]
    pub const fn weights(&self) -> &Checked<EventWeights> {
        &self.weights
    }

    /// Numbering and size, for models to remember.
    #[must_use]
    pub fn extent(&self) -> Extent {
        Extent { lineage: self.lineage, n_items: self.n_items(), n_rows: self.n_rows() }
    }

    /// Items numbered, with or without events.
    #[must_use]
    pub fn n_items(&self) -> usize {
        self.items.len()
    }

    /// Shopper rows: profiles and anonymous sessions.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.shoppers.len()
    }

    /// Events that count.
    #[must_use]
    pub fn n_events(&self) -> usize {
        self.table.len()
    }

    /// Sessions, given or derived from pauses.
    #[must_use]
    pub const fn n_sessions(&self) -> usize {
        self.n_sessions as usize
    }

    /// Distinct (shopper, item) pairs with a positive weight.
    #[must_use]
    pub fn n_pairs(&self) -> usize {
        self.by_user.len()
    }

    /// The row of a profiled shopper. Anonymous sessions are not found by any id.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<UserIdx> {
        self.shoppers.profiled(id)
    }

    /// The profiled shoppers, in the order of their numbers.
    pub fn users(&self) -> impl Iterator<Item = UserIdx> {
        (0..self.n_rows() as u32).map(UserIdx::new).filter(|&u| self.shoppers.is_profiled(u))
    }

    /// The id of a profiled shopper; `""` for an anonymous row or an unknown number.
    #[must_use]
    pub fn user_key(&self, user: UserIdx) -> &str {
        if self.shoppers.is_profiled(user) { self.shoppers.key(user).unwrap_or_default() } else { "" }
    }

    /// The number of an item.
    #[must_use]
    pub fn item(&self, id: &str) -> Option<ItemIdx> {
        self.items.get(id).map(ItemIdx::new)
    }

    /// The id of an item; `""` for an unknown number.
    #[must_use]
    pub fn item_key(&self, item: ItemIdx) -> &str {
        self.items.key(item.get()).unwrap_or_default()
    }

    /// All item ids in the order of their numbers.
    pub fn item_keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.items.iter()
    }

    /// One shopper's events, oldest first; none for an unknown number.
    #[must_use]
    pub fn events_of(&self, user: UserIdx) -> Events<'_> {
        let (from, to) = self.event_range(user);
        Events::new(&self.table, &self.session, from, to)
    }

    /// The weights, as of [`Dataset::as_of`], of [`Dataset::events_of`].
    #[must_use]
    pub fn event_weights_of(&self, user: UserIdx) -> &[f32] {
        let (from, to) = self.event_range(user);
        &self.weight[from..to]
    }

    fn event_range(&self, user: UserIdx) -> (usize, usize) {
        match (self.offsets.get(user.as_usize()), self.offsets.get(user.as_usize() + 1)) {
            (Some(&from), Some(&to)) => (from as usize, to as usize),
            _ => (0, 0),
        }
    }

    /// All events on one item with their shoppers' order (by shopper, then time).
    pub fn events_on(&self, item: ItemIdx) -> impl ExactSizeIterator<Item = EventRef> + '_ {
        let range = match (self.item_offsets.get(item.as_usize()), self.item_offsets.get(item.as_usize() + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => 0..0,
        };
        self.item_events[range].iter().map(|&position| self.table.get(position as usize))
    }

    /// One shopper's items with their summed weights (only sums above zero), ascending by item.
    #[must_use]
    pub fn items_of(&self, user: UserIdx) -> Row<'_> {
        self.by_user.row(user.as_usize())
    }

    /// One item's shoppers with their summed weights (only sums above zero), ascending by shopper.
    #[must_use]
    pub fn users_of(&self, item: ItemIdx) -> Row<'_> {
        self.by_item.row(item.as_usize())
    }

    /// What one shopper searched for: time and text, oldest first.
    pub fn searches_of(&self, user: UserIdx) -> impl ExactSizeIterator<Item = (Timestamp, &str)> {
        let rows = &self.searches.rows;
        let from = rows.partition_point(|&(u, _, _)| u < user);
        let to = rows.partition_point(|&(u, _, _)| u <= user);
        rows[from..to].iter().map(|&(_, at, query)| (at, self.searches.queries.key(query).unwrap_or_default()))
    }

    pub(crate) fn by_user(&self) -> &Csr {
        &self.by_user
    }

    pub(crate) fn by_item(&self) -> &Csr {
        &self.by_item
    }
}
