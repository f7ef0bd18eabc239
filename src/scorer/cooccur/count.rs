//! Counting in how many units items meet.
//!
//! Row by row over the first item (Gustavson 1978): for each unit that has it, each other item of that unit is counted
//! in a dense array. Whole numbers, so any order and any number of threads gives the same counts, and rows of changed
//! shoppers can be taken out and put back exactly. `O(Σ from-items x to-items)` over the units. A unit's items are capped
//! (`max_items`, the latest), so that nobody who touches everything costs a square of it; the counts are those of the
//! capped units, whoever counts them and when.

use super::units::{Count, PairOrder, PairRule, Units};
use crate::dataset::Dataset;
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};

/// In how many units each ordered pair of items was met, and each item alone.
///
/// Eight bytes a pair and sixteen an item. An item is not paired with itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairCounts {
    offsets: Vec<u64>,
    to: Vec<u32>,
    count: Vec<u32>,
    n_from: Vec<u32>,
    n_to: Vec<u32>,
    n_units: u32,
}

/// Units that are asked for before their turn comes: those of one item lie scattered, and most are a few items long.
const AHEAD: usize = 16;
/// Items counted by one task, and by one step of the run.
const BLOCK: usize = 64;
const STEPS: usize = 16;

impl PairCounts {
    /// Units with at least one event of a from- or to-kind.
    #[must_use]
    pub const fn n_units(&self) -> u32 {
        self.n_units
    }

    /// Units that have `item` as the first of a pair; 0 for an unknown item.
    #[must_use]
    pub fn n_from(&self, item: ItemIdx) -> u32 {
        self.n_from.get(item.as_usize()).copied().unwrap_or(0)
    }

    /// Units that have `item` as the second of a pair; 0 for an unknown item.
    #[must_use]
    pub fn n_to(&self, item: ItemIdx) -> u32 {
        self.n_to.get(item.as_usize()).copied().unwrap_or(0)
    }

    /// Units in which `a` and `b` make a pair. `O(log row)`.
    #[must_use]
    pub fn pair(&self, a: ItemIdx, b: ItemIdx) -> u32 {
        let (to, count) = self.columns(a.as_usize());
        to.binary_search(&b.get()).map_or(0, |at| count[at])
    }

    /// The items that make a pair with `a` as the first, ascending, each with its number of units.
    pub fn row(&self, a: ItemIdx) -> impl ExactSizeIterator<Item = (ItemIdx, u32)> + '_ {
        let (to, count) = self.columns(a.as_usize());
        to.iter().map(|&b| ItemIdx::new(b)).zip(count.iter().copied())
    }

    /// How many ordered pairs there are.
    #[must_use]
    pub fn n_pairs(&self) -> usize {
        self.to.len()
    }

    pub(super) fn n_items(&self) -> usize {
        self.n_from.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.offsets.capacity() * 8
            + (self.to.capacity() + self.count.capacity() + self.n_from.capacity() + self.n_to.capacity()) * 4
    }

    fn columns(&self, row: usize) -> (&[u32], &[u32]) {
        match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(&from), Some(&to)) => (&self.to[from as usize..to as usize], &self.count[from as usize..to as usize]),
            _ => (&[], &[]),
        }
    }

    pub(super) fn with_items(n_items: usize) -> Self {
        let mut offsets = Vec::with_capacity(n_items + 1);
        offsets.push(0);
        Self { offsets, n_from: vec![0; n_items], n_to: vec![0; n_items], ..Self::default() }
    }

    fn end_row(&mut self) {
        self.offsets.push(self.to.len() as u64);
    }

    /// Counts the pairs in the units of `rows`.
    pub(super) fn of(data: &Dataset, rows: &[UserIdx], rule: &PairRule, run: &Run<'_>) -> Result<Self, Cancelled> {
        let counter = Counter::new(data, rows, rule, run)?;
        let n_items = data.n_items();
        let mut counts = Self::with_items(n_items);
        let step = n_items.div_ceil(STEPS).next_multiple_of(BLOCK).max(BLOCK);
        for first in (0..n_items).step_by(step) {
            let last = n_items.min(first + step);
            let blocks = run.threads.map_with(
                (last - first).div_ceil(BLOCK),
                || Tally::new(n_items),
                |tally, block| {
                    let items = first + block * BLOCK..last.min(first + (block + 1) * BLOCK);
                    counter.block(items, &Block::default(), tally)
                },
            );
            counts.extend(blocks);
            run.step(last as u64, n_items as u64, None)?;
        }
        Ok(counts.with_alone(counter.alone))
    }

    /// Appends the rows of the next items.
    pub(super) fn extend(&mut self, blocks: Vec<Block>) {
        let pairs = blocks.iter().map(Block::n_pairs).sum();
        if self.to.is_empty() {
            self.to.reserve_exact(pairs);
            self.count.reserve_exact(pairs);
        }
        blocks.into_iter().for_each(|block| self.append(block));
    }

    /// At its smallest, with what is known of the items each for itself.
    pub(super) fn with_alone(mut self, alone: Alone) -> Self {
        self.to.shrink_to_fit();
        self.count.shrink_to_fit();
        let Alone { n_units, n_from, n_to } = alone;
        Self { n_units, n_from, n_to, ..self }
    }

    /// What is known of the items each for itself.
    pub(super) fn alone(&self) -> Alone {
        Alone { n_units: self.n_units, n_from: self.n_from.clone(), n_to: self.n_to.clone() }
    }

    fn append(&mut self, block: Block) {
        let pairs = self.to.len() as u64;
        self.offsets.extend(block.ends.iter().map(|&end| pairs + end as u64));
        self.to.extend_from_slice(&block.to);
        self.count.extend_from_slice(&block.count);
    }

    /// These counts without `old` and with `new`; `None` if `old` was never part of them. `O(pairs)` to copy.
    pub(super) fn patched(&self, old: &Self, new: &Self) -> Option<Self> {
        let n_items = self.n_items().max(new.n_items());
        let mut out = Self::with_items(n_items);
        out.n_units = self.n_units.checked_sub(old.n_units)?.checked_add(new.n_units)?;
        let mut changed = Vec::new();
        for row in 0..n_items {
            let item = ItemIdx::new(row as u32);
            out.n_from[row] = self.n_from(item).checked_sub(old.n_from(item))?.checked_add(new.n_from(item))?;
            out.n_to[row] = self.n_to(item).checked_sub(old.n_to(item))?.checked_add(new.n_to(item))?;
            if old.columns(row).0.is_empty() && new.columns(row).0.is_empty() {
                let (to, count) = self.columns(row);
                out.to.extend_from_slice(to);
                out.count.extend_from_slice(count);
            } else {
                changed.clear();
                for (counts, sign) in [(self, 1), (old, -1), (new, 1)] {
                    changed.extend(counts.row(item).map(|(b, n)| (b.get(), sign * i64::from(n))));
                }
                changed.sort_unstable();
                for pair in changed.chunk_by(|x, y| x.0 == y.0) {
                    let count = u32::try_from(pair.iter().map(|&(_, n)| n).sum::<i64>()).ok()?;
                    if count > 0 {
                        out.to.push(pair[0].0);
                        out.count.push(count);
                    }
                }
            }
            out.end_row();
        }
        out.to.shrink_to_fit();
        out.count.shrink_to_fit();
        Some(out)
    }
}

