//! The linear item models against the conditions their solutions satisfy, computed in `f64` from the events; hand-made
//! cases; scaling; hostile input.

use std::sync::atomic::AtomicBool;

use approx::{assert_abs_diff_eq, assert_relative_eq};
use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

fn i(n: usize) -> ItemIdx {
    ItemIdx::new(n as u32)
}

/// (shopper, item, day): a purchase each, of weight 5.
fn dataset(events: &[(u8, u8, i64)]) -> Dataset {
    let mut builder = DatasetBuilder::default().as_of(Timestamp::from_secs(100 * 86_400));
    builder.items((0..8).map(|item| format!("i{item}")).collect::<Vec<_>>().iter().map(String::as_str)).unwrap();
    for &(user, item, day) in events {
        let user = format!("u{user}");
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        let at = Timestamp::from_secs(day * 86_400);
        builder.push(&Event::new(who, &format!("i{item}"), EventKind::Purchase, at)).unwrap();
    }
    builder.finish().unwrap()
}

fn fit<P: Validate>(params: P, data: &Dataset) -> LinearModel
where
    Checked<P>: Fit<Model = LinearModel>,
{
    params.check().unwrap().fit(&data.into(), &Run::new(1)).unwrap()
}

fn shop(items: u32, events: u64) -> Dataset {
    let params = ShopParams { items, users: items * 2, events, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap();
    builder.finish().unwrap()
}

/// The scaled matrix, dense, and the column sums before scaling.
fn matrix(data: &Dataset, strength: Strength, scaling: &Scaling) -> (Vec<Vec<f64>>, Vec<f64>) {
    let (rows, items) = (data.n_rows(), data.n_items());
    let mut x = vec![vec![0.0; items]; rows];
    for (u, row) in x.iter_mut().enumerate() {
        let user = UserIdx::new(u as u32);
        for (item, weight) in data.items_of(user).iter() {
            let latest = data.events_of(user).iter().filter(|e| e.item.get() == item).map(|e| e.at).max().unwrap();
            let fresh = scaling.half_life.map_or(1.0, |half_life| data.as_of().since(latest).decay(half_life));
            let value = match strength {
                Strength::Log => (1.0 + f64::from(weight)).log2(),
                Strength::Weight => f64::from(weight),
                _ => 1.0,
            };
            row[item as usize] = value * fresh;
        }
    }
    let counts: Vec<f64> = (0..items).map(|c| x.iter().map(|row| row[c]).sum()).collect();
    for row in &mut x {
        let sum: f64 = row.iter().sum();
        for (v, n) in row.iter_mut().zip(&counts).filter(|(v, _)| **v > 0.0) {
            *v /= sum.powf(scaling.shopper_exponent.into()) * n.powf(scaling.item_exponent.into());
        }
    }
    (x, counts)
}

fn gram(x: &[Vec<f64>], items: usize) -> Vec<Vec<f64>> {
    (0..items).map(|a| (0..items).map(|b| x.iter().map(|row| row[a] * row[b]).sum()).collect()).collect()
}

/// The coefficients of a model, scaled back: `b[voter][target]`.
fn coefficients(model: &LinearModel, counts: &[f64], scaling: &Scaling) -> Vec<Vec<f64>> {
    let items = counts.len();
    let (e, p) = (f64::from(scaling.item_exponent), f64::from(scaling.popularity));
    let back = |a: usize, b: usize| {
        let weight = f64::from(model.weight(i(a), i(b)).unwrap_or(0.0));
        if weight == 0.0 { 0.0 } else { weight * counts[a].powf(e) / counts[b].powf(e + p) }
    };
    (0..items).map(|a| (0..items).map(|b| back(a, b)).collect()).collect()
}

fn events() -> impl Strategy<Value = Vec<(u8, u8, i64)>> {
    prop::collection::vec((0u8..9, 0u8..7, 0i64..100), 1..50)
}

fn scaling() -> impl Strategy<Value = Scaling> {
    let half_life = prop::option::of(Just(Span::days(60)));
    (half_life, 0u8..3, 0u8..3, 0u8..3).prop_map(|(half_life, a, b, c)| Scaling {
        half_life,
        shopper_exponent: f32::from(a) * 0.25,
        item_exponent: f32::from(b) * 0.25,
        popularity: f32::from(c) * 0.25 - 0.25,
    })
}

fn strength() -> impl Strategy<Value = Strength> {
    prop::sample::select(vec![Strength::One, Strength::Log])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Karush-Kuhn-Tucker: where a coefficient is free, the loss is flat; where it is zero, it would pay for leaving.
    #[test]
    fn slim_is_the_minimiser(
        events in events(), scaling in scaling(), strength in strength(), any in any::<bool>(), l1_ratio in 0u8..4,
    ) {
        let data = dataset(&events);
        let sign = if any { Sign::Any } else { Sign::NonNegative };
        let l1_ratio = f32::from(l1_ratio) * 0.25;
        let params = SlimParams {
            regularization: 0.05, l1_ratio, sign, strength, scaling, sweeps: 2_000, tolerance: 1e-7, ..SlimParams::default()
        };
        let model = fit(params, &data);
        let (x, counts) = matrix(&data, strength, &scaling);
        let shoppers = x.iter().filter(|row| row.iter().any(|v| *v > 0.0)).count() as f64;
        let (l1, l2) = (0.05 * shoppers * f64::from(l1_ratio), 0.05 * shoppers * f64::from(1.0 - l1_ratio));
        let (g, b) = (gram(&x, counts.len()), coefficients(&model, &counts, &scaling));
        for j in 0..counts.len() {
            prop_assert_eq!(b[j][j], 0.0);
            for a in (0..counts.len()).filter(|&a| a != j && counts[a] > 0.0 && counts[j] > 0.0) {
                let explained: f64 = (0..counts.len()).map(|k| g[a][k] * b[k][j]).sum();
                let pull = g[a][j] - explained - l2 * b[a][j];
                let tolerance = 1e-4 * (1.0 + g[a][a] + g[j][j]);
                if b[a][j] > 0.0 {
                    prop_assert!((pull - l1).abs() < tolerance, "{} pulls {}, not {}", a, pull, l1);
                } else if b[a][j] < 0.0 {
                    prop_assert!(any && (pull + l1).abs() < tolerance, "{} pulls {}, not -{}", a, pull, l1);
                } else {
                    prop_assert!(pull < l1 + tolerance && (!any || pull > -l1 - tolerance), "{} at zero: {}", a, pull);
                }
            }
        }
    }

    /// Off the diagonal `(G + Λ) B = G`, on it `B` is zero: the stationary point under the constraint.
    #[test]
    fn ease_is_the_constrained_ridge(
        events in events(), scaling in scaling(), strength in strength(), dropout in 0u8..3,
    ) {
        let data = dataset(&events);
        let dropout = f64::from(dropout) * 0.25;
        let params = EaseParams { regularization: 0.5, dropout, strength, scaling, ..EaseParams::default() };
        let dense = fit(params.clone(), &data);
        let kept = fit(EaseParams { keep: Keep::Largest { neighbours: 100 }, ..params }, &data);
        let sparse =
            SparseEaseParams { regularization: 0.5, dropout, neighbours: 100, strength, scaling, ..Default::default() };
        let sparse = fit(sparse, &data);
        let (x, counts) = matrix(&data, strength, &scaling);
        let g = gram(&x, counts.len());
        for model in [&dense, &kept] {
            let b = coefficients(model, &counts, &scaling);
            for j in 0..counts.len() {
                prop_assert_eq!(b[j][j], 0.0);
                for a in (0..counts.len()).filter(|&a| a != j && counts[a] > 0.0 && counts[j] > 0.0) {
                    let ridge = 0.5 + dropout / (1.0 - dropout) * g[a][a];
                    let left: f64 = (0..counts.len()).map(|k| g[a][k] * b[k][j]).sum::<f64>() + ridge * b[a][j];
                    prop_assert!((left - g[a][j]).abs() < 1e-3 * (1.0 + g[a][a] + g[j][j]), "{} {}: {}", a, j, left - g[a][j]);
                }
            }
        }
        // The sparse one sees only items that were met with the target: the same equations among those.
        let b = coefficients(&sparse, &counts, &scaling);
        for j in 0..counts.len() {
            let near: Vec<usize> = (0..counts.len()).filter(|&a| a != j && g[a][j] > 0.0).collect();
            for &a in &near {
                let ridge = 0.5 + dropout / (1.0 - dropout) * g[a][a];
                let left: f64 = near.iter().map(|&k| g[a][k] * b[k][j]).sum::<f64>() + ridge * b[a][j];
                prop_assert!((left - g[a][j]).abs() < 1e-3 * (1.0 + g[a][a] + g[j][j]));
            }
        }
    }
}

/// Tea in three baskets, a mug in two of them.
fn tea_and_mug() -> Dataset {
    dataset(&[(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (2, 0, 1)])
}

#[test]
fn two_items_by_hand() {
    let data = tea_and_mug();
    let (tea, mug) = (i(0), i(1));
    // XᵀX = [3 2; 2 2]: 2 / (3 + 1) and 2 / (2 + 1).
    let ease = EaseParams { regularization: 1.0, ..EaseParams::default() };
    let sparse = SparseEaseParams { regularization: 1.0, ..SparseEaseParams::default() };
    for model in [fit(ease.clone(), &data), fit(sparse, &data)] {
        assert_relative_eq!(model.weight(tea, mug).unwrap(), 0.5, epsilon = 1e-6);
        assert_relative_eq!(model.weight(mug, tea).unwrap(), 2.0 / 3.0, epsilon = 1e-6);
        assert_eq!(model.weight(i(5), mug), None, "an item without events");
        assert_eq!(model.similar_items(tea, 3).iter().map(|s| s.item).collect::<Vec<_>>(), [mug]);
    }
    // Half of a shopper's items dropped: XᵀX doubles on the diagonal, 2 / (6 + 1).
    let dropped = fit(EaseParams { dropout: 0.5, ..ease }, &data);
    assert_relative_eq!(dropped.weight(tea, mug).unwrap(), 2.0 / 7.0, epsilon = 1e-6);
    // Three shoppers: l1 = 3 x 0.5 x 0.4 = 0.6, l2 = 0.9.
    let slim = fit(SlimParams { regularization: 0.5, l1_ratio: 0.4, ..SlimParams::default() }, &data);
    assert_relative_eq!(slim.weight(tea, mug).unwrap(), 1.4 / 3.9, epsilon = 1e-6);
    assert_relative_eq!(slim.weight(mug, tea).unwrap(), 1.4 / 2.9, epsilon = 1e-6);
}

#[test]
fn neighbours_are_the_largest_of_each_target() {
    let data = shop(60, 3_000);
    let some = fit(SlimParams { regularization: 1e-3, neighbours: 3, ..SlimParams::default() }, &data);
    let all = fit(SlimParams { regularization: 1e-3, ..SlimParams::default() }, &data);
    let column = |model: &LinearModel, j| -> Vec<f32> {
        let mut column: Vec<f32> = (0..data.n_items()).filter_map(|a| model.weight(i(a), i(j))).collect();
        column.sort_by(|a, b| b.total_cmp(a));
        column
    };
    for j in 0..data.n_items() {
        let (some, all) = (column(&some, j), column(&all, j));
        assert_eq!(some, all[..all.len().min(3)]);
    }
    assert!((0..data.n_items()).any(|j| column(&all, j).len() > 3));
    let two = fit(SlimParams { candidates: Some(2), l1_ratio: 0.0, ..SlimParams::default() }, &data);
    assert!((0..data.n_items()).all(|j| column(&two, j).len() <= 2), "two candidates explain an item");
}

#[test]
fn an_item_may_speak_for_itself() {
    let data = tea_and_mug();
    let shelf = Shelf::bare(&data);
    let history = [Touch { item: i(0), kind: EventKind::Purchase, at: data.as_of(), weight: 5.0 }];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    let ease = EaseParams { regularization: 1.0, ..EaseParams::default() };
    let same = fit(EaseParams { self_weight: 0.75, ..ease.clone() }, &data);
    assert_eq!(opinions(&same, &cx, &[i(0), i(1), i(4)]), [Some(0.75), Some(0.5), None]);
    assert_eq!(opinions(&fit(ease, &data), &cx, &[i(0)]), [Some(0.0)], "zero on the diagonal");
    let slim = fit(SlimParams { self_weight: 0.75, ..SlimParams::default() }, &data);
    assert_eq!(opinions(&slim, &cx, &[i(0)]), [Some(0.75)]);
    assert_eq!(proposals(&slim, &cx, 1), [i(0)]);
    assert_eq!(opinions(&fit(SlimParams::default(), &data), &cx, &[i(0)]), [None], "nobody speaks for it");
}

/// Every recipe with its default, as a model of `data`.
fn models(data: &Dataset) -> Vec<LinearModel> {
    vec![
        fit(SlimParams::default(), data),
        fit(SlimParams { sign: Sign::Any, regularization: 1e-3, self_weight: 0.5, ..SlimParams::default() }, data),
        fit(SparseEaseParams { neighbours: 12, regularization: 5.0, ..SparseEaseParams::default() }, data),
        fit(EaseParams { regularization: 5.0, ..EaseParams::default() }, data),
        fit(EaseParams { keep: Keep::Largest { neighbours: 7 }, regularization: 5.0, ..EaseParams::default() }, data),
    ]
}

#[test]
fn the_laws_of_scorers_hold() {
    let data = shop(80, 2_000);
    for model in models(&data) {
        check_scorer(&model, &data, &Shelf::bare(&data)).unwrap();
    }
}

#[test]
fn explanations_add_up() {
    let data = shop(80, 2_000);
    let shelf = Shelf::bare(&data);
    let touch = |n: usize| Touch { item: i(n), kind: EventKind::View, at: data.as_of(), weight: 1.0 };
    let history: Vec<Touch> = (0..20).map(touch).collect();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    for model in models(&data) {
        for item in proposals(&model, &cx, 10) {
            let explanation = model.explain(&cx, item, &mut Workspace::default());
            let sum: f32 = explanation.details.iter().filter_map(|detail| detail.value).sum();
            assert_relative_eq!(sum, explanation.value.unwrap(), epsilon = 1e-5);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = shop(150, 4_000);
    let recipe = |run: &Run<'_>| {
        let train = TrainingSet::from(&data);
        let slim = SlimParams { sign: Sign::Any, ..SlimParams::default() }.check().unwrap().fit(&train, run).unwrap();
        let sparse = Checked::<SparseEaseParams>::default().fit(&train, run).unwrap();
        let scaling = Scaling { shopper_exponent: 0.5, item_exponent: 0.3, ..Scaling::default() };
        let ease = EaseParams { regularization: 1.0, scaling, ..EaseParams::default() }.check().unwrap();
        (slim, sparse, ease.fit(&train, run).unwrap())
    };
    let serial = recipe(&Run::new(1).threads(Parallelism::Serial));
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| recipe(&Run::new(2))) == serial, "{threads} threads");
    }
}

