//! Files into tasks: the one whose figures are reported, and the one parameters are chosen on.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use likewise::evaluate::{Ask, Case, Exclusion, Questions, RepeatTargets, Split, Target};
use likewise::recipe::nearest;
use likewise::*;

use crate::args::{self, Args, Exclude, Part, Source, SplitAt};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
use likewise::evaluate::Task;

/// Data that can be cut.
pub(crate) struct Cuts {
    how: How,
    questions: Questions,
    ask: Ask,
}

enum How {
    One { log: Box<DatasetBuilder>, split: Split },
    Two { train: Box<DatasetBuilder>, test: Box<DatasetBuilder> },
    Prefix { train: Vec<Vec<String>>, test: Vec<(Vec<String>, String)> },
}

impl Cuts {
    /// What the figures are about.
    pub(crate) fn test(&self) -> Result<Task> {
        match &self.how {
            How::One { log, split } => Ok(split.task(log, &self.questions)?),
            How::Two { train, test } => Ok(Split::given(train, test, &self.questions)?),
            How::Prefix { train, test } => prefixes(train, test),
        }
    }

    /// A cut of what may be learned from, to choose parameters on: like the one of `test` as far as can be told.
    ///
    /// Of given files it is what came last of each shopper, about as much as the test file asks about one; of sessions
    /// the last tenth in time, as nobody comes back in them.
    pub(crate) fn validation(&self, test: &Task) -> Result<Task> {
        match &self.how {
            How::One { log, split } => Ok(split.clone().validation().task(log, &self.questions)?),
            How::Two { train, .. } if self.ask == Ask::NextItem => {
                let by_time = Split::fraction(0.9).task(train, &self.questions);
                Ok(by_time.or_else(|_| Split::leave_last(1).task(train, &self.questions))?) // one moment for all
            }
            How::Two { train, .. } if self.ask == Ask::NextSession => {
                Ok(Split::leave_last_sessions(1).task(train, &self.questions)?)
            }
            How::Two { train, test: ahead } => {
                let targets: usize = test.cases().iter().map(|case| case.targets().len()).sum();
                let each = (targets as f64 / test.cases().len().max(1) as f64).round() as usize;
                let mut questions = self.questions.clone();
                if all_new(&Split::given(train, ahead, &self.questions.clone().repeats(RepeatTargets::Keep))?) {
                    questions = questions.repeats(RepeatTargets::Forget);
                }
                Ok(Split::leave_last(each.max(1)).task(train, &questions)?)
            }
            How::Prefix { train, .. } => {
                let (train, last) = train.split_at(train.len() - train.len() / 10);
                let ask = |s: &Vec<String>| -> Vec<(Vec<String>, String)> {
                    (1..s.len()).map(|place| (s[..place].to_vec(), s[place].clone())).collect()
                };
                prefixes(train, &last.iter().flat_map(ask).collect::<Vec<_>>())
            }
        }
    }
}

/// Whether no shopper is asked about an item they are known to have touched: then the files were parted by shopper and
/// item, not by moment, and a held-out item must not be told of by its own views.
fn all_new(task: &Task) -> bool {
    task.cases().iter().all(|case| {
        let touched = case.user.map(|user| task.fit_on().items_of(user));
        !case.known_targets().iter().any(|item| touched.is_some_and(|row| row.get(item.get()).is_some()))
    })
}

