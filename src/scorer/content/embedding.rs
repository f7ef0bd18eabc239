//! Nearness in vectors of the shop's own: of images, texts, or a model trained elsewhere.
//!
//! *When to use it:* looks and style, items without words or events, any model whose item vectors mean something by their
//! cosine. *When not:* vectors whose lengths matter (they are scaled to 1), or as the only opinion on items with many events.
//!
//! *Cost:* fit one look-up a vector. Scoring is one product a candidate, and proposing an exact scan of all vectors: 12,000 of
//! 128 numbers take about as long as reading 6 MB. With [`ProfileBy::Max`] all of that is once for each of the shopper's
//! items, so keep `history` short.

use std::fmt;
use std::sync::Arc;

use super::embedding_params::{EmbeddingParams, ProfileBy};
use super::vectors::Vectors;
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::kernel::dot::{axpy, dot};
use crate::kernel::panel_products::products_at;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::retrieval::Index;
use crate::scorer::together::propose_alone;
use crate::scorer::vote::Voting;
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, NOBODY, Proposing, Reason, ReasonCode, Scored, Scorer,
    Scores, Together, TrainingSet, Workspace, opinion,
};

/// Parameters with the vectors they are about: what an [`Embedding`] is fitted from.
#[derive(Clone, Debug)]
pub struct EmbeddingRecipe {
    params: Checked<EmbeddingParams>,
    vectors: Arc<Vectors>,
}

impl EmbeddingRecipe {
    /// These parameters over these vectors, which are shared with every model fitted from it.
    #[must_use]
    pub const fn new(params: Checked<EmbeddingParams>, vectors: Arc<Vectors>) -> Self {
        Self { params, vectors }
    }
}

/// Nearness to the shopper's items in vectors of the shop's own. Fitted from an [`EmbeddingRecipe`].
///
/// The score is from -1 to 1: the mean of the cosines with the shopper's items, weighted by their votes; or the largest of
/// the cosines, each times its vote relative to the strongest vote.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::*;
/// let mut vectors = Vectors::new(2)?;
/// vectors.push("mug", &[1.0, 0.1])?;
/// vectors.push("cup", &[0.9, 0.0])?;
/// vectors.push("saw", &[0.0, 1.0])?;
/// vectors.push("gone", &[1.0, 1.0])?;
/// let mut builder = DatasetBuilder::default();
/// builder.items(["mug", "cup", "saw"])?;
/// let data = builder.finish()?;
/// let recipe = EmbeddingRecipe::new(EmbeddingParams::default().check()?, Arc::new(vectors));
/// let model = recipe.fit(&(&data).into(), &Run::new(1))?;
/// assert_eq!(model.unknown(), 1);
///
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(0));
/// cx.context_item = data.item("mug");
/// let near = testing::proposals(&model, &cx, 3);
/// assert_eq!(near.iter().map(|&i| data.item_key(i)).collect::<Vec<_>>(), ["mug", "cup", "saw"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Embedding {
    params: EmbeddingParams,
    extent: Extent,
    vectors: Arc<Vectors>,
    /// The vector of each item of the dataset; `NOBODY` for none.
    row_of: Vec<u32>,
    /// The item of each vector; `NOBODY` for one that only a catalogue may know.
    item_of: Vec<u32>,
    unknown: usize,
    /// The packed vectors, where the model proposes.
    index: Option<Index>,
}

impl Fit for EmbeddingRecipe {
    type Model = Embedding;

    /// Its parameters, and a fingerprint of the vectors: `O(vectors)`.
    fn recipe(&self) -> Option<FitRecipe> {
        #[derive(serde::Serialize, serde::Deserialize)]
        struct Params {
            params: Checked<EmbeddingParams>,
            vectors: u64,
        }
        FitRecipe::of("embedding", &Params { params: self.params.clone(), vectors: self.vectors.fingerprint() })
    }

