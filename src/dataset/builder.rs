//! From offered events to a dataset.

use rustc_hash::FxBuildHasher;
use xxhash_rust::xxh3::xxh3_128;

use super::report::{IngestError, IngestReport};
use super::rows::{NO_SESSION, RowWriter, by_row_and_time, positions_by_item};
use super::table::EventTable;
use super::weights::EventWeights;
use super::{Dataset, DatasetError, Searches};
use crate::consent::Shopper;
use crate::event::{Event, EventKind};
use crate::ids::{IdMap, ItemIdx, Lineage, MAX_ID_BYTES, ShopperMap, TooManyIds, UserIdx};
use crate::kernel::column::Column;
use crate::params::Checked;
use crate::source::{EventSource, Flow, RejectReason};
use crate::time::{Span, Timestamp};

/// What to do at the first record that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnReject {
    /// Count it, remember its line, go on.
    #[default]
    Skip,
    /// End the ingest with [`IngestError::Rejected`].
    Stop,
}

/// Collects events and turns them into a [`Dataset`].
///
/// Order of arrival does not matter: rows are ordered by event time, and only events of *equal* time keep their order
/// of arrival. An event later than [`as_of`](Self::as_of) is rejected as [`RejectReason::InFuture`]; without an `as_of`
/// the latest event *is* "now", so set it when the data may hold wrong clocks. Times outside the years 1 to 9999 are
/// rejected. An event whose id was seen before counts once.
///
/// The builder keeps the events, so it can take more and build again: numbers never change within its [`Lineage`].
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, LawfulBasis, Lineage, Shopper, Timestamp};
/// let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
/// let mut builder = DatasetBuilder::new(Lineage::new(1));
/// builder.push(&Event::new(ann, "mug", EventKind::Purchase, Timestamp::from_secs(10)))?;
/// builder.push(&Event::new(ann, "tea", EventKind::View, Timestamp::from_secs(5)))?;
/// let data = builder.build()?;
/// let row = data.events_of(data.user("ann").unwrap());
/// assert_eq!(row.iter().map(|e| data.item_key(e.item)).collect::<Vec<_>>(), ["tea", "mug"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DatasetBuilder {
    pub(super) lineage: Lineage,
    pub(super) weights: Checked<EventWeights>,
    pub(super) as_of: Option<Timestamp>,
    pub(super) session_gap: Span,
    pub(super) on_reject: OnReject,
    pub(super) shoppers: ShopperMap,
    pub(super) items: IdMap,
    pub(super) sessions: IdMap,
    pub(super) queries: IdMap,
    pub(super) ids: hashbrown::HashSet<u128, FxBuildHasher>,
    pub(super) user: Column<UserIdx>,
    pub(super) session: Column<u32>,
    pub(super) table: EventTable,
    pub(super) searches: Vec<(UserIdx, Timestamp, u32)>,
    pub(super) ordinal: u64,
}

/// The years 1 to 9999 in milliseconds.
const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

impl Default for DatasetBuilder {
    fn default() -> Self {
        Self::new(Lineage::default())
    }
}

impl DatasetBuilder {
    /// An empty builder with default weights.
    #[must_use]
    pub fn new(lineage: Lineage) -> Self {
        Self {
            lineage,
            weights: Checked::default(),
            as_of: None,
            session_gap: Span::minutes(30),
            on_reject: OnReject::Skip,
            shoppers: ShopperMap::default(),
            items: IdMap::default(),
            sessions: IdMap::default(),
            queries: IdMap::default(),
            ids: hashbrown::HashSet::default(),
            user: Column::default(),
            session: Column::default(),
            table: EventTable::default(),
            searches: Vec::new(),
            ordinal: 0,
        }
    }

    /// With these event weights.
    #[must_use]
    pub fn weights(mut self, weights: Checked<EventWeights>) -> Self {
        self.weights = weights;
        self
    }

    /// With this "now": decay is counted from it, and later events are rejected. Default: the latest event.
    #[must_use]
    pub fn as_of(mut self, now: Timestamp) -> Self {
        self.as_of = Some(now);
        self
    }

