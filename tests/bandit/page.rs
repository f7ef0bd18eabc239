//! Fatigue, and pages planned as a whole.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// A page shows nothing twice, adds up, and is nearly as good as the best of all pages.
    #[test]
    fn pages_are_lawful_and_good(
        attention in prop::collection::vec(0.0f64..=1.0, 1..4),
        modules in prop::collection::vec((prop::collection::vec((0u32..8, 0.0f64..1.0), 0..5), 0u8..3, 0.0f64..3.0, 0.5f64..=1.0), 1..6),
    ) {
        let slots: Vec<Slot> = attention.iter().enumerate().map(|(n, a)| Slot { id: n.to_string(), attention: *a }).collect();
        let modules: Vec<Module> = modules.into_iter().enumerate().map(|(n, (items, topic, value, fresh))| Module {
            id: n.to_string(),
            topic: if topic == 0 { String::new() } else { topic.to_string() },
            body: if items.is_empty() { Body::Banner(value) } else {
                let mut items: Vec<(ItemIdx, f64)> = items.into_iter().map(|(i, v)| (ItemIdx::new(i), v)).collect();
                items.sort_by(|a, b| b.1.total_cmp(&a.1));
                Body::Rail { items, show: 3, least: 1 + usize::from(topic) }
            },
            fresh,
        }).collect();
        let params = PageParams::default().check().unwrap();
        let page = plan_page(&slots, &modules, &params).unwrap();
        let items: Vec<ItemIdx> = page.filled.iter().flat_map(|f| f.items.clone()).collect();
        prop_assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len());
        prop_assert_eq!(page.filled.iter().map(|f| f.module).collect::<BTreeSet<_>>().len(), page.filled.len());
        prop_assert!((page.filled.iter().map(|f| f.value).sum::<f64>() - page.value).abs() < 1e-9);
        let looked: Vec<f64> = page.filled.iter().map(|f| slots[f.slot].attention).collect();
        prop_assert!(looked.windows(2).all(|w| w[0] >= w[1]));
        // All assignments, each planned alone: the slots in their order of attention.
        let mut order: Vec<usize> = (0..slots.len()).collect();
        order.sort_by(|a, b| slots[*b].attention.total_cmp(&slots[*a].attention));
        let mut best = 0.0f64;
        let mut stack = vec![Vec::new()];
        while let Some(chosen) = stack.pop() {
            if chosen.len() == slots.len() {
                best = best.max(worth(&slots, &order, &modules, &chosen));
                continue;
            }
            for next in std::iter::once(None).chain((0..modules.len()).map(Some)) {
                if next.is_none() || !chosen.contains(&next) {
                    let mut more = chosen.clone();
                    more.push(next);
                    stack.push(more);
                }
            }
        }
        prop_assert!((page.value - best).abs() < 1e-9, "{} of {best}", page.value);
        // Beyond the exact ones: exchanges stop where no single one helps.
        let quick = plan_page(&slots, &modules, &PageParams { exact: 0, ..PageParams::default() }.check().unwrap()).unwrap();
        prop_assert!(quick.value <= best + 1e-9 && quick.value >= 0.5 * best - 1e-9, "{} of {best}", quick.value);
        let items: Vec<ItemIdx> = quick.filled.iter().flat_map(|f| f.items.clone()).collect();
        prop_assert_eq!(items.iter().collect::<BTreeSet<_>>().len(), items.len());
    }
}