/// Reads what the arguments name.
pub(crate) fn load(args: &Args) -> Result<Cuts> {
    let catalog = args.attributes.as_deref().map(attributes).transpose()?;
    let ask = match args.task {
        args::Task::Interactions => Ask::Everything,
        args::Task::NextBasket => Ask::NextSession,
        args::Task::NextItem | args::Task::Prefix => Ask::NextItem,
    };
    let builder = || -> Result<DatasetBuilder> {
        let weigh = |weights: EventWeights, &(kind, weight): &(EventKind, f32)| {
            let own = weights.kind(kind);
            weights.with(kind, KindWeight { weight, ..own })
        };
        let weights = args.weights.iter().fold(EventWeights::default(), weigh);
        Ok(DatasetBuilder::new(Lineage::new(1)).weights(weights.check()?))
    };
    let how = match &args.source {
        Source::Bundled => {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/online_retail.csv.gz");
            let columns = [
                (Part::User, "CustomerID"),
                (Part::Item, "StockCode"),
                (Part::Time, "InvoiceDate"),
                (Part::Quantity, "Quantity"),
                (Part::Value, "UnitPrice"),
                (Part::Session, "InvoiceNo"),
            ];
            let columns: Vec<(Part, String)> = columns.map(|(part, name)| (part, name.to_owned())).to_vec();
            let log = Box::new(events(&file, &columns, EventKind::Purchase, builder()?)?);
            How::One { log, split: split(args, Some(SplitAt::Time(Timestamp::from_secs(1_320_796_800)))) }
        }
        Source::Events(file) => {
            let mapped = columns(file, args)?;
            let log = Box::new(events(file, &mapped, constant(&mapped, args.task), builder()?)?);
            How::One { log, split: split(args, None) }
        }
        Source::Given { train, test } if args.task == args::Task::Prefix => How::Prefix {
            train: lines(train)?.map(|line| Ok(words(&line?))).collect::<Result<_>>()?,
            test: lines(test)?
                .enumerate()
                .map(|(number, line)| {
                    let line = line?;
                    let (prefix, target) = line.split_once('\t').ok_or_else(|| {
                        format!("{} line {}: expected a prefix, a TAB and a target", test.display(), number + 1)
                    })?;
                    Ok((words(prefix), target.trim().to_owned()))
                })
                .collect::<Result<_>>()?,
        },
        Source::Given { train, test } => {
            let mapped = columns(train, args)?;
            // The test file needs to say who and what; the rest may be missing.
            let there = header(test)?;
            let needed = |part: Part| matches!(part, Part::User | Part::Item | Part::Session);
            let kind = constant(&mapped, args.task);
            // Where the train file tells kinds apart and the test file does not, that holds what was bought.
            let told_apart = mapped.iter().any(|(part, _)| *part == Part::Kind);
            let test_kind = if told_apart { EventKind::Purchase } else { kind };
            let in_test: Vec<(Part, String)> =
                mapped.iter().filter(|(part, name)| needed(*part) || there.contains(name)).cloned().collect();
            How::Two {
                train: Box::new(events(train, &mapped, kind, builder()?)?),
                test: Box::new(events(test, &in_test, test_kind, builder()?)?),
            }
        }
    };
    let log = match &how {
        How::One { log, .. } => Some(&**log),
        How::Two { train, .. } => Some(&**train),
        How::Prefix { .. } => None,
    };
    let kinds = log.map_or(Ok(KindSet::EMPTY), kinds)?;
    let mut questions = Questions::default().ask(ask);
    let bought = KindSet::of(&[EventKind::Purchase]);
    if ask != Ask::NextItem && kinds.contains(EventKind::Purchase) && kinds.iter().count() > 1 {
        eprintln!("asked for: purchases (the log has {kinds:?})");
        questions = questions.targets(bought);
    }
    let exclude = args.exclude.unwrap_or(match args.task {
        args::Task::Interactions if args.keep_repeats != Some(args::Repeats::Keep) => Exclude::Seen,
        _ => Exclude::None,
    });
    let (exclusion, known) = match exclude {
        Exclude::Seen => (Some(Exclusion::Seen(KindSet::ALL)), Some(KindSet::ALL)),
        Exclude::Bought => (Some(Exclusion::Seen(bought)), Some(bought)),
        Exclude::Current => (Some(Exclusion::Current), None),
        Exclude::None => (None, None),
    };
    if let Some(exclusion) = exclusion {
        questions = questions.exclude(exclusion);
    }
    let known = match args.keep_repeats {
        Some(args::Repeats::Keep) => None,
        Some(args::Repeats::Drop) => known.or(Some(KindSet::ALL)),
        None => known,
    };
    if let Some(known) = known {
        questions = questions.repeats(RepeatTargets::NewTo(known));
    }
    if let Some(catalog) = catalog {
        questions = questions.catalog(Arc::new(catalog));
    }
    Ok(Cuts { how, questions, ask })
}

fn split(args: &Args, default: Option<SplitAt>) -> Split {
    let split = match args.split.or(default).unwrap_or(SplitAt::Fraction(0.8)) {
        SplitAt::Time(at) => Split::at(at),
        SplitAt::Fraction(before) => Split::fraction(before),
        SplitAt::LeaveLast if args.task == args::Task::NextBasket => Split::leave_last_sessions(1),
        SplitAt::LeaveLast => Split::leave_last(1),
    };
    split.fit_on(args.fit_on)
}

/// The kinds of events in a log.
fn kinds(log: &DatasetBuilder) -> Result<KindSet> {
    let data = log.build()?;
    Ok((0..data.n_items() as u32).flat_map(|item| data.events_on(ItemIdx::new(item))).map(|event| event.kind).collect())
}