    /// Events without a session id belong to one session until this long a pause (default 30 minutes).
    #[must_use]
    pub fn session_gap(mut self, gap: Span) -> Self {
        self.session_gap = gap;
        self
    }

    /// What to do at a record that cannot be used (default: count it and go on).
    #[must_use]
    pub fn on_reject(mut self, on_reject: OnReject) -> Self {
        self.on_reject = on_reject;
        self
    }

    /// Numbers these items next, in this order, so that items without any event have a number too.
    ///
    /// # Errors
    /// [`TooManyIds`] when the numbering is full.
    pub fn items<'k>(&mut self, keys: impl IntoIterator<Item = &'k str>) -> Result<(), TooManyIds> {
        keys.into_iter().try_for_each(|key| self.items.intern(key).map(drop))
    }

    /// How many events are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no event is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Takes everything `source` offers.
    ///
    /// # Errors
    /// [`IngestError::Source`] when the source fails, [`IngestError::Rejected`] at the first bad record under
    /// [`OnReject::Stop`], [`IngestError::Full`] beyond `u32::MAX - 1` ids. What was accepted before stays, and the
    /// error carries the report.
    pub fn ingest<S: EventSource>(&mut self, mut source: S) -> Result<IngestReport, IngestError<S::Error>> {
        let mut report = IngestReport::default();
        let mut stopped: Option<Result<(u64, RejectReason), TooManyIds>> = None;
        let outcome = source.for_each(&mut |offered| {
            report.offered += 1;
            let line = offered.line.unwrap_or(report.offered);
            let taken = match offered.event {
                Ok(event) => self.take(&event),
                Err(reason) => Ok(Err(reason)),
            };
            match taken {
                Ok(Ok(())) => report.accepted += 1,
                Ok(Err(reason)) => {
                    let stop = self.on_reject == OnReject::Stop;
                    if stop {
                        stopped = Some(Ok((line, reason.clone())));
                    }
                    report.reject(line, reason);
                    return if stop { Flow::Stop } else { Flow::Continue };
                }
                Err(full) => {
                    stopped = Some(Err(full));
                    return Flow::Stop;
                }
            }
            Flow::Continue
        });
        match (outcome, stopped) {
            (_, Some(Err(full))) => Err(IngestError::Full(full)),
            (_, Some(Ok((line, reason)))) => Err(IngestError::Rejected { line, reason, report: Box::new(report) }),
            (Err(source), None) => Err(IngestError::Source { source, report: Box::new(report) }),
            (Ok(()), None) => Ok(report),
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`IngestError::Rejected`] when it cannot be used (whatever [`on_reject`](Self::on_reject) says), and
    /// [`IngestError::Full`].
    pub fn push(&mut self, event: &Event<'_>) -> Result<(), IngestError<std::convert::Infallible>> {
        self.ordinal += 1;
        self.take(event)?.map_err(|reason| {
            let mut report = IngestReport::default();
            report.offered = 1;
            report.reject(self.ordinal, reason.clone());
            IngestError::Rejected { line: self.ordinal, reason, report: Box::new(report) }
        })
    }

    fn take(&mut self, event: &Event<'_>) -> Result<Result<(), RejectReason>, TooManyIds> {
        if let Err(reason) = vet_until(event, self.as_of) {
            return Ok(Err(reason));
        }
        if let Some(id) = event.id.filter(|id| !id.is_empty())
            && !self.ids.insert(xxh3_128(id.as_bytes()).max(1))
        {
            return Ok(Err(RejectReason::Duplicate));
        }
        let user = match event.shopper {
            Shopper::Profiled(who) => self.shoppers.intern_profiled(who.user())?,
            Shopper::Anonymous { session } => self.shoppers.intern_anonymous(session)?,
        };
        if event.kind == EventKind::Search
            && let Some(query) = event.query.filter(|q| !q.is_empty())
        {
            let query = self.queries.intern(query)?;
            self.searches.push((user, event.at, query));
        }
        if event.item.is_empty() {
            return Ok(Ok(()));
        }
        let item = ItemIdx::new(self.items.intern(event.item)?);
        let session = match event.session.filter(|s| !s.is_empty()) {
            Some(session) => self.sessions.intern(session)?,
            None => NO_SESSION,
        };
        self.user.push(user);
        self.session.push(session);
        let value = event.value.unwrap_or(f32::NAN);
        self.table.push(item, event.kind.code(), event.at.millis(), event.quantity, value, event.channel.code());
        Ok(Ok(()))
    }

    /// The dataset of all events so far; the builder can go on. `O(events log)` time.
    ///
    /// # Errors
    /// [`DatasetError::TooManyEvents`] beyond `u32::MAX` events.
    pub fn build(&self) -> Result<Dataset, DatasetError> {
        self.clone().finish()
    }

    /// The dataset of all events, giving up the builder's own copy.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn finish(self) -> Result<Dataset, DatasetError> {
        let Self {
            lineage, weights, as_of, session_gap, shoppers, items, queries, user, session, table, searches, ..
        } = self;
        if table.len() > u32::MAX as usize {
            return Err(DatasetError::TooManyEvents { got: table.len() as u64 });
        }
        let latest_search = searches.iter().map(|&(_, at, _)| at.millis()).max();
        let latest = table.at.iter().copied().max().into_iter().chain(latest_search).max().unwrap_or(0);
        let as_of = as_of.unwrap_or(Timestamp::from_millis(latest));
        let order = by_row_and_time(&user, &table.at, shoppers.len());
        let mut rows = RowWriter::new(&weights, as_of, session_gap, shoppers.len(), table.len());
        for row in order.rows() {
            rows.write(&table, &session, row);
        }
        let out = rows.finish();
        drop((order, table, session, user));
        let (mut shoppers, mut items) = (shoppers, items);
        shoppers.shrink();
        items.shrink();
        let by_item = out.by_user.transposed(items.len());
        let (item_offsets, item_events) = positions_by_item(&out.table.item, items.len());
        let searches = Searches::new(searches, queries);
        Ok(Dataset {
            lineage,
            as_of,
            weights,
            shoppers,
            items,
            offsets: out.offsets.into(),
            table: out.table,
            session: out.session.into(),
            n_sessions: out.n_sessions,
            weight: out.weight.into(),
            item_offsets: item_offsets.into(),
            item_events: item_events.into(),
            by_user: out.by_user,
            by_item,
            searches,
            cancelled: out.cancelled,
        })
    }
}

