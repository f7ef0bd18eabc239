//! Who buys again, when, and for how much: the models of `decide::predict`, each with its backtest.
//!
//! ```sh
//! cargo run --release --example predict
//! ```
//!
//! With `../shared/data/cdnow` beside the checkout, BG/NBD and Gamma-Gamma are fitted on the CDNOW sample too, whose
//! figures are published; without it on the bundled Online Retail invoices only. Fixed cuts in time; every fit sees a
//! dataset that ends at its cut (`as_of`), returns included.

#[path = "online_retail/mod.rs"]
mod online_retail;

use std::error::Error;
use std::io::Read;

use likewise::decide::predict::*;
use likewise::*;

fn main() -> Result<(), Box<dyn Error>> {
    match cdnow()? {
        Some((log, cut, end)) => lifetimes(
            "CDNOW sample (published: r .243, alpha 4.414, a .793, b 2.426, LL -9582.4; p 6.25, q 3.74, v 15.44)",
            &log,
            cut,
            end,
        )?,
        None => println!("../shared/data/cdnow is not there: Online Retail only\n"),
    }
    let whole = online_retail::load()?.data;
    let as_of = |date: Timestamp| online_retail::load_until(date).map(|shop| shop.data);

    // 39 weeks to learn from, the rest to judge on.
    let (cut, end) = (day(2011, 8, 31), whole.as_of());
    let params = SummaryParams::default().check()?;
    let past = as_of(cut)?;
    lifetimes_of(&past, &whole, cut, end, params)?;
    let midsummer = as_of(day(2011, 7, 1))?;
    replenishment(&midsummer, &whole, day(2011, 7, 1))?;

    // Three cuts, 60 days each: learn, calibrate, judge.
    let cuts = [day(2011, 6, 12), day(2011, 8, 11), day(2011, 10, 10)];
    propensity(&[as_of(cuts[0])?, as_of(cuts[1])?, as_of(cuts[2])?], &whole, cuts)
}

/// The end of a day, by Hinnant's algorithm.
fn day(year: i64, month: i64, date: i64) -> Timestamp {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, shifted) = (year.div_euclid(400), (month + 9) % 12);
    let day_of_year = (153 * shifted + 2) / 5 + date - 1;
    let year_of_era = year.rem_euclid(400);
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Timestamp::from_millis((days + 1) * 86_400_000 - 1)
}

/// Customers, the end of calibration and that of the holdout.
type Cdnow = (PurchaseLog, Timestamp, Timestamp);

/// The published sample: customers, the end of its 39 weeks of calibration and of its 39 weeks of holdout.
fn cdnow() -> Result<Option<Cdnow>, Box<dyn Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/cdnow/CDNOW_sample.txt.gz");
    let Ok(file) = std::fs::File::open(path) else { return Ok(None) };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    let mut rows = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, id, date, _, dollars] = fields[..] else { return Err(format!("not five fields: {line}").into()) };
        let date: i64 = date.parse()?;
        rows.push((id, day(date / 10_000, date / 100 % 100, date % 100), dollars.parse()?));
    }
    let log = PurchaseLog::from_rows(rows, SummaryParams::default().check()?)?;
    Ok(Some((log, day(1997, 9, 30), day(1998, 6, 30))))
}

fn show(name: &str, e: Estimated) -> String {
    format!("{name} {:.3} [{:.3}, {:.3}]", e.value, e.low, e.high)
}

fn lifetimes(name: &str, log: &PurchaseLog, cut: Timestamp, end: Timestamp) -> Result<(), Box<dyn Error>> {
    let known = log.summaries(cut);
    let later: Vec<(CustomerSummary, u32)> = known.iter().map(|&(c, s)| (s, log.purchases(c, cut, end))).collect();
    report(name, &later, log.units(cut, end))
}