/// The units that have each item as the first of a pair, if they have anything that could be the second.
struct Places {
    starts: Vec<usize>,
    ends: Vec<usize>,
    unit: Vec<u32>,
}

impl Places {
    fn of(units: &Units, n_from: &[u32]) -> Self {
        let mut total = 0;
        let room = |&n: &u32| {
            total += n as usize;
            total - n as usize
        };
        let starts: Vec<usize> = n_from.iter().map(room).collect();
        let (mut ends, mut unit_of) = (starts.clone(), vec![0; total]);
        for unit in (0..units.len()).filter(|&unit| !units.to.items(unit).is_empty()) {
            for item in units.from.items(unit) {
                let end = &mut ends[item.as_usize()];
                unit_of[*end] = unit as u32;
                *end += 1;
            }
        }
        Self { starts, ends, unit: unit_of }
    }

    fn units_of(&self, item: ItemIdx) -> &[u32] {
        &self.unit[self.starts[item.as_usize()]..self.ends[item.as_usize()]]
    }
}

/// In how many units each item is, whatever it meets there.
#[derive(Clone, Debug, Default)]
pub(super) struct Alone {
    pub(super) n_units: u32,
    /// As the first of a pair.
    pub(super) n_from: Vec<u32>,
    /// As the second.
    pub(super) n_to: Vec<u32>,
}

/// Units ready to be counted, a row at a time: whoever wants no counts of all pairs need not hold them.
pub(super) struct Counter<'r> {
    units: Units,
    places: Places,
    rule: &'r PairRule,
    pub(super) alone: Alone,
}

impl<'r> Counter<'r> {
    pub(super) fn new(data: &Dataset, rows: &[UserIdx], rule: &'r PairRule, run: &Run<'_>) -> Result<Self, Cancelled> {
        let units = Units::gather(data, rows, rule, run)?;
        let (n_from, n_to) = (units.from.count(data.n_items()), units.to.count(data.n_items()));
        let places = Places::of(&units, &n_from);
        let alone = Alone { n_units: units.len() as u32, n_from, n_to };
        Ok(Self { units, places, rule, alone })
    }

    /// Hands over the items that make a pair with `item` as the first, each with its number of units, in no particular
    /// order.
    pub(super) fn row(&self, item: ItemIdx, tally: &mut Tally, mut take: impl FnMut(ItemIdx, u32)) {
        self.count(item, tally);
        for &b in &tally.touched[..tally.n] {
            let count = std::mem::take(&mut tally.count[b.as_usize()]);
            if let Some(row) = tally.rows.get_mut(b.as_usize()) {
                *row = 0;
            }
            if b != item {
                take(b, count);
            }
        }
        tally.n = 0;
    }

