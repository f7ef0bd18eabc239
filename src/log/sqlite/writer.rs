//! The one writing connection of a process, and the transactions its threads share.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, params};

use super::super::{Appended, Cursor, Durability, LogError};
use super::failed;
use super::schema::PATIENCE;
use crate::consent::Shopper;
use crate::dataset::vet;
use crate::event::Event;
use crate::source::RejectReason;
use crate::time::Timestamp;

const INSERT: &str = "INSERT INTO event \
    (received, at, user, basis, visitor, item, kind, quantity, value, session, channel, event_id, query) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
/// Asked before an insert that could fail: a failed one would use up a number.
const KNOWN: &str = "SELECT 1 FROM event WHERE event_id = ?1";

/// Merges that are followed from one identity.
const LINKS: usize = 1 << 16;

/// The writing side. Batches of several threads join one transaction, which whoever comes first commits for all.
pub(super) struct Writer {
    conn: Connection,
    open: Option<Shared>,
    /// Transactions begun.
    begun: u64,
    /// All transactions up to this number are over.
    settled: u64,
    /// Those of them that were lost, why, and how many batches are still to be told.
    lost: BTreeMap<u64, (String, u64)>,
    /// What `PRAGMA synchronous` says.
    synced: bool,
    /// Whether the journal may hold what was taken away.
    unscrubbed: bool,
}

/// A transaction that is not committed yet.
struct Shared {
    number: u64,
    synced: bool,
    batches: u64,
    events: u64,
}

/// How a transaction ended.
pub(super) enum Outcome {
    Pending,
    Kept,
    Lost,
}

impl Writer {
    pub(super) fn new(conn: Connection) -> Result<Self, LogError> {
        conn.pragma_update(None, "synchronous", "FULL").map_err(|e| failed("written", &e))?;
        // On macOS a sync ends in the drive's cache unless it is asked to go on; elsewhere this does nothing.
        conn.pragma_update(None, "fullfsync", "ON").map_err(|e| failed("written", &e))?;
        let lost = BTreeMap::new();
        let mut writer = Self { conn, open: None, begun: 0, settled: 0, lost, synced: true, unscrubbed: true };
        // A process that was killed between an erasure and the end of it leaves its journal. Who reads now is not waited for.
        let _ = writer.scrub(Duration::ZERO);
        Ok(writer)
    }

