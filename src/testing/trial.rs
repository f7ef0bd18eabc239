//! Asking a single scorer, outside of a ranker.

use crate::ids::ItemIdx;
use crate::scorer::{Candidates, Context, ItemSet, Scored, Scorer, Scores, Workspace};

/// A scorer's own proposals with its own scores, for tests and benches of one scorer. Reusable: after the first
/// request nothing is allocated.
///
/// # Example
/// ```
/// use likewise::testing::Trial;
/// use likewise::{CoOccurrenceParams, Checked, Context, DatasetBuilder, Fit, Run, Shelf};
/// let data = DatasetBuilder::default().build()?;
/// let model = Checked::<CoOccurrenceParams>::default().fit(&(&data).into(), &Run::default())?;
/// let shelf = Shelf::bare(&data);
/// let mut trial = Trial::default();
/// assert!(trial.ask(&model, &Context::new(&data, &shelf, data.as_of()), 10).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Trial {
    admitted: ItemSet,
    refused: ItemSet,
    values: Vec<f32>,
    because: Vec<u32>,
    scored: Vec<Scored>,
    ws: Workspace,
}

impl Trial {
    /// The at most `limit` items `scorer` proposes, in its order, with the scores it then gives them; an item it has no
    /// opinion on after all is left out.
    pub fn ask(&mut self, scorer: &dyn Scorer, cx: &Context<'_>, limit: usize) -> &[Scored] {
        let Self { admitted, refused, values, because, scored, ws } = self;
        let n_items = cx.shelf.n_items();
        admitted.reset(n_items);
        refused.reset(n_items);
        scorer.propose(cx, limit, &mut Candidates::new(admitted, refused, n_items, &|_| true), ws);
        values.resize(admitted.items().len(), 0.0);
        because.resize(admitted.items().len(), 0);
        let mut out = Scores::new(admitted, values, because);
        scorer.score(cx, &mut out, ws);
        let opinion = |(slot, &item): (usize, &ItemIdx)| out.get(slot).map(|score| Scored { item, score });
        scored.clear();
        scored.extend(out.items().iter().enumerate().filter_map(opinion));
        scored
    }
}
