//! The inverse of a large symmetric positive definite matrix.
//!
//! The one place that knows the linear algebra library. It runs on one thread: how it splits work over several is not
//! promised to leave the bits alone. The last digits may differ between machines with different vector units.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, MatMut, Par};

use super::cholesky::NotPositiveDefinite;

/// Replaces the row-major `dim x dim` matrix `a` by its inverse, both triangles. Of `a` only the lower triangle is read.
///
/// `A = L Lᵀ`, then `A⁻¹ = L⁻ᵀ L⁻¹`: about `dim³` operations, and a second matrix of the same size while it runs.
pub(crate) fn spd_inverse(a: &mut [f32], dim: usize) -> Result<(), NotPositiveDefinite> {
    if dim == 0 {
        return Ok(());
    }
    let par = Par::Seq;
    let mut lower = MatMut::from_row_major_slice_mut(a, dim, dim);
    let mut scratch = MemBuffer::new(cholesky_in_place_scratch::<f32>(dim, par, Default::default()));
    let stack = MemStack::new(&mut scratch);
    cholesky_in_place(lower.as_mut(), Default::default(), par, stack, Default::default()).map_err(|error| {
        let faer::linalg::cholesky::llt::factor::LltError::NonPositivePivot { index } = error;
        NotPositiveDefinite { pivot: index }
    })?;
    let mut inverse = vec![0.0; dim * dim];
    invert_lower_triangular(MatMut::from_row_major_slice_mut(&mut inverse, dim, dim), lower.as_ref(), par);
    let inverse = faer::MatRef::from_row_major_slice(&inverse, dim, dim);
    matmul(
        lower.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Replace,
        inverse.transpose(),
        BlockStructure::TriangularUpper,
        inverse,
        BlockStructure::TriangularLower,
        1.0,
        par,
    );
    mirror(a, dim);
    match (0..dim).find(|&i| !(a[i * dim + i] > 0.0 && a[i * dim + i].is_finite())) {
        Some(pivot) => Err(NotPositiveDefinite { pivot }),
        None => Ok(()),
    }
}

/// Copies the lower triangle to the upper one, tile by tile: a walk down a column touches a page a step.
fn mirror(a: &mut [f32], dim: usize) {
    const TILE: usize = 32;
    for top in (0..dim).step_by(TILE) {
        for left in (0..=top).step_by(TILE) {
            for i in top..dim.min(top + TILE) {
                for j in left..i.min(left + TILE) {
                    a[j * dim + i] = a[i * dim + j];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::SplitMix64;

    #[test]
    fn by_hand() {
        // [4 2; 2 5]⁻¹ = [5 -2; -2 4] / 16
        let mut a = [4.0, f32::NAN, 2.0, 5.0];
        spd_inverse(&mut a, 2).unwrap();
        for (got, expected) in a.iter().zip([0.3125, -0.125, -0.125, 0.25]) {
            approx::assert_relative_eq!(*got, expected, epsilon = 1e-6);
        }
        assert_eq!(spd_inverse(&mut [], 0), Ok(()));
    }

    #[test]
    fn times_the_matrix_is_the_identity() {
        let mut rng = SplitMix64::new(7);
        for dim in [1, 3, 31, 32, 33, 70, 150] {
            let rows: Vec<f32> = (0..2 * dim * dim).map(|_| rng.normal()).collect();
            let mut a = crate::kernel::gram::sum_blocks(&[crate::kernel::gram::block(&rows, dim)], dim, 1.0);
            (0..dim).for_each(|i| a[i * dim + i] += 1.0);
            let mut inverse = a.clone();
            spd_inverse(&mut inverse, dim).unwrap();
            for i in 0..dim {
                for j in 0..dim {
                    let sum: f64 = (0..dim).map(|k| f64::from(a[i * dim + k]) * f64::from(inverse[k * dim + j])).sum();
                    approx::assert_abs_diff_eq!(sum, f64::from(u8::from(i == j)), epsilon = 1e-3);
                }
            }
        }
    }

    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert!(spd_inverse(&mut [0.0], 1).is_err());
        assert!(spd_inverse(&mut [1.0, 2.0, 2.0, 1.0], 2).is_err());
        assert!(spd_inverse(&mut [f32::NAN], 1).is_err());
        assert!(spd_inverse(&mut [f32::INFINITY], 1).is_err());
    }
}
