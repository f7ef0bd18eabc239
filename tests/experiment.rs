//! Assignment, exposures, figures, fixed tests and interleaving.

use std::collections::{BTreeMap, BTreeSet};

use approx::assert_relative_eq;
use likewise::experiment::*;
use likewise::{Consented, Event, EventKind, LawfulBasis, Run, Shopper, Span, Timestamp};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn variants(weights: &[u32]) -> Vec<VariantRecipe> {
    weights.iter().zip(["a", "b", "c", "d"]).map(|(w, name)| VariantRecipe { name: name.into(), weight: *w }).collect()
}

fn experiment(name: &str, places: std::ops::Range<u32>, share: u32, weights: &[u32]) -> ExperimentRecipe {
    let variants = variants(weights);
    ExperimentRecipe { name: name.into(), salt: String::new(), places, share, variants, starts: None, ends: None }
}

fn layer(name: &str, experiments: Vec<ExperimentRecipe>) -> LayerRecipe {
    LayerRecipe { name: name.into(), experiments, ..LayerRecipe::default() }
}

fn plan(layers: Vec<LayerRecipe>) -> Plan {
    Plan::new(PlanRecipe { layers, ..PlanRecipe::default() }).unwrap()
}

#[test]
fn assignments_never_change() {
    let mut home = layer(
        "home",
        vec![experiment("x", 0..6_000, 5_000, &[1, 2, 1]), experiment("y", 6_000..10_000, 10_000, &[1, 1])],
    );
    home.holdout = 500;
    let search = layer("search", vec![experiment("z", 0..10_000, 10_000, &[3, 1])]);
    let plan = Plan::new(PlanRecipe { salt: "shop".into(), holdout: 1_000, layers: vec![home, search] }).unwrap();
    let letters: String = (0..60)
        .map(|i| {
            let unit = format!("shopper-{i}");
            match plan.assign("home", &unit, NOW).unwrap() {
                Assigned::PlanHoldout => 'H',
                Assigned::LayerHoldout => 'h',
                Assigned::Outside => '.',
                Assigned::In { experiment: "x", variant, .. } => variant.chars().next().unwrap(),
                Assigned::In { variant, .. } => variant.to_uppercase().chars().next().unwrap(),
                _ => '?',
            }
        })
        .collect();
    assert_eq!(letters, "BHaBAHaaB.b.a.bbBhHB.HaAa.BAB.bb.ABa.HAbh...HBBAHah..HABBAHc");
    assert_eq!(plan.assign("nowhere", "ann", NOW), None);
    let all: BTreeMap<_, _> = plan.assign_all("shopper-1", NOW).collect();
    assert_eq!(all["home"], plan.assign("home", "shopper-1", NOW).unwrap());
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn shares_come_out_as_planned_and_layers_cross_evenly() {
    let plan = plan(vec![
        layer("one", vec![experiment("x", 0..10_000, 10_000, &[1, 3])]),
        layer("two", vec![experiment("y", 0..10_000, 10_000, &[1, 1])]),
    ]);
    let mut cells = [0u64; 4];
    for i in 0..40_000 {
        let unit = format!("u{i}");
        let number = |name| match plan.assign(name, &unit, NOW).unwrap() {
            Assigned::In { number, .. } => number,
            other => panic!("{other:?}"),
        };
        cells[number("one") * 2 + number("two")] += 1;
    }
    let found = sample_ratio(&cells, &[1, 1, 3, 3]).unwrap();
    assert!(found.p_value > 0.001, "{cells:?} {found:?}");
    assert_eq!(found.degrees, 3);
    // A share of nothing is nobody.
    let none = self::plan(vec![layer("one", vec![experiment("x", 0..10_000, 0, &[1])])]);
    assert!((0..60_000).all(|i| none.assign("one", &format!("u{i}"), NOW) == Some(Assigned::Outside)));
}

#[test]
fn experiments_of_one_layer_exclude_each_other_and_holdouts_hold() {
    let mut one =
        layer("one", vec![experiment("x", 0..5_000, 10_000, &[1]), experiment("y", 5_000..10_000, 10_000, &[1])]);
    one.holdout = 2_000;
    let plan =
        Plan::new(PlanRecipe { holdout: 1_000, layers: vec![one, layer("two", vec![])], ..PlanRecipe::default() })
            .unwrap();
    let mut counts = BTreeMap::new();
    for i in 0..20_000 {
        let unit = format!("u{i}");
        let at = plan.assign("one", &unit, NOW).unwrap();
        let both_out = plan.assign("two", &unit, NOW).unwrap() == Assigned::PlanHoldout;
        assert_eq!(both_out, at == Assigned::PlanHoldout, "the plan's holdout is the same in all layers");
        *counts
            .entry(match at {
                Assigned::PlanHoldout => 0,
                Assigned::LayerHoldout => 1,
                Assigned::In { experiment: "x", .. } => 2,
                Assigned::In { .. } => 3,
                other => panic!("{other:?}"),
            })
            .or_insert(0u64) += 1;
    }
    let sorted: Vec<u64> = counts.into_values().collect();
    assert!(sample_ratio(&sorted, &[10, 18, 36, 36]).unwrap().p_value > 0.0005, "{sorted:?}");
}

#[test]
fn an_experiment_runs_in_its_time_and_leaves_its_places_after() {
    let first = ExperimentRecipe { ends: Some(Timestamp::from_secs(100)), ..experiment("x", 0..10_000, 10_000, &[1]) };
    let second =
        ExperimentRecipe { starts: Some(Timestamp::from_secs(100)), ..experiment("y", 0..10_000, 10_000, &[1]) };
    let plan = plan(vec![layer("l", vec![first, second])]);
    let at = |s| match plan.assign("l", "ann", Timestamp::from_secs(s)).unwrap() {
        Assigned::In { experiment, .. } => experiment,
        other => panic!("{other:?}"),
    };
    assert_eq!((at(99), at(100)), ("x", "y"));
}

#[test]
fn plans_that_contradict_themselves_are_refused() {
    let refuse = |layers| Plan::new(PlanRecipe { layers, ..PlanRecipe::default() }).unwrap_err();
    let overlap = refuse(vec![layer("l", vec![experiment("x", 0..10, 1, &[1]), experiment("y", 9..20, 1, &[1])])]);
    assert_eq!(
        overlap,
        PlanError::Overlap { layer: "l".into(), first: "x".into(), second: "y".into(), from: 9, to: 10 }
    );
    assert!(overlap.to_string().contains("`x` and `y`"));
    assert!(matches!(refuse(vec![layer("l", vec![]), layer("l", vec![])]), PlanError::Twice { what: "layer", .. }));
    assert!(matches!(refuse(vec![layer("", vec![])]), PlanError::Nameless { what: "layer" }));
    let one = |e| refuse(vec![layer("l", vec![e])]);
    assert!(matches!(one(experiment("x", 5..5, 1, &[1])), PlanError::Places { .. }));
    assert!(matches!(one(experiment("x", 0..10_001, 1, &[1])), PlanError::Places { .. }));
    assert!(matches!(one(experiment("x", 0..5, 10_001, &[1])), PlanError::Share { field: "share", .. }));
    assert!(matches!(one(experiment("x", 0..5, 1, &[])), PlanError::NoVariants { .. }));
    assert!(matches!(one(experiment("x", 0..5, 1, &[1, 0])), PlanError::Weight { .. }));
    let twice =
        ExperimentRecipe { variants: [variants(&[1]), variants(&[1])].concat(), ..experiment("x", 0..5, 1, &[1]) };
    assert!(matches!(one(twice), PlanError::Twice { what: "variant", .. }));
    let never = ExperimentRecipe { starts: Some(NOW), ends: Some(NOW), ..experiment("x", 0..5, 1, &[1]) };
    assert!(matches!(one(never), PlanError::Time { .. }));
    let text = r#"{"layers":[{"name":"l","experiments":[
        {"name":"x","places":{"start":0,"end":9},"share":1,"variants":[{"name":"a","weight":1}]},
        {"name":"y","places":{"start":8,"end":9},"share":1,"variants":[{"name":"a","weight":1}]}]}]}"#;
    assert!(serde_json::from_str::<Plan>(text).unwrap_err().to_string().contains("overlap"), "serde checks too");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Growing the share or the places moves nobody who is in.
    #[test]
    fn a_ramp_moves_nobody(unit in ".{0,24}", share in 0u32..=10_000, more in 0u32..=10_000, end in 1u32..=10_000,
                           further in 0u32..=10_000, weights in prop::collection::vec(1u32..9, 1..=4)) {
        let before = plan(vec![layer("l", vec![experiment("x", 0..end, share, &weights)])]);
        let after = plan(vec![layer("l", vec![experiment("x", 0..end.max(further), share.max(more), &weights)])]);
        let (was, is) = (before.assign("l", &unit, NOW).unwrap(), after.assign("l", &unit, NOW).unwrap());
        prop_assert!(was == Assigned::Outside || was == is, "{was:?} became {is:?}");
    }

    /// The log may come in any order.
    #[test]
    fn first_exposures_do_not_depend_on_the_order(
        log in prop::collection::vec((0i64..5, 0u8..4, 0u8..3), 0..20), turn in 0usize..20,
    ) {
        let mut log: Vec<Exposure> = log.into_iter().map(|(at, unit, variant)| Exposure {
            at: Timestamp::from_secs(at), unit: unit.to_string(), experiment: "x".into(), variant: variant.to_string(),
        }).collect();
        let one = Exposed::of(&log, "x");
        let by = turn.min(log.len());
        log.rotate_left(by);
        log.reverse();
        prop_assert_eq!(&Exposed::of(&log, "x"), &one);
        for (unit, (variant, at)) in &one.first {
            let slow = log.iter().filter(|e| &e.unit == unit).map(|e| (e.at, &e.variant)).min().unwrap();
            prop_assert_eq!((*at, variant), slow);
        }
        let crossed: Vec<String> = one.first.keys().filter(|unit| {
            log.iter().filter(|e| &&e.unit == unit).map(|e| &e.variant).collect::<BTreeSet<_>>().len() > 1
        }).cloned().collect();
        prop_assert_eq!(one.crossed, crossed);
    }

    /// CUPED against its definition, one shopper at a time, on means.
    #[test]
    fn cuped_is_its_formula(rows in prop::collection::vec((0usize..2, -5.0f64..50.0, 0.0f64..20.0), 8..40)) {
        let mut outcomes: Vec<Outcome> = rows.iter().map(|&(variant, during, before)| Outcome {
            variant,
            before: Totals { revenue: before, ..Totals::default() },
            during: Totals { revenue: during, ..Totals::default() },
        }).collect();
        for (row, outcome) in outcomes.iter_mut().enumerate().take(4) { outcome.variant = row % 2; }
        let found = measure(&outcomes, 2, Kpi::RevenuePerVisitor, Adjust::Cuped).unwrap();
        // The ratio's scale: x has mean 0 over everybody.
        let all = outcomes.iter().map(|o| o.before.revenue).sum::<f64>() / outcomes.len() as f64;
        let of = |v| outcomes.iter().filter(move |o| o.variant == v);
        let mean = |v, f: fn(&Outcome) -> f64| of(v).map(f).sum::<f64>() / of(v).count() as f64;
        let (mut cross, mut square) = (0.0, 0.0);
        for o in &outcomes {
            let x = o.before.revenue - mean(o.variant, |o| o.before.revenue);
            cross += (o.during.revenue - mean(o.variant, |o| o.during.revenue)) * x;
            square += x * x;
        }
        let theta = cross / square;
        for (v, found) in found.iter().enumerate().take(2) {
            let want = mean(v, |o| o.during.revenue) - theta * (mean(v, |o| o.before.revenue) - all);
            prop_assert!((found.estimate - want).abs() < 1e-9 * (1.0 + want.abs()));
            prop_assert!(found.n == of(v).count() as u64);
        }
    }

    /// A list of two rankings has every item once, in drafting order, and is the same for the same request.
    #[test]
    fn a_draft_is_a_fair_list(a in prop::collection::vec(0u8..12, 0..8), b in prop::collection::vec(0u8..12, 0..8),
                              k in 0usize..10, seed: u64, request in "[a-z]{0,6}") {
        let list = team_draft(&a, &b, k, seed, &request);
        let items: Vec<u8> = list.items.iter().map(|(item, _)| *item).collect();
        let distinct: BTreeSet<u8> = a.iter().chain(&b).copied().collect();
        prop_assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len());
        prop_assert!(items.len() <= k.min(distinct.len()));
        // Each item was the best its team had left.
        let mut used = BTreeSet::new();
        for (item, team) in &list.items {
            let ranking = if *team == Team::A { &a } else { &b };
            prop_assert_eq!(ranking.iter().find(|i| !used.contains(*i)), Some(item));
            used.insert(*item);
        }
        let (of_a, of_b) = list.items.iter().fold((0i32, 0i32), |(x, y), (_, t)| if *t == Team::A { (x + 1, y) } else { (x, y + 1) });
        prop_assert!((of_a - of_b).abs() <= 1 || items.len() < k || a.len() != b.len() || distinct.len() < k + 8);
        prop_assert_eq!(team_draft(&a, &b, k, seed, &request), list);
    }
}

