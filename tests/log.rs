//! Logs: every law for both, the one in memory being the slow twin of the other.

use likewise::log::{Appended, Cursor, Durability, EventLog, LogError, MemoryLog, Replay, Retention, Scan};
use likewise::source::RejectReason;
use likewise::{
    Channel, Consented, Dataset, DatasetBuilder, Event, EventKind, Flow, KindSet, LawfulBasis, Shopper, Span, Timestamp,
};
use proptest::prelude::*;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Consent)
}

fn view<'a>(user: &'a str, item: &'a str, s: i64) -> Event<'a> {
    Event::new(Shopper::Profiled(who(user)), item, EventKind::View, at(s))
}

fn visit<'a>(session: &'a str, item: &'a str, s: i64) -> Event<'a> {
    Event::new(Shopper::Anonymous { session }, item, EventKind::View, at(s))
}

/// What a scan says, in words.
fn said(log: &dyn EventLog, scan: Scan<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    log.scan(scan, &mut |logged| {
        lines.push(format!("{:?} {:?} {:?}", logged.cursor, logged.received, logged.event));
        Flow::Continue
    })
    .unwrap();
    lines
}

/// The same without numbers and times of arrival, which an erasure leaves gaps in.
fn events(log: &dyn EventLog) -> Vec<String> {
    let mut lines = Vec::new();
    log.scan(Scan::all(), &mut |logged| {
        lines.push(format!("{:?}", logged.event));
        Flow::Continue
    })
    .unwrap();
    lines
}

fn dataset(log: &dyn EventLog) -> Dataset {
    let mut builder = DatasetBuilder::default();
    builder.ingest(Replay::new(log)).unwrap();
    builder.finish().unwrap()
}

/// One thing that happens to a log.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(u8, u8, i64, Option<u8>)>),
    Merge(u8, u8),
    Unmerge(u8),
    Erase(u8),
    Restrict(u8),
    Lift(u8),
    Expire(i64),
}

const SHOPPERS: [&str; 5] = ["ann", "bob", "cat", "phone", "tablet"];
const ITEMS: [&str; 3] = ["mug", "tea", "saw"];

fn shopper(n: u8) -> Shopper<'static> {
    let key = SHOPPERS[n as usize % SHOPPERS.len()];
    if n as usize % SHOPPERS.len() < 3 { Shopper::Profiled(who(key)) } else { Shopper::Anonymous { session: key } }
}

fn step() -> impl Strategy<Value = Step> {
    let event = (0u8..5, 0u8..4, 0i64..100, prop::option::of(0u8..30));
    prop_oneof![
        4 => prop::collection::vec(event, 0..6).prop_map(Step::Append),
        1 => (0u8..5, 0u8..3).prop_map(|(from, into)| Step::Merge(from, into)),
        1 => (0u8..5).prop_map(Step::Unmerge),
        1 => (0u8..3).prop_map(Step::Erase),
        1 => (0u8..3).prop_map(Step::Restrict),
        1 => (0u8..3).prop_map(Step::Lift),
        1 => (0i64..60).prop_map(Step::Expire),
    ]
}

