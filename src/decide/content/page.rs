//! Several slots at once: which module goes where, and with which items.
//!
//! A page's value is what its slots are looked at (`attention`) times what their modules are worth there: a banner its
//! expected reward, a rail the values of the items it still has, each place of a rail worth less than the one before. No
//! item and no module stands on a page twice, and a module on a topic the page has already is worth
//! [`PageParams::repeat`] of its value.
//!
//! The best page is hard to find in general (rails share items), so all arrangements are tried where there are at most
//! [`PageParams::exact`] of them; beyond that slots are filled greedily, the most looked at first, and then improved:
//! while exchanging two modules, a module for one that was left out, or leaving one out makes the page worth more, that
//! is done. `tests/bandit/page.rs` holds both against all pages.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{Checked, ItemIdx, ParamError, ParamSpec, Validate, check_range};

/// What a module shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A banner or anything else that is worth what it is worth: expected reward when looked at.
    Banner(f64),
    /// A rail of recommendations: items, best first, with the expected reward of each when looked at. It shows the first
    /// `show` the page does not have yet, and nothing if there are fewer than `least`.
    Rail {
        /// Items and values.
        items: Vec<(ItemIdx, f64)>,
        /// Places.
        show: usize,
        /// The fewest worth showing.
        least: usize,
    },
}

/// Something a slot can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// What it is called.
    pub id: String,
    /// What it is about, for diversity; empty for nothing in particular.
    pub topic: String,
    /// What it shows.
    pub body: Body,
    /// What is left of its value to this shopper, 0 to 1; see [`Fatigue`](super::Fatigue).
    pub fresh: f64,
}

/// A place on the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// What it is called.
    pub id: String,
    /// The chance that it is looked at, 0 to 1.
    pub attention: f64,
}

/// How pages are valued.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `repeat` | 0.6 | 0 to 1 | what a module is worth for each earlier module of its topic |
/// | `place` | 0.85 | 0 to 1 | what a place of a rail is looked at, compared with the one before |
/// | `exact` | 2,000 | 0 to 1,000,000 | arrangements up to which all are tried |
/// | `rounds` | 100 | 0 to 10,000 | exchanges at most, where there are more |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageParams {
    /// What a module is worth for each earlier module of its topic.
    pub repeat: f64,
    /// What a place of a rail is looked at, compared with the one before.
    pub place: f64,
    /// Arrangements up to which all are tried.
    pub exact: u32,
    /// Exchanges at most.
    pub rounds: u32,
}

impl Default for PageParams {
    fn default() -> Self {
        Self { repeat: 0.6, place: 0.85, exact: 2_000, rounds: 100 }
    }
}

impl Validate for PageParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("repeat", 0.0, 1.0, "what a module is worth for each earlier one of its topic"),
            ParamSpec::real("place", 0.0, 1.0, "what a place of a rail is looked at"),
            ParamSpec::int("exact", 0, 1_000_000, "arrangements up to which all are tried"),
            ParamSpec::int("rounds", 0, 10_000, "exchanges at most"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("repeat", self.repeat)?;
        check_range::<Self>("place", self.place)?;
        check_range::<Self>("exact", self.exact.into())?;
        check_range::<Self>("rounds", self.rounds.into())
    }
}

/// A filled slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filled {
    /// The slot's place in the request.
    pub slot: usize,
    /// The module's place in the request.
    pub module: usize,
    /// The items of a rail, as shown; empty for a banner.
    pub items: Vec<ItemIdx>,
    /// What it adds to the page's value.
    pub value: f64,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Page {
    /// Filled slots, the most looked at first (equal ones as they were given). Slots for which nothing worth anything was
    /// left are missing.
    pub filled: Vec<Filled>,
    /// The expected value.
    pub value: f64,
}

/// A value that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} of `{id}` is {got}; expected {expected}")]
pub struct PageError {
    /// Which number.
    pub what: &'static str,
    /// The slot or module.
    pub id: String,
    /// What it was.
    pub got: f64,
    /// What it should be.
    pub expected: &'static str,
}

/// Fills `slots` with `modules`: at most `exact` pages are valued, or `O(rounds × slots × (slots + modules))`.
///
/// # Errors
/// [`PageError`]: an attention or freshness outside 0 to 1, a value that is not finite or below 0.
///
/// # Example
/// ```
/// use likewise::{ItemIdx, Validate};
/// use likewise::decide::content::{Body, Module, PageParams, Slot, plan_page};
/// let rail = |id: &str, items: &[u32]| Module {
///     id: id.to_owned(),
///     topic: String::new(),
///     body: Body::Rail { items: items.iter().map(|i| (ItemIdx::new(*i), 0.1)).collect(), show: 2, least: 1 },
///     fresh: 1.0,
/// };
/// let slots = [Slot { id: "top".into(), attention: 1.0 }, Slot { id: "below".into(), attention: 0.5 }];
/// let page = plan_page(&slots, &[rail("again", &[1, 2]), rail("new", &[2, 1, 3])], &PageParams::default().check()?)?;
/// let shown: Vec<_> = page.filled.iter().flat_map(|f| &f.items).collect();
/// assert_eq!(shown, [&ItemIdx::new(1), &ItemIdx::new(2), &ItemIdx::new(3)], "nothing twice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn plan_page(slots: &[Slot], modules: &[Module], params: &Checked<PageParams>) -> Result<Page, PageError> {
    check(slots, modules)?;
    let mut order: Vec<usize> = (0..slots.len()).collect();
    let attention = |slot: usize| slots.get(slot).map_or(0.0, |s| s.attention);
    order.sort_by(|a, b| attention(*b).total_cmp(&attention(*a)));
    let shop = Shop { slots, modules, params };
    // Every slot holds nothing or one of the modules that are left.
    let arrangements = (0..slots.len()).map(|taken| (modules.len().saturating_sub(taken) + 1) as f64).product::<f64>();
    if arrangements <= f64::from(params.exact) {
        let mut best = Page::default();
        shop.all(&order, &mut Vec::with_capacity(order.len()), &mut best);
        return Ok(best);
    }
    // Greedy: the module that adds most to what stands already.
    let mut chosen: Vec<Option<usize>> = Vec::with_capacity(order.len());
    for _ in 0..order.len() {
        let before = shop.page(&order, &chosen).value;
        let mut best = (0.0, None);
        for module in 0..modules.len() {
            if chosen.contains(&Some(module)) {
                continue;
            }
            chosen.push(Some(module));
            let gain = shop.page(&order, &chosen).value - before;
            chosen.pop();
            if gain > best.0 {
                best = (gain, Some(module));
            }
        }
        chosen.push(best.1);
    }
    let mut page = shop.page(&order, &chosen);
    for _ in 0..params.rounds {
        let Some((better, by)) = shop.exchange(&order, &chosen, page.value) else { break };
        (page, chosen) = (better, by);
    }
    Ok(page)
}

