//! The least-squares problem of one row: its terms, and a fold-in's way to solve it.

use super::params::AlsParams;
use crate::kernel::conjugate_gradient::{self, improve};
use crate::kernel::normal::NormalEquations;
use crate::scorer::Workspace;

/// The side that is held fixed.
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
    /// The equations of the row whose terms were put into `scratch`.
    pub(super) fn equations<'s>(&'s self, index: &'s [u32], excess: &'s [f32]) -> NormalEquations<'s> {
        NormalEquations {
            dim: self.params.factors as usize,
            gram: self.gram,
            rows: self.rows,
            index,
            excess,
            base: self.params.alpha0 as f32,
            ridge: ridge(self.params, self.active, excess),
        }
    }

    /// Improves `x` by so many conjugate-gradient steps towards the solution for the terms in `scratch`.
    pub(super) fn improve(&self, steps: usize, scratch: &mut Scratch, x: &mut [f32]) {
        let Scratch { index, excess, vectors, .. } = scratch;
        let system = self.equations(index, excess);
        let (b, rest) = vectors.split_at_mut(system.dim);
        system.right_side(b);
        let (residual, rest) = rest.split_at_mut(system.dim);
        let (direction, image) = rest.split_at_mut(system.dim);
        improve(&system, b, x, steps, &mut conjugate_gradient::Scratch { residual, direction, image });
    }
}

/// λ of a row: `λ (Σ c)^ν` with `Σ c = alpha0 x active + Σ excess`, where `active` rows of the other side have a pair.
pub(super) fn ridge(params: &AlsParams, active: usize, excess: &[f32]) -> f32 {
    let observed: f64 = excess.iter().map(|&e| f64::from(e)).sum();
    let total = observed + params.alpha0 * active as f64;
    (params.regularization * total.powf(params.frequency_exponent)) as f32
}

/// The terms of one row and room to solve it.
#[derive(Default)]
pub(super) struct Scratch {
    /// The observed rows of the fixed side ...
    pub(super) index: Vec<u32>,
    /// ... and how much each counts beyond `alpha0`.
    pub(super) excess: Vec<f32>,
    /// The weight that came last and what it counts: most are alike, and a logarithm takes as long as ten products.
    last: (f32, f32),
    vectors: Vec<f32>,
}

impl Scratch {
    pub(super) fn take(ws: &mut Workspace, dim: usize) -> Self {
        Self {
            index: ws.take_indices(0),
            excess: ws.take_floats(0),
            last: (0.0, 0.0),
            vectors: ws.take_floats(4 * dim),
        }
    }

    pub(super) fn give(self, ws: &mut Workspace) {
        ws.give_indices(self.index);
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
        if weight != self.last.0 {
            self.last = (weight, params.alpha as f32 * params.confidence.of(weight));
        }
        self.index.push(index);
        self.excess.push(self.last.1);
    }
}
