//! Learned blend weights: known truths found, position bias undone, twins, and bad input.

use std::sync::Arc;

use likewise::testing::check_params;
use likewise::tune::learn::*;
use likewise::*;
use proptest::prelude::*;

const METHODS: [Method; 3] = [Method::CoordinateAscent, Method::Logistic, Method::Pairwise];

/// Evenly spread numbers, the same for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64 + 0.5) / (1u64 << 31) as f64
    }
}

fn learned(method: Method, lists: &JudgedLists) -> Learned {
    let params = LearnParams { method, ..LearnParams::default() }.check().unwrap();
    let run = Run::new(1);
    let found = learn(&params, lists, &run).unwrap();
    assert_eq!(found, learn(&params, lists, &run.threads(Parallelism::Serial)).unwrap());
    let sum: f32 = found.weights.iter().sum();
    assert!((sum - 1.0).abs() < 1e-5 && found.weights.iter().all(|w| *w >= 0.0), "{found:?}");
    found
}

/// Lists shown in the order of a bad blend (the first part alone). Shoppers want `0.2, 0.7, 0.1 of the parts` and click
/// what they look at; the place `p` is looked at with chance `1 / (p + 1)`.
fn biased(n: usize) -> Vec<LoggedList> {
    let mut dice = Dice(7);
    let list = |_| {
        let mut items: Vec<[f32; 3]> = (0..8).map(|_| [0, 1, 2].map(|_| dice.next() as f32)).collect();
        items.sort_by(|a, b| b[0].total_cmp(&a[0]));
        let item = |(place, parts): (usize, [f32; 3])| {
            let wanted = f64::from(0.2 * parts[0] + 0.7 * parts[1] + 0.1 * parts[2]);
            let clicked = dice.next() < 1.0 / (place + 1) as f64 && dice.next() < wanted.powi(3);
            let gain = f32::from(u8::from(clicked));
            LoggedItem { item: format!("i{place}"), place: place as u32, parts: parts.to_vec(), gain }
        };
        LoggedList { items: items.into_iter().enumerate().map(item).collect() }
    };
    (0..n).map(list).collect()
}

#[test]
fn position_bias_is_undone() {
    let lists = biased(4000);
    let looks: Vec<f64> = (0..8).map(|place| 1.0 / f64::from(place + 1)).collect();
    let propensities = Propensities::given(looks).unwrap();
    let corrected = JudgedLists::from_log(&lists, &propensities, 20.0);
    let naive = JudgedLists::from_log(&lists, &Propensities::none(), 20.0);
    for method in METHODS {
        let (right, wrong) = (learned(method, &corrected).weights, learned(method, &naive).weights);
        // Uncorrected, the part that made the order is taken for what was wanted.
        let off = |w: &[f32]| (w[0] - 0.2).abs() + (w[1] - 0.7).abs() + (w[2] - 0.1).abs();
        assert!(off(&right) < 0.25, "{method:?}: {right:?}");
        assert!(off(&right) < off(&wrong) && right[0] < wrong[0], "{method:?}: {right:?} {wrong:?}");
    }
}

#[test]
fn propensities_are_found_again() {
    let mut dice = Dice(3);
    let mut lists = Vec::new();
    let looks = [1.0, 0.6, 0.3, 0.15];
    let mut swaps = [[0u64; 4]; 4];
    for _ in 0..40_000 {
        let item = |place: usize, dice: &mut Dice| {
            let gain = f32::from(u8::from(dice.next() < 0.5 * looks[place]));
            LoggedItem { place: place as u32, gain, ..LoggedItem::default() }
        };
        lists.push(LoggedList { items: (0..4).map(|place| item(place, &mut dice)).collect() });
        let place = 1 + (dice.next() * 3.0) as usize;
        let first = dice.next() < 0.5;
        let clicked = u64::from(dice.next() < 0.5 * looks[if first { 0 } else { place }]);
        let row = &mut swaps[place];
        if first {
            (row[0], row[1]) = (row[0] + 1, row[1] + clicked)
        } else {
            (row[2], row[3]) = (row[2] + 1, row[3] + clicked)
        }
    }
    let swapped: Vec<Swapped> = (1..4)
        .map(|place| {
            let [shown_first, clicks_first, shown_there, clicks_there] = swaps[place];
            Swapped { place, shown_first, clicks_first, shown_there, clicks_there }
        })
        .collect();
    for found in [Propensities::from_shuffled(&lists).unwrap(), Propensities::from_swaps(&swapped).unwrap()] {
        assert_eq!(found.places(), 4);
        for (place, looked) in looks.iter().enumerate() {
            assert!((found.at(place) - looked).abs() < 0.03, "{place}: {}", found.at(place));
        }
    }
    let far = Swapped { place: 3, shown_first: 10, clicks_first: 8, shown_there: 10, clicks_there: 2 };
    let between = Propensities::from_swaps(&[far]).unwrap();
    assert_eq!([1, 2, 3, 9].map(|place| between.at(place)), [0.75, 0.5, 0.25, 0.25]);
}