#[test]
fn figures_worked_by_hand() {
    let shopper = |variant, impressions, clicks, visits, orders, revenue| Outcome {
        variant,
        during: Totals { impressions, clicks, visits, orders, revenue },
        ..Outcome::default()
    };
    let rows = [
        shopper(0, 10, 1, 1, 0, 0.0),
        shopper(0, 30, 3, 3, 2, 50.0),
        shopper(0, 20, 5, 1, 1, -20.0), // sent back more than bought
        shopper(1, 10, 5, 2, 1, 10.0),
        shopper(1, 10, 5, 2, 1, 30.0),
    ];
    let of = |kpi| measure(&rows, 2, kpi, Adjust::Plain).unwrap();
    let rates = of(Kpi::ClickThrough);
    assert_relative_eq!(rates[0].estimate, 9.0 / 60.0);
    // z = (y - .15 d) / 20: -.025, -.075, .1; variance = (.000625 + .005625 + .01) / 2.
    assert_relative_eq!(rates[0].variance, 0.016_25 / 2.0, max_relative = 1e-12);
    assert_relative_eq!(of(Kpi::Conversion)[0].estimate, 2.0 / 3.0);
    assert_relative_eq!(of(Kpi::Conversion)[0].variance, 1.0 / 3.0);
    assert_relative_eq!(of(Kpi::RevenuePerVisitor)[0].estimate, 10.0);
    assert_relative_eq!(of(Kpi::OrderValue)[0].estimate, 10.0);
    assert_relative_eq!(of(Kpi::OrderValue)[1].estimate, 20.0);
    assert_relative_eq!(of(Kpi::RepeatVisits)[0].estimate, 1.0 / 3.0);
    assert_eq!(of(Kpi::RepeatVisits)[1].variance, 0.0);
    for kpi in Kpi::ALL {
        let plain = of(kpi);
        assert_eq!(measure(&rows, 2, kpi, Adjust::Cuped).unwrap(), plain, "nothing is known of before");
    }
}

