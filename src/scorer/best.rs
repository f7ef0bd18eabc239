//! The best few of many scores as they come by: most are refused by one comparison.

use super::Scored;
use crate::ids::ItemIdx;

/// Keeps the best `limit` offered, under the order of [`Scored::order`].
#[derive(Debug, Default)]
pub(in crate::scorer) struct Best {
    /// Score and item in one number, the better the larger.
    kept: Vec<u64>,
    limit: usize,
    /// No better than this is refused.
    floor: u64,
}

impl Best {
    pub(in crate::scorer) fn reset(&mut self, limit: usize) {
        self.kept.clear();
        (self.limit, self.floor) = (limit, if limit == 0 { u64::MAX } else { 0 });
    }

    /// Offers an item with a finite score.
    #[inline]
    pub(in crate::scorer) fn offer(&mut self, item: ItemIdx, score: f32) {
        let bits = (score + 0.0).to_bits();
        let ascending = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
        let key = u64::from(ascending) << 32 | u64::from(!item.get());
        if key > self.floor {
            self.kept.push(key);
            if self.kept.len() >= self.limit.saturating_mul(4).max(32) {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        if self.kept.len() > self.limit {
            let (_, &mut last, _) = self.kept.select_nth_unstable_by(self.limit - 1, |a, b| b.cmp(a));
            self.floor = last;
            self.kept.truncate(self.limit);
        }
    }

    /// Those kept, best first.
    pub(in crate::scorer) fn sorted(&mut self) -> impl ExactSizeIterator<Item = Scored> + '_ {
        self.cut();
        self.kept.sort_unstable_by(|a, b| b.cmp(a));
        self.kept.iter().map(|&key| {
            let ascending = (key >> 32) as u32;
            let bits = if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending };
            Scored { item: ItemIdx::new(!key as u32), score: f32::from_bits(bits) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_head_of_a_full_sort(scores in prop::collection::vec(-3i8..9, 0..300), limit in 0usize..40) {
            let all = (0..).zip(&scores).map(|(n, &s)| Scored { item: ItemIdx::new(n), score: s.into() });
            let mut sorted: Vec<Scored> = all.clone().collect();
            sorted.sort_by(Scored::order);
            sorted.truncate(limit);
            let mut best = Best::default();
            for _ in 0..2 {
                best.reset(limit);
                all.clone().for_each(|s| best.offer(s.item, s.score));
                prop_assert_eq!(&best.sorted().collect::<Vec<_>>(), &sorted);
            }
        }
    }
}
