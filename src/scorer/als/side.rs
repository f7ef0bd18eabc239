//! Shoppers or items while they are being learned.
//!
//! Both sides live in one common basis, and each half-step turns it to the eigenvectors of the fixed side's Gram matrix:
//! products of a shopper and an item do not change, and a row's equations become a diagonal and one term a pair
//! (`kernel/rows`). At the end both are turned back.
//!
//! 2026-11-22, gowalla (1.6 M pairs an iteration), 64 factors, 2 cores: an iteration of these kernels took 0.045 s in a
//! driver of their own, against 0.21 s of an earlier prototype that formed `G p` for every row in each of four passes. Two
//! steps end where the exact solver ends (loss after ten iterations 5,357,451 against 5,357,475), one at 5,360,156.

use std::sync::atomic::{AtomicBool, Ordering};

use super::params::{AlsParams, Solver};
use super::row::{Scratch, ridge};
use crate::dataset::Csr;
use crate::kernel::dot::dot;
use crate::kernel::eigenbasis::Eigen;
use crate::kernel::gram;
use crate::kernel::lanes::{Block, LANES};
use crate::kernel::rng::SplitMix64;
use crate::kernel::rotate::{Rotation, rotate};
use crate::kernel::rows::{Own, Room, Shared, long, short, steps, sweep};
use crate::kernel::vectors::Vectors;
use crate::run::{Cancelled, Run};
use crate::scorer::FitError;

/// Blocks of rows whose Gram matrices are summed: as many stand in memory at a time.
const BLOCKS: usize = 16;
/// Rows a task: enough to fill the tiles of a rotation, few enough that a task of popular items holds nobody up.
const CHUNK: usize = 128;

/// The common basis.
pub(super) struct Basis {
    /// Row `i` is the `i`-th vector of the start's basis, in today's.
    turned: Vec<Block>,
    width: usize,
}

impl Basis {
    pub(super) fn new(dim: usize) -> Self {
        let width = dim.div_ceil(LANES);
        let mut turned = vec![[0.0; LANES]; width * LANES * width];
        (0..width * LANES).for_each(|i| turned.as_flattened_mut()[i * width * LANES + i] = 1.0);
        Self { turned, width }
    }

    /// From the start's basis into today's.
    fn to_here(&self) -> Rotation {
        Rotation::new(&self.turned, self.width)
    }

    /// From today's basis into the start's.
    pub(super) fn to_start(&self) -> Rotation {
        let (from, dim) = (self.turned.as_flattened(), self.width * LANES);
        let mut back = vec![[0.0; LANES]; self.turned.len()];
        for (i, row) in back.as_flattened_mut().chunks_exact_mut(dim.max(1)).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, v)| *v = from[j * dim + i]);
        }
        Rotation::new(&back, self.width)
    }
}

pub(super) struct Side<'a> {
    params: &'a AlsParams,
    pairs: &'a Csr,
    pub(super) vectors: Vectors,
    /// `alpha0 Xᵀ X`, in the basis of the vectors.
    pub(super) gram: Vec<f32>,
    pub(super) active: usize,
    /// What the ridge draws each vector to, end to end, in the start's basis; empty for zero.
    pub(super) means: Vec<f32>,
}

/// Room for the rows of a task.
#[derive(Default)]
struct Task {
    terms: Scratch,
    room: Room,
    starts: Vec<Block>,
    means: Vec<Block>,
}

impl<'a> Side<'a> {
    pub(super) fn new(params: &'a AlsParams, pairs: &'a Csr, rows: usize) -> Self {
        let dim = params.factors as usize;
        let active = (0..rows).filter(|&row| !pairs.row(row).is_empty()).count();
        let (vectors, gram) = (Vectors::new(rows, dim), vec![0.0; dim * dim]);
        Self { params, pairs, vectors, gram, active, means: Vec::new() }
    }

    /// Random vectors for the rows that have a pair. Each depends on the seed and its own number only.
    pub(super) fn start(&mut self, run: &Run<'_>) {
        let (dim, width) = (self.vectors.dim(), self.vectors.width());
        let scale = (self.params.init_std / f64::from(self.params.factors).sqrt()) as f32;
        let pairs = self.pairs;
        let fill = |(): &mut (), row: usize, x: &mut [Block]| {
            if !pairs.row(row).is_empty() {
                let mut rng = SplitMix64::stream(run.seed, row as u64);
                x.as_flattened_mut()[..dim].iter_mut().for_each(|v| *v = scale * rng.normal());
            }
        };
        run.threads.for_chunks(self.vectors.blocks_mut(), width, || (), fill);
        self.sum_gram(run);
    }

