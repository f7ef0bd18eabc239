//! Building through files is building: the same dataset to the last byte, within a budget, or a typed refusal.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::common::catalog_of;
use likewise::*;
use proptest::prelude::*;

/// A folder of this test's own, deleted with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("likewise-test-spill-{}-{n}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).unwrap().next().is_none()
    }

    /// The files of the one build that runs here.
    fn files(&self) -> Vec<PathBuf> {
        let own = fs::read_dir(&self.0).unwrap().next().unwrap().unwrap().path();
        let mut files: Vec<_> = fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Debug)]
struct Given {
    user: Option<u8>,
    session: u8,
    item: u8,
    kind: u8,
    at: i64,
    quantity: i8,
    value: u8,
    id: u16,
}

const KINDS: [EventKind; 8] = [
    EventKind::View,
    EventKind::View,
    EventKind::Purchase,
    EventKind::Purchase,
    EventKind::Return,
    EventKind::AddToCart,
    EventKind::RemoveFromCart,
    EventKind::Search,
];
const AS_OF: i64 = 900_000;

fn given() -> impl Strategy<Value = Given> {
    let (who, what) = ((prop::option::weighted(0.8, 0u8..12), 0u8..4), (0u8..15, 0u8..8, 0..1_000_000i64));
    (who, what, -1i8..4, 0u8..6, 0u16..2000).prop_map(|((user, session), (item, kind, at), quantity, value, id)| {
        Given { user, session, item, kind, at, quantity, value, id }
    })
}

/// Calls `take` with each event; some of them no builder takes.
fn tell(given: &[Given], mut take: impl FnMut(&Event<'_>)) {
    for g in given {
        let (user, item) = (format!("u{}", g.user.unwrap_or(0)), format!("item {}", g.item));
        let (session, id) = (format!("s{}", g.session), format!("e{}", g.id));
        let who = match (g.user, g.session) {
            (Some(_), _) => Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract)),
            (None, 0) => Shopper::Anonymous { session: "" },
            (None, _) => Shopper::Anonymous { session: &session },
        };
        let kind = KINDS[usize::from(g.kind)];
        let mut event = Event::new(who, &item, kind, Timestamp::from_millis(g.at)).quantity(f32::from(g.quantity));
        if kind == EventKind::Search {
            (event.item, event.query) = (if g.value == 0 { event.item } else { "" }, Some(item.as_str()));
        }
        event.session = (g.session > 0).then_some(&*session);
        event.value = (g.value == 5).then_some(2.5);
        event.channel = if g.value == 4 { Channel::App } else { Channel::Unknown };
        event.id = (g.id < 200).then_some(&*id);
        take(&event);
    }
}

fn builder(as_of: bool) -> DatasetBuilder {
    let mut builder = DatasetBuilder::new(Lineage::new(3)).session_gap(Span::secs(20));
    builder.items(["item 9", "never sold"]).unwrap();
    if as_of { builder.as_of(Timestamp::from_millis(AS_OF)) } else { builder }
}

/// The file it would be kept in: every column of it, and every checksum.
fn bytes(data: &std::sync::Arc<Dataset>) -> Vec<u8> {
    let ranker = std::sync::Arc::new(Ranker::builder().build().unwrap());
    let snapshot = Snapshot::new(std::sync::Arc::clone(data), catalog_of(&[]), ranker).unwrap();
    let mut bytes = Vec::new();
    snapshot.write_to(&mut bytes, &serve::Codecs::default()).unwrap();
    bytes
}

