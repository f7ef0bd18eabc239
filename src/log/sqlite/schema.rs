//! The file's schema, its versions, and how a file is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::LogError;
use super::failed;

/// "like", in a database's application id.
const APPLICATION: i32 = 0x6c69_6b65;
/// How long to wait for another process.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many prepared statements are kept.
const STATEMENTS: usize = 32;

/// What brings a file from version `i` to `i + 1`.
const MIGRATIONS: [&str; 2] = [
    "
CREATE TABLE event (
  number   INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of arrival, never used again
  received INTEGER NOT NULL,                   -- Unix milliseconds, the shop's clock
  at       INTEGER NOT NULL,                   -- Unix milliseconds, when it happened
  user     TEXT,                               -- profile id as recorded; none for an anonymous visitor
  basis    TEXT,                               -- lawful basis of a profile
  visitor  TEXT,                               -- session id of an anonymous visitor
  item     TEXT NOT NULL,                      -- '' for a search that led nowhere
  kind     TEXT NOT NULL,                      -- view, add_to_cart, purchase, ...
  quantity REAL NOT NULL,
  value    REAL,
  session  TEXT,
  channel  TEXT NOT NULL,
  event_id TEXT,
  query    TEXT,
  CHECK ((user IS NULL) <> (visitor IS NULL))
);
CREATE UNIQUE INDEX event_by_id ON event (event_id) WHERE event_id IS NOT NULL;
CREATE INDEX event_by_user ON event (user) WHERE user IS NOT NULL;
CREATE INDEX event_by_visitor ON event (visitor) WHERE visitor IS NOT NULL;
CREATE TABLE merge (
  space   TEXT NOT NULL CHECK (space IN ('user', 'visitor')),
  id      TEXT NOT NULL,
  account TEXT NOT NULL,
  basis   TEXT NOT NULL,
  PRIMARY KEY (space, id)
) WITHOUT ROWID;
CREATE TABLE log (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  epoch  INTEGER NOT NULL,                     -- raised by everything but appending
  events INTEGER NOT NULL,
  synced INTEGER NOT NULL
);
INSERT INTO log VALUES (1, 0, 0, 0);
",
    "
CREATE TABLE restriction (user TEXT PRIMARY KEY) WITHOUT ROWID;
",
];

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// Opens the file and brings its schema up to date.
pub(super) fn open(path: &Path, access: Access) -> Result<Connection, LogError> {
    let cannot = |error: &rusqlite::Error| LogError::Open { path: path.to_owned(), reason: error.to_string() };
    let mode = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let mut conn = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|e| cannot(&e))?;
    let told = |error: rusqlite::Error| match failed("read", &error) {
        LogError::Io { .. } => cannot(&error),
        other => other,
    };
    conn.busy_timeout(PATIENCE).map_err(told)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    let number = |pragma: &str| conn.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id").map_err(told)?, number("user_version").map_err(told)?);
    let tables: i64 = conn.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(told)?;
    if application != APPLICATION && (application != 0 || tables > 0) {
        return Err(LogError::Foreign { path: path.to_owned(), found: application });
    }
    let supported = MIGRATIONS.len() as i32;
    if version > supported {
        return Err(LogError::Newer { path: path.to_owned(), found: version, supported });
    }
    if access == Access::Write {
        let mode: String = conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(told)?;
        if !mode.eq_ignore_ascii_case("wal") {
            let reason =
                format!("its file system has no write-ahead log (SQLite stays in mode {mode:?}); use a local disk");
            return Err(LogError::Open { path: path.to_owned(), reason });
        }
        conn.pragma_update(None, "secure_delete", "ON").map_err(told)?;
        migrate(&mut conn).map_err(told)?;
    } else if version < supported {
        let reason = format!("schema version {version} must be brought to {supported} by opening it for writing once");
        return Err(LogError::Open { path: path.to_owned(), reason });
    }
    Ok(conn)
}

fn migrate(conn: &mut Connection) -> rusqlite::Result<()> {
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Again, now that nobody else can be at it.
    let version: usize = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for step in MIGRATIONS.iter().skip(version) {
        tx.execute_batch(step)?;
    }
    if version < MIGRATIONS.len() {
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", MIGRATIONS.len() as i32)?;
    }
    tx.commit()
}
