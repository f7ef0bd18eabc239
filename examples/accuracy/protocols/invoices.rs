//! Protocols C1 and C2: online-retail, what a customer buys in the next 30 days.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::Part;
use super::files::{customer, text};
use super::outcome::Result;
use likewise::evaluate::{Case, Exclusion, Target, Task};
use likewise::{
    AttributeKind, CatalogBuilder, DatasetBuilder, Event, EventKind, ItemRecord, KindSet, Lineage, Shelf, Span,
    Timestamp,
};

/// Which of the coming purchases count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Targets {
    New,
    All,
}

struct Line {
    customer: String,
    item: String,
    invoice: String,
    at: Timestamp,
    quantity: f32,
    price: f32,
}

/// 2011-11-09 00:00:00 UTC.
const CUT: i64 = 1_320_796_800;

pub(crate) fn retail(dir: &Path, part: Part, which: Targets) -> Result<Task> {
    let text = text(&dir.join("online_retail.csv.gz"))?;
    let (lines, descriptions) = lines(&text)?;
    let (cut, end) = match part {
        Part::Validation | Part::Latest => (Timestamp::from_secs(CUT - 30 * 86_400), Timestamp::from_secs(CUT)),
        Part::Test => (Timestamp::from_secs(CUT), Timestamp::from_secs(i64::from(u32::MAX))),
    };
    let mut builder = DatasetBuilder::new(Lineage::new(3)).as_of(cut.minus(Span::millis(1)));
    for line in lines.iter().filter(|line| line.at < cut) {
        let event = Event::new(customer(&line.customer), &line.item, EventKind::Purchase, line.at)
            .session(&line.invoice)
            .quantity(line.quantity)
            .value(line.price);
        builder.push(&event)?;
    }
    let data = Arc::new(builder.finish()?);
    let mut future: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.at >= cut && line.at < end) {
        if let (Some(user), Some(item)) = (data.user(&line.customer), data.item(&line.item)) {
            let bought = data.items_of(user).get(item.get()).is_some();
            if which == Targets::All || !bought {
                future.entry(&line.customer).or_default().insert(item);
            }
        }
    }
    let case = |(user, items): (&&str, &BTreeSet<_>)| {
        let targets = items.iter().map(|&item| Target { item: Some(item), value: 1.0 });
        data.user(user).map(|user| Case::new(cut.minus(Span::millis(1)), targets).of(user))
    };
    let cases = future.iter().filter_map(case).collect();
    let mut catalog = CatalogBuilder::default().attribute("description", AttributeKind::Text)?;
    for (item, text) in &descriptions {
        catalog.add(&ItemRecord::new(*item).text("description", *text))?;
    }
    let shelf = Shelf::new(&data, Arc::new(catalog.build()));
    let task = Task::new(data.clone(), data, shelf, cases)?.history(100_000);
    Ok(if which == Targets::New { task.exclude(Exclusion::Seen(KindSet::ALL)) } else { task })
}

type Read<'t> = (Vec<Line>, BTreeMap<&'t str, &'t str>);

/// The lines that are purchases of known customers, and the descriptions of the items.
fn lines(text: &str) -> Result<Read<'_>> {
    let mut lines = Vec::new();
    let mut descriptions = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record?;
        let field = |i: usize| record.get(i).unwrap_or_default();
        let (quantity, price): (f32, f32) = (field(3).parse()?, field(5).parse()?);
        if field(6).is_empty() || quantity <= 0.0 || price <= 0.0 || field(0).starts_with('C') {
            continue;
        }
        let at: jiff::civil::DateTime = field(4).parse()?;
        lines.push(Line {
            customer: field(6).to_owned(),
            item: field(1).to_owned(),
            invoice: field(0).to_owned(),
            at: Timestamp::from_secs(at.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_second()),
            quantity,
            price,
        });
    }
    // Borrowed from the text: the description is the third column and holds no line break.
    for line in text.lines().skip(1) {
        let mut fields = line.splitn(3, ',');
        if let (Some(_), Some(item), Some(rest)) = (fields.next(), fields.next(), fields.next()) {
            let description = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next().unwrap_or_default(),
                None => rest.split(',').next().unwrap_or_default(),
            };
            if !description.trim().is_empty() {
                descriptions.entry(item).or_insert(description);
            }
        }
    }
    Ok((lines, descriptions))
}
