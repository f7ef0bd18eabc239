//! Trees as a scorer: the laws, parts that sum to the score, the NDCG that was promised, and bad input.

use std::sync::Arc;

use likewise::evaluate::metric::Ndcg;
use likewise::evaluate::{Exclusion, Metric, Questions, RepeatTargets, Split, System};
use likewise::testing::{ShopParams, SyntheticShop, check_scorer};
use likewise::tune::learn::{JudgedLists, Shape, TreesParams, learn_trees};
use likewise::tune::{Columns, Goal};
use likewise::*;

fn shop(items: u32, events: u64) -> DatasetBuilder {
    let shop = SyntheticShop::new(ShopParams { items, users: 150, events, ..ShopParams::default() }.check().unwrap());
    let mut builder = DatasetBuilder::default();
    builder.ingest(&shop).unwrap();
    builder
}

/// Each voice on the scale of its own proposals.
fn voices(train: &TrainingSet<'_>) -> Vec<Arc<dyn Scorer>> {
    let run = Run::new(1);
    let one = |name: &str, scorer: Arc<dyn Scorer>| -> Arc<dyn Scorer> {
        Arc::new(Blended::new(name, [BlendPart::new(scorer, 1.0)]).unwrap().pool(50).unwrap())
    };
    let together = Checked::<CoOccurrenceParams>::default().fit(train, &run).unwrap();
    let popular = Checked::<PopularityParams>::default().fit(train, &run).unwrap();
    let recent = Checked::<PersonalFrequencyParams>::default().fit(train, &run).unwrap();
    vec![one("together", Arc::new(together)), one("popular", Arc::new(popular)), one("again", Arc::new(recent))]
}

/// Two trees by hand over three opinions, silence on either side.
fn by_hand() -> Forest {
    const LEAF: u32 = u32::MAX;
    serde_json::from_value(serde_json::json!({
        "weights": [1.0, 0.1, 0.3],
        "roots": [0, 5],
        "features": [0, 1, LEAF, LEAF, LEAF, 2, LEAF, LEAF],
        "thresholds": [0.4, 0.7, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0],
        "silent": [1, 0, 0, 0, 0, 1, 0, 0],
        "left": [1, 3, 0, 0, 0, 6, 0, 0],
        "values": [0.01, -0.2, 0.6, -0.3, 0.123, 0.0, -0.07, 0.31],
    }))
    .unwrap()
}

#[test]
fn contributions_by_hand() {
    let near = |opinions: [Option<f32>; 3], wanted: [f32; 3]| {
        let adds = by_hand().contributions(&opinions);
        assert!(adds.iter().zip(wanted).all(|(a, w)| (a - w).abs() < 1e-6), "{adds:?} is not {wanted:?}");
    };
    // Right at the first root (.01 to .6), left at the second (0 to -.07); the weights beside them.
    near([Some(0.5), None, Some(0.0)], [0.5 + 0.59, 0.0, -0.07]);
    // At a threshold: left. Then by the second opinion, above .7: right.
    near([Some(0.4), Some(0.8), Some(0.2)], [0.4 - 0.21, 0.08 + 0.323, 0.06 + 0.31]);
    // Silence goes left, right and left.
    near([None, None, None], [-0.21, 0.323, -0.07]);
}