#[test]
fn little_and_odd_data_give_few_opinions_and_no_error() {
    let empty = DatasetBuilder::default().finish().unwrap();
    for model in models(&empty) {
        assert!(model.similar_items(i(0), 5).is_empty());
        check_scorer(&model, &empty, &Shelf::bare(&empty)).unwrap();
    }
    let one = dataset(&[(0, 3, 5), (0, 3, 5), (1, 3, 5)]);
    for model in models(&one) {
        assert!(model.similar_items(i(3), 5).iter().all(|near| near.score == 0.0));
        check_scorer(&model, &one, &Shelf::bare(&one)).unwrap();
    }
}

#[test]
fn what_cannot_be_fitted_is_an_error_that_helps() {
    let data = tea_and_mug();
    let small = EaseParams { max_items: 1, ..EaseParams::default() }.check().unwrap();
    let FitError::Param(error) = small.fit(&(&data).into(), &Run::new(1)).unwrap_err() else { panic!() };
    assert_eq!((error.param.as_str(), error.got.as_str()), ("max_items", "1"));
    assert!(error.expected.contains("2 items") && error.expected.contains("SparseEaseParams"), "{error}");
    assert!(
        EaseParams { max_items: 2, ..EaseParams::default() }
            .check()
            .unwrap()
            .fit(&(&data).into(), &Run::new(1))
            .is_ok()
    );
    let cancelled = AtomicBool::new(true);
    let run = Run::new(1).cancel(&cancelled);
    let train = TrainingSet::from(&data);
    assert_eq!(Checked::<EaseParams>::default().fit(&train, &run), Err(FitError::Cancelled(Cancelled)));
    assert_eq!(Checked::<SlimParams>::default().fit(&train, &run), Err(FitError::Cancelled(Cancelled)));
    assert_eq!(Checked::<SparseEaseParams>::default().fit(&train, &run), Err(FitError::Cancelled(Cancelled)));
}

