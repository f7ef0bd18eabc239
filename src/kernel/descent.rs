//! Coordinate descent for the elastic net, sixteen targets at a time.
//!
//! Targets that share their columns share the walk over them: every number of a column that is loaded serves sixteen
//! residuals, which lie side by side. (Friedman, Hastie & Tibshirani 2010: Regularization paths for generalized linear
//! models via coordinate descent. Journal of Statistical Software 33.)

use super::dispatch::vectorised;

/// Targets solved side by side.
pub(crate) const LANES: usize = 16;

/// One number a target.
pub(crate) type Lanes = [f32; LANES];

/// What coefficients cost: `l1 |b| + l2 b² / 2`, and nothing below `floor` (0, or minus infinity) is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Penalty {
    pub(crate) l1: f32,
    pub(crate) l2: f32,
    pub(crate) floor: f32,
}

/// A column that may explain some of the targets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Predictor<'a> {
    /// The rows of its entries, ascending.
    pub(crate) rows: &'a [u32],
    /// Its entries.
    pub(crate) values: &'a [f32],
    /// The sum of their squares.
    pub(crate) square: f32,
    /// Bit `l` says whether it may explain target `l`.
    pub(crate) allowed: u16,
}

vectorised! {
    /// Sets the coefficients `b` of one predictor to the minimiser given all others, in every lane, and mends `residual`
    /// (targets minus what is explained, a row's sixteen side by side). Returns the largest change.
    fn step = step_body(x: &Predictor<'_>, penalty: Penalty, residual: &mut [Lanes], b: &mut Lanes) -> f32
}

#[inline(always)]
fn step_body(x: &Predictor<'_>, penalty: Penalty, residual: &mut [Lanes], b: &mut Lanes) -> f32 {
    let mut product = [0.0f32; LANES];
    for (&row, &value) in x.rows.iter().zip(x.values) {
        let r = &residual[row as usize];
        for lane in 0..LANES {
            product[lane] += value * r[lane];
        }
    }
    let curvature = x.square + penalty.l2;
    let (mut change, mut largest) = ([0.0f32; LANES], 0.0f32);
    for lane in 0..LANES {
        let pull = product[lane] + x.square * b[lane];
        let shrunk = (pull - penalty.l1).max(0.0) + (pull + penalty.l1).min(0.0);
        let free = (shrunk / curvature).max(penalty.floor);
        let new = if x.allowed >> lane & 1 == 1 { free } else { 0.0 };
        change[lane] = new - b[lane];
        b[lane] = new;
        largest = largest.max(change[lane].abs());
    }
    if largest > 0.0 {
        for (&row, &value) in x.rows.iter().zip(x.values) {
            let r = &mut residual[row as usize];
            for lane in 0..LANES {
                r[lane] -= value * change[lane];
            }
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_predictor_has_a_closed_form() {
        // x = (1, 2), targets (3, 1) and (-3, -1): xᵀy = ±5, xᵀx = 5; b = (5 - 1) / (5 + 3).
        let x = Predictor { rows: &[0, 2], values: &[1.0, 2.0], square: 5.0, allowed: 0b011 };
        let mut y = [[0.0; LANES]; 3];
        for (lane, sign) in [(0, 1.0), (1, -1.0), (2, 1.0)] {
            (y[0][lane], y[2][lane]) = (3.0 * sign, sign);
        }
        let any = Penalty { l1: 1.0, l2: 3.0, floor: f32::NEG_INFINITY };
        let (mut residual, mut b) = (y, [0.0; LANES]);
        assert_eq!(step(&x, any, &mut residual, &mut b), 0.5);
        assert_eq!(b[..4], [0.5, -0.5, 0.0, 0.0]); // lane 2 is not allowed, lane 3 has no target
        assert_eq!([residual[0][0], residual[1][0], residual[2][0]], [2.5, 0.0, 0.0]);
        assert_eq!(step(&x, any, &mut residual, &mut b), 0.0, "it is the minimiser already");
        let (mut residual, mut b) = (y, [0.0; LANES]);
        step(&x, Penalty { floor: 0.0, ..any }, &mut residual, &mut b);
        assert_eq!(b[..2], [0.5, 0.0]);
        let (mut residual, mut b) = (y, [0.0; LANES]);
        step(&x, Penalty { l1: 5.0, ..any }, &mut residual, &mut b);
        assert_eq!(b, [0.0; LANES], "a pull no stronger than l1 moves nothing");
    }
}