    /// Adds a batch to the transaction of this moment and returns its number.
    pub(super) fn add(
        &mut self,
        batch: &[Event<'_>],
        received: Timestamp,
        durability: Durability,
    ) -> Result<(Appended, u64), LogError> {
        self.join(durability >= Durability::Disk)?;
        match self.insert(batch, received) {
            Ok(appended) => {
                let number = self.open.as_mut().map_or(0, |tx| {
                    tx.batches += 1;
                    tx.events += appended.accepted;
                    tx.number
                });
                Ok((appended, number))
            }
            Err(error) => {
                self.give_up_batch(&error);
                Err(failed("written", &error))
            }
        }
    }

    fn insert(&mut self, batch: &[Event<'_>], received: Timestamp) -> rusqlite::Result<Appended> {
        self.conn.prepare_cached("SAVEPOINT batch")?.execute([])?;
        let mut appended = Appended::default();
        {
            let mut known = self.conn.prepare_cached(KNOWN)?;
            let mut insert = self.conn.prepare_cached(INSERT)?;
            let somebody_rests = self.conn.prepare_cached("SELECT 1 FROM restriction LIMIT 1")?.exists([])?;
            for (place, event) in batch.iter().enumerate() {
                if let Err(reason) = vet(event) {
                    appended.rejected.push((place, reason));
                    continue;
                }
                if somebody_rests && rests(&self.conn, event.shopper)? {
                    appended.rejected.push((place, RejectReason::Restricted));
                    continue;
                }
                let id = event.id.filter(|id| !id.is_empty());
                if let Some(id) = id
                    && known.exists([id])?
                {
                    appended.duplicates.push(place);
                    continue;
                }
                let (user, basis, visitor) = match event.shopper {
                    Shopper::Profiled(who) => (Some(who.user()), Some(who.basis().as_str()), None),
                    Shopper::Anonymous { session } => (None, None, Some(session)),
                };
                let kind = event.kind.name().map_or_else(|| Cow::Owned(event.kind.to_string()), Cow::Borrowed);
                let (channel, quantity) = (event.channel.as_str(), event.quantity);
                insert.execute(params![
                    received.millis(),
                    event.at.millis(),
                    user,
                    basis,
                    visitor,
                    event.item,
                    kind,
                    quantity,
                    event.value,
                    event.session,
                    channel,
                    id,
                    event.query,
                ])?;
                appended.accepted += 1;
            }
        }
        appended.end = Cursor::new(last_number(&self.conn)?);
        self.conn.prepare_cached("RELEASE batch")?.execute([])?;
        Ok(appended)
    }

    fn join(&mut self, synced: bool) -> Result<(), LogError> {
        if self.open.as_ref().is_some_and(|tx| synced && !tx.synced) {
            self.commit(); // it was begun for batches that ask for less
        }
        if self.open.is_some() {
            return Ok(());
        }
        self.begin(synced).map_err(|e| failed("written", &e))?;
        self.begun += 1;
        self.open = Some(Shared { number: self.begun, synced, batches: 0, events: 0 });
        Ok(())
    }

    fn begin(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.synced != synced {
            self.conn.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
            self.synced = synced;
        }
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
    }

    /// After an error: takes the batch out, or notes that the whole transaction is gone.
    fn give_up_batch(&mut self, why: &rusqlite::Error) {
        let Some(tx) = &self.open else { return };
        let whole = self.conn.is_autocommit(); // SQLite rolled everything back, as on a full disk
        let kept = !whole && self.conn.execute_batch("ROLLBACK TO batch; RELEASE batch").is_ok();
        if kept && tx.batches > 0 {
            return;
        }
        self.roll_back(why.to_string());
    }

    fn roll_back(&mut self, why: String) {
        let Some(tx) = self.open.take() else { return };
        if !self.conn.is_autocommit() {
            // If even that fails, the connection rolls back when the next transaction begins.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        self.settled = tx.number;
        if tx.batches > 0 {
            // Kept until each of its threads came for it: one that finds nothing here takes its batch for kept.
            self.lost.insert(tx.number, (why, tx.batches));
        }
    }

    /// Ends the transaction of this moment, if there is one.
    pub(super) fn commit(&mut self) {
        let Some(tx) = &self.open else { return };
        let commit = || -> rusqlite::Result<()> {
            self.conn.prepare_cached("UPDATE log SET events = events + ?1")?.execute([tx.events])?;
            self.conn.prepare_cached("COMMIT")?.execute([]).map(drop)
        };
        match commit() {
            Ok(()) => {
                self.settled = tx.number;
                self.open = None;
            }
            Err(error) => self.roll_back(error.to_string()),
        }
    }

    pub(super) fn outcome(&self, number: u64) -> Outcome {
        if number > self.settled {
            Outcome::Pending
        } else if self.lost.contains_key(&number) {
            Outcome::Lost
        } else {
            Outcome::Kept
        }
    }

    /// What a thread whose transaction was lost is told, once.
    pub(super) fn why_lost(&mut self, number: u64) -> LogError {
        let mut reason = "the transaction was lost".to_owned();
        if let Some((why, untold)) = self.lost.get_mut(&number) {
            reason.clone_from(why);
            *untold -= 1;
            if *untold == 0 {
                self.lost.remove(&number);
            }
        }
        LogError::Io { action: "written", reason }
    }

    /// Empties the journal, so that it holds nothing that was erased from the tables (where it is overwritten); `false` when
    /// a reader would not let it.
    pub(super) fn scrub(&mut self, patience: Duration) -> Result<bool, LogError> {
        self.unscrubbed = true;
        let conn = self.idle();
        let checkpoint = || {
            conn.busy_timeout(patience)?;
            conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        };
        let busy = checkpoint();
        conn.busy_timeout(PATIENCE).map_err(|e| failed("written", &e))?;
        let done = match busy.map_err(|e| failed("written", &e)) {
            Ok(busy) => busy == 0,
            Err(LogError::Busy) => false,
            Err(error) => return Err(error),
        };
        self.unscrubbed = !done;
        Ok(done)
    }

    /// Whether the journal may hold what was taken away.
    pub(super) fn is_unscrubbed(&self) -> bool {
        self.unscrubbed
    }

    /// Does something else in a synced transaction of its own.
    pub(super) fn alone<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, LogError>) -> Result<T, LogError> {
        self.commit();
        self.begin(true).map_err(|e| failed("written", &e))?;
        let done = work(&self.conn).and_then(|done| {
            self.conn.execute_batch("COMMIT").map_err(|e| failed("written", &e))?;
            Ok(done)
        });
        if done.is_err() && !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        done
    }

    /// The connection outside of any transaction.
    pub(super) fn idle(&mut self) -> &Connection {
        self.commit();
        &self.conn
    }
}

/// [`Aliases::is_restricted`](crate::log::Aliases::is_restricted) without reading all merges.
fn rests(conn: &Connection, shopper: Shopper<'_>) -> rusqlite::Result<bool> {
    use rusqlite::OptionalExtension;
    let mut restricted = conn.prepare_cached("SELECT 1 FROM restriction WHERE user = ?1")?;
    let mut merged = conn.prepare_cached("SELECT account FROM merge WHERE space = ?1 AND id = ?2")?;
    let (mut space, mut id) = match shopper {
        Shopper::Profiled(who) => ("user", Cow::Borrowed(who.user())),
        Shopper::Anonymous { session } => ("visitor", Cow::Borrowed(session)),
    };
    // A file from elsewhere might hold a circle; an honest chain is a few links long.
    for _ in 0..LINKS {
        if space == "user" && restricted.exists([&*id])? {
            return Ok(true);
        }
        let Some(account) = merged.query_row(params![space, &*id], |row| row.get::<_, String>(0)).optional()? else {
            return Ok(false);
        };
        (space, id) = ("user", Cow::Owned(account));
    }
    Ok(false)
}

/// The number of the latest event ever kept.
pub(super) fn last_number(conn: &Connection) -> rusqlite::Result<u64> {
    use rusqlite::OptionalExtension;
    let mut last = conn.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'event'")?;
    Ok(last.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}
