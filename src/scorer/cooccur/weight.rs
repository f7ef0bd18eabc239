//! How strongly two items go together, from four whole numbers.

use serde::{Deserialize, Serialize};

/// What a pair of items weighs, given `n_ab` units with the pair, `n_a` with the one, `n_b` with the other, `n` in all.
///
/// | weight | formula | range | good for |
/// |---|---|---|---|
/// | `Cosine` | `n_ab / sqrt(n_a n_b)` | 0 to 1 | a sound default; Sarwar et al. 2001 |
/// | `Jaccard` | `n_ab / (n_a + n_b - n_ab)` | 0 to 1 | items of like popularity; Jaccard 1901 |
/// | `Lift` | `n_ab n / (n_a n_b)` | 0 to `n` | surprise; loves rare items, so use shrinkage; Brin et al. 1997 |
/// | `Llr` | `sqrt(2 Σ k ln(k n / (row column)))` | 0 up | separating signal from chance; Dunning 1993 |
/// | `Conditional` | `n_ab / n_a` | 0 to 1 | baskets; favours the popular; Agrawal et al. 1993 |
///
/// `Llr` sums over the four cells `k` of the table "with and without a, with and without b". It is the square root of
/// Dunning's statistic, which is close to a standard normal deviate and so adds up better over several votes, and it is
/// zero for pairs met no more often than chance (`n_ab n <= n_a n_b`).
///
/// # Example
/// ```
/// use likewise::PairWeight;
/// // 12 baskets with both, 20 with bread, 30 with butter, 200 baskets.
/// assert_eq!(PairWeight::Conditional.of(12, 20, 30, 200), 0.6);
/// assert_eq!(PairWeight::Lift.of(12, 20, 30, 200), 4.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PairWeight {
    /// Cosine of the two items' columns of zeros and ones.
    #[default]
    Cosine,
    /// Units with both over units with either.
    Jaccard,
    /// How many times more often than by chance.
    Lift,
    /// Root of the log-likelihood ratio, positive association only.
    Llr,
    /// The share of the first item's units that have the second too.
    Conditional,
}

impl PairWeight {
    /// The weight; finite and never negative, whatever the counts. Counts that cannot be (more pairs than units with
    /// one of the items) are read as the nearest that can.
    #[must_use]
    pub fn of(self, n_ab: u32, n_a: u32, n_b: u32, n: u32) -> f64 {
        let n_ab = n_ab.min(n_a).min(n_b);
        if n_ab == 0 {
            return 0.0;
        }
        let either = f64::from(n_a) + f64::from(n_b) - f64::from(n_ab);
        let n = f64::from(n).max(either);
        let [ab, a, b] = [n_ab, n_a, n_b].map(f64::from);
        match self {
            Self::Cosine => ab / (a * b).sqrt(),
            Self::Jaccard => ab / either,
            Self::Lift => ab * n / (a * b),
            Self::Llr => root_log_likelihood(ab, a, b, n),
            Self::Conditional => ab / a,
        }
    }

    /// [`of`](Self::of), drawn towards zero where few units have the pair: times `n_ab / (n_ab + shrinkage)`
    /// (Bell & Koren 2007).
    #[must_use]
    pub fn shrunk(self, n_ab: u32, n_a: u32, n_b: u32, n: u32, shrinkage: f32) -> f64 {
        let pairs = f64::from(n_ab.min(n_a).min(n_b));
        let weight = self.of(n_ab, n_a, n_b, n);
        if weight > 0.0 { weight * (pairs / (pairs + f64::from(shrinkage.max(0.0)))) } else { 0.0 }
    }

    /// The weight as a likeness from 0 to 1: `x / (1 + x)` for the weights without an upper end.
    pub(super) fn likeness(self, weight: f32) -> f32 {
        match self {
            Self::Cosine | Self::Jaccard | Self::Conditional => weight.min(1.0),
            Self::Lift | Self::Llr => weight / (1.0 + weight),
        }
    }
}

/// Each cell against what its margins predict; `k ln(k n / (row column))` keeps its digits where `x ln x` sums cancel.
fn root_log_likelihood(ab: f64, a: f64, b: f64, n: f64) -> f64 {
    if ab * n <= a * b {
        return 0.0;
    }
    let cell = |k: f64, row: f64, column: f64| if k > 0.0 { k * (k * n / (row * column)).ln() } else { 0.0 };
    let sum = cell(ab, a, b) + cell(a - ab, a, n - b) + cell(b - ab, n - a, b) + cell(n - a - b + ab, n - a, n - b);
    (2.0 * sum).max(0.0).sqrt()
}

