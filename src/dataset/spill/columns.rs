//! The finished columns, which go to files as their rows are written: their size is known before any is in memory.

use bytemuck::Pod;

use super::SpillError;
use super::files::{Kept, Scratch, Writing};
use crate::dataset::matrix::Csr;
use crate::dataset::rows::Written;
use crate::dataset::table::{EventTable, Sparse};
use crate::kernel::column::Column;

/// Where a dataset's columns come to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Memory,
    #[cfg(all(feature = "mmap", unix))]
    Mapped,
}

impl Home {
    pub(super) fn bring<T: Pod>(self, file: Kept) -> Result<Column<T>, SpillError> {
        match self {
            Self::Memory => file.into_numbers().map(Column::from),
            #[cfg(all(feature = "mmap", unix))]
            Self::Mapped => file.into_mapped(),
        }
    }
}

/// Columns being written. What is a number a shopper stays in memory.
pub(super) struct Columns {
    item: Writing,
    kind: Writing,
    at: Writing,
    session: Writing,
    weight: Writing,
    pair: Writing,
    pair_weight: Writing,
    quantity: Option<Writing>,
    value: Option<Writing>,
    channel: Option<Writing>,
    rows: Rows,
}

/// What is known of the columns beside what is in them.
pub(super) struct Rows {
    pub(super) offsets: Vec<u64>,
    pub(super) pair_offsets: Vec<u64>,
    pub(super) n_sessions: u32,
    pub(super) cancelled: u64,
}

impl Rows {
    pub(super) fn events(&self) -> u64 {
        self.offsets.last().copied().unwrap_or(0)
    }

    pub(super) fn pairs(&self) -> u64 {
        self.pair_offsets.last().copied().unwrap_or(0)
    }
}

impl Columns {
    pub(super) fn new(scratch: &Scratch, rows: usize) -> Result<Self, SpillError> {
        let starts = || {
            let mut starts = Vec::with_capacity(rows + 1);
            starts.push(0);
            starts
        };
        Ok(Self {
            item: scratch.file("item")?,
            kind: scratch.file("kind")?,
            at: scratch.file("at")?,
            session: scratch.file("session")?,
            weight: scratch.file("weight")?,
            pair: scratch.file("pair")?,
            pair_weight: scratch.file("pair-weight")?,
            quantity: None,
            value: None,
            channel: None,
            rows: Rows { offsets: starts(), pair_offsets: starts(), n_sessions: 0, cancelled: 0 },
        })
    }

    pub(super) fn append(&mut self, scratch: &Scratch, mut next: Written) -> Result<(), SpillError> {
        let Rows { offsets, pair_offsets, n_sessions, cancelled } = &mut self.rows;
        let (before, n) = (offsets.last().copied().unwrap_or(0), next.table.len());
        offsets.extend(next.offsets[1..].iter().map(|end| before + end));
        let (ends, pair, pair_weight) = next.by_user.columns();
        let pairs = pair_offsets.last().copied().unwrap_or(0);
        pair_offsets.extend(ends[1..].iter().map(|end| pairs + end));
        self.pair.append(pair)?;
        self.pair_weight.append(pair_weight)?;
        next.session.iter_mut().for_each(|session| *session += *n_sessions);
        *n_sessions += next.n_sessions;
        *cancelled += next.cancelled;
        self.session.append(&next.session)?;
        self.weight.append(&next.weight)?;
        self.item.append(&next.table.item)?;
        self.kind.append(&next.table.kind)?;
        self.at.append(&next.table.at)?;
        append_sparse(&mut self.quantity, scratch, "quantity", &next.table.quantity, (before, n))?;
        append_sparse(&mut self.value, scratch, "value", &next.table.value, (before, n))?;
        append_sparse(&mut self.channel, scratch, "channel", &next.table.channel, (before, n))
    }

    pub(super) fn finish(self) -> Result<Finished, SpillError> {
        let Self { item, kind, at, session, weight, pair, pair_weight, quantity, value, channel, rows } = self;
        Ok(Finished {
            item: item.finish()?,
            kind: kind.finish()?,
            at: at.finish()?,
            session: session.finish()?,
            weight: weight.finish()?,
            pair: pair.finish()?,
            pair_weight: pair_weight.finish()?,
            quantity: quantity.map(Writing::finish).transpose()?,
            value: value.map(Writing::finish).transpose()?,
            channel: channel.map(Writing::finish).transpose()?,
            rows,
        })
    }
}

/// Appends `n` rows, before which there are `before`. There is a file once some row differs from the default.
fn append_sparse<T: Pod + PartialEq>(
    file: &mut Option<Writing>,
    scratch: &Scratch,
    name: &str,
    rows: &Sparse<T>,
    (before, n): (u64, usize),
) -> Result<(), SpillError> {
    let defaults = |file: &mut Writing, n: u64| {
        let some = [rows.default(); 256];
        (0..n).step_by(some.len()).try_for_each(|at| file.append(&some[..some.len().min((n - at) as usize)]))
    };
    match (&mut *file, rows.stored()) {
        (None, None) => Ok(()),
        (Some(file), Some(values)) => file.append(values),
        (Some(file), None) => defaults(file, n as u64),
        (None, Some(values)) => {
            let file = file.insert(scratch.file(name)?);
            defaults(file, before)?;
            file.append(values)
        }
    }
}

/// Columns in files.
pub(super) struct Finished {
    item: Kept,
    kind: Kept,
    at: Kept,
    session: Kept,
    weight: Kept,
    pair: Kept,
    pair_weight: Kept,
    quantity: Option<Kept>,
    value: Option<Kept>,
    channel: Option<Kept>,
    pub(super) rows: Rows,
}

/// Columns where they are to be read.
pub(super) struct Brought {
    pub(super) table: EventTable,
    pub(super) session: Column<u32>,
    pub(super) weight: Column<f32>,
    pub(super) by_user: Csr,
    pub(super) offsets: Vec<u64>,
    pub(super) n_sessions: u32,
    pub(super) cancelled: u64,
}

impl Finished {
    /// Bytes of an event in all columns of events.
    pub(super) fn event_bytes(&self) -> u64 {
        21 + 4 * u64::from(self.quantity.is_some())
            + 4 * u64::from(self.value.is_some())
            + u64::from(self.channel.is_some())
    }

    pub(super) fn bring(self, home: Home) -> Result<Brought, SpillError> {
        let empty = EventTable::default();
        let Rows { offsets, pair_offsets, n_sessions, cancelled } = self.rows;
        Ok(Brought {
            table: EventTable {
                item: home.bring(self.item)?,
                kind: home.bring(self.kind)?,
                at: home.bring(self.at)?,
                quantity: empty.quantity.with(self.quantity.map(|file| home.bring(file)).transpose()?),
                value: empty.value.with(self.value.map(|file| home.bring(file)).transpose()?),
                channel: empty.channel.with(self.channel.map(|file| home.bring(file)).transpose()?),
            },
            session: home.bring(self.session)?,
            weight: home.bring(self.weight)?,
            by_user: Csr::of(pair_offsets.into(), home.bring(self.pair)?, home.bring(self.pair_weight)?),
            offsets,
            n_sessions,
            cancelled,
        })
    }
}
