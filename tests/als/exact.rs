//! Against the twin and numbers worked out by hand.

use std::sync::Mutex;

use approx::assert_relative_eq;
use likewise::*;
use proptest::prelude::*;

use super::*;

fn assert_near(fast: &[f32], slow: &[f64], tolerance: f64) {
    for (fast, slow) in fast.iter().zip(slow) {
        assert_relative_eq!(f64::from(*fast), *slow, epsilon = tolerance, max_relative = tolerance);
    }
}

#[test]
fn equals_the_dense_twin_after_several_iterations() {
    let data = dataset(&some_pairs());
    for confidence in [Confidence::Linear, Confidence::Log] {
        for (factors, alpha, alpha0, regularization, frequency_exponent) in
            [(1, 1.0, 1.0, 0.5, 0.0), (3, 2.0, 0.1, 0.05, 0.5), (5, 1.0, 0.3, 0.1, 1.0)]
        {
            let params = AlsParams {
                factors,
                iterations: 4,
                alpha,
                alpha0,
                confidence,
                regularization,
                frequency_exponent,
                solver: Solver::Cholesky,
                init_std: 1.0,
                ..AlsParams::default()
            };
            let als = fit(&params, &data, &Run::new(9));
            let (x, y) = twin::fit(&params, &data, 9);
            x.iter().zip(data.users()).for_each(|(x, u)| assert_near(als.user_factors(u).unwrap(), x, 2e-3));
            let items = (0..).map(ItemIdx::new);
            y.iter().zip(items).for_each(|(y, i)| assert_near(als.item_factors(i).unwrap(), y, 2e-3));
        }
    }
}

/// More pairs a row than factors, fewer, and more than a block of lanes: every way to solve a row takes part.
#[test]
fn every_solver_equals_the_dense_twin_on_long_rows() {
    let pairs: Vec<_> = (0..70)
        .flat_map(|u| (0..60).map(move |i| (u, i)))
        .filter(|(u, i)| (u * 7 + i * 11) % (2 + u % 9) == 0)
        .map(|(u, i)| (u, i, (1 + (u + i) % 4) as f32))
        .collect();
    let data = dataset(&pairs);
    for factors in [3, 20] {
        let params = AlsParams {
            factors,
            iterations: 2,
            alpha0: 0.3,
            regularization: 0.05,
            init_std: 1.0,
            ..AlsParams::default()
        };
        let (x, y) = twin::fit(&params, &data, 9);
        // One block of all factors is exact, and so are more steps than factors.
        for solver in [Solver::Cholesky, Solver::ConjugateGradient { steps: 100 }, Solver::Subspace { block: 32 }] {
            let als = fit(&AlsParams { solver, ..params.clone() }, &data, &Run::new(9));
            x.iter().zip(data.users()).for_each(|(x, u)| assert_near(als.user_factors(u).unwrap(), x, 5e-3));
            let items = (0..).map(ItemIdx::new);
            y.iter().zip(items).for_each(|(y, i)| assert_near(als.item_factors(i).unwrap(), y, 5e-3));
        }
    }
}

#[test]
fn by_hand_one_shopper_one_item_one_factor() {
    // 2 (1 - xy)² + x² + y² is least at x = y = ±√½: with |x| = |y| it is 2 (1 - s)² + 2 s, so s = 1/2.
    let data = dataset(&[(0, 0, 1.0)]);
    for solver in [Solver::Cholesky, Solver::ConjugateGradient { steps: 1 }] {
        let params = AlsParams {
            factors: 1,
            iterations: 60,
            alpha0: 1.0,
            regularization: 1.0,
            frequency_exponent: 0.0,
            solver,
            ..AlsParams::default()
        };
        let als = fit(&params, &data, &Run::new(3));
        let (x, y) = (als.user_factors(UserIdx::new(0)).unwrap()[0], als.item_factors(ItemIdx::new(0)).unwrap()[0]);
        assert_relative_eq!(x * y, 0.5, epsilon = 1e-5);
        assert_relative_eq!(x.abs(), 0.5f32.sqrt(), epsilon = 1e-3);
        // A stranger who bought it three times (c = 1 + 2, as log2(1 + 3) = 2): x = 3y / (3y² + 1) = 3y / 2.5.
        let stranger = als.fold_in(&[touch(0, 1.0), touch(0, 2.0)], &mut Workspace::default()).unwrap();
        assert_relative_eq!(stranger[0], 3.0 * y / (3.0 * y * y + 1.0), epsilon = 1e-5);
        assert_relative_eq!(scores(&als, &data, &[touch(0, 3.0)], 1)[0].unwrap(), 0.6, epsilon = 1e-3);
    }
}

