//! A log in one SQLite file.
//!
//! *When to use it:* the default for a shop: one file that survives `kill -9`, that several processes may read while one
//! writes, and that every database tool opens. *When not:* several machines that write; then give [`EventLog`] to the
//! database you have.
//!
//! *Cost:* an append is one insert an event into a table and its indexes; appends of several threads share one commit
//! (group commit), so that a synced write to the disk is paid once for all of them. A scan reads the table in order.
//!
//! # The file
//!
//! `application_id` is `0x6c696b65`, `user_version` the schema's version. Table `event`, a row an event:
//!
//! | column | type | what |
//! |---|---|---|
//! | `number` | integer | order of arrival, never used again |
//! | `received`, `at` | integer | Unix milliseconds: recorded, happened |
//! | `user`, `basis` | text | profile id as recorded, and the lawful basis; none for anonymous visitors |
//! | `visitor` | text | session id of an anonymous visitor, in a namespace of its own |
//! | `item`, `kind` | text | `''` for a search that led nowhere; `view`, `add_to_cart`, `purchase`, ... |
//! | `quantity`, `value` | real | units; price of a unit or rating |
//! | `session`, `channel`, `event_id`, `query` | text | |
//!
//! Table `merge` (`space`, `id`, `account`, `basis`) says which identity belongs to which account, table `restriction`
//! (`user`) whose profile must not be used; table `log` holds the epoch and the number of events. Three questions for the `sqlite3` shell:
//!
//! ```sql
//! -- what sold best last week
//! SELECT item, SUM(quantity) AS units FROM event WHERE kind = 'purchase' AND at > (unixepoch() - 604800) * 1000
//! GROUP BY item ORDER BY units DESC LIMIT 10;
//! -- events a day
//! SELECT date(at / 1000, 'unixepoch') AS day, kind, COUNT(*) FROM event GROUP BY day, kind;
//! -- what is held about one shopper, merged devices included
//! WITH RECURSIVE who(space, id) AS (SELECT 'user', 'ann' UNION
//!   SELECT merge.space, merge.id FROM merge JOIN who ON who.space = 'user' AND merge.account = who.id)
//! SELECT event.* FROM event JOIN who ON (space = 'user' AND user = id) OR (space = 'visitor' AND visitor = id);
//! ```

mod reader;
mod schema;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, params};

use super::alias::{Aliases, Identity, Space, check_id};
use super::{Appended, Cursor, Durability, Erasure, EventLog, LogError, LogState, Logged, Retention, Scan};
use crate::consent::{Consented, Shopper};
use crate::event::Event;
use crate::source::Flow;
use crate::time::Timestamp;
use schema::Access;
use writer::{Outcome, Writer, last_number};

/// How long an erasure waits for readers, and with it everybody who writes.
const ERASURE_WAITS: Duration = Duration::from_secs(1);
/// How often a thread lets others join its transaction before it commits.
const PATIENCE: u32 = 64;

/// A log in one SQLite file. See the [module documentation](crate::log) for the laws of logs.
///
/// | asked for | what SQLite does | what it survives |
/// |---|---|---|
/// | [`Durability::Memory`], [`Durability::Os`] | `synchronous = NORMAL`: a commit is written to the journal (WAL) and not synced | the end of the process, `kill -9` included |
/// | [`Durability::Disk`] | `synchronous = FULL` (and `fullfsync` on macOS): the journal is synced before the commit is acknowledged | the end of the machine's power, as far as the disk tells the truth |
///
/// All three are one transaction of all threads that append at that moment (group commit); a batch that asks for the disk
/// never joins one that was begun for less. [`sync`](EventLog::sync) is a commit of the second kind.
///
/// # Example
/// ```
/// use likewise::{Consented, Event, EventKind, LawfulBasis, Shopper, Timestamp};
/// use likewise::log::{Durability, EventLog, SqliteLog};
/// # let dir = std::env::temp_dir().join(format!("likewise-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let path = dir.join("shop.db");
/// let log = SqliteLog::open(&path)?;
/// let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
/// let now = Timestamp::from_secs(1_700_000_000);
/// log.append(&[Event::new(ann, "mug", EventKind::Purchase, now).id("order-1/1")], now, Durability::Disk)?;
/// drop(log);
/// assert_eq!(SqliteLog::open(&path)?.state()?.events, 1);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteLog {
    path: PathBuf,
    writer: Option<Mutex<Writer>>,
    /// Threads on their way to the writer.
    arriving: AtomicUsize,
    /// Connections that read nothing at the moment.
    readers: Mutex<Vec<Connection>>,
}

