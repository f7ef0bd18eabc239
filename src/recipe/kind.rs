//! One kind of model with its type erased.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::RecipeError;
use super::setting;
use crate::params::{Checked, ParamSpec, Validate};
use crate::scorer::{DynFit, Fit};
use crate::tune::{Axis, Space, Tunable};

/// The questions a model is made for. Any model may be asked any question; one it is not made for, it answers badly or
/// not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TaskKind {
    /// What would a known shopper like, whenever? Order and time of events do not matter much.
    Collaborative,
    /// What does a known shopper take next? Order matters.
    Sequence,
    /// What comes next in a session of someone unknown?
    Session,
    /// What is in a shopper's next basket, things bought before included?
    Basket,
    /// What is like an item nobody has touched yet?
    Content,
}

impl TaskKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Collaborative, Self::Sequence, Self::Session, Self::Basket, Self::Content];

    /// In lower case, as a command line writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Collaborative => "collaborative",
            Self::Sequence => "sequence",
            Self::Session => "session",
            Self::Basket => "basket",
            Self::Content => "content",
        }
    }
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A kind of model: its name, what it is for, its parameters, and how to build one.
///
/// # Example
/// ```
/// use likewise::recipe::model;
/// use serde_json::json;
/// let als = model("als")?;
/// assert_eq!(als.defaults()["factors"], 64);
/// assert!(als.build(json!({ "factors": 128 }).as_object().unwrap()).is_ok());
/// let wrong = als.build(json!({ "factors": 0 }).as_object().unwrap()).unwrap_err();
/// assert_eq!(wrong.to_string(), "als: factors = 0 is not allowed; expected a whole number from 1 to 1024");
/// # Ok::<(), likewise::recipe::RecipeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ModelKind {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) tasks: &'static [TaskKind],
    pub(super) table: fn() -> &'static [ParamSpec],
    pub(super) space: fn() -> &'static [Axis],
    pub(super) defaults: fn() -> Map<String, Value>,
    /// Whether serde can read the parameters, and its complaint.
    pub(super) reads: fn(Value) -> Result<(), String>,
    pub(super) build: fn(Value) -> Result<Arc<dyn DynFit>, Refused>,
    #[cfg(any(test, feature = "testing"))]
    pub(super) conforms: fn() -> Result<(), crate::testing::ParamViolation>,
}

/// Why nothing was built: serde could not read the parameters, or they are out of range.
#[derive(Debug)]
pub(super) enum Refused {
    Unreadable(String),
    OutOfRange(crate::params::ParamError),
}

