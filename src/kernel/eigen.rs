//! Eigenvectors of a small symmetric positive semidefinite matrix, and the triangle that makes columns orthonormal.

use super::dispatch::vectorised;

const SWEEPS: usize = 60;
/// Rows at a smaller angle than this to orthogonal are orthogonal.
const ORTHOGONAL: f64 = 1e-13;
/// Eigenvalues below this part of the largest are rounding, if the matrix was summed up in `f32`.
const NOTHING: f64 = 1e-6;
/// A column of which less than this part (squared) is its own depends on those before it.
const DEPENDENT: f64 = 1e-6;

vectorised! {
    /// Replaces the rows of the row-major `dim x dim` matrix `a` by its eigenvectors and returns their eigenvalues, the
    /// largest first. The vector of an eigenvalue that is zero but for rounding is zero.
    ///
    /// One-sided Jacobi (Hestenes 1958): rotations make the rows orthogonal, and what rotates the rows of a symmetric
    /// matrix so has the eigenvectors for rows. Six to ten sweeps of `7 x dim³ / 2` multiply-adds.
    fn symmetric = symmetric_body(a: &mut [f64], dim: usize) -> Vec<f64>
}

#[inline(always)]
fn symmetric_body(a: &mut [f64], dim: usize) -> Vec<f64> {
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..dim {
            let (above, below) = a.split_at_mut((p + 1) * dim);
            let x = &mut above[p * dim..];
            for y in below.chunks_exact_mut(dim) {
                let [xx, yy, xy] = products(x, y);
                if xy.abs() <= ORTHOGONAL * (xx * yy).sqrt() {
                    continue;
                }
                turned = true;
                let zeta = (yy - xx) / (2.0 * xy);
                let tan = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cos = 1.0 / (1.0 + tan * tan).sqrt();
                rotate(x, y, cos, cos * tan);
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<(f64, usize)> = (0..dim)
        .map(|i| {
            let row = &a[i * dim..(i + 1) * dim];
            (products(row, row)[0].sqrt(), i)
        })
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let least = order.first().map_or(0.0, |first| first.0 * NOTHING);
    let mut vectors = Vec::with_capacity(a.len());
    for (value, i) in &mut order {
        let real = *value > least;
        let scale = if real { 1.0 / *value } else { 0.0 };
        *value = if real { *value } else { 0.0 };
        vectors.extend(a[*i * dim..(*i + 1) * dim].iter().map(|v| v * scale));
    }
    a.copy_from_slice(&vectors);
    order.into_iter().map(|(value, _)| value).collect()
}

/// `x·x`, `y·y` and `x·y`, in four lanes each.
#[inline(always)]
fn products(x: &[f64], y: &[f64]) -> [f64; 3] {
    const LANES: usize = 4;
    let mut sums = [[0.0; LANES]; 3];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let (x_tail, y_tail) = (xs.remainder(), ys.remainder());
    for (x, y) in xs.zip(ys) {
        for lane in 0..LANES {
            sums[0][lane] += x[lane] * x[lane];
            sums[1][lane] += y[lane] * y[lane];
            sums[2][lane] += x[lane] * y[lane];
        }
    }
    for (x, y) in x_tail.iter().zip(y_tail) {
        sums[0][0] += x * x;
        sums[1][0] += y * y;
        sums[2][0] += x * y;
    }
    sums.map(|s| (s[0] + s[2]) + (s[1] + s[3]))
}

#[inline(always)]
fn rotate(x: &mut [f64], y: &mut [f64], cos: f64, sin: f64) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
    }
}

