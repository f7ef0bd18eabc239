//! Session neighbours: a slow twin written from the formulas, Serenade's own words, the reference lists, the laws.

mod real;
mod serenade;
mod twin;

use likewise::testing::{ShopParams, SyntheticShop, Trial, check_params, check_scorer, opinions};
use likewise::*;

/// Sessions as lists of item numbers, oldest click first, each with the second of its last click.
fn clicks(sessions: &[(i64, &[u32])]) -> DatasetBuilder {
    let mut builder = DatasetBuilder::new(Lineage::new(7));
    for (n, (at, items)) in sessions.iter().enumerate() {
        let session = format!("s{n}");
        for item in *items {
            let (who, item) = (Shopper::Anonymous { session: &session }, format!("i{item}"));
            builder
                .push(&Event::new(who, &item, EventKind::View, Timestamp::from_secs(*at)).session(&session))
                .unwrap();
        }
    }
    builder
}

fn fit(params: SessionKnnParams, data: &Dataset) -> SessionKnn {
    params.check().unwrap().fit(&data.into(), &Run::default()).unwrap()
}

fn touch(data: &Dataset, item: &str) -> Touch {
    Touch { item: data.item(item).unwrap(), kind: EventKind::View, at: data.as_of(), weight: 1.0 }
}

/// What a model proposes to a session (oldest click first), with scores, by item key.
fn next(model: &SessionKnn, data: &Dataset, session: &[&str]) -> Vec<(String, f32)> {
    let shelf = Shelf::bare(data);
    let history: Vec<Touch> = session.iter().rev().map(|item| touch(data, item)).collect();
    let mut cx = Context::new(data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, history.len());
    let scored = Trial::default().ask(model, &cx, 100).to_vec();
    scored.into_iter().map(|s| (data.item_key(s.item).to_owned(), s.score)).collect()
}

fn assert_close(got: &[(String, f32)], want: &[(&str, f64)]) {
    let keys = |list: &mut dyn Iterator<Item = &str>| list.map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(keys(&mut got.iter().map(|g| &*g.0)), keys(&mut want.iter().map(|w| w.0)), "{got:?}");
    for (g, w) in got.iter().zip(want) {
        assert!((f64::from(g.1) - w.1).abs() < 1e-5, "{got:?} is not {want:?}");
    }
}

/// Three sessions, the newest last: 1 2 3; 2 1 4; 1 2 2 5.
fn three() -> Dataset {
    clicks(&[(100, &[1, 2, 3]), (200, &[2, 1, 4]), (300, &[1, 2, 2, 5])]).finish().unwrap()
}

#[test]
fn vmis_by_hand() {
    let data = three();
    let params = SessionKnnParams { neighbours: 2, ..SessionKnnParams::vmis() };
    // Places of "1 2": 1/2 and 1; each session shares both: 3/2. The two newest are neighbours; the newest shared item
    // is one step back: 0.9. Nine pairs; 1 and 2 in three sessions, 3, 4 and 5 in one.
    let (voice, rare) = (1.5 * 0.9, 9f64.ln());
    let common = 3f64.ln();
    let got = next(&fit(params.clone(), &data), &data, &["i1", "i2"]);
    assert_close(&got, &[("i1", 2.0 * voice * common), ("i4", voice * rare), ("i5", voice * rare)]);
    // Only the latest clicks count: with one, 2 alone has the same neighbours.
    let got = next(&fit(SessionKnnParams { latest: 1, ..params }, &data), &data, &["i1", "i2"]);
    assert_close(&got, &[("i1", 2.0 * 0.9 * common), ("i4", 0.9 * rare), ("i5", 0.9 * rare)]);
}

