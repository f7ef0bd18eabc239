//! What can go wrong with a log.

use std::path::PathBuf;

/// Why a log could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A merge would make an identity belong to itself.
    #[error(
        "merging {from:?} into {into:?} would make a circle: {into:?} belongs to {from:?} already; unmerge that first"
    )]
    Cycle {
        /// The identity to be merged.
        from: String,
        /// The account.
        into: String,
    },
    /// The identity belongs to another account.
    #[error("{from:?} belongs to another account already; unmerge it first")]
    MergedElsewhere {
        /// The identity to be merged.
        from: String,
    },
    /// There is no such merge to take back.
    #[error("{from:?} was not merged into any account; there is nothing to take back")]
    NotMerged {
        /// The identity.
        from: String,
    },
    /// An identity is empty or too long.
    #[error("{field} must be 1 to {} bytes long, not {got}", crate::MAX_ID_BYTES)]
    BadId {
        /// What it identifies.
        field: &'static str,
        /// Its length in bytes.
        got: usize,
    },
    /// The file could not be opened or made.
    #[error("{}: cannot be opened as an event log: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What was said.
        reason: String,
    },
    /// The file belongs to another program.
    #[error("{}: is a database of another program (application id {found:#x}); name another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The id it carries.
        found: i32,
    },
    /// The file was written by a later version.
    #[error("{}: has schema version {found}, this version of the library reads up to {supported}; update the library", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The latest one that is understood.
        supported: i32,
    },
    /// Another process held the log for too long.
    #[error("another process is writing to the log; try again")]
    Busy,
    /// The log may only be read.
    #[error("the log may only be read")]
    ReadOnly,
    /// The disk is full.
    #[error("the disk is full; nothing of the batch was kept")]
    Full,
    /// The erasure is done and no scan shows what was erased, but somebody was reading all the time: the journal could not
    /// be emptied, and old bytes may still be in it until they are done.
    #[error("erased, but readers keep the journal from being emptied: call `compact` when they are done")]
    NotScrubbed {
        /// What was taken away; nothing by [`compact`](super::EventLog::compact) itself.
        erasure: Box<super::Erasure>,
    },
    /// What is in the file makes no sense.
    #[error("the log is damaged: {reason}; restore it from a copy")]
    Damaged {
        /// What was found.
        reason: String,
    },
    /// Reading or writing failed otherwise.
    #[error("the log could not be {action}: {reason}")]
    Io {
        /// `read` or `written`.
        action: &'static str,
        /// What was said.
        reason: String,
    },
}
