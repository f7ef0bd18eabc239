//! Rows as files.

use std::io::Write;

use serde::Serialize;

/// Rows that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The writer refused.
    #[error("the rows could not be written: {0}; look at the disk and the path")]
    Io(#[from] std::io::Error),
    /// A row that has no place in the format.
    #[error("a row cannot be written as {format}: {why}; rows must be flat structs of texts and numbers")]
    Row {
        /// The format.
        format: &'static str,
        /// What it says.
        why: String,
    },
}

/// Writes `rows` as CSV with a header of the fields' names; nothing at all, not even a header, without a row. Figures
/// that are not known are `NaN`.
///
/// # Errors
/// [`ExportError::Io`] when `to` refuses, [`ExportError::Row`] for rows that are not flat.
#[cfg(feature = "csv")]
#[cfg_attr(docsrs, doc(cfg(feature = "csv")))]
pub fn write_csv<T: Serialize>(rows: impl IntoIterator<Item = T>, to: impl Write) -> Result<(), ExportError> {
    let told = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => ExportError::Io(error),
        other => ExportError::Row { format: "CSV", why: format!("{other:?}") },
    };
    let mut writer = csv::Writer::from_writer(to);
    rows.into_iter().try_for_each(|row| writer.serialize(row)).map_err(told)?;
    Ok(writer.flush()?)
}

/// Writes `rows` as one JSON array of objects. Figures that are not known are `null`.
///
/// # Errors
/// [`ExportError::Io`] when `to` refuses, [`ExportError::Row`] for rows JSON cannot hold.
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub fn write_json<T: Serialize>(rows: impl IntoIterator<Item = T>, mut to: impl Write) -> Result<(), ExportError> {
    let told = |error: serde_json::Error| {
        if error.is_io() {
            ExportError::Io(error.into())
        } else {
            ExportError::Row { format: "JSON", why: error.to_string() }
        }
    };
    to.write_all(b"[")?;
    for (place, row) in rows.into_iter().enumerate() {
        to.write_all(if place == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut to, &row).map_err(told)?;
    }
    to.write_all(b"\n]\n")?;
    Ok(to.flush()?)
}
