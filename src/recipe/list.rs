//! Every model there is, one line each.

use super::error::RecipeError;
use super::kind::TaskKind::{self, Basket, Collaborative, Content, Sequence, Session};
use super::kind::{ModelKind, erase};
use super::nearest;
use crate::scorer::{
    AffinityParams, AlsParams, AssociationRulesParams, BprParams, BuyAgainParams, CoOccurrenceParams,
    ContentSimilarityParams, CrossOccurrenceParams, FrequentlyBoughtTogetherParams, GfCfParams, GraphWalkParams,
    HybridParams, ItemKnnParams, PersonalFrequencyParams, PopularInParams, PopularityParams, PureSvdParams,
    RecentParams, SequentialRulesParams, SessionKnnParams, SlimParams, SparseEaseParams, TifuKnnParams,
    TransitionParams, TrendingParams, UpCfParams, UserKnnParams,
};

/// `name, what makes its default parameters, [what it is for], "what it answers";`
macro_rules! models {
    ($($(#[$when:meta])* $name:literal, $default:expr, [$($task:ident),*], $what:literal;)*) => {
        const MODELS: &[ModelKind] = &[$($(#[$when])* ModelKind {
            name: $name,
            what: $what,
            tasks: { const TASKS: &[TaskKind] = &[$($task),*]; TASKS },
            table: || erase::table($default),
            space: || erase::space($default),
            defaults: || erase::defaults($default),
            reads: |params| erase::reads($default, params),
            build: |params| erase::build($default, params),
            #[cfg(any(test, feature = "testing"))]
            conforms: || erase::conforms($default),
        }),*];
    };
}

models! {
    "popularity", PopularityParams::default, [Collaborative, Sequence, Session, Basket], "what do many want?";
    "popular_in", PopularInParams::default, [Content], "what do many want in the category at hand?";
    "trending", TrendingParams::default, [Session], "what is wanted more than before?";
    "recent", RecentParams::default, [Session, Basket], "what did the shopper look at lately?";
    "co_view", CoOccurrenceParams::co_view, [Collaborative, Sequence, Session], "what is viewed with what they touched?";
    "co_purchase", CoOccurrenceParams::co_purchase, [Collaborative, Sequence, Basket], "what is bought with what they touched?";
    "cross_occurrence", CrossOccurrenceParams::default, [Collaborative, Sequence], "what do several kinds of touch lead to?";
    "bought_together", FrequentlyBoughtTogetherParams::default, [Basket], "what completes the basket?";
    "personal_frequency", PersonalFrequencyParams::default, [Basket], "what do they buy again and again?";
    "buy_again", BuyAgainParams::default, [Basket], "what is due again?";
    "tifu_knn", TifuKnnParams::default, [Basket], "what do those with such baskets buy next?";
    "up_cf", UpCfParams::default, [Basket], "what do those who buy the same lately buy?";
    "vmis_knn", SessionKnnParams::vmis, [Session], "what followed in sessions like this one? (as Serenade)";
    "vsknn", SessionKnnParams::vsknn, [Session], "what followed in sessions like this one?";
    "stan", SessionKnnParams::stan, [Session], "the same, with age and places";
    "next_click", SessionKnnParams::next_click, [Session], "what followed, and what came right after";
    "vstan", SessionKnnParams::vstan, [Session], "the same, with age, places and rarity";
    "association_rules", AssociationRulesParams::default, [Session], "what is clicked in the same sessions?";
    "sequential_rules", SequentialRulesParams::default, [Session], "what is clicked after it?";
    "transition", TransitionParams::default, [Collaborative, Sequence], "what comes next, after what they did lately?";
    "transition_click", TransitionParams::next_click, [Session], "what is clicked next in a session? (by pairs)";
    "next_purchase", TransitionParams::next_purchase, [Sequence], "what is bought next, after views, carts and purchases?";
    "item_knn", ItemKnnParams::default, [Collaborative, Sequence, Basket], "what is like what they touched?";
    "user_knn", UserKnnParams::default, [Collaborative], "what do the shoppers most like them have?";
    "graph_walk", GraphWalkParams::default, [Collaborative, Sequence], "where do walks from their items end? (RP3-beta)";
    "slim", SlimParams::default, [Collaborative], "which few items explain which? (elastic net)";
    #[cfg(feature = "linalg")]
    "ease", crate::scorer::EaseParams::default, [Collaborative], "which items explain which? (closed form)";
    "sparse_ease", SparseEaseParams::default, [Collaborative], "the same, by neighbourhoods";
    "gf_cf", GfCfParams::default, [Collaborative], "what is near in the graph of shoppers and items?";
    "pure_svd", PureSvdParams::default, [Collaborative], "what do shoppers of similar taste want? (spectral)";
    "bpr", BprParams::default, [Collaborative], "what do shoppers of similar taste want? (learned from orders)";
    "hybrid", HybridParams::default, [Collaborative, Content], "the same as als, new items by their attributes";
    "content", ContentSimilarityParams::default, [Content], "what is like what they touched?";
    "affinity", AffinityParams::default, [Content], "what is wanted of the kinds they come back to?";
    "als", AlsParams::default, [Collaborative], "what do shoppers of similar taste want? (factors)";
}

/// All models.
#[must_use]
pub fn models() -> &'static [ModelKind] {
    MODELS
}

/// The model of that name.
///
/// # Errors
/// [`RecipeError::UnknownModel`] names the nearest one.
pub fn model(name: &str) -> Result<&'static ModelKind, RecipeError> {
    let names = || MODELS.iter().map(ModelKind::name);
    MODELS.iter().find(|kind| kind.name == name).ok_or_else(|| RecipeError::UnknownModel {
        name: name.to_owned(),
        nearest: nearest(name, names()).map(str::to_owned),
        known: names().collect::<Vec<_>>().join(", "),
    })
}
