//! Blends, filters, re-ranks, preferences and fallbacks: by hand, and against a slow twin.

use crate::common::*;
use likewise::*;
use proptest::prelude::*;

fn weighted(normalise: Normalise, missing: Missing) -> Blend {
    Blend::WeightedSum { normalise, missing }
}

/// `one` knows a and b, `two` (weighing double) knows b and c.
fn two_voices(blend: Blend) -> (String, Vec<f32>) {
    let data = wares(&["a", "b", "c"]);
    let one = Scripted::new("one", &data, &[("a", 4.0), ("b", 2.0)]).share();
    let two = Scripted::new("two", &data, &[("b", 10.0), ("c", 30.0)]).share();
    let snapshot = serve(&data, &catalog_of(&[]), Ranker::builder().blend(blend).scorer(one, 1.0).scorer(two, 2.0));
    (told(&snapshot, &anybody()), scores_of(&snapshot.recommend(&anybody()).unwrap()))
}

#[test]
fn blends_by_hand() {
    use Missing::{Mean, Nothing, Redistribute};
    let told = |blend| two_voices(blend);
    assert_eq!(told(weighted(Normalise::MinMax, Nothing)), ("c a b".into(), vec![2.0, 1.0, 0.0]));
    assert_eq!(told(weighted(Normalise::MinMax, Mean)), ("c a b".into(), vec![2.5, 2.0, 0.0]));
    assert_eq!(told(weighted(Normalise::MinMax, Redistribute)), ("a c b".into(), vec![3.0, 3.0, 0.0]));
    assert_eq!(told(weighted(Normalise::AsIs, Nothing)), ("c b a".into(), vec![60.0, 22.0, 4.0]));
    assert_eq!(told(weighted(Normalise::ZScore, Nothing)), ("c a b".into(), vec![2.0, 1.0, -3.0]));
    assert_eq!(told(weighted(Normalise::Rank, Nothing)), ("c b a".into(), vec![2.0, 1.5, 1.0]));
    assert_eq!(told(weighted(Normalise::Quantile, Nothing)), ("c a b".into(), vec![1.5, 0.75, 0.75]));
    // 1/2; 1/3 + 2/3; 2/2.
    assert_eq!(told(Blend::ReciprocalRank { c: 1.0 }), ("b c a".into(), vec![1.0, 1.0, 0.5]));
}

#[test]
fn a_scorer_may_have_a_scale_of_its_own() {
    let data = wares(&["a", "b"]);
    let one = Scripted::new("one", &data, &[("a", 4.0), ("b", 2.0)]).share();
    let two = Scripted::new("two", &data, &[("a", 0.5), ("b", 0.75)]).share();
    let ranker = Ranker::builder().scorer(one, 1.0).scorer_scaled(two, 2.0, Normalise::AsIs);
    let list = serve(&data, &catalog_of(&[]), ranker).recommend(&anybody()).unwrap();
    assert_eq!(scores_of(&list), [2.0, 1.5]);
    let parts: Vec<(Source, f32)> = list.get(0).unwrap().contributions().iter().map(|c| (c.source, c.value)).collect();
    assert_eq!(parts, [(Source::Scorer(0), 1.0), (Source::Scorer(1), 1.0)]);
    assert_eq!(list.get(1).unwrap().contributions().len(), 1, "what adds nothing is not listed");
}

/// The lightest and the heaviest weight together: the factor of 10^44 must not make infinity times zero.
#[test]
fn redistribution_stays_finite_under_any_weights() {
    let data = wares(&["a", "b", "c"]);
    let light = Scripted::new("light", &data, &[("a", 0.0), ("b", 7.0)]).share();
    let heavy = Scripted::new("heavy", &data, &[("c", 1.0)]).share();
    let ranker = Ranker::builder()
        .blend(weighted(Normalise::MinMax, Missing::Redistribute))
        .scorer(light, f32::MIN_POSITIVE)
        .scorer(heavy, 1e6);
    let list = serve(&data, &catalog_of(&[]), ranker).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["b", "c", "a"]);
    assert_eq!(scores_of(&list)[1..], [1e6, 0.0]);
    assert!((list.get(0).unwrap().score() / 1e6 - 1.0).abs() < 1e-6);
}

