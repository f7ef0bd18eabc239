//! What does it cost to grow? Every stage from events to everybody's list, on a synthetic shop of any size.
//!
//! ```sh
//! cargo run --release --example scale -- --events 1000000
//! ```
//!
//! A hundred events a shopper, 200,000 items (a fifth of the events where those are fewer than a million). For each stage:
//! its time, that time an event, and the most memory the process held while it ran. 10^8 events are 10^6 shoppers; run
//! 10^6, 10^7 and 10^8 one after the other and compare the columns: a stage that grows in step with the events keeps its
//! cost an event.
//!
//! ```sh
//! cargo run --release --example scale -- --events 100000000 --budget 6GiB --spill /tmp --build
//! cargo run --release --features mmap --example scale -- --events 100000000 --budget 2GiB --spill /tmp --build --mapped
//! ```
//!
//! builds within a budget, through files; `--mapped` leaves the dataset in them. The fits get the same budget, each beside
//! the dataset; those that cannot tell beforehand (sessions) do not keep it. `--build` ends after the dataset. Mapped pages
//! that were looked at count in the peak until the system wants them for something else; the last column leaves them out,
//! as they are at the end of the stage.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

fn main() -> Result<(), Box<dyn Error>> {
    let asked = Asked::parse()?;
    let events = asked.events;
    let users = u32::try_from(events / 100)?.max(10);
    let items = u32::try_from(events / 5)?.clamp(100, 200_000);
    let params = ShopParams { events, users, items, categories: (items / 200).max(5), ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check()?);
    let run = Run { memory: asked.budget.map(MemoryBudget::bytes), ..Run::new(42) };
    println!(
        "{events} events, {users} shoppers, {items} items, {} threads{}\n{:<22} {:>10} {:>12} {:>12} {:>12}",
        rayon::current_num_threads(),
        asked.budget.map_or_else(String::new, |budget| format!(", within {budget}")),
        "stage",
        "seconds",
        "ns an event",
        "peak MiB",
        "own MiB"
    );
    let stages = Stages { events };
    stages.time("before", || Ok::<(), Box<dyn Error>>(()))?;
    let data = Arc::new(match asked.budget {
        None => {
            let mut builder = DatasetBuilder::new(Lineage::new(1));
            stages.time("ingest", || builder.ingest(&shop))?;
            stages.time("dataset", || builder.finish_parallel(&run))?
        }
        Some(budget) => {
            let mut builder = DatasetBuilder::new(Lineage::new(1)).spill_to(&asked.spill, budget)?;
            stages.time("ingest", || builder.ingest(&shop))?;
            println!("{} of {} events lie in files", builder.spilled(), builder.len());
            stages.time("dataset", || asked.finish(builder, &run))?
        }
    });
    if asked.build {
        println!("the dataset holds {} MiB", data.memory_report().total() >> 20);
        return Ok(());
    }
    let train = TrainingSet::from(&*data);
    stages.time("popularity", || PopularityParams::default().check()?.fit(&train, &run).map_err(boxed))?;
    let co_view = CoOccurrenceParams { retain: Retain::ListsOnly, ..CoOccurrenceParams::co_view() };
    stages.time("co-view", || co_view.check()?.fit(&train, &run).map_err(boxed))?;
    stages.time("sessions", || SessionKnnParams::vmis().check()?.fit(&train, &run).map_err(boxed))?;
    let als = AlsParams { factors: 64, iterations: 5, ..AlsParams::default() };
    let als = stages.time("ALS, 64 factors x 5", || als.check()?.fit(&train, &run).map_err(boxed))?;
    let ranker = Ranker::builder().scorer(Arc::new(als), 1.0).build()?;
    let catalog = Arc::new(shop.catalog()?);
    let snapshot = Snapshot::new(Arc::clone(&data), catalog, Arc::new(ranker))?;
    let (now, mut full) = (data.as_of(), 0u64);
    let report = stages.time("batch, all shoppers", || {
        let request = |id| Request::profiled(Consented::new(id, LawfulBasis::Contract), now).k(20);
        snapshot.recommend_all(request, &run, |answer| {
            full += u64::from(answer.list.is_ok_and(|list| list.len() == 20));
            Flow::Continue
        })
    })?;
    println!(
        "{} lists, {full} of them of 20 items; the dataset holds {} MiB",
        report.answered,
        data.memory_report().total() >> 20
    );
    Ok(())
}

fn boxed(error: FitError) -> Box<dyn Error> {
    error.into()
}

/// What the command line says.
struct Asked {
    events: u64,
    budget: Option<MemoryBudget>,
    spill: PathBuf,
    build: bool,
    mapped: bool,
}

impl Asked {
    /// Without arguments few enough events for a second.
    fn parse() -> Result<Self, Box<dyn Error>> {
        use lexopt::prelude::*;
        let mut asked = Self { events: 50_000, budget: None, spill: std::env::temp_dir(), build: false, mapped: false };
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("events") => asked.events = args.value()?.parse()?,
                Long("budget") => asked.budget = Some(args.value()?.parse()?),
                Long("spill") => asked.spill = args.value()?.into(),
                Long("build") => asked.build = true,
                Long("mapped") => asked.mapped = true,
                _ => return Err(arg.unexpected().into()),
            }
        }
        Ok(asked)
    }

    fn finish(&self, builder: SpillingBuilder, run: &Run<'_>) -> Result<Dataset, Box<dyn Error>> {
        if !self.mapped {
            return Ok(builder.finish(run)?);
        }
        #[cfg(all(feature = "mmap", unix))]
        return Ok(builder.finish_mapped(run)?);
        #[cfg(not(all(feature = "mmap", unix)))]
        Err("--mapped needs the feature mmap, and Unix".into())
    }
}

struct Stages {
    events: u64,
}

impl Stages {
    /// Runs a stage and prints what it took.
    fn time<T, E>(&self, stage: &str, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        forget_peak();
        let start = Instant::now();
        let made = run()?;
        let seconds = start.elapsed().as_secs_f64();
        let [peak, own] =
            ["VmHWM:", "RssAnon:"].map(|of| mib(of).map_or_else(|| "?".to_owned(), |mib| mib.to_string()));
        println!("{stage:<22} {seconds:>10.3} {:>12.1} {peak:>12} {own:>12}", seconds * 1e9 / self.events as f64);
        Ok(made)
    }
}

/// Lets Linux count the most memory held from now on; elsewhere the column stays empty.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn mib(of: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(of))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib >> 10)
}
