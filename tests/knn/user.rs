use super::*;

fn params() -> impl Strategy<Value = UserKnnParams> {
    let shrinkage = prop::sample::select(vec![0.0, 2.0]);
    let locality = prop::sample::select(vec![1.0, 0.5, 2.0]);
    let own = prop::sample::select(vec![Own::Kept, Own::Dropped]);
    (similarity(), strength(), shrinkage, locality, own).prop_map(|(similarity, pairs, shrinkage, locality, own)| {
        UserKnnParams { similarity, pairs, shrinkage, locality, own, ..UserKnnParams::default() }
    })
}

/// How near each row is to a shopper with this history of votes of 1, `user` left out.
fn nearness(params: &UserKnnParams, dense: &Dense, history: &[u8], user: Option<usize>) -> Vec<f64> {
    let alike = Alike::new(params.similarity, &dense.x);
    let mut vector = vec![0.0; ITEMS.into()];
    history.iter().for_each(|&item| vector[usize::from(item)] = alike.idf[usize::from(item)]);
    let near = |row: usize| {
        let product: f64 = vector.iter().zip(&alike.w[row]).map(|(a, b)| a * b).sum();
        let n = history.iter().filter(|&&item| dense.x[row][usize::from(item)] > 0.0).count() as f64;
        let near = alike.of(product, &vector, &alike.w[row]) * (n / (n + f64::from(params.shrinkage)));
        if near > 0.0 { near.powf(params.locality.into()) } else { 0.0 }
    };
    (0..dense.x.len())
        .map(|row| if params.own == Own::Dropped && user == Some(row) { 0.0 } else { near(row) })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn scores_like_its_dense_twin(
        events in events(),
        params in params(),
        history in prop::collection::btree_set(0..ITEMS, 0..4),
        user in 0usize..8,
    ) {
        let data = data(&events);
        prop_assume!(data.n_rows() > 0);
        let history: Vec<u8> = history.into_iter().collect();
        let dense = dense(&data, params.kinds, params.pairs);
        let user = Some(user).filter(|&user| user < data.n_rows());
        let near = nearness(&params, &dense, &history, user);
        let model = fit(params, &data);
        let got = scores(&model, &data, &seen(&history), user.map(|user| UserIdx::new(user as u32)));
        for item in 0..data.n_items() {
            let want: f64 = near.iter().zip(&dense.x).map(|(near, row)| near * row[item]).sum();
            let got = got[item].map_or(0.0, f64::from);
            prop_assert!(close(got, want), "item {}: {} instead of {}", item, got, want);
        }
    }

    #[test]
    fn explanations_add_up(events in events(), params in params(), history in prop::collection::btree_set(0..ITEMS, 1..4)) {
        let data = data(&events);
        let model = fit(params, &data);
        let history = seen(&history.into_iter().collect::<Vec<_>>());
        let shelf = Shelf::bare(&data);
        let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(40));
        cx.history = &history;
        for item in (0..data.n_items() as u32).map(i) {
            let why = model.explain(&cx, item, &mut Workspace::default());
            let sum: f64 = why.details.iter().map(|part| f64::from(part.value.unwrap())).sum();
            prop_assert!(close(sum, why.value.map_or(0.0, f64::from)), "{:?}", why);
        }
    }
}

#[test]
fn by_hand() {
    // The shopper has 0 and 1: row 0 shares both (cosine 1), row 1 both of three, row 2 one of two.
    let data = plain(&[&[0, 1], &[0, 1, 2], &[1, 3], &[3, 4]]);
    let params = UserKnnParams { similarity: Similarity::Cosine, ..UserKnnParams::default() };
    let of = |params: UserKnnParams, user| scores(&fit(params, &data), &data, &seen(&[0, 1]), user);
    let (second, third) = (2.0 / 6f32.sqrt(), 0.5);
    let got = of(params.clone(), None);
    let want = [Some(1.0 + second), Some(1.0 + second + third), Some(second), Some(third), None];
    got.iter().zip(want).for_each(|(got, want)| match (got, want) {
        (Some(got), Some(want)) => assert!(close((*got).into(), want.into()), "{got} {want}"),
        (got, want) => assert_eq!(*got, want),
    });
    let two = of(UserKnnParams { neighbours: 2, ..params.clone() }, None);
    assert_eq!((two[2], two[3]), (got[2], None));
    let others = of(UserKnnParams { own: Own::Dropped, ..params }, Some(UserIdx::new(0)));
    assert!(close(others[0].unwrap().into(), second.into()));
}

#[test]
fn equally_near_shoppers_are_taken_in_the_order_of_rows() {
    let data = plain(&[&[0, 1], &[0, 2], &[0, 3]]);
    let params = UserKnnParams { similarity: Similarity::Cosine, neighbours: 2, ..UserKnnParams::default() };
    let got = scores(&fit(params, &data), &data, &seen(&[0]), None);
    assert!(got[1].is_some() && got[2].is_some() && got[3].is_none());
}

#[test]
fn laws() {
    keeps_the_laws(UserKnnParams::default());
    keeps_the_laws(UserKnnParams {
        similarity: Similarity::AsymmetricCosine { alpha: 0.25 },
        pairs: Strength::Log,
        neighbours: 20,
        shrinkage: 1.0,
        locality: 2.0,
        own: Own::Dropped,
        recency: Some(VoteDecay::Time { half_life: Span::days(3) }),
        strength: Strength::Weight,
        ..UserKnnParams::default()
    });
    likewise::testing::check_params::<UserKnnParams>().unwrap();
}
