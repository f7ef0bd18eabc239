//! The least-squares problem of one row: the part that a fit and a fold-in share.

use super::params::{AlsParams, Solver};
use crate::kernel::cholesky;
use crate::kernel::conjugate_gradient::{self, improve};
use crate::kernel::dot::{axpy, dot};
use crate::kernel::normal::NormalEquations;
use crate::scorer::Workspace;

/// The side that a half-step holds fixed.
#[derive(Clone, Copy)]
pub(super) struct Fixed<'a> {
    pub(super) params: &'a AlsParams,
    /// Its vectors, end to end.
    pub(super) rows: &'a [f32],
    /// `alpha0 Yᵀ Y`.
    pub(super) gram: &'a [f32],
    /// How many of its rows have a pair at all.
    pub(super) active: usize,
}

impl Fixed<'_> {
    /// λ of a row: `λ (Σ c)^ν` with `Σ c = alpha0 x active + Σ excess`.
    pub(super) fn ridge(&self, excess: &[f32]) -> f32 {
        let observed: f64 = excess.iter().map(|&e| f64::from(e)).sum();
        let total = observed + self.params.alpha0 * self.active as f64;
        (self.params.regularization * total.powf(self.params.frequency_exponent)) as f32
    }

    /// The equations of the row whose terms were put into `scratch`.
    pub(super) fn equations<'s>(&'s self, index: &'s [u32], excess: &'s [f32]) -> NormalEquations<'s> {
        NormalEquations {
            dim: self.params.factors as usize,
            gram: self.gram,
            rows: self.rows,
            index,
            excess,
            base: self.params.alpha0 as f32,
            ridge: self.ridge(excess),
        }
    }

    /// Puts into `x` the solution for the terms in `scratch`, starting from what `x` holds where the solver can make
    /// use of it. What cannot be solved in finite numbers comes out as NaN. The ridge draws `x` towards `mean`, or zero.
    pub(super) fn solve(&self, solver: Solver, scratch: &mut Scratch, mean: Option<&[f32]>, x: &mut [f32]) {
        let Scratch { index, excess, vectors, matrix } = scratch;
        let system = self.equations(index, excess);
        let (b, rest) = vectors.split_at_mut(system.dim);
        system.right_side(b);
        if let Some(mean) = mean {
            axpy(system.ridge, mean, b);
        }
        match solver {
            Solver::Cholesky => {
                matrix.resize(system.dim * system.dim, 0.0);
                system.form(matrix);
                match cholesky::factor(matrix, system.dim) {
                    Ok(()) => {
                        x.copy_from_slice(b);
                        cholesky::solve(matrix, system.dim, x);
                    }
                    Err(_) => x.fill(f32::NAN),
                }
            }
            Solver::ConjugateGradient { steps } => {
                let (residual, rest) = rest.split_at_mut(system.dim);
                let (direction, image) = rest.split_at_mut(system.dim);
                let mut work = conjugate_gradient::Scratch { residual, direction, image };
                improve(&system, b, x, steps as usize, &mut work);
            }
        }
    }

    /// What one row adds to the objective beyond `alpha0 Σ (x·y)²` over all pairs, and the ridge term.
    pub(super) fn observed_loss(&self, x: &[f32], index: &[u32], excess: &[f32]) -> f64 {
        let system = self.equations(index, excess);
        let base = self.params.alpha0;
        let pair = |(&i, &e): (&u32, &f32)| {
            let s = f64::from(dot(x, system.row(i)));
            (base + f64::from(e)) * (1.0 - s) * (1.0 - s) - base * s * s
        };
        index.iter().zip(excess).map(pair).sum()
    }

    /// The ridge term of one row.
    pub(super) fn ridge_loss(&self, x: &[f32], excess: &[f32]) -> f64 {
        f64::from(self.ridge(excess)) * x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>()
    }
}

/// The terms of one row and room to solve it.
#[derive(Default)]
pub(super) struct Scratch {
    /// The observed rows of the fixed side ...
    pub(super) index: Vec<u32>,
    /// ... and how much each counts beyond `alpha0`.
    pub(super) excess: Vec<f32>,
    vectors: Vec<f32>,
    matrix: Vec<f32>,
}

impl Scratch {
    pub(super) fn take(ws: &mut Workspace, dim: usize) -> Self {
        Self {
            index: ws.take_indices(0),
            excess: ws.take_floats(0),
            vectors: ws.take_floats(4 * dim),
            matrix: ws.take_floats(0),
        }
    }

    pub(super) fn give(self, ws: &mut Workspace) {
        ws.give_indices(self.index);
        ws.give_floats(self.matrix);
        ws.give_floats(self.vectors);
        ws.give_floats(self.excess);
    }

    /// Makes these weighted rows the terms.
    pub(super) fn set(&mut self, params: &AlsParams, weighted: impl Iterator<Item = (u32, f32)>) {
        self.clear();
        weighted.for_each(|(index, weight)| self.push(params, index, weight));
    }

    pub(super) fn clear(&mut self) {
        self.index.clear();
        self.excess.clear();
    }

    /// One more term.
    pub(super) fn push(&mut self, params: &AlsParams, index: u32, weight: f32) {
        self.index.push(index);
        self.excess.push(params.alpha as f32 * params.confidence.of(weight));
    }
}
