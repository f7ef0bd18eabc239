//! Segments against slow obvious twins, by hand, and on bad input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use likewise::decide::segment::*;
use likewise::testing::check_params;
use likewise::*;
use proptest::prelude::*;

fn day(d: i64) -> Timestamp {
    Timestamp::from_secs(d * 86_400)
}

fn agreed(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Consent)
}

const USERS: [&str; 6] = ["ann", "bob", "cy", "dee", "eve", "fay"];
const ITEMS: [&str; 5] = ["mug", "cup", "bear", "train", "loose"];
const KINDS: [EventKind; 3] = [EventKind::View, EventKind::Purchase, EventKind::AddToCart];

/// User (the last is an anonymous visit), item, kind, day, units, price.
type Done = (usize, usize, usize, i64, u8, u8);

fn done() -> impl Strategy<Value = Vec<Done>> {
    prop::collection::vec((0..USERS.len() + 1, 0..ITEMS.len(), 0..KINDS.len(), 0..100i64, 1..4u8, 0..20u8), 0..60)
}

fn dataset(done: &[Done]) -> Dataset {
    let mut builder = DatasetBuilder::default().as_of(day(100));
    for &(user, item, kind, at, units, price) in done {
        let who =
            USERS.get(user).map_or(Shopper::Anonymous { session: "visit" }, |user| Shopper::Profiled(agreed(user)));
        let event = Event::new(who, ITEMS[item], KINDS[kind], day(at)).quantity(units.into()).value(price.into());
        builder.push(&event).unwrap();
    }
    builder.build().unwrap()
}

fn shelf(data: &Dataset) -> Shelf {
    let mut builder = CatalogBuilder::default()
        .attribute("category", AttributeKind::Category)
        .and_then(|b| b.attribute("title", AttributeKind::Text))
        .unwrap();
    for (item, category) in [("mug", "home"), ("cup", "home"), ("bear", "toys"), ("train", "toys")] {
        builder.add(&ItemRecord::new(item).category("category", category)).unwrap();
    }
    Shelf::new(data, Arc::new(builder.build()))
}

fn toys() -> Select {
    Select::within("category", ["toys"])
}