fn lists() -> impl Strategy<Value = Vec<Vec<([i8; 2], u8)>>> {
    prop::collection::vec(prop::collection::vec((prop::array::uniform2(-4i8..5), 0..3u8), 1..7), 1..12)
}

fn logged(lists: &[Vec<([i8; 2], u8)>]) -> Vec<LoggedList> {
    let item = |(parts, gain): &([i8; 2], u8)| LoggedItem {
        parts: parts.map(f32::from).to_vec(),
        gain: f32::from(*gain),
        ..LoggedItem::default()
    };
    lists.iter().map(|list| LoggedList { items: list.iter().map(item).collect() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Neither even weights nor a part alone has a better NDCG than what coordinate ascent found, by a slow twin.
    #[test]
    fn nothing_simple_is_better(raw in lists()) {
        let lists = logged(&raw);
        let judged = JudgedLists::from_log(&lists, &Propensities::none(), 20.0);
        prop_assert_eq!(judged.len(), raw.iter().filter(|list| list.iter().any(|(_, gain)| *gain > 0)).count());
        let ascent = learned(Method::CoordinateAscent, &judged);
        prop_assert!(ascent.ndcg.1 >= ascent.ndcg.0 && (0.0..=1.0 + 1e-9).contains(&ascent.ndcg.1));
        let twin = |w: [f64; 2]| {
            let (mut sum, mut weights) = (0.0, 0.0);
            for list in raw.iter().filter(|list| list.iter().any(|(_, gain)| *gain > 0)) {
                let mut order: Vec<usize> = (0..list.len()).collect();
                let score = |i: usize| f64::from(list[i].0[0]) * w[0] + f64::from(list[i].0[1]) * w[1];
                order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
                let dcg = |order: &[usize]| order.iter().enumerate().map(|(p, &i)| f64::from(list[i].1) / ((p + 2) as f64).log2()).sum::<f64>();
                let mut best: Vec<usize> = (0..list.len()).collect();
                best.sort_by_key(|&i| std::cmp::Reverse(list[i].1));
                let gains: Vec<f64> = list.iter().map(|item| f64::from(item.1)).filter(|gain| *gain > 0.0).collect();
                let weight = gains.iter().sum::<f64>() / gains.len() as f64;
                sum += weight * dcg(&order) / dcg(&best);
                weights += weight;
            }
            sum / weights
        };
        if !judged.is_empty() {
            for lone in [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]] {
                prop_assert!(twin(lone) <= ascent.ndcg.1 + 1e-9);
            }
            let pairwise = learned(Method::Pairwise, &judged);
            prop_assert!((0.0..=1.0 + 1e-9).contains(&pairwise.ndcg.1));
        }
    }
}

/// A log from real answers, back from serde, learned from, and served with what was learned.
#[test]
fn from_the_answer_to_the_next_ranker() {
    let mut builder = DatasetBuilder::default();
    for (user, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("cy", "saw"), ("dee", "saw"), ("eve", "saw")]
    {
        let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
        builder.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1))).unwrap();
    }
    let data = Arc::new(builder.build().unwrap());
    let train = TrainingSet::from(&*data);
    let popular: Arc<dyn Scorer> =
        Arc::new(PopularityParams::default().check().unwrap().fit(&train, &Run::new(1)).unwrap());
    let together = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::co_purchase() };
    let together: Arc<dyn Scorer> = Arc::new(together.check().unwrap().fit(&train, &Run::new(1)).unwrap());
    let serve = |weights: [f32; 2]| {
        let blend = Ranker::builder().scorer(popular.clone(), weights[0]).scorer(together.clone(), weights[1]);
        Snapshot::new(data.clone(), Arc::default(), Arc::new(blend.build().unwrap())).unwrap()
    };
    let snapshot = serve([4.0, 0.5]);
    let bob =
        Request::profiled(Consented::new("bob", LawfulBasis::Contract), Timestamp::from_secs(2)).exclude(&["tea"]);
    let list = snapshot.recommend(&bob).unwrap();
    assert_eq!(list.get(0).unwrap().id(), "saw");
    let mut log = LoggedList::of(&list, 0);
    assert!(log.gained("mug", 1.0) && !log.gained("nothing", 1.0));
    for (logged, shown) in log.items.iter().zip(list.iter()) {
        let blended = 4.0 * logged.parts[0] + 0.5 * logged.parts[1];
        assert!((blended - shown.score()).abs() < 1e-6);
    }
    let log: LoggedList = serde_json::from_str(&serde_json::to_string(&log).unwrap()).unwrap();
    let judged = JudgedLists::from_log([&log], &Propensities::none(), 20.0);
    let found = learned(Method::Pairwise, &judged);
    let better = serve([found.weights[0].max(1e-3), found.weights[1].max(1e-3)]).recommend(&bob).unwrap();
    assert_eq!(better.get(0).unwrap().id(), "mug");
}

