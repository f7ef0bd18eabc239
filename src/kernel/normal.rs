//! The normal equations of one row of a weighted least-squares factorisation, without forming their matrix.

use super::dispatch::vectorised;
use super::dot::{axpy, axpy4, dot};

/// `A = G + Σ e y yᵀ + ridge I` and `b = Σ (base + e) y`, over the rows `y` that `index` picks out of `rows`.
///
/// `G` is the part all rows share (`base * Yᵀ Y`), `e` what an observed row weighs beyond `base`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormalEquations<'a> {
    /// Numbers a row.
    pub(crate) dim: usize,
    /// `G`: row-major, symmetric, both triangles.
    pub(crate) gram: &'a [f32],
    /// All rows, end to end.
    pub(crate) rows: &'a [f32],
    /// The observed rows.
    pub(crate) index: &'a [u32],
    /// `e` of each.
    pub(crate) excess: &'a [f32],
    /// What an unobserved row weighs.
    pub(crate) base: f32,
    /// What the diagonal gets on top.
    pub(crate) ridge: f32,
}

impl<'a> NormalEquations<'a> {
    #[inline(always)]
    pub(crate) fn row(&self, index: u32) -> &'a [f32] {
        let start = index as usize * self.dim;
        &self.rows[start..start + self.dim]
    }

    #[inline(always)]
    fn observed(&self) -> impl Iterator<Item = (&'a [f32], f32)> + '_ {
        self.index.iter().zip(self.excess).map(|(&i, &e)| (self.row(i), e))
    }

    /// Writes `b`. `observed x dim`.
    pub(crate) fn right_side(&self, b: &mut [f32]) {
        b.fill(0.0);
        sum_rows(b, self);
    }

    /// Writes `A p`. `dim² + 2 x observed x dim`.
    #[inline(always)]
    pub(crate) fn apply(&self, p: &[f32], out: &mut [f32]) {
        let dim = self.dim;
        for (out, p) in out.iter_mut().zip(p) {
            *out = self.ridge * p;
        }
        let by_four = dim - dim % 4;
        for (p, g) in p.chunks_exact(4).zip(self.gram.chunks_exact(4 * dim)) {
            let (g0, g) = g.split_at(dim);
            let (g1, g) = g.split_at(dim);
            let (g2, g3) = g.split_at(dim);
            axpy4([p[0], p[1], p[2], p[3]], [g0, g1, g2, g3], out);
        }
        for (&p, g) in p[by_four..].iter().zip(self.gram[by_four * dim..].chunks_exact(dim)) {
            axpy(p, g, out);
        }
        let (index, index_rest) = self.index.split_at(self.index.len() - self.index.len() % 4);
        let (excess, excess_rest) = self.excess.split_at(index.len());
        for (i, e) in index.chunks_exact(4).zip(excess.chunks_exact(4)) {
            let y = [self.row(i[0]), self.row(i[1]), self.row(i[2]), self.row(i[3])];
            let along = [e[0] * dot(y[0], p), e[1] * dot(y[1], p), e[2] * dot(y[2], p), e[3] * dot(y[3], p)];
            axpy4(along, y, out);
        }
        for (&i, &e) in index_rest.iter().zip(excess_rest) {
            let y = self.row(i);
            axpy(e * dot(y, p), y, out);
        }
    }

    /// Writes the upper triangle of `A`. `dim² x observed / 2`.
    pub(crate) fn form(&self, a: &mut [f32]) {
        a.copy_from_slice(self.gram);
        (0..self.dim).for_each(|i| a[i * self.dim + i] += self.ridge);
        add_rows(a, self);
    }
}

