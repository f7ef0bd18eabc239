//! What can go wrong with a source of text as a whole.

use std::io;
use std::path::PathBuf;

use crate::params::ParamError;

/// Why a text source could not be opened, understood or read on. One bad line is never one of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened.
    #[error("{} cannot be opened: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A `.gz` file, in a build that cannot read one.
    #[error("{} is compressed; build with the feature `gzip`, or decompress it first", path.display())]
    GzipNotEnabled {
        /// The file.
        path: PathBuf,
    },
    /// The mapping or the dialect is not valid.
    #[error(transparent)]
    Mapping(#[from] ParamError),
    /// The header has no column of this name.
    #[error("there is no column {column:?}{}; the header has {}", suggestion(nearest.as_deref()), available.join(", "))]
    MissingColumn {
        /// The column the mapping names.
        column: String,
        /// The columns there are.
        available: Vec<String>,
        /// The one that looks most like it, if any does.
        nearest: Option<String>,
    },
    /// Compressed data ends in the middle. Events before that point were offered.
    #[error("compressed data ends too early, after line {line}; fetch the file again")]
    Truncated {
        /// The last line that was begun.
        line: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The source cannot be read on (a failing disk or connection, damaged compressed data).
    #[error("reading failed after line {line}: {source}")]
    Read {
        /// The last line that was begun.
        line: u64,
        /// What the reader said.
        source: io::Error,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

impl SourceError {
    /// A failed read. Plain text never ends "unexpectedly": only something with an end mark of its own does.
    pub(crate) fn read(line: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated { line, source },
            _ => Self::Read { line, source },
        }
    }

    #[cfg_attr(not(feature = "csv"), expect(dead_code, reason = "only delimited text has a header"))]
    pub(crate) fn missing_column<'a>(column: &str, available: impl Iterator<Item = &'a str>) -> Self {
        let available: Vec<String> = available.map(str::to_owned).collect();
        let nearest = available
            .iter()
            .map(|name| (edits(&column.to_lowercase(), &name.to_lowercase()), name))
            .min_by_key(|&(edits, _)| edits)
            .filter(|&(edits, _)| edits <= column.chars().count().div_ceil(3))
            .map(|(_, name)| name.clone());
        Self::MissingColumn { column: column.to_owned(), available, nearest }
    }
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements from one text to the other.
pub(crate) fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", "abc"), 0);
    }
}
