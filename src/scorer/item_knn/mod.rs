//! Which items are alike, judged by who touched them? Then the shopper's items vote for their neighbours.
//!
//! *When to use it:* a robust, explainable model of long-term taste whose lists can be read, cached and shown on product
//! pages; sessions and new shoppers are served at once. *When not:* for items without events; where order decides. It
//! differs from [co-occurrence](super::cooccur) in that shoppers and pairs have weights (TF-IDF, BM25), and from the
//! [graph walk](super::graph_walk), which is usually more accurate, in that lists are short and similarities symmetric.
//!
//! | | time | memory |
//! |---|---|---|
//! | fit | `O(Σ row²)` over the shopper rows, parallel over items; twice that with shrinkage | 8 bytes a neighbour |
//! | query | history x neighbours | |
//! | update | a fit | |
//!
//! # References
//! * B. Sarwar, G. Karypis, J. Konstan & J. Riedl (2001): Item-based collaborative filtering recommendation algorithms. WWW.
//! * M. Deshpande & G. Karypis (2004): Item-based top-N recommendation algorithms. ACM TOIS 22(1).
//! * F. Aiolli (2013): Efficient top-N recommendation for very large scale binary rated datasets. RecSys.
//! * R. Bell & Y. Koren (2007): Improved neighborhood-based collaborative filtering. KDD Cup (shrinkage).
//! * S. Robertson & H. Zaragoza (2009): The probabilistic relevance framework: BM25 and beyond.

mod params;
mod similarity;

pub use params::ItemKnnParams;
pub use similarity::Similarity;
pub(in crate::scorer) use similarity::squared_lengths;

use super::best::Best;
use super::neighbours::Neighbours;
use super::pairs::{Own, Pairs};
use super::vote::{Electorate, Vote, Voting};
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace,
};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::pairs::ListScale;
use crate::scorer::tally::Tally;
use similarity::Sides;

/// Items like those of the shopper: `score(b) = Σ vote(a) x weight(a → b)` over the shopper's items `a`, newest first.
/// Fitted from [`ItemKnnParams`].
///
/// The item of the page at hand ([`Context::context_item`]) votes first and in full, whatever the kinds; then the
/// latest distinct items.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, Fit, ItemKnnParams, LawfulBasis, Run, Shopper, Similarity, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("cat", "tea"), ("cat", "pan")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.build()?;
/// let cosine = ItemKnnParams { similarity: Similarity::Cosine, ..ItemKnnParams::default() };
/// let model = cosine.check()?.fit(&(&data).into(), &Run::default())?;
/// let near = model.similar_items(data.item("mug").unwrap(), 5);
/// assert_eq!((data.item_key(near[0].item), near.len()), ("tea", 1));
/// assert!((near[0].score - 2.0 / 6f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ItemKnn {
    name: String,
    reason: ReasonCode,
    extent: Extent,
    voting: Voting,
    lists: Neighbours,
    /// Whether a weight says how alike two items are.
    bounded: bool,
}

impl ItemKnn {
    /// The `k` heaviest neighbours of `item`, at most as many as were kept; none for an unknown item.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        self.lists.of(item).iter().copied().take(k).collect()
    }
}

