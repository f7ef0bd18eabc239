//! Asking a scorer outside of a ranker.

use crate::ids::ItemIdx;
use crate::scorer::{Candidates, Context, ItemSet, Scorer, Scores, Workspace};

/// An item and what was said of it: score and evidence.
pub(super) type Answer = (ItemIdx, Option<f32>, Option<ItemIdx>);

/// A scorer's opinions on `items` as candidates of one request, in the order given; `None` for no opinion.
///
/// # Example
/// ```
/// use likewise::testing::opinions;
/// use likewise::{Context, DatasetBuilder, Fit, ItemIdx, PopularityParams, Run, Shelf, TrainingSet, Validate};
/// let data = DatasetBuilder::default().finish()?;
/// let popularity = PopularityParams::default().check()?.fit(&TrainingSet::from(&data), &Run::default())?;
/// let shelf = Shelf::bare(&data);
/// let cx = Context::new(&data, &shelf, data.as_of());
/// assert_eq!(opinions(&popularity, &cx, &[ItemIdx::new(0)]), [None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn opinions(scorer: &dyn Scorer, cx: &Context<'_>, items: &[ItemIdx]) -> Vec<Option<f32>> {
    ask(scorer, cx, items, &mut Workspace::default()).into_iter().map(|answer| answer.1).collect()
}

/// What a scorer proposes for one request when no filter refuses anything, in its order; items that do not exist are
/// left out.
#[must_use]
pub fn proposals(scorer: &dyn Scorer, cx: &Context<'_>, limit: usize) -> Vec<ItemIdx> {
    propose(scorer, cx, limit, &|_| true, &mut Workspace::default()).0
}

pub(super) fn ask(scorer: &dyn Scorer, cx: &Context<'_>, items: &[ItemIdx], ws: &mut Workspace) -> Vec<Answer> {
    let mut set = ItemSet::default();
    set.reset(items.iter().map(|item| item.as_usize() + 1).fold(cx.shelf.n_items(), usize::max));
    items.iter().for_each(|&item| _ = set.insert(item));
    let (mut values, mut because) = (vec![0.0; set.items().len()], vec![0; set.items().len()]);
    let mut out = Scores::new(&set, &mut values, &mut because);
    scorer.score(cx, &mut out, ws);
    let answer = |&item: &ItemIdx| {
        let slot = out.slot_of(item);
        (item, slot.and_then(|slot| out.get(slot)), slot.and_then(|slot| out.because(slot)))
    };
    items.iter().map(answer).collect()
}

/// The proposals, and how many named no item.
pub(super) fn propose(
    scorer: &dyn Scorer,
    cx: &Context<'_>,
    limit: usize,
    admit: &dyn Fn(ItemIdx) -> bool,
    ws: &mut Workspace,
) -> (Vec<ItemIdx>, usize) {
    let n_items = cx.shelf.n_items();
    let (mut admitted, mut refused) = (ItemSet::default(), ItemSet::default());
    admitted.reset(n_items);
    refused.reset(n_items);
    let mut out = Candidates::new(&mut admitted, &mut refused, n_items, admit);
    scorer.propose(cx, limit, &mut out, ws);
    (out.items().to_vec(), out.unknown())
}
