//! Tails and quantiles of the normal, Student, chi-square and binomial laws, for tests of experiments.
//!
//! The special functions are `statrs`'s, without its default features: it then brings `num-traits`, which is here
//! anyway, and `approx`. Looked at on 2026-11-22: `libm` has no incomplete beta or gamma function, `puruspe` is not kept
//! up, and 150 lines of our own would be 150 lines to trust. The advisory database (rustsec/advisory-db at its commit of
//! 2026-08-21) has no entry for `statrs`, `approx` or `num-traits`. Only the functions that return errors are called, so a
//! strange argument is NaN here and never a panic.

use statrs::function::beta::checked_beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::{checked_gamma_ur, ln_gamma};

/// `P(Z <= z)` of a standard normal.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}

/// The `z` with `P(Z <= z) = p`; infinite at 0 and 1, NaN outside.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * p)
}

/// How many standard errors reach to each side for an interval of this level: 1.96 for .95.
pub(crate) fn two_sided(level: f64) -> f64 {
    normal_quantile(0.5 + 0.5 * level.clamp(0.0, 1.0))
}

/// `P(|T| >= |t|)` of Student's law with `degrees` above 0.
pub(crate) fn student_two_sided(t: f64, degrees: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    checked_beta_reg(degrees / 2.0, 0.5, degrees / (degrees + t * t)).unwrap_or(f64::NAN)
}

/// The `t` with `P(|T| >= t) = p`, by halving: 80 evaluations, right to the last few bits.
pub(crate) fn student_two_sided_quantile(p: f64, degrees: f64) -> f64 {
    if !(p > 0.0 && p <= 1.0 && degrees > 0.0) {
        return f64::NAN;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while student_two_sided(high, degrees) > p && high < 1e300 {
        (low, high) = (high, high * 2.0);
    }
    for _ in 0..80 {
        let middle = low + (high - low) / 2.0;
        if student_two_sided(middle, degrees) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

/// `P(X >= x)` of the chi-square law with `degrees` above 0.
pub(crate) fn chi_square_tail(x: f64, degrees: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    if degrees == 1.0 {
        return erfc((0.5 * x).sqrt()); // keeps its digits far out in the tail
    }
    checked_gamma_ur(degrees / 2.0, x / 2.0).unwrap_or(f64::NAN)
}

/// The two-sided p-value of `heads` among `of` tosses of a fair coin: both tails, at most 1. Summed term by term up to
/// 1,000 tosses, by the incomplete beta function beyond.
pub(crate) fn fair_coin(heads: u64, of: u64) -> f64 {
    let fewer = heads.min(of.saturating_sub(heads));
    if of == 0 {
        return 1.0;
    }
    let (n, k) = (of as f64, fewer as f64);
    let tail = if of <= 1_000 {
        let term = |i: u64| {
            let i = i as f64;
            (ln_gamma(n + 1.0) - ln_gamma(i + 1.0) - ln_gamma(n - i + 1.0) - n * std::f64::consts::LN_2).exp()
        };
        (0..=fewer).map(term).sum()
    } else {
        checked_beta_reg(n - k, k + 1.0, 0.5).unwrap_or(f64::NAN)
    };
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, by: f64) {
        assert!((got - want).abs() <= by, "{got} is not {want}");
    }

    #[test]
    fn the_printed_tables() {
        near(normal_cdf(1.959_963_984_540_054), 0.975, 1e-11);
        near(normal_quantile(0.975), 1.959_963_984_540_054, 1e-10);
        near(two_sided(0.95), 1.959_963_984_540_054, 1e-10);
        near(normal_quantile(0.001), -3.090_232_306_167_813, 1e-9);
        near(student_two_sided_quantile(0.05, 10.0), 2.228_138_851_986_274, 1e-9);
        near(student_two_sided_quantile(0.05, 1.0), 12.706_204_736_174_7, 1e-7);
        near(student_two_sided(2.0, 5.5), student_two_sided(-2.0, 5.5), 0.0);
        near(chi_square_tail(3.841_458_820_694_124, 1.0), 0.05, 1e-10);
        near(chi_square_tail(1000.0, 1.0) / 1.795_832_784_800_73e-219, 1.0, 1e-9);
        near(chi_square_tail(18.307_038_053_275_146, 10.0), 0.05, 1e-10);
        near(fair_coin(2, 10), 2.0 * 56.0 / 1024.0, 1e-12);
        near(fair_coin(5, 10), 1.0, 0.0);
        near(fair_coin(0, 0), 1.0, 0.0);
    }

    #[test]
    fn a_long_row_of_tosses_agrees_with_its_sum() {
        let long = checked_beta_reg(1000.0 - 460.0, 461.0, 0.5).unwrap() * 2.0;
        near(fair_coin(460, 1000), long, 1e-9);
    }

    #[test]
    fn strange_arguments_are_nan() {
        assert!(normal_quantile(1.5).is_nan() && student_two_sided_quantile(0.0, 3.0).is_nan());
        assert!(chi_square_tail(f64::NAN, 1.0).is_nan() && two_sided(f64::NAN).is_nan());
        assert!(chi_square_tail(1.0, -1.0).is_nan() && student_two_sided(f64::NAN, 3.0).is_nan());
        assert_eq!(student_two_sided(f64::INFINITY, 3.0), 0.0);
    }
}
