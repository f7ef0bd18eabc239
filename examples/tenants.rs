//! Many shops in one process: a log, a store and a recommender each, in a folder of their own, one thread pool for all. What
//! the hundredth costs that the first did not: nothing.
//!
//! ```sh
//! cargo run --release --example tenants -- --shops 100 --events 20000
//! ```
//!
//! A shop is a value: opened when it is first asked for, closed by dropping it. Nothing is shared but rayon's pool, so a map
//! from the shop's name to its [`Live`] is all it takes; the shop's lineage keeps models from being taken for another shop's.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use likewise::log::{Durability, SqliteLog};
use likewise::serve::Codecs;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The shops of a process, opened when they are first asked for.
struct Shops {
    folder: PathBuf,
    open: BTreeMap<u64, Live<SqliteLog>>,
}

impl Shops {
    fn shop(&mut self, shop: u64) -> Result<&Live<SqliteLog>> {
        if !self.open.contains_key(&shop) {
            let live = open(&self.folder, shop)?;
            self.open.insert(shop, live);
        }
        Ok(&self.open[&shop])
    }
}

fn open(folder: &Path, shop: u64) -> Result<Live<SqliteLog>> {
    let folder = folder.join(shop.to_string());
    std::fs::create_dir_all(&folder)?;
    let lineup = Lineup::new()
        .model(CoOccurrenceParams::co_view().check()?, 1.0, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check()?, Refit::EveryRefresh);
    let config = LiveConfig::new(lineup)
        .lineage(Lineage::new(shop))
        .budget(MemoryBudget::new(64 << 20)?)
        .store(Store::open(folder.join("store"), 2)?, Codecs::default());
    Ok(Live::open(SqliteLog::open(folder.join("shop.db"))?, config, Timestamp::MIN, &Run::new(shop))?)
}

fn main() -> Result<()> {
    let (mut shops, mut events) = (8, 2_000);
    let mut given = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (given.next(), given.next()) {
        match name.as_str() {
            "--shops" => shops = value.parse()?,
            "--events" => events = value.parse()?,
            other => return Err(format!("{other} is no option: --shops, --events").into()),
        }
    }
    let folder = std::env::temp_dir().join(format!("likewise-tenants-{}", std::process::id()));
    let done = run(&folder, shops, events);
    std::fs::remove_dir_all(&folder)?;
    done
}

fn run(folder: &Path, shops: u64, events: u64) -> Result<()> {
    // Yesterday: every shop recorded, refreshed and saved.
    let mut now = Timestamp::MIN;
    for shop in 0..shops {
        let live = open(folder, shop)?;
        let params = ShopParams { seed: shop, events, users: 500, items: 1_000, ..ShopParams::default() };
        let mut batch: Vec<(String, String, EventKind, Timestamp)> = Vec::new();
        (&SyntheticShop::new(params.check()?)).for_each(&mut |offered| {
            if let Ok(event) = offered.event
                && let Shopper::Profiled(who) = event.shopper
            {
                batch.push((who.user().to_owned(), event.item.to_owned(), event.kind, event.at));
            }
            Flow::Continue
        })?;
        for part in batch.chunks(1_000) {
            let events: Vec<Event<'_>> = part
                .iter()
                .map(|(user, item, kind, at)| {
                    Event::new(Shopper::Profiled(Consented::new(user, LawfulBasis::Contract)), item, *kind, *at)
                })
                .collect();
            now = now.max(part[part.len() - 1].3);
            live.record(&events, now, Durability::Memory)?;
        }
        live.refresh(now, &Run::new(shop))?;
        live.save()?;
    }
    // Today: each is opened when it is first asked for.
    println!(
        "{shops} shops of {events} events\n{:>6} {:>10} {:>12} {:>14}",
        "shop", "opened ms", "process KiB", "report KiB"
    );
    let mut all = Shops { folder: folder.to_owned(), open: BTreeMap::new() };
    let mut costs = Vec::new();
    for shop in 0..shops {
        let (before, began) = (rss_kib(), Instant::now());
        let live = all.shop(shop)?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        let grown = rss_kib().saturating_sub(before);
        let report = live.memory_report().total() >> 10;
        assert!(live.origin().generation.is_some(), "{:?}", live.origin());
        if [0, 1, 9, 49, shops - 2, shops - 1].contains(&shop) {
            println!("{:>6} {took:>10.2} {grown:>12} {report:>14}", shop + 1);
        }
        costs.push((took, grown as f64, report));
    }
    let tenth = costs.len().div_ceil(10);
    let median = |part: &[(f64, f64, usize)], of: fn(&(f64, f64, usize)) -> f64| {
        let mut all: Vec<f64> = part.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (first, last) = (&costs[..tenth], &costs[costs.len() - tenth..]);
    for (name, of) in [("ms", (|c| c.0) as fn(&(f64, f64, usize)) -> f64), ("process KiB", |c| c.1)] {
        println!("{name}: median of the first tenth {:.2}, of the last {:.2}", median(first, of), median(last, of));
    }
    // The same name in two shops is two people.
    let (user, ask) = ("u1", |user| Request::profiled(Consented::new(user, LawfulBasis::Contract), now).k(3));
    let ids = |live: &Live<SqliteLog>| -> Result<Vec<String>> {
        Ok(live.recommend(&ask(user))?.ids().map(str::to_owned).collect())
    };
    println!("for {user} in shop 0: {:?}, in shop 1: {:?}", ids(all.shop(0)?)?, ids(all.shop(1)?)?);
    let before = ids(all.shop(1)?)?;
    all.shop(0)?.forget(user)?;
    assert_eq!(ids(all.shop(1)?)?, before);
    println!("forgotten in shop 0: {:?}, in shop 1: {:?}", ids(all.shop(0)?)?, ids(all.shop(1)?)?);
    Ok(())
}

/// What the system says this process holds; 0 where it does not say.
fn rss_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|found| found.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