#[test]
fn outcomes_that_cannot_be_measured() {
    let o =
        |variant, revenue| Outcome { variant, during: Totals { revenue, ..Totals::default() }, ..Outcome::default() };
    let ask = |rows: &[Outcome], kpi| measure(rows, 2, kpi, Adjust::Plain).unwrap_err();
    assert_eq!(ask(&[o(2, 0.0)], Kpi::Conversion), KpiError::Variant { row: 0, got: 2, variants: 2 });
    assert_eq!(ask(&[o(0, 1.0), o(0, 1.0), o(1, 1.0)], Kpi::Conversion), KpiError::TooFew { variant: 1, n: 1 });
    assert!(matches!(ask(&[o(0, 1.0), o(0, f64::NAN)], Kpi::Conversion), KpiError::Revenue { row: 1, .. }));
    let four = [o(0, 1.0), o(0, 2.0), o(1, -3.0), o(1, 4.0)];
    assert_eq!(ask(&four, Kpi::OrderValue), KpiError::Undefined { kpi: Kpi::OrderValue, variant: 0 });
    assert_relative_eq!(measure(&four, 2, Kpi::RevenuePerVisitor, Adjust::Plain).unwrap()[1].estimate, 0.5);
}

#[test]
fn outcomes_are_collected_around_the_exposure() {
    let line = |unit: &str, at, variant: &str| Exposure {
        at: Timestamp::from_secs(at),
        unit: unit.into(),
        experiment: "x".into(),
        variant: variant.into(),
    };
    let log =
        [line("ann", 100, "b"), line("bob", 100, "a"), line("cat", 50, "a"), line("cat", 60, "b"), line("dan", 1, "z")];
    let exposed = Exposed::of(&log, "x");
    assert_eq!((exposed.count("a"), exposed.count("b"), exposed.crossed.clone()), (2, 1, vec!["cat".to_owned()]));
    let event = |unit: &'static str, kind, at, session, value| {
        let who = Shopper::Profiled(Consented::new(unit, LawfulBasis::Contract));
        let mut event = Event::new(who, "tea", kind, Timestamp::from_secs(at));
        (event.session, event.value, event.quantity) = (session, value, 2.0);
        (unit, event)
    };
    use EventKind::{Click, Impression, Purchase, Return};
    let events = [
        event("ann", Purchase, 99, Some("s0"), Some(3.0)),
        event("ann", Impression, 100, Some("s1"), None),
        event("ann", Click, 101, Some("s1"), None),
        event("ann", Purchase, 102, Some("s2"), Some(5.0)),
        event("ann", Purchase, 103, Some("s2"), Some(1.0)),
        event("ann", Purchase, 104, None, Some(1.0)),
        event("ann", Return, 105, None, Some(20.0)),
        event("ann", Purchase, 200, Some("s3"), Some(9.0)), // too late
        event("ann", Purchase, 49, Some("s-1"), Some(9.0)), // too early
        event("ann", Impression, 50, None, None),           // not yet too early
        event("cat", Purchase, 61, Some("s"), Some(1.0)),
        event("eve", Purchase, 61, Some("s"), Some(1.0)),
    ];
    let found = collect(&exposed, &["a", "b"], events, Span::secs(50), Span::secs(100));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["ann", "bob"]);
    let ann = found["ann"];
    assert_eq!(ann.variant, 1);
    assert_eq!(ann.before, Totals { impressions: 1, visits: 1, orders: 1, revenue: 6.0, ..Totals::default() });
    assert_eq!(ann.during, Totals { impressions: 1, clicks: 1, visits: 2, orders: 2, revenue: -26.0 });
    assert_eq!(found["bob"], Outcome::default());
}

