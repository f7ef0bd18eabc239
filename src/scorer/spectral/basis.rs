//! The leading right singular vectors of the scaled shopper × item matrix.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::Array2;

use crate::dataset::Csr;
use crate::kernel::dot::dot;
use crate::kernel::eigen::{orthonormaliser, symmetric};
use crate::kernel::product::{add_scaled, dense_row, sparse_row};
use crate::kernel::{gram, rng::SplitMix64};
use crate::run::{Cancelled, Run};
use crate::scorer::factors::Factors;
use crate::scorer::linear::design::Design;
use crate::scorer::{FitError, Scored, Workspace};

/// Vectors kept beside the wanted ones while the subspace is refined.
const OVERSAMPLING: usize = 16;
/// Rows a task.
const CHUNK: usize = 32;

/// One vector an item: its row of `V`. `4 × factors` bytes an item.
#[derive(Clone, PartialEq)]
pub(super) struct Basis {
    factors: usize,
    vectors: Vec<f32>,
    /// The singular values, largest first.
    singular: Vec<f32>,
}

impl Basis {
    /// `V` of the `factors` largest singular values, or of as many as there are.
    ///
    /// Subspace iteration on `XᵀX` from a random start, orthonormalised in each of `rounds`, then Rayleigh-Ritz (Halko,
    /// Martinsson & Tropp 2011, algorithms 4.4 and 5.3).
    pub(super) fn new(design: &Design, factors: usize, rounds: u64, run: &Run<'_>) -> Result<Self, FitError> {
        let (rows, items) = (design.by_row.rows(), design.n_items());
        let width = (factors + OVERSAMPLING).min(rows).min(items);
        let factors = factors.min(width);
        run.step(0, rounds + 1, None)?;
        if factors == 0 {
            return Ok(Self { factors: 0, vectors: Vec::new(), singular: Vec::new() });
        }
        let mut q = vec![0.0f32; items * width];
        run.threads.for_chunks(
            &mut q,
            width,
            || (),
            |(), item, row| {
                if design.is_active(item) {
                    let mut rng = SplitMix64::stream(run.seed, item as u64);
                    row.iter_mut().for_each(|v| *v = rng.normal());
                }
            },
        );
        let mut y = vec![0.0f32; rows * width];
        for round in 1..=rounds {
            multiply(&design.by_row, &q, width, &mut y, run)?;
            // After every half-step, or the strongest patterns drown the weak ones in the next. A column that got lost
            // nevertheless starts anew: otherwise a pattern of a tiny shop could go missing for good.
            if orthonormalise(&mut y, width, run) {
                restart_lost(&mut y, width, round, run);
                orthonormalise(&mut y, width, run);
            }
            multiply(&design.by_item, &y, width, &mut q, run)?;
            orthonormalise(&mut q, width, run);
            run.step(round, rounds + 1, None)?;
        }
        orthonormalise(&mut q, width, run); // once more: rounding left a little
        multiply(&design.by_row, &q, width, &mut y, run)?;
        let mut small = gram_of(&y, width, run);
        mirror(&mut small, width);
        drop(y);
        if small.iter().chain([&0.0]).any(|v| !v.is_finite()) {
            return Err(FitError::NotFinite { model: "a spectral model", step: rounds });
        }
        let values = symmetric(&mut small, width);
        // Row `c` of `turn` says what column `c` of `q` adds to each vector.
        let turn: Vec<f32> = (0..width * factors).map(|i| small[i % factors * width + i / factors] as f32).collect();
        let mut vectors = vec![0.0f32; items * factors];
        run.threads.for_chunks(
            &mut vectors,
            factors,
            || (),
            |(), item, out| dense_row(&q[item * width..(item + 1) * width], &turn, out),
        );
        run.step(rounds + 1, rounds + 1, None)?;
        let singular = values[..factors].iter().map(|value| value.sqrt() as f32).collect();
        Ok(Self { factors, vectors, singular })
    }

    /// Whether it has a vector for each of so many items, or none at all; asked of what came from a file.
    pub(super) fn is_of(&self, n_items: usize) -> bool {
        n_items.checked_mul(self.factors) == Some(self.vectors.len())
    }

    pub(super) fn factors(&self) -> usize {
        self.factors
    }

    pub(super) fn singular(&self) -> &[f32] {
        &self.singular
    }

    /// The vector of an item; `None` beyond the last one.
    pub(super) fn of(&self, item: usize) -> Option<&[f32]> {
        self.vectors.get(item * self.factors..(item + 1) * self.factors)
    }

    /// The vectors of `active` items, each times its `scale`; zeros for the others.
    pub(super) fn scaled(&self, active: &[u32], n_items: usize, scale: impl Fn(usize) -> f32) -> Factors {
        let mut items = Array2::zeros((n_items, self.factors));
        for item in active.iter().map(|&item| item as usize) {
            let scaled = self.of(item).unwrap_or_default().iter().map(|v| v * scale(item));
            items.row_mut(item).iter_mut().zip(scaled).for_each(|(to, v)| *to = v);
        }
        Factors::new(items)
    }

    /// The sum of the voters' vectors, each times its vote and `scale`. The caller gives it back to `ws`.
    pub(super) fn fold_in(&self, voters: &[Scored], scale: &[f32], ws: &mut Workspace) -> Vec<f32> {
        let mut z = ws.take_floats(self.factors);
        for voter in voters {
            if let Some(vector) = self.of(voter.item.as_usize()) {
                add_scaled(voter.score * scale[voter.item.as_usize()], vector, &mut z);
            }
        }
        z
    }

