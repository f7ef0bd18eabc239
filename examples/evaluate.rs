//! Which model is best on your data? Fits on the past, asks about what came then, judges the lists: any CSV, any model,
//! blends, tuned parameters.
//!
//! ```sh
//! cargo run --release --example evaluate -- --events FILE --columns user=..,item=..,time=.. --split time:2011-11-09
//! cargo run --release --example evaluate -- --help
//! ```

#[path = "evaluate/args.rs"]
mod args;
#[path = "evaluate/data.rs"]
mod data;
#[path = "evaluate/measure.rs"]
mod measure;
#[path = "evaluate/progress.rs"]
mod progress;
#[path = "evaluate/tuning.rs"]
mod tuning;

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use args::{Args, Command, Output, Source};
use likewise::recipe::{BlendRecipe, ModelRecipe, TaskKind, models};
use likewise::{Progress, Run};
use measure::{Line, measure, sample, table};
use progress::Meter;

fn main() -> ExitCode {
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => {
            print(args::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Command::List) => {
            print(&list());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Evaluate(args)) => args,
        Err(error) => {
            eprintln!("evaluate: {error}");
            return ExitCode::from(2);
        }
    };
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = args.threads {
        pool = pool.num_threads(threads);
    }
    let done = pool
        .build()
        .map_err(Box::from)
        .and_then(|pool| pool.install(|| evaluate(&args).map_err(|e| e.to_string().into())));
    match done {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let error: Box<dyn Error + Send + Sync> = error;
            eprintln!("evaluate: {error}");
            ExitCode::from(2)
        }
    }
}

/// Writes to stdout; a reader that has seen enough is no error.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// As JSON, by way of text, in which an `f32` has as few digits as it needs.
fn plain(value: &impl serde::Serialize) -> serde_json::Result<serde_json::Value> {
    serde_json::from_str(&serde_json::to_string(value)?)
}

/// What runs: one model, or a blend.
enum Entry {
    Model(ModelRecipe),
    Blend(BlendRecipe),
}

impl Entry {
    fn name(&self) -> String {
        match self {
            Self::Model(recipe) => recipe.model.clone(),
            Self::Blend(blend) => blend.to_string(),
        }
    }
}

/// Evaluates everything, and says how many models failed.
fn evaluate(args: &Args) -> Result<usize, Box<dyn Error>> {
    let meter = Meter::new();
    meter.step("read the data");
    let cuts = data::load(args)?;
    let mut task = cuts.test()?;
    if let Some(limit) = args.limit_test {
        task = task.with_cases(sample(task.cases(), limit).into_iter().cloned().collect())?;
    }
    meter.say(&format!("{} events to fit on, {} questions", task.fit_on().n_events(), task.cases().len()));
    let validation = match args.tune {
        Some(_) => Some(tuning::thin(cuts.validation(&task)?)?),
        None => None,
    };
    drop(cuts);

    let progress = |progress: Progress| meter.advance(progress);
    let run = Run::new(args.seed).progress(&progress);
    let k = args.ks.iter().copied().max().unwrap_or(20);
    let (mut lines, mut failed): (Vec<Line>, usize) = (Vec::new(), 0);
    for entry in entries(args)? {
        let name = entry.name();
        let one = || -> Result<Line, Box<dyn Error>> {
            let entry = match (entry, args.tune, &validation) {
                (Entry::Model(recipe), Some(trials), Some(cut)) => {
                    meter.step(&format!("tune {name}"));
                    Entry::Model(tuning::params(&recipe, cut, k, trials, &run, &meter)?)
                }
                (Entry::Blend(blend), Some(trials), Some(cut)) => {
                    let mut blend = blend;
                    for part in &mut blend.parts {
                        meter.step(&format!("tune {}", part.model));
                        let own = ModelRecipe::new(&part.model).with(part.params.clone());
                        part.params = tuning::params(&own, cut, k, trials, &run, &meter)?.params;
                    }
                    meter.step(&format!("weigh {name}"));
                    Entry::Blend(tuning::weights(&blend, cut, k, trials, &run, &meter)?)
                }
                (entry, ..) => entry,
            };
            meter.step(&format!("evaluate {name}"));
            match entry {
                Entry::Model(recipe) => {
                    let shown = (recipe.model.clone(), plain(&recipe.params)?, recipe.to_string());
                    measure(shown, &*recipe.build()?, &task, &args.ks, &run)
                }
                Entry::Blend(blend) => {
                    let shown = ("blend".to_owned(), plain(&blend)?, blend.to_string());
                    measure(shown, &blend.build()?, &task, &args.ks, &run)
                }
            }
        };
        match one() {
            Ok(line) => {
                if args.output == Output::Json {
                    print(&(serde_json::to_string(&line)? + "\n"));
                }
                lines.push(line);
            }
            Err(error) => {
                meter.say(&format!("{name}: {error}"));
                failed += 1;
            }
        }
    }
    drop(meter);
    if args.output == Output::Table {
        print(&table(&mut lines, &args.ks));
    }
    Ok(failed)
}

/// The models and blends named, or all that suit the task.
fn entries(args: &Args) -> Result<Vec<Entry>, Box<dyn Error>> {
    let mut entries: Vec<Entry> = args.models.iter().cloned().map(Entry::Model).collect();
    entries.extend(args.blends.iter().cloned().map(Entry::Blend));
    if !entries.is_empty() {
        return Ok(entries);
    }
    if args.source == Source::Bundled {
        let few = ["popularity", "co_purchase", "item_knn", "als:factors=16,iterations=5"];
        for text in few {
            entries.push(Entry::Model(text.parse()?));
        }
        entries.push(Entry::Blend("co_purchase*0.6 + popularity*0.4".parse()?));
        return Ok(entries);
    }
    let mut suited = vec![match args.task {
        args::Task::Interactions => TaskKind::Collaborative,
        args::Task::NextItem | args::Task::Prefix => TaskKind::Session,
        args::Task::NextBasket => TaskKind::Basket,
    }];
    if args.split == Some(args::SplitAt::LeaveLast) && args.task == args::Task::Interactions {
        suited.push(TaskKind::Sequence);
    }
    if args.attributes.is_some() {
        suited.push(TaskKind::Content);
    }
    let fits = models().iter().filter(|kind| kind.tasks().iter().any(|task| suited.contains(task)));
    Ok(fits.map(|kind| Entry::Model(ModelRecipe::new(kind.name()))).collect())
}

/// Models, parameters, ranges and defaults.
fn list() -> String {
    let mut out = String::new();
    for kind in models() {
        let tasks: Vec<&str> = kind.tasks().iter().map(|task| task.name()).collect();
        let _ = writeln!(out, "{} ({}): {}", kind.name(), tasks.join(", "), kind.what());
        let defaults = serde_json::Value::from(kind.defaults());
        for line in kind.table() {
            let default = defaults.pointer(&format!("/{}", line.name.replace('.', "/")));
            let default = default.map_or(String::new(), ToString::to_string);
            let _ = writeln!(out, "  {:<22} {} [default {default}]; {}", line.name, line.range, line.what);
        }
        let tuned: Vec<&str> = kind.axes().iter().map(|axis| axis.name).collect();
        let _ = writeln!(out, "  tuned: {}\n", tuned.join(", "));
    }
    out
}
