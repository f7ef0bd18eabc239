//! GF-CF: a linear filter and an ideal low-pass filter on the graph of shoppers and items.
//!
//! *When to use it:* short histories, a wide catalogue, and little time to fit: it has no training loop, and on the
//! gowalla check-ins it beats trained graph networks. *When not:* where order and recency decide.
//!
//! *Cost:* fit: a round is two passes of `pairs × factors` and `2 × items × factors²` multiply-adds; without low-pass
//! filter, one pass over the pairs. Memory: `4 × factors` bytes an item, 16 a pair. Query: the pairs of all shoppers who
//! share an item with the shopper (never more than all pairs), and `items × factors` multiply-adds, which read all of the
//! item vectors; so choose `factors` by what a query may cost.
//!
//! # References
//! * Y. Shen, Y. Wu, Y. Zhang, C. Shan, J. Zhang, K. Letaief & D. Li (2021): How powerful is graph convolution for
//!   recommendation? CIKM.
//! * J.-D. Park, Y.-M. Shin & W.-Y. Shin (2024): Turbo-CF: matrix decomposition-free graph filtering for fast
//!   recommendation. SIGIR. (Exponents of the normalisation other than 0.5.)

use serde::{Deserialize, Serialize};

use super::{Basis, check_kinds, check_name, voters};
use crate::dataset::{Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::kernel::dot::dot;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::scorer::linear::Scaling;
use crate::scorer::linear::design::Design;
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, Reason, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace, opinion,
};
use crate::time::Span;
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`GfCf`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `gf_cf` | not empty | the scorer's name |
/// | `factors` | 64 | 0 to 1024 | singular vectors of the low-pass filter; 0 for none |
/// | `rounds` | 6 | 1 to 100 | refinements of the decomposition |
/// | `low_pass` | 0.3 | 0 to 1e6 | α: weight of the low-pass filter |
/// | `shopper_exponent` | 0.5 | 0 to 1 | a: how much less shoppers of many items count |
/// | `from_exponent` | 0.6 | -1 to 2 | f: how much less a popular item's vote counts |
/// | `to_exponent` | 0.3 | -1 to 2 | t: how much less a popular item is given |
/// | `strength` | one | | what a pair counts in the fit, and as a vote |
/// | `half_life` | none | any span | after how long a pair counts half in the fit |
/// | `kinds` | interest | at least one kind | touches of the shopper that vote |
/// | `history` | 500 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
///
/// With `R` the matrix of pairs, `D` and `N` the sums of its rows and columns, and `V` the leading right singular vectors
/// of `D^-½ R N^-½`, a shopper with votes `x` gives the items
///
/// ```text
/// x N^-f Rᵀ D^-2a R N^-t  +  α x N^-½ V Vᵀ N^½
/// ```
///
/// With all exponents at 0.5 it is the model of Shen et al. (the defaults rank better on the gowalla check-ins); with `a` at 0.5, `f` at 1 and no low-pass filter the graph
/// walk RP3-beta, untruncated, `t` being its beta.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GfCfParams {
    /// The scorer's name.
    pub name: String,
    /// Singular vectors of the low-pass filter, at most as many as there are items or shopper rows; 0 for no low-pass
    /// filter.
    pub factors: usize,
    /// Refinements of the decomposition, `1..=100`. Six are enough for ranking.
    pub rounds: u32,
    /// α: weight of the low-pass filter beside the linear one.
    pub low_pass: f32,
    /// a: how much less shoppers of many items count.
    pub shopper_exponent: f32,
    /// f: how much less a popular item's vote counts.
    pub from_exponent: f32,
    /// t: how much less a popular item is given.
    pub to_exponent: f32,
    /// What a pair counts in the fit, and an item of the shopper as a vote.
    pub strength: Strength,
    /// After how long a pair counts half in the fit; `None` for never.
    pub half_life: Option<Span>,
    /// Touches of the shopper that vote.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
}

impl Default for GfCfParams {
    fn default() -> Self {
        Self {
            name: "gf_cf".to_owned(),
            factors: 64,
            rounds: 6,
            low_pass: 0.3,
            shopper_exponent: 0.5,
            from_exponent: 0.6,
            to_exponent: 0.3,
            strength: Strength::One,
            half_life: None,
            kinds: KindSet::INTEREST,
            history: 500,
            recency: None,
        }
    }
}