struct Shop<'a> {
    slots: &'a [Slot],
    modules: &'a [Module],
    params: &'a PageParams,
}

impl Shop<'_> {
    /// The page with these modules in the slots of `order`; modules without anything to show leave their slot empty.
    fn page(&self, order: &[usize], chosen: &[Option<usize>]) -> Page {
        let mut page = Page::default();
        let mut shown: HashSet<ItemIdx> = HashSet::new();
        let mut topics: Vec<&str> = Vec::new();
        for (&slot, &module) in order.iter().zip(chosen) {
            let (Some(at), Some(number)) = (self.slots.get(slot), module) else { continue };
            let Some(module) = self.modules.get(number) else { continue };
            let (items, worth) = match &module.body {
                Body::Banner(value) => (Vec::new(), *value),
                Body::Rail { items, show, least } => {
                    let mut own = HashSet::new();
                    let left = items.iter().filter(|(item, _)| !shown.contains(item) && own.insert(*item));
                    let left: Vec<(ItemIdx, f64)> = left.take(*show).copied().collect();
                    if left.len() < (*least).max(1) {
                        continue;
                    }
                    let worth = left.iter().rev().fold(0.0, |after, (_, value)| value + self.params.place * after);
                    (left.into_iter().map(|(item, _)| item).collect(), worth)
                }
            };
            let same = topics.iter().filter(|t| !t.is_empty() && **t == module.topic).count();
            let value = at.attention * worth * module.fresh * self.params.repeat.powi(same as i32);
            shown.extend(&items);
            topics.push(&module.topic);
            page.value += value;
            page.filled.push(Filled { slot, module: number, items, value });
        }
        page
    }

    /// The best page that begins with `chosen`, into `best` if it is worth more than what is there.
    fn all(&self, order: &[usize], chosen: &mut Vec<Option<usize>>, best: &mut Page) {
        if chosen.len() == order.len() {
            let page = self.page(order, chosen);
            if page.value > best.value {
                *best = page;
            }
            return;
        }
        for next in (0..self.modules.len()).map(Some).chain([None]) {
            if next.is_none() || !chosen.contains(&next) {
                chosen.push(next);
                self.all(order, chosen, best);
                chosen.pop();
            }
        }
    }

    /// The best page one exchange away, if it is worth more.
    fn exchange(&self, order: &[usize], chosen: &[Option<usize>], value: f64) -> Option<(Page, Vec<Option<usize>>)> {
        let mut best: Option<(Page, Vec<Option<usize>>)> = None;
        let mut offer = |by: Vec<Option<usize>>| {
            let page = self.page(order, &by);
            let bar = best.as_ref().map_or(value + 1e-12 * value.abs(), |(page, _)| page.value);
            if page.value > bar {
                best = Some((page, by));
            }
        };
        for a in 0..chosen.len() {
            for b in a + 1..chosen.len() {
                let mut by = chosen.to_vec();
                by.swap(a, b);
                offer(by);
            }
            let others = (0..self.modules.len()).map(Some).filter(|m| !chosen.contains(m));
            for module in others.chain([None]) {
                let mut by = chosen.to_vec();
                if let Some(place) = by.get_mut(a) {
                    *place = module;
                }
                offer(by);
            }
        }
        best
    }
}

fn check(slots: &[Slot], modules: &[Module]) -> Result<(), PageError> {
    let share = |what, id: &String, got: f64| {
        let fine = (0.0..=1.0).contains(&got);
        if fine { Ok(()) } else { Err(PageError { what, id: id.clone(), got, expected: "from 0 to 1" }) }
    };
    let worth = |id: &String, got: f64| {
        let fine = (0.0..=1e12).contains(&got);
        if fine { Ok(()) } else { Err(PageError { what: "a value", id: id.clone(), got, expected: "from 0 to 1e12" }) }
    };
    slots.iter().try_for_each(|slot| share("the attention", &slot.id, slot.attention))?;
    for module in modules {
        share("the freshness", &module.id, module.fresh)?;
        match &module.body {
            Body::Banner(value) => worth(&module.id, *value)?,
            Body::Rail { items, .. } => items.iter().try_for_each(|(_, value)| worth(&module.id, *value))?,
        }
    }
    Ok(())
}
