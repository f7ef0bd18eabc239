//! Delimited text in blocks: one reads and cuts, many parse.

use std::io::{self, Read};

use csv::ByteRecord;

use super::super::blocks::{Block, BlockParser, BlockSource, Cut, Cutter, Lines, Quoted};
use super::super::mapping::{Columns, Mapper};
use super::super::text::Watched;
use super::super::{Flow, Offered, SourceError};
use super::{Delimited, Dialect, Input, Wiring, first_line, io_error};
use crate::params::ParamError;

/// Where records end.
#[derive(Debug)]
pub(super) enum Records {
    Lines(Lines),
    Quoted(Quoted),
}

impl Cut for Records {
    fn last_end(&mut self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Lines(lines) => lines.last_end(text),
            Self::Quoted(quoted) => quoted.last_end(text),
        }
    }
}

impl<R: Read> Delimited<R> {
    /// What is left of a source that was begun in blocks.
    pub(super) fn each_of_blocks(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), SourceError> {
        let Some(parser) = self.parser()? else { return Ok(()) };
        let (mut block, mut flow) = (Block::default(), Flow::Continue);
        while flow == Flow::Continue && self.fill(&mut block)? {
            parser.parse(&block, &mut |offered| {
                flow = sink(offered);
                flow
            });
        }
        Ok(())
    }
}

impl<R: Read> BlockSource for Delimited<R> {
    type Parser = DelimitedParser;

    fn parser(&mut self) -> Result<Option<DelimitedParser>, SourceError> {
        if !self.mapper.is_free_of_order() {
            return Ok(None);
        }
        if let Input::Waiting { .. } = self.input {
            let Input::Waiting { reader, dialect, header } = std::mem::replace(&mut self.input, Input::Refused) else {
                return Ok(None);
            };
            let records = match dialect.quote {
                None => Records::Lines(Lines),
                Some(quote) => Records::Quoted(Quoted::new(dialect.separator as u8, quote as u8)),
            };
            let mut cutter = Cutter::new(reader, records);
            let mut first = Block::default();
            let some = cutter.fill(&mut first).map_err(|source| SourceError::read(0, source))?;
            self.layout = Layout { dialect, has_header: header.is_none(), crlf: None };
            if some {
                let mut reader = self.layout.reader(&first)?;
                let header_line = reader.byte_headers().cloned();
                // The first line break of the text tells how lines end; with the header read, it was seen.
                let mut record = ByteRecord::new();
                let _ = reader.read_byte_record(&mut record);
                self.layout.crlf = reader.get_ref().ends_lines();
                let names = match (header, header_line) {
                    (Some(names), _) => names,
                    (None, Ok(read)) => read.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
                    (None, Err(error)) => return Err(SourceError::read(0, io_error(error))),
                };
                self.wire(&names)?;
            }
            self.input = Input::Cutting { cutter: Box::new(cutter), first: some.then_some(first) };
        }
        if !matches!(self.input, Input::Cutting { .. }) {
            return Ok(None);
        }
        let (wiring, columns) = (self.wiring.clone(), self.mapper.columns().clone());
        Ok(Some(DelimitedParser { layout: self.layout, wiring, columns }))
    }

    fn fill(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        let Input::Cutting { cutter, first } = &mut self.input else { return Ok(false) };
        if let Some(first) = first.take() {
            *block = first;
            return Ok(true);
        }
        cutter.fill(block).map_err(|source| SourceError::read(cutter.line(), source))
    }
}

/// Reads what comes before a block, and the block.
type BlockReader<'b> = csv::Reader<Watched<io::Chain<&'b [u8], &'b [u8]>>>;

/// How a text is written, once that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    dialect: Dialect,
    has_header: bool,
    crlf: Option<bool>,
}

impl Layout {
    /// A reader of a block alone. A line break comes before all but the first, so that nothing at its beginning is taken
    /// for the beginning of the text.
    fn reader<'b>(&self, block: &'b Block) -> Result<BlockReader<'b>, ParamError> {
        let is_first = block.line() == 1;
        let before: &[u8] = if is_first { b"" } else { b"\n" };
        let text = Watched::knowing(before.chain(block.text()), self.crlf);
        Ok(self.dialect.reader()?.has_headers(self.has_header && is_first).from_reader(text))
    }
}

/// Parses blocks of delimited text.
#[derive(Debug)]
pub struct DelimitedParser {
    layout: Layout,
    wiring: Wiring,
    columns: Columns,
}

impl BlockParser for DelimitedParser {
    fn parse(&self, block: &Block, sink: &mut dyn FnMut(Offered<'_>) -> Flow) {
        // Both were checked before, and reading memory does not fail.
        let (Ok(mut mapper), Ok(mut reader)) = (Mapper::new(self.columns.clone()), self.layout.reader(block)) else {
            return;
        };
        let (mut record, mut copy) = (ByteRecord::new(), String::new());
        let mut spans = vec![0..0; self.columns.n_slots()];
        let before = block.line().saturating_sub(2);
        while let Ok(true) = reader.read_byte_record(&mut record) {
            let event = match self.wiring.text(&record, &mut spans, &mut copy) {
                Ok(text) => mapper.event(text, &spans),
                Err(reason) => Err(reason),
            };
            let line = first_line(&reader, &record);
            let line = if block.line() == 1 { line } else { before + line };
            if sink(Offered { line: Some(line), event }) == Flow::Stop {
                return;
            }
        }
    }
}
