//! What stands together: published counts, every set by enumeration, pairs by hand.

use super::*;

#[cfg(feature = "gzip")]
fn groceries() -> Option<Baskets> {
    use std::io::Read;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/groceries/groceries.csv.gz");
    let Ok(file) = std::fs::File::open(path) else {
        println!("SKIPPED: {path} is not there");
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    Some(Baskets::from_sets(text.lines().map(|line| line.split(',').map(str::trim).filter(|item| !item.is_empty()))))
}

#[test]
#[cfg(feature = "gzip")]
fn the_rules_of_the_groceries_are_those_of_arules() {
    let Some(baskets) = groceries() else { return };
    assert_eq!((baskets.len(), baskets.counts().len()), (9835, 169));
    let rules = |min_support, min_confidence| {
        let params = BasketRulesParams { min_support, min_confidence, ..BasketRulesParams::default() };
        baskets.rules(&params.check().unwrap())
    };
    let (strict, wide) = (rules(0.001, 0.8), rules(0.006, 0.25));
    assert_eq!((strict.len(), wide.len()), (410, 463));
    // The rules everybody quotes (Hahsler et al.): liquor and wine for beer, lift 11.24, confidence .905 of 19 baskets.
    let liquor =
        strict.iter().find(|r| r.right == "bottled beer" && r.left_items == 2 && r.left.contains("liquor")).unwrap();
    assert_eq!(liquor.both, 19);
    assert_relative_eq!(liquor.confidence, 0.9047619, epsilon = 1e-6);
    assert_relative_eq!(liquor.lift, 11.235269, epsilon = 1e-5);
    let herbs = wide.iter().find(|r| r.left == "herbs" && r.right == "root vegetables").unwrap();
    assert_relative_eq!(herbs.support, 0.007015760, epsilon = 1e-8);
    assert_relative_eq!(herbs.confidence, 0.43125, epsilon = 1e-8);
    assert_relative_eq!(herbs.lift, 3.956477, epsilon = 1e-5);
    assert_eq!(wide[0].left, "herbs", "the highest lift first");
    // With one item allowed, `{} => whole milk` joins at .25 (25.55 % of all baskets).
    let params =
        BasketRulesParams { min_support: 0.006, min_confidence: 0.25, min_items: 1, ..BasketRulesParams::default() };
    assert_eq!(baskets.rules(&params.check().unwrap()).len(), 464);
    // The pair everybody quotes: 736 baskets, lift 1.5136.
    let pairs = baskets.affinity(&AffinityPairsParams::default().check().unwrap());
    let milk = pairs.iter().find(|p| {
        [&p.a[..], &p.b] == ["other vegetables", "whole milk"] || [&p.b[..], &p.a] == ["other vegetables", "whole milk"]
    });
    let milk = milk.unwrap();
    assert_eq!(milk.both, 736);
    assert_relative_eq!(milk.lift, 1.5136, epsilon = 1e-4);
    assert!(milk.lift_low > 1.4 && milk.lift_high < 1.65 && milk.p_value < 1e-30);
}

/// Every set of items, counted in every basket.
fn slow_sets(baskets: &[Vec<u8>], least: u32, longest: usize) -> BTreeMap<Vec<String>, u32> {
    let mut out = BTreeMap::new();
    for mask in 1u32..1 << 7 {
        let set: Vec<u8> = (0..7).filter(|i| mask >> i & 1 == 1).collect();
        let count = baskets.iter().filter(|basket| set.iter().all(|item| basket.contains(item))).count() as u32;
        if set.len() <= longest && count >= least {
            out.insert(set.iter().map(|i| NAMES[*i as usize].to_owned()).collect(), count);
        }
    }
    out
}

const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn fp_growth_finds_what_enumeration_finds(
        sets in prop::collection::vec(prop::collection::vec(0u8..7, 0..7), 0..25),
        least in 1u32..6,
        longest in 1usize..8,
        confidence in 0.0f64..1.0,
    ) {
        let baskets = Baskets::from_sets(sets.iter().map(|set| set.iter().map(|i| NAMES[*i as usize])));
        let full: Vec<Vec<u8>> = sets.into_iter().filter(|set| !set.is_empty()).collect();
        prop_assert_eq!(baskets.len(), full.len());
        let found: Vec<(Vec<String>, u32)> = baskets.frequent_sets(least, longest).into_iter().map(|(set, count)| {
            let mut names: Vec<String> = set.into_iter().map(|item| baskets.key(item).to_owned()).collect();
            names.sort();
            (names, count)
        }).collect();
        let slow = slow_sets(&full, least, longest);
        prop_assert_eq!(found.len(), slow.len(), "each once");
        prop_assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), slow.clone());

        // Rules: every set, every right side, by definition.
        if !full.is_empty() {
            let n = full.len() as f64;
            let params = BasketRulesParams {
                min_support: (f64::from(least) - 0.5) / n, min_confidence: confidence, max_items: longest as u32,
                ..BasketRulesParams::default()
            };
            prop_assume!(params.min_support <= 1.0);
            let rules = baskets.rules(&params.check().unwrap());
            let everything = slow_sets(&full, 1, 7);
            let mut expected = 0;
            for (set, both) in slow.iter().filter(|(set, _)| set.len() > 1) {
                for right in set {
                    let left: Vec<String> = set.iter().filter(|i| *i != right).cloned().collect();
                    expected += usize::from(f64::from(*both) / f64::from(everything[&left]) >= confidence);
                }
            }
            prop_assert_eq!(rules.len(), expected);
            for rule in &rules {
                prop_assert!(rule.confidence_low <= rule.confidence && rule.confidence <= rule.confidence_high);
                prop_assert!(rule.lift_low <= rule.lift && rule.lift <= rule.lift_high);
            }
        }
    }

    #[test]
    fn pairs_are_counted_as_loops_count(
        sets in prop::collection::vec(prop::collection::vec(0u8..7, 0..7), 1..25),
        least in 1u32..5,
    ) {
        let baskets = Baskets::from_sets(sets.iter().map(|set| set.iter().map(|i| NAMES[*i as usize])));
        let params = AffinityPairsParams { min_count: least, ..AffinityPairsParams::default() };
        let pairs = baskets.affinity(&params.check().unwrap());
        let full: Vec<Vec<u8>> = sets.into_iter().filter(|set| !set.is_empty()).collect();
        let slow = slow_sets(&full, least, 2);
        prop_assert_eq!(pairs.len(), slow.keys().filter(|set| set.len() == 2).count());
        for pair in &pairs {
            let mut key = vec![pair.a.clone(), pair.b.clone()];
            key.sort();
            prop_assert_eq!(slow[&key], pair.both);
            prop_assert!(pair.support_low <= pair.support && pair.support <= pair.support_high);
            prop_assert!(pair.lift_low <= pair.lift && pair.lift <= pair.lift_high && pair.lift_low > 0.0);
            prop_assert!((0.0..=1.0).contains(&pair.p_value) && pair.llr.is_finite());
            prop_assert_eq!(pair.llr < 0.0, pair.lift < 1.0 && pair.llr != 0.0);
        }
        prop_assert!(pairs.is_sorted_by(|a, b| a.llr >= b.llr));
    }
}

