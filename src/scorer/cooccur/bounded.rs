//! Counting within a budget of memory.
//!
//! Items are counted a range at a time, and for each range the shoppers a block at a time: what is in memory are the units
//! of one block and the pairs of one range. A row of counts begins with what the blocks before came to, so nothing has to
//! be merged; and whole numbers add up to the same in any order, so the counts are those of one go.
//!
//! What an item's row can hold at most is known before it is counted: a pair for every meeting, and no more than there
//! are items. Blocks are gathered once a range of items; where all shoppers are one block, once.

use std::ops::Range;

use super::count::{Alone, Block, Counter, PairCounts, Tally};
use super::units::{PairOrder, PairRule, Units};
use crate::dataset::Dataset;
use crate::ids::UserIdx;
use crate::run::{Cancelled, Run};
use crate::scorer::FitError;

/// Items counted by one task.
const TASK: usize = 64;
/// Bytes a pair takes while its row is counted: with what the blocks before came to.
const PAIR: u64 = 16;

/// What of the budget goes where, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    allowed: u64,
    /// The units of a block of shoppers.
    units: u64,
    /// The pairs of a range of items.
    pairs: u64,
    /// Counts that are kept.
    kept: u64,
}

/// Bytes an event takes at most in the units of its row, where these are put together.
fn event_bytes(rule: &PairRule) -> u64 {
    match rule.order {
        PairOrder::Any => 48,
        PairOrder::Then { .. } => 104,
    }
}

impl Room {
    /// Room for counting by all of `rules`.
    pub(super) fn of(
        data: &Dataset,
        rows: &[UserIdx],
        rules: &[&PairRule],
        allowed: u64,
        run: &Run<'_>,
    ) -> Result<Self, FitError> {
        let (items, n) = (data.n_items() as u64, rules.len().max(1) as u64);
        // A tally a thread; places; what each item has, alone and at most.
        let fixed = n * items * (16 * run.threads.count() as u64 + 24 + 16);
        let busiest = rows.iter().map(|&row| data.events_of(row).len() as u64).max().unwrap_or(0);
        let busiest = busiest * rules.iter().map(|rule| event_bytes(rule)).max().unwrap_or(0);
        let row = PAIR * items;
        let needed = fixed + 4 * n * busiest.max(row);
        if needed > allowed {
            return Err(FitError::Memory { model: "a count of pairs", needed, allowed });
        }
        let room = allowed - fixed;
        Ok(Self { allowed, units: room / (4 * n), pairs: room / (4 * n), kept: room / 2 })
    }

    /// What is left for others beside counts that are kept.
    pub(super) fn beside(self, counts: &PairCounts) -> Self {
        Self { kept: self.kept.saturating_sub(8 * counts.n_pairs() as u64), ..self }
    }

    /// Whether counts of so many pairs may be kept.
    pub(super) fn keep(&self, pairs: usize) -> Result<(), FitError> {
        let bytes = 8 * pairs as u64;
        if bytes > self.kept {
            let needed = self.allowed.saturating_sub(self.kept).saturating_add(bytes);
            return Err(FitError::Memory { model: "a count of pairs", needed, allowed: self.allowed });
        }
        Ok(())
    }
}

/// Units to be counted a block of shoppers at a time.
pub(super) struct Bounded<'r> {
    data: &'r Dataset,
    rows: &'r [UserIdx],
    rule: &'r PairRule,
    /// Ranges of `rows`.
    blocks: Vec<Range<usize>>,
    /// The units, where there is one block.
    only: Option<Counter<'r>>,
    /// Pairs each item has as the first of them, at most.
    most: Vec<u64>,
    pub(super) alone: Alone,
}

impl<'r> Bounded<'r> {
    pub(super) fn new(
        data: &'r Dataset,
        rows: &'r [UserIdx],
        rule: &'r PairRule,
        room: &Room,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        let (mut blocks, mut start, mut bytes) = (Vec::new(), 0, 0);
        for (at, &row) in rows.iter().enumerate() {
            let more = data.events_of(row).len() as u64 * event_bytes(rule);
            if at > start && bytes + more > room.units {
                blocks.push(start..at);
                (start, bytes) = (at, 0);
            }
            bytes += more;
        }
        if start < rows.len() || blocks.is_empty() {
            blocks.push(start..rows.len()); // also of nobody: every item has a row
        }
        let n_items = data.n_items();
        let mut most = vec![0u64; n_items];
        let mut alone = Alone { n_units: 0, n_from: vec![0; n_items], n_to: vec![0; n_items] };
        for block in &blocks {
            let units = Units::gather(data, &rows[block.clone()], rule, run)?;
            alone.n_units += units.len() as u32;
            units.from.count_into(&mut alone.n_from);
            units.to.count_into(&mut alone.n_to);
            for unit in 0..units.len() {
                let others = units.to.items(unit).len() as u64;
                units.from.items(unit).iter().for_each(|item| most[item.as_usize()] += others);
            }
        }
        most.iter_mut().for_each(|most| *most = (*most).min(n_items as u64));
        let only = match &blocks[..] {
            [_] => Some(Counter::new(data, rows, rule, run)?),
            _ => None,
        };
        Ok(Self { data, rows, rule, blocks, only, most, alone })
    }