#[test]
fn bad_input() {
    check_params::<LearnParams>().unwrap();
    assert!(matches!(Propensities::given([1.0, 0.0]), Err(PropensityError::Range { place: 1, .. })));
    assert!(matches!(Propensities::given([f64::NAN]), Err(PropensityError::Range { place: 0, .. })));
    assert_eq!(Propensities::given([]), Err(PropensityError::Nothing));
    assert_eq!(Propensities::from_swaps(&[]), Err(PropensityError::Nothing));
    assert_eq!(Propensities::from_shuffled([&LoggedList::default()]), Err(PropensityError::Nothing));
    assert!(serde_json::from_str::<Propensities>("[0.5, -1.0]").is_err());
    for method in METHODS {
        let params = LearnParams { method, ..LearnParams::default() }.check().unwrap();
        assert_eq!(learn(&params, &JudgedLists::default(), &Run::new(1)).unwrap(), Learned::default());
        // No clicks: even weights. Gains and parts that are no numbers count as nothing.
        let item = |parts: [f32; 2], gain| LoggedItem { parts: parts.to_vec(), gain, ..LoggedItem::default() };
        let none = LoggedList { items: vec![item([1.0, 0.0], 0.0), item([0.0, 1.0], f32::NAN)] };
        let judged = JudgedLists::from_log([&none], &Propensities::none(), 20.0);
        assert!(judged.is_empty() && judged.parts() == 2);
        assert_eq!(learn(&params, &judged, &Run::new(1)).unwrap().weights, [0.5, 0.5]);
        // Separable, one item alone, parts missing: finite weights all the same.
        let odd = LoggedList {
            items: vec![item([f32::NAN, 3e38], 1.0), LoggedItem { parts: vec![1.0], ..Default::default() }],
        };
        let alone = LoggedList { items: vec![item([1.0, 0.0], 1e30)] };
        let judged = JudgedLists::from_log([&odd, &alone], &Propensities::none(), 20.0);
        let found = learn(&params, &judged, &Run::new(1)).unwrap();
        assert!(found.weights.iter().all(|w| w.is_finite() && *w >= 0.0), "{method:?}: {found:?}");
    }
    let stop = std::sync::atomic::AtomicBool::new(true);
    let judged = JudgedLists::from_log(&biased(20), &Propensities::none(), 20.0);
    let run = Run::new(1).cancel(&stop);
    assert!(learn(&LearnParams::default().check().unwrap(), &judged, &run).is_err());
}
