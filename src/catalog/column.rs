//! Attribute columns, one array each.

use std::fmt;
use std::sync::Arc;

use crate::ids::{IdMap, TooManyIds};

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

/// Values out of a dictionary, any number of them an item.
#[derive(Clone, Debug, Default)]
pub(crate) struct CodedColumn {
    pub(crate) dictionary: IdMap,
    /// Codes of row `r`: ascending, distinct; for a category the path's prefixes.
    pub(crate) rows: Vec<Box<[u32]>>,
}

impl CodedColumn {
    pub(crate) fn set(&mut self, row: usize, mut codes: Vec<u32>) {
        codes.sort_unstable();
        codes.dedup();
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Box::default);
        }
        self.rows[row] = codes.into();
    }

    pub(crate) fn intern(&mut self, values: &[&str]) -> Result<Vec<u32>, TooManyIds> {
        values.iter().map(|v| self.dictionary.intern(v)).collect()
    }

    pub(crate) fn codes(&self, row: usize) -> &[u32] {
        self.rows.get(row).map_or(&[], |codes| codes)
    }
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