    /// Looks every vector's item up. Items that neither dataset nor catalogue knows are counted; should a later catalogue
    /// know one, it is served.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Embedding, FitError> {
        run.step(0, 1, None)?;
        let (data, vectors) = (train.data, &self.vectors);
        let mut row_of = vec![NOBODY; data.n_items()];
        let mut unknown = 0;
        let item = |row: usize| {
            let key = vectors.key(row);
            if let Some(item) = data.item(key) {
                // One of zeros points nowhere.
                row_of[item.as_usize()] = if vectors.of(row).iter().all(|&v| v == 0.0) { NOBODY } else { row as u32 };
                return item.get();
            }
            unknown += usize::from(train.shelf.is_none_or(|shelf| shelf.catalog().row(key).is_none()));
            NOBODY
        };
        let item_of = (0..vectors.len()).map(item).collect();
        let rows =
            (0..vectors.len() as u32).filter(|&row| vectors.of(row as usize).iter().any(|&v| v != 0.0)).collect();
        let index = Index::new(self.params.retrieval, vectors.flat(), vectors.dim(), rows, run);
        run.step(1, 1, None)?;
        let (params, vectors) = ((*self.params).clone(), Arc::clone(vectors));
        Ok(Embedding { params, extent: data.extent(), vectors, row_of, item_of, unknown, index })
    }
}

/// What a request looks for: a mean vector, or rows with votes.
struct Wanted {
    mean: Vec<f32>,
    rows: Vec<Scored>,
}

impl Wanted {
    fn give(self, ws: &mut Workspace) {
        ws.give_floats(self.mean);
        ws.give_scored(self.rows);
    }
}

impl Embedding {
    /// The parameters it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &EmbeddingParams {
        &self.params
    }

    /// How many vectors are of items that neither the dataset nor the catalogue of the fit knows.
    #[must_use]
    pub const fn unknown(&self) -> usize {
        self.unknown
    }

    /// The vector an item has, by its number or, for one of the catalogue only, by its key.
    fn row(&self, cx: &Context<'_>, item: ItemIdx) -> Option<usize> {
        if let Some(&row) = self.row_of.get(item.as_usize()) {
            return (row != NOBODY).then_some(row as usize);
        }
        cx.shelf.row(item)?;
        let row = self.vectors.row(cx.shelf.key(cx.dataset, item))?;
        self.vectors.of(row).iter().any(|&v| v != 0.0).then_some(row)
    }

    /// The item of a vector in the shelf of a request.
    fn item(&self, cx: &Context<'_>, row: usize) -> Option<ItemIdx> {
        match self.item_of[row] {
            NOBODY => {
                let item = cx.shelf.item(cx.dataset, self.vectors.key(row))?;
                self.row(cx, item).map(|_| item)
            }
            item => (self.row_of[item as usize] != NOBODY).then(|| ItemIdx::new(item)),
        }
    }

    /// The voters that have a vector: `item` is its row, `score` the vote. Their weights sum to 1, or the largest is 1.
    fn wanted(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Wanted> {
        let voting: Voting = self.params.voting();
        let mut rows = ws.take_scored();
        voting.voters(cx, cx.context_item, ws, &mut rows);
        rows.retain_mut(|voter| match self.row(cx, voter.item) {
            Some(row) => {
                voter.item = ItemIdx::new(row as u32);
                true
            }
            None => false,
        });
        let whole = match self.params.profile {
            ProfileBy::Mean => rows.iter().map(|v| v.score).sum::<f32>(),
            ProfileBy::Max => rows.iter().map(|v| v.score).fold(0.0, f32::max),
        };
        if whole <= 0.0 || !whole.is_finite() {
            ws.give_scored(rows);
            return None;
        }
        rows.iter_mut().for_each(|v| v.score /= whole);
        let mut mean = ws.take_floats(self.vectors.dim());
        if self.params.profile == ProfileBy::Mean {
            rows.iter().for_each(|v| axpy(v.score, self.vectors.of(v.item.as_usize()), &mut mean));
        }
        Some(Wanted { mean, rows })
    }

    /// The score of each of the vectors that `products` multiplies with its argument.
    fn scores(&self, wanted: &Wanted, out: &mut [f32], ws: &mut Workspace, products: impl Fn(&[f32], &mut [f32])) {
        match self.params.profile {
            ProfileBy::Mean => products(&wanted.mean, out),
            ProfileBy::Max => {
                out.fill(f32::NEG_INFINITY);
                let mut of_one = ws.take_floats(out.len());
                for voter in &wanted.rows {
                    products(self.vectors.of(voter.item.as_usize()), &mut of_one);
                    out.iter_mut().zip(&of_one).for_each(|(best, one)| *best = best.max(voter.score * one));
                }
                ws.give_floats(of_one);
            }
        }
    }
}