    /// What the ridge costs each row with a pair; 0 for the others.
    pub(super) fn costs(&self, other: &Side<'_>) -> Vec<f32> {
        let mut terms = Scratch::default();
        let cost = |row| {
            let observed = self.pairs.row(row);
            terms.set(self.params, observed.iter());
            if observed.is_empty() { 0.0 } else { ridge(self.params, other.active, &terms.excess) }
        };
        (0..self.vectors.rows()).map(cost).collect()
    }

    pub(super) fn sum_gram(&mut self, run: &Run<'_>) {
        let (dim, width) = (self.vectors.dim(), self.vectors.width());
        let blocks = self.vectors.blocks();
        let block = block_rows(self.vectors.rows()) * width;
        let sum = |i: usize| {
            let mut out = vec![[0.0; LANES]; width * LANES * width];
            gram::add_rows(&blocks[i * block..blocks.len().min((i + 1) * block)], width, &mut out);
            out
        };
        self.gram = gram::sum_wide(&run.threads.map(blocks.len().div_ceil(block), sum), dim, self.params.alpha0);
    }

    pub(super) fn rotate(&mut self, by: &Rotation, run: &Run<'_>) {
        let width = self.vectors.width();
        run.threads.for_chunks(self.vectors.blocks_mut(), CHUNK * width, || (), |(), _, rows| rotate(rows, by));
    }

    /// Turns this side and the common basis to the eigenvectors of its Gram matrix; returns how, and the eigenvalues.
    fn turn(&mut self, basis: &mut Basis, step: u64, run: &Run<'_>) -> Result<(Rotation, Vec<Block>), FitError> {
        let (dim, width) = (self.vectors.dim(), self.vectors.width());
        let eigen = Eigen::new(&self.gram, dim);
        if !eigen.values.iter().all(|v| v.is_finite()) {
            return Err(FitError::NotFinite { model: "als", step });
        }
        let strips = run.threads.map(eigen.strips(), |strip| eigen.strip(strip));
        let mut rows = vec![[0.0; LANES]; width * LANES * width];
        for (row, to) in rows.as_flattened_mut().chunks_exact_mut(width * LANES).take(dim).enumerate() {
            let strip = strips[row / LANES].iter().skip(row % LANES).step_by(LANES);
            to.iter_mut().zip(strip).for_each(|(to, &v)| *to = v as f32);
        }
        let rotation = Rotation::new(&rows, width);
        rotate(&mut basis.turned, &rotation);
        self.rotate(&rotation, run);
        let mut values = vec![[0.0; LANES]; width];
        self.gram.fill(0.0);
        // Rounding may leave less than nothing.
        for (k, (to, &value)) in values.as_flattened_mut().iter_mut().zip(&eigen.values).enumerate() {
            *to = value.max(0.0) as f32;
            self.gram[k * dim + k] = *to;
        }
        Ok((rotation, values))
    }

