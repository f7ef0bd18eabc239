//! What is asked about the part of a log that lies ahead.

use std::sync::Arc;

use super::super::task::Exclusion;
use crate::catalog::Catalog;
use crate::event::KindSet;

/// What one question covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ask {
    /// One question a profiled shopper: everything ahead.
    #[default]
    Everything,
    /// One question a profiled shopper: the first session or basket ahead that holds a target. One that began before the
    /// cut is no next one.
    NextSession,
    /// One question a target that follows something in its session: the session so far is known, and the shopper's past
    /// if they have a profile. Asked as of the latest event of the session so far. Sessions that began before the cut
    /// are left out; so are the shopper's earlier sessions ahead.
    NextItem,
}

/// Whether what the shopper knows already can be a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RepeatTargets {
    /// Yes.
    #[default]
    Keep,
    /// Only items they had not touched in one of these ways, before or in the session so far.
    NewTo(KindSet),
    /// Yes, and what they did with it before is forgotten: neither fitted on nor known. For logs that keep only the last
    /// time of each (shopper, item, kind), where a view and its purchase tell of each other.
    Forget,
}

/// Whether an item without any event to fit on can be a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NewItems {
    /// Yes: a miss, unless the catalogue has it and the model can do something with that.
    #[default]
    Keep,
    /// No: it is dropped.
    Drop,
}

/// Whether a shopper without a past is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NewShoppers {
    /// No, as published protocols have it.
    #[default]
    Skip,
    /// Yes, as a stranger with nothing but their session.
    Ask,
}

/// What is asked about the part of a log that lies ahead: everything a purchase or view, repeats included, unless told
/// otherwise.
///
/// A target's value is `units x price`, or the units where the event has no price; a rating is no price.
#[derive(Clone, Debug)]
pub struct Questions {
    pub(super) ask: Ask,
    pub(super) targets: KindSet,
    pub(super) repeats: RepeatTargets,
    pub(super) new_items: NewItems,
    pub(super) new_shoppers: NewShoppers,
    pub(super) exclude: Vec<Exclusion>,
    pub(super) catalog: Arc<Catalog>,
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            ask: Ask::default(),
            targets: KindSet::INTEREST,
            repeats: RepeatTargets::default(),
            new_items: NewItems::default(),
            new_shoppers: NewShoppers::default(),
            exclude: Vec::new(),
            catalog: Arc::default(),
        }
    }
}

impl Questions {
    /// What one question covers (default: [`Ask::Everything`]).
    #[must_use]
    pub const fn ask(mut self, ask: Ask) -> Self {
        self.ask = ask;
        self
    }

    /// The kinds of events that are asked for (default: [`KindSet::INTEREST`]).
    #[must_use]
    pub const fn targets(mut self, kinds: KindSet) -> Self {
        self.targets = kinds;
        self
    }

    /// Whether what the shopper knows can be a target (default: [`RepeatTargets::Keep`]).
    #[must_use]
    pub const fn repeats(mut self, repeats: RepeatTargets) -> Self {
        self.repeats = repeats;
        self
    }

    /// Whether an item unknown to the past can be a target (default: [`NewItems::Keep`]).
    #[must_use]
    pub const fn new_items(mut self, new_items: NewItems) -> Self {
        self.new_items = new_items;
        self
    }

    /// Whether shoppers without a past are asked for (default: [`NewShoppers::Skip`]).
    #[must_use]
    pub const fn new_shoppers(mut self, new_shoppers: NewShoppers) -> Self {
        self.new_shoppers = new_shoppers;
        self
    }

    /// With something that is never recommended (default: nothing). See [`Task::exclude`](super::super::Task::exclude).
    #[must_use]
    pub fn exclude(mut self, exclusion: Exclusion) -> Self {
        self.exclude.push(exclusion);
        self
    }

    /// With the attributes of the items (default: none). All of its items can be recommended.
    #[must_use]
    pub fn catalog(mut self, catalog: Arc<Catalog>) -> Self {
        self.catalog = catalog;
        self
    }
}
