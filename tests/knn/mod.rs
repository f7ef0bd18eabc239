//! Item neighbours, shopper neighbours and graph walks against dense `f64` twins, worked examples and hostile input.

mod item;
mod user;
mod walk;

use std::fmt::Debug;

use likewise::testing::{ShopParams, SyntheticShop, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

/// One event in small numbers: shopper (0 for an anonymous session), item, kind, second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Did {
    pub(crate) user: u8,
    pub(crate) item: u8,
    pub(crate) kind: EventKind,
    pub(crate) second: i64,
}

pub(crate) const ITEMS: u8 = 8;

pub(crate) fn events() -> impl Strategy<Value = Vec<Did>> {
    let kinds = [EventKind::View, EventKind::AddToCart, EventKind::Purchase, EventKind::Dislike, EventKind::Impression];
    let did = (0u8..7, 0..ITEMS, prop::sample::select(kinds.to_vec()), 0i64..40);
    prop::collection::vec(did.prop_map(|(user, item, kind, second)| Did { user, item, kind, second }), 0..45)
}

/// A data set in which item `n` has number `n`, events or not.
pub(crate) fn data(events: &[Did]) -> Dataset {
    let mut builder = DatasetBuilder::new(Lineage::new(7)).as_of(Timestamp::from_secs(45));
    let names: Vec<String> = (0..ITEMS).map(|item| format!("i{item}")).collect();
    builder.items(names.iter().map(String::as_str)).unwrap();
    for did in events {
        let (user, item) = (format!("u{}", did.user), format!("i{}", did.item));
        let who = match did.user {
            0 => Shopper::Anonymous { session: "s" },
            _ => Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract)),
        };
        builder.push(&Event::new(who, &item, did.kind, Timestamp::from_secs(did.second))).unwrap();
    }
    builder.finish().unwrap()
}

/// Shoppers of items of weight 1.
pub(crate) fn plain(rows: &[&[u8]]) -> Dataset {
    let row = |(user, items): (usize, &&[u8])| {
        let of = move |&item: &u8| Did { user: user as u8 + 1, item, kind: EventKind::View, second: 0 };
        items.iter().map(of).collect::<Vec<_>>()
    };
    data(&rows.iter().enumerate().flat_map(row).collect::<Vec<_>>())
}

