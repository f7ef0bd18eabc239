//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::Arg::{Long, Short, Value};
use likewise::evaluate::FitOn;
use likewise::recipe::{BlendRecipe, ModelRecipe, nearest};
use likewise::{EventKind, Timestamp};

pub(crate) const HELP: &str = "\
Evaluates recommendation models on your data: fits on the past, asks about what came then, and judges the lists.

  evaluate                                                   the bundled online-retail invoices, a few models
  evaluate --events FILE --columns user=..,item=..,time=..[,kind=..,value=..,quantity=..,session=..]
           --split time:2011-11-09 | leave-last | fraction:0.8
  evaluate --train FILE --test FILE
  evaluate --task next-item   --train SESSIONS.tsv --test SESSIONS.tsv --columns session=SessionId,item=ItemId,time=Time
  evaluate --task prefix      --train SEQUENCES.txt --test PREFIX_TARGET.tsv
  evaluate --task next-basket --events FILE --columns .. --repeats keep

Files: delimited text with a header (comma, tab or semicolon), plain or .gz. For --task prefix no header: a session a
line, items between blanks; and a prefix, a TAB and its target a line.

  --model NAME[:KEY=VALUE,..]   a model; may be repeated. Without it every model suited to the task runs at its defaults
  --blend \"NAME[:..]*0.7 + NAME*0.3\"   a blend; may be repeated
  --tune TRIALS                 tunes the parameters of each model (of a blend: of each part, then the weights) on a
                                validation cut of the training part first; parameters that are given stay
  --weights view=1,cart=3,..    what an event of a kind counts
  --exclude seen|bought|current|none    what is never recommended (default: seen; for next-item and next-basket none)
  --repeats keep|drop           whether items the shopper knows may be targets (default: drop if they are excluded)
  --fit-on train|train+validation    whether to fit on the step just before the questions (default: train+validation)
  --k 5,10,20                   the cut-offs of the metrics
  --attributes FILE             items with attributes: a .csv with an item column, or .json {item: [value, ..]}
  --threads N   --seed S   --limit-test N (ask N of the questions)   --json (one line a model)
  --list                        models, parameters, ranges and defaults
  --help
";

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Interactions,
    NextItem,
    Prefix,
    NextBasket,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    Bundled,
    Events(PathBuf),
    Given { train: PathBuf, test: PathBuf },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SplitAt {
    Time(Timestamp),
    LeaveLast,
    Fraction(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exclude {
    Seen,
    Bought,
    Current,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Table,
    Json,
}

/// What to do.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Help,
    List,
    Evaluate(Box<Args>),
}

/// What to evaluate, and how.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) source: Source,
    pub(crate) columns: Vec<(Part, String)>,
    pub(crate) split: Option<SplitAt>,
    pub(crate) task: Task,
    pub(crate) models: Vec<ModelRecipe>,
    pub(crate) blends: Vec<BlendRecipe>,
    pub(crate) tune: Option<usize>,
    pub(crate) weights: Vec<(EventKind, f32)>,
    pub(crate) exclude: Option<Exclude>,
    pub(crate) keep_repeats: Option<Repeats>,
    pub(crate) fit_on: FitOn,
    pub(crate) ks: Vec<usize>,
    pub(crate) attributes: Option<PathBuf>,
    pub(crate) threads: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) limit_test: Option<usize>,
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    Keep,
    Drop,
}

/// A part of an event, as `--columns` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    User,
    Item,
    Time,
    Kind,
    Value,
    Quantity,
    Session,
}

impl Part {
    pub(crate) const ALL: [(&str, Self); 7] = [
        ("user", Self::User),
        ("item", Self::Item),
        ("time", Self::Time),
        ("kind", Self::Kind),
        ("value", Self::Value),
        ("quantity", Self::Quantity),
        ("session", Self::Session),
    ];
}

/// A command line that cannot be meant; the text says what could.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsageError(pub(crate) String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl From<lexopt::Error> for UsageError {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

const FLAGS: [&str; 21] = [
    "events",
    "train",
    "test",
    "columns",
    "split",
    "task",
    "model",
    "blend",
    "tune",
    "weights",
    "exclude",
    "repeats",
    "fit-on",
    "k",
    "attributes",
    "threads",
    "seed",
    "limit-test",
    "list",
    "json",
    "help",
];