fn serial() -> Run<'static> {
    Run::new(0).threads(Parallelism::Serial)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever comes, in whatever order, with rejects, duplicates, returns and sessions, whatever spills when.
    #[test]
    fn a_dataset_through_files_is_the_one_of_memory(
        events in prop::collection::vec(given(), 0..700),
        (kib, as_of, pool) in (16u64..64, any::<bool>(), any::<bool>()),
    ) {
        let folder = Folder::new();
        let (mut plain, mut spilling) =
            (builder(as_of), builder(as_of).spill_to(&folder, MemoryBudget::new(kib << 10).unwrap()).unwrap());
        let mut fits = true;
        tell(&events, |event| {
            let expected = plain.push(event).map_err(|e| e.to_string());
            match spilling.push(event) {
                Err(SpillIngestError::Spill { source: SpillError::Ids { held, budget }, .. }) => {
                    assert!(held > budget.bytes() / 2);
                    fits = false;
                }
                taken => assert_eq!(taken.map_err(|e| e.to_string()), expected),
            }
        });
        prop_assume!(fits);
        prop_assert_eq!(spilling.len(), plain.len() as u64);
        let run = if pool { Run::new(0) } else { serial() };
        let expected = std::sync::Arc::new(plain.finish().unwrap());
        match spilling.finish(&run) {
            Ok(data) => {
                prop_assert_eq!(data.summary(), expected.summary());
                prop_assert!(bytes(&std::sync::Arc::new(data)) == bytes(&expected));
            }
            Err(SpillError::Dataset { needed, budget, .. } | SpillError::Shopper { needed, budget, .. }) => {
                prop_assert!(needed > budget.bytes());
            }
            Err(error) => panic!("{error}"),
        }
        prop_assert!(folder.is_empty());
    }

    #[cfg(all(feature = "mmap", unix))]
    #[test]
    fn a_mapped_dataset_is_the_one_of_memory(events in prop::collection::vec(given(), 0..500), kib in 16u64..40) {
        let folder = Folder::new();
        let (mut plain, mut spilling) =
            (builder(true), builder(true).spill_to(&folder, MemoryBudget::new(kib << 10).unwrap()).unwrap());
        tell(&events, |event| {
            let _ = plain.push(event);
            let _ = spilling.push(event); // beyond the budget for ids it is taken all the same
        });
        let expected = std::sync::Arc::new(plain.finish().unwrap());
        match spilling.finish_mapped(&serial()) {
            Ok(data) => {
                prop_assert!(folder.is_empty(), "its files have no names any more");
                prop_assert!(bytes(&std::sync::Arc::new(data.clone())) == bytes(&expected));
                drop(folder);
                prop_assert_eq!(data.summary(), expected.summary());
            }
            Err(SpillError::Dataset { needed, budget, .. } | SpillError::Shopper { needed, budget, .. }) => {
                prop_assert!(needed > budget.bytes());
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// `n` views and purchases of some shoppers.
fn many(n: u32) -> Vec<Given> {
    let given = |i: u32| Given {
        user: Some((i * 7 % 11) as u8),
        session: (i / 50 % 3) as u8 + 1,
        item: (i * 5 % 13) as u8,
        kind: (i % 4) as u8,
        at: i64::from(i * 37 % 90_000),
        quantity: 1 + (i % 2) as i8,
        value: (i % 6) as u8,
        id: 1000,
    };
    (0..n).map(given).collect()
}

fn spilled(folder: &Folder, kib: u64, n: u32) -> SpillingBuilder {
    let mut spilling = builder(false).spill_to(folder, MemoryBudget::new(kib << 10).unwrap()).unwrap();
    tell(&many(n), |event| spilling.push(event).unwrap());
    spilling
}

/// Enough events for ranges, waves and several reads of each run; any number of threads.
#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let mut plain = builder(false);
    tell(&many(60_000), |event| plain.push(event).unwrap());
    let expected = bytes(&std::sync::Arc::new(plain.clone().finish().unwrap()));
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let folder = Folder::new();
        let spilling = spilled(&folder, 4 << 10, 60_000);
        assert!(spilling.spilled() > 30_000 && spilling.len() == 60_000 && !spilling.is_empty());
        let data = pool.install(|| spilling.finish(&Run::default())).unwrap();
        assert!(bytes(&std::sync::Arc::new(data)) == expected, "{threads} threads");
        let data = pool.install(|| plain.clone().finish_parallel(&Run::default())).unwrap();
        assert!(bytes(&std::sync::Arc::new(data)) == expected, "{threads} threads, in memory");
    }
}

#[cfg(feature = "csv")]
#[test]
fn text_parsed_in_parallel_spills_the_same() {
    let mut text = "user,item,time,session\n".to_owned();
    for n in 0..60_000u32 {
        let (user, item) = (n * 31 % 997, n * 17 % 211);
        text += &format!("u{user},i{item},{},s{}\n", if n % 999 == 0 { "soon".into() } else { n.to_string() }, n / 7);
    }
    let columns =
        || Columns::new("user", "item", LawfulBasis::Contract).time("time", TimeFormat::UnixSeconds).session("session");
    let source = || Delimited::from_reader(text.as_bytes(), columns()).unwrap();
    let mut plain = DatasetBuilder::default();
    let report = plain.ingest(source()).unwrap();
    let expected = bytes(&std::sync::Arc::new(plain.finish().unwrap()));
    for parallel in [false, true] {
        let folder = Folder::new();
        let mut spilling = DatasetBuilder::default().spill_to(&folder, MemoryBudget::mib(4).unwrap()).unwrap();
        let got = match parallel {
            true => spilling.ingest_parallel(source(), &Run::default()).unwrap(),
            false => spilling.ingest(source()).unwrap(),
        };
        assert_eq!(got, report);
        assert!(spilling.spilled() > 0);
        let data = spilling.finish(&Run::default()).unwrap();
        assert!(bytes(&std::sync::Arc::new(data)) == expected, "parallel: {parallel}");
    }
}

#[test]
fn a_folder_that_is_none() {
    let folder = Folder::new();
    let file = folder.0.join("file");
    fs::write(&file, "no folder").unwrap();
    for wrong in [folder.0.join("missing"), file.clone()] {
        let error = builder(false).spill_to(&wrong, MemoryBudget::mib(1).unwrap()).unwrap_err();
        assert!(matches!(&error, SpillError::Folder { folder, .. } if *folder == wrong), "{error}");
        assert!(error.to_string().contains("name a folder that exists"), "{error}");
    }
    fs::remove_file(file).unwrap();
    assert!(folder.is_empty());
}

/// Two builds in one folder do not meet, and each deletes its own.
#[test]
fn folders_of_their_own() {
    let folder = Folder::new();
    let (one, two) = (spilled(&folder, 16, 300), spilled(&folder, 16, 300));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    drop(one);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    drop(two);
    assert!(folder.is_empty());
}

#[test]
fn files_that_were_cut_or_taken_away() {
    let folder = Folder::new();
    let spilling = spilled(&folder, 32, 600);
    let run = folder.files().remove(0);
    let len = fs::metadata(&run).unwrap().len();
    fs::OpenOptions::new().write(true).open(&run).unwrap().set_len(len - 34).unwrap();
    let error = spilling.finish(&serial()).unwrap_err();
    assert!(matches!(&error, SpillError::Short { path, expected } if *path == run && *expected == len), "{error}");
    assert!(folder.is_empty(), "deleted also after an error");

    let spilling = spilled(&folder, 32, 600);
    let run = folder.files().remove(0);
    fs::remove_file(&run).unwrap();
    let error = spilling.finish(&serial()).unwrap_err();
    assert!(matches!(&error, SpillError::Read { path, .. } if *path == run), "{error}");
    assert!(folder.is_empty());
}

/// A file that cannot grow: what it was to hold is still held, and the next event tries again.
#[test]
fn a_failed_write_loses_nothing() {
    let folder = Folder::new();
    let mut spilling = builder(false).spill_to(&folder, MemoryBudget::new(16 << 10).unwrap()).unwrap();
    let own = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let (mut failed, mut taken) = (0, 0);
    // The name of the first run is taken: by somebody who should not have been here.
    fs::File::create(own.join("run-1")).unwrap().write_all(b"mine").unwrap();
    tell(&many(600), |event| {
        taken += 1;
        match spilling.push(event) {
            Ok(()) => {}
            Err(SpillIngestError::Spill { source: SpillError::Folder { .. }, report }) => {
                failed += 1;
                assert_eq!((report.offered, report.accepted), (1, 1));
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(spilling.len(), taken);
    });
    assert_eq!(failed, 1);
    let mut plain = builder(false);
    tell(&many(600), |event| plain.push(event).unwrap());
    let expected = plain.finish().unwrap();
    assert_eq!(expected.summary().events, 600);
    match spilling.finish(&serial()) {
        Ok(data) => assert_eq!(data.summary(), expected.summary()),
        Err(SpillError::Dataset { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn refusals_name_figures_and_come_before_anything_is_allocated() {
    let folder = Folder::new();
    // 25 bytes an event at least: known at once from the number of events, as nothing is taken back.
    let mut spilling = builder(false).spill_to(&folder, MemoryBudget::new(64 << 10).unwrap()).unwrap();
    let views: Vec<Given> = many(6000).into_iter().map(|given| Given { kind: 0, ..given }).collect();
    tell(&views, |event| spilling.push(event).unwrap());
    match spilling.finish(&serial()).unwrap_err() {
        SpillError::Dataset { events: 6000, needed, budget } => {
            assert!(needed > 6000 * 25 && needed < 6000 * 60 && budget.bytes() == 64 << 10, "{needed}");
        }
        error => panic!("{error}"),
    }
    // One shopper with everything.
    let mut spilling = builder(false).spill_to(&folder, MemoryBudget::new(64 << 10).unwrap()).unwrap();
    tell(&views[..1000], |event| {
        let who = Shopper::Profiled(Consented::new("bot", LawfulBasis::Contract));
        let mut event = *event;
        event.shopper = who;
        spilling.push(&event).unwrap();
    });
    let error = spilling.finish(&serial()).unwrap_err();
    assert!(matches!(error, SpillError::Shopper { events: 1000, .. }), "{error}");
    assert!(error.to_string().contains("64 KiB"), "{error}");
    // Ids are never spilled.
    let mut spilling = builder(false).spill_to(&folder, MemoryBudget::new(64 << 10).unwrap()).unwrap();
    let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    let texts: Vec<String> = (0..3000).map(|n| format!("event {n}")).collect();
    let events = texts.iter().map(|id| Event::new(who, "mug", EventKind::View, Timestamp::from_secs(1)).id(id));
    match spilling.ingest(events.collect::<Vec<_>>()).unwrap_err() {
        SpillIngestError::Spill { source: SpillError::Ids { held, .. }, report } => {
            assert!(held > 32 << 10 && report.accepted > 100 && report.accepted < 3000, "{held} {report}");
            assert_eq!(spilling.len(), report.accepted);
        }
        error => panic!("{error}"),
    }
    drop(spilling);
    assert!(folder.is_empty());
}

#[test]
fn a_cancelled_build_leaves_nothing() {
    let folder = Folder::new();
    let cancel = AtomicBool::new(true);
    let error = spilled(&folder, 128, 3000).finish(&Run::new(0).cancel(&cancel)).unwrap_err();
    assert!(matches!(error, SpillError::Cancelled(_)), "{error}");
    assert!(folder.is_empty());
    let mut plain = builder(false);
    tell(&many(10), |event| plain.push(event).unwrap());
    assert_eq!(plain.finish_parallel(&Run::new(0).cancel(&cancel)).unwrap_err(), DatasetError::Cancelled(Cancelled));
}