/// The columns named, or guessed from the header.
fn columns(file: &Path, args: &Args) -> Result<Vec<(Part, String)>> {
    let there = header(file)?;
    if args.columns.is_empty() {
        let guessed: Vec<(Part, String)> =
            Part::ALL.iter().filter_map(|&(_, part)| Some((part, guess(part, &there)?))).collect();
        let said: Vec<String> = guessed.iter().map(|(part, name)| format!("{}={name}", name_of(*part))).collect();
        let who = guessed.iter().any(|(part, _)| matches!(part, Part::User | Part::Session));
        if !who || !guessed.iter().any(|(part, _)| *part == Part::Item) {
            let problem = "which column is what? Give --columns user=..,item=..,time=..";
            return Err(format!("{}: {problem}; it has {}", file.display(), there.join(", ")).into());
        }
        eprintln!("columns: {} (by their names; --columns says otherwise)", said.join(","));
        return Ok(guessed);
    }
    for (part, name) in &args.columns {
        if !there.contains(name) {
            let meant = nearest(name, there.iter().map(String::as_str));
            let meant = meant.map_or(String::new(), |meant| format!(" (did you mean {meant:?}?)"));
            let part = name_of(*part);
            return Err(format!(
                "--columns {part}={name}: {} has no such column{meant}; it has {}",
                file.display(),
                there.join(", ")
            )
            .into());
        }
    }
    Ok(args.columns.clone())
}

fn name_of(part: Part) -> &'static str {
    Part::ALL.iter().find(|(_, other)| *other == part).map_or("", |(name, _)| name)
}

fn guess(part: Part, there: &[String]) -> Option<String> {
    let names: &[&str] = match part {
        Part::User => &["user", "userid", "customer", "customerid", "visitor", "visitorid", "shopper"],
        Part::Item => &["item", "itemid", "product", "productid", "stockcode", "sku", "asin"],
        Part::Time => &["time", "timestamp", "date", "datetime", "invoicedate", "position"],
        Part::Kind => &["kind", "event", "eventtype", "type", "action"],
        Part::Value => &["value", "price", "unitprice"],
        Part::Quantity => &["quantity", "qty", "amount"],
        Part::Session => &["session", "sessionid", "invoiceno", "invoice", "basket", "basketid", "order", "orderid"],
    };
    let plain = |name: &String| name.to_lowercase().replace(['_', ' ', '-'], "");
    names.iter().find_map(|&wanted| there.iter().find(|name| plain(name) == wanted)).cloned()
}

/// The kind of all events where no column says: what has a price or a number of units was bought.
fn constant(mapped: &[(Part, String)], task: args::Task) -> EventKind {
    let money = mapped.iter().any(|(part, _)| matches!(part, Part::Quantity | Part::Value));
    if money || task == args::Task::NextBasket { EventKind::Purchase } else { EventKind::View }
}

/// Reads a log, and says what was refused.
fn events(
    file: &Path,
    mapped: &[(Part, String)],
    kind: EventKind,
    mut builder: DatasetBuilder,
) -> Result<DatasetBuilder> {
    let column = |part: Part| mapped.iter().find(|(other, _)| *other == part).map(|(_, name)| name.clone());
    let item = column(Part::Item).ok_or("--columns needs item=..")?;
    let mut columns = match (column(Part::User), column(Part::Session)) {
        (Some(user), None) => Columns::new(user, item, LawfulBasis::Contract),
        (Some(user), Some(session)) => Columns::new(user, item, LawfulBasis::Contract).session(session),
        (None, Some(session)) => Columns::anonymous(session, item),
        (None, None) => return Err("--columns needs user=.. or session=..".into()),
    };
    columns = match column(Part::Kind) {
        Some(column) => columns.kind_column(column),
        None => columns.kind(kind),
    };
    if let Some(time) = column(Part::Time) {
        columns = columns.time(time, TimeFormat::Auto);
    }
    if let Some(quantity) = column(Part::Quantity) {
        columns = columns.quantity(quantity, NegativeQuantity::Return);
    }
    if let Some(value) = column(Part::Value) {
        columns = columns.value(value);
    }
    let source = Delimited::from_reader(open(file)?, columns)?.dialect(dialect(file)?)?;
    let report = builder.ingest(source).map_err(|error| format!("{}: {error}", file.display()))?;
    if report.accepted < report.offered {
        eprintln!("{}: {report}", file.display());
    }
    Ok(builder)
}

