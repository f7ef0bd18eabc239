//! What only a log in a file can get wrong: bytes that stay, readers in the way, damage, other files.

use super::*;
use likewise::log::SqliteLog;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that goes when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("likewise-log-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("shop.db")
    }

    /// Every byte of every file in it.
    fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn equals_its_twin_in_memory(steps in prop::collection::vec(step(), 0..16), from in 0u64..20, moment in 0i64..100) {
        let folder = Folder::new();
        let (memory, sqlite) = (MemoryLog::default(), SqliteLog::open(folder.file()).unwrap());
        let retention = Retention::default().window(KindSet::of(&[EventKind::Purchase]), Span::secs(30));
        for (step, now) in steps.iter().zip(0..) {
            prop_assert_eq!(take(&sqlite, step, now), take(&memory, step, now));
        }
        let scans = || [
            Scan::all(),
            Scan::after(Cursor::new(from)),
            Scan::all().as_of(at(moment)),
            Scan::all().retained(&retention, at(moment)),
            Scan::all().of("ann"),
        ];
        for scan in scans() {
            prop_assert_eq!(said(&sqlite, scan), said(&memory, scan));
        }
        prop_assert_eq!(sqlite.state().unwrap(), memory.state().unwrap());
        prop_assert_eq!(sqlite.export("bob").unwrap(), memory.export("bob").unwrap());
        sqlite.check().unwrap();
        drop(sqlite);
        let reopened = SqliteLog::open(folder.file()).unwrap();
        prop_assert_eq!(said(&reopened, Scan::all()), said(&memory, Scan::all()));
        prop_assert_eq!(reopened.state().unwrap(), memory.state().unwrap());
    }
}

#[test]
fn no_file_holds_a_byte_of_who_was_erased() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    for s in 0..500 {
        let user = if s % 3 == 0 { "margarethe.unmistakable@example.org" } else { "bob" };
        let session = format!("session-{s}");
        let events = [view(user, "mug", s).session(&session), visit("unmistakable-device", "tea", s)];
        log.append(&events, at(s), Durability::Disk).unwrap();
    }
    log.merge(Shopper::Anonymous { session: "unmistakable-device" }, who("margarethe.unmistakable@example.org"))
        .unwrap();
    let find = |bytes: &[u8]| bytes.windows(12).filter(|w| w == b"unmistakable").count();
    assert!(find(&folder.bytes()) > 100);
    let erasure = log.erase("margarethe.unmistakable@example.org").unwrap();
    assert_eq!(erasure.events, 167 + 500);
    assert_eq!(find(&folder.bytes()), 0);
    log.check().unwrap();
    log.compact().unwrap();
    assert_eq!(log.state().unwrap().events, 333);
}

/// A reader keeps the journal: the erasure is done all the same, says what it did, and the bytes go later.
#[test]
fn an_erasure_beside_a_reader_is_done_and_certified() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    for s in 0..20 {
        log.append(&[view("margarethe.unmistakable", "mug", s), view("bob", "mug", s)], at(s), Durability::Os).unwrap();
    }
    let reader = SqliteLog::open_read_only(folder.file()).unwrap();
    let mut answers = Vec::new();
    reader
        .scan(Scan::all(), &mut |_| {
            answers.push(log.erase("margarethe.unmistakable"));
            let begun = std::time::Instant::now();
            let retention = Retention::default().window(KindSet::of(&[EventKind::View]), Span::secs(5));
            assert_eq!(log.expire(&retention, at(15)).unwrap(), 10, "a reader is no reason not to expire");
            assert!(begun.elapsed() < std::time::Duration::from_millis(900), "nor to wait");
            Flow::Stop
        })
        .unwrap();
    match answers.pop().unwrap() {
        Err(LogError::NotScrubbed { erasure }) => assert_eq!(erasure.events, 20),
        other => panic!("{other:?}"),
    }
    assert_eq!(said(&log, Scan::all()).len(), 10);
    drop(reader);
    let find = |bytes: &[u8]| bytes.windows(12).filter(|w| w == b"unmistakable").count();
    assert!(find(&folder.bytes()) > 0, "the journal holds them still");
    log.expire(&Retention::default(), at(15)).unwrap();
    assert_eq!(find(&folder.bytes()), 0);
}

/// A process that was killed before it could empty the journal: whoever opens the file next does.
#[test]
fn opening_empties_a_journal_that_was_left_behind() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    log.append(&[view("margarethe.unmistakable", "mug", 1)], at(1), Durability::Disk).unwrap();
    let journal = folder.0.join("shop.db-wal");
    assert!(std::fs::metadata(&journal).unwrap().len() > 0);
    let copy = Folder::new();
    for name in ["shop.db", "shop.db-wal"] {
        std::fs::copy(folder.0.join(name), copy.0.join(name)).unwrap();
    }
    let left = SqliteLog::open(copy.file()).unwrap();
    assert_eq!(std::fs::metadata(copy.0.join("shop.db-wal")).unwrap().len(), 0);
    assert_eq!(left.state().unwrap().events, 1);
}