/// Shows everything the filters leave, in the order of the ids.
fn filtered(data: &std::sync::Arc<Dataset>, records: &[ItemRecord<'_>], filter: impl Filter) -> Snapshot {
    serve(data, &catalog_of(records), Ranker::builder().filter(filter))
}

#[test]
fn seen_has_a_window_and_forgives_returns() {
    use EventKind::{Purchase, Return, View};
    let done = [
        ("ann", "a", Purchase, 50),
        ("ann", "b", Purchase, 80),
        ("ann", "c", View, 90),
        ("ann", "d", Purchase, 90),
        ("ann", "d", Return, 95),
        ("ann", "e", Purchase, 99),
    ];
    let data = stocked(&["a", "b", "c", "d", "e", "f"], &done);
    let bought = KindSet::of(&[Purchase]);
    let seen = |again_after| filtered(&data, &[], Seen { kinds: bought, again_after });
    let ann = |now| Request::profiled(consented("ann"), day(now));
    assert_eq!(told(&seen(None), &ann(100)), "c d f");
    assert_eq!(told(&seen(None), &anybody()), "a b c d e f");
    assert_eq!(told(&seen(None), &ann(60)), "b c d e f", "what is later than the request has not happened");
    assert_eq!(told(&seen(Some(Span::days(20))), &ann(100)), "a b c d f", "the window's end is open");
    assert_eq!(told(&seen(Some(Span::days(21))), &ann(100)), "a c d f");
    assert_eq!(told(&seen(Some(Span::ZERO)), &ann(100)), "a b c d e f");
    // The session counts too, a time to come as now; of other kinds, nothing.
    let session = [SessionEvent::new("f", Purchase, day(500)), SessionEvent::new("c", View, day(100))];
    assert_eq!(told(&seen(Some(Span::days(2))), &ann(100).session(&session)), "a b c d");
}

#[test]
fn filters_look_at_all_scorers_at_the_latest() {
    let data = wares(&["a", "b", "c", "d"]);
    let seen = Seen { kinds: KindSet::of(&[EventKind::View]), again_after: None };
    let snapshot = serve(&data, &catalog_of(&[]), Ranker::builder().filter(seen).history(1));
    let session = ["a", "b", "c"].map(|id| SessionEvent::new(id, EventKind::View, day(99)));
    assert_eq!(told(&snapshot, &anybody().session(&session)), "d");
}

#[test]
fn only_what_can_be_sold_now() {
    let data = wares(&["a", "b", "c", "d", "e"]);
    let records = [
        ItemRecord::new("a").stock(0),
        ItemRecord::new("b").released(day(100)),
        ItemRecord::new("c").expires(day(100)),
        ItemRecord::new("d").stock(1),
    ];
    let snapshot = filtered(&data, &records, Available);
    assert_eq!(told(&snapshot, &anybody()), "b d e", "e is in no catalogue: nothing speaks against it");
    assert_eq!(told(&snapshot, &Request::anonymous(day(99))), "c d e");
}

#[test]
fn basket_closures_and_expressions() {
    let data = wares(&["a", "b", "c", "d"]);
    let basket = ["b", "nothing", "b"];
    let snapshot = filtered(&data, &[], NotInBasket);
    assert_eq!(told(&snapshot, &anybody().basket(&basket)), "a c d");
    assert_eq!(snapshot.recommend(&anybody().basket(&basket)).unwrap().ignored().unknown_items, 1);
    let odd = FilterFn::new("odd", |_: &Context<'_>, item: ItemIdx| item.get() % 2 == 1);
    assert_eq!(told(&filtered(&data, &[], odd), &anybody()), "b d");

    let tagged =
        ["a", "b", "c"].map(|id| ItemRecord::new(id).tag("tags", "new").price(if id == "b" { 9.0 } else { 1.0 }));
    let snapshot = serve(&data, &catalog_of(&tagged), Ranker::builder().only(Select::within("tags", ["new"])));
    let cheap = Select::Price { min: None, max: Some(5.0) };
    assert_eq!(told(&snapshot, &anybody()), "a b c");
    assert_eq!(told(&snapshot, &anybody().only(&cheap)), "a c");
    assert_eq!(told(&snapshot, &anybody()), "a b c", "the request's own expression ends with it");
    assert_eq!(told(&snapshot, &anybody().only(&cheap).exclude(&["a"]).on_page_of("c")), "");
}

#[test]
fn given_candidates_are_kept_all_and_nothing_else_comes() {
    let data = wares(&["a", "b", "c", "d"]);
    let one = || Scripted::new("one", &data, &[("a", 1.0), ("b", 3.0), ("d", 9.0)]).share();
    let snapshot = serve(&data, &catalog_of(&[]), as_is().scorer(one(), 1.0).fallback(one()));
    let request = anybody().candidates(&["c", "a", "b", "a", "nothing"]);
    let list = snapshot.recommend(&request).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["b", "a", "c"], "c has no opinion for it and is kept");
    assert_eq!((list.ignored().unknown_items, list.stages().len()), (1, 0));
    assert_eq!(told(&snapshot, &anybody().candidates(&[])), "", "an empty search result stays empty");
}

fn diverse(strength: f32, alike: Alike) -> Checked<DiversityParams> {
    DiversityParams { strength, alike }.check().unwrap()
}

fn cap(attribute: &str, max: usize, when_short: WhenShort) -> Checked<CapParams> {
    CapParams { attribute: attribute.into(), max, when_short }.check().unwrap()
}

#[test]
fn marginal_relevance_by_hand() {
    let data = wares(&["a", "b", "c", "d"]);
    let home = |id| ItemRecord::new(id).category("category", "Home");
    let records =
        [home("a"), home("b"), ItemRecord::new("c").category("category", "Home > Kitchen"), ItemRecord::new("d")];
    let list = |strength| {
        let one = Scripted::new("one", &data, &[("a", 1.0), ("b", 0.9), ("c", 0.8), ("d", 0.3)]).share();
        let ranker = as_is().scorer(one, 1.0).rerank(diverse(strength, Alike::Attribute("category".into())));
        serve(&data, &catalog_of(&records), ranker).recommend(&anybody()).unwrap()
    };
    // After a: b .45 - .5, c .4 - .25 (half of the path is shared), d .15. A tie: c, the lower number. Then d.
    let half = list(0.5);
    assert_eq!(half.ids().collect::<Vec<_>>(), ["a", "c", "d", "b"]);
    assert_eq!(scores_of(&half), [1.0, 0.8, 0.3, 0.9], "the score stays what the blend made it");
    assert_eq!(list(0.0).ids().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert_eq!(list(1.0).ids().collect::<Vec<_>>(), ["a", "d", "c", "b"]);
}

/// A likeness outside of -1..=1, or none at all, neither hides an item nor decides more than it may.
#[test]
fn strange_likenesses_are_held_to_their_range() {
    let data = wares(&["a", "b", "c", "d"]);
    let one = Scripted::new("one", &data, &[("a", 1.0), ("b", 0.9), ("c", 0.8), ("d", 0.7)]);
    let one = one.alike(0, 1, f32::INFINITY).alike(0, 2, f32::NAN).alike(0, 3, f32::NEG_INFINITY).share();
    let ranker = as_is().scorer(one, 1.0).rerank(diverse(0.5, Alike::Scorer("one".into())));
    let list = serve(&data, &catalog_of(&[]), ranker).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["a", "c", "d", "b"]);
    assert!(list.iter().all(|item| item.placement() == Placement::Ranked));
}

#[test]
fn caps_count_values_strict_or_relaxed() {
    let data = wares(&["a", "b", "c", "d", "e"]);
    let (red, blue) = (["red"].as_slice(), ["blue", "red"].as_slice());
    let tags = [("a", red), ("b", blue), ("c", red), ("d", &["blue"]), ("e", &[])];
    let records = tags.map(|(id, tags)| {
        let home = ItemRecord::new(id).category("category", if id < "d" { "Home > Kitchen" } else { "Home" });
        tags.iter().fold(home, |record, tag| record.tag("tags", *tag))
    });
    let list = |rerank| {
        let scores = [("a", 5.0), ("b", 4.0), ("c", 3.0), ("d", 2.0), ("e", 1.0)];
        let ranker = as_is().scorer(Scripted::new("one", &data, &scores).share(), 1.0).rerank(rerank);
        serve(&data, &catalog_of(&records), ranker).recommend(&anybody()).unwrap()
    };
    let ids = |list: &Recommendations| list.ids().collect::<Vec<_>>().join(" ");
    // A path counts by its leaf: Home > Kitchen fills up, Home does not.
    assert_eq!(ids(&list(cap("category", 2, WhenShort::Strict))), "a b d e");
    // With tags every value counts: b is blue and red, so d is one blue too many.
    assert_eq!(ids(&list(cap("tags", 1, WhenShort::Strict))), "a d e");
    assert_eq!(ids(&list(cap("tags", 2, WhenShort::Strict))), "a b d e");
    let relaxed = list(cap("tags", 1, WhenShort::Relax));
    assert_eq!(ids(&relaxed), "a d e b c");
    let placements: Vec<_> = relaxed.iter().map(|item| item.placement()).collect();
    assert_eq!(placements[2..], [Placement::Ranked, Placement::Relaxed, Placement::Relaxed]);
}

/// What one cap would let come back at the end, another may still refuse.
#[test]
fn a_relaxed_cap_does_not_open_a_strict_one() {
    let data = wares(&["a", "b", "c"]);
    let records = ["a", "b", "c"].map(|id| ItemRecord::new(id).category("category", "Home").tag("tags", "red"));
    let scores = [("a", 3.0), ("b", 2.0), ("c", 1.0)];
    let one = || Scripted::new("one", &data, &scores).share();
    let (relax, strict) = (|| cap("tags", 1, WhenShort::Relax), || cap("category", 2, WhenShort::Strict));
    for ranker in [as_is().rerank(relax()).rerank(strict()), as_is().rerank(strict()).rerank(relax())] {
        assert_eq!(told(&serve(&data, &catalog_of(&records), ranker.scorer(one(), 1.0)), &anybody()), "a b");
    }
    // The same where the items come from a fallback, and from the catalogue.
    let ranker = as_is().rerank(relax()).rerank(strict());
    assert_eq!(told(&serve(&data, &catalog_of(&records), ranker.fallback(one())), &anybody()), "a b");
    let ranker = as_is().rerank(relax()).rerank(strict());
    assert_eq!(told(&serve(&data, &catalog_of(&records), ranker), &anybody()), "a b");
}

#[test]
fn preferences_by_hand() {
    let data = stocked(&["a", "b", "c", "d"], &[("ann", "a", EventKind::View, 50), ("ann", "b", EventKind::View, 60)]);
    let records = [
        ItemRecord::new("a").price(10.0).released(day(100)),
        ItemRecord::new("b").price(40.0).released(day(93)),
        ItemRecord::new("c").price(20.0).released(day(101)),
        ItemRecord::new("d"),
    ];
    let scores = [("a", 0.0), ("b", 0.0), ("c", 0.0), ("d", 0.0)];
    let list = |preference, request: Request<'_>| {
        let one = Scripted::new("one", &data, &scores).share();
        let ranker = as_is().scorer(one, 1.0).prefer(preference, 2.0);
        let list = serve(&data, &catalog_of(&records), ranker).recommend(&request).unwrap();
        list.iter().map(|item| (item.id().to_owned(), item.score())).collect::<Vec<_>>()
    };
    let by = |pairs: [(&str, f32); 4]| pairs.map(|(id, score)| (id.to_owned(), score)).to_vec();
    // Out today: 2; a half-life old: 1; not out yet and undated: 0.
    let fresh = list(Preference::Fresh { half_life: Span::days(7) }, anybody());
    assert_eq!(fresh, by([("a", 2.0), ("b", 1.0), ("c", 0.0), ("d", 0.0)]));
    // The geometric mean of 10 and 40 is 20; 10 and 40 are one width of ln 2 away.
    let band = Preference::PriceBand { width: std::f32::consts::LN_2 };
    let dear = list(band, Request::profiled(consented("ann"), day(100)));
    let away = 2.0 * (-0.5f64).exp() as f32;
    assert_eq!((dear[0].clone(), dear[3].clone()), (("c".to_owned(), 2.0), ("d".to_owned(), 0.0)));
    assert!(dear[1..3].iter().all(|(_, score)| (score - away).abs() < 1e-5), "{dear:?}");
    assert_eq!(list(band, anybody()), by([("a", 0.0), ("b", 0.0), ("c", 0.0), ("d", 0.0)]));
}

