//! A shop's backend in small: record while serving, survive a restart, merge a device, forget a shopper.
//!
//! `cargo run --release --example live [FILE]`: keeps its events in FILE, or in a temporary file that goes at the end.

use std::path::{Path, PathBuf};
use std::time::Instant;

use likewise::log::{Durability, EventLog, Scan, SqliteLog};
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let folder = std::env::temp_dir().join(format!("likewise-live-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = given.clone().unwrap_or_else(|| folder.join("shop.db"));
    let done = serve(&file);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn config() -> Result<LiveConfig> {
    let lineup = Lineup::new()
        .model(CoOccurrenceParams::co_view().check()?, 1.0, Refit::EveryRefresh)
        .model(AlsParams { factors: 32, ..AlsParams::default() }.check()?, 1.0, Refit::After { events: 10_000 })
        .fallback(PopularityParams::default().check()?, Refit::EveryRefresh)
        .arranged(|ranker| ranker.filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None }));
    Ok(LiveConfig::new(lineup))
}

fn serve(file: &Path) -> Result<()> {
    let run = Run::new(42);

    // Yesterday: a process fills the log.
    let log = SqliteLog::open(file)?;
    if log.state()?.events == 0 {
        let shop = SyntheticShop::new(ShopParams { events: 50_000, ..ShopParams::default() }.check()?);
        let started = Instant::now();
        let kept = fill(&log, &shop)?;
        println!("{kept} events appended one by one in {:.2} s, then synced", started.elapsed().as_secs_f64());
    }
    let mut now = Timestamp::MIN;
    log.scan(Scan::all(), &mut |logged| {
        now = now.max(logged.event.at);
        Flow::Continue
    })?;
    drop(log); // ... and dies

    // Today: another opens the log and serves.
    let started = Instant::now();
    let shop = Live::open(SqliteLog::open(file)?, config()?, now, &run)?;
    println!("opened, read and fitted in {:.2} s", started.elapsed().as_secs_f64());
    let snapshot = shop.recommender().snapshot();
    let (first, second) = (snapshot.item_id(ItemIdx::new(0)).to_owned(), snapshot.item_id(ItemIdx::new(1)).to_owned());

    let eve = Consented::new("eve", LawfulBasis::Consent);
    let ask = Request::profiled(eve, now).k(3);
    let show = |what: &str| -> Result<()> {
        let list = shop.recommend(&ask)?;
        println!("{what:<34} {:?}", list.ids().collect::<Vec<_>>());
        Ok(())
    };
    show("eve is new:")?;
    let phone = Shopper::Anonymous { session: "phone-7" };
    shop.record(&[Event::new(phone, &first, EventKind::View, now)], now, Durability::Disk)?;
    shop.merge(phone, eve)?;
    show("she logs in on the phone:")?;
    let bought = Event::new(Shopper::Profiled(eve), &second, EventKind::Purchase, now).id("order-1/1");
    shop.record(&[bought], now, Durability::Disk)?;
    show("she buys, the very next request:")?;
    let refreshed = shop.refresh(now, &run)?;
    println!(
        "generation {}: {} events came in, {} models fitted",
        refreshed.generation, refreshed.events, refreshed.models
    );
    println!("held about her: {} events", shop.export("eve")?.events.len());
    let certificate = shop.forget("eve")?;
    println!("forgotten: {} events, {} devices", certificate.events, certificate.identities);
    show("a stranger again:")?;
    Ok(())
}

/// Appends everything `source` offers.
fn fill(log: &SqliteLog, mut source: impl EventSource) -> Result<u64> {
    let (mut kept, mut failed) = (0, None);
    source.for_each(&mut |offered| {
        let Ok(event) = offered.event else { return Flow::Continue };
        match log.append(&[event], event.at, Durability::Os) {
            Ok(appended) => kept += appended.accepted,
            Err(error) => failed = Some(error),
        }
        if failed.is_some() { Flow::Stop } else { Flow::Continue }
    })?;
    log.sync()?;
    failed.map_or(Ok(kept), |error| Err(error.into()))
}