/// What the shell would be told: the statements are taken from the documentation itself.
#[test]
fn the_questions_of_the_documentation_are_answered() {
    let source = include_str!("../../src/log/sqlite/mod.rs");
    let sql: String = source
        .lines()
        .skip_while(|line| *line != "//! ```sql")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| format!("{}\n", line.trim_start_matches("//! ")))
        .collect();
    let questions: Vec<&str> = sql.split_inclusive(';').filter(|sql| sql.contains("SELECT")).collect();
    assert_eq!(questions.len(), 3);

    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    let buy = |user, item, at| Event::new(Shopper::Profiled(who(user)), item, EventKind::Purchase, at);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let batch = [buy("ann", "mug", at(now - 60)).quantity(3.0), buy("bob", "tea", at(now - 60)), view("ann", "tea", 5)];
    log.append(&batch, at(now), Durability::Disk).unwrap();
    log.append(&[visit("phone", "saw", 9)], at(now), Durability::Disk).unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();

    let shell = rusqlite::Connection::open(folder.file()).unwrap();
    let ask = |sql: &str| -> Vec<Vec<String>> {
        let mut asked = shell.prepare(sql).unwrap();
        let columns = asked.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            Ok((0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap().data_type())).collect())
        };
        asked.query_map([], row).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(ask(questions[0]), [["Text", "Real"]; 2], "two items sold in the last week");
    assert_eq!(ask(questions[1]).len(), 2, "a day of old, with views, and one with purchases");
    assert_eq!(ask(questions[2]).len(), 3, "what ann did, her phone included");
}

#[test]
fn threads_share_commits_and_lose_nothing() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..40 {
                    let id = format!("{thread}-{n}");
                    let durability = if n % 4 == 0 { Durability::Disk } else { Durability::Os };
                    let appended = log.append(&[view("ann", "mug", n).id(&id)], at(n), durability).unwrap();
                    assert_eq!(appended.accepted, 1);
                    let again = log.append(&[view("ann", "mug", n).id(&id)], at(n), durability).unwrap();
                    assert_eq!(again.duplicates, [0]);
                }
            });
        }
    });
    assert_eq!(log.state().unwrap().events, 320);
    log.sync().unwrap();
    log.check().unwrap();
}

#[test]
fn readers_in_another_handle_see_what_was_acknowledged() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    log.append(&[view("ann", "mug", 1)], at(1), Durability::Os).unwrap();
    let reader = SqliteLog::open_read_only(folder.file()).unwrap();
    assert_eq!(reader.state().unwrap().events, 1);
    log.append(&[view("ann", "tea", 2)], at(2), Durability::Os).unwrap();
    assert_eq!(said(&reader, Scan::after(Cursor::new(1))).len(), 1);
    assert!(matches!(reader.append(&[view("ann", "saw", 3)], at(3), Durability::Os), Err(LogError::ReadOnly)));
    assert!(matches!(reader.erase("ann"), Err(LogError::ReadOnly)));
    // A second writer takes turns with the first.
    let second = SqliteLog::open(folder.file()).unwrap();
    second.append(&[view("bob", "mug", 3)], at(3), Durability::Disk).unwrap();
    log.append(&[view("bob", "tea", 4)], at(4), Durability::Disk).unwrap();
    assert_eq!(said(&reader, Scan::all()).len(), 4);
    // A scan sees one state, whatever is appended meanwhile.
    let mut seen = 0;
    let end = reader.scan(Scan::all(), &mut |_| {
        seen += 1;
        log.append(&[view("eve", "mug", 5)], at(5), Durability::Os).unwrap();
        Flow::Continue
    });
    assert_eq!((seen, end.unwrap()), (4, Cursor::new(4)));
}

#[test]
fn wrong_files_are_refused_with_their_reason() {
    let folder = Folder::new();
    let open = |name: &str| SqliteLog::open(folder.0.join(name)).map(drop).unwrap_err();
    let shop = SqliteLog::open(folder.file()).unwrap();
    shop.append(&[view("ann", "mug", 1)], at(1), Durability::Disk).unwrap();
    drop(shop);

    assert!(matches!(open("no/such/folder.db"), LogError::Open { .. }));
    assert!(matches!(SqliteLog::open_read_only(folder.0.join("none.db")), Err(LogError::Open { .. })));
    std::fs::write(
        folder.0.join("text.db"),
        "This is no database, but it is long enough to be taken for one. ".repeat(40),
    )
    .unwrap();
    assert!(matches!(open("text.db"), LogError::Damaged { .. }), "{}", open("text.db"));

    let patch = |name: &str, place: usize, bytes: &[u8]| {
        let mut file = std::fs::read(folder.file()).unwrap();
        file[place..place + bytes.len()].copy_from_slice(bytes);
        std::fs::write(folder.0.join(name), file).unwrap();
    };
    patch("newer.db", 60, &7u32.to_be_bytes()); // user_version
    assert!(matches!(open("newer.db"), LogError::Newer { found: 7, supported: 2, .. }), "{}", open("newer.db"));
    patch("foreign.db", 68, &9u32.to_be_bytes()); // application_id
    assert!(matches!(open("foreign.db"), LogError::Foreign { found: 9, .. }), "{}", open("foreign.db"));
}

