//! Several fitted scorers as one, by trees that were learned.
//!
//! **When:** where what one voice says depends on what another says ("popular counts for those of whom nothing else is
//! known"), and there are thousands of judged lists to learn that from. **When not:** to start with: a
//! [`Blended`](crate::Blended) of learned weights needs fewer lists and says more simply why. Measured on 2026-11-22 (Online
//! Retail, five voices, 1,584 lists to learn from, 966 to stop by; `--example learn_blend`): NDCG@10 on the month they stopped
//! by .3202 against .3194 of the weights they started from, on the next .3522 against .3518; grown from nothing .3476.
//!
//! A part may be any scorer, but its scores must mean the same from request to request: wrap each in a
//! [`Blended`](crate::Blended) of one, which scales it by its own proposals. What is no opinion on an item, such as the
//! length of the session, can be a scorer that says the same of all.
//!
//! Cost: `score` asks each part once; `propose` once for proposals, once for opinions; `O(trees × depth)` an item.

mod forest;

use std::sync::Arc;

use super::codecs::{Codecs, Persist};
use super::{Candidates, Context, Explanation, Reason, ReasonCode, Scored, Scorer, Scores, Workspace, opinion};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::{ItemIdx, Lineage};
use crate::params::ParamError;
use crate::persist::{Loader, PersistError, Saver};

pub use forest::Forest;
pub(crate) use forest::{LEAF, Raw as ForestColumns};

/// Why scorers and trees make no blend.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeBlendError {
    /// A setting out of its range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// Trees over other opinions.
    #[error(
        "the forest takes {forest} opinions and there are {parts} parts; give those it was learned with, in their order"
    )]
    Parts {
        /// Parts given.
        parts: usize,
        /// Opinions the forest takes.
        forest: usize,
    },
    /// Two numberings.
    #[error(
        "part {part:?} was fitted on {fitted:?}, the first one on {first:?}; fit all parts on data of one DatasetBuilder"
    )]
    Lineage {
        /// The part's name.
        part: String,
        /// What it was fitted on.
        fitted: Lineage,
        /// What the first part was fitted on.
        first: Lineage,
    },
}

/// Several fitted scorers as one: a [`Forest`] over their opinions. An item on which no part has one gets none.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::{DatasetBuilder, Fit, Forest, PopularityParams, Run, Scorer, TreeBlend, Validate};
/// let data = DatasetBuilder::default().finish()?;
/// let popular = PopularityParams::default().check()?.fit(&(&data).into(), &Run::new(1))?;
/// // From `tune::learn::learn_trees`; here a weight and no tree.
/// let forest: Forest = serde_json::from_str(r#"{"weights":[1.0],"roots":[],"features":[],"thresholds":[],"silent":[],"left":[],"values":[]}"#)?;
/// let blend = TreeBlend::new("home", vec![Arc::new(popular)], forest)?.pool(100)?;
/// assert_eq!(blend.name(), "home");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TreeBlend {
    name: String,
    parts: Vec<Arc<dyn Scorer>>,
    forest: Forest,
    pool: usize,
    extent: Extent,
}

/// Proposals of each part unless told otherwise.
const POOL: usize = 200;

impl TreeBlend {
    /// A blend of these parts, in the order the forest was learned with, each with its first 200 proposals.
    ///
    /// # Errors
    /// [`TreeBlendError`].
    pub fn new(name: impl Into<String>, parts: Vec<Arc<dyn Scorer>>, forest: Forest) -> Result<Self, TreeBlendError> {
        let name = name.into();
        if name.trim().is_empty() {
            return Err(ParamError::new("name", "\"\"", "not empty").into());
        }
        let first = parts.first().map(|part| part.extent());
        let Some(mut extent) = first.filter(|_| parts.len() == forest.parts()) else {
            return Err(TreeBlendError::Parts { parts: parts.len(), forest: forest.parts() });
        };
        for part in &parts {
            let fitted = part.extent();
            if fitted.lineage != extent.lineage {
                let part = part.name().to_owned();
                return Err(TreeBlendError::Lineage { part, fitted: fitted.lineage, first: extent.lineage });
            }
            extent.n_items = extent.n_items.max(fitted.n_items);
            extent.n_rows = extent.n_rows.max(fitted.n_rows);
        }
        Ok(Self { name, parts, forest, pool: POOL, extent })
    }

    /// With this many proposals of each part.
    ///
    /// # Errors
    /// [`ParamError`] outside `1..=1_000_000`.
    pub fn pool(mut self, proposals: usize) -> Result<Self, ParamError> {
        if !(1..=1_000_000).contains(&proposals) {
            return Err(ParamError::new("pool", proposals, "a whole number from 1 to 1000000"));
        }
        self.pool = proposals;
        Ok(self)
    }

    /// The parts.
    #[must_use]
    pub fn parts(&self) -> &[Arc<dyn Scorer>] {
        &self.parts
    }

    /// The trees.
    #[must_use]
    pub const fn forest(&self) -> &Forest {
        &self.forest
    }

