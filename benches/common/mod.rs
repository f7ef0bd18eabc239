//! The shop that requests are measured on: synthetic, seeded, six scorers blended, every filter and re-rank on.
#![allow(dead_code)] // each bench uses its part

use std::error::Error;
use std::sync::Arc;

use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

/// The shopper of the measured requests.
pub(crate) const SHOPPER: &str = "the shopper";

/// A snapshot with what a request on it needs.
pub(crate) struct Counter {
    pub(crate) snapshot: Snapshot,
    pub(crate) now: Timestamp,
    session: Vec<String>,
}

impl Counter {
    /// A shop of `items` and `events`, and one shopper with `history` events in it and a session of 5.
    pub(crate) fn open(items: u32, events: u64, history: usize) -> Result<Self, Box<dyn Error>> {
        Self::open_with(items, events, history, Retrieval::default())
    }

    /// The same, the factors proposing in this way.
    pub(crate) fn open_with(
        items: u32,
        events: u64,
        history: usize,
        retrieval: Retrieval,
    ) -> Result<Self, Box<dyn Error>> {
        let users = u32::try_from(events / 20)?;
        let categories = (items / 100).max(5);
        let params = ShopParams { items, users, events, categories, departments: 5, ..ShopParams::default() };
        let shop = SyntheticShop::new(params.check()?);
        let mut builder = DatasetBuilder::new(Lineage::new(1));
        builder.ingest(&shop)?;
        let now = builder.build()?.as_of();
        let who = Shopper::Profiled(Consented::new(SHOPPER, LawfulBasis::Consent));
        for i in 0..history {
            let item = SyntheticShop::item_key(wanted(items, i));
            let kind = if i % 5 == 0 { EventKind::Purchase } else { EventKind::View };
            let at = now.minus(Span::hours((history - i) as u32));
            builder.push(&Event::new(who, &item, kind, at))?;
        }
        let data = Arc::new(builder.finish()?);
        let catalog = Arc::new(shop.catalog()?);
        let ranker = Arc::new(ranker(&data, &catalog, retrieval)?);
        let snapshot = Snapshot::new(data, catalog, ranker)?;
        let session = (0..5).map(|i| SyntheticShop::item_key(wanted(items, 1000 + i))).collect();
        Ok(Self { snapshot, now, session })
    }

    /// Makes the request: a session of five views, a basket of one, all filters, 20 places.
    pub(crate) fn with_request<T>(&self, f: impl FnOnce(&Request<'_>) -> T) -> T {
        let session: Vec<SessionEvent<'_>> =
            self.session.iter().map(|item| SessionEvent::new(item, EventKind::View, self.now)).collect();
        let basket = [self.session[0].as_str()];
        let who = Consented::new(SHOPPER, LawfulBasis::Consent);
        f(&Request::profiled(who, self.now).session(&session).basket(&basket).k(20))
    }
}

/// Items a shopper touches: spread over the catalogue, the popular ones more often.
fn wanted(items: u32, i: usize) -> u32 {
    let i = i as u64;
    let spread = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40; // 24 bits
    ((spread * spread * u64::from(items)) >> 48) as u32 // squared: towards 0, the popular end
}

/// The six scorers.
pub(crate) fn scorers(
    data: &Dataset,
    catalog: &Arc<Catalog>,
    retrieval: Retrieval,
) -> Result<Vec<Arc<dyn Scorer>>, Box<dyn Error>> {
    let shelf = Shelf::new(data, Arc::clone(catalog));
    let train = TrainingSet::with_shelf(data, &shelf);
    let run = Run::new(42);
    let recipes: [Box<dyn DynFit>; 6] = [
        Box::new(AlsParams { iterations: 2, retrieval, ..AlsParams::default() }.check()?),
        Box::new(CoOccurrenceParams::co_view().check()?),
        Box::new(CoOccurrenceParams::viewed_then_bought().check()?),
        Box::new(PopularityParams::default().check()?),
        Box::new(TrendingParams::default().check()?),
        Box::new(RecentParams::default().check()?),
    ];
    Ok(recipes.iter().map(|recipe| recipe.fit_dyn(&train, &run)).collect::<Result<_, _>>()?)
}

fn ranker(data: &Dataset, catalog: &Arc<Catalog>, retrieval: Retrieval) -> Result<Ranker, Box<dyn Error>> {
    let scorers = scorers(data, catalog, retrieval)?;
    let brands = (0..25).map(|brand| format!("brand {brand}")).collect();
    let mut builder = Ranker::builder()
        .filter(Available)
        .filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None })
        .only(
            Select::In { attribute: "brand".to_owned(), values: brands }
                .or(Select::Price { min: Some(1.0), max: None }),
        )
        .rerank(DiversityParams::default().check()?)
        .rerank(CapParams::default().check()?)
        .fallback(Arc::clone(&scorers[3]));
    for (scorer, weight) in scorers.iter().zip([1.0, 1.0, 0.7, 0.3, 0.2, 0.4]) {
        builder = builder.scorer(Arc::clone(scorer), weight);
    }
    Ok(builder.build()?)
}
