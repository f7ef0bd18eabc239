//! Sums over a few of many indices: a dense array and the list of what was touched.

/// A sparse vector being summed up. Clearing costs only what was touched.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    sum: Vec<f32>,
    touched: Vec<u32>,
}

impl Accumulator {
    /// Makes room for indices below `n`; everything is zero and untouched.
    pub(crate) fn reset(&mut self, n: usize) {
        self.clear();
        if self.sum.len() < n {
            self.sum.resize(n, UNTOUCHED);
        }
    }

    /// Adds `weight` (finite) to the sum of `index`.
    #[inline]
    pub(crate) fn add(&mut self, index: u32, weight: f32) {
        let slot = &mut self.sum[index as usize];
        if slot.to_bits() == UNTOUCHED.to_bits() {
            self.touched.push(index);
            *slot = weight;
        } else {
            *slot += weight;
        }
    }

    /// The sum of `index`, 0 where nothing was added.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> f32 {
        self.sum.get(index as usize).copied().filter(|sum| sum.to_bits() != UNTOUCHED.to_bits()).unwrap_or(0.0)
    }

    /// The touched indices in the order of their first touch, with their sums.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (u32, f32)> + '_ {
        self.touched.iter().map(|&i| (i, self.sum[i as usize]))
    }

    /// Forgets all sums.
    pub(crate) fn clear(&mut self) {
        for &i in &self.touched {
            self.sum[i as usize] = UNTOUCHED;
        }
        self.touched.clear();
    }
}

/// A NaN stands for "untouched", so that sum and mark share one cache line.
const UNTOUCHED: f32 = f32::NAN;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn sums_like_a_map(adds in prop::collection::vec((0u32..20, -5i8..5), 0..100)) {
            let mut fast = Accumulator::default();
            for _ in 0..2 { // the second round starts from a cleared one
                fast.reset(20);
                let mut slow = BTreeMap::new();
                for &(i, w) in &adds {
                    fast.add(i, w.into());
                    *slow.entry(i).or_insert(0.0f32) += f32::from(w);
                }
                let fast: BTreeMap<u32, f32> = fast.iter().collect();
                prop_assert_eq!(fast, slow);
            }
        }
    }
}
