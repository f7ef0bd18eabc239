//! SLIM: each item's column is explained by few others.
//!
//! *When to use it:* as [the family](super) says, and where lists must be short, or weights must not be negative so that
//! every explanation is a "because". *When not:* where the fit must be quick; sparse EASE reaches about the same.
//!
//! *Cost:* a sweep over one block of sixteen items walks the pairs of all items that any of the sixteen was met with;
//! later sweeps only those of items with a coefficient. Scratch is 64 bytes a shopper row and thread.
//!
//! # References
//! * X. Ning & G. Karypis (2011): SLIM: Sparse linear methods for top-N recommender systems. ICDM.
//! * J. Friedman, T. Hastie & R. Tibshirani (2010): Regularization paths for generalized linear models via coordinate
//!   descent. Journal of Statistical Software 33.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::design::{Design, FADE, Scaling, VOTES, VOTES_PLACES, VOTES_TIME};
use super::model::{Column, LinearModel, Weights, keep_largest, lists};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::kernel::descent::{LANES, Lanes, Penalty, Predictor, step};
use crate::kernel::top_k::top_k;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::scorer::{Fit, FitError, FitRecipe, Scored, TrainingSet};
use crate::tune::{Axis, Over, Tunable};

/// Which coefficients are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Sign {
    /// Zero or more: an item can only speak for another. Sparser and quicker.
    #[default]
    NonNegative,
    /// Any: an item may speak against another.
    Any,
}

/// Recipe of a [`LinearModel`] by the elastic net.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `slim` | not empty | the scorer's name |
/// | `regularization` | 0.02 | 1e-9 to 1e3 | α: what coefficients cost, a shopper |
/// | `l1_ratio` | 0.01 | 0 to 1 | ρ: how much of that is for being there, not for being large |
/// | `sign` | non-negative | | which coefficients are allowed |
/// | `sweeps` | 30 | 1 to 10000 | passes over the coefficients, at most |
/// | `tolerance` | 0.0001 | 0 to 1 | a pass that changes none by more is the last |
/// | `candidates` | none | 1 to 100000 | only so many items, nearest by cosine, may explain an item |
/// | `neighbours` | 500 | 1 to 100000 | largest coefficients kept an item explained |
/// | `strength` | one | | what a pair counts in the fit, and as a vote |
/// | `scaling` | none | see [`Scaling`] | how the matrix is scaled |
/// | `self_weight` | 0 | -1e3 to 1e3 | weight of an item for itself |
/// | `kinds` | interest | at least one kind | touches of the shopper that vote |
/// | `history` | 500 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
///
/// With `X` the [scaled](Scaling) matrix of `U` shopper rows that have a pair, `B` minimises, with a diagonal of zero,
///
/// ```text
/// ‖X − X B‖² / 2  +  U α (1 − ρ) ‖B‖² / 2  +  U α ρ Σ |B|
/// ```
///
/// which is also how irspack scales it, so that equal parameters mean the same model. All pairs of the dataset count,
/// of whatever kind ([`EventWeights`](crate::EventWeights) decide); `kinds` only says who votes.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, Run, Shopper, SlimParams, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("cat", "tea"), ("cat", "pan")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.finish()?;
/// let model = SlimParams::default().check()?.fit(&(&data).into(), &Run::default())?;
/// let item = |id| data.item(id).unwrap();
/// assert!(model.weight(item("tea"), item("mug")) > model.weight(item("tea"), item("pan")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlimParams {
    /// The scorer's name.
    pub name: String,
    /// α: what coefficients cost, times the number of shopper rows.
    pub regularization: f64,
    /// ρ: 0 for a ridge (no coefficient is exactly zero), 1 for the lasso.
    pub l1_ratio: f32,
    /// Which coefficients are allowed.
    pub sign: Sign,
    /// Passes over the coefficients, at most; `1..=10_000`.
    pub sweeps: u32,
    /// A pass that changes no coefficient by more than this is the last.
    pub tolerance: f32,
    /// Only so many items, the nearest by cosine, may explain an item; `None` for all. (Ning & Karypis call it fsSLIM.)
    pub candidates: Option<usize>,
    /// Largest coefficients, either way, kept an item explained; `1..=100_000`.
    pub neighbours: usize,
    /// What a pair counts in the fit, and an item of the shopper as a vote.
    pub strength: Strength,
    /// How the matrix is scaled.
    pub scaling: Scaling,
    /// Weight of an item for itself. Above 0 where shoppers buy the same things again; it has no effect where what they
    /// have is not recommended.
    pub self_weight: f32,
    /// Touches of the shopper that vote.
    pub kinds: KindSet,
    /// The shopper's latest distinct items that vote, `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
}

