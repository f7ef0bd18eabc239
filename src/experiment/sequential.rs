//! Tests that may be read at any time, as often as anybody likes, and stopped when they say so.
//!
//! **When:** an experiment somebody watches, which is every one. **When not:** when the number of shoppers is fixed and
//! small: where the effect is just the one planned for, the right to look costs power against [`welch`](super::welch) read
//! once; where it is larger, it ends long before (`cargo run --release --example experiment` prints both).
//!
//! With `d` the difference of the means and `s²` its variance, the mixture likelihood ratio against "no difference" with
//! normal weights of variance `τ²` over effects is
//!
//! ```text
//! ln Λ = ½ (d² / s²) x / (1 + x) − ½ ln(1 + x),      x = τ² / s²
//! ```
//!
//! and `P(Λ ever exceeds 1/α) <= α`. The p-value is the smallest `1/Λ` so far, the interval the cut of all `d ± w` with
//! `w² = s² (1 + x)/x (ln(1 + x) − 2 ln α)`. `τ` in units of the metric ([`Mixture::Effect`]) is the mixture SPRT
//! (Johari, Koomen, Pekelis & Walsh 2022, "Always valid inference", Operations Research 70); `x = ρ² n`
//! ([`Mixture::TunedFor`]) is the asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024,
//! "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52), with `ρ` such that
//! the interval is narrowest at `n` units. They are one boundary, told what to expect in two ways.
//!
//! Variances are estimated along the way, so both hold asymptotically: the [burn-in](SequentialParams::burn_in) keeps the
//! first estimates from speaking.
//!
//! Cost: `O(1)` an observation, with a look or without.

use serde::{Deserialize, Serialize};

use super::fixed::{Sample, TestError};
use crate::{Checked, ParamError, ParamSpec, Validate, check_range};

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Means of any numbers, with the variance of the values.
    #[default]
    Mean,
    /// Shares of successes (values 0 and 1), with the binomial variance at `(hits + ½) / (n + 1)`, which is never 0.
    Proportion,
}

/// Which effects the test is sharpest for. It is valid for all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mixture {
    /// Effects of about this size, in units of the metric: the standard deviation `τ` of the weights.
    Effect(f64),
    /// Effects that show after about so many units, of both variants together. It takes the shares of the variants to
    /// stay as they are: while a share is ramped up, units say little of how much is known of the difference, and
    /// [`Effect`](Self::Effect), which goes by the variance alone, is the one that holds.
    TunedFor(u64),
}

/// How a [`Sequential`] test decides.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `metric` | mean | mean, proportion | what is compared |
/// | `alpha` | 0.05 | 1e-9 to 0.5 | chance of ever seeing a difference where there is none |
/// | `mixture` | tuned for 10,000 | effect above 0, or 1 to 2^53 units | which effects it is sharpest for |
/// | `burn_in` | 100 | 2 to 2^53 | units of each variant before the first look counts |
///
/// The burn-in of 100 is enough for shares of 1 % and more and for values that are not much more skewed than an
/// exponential; for revenue with rare big orders take 1,000 (`cargo run --release --example experiment` prints the false
/// alarms of each).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequentialParams {
    /// What is compared.
    pub metric: Metric,
    /// Chance of a false alarm over all looks.
    pub alpha: f64,
    /// Which effects it is sharpest for.
    pub mixture: Mixture,
    /// Units of each variant before the first look counts.
    pub burn_in: u64,
}

impl Default for SequentialParams {
    fn default() -> Self {
        Self { metric: Metric::Mean, alpha: 0.05, mixture: Mixture::TunedFor(10_000), burn_in: 100 }
    }
}

impl Validate for SequentialParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("metric", "mean or proportion", "what is compared"),
            ParamSpec::real("alpha", 1e-9, 0.5, "chance of a false alarm over all looks"),
            ParamSpec::typed("mixture", "an effect above 0, or 1 to 2^53 units", "which effects it is sharpest for"),
            ParamSpec::int("burn_in", 2, 1 << 53, "units of each variant before the first look counts"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("alpha", self.alpha)?;
        let (fine, got) = match self.mixture {
            Mixture::Effect(tau) => ((1e-100..=1e100).contains(&tau), tau),
            Mixture::TunedFor(n) => ((1..=1 << 53).contains(&n), n as f64),
        };
        if !fine {
            return Err(ParamError::new("mixture", got, "an effect from 1e-100 to 1e100, or 1 to 2^53 units"));
        }
        check_range::<Self>("burn_in", self.burn_in as f64)
    }
}

