//! Why nothing could be predicted.

/// What a fit or a prediction was refused for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// Not enough to learn from.
    #[error("{what}: {got} are too few, at least {needed} are needed; take a longer period or more shoppers")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// How many it takes.
        needed: usize,
    },
    /// Everything happened at one instant, so that there are no rates.
    #[error("all {customers} customers are of age 0: every event lies at the end of the period; end it later")]
    NoTime {
        /// How many customers.
        customers: usize,
    },
    /// A row that says what cannot be.
    #[error("row {row}: {what} is {got}; expected {expected}")]
    Row {
        /// Its place, from 0.
        row: usize,
        /// The field.
        what: &'static str,
        /// Its value.
        got: f64,
        /// What it should have been.
        expected: &'static str,
    },
    /// Labels that are all the same.
    #[error("all {rows} labels are {label}; choose a horizon in which some come and some do not")]
    OneClass {
        /// How many rows.
        rows: usize,
        /// What they are: 0 or 1.
        label: u8,
    },
    /// Columns that do not fit a model.
    #[error("a row has {got} columns where the model has {expected}; build both with the same ProfileParams")]
    Columns {
        /// How many there are.
        got: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Two lists that should run side by side.
    #[error("{rows} rows come with {labels} labels; give one a row")]
    Lengths {
        /// Rows.
        rows: usize,
        /// Labels.
        labels: usize,
    },
    /// The likelihood has no finite maximum, or it was not found.
    #[error(
        "the likelihood of {model} has no maximum that could be found in {steps} steps (slope {slope:e}); the data \
             do not say enough: take a longer period or more customers"
    )]
    NotFound {
        /// The model.
        model: &'static str,
        /// Steps taken.
        steps: usize,
        /// The largest part of the gradient where the search ended, a customer.
        slope: f64,
    },
}
