//! Which model, with which parameters? Models by name, parameters by path, blends as one line of text.
//!
//! ```text
//! als                                           a model at its defaults
//! als:factors=128,alpha0=.1                     with parameters: NAME[:KEY=VALUE,..]
//! co_view:recency.positions.half_life=3         a path goes into nested ones
//! als:factors=128*0.7 + co_purchase*0.3         a blend: parts with weights
//! ```
//!
//! Use it where the choice of a model is data: a configuration file, a command line, a search over parameters. Code that
//! knows its model at compile time writes [`AlsParams`](crate::AlsParams) and its like instead, and loses nothing.
//!
//! * [`models`] lists every model as a [`ModelKind`]: what it answers, its table of parameters, defaults and search space;
//! * a [`ModelRecipe`] is a model with parameters, as text or serde; [`ModelRecipe::build`] checks it into a
//!   [`DynFit`](crate::DynFit);
//! * a [`BlendRecipe`] is several of them with weights; it fits as one scorer, a [`Blended`](crate::Blended), or for a
//!   [`Ranker`](crate::Ranker).

mod blend;
mod error;
mod kind;
mod list;
mod model;
mod setting;
mod text;

pub use blend::{BlendError, BlendFit, BlendRecipe, RecipePart};
pub use error::RecipeError;
pub use kind::{ModelKind, TaskKind};
pub use list::{model, models};
pub use model::ModelRecipe;

/// The one of `known` that was most likely meant by `word`: close in spelling, or one is the beginning of the other.
///
/// ```
/// use likewise::recipe::nearest;
/// assert_eq!(nearest("populrity", ["als", "popularity"]), Some("popularity"));
/// assert_eq!(nearest("xyz", ["als", "popularity"]), None);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = |candidate: &str| {
        if word.is_empty() {
            return None;
        }
        let same_start = word.len() >= 2 && (candidate.starts_with(word) || word.starts_with(candidate));
        let distance = crate::source::edits(word, candidate);
        let allowed = (candidate.chars().count().max(word.chars().count()) / 3).max(1);
        (same_start || distance <= allowed).then_some((!same_start, distance))
    };
    known.into_iter().filter_map(|candidate| Some((close(candidate)?, candidate))).min().map(|(_, candidate)| candidate)
}
