//! Death at any moment: a child process appends and acknowledges, is killed, and nothing it acknowledged may be missing.
//!
//! `cargo test --all-features --test all crash` kills 12 times; the long run is
//! `LIKEWISE_KILLS=500 cargo test --all-features --test all crash`.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use likewise::log::{Durability, EventLog, Scan, SqliteLog};
use likewise::{Consented, Event, EventKind, Flow, LawfulBasis, Shopper, Timestamp};

const FILE: &str = "LIKEWISE_CRASH_FILE";
const CYCLE: &str = "LIKEWISE_CRASH_CYCLE";

/// Not a test of its own: what the killed process runs.
#[test]
#[ignore = "run by `nothing_acknowledged_is_lost` in a process of its own"]
fn child() {
    let (Ok(file), Ok(cycle)) = (std::env::var(FILE), std::env::var(CYCLE)) else { return };
    let log = SqliteLog::open(file).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3u32 {
            let (log, cycle) = (&log, &cycle);
            scope.spawn(move || append_for_ever(log, cycle, thread));
        }
    });
}

/// Appends batches of one to four events and names them on standard output once they are acknowledged.
fn append_for_ever(log: &SqliteLog, cycle: &str, thread: u32) {
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    for n in 0u32.. {
        let ids: Vec<String> = (0..=n % 4).map(|i| format!("{cycle}.{thread}.{n}.{i}")).collect();
        let now = Timestamp::from_secs(n.into());
        let events: Vec<Event<'_>> = ids.iter().map(|id| Event::new(ann, "mug", EventKind::View, now).id(id)).collect();
        let durability = if n % 8 == 0 { Durability::Disk } else { Durability::Os };
        if log.append(&events, now, durability).is_ok() {
            // One write a batch: what the parent reads is whole.
            std::io::stdout().lock().write_all(format!("\nacknowledged {}\n", ids.join(" ")).as_bytes()).unwrap();
        }
    }
}

/// Runs a child for `life`, kills it, and returns what it had acknowledged.
fn live_and_die(file: &Path, cycle: usize, life: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "crash::child", "--nocapture"])
        .env(FILE, file)
        .env(CYCLE, cycle.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || -> Vec<String> {
        let lines = output.lines().map_while(Result::ok);
        let whole = lines.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
        whole.flat_map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect()
    });
    std::thread::sleep(life);
    child.kill().unwrap(); // SIGKILL: no handler, no farewell
    child.wait().unwrap();
    let mut ids = reader.join().unwrap();
    // The last line may have been cut off in the middle of an id.
    ids.retain(|id| id.split('.').filter(|part| !part.is_empty()).count() == 4);
    ids
}

#[test]
fn nothing_acknowledged_is_lost() {
    let kills: usize = std::env::var("LIKEWISE_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let folder: PathBuf = std::env::temp_dir().join(format!("likewise-crash-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("shop.db");
    let mut acknowledged: HashSet<String> = HashSet::new();
    let mut chance = 0x9e37_79b9_7f4a_7c15u64;
    for cycle in 0..kills {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        acknowledged.extend(live_and_die(&file, cycle, Duration::from_millis(20 + (chance >> 33) % 120)));
        let log = SqliteLog::open(&file).unwrap();
        let mut kept = HashSet::new();
        log.scan(Scan::all(), &mut |logged| {
            assert!(kept.insert(logged.event.id.unwrap().to_owned()), "{:?} twice", logged.event.id);
            Flow::Continue
        })
        .unwrap();
        let lost: Vec<&String> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "lost after kill {cycle}: {lost:?}");
        log.check().unwrap();
    }
    println!("{kills} kills, {} events acknowledged, none lost, none twice", acknowledged.len());
    assert!(acknowledged.len() > kills, "the children did something");
    std::fs::remove_dir_all(&folder).unwrap();
}
