//! Input nobody should send, to the crate as a whole: a typed error that says what to do, or a sensible answer.

use std::sync::Arc;

use crate::common::*;
use likewise::*;

mod parts;

/// Every scorer of the crate, fitted.
fn all_scorers(data: &Dataset, catalog: &Arc<Catalog>) -> Vec<Arc<dyn Scorer>> {
    let shelf = Shelf::new(data, Arc::clone(catalog));
    let train = TrainingSet::with_shelf(data, &shelf);
    let co_view = CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::co_view() };
    let als = AlsParams { factors: 4, iterations: 2, ..AlsParams::default() };
    let recipes: [Box<dyn DynFit>; 8] = [
        Box::new(PopularityParams::default().check().unwrap()),
        Box::new(PopularInParams::default().check().unwrap()),
        Box::new(TrendingParams::default().check().unwrap()),
        Box::new(RecentParams::default().check().unwrap()),
        Box::new(co_view.check().unwrap()),
        Box::new(CrossOccurrenceParams::default().check().unwrap()),
        Box::new(FrequentlyBoughtTogetherParams::default().check().unwrap()),
        Box::new(als.check().unwrap()),
    ];
    let run = Run::new(3).threads(Parallelism::Serial);
    recipes.iter().map(|recipe| recipe.fit_dyn(&train, &run).unwrap()).collect()
}

/// Everything a ranker can have, at once.
fn full(data: &Arc<Dataset>, catalog: &Arc<Catalog>) -> Snapshot {
    let scorers = all_scorers(data, catalog);
    let toys = Select::within("category", ["Toys"]);
    let cap = Action::Cap { attribute: "tags".into(), max: 2, when_short: WhenShort::Relax };
    let mut ranker = Ranker::builder()
        .blend(Blend::WeightedSum { normalise: Normalise::MinMax, missing: Missing::Redistribute })
        .filter(Available)
        .filter(NotInBasket)
        .filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: Some(Span::days(30)) })
        .prefer(Preference::Fresh { half_life: Span::days(7) }, 0.1)
        .prefer(Preference::PriceBand { width: 0.5 }, 0.1)
        .rerank(DiversityParams::default().check().unwrap())
        .rerank(CapParams::default().check().unwrap())
        .rule(Rule::new("slot", Action::Slot { position: 1, items: toys.clone() }))
        .rule(Rule::new("boost", Action::Boost { items: toys, by: 0.1 }))
        .rule(Rule::new("pin", Action::Pin { item: "mug".into(), position: 2, filters: PinFilters::Respect }))
        .rule(Rule::new("cap", cap))
        .fallback(Arc::clone(&scorers[0]));
    for scorer in scorers {
        ranker = ranker.scorer(scorer, 1.0);
    }
    serve(data, catalog, ranker)
}

fn some_shop() -> (Arc<Dataset>, Arc<Catalog>) {
    use EventKind::{Purchase, View};
    let events = [
        ("ann", "mug", View, 90),
        ("ann", "tea", Purchase, 91),
        ("bob", "mug", View, 92),
        ("bob", "pot", View, 93),
        ("cy", "pot", Purchase, 94),
        ("cy", "tea", Purchase, 94),
    ];
    let data = stocked(&["mug", "tea", "pot"], &events);
    let toy = |id| ItemRecord::new(id).category("category", "Toys").price(2.0).released(day(80));
    (data, catalog_of(&[toy("mug"), toy("tea"), toy("pot"), toy("kite").tag("tags", "new")]))
}

