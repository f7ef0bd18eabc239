//! How much memory does a recommender hold that records for ever? A steady stream of shoppers and items that come and go,
//! a refresh now and then, a budget; and what the process really takes.
//!
//! ```sh
//! cargo run --release --example bounded -- --events 10000000 --budget 1GiB --every 500000
//! ```
//!
//! At any time 100,000 shoppers and 20,000 items are about; a new shopper comes with every 40 events, a new item with every
//! 400, and each shopper's events of an hour are a session. `RSS` is what the system says the process holds at that moment,
//! `peak` the most since the row before: while events were recorded and the refresh ran, both states in memory.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use likewise::log::{Durability, EventLog, SqliteLog};
use likewise::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Args {
    events: u64,
    every: u64,
    budget: MemoryBudget,
}

fn main() -> Result<()> {
    let args = args()?;
    let folder = std::env::temp_dir().join(format!("likewise-bounded-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let done = serve(&args, &folder);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn args() -> Result<Args> {
    let mut args = Args { events: 60_000, every: 20_000, budget: MemoryBudget::new(32 << 20)? };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or("usage: bounded [--events N] [--every N] [--budget 1GiB]")?;
        match name.as_str() {
            "--events" => args.events = value.parse()?,
            "--every" => args.every = value.parse()?,
            "--budget" => args.budget = value.parse()?,
            other => return Err(format!("{other} is no option: --events, --every, --budget").into()),
        }
    }
    Ok(args)
}

fn config(budget: MemoryBudget) -> Result<LiveConfig> {
    let lineup = Lineup::new()
        .model(CoOccurrenceParams::co_view().check()?, 1.0, Refit::EveryRefresh)
        .model(TrendingParams::default().check()?, 0.2, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check()?, Refit::EveryRefresh)
        .arranged(|ranker| ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None }));
    let caps = HistoryCaps { row_events: 200, item_events: 20_000, ..HistoryCaps::default() };
    Ok(LiveConfig::new(lineup).caps(caps.check()?).budget(budget))
}

/// Who does what at event `n` of the stream.
struct Deed {
    user: String,
    item: String,
    session: String,
    kind: EventKind,
    at: Timestamp,
}

fn deed(n: u64) -> Deed {
    let chance = |salt: u64| {
        let mut x = (n ^ salt << 40).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 27;
        x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    };
    // Squared: a few are much liked.
    let rank = (chance(2) % 20_000) * (chance(3) % 20_000) / 20_000;
    let user = n / 40 + chance(1) % 100_000;
    let second = (n / 20) as i64;
    let kind = match chance(4) % 20 {
        0 => EventKind::Purchase,
        1 | 2 => EventKind::AddToCart,
        _ => EventKind::View,
    };
    Deed {
        user: format!("shopper-{user}"),
        item: format!("item-{}", n / 400 + rank),
        session: format!("visit-{user}-{}", second / 3600),
        kind,
        at: Timestamp::from_secs(1_700_000_000 + second),
    }
}

fn serve(args: &Args, folder: &Path) -> Result<()> {
    let run = Run::new(42);
    let log = SqliteLog::open(folder.join("shop.db"))?;
    let live = Live::open(log, config(args.budget)?, deed(0).at, &run)?;
    println!("budget {}; before the first event the process holds {} MiB", args.budget, mib("VmRSS:").unwrap_or(0));
    println!(
        "{:>11} {:>8} {:>8} {:>8} {:>11} {:>9} {:>8} {:>8} {:>7}",
        "events", "RSS", "peak", "report", "in dataset", "shoppers", "items", "let go", "refresh"
    );
    let (mut done, mut most) = (0, 0);
    forget_peak();
    while done < args.events {
        let until = args.events.min(done + args.every);
        while done < until {
            let deeds: Vec<Deed> = (done..until.min(done + 1_000)).map(deed).collect();
            let events: Vec<Event<'_>> = deeds
                .iter()
                .map(|deed| {
                    let who = Shopper::Profiled(Consented::new(&deed.user, LawfulBasis::Contract));
                    Event::new(who, &deed.item, deed.kind, deed.at).session(&deed.session)
                })
                .collect();
            live.record(&events, deeds[0].at, Durability::Memory)?;
            done += deeds.len() as u64;
            // Somebody asks now and then.
            if let Some(last) = deeds.last() {
                live.recommend(&Request::profiled(Consented::new(&last.user, LawfulBasis::Contract), last.at))?;
            }
        }
        let let_go = live.report().let_go;
        let began = Instant::now();
        live.refresh(deed(done).at, &run)?;
        let seconds = began.elapsed().as_secs_f64();
        let (rss, peak) = (mib("VmRSS:").unwrap_or(0), mib("VmHWM:").unwrap_or(0));
        most = most.max(peak);
        let report = live.report();
        let data = live.recommender().snapshot().dataset().summary();
        println!(
            "{done:>11} {rss:>8} {peak:>8} {:>8} {:>11} {:>9} {:>8} {let_go:>8} {seconds:>5.1} s",
            report.memory.total() >> 20,
            data.events,
            data.users,
            data.items,
        );
        forget_peak();
    }
    println!("{} events in the log; MiB by part:", live.log().state()?.events);
    let report = live.memory_report();
    report.parts().filter(|part| part.1 >> 20 > 0).for_each(|(part, bytes)| println!("{:>8} {part}", bytes >> 20));
    let within = most << 20 <= args.budget.bytes();
    println!(
        "the most the process ever held: {most} MiB, {}",
        if within { "within the budget" } else { "beyond the budget" }
    );
    if within { Ok(()) } else { Err("the budget was not kept".into()) }
}

/// Lets Linux count the most memory held from now on; elsewhere the column stays 0.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn mib(line: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|found| found.starts_with(line))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib >> 10)
}
