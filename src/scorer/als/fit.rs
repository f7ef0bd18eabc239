//! Alternating half-steps over items and shoppers.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::Array2;

use super::model::Als;
use super::params::AlsParams;
use super::row::{Fixed, Scratch};
use crate::dataset::{Csr, Dataset};
use crate::kernel::{gram, rng::SplitMix64};
use crate::params::Checked;
use crate::run::{Cancelled, Run};
use crate::scorer::factors::Factors;
use crate::scorer::{Fit, FitError, TrainingSet, Workspace};

/// Rows a task: enough to share scratch, few enough that a task of popular items holds nobody up.
const CHUNK: usize = 32;

impl Fit for Checked<AlsParams> {
    type Model = Als;

    /// Learns the vectors. Every row with a pair of positive weight takes part, anonymous sessions too.
    ///
    /// Each iteration solves the items against the shoppers, then the shoppers against the items, so that a shopper's
    /// stored vector is what a fold-in of their history against the final items gives. An update is this fit anew:
    /// nothing cheaper equals it, and until then a fold-in serves new shoppers and new events.
    ///
    /// Progress is reported after every half-step; with a progress callback, and only then, the loss is computed, which
    /// costs three more passes over the pairs.
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
    let mut users = Side::new(params, data.by_user(), data.n_rows());
    let mut items = Side::new(params, data.by_item(), data.n_items());
    let costs = pull.as_ref().map(|_| items.costs(&users));
    users.start(params, run);
    for step in (1..=of).step_by(2) {
        items.solve_against(&users, step, run)?;
        // The loss knows of no means.
        let loss =
            |of: &Side<'_>, against: &Side<'_>| run.progress.filter(|_| costs.is_none()).map(|_| of.loss(against, run));
        run.step(step, of, loss(&items, &users))?;
        if let (Some(pull), Some(costs)) = (&mut pull, &costs) {
            let mut means = std::mem::take(&mut items.means);
            means.resize(items.flat().len(), 0.0);
            pull.learn(items.flat(), costs, &mut means);
            items.means = means;
        }
        users.solve_against(&items, step + 1, run)?;
        run.step(step + 1, of, loss(&users, &items))?;
    }
    Ok(Learned { params, data, users, items })
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
            users: Factors::new(self.users.factors),
            items: Factors::new(change(self.items.factors)).indexed(self.params.retrieval, run),
            gram: self.items.gram,
            active_items: self.items.active,
        }
    }
}

/// Shoppers or items while they are being learned.
struct Side<'a> {
    params: &'a AlsParams,
    pairs: &'a Csr,
    factors: Array2<f32>,
    /// `alpha0 Xᵀ X`.
    gram: Vec<f32>,
    active: usize,
    /// What the ridge draws each vector to, end to end; empty for zero.
    means: Vec<f32>,
}

impl<'a> Side<'a> {
    fn new(params: &'a AlsParams, pairs: &'a Csr, rows: usize) -> Self {
        let dim = params.factors as usize;
        let active = (0..rows).filter(|&row| !pairs.row(row).is_empty()).count();
        Self {
            params,
            pairs,
            factors: Array2::zeros((rows, dim)),
            gram: vec![0.0; dim * dim],
            active,
            means: Vec::new(),
        }
    }

    fn flat(&self) -> &[f32] {
        self.factors.as_slice().unwrap_or_default() // always in row-major order
    }

