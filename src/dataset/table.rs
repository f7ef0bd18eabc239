//! The events themselves, one array a column. A column that holds nothing but its default is not stored.

use bytemuck::{Pod, Zeroable};

use crate::event::{Channel, EventKind};
use crate::ids::ItemIdx;
use crate::kernel::column::Column;
use crate::persist::{Element, Loader, PersistError, Portable, Saver, element};
use crate::time::Timestamp;

/// A column that is only stored once some row differs from the default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sparse<T: Pod> {
    default: T,
    values: Option<Column<T>>,
}

impl<T: Pod + PartialEq> Sparse<T> {
    pub(crate) const fn new(default: T) -> Self {
        Self { default, values: None }
    }

    /// Appends `value` as row `row` (the number of rows so far).
    pub(crate) fn push(&mut self, row: usize, value: T) {
        if let Some(values) = &mut self.values {
            values.push(value);
        } else if value != self.default {
            let mut values = vec![self.default; row];
            values.push(value);
            self.values = Some(values.into());
        }
    }

    /// Appends `values` as the rows after row `row`, the number of rows so far.
    pub(crate) fn extend(&mut self, row: usize, values: &[T]) {
        if self.values.is_none() && values.iter().any(|value| *value != self.default) {
            let mut column = Column::with_capacity(row + values.len());
            column.own().resize(row, self.default);
            self.values = Some(column);
        }
        if let Some(column) = &mut self.values {
            column.own().extend_from_slice(values);
        }
    }

    /// Appends the `n` rows of `other` after row `row`, the number of rows so far.
    fn append(&mut self, row: usize, other: &Self, n: usize) {
        match (&mut self.values, &other.values) {
            (_, Some(values)) => self.extend(row, values),
            (Some(column), None) => column.own().resize(row + n, other.default),
            (None, None) => {}
        }
    }

    /// The values of some rows.
    pub(crate) fn gather(&self, rows: &[u32], out: &mut Vec<T>) {
        out.clear();
        match &self.values {
            Some(values) => {
                let values = &values[..];
                out.extend(rows.iter().map(|&row| values[row as usize]));
            }
            None => out.resize(rows.len(), self.default),
        }
    }

    /// Whether a column is stored.
    pub(crate) const fn is_stored(&self) -> bool {
        self.values.is_some()
    }

    /// The stored column.
    pub(crate) fn stored(&self) -> Option<&[T]> {
        self.values.as_deref()
    }

    /// With this column, or the default everywhere.
    pub(crate) fn with(self, values: Option<Column<T>>) -> Self {
        Self { values, ..self }
    }

    pub(crate) const fn default(&self) -> T {
        self.default
    }

    pub(crate) fn get(&self, row: usize) -> T {
        self.values.as_ref().map_or(self.default, |values| values[row])
    }

    pub(crate) fn shrink(&mut self) {
        if let Some(values) = &mut self.values {
            values.shrink_to_fit();
        }
    }

    fn retain(&mut self, keep: &[bool]) {
        if let Some(values) = &mut self.values {
            retain(values, keep);
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.values.as_ref().map_or(0, |values| values.capacity() * size_of::<T>())
    }
}

/// Event columns in one order. 13 bytes an event, and up to 13 more for the columns that are used.
#[derive(Clone, Debug)]
pub(crate) struct EventTable {
    pub(crate) item: Column<ItemIdx>,
    pub(crate) kind: Column<u8>,
    pub(crate) at: Column<i64>,
    pub(crate) quantity: Sparse<f32>,
    /// NaN for none.
    pub(crate) value: Sparse<Bits>,
    pub(crate) channel: Sparse<u8>,
}

/// An `f32` compared by its bits, so that NaN (no value) equals itself.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(transparent)]
pub(crate) struct Bits(pub(crate) f32);

impl PartialEq for Bits {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Default for EventTable {
    fn default() -> Self {
        Self {
            item: Column::default(),
            kind: Column::default(),
            at: Column::default(),
            quantity: Sparse::new(1.0),
            value: Sparse::new(Bits(f32::NAN)),
            channel: Sparse::new(0),
        }
    }
}

/// Drops the numbers that are not to be kept.
pub(super) fn retain<T: Pod>(column: &mut Column<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    column.own().retain(|_| keep.next().copied().unwrap_or(true));
}

impl EventTable {
    pub(crate) fn len(&self) -> usize {
        self.item.len()
    }

