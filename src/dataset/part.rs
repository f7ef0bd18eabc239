//! Events of one block of text, numbered among themselves: what many threads make, and one takes in.
//!
//! A part reads what the builder knew before and knows nothing of the other parts, so no thread waits for another. Keys
//! the builder knew have their numbers at once; those new to it get theirs when the part is taken in, record by record in
//! the order of the text, and so the numbering is that of a single thread. A part's columns are the builder's: what is left
//! to do alone is to number what is new and to copy.

use xxhash_rust::xxh3::xxh3_128;

use super::builder::{DatasetBuilder, OnReject, vet_until};
use super::report::IngestReport;
use super::rows::NO_SESSION;
use super::table::EventTable;
use crate::consent::Shopper;
use crate::event::{Event, EventKind};
use crate::ids::{IdMap, ItemIdx, ShopperMap, TooManyIds, UserIdx};
use crate::source::{Flow, Offered, RejectReason};
use crate::time::Timestamp;

/// A record with keys the builder did not know: where it is, and which of its keys have numbers of the part.
#[derive(Clone, Copy, Debug)]
struct Fresh {
    record: u32,
    user: u32,
    /// Its event, or [`NOTHING`].
    event: u32,
    /// Its search, or [`NOTHING`].
    search: u32,
    keys: u8,
}

/// Bits of [`Fresh::keys`].
const USER: u8 = 1;
const ITEM: u8 = 2;
const SESSION: u8 = 4;
const QUERY: u8 = 8;

const NOTHING: u32 = u32::MAX;

/// The events of a block, and what was refused of it.
#[derive(Debug, Default)]
pub(super) struct Part {
    shoppers: ShopperMap,
    items: IdMap,
    sessions: IdMap,
    queries: IdMap,
    /// Records that were not refused. Those without an event are in `bare`.
    records: u32,
    user: Vec<UserIdx>,
    session: Vec<u32>,
    table: EventTable,
    /// With the record of each.
    searches: Vec<(u32, UserIdx, Timestamp, u32)>,
    /// Records without an item, ascending.
    bare: Vec<u32>,
    fresh: Vec<Fresh>,
    /// The hashed ids of the records with their lines; empty until one has an id, 0 for none.
    ids: Vec<(u128, u64)>,
    /// How many records were there before, the line, and why.
    refused: Vec<(u32, u64, RejectReason)>,
    full: Option<TooManyIds>,
}

impl Part {
    pub(super) fn clear(&mut self) {
        self.shoppers.clear();
        self.items.clear();
        self.sessions.clear();
        self.queries.clear();
        self.records = 0;
        self.user.clear();
        self.session.clear();
        self.table.clear();
        self.searches.clear();
        self.bare.clear();
        self.fresh.clear();
        self.ids.clear();
        self.refused.clear();
    }

    /// Takes one record; its line is the ordinal within the block where the source names none. Stops where a numbering is
    /// full.
    pub(super) fn take(&mut self, builder: &DatasetBuilder, offered: Offered<'_>) -> Flow {
        let ordinal = u64::from(self.records) + self.refused.len() as u64 + 1;
        let line = offered.line.unwrap_or(ordinal);
        let event = match offered.event.and_then(|event| vet_until(&event, builder.as_of).map(|()| event)) {
            Ok(event) => event,
            Err(reason) => {
                self.refused.push((self.records, line, reason));
                return Flow::Continue;
            }
        };
        if let Some(id) = event.id.filter(|id| !id.is_empty()) {
            self.ids.resize(self.records as usize, (0, 0));
            self.ids.push((xxh3_128(id.as_bytes()).max(1), line));
        }
        match self.number(builder, &event) {
            Ok(()) => Flow::Continue,
            Err(full) => {
                self.full = Some(full);
                Flow::Stop
            }
        }
    }

    fn number(&mut self, builder: &DatasetBuilder, event: &Event<'_>) -> Result<(), TooManyIds> {
        let mut fresh = Fresh { record: self.records, user: 0, event: NOTHING, search: NOTHING, keys: 0 };
        let known = match event.shopper {
            Shopper::Profiled(who) => builder.shoppers.profiled(who.user()),
            Shopper::Anonymous { session } => builder.shoppers.anonymous(session),
        };
        let user = match (known, event.shopper) {
            (Some(user), _) => user,
            (None, shopper) => {
                fresh.keys |= USER;
                match shopper {
                    Shopper::Profiled(who) => self.shoppers.intern_profiled(who.user())?,
                    Shopper::Anonymous { session } => self.shoppers.intern_anonymous(session)?,
                }
            }
        };
        fresh.user = user.get();
        let mut number = |known: &IdMap, own: &mut IdMap, key: &str, bit| match known.get(key) {
            Some(number) => Ok(number),
            None => {
                fresh.keys |= bit;
                own.intern(key)
            }
        };
        if let Some(query) = event.query.filter(|query| event.kind == EventKind::Search && !query.is_empty()) {
            let query = number(&builder.queries, &mut self.queries, query, QUERY)?;
            fresh.search = self.searches.len() as u32;
            self.searches.push((self.records, user, event.at, query));
        }
        if event.item.is_empty() {
            self.bare.push(self.records);
        } else {
            let item = number(&builder.items, &mut self.items, event.item, ITEM)?;
            let session = match event.session.filter(|session| !session.is_empty()) {
                Some(session) => number(&builder.sessions, &mut self.sessions, session, SESSION)?,
                None => NO_SESSION,
            };
            fresh.event = self.user.len() as u32;
            self.user.push(user);
            self.session.push(session);
            let value = event.value.unwrap_or(f32::NAN);
            let (item, kind, channel) = (ItemIdx::new(item), event.kind.code(), event.channel.code());
            self.table.push(item, kind, event.at.millis(), event.quantity, value, channel);
        }
        if fresh.keys != 0 {
            self.fresh.push(fresh);
        }
        self.records += 1;
        Ok(())
    }
}

