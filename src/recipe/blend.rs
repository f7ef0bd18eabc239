//! Several models with weights.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::RecipeError;
use super::list::model;
use super::model::ModelRecipe;
use super::text::{pieces, syntax};
use crate::params::ParamError;
use crate::rank::{Ranker, RankerBuilder};
use crate::run::Run;
use crate::scorer::{
    BlendPart, Blended, BlendedError, DynFit, Fit, FitError, FitRecipe, Focus, HistoryView, PartScale, PartShare,
    Scorer, TrainingSet,
};

/// One voice of a blend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipePart {
    /// The model's name.
    pub model: String,
    /// Its parameters; those that are missing have their defaults.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// What its opinion counts, above 0; 1 if not said.
    #[serde(default = "one")]
    pub weight: f32,
    /// How its scores become comparable with those of the others.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scale: PartScale,
    /// How its weight depends on the session.
    #[serde(default, skip_serializing_if = "is_default")]
    pub share: PartShare,
    /// Which part of the shopper's history it is shown.
    #[serde(default, skip_serializing_if = "is_default")]
    pub view: HistoryView,
}

const fn one() -> f32 {
    1.0
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl RecipePart {
    /// A model with its weight.
    #[must_use]
    pub fn new(recipe: ModelRecipe, weight: f32) -> Self {
        let (scale, share, view) = Default::default();
        Self { model: recipe.model, params: recipe.params, weight, scale, share, view }
    }

    /// The model without its weight.
    #[must_use]
    pub fn recipe(&self) -> ModelRecipe {
        ModelRecipe { model: self.model.clone(), params: self.params.clone() }
    }
}

/// Models with weights: `als:factors=128*0.7 + co_purchase*0.3`; a part without a weight counts 1. After a weight may
/// stand the part's scale, its share and its view of the history, each a word or JSON:
/// `als*0.7@rank + vstan*0.3@best@{"grows":{"half_life":2}}@session`.
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
#[serde(deny_unknown_fields)]
pub struct BlendRecipe {
    /// Its voices, at least one.
    pub parts: Vec<RecipePart>,
    /// Proposals of each part that are blended, and that it is scaled by; `1..=1_000_000`. See [`Blended::pool`].
    #[serde(default = "pool")]
    pub pool: usize,
}

const fn pool() -> usize {
    200
}

impl BlendRecipe {
    /// Something that fits the blend as one scorer, a [`Blended`].
    ///
    /// # Errors
    /// [`RecipeError`] when there is no part, or one cannot be built.
    pub fn build(&self) -> Result<BlendFit, RecipeError> {
        let mut names = Vec::new();
        let parts = self.parts.iter().map(|part| part.build(&mut names)).collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() {
            Err(RecipeError::NoParts)
        } else {
            Ok(BlendFit { name: self.to_string(), parts, pool: self.pool, spelt: self.clone().into() })
        }
    }

    /// Fits every part and hands them to a ranker to be, in order, each with its weight. A ranker scales its scorers
    /// itself: `scale` and `share` of the parts and the `pool` do not count. Parts of one scorer's name get numbered names, as a ranker
    /// demands.
    ///
    /// # Errors
    /// As [`build`](Self::build), and what a fit says.
    pub fn ranker(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<RankerBuilder, BlendError> {
        let mut ranker = Ranker::builder();
        for part in self.build()?.parts {
            ranker = ranker.scorer(part.fitted(train, run)?, part.weight);
        }
        Ok(ranker)
    }
}

impl RecipePart {
    fn build(&self, names: &mut Vec<String>) -> Result<PartFit, RecipeError> {
        if !(self.weight.is_finite() && self.weight > 0.0) {
            return Err(RecipeError::Weight { model: self.model.clone(), weight: self.weight });
        }
        let kind = model(&self.model)?;
        let mut params = self.params.clone();
        if let Some(name) = kind.with(&params).get("name").and_then(|name| name.as_str()) {
            let same = names.iter().filter(|other| *other == name).count();
            names.push(name.to_owned());
            if same > 0 {
                params.insert("name".to_owned(), format!("{name}_{}", same + 1).into());
            }
        }
        let Self { weight, scale, share, view, .. } = *self;
        Ok(PartFit { fit: kind.build(&params)?, weight, scale, share, view })
    }
}

/// A blend whose parts are checked; it fits into a [`Blended`].
#[derive(Debug)]
pub struct BlendFit {
    name: String,
    parts: Vec<PartFit>,
    pool: usize,
    spelt: Spelt,
}

/// A blend that says every parameter of its parts: its meaning does not depend on what is the default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "BlendRecipe")]
struct Spelt(BlendRecipe);

impl From<BlendRecipe> for Spelt {
    fn from(mut blend: BlendRecipe) -> Self {
        for part in &mut blend.parts {
            // As the model itself says them: `10` and `10.0` are the same.
            let fit = model(&part.model).and_then(|kind| kind.build(&part.params)).ok();
            if let Some(Value::Object(params)) =
                fit.and_then(|fit| fit.recipe_dyn()).map(|recipe| recipe.params().clone())
            {
                part.params = params;
            }
        }
        Self(blend)
    }
}

#[derive(Debug)]
struct PartFit {
    fit: Arc<dyn DynFit>,
    weight: f32,
    scale: PartScale,
    share: PartShare,
    view: HistoryView,
}

impl PartFit {
    fn fitted(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Arc<dyn Scorer>, FitError> {
        let scorer = self.fit.fit_dyn(train, run)?;
        Ok(if self.view == HistoryView::Whole { scorer } else { Arc::new(Focus::on(self.view, scorer)) })
    }
}

impl Fit for BlendFit {
    type Model = Blended;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("blend", &self.spelt)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Blended, FitError> {
        let fitted = |part: &PartFit| {
            let scorer = part.fitted(train, run)?;
            Ok(BlendPart::new(scorer, part.weight).scale(part.scale).share(part.share))
        };
        let parts = self.parts.iter().map(fitted).collect::<Result<Vec<_>, FitError>>()?;
        let blended = Blended::new(self.name.clone(), parts);
        blended.and_then(|blended| Ok(blended.pool(self.pool)?)).map_err(|error| match error {
            BlendedError::Param(error) => FitError::Param(error),
            // Neither empty nor of several numberings: all parts were fitted on one data set.
            other => FitError::Param(ParamError::new("parts", &self.name, other.to_string())),
        })
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
                [(_, model)] => (model, None),
                [(_, model), (at, weight)] => (model, Some((at, weight))),
                [.., (at, _)] => return Err(syntax(text, at, "a part has one weight")),
                [] => (part, None),
            };
            let mut part = RecipePart::new(ModelRecipe::read(text, at, model)?, 1.0);
            for (place, (at, word)) in weight
                .map_or(Ok(Vec::new()), |(at, weight)| pieces(text, at, weight, '@', |_, _| true))?
                .into_iter()
                .enumerate()
            {
                let word = word.trim();
                match place {
                    0 => part.weight = word.parse().map_err(|_| syntax(text, at, format!("{word:?} is no weight")))?,
                    1 if word == "rank" => part.scale = PartScale::Rank { c: 60.0 },
                    1 if word == "log" => part.scale = PartScale::Log { floor: 0.01 },
                    1 => part.scale = read(text, at, word, "scale: as_is, best, deviations, rank or log")?,
                    2 => part.share = read(text, at, word, "share: constant, or fades or grows with a half_life")?,
                    3 => part.view = read(text, at, word, "view: whole, session or profile")?,
                    _ => return Err(syntax(text, at, "a part has one scale, one share and one view")),
                }
            }
            Ok(part)
        };
        let blend = Self { parts: parts.into_iter().map(part).collect::<Result<_, _>>()?, pool: pool() };
        blend.build()?;
        Ok(blend)
    }
}

/// A word or JSON.
fn read<T: DeserializeOwned>(text: &str, at: usize, word: &str, what: &str) -> Result<T, RecipeError> {
    let value = serde_json::from_str::<Value>(word).unwrap_or_else(|_| word.into());
    serde_json::from_value(value).map_err(|_| syntax(text, at, format!("{word:?} is no {what}")))
}

/// As [`read`] reads it.
fn write<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

impl fmt::Display for BlendRecipe {
    /// As [`FromStr`] reads it; the `pool` is not said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.parts.iter().enumerate() {
            let plus = if place == 0 { "" } else { " + " };
            write!(f, "{plus}{}*{}", part.recipe(), part.weight)?;
            // What stands before the last that is not the default must be said.
            let said = [
                (write(&part.scale), is_default(&part.scale)),
                (write(&part.share), is_default(&part.share)),
                (write(&part.view), is_default(&part.view)),
            ];
            let n = said.iter().rposition(|(_, default)| !default).map_or(0, |last| last + 1);
            said[..n].iter().try_for_each(|(text, _)| write!(f, "@{text}"))?;
        }
        Ok(())
    }
}
