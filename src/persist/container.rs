//! A file that is open: its bytes, checked, and what lies where in them.
//!
//! Verifying reads every byte once, a block at a time: its checksum, and while the block is in the cache what index checks will
//! ask of it (the largest number, how often it does not rise). 2026-11-23, 1.40 GiB by map (20 million events, 1.6 million shopper
//! rows), `cargo bench --bench persist -- --open`, optimised without link-time optimisation, the first round (file not all in
//! memory) left out: with checks in passes of their own, comparing number by number and looking each key up, machine alone, 484
//! to 501 ms, of which checksums 63 to 64; like this, with both cores also compiling, 164 to 181 ms, of which checksums 133 to
//! 140 and opening without a look 9 to 12. Not measured on a quiet machine yet.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;
use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::layout::{ALIGN, Section, Table, Trailer, aligned, check_prelude};
use super::{Element, PersistError};
use crate::kernel::column::{Bytes, Column, Shared};
use crate::kernel::survey::Survey;

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

/// What a file's bytes take on the heap, as long as something that was loaded from it shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resident(Weak<Bytes>);

impl Resident {
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.upgrade().map_or(0, |bytes| bytes.heap_bytes())
    }
}

struct Inner {
    bytes: Arc<Bytes>,
    table: Table,
    by_name: FxHashMap<String, usize>,
    /// What was seen of the sections of small whole numbers while their checksums were taken; none unless verified.
    seen: Vec<Option<Survey>>,
}

/// Bytes that stay in the cache between their checksum and their survey.
const BLOCK: usize = 1 << 16;

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
    /// Its bytes, to be asked for their size later.
    pub(crate) fn resident(&self) -> Resident {
        Resident(Arc::downgrade(&self.inner.bytes))
    }

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
        // Before a foreign, cut or overwritten file's length decides what is allocated: both ends must be as they were written,
        // and the end say how long the file is.
        let mut ends = [0; ALIGN];
        let shown = usize::try_from(len).map_or(ALIGN, |len| len.min(ALIGN));
        file.read_exact(&mut ends[..shown]).map_err(reading())?;
        check_prelude(&ends[..shown])?;
        file.seek(SeekFrom::Start(len.saturating_sub(ALIGN as u64))).map_err(reading())?;
        file.read_exact(&mut ends).map_err(reading())?;
        Trailer::decode(&ends, len)?;
        let bytes = usize::try_from(len).ok().and_then(Bytes::zeroed).ok_or(PersistError::Memory { needed: len });
        let mut bytes = bytes?;
        file.rewind().map_err(reading())?;
        file.read_exact(bytes.fill()).map_err(reading())?;
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
        let trailer = Trailer::decode(&bytes, bytes.len() as u64)?;
        let Trailer { table_at, table_xxh3, file_len, .. } = trailer;
        let broken = |reason: &str| PersistError::unsound("the table", reason);
        let table_end = trailer.table_end().ok_or_else(|| broken("is too long"))?;
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
        let mut inner = Inner { bytes: Arc::new(bytes), table, by_name, seen: Vec::new() };
        if verify == Verify::Now {
            inner.seen = inner.verify(surveyed)?;
        }
        Ok(Self { inner: Arc::new(inner), verify })
    }

    /// Compares every section with its checksum. `O(bytes)`.
    ///
    /// # Errors
    /// [`PersistError::Damaged`] names the first section that changed since it was written.
    pub fn verify(&self) -> Result<(), PersistError> {
        self.inner.verify(|_, bytes| (xxh3_64(bytes), None)).map(drop)
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

    /// Whether there is a value or a column of this name or below it.
    pub(super) fn has(&self, name: &str) -> bool {
        let Inner { table, by_name, .. } = &*self.inner;
        let below = format!("{name}/");
        table.values.contains_key(name)
            || by_name.contains_key(name)
            || table.values.range(below.clone()..).next().is_some_and(|(found, _)| found.starts_with(&below))
            || table.sections.iter().any(|section| section.name.starts_with(&below))
    }

    /// A column and its shape.
    pub(super) fn column<T: Element>(&self, name: &str) -> Result<(Column<T>, &[u64]), PersistError> {
        let missing = || PersistError::Missing { part: name.to_owned() };
        let Inner { bytes, table, by_name, seen } = &*self.inner;
        let place = by_name.get(name).copied().ok_or_else(missing)?;
        let section = table.sections.get(place).ok_or_else(missing)?;
        if section.dtype != T::DTYPE {
            return Err(PersistError::unsound(name, format!("holds {}, not {}", section.dtype, T::DTYPE)));
        }
        let n = section.shape.iter().try_fold(1u64, |n, &d| n.checked_mul(d));
        if n.and_then(|n| n.checked_mul(size_of::<T>() as u64)) != Some(section.bytes) {
            return Err(PersistError::unsound(name, "is not as long as its shape says"));
        }
        let range: Range<usize> = section.at as usize..(section.at + section.bytes) as usize;
        let shared = Shared::<T>::new(bytes, range).ok_or_else(|| PersistError::unsound(name, "is not aligned"))?;
        let column = Column::from(shared.seen(seen.get(place).copied().flatten()));
        if cfg!(target_endian = "big") {
            return Ok((column.iter().map(|&number| number.swapped()).collect(), &section.shape));
        }
        Ok((column, &section.shape))
    }
}

impl Inner {
    /// Compares every section with its checksum, which `sum` takes; what else `sum` saw of each.
    fn verify(
        &self,
        sum: impl Fn(&Section, &[u8]) -> (u64, Option<Survey>),
    ) -> Result<Vec<Option<Survey>>, PersistError> {
        let Self { bytes, table, .. } = self;
        let mut free = ALIGN;
        let mut seen = Vec::with_capacity(table.sections.len());
        for section in &table.sections {
            let (from, to) = (section.at as usize, (section.at + section.bytes) as usize);
            zeros(&bytes[free..from], &section.name)?;
            let (sum, survey) = sum(section, &bytes[from..to]);
            if sum != section.xxh3 {
                return Err(PersistError::Damaged { part: section.name.clone() });
            }
            seen.push(survey);
            free = to;
        }
        let end = aligned(free as u64).map_or(free, |end| end as usize);
        zeros(&bytes[free..end], "the last section")?;
        Ok(seen)
    }
}

/// The checksum of a section and, of small whole numbers, their survey, block by block: the bytes come from memory once.
fn surveyed(section: &Section, bytes: &[u8]) -> (u64, Option<Survey>) {
    let wide = match section.dtype.as_str() {
        u8::DTYPE => false,
        u32::DTYPE if cfg!(target_endian = "little") => true,
        _ => return (xxh3_64(bytes), None),
    };
    let (mut sum, mut survey) = (Xxh3::new(), Some(Survey::default()));
    for block in bytes.chunks(BLOCK) {
        sum.update(block);
        let words = if wide { bytemuck::try_cast_slice(block).ok() } else { None };
        match (&mut survey, words) {
            (Some(survey), Some(words)) => survey.words(words),
            (Some(survey), None) if !wide => survey.bytes(block),
            _ => survey = None, // no whole number of numbers: to be refused when somebody asks for it
        }
    }
    (sum.digest(), survey)
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
