//! Alternating half-steps over items and shoppers.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::Array2;

use super::factors::Factors;
use super::model::Als;
use super::params::AlsParams;
use super::row::{Fixed, Scratch};
use crate::dataset::{Csr, Dataset};
use crate::kernel::{gram, rng::SplitMix64};
use crate::params::Checked;
use crate::run::{Cancelled, Run};
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
        let of = 2 * u64::from(self.iterations);
        run.step(0, of, None)?;
        let mut users = Side::new(self, train.data.by_user(), train.data.n_rows());
        let mut items = Side::new(self, train.data.by_item(), train.data.n_items());
        users.start(self, run);
        for step in (1..=of).step_by(2) {
            items.solve_against(&users, step, run)?;
            run.step(step, of, run.progress.map(|_| items.loss(&users, run)))?;
            users.solve_against(&items, step + 1, run)?;
            run.step(step + 1, of, run.progress.map(|_| users.loss(&items, run)))?;
        }
        Ok(model(self, train.data, users, items))
    }
}

fn model(params: &AlsParams, data: &Dataset, users: Side<'_>, items: Side<'_>) -> Als {
    Als {
        params: params.clone(),
        extent: data.extent(),
        as_of: data.as_of(),
        users: Factors::new(users.factors),
        items: Factors::new(items.factors),
        gram: items.gram,
        active_items: items.active,
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
}

impl<'a> Side<'a> {
    fn new(params: &'a AlsParams, pairs: &'a Csr, rows: usize) -> Self {
        let dim = params.factors as usize;
        let active = (0..rows).filter(|&row| !pairs.row(row).is_empty()).count();
        Self { params, pairs, factors: Array2::zeros((rows, dim)), gram: vec![0.0; dim * dim], active }
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
        let (params, pairs) = (self.params, self.pairs);
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
                fixed.solve(params.solver, scratch, x);
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