/// The past by what was known then (returns that came later still count), what came after by what is known now.
fn lifetimes_of(
    past: &Dataset,
    whole: &Dataset,
    cut: Timestamp,
    end: Timestamp,
    params: Checked<SummaryParams>,
) -> Result<(), Box<dyn Error>> {
    let (known, then) = (PurchaseLog::of(past, params.clone()), PurchaseLog::of(whole, params));
    let later: Vec<(CustomerSummary, u32)> = known
        .summaries(cut)
        .into_iter()
        .map(|(c, s)| (s, then.find(known.id(c)).map_or(0, |c| then.purchases(c, cut, end))))
        .collect();
    report("Online Retail, learned until 2011-08-31", &later, then.units(cut, end))
}

fn report(name: &str, later: &[(CustomerSummary, u32)], h: f64) -> Result<(), Box<dyn Error>> {
    let customers: Vec<CustomerSummary> = later.iter().map(|row| row.0).collect();
    let model = BgNbd::fit(&BgNbdParams::default().check()?, &customers)?;
    println!("{name}: {} customers, holdout {h:.1} weeks", customers.len());
    let parameters = [show("r", model.r()), show("alpha", model.alpha()), show("a", model.a()), show("b", model.b())];
    println!("  BG/NBD      {}  LL {:.1} ({} steps)", parameters.join("  "), model.log_likelihood(), model.steps());
    let spend = GammaGamma::fit(&GammaGammaParams::default().check()?, &customers)?;
    println!(
        "  Gamma-Gamma {}  {}  {}  LL {:.1}; {} customers, correlation of frequency and value {:.2}",
        show("p", spend.p()),
        show("q", spend.q()),
        show("v", spend.v()),
        spend.log_likelihood(),
        spend.customers(),
        spend.correlation()
    );
    let table = model.calibration(later, h, 7);
    println!("  repeats  customers  expected a customer [if the model is true]  actual");
    for row in &table.rows {
        let more = if row.or_more { "+" } else { " " };
        println!(
            "  {:>6}{more}  {:>9}  {:>8.3} [{:.3}, {:.3}]                    {:>6.3}",
            row.frequency, row.customers, row.expected, row.low, row.high, row.actual
        );
    }
    println!(
        "  in all expected {:.1} [{:.1}, {:.1}], actual {}; RMSE {:.4}, MAE {:.4} a customer",
        table.expected, table.low, table.high, table.actual, table.rmse, table.mae
    );
    let params = LifetimeParams::default().check()?;
    let mut worth = Vec::new();
    for (customer, _) in later {
        worth.push((lifetime_value(&model, &spend, customer, &params)?, customer));
    }
    worth.sort_by(|a, b| b.0.value.total_cmp(&a.0.value));
    let total: f64 = worth.iter().map(|w| w.0.value).sum();
    println!("  worth of the next 52 weeks, discounted: {total:.0} in all; the best three:");
    for (value, c) in worth.iter().take(3) {
        let next = model.forecast(c, h);
        println!(
            "    {:.0} [{:.0}, {:.0}]: {} repeats, last after {:.1} of {:.1} weeks, mean {:.2}; alive {:.3}, next {h:.0} weeks {:.1} \
             [{:.1}, {:.1}] purchases, likely {} to {}",
            value.value,
            value.low,
            value.high,
            c.frequency,
            c.recency,
            c.age,
            c.mean_value,
            next.alive.value,
            next.expected.value,
            next.expected.low,
            next.expected.high,
            next.likely.0,
            next.likely.1
        );
    }
    println!();
    Ok(())
}

