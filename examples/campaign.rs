//! Who gets what, when and why: triggers and segments over the invoices of a gift wholesaler, as of a chosen day.
//!
//! ```sh
//! cargo run --release --example campaign                          # as of 2011-11-14, nine in the morning
//! cargo run --release --example campaign -- --date 2011-06-20
//! cargo run --release --example campaign -- --backtest            # is the best hour to send a good guess?
//! cargo run --release --example campaign -- --refill              # are reminders followed by the purchase?
//! ```
//!
//! The invoices know purchases only, so the triggers that wait for views and carts stay silent; an item's first sale stands
//! for its release. The shop's clock is London's.

mod online_retail;
#[path = "campaign/refill.rs"]
mod refill;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use likewise::decide::Permissions;
use likewise::decide::segment::*;
use likewise::decide::trigger::*;
use likewise::log::{Durability, EventLog, LogError, MemoryLog};
use likewise::*;
use online_retail::{date, midnight, title};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => campaign(midnight("2011-11-14")?.plus(Span::hours(9))),
        ["--date", day] => campaign(midnight(day)?.plus(Span::hours(9))),
        ["--backtest"] => backtest(),
        ["--refill"] => refill::backtest(),
        _ => Err("usage: campaign [--date 2011-11-14 | --backtest | --refill]".into()),
    }
}

const BOUGHT: KindSet = KindSet::of(&[EventKind::Purchase]);

fn campaign(now: Timestamp) -> Result<(), Box<dyn Error>> {
    let shop = online_retail::load_until(now)?;
    let data = Arc::clone(&shop.data);
    let catalog = Arc::new(with_releases(&data, &shop.catalog)?);
    let ranker = online_retail::fit(&shop)?.build()?;
    let snapshot = Snapshot::new(Arc::clone(&data), Arc::clone(&catalog), Arc::new(ranker))?;
    let shelf = snapshot.shelf();
    let run = Run::new(42);
    println!("as of {}, nine o'clock: {} customers, {} events\n", date(now), data.users().count(), data.n_events());

    // Bands first: they are also the groups whose hours a thin history is drawn towards.
    let rfm = Rfm::fit(&RfmParams::default().check()?, &data, now, &run)?;
    let mut labels: BTreeMap<&str, usize> = BTreeMap::new();
    data.users().filter_map(|user| rfm.score(&data, user)).for_each(|s| *labels.entry(rfm.label(s)).or_default() += 1);
    println!("recency, frequency, money, by fifths:");
    labels.iter().for_each(|(label, n)| println!("  {label:<12} {n:>5}"));

    let rules = rules();
    let segments = Segments::new(&rules, &data, shelf)?;
    let members = segments.sweep(now, &run)?;
    println!("\nsegments by rules:");
    for (rule, (_, members)) in rules.iter().zip(&members) {
        println!("  {:>5}  {rule}", members.len());
    }

    clusters(&data, shelf, now, &run)?;
    audience(&snapshot, now, &run)?;

    let zone = Zone::named("Europe/London")?;
    let group =
        |user: UserIdx| rfm.score(&data, user).map(|score| u16::from(score.recency) * 6 + u16::from(score.frequency));
    let activity = Activity::fit(&ActivityParams::default().check()?, &data, &|_| zone.clone(), &group, now, &run)?;
    let train = TrainingSet::with_shelf(&data, shelf);
    let again = BuyAgainParams { clock: Clock::Time, ..BuyAgainParams::default() }.check()?.fit(&train, &run)?;
    let usual = |item| again.chance(item).filter(|chance| *chance > 0.3).and(again.interval(item)).map(days);
    let zones = |_: &str| Some(zone.clone());
    let facts = Facts::new(&data, shelf).zones(&zones).usual(&usual).activity(&activity).suggest(&snapshot);
    let params = TriggerParams { rules: TriggerParams::shop(Some("family")), ..TriggerParams::default() }.check()?;
    let triggers = Bound::new(&params, facts)?;
    let mut state = TriggerState::default();
    // Who may be written to is the log's to say: the data above are older than what happens there. Two who would be written
    // to leave: one withdraws, one is erased.
    let log = log_of(&data)?;
    let all = triggers.sweep(&Permissions::of(&log)?.asked(), &mut TriggerState::default(), now, &run)?;
    let mut reached: Vec<&str> = all.firings.iter().map(|firing| firing.shopper.as_str()).collect();
    reached.dedup();
    if let [withdraws, leaves, ..] = reached[..] {
        log.restrict(withdraws)?;
        log.erase(leaves)?;
    }
    let permissions = Permissions::of(&log)?;
    let start = Instant::now();
    let sweep = triggers.sweep(&permissions.asked(), &mut state, now, &run)?;
    let took = start.elapsed();
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    sweep.firings.iter().for_each(|firing| *by.entry(&firing.trigger).or_default() += 1);
    println!(
        "\ntriggers: {} of {} customers looked at in {took:.0?} ({} before one withdrew and one was erased); fired {by:?}, \
         held back {:?}",
        sweep.looked_at, sweep.permitted, all.permitted, sweep.held
    );
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for firing in &sweep.firings {
        let n = shown.entry(&firing.trigger).or_default();
        *n += 1;
        if *n <= 3 {
            tell(firing, &snapshot);
        }
    }
    let again = triggers.sweep(&permissions.asked(), &mut state, now.plus(Span::hours(1)), &run)?;
    println!("\nan hour later: {} customers looked at, {} fired", again.looked_at, again.firings.len());
    Ok(())
}

