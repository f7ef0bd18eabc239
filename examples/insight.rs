//! The buyer's report: what the bundled shop's invoices say to procurement, pricing and merchandising.
//!
//! ```sh
//! cargo run --release --example insight                  # tables
//! cargo run --release --example insight -- --csv DIR     # and every row as a file
//! cargo run --release --example insight -- --json        # everything as JSON lines, a report a line
//! ```

#[path = "online_retail/mod.rs"]
mod online_retail;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use likewise::decide::predict::PurchaseDays;
use likewise::insight::*;
use likewise::*;
use serde::Serialize;

enum Output {
    Tables,
    Json,
}

struct Args {
    output: Output,
    csv: Option<PathBuf>,
}

const HELP: &str = "insight: the buyer's report on the bundled shop

  --csv DIR   also write every row of every report as DIR/NAME.csv
  --json      print reports as JSON, one object a line, instead of tables
  --help      this text
";

fn parse() -> Result<Option<Args>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut args = Args { output: Output::Tables, csv: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("csv") => args.csv = Some(parser.value()?.into()),
            Long("json") => args.output = Output::Json,
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(arg.unexpected()),
        }
    }
    Ok(Some(args))
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(args) = parse()? else {
        print!("{HELP}");
        return Ok(());
    };
    let shop = online_retail::load()?;
    let data = &*shop.data;
    let shelf = Shelf::new(data, shop.catalog.clone());
    let title = |id: &str| {
        let text = data.item(id).zip(shelf.attribute("title")).and_then(|(item, title)| shelf.text(item, title));
        let text = text.unwrap_or(id).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        text.chars().take(34).collect::<String>()
    };
    let report = Reporter { args: &args };
    let (now, bought) = (data.as_of(), KindSet::of(&[EventKind::Purchase]));
    let baskets = Baskets::of(data, bought, BasketUnit::Session);
    report.say(&format!(
        "{} invoices of {} items until {}; intervals hold the truth with .95 unless said",
        baskets.len(),
        data.n_items(),
        online_retail::date(now)
    ));

    let pairs = baskets.affinity(&AffinityPairsParams { min_count: 100, ..AffinityPairsParams::default() }.check()?);
    report.show("pairs", "Bought together, by log-likelihood ratio", &pairs, |p: &AffinityPair| {
        format!(
            "{:<34} {:<34} {:>4}  confidence {:.2} [{:.2}, {:.2}]  lift {:>5.1} [{:.1}, {:.1}]  LLR {:.0}",
            title(&p.a),
            title(&p.b),
            p.both,
            p.confidence_a_to_b,
            p.confidence_a_to_b_low,
            p.confidence_a_to_b_high,
            p.lift,
            p.lift_low,
            p.lift_high,
            p.llr
        )
    })?;

    let rules =
        BasketRulesParams { min_support: 0.007, min_confidence: 0.6, max_items: 4, ..BasketRulesParams::default() };
    let rules = baskets.rules(&rules.check()?);
    report.show(
        "rules",
        "If these are in the basket, so is that (support .007, confidence .6)",
        &rules,
        |r: &BasketRule| {
            let left: Vec<String> = r.left.split(" + ").map(title).collect();
            format!(
                "{} => {}: {} of {} [{:.2}, {:.2}], lift {:.1}",
                left.join(" + "),
                title(&r.right),
                r.both,
                r.with_left,
                r.confidence_low,
                r.confidence_high,
                r.lift
            )
        },
    )?;

    let viewed = Baskets::of(data, KindSet::of(&[EventKind::View]), BasketUnit::Session);
    let related =
        relations(&viewed, &baskets, &RelationParams { min_count: 100, ..RelationParams::default() }.check()?);
    let complements = related.iter().filter(|r| r.relation == Relation::Complement).count();
    report.say(&format!(
        "\nSubstitutes and complements: {complements} of {} pairs surely complement each other. {}",
        related.len(),
        if viewed.is_empty() { "These invoices hold no views, so no substitute can be told." } else { "" }
    ));
    report.file("relations", &related)?;

    let days = PurchaseDays::purchases(data, now);
    let repeats = repeat_intervals(data, &days, now, 50, 0.95);
    report.show("repeats", "Bought again, days; `never yet` counts as long as it lasts", &repeats, |r: &RepeatInterval| {
        format!(
            "{:<34} {:>5} purchases, {:>4} followed, {:>4} not yet; ended after {:>3.0} [{:.0}, {:.0}]; all: quarter {:.0}, median {:.0} \
             [{:.0}, {:.0}]; within 90 days {:.2} [{:.2}, {:.2}]",
            title(&r.item), r.purchases, r.followed, r.censored, r.ended_median, r.ended_quarter, r.ended_three_quarters,
            r.quarter, r.median, r.median_low, r.median_high, r.within_90, r.within_90_low, r.within_90_high
        )
    })?;

    let demands = demand(data, now, &DemandParams::default().check()?);
    report.show(
        "demand",
        "Units next week, chosen before the test of 12 weeks (.9 intervals)",
        &demands,
        |d: &DemandRow| {
            format!(
                "{:<34} {:>6.0} in {:>2} weeks, {:<12} {:<9} next {:>6.0} [{:.0}, {:.0}]  MASE {:.2}, naive {:.2}",
                title(&d.item),
                d.units,
                d.periods,
                format!("{:?}", d.pattern).to_lowercase(),
                d.method.name(),
                d.next,
                d.next_low,
                d.next_high,
                d.mase_chosen,
                d.mase_naive
            )
        },
    )?;
    report.mase(&demands);

    let prices = price_response(data, now, &PriceParams::default().check()?);
    let count = |verdict| prices.iter().filter(|p| p.verdict == verdict).count();
    report.show(
        "prices",
        "Price response; quantity discounts look like elasticity here",
        &prices,
        |p: &PriceResponse| {
            format!(
                "{:<34} elasticity {:>5.2} [{:.2}, {:.2}], R2 {:.2}, {} weeks, {} prices from £{:.2} to £{:.2}",
                title(&p.item),
                p.elasticity,
                p.elasticity_low,
                p.elasticity_high,
                p.r_squared,
                p.periods,
                p.prices,
                p.price_low,
                p.price_high
            )
        },
    )?;
    report.say(&format!(
        "  {} fall surely, {} rise surely, {} unsure; too few weeks for {}, too few prices for {}",
        count(PriceVerdict::Falls),
        count(PriceVerdict::Rises),
        count(PriceVerdict::Unsure),
        count(PriceVerdict::TooFewPeriods),
        count(PriceVerdict::TooFewPrices)
    ));

    let (views, searches) = (unbought_views(data, 10, 0.95), fruitless_searches(data, Span::hours(1), 2, 0.95));
    let unseen = unseen_items(data, now.minus(Span::days(90)), 0);
    let silent = unseen.iter().filter(|u| u.bought == 0).count();
    report.say(&format!(
        "\nGaps: {} items viewed and not bought, {} fruitless searches (invoices hold neither views nor searches); in the last 90 days \
         {} items were shown to nobody on record, {silent} of which nobody bought either",
        views.len(), searches.len(), unseen.len()
    ));
    report.file("unbought_views", &views)?;
    report.file("fruitless_searches", &searches)?;
    report.file("unseen_items", &unseen)
}

