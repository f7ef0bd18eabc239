//! Who would like what, and why? Recipes that fit, and fitted, immutable opinions.
//!
//! A scorer comes in three steps: a recipe ([`Checked`](crate::Checked) parameters, which implement [`Fit`]), a fitted
//! model (a [`Scorer`], immutable, shared by all threads), and one request ([`Context`], [`Scores`], [`Workspace`]).
//!
//! | scorer | answers | anonymous | new item | proposes | fit | query | update |
//! |---|---|---|---|---|---|---|---|
//! | [`Popularity`] | what do many want? | yes | no | yes | events | candidates | exact |
//! | [`PopularIn`] | what do many want in this category? | with page or session | yes | yes | events | values × pool | exact |
//! | [`Trending`] | what is wanted more than before? | yes | no | yes | events | candidates | exact |
//! | [`Recent`] | what did the shopper look at lately? | with session | yes | yes | nothing | history | nothing to do |
//! | [`CoOccurrence`] | what goes with what they touched? | with session or page | no | yes | Σ row² | history × neighbours | exact |
//! | [`CrossOccurrence`] | the same, from several kinds of touch to one target | with session or page | no | yes | Σ row² a kind | as above a kind | exact |
//! | [`FrequentlyBoughtTogether`] | what completes the basket? | yes | no | yes | Σ basket² | basket × neighbours | exact |
//! | [`SessionKnn`] | what followed in sessions like this one? | with session or page | no | yes | events | sessions met + neighbours' clicks | refit |
//! | [`SearchScore`] | what does the search engine say? | yes | yes | no | nothing | candidates log | nothing to do |
//! | [`Blended`] | what do several scorers say together? | as its parts | as its parts | yes | nothing | twice its parts | fit its parts |
//! | [`TreeBlend`] | the same, by learned trees | as its parts | as its parts | yes | see [`learn_trees`](crate::tune::learn::learn_trees) | twice its parts | fit its parts |
//! | [`Focus`] | what does a scorer say to a part of the history? | as its scorer | as its scorer | as its scorer | nothing | as its scorer | fit its scorer |
//! | [`PersonalFrequency`] | what do they buy again and again? | with session | no | yes | events | own events | exact |
//! | [`BuyAgain`] | what is due again? | with session | no | yes | events | own events | exact |
//! | [`TifuKnn`], [`UpCf`] | what do those with such baskets buy next? | with session | no | yes | events | shoppers of own items + neighbours' items | refit |
//! | [`Transition`] | what comes next, after what they did lately? | with session or page | no | yes | steps × window | history × neighbours | exact |
//! | [`Rules`] | what is clicked after this in a session? | with session or page | no | yes | clicks × steps | history × rules | exact |
//! | [`Als`] | what do shoppers of similar taste want? | with session | no | yes | pairs × factors² a sweep | (candidates + history) × factors | refit; fold-in meanwhile |
//! | [`LinearModel`]: [`EaseParams`](linear), [`SparseEaseParams`], [`SlimParams`] | which items explain which, each given its due? | with session | no | yes | see [there](linear) | history × items or neighbours | refit |
//! | [`GfCf`] | what is near in the graph of shoppers and items? | with session | no | yes | pairs × factors, items × factors² | pairs near + a search | refit |
//! | [`PureSvd`] | what do shoppers of similar taste want? | with session | no | yes | the same | items × factors | refit |
//! | [`Bpr`] | the same, learned from orders | with session | no | yes | epochs × pairs × factors | as above | refit; fold-in meanwhile |
//! | [`Hybrid`] | the same, new items by their attributes | with session | yes | yes | as ALS, + pairs of items and values × factors a sweep | as above | refit; fold-in meanwhile |
//! | [`ContentSimilarity`] | what is like what they touched? | with session or page | yes | yes | attribute values | items that share a value | refit |
//! | [`Affinity`] | what is wanted of the kinds they come back to? | with session or page | yes | yes | events + attribute values | items of their values | refit |
//! | [`Embedding`] | what is near, in the shop's own vectors? | with session or page | yes | yes | vectors | vectors × numbers | refit |
//! | [`ItemKnn`] | what is like what they touched? | with session or page | no | yes | Σ row² | history × neighbours | refit |
//! | [`UserKnn`] | what do the shoppers most like them have? | with session or page | no | yes | pairs | up to all pairs | refit |
//! | [`GraphWalk`] | where do walks from their items end? | with session or page | no | yes | pairs; Σ row² with lists | up to all pairs; history × neighbours | refit |
//!
//! "Anonymous: with session" means that a request without profile gets an opinion as soon as it carries a session, page
//! or basket. "New item" means an item without any event. "Exact" updates touch only what changed and equal a rebuild bit
//! for bit. Freshness and price are no scorers but [preferences](crate::Preference).