#[test]
fn keeps_the_laws() {
    let data = shop(60, 1_500).finish().unwrap();
    let shelf = Shelf::bare(&data);
    for pool in [7, 200] {
        let blend = TreeBlend::new("trees", voices(&(&data).into()), by_hand()).unwrap().pool(pool).unwrap();
        check_scorer(&blend, &data, &shelf).unwrap_or_else(|e| panic!("{e}"));
        let outer = Blended::new("outer", [BlendPart::new(Arc::new(blend), 1.0).scale(PartScale::Deviations)]).unwrap();
        check_scorer(&outer, &data, &shelf).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// The parts of a score sum to it bit for bit, each is the forest's, and the ranker shows them below its own.
#[test]
fn explanations_are_the_score() {
    let data = Arc::new(shop(60, 1_500).finish().unwrap());
    let voices = voices(&(&*data).into());
    let blend = Arc::new(TreeBlend::new("trees", voices.clone(), by_hand()).unwrap());
    let ranker = Ranker::builder().scorer(blend, 1.0).build().unwrap();
    let snapshot = Snapshot::new(Arc::clone(&data), Arc::default(), Arc::new(ranker)).unwrap();
    let (now, mut silences) = (data.as_of(), 0);
    for user in data.users().map(|user| data.user_key(user)).take(20) {
        let request = Request::profiled(Consented::new(user, LawfulBasis::Contract), now).k(10);
        let list = snapshot.recommend(&request).unwrap();
        for item in list.iter() {
            let told = snapshot.explain(&request, item.id()).unwrap();
            let found = told.score.details.iter().find_map(|detail| deep(detail)).unwrap();
            let sum = found.details.iter().map(|part| part.value.unwrap()).fold(0.0, |a, b| a + b);
            assert_eq!(found.value.unwrap().to_bits(), f32::to_bits(sum + 0.0), "{found:?}");
            let opinions: Vec<Option<f32>> = found.details.iter().map(|part| part.details[0].value).collect();
            let adds: Vec<f32> = found.details.iter().map(|part| part.value.unwrap()).collect();
            assert_eq!(by_hand().contributions(&opinions), adds);
            silences += opinions.iter().filter(|opinion| opinion.is_none()).count();
        }
    }
    assert!(silences > 10, "silence was to be explained too");
}

/// The explanation of the trees, wherever it stands.
fn deep(explanation: &Explanation) -> Option<&Explanation> {
    let ours =
        matches!(&explanation.reason, Reason::Scorer { name, .. } if name == "trees") && explanation.details.len() == 3;
    if ours { Some(explanation) } else { explanation.details.iter().find_map(deep) }
}

/// The NDCG the learner saw on held-out lists is that of the lists the blend then makes.
#[test]
fn does_what_was_promised() {
    let questions =
        Questions::default().exclude(Exclusion::Seen(KindSet::ALL)).repeats(RepeatTargets::NewTo(KindSet::ALL));
    let task = Split::fraction(0.8).task(&shop(150, 8_000), &questions).unwrap();
    let (voices, run) = (voices(&task.training_set()), Run::new(1));
    let asked: Vec<&dyn Scorer> = voices.iter().map(|voice| &**voice).collect();
    let lists = JudgedLists::from_columns(&Columns::of(&task, &asked, 60, &run).unwrap());
    for shape in [Shape::Rising, Shape::Free] {
        let params = TreesParams { shape, rounds: 40, least: 20, ..TreesParams::default() }.check().unwrap();
        let learned = learn_trees(&params, &lists, &lists, &[0.5, 0.2, 0.3], &run).unwrap();
        assert!(learned.forest.trees() > 0);
        let blend = TreeBlend::new("trees", voices.clone(), learned.forest.clone()).unwrap().pool(60).unwrap();
        let made = task.lists(System::Scorer(&blend), 10, &run).unwrap();
        let metric: Box<dyn Metric> = Box::new(Ndcg(10));
        let reached = Goal::score(&[Goal { metric, weight: 1.0 }], &task, &made);
        // Cases no voice had a candidate for are not among the lists.
        let cases = task.cases().iter().filter(|case| case.n_targets() > 0).count() as f64;
        let promised = learned.curve[learned.forest.trees()] * lists.len() as f64 / cases;
        assert!((reached - promised).abs() < 0.002, "{shape:?}: {reached} {promised}");
        assert!(learned.curve[learned.forest.trees()] > learned.curve[0]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let data = shop(20, 300).finish().unwrap();
    let voices = voices(&(&data).into());
    let two = voices[..2].to_vec();
    assert_eq!(TreeBlend::new("t", two, by_hand()).unwrap_err(), TreeBlendError::Parts { parts: 2, forest: 3 });
    assert_eq!(
        TreeBlend::new("t", vec![], Forest::default()).unwrap_err(),
        TreeBlendError::Parts { parts: 0, forest: 0 }
    );
    assert!(matches!(TreeBlend::new(" ", voices.clone(), by_hand()), Err(TreeBlendError::Param(_))));
    let blend = TreeBlend::new("t", voices.clone(), by_hand()).unwrap();
    assert_eq!(blend.pool(0).unwrap_err().param, "pool");
    let mut elsewhere = DatasetBuilder::new(Lineage::new(77));
    elsewhere.items(["x"]).unwrap();
    let elsewhere = elsewhere.finish().unwrap();
    let stranger: Arc<dyn Scorer> =
        Arc::new(Checked::<PopularityParams>::default().fit(&(&elsewhere).into(), &Run::new(1)).unwrap());
    let mixed = vec![voices[0].clone(), voices[1].clone(), stranger];
    assert!(matches!(TreeBlend::new("t", mixed, by_hand()), Err(TreeBlendError::Lineage { .. })));
}
