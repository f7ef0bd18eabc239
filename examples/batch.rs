//! Every customer's list into a file, over night: streamed, with progress, and with a clean end when the disk is full or
//! the night is over.
//!
//! ```sh
//! cargo run --release --example batch [lists.jsonl]
//! ```

mod online_retail;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use likewise::*;
use online_retail::customer;
use serde::Serialize;

fn main() -> Result<(), Box<dyn Error>> {
    let path =
        std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("likewise_lists.jsonl"), PathBuf::from);
    let shop = online_retail::load()?;
    let ranker = online_retail::fit(&shop)?.build()?;
    let snapshot = Snapshot::new(shop.data, shop.catalog, Arc::new(ranker))?;

    println!("1. the whole batch");
    // A reader of `path` sees yesterday's lists or today's, never half of them.
    let part = path.with_extension("part");
    let never = AtomicBool::new(false);
    let written = write_all(&snapshot, BufWriter::new(File::create(&part)?), &never)?;
    fs::rename(&part, &path)?;
    let text = fs::read_to_string(&path)?;
    println!("   {} holds {} lines, {} bytes; the first:", path.display(), text.lines().count(), text.len());
    println!("   {:.120} ...", text.lines().next().unwrap_or_default());

    println!("\n2. a disk with room for 256 KiB");
    match write_all(&snapshot, SmallDisk { room: 256 << 10 }, &never) {
        Err(error) => println!("   {error}"),
        Ok(_) => return Err("the disk should have been full".into()),
    }

    println!("\n3. a night half as long");
    let over = AtomicBool::new(false);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(written.took / 2);
            over.store(true, Ordering::Relaxed); // a signal handler would do the same
        });
        write_all(&snapshot, io::sink(), &over)
    });
    println!("   {}", outcome.map_or_else(|e| e.to_string(), |w| format!("{} customers done in time", w.customers)));
    Ok(())
}

struct Written {
    customers: u64,
    took: Duration,
}

/// One JSON line a customer, in the order of the dataset, whatever the number of threads. At most two blocks of lists
/// exist at a time.
fn write_all(snapshot: &Snapshot, mut out: impl Write + Send, cancel: &AtomicBool) -> Result<Written, Box<dyn Error>> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} customers, {per_sec}, {eta} to go")?;
    let bar = ProgressBar::new(0).with_style(style); // on stderr, and silent where that is no terminal
    let progress = |p: Progress| {
        bar.set_length(p.of);
        bar.set_position(p.step);
    };
    let now = snapshot.dataset().as_of();
    let (mut bytes, mut items, mut failed) = (0, 0, None);
    let start = Instant::now();
    let run = Run::default().cancel(cancel).progress(&progress);
    let done = snapshot.recommend_all(
        |id| Request::profiled(customer(id), now).k(10),
        &run,
        |answer| match line(&answer).and_then(|line| out.write_all(&line).map(|()| line.len())) {
            Ok(len) => {
                bytes += len as u64;
                items += answer.list.map_or(0, |list| list.len());
                Flow::Continue
            }
            Err(error) => {
                failed = Some((answer.number, error));
                Flow::Stop // no further list is computed
            }
        },
    );
    bar.finish_and_clear();
    if let Some((number, error)) = failed {
        return Err(format!("stopped at customer {number} of {}: {error}", bar.length().unwrap_or(0)).into());
    }
    let report = done?; // cancelled: says after how many
    out.flush()?;
    let took = start.elapsed();
    let seconds = took.as_secs_f64();
    println!(
        "   {} customers, {items} items, {} in {seconds:.2} s on {} threads: {:.0} customers/s, {}/s",
        report.answered,
        HumanBytes(bytes),
        rayon::current_num_threads(),
        report.answered as f64 / seconds,
        HumanBytes((bytes as f64 / seconds) as u64),
    );
    Ok(Written { customers: report.answered, took })
}

#[derive(Serialize)]
struct Line<'a> {
    customer: &'a str,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    score: f32,
    why: Option<ReasonCode>,
}

fn line(answer: &Answer<'_, '_>) -> io::Result<Vec<u8>> {
    let list = answer.list.as_ref().map_err(|error| io::Error::other(error.to_string()))?;
    let item = |item: Recommendation<'_>| {
        let id = list.snapshot().item_id(item.item());
        Item { id, score: item.score(), why: item.reason().map(|reason| reason.code) }
    };
    let customer = answer.request.user().map_or("", Consented::user);
    let mut line = serde_json::to_vec(&Line { customer, items: list.iter().map(item).collect() })?;
    line.push(b'\n');
    Ok(line)
}

/// A disk that is soon full.
struct SmallDisk {
    room: usize,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self.room.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
