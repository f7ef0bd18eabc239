//! What is a customer worth? Expected purchases, times what one brings, less what waiting costs.

use serde::{Deserialize, Serialize};

use super::{BgNbd, CustomerSummary, GammaGamma, PredictError};
use crate::{Checked, Estimated, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`lifetime_value`], times in the unit the model was fitted in.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `horizon` | 52 | .01 to 10000 | how far ahead |
/// | `step` | 4 | .01 to 10000 | money comes at the end of each such step |
/// | `discount` | .002 | 0 to 1 | what a unit of time costs: .002 a week is about 11 % a year |
/// | `margin` | 1 | 0 to 1 | the share of a purchase that is kept |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifetimeParams {
    /// How far ahead.
    pub horizon: f64,
    /// Money comes at the end of each such step; at most 10,000 steps are taken.
    pub step: f64,
    /// What a unit of time costs.
    pub discount: f64,
    /// The share of a purchase that is kept.
    pub margin: f64,
}

impl Default for LifetimeParams {
    fn default() -> Self {
        Self { horizon: 52.0, step: 4.0, discount: 0.002, margin: 1.0 }
    }
}

impl Validate for LifetimeParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("horizon", 0.01, 1e4, "how far ahead"),
            ParamSpec::real("step", 0.01, 1e4, "money comes at the end of each such step"),
            ParamSpec::real("discount", 0.0, 1.0, "what a unit of time costs"),
            ParamSpec::real("margin", 0.0, 1.0, "the share of a purchase that is kept"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("horizon", self.horizon)?;
        check_range::<Self>("step", self.step)?;
        check_range::<Self>("discount", self.discount)?;
        check_range::<Self>("margin", self.margin)?;
        if self.horizon / self.step > 10_000.0 {
            return Err(ParamError::new("step", self.step, "at least a 10000th of the horizon"));
        }
        Ok(())
    }
}

/// The discounted value of what a customer will buy within the horizon: the sum over steps of expected purchases times
/// expected value times margin times `(1 + discount)^-time`.
///
/// The interval joins what both fits do not know, as if independent (they rest on different columns); it does not
/// hold what chance adds to one customer. Cost: a forecast a step, nine times over.
///
/// # Errors
/// [`PredictError::Row`] (row 0) for a summary that cannot be.
pub fn lifetime_value(
    purchases: &BgNbd,
    spend: &GammaGamma,
    customer: &CustomerSummary,
    params: &Checked<LifetimeParams>,
) -> Result<Estimated, PredictError> {
    customer.validate(0)?;
    let steps = (params.horizon / params.step).ceil() as u32;
    let discounted = |law: super::bg_nbd_law::Law| {
        let (alive, survivor) = (law.alive(customer), law.of_survivor(customer));
        let (mut before, mut sum) = (0.0, 0.0);
        for k in 1..=steps {
            let end = (f64::from(k) * params.step).min(params.horizon);
            let until = survivor.expected(end);
            sum += (until - before) * (1.0 + params.discount).powf(-end);
            before = until;
        }
        alive * sum
    };
    let count = purchases.positive(discounted);
    let value = spend.value(customer).value * params.margin;
    if count.value <= 0.0 || value <= 0.0 {
        return Ok(Estimated { value: 0.0, low: 0.0, high: 0.0 });
    }
    let z = crate::math::distribution::two_sided(purchases.level);
    let error = (count.high / count.value).ln() / z;
    Ok(Estimated::log_normal(count.value * value, error.hypot(spend.log_error(customer)), purchases.level))
}