    pub(crate) fn push(&mut self, item: ItemIdx, kind: u8, at: i64, quantity: f32, value: f32, channel: u8) {
        let row = self.len();
        self.item.push(item);
        self.kind.push(kind);
        self.at.push(at);
        self.quantity.push(row, quantity);
        self.value.push(row, Bits(value));
        self.channel.push(row, channel);
    }

    /// Appends events, given by their columns.
    pub(crate) fn extend(
        &mut self,
        item: &[ItemIdx],
        kind: &[u8],
        at: &[i64],
        quantity: &[f32],
        value: &[Bits],
        channel: &[u8],
    ) {
        let row = self.len();
        self.item.own().extend_from_slice(item);
        self.kind.own().extend_from_slice(kind);
        self.at.own().extend_from_slice(at);
        self.quantity.extend(row, quantity);
        self.value.extend(row, value);
        self.channel.extend(row, channel);
    }

    /// Appends the events of another table.
    pub(crate) fn append(&mut self, other: &Self) {
        let (row, n) = (self.len(), other.len());
        self.item.own().extend_from_slice(&other.item);
        self.kind.own().extend_from_slice(&other.kind);
        self.at.own().extend_from_slice(&other.at);
        self.quantity.append(row, &other.quantity, n);
        self.value.append(row, &other.value, n);
        self.channel.append(row, &other.channel, n);
    }

    /// No events, room for `n`. Columns that hold nothing but their default take none.
    pub(crate) fn with_room(n: usize) -> Self {
        let (item, kind, at) = (Column::with_capacity(n), Column::with_capacity(n), Column::with_capacity(n));
        Self { item, kind, at, ..Self::default() }
    }

    /// Forgets all events, but not the room they took.
    pub(crate) fn clear(&mut self) {
        self.item.own().clear();
        self.kind.own().clear();
        self.at.own().clear();
        self.quantity.values = None;
        self.value.values = None;
        self.channel.values = None;
    }

    pub(crate) fn value(&self, row: usize) -> Option<f32> {
        let v = self.value.get(row).0;
        if v.is_nan() { None } else { Some(v) }
    }

    pub(crate) fn get(&self, row: usize) -> EventRef {
        EventRef {
            item: self.item[row],
            kind: EventKind::from_code(self.kind[row]),
            at: Timestamp::from_millis(self.at[row]),
            quantity: self.quantity.get(row),
            value: self.value(row),
            channel: Channel::from_code(self.channel.get(row)),
        }
    }

    /// Drops the rows that are not to be kept; the others stay in their order.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        retain(&mut self.item, keep);
        retain(&mut self.kind, keep);
        retain(&mut self.at, keep);
        self.quantity.retain(keep);
        self.value.retain(keep);
        self.channel.retain(keep);
    }

    pub(crate) fn shrink(&mut self) {
        self.item.shrink_to_fit();
        self.kind.shrink_to_fit();
        self.at.shrink_to_fit();
        self.quantity.shrink();
        self.value.shrink();
        self.channel.shrink();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.item.capacity() * 4
            + self.kind.capacity()
            + self.at.capacity() * 8
            + self.quantity.heap_bytes()
            + self.value.heap_bytes()
            + self.channel.heap_bytes()
    }
}

element!(Bits, "f32", |x| Self(f32::from_bits(x.0.to_bits().swap_bytes())));

impl<T: Element> Sparse<T> {
    fn save(&self, out: &mut Saver<'_>, name: &str) -> Result<(), PersistError> {
        out.part(name, &self.values)
    }

