//! Items from delimited text and JSON lines. A bad row is counted with its line and reason, and never ends the load.

use std::fmt;
#[cfg(feature = "json")]
use std::io::BufRead;
#[cfg(feature = "csv")]
use std::io::Read;
use std::path::Path;

use super::builder::CatalogBuilder;
use super::error::CatalogError;
use super::mapping::{CatalogColumns, Cell, slot_name};
use crate::dataset::IngestReport;
use crate::params::Validate;
use crate::source::text::open_text;
use crate::source::{RejectReason, SourceError};

/// What became of the rows of an item file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CatalogReport {
    /// Rows offered, accepted and rejected, by reason and line.
    pub rows: IngestReport,
    /// Accepted rows that replaced an earlier one of the same item.
    pub replaced: u64,
}

impl fmt::Display for CatalogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {} replaced an earlier row of the same item", self.rows, self.replaced)
    }
}

/// Why an item file could not be read, or not to its end. The rows accepted until then are in the builder and counted
/// in the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogLoadError {
    /// The file, its header, or the mapping.
    #[error("the catalogue could not be read beyond {} rows: {source}", report.rows.offered)]
    Source {
        /// What was wrong.
        source: SourceError,
        /// What had been taken until then.
        report: Box<CatalogReport>,
    },
    /// The attributes contradict those of the builder, or a numbering is full.
    #[error("the catalogue could not be filled beyond {} rows: {source}", report.rows.offered)]
    Catalog {
        /// What was wrong.
        source: CatalogError,
        /// What had been taken until then.
        report: Box<CatalogReport>,
    },
}

/// Why a load ends.
enum End {
    Source(SourceError),
    Catalog(CatalogError),
}

impl From<SourceError> for End {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<CatalogError> for End {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

/// One load: where rows go and what became of them.
struct Load<'l> {
    builder: &'l mut CatalogBuilder,
    columns: &'l CatalogColumns,
    report: CatalogReport,
}

impl<'l> Load<'l> {
    fn run(
        builder: &'l mut CatalogBuilder,
        columns: &'l CatalogColumns,
        read: impl FnOnce(&mut Self) -> Result<(), End>,
    ) -> Result<CatalogReport, CatalogLoadError> {
        let replaced = builder.replaced();
        let mut load = Self { builder, columns, report: CatalogReport::default() };
        let outcome = load.declare().and_then(|()| read(&mut load));
        let Self { builder, mut report, .. } = load;
        report.replaced = builder.replaced() - replaced;
        match outcome {
            Ok(()) => Ok(report),
            Err(End::Source(source)) => Err(CatalogLoadError::Source { source, report: Box::new(report) }),
            Err(End::Catalog(source)) => Err(CatalogLoadError::Catalog { source, report: Box::new(report) }),
        }
    }

    fn declare(&mut self) -> Result<(), End> {
        self.columns.validate().map_err(SourceError::from)?;
        let mut attributes = self.columns.attributes();
        Ok(attributes.try_for_each(|(name, kind)| self.builder.declare(name, kind))?)
    }

    /// Takes one row, or counts why not.
    fn offer(&mut self, line: u64, cells: Result<&[Cell<'_>], RejectReason>) -> Result<(), CatalogError> {
        self.report.rows.offered += 1;
        let reason = match cells.and_then(|cells| self.columns.item(cells)) {
            Ok(item) => match self.builder.add(&item) {
                Ok(()) => {
                    self.report.rows.accepted += 1;
                    return Ok(());
                }
                Err(error) => reason_of(error)?,
            },
            Err(reason) => reason,
        };
        self.report.rows.reject(line, reason);
        Ok(())
    }
}

/// What an error says of one row; those about the whole catalogue stay errors.
fn reason_of(error: CatalogError) -> Result<RejectReason, CatalogError> {
    Ok(match error {
        CatalogError::EmptyId => RejectReason::Missing { field: "item" },
        CatalogError::IdTooLong { .. } => RejectReason::IdTooLong { field: "item" },
        CatalogError::Price { .. } => RejectReason::BadPrice,
        CatalogError::Dates { .. } => RejectReason::ExpiresBeforeRelease,
        CatalogError::UnknownAttribute { attribute, .. }
        | CatalogError::WrongKind { attribute, .. }
        | CatalogError::Number { attribute, .. }
        | CatalogError::ValueTooLong { attribute, .. } => RejectReason::BadAttribute { attribute },
        whole @ (CatalogError::AttributeName { .. }
        | CatalogError::DeclaredTwice { .. }
        | CatalogError::TooManyAttributes { .. }
        | CatalogError::Full(_)) => return Err(whole),
    })
}

#[cfg(feature = "csv")]
impl CatalogBuilder {
    /// Takes the items of a delimited file with a header line, in the dialect its name suggests; `.gz` is decompressed
    /// on the way. Attributes of the mapping that were not declared are.
    ///
    /// # Errors
    /// [`CatalogLoadError`] when the file as a whole cannot be used; a bad row is counted in the report instead.
    pub fn read_csv_file(
        &mut self,
        path: impl AsRef<Path>,
        columns: &CatalogColumns,
    ) -> Result<CatalogReport, CatalogLoadError> {
        let path = path.as_ref();
        Load::run(self, columns, |load| load.csv(open_text(path)?, crate::source::Dialect::of_path(path)))
    }

