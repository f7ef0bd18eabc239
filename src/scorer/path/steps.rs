//! From rows of events to steps.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::dataset::Dataset;
use crate::event::{EventKind, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::scorer::PairUnit;

/// What makes one step of a shopper's path, when they do several things with one item.
///
/// Places, and so distances, are counted in steps. A step has the kind that commits most among its events: purchase,
/// rating, cart, like, and then any other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PathStep {
    /// Every event.
    Event,
    /// Consecutive events on one item: view, cart and purchase in a row are one step, coming back later is another. Its
    /// time is that of the latest.
    #[default]
    Run,
    /// Every item once, where and when it was first touched.
    First,
    /// Every item once, where and when it was last touched.
    Last,
}

/// What a step counts by its kind; 1 for all unless told otherwise.
///
/// | field | default | range |
/// |---|---|---|
/// | `view`, `click`, `search`, `like`, `add_to_cart`, `rating`, `purchase`, `other` | 1 | 0 to 16 |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindFactors {
    /// Of a view.
    pub view: f32,
    /// Of a click.
    pub click: f32,
    /// Of a search.
    pub search: f32,
    /// Of a like.
    pub like: f32,
    /// Of an addition to the cart.
    pub add_to_cart: f32,
    /// Of a rating.
    pub rating: f32,
    /// Of a purchase.
    pub purchase: f32,
    /// Of any other kind.
    pub other: f32,
}

impl Default for KindFactors {
    fn default() -> Self {
        Self { view: 1.0, click: 1.0, search: 1.0, like: 1.0, add_to_cart: 1.0, rating: 1.0, purchase: 1.0, other: 1.0 }
    }
}

impl KindFactors {
    /// The factor of `kind`.
    #[must_use]
    pub const fn of(&self, kind: EventKind) -> f32 {
        match kind {
            EventKind::View => self.view,
            EventKind::Click => self.click,
            EventKind::Search => self.search,
            EventKind::Like => self.like,
            EventKind::AddToCart => self.add_to_cart,
            EventKind::Rating => self.rating,
            EventKind::Purchase => self.purchase,
            _ => self.other,
        }
    }

    pub(in crate::scorer) fn validate_as(&self, field: &str) -> Result<(), ParamError> {
        self.validate().map_err(|e| ParamError { param: format!("{field}.{}", e.param), ..e })
    }
}

impl Validate for KindFactors {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("view", 0.0, 16.0, "what a view counts"),
            ParamSpec::real("click", 0.0, 16.0, "what a click counts"),
            ParamSpec::real("search", 0.0, 16.0, "what a search counts"),
            ParamSpec::real("like", 0.0, 16.0, "what a like counts"),
            ParamSpec::real("add_to_cart", 0.0, 16.0, "what an addition to the cart counts"),
            ParamSpec::real("rating", 0.0, 16.0, "what a rating counts"),
            ParamSpec::real("purchase", 0.0, 16.0, "what a purchase counts"),
            ParamSpec::real("other", 0.0, 16.0, "what any other kind counts"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("view", self.view.into())?;
        check_range::<Self>("click", self.click.into())?;
        check_range::<Self>("search", self.search.into())?;
        check_range::<Self>("like", self.like.into())?;
        check_range::<Self>("add_to_cart", self.add_to_cart.into())?;
        check_range::<Self>("rating", self.rating.into())?;
        check_range::<Self>("purchase", self.purchase.into())?;
        check_range::<Self>("other", self.other.into())
    }
}

/// The kind that commits more; of two that commit alike, the one declared first.
pub(super) fn stronger(a: EventKind, b: EventKind) -> EventKind {
    let key = |kind| {
        let commitment = match kind {
            EventKind::Purchase => 4,
            EventKind::Rating => 3,
            EventKind::AddToCart => 2,
            EventKind::Like => 1,
            _ => 0,
        };
        (commitment, Reverse(kind))
    };
    if key(b) > key(a) { b } else { a }
}

/// What counts, and within what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct StepRule {
    pub(in crate::scorer) unit: PairUnit,
    pub(in crate::scorer) kinds: KindSet,
    pub(in crate::scorer) step: PathStep,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct Step {
    pub(in crate::scorer) item: ItemIdx,
    pub(in crate::scorer) kind: EventKind,
    pub(in crate::scorer) at: i64,
}

