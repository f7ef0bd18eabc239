//! Parameters to search: what stays, what varies, what is allowed.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::space::{Axis, Over, Tunable};

/// A search space over parameters as serde writes them: a base that stays, axes that vary, and corners left out.
///
/// # Example
/// ```
/// use likewise::AlsParams;
/// use likewise::tune::Space;
/// let space = Space::of(&AlsParams::default()).fix("iterations", 10);
/// assert!(space.axes().iter().all(|axis| axis.name != "iterations"));
/// assert_eq!(space.base()["iterations"], 10);
/// ```
#[derive(Clone)]
pub struct Space {
    base: Map<String, Value>,
    axes: Vec<Axis>,
    dims: Vec<Dim>,
    valid: Option<Arc<Valid>>,
}

type Valid = dyn Fn(&Map<String, Value>) -> Result<(), String> + Send + Sync;

impl Space {
    /// Axes over a base. An axis whose path is not there (a parameter of a choice that was not made) is skipped, so put
    /// the axis of a choice before those inside of it.
    #[must_use]
    pub fn new(base: Map<String, Value>, axes: &[Axis]) -> Self {
        Self { base, axes: axes.to_vec(), dims: axes.iter().map(Dim::of).collect(), valid: None }
    }

    /// The default axes of some parameters, over these values of the others.
    #[must_use]
    pub fn of<P: Tunable + Serialize + serde::de::DeserializeOwned>(base: &P) -> Self {
        let fields = match serde_json::to_value(base) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self::new(fields, P::space()).valid_if(|params| {
            let read = serde_json::from_value::<P>(Value::Object(params.clone()));
            read.map_err(|error| error.to_string())?.validate().map_err(|error| error.to_string())
        })
    }

    /// Without the corners that `valid` refuses.
    #[must_use]
    pub fn valid_if<E: fmt::Display>(
        self,
        valid: impl Fn(&Map<String, Value>) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        Self { valid: Some(Arc::new(move |params| valid(params).map_err(|error| error.to_string()))), ..self }
    }

    /// With one parameter (not nested) at a value: it does not vary, nor does anything inside of it.
    #[must_use]
    pub fn fix(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.base.insert(name.to_owned(), value.into());
        self.axes.retain(|axis| axis.name.split('.').next() != Some(name));
        self.dims = self.axes.iter().map(Dim::of).collect();
        self
    }

    /// The parameters that stay, and where the others start.
    #[must_use]
    pub const fn base(&self) -> &Map<String, Value> {
        &self.base
    }

    /// What varies.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    pub(super) fn dims(&self) -> &[Dim] {
        &self.dims
    }

    /// Whether a trial of `params` makes sense.
    pub(super) fn check(&self, params: &Map<String, Value>) -> Result<(), String> {
        self.valid.as_ref().map_or(Ok(()), |valid| valid(params))
    }

    /// Makes a point: `choose(axis number, axis)` is asked for a place on each axis that is there, in order.
    pub(super) fn point(&self, mut choose: impl FnMut(usize, &Dim) -> f64) -> Point {
        let mut params = self.base.clone();
        let at = |(number, dim): (usize, &Dim)| {
            let slot = slot(&mut params, dim.path)?;
            let x = dim.snap(choose(number, dim));
            *slot = dim.value(x);
            Some(x)
        };
        let at = self.dims.iter().enumerate().map(at).collect();
        Point { at, params }
    }

    /// The base itself as a point, as far as it lies within the axes.
    pub(super) fn start(&self) -> Point {
        let base = &self.base;
        let at = self.dims.iter().map(|dim| get(base, dim.path).and_then(|value| dim.place(value))).collect();
        Point { at, params: base.clone() }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("base", &self.base).field("axes", &self.axes).finish_non_exhaustive()
    }
}

/// One point of a space.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// The place on each axis; `None` where the axis is not there.
    pub(super) at: Vec<Option<f64>>,
    pub(super) params: Map<String, Value>,
}

/// An axis stretched so that even is even: logarithms are taken, choices are numbered.
#[derive(Clone, Debug)]
pub(super) struct Dim {
    path: &'static str,
    over: Over,
    choices: Vec<Value>,
}

impl Dim {
    fn of(axis: &Axis) -> Self {
        let choices = match axis.over {
            // A text that is no JSON stands for itself.
            Over::OneOf(texts) => texts.iter().map(|&t| serde_json::from_str(t).unwrap_or_else(|_| t.into())).collect(),
            _ => Vec::new(),
        };
        Self { path: axis.name, over: axis.over, choices }
    }

    /// How many choices; `None` for numbers.
    pub(super) fn n_choices(&self) -> Option<usize> {
        matches!(self.over, Over::OneOf(_)).then_some(self.choices.len())
    }

    /// The ends of the stretched axis. Whole numbers own half a step on either side.
    pub(super) fn ends(&self) -> (f64, f64) {
        match self.over {
            Over::Real { lo, hi } => (lo, hi),
            Over::Log { lo, hi } => (lo.ln(), hi.ln()),
            Over::Int { lo, hi } => (lo as f64 - 0.499, hi as f64 + 0.499),
            Over::LogInt { lo, hi } => ((lo as f64 - 0.499).ln(), (hi as f64 + 0.499).ln()),
            Over::OneOf(texts) => (0.0, texts.len().saturating_sub(1) as f64),
        }
    }

    /// The nearest place whose value is written in a few digits: what a log says is what was tried.
    pub(super) fn snap(&self, x: f64) -> f64 {
        match self.over {
            Over::Real { lo, hi } => short(x).clamp(lo, hi),
            Over::Log { lo, hi } => short(x.exp()).clamp(lo, hi).ln(),
            Over::Int { lo, hi } => x.round().clamp(lo as f64, hi as f64),
            Over::LogInt { lo, hi } => short(x.exp().round()).clamp(lo as f64, hi as f64).ln(),
            Over::OneOf(_) => x.round().clamp(0.0, self.ends().1),
        }
    }

    fn value(&self, x: f64) -> Value {
        match self.over {
            Over::Real { .. } => Value::from(x),
            Over::Log { lo, hi } => Value::from(short(x.exp()).clamp(lo, hi)),
            Over::Int { .. } => Value::from(x as u64),
            Over::LogInt { .. } => Value::from(x.exp().round() as u64),
            Over::OneOf(_) => self.choices.get(x as usize).cloned().unwrap_or(Value::Null),
        }
    }

    /// Where a value lies; `None` outside of the axis.
    fn place(&self, value: &Value) -> Option<f64> {
        if self.n_choices().is_some() {
            let tag = |v: &Value| v.as_object().and_then(|o| o.keys().next().cloned());
            let same = |c: &Value| c == value || tag(c).is_some_and(|t| Some(t) == tag(value));
            return self.choices.iter().position(same).map(|at| at as f64);
        }
        let x = value.as_f64()?;
        let x = if matches!(self.over, Over::Log { .. } | Over::LogInt { .. }) { x.ln() } else { x };
        let (lo, hi) = self.ends();
        // An `f32` written as `f64` may lie a hair outside.
        let slack = (hi - lo) * 1e-6;
        (lo - slack..=hi + slack).contains(&x).then(|| x.clamp(lo, hi))
    }
}

/// Four significant digits.
fn short(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

fn get<'a>(params: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = params.get(head)?;
    rest.map_or(Some(value), |rest| get(value.as_object()?, rest))
}

fn slot<'a>(params: &'a mut Map<String, Value>, path: &str) -> Option<&'a mut Value> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = params.get_mut(head)?;
    match rest {
        None => Some(value),
        Some(rest) => slot(value.as_object_mut()?, rest),
    }
}
