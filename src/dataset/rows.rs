//! From events in the order of arrival to rows in the order of time: cancellations, sessions, weights, pairs.
//!
//! A row's events lie scattered over the columns they arrived in. They are gathered a column at a time into a few
//! neighbouring lines, so that many loads are on their way at once, and everything after that works in the first cache.
//!
//! On several threads each writes whole rows into a [`Written`] of its own, and these are put one behind the other.

use rustc_hash::FxHashMap;

use super::matrix::Csr;
use super::table::{Bits, EventTable};
use super::weights::{EventWeights, KindWeight, weigh};
use crate::event::EventKind;
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Parallelism, Run};
use crate::time::{Span, Timestamp};

/// "No session was given."
pub(super) const NO_SESSION: u32 = u32::MAX;

/// What tells the sessions of one row apart: the number of the key, or its hash.
pub(super) trait SessionKey: Copy + Eq + std::hash::Hash + Send + Sync {
    /// "No session was given."
    const NONE: Self;
}

impl SessionKey for u32 {
    const NONE: Self = NO_SESSION;
}

impl SessionKey for u64 {
    const NONE: Self = 0;
}

/// Positions of the events ordered by row.
pub(super) struct Order {
    offsets: Vec<u32>,
    position: Vec<u32>,
}

impl Order {
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|w| &self.position[w[0] as usize..w[1] as usize])
    }

    /// Cut into stretches of whole rows with at least `events` events each, but for the last.
    fn cut(&mut self, events: usize) -> Vec<Stretch<'_>> {
        let (mut stretches, mut rest, mut from) = (Vec::new(), &mut self.position[..], 0);
        let mut taken = 0u64;
        while from + 1 < self.offsets.len() {
            let enough = taken.saturating_add(events as u64);
            let mut to = from + 1;
            while to + 1 < self.offsets.len() && u64::from(self.offsets[to]) < enough {
                to += 1;
            }
            let n = (u64::from(self.offsets[to]) - taken) as usize;
            let (position, others) = std::mem::take(&mut rest).split_at_mut(n);
            stretches.push(Stretch { offsets: &self.offsets[from..=to], position });
            (rest, from, taken) = (others, to, taken + n as u64);
        }
        stretches
    }
}

/// A few rows of an [`Order`].
struct Stretch<'o> {
    offsets: &'o [u32],
    position: &'o mut [u32],
}

/// Positions by row, in the order of arrival.
pub(super) fn by_row(user: &[UserIdx], first: UserIdx, rows: usize) -> Order {
    let mut offsets = vec![0u32; rows + 1];
    let row = |user: &UserIdx| user.as_usize() - first.as_usize();
    for u in user {
        offsets[row(u) + 1] += 1;
    }
    for r in 0..rows {
        offsets[r + 1] += offsets[r];
    }
    let mut next = offsets.clone();
    let mut position = vec![0u32; user.len()];
    for (i, u) in user.iter().enumerate() {
        let slot = &mut next[row(u)];
        position[*slot as usize] = i as u32;
        *slot += 1;
    }
    Order { offsets, position }
}

/// Positions by row, then time, then arrival.
pub(super) fn by_row_and_time(user: &[UserIdx], at: &[i64], rows: usize) -> Order {
    let mut order = by_row(user, UserIdx::new(0), rows);
    for r in 0..rows {
        let row = &mut order.position[order.offsets[r] as usize..order.offsets[r + 1] as usize];
        if !row.is_sorted_by_key(|&i| at[i as usize]) {
            row.sort_by_key(|&i| at[i as usize]); // stable: arrival order breaks ties
        }
    }
    order
}

/// Numbers the sessions of one row after the other: those with a key, and those that end with a pause.
pub(super) struct SessionNumbers<K> {
    gap: Span,
    count: u32,
    keyed: FxHashMap<K, u32>,
    /// The key looked up last: the events of a session come together.
    latest: Option<(K, u32)>,
    running: Option<(u32, i64)>,
}

impl<K: SessionKey> SessionNumbers<K> {
    pub(super) fn new(gap: Span) -> Self {
        Self { gap, count: 0, keyed: FxHashMap::default(), latest: None, running: None }
    }

    /// Sessions of one row are never those of another.
    pub(super) fn next_row(&mut self) {
        self.keyed.clear();
        self.latest = None;
        self.running = None;
    }

