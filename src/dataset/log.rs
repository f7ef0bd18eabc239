//! A filled builder read as a log, and written anew in part: what an evaluation learns from, and what it knows.
//!
//! The log is the events as they arrived, before anything was taken back: a purchase that was returned later is still in
//! it. A [`Dataset`] is not: it has applied every return, also those that lie in the future of a cut.

use xxhash_rust::xxh3::Xxh3;

use super::builder::DatasetBuilder;
use super::rows::{NO_SESSION, Order, SessionNumbers, by_row_and_time};
use super::{Dataset, DatasetError};
use crate::event::EventKind;
use crate::ids::{ItemIdx, Lineage, TooManyIds, UserIdx};
use crate::time::Timestamp;

/// The events of a builder by shopper and time.
pub(crate) struct Log<'a> {
    from: &'a DatasetBuilder,
    order: Order,
}

impl<'a> Log<'a> {
    /// `O(events log)`.
    pub(crate) fn new(from: &'a DatasetBuilder) -> Self {
        Self { from, order: by_row_and_time(&from.user, &from.table.at, from.shoppers.len()) }
    }

    pub(crate) fn len(&self) -> usize {
        self.from.table.len()
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.from.shoppers.len()
    }

    /// The places of each row's events, oldest first; of equal times in the order of arrival.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (UserIdx, &[u32])> {
        self.order.rows().enumerate().map(|(row, events)| (UserIdx::new(row as u32), events))
    }

    /// Item numbers of the log itself; they mean nothing in a dataset written from it.
    pub(crate) fn item(&self, event: u32) -> ItemIdx {
        self.from.table.item[event as usize]
    }

    pub(crate) fn kind(&self, event: u32) -> EventKind {
        EventKind::from_code(self.from.table.kind[event as usize])
    }

    pub(crate) fn at(&self, event: u32) -> Timestamp {
        Timestamp::from_millis(self.from.table.at[event as usize])
    }

    pub(crate) fn quantity(&self, event: u32) -> f32 {
        self.from.table.quantity.get(event as usize)
    }

    pub(crate) fn value(&self, event: u32) -> Option<f32> {
        self.from.table.value(event as usize)
    }

    pub(crate) fn times(&self) -> &[i64] {
        &self.from.table.at
    }

    pub(crate) fn is_profiled(&self, row: UserIdx) -> bool {
        self.from.shoppers.is_profiled(row)
    }

    pub(crate) fn row_key(&self, row: UserIdx) -> &'a str {
        self.from.shoppers.key(row).unwrap_or_default()
    }

    pub(crate) fn item_key(&self, item: ItemIdx) -> &'a str {
        self.from.items.key(item.get()).unwrap_or_default()
    }

    pub(crate) fn find_profile(&self, key: &str) -> Option<UserIdx> {
        self.from.shoppers.profiled(key)
    }

    pub(crate) fn find_item(&self, key: &str) -> Option<ItemIdx> {
        self.from.items.get(key).map(ItemIdx::new)
    }

    /// The session of every event, by the rules of a dataset.
    pub(crate) fn sessions(&self) -> Vec<u32> {
        let mut numbers = SessionNumbers::new(self.from.session_gap);
        let mut sessions = vec![0; self.len()];
        for (_, events) in self.rows() {
            numbers.next_row();
            for &event in events {
                let event = event as usize;
                sessions[event] = numbers.number(self.from.session[event], self.from.table.at[event]);
            }
        }
        sessions
    }
}

const NONE: u32 = u32::MAX;

/// Parts of one log written into another builder under a numbering of its own: whoever and whatever was not written has
/// no number there.
pub(crate) struct Rewriter<'a> {
    from: &'a DatasetBuilder,
    to: DatasetBuilder,
    /// By number in the log: the number written under.
    users: Vec<u32>,
    items: Vec<u32>,
    sessions: Vec<u32>,
}

impl<'a> Rewriter<'a> {
    pub(crate) fn new(from: &'a DatasetBuilder) -> Self {
        let to = DatasetBuilder::new(from.lineage).weights(from.weights.clone()).session_gap(from.session_gap);
        Self {
            from,
            to,
            users: vec![NONE; from.shoppers.len()],
            items: vec![NONE; from.items.len()],
            sessions: vec![NONE; from.sessions.len()],
        }
    }

