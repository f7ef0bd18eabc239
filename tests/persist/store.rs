//! Generations in a folder.

use std::fs;
use std::io::Write;

use likewise::persist::{PersistError, Store, StoreError};

use super::Scratch;

fn text(path: &std::path::Path) -> Result<String, PersistError> {
    let unreadable = |source| PersistError::Io { doing: "read", source };
    match fs::read_to_string(path).map_err(unreadable)? {
        text if text.starts_with("bad") => Err(PersistError::Foreign),
        text => Ok(text),
    }
}

fn publish(store: &Store, what: &str) -> u64 {
    let write = |out: &mut dyn Write| {
        out.write_all(what.as_bytes()).map_err(|source| PersistError::Io { doing: "written", source })
    };
    store.publish(write).unwrap().get()
}

fn files(store: &Store) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(store.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_newest_good_generation_is_opened() {
    let folder = Scratch::new();
    let store = Store::open(folder.path().join("deep/er"), 3).unwrap();
    assert!(store.newest(text).unwrap().is_none() && store.current().unwrap().is_none());
    for n in 1..=5 {
        assert_eq!(publish(&store, &format!("{n}")), n);
    }
    let kept: Vec<u64> = store.generations().unwrap().into_iter().map(|generation| generation.get()).collect();
    assert_eq!(kept, [3, 4, 5]);
    let newest = store.newest(text).unwrap().unwrap();
    assert_eq!((newest.generation.get(), newest.value.as_str(), newest.skipped.len()), (5, "5", 0));
    assert_eq!(store.current().unwrap(), Some(newest.generation));
    fs::write(store.path(newest.generation), "bad").unwrap();
    let good = store.newest(text).unwrap().unwrap();
    assert_eq!((good.generation.get(), good.value.as_str()), (4, "4"));
    assert!(matches!(good.skipped[..], [(generation, PersistError::Foreign)] if generation == newest.generation));
    for generation in store.generations().unwrap() {
        fs::write(store.path(generation), "bad").unwrap();
    }
    assert_eq!(store.try_newest(text).unwrap().unwrap_err().len(), 3);
    // Another process publishes, this one sees it.
    let other = Store::open(store.dir(), 3).unwrap();
    assert!(store.newer_than(newest.generation).unwrap().is_none());
    assert_eq!(publish(&other, "6"), 6);
    assert_eq!(store.newer_than(newest.generation).unwrap().unwrap().get(), 6);
    // A pointer that says nothing is no reason not to serve.
    fs::write(store.dir().join("CURRENT"), b"\xff nonsense").unwrap();
    assert!(store.current().unwrap().is_none());
    assert_eq!(store.newest(text).unwrap().unwrap().value, "6");
}

#[test]
fn a_failed_write_changes_nothing() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 2).unwrap();
    publish(&store, "good");
    let before = files(&store);
    let full = |out: &mut dyn Write| {
        out.write_all(b"half of").map_err(|source| PersistError::Io { doing: "written", source })?;
        Err(PersistError::Io { doing: "written", source: std::io::ErrorKind::StorageFull.into() })
    };
    let error = store.publish(full).unwrap_err();
    assert!(
        matches!(&error, StoreError::Persist(PersistError::Io { source, .. }) if source.kind() == std::io::ErrorKind::StorageFull)
    );
    assert_eq!(files(&store), before);
    assert_eq!(store.newest(text).unwrap().unwrap().value, "good");
    // A crash in the middle of writing leaves an unfinished file: it is none, and it goes.
    fs::write(store.dir().join("snapshot-0000000000000002.likewise.unfinished"), "half").unwrap();
    assert_eq!(store.newest(text).unwrap().unwrap().value, "good");
    assert_eq!(publish(&store, "after"), 3);
    assert!(files(&store).iter().all(|name| !name.contains("unfinished")), "{:?}", files(&store));
}

