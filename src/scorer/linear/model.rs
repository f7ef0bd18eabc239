//! The fitted form of all linear item models: weights from each item to others.

use super::design::Design;
use crate::dataset::{Csr, Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::kernel::product::add_scaled;
use crate::kernel::top_k::top_k;
use crate::run::Run;
use crate::scorer::neighbours::Neighbours;
use crate::scorer::vote::{Electorate, Vote, Voting};
use crate::scorer::{
    Candidates, Context, Explanation, FitError, NOBODY, Reason, ReasonCode, Scored, Scorer, Scores, Workspace, opinion,
};

/// A linear item model: `score(b) = Σ vote(a) × weight(a → b)` over the shopper's items `a`, newest first. Fitted from
/// [`SlimParams`](super::SlimParams), [`SparseEaseParams`](super::SparseEaseParams) or, with the feature `linalg`,
/// `EaseParams`.
///
/// No opinion without a voter the model knows. The evidence it names is the item that adds most.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearModel {
    pub(super) name: String,
    pub(super) extent: Extent,
    pub(super) voting: Voting,
    pub(super) weights: Weights,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Weights {
    Lists(Neighbours),
    #[cfg_attr(not(feature = "linalg"), allow(dead_code))]
    Full(Full),
}

impl LinearModel {
    /// The weight that a full vote of `a` gives `b`; `None` if `a` does not vote for `b`. `O(neighbours)`, or `O(1)` for
    /// a full matrix.
    #[must_use]
    pub fn weight(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        match &self.weights {
            Weights::Lists(lists) => lists.weight(a, b),
            Weights::Full(full) => full.row(a)?.get(full.place(b)?).copied(),
        }
    }

    /// The `k` items that a vote of `item` lifts most, heaviest first, itself left out; none for an unknown item.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        let mut near: Vec<Scored> = match &self.weights {
            Weights::Lists(lists) => lists.of(item).to_vec(),
            Weights::Full(full) => full.row(item).map_or_else(Vec::new, |row| full.scored(row).collect()),
        };
        near.retain(|near| near.item != item);
        top_k(&mut near, k, Scored::order);
        near
    }
}

impl Electorate for LinearModel {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let Weights::Lists(lists) = &self.weights else { return };
        let mut voters = ws.take_scored();
        self.voting.voters(cx, None, ws, &mut voters);
        for &Scored { item, score } in &voters {
            cast(Vote { evidence: item, weight: score, code: self.reason(), list: lists.of(item) });
        }
        ws.give_scored(voters);
    }
}

impl Scorer for LinearModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        match &self.weights {
            Weights::Lists(_) => self.score_votes(cx, out, ws),
            Weights::Full(full) => full.score(&self.voting, cx, out, ws),
        }
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        match &self.weights {
            Weights::Lists(_) => self.propose_votes(cx, limit, out, ws),
            Weights::Full(full) => full.propose(&self.voting, cx, limit, out, ws),
        }
    }

    /// What each of the shopper's items adds.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Weights::Full(full) = &self.weights else { return self.explain_votes(cx, item, ws) };
        let known = item.as_usize() < self.extent.n_items;
        let Some(score) = known.then(|| opinion(self, cx, item, ws).0).flatten() else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let code = self.reason();
        let reason = Reason::Scorer { name: self.name.clone(), code };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let mut voters = ws.take_scored();
        full.voters(&self.voting, cx, ws, &mut voters);
        for voter in &voters {
            let part = self.weight(voter.item, item).map(|weight| voter.score * weight);
            let reason = Reason::Because { item: voter.item, code };
            explanation.details.push(Explanation::leaf(part, reason));
        }
        ws.give_scored(voters);
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The stronger of both directions, cut at 1. Weights compare within one model only.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        let known = |item| match &self.weights {
            Weights::Lists(lists) => !lists.of(item).is_empty(),
            Weights::Full(full) => full.row(item).is_some(),
        };
        if !known(a) || !known(b) {
            return None;
        }
        if a == b {
            return Some(1.0);
        }
        let both = [self.weight(a, b), self.weight(b, a)];
        Some(both.into_iter().flatten().reduce(f32::max).unwrap_or(0.0).clamp(-1.0, 1.0))
    }

    fn memory_report(&self) -> MemoryReport {
        match &self.weights {
            Weights::Lists(lists) => MemoryReport::default().with("neighbour lists", lists.heap_bytes()),
            Weights::Full(full) => MemoryReport::default().with("weights", full.heap_bytes()),
        }
    }
}

/// One target's coefficients, as (voter, coefficient), in any order.
pub(super) type Column = Vec<(u32, f32)>;