fn open(file: &Path) -> Result<Box<dyn BufRead + Send>> {
    let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let packed = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    Ok(if packed {
        Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(opened)))
    } else {
        Box::new(BufReader::new(opened))
    })
}

fn lines(file: &Path) -> Result<impl Iterator<Item = Result<String>> + use<>> {
    let shown = file.display().to_string();
    let lines = open(file)?.lines().map(move |line| line.map_err(|error| format!("{shown}: {error}").into()));
    Ok(lines.filter(|line: &Result<String>| line.as_ref().map_or(true, |line| !line.trim().is_empty())))
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The dialect by what separates the header's columns.
fn dialect(file: &Path) -> Result<Dialect> {
    let first = lines(file)?.next().transpose()?.unwrap_or_default();
    let by_count = [Dialect::CSV, Dialect::TSV, Dialect::SEMICOLON];
    let count = |dialect: &Dialect| first.matches(dialect.separator).count();
    let most = by_count.into_iter().reduce(|best, other| if count(&other) > count(&best) { other } else { best });
    Ok(most.unwrap_or_default())
}

fn header(file: &Path) -> Result<Vec<String>> {
    let separator = dialect(file)?.separator;
    let mut reader = csv::ReaderBuilder::new().delimiter(separator as u8).from_reader(open(file)?);
    let names = reader.headers().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(names.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect())
}

/// Items with attributes: a JSON object of lists, or delimited text whose columns become tags (values between `|`), but
/// for titles (text) and the price.
fn attributes(file: &Path) -> Result<Catalog> {
    let name = file.to_string_lossy().to_lowercase();
    let mut builder = CatalogBuilder::default();
    if name.trim_end_matches(".gz").ends_with(".json") {
        builder = builder.attribute("attributes", AttributeKind::Tags)?;
        let items: serde_json::Map<String, serde_json::Value> = serde_json::from_reader(open(file)?)
            .map_err(|error| format!("{}: expected {{item: [value, ..]}}: {error}", file.display()))?;
        for (item, values) in &items {
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let values: Vec<String> = values.as_array().map_or(Vec::new(), |values| values.iter().map(text).collect());
            let record = ItemRecord::new(item.as_str()).value("attributes", AttributeValue::tags(values));
            builder.add(&record)?;
        }
        return Ok(builder.build());
    }
    let there = header(file)?;
    let id = guess(Part::Item, &there).or(there.first().cloned()).ok_or("the attribute file has no columns")?;
    let mut columns = CatalogColumns::new(id.clone());
    for name in there.iter().filter(|name| **name != id) {
        columns = match name.to_lowercase().as_str() {
            "title" | "name" | "description" => columns.text(name.clone(), name.clone()),
            "price" => columns.price(name.clone()),
            "category" => columns.category(name.clone(), name.clone(), '/'),
            _ => columns.tags(name.clone(), name.clone(), '|'),
        };
    }
    let report = builder.read_csv(open(file)?, dialect(file)?, &columns)?;
    eprintln!("{}: {report}", file.display());
    Ok(builder.build())
}

/// Sessions in the order of time without times: session `i` of `n` is taken to be on day `100 i / n`, and the questions
/// to be asked on day 100. Items the sessions do not hold keep their place in a prefix, and are a miss as a target.
fn prefixes(sessions: &[Vec<String>], questions: &[(Vec<String>, String)]) -> Result<Task> {
    let n = sessions.len().max(1);
    let day = |i: usize| Timestamp::from_millis((8.64e9 * i as f64 / n as f64) as i64);
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    for (number, items) in sessions.iter().enumerate() {
        let id = number.to_string();
        for item in items {
            let who = Shopper::Anonymous { session: &id };
            builder.push(&Event::new(who, item, EventKind::View, day(number)).session(&id))?;
        }
    }
    let fit = Arc::new(builder.build()?);
    builder.items(questions.iter().flat_map(|(prefix, _)| prefix.iter().map(String::as_str)))?;
    let serve = Arc::new(builder.finish()?);
    let now = day(n);
    let case = |(prefix, target): &(Vec<String>, String)| {
        let touch =
            |item: &String| serve.item(item).map(|item| Touch { item, kind: EventKind::View, at: now, weight: 1.0 });
        let newest_first = prefix.iter().rev().filter_map(touch).collect();
        Case::new(now, [Target { item: fit.item(target), value: 1.0 }]).in_session(newest_first)
    };
    let cases = questions.iter().map(case).collect();
    let shelf = Shelf::bare(&serve);
    Ok(Task::new(fit, serve, shelf, cases)?)
}