/// Reads the arguments after the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Command, UsageError> {
    let (mut events, mut train, mut test, mut list) = (None, None, None, false);
    let mut out = Args {
        source: Source::Bundled,
        columns: Vec::new(),
        split: None,
        task: Task::Interactions,
        models: Vec::new(),
        blends: Vec::new(),
        tune: None,
        weights: Vec::new(),
        exclude: None,
        keep_repeats: None,
        fit_on: FitOn::TrainAndValidation,
        ks: vec![5, 10, 20],
        attributes: None,
        threads: None,
        seed: 42,
        limit_test: None,
        output: Output::Table,
    };
    let mut parser = lexopt::Parser::from_args(args.into_iter().map(Into::into));
    while let Some(arg) = parser.next()? {
        let flag = match arg {
            Long(flag) => flag.to_owned(),
            Short('h') => "help".to_owned(),
            Short(c) => return Err(UsageError(format!("there is no flag -{c}; flags are words: --help lists them"))),
            Value(word) => {
                return Err(UsageError(format!(
                    "{word:?} belongs to no flag; files are named by --events, --train, --test"
                )));
            }
        };
        if !FLAGS.contains(&flag.as_str()) {
            let meant = nearest(&flag, FLAGS).map_or(String::new(), |flag| format!(" (did you mean --{flag}?)"));
            return Err(UsageError(format!("there is no flag --{flag}{meant}; --help lists them")));
        }
        match flag.as_str() {
            "help" => return Ok(Command::Help),
            "list" => list = true,
            "json" => out.output = Output::Json,
            "events" => events = Some(PathBuf::from(parser.value()?)),
            "train" => train = Some(PathBuf::from(parser.value()?)),
            "test" => test = Some(PathBuf::from(parser.value()?)),
            "attributes" => out.attributes = Some(PathBuf::from(parser.value()?)),
            _ => {
                let value = parser.value()?;
                let text = value.to_str().ok_or_else(|| UsageError(format!("--{flag} {value:?} is no UTF-8")))?;
                set(&mut out, &flag, text)?;
            }
        }
    }
    if list {
        return Ok(Command::List);
    }
    out.source = match (events, train, test) {
        (None, None, None) => Source::Bundled,
        (Some(events), None, None) => Source::Events(events),
        (None, Some(train), Some(test)) => Source::Given { train, test },
        (Some(_), ..) => {
            return Err(UsageError("give --events FILE, or --train FILE --test FILE, not both".to_owned()));
        }
        (None, Some(_), None) => {
            return Err(UsageError("--train needs --test FILE (or use --events with --split)".to_owned()));
        }
        (None, None, Some(_)) => return Err(UsageError("--test needs --train FILE".to_owned())),
    };
    let given = matches!(out.source, Source::Given { .. });
    if out.task == Task::Prefix && !given {
        return Err(UsageError("--task prefix needs --train SEQUENCES and --test PREFIX_TARGET".to_owned()));
    }
    if given && out.split.is_some() {
        return Err(UsageError("--split cuts one log; --train and --test are cut already".to_owned()));
    }
    if given && out.fit_on == FitOn::Train {
        return Err(UsageError(
            "--fit-on train cuts one log; leave the step out of the --train file instead".to_owned(),
        ));
    }
    Ok(Command::Evaluate(Box::new(out)))
}

