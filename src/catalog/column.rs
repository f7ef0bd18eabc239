//! Attribute columns, one array each.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::ids::{IdMap, TooManyIds};
use crate::persist::{Loader, PersistError, Portable, Saver, portable_value};

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttributeKind {
    /// A path such as `Home > Kitchen > Mugs`; the item belongs to every prefix of it.
    Category,
    /// One or more values out of a set: brand, tags, country.
    Tags,
    /// Running text: a title, a description.
    Text,
    /// A number.
    Number,
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Category => "category",
            Self::Tags => "tags",
            Self::Text => "text",
            Self::Number => "number",
        })
    }
}

/// A value of a column that may be without one; rows beyond a column's end are without.
pub(crate) trait Cell: Clone {
    fn none() -> Self;
    fn same(&self, other: &Self) -> bool;
}

/// A number; NaN for none.
impl Cell for f64 {
    fn none() -> Self {
        Self::NAN
    }
    fn same(&self, other: &Self) -> bool {
        self == other || self.is_nan() && other.is_nan()
    }
}

/// Units in stock; `u32::MAX` for none.
impl Cell for u32 {
    fn none() -> Self {
        Self::MAX
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Release and expiry; the limits for none.
impl Cell for (i64, i64) {
    fn none() -> Self {
        (i64::MIN, i64::MAX)
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// A mark.
impl Cell for bool {
    fn none() -> Self {
        false
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// A text; empty for none.
impl Cell for Box<str> {
    fn none() -> Self {
        Self::default()
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
}

/// Writes a value, copying a shared column only when that changes it; whether it did.
pub(crate) fn put<T: Cell>(column: &mut Arc<Vec<T>>, row: usize, value: T) -> bool {
    if column.get(row).unwrap_or(&T::none()).same(&value) {
        return false;
    }
    let column = Arc::make_mut(column);
    if column.len() <= row {
        column.resize(row + 1, T::none());
    }
    column[row] = value;
    true
}

/// Values out of a dictionary, any number of them an item: for a category the prefixes of its paths.
///
/// Items with the same values share one list of codes, so that a copy is a few flat arrays and the lists of the few
/// hundred categories a shop has stay in cache. 4 bytes an item, beside the distinct lists. A list no item uses any more
/// stays until the catalogue is built anew.
#[derive(Clone, Debug)]
pub(crate) struct CodedColumn {
    pub(crate) dictionary: IdMap,
    /// Which list each row has; 0 is the empty one.
    rows: Vec<u32>,
    /// List `l` is `codes[ends[l - 1]..ends[l]]`: ascending, distinct.
    ends: Vec<usize>,
    codes: Vec<u32>,
    by_content: HashTable<u32>,
}

impl Default for CodedColumn {
    fn default() -> Self {
        Self {
            dictionary: IdMap::default(),
            rows: Vec::new(),
            ends: vec![0],
            codes: Vec::new(),
            by_content: HashTable::new(),
        }
    }
}

impl CodedColumn {
    /// The codes of a row, ascending, distinct.
    #[inline]
    pub(crate) fn codes(&self, row: usize) -> &[u32] {
        self.rows.get(row).map_or(&[], |&list| list_of(&self.ends, &self.codes, list))
    }

    /// Whether a row has just these values.
    pub(crate) fn holds(&self, row: usize, values: &[String]) -> bool {
        let codes = self.codes(row);
        let code = |value: &String| self.dictionary.get(value).filter(|code| codes.binary_search(code).is_ok());
        let all_there = values.iter().all(|value| code(value).is_some());
        all_there && codes.iter().all(|&c| values.iter().any(|value| self.dictionary.key(c) == Some(value.as_str())))
    }

    /// Gives a row its values, numbering those that are new.
    pub(crate) fn set<'v>(&mut self, row: usize, values: impl IntoIterator<Item = &'v str>) -> Result<(), TooManyIds> {
        let mut codes = values.into_iter().map(|v| self.dictionary.intern(v)).collect::<Result<Vec<_>, _>>()?;
        codes.sort_unstable();
        codes.dedup();
        let list = self.list(&codes);
        if self.rows.len() <= row {
            self.rows.resize(row + 1, 0);
        }
        self.rows[row] = list;
        Ok(())
    }

    /// The number of a list, kept once. There are never more lists than rows written, so `u32` holds them.
    fn list(&mut self, wanted: &[u32]) -> u32 {
        if wanted.is_empty() {
            return 0;
        }
        let Self { ends, codes, by_content, .. } = self;
        let hash = FxBuildHasher.hash_one(wanted);
        if let Some(&list) = by_content.find(hash, |&list| list_of(ends, codes, list) == wanted) {
            return list;
        }
        let list = ends.len() as u32;
        codes.extend_from_slice(wanted);
        ends.push(codes.len());
        by_content.insert_unique(hash, list, |&list| FxBuildHasher.hash_one(list_of(ends, codes, list)));
        list
    }

    fn shrink(&mut self) {
        self.dictionary.shrink();
        self.rows.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.codes.shrink_to_fit();
    }

    fn heap_bytes(&self) -> usize {
        self.dictionary.heap_bytes()
            + self.by_content.allocation_size()
            + self.rows.capacity() * size_of::<u32>()
            + self.ends.capacity() * size_of::<usize>()
            + self.codes.capacity() * size_of::<u32>()
    }
}

impl Portable for CodedColumn {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.part("dictionary", &self.dictionary)?;
        out.part("rows", &self.rows)?;
        out.part("ends", &self.ends)?;
        out.part("codes", &self.codes)
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        let (rows, ends): (Vec<u32>, Vec<usize>) = (from.part("rows")?, from.part("ends")?);
        let (dictionary, codes): (IdMap, Vec<u32>) = (from.part("dictionary")?, from.part("codes")?);
        let cut = ends.first() == Some(&0) && ends.is_sorted() && ends.last() == Some(&codes.len());
        let within = rows.iter().all(|&list| (list as usize) < ends.len())
            && codes.iter().all(|&code| (code as usize) < dictionary.len());
        if !cut || !within {
            return Err(from.unsound("has lists that are not cut out of its codes"));
        }
        let mut by_content = HashTable::with_capacity(ends.len());
        for list in 1..ends.len() as u32 {
            let hash = FxBuildHasher.hash_one(list_of(&ends, &codes, list));
            by_content.insert_unique(hash, list, |&list| FxBuildHasher.hash_one(list_of(&ends, &codes, list)));
        }
        Ok(Self { dictionary, rows, ends, codes, by_content })
    }
}

portable_value!(AttributeKind);

impl Portable for Column {
    fn save(&self, out: &mut Saver<'_>) -> Result<(), PersistError> {
        out.part("kind", &self.kind())?;
        match self {
            Self::Coded(_, column) => out.part("column", column),
            Self::Text(column) => out.part("column", column),
            Self::Number(column) => out.part("column", column),
        }
    }

    fn load(from: &Loader<'_>) -> Result<Self, PersistError> {
        Ok(match from.part("kind")? {
            kind @ (AttributeKind::Category | AttributeKind::Tags) => Self::Coded(kind, from.part("column")?),
            AttributeKind::Text => Self::Text(from.part("column")?),
            AttributeKind::Number => Self::Number(from.part("column")?),
        })
    }
}

fn list_of<'c>(ends: &[usize], codes: &'c [u32], list: u32) -> &'c [u32] {
    let list = list as usize;
    let from = if list == 0 { 0 } else { ends[list - 1] };
    &codes[from..ends[list]]
}

/// One attribute. Cheap to clone: an update copies only the column it changes.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Coded(AttributeKind, Arc<CodedColumn>),
    Text(Arc<Vec<Box<str>>>),
    /// NaN for none.
    Number(Arc<Vec<f64>>),
}

impl Column {
    pub(crate) fn new(kind: AttributeKind) -> Self {
        match kind {
            AttributeKind::Category | AttributeKind::Tags => Self::Coded(kind, Arc::default()),
            AttributeKind::Text => Self::Text(Arc::default()),
            AttributeKind::Number => Self::Number(Arc::default()),
        }
    }

    pub(crate) const fn kind(&self) -> AttributeKind {
        match self {
            Self::Coded(kind, _) => *kind,
            Self::Text(_) => AttributeKind::Text,
            Self::Number(_) => AttributeKind::Number,
        }
    }

    /// Gives back what growing reserved in vain; a shared column stays as it is.
    pub(crate) fn shrink(&mut self) {
        match self {
            Self::Coded(_, column) => Arc::get_mut(column).into_iter().for_each(CodedColumn::shrink),
            Self::Text(column) => Arc::get_mut(column).into_iter().for_each(Vec::shrink_to_fit),
            Self::Number(column) => Arc::get_mut(column).into_iter().for_each(Vec::shrink_to_fit),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Coded(_, column) => column.heap_bytes(),
            Self::Text(column) => {
                column.capacity() * size_of::<Box<str>>() + column.iter().map(|text| text.len()).sum::<usize>()
            }
            Self::Number(column) => column.capacity() * size_of::<f64>(),
        }
    }

    /// Whether a row has any value.
    pub(crate) fn has(&self, row: usize) -> bool {
        match self {
            Self::Coded(_, column) => !column.codes(row).is_empty(),
            Self::Text(column) => column.get(row).is_some_and(|text| !text.is_empty()),
            Self::Number(column) => column.get(row).is_some_and(|number| !number.is_nan()),
        }
    }
}

/// The separator of category paths.
pub(crate) const PATH_SEPARATOR: char = '>';

/// The levels of a category path; empty ones are left out.
fn levels(path: &str) -> impl Iterator<Item = &str> {
    path.split(PATH_SEPARATOR).map(str::trim).filter(|level| !level.is_empty())
}

/// Writes the canonical spelling `a > b > c` of a category path over `out`, and calls `prefix` after each level.
fn spell(path: &str, out: &mut String, mut prefix: impl FnMut(&str)) {
    out.clear();
    for level in levels(path) {
        if !out.is_empty() {
            out.push_str(" > ");
        }
        out.push_str(level);
        prefix(out);
    }
}

/// Writes the canonical spelling `a > b > c` of a category path over `out`.
pub(crate) fn canonical_path(path: &str, out: &mut String) {
    spell(path, out, |_| ());
}

/// The prefixes of a category path, shortest first, in the canonical spelling.
pub(crate) fn path_prefixes(path: &str) -> Vec<String> {
    let mut prefixes = Vec::new();
    spell(path, &mut String::new(), |prefix| prefixes.push(prefix.to_owned()));
    prefixes
}
