use super::*;

fn params() -> impl Strategy<Value = GraphWalkParams> {
    let power = || prop::sample::select(vec![-0.5f32, 0.0, 0.35, 1.0]);
    let alpha = prop::sample::select(vec![1.0f32, 0.5, 2.0]);
    let scale = prop::sample::select(vec![ListScale::AsIs, ListScale::SumToOne]);
    (strength(), alpha, power(), power(), power(), scale).prop_map(|(edges, alpha, start, middle, end, scale)| {
        GraphWalkParams { edges, alpha, start, middle, end, scale, ..GraphWalkParams::default() }
    })
}

/// What arrives at each item for one unit that leaves `from`, from the formula of the documentation.
fn arrives(params: &GraphWalkParams, dense: &Dense, from: usize) -> Vec<f64> {
    let y: Vec<Vec<f64>> = dense
        .x
        .iter()
        .map(|row| row.iter().map(|&x| if x > 0.0 { x.powf(params.alpha.into()) } else { 0.0 }).collect())
        .collect();
    let d = |item: usize| y.iter().map(|row| row[item]).sum::<f64>();
    let leaves = d(from).powf(-f64::from(params.start));
    let mut out = vec![0.0; ITEMS.into()];
    for row in y.iter().filter(|row| row[from] > 0.0) {
        let through = leaves * row[from] * row.iter().sum::<f64>().powf(-f64::from(params.middle));
        for item in (0..row.len()).filter(|&item| row[item] > 0.0) {
            out[item] += through * row[item] * d(item).powf(-f64::from(params.end));
        }
    }
    let sum: f64 = out.iter().sum();
    if params.scale == ListScale::SumToOne && sum > 0.0 {
        out.iter_mut().for_each(|arrived| *arrived /= sum);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn walked_and_listed_score_like_their_dense_twin(
        events in events(),
        params in params(),
        history in prop::collection::btree_set(0..ITEMS, 0..4),
    ) {
        let data = data(&events);
        let history: Vec<u8> = history.into_iter().collect();
        let dense = dense(&data, params.kinds, params.edges);
        let walked = fit(params.clone(), &data);
        let listed = fit(GraphWalkParams { neighbours: Some(100), ..params.clone() }, &data);
        let by_walk = scores(&walked, &data, &seen(&history), None);
        let by_list = scores(&listed, &data, &seen(&history), None);
        let from: Vec<Vec<f64>> = history.iter().map(|&item| arrives(&params, &dense, item.into())).collect();
        for item in 0..data.n_items() {
            let want: f64 = from.iter().map(|arrived| arrived[item]).sum();
            for got in [by_walk[item], by_list[item]] {
                prop_assert!(close(got.map_or(0.0, f64::from), want), "item {}: {:?} instead of {}", item, got, want);
            }
        }
        for from in (0..data.n_items() as u32).map(i) {
            let (near, same) = (walked.similar_items(from, 100), listed.similar_items(from, 100));
            prop_assert_eq!(near.len(), same.len());
            let arrived = arrives(&params, &dense, from.as_usize());
            for near in near.iter().chain(&same) {
                prop_assert!(near.item != from && close(near.score.into(), arrived[near.item.as_usize()]));
            }
        }
    }

    #[test]
    fn explanations_add_up(events in events(), params in params(), history in prop::collection::btree_set(0..ITEMS, 1..4)) {
        let data = data(&events);
        let dense = dense(&data, params.kinds, params.edges);
        let model = fit(params.clone(), &data);
        let history = seen(&history.into_iter().collect::<Vec<_>>());
        let shelf = Shelf::bare(&data);
        let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(40));
        cx.history = &history;
        for item in (0..data.n_items() as u32).map(i) {
            let why = model.explain(&cx, item, &mut Workspace::default());
            for part in &why.details {
                let Reason::Because { item: from, .. } = part.reason else { panic!("{part:?}") };
                let want = arrives(&params, &dense, from.as_usize())[item.as_usize()];
                prop_assert!(close(part.value.unwrap().into(), want), "{:?} instead of {}", part, want);
            }
            let sum: f64 = why.details.iter().map(|part| f64::from(part.value.unwrap())).sum();
            prop_assert!(close(sum, why.value.map_or(0.0, f64::from)));
        }
    }
}

/// Two shoppers of two items and one of three: {0, 1}, {0, 1, 2}, {2, 3}.
fn golden() -> Dataset {
    plain(&[&[0, 1], &[0, 1, 2], &[2, 3]])
}

