//! How do opinions become one list? Propose, filter, score, blend, fill place by place.
//!
//! ```text
//! propose ─▶ filter ─▶ score ─▶ normalise + blend ─▶ preferences, boosts ─▶ greedy filling ─▶ fallbacks ─▶ page
//! every scorer  hard      columns     one score a candidate                  re-ranks, pins, slots
//! ```
//!
//! The list of a request is one fixed sequence: a page is a cut out of it, so pages never overlap or miss an item.

mod assemble;
mod blend;
mod cap;
mod diversity;
mod filter;
mod normalise;
mod pipeline;
mod placed;
mod prefer;
mod ranker;
mod rerank;
mod rule;
mod saved;
mod search;
mod together;

pub use blend::{Blend, Missing};
pub use cap::CapParams;
pub use diversity::{Alike, DiversityParams};
pub use filter::{Available, Filter, FilterFn, NotCurrent, NotInBasket, Refusals, Seen};
pub use normalise::Normalise;
pub use pipeline::{Stage, StageReport};
pub use placed::{Effect, Placement, RuleApplied};
pub use prefer::Preference;
pub use ranker::{BoundError, Ranker, RankerBuilder, RankerError};
pub use rerank::{BindError, Binding, Memo, NextPlace, Rerank, RerankRecipe, WhenShort};
pub use rule::{Action, Audience, MAX_POSITION, PinFilters, Rule, RuleError};
pub use search::SearchGuard;

pub(crate) use pipeline::{Query, RankScratch, rank};
pub(crate) use placed::Placed;
pub(crate) use ranker::Bound;
pub(crate) use rule::Page;
pub(crate) use together::Proposals;