/// As Serenade has it: a session that is too long is no neighbour, and does not count for how rare its items are.
#[test]
fn vmis_without_long_sessions_by_hand() {
    let data = clicks(&[(100, &[1, 2]), (200, &[1, 2, 3, 4, 5, 6]), (300, &[1, 3]), (300, &[7])]).finish().unwrap();
    let params = SessionKnnParams { longest: 2, ..SessionKnnParams::vmis() };
    // "1" is shared with the two short ones, one step back. Five pairs are left, and 2 and 3 are in one each: equal, so
    // that the smaller number comes first.
    let voice = 0.9 * 5f64.ln();
    assert_close(&next(&fit(params.clone(), &data), &data, &["i1"]), &[("i2", voice), ("i3", voice)]);
    // The newest of the two alone: the later in the dataset of equal times is newer still, but shares nothing.
    let one = SessionKnnParams { neighbours: 1, ..params };
    assert_close(&next(&fit(one, &data), &data, &["i1"]), &[("i3", voice)]);
}

#[test]
fn vstan_and_what_came_right_after_by_hand() {
    let data = three();
    let params = SessionKnnParams {
        neighbours: 2,
        place: PlaceWeight::Exponential { scale: 1.0 },
        step: StepDecay::Exponential { scale: 1.0 },
        age: Some(Span::secs(100)),
        nearness: Some(1.0),
        rarity: Rarity::Plus { weight: 1.0 },
        ..SessionKnnParams::vstan()
    };
    // Session "2 1": places 1/e and 1. The newest: cosine over √3 items. The one before is a hundred seconds older.
    let e = 1f64.exp();
    let newest = (1.0 + 1.0 / e) / 3f64.sqrt();
    let before = newest / e;
    let (idf1, idf2, idf4, idf5) = (1.0, 1.0 + (3f64 / 4.0).ln(), 1.0 + 3f64.ln(), 1.0 + 3f64.ln());
    // In the newest (1 2 2 5) the last shared click is the third; 1 is two before, 5 one after. In the other (2 1 4)
    // it is 1, with 2 and 4 one away.
    let want = [
        ("i1", newest * (-2f64).exp() * idf1 + before * idf1),
        ("i2", newest * idf2 + before / e * idf2),
        ("i4", before / e * idf4),
        ("i5", newest / e * idf5),
    ];
    let mut sorted = want;
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert_close(&next(&fit(params.clone(), &data), &data, &["i2", "i1"]), &sorted);

    // After 1 came 2, 2 and 5 in the newest, and 4 in the other, which had come the same way from 2.
    let tuned = SessionKnnParams {
        next: NextClick { boost: 2.0, power: 2.0, fade: 1.0, suffix: 3.0 },
        repeat: 0.5,
        returning: 2.0,
        ..params
    };
    let followed = [("i2", newest * 1.5), ("i5", newest / 3.0), ("i4", before * 3.0)];
    let total: f64 = followed.iter().map(|f| f.1).sum();
    let mut tilted = want.map(|(item, score)| {
        let share = followed.iter().find(|f| f.0 == item).map_or(0.0, |f| f.1) / total;
        let again = match item {
            "i1" => 0.5,
            "i2" => 2.0,
            _ => 1.0,
        };
        (item, score * (1.0 + 2.0 * share).powi(2) * again)
    });
    tilted.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert_close(&next(&fit(tuned, &data), &data, &["i2", "i1"]), &tilted);
}

#[test]
fn unknown_items_keep_their_place() {
    let mut builder = clicks(&[(100, &[1, 2]), (200, &[3, 4])]);
    let data = builder.build().unwrap();
    builder.items(["new"]).unwrap();
    let later = builder.finish().unwrap();
    let params = SessionKnnParams { step: StepDecay::Reciprocal, rarity: Rarity::Same, ..SessionKnnParams::vsknn() };
    let model = fit(params, &data);
    // 1 stands at place 1 of 2, and two steps back.
    assert_close(&next(&model, &later, &["i1", "new"]), &[("i1", 0.25 * 0.5), ("i2", 0.25 * 0.5)]);
    assert_close(&next(&model, &later, &["new"]), &[]);
    let excluded = SessionKnnParams { current: CurrentItem::Excluded, ..model.params().clone() };
    assert_close(&next(&fit(excluded, &data), &later, &["new", "i1"]), &[("i2", 1.0)]);
}