    /// Calls `say(slot, score, contributions, evidence of the part that adds most)` for each of `asked` (distinct) on which
    /// a part has an opinion.
    fn each(
        &self,
        cx: &Context<'_>,
        asked: &[ItemIdx],
        ws: &mut Workspace,
        mut say: impl FnMut(usize, f32, &[f32], Option<ItemIdx>),
    ) {
        let (n, parts) = (asked.len(), self.parts.len());
        let n_items = asked.iter().map(|item| item.as_usize() + 1).fold(cx.shelf.n_items(), usize::max);
        let mut set = ws.take_set(n_items);
        asked.iter().for_each(|&item| _ = set.insert(item));
        let (mut opinions, mut evidence) = (ws.take_floats(n * parts), ws.take_indices(n * parts));
        let (mut values, mut because) = (ws.take_floats(n), ws.take_indices(n));
        for (number, part) in self.parts.iter().enumerate() {
            let mut out = Scores::new(&set, &mut values, &mut because);
            part.score(cx, &mut out, ws);
            for slot in 0..n {
                opinions[slot * parts + number] = out.get(slot).unwrap_or(f32::NAN);
                evidence[slot * parts + number] = out.because(slot).map_or(super::NOBODY, ItemIdx::get);
            }
        }
        let mut scratch = ws.take::<Vec<f64>>();
        scratch.clear();
        scratch.resize(parts, 0.0);
        let mut adds = ws.take_floats(parts);
        let rows = opinions.chunks_exact(parts.max(1)).zip(evidence.chunks_exact(parts.max(1)));
        for (slot, (x, evidence)) in rows.enumerate() {
            if x.iter().all(|x| x.is_nan()) {
                continue;
            }
            self.forest.explained(x, &mut scratch, &mut adds);
            let score: f32 = adds.iter().sum();
            let mut most: Option<(f32, u32)> = None;
            for ((adds, x), because) in adds.iter().zip(x).zip(evidence) {
                if !x.is_nan() && most.is_none_or(|(top, _)| *adds > top) {
                    most = Some((*adds, *because));
                }
            }
            let because = most.map(|(_, because)| because).filter(|because| *because != super::NOBODY);
            say(slot, score, &adds, because.map(ItemIdx::new));
        }
        ws.give_floats(adds);
        ws.give(scratch);
        ws.give_floats(values);
        ws.give_indices(because);
        ws.give_floats(opinions);
        ws.give_indices(evidence);
        ws.give_set(set);
    }
}

impl Scorer for TreeBlend {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// The evidence is that of the part that adds most.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.each(cx, out.items(), ws, |slot, score, _, evidence| match evidence {
            Some(item) => out.set_because(slot, score, item),
            None => out.set(slot, score),
        });
    }

    /// The union of the parts' first proposals that pass the filters, best first.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let n_items = cx.shelf.n_items();
        let mut asked = ws.take_set(n_items);
        for part in &self.parts {
            let (mut admitted, mut refused) = (ws.take_set(n_items), ws.take_set(n_items));
            part.propose(cx, self.pool, &mut Candidates::new(&mut admitted, &mut refused, n_items, out.filter()), ws);
            admitted.items().iter().take(self.pool).for_each(|&item| _ = asked.insert(item));
            ws.give_set(admitted);
            ws.give_set(refused);
        }
        let mut scored = ws.take_scored();
        let items = asked.items();
        self.each(cx, items, ws, |slot, score, _, _| {
            if score.is_finite() {
                scored.extend(items.get(slot).map(|&item| Scored { item, score: score + 0.0 }));
            }
        });
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
        ws.give_set(asked);
    }

    /// A detail for each part with what it adds, silence included, and below it how the part came to its own score. The
    /// details sum to the score bit for bit, in their order.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let reason = |scorer: &dyn Scorer| Reason::Scorer { name: scorer.name().to_owned(), code: scorer.reason() };
        let mut adds = Vec::new();
        self.each(cx, &[item], ws, |_, _, all, _| adds = all.to_vec());
        let detail = |(part, adds): (&Arc<dyn Scorer>, f32)| Explanation {
            value: Some(adds),
            reason: reason(&**part),
            details: vec![part.explain(cx, item, ws)],
        };
        let details = self.parts.iter().zip(adds).map(detail).collect();
        Explanation { value: Some(score), reason: reason(self), details }
    }

    /// That of the heaviest part, the first of equals.
    fn reason(&self) -> ReasonCode {
        let weighed = self.parts.iter().zip(self.forest.weights());
        let heaviest = weighed.reduce(|a, b| if b.1 > a.1 { b } else { a });
        heaviest.map_or(ReasonCode::Other, |(part, _)| part.reason())
    }

    /// That of the first part that can say.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.parts.iter().find_map(|part| part.similarity(a, b))
    }

    fn memory_report(&self) -> MemoryReport {
        let trees = MemoryReport::default().with("trees", self.forest.bytes());
        self.parts.iter().fold(trees, |sum, part| sum.with_all(part.name(), &part.memory_report()))
    }
}

impl Persist for TreeBlend {
    const CODEC: &'static str = "tree_blend";

    fn save(&self, out: &mut Saver<'_>, codecs: &Codecs) -> Result<(), PersistError> {
        out.value("name", &self.name)?;
        out.value("pool", &self.pool)?;
        out.part("forest", &self.forest)?;
        for (place, part) in self.parts.iter().enumerate() {
            codecs.save(&**part, &mut out.at(place))?;
        }
        Ok(())
    }

    fn load(from: &Loader<'_>, codecs: &Codecs) -> Result<Self, PersistError> {
        let (pool, forest): (usize, Forest) = (from.value("pool")?, from.part("forest")?);
        let parts = (0..forest.parts()).map(|place| codecs.load(&from.at(place))).collect::<Result<Vec<_>, _>>()?;
        let blend = Self::new(from.value::<String>("name")?, parts, forest);
        let blend = blend.and_then(|blend| Ok(blend.pool(pool)?));
        blend.map_err(|e| from.unsound(format!("is no blend: {e}")))
    }
}