    /// Ranges of items whose pairs fit, by all of `counts`.
    pub(super) fn ranges(counts: &[&Self], room: &Room) -> Vec<Range<usize>> {
        let n_items = counts.iter().map(|c| c.most.len()).max().unwrap_or(0);
        let (mut ranges, mut start, mut bytes) = (Vec::new(), 0, 0);
        for item in 0..n_items {
            let more = counts.iter().map(|c| c.most[item]).max().unwrap_or(0) * PAIR;
            if item > start && bytes + more > room.pairs {
                ranges.push(start..item);
                (start, bytes) = (item, 0);
            }
            bytes += more;
        }
        if start < n_items {
            ranges.push(start..n_items);
        }
        ranges
    }

    /// The rows of these items, [`TASK`] of them a block.
    pub(super) fn count(&self, items: &Range<usize>, run: &Run<'_>) -> Result<Vec<Block>, Cancelled> {
        let n_items = self.data.n_items();
        let mut counted: Vec<Block> = Vec::new();
        counted.resize_with(items.len().div_ceil(TASK), Block::default);
        for block in &self.blocks {
            if run.cancel.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Cancelled);
            }
            let gathered;
            let counter = match &self.only {
                Some(only) => only,
                None => {
                    gathered = Counter::new(self.data, &self.rows[block.clone()], self.rule, run)?;
                    &gathered
                }
            };
            let before = &counted;
            counted = run.threads.map_with(
                before.len(),
                || Tally::new(n_items),
                |tally, task| {
                    let first = items.start + task * TASK;
                    counter.block(first..items.end.min(first + TASK), &before[task], tally)
                },
            );
        }
        Ok(counted)
    }
}

/// The row of item `at` of a range: the second items of its pairs, ascending, and in how many units they were met.
pub(super) fn row(blocks: &[Block], at: usize) -> (&[u32], &[u32]) {
    blocks.get(at / TASK).map_or((&[], &[]), |block| block.row(at % TASK))
}

impl PairCounts {
    /// [`of`](Self::of), within the room there is: the same counts.
    pub(super) fn within(
        data: &Dataset,
        rows: &[UserIdx],
        rule: &PairRule,
        room: &Room,
        run: &Run<'_>,
    ) -> Result<Self, FitError> {
        let counter = Bounded::new(data, rows, rule, room, run)?;
        let mut counts = Self::with_items(data.n_items());
        for items in Bounded::ranges(&[&counter], room) {
            run.step(items.start as u64, data.n_items() as u64, None)?;
            let counted = counter.count(&items, run)?;
            room.keep(counts.n_pairs() + counted.iter().map(Block::n_pairs).sum::<usize>())?;
            counts.extend(counted);
        }
        Ok(counts.with_alone(counter.alone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Shopper;
    use crate::dataset::DatasetBuilder;
    use crate::event::{Event, EventKind, KindSet};
    use crate::run::Parallelism;
    use crate::scorer::cooccur::units::{Count, PairUnit};
    use crate::time::{Span, Timestamp};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn counts_in_blocks_are_counts_in_one_go(
            events in prop::collection::vec((0u8..9, 0u8..12, any::<bool>(), 0i64..60), 0..120),
            (units, pairs) in (0u64..4000, 0u64..2000),
            (shopper, rows, then, max_items) in (any::<bool>(), any::<bool>(), any::<bool>(), 2usize..6),
        ) {
            let mut builder = DatasetBuilder::default().session_gap(Span::millis(3));
            for &(who, item, bought, at) in &events {
                let kind = if bought { EventKind::Purchase } else { EventKind::View };
                let (who, item) = (format!("s{who}"), format!("i{item}"));
                let shopper = Shopper::Anonymous { session: &who };
                builder.push(&Event::new(shopper, &item, kind, Timestamp::from_millis(at))).unwrap();
            }
            let data = builder.finish().unwrap();
            let all: Vec<UserIdx> = (0..data.n_rows() as u32).map(UserIdx::new).collect();
            let rule = PairRule {
                unit: if shopper { PairUnit::Shopper } else { PairUnit::Session },
                from: KindSet::of(&[EventKind::View]),
                to: KindSet::of(&[EventKind::View, EventKind::Purchase]),
                order: if then { PairOrder::Then { within: Span::millis(9) } } else { PairOrder::Any },
                max_items,
                count: if rows { Count::Rows } else { Count::Units },
            };
            let room = Room { allowed: 1 << 40, units, pairs, kept: 1 << 39 };
            for threads in [Parallelism::Serial, Parallelism::Pool] {
                let run = Run::new(0).threads(threads);
                let expected = PairCounts::of(&data, &all, &rule, &run).unwrap();
                prop_assert_eq!(PairCounts::within(&data, &all, &rule, &room, &run).unwrap(), expected);
            }
            let none = Room { kept: 0, ..room };
            let expected = PairCounts::of(&data, &all, &rule, &Run::default()).unwrap();
            let counted = PairCounts::within(&data, &all, &rule, &none, &Run::default());
            prop_assert_eq!(counted.is_err(), expected.n_pairs() > 0);
        }
    }
}
