use super::*;

fn params() -> impl Strategy<Value = ItemKnnParams> {
    let seconds = |s| Span::secs(s);
    let decay = prop_oneof![
        2 => Just(None),
        1 => Just(Some(PairDecay::Distance { half_life: seconds(5) })),
        1 => Just(Some(PairDecay::Age { half_life: seconds(10) })),
    ];
    let own = prop::sample::select(vec![Own::Kept, Own::Dropped]);
    let shrinkage = prop::sample::select(vec![0.0, 2.0]);
    let locality = prop::sample::select(vec![1.0, 0.5, 2.0]);
    let kinds = prop::sample::select(vec![KindSet::INTEREST, KindSet::ALL, KindSet::of(&[EventKind::Purchase])]);
    (similarity(), strength(), decay, own, shrinkage, locality, kinds).prop_map(
        |(similarity, pairs, decay, own, shrinkage, locality, kinds)| ItemKnnParams {
            similarity,
            pairs,
            decay,
            own,
            shrinkage,
            locality,
            kinds,
            ..ItemKnnParams::default()
        },
    )
}

/// The weight from `a` to `b`, from the formulas of the documentation.
fn weight(params: &ItemKnnParams, dense: &Dense, alike: &Alike, a: usize, b: usize) -> f64 {
    let (mut product, mut n) = (0.0, 0.0);
    for (row, x) in dense.x.iter().enumerate().filter(|(_, x)| x[a] > 0.0 && x[b] > 0.0) {
        let (early, late) = (dense.at[row][a].min(dense.at[row][b]), dense.at[row][a].max(dense.at[row][b]));
        let (span, half_life) = match params.decay {
            Some(PairDecay::Distance { half_life }) => (late - early, half_life),
            Some(PairDecay::Age { half_life }) => ((45_000 - late).max(0), half_life),
            _ => (0, Span::MAX),
        };
        let fresh = 0.5f64.powf(span as f64 / half_life.as_millis() as f64);
        product += alike.w[a][row] * alike.w[b][row] * fresh;
        n += f64::from(u8::from(x[a] > 0.0));
    }
    let alike = alike.of(product, &alike.w[a], &alike.w[b]) * (n / (n + f64::from(params.shrinkage)));
    alike.powf(params.locality.into())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn weighs_like_its_dense_twin(events in events(), params in params()) {
        let data = data(&events);
        let model = fit(params.clone(), &data);
        let dense = dense(&data, params.kinds, params.pairs);
        let by_item: Vec<Vec<f64>> =
            (0..data.n_items()).map(|item| dense.x.iter().map(|row| row[item]).collect()).collect();
        let alike = Alike::new(params.similarity, &by_item);
        for a in 0..data.n_items() {
            let near = model.similar_items(i(a as u32), 100);
            prop_assert!(near.windows(2).all(|pair| pair[0].order(&pair[1]).is_lt()));
            for b in 0..data.n_items() {
                let got = near.iter().find(|s| s.item == i(b as u32)).map_or(0.0, |s| f64::from(s.score));
                let want = if a == b && params.own == Own::Dropped { 0.0 } else { weight(&params, &dense, &alike, a, b) };
                let want = if want.is_nan() { 0.0 } else { want };
                prop_assert!(close(got, want), "from {} to {}: {} instead of {}", a, b, got, want);
            }
        }
    }

    #[test]
    fn short_lists_are_the_head_of_long_ones(events in events(), params in params(), kept in 1usize..5) {
        let data = data(&events);
        let long = fit(params.clone(), &data);
        let short = fit(ItemKnnParams { neighbours: kept, ..params }, &data);
        for item in (0..data.n_items() as u32).map(i) {
            prop_assert_eq!(short.similar_items(item, 100), long.similar_items(item, kept));
        }
    }
}

/// Three shoppers: {0, 1}, {0, 1, 2}, {2, 3}.
fn golden() -> Dataset {
    plain(&[&[0, 1], &[0, 1, 2], &[2, 3]])
}

