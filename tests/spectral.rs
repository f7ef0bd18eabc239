//! GF-CF and PureSVD against dense twins in `f64`, worked cases, laws and hostile input.

use std::sync::atomic::AtomicBool;

use approx::assert_relative_eq;
use likewise::testing::{ShopParams, SyntheticShop, check_params, check_scorer, opinions, proposals};
use likewise::*;
use proptest::prelude::*;

fn dataset(pairs: &[(u8, u8)]) -> Dataset {
    let mut builder = DatasetBuilder::default();
    for &(user, item) in pairs {
        let user = format!("u{user}");
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        let at = Timestamp::from_secs(86_400);
        builder.push(&Event::new(who, &format!("i{item}"), EventKind::Purchase, at)).unwrap();
    }
    builder.finish().unwrap()
}

fn shop() -> Dataset {
    let params = ShopParams { items: 70, users: 100, events: 2_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap();
    builder.finish().unwrap()
}

/// The exponents of the paper.
fn paper() -> GfCfParams {
    GfCfParams { from_exponent: 0.5, to_exponent: 0.5, ..GfCfParams::default() }
}

fn touches(items: impl IntoIterator<Item = u32>) -> Vec<Touch> {
    let touch =
        |item| Touch { item: ItemIdx::new(item), kind: EventKind::View, at: Timestamp::from_secs(86_400), weight: 1.0 };
    items.into_iter().map(touch).collect()
}

fn scores(model: &dyn Scorer, data: &Dataset, history: &[Touch]) -> Vec<Option<f32>> {
    let shelf = Shelf::bare(data);
    let mut cx = Context::new(data, &shelf, data.as_of());
    cx.history = history;
    let all: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    opinions(model, &cx, &all)
}

/// `D^-a R N^-b`, dense.
fn scaled(data: &Dataset, a: f64, b: f64) -> Vec<Vec<f64>> {
    let rows = (0..data.n_rows() as u32).map(UserIdx::new);
    rows.map(|user| {
        let row = data.items_of(user);
        let mut x = vec![0.0; data.n_items()];
        for &item in row.indices() {
            let n = data.users_of(ItemIdx::new(item)).len() as f64;
            x[item as usize] = (row.len() as f64).powf(-a) * n.powf(-b);
        }
        x
    })
    .collect()
}

/// The projection of `v` on the space of the rows of `x`.
fn projection(x: &[Vec<f64>], v: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut basis: Vec<Vec<f64>> = Vec::new();
    for row in x {
        let mut row = row.clone();
        let whole = dot(&row, &row);
        for _ in 0..2 {
            for b in &basis {
                let part = dot(&row, b);
                row.iter_mut().zip(b).for_each(|(r, b)| *r -= part * b);
            }
        }
        let left = dot(&row, &row);
        if left > 1e-10 * whole && left > 0.0 {
            row.iter_mut().for_each(|r| *r /= left.sqrt());
            basis.push(row);
        }
    }
    let mut out = vec![0.0; v.len()];
    for b in &basis {
        let part = dot(v, b);
        out.iter_mut().zip(b).for_each(|(o, b)| *o += part * b);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_walk_is_the_dense_product(
        pairs in prop::collection::vec((0u8..8, 0u8..9), 1..40),
        history in prop::collection::vec(0u32..9, 1..5),
        a in 0u8..3, f in 0u8..4, t in 0u8..4,
    ) {
        let data = dataset(&pairs);
        let history: Vec<u32> = history.into_iter().filter(|&h| (h as usize) < data.n_items()).collect();
        let (a, f, t) = (f32::from(a) * 0.5, f32::from(f) * 0.5 - 0.5, f32::from(t) * 0.5 - 0.5);
        let params = GfCfParams {
            factors: 0, shopper_exponent: a, from_exponent: f, to_exponent: t, ..GfCfParams::default()
        };
        let model = params.check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap();
        let fast = scores(&model, &data, &touches(history.iter().copied()));
        let (from, to) = (scaled(&data, a.into(), f.into()), scaled(&data, a.into(), t.into()));
        let mut voters: Vec<usize> = history.iter().map(|&h| h as usize).collect();
        voters.sort_unstable();
        voters.dedup();
        for (j, fast) in fast.iter().enumerate() {
            let slow: f64 = voters.iter().map(|&v| from.iter().zip(&to).map(|(x, y)| x[v] * y[j]).sum::<f64>()).sum();
            match fast {
                Some(fast) => prop_assert!((f64::from(*fast) - slow).abs() < 1e-5 * (1.0 + slow.abs())),
                None => prop_assert_eq!(slow, 0.0),
            }
        }
    }

    /// With every singular vector, the low-pass filter projects on the space of the rows. One round: the space is whole
    /// already, and each further round only weakens its weakest directions.
    #[test]
    fn all_patterns_together_are_a_projection(
        pairs in prop::collection::vec((0u8..6, 0u8..6), 1..24), voter in 0u32..6,
    ) {
        let data = dataset(&pairs);
        if voter as usize >= data.n_items() {
            return Ok(());
        }
        let n = |item: usize| data.users_of(ItemIdx::new(item as u32)).len() as f64;
        let history = touches([voter]);
        let scaling = Scaling { shopper_exponent: 0.5, item_exponent: 0.5, ..Scaling::default() };
        let svd = PureSvdParams { factors: 30, rounds: 1, scaling, ..PureSvdParams::default() };
        let svd = scores(&svd.check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap(), &data, &history);
        let walk = GfCfParams { factors: 0, ..paper() };
        let walk = scores(&walk.check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap(), &data, &history);
        let both = GfCfParams { factors: 30, rounds: 1, low_pass: 2.0, ..paper() };
        let both = scores(&both.check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap(), &data, &history);
        let mut x = vec![0.0; data.n_items()];
        x[voter as usize] = n(voter as usize).powf(-0.5);
        let projected = projection(&scaled(&data, 0.5, 0.5), &x);
        for item in 0..data.n_items() {
            let slow = projected[item] * n(item).sqrt();
            prop_assert!((f64::from(svd[item].unwrap()) - slow).abs() < 2e-3, "{:?} {}", svd[item], slow);
            let sum = f64::from(walk[item].unwrap_or(0.0)) + 2.0 * slow;
            prop_assert!((f64::from(both[item].unwrap()) - sum).abs() < 5e-3);
        }
    }
}

#[test]
fn one_shared_shopper_by_hand() {
    // ann: tea, mug; bob: tea. D = (2, 1), N = (2, 1). tea -> mug through ann: 1/2 / √(2 x 1).
    let data = dataset(&[(0, 0), (0, 1), (1, 0)]);
    let model = GfCfParams { factors: 0, ..paper() }.check().unwrap();
    let model = model.fit(&(&data).into(), &Run::new(1)).unwrap();
    let scores = scores(&model, &data, &touches([0]));
    assert_relative_eq!(scores[1].unwrap(), 0.5 / 2f32.sqrt(), epsilon = 1e-6);
    // and back to itself, through both: (1/2 + 1) / 2.
    assert_relative_eq!(scores[0].unwrap(), 0.75, epsilon = 1e-6);
}

fn models(data: &Dataset, run: &Run<'_>) -> (Vec<GfCf>, Vec<PureSvd>) {
    let train = TrainingSet::from(data);
    let recipes = [
        GfCfParams { factors: 12, ..GfCfParams::default() },
        GfCfParams { factors: 0, ..paper() },
        GfCfParams { factors: 100, shopper_exponent: 0.7, to_exponent: 0.2, ..GfCfParams::default() },
    ];
    let gf = recipes.map(|params| params.check().unwrap().fit(&train, run).unwrap());
    let recipes = [PureSvdParams { factors: 12, ..PureSvdParams::default() }, PureSvdParams::default()];
    let svd = recipes.map(|params| params.check().unwrap().fit(&train, run).unwrap());
    (gf.into(), svd.into())
}

fn all(models: &(Vec<GfCf>, Vec<PureSvd>)) -> Vec<&dyn Scorer> {
    let (gf, svd) = models;
    gf.iter().map(|m| m as &dyn Scorer).chain(svd.iter().map(|m| m as &dyn Scorer)).collect()
}

#[test]
fn the_laws_of_scorers_hold() {
    let data = shop();
    for model in all(&models(&data, &Run::new(1))) {
        check_scorer(model, &data, &Shelf::bare(&data)).unwrap();
    }
}

/// Enough items for the search to leave most of them out.
#[test]
fn proposals_are_the_best_of_all_scores() {
    let params = ShopParams { items: 900, users: 500, events: 5_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(params.check().unwrap())).unwrap();
    let data = builder.finish().unwrap();
    let shelf = Shelf::bare(&data);
    let items: Vec<ItemIdx> = (0..data.n_items() as u32).map(ItemIdx::new).collect();
    for model in all(&models(&data, &Run::new(1))) {
        for first in (0..600).step_by(120) {
            for n in [1, 5, 30] {
                let history = touches(first..first + n);
                let mut cx = Context::new(&data, &shelf, data.as_of());
                cx.history = &history;
                let scores = opinions(model, &cx, &items);
                let mut best: Vec<(f32, ItemIdx)> =
                    scores.into_iter().zip(&items).filter_map(|(score, &item)| Some((score? + 0.0, item))).collect();
                best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                for limit in [1, 20, 200] {
                    let slow: Vec<ItemIdx> = best.iter().take(limit).map(|(_, item)| *item).collect();
                    assert_eq!(proposals(model, &cx, limit), slow, "{} {first} {n} {limit}", model.name());
                }
            }
        }
    }
}

#[test]
fn explanations_add_up() {
    let data = shop();
    let shelf = Shelf::bare(&data);
    let history = touches(0..15);
    let mut cx = Context::new(&data, &shelf, data.as_of());
    cx.history = &history;
    for model in all(&models(&data, &Run::new(1))) {
        for item in proposals(model, &cx, 10) {
            let explanation = model.explain(&cx, item, &mut Workspace::default());
            let sum: f32 = explanation.details.iter().filter_map(|detail| detail.value).sum();
            assert_relative_eq!(sum, explanation.value.unwrap(), epsilon = 1e-5, max_relative = 1e-4);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let data = shop();
    let serial = models(&data, &Run::new(7).threads(Parallelism::Serial));
    for threads in [1, 2, 4, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert!(pool.install(|| models(&data, &Run::new(7))) == serial, "{threads} threads");
    }
}

#[test]
fn planted_groups_are_found() {
    // Two groups of items that nobody mixes: two singular values of 1, and no score across.
    let pairs: Vec<(u8, u8)> = (0..12)
        .flat_map(|u| (0..8).map(move |i| (u, i)))
        .filter(|(u, i)| u % 2 == i % 2 && (u + i * 3) % 5 > 0)
        .collect();
    let data = dataset(&pairs);
    let scaling = Scaling { shopper_exponent: 0.5, item_exponent: 0.5, ..Scaling::default() };
    let svd = PureSvdParams { factors: 2, scaling, ..PureSvdParams::default() };
    let svd = svd.check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap();
    svd.singular_values().iter().for_each(|s| assert_relative_eq!(*s, 1.0, epsilon = 1e-4));
    let even = data.item("i0").unwrap();
    let scores = scores(&svd, &data, &touches([even.get()]));
    for (item, score) in scores.iter().enumerate() {
        let same = data.item_key(ItemIdx::new(item as u32))[1..].parse::<u8>().unwrap() % 2 == 0;
        assert_eq!(score.unwrap() > 1e-3, same, "{item}: {score:?}");
    }
    let near = svd.similar_items(even, 3);
    assert!(near.iter().all(|near| near.score > 0.99 && near.item != even));
}

#[test]
fn little_and_odd_data_give_few_opinions_and_no_error() {
    for data in [DatasetBuilder::default().finish().unwrap(), dataset(&[(0, 0)]), dataset(&[(0, 0), (0, 0), (1, 0)])] {
        for model in all(&models(&data, &Run::new(1))) {
            check_scorer(model, &data, &Shelf::bare(&data)).unwrap();
            assert!(scores(model, &data, &[]).iter().all(Option::is_none));
        }
    }
    let cancelled = AtomicBool::new(true);
    let run = Run::new(1).cancel(&cancelled);
    let data = shop();
    assert_eq!(Checked::<GfCfParams>::default().fit(&(&data).into(), &run), Err(FitError::Cancelled(Cancelled)));
    assert_eq!(Checked::<PureSvdParams>::default().fit(&(&data).into(), &run), Err(FitError::Cancelled(Cancelled)));
}

#[test]
fn parameters_keep_their_tables() {
    check_params::<GfCfParams>().unwrap();
    check_params::<PureSvdParams>().unwrap();
}