#[test]
fn a_pair_by_hand() {
    // 100 baskets: 10 both, 20 with a, 30 with b. Lift 10 * 100 / 600; the rest by a calculator.
    let set = |i: u32| match i {
        0..10 => vec!["a", "b"],
        10..20 => vec!["a"],
        20..40 => vec!["b"],
        _ => vec!["c"],
    };
    let baskets = Baskets::from_sets((0..100).map(set));
    let pairs = baskets.affinity(&AffinityPairsParams::default().check().unwrap());
    let [pair] = &pairs[..] else { panic!("{pairs:?}") };
    assert_eq!((pair.both, pair.with_a, pair.with_b), (10, 20, 30));
    assert_relative_eq!(pair.lift, 5.0 / 3.0, max_relative = 1e-12);
    let g2 = 2.0
        * (10.0 * (5f64 / 3.0).ln()
            + 10.0 * (10.0 / 14.0f64).ln()
            + 20.0 * (20.0 / 24.0f64).ln()
            + 60.0 * (60.0 / 56.0f64).ln());
    assert_relative_eq!(pair.llr, g2, max_relative = 1e-12);
    // var ln lift = 10 (1/10 - 1/20 - 1/30)^2 + 10/400 + 20/900 - 1/100
    let variance: f64 = 10.0 * (0.1 - 0.05 - 1.0 / 30.0f64).powi(2) + 0.025 + 20.0 / 900.0 - 0.01;
    assert_relative_eq!(pair.lift_high / pair.lift, (1.959964 * variance.sqrt()).exp(), max_relative = 1e-6);
    // Wilson's interval for 10 of 20: (.2993, .7007).
    assert_relative_eq!(pair.confidence_a_to_b_low, 0.2993, epsilon = 1e-4);
    assert_relative_eq!(pair.confidence_a_to_b_high, 0.7007, epsilon = 1e-4);
    // Baskets of the largest size allowed count as pairs, larger ones do not.
    let sets = [vec!["a", "b", "c"], vec!["a", "b"], vec!["a", "b"]];
    let both = |max_basket| {
        let params = AffinityPairsParams { min_count: 1, max_basket, ..AffinityPairsParams::default() };
        let pairs = Baskets::from_sets(sets.clone()).affinity(&params.check().unwrap());
        (pairs.len(), pairs.iter().find(|p| p.a == "a" && p.b == "b").map(|p| p.both))
    };
    assert_eq!((both(3), both(2)), ((3, Some(3)), (1, Some(2))));
}

