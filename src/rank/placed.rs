//! What a place of a list is filled with, and how that came about.

use crate::ids::ItemIdx;

/// How an item came to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Placement {
    /// By its blended score and the re-ranks.
    Ranked,
    /// By the pin rule of that number.
    Pinned(usize),
    /// By the slot rule of that number.
    Slot(usize),
    /// By the fallback of that number, as the scorers had run dry.
    Fallback(usize),
    /// As an item of the catalogue, as the fallbacks had run dry too.
    Catalogue,
    /// Against a cap, as nothing else was left.
    Relaxed,
    /// By the search guard: the engine's result of that place, 0 being its first, would have come too far down.
    Guarded(usize),
}

/// One filled place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) item: ItemIdx,
    pub(crate) score: f32,
    pub(crate) placement: Placement,
    /// The candidate's slot; `None` for what a fallback or the catalogue gave.
    pub(crate) slot: Option<usize>,
    /// The fallback that scored it.
    pub(crate) fallback: Option<usize>,
}

/// What a rule did to a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RuleApplied {
    /// The number of the rule in the ranker.
    pub rule: usize,
    /// What it did.
    pub effect: Effect,
}

/// The effect of a rule on a list. Boosts and buries show as contributions of the items instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// The item has its place; another one than asked for when the list is short or an earlier pin has that.
    Pinned {
        /// The place.
        position: usize,
    },
    /// A filter refused the item, and the pin heeds filters.
    PinRefused,
    /// There is no such item.
    PinUnknown,
    /// An earlier pin has the item.
    PinShadowed,
    /// The slot is filled.
    SlotFilled {
        /// The place.
        position: usize,
    },
    /// Nothing matched; the place was filled as usual.
    SlotReleased,
}
