//! Vectors of the shop's own, by item id.

use xxhash_rust::xxh3::Xxh3;

use crate::ids::{IdMap, TooManyIds};

/// Why a vector was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// No vector has that many numbers.
    #[error("vectors of {dim} numbers; expected 1 to {}", Vectors::MAX_DIM)]
    Dimension {
        /// How many were asked for.
        dim: usize,
    },
    /// A vector of another length.
    #[error(
        "the vector of item `{item}` has {got} numbers, the others have {expected}; give every item the same model's"
    )]
    Length {
        /// The item.
        item: String,
        /// How many numbers it should have.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A number that is none, or an infinite one.
    #[error("number {place} of the vector of item `{item}` is {got}; leave the item out if it has no vector")]
    NotFinite {
        /// The item.
        item: String,
        /// Which number, from 0.
        place: usize,
        /// What it is.
        got: f32,
    },
    /// Two vectors for one item.
    #[error("item `{item}` has a vector already")]
    Twice {
        /// The item.
        item: String,
    },
    /// More items than numbers for them.
    #[error(transparent)]
    TooMany(#[from] TooManyIds),
}

/// One vector an item, all of one length, scaled to unit length: `4 x numbers` bytes each.
///
/// # Example
/// ```
/// use likewise::{VectorError, Vectors};
/// let mut vectors = Vectors::new(2)?;
/// vectors.push("mug", &[3.0, 4.0])?;
/// let error = vectors.push("tea", &[1.0]).unwrap_err();
/// assert_eq!(error, VectorError::Length { item: "tea".to_owned(), expected: 2, got: 1 });
/// assert_eq!(vectors.get("mug"), Some(&[0.6, 0.8][..]));
/// # Ok::<(), VectorError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vectors {
    dim: usize,
    keys: IdMap,
    flat: Vec<f32>,
}

impl Vectors {
    /// The most numbers a vector may have.
    pub const MAX_DIM: usize = 1 << 16;

    /// No vectors yet, of `dim` numbers each.
    ///
    /// # Errors
    /// [`VectorError::Dimension`] for 0 or more than [`MAX_DIM`](Self::MAX_DIM).
    pub fn new(dim: usize) -> Result<Self, VectorError> {
        if !(1..=Self::MAX_DIM).contains(&dim) {
            return Err(VectorError::Dimension { dim });
        }
        Ok(Self { dim, keys: IdMap::default(), flat: Vec::new() })
    }

    /// Takes the vector of an item. One of zeros is taken, and says nothing.
    ///
    /// # Errors
    /// Any [`VectorError`] but `Dimension`; nothing was taken then.
    pub fn push(&mut self, item: &str, vector: &[f32]) -> Result<(), VectorError> {
        let name = || item.to_owned();
        if vector.len() != self.dim {
            return Err(VectorError::Length { item: name(), expected: self.dim, got: vector.len() });
        }
        if let Some(place) = vector.iter().position(|v| !v.is_finite()) {
            return Err(VectorError::NotFinite { item: name(), place, got: vector[place] });
        }
        if self.keys.get(item).is_some() {
            return Err(VectorError::Twice { item: name() });
        }
        self.keys.intern(item)?;
        // In double precision, so that the squares of the largest numbers are finite.
        let length = vector.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        self.flat.extend(vector.iter().map(|&v| (f64::from(v) * scale) as f32));
        Ok(())
    }

    /// Numbers a vector.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// How many items have a vector.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The vector of an item, at unit length.
    #[must_use]
    pub fn get(&self, item: &str) -> Option<&[f32]> {
        self.row(item).map(|row| self.of(row))
    }

    pub(super) fn row(&self, item: &str) -> Option<usize> {
        self.keys.get(item).map(|row| row as usize)
    }

    pub(super) fn key(&self, row: usize) -> &str {
        self.keys.key(row as u32).unwrap_or_default()
    }

    pub(super) fn of(&self, row: usize) -> &[f32] {
        &self.flat[row * self.dim..(row + 1) * self.dim]
    }

    /// The same for the same vectors of the same items in the same order, on every machine.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(&(self.dim as u64).to_le_bytes());
        for key in self.keys.iter() {
            hash.update(key.as_bytes());
            hash.update(&[0xff]); // in no UTF-8 text
        }
        self.flat.iter().for_each(|number| hash.update(&number.to_bits().to_le_bytes()));
        hash.digest()
    }

    pub(super) fn flat(&self) -> &[f32] {
        &self.flat
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.flat.capacity() * size_of::<f32>() + self.keys.heap_bytes()
    }
}

crate::persist::portable!(Vectors { dim, keys, flat }
    "vectors that are not one a key" => |v| v.keys.len().checked_mul(v.dim) == Some(v.flat.len()));