/// Number, mean and squared deviations of a stream of values (Welford 1962), mergeable (Chan, Golub & LeVeque 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    /// Values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// `Σ (value - mean)²`.
    pub squares: f64,
}

impl Moments {
    /// One value more; it must be finite.
    pub fn push(&mut self, value: f64) {
        self.n += 1;
        let off = value - self.mean;
        self.mean += off / self.n as f64;
        self.squares += off * (value - self.mean);
    }

    /// The values of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let n = self.n + other.n;
        if n == 0 {
            return self;
        }
        let (off, share) = (other.mean - self.mean, other.n as f64 / n as f64);
        let squares = self.squares + other.squares + off * off * self.n as f64 * share;
        Self { n, mean: self.mean + off * share, squares }
    }

    /// As the sample a test compares; a variance of 0 below two values.
    #[must_use]
    pub fn sample(&self) -> Sample {
        Sample { n: self.n, mean: self.mean, variance: self.squares / (self.n.max(2) as f64 - 1.0) }
    }

    /// The interval of one mean that holds at all times at once with probability `1 - alpha`, narrowest after
    /// `tuned_for` values; `None` below two values or where nothing varies.
    #[must_use]
    pub fn interval(&self, alpha: f64, tuned_for: u64) -> Option<(f64, f64)> {
        let variance = self.sample().of_mean();
        if self.n < 2 || variance <= 0.0 {
            return None;
        }
        let x = self.n as f64 * rho_squared(alpha, tuned_for);
        let wide = half_width(variance, x, alpha);
        Some((self.mean - wide, self.mean + wide))
    }
}

/// `ρ²` such that the boundary is narrowest at `n`: the `x = ρ² n` with `x = ln(1 + x) − 2 ln α`, by iteration.
fn rho_squared(alpha: f64, n: u64) -> f64 {
    let far = -2.0 * alpha.ln();
    let mut x = far;
    for _ in 0..40 {
        x = far + x.ln_1p();
    }
    x / n as f64
}

fn half_width(variance: f64, x: f64, alpha: f64) -> f64 {
    (variance * (1.0 + x) / x * (x.ln_1p() - 2.0 * alpha.ln())).sqrt()
}

/// Which variant a value belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// How it is.
    Control,
    /// How it might be.
    Treatment,
}

/// What a test says now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Look {
    /// Treatment less control, at this moment.
    pub difference: f64,
    /// The interval that holds at all times at once; unbounded before the burn-in is over. Its ends cross only if the
    /// difference itself moved with time.
    pub interval: (f64, f64),
    /// Always valid; never rises.
    pub p_value: f64,
    /// Whether it may be stopped.
    pub verdict: Verdict,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is shown yet.
    GoOn,
    /// The treatment's mean is higher.
    Higher,
    /// The treatment's mean is lower.
    Lower,
}

/// A value that cannot be observed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SequentialError {
    /// Not a number, or not a success or failure.
    #[error("the value {got} is not {expected}; it was not counted")]
    Value {
        /// The value.
        got: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// Estimates that cannot be compared.
    #[error(transparent)]
    Estimate(#[from] TestError),
}

/// A running test of two variants. Plain data: it can be stored and read back between visits.
///
/// # Example
/// ```
/// use likewise::Validate;
/// use likewise::experiment::{Metric, Mixture, Sequential, SequentialParams, Side, Verdict};
///
/// let params = SequentialParams { metric: Metric::Proportion, mixture: Mixture::Effect(0.1), ..Default::default() };
/// let mut test = Sequential::new(params.check()?);
/// let mut stopped = None;
/// for visit in 0..2_000u32 {
///     test.observe(Side::Control, f64::from(u8::from(visit % 10 == 0)))?;
///     let look = test.observe(Side::Treatment, f64::from(u8::from(visit % 5 == 0)))?;
///     if look.verdict == Verdict::Higher {
///         stopped = Some(visit);
///         break;
///     }
/// }
/// assert!(stopped.is_some_and(|visit| visit < 1_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    params: Checked<SequentialParams>,
    /// `ρ²` of [`Mixture::TunedFor`], so that a look need not solve for it; 0 for the other.
    rho_squared: f64,
    control: Moments,
    treatment: Moments,
    ln_p: f64,
    /// Highest lower end, lowest upper end so far; absent before the first look that counts.
    bounds: Option<(f64, f64)>,
    verdict: Verdict,
}

