//! Metrics: goldens by hand, the formulas written out as slow twins, and the identities between them.

use std::collections::BTreeSet;
use std::sync::Arc;

use likewise::evaluate::metric::*;
use likewise::evaluate::*;
use likewise::*;
use proptest::prelude::*;

use crate::common::{consented, day};

const N: u32 = 12;

fn item(number: u32) -> ItemIdx {
    ItemIdx::new(number)
}

/// A task over `N` items called i0, i1, ...: purchases of (shopper, item) on day 1, and a catalogue of tags.
fn task(bought: &[(&str, u32)], tags: &[(u32, &[&str])], cases: Vec<Case>) -> Task {
    let mut log = DatasetBuilder::default();
    let keys: Vec<String> = (0..N).map(|i| format!("i{i}")).collect();
    log.items(keys.iter().map(String::as_str)).unwrap();
    for (user, i) in bought {
        let who = Shopper::Profiled(consented(user));
        log.push(&Event::new(who, &keys[*i as usize], EventKind::Purchase, day(1))).unwrap();
    }
    let data = Arc::new(log.finish().unwrap());
    let mut catalog = CatalogBuilder::default().attribute("tags", AttributeKind::Tags).unwrap();
    catalog = catalog.attribute("price band", AttributeKind::Number).unwrap();
    for (i, tags) in tags {
        let record = tags.iter().fold(ItemRecord::new(&keys[*i as usize]), |record, tag| record.tag("tags", *tag));
        catalog.add(&record).unwrap();
    }
    let shelf = Shelf::new(&data, Arc::new(catalog.build()));
    Task::new(Arc::clone(&data), data, shelf, cases).unwrap()
}

fn plain() -> Task {
    task(&[], &[], Vec::new())
}

fn case(targets: &[(Option<u32>, f32)]) -> Case {
    Case::new(day(2), targets.iter().map(|&(i, value)| Target { item: i.map(item), value }))
}

fn of(metric: &dyn Metric, task: &Task, case: &Case, list: &[u32]) -> Option<f64> {
    let list: Vec<ItemIdx> = list.iter().map(|&i| item(i)).collect();
    metric.of(&Judged { task, case, list: &list })
}

fn close(a: Option<f64>, b: f64) {
    assert!(a.is_some_and(|a| (a - b).abs() < 1e-12), "{a:?} is not {b}");
}

#[test]
fn accuracy_by_hand() {
    // Hits at places 2 and 4; the third target nobody knows.
    let (task, case, list) = (plain(), case(&[(Some(1), 2.0), (Some(3), 6.0), (None, 8.0)]), [0, 1, 2, 3, 4]);
    let judge = |metric: &dyn Metric| of(metric, &task, &case, &list);
    close(judge(&Recall(4)), 2.0 / 3.0);
    close(judge(&Precision(4)), 0.5);
    close(judge(&Precision(10)), 0.2);
    close(judge(&HitRate(1)), 0.0);
    close(judge(&HitRate(2)), 1.0);
    close(judge(&Mrr(4)), 0.5);
    close(judge(&Mrr(1)), 0.0);
    close(judge(&Map(4)), (1.0 / 2.0 + 2.0 / 4.0) / 3.0);
    close(judge(&Map(2)), (1.0 / 2.0) / 2.0);
    close(judge(&RPrecision), 1.0 / 3.0);
    let (d2, d3, d4) = (1.0 / 3f64.log2(), 0.5, 1.0 / 5f64.log2());
    close(judge(&Ndcg(4)), (d2 + d4) / (1.0 + d2 + d3));
    close(judge(&RevenueRecall(4)), 8.0 / 16.0);
    close(judge(&RevenueRecall(2)), 2.0 / 16.0);
    close(judge(&RevenueNdcg(4)), (2.0 * d2 + 6.0 * d4) / (8.0 + 6.0 * d2 + 2.0 * d3));
    assert_eq!(RPrecision.depth(&case), 3);
    assert_eq!((Recall(4).name(), RPrecision.name()), ("recall@4".to_owned(), "r_precision".to_owned()));
}