#[test]
fn without_a_session_the_profile_s_latest_one_runs_and_the_page_comes_first() {
    let mut builder = DatasetBuilder::default();
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
    let visits = [("old", "a", 10), ("old", "b", 20), ("new", "c", 5_000), ("new", "d", 5_010)];
    for (session, item, second) in visits {
        builder.push(&Event::new(ann, item, EventKind::View, Timestamp::from_secs(second)).session(session)).unwrap();
    }
    for (n, (session, item)) in [("x", "d"), ("x", "e"), ("y", "b"), ("y", "f")].into_iter().enumerate() {
        let who = Shopper::Anonymous { session };
        builder.push(&Event::new(who, item, EventKind::View, Timestamp::from_secs(n as i64)).session(session)).unwrap();
    }
    let data = builder.finish().unwrap();
    let model = fit(SessionKnnParams { current: CurrentItem::Excluded, ..SessionKnnParams::vstan() }, &data);
    let shelf = Shelf::bare(&data);
    let user = data.user("ann").unwrap();
    let history: Vec<Touch> = data
        .events_of(user)
        .iter()
        .rev()
        .map(|e| Touch { item: e.item, kind: e.kind, at: e.at, weight: 1.0 })
        .collect();
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.user, cx.history) = (Some(user), &history);
    let said = |cx: &Context<'_>, item: &str| opinions(&model, cx, &[data.item(item).unwrap()])[0];
    assert!(said(&cx, "e").is_some() && said(&cx, "f").is_none(), "the old visit is over");
    assert!(said(&cx, "c").is_some() && said(&cx, "d").is_none(), "d is at hand");
    cx.context_item = data.item("b");
    assert!(said(&cx, "f").is_some() && said(&cx, "b").is_none(), "the page is at hand");
    let other = [touch(&data, "b")];
    (cx.history, cx.session_len, cx.context_item) = (&other, 1, None);
    assert!(said(&cx, "f").is_some() && said(&cx, "e").is_none(), "the session of the request is the running one");
}

#[test]
fn robots_are_left_out() {
    let data = clicks(&[(100, &[1, 2]), (200, &[1, 3, 4, 5])]).finish().unwrap();
    let model = fit(SessionKnnParams { longest: 3, rarity: Rarity::Same, ..SessionKnnParams::vstan() }, &data);
    assert_eq!(model.n_sessions(), 1);
    assert_eq!(next(&model, &data, &["i1"]).len(), 2);
}

#[test]
fn explanations_add_up_and_name_the_shared_click() {
    let data = three();
    let params = SessionKnnParams { next: NextClick::default(), returning: 3.0, ..SessionKnnParams::vstan() };
    let model = fit(params, &data);
    let shelf = Shelf::bare(&data);
    let history = [touch(&data, "i3"), touch(&data, "i4")];
    let mut cx = Context::new(&data, &shelf, data.as_of());
    (cx.history, cx.session_len) = (&history, 2);
    let explanation = model.explain(&cx, data.item("i2").unwrap(), &mut Workspace::default());
    let sum: f32 = explanation.details.iter().filter_map(|d| d.value).sum();
    assert!((explanation.value.unwrap() - sum).abs() < 1e-6 * sum, "{explanation:?}");
    let because: Vec<_> = explanation
        .details
        .iter()
        .map(|d| match &d.reason {
            Reason::Because { item, .. } => data.item_key(*item).to_owned(),
            reason => panic!("{reason:?}"),
        })
        .collect();
    assert_eq!(because, ["i3", "i4"]);
}

fn presets() -> [SessionKnnParams; 5] {
    [
        SessionKnnParams::vmis(),
        SessionKnnParams::vsknn(),
        SessionKnnParams::stan(),
        SessionKnnParams::vstan(),
        SessionKnnParams::next_click(),
    ]
}