impl Scorer for Embedding {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(wanted) = self.wanted(cx, ws) else { return };
        let (mut rows, mut slots) = (ws.take_indices(0), ws.take_indices(0));
        for (slot, &item) in out.items().iter().enumerate() {
            if let Some(row) = self.row(cx, item) {
                rows.push(row as u32);
                slots.push(slot as u32);
            }
        }
        let mut scores = ws.take_floats(rows.len());
        self.scores(&wanted, &mut scores, ws, |x, out| products_at(self.vectors.flat(), &rows, x, out));
        slots.iter().zip(&scores).for_each(|(&slot, &score)| out.set(slot as usize, score));
        ws.give_floats(scores);
        ws.give_indices(slots);
        ws.give_indices(rows);
        wanted.give(ws);
    }

    /// The nearest of all items, found as [`EmbeddingParams::retrieval`] says.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        if self.params.profile == ProfileBy::Mean {
            return propose_alone(self, cx, limit, out, ws);
        }
        if limit == 0 || self.index.is_none() {
            return;
        }
        let Some(wanted) = self.wanted(cx, ws) else { return };
        let (mut scores, mut rows) = (ws.take_floats(self.vectors.len()), ws.take_indices(0));
        rows.extend(0..self.vectors.len() as u32);
        self.scores(&wanted, &mut scores, ws, |x, out| products_at(self.vectors.flat(), &rows, x, out));
        let mut scored = ws.take_scored();
        for (row, score) in scores.iter().enumerate() {
            if score.is_finite()
                && let Some(item) = self.item(cx, row)
            {
                scored.push(Scored { item, score: score + 0.0 });
            }
        }
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
        ws.give_indices(rows);
        ws.give_floats(scores);
        wanted.give(ws);
    }

    fn together(&self) -> Option<&dyn Together> {
        (self.params.profile == ProfileBy::Mean).then_some(self as &dyn Together)
    }

    /// What each of the shopper's items says: its cosine times its weight, summed (up to rounding) for the mean; for the
    /// largest, that of the loudest alone.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let mut explanation = Explanation::leaf(None, Reason::Abstained);
        let (Some(score), _) = opinion(self, cx, item, ws) else { return explanation };
        let code = self.reason();
        explanation.value = Some(score);
        explanation.reason = Reason::Scorer { name: self.params.name.clone(), code };
        let (Some(row), Some(wanted)) = (self.row(cx, item), self.wanted(cx, ws)) else { return explanation };
        let part = |voter: &Scored| voter.score * dot(self.vectors.of(row), self.vectors.of(voter.item.as_usize()));
        let because = |voter: &Scored| {
            let item = self.item(cx, voter.item.as_usize())?;
            Some(Explanation::leaf(Some(part(voter)), Reason::Because { item, code }))
        };
        match self.params.profile {
            ProfileBy::Mean => explanation.details.extend(wanted.rows.iter().filter_map(because)),
            ProfileBy::Max => {
                let first_loudest = |a: &&Scored, b: &&Scored| part(a).total_cmp(&part(b));
                explanation.details.extend(wanted.rows.iter().rev().max_by(first_loudest).and_then(because));
            }
        }
        wanted.give(ws);
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarItem
    }

    /// The cosine of the vectors of two items of the dataset.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        let vector = |item: ItemIdx| {
            let row = self.row_of.get(item.as_usize()).filter(|&&row| row != NOBODY)?;
            Some(self.vectors.of(*row as usize))
        };
        Some(dot(vector(a)?, vector(b)?).clamp(-1.0, 1.0))
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("vectors", self.vectors.heap_bytes())
            .with("packed vectors", self.index.as_ref().map_or(0, Index::heap_bytes))
            .with("joins", (self.row_of.capacity() + self.item_of.capacity()) * 4)
    }
}

impl Together for Embedding {
    fn propose_together(&self, asks: &mut [Proposing<'_>], limit: usize, ws: &mut Workspace) {
        let Some(index) = &self.index else { return };
        let taste = |cx: &Context<'_>, ws: &mut Workspace| {
            let wanted = self.wanted(cx, ws)?;
            ws.give_scored(wanted.rows);
            Some(wanted.mean)
        };
        let item = |cx: &Context<'_>, row: usize| self.item(cx, row);
        index.propose(self.vectors.flat(), asks, limit, ws, taste, item, |_, _, _, _| {});
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding").field("params", &self.params).field("extent", &self.extent).finish_non_exhaustive()
    }
}

crate::persist::portable!(Embedding { params, extent, vectors, row_of, item_of, unknown, index }
    "numbers beyond its vectors" => |m| m.row_of.iter().all(|&row| row == NOBODY || (row as usize) < m.vectors.len())
        && m.item_of.len() == m.vectors.len()
        && m.index.as_ref().is_none_or(|index| index.is_within(m.vectors.len(), m.vectors.dim())));
