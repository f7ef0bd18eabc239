//! Small random shops, as plain data that proptest can print and shrink, and the snapshot made of them.
#![allow(dead_code)] // each test file uses its part

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use likewise::*;
use proptest::prelude::*;

/// Days since the epoch as a timestamp.
pub(crate) fn day(d: i64) -> Timestamp {
    Timestamp::from_secs(d * 86_400)
}

/// A shopper who may be profiled.
pub(crate) fn consented(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Consent)
}

pub(crate) const USERS: [&str; 5] = ["ann", "bob", "cy", "dee", "eve"];
pub(crate) const VISITS: [&str; 3] = ["v1", "v2", "v3"];
pub(crate) const CATEGORIES: [&str; 4] = ["Home > Kitchen", "Home > Garden", "Toys", ""];
pub(crate) const KINDS: [EventKind; 6] = [
    EventKind::View,
    EventKind::AddToCart,
    EventKind::Purchase,
    EventKind::Return,
    EventKind::Dislike,
    EventKind::Impression,
];

#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// Below `USERS.len()` a user, else an anonymous visit.
    pub(crate) who: usize,
    pub(crate) item: u8,
    pub(crate) kind: EventKind,
    pub(crate) day: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Ware {
    pub(crate) category: usize,
    pub(crate) price: Option<u8>,
    pub(crate) stock: Option<u32>,
    pub(crate) released: Option<i64>,
    pub(crate) expires: Option<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) done: Vec<Done>,
    /// The wares of items `0..n`; events may name others.
    pub(crate) wares: Vec<Ware>,
}

#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) weights: [f32; 5],
    pub(crate) blend: Blend,
    pub(crate) available: bool,
    pub(crate) seen: Option<(Vec<EventKind>, Option<i64>)>,
    pub(crate) only: Option<usize>,
    pub(crate) diversity: Option<f32>,
    pub(crate) cap: Option<(usize, WhenShort)>,
    pub(crate) fresh: Option<f32>,
    pub(crate) rules: Vec<Action>,
    pub(crate) fallback: bool,
    pub(crate) candidates: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) user: Option<usize>,
    pub(crate) session: Vec<(u8, EventKind, i64)>,
    pub(crate) basket: Vec<u8>,
    pub(crate) page: Option<u8>,
    pub(crate) candidates: Option<Vec<u8>>,
    pub(crate) exclude: Vec<u8>,
    pub(crate) only: Option<usize>,
    pub(crate) k: usize,
    pub(crate) offset: usize,
    pub(crate) day: i64,
}

pub(crate) fn item_id(item: u8) -> String {
    format!("i{item}")
}

pub(crate) const ITEMS: u8 = 14;
pub(crate) const LAST_DAY: i64 = 40;

fn kind() -> impl Strategy<Value = EventKind> {
    prop::sample::select(KINDS.to_vec())
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let done = (0..USERS.len() + VISITS.len(), 0..ITEMS, kind(), 0..LAST_DAY).prop_map(|(who, item, kind, day)| Done {
        who,
        item,
        kind,
        day,
    });
    let ware = (
        0..CATEGORIES.len(),
        prop::option::of(1u8..50),
        prop_oneof![3 => Just(None), 2 => Just(Some(4)), 1 => Just(Some(0))],
        prop::option::weighted(0.3, 0..LAST_DAY),
        prop::option::weighted(0.1, LAST_DAY..2 * LAST_DAY),
    )
        .prop_map(|(category, price, stock, released, expires)| Ware { category, price, stock, released, expires });
    (prop::collection::vec(done, 0..50), prop::collection::vec(ware, 0..=ITEMS as usize + 3))
        .prop_map(|(done, wares)| World { done, wares })
}

fn normalise() -> impl Strategy<Value = Normalise> {
    use likewise::Normalise as N;
    prop::sample::select(vec![N::AsIs, N::MinMax, N::ZScore, N::Rank, N::Quantile])
}

fn action() -> impl Strategy<Value = Action> {
    let select = || (0..3usize).prop_map(|c| Select::within("category", [CATEGORIES[c]]));
    let filters = prop_oneof![Just(PinFilters::Respect), Just(PinFilters::Override)];
    prop_oneof![
        (0..ITEMS + 4, 0..8usize, filters).prop_map(|(i, position, filters)| Action::Pin {
            item: item_id(i),
            position,
            filters
        }),
        (select(), 0.1f32..2.0).prop_map(|(items, by)| Action::Boost { items, by }),
        (select(), 0.1f32..2.0).prop_map(|(items, by)| Action::Bury { items, by }),
        (1..4usize).prop_map(|max| Action::Cap { attribute: "category".to_owned(), max, when_short: WhenShort::Relax }),
        (0..6usize, select()).prop_map(|(position, items)| Action::Slot { position, items }),
    ]
}

