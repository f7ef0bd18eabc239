//! Several models with weights.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::RecipeError;
use super::list::model;
use super::model::ModelRecipe;
use super::text::{pieces, syntax};
use crate::rank::{Ranker, RankerBuilder};
use crate::run::Run;
use crate::scorer::{DynFit, FitError, Scorer, TrainingSet};

/// One voice of a blend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipePart {
    /// The model's name.
    pub model: String,
    /// Its parameters; those that are missing have their defaults.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// What its opinion counts, above 0.
    pub weight: f32,
}

impl RecipePart {
    /// A model with its weight.
    #[must_use]
    pub fn new(recipe: ModelRecipe, weight: f32) -> Self {
        Self { model: recipe.model, params: recipe.params, weight }
    }

    /// The model without its weight.
    #[must_use]
    pub fn recipe(&self) -> ModelRecipe {
        ModelRecipe { model: self.model.clone(), params: self.params.clone() }
    }
}

/// Models with weights: `als:factors=128*0.7 + co_purchase*0.3`; a part without a weight counts 1.
///
/// # Example
/// ```
/// use likewise::recipe::BlendRecipe;
/// let blend: BlendRecipe = "als:factors=128*0.7 + popularity:half_life=14d*0.3".parse()?;
/// assert_eq!(blend.parts.len(), 2);
/// assert_eq!(blend.to_string(), r#"als:factors=128*0.7 + popularity:half_life=1209600000*0.3"#);
/// assert!("als*0".parse::<BlendRecipe>().is_err());
/// # Ok::<(), likewise::recipe::RecipeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlendRecipe {
    /// Its voices, at least one.
    pub parts: Vec<RecipePart>,
}

impl BlendRecipe {
    /// The parts' fits with their weights. Parts of one scorer's name get numbered names, as a ranker demands.
    ///
    /// # Errors
    /// [`RecipeError`] when there is no part, or one cannot be built.
    pub fn build(&self) -> Result<Vec<(Arc<dyn DynFit>, f32)>, RecipeError> {
        if self.parts.is_empty() {
            return Err(RecipeError::NoParts);
        }
        let mut names: Vec<String> = Vec::new();
        let build = |part: &RecipePart| {
            if !(part.weight.is_finite() && part.weight > 0.0) {
                return Err(RecipeError::Weight { model: part.model.clone(), weight: part.weight });
            }
            let kind = model(&part.model)?;
            let mut params = part.params.clone();
            if let Some(name) = kind.with(&params).get("name").and_then(|name| name.as_str()) {
                let same = names.iter().filter(|other| *other == name).count();
                names.push(name.to_owned());
                if same > 0 {
                    params.insert("name".to_owned(), format!("{name}_{}", same + 1).into());
                }
            }
            Ok((kind.build(&params)?, part.weight))
        };
        self.parts.iter().map(build).collect()
    }

    /// Fits every part and hands them to a ranker to be, in order, each with its weight.
    ///
    /// # Errors
    /// As [`build`](Self::build), and what a fit says.
    pub fn ranker(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<RankerBuilder, BlendError> {
        let mut ranker = Ranker::builder();
        for (fit, weight) in self.build()? {
            let scorer: Arc<dyn Scorer> = fit.fit_dyn(train, run)?;
            ranker = ranker.scorer(scorer, weight);
        }
        Ok(ranker)
    }
}

/// Why no blend was fitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlendError {
    /// Its recipe is wrong.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A part could not be fitted.
    #[error(transparent)]
    Fit(#[from] FitError),
}

impl FromStr for BlendRecipe {
    type Err = RecipeError;

    /// Reads `NAME[:KEY=VALUE,..][*WEIGHT] + ..` and builds it once, so that a blend from text is a valid one.
    fn from_str(text: &str) -> Result<Self, RecipeError> {
        // `1e+3` is a number; a part begins with a letter.
        let begins = |_: &str, after: &str| after.trim_start().starts_with(|c: char| c.is_alphabetic());
        let parts = pieces(text, 0, text, '+', begins)?;
        let part = |(at, part): (usize, &str)| {
            let cuts = pieces(text, at, part, '*', |_, _| true)?;
            let (model, weight) = match cuts[..] {
                [(_, model)] => (model, 1.0),
                [(_, model), (at, weight)] => match weight.trim().parse::<f32>() {
                    Ok(weight) => (model, weight),
                    Err(_) => return Err(syntax(text, at, format!("{:?} is no weight", weight.trim()))),
                },
                [.., (at, _)] => return Err(syntax(text, at, "a part has one weight")),
                [] => (part, 1.0),
            };
            Ok(RecipePart::new(ModelRecipe::read(text, at, model)?, weight))
        };
        let blend = Self { parts: parts.into_iter().map(part).collect::<Result<_, _>>()? };
        blend.build()?;
        Ok(blend)
    }
}

impl fmt::Display for BlendRecipe {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.parts.iter().enumerate() {
            let plus = if place == 0 { "" } else { " + " };
            write!(f, "{plus}{}*{}", part.recipe(), part.weight)?;
        }
        Ok(())
    }
}
