//! Sparse EASE: ridge regression of each item on the items nearest to it, in closed form.
//!
//! *When to use it:* as [the family](super) says, for catalogues of any size. *When not:* up to some ten thousand items
//! the dense EASE takes less thought: it has no `neighbours` to choose.
//!
//! *Cost:* one system of `neighbours` equations an item, `neighbours³ / 6` multiply-adds each; while fitting, 8 bytes for
//! each pair of items that were met in one row.
//!
//! # References
//! * H. Steck (2019): Markov random fields for collaborative filtering. NeurIPS. (Its sparse approximation, section 3.2:
//!   an item's weights need only the part of the covariance among its neighbours.)

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::design::{Design, FADE, Scaling, VOTES, VOTES_PLACES, VOTES_TIME};
use super::model::{Column, LinearModel, Weights, lists};
use crate::dataset::Csr;
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::kernel::accumulate::Accumulator;
use crate::kernel::cholesky;
use crate::kernel::top_k::top_k;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::scorer::{Fit, FitError, FitRecipe, NOBODY, Scored, TrainingSet};
use crate::tune::{Axis, Over, Tunable};

/// Recipe of a [`LinearModel`] by the closed form of EASE among each item's neighbours.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `sparse_ease` | not empty | the scorer's name |
/// | `regularization` | 100 | 1e-6 to 1e9 | λ: what large weights cost |
/// | `dropout` | 0 | 0 to 0.99 | p: share of a shopper's items that the fit does without |
/// | `neighbours` | 200 | 1 to 2000 | the items, nearest by cosine, that may explain an item |
/// | `strength` | one | | what a pair counts in the fit, and as a vote |
/// | `scaling` | none | see [`Scaling`] | how the matrix is scaled |
/// | `self_weight` | 0 | -1e3 to 1e3 | weight of an item for itself |
/// | `kinds` | interest | at least one kind | touches of the shopper that vote |
/// | `history` | 500 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
///
/// With `X` the [scaled](Scaling) matrix, `G = XᵀX` and `S` the neighbours of item `j`, its weights solve
/// `(G_SS + λ I + p/(1−p) diag G_SS) b = G_Sj`. With as many neighbours as items it is the dense EASE of the same λ and p.
/// All pairs of the dataset count, of whatever kind ([`EventWeights`](crate::EventWeights) decide); `kinds` only says who
/// votes.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, Run, Shopper, SparseEaseParams, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("cat", "tea"), ("cat", "pan")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.finish()?;
/// let params = SparseEaseParams { regularization: 1.0, ..SparseEaseParams::default() };
/// let model = params.check()?.fit(&(&data).into(), &Run::default())?;
/// let item = |id| data.item(id).unwrap();
/// assert!(model.weight(item("tea"), item("mug")) > model.weight(item("tea"), item("pan")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseEaseParams {
    /// The scorer's name.
    pub name: String,
    /// λ: what large weights cost.
    pub regularization: f64,
    /// p: share of a shopper's items that the fit is to do without; the more, the harder popular items are regularised.
    pub dropout: f64,
    /// The items, nearest by cosine, that may explain an item; `1..=2000`.
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

impl Default for SparseEaseParams {
    fn default() -> Self {
        Self {
            name: "sparse_ease".to_owned(),
            regularization: 100.0,
            dropout: 0.0,
            neighbours: 200,
            strength: Strength::One,
            scaling: Scaling::default(),
            self_weight: 0.0,
            kinds: KindSet::INTEREST,
            history: 500,
            recency: None,
        }
    }
}