    /// Takes the items of delimited text with a header line. It need not be buffered.
    ///
    /// # Errors
    /// As [`read_csv_file`](Self::read_csv_file).
    ///
    /// # Example
    /// ```
    /// use likewise::{CatalogBuilder, CatalogColumns, Dialect};
    /// let text = "sku;type;name;price\nm1;Home/Kitchen;Blue mug;7.50\nt1;Food;Tea;cheap\n";
    /// let columns = CatalogColumns::new("sku").category("category", "type", '/').text("title", "name").price("price");
    /// let mut builder = CatalogBuilder::default();
    /// let report = builder.read_csv(text.as_bytes(), Dialect::SEMICOLON, &columns)?;
    /// assert_eq!((report.rows.accepted, report.rows.rejected()), (1, 1));
    /// assert_eq!(builder.build().price_of("m1"), Some(7.5));
    /// # Ok::<(), likewise::CatalogLoadError>(())
    /// ```
    pub fn read_csv(
        &mut self,
        reader: impl Read,
        dialect: crate::source::Dialect,
        columns: &CatalogColumns,
    ) -> Result<CatalogReport, CatalogLoadError> {
        Load::run(self, columns, |load| load.csv(reader, dialect))
    }
}

#[cfg(feature = "csv")]
impl Load<'_> {
    fn csv(&mut self, reader: impl Read, dialect: crate::source::Dialect) -> Result<(), End> {
        use crate::source::{first_line, text::Watched};

        let mut csv = dialect.reader().map_err(SourceError::from)?;
        let mut reader = csv.has_headers(true).from_reader(Watched::new(reader));
        let failed = |line, error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(error) => SourceError::read(line, error),
            other => SourceError::read(line, std::io::Error::other(format!("{other:?}"))),
        };
        let header = reader.byte_headers().map_err(|error| failed(0, error))?;
        let header: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let header: Vec<&str> = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim()).collect();
        if header.is_empty() {
            return Ok(());
        }
        let columns = self.columns;
        let places =
            columns.mapped().map(|(slot, column)| match header.iter().position(|name| *name == column.trim()) {
                Some(place) => Ok((slot, place)),
                None => Err(SourceError::missing_column(column, header.iter().copied())),
            });
        let places: Vec<(usize, usize)> = places.collect::<Result<_, _>>()?;
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| failed(reader.position().line(), error))? {
            let line = first_line(&reader, &record);
            let mut cells: Vec<Cell<'_>> = vec![Cell::new(); columns.n_slots()];
            let read = if record.len() == header.len() {
                places.iter().try_for_each(|&(slot, place)| {
                    let text = str::from_utf8(record.get(place).unwrap_or_default());
                    let text = text.map_err(|_| RejectReason::NotUtf8 { field: slot_name(slot) })?;
                    if !text.trim_ascii().is_empty() {
                        cells[slot].push(text.into());
                    }
                    Ok(())
                })
            } else {
                Err(RejectReason::Ragged)
            };
            self.offer(line, read.map(|()| &*cells))?;
        }
        Ok(())
    }
}

#[cfg(feature = "json")]
impl CatalogBuilder {
    /// Takes the items of a file with one JSON object a line; `.gz` is decompressed on the way. Attributes of the
    /// mapping that were not declared are.
    ///
    /// # Errors
    /// [`CatalogLoadError`] when the file as a whole cannot be used; a bad line is counted in the report instead.
    pub fn read_json_lines_file(
        &mut self,
        path: impl AsRef<Path>,
        columns: &CatalogColumns,
    ) -> Result<CatalogReport, CatalogLoadError> {
        Load::run(self, columns, |load| load.json_lines(open_text(path.as_ref())?))
    }

