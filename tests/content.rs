//! Content scorers against slow twins in `f64`, by hand, over later catalogues, and hostile input.

use std::collections::BTreeMap;
use std::sync::Arc;

use approx::assert_relative_eq;
use likewise::testing::{check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

use crate::common::{day, world};

type Words = BTreeMap<String, f64>;

#[derive(Clone, Debug)]
struct Ware {
    tags: Vec<u8>,
    title: Vec<u8>,
    number: Option<u8>,
}

const WORDS: [&str; 5] = ["red", "Blue", "mug", "cup", "élan"];

fn ware() -> impl Strategy<Value = Ware> {
    (prop::collection::vec(0u8..5, 0..4), prop::collection::vec(0u8..5, 0..5), prop::option::of(0u8..10))
        .prop_map(|(tags, title, number)| Ware { tags, title, number })
}

impl Ware {
    fn record(&self, item: usize) -> ItemRecord<'static> {
        let record = ItemRecord::new(format!("i{item}"));
        let record = self.tags.iter().fold(record, |record, tag| record.tag("tag", format!("t{tag}")));
        let title: Vec<&str> = self.title.iter().map(|&w| WORDS[w as usize]).collect();
        let record = record.text("title", title.join(", "));
        self.number.map_or(record.clone(), |n| record.number("size", n.into()))
    }
}

fn builder() -> CatalogBuilder {
    let kinds = [("tag", AttributeKind::Tags), ("title", AttributeKind::Text), ("size", AttributeKind::Number)];
    kinds.into_iter().fold(CatalogBuilder::default(), |b, (name, kind)| b.attribute(name, kind).unwrap())
}

fn catalog(wares: &[Ware]) -> Catalog {
    let mut builder = builder();
    wares.iter().enumerate().for_each(|(item, ware)| builder.add(&ware.record(item)).unwrap());
    builder.build()
}

/// Events of shopper on item; items are numbered up to the largest that has one.
fn dataset(events: &[(u8, u8)]) -> Dataset {
    let mut builder = DatasetBuilder::new(Lineage::new(1));
    let n = events.iter().map(|e| e.1 + 1).max().unwrap_or(0);
    let keys: Vec<String> = (0..n).map(|i| format!("i{i}")).collect();
    builder.items(keys.iter().map(String::as_str)).unwrap();
    for &(user, item) in events {
        let (user, item) = (format!("u{user}"), format!("i{item}"));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        builder.push(&Event::new(who, &item, EventKind::View, day(1))).unwrap();
    }
    builder.finish().unwrap()
}

fn session(data: &Dataset, shelf: &Shelf, items: &[u8]) -> Vec<Touch> {
    let item = |i: &u8| shelf.item(data, &format!("i{i}"));
    let touch = |item| Touch { item, kind: EventKind::View, at: day(2), weight: 1.0 };
    items.iter().filter_map(item).map(touch).collect()
}

fn context<'a>(data: &'a Dataset, shelf: &'a Shelf, history: &'a [Touch]) -> Context<'a> {
    let mut cx = Context::new(data, shelf, day(2));
    (cx.history, cx.session_len) = (history, history.len());
    cx
}

/// Distinct items, newest first, each with its vote.
fn votes(items: &[u8], n: usize, half_life: f64) -> Vec<(usize, f64)> {
    let mut distinct: Vec<usize> = Vec::new();
    for &item in items {
        if usize::from(item) < n && !distinct.contains(&item.into()) {
            distinct.push(item.into());
        }
    }
    distinct.into_iter().enumerate().map(|(place, item)| (item, (-(place as f64) / half_life).exp2())).collect()
}

