//! The laws of the crate, over random shops, rankers and requests. Numbers as in `ARCHITECTURE.md`.

use std::collections::HashSet;
use std::sync::OnceLock;

use crate::common::*;
use likewise::*;
use proptest::prelude::*;

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() }
}

fn pools() -> &'static [rayon::ThreadPool] {
    static POOLS: OnceLock<Vec<rayon::ThreadPool>> = OnceLock::new();
    POOLS.get_or_init(|| {
        [1, 2, 4, 8].map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap()).into_iter().collect()
    })
}

fn ids(list: &Recommendations) -> Vec<String> {
    list.ids().map(str::to_owned).collect()
}

/// The items a request may show, found the slow way from the plain data; what a pin forces in comes on top.
fn eligible(world: &World, recipe: &Recipe, ask: &Ask) -> HashSet<u8> {
    let kept = |&item: &u8| {
        let ware = world.wares.get(item as usize);
        let now = ask.day;
        let sold = ware.is_none_or(|w| {
            w.stock != Some(0) && w.released.is_none_or(|r| r <= now) && w.expires.is_none_or(|e| now < e)
        });
        let in_category = |c: usize| ware.is_some_and(|w| w.category == c);
        let seen = recipe.seen.as_ref().is_some_and(|(kinds, again_after)| {
            let counts =
                |kind: EventKind, at: i64| kinds.contains(&kind) && again_after.is_none_or(|window| now - at < window);
            let stored = ask
                .user
                .filter(|&user| user < USERS.len())
                .is_some_and(|user| left_of(world, user, item).iter().any(|&(kind, at)| at <= now && counts(kind, at)));
            stored || ask.session.iter().any(|&(i, kind, at)| i == item && counts(kind, at.min(now)))
        });
        (!recipe.available || sold)
            && recipe.only.is_none_or(in_category)
            && ask.only.is_none_or(in_category)
            && !seen
            && !ask.exclude.contains(&item)
            && ask.page != Some(item)
    };
    let universe = world.universe();
    match &ask.candidates {
        Some(given) => given.iter().copied().filter(|i| universe.contains(i)).filter(kept).collect(),
        None => universe.into_iter().filter(kept).collect(),
    }
}

/// What is left of a user's events on an item after returns took back purchases.
fn left_of(world: &World, user: usize, item: u8) -> Vec<(EventKind, i64)> {
    let mut events: Vec<(EventKind, i64)> =
        world.done.iter().filter(|d| d.who == user && d.item == item).map(|d| (d.kind, d.day)).collect();
    events.sort_by_key(|&(_, day)| day);
    let mut left: Vec<(EventKind, i64)> = Vec::new();
    for event in events {
        let bought = left.iter().rposition(|&(kind, _)| kind == EventKind::Purchase);
        match (event.0, bought) {
            (EventKind::Return, Some(at)) => drop(left.remove(at)),
            _ => left.push(event),
        }
    }
    left
}

/// Pinned items that override filters and exist.
fn forced(world: &World, recipe: &Recipe) -> HashSet<u8> {
    let universe = world.universe();
    let pin = |action: &Action| match action {
        Action::Pin { item, filters: PinFilters::Override, .. } => item[1..].parse::<u8>().ok(),
        _ => None,
    };
    // A pin without override that comes first has the item; then the override is void.
    let mut met = HashSet::new();
    let mut forced = HashSet::new();
    for action in &recipe.rules {
        if let Action::Pin { item, .. } = action {
            let _ = met.insert(item.clone());
        }
        if let Some(item) = pin(action)
            && universe.contains(&item)
        {
            forced.insert(item);
        }
    }
    forced
}

/// Pins that heed filters work for any item the filters admit, also outside of given candidates.
fn pinned_in(world: &World, recipe: &Recipe, ask: &Ask) -> HashSet<u8> {
    let open = Ask { candidates: None, ..ask.clone() };
    let admitted = eligible(world, recipe, &open);
    let item_of = |action: &Action| match action {
        Action::Pin { item, .. } => item[1..].parse::<u8>().ok(),
        _ => None,
    };
    recipe.rules.iter().filter_map(item_of).filter(|item| admitted.contains(item)).collect()
}

