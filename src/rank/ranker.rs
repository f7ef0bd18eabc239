//! The recipe of a ranked list, and the same bound to a snapshot's items.

use std::sync::Arc;

use super::blend::{Blend, Weighted};
use super::cap::CapParams;
use super::filter::Filter;
use super::normalise::Normalise;
use super::prefer::Preference;
use super::rerank::{BindError, Binding, Rerank, RerankRecipe};
use super::rule::{Action, Rule, RuleError, validate_all};
use super::search::SearchGuard;
use crate::catalog::{CompiledSelect, Select, SelectError, Shelf};
use crate::dataset::Dataset;
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError};
use crate::scorer::Scorer;

/// Why no ranker was built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RankerError {
    /// A setting out of its range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// A rule that cannot be meant.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A filter expression that cannot be meant.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Two scorers of one name.
    #[error("two scorers are called {name:?}; give one another name in its parameters")]
    SameName {
        /// The name.
        name: String,
    },
}

/// What to blend, filter, prefer, re-rank and rule: independent of any dataset, shared by snapshots.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::{Available, Dataset, DatasetBuilder, Fit, PopularityParams, Ranker, Run, Validate};
/// let data: Dataset = DatasetBuilder::default().finish()?;
/// let popular = PopularityParams::default().check()?.fit(&(&data).into(), &Run::new(1))?;
/// let ranker = Ranker::builder().scorer(Arc::new(popular), 1.0).filter(Available).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ranker {
    pub(crate) scorers: Vec<Arc<dyn Scorer>>,
    pub(crate) weights: Vec<Weighted>,
    pub(crate) blend: Blend,
    pub(crate) fallbacks: Vec<Arc<dyn Scorer>>,
    pub(crate) filters: Vec<Arc<dyn Filter>>,
    pub(crate) only: Vec<Select>,
    pub(crate) preferences: Vec<(Preference, f32)>,
    pub(crate) reranks: Vec<Arc<dyn RerankRecipe>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) guard: Option<SearchGuard>,
    pub(crate) candidates: usize,
    pub(crate) history: usize,
}

impl Ranker {
    /// An empty recipe: no scorers, no filters, weighted sum over min-max.
    pub fn builder() -> RankerBuilder {
        RankerBuilder(Self {
            scorers: Vec::new(),
            weights: Vec::new(),
            blend: Blend::default(),
            fallbacks: Vec::new(),
            filters: Vec::new(),
            only: Vec::new(),
            preferences: Vec::new(),
            reranks: Vec::new(),
            rules: Vec::new(),
            guard: None,
            candidates: 100,
            history: 500,
        })
    }

    /// The same with other rules in place of its own: nothing else changes, nothing is fitted. Serve it with
    /// [`Snapshot::with_ranker`](crate::Snapshot::with_ranker).
    ///
    /// # Errors
    /// [`RankerError::Rule`] when one of them cannot be meant, or two share an id.
    pub fn with_rules(&self, rules: impl IntoIterator<Item = Rule>) -> Result<Self, RankerError> {
        let rules: Vec<Rule> = rules.into_iter().collect();
        validate_all(&rules)?;
        Ok(Self { rules, ..self.clone() })
    }

    /// The scorers of the blend, in the order they were added.
    #[must_use]
    pub fn scorers(&self) -> &[Arc<dyn Scorer>] {
        &self.scorers
    }

    /// The fallback scorers, in order.
    #[must_use]
    pub fn fallbacks(&self) -> &[Arc<dyn Scorer>] {
        &self.fallbacks
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The preferences with their weights.
    #[must_use]
    pub fn preferences(&self) -> &[(Preference, f32)] {
        &self.preferences
    }
}

/// Collects a [`Ranker`]. A clone shares the scorers, so that variants of one recipe cost no fit.
#[derive(Clone, Debug)]
#[must_use]
pub struct RankerBuilder(Ranker);

impl RankerBuilder {
    /// Adds a scorer with a weight above 0.
    pub fn scorer(mut self, scorer: Arc<dyn Scorer>, weight: f32) -> Self {
        self.0.scorers.push(scorer);
        self.0.weights.push(Weighted { weight, normalise: None });
        self
    }

    /// Adds a scorer with a weight above 0 and a scale of its own.
    pub fn scorer_scaled(mut self, scorer: Arc<dyn Scorer>, weight: f32, normalise: Normalise) -> Self {
        self.0.scorers.push(scorer);
        self.0.weights.push(Weighted { weight, normalise: Some(normalise) });
        self
    }

    /// How opinions are combined.
    pub fn blend(mut self, blend: Blend) -> Self {
        self.0.blend = blend;
        self
    }

    /// Adds a fallback: asked, in order, only when the candidates of the scorers before run dry. After the last one
    /// comes the whole catalogue in the order of its numbers, so that a page is never short without need.
    pub fn fallback(mut self, scorer: Arc<dyn Scorer>) -> Self {
        self.0.fallbacks.push(scorer);
        self
    }

    /// Adds a hard filter.
    pub fn filter(mut self, filter: impl Filter) -> Self {
        self.0.filters.push(Arc::new(filter));
        self
    }

    /// Shows only items that match.
    pub fn only(mut self, items: Select) -> Self {
        self.0.only.push(items);
        self
    }

    /// Leans towards something, by `weight` from 0 to 1000.
    pub fn prefer(mut self, preference: Preference, weight: f32) -> Self {
        self.0.preferences.push((preference, weight));
        self
    }

