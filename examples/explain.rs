//! Why this item — and why not that one? The arithmetic behind a list as a tree, and reasons in another language.
//!
//! ```sh
//! cargo run --release --example explain
//! ```

mod online_retail;

use std::error::Error;
use std::sync::Arc;

use likewise::*;
use online_retail::{customer, title};

fn main() -> Result<(), Box<dyn Error>> {
    let shop = online_retail::load()?;
    let now = shop.data.as_of();
    let penny_goods = Action::Bury { items: Select::Price { min: None, max: Some(1.5) }, by: 0.2 };
    let ranker = online_retail::fit(&shop)?
        .prefer(Preference::PriceBand { width: 0.5 }, 0.3)
        .rule(Rule::new("penny goods", penny_goods))
        .build()?;
    let snapshot = Snapshot::new(shop.data, shop.catalog, Arc::new(ranker))?;
    let data = snapshot.dataset();

    let id = "16033";
    let request = Request::profiled(customer(id), now).k(5);
    let list = snapshot.recommend(&request)?;
    println!("customer {id} is shown, in English:");
    online_retail::print(&list);
    println!("auf Deutsch:");
    for item in list.iter() {
        let reason = German.reason(&item, &list, &|id| title(&snapshot, id).to_lowercase());
        println!("      {:<36} {reason}", title(&snapshot, item.id()));
    }

    println!("\nWhy the first?");
    let first = list.get(0).ok_or("an empty list")?;
    print_fate(&snapshot, &request, first.id())?;

    println!("\nWhy not this one? It came close:");
    let longer = snapshot.recommend(&request.k(100))?;
    let near = longer.iter().skip(5).find(|item| item.contributions().iter().any(|c| c.value < 0.0));
    print_fate(&snapshot, &request, near.ok_or("nothing was buried")?.id())?;

    println!("\nWhy not what was bought last?");
    let user = data.user(id).ok_or("no such customer")?;
    let last = data.events_of(user).iter().next_back().ok_or("no purchase")?;
    print_fate(&snapshot, &request, data.item_key(last.item))?;

    println!("\nWhy not something from the far end of the shelf?");
    let is_far = |id: &&str| snapshot.explain(&request, id).is_ok_and(|why| why.fate == Fate::NotProposed);
    print_fate(&snapshot, &request, data.item_keys().find(is_far).ok_or("everything is proposed")?)?;

    println!("\nWhy not the new phone?");
    print_fate(&snapshot, &request, "PHONE-17")
}

fn print_fate(snapshot: &Snapshot, request: &Request<'_>, item: &str) -> Result<(), Box<dyn Error>> {
    let why = snapshot.explain(request, item)?;
    let fate = match &why.fate {
        Fate::Listed { position, .. } => format!("listed on place {}", position + 1),
        Fate::Outranked => "a candidate, but others are better".to_owned(),
        Fate::NotProposed => "nobody proposed it; it would have scored".to_owned(),
        Fate::Filtered { by } => format!("refused by {}", by.join(" and ")),
        Fate::Unknown => "we do not sell that".to_owned(),
        other => format!("{other:?}"),
    };
    println!("  {}: {fate}", title(snapshot, item));
    if let Some(score) = why.score.value {
        print_tree(snapshot, &why.score, 2);
        let parts: f32 = why.score.details.iter().filter_map(|part| part.value).sum();
        assert_eq!(parts, score, "the parts sum to the score, to the bit");
    }
    Ok(())
}

/// The root is the blended score; below it, what each source adds; below that, how a scorer came to its opinion, in
/// units of its own.
fn print_tree(snapshot: &Snapshot, node: &Explanation, depth: usize) {
    let name = |item: ItemIdx| title(snapshot, snapshot.item_id(item)).to_lowercase();
    let what = match &node.reason {
        Reason::Blend => "score".to_owned(),
        Reason::Scorer { name, .. } if depth == 3 => format!("{name} adds"),
        Reason::Scorer { name, .. } => format!("{name} by itself says"),
        Reason::Because { item, code } => format!("{code:?} with {}", name(*item)),
        Reason::Count { events, code } => format!("{code:?}: {events} events"),
        Reason::Rule { id } => format!("{id:?} adds"),
        other => format!("{other:?}"),
    };
    let value = node.value.map_or_else(String::new, |value| format!("{value:+.4}"));
    println!("{:indent$}{what:<width$.width$} {value:>9}", "", indent = 2 * depth, width = 60 - 2 * depth);
    // Evidence is long: the loudest three.
    let mut parts: Vec<&Explanation> = node.details.iter().collect();
    let shown = if depth > 3 { 3 } else { parts.len() };
    if depth > 3 {
        parts.sort_by(|a, b| b.value.unwrap_or(0.0).abs().total_cmp(&a.value.unwrap_or(0.0).abs()));
    }
    parts.iter().take(shown).for_each(|part| print_tree(snapshot, part, depth + 1));
    if parts.len() > shown {
        println!("{:indent$}... and {} more", "", parts.len() - shown, indent = 2 * depth + 2);
    }
}

/// Reasons are data; a renderer of the shop's own finds the words.
struct German;

impl Renderer for German {
    fn reason(&self, of: &Recommendation<'_>, list: &Recommendations, name: &dyn Fn(&str) -> String) -> String {
        let Some(reason) = of.reason() else { return "aus unserem Sortiment".to_owned() };
        let because = reason.because.map(|item| name(list.snapshot().item_id(item)));
        match (reason.code, because) {
            (ReasonCode::BoughtTogether | ReasonCode::GoesWithBasket, Some(item)) => format!("passt zu „{item}“"),
            (ReasonCode::SimilarTaste, Some(item)) => format!("weil Ihnen „{item}“ gefällt"),
            (ReasonCode::SimilarTaste, None) => "gefällt Kunden mit Ihrem Geschmack".to_owned(),
            (ReasonCode::Popular, _) => "bei vielen beliebt".to_owned(),
            (ReasonCode::Trending, _) => "gerade im Kommen".to_owned(),
            (ReasonCode::RecentlyViewed, _) => "haben Sie schon einmal gekauft".to_owned(),
            (ReasonCode::PriceMatch, _) => "in Ihrer Preislage".to_owned(),
            _ => "für Sie ausgesucht".to_owned(),
        }
    }
}
