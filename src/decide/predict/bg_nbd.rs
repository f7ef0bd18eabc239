//! Is the customer still there, and how often will they buy? BG/NBD by maximum likelihood.
//!
//! Fader, Hardie & Lee 2005, "Counting your customers" the easy way: an alternative to the Pareto/NBD model, Marketing
//! Science 24(2). While there, a customer buys at a rate of their own, and after each purchase leaves for good with a
//! probability of their own; rates are gamma, probabilities beta distributed over customers.
//!
//! **When:** shops without contracts, where nobody says good-bye; hundreds of customers and some repeats. **When not:** for
//! subscriptions; where purchases come like clockwork (see [`Replenishment`](super::Replenishment)); for one who
//! bought once it says "certainly there", since one can only leave after a repeat.
//!
//! How sure: the parameters' errors are those of the likelihood's curvature at its top, in logarithms; intervals of
//! what is computed from them follow by the delta method (on the log or log-odds scale, so that they stay in range).
//! They say what the fit does not know. What chance adds is told apart: [`PurchaseForecast::likely`] is the range of
//! the count itself, from its exact law.
//!
//! Cost: a likelihood is one pass over distinct histories (two logarithms and an exponential each); a fit takes some
//! 300 of them. A forecast is a series of a few dozen terms, nine times over for its interval.

use serde::{Deserialize, Serialize};

use super::bg_nbd_law::{Grouped, Law};
use super::likelihood::{Peak, Search};
use super::{CustomerSummary, PredictError};
use crate::math::distribution::two_sided;
use crate::{Checked, Estimated, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`BgNbd`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `level` | .95 | .5 to .999 | the probability with which intervals hold the truth |
/// | `steps` | 500 | 10 to 100000 | steps of the search at most |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BgNbdParams {
    /// The probability with which intervals hold the truth.
    pub level: f64,
    /// Steps of the search at most.
    pub steps: u32,
}

impl Default for BgNbdParams {
    fn default() -> Self {
        Self { level: 0.95, steps: 500 }
    }
}

impl Validate for BgNbdParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("level", 0.5, 0.999, "the probability with which intervals hold the truth"),
            ParamSpec::int("steps", 10, 100_000, "steps of the search at most"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("level", self.level)?;
        check_range::<Self>("steps", self.steps.into())
    }
}

/// What is expected of one customer in some time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PurchaseForecast {
    /// The expected number of purchases, with the interval of what the fit does not know.
    pub expected: Estimated,
    /// The probability that the customer has not left.
    pub alive: Estimated,
    /// The probability of at least one purchase.
    pub any: f64,
    /// The numbers of purchases between which the true one will lie with the probability of the level (or somewhat
    /// more: numbers are whole), at the fitted parameters.
    pub likely: (u32, u32),
}

/// Fitted: the four parameters, how sure they are, and what they say of customers.
///
/// # Example
/// ```
/// use likewise::Validate;
/// use likewise::decide::predict::{BgNbd, BgNbdParams, CustomerSummary};
/// // Thirty weeks; some came back often and lately, some never.
/// let seen = |x: u32, recency: f64| CustomerSummary::new(x, recency, 30.0, 0.0);
/// let mut customers = vec![seen(0, 0.0); 60];
/// customers.extend([seen(1, 4.0), seen(2, 11.0), seen(5, 27.0), seen(9, 29.0), seen(3, 6.0), seen(1, 25.0)].repeat(8));
/// let model = BgNbd::fit(&BgNbdParams::default().check()?, &customers)?;
/// let (gone, there) = (seen(5, 6.0), seen(5, 27.0));
/// assert!(model.alive(&gone).value < model.alive(&there).value);
/// let next = model.forecast(&there, 10.0);
/// assert!(next.expected.low < next.expected.value && next.expected.value < next.expected.high);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct BgNbd {
    pub(super) law: Law,
    pub(super) level: f64,
    peak: Peak,
    customers: usize,
}

impl BgNbd {
    /// The most likely parameters for these customers. `O(customers)` a step.
    ///
    /// # Errors
    /// [`PredictError::Row`] for a summary that cannot be; [`PredictError::TooFew`] below four customers or without
    /// any repeat; [`PredictError::NoTime`] where everything happened at once; [`PredictError::NotFound`] where the
    /// likelihood rises without end, as it does when nobody seems ever to leave.
    pub fn fit(params: &Checked<BgNbdParams>, customers: &[CustomerSummary]) -> Result<BgNbd, PredictError> {
        customers.iter().enumerate().try_for_each(|(row, c)| c.validate(row))?;
        let too_few = |what, got, needed| Err(PredictError::TooFew { what, got, needed });
        let age: f64 = customers.iter().map(|c| c.age).sum();
        let repeats: f64 = customers.iter().map(|c| f64::from(c.frequency)).sum();
        if customers.len() < 4 {
            return too_few("customers", customers.len(), 4);
        }
        if age <= 0.0 {
            return Err(PredictError::NoTime { customers: customers.len() });
        }
        if repeats < 1.0 {
            return too_few("repeat purchases", 0, 1);
        }
        let (grouped, n) = (Grouped::new(customers), customers.len() as f64);
        let cost = |logs: &[f64]| -Law::from_logs(logs).log_likelihood(&grouped) / n;
        // Two starts: few large differences between customers, and many small ones.
        let rate = repeats / age;
        let start = |r: f64, a, b| Law { r, alpha: r / rate, a, b }.logs();
        let search = Search { model: "BG/NBD", wall: 25.0, customers: n, steps: params.steps };
        let peak = search.run(&cost, [&start(0.3, 0.7, 2.0), &start(2.0, 1.5, 5.0)])?;
        Ok(BgNbd { law: Law::from_logs(&peak.at), level: params.level, peak, customers: customers.len() })
    }
}