    /// Adds a re-rank; several act one after the other on each place.
    pub fn rerank(mut self, rerank: impl RerankRecipe) -> Self {
        self.0.reranks.push(Arc::new(rerank));
        self
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.0.rules.push(rule);
        self
    }

    /// Keeps the best of a search near the top: acts on requests that carry the engine's
    /// [`relevance`](crate::Request::relevance).
    pub fn guard(mut self, guard: Checked<SearchGuard>) -> Self {
        self.0.guard = Some(guard.into_inner());
        self
    }

    /// How many candidates each scorer proposes, 1 to 1,000,000 (default 100). A list is a fixed function of the request
    /// for a given limit, so that its pages fit together.
    pub fn candidates(mut self, each: usize) -> Self {
        self.0.candidates = each;
        self
    }

    /// How many of the shopper's latest touches scorers may look at, 1 to 100,000 (default 500): the session of the
    /// request, always whole, then as many of the profile as are left. Filters look at all.
    pub fn history(mut self, touches: usize) -> Self {
        self.0.history = touches;
        self
    }

    /// The ranker.
    ///
    /// # Errors
    /// [`RankerError`] names what is out of range.
    pub fn build(self) -> Result<Ranker, RankerError> {
        let ranker = self.0;
        for (scorer, w) in ranker.scorers.iter().zip(&ranker.weights) {
            if !(f32::MIN_POSITIVE..=1e6).contains(&w.weight) {
                let param = format!("weight of scorer {:?}", scorer.name());
                return Err(ParamError::new(param, w.weight, "a finite number above 0, up to 1000000").into());
            }
        }
        for (i, scorer) in ranker.scorers.iter().enumerate() {
            if ranker.scorers[..i].iter().any(|other| other.name() == scorer.name()) {
                return Err(RankerError::SameName { name: scorer.name().to_owned() });
            }
        }
        ranker.blend.validate()?;
        for (preference, weight) in &ranker.preferences {
            preference.validate()?;
            if !(0.0..=1000.0).contains(weight) {
                let param = format!("weight of preference {:?}", preference.name());
                return Err(ParamError::new(param, weight, "a finite number from 0 to 1000").into());
            }
        }
        ranker.only.iter().try_for_each(Select::validate)?;
        validate_all(&ranker.rules)?;
        if !(1..=1_000_000).contains(&ranker.candidates) {
            let expected = "a whole number from 1 to 1000000";
            return Err(ParamError::new("candidates", ranker.candidates, expected).into());
        }
        if !(1..=100_000).contains(&ranker.history) {
            return Err(ParamError::new("history", ranker.history, "a whole number from 1 to 100000").into());
        }
        Ok(ranker)
    }
}

/// The parts of a ranker that depend on the items of a snapshot, looked up once.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) only: Vec<CompiledSelect>,
    pub(crate) reranks: Vec<Arc<dyn Rerank>>,
    pub(crate) rules: Vec<BoundRule>,
}

/// What a rule needs of the items.
#[derive(Debug)]
pub(crate) enum BoundRule {
    /// `None` when there is no such item (any more).
    Pin(Option<ItemIdx>),
    Score {
        items: CompiledSelect,
        by: f32,
    },
    Cap(Arc<dyn Rerank>),
    Slot(CompiledSelect),
}

/// Why a ranker does not fit the items of a snapshot.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundError {
    /// A re-rank misses something.
    #[error(transparent)]
    Rerank(#[from] BindError),
    /// A filter expression misses something.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A rule misses something.
    #[error("rule {rule:?}: {source}")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What it misses.
        source: Box<BoundError>,
    },
}

impl Bound {
    pub(crate) fn new(ranker: &Ranker, data: &Dataset, shelf: &Shelf) -> Result<Self, BoundError> {
        let to = Binding { shelf, scorers: &ranker.scorers };
        let compile = |items: &Select| items.compile(data, shelf);
        let rule = |rule: &Rule| -> Result<BoundRule, BoundError> {
            Ok(match &rule.action {
                Action::Pin { item, .. } => {
                    BoundRule::Pin(shelf.item(data, item).filter(|&item| !shelf.is_removed(item)))
                }
                Action::Boost { items, by } => BoundRule::Score { items: compile(items)?, by: *by },
                Action::Bury { items, by } => BoundRule::Score { items: compile(items)?, by: -by },
                Action::Slot { items, .. } => BoundRule::Slot(compile(items)?),
                Action::Cap { attribute, max, when_short } => {
                    let cap = CapParams { attribute: attribute.clone(), max: *max, when_short: *when_short };
                    // The rule was validated with the ranker; a cap out of range cannot come this far.
                    let cap = Checked::new(cap).map_err(|e| BindError::Param { who: "cap".to_owned(), source: e })?;
                    BoundRule::Cap(cap.bind(to)?)
                }
            })
        };
        let named = |r: &Rule| rule(r).map_err(|e| BoundError::Rule { rule: r.id.clone(), source: Box::new(e) });
        Ok(Self {
            only: ranker.only.iter().map(compile).collect::<Result<_, _>>()?,
            reranks: ranker.reranks.iter().map(|r| r.bind(to)).collect::<Result<_, _>>()?,
            rules: ranker.rules.iter().map(named).collect::<Result<_, _>>()?,
        })
    }
}
