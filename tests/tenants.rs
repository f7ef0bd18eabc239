//! Many shops in one process: they share the thread pool and nothing else.

use std::collections::BTreeMap;

use likewise::log::{Durability, EventLog, MemoryLog};
use likewise::serve::Codecs;
use likewise::*;

use crate::persist::Scratch;

const SHOPS: u64 = 100;
const USERS: u64 = 6;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Contract)
}

fn config(shop: u64, store: Store) -> LiveConfig {
    let co = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::default() };
    let als = AlsParams { factors: 2, iterations: 1, ..AlsParams::default() };
    let lineup = Lineup::new()
        .model(co.check().unwrap(), 1.0, Refit::EveryRefresh)
        .model(als.check().unwrap(), 0.5, Refit::EveryRefresh)
        .fallback(PopularityParams::default().check().unwrap(), Refit::EveryRefresh);
    let budget = MemoryBudget::new(4 << 20).unwrap();
    LiveConfig::new(lineup).lineage(Lineage::new(shop)).budget(budget).store(store, Codecs::default())
}

/// The same names in every shop, other deeds.
fn fill<L: EventLog>(live: &Live<L>, shop: u64) {
    for n in 0..40 {
        let x = (n + 1) * (shop + 3) * 2_654_435_761;
        let (user, item) = (format!("u{}", x / 7 % USERS), format!("i{}", x / 64 % 9));
        let event = Event::new(Shopper::Profiled(who(&user)), &item, EventKind::View, at(n as i64));
        live.record(&[event], at(n as i64), Durability::Memory).unwrap();
    }
}

fn told<L: EventLog>(live: &Live<L>) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    for user in (0..USERS).map(|n| format!("u{n}")).chain(["nobody".to_owned()]) {
        let list = live.recommend(&Request::profiled(who(&user), at(1_000)).k(9)).unwrap();
        all.extend(list.iter().map(|r| (format!("{user} {}", r.id()), r.score().to_bits())));
    }
    all
}

#[test]
fn a_hundred_shops_share_the_pool_and_nothing_else() {
    let folder = Scratch::new();
    let store = |shop: u64| Store::open(folder.path().join(shop.to_string()), 2).unwrap();
    let open = |shop: u64| Live::open(MemoryLog::default(), config(shop, store(shop)), at(0), &Run::new(1)).unwrap();
    let alone = |shop: u64, gone: Option<&str>| {
        let live = Live::open(
            MemoryLog::default(),
            config(shop, Store::open(folder.path().join("alone"), 2).unwrap()),
            at(0),
            &Run::new(1),
        )
        .unwrap();
        fill(&live, shop);
        if let Some(gone) = gone {
            live.forget(gone).unwrap();
        }
        live.refresh(at(1_000), &Run::new(1)).unwrap();
        told(&live)
    };
    let shops: BTreeMap<u64, Live<MemoryLog>> = (0..SHOPS).map(|shop| (shop, open(shop))).collect();
    // All at once, on one pool.
    std::thread::scope(|scope| {
        for part in 0..4 {
            let shops = &shops;
            scope.spawn(move || {
                for (shop, live) in shops.iter().filter(|(shop, _)| **shop % 4 == part) {
                    fill(live, *shop);
                    live.refresh(at(1_000), &Run::new(1)).unwrap();
                    live.save().unwrap();
                }
            });
        }
    });
    let before: Vec<_> = shops.values().map(told).collect();
    for shop in [0, 7, 50, 99] {
        assert_eq!(before[shop as usize], alone(shop, None), "shop {shop} is as it would be alone");
    }
    let different = before.iter().collect::<std::collections::BTreeSet<_>>().len();
    assert!(different > 90, "{different} of {SHOPS} shops say something of their own");
    // One shop's snapshot is not to be mistaken for another's.
    let (data, ranker) = (shops[&3].recommender().snapshot(), shops[&4].recommender().snapshot());
    assert!(matches!(data.with_ranker(ranker.ranker().clone()), Err(SnapshotError::Lineage { .. })));
    // Forgotten in one, known in all others: in lists, logs and files.
    shops[&7].forget("u1").unwrap();
    shops[&7].refresh(at(1_000), &Run::new(1)).unwrap();
    for (shop, live) in &shops {
        if *shop == 7 {
            assert_eq!(told(live), alone(7, Some("u1")));
            assert!(live.export("u1").unwrap().events.is_empty() && store(7).generations().unwrap().is_empty());
        } else {
            assert_eq!(told(live), before[*shop as usize], "shop {shop}");
            assert_eq!(store(*shop).generations().unwrap().len(), 1);
        }
    }
    // The budget is each shop's own; closing one costs the others nothing.
    assert!(shops.values().all(|live| live.memory_report().total() < 1 << 20));
    let mut shops = shops;
    drop(shops.remove(&8));
    assert_eq!(told(&shops[&9]), before[9]);
}
