//! Protocol B: amazon-beauty, each shopper's last item.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Part;
use super::files::{customer, rows, text};
use super::outcome::Result;
use likewise::evaluate::{Case, Exclusion, Target, Task};
use likewise::{
    AttributeKind, Catalog, CatalogBuilder, DatasetBuilder, Event, EventKind, ItemRecord, KindSet, Lineage, Shelf,
    Timestamp,
};

/// What the model of the test part is fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FitOn {
    Train,
    TrainAndValidation,
}

pub(crate) fn beauty(dir: &Path, part: Part, fit_on: FitOn) -> Result<Task> {
    let text = text(&dir.join("interactions.csv.gz"))?;
    let mut users: BTreeMap<u32, Vec<(u32, &str)>> = BTreeMap::new();
    for fields in rows::<3>(&text, ',') {
        let [user, item, position] = fields?;
        users.entry(user.parse()?).or_default().push((position.parse()?, item));
    }
    users.values_mut().for_each(|row| row.sort_unstable());
    // Positions from the end are the clock: the validation item is the day before the test item, whoever the shopper is.
    let day = |len: usize, place: usize| Timestamp::from_secs((1_000_000 + place as i64 - len as i64) * 86_400);
    let (held, fitted) = match (part, fit_on) {
        (Part::Validation | Part::Latest, _) => (2, 2),
        (Part::Test, FitOn::Train) => (1, 2),
        (Part::Test, FitOn::TrainAndValidation) => (1, 1),
    };
    let mut builder = DatasetBuilder::new(Lineage::new(2));
    let push = |builder: &mut DatasetBuilder, from_end: std::ops::Range<usize>| -> Result<()> {
        for (user, row) in &users {
            let user = user.to_string();
            let n = row.len();
            let places = n.saturating_sub(from_end.end)..n.saturating_sub(from_end.start);
            for (place, (_, item)) in row.iter().enumerate().take(places.end).skip(places.start) {
                builder.push(&Event::new(customer(&user), item, EventKind::Purchase, day(n, place)))?;
            }
        }
        Ok(())
    };
    push(&mut builder, fitted..usize::MAX)?;
    let fit = Arc::new(builder.build()?);
    push(&mut builder, held..fitted)?;
    let serve = Arc::new(builder.finish()?);
    let case = |(user, row): (&u32, &Vec<(u32, &str)>)| {
        let place = row.len().checked_sub(held)?;
        let target = Target { item: serve.item(row[place].1).filter(|i| i.as_usize() < fit.n_items()), value: 1.0 };
        let case = Case::new(day(row.len(), place), [target]);
        Some(serve.user(&user.to_string()).map(|user| case.clone().of(user)).unwrap_or(case))
    };
    let cases = users.iter().filter_map(case).collect();
    let shelf = Shelf::new(&serve, Arc::new(attributes(dir)?));
    Ok(Task::new(fit, serve, shelf, cases)?.exclude(Exclusion::Seen(KindSet::ALL)))
}

/// Categories and brands of each item, as the tags `attribute`.
pub(crate) fn attributes(dir: &Path) -> Result<Catalog> {
    let tags: BTreeMap<String, Vec<u32>> = serde_json::from_str(&text(&dir.join("item_attributes.json.gz"))?)?;
    let mut catalog = CatalogBuilder::default().attribute("attribute", AttributeKind::Tags)?;
    for (item, tags) in &tags {
        let record = ItemRecord::new(item.as_str());
        catalog.add(&tags.iter().fold(record, |record, tag| record.tag("attribute", tag.to_string())))?;
    }
    Ok(catalog.build())
}
