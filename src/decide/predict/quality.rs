//! How good are probabilities? A reliability table, and three figures with their intervals.

use serde::Serialize;

use super::PredictError;
use crate::Estimated;

/// Rows of about the same predicted probability.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ReliabilityRow {
    /// The least prediction.
    pub from: f64,
    /// The largest.
    pub to: f64,
    /// How many.
    pub rows: usize,
    /// The mean prediction.
    pub predicted: f64,
    /// The share of yes (Wilson's interval).
    pub came: Estimated,
}

/// What was predicted against what came, in parts of about equally many rows; equal predictions are never parted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Reliability {
    /// By rising prediction.
    pub rows: Vec<ReliabilityRow>,
    /// The mean distance of share and prediction over the rows (expected calibration error). It is above 0 even for a
    /// perfect model, by chance.
    pub error: f64,
}

impl Reliability {
    /// Cuts the predictions into at most `parts` parts.
    ///
    /// # Errors
    /// [`PredictError::Lengths`], [`PredictError::TooFew`] without rows, [`PredictError::Row`] for a prediction
    /// outside 0 to 1 or a label above 1.
    pub fn new(probabilities: &[f64], labels: &[u8], parts: usize, level: f64) -> Result<Self, PredictError> {
        let sorted = sorted(probabilities, labels)?;
        let size = sorted.len().div_ceil(parts.max(1)).max(1);
        let mut rows: Vec<ReliabilityRow> = Vec::new();
        let mut part: Vec<(f64, f64)> = Vec::new();
        let mut ties = sorted.chunk_by(|a, b| a.0 == b.0).peekable();
        while let Some(tie) = ties.next() {
            part.extend(tie);
            if part.len() < size && ties.peek().is_some() {
                continue;
            }
            let n = part.len() as f64;
            let (predicted, yes) = part.iter().fold((0.0, 0.0), |sums, row| (sums.0 + row.0, sums.1 + row.1));
            rows.push(ReliabilityRow {
                from: part[0].0,
                to: part[part.len() - 1].0,
                rows: part.len(),
                predicted: predicted / n,
                came: Estimated::share(yes, n, level),
            });
            part.clear();
        }
        let off = |row: &ReliabilityRow| row.rows as f64 * (row.came.value - row.predicted).abs();
        let error = rows.iter().map(off).sum::<f64>() / sorted.len() as f64;
        Ok(Self { rows, error })
    }
}

/// Three figures of probabilities, with intervals over rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Quality {
    /// Rows judged.
    pub rows: usize,
    /// The share of yes.
    pub base_rate: f64,
    /// The mean of `-ln p(what came)`; infinite where something came that was called impossible.
    pub log_loss: Estimated,
    /// The log loss of saying the share of yes to everybody.
    pub base_log_loss: f64,
    /// The mean squared distance of probability and label (Brier 1950).
    pub brier: Estimated,
    /// The probability that a yes is ranked above a no, equal predictions counting half; its interval is DeLong's
    /// (DeLong, DeLong & Clarke-Pearson 1988). NaN where all labels are the same.
    pub auc: Estimated,
}

impl Quality {
    /// Judges predictions. `O(rows log rows)`.
    ///
    /// # Errors
    /// As [`Reliability::new`].
    pub fn of(probabilities: &[f64], labels: &[u8], level: f64) -> Result<Self, PredictError> {
        let sorted = sorted(probabilities, labels)?;
        let n = sorted.len() as f64;
        let loss: Vec<f64> = sorted.iter().map(|(p, y)| -(if *y > 0.5 { p.ln() } else { (-p).ln_1p() })).collect();
        let square: Vec<f64> = sorted.iter().map(|(p, y)| (p - y) * (p - y)).collect();
        let base_rate = sorted.iter().map(|row| row.1).sum::<f64>() / n;
        let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        Ok(Self {
            rows: sorted.len(),
            base_rate,
            log_loss: Estimated::mean(&loss, level),
            base_log_loss: part(base_rate) + part(1.0 - base_rate),
            brier: Estimated::mean(&square, level),
            auc: auc(&sorted, level),
        })
    }
}

/// That there is a probability a label, and that they are such.
pub(super) fn check(probabilities: &[f64], labels: &[u8]) -> Result<(), PredictError> {
    if probabilities.len() != labels.len() {
        return Err(PredictError::Lengths { rows: probabilities.len(), labels: labels.len() });
    }
    if probabilities.is_empty() {
        return Err(PredictError::TooFew { what: "rows", got: 0, needed: 1 });
    }
    if let Some(row) = probabilities.iter().position(|p| !(0.0..=1.0).contains(p)) {
        return Err(PredictError::Row {
            row,
            what: "probability",
            got: probabilities[row],
            expected: "a number from 0 to 1",
        });
    }
    match labels.iter().position(|&l| l > 1) {
        Some(row) => Err(PredictError::Row { row, what: "label", got: labels[row].into(), expected: "0 or 1" }),
        None => Ok(()),
    }
}

/// By rising probability.
fn sorted(probabilities: &[f64], labels: &[u8]) -> Result<Vec<(f64, f64)>, PredictError> {
    check(probabilities, labels)?;
    let mut rows: Vec<(f64, f64)> = probabilities.iter().zip(labels).map(|(&p, &l)| (p, f64::from(l))).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(rows)
}

/// By mid-ranks (Sun & Xu 2014): for each yes the share of no below it, for each no the share of yes above it.
fn auc(sorted: &[(f64, f64)], level: f64) -> Estimated {
    let yes = sorted.iter().map(|row| row.1).sum::<f64>();
    let no = sorted.len() as f64 - yes;
    if yes < 1.0 || no < 1.0 {
        return Estimated::unsure(f64::NAN);
    }
    let (mut below_yes, mut below_no) = (0.0, 0.0);
    let (mut of_yes, mut of_no): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for tie in sorted.chunk_by(|a, b| a.0 == b.0) {
        let y = tie.iter().map(|row| row.1).sum::<f64>();
        let n = tie.len() as f64 - y;
        of_yes.extend(std::iter::repeat_n((below_no + 0.5 * n) / no, y as usize));
        of_no.extend(std::iter::repeat_n((yes - below_yes - 0.5 * y) / yes, n as usize));
        below_yes += y;
        below_no += n;
    }
    let variance = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() as f64 - 1.0)
    };
    let value = of_yes.iter().sum::<f64>() / yes;
    let mut auc = Estimated::normal(value, (variance(&of_yes) / yes + variance(&of_no) / no).sqrt(), level);
    (auc.low, auc.high) = (auc.low.clamp(0.0, 1.0), auc.high.clamp(0.0, 1.0));
    auc
}