    fn count(&self, item: ItemIdx, tally: &mut Tally) {
        let Self { units, places, rule, .. } = self;
        if rule.count == Count::Rows {
            tally.rows.resize(tally.count.len(), 0);
        }
        let places = places.units_of(item);
        for (place, &unit) in places.iter().enumerate() {
            if let Some(&ahead) = places.get(place + AHEAD) {
                units.to.prefetch_end(ahead as usize);
            }
            if let Some(&ahead) = places.get(place + AHEAD / 2) {
                units.to.prefetch_items(ahead as usize);
            }
            let (unit, others) = (unit as usize, units.to.items(unit as usize));
            match rule.order {
                PairOrder::Any if rule.count == Count::Rows => tally.add_row(others, units.row(unit)),
                PairOrder::Any => tally.add(others),
                PairOrder::Then { within } => {
                    let Ok(a) = units.from.items(unit).binary_search(&item) else { continue };
                    let a = units.from.entries(unit).start + a;
                    others
                        .iter()
                        .zip(units.to.entries(unit))
                        .filter(|&(&b, entry)| b != item && units.follows(a, entry, within))
                        .for_each(|(&b, _)| match rule.count {
                            Count::Units => tally.add(&[b]),
                            Count::Rows => tally.add_row(&[b], units.row(unit)),
                        });
                }
            }
        }
    }

    /// The rows of a few consecutive items, on top of what was counted `before` (nothing, or their rows).
    pub(super) fn block(&self, items: std::ops::Range<usize>, before: &Block, tally: &mut Tally) -> Block {
        let mut block = Block::default();
        let mut row = Vec::new();
        for (at, item) in items.enumerate() {
            row.clear();
            let (to, count) = before.row(at);
            tally.begin(to, count);
            self.row(ItemIdx::new(item as u32), tally, |b, count| row.push((b.get(), count)));
            row.sort_unstable();
            block.to.extend(row.iter().map(|pair| pair.0));
            block.count.extend(row.iter().map(|pair| pair.1));
            block.ends.push(block.to.len());
        }
        block
    }
}

/// Counts of one row being summed: a dense array and what was touched of it.
pub(super) struct Tally {
    count: Vec<u32>,
    /// The items touched in `..n`, and room for a unit more.
    touched: Vec<ItemIdx>,
    n: usize,
    /// The row that counted each item last, plus 1; where rows are counted. A row's units are neighbours.
    rows: Vec<u32>,
}

impl Tally {
    pub(super) fn new(n_items: usize) -> Self {
        Self { count: vec![0; n_items], touched: Vec::new(), n: 0, rows: Vec::new() }
    }

    /// Begins a row with these counts.
    fn begin(&mut self, to: &[u32], count: &[u32]) {
        self.touched.resize(self.touched.len().max(to.len()), ItemIdx::new(0));
        for (touched, (&to, &count)) in self.touched.iter_mut().zip(to.iter().zip(count)) {
            self.count[to as usize] = count;
            *touched = ItemIdx::new(to);
        }
        self.n = to.len();
    }

    /// Counts each of the `items` once more, unless `row` counted it before.
    fn add_row(&mut self, items: &[ItemIdx], row: u32) {
        for &item in items {
            if std::mem::replace(&mut self.rows[item.as_usize()], row) != row {
                self.add(&[item]);
            }
        }
    }

    /// Counts each of the distinct `items` once more, without a branch.
    #[inline]
    fn add(&mut self, items: &[ItemIdx]) {
        if self.touched.len() < self.n + items.len() {
            self.touched.resize(2 * (self.n + items.len()), ItemIdx::new(0));
        }
        let (count, touched, mut n) = (&mut self.count[..], &mut self.touched[..self.n + items.len()], self.n);
        for &item in items {
            let count = &mut count[item.as_usize()];
            touched[n] = item; // overwritten by the next unless it is new
            n += usize::from(*count == 0);
            *count += 1;
        }
        self.n = n;
    }
}

/// The rows of a few consecutive items.
#[derive(Default)]
pub(super) struct Block {
    ends: Vec<usize>,
    to: Vec<u32>,
    count: Vec<u32>,
}

impl Block {
    /// The second items of row `at`, ascending, and the number of units of each pair.
    pub(super) fn row(&self, at: usize) -> (&[u32], &[u32]) {
        let from = at.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        match (from, self.ends.get(at)) {
            (Some(from), Some(&to)) => (&self.to[from..to], &self.count[from..to]),
            _ => (&[], &[]),
        }
    }

    pub(super) fn n_pairs(&self) -> usize {
        self.to.len()
    }
}

crate::persist::portable!(PairCounts { offsets, to, count, n_from, n_to, n_units }
    "an index beyond its items" => |c| crate::persist::cuts_or_none(&c.offsets, c.to.len())
        && c.count.len() == c.to.len()
        && c.to.iter().all(|&item| (item as usize) < c.n_to.len()));
