//! What is bought together more often than chance would have it: pairs, with everything one asks of a pair.
//!
//! Cost: `O(Σ basket^2)` time over the items that are frequent enough, 12 bytes and some a pair met.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Baskets;
use crate::math::distribution::chi_square_tail;
use crate::{Checked, Estimated, ItemIdx, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`Baskets::affinity`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `min_count` | 10 | 1 to 4294967295 | baskets a pair stands in at least |
/// | `min_lift` | 0 | 0 to 1e9 | lift at least |
/// | `max_basket` | 500 | 2 to 4294967295 | baskets of more items are a stocktaking, and left out of pairs |
/// | `level` | .95 | .5 to .9999 | the probability with which intervals hold the truth |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AffinityPairsParams {
    /// Baskets a pair stands in at least.
    pub min_count: u32,
    /// Lift at least.
    pub min_lift: f64,
    /// Baskets of more items are left out of the pairs (they count as baskets without the pair).
    pub max_basket: u32,
    /// The probability with which intervals hold the truth.
    pub level: f64,
}

impl Default for AffinityPairsParams {
    fn default() -> Self {
        Self { min_count: 10, min_lift: 0.0, max_basket: 500, level: 0.95 }
    }
}

impl Validate for AffinityPairsParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("min_count", 1, u32::MAX as u64, "baskets a pair stands in at least"),
            ParamSpec::real("min_lift", 0.0, 1e9, "lift at least"),
            ParamSpec::int("max_basket", 2, u32::MAX as u64, "baskets of more items are left out of pairs"),
            ParamSpec::real("level", 0.5, 0.9999, "the probability with which intervals hold the truth"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("min_count", self.min_count.into())?;
        check_range::<Self>("min_lift", self.min_lift)?;
        check_range::<Self>("max_basket", self.max_basket.into())?;
        check_range::<Self>("level", self.level)
    }
}

/// Two items and the baskets they stand in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AffinityPair {
    /// The one, of the lower number.
    pub a: String,
    /// The other.
    pub b: String,
    /// Baskets with both.
    pub both: u32,
    /// Baskets with the one.
    pub with_a: u32,
    /// Baskets with the other.
    pub with_b: u32,
    /// The share of baskets with both.
    pub support: f64,
    /// The lower end of its (Wilson's) interval.
    pub support_low: f64,
    /// The upper end.
    pub support_high: f64,
    /// Of the baskets with `a`, the share with `b`.
    pub confidence_a_to_b: f64,
    /// The lower end of its (Wilson's) interval.
    pub confidence_a_to_b_low: f64,
    /// The upper end.
    pub confidence_a_to_b_high: f64,
    /// Of the baskets with `b`, the share with `a`.
    pub confidence_b_to_a: f64,
    /// The lower end of its (Wilson's) interval.
    pub confidence_b_to_a_low: f64,
    /// The upper end.
    pub confidence_b_to_a_high: f64,
    /// How many times as often as if the items had nothing to do with each other.
    pub lift: f64,
    /// The lower end of its interval (normal for the logarithm, by the delta method on the four counts).
    pub lift_low: f64,
    /// The upper end.
    pub lift_high: f64,
    /// Twice the log-likelihood ratio against independence (Dunning 1993), signed: below 0 for pairs that avoid each
    /// other.
    pub llr: f64,
    /// How likely a ratio this large is without any tie between the two: good for pairs met in a handful of baskets
    /// or more.
    pub p_value: f64,
}

/// The four counts of two items.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) both: f64,
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) n: f64,
}

impl Counts {
    /// The lift with its interval; NaN ends where nothing is known.
    ///
    /// By the delta method for multinomial counts: with `g` the gradient of `ln lift`, the variance is
    /// `Σ n_k g_k^2 - (Σ n_k g_k)^2 / n`, and the second sum is -1.
    pub(super) fn lift(self, level: f64) -> Estimated {
        let Self { both, a, b, n } = self;
        let lift = both * n / (a * b);
        if both <= 0.0 {
            return Estimated::unsure(if a * b > 0.0 { 0.0 } else { f64::NAN });
        }
        let corner = 1.0 / both - 1.0 / a - 1.0 / b;
        let variance = both * corner * corner + (a - both) / (a * a) + (b - both) / (b * b) - 1.0 / n;
        Estimated::log_normal(lift, variance.max(0.0).sqrt(), level)
    }

