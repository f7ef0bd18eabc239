//! Conjugate gradients for the normal equations of one row, warm-started, without forming their matrix.
//!
//! A few steps from the last solution lower the objective nearly as far as an exact solve does, at
//! `O(dim² + observed x dim)` a step instead of `O(observed x dim² + dim³)` (Takács, Pilászy & Tikk 2011,
//! "Applications of the conjugate gradient method for implicit feedback collaborative filtering").

use super::dispatch::vectorised;
use super::dot::{axpy, dot};
use super::normal::NormalEquations;

/// Scratch of one solve.
#[derive(Debug)]
pub(crate) struct Scratch<'a> {
    pub(crate) residual: &'a mut [f32],
    pub(crate) direction: &'a mut [f32],
    pub(crate) image: &'a mut [f32],
}

vectorised! {
    /// Improves `x` by at most `steps` steps towards the solution of `A x = b`. Every step lowers `½ xᵀ A x - bᵀ x`.
    ///
    /// Stops early once the residual is down to what rounding leaves (`1e-6` of `b`), where further steps would only
    /// wander.
    fn improve = improve_body(
        system: &NormalEquations<'_>, b: &[f32], x: &mut [f32], steps: usize, s: &mut Scratch<'_>,
    )
}

#[inline(always)]
fn improve_body(system: &NormalEquations<'_>, b: &[f32], x: &mut [f32], steps: usize, s: &mut Scratch<'_>) {
    s.residual.copy_from_slice(b);
    if x.iter().any(|&v| v != 0.0) {
        system.apply(x, s.image);
        axpy(-1.0, s.image, s.residual);
    }
    s.direction.copy_from_slice(s.residual);
    let enough = dot(b, b) * 1e-12;
    let mut left = dot(s.residual, s.residual);
    for _ in 0..steps {
        // Also false for NaN: what is not finite stays so, and the caller sees it in `x`.
        if left <= enough {
            break;
        }
        system.apply(s.direction, s.image);
        let step = left / dot(s.direction, s.image);
        axpy(step, s.direction, x);
        axpy(-step, s.image, s.residual);
        let before = std::mem::replace(&mut left, dot(s.residual, s.residual));
        let keep = left / before;
        for (d, r) in s.direction.iter_mut().zip(&*s.residual) {
            *d = r + keep * *d;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cholesky::{self, tests::eliminate};
    use crate::kernel::normal::tests::random;

    fn objective(a: &[f32], dim: usize, b: &[f32], x: &[f32]) -> f64 {
        let at = |i: usize, j: usize| f64::from(a[i.min(j) * dim + i.max(j)]);
        let quadratic: f64 = (0..dim)
            .flat_map(|i| (0..dim).map(move |j| (i, j)))
            .map(|(i, j)| at(i, j) * f64::from(x[i]) * f64::from(x[j]))
            .sum();
        quadratic / 2.0 - b.iter().zip(x).map(|(b, x)| f64::from(*b) * f64::from(*x)).sum::<f64>()
    }

    #[test]
    fn reaches_the_exact_solution_and_never_climbs() {
        for (dim, observed) in [(1, 1), (2, 9), (5, 3), (17, 40), (64, 20)] {
            let (rows, gram, index, excess) = random(dim, observed, dim as u64);
            let (rows, gram) = (&rows[..], &gram[..]);
            let system = NormalEquations { dim, gram, rows, index: &index, excess: &excess, base: 0.1, ridge: 0.7 };
            let (mut b, mut a) = (vec![0.0; dim], vec![0.0; dim * dim]);
            system.right_side(&mut b);
            system.form(&mut a);
            let mut x = vec![0.1; dim]; // a warm start, though a poor one
            let [residual, direction, image] = &mut [vec![0.0; dim], vec![0.0; dim], vec![0.0; dim]];
            let mut last = objective(&a, dim, &b, &x);
            for _ in 0..dim.div_ceil(2) + 10 {
                improve(&system, &b, &mut x, 3, &mut Scratch { residual, direction, image });
                let now = objective(&a, dim, &b, &x);
                assert!(now <= last + 1e-5 * last.abs(), "{now} after {last}");
                last = now;
            }
            let mut exact = b.clone();
            let full: Vec<f32> =
                (0..dim * dim).map(|k| a[(k / dim).min(k % dim) * dim + (k / dim).max(k % dim)]).collect();
            let slow = eliminate(&full, dim, &b);
            cholesky::factor(&mut a, dim).unwrap();
            cholesky::solve(&a, dim, &mut exact);
            for i in 0..dim {
                approx::assert_relative_eq!(f64::from(x[i]), slow[i], epsilon = 1e-4);
                approx::assert_relative_eq!(f64::from(exact[i]), slow[i], epsilon = 1e-4);
            }
        }
    }

    #[test]
    fn nothing_observed_leads_to_nothing() {
        let gram = [1.0];
        let system = NormalEquations { dim: 1, gram: &gram, rows: &[], index: &[], excess: &[], base: 1.0, ridge: 1.0 };
        let mut x = [0.0];
        let [residual, direction, image] = &mut [vec![0.0], vec![0.0], vec![0.0]];
        improve(&system, &[0.0], &mut x, 10, &mut Scratch { residual, direction, image });
        assert_eq!(x, [0.0]);
    }
}
