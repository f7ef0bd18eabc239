//! Did they buy as often as was expected? Later purchases against the forecast, by what was known of the customer.

use serde::Serialize;

use super::{BgNbd, CustomerSummary};
use crate::math::distribution::two_sided;

/// The customers who had come back a number of times.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CalibrationRow {
    /// Repeat purchases in the calibration period.
    pub frequency: u32,
    /// Whether customers with more are in this row too.
    pub or_more: bool,
    /// How many customers.
    pub customers: usize,
    /// Expected purchases a customer.
    pub expected: f64,
    /// The lower end of where the mean of so many customers lies if the model is true.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Purchases a customer as they came.
    pub actual: f64,
}

/// Expected against actual purchases.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Calibration {
    /// By number of repeat purchases, ascending, without empty rows.
    pub rows: Vec<CalibrationRow>,
    /// The sum of expected purchases.
    pub expected: f64,
    /// The lower end of where that sum lies if the model is true, at its fitted parameters.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The sum of purchases as they came.
    pub actual: u64,
    /// Root of the mean squared error a customer.
    pub rmse: f64,
    /// Mean absolute error a customer.
    pub mae: f64,
}

impl BgNbd {
    /// Sets what was expected of customers for `h` units of time beside what they did. Those with `last` or more repeat
    /// purchases share a row.
    #[must_use]
    pub fn calibration(&self, customers: &[(CustomerSummary, u32)], h: f64, last: u32) -> Calibration {
        struct Sums {
            customers: usize,
            expected: f64,
            variance: f64,
            actual: u64,
        }
        let mut rows: Vec<Sums> =
            (0..=last.min(1000)).map(|_| Sums { customers: 0, expected: 0.0, variance: 0.0, actual: 0 }).collect();
        let (mut squared, mut absolute) = (0.0, 0.0);
        for (customer, actual) in customers {
            let expected = self.expected(customer, h);
            let square = |(n, p): (usize, &f64)| (n as f64).powi(2) * p;
            let second: f64 = self.counts(customer, h).iter().enumerate().map(square).sum();
            let error = f64::from(*actual) - expected;
            squared += error * error;
            absolute += error.abs();
            let place = (customer.frequency as usize).min(rows.len() - 1);
            let row = &mut rows[place];
            row.customers += 1;
            row.expected += expected;
            row.variance += (second - expected * expected).max(0.0);
            row.actual += u64::from(*actual);
        }
        let (z, n) = (two_sided(self.level), customers.len() as f64);
        let (expected, variance) = rows.iter().fold((0.0, 0.0), |(e, v), r| (e + r.expected, v + r.variance));
        let top = rows.len() - 1;
        let row = |(place, r): (usize, &Sums)| {
            let of = r.customers as f64;
            let (mean, half) = (r.expected / of, z * r.variance.sqrt() / of);
            CalibrationRow {
                frequency: place as u32,
                or_more: place == top,
                customers: r.customers,
                expected: mean,
                low: (mean - half).max(0.0),
                high: mean + half,
                actual: r.actual as f64 / of,
            }
        };
        Calibration {
            rows: rows.iter().enumerate().filter(|(_, r)| r.customers > 0).map(row).collect(),
            expected,
            low: (expected - z * variance.sqrt()).max(0.0),
            high: expected + z * variance.sqrt(),
            actual: rows.iter().map(|r| r.actual).sum(),
            rmse: (squared / n).sqrt(),
            mae: absolute / n,
        }
    }
}
