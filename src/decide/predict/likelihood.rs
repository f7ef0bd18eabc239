//! Maximum likelihood in logarithms of parameters, and the errors that follow from its curvature.

use super::PredictError;
use crate::Estimated;
use crate::math::optimise::{gradient, hessian, minimise};
use crate::math::solve::Symmetric;

/// Where a likelihood is highest.
#[derive(Clone, Debug)]
pub(super) struct Peak {
    /// The logarithms of the parameters.
    pub(super) at: Vec<f64>,
    /// Of `at`; `None` where the likelihood has no curvature there.
    covariance: Option<Symmetric>,
    /// The logarithm of the likelihood.
    pub(super) log_likelihood: f64,
    pub(super) steps: usize,
}

/// What is searched, and how far.
pub(super) struct Search {
    /// Named in the error.
    pub(super) model: &'static str,
    /// No logarithm is let be larger: what runs off along a ridge ends here.
    pub(super) wall: f64,
    /// Over how many customers the cost is a mean.
    pub(super) customers: f64,
    pub(super) steps: u32,
}

impl Search {
    /// The least of `cost`, which is a customer's mean share of the log-likelihood, negative (slopes then mean the same
    /// whatever the number of customers), from the better of two starts.
    pub(super) fn run(&self, cost: &impl Fn(&[f64]) -> f64, starts: [&[f64]; 2]) -> Result<Peak, PredictError> {
        let walled =
            |logs: &[f64]| if logs.iter().all(|log| log.abs() < self.wall) { cost(logs) } else { f64::INFINITY };
        let [first, second] = starts.map(|start| minimise(&walled, start, 1e-8, self.steps as usize));
        let best = if second.value < first.value { second } else { first };
        // Differences leave a slope of some 1e-7; what runs off ends near the wall, or with more slope.
        let off = best.at.iter().any(|log| log.abs() > 0.85 * self.wall);
        if !best.value.is_finite() || best.slope > 1e-5 || off {
            return Err(PredictError::NotFound { model: self.model, steps: best.steps, slope: best.slope });
        }
        let mut information = hessian(&walled, &best.at);
        information.of.iter_mut().for_each(|h| *h *= self.customers);
        let covariance = information.inverse();
        Ok(Peak { at: best.at, covariance, log_likelihood: -best.value * self.customers, steps: best.steps })
    }
}

impl Peak {
    /// Parameters that are known and not fitted: nothing has an interval.
    pub(super) fn known(at: Vec<f64>) -> Self {
        Self { at, covariance: None, log_likelihood: f64::NAN, steps: 0 }
    }

    pub(super) const fn has_intervals(&self) -> bool {
        self.covariance.is_some()
    }

    /// The parameter at a place.
    pub(super) fn parameter(&self, place: usize, level: f64) -> Estimated {
        let variance = self.covariance.as_ref().map_or(f64::NAN, |c| c.get(place, place));
        Estimated::log_normal(self.at.get(place).map_or(f64::NAN, |log| log.exp()), variance.sqrt(), level)
    }

    /// The standard error of `f` of the logarithms, by the delta method; NaN without a curvature.
    pub(super) fn error_of(&self, f: impl Fn(&[f64]) -> f64) -> f64 {
        let Some(covariance) = &self.covariance else { return f64::NAN };
        covariance.quadratic(&gradient(&f, &self.at)).max(0.0).sqrt()
    }
}
