//! The shop's own say: merchandising rules as JSON, and news about the catalogue, both effective with the next request
//! and without a fit.
//!
//! ```sh
//! cargo run --release --example business_rules
//! ```

mod online_retail;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use likewise::*;
use online_retail::{customer, date, title};

/// Rules are data: from a file, a table, a form in the back office. Times are Unix milliseconds.
const RULES: &str = r#"[
  { "id": "black friday",                            "from": 1322179200000, "until": 1322438400000,
    "action": { "pin": { "item": "22423", "position": 0 } } },
  { "id": "christmas",                               "from": 1322697600000, "until": 1324771200000,
    "action": { "boost": { "by": 0.4, "items":
      { "in": { "attribute": "words", "values": ["CHRISTMAS", "XMAS", "REINDEER", "SNOWFLAKE"] } } } } },
  { "id": "no penny goods",
    "action": { "bury": { "by": 0.5, "items": { "price": { "max": 1.0 } } } } },
  { "id": "one of a kind",
    "action": { "cap": { "attribute": "family", "max": 1 } } },
  { "id": "something dearer",                        "placement": "home",
    "action": { "slot": { "position": 2, "items": { "price": { "min": 12.5 } } } } },
  { "id": "trade offer",                              "audience": { "segment": "trade" },
    "action": { "pin": { "item": "84879", "position": 4 } } }
]"#;

fn main() -> Result<(), Box<dyn Error>> {
    let shop = online_retail::load()?;
    let now = shop.data.as_of();
    let ranker = online_retail::fit(&shop)?.build()?;
    let rules: Vec<Rule> = serde_json::from_str(RULES)?;
    println!("the rules, on {}:", date(now));
    rules.iter().for_each(|rule| println!("  {}", in_words(rule, now)));

    // Rules come with a ranker, the ranker with a snapshot; the fitted scorers are shared by both snapshots.
    let plain = Snapshot::new(shop.data, shop.catalog, Arc::new(ranker))?;
    let start = Instant::now();
    let ruled = plain.with_ranker(Arc::new(plain.ranker().with_rules(rules)?))?;
    let took = start.elapsed();
    let recommender = Recommender::new(ruled.clone());

    let request = Request::profiled(customer("15573"), now).placement("home").k(8);
    let before = plain.recommend(&request)?;
    show("customer 15573 without rules", &before, None);
    let after = recommender.recommend(&request)?;
    show(&format!("with rules, {took:.0?} later"), &after, Some(&before));
    let trade = request.segments(&["trade"]);
    show("a trade customer", &recommender.recommend(&trade)?, Some(&after));
    let boxing_day = Request::profiled(customer("15573"), Timestamp::from_secs(1_324_857_600)).placement("home").k(8);
    show("on 2011-12-26, Christmas is over", &recommender.recommend(&boxing_day)?, Some(&after));

    // A delivery note, a price list, a recall: one update, one snapshot.
    let id = |place: usize| after.get(place).map(|item| item.id()).ok_or("a short list");
    let news = [
        CatalogChange::stock(id(0)?, 0),
        CatalogChange::remove(id(1)?),
        CatalogChange::price(id(2)?, 9.95), // no longer "something dearer"
        CatalogChange::stock("84879", 0),   // the trade offer
    ];
    let name = |place: usize| id(place).map(|id| title(&plain, id).to_lowercase());
    println!("\nnews: {} is sold out, as is the trade offer;", name(0)?);
    println!("      {} is recalled; {} costs £9.95", name(1)?, name(2)?);
    let start = Instant::now();
    let (catalog, report) = ruled.shelf().catalog().update(news)?;
    let generation = recommender.publish(ruled.with_catalog(Arc::new(catalog))?);
    let took = start.elapsed();
    println!(
        "{} changed, {} removed: generation {generation} is live after {took:.0?}",
        report.changed, report.removed
    );
    show("a trade customer after the news", &recommender.recommend(&trade)?, Some(&after));

    // Who still holds the old snapshot, to serve page two of a list, is not disturbed.
    assert!(after.snapshot().recommend(&request)? == after);
    Ok(())
}

fn in_words(rule: &Rule, now: Timestamp) -> String {
    let valid = rule.from.is_none_or(|from| from <= now) && rule.until.is_none_or(|until| now < until);
    let end = |at: Option<Timestamp>| at.map_or_else(|| "ever".to_owned(), date);
    let state = if valid { "valid" } else { "over" };
    format!("{:<18} {state:<6} {:>10} to {:<10}  {:?}", rule.id, end(rule.from), end(rule.until), rule.audience)
}

/// A list with what the rules did to it, next to the places on the list before.
fn show(heading: &str, list: &Recommendations, before: Option<&Recommendations>) {
    let snapshot = list.snapshot();
    let rule = |number: usize| snapshot.ranker().rules()[number].id.as_str();
    let name = |id: &str| title(snapshot, id).to_lowercase();
    println!("\n{heading}:");
    for (place, item) in list.iter().enumerate() {
        let moved = before.map_or_else(String::new, |before| match before.ids().position(|id| id == item.id()) {
            None => "new".to_owned(),
            Some(was) if was == place => "=".to_owned(),
            Some(was) => format!("was {}", was + 1),
        });
        let mut why: Vec<String> = Vec::new();
        match item.placement() {
            Placement::Pinned(number) => why.push(format!("pinned by {:?}", rule(number))),
            Placement::Slot(number) => why.push(format!("slot of {:?}", rule(number))),
            _ => {}
        }
        let moves = item.contributions().iter().filter(|c| matches!(c.source, Source::Rule(_)));
        why.extend(moves.map(|c| format!("{:+.2} by {:?}", c.value, snapshot.source_name(c.source))));
        let price = snapshot.shelf().price(item.item()).map_or_else(String::new, |price| format!("£{price:.2}"));
        let (name, score, why) = (name(item.id()), item.score(), why.join(", "));
        println!("{}", format!("  {}. {name:<36} {price:>7} {score:>6.3}  {moved:<6} {why}", place + 1).trim_end());
    }
    let gone = before.into_iter().flat_map(|before| before.ids()).filter(|id| !list.ids().any(|listed| listed == *id));
    let gone: Vec<String> = gone.map(name).collect();
    if !gone.is_empty() {
        println!("  off the list: {}", gone.join(", "));
    }
    for applied in list.rules() {
        println!("  log: {:?} {}", rule(applied.rule), effect(applied.effect));
    }
}

fn effect(effect: Effect) -> String {
    match effect {
        Effect::Pinned { position } => format!("pinned its item on place {}", position + 1),
        Effect::PinRefused => "did not pin: a filter refuses the item".to_owned(),
        Effect::SlotFilled { position } => format!("filled place {}", position + 1),
        Effect::SlotReleased => "found nothing for its place".to_owned(),
        other => format!("{other:?}"),
    }
}