/// TF-IDF vectors by their definition: each attribute's part of one length, the whole of length 1.
fn vectors(wares: &[Ware], idf: f64, attributes: &[(&str, f64)]) -> Vec<Words> {
    let values = |ware: &Ware, attribute: &str| -> Words {
        let mut counts = Words::new();
        let mut add = |value: String| *counts.entry(value).or_insert(0.0) += 1.0;
        match attribute {
            "tag" => {
                let mut tags = ware.tags.clone();
                tags.sort_unstable();
                tags.dedup();
                tags.iter().for_each(|t| add(format!("tag {t}")));
            }
            _ => ware.title.iter().for_each(|w| add(format!("word {w}"))),
        }
        counts
    };
    let holders = |value: &str| {
        let has = |ware: &&Ware| attributes.iter().any(|(a, _)| values(ware, a).contains_key(value));
        wares.iter().filter(has).count() as f64
    };
    let known = |value: &str| !value.starts_with("word") || holders(value) > 1.0;
    let part = |ware: &Ware, attribute: &str| -> Words {
        values(ware, attribute).into_iter().filter(|(value, _)| known(value)).collect()
    };
    let n = wares.iter().filter(|w| attributes.iter().any(|(a, _)| !part(w, a).is_empty())).count() as f64;
    let scaled = |v: Words, length: f64| -> Words {
        let norm = v.values().map(|w| w * w).sum::<f64>().sqrt();
        v.into_iter().map(|(value, w)| (value, w * length / norm)).collect()
    };
    let vector = |ware: &Ware| {
        let parts = attributes.iter().flat_map(|(attribute, weight)| {
            let weigh = |(value, count): (String, f64)| {
                let w = (1.0 + count.ln()) * (1.0 + n / holders(&value)).ln().powf(idf);
                (value, w)
            };
            scaled(part(ware, attribute).into_iter().map(weigh).collect(), weight.sqrt())
        });
        scaled(parts.collect(), 1.0)
    };
    wares.iter().map(vector).collect()
}

fn product(a: &Words, b: &Words) -> f64 {
    a.iter().filter_map(|(value, w)| b.get(value).map(|v| w * v)).sum()
}

fn shares(a: &Words, b: &Words) -> bool {
    a.keys().any(|value| b.contains_key(value))
}

fn all_items(shelf: &Shelf) -> Vec<ItemIdx> {
    (0..shelf.n_items() as u32).map(ItemIdx::new).collect()
}

