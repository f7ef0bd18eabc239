//! Association and sequential rules: against nested loops, against published reference lists, worked by hand.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use approx::assert_relative_eq;
use likewise::testing::{ShopParams, SyntheticShop, Trial, check_params, check_scorer, opinions};
use likewise::*;
use proptest::prelude::*;

fn click(builder: &mut DatasetBuilder, session: &str, item: &str, second: i64) {
    let who = Shopper::Anonymous { session };
    builder.push(&Event::new(who, item, EventKind::View, Timestamp::from_secs(second)).session(session)).unwrap();
}

fn shop(sessions: &[Vec<u8>]) -> DatasetBuilder {
    let mut builder = DatasetBuilder::default();
    builder.items((0..6).map(|i| format!("i{i}")).collect::<Vec<_>>().iter().map(String::as_str)).unwrap();
    for (n, clicks) in sessions.iter().enumerate() {
        clicks.iter().zip(0..).for_each(|(i, second)| click(&mut builder, &format!("s{n}"), &format!("i{i}"), second));
    }
    builder
}

fn fit<F: Fit>(recipe: &F, data: &Dataset) -> F::Model {
    recipe.fit(&data.into(), &Run::default()).unwrap()
}

fn sessions() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(0u8..6, 0..12), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn rules_equal_nested_loops(sessions in sessions(), steps in 1usize..8, w in 0usize..4) {
        let data = shop(&sessions).finish().unwrap();
        let weighting = [StepWeight::Div, StepWeight::Quadratic, StepWeight::Linear, StepWeight::Log][w];
        let mut ordered: BTreeMap<(u8, u8), f64> = BTreeMap::new();
        let mut any = ordered.clone();
        for clicks in &sessions {
            for (p, &a) in clicks.iter().enumerate() {
                for (q, &b) in clicks.iter().enumerate().skip(p + 1).take(steps) {
                    let d = (q - p) as f64;
                    *ordered.entry((a, b)).or_default() += match weighting {
                        StepWeight::Div => 1.0 / d,
                        StepWeight::Quadratic => 1.0 / (d * d),
                        StepWeight::Linear => 1.0 - d / 10.0,
                        _ => 1.0 / (d + 1.7).log10(),
                    };
                    *any.entry((a, b)).or_default() += 1.0;
                    *any.entry((b, a)).or_default() += 1.0;
                }
            }
        }
        let sequential = SequentialRulesParams { steps, weighting, ..Default::default() }.check().unwrap();
        let association = AssociationRulesParams { steps, ..Default::default() }.check().unwrap();
        for (model, slow) in [(fit(&sequential, &data), ordered), (fit(&association, &data), any)] {
            for (a, b) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))) {
                let expected = slow.get(&(a, b)).copied().unwrap_or(0.0);
                let got = model.strength(ItemIdx::new(a.into()), ItemIdx::new(b.into())).unwrap();
                assert_relative_eq!(got, expected, epsilon = 1e-6);
            }
        }
    }

    #[test]
    fn an_update_is_a_rebuild(first in sessions(), second in prop::collection::vec((0u8..8, 0u8..9), 0..10)) {
        let mut shop = shop(&first);
        let before = shop.build().unwrap();
        for &(session, item) in &second {
            click(&mut shop, &format!("s{session}"), &format!("i{item}"), 100);
        }
        let (after, run) = (shop.build().unwrap(), Run::default());
        let delta = Delta::between(&before, &after).unwrap();
        let sequential = SequentialRulesParams { rules: 3, ..Default::default() }.check().unwrap();
        let updated = sequential.update(&fit(&sequential, &before), &delta, None, &run).unwrap();
        prop_assert_eq!(updated, fit(&sequential, &after));
        let association = Checked::<AssociationRulesParams>::default();
        let updated = association.update(&fit(&association, &before), &delta, None, &run).unwrap();
        prop_assert_eq!(updated, fit(&association, &after));
    }
}

#[test]
fn worked_by_hand() {
    let data = shop(&[vec![0, 1, 0, 2], vec![0, 2]]).finish().unwrap();
    let i = |n: u32| ItemIdx::new(n);
    let rules = fit(&Checked::<SequentialRulesParams>::default(), &data);
    // 0 → 2: at distances 3 and 1 of the first session, 1 of the second; 0 → 0 at distance 2.
    let list = rules.after(i(0), 9);
    assert_eq!(list.iter().map(|s| s.item).collect::<Vec<_>>(), [i(2), i(1), i(0)]);
    assert_relative_eq!(list[0].score, 7.0 / 3.0, max_relative = 1e-6);
    assert_eq!((list[1].score, list[2].score), (1.0, 0.5));

    let shelf = Shelf::bare(&data);
    let touch = |n| Touch { item: i(n), kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let history = [touch(0), touch(1)];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, 2);
    // 1 → 2 at distance 2 has half a say.
    let scores = opinions(&rules, &cx, &[i(2), i(0), i(3)]);
    assert_relative_eq!(scores[0].unwrap(), 7.0 / 3.0 + 0.5 * 0.5, max_relative = 1e-6);
    assert_eq!((scores[1], scores[2]), (Some(0.5 + 0.5), None));
    let excluded = SequentialRulesParams { current: CurrentItem::Excluded, ..Default::default() };
    assert_eq!(opinions(&fit(&excluded.check().unwrap(), &data), &cx, &[i(0)]), [None]);
}

