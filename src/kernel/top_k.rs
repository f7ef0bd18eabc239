//! The best few of many, under a total order.
//!
//! Selection by `select_nth_unstable_by` and a sort of the chosen part: `O(n + k log k)`. With a total order without
//! ties the result does not depend on the input's order.

use std::cmp::Ordering;

/// Leaves in `all` only its first `k` under `order`, sorted.
pub(crate) fn top_k<T>(all: &mut Vec<T>, k: usize, mut order: impl FnMut(&T, &T) -> Ordering) {
    if k == 0 {
        all.clear();
        return;
    }
    if k < all.len() {
        all.select_nth_unstable_by(k - 1, &mut order);
        all.truncate(k);
    }
    all.sort_unstable_by(order);
}

/// Brings the first `k` of `all` under `order` to the front, sorted; the rest follows in no particular order.
pub(crate) fn top_k_first<T>(all: &mut [T], k: usize, mut order: impl FnMut(&T, &T) -> Ordering) {
    let k = k.min(all.len());
    if k > 0 && k < all.len() {
        all.select_nth_unstable_by(k - 1, &mut order);
    }
    all[..k].sort_unstable_by(order);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_head_of_a_full_sort(v in prop::collection::vec(0u8..10, 0..60), k in 0usize..70) {
            let mut keyed: Vec<(u8, usize)> = v.into_iter().enumerate().map(|(i, x)| (x, i)).collect();
            let mut sorted = keyed.clone();
            sorted.sort();
            let head = &sorted[..k.min(sorted.len())];
            let mut front = keyed.clone();
            top_k_first(&mut front, k, Ord::cmp);
            prop_assert_eq!(&front[..head.len()], head);
            top_k(&mut keyed, k, Ord::cmp);
            prop_assert_eq!(&keyed[..], head);
        }
    }
}