#[test]
fn fallbacks_come_in_order_and_show() {
    let data = wares(&["a", "b", "c", "d", "e"]);
    let one = Scripted::new("one", &data, &[("e", 1.0)]).share();
    let first = Scripted::new("first", &data, &[("e", 9.0), ("c", 2.0), ("d", 1.0)]).proposing([4, 2, 3, 77]).share();
    let second = Scripted::new("second", &data, &[("c", 8.0), ("b", 7.0)]).share();
    let ranker = as_is().scorer(one, 1.0).fallback(first).fallback(second).candidates(3);
    let snapshot = serve(&data, &catalog_of(&[]), ranker);
    let list = snapshot.recommend(&anybody()).unwrap();
    let told: Vec<_> = list.iter().map(|item| (item.id(), item.score(), item.placement())).collect();
    let expected = [
        ("e", 1.0, Placement::Ranked),
        ("c", 2.0, Placement::Fallback(0)),
        ("d", 1.0, Placement::Fallback(0)),
        ("b", 7.0, Placement::Fallback(1)),
        ("a", 0.0, Placement::Catalogue),
    ];
    assert_eq!(told, expected);
    let stages: Vec<_> = list.stages().iter().map(|s| (s.stage, s.new, s.unknown)).collect();
    let expected =
        [(Stage::Scorer(0), 1, 0), (Stage::Fallback(0), 2, 1), (Stage::Fallback(1), 2, 0), (Stage::Catalogue, 1, 0)];
    assert_eq!(stages, expected);
    assert_eq!(list.stages()[0].asked, 3);
    assert_eq!(list.get(3).unwrap().contributions()[0].source, Source::Fallback(1));
    // Nobody is asked without need.
    assert_eq!(snapshot.recommend(&anybody().k(1)).unwrap().stages().len(), 1);
    assert_eq!(snapshot.recommend(&anybody().k(3)).unwrap().stages().len(), 2);
}