#[test]
fn without_a_question_there_is_no_answer() {
    let (task, nothing, worthless) = (plain(), case(&[]), case(&[(Some(1), 0.0)]));
    let all: [&dyn Metric; 8] =
        [&Recall(5), &Precision(5), &HitRate(5), &Ndcg(5), &Map(5), &Mrr(5), &RPrecision, &RevenueRecall(5)];
    for metric in all {
        assert_eq!(of(metric, &task, &nothing, &[1, 2]), None, "{}", metric.name());
    }
    assert_eq!(of(&RevenueNdcg(5), &task, &worthless, &[1]), None);
    let question = case(&[(Some(1), 1.0)]);
    for metric in [&Recall(5) as &dyn Metric, &Ndcg(5), &HitRate(5), &Mrr(5), &Map(5), &Precision(5)] {
        assert_eq!(of(metric, &task, &question, &[]), Some(0.0), "an empty list is a bad one: {}", metric.name());
    }
    assert_eq!(of(&Precision(0), &task, &question, &[1]), None);
    assert_eq!(of(&Ndcg(0), &task, &question, &[1]), None);
    assert_eq!(of(&Novelty(5), &task, &question, &[]), None);
}

#[test]
fn auc_by_hand() {
    let task = plain();
    // 12 items, 4 of them listed; 10 others. Target 1 has one above it, target 3 two, the unknown one all.
    let known = case(&[(Some(1), 1.0), (Some(3), 1.0), (None, 1.0)]);
    close(of(&Auc, &task, &known, &[0, 1, 2, 3]), (9.0 + 8.0 + 0.0) / 30.0);
    // Target 7 is not listed: level with the 7 others that are not either.
    let tied = case(&[(Some(1), 1.0), (Some(7), 1.0)]);
    close(of(&Auc, &task, &tied, &[0, 1, 2, 3]), (9.0 + 3.5) / 20.0);
    // What the shopper bought is excluded: 0 and 5 are no others, and the target 5 cannot be found.
    let bought = super::evaluate_metric::task(&[("ann", 0), ("ann", 5)], &[], Vec::new());
    let bought = bought.exclude(Exclusion::Seen(KindSet::ALL));
    let ann = case(&[(Some(1), 1.0), (Some(5), 1.0)]).of(UserIdx::new(0));
    close(of(&Auc, &bought, &ann, &[2, 1]), (8.0 + 0.0) / 18.0);
    let everything = case(&(0..N).map(|i| (Some(i), 1.0)).collect::<Vec<_>>());
    assert_eq!(of(&Auc, &task, &everything, &[0]), None);
}

const CROWD: [(&str, u32); 7] = [("a", 0), ("b", 0), ("c", 0), ("d", 0), ("a", 1), ("b", 1), ("d", 2)];

#[test]
fn popularity_by_hand() {
    let task = task(&CROWD, &[], Vec::new());
    let d = case(&[(Some(1), 1.0), (Some(2), 1.0)]).of(UserIdx::new(3));
    // Of four shoppers four, two, one and none have item 0, 1, 2, 9: 0, 1, 2 and 2 bits.
    close(of(&Novelty(4), &task, &d, &[0, 1, 2, 9]), 5.0 / 4.0);
    close(of(&AveragePopularity(2), &task, &d, &[0, 1, 2]), 3.0);
    // d has items 0 and 2, of popularity 4 and 1.
    close(of(&PopularityLift(2), &task, &d, &[0, 1]), 3.0 / 2.5 - 1.0);
    assert_eq!(of(&PopularityLift(2), &task, &case(&[]), &[0, 1]), None, "a stranger chose nothing");
    let serendipity = Serendipity::new(2, &task);
    close(of(&serendipity, &task, &d, &[1, 2]), 0.5); // 0 and 1 were to be expected
    let task = task.exclude(Exclusion::Seen(KindSet::ALL));
    close(of(&Serendipity::new(2, &task), &task, &d, &[1, 9]), 0.0); // now 1 and 3 are
}

#[derive(Debug)]
struct Quarter;

impl Scorer for Quarter {
    fn name(&self) -> &str {
        "quarter"
    }
    fn extent(&self) -> Extent {
        Extent::default()
    }
    fn score(&self, _: &Context<'_>, _: &mut Scores<'_>, _: &mut Workspace) {}
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        (a.get() + b.get() < 4).then_some(0.25)
    }
}

