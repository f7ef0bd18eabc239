//! Search results re-ranked for a shopper: the engine's voice in the blend, and what the guard promises.

use std::sync::Arc;

use likewise::testing::check_params;
use likewise::*;
use proptest::prelude::*;

use crate::common::Scripted;

fn id(item: usize) -> String {
    format!("i{item}")
}

fn shop(items: usize) -> Arc<Dataset> {
    let mut builder = DatasetBuilder::default();
    let ids: Vec<String> = (0..items).map(id).collect();
    builder.items(ids.iter().map(String::as_str)).unwrap();
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
    builder.push(&Event::new(ann, "i0", EventKind::View, Timestamp::from_secs(1))).unwrap();
    Arc::new(builder.build().unwrap())
}

/// A search and what is known of the shopper: for each found item the engine's score (if any) and the personal one.
#[derive(Clone, Debug)]
struct Search {
    found: Vec<(usize, Option<i8>, i8)>,
    guard: Option<SearchGuard>,
    weight: f32,
    diverse: bool,
    refused: usize,
    k: usize,
}

fn search() -> impl Strategy<Value = Search> {
    let found = prop::collection::vec((0..16usize, prop::option::weighted(0.9, -9..9i8), -9..9i8), 0..20);
    let guard =
        (0..4u32, 0..8u32, 0..6u32).prop_map(|(exact, top, displacement)| SearchGuard { exact, top, displacement });
    (found, prop::option::weighted(0.8, guard), 0.1f32..10.0, any::<bool>(), 0..20usize, 0..20usize)
        .prop_map(|(found, guard, weight, diverse, refused, k)| Search { found, guard, weight, diverse, refused, k })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_guard_keeps_its_promise_and_parts_sum_to_scores(search in search()) {
        let data = shop(16);
        let ids: Vec<String> = search.found.iter().map(|f| id(f.0)).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let relevance: Vec<f32> = search.found.iter().map(|f| f.1.map_or(f32::NAN, f32::from)).collect();
        let mut personal: Vec<(&str, f32)> = Vec::new();
        for (i, f) in search.found.iter().enumerate() {
            if !personal.iter().any(|(known, _)| *known == ids[i]) {
                personal.push((ids[i], f.2.into()));
            }
        }
        let mut builder = Ranker::builder()
            .scorer(Arc::new(SearchScore::new(&data)), 1.0)
            .scorer(Scripted::new("personal", &data, &personal).share(), search.weight)
            .filter(FilterFn::new("refused", { let no = search.refused as u32; move |_: &Context<'_>, item: ItemIdx| item.get() != no }));
        if search.diverse {
            builder = builder.rerank(FewOf);
        }
        let plain = Snapshot::new(Arc::clone(&data), Arc::default(), Arc::new(builder.clone().build().unwrap())).unwrap();
        if let Some(guard) = &search.guard {
            builder = builder.guard(guard.clone().check().unwrap());
        }
        let guarded = Snapshot::new(Arc::clone(&data), Arc::default(), Arc::new(builder.build().unwrap())).unwrap();
        let request = Request::anonymous(Timestamp::from_secs(9)).candidates(&ids).relevance(&relevance).k(search.k);
        let list = guarded.recommend(&request).unwrap();
        let before = plain.recommend(&request.k(99)).unwrap();
        let whole = guarded.recommend(&request.k(99)).unwrap();

        // The list is a cut of one list; the same items in another order, with the same scores and parts.
        prop_assert!(list.ids().eq(whole.ids().take(search.k)));
        let sorted = |list: &Recommendations| { let mut ids: Vec<String> = list.ids().map(str::to_owned).collect(); ids.sort(); ids };
        prop_assert_eq!(sorted(&before), sorted(&whole));
        for item in whole.iter() {
            let sum = item.contributions().iter().fold(0.0f32, |sum, c| sum + c.value);
            prop_assert_eq!(sum.to_bits(), item.score().to_bits());
            let same = before.iter().find(|other| other.id() == item.id()).unwrap();
            prop_assert_eq!((same.score().to_bits(), same.contributions()), (item.score().to_bits(), item.contributions()));
            let explained = guarded.explain(&request, item.id()).unwrap();
            prop_assert_eq!(explained.score.value, Some(item.score()));
        }

        // Nothing guarded stands lower than promised, and nobody was moved without need.
        let mut engine: Vec<(f32, usize)> = Vec::new();
        for f in &search.found {
            let first = engine.iter().all(|(_, item)| *item != f.0) && search.found.iter().find(|g| g.0 == f.0).unwrap() == f;
            if let Some(score) = f.1.filter(|_| first && f.0 != search.refused) {
                engine.push((score.into(), f.0));
            }
        }
        engine.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let place = |item: usize| whole.ids().position(|other| other == id(item)).unwrap();
        let Some(guard) = &search.guard else {
            prop_assert!(before.ids().eq(whole.ids()));
            return Ok(());
        };
        let deadline = |rank: usize| match rank {
            _ if rank < guard.exact as usize => rank,
            _ if rank < guard.top as usize => rank + guard.displacement as usize,
            _ => usize::MAX,
        };
        for (rank, (_, item)) in engine.iter().enumerate() {
            prop_assert!(place(*item) <= deadline(rank), "rank {} at {} of {:?}", rank, place(*item), guard);
            if rank < guard.exact as usize {
                prop_assert_eq!(place(*item), rank);
            }
        }
        if !search.diverse {
            // The twin: at each place whoever must, else the best of the blend.
            let mut left: Vec<&str> = before.ids().collect();
            let mut twin: Vec<&str> = Vec::new();
            while !left.is_empty() {
                let must = engine.iter().enumerate().filter(|(rank, _)| deadline(*rank) <= twin.len()).map(|(_, e)| id(e.1));
                let next = must.into_iter().find(|item| left.contains(&item.as_str()));
                let at = next.map_or(0, |item| left.iter().position(|other| *other == item).unwrap());
                twin.push(left.remove(at));
            }
            prop_assert!(whole.ids().eq(twin.iter().copied()));
        }
    }
}

/// At most three items before others, then anything: a strict-looking re-rank that relaxes.
#[derive(Clone, Debug)]
struct FewOf;

impl Rerank for FewOf {
    fn name(&self) -> &'static str {
        "few of"
    }

    fn value(&self, _: &Context<'_>, next: NextPlace<'_>, _: &mut Memo) -> Option<f32> {
        let alike = next.chosen.iter().filter(|chosen| chosen.get() % 3 == next.item.get() % 3).count();
        (alike < 2).then_some(next.value)
    }
}

#[test]
fn the_engine_alone_keeps_its_order_and_says_why() {
    let data = shop(4);
    let ranker =
        Ranker::builder().scorer_scaled(Arc::new(SearchScore::new(&data)), 1.0, Normalise::AsIs).build().unwrap();
    let snapshot = Snapshot::new(Arc::clone(&data), Arc::default(), Arc::new(ranker)).unwrap();
    let found = ["i2", "nowhere", "i0", "i3", "i2"];
    let request = Request::anonymous(Timestamp::from_secs(9)).candidates(&found);
    let list = snapshot.recommend(&request.relevance(&[7.0, 8.0, 9.0, f32::INFINITY, 99.0, 1.0])).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["i0", "i2", "i3"]);
    assert_eq!(list.iter().map(|item| item.score()).collect::<Vec<_>>(), [9.0, 7.0, 0.0]);
    assert_eq!(list.ignored().unknown_items, 1);
    let reason = *list.get(0).unwrap().reason().unwrap();
    assert_eq!((reason.code, reason.source), (ReasonCode::MatchesSearch, Source::Scorer(0)));
    // Too few numbers, or none: no opinion, nothing guarded.
    let list = snapshot.recommend(&request.relevance(&[7.0])).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["i2", "i0", "i3"]);
    assert!(snapshot.recommend(&request).unwrap().iter().all(|item| item.contributions().is_empty()));
    // Without candidates it proposes nothing.
    assert!(snapshot.recommend(&Request::anonymous(Timestamp::from_secs(9)).relevance(&[7.0])).unwrap().len() == 4);
}