/// Does it, and says what came of it.
fn take(log: &dyn EventLog, step: &Step, now: i64) -> String {
    match step {
        Step::Append(batch) => {
            let ids: Vec<String> = (0..30).map(|i| format!("id-{i}")).collect();
            let batch: Vec<Event<'_>> = batch
                .iter()
                .map(|&(user, item, s, id)| {
                    // The fourth item does not exist: such an event is refused.
                    let item = ITEMS.get(item as usize).copied().unwrap_or_default();
                    let kind = if s % 3 == 0 { EventKind::Purchase } else { EventKind::View };
                    let mut event = Event::new(shopper(user), item, kind, at(s)).quantity(1.0 + (s % 4) as f32);
                    event = event.value(s as f32 / 8.0).channel(Channel::App);
                    event.id = id.map(|id| &*ids[id as usize]);
                    event
                })
                .collect();
            format!("{:?}", log.append(&batch, at(now), Durability::Os).unwrap())
        }
        Step::Merge(from, into) => {
            format!("{:?}", log.merge(shopper(*from), who(SHOPPERS[*into as usize])).map_err(|e| e.to_string()))
        }
        Step::Unmerge(from) => format!("{:?}", log.unmerge(shopper(*from)).map_err(|e| e.to_string())),
        Step::Erase(user) => format!("{:?}", log.erase(SHOPPERS[*user as usize]).unwrap()),
        Step::Restrict(user) => format!("{:?}", log.restrict(SHOPPERS[*user as usize])),
        Step::Lift(user) => format!("{:?}", log.lift(SHOPPERS[*user as usize])),
        Step::Expire(s) => {
            let retention = Retention::default().window(KindSet::of(&[EventKind::View]), Span::secs(20));
            format!("{:?}", log.expire(&retention, at(*s)).unwrap())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn taking_a_merge_back_leaves_no_trace(steps in prop::collection::vec(step(), 0..12), from in 0u8..5, into in 0u8..3) {
        let log = MemoryLog::default();
        steps.iter().zip(0..).for_each(|(step, now)| drop(take(&log, step, now)));
        let before = said(&log, Scan::all());
        if log.unmerge(shopper(from)).is_ok() || log.merge(shopper(from), who(SHOPPERS[into as usize])).is_err() {
            return Ok(());
        }
        log.unmerge(shopper(from)).unwrap();
        prop_assert_eq!(said(&log, Scan::all()), before);
    }

    /// Erased = never seen: the log reads as one that was never told of the shopper.
    #[test]
    fn erased_is_never_seen(batch in prop::collection::vec((0u8..5, 0u8..3, 0i64..100), 0..40), gone in 0u8..3, device in 3u8..5) {
        let (log, without) = (MemoryLog::default(), MemoryLog::default());
        let mine = [shopper(gone), shopper(device)];
        log.merge(shopper(device), who(SHOPPERS[gone as usize])).unwrap();
        for &(user, item, s) in &batch {
            let event = Event::new(shopper(user), ITEMS[item as usize], EventKind::View, at(s));
            log.append(&[event], at(s), Durability::Os).unwrap();
            if !mine.contains(&event.shopper) {
                without.append(&[event], at(s), Durability::Os).unwrap();
            }
        }
        let erasure = log.erase(SHOPPERS[gone as usize]).unwrap();
        prop_assert_eq!(erasure.events as usize, batch.iter().filter(|e| mine.contains(&shopper(e.0))).count());
        prop_assert_eq!(events(&log), events(&without));
        prop_assert_eq!(log.state().unwrap().events, without.state().unwrap().events);
        prop_assert!(log.export(SHOPPERS[gone as usize]).unwrap().events.is_empty());
        prop_assert_eq!(format!("{:?}", dataset(&log)), format!("{:?}", dataset(&without)));
    }
}

#[test]
fn who_withdrew_rests_until_the_restriction_is_lifted() {
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 1), view("bob", "tea", 2), visit("phone", "saw", 3)], at(3), Durability::Os)
        .unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    let (before, epoch) = (said(&log, Scan::all()), log.state().unwrap().epoch);
    log.restrict("ann").unwrap();
    log.restrict("ann").unwrap();
    assert_eq!(log.state().unwrap().epoch, epoch + 1);
    assert_eq!(events(&log).len(), 1, "only bob");
    assert!(dataset(&log).user("ann").is_none());
    assert_eq!(log.export("ann").unwrap().events.len(), 2, "she may still see it");
    assert_eq!(said(&log, Scan::all().even_restricted()), before);
    let refused =
        log.append(&[view("ann", "mug", 4), visit("phone", "mug", 4), view("bob", "mug", 4)], at(4), Durability::Os);
    assert_eq!(refused.unwrap().rejected, [(0, RejectReason::Restricted), (1, RejectReason::Restricted)]);
    // An account she had been merged into would go on without her.
    log.merge(Shopper::Profiled(who("ann")), who("bob")).unwrap();
    assert_eq!(events(&log).len(), 2);
    log.unmerge(Shopper::Profiled(who("ann"))).unwrap();
    log.lift("ann").unwrap();
    assert_eq!(said(&log, Scan::all())[..3], before);
    assert!(matches!(log.restrict(""), Err(LogError::BadId { .. })));
    // Erasing leaves nothing behind, not even the wish to be left alone.
    log.restrict("ann").unwrap();
    log.erase("ann").unwrap();
    assert_eq!(log.append(&[view("ann", "mug", 5)], at(5), Durability::Os).unwrap().accepted, 1);
}

