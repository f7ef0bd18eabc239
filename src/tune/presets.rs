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

/// The text of the preset for known shoppers.
#[must_use]
pub const fn home(size: ShopSize) -> &'static str {
    match size {
        ShopSize::Small => "co_purchase:shrinkage=5,neighbours=200*0.7 + popularity:half_life=60d*0.3",
        ShopSize::Medium => "als:factors=64*0.6 + co_purchase:neighbours=200*0.4",
        ShopSize::Large => "als:factors=128,iterations=10*0.7 + co_purchase:neighbours=50*0.3",
    }
}

/// The preset for known shoppers.
///
/// # Errors
/// None: the texts are tested. The type is that of reading a text.
pub fn home_blend(size: ShopSize) -> Result<BlendRecipe, crate::recipe::RecipeError> {
    home(size).parse()
}