    /// One half-step: every row of this side against the other side.
    pub(super) fn solve_against(
        &mut self,
        other: &mut Side<'_>,
        basis: &mut Basis,
        step: u64,
        run: &Run<'_>,
    ) -> Result<(), FitError> {
        let (rotation, values) = other.turn(basis, step, run)?;
        let (params, pairs, means, active) = (self.params, self.pairs, &self.means[..], other.active);
        let (dim, width) = (self.vectors.dim(), self.vectors.width());
        let shared = Shared { width, rows: other.vectors.blocks(), values: &values, base: params.alpha0 as f32 };
        let from_start = (!means.is_empty()).then(|| basis.to_here());
        let (cancelled, diverged) = (AtomicBool::new(false), AtomicBool::new(false));
        run.threads.for_chunks(self.vectors.blocks_mut(), CHUNK * width, Task::default, |task, chunk, rows| {
            if run.cancel.load(Ordering::Relaxed) {
                cancelled.store(true, Ordering::Relaxed);
                return;
            }
            let first = chunk * CHUNK;
            let Task { terms, room, starts, means: pulls } = task;
            // Rows that start from what they hold need it in the new basis; the others are not read.
            let warm =
                |row: usize| !is_short(params.solver, pairs.row(row).len(), dim) && params.solver != Solver::Cholesky;
            starts.clear();
            for (_, x) in (first..).zip(rows.chunks_exact(width)).filter(|(row, _)| warm(*row)) {
                starts.extend_from_slice(x);
            }
            rotate(starts, &rotation);
            let mut started = starts.chunks_exact(width);
            pulls.clear();
            if let Some(from_start) = &from_start {
                pulls.resize(rows.len(), [0.0; LANES]);
                let given = means[first * dim..].chunks_exact(dim);
                for (to, mean) in pulls.chunks_exact_mut(width).zip(given) {
                    to.as_flattened_mut()[..dim].copy_from_slice(mean);
                }
                rotate(pulls, from_start);
            }
            for (k, x) in rows.chunks_exact_mut(width).enumerate() {
                let observed = pairs.row(first + k);
                if warm(first + k)
                    && let Some(start) = started.next()
                {
                    x.copy_from_slice(start);
                }
                if observed.is_empty() {
                    continue; // zeros from the start
                }
                terms.set(params, observed.iter());
                let own = Own {
                    index: &terms.index,
                    excess: &terms.excess,
                    next: if first + k + 1 < pairs.rows() { pairs.row(first + k + 1).indices() } else { &[] },
                    ridge: ridge(params, active, &terms.excess),
                    mean: pulls.get(k * width..(k + 1) * width),
                };
                match params.solver {
                    solver if is_short(solver, observed.len(), dim) => short(&shared, &own, room, x),
                    Solver::Cholesky => long(&shared, &own, room, x),
                    Solver::ConjugateGradient { steps: count } => steps(&shared, &own, count as usize, room, x),
                    Solver::Subspace { block } => {
                        sweep(&shared, &own, (block as usize).div_ceil(LANES), room, x);
                    }
                }
                // A sum, since comparisons overlook what is not a number.
                if x.as_flattened().iter().map(|v| v * 0.0).sum::<f32>() != 0.0 {
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
    pub(super) fn loss(&self, other: &Side<'_>, run: &Run<'_>) -> f64 {
        let cross: f64 = self.gram.iter().zip(&other.gram).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let all_pairs = cross / self.params.alpha0;
        let (theirs, stride) = (other.vectors.blocks().as_flattened(), other.vectors.width() * LANES);
        let base = self.params.alpha0;
        let observed = |x: &[f32], terms: &Scratch| {
            let pair = |(&i, &e): (&u32, &f32)| {
                let s = f64::from(dot(x, &theirs[i as usize * stride..]));
                (base + f64::from(e)) * (1.0 - s) * (1.0 - s) - base * s * s
            };
            terms.index.iter().zip(&terms.excess).map(pair).sum::<f64>()
        };
        all_pairs + self.row_loss(run, observed) + self.ridge_loss(other, run) + other.ridge_loss(self, run)
    }

    fn ridge_loss(&self, other: &Side<'_>, run: &Run<'_>) -> f64 {
        self.row_loss(run, |x, terms| {
            let squares: f64 = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
            f64::from(ridge(self.params, other.active, &terms.excess)) * squares
        })
    }

    fn row_loss(&self, run: &Run<'_>, of_row: impl Fn(&[f32], &Scratch) -> f64 + Sync + Send) -> f64 {
        const BLOCK: usize = 256;
        let width = self.vectors.width();
        let blocks = run.threads.map_with(self.vectors.rows().div_ceil(BLOCK), Scratch::default, |terms, block| {
            let rows = self.vectors.blocks()[block * BLOCK * width..].chunks_exact(width).take(BLOCK);
            let loss = |(row, x): (usize, &[Block])| {
                let observed = self.pairs.row(row);
                if observed.is_empty() {
                    return 0.0;
                }
                terms.set(self.params, observed.iter());
                of_row(x.as_flattened(), terms)
            };
            (block * BLOCK..).zip(rows).map(loss).sum::<f64>()
        });
        blocks.into_iter().sum()
    }
}

/// Rows a block: at least 2,048.
pub(super) fn block_rows(rows: usize) -> usize {
    rows.div_ceil(BLOCKS).max(2048)
}

/// Whether the exact solution by as many unknowns as pairs costs less than what the solver does otherwise.
///
/// 2026-11-22, 64 factors: 12 pairs 0.58 us against 0.37 us and 0.9 us for turning the start, 64 pairs 7.5 us against 8.0 us for
/// the exact one; 256 factors: 24 pairs 3.3 against 1.6 and 1.9, 256 pairs 282 against 293.
fn is_short(solver: Solver, pairs: usize, factors: usize) -> bool {
    let factors = factors.next_multiple_of(LANES);
    let free = match solver {
        Solver::Cholesky => return pairs <= factors,
        Solver::ConjugateGradient { steps } => 4 * steps as usize,
        Solver::Subspace { block } => block as usize,
    };
    pairs <= factors && pairs * pairs.saturating_sub(free) <= 2 * factors
}
