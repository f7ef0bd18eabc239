//! The query side all basket scorers share: sum up the shopper's opinions afresh, then answer from the sums.

use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::scorer::{Candidates, Context, Scored, Scorer, Scores, Workspace};

/// A scorer that makes up its mind about all items at once. Above 0 is an opinion; scores and proposals read the same sums.
pub(super) trait Summed: Scorer {
    /// Adds the opinions of a request to `sums`, which is empty and has room for the items of the extent.
    fn sum(&self, cx: &Context<'_>, ws: &mut Workspace, sums: &mut Accumulator);

    /// Items that follow when all summed ones are named, best first; each scores less than any sum.
    fn followers(&self) -> &[ItemIdx] {
        &[]
    }

    /// The score of an item in [`followers`](Summed::followers).
    fn follows(&self, item: ItemIdx) -> Option<f32> {
        let _ = item;
        None
    }

    /// [`Scorer::score`].
    fn score_sums(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let n_items = self.extent().n_items;
        let mut sums = ws.take_accumulator(n_items);
        self.sum(cx, ws, &mut sums);
        for (slot, &item) in out.items().iter().enumerate().filter(|(_, item)| item.as_usize() < n_items) {
            let sum = Some(sums.get(item.get())).filter(|&sum| sum > 0.0);
            if let Some(score) = sum.or_else(|| self.follows(item)) {
                out.set(slot, score);
            }
        }
        ws.give_accumulator(sums);
    }

    /// [`Scorer::propose`].
    fn propose_sums(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut sums = ws.take_accumulator(self.extent().n_items);
        self.sum(cx, ws, &mut sums);
        let mut scored = ws.take_scored();
        let opinions = sums.iter().filter(|&(_, sum)| sum > 0.0 && sum.is_finite());
        scored.extend(opinions.map(|(item, score)| Scored { item: ItemIdx::new(item), score }));
        let kept = out.extend_top(&mut scored, limit);
        if kept < limit {
            let others = self.followers().iter().copied().filter(|item| sums.get(item.get()) <= 0.0);
            out.extend(others, limit - kept);
        }
        ws.give_scored(scored);
        ws.give_accumulator(sums);
    }
}
