//! A scorer of the shop's own: what a trade customer is about to run out of. Written, checked, blended, and its part in
//! each score shown.
//!
//! ```sh
//! cargo run --release --example custom_scorer
//! ```

mod online_retail;

use std::error::Error;
use std::sync::Arc;

use likewise::testing::check_scorer;
use likewise::*;
use online_retail::{customer, date, title};

/// What the shopper buys in a rhythm, and is due again: a gift shop that took a tray of mugs in March, May and July
/// wants one in September.
///
/// With `r = time since the last purchase / usual gap`, the score is `exp(-(ln r / width)^2 / 2) x n / (n + 1)`: highest
/// when the gap is over (`r` = 1), the higher the more gaps (`n`) the rhythm was heard in. No opinion on what was not
/// bought on two days at least. Nothing is fitted: the rhythm is read from the request's own history.
#[derive(Debug)]
struct Restock {
    extent: Extent,
    width: f64,
}

impl Restock {
    fn new(data: &Dataset) -> Self {
        Self { extent: data.extent(), width: 0.4 }
    }

    /// Calls `opinion(item, score)` for each item with a rhythm. The buffer comes from the workspace: a warm one allocates
    /// nothing.
    fn judge(&self, cx: &Context<'_>, ws: &mut Workspace, mut opinion: impl FnMut(ItemIdx, f32)) {
        let day = |touch: &Touch| touch.at.millis().div_euclid(86_400_000);
        let mut bought = ws.take_touches();
        let counts = |t: &&Touch| t.kind == EventKind::Purchase && t.item.as_usize() < self.extent.n_items;
        bought.extend(cx.history.iter().filter(counts));
        bought.sort_unstable_by_key(|t| (t.item, t.at));
        for of_item in bought.chunk_by(|a, b| a.item == b.item) {
            let gaps = of_item.windows(2).filter(|pair| day(&pair[0]) != day(&pair[1])).count() as f64;
            let (first, last) = (of_item[0], of_item[of_item.len() - 1]);
            if gaps > 0.0 {
                let usual = last.at.since(first.at).as_days() / gaps;
                let z = (cx.now.since(last.at).as_days() / usual).ln() / self.width;
                opinion(first.item, ((-0.5 * z * z).exp() * gaps / (gaps + 1.0)) as f32);
            }
        }
        ws.give_touches(bought);
    }
}

impl Scorer for Restock {
    fn name(&self) -> &str {
        "restock"
    }

    /// Items numbered later than this get no opinion, and a snapshot refuses to mix numberings.
    fn extent(&self) -> Extent {
        self.extent
    }

    /// One pass over the history, then one look-up an item: never candidates times history.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.judge(cx, ws, |item, score| {
            if let Some(slot) = out.slot_of(item) {
                out.set(slot, score);
            }
        });
    }

    /// Not required, but who else would propose what only this scorer likes?
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut due = ws.take_scored();
        self.judge(cx, ws, |item, score| due.push(Scored { item, score }));
        out.extend_top(&mut due, limit);
        ws.give_scored(due);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let shop = online_retail::load()?;
    let now = shop.data.as_of();

    // The laws of a scorer, over some thirty kinds of request, clocks at both ends of time included.
    let restock = Restock::new(&shop.data);
    check_scorer(&restock, &shop.data, &Shelf::new(&shop.data, Arc::clone(&shop.catalog)))?;
    println!("{:?} keeps the laws of a scorer\n", restock.name());

    // A closure is a filter. It is asked for each candidate, so it should be as cheap as this.
    let small_start = |cx: &Context<'_>, item| cx.history.len() >= 5 || cx.shelf.price(item).is_none_or(|p| p <= 5.0);
    let ranker = online_retail::fit(&shop)?
        .scorer_scaled(Arc::new(restock), 1.0, Normalise::AsIs) // from 0 to 1 already: a weak rhythm stays weak
        .history(5_000) // the default of 500 touches is a month of a busy customer
        .filter(FilterFn::new("new customers start small", small_start))
        .build()?;
    let snapshot = Snapshot::new(shop.data, shop.catalog, Arc::new(ranker))?;

    let id = "12682";
    let list = snapshot.recommend(&Request::profiled(customer(id), now))?;
    print_parts(&list, id);
    print_rhythms(&list, id, now)?;

    let cake_stand = [SessionEvent::new("22423", EventKind::View, now)];
    let visitor = Request::anonymous(now).session(&cake_stand).k(3);
    println!("\na visitor who looked at {}:", title(&snapshot, "22423").to_lowercase());
    online_retail::print(&snapshot.recommend(&visitor)?);
    for item in ["22846", "22138"] {
        let price = snapshot.shelf().catalog().price_of(item).unwrap_or_default();
        let name = title(&snapshot, item).to_lowercase();
        println!("   not shown: {name}, £{price:.2}: {:?}", snapshot.explain(&visitor, item)?.fate);
    }
    Ok(())
}

/// The list as a table of contributions, a column a scorer.
fn print_parts(list: &Recommendations, id: &str) {
    let snapshot = list.snapshot();
    let names: Vec<&str> = snapshot.ranker().scorers().iter().map(|s| s.name()).collect();
    println!("customer {id}: who says how much (a place is also a matter of diversity and caps)");
    println!("{:34}{} = score", "", names.join(" "));
    for item in list.iter() {
        print!("  {:<31.31} ", title(snapshot, item.id()).to_lowercase());
        for (scorer, width) in names.iter().map(|name| name.len()).enumerate() {
            let part = item.contributions().iter().find(|c| c.source == Source::Scorer(scorer));
            print!("{:>width$} ", part.map_or_else(|| ".".to_owned(), |part| format!("{:.2}", part.value)));
        }
        println!("{:>7.2}", item.score());
        let sum: f32 = item.contributions().iter().map(|c| c.value).sum();
        assert_eq!(sum, item.score(), "contributions add up, to the bit");
    }
}

/// What the scorer saw: on which days the listed items were bought.
fn print_rhythms(list: &Recommendations, id: &str, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let snapshot = list.snapshot();
    let restock = snapshot.ranker().scorers().len() - 1;
    let user = snapshot.dataset().user(id).ok_or("no such customer")?;
    println!("\nas of {}, restock saw these purchases:", date(now));
    for item in list.iter() {
        if item.contributions().iter().any(|c| c.source == Source::Scorer(restock) && c.value > 0.1) {
            let events = snapshot.dataset().events_of(user);
            let mut days: Vec<String> = events.iter().filter(|e| e.item == item.item()).map(|e| date(e.at)).collect();
            days.dedup();
            println!("  {:<31.31} {}", title(snapshot, item.id()).to_lowercase(), days.join(" "));
        }
    }
    Ok(())
}
