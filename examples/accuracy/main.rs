//! The public tables, rerun: `cargo run --release --example accuracy -- A|B|B-all|C1|C2|D|E100k|E64|Eserenade|F|all|new-items
//! [--data ../shared/data] [--part test|validation|latest] [--only WORD] [--peers] [--model TEXT] [--system FILE] [--json]`.
//! `--weigh FILE` finds the weights of blends on the validation cut instead.
//!
//! Every system of `parameters.json` was chosen on the validation cut of its protocol; the file says by how many trials
//! and with what figure there. The data sets carry research terms and are not part of the project: without their
//! folder this example says so and ends.

mod new_items;
mod protocols;
mod systems;
mod table;
mod weigh;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use likewise::Run;
use likewise::evaluate::{Judged, System};
use protocols::outcome::Result;
use protocols::{ALL, Part, Protocol, load};
use systems::Entry;
use table::{Line, Table};

/// What the command line asks for.
struct Ask {
    protocols: Vec<String>,
    data: PathBuf,
    part: Part,
    /// Only systems whose name holds one of these.
    only: Vec<String>,
    /// Systems given on the command line, instead of the file's.
    models: Vec<String>,
    /// The peers' models at the peers' parameters, instead of the chosen ones.
    peers: bool,
    json: bool,
    /// A file of systems, in the form of the parameter file's lists.
    system: Option<PathBuf>,
    /// A file of systems whose weights are to be found.
    weigh: Option<PathBuf>,
}

fn main() -> ExitCode {
    match ask(std::env::args().skip(1)).and_then(|ask| run(&ask)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn ask(mut args: impl Iterator<Item = String>) -> Result<Ask> {
    let mut ask = Ask {
        protocols: Vec::new(),
        data: PathBuf::from("../shared/data"),
        part: Part::Test,
        only: Vec::new(),
        models: Vec::new(),
        peers: false,
        json: false,
        system: None,
        weigh: None,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--data" => ask.data = value()?.into(),
            "--only" => ask.only.push(value()?),
            "--model" => ask.models.push(value()?),
            "--part" => {
                ask.part = match value()?.as_str() {
                    "test" => Part::Test,
                    "validation" => Part::Validation,
                    "latest" => Part::Latest,
                    other => return Err(format!("--part is test, validation or latest, not {other:?}").into()),
                }
            }
            "--system" => ask.system = Some(value()?.into()),
            "--weigh" => ask.weigh = Some(value()?.into()),
            "--peers" => ask.peers = true,
            "--json" => ask.json = true,
            "all" => ask.protocols.extend(ALL.iter().map(|(name, _, _)| (*name).to_owned())),
            flag if flag.starts_with('-') => {
                return Err(format!(
                    "unknown flag {flag}; there are --data, --part, --only, --model, --peers, --system, --weigh, --json"
                )
                .into());
            }
            name => ask.protocols.push(name.to_owned()),
        }
    }
    Ok(ask)
}

fn run(ask: &Ask) -> Result<()> {
    if ask.protocols.is_empty() {
        println!("protocols (name one, or `all`):");
        ALL.iter().for_each(|(name, folder, what)| println!("  {name:<10} {folder:<17} {what}"));
        println!("  {:<10} {:<17} items nobody has touched, ranked by their attributes", "new-items", "amazon-beauty");
    }
    if !ask.data.is_dir() {
        println!("{} is not here: the public data sets are needed to rerun the tables", ask.data.display());
        return Ok(());
    }
    for name in &ask.protocols {
        if name == "new-items" {
            new_items::print(&ask.data)?;
            continue;
        }
        if let Some(file) = &ask.weigh {
            let part = if ask.part == Part::Test { Part::Validation } else { ask.part };
            weigh::weigh(&load(name, &ask.data, part)?, &systems::read(file)?)?;
            continue;
        }
        let protocol = load(name, &ask.data, ask.part)?;
        let mut table = Table::new(&protocol, ask.part, ask.json);
        for entry in entries(ask, &protocol)? {
            table.print(&measure(&protocol, &entry)?);
        }
        table.end();
    }
    Ok(())
}

fn entries(ask: &Ask, protocol: &Protocol) -> Result<Vec<Entry>> {
    if !ask.models.is_empty() {
        return ask.models.iter().map(|text| Entry::parse(text)).collect();
    }
    if let Some(file) = &ask.system {
        return systems::read(file);
    }
    let wanted = |entry: &Entry| ask.only.is_empty() || ask.only.iter().any(|word| entry.name.contains(word.as_str()));
    let all = if ask.peers { systems::peers(protocol.name)? } else { systems::chosen(protocol.name)? };
    Ok(all.into_iter().filter(wanted).collect())
}

/// Fits a system, asks it every case on all cores and a thousand cases one by one, and judges the lists.
fn measure(protocol: &Protocol, entry: &Entry) -> Result<Line> {
    table::reset_peak_memory();
    let task = &protocol.task;
    let run = Run::new(1);
    let started = Instant::now();
    let scorer = entry.fit(task, &run)?;
    let fit_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let lists = task.lists(System::Scorer(&*scorer), protocol.k, &run)?;
    let recommend_s = started.elapsed().as_secs_f64();
    let metrics = protocol.metrics.iter().map(|metric| {
        let judged = task.cases().iter().zip(lists.iter()).map(|(case, list)| Judged { task, case, list });
        let values: Vec<f64> = judged.filter_map(|judged| metric.of(&judged)).collect();
        (metric.name(), values.iter().sum::<f64>() / values.len().max(1) as f64)
    });
    let metrics = metrics.collect();
    let mut asker = task.asker(System::Scorer(&*scorer));
    let step = (task.cases().len() / 1000).max(1);
    let mut single_us: Vec<f64> = Vec::new();
    for case in task.cases().iter().step_by(step) {
        let started = Instant::now();
        std::hint::black_box(asker.ask(case, protocol.k));
        single_us.push(started.elapsed().as_secs_f64() * 1e6);
    }
    single_us.sort_by(f64::total_cmp);
    Ok(Line { entry: entry.clone(), fit_s, recommend_s, single_us, metrics })
}

/// Where the parameters lie.
fn parameters() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/accuracy/parameters.json"))
}
