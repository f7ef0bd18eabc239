//! What will a purchase be worth? The Gamma-Gamma model of spend by maximum likelihood.
//!
//! Fader & Hardie 2013, "The Gamma-Gamma model of monetary value" (brucehardie.com/notes/025). A customer's purchases
//! are Gamma(`p`, rate ν), the ν of customers are Gamma(`q`, rate `v`). A customer's own mean is drawn towards
//! everybody's, the less the more purchases it rests on.
//!
//! **When:** with [`BgNbd`](super::BgNbd), for the worth of customers. **When not:** where those who buy often spend
//! more (or less) a purchase: the model takes them for independent, and [`GammaGamma::correlation`] says how far they
//! are not; for spends with two modes.
//!
//! Cost: a pass over the customers a step (three gamma functions each).

use serde::{Deserialize, Serialize};

use super::likelihood::{Peak, Search};
use super::{CustomerSummary, PredictError};
use crate::math::special::ln_gamma;
use crate::{Checked, Estimated, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`GammaGamma`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `level` | .95 | .5 to .999 | the probability with which intervals hold the truth |
/// | `steps` | 500 | 10 to 100000 | steps of the search at most |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GammaGammaParams {
    /// The probability with which intervals hold the truth.
    pub level: f64,
    /// Steps of the search at most.
    pub steps: u32,
}

impl Default for GammaGammaParams {
    fn default() -> Self {
        Self { level: 0.95, steps: 500 }
    }
}

impl Validate for GammaGammaParams {
    fn table() -> &'static [ParamSpec] {
        super::bg_nbd::BgNbdParams::table()
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("level", self.level)?;
        check_range::<Self>("steps", self.steps.into())
    }
}

/// Fitted: how spends differ within and between customers.
///
/// # Example
/// ```
/// use likewise::Validate;
/// use likewise::decide::predict::{CustomerSummary, GammaGamma, GammaGammaParams};
/// // Customers differ, and the mean of one's few purchases differs more than that of many.
/// let spread = |x: u32, z: f64| 30.0 * (z * (0.3 + 0.5 / f64::from(x)).sqrt()).exp();
/// let of = |x: u32| [-1.5, -0.9, -0.5, -0.2, 0.2, 0.5, 0.9, 1.5].map(|z| CustomerSummary::new(x, 9.0, 10.0, spread(x, z)));
/// let customers: Vec<_> = (1..=6).flat_map(of).collect();
/// let model = GammaGamma::fit(&GammaGammaParams::default().check()?, &customers)?;
/// // One purchase of 90 is luck, thirty are a habit.
/// let (once, often) = (CustomerSummary::new(1, 9.0, 10.0, 90.0), CustomerSummary::new(30, 9.0, 10.0, 90.0));
/// assert!(model.value(&once).value < model.value(&often).value);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct GammaGamma {
    law: Spend,
    level: f64,
    peak: Peak,
    customers: usize,
    left_out: usize,
    correlation: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Spend {
    p: f64,
    q: f64,
    v: f64,
}

impl Spend {
    fn from_logs(logs: &[f64]) -> Self {
        let at = |i: usize| logs.get(i).copied().unwrap_or(f64::NAN).exp();
        Self { p: at(0), q: at(1), v: at(2) }
    }

    fn logs(self) -> [f64; 3] {
        [self.p.ln(), self.q.ln(), self.v.ln()]
    }

    /// Equation 1a of the note, for `x` purchases of mean `m`.
    fn log_likelihood(self, x: f64, m: f64) -> f64 {
        let Self { p, q, v } = self;
        let px = p * x;
        ln_gamma(px + q) - ln_gamma(px) - ln_gamma(q) + q * v.ln() + (px - 1.0) * m.ln() + px * x.ln()
            - (px + q) * (v + x * m).ln()
    }

    /// Equation 5: the expected mean spend given `x` purchases of mean `m`. Infinite where `p x + q <= 1`.
    fn expected(self, x: f64, m: f64) -> f64 {
        let Self { p, q, v } = self;
        let below = p * x + q - 1.0;
        if below > 0.0 { p * (v + x * m) / below } else { f64::INFINITY }
    }
}

