//! Why nothing was written or opened.

use std::io;

/// Why a file was not written or not opened. Nothing half-read is ever returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PersistError {
    /// The system could not read or write.
    #[error("the snapshot could not be {doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is some other file.
    #[error("this is no likewise snapshot; check the path")]
    Foreign,
    /// A later version of the crate wrote it.
    #[error("the snapshot is of format {found}, this version reads up to {known}; update the crate or fit anew")]
    Newer {
        /// The file's format.
        found: u32,
        /// The latest format that is read.
        known: u32,
    },
    /// It ends too early, or goes on too long.
    #[error(
        "the snapshot has {got} bytes and should have {expected}; it was cut or written over: use the generation before"
    )]
    Length {
        /// Bytes it should have, as far as it says.
        expected: u64,
        /// Bytes it has.
        got: u64,
    },
    /// There is not so much memory.
    #[error("the snapshot has {needed} bytes, which cannot be had; open it by memory map, or serve smaller models")]
    Memory {
        /// Bytes of the file.
        needed: u64,
    },
    /// Bytes changed since they were written.
    #[error("{part} of the snapshot was damaged since it was written; use the generation before")]
    Damaged {
        /// Which part.
        part: String,
    },
    /// The bytes are as written, but make no sense.
    #[error("{part} of the snapshot {reason}; it was not written by this crate, or by one with a bug")]
    Unsound {
        /// Which part.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A part is not there.
    #[error("the snapshot has no {part}; it holds something else, or an older version wrote less")]
    Missing {
        /// Which part.
        part: String,
    },
    /// A scorer in the file is of a kind nobody registered.
    #[error(
        "the snapshot holds a scorer {scorer:?} of codec {codec:?}; register it: Codecs::default().with::<Its type>()"
    )]
    UnknownCodec {
        /// The scorer's name.
        scorer: String,
        /// The codec to register.
        codec: String,
    },
    /// A scorer that is to be written is of a kind nobody registered.
    #[error(
        "scorer {scorer:?} has no codec; implement Persist for it and register it: Codecs::default().with::<Its type>()"
    )]
    NoCodec {
        /// The scorer's name.
        scorer: String,
    },
    /// What was written down in code is not what it was when the file was written.
    #[error("{what} of the snapshot were {saved}, now they are {now}; {hint}")]
    Recipe {
        /// What differs.
        what: &'static str,
        /// As it was written.
        saved: String,
        /// As it is now.
        now: String,
        /// What to do.
        hint: &'static str,
    },
    /// The parts of the file do not fit together.
    #[error("the parts of the snapshot do not fit together: {reason}")]
    Mismatch {
        /// Why.
        reason: String,
    },
}

impl PersistError {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn unsound(part: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unsound { part: part.into(), reason: reason.into() }
    }
}