    /// The session of the row's next event: its key, or [`SessionKey::NONE`].
    pub(super) fn number(&mut self, key: K, at: i64) -> u32 {
        let Self { gap, count, keyed, latest, running } = self;
        let mut next = || {
            *count += 1;
            *count - 1
        };
        if key != K::NONE {
            return match *latest {
                Some((known, number)) if known == key => number,
                _ => {
                    let number = *keyed.entry(key).or_insert_with(next);
                    *latest = Some((key, number));
                    number
                }
            };
        }
        let number = match *running {
            Some((number, last)) if at.saturating_sub(last) <= gap.as_millis() => number,
            _ => next(),
        };
        *running = Some((number, at));
        number
    }
}

/// Everything that is written row by row.
pub(super) struct Written {
    pub(super) offsets: Vec<u64>,
    pub(super) table: EventTable,
    pub(super) session: Vec<u32>,
    pub(super) n_sessions: u32,
    pub(super) weight: Vec<f32>,
    pub(super) by_user: Csr,
    pub(super) cancelled: u64,
}

impl Written {
    pub(super) fn new(rows: usize, events: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            offsets,
            table: EventTable::with_room(events),
            session: Vec::with_capacity(events),
            n_sessions: 0,
            weight: Vec::with_capacity(events),
            by_user: Csr::with_capacity(rows, events),
            cancelled: 0,
        }
    }

    /// Puts the rows of `next` behind these.
    fn append(&mut self, next: &Self) {
        let (events, sessions) = (self.table.len() as u64, self.n_sessions);
        self.offsets.extend(next.offsets[1..].iter().map(|end| events + end));
        self.table.append(&next.table);
        self.session.extend(next.session.iter().map(|session| sessions + session));
        self.n_sessions += next.n_sessions;
        self.weight.extend_from_slice(&next.weight);
        self.by_user.append(&next.by_user);
        self.cancelled += next.cancelled;
    }

    /// At its smallest.
    fn shrink(&mut self) {
        self.table.shrink();
        self.by_user.shrink();
        self.session.shrink_to_fit();
        self.weight.shrink_to_fit();
    }
}

/// By which rules rows are written.
#[derive(Clone, Copy)]
pub(super) struct RowRules<'w> {
    pub(super) weights: &'w EventWeights,
    pub(super) as_of: Timestamp,
    pub(super) gap: Span,
}

/// Events of one piece of work, and pieces written before they are put together.
const PIECE: usize = 1 << 18;
const PIECES: usize = 16;

impl RowRules<'_> {
    /// Writes all rows of `order`, on the threads of `run`: the same for any number of them.
    pub(super) fn write<K: SessionKey>(
        self,
        table: &EventTable,
        session: &[K],
        order: Order,
        run: &Run<'_>,
    ) -> Result<Written, Cancelled> {
        let piece = if run.threads == Parallelism::Serial { usize::MAX } else { PIECE };
        self.write_pieces(table, session, order, piece, run)
    }

    fn write_pieces<K: SessionKey>(
        self,
        table: &EventTable,
        session: &[K],
        mut order: Order,
        piece: usize,
        run: &Run<'_>,
    ) -> Result<Written, Cancelled> {
        let (rows, events) = (order.offsets.len() - 1, table.len());
        let mut stretches = order.cut(piece);
        run.step(0, stretches.len() as u64, None)?;
        if let [stretch] = &mut stretches[..] {
            let mut out = self.write_stretch(table, session, stretch, events);
            out.shrink();
            return Ok(out);
        }
        let mut out = Written::new(rows, events);
        let (mut done, of) = (0, stretches.len() as u64);
        for wave in stretches.chunks_mut(PIECES) {
            run.step(done, of, None)?;
            let mut pieces: Vec<(&mut Stretch<'_>, Option<Written>)> = wave.iter_mut().map(|s| (s, None)).collect();
            run.threads.for_chunks(
                &mut pieces,
                1,
                || (),
                |(), _, piece| {
                    for (stretch, written) in piece {
                        let events = stretch.position.len();
                        *written = Some(self.write_stretch(table, session, stretch, events));
                    }
                },
            );
            done += pieces.len() as u64;
            pieces.iter().filter_map(|(_, written)| written.as_ref()).for_each(|written| out.append(written));
        }
        out.shrink();
        Ok(out)
    }

    fn write_stretch<K: SessionKey>(
        self,
        table: &EventTable,
        session: &[K],
        stretch: &mut Stretch<'_>,
        events: usize,
    ) -> Written {
        let mut writer = RowWriter::new(self, stretch.offsets.len() - 1, events);
        let mut rest = &mut *stretch.position;
        for ends in stretch.offsets.windows(2) {
            let (row, others) = rest.split_at_mut((ends[1] - ends[0]) as usize);
            writer.write(table, session, row);
            rest = others;
        }
        writer.finish()
    }
}

