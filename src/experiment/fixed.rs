//! Tests that are read once, at a time fixed beforehand.
//!
//! **When:** the number of shoppers is decided before the start and nobody looks earlier. **When not:** when somebody
//! will look: with five looks a 5 % test is a 14 % test (Armitage, McPherson & Rowe 1969, JRSS A 132). Then use [`Sequential`](super::Sequential).

use serde::{Deserialize, Serialize};

use crate::math::distribution::{normal_cdf, normal_quantile, student_two_sided, student_two_sided_quantile};

/// A mean over independent units, with the variance of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Units.
    pub n: u64,
    /// Their mean, or any estimate that is one to first order (see [`Measured`](super::Measured)).
    pub mean: f64,
    /// The variance of one unit, with `n - 1` below the line.
    pub variance: f64,
}

/// Successes among trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Successes.
    pub hits: u64,
    /// Trials.
    pub of: u64,
}

/// Two variants beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Treatment less control.
    pub difference: f64,
    /// The interval of the difference.
    pub interval: (f64, f64),
    /// The difference in units of the control's figure, with its interval by the delta method; `None` where the control
    /// is 0.
    pub lift: Option<(f64, (f64, f64))>,
    /// The difference in standard errors.
    pub statistic: f64,
    /// Welch's degrees of freedom; infinite for proportions.
    pub degrees: f64,
    /// Two-sided.
    pub p_value: f64,
}

/// Samples that cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// Too few units for a variance.
    #[error("a variant has {n} units; the test needs at least {needed} in each")]
    TooFew {
        /// Units of the smaller variant.
        n: u64,
        /// Units needed.
        needed: u64,
    },
    /// Every unit of both variants did the same.
    #[error("neither variant varies; wait for the first unit that differs")]
    NoVariance,
    /// A number that is none, or more hits than trials, or a negative variance.
    #[error("{what} is {got}; expected {expected}")]
    Number {
        /// Which number.
        what: &'static str,
        /// What it was.
        got: f64,
        /// What it should be.
        expected: &'static str,
    },
}

pub(super) fn check_level(level: f64) -> Result<(), TestError> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(TestError::Number { what: "the level", got: level, expected: "above 0 and below 1, such as .95" })
}

