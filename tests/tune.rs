//! Searches over parameters: better than chance, the same on any pool, the same again from a log.

use std::io::Cursor;
use std::sync::Mutex;

use likewise::testing::check_params;
use likewise::tune::{
    Ask, Axis, Ended, Flow, Kernels, Outcome, Over, Sampler, Schedule, Space, Start, Study, StudyError, StudyParams,
    Tpe, Trial,
};
use likewise::{Checked, Parallelism, Run, Validate};
use serde_json::{Map, Value, json};

const AXES: &[Axis] = &[
    Axis::new("x", Over::Real { lo: -5.0, hi: 5.0 }),
    Axis::new("rate", Over::Log { lo: 1e-4, hi: 1.0 }),
    Axis::new("factors", Over::LogInt { lo: 4, hi: 512 }),
    Axis::new("steps", Over::Int { lo: 1, hi: 20 }),
    Axis::new("shape", Over::OneOf(&["\"flat\"", "{\"round\":{\"radius\":1.0}}", "null", "plain"])),
    Axis::new("shape.round.radius", Over::Real { lo: 0.0, hi: 4.0 }),
    Axis::new("unused", Over::Real { lo: 0.0, hi: 1.0 }),
];

fn base() -> Map<String, Value> {
    let base = json!({ "x": 4.0, "rate": 0.5, "factors": 8, "steps": 1, "shape": "flat", "unused": 0.5, "fixed": 7 });
    base.as_object().unwrap().clone()
}

/// Its maximum, 0, is at x = 1, rate = 0.01, factors = 64, steps = 12, a round shape of radius 3.
fn hill(params: &Map<String, Value>) -> f64 {
    let number = |name: &str| params[name].as_f64().unwrap();
    let shape = match params["shape"].pointer("/round/radius") {
        Some(radius) => -(radius.as_f64().unwrap() - 3.0).abs() / 2.0,
        None => -2.0,
    };
    let log = |name: &str, best: f64| -(number(name) / best).ln().abs() / 2.0;
    -((number("x") - 1.0).powi(2)) / 4.0 + log("rate", 0.01) + log("factors", 64.0)
        - (number("steps") - 12.0).abs() / 8.0
        + shape
}

fn objective(ask: &Ask<'_>) -> Result<f64, String> {
    assert_eq!(ask.params["fixed"], 7);
    Ok(hill(ask.params))
}

fn params(sampler: Sampler, schedule: Schedule) -> Checked<StudyParams> {
    StudyParams { sampler, schedule, ..StudyParams::default() }.check().unwrap()
}

fn searched(params: Checked<StudyParams>, seed: u64, budget: usize) -> Study {
    let mut study = Study::new(Space::new(base(), AXES), params, seed);
    assert_eq!(study.run(budget, &objective, &Run::new(0), |_| Flow::Continue), Ok(Ended::Budget));
    study
}

fn mean_best(params: &Checked<StudyParams>, budget: usize) -> f64 {
    let best = |seed| searched(params.clone(), seed, budget).best().unwrap().score().unwrap();
    (0..20).map(best).sum::<f64>() / 20.0
}

#[test]
fn tpe_beats_random_at_equal_budget() {
    let random = mean_best(&params(Sampler::Random, Schedule::Full), 80);
    for kernels in [Kernels::Joint, Kernels::PerAxis] {
        let tpe = mean_best(&params(Sampler::Tpe(Tpe { kernels, ..Tpe::default() }), Schedule::Full), 80);
        println!("{kernels:?}: {tpe:.3}, random {random:.3}");
        assert!(tpe > 0.7 * random, "{kernels:?}: {tpe} against {random} (0 is best)");
    }
}