    /// With that default; a stored column has `len` rows.
    fn load(from: &Loader<'_>, name: &str, default: T, len: usize) -> Result<Self, PersistError> {
        let values: Option<Column<T>> = from.part(name)?;
        match &values {
            Some(values) if values.len() != len => Err(from.at(name).unsound("has another length than its table")),
            _ => Ok(Self { default, values }),
        }
    }
}

impl Portable for EventTable {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.part("item", &self.item)?;
        out.part("kind", &self.kind)?;
        out.part("at", &self.at)?;
        self.quantity.save(out, "quantity")?;
        self.value.save(out, "value")?;
        self.channel.save(out, "channel")
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let empty = Self::default();
        let item: Column<ItemIdx> = from.part("item")?;
        let n = item.len();
        let loaded = Self {
            item,
            kind: from.part("kind")?,
            at: from.part("at")?,
            quantity: Sparse::load(from, "quantity", empty.quantity.default, n)?,
            value: Sparse::load(from, "value", empty.value.default, n)?,
            channel: Sparse::load(from, "channel", empty.channel.default, n)?,
        };
        if loaded.kind.len() != n || loaded.at.len() != n {
            return Err(from.unsound("has columns of several lengths"));
        }
        from.check("an unknown kind of event", || loaded.kind.is_below(EventKind::CODES))?;
        Ok(loaded)
    }
}

/// One stored event.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct EventRef {
    /// The item.
    pub item: ItemIdx,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// Units that still count after cancellations; above 0.
    pub quantity: f32,
    /// Price of one unit, or the rating.
    pub value: Option<f32>,
    /// Where.
    pub channel: Channel,
}

/// A stretch of one shopper's events, oldest first; events of equal time in the order they arrived.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a> {
    table: &'a EventTable,
    sessions: &'a [u32],
    from: usize,
    to: usize,
}

impl<'a> Events<'a> {
    pub(crate) fn new(table: &'a EventTable, sessions: &'a [u32], from: usize, to: usize) -> Self {
        Self { table, sessions, from, to }
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.to - self.from
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.to == self.from
    }

    /// The items, oldest event first.
    #[must_use]
    pub fn items(self) -> &'a [ItemIdx] {
        &self.table.item[self.from..self.to]
    }

    /// The session numbers, ascending with the first event of each session; consecutive within a dataset.
    #[must_use]
    pub fn sessions(self) -> &'a [u32] {
        &self.sessions[self.from..self.to]
    }

    pub(crate) fn kinds(self) -> &'a [u8] {
        &self.table.kind[self.from..self.to]
    }

    pub(crate) fn times(self) -> &'a [i64] {
        &self.table.at[self.from..self.to]
    }

    /// Event number `i` of the stretch.
    #[must_use]
    pub fn get(self, i: usize) -> Option<EventRef> {
        if i < self.len() { Some(self.table.get(self.from + i)) } else { None }
    }

    /// The events, oldest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = EventRef> + ExactSizeIterator + 'a {
        (self.from..self.to).map(move |row| self.table.get(row))
    }

    /// The events up to and including `now`: what was known then. `O(log len)`.
    #[must_use]
    pub fn until(self, now: Timestamp) -> Self {
        let known = self.times().partition_point(|&at| at <= now.millis());
        Self { to: self.from + known, ..self }
    }

    /// Whether two stretches hold the same events in the same sessions.
    pub(crate) fn same_as(self, other: Events<'_>) -> bool {
        let first = |e: Events<'_>| e.sessions().first().copied().unwrap_or(0);
        let (a, b) = (first(self), first(other));
        self.len() == other.len()
            && self.items() == other.items()
            && self.kinds() == other.kinds()
            && self.times() == other.times()
            && self.sessions().iter().zip(other.sessions()).all(|(x, y)| x - a == y - b)
            && (0..self.len()).all(|i| {
                let (r, s) = (self.from + i, other.from + i);
                self.table.quantity.get(r) == other.table.quantity.get(s)
                    && self.table.value.get(r) == other.table.value.get(s)
                    && self.table.channel.get(r) == other.table.channel.get(s)
            })
    }
}
