//! Protocol A: gowalla, the published random split.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Part;
use super::files::{customer, draw, rows, text};
use super::outcome::Result;
use likewise::evaluate::{Case, Exclusion, Target, Task};
use likewise::{DatasetBuilder, Event, EventKind, KindSet, Lineage, Shelf, Timestamp};

pub(crate) fn gowalla(dir: &Path, part: Part) -> Result<Task> {
    let (train, test) = (text(&dir.join("train.csv.gz"))?, text(&dir.join("test.csv.gz"))?);
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    let at = Timestamp::from_secs(0);
    let mut targets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let pairs = rows::<2>(&train, ',').collect::<Result<Vec<_>>>()?;
    let mut left: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    pairs.iter().for_each(|[user, _]| left.entry(user).or_default().0 += 1);
    left.values_mut().for_each(|(rows, held)| *held = (*rows / 10).max(1));
    for (row, [user, item]) in pairs.into_iter().enumerate() {
        let (rows, held) = left.entry(user).or_default();
        *rows -= 1;
        if part == Part::Validation && draw(row) < 0.1 || part == Part::Latest && *rows < *held {
            targets.entry(user).or_default().push(item);
        } else {
            builder.push(&Event::new(customer(user), item, EventKind::View, at))?;
        }
    }
    if part == Part::Test {
        for fields in rows::<2>(&test, ',') {
            let [user, item] = fields?;
            targets.entry(user).or_default().push(item);
        }
    }
    let data = Arc::new(builder.finish()?);
    let case = |(user, items): (&&str, &Vec<&str>)| {
        let case = Case::new(at, items.iter().map(|item| Target { item: data.item(item), value: 1.0 }));
        data.user(user).map(|user| case.clone().of(user)).unwrap_or(case)
    };
    let cases = targets.iter().map(case).collect();
    let shelf = Shelf::bare(&data);
    Ok(Task::new(data.clone(), data, shelf, cases)?.exclude(Exclusion::Seen(KindSet::ALL)))
}