/// The upper triangle `R⁻¹` with `Y R⁻¹` orthonormal, given `gram = Yᵀ Y` (upper triangle, row-major). A column of `Y`
/// that depends on those before it becomes zero. `dim³ / 3` multiply-adds.
pub(crate) fn orthonormaliser(gram: &mut [f64], dim: usize) -> Vec<f32> {
    let lengths: Vec<f64> = (0..dim).map(|i| gram[i * dim + i]).collect();
    // R, in the place of the upper triangle.
    for k in 0..dim {
        let pivot = gram[k * dim + k];
        let (done, below) = gram.split_at_mut((k + 1) * dim);
        let row = &mut done[k * dim..];
        if pivot.is_nan() || pivot <= lengths[k] * DEPENDENT {
            row[k..].fill(0.0);
            continue;
        }
        let scale = 1.0 / pivot.sqrt();
        row[k..].iter_mut().for_each(|v| *v *= scale);
        for (i, next) in (k + 1..dim).zip(below.chunks_exact_mut(dim)) {
            let factor = row[i];
            next[i..].iter_mut().zip(&row[i..]).for_each(|(n, r)| *n -= factor * r);
        }
    }
    // Row by row from the last: inv[k] = (e_k - Σ_{i>k} R[k,i] inv[i]) / R[k,k].
    let mut inverse = vec![0.0; dim * dim];
    for k in (0..dim).rev() {
        let pivot = gram[k * dim + k];
        if pivot == 0.0 {
            continue;
        }
        let (before, after) = inverse.split_at_mut((k + 1) * dim);
        let row = &mut before[k * dim..];
        row[k] = 1.0;
        for (i, known) in (k + 1..dim).zip(after.chunks_exact(dim)) {
            let factor = gram[k * dim + i];
            row[i..].iter_mut().zip(&known[i..]).for_each(|(r, v): (&mut f64, &f64)| *r -= factor * v);
        }
        row[k..].iter_mut().for_each(|v| *v /= pivot);
    }
    inverse.into_iter().map(|v| v as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::SplitMix64;

    fn gram_of(rows: &[f64], dim: usize) -> Vec<f64> {
        let mut a = vec![0.0; dim * dim];
        for row in rows.chunks_exact(dim) {
            for i in 0..dim {
                for j in 0..dim {
                    a[i * dim + j] += row[i] * row[j];
                }
            }
        }
        a
    }

    #[test]
    fn by_hand() {
        let mut a = [2.0, 1.0, 1.0, 2.0];
        let values = symmetric(&mut a, 2);
        approx::assert_relative_eq!(values[0], 3.0, epsilon = 1e-12);
        approx::assert_relative_eq!(values[1], 1.0, epsilon = 1e-12);
        approx::assert_relative_eq!((a[0] * a[1]), 0.5, epsilon = 1e-12);
        approx::assert_relative_eq!((a[2] * a[3]), -0.5, epsilon = 1e-12);
        assert_eq!(symmetric(&mut [], 0), [0.0; 0]);
        assert_eq!(symmetric(&mut [0.0; 4], 2), [0.0; 2]);
    }

    #[test]
    fn eigenvectors_rebuild_the_matrix() {
        let mut rng = SplitMix64::new(2);
        for (rows, dim) in [(3, 1), (9, 5), (3, 8), (200, 33)] {
            let rows: Vec<f64> = (0..rows * dim).map(|_| f64::from(rng.normal())).collect();
            let a = gram_of(&rows, dim);
            let mut vectors = a.clone();
            let values = symmetric(&mut vectors, dim);
            assert!(values.windows(2).all(|w| w[0] >= w[1]));
            for i in 0..dim {
                for j in 0..dim {
                    let rebuilt: f64 = (0..dim).map(|k| values[k] * vectors[k * dim + i] * vectors[k * dim + j]).sum();
                    approx::assert_relative_eq!(rebuilt, a[i * dim + j], epsilon = 1e-9, max_relative = 1e-9);
                }
            }
        }
    }

    #[test]
    fn the_orthonormaliser_drops_what_depends() {
        // Columns: e1 + e2, twice that, e2.
        let rows: [f64; 6] = [1.0, 2.0, 0.0, 1.0, 2.0, 1.0];
        let inverse = orthonormaliser(&mut gram_of(&rows, 3), 3);
        let q: Vec<f32> = rows
            .chunks_exact(3)
            .flat_map(|row| {
                (0..3).map(|j| (0..3).map(|i| row[i] as f32 * inverse[i * 3 + j]).sum()).collect::<Vec<f32>>()
            })
            .collect();
        let half = 0.5f32.sqrt();
        for (got, expected) in q.iter().zip([half, 0.0, -half, half, 0.0, half]) {
            approx::assert_abs_diff_eq!(*got, expected, epsilon = 1e-6);
        }
    }
}
