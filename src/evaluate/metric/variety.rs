//! How unlike are the items of a list, and do they keep the shopper's mixture?

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Judged, Metric, NoAttribute, coded};
use crate::catalog::{AttributeId, AttributeKind, Shelf};
use crate::evaluate::case::Case;
use crate::evaluate::task::Task;
use crate::ids::ItemIdx;
use crate::scorer::Scorer;

/// Intra-list diversity of the first `k`: the mean of `1 - similarity` over all pairs (Smyth & McClave 2001, ICCBR; Ziegler
/// et al. 2005, WWW). Undefined where no pair can be compared.
///
/// By an attribute, the similarity of two items is that of their sets of values (Jaccard: shared / all); a category path
/// counts with all its prefixes. By a scorer it is [`Scorer::similarity`]. `O(k²)`.
#[derive(Clone, Debug)]
pub struct Diversity {
    k: usize,
    of: String,
    by: By,
}

#[derive(Clone, Debug)]
enum By {
    Attribute(AttributeId),
    Scorer(Arc<dyn Scorer>),
}

impl Diversity {
    /// At `k`, by a category or tag attribute of the task's catalogue.
    ///
    /// # Errors
    /// [`NoAttribute`].
    pub fn by_attribute(k: usize, task: &Task, attribute: &str) -> Result<Self, NoAttribute> {
        Ok(Self { k, of: attribute.to_owned(), by: By::Attribute(coded(task.shelf(), attribute)?) })
    }

    /// At `k`, in the space of a scorer.
    #[must_use]
    pub fn by_scorer(k: usize, scorer: Arc<dyn Scorer>) -> Self {
        Self { k, of: scorer.name().to_owned(), by: By::Scorer(scorer) }
    }

    fn similarity(&self, shelf: &Shelf, a: ItemIdx, b: ItemIdx) -> Option<f64> {
        match &self.by {
            By::Attribute(attribute) => jaccard(shelf.codes(a, *attribute), shelf.codes(b, *attribute)),
            By::Scorer(scorer) => scorer.similarity(a, b).map(f64::from),
        }
    }
}

/// Of two ascending lists; `None` when one is empty.
fn jaccard(a: &[u32], b: &[u32]) -> Option<f64> {
    let shared = a.iter().filter(|code| b.binary_search(code).is_ok()).count();
    (!a.is_empty() && !b.is_empty()).then(|| shared as f64 / (a.len() + b.len() - shared) as f64)
}

impl Metric for Diversity {
    fn name(&self) -> String {
        format!("diversity@{}({})", self.k, self.of)
    }

    fn depth(&self, _: &Case) -> usize {
        self.k
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        let list = judged.top(self.k);
        let (mut sum, mut pairs) = (0.0, 0);
        for (place, &a) in list.iter().enumerate() {
            for &b in &list[..place] {
                if let Some(similarity) = self.similarity(judged.task.shelf(), a, b) {
                    sum += 1.0 - similarity;
                    pairs += 1;
                }
            }
        }
        (pairs > 0).then(|| sum / f64::from(pairs))
    }
}

/// How far the first `k` are from the shopper's own mixture of an attribute, in nats; 0 is the same mixture (Steck 2018,
/// "Calibrated recommendations", RecSys).
///
/// `Σ_g p(g) ln(p(g) / q'(g))` with `q' = 0.99 q + 0.01 p`, where `p` is the mixture of what the shopper touched (by
/// event weight) and `q` that of the list. An item counts for its most specific category, or in equal parts for its tags.
/// Undefined where either side has no value of the attribute.
#[derive(Clone, Debug)]
pub struct Calibration {
    k: usize,
    of: String,
    attribute: AttributeId,
}

impl Calibration {
    /// At `k`, by a category or tag attribute of the task's catalogue.
    ///
    /// # Errors
    /// [`NoAttribute`].
    pub fn new(k: usize, task: &Task, attribute: &str) -> Result<Self, NoAttribute> {
        Ok(Self { k, of: attribute.to_owned(), attribute: coded(task.shelf(), attribute)? })
    }

    fn mixture(&self, shelf: &Shelf, items: impl Iterator<Item = (ItemIdx, f64)>) -> Option<FxHashMap<u32, f64>> {
        let mut mixture: FxHashMap<u32, f64> = FxHashMap::default();
        let mut all = 0.0;
        for (item, weight) in items {
            let codes = match shelf.kind(self.attribute) {
                Some(AttributeKind::Category) => shelf.codes(item, self.attribute).last().map(std::slice::from_ref),
                _ => Some(shelf.codes(item, self.attribute)).filter(|codes| !codes.is_empty()),
            };
            let Some(codes) = codes else { continue };
            for &code in codes {
                *mixture.entry(code).or_default() += weight / codes.len() as f64;
            }
            all += weight;
        }
        mixture.values_mut().for_each(|share| *share /= all);
        (all > 0.0).then_some(mixture)
    }
}

impl Metric for Calibration {
    fn name(&self) -> String {
        format!("calibration@{}({})", self.k, self.of)
    }

    fn depth(&self, _: &Case) -> usize {
        self.k
    }

    fn of(&self, judged: &Judged<'_>) -> Option<f64> {
        const ALPHA: f64 = 0.01;
        let (task, case) = (judged.task, judged.case);
        let stored = case.user.into_iter().flat_map(|user| task.serve_from().items_of(user).iter());
        let stored = stored.map(|(item, weight)| (ItemIdx::new(item), f64::from(weight)));
        let session = case.session.iter().map(|touch| (touch.item, f64::from(touch.weight)));
        let own = self.mixture(task.shelf(), session.filter(|&(_, weight)| weight > 0.0).chain(stored))?;
        let list = self.mixture(task.shelf(), judged.top(self.k).iter().map(|&item| (item, 1.0)))?;
        let mut own: Vec<(u32, f64)> = own.into_iter().collect();
        own.sort_unstable_by_key(|&(code, _)| code); // one order of summation
        let term = |(code, p): (u32, f64)| {
            let q = list.get(&code).copied().unwrap_or(0.0);
            p * (p / ((1.0 - ALPHA) * q + ALPHA * p)).ln()
        };
        Some(own.into_iter().map(term).sum::<f64>().max(0.0))
    }
}
