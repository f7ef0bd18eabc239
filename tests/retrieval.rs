//! Proposals and batches of factor models: as if everything was scored, sorted and asked one by one.

use std::sync::Arc;

use likewise::testing::{ShopParams, SyntheticShop, check_scorer, opinions, proposals};
use likewise::*;

use crate::common::{as_is, consented, day};

fn shop(items: u32, users: u32, events: u64) -> (Dataset, SyntheticShop) {
    let shop = SyntheticShop::new(ShopParams { items, users, events, ..ShopParams::default() }.check().unwrap());
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    builder.ingest(&shop).unwrap();
    (builder.finish().unwrap(), shop)
}

fn als(data: &Dataset, retrieval: Retrieval) -> Als {
    let params = AlsParams { factors: 12, iterations: 3, retrieval, ..AlsParams::default() };
    params.check().unwrap().fit(&data.into(), &Run::new(1)).unwrap()
}

fn models(data: &Dataset, shelf: &Shelf) -> Vec<Arc<dyn Scorer>> {
    let train = TrainingSet::with_shelf(data, shelf);
    let run = Run::new(1);
    let als = AlsParams { factors: 9, iterations: 2, ..AlsParams::default() };
    let hybrid = HybridParams { als: als.clone(), ..HybridParams::default() };
    let bpr = BprParams { factors: 9, epochs: 3, ..BprParams::default() };
    let mut vectors = Vectors::new(5).unwrap();
    for item in 0..data.n_items() as u32 {
        let numbers: Vec<f32> = (0..5).map(|j| ((item * 7 + j * 13) % 23) as f32 - 11.0).collect();
        vectors.push(data.item_key(ItemIdx::new(item)), &numbers).unwrap();
    }
    let embedding = EmbeddingRecipe::new(EmbeddingParams::default().check().unwrap(), Arc::new(vectors));
    vec![
        als.check().unwrap().fit_dyn(&train, &run).unwrap(),
        hybrid.check().unwrap().fit_dyn(&train, &run).unwrap(),
        bpr.check().unwrap().fit_dyn(&train, &run).unwrap(),
        embedding.fit_dyn(&train, &run).unwrap(),
    ]
}

#[test]
fn proposals_are_the_head_of_all_scores() {
    let (data, shop) = shop(300, 200, 4000);
    let shelf = Shelf::new(&data, Arc::new(shop.catalog().unwrap()));
    for model in models(&data, &shelf) {
        check_scorer(&*model, &data, &shelf).unwrap();
        for user in data.users().step_by(9) {
            let touches: Vec<Touch> = data
                .events_of(user)
                .iter()
                .map(|e| Touch { item: e.item, kind: e.kind, at: e.at, weight: 1.0 })
                .collect();
            let mut cx = Context::new(&data, &shelf, data.as_of());
            (cx.user, cx.history) = (Some(user), &touches);
            let items: Vec<ItemIdx> = (0..shelf.n_items() as u32).map(ItemIdx::new).collect();
            let opinions = opinions(&*model, &cx, &items);
            let mut all: Vec<Scored> = items
                .iter()
                .zip(opinions)
                .filter_map(|(&item, score)| score.map(|score| Scored { item, score }))
                .collect();
            all.sort_by(Scored::order);
            for k in [0, 1, 20, 1000] {
                let best: Vec<ItemIdx> = all.iter().take(k).map(|s| s.item).collect();
                assert_eq!(proposals(&*model, &cx, k), best, "{}", model.name());
            }
        }
    }
}