fn set(out: &mut Args, flag: &str, text: &str) -> Result<(), UsageError> {
    match flag {
        "columns" => out.columns = pairs(flag, text, |name| choice("columns", name, &Part::ALL))?,
        "split" => out.split = Some(split(text)?),
        "task" => {
            let all = [
                ("interactions", Task::Interactions),
                ("next-item", Task::NextItem),
                ("prefix", Task::Prefix),
                ("next-basket", Task::NextBasket),
            ];
            out.task = choice(flag, text, &all)?;
        }
        "model" => out.models.push(text.parse().map_err(|error| UsageError(format!("--model: {error}")))?),
        "blend" => out.blends.push(text.parse().map_err(|error| UsageError(format!("--blend: {error}")))?),
        "tune" => out.tune = Some(number(flag, text, 1, 100_000)?),
        "weights" => {
            let kind =
                |name: &str| name.parse::<EventKind>().map_err(|error| UsageError(format!("--weights: {error}")));
            for (kind, weight) in pairs(flag, text, kind)? {
                let value = weight.parse::<f32>().ok().filter(|w| (0.0..=1e6).contains(w));
                let wrong = || UsageError(format!("--weights {kind}={weight}: a weight is a number from 0 to 1000000"));
                out.weights.push((kind, value.ok_or_else(wrong)?));
            }
        }
        "exclude" => {
            let all = [
                ("seen", Exclude::Seen),
                ("bought", Exclude::Bought),
                ("current", Exclude::Current),
                ("none", Exclude::None),
            ];
            out.exclude = Some(choice(flag, text, &all)?);
        }
        "repeats" => out.keep_repeats = Some(choice(flag, text, &[("keep", Repeats::Keep), ("drop", Repeats::Drop)])?),
        "fit-on" => {
            out.fit_on =
                choice(flag, text, &[("train", FitOn::Train), ("train+validation", FitOn::TrainAndValidation)])?;
        }
        "k" => {
            let ks = text.split(',').map(|k| number(flag, k, 1, 10_000));
            out.ks = ks.collect::<Result<_, _>>()?;
            out.ks.sort_unstable();
            out.ks.dedup();
        }
        "threads" => out.threads = Some(number(flag, text, 1, 1024)?),
        "seed" => out.seed = number(flag, text, 0, usize::MAX)? as u64,
        _ => out.limit_test = Some(number(flag, text, 1, usize::MAX)?),
    }
    Ok(())
}

/// `NAME=VALUE,..`
fn pairs<T>(
    flag: &str,
    text: &str,
    name_of: impl Fn(&str) -> Result<T, UsageError>,
) -> Result<Vec<(T, String)>, UsageError> {
    let pair = |pair: &str| {
        let (name, value) = pair
            .split_once('=')
            .filter(|(_, value)| !value.trim().is_empty())
            .ok_or_else(|| UsageError(format!("--{flag}: {pair:?} is no NAME=VALUE")))?;
        Ok((name_of(name.trim())?, value.trim().to_owned()))
    };
    text.split(',').map(pair).collect()
}

fn choice<T: Copy>(flag: &str, text: &str, all: &[(&str, T)]) -> Result<T, UsageError> {
    let names = || all.iter().map(|(name, _)| *name);
    all.iter().find(|(name, _)| *name == text.trim()).map(|(_, value)| *value).ok_or_else(|| {
        let meant = nearest(text, names()).map_or(String::new(), |name| format!(" (did you mean {name:?}?)"));
        UsageError(format!(
            "--{flag}: there is no {text:?}{meant}; there are {}",
            names().collect::<Vec<_>>().join(", ")
        ))
    })
}

fn number(flag: &str, text: &str, lo: usize, hi: usize) -> Result<usize, UsageError> {
    let number = text.trim().parse().ok().filter(|n| (lo..=hi).contains(n));
    number.ok_or_else(|| UsageError(format!("--{flag} {text}: expected a whole number from {lo} to {hi}")))
}

fn split(text: &str) -> Result<SplitAt, UsageError> {
    let wrong = |problem: &str| {
        UsageError(format!("--split {text}: {problem}; write time:2011-11-09, leave-last or fraction:0.8"))
    };
    match text.split_once(':').unwrap_or((text, "")) {
        ("leave-last", "") => Ok(SplitAt::LeaveLast),
        ("fraction", share) => {
            let share = share.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
            share.map(SplitAt::Fraction).ok_or_else(|| wrong("a fraction is a number above 0 and below 1"))
        }
        ("time", time) => {
            let civil = time.parse::<jiff::civil::DateTime>().ok();
            let at = civil.and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::UTC).ok());
            let millis = at.map(|at| at.timestamp().as_millisecond());
            let millis = millis.or_else(|| time.parse::<i64>().ok().map(|seconds| seconds.saturating_mul(1000)));
            millis.map(|ms| SplitAt::Time(Timestamp::from_millis(ms))).ok_or_else(|| {
                wrong("a time is a date (2011-11-09), a date with time (2011-11-09T12:00:00) or Unix seconds")
            })
        }
        (name, _) => {
            let meant = nearest(name, ["time", "leave-last", "fraction"]);
            Err(wrong(&meant.map_or("no such split".to_owned(), |meant| format!("did you mean {meant:?}?"))))
        }
    }
}
