//! Splits: goldens by hand, slow twins, hostile logs, and the promise that nothing of the future is seen.

use std::sync::{Arc, Mutex};

use likewise::evaluate::{RepeatTargets, *};
use likewise::*;
use proptest::prelude::*;

use crate::common::{Done, ITEMS, KINDS, LAST_DAY, USERS, VISITS, consented, day, item_id};

fn who(name: &str) -> Shopper<'_> {
    if name.starts_with('v') { Shopper::Anonymous { session: name } } else { Shopper::Profiled(consented(name)) }
}

/// (shopper, item, day); names beginning with v are anonymous visits.
fn log(rows: &[(&str, &str, i64)]) -> DatasetBuilder {
    let mut log = DatasetBuilder::new(Lineage::new(3));
    for (name, item, d) in rows {
        log.push(&Event::new(who(name), item, EventKind::Purchase, day(*d))).unwrap();
    }
    log
}

/// The keys of each case: shopper, session newest first, targets with `?` for unknown ones.
fn asked(task: &Task) -> Vec<(String, Vec<String>, Vec<String>)> {
    let data = task.serve_from();
    let key = |item: ItemIdx| task.shelf().key(data, item).to_owned();
    let case = |case: &Case| {
        let user = case.user.map_or(String::new(), |user| data.user_key(user).to_owned());
        let targets = case.targets().iter().map(|t| t.item.map_or("?".to_owned(), key)).collect();
        (user, case.session.iter().map(|t| key(t.item)).collect(), targets)
    };
    task.cases().iter().map(case).collect()
}

fn golden(cases: &[(&str, &[&str], &[&str])]) -> Vec<(String, Vec<String>, Vec<String>)> {
    let own = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    cases.iter().map(|(user, session, targets)| (user.to_string(), own(session), own(targets))).collect()
}

/// (shopper, item) of a dataset's events by row, oldest first.
fn events(data: &Dataset) -> Vec<(String, String)> {
    let of = |user: UserIdx| data.events_of(user).iter().map(move |e| (user, e.item));
    let rows = (0..data.n_rows() as u32).flat_map(|row| of(UserIdx::new(row)));
    rows.map(|(user, item)| (data.user_key(user).to_owned(), data.item_key(item).to_owned())).collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(user, item)| (user.to_string(), item.to_string())).collect()
}

const SHOP: [(&str, &str, i64); 11] = [
    ("bob", "tea", 6),
    ("ann", "mug", 1),
    ("ann", "tea", 2),
    ("bob", "mug", 1),
    ("ann", "cup", 5),
    ("ann", "mug", 7),
    ("ann", "mug", 8),
    ("cy", "cup", 9),
    ("v1", "mug", 2),
    ("v2", "mug", 6),
    ("v2", "tea", 6),
];

#[test]
fn a_cut_in_time() {
    let task = Split::at(day(5)).task(&log(&SHOP), &Questions::default()).unwrap();
    // cy has no past, cup no event before day 5; visits teach and are not asked.
    assert_eq!(asked(&task), golden(&[("bob", &[], &["tea"]), ("ann", &[], &["mug", "?"])]));
    assert_eq!(task.left_out().new_shoppers, 1);
    let fit = pairs(&[("ann", "mug"), ("ann", "tea"), ("bob", "mug"), ("", "mug")]);
    assert_eq!(events(task.fit_on()), fit);
    assert_eq!((task.fit_on().n_items(), task.fit_on().as_of()), (2, day(5)));
    assert!(Arc::ptr_eq(task.fit_on(), task.serve_from()), "nothing is known beside what is fitted on");
    assert!(task.cases().iter().all(|case| case.now == day(5)));

    let stale = Split::at(day(5)).horizon(Span::days(3)).fit_on(FitOn::Train);
    let task = stale.task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(events(task.fit_on()), pairs(&[("ann", "mug"), ("bob", "mug")]));
    assert_eq!(task.fit_on().as_of(), day(2));
    assert_eq!(events(task.serve_from()), fit);
    // Day 8 lies beyond the horizon: one mug, not two.
    assert_eq!(task.cases()[1].targets()[0].value, 1.0);

    let validation = Split::at(day(5)).horizon(Span::days(3)).validation();
    let task = validation.task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(asked(&task), golden(&[("ann", &[], &["?"])]));
    assert_eq!(events(task.fit_on()), pairs(&[("ann", "mug"), ("bob", "mug")]));
}

