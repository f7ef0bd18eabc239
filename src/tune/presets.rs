//! Recipes to start from, by the size of the shop.
//!
//! A preset is a blend as text: readable, printable, changeable. It is a start; a [`Study`](super::Study) of forty trials
//! on your own data is worth more than any preset.

use crate::recipe::BlendRecipe;

/// How large a shop is, by what its models have to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShopSize {
    /// Up to about 100,000 (shopper, item) pairs: counts and neighbours carry most; factors have little to learn from.
    Small,
    /// Up to about 5 million pairs.
    Medium,
    /// Beyond: fit time and memory decide.
    Large,
}

impl ShopSize {
    /// The size of a shop with so many distinct (shopper, item) pairs.
    #[must_use]
    pub const fn of(pairs: usize) -> Self {
        match pairs {
            0..=100_000 => Self::Small,
            100_001..=5_000_000 => Self::Medium,
            _ => Self::Large,
        }
    }
}

/// The text of the preset for known shoppers. Where it comes from (`benches/accuracy.md`, public tables):
///
/// * small: order carries most. On 97,381 events of retailrocket transitions alone reach HR@20 .296 where ALS has .127; the
///   little popularity is for shoppers without history and was not tuned;
/// * medium: on gowalla (810,128 pairs) the untruncated walk is the best single model (.1889 / .1579 Recall@20 / NDCG@20);
///   weights from 424 weightings on the validation cut;
/// * large: lists and factors, so that fit, memory and queries stay bounded. No public set at hand is that large; on gowalla it
///   reaches .1834 / .1574, and on its latest rows .1992 / .1118 where ALS alone has .1659 / .0897, the walk kept as lists .1831 /
///   .0967, and both of these together .1924 / .1027. What it costs: ALS with 64 factors fits 10^8 synthetic events in 42 s.
#[must_use]
pub const fn home(size: ShopSize) -> &'static str {
    match size {
        ShopSize::Small => "transition*0.9 + popularity:half_life=60d*0.1",
        ShopSize::Medium => "graph_walk:start=1,middle=1,end=.1*0.54 + sparse_ease:neighbours=100*0.46",
        ShopSize::Large => "als:factors=128,iterations=10*0.7 + transition:neighbours=200*0.3",
    }
}

/// The preset for known shoppers.
///
/// # Errors
/// None: the texts are tested. The type is that of reading a text.
pub fn home_blend(size: ShopSize) -> Result<BlendRecipe, crate::recipe::RecipeError> {
    home(size).parse()
}
