//! The shop of the examples: UCI "Online Retail" (Daqing Chen, 2015, CC BY 4.0, doi:10.24432/C5BW33), a UK gift
//! wholesaler's invoices from 2010-12-01 to 2011-12-09, loaded and cleaned as a shop would.
#![allow(dead_code)] // each example uses its part

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex};

use likewise::*;

/// Loaded and cleaned data.
pub(crate) struct Shop {
    pub(crate) data: Arc<Dataset>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) report: IngestReport,
}

/// Reads the invoices: cancellations take back what they cancel, lines without customer are anonymous baskets, and
/// postage, fees, samples and stock corrections stay out.
pub(crate) fn load() -> Result<Shop, Box<dyn Error>> {
    let (builder, catalog, report) = read(None)?;
    Ok(Shop { data: Arc::new(builder.finish()?), catalog, report })
}

/// The same as it stood at `now`: nothing later is known, but for names and prices.
pub(crate) fn load_until(now: Timestamp) -> Result<Shop, Box<dyn Error>> {
    let (builder, catalog, report) = read(Some(now))?;
    Ok(Shop { data: Arc::new(builder.finish()?), catalog, report })
}

/// The cleaned log, for evaluations that cut it themselves.
pub(crate) fn read(now: Option<Timestamp>) -> Result<(DatasetBuilder, Arc<Catalog>, IngestReport), Box<dyn Error>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/online_retail.csv.gz");
    let columns = Columns::new("CustomerID", "StockCode", LawfulBasis::Contract)
        .kind(EventKind::Purchase)
        .time("InvoiceDate", TimeFormat::Auto)
        .quantity("Quantity", NegativeQuantity::Return)
        .value("UnitPrice")
        .session("InvoiceNo")
        .also("Description");
    let builder = CatalogBuilder::default().attribute("title", AttributeKind::Text)?;
    let builder = builder.attribute("family", AttributeKind::Tags)?.attribute("words", AttributeKind::Tags)?;
    let catalog = Arc::new(Mutex::new(builder));

    // Every sold line also says what the item is called and costs; the latest line wins.
    let wares = Arc::clone(&catalog);
    let learn = move |row: &Fields<'_>| -> Option<()> {
        let title = row.get("Description")?.trim();
        let price = row.value()?;
        let ware = ItemRecord::new(row.item()).price(price.into()).text("title", title).tag("family", family(title));
        let ware = title.split_whitespace().fold(ware, |ware, word| ware.tag("words", word));
        wares.lock().ok()?.add(&ware).ok()
    };
    let source = Delimited::open(file, columns)?
        .leave_out("not merchandise", |row| !row.item().bytes().take(5).filter(u8::is_ascii_digit).count().eq(&5))
        .leave_out("no price", |row| row.value().is_none_or(|price| price <= 0.0))
        .leave_out("never", move |row| {
            if row.quantity().is_some_and(|q| q > 0.0) {
                let _ = learn(row);
            }
            false
        });

    // A purchase counts by how many units were bought, gently, and half as much after half a year.
    let weight = KindWeight {
        weight: 1.0,
        half_life: Some(Span::days(180)),
        quantity: Transform::Log1p,
        value: Transform::Ignore,
    };
    let weights = EventWeights::default().with(EventKind::Purchase, weight).check()?;
    let mut builder = DatasetBuilder::new(Lineage::new(1)).weights(weights);
    if let Some(now) = now {
        builder = builder.as_of(now);
    }
    let report = builder.ingest(source)?;
    let catalog = catalog.lock().map_err(|_| "the catalogue was poisoned")?.clone().build();
    Ok((builder, Arc::new(catalog), report))
}

/// What kind of thing a title names: its last word, singular.
fn family(title: &str) -> String {
    let last = title.split(|c: char| !c.is_alphanumeric()).rfind(|word| word.len() > 2).unwrap_or(title);
    last.trim_end_matches('S').to_lowercase()
}