pub(crate) fn recipe() -> impl Strategy<Value = Recipe> {
    let missing = prop::sample::select(vec![Missing::Nothing, Missing::Mean, Missing::Redistribute]);
    let blend = prop_oneof![
        4 => (normalise(), missing).prop_map(|(normalise, missing)| Blend::WeightedSum { normalise, missing }),
        1 => (1f32..100.0).prop_map(|c| Blend::ReciprocalRank { c }),
    ];
    let seen = (prop::collection::vec(kind(), 1..3), prop::option::of(0..LAST_DAY));
    (
        (prop::array::uniform5(0.1f32..3.0), blend, any::<bool>(), prop::option::of(seen)),
        (
            prop::option::weighted(0.3, 0..3usize),
            prop::option::of(0f32..=1.0),
            prop::option::of((1..4usize).prop_map(|max| (max, WhenShort::Relax))),
            prop::option::of(0f32..2.0),
        ),
        (prop::collection::vec(action(), 0..4), any::<bool>(), prop_oneof![Just(200usize), 1..6usize]),
    )
        .prop_map(
            |((weights, blend, available, seen), (only, diversity, cap, fresh), (rules, fallback, candidates))| {
                Recipe { weights, blend, available, seen, only, diversity, cap, fresh, rules, fallback, candidates }
            },
        )
}

pub(crate) fn ask() -> impl Strategy<Value = Ask> {
    let items = |n| prop::collection::vec(0..ITEMS + 5, 0..n);
    (
        (
            prop::option::weighted(0.7, 0..USERS.len() + 1),
            prop::collection::vec((0..ITEMS + 5, kind(), 0..LAST_DAY), 0..5),
            items(3),
            prop::option::weighted(0.3, 0..ITEMS + 5),
        ),
        (prop::option::weighted(0.25, items(12)), items(3), prop::option::weighted(0.2, 0..3usize)),
        (0..20usize, 0..6usize, prop_oneof![4 => Just(LAST_DAY), 1 => 0..2 * LAST_DAY]),
    )
        .prop_map(|((user, session, basket, page), (candidates, exclude, only), (k, offset, day))| Ask {
            user,
            session,
            basket,
            page,
            candidates,
            exclude,
            only,
            k,
            offset,
            day,
        })
}

impl World {
    pub(crate) fn dataset(&self) -> Dataset {
        let mut builder = DatasetBuilder::new(Lineage::new(7));
        for d in &self.done {
            let shopper = match USERS.get(d.who) {
                Some(user) => Shopper::Profiled(consented(user)),
                None => Shopper::Anonymous { session: VISITS[d.who - USERS.len()] },
            };
            builder.push(&Event::new(shopper, &item_id(d.item), d.kind, day(d.day))).unwrap();
        }
        builder.finish().unwrap()
    }

    pub(crate) fn catalog(&self) -> Catalog {
        let mut builder = CatalogBuilder::default().attribute("category", AttributeKind::Category).unwrap();
        for (i, ware) in self.wares.iter().enumerate() {
            let mut record = ItemRecord::new(item_id(i as u8));
            if !CATEGORIES[ware.category].is_empty() {
                record = record.category("category", CATEGORIES[ware.category]);
            }
            if let Some(price) = ware.price {
                record = record.price(price.into());
            }
            if let Some(stock) = ware.stock {
                record = record.stock(stock);
            }
            if let Some(released) = ware.released {
                record = record.released(day(released));
            }
            if let Some(expires) = ware.expires {
                record = record.expires(day(expires));
            }
            builder.add(&record).unwrap();
        }
        builder.build()
    }

    /// Every item id there is.
    pub(crate) fn universe(&self) -> Vec<u8> {
        let mut all: Vec<u8> = self.done.iter().map(|d| d.item).chain(0..self.wares.len() as u8).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(crate) fn snapshot(&self, recipe: &Recipe) -> Snapshot {
        let data = Arc::new(self.dataset());
        let catalog = Arc::new(self.catalog());
        let ranker = Arc::new(recipe.ranker(&data, &catalog));
        Snapshot::new(data, catalog, ranker).unwrap()
    }
}

/// The five scorers of a recipe, fitted.
pub(crate) fn scorers(data: &Dataset, catalog: &Arc<Catalog>) -> Vec<Arc<dyn Scorer>> {
    let shelf = Shelf::new(data, Arc::clone(catalog));
    let train = TrainingSet::with_shelf(data, &shelf);
    let run = Run::new(3).threads(Parallelism::Serial);
    let co_view = CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::co_view() };
    let together = FrequentlyBoughtTogetherParams { min_support: 1, min_lift: 0.0, ..Default::default() };
    let als = AlsParams { factors: 4, iterations: 2, ..AlsParams::default() };
    let recipes: [Box<dyn DynFit>; 5] = [
        Box::new(PopularityParams::default().check().unwrap()),
        Box::new(RecentParams::default().check().unwrap()),
        Box::new(co_view.check().unwrap()),
        Box::new(together.check().unwrap()),
        Box::new(als.check().unwrap()),
    ];
    recipes.iter().map(|recipe| recipe.fit_dyn(&train, &run).unwrap()).collect()
}

