//! What a search may try.

use crate::params::Validate;

/// The values a search tries for one parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Over {
    /// Real numbers, evenly.
    Real {
        /// Smallest.
        lo: f64,
        /// Largest.
        hi: f64,
    },
    /// Real numbers above 0, evenly in their logarithm.
    Log {
        /// Smallest.
        lo: f64,
        /// Largest.
        hi: f64,
    },
    /// Whole numbers, evenly.
    Int {
        /// Smallest.
        lo: u64,
        /// Largest.
        hi: u64,
    },
    /// Whole numbers above 0, evenly in their logarithm.
    LogInt {
        /// Smallest.
        lo: u64,
        /// Largest.
        hi: u64,
    },
    /// One of these, each written as in JSON: `"\"cosine\""`, `"null"`, `"{\"bm25\":{\"k1\":1.2,\"b\":0.75}}"`.
    OneOf(&'static [&'static str]),
}

/// One parameter of a search space. `name` is the serde field; a path goes into nested ones with dots
/// (`similarity.bm25.b`), and such an axis is skipped while another axis has chosen a value without that path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// The field.
    pub name: &'static str,
    /// Its values.
    pub over: Over,
}

impl Axis {
    /// An axis.
    #[must_use]
    pub const fn new(name: &'static str, over: Over) -> Self {
        Self { name, over }
    }
}

/// Parameters with a default search space.
pub trait Tunable: Validate {
    /// What a search tries unless told otherwise: the parameters that matter, in ranges that are worth trying. Corners
    /// that [`Validate::validate`] refuses are allowed; a search skips them.
    fn space() -> &'static [Axis];
}
