//! Hyper-parameters whose validity is a type.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A parameter that is out of its range: which, what it was, and what was expected.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{param} = {got} is not allowed; expected {expected}")]
pub struct ParamError {
    /// The field, with a path for nested ones.
    pub param: String,
    /// The value that was given.
    pub got: String,
    /// What it should have been.
    pub expected: String,
}

impl ParamError {
    /// An error about `param`.
    #[must_use]
    pub fn new(param: impl Into<String>, got: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self { param: param.into(), got: got.to_string(), expected: expected.into() }
    }
}

/// One line of a parameter table: what may be set, its range and what it does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParamSpec {
    /// The field's name, as in serde.
    pub name: &'static str,
    /// What it does, in a few words.
    pub what: &'static str,
    /// The values it takes.
    pub range: ParamRange,
}

/// The values a parameter takes. Both ends belong to the range.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ParamRange {
    /// A real number; NaN and the infinities never belong.
    Real {
        /// Smallest.
        lo: f64,
        /// Largest.
        hi: f64,
    },
    /// A whole number.
    Int {
        /// Smallest.
        lo: u64,
        /// Largest.
        hi: u64,
    },
    /// Something with a type of its own (an enum, a set of kinds, a name); the text says which values are refused.
    Typed(&'static str),
}

impl ParamSpec {
    /// A real parameter.
    #[must_use]
    pub const fn real(name: &'static str, lo: f64, hi: f64, what: &'static str) -> Self {
        Self { name, what, range: ParamRange::Real { lo, hi } }
    }

    /// A whole-number parameter.
    #[must_use]
    pub const fn int(name: &'static str, lo: u64, hi: u64, what: &'static str) -> Self {
        Self { name, what, range: ParamRange::Int { lo, hi } }
    }

    /// A parameter with a type of its own.
    #[must_use]
    pub const fn typed(name: &'static str, allowed: &'static str, what: &'static str) -> Self {
        Self { name, what, range: ParamRange::Typed(allowed) }
    }
}

impl fmt::Display for ParamRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real { lo, hi } => write!(f, "a finite number from {lo} to {hi}"),
            Self::Int { lo, hi } => write!(f, "a whole number from {lo} to {hi}"),
            Self::Typed(allowed) => f.write_str(allowed),
        }
    }
}

/// Hyper-parameters that can say whether they are valid.
///
/// The [`table`](Validate::table) is the single statement of the ranges: [`validate`](Validate::validate) checks
/// against it through [`check_range`], and the conformance test walks it. Ranges are tested in positive form, so NaN fails.
pub trait Validate: Sized {
    /// All fields with their ranges.
    fn table() -> &'static [ParamSpec];

    /// Whether every field is in its range.
    ///
    /// # Errors
    /// [`ParamError`] names the first field that is not.
    fn validate(&self) -> Result<(), ParamError>;

    /// The parameters with a proof of validity.
    ///
    /// # Errors
    /// As [`Validate::validate`].
    fn check(self) -> Result<Checked<Self>, ParamError> {
        Checked::new(self)
    }
}

/// Checks one numeric field against its line in the table of `P`.
///
/// # Errors
/// [`ParamError`] when the value is outside the line's range, or the table has no numeric line of that name.
pub fn check_range<P: Validate>(name: &str, value: f64) -> Result<(), ParamError> {
    let spec = P::table().iter().find(|spec| spec.name == name);
    let inside = match spec.map(|spec| spec.range) {
        Some(ParamRange::Real { lo, hi }) => (lo..=hi).contains(&value),
        Some(ParamRange::Int { lo, hi }) => (lo as f64..=hi as f64).contains(&value),
        Some(ParamRange::Typed(_)) | None => false,
    };
    if inside {
        return Ok(());
    }
    let expected = spec.map_or_else(|| "a parameter of the table".to_owned(), |spec| spec.range.to_string());
    Err(ParamError::new(name, value, expected))
}

/// Parameters that passed [`Validate::validate`]: the only way to get one is through it, serde included.
///
/// # Example
/// ```
/// use likewise::{PopularityParams, Validate};
/// let params = PopularityParams { smoothing: f32::NAN, ..PopularityParams::default() };
/// let error = params.check().unwrap_err();
/// assert_eq!(error.param, "smoothing");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked<P>(P);

impl<P: Validate> Checked<P> {
    /// Checks `params`.
    ///
    /// # Errors
    /// As [`Validate::validate`].
    pub fn new(params: P) -> Result<Self, ParamError> {
        params.validate()?;
        Ok(Self(params))
    }

    /// The parameters, to change and check again.
    pub fn into_inner(self) -> P {
        self.0
    }
}

impl<P> Deref for Checked<P> {
    type Target = P;
    fn deref(&self) -> &P {
        &self.0
    }
}

impl<P: Serialize> Serialize for Checked<P> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de, P: Validate + Deserialize<'de>> Deserialize<'de> for Checked<P> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(P::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
