//! All triggers over 100,000 shoppers with 50 events each.
//!
//! `cargo bench --bench trigger` prints seconds of a full sweep (nothing known, what fires is noted), of the next one an
//! hour later, of one after a thousand new events, and of one look at one shopper.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use likewise::decide::trigger::*;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

const SHOPPERS: u32 = 100_000;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let params = ShopParams {
        items: 20_000,
        users: SHOPPERS,
        events: 50 * u64::from(SHOPPERS),
        anonymous_share: 0.0,
        ..ShopParams::default()
    };
    let shop = SyntheticShop::new(params.check()?);
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    builder.ingest(&shop)?;
    let data = builder.build()?;
    let now = data.as_of();
    let shelf = Shelf::new(&data, Arc::new(shop.catalog()?));
    let attribute = shelf.catalog().attributes().next().map(|(name, _)| name.to_owned()).ok_or("no attribute")?;
    println!("{} shoppers, {} events, {} items", data.users().count(), data.n_events(), shelf.n_items());

    let zone = Zone::named("Europe/London")?;
    let start = Instant::now();
    let activity =
        Activity::fit(&ActivityParams::default().check()?, &data, &|_| zone.clone(), &|_| None, now, &Run::new(1))?;
    println!("hours of activity: {:.3} s", start.elapsed().as_secs_f64());

    let zone_of = |_: &str| Some(zone.clone());
    // Two hundred pieces of news: prices that fell, goods that came back.
    let news: Vec<CatalogNews> = (0..200)
        .map(|i| {
            let change = if i % 2 == 0 { Change::Price { from: 10.0, to: 7.0 } } else { Change::Restocked };
            CatalogNews::new(SyntheticShop::item_key(i * 97 + 50), now.minus(Span::hours(20)), change)
        })
        .collect();
    let facts = Facts::new(&data, &shelf).zones(&zone_of).activity(&activity).news(&news);
    let params = TriggerParams { rules: TriggerParams::shop(Some(&attribute)), quiet: None, ..Default::default() };
    let params = params.check()?;
    let agreed = |_: &str| Some(LawfulBasis::Consent);

    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| -> Result<(), Box<dyn Error + Send + Sync>> {
            for round in 0..3 {
                let bound = Bound::new(&params, facts)?;
                let mut state = TriggerState::default();
                let start = Instant::now();
                let swept = bound.sweep(&agreed, &mut state, now, &Run::new(1))?;
                let full = start.elapsed().as_secs_f64();
                let start = Instant::now();
                let next = bound.sweep(&agreed, &mut state, now.plus(Span::hours(1)), &Run::new(1))?;
                let again = start.elapsed().as_secs_f64();
                if round == 0 && threads == 1 {
                    let mut by: Vec<(&str, usize)> = Vec::new();
                    for firing in &swept.firings {
                        match by.iter_mut().find(|(name, _)| *name == firing.trigger) {
                            Some((_, n)) => *n += 1,
                            None => by.push((&firing.trigger, 1)),
                        }
                    }
                    println!("fired: {by:?}; held back: {:?}", swept.held);
                }
                println!(
                    "{threads} threads: full sweep {full:.3} s, {} looked at, {} fired; an hour later {again:.3} s, {} and {}",
                    swept.looked_at,
                    swept.firings.len(),
                    next.looked_at,
                    next.firings.len()
                );
            }
            Ok(())
        })?;
    }
    let bound = Bound::new(&params, facts)?;
    let users: Vec<&str> = data.users().take(10_000).map(|user| data.user_key(user)).collect();
    let start = Instant::now();
    let mut state = TriggerState::default();
    let mut fired = 0;
    for user in &users {
        fired += bound.evaluate(Consented::new(user, LawfulBasis::Consent), &[], &mut state, now).fired.len();
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / users.len() as f64;
    println!("one look at one shopper: {each:.1} µs on average, {fired} fired");
    Ok(())
}
