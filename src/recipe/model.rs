//! One model with its parameters.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::RecipeError;
use super::kind::ModelKind;
use super::list::model;
use super::text::{pieces, syntax};
use crate::scorer::DynFit;

/// A model by name, with the parameters that differ from its defaults. Text and serde: `als:factors=128`,
/// `{"model":"als","params":{"factors":128}}`.
///
/// # Example
/// ```
/// use likewise::recipe::ModelRecipe;
/// let recipe: ModelRecipe = "als:factors=128, solver=cholesky".parse()?;
/// assert_eq!(recipe.params["factors"], 128);
/// let fit = recipe.build()?;
/// let wrong = "als:factor=128".parse::<ModelRecipe>().unwrap_err();
/// assert!(wrong.to_string().starts_with(r#"als has no parameter "factor" (did you mean "factors"?)"#));
/// # Ok::<(), likewise::recipe::RecipeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// The model's name.
    pub model: String,
    /// Its parameters; those that are missing have their defaults.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
}

impl ModelRecipe {
    /// A model at its defaults.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), params: Map::new() }
    }

    /// The same model with these parameters in place of what it had.
    #[must_use]
    pub fn with(self, params: Map<String, Value>) -> Self {
        Self { params, ..self }
    }

    /// The kind of model.
    ///
    /// # Errors
    /// [`RecipeError::UnknownModel`].
    pub fn kind(&self) -> Result<&'static ModelKind, RecipeError> {
        model(&self.model)
    }

    /// Something that fits.
    ///
    /// # Errors
    /// [`RecipeError`] when model or parameter do not exist or a value is not allowed.
    pub fn build(&self) -> Result<Arc<dyn DynFit>, RecipeError> {
        self.kind()?.build(&self.params)
    }

    /// Reads `text`, a piece of `whole` that begins at byte `offset`.
    pub(super) fn read(whole: &str, offset: usize, text: &str) -> Result<Self, RecipeError> {
        let (name, settings) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        if name.trim().is_empty() {
            return Err(syntax(whole, offset, "a model's name is missing"));
        }
        let kind = model(name.trim())?;
        let mut params = kind.defaults();
        let settings = settings.map(|s| (offset + name.len() + 1, s)).filter(|(_, s)| !s.trim().is_empty());
        for (offset, setting) in settings.map_or(Ok(Vec::new()), |(at, s)| pieces(whole, at, s, ',', |_, _| true))? {
            let Some((key, value)) = setting.split_once('=') else {
                return Err(syntax(whole, offset, format!("{:?} is no KEY=VALUE", setting.trim())));
            };
            kind.set(&mut params, key.trim(), value)?;
        }
        Ok(Self { model: kind.name().to_owned(), params: kind.changes(&params) })
    }
}

impl FromStr for ModelRecipe {
    type Err = RecipeError;

    /// Reads `NAME[:KEY=VALUE,..]` and builds it once, so that a recipe from text is a valid one.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        let recipe = Self::read(text, 0, text)?;
        recipe.build()?;
        Ok(recipe)
    }
}

impl fmt::Display for ModelRecipe {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.model)?;
        for (place, (name, value)) in self.params.iter().enumerate() {
            write!(f, "{}{name}={value}", if place == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}
