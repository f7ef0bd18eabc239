//! Which models a live recommender keeps fitted, and when each is fitted again.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rank::{Normalise, Ranker, RankerBuilder, RankerError};
use crate::scorer::{DynFit, Scorer};
use crate::time::{Span, Timestamp};

/// When a model is fitted again by a refresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refit {
    /// At every refresh. Count-based models touch only what changed.
    #[default]
    EveryRefresh,
    /// When this many events came since its last fit.
    After {
        /// How many.
        events: u64,
    },
    /// When its last fit is so old.
    Older {
        /// How old.
        than: Span,
    },
    /// Only by [`Live::refit`](super::Live::refit), and when something was erased or merged.
    ByHand,
}

impl Refit {
    pub(super) fn is_due(self, events: u64, age: Span) -> bool {
        match self {
            Self::EveryRefresh => true,
            Self::After { events: enough } => events >= enough,
            Self::Older { than } => age >= than,
            Self::ByHand => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    Blended { weight: f32, normalise: Option<Normalise> },
    Fallback,
}

/// What a file says of a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    role: Role,
    recipe: ToldRecipe,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ToldRecipe {
    Of {
        kind: String,
        params: Value,
    },
    /// Of a fit that does not say its recipe: what `Debug` prints.
    Text(String),
}

impl Told {
    fn of(member: &Member) -> Self {
        let recipe = match member.fit.recipe_dyn() {
            Some(recipe) => ToldRecipe::Of { kind: recipe.kind().to_owned(), params: recipe.params().clone() },
            None => ToldRecipe::Text(format!("{:?}", member.fit)),
        };
        Self { role: member.role, recipe }
    }

    fn is(&self, member: &Member) -> bool {
        let same = match (&self.recipe, member.fit.recipe_dyn()) {
            (ToldRecipe::Of { kind, params }, Some(recipe)) => recipe.is_value(kind, params),
            (ToldRecipe::Text(text), None) => *text == format!("{:?}", member.fit),
            _ => false,
        };
        same && self.role == member.role
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::Blended { weight, normalise: None } => write!(f, "{weight} x ")?,
            Role::Blended { weight, normalise: Some(how) } => write!(f, "{weight} x {how:?} of ")?,
            Role::Fallback => f.write_str("fallback ")?,
        }
        match &self.recipe {
            ToldRecipe::Of { kind, params } => write!(f, "{kind} {params}"),
            ToldRecipe::Text(text) => f.write_str(text),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) fit: Arc<dyn DynFit>,
    pub(super) refit: Refit,
    role: Role,
}

/// A model of the lineup as it was last fitted.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) model: Arc<dyn Scorer>,
    pub(super) at: Timestamp,
    pub(super) events: u64,
}

type Arrange = dyn Fn(RankerBuilder) -> RankerBuilder + Send + Sync;

/// The models of a live recommender, when each is fitted again, and what else its ranker does.
///
/// # Example
/// ```
/// use likewise::{Available, CoOccurrenceParams, Lineup, PopularityParams, Refit, Span, Validate};
/// let lineup = Lineup::new()
///     .model(CoOccurrenceParams::default().check()?, 1.0, Refit::EveryRefresh)
///     .fallback(PopularityParams::default().check()?, Refit::Older { than: Span::hours(1) })
///     .arranged(|ranker| ranker.filter(Available));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Lineup {
    members: Vec<Member>,
    arrange: Arc<Arrange>,
}

impl Lineup {
    /// No model, no filter.
    pub fn new() -> Self {
        Self { members: Vec::new(), arrange: Arc::new(|ranker| ranker) }
    }

    /// With a model in the blend, as [`RankerBuilder::scorer`].
    pub fn model(self, fit: impl DynFit, weight: f32, refit: Refit) -> Self {
        self.with(Arc::new(fit), Role::Blended { weight, normalise: None }, refit)
    }

    /// With a model whose scores are scaled in a way of their own, as [`RankerBuilder::scorer_scaled`].
    pub fn model_scaled(self, fit: impl DynFit, weight: f32, normalise: Normalise, refit: Refit) -> Self {
        self.with(Arc::new(fit), Role::Blended { weight, normalise: Some(normalise) }, refit)
    }

    /// With a model that fills up, as [`RankerBuilder::fallback`].
    pub fn fallback(self, fit: impl DynFit, refit: Refit) -> Self {
        self.with(Arc::new(fit), Role::Fallback, refit)
    }

    /// With filters, preferences, re-ranks, rules and limits put on the ranker by `arrange`.
    pub fn arranged(mut self, arrange: impl Fn(RankerBuilder) -> RankerBuilder + Send + Sync + 'static) -> Self {
        self.arrange = Arc::new(arrange);
        self
    }

    fn with(mut self, fit: Arc<dyn DynFit>, role: Role, refit: Refit) -> Self {
        self.members.push(Member { fit, refit, role });
        self
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// What is fitted, and how it counts.
    pub(super) fn told(&self) -> Vec<Told> {
        self.members.iter().map(Told::of).collect()
    }

    /// Whether a file's models, of which it says this, are those of this lineup.
    pub(super) fn is(&self, told: &[Told]) -> bool {
        told.len() == self.members.len() && told.iter().zip(&self.members).all(|(told, member)| told.is(member))
    }

    /// The same as the first files said it, which went by what `Debug` prints.
    pub(super) fn as_text(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("{:?} {:?}", member.role, member.fit)).collect()
    }

    /// The models of this lineup among the scorers and the fallbacks of a ranker it made.
    pub(super) fn models(&self, ranker: &Ranker) -> Option<Vec<Arc<dyn Scorer>>> {
        let (mut scorers, mut fallbacks) = (ranker.scorers().iter(), ranker.fallbacks().iter());
        let next = |member: &Member| match member.role {
            Role::Blended { .. } => scorers.next().cloned(),
            Role::Fallback => fallbacks.next().cloned(),
        };
        self.members.iter().map(next).collect()
    }

    pub(super) fn ranker(&self, fitted: &[Fitted]) -> Result<Ranker, RankerError> {
        let builder = self.members.iter().zip(fitted).fold(Ranker::builder(), |ranker, (member, fitted)| {
            let model = Arc::clone(&fitted.model);
            match member.role {
                Role::Blended { weight, normalise: None } => ranker.scorer(model, weight),
                Role::Blended { weight, normalise: Some(how) } => ranker.scorer_scaled(model, weight, how),
                Role::Fallback => ranker.fallback(model),
            }
        });
        (self.arrange)(builder).build()
    }
}

impl Default for Lineup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lineup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lineup").field("members", &self.members).finish_non_exhaustive()
    }
}
