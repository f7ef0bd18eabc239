//! What a dataset is in a file: its columns as they are, so that they can be served from it.

use super::table::EventTable;
use super::{Dataset, DatasetBuilder, EventWeights, Extent, Searches};
use crate::ids::UserIdx;
use crate::kernel::column::Column;
use crate::params::Checked;
use crate::persist::{Loader, PersistError, Portable, Saver, cuts, portable, portable_value};
use crate::time::{Span, Timestamp};

portable_value!(Checked<EventWeights>);
portable!(Extent { lineage, n_items, n_rows });

impl Portable for Searches {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        save_searches(out, &self.rows)?;
        out.part("queries", &self.queries)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let rows = load_searches(from)?;
        let queries: crate::ids::IdMap = from.part("queries")?;
        from.check("a search for nothing", || rows.iter().all(|row| (row.2 as usize) < queries.len()))?;
        Ok(Self { rows, queries })
    }
}

type Search = (UserIdx, Timestamp, u32);

fn save_searches(out: &mut Saver<'_>, rows: &[Search]) -> Result<(), PersistError> {
    out.column("rows", &rows.iter().map(|row| row.0).collect::<Vec<_>>())?;
    out.column("at", &rows.iter().map(|row| row.1.millis()).collect::<Vec<_>>())?;
    out.column("query", &rows.iter().map(|row| row.2).collect::<Vec<_>>())
}

fn load_searches(from: &Loader<'_>) -> Result<Vec<Search>, PersistError> {
    let (rows, at, query): (Column<UserIdx>, Column<i64>, Column<u32>) =
        (from.part("rows")?, from.part("at")?, from.part("query")?);
    if rows.len() != at.len() || rows.len() != query.len() {
        return Err(from.unsound("has columns of several lengths"));
    }
    let times = at.iter().map(|&at| Timestamp::from_millis(at));
    Ok(rows.iter().zip(times).zip(query.iter()).map(|((&row, at), &query)| (row, at, query)).collect())
}

portable!(Dataset {
    lineage, as_of, weights, shoppers, items, offsets, table, session, n_sessions, weight, item_offsets, item_events,
    by_user, by_item, searches, cancelled,
}
    "columns of several lengths" => |d| d.is_square(),
    "an index beyond what it numbers" => |d| d.is_within());

impl Dataset {
    /// Whether all columns are as long as what they are about.
    fn is_square(&self) -> bool {
        let (rows, items, events) = (self.n_rows(), self.n_items(), self.table.len());
        let csr = |csr: &super::Csr, n: usize| csr.rows() == n;
        self.offsets.len() == rows + 1
            && cuts(&self.offsets, events)
            && self.item_offsets.len() == items + 1
            && cuts(&self.item_offsets, events)
            && [self.session.len(), self.weight.len(), self.item_events.len()] == [events; 3]
            && csr(&self.by_user, rows)
            && csr(&self.by_item, items)
    }

    /// Whether every number is one of what it numbers.
    fn is_within(&self) -> bool {
        let (rows, items, events) = (self.n_rows(), self.n_items(), self.table.len());
        self.table.item.is_below(items)
            && self.item_events.is_below(events)
            && self.session.is_below(self.n_sessions as usize)
            && self.by_user.is_sound(items)
            && self.by_item.is_sound(rows)
            && self.searches.rows.iter().all(|row| row.0.as_usize() < rows)
    }
}

/// What a builder holds beside the dataset it built last, which numbers the same: the events as they arrived.
///
/// The ids of events are left out: what a log gives out it has seen once, and a builder that goes on from a file is fed
/// by the log alone.
impl DatasetBuilder {
    pub(crate) fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.part("session_gap", &self.session_gap)?;
        out.part("sessions", &self.sessions)?;
        out.part("user", &self.user)?;
        out.part("session", &self.session)?;
        out.part("table", &self.table)?;
        save_searches(&mut out.at("searches"), &self.searches)
    }

    pub(crate) fn load(from: &Loader<'_>, data: &Dataset) -> Result<Self, PersistError> {
        let session_gap: Span = from.part("session_gap")?;
        let loaded = Self {
            sessions: from.part("sessions")?,
            queries: data.searches.queries.clone(),
            user: from.part("user")?,
            session: from.part("session")?,
            table: from.part::<EventTable>("table")?,
            searches: load_searches(&from.at("searches"))?,
            shoppers: data.shoppers.clone(),
            items: data.items.clone(),
            ..Self::new(data.lineage).weights(data.weights.clone()).session_gap(session_gap)
        };
        let n = loaded.table.len();
        if loaded.user.len() != n || loaded.session.len() != n {
            return Err(from.unsound("has columns of several lengths"));
        }
        from.check("an index beyond what it numbers", || {
            let (rows, items) = (loaded.shoppers.len(), loaded.items.len());
            loaded.user.is_below(rows)
                && loaded.table.item.is_below(items)
                && loaded
                    .session
                    .iter()
                    .all(|&key| key == super::rows::NO_SESSION || (key as usize) < loaded.sessions.len())
                && loaded.searches.iter().all(|s| s.0.as_usize() < rows && (s.2 as usize) < loaded.queries.len())
        })?;
        Ok(loaded)
    }

    /// Whether it makes datasets by the same rules.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.lineage == other.lineage && self.weights == other.weights && self.session_gap == other.session_gap
    }
}