impl Sequential {
    /// A test that saw nothing yet.
    #[must_use]
    pub fn new(params: Checked<SequentialParams>) -> Self {
        let none = Moments::default();
        let rho_squared = match params.mixture {
            Mixture::Effect(_) => 0.0,
            Mixture::TunedFor(n) => rho_squared(params.alpha, n),
        };
        Self { params, rho_squared, control: none, treatment: none, ln_p: 0.0, bounds: None, verdict: Verdict::GoOn }
    }

    /// Counts a value without looking, for streams that are looked at now and then.
    ///
    /// # Errors
    /// [`SequentialError::Value`] for a value that is not finite, or not 0 or 1 where proportions are compared.
    pub fn record(&mut self, side: Side, value: f64) -> Result<(), SequentialError> {
        let expected = match self.params.metric {
            Metric::Mean if value.is_finite() => None,
            Metric::Mean => Some("a finite number"),
            Metric::Proportion if value == 0.0 || value == 1.0 => None,
            Metric::Proportion => Some("0 or 1"),
        };
        if let Some(expected) = expected {
            return Err(SequentialError::Value { got: value, expected });
        }
        match side {
            Side::Control => self.control.push(value),
            Side::Treatment => self.treatment.push(value),
        }
        Ok(())
    }

    /// Counts a value and looks.
    ///
    /// # Errors
    /// As [`Sequential::record`].
    pub fn observe(&mut self, side: Side, value: f64) -> Result<Look, SequentialError> {
        self.record(side, value)?;
        Ok(self.look())
    }

    /// Looks: a look is part of the test, so it is remembered. `O(1)`.
    pub fn look(&mut self) -> Look {
        let (control, treatment) = (self.side(self.control), self.side(self.treatment));
        self.look_at(control, treatment)
    }

    /// Looks at estimates made elsewhere over all units so far, such as figures after
    /// [CUPED](super::Adjust::Cuped). What was recorded is left aside.
    ///
    /// # Errors
    /// [`SequentialError::Estimate`] for estimates that are not numbers.
    pub fn look_at_estimates(&mut self, control: Sample, treatment: Sample) -> Result<Look, SequentialError> {
        control.check()?;
        treatment.check()?;
        Ok(self.look_at(control, treatment))
    }

    fn look_at(&mut self, control: Sample, treatment: Sample) -> Look {
        let difference = treatment.mean - control.mean;
        let variance = control.of_mean() + treatment.of_mean();
        let ready = control.n.min(treatment.n) >= self.params.burn_in && variance > 0.0;
        if ready {
            let alpha = self.params.alpha;
            let x = match self.params.mixture {
                Mixture::Effect(tau) => tau * tau / variance,
                Mixture::TunedFor(_) => self.rho_squared * (control.n + treatment.n) as f64,
            };
            let ln_ratio = 0.5 * (difference * difference / variance * (x / (1.0 + x)) - x.ln_1p());
            self.ln_p = self.ln_p.min(-ln_ratio);
            let wide = half_width(variance, x, alpha);
            let (low, high) = self.bounds.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
            self.bounds = Some((low.max(difference - wide), high.min(difference + wide)));
            if self.verdict == Verdict::GoOn && self.ln_p <= alpha.ln() {
                self.verdict = if difference > 0.0 { Verdict::Higher } else { Verdict::Lower };
            }
        }
        let interval = self.bounds.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        Look { difference, interval, p_value: self.ln_p.exp(), verdict: self.verdict }
    }

    /// Units of control and treatment.
    #[must_use]
    pub const fn units(&self) -> (u64, u64) {
        (self.control.n, self.treatment.n)
    }

    fn side(&self, moments: Moments) -> Sample {
        let sample = moments.sample();
        match self.params.metric {
            Metric::Mean => sample,
            Metric::Proportion => {
                let n = moments.n as f64;
                let share = (moments.mean * n + 0.5) / (n + 1.0);
                Sample { variance: share * (1.0 - share), ..sample }
            }
        }
    }
}