#[test]
fn all_values_lie_on_their_axes_and_the_base_comes_first() {
    let study = searched(params(Sampler::default(), Schedule::Full), 3, 60);
    let first = study.params_of(&study.trials()[0]);
    assert_eq!(first, base());
    for trial in study.trials() {
        let p = &trial.params;
        assert!(!p.contains_key("fixed") && p.len() == 6);
        assert!((-5.0..=5.0).contains(&p["x"].as_f64().unwrap()));
        assert!((1e-4..=1.0).contains(&p["rate"].as_f64().unwrap()));
        assert!((4..=512).contains(&p["factors"].as_u64().unwrap()));
        assert!((1..=20).contains(&p["steps"].as_u64().unwrap()));
        if let Some(radius) = p["shape"].pointer("/round/radius") {
            assert!((0.0..=4.0).contains(&radius.as_f64().unwrap()));
        }
    }
    let shapes: std::collections::BTreeSet<String> =
        study.trials().iter().map(|t| t.params["shape"].to_string().chars().take(5).collect()).collect();
    assert_eq!(shapes.len(), 4, "every choice is tried, a text that is no JSON as itself: {shapes:?}");
}

#[test]
fn ends_of_whole_numbers_are_as_likely_as_the_middle() {
    let space =
        Space::new(json!({ "n": 1 }).as_object().unwrap().clone(), &[Axis::new("n", Over::Int { lo: 1, hi: 4 })]);
    let mut counts = [0; 5];
    for seed in 0..400 {
        let start =
            StudyParams { sampler: Sampler::Random, start: Start::Anywhere, batch: 1, ..StudyParams::default() };
        let mut study = Study::new(space.clone(), start.check().unwrap(), seed);
        study.run(1, &|_: &Ask<'_>| Ok::<_, String>(0.0), &Run::new(0), |_| Flow::Continue).unwrap();
        counts[study.trials()[0].params["n"].as_u64().unwrap() as usize] += 1;
    }
    assert!(counts[1..].iter().all(|&n| (70..130).contains(&n)), "{counts:?}");
}

#[test]
fn the_same_trials_on_any_pool() {
    for schedule in [Schedule::Full, Schedule::Hyperband { eta: 3, least: 1.0 / 9.0 }] {
        let p = params(Sampler::default(), schedule);
        let alone = {
            let mut study = Study::new(Space::new(base(), AXES), p.clone(), 7);
            study.run(30, &objective, &Run::new(0).threads(Parallelism::Serial), |_| Flow::Continue).unwrap();
            study.trials().to_vec()
        };
        for threads in [1, 2, 4, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| searched(p.clone(), 7, 30)).trials(), alone, "{threads} threads");
        }
    }
}

#[test]
fn a_resumed_study_goes_on_as_if_never_interrupted() {
    let schedules =
        [Schedule::Full, Schedule::Halving { eta: 2, least: 0.25 }, Schedule::Hyperband { eta: 3, least: 1.0 / 9.0 }];
    for schedule in schedules {
        for threads in [Parallelism::Serial, Parallelism::Pool] {
            let p = params(Sampler::default(), schedule);
            let space = || Space::new(base(), AXES);
            let run = Run::new(0).threads(threads);
            let whole = searched(p.clone(), 11, 25);
            for stop_after in [1, 2, 9, 17, 24] {
                let mut log = Vec::new();
                let mut first = Study::new(space(), p.clone(), 11);
                let ended = first.run(25, &objective, &run, |trial| {
                    if trial.trial < stop_after {
                        trial.write_line(&mut log).unwrap();
                    }
                    if trial.trial + 1 >= stop_after { Flow::Stop } else { Flow::Continue }
                });
                assert_eq!(ended, Ok(Ended::Stopped));
                log.extend(b"{\"trial\":"); // the machine went down in the middle of a line
                let read = Trial::read_lines(Cursor::new(log)).unwrap();
                assert_eq!(read.len(), stop_after);
                let mut second = Study::resume(space(), p.clone(), 11, read).unwrap();
                assert_eq!(second.run(25, &objective, &run, |_| Flow::Continue), Ok(Ended::Budget));
                assert_eq!(second.trials(), whole.trials(), "{schedule:?} after {stop_after}");
                assert_eq!(second.skipped(), whole.skipped());
            }
        }
    }
}

#[test]
fn a_larger_budget_goes_on_where_a_smaller_one_ended() {
    let p = params(Sampler::default(), Schedule::Hyperband { eta: 3, least: 1.0 / 9.0 });
    let mut study = searched(p.clone(), 2, 7);
    study.run(21, &objective, &Run::new(0), |_| Flow::Continue).unwrap();
    assert_eq!(study.trials(), searched(p, 2, 21).trials());
}

