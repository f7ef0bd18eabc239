//! The walk as neighbour lists, cut to each item's strongest sources.

use super::Ways;
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::kernel::top_k::top_k;
use crate::run::{Cancelled, Run};
use crate::scorer::Scored;
use crate::scorer::neighbours::Neighbours;
use crate::scorer::pairs::{ListScale, Pairs, reweighed};

/// Of each item the `kept` strongest sources; then, by source, the items it leads to, scaled.
///
/// The cut is made where the walk ends, not where it starts: a popular source would otherwise lead to popular items only.
pub(super) fn build(
    ways: &Ways,
    pairs: &Pairs,
    kept: usize,
    scale: ListScale,
    run: &Run<'_>,
) -> Result<Neighbours, Cancelled> {
    let n_items = pairs.by_item.rows();
    let through = reweighed(&pairs.by_row, |row, _, y| y * ways.middle[row]);
    let sources = Neighbours::build(n_items, run, Accumulator::default, |sums, end, row| {
        sums.reset(n_items);
        pairs.meet(end, &pairs.by_item, &through, sums, None);
        let end = ways.end[end.as_usize()];
        let weigh = |(start, sum): (u32, f32)| (start, sum * end * ways.start[start as usize]);
        let weighed = sums.iter().map(weigh).filter(|(_, weight)| *weight > 0.0 && weight.is_finite());
        row.extend(weighed.map(|(start, score)| Scored { item: ItemIdx::new(start), score }));
        top_k(row, kept, Scored::order);
    })?;
    sources.turned(n_items, run, |row| scale.apply(row))
}
