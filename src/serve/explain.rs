//! Why this item — and why not that one?

use super::request::{Request, RequestError};
use super::result::{Contribution, Source};
use super::snapshot::{Scratch, Snapshot};
use crate::catalog::CompiledSelect;
use crate::ids::ItemIdx;
use crate::rank::{Placed, Placement};
use crate::scorer::{Context, Explanation, Reason, Scorer, Workspace};

/// What became of one item under one request, with the arithmetic.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explained {
    /// Where it ended.
    pub fate: Fate,
    /// Its score as a tree: the root is the score it was (or would be) ranked with, its details sum to it, and theirs
    /// say how each scorer came to its opinion.
    pub score: Explanation,
}

/// Where an item ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fate {
    /// On the list.
    Listed {
        /// The place in the whole list, 0 the first.
        position: usize,
        /// How it came there.
        placement: Placement,
    },
    /// Good enough to be a candidate, but not among the first `offset + k`, or held off by a strict cap.
    Outranked,
    /// Not proposed by any scorer; its score is what it would have been.
    NotProposed,
    /// Refused by these filters.
    Filtered {
        /// Their names; `exclude`, `candidates` and `only` for the request's own, `removed` for what left the catalogue.
        by: Vec<String>,
    },
    /// No such item.
    Unknown,
}

impl Snapshot {
    /// What became of `item` under `request`, and why. Slow compared with a request: for support desks, "why this?"
    /// links and tests.
    ///
    /// For an item on the list the root's value is bit for bit the score it was ranked with.
    ///
    /// # Errors
    /// As [`Snapshot::recommend`].
    pub fn explain(&self, request: &Request<'_>, item: &str) -> Result<Explained, RequestError> {
        let unscored = |fate| Ok(Explained { fate, score: Explanation::leaf(None, Reason::Blend) });
        let Some(item) = self.item(item) else { return unscored(Fate::Unknown) };
        let (mut ws, mut scratch) = (Workspace::default(), Scratch::default());
        self.run(request, &mut scratch, &mut ws, None)?;
        let listed = scratch.ranking.placed.iter().position(|p| p.item == item);
        let proposed = scratch.ranking.candidates.contains(item);
        let (fate, placed) = if let Some(position) = listed {
            let placed = scratch.ranking.placed[position];
            (Fate::Listed { position, placement: placed.placement }, placed)
        } else {
            if !proposed {
                let by = self.refused_by(request, &scratch, item);
                if !by.is_empty() {
                    return unscored(Fate::Filtered { by });
                }
                self.run(request, &mut scratch, &mut ws, Some(item))?;
            }
            let ranking = &scratch.ranking;
            let Some(slot) = ranking.candidates.position(item) else { return unscored(Fate::NotProposed) };
            let (score, placement) = (ranking.scores[slot], Placement::Ranked);
            let fate = if proposed { Fate::Outranked } else { Fate::NotProposed };
            (fate, Placed { item, score, placement, slot: Some(slot), fallback: None })
        };
        let cx = scratch.resolved.query(self.inner(), request).cx;
        let parts = self.contributions(&scratch.ranking, &placed);
        let details = parts.map(|part| self.detail(&part, &cx, item, &mut ws)).collect();
        Ok(Explained { fate, score: Explanation { value: Some(placed.score), reason: Reason::Blend, details } })
    }

    /// One contribution with, below it, how the scorer came to its raw opinion.
    fn detail(&self, part: &Contribution, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let opinion = |scorer: &dyn Scorer, ws: &mut Workspace| {
            let reason = Reason::Scorer { name: scorer.name().to_owned(), code: scorer.reason() };
            Explanation { value: Some(part.value), reason, details: vec![scorer.explain(cx, item, ws)] }
        };
        match part.source {
            Source::Scorer(i) => opinion(&*self.ranker().scorers()[i], ws),
            Source::Fallback(i) => opinion(&*self.ranker().fallbacks()[i], ws),
            Source::Rule(_) | Source::Preference(_) => {
                Explanation::leaf(Some(part.value), Reason::Rule { id: self.source_name(part.source).to_owned() })
            }
        }
    }

    fn refused_by(&self, request: &Request<'_>, scratch: &Scratch, item: ItemIdx) -> Vec<String> {
        let inner = self.inner();
        let query = scratch.resolved.query(inner, request);
        let mut by = Vec::new();
        if query.exclude.contains(&item) {
            by.push("exclude".to_owned());
        }
        if query.candidates.is_some_and(|given| !given.contains(&item)) {
            by.push("candidates".to_owned());
        }
        if inner.shelf.is_removed(item) {
            by.push("removed".to_owned());
        }
        let matches = |only: &CompiledSelect| only.matches(&inner.shelf, item, request.now);
        if !inner.bound.only.iter().chain(query.only).all(matches) {
            by.push("only".to_owned());
        }
        let refusing = inner.ranker.filters.iter().filter(|f| !f.keep(&query.cx, item));
        by.extend(refusing.map(|f| f.name().to_owned()));
        by
    }
}