#[test]
fn the_interval_of_the_lift_holds_what_it_promises() {
    // Independent items bought with .3 and .2: the true lift is 1.
    let mut state = 7_u64;
    let mut unit = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let params = AffinityPairsParams { min_count: 1, ..AffinityPairsParams::default() }.check().unwrap();
    let mut held = 0;
    for _ in 0..1000 {
        let sets: Vec<Vec<&str>> = (0..300)
            .map(|_| {
                [("a", 0.3), ("b", 0.2), ("c", 1.0)].iter().filter(|(_, p)| unit() < *p).map(|(i, _)| *i).collect()
            })
            .collect();
        let pairs = Baskets::from_sets(sets).affinity(&params);
        let pair =
            pairs.iter().find(|p| [&p.a[..], &p.b[..]] == ["a", "b"] || [&p.a[..], &p.b[..]] == ["b", "a"]).unwrap();
        held += u32::from(pair.lift_low <= 1.0 && 1.0 <= pair.lift_high);
    }
    assert!((930..=970).contains(&held), "{held} of 1000 at .95");
}

#[test]
fn substitutes_are_compared_and_complements_are_bought_together() {
    let mut events = Vec::new();
    let ids: Vec<String> = (0..400).map(|i| format!("s{i}")).collect();
    for (i, who) in ids.iter().enumerate() {
        let d = i as i64;
        if i < 120 {
            // Compares two pans and takes one.
            events.push((who.as_str(), "pan1", EventKind::View, d));
            events.push((who.as_str(), "pan2", EventKind::View, d));
            events.push((who.as_str(), if i % 2 == 0 { "pan1" } else { "pan2" }, EventKind::Purchase, d));
        } else if i < 240 {
            events.push((who.as_str(), "tea", EventKind::Purchase, d));
            events.push((who.as_str(), "mug", EventKind::Purchase, d));
        } else {
            events.push((who.as_str(), "saw", EventKind::View, d));
            events.push((who.as_str(), "saw", EventKind::Purchase, d));
        }
    }
    let data = shop(&events);
    let viewed = Baskets::of(&data, KindSet::of(&[EventKind::View]), BasketUnit::Session);
    let bought = Baskets::of(&data, KindSet::of(&[EventKind::Purchase]), BasketUnit::Session);
    let rows = relations(&viewed, &bought, &RelationParams::default().check().unwrap());
    let of = |a: &str, b: &str| rows.iter().find(|r| (r.a == a && r.b == b) || (r.a == b && r.b == a)).unwrap();
    assert_eq!(of("pan1", "pan2").relation, Relation::Substitute);
    assert_eq!((of("pan1", "pan2").viewed_together, of("pan1", "pan2").bought_together), (120, 0));
    assert_eq!(of("tea", "mug").relation, Relation::Complement);
    assert!(of("tea", "mug").view_lift.is_nan() && rows.len() == 2);
    // Bought together about as often as by chance, but perhaps as often as they are compared: nobody knows.
    let sets = |both: usize, alone: usize| {
        let set = |(names, n): (&[&'static str], usize)| std::iter::repeat_n(names.to_vec(), n);
        let parts = [(&["a", "b"][..], both), (&["a"], alone), (&["b"], alone), (&["c"], 100 - both - 2 * alone)];
        Baskets::from_sets(parts.into_iter().flat_map(set).collect::<Vec<_>>())
    };
    let params = RelationParams { min_count: 5, ..RelationParams::default() }.check().unwrap();
    let row = relations(&sets(10, 10), &sets(5, 15), &params).remove(0);
    assert!(row.view_lift_low > 1.0 && row.buy_lift_low < 1.0, "{row:?}");
    assert!(row.view_lift_low < row.buy_lift_high && row.buy_lift_high < row.view_lift_high, "{row:?}");
    assert_eq!(row.relation, Relation::Undecided);
    assert!(
        relations(&Baskets::default(), &Baskets::default(), &RelationParams::default().check().unwrap()).is_empty()
    );
}

/// Shares are met to rounding: 3 of 10 is at least .3, however the two are multiplied.
#[test]
fn a_share_is_met_to_rounding() {
    for n in 2..60usize {
        for k in 1..n {
            let share = k as f64 / n as f64;
            // `k` of `n` baskets hold both, all of them the left side.
            let sets: Vec<Vec<&str>> = (0..n).map(|i| if i < k { vec!["a", "b"] } else { vec!["a"] }).collect();
            let baskets = Baskets::from_sets(sets);
            let count = |min_support, min_confidence| {
                let params = BasketRulesParams { min_support, min_confidence, ..BasketRulesParams::default() };
                baskets.rules(&params.check().unwrap()).iter().filter(|rule| rule.left == "a").count()
            };
            assert_eq!((count(share, 0.0), count(0.0, share)), (1, 1), "{k} of {n}");
        }
    }
}