#[test]
fn a_faded_pair_counts_less() {
    // A mug bought with tea long ago counts a quarter, in each of its pairs.
    let data = dataset(&[(0, 0, 100), (0, 1, 100), (1, 0, 80), (1, 1, 80)]);
    let scaling = Scaling { half_life: Some(Span::days(10)), ..Scaling::default() };
    let model = fit(SparseEaseParams { regularization: 1.0, scaling, ..SparseEaseParams::default() }, &data);
    let product = 1.0 + 0.25 * 0.25;
    assert_relative_eq!(model.weight(i(0), i(1)).unwrap(), product / (product + 1.0), epsilon = 1e-6);
}

#[test]
fn parameters_keep_their_tables() {
    check_params::<SlimParams>().unwrap();
    check_params::<EaseParams>().unwrap();
    check_params::<SparseEaseParams>().unwrap();
    for candidates in [Some(0), Some(100_001)] {
        assert_eq!(SlimParams { candidates, ..SlimParams::default() }.validate().unwrap_err().param, "candidates");
    }
    let keep = Keep::Largest { neighbours: 0 };
    assert_eq!(EaseParams { keep, ..EaseParams::default() }.validate().unwrap_err().param, "keep.largest.neighbours");
    let kinds = KindSet::of(&[]);
    assert_eq!(SlimParams { kinds, ..SlimParams::default() }.validate().unwrap_err().param, "kinds");
    assert_abs_diff_eq!(SlimParams::default().regularization, 0.02);
}