impl Validate for SparseEaseParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::real("regularization", 1e-6, 1e9, "what large weights cost"),
            ParamSpec::real("dropout", 0.0, 0.99, "share of a shopper's items the fit does without"),
            ParamSpec::int("neighbours", 1, 2000, "items that may explain an item"),
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
        check_range::<Self>("dropout", self.dropout)?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        self.scaling.validate_in::<Self>()?;
        check_range::<Self>("self_weight", self.self_weight.into())?;
        super::check_kinds(self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for SparseEaseParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("regularization", Over::Log { lo: 0.1, hi: 2000.0 }),
            Axis::new("dropout", Over::Real { lo: 0.0, hi: 0.8 }),
            Axis::new("neighbours", Over::LogInt { lo: 50, hi: 400 }),
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

impl Fit for Checked<SparseEaseParams> {
    type Model = LinearModel;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("sparse_ease", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<LinearModel, FitError> {
        let data = train.data;
        let design = Design::new(data, self.strength, &self.scaling);
        let n = design.n_items();
        run.step(0, n as u64, None)?;
        let gram = sparse_gram(&design, run)?;
        let squares: Vec<f32> = (0..n).map(|item| design.square(item)).collect();
        let done = AtomicU64::new(0);
        let solved = run.threads.map_with(
            n,
            || Scratch::new(n),
            |scratch, target| {
                let step = done.fetch_add(1, Ordering::Relaxed) + 1;
                if step.is_multiple_of(256) {
                    run.step(step, n as u64, None)?;
                }
                self.column(target, &gram, &squares, scratch)
            },
        );
        let mut columns = solved.into_iter().collect::<Result<Vec<Column>, FitError>>()?;
        drop(gram);
        let weights = Weights::Lists(lists(&mut columns, &design, self.self_weight, run)?);
        run.step(n as u64, n as u64, None)?;
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        Ok(LinearModel { name: self.name.clone(), extent: data.extent(), voting, weights })
    }
}

/// What one thread needs.
struct Scratch {
    near: Vec<Scored>,
    /// The place of an item among the neighbours at hand, or [`NOBODY`].
    places: Vec<u32>,
    matrix: Vec<f32>,
}

impl Scratch {
    fn new(n_items: usize) -> Self {
        Self { near: Vec::new(), places: vec![NOBODY; n_items], matrix: Vec::new() }
    }
}

impl Checked<SparseEaseParams> {
    fn column(&self, target: usize, gram: &Csr, squares: &[f32], scratch: &mut Scratch) -> Result<Column, FitError> {
        let Scratch { near, places, matrix } = scratch;
        near.clear();
        let met = gram.row(target).iter().filter(|&(item, _)| item as usize != target);
        let cosine = |(item, product): (u32, f32)| Scored {
            item: ItemIdx::new(item),
            score: product / squares[item as usize].sqrt(),
        };
        near.extend(met.map(cosine));
        top_k(near, self.neighbours, Scored::order);
        near.sort_unstable_by_key(|near| near.item);
        let m = near.len();
        if m == 0 {
            return Ok(Column::new());
        }
        near.iter().zip(0..).for_each(|(near, place)| places[near.item.as_usize()] = place);
        matrix.clear();
        matrix.resize(m * m, 0.0);
        for (i, row) in matrix.chunks_exact_mut(m).enumerate() {
            let products = gram.row(near[i].item.as_usize());
            // The upper triangle: a short list is looked up in a long one, and a short one is walked through.
            if products.len() > 16 * (m - i) {
                for j in i..m {
                    row[j] = products.get(near[j].item.get()).unwrap_or(0.0);
                }
            } else {
                for (item, product) in products.iter() {
                    let place = places[item as usize] as usize;
                    if place >= i && place < m {
                        row[place] = product;
                    }
                }
            }
            row[i] += super::ridge(self.regularization, self.dropout, row[i]);
        }
        near.iter().for_each(|near| places[near.item.as_usize()] = NOBODY);
        let products = gram.row(target);
        let mut b: Vec<f32> = near.iter().map(|near| products.get(near.item.get()).unwrap_or(0.0)).collect();
        let failed = |_| FitError::NotFinite { model: "sparse ease", step: target as u64 };
        cholesky::factor(matrix, m).map_err(failed)?;
        cholesky::solve(matrix, m, &mut b);
        Ok(near.iter().zip(b).map(|(near, b)| (near.item.get(), b)).collect())
    }
}

/// `XᵀX` without its zeros, row by row: each is summed in the order of the shoppers.
fn sparse_gram(design: &Design, run: &Run<'_>) -> Result<Csr, Cancelled> {
    const BLOCK: usize = 64;
    let n = design.n_items();
    let blocks = run.threads.map_with(
        n.div_ceil(BLOCK),
        || (Accumulator::default(), Vec::new()),
        |(sums, row), block| {
            if run.cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            let mut out = Csr::with_capacity(BLOCK, 0);
            for item in block * BLOCK..n.min((block + 1) * BLOCK) {
                sums.reset(n);
                for (shopper, x) in design.by_item.row(item).iter() {
                    design.by_row.row(shopper as usize).iter().for_each(|(other, y)| sums.add(other, x * y));
                }
                row.clear();
                row.extend(sums.iter());
                row.sort_unstable_by_key(|&(other, _): &(u32, f32)| other);
                row.iter().for_each(|&(other, product)| out.push(other, product));
                out.end_row();
            }
            Ok(out)
        },
    );
    let blocks: Vec<Csr> = blocks.into_iter().collect::<Result<_, _>>()?;
    let mut gram = Csr::with_capacity(n, blocks.iter().map(Csr::len).sum());
    for block in blocks {
        for row in 0..block.rows() {
            block.row(row).iter().for_each(|(other, product)| gram.push(other, product));
            gram.end_row();
        }
    }
    Ok(gram)
}