/// Proposals are all items with an opinion, in the one order.
fn proposes_its_scores(model: &dyn Scorer, cx: &Context<'_>) {
    let items = all_items(cx.shelf);
    let scored = items.iter().zip(opinions(model, cx, &items));
    let mut list: Vec<Scored> = scored.filter_map(|(&item, s)| s.map(|score| Scored { item, score })).collect();
    list.sort_by(Scored::order);
    assert_eq!(proposals(model, cx, 1000), list.iter().map(|s| s.item).collect::<Vec<_>>());
    for s in list {
        let explanation = model.explain(cx, s.item, &mut Workspace::default());
        assert_eq!(explanation.value, Some(s.score));
        let sum: f32 = explanation.details.iter().filter_map(|d| d.value).sum();
        assert!((sum - s.score).abs() < 1e-5, "{explanation:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn likeness_equals_its_twin(
        wares in prop::collection::vec(ware(), 1..8),
        events in prop::collection::vec((0u8..3, 0u8..5), 0..6),
        touched in prop::collection::vec(0u8..9, 0..6),
        idf in prop::sample::select(vec![0.0f32, 1.0, 2.0]),
    ) {
        let data = dataset(&events);
        let shelf = Shelf::new(&data, Arc::new(catalog(&wares)));
        let attributes = vec![AttributeWeight::new("tag", 1.0), AttributeWeight::new("title", 0.5)];
        let params = ContentSimilarityParams { attributes, idf, ..ContentSimilarityParams::default() };
        let train = TrainingSet::with_shelf(&data, &shelf);
        let model = params.check().unwrap().fit(&train, &Run::new(1)).unwrap();
        let history = session(&data, &shelf, &touched);
        let cx = context(&data, &shelf, &history);
        let vectors = vectors(&wares, idf.into(), &[("tag", 1.0), ("title", 0.5)]);
        // Items of events that the catalogue does not know are voters without a say, but keep their place.
        let known = |item: usize| vectors.get(item).filter(|v| !v.is_empty());
        let votes = votes(&touched, shelf.n_items(), 5.0);
        let total: f64 = votes.iter().filter(|(item, _)| known(*item).is_some()).map(|(_, vote)| vote).sum();
        for (item, score) in all_items(&shelf).into_iter().zip(opinions(&model, &cx, &all_items(&shelf))) {
            let number: usize = shelf.key(&data, item)[1..].parse().unwrap();
            let voters = votes.iter().filter_map(|(voter, vote)| Some((known(*voter)?, vote)));
            let alike = voters.filter_map(|(v, vote)| known(number).filter(|w| shares(v, w)).map(|w| vote * product(v, w)));
            let parts: Vec<f64> = alike.collect();
            match score {
                None => prop_assert!(parts.is_empty()),
                Some(score) => assert_relative_eq!(f64::from(score), parts.iter().sum::<f64>() / total, epsilon = 1e-5),
            }
        }
        proposes_its_scores(&model, &cx);
    }

    #[test]
    fn affinity_equals_its_twin(
        wares in prop::collection::vec(ware(), 1..8),
        events in prop::collection::vec((0u8..3, 0u8..5), 0..10),
        touched in prop::collection::vec(0u8..9, 0..6),
        popularity in prop::sample::select(vec![0.0f32, 0.5, 1.0]),
        prior in prop::sample::select(vec![0.0f32, 2.0]),
    ) {
        let data = dataset(&events);
        let shelf = Shelf::new(&data, Arc::new(catalog(&wares)));
        let params = AffinityParams { popularity, prior, ..AffinityParams::default() };
        let train = TrainingSet::with_shelf(&data, &shelf);
        let model = params.check().unwrap().fit(&train, &Run::new(1)).unwrap();
        let history = session(&data, &shelf, &touched);
        let cx = context(&data, &shelf, &history);
        let tags = |item: usize| wares.get(item).map_or(&[][..], |w| &w.tags[..]);
        let takers = |item: usize| (0..3).filter(|u| events.contains(&(*u, item as u8))).count() as f64;
        let votes = votes(&touched, shelf.n_items(), 5.0);
        let total: f64 = votes.iter().filter(|(item, _)| !tags(*item).is_empty()).map(|(_, vote)| vote).sum();
        let everybody: f64 = (0..wares.len()).filter(|i| !tags(*i).is_empty()).map(takers).sum();
        for (item, score) in all_items(&shelf).into_iter().zip(opinions(&model, &cx, &all_items(&shelf))) {
            let number: usize = shelf.key(&data, item)[1..].parse().unwrap();
            let mut sum: Option<f64> = None;
            for tag in 0..5u8 {
                let voted: f64 = votes.iter().filter(|(i, _)| tags(*i).contains(&tag)).map(|(_, vote)| vote).sum();
                if !tags(number).contains(&tag) || voted == 0.0 {
                    continue;
                }
                let of_tag = || (0..wares.len()).filter(|i| tags(*i).contains(&tag));
                let share = of_tag().map(takers).sum::<f64>() / everybody.max(1.0);
                let prior = f64::from(prior);
                let own = (takers(number) + 1.0) / of_tag().map(|i| takers(i) + 1.0).sum::<f64>();
                let part = (voted + prior * share) / (total + prior) * own.powf(popularity.into());
                sum = Some(sum.unwrap_or(0.0) + part);
            }
            match (score, sum) {
                (Some(score), Some(sum)) => assert_relative_eq!(f64::from(score), sum, epsilon = 1e-5),
                (score, sum) => prop_assert!(score.is_none() && sum.is_none(), "{score:?} {sum:?}"),
            }
        }
        proposes_its_scores(&model, &cx);
    }

    #[test]
    fn nearness_equals_its_twin(
        rows in prop::collection::vec(prop::option::of(prop::array::uniform3(-3i8..4)), 1..9),
        events in prop::collection::vec((0u8..3, 0u8..5), 0..6),
        touched in prop::collection::vec(0u8..9, 0..6),
        profile in prop::sample::select(vec![ProfileBy::Mean, ProfileBy::Max]),
    ) {
        let wares = vec![Ware { tags: vec![], title: vec![], number: None }; 7];
        let data = dataset(&events);
        let shelf = Shelf::new(&data, Arc::new(catalog(&wares)));
        let mut vectors = Vectors::new(3).unwrap();
        for (item, row) in rows.iter().enumerate().rev() {
            if let Some(row) = row {
                vectors.push(&format!("i{item}"), &row.map(f32::from)).unwrap();
            }
        }
        let params = EmbeddingParams { profile, ..EmbeddingParams::default() }.check().unwrap();
        let recipe = EmbeddingRecipe::new(params, Arc::new(vectors));
        let model = recipe.fit(&TrainingSet::with_shelf(&data, &shelf), &Run::new(1)).unwrap();
        let strangers = rows.iter().skip(shelf.n_items()).flatten().count();
        prop_assert_eq!(model.unknown(), strangers);
        let unit = |item: usize| -> Option<[f64; 3]> {
            let row = (*rows.get(item)?)?.map(f64::from);
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            (norm > 0.0).then(|| row.map(|v| v / norm))
        };
        let history = session(&data, &shelf, &touched);
        let cx = context(&data, &shelf, &history);
        let votes = votes(&touched, shelf.n_items(), 5.0);
        let votes: Vec<(usize, f64)> = votes.into_iter().filter(|(item, _)| unit(*item).is_some()).collect();
        for (item, score) in all_items(&shelf).into_iter().zip(opinions(&model, &cx, &all_items(&shelf))) {
            let number: usize = shelf.key(&data, item)[1..].parse().unwrap();
            let Some(y) = unit(number).filter(|_| !votes.is_empty()) else {
                prop_assert_eq!(score, None);
                continue;
            };
            let part = |&(voter, vote): &(usize, f64)| {
                vote * unit(voter).unwrap().iter().zip(&y).map(|(a, b)| a * b).sum::<f64>()
            };
            let twin = match profile {
                ProfileBy::Mean => votes.iter().map(part).sum::<f64>() / votes.iter().map(|v| v.1).sum::<f64>(),
                _ => votes.iter().map(part).fold(f64::MIN, f64::max) / votes[0].1,
            };
            assert_relative_eq!(f64::from(score.unwrap()), twin, epsilon = 1e-5);
        }
        proposes_its_scores(&model, &cx);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn all_keep_the_laws(world in world()) {
        let data = world.dataset();
        let shelf = Shelf::new(&data, Arc::new(world.catalog()));
        let train = TrainingSet::with_shelf(&data, &shelf);
        let mut vectors = Vectors::new(2).unwrap();
        (0..20).step_by(3).for_each(|i| vectors.push(&format!("i{i}"), &[i as f32 - 6.0, 2.0]).unwrap());
        let vectors = Arc::new(vectors);
        let near = |profile| {
            EmbeddingRecipe::new(EmbeddingParams { profile, ..Default::default() }.check().unwrap(), vectors.clone())
        };
        let recipes: [Box<dyn DynFit>; 4] = [
            Box::new(ContentSimilarityParams::default().check().unwrap()),
            Box::new(AffinityParams::default().check().unwrap()),
            Box::new(near(ProfileBy::Mean)),
            Box::new(near(ProfileBy::Max)),
        ];
        for recipe in recipes {
            for train in [train, TrainingSet::from(&data)] {
                check_scorer(&*recipe.fit_dyn(&train, &Run::new(1)).unwrap(), &data, &shelf).unwrap();
            }
        }
    }
}

#[test]
fn by_hand() {
    // Four mugs' worth of a catalogue: `rare` is on two of four items, `common` on all.
    let tags = |tags: &[u8]| Ware { tags: tags.to_vec(), title: vec![], number: None };
    let wares = [tags(&[0, 1]), tags(&[0, 1]), tags(&[0]), tags(&[0])];
    let data = dataset(&[]);
    let shelf = Shelf::new(&data, Arc::new(catalog(&wares)));
    let train = TrainingSet::with_shelf(&data, &shelf);
    let params = ContentSimilarityParams { idf: 1.0, ..ContentSimilarityParams::default() };
    let model = params.check().unwrap().fit(&train, &Run::new(1)).unwrap();
    let history = session(&data, &shelf, &[0]);
    let cx = context(&data, &shelf, &history);
    // idf: common ln 2, rare ln 3; item 0 is (ln 2, ln 3) at length 1, item 2 is (1, 0).
    let cosine = 2f64.ln() / (2f64.ln().powi(2) + 3f64.ln().powi(2)).sqrt();
    let scores = opinions(&model, &cx, &all_items(&shelf));
    for (score, expected) in scores.iter().zip([1.0, 1.0, cosine, cosine]) {
        assert_relative_eq!(f64::from(score.unwrap()), expected, epsilon = 1e-6);
    }
    let explanation = model.explain(&cx, ItemIdx::new(1), &mut Workspace::default());
    let code = ReasonCode::SimilarItem;
    let value = |v: &str| Reason::Attribute { attribute: "tag".to_owned(), value: v.to_owned(), code };
    assert_eq!(explanation.details[0].reason, value("t0"));
    assert_eq!(explanation.details[1].reason, value("t1"));
    let because = Reason::Because { item: history[0].item, code };
    assert_eq!(explanation.details[1].details[0].reason, because);
}

#[test]
fn a_later_catalogue_is_read_without_a_fit() {
    let mug = |item: usize| Ware { tags: vec![1], title: vec![0, 2], number: Some(3) }.record(item);
    let saw = |item: usize| Ware { tags: vec![2], title: vec![3, 4], number: Some(9) }.record(item);
    let data = dataset(&[(0, 0), (1, 1)]);
    let mut first = builder();
    [mug(0), saw(1), mug(2), saw(3)].iter().for_each(|r| first.add(r).unwrap());
    let first = first.build();
    let shelf = Shelf::new(&data, Arc::new(first.clone()));
    let train = TrainingSet::with_shelf(&data, &shelf);
    let content = ContentSimilarityParams::default().check().unwrap().fit(&train, &Run::new(1)).unwrap();
    let affinity = AffinityParams::default().check().unwrap().fit(&train, &Run::new(1)).unwrap();
    let mut vectors = Vectors::new(2).unwrap();
    (0..6).for_each(|i| vectors.push(&format!("i{i}"), &[[1.0, 0.1 * i as f32], [0.0, 1.0]][i % 2]).unwrap());
    let recipe = EmbeddingRecipe::new(EmbeddingParams::default().check().unwrap(), Arc::new(vectors));
    let embedding = recipe.fit(&train, &Run::new(1)).unwrap();
    assert_eq!(embedding.unknown(), 2);
    // An update, and a catalogue built anew in another order.
    let (updated, _) = first.update([CatalogChange::Put(mug(4)), CatalogChange::Put(saw(5))]).unwrap();
    let mut anew = builder();
    [saw(5), saw(3), mug(4), mug(2), saw(1), mug(0)].iter().for_each(|r| anew.add(r).unwrap());
    for catalog in [updated, anew.build()] {
        let shelf = Shelf::new(&data, Arc::new(catalog));
        for voter in [0, 2, 4] {
            let history = session(&data, &shelf, &[voter]);
            let cx = context(&data, &shelf, &history);
            for model in [&content as &dyn Scorer, &affinity, &embedding] {
                let item = |n: usize| shelf.item(&data, &format!("i{n}")).unwrap();
                let mugs = opinions(model, &cx, &[item(0), item(2), item(4)]);
                let saws = opinions(model, &cx, &[item(1), item(3), item(5)]);
                let worst = mugs.iter().map(|s| s.unwrap()).fold(f32::MAX, f32::min);
                assert!(saws.iter().all(|s| s.is_none_or(|s| s < worst)), "{}: {mugs:?} {saws:?}", model.name());
                let shelf_bare = Shelf::bare(&data);
                let bare = context(&data, &shelf_bare, &[]);
                assert!(proposals(model, &bare, 9).is_empty());
                check_scorer(model, &data, &shelf).unwrap();
            }
        }
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let shop = testing::SyntheticShop::new(
        testing::ShopParams { items: 300, events: 3_000, ..Default::default() }.check().unwrap(),
    );
    let mut events = DatasetBuilder::default();
    events.ingest(&shop).unwrap();
    let data = events.finish().unwrap();
    let shelf = Shelf::new(&data, Arc::new(shop.catalog().unwrap()));
    let train = TrainingSet::with_shelf(&data, &shelf);
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.context_item = Some(ItemIdx::new(7));
    let recipes: [Box<dyn DynFit>; 2] = [
        Box::new(ContentSimilarityParams::default().check().unwrap()),
        Box::new(AffinityParams::default().check().unwrap()),
    ];
    for recipe in recipes {
        let ask = |run: &Run<'_>| opinions(&*recipe.fit_dyn(&train, run).unwrap(), &cx, &all_items(&shelf));
        let serial = ask(&Run::new(1).threads(Parallelism::Serial));
        assert!(serial.iter().flatten().count() > 10);
        for threads in [2, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| ask(&Run::new(1))), serial);
        }
    }
}

#[test]
fn parameters_keep_their_tables_and_vectors_are_checked() {
    check_params::<ContentSimilarityParams>().unwrap();
    check_params::<AffinityParams>().unwrap();
    check_params::<EmbeddingParams>().unwrap();
    assert_eq!(Vectors::new(0).unwrap_err(), VectorError::Dimension { dim: 0 });
    let mut vectors = Vectors::new(2).unwrap();
    let name = || "a".to_owned();
    let not_finite = vectors.push("a", &[0.0, f32::INFINITY]).unwrap_err();
    assert_eq!(not_finite, VectorError::NotFinite { item: name(), place: 1, got: f32::INFINITY });
    assert!(matches!(vectors.push("a", &[f32::NAN, 0.0]), Err(VectorError::NotFinite { place: 0, .. })));
    let length = vectors.push("a", &[1.0; 3]).unwrap_err();
    assert_eq!(
        length.to_string(),
        "the vector of item `a` has 3 numbers, the others have 2; give every item the same model's"
    );
    assert!(vectors.is_empty());
    vectors.push("a", &[f32::MAX, f32::MAX]).unwrap();
    assert_eq!(vectors.push("a", &[1.0, 1.0]).unwrap_err(), VectorError::Twice { item: name() });
    vectors.push("zero", &[0.0, 0.0]).unwrap();
    assert_relative_eq!(vectors.get("a").unwrap()[0], 0.5f32.sqrt(), epsilon = 1e-6);
    assert_eq!((vectors.len(), vectors.dim(), vectors.get("b")), (2, 2, None));
}

#[test]
fn a_missing_attribute_is_named() {
    let data = dataset(&[(0, 0)]);
    let shelf = Shelf::new(&data, Arc::new(catalog(&[])));
    let attributes = vec![AttributeWeight::new("colour", 1.0)];
    let recipes: [Box<dyn DynFit>; 2] = [
        Box::new(ContentSimilarityParams { attributes: attributes.clone(), ..Default::default() }.check().unwrap()),
        Box::new(AffinityParams { attributes, ..Default::default() }.check().unwrap()),
    ];
    for recipe in recipes {
        for train in [TrainingSet::from(&data), TrainingSet::with_shelf(&data, &shelf)] {
            let error = recipe.fit_dyn(&train, &Run::new(1)).unwrap_err();
            assert_eq!(error, FitError::NoAttribute { name: "colour".to_owned() });
        }
    }
}
