//! From offered events to a dataset.

use rustc_hash::{FxBuildHasher, FxHashMap};
use xxhash_rust::xxh3::xxh3_128;

use super::report::{IngestError, IngestReport};
use super::table::EventTable;
use super::weights::{EventWeights, weigh};
use super::{Dataset, DatasetError, Searches, matrix::Csr};
use crate::consent::Shopper;
use crate::event::{Event, EventKind};
use crate::ids::{IdMap, ItemIdx, Lineage, MAX_ID_BYTES, ShopperMap, TooManyIds, UserIdx};
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
    lineage: Lineage,
    weights: Checked<EventWeights>,
    as_of: Option<Timestamp>,
    session_gap: Span,
    on_reject: OnReject,
    shoppers: ShopperMap,
    items: IdMap,
    sessions: IdMap,
    queries: IdMap,
    ids: hashbrown::HashSet<u128, FxBuildHasher>,
    user: Vec<UserIdx>,
    session: Vec<u32>,
    table: EventTable,
    searches: Vec<(UserIdx, Timestamp, u32)>,
    ordinal: u64,
}

/// "No session was given."
const NO_SESSION: u32 = u32::MAX;
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
            user: Vec::new(),
            session: Vec::new(),
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
        if let Err(reason) = self.vet(event) {
            return Ok(Err(reason));
        }
        if let Some(id) = event.id.filter(|id| !id.is_empty())
            && !self.ids.insert(xxh3_128(id.as_bytes()))
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

    /// The rules every event must meet, in the order of the fields.
    fn vet(&self, event: &Event<'_>) -> Result<(), RejectReason> {
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
        if self.as_of.is_some_and(|now| event.at > now) {
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
        let mut out = rows.out;
        drop((order, table, session, user));
        out.table.shrink();
        out.by_user.shrink();
        out.session.shrink_to_fit();
        out.weight.shrink_to_fit();
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
            offsets: out.offsets,
            table: out.table,
            session: out.session,
            n_sessions: out.n_sessions,
            weight: out.weight,
            item_offsets,
            item_events,
            by_user: out.by_user,
            by_item,
            searches,
            cancelled: out.cancelled,
        })
    }
}

/// Positions of the events ordered by row, then time, then arrival.
struct Order {
    offsets: Vec<u32>,
    position: Vec<u32>,
}

impl Order {
    fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|w| &self.position[w[0] as usize..w[1] as usize])
    }
}

fn by_row_and_time(user: &[UserIdx], at: &[i64], rows: usize) -> Order {
    let mut offsets = vec![0u32; rows + 1];
    for u in user {
        offsets[u.as_usize() + 1] += 1;
    }
    for r in 0..rows {
        offsets[r + 1] += offsets[r];
    }
    let mut next = offsets.clone();
    let mut position = vec![0u32; user.len()];
    for (i, u) in user.iter().enumerate() {
        let slot = &mut next[u.as_usize()];
        position[*slot as usize] = i as u32;
        *slot += 1;
    }
    for r in 0..rows {
        let row = &mut position[offsets[r] as usize..offsets[r + 1] as usize];
        if !row.is_sorted_by_key(|&i| at[i as usize]) {
            row.sort_by_key(|&i| at[i as usize]); // stable: arrival order breaks ties
        }
    }
    Order { offsets, position }
}

fn positions_by_item(item: &[ItemIdx], items: usize) -> (Vec<u64>, Vec<u32>) {
    let mut offsets = vec![0u64; items + 1];
    for i in item {
        offsets[i.as_usize() + 1] += 1;
    }
    for i in 0..items {
        offsets[i + 1] += offsets[i];
    }
    let mut next = offsets.clone();
    let mut positions = vec![0u32; item.len()];
    for (position, i) in item.iter().enumerate() {
        let slot = &mut next[i.as_usize()];
        positions[*slot as usize] = position as u32;
        *slot += 1;
    }
    (offsets, positions)
}

/// Everything that is written row by row.
struct Written {
    offsets: Vec<u64>,
    table: EventTable,
    session: Vec<u32>,
    n_sessions: u32,
    weight: Vec<f32>,
    by_user: Csr,
    cancelled: u64,
}