impl Sample {
    /// Of plain values.
    ///
    /// # Errors
    /// [`TestError`]: fewer than two values, or one that is not finite.
    pub fn of(values: &[f64]) -> Result<Self, TestError> {
        let n = values.len() as u64;
        if n < 2 {
            return Err(TestError::TooFew { n, needed: 2 });
        }
        if let Some(&got) = values.iter().find(|v| !v.is_finite()) {
            return Err(TestError::Number { what: "a value", got, expected: "a finite number" });
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Ok(Self { n, mean, variance: squares / (n as f64 - 1.0) })
    }

    pub(super) fn check(&self) -> Result<(), TestError> {
        if self.n < 2 {
            return Err(TestError::TooFew { n: self.n, needed: 2 });
        }
        if !self.mean.is_finite() {
            return Err(TestError::Number { what: "a mean", got: self.mean, expected: "a finite number" });
        }
        if !(self.variance >= 0.0 && self.variance.is_finite()) {
            return Err(TestError::Number {
                what: "a variance",
                got: self.variance,
                expected: "finite and not below 0",
            });
        }
        Ok(())
    }

    /// The variance of the mean.
    pub(super) fn of_mean(&self) -> f64 {
        self.variance / self.n as f64
    }
}

/// Welch's test of two means with variances of their own (Welch 1947, Biometrika 34), with the interval of `level`.
///
/// Right for any metric once the means are nearly normal: for revenue with few big orders take thousands of units.
///
/// # Errors
/// [`TestError`]: fewer than two units in a variant, nothing varies, a number that is none.
///
/// # Example
/// ```
/// use likewise::experiment::{Sample, welch};
/// let control = Sample::of(&[1.0, 2.0, 3.0, 4.0])?;
/// let treatment = Sample::of(&[2.0, 4.0, 6.0, 8.0])?;
/// let found = welch(control, treatment, 0.95)?;
/// assert!((found.difference - 2.5).abs() < 1e-12 && found.p_value > 0.05);
/// # Ok::<(), likewise::experiment::TestError>(())
/// ```
pub fn welch(control: Sample, treatment: Sample, level: f64) -> Result<Compared, TestError> {
    check_level(level)?;
    control.check()?;
    treatment.check()?;
    let (c, t) = (control.of_mean(), treatment.of_mean());
    if c + t <= 0.0 {
        return Err(TestError::NoVariance);
    }
    let error = (c + t).sqrt();
    let degrees = (c + t).powi(2) / (c * c / (control.n as f64 - 1.0) + t * t / (treatment.n as f64 - 1.0));
    let difference = treatment.mean - control.mean;
    let wide = student_two_sided_quantile(1.0 - level, degrees);
    let statistic = difference / error;
    let lift = (control.mean != 0.0).then(|| {
        let ratio = treatment.mean / control.mean;
        let spread = wide * (t + ratio * ratio * c).sqrt() / control.mean.abs();
        (ratio - 1.0, (ratio - 1.0 - spread, ratio - 1.0 + spread))
    });
    let interval = (difference - wide * error, difference + wide * error);
    Ok(Compared { difference, interval, lift, statistic, degrees, p_value: student_two_sided(statistic, degrees) })
}

/// The test of two proportions with pooled variance, and Newcombe's hybrid score interval of `level` (Newcombe 1998,
/// Statistics in Medicine 17, method 10), which stays inside -1 to 1 and is right at 0 hits.
///
/// # Errors
/// [`TestError`]: no trials, more hits than trials, or nobody (or everybody) succeeded in both.
pub fn two_proportions(control: Counted, treatment: Counted, level: f64) -> Result<Compared, TestError> {
    check_level(level)?;
    for of in [control, treatment] {
        if of.of < 1 {
            return Err(TestError::TooFew { n: of.of, needed: 1 });
        }
        if of.hits > of.of {
            return Err(TestError::Number { what: "hits", got: of.hits as f64, expected: "at most the trials" });
        }
    }
    let (n, m) = (control.of as f64, treatment.of as f64);
    let (p, q) = (control.hits as f64 / n, treatment.hits as f64 / m);
    let pooled = (control.hits as f64 + treatment.hits as f64) / (n + m);
    let variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m);
    if variance <= 0.0 {
        return Err(TestError::NoVariance);
    }
    let z = normal_quantile(0.5 + level / 2.0);
    let wilson = |p: f64, n: f64| {
        let middle = p + z * z / (2.0 * n);
        let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let below = 1.0 + z * z / n;
        ((middle - spread) / below, (middle + spread) / below)
    };
    let ((pl, pu), (ql, qu)) = (wilson(p, n), wilson(q, m));
    let difference = q - p;
    let interval = (
        difference - ((q - ql).powi(2) + (pu - p).powi(2)).sqrt(),
        difference + ((qu - q).powi(2) + (p - pl).powi(2)).sqrt(),
    );
    let statistic = difference / variance.sqrt();
    let lift = (p > 0.0).then(|| {
        let ratio = q / p;
        let spread = z * (q * (1.0 - q) / m + ratio * ratio * p * (1.0 - p) / n).sqrt() / p;
        (ratio - 1.0, (ratio - 1.0 - spread, ratio - 1.0 + spread))
    });
    let p_value = 2.0 * normal_cdf(-statistic.abs());
    Ok(Compared { difference, interval, lift, statistic, degrees: f64::INFINITY, p_value })
}

/// Units a variant needs so that a test of size `alpha` finds a difference of `effect` with probability `power`, when one
/// unit has standard deviation `deviation`: `2 (z_{1-alpha/2} + z_power)² deviation² / effect²`, rounded up.
///
/// # Errors
/// [`TestError::Number`] for a number outside its range.
pub fn units_needed(deviation: f64, effect: f64, alpha: f64, power: f64) -> Result<u64, TestError> {
    check_level(1.0 - alpha)?;
    check_level(power)?;
    let positive = |what, got: f64| {
        let fine = got > 0.0 && got.is_finite();
        if fine { Ok(()) } else { Err(TestError::Number { what, got, expected: "finite and above 0" }) }
    };
    positive("the deviation", deviation)?;
    positive("the effect", effect.abs())?;
    let z = normal_quantile(1.0 - alpha / 2.0) + normal_quantile(power);
    Ok((2.0 * (z * deviation / effect).powi(2)).ceil() as u64)
}
