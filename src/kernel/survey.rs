//! What a long column of whole numbers is like, in one pass without a branch: its largest number, and how often it does
//! not rise. Enough to say whether all numbers are indices of something, and whether they ascend within rows.
//!
//! `iter().all(|&n| n < limit)` stops at the first that is not, and so is not vectorised. What this saves where it is used is
//! told on top of `persist/container.rs`.

use bytemuck::Pod;

use super::dispatch::vectorised;

/// What was seen of a column so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// How many numbers.
    len: usize,
    /// The largest; 0 of none.
    largest: u32,
    /// Places whose number is not above the one before.
    falls: usize,
    /// The number to go on from.
    last: u32,
}

/// Numbers that are counted before a count of 32 bits could overflow.
const BLOCK: usize = 1 << 16;

vectorised! {
    /// The largest of `numbers`, and how often one is not above the one before it in `before`, which is as long.
    fn largest_and_falls = largest_and_falls_body(numbers: &[u32], before: &[u32]) -> (u32, u32)
}

#[inline(always)]
fn largest_and_falls_body(numbers: &[u32], before: &[u32]) -> (u32, u32) {
    let (mut largest, mut falls) = (0u32, 0u32);
    for (&number, &before) in numbers.iter().zip(before) {
        largest = largest.max(number);
        falls += u32::from(number <= before);
    }
    (largest, falls)
}

vectorised! {
    /// The largest of these bytes.
    fn largest_byte = largest_byte_body(bytes: &[u8]) -> u8
}

#[inline(always)]
fn largest_byte_body(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |largest, &byte| largest.max(byte))
}

impl Survey {
    /// Of all the numbers, if these are bytes or 32 bits wide.
    pub(crate) fn of<T: Pod>(numbers: &[T]) -> Option<Self> {
        let mut survey = Self::default();
        match size_of::<T>() {
            1 => survey.bytes(bytemuck::cast_slice(numbers)),
            4 => survey.words(bytemuck::try_cast_slice(numbers).ok()?),
            _ => return None,
        }
        Some(survey)
    }

    /// Goes on with these.
    pub(crate) fn words(&mut self, numbers: &[u32]) {
        let Some((&first, &last)) = numbers.first().zip(numbers.last()) else { return };
        self.falls += usize::from(self.len > 0 && first <= self.last);
        self.largest = self.largest.max(first);
        let (mut from, n) = (1, numbers.len());
        while from < n {
            let to = (from + BLOCK).min(n);
            let (largest, falls) = largest_and_falls(&numbers[from..to], &numbers[from - 1..to - 1]);
            self.largest = self.largest.max(largest);
            self.falls += falls as usize;
            from = to;
        }
        self.len += n;
        self.last = last;
    }

    /// Goes on with these bytes, of which only the largest is told.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.largest = self.largest.max(largest_byte(bytes).into());
        self.len += bytes.len();
        self.falls = usize::MAX;
    }

    /// Whether every number is below `n`.
    pub(crate) fn is_below(&self, n: usize) -> bool {
        self.len == 0 || (self.largest as usize) < n
    }

    /// Places whose number is not above the one before.
    pub(crate) fn falls(&self) -> usize {
        self.falls
    }
}

/// Whether each piece of `numbers` that ascending `offsets` cut out rises strictly, by a survey of all of them: nothing
/// falls but where a piece begins. `O(offsets)`.
pub(crate) fn rises_within(numbers: &[u32], survey: &Survey, offsets: &[u64]) -> bool {
    let (mut falls, mut last) = (0, 0);
    for &offset in offsets {
        let at = offset as usize;
        if at > last && at < numbers.len() {
            falls += usize::from(numbers[at] <= numbers[at - 1]);
        }
        last = at;
    }
    falls == survey.falls()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The obvious way.
    fn twin(rows: &[Vec<u32>], n: usize) -> (bool, bool) {
        let below = rows.iter().flatten().all(|&i| (i as usize) < n);
        (below, rows.iter().all(|row| row.is_sorted_by(|a, b| a < b)))
    }

    fn laid_out(rows: &[Vec<u32>]) -> (Vec<u32>, Vec<u64>) {
        let mut offsets = vec![0u64];
        let mut numbers = Vec::new();
        for row in rows {
            numbers.extend_from_slice(row);
            offsets.push(numbers.len() as u64);
        }
        (numbers, offsets)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn a_survey_knows_what_a_look_at_each_number_tells(
            mut rows in prop::collection::vec(prop::collection::vec(0u32..40, 0..50), 0..8),
            sorted in prop::collection::vec(any::<bool>(), 8),
            n in 0usize..41,
            piece in 1usize..70,
        ) {
            rows.iter_mut().zip(sorted).filter(|row| row.1).for_each(|(row, _)| { row.sort_unstable(); row.dedup(); });
            let (numbers, offsets) = laid_out(&rows);
            let whole = Survey::of(&numbers).unwrap();
            let mut pieced = Survey::default();
            numbers.chunks(piece).for_each(|piece| pieced.words(piece));
            prop_assert_eq!(whole, pieced);
            prop_assert_eq!((whole.is_below(n), rises_within(&numbers, &whole, &offsets)), twin(&rows, n));
            let bytes: Vec<u8> = numbers.iter().map(|&i| i as u8).collect();
            prop_assert_eq!(Survey::of(&bytes).unwrap().is_below(n), twin(&rows, n).0);
        }
    }

    #[test]
    fn the_ends_of_blocks_count() {
        let mut numbers: Vec<u32> = (0..3 * BLOCK as u32 + 5).collect();
        let all = numbers.len();
        assert_eq!(Survey::of(&numbers).unwrap().falls(), 0);
        for at in [1, BLOCK, BLOCK + 1, 2 * BLOCK + 1, all - 1] {
            let was = std::mem::replace(&mut numbers[at], at as u32 - 1);
            assert_eq!(Survey::of(&numbers).unwrap().falls(), 1, "{at}");
            numbers[at] = was;
        }
        numbers[all - 1] = u32::MAX;
        assert!(!Survey::of(&numbers).unwrap().is_below(u32::MAX as usize));
        assert!(Survey::of(&[u64::MAX]).is_none() && Survey::of::<u32>(&[]).unwrap().is_below(0));
    }
}
