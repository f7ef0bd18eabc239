//! What only all lists together can tell.

use std::fmt;

use crate::evaluate::lists::Lists;
use crate::evaluate::task::Task;
use crate::ids::ItemIdx;

/// A number that says something about all lists of a task at once.
pub trait Aggregate: fmt::Debug + Send + Sync {
    /// Its name with the cut-off, as `coverage@20`.
    fn name(&self) -> String;

    /// How many places of each list it looks at.
    fn depth(&self) -> usize;

    /// Its value; `None` where it is undefined.
    fn of(&self, task: &Task, lists: &Lists) -> Option<f64>;
}

/// How often each item that may be recommended at all is among the first `k` of a list.
fn shown(task: &Task, lists: &Lists, k: usize) -> Vec<u64> {
    let mut shown = vec![0_u64; task.shelf().n_items()];
    for item in lists.iter().flat_map(|list| list.iter().take(k)) {
        if let Some(count) = shown.get_mut(item.as_usize()) {
            *count += 1;
        }
    }
    let there = |item: &usize| !task.shelf().is_removed(ItemIdx::new(*item as u32));
    (0..shown.len()).filter(there).map(|item| shown[item]).collect()
}

/// The share of the items that appear among the first `k` of at least one list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage(pub usize);

impl Aggregate for Coverage {
    fn name(&self) -> String {
        format!("coverage@{}", self.0)
    }

    fn depth(&self) -> usize {
        self.0
    }

    fn of(&self, task: &Task, lists: &Lists) -> Option<f64> {
        let shown = shown(task, lists, self.0);
        let covered = shown.iter().filter(|&&times| times > 0).count();
        (!shown.is_empty()).then(|| covered as f64 / shown.len() as f64)
    }
}

/// The share of the cases that got at least this many items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserCoverage(pub usize);

impl Aggregate for UserCoverage {
    fn name(&self) -> String {
        format!("user_coverage@{}", self.0)
    }

    fn depth(&self) -> usize {
        self.0
    }

    fn of(&self, _: &Task, lists: &Lists) -> Option<f64> {
        let served = lists.iter().filter(|list| list.len() >= self.0).count();
        (!lists.is_empty()).then(|| served as f64 / lists.len() as f64)
    }
}

/// How unevenly the first `k` places are shared out among the items, 0 (all alike) to nearly 1 (one item has all):
/// `Σ_i (2i - n - 1) x_i / (n Σ x)` over the ascending counts `x_1..x_n` of all `n` items. Undefined when nothing is
/// recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gini(pub usize);

impl Aggregate for Gini {
    fn name(&self) -> String {
        format!("gini@{}", self.0)
    }

    fn depth(&self) -> usize {
        self.0
    }

    fn of(&self, task: &Task, lists: &Lists) -> Option<f64> {
        let mut shown = shown(task, lists, self.0);
        shown.sort_unstable();
        let n = shown.len() as f64;
        let all: u64 = shown.iter().sum();
        let rank = |place: usize| 2.0 * (place + 1) as f64 - n - 1.0;
        let sum: f64 = shown.iter().enumerate().map(|(place, &times)| rank(place) * times as f64).sum();
        (all > 0).then(|| sum / (n * all as f64))
    }
}
