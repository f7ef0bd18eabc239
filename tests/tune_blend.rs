//! Weights of blends over opinions asked once: what they promise is what the blend then does.

use std::sync::Arc;

use likewise::evaluate::metric::{HitRate, Mrr, Ndcg, Recall};
use likewise::evaluate::{Exclusion, Questions, RepeatTargets, Split, System, Task};
use likewise::recipe::{BlendRecipe, model};
use likewise::testing::{ShopParams, SyntheticShop};
use likewise::tune::{Aim, Columns, Flow, Goal, OnTask, Study, StudyParams};
use likewise::{
    BlendPart, Blended, DatasetBuilder, Fit, KindSet, Parallelism, PopularityParams, Run, Scorer, Span, Validate,
};

fn task() -> Task {
    let shop = SyntheticShop::new(ShopParams { items: 150, events: 8_000, ..ShopParams::default() }.check().unwrap());
    let mut log = DatasetBuilder::default();
    log.ingest(&shop).unwrap();
    let questions =
        Questions::default().exclude(Exclusion::Seen(KindSet::ALL)).repeats(RepeatTargets::NewTo(KindSet::ALL));
    Split::fraction(0.8).task(&log, &questions).unwrap()
}

fn parts(task: &Task) -> Vec<Arc<dyn Scorer>> {
    let fit = |text: &str| {
        let blend: BlendRecipe = text.parse().unwrap();
        Arc::new(blend.build().unwrap().fit(&task.training_set(), &Run::new(1)).unwrap()) as Arc<dyn Scorer>
    };
    vec![fit("co_view*1"), fit("popularity*1@rank"), fit("co_view:unit=shopper,recency=none*1")]
}

/// `@` scales are inside the parts already.
fn blended(parts: &[Arc<dyn Scorer>], weights: &[f32]) -> Blended {
    let part = |(scorer, &weight): (&Arc<dyn Scorer>, &f32)| {
        BlendPart::new(Arc::clone(scorer), weight).scale(likewise::PartScale::AsIs)
    };
    Blended::new("all", parts.iter().zip(weights).map(part)).unwrap()
}

fn columns(task: &Task, parts: &[Arc<dyn Scorer>], run: &Run<'_>) -> Columns {
    let parts: Vec<&dyn Scorer> = parts.iter().map(|part| &**part).collect();
    Columns::of(task, &parts, 200, run).unwrap()
}

#[test]
fn a_weighting_is_worth_what_the_blend_is() {
    let task = task();
    let parts = parts(&task);
    let run = Run::new(1);
    let columns = columns(&task, &parts, &run);
    assert_eq!(columns.parts(), 3);
    for weights in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.2, 0.3], [0.1, 0.1, 0.8]] {
        let blend = blended(&parts, &weights);
        let lists = task.lists(System::Scorer(&blend), 10, &run).unwrap();
        let goal =
            |metric: Box<dyn likewise::evaluate::Metric>| Goal::score(&[Goal { metric, weight: 1.0 }], &task, &lists);
        let none = Aim { ndcg: 0.0, ..Aim::ndcg(10) };
        for (aim, slow) in [
            (Aim::ndcg(10), goal(Box::new(Ndcg(10)))),
            (Aim { hit_rate: 1.0, ..none }, goal(Box::new(HitRate(10)))),
            (Aim { mrr: 1.0, ..none }, goal(Box::new(Mrr(10)))),
            (Aim { recall: 1.0, ..none }, goal(Box::new(Recall(10)))),
        ] {
            let fast = columns.score(&weights, &aim, &run);
            assert!((fast - slow).abs() < 1e-12, "{weights:?} {aim:?}: {fast} and {slow}");
        }
    }
}

#[test]
fn tuned_weights_beat_every_part_and_the_middle_on_any_pool() {
    let task = task();
    let parts = parts(&task);
    let columns = columns(&task, &parts, &Run::new(1));
    let aim = Aim::ndcg(10);
    let tuned = columns.tune(&aim, 30, &Run::new(5).threads(Parallelism::Serial));
    let third = 1.0 / 3.0;
    for weights in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [third, third, third]] {
        assert!(tuned.score >= columns.score(&weights, &aim, &Run::new(1)), "{weights:?} is better than {tuned:?}");
    }
    assert!((tuned.weights.iter().sum::<f32>() - 1.0).abs() < 1e-3 && tuned.weights.iter().all(|&w| w >= 0.0));
    assert_eq!(columns.score(&tuned.weights, &aim, &Run::new(1)), tuned.score);
    for threads in [1, 2, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| columns.tune(&aim, 30, &Run::new(5))), tuned);
    }
}

#[test]
fn no_parts_and_no_cases_are_no_trouble() {
    let task = task();
    let none = Columns::of(&task, &[], 10, &Run::new(1)).unwrap();
    assert!(none.tune(&Aim::ndcg(10), 5, &Run::new(1)).weights.is_empty());
    let nobody = task.with_cases(Vec::new()).unwrap();
    let parts = parts(&nobody);
    let tuned = columns(&nobody, &parts, &Run::new(1)).tune(&Aim::ndcg(10), 5, &Run::new(1));
    assert_eq!(tuned.score, 0.0);
}

#[test]
fn a_study_on_a_task_does_not_end_below_the_defaults() {
    let task = task();
    let kind = model("popularity").unwrap();
    let goals = [Goal::of(Ndcg(10))];
    let run = Run::new(1).threads(Parallelism::Serial);
    let objective = OnTask { kind, task: &task, goals: &goals, k: 10, run };
    let mut study = Study::new(kind.space(), StudyParams::default().check().unwrap(), 3);
    study.run(12, &objective, &Run::new(1), |_| Flow::Continue).unwrap();
    let default = PopularityParams::default().check().unwrap().fit(&task.training_set(), &run).unwrap();
    let lists = task.lists(System::Scorer(&default), 10, &run).unwrap();
    let first = study.trials()[0].score().unwrap();
    assert!((first - Goal::score(&goals, &task, &lists)).abs() < 1e-9, "the first trial is the default");
    let best = study.best().unwrap();
    assert!(best.score().unwrap() >= first);
    assert!(kind.build(&study.params_of(best)).is_ok());
}

#[test]
fn a_share_asks_a_part_of_the_cases() {
    use likewise::tune::{Sampler, Schedule};
    let task = task();
    let kind = model("popularity").unwrap();
    let goals = [Goal::of(Ndcg(10))];
    let objective = OnTask { kind, task: &task, goals: &goals, k: 10, run: Run::new(1) };
    let schedule = Schedule::Halving { eta: 2, least: 0.25 };
    let params = StudyParams { sampler: Sampler::Random, schedule, ..StudyParams::default() };
    let mut study = Study::new(kind.space().fix("half_life", Span::days(3).as_millis()), params.check().unwrap(), 3);
    study.run(3, &objective, &Run::new(1), |_| Flow::Continue).unwrap();
    let shares: Vec<f64> = study.trials().iter().map(|trial| trial.share).collect();
    assert!(shares.starts_with(&[0.25]) && shares.contains(&0.5) && shares.contains(&1.0), "{shares:?}");
    assert!(study.trials().iter().all(|trial| trial.params.keys().all(|name| name == "count")), "half_life is fixed");
}
