//! Candidates for several requests at once, from the scorers that find them together in less time than one by one.

use super::pipeline::{Query, admitted, each_refusal};
use super::ranker::{Bound, Ranker};
use crate::ids::ItemIdx;
use crate::scorer::{Proposing, Workspace};

/// What scorers proposed to a group of requests, and the buffers for it.
#[derive(Default)]
pub(crate) struct Proposals {
    /// By scorer, then by request; nothing for a scorer that is asked one by one.
    found: Vec<Vec<Vec<ItemIdx>>>,
    /// By item: a bit for each request it is refused to by name.
    refused: Vec<u64>,
    /// The items with a bit.
    touched: Vec<ItemIdx>,
    /// By request: the filters to ask.
    ask: Vec<Vec<usize>>,
}

/// What was proposed to one of the requests.
#[derive(Clone, Copy)]
pub(crate) struct Proposed<'a> {
    proposals: &'a Proposals,
    request: usize,
}

impl Proposals {
    /// Requests a group: a bit for each.
    pub(crate) const MOST: usize = 48;

    /// Asks the scorers that propose together for candidates for `queries`, at most [`MOST`](Self::MOST) that give none of
    /// their own.
    pub(crate) fn gather(&mut self, ranker: &Ranker, bound: &Bound, queries: &[Query<'_>], ws: &mut Workspace) {
        let Self { found, refused, touched, ask, .. } = self;
        ask.resize_with(ask.len().max(queries.len()), Vec::new);
        for item in touched.drain(..) {
            refused[item.as_usize()] = 0;
        }
        for (u, (query, ask)) in queries.iter().zip(&mut *ask).enumerate() {
            let n_items = query.cx.shelf.n_items();
            if refused.len() < n_items {
                refused.resize(n_items, 0);
            }
            each_refusal(ranker, query, ask, |item| {
                refused[item.as_usize()] |= 1 << u;
                touched.push(item);
            });
        }
        found.resize_with(ranker.scorers.len(), Vec::new);
        for (scorer, found) in ranker.scorers.iter().zip(found) {
            let Some(scorer) = scorer.together() else {
                found.clear();
                continue;
            };
            found.resize_with(queries.len(), Vec::new);
            let (refused, ask) = (&*refused, &*ask);
            let admit = |u: usize| {
                let query = &queries[u];
                move |item: ItemIdx| {
                    refused[item.as_usize()] >> u & 1 == 0 && admitted(ranker, bound, query, &ask[u], item)
                }
            };
            let mut admit: Vec<_> = (0..queries.len()).map(admit).collect();
            let mut asks: Vec<Proposing<'_>> = Vec::with_capacity(queries.len());
            for ((query, admit), found) in queries.iter().zip(&mut admit).zip(found) {
                asks.push(Proposing::new(query.cx, admit, found));
            }
            scorer.propose_together(&mut asks, ranker.candidates, ws);
        }
    }

    /// What was proposed to request number `request` of the group.
    pub(crate) const fn to(&self, request: usize) -> Proposed<'_> {
        Proposed { proposals: self, request }
    }
}

impl<'a> Proposed<'a> {
    /// The proposals of a scorer; `None` when it has not been asked.
    pub(super) fn by(self, scorer: usize) -> Option<&'a [ItemIdx]> {
        self.proposals.found.get(scorer)?.get(self.request).map(Vec::as_slice)
    }
}
