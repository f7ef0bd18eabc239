//! What a shop sees of it.

use std::sync::Mutex;

use approx::assert_relative_eq;
use likewise::*;

use super::*;

#[test]
fn planted_blocks_are_found() {
    let pairs = blocks(5, 20, 12);
    let data = dataset(&pairs);
    let block_of = |item: ItemIdx| data.item_key(item)[1..].parse::<usize>().unwrap() / 12;
    for solver in [Solver::Cholesky, Solver::default(), Solver::Subspace { block: 16 }] {
        let als = fit(&AlsParams { factors: 8, solver, ..AlsParams::default() }, &data, &Run::new(2));
        let own_block_on_top = |block: usize, scores: Vec<Option<f32>>| {
            let mut ranked: Vec<u32> = (0..data.n_items() as u32).collect();
            ranked.sort_by(|a, b| scores[*b as usize].partial_cmp(&scores[*a as usize]).unwrap());
            assert!(ranked[..12].iter().all(|&i| block_of(ItemIdx::new(i)) == block), "block {block}");
        };
        for user in data.users() {
            let block = data.user_key(user)[1..].parse::<usize>().unwrap() / 20;
            own_block_on_top(block, scores(&als, &data, &history(&data, user), 0));
        }
        for block in 0..5 {
            // Somebody new with two items of a block.
            let of_block: Vec<Touch> =
                (0..60).filter(|&i| block_of(ItemIdx::new(i)) == block).take(2).map(|i| touch(i, 1.0)).collect();
            own_block_on_top(block, scores(&als, &data, &of_block, 2));
        }
        let mug = ItemIdx::new(0);
        let alike = als.similar_items(mug, 11);
        assert!(alike.len() == 11 && alike.iter().all(|s| s.item != mug && block_of(s.item) == block_of(mug)));
        assert_eq!(als.similarity(mug, alike[0].item), Some(alike[0].score));
        let ann = data.users().next().unwrap();
        let neighbours = als.similar_users(&data, ann, 19);
        assert!(neighbours.iter().all(|(u, _)| data.user_key(*u)[1..].parse::<usize>().unwrap() < 20));
    }
}

#[test]
fn the_stored_vector_serves_until_there_is_news() {
    let data = dataset(&blocks(3, 10, 10));
    let als = fit(&AlsParams { factors: 8, ..AlsParams::default() }, &data, &Run::new(8));
    let shelf = Shelf::bare(&data);
    let ann = data.user("u0").unwrap();
    let own = history(&data, ann);
    let other = data.item("i25").unwrap();
    let ws = &mut Workspace::default();
    let mut value = |history: &[Touch], session_len: usize, now: i64| {
        let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(now));
        (cx.user, cx.history, cx.session_len) = (Some(ann), history, session_len);
        als.explain(&cx, other, ws).value
    };
    let stored = Some(product(als.user_factors(ann).unwrap(), als.item_factors(other).unwrap()));
    let near = |a: Option<f32>, b: Option<f32>| (a.unwrap() - b.unwrap()).abs() < 1e-6;
    assert!(near(value(&own, 0, 2 * DAY), stored));
    assert!(near(value(&[], 0, 2 * DAY), stored), "a profile is known without its history");
    let mut fresh = own.clone();
    fresh.insert(0, touch(other.get(), 5.0));
    assert!(value(&fresh, 1, 2 * DAY) > stored.map(|s| s + 0.05), "a session counts at once");
    fresh[0].at = Timestamp::from_secs(DAY + 1);
    assert!(value(&fresh, 0, 2 * DAY) > stored.map(|s| s + 0.05), "so does a later event");
    assert_eq!(value(&[], 0, DAY - 1), None, "a request from before the fit does not see the future's vector");
}

