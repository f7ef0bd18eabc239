//! A file that is open: its bytes, checked, and what lies where in them.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::layout::{ALIGN, Table, Trailer, aligned, check_prelude};
use super::{Element, PersistError};
use crate::kernel::column::{Bytes, Column, Shared};

/// When the bytes of a file are compared with their checksums, and its numbers with what they number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// When it is opened: reads the whole file once.
    #[default]
    Now,
    /// When [`Container::verify`] is called, or never. For a file that was verified before, by this process or another:
    /// damage that nobody looked for gives wrong answers, and may give a panic.
    Later,
}

/// An open file of named values and columns. See the [module documentation](crate::persist) for its layout.
///
/// Cheap to clone; whatever was loaded from it shares its bytes and keeps them alive.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::persist::{Container, Verify};
/// use likewise::serve::Codecs;
/// use likewise::{Catalog, DatasetBuilder, Ranker, Snapshot};
/// let data = Arc::new(DatasetBuilder::default().finish()?);
/// let snapshot = Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(Ranker::builder().build()?))?;
/// let mut file = Vec::new();
/// snapshot.write_to(&mut file, &Codecs::default())?;
/// let open = Container::from_bytes(&file, Verify::Now)?;
/// assert!(open.sections().any(|section| section.name == "dataset/table/item"));
/// file[200] ^= 1;
/// assert!(Container::from_bytes(&file, Verify::Now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Container {
    inner: Arc<Inner>,
    verify: Verify,
}

struct Inner {
    bytes: Arc<Bytes>,
    table: Table,
    by_name: FxHashMap<String, usize>,
}

/// One column of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionInfo<'a> {
    /// Its name: a path, `dataset/table/item`.
    pub name: &'a str,
    /// What its numbers are: `u32`, `f32`, ...
    pub dtype: &'a str,
    /// How many, by dimension.
    pub shape: &'a [u64],
    /// Its bytes, as they are in the file.
    pub bytes: &'a [u8],
}

impl Container {
    /// Opens a copy of these bytes.
    ///
    /// # Errors
    /// [`PersistError`].
    pub fn from_bytes(bytes: &[u8], verify: Verify) -> Result<Self, PersistError> {
        Self::open(Bytes::copied(bytes), verify)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`PersistError`].
    pub fn read(path: impl AsRef<Path>, verify: Verify) -> Result<Self, PersistError> {
        let reading = || PersistError::io("read");
        let mut file = File::open(path).map_err(reading())?;
        let len = file.metadata().map_err(reading())?.len();
        let mut start = [0; ALIGN];
        let shown = usize::try_from(len).map_or(ALIGN, |len| len.min(ALIGN));
        file.read_exact(&mut start[..shown]).map_err(reading())?;
        check_prelude(&start[..shown])?; // before a foreign file's length decides what is allocated
        let len = usize::try_from(len).map_err(|_| PersistError::Length { expected: usize::MAX as u64, got: len })?;
        let mut bytes = Bytes::zeroed(len);
        bytes.fill()[..shown].copy_from_slice(&start[..shown]);
        file.read_exact(&mut bytes.fill()[shown..]).map_err(reading())?;
        Self::open(bytes, verify)
    }

    /// Maps a file: columns are served from it, and only the pages that are touched are read. Whoever cuts the file while it
    /// is mapped ends the process: replace files, never write into them, as [`Store`](super::Store) does.
    ///
    /// # Errors
    /// [`PersistError`].
    #[cfg(feature = "mmap")]
    #[cfg_attr(docsrs, doc(cfg(feature = "mmap")))]
    pub fn map(path: impl AsRef<Path>, verify: Verify) -> Result<Self, PersistError> {
        let file = File::open(path).map_err(PersistError::io("read"))?;
        Self::open(Bytes::map(&file).map_err(PersistError::io("mapped"))?, verify)
    }