struct RowWriter<'w> {
    weights: &'w EventWeights,
    by_code: Vec<super::weights::KindWeight>,
    as_of: Timestamp,
    gap: Span,
    out: Written,
    left: Vec<f32>,
    stacks: FxHashMap<(ItemIdx, u8), Vec<usize>>,
    numbers: FxHashMap<u32, u32>,
    pairs: Vec<(u32, f32)>,
}

impl<'w> RowWriter<'w> {
    fn new(weights: &'w EventWeights, as_of: Timestamp, gap: Span, rows: usize, events: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            weights,
            by_code: weights.by_code(),
            as_of,
            gap,
            out: Written {
                offsets,
                table: EventTable::default(),
                session: Vec::with_capacity(events),
                n_sessions: 0,
                weight: Vec::with_capacity(events),
                by_user: Csr::with_capacity(rows, events),
                cancelled: 0,
            },
            left: Vec::new(),
            stacks: FxHashMap::default(),
            numbers: FxHashMap::default(),
            pairs: Vec::new(),
        }
    }

    /// Writes one shopper's events, given as positions in `table`, oldest first.
    fn write(&mut self, table: &EventTable, session: &[u32], row: &[u32]) {
        self.cancel(table, row);
        self.numbers.clear();
        self.pairs.clear();
        let mut running: Option<(u32, i64)> = None;
        for (i, &position) in row.iter().enumerate() {
            let position = position as usize;
            let left = self.left[i];
            if left <= 0.0 {
                self.out.cancelled += 1;
                continue;
            }
            let at = table.at[position];
            let n_sessions = &mut self.out.n_sessions;
            let mut next = || {
                *n_sessions += 1;
                *n_sessions - 1
            };
            let number = match (session[position], running) {
                (NO_SESSION, Some((number, last))) if at.saturating_sub(last) <= self.gap.as_millis() => number,
                (NO_SESSION, _) => next(),
                (key, _) => *self.numbers.entry(key).or_insert_with(next),
            };
            if session[position] == NO_SESSION {
                running = Some((number, at));
            }
            self.out.table.push_from(table, position, left);
            self.out.session.push(number);
            let code = table.kind[position];
            let at = Timestamp::from_millis(at);
            let kind = EventKind::from_code(code);
            let weight = weigh(&self.by_code[code as usize], kind, left, table.value(position), at, self.as_of);
            self.out.weight.push(weight);
            self.pairs.push((table.item[position].get(), weight));
        }
        self.out.offsets.push(self.out.table.len() as u64);
        self.write_pairs();
    }

    /// Sums the row's weights by item; only what is above zero enters the matrix.
    fn write_pairs(&mut self) {
        self.pairs.sort_by_key(|&(item, _)| item); // stable: sums run oldest to newest
        for group in self.pairs.chunk_by(|a, b| a.0 == b.0) {
            let sum: f64 = group.iter().map(|&(_, w)| f64::from(w)).sum();
            let sum = sum.min(f64::from(f32::MAX)) as f32;
            if sum > 0.0 {
                self.out.by_user.push(group[0].0, sum);
            }
        }
        self.out.by_user.end_row();
    }

    /// Fills `left` with the units of each event of the row that still count.
    fn cancel(&mut self, table: &EventTable, row: &[u32]) {
        self.left.clear();
        self.left.extend(row.iter().map(|&p| table.quantity.get(p as usize)));
        let cancels = self.weights.cancels();
        let is_canceller = |p: &u32| cancels.iter().any(|c| c.by.code() == table.kind[*p as usize]);
        if !row.iter().any(is_canceller) {
            return;
        }
        let involved = self.weights.cancelling();
        self.stacks.clear();
        for (i, &p) in row.iter().enumerate() {
            let (item, code) = (table.item[p as usize], table.kind[p as usize]);
            if !involved.contains_code(code) {
                continue;
            }
            for c in cancels.iter().filter(|c| c.by.code() == code) {
                let Some(stack) = self.stacks.get_mut(&(item, c.of.code())) else { continue };
                while self.left[i] > 0.0
                    && let Some(&target) = stack.last()
                {
                    let units = self.left[i].min(self.left[target]);
                    self.left[i] -= units;
                    self.left[target] -= units;
                    if self.left[target] <= 0.0 {
                        stack.pop();
                    }
                }
            }
            self.stacks.entry((item, code)).or_default().push(i);
        }
    }
}
