//! Text cut into blocks of whole records, so that one thread reads and all parse.

use std::io::{self, Read};

use super::{EventSource, Flow, Offered};

/// A few records as they stand in the text, and where they stand.
#[derive(Debug, Default, Clone)]
pub struct Block {
    text: Vec<u8>,
    /// The line of its first byte, from 1.
    line: u64,
}

impl Block {
    /// The records, the line break of the last one included.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The line (1-based) on which it begins.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }
}

/// A source whose records can be parsed apart from one another: [`Delimited`](super::Delimited) and
/// [`JsonLines`](super::JsonLines). [`DatasetBuilder::ingest_parallel`](crate::DatasetBuilder::ingest_parallel) takes it.
pub trait BlockSource: EventSource {
    /// Parses blocks, many at a time.
    type Parser: BlockParser;

    /// What parses its blocks; `None` where records have to be taken in order: after rules were given with `leave_out`,
    /// where the order of arrival is the time, and once records were read one by one.
    ///
    /// # Errors
    /// When the source cannot be read, or its header not be used.
    fn parser(&mut self) -> Result<Option<Self::Parser>, Self::Error>;

    /// Puts the next records into `block`; `false` at the end.
    ///
    /// # Errors
    /// When the source cannot be read on. The records before that point were handed out.
    fn fill(&mut self, block: &mut Block) -> Result<bool, Self::Error>;
}

/// Parses blocks; it remembers nothing from one to the next.
pub trait BlockParser: Send + Sync {
    /// Offers every record of `block` to `sink`, in order, until the end or until it answers [`Flow::Stop`].
    fn parse(&self, block: &Block, sink: &mut dyn FnMut(Offered<'_>) -> Flow);
}

/// Bytes of a block, unless one record is longer.
pub(super) const BLOCK: usize = 1 << 18;

/// Where a text may be cut.
pub(super) trait Cut {
    /// Goes on over `text`, which follows on what it saw before; where the last whole record ends in it, if one does.
    fn last_end(&mut self, text: &[u8]) -> Option<usize>;
}

/// Reads a text and hands it out in blocks.
#[derive(Debug)]
pub(super) struct Cutter<R, C> {
    reader: R,
    cut: C,
    /// What was read beyond the last cut; `cut` has seen it.
    rest: Vec<u8>,
    /// The line on which `rest` begins.
    line: u64,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read, C: Cut> Cutter<R, C> {
    pub(super) fn new(reader: R, cut: C) -> Self {
        Self { reader, cut, rest: Vec::new(), line: 1, ended: false, failed: None }
    }

    /// The line after all that was handed out.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Puts the next whole records into `block`; `false` at the end. After a failure whole records come first.
    pub(super) fn fill(&mut self, block: &mut Block) -> io::Result<bool> {
        let Block { text, line } = block;
        text.clear();
        text.append(&mut self.rest);
        *line = self.line;
        let mut whole = 0;
        while whole < BLOCK && !self.ended && self.failed.is_none() {
            let seen = text.len();
            match self.read(text) {
                Ok(0) => self.ended = true,
                Ok(_) => whole = self.cut.last_end(&text[seen..]).map_or(whole, |end| seen + end),
                Err(error) => self.failed = Some(error),
            }
        }
        if self.ended {
            whole = text.len();
        }
        self.rest.extend_from_slice(&text[whole..]);
        text.truncate(whole);
        self.line += text.iter().filter(|&&byte| byte == b'\n').count() as u64;
        match self.failed.take() {
            Some(error) if text.is_empty() => Err(error),
            failed => {
                self.failed = failed;
                Ok(!text.is_empty())
            }
        }
    }

    /// Appends up to a block's bytes to `text`.
    fn read(&mut self, text: &mut Vec<u8>) -> io::Result<usize> {
        let seen = text.len();
        text.resize(seen + BLOCK / 4, 0);
        let outcome = loop {
            match self.reader.read(&mut text[seen..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        text.truncate(seen + outcome.as_ref().map_or(0, |&n| n));
        outcome
    }
}

/// A record a line.
#[derive(Debug, Default)]
pub(super) struct Lines;

impl Cut for Lines {
    fn last_end(&mut self, text: &[u8]) -> Option<usize> {
        text.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1)
    }
}

/// Records with quoted fields, which may hold line breaks. A quote opens a field at its very beginning only, and is
/// doubled inside.
#[cfg(feature = "csv")]
#[derive(Debug)]
pub(super) struct Quoted {
    separator: u8,
    quote: u8,
    state: State,
}

#[cfg(feature = "csv")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the field was read yet.
    Begin,
    /// Within a field that is not quoted, or behind the quoted part.
    Plain,
    Inside,
    /// Behind a quote inside: the first of two, or the end.
    Closing,
}

#[cfg(feature = "csv")]
impl Quoted {
    pub(super) const fn new(separator: u8, quote: u8) -> Self {
        Self { separator, quote, state: State::Begin }
    }
}

#[cfg(feature = "csv")]
impl Cut for Quoted {
    fn last_end(&mut self, text: &[u8]) -> Option<usize> {
        let mut end = None;
        if !matches!(self.state, State::Inside | State::Closing) && !text.contains(&self.quote) {
            // Without a quote every line break ends a record: the common case, at the speed of memory.
            self.state = match text.last() {
                None => return None,
                Some(&byte) if byte == self.separator || byte == b'\n' || byte == b'\r' => State::Begin,
                Some(_) => State::Plain,
            };
            return Lines.last_end(text);
        }
        for (at, &byte) in text.iter().enumerate() {
            self.state = match self.state {
                State::Inside if byte == self.quote => State::Closing,
                State::Inside => State::Inside,
                State::Closing if byte == self.quote => State::Inside,
                State::Begin if byte == self.quote => State::Inside,
                _ if byte == self.separator || byte == b'\r' => State::Begin,
                _ if byte == b'\n' => {
                    end = Some(at + 1);
                    State::Begin
                }
                _ => State::Plain,
            };
        }
        end
    }
}

#[cfg(all(test, feature = "csv"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Hands out a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(buffer.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    proptest! {
        #[test]
        fn cuts_where_a_parser_ends_records(
            bytes in prop::collection::vec(prop::sample::select(&b"a,\"\n\r"[..]), 0..40),
            drip in 1usize..9,
        ) {
            let mut cut = Quoted::new(b',', b'"');
            let (mut ends, mut seen) = (Vec::new(), 0);
            for part in bytes.chunks(drip) {
                ends.extend(cut.last_end(part).map(|end| seen + end));
                seen += part.len();
            }
            let records = |text: &[u8]| {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
                reader.byte_records().map(|record| record.unwrap()).collect::<Vec<_>>()
            };
            for end in ends {
                let mut parts = records(&bytes[..end]);
                parts.extend(records(&bytes[end..]));
                prop_assert_eq!(parts, records(&bytes), "cut at {}", end);
            }
        }
    }

    #[test]
    fn blocks_are_the_text() {
        let text: Vec<u8> = (0..400_000).flat_map(|n: u32| format!("{n}\n").into_bytes()).collect();
        let mut cutter = Cutter::new(Drip(&text, 100_003), Lines);
        let (mut all, mut block) = (Vec::new(), Block::default());
        while cutter.fill(&mut block).unwrap() {
            assert_eq!(block.line(), 1 + all.iter().filter(|&&b| b == b'\n').count() as u64);
            assert!(block.text().ends_with(b"\n"));
            all.extend_from_slice(block.text());
        }
        assert_eq!(all, text);
    }
}