pub mod als;
mod attributes;
pub mod basket;
mod best;
pub mod blended;
pub mod bpr;
mod bucket;
mod catalogued;
pub mod codecs;
pub mod content;
mod context;
pub mod cooccur;
mod current;
mod explain;
mod factors;
mod fit;
mod fit_recipe;
pub mod focus;
pub mod graph_walk;
pub mod hybrid;
pub mod item_knn;
pub mod linear;
mod neighbours;
mod pairs;
mod path;
pub mod popular_in;
mod popular_in_rates;
pub mod popularity;
pub mod recent;
mod retrieval;
pub mod rules;
mod scores;
pub mod search;
pub mod session;
pub mod spectral;
mod tally;
mod together;
pub mod transition;
pub mod tree_blend;
pub mod trending;
pub mod user_knn;
mod vote;
mod walk;
mod workspace;

#[doc(inline)]
pub use als::{Als, AlsParams, Confidence, Solver};
pub use attributes::AttributeWeight;
pub use basket::{
    BasketDecay, BuyAgain, BuyAgainParams, Clock, Compare, Others, PersonalFrequency, PersonalFrequencyParams, TifuKnn,
    TifuKnnParams, UpCf, UpCfParams,
};
#[doc(inline)]
pub use blended::{BlendPart, Blended, BlendedError, PartScale, PartShare};
#[doc(inline)]
pub use bpr::{Bpr, BprParams, Sampling};
pub use bucket::Count;
#[doc(inline)]
pub use codecs::{Codecs, Persist};
#[doc(inline)]
pub use content::{
    Affinity, AffinityParams, ContentSimilarity, ContentSimilarityParams, Embedding, EmbeddingParams, EmbeddingRecipe,
    ProfileBy, VectorError, Vectors,
};
pub use context::{Context, Touch};
#[doc(inline)]
pub use cooccur::{
    CoOccurrence, CoOccurrenceParams, CrossOccurrence, CrossOccurrenceParams, FrequentlyBoughtTogether,
    FrequentlyBoughtTogetherParams, Indicator, PairCounts, PairOrder, PairUnit, PairWeight, Retain,
};
pub use current::CurrentItem;
pub use explain::{Explanation, Reason, ReasonCode};
pub use fit::{DynFit, Fit, FitError, TrainingSet};
pub use fit_recipe::FitRecipe;
#[doc(inline)]
pub use focus::{Focus, HistoryView};
pub use graph_walk::{GraphWalk, GraphWalkParams};
#[doc(inline)]
pub use hybrid::{Hybrid, HybridParams};
#[doc(inline)]
pub use item_knn::{ItemKnn, ItemKnnParams, Similarity};
#[cfg(feature = "linalg")]
#[doc(inline)]
pub use linear::{EaseParams, Keep};
#[doc(inline)]
pub use linear::{LinearModel, Scaling, Sign, SlimParams, SparseEaseParams};
pub use pairs::{ListScale, Own, PairDecay};
pub use path::{KindFactors, PathStep, Repeats};
#[doc(inline)]
pub use popular_in::{PopularIn, PopularInParams};
#[doc(inline)]
pub use popularity::{Popularity, PopularityParams};
#[doc(inline)]
pub use recent::{Recency, Recent, RecentParams};
pub use retrieval::Retrieval;
#[doc(inline)]
pub use rules::{AssociationRulesParams, Rules, SequentialRulesParams, StepWeight};
pub use scores::{Candidates, Proposed, Scored, Scores};
#[doc(inline)]
pub use search::SearchScore;
#[doc(inline)]
pub use session::{NextClick, PlaceWeight, Rarity, SessionKnn, SessionKnnParams, StepDecay};
pub use spectral::{GfCf, GfCfParams, PureSvd, PureSvdParams};
pub use together::{Proposing, Together};
pub use transition::{Transition, TransitionParams};
#[doc(inline)]
pub use tree_blend::{Forest, TreeBlend, TreeBlendError};
#[doc(inline)]
pub use trending::{Trending, TrendingParams};
#[doc(inline)]
pub use user_knn::{UserKnn, UserKnnParams};
pub use vote::{Strength, VoteDecay};
pub use workspace::Workspace;

