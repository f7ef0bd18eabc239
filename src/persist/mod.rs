//! How does it survive a restart? Named values and columns in one checked file, and generations of such files in a folder.
//!
//! | to | use |
//! |---|---|
//! | keep what is served, and serve it again | [`Snapshot::write_to`](crate::Snapshot::write_to), [`Snapshot::read_from`](crate::Snapshot::read_from) |
//! | the same while it records | [`Live::save`](crate::Live::save), [`LiveConfig::store`](crate::LiveConfig::store) |
//! | keep several generations, survive a damaged one | [`Store`] |
//! | let a scorer of your own be kept | [`Persist`](crate::serve::Persist) with a [`Saver`] and a [`Loader`] |
//! | look into a file | [`Container`] |
//!
//! This folder knows files and columns. What a dataset, a catalogue, a model is made of, each says itself, in one line
//! beside its definition.
//!
//! # The file
//!
//! | bytes | what |
//! |---|---|
//! | 64 | prelude: `LIKEWISE`, format version, zeros, checksum |
//! | any | sections: one column each, little-endian, at multiples of 64, zeros between them |
//! | any | table: JSON with the name, type, shape, place, length and checksum of every section, and all small values |
//! | 64 | trailer: place, length and checksum of the table, length of the file, `ESIWEKIL`, checksum |
//!
//! The table comes last, so that writing is one pass over any [`Write`](std::io::Write). It is JSON, not a
//! compact binary format: parameters gain fields over the years, and a file must load for ever; a format that names its
//! fields can do that, and anybody can read what a file is about. Numbers that matter to the last bit are in columns.
//! Checksums are xxh3 (64 bits) and cover every byte, the zeros included.
//!
//! # How a later version adds to it
//!
//! A file that was written once must load for ever (fixtures of every format are in the tests). So what is in a file may only
//! grow, by these rules:
//!
//! * *Parameters* are JSON with a default for every field (`serde(default)`): a new field whose default is what was done
//!   before needs nothing.
//! * *A new part of a struct* gets, where it is named in `portable!`, the value it has in files of before:
//!   `portable!(Thing { old, new = Vec::new().into() })`. It must mean what was done without it. An absent part without such a
//!   value is [`PersistError::Missing`]. In the elements of a list at least one part must have none, or a made-up count would
//!   never end.
//! * *A part that is no longer needed* is left out of new files and skipped in old ones; its name is never used again for
//!   anything else. A part that changes its meaning gets another name.
//! * *What none of these can say* raises the format: the loader then knows both, and the new one gets a fixture of its own.
//!
//! A scorer of your own goes by the same rules, or by a new codec's name.
//!
//! # Trust
//!
//! Checksums say whether a file is what was written, not who wrote it: open only what your own processes wrote. Beyond
//! checksums, everything that is used as an index is checked when a file is opened, so that a file that was made up to have
//! right checksums gives an error and not a panic, as far as the tests' mutations and the fuzzers found. It may still give
//! other lists: nothing says that made-up numbers are anybody's.

mod container;
mod element;
mod error;
mod layout;
mod portable;
mod store;
mod writer;

pub use container::{Container, SectionInfo, Verify};
pub use element::Element;
pub use error::PersistError;
pub use portable::{Loader, Saver};
pub use store::{Generation, Opened, Store, StoreError};

pub(crate) use container::Resident;
pub(crate) use element::{element, sealed};
pub(crate) use portable::{Portable, cuts, cuts_or_none, list, portable, portable_params, portable_value};
pub(crate) use writer::ContainerWriter;
