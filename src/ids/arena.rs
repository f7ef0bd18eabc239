//! Key text by number.

use super::table::Entry;
use crate::kernel::column::Column;

/// Key text laid end to end: `8 + len` bytes a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyArena {
    /// UTF-8 each.
    pub(super) bytes: Column<u8>,
    pub(super) ends: Column<u64>,
}

impl KeyArena {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    #[cfg(any(feature = "csv", feature = "json"))]
    pub(super) fn clear(&mut self) {
        self.bytes.own().clear();
        self.ends.own().clear();
    }

    pub(crate) fn push(&mut self, key: &str) {
        self.bytes.own().extend_from_slice(key.as_bytes());
        self.ends.push(self.bytes.len() as u64);
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = index.checked_sub(1).map_or(0, |i| self.ends[i] as usize);
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }

    /// Whether the key that lies at `start` reads `key`, given that it is as long.
    pub(super) fn reads(&self, start: usize, key: &str) -> bool {
        self.bytes.get(start..start + key.len()).is_some_and(|known| same(known, key.as_bytes()))
    }

    /// Bytes of all texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u64>()
    }

    /// Bytes held once `n` keys more came, with what growing takes for a moment; their texts are the first to come.
    pub(super) fn bytes_ahead(&self, n: usize) -> usize {
        let growing = |free: usize| if free < n { 3 } else { 1 };
        let (ends, bytes) = (self.ends.capacity() - self.ends.len(), self.bytes.capacity() - self.bytes.len());
        self.bytes.capacity() * growing(bytes / 64) + self.ends.capacity() * size_of::<u64>() * growing(ends)
    }

    /// Bytes that the keys need, with a table to find them by; whatever room there is beside.
    pub(super) fn key_bytes(&self) -> usize {
        self.bytes.len() + self.len() * (size_of::<u64>() + 2 * size_of::<Entry>())
    }

    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Whether two texts of one length are the same. Most keys are short: two words each, and no call.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    let ends = || Some((a.first_chunk()?, a.last_chunk()?, b.first_chunk()?, b.last_chunk()?));
    match ends() {
        Some((a_first, a_last, b_first, b_last)) if a.len() <= 16 => {
            let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
            (word(a_first) ^ word(b_first)) | (word(a_last) ^ word(b_last)) == 0
        }
        Some(_) => a == b,
        None => a.iter().zip(b).all(|(a, b)| a == b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_length_are_told_apart_at_every_byte() {
        for len in 0..40 {
            let a: Vec<u8> = (0..len).collect();
            assert!(same(&a, &a.clone()));
            for at in 0..len as usize {
                let mut b = a.clone();
                b[at] ^= 0x80;
                assert!(!same(&a, &b), "{len} bytes, differing at {at}");
            }
        }
    }
}
