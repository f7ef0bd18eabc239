//! Reading: scans, merges, integrity.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, Row, params_from_iter};

use super::super::alias::{Aliases, Identity, Space};
use super::super::{Cursor, Erasure, LogError, Logged, Scan};
use super::failed;
use super::writer::last_number;
use crate::consent::{Consented, LawfulBasis, Shopper};
use crate::event::{Channel, Event, EventKind};
use crate::source::Flow;
use crate::time::Timestamp;

const COLUMNS: &str =
    "number, received, at, user, basis, visitor, item, kind, quantity, value, session, channel, event_id, query";
/// So many identities are looked up one by one; for more the table is read.
const LOOKUPS: usize = 400;

/// The merges and restrictions.
pub(super) fn aliases(conn: &Connection) -> Result<Aliases, LogError> {
    let read = || -> rusqlite::Result<Aliases> {
        let mut aliases = Aliases::default();
        let mut merges = conn.prepare_cached("SELECT space, id, account, basis FROM merge")?;
        let mut rows = merges.query([])?;
        while let Some(row) = rows.next()? {
            let profiled = if text(row, 0)? == "user" { Space::Profile } else { Space::Session };
            let from = Identity { profiled, key: text(row, 1)?.into() };
            aliases.insert(from, text(row, 2)?, basis(row, 3)?);
        }
        let mut restricted = conn.prepare_cached("SELECT user FROM restriction")?;
        let mut rows = restricted.query([])?;
        while let Some(row) = rows.next()? {
            aliases.restrict(text(row, 0)?).map_err(|_| invalid(row, 0))?;
        }
        Ok(aliases)
    };
    read().map_err(|e| unreadable(&e))
}

pub(super) fn scan(
    conn: &Connection,
    scan: Scan<'_>,
    sink: &mut dyn FnMut(Logged<'_>) -> Flow,
) -> Result<Cursor, LogError> {
    let aliases = aliases(conn)?;
    let identities = scan.shopper.map(|user| aliases.identities(user)).filter(|found| found.len() <= LOOKUPS);
    let mut sql = format!("SELECT {COLUMNS} FROM event WHERE number > {}", scan.from.get());
    if let Some(identities) = &identities {
        let terms: Vec<String> =
            identities.iter().enumerate().map(|(i, id)| format!("{} = ?{}", id.profiled.as_str(), i + 1)).collect();
        sql += &format!(" AND ({})", terms.join(" OR "));
    }
    sql += " ORDER BY number";
    let keys = identities.iter().flatten().map(|id| &*id.key);
    let read = || -> rusqlite::Result<Cursor> {
        let mut events = conn.prepare(&sql)?;
        let mut rows = events.query(params_from_iter(keys))?;
        while let Some(row) = rows.next()? {
            let (cursor, received) = (Cursor::new(row.get(0)?), Timestamp::from_millis(row.get(1)?));
            let mut event = event(row)?;
            if !scan.shows(&aliases, event.shopper) {
                continue;
            }
            event.shopper = aliases.resolve(event.shopper);
            let theirs = scan.shopper.is_none_or(|user| Identity::of(event.shopper) == Identity::profile(user));
            if theirs && scan.admits(&event, received) && sink(Logged { cursor, received, event }) == Flow::Stop {
                return Ok(cursor);
            }
        }
        last_number(conn).map(Cursor::new)
    };
    read().map(|end| end.max(scan.from)).map_err(|e| unreadable(&e))
}

fn event<'r>(row: &'r Row<'_>) -> rusqlite::Result<Event<'r>> {
    let shopper = match (optional(row, 3)?, optional(row, 5)?) {
        (Some(user), None) => Shopper::Profiled(Consented::new(user, basis(row, 4)?)),
        (None, Some(session)) => Shopper::Anonymous { session },
        _ => return Err(rusqlite::Error::InvalidColumnType(3, "user".to_owned(), Type::Text)),
    };
    let kind = text(row, 7)?;
    let kind: EventKind =
        kind.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, Type::Text, Box::new(error)))?;
    let mut event = Event::new(shopper, text(row, 6)?, kind, Timestamp::from_millis(row.get(2)?))
        .quantity(row.get(8)?)
        .channel(Channel::parse(text(row, 11)?));
    event.value = row.get(9)?;
    event.session = optional(row, 10)?;
    event.id = optional(row, 12)?;
    event.query = optional(row, 13)?;
    Ok(event)
}

fn optional<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Option<&'r str>> {
    let value: ValueRef<'r> = row.get_ref(column)?;
    value.as_str_or_null().map_err(|_| invalid(row, column))
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    optional(row, column)?.ok_or_else(|| invalid(row, column))
}

fn basis(row: &Row<'_>, column: usize) -> rusqlite::Result<LawfulBasis> {
    LawfulBasis::from_name(text(row, column)?).ok_or_else(|| invalid(row, column))
}

fn invalid(row: &Row<'_>, column: usize) -> rusqlite::Error {
    let name = row.as_ref().column_name(column).unwrap_or_default().to_owned();
    rusqlite::Error::InvalidColumnType(column, name, Type::Text)
}

/// An error of a read: a value that makes no sense is damage.
fn unreadable(error: &rusqlite::Error) -> LogError {
    match error {
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => LogError::Damaged { reason: error.to_string() },
        other => failed("read", other),
    }
}

/// Adds the events of an identity to a certificate.
pub(super) fn tally(conn: &Connection, space: Space, key: &str, erasure: &mut Erasure) -> Result<(), LogError> {
    let mut read = || -> rusqlite::Result<()> {
        let sql = format!("SELECT kind, at FROM event WHERE {} = ?1", space.as_str());
        let mut events = conn.prepare_cached(&sql)?;
        let mut rows = events.query([key])?;
        while let Some(row) = rows.next()? {
            let kind = text(row, 0)?.parse().map_err(|_| invalid(row, 0))?;
            erasure.add(kind, Timestamp::from_millis(row.get(1)?));
        }
        Ok(())
    };
    read().map_err(|e| unreadable(&e))
}

/// `PRAGMA integrity_check`, every event read once, and the counter compared.
pub(super) fn check(conn: &Connection) -> Result<(), LogError> {
    let said: String =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(|e| failed("read", &e))?;
    if said != "ok" {
        return Err(LogError::Damaged { reason: said });
    }
    let mut found = 0u64;
    scan(conn, Scan::all().even_restricted(), &mut |_| {
        found += 1;
        Flow::Continue
    })?;
    let events: u64 = conn.query_row("SELECT events FROM log", [], |row| row.get(0)).map_err(|e| failed("read", &e))?;
    if events == found {
        Ok(())
    } else {
        Err(LogError::Damaged { reason: format!("{found} events are there, {events} were counted") })
    }
}
