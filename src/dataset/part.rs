//! Events of one block of text, numbered among themselves: what many threads make, and one takes in.
//!
//! A part reads what the builder knew before and knows nothing of the other parts, so no thread waits for another. Keys
//! the builder knew have their numbers at once; those new to it get theirs when the part is taken in, event by event in
//! the order of the text, and so the numbering is that of a single thread.
//!
//! Measured 2026-11-22 (`cargo bench --bench ingest -- --threads`: two million events of four columns, medians of five
//! rounds), M events/s on one thread and on two: 2.8 and 4.9. Parts that numbered all their keys among themselves: 1.45 and
//! 1.9, since most keys were then looked up twice, the second time by one thread. One by one, without parts: 3.3.

use xxhash_rust::xxh3::xxh3_128;

use super::builder::{DatasetBuilder, Ended, OnReject, vet_until};
use super::report::{IngestError, IngestReport};
use super::rows::NO_SESSION;
use crate::consent::Shopper;
use crate::event::{Event, EventKind};
use crate::ids::{IdMap, ItemIdx, ShopperMap, TooManyIds, UserIdx};
use crate::run::Run;
use crate::source::{Block, BlockParser, BlockSource, Flow, Offered, RejectReason};
use crate::time::Timestamp;

/// The most blocks parsed in one go. The first go is of [`FIRST`], each next one twice as many: then most keys are known.
const WAVE: usize = 16;
const FIRST: usize = 2;

/// An event with its numbers: the builder's, or those of its part for keys that are `new`.
#[derive(Clone, Copy, Debug)]
struct Row {
    line: u64,
    at: i64,
    user: u32,
    /// [`NOTHING`] for a search without an item.
    item: u32,
    session: u32,
    query: u32,
    quantity: f32,
    value: f32,
    kind: u8,
    channel: u8,
    new: u8,
}

/// Bits of [`Row::new`].
const USER: u8 = 1;
const ITEM: u8 = 2;
const SESSION: u8 = 4;
const QUERY: u8 = 8;

const NOTHING: u32 = u32::MAX;

/// The events of a block, and what was refused of it.
#[derive(Debug, Default)]
struct Part {
    shoppers: ShopperMap,
    items: IdMap,
    sessions: IdMap,
    queries: IdMap,
    rows: Vec<Row>,
    /// The hashed ids of the rows; empty until one has an id, 0 for none.
    ids: Vec<u128>,
    /// How many rows were there before, the line, and why.
    refused: Vec<(usize, u64, RejectReason)>,
    full: Option<TooManyIds>,
}

impl Part {
    fn clear(&mut self) {
        self.shoppers.clear();
        self.items.clear();
        self.sessions.clear();
        self.queries.clear();
        self.rows.clear();
        self.ids.clear();
        self.refused.clear();
    }

    /// Takes one record; its line is the ordinal within the block where the source names none.
    fn take(&mut self, builder: &DatasetBuilder, offered: Offered<'_>) -> Result<(), TooManyIds> {
        let ordinal = (self.rows.len() + self.refused.len()) as u64 + 1;
        let line = offered.line.unwrap_or(ordinal);
        let event = match offered.event.and_then(|event| vet_until(&event, builder.as_of).map(|()| event)) {
            Ok(event) => event,
            Err(reason) => {
                self.refused.push((self.rows.len(), line, reason));
                return Ok(());
            }
        };
        if let Some(id) = event.id.filter(|id| !id.is_empty()) {
            self.ids.resize(self.rows.len(), 0);
            self.ids.push(xxh3_128(id.as_bytes()).max(1));
        }
        let row = self.row(builder, &event, line)?;
        self.rows.push(row);
        Ok(())
    }

    fn row(&mut self, builder: &DatasetBuilder, event: &Event<'_>, line: u64) -> Result<Row, TooManyIds> {
        let mut new = 0;
        let known = match event.shopper {
            Shopper::Profiled(who) => builder.shoppers.profiled(who.user()),
            Shopper::Anonymous { session } => builder.shoppers.anonymous(session),
        };
        let user = match (known, event.shopper) {
            (Some(user), _) => user,
            (None, shopper) => {
                new |= USER;
                match shopper {
                    Shopper::Profiled(who) => self.shoppers.intern_profiled(who.user())?,
                    Shopper::Anonymous { session } => self.shoppers.intern_anonymous(session)?,
                }
            }
        };
        let mut number = |known: &IdMap, own: &mut IdMap, key: Option<&str>, bit| match key.filter(|k| !k.is_empty()) {
            None => Ok(NOTHING),
            Some(key) => known.get(key).map_or_else(
                || {
                    new |= bit;
                    own.intern(key)
                },
                Ok,
            ),
        };
        let query = event.query.filter(|_| event.kind == EventKind::Search);
        Ok(Row {
            line,
            at: event.at.millis(),
            user: user.get(),
            item: number(&builder.items, &mut self.items, Some(event.item), ITEM)?,
            session: number(&builder.sessions, &mut self.sessions, event.session, SESSION)?,
            query: number(&builder.queries, &mut self.queries, query, QUERY)?,
            quantity: event.quantity,
            value: event.value.unwrap_or(f32::NAN),
            kind: event.kind.code(),
            channel: event.channel.code(),
            new,
        })
    }
}

