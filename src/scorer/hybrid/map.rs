//! From attributes to factors: a ridge regression, a value at a time.

use crate::catalog::Shelf;
use crate::dataset::Csr;
use crate::ids::ItemIdx;
use crate::kernel::dot::axpy;
use crate::scorer::als::Pull;
use crate::scorer::attributes::Features;

/// An item's values: their weights have length 1, an attribute's share of the square is by its weight. Value 0 is shared by
/// all items that have any.
pub(super) fn read(features: &Features, shelf: &Shelf, item: ItemIdx, word: &mut String, out: &mut Vec<(u32, f32)>) {
    features.read(shelf, item, word, out, |attribute, part| {
        let each = (attribute / part.len() as f32).sqrt();
        part.iter_mut().for_each(|(_, weight)| *weight = each);
    });
    let square: f32 = out.iter().map(|(_, w)| w * w).sum();
    if square > 0.0 {
        let scale = 1.0 / square.sqrt();
        out.iter_mut().for_each(|(feature, weight)| (*feature, *weight) = (*feature + 1, *weight * scale));
        out.insert(0, (0, 1.0));
    }
}

/// The vectors of the values, being learned.
pub(super) struct Map<'a> {
    dim: usize,
    passes: u32,
    ridge: f32,
    /// Values of each item of the dataset.
    by_item: &'a Csr,
    /// Items of the dataset of each value.
    by_value: Csr,
    /// End to end.
    pub(super) values: Vec<f32>,
}

impl<'a> Map<'a> {
    pub(super) fn new(dim: usize, passes: u32, ridge: f32, by_item: &'a Csr, n_values: usize) -> Self {
        Self { dim, passes, ridge, by_item, by_value: by_item.transposed(n_values), values: vec![0.0; n_values * dim] }
    }
}

/// Adds the vectors of an item's values to `out`.
pub(super) fn add(values: &[f32], dim: usize, row: impl Iterator<Item = (u32, f32)>, out: &mut [f32]) {
    for (value, weight) in row {
        let start = value as usize * dim;
        axpy(weight, &values[start..start + dim], out);
    }
}

impl Pull for Map<'_> {
    /// Sweeps over the values; each is set to the minimiser given the others, starting from the last sweep's. `means` holds
    /// what is left of the items until the end.
    fn learn(&mut self, items: &[f32], cost: &[f32], means: &mut [f32]) {
        let Self { dim, passes, ridge, by_item, by_value, values } = self;
        let dim = *dim;
        let active = cost.iter().filter(|&&c| c > 0.0).count();
        let mean_cost = (cost.iter().map(|&c| f64::from(c)).sum::<f64>() / active.max(1) as f64) as f32;
        if mean_cost <= 0.0 {
            return;
        }
        let mut mean = vec![0.0; dim];
        for (item, (left, y)) in means.chunks_exact_mut(dim).zip(items.chunks_exact(dim)).enumerate() {
            mean.fill(0.0);
            add(values, dim, by_item.row(item).iter(), &mut mean);
            left.copy_from_slice(y);
            axpy(-1.0, &mean, left);
        }
        let mut step = vec![0.0; dim];
        for _ in 0..*passes {
            for (value, w) in values.chunks_exact_mut(dim).enumerate() {
                let held = by_value.row(value);
                step.fill(0.0);
                let mut square = 0.0;
                for (item, weight) in held.iter() {
                    let cost = cost[item as usize] / mean_cost;
                    let start = item as usize * dim;
                    axpy(cost * weight, &means[start..start + dim], &mut step);
                    square += cost * weight * weight;
                }
                // The gradient over the curvature: exact, since the rest is held.
                for (step, w) in step.iter_mut().zip(&*w) {
                    *step = (*step - *ridge * w) / (square + *ridge);
                }
                axpy(1.0, &step, w);
                for (item, weight) in held.iter() {
                    let start = item as usize * dim;
                    axpy(-weight, &step, &mut means[start..start + dim]);
                }
            }
        }
        for (left, y) in means.iter_mut().zip(items) {
            *left = y - *left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three items in two dimensions; values: 0 all, 1 of items 0 and 1, 2 of items 1 and 2; item 3 has no events.
    fn rows() -> Csr {
        let mut csr = Csr::with_capacity(4, 9);
        for row in
            [&[(0, 1.0), (1, 1.0)][..], &[(0, 1.0), (1, 0.6), (2, 0.8)], &[(0, 1.0), (2, 1.0)], &[(0, 1.0), (1, 1.0)]]
        {
            row.iter().for_each(|&(value, weight)| csr.push(value, weight));
            csr.end_row();
        }
        csr
    }

    #[test]
    fn reaches_the_ridge_solution() {
        let (by_item, items) = (rows(), [1.0f32, 0.0, 0.5, -1.0, 0.0, 2.0, 0.0, 0.0]);
        let cost = [1.0f32, 3.0, 2.0, 0.0];
        let ridge = 0.5;
        let mut map = Map::new(2, 500, ridge, &by_item, 3);
        let mut means = [0.0; 8];
        map.learn(&items, &cost, &mut means);
        // Where the gradient of Σ c_i / mean c |y_i - Σ a w|² + ridge |w|² is zero.
        for value in 0..3u32 {
            for d in 0..2 {
                let mut gradient = ridge * map.values[value as usize * 2 + d];
                for item in 0..4usize {
                    let a = by_item.row(item).get(value).unwrap_or(0.0);
                    gradient -= cost[item] / 2.0 * a * (items[item * 2 + d] - means[item * 2 + d]);
                }
                assert!(gradient.abs() < 1e-4, "value {value}, number {d}: {gradient}");
            }
        }
        // The means are the sums of the values, for the item without events too.
        for item in 0..4 {
            let mut sum = [0.0; 2];
            add(&map.values, 2, by_item.row(item).iter(), &mut sum);
            for d in 0..2 {
                assert!((sum[d] - means[item * 2 + d]).abs() < 1e-4);
            }
        }
        // A second call starts from there.
        let before = map.values.clone();
        map.passes = 1;
        map.learn(&items, &cost, &mut means);
        assert!(before.iter().zip(&map.values).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn nothing_to_learn_from_leaves_zeros() {
        let by_item = rows();
        let mut map = Map::new(2, 3, 1.0, &by_item, 3);
        map.learn(&[0.0; 8], &[0.0; 4], &mut [0.0; 8]);
        assert!(map.values.iter().all(|&w| w == 0.0));
    }
}