impl Default for SlimParams {
    fn default() -> Self {
        Self {
            name: "slim".to_owned(),
            regularization: 0.02,
            l1_ratio: 0.01,
            sign: Sign::NonNegative,
            sweeps: 30,
            tolerance: 1e-4,
            candidates: None,
            neighbours: 500,
            strength: Strength::One,
            scaling: Scaling::default(),
            self_weight: 0.0,
            kinds: KindSet::INTEREST,
            history: 500,
            recency: None,
        }
    }
}

impl Validate for SlimParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::real("regularization", 1e-9, 1e3, "what coefficients cost, a shopper"),
            ParamSpec::real("l1_ratio", 0.0, 1.0, "how much of that is for being there"),
            ParamSpec::typed("sign", "non_negative or any", "which coefficients are allowed"),
            ParamSpec::int("sweeps", 1, 10_000, "passes over the coefficients, at most"),
            ParamSpec::real("tolerance", 0.0, 1.0, "a pass that changes none by more is the last"),
            ParamSpec::typed("candidates", "none, or 1 to 100000", "items that may explain an item"),
            ParamSpec::int("neighbours", 1, 100_000, "largest coefficients kept an item"),
            ParamSpec::typed("strength", "one, weight or log", "what a pair counts"),
            Scaling::TABLE[0],
            Scaling::TABLE[1],
            Scaling::TABLE[2],
            Scaling::TABLE[3],
            ParamSpec::real("self_weight", -1e3, 1e3, "weight of an item for itself"),
            ParamSpec::typed("kinds", "at least one kind", "touches of the shopper that vote"),
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        super::check_name(&self.name)?;
        check_range::<Self>("regularization", self.regularization)?;
        check_range::<Self>("l1_ratio", self.l1_ratio.into())?;
        check_range::<Self>("sweeps", self.sweeps.into())?;
        check_range::<Self>("tolerance", self.tolerance.into())?;
        match self.candidates {
            Some(n) if !(1..=100_000).contains(&n) => {
                return Err(ParamError::new("candidates", n, "a whole number from 1 to 100000, or none"));
            }
            _ => {}
        }
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        self.scaling.validate_in::<Self>()?;
        check_range::<Self>("self_weight", self.self_weight.into())?;
        super::check_kinds(self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for SlimParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("regularization", Over::Log { lo: 1e-4, hi: 0.3 }),
            Axis::new("l1_ratio", Over::Log { lo: 1e-3, hi: 0.5 }),
            Axis::new("scaling.shopper_exponent", Over::Real { lo: 0.0, hi: 0.8 }),
            Axis::new("scaling.item_exponent", Over::Real { lo: 0.0, hi: 0.6 }),
            Axis::new("strength", Over::OneOf(&["\"one\"", "\"log\""])),
            FADE,
            VOTES,
            VOTES_PLACES,
            VOTES_TIME,
        ];
        SPACE
    }
}

impl Fit for Checked<SlimParams> {
    type Model = LinearModel;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("slim", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<LinearModel, FitError> {
        let data = train.data;
        let design = Design::new(data, self.strength, &self.scaling);
        let solver = Solver::new(self, &design);
        let blocks = design.n_items().div_ceil(LANES);
        run.step(0, blocks as u64, None)?;
        let done = AtomicU64::new(0);
        let solved = run.threads.map_with(
            blocks,
            || Scratch::new(&design),
            |scratch, block| {
                let columns = solver.solve(block * LANES, scratch);
                run.step(done.fetch_add(1, Ordering::Relaxed) + 1, blocks as u64, None)?;
                Ok(columns)
            },
        );
        let solved: Vec<[Column; LANES]> = solved.into_iter().collect::<Result<_, Cancelled>>()?;
        let mut columns: Vec<Column> = solved.into_iter().flatten().take(design.n_items()).collect();
        let weights = Weights::Lists(lists(&mut columns, &design, self.self_weight, run)?);
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        Ok(LinearModel { name: self.name.clone(), extent: data.extent(), voting, weights })
    }
}

/// What all blocks of items share.
struct Solver<'a> {
    params: &'a SlimParams,
    design: &'a Design,
    penalty: Penalty,
    squares: Vec<f32>,
}

/// What one thread needs.
struct Scratch {
    residual: Vec<Lanes>,
    met: Accumulator,
    near: Vec<Scored>,
    /// Which targets each item may explain.
    allowed: Vec<u16>,
}

impl Scratch {
    fn new(design: &Design) -> Self {
        Self {
            residual: vec![[0.0; LANES]; design.by_row.rows()],
            met: Accumulator::default(),
            near: Vec::new(),
            allowed: vec![0; design.n_items()],
        }
    }
}

