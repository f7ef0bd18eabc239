//! Rules and facts joined: everything that does not depend on the shopper, looked up once.

use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::activity::Activity;
use super::news::CatalogNews;
use super::params::TriggerParams;
use super::suggest::Suggest;
use super::when::When;
use super::zone::Zone;
use crate::catalog::{AttributeId, AttributeKind, Shelf};
use crate::dataset::Dataset;
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::time::{Span, Timestamp};

/// The zone of a shopper, if the shop knows it.
pub type ZoneOf<'a> = dyn Fn(&str) -> Option<Zone> + Sync + 'a;
/// After how long an item is usually bought again, if that is known.
pub type UsualInterval<'a> = dyn Fn(ItemIdx) -> Option<Span> + Sync + 'a;

/// What triggers may know. Borrowed; cheap to copy.
///
/// The dataset should end at the moment that is asked about: later events are not looked at, but what they took back (a
/// return, a removal from the cart) is gone already.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    pub(super) data: &'a Dataset,
    pub(super) shelf: &'a Shelf,
    pub(super) news: &'a [CatalogNews],
    pub(super) zones: Option<&'a ZoneOf<'a>>,
    pub(super) usual: Option<&'a UsualInterval<'a>>,
    pub(super) activity: Option<&'a Activity>,
    pub(super) suggest: Option<&'a dyn Suggest>,
}

impl<'a> Facts<'a> {
    /// Events and items, nothing else.
    #[must_use]
    pub const fn new(data: &'a Dataset, shelf: &'a Shelf) -> Self {
        Self { data, shelf, news: &[], zones: None, usual: None, activity: None, suggest: None }
    }

    /// With news of the catalogue, in any order: at least all that is younger than the longest
    /// [`fresh`](super::PriceDropped::fresh) of a rule.
    #[must_use]
    pub const fn news(mut self, news: &'a [CatalogNews]) -> Self {
        self.news = news;
        self
    }

    /// With the zones of shoppers; `None` of it is the default zone.
    #[must_use]
    pub const fn zones(mut self, zones: &'a ZoneOf<'a>) -> Self {
        self.zones = Some(zones);
        self
    }

    /// With the usual interval between purchases of an item, such as [`BuyAgain::interval`](crate::BuyAgain::interval).
    #[must_use]
    pub const fn usual(mut self, usual: &'a UsualInterval<'a>) -> Self {
        self.usual = Some(usual);
        self
    }

    /// With the hours in which shoppers are active.
    #[must_use]
    pub const fn activity(mut self, activity: &'a Activity) -> Self {
        self.activity = Some(activity);
        self
    }

    /// With someone who suggests.
    #[must_use]
    pub const fn suggest(mut self, suggest: &'a dyn Suggest) -> Self {
        self.suggest = Some(suggest);
        self
    }
}

impl std::fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Facts")
            .field("events", &self.data.n_events())
            .field("news", &self.news.len())
            .finish_non_exhaustive()
    }
}

/// Why rules do not fit a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// No such attribute.
    #[error(
        "trigger {rule:?} goes by the attribute {attribute:?}, which the catalogue does not have; declare it there"
    )]
    NoAttribute {
        /// The rule.
        rule: String,
        /// The attribute.
        attribute: String,
    },
    /// An attribute of another kind.
    #[error("trigger {rule:?} needs a category or tags attribute; {attribute:?} is a {kind} attribute")]
    WrongKind {
        /// The rule.
        rule: String,
        /// The attribute.
        attribute: String,
        /// What it is.
        kind: AttributeKind,
    },
}

/// What one rule needs of the items.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    pub(super) attribute: Option<AttributeId>,
    /// By value: items by their release, ascending.
    pub(super) arrivals: FxHashMap<u32, Vec<(Timestamp, ItemIdx)>>,
}

/// Triggers over facts, ready to be asked: [`evaluate`](Self::evaluate) one shopper, or [`sweep`](Self::sweep) all.
#[derive(Debug)]
pub struct Bound<'a> {
    pub(super) params: &'a TriggerParams,
    pub(super) facts: Facts<'a>,
    pub(super) prepared: Vec<Prepared>,
    /// By item, oldest first.
    pub(super) news: FxHashMap<ItemIdx, Vec<&'a CatalogNews>>,
    /// Items that have a release date, by it.
    pub(super) released: Vec<(Timestamp, ItemIdx)>,
    /// Tells these parameters from others.
    pub(super) settings: u64,
}

impl<'a> Bound<'a> {
    /// Joins rules and facts. `O(items)`.
    ///
    /// # Errors
    /// [`TriggerError`] when a rule names an attribute the catalogue does not have.
    pub fn new(params: &'a Checked<TriggerParams>, facts: Facts<'a>) -> Result<Self, TriggerError> {
        let shelf = facts.shelf;
        let items = (0..shelf.n_items() as u32).map(ItemIdx::new);
        let mut released: Vec<(Timestamp, ItemIdx)> =
            items.filter_map(|item| shelf.released(item).map(|at| (at, item))).collect();
        released.sort_unstable();
        let mut prepared = Vec::with_capacity(params.rules.len());
        for rule in &params.rules {
            let Some(attribute) = rule.when.attribute() else {
                prepared.push(Prepared::default());
                continue;
            };
            let named = || (rule.name.clone(), attribute.to_owned());
            let id = match shelf.attribute(attribute).and_then(|id| Some((id, shelf.kind(id)?))) {
                Some((id, AttributeKind::Category | AttributeKind::Tags)) => id,
                Some((_, kind)) => {
                    let (rule, attribute) = named();
                    return Err(TriggerError::WrongKind { rule, attribute, kind });
                }
                None => {
                    let (rule, attribute) = named();
                    return Err(TriggerError::NoAttribute { rule, attribute });
                }
            };
            let mut arrivals: FxHashMap<u32, Vec<(Timestamp, ItemIdx)>> = FxHashMap::default();
            if matches!(rule.when, When::NewArrival(_)) {
                for &(at, item) in &released {
                    if let Some(code) = shelf.leaf(item, id) {
                        arrivals.entry(code).or_default().push((at, item));
                    }
                }
            }
            prepared.push(Prepared { attribute: Some(id), arrivals });
        }
        let mut news: FxHashMap<ItemIdx, Vec<&CatalogNews>> = FxHashMap::default();
        for n in facts.news {
            if let Some(item) = shelf.item(facts.data, &n.item) {
                news.entry(item).or_default().push(n);
            }
        }
        news.values_mut().for_each(|of_item| of_item.sort_by_key(|n| n.at));
        let settings = xxh3_64(format!("{params:?}").as_bytes());
        Ok(Self { params, facts, prepared, news, released, settings })
    }

    /// The zone of a shopper.
    pub(super) fn zone(&self, shopper: &str) -> Zone {
        self.facts.zones.and_then(|zones| zones(shopper)).unwrap_or_else(|| self.params.zone.clone())
    }
}
