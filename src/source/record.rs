//! One offered record: an event, or the reason why it is none.

use crate::event::Event;

/// Why a record was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum RejectReason {
    /// A required field is empty or absent.
    #[error("{field} is empty; every record needs one")]
    Missing {
        /// The field: `user`, `item`, `time`, ...
        field: &'static str,
    },
    /// An id longer than [`MAX_ID_BYTES`](crate::MAX_ID_BYTES).
    #[error("{field} is longer than {} bytes", crate::ids::MAX_ID_BYTES)]
    IdTooLong {
        /// The field.
        field: &'static str,
    },
    /// Bytes that are not UTF-8.
    #[error("{field} is not valid UTF-8; convert the file first")]
    NotUtf8 {
        /// The field.
        field: &'static str,
    },
    /// An event of a profile whose use is [restricted](crate::log::EventLog::restrict).
    #[error("the shopper has withdrawn: record the event without the profile, or lift the restriction first")]
    Restricted,
    /// A line with another number of fields than the header.
    #[error("the line has another number of fields than the header")]
    Ragged,
    /// A record that cannot be read as the format at all.
    #[error("the line is not a valid record of this format")]
    Malformed,
    /// A time in none of the expected formats.
    #[error("time is in none of the expected formats")]
    BadTime,
    /// A time outside the years 1 to 9999.
    #[error("time is outside the years 1 to 9999")]
    TimeOutOfRange,
    /// A time later than the builder's `as_of`.
    #[error("time is later than the as_of of the dataset")]
    InFuture,
    /// A number that is not one, or not finite.
    #[error("{field} is not a finite number")]
    BadNumber {
        /// The field.
        field: &'static str,
    },
    /// A quantity of zero or below where only units make sense.
    #[error("quantity must be above 0")]
    BadQuantity,
    /// A price that is not a finite number of at least 0.
    #[error("price is not a finite number of at least 0")]
    BadPrice,
    /// A value that an item's attribute cannot hold.
    #[error("attribute {attribute} cannot hold this value")]
    BadAttribute {
        /// The attribute.
        attribute: String,
    },
    /// An item that expires before it is released.
    #[error("the item expires before it is released")]
    ExpiresBeforeRelease,
    /// A kind that is not known.
    #[error("event kind is not known")]
    UnknownKind,
    /// No user id and no session: nobody did it.
    #[error("neither user nor session is given")]
    NoShopper,
    /// The same event id was accepted before.
    #[error("an event with this id was accepted before")]
    Duplicate,
    /// The source's own rules left it out.
    #[error("left out: {0}")]
    LeftOut(&'static str),
}

/// One record as a source offers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Offered<'a> {
    /// The line (1-based, the header counted) or ordinal it came from, where known.
    pub line: Option<u64>,
    /// The event, or why there is none.
    pub event: Result<Event<'a>, RejectReason>,
}

impl<'a> From<Event<'a>> for Offered<'a> {
    fn from(event: Event<'a>) -> Self {
        Self { line: None, event: Ok(event) }
    }
}
