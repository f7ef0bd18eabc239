//! How likely is yes? Logistic regression with a ridge penalty, for propensity to buy and, as its complement, churn.
//!
//! Columns are centred and divided by their standard deviation on the rows fitted on, so that one penalty means the
//! same for all of them; the intercept is free. The top of the penalised likelihood is found by Newton's steps
//! (iteratively reweighted least squares), halved where they go too far; it is unique and finite for any data,
//! separable ones included, as long as both labels occur. Where the data *are* separable, the size of the
//! coefficients is the penalty's doing and not the data's: [`Logistic::separation`] says so.
//!
//! How sure: the inverse of the penalised curvature (the Laplace approximation with the penalty as a prior). With a
//! penalty that matters, intervals are about the penalised coefficients.
//!
//! **When:** dozens of columns, hundreds of rows or more; a first and hard-to-beat base line whose coefficients can be read.
//! **When not:** for thousands of columns (`O(columns^3)` a step); for interactions nobody wrote down as a column.
//!
//! Cost: `O(rows x columns^2)` a step.

use serde::{Deserialize, Serialize};

use super::PredictError;
use crate::math::distribution::two_sided;
use crate::math::solve::Symmetric;
use crate::math::special::{logistic, soft_plus};
use crate::{Checked, Estimated, ParamError, ParamSpec, Validate, check_range};

/// Recipe for [`Logistic`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `l2` | 1 | 1e-6 to 1e6 | half of it times the sum of squared coefficients (a standard deviation each) is the penalty |
/// | `steps` | 100 | 1 to 10000 | Newton steps at most |
/// | `level` | .95 | .5 to .999 | the probability with which intervals hold the truth |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticParams {
    /// Half of it times the sum of squared coefficients is the penalty.
    pub l2: f64,
    /// Newton steps at most.
    pub steps: u32,
    /// The probability with which intervals hold the truth.
    pub level: f64,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self { l2: 1.0, steps: 100, level: 0.95 }
    }
}

impl Validate for LogisticParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("l2", 1e-6, 1e6, "the penalty of squared coefficients"),
            ParamSpec::int("steps", 1, 10_000, "Newton steps at most"),
            ParamSpec::real("level", 0.5, 0.999, "the probability with which intervals hold the truth"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("l2", self.l2)?;
        check_range::<Self>("steps", self.steps.into())?;
        check_range::<Self>("level", self.level)
    }
}

/// Whether the columns tell the labels apart without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Separation {
    /// They do not: the data say how large coefficients are.
    Overlapping,
    /// They do: only the penalty keeps coefficients finite, and their intervals are not to be read.
    Separable,
}

/// One column's say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Coefficient {
    /// Change of the log-odds for one standard deviation more.
    pub by_deviation: Estimated,
    /// Change of the log-odds for one unit more; 0 for a column that did not vary.
    pub by_unit: f64,
    /// The column's standard deviation on the rows fitted on; 0 for one that did not vary and is not used.
    pub deviation: f64,
}

/// Fitted: the probability of yes, given a row.
///
/// # Example
/// ```
/// use likewise::Validate;
/// use likewise::decide::predict::{Logistic, LogisticParams, Separation};
/// let params = LogisticParams::default().check()?;
/// let rows: Vec<[f64; 1]> = (0..40).map(|i| [f64::from(i)]).collect();
/// let labels: Vec<u8> = (0..40).map(|i| u8::from(i % 10 < i / 4)).collect();
/// let model = Logistic::fit(&params, rows.iter().map(|r| &r[..]), &labels)?;
/// assert_eq!(model.separation(), Separation::Overlapping);
/// let p = model.probability(&[35.0])?;
/// assert!(p.low < p.value && p.value > 0.6);
/// // Labels that a column tells apart: finite all the same, and said.
/// let split: Vec<u8> = (0..40).map(|i| u8::from(i >= 20)).collect();
/// let model = Logistic::fit(&params, rows.iter().map(|r| &r[..]), &split)?;
/// assert_eq!(model.separation(), Separation::Separable);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Logistic {
    means: Vec<f64>,
    deviations: Vec<f64>,
    /// The intercept, then a coefficient a column, per standard deviation.
    weights: Vec<f64>,
    covariance: Option<Symmetric>,
    level: f64,
    rows: usize,
    steps: usize,
    separation: Separation,
}