/// One row's events, side by side.
struct Gathered<K> {
    item: Vec<ItemIdx>,
    kind: Vec<u8>,
    at: Vec<i64>,
    quantity: Vec<f32>,
    value: Vec<Bits>,
    channel: Vec<u8>,
    session: Vec<K>,
}

fn gather<T: Copy>(column: &[T], row: &[u32], out: &mut Vec<T>) {
    out.clear();
    out.extend(row.iter().map(|&position| column[position as usize]));
}

impl<K: SessionKey> Gathered<K> {
    /// Gathers a row, given in the order of arrival, and brings it into the order of time.
    fn fill(&mut self, table: &EventTable, session: &[K], row: &mut [u32]) {
        gather(&table.at, row, &mut self.at);
        if !self.at.is_sorted() {
            row.sort_by_key(|&position| table.at[position as usize]); // stable: arrival order breaks ties
            gather(&table.at, row, &mut self.at);
        }
        gather(&table.item, row, &mut self.item);
        gather(&table.kind, row, &mut self.kind);
        gather(session, row, &mut self.session);
        table.quantity.gather(row, &mut self.quantity);
        table.value.gather(row, &mut self.value);
        table.channel.gather(row, &mut self.channel);
    }

    /// Takes out the events of which no unit is left, and gives the others what is.
    fn keep(&mut self, left: &[f32]) {
        let mut kept = 0;
        for (i, &left) in left.iter().enumerate() {
            if left <= 0.0 {
                continue;
            }
            self.item[kept] = self.item[i];
            self.kind[kept] = self.kind[i];
            self.at[kept] = self.at[i];
            self.value[kept] = self.value[i];
            self.channel[kept] = self.channel[i];
            self.session[kept] = self.session[i];
            self.quantity[kept] = left;
            kept += 1;
        }
        self.item.truncate(kept);
        self.kind.truncate(kept);
        self.at.truncate(kept);
        self.value.truncate(kept);
        self.channel.truncate(kept);
        self.session.truncate(kept);
        self.quantity.truncate(kept);
    }
}

struct RowWriter<'w, K> {
    weights: &'w EventWeights,
    by_code: Vec<KindWeight>,
    as_of: Timestamp,
    out: Written,
    row: Gathered<K>,
    left: Vec<f32>,
    stacks: FxHashMap<(ItemIdx, u8), Vec<usize>>,
    numbers: SessionNumbers<K>,
    /// Items above places in the row.
    pairs: Vec<u64>,
}

impl<'w, K: SessionKey> RowWriter<'w, K> {
    fn new(rules: RowRules<'w>, rows: usize, events: usize) -> Self {
        Self {
            weights: rules.weights,
            by_code: rules.weights.by_code(),
            as_of: rules.as_of,
            out: Written::new(rows, events),
            row: Gathered {
                item: Vec::new(),
                kind: Vec::new(),
                at: Vec::new(),
                quantity: Vec::new(),
                value: Vec::new(),
                channel: Vec::new(),
                session: Vec::new(),
            },
            left: Vec::new(),
            stacks: FxHashMap::default(),
            numbers: SessionNumbers::new(rules.gap),
            pairs: Vec::new(),
        }
    }

    /// Writes one shopper's events, given as positions in `table` in the order of arrival.
    fn write(&mut self, table: &EventTable, session: &[K], row: &mut [u32]) {
        self.row.fill(table, session, row);
        if self.cancel() {
            self.out.cancelled += self.left.iter().filter(|&&left| left <= 0.0).count() as u64;
            self.row.keep(&self.left);
        }
        let Self { row, out, numbers, by_code, as_of, .. } = self;
        out.table.extend(&row.item, &row.kind, &row.at, &row.quantity, &row.value, &row.channel);
        numbers.next_row();
        out.session.extend(row.session.iter().zip(&row.at).map(|(&key, &at)| numbers.number(key, at)));
        let first = out.weight.len();
        out.weight.extend((0..row.item.len()).map(|i| {
            let (code, value) = (row.kind[i], row.value[i].0);
            let value = if value.is_nan() { None } else { Some(value) };
            let at = Timestamp::from_millis(row.at[i]);
            weigh(&by_code[code as usize], EventKind::from_code(code), row.quantity[i], value, at, *as_of)
        }));
        out.offsets.push(out.table.len() as u64);
        self.write_pairs(first);
    }