/// Requests of every kind through groups of many, against one at a time.
#[test]
fn a_batch_of_factor_models_is_each_request_alone() {
    let (data, shop) = shop(300, 400, 6000);
    let (data, catalog) = (Arc::new(data), Arc::new(shop.catalog().unwrap()));
    let shelf = Shelf::new(&data, Arc::clone(&catalog));
    let mut models = models(&data, &shelf);
    models.push(PopularityParams::default().check().unwrap().fit_dyn(&(&*data).into(), &Run::new(1)).unwrap());
    let seen = Seen { kinds: KindSet::ALL, again_after: None };
    let odd = FilterFn::new("odd numbers", |_: &Context<'_>, item: ItemIdx| item.get() % 3 != 1);
    let one = as_is().scorer(Arc::clone(&models[0]), 1.0).filter(seen).candidates(20);
    let asked = as_is().scorer(Arc::clone(&models[1]), 1.0).filter(seen).filter(odd).filter(Available);
    let blend = models.iter().fold(Ranker::builder(), |builder, model| builder.scorer(Arc::clone(model), 1.0));
    let ids: Vec<String> = (0..450).map(SyntheticShop::user_key).collect();
    let given: Vec<String> = (0..9).map(SyntheticShop::item_key).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let brand = Select::within("brand", ["brand 1", "brand 2"]);
    let wrong = Select::within("nothing", ["of the kind"]);
    for ranker in [one, asked, blend.filter(seen).filter(NotInBasket)] {
        let snapshot =
            Snapshot::new(Arc::clone(&data), Arc::clone(&catalog), Arc::new(ranker.build().unwrap())).unwrap();
        let requests = || {
            ids.iter().enumerate().map(|(i, id)| {
                let request = Request::profiled(consented(id), day(if i % 10 == 0 { 3 } else { 400 })).k(i % 23);
                match i % 17 {
                    0 => Request::anonymous(day(400)).k(5),
                    1 => request.candidates(&given),
                    2 => request.only(&brand),
                    3 => request.only(&wrong),
                    4 => request.exclude(&given),
                    5 => request.basket(&given).offset(3),
                    _ => request,
                }
            })
        };
        let alone: Vec<_> = requests().map(|request| snapshot.recommend(&request)).collect();
        assert!(alone.iter().any(Result::is_err) && alone.iter().flatten().any(|list| list.len() == 22));
        for threads in [0, 1, 2, 4, 8] {
            let mut answers = Vec::new();
            let run = Run::new(0).threads(if threads == 0 { Parallelism::Serial } else { Parallelism::Pool });
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build().unwrap();
            let collect = |answer: Answer<'_, '_>| {
                answers.push(answer.list);
                Flow::Continue
            };
            pool.install(|| snapshot.recommend_batch(requests(), &run, collect)).unwrap();
            assert!(answers == alone, "{threads} threads");
        }
    }
}

#[test]
fn a_shopper_who_has_seen_everything_gets_nothing_from_it() {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    for (user, items) in [("all", 0..30), ("some", 0..7), ("others", 5..30)] {
        for item in items {
            builder
                .push(&Event::new(Shopper::Profiled(consented(user)), &format!("i{item}"), EventKind::View, day(1)))
                .unwrap();
        }
    }
    let data = Arc::new(builder.finish().unwrap());
    for retrieval in [Retrieval::Exact, Retrieval::Ivf { lists: 5, probes: 1 }] {
        let seen = Seen { kinds: KindSet::ALL, again_after: None };
        let ranker = as_is().scorer(Arc::new(als(&data, retrieval)), 1.0).filter(seen).build().unwrap();
        let snapshot = Snapshot::new(Arc::clone(&data), Arc::new(Catalog::default()), Arc::new(ranker)).unwrap();
        let mut lengths = Vec::new();
        let request = |id| Request::profiled(consented(id), day(2)).k(1000);
        snapshot
            .recommend_all(request, &Run::new(0), |answer| {
                lengths.push(answer.list.unwrap().len());
                Flow::Continue
            })
            .unwrap();
        assert_eq!(lengths, [0, 23, 5]);
    }
}

#[test]
fn removed_items_stay_away_from_lists_and_scans() {
    let (data, shop) = shop(200, 100, 3000);
    let data = Arc::new(data);
    let catalog = shop.catalog().unwrap();
    let gone = data.item_key(ItemIdx::new(0)).to_owned();
    let (catalog, _) = catalog.update([CatalogChange::remove(gone)]).unwrap();
    for retrieval in [Retrieval::Exact, Retrieval::Ivf { lists: 9, probes: 2 }] {
        let ranker = as_is().scorer(Arc::new(als(&data, retrieval)), 1.0).build().unwrap();
        let snapshot = Snapshot::new(Arc::clone(&data), Arc::new(catalog.clone()), Arc::new(ranker)).unwrap();
        for user in data.users().take(20) {
            let list =
                snapshot.recommend(&Request::profiled(consented(data.user_key(user)), day(400)).k(1000)).unwrap();
            assert!(list.len() > 100 && list.iter().all(|r| r.item() != ItemIdx::new(0)));
        }
    }
}