#[test]
fn another_log_is_refused() {
    let p = params(Sampler::default(), Schedule::Full);
    let log = searched(p.clone(), 1, 10).trials().to_vec();
    let resume = |seed, log: Vec<Trial>| Study::resume(Space::new(base(), AXES), p.clone(), seed, log);
    assert!(resume(1, log.clone()).is_ok());
    assert_eq!(resume(2, log.clone()).unwrap_err(), StudyError::OtherLog { trial: 1 });
    let mut gap = log.clone();
    gap.remove(3);
    assert_eq!(resume(1, gap).unwrap_err(), StudyError::OtherLog { trial: 3 });
    let mut other = log;
    other[5].params.insert("x".to_owned(), json!(0.25));
    assert_eq!(resume(1, other).unwrap_err(), StudyError::OtherLog { trial: 5 });
    let bad = Trial::read_lines(Cursor::new("nonsense\n{}\n")).unwrap_err();
    assert!(bad.to_string().starts_with("line 1 of the log is no trial"), "{bad}");
}

#[test]
fn halving_spends_what_it_says() {
    let p = params(Sampler::Random, Schedule::Halving { eta: 3, least: 1.0 / 27.0 });
    let study = searched(p, 5, 4);
    // 27 trials at 1/27, the best 9 at 1/9, the best 3 at 1/3, the best at 1.
    let shares: Vec<f64> = study.trials().iter().map(|t| t.share).collect();
    let count = |share: f64| shares.iter().filter(|&&s| (s - share).abs() < 1e-9).count();
    assert_eq!([1.0 / 27.0, 1.0 / 9.0, 1.0 / 3.0, 1.0].map(count), [27, 9, 3, 1]);
    assert!((study.spent() - 4.0).abs() < 1e-9);
    // The score does not depend on the share here, so the winner of all 27 wins.
    let most = study.trials().iter().filter_map(Trial::score).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(study.best().unwrap().score(), Some(most));
    assert_eq!(study.best().unwrap().share, 1.0);
}

#[test]
fn hyperband_runs_its_brackets_in_turn() {
    let p = params(Sampler::Random, Schedule::Hyperband { eta: 3, least: 1.0 / 9.0 });
    let study = searched(p, 5, 9);
    let shares: Vec<f64> = study.trials().iter().map(|t| (t.share * 9.0).round()).collect();
    let bracket_2 = [vec![1.0; 9], vec![3.0; 3], vec![9.0; 1]].concat();
    let bracket_1 = [vec![3.0; 5], vec![9.0; 1]].concat(); // ceil(3 / 2 * 3) = 5, a third of which is 1
    let bracket_0 = vec![9.0; 3];
    let all = [bracket_2, bracket_1, bracket_0].concat();
    assert_eq!(shares[..all.len()], all);
    assert!(study.spent() <= 9.0 + 1e-9);
}

#[test]
fn halving_finds_more_than_random_for_the_same_money() {
    let random = mean_best(&params(Sampler::Random, Schedule::Full), 24);
    let halving = mean_best(&params(Sampler::Random, Schedule::Halving { eta: 3, least: 1.0 / 9.0 }), 24);
    assert!(halving > 0.85 * random, "{halving} against {random} (0 is best)");
}

#[test]
fn failed_trials_are_kept_and_avoided() {
    let failing = |ask: &Ask<'_>| match ask.params["x"].as_f64() {
        Some(x) if x > 2.0 => Err("too far".to_owned()),
        Some(x) if x > 1.5 => Ok(f64::NAN),
        _ => Ok(hill(ask.params)),
    };
    let mut study = Study::new(Space::new(base(), AXES), params(Sampler::default(), Schedule::Full), 1);
    study.run(60, &failing, &Run::new(0), |_| Flow::Continue).unwrap();
    let errors: Vec<&str> = study
        .trials()
        .iter()
        .filter_map(|t| match &t.outcome {
            Outcome::Error(error) => Some(error.as_str()),
            _ => None,
        })
        .collect();
    assert!(errors.contains(&"too far") && errors[0] == "too far", "the base itself fails");
    let late = study.trials()[30..].iter().filter(|t| t.score().is_none()).count();
    assert!(late < 12, "{late} of 30 failed although 35 % of the axis does");
    assert!(study.best().unwrap().params["x"].as_f64().unwrap() <= 1.5);
}