/// The builder's numbers of a part's keys, as far as they were needed.
#[derive(Debug, Default)]
struct Numbers {
    users: Vec<u32>,
    items: Vec<u32>,
    sessions: Vec<u32>,
    queries: Vec<u32>,
}

impl Numbers {
    fn reset(&mut self, part: &Part) {
        let sizes = [part.shoppers.len(), part.items.len(), part.sessions.len(), part.queries.len()];
        let all = [&mut self.users, &mut self.items, &mut self.sessions, &mut self.queries];
        for (numbers, size) in all.into_iter().zip(sizes) {
            numbers.clear();
            numbers.resize(size, NOTHING);
        }
    }
}

/// The number of key `key` of `from` in `to`.
fn number(known: &mut [u32], from: &IdMap, to: &mut IdMap, key: u32) -> Result<u32, TooManyIds> {
    let known = &mut known[key as usize];
    if *known == NOTHING {
        *known = to.intern(from.key(key).unwrap_or_default())?;
    }
    Ok(*known)
}

/// Why no more is taken in.
enum End {
    Rejected(u64, RejectReason),
    Full(TooManyIds),
}

impl DatasetBuilder {
    /// Takes everything `source` offers, parsed on the threads of `run`: the same events under the same numbers, the same
    /// report and the same errors as [`ingest`](Self::ingest), for any number of threads. A source whose records have to
    /// be taken in order is ([`BlockSource::parser`]).
    ///
    /// Memory: what the builder holds, and about 100 bytes an event of 16 blocks of a megabyte of text.
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
                    parser.parse(&texts[n], &mut |offered| match part.take(builder, offered) {
                        Ok(()) => Flow::Continue,
                        Err(full) => {
                            part.full = Some(full);
                            Flow::Stop
                        }
                    });
                },
            );
            for part in &parts[..filled] {
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

    /// Takes in a part, event by event.
    fn take_in(&mut self, part: &Part, numbers: &mut Numbers, report: &mut IngestReport) -> Result<(), End> {
        numbers.reset(part);
        let mut refused = part.refused.iter().peekable();
        for (place, row) in part.rows.iter().enumerate() {
            while let Some((_, line, reason)) = refused.next_if(|refused| refused.0 <= place) {
                self.refuse(*line, reason.clone(), report)?;
            }
            report.offered += 1;
            if part.ids.get(place).is_some_and(|&id| id != 0 && !self.ids.insert(id)) {
                report.offered -= 1;
                self.refuse(row.line, RejectReason::Duplicate, report)?;
                continue;
            }
            self.take_row(part, row, numbers).map_err(End::Full)?;
            report.accepted += 1;
        }
        for (_, line, reason) in refused {
            self.refuse(*line, reason.clone(), report)?;
        }
        part.full.map_or(Ok(()), |full| Err(End::Full(full)))
    }

    fn refuse(&self, line: u64, reason: RejectReason, report: &mut IngestReport) -> Result<(), End> {
        report.offered += 1;
        report.reject(line, reason.clone());
        if self.on_reject == OnReject::Stop { Err(End::Rejected(line, reason)) } else { Ok(()) }
    }

    fn take_row(&mut self, part: &Part, row: &Row, numbers: &mut Numbers) -> Result<(), TooManyIds> {
        let user = match row.new & USER {
            0 => row.user,
            _ => self.new_user(part, row.user, numbers)?,
        };
        let user = UserIdx::new(user);
        if row.query != NOTHING {
            let query = match row.new & QUERY {
                0 => row.query,
                _ => number(&mut numbers.queries, &part.queries, &mut self.queries, row.query)?,
            };
            self.searches.push((user, Timestamp::from_millis(row.at), query));
        }
        if row.item == NOTHING {
            return Ok(());
        }
        let item = match row.new & ITEM {
            0 => row.item,
            _ => number(&mut numbers.items, &part.items, &mut self.items, row.item)?,
        };
        let session = match (row.new & SESSION, row.session) {
            (_, NOTHING) => NO_SESSION,
            (0, session) => session,
            (_, session) => number(&mut numbers.sessions, &part.sessions, &mut self.sessions, session)?,
        };
        self.user.push(user);
        self.session.push(session);
        self.table.push(ItemIdx::new(item), row.kind, row.at, row.quantity, row.value, row.channel);
        Ok(())
    }

    fn new_user(&mut self, part: &Part, user: u32, numbers: &mut Numbers) -> Result<u32, TooManyIds> {
        let known = &mut numbers.users[user as usize];
        if *known == NOTHING {
            let user = UserIdx::new(user);
            let key = part.shoppers.key(user).unwrap_or_default();
            let profiled = part.shoppers.is_profiled(user);
            let shoppers = &mut self.shoppers;
            *known = if profiled { shoppers.intern_profiled(key)? } else { shoppers.intern_anonymous(key)? }.get();
        }
        Ok(*known)
    }
}