#[test]
fn an_erasure_leaves_no_file() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 5).unwrap();
    fs::write(store.dir().join("notes.txt"), "mine").unwrap();
    for n in 1..=4 {
        publish(&store, &format!("{n}"));
    }
    let generations = store.generations().unwrap();
    fs::write(store.dir().join("snapshot-0000000000000007.likewise.unfinished"), "half").unwrap();
    let gone = store.erase_through(generations[1]).unwrap();
    assert_eq!(gone, ["snapshot-0000000000000001.likewise", "snapshot-0000000000000002.likewise"]);
    let gone = store.erase_all().unwrap();
    assert_eq!(gone.len(), 3, "{gone:?}");
    assert_eq!(files(&store), ["CURRENT", "notes.txt"]);
    assert!(store.current().unwrap().is_none() && store.newest(text).unwrap().is_none());
    assert_eq!(publish(&store, "new"), 5, "a number that was used is not used again");
}

/// A server lists the generations; before it opens the only one, the trainer publishes the next and takes that away.
#[test]
fn a_generation_that_goes_while_it_is_opened_is_no_reason_to_serve_nothing() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 1).unwrap();
    publish(&store, "1");
    let mut late = true;
    let open = |path: &std::path::Path| {
        if std::mem::take(&mut late) {
            publish(&store, "2");
        }
        text(path)
    };
    let opened = store.newest(open).unwrap().expect("the second generation is there");
    assert_eq!((opened.generation.get(), opened.value.as_str(), opened.skipped.len()), (2, "2", 1));
    // Where nothing opens, every generation is tried once.
    fs::write(store.path(opened.generation), "bad").unwrap();
    assert_eq!(store.try_newest(text).unwrap().unwrap_err().len(), 1);
}

/// A file is named by another process between the eraser's look at the folder and its removal.
#[test]
fn an_erasure_takes_what_is_finished_meanwhile() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 5).unwrap();
    let named = |n: u64| store.dir().join(format!("snapshot-{n:016}.likewise"));
    (1..=400).for_each(|n| fs::write(named(n), "old").unwrap());
    let unfinished = store.dir().join("snapshot-0000000000000999.likewise.unfinished");
    fs::write(&unfinished, "somebody is in it").unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while named(1).exists() {
                std::hint::spin_loop();
            }
            let _ = fs::rename(&unfinished, named(999));
        });
        store.erase_all().unwrap();
    });
    assert_eq!(files(&store), Vec::<String>::new());
}

#[test]
fn publishers_at_once_have_numbers_of_their_own() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 10_000).unwrap();
    let all: Vec<u64> = std::thread::scope(|scope| {
        let one = || {
            let quick = |out: &mut dyn Write| {
                out.write_all(b"x").map_err(|source| PersistError::Io { doing: "written", source })
            };
            // Overtaken is a fair answer; the same number twice is none, nor is a pointer that is in the way.
            let mine = |published| match published {
                Ok(generation) => Some(likewise::persist::Generation::get(generation)),
                Err(StoreError::Superseded { .. }) => None,
                Err(error) => panic!("{error}"),
            };
            (0..100).filter_map(|_| mine(store.publish(quick))).collect::<Vec<u64>>()
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut distinct = all.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), all.len(), "a number was given twice");
    assert_eq!(store.current().unwrap(), store.generations().unwrap().pop());
    assert!(files(&store).iter().all(|name| !name.contains("unfinished")), "{:?}", files(&store));
}

#[test]
fn numbers_that_are_used_up_are_an_error() {
    let folder = Scratch::new();
    let store = Store::open(folder.path(), 2).unwrap();
    fs::write(store.dir().join(format!("snapshot-{}.likewise", u64::MAX)), "made up").unwrap();
    let error = store.publish(|_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("used up"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_is_an_error() {
    let folder = Scratch::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(file.join("store"), 2).unwrap_err();
    assert!(matches!(&error, StoreError::Io { doing: "made", .. }), "{error}");
    let store = Store::open(folder.path().join("store"), 2).unwrap();
    fs::remove_dir(store.dir()).unwrap();
    assert!(store.generations().is_err() && store.newest(text).is_err());
    assert!(store.publish(|_| Ok(())).is_err());
}
