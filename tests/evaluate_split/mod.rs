//! Splits: goldens by hand, slow twins, hostile logs, and the promise that nothing of the future is seen.

use std::sync::{Arc, Mutex};

use likewise::evaluate::{RepeatTargets, *};
use likewise::*;
use proptest::prelude::*;

use crate::common::{Done, ITEMS, KINDS, LAST_DAY, USERS, VISITS, consented, day, item_id};

mod laws;

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
