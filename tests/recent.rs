//! Recently viewed: worked examples, a slow twin, the laws.

use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

fn items(n: u32) -> Dataset {
    let keys: Vec<String> = (0..n).map(|i| format!("i{i}")).collect();
    let mut builder = DatasetBuilder::default().as_of(Timestamp::from_secs(1_000_000));
    builder.items(keys.iter().map(String::as_str)).unwrap();
    builder.finish().unwrap()
}

fn fit(params: RecentParams, data: &Dataset) -> Recent {
    params.check().unwrap().fit(&data.into(), &Run::default()).unwrap()
}

fn touch(item: u32, kind: EventKind, hours_ago: u32) -> Touch {
    let at = Timestamp::from_secs(1_000_000).minus(Span::hours(hours_ago));
    Touch { item: ItemIdx::new(item), kind, at, weight: 1.0 }
}

fn says(model: &Recent, data: &Dataset, history: &[Touch]) -> (Vec<Option<f32>>, Vec<u32>) {
    let shelf = Shelf::bare(data);
    let mut cx = Context::new(data, &shelf, data.as_of());
    cx.history = history;
    let all: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    let proposed = proposals(model, &cx, 100).into_iter().map(ItemIdx::get).collect();
    (opinions(model, &cx, &all), proposed)
}

const VIEW: EventKind = EventKind::View;
const BUY: EventKind = EventKind::Purchase;

#[test]
fn by_place() {
    let data = items(5);
    let model = fit(RecentParams { recency: Recency::Place { half: 1.0 }, ..RecentParams::default() }, &data);
    // 3 now; 1 bought after it was viewed; 0 viewed again after it was bought; 4 only searched for.
    let history = [
        touch(3, VIEW, 0),
        touch(1, BUY, 1),
        touch(0, VIEW, 2),
        touch(1, VIEW, 3),
        touch(0, BUY, 4),
        touch(4, EventKind::Search, 5),
        touch(3, VIEW, 6),
        touch(2, EventKind::AddToCart, 7),
    ];
    let (scores, proposed) = says(&model, &data, &history);
    assert_eq!(scores, [Some(0.5), None, Some(0.25), Some(1.0), None]);
    assert_eq!(proposed, [3, 0, 2]);
    let two = RecentParams { items: 2, recency: Recency::Place { half: 1.0 }, ..RecentParams::default() };
    assert_eq!(says(&fit(two, &data), &data, &history).1, [3, 0]);
    let all = RecentParams { unless: KindSet::EMPTY, ..RecentParams::default() };
    assert_eq!(says(&fit(all, &data), &data, &history).1, [3, 0, 1, 2]);
}

#[test]
fn by_time_whatever_the_order_of_the_session() {
    let data = items(4);
    let recency = Recency::Time { half_life: Span::hours(2) };
    let model = fit(RecentParams { recency, ..RecentParams::default() }, &data);
    let mut future = touch(3, VIEW, 0);
    future.at = Timestamp::MAX;
    let (scores, proposed) = says(&model, &data, &[touch(0, VIEW, 4), touch(1, VIEW, 2), future]);
    assert_eq!(scores, [Some(0.25), Some(0.5), None, Some(1.0)]);
    assert_eq!(proposed, [3, 1, 0]);
}

#[test]
fn the_evidence_is_the_item_itself() {
    let data = items(2);
    let shelf = Shelf::bare(&data);
    let history = [touch(1, VIEW, 0)];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    let explanation = fit(RecentParams::default(), &data).explain(&cx, ItemIdx::new(1), &mut Workspace::default());
    assert_eq!(explanation.value, Some(1.0));
    let because = Reason::Because { item: ItemIdx::new(1), code: ReasonCode::RecentlyViewed };
    assert_eq!(explanation.details[0].reason, because);
}

#[test]
fn an_item_from_after_the_fit_counts_once_the_catalogue_has_it() {
    let (data, mut catalog) = (items(1), CatalogBuilder::default());
    catalog.add(&ItemRecord::new("new")).unwrap();
    let shelf = Shelf::new(&data, catalog.build().into());
    let new = shelf.item(&data, "new").unwrap();
    let history = [touch(new.get(), VIEW, 0)];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    let model = fit(RecentParams::default(), &data);
    assert_eq!(opinions(&model, &cx, &[new]), [Some(1.0)]);
    check_scorer(&model, &data, &shelf).unwrap();
}

/// For each item its latest telling touch; then the first `items` of those that count.
fn twin(p: &RecentParams, n: u32, history: &[Touch]) -> Vec<Option<f32>> {
    let telling: Vec<&Touch> =
        history.iter().filter(|t| p.unless.contains(t.kind) || p.kinds.contains(t.kind)).collect();
    let latest = |item: ItemIdx| telling.iter().position(|t| t.item == item);
    let mut order: Vec<usize> = (0..n).map(ItemIdx::new).filter_map(latest).collect();
    order.sort_unstable();
    order.retain(|&at| !p.unless.contains(telling[at].kind));
    order.truncate(p.items as usize);
    let mut scores = vec![None; n as usize];
    for (place, at) in order.into_iter().enumerate() {
        let score = match p.recency {
            Recency::Place { half } => 0.5f64.powf(place as f64 / f64::from(half)),
            Recency::Time { half_life } => {
                let age = 1_000_000_000 - telling[at].at.millis();
                0.5f64.powf(age as f64 / half_life.as_millis() as f64)
            }
            _ => unreachable!(),
        };
        scores[telling[at].item.as_usize()] = Some(score as f32);
    }
    scores
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn equals_the_slow_twin(
        touches in prop::collection::vec((0u32..8, 0usize..5, 0u32..60), 0..40),
        by_time in prop::option::of(1u32..50),
        items_kept in 1u32..9,
        unless in prop::sample::select(vec![KindSet::EMPTY, KindSet::of(&[BUY, EventKind::Dislike])]),
    ) {
        let kinds = [VIEW, BUY, EventKind::AddToCart, EventKind::Dislike, EventKind::Impression];
        let history: Vec<Touch> = touches.iter().map(|&(item, kind, ago)| touch(item, kinds[kind], ago)).collect();
        let recency = match by_time {
            Some(hours) => Recency::Time { half_life: Span::hours(hours) },
            None => Recency::Place { half: 3.0 },
        };
        let p = RecentParams { recency, items: items_kept, unless, ..RecentParams::default() };
        let data = items(8);
        let (scores, proposed) = says(&fit(p.clone(), &data), &data, &history);
        let slow = twin(&p, 8, &history);
        for (fast, slow) in scores.iter().zip(&slow) {
            prop_assert_eq!(fast.is_some(), slow.is_some());
            prop_assert!((fast.unwrap_or(0.0) - slow.unwrap_or(0.0)).abs() < 1e-6);
        }
        prop_assert_eq!(proposed.len(), slow.iter().flatten().count());
    }
}

#[test]
fn keeps_the_laws() {
    check_params::<RecentParams>().unwrap();
    let shop = SyntheticShop::new(ShopParams { events: 5_000, ..ShopParams::default() }.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    check_scorer(&fit(RecentParams::default(), &data), &data, &shelf).unwrap();
    for half_life in [Span::millis(1), Span::days(2), Span::MAX] {
        let recency = Recency::Time { half_life };
        check_scorer(&fit(RecentParams { recency, ..RecentParams::default() }, &data), &data, &shelf).unwrap();
    }
    for half in [f32::NAN, 0.0, -1.0, f32::INFINITY] {
        let error = RecentParams { recency: Recency::Place { half }, ..RecentParams::default() }.check().unwrap_err();
        assert_eq!(error.param, "recency.place.half");
    }
}
