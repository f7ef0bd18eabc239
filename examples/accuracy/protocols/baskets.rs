//! Protocol F: tafeng, the next basket.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Part;
use super::files::{customer, text};
use super::outcome::Result;
use likewise::evaluate::{Case, Target, Task};
use likewise::{DatasetBuilder, Event, EventKind, Lineage, Shelf, Timestamp};

type Baskets = BTreeMap<String, Vec<Vec<i64>>>;

/// The day of the basket asked for; the one before is on the day before, whoever the shopper is.
const NOW: i64 = 10_000;

pub(crate) fn tafeng(dir: &Path, part: Part) -> Result<Task> {
    let mut history: Baskets = serde_json::from_str(&text(&dir.join("history.json.gz"))?)?;
    let mut future: Baskets = serde_json::from_str(&text(&dir.join("future.json.gz"))?)?;
    let begin_or_end = |basket: &Vec<i64>| basket.iter().any(|&item| item < 0);
    history.values_mut().chain(future.values_mut()).for_each(|baskets| baskets.retain(|b| !begin_or_end(b)));
    if part != Part::Test {
        future.clear();
        for (user, baskets) in history.iter_mut().filter(|(_, baskets)| baskets.len() >= 2) {
            future.insert(user.clone(), baskets.pop().into_iter().collect());
        }
    }
    let mut builder = DatasetBuilder::new(Lineage::new(6));
    for (user, baskets) in &history {
        for (age, basket) in baskets.iter().rev().enumerate().rev() {
            let at = Timestamp::from_secs((NOW - 1 - age as i64) * 86_400);
            let session = format!("{user}/{age}");
            for item in basket {
                let item = item.to_string();
                builder.push(&Event::new(customer(user), &item, EventKind::Purchase, at).session(&session))?;
            }
        }
    }
    let data = Arc::new(builder.finish()?);
    let now = Timestamp::from_secs(NOW * 86_400);
    let case = |(user, baskets): (&String, &Vec<Vec<i64>>)| {
        let items = baskets.iter().flatten().map(|item| data.item(&item.to_string()));
        let case = Case::new(now, items.map(|item| Target { item, value: 1.0 }));
        data.user(user).map(|user| case.clone().of(user)).unwrap_or(case)
    };
    let cases = future.iter().map(case).collect();
    let shelf = Shelf::bare(&data);
    Ok(Task::new(data.clone(), data, shelf, cases)?.history(100_000))
}