impl SqliteLog {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// [`LogError::Open`], [`LogError::Foreign`], [`LogError::Newer`], [`LogError::Damaged`], [`LogError::Busy`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref().to_owned();
        let writer = Writer::new(schema::open(&path, Access::Write)?)?;
        Ok(Self { path, writer: Some(Mutex::new(writer)), arriving: AtomicUsize::new(0), readers: Mutex::default() })
    }

    /// Opens a file that another process writes. Everything but reading is [`LogError::ReadOnly`].
    ///
    /// # Errors
    /// As [`open`](SqliteLog::open); also when there is no file.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, LogError> {
        let path = path.as_ref().to_owned();
        let readers = Mutex::new(vec![schema::open(&path, Access::Read)?]);
        Ok(Self { path, writer: None, arriving: AtomicUsize::new(0), readers })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, LogError> {
        let writer = self.writer.as_ref().ok_or(LogError::ReadOnly)?;
        self.arriving.fetch_add(1, Ordering::Relaxed);
        let guard = writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.arriving.fetch_sub(1, Ordering::Relaxed);
        Ok(guard)
    }

    /// Calls `work` with a connection that sees one state of the file.
    fn reading<T>(&self, work: impl FnOnce(&Connection) -> Result<T, LogError>) -> Result<T, LogError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = idle.map_or_else(|| schema::open(&self.path, Access::Read), Ok)?;
        conn.execute_batch("BEGIN").map_err(|e| failed("read", &e))?;
        let done = work(&conn);
        if conn.execute_batch("ROLLBACK").is_ok() {
            self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
        done
    }
}

impl EventLog for SqliteLog {
    fn append(&self, batch: &[Event<'_>], received: Timestamp, durability: Durability) -> Result<Appended, LogError> {
        let (appended, number) = self.writer()?.add(batch, received, durability)?;
        // Whoever is on the way may join; then the first of us to come back commits for all.
        for _ in 0..PATIENCE {
            if self.arriving.load(Ordering::Relaxed) == 0 {
                break;
            }
            std::thread::yield_now();
        }
        let mut writer = self.writer()?;
        if let Outcome::Pending = writer.outcome(number) {
            writer.commit();
        }
        match writer.outcome(number) {
            Outcome::Kept => Ok(appended),
            Outcome::Pending | Outcome::Lost => Err(writer.why_lost(number)),
        }
    }

    fn scan(&self, scan: Scan<'_>, sink: &mut dyn FnMut(Logged<'_>) -> Flow) -> Result<Cursor, LogError> {
        self.reading(|conn| reader::scan(conn, scan, sink))
    }