#[test]
fn by_hand() {
    let data = golden();
    let of = |params: ItemKnnParams, a: u32| -> Vec<(u32, f32)> {
        fit(params, &data).similar_items(i(a), 9).iter().map(|s| (s.item.get(), s.score)).collect()
    };
    let cosine = ItemKnnParams { similarity: Similarity::Cosine, ..ItemKnnParams::default() };
    assert_eq!(of(cosine.clone(), 0), [(1, 1.0), (2, 0.5)]);
    assert_eq!(of(ItemKnnParams { own: Own::Kept, ..cosine.clone() }, 0), [(0, 1.0), (1, 1.0), (2, 0.5)]);
    assert_eq!(of(ItemKnnParams { shrinkage: 2.0, ..cosine.clone() }, 0), [(1, 0.5), (2, 0.5 / 3.0)]);
    assert_eq!(of(ItemKnnParams { locality: 2.0, ..cosine.clone() }, 0), [(1, 1.0), (2, 0.25)]);
    assert_eq!(of(ItemKnnParams { scale: ListScale::SumToOne, ..cosine.clone() }, 0), [(1, 2.0 / 3.0), (2, 1.0 / 3.0)]);
    assert_eq!(of(ItemKnnParams { similarity: Similarity::Jaccard, ..cosine.clone() }, 0), [(1, 1.0), (2, 1.0 / 3.0)]);
    assert_eq!(of(ItemKnnParams { similarity: Similarity::Dice, ..cosine }, 0), [(1, 1.0), (2, 0.5)]);
    // Four items: ln 4 - ln 3 for the shoppers of two, 0 for the shopper of three. Without the latter, 0 and 2 never met.
    let tf_idf = of(ItemKnnParams { similarity: Similarity::TfIdf, ..ItemKnnParams::default() }, 0);
    assert_eq!(tf_idf.len(), 1);
    assert!(tf_idf[0].0 == 1 && close(tf_idf[0].1.into(), 1.0));
    // Length 2, mean 7/4, b = 1/2: norm 15/14; weight 2 / (15/14 + 1) ln(4/3), for both items.
    let bm25 = ItemKnnParams { similarity: Similarity::Bm25 { k1: 1.0, b: 0.5 }, ..ItemKnnParams::default() };
    let side = 2.0 / (15.0 / 14.0 + 1.0) * (4.0f64 / 3.0).ln();
    assert!(close(of(bm25, 0)[0].1.into(), side * side));
}

#[test]
fn the_shoppers_items_vote() {
    let data = golden();
    let params = ItemKnnParams { similarity: Similarity::Cosine, ..ItemKnnParams::default() };
    let half = Some(VoteDecay::Positions { half_life: 1.0 });
    let model = fit(ItemKnnParams { recency: half, ..params.clone() }, &data);
    // 2 votes in full, then 0 with a half.
    let root = 0.5f32.sqrt();
    assert_eq!(scores(&model, &data, &seen(&[2, 0]), None)[..4], [Some(0.5), Some(1.0), Some(0.25), Some(root)]);
    let own = fit(ItemKnnParams { own: Own::Kept, ..params }, &data);
    assert_eq!(scores(&own, &data, &seen(&[3]), None)[3], Some(1.0));
}

#[test]
fn laws() {
    keeps_the_laws(ItemKnnParams::default());
    keeps_the_laws(ItemKnnParams {
        similarity: Similarity::Bm25 { k1: 1.2, b: 0.25 },
        pairs: Strength::Weight,
        decay: Some(PairDecay::Distance { half_life: Span::days(3) }),
        own: Own::Kept,
        shrinkage: 3.0,
        neighbours: 10,
        scale: ListScale::SumToOne,
        recency: Some(VoteDecay::Positions { half_life: 4.0 }),
        strength: Strength::Log,
        ..ItemKnnParams::default()
    });
    likewise::testing::check_params::<ItemKnnParams>().unwrap();
}

#[test]
fn parameters_out_of_range_are_named() {
    let wrong = |similarity| ItemKnnParams { similarity, ..ItemKnnParams::default() }.check().unwrap_err().param;
    assert_eq!(wrong(Similarity::AsymmetricCosine { alpha: 1.5 }), "similarity.asymmetric_cosine.alpha");
    assert_eq!(wrong(Similarity::Bm25 { k1: f32::NAN, b: 0.0 }), "similarity.bm25.k1");
    assert_eq!(wrong(Similarity::Bm25 { k1: 1.0, b: -0.1 }), "similarity.bm25.b");
}
