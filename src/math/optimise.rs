//! The least value of a smooth function of a handful of numbers.
//!
//! Why not a crate (looked at 2026-11-22): `argmin` 0.11 has all of this and is kept well, but its executor reads the
//! clock (which library code here does not), and it brings `anyhow`, `web-time`, `rand_xoshiro` and the unmaintained
//! `paste` (RUSTSEC-2024-0436), for four unknowns and one line search. Likelihoods of BG/NBD and Gamma-Gamma in
//! log-parameters are smooth: BFGS with central differences ends in 25 steps on the CDNOW sample and in 36 on Online Retail
//! (`cargo run --release --example predict`). A simplex was not tried.

use super::solve::Symmetric;

/// Where a search ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Minimum {
    pub(crate) at: Vec<f64>,
    pub(crate) value: f64,
    /// The largest part of the gradient there.
    pub(crate) slope: f64,
    pub(crate) steps: usize,
}

/// Step of a central difference for a first derivative: the third root of the rounding error, about.
const FIRST: f64 = 6e-6;
/// For a second one: the fourth root.
const SECOND: f64 = 2e-4;

fn shifted(at: &[f64], moves: &[(usize, f64)]) -> Vec<f64> {
    let mut at = at.to_vec();
    moves.iter().for_each(|&(i, by)| at[i] += by);
    at
}

/// The gradient by central differences.
pub(crate) fn gradient(f: &impl Fn(&[f64]) -> f64, at: &[f64]) -> Vec<f64> {
    let along = |i: usize| {
        let h = FIRST * at[i].abs().max(1.0);
        (f(&shifted(at, &[(i, h)])) - f(&shifted(at, &[(i, -h)]))) / (2.0 * h)
    };
    (0..at.len()).map(along).collect()
}

/// The matrix of second derivatives by central differences.
pub(crate) fn hessian(f: &impl Fn(&[f64]) -> f64, at: &[f64]) -> Symmetric {
    let n = at.len();
    let mut out = Symmetric::zero(n);
    let step = |i: usize| SECOND * at[i].abs().max(1.0);
    let middle = f(at);
    for i in 0..n {
        let hi = step(i);
        out.add(i, i, (f(&shifted(at, &[(i, hi)])) - 2.0 * middle + f(&shifted(at, &[(i, -hi)]))) / (hi * hi));
        for j in 0..i {
            let hj = step(j);
            let corner = |si: f64, sj: f64| f(&shifted(at, &[(i, si * hi), (j, sj * hj)]));
            let cross = corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0);
            out.add(i, j, cross / (4.0 * hi * hj));
        }
    }
    out
}

/// Descends from `start` by BFGS (Nocedal & Wright 2006, ch. 6) with backtracking until the gradient is below
/// `tolerance`, no step helps, or `limit` steps are done. Where `f` is not finite it counts as too high to go to; it
/// must be finite at `start`. No coordinate moves by more than 2 in one step: they are logarithms.
pub(crate) fn minimise(f: &impl Fn(&[f64]) -> f64, start: &[f64], tolerance: f64, limit: usize) -> Minimum {
    let n = start.len();
    let identity = || (0..n * n).map(|p| f64::from(u8::from(p / n == p % n))).collect::<Vec<f64>>();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let largest = |g: &[f64]| g.iter().fold(0.0_f64, |m, x| if x.is_nan() { f64::INFINITY } else { m.max(x.abs()) });
    let (mut at, mut value) = (start.to_vec(), f(start));
    let mut slope = gradient(f, &at);
    let (mut inverse, mut fresh, mut steps) = (identity(), true, 0);
    while steps < limit && largest(&slope) > tolerance && value.is_finite() {
        steps += 1;
        let mut way: Vec<f64> = (0..n).map(|i| -dot(&inverse[i * n..(i + 1) * n], &slope)).collect();
        let longest = largest(&way);
        if longest > 2.0 {
            way.iter_mut().for_each(|w| *w *= 2.0 / longest);
        }
        let descent = dot(&way, &slope);
        let tried = (0..50).map(|k| 0.5_f64.powi(k)).find_map(|length| {
            let next: Vec<f64> = at.iter().zip(&way).map(|(x, w)| x + length * w).collect();
            let there = f(&next);
            (there <= value + 1e-4 * length * descent && there.is_finite()).then_some((next, there))
        });
        let Some((next, there)) = tried.filter(|(_, there)| descent < 0.0 && *there < value) else {
            if fresh {
                break;
            }
            // The curvature that was learned misleads: forget it, and try straight down once.
            (inverse, fresh) = (identity(), true);
            continue;
        };
        let next_slope = gradient(f, &next);
        let moved: Vec<f64> = next.iter().zip(&at).map(|(a, b)| a - b).collect();
        let bent: Vec<f64> = next_slope.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &bent);
        if curvature > 1e-12 * (dot(&moved, &moved) * dot(&bent, &bent)).sqrt() {
            if fresh {
                let scale = curvature / dot(&bent, &bent);
                inverse.iter_mut().for_each(|h| *h *= scale);
            }
            let pulled: Vec<f64> = (0..n).map(|i| dot(&inverse[i * n..(i + 1) * n], &bent)).collect();
            let whole = (curvature + dot(&bent, &pulled)) / (curvature * curvature);
            for i in 0..n {
                for j in 0..n {
                    inverse[i * n + j] +=
                        whole * moved[i] * moved[j] - (pulled[i] * moved[j] + moved[i] * pulled[j]) / curvature;
                }
            }
            fresh = false;
        }
        (at, value, slope) = (next, there, next_slope);
    }
    Minimum { slope: largest(&slope), at, value, steps }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rosenbrock_s_valley_ends_where_it_ends() {
        let f = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let found = minimise(&f, &[-1.2, 1.0], 1e-7, 500);
        assert!(
            found.slope < 1e-6 && (found.at[0] - 1.0).abs() < 1e-5 && (found.at[1] - 1.0).abs() < 1e-5,
            "{found:?}"
        );
        let bend = hessian(&f, &[1.0, 1.0]);
        for (i, j, expected) in [(0, 0, 802.0), (0, 1, -400.0), (1, 1, 200.0)] {
            assert!((bend.get(i, j) - expected).abs() < 0.01 * expected.abs());
        }
    }

    #[test]
    fn walls_and_plains_end_the_search() {
        let walled = |x: &[f64]| if x[0] < 1.0 { f64::NAN } else { x[0] };
        let found = minimise(&walled, &[3.0], 1e-9, 200);
        assert!(found.at[0] >= 1.0 && found.at[0] < 1.01);
        assert_eq!(minimise(&|_| 5.0, &[3.0], 1e-9, 200).steps, 0);
    }
}
