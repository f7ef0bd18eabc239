//! The walk as neighbour lists, cut to each item's strongest sources.

use super::Ways;
use crate::ids::ItemIdx;
use crate::run::{Cancelled, Run};
use crate::scorer::best::Best;
use crate::scorer::neighbours::Neighbours;
use crate::scorer::pairs::{ListScale, Pairs, reweighed};
use crate::scorer::tally::Tally;

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
    let scratch = || (Tally::default(), Best::default());
    let sources = Neighbours::build(n_items, run, scratch, |(sums, best), end, row| {
        sums.reset(n_items);
        pairs.meet(end, &pairs.by_item, &through, sums, None);
        let end = ways.end[end.as_usize()];
        best.reset(kept);
        sums.drain(|start, sum| {
            let weight = sum * end * ways.start[start as usize];
            if weight > 0.0 && weight.is_finite() {
                best.offer(ItemIdx::new(start), weight);
            }
        });
        row.extend(best.sorted());
    })?;
    sources.turned(n_items, run, |row| scale.apply(row))
}