impl Fit for Checked<ItemKnnParams> {
    type Model = ItemKnn;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("item_knn", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<ItemKnn, FitError> {
        run.step(0, 1, None)?;
        let pairs = Pairs::of(train.data, self.kinds, self.pairs, self.decay);
        let n_items = pairs.by_item.rows();
        let by_item = self.similarity.weigh(&pairs.by_item, &pairs.by_row);
        let by_row = by_item.transposed(pairs.by_row.rows());
        let lengths = squared_lengths(&by_item);
        let sides = self.similarity.sides(&lengths);
        let (shrinkage, locality) = (f64::from(self.shrinkage), f64::from(self.locality));
        let scratch = || (Tally::default(), Tally::default(), Best::default(), Met::default());
        let lists = Neighbours::build(n_items, run, scratch, |(sums, common, best, met), a, row| {
            sums.reset(n_items);
            common.reset(n_items);
            pairs.meet(a, &by_item, &by_row, sums, (shrinkage > 0.0).then_some(common));
            best.reset(self.neighbours);
            let left = sides.of_left(a.as_usize());
            met.take(sums, &sides, (self.own == Own::Dropped).then_some(a));
            let least = if shrinkage > 0.0 { f32::NEG_INFINITY } else { met.least(self.neighbours) };
            for (b, product) in met.reaching(least) {
                let mut weight = sides.similarity(product.into(), left, b as usize);
                if shrinkage > 0.0 {
                    let n = f64::from(common.get(b));
                    weight *= n / (n + shrinkage);
                }
                if locality != 1.0 {
                    weight = weight.powf(locality);
                }
                let score = weight as f32;
                if score > 0.0 && score.is_finite() {
                    best.offer(ItemIdx::new(b), score);
                }
            }
            row.extend(best.sorted());
            self.scale.apply(row);
        })?;
        run.step(1, 1, None)?;
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        let bounded = self.similarity.is_bounded() && self.scale == ListScale::AsIs;
        Ok(ItemKnn {
            name: self.name.clone(),
            reason: self.reason,
            extent: train.data.extent(),
            voting,
            lists,
            bounded,
        })
    }
}

/// The items that one has a product with. Most are far from its best: a rough figure tells which, and they are not looked
/// at again.
#[derive(Debug, Default)]
struct Met {
    products: Vec<(u32, f32)>,
    rough: Vec<f32>,
    ranked: Vec<f32>,
}

impl Met {
    fn take(&mut self, sums: &mut Tally, sides: &Sides, but: Option<ItemIdx>) {
        self.products.clear();
        sums.drain(|b, product| self.products.push((b, product)));
        if let Some(own) = but {
            self.products.retain(|&(b, _)| b != own.get());
        }
        self.rough.clear();
        self.rough.extend(self.products.iter().map(|&(b, product)| sides.rough(product, b as usize)));
    }

    /// A rough figure that the `limit` most similar all reach.
    fn least(&mut self, limit: usize) -> f32 {
        if self.rough.len() <= limit {
            return f32::NEG_INFINITY;
        }
        self.ranked.clear();
        self.ranked.extend(self.rough.iter().map(|rough| if rough.is_nan() { f32::NEG_INFINITY } else { *rough }));
        let (_, &mut last, _) = self.ranked.select_nth_unstable_by(limit - 1, |a, b| b.total_cmp(a));
        // A thousand roundings of single precision lower, where it has its full precision.
        let least = last * (1.0 - 1e-4);
        if least.is_normal() && least > 0.0 { least } else { f32::NEG_INFINITY }
    }

    /// The items that reach a rough figure, or may.
    fn reaching(&self, least: f32) -> impl Iterator<Item = (u32, f32)> + '_ {
        let reaches = move |rough: f32| rough >= least || rough.is_nan();
        self.products.iter().zip(&self.rough).filter(move |&(_, &rough)| reaches(rough)).map(|(&met, _)| met)
    }
}

impl Electorate for ItemKnn {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let mut voters = ws.take_scored();
        self.voting.voters(cx, cx.context_item, ws, &mut voters);
        for &Scored { item, score } in &voters {
            cast(Vote { evidence: item, weight: score, code: self.reason, list: self.lists.of(item) });
        }
        ws.give_scored(voters);
    }
}

impl Scorer for ItemKnn {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.score_votes(cx, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.propose_votes(cx, limit, out, ws);
    }

    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        self.explain_votes(cx, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        self.reason
    }

    /// The heavier weight of both directions, 0 where neither list names the other item; `None` for an item without a
    /// list, and where weights are no likeness (BM25, asymmetric, scaled lists).
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        if !self.bounded || self.lists.of(a).is_empty() || self.lists.of(b).is_empty() {
            return None;
        }
        if a == b {
            return Some(1.0);
        }
        let both = [self.lists.weight(a, b), self.lists.weight(b, a)];
        Some(both.into_iter().flatten().fold(0.0, f32::max).min(1.0))
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default().with("neighbour lists", self.lists.heap_bytes())
    }
}

crate::persist::portable!(ItemKnn { name, reason, extent, voting, lists, bounded }
    "a neighbour beyond its items" => |m| m.lists.is_within(m.extent.n_items));
