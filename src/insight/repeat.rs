//! After how long is it bought again? Kaplan-Meier quantiles of the interval, by item.
//!
//! A purchase no other has followed *yet* is not one that none will follow: it says that the interval is at least as
//! long as the silence so far. Such censored intervals count as long as they last (Kaplan & Meier 1958, JASA 53), so
//! that the quantiles are those of all purchases, including those never followed: where fewer than half are followed,
//! there is no median, and it is NaN. The intervals that did end are told beside them; alone they look too short.
//! Intervals of the median are Brookmeyer & Crowley's 1982, on the log-log scale.

use serde::Serialize;

use crate::decide::predict::PurchaseDays;
use crate::math::distribution::two_sided;
use crate::math::special::quantile;
use crate::{Dataset, ItemIdx, Timestamp};

/// How an item is bought again, times in days.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RepeatInterval {
    /// The item.
    pub item: String,
    /// Purchases: occasions of a shopper, at least a day apart.
    pub purchases: usize,
    /// Those another of the same shopper followed: intervals that ended.
    pub followed: usize,
    /// Those none has followed yet: censored at `until`.
    pub censored: usize,
    /// The median of the intervals that ended; NaN without one.
    pub ended_median: f64,
    /// Their first quartile.
    pub ended_quarter: f64,
    /// Their third quartile.
    pub ended_three_quarters: f64,
    /// When a quarter of all purchases has been followed (Kaplan-Meier); NaN where it never is.
    pub quarter: f64,
    /// When half of them has.
    pub median: f64,
    /// The lower end of its interval; NaN where it is not known.
    pub median_low: f64,
    /// The upper end; NaN where the data end before it.
    pub median_high: f64,
    /// The share followed within 90 days (Kaplan-Meier).
    pub within_90: f64,
    /// The lower end of its interval (Greenwood's variance on the log-log scale).
    pub within_90_low: f64,
    /// The upper end.
    pub within_90_high: f64,
}

/// One step of the survival curve: time, survivors' share after it, Greenwood's sum.
type Step = (f64, f64, f64);

/// `(time, ended)` pairs to the steps of the curve.
fn kaplan_meier(intervals: &mut [(f64, bool)]) -> Vec<Step> {
    intervals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut at_risk, mut share, mut sum) = (intervals.len() as f64, 1.0, 0.0);
    let mut steps = Vec::new();
    for same in intervals.chunk_by(|a, b| a.0 == b.0) {
        let ended = same.iter().filter(|i| i.1).count() as f64;
        if ended > 0.0 {
            share *= 1.0 - ended / at_risk;
            sum += ended / (at_risk * (at_risk - ended));
            steps.push((same[0].0, share, sum));
        }
        at_risk -= same.len() as f64;
    }
    steps
}

/// The interval of a survivors' share: `share^exp(± z error / ln share)`.
fn ends(share: f64, sum: f64, z: f64) -> (f64, f64) {
    if share <= 0.0 || share >= 1.0 || !sum.is_finite() {
        return (share, share);
    }
    let half = z * sum.sqrt() / share.ln().abs();
    (share.powf(half.exp()), share.powf((-half).exp()))
}

/// Every item bought by at least `min_purchases` occasions, the most repeated first, then by number. `days` are the
/// purchases known at `until`, `level` that of the intervals. `O(purchases log)`.
#[must_use]
pub fn repeat_intervals(
    data: &Dataset,
    days: &PurchaseDays,
    until: Timestamp,
    min_purchases: usize,
    level: f64,
) -> Vec<RepeatInterval> {
    let end = until.millis() as f64 / 86_400_000.0;
    let mut by_item: Vec<(ItemIdx, f64, bool)> = Vec::new();
    for (_, item, days) in days.iter() {
        by_item.extend(days.windows(2).map(|w| (item, w[1] - w[0], true)));
        by_item.extend(days.last().map(|last| (item, (end - last).max(0.0), false)));
    }
    by_item.sort_by_key(|row| row.0);
    let z = two_sided(level);
    let item = |same: &[(ItemIdx, f64, bool)]| {
        let mut intervals: Vec<(f64, bool)> = same.iter().map(|&(_, time, ended)| (time, ended)).collect();
        let mut ended: Vec<f64> = intervals.iter().filter(|i| i.1).map(|i| i.0).collect();
        ended.sort_by(f64::total_cmp);
        let steps = kaplan_meier(&mut intervals);
        let first = |f: &dyn Fn(&Step) -> bool| steps.iter().find(|s| f(s)).map_or(f64::NAN, |s| s.0);
        let at_90 = steps.iter().take_while(|s| s.0 <= 90.0).last().copied().unwrap_or((0.0, 1.0, 0.0));
        let (low, high) = ends(at_90.1, at_90.2, z);
        RepeatInterval {
            item: data.item_key(same[0].0).to_owned(),
            purchases: same.len(),
            followed: ended.len(),
            censored: same.len() - ended.len(),
            ended_median: quantile(&ended, 0.5),
            ended_quarter: quantile(&ended, 0.25),
            ended_three_quarters: quantile(&ended, 0.75),
            quarter: first(&|s| s.1 <= 0.75),
            median: first(&|s| s.1 <= 0.5),
            median_low: first(&|s| ends(s.1, s.2, z).0 <= 0.5),
            median_high: first(&|s| ends(s.1, s.2, z).1 <= 0.5),
            within_90: 1.0 - at_90.1,
            within_90_low: 1.0 - high,
            within_90_high: 1.0 - low,
        }
    };
    let groups = by_item.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() >= min_purchases.max(1));
    let mut rows: Vec<RepeatInterval> = groups.map(item).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.followed)); // stable: then by number
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_the_textbook_s() {
        // Freireich's 6-MP arm (Cox & Oakes 1984): remission weeks, + censored.
        let weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23];
        let open = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let mut rows: Vec<(f64, bool)> = weeks.iter().map(|&w| (f64::from(w), true)).collect();
        rows.extend(open.iter().map(|&w| (f64::from(w), false)));
        let steps = kaplan_meier(&mut rows);
        let published =
            [(6.0, 0.857), (7.0, 0.807), (10.0, 0.753), (13.0, 0.690), (16.0, 0.627), (22.0, 0.538), (23.0, 0.448)];
        assert_eq!(steps.len(), published.len());
        for (step, (time, share)) in steps.iter().zip(published) {
            assert!(step.0 == time && (step.1 - share).abs() < 6e-4, "{step:?}");
        }
        // Greenwood's standard error at 10 weeks is .0963.
        assert!((steps[2].1 * steps[2].2.sqrt() - 0.0963).abs() < 1e-3);
    }
}
