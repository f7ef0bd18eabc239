//! EASE: ridge regression of each item on all others, in closed form.
//!
//! *When to use it:* as [the family](super) says, up to some ten thousand items with events. *When not:* beyond
//! [`max_items`](EaseParams::max_items) take [`SparseEaseParams`](super::SparseEaseParams).
//!
//! *Cost:* about `items³` operations on one thread (12,000 items: half a minute) and `8 × items²` bytes while fitting;
//! after that `4 × items²` bytes, or 8 a listed neighbour. A query with all weights is `history × items` multiply-adds.
//!
//! # References
//! * H. Steck (2019): Embarrassingly shallow autoencoders for sparse data. WWW.
//! * H. Steck (2020): Autoencoders that don't overfit towards the identity. NeurIPS.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::design::{Design, FADE, Scaling, VOTES, VOTES_PLACES, VOTES_TIME};
use super::model::{Column, Full, LinearModel, Weights, keep_largest, lists};
use crate::event::KindSet;
use crate::kernel::spd::spd_inverse;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::scorer::vote::{Strength, VoteDecay, Voting};
use crate::scorer::{Fit, FitError, FitRecipe, NOBODY, TrainingSet};
use crate::tune::{Axis, Over, Tunable};

/// Which weights of a dense model are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Keep {
    /// All: exact, 4 bytes a pair of items.
    #[default]
    All,
    /// The largest, either way: 8 bytes each.
    Largest {
        /// How many an item explained, `1..=100_000`.
        neighbours: usize,
    },
}

/// Recipe of a [`LinearModel`] by the closed form of Steck 2019.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `ease` | not empty | the scorer's name |
/// | `regularization` | 200 | 1e-6 to 1e9 | λ: what large weights cost |
/// | `dropout` | 0 | 0 to 0.99 | p: share of a shopper's items that the fit does without |
/// | `keep` | all | neighbours 1 to 100000 | which weights are kept |
/// | `max_items` | 20000 | 1 to 100000 | more items with events than this are refused |
/// | `strength` | one | | what a pair counts in the fit, and as a vote |
/// | `scaling` | none | see [`Scaling`] | how the matrix is scaled |
/// | `self_weight` | 0 | -1e3 to 1e3 | weight of an item for itself |
/// | `kinds` | interest | at least one kind | touches of the shopper that vote |
/// | `history` | 500 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | none | half-life above 0 | how a vote fades |
///
/// With `X` the [scaled](Scaling) matrix, `G = XᵀX` and `P = (G + λ I + p/(1−p) diag G)⁻¹`, the weights are
/// `B = I − P diag(1/P)`: those that minimise `‖X − X B‖² + λ ‖B‖²` with a diagonal of zero, if a share `p` of each
/// shopper's items is dropped at random. All pairs of the dataset count, of whatever kind
/// ([`EventWeights`](crate::EventWeights) decide); `kinds` only says who votes.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, EaseParams, Event, EventKind, Fit, LawfulBasis, Run, Shopper, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("cat", "tea"), ("cat", "pan")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.finish()?;
/// let model = EaseParams { regularization: 1.0, ..EaseParams::default() }.check()?.fit(&(&data).into(), &Run::default())?;
/// let item = |id| data.item(id).unwrap();
/// assert!(model.weight(item("tea"), item("mug")) > model.weight(item("tea"), item("pan")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EaseParams {
    /// The scorer's name.
    pub name: String,
    /// λ: what large weights cost.
    pub regularization: f64,
    /// p: share of a shopper's items that the fit is to do without; the more, the harder popular items are regularised.
    pub dropout: f64,
    /// Which weights are kept.
    pub keep: Keep,
    /// More items with events than this are refused: a matrix of `max_items²` numbers is made, twice.
    pub max_items: usize,
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

impl Default for EaseParams {
    fn default() -> Self {
        Self {
            name: "ease".to_owned(),
            regularization: 200.0,
            dropout: 0.0,
            keep: Keep::All,
            max_items: 20_000,
            strength: Strength::One,
            scaling: Scaling::default(),
            self_weight: 0.0,
            kinds: KindSet::INTEREST,
            history: 500,
            recency: None,
        }
    }
}