/// Fits the scorers of the examples and joins them in a ranker.
pub(crate) fn fit(shop: &Shop) -> Result<RankerBuilder, Box<dyn Error>> {
    let shelf = Shelf::new(&shop.data, Arc::clone(&shop.catalog));
    let train = TrainingSet::with_shelf(&shop.data, &shelf);
    let run = Run::new(42);
    let bought = KindSet::of(&[EventKind::Purchase]);
    let popular = PopularityParams {
        kinds: bought,
        window: Some(Span::days(90)),
        half_life: Some(Span::days(14)),
        ..PopularityParams::default()
    };
    let trending = TrendingParams { kinds: bought, window: Span::days(7), ..TrendingParams::default() };
    let again = RecentParams {
        name: "buy_again".to_owned(),
        kinds: bought,
        unless: KindSet::of(&[EventKind::Dislike]),
        recency: Recency::Time { half_life: Span::days(60) },
        items: 500, // one order of this shop's customers fills the default of 50
    };
    // There are only purchases to learn from, but what a visitor looks at may ask for company too.
    let co_purchase = CoOccurrenceParams {
        from: KindSet::of(&[EventKind::View, EventKind::AddToCart, EventKind::Purchase]),
        ..CoOccurrenceParams::co_purchase()
    };
    let together = FrequentlyBoughtTogetherParams::default();
    let popular = Arc::new(popular.check()?.fit(&train, &run)?);
    Ok(Ranker::builder()
        .scorer(Arc::new(AlsParams::default().check()?.fit(&train, &run)?), 1.0)
        .scorer(Arc::new(co_purchase.check()?.fit(&train, &run)?), 1.0)
        .scorer(Arc::new(together.check()?.fit(&train, &run)?), 1.0)
        .scorer(Arc::new(again.check()?.fit(&train, &run)?), 0.3)
        .scorer(popular.clone(), 0.3)
        .scorer(Arc::new(trending.check()?.fit(&train, &run)?), 0.2)
        .fallback(popular)
        .filter(Available)
        .filter(NotInBasket)
        .filter(Seen { kinds: KindSet::of(&[EventKind::View, EventKind::Purchase]), again_after: Some(Span::days(30)) })
        .rerank(DiversityParams { strength: 0.2, alike: Alike::Attribute("family".to_owned()) }.check()?)
        .rerank(CapParams { attribute: "family".to_owned(), max: 3, when_short: WhenShort::Relax }.check()?))
}

/// A scorer and its weight.
pub(crate) type Voice = (Arc<dyn Scorer>, f32);

/// The voices that know the shopper, with their weights: what a search is blended with.
pub(crate) fn fit_personal(shop: &Shop) -> Result<Vec<Voice>, Box<dyn Error>> {
    let shelf = Shelf::new(&shop.data, Arc::clone(&shop.catalog));
    let train = TrainingSet::with_shelf(&shop.data, &shelf);
    let run = Run::new(42);
    let popular = PopularityParams { kinds: KindSet::of(&[EventKind::Purchase]), ..PopularityParams::default() };
    Ok(vec![
        (Arc::new(AlsParams::default().check()?.fit(&train, &run)?), 1.0),
        (Arc::new(PersonalFrequencyParams::default().check()?.fit(&train, &run)?), 0.5),
        (Arc::new(popular.check()?.fit(&train, &run)?), 0.3),
    ])
}

/// The customer `id`, who bought here under contract.
pub(crate) fn customer(id: &str) -> Consented<'_> {
    Consented::new(id, LawfulBasis::Contract)
}

/// An item's title, or its id.
pub(crate) fn title(snapshot: &Snapshot, id: &str) -> String {
    let shelf = snapshot.shelf();
    let attribute = shelf.attribute("title");
    let title = snapshot.item(id).zip(attribute).and_then(|(item, attribute)| shelf.text(item, attribute));
    title.map_or_else(|| id.to_owned(), |title| title.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// `2011-12-09`: the day of a timestamp, by the civil calendar (Hinnant's algorithm).
pub(crate) fn date(at: Timestamp) -> String {
    let days = at.millis().div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    format!("{:04}-{month:02}-{day:02}", year_of_era + era * 400 + i64::from(month <= 2))
}

/// Midnight of a day spelled `2011-12-09`.
pub(crate) fn midnight(text: &str) -> Result<Timestamp, Box<dyn Error>> {
    let parts: Vec<i64> = text.split('-').map(str::parse).collect::<Result<_, _>>()?;
    let [year, month, day] = parts[..] else { return Err(format!("{text:?} is no date like 2011-12-09").into()) };
    let shifted = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Ok(Timestamp::from_secs((era * 146_097 + day_of_era - 719_468) * 86_400))
}

/// Prints a list with prices and reasons.
pub(crate) fn print(list: &Recommendations) {
    let snapshot = list.snapshot();
    for (place, item) in list.iter().enumerate() {
        let price = snapshot.shelf().price(item.item()).map_or_else(String::new, |p| format!("£{p:.2}"));
        let reason = English.reason(&item, list, &|id| title(snapshot, id).to_lowercase());
        println!("  {:>2}. {:<36} {price:>7}  {:.3}  {reason}", place + 1, title(snapshot, item.id()), item.score());
    }
}