/// Prints the first rows of each report, and writes all of them where asked.
struct Reporter<'a> {
    args: &'a Args,
}

impl Reporter<'_> {
    fn say(&self, text: &str) {
        if let Output::Tables = self.args.output {
            println!("{text}");
        }
    }

    fn show<T: Serialize>(
        &self,
        name: &str,
        title: &str,
        rows: &[T],
        line: impl Fn(&T) -> String,
    ) -> Result<(), Box<dyn Error>> {
        self.say(&format!("\n{title} ({} rows)", rows.len()));
        rows.iter().take(8).for_each(|row| self.say(&format!("  {}", line(row))));
        self.file(name, rows)
    }

    fn file<T: Serialize>(&self, name: &str, rows: &[T]) -> Result<(), Box<dyn Error>> {
        if let Output::Json = self.args.output {
            let line = serde_json::json!({ "report": name, "rows": rows });
            writeln!(std::io::stdout().lock(), "{line}")?;
        }
        if let Some(folder) = &self.args.csv {
            std::fs::create_dir_all(folder)?;
            write_csv(rows, BufWriter::new(File::create(Path::new(folder).join(name).with_extension("csv"))?))?;
        }
        Ok(())
    }

    fn mase(&self, rows: &[DemandRow]) {
        type Column = (&'static str, fn(&DemandRow) -> f64);
        let columns: [Column; 6] = [
            ("naive", |r| r.mase_naive),
            ("smoothing", |r| r.mase_smoothing),
            ("croston", |r| r.mase_croston),
            ("sba", |r| r.mase_sba),
            ("tsb", |r| r.mase_tsb),
            ("chosen before", |r| r.mase_chosen),
        ];
        self.say(&format!("  mean MASE over {} items (share of items better than naive in the test):", rows.len()));
        for (name, of) in columns {
            let known: Vec<(f64, f64)> =
                rows.iter().map(|r| (of(r), r.mase_naive)).filter(|m| m.0.is_finite()).collect();
            let mean = Estimated::mean(&known.iter().map(|m| m.0).collect::<Vec<_>>(), 0.95);
            let better = known.iter().filter(|m| m.0 < m.1).count() as f64 / known.len().max(1) as f64;
            self.say(&format!("    {name:<13} {:.3} [{:.3}, {:.3}]  ({better:.2})", mean.value, mean.low, mean.high));
        }
    }
}