#[test]
fn corners_that_are_not_allowed_are_skipped_and_counted() {
    let odd = |params: &Map<String, Value>| match params["factors"].as_u64() {
        Some(n) if n % 2 == 1 => Err("odd"),
        _ => Ok(()),
    };
    let space = Space::new(base(), AXES).valid_if(odd);
    let asked = Mutex::new(0);
    let even = |ask: &Ask<'_>| {
        *asked.lock().unwrap() += 1;
        assert_eq!(ask.params["factors"].as_u64().unwrap() % 2, 0);
        objective(ask)
    };
    let mut study = Study::new(space, params(Sampler::default(), Schedule::Full), 1);
    study.run(40, &even, &Run::new(0), |_| Flow::Continue).unwrap();
    assert!(study.skipped() > 5 && study.trials().len() == 40 && *asked.lock().unwrap() == 40);
    let never = Space::new(base(), AXES).valid_if(|_| Err("never"));
    let mut study = Study::new(never, params(Sampler::default(), Schedule::Full), 1);
    let error = study.run(40, &objective, &Run::new(0), |_| Flow::Continue).unwrap_err();
    assert_eq!(error.to_string(), "of 200 points of the space none is allowed; the last one: never");
}

#[test]
fn a_small_space_is_exhausted_not_repeated() {
    let axes = [Axis::new("n", Over::Int { lo: 1, hi: 5 })];
    let space = Space::new(json!({ "n": 1 }).as_object().unwrap().clone(), &axes);
    let mut study = Study::new(space, params(Sampler::default(), Schedule::Full), 1);
    let ended = study.run(40, &|ask: &Ask<'_>| ask.params["n"].as_f64().ok_or("n"), &Run::new(0), |_| Flow::Continue);
    assert_eq!(ended, Ok(Ended::Exhausted));
    let mut all: Vec<u64> = study.trials().iter().map(|t| t.params["n"].as_u64().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3, 4, 5]);
    let nothing = Space::new(base(), &[]);
    let mut study = Study::new(nothing, params(Sampler::default(), Schedule::Full), 1);
    assert_eq!(study.run(40, &objective, &Run::new(0), |_| Flow::Continue), Ok(Ended::Exhausted));
    assert_eq!(study.trials().len(), 1, "the base is tried once");
}

#[test]
fn a_study_can_be_cancelled() {
    let stop = std::sync::atomic::AtomicBool::new(true);
    let mut study = Study::new(Space::new(base(), AXES), params(Sampler::default(), Schedule::Full), 1);
    let ended = study.run(40, &objective, &Run::new(0).cancel(&stop), |_| Flow::Continue);
    assert!(matches!(ended, Err(StudyError::Cancelled(_))));
}

#[test]
fn the_settings_keep_their_table() {
    check_params::<StudyParams>().unwrap();
    let wrong = |params: StudyParams| params.check().unwrap_err().param;
    let tpe = |tpe: Tpe| StudyParams { sampler: Sampler::Tpe(tpe), ..StudyParams::default() };
    assert_eq!(wrong(tpe(Tpe { good: f64::NAN, ..Tpe::default() })), "sampler.tpe.good");
    assert_eq!(wrong(tpe(Tpe { startup: 0, ..Tpe::default() })), "sampler.tpe.startup");
    let halving = Schedule::Halving { eta: 1, least: 0.5 };
    assert_eq!(wrong(StudyParams { schedule: halving, ..StudyParams::default() }), "schedule.halving.eta");
    let hyperband = Schedule::Hyperband { eta: 3, least: 0.0 };
    assert_eq!(wrong(StudyParams { schedule: hyperband, ..StudyParams::default() }), "schedule.hyperband.least");
}

#[test]
fn presets_are_valid() {
    use likewise::tune::presets::{ShopSize, home_blend};
    for size in [ShopSize::Small, ShopSize::Medium, ShopSize::Large] {
        assert!(home_blend(size).is_ok());
    }
    assert_eq!(ShopSize::of(1_000_000), ShopSize::Medium);
}