    pub(super) fn llr(self) -> f64 {
        let Self { both, a, b, n } = self;
        let part =
            |seen: f64, row: f64, column: f64| if seen > 0.0 { seen * (seen * n / (row * column)).ln() } else { 0.0 };
        let sum = part(both, a, b)
            + part(a - both, a, n - b)
            + part(b - both, n - a, b)
            + part(n - a - b + both, n - a, n - b);
        let ratio = (2.0 * sum).max(0.0);
        if both * n < a * b { -ratio } else { ratio }
    }
}

/// How often frequent items stand together: keys are the two numbers, the lower in the upper half.
pub(super) fn count_pairs(baskets: &Baskets, counts: &[u32], least: u32, max_basket: usize) -> FxHashMap<u64, u32> {
    let mut pairs: FxHashMap<u64, u32> = FxHashMap::default();
    let mut frequent: Vec<u32> = Vec::new();
    for basket in baskets.iter().filter(|basket| basket.len() <= max_basket) {
        frequent.clear();
        frequent.extend(basket.iter().copied().filter(|&item| counts[item as usize] >= least));
        for (place, &a) in frequent.iter().enumerate() {
            for &b in &frequent[place + 1..] {
                *pairs.entry(u64::from(a) << 32 | u64::from(b)).or_insert(0) += 1;
            }
        }
    }
    pairs
}

impl Baskets {
    /// Every pair that stands together often enough, the largest log-likelihood ratio first, then by number.
    #[must_use]
    pub fn affinity(&self, params: &Checked<AffinityPairsParams>) -> Vec<AffinityPair> {
        let (counts, level) = (self.counts(), params.level);
        let pairs = count_pairs(self, &counts, params.min_count, params.max_basket as usize);
        let n = self.len() as f64;
        let mut kept: Vec<(f64, u64, u32)> = Vec::new();
        for (&key, &both) in pairs.iter().filter(|(_, both)| **both >= params.min_count) {
            let c = self.pair(&counts, key, both, n);
            if c.both * c.n >= params.min_lift * c.a * c.b {
                kept.push((c.llr(), key, both));
            }
        }
        kept.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(&y.1)));
        let row = |(llr, key, both): (f64, u64, u32)| {
            let (a, b) = ((key >> 32) as u32, key as u32);
            let c = self.pair(&counts, key, both, n);
            let share = |of: f64| Estimated::share(c.both, of, level);
            let (support, from_a, from_b, lift) = (share(n), share(c.a), share(c.b), c.lift(level));
            AffinityPair {
                a: self.key(ItemIdx::new(a)).to_owned(),
                b: self.key(ItemIdx::new(b)).to_owned(),
                both,
                with_a: counts[a as usize],
                with_b: counts[b as usize],
                support: support.value,
                support_low: support.low,
                support_high: support.high,
                confidence_a_to_b: from_a.value,
                confidence_a_to_b_low: from_a.low,
                confidence_a_to_b_high: from_a.high,
                confidence_b_to_a: from_b.value,
                confidence_b_to_a_low: from_b.low,
                confidence_b_to_a_high: from_b.high,
                lift: lift.value,
                lift_low: lift.low,
                lift_high: lift.high,
                llr,
                p_value: chi_square_tail(llr.abs(), 1.0),
            }
        };
        kept.into_iter().map(row).collect()
    }

    fn pair(&self, counts: &[u32], key: u64, both: u32, n: f64) -> Counts {
        let (a, b) = ((key >> 32) as usize, key as u32 as usize);
        Counts { both: both.into(), a: counts[a].into(), b: counts[b].into(), n }
    }
}
