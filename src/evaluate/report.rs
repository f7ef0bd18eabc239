//! What is printed: means with intervals, segments, comparisons. All of it serialises.

use serde::Serialize;

/// A metric's mean and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The metric.
    pub metric: String,
    /// The mean over the cases where it is defined; `None` where there is none.
    pub mean: Option<f64>,
    /// The lower end of the bootstrap interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// In how many cases it is defined.
    pub cases: usize,
}

/// A number over all lists.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Aggregated {
    /// Its name.
    pub metric: String,
    /// Its value; `None` where it is undefined.
    pub value: Option<f64>,
}

/// The metrics of one segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SegmentReport {
    /// What the cases are divided by.
    pub by: String,
    /// The segment.
    pub segment: String,
    /// How many cases belong to it.
    pub cases: usize,
    /// The metrics, over these cases.
    pub metrics: Vec<Estimate>,
}

/// What one system is worth in one task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Questions asked.
    pub cases: usize,
    /// The probability with which the intervals hold the true mean.
    pub level: f64,
    /// The metrics, in the order they were added.
    pub metrics: Vec<Estimate>,
    /// The numbers over all lists.
    pub aggregates: Vec<Aggregated>,
    /// The segments, in the order they were added.
    pub segments: Vec<SegmentReport>,
}

impl Report {
    /// The estimate of a metric, by its name.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<&Estimate> {
        self.metrics.iter().find(|estimate| estimate.metric == name)
    }
}

/// One metric of two systems, compared case by case.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The metric.
    pub metric: String,
    /// The mean difference over the cases where both are defined; `None` where there is none.
    pub difference: Option<f64>,
    /// The lower end of its bootstrap interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// How likely a difference at least this large, either way, would be if the two systems were the same (paired
    /// randomisation test).
    pub p_value: f64,
    /// In how many cases both are defined.
    pub cases: usize,
}

/// Two judgements that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// They answer different questions.
    #[error("the judgements are of different questions ({first} and {second} cases); judge both on one task")]
    Cases {
        /// Cases of the first.
        first: usize,
        /// Cases of the second.
        second: usize,
    },
    /// They measure different things.
    #[error("the judgements are of different metrics ({first:?} and {second:?}); judge both by one Evaluation")]
    Metrics {
        /// Metrics of the first.
        first: Vec<String>,
        /// Metrics of the second.
        second: Vec<String>,
    },
}
