//! BPR: planted structure, a slow twin of the fold-in's and the fit's promises, and hostile input.

use likewise::testing::{check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

use crate::common::{day, world};

fn dataset(pairs: &[(usize, usize)]) -> Dataset {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    for &(user, item) in pairs {
        let (user, item) = (format!("u{user}"), format!("i{item}"));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        builder.push(&Event::new(who, &item, EventKind::Purchase, day(1))).unwrap();
    }
    builder.finish().unwrap()
}

/// Shoppers of as many tastes as there are blocks; each misses a few items of their own block.
fn blocks(blocks: usize, users: usize, items: usize) -> Vec<(usize, usize)> {
    (0..blocks * users)
        .flat_map(|u| (0..blocks * items).map(move |i| (u, i)))
        .filter(|(u, i)| u / users == i / items && (u * 7 + i * 3) % 10 < 7)
        .collect()
}

fn fit(params: &BprParams, data: &Dataset, run: &Run<'_>) -> Bpr {
    params.clone().check().unwrap().fit(&data.into(), run).unwrap()
}

const SAMPLINGS: [Sampling; 3] = [Sampling::Uniform, Sampling::Popularity, Sampling::Adaptive { rank: 5.0 }];

fn small(sampling: Sampling) -> BprParams {
    BprParams { factors: 8, epochs: 60, sampling, ..BprParams::default() }
}

fn touches(items: impl Iterator<Item = u32>) -> Vec<Touch> {
    items.map(|i| Touch { item: ItemIdx::new(i), kind: EventKind::View, at: day(2), weight: 1.0 }).collect()
}

#[test]
fn planted_tastes_are_found_stored_and_folded_in() {
    let data = dataset(&blocks(4, 20, 12));
    let block_of = |item: ItemIdx| data.item_key(item)[1..].parse::<usize>().unwrap() / 12;
    let shelf = Shelf::bare(&data);
    for sampling in SAMPLINGS {
        let model = fit(&small(sampling), &data, &Run::new(3));
        for user in data.users() {
            let block = data.user_key(user)[1..].parse::<usize>().unwrap() / 20;
            let mut cx = Context::new(&data, &shelf, day(3));
            cx.user = Some(user);
            assert!(proposals(&model, &cx, 12).into_iter().all(|i| block_of(i) == block), "{sampling:?}, {block}");
        }
        for block in 0..4 {
            let own = (0..48).filter(|&i| block_of(ItemIdx::new(i)) == block).take(3);
            let history = touches(own);
            let mut cx = Context::new(&data, &shelf, day(3));
            (cx.history, cx.session_len) = (&history, history.len());
            assert!(proposals(&model, &cx, 10).into_iter().all(|i| block_of(i) == block), "{sampling:?}, {block}");
        }
        let alike = model.similar_items(ItemIdx::new(0), 11);
        assert!(alike.iter().all(|s| block_of(s.item) == block_of(ItemIdx::new(0))));
        assert_eq!(model.similarity(ItemIdx::new(0), alike[0].item), Some(alike[0].score));
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let data = dataset(&blocks(3, 10, 8));
    let bits = |model: &Bpr| -> Vec<u32> {
        let users = data.users().filter_map(|u| model.user_factors(u));
        let items = (0..data.n_items() as u32).filter_map(|i| model.item_factors(ItemIdx::new(i)));
        users.chain(items).flatten().map(|v| v.to_bits()).collect()
    };
    for sampling in SAMPLINGS {
        let params = BprParams { epochs: 5, ..small(sampling) };
        let serial = bits(&fit(&params, &data, &Run::new(9).threads(Parallelism::Serial)));
        for threads in [1, 2, 4, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| bits(&fit(&params, &data, &Run::new(9)))), serial);
        }
        assert_ne!(bits(&fit(&params, &data, &Run::new(10))), serial, "the seed decides");
    }
}

#[test]
fn a_popular_item_gets_a_large_offset() {
    // Everybody has item 0, and one of the others.
    let pairs: Vec<(usize, usize)> = (0..60).flat_map(|u| [(u, 0), (u, 1 + u % 6)]).collect();
    let data = dataset(&pairs);
    let model = fit(&BprParams { factors: 2, ..BprParams::default() }, &data, &Run::new(1));
    let offset = |key: &str| *model.item_factors(data.item(key).unwrap()).unwrap().last().unwrap();
    assert!((1..7).all(|i| offset(&format!("i{i}")) < offset("i0") - 0.5));
}

#[test]
fn scores_are_products_and_a_fold_in_ignores_the_order_of_touches() {
    let data = dataset(&blocks(3, 10, 8));
    let model = fit(&small(Sampling::Uniform), &data, &Run::new(5));
    let history = touches([1, 4, 9].into_iter());
    let back: Vec<Touch> = history.iter().rev().copied().collect();
    let ws = &mut Workspace::default();
    let x = model.fold_in(&history, ws).unwrap();
    assert_eq!(model.fold_in(&back, ws).unwrap(), x);
    assert_eq!(x.last(), Some(&1.0));
    let shelf = Shelf::bare(&data);
    let mut cx = Context::new(&data, &shelf, day(3));
    (cx.history, cx.session_len) = (&history, 3);
    let items: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    for (item, score) in items.iter().zip(opinions(&model, &cx, &items)) {
        let y = model.item_factors(*item).unwrap();
        let slow: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        assert!((f64::from(score.unwrap()) - slow).abs() < 1e-5);
    }
    assert_eq!(model.fold_in(&touches([999].into_iter()), ws), None);
}

#[test]
fn extremes_are_survived() {
    for pairs in [vec![], vec![(0, 0)], vec![(0, 0), (1, 0)], vec![(0, 0), (0, 1)], blocks(1, 3, 3)] {
        let data = dataset(&pairs);
        for sampling in SAMPLINGS {
            let model = fit(&BprParams { factors: 1, epochs: 2, ..small(sampling) }, &data, &Run::new(1));
            check_scorer(&model, &data, &Shelf::bare(&data)).unwrap();
        }
    }
    let data = dataset(&blocks(2, 6, 6));
    let wild = BprParams { learning_rate: 1.0, regularization: 16.0, ..small(Sampling::Uniform) };
    let error = wild.check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap_err();
    assert!(matches!(error, FitError::NotFinite { model: "bpr", .. }));
    let stop = std::sync::atomic::AtomicBool::new(true);
    let run = Run::new(1).cancel(&stop);
    let error = BprParams::default().check().unwrap().fit(&(&data).into(), &run).unwrap_err();
    assert!(matches!(error, FitError::Cancelled(_)));
    let quiet = fit(&BprParams { retrieval: Retrieval::None, ..small(Sampling::Uniform) }, &data, &Run::new(1));
    let shelf = Shelf::bare(&data);
    let mut cx = Context::new(&data, &shelf, day(3));
    cx.user = data.user("u0");
    assert!(proposals(&quiet, &cx, 5).is_empty() && opinions(&quiet, &cx, &[ItemIdx::new(0)])[0].is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn keeps_the_laws(world in world(), sampling in prop::sample::select(SAMPLINGS.to_vec())) {
        let data = world.dataset();
        let shelf = Shelf::new(&data, std::sync::Arc::new(world.catalog()));
        let params = BprParams { factors: 3, epochs: 3, fold_in: 3, ..small(sampling) };
        let model = fit(&params, &data, &Run::new(1));
        check_scorer(&model, &data, &shelf).unwrap();
    }
}