#[test]
fn late_events_are_not_known_before_they_come() {
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 10)], at(10), Durability::Memory).unwrap();
    log.append(&[view("ann", "tea", 5), view("ann", "saw", 30)], at(20), Durability::Memory).unwrap();
    assert_eq!(said(&log, Scan::all().as_of(at(10))).len(), 1);
    assert_eq!(said(&log, Scan::all().as_of(at(29))).len(), 2);
    assert_eq!(said(&log, Scan::all().as_of(at(30))).len(), 3);
}

#[test]
fn an_event_after_the_erasure_starts_an_empty_profile() {
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 1).id("a"), visit("phone", "tea", 2)], at(2), Durability::Disk).unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    let erasure = log.erase("ann").unwrap();
    assert_eq!((erasure.events, erasure.identities), (2, 1));
    assert_eq!((erasure.earliest, erasure.latest), (Some(at(1)), Some(at(2))));
    assert_eq!(erasure.by_kind[&EventKind::View], 2);
    let again =
        log.append(&[view("ann", "saw", 3).id("a"), visit("phone", "mug", 4)], at(4), Durability::Disk).unwrap();
    assert_eq!(again.accepted, 2, "the id was forgotten too");
    assert_eq!(log.export("ann").unwrap().events.len(), 1, "the phone is nobody's again");
    assert_eq!(again.end, Cursor::new(4), "numbers are never used again");
}

#[test]
fn what_no_dataset_can_use_is_named_and_the_rest_kept() {
    let log = MemoryLog::default();
    let batch =
        [view("ann", "", 1), view("ann", "mug", 1), view("", "mug", 1), view("ann", "mug", 2).quantity(f32::NAN)];
    let Appended { accepted, rejected, .. } = log.append(&batch, at(1), Durability::Disk).unwrap();
    assert_eq!(accepted, 1);
    let reasons: Vec<String> = rejected.iter().map(|(place, reason)| format!("{place}: {reason}")).collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].starts_with("0: item is empty") && reasons[1].starts_with("2: user is empty"), "{reasons:?}");
    assert!(matches!(log.erase(""), Err(LogError::BadId { field: "the user", got: 0 })));
    assert!(matches!(log.merge(Shopper::Anonymous { session: "x" }, who("")), Err(LogError::BadId { .. })));
}

/// GDPR Art. 15: what is held, and not only what a model would use of it.
#[test]
fn an_export_names_devices_ids_and_restrictions() {
    use likewise::log::ExportedIdentity;
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 1).id("order-1/1"), visit("phone", "tea", 2)], at(2), Durability::Disk).unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    log.merge(Shopper::Profiled(who("old")), who("ann")).unwrap();
    log.restrict("ann").unwrap();
    let export = log.export("ann").unwrap();
    assert_eq!(export.events.len(), 2);
    assert_eq!(export.events[0].id.as_deref(), Some("order-1/1"));
    assert!(export.restricted && !log.export("bob").unwrap().restricted);
    let [profile, session] = &export.merged[..] else { panic!("{export:?}") };
    assert_eq!(*profile, ExportedIdentity::Profile("old".to_owned()));
    assert_eq!(*session, ExportedIdentity::Session("phone".to_owned()));
    let text = serde_json::to_string(&export).unwrap();
    assert!(text.contains(r#"{"session":"phone"}"#) && text.contains("order-1/1"), "{text}");
    assert_eq!(serde_json::from_str::<likewise::log::Export>(&text).unwrap(), export);
}

#[cfg(feature = "sqlite")]
mod sqlite {
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
        let source = include_str!("../src/log/sqlite/mod.rs");
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
}
