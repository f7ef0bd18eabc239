//! Taking in text on many threads: one reads and cuts, all parse, one takes in.
//!
//! Measured (`cargo bench --bench ingest -- --threads`: two million events of four columns, medians), M events/s one by one,
//! in blocks on one thread and on two: 4.1, 3.4 and 5.9 (2026-11-23). Parts of rows instead of columns, blocks of a megabyte
//! and keys in the arena only: 3.3, 2.8 and 4.9. Parts that numbered all their keys among themselves: 1.45 and 1.9, since most
//! keys were then looked up twice, the second time by one thread.

use super::builder::{DatasetBuilder, Ended};
use super::part::{End, Numbers, Part};
use super::report::{IngestError, IngestReport};
use crate::run::Run;
use crate::source::{Block, BlockParser, BlockSource};

/// The most blocks parsed in one go. The first go is of [`FIRST`], each next one twice as many: then most keys are known.
const WAVE: usize = 16;
const FIRST: usize = 2;

impl DatasetBuilder {
    /// Takes everything `source` offers, parsed on the threads of `run`: the same events under the same numbers, the same
    /// report and the same errors as [`ingest`](Self::ingest), for any number of threads. A source whose records have to
    /// be taken in order is ([`BlockSource::parser`]).
    ///
    /// Memory: what the builder holds, and the text and up to 60 bytes an event of 16 blocks of a quarter of a megabyte.
    ///
    /// # Errors
    /// As [`ingest`](Self::ingest).
    ///
    /// # Example
    /// ```
    /// use likewise::{Columns, DatasetBuilder, Delimited, LawfulBasis, Run, TimeFormat};
    /// let text = "when,who,what\n2010-12-01 08:26:00,ann,mug\n2010-12-01 08:28:00,bob,mug\n";
    /// let columns = Columns::new("who", "what", LawfulBasis::Contract).time("when", TimeFormat::Auto);
    /// let mut builder = DatasetBuilder::default();
    /// let source = Delimited::from_reader(text.as_bytes(), columns)?;
    /// assert_eq!(builder.ingest_parallel(source, &Run::default())?.accepted, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ingest_parallel<S: BlockSource>(
        &mut self,
        source: S,
        run: &Run<'_>,
    ) -> Result<IngestReport, IngestError<S::Error>> {
        let unwatched = &mut |_: &mut Self| Ok::<(), std::convert::Infallible>(());
        self.ingest_parallel_watched(source, run, WAVE, unwatched).map_err(Ended::unwatched)
    }

    /// [`ingest_parallel`](Self::ingest_parallel) of at most `most` blocks in one go, which calls `watch` after each go and
    /// ends when that fails.
    pub(super) fn ingest_parallel_watched<S: BlockSource, X>(
        &mut self,
        mut source: S,
        run: &Run<'_>,
        most: usize,
        watch: &mut impl FnMut(&mut Self) -> Result<(), X>,
    ) -> Result<IngestReport, Ended<S::Error, X>> {
        let mut report = IngestReport::default();
        let most = most.clamp(1, WAVE);
        let parser = match source.parser() {
            Ok(Some(parser)) => parser,
            Ok(None) => return self.ingest_watched(source, watch),
            Err(source) => return Err(IngestError::Source { source, report: Box::new(report) }.into()),
        };
        let mut blocks: Vec<Block> = (0..most).map(|_| Block::default()).collect();
        let mut parts: Vec<Part> = Vec::new();
        let (mut numbers, mut wave) = (Numbers::default(), FIRST.min(most));
        loop {
            let (mut filled, mut failed) = (0, None);
            while filled < wave && failed.is_none() {
                match source.fill(&mut blocks[filled]) {
                    Ok(true) => filled += 1,
                    Ok(false) => break,
                    Err(error) => failed = Some(error),
                }
            }
            parts.resize_with(parts.len().max(filled), Part::default);
            let (builder, texts) = (&*self, &blocks[..filled]);
            run.threads.for_chunks(
                &mut parts[..filled],
                1,
                || (),
                |(), n, part| {
                    let part = &mut part[0];
                    part.clear();
                    parser.parse(&texts[n], &mut |offered| part.take(builder, offered));
                },
            );
            for part in &mut parts[..filled] {
                match self.take_in(part, &mut numbers, &mut report) {
                    Ok(()) => {}
                    Err(End::Full(full)) => return Err(IngestError::Full(full).into()),
                    Err(End::Rejected(line, reason)) => {
                        return Err(IngestError::Rejected { line, reason, report: Box::new(report) }.into());
                    }
                }
            }
            if let Err(error) = watch(self) {
                return Err(Ended::Watch(error, Box::new(report)));
            }
            match failed {
                Some(source) => return Err(IngestError::Source { source, report: Box::new(report) }.into()),
                None if filled < wave => return Ok(report),
                None => wave = most.min(2 * wave),
            }
        }
    }
}