#[test]
fn a_fraction_is_the_time_of_that_event() {
    // Ordered days: 1 1 2 2 5 6 6 6 7 8 9; event number 5 (0-based) is of day 6.
    let task = Split::fraction(0.5).task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(task.cases()[0].now, day(6));
    assert_eq!(task.fit_on().n_events(), 5);
    // Half of the half: event number 2, of day 2; asked about up to day 6.
    let task = Split::fraction(0.5).validation().task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(task.cases()[0].now, day(2));
    assert_eq!(asked(&task), golden(&[("ann", &[], &["?", "?"])]));
}

#[test]
fn walking_forward() {
    let tasks = Split::walk_forward(day(2), Span::days(4), 2).tasks(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(tasks.iter().map(|t| t.cases()[0].now).collect::<Vec<_>>(), [day(2), day(6)]);
    assert_eq!(asked(&tasks[0]), golden(&[("ann", &[], &["?", "?"])]));
    assert_eq!(asked(&tasks[1]), golden(&[("bob", &[], &["tea"]), ("ann", &[], &["mug"])]));
    assert_ne!(tasks[0].fit_on().lineage(), tasks[1].fit_on().lineage(), "two numberings have two names");
}

#[test]
fn the_last_of_each_shopper() {
    let task = Split::leave_last(1).task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(asked(&task), golden(&[("bob", &[], &["tea"]), ("ann", &[], &["mug"])]));
    assert_eq!(task.cases()[1].now, day(8));
    // cy has one event only, and teaches it.
    assert!(events(task.fit_on()).contains(&("cy".to_owned(), "cup".to_owned())));

    let two = Split::leave_last(2).task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(asked(&two), golden(&[("ann", &[], &["mug"])]));
    assert_eq!(two.cases()[0].targets()[0].value, 2.0, "two purchases of one item are one target");

    let new = Questions::default().repeats(RepeatTargets::NewTo(KindSet::ALL));
    let task = Split::leave_last(1).task(&log(&SHOP), &new).unwrap();
    assert_eq!((asked(&task).len(), task.left_out().known_targets), (1, 1));

    let forget = Questions::default().repeats(RepeatTargets::Forget);
    let task = Split::leave_last(1).task(&log(&SHOP), &forget).unwrap();
    let ann = events(task.fit_on()).into_iter().filter(|(user, _)| user == "ann").collect::<Vec<_>>();
    assert_eq!(ann, pairs(&[("ann", "tea"), ("ann", "cup")]), "both earlier mugs are forgotten");

    let validation = Split::leave_last(1).validation().task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(asked(&validation), golden(&[("ann", &[], &["mug"])]));
    let strict = Split::leave_last(1).fit_on(FitOn::Train).task(&log(&SHOP), &Questions::default()).unwrap();
    assert_eq!(strict.serve_from().n_events(), strict.fit_on().n_events() + 2, "one of ann, one of bob");
    assert_eq!(asked(&strict), golden(&[("bob", &[], &["tea"]), ("ann", &[], &["mug"])]));

    let strangers = Questions::default().new_shoppers(NewShoppers::Ask);
    let task = Split::leave_last(1).task(&log(&SHOP), &strangers).unwrap();
    assert_eq!(asked(&task).len(), 3);
    assert_eq!(task.cases()[2].user, None);
}

#[test]
fn the_next_basket() {
    let mut log = DatasetBuilder::default();
    let ann = Shopper::Profiled(consented("ann"));
    for (item, basket, d) in [("mug", "b1", 1), ("tea", "b1", 1), ("cup", "b2", 3), ("mug", "b2", 3), ("pot", "b3", 4)]
    {
        log.push(&Event::new(ann, item, EventKind::Purchase, day(d)).session(basket).value(2.0).quantity(3.0)).unwrap();
    }
    log.push(&Event::new(ann, "jar", EventKind::View, day(5))).unwrap();
    let questions = Questions::default().targets(KindSet::of(&[EventKind::Purchase]));
    // The view after the last basket makes no basket, and is not known.
    let last = Split::leave_last_sessions(1).task(&log, &questions).unwrap();
    assert_eq!(asked(&last), golden(&[("ann", &[], &["?"])]));
    assert_eq!(last.cases()[0].targets()[0].value, 6.0);
    assert_eq!(last.fit_on().n_events(), 4);
    let validation = Split::leave_last_sessions(1).validation().task(&log, &questions).unwrap();
    assert_eq!(asked(&validation), golden(&[("ann", &[], &["mug", "?"])]));
    let next = Split::at(day(2)).task(&log, &questions.clone().ask(Ask::NextSession)).unwrap();
    assert_eq!(asked(&next), golden(&[("ann", &[], &["mug", "?"])]));
    let all = Split::at(day(2)).task(&log, &questions).unwrap();
    assert_eq!(asked(&all), golden(&[("ann", &[], &["mug", "?", "?"])]));
}

#[test]
fn the_next_item_of_a_session() {
    let rows =
        [("v1", "mug", 1), ("v1", "tea", 1), ("ann", "tea", 1), ("v2", "mug", 3), ("v3", "tea", 4), ("v3", "jar", 5)];
    let mut log = log(&rows);
    for item in ["mug", "mug", "tea"] {
        log.push(&Event::new(Shopper::Profiled(consented("ann")), item, EventKind::View, day(4)).session("a")).unwrap();
    }
    log.push(&Event::new(who("v3"), "mug", EventKind::View, day(6))).unwrap();
    let task = Split::at(day(3)).task(&log, &Questions::default().ask(Ask::NextItem)).unwrap();
    // v2 is too short; jar is unknown to the fit but has a number once it is in a running session.
    let expected = golden(&[
        ("ann", &["mug"], &["mug"]),
        ("ann", &["mug", "mug"], &["tea"]),
        ("", &["tea"], &["jar"]),
        ("", &["jar", "tea"], &["mug"]),
    ]);
    assert_eq!(asked(&task), expected);
    assert_eq!((task.fit_on().n_items(), task.serve_from().n_items()), (2, 3));
    assert_eq!(task.cases().iter().map(|c| c.now).collect::<Vec<_>>(), [day(4), day(4), day(4), day(5)]);
    // v3 began before day 5: its rest is not asked.
    assert!(Split::at(day(5)).task(&log, &Questions::default().ask(Ask::NextItem)).is_err());
}

#[test]
fn train_and_test_given() {
    let train = log(&[("ann", "mug", 9), ("bob", "tea", 2), ("same", "tea", 1)]);
    let test = log(&[("bob", "mug", 3), ("ann", "tea", 1), ("ann", "jar", 1), ("dee", "mug", 4), ("vsame", "mug", 1)]);
    let task = Split::given(&train, &test, &Questions::default()).unwrap();
    assert_eq!(asked(&task), golden(&[("bob", &[], &["mug"]), ("ann", &[], &["tea", "?"])]));
    assert!(task.cases().iter().all(|case| case.now == day(9)), "all of the past is known, whatever the times say");
    let known = Split::given(&train, &test, &Questions::default().new_items(NewItems::Drop)).unwrap();
    assert_eq!((known.cases()[1].n_targets(), known.left_out().unknown_targets), (1, 1));
    let forget = Split::given(
        &train,
        &log(&[("ann", "mug", 1), ("bob", "jar", 1)]),
        &Questions::default().repeats(RepeatTargets::Forget),
    );
    let forget = forget.unwrap();
    assert_eq!(events(forget.fit_on()), pairs(&[("bob", "tea"), ("same", "tea")]));
    assert_eq!((asked(&forget), forget.left_out().new_shoppers), (golden(&[("bob", &[], &["?"])]), 1));
}

#[test]
fn strong_generalisation_holds_whole_shoppers_out() {
    let rows: Vec<(String, String, i64)> =
        (0..40).flat_map(|u| (0..5).map(move |i| (format!("u{u}"), format!("i{}", (u + i) % 7), i))).collect();
    let rows: Vec<(&str, &str, i64)> = rows.iter().map(|(u, i, d)| (u.as_str(), i.as_str(), *d)).collect();
    let mut log = log(&rows);
    for user in 0..40 {
        // Before all of their events: a search alone must not tell the fit of a shopper.
        let (name, at) = (format!("u{user}"), Timestamp::from_secs(-1));
        log.push(&Event::new(who(&name), "", EventKind::Search, at).query("mug")).unwrap();
    }
    let split = Split::hold_out(0.25, 0.8, 1);
    let task = split.task(&log, &Questions::default()).unwrap();
    assert_eq!(task.cases().len(), 10);
    let shoppers = |task: &Task| asked(task).into_iter().map(|(user, ..)| user).collect::<Vec<_>>();
    for user in shoppers(&task) {
        assert_eq!(task.fit_on().user(&user), None, "{user} was fitted on");
        assert_eq!(task.serve_from().events_of(task.serve_from().user(&user).unwrap()).len(), 4);
    }
    assert_eq!(task.fit_on().n_events(), 30 * 5);
    let validation = split.clone().validation().task(&log, &Questions::default()).unwrap();
    assert!(shoppers(&validation).iter().all(|user| !shoppers(&task).contains(user)));
    assert_eq!(validation.fit_on().n_events(), 20 * 5, "test shoppers do not exist yet, and ten are held out");
    assert!(shoppers(&task).iter().all(|user| validation.serve_from().user(user).is_none()));
    let other = Split::hold_out(0.25, 0.8, 2).task(&log, &Questions::default()).unwrap();
    assert_ne!(shoppers(&task), shoppers(&other));
    let strict = split.fit_on(FitOn::Train).task(&log, &Questions::default()).unwrap();
    assert_eq!((strict.fit_on().n_events(), shoppers(&strict)), (20 * 5, shoppers(&task)));
}

#[test]
fn a_return_after_the_cut_is_the_future() {
    let mut log = log(&[("ann", "mug", 1), ("ann", "tea", 1), ("ann", "tea", 6)]);
    log.push(&Event::new(who("ann"), "mug", EventKind::Return, day(5))).unwrap();
    let task = Split::at(day(3)).task(&log, &Questions::default()).unwrap();
    assert_eq!(events(task.fit_on()), pairs(&[("ann", "mug"), ("ann", "tea")]));
    let later = Split::at(day(6)).task(&log, &Questions::default()).unwrap();
    assert_eq!(events(later.fit_on()), pairs(&[("ann", "tea")]));
}

#[test]
fn a_catalogue_makes_new_items_findable() {
    let mut catalog = CatalogBuilder::default();
    catalog.add(&ItemRecord::new("jar")).unwrap();
    let catalog = Arc::new(catalog.build());
    let log = log(&[("ann", "mug", 1), ("ann", "jar", 5), ("ann", "pot", 5)]);
    let questions = Questions::default().catalog(catalog);
    let task = Split::at(day(3)).task(&log, &questions).unwrap();
    assert_eq!(asked(&task), golden(&[("ann", &[], &["jar", "?"])]));
    let none = Split::at(day(3)).task(&log, &questions.new_items(NewItems::Drop)).unwrap_err();
    let SplitError::NoQuestions { left_out } = none else { panic!("{none}") };
    assert_eq!((left_out.unknown_targets, left_out.without_target), (2, 1));
}

#[test]
fn hostile_logs_get_an_error_that_says_what_to_do_or_a_task() {
    let questions = Questions::default();
    let error = |split: Split, log: &DatasetBuilder| split.task(log, &questions).unwrap_err().to_string();
    let empty = DatasetBuilder::default();
    for split in [Split::at(day(3)), Split::fraction(0.5), Split::leave_last(1), Split::hold_out(0.5, 0.5, 1)] {
        assert!(error(split, &empty).contains("no event is left to fit on"));
    }
    assert!(error(Split::fraction(1.0), &empty).contains("above 0 and below 1"));
    assert!(error(Split::fraction(f64::NAN), &empty).contains("above 0 and below 1"));
    assert!(error(Split::hold_out(0.5, 0.0, 1), &empty).contains("events folded in"));
    assert!(error(Split::leave_last(0), &empty).contains("at least one event"));
    assert!(error(Split::walk_forward(day(1), Span::days(1), 0), &empty).contains("at least one cut"));
    assert!(error(Split::at(day(50)), &log(&SHOP)).contains("nobody is left to ask"));
    assert!(error(Split::at(Timestamp::MIN), &log(&SHOP)).contains("no event is left"));
    assert!(error(Split::at(Timestamp::MAX).validation().horizon(Span::MAX), &log(&SHOP)).contains("no event is left"));

    // All of one time: nothing is before any of it; but shoppers' last events have an order, that of arrival.
    let still = log(&[("ann", "mug", 1), ("ann", "tea", 1), ("ann", "tea", 1), ("bob", "mug", 1), ("bob", "mug", 1)]);
    assert!(error(Split::fraction(0.5), &still).contains("no event is left"));
    let task = Split::leave_last(1).task(&still, &questions).unwrap();
    assert_eq!(asked(&task), golden(&[("ann", &[], &["tea"]), ("bob", &[], &["mug"])]));
    assert_eq!(task.fit_on().n_events(), 3);

    // A catalogue of one item, k beyond it, duplicate rows.
    let one = log(&[("ann", "mug", 1), ("ann", "mug", 1), ("ann", "mug", 2), ("bob", "mug", 1)]);
    let task = Split::at(day(2)).task(&one, &questions).unwrap();
    let model = PopularityParams::default().check().unwrap().fit(&task.training_set(), &Run::new(1)).unwrap();
    let lists = task.lists(System::Scorer(&model), 1000, &Run::new(1)).unwrap();
    assert_eq!(lists.of(0), [ItemIdx::new(0)]);
    let task = task.exclude(Exclusion::Seen(KindSet::ALL));
    assert!(task.lists(System::Scorer(&model), 1000, &Run::new(1)).unwrap().of(0).is_empty());
}

fn done() -> impl Strategy<Value = Done> {
    let kind = prop::sample::select(KINDS.to_vec());
    (0..USERS.len() + VISITS.len(), 0..ITEMS, kind, 0..LAST_DAY).prop_map(|(who, item, kind, day)| Done {
        who,
        item,
        kind,
        day,
    })
}

fn shopper(who: usize) -> Shopper<'static> {
    match USERS.get(who) {
        Some(user) => Shopper::Profiled(consented(user)),
        None => Shopper::Anonymous { session: VISITS[who - USERS.len()] },
    }
}

