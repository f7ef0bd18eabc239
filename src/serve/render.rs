//! Reasons in words. Reasons are data; this is one way to say them.

use super::result::{Recommendation, Recommendations};
use crate::rank::Placement;
use crate::scorer::ReasonCode;

/// Turns an item's reason into a sentence. Implement it for another language or tone.
pub trait Renderer {
    /// Why this item is shown, in a few words. `name` gives an item's name for its id.
    fn reason(&self, of: &Recommendation<'_>, list: &Recommendations, name: &dyn Fn(&str) -> String) -> String;
}

/// Plain English.
///
/// # Example
/// ```
/// # use likewise::{Recommendations, English, Renderer};
/// fn print(list: &Recommendations) {
///     for item in list.iter() {
///         println!("{} {}", item.id(), English.reason(&item, list, &|id| id.to_owned()));
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct English;

impl Renderer for English {
    fn reason(&self, of: &Recommendation<'_>, list: &Recommendations, name: &dyn Fn(&str) -> String) -> String {
        let snapshot = list.snapshot();
        let rule = |r: usize| snapshot.ranker().rules().get(r).map_or("", |rule| &rule.id);
        match of.placement() {
            Placement::Pinned(r) | Placement::Slot(r) => return format!("chosen for you ({})", rule(r)),
            Placement::Catalogue => return "from our range".to_owned(),
            _ => {}
        }
        let Some(reason) = of.reason() else { return "from our range".to_owned() };
        let because = reason.because.map(|item| name(snapshot.item_id(item)));
        let fixed = match (reason.code, because) {
            (ReasonCode::ViewedTogether, Some(item)) => return format!("because you viewed {item}"),
            (ReasonCode::BoughtTogether, Some(item)) => return format!("bought together with {item}"),
            (ReasonCode::ViewedThenBought, Some(item)) => return format!("bought by those who viewed {item}"),
            (ReasonCode::GoesWithBasket, Some(item)) => return format!("goes with {item} in your basket"),
            (ReasonCode::Other, Some(item)) => return format!("because of {item}"),
            (ReasonCode::SimilarItem, Some(item)) => return format!("similar to {item}"),
            (ReasonCode::ViewedTogether, None) => "often viewed together",
            (ReasonCode::BoughtTogether, None) => "often bought together",
            (ReasonCode::ViewedThenBought, None) => "bought by shoppers like you",
            (ReasonCode::GoesWithBasket, None) => "goes with your basket",
            (ReasonCode::BoughtBefore, _) => "you bought it before",
            (ReasonCode::Popular, _) => "popular",
            (ReasonCode::PopularInCategory, _) => "popular in this category",
            (ReasonCode::Trending, _) => "trending now",
            (ReasonCode::RecentlyViewed, _) => "you looked at it recently",
            (ReasonCode::SimilarTaste, _) => "shoppers with your taste like it",
            (ReasonCode::SimilarItem, None) => "similar to what you liked",
            (ReasonCode::FavouriteKind, _) => "of a kind you like",
            (ReasonCode::New, _) => "new",
            (ReasonCode::PriceMatch, _) => "in your price range",
            (ReasonCode::MatchesSearch, _) => "matches your search",
            (ReasonCode::Curated, _) => "our recommendation",
            (ReasonCode::Other, None) => "for you",
        };
        fixed.to_owned()
    }
}
