//! Maximal marginal relevance: the next place goes to what is good and unlike what stands above.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rerank::{BindError, Binding, Memo, NextPlace, Rerank, RerankRecipe};
use crate::catalog::AttributeId;
use crate::ids::ItemIdx;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::{Context, Scorer};

/// What makes two items alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Alike {
    /// The overlap of their values for a category or tag attribute: Jaccard, so a shared parent category counts in part.
    Attribute(String),
    /// The similarity a scorer of the ranker sees in them ([`Scorer::similarity`]): item vectors, co-occurrence.
    Scorer(String),
}

/// Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998).
///
/// A candidate's value is `(1 - strength) x score - strength x max(similarity to a chosen item, 0)`. Use it with scores
/// on a unit scale (min-max, rank, quantile). Costs one similarity for each pair it has to look at, at most
/// `candidates x places`.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `strength` | 0.3 | 0 to 1 | 0 ranks by score alone, 1 by unlikeness alone |
/// | `alike` | attribute `category` | any | what makes two items alike |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiversityParams {
    /// How much unlikeness counts against score.
    pub strength: f32,
    /// What makes two items alike.
    pub alike: Alike,
}

impl Default for DiversityParams {
    fn default() -> Self {
        Self { strength: 0.3, alike: Alike::Attribute("category".to_owned()) }
    }
}

impl Validate for DiversityParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("strength", 0.0, 1.0, "how much unlikeness counts against score"),
            ParamSpec::typed("alike", "an attribute or a scorer by name", "what makes two items alike"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("strength", self.strength.into())
    }
}

impl RerankRecipe for crate::params::Checked<DiversityParams> {
    fn bind(&self, to: Binding<'_>) -> Result<Arc<dyn Rerank>, BindError> {
        let alike = match &self.alike {
            Alike::Attribute(name) => Likeness::Attribute(to.coded("diversity", name)?),
            Alike::Scorer(name) => to
                .scorers
                .iter()
                .find(|s| s.name() == name)
                .map(|s| Likeness::Scorer(Arc::clone(s)))
                .ok_or_else(|| BindError::NoScorer { who: "diversity".to_owned(), scorer: name.clone() })?,
        };
        Ok(Arc::new(Diversity { strength: self.strength, alike }))
    }
}

#[derive(Debug)]
struct Diversity {
    strength: f32,
    alike: Likeness,
}

#[derive(Debug)]
enum Likeness {
    Attribute(AttributeId),
    Scorer(Arc<dyn Scorer>),
}

impl Likeness {
    fn of(&self, cx: &Context<'_>, a: ItemIdx, b: ItemIdx) -> f32 {
        match self {
            Self::Attribute(attribute) => jaccard(cx.shelf.codes(a, *attribute), cx.shelf.codes(b, *attribute)),
            // A scorer of the shop's own may leave its range; NaN loses against every number below.
            Self::Scorer(scorer) => scorer.similarity(a, b).unwrap_or(0.0).clamp(-1.0, 1.0),
        }
    }
}

impl Rerank for Diversity {
    fn name(&self) -> &'static str {
        "diversity"
    }

    fn value(&self, cx: &Context<'_>, next: NextPlace<'_>, memo: &mut Memo) -> Option<f32> {
        for &chosen in &next.chosen[memo.accounted as usize..] {
            memo.value = memo.value.max(self.alike.of(cx, next.item, chosen));
        }
        memo.accounted = next.chosen.len() as u32;
        Some((1.0 - self.strength) * next.value - self.strength * memo.value)
    }
}

/// `|a ∩ b| / |a ∪ b|` of two ascending lists; 0 when either is empty.
fn jaccard(a: &[u32], b: &[u32]) -> f32 {
    let (mut i, mut j, mut both) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        both += usize::from(a[i] == b[j]);
        let (x, y) = (a[i], b[j]);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    let either = a.len() + b.len() - both;
    if both == 0 { 0.0 } else { both as f32 / either as f32 }
}

#[cfg(test)]
mod tests {
    use super::jaccard;

    #[test]
    fn jaccard_by_hand() {
        assert_eq!(jaccard(&[1, 2, 3], &[2, 3, 4]), 0.5);
        assert_eq!(jaccard(&[], &[1]), 0.0);
        assert_eq!(jaccard(&[1], &[1]), 1.0);
    }
}