impl Validate for GfCfParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::int("factors", 0, 1024, "singular vectors of the low-pass filter"),
            ParamSpec::int("rounds", 1, 100, "refinements of the decomposition"),
            ParamSpec::real("low_pass", 0.0, 1e6, "weight of the low-pass filter"),
            ParamSpec::real("shopper_exponent", 0.0, 1.0, "how much less shoppers of many items count"),
            ParamSpec::real("from_exponent", -1.0, 2.0, "how much less a popular item's vote counts"),
            ParamSpec::real("to_exponent", -1.0, 2.0, "how much less a popular item is given"),
            ParamSpec::typed("strength", "one, weight or log", "what a pair counts"),
            ParamSpec::typed("half_life", "none, or any span", "after how long a pair counts half"),
            ParamSpec::typed("kinds", "at least one kind", "touches of the shopper that vote"),
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name(&self.name)?;
        check_range::<Self>("factors", self.factors as f64)?;
        check_range::<Self>("rounds", self.rounds.into())?;
        check_range::<Self>("low_pass", self.low_pass.into())?;
        check_range::<Self>("shopper_exponent", self.shopper_exponent.into())?;
        check_range::<Self>("from_exponent", self.from_exponent.into())?;
        check_range::<Self>("to_exponent", self.to_exponent.into())?;
        check_kinds(self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for GfCfParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("factors", Over::LogInt { lo: 16, hi: 256 }),
            Axis::new("low_pass", Over::Log { lo: 0.01, hi: 2.0 }),
            Axis::new("shopper_exponent", Over::Real { lo: 0.2, hi: 0.9 }),
            Axis::new("from_exponent", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("to_exponent", Over::Real { lo: 0.0, hi: 0.8 }),
            Axis::new("strength", Over::OneOf(&["\"one\"", "\"log\""])),
        ];
        SPACE
    }
}

/// The shopper's items, spread over the graph of shoppers and items, and smoothed. Fitted from [`GfCfParams`].
///
/// No opinion without a voter the model knows; without low-pass filter, none on items that share no shopper with a voter.
/// Scores name no evidence; [`explain`](Scorer::explain) says what each item of the shopper adds.
///
/// # Example
/// ```
/// use likewise::testing::proposals;
/// use likewise::{Consented, Context, DatasetBuilder, Event, EventKind, Fit, GfCfParams, LawfulBasis, Run, Shelf, Shopper, Timestamp, Touch, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("bob", "pan"), ("eve", "saw")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.finish()?;
/// let model = GfCfParams { factors: 2, ..GfCfParams::default() }.check()?.fit(&(&data).into(), &Run::new(1))?;
/// let item = |id| data.item(id).unwrap();
/// let history = [Touch { item: item("tea"), kind: EventKind::View, at: Timestamp::from_secs(2), weight: 1.0 }];
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.history = &history;
/// assert_eq!(proposals(&model, &cx, 3)[1], item("mug")); // after the tea itself
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GfCf {
    name: String,
    extent: Extent,
    voting: Voting,
    design: Design,
    active: Vec<u32>,
    /// What a vote is multiplied by, and a score, on the way through shoppers.
    walk_from: Vec<f32>,
    walk_to: Vec<f32>,
    basis: Basis,
    low_pass: f32,
}

impl Fit for Checked<GfCfParams> {
    type Model = GfCf;

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<GfCf, FitError> {
        let data = train.data;
        let scale = |shopper_exponent| {
            let scaling = Scaling { half_life: self.half_life, shopper_exponent, item_exponent: 0.5, popularity: 0.0 };
            Design::new(data, self.strength, &scaling)
        };
        let factors = if self.low_pass > 0.0 { self.factors } else { 0 };
        let symmetric = scale(0.5);
        let basis = Basis::new(&symmetric, factors, self.rounds.into(), run)?;
        let design = if self.shopper_exponent == 0.5 { symmetric } else { scale(self.shopper_exponent) };
        // The design has an exponent of 0.5 for items already.
        let power = |exponent: f32| -> Vec<f32> {
            let power = |&n: &f32| f64::from(n).powf(0.5 - f64::from(exponent)) as f32;
            design.counts.iter().map(|n| if *n > 0.0 { power(n) } else { 0.0 }).collect()
        };
        let (walk_from, walk_to) = (power(self.from_exponent), power(self.to_exponent));
        if walk_from.iter().chain(&walk_to).any(|scale| !scale.is_finite()) {
            return Err(FitError::NotFinite { model: "gf_cf", step: 0 });
        }
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        let (name, extent, active) = (self.name.clone(), data.extent(), design.active());
        Ok(GfCf { name, extent, voting, design, active, walk_from, walk_to, basis, low_pass: self.low_pass })
    }
}

impl GfCf {
    fn is_known(&self, item: usize) -> bool {
        self.design.is_active(item)
    }

