//! How good is a list, and how good are all of them?
//!
//! A [`Metric`] judges one case and is averaged over the cases where it is defined; an [`Aggregate`] looks at all lists.
//! `hit(p)` is 1 when place `p = 1, 2, ...` holds a target, `T` are the case's distinct targets (also those nobody can
//! recommend), `L` is the list. Places a short list leaves empty are no hits.
//!
//! | metric | question | better |
//! |---|---|---|
//! | [`Recall`], [`Precision`], [`HitRate`], [`RPrecision`] | were they found? | higher |
//! | [`Ndcg`], [`Map`], [`Mrr`] | and how high? | higher |
//! | [`Auc`] | are targets above the rest, over the whole catalogue? | higher |
//! | [`RevenueRecall`], [`RevenueNdcg`] | was the money found? | higher |
//! | [`Novelty`], [`Serendipity`], [`Diversity`] | is it more than the obvious? | higher |
//! | [`Calibration`] | does it keep to the shopper's mixture of tastes? | lower |
//! | [`AveragePopularity`], [`PopularityLift`] | does it push what is popular anyway? | as the shop likes |
//! | [`Coverage`], [`UserCoverage`], [`Gini`] (aggregates) | how many items and shoppers profit, how evenly? | higher, higher, lower |
//! | [`Sampled`] | any of them against a few random items | not comparable, see there |

mod accuracy;
mod aggregate;
mod full;
mod popular;
mod revenue;
mod variety;

pub use accuracy::{HitRate, Map, Mrr, Ndcg, Precision, RPrecision, Recall};
pub use aggregate::{Aggregate, Coverage, Gini, UserCoverage};
pub use full::{Auc, Sampled};
pub use popular::{AveragePopularity, Novelty, PopularityLift, Serendipity};
pub use revenue::{RevenueNdcg, RevenueRecall};
pub use variety::{Calibration, Diversity};

use std::fmt;
use std::sync::Arc;

use super::case::Case;
use super::task::Task;
use crate::catalog::{AttributeId, Shelf};
use crate::ids::ItemIdx;

/// A list and the case it answers.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The task.
    pub task: &'a Task,
    /// The case.
    pub case: &'a Case,
    /// The list, best first. It must reach as deep as the metric looks ([`Metric::depth`]), or hold all there is.
    pub list: &'a [ItemIdx],
}

impl<'a> Judged<'a> {
    /// Whether each of the first `k` places is a hit, best first.
    pub fn hits(&self, k: usize) -> impl Iterator<Item = bool> + '_ {
        self.top(k).iter().map(|&item| self.case.is_target(item))
    }

    /// The first `k` places, as far as they are filled.
    #[must_use]
    pub fn top(&self, k: usize) -> &'a [ItemIdx] {
        &self.list[..k.min(self.list.len())]
    }
}

/// A number that says how good one list is.
///
/// # Example
/// ```
/// use likewise::evaluate::{Case, Judged, Metric};
/// /// Whether the very first place is a hit.
/// #[derive(Debug)]
/// struct First;
/// impl Metric for First {
///     fn name(&self) -> String {
///         "first".to_owned()
///     }
///     fn depth(&self, _: &Case) -> usize {
///         1
///     }
///     fn of(&self, judged: &Judged<'_>) -> Option<f64> {
///         (judged.case.n_targets() > 0).then(|| if judged.hits(1).any(|hit| hit) { 1.0 } else { 0.0 })
///     }
/// }
/// ```
pub trait Metric: fmt::Debug + Send + Sync {
    /// Its name with the cut-off, as `recall@20`.
    fn name(&self) -> String;

    /// How many places it looks at; `usize::MAX` for the full ranking of the catalogue.
    fn depth(&self, case: &Case) -> usize;

    /// Its value for one case; `None` where it is undefined, and the case does not count in the mean.
    fn of(&self, judged: &Judged<'_>) -> Option<f64>;
}

impl<M: Metric + ?Sized> Metric for Arc<M> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn depth(&self, case: &Case) -> usize {
        (**self).depth(case)
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        (**self).of(judged)
    }
}

/// A metric needs an attribute the catalogue does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the task's catalogue has no category or tag attribute {name:?}; give it one with Questions::catalog")]
pub struct NoAttribute {
    /// The attribute.
    pub name: String,
}

/// An attribute of `shelf` with dictionary codes.
fn coded(shelf: &Shelf, name: &str) -> Result<AttributeId, NoAttribute> {
    let has_codes = |&attribute: &AttributeId| {
        use crate::catalog::AttributeKind::{Category, Tags};
        matches!(shelf.kind(attribute), Some(Category | Tags))
    };
    shelf.attribute(name).filter(has_codes).ok_or_else(|| NoAttribute { name: name.to_owned() })
}

/// How many targets a case has, if any: without one, whether a list is right is no question.
fn n_targets(judged: &Judged<'_>) -> Option<f64> {
    (judged.case.n_targets() > 0).then_some(judged.case.n_targets() as f64)
}

/// What a hit at place `place = 0, 1, ...` counts in a cumulative gain: `1 / log2(place + 2)`.
fn discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}