#[test]
fn fixed_tests_worked_by_hand() {
    let control = Sample::of(&[3.0, 4.0, 1.0, 2.1]).unwrap();
    let treatment = Sample::of(&[490.2, 340.0, 433.9]).unwrap();
    let found = welch(control, treatment, 0.95).unwrap();
    // A published example (R's t.test): t = 9.5592, df = 2.0009, p = .01075.
    assert_relative_eq!(found.statistic, 9.559_5, max_relative = 1e-4);
    assert_relative_eq!(found.degrees, 2.000_85, max_relative = 1e-5);
    assert_relative_eq!(found.p_value, 0.010_75, max_relative = 1e-3);
    assert!(found.interval.0 > 0.0);
    // Newcombe 1998, table II (a): 56/70 - 48/80 has the interval .0524 to .3339.
    let found = two_proportions(Counted { hits: 48, of: 80 }, Counted { hits: 56, of: 70 }, 0.95).unwrap();
    assert_relative_eq!(found.difference, 0.2, max_relative = 1e-12);
    assert!((found.interval.0 - 0.0524).abs() < 5e-5 && (found.interval.1 - 0.3339).abs() < 5e-5, "{found:?}");
    let (lift, (low, high)) = found.lift.unwrap();
    assert!(low < lift && lift < high && (lift - 1.0 / 3.0).abs() < 1e-12);
    // The pooled test by hand: 48/80 against 56/70 is 104/150, z = .2 / sqrt(.69333 x .30667 x (1/80 + 1/70)).
    assert_relative_eq!(found.statistic, 2.650_172, max_relative = 1e-6);
    assert_relative_eq!(found.p_value, 0.008_045_08, max_relative = 1e-4);
    // Welch's degrees by hand, each variant's part as large: (1/4 + 1/4)² / (1/16 / 3 + 1/16 / 9).
    let (four, ten) = (Sample { n: 4, mean: 0.0, variance: 1.0 }, Sample { n: 10, mean: 1.0, variance: 2.5 });
    assert_relative_eq!(welch(four, ten, 0.95).unwrap().degrees, 9.0, max_relative = 1e-12);
    assert_relative_eq!(welch(ten, four, 0.95).unwrap().degrees, 9.0, max_relative = 1e-12);
    // Textbook: deviation 1, effect .1, 5 %, 80 %: 2 x 7.8489 / .01.
    assert_eq!(units_needed(1.0, 0.1, 0.05, 0.8).unwrap(), 1_570);
}