#[test]
fn by_hand() {
    let data = golden();
    // From 0 to either shopper with 1/2; on to 1 with 1/2 and 1/3, to 2 with 1/3.
    let p3 = fit(GraphWalkParams::p3_alpha(1.0), &data);
    let got = scores(&p3, &data, &seen(&[0]), None);
    let sums = [5.0 / 12.0, 5.0 / 12.0, 1.0 / 6.0, 0.0];
    assert!(got.iter().zip(sums).all(|(got, want)| close(got.map_or(0.0, f64::from), want)), "{got:?}");
    // Two shoppers each: the square root of 2 below.
    let rp3 = scores(&fit(GraphWalkParams::rp3_beta(1.0, 0.5), &data), &data, &seen(&[0]), None);
    assert!(close(rp3[2].unwrap().into(), 1.0 / 6.0 / 2f64.sqrt()));
}

#[test]
fn lists_keep_the_strongest_sources_of_each_end() {
    let data = golden();
    let cut = |scale| fit(GraphWalkParams { neighbours: Some(1), scale, ..GraphWalkParams::p3_alpha(1.0) }, &data);
    // What leads to 2: from 2 itself 1/2 (1/3 + 1/2) = 5/12, from 0 and from 1 1/6, from 3 1/2. Only 3 stays.
    // What leads to 3: from 2 1/4, from itself 1/2. What leads to 0: itself and 1, 5/12 each, and the first of them stays.
    let model = cut(ListScale::AsIs);
    let of = |model: &GraphWalk, item| scores(model, &data, &seen(&[item]), None)[..4].to_vec();
    assert_eq!(of(&model, 2), [None, None, None, None]);
    assert_eq!(of(&model, 3), [None, None, Some(0.5), Some(0.5)]);
    let from_zero = of(&model, 0);
    assert!(from_zero[0].is_some() && from_zero[1].is_some() && from_zero[2].is_none());
    // Scaled after the cut.
    assert_eq!(of(&cut(ListScale::SumToOne), 0), [Some(0.5), Some(0.5), None, None]);
}

#[test]
fn steps_fade_with_time() {
    let did = |user, item, second| Did { user, item, kind: EventKind::View, second };
    let data = data(&[did(1, 0, 0), did(1, 1, 10), did(1, 2, 20)]);
    let decay = Some(PairDecay::Distance { half_life: Span::secs(10) });
    let params = GraphWalkParams { neighbours: Some(9), decay, ..GraphWalkParams::p3_alpha(1.0) };
    let near = fit(params.clone(), &data).similar_items(i(0), 9);
    assert_eq!(near.iter().map(|s| s.item).collect::<Vec<_>>(), [i(1), i(2)]);
    assert!(close((near[0].score / near[1].score).into(), 2.0));
    let without = GraphWalkParams { neighbours: None, ..params };
    assert_eq!(without.check().unwrap_err().param, "decay");
}

#[test]
fn weights_decide_where_the_walk_goes() {
    let did = |item, kind| Did { user: 1, item, kind, second: 0 };
    let data = data(&[did(0, EventKind::View), did(1, EventKind::View), did(2, EventKind::Purchase)]);
    let heavy = GraphWalkParams { edges: Strength::Weight, ..GraphWalkParams::p3_alpha(1.0) };
    let got = scores(&fit(heavy, &data), &data, &seen(&[0]), None);
    assert!(close(got[2].unwrap().into(), 5.0 / 7.0) && close(got[1].unwrap().into(), 1.0 / 7.0));
}

#[test]
fn laws() {
    keeps_the_laws(GraphWalkParams::default());
    keeps_the_laws(GraphWalkParams { edges: Strength::Weight, alpha: 1.5, ..GraphWalkParams::rp3_beta(1.0, 0.3) });
    keeps_the_laws(GraphWalkParams {
        neighbours: Some(10),
        scale: ListScale::SumToOne,
        decay: Some(PairDecay::Age { half_life: Span::days(5) }),
        recency: Some(VoteDecay::Positions { half_life: 4.0 }),
        strength: Strength::Log,
        ..GraphWalkParams::default()
    });
    likewise::testing::check_params::<GraphWalkParams>().unwrap();
    for kept in [0, 100_001] {
        let wrong = GraphWalkParams { neighbours: Some(kept), ..GraphWalkParams::default() };
        assert_eq!(wrong.check().unwrap_err().param, "neighbours");
    }
}
