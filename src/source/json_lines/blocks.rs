//! JSON lines in blocks: one reads and cuts, many parse.

use std::io::{self, BufRead, Read};

use super::super::blocks::{Block, BlockParser, BlockSource, Cutter, Lines};
use super::super::mapping::{Columns, Mapper};
use super::super::{Flow, Offered, RejectReason, SourceError};
use super::{Found, Input, JsonLines, MAX_LINE, Node, content};

impl<R: BufRead> BlockSource for JsonLines<R> {
    type Parser = JsonLinesParser;

    fn parser(&mut self) -> Result<Option<JsonLinesParser>, SourceError> {
        if !self.mapper.is_free_of_order() || self.number > 0 {
            return Ok(None);
        }
        self.input = match std::mem::replace(&mut self.input, Input::Moving) {
            Input::Lines(reader) => Input::Blocks(Cutter::new(Short { reader, length: 0 }, Lines)),
            other => other,
        };
        Ok(Some(JsonLinesParser { columns: self.mapper.columns().clone(), tree: self.tree.clone() }))
    }

    fn fill(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        match &mut self.input {
            Input::Blocks(cutter) => cutter.fill(block).map_err(|source| SourceError::read(cutter.line() - 1, source)),
            _ => Ok(false),
        }
    }
}

/// A text of which no line is longer than one byte too long: what is beyond is skipped, not held.
#[derive(Debug)]
pub(super) struct Short<R> {
    reader: R,
    /// Bytes of the line so far.
    length: u64,
}

impl<R: BufRead> Read for Short<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let text = self.reader.fill_buf()?;
            let n = text.len().min(buffer.len());
            let text = &text[..n];
            if n == 0 {
                return Ok(0);
            }
            if self.length + (n as u64) <= MAX_LINE {
                buffer[..n].copy_from_slice(text);
                self.length = match text.iter().rposition(|&byte| byte == b'\n') {
                    Some(at) => (n - 1 - at) as u64,
                    None => self.length + n as u64,
                };
                self.reader.consume(n);
                return Ok(n);
            }
            // The line may become too long here: go on by lines.
            let line = text.iter().position(|&byte| byte == b'\n').map_or(n, |at| at + 1);
            let ends = text[line - 1] == b'\n';
            let room = usize::try_from((MAX_LINE + 1).saturating_sub(self.length)).unwrap_or(usize::MAX);
            let kept = if ends { (line - 1).min(room) } else { line.min(room) };
            buffer[..kept].copy_from_slice(&text[..kept]);
            let total = if ends { kept + 1 } else { kept };
            if ends {
                buffer[kept] = b'\n';
            }
            self.length = if ends { 0 } else { self.length + kept as u64 };
            self.reader.consume(line);
            if total > 0 {
                return Ok(total);
            }
        }
    }
}

/// Parses blocks of JSON lines.
#[derive(Debug)]
pub struct JsonLinesParser {
    columns: Columns,
    tree: Node,
}

impl BlockParser for JsonLinesParser {
    fn parse(&self, block: &Block, sink: &mut dyn FnMut(Offered<'_>) -> Flow) {
        let Ok(mut mapper) = Mapper::new(self.columns.clone()) else { return }; // it was checked before
        let mut found = Found { spans: vec![0..0; self.columns.n_slots()], ..Found::default() };
        for (number, line) in (block.line()..).zip(block.text().split_inclusive(|&byte| byte == b'\n')) {
            let whole = line.len() as u64 <= MAX_LINE && (line.ends_with(b"\n") || (line.len() as u64) < MAX_LINE);
            let text = content(line, number);
            if whole && text.is_empty() {
                continue;
            }
            let event = match whole.then(|| found.read(&self.tree, text)) {
                None => Err(RejectReason::Malformed),
                Some(Ok(())) => mapper.event(&found.text, &found.spans),
                Some(Err(reason)) => Err(reason),
            };
            if sink(Offered { line: Some(number), event }) == Flow::Stop {
                return;
            }
        }
    }
}
