//! Protocol D: retailrocket, the buy to come from views, carts and buys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Part;
use super::files::{customer, rows, text};
use super::outcome::Result;
use likewise::evaluate::{Case, Exclusion, Target, Task};
use likewise::{DatasetBuilder, Event, EventKind, KindSet, Lineage, Shelf, Timestamp};

pub(crate) fn retailrocket(dir: &Path, part: Part) -> Result<Task> {
    let (train, test) = (text(&dir.join("train.csv.gz"))?, text(&dir.join("test.csv.gz"))?);
    let mut events = Vec::new();
    for fields in rows::<4>(&train, ',') {
        let [user, item, kind, at] = fields?;
        events.push((user, item, kind.parse::<EventKind>()?, at.parse::<i64>()?));
    }
    let mut targets: BTreeMap<&str, &str> = BTreeMap::new();
    match part {
        Part::Test => {
            for fields in rows::<2>(&test, ',') {
                let [user, item] = fields?;
                targets.insert(user, item);
            }
        }
        Part::Validation | Part::Latest => {
            let mut buys: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
            for &(user, item, _, at) in events.iter().filter(|e| e.2 == EventKind::Purchase) {
                buys.entry(user).or_default().push((at, item));
            }
            for (user, mut bought) in buys.into_iter().filter(|(_, bought)| bought.len() >= 2) {
                bought.sort_unstable();
                targets.insert(user, bought[bought.len() - 1].1);
            }
            events.retain(|&(user, item, _, _)| targets.get(user) != Some(&item));
        }
    }
    let mut builder = DatasetBuilder::new(Lineage::new(4));
    for &(user, item, kind, at) in &events {
        builder.push(&Event::new(customer(user), item, kind, Timestamp::from_secs(at)))?;
    }
    let data = Arc::new(builder.finish()?);
    let now = data.as_of();
    let case = |(user, item): (&&str, &&str)| {
        let case = Case::new(now, [Target { item: data.item(item), value: 1.0 }]);
        data.user(user).map(|user| case.clone().of(user)).unwrap_or(case)
    };
    let cases = targets.iter().map(case).collect();
    let shelf = Shelf::bare(&data);
    let bought = KindSet::of(&[EventKind::Purchase]);
    Ok(Task::new(data.clone(), data, shelf, cases)?.exclude(Exclusion::Seen(bought)))
}