/// A log that holds the events of the customers, as a shop's would. They bought under contract; whether that is ground
/// enough to write to them is the shop's to say.
fn log_of(data: &Dataset) -> Result<MemoryLog, LogError> {
    let log = MemoryLog::default();
    for user in data.users() {
        let who = Shopper::Profiled(Consented::new(data.user_key(user), LawfulBasis::Contract));
        let events: Vec<Event<'_>> =
            data.events_of(user).iter().map(|e| Event::new(who, data.item_key(e.item), e.kind, e.at)).collect();
        for batch in events.chunks(1_000) {
            log.append(batch, data.as_of(), Durability::Memory)?;
        }
    }
    Ok(log)
}

fn days(days: f32) -> Span {
    Span::millis((f64::from(days) * 86_400_000.0) as i64)
}

fn rules() -> Vec<SegmentRule> {
    let measure = |measure| Condition::Measure(measure);
    let lately = |span, min, max| measure(Measure { within: Some(span), min, max, ..Measure::default() });
    let orders = Measure { what: What::Sessions, within: Some(Span::days(180)), min: Some(4.0), ..Measure::default() };
    let spent = Measure { what: What::Value, within: Some(Span::days(90)), min: Some(1000.0), ..Measure::default() };
    let christmas = Select::within("words", ["CHRISTMAS", "XMAS"]);
    let festive = Measure { items: christmas, within: Some(Span::days(90)), min: Some(3.0), ..Measure::default() };
    vec![
        SegmentRule::new("regulars", measure(orders.clone())),
        SegmentRule::new("big spenders", measure(spent)),
        SegmentRule::new("christmas", Condition::All(vec![measure(festive), lately(Span::days(14), None, Some(0.0))])),
        SegmentRule::new("slipping", Condition::All(vec![measure(orders), lately(Span::days(45), None, Some(0.0))])),
    ]
}

/// The catalogue with the first sale of each item as its release.
fn with_releases(data: &Dataset, catalog: &Catalog) -> Result<Catalog, Box<dyn Error>> {
    let first = |item: ItemIdx| data.events_on(item).map(|e| e.at).min();
    let items = (0..data.n_items() as u32).map(ItemIdx::new);
    let dates = items.filter_map(|item| {
        let item_id = data.item_key(item).to_owned();
        Some(CatalogChange::Dates { item: item_id.into(), released: Some(first(item)?), expires: None })
    });
    Ok(catalog.update(dates)?.0)
}

fn clusters(data: &Dataset, shelf: &Shelf, now: Timestamp, run: &Run<'_>) -> Result<(), Box<dyn Error>> {
    let words = shelf.attribute("words").ok_or("no words")?;
    let train = TrainingSet::with_shelf(data, shelf);
    let als = AlsParams { factors: 16, ..AlsParams::default() }.check()?.fit(&train, run)?;
    let points = Points::new(data, |user| als.user_factors(user));
    let groups = Clusters::fit(&KMeansParams { clusters: 6, ..KMeansParams::default() }.check()?, &points, run)?;
    println!("\ngroups by k-means on 16 factors, and the words that set them apart:");
    for (size, words) in groups.sizes().iter().zip(groups.describe(data, shelf, words, BOUGHT, now, 6)) {
        let words: Vec<String> =
            words.iter().map(|w| format!("{} {:.1}x", w.value.to_lowercase(), w.share / w.everybody)).collect();
        println!("  {size:>5}  {}", words.join(", "));
    }
    Ok(())
}

