//! What may be wrong with a recipe.

use crate::params::ParamError;

/// A recipe that names what is not there, or gives what is not allowed. Each text says what would be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// No model of that name.
    #[error("there is no model {name:?}{}; there are {known}", meant(.nearest.as_deref()))]
    UnknownModel {
        /// The name given.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// All names.
        known: String,
    },
    /// The model has no parameter of that name.
    #[error("{model} has no parameter {param:?}{}; it has {known}", meant(.nearest.as_deref()))]
    UnknownParam {
        /// The model.
        model: String,
        /// The name given, or a path.
        param: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// All names at that place.
        known: String,
    },
    /// A value the parameter cannot take, whatever the others are.
    #[error("{model}: {param} = {got} is not allowed; expected {expected}{}", meant(.nearest.as_deref()))]
    BadValue {
        /// The model.
        model: String,
        /// The parameter, with its path.
        param: String,
        /// The value given.
        got: String,
        /// What it takes.
        expected: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A value outside of its range.
    #[error("{model}: {source}")]
    OutOfRange {
        /// The model.
        model: String,
        /// Which parameter, and its range.
        source: ParamError,
    },
    /// Text that cannot be read as a recipe.
    #[error("cannot read {text:?} at character {at}: {problem}; write NAME[:KEY=VALUE,..][*WEIGHT][ + ..]")]
    Syntax {
        /// The whole text.
        text: String,
        /// Where, in characters from 0.
        at: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A blend without parts.
    #[error("a blend needs at least one part")]
    NoParts,
    /// A weight that cannot be meant.
    #[error("{model} weighs {weight}; a weight is a finite number above 0")]
    Weight {
        /// The part.
        model: String,
        /// Its weight.
        weight: f32,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean {nearest:?}?)"))
}