impl Validate for EaseParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::real("regularization", 1e-6, 1e9, "what large weights cost"),
            ParamSpec::real("dropout", 0.0, 0.99, "share of a shopper's items the fit does without"),
            ParamSpec::typed("keep", "all, or largest with neighbours from 1 to 100000", "which weights are kept"),
            ParamSpec::int("max_items", 1, 100_000, "more items with events are refused"),
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
        match self.keep {
            Keep::Largest { neighbours } if !(1..=100_000).contains(&neighbours) => {
                return Err(ParamError::new("keep.largest.neighbours", neighbours, "a whole number from 1 to 100000"));
            }
            _ => {}
        }
        check_range::<Self>("max_items", self.max_items as f64)?;
        self.scaling.validate_in::<Self>()?;
        check_range::<Self>("self_weight", self.self_weight.into())?;
        super::check_kinds(self.kinds)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for EaseParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("regularization", Over::Log { lo: 0.1, hi: 2000.0 }),
            Axis::new("dropout", Over::Real { lo: 0.0, hi: 0.8 }),
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

impl Fit for Checked<EaseParams> {
    type Model = LinearModel;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("ease", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<LinearModel, FitError> {
        const STEPS: u64 = 3;
        let data = train.data;
        let design = Design::new(data, self.strength, &self.scaling);
        let items = design.active();
        let n = items.len();
        if n > self.max_items {
            let instead = format!("at least the {n} items with events; or use SparseEaseParams or SlimParams instead");
            return Err(ParamError::new("max_items", self.max_items, instead).into());
        }
        run.step(0, STEPS, None)?;
        let mut matrix = gram(&design, &items, run);
        run.step(1, STEPS, None)?;
        for i in 0..n {
            matrix[i * n + i] += super::ridge(self.regularization, self.dropout, matrix[i * n + i]);
        }
        spd_inverse(&mut matrix, n).map_err(|_| FitError::NotFinite { model: "ease", step: 1 })?;
        run.step(2, STEPS, None)?;
        let weights = self.weights(matrix, items, &design, run)?;
        run.step(STEPS, STEPS, None)?;
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        Ok(LinearModel { name: self.name.clone(), extent: data.extent(), voting, weights })
    }
}

impl Checked<EaseParams> {
    /// `B = I − P diag(1/P)`, scaled back.
    fn weights(
        &self,
        mut inverse: Vec<f32>,
        items: Vec<u32>,
        design: &Design,
        run: &Run<'_>,
    ) -> Result<Weights, FitError> {
        let n = items.len();
        let pivots: Vec<f32> = (0..n).map(|i| inverse[i * n + i]).collect();
        if let Keep::Largest { neighbours } = self.keep {
            // P is symmetric: the column of a target is its row.
            let kept: Vec<Column> = run.threads.map(n, |j| {
                let row = inverse[j * n..(j + 1) * n].iter().zip(&items);
                let mut column: Column = row.map(|(p, &item)| (item, -p / pivots[j])).collect();
                column.swap_remove(j);
                keep_largest(&mut column, neighbours);
                column
            });
            let mut columns = vec![Column::new(); design.n_items()];
            items.iter().zip(kept).for_each(|(&item, column)| columns[item as usize] = column);
            return Ok(Weights::Lists(lists(&mut columns, design, self.self_weight, run)?));
        }
        let out: Vec<f32> = items.iter().zip(&pivots).map(|(&item, pivot)| design.to[item as usize] / -pivot).collect();
        run.threads.for_chunks(
            &mut inverse,
            n.max(1),
            || (),
            |(), i, row| {
                let from = design.from[items[i] as usize];
                row.iter_mut().zip(&out).for_each(|(p, out)| *p *= from * out);
                row[i] = self.self_weight;
            },
        );
        if inverse.iter().any(|weight| !weight.is_finite()) {
            return Err(FitError::NotFinite { model: "ease", step: 2 });
        }
        Ok(Weights::Full(Full::new(design.n_items(), items, inverse)))
    }
}

/// `XᵀX` among `items`, both triangles, row by row: each row is summed in the order of the shoppers.
fn gram(design: &Design, items: &[u32], run: &Run<'_>) -> Vec<f32> {
    let n = items.len();
    let mut places = vec![NOBODY; design.n_items()];
    items.iter().zip(0..).for_each(|(&item, place)| places[item as usize] = place);
    let mut gram = vec![0.0f32; n * n];
    run.threads.for_chunks(
        &mut gram,
        n.max(1),
        || (),
        |(), i, sums| {
            if run.cancel.load(Ordering::Relaxed) {
                return; // the next step says so
            }
            for (row, x) in design.by_item.row(items[i] as usize).iter() {
                for (item, y) in design.by_row.row(row as usize).iter() {
                    sums[places[item as usize] as usize] += x * y;
                }
            }
        },
    );
    gram
}