fn audience(snapshot: &Snapshot, now: Timestamp, run: &Run<'_>) -> Result<(), Box<dyn Error>> {
    let (data, shelf) = (snapshot.dataset(), snapshot.shelf());
    let item = snapshot.item("22423").ok_or("no cake stand")?;
    let scorer = &snapshot.ranker().scorers()[0];
    let not_yet = |user: UserIdx| data.items_of(user).get(item.get()).is_none();
    let asking = Asking { scorer: &**scorer, data, shelf, now, among: Some(&not_yet), n: 5 };
    let start = Instant::now();
    let wanting = asking.for_item(item, run)?;
    let took = start.elapsed();
    let ids: Vec<&str> = wanting.iter().map(|(user, _)| data.user_key(*user)).collect();
    println!(
        "\nmost likely to want {} and without it yet, of all, in {took:.0?}: {}",
        title(snapshot, "22423").to_lowercase(),
        ids.join(", ")
    );
    Ok(())
}

fn tell(firing: &Firing, snapshot: &Snapshot) {
    let name = |id: &String| title(snapshot, id).to_lowercase();
    let names = |ids: &[String]| ids.iter().take(2).map(name).collect::<Vec<_>>().join(", ");
    let why = match &firing.detail {
        Detail::Rhythm { usual, elapsed } => {
            format!("usually every {:.0} days, now {:.0}", usual.as_days(), elapsed.as_days())
        }
        Detail::Value { value, .. } => format!("buys {value} again and again"),
        Detail::Price { from, to } => format!("£{from:.2} became £{to:.2}"),
        Detail::Cart { worth } => format!("£{worth:.2} lie in the cart"),
        _ => format!("{} events", firing.because.len()),
    };
    let hours = firing.send_at.since(firing.at).as_millis() / 3_600_000;
    let items = if firing.items.is_empty() { String::new() } else { format!(" about {}", names(&firing.items)) };
    println!(
        "  {:<14} to {}, in {hours} h{items}: {why}; with {}",
        firing.trigger,
        firing.shopper,
        names(&firing.suggested)
    );
}

/// For every customer with an order before and one after the cut: is their first order after it in the hour of the week
/// that was said to be their best?
fn backtest() -> Result<(), Box<dyn Error>> {
    println!("share of next orders in the hour of the week that was said to be best, orders before the cut known:\n");
    println!("  cut          customers   own hour  +-1 h   everybody's  +-1 h   own, unsmoothed  +-1 h");
    let (_, whole) = (0, online_retail::load()?.data);
    for cut in ["2011-06-01", "2011-08-01", "2011-10-01"] {
        let now = midnight(cut)?;
        let (zone, run) = (Zone::utc(), Run::new(42)); // the file's times are London's clock already
        let known = online_retail::load_until(now)?.data;
        let rfm = Rfm::fit(&RfmParams::default().check()?, &known, now, &run)?;
        let group = |user: UserIdx| rfm.score(&known, user).map(|score| u16::from(score.frequency));
        let fit = |params: ActivityParams| {
            Activity::fit(&params.check()?, &known, &|_| zone.clone(), &group, now, &run)
                .map_err(Box::<dyn Error>::from)
        };
        let smooth = fit(ActivityParams::default())?;
        let raw = fit(ActivityParams { spread: 0.0, to_group: 1e-9, ..ActivityParams::default() })?;
        let best = |week: &Week| (0..HOURS).fold(0, |best, h| if week[h] > week[best] { h } else { best });
        let everybody = best(smooth.everybody());
        let (mut n, mut hits) = (0usize, [[0usize; 2]; 3]);
        for user in known.users() {
            let Some(later) = whole.user(known.user_key(user)) else { continue };
            let next = whole.events_of(later).iter().find(|e| e.at > now && e.kind == EventKind::Purchase);
            let (Some(next), false) = (next, known.events_of(user).is_empty()) else { continue };
            let events: Vec<EventRef> = known.events_of(user).iter().collect();
            let hour = zone.hour_of_week(next.at);
            n += 1;
            let guesses = [
                best(&smooth.week(&events, Some(user), &zone)),
                everybody,
                best(&raw.week(&events, Some(user), &zone)),
            ];
            for (hits, guess) in hits.iter_mut().zip(guesses) {
                let off = (hour + HOURS - guess) % HOURS;
                hits[0] += usize::from(off == 0);
                hits[1] += usize::from(off <= 1 || off == HOURS - 1);
            }
        }
        let share = |hits: usize| 100.0 * hits as f64 / n.max(1) as f64;
        let [[a, b], [c, d], [e, f]] = hits.map(|pair| pair.map(share));
        println!("  {cut} {n:>10} {a:>9.2} % {b:>5.2} % {c:>9.2} % {d:>6.2} % {e:>14.2} % {f:>5.2} %");
    }
    Ok(())
}
