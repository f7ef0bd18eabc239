//! A column of plain numbers: the crate's own, or a piece of a file that is shared and not copied.
//!
//! What is `unsafe` here: borrowing from a buffer that is kept alive beside the borrow, saying that such a borrow may go to
//! other threads (a pointer says nothing of that), and asking the system for the map. What a shared column reads is
//! compared with a copy of it in the tests.
//!
//! A map is the one thing nobody can make sound alone: who writes into the file while it is mapped changes bytes under a
//! `&[u8]`, and who cuts it ends the process (SIGBUS) at the next touch of what is gone. What was checked when the file
//! was opened holds only as long as nobody does. The public way here, `Container::map`, says so.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use bytemuck::Pod;

use super::survey::{Survey, rises_within};

/// The bytes of a file, in memory or mapped. They never move and never change while this lives.
pub(crate) enum Bytes {
    /// Read: so many bytes of words, which are aligned for every number.
    Read(Vec<u64>, usize),
    /// Mapped.
    #[cfg(feature = "mmap")]
    Mapped(memmap2::Mmap),
}

impl Bytes {
    /// Room for `len` bytes, all zero; `None` when so much memory cannot be had.
    pub(crate) fn zeroed(len: usize) -> Option<Self> {
        // Only asked for: what the allocator hands out as zeros need not be written twice.
        Vec::<u64>::new().try_reserve_exact(len.div_ceil(8)).ok()?;
        Some(Self::Read(vec![0; len.div_ceil(8)], len))
    }

    /// A copy.
    pub(crate) fn copied(bytes: &[u8]) -> Self {
        let mut words = vec![0u64; bytes.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..bytes.len()].copy_from_slice(bytes);
        Self::Read(words, bytes.len())
    }

    /// How many of them are on the heap: none of a map.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Read(words, _) => words.capacity() * size_of::<u64>(),
            #[cfg(feature = "mmap")]
            Self::Mapped(_) => 0,
        }
    }

    /// The bytes, to be filled; none of a map.
    pub(crate) fn fill(&mut self) -> &mut [u8] {
        match self {
            Self::Read(words, len) => &mut bytemuck::cast_slice_mut(words)[..*len],
            #[cfg(feature = "mmap")]
            Self::Mapped(_) => &mut [],
        }
    }

    /// Maps a file.
    #[cfg(feature = "mmap")]
    #[allow(unsafe_code)]
    pub(crate) fn map(file: &std::fs::File) -> std::io::Result<Self> {
        // SAFETY: the map is private to reading. That nobody cuts or overwrites the file meanwhile is what `Store`
        // promises (files are replaced, never changed) and what the documentation of the caller asks of everybody else.
        unsafe { memmap2::Mmap::map(file) }.map(Self::Mapped)
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Read(words, len) => &bytemuck::cast_slice(words)[..*len],
            #[cfg(feature = "mmap")]
            Self::Mapped(map) => map,
        }
    }
}

/// Numbers that lie in a shared buffer.
pub(crate) struct Shared<T> {
    start: *const T,
    len: usize,
    /// What `start` points into.
    home: Arc<Bytes>,
    /// What was seen of the numbers when the file was verified.
    seen: Option<Survey>,
}

impl<T: Pod> Shared<T> {
    /// The numbers in a range of bytes; `None` when it is none of the buffer, not aligned, or no whole number of them.
    pub(crate) fn new(home: &Arc<Bytes>, range: Range<usize>) -> Option<Self> {
        let numbers: &[T] = bytemuck::try_cast_slice(home.get(range)?).ok()?;
        Some(Self { start: numbers.as_ptr(), len: numbers.len(), home: Arc::clone(home), seen: None })
    }

    /// With what was seen of all of these numbers, if somebody looked.
    pub(crate) fn seen(self, seen: Option<Survey>) -> Self {
        Self { seen, ..self }
    }

    #[inline]
    #[allow(unsafe_code)]
    fn numbers(&self) -> &[T] {
        // SAFETY: `start` and `len` are of a slice of `home`'s bytes that bytemuck cast in `new`; `home` lives as long as
        // `self`, its bytes are on the heap or in a map and do not move with it, and nobody has a way to change them: the
        // only door, `fill`, wants the buffer alone and not in an `Arc`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { start: self.start, len: self.len, home: Arc::clone(&self.home), seen: self.seen }
    }
}