impl Recipe {
    pub(crate) fn ranker(&self, data: &Dataset, catalog: &Arc<Catalog>) -> Ranker {
        let scorers = scorers(data, catalog);
        let mut builder = Ranker::builder().blend(self.blend).candidates(self.candidates);
        for (scorer, weight) in scorers.iter().zip(self.weights) {
            builder = builder.scorer(Arc::clone(scorer), weight);
        }
        if let Some(category) = self.only {
            builder = builder.only(Select::within("category", [CATEGORIES[category]]));
        }
        if let Some(weight) = self.fresh {
            builder = builder.prefer(Preference::Fresh { half_life: Span::days(7) }, weight);
        }
        for (i, action) in self.rules.iter().enumerate() {
            builder = builder.rule(Rule::new(format!("r{i}"), action.clone()));
        }
        if self.fallback {
            builder = builder.fallback(Arc::clone(&scorers[0]));
        }
        self.code(builder).build().unwrap()
    }

    /// What of it is code: filters and re-ranks.
    pub(crate) fn code(&self, mut builder: RankerBuilder) -> RankerBuilder {
        if self.available {
            builder = builder.filter(Available);
        }
        if let Some((kinds, again_after)) = &self.seen {
            let again_after = again_after.map(|d| Span::days(d as u32));
            builder = builder.filter(Seen { kinds: KindSet::of(kinds), again_after });
        }
        if let Some(strength) = self.diversity {
            let params = DiversityParams { strength, ..DiversityParams::default() };
            builder = builder.rerank(params.check().unwrap());
        }
        if let Some((max, when_short)) = self.cap {
            let params = CapParams { max, when_short, ..CapParams::default() };
            builder = builder.rerank(params.check().unwrap());
        }
        builder
    }
}

/// The borrowed parts of a request.
pub(crate) struct Asked {
    user: Option<String>,
    session: Vec<(String, EventKind, i64)>,
    basket: Vec<String>,
    page: Option<String>,
    candidates: Option<Vec<String>>,
    exclude: Vec<String>,
    only: Option<Select>,
    k: usize,
    offset: usize,
    day: i64,
}

impl Ask {
    pub(crate) fn own(&self) -> Asked {
        let ids = |items: &[u8]| items.iter().map(|&i| item_id(i)).collect::<Vec<_>>();
        Asked {
            user: self.user.map(|u| USERS.get(u).copied().unwrap_or("stranger").to_owned()),
            session: self.session.iter().map(|&(i, kind, day)| (item_id(i), kind, day)).collect(),
            basket: ids(&self.basket),
            page: self.page.map(item_id),
            candidates: self.candidates.as_deref().map(ids),
            exclude: ids(&self.exclude),
            only: self.only.map(|c| Select::within("category", [CATEGORIES[c]])),
            k: self.k,
            offset: self.offset,
            day: self.day,
        }
    }
}

impl Asked {
    /// Makes the request and hands it to `f`.
    pub(crate) fn with<T>(&self, f: impl FnOnce(Request<'_>) -> T) -> T {
        let session: Vec<SessionEvent<'_>> =
            self.session.iter().map(|(item, kind, d)| SessionEvent::new(item, *kind, day(*d))).collect();
        let basket: Vec<&str> = self.basket.iter().map(String::as_str).collect();
        let exclude: Vec<&str> = self.exclude.iter().map(String::as_str).collect();
        let candidates: Option<Vec<&str>> =
            self.candidates.as_ref().map(|given| given.iter().map(String::as_str).collect());
        let now = day(self.day);
        let mut request = match &self.user {
            Some(user) => Request::profiled(consented(user), now),
            None => Request::anonymous(now),
        };
        request = request.session(&session).basket(&basket).exclude(&exclude).k(self.k).offset(self.offset);
        if let Some(page) = &self.page {
            request = request.on_page_of(page);
        }
        if let Some(candidates) = &candidates {
            request = request.candidates(candidates);
        }
        if let Some(only) = &self.only {
            request = request.only(only);
        }
        f(request)
    }
}

/// A scorer that says what it was told, and counts how often it was asked to score.
#[derive(Debug)]
pub(crate) struct Scripted {
    name: String,
    extent: Extent,
    scores: Vec<Scored>,
    /// Pushed as they are, whatever the limit, instead of the best of `scores`.
    proposals: Option<Vec<ItemIdx>>,
    alike: Vec<(ItemIdx, ItemIdx, f32)>,
    pub(crate) asked: AtomicUsize,
}

impl Scripted {
    pub(crate) fn new(name: &str, data: &Dataset, scores: &[(&str, f32)]) -> Self {
        let scored = |&(id, score): &(&str, f32)| Scored { item: data.item(id).unwrap(), score };
        let mut scores: Vec<Scored> = scores.iter().map(scored).collect();
        scores.sort_by(Scored::order);
        let (name, extent) = (name.to_owned(), data.extent());
        Self { name, extent, scores, proposals: None, alike: Vec::new(), asked: AtomicUsize::new(0) }
    }

