//! Why the catalogue refuses something.

use super::column::AttributeKind;
use crate::ids::{MAX_ID_BYTES, TooManyIds};
use crate::time::Timestamp;

/// Why an attribute, an item or a change cannot be taken. What was there before stays as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// An attribute whose name is empty or longer than [`MAX_ID_BYTES`].
    #[error("an attribute's name has 1 to {MAX_ID_BYTES} bytes, this one has {bytes}")]
    AttributeName {
        /// Its length.
        bytes: usize,
    },
    /// An attribute that was declared before as something else.
    #[error("attribute `{attribute}` is declared twice, as {first} and as {second}; choose one, or two names")]
    DeclaredTwice {
        /// Its name.
        attribute: String,
        /// What it was declared as first.
        first: AttributeKind,
        /// What it was declared as now.
        second: AttributeKind,
    },
    /// More attributes than numbers for them.
    #[error("a catalogue has at most {limit} attributes; make rare ones values of one tags attribute")]
    TooManyAttributes {
        /// The most.
        limit: usize,
    },
    /// An item with an empty id.
    #[error("an item's id is empty; every item needs one")]
    EmptyId,
    /// An item whose id is longer than [`MAX_ID_BYTES`].
    #[error("an item's id has {bytes} bytes, more than {MAX_ID_BYTES}; look for a column mix-up")]
    IdTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A price that is not a finite number of at least 0.
    #[error("the price of item `{item}` is {got}; expected a finite number of at least 0, or none")]
    Price {
        /// The item.
        item: String,
        /// The price.
        got: f64,
    },
    /// An item that expires before it is released.
    #[error("item `{item}` expires at {} ms, before its release at {} ms", expires.millis(), released.millis())]
    Dates {
        /// The item.
        item: String,
        /// Its release.
        released: Timestamp,
        /// Its expiry.
        expires: Timestamp,
    },
    /// An attribute that was not declared.
    #[error("item `{item}` has a value for `{attribute}`, which the catalogue does not have; declare it first")]
    UnknownAttribute {
        /// The item.
        item: String,
        /// The attribute.
        attribute: String,
    },
    /// A value of another kind than the attribute's.
    #[error("item `{item}` has a {got} value for `{attribute}`, which is a {kind} attribute")]
    WrongKind {
        /// The item.
        item: String,
        /// The attribute.
        attribute: String,
        /// What the attribute holds.
        kind: AttributeKind,
        /// What the value is.
        got: AttributeKind,
    },
    /// A number that is not finite.
    #[error("`{attribute}` of item `{item}` is {got}; expected a finite number, or none")]
    Number {
        /// The item.
        item: String,
        /// The attribute.
        attribute: String,
        /// The value.
        got: f64,
    },
    /// A category path or tag longer than [`MAX_ID_BYTES`].
    #[error("`{attribute}` of item `{item}` has a value of {bytes} bytes, more than {MAX_ID_BYTES}; is it a text?")]
    ValueTooLong {
        /// The item.
        item: String,
        /// The attribute.
        attribute: String,
        /// The value's length.
        bytes: usize,
    },
    /// A numbering is full.
    #[error(transparent)]
    Full(#[from] TooManyIds),
}
