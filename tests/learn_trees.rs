//! LambdaMART: what weights cannot learn, the same bits for any number of threads, rising shapes, and bad input.

use likewise::testing::check_params;
use likewise::tune::learn::*;
use likewise::*;
use proptest::prelude::*;

/// Evenly spread numbers, the same for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64 + 0.5) / (1u64 << 31) as f64
    }
}

fn score(forest: &Forest, opinions: &[Option<f32>]) -> f32 {
    forest.contributions(opinions).iter().sum()
}

/// Lists of ten items with three opinions, one of them noise and sometimes silent; `wanted` of the opinions is clicked.
fn lists(n: usize, seed: u64, wanted: fn([f64; 3]) -> f64) -> Vec<LoggedList> {
    let mut dice = Dice(seed);
    let list = |_| {
        let item = |place: u32| {
            let x = [dice.next(), dice.next(), dice.next()];
            let gain = f32::from(u8::from(dice.next() < wanted(x)));
            let noise = if dice.next() < 0.3 { f32::NAN } else { x[2] as f32 };
            LoggedItem { item: place.to_string(), place, parts: vec![x[0] as f32, x[1] as f32, noise], gain }
        };
        LoggedList { items: (0..10).map(item).collect() }
    };
    (0..n).map(list).collect()
}

fn judged(lists: &[LoggedList]) -> JudgedLists {
    JudgedLists::from_log(lists, &Propensities::none(), 20.0)
}

/// Wanted where exactly one of two voices is loud: an interaction that no sum has.
fn either(x: [f64; 3]) -> f64 {
    if (x[0] > 0.5) != (x[1] > 0.5) { 0.8 } else { 0.02 }
}

#[test]
fn learns_what_no_weights_can() {
    let (train, stop, test) = (judged(&lists(400, 1, either)), judged(&lists(200, 2, either)), lists(400, 3, either));
    let run = Run::new(7);
    let linear = learn(&LearnParams::default().check().unwrap(), &train, &run).unwrap();
    let params = TreesParams { shape: Shape::Free, shrinkage: 0.1, ..TreesParams::default() }.check().unwrap();
    let trees = learn_trees(&params, &train, &stop, &linear.weights, &run).unwrap();
    let mean = |of: &dyn Fn(&[f32]) -> f64| {
        let each = test.iter().filter(|list| list.items.iter().any(|item| item.gain > 0.0)).map(|list| {
            let mut items: Vec<&LoggedItem> = list.items.iter().collect();
            items.sort_by(|a, b| of(&b.parts).total_cmp(&of(&a.parts)));
            let dcg = |gains: &mut dyn Iterator<Item = f32>| {
                gains.enumerate().map(|(p, gain)| f64::from(gain) / ((p + 2) as f64).log2()).sum::<f64>()
            };
            let mut best: Vec<f32> = items.iter().map(|item| item.gain).collect();
            best.sort_by(|a, b| b.total_cmp(a));
            dcg(&mut items.iter().map(|item| item.gain)) / dcg(&mut best.into_iter())
        });
        let all: Vec<f64> = each.collect();
        all.iter().sum::<f64>() / all.len() as f64
    };
    let opinions = |x: &[f32]| x.iter().map(|x| x.is_finite().then_some(*x)).collect::<Vec<_>>();
    let ours = mean(&|x| f64::from(score(&trees.forest, &opinions(x))));
    let theirs =
        mean(&|x| linear.weights.iter().zip(x).filter(|(_, x)| x.is_finite()).map(|(w, x)| f64::from(w * x)).sum());
    // Who knows the chances does not do better than this: clicks are drawn.
    let oracle = mean(&|x| either([f64::from(x[0]), f64::from(x[1]), 0.0]));
    assert!(ours > oracle - 0.01 && theirs < oracle - 0.15, "{ours} {theirs} of {oracle}");
    assert_eq!(trees.forest.trees(), best(&trees.curve));
}

fn best(curve: &[f64]) -> usize {
    (0..curve.len()).fold(0, |best, at| if curve[at] > curve[best] { at } else { best })
}

