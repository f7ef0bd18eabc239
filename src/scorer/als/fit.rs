//! Alternating half-steps over items and shoppers.

use ndarray::Array2;

use super::model::Als;
use super::params::AlsParams;
use super::side::{Basis, Side, block_rows};
use crate::dataset::Dataset;
use crate::kernel::lanes::LANES;
use crate::kernel::rotate::rotate;
use crate::kernel::vectors::Vectors;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::factors::Factors;
use crate::scorer::{Fit, FitError, FitRecipe, TrainingSet};

impl Fit for Checked<AlsParams> {
    type Model = Als;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("als", self)
    }

    /// Learns the vectors. Every row with a pair of positive weight takes part, anonymous sessions too.
    ///
    /// Each iteration solves the items against the shoppers, then the shoppers against the items, so that a shopper's
    /// stored vector is what a fold-in of their history against the final items gives. An update is this fit anew:
    /// nothing cheaper equals it, and until then a fold-in serves new shoppers and new events.
    ///
    /// Progress is reported after every half-step; with a progress callback, and only then, the loss is computed, which
    /// costs three more passes over the pairs.
    ///
    /// Memory: the vectors of both sides, up to 16 Gram matrices, and each thread's room for a row (four times
    /// `factors²` numbers at most). [`Run::memory`] refuses a fit that needs more before anything is allocated.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Als, FitError> {
        learn(self, train.data, run, None).map(|learned| learned.model(run))
    }
}

/// Where item vectors are drawn to instead of zero: learned between the half-steps, from the items learned so far.
pub(in crate::scorer) trait Pull {
    /// Learns from the item vectors (end to end; zeros for one without pairs), given what a distance from the mean costs
    /// each (0 for one without pairs), and writes the means.
    fn learn(&mut self, items: &[f32], cost: &[f32], means: &mut [f32]);
}

/// The two sides, learned.
pub(in crate::scorer) struct Learned<'a> {
    params: &'a AlsParams,
    data: &'a Dataset,
    users: Side<'a>,
    items: Side<'a>,
}

/// Alternating half-steps; see [`Fit::fit`].
pub(in crate::scorer) fn learn<'a>(
    params: &'a AlsParams,
    data: &'a Dataset,
    run: &Run<'_>,
    mut pull: Option<&mut dyn Pull>,
) -> Result<Learned<'a>, FitError> {
    let of = 2 * u64::from(params.iterations);
    run.step(0, of, None)?;
    afford(params, data, run)?;
    let mut users = Side::new(params, data.by_user(), data.n_rows());
    let mut items = Side::new(params, data.by_item(), data.n_items());
    let costs = pull.as_ref().map(|_| items.costs(&users));
    let mut basis = Basis::new(params.factors as usize);
    users.start(run);
    for step in (1..=of).step_by(2) {
        items.solve_against(&mut users, &mut basis, step, run)?;
        // The loss knows of no means.
        let loss =
            |of: &Side<'_>, against: &Side<'_>| run.progress.filter(|_| costs.is_none()).map(|_| of.loss(against, run));
        run.step(step, of, loss(&items, &users))?;
        if let (Some(pull), Some(costs)) = (&mut pull, &costs) {
            let mut means = std::mem::take(&mut items.means);
            let flat = at_start(&items, &basis, run);
            means.resize(flat.len(), 0.0);
            pull.learn(&flat, costs, &mut means);
            items.means = means;
        }
        users.solve_against(&mut items, &mut basis, step + 1, run)?;
        run.step(step + 1, of, loss(&users, &items))?;
    }
    // Back to the basis of the start, so that the vectors depend on data and seed as directly as they can.
    let back = basis.to_start();
    users.rotate(&back, run);
    items.rotate(&back, run);
    items.sum_gram(run);
    Ok(Learned { params, data, users, items })
}

/// Whether the run allows what the fit will take.
fn afford(params: &AlsParams, data: &Dataset, run: &Run<'_>) -> Result<(), FitError> {
    let (dim, rows, items) = (params.factors as usize, data.n_rows(), data.n_items());
    let blocks = |rows: usize| rows.div_ceil(block_rows(rows));
    // The Gram matrices of the blocks, and eigenvectors, their rotations and the common basis in `f32` and `f64`.
    let matrices = 4 * (dim.next_multiple_of(LANES) as u64).pow(2) * (blocks(rows).max(blocks(items)) + 16) as u64;
    let needed = Vectors::bytes(rows, dim) + Vectors::bytes(items, dim) + matrices;
    match run.memory {
        Some(allowed) if allowed < needed => Err(FitError::Memory { model: "als", needed, allowed }),
        _ => Ok(()),
    }
}

/// A copy of the vectors in the basis of the start, end to end.
fn at_start(side: &Side<'_>, basis: &Basis, run: &Run<'_>) -> Vec<f32> {
    let (dim, back) = (side.vectors.dim(), basis.to_start());
    let width = side.vectors.width();
    let chunks = run.threads.map(side.vectors.rows().div_ceil(128), |chunk| {
        let mut rows: Vec<_> = side.vectors.blocks()[chunk * 128 * width..].iter().take(128 * width).copied().collect();
        rotate(&mut rows, &back);
        rows
    });
    let rows = chunks.iter().flat_map(|rows| rows.chunks_exact(width));
    rows.flat_map(|row| &row.as_flattened()[..dim]).copied().collect()
}

impl Learned<'_> {
    pub(in crate::scorer) fn model(self, run: &Run<'_>) -> Als {
        self.model_with(run, |items| items)
    }

    /// The model with other item vectors than those learned.
    pub(in crate::scorer) fn model_with(self, run: &Run<'_>, change: impl FnOnce(Array2<f32>) -> Array2<f32>) -> Als {
        Als {
            params: self.params.clone(),
            extent: self.data.extent(),
            as_of: self.data.as_of(),
            users: Factors::new(dense(self.users.vectors)),
            items: Factors::new(change(dense(self.items.vectors))).indexed(self.params.retrieval, run),
            gram: self.items.gram,
            active_items: self.items.active,
        }
    }
}

fn dense(vectors: Vectors) -> Array2<f32> {
    let shape = (vectors.rows(), vectors.dim());
    Array2::from_shape_vec(shape, vectors.into_dense()).unwrap_or_default() // as many numbers as the shape says
}