/// The builder's numbers of a part's keys, as far as they were needed.
#[derive(Debug, Default)]
pub(super) struct Numbers {
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
pub(super) enum End {
    Rejected(u64, RejectReason),
    Full(TooManyIds),
}

/// Which records of a part are taken in.
#[derive(Default)]
struct Kept {
    /// Records before this one.
    until: u32,
    /// But for these, ascending.
    not: Vec<u32>,
}

impl DatasetBuilder {
    /// Takes in a part, record by record.
    pub(super) fn take_in(
        &mut self,
        part: &mut Part,
        numbers: &mut Numbers,
        report: &mut IngestReport,
    ) -> Result<(), End> {
        numbers.reset(part);
        let mut kept = Kept::default();
        let outcome = self.settle(part, numbers, report, &mut kept);
        report.offered += u64::from(kept.until) - kept.not.len() as u64;
        report.accepted += u64::from(kept.until) - kept.not.len() as u64;
        self.copy(part, &kept);
        outcome?;
        part.full.take().map_or(Ok(()), |full| Err(End::Full(full)))
    }

    /// Goes over the records that are not plainly known: refused, named by an id, or with keys to be numbered.
    fn settle(
        &mut self,
        part: &mut Part,
        numbers: &mut Numbers,
        report: &mut IngestReport,
        kept: &mut Kept,
    ) -> Result<(), End> {
        let (refused, ids, all) =
            (std::mem::take(&mut part.refused), std::mem::take(&mut part.ids), std::mem::take(&mut part.fresh));
        let (mut refused, mut fresh) = (refused.into_iter().peekable(), all.into_iter().peekable());
        for (record, (id, line)) in (0..).zip(ids) {
            kept.until = record;
            while let Some((_, line, reason)) = refused.next_if(|refused| refused.0 <= record) {
                self.refuse(line, reason, report)?;
            }
            let own = fresh.next_if(|fresh| fresh.record == record);
            if id != 0 && !self.ids.insert(id) {
                self.refuse(line, RejectReason::Duplicate, report)?;
                kept.not.push(record);
            } else if let Some(own) = own {
                self.know(part, own, numbers).map_err(End::Full)?;
            }
        }
        for own in fresh {
            while let Some((before, line, reason)) = refused.next_if(|refused| refused.0 <= own.record) {
                kept.until = before;
                self.refuse(line, reason, report)?;
            }
            kept.until = own.record;
            self.know(part, own, numbers).map_err(End::Full)?;
        }
        for (before, line, reason) in refused {
            kept.until = before;
            self.refuse(line, reason, report)?;
        }
        kept.until = part.records;
        Ok(())
    }

    fn refuse(&self, line: u64, reason: RejectReason, report: &mut IngestReport) -> Result<(), End> {
        report.offered += 1;
        report.reject(line, reason.clone());
        if self.on_reject == OnReject::Stop { Err(End::Rejected(line, reason)) } else { Ok(()) }
    }

    /// Numbers the keys of a record that are new, and writes the numbers where the part's were.
    fn know(&mut self, part: &mut Part, fresh: Fresh, numbers: &mut Numbers) -> Result<(), TooManyIds> {
        let (event, search) = (fresh.event as usize, fresh.search as usize);
        if fresh.keys & USER != 0 {
            let user = UserIdx::new(self.new_user(part, fresh.user, numbers)?);
            part.user.get_mut(event).into_iter().for_each(|of| *of = user);
            part.searches.get_mut(search).into_iter().for_each(|of| of.1 = user);
        }
        if fresh.keys & QUERY != 0 {
            let query = &mut part.searches[search].3;
            *query = number(&mut numbers.queries, &part.queries, &mut self.queries, *query)?;
        }
        if fresh.keys & ITEM != 0 {
            let item = &mut part.table.item.own()[event];
            *item = ItemIdx::new(number(&mut numbers.items, &part.items, &mut self.items, item.get())?);
        }
        if fresh.keys & SESSION != 0 {
            let session = &mut part.session[event];
            *session = number(&mut numbers.sessions, &part.sessions, &mut self.sessions, *session)?;
        }
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

    /// Appends the records that are kept.
    fn copy(&mut self, part: &mut Part, kept: &Kept) {
        if kept.until < part.records || !kept.not.is_empty() {
            part.retain(kept);
        }
        self.user.own().extend_from_slice(&part.user);
        self.session.own().extend_from_slice(&part.session);
        self.table.append(&part.table);
        self.searches.extend(part.searches.iter().map(|&(_, user, at, query)| (user, at, query)));
    }
}

impl Part {
    /// Drops what is not kept.
    fn retain(&mut self, kept: &Kept) {
        let is_kept = |record: u32| record < kept.until && kept.not.binary_search(&record).is_err();
        let mut bare = self.bare.iter().copied().peekable();
        let events = (0..self.records).filter(|&record| bare.next_if_eq(&record).is_none());
        let keep: Vec<bool> = events.map(is_kept).collect();
        let (mut users, mut sessions) = (keep.iter(), keep.iter());
        self.user.retain(|_| users.next() == Some(&true));
        self.session.retain(|_| sessions.next() == Some(&true));
        self.table.retain(&keep);
        self.searches.retain(|search| is_kept(search.0));
    }
}