/// The lists of the voters from the columns of all items, scaled back, with `self_weight` on the diagonal of items that
/// have a pair.
pub(super) fn lists(
    columns: &mut [Column],
    design: &Design,
    self_weight: f32,
    run: &Run<'_>,
) -> Result<Neighbours, FitError> {
    let mut by_target = Csr::with_capacity(columns.len(), columns.iter().map(Vec::len).sum());
    for (target, column) in columns.iter_mut().enumerate() {
        column.iter_mut().for_each(|(voter, b)| *b *= design.from[*voter as usize] * design.to[target]);
        if self_weight != 0.0 && design.is_active(target) {
            column.push((target as u32, self_weight));
        }
        column.sort_unstable_by_key(|&(voter, _)| voter);
        if column.iter().any(|(_, b)| !b.is_finite()) {
            return Err(FitError::NotFinite { model: "a linear item model", step: target as u64 });
        }
        column.iter().filter(|(_, b)| *b != 0.0).for_each(|&(voter, b)| by_target.push(voter, b));
        by_target.end_row();
    }
    let by_voter = by_target.transposed(columns.len());
    drop(by_target);
    let list = |(): &mut (), item: ItemIdx, row: &mut Vec<Scored>| {
        let entries = by_voter.row(item.as_usize());
        row.extend(entries.iter().map(|(item, score)| Scored { item: ItemIdx::new(item), score }));
        row.sort_unstable_by(Scored::order);
    };
    Ok(Neighbours::build(columns.len(), run, || (), list)?)
}

/// Keeps the `k` coefficients that are largest either way; equal ones by ascending voter.
pub(super) fn keep_largest(column: &mut Column, k: usize) {
    top_k(column, k, |a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
}

/// All weights among the items that have a pair: 4 bytes a weight.
#[derive(Clone, PartialEq)]
pub(super) struct Full {
    /// The place of an item among those, or [`NOBODY`].
    places: Vec<u32>,
    items: Vec<u32>,
    /// By voter.
    rows: Vec<f32>,
}

#[cfg_attr(not(feature = "linalg"), allow(dead_code))]
impl Full {
    pub(super) fn new(n_items: usize, items: Vec<u32>, rows: Vec<f32>) -> Self {
        let mut places = vec![NOBODY; n_items];
        items.iter().zip(0..).for_each(|(&item, place)| places[item as usize] = place);
        Self { places, items, rows }
    }

    fn place(&self, item: ItemIdx) -> Option<usize> {
        self.places.get(item.as_usize()).filter(|&&place| place != NOBODY).map(|&place| place as usize)
    }

    fn row(&self, voter: ItemIdx) -> Option<&[f32]> {
        let n = self.items.len();
        self.place(voter).map(|place| &self.rows[place * n..(place + 1) * n])
    }

    fn scored(&self, sums: &[f32]) -> impl Iterator<Item = Scored> {
        let item = |(&item, &score): (&u32, &f32)| Scored { item: ItemIdx::new(item), score: score + 0.0 };
        self.items.iter().zip(sums).map(item).filter(|scored| scored.score.is_finite())
    }

    fn voters(&self, voting: &Voting, cx: &Context<'_>, ws: &mut Workspace, out: &mut Vec<Scored>) {
        voting.voters(cx, None, ws, out);
        out.retain(|voter| self.place(voter.item).is_some());
    }

    fn score(&self, voting: &Voting, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let mut voters = ws.take_scored();
        self.voters(voting, cx, ws, &mut voters);
        for slot in 0..out.items().len() {
            let Some(place) = self.place(out.items()[slot]) else { continue };
            let (mut sum, mut loudest) = (0.0, None);
            for voter in &voters {
                let Some(row) = self.row(voter.item) else { continue };
                let part = voter.score * row[place];
                sum += part; // in the order in which `propose` adds them up
                if loudest.is_none_or(|(most, _)| part > most) {
                    loudest = Some((part, voter.item));
                }
            }
            if let Some((_, evidence)) = loudest {
                out.set_because(slot, sum, evidence);
            }
        }
        ws.give_scored(voters);
    }

    fn propose(&self, voting: &Voting, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut voters = ws.take_scored();
        self.voters(voting, cx, ws, &mut voters);
        if !voters.is_empty() && limit > 0 {
            let mut sums = ws.take_floats(self.items.len());
            for voter in &voters {
                if let Some(row) = self.row(voter.item) {
                    add_scaled(voter.score, row, &mut sums);
                }
            }
            let mut scored = ws.take_scored();
            scored.extend(self.scored(&sums));
            out.extend_top(&mut scored, limit);
            ws.give_scored(scored);
            ws.give_floats(sums);
        }
        ws.give_scored(voters);
    }

    fn heap_bytes(&self) -> usize {
        (self.places.capacity() + self.items.capacity() + self.rows.capacity()) * 4
    }
}

impl std::fmt::Debug for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Full").field("items", &self.items.len()).finish_non_exhaustive()
    }
}

crate::persist::portable!(Full { places, items, rows }
    "places beyond its items" => |f| f.items.len().checked_mul(f.items.len()) == Some(f.rows.len())
        && f.places.iter().all(|&p| p == crate::scorer::NOBODY || (p as usize) < f.items.len())
        && f.items.iter().all(|&item| (item as usize) < f.places.len()));

impl crate::persist::Portable for Weights {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        match self {
            Self::Lists(lists) => out.value("kind", "lists").and_then(|()| out.part("lists", lists)),
            Self::Full(full) => out.value("kind", "full").and_then(|()| out.part("full", full)),
        }
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        match from.value::<String>("kind")?.as_str() {
            "lists" => from.part("lists").map(Self::Lists),
            "full" => from.part("full").map(Self::Full),
            other => Err(from.unsound(format!("has weights of an unknown kind {other:?}"))),
        }
    }
}

crate::persist::portable!(LinearModel { name, extent, voting, weights }
"a neighbour beyond its items" => |m| match &m.weights {
    Weights::Lists(lists) => lists.is_within(m.extent.n_items),
    Weights::Full(full) => full.places.len() <= m.extent.n_items,
});