    /// Takes the items of text with one JSON object a line.
    ///
    /// # Errors
    /// As [`read_json_lines_file`](Self::read_json_lines_file).
    ///
    /// # Example
    /// ```
    /// use likewise::{CatalogBuilder, CatalogColumns};
    /// let text = r#"{"sku": 17, "brand": ["Acme", "Bolt"], "offer": {"price": 7.5}, "in_stock": false}"#;
    /// let columns = CatalogColumns::new("sku").tag("brand", "brand").price("offer.price").stock("in_stock");
    /// let mut builder = CatalogBuilder::default();
    /// builder.read_json_lines(text.as_bytes(), &columns)?;
    /// let catalog = builder.build();
    /// assert_eq!((catalog.price_of("17"), catalog.stock_of("17")), (Some(7.5), Some(0)));
    /// # Ok::<(), likewise::CatalogLoadError>(())
    /// ```
    pub fn read_json_lines(
        &mut self,
        reader: impl BufRead,
        columns: &CatalogColumns,
    ) -> Result<CatalogReport, CatalogLoadError> {
        Load::run(self, columns, |load| load.json_lines(reader))
    }
}

/// The longest line that is read. A longer one is [`RejectReason::Malformed`] and is not held in memory.
#[cfg(feature = "json")]
const MAX_LINE: u64 = 1 << 24;

/// The largest float that still counts whole numbers one by one.
#[cfg(feature = "json")]
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(feature = "json")]
impl Load<'_> {
    fn json_lines(&mut self, mut reader: impl BufRead) -> Result<(), End> {
        use std::io::Read as _;

        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            let failed = |error| SourceError::read(number, error);
            if reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(failed)? == 0 {
                return Ok(());
            }
            let too_long = line.len() as u64 == MAX_LINE && !line.ends_with(b"\n");
            if too_long {
                reader.skip_until(b'\n').map_err(failed)?;
            }
            number += 1;
            let mark: &[u8] = if number == 1 { b"\xEF\xBB\xBF" } else { b"" };
            let text = line.strip_prefix(mark).unwrap_or(&line).trim_ascii();
            if text.is_empty() {
                continue;
            }
            let object = if too_long { Err(RejectReason::Malformed) } else { object(text) };
            let cells = object.as_ref().map_err(Clone::clone).and_then(|object| cells(self.columns, object));
            self.offer(number, cells.as_deref().map_err(Clone::clone))?;
        }
    }
}

#[cfg(feature = "json")]
type Object = serde_json::Map<String, serde_json::Value>;

#[cfg(feature = "json")]
fn object(line: &[u8]) -> Result<Object, RejectReason> {
    let line = str::from_utf8(line).map_err(|_| RejectReason::NotUtf8 { field: "the line" })?;
    serde_json::from_str(line).map_err(|_| RejectReason::Malformed)
}

#[cfg(feature = "json")]
fn cells<'o>(columns: &CatalogColumns, object: &'o Object) -> Result<Vec<Cell<'o>>, RejectReason> {
    use serde_json::Value;

    let mut cells = vec![Cell::new(); columns.n_slots()];
    for (slot, name) in columns.mapped() {
        let below = |object: &'o Object| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(object.get(first)?, |value, key| value.get(key))
        };
        match object.get(name).or_else(|| below(object)) {
            None => {}
            Some(Value::Array(values)) => {
                for value in values {
                    match value {
                        Value::Array(levels) if columns.is_category(slot) => {
                            let mut path = String::new();
                            for level in levels {
                                path.push_str(&scalar(slot, level)?.unwrap_or_default());
                                path.push('>');
                            }
                            cells[slot].push(path.into());
                        }
                        value => cells[slot].extend(scalar(slot, value)?),
                    }
                }
            }
            Some(value) => cells[slot].extend(scalar(slot, value)?),
        }
    }
    Ok(cells)
}

/// One value as text. A whole number is an id like any other, unless digits of it were lost.
#[cfg(feature = "json")]
fn scalar(slot: usize, value: &serde_json::Value) -> Result<Option<std::borrow::Cow<'_, str>>, RejectReason> {
    use serde_json::Value;

    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text.into()),
        Value::Bool(bool) => Some(bool.to_string().into()),
        Value::Number(number) => Some(match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) if float.abs() > EXACT && slot == 0 => {
                return Err(RejectReason::BadNumber { field: slot_name(slot) });
            }
            Some(float) => float.to_string().into(),
            None => number.to_string().into(),
        }),
        Value::Array(_) | Value::Object(_) => return Err(RejectReason::Malformed),
    })
}