#[test]
fn variety_by_hand() {
    let tags: [(u32, &[&str]); 4] = [(0, &["red", "soft"]), (1, &["soft", "wool"]), (2, &["red"]), (3, &["red"])];
    let task = task(&[("ann", 2), ("ann", 3)], &tags, Vec::new());
    let ann = case(&[(Some(0), 1.0)]).of(UserIdx::new(0));
    let diversity = Diversity::by_attribute(5, &task, "tags").unwrap();
    close(of(&diversity, &task, &ann, &[0, 1]), 2.0 / 3.0);
    close(of(&diversity, &task, &ann, &[2, 3]), 0.0);
    close(of(&diversity, &task, &ann, &[2, 9, 1]), 1.0); // 9 has no tags: one pair is left
    assert_eq!(of(&diversity, &task, &ann, &[9, 2]), None);
    close(of(&Diversity::by_scorer(5, Arc::new(Quarter)), &task, &ann, &[0, 1, 9]), 0.75);
    assert_eq!(diversity.name(), "diversity@5(tags)");
    let error = Diversity::by_attribute(5, &task, "price band").unwrap_err();
    assert!(error.to_string().contains("price band"));

    let calibration = Calibration::new(5, &task, "tags").unwrap();
    close(of(&calibration, &task, &ann, &[2, 3]), 0.0);
    close(of(&calibration, &task, &ann, &[2, 0]), (1.0 / (0.99 * 0.75 + 0.01f64)).ln());
    close(of(&calibration, &task, &ann, &[1]), 100f64.ln());
    assert_eq!(of(&calibration, &task, &ann, &[9]), None);
    assert_eq!(of(&calibration, &task, &case(&[]), &[2]), None);
}

#[test]
fn aggregates_by_hand() {
    let task = plain();
    let lists = |of: &[&[u32]]| of.iter().map(|l| l.iter().map(|&i| item(i)).collect::<Vec<_>>()).collect::<Lists>();
    let three = lists(&[&[0, 1, 2], &[0, 1], &[]]);
    close(Coverage(2).of(&task, &three), 2.0 / 12.0);
    close(Coverage(3).of(&task, &three), 3.0 / 12.0);
    close(UserCoverage(1).of(&task, &three), 2.0 / 3.0);
    close(UserCoverage(3).of(&task, &three), 1.0 / 3.0);
    // Ascending: nine zeros, 1, 2, 2.
    close(Gini(3).of(&task, &three), (7.0 + 2.0 * 9.0 + 2.0 * 11.0) / (12.0 * 5.0));
    close(Gini(1).of(&task, &lists(&[&[4], &[4]])), 11.0 / 12.0);
    let all: Vec<u32> = (0..N).collect();
    close(Gini(12).of(&task, &lists(&[&all])), 0.0);
    assert_eq!(Gini(1).of(&task, &lists(&[&[]])), None);
    assert_eq!((Coverage(1).of(&task, &lists(&[])), UserCoverage(1).of(&task, &lists(&[]))), (Some(0.0), None));
}

#[test]
fn a_sampled_metric_says_so() {
    let task = plain();
    let sampled = Sampled::new(Recall(1), 3, 7);
    assert_eq!(sampled.name(), "sampled_recall@1(3 negatives)");
    // The target stands at place 8 of 12: full recall@1 is 0, but against 3 of 11 others it is often first.
    let list: Vec<u32> = (0..N).collect();
    let cases = (0..400).map(|i| Case::new(day(i), [Target { item: Some(item(7)), value: 1.0 }]));
    let found: f64 = cases.map(|case| of(&sampled, &task, &case, &list).unwrap()).sum();
    // None of the 7 above it among 3 of 11: 4·3·2 / (11·10·9).
    let expected = 400.0 * 24.0 / 990.0;
    assert!((found - expected).abs() < 4.0 * expected.sqrt(), "{found} of 400, not about {expected}");
}

#[derive(Clone, Debug)]
struct Question {
    list: Vec<u32>,
    targets: BTreeSet<u32>,
    unknown: usize,
    k: usize,
}

fn question() -> impl Strategy<Value = Question> {
    let list = (Just((0..N).collect::<Vec<_>>()).prop_shuffle(), 0..=N as usize).prop_map(|(mut all, n)| {
        all.truncate(n);
        all
    });
    (list, prop::collection::btree_set(0..N, 0..6), 0..3usize, 1..15usize)
        .prop_map(|(list, targets, unknown, k)| Question { list, targets, unknown, k })
}

