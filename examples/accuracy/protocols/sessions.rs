//! Protocols E: the next click of a session.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::Part;
use super::files::{rows, text};
use super::outcome::Result;
use likewise::evaluate::{Case, Target, Task};
use likewise::{Dataset, DatasetBuilder, Event, EventKind, Lineage, Shelf, Shopper, Timestamp, Touch};

type Click<'t> = (&'t str, Timestamp);

/// A session: its id and its clicks, oldest first.
type Session<'t> = (String, Vec<Click<'t>>);

/// yoochoose-100k and serenade-example: sessions with times.
pub(crate) fn clicks(dir: &Path, part: Part) -> Result<Task> {
    let (train_text, test_text) = (text(&dir.join("train.tsv.gz"))?, text(&dir.join("test.tsv.gz"))?);
    let mut train = read(&train_text)?;
    let test = match part {
        Part::Test => read(&test_text)?,
        Part::Validation | Part::Latest => last_tenth(&mut train),
    };
    task(&train, &every_position(&test))
}

/// yoochoose-1_64: sessions in the order of time, without times. Session i of n is taken to be on day 100 i / n, and the
/// questions to be asked on day 100.
pub(crate) fn sequences(dir: &Path, part: Part) -> Result<Task> {
    let (train_text, test_text) =
        (text(&dir.join("train_sessions.txt.gz"))?, text(&dir.join("test_prefix_target.tsv.gz"))?);
    let n = train_text.lines().count();
    let day = |i: usize| Timestamp::from_millis((8_640_000_000.0 * i as f64 / n as f64) as i64);
    let mut train: Vec<Session<'_>> = Vec::with_capacity(n);
    for (i, line) in train_text.lines().enumerate() {
        train.push((i.to_string(), line.split_whitespace().map(|item| (item, day(i))).collect()));
    }
    let questions: Vec<Question<'_>> = match part {
        Part::Validation | Part::Latest => every_position(&last_tenth(&mut train)),
        Part::Test => test_text
            .lines()
            .map(|line| {
                let (prefix, target) = line.split_once('\t').ok_or("a line without TAB")?;
                let prefix = prefix.split_whitespace().map(|item| (item, day(n))).collect();
                Ok(Question { prefix, target: target.trim() })
            })
            .collect::<Result<_>>()?,
    };
    task(&train, &questions)
}

struct Question<'t> {
    prefix: Vec<Click<'t>>,
    target: &'t str,
}

fn read(text: &str) -> Result<Vec<Session<'_>>> {
    let mut sessions: BTreeMap<u64, Vec<(&str, i64)>> = BTreeMap::new();
    for fields in rows::<3>(text, '\t') {
        let [session, item, time] = fields?;
        let millis = (time.parse::<f64>()? * 1000.0).round() as i64;
        sessions.entry(session.parse()?).or_default().push((item, millis));
    }
    let mut out = Vec::with_capacity(sessions.len());
    for (id, mut clicks) in sessions {
        clicks.sort_by_key(|&(_, at)| at); // stable: file order for equal times
        out.push((id.to_string(), clicks.into_iter().map(|(item, at)| (item, Timestamp::from_millis(at))).collect()));
    }
    Ok(out)
}

/// Takes the last tenth of the sessions by the time of their last click.
fn last_tenth<'t>(train: &mut Vec<Session<'t>>) -> Vec<Session<'t>> {
    train.sort_by_key(|(_, clicks)| clicks.last().map(|c| c.1)); // stable
    train.split_off(train.len() - train.len() / 10)
}

fn every_position<'t>(sessions: &[Session<'t>]) -> Vec<Question<'t>> {
    let positions = |(_, clicks): &Session<'t>| -> Vec<Question<'t>> {
        (1..clicks.len()).map(|p| Question { prefix: clicks[..p].to_vec(), target: clicks[p].0 }).collect()
    };
    sessions.iter().flat_map(positions).collect()
}

fn task(train: &[Session<'_>], questions: &[Question<'_>]) -> Result<Task> {
    let mut builder = DatasetBuilder::new(Lineage::new(5));
    for (id, clicks) in train {
        for &(item, at) in clicks {
            builder.push(&Event::new(Shopper::Anonymous { session: id }, item, EventKind::View, at).session(id))?;
        }
    }
    let fit = Arc::new(builder.build()?);
    // Items of the questions that were never seen get a number, so that they keep their place in the session.
    let asked: BTreeSet<&str> = questions.iter().flat_map(|q| q.prefix.iter().map(|c| c.0)).collect();
    builder.items(asked)?;
    let serve = Arc::new(builder.finish()?);
    let cases = questions.iter().map(|q| case(q, &fit, &serve)).collect();
    let shelf = Shelf::bare(&serve);
    Ok(Task::new(fit, serve, shelf, cases)?)
}

fn case(question: &Question<'_>, fit: &Dataset, serve: &Dataset) -> Case {
    let now = question.prefix.last().map_or(Timestamp::from_secs(0), |c| c.1);
    let touch =
        |&(item, at): &Click<'_>| serve.item(item).map(|item| Touch { item, kind: EventKind::View, at, weight: 1.0 });
    let newest_first = question.prefix.iter().rev().filter_map(touch).collect();
    Case::new(now, [Target { item: fit.item(question.target), value: 1.0 }]).in_session(newest_first)
}
