//! How good is a list? One number a case, averaged over the cases where it is defined.

mod accuracy;

pub use accuracy::{HitRate, Mrr, Ndcg, Precision, Recall};

use std::fmt;

use super::case::Case;
use super::task::Task;
use crate::ids::ItemIdx;

/// A list and the case it answers.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The task.
    pub task: &'a Task,
    /// The case.
    pub case: &'a Case,
    /// The list, best first.
    pub list: &'a [ItemIdx],
}

impl Judged<'_> {
    /// Whether each of the first `k` places is a hit, best first.
    pub fn hits(&self, k: usize) -> impl Iterator<Item = bool> + '_ {
        self.list.iter().take(k).map(|&item| self.case.is_target(item))
    }
}

/// A number that says how good one list is.
pub trait Metric: fmt::Debug + Send + Sync {
    /// Its name with the cut-off, as `recall@20`.
    fn name(&self) -> String;

    /// Its value for one case; `None` where it is undefined, and the case does not count in the mean.
    fn of(&self, judged: &Judged<'_>) -> Option<f64>;
}
