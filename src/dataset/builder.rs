//! From offered events to a dataset.

use rustc_hash::FxBuildHasher;
use xxhash_rust::xxh3::xxh3_128;

use super::report::{IngestError, IngestReport};
use super::rows::{NO_SESSION, RowRules, Written, by_row};
use super::table::EventTable;
use super::turn::{Turn, starts};
use super::weights::EventWeights;
use super::{Dataset, DatasetError, Searches};
use crate::consent::Shopper;
use crate::event::{Event, EventKind};
use crate::ids::{IdMap, ItemIdx, Lineage, MAX_ID_BYTES, ShopperMap, TooManyIds, UserIdx};
use crate::kernel::column::Column;
use crate::params::Checked;
use crate::run::{Parallelism, Run};
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

/// Why an ingest ended early: by itself, or because whoever watched it said so.
pub(super) enum Ended<E: std::error::Error + 'static, X> {
    Ingest(IngestError<E>),
    Watch(X, Box<IngestReport>),
}

impl<E: std::error::Error + 'static, X> From<IngestError<E>> for Ended<E, X> {
    fn from(error: IngestError<E>) -> Self {
        Self::Ingest(error)
    }
}

impl<E: std::error::Error + 'static> Ended<E, std::convert::Infallible> {
    pub(super) fn unwatched(self) -> IngestError<E> {
        match self {
            Self::Ingest(error) => error,
            Self::Watch(never, _) => match never {},
        }
    }
}

/// Why nothing more is taken.
enum Stopped<X> {
    Rejected(u64, RejectReason),
    Full(TooManyIds),
    Watch(X),
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
    pub fn ingest<S: EventSource>(&mut self, source: S) -> Result<IngestReport, IngestError<S::Error>> {
        self.ingest_watched(source, &mut |_| Ok::<(), std::convert::Infallible>(())).map_err(Ended::unwatched)
    }

    /// [`ingest`](Self::ingest), which calls `watch` after every event it took in and ends when that fails.
    pub(super) fn ingest_watched<S: EventSource, X>(
        &mut self,
        mut source: S,
        watch: &mut impl FnMut(&mut Self) -> Result<(), X>,
    ) -> Result<IngestReport, Ended<S::Error, X>> {
        let mut report = IngestReport::default();
        let mut stopped: Option<Stopped<X>> = None;
        let outcome = source.for_each(&mut |offered| {
            report.offered += 1;
            let line = offered.line.unwrap_or(report.offered);
            let taken = match offered.event {
                Ok(event) => self.take(&event),
                Err(reason) => Ok(Err(reason)),
            };
            match taken {
                Ok(Ok(())) => {
                    report.accepted += 1;
                    if let Err(error) = watch(self) {
                        stopped = Some(Stopped::Watch(error));
                        return Flow::Stop;
                    }
                }
                Ok(Err(reason)) => {
                    let stop = self.on_reject == OnReject::Stop;
                    if stop {
                        stopped = Some(Stopped::Rejected(line, reason.clone()));
                    }
                    report.reject(line, reason);
                    return if stop { Flow::Stop } else { Flow::Continue };
                }
                Err(full) => {
                    stopped = Some(Stopped::Full(full));
                    return Flow::Stop;
                }
            }
            Flow::Continue
        });
        let report = match stopped {
            None => report,
            Some(Stopped::Full(full)) => return Err(Ended::Ingest(IngestError::Full(full))),
            Some(Stopped::Watch(error)) => return Err(Ended::Watch(error, Box::new(report))),
            Some(Stopped::Rejected(line, reason)) => {
                return Err(Ended::Ingest(IngestError::Rejected { line, reason, report: Box::new(report) }));
            }
        };
        match outcome {
            Err(source) => Err(Ended::Ingest(IngestError::Source { source, report: Box::new(report) })),
            Ok(()) => Ok(report),
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
        self.finish_parallel(&Run::new(0).threads(Parallelism::Serial))
    }

    /// [`finish`](Self::finish) on the threads of `run`: the same dataset, byte for byte, for any number of them.
    ///
    /// # Errors
    /// As [`build`](Self::build), and [`DatasetError::Cancelled`].
    pub fn finish_parallel(self, run: &Run<'_>) -> Result<Dataset, DatasetError> {
        if self.table.len() > u32::MAX as usize {
            return Err(DatasetError::TooManyEvents { got: self.table.len() as u64 });
        }
        let latest = self.latest().unwrap_or(0);
        let Self {
            lineage,
            weights,
            as_of,
            session_gap,
            mut shoppers,
            mut items,
            sessions,
            queries,
            ids,
            user,
            session,
            table,
            searches,
            ..
        } = self;
        drop((sessions, ids));
        let as_of = as_of.unwrap_or(Timestamp::from_millis(latest));
        let order = by_row(&user, UserIdx::new(0), shoppers.len());
        drop(user);
        let rules = RowRules { weights: &weights, as_of, gap: session_gap };
        let out = rules.write(&table, &session, order, run)?;
        drop((table, session));
        shoppers.shrink();
        items.shrink();
        let turn = Turn::default();
        let by_item = out.by_user.turned(items.len(), run.threads, turn);
        let (item_offsets, item_events) = by_items(&out.table, items.len(), run.threads, turn);
        let Written { offsets, table, session, n_sessions, weight, by_user, cancelled } = out;
        Ok(Dataset {
            lineage,
            as_of,
            weights,
            shoppers,
            items,
            offsets: offsets.into(),
            table,
            session: session.into(),
            n_sessions,
            weight: weight.into(),
            item_offsets: item_offsets.into(),
            item_events: item_events.into(),
            by_user,
            by_item,
            searches: Searches::new(searches, queries),
            cancelled,
        })
    }

    /// The time of the latest event or search held, in milliseconds.
    pub(super) fn latest(&self) -> Option<i64> {
        let searched = self.searches.iter().map(|&(_, at, _)| at.millis()).max();
        self.table.at.iter().copied().max().into_iter().chain(searched).max()
    }
}

/// Where each item's events begin, and the last one's end; and the places of the events, by item.
pub(super) fn by_items(table: &EventTable, items: usize, threads: Parallelism, turn: Turn) -> (Vec<u64>, Vec<u32>) {
    let column: &[u32] = bytemuck::cast_slice(&table.item);
    let starts = starts(column, items);
    let events =
        turn.by_column(column, &starts, threads, |range, out| out.extend(range.start as u32..range.end as u32));
    (starts, events)
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
