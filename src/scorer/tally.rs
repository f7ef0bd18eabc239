//! Sums over a few of many indices, row by row and without a branch: the inner loop of item-to-item products.

/// What an index has that nothing was added to; sums that are not `-0` themselves never come back to it.
const NOTHING: f32 = -0.0;

/// A sparse vector being summed up. Clearing costs only what was touched.
#[derive(Debug, Default)]
pub(in crate::scorer) struct Tally {
    sum: Vec<f32>,
    /// The touched indices in `..n`, and room for a row more.
    touched: Vec<u32>,
    n: usize,
}

impl Tally {
    /// Makes room for indices below `n_items`; nothing is touched.
    pub(in crate::scorer) fn reset(&mut self, n_items: usize) {
        self.drain(|_, _| {});
        if self.sum.len() < n_items {
            self.sum.resize(n_items, NOTHING);
        }
    }

    /// Adds `weight(place)` to the sum of each of the distinct `indices`.
    #[inline]
    pub(in crate::scorer) fn add_row(&mut self, indices: &[u32], weight: impl Fn(usize) -> f32) {
        let (sum, mut n) = (&mut self.sum[..], self.n);
        if self.touched.len() < n + indices.len() {
            self.touched.resize(2 * (n + indices.len()), 0);
        }
        let touched = &mut self.touched[..n + indices.len()];
        for (place, &index) in indices.iter().enumerate() {
            let slot = &mut sum[index as usize];
            touched[n] = index; // overwritten by the next unless it is new
            n += usize::from(slot.to_bits() == NOTHING.to_bits());
            *slot += weight(place);
        }
        self.n = n;
    }

    /// The sum of `index`, 0 where nothing was added.
    pub(in crate::scorer) fn get(&self, index: u32) -> f32 {
        self.sum[index as usize] + 0.0
    }

    /// Hands over the indices touched, in the order of their first touch, with their sums; an index whose sum was `-0`
    /// when it was touched again comes again, with 0. Nothing is touched then.
    #[inline]
    pub(in crate::scorer) fn drain(&mut self, mut take: impl FnMut(u32, f32)) {
        for &index in &self.touched[..self.n] {
            take(index, std::mem::replace(&mut self.sum[index as usize], NOTHING) + 0.0);
        }
        self.n = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn sums_like_a_map(rows in prop::collection::vec((prop::collection::btree_set(0u32..20, 0..9), -5i8..5), 0..20)) {
            let mut fast = Tally::default();
            for _ in 0..2 { // the second round starts from a drained one
                fast.reset(20);
                let mut slow = BTreeMap::new();
                for (indices, weight) in &rows {
                    let indices: Vec<u32> = indices.iter().copied().collect();
                    fast.add_row(&indices, |place| f32::from(*weight) * place as f32);
                    for (place, &index) in indices.iter().enumerate() {
                        *slow.entry(index).or_insert(0.0f32) += f32::from(*weight) * place as f32;
                    }
                }
                slow.iter().for_each(|(&index, &sum)| assert_eq!(fast.get(index), sum));
                let mut drained = BTreeMap::new();
                fast.drain(|index, sum| *drained.entry(index).or_insert(0.0) += sum);
                prop_assert_eq!(drained, slow);
            }
        }
    }
}
