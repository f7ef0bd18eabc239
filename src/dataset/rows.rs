//! From events in the order of arrival to rows in the order of time: cancellations, sessions, weights, pairs.

use rustc_hash::FxHashMap;

use super::matrix::Csr;
use super::table::EventTable;
use super::weights::{EventWeights, KindWeight, weigh};
use crate::event::EventKind;
use crate::ids::{ItemIdx, UserIdx};
use crate::time::{Span, Timestamp};

/// "No session was given."
pub(super) const NO_SESSION: u32 = u32::MAX;

/// Positions of the events ordered by row, then time, then arrival.
pub(super) struct Order {
    offsets: Vec<u32>,
    position: Vec<u32>,
}

impl Order {
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|w| &self.position[w[0] as usize..w[1] as usize])
    }
}

pub(super) fn by_row_and_time(user: &[UserIdx], at: &[i64], rows: usize) -> Order {
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

pub(super) fn positions_by_item(item: &[ItemIdx], items: usize) -> (Vec<u64>, Vec<u32>) {
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

/// Numbers the sessions of one row after the other: those with a key, and those that end with a pause.
pub(super) struct SessionNumbers {
    gap: Span,
    count: u32,
    keyed: FxHashMap<u32, u32>,
    running: Option<(u32, i64)>,
}

impl SessionNumbers {
    pub(super) fn new(gap: Span) -> Self {
        Self { gap, count: 0, keyed: FxHashMap::default(), running: None }
    }

    /// Sessions of one row are never those of another.
    pub(super) fn next_row(&mut self) {
        self.keyed.clear();
        self.running = None;
    }

    /// The session of the row's next event: `key`, or [`NO_SESSION`].
    pub(super) fn number(&mut self, key: u32, at: i64) -> u32 {
        let Self { gap, count, keyed, running } = self;
        let mut next = || {
            *count += 1;
            *count - 1
        };
        if key != NO_SESSION {
            return *keyed.entry(key).or_insert_with(next);
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

pub(super) struct RowWriter<'w> {
    weights: &'w EventWeights,
    by_code: Vec<KindWeight>,
    as_of: Timestamp,
    out: Written,
    left: Vec<f32>,
    stacks: FxHashMap<(ItemIdx, u8), Vec<usize>>,
    numbers: SessionNumbers,
    pairs: Vec<(u32, f32)>,
}

impl<'w> RowWriter<'w> {
    pub(super) fn new(weights: &'w EventWeights, as_of: Timestamp, gap: Span, rows: usize, events: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            weights,
            by_code: weights.by_code(),
            as_of,
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
            numbers: SessionNumbers::new(gap),
            pairs: Vec::new(),
        }
    }

    /// Writes one shopper's events, given as positions in `table`, oldest first.
    pub(super) fn write(&mut self, table: &EventTable, session: &[u32], row: &[u32]) {
        self.cancel(table, row);
        self.numbers.next_row();
        self.pairs.clear();
        for (i, &position) in row.iter().enumerate() {
            let position = position as usize;
            let left = self.left[i];
            if left <= 0.0 {
                self.out.cancelled += 1;
                continue;
            }
            let at = table.at[position];
            let number = self.numbers.number(session[position], at);
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

    /// What was written, at its smallest.
    pub(super) fn finish(self) -> Written {
        let mut out = Written { n_sessions: self.numbers.count, ..self.out };
        out.table.shrink();
        out.by_user.shrink();
        out.session.shrink_to_fit();
        out.weight.shrink_to_fit();
        out
    }
}
