//! `A = Uᵀ U` in `f64` for the small systems of statistics, where rounding matters and speed does not: plain loops.

use super::cholesky::NotPositiveDefinite;

/// Replaces the upper triangle of the row-major `dim x dim` matrix `a` by `U`. What is below it is never read.
///
/// `dim³ / 6` multiply-adds.
pub(crate) fn factor(a: &mut [f64], dim: usize) -> Result<(), NotPositiveDefinite> {
    for k in 0..dim {
        let pivot = a[k * dim + k];
        // Written so that NaN fails too.
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err(NotPositiveDefinite { pivot: k });
        }
        let inverse = 1.0 / pivot.sqrt();
        let (above, below) = a.split_at_mut((k + 1) * dim);
        let row = &mut above[k * dim + k..];
        row.iter_mut().for_each(|v| *v *= inverse);
        for (i, next) in below.chunks_exact_mut(dim).enumerate() {
            let factor = row[i + 1];
            next[k + 1 + i..].iter_mut().zip(&row[i + 1..]).for_each(|(n, r)| *n -= factor * r);
        }
    }
    Ok(())
}

/// Replaces `b` by the `y` of `Uᵀ y = b`. `dim² / 2` multiply-adds. `|y|²` is then `bᵀ A⁻¹ b`.
pub(crate) fn forward(u: &[f64], dim: usize, b: &mut [f64]) {
    for (k, row) in u.chunks_exact(dim).enumerate() {
        b[k] /= row[k];
        let value = b[k];
        b[k + 1..].iter_mut().zip(&row[k + 1..]).for_each(|(b, r)| *b -= value * r);
    }
}

/// Replaces `b` by the `x` of `Uᵀ U x = b`. `dim²` multiply-adds.
pub(crate) fn solve(u: &[f64], dim: usize, b: &mut [f64]) {
    forward(u, dim, b);
    for (k, row) in u.chunks_exact(dim).enumerate().rev() {
        let known: f64 = row[k + 1..].iter().zip(&b[k + 1..]).map(|(r, x)| r * x).sum();
        b[k] = (b[k] - known) / row[k];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_worked_by_hand() {
        // [4 2; 2 3] x = [2; 5]: x = (-1/2, 2).
        let mut a = [4.0, 2.0, f64::NAN, 3.0];
        factor(&mut a, 2).unwrap();
        let mut b = [2.0, 5.0];
        solve(&a, 2, &mut b);
        assert!((b[0] + 0.5).abs() < 1e-15 && (b[1] - 2.0).abs() < 1e-15, "{b:?}");
        let mut y = [2.0, 5.0];
        forward(&a, 2, &mut y);
        assert!((y[0] * y[0] + y[1] * y[1] - 9.0).abs() < 1e-12, "b' A^-1 b = 2 * -1/2 + 5 * 2");
    }

    #[test]
    fn what_is_not_positive_definite_is_said() {
        assert_eq!(factor(&mut [1.0, 2.0, 0.0, 1.0], 2), Err(NotPositiveDefinite { pivot: 1 }));
        assert_eq!(factor(&mut [f64::NAN], 1), Err(NotPositiveDefinite { pivot: 0 }));
    }
}