impl Question {
    fn case(&self, value: impl Fn(u32) -> f32) -> Case {
        let known = self.targets.iter().map(|&i| (Some(i), value(i)));
        case(&known.chain((0..self.unknown).map(|_| (None, value(N)))).collect::<Vec<_>>())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_formula_written_out(q in question()) {
        let (task, case, k) = (plain(), q.case(|i| i as f32), q.k);
        let judge = |metric: &dyn Metric| of(metric, &task, &case, &q.list);
        let n = q.targets.len() + q.unknown;
        let hit = |place: usize| q.list.get(place - 1).is_some_and(|i| q.targets.contains(i));
        let hits = |upto: usize| (1..=upto).filter(|&p| hit(p)).count() as f64;
        if n == 0 {
            prop_assert_eq!(judge(&Recall(k)), None);
            return Ok(());
        }
        close(judge(&Recall(k)), hits(k) / n as f64);
        close(judge(&Precision(k)), hits(k) / k as f64);
        close(judge(&HitRate(k)), if hits(k) > 0.0 { 1.0 } else { 0.0 });
        close(judge(&Mrr(k)), (1..=k).find(|&p| hit(p)).map_or(0.0, |p| 1.0 / p as f64));
        close(judge(&RPrecision), hits(n) / n as f64);
        let map: f64 = (1..=k).filter(|&p| hit(p)).map(|p| hits(p) / p as f64).sum();
        close(judge(&Map(k)), map / n.min(k) as f64);
        let dcg: f64 = (1..=k).filter(|&p| hit(p)).map(|p| 1.0 / ((p + 1) as f64).log2()).sum();
        let ideal: f64 = (1..=k.min(n)).map(|p| 1.0 / ((p + 1) as f64).log2()).sum();
        close(judge(&Ndcg(k)), dcg / ideal);
        // Pairs: every target against every other item; unlisted ones share the last place.
        let place = |i: u32| q.list.iter().position(|&l| l == i).unwrap_or(N as usize);
        let others: Vec<u32> = (0..N).filter(|i| !q.targets.contains(i)).collect();
        let won: f64 = q.targets.iter().flat_map(|&t| others.iter().map(move |&o| (t, o))).map(|(t, o)| {
            match place(t).cmp(&place(o)) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 0.0,
            }
        }).sum();
        close(judge(&Auc), won / (n * others.len()) as f64);
        let worth = |upto: usize| (1..=upto).filter(|&p| hit(p)).map(|p| f64::from(q.list[p - 1])).sum::<f64>();
        let all: f64 = q.targets.iter().map(|&i| f64::from(i)).sum::<f64>() + (q.unknown as u32 * N) as f64;
        if all > 0.0 {
            close(judge(&RevenueRecall(k)), worth(k) / all);
        }
    }

    #[test]
    fn the_identities(q in question()) {
        let (task, case, k) = (plain(), q.case(|_| 3.0), q.k);
        let judge = |metric: &dyn Metric, list: &[u32]| of(metric, &task, &case, list);
        let n = q.targets.len() + q.unknown;
        prop_assume!(n > 0);
        let get = |metric: &dyn Metric| judge(metric, &q.list).unwrap();
        close(Some(get(&Recall(k)) * n as f64), get(&Precision(k)) * k as f64);
        close(Some(get(&RPrecision)), get(&Recall(n)));
        close(Some(get(&RPrecision)), get(&Precision(n)));
        close(Some(get(&RevenueRecall(k))), get(&Recall(k)));
        close(Some(get(&RevenueNdcg(k))), get(&Ndcg(k)));
        prop_assert!(get(&Mrr(k)) <= get(&HitRate(k)) && get(&Map(k)) <= get(&Recall(k)) * n as f64 / n.min(k) as f64 + 1e-12);
        if n == 1 {
            close(Some(get(&Recall(k))), get(&HitRate(k)));
            close(Some(get(&Map(k))), get(&Mrr(k)));
            let place = q.list.iter().take(k).position(|i| q.targets.contains(i));
            close(Some(get(&Ndcg(k))), place.map_or(0.0, |p| 1.0 / ((p + 2) as f64).log2()));
        }
        for metric in [&Recall(k) as &dyn Metric, &Precision(k), &HitRate(k), &Ndcg(k), &Map(k), &Mrr(k), &Auc] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&get(metric)), "{}", metric.name());
            // Moving a hit one place up never hurts.
            for place in 1..q.list.len() {
                if q.targets.contains(&q.list[place]) {
                    let mut better = q.list.clone();
                    better.swap(place - 1, place);
                    prop_assert!(judge(metric, &better).unwrap() >= get(metric) - 1e-12, "{}", metric.name());
                }
            }
        }
        if q.list.len() == N as usize && q.unknown == 0 {
            let reversed: Vec<u32> = q.list.iter().rev().copied().collect();
            close(judge(&Auc, &reversed), 1.0 - get(&Auc));
        }
        // Against all others a sample is the full ranking.
        close(judge(&Sampled::new(Ndcg(k), N as usize, 1), &q.list), get(&Ndcg(k)));
    }
}
