//! Do next purchases fall in the predicted window? Asked at every purchase after a cut, of a model that saw nothing
//! after it.
//!
//! A share of hits means nothing without the width it was bought with. So the naive rules get the model's width, in
//! two ways: the same width for the same question, around the mean interval instead; and windows proportional to the
//! mean interval, as wide on average. Questions without a next purchase in the data have no answer, and are counted,
//! not scored.

use serde::Serialize;

use super::purchase_days::{DAY, mean_intervals};
use super::{PurchaseDays, Replenishment};
use crate::math::distribution::two_sided;
use crate::{Estimated, ItemIdx, Timestamp, UserIdx};

/// How one rule did.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowScore {
    /// The rule.
    pub rule: &'static str,
    /// The share of next purchases in its window. The interval takes a shopper's purchases for one observation, not
    /// many.
    pub hits: Estimated,
    /// The mean width of its windows, in days.
    pub width: f64,
    /// By how much the model's share is higher, paired, with its interval; 0 for the model itself.
    pub model_ahead: Estimated,
}

/// How the model and the naive rules did on the same questions.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowBacktest {
    /// Purchases after the cut whose next one is known.
    pub questions: usize,
    /// Purchases after the cut that no other followed before the data ended: not scored.
    pub unanswered: usize,
    /// The shoppers the questions are of.
    pub shoppers: usize,
    /// The share the model says its windows hold.
    pub promised: f64,
    /// The model first, then the naive rules.
    pub scores: Vec<WindowScore>,
}

struct Question {
    user: UserIdx,
    after: f64,
    /// The model's window, and the mean intervals the naive rules go by, in days after the purchase.
    window: (f64, f64),
    own_mean: f64,
    item_mean: f64,
}

/// A window of this width about `middle` that does not begin before the purchase.
fn about(middle: f64, width: f64) -> (f64, f64) {
    let from = (middle - 0.5 * width).max(0.0);
    (from, from + width)
}

impl Replenishment {
    /// Asks at every purchase of `days` on or after `cut` with at least `own` earlier purchases by the same shopper
    /// of the same item. Fit `self` on [`PurchaseDays`] up to `cut` only, of a dataset that ends there, with the
    /// numbering of `days`; the naive rules' means are of `known`, the same. `level` is that of the intervals.
    /// `O(purchases)`.
    #[must_use]
    pub fn backtest(
        &self,
        known: &PurchaseDays,
        days: &PurchaseDays,
        cut: Timestamp,
        own: usize,
        level: f64,
    ) -> WindowBacktest {
        let cut = cut.millis() as f64 / DAY;
        let (by_item, all) = mean_intervals(known);
        let (mut questions, mut unanswered) = (Vec::new(), 0);
        for (user, item, days) in days.iter() {
            for place in own..days.len() {
                if days[place] < cut {
                    continue;
                }
                let Some(next) = days.get(place + 1) else {
                    unanswered += 1;
                    continue;
                };
                questions.push(self.question(
                    user,
                    item,
                    &days[..=place],
                    *next,
                    by_item.get(&item).copied().unwrap_or(all),
                ));
            }
        }
        let mean = |f: fn(&Question) -> f64| questions.iter().map(f).sum::<f64>() / questions.len().max(1) as f64;
        let width = mean(|q| q.window.1 - q.window.0);
        let (own_share, item_share) = (width / mean(|q| q.own_mean), width / mean(|q| q.item_mean));
        type Rule<'r> = (&'static str, Box<dyn Fn(&Question) -> (f64, f64) + 'r>);
        let rules: [Rule<'_>; 5] = [
            ("model", Box::new(|q| q.window)),
            ("own mean interval, the model's width", Box::new(|q| about(q.own_mean, q.window.1 - q.window.0))),
            ("item's mean interval, the model's width", Box::new(|q| about(q.item_mean, q.window.1 - q.window.0))),
            ("own mean interval, proportional width", Box::new(|q| about(q.own_mean, own_share * q.own_mean))),
            ("item's mean interval, proportional width", Box::new(|q| about(q.item_mean, item_share * q.item_mean))),
        ];
        let hit = |rule: &Rule<'_>, q: &Question| {
            let (from, to) = rule.1(q);
            f64::from(u8::from((from..=to).contains(&q.after)))
        };
        let z = two_sided(level);
        let score = |rule: &Rule<'_>| WindowScore {
            rule: rule.0,
            hits: clustered(&questions, z, |q| hit(rule, q)),
            width: questions.iter().map(|q| rule.1(q)).map(|(a, b)| b - a).sum::<f64>() / questions.len().max(1) as f64,
            model_ahead: clustered(&questions, z, |q| hit(&rules[0], q) - hit(rule, q)),
        };
        WindowBacktest {
            questions: questions.len(),
            unanswered,
            shoppers: questions.chunk_by(|a, b| a.user == b.user).count(),
            promised: self.promised(),
            scores: rules.iter().map(score).collect(),
        }
    }

    fn question(&self, user: UserIdx, item: ItemIdx, days: &[f64], next: f64, item_mean: f64) -> Question {
        let last = days[days.len() - 1];
        let own_mean = if days.len() > 1 { (last - days[0]) / (days.len() - 1) as f64 } else { item_mean };
        let [from, _, to] = self.days_after(item, days);
        Question { user, after: next - last, window: (from, to), own_mean, item_mean }
    }
}

/// The mean over questions with an interval that takes each shopper's questions for one observation (the linearised
/// variance of a ratio of sums). Questions of one shopper stand together.
fn clustered(questions: &[Question], z: f64, f: impl Fn(&Question) -> f64) -> Estimated {
    let n = questions.len() as f64;
    let mean = questions.iter().map(&f).sum::<f64>() / n;
    let off = |own: &[Question]| own.iter().map(|q| f(q) - mean).sum::<f64>().powi(2);
    let variance = questions.chunk_by(|a, b| a.user == b.user).map(off).sum::<f64>() / (n * n);
    let half = z * variance.sqrt();
    Estimated { value: mean, low: mean - half, high: mean + half }
}
