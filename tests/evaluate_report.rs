//! Judging and reporting: the same for any number of threads, and nothing lost between lists and means.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use likewise::evaluate::metric::*;
use likewise::evaluate::*;
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::*;

fn shop() -> (DatasetBuilder, Arc<Catalog>) {
    let params = ShopParams { items: 80, users: 150, events: 6_000, ..ShopParams::default() };
    let shop = SyntheticShop::new(params.check().unwrap());
    let mut log = DatasetBuilder::default();
    log.ingest(&shop).unwrap();
    (log, Arc::new(shop.catalog().unwrap()))
}

fn task(share: f64) -> Task {
    let (log, catalog) = shop();
    let bought = KindSet::of(&[EventKind::Purchase]);
    let questions = Questions::default().catalog(catalog).exclude(Exclusion::Seen(bought));
    Split::fraction(share).task(&log, &questions).unwrap()
}

fn popular(task: &Task) -> Popularity {
    PopularityParams::default().check().unwrap().fit(&task.training_set(), &Run::new(1)).unwrap()
}

fn evaluation(task: &Task) -> Evaluation {
    Evaluation::at(10)
        .metric(RPrecision)
        .metric(Auc)
        .metric(Sampled::new(Ndcg(10), 20, 1))
        .metric(RevenueNdcg(10))
        .metric(Novelty(10))
        .metric(Serendipity::new(10, task))
        .metric(PopularityLift(10))
        .metric(Diversity::by_attribute(10, task, "category").unwrap())
        .metric(Calibration::new(10, task, "category").unwrap())
        .segments(Segments::by_history(&[0, 10, 40]))
        .segments(Segments::by_popularity(task, 0.5))
        .segments(Segments::cases("parity", ["even", "odd"], |_, case| case.user.map(|u| u.as_usize() % 2)))
        .resamples(50)
}

#[test]
fn the_same_for_any_number_of_threads_and_whether_lists_are_kept_or_not() {
    let task = task(0.8);
    let (model, evaluation) = (popular(&task), evaluation(&task));
    let all = |run: &Run<'_>| {
        let judged = evaluation.judge(&task, System::Scorer(&model), run).unwrap();
        let lists = task.lists(System::Scorer(&model), task.shelf().n_items(), run).unwrap();
        let again = evaluation.judge_lists(&task, &lists, run);
        assert_eq!(judged.report(run), again.report(run));
        assert!(
            judged
                .compare(&again, run)
                .unwrap()
                .iter()
                .all(|c| c.difference.is_none_or(|d| d == 0.0) && c.p_value == 1.0)
        );
        judged.report(run)
    };
    let serial = all(&Run::new(5).threads(Parallelism::Serial));
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(serial, pool.install(|| all(&Run::new(5))));
    }
    assert_eq!(serial.cases, task.cases().len());
    for estimate in &serial.metrics {
        assert!(estimate.cases > 0 && estimate.low <= estimate.mean && estimate.mean <= estimate.high, "{estimate:?}");
    }
    let other = evaluation.judge(&task, System::Scorer(&model), &Run::new(6)).unwrap().report(&Run::new(6));
    assert_ne!(serial.metrics[0].low, other.metrics[0].low, "another seed draws other cases");
    assert_eq!(serial.metrics[0].mean, other.metrics[0].mean);
}

#[test]
fn means_and_segments_are_those_of_the_lists() {
    let task = task(0.7);
    let (model, evaluation) = (popular(&task), evaluation(&task));
    let run = Run::new(1);
    let judged = evaluation.judge(&task, System::Scorer(&model), &run).unwrap();
    let lists = task.lists(System::Scorer(&model), 10, &run).unwrap();
    let recall = |i: usize| Recall(10).of(&Judged { task: &task, case: &task.cases()[i], list: lists.of(i) }).unwrap();
    let n = task.cases().len();
    let mean = (0..n).map(recall).sum::<f64>() / n as f64;
    assert!((judged.mean("recall@10").unwrap() - mean).abs() < 1e-12);
    assert_eq!(judged.values("recall@10").collect::<Vec<_>>(), (0..n).map(|i| Some(recall(i))).collect::<Vec<_>>());
    assert_eq!((judged.mean("recall"), judged.values("recall").count()), (None, 0));

    let report = judged.report(&run);
    let segment = |by: &str, label: &str| {
        report.segments.iter().find(|s| s.by == by && s.segment == label).unwrap_or_else(|| panic!("{by} {label}"))
    };
    let even: Vec<usize> = (0..n).filter(|&i| task.cases()[i].user.unwrap().as_usize() % 2 == 0).collect();
    assert_eq!(segment("parity", "even").cases, even.len());
    let own = even.iter().map(|&i| recall(i)).sum::<f64>() / even.len() as f64;
    assert!((segment("parity", "even").metrics[0].mean.unwrap() - own).abs() < 1e-12);
    let history: usize = ["0-9", "10-39", "40+"].iter().map(|label| segment("history", label).cases).sum();
    assert_eq!(history, n);
    // A target belongs to the head or the tail, and a popularity list finds the head.
    let found = |label: &str| segment("popularity", label).metrics[0].mean;
    assert!(found("head").unwrap() > found("tail").unwrap());
    assert!(found("new").is_none_or(|found| found == 0.0));
}