crate::persist::portable_value!(PairWeight);

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;
    use proptest::prelude::*;

    const ALL: [PairWeight; 5] =
        [PairWeight::Cosine, PairWeight::Jaccard, PairWeight::Lift, PairWeight::Llr, PairWeight::Conditional];

    #[test]
    fn worked_by_hand() {
        let of = |w: PairWeight| w.of(12, 20, 30, 200);
        assert_relative_eq!(of(PairWeight::Cosine), 12.0 / 600f64.sqrt(), epsilon = 1e-12);
        assert_relative_eq!(of(PairWeight::Jaccard), 12.0 / 38.0, epsilon = 1e-12);
        assert_relative_eq!(of(PairWeight::Lift), 4.0, epsilon = 1e-12);
        assert_relative_eq!(of(PairWeight::Conditional), 0.6, epsilon = 1e-12);
        // Cells 12, 8, 18, 162; expected 3, 17, 27, 153.
        let by_hand = 2.0
            * (12.0 * 4f64.ln()
                + 8.0 * (8.0 / 17f64).ln()
                + 18.0 * (18.0 / 27f64).ln()
                + 162.0 * (162.0 / 153f64).ln());
        assert_relative_eq!(of(PairWeight::Llr), by_hand.sqrt(), epsilon = 1e-12);
        assert_relative_eq!(PairWeight::Conditional.shrunk(12, 20, 30, 200, 4.0), 0.6 * 0.75, epsilon = 1e-7);
    }

    #[test]
    fn dunnings_own_table() {
        // The first lines of table 2 of the paper: "the swiss" 270.72, "can be" 263.90.
        assert_relative_eq!(PairWeight::Llr.of(110, 110 + 2442, 110 + 111, 31_777).powi(2), 270.72, epsilon = 0.005);
        assert_relative_eq!(PairWeight::Llr.of(29, 29 + 13, 29 + 123, 31_777).powi(2), 263.90, epsilon = 0.005);
    }

    /// The textbook form: row entropy + column entropy - matrix entropy.
    fn g2_by_entropy(ab: u32, a: u32, b: u32, n: u32) -> f64 {
        let x = |k: u32| if k == 0 { 0.0 } else { f64::from(k) * f64::from(k).ln() };
        2.0 * (x(ab) + x(a - ab) + x(b - ab) + x(n + ab - a - b) - x(a) - x(n - a) - x(b) - x(n - b) + x(n))
    }

    #[test]
    fn chance_and_dislike_weigh_nothing() {
        assert_eq!(PairWeight::Llr.of(3, 20, 30, 200), 0.0);
        assert_eq!(PairWeight::Llr.of(1, 20, 30, 200), 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn finite_for_any_counts(
            [ab, a, b, n] in any::<[u32; 4]>(), small in any::<[u8; 4]>(), shrink in prop_oneof![Just(0.0f32), 0.0f32..1e6],
        ) {
            let small = small.map(|x| u32::from(x % 4));
            for [ab, a, b, n] in [[ab, a, b, n], small, [ab, u32::MAX, u32::MAX, n]] {
                for w in ALL {
                    let (plain, shrunk) = (w.of(ab, a, b, n), w.shrunk(ab, a, b, n, shrink));
                    prop_assert!(plain.is_finite() && plain >= 0.0);
                    prop_assert!(shrunk.is_finite() && (0.0..=plain).contains(&shrunk));
                    prop_assert!((0.0..=1.0).contains(&w.likeness(plain as f32)));
                }
            }
        }

        #[test]
        fn the_ratio_equals_the_entropy_form(ab in 1u32..50, a in 0u32..100, b in 0u32..100, rest in 0u32..5000) {
            let (a, b) = (a + ab, b + ab);
            let n = a + b - ab + rest;
            prop_assume!(u64::from(ab) * u64::from(n) > u64::from(a) * u64::from(b));
            let fast = PairWeight::Llr.of(ab, a, b, n).powi(2);
            prop_assert!((fast - g2_by_entropy(ab, a, b, n)).abs() < 1e-6);
        }
    }
}
