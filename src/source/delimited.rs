//! Events from delimited text: comma, tab or semicolon, quoted or not, from any reader or file.
//!
//! Use it for exports of a shop system or warehouse. One record is reused for all lines, so nothing is allocated per
//! event. Columns are found by their names in the header; their order does not matter, and others may be there.

mod blocks;

pub use blocks::DelimitedParser;

use std::fmt;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::path::Path;

use csv::ByteRecord;
use serde::{Deserialize, Serialize};

use super::blocks::{Block, Cutter};
use super::mapping::{Columns, Fields, Mapper, slot_name};
use super::text::{Watched, open_text};
use super::{EventSource, Flow, Offered, RejectReason, SourceError};
use crate::params::ParamError;
use blocks::{Layout, Records};

/// How fields are separated and quoted in delimited text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// Between two fields: an ASCII character, no line break. Default `,`.
    pub separator: char,
    /// Around a field that holds the separator or a line break, and doubled inside: an ASCII character other than the
    /// separator, or `None` where quotes mean nothing. Default `"`.
    ///
    /// A quote that is never closed swallows the lines after it into one ragged record; `None` is safer for exports
    /// that do not quote.
    pub quote: Option<char>,
}

impl Dialect {
    /// Comma-separated, double quotes.
    pub const CSV: Self = Self { separator: ',', quote: Some('"') };
    /// Tab-separated, double quotes.
    pub const TSV: Self = Self { separator: '\t', quote: Some('"') };
    /// Semicolon-separated, double quotes: what spreadsheets write where the comma is the decimal mark.
    pub const SEMICOLON: Self = Self { separator: ';', quote: Some('"') };

    /// The same without quoting.
    #[must_use]
    pub const fn unquoted(self) -> Self {
        Self { quote: None, ..self }
    }

    /// The dialect a file's name suggests: [`TSV`](Self::TSV) for `.tsv` and `.tab` (`.gz` or not), else
    /// [`CSV`](Self::CSV).
    #[must_use]
    pub fn of_path(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        if name.ends_with(".tsv") || name.ends_with(".tab") { Self::TSV } else { Self::CSV }
    }

    pub(crate) fn reader(self) -> Result<csv::ReaderBuilder, ParamError> {
        let byte = |name: &str, c: char| match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() && byte != b'\n' && byte != b'\r' => Ok(byte),
            _ => Err(ParamError::new(name, format!("{c:?}"), "an ASCII character, no line break")),
        };
        let separator = byte("separator", self.separator)?;
        let mut builder = csv::ReaderBuilder::new();
        builder.delimiter(separator).flexible(true).buffer_capacity(1 << 16);
        match self.quote {
            None => builder.quoting(false),
            Some(c) if c == self.separator => {
                return Err(ParamError::new("quote", format!("{c:?}"), "another character than the separator"));
            }
            Some(c) => builder.quote(byte("quote", c)?),
        };
        Ok(builder)
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::CSV
    }
}

/// Events from delimited text with a header line.
///
/// A byte-order mark, `\r\n`, empty lines and a last line without a line break are fine; a source without any line, or
/// without any after the header, has no events. A line with another number of fields than the header is offered as
/// [`RejectReason::Ragged`]; one with bytes that are not UTF-8 in a mapped column as [`RejectReason::NotUtf8`].
///
/// # Example
/// ```
/// use likewise::{Columns, DatasetBuilder, Delimited, EventKind, LawfulBasis, TimeFormat};
/// let text = "when,who,what\n2010-12-01 08:26:00,ann,mug\n2010-12-01 08:28:00,ann,POST\nlast week,bob,mug\n";
/// let columns = Columns::new("who", "what", LawfulBasis::Contract)
///     .kind(EventKind::Purchase)
///     .time("when", TimeFormat::Auto);
/// let source = Delimited::from_reader(text.as_bytes(), columns)?.leave_out("postage", |row| row.item() == "POST");
///
/// let mut builder = DatasetBuilder::default();
/// let report = builder.ingest(source)?;
/// assert_eq!((report.offered, report.accepted), (3, 1));
/// assert_eq!(
///     report.to_string(),
///     "3 offered, 1 accepted, 2 rejected\n  1 x time is in none of the expected formats (lines 4)\n  1 x left out: postage (lines 3)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Delimited<R> {
    input: Input<R>,
    mapper: Mapper,
    wiring: Wiring,
    record: ByteRecord,
    spans: Vec<Range<usize>>,
    copy: String,
    /// Of a text in blocks.
    layout: Layout,
}

