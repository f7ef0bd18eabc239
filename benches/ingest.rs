//! How fast do events come in? Parsing, interning and storing, on one core.
//!
//! Corpus: 200,000 events of 20,000 shoppers on 10,000 items, both picked unevenly, in the order of their times: what a
//! day's export looks like. Every iteration starts with an empty builder.

use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use criterion::{BatchSize, Criterion, Throughput, criterion_group};
use likewise::{
    Columns, Consented, DatasetBuilder, Delimited, Event, EventKind, EventSource, FromIter, JsonLines, LawfulBasis,
    NegativeQuantity, Run, Shopper, TimeFormat, Timestamp,
};

const EVENTS: u64 = 200_000;

struct Row {
    user: String,
    item: String,
    kind: EventKind,
    at: i64,
}

fn rows() -> Vec<Row> {
    let mut state = 42u64;
    let mut draw = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
        (unit * unit * n as f64) as u64 // squared: low numbers are frequent
    };
    (0..EVENTS)
        .map(|i| Row {
            user: (10_000 + draw(20_000)).to_string(),
            item: format!("SKU{:06}", draw(10_000)),
            kind: [EventKind::View, EventKind::View, EventKind::AddToCart, EventKind::Purchase][draw(4) as usize],
            at: 1_291_191_960 + i as i64,
        })
        .collect()
}

fn lines(header: &str, rows: &[Row], line: impl Fn(&mut String, &Row) -> std::fmt::Result) -> String {
    let mut text = header.to_owned();
    for row in rows {
        line(&mut text, row).expect("writing to a string");
    }
    text
}

fn columns() -> Columns {
    Columns::new("user", "item", LawfulBasis::Contract).kind_column("kind").time("time", TimeFormat::Auto)
}

fn run<S: EventSource>(c: &mut Criterion, name: &str, source: impl Fn() -> S) {
    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(20);
    group.bench_function(name, |b| {
        let take = |(mut builder, source): (DatasetBuilder, S)| {
            let report = builder.ingest(source).expect("a readable source");
            assert_eq!(report.accepted, EVENTS);
            black_box(builder)
        };
        b.iter_batched(|| (DatasetBuilder::default(), source()), take, BatchSize::PerIteration);
    });
    group.finish();
}

fn ingest(c: &mut Criterion) {
    let rows = rows();
    let unix =
        lines("user,item,kind,time\n", &rows, |text, r| writeln!(text, "{},{},{},{}", r.user, r.item, r.kind, r.at));
    let datetime = lines("user,item,kind,time\n", &rows, |text, r| {
        let (day, second) = (1 + (r.at / 86_400) % 28, r.at % 86_400);
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        writeln!(text, "{},{},{},2010-12-{day:02} {h:02}:{m:02}:{s:02}", r.user, r.item, r.kind)
    });
    let json = lines("", &rows, |text, r| {
        writeln!(text, r#"{{"user":{},"item":"{}","kind":"{}","time":{}}}"#, r.user, r.item, r.kind, r.at)
    });
    run(c, "csv_unix", || Delimited::from_reader(unix.as_bytes(), columns()).expect("a valid mapping"));
    run(c, "csv_datetime", || Delimited::from_reader(datetime.as_bytes(), columns()).expect("a valid mapping"));
    run(c, "json_lines", || JsonLines::from_reader(json.as_bytes(), columns()).expect("a valid mapping"));
    run(c, "memory", || {
        FromIter(rows.iter().map(|r| {
            let who = Shopper::Profiled(Consented::new(&r.user, LawfulBasis::Contract));
            Event::new(who, &r.item, r.kind, Timestamp::from_secs(r.at))
        }))
    });
}

/// Two million events of 100,000 shoppers on 50,000 items with a session a shopper and week, every column used, from
/// text to the finished dataset.
fn two_million(c: &mut Criterion) {
    let n = 2_000_000u64;
    let mut text = String::from("user,item,kind,time,session,quantity,value\n");
    let mut state = 7u64;
    let mut draw = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
        (unit * unit * n as f64) as u64
    };
    for i in 0..n {
        let (user, item, kind) = (draw(100_000), draw(50_000), ["view", "add_to_cart", "purchase"][draw(3) as usize]);
        let (units, cents, at) = (1 + draw(5), 1 + draw(5000), 1_291_191_960 + i);
        writeln!(text, "{user},SKU{item:06},{kind},{at},{user}-{},{units},{}", at / 604_800, cents as f64 / 100.0)
            .expect("writing to a string");
    }
    let columns = columns().session("session").quantity("quantity", NegativeQuantity::Return).value("value");
    let ingest = || {
        let mut builder = DatasetBuilder::default();
        let source = Delimited::from_reader(text.as_bytes(), columns.clone()).expect("a valid mapping");
        assert_eq!(builder.ingest(source).expect("a readable source").accepted, n);
        builder
    };
    let mut group = c.benchmark_group("ingest_2M_all_columns");
    group.throughput(Throughput::Elements(n)).sample_size(10);
    group.bench_function("csv", |b| b.iter_with_large_drop(&ingest));
    group.bench_function("csv to finished dataset", |b| b.iter_with_large_drop(|| ingest().finish()));
    group.finish();
    if let Ok(data) = ingest().finish() {
        println!("{:.1} bytes an event, keys included", data.memory_report().total() as f64 / n as f64);
    }
}

