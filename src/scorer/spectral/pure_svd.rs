//! PureSVD: a shopper's row, projected on the leading singular vectors.
//!
//! *When to use it:* as a plain, quick factorisation with one parameter that matters. *When not:* where
//! [`Als`](crate::Als) may take ten times as long to fit; it is mostly more accurate.
//!
//! *Cost:* fit: a round is two passes of `pairs × factors` and `2 × items × factors²` multiply-adds. Query: `items ×
//! factors` multiply-adds at most; the vectors are held twice, as they are and times their scale.
//!
//! # References
//! * P. Cremonesi, Y. Koren & R. Turrin (2010): Performance of recommender algorithms on top-N recommendation tasks.
//!   RecSys.
//! * A. Nikolakopoulos, V. Kalantzis, E. Gallopoulos & J. Garofalakis (2019): EigenRec: generalizing PureSVD for effective
//!   and efficient top-N recommendations. Knowledge and Information Systems 58. (The scaling of columns.)

use serde::{Deserialize, Serialize};

use super::{Basis, check_kinds, check_name, voters};
use crate::dataset::{Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::kernel::dot::dot;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::scorer::factors::Factors;
use crate::scorer::linear::Scaling;
use crate::scorer::linear::design::Design;
use crate::scorer::retrieval::Retrieval;
use crate::scorer::together::propose_alone;
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Proposing, Reason, ReasonCode, Scored, Scorer, Scores,
    Together, TrainingSet, Workspace, opinion,
};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`PureSvd`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `pure_svd` | not empty | the scorer's name |
/// | `factors` | 64 | 1 to 1024 | singular vectors |
/// | `rounds` | 6 | 1 to 100 | refinements of the decomposition |
/// | `strength` | one | | what a pair counts in the fit, and as a vote |
/// | `scaling` | item exponent 0.5 | see [`Scaling`] | how the matrix is scaled |
/// | `kinds` | interest | at least one kind | touches of the shopper that vote |
/// | `history` | 500 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
/// | `retrieval` | auto | see [`Retrieval`] | how `propose` looks for items |
///
/// With `x` the shopper's votes, `V` the leading right singular vectors of the [scaled](Scaling) matrix and `N` the sums
/// of its columns before scaling, the scores are `x N^-e V Vᵀ N^e`, `e` being the item exponent. Without scaling this is
/// the model of Cremonesi et al.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PureSvdParams {
    /// The scorer's name.
    pub name: String,
    /// Singular vectors, `1..=1024`; at most as many as there are items or shopper rows.
    pub factors: usize,
    /// Refinements of the decomposition, `1..=100`. Six are enough for ranking.
    pub rounds: u32,
    /// What a pair counts in the fit, and an item of the shopper as a vote.
    pub strength: Strength,
    /// How the matrix is scaled.
    pub scaling: Scaling,
    /// Touches of the shopper that vote.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// How [`propose`](crate::Scorer::propose) looks for items.
    pub retrieval: Retrieval,
}

impl Default for PureSvdParams {
    fn default() -> Self {
        Self {
            name: "pure_svd".to_owned(),
            factors: 64,
            rounds: 6,
            strength: Strength::One,
            scaling: Scaling { item_exponent: 0.5, ..Scaling::default() },
            kinds: KindSet::INTEREST,
            history: 500,
            recency: None,
            retrieval: Retrieval::Auto,
        }
    }
}

impl Validate for PureSvdParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::int("factors", 1, 1024, "singular vectors"),
            ParamSpec::int("rounds", 1, 100, "refinements of the decomposition"),
            ParamSpec::typed("strength", "one, weight or log", "what a pair counts"),
            Scaling::TABLE[0],
            Scaling::TABLE[1],
            Scaling::TABLE[2],
            Scaling::TABLE[3],
            ParamSpec::typed("kinds", "at least one kind", "touches of the shopper that vote"),
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("retrieval", Retrieval::ALLOWED, "how items are looked for"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name(&self.name)?;
        check_range::<Self>("factors", self.factors as f64)?;
        check_range::<Self>("rounds", self.rounds.into())?;
        self.scaling.validate_in::<Self>()?;
        check_kinds(self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))?;
        self.retrieval.validate("retrieval")
    }
}

impl Tunable for PureSvdParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("factors", Over::LogInt { lo: 16, hi: 512 }),
            Axis::new("scaling.shopper_exponent", Over::Real { lo: 0.0, hi: 0.8 }),
            Axis::new("scaling.item_exponent", Over::Real { lo: 0.0, hi: 0.8 }),
            Axis::new("scaling.popularity", Over::Real { lo: -0.3, hi: 0.5 }),
            Axis::new("strength", Over::OneOf(&["\"one\"", "\"log\""])),
        ];
        SPACE
    }
}

