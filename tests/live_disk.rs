//! Faults of files through a live recommender: a real limit on their sizes in a process of its own, and a log that may only
//! be read. See `live_faults.rs` for what fails on command.

use std::sync::Arc;

use likewise::log::{Durability, EventLog, LogError, SqliteLog};
use likewise::serve::Codecs;
use likewise::*;

use crate::live_faults::{HISTORY, at, buy, fill, lineup, open, refresh, told};
use crate::persist::Scratch;

#[test]
fn a_log_that_may_only_be_read_is_served_and_refreshed() {
    let folder = Scratch::new();
    let file = folder.path().join("shop.db");
    let writing = open(SqliteLog::open(&file).unwrap(), LiveConfig::new(lineup()));
    fill(&writing);
    let reading = open(SqliteLog::open_read_only(&file).unwrap(), LiveConfig::new(lineup()));
    let error = reading.record(&[buy("eve", "tea", 5)], at(5), Durability::Disk).unwrap_err();
    assert!(matches!(error, LiveError::Log(LogError::ReadOnly)), "{error}");
    assert!(matches!(reading.forget("ann").unwrap_err(), LiveError::Log(LogError::ReadOnly)));
    assert!(matches!(reading.withdraw("ann").unwrap_err(), LiveError::Log(LogError::ReadOnly)));
    // What the other process records comes with a refresh.
    writing.record(&[buy("eve", "tea", 5)], at(5), Durability::Disk).unwrap();
    assert_eq!(refresh(&reading).unwrap().events, 1);
    refresh(&writing).unwrap();
    assert_eq!(told(&reading, "eve"), told(&writing, "eve"));
    writing.forget("eve").unwrap();
    refresh(&reading).unwrap();
    assert!(reading.recommender().snapshot().dataset().user("eve").is_none());
}

const FOLDER: &str = "LIKEWISE_SMALL_DISK";

fn shop(folder: &std::path::Path) -> (Live<SqliteLog>, Store) {
    let store = Store::open(folder.join("store"), 3).unwrap();
    let mut catalog = CatalogBuilder::default();
    for n in 0..8_000 {
        catalog.add(&ItemRecord::new(format!("a thing of number {n}"))).unwrap();
    }
    let config = LiveConfig::new(lineup()).catalog(Arc::new(catalog.build()));
    let log = SqliteLog::open(folder.join("shop.db")).unwrap();
    (open(log, config.store(store.clone(), Codecs::default())), store)
}

/// Not a test of its own: what runs in a process whose files may not grow beyond 256 KiB.
#[test]
#[ignore = "run by `files_that_cannot_grow_lose_nothing` in a process of its own"]
fn small_disk_child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let (live, store) = shop(std::path::Path::new(&folder));
    fill(&live);
    refresh(&live).unwrap();
    let eve = told(&live, "eve");
    // The store: its file is larger than any may be.
    let error = live.save().unwrap_err();
    assert!(matches!(error, LiveError::Store(_)), "{error}");
    assert!(store.generations().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(store.dir()).unwrap().count(), 0, "no half of a file stays");
    // The log: until it is full, and a few times more.
    let (mut acknowledged, mut refused) = (0u32, 0);
    while refused < 5 {
        let id = format!("e{acknowledged}");
        match live.record(&[buy("dan", "mug", 5).id(&id)], at(5), Durability::Disk) {
            Ok(_) => acknowledged += 1,
            Err(error) => {
                assert!(matches!(error, LiveError::Log(LogError::Full | LogError::Io { .. })), "{error}");
                refused += 1;
            }
        }
        assert!(acknowledged < 100_000, "the limit does not hold");
    }
    assert_eq!(told(&live, "eve"), eve, "serving goes on");
    // Reading needs no room: also what was recorded last comes in.
    assert_eq!(refresh(&live).unwrap().events, u64::from(acknowledged));
    println!("\nacknowledged {acknowledged}");
}

#[cfg(unix)]
#[test]
fn files_that_cannot_grow_lose_nothing() {
    let folder = Scratch::new();
    // A write beyond the limit is cut short, and the next one fails.
    let limited = "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"";
    let child = std::process::Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "live_disk::small_disk_child", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
    let acknowledged = said.lines().find_map(|line| line.strip_prefix("acknowledged ")).unwrap();
    let acknowledged: u64 = acknowledged.trim().parse().unwrap();
    assert!(acknowledged > 3, "{acknowledged}");
    // There is room again: everything that was acknowledged is there, once, and the rest goes on.
    let (live, _) = shop(folder.path());
    live.log().check().unwrap();
    assert_eq!(live.log().state().unwrap().events, acknowledged + HISTORY.len() as u64);
    let last = format!("e{}", acknowledged - 1);
    let next = format!("e{acknowledged}");
    let both = [buy("dan", "mug", 5).id(&last), buy("dan", "mug", 5).id(&next)];
    assert_eq!(live.record(&both, at(6), Durability::Disk).unwrap().appended.duplicates, [0]);
    refresh(&live).unwrap();
    live.save().unwrap();
    drop(live);
    assert!(shop(folder.path()).0.origin().generation.is_some());
}