impl BgNbd {
    /// A model of known parameters, all above 0: published ones, or those of an earlier fit. Without intervals.
    ///
    /// # Errors
    /// [`ParamError`] names the one that is not a finite number above 0.
    pub fn known(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self, ParamError> {
        for (name, value) in [("r", r), ("alpha", alpha), ("a", a), ("b", b)] {
            if !(f64::MIN_POSITIVE..=f64::MAX).contains(&value) {
                return Err(ParamError::new(name, value, "a finite number above 0"));
            }
        }
        let law = Law { r, alpha, a, b };
        Ok(Self { law, level: 0.95, peak: Peak::known(law.logs().to_vec()), customers: 0 })
    }

    /// Shape of the purchase rates: the smaller, the more customers differ.
    #[must_use]
    pub fn r(&self) -> Estimated {
        self.peak.parameter(0, self.level)
    }

    /// Rate of the purchase rates, in units of time: the mean customer buys `r / alpha` times a unit.
    #[must_use]
    pub fn alpha(&self) -> Estimated {
        self.peak.parameter(1, self.level)
    }

    /// First shape of the probability of leaving, whose mean is `a / (a + b)`.
    #[must_use]
    pub fn a(&self) -> Estimated {
        self.peak.parameter(2, self.level)
    }

    /// Second shape of the probability of leaving.
    #[must_use]
    pub fn b(&self) -> Estimated {
        self.peak.parameter(3, self.level)
    }

    /// The logarithm of the likelihood of the customers it was fitted on; NaN for known parameters.
    #[must_use]
    pub const fn log_likelihood(&self) -> f64 {
        self.peak.log_likelihood
    }

    /// How many customers it was fitted on.
    #[must_use]
    pub const fn customers(&self) -> usize {
        self.customers
    }

    /// How many steps the search took.
    #[must_use]
    pub const fn steps(&self) -> usize {
        self.peak.steps
    }

    /// Whether the likelihood has a curvature at its top, so that there are intervals. Where it has not (too few
    /// customers to tell rates from leaving), all intervals are NaN.
    #[must_use]
    pub const fn has_intervals(&self) -> bool {
        self.peak.has_intervals()
    }

    /// The standard error of `f` of the log-parameters, by the delta method.
    fn error_of(&self, f: impl Fn(Law) -> f64) -> f64 {
        self.peak.error_of(|logs| f(Law::from_logs(logs)))
    }

    /// As [`Estimated::log_normal`], for `f` of the parameters; 0 is certain.
    pub(super) fn positive(&self, f: impl Fn(Law) -> f64) -> Estimated {
        let value = f(self.law);
        if value > 0.0 {
            Estimated::log_normal(value, self.error_of(|law| f(law).ln()), self.level)
        } else {
            Estimated { value: 0.0, low: 0.0, high: 0.0 }
        }
    }

    /// The probability that a customer has not left (equation 13 of Fader & Hardie's notes; 1 without a repeat).
    #[must_use]
    pub fn alive(&self, customer: &CustomerSummary) -> Estimated {
        let p = self.law.alive(customer);
        if customer.frequency == 0 {
            return Estimated { value: p, low: p, high: p };
        }
        let odds = |p: f64| (p / (1.0 - p)).ln();
        let half = two_sided(self.level) * self.error_of(|law| odds(law.alive(customer)));
        let shifted = |by: f64| crate::math::special::logistic(odds(p) + by);
        if half.is_nan() && self.peak.has_intervals() {
            return Estimated { value: p, low: p, high: p }; // so near 0 or 1 that the odds are not finite
        }
        Estimated { value: p, low: shifted(-half), high: shifted(half) }
    }

    /// Expected purchases of a customer in the next `h` units of time; 0 where `h` is not above 0.
    #[must_use]
    pub fn expected(&self, customer: &CustomerSummary, h: f64) -> f64 {
        expected(self.law, customer, h)
    }

    /// Expected purchases of a new customer in their first `h` units of time, after the first purchase.
    #[must_use]
    pub fn expected_of_new(&self, h: f64) -> Estimated {
        self.positive(|law| law.expected(h.max(0.0)))
    }

    /// The probabilities of 0, 1, 2, ... purchases of a customer in the next `h` units, all but a part in a million.
    #[must_use]
    pub fn counts(&self, customer: &CustomerSummary, h: f64) -> Vec<f64> {
        let alive = self.law.alive(customer);
        let mut counts = self.law.of_survivor(customer).counts(h.max(0.0), 1e-6, 100_000);
        counts.iter_mut().for_each(|p| *p *= alive);
        if let Some(none) = counts.first_mut() {
            *none += 1.0 - alive;
        }
        counts
    }

    /// Everything about the next `h` units of time of one customer.
    #[must_use]
    pub fn forecast(&self, customer: &CustomerSummary, h: f64) -> PurchaseForecast {
        let counts = self.counts(customer, h);
        let tail = 0.5 * (1.0 - self.level);
        let reach = |share: f64| {
            let mut sum = 0.0;
            let place = counts.iter().position(|p| {
                sum += p;
                sum >= share
            });
            place.unwrap_or(counts.len()) as u32
        };
        PurchaseForecast {
            expected: self.positive(|law| expected(law, customer, h)),
            alive: self.alive(customer),
            any: 1.0 - counts.first().copied().unwrap_or(1.0),
            likely: (reach(tail), reach(1.0 - tail)),
        }
    }
}

fn expected(law: Law, customer: &CustomerSummary, h: f64) -> f64 {
    law.alive(customer) * law.of_survivor(customer).expected(h.max(0.0))
}