#[test]
fn a_pin_comes_first_and_a_strict_cap_yields() {
    let data = shop(4);
    let mut catalog = CatalogBuilder::default().attribute("brand", AttributeKind::Tags).unwrap();
    for item in ["i0", "i1", "i2"] {
        catalog.add(&ItemRecord::new(item).tag("brand", "one")).unwrap();
    }
    let personal = Scripted::new("personal", &data, &[("i0", 1.0), ("i1", 9.0), ("i2", 5.0), ("i3", 8.0)]);
    let cap = CapParams { attribute: "brand".into(), max: 1, when_short: WhenShort::Strict }.check().unwrap();
    let pin = Action::Pin { item: "i3".into(), position: 0, filters: PinFilters::Respect };
    let ranker = Ranker::builder()
        .scorer(Arc::new(SearchScore::new(&data)), 1.0)
        .scorer(personal.share(), 5.0)
        .rerank(cap)
        .rule(Rule::new("pin", pin))
        .guard(SearchGuard { exact: 1, top: 2, displacement: 1 }.check().unwrap());
    let snapshot =
        Snapshot::new(Arc::clone(&data), Arc::new(catalog.build()), Arc::new(ranker.build().unwrap())).unwrap();
    let found = ["i0", "i1", "i2", "i3"];
    let request = Request::anonymous(Timestamp::from_secs(9)).candidates(&found).relevance(&[4.0, 3.0, 2.0, 1.0]);
    let list = snapshot.recommend(&request).unwrap();
    let placed: Vec<(&str, Placement)> = list.iter().map(|item| (item.id(), item.placement())).collect();
    assert_eq!(placed, [("i3", Placement::Pinned(0)), ("i0", Placement::Guarded(0)), ("i1", Placement::Guarded(1))]);
}

#[test]
fn lawful_parts() {
    check_params::<SearchGuard>().unwrap();
    let data = shop(4);
    let shelf = Shelf::bare(&data);
    assert!(SearchScore::new(&data).named(" ").is_err());
    let scorer = SearchScore::new(&data).named("engine").unwrap();
    assert_eq!(scorer.name(), "engine");
    let said = [Scored { item: ItemIdx::new(1), score: 2.0 }];
    let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(9));
    cx.relevance = &said;
    let mut ws = Workspace::default();
    assert_eq!(scorer.explain(&cx, ItemIdx::new(1), &mut ws).value, Some(2.0));
    assert_eq!(scorer.explain(&cx, ItemIdx::new(2), &mut ws).value, None);
}