#[test]
fn lawful_for_any_number_of_threads() {
    let params = ShopParams { items: 200, users: 300, events: 6_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap();
    let data = builder.finish().unwrap();
    let sequential = Checked::<SequentialRulesParams>::default();
    let serial = sequential.fit(&(&data).into(), &Run::default().threads(Parallelism::Serial)).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
    assert_eq!(pool.install(|| fit(&sequential, &data)), serial);
    check_scorer(&serial, &data, &Shelf::bare(&data)).unwrap();
    let association = AssociationRulesParams { current: CurrentItem::Excluded, ..Default::default() };
    check_scorer(&fit(&association.check().unwrap(), &data), &data, &Shelf::bare(&data)).unwrap();
    check_params::<SequentialRulesParams>().unwrap();
    check_params::<AssociationRulesParams>().unwrap();
}

#[test]
fn nothing_and_one_item() {
    let empty = fit(&Checked::<AssociationRulesParams>::default(), &DatasetBuilder::default().finish().unwrap());
    assert!(empty.after(ItemIdx::new(0), 5).is_empty());
    let one = fit(&Checked::<AssociationRulesParams>::default(), &shop(&[vec![0, 0, 0]]).finish().unwrap());
    assert_eq!(one.after(ItemIdx::new(0), 5), [Scored { item: ItemIdx::new(0), score: 6.0 }]);
}

fn text(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Clicks of each session in the order of time, equal times in the order of the file.
fn clicks(text: &str) -> BTreeMap<u64, Vec<(f64, &str)>> {
    let mut sessions: BTreeMap<u64, Vec<(f64, &str)>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        sessions.entry(fields[0].parse().unwrap()).or_default().push((fields[2].parse().unwrap(), fields[1]));
    }
    sessions.values_mut().for_each(|clicks| clicks.sort_by(|a, b| a.0.total_cmp(&b.0)));
    sessions
}

/// The published lists of two rule miners on 387 session prefixes. Equal scores come in any order there, so scores are
/// compared, not items.
#[test]
fn equal_to_the_reference_lists() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/yoochoose-100k");
    if !dir.exists() {
        println!("skipped: {} is not there", dir.display());
        return;
    }
    let (train, test) = (text(&dir.join("train.tsv.gz")), text(&dir.join("test.tsv.gz")));
    let mut builder = DatasetBuilder::default();
    for (session, clicks) in clicks(&train) {
        let session = session.to_string();
        clicks.iter().for_each(|&(at, item)| click(&mut builder, &session, item, at as i64));
    }
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let test = clicks(&test);

    let sequential = SequentialRulesParams {
        steps: 20,
        weighting: StepWeight::Quadratic,
        rules: 20,
        history: 1,
        ..Default::default()
    };
    let association = AssociationRulesParams { rules: 20, history: 1, ..Default::default() };
    let models = [
        ("reference_ar.csv.gz", fit(&association.check().unwrap(), &data)),
        ("reference_sr.csv.gz", fit(&sequential.check().unwrap(), &data)),
    ];
    let mut trial = Trial::default();
    for (file, model) in models {
        let reference = text(&dir.join(file));
        let (mut equal, mut all) = (0, 0);
        for line in reference.lines().skip(1) {
            let fields: Vec<&str> = line.split(';').collect();
            let position: usize = fields[1].parse().unwrap();
            let (at, item) = test[&fields[0].parse().unwrap()][position];
            let now = Timestamp::from_secs(at as i64);
            let history: Vec<Touch> = data
                .item(item)
                .map(|item| Touch { item, kind: EventKind::View, at: now, weight: 1.0 })
                .into_iter()
                .collect();
            let mut cx = Context::new(&data, &shelf, now);
            (cx.history, cx.session_len) = (&history, history.len());
            let ours = trial.ask(&model, &cx, 20);
            let largest = ours.first().map_or(1.0, |s| s.score);
            let mut theirs: Vec<f64> = fields[3].split(',').map(|s| s.parse().unwrap()).collect();
            theirs.sort_by(|a, b| b.total_cmp(a));
            theirs.truncate(20);
            let ours = ours.iter().map(|s| f64::from(s.score / largest)).chain(std::iter::repeat(0.0));
            all += 1;
            equal += usize::from(theirs.iter().zip(ours).all(|(theirs, ours)| (theirs - ours).abs() < 1e-6));
        }
        assert_eq!((file, equal), (file, all));
        assert!(all >= 387, "{file}: {all} lists");
    }
}