fn condition() -> impl Strategy<Value = Condition> {
    let kinds = || prop::sample::subsequence(KINDS.to_vec(), 1..=3).prop_map(|kinds| KindSet::of(&kinds));
    let items = || prop_oneof![Just(Select::All), Just(toys()), Just(Select::items(["mug"]))];
    let within = || prop::option::of((0..100u32).prop_map(Span::days));
    let what =
        prop::sample::select(vec![What::Events, What::Units, What::Value, What::Items, What::Sessions, What::Days]);
    let which = prop::sample::select(vec![Which::First, Which::Last]);
    let leaf = prop_oneof![
        3 => (what, kinds(), items(), within(), 0..12u8, 0..30u8).prop_map(|(what, kinds, items, within, min, more)| {
            let (min, max) = (Some(f64::from(min)), Some(f64::from(min) + f64::from(more)));
            Condition::Measure(Measure { what, kinds, items, within, min, max })
        }),
        1 => (which, kinds(), items(), 0..60u32, 0..60u32).prop_map(|(of, kinds, items, min, more)| {
            let (min, max) = (Some(Span::days(min)), Some(Span::days(min + more)));
            Condition::Since(Since { of, kinds, items, min, max })
        }),
        1 => (kinds(), items(), within(), 0..=8u8).prop_map(|(kinds, items, within, eighths)| {
            Condition::Share(Share { kinds, items, within, min: Some(f64::from(eighths) / 8.0), max: None })
        }),
        1 => Just(Condition::Everyone),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

/// Straight from the definitions, over the plain list.
fn twin(condition: &Condition, own: &[Done], now: i64) -> bool {
    let is = |items: &Select, item: usize| match items {
        Select::All => true,
        Select::Items(_) => item == 0,
        _ => item == 2 || item == 3,
    };
    let counting = |kinds: KindSet, items: &Select, within: Option<Span>| -> Vec<Done> {
        let old = |at: i64| within.is_some_and(|within| Span::days((now - at) as u32) > within);
        own.iter()
            .filter(|d| kinds.contains(KINDS[d.2]) && is(items, d.1) && d.3 <= now && !old(d.3))
            .copied()
            .collect()
    };
    match condition {
        Condition::Everyone => true,
        Condition::All(parts) => parts.iter().all(|part| twin(part, own, now)),
        Condition::Any(parts) => parts.iter().any(|part| twin(part, own, now)),
        Condition::Not(part) => !twin(part, own, now),
        Condition::Measure(m) => {
            let of = counting(m.kinds, &m.items, m.within);
            let number = match m.what {
                What::Events => of.len() as f64,
                What::Units => of.iter().map(|d| f64::from(d.4)).sum(),
                What::Value => of.iter().map(|d| f64::from(d.4) * f64::from(d.5)).sum(),
                What::Items => of.iter().map(|d| d.1).collect::<BTreeSet<_>>().len() as f64,
                // Without session ids and half an hour of pause a day is a session.
                _ => of.iter().map(|d| d.3).collect::<BTreeSet<_>>().len() as f64,
            };
            m.min.is_none_or(|min| min <= number) && m.max.is_none_or(|max| number <= max)
        }
        Condition::Since(s) => {
            let days = counting(s.kinds, &s.items, None).into_iter().map(|d| d.3);
            let at = if s.of == Which::First { days.min() } else { days.max() };
            at.is_some_and(|at| {
                let age = Span::days((now - at) as u32);
                s.min.is_none_or(|min| min <= age) && s.max.is_none_or(|max| age <= max)
            })
        }
        Condition::Share(s) => {
            let all = counting(s.kinds, &Select::All, s.within).len();
            let on = counting(s.kinds, &s.items, s.within).len();
            let share = on as f64 / all as f64;
            all > 0 && s.min.is_none_or(|min| min <= share) && s.max.is_none_or(|max| share <= max)
        }
        _ => unreachable!(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn members_are_those_of_the_slow_twin(done in done(), condition in condition(), now in 0..100i64) {
        let data = dataset(&done);
        let shelf = shelf(&data);
        let rules = [SegmentRule::new("it", condition.clone()), SegmentRule::new("not it", Condition::Not(Box::new(condition.clone())))];
        let segments = Segments::new(&rules, &data, &shelf).unwrap();
        let swept = segments.sweep(day(now), &Run::new(1)).unwrap();
        prop_assert_eq!(&swept, &segments.sweep(day(now), &Run::new(1).threads(Parallelism::Serial)).unwrap());
        for user in data.users() {
            let key = data.user_key(user);
            let own: Vec<Done> = done.iter().filter(|d| USERS.get(d.0) == Some(&key)).copied().collect();
            let expected = twin(&condition, &own, now);
            prop_assert_eq!(swept[0].1.contains(&user), expected, "{} of {}", condition, key);
            prop_assert_eq!(swept[1].1.contains(&user), !expected);
            let live = segments.of_request(Some(agreed(key)), &[], day(now));
            prop_assert_eq!(live, if expected { ["it"] } else { ["not it"] });
        }
        prop_assert_eq!(swept[0].1.len() + swept[1].1.len(), data.users().count());
        // Words and serde.
        prop_assert!(!condition.to_string().is_empty());
        let text = serde_json::to_string(&condition).unwrap();
        prop_assert_eq!(serde_json::from_str::<Condition>(&text).unwrap(), condition);
    }

    /// Every shopper's score by a request for one item, sorted.
    #[test]
    fn the_audience_is_exact(done in done(), n in 0..8usize) {
        let data = dataset(&done);
        let shelf = shelf(&data);
        let params = CoOccurrenceParams { min_support: 1, unit: PairUnit::Shopper, ..CoOccurrenceParams::co_view() };
        let recipe = CoOccurrenceParams { from: KindSet::ALL, to: KindSet::ALL, ..params }.check().unwrap();
        let scorer: Arc<dyn Scorer> = Arc::new(recipe.fit(&(&data).into(), &Run::new(1)).unwrap());
        let ranker = Ranker::builder().scorer_scaled(Arc::clone(&scorer), 1.0, Normalise::AsIs).build().unwrap();
        let snapshot = Snapshot::new(Arc::new(data.clone()), Arc::clone(shelf.catalog()), Arc::new(ranker)).unwrap();
        let among = |user: UserIdx| data.user_key(user) != "bob";
        let asking = Asking { scorer: &*scorer, data: &data, shelf: &shelf, now: day(100), among: Some(&among), n };
        let offers: Vec<Vec<ItemIdx>> = vec![
            shelf.item(&data, "bear").into_iter().collect(),
            ["bear", "train"].into_iter().filter_map(|id| shelf.item(&data, id)).collect(),
        ];
        let got = asking.for_each_of(&offers, &Run::new(1)).unwrap();
        for (offer, got) in offers.iter().zip(&got) {
            let mut expected: Vec<(UserIdx, f32)> = Vec::new();
            for user in data.users().filter(|&user| among(user)) {
                let ids: Vec<&str> = offer.iter().map(|&item| shelf.key(&data, item)).collect();
                let request = Request::profiled(agreed(data.user_key(user)), day(100)).candidates(&ids).k(9);
                let list = snapshot.recommend(&request).unwrap();
                let opinions = list.iter().filter(|item| !item.contributions().is_empty());
                if let Some(best) = opinions.map(|item| item.score()).reduce(f32::max) {
                    expected.push((user, best));
                }
            }
            expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            expected.truncate(n);
            let positive: Vec<(UserIdx, f32)> = got.iter().copied().filter(|(_, score)| *score != 0.0).collect();
            prop_assert_eq!(positive, expected);
        }
        let toys = toys().compile(&data, &shelf).unwrap();
        prop_assert_eq!(&asking.for_any(&toys, &Run::new(1)).unwrap(), &got[1]);
    }

    #[test]
    fn groups_are_a_partition_and_the_same_for_any_threads(
        vectors in prop::collection::vec(prop::array::uniform3(-5i8..6), 0..40), clusters in 1..6u32, sample in 0..20u32, seed in 0..99u64
    ) {
        let (data, rows) = numbered(&vectors);
        let points = Points::new(&data, |user| rows.get(&user).map(|v| &v[..]));
        let params = KMeansParams { clusters, sample, starts: 2, ..KMeansParams::default() }.check().unwrap();
        let fitted = Clusters::fit(&params, &points, &Run::new(seed)).unwrap();
        let again = Clusters::fit(&params, &points, &Run::new(seed).threads(Parallelism::Serial)).unwrap();
        prop_assert_eq!(&fitted, &again);
        prop_assert_eq!(fitted.sizes().iter().sum::<usize>(), points.len());
        prop_assert!(fitted.len() <= clusters as usize && fitted.sizes().iter().all(|&size| size > 0));
        prop_assert!(fitted.sizes().is_sorted_by(|a, b| a >= b));
        let mut inertia = 0.0;
        for &user in points.users() {
            let group = fitted.group_of(user).unwrap();
            let x = points.of(user).unwrap();
            let distance = |g: usize| fitted.centre(g).unwrap().iter().zip(x).map(|(c, x)| (c - f64::from(*x)).powi(2)).sum::<f64>();
            inertia += distance(group);
            prop_assert!((0..fitted.len()).all(|g| distance(group) <= distance(g) + 1e-9));
            prop_assert!(fitted.members(group).any(|member| member == user));
        }
        prop_assert!((inertia - fitted.inertia()).abs() < 1e-6);
    }

    #[test]
    fn lookalikes_are_the_nearest(vectors in prop::collection::vec(prop::array::uniform3(-5i8..6), 1..30), seeds in prop::collection::vec(0..30u32, 0..4), n in 0..10usize) {
        let (data, rows) = numbered(&vectors);
        let points = Points::new(&data, |user| rows.get(&user).map(|v| &v[..]));
        let seeds: Vec<UserIdx> = seeds.into_iter().map(UserIdx::new).collect();
        let got = points.lookalikes(&seeds, n);
        prop_assert!(got.len() <= n && got.iter().all(|(user, _)| !seeds.contains(user)));
        prop_assert!(got.is_sorted_by(|a, b| a.1 > b.1 || a.1 == b.1 && a.0 < b.0));
        let unit = |x: &[f32]| { let l = x.iter().map(|x| x * x).sum::<f32>().sqrt(); x.iter().map(|x| x / l).collect::<Vec<f32>>() };
        let zero = |x: &[f32]| x.iter().all(|x| *x == 0.0);
        let mut centre = [0.0f32; 3];
        for seed in seeds.iter().collect::<BTreeSet<_>>().into_iter().filter_map(|seed| rows.get(seed)).filter(|x| !zero(*x)) {
            centre.iter_mut().zip(unit(seed)).for_each(|(c, x)| *c += x);
        }
        if centre.iter().map(|c| c * c).sum::<f32>() > 1e-6 {
            let centre = unit(&centre);
            let mut all: Vec<(UserIdx, f32)> = rows.iter().filter(|(user, x)| !seeds.contains(user) && !zero(*x))
                .map(|(user, x)| (*user, unit(x).iter().zip(&centre).map(|(a, b)| a * b).sum())).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            for ((_, got), (_, expected)) in got.iter().zip(&all) {
                prop_assert!((got - expected).abs() < 1e-4);
            }
            prop_assert_eq!(got.len(), n.min(all.len()));
        }
    }
}

/// A shopper for each vector.
fn numbered(vectors: &[[i8; 3]]) -> (Dataset, BTreeMap<UserIdx, [f32; 3]>) {
    let mut builder = DatasetBuilder::default();
    for i in 0..vectors.len() {
        builder.push(&Event::new(Shopper::Profiled(agreed(&format!("u{i}"))), "mug", EventKind::View, day(1))).unwrap();
    }
    let data = builder.build().unwrap();
    let rows = vectors.iter().enumerate().map(|(i, v)| (UserIdx::new(i as u32), v.map(f32::from))).collect();
    (data, rows)
}

#[test]
fn bands_by_hand() {
    // Shopper i buys i times, the last time i days ago, for i each.
    let done: Vec<Done> =
        (0..5).flat_map(|u| (0..=u as i64).map(move |k| (u, 0, 1, 99 - u as i64 - 2 * k, 1, u as u8 + 1))).collect();
    let data = dataset(&done);
    let fit = |bands| {
        let params = RfmParams { bands, ..RfmParams::default() }.check().unwrap();
        Rfm::fit(&params, &data, day(100), &Run::new(1)).unwrap()
    };
    let score = |rfm: &Rfm, user: &str| rfm.score(&data, data.user(user).unwrap()).unwrap();
    let of = |recency, frequency, monetary| RfmScore { recency, frequency, monetary };
    let five = fit(Bands::Quantiles(5));
    for (i, user) in USERS.iter().take(5).enumerate() {
        assert_eq!(score(&five, user), of(5 - i as u8, i as u8 + 1, i as u8 + 1), "{user}");
    }
    assert_eq!(five.label(score(&five, "ann")), "new");
    assert_eq!(five.label(score(&five, "eve")), "at risk");
    assert_eq!(five.label(of(5, 5, 1)), "champions");
    assert_eq!(five.label(of(1, 1, 1)), "hibernating");
    // Three fifths are not above three fifths; two fifths are "not".
    assert_eq!(
        (five.label(of(3, 3, 3)), five.label(of(3, 5, 1)), five.label(of(5, 3, 1))),
        ("middling", "loyal", "promising")
    );
    assert_eq!((five.label(of(2, 2, 1)), five.label(of(2, 5, 1))), ("hibernating", "at risk"));
    let recency = vec![Span::days(2), Span::days(4)];
    let fixed = fit(Bands::Limits { recency, frequency: vec![2.0], monetary: vec![9.0, 25.0] });
    assert_eq!(fixed.bands(), [3, 2, 3]);
    assert_eq!(score(&fixed, "bob"), of(3, 2, 1)); // two days old is still the youngest band
    assert_eq!(score(&fixed, "cy"), of(2, 2, 2)); // three times three is at the limit
    assert_eq!(score(&fixed, "eve"), of(1, 2, 3));
    // All alike: one band, whichever.
    let same = dataset(&[(0, 0, 1, 5, 1, 1), (1, 0, 1, 5, 1, 1), (2, 0, 0, 5, 1, 1)]);
    let rfm = Rfm::fit(&RfmParams::default().check().unwrap(), &same, day(100), &Run::new(1)).unwrap();
    assert_eq!(rfm.score(&same, UserIdx::new(0)), rfm.score(&same, UserIdx::new(1)));
    assert_eq!(rfm.score(&same, UserIdx::new(2)), None);
    assert_eq!(rfm.score(&same, UserIdx::new(99)), None);
}

#[test]
fn groups_are_found_and_described() {
    // Three love toys, three the home.
    let done: Vec<Done> = (0..6)
        .flat_map(|u| (0..4).map(move |k| (u, if u < 3 { 2 + k % 2 } else { k % 2 }, 1, 10 + k as i64, 1, 1)))
        .collect();
    let data = dataset(&done);
    let shelf = shelf(&data);
    let category = shelf.attribute("category").unwrap();
    let points = Points::affinities(&data, &shelf, category, KindSet::ALL, 8, day(100));
    assert_eq!((points.len(), points.dim()), (6, 3));
    let params = KMeansParams { clusters: 2, ..KMeansParams::default() }.check().unwrap();
    let groups = Clusters::fit(&params, &points, &Run::new(1)).unwrap();
    assert_eq!((groups.sizes(), groups.inertia()), (&[3, 3][..], 0.0));
    let described = groups.describe(&data, &shelf, category, KindSet::ALL, day(100), 3);
    let of = |user: &str| &described[groups.group_of(data.user(user).unwrap()).unwrap()];
    assert_eq!(of("ann").len(), 1);
    assert_eq!((of("ann")[0].value.as_str(), of("ann")[0].share, of("ann")[0].everybody), ("toys", 1.0, 0.5));
    assert_eq!(of("eve")[0].value, "home");
    // All in one group: nothing tells it from everybody.
    let params = KMeansParams { clusters: 1, ..KMeansParams::default() }.check().unwrap();
    let one = Clusters::fit(&params, &points, &Run::new(1)).unwrap();
    assert_eq!(one.describe(&data, &shelf, category, KindSet::ALL, day(100), 3), [[]]);
    assert_eq!(groups.nearest(points.of(UserIdx::new(0)).unwrap()), groups.group_of(UserIdx::new(0)));
    assert_eq!(groups.nearest(&[1.0]), None);
}

/// A centre is the mean of the points drawn for it: after one draw, wherever it started, it is that point.
#[test]
fn a_sampled_centre_is_the_mean_of_its_draws() {
    let (data, _) = numbered(&[[0; 3]; 2]);
    let at = [[0.0f32], [8.0]];
    let points = Points::new(&data, |user| at.get(user.as_usize()).map(|x| &x[..]));
    let params = KMeansParams { clusters: 1, iterations: 1, sample: 1, starts: 1, ..KMeansParams::default() };
    let params = params.check().unwrap();
    let centre = |seed| Clusters::fit(&params, &points, &Run::new(seed)).unwrap().centre(0).unwrap()[0];
    let mut centres: Vec<f64> = (0..40).map(centre).collect();
    centres.sort_by(f64::total_cmp);
    centres.dedup();
    assert_eq!(centres, [0.0, 8.0]);
}

#[test]
fn words() {
    let bought = |within, min, max| Condition::Measure(Measure { within, min, max, ..Measure::default() });
    let both = Condition::All(vec![
        Condition::Measure(Measure {
            items: toys(),
            within: Some(Span::days(90)),
            min: Some(3.0),
            ..Measure::default()
        }),
        Condition::Any(vec![bought(Some(Span::days(1)), None, Some(0.0)), bought(None, Some(2.0), Some(5.0))]),
    ]);
    assert_eq!(
        SegmentRule::new("parents", both).to_string(),
        "parents: at least 3 purchases of items with category `toys` in the last 90 days and \
         (no purchases in the last day or 2 to 5 purchases)"
    );
    let since = Since { min: Some(Span::hours(36)), ..Since::default() };
    assert_eq!(Condition::Since(since).to_string(), "the last of all purchases at least 36 hours ago");
    let share = Share { items: toys(), min: Some(0.5), ..Share::default() };
    assert_eq!(Condition::Share(share).to_string(), "at least 50 % of all purchases of items with category `toys`");
    let spent = Measure { what: What::Value, min: Some(100.0), ..Measure::default() };
    assert_eq!(Condition::Not(Box::new(Condition::Measure(spent))).to_string(), "not (purchases worth at least 100)");
}

#[test]
fn bad_input() {
    check_params::<RfmParams>().unwrap();
    check_params::<KMeansParams>().unwrap();
    let data = dataset(&[(0, 0, 1, 5, 1, 1)]);
    let shelf = shelf(&data);
    let error = |when: Condition| {
        let all = Condition::All(vec![Condition::Everyone, when]);
        Segments::new(&[SegmentRule::new("s", all)], &data, &shelf).unwrap_err().to_string()
    };
    let measure = |m: Measure| error(Condition::Measure(m));
    assert_eq!(
        measure(Measure { max: Some(f64::NAN), ..Measure::default() }),
        "segment \"s\": when.all[1].measure.max = NaN is not allowed; expected a finite number of at least 0"
    );
    assert!(measure(Measure::default()).contains("when.all[1].measure.min = none"));
    assert!(measure(Measure { min: Some(3.0), max: Some(2.0), ..Measure::default() }).contains(".measure.max = 2"));
    let none = Measure { kinds: KindSet::EMPTY, min: Some(1.0), ..Measure::default() };
    assert!(measure(none).contains(".measure.kinds = []"));
    let unknown = Measure { items: Select::within("colour", ["red"]), min: Some(1.0), ..Measure::default() };
    assert!(measure(unknown).contains("when.all[1].measure.items: the catalogue has no attribute `colour`"));
    let text = Measure { items: Select::within("title", ["red"]), min: Some(1.0), ..Measure::default() };
    assert!(measure(text).contains("`title` is a text attribute"));
    let share = Share { max: Some(1.5), ..Share::default() };
    assert!(error(Condition::Share(share)).contains(".share.max = 1.5"));
    let deep = (0..40).fold(Condition::Everyone, |inner, _| Condition::Not(Box::new(inner)));
    assert!(error(deep).contains("at most 32 levels"));
    let twice = [SegmentRule::new("s", Condition::Everyone), SegmentRule::new("s", Condition::Everyone)];
    assert!(Segments::new(&twice, &data, &shelf).unwrap_err().to_string().contains("name = s"));
    assert!(serde_json::from_str::<Condition>(r#"{"measure": {"mni": 1}}"#).is_err());

    // Nobody, nothing.
    let empty = DatasetBuilder::default().build().unwrap();
    let bare = Shelf::bare(&empty);
    let nobody = [SegmentRule::new("nobody", Condition::Any(Vec::new())), SegmentRule::new("all", Condition::Everyone)];
    let segments = Segments::new(&nobody, &empty, &bare).unwrap();
    assert_eq!(
        segments.sweep(day(1), &Run::new(1)).unwrap(),
        [("nobody".to_owned(), vec![]), ("all".to_owned(), vec![])]
    );
    assert_eq!(segments.of_request(Some(agreed("stranger")), &[], day(1)), ["all"]);
    let points = Points::new(&empty, |_| None);
    let groups = Clusters::fit(&KMeansParams::default().check().unwrap(), &points, &Run::new(1)).unwrap();
    assert!(groups.is_empty() && groups.sizes().is_empty() && points.lookalikes(&[UserIdx::new(3)], 5).is_empty());
    let rfm = Rfm::fit(&RfmParams::default().check().unwrap(), &empty, day(1), &Run::new(1)).unwrap();
    assert_eq!(rfm.score(&empty, UserIdx::new(0)), None);
    let limits =
        Bands::Limits { recency: vec![Span::days(3), Span::days(2)], frequency: vec![1.0], monetary: vec![1.0] };
    assert_eq!(
        RfmParams { bands: limits, ..RfmParams::default() }.validate().unwrap_err().param,
        "bands.limits.recency"
    );
    // NaN and odd lengths are no points; equal points are one group.
    let data = dataset(&[(0, 0, 1, 5, 1, 1), (1, 0, 1, 5, 1, 1), (2, 0, 1, 5, 1, 1), (3, 0, 1, 5, 1, 1)]);
    let vectors: [&[f32]; 4] = [&[1.0, 2.0], &[f32::NAN, 0.0], &[1.0], &[1.0, 2.0]];
    let points = Points::new(&data, |user| vectors.get(user.as_usize()).copied());
    assert_eq!(points.len(), 2);
    let groups = Clusters::fit(&KMeansParams::default().check().unwrap(), &points, &Run::new(1)).unwrap();
    assert_eq!(groups.sizes(), [2]);
}

/// The first and the last event are so by time, also where a session's events come from before what is stored.
#[test]
fn the_first_event_is_the_earliest() {
    let data = dataset(&[(0, 0, 1, 40, 1, 1), (0, 2, 1, 60, 1, 1)]);
    let shelf = shelf(&data);
    let rule = |of, min, max| {
        Condition::Since(Since { of, min: Some(Span::days(min)), max: Some(Span::days(max)), ..Since::default() })
    };
    let rules =
        [SegmentRule::new("first", rule(Which::First, 90, 90)), SegmentRule::new("last", rule(Which::Last, 40, 40))];
    let segments = Segments::new(&rules, &data, &shelf).unwrap();
    let early = [SessionEvent::new("mug", EventKind::Purchase, day(10))];
    assert_eq!(segments.of_request(Some(agreed("ann")), &early, day(100)), ["first", "last"]);
}

/// The running session counts for the segment, and the segment decides rule and blend.
#[test]
fn a_segment_is_a_condition_of_rules_and_blends() {
    let data = Arc::new(dataset(&[(0, 0, 1, 5, 1, 1), (1, 1, 1, 6, 1, 1), (0, 2, 1, 7, 1, 1), (1, 1, 1, 8, 1, 1)]));
    let shelf = shelf(&data);
    let looked =
        Measure { kinds: KindSet::of(&[EventKind::View]), items: toys(), min: Some(2.0), ..Measure::default() };
    let rules = [SegmentRule::new("toy lovers", Condition::Measure(looked))];
    let segments = Segments::new(&rules, &data, &shelf).unwrap();
    let now = day(50);
    let session = [SessionEvent::new("bear", EventKind::View, now), SessionEvent::new("train", EventKind::View, now)];
    assert!(segments.of_request(None, &session[..1], now).is_empty());
    assert_eq!(segments.of_request(None, &session[..1], now), Vec::<&str>::new());
    let with_train = dataset(&[(0, 3, 1, 5, 1, 1), (0, 2, 1, 5, 1, 1)]);
    let other = self::shelf(&with_train);
    let live = Segments::new(&rules, &with_train, &other).unwrap();
    assert_eq!(live.of_request(None, &session, now), ["toy lovers"]);

    let popular: Arc<dyn Scorer> =
        Arc::new(PopularityParams::default().check().unwrap().fit(&(&*data).into(), &Run::new(1)).unwrap());
    let pin = Action::Pin { item: "bear".into(), position: 0, filters: PinFilters::Respect };
    let rule = Rule { audience: Audience::Segment("toy lovers".into()), ..Rule::new("toys first", pin) };
    let ranker = Ranker::builder().scorer(popular, 1.0).build().unwrap();
    let plain = Snapshot::new(Arc::clone(&data), Arc::clone(shelf.catalog()), Arc::new(ranker)).unwrap();
    let ruled = plain.with_ranker(Arc::new(plain.ranker().with_rules([rule]).unwrap())).unwrap();
    let by = BySegment::new(plain).or_in("toy lovers", ruled);
    let first = |segments: &[&str]| {
        let request = Request::anonymous(now).segments(segments).k(1);
        by.of(&request).recommend(&request).unwrap().get(0).unwrap().id().to_owned()
    };
    assert_eq!((first(&[]), first(&["toy lovers"])), ("cup".to_owned(), "bear".to_owned()));
}