/// The dialect and the header may be set until the first record is asked for.
enum Input<R> {
    Waiting {
        reader: R,
        dialect: Dialect,
        header: Option<Vec<String>>,
    },
    Reading(Box<csv::Reader<Watched<R>>>),
    /// Handed out in blocks; the first one waits to be.
    Cutting {
        cutter: Box<Cutter<R, Records>>,
        first: Option<Block>,
    },
    /// The header could not be used.
    Refused,
}

/// Which column feeds which slot, and how many columns there are.
#[derive(Clone, Debug, Default)]
struct Wiring {
    slots: Vec<(usize, usize)>,
    columns: usize,
}

impl<R> fmt::Debug for Delimited<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delimited").field("mapper", &self.mapper).finish_non_exhaustive()
    }
}

impl Delimited<Box<dyn BufRead + Send>> {
    /// Opens a file, in the dialect its name suggests ([`Dialect::of_path`]); `.gz` is decompressed on the way.
    ///
    /// # Errors
    /// [`SourceError`] when it cannot be opened or the mapping is not valid.
    pub fn open(path: impl AsRef<Path>, columns: Columns) -> Result<Self, SourceError> {
        let path = path.as_ref();
        Self::from_reader(open_text(path)?, columns)?.dialect(Dialect::of_path(path))
    }
}

impl<R: Read> Delimited<R> {
    /// Reads from `reader`, comma-separated unless [`dialect`](Self::dialect) says otherwise. It need not be buffered.
    ///
    /// # Errors
    /// [`SourceError::Mapping`] when the mapping is not valid.
    pub fn from_reader(reader: R, columns: Columns) -> Result<Self, SourceError> {
        let mapper = Mapper::new(columns)?;
        let spans = vec![0..0; mapper.columns().n_slots()];
        let input = Input::Waiting { reader, dialect: Dialect::CSV, header: None };
        let (wiring, record, copy, layout) = Default::default();
        Ok(Self { input, mapper, wiring, record, spans, copy, layout })
    }

    /// In this dialect. It has no effect once events were read.
    ///
    /// # Errors
    /// [`SourceError::Mapping`] when the dialect is not valid.
    pub fn dialect(mut self, new: Dialect) -> Result<Self, SourceError> {
        new.reader()?;
        if let Input::Waiting { dialect, .. } = &mut self.input {
            *dialect = new;
        }
        Ok(self)
    }