proptest! {
    #![proptest_config(config())]

    /// Laws 1 and 2: the same request to the same snapshot gives the same bytes — again, with a dirty workspace, in a
    /// batch, on 1, 2, 4 and 8 threads.
    #[test]
    fn one_answer_whoever_asks(world in world(), recipe in recipe(), asks in prop::collection::vec(ask(), 1..4)) {
        let snapshot = world.snapshot(&recipe);
        let asked: Vec<Asked> = asks.iter().map(Ask::own).collect();
        let alone: Vec<Recommendations> =
            asked.iter().map(|a| a.with(|r| snapshot.recommend(&r)).unwrap()).collect();
        let mut ws = Workspace::default();
        for _ in 0..2 {
            for (a, before) in asked.iter().zip(&alone) {
                prop_assert_eq!(&a.with(|r| snapshot.recommend_with(&r, &mut ws)).unwrap(), before);
            }
        }
        // The batch needs all requests at once: nest the borrows.
        fn batch(snapshot: &Snapshot, asked: &[Asked], requests: &mut Vec<Vec<Recommendations>>) {
            fn nest<'r>(rest: &'r [Asked], sofar: &mut Vec<Request<'r>>, run: &mut dyn FnMut(&[Request<'_>])) {
                match rest.split_first() {
                    None => run(sofar),
                    Some((first, rest)) => first.with(|r| {
                        let mut all: Vec<Request<'_>> = sofar.clone();
                        all.push(r);
                        nest(rest, &mut all, run);
                    }),
                }
            }
            nest(asked, &mut Vec::new(), &mut |all| {
                for pool in pools() {
                    let mut lists = Vec::new();
                    let report = pool.install(|| {
                        snapshot.recommend_batch(all.iter().copied(), &Run::new(0), |answer| {
                            lists.push(answer.list.unwrap());
                            Flow::Continue
                        })
                    });
                    assert_eq!(report.unwrap().answered, all.len() as u64);
                    requests.push(lists);
                }
            });
        }
        let mut batches = Vec::new();
        batch(&snapshot, &asked, &mut batches);
        for lists in batches {
            prop_assert_eq!(&lists, &alone);
        }
    }

    /// Laws 3 and 4: exactly min(k, eligible) items, none twice, none that a filter refused — except by a pin that
    /// says so.
    #[test]
    fn exactly_what_is_eligible(world in world(), recipe in recipe(), ask in ask()) {
        let snapshot = world.snapshot(&recipe);
        let list = ask.own().with(|r| snapshot.recommend(&r)).unwrap();
        let mut may: HashSet<u8> = eligible(&world, &recipe, &ask);
        may.extend(pinned_in(&world, &recipe, &ask));
        may.extend(forced(&world, &recipe));
        let expected = may.len().saturating_sub(ask.offset).min(ask.k);
        prop_assert_eq!(list.len(), expected, "{:?} of {:?}", ids(&list), may);
        let shown: HashSet<String> = ids(&list).into_iter().collect();
        prop_assert_eq!(shown.len(), list.len(), "an item stands twice");
        let may: HashSet<String> = may.into_iter().map(item_id).collect();
        prop_assert!(shown.is_subset(&may), "{:?} is not in {:?}", shown, may);
    }

    /// Law 3 under strict caps: no cap is broken by ranking, and nothing that would fit was left out.
    #[test]
    fn strict_caps_are_kept_and_maximal(world in world(), recipe in recipe(), ask in ask(), max in 1..4usize) {
        let recipe = Recipe { rules: Vec::new(), cap: Some((max, WhenShort::Strict)), ..recipe };
        let ask = Ask { k: 50, offset: 0, ..ask };
        let list = ask.own().with(|r| world.snapshot(&recipe).recommend(&r)).unwrap();
        let category = |item: u8| world.wares.get(item as usize).map(|w| w.category).filter(|&c| c != 3);
        let eligible = eligible(&world, &recipe, &ask);
        let mut room = 0;
        for c in 0..3 {
            room += eligible.iter().filter(|&&i| category(i) == Some(c)).count().min(max);
        }
        room += eligible.iter().filter(|&&i| category(i).is_none()).count();
        prop_assert_eq!(list.len(), room);
    }

    /// Law 5: every score is finite, and what is ranked without re-ranks stands by score, equals by item number.
    #[test]
    fn scores_are_finite_and_ordered(world in world(), recipe in recipe(), ask in ask()) {
        let snapshot = world.snapshot(&recipe);
        let list = ask.own().with(|r| snapshot.recommend(&r)).unwrap();
        prop_assert!(list.iter().all(|item| item.score().is_finite()));
        let plain = Recipe { diversity: None, cap: None, rules: Vec::new(), ..recipe };
        let list = ask.own().with(|r| world.snapshot(&plain).recommend(&r)).unwrap();
        let ranked: Vec<Scored> = list
            .iter()
            .filter(|item| item.placement() == Placement::Ranked)
            .map(|item| Scored { item: item.item(), score: item.score() })
            .collect();
        prop_assert!(ranked.is_sorted_by(|a, b| a.order(b).is_lt()), "{:?}", ranked);
    }

    /// Law 6: an explanation's root is the score the item was ranked with, and its parts sum to it, bit for bit.
    #[test]
    fn explanations_add_up(world in world(), recipe in recipe(), ask in ask()) {
        let snapshot = world.snapshot(&recipe);
        let asked = ask.own();
        let list = asked.with(|r| snapshot.recommend(&r)).unwrap();
        for (place, item) in list.iter().enumerate() {
            let sum: f32 = item.contributions().iter().map(|c| c.value).sum();
            prop_assert_eq!(sum + 0.0, item.score() + 0.0);
            let explained = asked.with(|r| snapshot.explain(&r, item.id())).unwrap();
            let listed = Fate::Listed { position: ask.offset + place, placement: item.placement() };
            prop_assert_eq!(&explained.fate, &listed);
            prop_assert_eq!(explained.score.value.map(f32::to_bits), Some(item.score().to_bits()));
            let parts: f32 = explained.score.details.iter().filter_map(|d| d.value).sum();
            prop_assert_eq!(parts + 0.0, item.score() + 0.0);
            prop_assert_eq!(explained.score.details.len(), item.contributions().len());
        }
        let refused = |item: u8| asked.with(|r| snapshot.explain(&r, &item_id(item))).unwrap().fate;
        for item in ask.exclude.iter().copied().filter(|i| world.universe().contains(i)) {
            if list.ids().all(|id| id != item_id(item)) && !forced(&world, &recipe).contains(&item) {
                prop_assert!(matches!(refused(item), Fate::Filtered { .. }), "{:?}", refused(item));
            }
        }
    }

    /// Pages are cuts out of one list.
    #[test]
    fn pages_fit_together(world in world(), recipe in recipe(), ask in ask(), size in 1..6usize) {
        let snapshot = world.snapshot(&recipe);
        let page = |offset, k| {
            Ask { offset, k, ..ask.clone() }.own().with(|r| ids(&snapshot.recommend(&r).unwrap()))
        };
        let whole = page(0, 60);
        let mut paged = Vec::new();
        for number in 0..60 / size + 1 {
            paged.extend(page(number * size, size));
        }
        prop_assert_eq!(whole, paged);
    }

    /// Law 7 for whole lists: models that were updated serve what models that were rebuilt serve.
    #[test]
    fn update_is_rebuild(world in world(), more in world(), recipe in recipe(), ask in ask()) {
        let both = World { done: world.done.iter().chain(&more.done).cloned().collect(), ..world.clone() };
        let (base, data) = (world.dataset(), both.dataset());
        let Some(delta) = Delta::between(&base, &data) else {
            return Err(TestCaseError::fail("the later dataset must extend the numbering"));
        };
        let run = Run::new(3).threads(Parallelism::Serial);
        let popular = PopularityParams::default().check().unwrap();
        let co_view = CoOccurrenceParams { min_support: 1, ..CoOccurrenceParams::co_view() }.check().unwrap();
        let together = FrequentlyBoughtTogetherParams { min_support: 1, ..Default::default() }.check().unwrap();
        fn updated<F: Fit>(fit: &F, delta: &Delta<'_>, run: &Run<'_>) -> [std::sync::Arc<dyn Scorer>; 2] {
            let old = fit.fit(&delta.base().into(), run).unwrap();
            let new = fit.update(&old, delta, None, run).unwrap();
            [std::sync::Arc::new(new), std::sync::Arc::new(fit.fit(&delta.data().into(), run).unwrap())]
        }
        let pairs = [updated(&popular, &delta, &run), updated(&co_view, &delta, &run), updated(&together, &delta, &run)];
        let data = std::sync::Arc::new(data.clone());
        let catalog = std::sync::Arc::new(both.catalog());
        let list = |which: usize| {
            let mut builder = Ranker::builder().blend(recipe.blend);
            for (pair, weight) in pairs.iter().zip(recipe.weights) {
                builder = builder.scorer(pair[which].clone(), weight);
            }
            let ranker = std::sync::Arc::new(builder.build().unwrap());
            let snapshot = Snapshot::new(data.clone(), catalog.clone(), ranker).unwrap();
            ask.own().with(|r| snapshot.recommend(&r)).unwrap()
        };
        prop_assert_eq!(list(0), list(1));
    }

    /// Law 9, its run-time side: what anonymous visitors do enters no profile, and an anonymous request reads none.
    #[test]
    fn no_consent_no_profile(world in world(), recipe in recipe(), ask in ask()) {
        let profiled = World {
            done: world.done.iter().filter(|d| d.who < USERS.len()).cloned().collect(),
            wares: world.wares.clone(),
        };
        let (with, without) = (world.dataset(), profiled.dataset());
        prop_assert_eq!(with.users().count(), without.users().count());
        for user in with.users() {
            let key = with.user_key(user);
            let other = without.user(key).unwrap();
            let row = |data: &Dataset, user| -> Vec<(String, EventKind, Timestamp)> {
                data.events_of(user).iter().map(|e| (data.item_key(e.item).to_owned(), e.kind, e.at)).collect()
            };
            prop_assert_eq!(row(&with, user), row(&without, other));
        }
        for visit in VISITS {
            prop_assert_eq!(with.user(visit), None);
        }
        // The recency scorer and the seen filter read profiles: an anonymous request must not notice them.
        let anonymous = Ask { user: None, ..ask.clone() };
        let stranger = Ask { user: Some(USERS.len()), ..ask };
        let snapshot = world.snapshot(&recipe);
        let list = |a: &Ask| ids(&a.own().with(|r| snapshot.recommend(&r)).unwrap());
        prop_assert_eq!(list(&anonymous), list(&stranger));
    }
}

/// Law 12: no clock, entropy, environment, printing or hidden thread in the library.
#[test]
fn the_library_keeps_to_its_arguments() {
    const FORBIDDEN: [&str; 10] = [
        "SystemTime",
        "Instant::now",
        "RandomState",
        "thread_rng",
        "getrandom",
        "std::env",
        "env::var",
        "println!",
        "eprintln!",
        "thread::spawn",
    ];
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            // A file's own tests stand in a module at its end; a `#[cfg(test)]` on anything else hides nothing.
            let body = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let body = body.split("#[cfg(test)]\npub(crate) mod tests {").next().unwrap_or_default();
            let code = body.lines();
            for line in code.filter(|line| !line.trim_start().starts_with("//")) {
                found.extend(FORBIDDEN.iter().filter(|f| line.contains(*f)).map(|_| format!("{path:?}: {line}")));
            }
        }
    }
    let mut found = Vec::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}