    /// Sums the row's weights, which begin at `first`, by item; only what is above zero enters the matrix.
    fn write_pairs(&mut self, first: usize) {
        let Self { pairs, row, out, .. } = self;
        pairs.clear();
        pairs.extend((0u64..).zip(&row.item).map(|(place, item)| u64::from(item.get()) << 32 | place));
        pairs.sort_unstable(); // no two are the same, and sums run oldest to newest
        let weights = &out.weight[first..];
        for group in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
            let sum: f64 = group.iter().map(|&pair| f64::from(weights[pair as u32 as usize])).sum();
            let sum = sum.min(f64::from(f32::MAX)) as f32;
            if sum > 0.0 {
                out.by_user.push((group[0] >> 32) as u32, sum);
            }
        }
        out.by_user.end_row();
    }

    /// Fills `left` with the units of each event that still count; whether anything of the row may have been taken back.
    fn cancel(&mut self) -> bool {
        let Self { weights, row, left, stacks, .. } = self;
        let cancels = weights.cancels();
        let is_canceller = |kind: &u8| cancels.iter().any(|c| c.by.code() == *kind);
        left.clone_from(&row.quantity);
        if !row.kind.iter().any(is_canceller) {
            return left.iter().any(|&left| left <= 0.0); // of a file that was made up, as `vet` takes no such event
        }
        let involved = weights.cancelling();
        stacks.clear();
        for (i, (&item, &code)) in row.item.iter().zip(&row.kind).enumerate() {
            if !involved.contains_code(code) {
                continue;
            }
            for c in cancels.iter().filter(|c| c.by.code() == code) {
                let Some(stack) = stacks.get_mut(&(item, c.of.code())) else { continue };
                while left[i] > 0.0
                    && let Some(&target) = stack.last()
                {
                    let units = left[i].min(left[target]);
                    left[i] -= units;
                    left[target] -= units;
                    if left[target] <= 0.0 {
                        stack.pop();
                    }
                }
            }
            stacks.entry((item, code)).or_default().push(i);
        }
        true
    }

    fn finish(self) -> Written {
        Written { n_sessions: self.numbers.count, ..self.out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything in it, to the last bit.
    fn told(w: &Written) -> String {
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let (columns, by_user) = ((&w.offsets, &w.table, &w.session, w.n_sessions, w.cancelled), &w.by_user);
        format!("{columns:?} {:?} {by_user:?}", bits(&w.weight))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn rows_in_pieces_are_rows_at_once(
            events in prop::collection::vec((0u32..12, 0u32..5, 0usize..4, 0i64..40, 1u8..4, 0u32..4), 0..120),
            (gap, piece) in (0i64..6, 1usize..30),
        ) {
            const KINDS: [EventKind; 4] =
                [EventKind::View, EventKind::Purchase, EventKind::Return, EventKind::Purchase];
            let weights = EventWeights::default();
            let (mut table, mut user, mut session) = (EventTable::default(), Vec::new(), Vec::new());
            for &(who, item, kind, at, quantity, key) in &events {
                let value = if key == 1 { 2.5 } else { f32::NAN };
                table.push(ItemIdx::new(item), KINDS[kind].code(), at, f32::from(quantity), value, (key == 2).into());
                user.push(UserIdx::new(who));
                session.push(if key == 3 { NO_SESSION } else { key });
            }
            let rules = RowRules { weights: &weights, as_of: Timestamp::from_millis(50), gap: Span::millis(gap) };
            let order = || by_row(&user, UserIdx::new(0), 13);
            let serial = Run::new(0).threads(Parallelism::Serial);
            let at_once = told(&rules.write_pieces(&table, &session, order(), usize::MAX, &serial).unwrap());
            for threads in [Parallelism::Serial, Parallelism::Pool] {
                let run = Run::new(0).threads(threads);
                prop_assert_eq!(&told(&rules.write_pieces(&table, &session, order(), piece, &run).unwrap()), &at_once);
            }
        }
    }
}