/// What the leading patterns make of the shopper's items. Fitted from [`PureSvdParams`].
///
/// No opinion without a voter the model knows. Scores name no evidence; [`explain`](Scorer::explain) says what each item
/// of the shopper adds.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, PureSvdParams, Run, Shopper, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("eve", "saw")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.finish()?;
/// let model = PureSvdParams { factors: 2, ..PureSvdParams::default() }.check()?.fit(&(&data).into(), &Run::new(1))?;
/// let item = |id| data.item(id).unwrap();
/// assert!(model.similar_items(item("tea"), 1)[0].item == item("mug"));
/// assert_eq!(model.singular_values().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PureSvd {
    name: String,
    extent: Extent,
    voting: Voting,
    basis: Basis,
    active: Vec<u32>,
    from: Vec<f32>,
    /// The items' vectors times their scale, 0 for an item without pairs: what scores are products with.
    items: Factors,
}

impl PureSvd {
    /// The singular values of the scaled matrix, largest first.
    #[must_use]
    pub fn singular_values(&self) -> &[f32] {
        self.basis.singular()
    }

    /// The vector of an item; `None` for one without a pair.
    #[must_use]
    pub fn item_factors(&self, item: ItemIdx) -> Option<&[f32]> {
        self.basis.of(item.as_usize()).filter(|_| self.is_known(item.as_usize()))
    }

    /// The `k` items most alike to `item` by the cosine of their vectors, best first, itself left out. `O(items x
    /// factors)`.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        let others = self.active.iter().map(|&other| ItemIdx::new(other)).filter(|&other| other != item);
        let mut alike: Vec<Scored> = others
            .filter_map(|other| self.similarity(item, other).map(|score| Scored { item: other, score }))
            .collect();
        crate::kernel::top_k::top_k(&mut alike, k, Scored::order);
        alike
    }

    fn is_known(&self, item: usize) -> bool {
        self.items.is_known(item)
    }

    /// The shopper's place among the patterns; `None` without a voter. The caller gives it back to `ws`.
    fn taste(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Vec<f32>> {
        let voters = voters(&self.voting, cx, ws, |item| self.is_known(item));
        let taste = (!voters.is_empty()).then(|| self.basis.fold_in(&voters, &self.from, ws));
        ws.give_scored(voters);
        taste
    }
}

impl Fit for Checked<PureSvdParams> {
    type Model = PureSvd;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("pure_svd", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<PureSvd, FitError> {
        let data = train.data;
        let design = Design::new(data, self.strength, &self.scaling);
        let basis = Basis::new(&design, self.factors, self.rounds.into(), run)?;
        let active = design.active();
        let items = basis.scaled(&active, design.n_items(), |item| design.to[item]).indexed(self.retrieval, run);
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        Ok(PureSvd { name: self.name.clone(), extent: data.extent(), voting, basis, active, from: design.from, items })
    }
}

impl Scorer for PureSvd {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(z) = self.taste(cx, ws) else { return };
        self.items.score(&z, out, ws, |item| Some(item.as_usize()));
        ws.give_floats(z);
    }

    /// The best of all items, found as [`PureSvdParams::retrieval`] says.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        propose_alone(self, cx, limit, out, ws);
    }

    fn together(&self) -> Option<&dyn Together> {
        Some(self)
    }

    /// What each of the shopper's items adds.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let (Some(score), Some(vector)) = (opinion(self, cx, item, ws).0, self.items.known(item.as_usize())) else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let code = self.reason();
        let reason = Reason::Scorer { name: self.name.clone(), code };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let voters = voters(&self.voting, cx, ws, |item| self.is_known(item));
        for voter in &voters {
            let from = voter.item.as_usize();
            let alike = self.basis.of(from).map_or(0.0, |other| dot(vector, other));
            let part = voter.score * self.from[from] * alike;
            let reason = Reason::Because { item: voter.item, code };
            explanation.details.push(Explanation::leaf(Some(part), reason));
        }
        ws.give_scored(voters);
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The cosine of the items' vectors.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.basis.cosine(a.as_usize(), b.as_usize())
    }

    fn memory_report(&self) -> MemoryReport {
        let scales =
            (self.active.capacity() + self.from.capacity()) * 4 + self.items.heap_bytes() + self.items.packed_bytes();
        MemoryReport::default().with("item vectors", self.basis.heap_bytes()).with("item scales", scales)
    }
}

impl Together for PureSvd {
    fn propose_together(&self, asks: &mut [Proposing<'_>], limit: usize, ws: &mut Workspace) {
        let item = |_: &Context<'_>, row: usize| Some(ItemIdx::new(row as u32));
        self.items.propose(asks, limit, ws, |cx, ws| self.taste(cx, ws), item, |_, _, _, _| {});
    }
}

crate::persist::portable!(PureSvd { name, extent, voting, basis, active, from, items }
    "figures that are not one an item" => |m| m.from.len() == m.extent.n_items
        && m.active.iter().all(|&item| (item as usize) < m.extent.n_items)
        && m.items.rows() == m.extent.n_items
        && m.basis.is_of(m.extent.n_items));