    /// Appends the events that `event` keeps and the searches that `search` keeps, in the order of arrival.
    pub(crate) fn add(
        &mut self,
        event: impl Fn(usize) -> bool,
        search: impl Fn(UserIdx, Timestamp) -> bool,
    ) -> Result<(), TooManyIds> {
        let from = self.from;
        for place in (0..from.table.len()).filter(|&place| event(place)) {
            let user = self.user(from.user[place])?;
            let item = self.item(from.table.item[place])?;
            let session = match from.session[place] {
                NO_SESSION => NO_SESSION,
                key => {
                    let known = &mut self.sessions[key as usize];
                    if *known == NONE {
                        *known = self.to.sessions.intern(from.sessions.key(key).unwrap_or_default())?;
                    }
                    *known
                }
            };
            self.to.user.push(user);
            self.to.session.push(session);
            let (quantity, value) = (from.table.quantity.get(place), from.table.value.get(place).0);
            let (kind, at, channel) = (from.table.kind[place], from.table.at[place], from.table.channel.get(place));
            self.to.table.push(item, kind, at, quantity, value, channel);
        }
        for &(row, at, query) in from.searches.iter().filter(|&&(row, at, _)| search(row, at)) {
            let user = self.user(row)?;
            let query = self.to.queries.intern(from.queries.key(query).unwrap_or_default())?;
            self.to.searches.push((user, at, query));
        }
        Ok(())
    }

    fn user(&mut self, row: UserIdx) -> Result<UserIdx, TooManyIds> {
        let known = &mut self.users[row.as_usize()];
        if *known == NONE {
            let key = self.from.shoppers.key(row).unwrap_or_default();
            let profiled = self.from.shoppers.is_profiled(row);
            let shoppers = &mut self.to.shoppers;
            let new = if profiled { shoppers.intern_profiled(key)? } else { shoppers.intern_anonymous(key)? };
            *known = new.get();
        }
        Ok(UserIdx::new(*known))
    }

    fn item(&mut self, item: ItemIdx) -> Result<ItemIdx, TooManyIds> {
        let known = &mut self.items[item.as_usize()];
        if *known == NONE {
            *known = self.to.items.intern(self.from.items.key(item.get()).unwrap_or_default())?;
        }
        Ok(ItemIdx::new(*known))
    }

    /// What was written.
    pub(super) fn into_builder(self) -> DatasetBuilder {
        self.to
    }

    /// Numbers an item without any event.
    pub(crate) fn mention(&mut self, key: &str) -> Result<(), TooManyIds> {
        self.to.items.intern(key).map(drop)
    }

    /// How many events were written.
    pub(crate) fn len(&self) -> usize {
        self.to.table.len()
    }

    /// Whether there are events, searches, shoppers or items beside those of `data`, which was built from this before.
    pub(crate) fn holds_more_than(&self, data: &Dataset) -> bool {
        let to = &self.to;
        let (events, searches) = (data.n_events() + data.cancelled as usize, data.searches.rows.len());
        to.table.len() > events
            || to.searches.len() > searches
            || to.shoppers.len() > data.n_rows()
            || to.items.len() > data.n_items()
    }

    /// Names the numbering by what is in it, so that no model of another cut, or of the log, is taken for one of this.
    pub(crate) fn name_lineage(&mut self) {
        let mut hash = Xxh3::new();
        hash.update(&self.from.lineage.get().to_le_bytes());
        let keys = self.to.items.iter().chain(
            (0..self.to.shoppers.len()).map(|row| self.to.shoppers.key(UserIdx::new(row as u32)).unwrap_or_default()),
        );
        for key in keys {
            hash.update(key.as_bytes());
            hash.update(&[0xff]); // in no UTF-8 text
        }
        self.to.lineage = Lineage::new(hash.digest());
    }

    /// The dataset of what was written so far, as of `now` (default: the latest event).
    pub(crate) fn build(&mut self, now: Option<Timestamp>) -> Result<Dataset, DatasetError> {
        self.to.as_of = now;
        self.to.build()
    }
}
