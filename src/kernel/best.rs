//! The best `k` of a stream under a total order, with a floor that says what need not be looked at.

/// Collects keys; keeps the `k` largest. Keys are distinct, so the result does not depend on the order they come in.
///
/// Keys pile up to half as many again before the smallest are thrown away: `O(1)` a key, whatever `k`.
#[derive(Debug, Default)]
pub(crate) struct Best {
    k: usize,
    keys: Vec<u64>,
    /// Below this key nothing is kept; 0 until `k` keys are known.
    least: u64,
}

impl Best {
    /// Forgets everything; from now on the best `k`.
    pub(crate) fn reset(&mut self, k: usize) {
        self.k = k;
        self.keys.clear();
        self.least = if k == 0 { u64::MAX } else { 0 };
    }

    /// Whether `key` would be kept as things stand.
    #[inline]
    pub(crate) const fn wants(&self, key: u64) -> bool {
        key >= self.least
    }

    /// Adds a key that is [wanted](Self::wants).
    #[inline]
    pub(crate) fn push(&mut self, key: u64) {
        self.keys.push(key);
        if self.keys.len() >= self.k.saturating_add(16.max(self.k / 2)) {
            self.shrink();
        }
    }

    /// Throws away what is not among the best and raises the floor, if `k` keys are known.
    pub(crate) fn shrink(&mut self) {
        if self.k > 0 && self.keys.len() >= self.k {
            let (_, least, _) = self.keys.select_nth_unstable_by(self.k - 1, |a, b| b.cmp(a));
            self.least = *least;
            self.keys.truncate(self.k);
        }
    }

    /// How many are kept at the end, if there are as many.
    pub(crate) const fn k(&self) -> usize {
        self.k
    }

    /// How many keys are held.
    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// The smallest key that is kept for sure; 0 while there are fewer than `k`.
    pub(crate) const fn least(&self) -> u64 {
        self.least
    }

    /// The best, largest first.
    pub(crate) fn sorted(&mut self) -> &[u64] {
        self.shrink();
        self.keys.sort_unstable_by(|a, b| b.cmp(a));
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn equals_the_head_of_a_full_sort(keys in prop::collection::hash_set(0u64..2000, 0..300), k in 0usize..310) {
            let mut best = Best::default();
            best.push(7);
            best.reset(k);
            for &key in &keys {
                if best.wants(key) {
                    best.push(key);
                }
            }
            let mut sorted: Vec<u64> = keys.into_iter().collect();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            sorted.truncate(k);
            prop_assert_eq!(best.sorted(), &sorted[..]);
            prop_assert_eq!(best.least() > 0 && k > 0, k > 0 && sorted.len() == k && sorted[k - 1] > 0);
        }
    }
}