impl ModelKind {
    /// Its name, unique.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it answers, in a few words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The questions it is made for.
    #[must_use]
    pub const fn tasks(&self) -> &'static [TaskKind] {
        self.tasks
    }

    /// Its parameters with their ranges.
    #[must_use]
    pub fn table(&self) -> &'static [ParamSpec] {
        (self.table)()
    }

    /// What a search tries.
    #[must_use]
    pub fn axes(&self) -> &'static [Axis] {
        (self.space)()
    }

    /// What a search tries, ready to search: the axes over the defaults, without the corners the model refuses.
    #[must_use]
    pub fn space(&self) -> Space {
        let kind = *self;
        Space::new(self.defaults(), self.axes()).valid_if(move |params| kind.build(params).map(drop))
    }

    /// Its parameters at their defaults, as serde writes them.
    #[must_use]
    pub fn defaults(&self) -> Map<String, Value> {
        (self.defaults)()
    }

    /// Sets the parameter at a path to a value given as text. `params` are all of them, as from
    /// [`defaults`](Self::defaults).
    ///
    /// The text is JSON or, without quotes and brackets, the name of a choice (`cosine`), `none`, a list
    /// (`view|purchase`), a length of time (`30d`, `12h`), a number (`.5`). A choice with parameters of its own starts
    /// from those of the search space.
    ///
    /// # Errors
    /// [`RecipeError::UnknownParam`] and [`RecipeError::BadValue`], naming the nearest right one. Ranges are left to
    /// [`build`](Self::build).
    pub fn set(&self, params: &mut Map<String, Value>, path: &str, text: &str) -> Result<(), RecipeError> {
        setting::set(self, params, path, text)
    }

    /// The defaults with `changes` in place of the parameters they name.
    #[must_use]
    pub fn with(&self, changes: &Map<String, Value>) -> Map<String, Value> {
        let mut params = self.defaults();
        params.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
        params
    }

    /// The parameters that differ from the defaults.
    #[must_use]
    pub fn changes(&self, params: &Map<String, Value>) -> Map<String, Value> {
        let defaults = self.defaults();
        let changed = params.iter().filter(|&(name, value)| defaults.get(name) != Some(value));
        changed.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// A recipe that fits; parameters that are not given have their defaults.
    ///
    /// # Errors
    /// [`RecipeError`] when a parameter does not exist, cannot be read or is out of range.
    pub fn build(&self, params: &Map<String, Value>) -> Result<Arc<dyn DynFit>, RecipeError> {
        if let Some(param) = params.keys().find(|param| !self.has(param)) {
            return Err(setting::unknown(self, param));
        }
        (self.build)(Value::Object(self.with(params))).map_err(|refused| match refused {
            Refused::Unreadable(complaint) => setting::unreadable(self, params, &complaint),
            Refused::OutOfRange(source) => RecipeError::OutOfRange { model: self.name.to_owned(), source },
        })
    }

    /// Whether it has a parameter of that name (of the first part of that path).
    pub(super) fn has(&self, path: &str) -> bool {
        let head = path.split('.').next().unwrap_or(path);
        self.table().iter().any(|line| line.name.split('.').next() == Some(head))
    }

    /// Checks parameters and table as [`check_params`](crate::testing::check_params) does.
    ///
    /// # Errors
    /// The first violation.
    #[cfg(any(test, feature = "testing"))]
    pub fn conforms(&self) -> Result<(), crate::testing::ParamViolation> {
        (self.conforms)()
    }
}

impl fmt::Debug for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelKind").field("name", &self.name).field("tasks", &self.tasks).finish_non_exhaustive()
    }
}

/// Helpers that learn the parameters' type from the function that makes their defaults: a line of the list names it once.
pub(super) mod erase {
    use super::*;

    pub(in crate::recipe) fn table<P: Validate>(_: fn() -> P) -> &'static [ParamSpec] {
        P::table()
    }

    pub(in crate::recipe) fn space<P: Tunable>(_: fn() -> P) -> &'static [Axis] {
        P::space()
    }

    pub(in crate::recipe) fn defaults<P: Serialize>(make: fn() -> P) -> Map<String, Value> {
        match serde_json::to_value(make()) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(), // parameters are structs of finite numbers: `conforms` tells
        }
    }

    pub(in crate::recipe) fn reads<P: DeserializeOwned>(_: fn() -> P, params: Value) -> Result<(), String> {
        serde_json::from_value::<P>(params).map(drop).map_err(|error| error.to_string())
    }

    pub(in crate::recipe) fn build<P>(_: fn() -> P, params: Value) -> Result<Arc<dyn DynFit>, Refused>
    where
        P: Validate + DeserializeOwned,
        Checked<P>: Fit,
    {
        let params: P = serde_json::from_value(params).map_err(|error| Refused::Unreadable(error.to_string()))?;
        Ok(Arc::new(params.check().map_err(Refused::OutOfRange)?))
    }

    #[cfg(any(test, feature = "testing"))]
    pub(in crate::recipe) fn conforms<P>(_: fn() -> P) -> Result<(), crate::testing::ParamViolation>
    where
        P: Validate + Serialize + DeserializeOwned + Default,
    {
        crate::testing::check_params::<P>()
    }
}