impl Logistic {
    /// Learns from rows of equal length with labels 0 and 1. Deterministic.
    ///
    /// # Errors
    /// [`PredictError::Lengths`], [`PredictError::Columns`]; [`PredictError::Row`] for a number that is not finite or
    /// a label above 1; [`PredictError::TooFew`] without rows; [`PredictError::OneClass`] where all labels are the
    /// same.
    pub fn fit<'a>(
        params: &Checked<LogisticParams>,
        rows: impl IntoIterator<Item = &'a [f64]>,
        labels: &[u8],
    ) -> Result<Logistic, PredictError> {
        let rows: Vec<&[f64]> = rows.into_iter().collect();
        let columns = rows.first().map_or(0, |row| row.len());
        check(&rows, columns, labels)?;
        let n = rows.len() as f64;
        let column = |c: usize| rows.iter().map(move |row| row[c]);
        let means: Vec<f64> = (0..columns).map(|c| column(c).sum::<f64>() / n).collect();
        let deviation = |c: usize| {
            let scatter = (column(c).map(|v| (v - means[c]).powi(2)).sum::<f64>() / n).sqrt();
            // What rounding makes of a constant is no variation.
            if scatter > 1e-12 * means[c].abs() { scatter } else { 0.0 }
        };
        let deviations: Vec<f64> = (0..columns).map(deviation).collect();
        let width = columns + 1;
        let mut design = Vec::with_capacity(rows.len() * width);
        rows.iter().for_each(|row| standardise(row, &means, &deviations, &mut design));

        let positive = labels.iter().map(|&l| f64::from(l)).sum::<f64>();
        let mut weights = vec![0.0; width];
        weights[0] = (positive / (n - positive)).ln();
        let cost = |weights: &[f64]| {
            let rows = design.chunks_exact(width).zip(labels);
            let loss: f64 = rows.map(|(x, &y)| soft_plus(dot(x, weights)) - f64::from(y) * dot(x, weights)).sum();
            loss + 0.5 * params.l2 * weights[1..].iter().map(|w| w * w).sum::<f64>()
        };
        let (mut now, mut steps) = (cost(&weights), 0);
        let mut curvature = Symmetric::zero(width);
        for _ in 0..params.steps {
            steps += 1;
            let slope = Self::slope(params, &design, labels, &weights, &mut curvature);
            let Some(step) = curvature.factor().map(|factor| factor.solve(&slope)) else { break };
            let halved = (0..40).map(|k| 0.5_f64.powi(k)).find_map(|length| {
                let next: Vec<f64> = weights.iter().zip(&step).map(|(w, s)| w - length * s).collect();
                let there = cost(&next);
                (there < now).then_some((next, there))
            });
            let Some((next, there)) = halved else { break };
            let done = now - there <= 1e-12 * now.abs();
            (weights, now) = (next, there);
            if done {
                break;
            }
        }
        Self::slope(params, &design, labels, &weights, &mut curvature);
        let lean =
            |label: u8| design.chunks_exact(width).zip(labels).filter(move |(_, y)| **y == label).map(|(x, _)| x);
        let least_yes = lean(1).map(|x| dot(x, &weights)).fold(f64::INFINITY, f64::min);
        let most_no = lean(0).map(|x| dot(x, &weights)).fold(f64::NEG_INFINITY, f64::max);
        let separation = if least_yes > most_no { Separation::Separable } else { Separation::Overlapping };
        let covariance = curvature.inverse();
        let level = params.level;
        Ok(Logistic { means, deviations, weights, covariance, level, rows: rows.len(), steps, separation })
    }

    /// The gradient at `weights`; the curvature goes to `curvature`.
    fn slope(
        params: &Checked<LogisticParams>,
        design: &[f64],
        labels: &[u8],
        weights: &[f64],
        curvature: &mut Symmetric,
    ) -> Vec<f64> {
        let width = weights.len();
        curvature.of.iter_mut().for_each(|h| *h = 0.0);
        let mut slope = vec![0.0; width];
        for (x, &y) in design.chunks_exact(width).zip(labels) {
            let p = logistic(dot(x, weights));
            let spread = p * (1.0 - p);
            for i in 0..width {
                slope[i] += (p - f64::from(y)) * x[i];
                for j in 0..=i {
                    curvature.add(i, j, spread * x[i] * x[j]);
                }
            }
        }
        for i in 1..width {
            slope[i] += params.l2 * weights[i];
            curvature.add(i, i, params.l2);
        }
        slope
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Appends 1 and the standardised columns; one that did not vary is 0.
fn standardise(row: &[f64], means: &[f64], deviations: &[f64], out: &mut Vec<f64>) {
    out.push(1.0);
    let columns = row.iter().zip(means).zip(deviations);
    out.extend(columns.map(|((v, mean), deviation)| if *deviation > 0.0 { (v - mean) / deviation } else { 0.0 }));
}

fn check(rows: &[&[f64]], columns: usize, labels: &[u8]) -> Result<(), PredictError> {
    if rows.is_empty() {
        return Err(PredictError::TooFew { what: "rows", got: 0, needed: 2 });
    }
    if rows.len() != labels.len() {
        return Err(PredictError::Lengths { rows: rows.len(), labels: labels.len() });
    }
    for (row, values) in rows.iter().enumerate() {
        if values.len() != columns {
            return Err(PredictError::Columns { got: values.len(), expected: columns });
        }
        if let Some(&got) = values.iter().find(|v| !v.is_finite()) {
            return Err(PredictError::Row { row, what: "a column", got, expected: "a finite number" });
        }
    }
    if let Some(row) = labels.iter().position(|&label| label > 1) {
        return Err(PredictError::Row { row, what: "label", got: labels[row].into(), expected: "0 or 1" });
    }
    match labels.first() {
        Some(&label) if labels.iter().all(|&l| l == label) => Err(PredictError::OneClass { rows: rows.len(), label }),
        _ => Ok(()),
    }
}

impl Logistic {
    /// The probability of yes for a row, with the interval of what the fit does not know.
    ///
    /// # Errors
    /// [`PredictError::Columns`] for a row of another length; [`PredictError::Row`] for one that is not finite.
    pub fn probability(&self, row: &[f64]) -> Result<Estimated, PredictError> {
        if row.len() != self.means.len() {
            return Err(PredictError::Columns { got: row.len(), expected: self.means.len() });
        }
        if let Some(&got) = row.iter().find(|v| !v.is_finite()) {
            return Err(PredictError::Row { row: 0, what: "a column", got, expected: "a finite number" });
        }
        let mut x = Vec::with_capacity(self.weights.len());
        standardise(row, &self.means, &self.deviations, &mut x);
        let odds = dot(&x, &self.weights);
        let variance = self.covariance.as_ref().map_or(f64::NAN, |c| c.quadratic(&x));
        let half = two_sided(self.level) * variance.max(0.0).sqrt();
        Ok(Estimated { value: logistic(odds), low: logistic(odds - half), high: logistic(odds + half) })
    }

    /// A coefficient a column, in the order of the columns.
    #[must_use]
    pub fn coefficients(&self) -> Vec<Coefficient> {
        let one = |c: usize| {
            let (value, deviation) = (self.weights[c + 1], self.deviations[c]);
            let variance = self.covariance.as_ref().map_or(f64::NAN, |m| m.get(c + 1, c + 1));
            Coefficient {
                by_deviation: Estimated::normal(value, variance.sqrt(), self.level),
                by_unit: if deviation > 0.0 { value / deviation } else { 0.0 },
                deviation,
            }
        };
        (0..self.means.len()).map(one).collect()
    }

    /// The log-odds of a row of all means.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.weights.first().copied().unwrap_or(0.0)
    }

    /// Whether the columns tell the labels of the rows fitted on apart without an error.
    #[must_use]
    pub const fn separation(&self) -> Separation {
        self.separation
    }

    /// Rows fitted on, and Newton steps taken.
    #[must_use]
    pub const fn fitted_on(&self) -> (usize, usize) {
        (self.rows, self.steps)
    }
}