/// Two million events of four columns, parsed on one thread and on two: alternating, five rounds.
fn threads() -> Result<(), Box<dyn Error>> {
    let (n, mut state) = (2_000_000u64, 7u64);
    let mut draw = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
        (unit * unit * n as f64) as u64
    };
    let (mut csv, mut json) = (String::from("user,item,kind,time\n"), String::new());
    for i in 0..n {
        let (user, item, kind) = (draw(100_000), draw(50_000), ["view", "add_to_cart", "purchase"][draw(3) as usize]);
        let at = 1_291_191_960 + i;
        writeln!(csv, "{user},SKU{item:06},{kind},{at}")?;
        writeln!(json, r#"{{"user":{user},"item":"SKU{item:06}","kind":"{kind}","time":{at}}}"#)?;
    }
    let pools = [1, 2].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build());
    let [one, two] = pools;
    let (one, two, run) = (one?, two?, Run::default());
    let rate = |start: Instant| n as f64 / start.elapsed().as_secs_f64() / 1e6;
    for round in 1..=5 {
        let start = Instant::now();
        let mut builder = DatasetBuilder::default();
        black_box(builder.ingest(Delimited::from_reader(csv.as_bytes(), columns())?)?);
        let serial = rate(start);
        let mut rates = Vec::new();
        for pool in [&one, &two] {
            let start = Instant::now();
            let mut builder = DatasetBuilder::default();
            let source = Delimited::from_reader(csv.as_bytes(), columns())?;
            black_box(pool.install(|| builder.ingest_parallel(source, &run))?);
            rates.push(rate(start));
        }
        for pool in [&one, &two] {
            let start = Instant::now();
            let mut builder = DatasetBuilder::default();
            let source = JsonLines::from_reader(json.as_bytes(), columns())?;
            black_box(pool.install(|| builder.ingest_parallel(source, &run))?);
            rates.push(rate(start));
        }
        println!(
            "round {round}, M events/s: csv one by one {serial:.2}, in blocks on one thread {:.2}, on two {:.2} ({:.2}x); \
             json on one {:.2}, on two {:.2} ({:.2}x)",
            rates[0],
            rates[1],
            rates[1] / rates[0],
            rates[2],
            rates[3],
            rates[3] / rates[2]
        );
    }
    Ok(())
}

criterion_group!(benches, ingest, two_million);

/// `-- --threads` compares one thread and two instead.
fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|arg| arg == "--threads") {
        return threads();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    Ok(())
}