fn replenishment(past: &Dataset, whole: &Dataset, cut: Timestamp) -> Result<(), Box<dyn Error>> {
    // What was known at the cut, under the numbers of the whole: the items' numbers are joined by id.
    let known = PurchaseDays::purchases(past, cut).renumbered(past, whole);
    let days = PurchaseDays::purchases(whole, whole.as_of());
    println!("Replenishment windows, Online Retail, learned until 2011-07-01, asked at every later purchase");
    for coverage in [0.5, 0.8] {
        let params = ReplenishmentParams { coverage, ..ReplenishmentParams::default() }.check()?;
        let model = Replenishment::fit(&params, &known)?;
        for own in [1, 3] {
            let test = model.backtest(&known, &days, cut, own, 0.95);
            println!(
                "  promised {coverage}, at least {own} earlier purchases: {} questions of {} shoppers, {} never answered; regularity {:.2}",
                test.questions,
                test.shoppers,
                test.unanswered,
                model.regularity()
            );
            for s in &test.scores {
                println!(
                    "    {:<42} {:.3} [{:.3}, {:.3}] in {:>5.1} days; model ahead by {:+.3} [{:+.3}, {:+.3}]",
                    s.rule,
                    s.hits.value,
                    s.hits.low,
                    s.hits.high,
                    s.width,
                    s.model_ahead.value,
                    s.model_ahead.low,
                    s.model_ahead.high
                );
            }
        }
    }
    println!();
    Ok(())
}

fn propensity(
    known: &[std::sync::Arc<Dataset>; 3],
    whole: &Dataset,
    cuts: [Timestamp; 3],
) -> Result<(), Box<dyn Error>> {
    let (params, horizon) = (ProfileParams::default().check()?, Span::days(60));
    let at = |place: usize| Labelled::new(&known[place], whole, cuts[place], horizon, &params);
    let (learn, adjust, judge) = (at(0), at(1), at(2));
    let model = Logistic::fit(&LogisticParams::default().check()?, learn.profiles.rows(), &learn.labels)?;
    let predicted = |set: &Labelled| -> Result<Vec<f64>, PredictError> {
        set.profiles.rows().map(|row| Ok(model.probability(row)?.value)).collect()
    };
    println!(
        "Buys within 60 days (churn is the complement), Online Retail: learned on 2011-06-12 ({} shoppers), calibrated on 08-11 ({}), \
         judged on 10-10 ({}); labels {:?}",
        learn.labels.len(),
        adjust.labels.len(),
        judge.labels.len(),
        model.separation()
    );
    for (name, c) in Profiles::names().iter().zip(model.coefficients()) {
        println!(
            "  {name:<17} {:+.3} [{:+.3}, {:+.3}] a standard deviation",
            c.by_deviation.value, c.by_deviation.low, c.by_deviation.high
        );
    }
    let (before, after) = (predicted(&adjust)?, predicted(&judge)?);
    let (platt, isotonic) = (Platt::fit(&before, &adjust.labels)?, Isotonic::fit(&before, &adjust.labels)?);
    println!(
        "  {}, shift {:+.3}; isotonic in {} steps",
        show("Platt's slope", platt.slope()),
        platt.shift(),
        isotonic.steps().len()
    );
    let kinds = [
        ("as predicted", after.clone()),
        ("Platt", after.iter().map(|p| platt.probability(*p)).collect()),
        ("isotonic", after.iter().map(|p| isotonic.probability(*p)).collect::<Vec<f64>>()),
    ];
    for (name, p) in &kinds {
        let q = Quality::of(p, &judge.labels, 0.95)?;
        let error = Reliability::new(p, &judge.labels, 10, 0.95)?.error;
        println!(
            "  {name:<13} {}  {}  {}  calibration error {error:.3} (base rate {:.3}: log loss {:.3})",
            show("log loss", q.log_loss),
            show("Brier", q.brier),
            show("AUC", q.auc),
            q.base_rate,
            q.base_log_loss
        );
    }
    println!("  reliability, Platt: predicted, came");
    for row in Reliability::new(&kinds[1].1, &judge.labels, 10, 0.95)?.rows {
        println!(
            "    {:.3} to {:.3} {:>5} shoppers  {:.3}  {}",
            row.from,
            row.to,
            row.rows,
            row.predicted,
            show("", row.came)
        );
    }
    Ok(())
}