#[test]
fn keeps_the_laws_and_its_table() {
    check_params::<SessionKnnParams>().unwrap();
    let shop = ShopParams { users: 150, items: 60, events: 2_000, ..ShopParams::default() };
    let mut builder = DatasetBuilder::default();
    builder.ingest(&SyntheticShop::new(shop.check().unwrap())).unwrap();
    let data = builder.finish().unwrap();
    for params in presets() {
        for current in [CurrentItem::Allowed, CurrentItem::Excluded] {
            let model = fit(SessionKnnParams { current, ..params.clone() }, &data);
            check_scorer(&model, &data, &Shelf::bare(&data)).unwrap_or_else(|e| panic!("{e}"));
            assert!(model.memory_report().total() > 0);
        }
    }
}

#[test]
fn hostile_data_is_harmless() {
    let empty = DatasetBuilder::default().finish().unwrap();
    let one = clicks(&[(5, &[1]), (5, &[1, 1, 1])]).finish().unwrap();
    let same_time = clicks(&[(5, &[1, 2, 2, 1]), (5, &[1, 3]), (5, &[2, 1])]).finish().unwrap();
    for params in presets() {
        assert_eq!(fit(params.clone(), &empty).n_sessions(), 0);
        let huge = SessionKnnParams { neighbours: 1_000_000, recent: 10_000_000, ..params };
        assert!(next(&fit(huge.clone(), &one), &one, &["i1", "i1"]).len() <= 1);
        let model = fit(huge, &same_time);
        assert!(next(&model, &same_time, &["i1", "i2", "i1"]).len() <= 3);
        check_scorer(&model, &same_time, &Shelf::bare(&same_time)).unwrap_or_else(|e| panic!("{e}"));
    }
    // Of equal times, the later in the dataset is the newer.
    let params = SessionKnnParams { recent: 1, rarity: Rarity::Same, ..SessionKnnParams::vstan() };
    let got = next(&fit(params, &same_time), &same_time, &["i1"]);
    assert_eq!(got.iter().map(|g| &*g.0).collect::<Vec<_>>(), ["i1", "i2"]);
}

/// What one request found out is kept for the next; nobody may notice.
#[test]
fn a_used_workspace_answers_for_the_model_that_is_asked() {
    let data = three();
    let shelf = Shelf::bare(&data);
    let history = [touch(&data, "i2"), touch(&data, "i1")];
    let mut used = Trial::default();
    for round in 0..3 {
        for params in presets() {
            // Each model is gone before the next comes, perhaps to the same place in memory.
            let model = fit(SessionKnnParams { neighbours: 1 + round, ..params }, &data);
            for len in [2, 1, 1, 2] {
                let mut cx = Context::new(&data, &shelf, data.as_of());
                (cx.history, cx.session_len) = (&history[2 - len..], len);
                let fresh = Trial::default().ask(&model, &cx, 9).to_vec();
                assert_eq!(used.ask(&model, &cx, 9), fresh);
                assert_eq!(used.ask(&model.clone(), &cx, 9), fresh);
            }
        }
    }
}

#[test]
fn an_update_is_a_refit() {
    let mut builder = clicks(&[(100, &[1, 2, 3])]);
    let before = builder.build().unwrap();
    let who = Shopper::Anonymous { session: "late" };
    builder.push(&Event::new(who, "i1", EventKind::View, Timestamp::from_secs(50)).session("late")).unwrap();
    let after = builder.finish().unwrap();
    let recipe = SessionKnnParams::next_click().check().unwrap();
    let model = recipe.fit(&(&before).into(), &Run::default()).unwrap();
    let delta = Delta::between(&before, &after).unwrap();
    let updated = recipe.update(&model, &delta, None, &Run::default()).unwrap();
    assert_eq!(updated, recipe.fit(&(&after).into(), &Run::default()).unwrap());
}