    fn open(bytes: Bytes, verify: Verify) -> Result<Self, PersistError> {
        check_prelude(&bytes)?;
        let trailer = Trailer::decode(&bytes)?;
        let Trailer { table_at, table_len, table_xxh3, file_len } = trailer;
        let broken = |reason: &str| PersistError::unsound("the table", reason);
        let table_end = table_at.checked_add(table_len).ok_or_else(|| broken("is too long"))?;
        let end = aligned(table_end).and_then(|end| end.checked_add(ALIGN as u64));
        if table_at < ALIGN as u64 || table_at % ALIGN as u64 != 0 || end != Some(file_len) {
            return Err(broken("is not before the end"));
        }
        let text = &bytes[table_at as usize..table_end as usize];
        if xxh3_64(text) != table_xxh3 {
            return Err(PersistError::Damaged { part: "the table".into() });
        }
        zeros(&bytes[table_end as usize..file_len as usize - ALIGN], "the table")?;
        let table: Table = serde_json::from_slice(text).map_err(|e| broken(&format!("cannot be read: {e}")))?;
        let mut by_name = FxHashMap::default();
        let mut free = ALIGN as u64;
        for (place, section) in table.sections.iter().enumerate() {
            if aligned(free) != Some(section.at) {
                return Err(PersistError::unsound(&section.name, "is not where the one before ends"));
            }
            free = section.at.checked_add(section.bytes).filter(|&end| end <= table_at).unwrap_or(u64::MAX);
            if by_name.insert(section.name.clone(), place).is_some() {
                return Err(PersistError::unsound(&section.name, "is there twice"));
            }
        }
        if aligned(free) != Some(table_at) {
            return Err(broken("is not where the last section ends"));
        }
        let open = Self { inner: Arc::new(Inner { bytes: Arc::new(bytes), table, by_name }), verify };
        if verify == Verify::Now {
            open.verify()?;
        }
        Ok(open)
    }

    /// Compares every section with its checksum. `O(bytes)`.
    ///
    /// # Errors
    /// [`PersistError::Damaged`] names the first section that changed since it was written.
    pub fn verify(&self) -> Result<(), PersistError> {
        let Inner { bytes, table, .. } = &*self.inner;
        let mut free = ALIGN;
        for section in &table.sections {
            let (from, to) = (section.at as usize, (section.at + section.bytes) as usize);
            zeros(&bytes[free..from], &section.name)?;
            if xxh3_64(&bytes[from..to]) != section.xxh3 {
                return Err(PersistError::Damaged { part: section.name.clone() });
            }
            free = to;
        }
        let end = aligned(free as u64).map_or(free, |end| end as usize);
        zeros(&bytes[free..end], "the last section")
    }

    /// The columns, in the order of the file.
    pub fn sections(&self) -> impl ExactSizeIterator<Item = SectionInfo<'_>> {
        let Inner { bytes, table, .. } = &*self.inner;
        table.sections.iter().map(|section| SectionInfo {
            name: &section.name,
            dtype: &section.dtype,
            shape: &section.shape,
            bytes: &bytes[section.at as usize..(section.at + section.bytes) as usize],
        })
    }

    /// The small values with their names, as JSON, by name.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&str, String)> {
        self.inner.table.values.iter().map(|(name, value)| (name.as_str(), value.to_string()))
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.bytes.len()
    }

    /// Whether it holds no column.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.table.sections.is_empty()
    }

    /// Whether numbers that are used as indices are to be checked.
    pub(super) fn checks(&self) -> bool {
        self.verify == Verify::Now
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.inner.table.values.get(name)
    }

    /// A column and its shape.
    pub(super) fn column<T: Element>(&self, name: &str) -> Result<(Column<T>, &[u64]), PersistError> {
        let missing = || PersistError::Missing { part: name.to_owned() };
        let Inner { bytes, table, by_name } = &*self.inner;
        let section = by_name.get(name).and_then(|&place| table.sections.get(place)).ok_or_else(missing)?;
        if section.dtype != T::DTYPE {
            return Err(PersistError::unsound(name, format!("holds {}, not {}", section.dtype, T::DTYPE)));
        }
        let n = section.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
        if n.and_then(|n| n.checked_mul(size_of::<T>() as u64)) != Some(section.bytes) {
            return Err(PersistError::unsound(name, "is not as long as its shape says"));
        }
        let range: Range<usize> = section.at as usize..(section.at + section.bytes) as usize;
        let shared = Shared::<T>::new(bytes, range).ok_or_else(|| PersistError::unsound(name, "is not aligned"))?;
        let column = Column::from(shared);
        if cfg!(target_endian = "big") {
            return Ok((column.iter().map(|&number| number.swapped()).collect(), &section.shape));
        }
        Ok((column, &section.shape))
    }
}

fn zeros(bytes: &[u8], behind: &str) -> Result<(), PersistError> {
    if bytes.iter().all(|&b| b == 0) {
        return Ok(());
    }
    Err(PersistError::Damaged { part: format!("the gap beside {behind}") })
}

impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container")
            .field("bytes", &self.len())
            .field("sections", &self.inner.table.sections.len())
            .finish_non_exhaustive()
    }
}