#[test]
fn exchanged_pages_are_nearly_the_best() {
    let mut draw = Draw(12);
    let (mut best, mut mean, pages) = (0, 0.0, 300);
    for _ in 0..pages {
        let slots: Vec<Slot> = (0..3).map(|n| Slot { id: n.to_string(), attention: draw.unit() }).collect();
        let modules: Vec<Module> = (0..6)
            .map(|n| {
                let mut items: Vec<(ItemIdx, f64)> =
                    (0..6).map(|_| (ItemIdx::new((draw.unit() * 20.0) as u32), draw.unit())).collect();
                items.sort_by(|a, b| b.1.total_cmp(&a.1));
                let topic = if n % 2 == 0 { String::new() } else { "toys".to_owned() };
                Module { id: n.to_string(), topic, body: Body::Rail { items, show: 4, least: 2 }, fresh: 1.0 }
            })
            .collect();
        let value = |exact| {
            plan_page(&slots, &modules, &PageParams { exact, ..PageParams::default() }.check().unwrap()).unwrap().value
        };
        let (quick, exact) = (value(0), value(1_000));
        best += i32::from(quick >= exact - 1e-9);
        mean += quick / exact / f64::from(pages);
    }
    assert!(best >= 240 && mean > 0.99, "{best} of {pages} are the best, {mean} of it on average");
}

/// A page's value by its definition.
fn worth(slots: &[Slot], order: &[usize], modules: &[Module], chosen: &[Option<usize>]) -> f64 {
    let (mut shown, mut topics, mut total) = (BTreeSet::new(), BTreeMap::new(), 0.0);
    for (slot, module) in order.iter().zip(chosen) {
        let Some(module) = module.map(|m| &modules[m]) else {
            continue;
        };
        let value = match &module.body {
            Body::Banner(value) => *value,
            Body::Rail { items, show, least } => {
                let mut own = Vec::new();
                for (item, value) in items {
                    if !shown.contains(item) && !own.iter().any(|(i, _)| i == item) && own.len() < *show {
                        own.push((*item, *value));
                    }
                }
                if own.len() < *least {
                    continue;
                }
                shown.extend(own.iter().map(|(item, _)| *item));
                own.iter().enumerate().map(|(place, (_, value))| value * 0.85f64.powi(place as i32)).sum()
            }
        };
        let before = topics.entry(module.topic.clone()).or_insert(0);
        let same = if module.topic.is_empty() { 0 } else { *before };
        *before += 1;
        total += value * slots[*slot].attention * module.fresh * 0.6f64.powi(same);
    }
    total
}

#[test]
fn a_tired_shopper_is_shown_something_else() {
    let params = FatigueParams { factor: 0.5, recovery: Span::days(1), floor: 0.01 };
    let mut tired = Fatigue::new(params.check().unwrap());
    let day = |d: i64| secs(d * 86_400);
    tired.shown("hero", "a", day(0));
    tired.shown("hero", "a", day(0));
    assert_relative_eq!(tired.factor("hero", "a", day(0)), 0.25);
    assert_relative_eq!(tired.factor("hero", "a", day(1)), 0.5, max_relative = 1e-12);
    assert_relative_eq!(tired.factor("hero", "a", day(2)), 0.5f64.sqrt(), max_relative = 1e-12);
    assert_eq!((tired.factor("footer", "a", day(0)), tired.factor("hero", "b", day(0))), (1.0, 1.0));
    let params = BanditParams { explore: 1.0, ..BanditParams::default() };
    let bandit = bandit(params, &["a", "b"]);
    let of = bandit.propensities(&ContentContext::default(), day(0), Some((&tired, "hero"))).unwrap();
    assert_relative_eq!(of[0].1, 0.2, max_relative = 1e-12);
    assert_relative_eq!(of[1].1, 0.8, max_relative = 1e-12);
    (0..100).for_each(|_| tired.shown("hero", "a", day(3)));
    assert_eq!(tired.factor("hero", "a", day(3)), 0.01);
    let text = serde_json::to_string(&tired).unwrap();
    assert_eq!(serde_json::from_str::<Fatigue>(&text).unwrap(), tired);
    tired.clicked("hero", "a");
    assert_eq!(tired.factor("hero", "a", day(3)), 1.0);
    tired.shown("hero", "a", day(3));
    tired.forget(0.1, day(30));
    assert_eq!(
        tired,
        Fatigue::new(FatigueParams { factor: 0.5, recovery: Span::days(1), floor: 0.01 }.check().unwrap())
    );
}
