//! Where do events come from? Sources push borrowed events; nothing is allocated per event.
//!
//! | source | from | feature |
//! |---|---|---|
//! | [`FromIter`], slices, `Vec` | memory | |
//! | [`Delimited`] | CSV / TSV text, any reader or path, `.gz` too | `csv` (+ `gzip`) |
//! | [`JsonLines`] | one JSON object a line | `json` (+ `gzip`) |
//!
//! Text sources share [`Columns`] (which column is what, and on which lawful basis), [`TimeFormat`] (how times are
//! written), rules that leave records out, and [`SourceError`].
//!
//! | what is wrong | what happens |
//! |---|---|
//! | one record: ragged, no UTF-8, bad time or number, no shopper, left out by a rule, ... | offered as a [`RejectReason`] with its line |
//! | a mapped column is missing, the file cannot be opened, reading fails, compressed data is cut off | [`SourceError`]; what was offered before stays |
//! | nothing to read, or a header alone | no events |
//!
//! [`DatasetBuilder::ingest_parallel`](crate::DatasetBuilder::ingest_parallel) parses both on all cores (a
//! [`BlockSource`]), with the same numbers, report and errors.
//!
//! A record that makes no sense is *offered as a rejection*, with its line and reason; it never ends the run (unless the
//! builder was told to stop on it) and is never silently lost.

#[cfg(any(feature = "csv", feature = "json"))]
mod blocks;
#[cfg(any(feature = "csv", feature = "json"))]
mod clock;
#[cfg(feature = "csv")]
mod delimited;
#[cfg(any(feature = "csv", feature = "json"))]
mod error;
#[cfg(feature = "json")]
mod json_lines;
#[cfg(any(feature = "csv", feature = "json"))]
mod mapping;
mod memory;
mod record;
#[cfg(any(feature = "csv", feature = "json"))]
pub(crate) mod text;

#[cfg(any(feature = "csv", feature = "json"))]
pub use blocks::{Block, BlockParser, BlockSource};
#[cfg(any(feature = "csv", feature = "json"))]
pub use clock::TimeFormat;
#[cfg(feature = "csv")]
pub(crate) use delimited::first_line;
#[cfg(feature = "csv")]
pub use delimited::{Delimited, DelimitedParser, Dialect};
#[cfg(any(feature = "csv", feature = "json"))]
pub use error::SourceError;
#[cfg(feature = "json")]
pub(crate) use error::edits;
#[cfg(feature = "json")]
pub use json_lines::{JsonLines, JsonLinesParser};
#[cfg(any(feature = "csv", feature = "json"))]
pub use mapping::{Columns, Fields, NegativeQuantity};
pub use memory::FromIter;
pub use record::{Offered, RejectReason};

/// Whether a source should go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Send the next event.
    Continue,
    /// The receiver wants no more.
    Stop,
}

/// Anything that can hand over events, one after the other.
///
/// The source drives (push), so that a slice, a file, a queue consumer and a database cursor all fit without boxing or
/// per-event allocation. To write one, call `sink` for every event and stop when it says so:
///
/// ```
/// use likewise::{Consented, Event, EventKind, EventSource, Flow, LawfulBasis, Offered, Shopper, Timestamp};
///
/// struct Ticks(u32);
/// impl EventSource for Ticks {
///     type Error = std::convert::Infallible;
///     fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Self::Error> {
///         let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
///         for i in 0..self.0 {
///             let at = Timestamp::from_secs(i.into());
///             if sink(Event::new(ann, "mug", EventKind::View, at).into()) == Flow::Stop {
///                 break;
///             }
///         }
///         Ok(())
///     }
/// }
/// let mut builder = likewise::DatasetBuilder::default();
/// assert_eq!(builder.ingest(Ticks(3))?.accepted, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait EventSource {
    /// What can go wrong with the source as a whole (not with one record).
    type Error: std::error::Error + Send + Sync + 'static;

    /// Offers every record to `sink`, in the source's order, until the end or until it answers [`Flow::Stop`].
    ///
    /// # Errors
    /// When the source cannot be read on. What was offered before stays offered.
    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Self::Error>;
}

impl<S: EventSource + ?Sized> EventSource for &mut S {
    type Error = S::Error;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Self::Error> {
        (**self).for_each(sink)
    }
}