    fn merge(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LogError> {
        self.writer()?.alone(|conn| {
            if reader::aliases(conn)?.link(from, into)? {
                let Identity { profiled, key } = Identity::of(from);
                let row = params![profiled.as_str(), key, into.user(), into.basis().as_str()];
                changed(conn, "INSERT INTO merge (space, id, account, basis) VALUES (?1, ?2, ?3, ?4)", row)?;
                raise_epoch(conn)?;
            }
            Ok(())
        })
    }

    fn unmerge(&self, from: Shopper<'_>) -> Result<(), LogError> {
        self.writer()?.alone(|conn| {
            let Identity { profiled, key } = Identity::of(from);
            if changed(conn, "DELETE FROM merge WHERE space = ?1 AND id = ?2", params![profiled.as_str(), key])? == 0 {
                return Err(LogError::NotMerged { from: key.into() });
            }
            raise_epoch(conn)
        })
    }

    fn restrict(&self, user: &str) -> Result<(), LogError> {
        check_id("the user", user)?;
        self.writer()?.alone(|conn| {
            match changed(conn, "INSERT OR IGNORE INTO restriction (user) VALUES (?1)", params![user])? {
                0 => Ok(()),
                _ => raise_epoch(conn),
            }
        })
    }

    fn lift(&self, user: &str) -> Result<(), LogError> {
        self.writer()?.alone(|conn| match changed(conn, "DELETE FROM restriction WHERE user = ?1", params![user])? {
            0 => Ok(()),
            _ => raise_epoch(conn),
        })
    }

    fn erase(&self, user: &str) -> Result<Erasure, LogError> {
        check_id("the user", user)?;
        let mut writer = self.writer()?;
        let erasure = writer.alone(|conn| {
            let identities = reader::aliases(conn)?.identities(user);
            let mut erasure = Erasure { identities: identities.len() as u64 - 1, ..Erasure::default() };
            for Identity { profiled, key } in &identities {
                reader::tally(conn, *profiled, key, &mut erasure)?;
                let events = format!("DELETE FROM event WHERE {} = ?1", profiled.as_str());
                changed(conn, &events, params![key])?;
                changed(conn, "DELETE FROM merge WHERE space = ?1 AND id = ?2", params![profiled.as_str(), key])?;
                if *profiled == Space::Profile {
                    changed(conn, "DELETE FROM restriction WHERE user = ?1", params![key])?;
                }
            }
            changed(conn, "UPDATE log SET events = events - ?1", params![erasure.events])?;
            raise_epoch(conn)?;
            Ok(erasure)
        })?;
        match writer.scrub(ERASURE_WAITS) {
            Ok(true) => Ok(erasure),
            Ok(false) => Err(LogError::NotScrubbed { erasure: Box::new(erasure) }),
            Err(error) => Err(error),
        }
    }

    fn expire(&self, retention: &Retention, now: Timestamp) -> Result<u64, LogError> {
        let mut writer = self.writer()?;
        let expired = writer.alone(|conn| {
            let mut expired = 0;
            for (kind, horizon) in retention.horizons(now) {
                let gone = params![kind.to_string(), horizon.millis()];
                expired += changed(conn, "DELETE FROM event WHERE kind = ?1 AND at < ?2", gone)?;
            }
            if expired > 0 {
                changed(conn, "UPDATE log SET events = events - ?1", params![expired])?;
                raise_epoch(conn)?;
            }
            Ok(expired)
        })?;
        // Emptying the journal waits for readers: only if there is something to empty it of. Those that stay are no reason
        // to fail; the next one tries again.
        if expired > 0 || writer.is_unscrubbed() {
            writer.scrub(Duration::ZERO)?;
        }
        Ok(expired)
    }

    fn sync(&self) -> Result<(), LogError> {
        // A synced commit syncs all that was written to the journal before.
        self.writer()?.alone(|conn| changed(conn, "UPDATE log SET synced = synced + 1", params![]).map(drop))
    }

    fn compact(&self) -> Result<(), LogError> {
        let mut writer = self.writer()?;
        writer.idle().execute_batch("VACUUM").map_err(|e| failed("written", &e))?;
        if writer.scrub(schema::PATIENCE)? { Ok(()) } else { Err(LogError::NotScrubbed { erasure: Box::default() }) }
    }

    fn check(&self) -> Result<(), LogError> {
        self.reading(reader::check)
    }

    fn merges(&self) -> Result<Aliases, LogError> {
        self.reading(reader::aliases)
    }

    fn state(&self) -> Result<LogState, LogError> {
        self.reading(|conn| {
            let read = |e: rusqlite::Error| failed("read", &e);
            let (epoch, events) = conn
                .query_row("SELECT epoch, events FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))
                .map_err(read)?;
            Ok(LogState { end: Cursor::new(last_number(conn).map_err(read)?), events, epoch })
        })
    }
}

impl Space {
    fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "user",
            Self::Session => "visitor",
        }
    }
}

fn changed(conn: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<u64, LogError> {
    conn.execute(sql, params).map(|n| n as u64).map_err(|e| failed("written", &e))
}

fn raise_epoch(conn: &Connection) -> Result<(), LogError> {
    changed(conn, "UPDATE log SET epoch = epoch + 1", params![]).map(drop)
}

/// What an error of SQLite means.
fn failed(action: &'static str, error: &rusqlite::Error) -> LogError {
    let reason = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LogError::Busy,
        Some(ErrorCode::ReadOnly) => LogError::ReadOnly,
        Some(ErrorCode::DiskFull) => LogError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => LogError::Damaged { reason },
        _ => LogError::Io { action, reason },
    }
}

impl std::fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteLog").field("path", &self.path).finish_non_exhaustive()
    }
}
