//! Session neighbours: fit and query.
//!
//! 20,000 items with Zipf popularity, 500,000 events; the running session has five clicks on popular items, so that every
//! one has more sessions than are looked at: the worst case of a query.
//!
//! `cargo bench --bench session -- --percentiles TRAIN TEST [M K LATEST]` measures instead every prediction over two files
//! of SessionId, ItemId, Time (tab-separated, one header line), single-threaded: what is proposed to each prefix of each
//! test session, twenty items with their scores. It prints quality and percentiles, once a round, to be read beside
//! another program's on the same files in the same minutes.

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group};
use likewise::testing::{ShopParams, SyntheticShop, Trial};
use likewise::*;

fn session(c: &mut Criterion) {
    let params = ShopParams { items: 20_000, users: 50_000, events: 500_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap_or_else(|e| panic!("{e}"));
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let mut popular: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    popular.sort_by_key(|&item| std::cmp::Reverse(data.events_on(item).len()));
    let touch = |&item: &ItemIdx| Touch { item, kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let history: Vec<Touch> = popular[..5].iter().map(touch).collect();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, history.len());
    let mut trial = Trial::default();
    for params in [SessionKnnParams::vmis(), SessionKnnParams::vstan(), SessionKnnParams::next_click()] {
        let recipe = params.check().unwrap();
        let model = recipe.fit(&(&data).into(), &Run::default()).unwrap();
        c.bench_function(&format!("session/query/{}, 5 popular clicks, 100 candidates", recipe.name), |b| {
            b.iter(|| trial.ask(&model, black_box(&cx), 100).len());
        });
    }
    let recipe = SessionKnnParams::next_click().check().unwrap();
    let mut group = c.benchmark_group("session/fit 500k events");
    group.sample_size(10);
    group.bench_function("next_click", |b| b.iter(|| recipe.fit(&(&data).into(), &Run::default()).unwrap()));
    group.finish();
}

/// Sessions by id, their clicks in the order of time.
type Sessions = BTreeMap<u64, Vec<(f64, String)>>;

fn sessions(path: &str) -> Result<Sessions, Box<dyn Error>> {
    let mut all = Sessions::new();
    for line in std::fs::read_to_string(path)?.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [session, item, at] = fields[..] else { return Err(format!("not three fields: {line}").into()) };
        all.entry(session.parse()?).or_default().push((at.trim().parse()?, item.to_owned()));
    }
    all.values_mut().for_each(|clicks| clicks.sort_by(|a, b| a.0.total_cmp(&b.0)));
    Ok(all)
}

fn percentiles(args: &[String]) -> Result<(), Box<dyn Error>> {
    let [train, test, numbers @ ..] = args else { return Err("--percentiles TRAIN TEST [M K LATEST]".into()) };
    let number = |n: usize, default: usize| numbers.get(n).map_or(Ok(default), |number| number.parse());
    let (recent, neighbours, latest) = (number(0, 1_000)?, number(1, 500)?, number(2, 4)?);
    let (train, test) = (sessions(train)?, sessions(test)?);
    let mut builder = DatasetBuilder::default();
    for (id, clicks) in &train {
        let session = id.to_string();
        for (at, item) in clicks {
            let (who, at) = (Shopper::Anonymous { session: &session }, Timestamp::from_millis((at * 1000.0) as i64));
            builder.push(&Event::new(who, item, EventKind::View, at).session(&session))?;
        }
    }
    builder.items(test.values().flatten().map(|click| click.1.as_str()))?; // unknown items keep their place
    let data = builder.finish()?;
    let params = SessionKnnParams { recent, neighbours, latest, ..SessionKnnParams::vmis() };
    let model = params.check()?.fit(&(&data).into(), &Run::default())?;
    let (shelf, mut trial) = (Shelf::bare(&data), Trial::default());
    for _ in 0..4 {
        let (mut hits, mut ranks, mut micros) = (0, 0.0, Vec::new());
        for clicks in test.values() {
            let items: Vec<ItemIdx> = clicks.iter().filter_map(|(_, item)| data.item(item)).collect();
            let touch = |&item: &ItemIdx| Touch { item, kind: EventKind::View, at: data.as_of(), weight: 1.0 };
            let newest_first: Vec<Touch> = items.iter().rev().map(touch).collect();
            for (len, target) in items.iter().enumerate().skip(1) {
                let mut cx = Context::new(&data, &shelf, data.as_of());
                (cx.history, cx.session_len) = (&newest_first[items.len() - len..], len);
                let start = Instant::now();
                let list = black_box(trial.ask(&model, black_box(&cx), 20));
                micros.push(start.elapsed().as_nanos() as f64 / 1e3);
                if let Some(place) = list.iter().position(|scored| scored.item == *target) {
                    hits += 1;
                    ranks += 1.0 / (place + 1) as f64;
                }
            }
        }
        micros.sort_by(f64::total_cmp);
        let n = micros.len() as f64;
        let at = |share: f64| micros[((n - 1.0) * share) as usize];
        println!(
            "{n} predictions: HR@20 {:.4}, MRR@20 {:.6}; µs p50 {:.2}, p90 {:.2}, p99 {:.2}, mean {:.2}",
            f64::from(hits) / n,
            ranks / n,
            at(0.5),
            at(0.9),
            at(0.99),
            micros.iter().sum::<f64>() / n
        );
    }
    Ok(())
}

criterion_group!(benches, session);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().position(|arg| arg == "--percentiles") {
        Some(at) => {
            let files: Vec<String> = args[at + 1..].iter().filter(|arg| *arg != "--bench").cloned().collect();
            percentiles(&files)
        }
        None => {
            benches();
            Criterion::default().configure_from_args().final_summary();
            Ok(())
        }
    }
}