    /// The score of every item, NaN for no opinion; `None` without a voter. The caller gives it back to `ws`.
    fn scores(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Vec<f32>> {
        let voters = voters(&self.voting, cx, ws, |item| self.is_known(item));
        if voters.is_empty() {
            ws.give_scored(voters);
            return None;
        }
        // Votes to shoppers, then shoppers to items: no pair is walked twice.
        let mut shoppers = ws.take_accumulator(self.design.by_row.rows());
        for voter in &voters {
            let vote = voter.score * self.walk_from[voter.item.as_usize()];
            self.design.by_item.row(voter.item.as_usize()).iter().for_each(|(row, x)| shoppers.add(row, vote * x));
        }
        let mut sums = ws.take_floats(self.extent.n_items);
        for (row, vote) in shoppers.iter() {
            self.design.by_row.row(row as usize).iter().for_each(|(item, x)| sums[item as usize] += vote * x);
        }
        ws.give_accumulator(shoppers);
        if self.basis.factors() == 0 {
            for (sum, to) in sums.iter_mut().zip(&self.walk_to) {
                *sum = if *sum > 0.0 { *sum * to } else { f32::NAN };
            }
        } else {
            let z = self.basis.fold_in(&voters, &self.design.from, ws);
            let mut smooth = ws.take_floats(self.extent.n_items);
            self.basis.products(&z, &mut smooth);
            for (item, (sum, smooth)) in sums.iter_mut().zip(&smooth).enumerate() {
                let known = self.walk_to[item] > 0.0;
                let score = *sum * self.walk_to[item] + self.low_pass * (smooth * self.design.to[item]);
                *sum = if known { score } else { f32::NAN };
            }
            ws.give_floats(smooth);
            ws.give_floats(z);
        }
        ws.give_scored(voters);
        Some(sums)
    }

    /// What one voter's vote adds to `item`: the shoppers both share, and the product of both vectors.
    fn part(&self, voter: &Scored, item: usize) -> f32 {
        let from = voter.item.as_usize();
        let shared: f32 = {
            let others = self.design.by_item.row(item);
            self.design.by_item.row(from).iter().filter_map(|(row, x)| others.get(row).map(|y| x * y)).sum()
        };
        let walked = self.walk_from[from] * shared * self.walk_to[item];
        let alike = match (self.basis.of(from), self.basis.of(item)) {
            (Some(a), Some(b)) => dot(a, b),
            _ => 0.0,
        };
        voter.score * (walked + self.low_pass * (self.design.from[from] * alike * self.design.to[item]))
    }
}

impl Scorer for GfCf {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// Costs what a proposal costs, however few the candidates.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(scores) = self.scores(cx, ws) else { return };
        for slot in 0..out.items().len() {
            if let Some(&score) = scores.get(out.items()[slot].as_usize()) {
                out.set(slot, score);
            }
        }
        ws.give_floats(scores);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        if limit == 0 {
            return;
        }
        let Some(scores) = self.scores(cx, ws) else { return };
        let mut scored = ws.take_scored();
        let all = self.active.iter().map(|&i| Scored { item: ItemIdx::new(i), score: scores[i as usize] + 0.0 });
        scored.extend(all.filter(|scored| scored.score.is_finite()));
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
        ws.give_floats(scores);
    }

    /// What each of the shopper's items adds, both filters together.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else { return Explanation::leaf(None, Reason::Abstained) };
        let code = self.reason();
        let reason = Reason::Scorer { name: self.name.clone(), code };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let voters = voters(&self.voting, cx, ws, |item| self.is_known(item));
        for voter in &voters {
            let reason = Reason::Because { item: voter.item, code };
            explanation.details.push(Explanation::leaf(Some(self.part(voter, item.as_usize())), reason));
        }
        ws.give_scored(voters);
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The cosine of the items' vectors; `None` without low-pass filter.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.basis.cosine(a.as_usize(), b.as_usize())
    }

    fn memory_report(&self) -> MemoryReport {
        let scales = (self.active.capacity() + self.walk_from.capacity() + self.walk_to.capacity()) * 4;
        MemoryReport::default()
            .with("item vectors", self.basis.heap_bytes())
            .with("pairs", self.design.heap_bytes())
            .with("item scales", scales)
    }
}

crate::persist::portable!(GfCf { name, extent, voting, design, active, walk_from, walk_to, basis, low_pass }
    "figures that are not one an item" => |m| m.design.by_item.rows() == m.extent.n_items
        && [m.walk_from.len(), m.walk_to.len()] == [m.extent.n_items; 2]
        && m.active.iter().all(|&item| (item as usize) < m.extent.n_items)
        && m.basis.is_of(m.extent.n_items));