#[test]
fn trees_that_do_not_help_are_not_kept() {
    // What is clicked is drawn without a look: on lists it did not see, hardly a tree can be better than the start.
    let (train, stop) = (judged(&lists(60, 4, |_| 0.2)), judged(&lists(400, 5, |x| x[0].powi(4))));
    let params = TreesParams { patience: 10, ..TreesParams::default() }.check().unwrap();
    let trees = learn_trees(&params, &train, &stop, &[1.0, 0.0, 0.0], &Run::new(1)).unwrap();
    assert_eq!(trees.forest.trees(), best(&trees.curve));
    assert!(trees.curve.iter().all(|ndcg| *ndcg <= trees.curve[trees.forest.trees()]));
    assert!(trees.curve.len() <= trees.forest.trees() + 11, "stops after its patience");
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    let (train, stop) = (judged(&lists(150, 6, either)), judged(&lists(80, 7, either)));
    let params = TreesParams { rounds: 30, ..TreesParams::default() }.check().unwrap();
    let learned = |seed, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| learn_trees(&params, &train, &stop, &[0.3, 0.3, 0.4], &Run::new(seed)).unwrap())
    };
    let serial = Run::new(3).threads(Parallelism::Serial);
    let alone = learn_trees(&params, &train, &stop, &[0.3, 0.3, 0.4], &serial).unwrap();
    assert!(alone.curve.len() > 5);
    for threads in [1, 2, 4, 8] {
        assert_eq!(learned(3, threads), alone);
    }
    assert_ne!(learned(4, 2).curve, alone.curve, "the seed draws the lists of a tree");
}

/// Clicks under position bias: trees learn what was wanted from corrected gains, and the old order from raw ones.
#[test]
fn position_bias_is_undone() {
    let mut dice = Dice(9);
    let log: Vec<LoggedList> = (0..3000)
        .map(|_| {
            let mut items: Vec<[f32; 2]> = (0..8).map(|_| [dice.next() as f32, dice.next() as f32]).collect();
            items.sort_by(|a, b| b[0].total_cmp(&a[0]));
            let item = |(place, x): (usize, [f32; 2])| {
                let clicked = dice.next() < 1.0 / (place + 1) as f64 && dice.next() < f64::from(x[1]).powi(2);
                LoggedItem {
                    place: place as u32,
                    parts: x.to_vec(),
                    gain: f32::from(u8::from(clicked)),
                    ..Default::default()
                }
            };
            LoggedList { items: items.into_iter().enumerate().map(item).collect() }
        })
        .collect();
    let looks = Propensities::given((0..8).map(|p| 1.0 / f64::from(p + 1)).collect::<Vec<_>>()).unwrap();
    // How often the item that is wanted more stands higher, whatever the first voice says.
    let right = |propensities: &Propensities| {
        let lists = JudgedLists::from_log(&log, propensities, 20.0);
        let params = TreesParams { rounds: 60, ..TreesParams::default() }.check().unwrap();
        let trees = learn_trees(&params, &lists, &JudgedLists::default(), &[0.0, 0.0], &Run::new(1)).unwrap();
        let mut dice = Dice(10);
        let pairs = (0..2000).map(|_| [0; 2].map(|_| [dice.next() as f32, dice.next() as f32]));
        let fine = |[a, b]: &[[f32; 2]; 2]| {
            let of = |x: &[f32; 2]| score(&trees.forest, &x.map(Some));
            (of(a) > of(b)) == (a[1] > b[1])
        };
        pairs.filter(fine).count()
    };
    let (corrected, naive) = (right(&looks), right(&Propensities::none()));
    assert!(corrected > 1700 && corrected > naive + 150, "{corrected} {naive}");
}

/// Two opinions and a gain an item.
type RawList = Vec<([Option<i8>; 2], u8)>;

fn raw() -> impl Strategy<Value = Vec<RawList>> {
    let x = prop::option::weighted(0.8, -4i8..5);
    prop::collection::vec(prop::collection::vec(([x.clone(), x], 0..3u8), 1..7), 1..12)
}

