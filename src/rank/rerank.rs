//! What the rest of a list says about the next place: the re-ranking contract.

use std::fmt;
use std::sync::Arc;

use crate::catalog::{AttributeId, AttributeKind, Shelf};
use crate::ids::ItemIdx;
use crate::scorer::{Context, Scorer};

/// A note a re-rank keeps about one candidate between two places, so that it only looks at what was chosen since.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memo {
    /// How many of the chosen items it accounts for.
    pub accounted: u32,
    /// A key of the candidate (a dictionary code), plus one; 0 until it is looked up.
    pub key: u32,
    /// A running number: the largest similarity, a count.
    pub value: f32,
}

/// One candidate for the next place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextPlace<'a> {
    /// The candidate.
    pub item: ItemIdx,
    /// The value it comes with: its blended score, or what the re-rank before made of it.
    pub value: f32,
    /// What stands above, best place first, pinned items included.
    pub chosen: &'a [ItemIdx],
}

/// A say in which candidate takes the next place, given what stands above.
///
/// The list is filled place by place: the candidate with the highest value takes the next one. **Monotone**: as
/// `chosen` grows, a candidate's value may fall or become `None`, never rise or come back. Diversity and caps are so by
/// nature, and it is what lets the engine ask about a few candidates a place instead of all (Minoux's accelerated
/// greedy, 1978).
pub trait Rerank: fmt::Debug + Send + Sync + 'static {
    /// A short name for logs.
    fn name(&self) -> &str;

    /// The value with which the candidate competes for the next place; `None` when it may not have it. Values that are
    /// not finite count as `None`.
    fn value(&self, cx: &Context<'_>, next: NextPlace<'_>, memo: &mut Memo) -> Option<f32>;

    /// What happens to candidates it refused when nothing else is left.
    fn when_short(&self) -> WhenShort {
        WhenShort::Relax
    }
}

/// What a full page is worth against a cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenShort {
    /// Refused candidates fill the places that would stay empty, at the end and marked as such.
    #[default]
    Relax,
    /// The list stays short.
    Strict,
}

/// What a re-rank recipe can be bound to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Binding<'a> {
    /// The items.
    pub shelf: &'a Shelf,
    /// The scorers of the ranker.
    pub scorers: &'a [Arc<dyn Scorer>],
}

impl Binding<'_> {
    /// The category or tags attribute `who` needs.
    pub(crate) fn coded(&self, who: &str, attribute: &str) -> Result<AttributeId, BindError> {
        let id = self.shelf.attribute(attribute);
        match id.and_then(|id| Some((id, self.shelf.kind(id)?))) {
            Some((id, AttributeKind::Category | AttributeKind::Tags)) => Ok(id),
            Some((_, kind)) => Err(BindError::WrongKind { who: who.to_owned(), attribute: attribute.to_owned(), kind }),
            None => Err(BindError::NoAttribute { who: who.to_owned(), attribute: attribute.to_owned() }),
        }
    }
}

/// Why a re-rank or rule cannot work in a snapshot.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The catalogue has no such attribute.
    #[error("{who} needs the attribute {attribute:?}, which the catalogue does not have; declare it in the catalogue")]
    NoAttribute {
        /// Who needs it.
        who: String,
        /// The attribute.
        attribute: String,
    },
    /// An attribute whose values cannot be compared.
    #[error("{who} needs a category or tags attribute; {attribute:?} is a {kind} attribute")]
    WrongKind {
        /// Who needs it.
        who: String,
        /// The attribute.
        attribute: String,
        /// What it is.
        kind: AttributeKind,
    },
    /// The ranker has no such scorer.
    #[error("{who} needs the scorer {scorer:?}, which the ranker does not have; add it to the ranker")]
    NoScorer {
        /// Who needs it.
        who: String,
        /// The scorer.
        scorer: String,
    },
    /// A parameter that only the binding could check.
    #[error("{who}: {source}")]
    Param {
        /// Who has it.
        who: String,
        /// What is wrong with it.
        source: crate::params::ParamError,
    },
}

/// The recipe of a re-rank: bound to a snapshot's catalogue and scorers once, not per request.
///
/// A re-rank that needs neither is its own recipe.
pub trait RerankRecipe: fmt::Debug + Send + Sync + 'static {
    /// The re-rank for one snapshot.
    ///
    /// # Errors
    /// [`BindError`] when what it needs is not there.
    fn bind(&self, to: Binding<'_>) -> Result<Arc<dyn Rerank>, BindError>;
}

impl<R: Rerank + Clone> RerankRecipe for R {
    fn bind(&self, _: Binding<'_>) -> Result<Arc<dyn Rerank>, BindError> {
        Ok(Arc::new(self.clone()))
    }
}
