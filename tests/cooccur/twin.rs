//! Against nested loops and rebuilds.

use super::*;

#[derive(Debug, Default, PartialEq)]
struct Slow {
    pairs: BTreeMap<(u32, u32), u32>,
    from: BTreeMap<u32, u32>,
    to: BTreeMap<u32, u32>,
    units: u32,
    /// By how many rows each pair was met; not part of what a model tells.
    rows: BTreeMap<(u32, u32), BTreeSet<u32>>,
}

fn slow(data: &Dataset, p: &CoOccurrenceParams) -> Slow {
    let mut units: BTreeMap<(u32, u32), Vec<EventRef>> = BTreeMap::new();
    for row in 0..data.n_rows() as u32 {
        let events = data.events_of(UserIdx::new(row));
        for (event, &session) in events.iter().zip(events.sessions()) {
            if p.from.contains(event.kind) || p.to.contains(event.kind) {
                let session = if p.unit == PairUnit::Session { session } else { 0 };
                units.entry((row, session)).or_default().push(event);
            }
        }
    }
    let mut slow = Slow { units: units.len() as u32, ..Slow::default() };
    for ((row, _), events) in &units {
        let items: BTreeSet<u32> = events.iter().map(|e| e.item.get()).collect();
        let latest = |item: u32| events.iter().filter(|e| e.item.get() == item).map(|e| e.at).max().unwrap();
        let mut items: Vec<u32> = items.into_iter().collect();
        items.sort_by_key(|&item| (std::cmp::Reverse(latest(item)), item));
        items.truncate(p.max_items);
        let done = |item: u32, kinds: KindSet| {
            events.iter().filter(move |e| e.item.get() == item && kinds.contains(e.kind)).collect::<Vec<_>>()
        };
        for &a in &items {
            *slow.from.entry(a).or_default() += u32::from(!done(a, p.from).is_empty());
            *slow.to.entry(a).or_default() += u32::from(!done(a, p.to).is_empty());
            for &b in items.iter().filter(|&&b| b != a) {
                let met = done(a, p.from).iter().any(|x| {
                    done(b, p.to).iter().any(|y| match p.order {
                        PairOrder::Then { within } => {
                            let later = y.at > x.at || (y.at == x.at && y.kind != x.kind);
                            later && y.at.since(x.at) <= within
                        }
                        _ => true,
                    })
                });
                if met {
                    *slow.pairs.entry((a, b)).or_default() += 1;
                    slow.rows.entry((a, b)).or_default().insert(*row);
                }
            }
        }
    }
    slow.from.retain(|_, n| *n > 0);
    slow.to.retain(|_, n| *n > 0);
    slow
}