/// Whether a dataset could use an event at some time; if not, why.
pub(crate) fn vet(event: &Event<'_>) -> Result<(), RejectReason> {
    vet_until(event, None)
}

/// The rules every event must meet, in the order of the fields.
pub(super) fn vet_until(event: &Event<'_>, now: Option<Timestamp>) -> Result<(), RejectReason> {
    let id = |field, text: &str| match text.len() {
        0 => Err(RejectReason::Missing { field }),
        n if n > MAX_ID_BYTES => Err(RejectReason::IdTooLong { field }),
        _ => Ok(()),
    };
    match event.shopper {
        Shopper::Profiled(who) => id("user", who.user())?,
        Shopper::Anonymous { session: "" } => return Err(RejectReason::NoShopper),
        Shopper::Anonymous { session } => id("session", session)?,
    }
    let searched = event.kind == EventKind::Search && event.query.is_some_and(|q| !q.is_empty());
    if !(searched && event.item.is_empty()) {
        id("item", event.item)?;
    }
    for (field, text) in [("session", event.session), ("id", event.id), ("query", event.query)] {
        if text.is_some_and(|text| text.len() > MAX_ID_BYTES) {
            return Err(RejectReason::IdTooLong { field });
        }
    }
    if !YEARS.contains(&event.at.millis()) {
        return Err(RejectReason::TimeOutOfRange);
    }
    if now.is_some_and(|now| event.at > now) {
        return Err(RejectReason::InFuture);
    }
    if !event.quantity.is_finite() {
        return Err(RejectReason::BadNumber { field: "quantity" });
    }
    if event.quantity <= 0.0 {
        return Err(RejectReason::BadQuantity);
    }
    if event.value.is_some_and(|v| !v.is_finite()) {
        return Err(RejectReason::BadNumber { field: "value" });
    }
    Ok(())
}
