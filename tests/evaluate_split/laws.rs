//! Of any shop: nothing of the future is seen, and splits are those of slow twins.

use super::*;

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