#[test]
fn damage_is_found_and_never_a_panic() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    let events: Vec<Event<'_>> = (0..300).map(|s| view("ann", "mug", s)).collect();
    log.append(&events, at(1), Durability::Disk).unwrap();
    log.compact().unwrap();
    drop(log);
    let whole = std::fs::read(folder.file()).unwrap();
    let broken = folder.0.join("broken.db");
    let mut found = 0;
    for place in (0..whole.len()).step_by(97) {
        let mut file = whole.clone();
        file[place] ^= 0x55;
        std::fs::write(&broken, &file).unwrap();
        let state = SqliteLog::open(&broken).and_then(|log| {
            log.check()?;
            log.state()
        });
        found += usize::from(state.is_err());
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.0.join(format!("broken.db{suffix}")));
        }
    }
    // SQLite keeps no checksums: a changed letter of an item's name is not found, a broken page is.
    assert!(found > 10, "{found} of {} were found", whole.len() / 97);
}

/// A file of the first schema is brought up to date by who may write, loses nothing, and says so to who may not.
#[test]
fn a_file_of_an_earlier_schema_is_brought_up_to_date() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    log.append(&[view("ann", "mug", 1), visit("phone", "tea", 2)], at(2), Durability::Disk).unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    let (held, state) = (said(&log, Scan::all()), log.state().unwrap());
    drop(log);
    let shell = rusqlite::Connection::open(folder.file()).unwrap();
    shell.execute_batch("DROP TABLE restriction; PRAGMA user_version = 1").unwrap();
    let error = SqliteLog::open_read_only(folder.file()).unwrap_err();
    assert!(error.to_string().contains("schema version 1 must be brought to 2"), "{error}");
    drop(shell);
    let log = SqliteLog::open(folder.file()).unwrap();
    assert_eq!((said(&log, Scan::all()), log.state().unwrap()), (held, state));
    log.restrict("ann").unwrap();
    assert!(said(&log, Scan::all()).is_empty());
    log.check().unwrap();
    SqliteLog::open_read_only(folder.file()).unwrap();
}

/// Two writers at once take turns; one that is kept waiting for too long is told so, keeps nothing of the batch, and may try
/// again.
#[test]
fn a_writer_that_waits_for_another_for_too_long_is_told() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let batch = [view("ann", "mug", 1).id("a"), view("ann", "tea", 2).id("b")];
    let error = log.append(&batch, at(2), Durability::Disk).unwrap_err();
    assert!(matches!(error, LogError::Busy), "{error}");
    assert_eq!(log.state().unwrap().events, 0, "readers read on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(log.append(&batch, at(2), Durability::Disk).unwrap().accepted, 2);
}

#[test]
fn two_writers_at_once_lose_nothing_and_keep_nothing_twice() {
    let folder = Folder::new();
    let logs = [SqliteLog::open(folder.file()).unwrap(), SqliteLog::open(folder.file()).unwrap()];
    let accepted: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = logs
            .iter()
            .map(|log| {
                scope.spawn(move || {
                    let one = |n: i64| {
                        let id = format!("id-{n}");
                        log.append(&[view("ann", "mug", n).id(&id)], at(n), Durability::Os).unwrap().accepted
                    };
                    (0..100).map(one).sum::<u64>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(accepted, 100, "each of them by one of the two");
    for log in &logs {
        assert_eq!((log.state().unwrap().events, said(log, Scan::all()).len()), (100, 100));
        log.check().unwrap();
    }
}

/// A circle of merges cannot be made here; one in a file from elsewhere holds nobody up.
#[test]
fn a_circle_in_a_file_from_elsewhere_ends() {
    let folder = Folder::new();
    let log = SqliteLog::open(folder.file()).unwrap();
    log.append(&[view("ann", "mug", 1), view("bob", "tea", 2), view("eve", "saw", 3)], at(3), Durability::Os).unwrap();
    log.merge(Shopper::Profiled(who("ann")), who("bob")).unwrap();
    assert!(matches!(log.merge(Shopper::Profiled(who("bob")), who("ann")), Err(LogError::Cycle { .. })));
    let shell = rusqlite::Connection::open(folder.file()).unwrap();
    shell
        .execute_batch("INSERT INTO merge (space, id, account, basis) VALUES ('user', 'bob', 'ann', 'contract')")
        .unwrap();
    drop(shell);
    log.restrict("eve").unwrap();
    assert_eq!(said(&log, Scan::all()).len(), 2);
    assert_eq!(log.append(&[view("ann", "hat", 4)], at(4), Durability::Os).unwrap().accepted, 1);
    log.export("ann").unwrap();
    assert_eq!(log.erase("ann").unwrap().events, 3, "ann and bob are one, whichever way round");
    assert!(said(&log, Scan::all()).is_empty() && log.merges().is_ok());
}
