//! Text from files: opened, and decompressed where the name says so.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
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

/// A reader that tries again when a signal interrupts it, as every reader of a whole file should.
#[cfg_attr(not(feature = "csv"), expect(dead_code, reason = "lines are read by functions that try again themselves"))]
#[derive(Debug)]
pub(crate) struct Patient<R>(pub(crate) R);

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}