#[test]
fn explanations_add_up_and_name_the_strongest_item_first() {
    let data = dataset(&blocks(3, 10, 10));
    let als = fit(&AlsParams { factors: 8, ..AlsParams::default() }, &data, &Run::new(8));
    let shelf = Shelf::bare(&data);
    let ws = &mut Workspace::default();
    let of = |key, weight| touch(data.item(key).unwrap().get(), weight);
    let touches = [of("i0", 1.0), of("i1", 3.0), of("i15", 1.0), of("i20", -2.0)];
    let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(2 * DAY));
    (cx.history, cx.session_len) = (&touches, 4);
    for item in (0..data.n_items() as u32).map(ItemIdx::new) {
        let why = als.explain(&cx, item, ws);
        let x = als.fold_in(&touches, ws).unwrap();
        assert_relative_eq!(why.value.unwrap(), product(&x, als.item_factors(item).unwrap()), epsilon = 1e-5);
        let sum: f32 = why.details.iter().map(|d| d.value.unwrap()).sum();
        assert_relative_eq!(sum, why.value.unwrap(), epsilon = 1e-6);
        let because: Vec<(u32, f32)> = why
            .details
            .iter()
            .filter_map(|d| match d.reason {
                Reason::Because { item, code: ReasonCode::SimilarTaste } => Some((item.get(), d.value.unwrap())),
                _ => None,
            })
            .collect();
        assert_eq!(because.len(), 3, "what is disliked is no evidence");
        assert!(because.windows(2).all(|w| w[0].1 >= w[1].1));
        let rest: f32 = sum - because.iter().map(|b| b.1).sum::<f32>();
        assert!(rest.abs() < 0.02, "the history explains all but {rest}");
    }
    let of_other_block = als.explain(&cx, data.item("i12").unwrap(), ws);
    let Reason::Because { item, .. } = of_other_block.details[0].reason else { panic!("{of_other_block:?}") };
    assert_eq!(data.item_key(item)[1..].parse::<u32>().unwrap() / 10, 1);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = dataset(&blocks(6, 40, 25)); // more rows than fit into one task
    for solver in [Solver::Cholesky, Solver::default(), Solver::Subspace { block: 16 }] {
        let params = AlsParams { factors: 24, iterations: 3, solver, ..AlsParams::default() };
        let bits = |run: &Run<'_>| -> Vec<u32> {
            let losses = Mutex::new(Vec::new());
            let record = |p: Progress| losses.lock().unwrap().extend(p.loss.map(|l| l as f32));
            let als = fit(&params, &data, &run.progress(&record));
            let users = data.users().flat_map(|u| als.user_factors(u).unwrap().to_vec());
            let items = (0..data.n_items() as u32).flat_map(|i| als.item_factors(ItemIdx::new(i)).unwrap().to_vec());
            users.chain(items).chain(losses.into_inner().unwrap()).map(f32::to_bits).collect()
        };
        let serial = bits(&Run::new(1).threads(Parallelism::Serial));
        for threads in [1, 2, 4, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert!(pool.install(|| bits(&Run::new(1))) == serial, "{threads} threads");
        }
        assert!(bits(&Run::new(2)) != serial, "the seed matters");
    }
}

#[test]
fn anonymous_sessions_teach_but_are_nobodys_neighbours() {
    let mut builder = DatasetBuilder::default();
    for session in 0..6 {
        let session = format!("s{session}");
        for item in ["mug", "tea"] {
            let event =
                Event::new(Shopper::Anonymous { session: &session }, item, EventKind::View, Timestamp::default());
            builder.push(&event).unwrap();
        }
    }
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    let bob = Shopper::Profiled(Consented::new("bob", LawfulBasis::Contract));
    builder.push(&Event::new(ann, "mug", EventKind::View, Timestamp::default())).unwrap();
    builder.push(&Event::new(bob, "saw", EventKind::View, Timestamp::default())).unwrap();
    let data = builder.finish().unwrap();
    let als = fit(&AlsParams { factors: 4, ..AlsParams::default() }, &data, &Run::new(1));
    let (mug, tea, saw) = (data.item("mug").unwrap(), data.item("tea").unwrap(), data.item("saw").unwrap());
    assert!(als.similarity(mug, tea) > als.similarity(mug, saw));
    let neighbours = als.similar_users(&data, data.user("ann").unwrap(), 10);
    assert_eq!(neighbours.iter().map(|n| data.user_key(n.0)).collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn the_conformance_suite_passes() {
    let shop =
        testing::SyntheticShop::new(testing::ShopParams { events: 5_000, ..Default::default() }.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let lists = |lists, probes| Retrieval::Ivf { lists, probes };
    for (data, retrieval) in [
        (&data, Retrieval::Auto),
        (&data, Retrieval::None),
        (&data, lists(7, 2)),
        (&data, lists(60, 1)),
        (&dataset(&[]), Retrieval::Auto),
        (&dataset(&[]), lists(7, 2)),
        (&dataset(&some_pairs()), lists(3, 1)),
    ] {
        let params = AlsParams { factors: 7, iterations: 3, retrieval, ..AlsParams::default() };
        let als = fit(&params, data, &Run::new(1));
        testing::check_scorer(&als, data, &Shelf::bare(data)).unwrap();
    }
}