fn quick(data: &Dataset, counts: &PairCounts) -> Slow {
    let mut quick = Slow { units: counts.n_units(), ..Slow::default() };
    for a in (0..data.n_items() as u32).map(i) {
        quick.pairs.extend(counts.row(a).map(|(b, n)| ((a.get(), b.get()), n)));
        quick.from.extend(Some((a.get(), counts.n_from(a))).filter(|x| x.1 > 0));
        quick.to.extend(Some((a.get(), counts.n_to(a))).filter(|x| x.1 > 0));
    }
    quick
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn counts_and_lists_equal_nested_loops(events in prop::collection::vec(tiny(30), 0..60), p in recipes()) {
        let data = data(&events);
        let model = fit(&p.clone().check().unwrap(), &data);
        let lists_only = fit(&CoOccurrenceParams { retain: Retain::ListsOnly, ..p.clone() }.check().unwrap(), &data);
        let mut slow = slow(&data, &p);
        let rows = std::mem::take(&mut slow.rows);
        prop_assert_eq!(&quick(&data, model.counts().unwrap()), &slow);
        for a in (0..data.n_items() as u32).map(i) {
            let mut list: Vec<Scored> = slow.pairs.iter()
                .filter(|&(&(x, b), &n)| {
                    x == a.get() && n >= p.min_support && rows[&(x, b)].len() >= p.min_shoppers as usize
                })
                .map(|(&(_, b), &n)| Scored {
                    item: i(b),
                    score: p.weight.shrunk(n, slow.from[&a.get()], slow.to[&b], slow.units, p.shrinkage) as f32,
                })
                .filter(|s| s.score > 0.0)
                .collect();
            list.sort_by(Scored::order);
            prop_assert_eq!(&model.similar_items(a, usize::MAX), &list);
            prop_assert_eq!(lists_only.similar_items(a, usize::MAX), list);
        }
    }

    #[test]
    fn an_update_is_a_rebuild(
        first in prop::collection::vec(tiny(30), 0..40),
        second in prop::collection::vec(tiny(60), 0..12),
        third in prop::collection::vec(tiny(60), 0..12),
        p in recipes(),
        retain in any_of([Retain::Counts, Retain::ListsOnly]),
    ) {
        let run = Run::default();
        let recipe = CoOccurrenceParams { retain, ..p }.check().unwrap();
        let mut shop = builder(&first);
        let (mut before, mut model) = {
            let data = shop.build().unwrap();
            let model = fit(&recipe, &data);
            (data, model)
        };
        for more in [second, third] {
            push(&mut shop, &more);
            let after = shop.build().unwrap();
            let delta = Delta::between(&before, &after).unwrap();
            model = recipe.update(&model, &delta, None, &run).unwrap();
            prop_assert_eq!(&model, &fit(&recipe, &after));
            before = after;
        }
    }

    #[test]
    fn arrival_order_does_not_matter(
        (events, shuffled) in prop::collection::vec(tiny(1), 0..40).prop_flat_map(|mut events| {
            // A time of its own for each: of equal times the order of arrival *is* the order.
            (0..).zip(&mut events).for_each(|(n, e)| (e.item, e.second) = (e.item % 5, n));
            (Just(events.clone()), Just(events).prop_shuffle())
        }),
        p in recipes(),
        cut in 0usize..40,
    ) {
        let recipe = p.check().unwrap();
        let (head, tail) = shuffled.split_at(cut.min(shuffled.len()));
        let mut shop = builder(head);
        let before = shop.build().unwrap();
        push(&mut shop, tail);
        let after = shop.build().unwrap();
        let delta = Delta::between(&before, &after).unwrap();
        let updated = recipe.update(&fit(&recipe, &before), &delta, None, &Run::default()).unwrap();
        prop_assert_eq!(updated, fit(&recipe, &data(&events)));
    }

    #[test]
    fn the_others_update_too(
        first in prop::collection::vec(tiny(30), 0..40), second in prop::collection::vec(tiny(60), 0..12),
    ) {
        let run = Run::default();
        let mut shop = builder(&first);
        let before = shop.build().unwrap();
        push(&mut shop, &second);
        let after = shop.build().unwrap();
        let delta = Delta::between(&before, &after).unwrap();
        let cross = CrossOccurrenceParams::default().check().unwrap();
        prop_assert_eq!(cross.update(&fit(&cross, &before), &delta, None, &run).unwrap(), fit(&cross, &after));
        let basket = FrequentlyBoughtTogetherParams { min_support: 1, ..Default::default() }.check().unwrap();
        prop_assert_eq!(basket.update(&fit(&basket, &before), &delta, None, &run).unwrap(), fit(&basket, &after));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// With little memory, counted in blocks of shoppers and of items: the same model, or a refusal that says how much it
    /// takes; and with what it asked for there is one.
    #[test]
    fn little_memory_gives_the_same_model(
        events in prop::collection::vec(tiny(30), 0..80),
        recipe in recipes(),
        (memory, lists_only) in (0u64..12_000, any::<bool>()),
    ) {
        let retain = if lists_only { Retain::ListsOnly } else { Retain::Counts };
        let recipe = CoOccurrenceParams { retain, ..recipe }.check().unwrap();
        let data = data(&events);
        let expected = fit(&recipe, &data);
        let within = |memory| recipe.fit(&(&data).into(), &Run::default().threads(Parallelism::Serial).memory(memory));
        let mut memory = memory;
        let model = loop {
            match within(memory) {
                Ok(model) => break model,
                Err(FitError::Memory { needed, allowed, .. }) => {
                    prop_assert!(needed > allowed && allowed == memory);
                    memory = needed.max(memory + memory / 2);
                }
                Err(error) => panic!("{error}"),
            }
        };
        prop_assert_eq!(&model, &expected);
        if lists_only {
            let least = match within(0) {
                Err(FitError::Memory { needed, .. }) => needed,
                _ => 0,
            };
            prop_assert!(within(least).unwrap() == expected, "the least that was asked for is enough");
        }
    }
}
