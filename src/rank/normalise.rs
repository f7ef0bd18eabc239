//! Bringing opinions of different scorers to one scale, request by request.

use serde::{Deserialize, Serialize};

/// How one scorer's raw scores over the candidates of a request become comparable with the others'.
///
/// Equal scores always get equal values, so the result never depends on the order of the candidates. "No opinion" stays
/// "no opinion". Costs `O(n)` for `AsIs`, `MinMax` and `ZScore`, `O(n log n)` for the rank-based ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Normalise {
    /// Leaves the scores as they are. Use it when one scorer ranks alone, or all share a scale.
    AsIs,
    /// `(x - min) / (max - min)`: keeps distances, sensitive to outliers. All equal gives 1.
    #[default]
    MinMax,
    /// `(x - mean) / standard deviation`. All equal gives 0.
    ZScore,
    /// `1 - (rank - 1) / n`, the best and its equals 1: keeps the order only.
    Rank,
    /// The share of opinions below, equals counting half: a value in `(0, 1)` whose median is one half.
    Quantile,
}

impl Normalise {
    /// Normalises a column in place; NaN is "no opinion". `order` is scratch.
    pub(crate) fn apply(self, column: &mut [f32], order: &mut Vec<u32>) {
        match self {
            Self::AsIs => {}
            Self::MinMax => {
                let (lo, hi) =
                    opinions(column).fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
                // Halves first: the difference of two finite numbers may not be finite.
                let range = hi / 2.0 - lo / 2.0;
                let one = |x: f32| if range > 0.0 { ((x / 2.0 - lo / 2.0) / range).min(1.0) } else { 1.0 };
                each(column, one);
            }
            Self::ZScore => {
                let n = opinions(column).count() as f64;
                let mean = opinions(column).map(f64::from).sum::<f64>() / n;
                let variance = opinions(column).map(|x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
                let deviation = variance.sqrt();
                let one = |x: f32| if deviation > 0.0 { ((f64::from(x) - mean) / deviation) as f32 } else { 0.0 };
                each(column, one);
            }
            Self::Rank => by_ties(column, order, |before, _, n| 1.0 - before as f32 / n as f32),
            Self::Quantile => {
                by_ties(column, order, |before, equal, n| 1.0 - (before as f32 + 0.5 * equal as f32) / n as f32);
            }
        }
    }
}

fn opinions(column: &[f32]) -> impl Iterator<Item = f32> + '_ {
    column.iter().copied().filter(|x| !x.is_nan())
}

fn each(column: &mut [f32], f: impl Fn(f32) -> f32) {
    column.iter_mut().filter(|x| !x.is_nan()).for_each(|x| *x = f(*x));
}

/// Replaces every opinion by `value(how many are better, how many are equal, how many there are)`.
pub(crate) fn by_ties(column: &mut [f32], order: &mut Vec<u32>, value: impl Fn(usize, usize, usize) -> f32) {
    order.clear();
    order.extend((0..column.len() as u32).filter(|&i| !column[i as usize].is_nan()));
    order.sort_unstable_by(|&a, &b| column[b as usize].total_cmp(&column[a as usize]));
    let n = order.len();
    let mut before = 0;
    while before < n {
        let x = column[order[before] as usize];
        let equal = order[before..].iter().take_while(|&&i| column[i as usize] == x).count();
        order[before..before + equal].iter().for_each(|&i| column[i as usize] = value(before, equal, n));
        before += equal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: f32 = f32::NAN;

    fn normalised(how: Normalise, column: &[f32]) -> Vec<Option<f32>> {
        let mut column = column.to_vec();
        how.apply(&mut column, &mut Vec::new());
        column.into_iter().map(|x| (!x.is_nan()).then_some(x)).collect()
    }

    #[test]
    fn by_hand() {
        let raw = [3.0, NONE, 1.0, 3.0, 2.0];
        assert_eq!(normalised(Normalise::MinMax, &raw), [Some(1.0), None, Some(0.0), Some(1.0), Some(0.5)]);
        assert_eq!(normalised(Normalise::Rank, &raw), [Some(1.0), None, Some(0.25), Some(1.0), Some(0.5)]);
        assert_eq!(normalised(Normalise::Quantile, &raw), [Some(0.75), None, Some(0.125), Some(0.75), Some(0.375)]);
        let z = normalised(Normalise::ZScore, &[1.0, 3.0, NONE]);
        assert_eq!(z, [Some(-1.0), Some(1.0), None]);
        assert_eq!(normalised(Normalise::MinMax, &[7.0]), [Some(1.0)]);
        assert_eq!(normalised(Normalise::ZScore, &[7.0, 7.0]), [Some(0.0), Some(0.0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn keeps_order_and_abstentions_and_stays_finite(
            raw in prop::collection::vec(prop_oneof![Just(NONE), -3f32..3.0, Just(f32::MAX), Just(f32::MIN), Just(0.0)], 0..40)
        ) {
            for how in [Normalise::AsIs, Normalise::MinMax, Normalise::ZScore, Normalise::Rank, Normalise::Quantile] {
                let done = normalised(how, &raw);
                for (i, x) in done.iter().enumerate() {
                    prop_assert_eq!(x.is_none(), raw[i].is_nan());
                    prop_assert!(x.is_none_or(f32::is_finite), "{:?} of {} is {:?}", how, raw[i], x);
                    for (j, y) in done.iter().enumerate() {
                        if raw[i] < raw[j] { prop_assert!(x <= y); }
                        if raw[i] == raw[j] { prop_assert_eq!(x, y); }
                    }
                }
            }
        }
    }
}
