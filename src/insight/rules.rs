//! If these are in the basket, so is that: association rules over sets of any size, one item on the right.
//!
//! Sets by FP-growth, rules from them (Agrawal & Srikant 1994), counted as the R package `arules` counts: a rule has
//! at least `min_items` items in all, so that 2 leaves out `{} => item`, and at most `max_items`.
//!
//! **When:** reports, bundles, shelf plans. **When not:** to recommend (pairs do as well and cover more items:
//! [`FrequentlyBoughtTogether`](crate::FrequentlyBoughtTogether)). Low supports give very many sets: time and memory
//! go with them, so start high.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Baskets;
use super::affinity::Counts;
use super::fp_growth::frequent_sets;
use crate::{Checked, Estimated, ItemIdx, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`Baskets::rules`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `min_support` | .005 | 0 to 1 | the share of baskets a rule's items stand in together, at least (always at least one basket) |
/// | `min_confidence` | .3 | 0 to 1 | of the baskets with the left side, the share with the right one, at least |
/// | `min_items` | 2 | 1 to 100 | items of a rule at least, both sides |
/// | `max_items` | 10 | 1 to 100 | at most |
/// | `level` | .95 | .5 to .9999 | the probability with which intervals hold the truth |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasketRulesParams {
    /// The share of baskets a rule's items stand in together, at least.
    pub min_support: f64,
    /// Of the baskets with the left side, the share with the right one, at least.
    pub min_confidence: f64,
    /// Items of a rule at least, both sides.
    pub min_items: u32,
    /// Items of a rule at most, both sides.
    pub max_items: u32,
    /// The probability with which intervals hold the truth.
    pub level: f64,
}

impl Default for BasketRulesParams {
    fn default() -> Self {
        Self { min_support: 0.005, min_confidence: 0.3, min_items: 2, max_items: 10, level: 0.95 }
    }
}

impl Validate for BasketRulesParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("min_support", 0.0, 1.0, "the share of baskets with all items, at least"),
            ParamSpec::real(
                "min_confidence",
                0.0,
                1.0,
                "the share with the right side of those with the left, at least",
            ),
            ParamSpec::int("min_items", 1, 100, "items of a rule at least"),
            ParamSpec::int("max_items", 1, 100, "items of a rule at most"),
            ParamSpec::real("level", 0.5, 0.9999, "the probability with which intervals hold the truth"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("min_support", self.min_support)?;
        check_range::<Self>("min_confidence", self.min_confidence)?;
        check_range::<Self>("min_items", self.min_items.into())?;
        check_range::<Self>("max_items", self.max_items.into())?;
        check_range::<Self>("level", self.level)
    }
}

/// One rule: `left => right`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BasketRule {
    /// The items on the left by their numbers, joined by ` + `; empty for a rule without a condition.
    pub left: String,
    /// How many they are.
    pub left_items: usize,
    /// The item on the right.
    pub right: String,
    /// Baskets with all of them.
    pub both: u32,
    /// Baskets with the left side.
    pub with_left: u32,
    /// Baskets with the right side.
    pub with_right: u32,
    /// The share of baskets with all of them.
    pub support: f64,
    /// Of the baskets with the left side, the share with the right one.
    pub confidence: f64,
    /// The lower end of its (Wilson's) interval.
    pub confidence_low: f64,
    /// The upper end.
    pub confidence_high: f64,
    /// The confidence over the right side's share of all baskets.
    pub lift: f64,
    /// The lower end of its interval.
    pub lift_low: f64,
    /// The upper end.
    pub lift_high: f64,
}

impl Baskets {
    /// Every set of 1 to `max_items` items in at least `min_count` (taken for 1 where 0) baskets, with its count; by
    /// size, then by the items' numbers.
    #[must_use]
    pub fn frequent_sets(&self, min_count: u32, max_items: usize) -> Vec<(Vec<ItemIdx>, u32)> {
        let mut sets = self.sets(min_count.max(1), max_items);
        sets.sort_by(|a, b| a.0.len().cmp(&b.0.len()).then_with(|| a.0.cmp(&b.0)));
        let named = |set: Vec<u32>| set.into_iter().map(ItemIdx::new).collect();
        sets.into_iter().map(|(set, count)| (named(set), count)).collect()
    }

    fn sets(&self, min_count: u32, max_items: usize) -> Vec<(Vec<u32>, u32)> {
        let baskets = self.offsets.windows(2).map(|w| &self.items[w[0]..w[1]]);
        frequent_sets(self.keys.len(), baskets, min_count, max_items)
    }

    /// Every rule, the highest lift first, then the highest count, then by the items' numbers.
    #[must_use]
    pub fn rules(&self, params: &Checked<BasketRulesParams>) -> Vec<BasketRule> {
        // A share is met to rounding: 3 of 10 is at least .3.
        const ROUNDING: f64 = 1e-12;
        let n = self.len() as f64;
        let least = (params.min_support * n * (1.0 - ROUNDING)).ceil().max(1.0) as u32;
        let sets = self.sets(least, params.max_items as usize);
        let counts: FxHashMap<&[u32], u32> = sets.iter().map(|(set, count)| (&set[..], *count)).collect();
        let mut rules: Vec<(Counts, Vec<u32>, u32)> = Vec::new();
        for (set, both) in sets.iter().filter(|(set, _)| set.len() >= params.min_items as usize) {
            for (place, &right) in set.iter().enumerate() {
                let mut left = set.clone();
                left.remove(place);
                // Every part of a frequent set is frequent; the empty one is in every basket.
                let with_left =
                    if left.is_empty() { self.len() as u32 } else { counts.get(&left[..]).copied().unwrap_or(0) };
                let with_right = counts.get(&[right][..]).copied().unwrap_or(0);
                let c = Counts { both: (*both).into(), a: with_left.into(), b: with_right.into(), n };
                if c.both >= params.min_confidence * c.a * (1.0 - ROUNDING) {
                    rules.push((c, left, right));
                }
            }
        }
        let lift = |c: &Counts| c.both * c.n / (c.a * c.b);
        rules.sort_by(|x, y| {
            let by = lift(&y.0).total_cmp(&lift(&x.0)).then(y.0.both.total_cmp(&x.0.both));
            by.then_with(|| x.1.cmp(&y.1)).then(x.2.cmp(&y.2))
        });
        rules.into_iter().map(|(c, left, right)| self.told(c, &left, right, params.level)).collect()
    }

    fn told(&self, c: Counts, left: &[u32], right: u32, level: f64) -> BasketRule {
        let key = |&item: &u32| self.key(ItemIdx::new(item));
        let (confidence, lift) = (Estimated::share(c.both, c.a, level), c.lift(level));
        BasketRule {
            left: left.iter().map(key).collect::<Vec<_>>().join(" + "),
            left_items: left.len(),
            right: key(&right).to_owned(),
            both: c.both as u32,
            with_left: c.a as u32,
            with_right: c.b as u32,
            support: c.both / c.n,
            confidence: confidence.value,
            confidence_low: confidence.low,
            confidence_high: confidence.high,
            lift: lift.value,
            lift_low: lift.low,
            lift_high: lift.high,
        }
    }
}