pub(crate) fn shop(events: u64) -> Dataset {
    let shop =
        SyntheticShop::new(ShopParams { events, items: 120, users: 150, ..ShopParams::default() }.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    builder.finish().unwrap()
}

pub(crate) fn i(item: u32) -> ItemIdx {
    ItemIdx::new(item)
}

pub(crate) fn fit<P: Validate>(params: P, data: &Dataset) -> <Checked<P> as Fit>::Model
where
    Checked<P>: Fit,
{
    params.check().unwrap().fit(&data.into(), &Run::default()).unwrap()
}

/// Items touched by a view of weight 1 each, newest first, a second apart; asked at second 40.
pub(crate) fn seen(items: &[u8]) -> Vec<Touch> {
    let touch = |(place, &item): (usize, &u8)| Touch {
        item: i(item.into()),
        kind: EventKind::View,
        at: Timestamp::from_secs(40 - place as i64),
        weight: 1.0,
    };
    items.iter().enumerate().map(touch).collect()
}

/// The score of every item.
pub(crate) fn scores(model: &dyn Scorer, data: &Dataset, history: &[Touch], user: Option<UserIdx>) -> Vec<Option<f32>> {
    let shelf = Shelf::bare(data);
    let mut cx = Context::new(data, &shelf, Timestamp::from_secs(40));
    (cx.history, cx.user) = (history, user);
    opinions(model, &cx, &(0..data.n_items() as u32).map(i).collect::<Vec<_>>())
}

pub(crate) fn close(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-4 * want.abs().max(1e-3)
}

/// The pairs as a dense matrix, with the time of each one's latest touch: shopper rows x items.
pub(crate) struct Dense {
    pub(crate) x: Vec<Vec<f64>>,
    pub(crate) at: Vec<Vec<i64>>,
}

/// Straight from the events, by the documented weights.
pub(crate) fn dense(data: &Dataset, kinds: KindSet, pairs: Strength) -> Dense {
    let (n, m) = (data.n_rows(), data.n_items());
    let (mut x, mut at) = (vec![vec![0.0f64; m]; n], vec![vec![i64::MIN; m]; n]);
    for row in 0..n {
        for e in data.events_of(UserIdx::new(row as u32)).iter().filter(|e| kinds.contains(e.kind)) {
            x[row][e.item.as_usize()] += match e.kind {
                EventKind::AddToCart => 3.0,
                EventKind::Purchase => 5.0,
                EventKind::Dislike => -5.0,
                EventKind::Impression => 0.0,
                _ => 1.0,
            };
            at[row][e.item.as_usize()] = at[row][e.item.as_usize()].max(e.at.millis());
        }
    }
    let worth = |x: f64| match pairs {
        _ if x <= 0.0 => 0.0,
        Strength::One => 1.0,
        Strength::Weight => x,
        _ => (1.0 + x).log2(),
    };
    x.iter_mut().flatten().for_each(|x| *x = worth(*x));
    Dense { x, at }
}

/// The documented similarities, over documents (rows of `x`) and terms.
pub(crate) struct Alike {
    similarity: Similarity,
    pub(crate) w: Vec<Vec<f64>>,
    pub(crate) idf: Vec<f64>,
}

impl Alike {
    pub(crate) fn new(similarity: Similarity, x: &[Vec<f64>]) -> Self {
        let terms = x.first().map_or(0, Vec::len);
        let active = x.iter().filter(|doc| doc.iter().any(|&w| w > 0.0)).count() as f64;
        let docs_of = |t: usize| x.iter().filter(|doc| doc[t] > 0.0).count() as f64;
        let idf: Vec<f64> = match similarity {
            Similarity::TfIdf | Similarity::Bm25 { .. } => {
                (0..terms).map(|t| (active / (1.0 + docs_of(t))).ln()).collect()
            }
            _ => vec![1.0; terms],
        };
        let mean = x.iter().flatten().sum::<f64>() / active;
        let weigh = |doc: &Vec<f64>| {
            let len: f64 = doc.iter().sum();
            let weigh = |(t, &x): (usize, &f64)| match similarity {
                _ if x == 0.0 => 0.0,
                Similarity::TfIdf => x.sqrt() * idf[t],
                Similarity::Bm25 { k1, b } => {
                    let (k1, b) = (f64::from(k1), f64::from(b));
                    x * (k1 + 1.0) / (k1 * (1.0 - b + b * len / mean) + x) * idf[t]
                }
                _ => x,
            };
            doc.iter().enumerate().map(weigh).collect::<Vec<_>>()
        };
        let w = x.iter().map(weigh).collect();
        Self { similarity, w, idf }
    }

    pub(crate) fn of(&self, product: f64, a: &[f64], b: &[f64]) -> f64 {
        let square = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
        let (a, b) = (square(a), square(b));
        match self.similarity {
            Similarity::Cosine | Similarity::TfIdf => product / (a * b).sqrt(),
            Similarity::AsymmetricCosine { alpha } => {
                product / (a.sqrt().powf(2.0 * f64::from(alpha)) * b.sqrt().powf(2.0 - 2.0 * f64::from(alpha)))
            }
            Similarity::Jaccard => product / (a + b - product),
            Similarity::Dice => 2.0 * product / (a + b),
            _ => product,
        }
    }
}

pub(crate) fn similarity() -> impl Strategy<Value = Similarity> {
    prop_oneof![
        Just(Similarity::Cosine),
        Just(Similarity::Jaccard),
        Just(Similarity::Dice),
        Just(Similarity::TfIdf),
        prop::sample::select(vec![0.0, 0.25, 1.0]).prop_map(|alpha| Similarity::AsymmetricCosine { alpha }),
        prop::sample::select(vec![(1.2, 0.25), (0.0, 1.0), (100.0, 0.75)])
            .prop_map(|(k1, b)| Similarity::Bm25 { k1, b }),
    ]
}

pub(crate) fn strength() -> impl Strategy<Value = Strength> {
    prop::sample::select(vec![Strength::One, Strength::Weight, Strength::Log])
}

/// Proposals are all opinions in the one order of the crate; one item alone scores as among all.
pub(crate) fn ranks_as_it_scores(model: &dyn Scorer, data: &Dataset, history: &[Touch]) {
    let all = scores(model, data, history, None);
    let mut ranked: Vec<Scored> =
        (0..).zip(&all).filter_map(|(n, s)| Some(Scored { item: i(n), score: (*s)? })).collect();
    ranked.sort_by(Scored::order);
    let shelf = Shelf::bare(data);
    let mut cx = Context::new(data, &shelf, Timestamp::from_secs(40));
    cx.history = history;
    let ranked: Vec<ItemIdx> = ranked.iter().map(|s| s.item).collect();
    assert_eq!(proposals(model, &cx, data.n_items()), ranked);
    for item in (0..data.n_items()).step_by(7) {
        assert_eq!(opinions(model, &cx, &[i(item as u32)]), [all[item]]);
    }
}

/// The laws, the same bits on any pool, and a model without opinions from nothing.
pub(crate) fn keeps_the_laws<P>(params: P)
where
    P: Validate + Clone,
    Checked<P>: Fit<Model: PartialEq + Debug>,
{
    let recipe = params.check().unwrap();
    let data = shop(3_000);
    let shelf = Shelf::bare(&data);
    let serial = recipe.fit(&(&data).into(), &Run::new(0).threads(Parallelism::Serial)).unwrap();
    check_scorer(&serial, &data, &shelf).unwrap();
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let model = pool.install(|| recipe.fit(&(&data).into(), &Run::new(threads as u64))).unwrap();
        assert!(model == serial, "{threads} threads give another model");
    }
    let history: Vec<Touch> = data.events_of(data.users().next().unwrap()).iter().rev().map(touch).take(30).collect();
    ranks_as_it_scores(&serial, &data, &history);

    for events in [vec![], vec![Did { user: 1, item: 0, kind: EventKind::View, second: 0 }; 3]] {
        let data = self::data(&events);
        let model = recipe.fit(&(&data).into(), &Run::default()).unwrap();
        check_scorer(&model, &data, &Shelf::bare(&data)).unwrap();
        assert!(scores(&model, &data, &seen(&[0, 1]), None)[1..].iter().all(Option::is_none));
    }
    let empty = DatasetBuilder::default().finish().unwrap();
    let model = recipe.fit(&(&empty).into(), &Run::default()).unwrap();
    check_scorer(&model, &empty, &Shelf::bare(&empty)).unwrap();
    assert_eq!(model.extent().n_items, 0);
}

fn touch(e: EventRef) -> Touch {
    Touch { item: e.item, kind: e.kind, at: e.at, weight: 1.0 }
}