impl<'a> Solver<'a> {
    fn new(params: &'a SlimParams, design: &'a Design) -> Self {
        let shoppers = (0..design.by_row.rows()).filter(|&row| !design.by_row.row(row).is_empty()).count() as f64;
        let cost = shoppers * params.regularization;
        let l1_ratio = f64::from(params.l1_ratio);
        let floor = match params.sign {
            Sign::NonNegative => 0.0,
            Sign::Any => f32::NEG_INFINITY,
        };
        let penalty = Penalty { l1: (cost * l1_ratio) as f32, l2: (cost * (1.0 - l1_ratio)) as f32, floor };
        let squares = (0..design.n_items()).map(|item| design.square(item)).collect();
        Self { params, design, penalty, squares }
    }

    /// The columns of the targets `first..first + LANES`.
    fn solve(&self, first: usize, scratch: &mut Scratch) -> [Column; LANES] {
        scratch.residual.fill([0.0; LANES]);
        for lane in 0..LANES {
            let target = self.design.by_item.row(first + lane); // beyond the last item: empty
            target.iter().for_each(|(row, x)| scratch.residual[row as usize][lane] = x);
        }
        let predictors = self.predictors(first, scratch);
        let mut coefficients = vec![[0.0; LANES]; predictors.len()];
        self.descend(&predictors, &mut scratch.residual, &mut coefficients);
        std::array::from_fn(|lane| {
            let entries = predictors.iter().zip(&coefficients).filter(|(_, b)| b[lane] != 0.0);
            let mut column: Column = entries.map(|((item, _), b)| (*item, b[lane])).collect();
            keep_largest(&mut column, self.params.neighbours);
            column
        })
    }

    /// The items that may explain any of the targets, ascending.
    ///
    /// A non-negative coefficient can only leave zero where the item's product with the target exceeds `l1`: what others
    /// explain lowers the pull. Where coefficients may be negative, every item may come in.
    fn predictors(&self, first: usize, scratch: &mut Scratch) -> Vec<(u32, Predictor<'a>)> {
        let Scratch { met, near, allowed, .. } = scratch;
        let by_item = &self.design.by_item;
        let n_items = self.design.n_items();
        allowed.fill(0);
        for lane in 0..LANES.min(n_items - first) {
            let target = first + lane;
            if by_item.row(target).is_empty() {
                continue;
            }
            if self.params.sign == Sign::Any && self.params.candidates.is_none() {
                allowed.iter_mut().for_each(|lanes| *lanes |= 1 << lane);
            } else {
                met.reset(n_items);
                for (row, x) in by_item.row(target).iter() {
                    self.design.by_row.row(row as usize).iter().for_each(|(item, y)| met.add(item, x * y));
                }
                near.clear();
                near.extend(met.iter().map(|(item, score)| Scored { item: ItemIdx::new(item), score }));
                near.retain(|met| met.item.as_usize() != target);
                if self.params.sign == Sign::NonNegative {
                    near.retain(|met| met.score > self.penalty.l1);
                }
                if let Some(n) = self.params.candidates {
                    near.iter_mut().for_each(|met| met.score /= self.squares[met.item.as_usize()].sqrt());
                    top_k(near, n, Scored::order);
                }
                near.iter().for_each(|near| allowed[near.item.as_usize()] |= 1 << lane);
            }
            allowed[target] &= !(1 << lane);
        }
        let some = allowed.iter().zip(0u32..).filter(|(lanes, _)| **lanes != 0);
        let predictor = |(&allowed, item): (&u16, u32)| {
            let row = by_item.row(item as usize);
            let square = self.squares[item as usize];
            (item, Predictor { rows: row.indices(), values: row.weights(), square, allowed })
        };
        some.map(predictor).filter(|(_, x)| !x.rows.is_empty()).collect()
    }

    /// Sweeps until nothing changes, between full passes over the items with a coefficient only.
    fn descend(&self, predictors: &[(u32, Predictor<'a>)], residual: &mut [Lanes], coefficients: &mut [Lanes]) {
        let mut left = self.params.sweeps;
        let mut active: Vec<usize> = Vec::with_capacity(predictors.len());
        let mut sweep = |which: &mut dyn Iterator<Item = usize>, coefficients: &mut [Lanes]| {
            let settled = left == 0;
            left = left.saturating_sub(1);
            let change = |i: usize| step(&predictors[i].1, self.penalty, residual, &mut coefficients[i]);
            settled || which.map(change).fold(0.0, f32::max) <= self.params.tolerance
        };
        while !sweep(&mut (0..predictors.len()), coefficients) {
            active.clear();
            active.extend((0..predictors.len()).filter(|&i| coefficients[i] != [0.0; LANES]));
            while !sweep(&mut active.iter().copied(), coefficients) {}
        }
    }
}
