//! Does it replace this item, or complete it? Looked at together but not bought together, or bought together.
//!
//! Two lifts say it: how much more often than by chance a pair is *looked at* by the same visit, and how much more
//! often it is
//! *bought* in one basket. Substitutes are compared and one of them is taken: co-view lift surely above 1, co-buy lift surely
//! below that. Complements: co-buy lift surely above 1. "Surely" is: the whole interval. A pair of which neither
//! is sure is undecided, whatever its figures; a shop without views has complements only.
//!
//! Reference for the idea: McAuley, Pandey & Leskovec 2015, "Inferring networks of substitutable and complementary
//! products".

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::Baskets;
use super::affinity::{Counts, count_pairs};
use crate::{Checked, ItemIdx, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`relations`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `min_count` | 10 | 1 to 4294967295 | visits with both, or baskets with both, at least one of them this often |
/// | `max_basket` | 500 | 2 to 4294967295 | visits and baskets of more items are left out of pairs |
/// | `level` | .99 | .5 to .9999 | the probability with which intervals hold the truth |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RelationParams {
    /// Visits with both, or baskets with both: at least one of them this often.
    pub min_count: u32,
    /// Visits and baskets of more items are left out of pairs.
    pub max_basket: u32,
    /// The probability with which intervals hold the truth.
    pub level: f64,
}

impl Default for RelationParams {
    fn default() -> Self {
        Self { min_count: 10, max_basket: 500, level: 0.99 }
    }
}

impl Validate for RelationParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("min_count", 1, u32::MAX as u64, "visits or baskets with both, at least"),
            ParamSpec::int("max_basket", 2, u32::MAX as u64, "visits and baskets of more items are left out"),
            ParamSpec::real("level", 0.5, 0.9999, "the probability with which intervals hold the truth"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("min_count", self.min_count.into())?;
        check_range::<Self>("max_basket", self.max_basket.into())?;
        check_range::<Self>("level", self.level)
    }
}

/// What two items are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Relation {
    /// Surely bought together more than by chance.
    Complement,
    /// Surely looked at together more than by chance, and surely less bought together than that.
    Substitute,
    /// Neither is sure.
    Undecided,
}

/// Two items.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RelationRow {
    /// The one, of the lower number.
    pub a: String,
    /// The other.
    pub b: String,
    /// What they are to each other.
    pub relation: Relation,
    /// Visits in which both were looked at.
    pub viewed_together: u32,
    /// How many times as often as by chance; NaN where one of them was never looked at.
    pub view_lift: f64,
    /// The lower end of its interval; NaN at a lift of 0.
    pub view_lift_low: f64,
    /// The upper end.
    pub view_lift_high: f64,
    /// Baskets in which both were bought.
    pub bought_together: u32,
    /// How many times as often as by chance; NaN where one of them was never bought.
    pub buy_lift: f64,
    /// The lower end of its interval; NaN at a lift of 0.
    pub buy_lift_low: f64,
    /// The upper end; at a lift of 0 that of one basket seen, which is more than there were.
    pub buy_lift_high: f64,
}

/// Pairs looked at or bought together often enough, by what they are to each other: complements, then substitutes,
/// then undecided ones, the surest lift first. `viewed` are visits with what was looked at in them, `bought` baskets,
/// both of one dataset (the same numbering). `O(Σ basket^2)`.
#[must_use]
pub fn relations(viewed: &Baskets, bought: &Baskets, params: &Checked<RelationParams>) -> Vec<RelationRow> {
    let (view_counts, buy_counts) = (viewed.counts(), bought.counts());
    let limit = params.max_basket as usize;
    let least = params.min_count;
    let often = |baskets: &Baskets, counts: &[u32]| {
        let pairs = count_pairs(baskets, counts, least, limit);
        pairs.into_iter().filter(|(_, n)| *n >= least).map(|(key, _)| key).collect::<Vec<u64>>()
    };
    let mut keys = often(viewed, &view_counts);
    keys.extend(often(bought, &buy_counts));
    keys.sort_unstable();
    keys.dedup();
    // A pair that is frequent on one side counts on the other too, however rare its items are there.
    let (view_pairs, buy_pairs) = (count_these(viewed, &keys, limit), count_these(bought, &keys, limit));
    let row = |key: u64| {
        let (a, b) = (ItemIdx::new((key >> 32) as u32), ItemIdx::new(key as u32));
        let of = |counts: &[u32], item: ItemIdx| f64::from(counts.get(item.as_usize()).copied().unwrap_or(0));
        let counts = |pairs: &FxHashMap<u64, u32>, counts: &[u32], n: usize| Counts {
            both: pairs.get(&key).copied().unwrap_or(0).into(),
            a: of(counts, a),
            b: of(counts, b),
            n: n as f64,
        };
        let views = counts(&view_pairs, &view_counts, viewed.len());
        let buys = counts(&buy_pairs, &buy_counts, bought.len());
        let (view, mut buy) = (views.lift(params.level), buys.lift(params.level));
        if buys.both == 0.0 && buys.a * buys.b > 0.0 {
            buy.high = Counts { both: 1.0, ..buys }.lift(params.level).high;
        }
        let relation = if buy.low > 1.0 {
            Relation::Complement
        } else if view.low > 1.0 && buy.high < view.low {
            Relation::Substitute
        } else {
            Relation::Undecided
        };
        let key = |item| if viewed.key(item).is_empty() { bought.key(item) } else { viewed.key(item) }.to_owned();
        RelationRow {
            a: key(a),
            b: key(b),
            relation,
            viewed_together: views.both as u32,
            view_lift: view.value,
            view_lift_low: view.low,
            view_lift_high: view.high,
            bought_together: buys.both as u32,
            buy_lift: buy.value,
            buy_lift_low: buy.low,
            buy_lift_high: buy.high,
        }
    };
    let mut rows: Vec<RelationRow> = keys.into_iter().map(row).collect();
    let rank = |r: &RelationRow| match r.relation {
        Relation::Complement => (0, r.buy_lift_low),
        Relation::Substitute => (1, r.view_lift_low),
        Relation::Undecided => (2, if r.buy_lift.is_nan() { 0.0 } else { r.buy_lift }),
    };
    rows.sort_by(|x, y| rank(x).0.cmp(&rank(y).0).then(rank(y).1.total_cmp(&rank(x).1)));
    rows
}

/// How often each of these pairs stands together. `O(Σ basket^2)` over the items that are in one of them.
fn count_these(baskets: &Baskets, keys: &[u64], limit: usize) -> FxHashMap<u64, u32> {
    let items: FxHashSet<u32> = keys.iter().flat_map(|&key| [(key >> 32) as u32, key as u32]).collect();
    let mut pairs: FxHashMap<u64, u32> = keys.iter().map(|&key| (key, 0)).collect();
    let mut held: Vec<u32> = Vec::new();
    for basket in baskets.iter().filter(|basket| basket.len() <= limit) {
        held.clear();
        held.extend(basket.iter().copied().filter(|item| items.contains(item)));
        for (place, &a) in held.iter().enumerate() {
            for &b in &held[place + 1..] {
                if let Some(count) = pairs.get_mut(&(u64::from(a) << 32 | u64::from(b))) {
                    *count += 1;
                }
            }
        }
    }
    pairs
}