/// Asks in every way there is, and checks what holds for any answer.
fn ask_all_ways(snapshot: &Snapshot) {
    let long = "x".repeat(10_000);
    let known: Vec<String> =
        (0..snapshot.shelf().n_items()).map(|i| snapshot.item_id(ItemIdx::new(i as u32)).to_owned()).collect();
    let mut items: Vec<&str> = known.iter().map(String::as_str).collect();
    items.extend(["", long.as_str(), "ghost"]);
    let times = [Timestamp::MIN, Timestamp::from_millis(-1), Timestamp::default(), day(100), Timestamp::MAX];
    let session: Vec<SessionEvent<'_>> = items
        .iter()
        .flat_map(|item| times.map(|at| (item, at)))
        .zip([EventKind::View, EventKind::Purchase, EventKind::Rating, EventKind::Dislike].into_iter().cycle())
        .zip([f32::NAN, f32::INFINITY, -1.0, 0.0, f32::MAX, f32::MIN_POSITIVE].into_iter().cycle())
        .map(|(((item, at), kind), number)| {
            let mut event = SessionEvent::new(item, kind, at);
            event.quantity = number;
            event.value = Some(number);
            event
        })
        .collect();
    let mut ws = Workspace::default();
    for now in times {
        for user in [None, Some("ann"), Some("nobody"), Some(""), Some(long.as_str())] {
            for (k, offset) in
                [(0, 0), (0, usize::MAX), (10, 0), (usize::MAX, 0), (1, usize::MAX), (usize::MAX, usize::MAX), (3, 1)]
            {
                for rich in [false, true] {
                    let mut request = match user {
                        Some(user) => Request::profiled(consented(user), now),
                        None => Request::anonymous(now),
                    };
                    request = request.k(k).offset(offset);
                    if rich {
                        request = request.session(&session).basket(&items).exclude(&items[1..]).on_page_of(&long);
                    }
                    let list = snapshot.recommend_with(&request, &mut ws).unwrap();
                    assert_eq!(list, snapshot.recommend(&request).unwrap());
                    assert!(list.len() <= k.min(known.len()));
                    assert!(offset == 0 || offset == 1 || list.is_empty());
                    assert!(list.iter().all(|item| item.score().is_finite() && known.iter().any(|id| id == item.id())));
                    assert_eq!(
                        list.ignored().unknown_user,
                        user.is_some_and(|user| snapshot.dataset().user(user).is_none())
                    );
                    let given = snapshot.recommend_with(&request.candidates(&items), &mut ws).unwrap();
                    assert!(given.len() <= k.min(known.len()));
                }
            }
            let request = Request::anonymous(now).session(&session);
            for item in &items {
                let explained = snapshot.explain(&request, item).unwrap();
                assert_eq!(explained.fate == Fate::Unknown, !known.iter().any(|id| id == item));
            }
        }
    }
}

#[test]
fn an_empty_shop() {
    let mut builder = DatasetBuilder::default();
    assert_eq!(builder.ingest(Vec::<Event<'_>>::new()).unwrap().accepted, 0);
    let data = Arc::new(builder.finish().unwrap());
    let snapshot = full(&data, &catalog_of(&[]));
    ask_all_ways(&snapshot);
    assert_eq!(told(&snapshot, &anybody()), "");
    // Only a catalogue: it is shown in its order, as nobody has an opinion; the pin has its place.
    let records = ["kite", "mug", "pot"].map(|id| ItemRecord::new(id).category("category", "Home"));
    let snapshot = full(&data, &catalog_of(&records));
    ask_all_ways(&snapshot);
    let list = snapshot.recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["kite", "pot", "mug"]);
    assert_eq!(list.get(0).unwrap().placement(), Placement::Catalogue);
    // No scorer at all is a ranker too.
    assert_eq!(told(&serve(&data, &catalog_of(&records), Ranker::builder()), &anybody().k(2)), "kite mug");
}

#[test]
fn one_event_one_shopper_one_item() {
    for kind in [EventKind::View, EventKind::Purchase, EventKind::Dislike, EventKind::Impression, EventKind::Return] {
        let data = stocked(&[], &[("ann", "mug", kind, 90)]);
        for catalog in [catalog_of(&[]), catalog_of(&[ItemRecord::new("mug").category("category", "Toys")])] {
            let snapshot = full(&data, &catalog);
            ask_all_ways(&snapshot);
            assert_eq!(told(&snapshot, &anybody()), "mug");
            let ann = Request::profiled(consented("ann"), day(100));
            assert_eq!(told(&snapshot, &ann), if kind == EventKind::Purchase { "" } else { "mug" });
        }
    }
}

#[test]
fn a_small_shop_asked_in_every_way() {
    let (data, catalog) = some_shop();
    let snapshot = full(&data, &catalog);
    ask_all_ways(&snapshot);
    assert_eq!(snapshot.recommend(&anybody().k(usize::MAX)).unwrap().len(), 4);
    assert!(snapshot.recommend(&anybody().k(0)).unwrap().is_empty());
}

#[test]
fn a_catalogue_with_dates_at_the_ends_of_time() {
    let data = wares(&["a", "b", "c"]);
    let records = [
        ItemRecord::new("a").released(Timestamp::MIN).expires(Timestamp::MAX).price(f64::MAX),
        ItemRecord::new("b").released(Timestamp::MAX).price(f64::MIN_POSITIVE),
        ItemRecord::new("c").expires(Timestamp::MIN).price(0.0),
    ];
    let snapshot = full(&data, &catalog_of(&records));
    ask_all_ways(&snapshot);
    assert_eq!(told(&snapshot, &anybody()), "a");
    let rule = |from, until| Rule {
        from: Some(from),
        until: Some(until),
        ..Rule::new("r", Action::Pin { item: "c".into(), position: 0, filters: PinFilters::Override })
    };
    let always = serve(&data, &catalog_of(&[]), Ranker::builder().rule(rule(Timestamp::MIN, Timestamp::MAX)));
    assert_eq!(told(&always, &Request::anonymous(Timestamp::MIN)), "c a b");
    assert_eq!(told(&always, &Request::anonymous(Timestamp::MAX)), "a b c", "the end is not included");
}

/// The error's text, which must hold all of `parts`.
fn says<T: std::fmt::Debug, E: std::error::Error>(outcome: Result<T, E>, parts: &[&str]) {
    let text = outcome.unwrap_err().to_string();
    assert!(parts.iter().all(|part| text.contains(part)), "{text:?} lacks one of {parts:?}");
}

const NO_WEIGHTS: [f32; 4] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0];

