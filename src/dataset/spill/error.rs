//! What can go wrong when events go through files.

use std::io;
use std::path::{Path, PathBuf};

use crate::budget::MemoryBudget;
use crate::dataset::{DatasetError, IngestError, IngestReport};
use crate::run::Cancelled;

/// Why events could not be spilled, or no dataset be made of them within the budget.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillError {
    /// No files can be made in the folder.
    #[error("no files can be made in {}: {source}; name a folder that exists and may be written to", folder.display())]
    Folder {
        /// The folder that was named.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The disk, or what the user may take of it, is full.
    #[error("there is no room left for {}: {source}; free some (about 75 bytes an event) or name another folder", path.display())]
    Full {
        /// The file that could not grow.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file could not be written.
    #[error("{} could not be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file could not be read again.
    #[error("{} could not be read again: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is shorter than what was written into it.
    #[error("{} ends before the {expected} bytes that were written into it; nobody else may touch the folder", path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// Bytes that were written.
        expected: u64,
    },
    /// What cannot be spilled, the ids of shoppers, items and events and what was searched for, takes too much.
    #[error("ids and searches alone take {held} bytes, more than half of the budget of {budget}; allow more")]
    Ids {
        /// Bytes they take.
        held: u64,
        /// Bytes allowed.
        budget: MemoryBudget,
    },
    /// The events of one shopper, which are looked at together, do not fit.
    #[error(
        "the {events} events of one shopper take {needed} bytes, more than the budget of {budget} leaves; allow more, or leave out who is no person"
    )]
    Shopper {
        /// How many there are.
        events: u64,
        /// Bytes they take with all that is held beside them.
        needed: u64,
        /// Bytes allowed.
        budget: MemoryBudget,
    },
    /// The finished dataset does not fit. Nothing of it was allocated.
    #[error(
        "the dataset of {events} events takes at least {needed} bytes and the budget is {budget}; allow more, or split the data by time or by shop"
    )]
    Dataset {
        /// Events it would have, at most.
        events: u64,
        /// Bytes it takes, with the ids: exact once all rows were written, at least that before.
        needed: u64,
        /// Bytes allowed.
        budget: MemoryBudget,
    },
    /// More events than one dataset holds.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl SpillError {
    pub(super) fn folder(folder: &Path, source: io::Error) -> Self {
        Self::Folder { folder: folder.to_owned(), source }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { path, source }
            }
            _ => Self::Write { path, source },
        }
    }

    pub(super) fn read(path: &Path, expected: u64, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Short { path, expected },
            _ => Self::Read { path, source },
        }
    }
}

/// Why an ingest that spills ended early. What was accepted until then is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpillIngestError<E: std::error::Error + 'static> {
    /// For a reason that has nothing to do with files.
    #[error(transparent)]
    Ingest(#[from] IngestError<E>),
    /// Events could not be spilled, or what is never spilled takes too much.
    #[error("after {} records: {source}", report.offered)]
    Spill {
        /// Why.
        #[source]
        source: SpillError,
        /// What had been taken until then.
        report: Box<IngestReport>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_becomes_a_typed_error() {
        let path = Path::new("/spill/run-3");
        let full = |kind: io::ErrorKind| SpillError::write(path, kind.into());
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
            let error = full(kind);
            assert!(matches!(&error, SpillError::Full { path: at, .. } if at == path), "{error}");
            assert!(error.to_string().contains("/spill/run-3") && error.to_string().contains("free some"), "{error}");
        }
        assert!(matches!(full(io::ErrorKind::PermissionDenied), SpillError::Write { .. }));
        let short = SpillError::read(path, 34, io::ErrorKind::UnexpectedEof.into());
        assert!(matches!(short, SpillError::Short { expected: 34, .. }));
        assert!(matches!(SpillError::read(path, 1, io::ErrorKind::Other.into()), SpillError::Read { .. }));
    }
}