fn logged(raw: &[RawList]) -> Vec<LoggedList> {
    let item = |(parts, gain): &([Option<i8>; 2], u8)| LoggedItem {
        parts: parts.map(|x| x.map_or(f32::NAN, f32::from)).to_vec(),
        gain: f32::from(*gain),
        ..LoggedItem::default()
    };
    raw.iter().map(|list| LoggedList { items: list.iter().map(item).collect() }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever the lists: all is finite, the held-out NDCG is never below the start's, a better opinion never lowers a score,
    /// the forest comes back from text, and silence comes back in a log.
    #[test]
    fn forests_are_lawful(train in raw(), stop in raw(), start in prop::array::uniform2(0.0f32..2.0), leaves in 2u32..6) {
        let log = logged(&train);
        let text = serde_json::to_string(&log).unwrap();
        let back: Vec<LoggedList> = serde_json::from_str(&text).unwrap();
        let (lists, held_out) = (judged(&log), judged(&logged(&stop)));
        prop_assert_eq!(&judged(&back), &lists);
        let params = TreesParams { rounds: 8, patience: 3, least: 1, leaves, shrinkage: 0.5, ..TreesParams::default() };
        let learned = learn_trees(&params.check().unwrap(), &lists, &held_out, &start, &Run::new(1)).unwrap();
        prop_assert!(learned.curve.iter().all(|ndcg| (0.0..=1.0 + 1e-9).contains(ndcg)));
        if !held_out.is_empty() && !lists.is_empty() {
            prop_assert!(learned.curve.iter().all(|ndcg| *ndcg <= learned.curve[learned.forest.trees()]));
        }
        let forest: Forest = serde_json::from_str(&serde_json::to_string(&learned.forest).unwrap()).unwrap();
        prop_assert_eq!(&forest, &learned.forest);
        for other in [None, Some(-3.0), Some(2.0)] {
            for part in 0..2 {
                let at = |x: f32| { let mut all = [other; 2]; all[part] = Some(x); score(&forest, &all) };
                let rising: Vec<f32> = (-5..6).map(|x| at(x as f32)).collect();
                prop_assert!(rising.iter().all(|s| s.is_finite()));
                prop_assert!(rising.windows(2).all(|w| w[0] <= w[1] + 1e-5), "{rising:?}");
            }
        }
    }
}

#[test]
fn bad_input() {
    check_params::<TreesParams>().unwrap();
    let params = TreesParams::default().check().unwrap();
    let run = Run::new(1);
    let none = JudgedLists::default();
    assert_eq!(learn_trees(&params, &none, &none, &[], &run).unwrap(), LearnedTrees::default());
    let lists = judged(&lists(30, 1, either));
    let parts = |result: Result<LearnedTrees, TreesError>| match result {
        Err(TreesError::Parts { parts, got, .. }) => (parts, got),
        other => panic!("{other:?}"),
    };
    assert_eq!(parts(learn_trees(&params, &lists, &none, &[1.0], &run)), (3, 1));
    let item = |gain| LoggedItem { parts: vec![1.0], gain, ..LoggedItem::default() };
    let narrow = judged(&[LoggedList { items: vec![item(0.0), item(1.0)] }]);
    assert_eq!(parts(learn_trees(&params, &lists, &narrow, &[0.0; 3], &run)), (3, 1));
    for got in [-1.0, f32::NAN, f32::INFINITY] {
        let refused = learn_trees(&params, &lists, &none, &[0.0, got, 0.0], &run);
        assert!(matches!(refused, Err(TreesError::Weight { part: 1, .. })));
    }
    let stop = std::sync::atomic::AtomicBool::new(true);
    let stopped = learn_trees(&params, &lists, &none, &[1.0; 3], &run.cancel(&stop));
    assert!(matches!(stopped, Err(TreesError::Cancelled(_))));
    // Nothing gained: the weights as they were. One item, one value, huge and absent opinions: finite all the same.
    let empty = judged(&[LoggedList { items: vec![item(0.0)] }]);
    assert_eq!(learn_trees(&params, &empty, &none, &[0.5], &run).unwrap().forest.weights(), [0.5]);
    let odd = LoggedList {
        items: vec![
            LoggedItem { parts: vec![f32::NAN, 3e38], gain: 1e30, ..LoggedItem::default() },
            LoggedItem { parts: vec![1.0], ..LoggedItem::default() },
        ],
    };
    let odd = JudgedLists::from_log([&odd; 100], &Propensities::none(), 20.0);
    let learned = learn_trees(&params, &odd, &none, &[0.5, 0.5], &run).unwrap();
    assert!(score(&learned.forest, &[Some(1.0), None]).is_finite() && learned.curve.iter().all(|c| c.is_finite()));
    assert_eq!(JudgedLists::joined([lists.clone(), none.clone(), lists.clone()]).unwrap().len(), 2 * lists.len());
    assert_eq!(JudgedLists::joined([lists, narrow]), None);
    // A forest from elsewhere: a node that leads back, out of its tree, or to no opinion.
    let forest = |features: [u32; 3], left: [u32; 3]| {
        serde_json::from_value::<Forest>(serde_json::json!({
            "weights": [1.0], "roots": [0], "features": features, "thresholds": [0.5, 0.0, 0.0],
            "silent": [0, 0, 0], "left": left, "values": [0.0, -0.5, 0.5],
        }))
    };
    const LEAF: u32 = u32::MAX;
    assert!(forest([0, LEAF, LEAF], [1, 0, 0]).is_ok());
    for (features, left) in [
        ([0, LEAF, LEAF], [0, 0, 0]),
        ([0, LEAF, LEAF], [2, 0, 0]),
        ([1, LEAF, LEAF], [1, 0, 0]),
        ([0, 0, LEAF], [1, 0, 0]),
    ] {
        assert!(forest(features, left).is_err(), "{features:?} {left:?}");
    }
}