fn filled(done: &[Done]) -> DatasetBuilder {
    let mut log = DatasetBuilder::new(Lineage::new(7));
    for d in done {
        log.push(&Event::new(shopper(d.who), &item_id(d.item), d.kind, day(d.day))).unwrap();
        if d.item.is_multiple_of(3) {
            log.push(&Event::new(shopper(d.who), "", EventKind::Search, day(d.day)).query(&item_id(d.item))).unwrap();
        }
    }
    log
}

/// Keeps what every context showed: (question's time, time of each touch of the profile).
#[derive(Debug, Default)]
struct Spy(Mutex<Vec<(Timestamp, Vec<Timestamp>)>>);

impl Scorer for Spy {
    fn name(&self) -> &str {
        "spy"
    }
    fn extent(&self) -> Extent {
        Extent::default()
    }
    fn score(&self, _: &Context<'_>, _: &mut Scores<'_>, _: &mut Workspace) {}
    fn propose(&self, cx: &Context<'_>, _: usize, _: &mut Candidates<'_>, _: &mut Workspace) {
        let profile = cx.history[cx.session_len..].iter().map(|touch| touch.at).collect();
        self.0.lock().unwrap().push((cx.now, profile));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Replacing all that follows the cut by anything at all changes no bit of what is fitted on, of what is known, of the
    /// models, and of the lists.
    #[test]
    fn nothing_of_the_future_is_seen(
        past in prop::collection::vec((done(), any::<bool>()), 1..40),
        futures in prop::array::uniform2(prop::collection::vec(done(), 0..25)),
        horizon in prop::option::of(1..10u32),
    ) {
        const CUT: i64 = LAST_DAY;
        let tasks: Vec<Task> = futures.iter().map(|future| {
            // The future arrives before, among and after the past.
            let mut late = future.iter().map(|d| Done { day: d.day + CUT, ..d.clone() });
            let mut all = vec![Done { who: 0, item: 0, kind: EventKind::View, day: CUT }];
            for (d, pause) in &past {
                if *pause {
                    all.extend(late.next());
                }
                all.push(d.clone());
            }
            all.extend(late);
            let split = Split::at(day(CUT));
            let split = match horizon {
                Some(days) => split.horizon(Span::days(days)).fit_on(FitOn::TrainAndValidation),
                None => split,
            };
            split.task(&filled(&all), &Questions::default().new_shoppers(NewShoppers::Ask)).unwrap()
        }).collect();
        let print = |task: &Task| format!("{:?} {:?}", task.fit_on(), task.serve_from());
        prop_assert_eq!(print(&tasks[0]), print(&tasks[1]));
        let recipes: [Box<dyn DynFit>; 3] = [
            Box::new(CoOccurrenceParams::default().check().unwrap()),
            Box::new(TrendingParams::default().check().unwrap()),
            Box::new(AlsParams { factors: 4, iterations: 1, ..AlsParams::default() }.check().unwrap()),
        ];
        for recipe in recipes {
            let fitted: Vec<Arc<dyn Scorer>> =
                tasks.iter().map(|task| recipe.fit_dyn(&task.training_set(), &Run::new(1)).unwrap()).collect();
            prop_assert_eq!(format!("{:?}", fitted[0]), format!("{:?}", fitted[1]));
            for user in tasks[0].serve_from().users() {
                let case = Case::new(day(CUT), []).of(user);
                let ask = |i: usize| tasks[i].asker(System::Scorer(&*fitted[i])).ask(&case, 20).to_vec();
                prop_assert_eq!(ask(0), ask(1));
            }
        }
    }

    /// No question's context holds an event of its own time or later, beside the running session.
    #[test]
    fn contexts_end_before_the_question(
        done in prop::collection::vec(done(), 1..60),
        cut in 1..LAST_DAY,
        ask in prop::sample::select(vec![Ask::Everything, Ask::NextSession, Ask::NextItem]),
    ) {
        let questions = Questions::default().ask(ask).new_shoppers(NewShoppers::Ask);
        let Ok(task) = Split::at(day(cut)).task(&filled(&done), &questions) else { return Ok(()) };
        let spy = Spy::default();
        task.lists(System::Scorer(&spy), 5, &Run::new(1).threads(Parallelism::Serial)).unwrap();
        for (case, (now, profile)) in task.cases().iter().zip(spy.0.lock().unwrap().iter()) {
            prop_assert_eq!(case.now, *now);
            prop_assert!(profile.iter().all(|&at| at < day(cut) && at < *now));
            prop_assert!(case.session.iter().all(|touch| touch.at <= *now && touch.at >= day(cut)));
            prop_assert!(case.session.is_sorted_by_key(|touch| std::cmp::Reverse(touch.at)));
        }
        let data = task.serve_from();
        prop_assert!(data.users().all(|user| data.events_of(user).iter().all(|e| e.at < day(cut))));
        prop_assert!(data.users().all(|user| data.searches_of(user).all(|(at, _)| at < day(cut))));
    }

    /// The obvious way to leave the last events out.
    #[test]
    fn leave_last_equals_its_slow_twin(done in prop::collection::vec(done(), 1..60), n in 1..4usize, back in 0..2usize) {
        let kinds = KindSet::of(&[EventKind::View, EventKind::Purchase]);
        let log = filled(&done);
        let (mut known, mut wanted) = (Vec::new(), Vec::new());
        let names = USERS.iter().map(Some).chain(VISITS.iter().map(|_| None));
        for (who, name) in names.enumerate() {
            let mut own: Vec<&Done> = done.iter().filter(|d| d.who == who).collect();
            own.sort_by_key(|d| d.day);
            let mut targets = None;
            for step in 0..=back {
                let places: Vec<usize> = (0..own.len()).filter(|&i| kinds.contains(own[i].kind)).collect();
                let from = places.len().checked_sub(n).map(|nth| places[nth]).filter(|&from| from > 0);
                if name.is_none() || from.is_none() {
                    targets = None;
                    break; // teaches what is left
                }
                let held = own.split_off(from.unwrap());
                let mut items: Vec<u8> = held.iter().filter(|d| kinds.contains(d.kind)).map(|d| d.item).collect();
                items.sort_unstable();
                items.dedup();
                targets = (step == back).then_some(items);
            }
            known.extend(own.iter().map(|d| (name.map_or("", |name| *name).to_owned(), d.item, d.day)));
            wanted.extend(name.zip(targets).map(|(name, items)| (name.to_string(), items)));
        }
        let mut split = Split::leave_last(n);
        for _ in 0..back {
            split = split.validation();
        }
        // No cancellation, so that the dataset holds what the log holds.
        let weights = EventWeights::default().with_cancels(Vec::new()).check().unwrap();
        let task = split.task(&log.weights(weights), &Questions::default().targets(kinds));
        if wanted.is_empty() {
            let refused = matches!(task, Err(SplitError::NoQuestions { .. } | SplitError::NoPast { .. }));
            prop_assert!(refused);
            return Ok(());
        }
        let task = task.unwrap();
        let data = task.fit_on();
        let rows = (0..data.n_rows() as u32).map(UserIdx::new);
        let mut fitted: Vec<(String, u8, i64)> = rows.flat_map(|user| {
            data.events_of(user).iter().map(move |e| (user, e)).collect::<Vec<_>>()
        }).map(|(user, e)| {
            let item = data.item_key(e.item)[1..].parse().unwrap();
            (data.user_key(user).to_owned(), item, e.at.millis() / 86_400_000)
        }).collect();
        fitted.sort();
        known.sort();
        prop_assert_eq!(fitted, known);
        let mut questions: Vec<(String, usize)> =
            asked(&task).into_iter().map(|(user, _, targets)| (user, targets.len())).collect();
        questions.sort();
        wanted.sort();
        prop_assert_eq!(questions, wanted.iter().map(|(u, items)| (u.clone(), items.len())).collect::<Vec<_>>());
        for (user, _, targets) in asked(&task) {
            let items = &wanted.iter().find(|(u, _)| *u == user).unwrap().1;
            let found = |key: &String| key == "?" || items.contains(&key[1..].parse().unwrap());
            prop_assert!(targets.iter().all(found));
        }
    }

    /// Whatever the log and the split: a task or an error, and every case has a target.
    #[test]
    fn every_split_holds(
        done in prop::collection::vec(done(), 0..50),
        which in 0..6usize,
        back in 0..3usize,
        ask in prop::sample::select(vec![Ask::Everything, Ask::NextSession, Ask::NextItem]),
        (strict, strangers, forget) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let mut split = match which {
            0 => Split::at(day(20)),
            1 => Split::fraction(0.7),
            2 => Split::walk_forward(day(10), Span::days(7), 3),
            3 => Split::leave_last(2),
            4 => Split::leave_last_sessions(1),
            _ => Split::hold_out(0.3, 0.5, 9),
        };
        for _ in 0..back {
            split = split.validation();
        }
        if strict {
            split = split.fit_on(FitOn::Train);
        }
        let mut questions = Questions::default().ask(ask);
        if strangers {
            questions = questions.new_shoppers(NewShoppers::Ask);
        }
        if forget {
            questions = questions.repeats(RepeatTargets::Forget);
        }
        let Ok(tasks) = split.tasks(&filled(&done), &questions) else { return Ok(()) };
        for task in tasks {
            prop_assert!(!task.cases().is_empty() && task.cases().iter().all(|case| case.n_targets() > 0));
            prop_assert!(task.fit_on().n_items() <= task.serve_from().n_items());
            let (fit, serve) = (task.fit_on(), task.serve_from());
            prop_assert!(fit.users().all(|user| fit.user_key(user) == serve.user_key(user)), "one numbering");
            if !strangers {
                prop_assert!(task.cases().iter().all(|case| case.user.is_some() || !case.session.is_empty()));
            }
        }
    }
}