#[test]
fn weights_that_are_none() {
    let data = wares(&["a"]);
    let one = || Scripted::new("one", &data, &[]).share();
    for bad in NO_WEIGHTS {
        let got = bad.to_string();
        let event = KindWeight { weight: bad, ..KindWeight::default() };
        let weights = EventWeights::default().with(EventKind::View, event);
        says(weights.check(), &["kinds[view].weight", &got, "a finite number from 0 to 1000000"]);
        for bad in [bad, 0.0] {
            let got = bad.to_string();
            let expected = [r#"weight of scorer "one""#, &got, "a finite number above 0, up to 1000000"];
            says(Ranker::builder().scorer(one(), bad).build(), &expected);
            says(Ranker::builder().scorer_scaled(one(), bad, Normalise::Rank).build(), &expected);
            let rrf = Ranker::builder().blend(Blend::ReciprocalRank { c: bad }).build();
            says(rrf, &["reciprocal_rank.c", &got, "a finite number above 0, up to 1000000"]);
            for action in [Action::Boost { items: Select::All, by: bad }, Action::Bury { items: Select::All, by: bad }]
            {
                let ranker = Ranker::builder().rule(Rule::new("sale", action)).build();
                says(ranker, &[r#"rule "sale""#, "by", &got, "a finite number above 0, up to 1000"]);
            }
            let band = Ranker::builder().prefer(Preference::PriceBand { width: bad }, 1.0).build();
            says(band, &["price_band.width", &got, "a finite number from 0.001 to 10"]);
        }
        let fresh = Preference::Fresh { half_life: Span::days(1) };
        let expected = [r#"weight of preference "fresh""#, &got, "a finite number from 0 to 1000"];
        says(Ranker::builder().prefer(fresh, bad).build(), &expected);
        let mmr = DiversityParams { strength: bad, ..DiversityParams::default() }.check();
        says(mmr, &["strength", &got, "a finite number from 0 to 1"]);
    }
    let never = Preference::Fresh { half_life: Span::ZERO };
    says(Ranker::builder().prefer(never, 1.0).build(), &["fresh.half_life", "0", "a span above zero"]);
    says(Ranker::builder().candidates(0).build(), &["candidates = 0", "a whole number from 1 to 1000000"]);
    says(Ranker::builder().history(0).build(), &["history = 0", "a whole number from 1 to 100000"]);
    says(Ranker::builder().history(usize::MAX).build(), &["history", "a whole number from 1 to 100000"]);
    says(CapParams { max: 0, ..CapParams::default() }.check(), &["max = 0", "a whole number from 1 to 1000"]);
}

/// The largest numbers an event may carry, faded to nothing: infinity times zero must not become a weight.
#[test]
fn the_largest_numbers_have_finite_weights() {
    let all = KindWeight {
        weight: 1e6,
        half_life: Some(Span::millis(1)),
        quantity: Transform::Above { neutral: -1e6 },
        value: Transform::Above { neutral: 0.0 },
    };
    let weights = EventWeights::default().with(EventKind::Rating, all).check().unwrap();
    for (value, later) in [(f32::MAX, 0), (f32::MAX, 1_000_000), (f32::MIN, 1_000_000), (0.0, 0)] {
        let now = Timestamp::from_millis(later);
        let weight = weights.of(EventKind::Rating, f32::MAX, Some(value), Timestamp::default(), now);
        assert!(weight.is_finite(), "{value} after {later} weighs {weight}");
    }
    let mut builder = DatasetBuilder::new(Lineage::new(7)).weights(weights);
    for (user, at) in [("ann", 1), ("ann", 2), ("bob", 90)] {
        let event = Event::new(Shopper::Profiled(consented(user)), "mug", EventKind::Rating, day(at));
        builder.push(&event.quantity(f32::MAX).value(f32::MAX)).unwrap();
    }
    let data = Arc::new(builder.finish().unwrap());
    ask_all_ways(&full(&data, &catalog_of(&[ItemRecord::new("mug").price(2.0)])));
}

#[test]
fn rules_that_cannot_be_meant() {
    let rule = |action| Ranker::builder().rule(Rule::new("r", action)).build();
    let pin = |item: &str, position| Action::Pin { item: item.into(), position, filters: PinFilters::Respect };
    let cap = |max| Action::Cap { attribute: "category".into(), max, when_short: WhenShort::Strict };
    says(rule(pin("", 0)), &[r#"rule "r""#, "item", "an item id"]);
    says(rule(pin("a", 10_000)), &["position = 10000", "a place from 0 to 9999"]);
    says(rule(cap(0)), &[r#"rule "r""#, "max = 0", "a whole number from 1 to 1000"]);
    says(rule(cap(1001)), &["max = 1001", "a whole number from 1 to 1000"]);
    let slot = |items| Action::Slot { position: 0, items };
    let none: [&str; 0] = [];
    says(rule(slot(Select::items(none))), &[r#"rule "r""#, "`items` lists no values", "list at least one"]);
    says(rule(slot(Select::Price { min: Some(f64::NAN), max: None })), &["`price` is NaN", "give a number"]);
    let twisted = Select::Price { min: Some(2.0), max: Some(1.0) };
    says(rule(Action::Boost { items: twisted.clone(), by: 1.0 }), &["min 2 > max 1", "swap them"]);
    says(Ranker::builder().only(twisted).build(), &["min 2 > max 1", "swap them"]);

    let times = |from, until| {
        Ranker::builder()
            .rule(Rule { from: Some(day(from)), until: Some(day(until)), ..Rule::new("r", pin("a", 0)) })
            .build()
    };
    says(times(5, 4), &[r#"rule "r""#, "until = 345600000", "a time after from"]);
    says(times(5, 5), &["a time after from"]);
    says(Ranker::builder().rule(Rule::new("", pin("a", 0))).build(), &["id", "a name"]);
    let twice = Ranker::builder().rule(Rule::new("r", pin("a", 0))).rule(Rule::new("r", pin("b", 1))).build();
    says(twice, &[r#"rule id "r" is used twice"#, "one of its own"]);
}

#[test]
fn long_lists_and_a_cap_that_nearly_everything_hits() {
    let ids: Vec<String> = (0..20_000).map(|i| format!("i{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let data = wares(&ids);
    let records: Vec<ItemRecord<'_>> = ids.iter().map(|id| ItemRecord::new(*id).category("category", "Toys")).collect();
    let scores: Vec<(&str, f32)> = ids.iter().map(|id| (*id, 1.0)).collect();
    let one = || Scripted::new("one", &data, &scores).share();
    let cap = CapParams { max: 2, ..CapParams::default() }.check().unwrap();
    let ranker = as_is().scorer(one(), 1.0).fallback(one()).fallback(one()).rerank(cap);
    let snapshot = serve(&data, &catalog_of(&records), ranker);
    let all_but_last = snapshot.recommend(&anybody().exclude(&ids[..19_999])).unwrap();
    assert_eq!(all_but_last.ids().collect::<Vec<_>>(), ["i19999"]);
    let full_basket = snapshot.recommend(&anybody().basket(&ids).candidates(&ids).k(2)).unwrap();
    assert_eq!(full_basket.ids().collect::<Vec<_>>(), ["i0", "i1"]);
    // A cap nearly everything hits: the whole catalogue is held back, and comes back in order.
    let list = snapshot.recommend(&anybody().k(usize::MAX)).unwrap();
    assert_eq!(list.len(), 20_000);
    assert!(list.iter().is_sorted_by_key(|item| item.item()));
}

#[test]
fn models_of_no_factors_are_refused() {
    says(AlsParams { factors: 0, ..AlsParams::default() }.check(), &["factors = 0", "a whole number from 1"]);
    says(BprParams { factors: 0, ..BprParams::default() }.check(), &["factors = 0", "a whole number from 1"]);
    says(PureSvdParams { factors: 0, ..PureSvdParams::default() }.check(), &["factors = 0", "a whole number from 1"]);
}

/// Cancelled before the first step: no model, whatever is fitted.
#[test]
fn a_cancelled_fit_is_no_model() {
    let (data, catalog) = some_shop();
    let shelf = Shelf::new(&data, catalog);
    let train = TrainingSet::with_shelf(&data, &shelf);
    let recipes: [Box<dyn DynFit>; 9] = [
        Box::new(PopularityParams::default().check().unwrap()),
        Box::new(CoOccurrenceParams::co_view().check().unwrap()),
        Box::new(CrossOccurrenceParams::default().check().unwrap()),
        Box::new(FrequentlyBoughtTogetherParams::default().check().unwrap()),
        Box::new(AlsParams { factors: 4, ..AlsParams::default() }.check().unwrap()),
        Box::new(BprParams { factors: 4, ..BprParams::default() }.check().unwrap()),
        Box::new(SessionKnnParams::vmis().check().unwrap()),
        Box::new(ItemKnnParams::default().check().unwrap()),
        Box::new(UserKnnParams::default().check().unwrap()),
    ];
    let cancel = std::sync::atomic::AtomicBool::new(true);
    for threads in [Parallelism::Serial, Parallelism::Pool] {
        let run = Run::new(3).threads(threads).cancel(&cancel);
        for (n, recipe) in recipes.iter().enumerate() {
            let outcome = recipe.fit_dyn(&train, &run);
            assert!(matches!(outcome, Err(FitError::Cancelled(Cancelled))), "recipe {n}: {outcome:?}");
        }
    }
}

/// A shopper who has everything: every scorer answers, and nothing is left to propose.
#[test]
fn a_shopper_who_has_every_item() {
    let items: Vec<String> = (0..60).map(|n| format!("i{n}")).collect();
    let ids: Vec<&str> = items.iter().map(String::as_str).collect();
    let mut events: Vec<(&str, &str, EventKind, i64)> =
        ids.iter().map(|&id| ("ann", id, EventKind::Purchase, 90)).collect();
    events.extend(ids.iter().step_by(2).map(|&id| ("bob", id, EventKind::View, 91)));
    let data = stocked(&ids, &events);
    let catalog = catalog_of(&ids.iter().map(|id| ItemRecord::new(*id)).collect::<Vec<_>>());
    for scorer in all_scorers(&data, &catalog) {
        let bought = Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None };
        let snapshot = serve(&data, &catalog, Ranker::builder().scorer(scorer, 1.0).filter(bought));
        assert!(snapshot.recommend(&Request::profiled(consented("ann"), day(100))).unwrap().is_empty());
        let bob = snapshot.recommend(&Request::profiled(consented("bob"), day(100)).k(usize::MAX)).unwrap();
        assert_eq!(bob.len(), 60);
    }
}
