//! The main job on real data: load a shop's invoices, fit six scorers, and recommend — to three customers, to an
//! anonymous visitor, to everybody.
//!
//! ```sh
//! cargo run --release --example quickstart
//! ```

mod online_retail;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use likewise::*;
use online_retail::{customer, date, print, title};

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let shop = online_retail::load()?;
    println!("loaded in {:.2?}: {}", start.elapsed(), shop.report);
    println!("{}\n{} items in the catalogue", shop.data.summary(), shop.catalog.len());

    let start = Instant::now();
    let ranker = online_retail::fit(&shop)?.build()?;
    println!("six scorers fitted in {:.2?}", start.elapsed());

    let now = shop.data.as_of();
    let recommender = Recommender::new(Snapshot::new(shop.data, shop.catalog, Arc::new(ranker))?);
    let snapshot = recommender.snapshot();

    for id in ["12748", "13089", "16033"] {
        for_customer(&snapshot, id, now)?;
    }
    anonymous(&snapshot, now)?;
    latency(&snapshot, now)?;
    batch(&snapshot, now)?;
    Ok(())
}

fn for_customer(snapshot: &Snapshot, id: &str, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let data = snapshot.dataset();
    let user = data.user(id).ok_or("no such customer")?;
    println!("\ncustomer {id}, lately:");
    for event in data.events_of(user).iter().rev().take(4) {
        let name = title(snapshot, data.item_key(event.item));
        println!("   {}  {:>4} x {name}", date(event.at), event.quantity);
    }
    let list = snapshot.recommend(&Request::profiled(customer(id), now))?;
    print(&list);
    Ok(())
}

fn anonymous(snapshot: &Snapshot, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let session = [
        SessionEvent::new("22423", EventKind::View, now), // the cake stand everybody knows
        SessionEvent::new("22699", EventKind::View, now),
    ];
    let basket = ["22697"];
    println!("\nan anonymous visitor, who looked at:");
    for event in &session {
        println!("   {}", title(snapshot, event.item));
    }
    println!("   with {} in the basket", title(snapshot, basket[0]));
    print(&snapshot.recommend(&Request::anonymous(now).session(&session).basket(&basket))?);
    Ok(())
}

fn latency(snapshot: &Snapshot, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let data = snapshot.dataset();
    let ids: Vec<&str> = data.users().map(|user| data.user_key(user)).collect();
    let mut ws = Workspace::default();
    let mut micros = Vec::new();
    for i in 0..1000 {
        let request = Request::profiled(customer(ids[i * 7919 % ids.len()]), now);
        let start = Instant::now();
        snapshot.recommend_with(&request, &mut ws)?;
        micros.push(start.elapsed().as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    let at = |share: f64| micros[(share * (micros.len() - 1) as f64) as usize];
    println!(
        "\n1,000 single requests, one thread: p50 {:.0} µs, p90 {:.0} µs, p99 {:.0} µs",
        at(0.5),
        at(0.9),
        at(0.99)
    );
    Ok(())
}

fn batch(snapshot: &Snapshot, now: Timestamp) -> Result<(), Box<dyn Error>> {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let start = Instant::now();
        let mut items = 0;
        let report = pool.install(|| {
            let request = |id| Request::profiled(customer(id), now);
            snapshot.recommend_all(request, &Run::default(), |answer| {
                items += answer.list.map_or(0, |list| list.len());
                Flow::Continue
            })
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let rate = report.answered as f64 / seconds;
        println!("batch, {threads} thread(s): {} customers, {items} items, {rate:.0} customers/s", report.answered);
    }
    Ok(())
}