    fn fixed(&self) -> Fixed<'_> {
        Fixed { params: self.params, rows: self.flat(), gram: &self.gram, active: self.active }
    }

    /// Random vectors for the rows that have a pair. Each depends on the seed and its own number only.
    fn start(&mut self, params: &AlsParams, run: &Run<'_>) {
        let dim = params.factors as usize;
        let scale = (params.init_std / f64::from(params.factors).sqrt()) as f32;
        let pairs = self.pairs;
        let Some(flat) = self.factors.as_slice_mut() else { return };
        run.threads.for_chunks(
            flat,
            dim,
            || (),
            |(), row, x| {
                if !pairs.row(row).is_empty() {
                    let mut rng = SplitMix64::stream(run.seed, row as u64);
                    x.iter_mut().for_each(|v| *v = scale * rng.normal());
                }
            },
        );
        self.sum_gram(run);
    }

    /// What the ridge costs each row with a pair; 0 for the others.
    fn costs(&self, other: &Side<'_>) -> Vec<f32> {
        let (fixed, mut scratch) = (other.fixed(), Scratch::default());
        let cost = |row| {
            let observed = self.pairs.row(row);
            scratch.set(self.params, observed.iter());
            if observed.is_empty() { 0.0 } else { fixed.ridge(&scratch.excess) }
        };
        (0..self.factors.nrows()).map(cost).collect()
    }

    fn sum_gram(&mut self, run: &Run<'_>) {
        let dim = self.params.factors as usize;
        let flat = self.flat();
        let block = gram::block_rows(self.factors.nrows()) * dim;
        let blocks = run
            .threads
            .map(flat.len().div_ceil(block), |i| gram::block(&flat[i * block..flat.len().min((i + 1) * block)], dim));
        self.gram = gram::sum_blocks(&blocks, dim, self.params.alpha0);
    }

    /// One half-step: every row of this side against the other side.
    fn solve_against(&mut self, other: &Side<'_>, step: u64, run: &Run<'_>) -> Result<(), FitError> {
        let (params, pairs, means) = (self.params, self.pairs, &self.means[..]);
        let dim = params.factors as usize;
        let fixed = other.fixed();
        let (cancelled, diverged) = (AtomicBool::new(false), AtomicBool::new(false));
        let scratch = || Scratch::take(&mut Workspace::default(), dim);
        let Some(flat) = self.factors.as_slice_mut() else { return Ok(()) };
        run.threads.for_chunks(flat, CHUNK * dim, scratch, |scratch, chunk, rows| {
            if run.cancel.load(Ordering::Relaxed) {
                cancelled.store(true, Ordering::Relaxed);
                return;
            }
            for (row, x) in (chunk * CHUNK..).zip(rows.chunks_exact_mut(dim)) {
                let observed = pairs.row(row);
                if observed.is_empty() {
                    continue; // zeros from the start
                }
                scratch.set(params, observed.iter());
                fixed.solve(params.solver, scratch, means.get(row * dim..(row + 1) * dim), x);
                if !x.iter().all(|v| v.is_finite()) {
                    diverged.store(true, Ordering::Relaxed);
                }
            }
        });
        if cancelled.into_inner() {
            return Err(Cancelled.into());
        }
        if diverged.into_inner() {
            return Err(FitError::NotFinite { model: "als", step });
        }
        self.sum_gram(run);
        Ok(())
    }

    /// The objective. The sum over all pairs is `alpha0 tr(Xᵀ X Yᵀ Y)`; what observed pairs add to it is summed by block.
    fn loss(&self, other: &Side<'_>, run: &Run<'_>) -> f64 {
        let cross: f64 = self.gram.iter().zip(&other.gram).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let all_pairs = cross / self.params.alpha0;
        all_pairs
            + self.row_loss(other, run, |fixed, x, index, excess| fixed.observed_loss(x, index, excess))
            + self.ridge_loss(other, run)
            + other.ridge_loss(self, run)
    }

    fn ridge_loss(&self, other: &Side<'_>, run: &Run<'_>) -> f64 {
        self.row_loss(other, run, |fixed, x, _, excess| fixed.ridge_loss(x, excess))
    }

    fn row_loss(
        &self,
        other: &Side<'_>,
        run: &Run<'_>,
        of_row: impl Fn(&Fixed<'_>, &[f32], &[u32], &[f32]) -> f64 + Sync + Send,
    ) -> f64 {
        const BLOCK: usize = 256;
        let dim = self.params.factors as usize;
        let fixed = other.fixed();
        let blocks =
            run.threads.map_with(self.flat().len().div_ceil(BLOCK * dim), Scratch::default, |scratch, block| {
                let rows = self.flat()[block * BLOCK * dim..].chunks_exact(dim).take(BLOCK);
                let loss = |(row, x): (usize, &[f32])| {
                    let observed = self.pairs.row(row);
                    if observed.is_empty() {
                        return 0.0;
                    }
                    scratch.set(self.params, observed.iter());
                    of_row(&fixed, x, &scratch.index, &scratch.excess)
                };
                (block * BLOCK..).zip(rows).map(loss).sum::<f64>()
            });
        blocks.into_iter().sum()
    }
}