#[test]
fn systems_are_compared_case_by_case() {
    let task = task(0.8);
    let evaluation = Evaluation::at(10).resamples(200).permutations(999);
    let run = Run::new(3);
    let together = CoOccurrenceParams::default().check().unwrap();
    let first = evaluation.fit_and_judge(&task, &together, &run).unwrap();
    let second = evaluation.judge(&task, System::Scorer(&popular(&task)), &run).unwrap();
    let (ahead, behind) = (first.compare(&second, &run).unwrap(), second.compare(&first, &run).unwrap());
    for (a, b) in ahead.iter().zip(&behind) {
        assert!((a.difference.unwrap() + b.difference.unwrap()).abs() < 1e-12);
        assert!((a.low.unwrap() + b.high.unwrap()).abs() < 1e-12);
        assert_eq!((a.p_value, a.cases), (b.p_value, b.cases));
        let means = first.mean(&a.metric).unwrap() - second.mean(&a.metric).unwrap();
        assert!((a.difference.unwrap() - means).abs() < 1e-12);
        assert!(
            (a.p_value < 0.05) == (a.low.unwrap() > 0.0 || a.high.unwrap() < 0.0) || (a.p_value - 0.05).abs() < 0.04
        );
    }
    let elsewhere = evaluation.judge(&self::task(0.6), System::Scorer(&popular(&self::task(0.6))), &run).unwrap();
    assert!(matches!(first.compare(&elsewhere, &run), Err(CompareError::Cases { .. })));
    let otherwise = Evaluation::at(5).judge(&task, System::Scorer(&popular(&task)), &run).unwrap();
    assert!(matches!(first.compare(&otherwise, &run), Err(CompareError::Metrics { .. })));
}

#[test]
fn what_is_served_is_judged_by_the_same_code() {
    let task = task(0.8);
    let model = popular(&task);
    let run = Run::new(1);
    let ranker = Ranker::builder().scorer(Arc::new(model.clone()), 1.0).candidates(1000).build().unwrap();
    let snapshot = task.snapshot(Arc::new(ranker)).unwrap();
    let served = task.lists(System::Snapshot(&snapshot), 10, &run).unwrap();
    assert_eq!(served, task.lists(System::Scorer(&model), 10, &run).unwrap());
}

#[test]
fn reports_are_plain_json() {
    let task = task(0.8);
    let run = Run::new(1);
    let judged = evaluation(&task).judge(&task, System::Scorer(&popular(&task)), &run).unwrap();
    let json = serde_json::to_value(judged.report(&run)).unwrap();
    assert_eq!(json["metrics"][0]["metric"], "recall@10");
    assert!(json["metrics"][0]["mean"].is_f64() && json["metrics"][0]["low"].is_f64());
    assert_eq!(json["aggregates"][0]["metric"], "coverage@10");
    assert_eq!(json["segments"][0]["by"], "history");
    let compared = serde_json::to_value(judged.compare(&judged, &run).unwrap()).unwrap();
    assert_eq!(compared[0]["p_value"], 1.0);
}

#[test]
fn a_judgement_can_be_cancelled_and_need_not_have_metrics() {
    let task = task(0.8);
    let cancel = AtomicBool::new(true);
    let model = popular(&task);
    let run = Run::new(1).cancel(&cancel);
    assert!(Evaluation::at(5).judge(&task, System::Scorer(&model), &run).is_err());
    let run = Run::new(1);
    let none =
        Evaluation::new().segments(Segments::by_history(&[0])).judge(&task, System::Scorer(&model), &run).unwrap();
    let report = none.report(&run);
    assert_eq!((report.cases, report.metrics.len(), report.segments.len()), (task.cases().len(), 0, 1));
    let no_cases = task.with_cases(Vec::new()).unwrap();
    let report = evaluation(&task).judge(&no_cases, System::Scorer(&model), &run).unwrap().report(&run);
    assert!(report.metrics.iter().all(|estimate| estimate.mean.is_none() && estimate.low.is_none()));
    let certain = Evaluation::at(5).resamples(0).judge(&task, System::Scorer(&model), &run).unwrap().report(&run);
    assert!(certain.metrics[0].low.is_none() && certain.metrics[0].mean.is_some());
}