    pub(super) fn cosine(&self, a: usize, b: usize) -> Option<f32> {
        let (x, y) = (self.of(a)?, self.of(b)?);
        let cosine = dot(x, y) / (dot(x, x) * dot(y, y)).sqrt();
        cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.vectors.capacity() + self.singular.capacity()) * 4
    }
}

impl std::fmt::Debug for Basis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Basis").field("factors", &self.factors).finish_non_exhaustive()
    }
}

/// `out = sparse × dense`, each row by itself.
fn multiply(sparse: &Csr, dense: &[f32], width: usize, out: &mut [f32], run: &Run<'_>) -> Result<(), Cancelled> {
    let cancelled = AtomicBool::new(false);
    run.threads.for_chunks(
        out,
        CHUNK * width,
        || (),
        |(), chunk, rows| {
            if run.cancel.load(Ordering::Relaxed) {
                return cancelled.store(true, Ordering::Relaxed);
            }
            for (row, out) in (chunk * CHUNK..).zip(rows.chunks_exact_mut(width)) {
                let entries = sparse.row(row);
                sparse_row(entries.indices(), entries.weights(), dense, out);
            }
        },
    );
    if cancelled.into_inner() { Err(Cancelled) } else { Ok(()) }
}

/// The upper triangle of `Yᵀ Y`: within a block of rows in `f32`, over the blocks in order in `f64`.
fn gram_of(y: &[f32], width: usize, run: &Run<'_>) -> Vec<f64> {
    let block = gram::block_rows(y.len() / width) * width;
    let blocks =
        run.threads.map(y.len().div_ceil(block), |i| gram::block(&y[i * block..y.len().min((i + 1) * block)], width));
    let mut sum = vec![0.0f64; width * width];
    for block in &blocks {
        sum.iter_mut().zip(block).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    sum
}

fn mirror(upper: &mut [f64], dim: usize) {
    for i in 0..dim {
        for j in 0..i {
            upper[i * dim + j] = upper[j * dim + i];
        }
    }
}

/// Makes the columns of `q` orthonormal; one that depends on those before it becomes zero. Whether there was one.
fn orthonormalise(q: &mut [f32], width: usize, run: &Run<'_>) -> bool {
    let inverse = orthonormaliser(&mut gram_of(q, width, run), width);
    let scratch = || vec![0.0; width];
    run.threads.for_chunks(q, width, scratch, |scratch, _, row| {
        scratch.copy_from_slice(row);
        dense_row(scratch, &inverse, row);
    });
    (0..width).any(|column| inverse[column * width + column] == 0.0)
}

/// Random numbers for the columns that are zero.
fn restart_lost(q: &mut [f32], width: usize, round: u64, run: &Run<'_>) {
    let mut lost = vec![true; width];
    for row in q.chunks_exact(width) {
        lost.iter_mut().zip(row).for_each(|(lost, v)| *lost &= *v == 0.0);
    }
    let mut rng = SplitMix64::stream(!run.seed, round);
    for row in q.chunks_exact_mut(width) {
        row.iter_mut().zip(&lost).filter(|(_, lost)| **lost).for_each(|(v, _)| *v = rng.normal());
    }
}

crate::persist::portable!(Basis { factors, vectors, singular }
    "vectors of another length" => |b| b.singular.len() == b.factors
        && (b.factors == 0 && b.vectors.is_empty() || b.factors > 0 && b.vectors.len().is_multiple_of(b.factors)));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scorer::linear::Scaling;
    use crate::scorer::vote::Strength;
    use crate::testing::{ShopParams, SyntheticShop};
    use crate::{DatasetBuilder, Parallelism, Validate};

    fn design() -> Design {
        let params = ShopParams { items: 60, users: 90, events: 1_500, ..ShopParams::default() };
        let mut builder = DatasetBuilder::default();
        builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap();
        let scaling = Scaling { shopper_exponent: 0.5, item_exponent: 0.5, ..Scaling::default() };
        Design::new(&builder.finish().unwrap(), Strength::One, &scaling)
    }

    #[test]
    fn the_leading_pairs_are_those_of_the_dense_matrix() {
        let design = design();
        let n = design.n_items();
        let mut dense = vec![0.0f64; n * n];
        for row in 0..design.by_row.rows() {
            for (i, x) in design.by_row.row(row).iter() {
                for (j, y) in design.by_row.row(row).iter() {
                    dense[i as usize * n + j as usize] += f64::from(x) * f64::from(y);
                }
            }
        }
        let values = symmetric(&mut dense.clone(), n);
        let basis = Basis::new(&design, 8, 12, &Run::new(3)).unwrap();
        for (c, (fast, slow)) in basis.singular().iter().zip(&values).enumerate() {
            approx::assert_relative_eq!(f64::from(*fast), slow.sqrt(), max_relative = 1e-3);
            // A v = σ² v, whatever the sign of v.
            let v: Vec<f64> = (0..n).map(|i| f64::from(basis.of(i).unwrap()[c])).collect();
            for i in 0..n {
                let av: f64 = (0..n).map(|j| dense[i * n + j] * v[j]).sum();
                approx::assert_abs_diff_eq!(av, slow * v[i], epsilon = 0.02 * slow);
            }
        }
        approx::assert_relative_eq!(basis.singular()[0], 1.0, epsilon = 1e-4); // a symmetric normalisation's largest
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bits() {
        let design = design();
        let serial = Basis::new(&design, 20, 2, &Run::new(3).threads(Parallelism::Serial)).unwrap();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let pooled = pool.install(|| Basis::new(&design, 20, 2, &Run::new(3))).unwrap();
            assert!(serial == pooled);
        }
        assert!(serial != Basis::new(&design, 20, 2, &Run::new(4)).unwrap(), "the seed starts it");
    }
}