    /// The text has no header line: its columns have these names. It has no effect once events were read.
    #[must_use]
    pub fn header<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        if let Input::Waiting { header, .. } = &mut self.input {
            *header = Some(names.into_iter().map(Into::into).collect());
        }
        self
    }

    /// Leaves out the records for which `rule` says so, counted as [`RejectReason::LeftOut`] for this reason.
    ///
    /// Rules run in the order they were given, before anything else about the record is checked.
    #[must_use]
    pub fn leave_out(mut self, reason: &'static str, rule: impl FnMut(&Fields<'_>) -> bool + Send + 'static) -> Self {
        self.mapper.leave_out(reason, Box::new(rule));
        self
    }

    /// Reads the header, once, and finds the mapped columns in it.
    fn begin(&mut self) -> Result<(), SourceError> {
        let Input::Waiting { reader, dialect, header } = std::mem::replace(&mut self.input, Input::Refused) else {
            return Ok(());
        };
        let mut reader = dialect.reader()?.has_headers(header.is_none()).from_reader(Watched::new(reader));
        let names: Vec<String> = match header {
            Some(names) => names,
            None => {
                let read = reader.byte_headers().map_err(io_error);
                let read = read.map_err(|source| SourceError::read(0, source))?;
                read.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
            }
        };
        self.wire(&names)?;
        self.input = Input::Reading(Box::new(reader));
        Ok(())
    }

    /// Finds the mapped columns in the header.
    fn wire(&mut self, names: &[String]) -> Result<(), SourceError> {
        // A reader that hands over single bytes keeps the byte-order mark from being recognised earlier.
        let names: Vec<&str> = names.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
        if !names.is_empty() {
            let mapped = self.mapper.columns().mapped();
            let found = mapped.map(|(slot, column)| match names.iter().position(|name| *name == column.trim()) {
                Some(place) => Ok((slot, place)),
                None => Err(SourceError::missing_column(column, names.iter().copied())),
            });
            self.wiring.slots = found.collect::<Result<_, _>>()?;
            self.wiring.columns = names.len();
        }
        Ok(())
    }
}

impl<R: Read> EventSource for Delimited<R> {
    type Error = SourceError;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), SourceError> {
        if matches!(self.input, Input::Waiting { .. }) {
            self.begin()?;
        }
        if let Input::Cutting { .. } = self.input {
            return self.each_of_blocks(sink);
        }
        let Self { input: Input::Reading(reader), mapper, wiring, record, spans, copy, .. } = self else {
            return Ok(());
        };
        loop {
            let read = reader.read_byte_record(record).map_err(io_error);
            if !read.map_err(|source| SourceError::read(reader.position().line(), source))? {
                return Ok(());
            }
            mapper.arrive();
            let event = match wiring.text(record, spans, copy) {
                Ok(text) => mapper.event(text, spans),
                Err(reason) => Err(reason),
            };
            if sink(Offered { line: Some(first_line(reader, record)), event }) == Flow::Stop {
                return Ok(());
            }
        }
    }
}

impl Wiring {
    /// The record's text, with `spans` set to the mapped fields in it.
    fn text<'a>(
        &self,
        record: &'a ByteRecord,
        spans: &mut [Range<usize>],
        copy: &'a mut String,
    ) -> Result<&'a str, RejectReason> {
        if record.len() != self.columns {
            return Err(RejectReason::Ragged);
        }
        // Almost always the whole record is UTF-8, and then one check does for all fields. Otherwise only the mapped
        // fields count; they are checked one by one, and copied, as their neighbours cannot be part of a `str`.
        let Ok(text) = str::from_utf8(record.as_slice()) else {
            copy.clear();
            for &(slot, column) in &self.slots {
                let field = record.get(column).unwrap_or_default();
                let field = str::from_utf8(field).map_err(|_| RejectReason::NotUtf8 { field: slot_name(slot) })?;
                spans[slot] = copy.len()..copy.len() + field.len();
                copy.push_str(field);
            }
            return Ok(copy);
        };
        for &(slot, column) in &self.slots {
            let span = record.range(column).unwrap_or_default();
            // Half a character at the end of one field and its other half at the start of the next are not text.
            if !(text.is_char_boundary(span.start) && text.is_char_boundary(span.end)) {
                return Err(RejectReason::NotUtf8 { field: slot_name(slot) });
            }
            spans[slot] = span;
        }
        Ok(text)
    }
}

/// The line on which the record begins that was read last.
///
/// The reader's own answer is the line where it began to look for the record, before any empty lines. So count back
/// from where it ended.
pub(crate) fn first_line<R: Read>(reader: &csv::Reader<Watched<R>>, record: &ByteRecord) -> u64 {
    let end = reader.position();
    let inside = record.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
    let after = u64::from(reader.get_ref().line_feed_before(end.byte()));
    end.line().saturating_sub(inside + after).max(1)
}

/// Byte records of any length can only fail to be read.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