/// Proposes other items for another limit: against the law, but pages must still be cuts out of one list.
#[derive(Debug)]
struct Fickle(Extent);

impl Scorer for Fickle {
    fn name(&self) -> &str {
        "fickle"
    }
    fn extent(&self) -> Extent {
        self.0
    }
    fn score(&self, _: &Context<'_>, _: &mut Scores<'_>, _: &mut Workspace) {}
    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        let n = self.0.n_items;
        out.extend((0..n).map(|i| ItemIdx::new(((i * 7 + limit) % n) as u32)), limit);
    }
}

#[test]
fn pages_fit_together_whatever_a_fallback_makes_of_its_limit() {
    let ids: Vec<String> = (0..300).map(|i| format!("i{i}")).collect();
    let data = wares(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let ranker = as_is()
        .fallback(std::sync::Arc::new(Fickle(data.extent())))
        .fallback(std::sync::Arc::new(Fickle(data.extent())));
    let snapshot = serve(&data, &catalog_of(&[]), ranker);
    let whole = told(&snapshot, &anybody().k(usize::MAX));
    let pages: Vec<String> = (0..30).map(|p| told(&snapshot, &anybody().k(10).offset(10 * p))).collect();
    assert_eq!(pages.join(" "), whole);
    let mut all: Vec<&str> = whole.split(' ').collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 300, "every item once");
}