impl GammaGamma {
    /// The most likely parameters for the customers who came back and whose mean value is above 0; the others are
    /// left out and counted.
    ///
    /// # Errors
    /// [`PredictError::Row`] for a summary that cannot be; [`PredictError::TooFew`] below three customers;
    /// [`PredictError::NotFound`] where spends do not differ, so that the likelihood rises without end.
    pub fn fit(params: &Checked<GammaGammaParams>, customers: &[CustomerSummary]) -> Result<GammaGamma, PredictError> {
        customers.iter().enumerate().try_for_each(|(row, c)| c.validate(row))?;
        let used = customers.iter().filter(|c| c.frequency > 0 && c.mean_value > 0.0);
        let rows: Vec<(f64, f64)> = used.map(|c| (f64::from(c.frequency), c.mean_value)).collect();
        if rows.len() < 3 {
            return Err(PredictError::TooFew { what: "customers who came back", got: rows.len(), needed: 3 });
        }
        let n = rows.len() as f64;
        let scale = rows.iter().map(|(_, m)| m).sum::<f64>() / n;
        // In multiples of the mean spend, so that a currency of large numbers is searched like any other.
        let unit: Vec<(f64, f64)> = rows.iter().map(|&(x, m)| (x, m / scale)).collect();
        let cost = |logs: &[f64]| {
            let law = Spend::from_logs(logs);
            -unit.iter().map(|&(x, m)| law.log_likelihood(x, m)).sum::<f64>() / n
        };
        let start = |p, q: f64| Spend { p, q, v: (q - 1.0) / p }.logs();
        let search = Search { model: "Gamma-Gamma", wall: 14.0, customers: n, steps: params.steps };
        let mut peak = search.run(&cost, [&start(2.0, 3.0), &start(8.0, 8.0)])?;
        // Back to the currency: the rate is in it, and so is the density of every mean.
        peak.at[2] += scale.ln();
        peak.log_likelihood -= n * scale.ln();
        Ok(GammaGamma {
            law: Spend::from_logs(&peak.at),
            level: params.level,
            peak,
            customers: rows.len(),
            left_out: customers.len() - rows.len(),
            correlation: correlation(&rows),
        })
    }
}

/// Pearson's; NaN without variance.
fn correlation(rows: &[(f64, f64)]) -> f64 {
    let n = rows.len() as f64;
    let (sx, sy) = rows.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mx, my) = (sx / n, sy / n);
    let [xx, yy, xy] = rows.iter().fold([0.0; 3], |[a, b, c], (x, y)| {
        [a + (x - mx) * (x - mx), b + (y - my) * (y - my), c + (x - mx) * (y - my)]
    });
    xy / (xx * yy).sqrt()
}

impl GammaGamma {
    /// Shape of one customer's spends.
    #[must_use]
    pub fn p(&self) -> Estimated {
        self.peak.parameter(0, self.level)
    }

    /// Shape of how customers differ.
    #[must_use]
    pub fn q(&self) -> Estimated {
        self.peak.parameter(1, self.level)
    }

    /// Rate of how customers differ, in the currency.
    #[must_use]
    pub fn v(&self) -> Estimated {
        self.peak.parameter(2, self.level)
    }

    /// The logarithm of the likelihood.
    #[must_use]
    pub const fn log_likelihood(&self) -> f64 {
        self.peak.log_likelihood
    }

    /// How many customers it was fitted on.
    #[must_use]
    pub const fn customers(&self) -> usize {
        self.customers
    }

    /// How many it could not use: without a repeat, or whose repeats brought nothing.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }

    /// How frequency and mean value hang together (Pearson), which the model takes to be not at all; NaN where one of
    /// them does not vary. There is no published limit: Fader, Hardie & Lee 2005 ("RFM and CLV", Journal of Marketing
    /// Research 42) go on with .11 on the CDNOW sample, half of which is one customer's. The farther it is from 0, the more
    /// the worth of those who buy often is over- or understated: judge it by a later period.
    #[must_use]
    pub const fn correlation(&self) -> f64 {
        self.correlation
    }

    /// The standard error of the logarithm of `f`.
    pub(super) fn log_error(&self, customer: &CustomerSummary) -> f64 {
        self.peak.error_of(|logs| expected(Spend::from_logs(logs), customer).ln())
    }

    /// The expected value of a customer's next purchase, with the interval of what the fit does not know. For one
    /// without a repeat it is everybody's; infinite, with NaN ends, where spends vary so much (`q <= 1`) that they
    /// have no mean.
    #[must_use]
    pub fn value(&self, customer: &CustomerSummary) -> Estimated {
        let value = expected(self.law, customer);
        if value.is_finite() {
            Estimated::log_normal(value, self.log_error(customer), self.level)
        } else {
            Estimated::unsure(value)
        }
    }
}

/// A mean value of 0 or below is that of no purchase the model knows: such a customer counts as one without a repeat.
fn expected(law: Spend, customer: &CustomerSummary) -> f64 {
    if customer.frequency > 0 && customer.mean_value > 0.0 {
        law.expected(customer.frequency.into(), customer.mean_value)
    } else {
        law.expected(0.0, 0.0)
    }
}
