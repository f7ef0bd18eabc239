//! Small symmetric systems in double precision: a dozen unknowns, not a thousand.

/// A symmetric matrix by rows, `n` to a row; only its lower triangle is read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Symmetric {
    pub(crate) n: usize,
    pub(crate) of: Vec<f64>,
}

/// The lower triangle `L` with `L L^T` equal to a positive definite matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Factor {
    n: usize,
    of: Vec<f64>,
}

impl Symmetric {
    pub(crate) fn zero(n: usize) -> Self {
        Self { n, of: vec![0.0; n * n] }
    }

    pub(crate) fn get(&self, row: usize, column: usize) -> f64 {
        let (row, column) = (row.max(column), row.min(column));
        self.of[row * self.n + column]
    }

    pub(crate) fn add(&mut self, row: usize, column: usize, value: f64) {
        self.of[row * self.n + column] += value;
    }

    /// `None` where the matrix is not positive definite to working precision, or not finite.
    pub(crate) fn factor(&self) -> Option<Factor> {
        let n = self.n;
        let mut of = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| of[i * n + k] * of[j * n + k]).sum();
                let left = self.of[i * n + j] - dot;
                if i != j {
                    of[i * n + j] = left / of[j * n + j];
                } else if left > 1e-13 * self.of[i * n + i].abs() && left.is_finite() {
                    of[i * n + i] = left.sqrt();
                } else {
                    return None;
                }
            }
        }
        Some(Factor { n, of })
    }

    /// The inverse of a positive definite matrix.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let factor = self.factor()?;
        let mut inverse = Self::zero(self.n);
        for column in 0..self.n {
            let mut unit = vec![0.0; self.n];
            unit[column] = 1.0;
            for (row, value) in factor.solve(&unit).into_iter().enumerate().skip(column) {
                inverse.of[row * self.n + column] = value;
            }
        }
        Some(inverse)
    }

    /// `v^T M v`.
    pub(crate) fn quadratic(&self, v: &[f64]) -> f64 {
        let row = |i: usize| (0..self.n).map(|j| self.get(i, j) * v[j]).sum::<f64>();
        (0..self.n).map(|i| v[i] * row(i)).sum()
    }
}

impl Factor {
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let n = self.n;
        let mut x = right.to_vec();
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| self.of[i * n + k] * x[k]).sum();
            x[i] = (x[i] - dot) / self.of[i * n + i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| self.of[k * n + i] * x[k]).sum();
            x[i] = (x[i] - dot) / self.of[i * n + i];
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_undoes_the_matrix() {
        let m = Symmetric { n: 3, of: vec![4.0, 0.0, 0.0, 2.0, 5.0, 0.0, -1.0, 0.5, 3.0] };
        let inverse = m.inverse().unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| m.get(i, k) * inverse.get(k, j)).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
        assert_eq!(m.quadratic(&[1.0, 0.0, 1.0]), 5.0);
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        for of in [vec![1.0, 0.0, 1.0, 1.0], vec![0.0; 4], vec![-1.0, 0.0, 0.0, 1.0], vec![f64::NAN, 0.0, 0.0, 1.0]] {
            assert_eq!(Symmetric { n: 2, of }.factor(), None);
        }
    }
}
