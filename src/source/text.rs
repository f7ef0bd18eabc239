//! Text from files: opened, and decompressed where the name says so.

use std::fs::File;
#[cfg(feature = "csv")]
use std::io::Read;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use super::SourceError;

const BUFFER: usize = 1 << 16;

/// Opens a text file for reading; `.gz` is decompressed on the way.
///
/// # Errors
/// [`SourceError::NotFound`], [`SourceError::Open`]; [`SourceError::GzipNotEnabled`] for `.gz` without the feature.
pub(crate) fn open_text(path: &Path) -> Result<Box<dyn BufRead + Send>, SourceError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound { path: path.to_owned() },
        _ => SourceError::Open { path: path.to_owned(), source },
    })?;
    let compressed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    if compressed { decompressed(file, path) } else { Ok(Box::new(BufReader::with_capacity(BUFFER, file))) }
}

#[cfg(feature = "gzip")]
fn decompressed(file: File, _path: &Path) -> Result<Box<dyn BufRead + Send>, SourceError> {
    let decoder = flate2::read::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file));
    Ok(Box::new(BufReader::with_capacity(BUFFER, decoder)))
}

#[cfg(not(feature = "gzip"))]
fn decompressed(_file: File, path: &Path) -> Result<Box<dyn BufRead + Send>, SourceError> {
    Err(SourceError::GzipNotEnabled { path: path.to_owned() })
}

/// A reader that tries again when a signal interrupts it, and remembers how lines end.
#[cfg(feature = "csv")]
#[derive(Debug)]
pub(crate) struct Watched<R> {
    reader: R,
    total: u64,
    last: u8,
    /// Whether the first line break is `\r\n`.
    crlf: Option<bool>,
}

#[cfg(feature = "csv")]
impl<R> Watched<R> {
    pub(crate) const fn new(reader: R) -> Self {
        Self { reader, total: 0, last: 0, crlf: None }
    }

    /// A reader of a part of a text of which it is known how lines end.
    pub(crate) const fn knowing(reader: R, crlf: Option<bool>) -> Self {
        Self { reader, total: 0, last: 0, crlf }
    }

    /// Whether the first line break met is `\r\n`; `None` before one was met.
    pub(crate) const fn ends_lines(&self) -> Option<bool> {
        self.crlf
    }

    /// Whether a csv record that ends before this byte took the line feed after it along. It does not take the one of
    /// `\r\n`, and there is none at the end of many files.
    pub(crate) fn line_feed_before(&self, byte: u64) -> bool {
        self.crlf == Some(false) && !(byte == self.total && self.last != b'\n')
    }
}

#[cfg(feature = "csv")]
impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = loop {
            match self.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome?,
            }
        };
        let read = &buffer[..n];
        if self.crlf.is_none()
            && let Some(at) = read.iter().position(|&b| b == b'\n')
        {
            let before = at.checked_sub(1).map_or(self.last, |i| read[i]);
            self.crlf = Some(before == b'\r');
        }
        self.last = read.last().copied().unwrap_or(self.last);
        self.total += n as u64;
        Ok(n)
    }
}