// SAFETY: a `Shared` is an `Arc` of immutable bytes with a slice of plain numbers in them.
#[allow(unsafe_code)]
unsafe impl<T: Pod + Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Pod + Send + Sync> Sync for Shared<T> {}

/// Numbers, read as a slice: owned, or shared with the file they came from. Changing a shared column copies it first.
pub(crate) struct Column<T> {
    owned: Vec<T>,
    /// What is read instead, if there is.
    shared: Option<Shared<T>>,
}

impl<T: Pod> Column<T> {
    /// No numbers, room for some.
    pub(crate) fn with_capacity(n: usize) -> Self {
        Vec::with_capacity(n).into()
    }

    /// The numbers, to be changed.
    #[inline]
    pub(crate) fn own(&mut self) -> &mut Vec<T> {
        if let Some(shared) = self.shared.take() {
            self.owned = shared.numbers().to_vec();
        }
        &mut self.owned
    }

    #[inline]
    pub(crate) fn push(&mut self, number: T) {
        self.own().push(number);
    }

    /// What all numbers are like, if they are bytes or 32 bits wide. Nothing is read of a column that was surveyed with its
    /// file.
    fn survey(&self) -> Option<Survey> {
        let seen = self.shared.as_ref().and_then(|shared| shared.seen);
        seen.or_else(|| Survey::of(self))
    }

    /// Whether every number, of a byte or 32 bits, is below `n`: an index into something of `n`.
    pub(crate) fn is_below(&self, n: usize) -> bool {
        self.survey().is_some_and(|survey| survey.is_below(n))
    }

    /// Gives back what growing reserved in vain.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.owned.shrink_to_fit();
    }

    /// Numbers there is room for on the heap: none of a shared column, whose bytes are the file's.
    pub(crate) fn capacity(&self) -> usize {
        self.owned.capacity()
    }
}

impl Column<u32> {
    /// Whether each piece that `offsets`, ascending, cut out of the numbers rises strictly.
    pub(crate) fn rises_within(&self, offsets: &[u64]) -> bool {
        self.survey().is_some_and(|survey| rises_within(self, &survey, offsets))
    }
}

impl<T: Pod> Deref for Column<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        match &self.shared {
            None => &self.owned,
            Some(shared) => shared.numbers(),
        }
    }
}

impl<T: Clone> Clone for Column<T> {
    fn clone(&self) -> Self {
        Self { owned: self.owned.clone(), shared: self.shared.clone() }
    }
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self { owned: Vec::new(), shared: None }
    }
}

impl<T> From<Vec<T>> for Column<T> {
    fn from(owned: Vec<T>) -> Self {
        Self { owned, shared: None }
    }
}

impl<T> From<Shared<T>> for Column<T> {
    fn from(shared: Shared<T>) -> Self {
        Self { owned: Vec::new(), shared: Some(shared) }
    }
}

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        Vec::from_iter(numbers).into()
    }
}

impl<'a, T: Pod> IntoIterator for &'a Column<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Pod + PartialEq> PartialEq for Column<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Pod + Eq> Eq for Column<T> {}

impl<T: Pod + fmt::Debug> fmt::Debug for Column<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_column_reads_what_a_copy_reads() {
        let numbers: Vec<u32> = (0..100).map(|i| i * 0x0101_0101).collect();
        let home = Arc::new(Bytes::copied(bytemuck::cast_slice(&numbers)));
        for (from, to) in [(0, 400), (4, 40), (400, 400), (8, 12)] {
            let shared = Column::from(Shared::<u32>::new(&home, from..to).unwrap());
            assert_eq!(*shared, numbers[from / 4..to / 4]);
        }
        for (from, to) in [(2, 6), (0, 3), (0, 404), (404, 404)] {
            assert!(Shared::<u32>::new(&home, from..to).is_none(), "{from}..{to}");
        }
        let mut column = Column::from(Shared::<u32>::new(&home, 0..8).unwrap());
        drop(home);
        let before = column.clone();
        column.push(7);
        assert_eq!(*before, [0, 0x0101_0101]);
        assert_eq!(*column, [0, 0x0101_0101, 7]);
        let elsewhere = std::thread::spawn(move || before.iter().sum::<u32>());
        assert_eq!(elsewhere.join().unwrap(), 0x0101_0101);
    }
}