#[test]
fn every_half_step_lowers_the_objective_and_the_last_loss_is_the_objective() {
    let data = dataset(&some_pairs());
    let conjugate = |steps| Solver::ConjugateGradient { steps };
    for solver in [Solver::Cholesky, conjugate(1), conjugate(3), Solver::Subspace { block: 16 }] {
        let params =
            AlsParams { factors: 6, iterations: 10, solver, alpha0: 0.2, init_std: 1.0, ..AlsParams::default() };
        let losses = Mutex::new(Vec::new());
        let record = |p: Progress| losses.lock().unwrap().extend(p.loss);
        let als = fit(&params, &data, &Run::new(5).progress(&record));
        let losses = losses.into_inner().unwrap();
        assert_eq!(losses.len(), 20);
        for pair in losses.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-6), "{solver:?}: {pair:?}");
        }
        let wide = |v: Option<&[f32]>| v.unwrap().iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let x = data.users().map(|u| wide(als.user_factors(u))).collect();
        let y = (0..data.n_items() as u32).map(|i| wide(als.item_factors(ItemIdx::new(i)))).collect();
        let slow = twin::objective(&params, &twin::dense(&params, &data), &x, &y);
        assert_relative_eq!(losses[19], slow, max_relative = 1e-4);
    }
}

#[test]
fn cholesky_and_conjugate_gradients_agree() {
    let data = dataset(&some_pairs());
    let params = AlsParams { factors: 4, iterations: 3, alpha0: 0.5, init_std: 1.0, ..AlsParams::default() };
    let exact = fit(&AlsParams { solver: Solver::Cholesky, ..params.clone() }, &data, &Run::new(4));
    let steps = fit(&AlsParams { solver: Solver::ConjugateGradient { steps: 50 }, ..params }, &data, &Run::new(4));
    for user in data.users() {
        let slow: Vec<f64> = exact.user_factors(user).unwrap().iter().map(|&v| v.into()).collect();
        assert_near(steps.user_factors(user).unwrap(), &slow, 5e-3);
    }
}

#[test]
fn folding_in_the_own_history_gives_the_stored_vector() {
    let data = dataset(&blocks(4, 15, 15));
    let params = AlsParams { factors: 4, solver: Solver::Cholesky, ..AlsParams::default() };
    let als = fit(&params, &data, &Run::new(8));
    let cells = twin::dense(&params, &data);
    let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
    let items: twin::Matrix =
        (0..data.n_items() as u32).map(|i| wide(als.item_factors(ItemIdx::new(i)).unwrap())).collect();
    let ws = &mut Workspace::default();
    for user in data.users() {
        let stored = als.user_factors(user).unwrap();
        let folded = als.fold_in(&history(&data, user), ws).unwrap();
        let exact = twin::solve_row(&params, &cells[user.as_usize()], &items);
        for (y, item) in items.iter().zip(0..) {
            let exact: f64 = exact.iter().zip(y).map(|(x, y)| x * y).sum();
            let product = |x| f64::from(product(x, als.item_factors(ItemIdx::new(item)).unwrap()));
            assert!((product(stored) - exact).abs() < 1e-4, "stored: {} for {exact}", product(stored));
            assert!((product(&folded) - exact).abs() < 1e-3, "folded in: {} for {exact}", product(&folded));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the data: the exact solver matches the twin's half-step on its own item vectors.
    #[test]
    fn every_stored_vector_solves_its_row(
        pairs in prop::collection::vec((0usize..7, 0usize..6, 1u8..9), 1..30),
        factors in 1u32..5,
        nu in 0.0..=1.0,
        alpha0 in 0.05..2.0,
    ) {
        let data = dataset(&pairs.into_iter().map(|(u, i, w)| (u, i, f32::from(w))).collect::<Vec<_>>());
        let params = AlsParams {
            factors, alpha0, frequency_exponent: nu, regularization: 0.1, iterations: 2, solver: Solver::Cholesky,
            init_std: 1.0, ..AlsParams::default()
        };
        let als = fit(&params, &data, &Run::new(0));
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let items: twin::Matrix =
            (0..data.n_items() as u32).map(|i| wide(als.item_factors(ItemIdx::new(i)).unwrap())).collect();
        for (user, row) in data.users().zip(twin::dense(&params, &data)) {
            let slow = twin::solve_row(&params, &row, &items);
            for (fast, slow) in als.user_factors(user).unwrap().iter().zip(slow) {
                prop_assert!((f64::from(*fast) - slow).abs() < 1e-3 * (1.0 + slow.abs()), "{fast} {slow}");
            }
        }
    }
}