/// The slow twin of the greedy filling: at every place, all that is left is looked at anew.
struct Twin<'t> {
    scores: &'t [f32],
    categories: &'t [usize],
    alike: &'t [Vec<f32>],
    strength: f32,
    cap: Option<(usize, WhenShort)>,
}

impl Twin<'_> {
    fn value(&self, item: usize, chosen: &[usize]) -> Option<f32> {
        let capped = self.cap.is_some_and(|(max, _)| {
            chosen.iter().filter(|&&c| self.categories[c] == self.categories[item]).count() >= max
        });
        let nearest = chosen.iter().map(|&c| self.alike[item.min(c)][item.max(c)]).fold(0.0, f32::max);
        (!capped).then_some((1.0 - self.strength) * self.scores[item] - self.strength * nearest + 0.0)
    }

    fn list(&self) -> Vec<usize> {
        let mut left: Vec<usize> = (0..self.scores.len()).collect();
        let mut chosen = Vec::new();
        loop {
            let worth = left.iter().filter_map(|&i| Some((i, self.value(i, &chosen)?)));
            let best = worth.reduce(|a, b| if b.1 > a.1 { b } else { a });
            let Some((item, _)) = best else { break };
            chosen.push(item);
            left.retain(|&i| i != item);
        }
        if self.cap.is_some_and(|(_, when_short)| when_short == WhenShort::Relax) {
            left.sort_by(|&a, &b| self.scores[b].total_cmp(&self.scores[a]).then(a.cmp(&b)));
            chosen.extend(left);
        }
        chosen
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_lazy_greedy_is_the_full_greedy(
        wares_of in prop::collection::vec((-4i8..8, 0..4usize), 1..24),
        likeness in prop::collection::vec(-2i8..=8, 24 * 24),
        strength in prop_oneof![Just(0.0f32), Just(1.0), 0f32..=1.0],
        cap_at in prop::option::of((1..4usize, prop_oneof![Just(WhenShort::Relax), Just(WhenShort::Strict)])),
        cap_first in any::<bool>(),
    ) {
        // Eighths: ties are frequent.
        let scores: Vec<f32> = wares_of.iter().map(|&(score, _)| f32::from(score) / 8.0).collect();
        let categories: Vec<usize> = wares_of.iter().map(|&(_, category)| category).collect();
        let alike: Vec<Vec<f32>> = likeness.chunks(24).map(|row| row.iter().map(|&l| f32::from(l) / 8.0).collect()).collect();
        let ids: Vec<String> = (0..scores.len()).map(|i| format!("i{i}")).collect();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let data = wares(&names);
        let script: Vec<(&str, f32)> = names.iter().copied().zip(scores.iter().copied()).collect();
        let mut one = Scripted::new("one", &data, &script);
        for (a, row) in alike.iter().enumerate().take(names.len()) {
            for (b, &how) in row.iter().enumerate().take(names.len()).skip(a + 1) {
                one = one.alike(a as u32, b as u32, how);
            }
        }
        let records: Vec<ItemRecord<'_>> =
            names.iter().zip(&categories).map(|(id, c)| ItemRecord::new(*id).category("category", format!("c{c}"))).collect();
        let mmr = diverse(strength, Alike::Scorer("one".into()));
        let mut ranker = as_is().scorer(one.share(), 1.0);
        let capped = cap_at.map(|(max, when_short)| cap("category", max, when_short));
        ranker = match (capped, cap_first) {
            (None, _) => ranker.rerank(mmr),
            (Some(capped), true) => ranker.rerank(capped).rerank(mmr),
            (Some(capped), false) => ranker.rerank(mmr).rerank(capped),
        };
        let list = serve(&data, &catalog_of(&records), ranker).recommend(&anybody().k(50)).unwrap();
        let listed: Vec<usize> = list.iter().map(|item| item.item().as_usize()).collect();
        let twin = Twin { scores: &scores, categories: &categories, alike: &alike, strength, cap: cap_at };
        prop_assert_eq!(listed, twin.list());
    }
}
