//! Which items should move up, and how sure that is: the lambdas.
//!
//! For each pair of a list whose gains differ, the pull of RankNet's loss times what NDCG would change if the two changed
//! places (Burges, "From RankNet to LambdaRank to LambdaMART: an overview", Microsoft Research TR-2010-82). Gains are linear,
//! so that a click over its propensity counts as many clicks as were not looked at.

use super::fit::{discount, ordered};
use super::lists::Judged;

/// Adds to each item's slope (above 0: up) and curvature. `scores`, `slope` and `bend` are as long as the list. `O(items)` for
/// each item that gained.
pub(super) fn lambdas(list: &Judged, scores: &[f64], reach: usize, slope: &mut [f64], bend: &mut [f64]) {
    let ideal = list.ideal(reach);
    if ideal <= 0.0 {
        return;
    }
    let scale = list.weight() / ideal;
    let mut counts = vec![0.0; scores.len()];
    for (place, (_, slot)) in ordered(scores.iter().copied()).into_iter().enumerate().take(reach) {
        counts[slot] = discount(place);
    }
    for (i, gain) in list.gains.iter().enumerate().filter(|(_, gain)| **gain > 0.0) {
        for (j, other) in list.gains.iter().enumerate().filter(|(_, other)| *other < gain) {
            let change = scale * f64::from(gain - other) * (counts[i] - counts[j]).abs();
            if change <= 0.0 {
                continue; // both beyond reach
            }
            let pull = 1.0 / (1.0 + (scores[i] - scores[j]).exp());
            slope[i] += change * pull;
            slope[j] -= change * pull;
            bend[i] += change * pull * (1.0 - pull);
            bend[j] += change * pull * (1.0 - pull);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_worked_by_hand() {
        // Three items, the second gained 1; it stands second of three (scores 2, 1, 0).
        let list = Judged { features: vec![0.0; 3], silent: vec![false; 3], gains: vec![0.0, 1.0, 0.0], missed: 0 };
        let (mut slope, mut bend) = ([0.0; 3], [0.0; 3]);
        lambdas(&list, &[2.0, 1.0, 0.0], 10, &mut slope, &mut bend);
        let (second, third) = (1.0 / 3f64.log2(), 0.5);
        let up = (1.0 - second) / (1.0 + (-1f64).exp()); // against the first: behind by 1
        let down = (second - third) / (1.0 + 1f64.exp()); // against the third: ahead by 1
        for (got, wanted) in slope.iter().zip([-up, up + down, -down]) {
            assert!((got - wanted).abs() < 1e-15, "{slope:?}");
        }
        let curve = std::f64::consts::E / (1.0 + std::f64::consts::E).powi(2); // of the logistic, at 1 and at -1
        for (got, wanted) in bend.iter().zip([(1.0 - second) * curve, (1.0 - third) * curve, (second - third) * curve])
        {
            assert!((got - wanted).abs() < 1e-15, "{bend:?}");
        }
        // A click that counts for four has four times the pull; a missed target halves... the ideal grows.
        let four = Judged { gains: vec![0.0, 4.0, 0.0], ..list.clone() };
        let (mut more, mut bends) = ([0.0; 3], [0.0; 3]);
        lambdas(&four, &[2.0, 1.0, 0.0], 10, &mut more, &mut bends);
        assert!(more.iter().zip(slope).all(|(a, b)| (a - 4.0 * b).abs() < 1e-15));
        let missed = Judged { missed: 1, ..list };
        let (mut less, mut bends) = ([0.0; 3], [0.0; 3]);
        lambdas(&missed, &[2.0, 1.0, 0.0], 10, &mut less, &mut bends);
        assert!(less.iter().zip(slope).all(|(a, b)| (a * (1.0 + second) - b).abs() < 1e-15));
        // Beyond reach nothing pulls.
        let (mut none, mut bends) = ([0.0; 3], [0.0; 3]);
        let last = Judged { gains: vec![0.0, 0.0, 1.0], ..four };
        lambdas(&last, &[2.0, 1.0, 0.0], 1, &mut none, &mut bends);
        assert_eq!(none[1], 0.0);
        assert!(none[2] > 0.0 && none[0] < 0.0);
    }
}