#[test]
fn samples_that_cannot_be_compared() {
    let flat = Sample { n: 5, mean: 1.0, variance: 0.0 };
    assert_eq!(welch(flat, flat, 0.95), Err(TestError::NoVariance));
    assert_eq!(Sample::of(&[1.0]), Err(TestError::TooFew { n: 1, needed: 2 }));
    assert!(matches!(welch(Sample { n: 1, ..flat }, flat, 0.95), Err(TestError::TooFew { n: 1, .. })));
    assert!(matches!(welch(Sample { variance: f64::NAN, ..flat }, flat, 0.95), Err(TestError::Number { .. })));
    assert!(matches!(welch(flat, flat, 1.0), Err(TestError::Number { what: "the level", .. })));
    assert!(matches!(Sample::of(&[1.0, f64::INFINITY]), Err(TestError::Number { .. })));
    let none = Counted { hits: 0, of: 9 };
    assert_eq!(two_proportions(none, none, 0.95), Err(TestError::NoVariance));
    assert!(two_proportions(Counted { hits: 0, of: 0 }, none, 0.95).is_err());
    assert!(two_proportions(Counted { hits: 3, of: 2 }, none, 0.95).is_err());
    assert!(units_needed(0.0, 1.0, 0.05, 0.8).is_err() && units_needed(1.0, f64::NAN, 0.05, 0.8).is_err());
    assert_eq!(sample_ratio(&[5], &[1]), Err(SampleRatioError::Weights));
    assert_eq!(sample_ratio(&[5, 5], &[1]), Err(SampleRatioError::Lengths { counts: 2, weights: 1 }));
    assert!(matches!(sample_ratio(&[5, 2], &[1, 1]), Err(SampleRatioError::TooFew { .. })));
}