pub(crate) use scores::{ItemSet, NOBODY};

use std::any::Any;
use std::fmt;

use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;

/// A fitted, immutable opinion about items.
///
/// Required: a name, the extent it was fitted on, and [`score`](Scorer::score). The laws, checked by
/// [`check_scorer`](crate::testing::check_scorer) (feature `testing`):
///
/// * the same context gives the same scores, whatever was asked before (no state outside the workspace, whose content
///   means nothing);
/// * an item's score does not depend on which other items are candidates;
/// * items at or beyond [`Extent::n_items`] get no opinion, unless it comes from the catalogue alone;
/// * [`propose`](Scorer::propose) names existing items it has an opinion on, at most `limit`, best first by its own
///   score; for a larger `limit`, more of the same list.
pub trait Scorer: Any + fmt::Debug + Send + Sync {
    /// A short name, unique among the scorers of a ranker.
    fn name(&self) -> &str;

    /// What it was fitted on; compared once, when a snapshot is made.
    fn extent(&self) -> Extent;

    /// Writes an opinion on each of [`Scores::items`]; a slot left alone means "no opinion".
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace);

    /// Proposes up to `limit` items worth scoring, best first. A scorer that proposes nothing is still correct: it
    /// then only judges what others propose.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let _ = (cx, limit, out, ws);
    }

    /// The door to proposing for several requests at once, where that costs less than one by one; `None` where it does not.
    /// Batches use it.
    fn together(&self) -> Option<&dyn Together> {
        None
    }

    /// Why `item` gets its score. The root's value equals what [`score`](Scorer::score) writes; the provided method
    /// calls it, so it cannot drift. An override adds details whose values sum to the root's, as far as the scorer is
    /// additive.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let mut explanation = Explanation::leaf(None, Reason::Abstained);
        let (score, because) = opinion(self, cx, item, ws);
        if let Some(score) = score {
            let code = self.reason();
            explanation.value = Some(score);
            explanation.reason = Reason::Scorer { name: self.name().to_owned(), code };
            let leaf = |item| Explanation::leaf(None, Reason::Because { item, code });
            explanation.details.extend(because.map(leaf));
        }
        explanation
    }

    /// What its opinion means to a shopper.
    fn reason(&self) -> ReasonCode {
        ReasonCode::Other
    }

    /// How alike two items are in the scorer's own space, from -1 to 1; `None` when it cannot say. Diversity re-ranking
    /// uses it.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        let _ = (a, b);
        None
    }

    /// The heap bytes it holds.
    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
    }
}

/// The score and the evidence a scorer has for one item.
pub(crate) fn opinion<S: Scorer + ?Sized>(
    scorer: &S,
    cx: &Context<'_>,
    item: ItemIdx,
    ws: &mut Workspace,
) -> (Option<f32>, Option<ItemIdx>) {
    let n_items = cx.shelf.n_items().max(scorer.extent().n_items);
    if item.as_usize() >= n_items {
        return (None, None);
    }
    let mut one = ws.take_set(n_items);
    one.insert(item);
    let (mut value, mut because) = ([0.0], [0]);
    let mut out = Scores::new(&one, &mut value, &mut because);
    scorer.score(cx, &mut out, ws);
    let opinion = (out.get(0), out.because(0));
    ws.give_set(one);
    opinion
}
