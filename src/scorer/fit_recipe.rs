//! What a fit learns with, as data.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a [`Fit`](super::Fit) learns with, as data: of which kind it is, and its parameters. Two that are the same learn the
/// same from the same events; a [`Live`](crate::Live) recommender goes by it when it asks whether the models of a file are
/// those of its lineup.
///
/// # Example
/// ```
/// use likewise::FitRecipe;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// #[serde(default)]
/// struct Margin {
///     floor: f32,
///     ceiling: Option<f32>, // came with a later version
/// }
/// impl Default for Margin {
///     fn default() -> Self {
///         Self { floor: 0.1, ceiling: None }
///     }
/// }
/// let recipe = FitRecipe::of("example.com/margin", &Margin::default()).unwrap();
/// assert_eq!(recipe.to_string(), r#"example.com/margin {"ceiling":null,"floor":0.1}"#);
/// // What an earlier version wrote means the same; another floor does not.
/// assert!(recipe.is("example.com/margin", r#"{"floor":0.1}"#));
/// assert!(!recipe.is("example.com/margin", r#"{"floor":0.2}"#));
/// ```
#[derive(Clone)]
pub struct FitRecipe {
    kind: &'static str,
    params: Value,
    /// Parameters that were written before, with the fields that came since.
    read: fn(&Value) -> Option<Value>,
}

impl FitRecipe {
    /// A recipe of this kind; the name stays for ever, so put a name of your own in front, `example.com/margin`. `None` when
    /// serde has no JSON for the parameters (a map whose keys are no text, for one).
    ///
    /// Everything the result of a fit depends on, beside events, catalogue and seed, must be in `params`, and in finite
    /// numbers: JSON has no others and takes them all for the same. A new field of `params` with a `serde(default)` that
    /// means what was done before leaves recipes of before the same.
    #[must_use]
    pub fn of<P: Serialize + DeserializeOwned>(kind: &'static str, params: &P) -> Option<Self> {
        Some(Self { kind, params: plain(params)?, read: |saved| plain(&P::deserialize(saved).ok()?) })
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether a recipe of that kind, with these parameters in JSON, is the same. What cannot be read is another.
    #[must_use]
    pub fn is(&self, kind: &str, params: &str) -> bool {
        serde_json::from_str(params).is_ok_and(|params| self.is_value(kind, &params))
    }

    pub(crate) fn is_value(&self, kind: &str, params: &Value) -> bool {
        self.kind == kind && (self.params == *params || (self.read)(params).is_some_and(|read| read == self.params))
    }

    pub(crate) const fn params(&self) -> &Value {
        &self.params
    }
}

/// By way of text, in which an `f32` has as few digits as it needs.
fn plain<P: Serialize>(params: &P) -> Option<Value> {
    serde_json::from_str(&serde_json::to_string(params).ok()?).ok()
}

impl PartialEq for FitRecipe {
    fn eq(&self, other: &Self) -> bool {
        self.is_value(other.kind, &other.params)
    }
}

impl fmt::Display for FitRecipe {
    /// Kind and parameters in JSON, fields by name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.params)
    }
}

impl fmt::Debug for FitRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FitRecipe").field("kind", &self.kind).field("params", &self.params).finish_non_exhaustive()
    }
}