vectorised! {
    /// Adds `Σ (base + e) y` over the observed rows to `b`.
    fn sum_rows = sum_rows_body(b: &mut [f32], system: &NormalEquations<'_>)
}

#[inline(always)]
fn sum_rows_body(b: &mut [f32], system: &NormalEquations<'_>) {
    for (y, e) in system.observed() {
        axpy(system.base + e, y, b);
    }
}

vectorised! {
    /// Adds `Σ e y yᵀ` over the observed rows to the upper triangle of `a`.
    fn add_rows = add_rows_body(a: &mut [f32], system: &NormalEquations<'_>)
}

#[inline(always)]
fn add_rows_body(a: &mut [f32], system: &NormalEquations<'_>) {
    add_weighted(a, system.dim, system.observed());
}

/// Adds `Σ w y yᵀ` over `rows` of `dim` numbers to the upper triangle of the row-major `dim x dim` matrix `out`, four rows
/// at a time, so that one pass over the result does four multiply-adds a number.
#[inline(always)]
fn add_weighted<'a>(out: &mut [f32], dim: usize, rows: impl Iterator<Item = (&'a [f32], f32)>) {
    let mut rows = rows.fuse();
    loop {
        match (rows.next(), rows.next(), rows.next(), rows.next()) {
            (Some((y0, w0)), Some((y1, w1)), Some((y2, w2)), Some((y3, w3))) => {
                for (i, row) in out.chunks_exact_mut(dim).enumerate() {
                    let scale = [w0 * y0[i], w1 * y1[i], w2 * y2[i], w3 * y3[i]];
                    axpy4(scale, [&y0[i..], &y1[i..], &y2[i..], &y3[i..]], &mut row[i..]);
                }
            }
            (first, second, third, _) => {
                for (y, w) in [first, second, third].into_iter().flatten() {
                    for (i, row) in out.chunks_exact_mut(dim).enumerate() {
                        axpy(w * y[i], &y[i..], &mut row[i..]);
                    }
                }
                return;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::kernel::gram::{block, sum_blocks};
    use crate::kernel::rng::SplitMix64;

    /// A random system: rows, Gram matrix, observed rows and their weights.
    pub(crate) fn random(dim: usize, observed: usize, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<u32>, Vec<f32>) {
        let mut rng = SplitMix64::new(seed);
        let rows: Vec<f32> = (0..50 * dim).map(|_| rng.normal() * 0.3).collect();
        let gram = sum_blocks(&[block(&rows, dim)], dim, 0.1);
        let index = (0..observed).map(|_| (rng.next() % 50) as u32).collect();
        let excess = (0..observed).map(|_| 1.0 + rng.normal().abs()).collect();
        (rows, gram, index, excess)
    }

    #[test]
    fn the_implicit_matrix_is_the_formed_one() {
        for (dim, observed) in [(1, 0), (1, 3), (3, 5), (4, 8), (6, 1), (18, 23)] {
            let (rows, gram, index, excess) = random(dim, observed, 11);
            let system = NormalEquations {
                dim,
                gram: &gram,
                rows: &rows,
                index: &index,
                excess: &excess,
                base: 0.1,
                ridge: 0.5,
            };
            let mut a = vec![0.0; dim * dim];
            system.form(&mut a);
            let entry = |i: usize, j: usize| -> f64 {
                let sum: f64 = index
                    .iter()
                    .zip(&excess)
                    .map(|(&r, &e)| f64::from(e) * f64::from(system.row(r)[i]) * f64::from(system.row(r)[j]))
                    .sum();
                f64::from(gram[i * dim + j]) + sum + if i == j { 0.5 } else { 0.0 }
            };
            let mut rng = SplitMix64::new(2);
            let p: Vec<f32> = (0..dim).map(|_| rng.normal()).collect();
            let mut fast = vec![f32::NAN; dim];
            system.apply(&p, &mut fast);
            for i in 0..dim {
                for j in i..dim {
                    approx::assert_relative_eq!(f64::from(a[i * dim + j]), entry(i, j), epsilon = 1e-4);
                }
                let slow: f64 = (0..dim).map(|j| entry(i, j) * f64::from(p[j])).sum();
                approx::assert_relative_eq!(f64::from(fast[i]), slow, epsilon = 1e-4, max_relative = 1e-4);
            }
        }
    }
}
