//! Special functions: those of `statrs` with the domains of this crate, and the hypergeometric 2F1.

use statrs::function::{beta, gamma};

/// The logarithm of the gamma function, for `x > 0`.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    gamma::ln_gamma(x)
}

/// The logarithm of the beta function, for positive numbers.
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The regularised incomplete beta function; NaN outside its domain.
pub(crate) fn beta_cdf(a: f64, b: f64, x: f64) -> f64 {
    beta::checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
}

/// Where the rising `f` crosses 0 between `low` and `high`, to the last bits; an end where it does not.
pub(crate) fn bisect(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if f(middle) < 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The ratio `x / (1 - x)` of a beta number that is not passed with probability `p`: the quantile of a beta-prime
/// number, and so of a gamma number whose rate is itself gamma. Looked for by its logarithm, so that it keeps its
/// digits however near to 0 or far out it lies.
pub(crate) fn beta_prime_quantile(a: f64, b: f64, p: f64) -> f64 {
    // Beyond one half the complement is the exact one.
    let below = |log: f64| {
        let ratio = log.exp();
        let (x, rest) = (ratio / (1.0 + ratio), 1.0 / (1.0 + ratio));
        if x < 0.5 { beta_cdf(a, b, x) - p } else { (1.0 - p) - beta_cdf(b, a, rest) }
    };
    bisect(-700.0, 700.0, below).exp()
}

/// Gauss's hypergeometric function by its series, for `0 <= z < 1`. Quick for any sane parameters where `c - a - b` is
/// positive; the caller transforms where it is not (Abramowitz & Stegun 15.3.3). Ends after 2e5 terms at the latest.
pub(crate) fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut sum, mut term) = (1.0_f64, 1.0_f64);
    for n in 0..200_000 {
        let n = f64::from(n);
        term *= (a + n) * (b + n) / ((c + n) * (1.0 + n)) * z;
        sum += term;
        if term.abs() <= 1e-16 * sum.abs() || term == 0.0 {
            break;
        }
    }
    sum
}

/// `ln(exp(a) + exp(b))` without overflow.
pub(crate) fn ln_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// The logistic function, exact in both tails.
pub(crate) fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// `ln(1 + exp(x))` without overflow.
pub(crate) fn soft_plus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The linear interpolation between the two nearest of sorted values (type 7 of Hyndman & Fan 1996); NaN of none.
pub(crate) fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = p.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64, relative: f64) {
        assert!((got - expected).abs() <= relative * expected.abs().max(1e-300), "{got} is not {expected}");
    }

    #[test]
    fn the_hypergeometric_series_is_the_closed_forms() {
        // A&S 15.1.3 to 15.1.8: -ln(1-z)/z, (1-z)^-a, asin(z)/z at z^2.
        for z in [0.0001_f64, 0.1, 0.5, 0.9, 0.99] {
            near(hypergeometric(1.0, 1.0, 2.0, z), -(-z).ln_1p() / z, 1e-12);
            near(hypergeometric(0.3, 2.5, 2.5, z), (1.0 - z).powf(-0.3), 1e-12);
            near(hypergeometric(0.5, 0.5, 1.5, z * z), z.asin() / z, 1e-12);
        }
        assert_eq!(hypergeometric(3.0, -2.0, 1.0, 0.5), 1.0 - 6.0 * 0.5 + 6.0 * 0.25);
        assert_eq!(hypergeometric(3.0, 2.0, 1.0, 0.0), 1.0);
    }

    #[test]
    fn far_out_nothing_overflows() {
        near(logistic(-800.0) + 1.0, 1.0, 0.0);
        near(soft_plus(800.0), 800.0, 0.0);
        near(ln_add(-1e9, 2.0), 2.0, 0.0);
    }

    #[test]
    fn a_gamma_number_with_a_gamma_rate_has_these_quantiles() {
        // Shape 1 is the Lomax law: P(t > x) = (1 + x)^-b.
        for b in [0.2, 1.0, 3.0, 40.0] {
            for p in [1e-6_f64, 0.1, 0.5, 0.9, 0.999] {
                near(beta_prime_quantile(1.0, b, p), (1.0 - p).powf(-1.0 / b) - 1.0, 1e-6);
            }
        }
        assert!(beta_prime_quantile(0.01, 0.01, 0.5).is_finite());
    }

    #[test]
    fn quantiles_of_values() {
        assert!(quantile(&[], 0.5).is_nan());
        assert_eq!(quantile(&[3.0], 0.9), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.5);
        assert_eq!(quantile(&[1.0, 2.0], 2.0), 2.0);
    }
}