#[test]
fn a_sample_ratio_worked_by_hand() {
    // Expected 60 and 40: (50 - 60)² / 60 + (50 - 40)² / 40 = 4.1667; P(chi² of 1 > 4.1667) = .04123.
    let found = sample_ratio(&[50, 50], &[3, 2]).unwrap();
    assert_relative_eq!(found.chi_square, 25.0 / 6.0, max_relative = 1e-12);
    assert_relative_eq!(found.p_value, 0.041_226_8, max_relative = 1e-5);
    assert_eq!(sample_ratio(&[4, 6], &[1, 1]).unwrap().degrees, 1, "five expected are enough");
}

#[test]
fn interleaving_is_unbiased_and_finds_the_better_ranking() {
    let (a, b): (Vec<u32>, Vec<u32>) = ((0..10).collect(), (0..10).rev().collect());
    // Whoever clicks by place only, or not at all, prefers nobody.
    let by_place: Vec<Credit> = (0..20_000)
        .map(|i| {
            let list = team_draft(&a, &b, 6, 7, &i.to_string());
            let place = i % 3;
            list.credit(&[list.items[place].0])
        })
        .collect();
    let run = Run::new(3);
    let none = prefer(&by_place, 200, 0.95, &run);
    assert!(none.p_value > 0.01 && none.lean.abs() < 0.01, "{none:?}");
    // Who clicks 0 and 1 wherever they are prefers `a`.
    let by_item: Vec<Credit> = (0..400).map(|i| team_draft(&a, &b, 6, 7, &i.to_string()).credit(&[0, 1, 99])).collect();
    let found = prefer(&by_item, 200, 0.95, &run);
    assert!(found.p_value < 1e-6 && found.interval.1 < 0.0 && found.lean < 0.0, "{found:?}");
    let empty = prefer(&[Credit::default()], 10, 0.95, &run);
    assert_eq!((empty.lean, empty.interval, empty.p_value), (0.0, (0.0, 0.0), 1.0));
    // 8 wins of 10 by hand: two-sided (45 + 10 + 1) / 1024 x 2.
    let wins = [[Credit { a: 0, b: 1 }; 8].as_slice(), &[Credit { a: 2, b: 1 }; 2], &[Credit { a: 1, b: 1 }]].concat();
    let found = prefer(&wins, 100, 0.95, &run);
    assert_eq!((found.a_wins, found.b_wins, found.ties), (2, 8, 1));
    assert_relative_eq!(found.p_value, 112.0 / 1024.0, max_relative = 1e-12);
    assert_relative_eq!(found.lean, 8.5 / 11.0 - 0.5, max_relative = 1e-12);
}