/// The steps of each unit, oldest first: 16 bytes a step.
#[derive(Debug, Default)]
pub(in crate::scorer) struct Steps {
    pub(super) ends: Vec<u32>,
    pub(super) steps: Vec<Step>,
}

/// Rows gathered by one task.
const BLOCK: usize = 1024;

impl Steps {
    /// The steps of the units of `rows`, in parallel. `O(events)`.
    pub(in crate::scorer) fn gather(
        data: &Dataset,
        rows: &[UserIdx],
        rule: &StepRule,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        let blocks = run.threads.map_with(rows.len().div_ceil(BLOCK), Scratch::default, |scratch, block| {
            if run.cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            scratch.met.resize(data.n_items(), 0);
            let mut steps = Self::default();
            rows[block * BLOCK..].iter().take(BLOCK).for_each(|&row| steps.add_row(data, row, rule, scratch));
            Ok(steps)
        });
        let mut all = Self::default();
        for block in blocks {
            let block = block?;
            let before = all.steps.len() as u32;
            all.ends.extend(block.ends.iter().map(|end| before + end));
            all.steps.extend_from_slice(&block.steps);
        }
        Ok(all)
    }

    fn add_row(&mut self, data: &Dataset, row: UserIdx, rule: &StepRule, scratch: &mut Scratch) {
        let events = data.events_of(row);
        let columns = events.sessions().iter().zip(events.items()).zip(events.times()).zip(events.kinds());
        scratch.events.clear();
        scratch.events.extend(columns.filter(|&(_, &kind)| rule.kinds.contains_code(kind)).map(
            |(((&session, &item), &at), &kind)| {
                let unit = if rule.unit == PairUnit::Session { session } else { 0 };
                (unit, Step { item, kind: EventKind::from_code(kind), at })
            },
        ));
        // Sessions may run side by side; within each, time and arrival decide.
        if !scratch.events.is_sorted_by_key(|e| e.0) {
            scratch.events.sort_by_key(|e| e.0);
        }
        for unit in scratch.events.chunk_by(|x, y| x.0 == y.0) {
            let first = self.steps.len();
            match rule.step {
                PathStep::Event => self.steps.extend(unit.iter().map(|e| e.1)),
                PathStep::Run => self.add_runs(first, unit),
                PathStep::First => self.add_distinct(first, unit.iter(), &mut scratch.met),
                PathStep::Last => {
                    self.add_distinct(first, unit.iter().rev(), &mut scratch.met);
                    self.steps[first..].reverse();
                }
            }
            self.ends.push(self.steps.len() as u32);
        }
    }

    fn add_runs(&mut self, first: usize, unit: &[(u32, Step)]) {
        for &(_, event) in unit {
            match self.steps[first..].last_mut().filter(|step| step.item == event.item) {
                Some(step) => *step = Step { kind: stronger(step.kind, event.kind), ..event },
                None => self.steps.push(event),
            }
        }
    }

    /// Adds each item once, where it comes first in `unit`.
    fn add_distinct<'e>(&mut self, first: usize, unit: impl Iterator<Item = &'e (u32, Step)>, met: &mut [u32]) {
        for &(_, event) in unit {
            let place = &mut met[event.item.as_usize()];
            match self.steps[first..].get_mut(*place as usize).filter(|step| step.item == event.item) {
                Some(step) => step.kind = stronger(step.kind, event.kind),
                None => {
                    *place = (self.steps.len() - first) as u32;
                    self.steps.push(event);
                }
            }
        }
    }

    /// The most steps of one unit.
    pub(super) fn longest(&self) -> usize {
        let mut before = 0;
        self.ends.iter().map(|&end| (end - std::mem::replace(&mut before, end)) as usize).max().unwrap_or(0)
    }

    /// The steps on each item.
    pub(super) fn count(&self, n_items: usize) -> Vec<u32> {
        let mut count = vec![0; n_items];
        self.steps.iter().for_each(|step| count[step.item.as_usize()] += 1);
        count
    }
}

#[derive(Default)]
struct Scratch {
    events: Vec<(u32, Step)>,
    /// Where in the unit an item may be (believed only when it is there).
    met: Vec<u32>,
}

crate::persist::portable_value!(PathStep, KindFactors);
crate::persist::portable!(StepRule { unit, kinds, step });
