//! A number, and how sure it is.

use serde::{Deserialize, Serialize};

/// A number with the interval that holds the true one with the probability that was asked for.
///
/// # Example
/// ```
/// use likewise::Estimated;
/// // 3 of 10 shoppers came back: Wilson's interval for the share.
/// let share = Estimated::share(3.0, 10.0, 0.95);
/// assert!((share.value - 0.3).abs() < 1e-12 && share.low > 0.10 && share.high < 0.61);
/// assert!(Estimated::share(0.0, 0.0, 0.95).value.is_nan(), "of nobody there is no share");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimated {
    /// The estimate.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimated {
    /// An estimate whose interval is not known: both ends are NaN.
    #[must_use]
    pub const fn unsure(value: f64) -> Self {
        Self { value, low: f64::NAN, high: f64::NAN }
    }

    /// `value` ± the normal quantile of `level` times `error`; both ends NaN where the error is.
    #[must_use]
    pub fn normal(value: f64, error: f64, level: f64) -> Self {
        let half = super::distribution::two_sided(level) * error;
        Self { value, low: value - half, high: value + half }
    }

    /// For a positive number: the normal interval of its logarithm, `error` being that of the logarithm.
    #[must_use]
    pub fn log_normal(value: f64, error: f64, level: f64) -> Self {
        let factor = (super::distribution::two_sided(level) * error).exp();
        Self { value, low: value / factor, high: value * factor }
    }

    /// `hits` of `of`, with Wilson's score interval (Wilson 1927, JASA 22); all NaN of nothing. Neither end leaves 0
    /// to 1, and no share, not even 0 of 3, is called certain.
    #[must_use]
    pub fn share(hits: f64, of: f64, level: f64) -> Self {
        let z = super::distribution::two_sided(level);
        let p = hits / of;
        let centre = (p + z * z / (2.0 * of)) / (1.0 + z * z / of);
        let half = z / (1.0 + z * z / of) * (p * (1.0 - p) / of + z * z / (4.0 * of * of)).max(0.0).sqrt();
        if of > 0.0 {
            Self { value: p, low: (centre - half).clamp(0.0, p), high: (centre + half).clamp(p, 1.0) }
        } else {
            Self::unsure(f64::NAN)
        }
    }

    /// The mean of `values` with the interval of Student's t; an interval needs two of them.
    #[must_use]
    pub fn mean(values: &[f64], level: f64) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        if values.len() < 2 {
            return Self::unsure(mean);
        }
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
        let half = super::distribution::student_two_sided_quantile(1.0 - level, n - 1.0) * (variance / n).sqrt();
        Self { value: mean, low: mean - half, high: mean + half }
    }

    /// Whether the interval is known, and holds `truth`.
    #[must_use]
    pub fn holds(&self, truth: f64) -> bool {
        (self.low..=self.high).contains(&truth)
    }
}