    pub(crate) fn extent(self, extent: Extent) -> Self {
        Self { extent, ..self }
    }

    pub(crate) fn proposing(self, items: impl IntoIterator<Item = u32>) -> Self {
        Self { proposals: Some(items.into_iter().map(ItemIdx::new).collect()), ..self }
    }

    /// Both ways round.
    pub(crate) fn alike(mut self, a: u32, b: u32, how: f32) -> Self {
        self.alike.push((ItemIdx::new(a), ItemIdx::new(b), how));
        self.alike.push((ItemIdx::new(b), ItemIdx::new(a), how));
        self
    }

    pub(crate) fn share(self) -> Arc<dyn Scorer> {
        Arc::new(self)
    }
}

impl Scorer for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        for s in &self.scores {
            if let Some(slot) = out.slot_of(s.item) {
                out.set(slot, s.score);
            }
        }
    }

    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        match &self.proposals {
            Some(items) => items.iter().for_each(|&item| {
                let _ = out.push(item);
            }),
            None => drop(out.extend(self.scores.iter().map(|s| s.item), limit)),
        }
    }

    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.alike.iter().find(|&&(x, y, _)| (x, y) == (a, b)).map(|&(_, _, how)| how)
    }
}

/// A dataset of these items, numbered in this order, without an event.
pub(crate) fn wares(ids: &[&str]) -> Arc<Dataset> {
    stocked(ids, &[])
}

/// A dataset of these items, numbered in this order, with (user, item, kind, day) events.
pub(crate) fn stocked(ids: &[&str], events: &[(&str, &str, EventKind, i64)]) -> Arc<Dataset> {
    let mut builder = DatasetBuilder::new(Lineage::new(7));
    builder.items(ids.iter().copied()).unwrap();
    for &(user, item, kind, d) in events {
        builder.push(&Event::new(Shopper::Profiled(consented(user)), item, kind, day(d))).unwrap();
    }
    Arc::new(builder.finish().unwrap())
}

/// A catalogue with a category, tags, a number and a text: `category`, `tags`, `size`, `note`.
pub(crate) fn catalog_of(records: &[ItemRecord<'_>]) -> Arc<Catalog> {
    let mut builder = CatalogBuilder::default()
        .attribute("category", AttributeKind::Category)
        .and_then(|b| b.attribute("tags", AttributeKind::Tags))
        .and_then(|b| b.attribute("size", AttributeKind::Number))
        .and_then(|b| b.attribute("note", AttributeKind::Text))
        .unwrap();
    records.iter().for_each(|record| builder.add(record).unwrap());
    Arc::new(builder.build())
}

/// One scorer alone, on its own scale.
pub(crate) fn as_is() -> RankerBuilder {
    Ranker::builder().blend(Blend::WeightedSum { normalise: Normalise::AsIs, missing: Missing::Nothing })
}

pub(crate) fn serve(data: &Arc<Dataset>, catalog: &Arc<Catalog>, ranker: RankerBuilder) -> Snapshot {
    Snapshot::new(Arc::clone(data), Arc::clone(catalog), Arc::new(ranker.build().unwrap())).unwrap()
}

/// A request of nobody in particular on day 100.
pub(crate) fn anybody() -> Request<'static> {
    Request::anonymous(day(100))
}

/// The ids of the list, joined by a blank: `"b c a"`.
pub(crate) fn told(snapshot: &Snapshot, request: &Request<'_>) -> String {
    snapshot.recommend(request).unwrap().ids().collect::<Vec<_>>().join(" ")
}

pub(crate) fn scores_of(list: &Recommendations) -> Vec<f32> {
    list.iter().map(|item| item.score()).collect()
}
