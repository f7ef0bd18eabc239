//! Evidence merges, fades and survives; rewards find their choice.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Three processes choose, are rewarded, and exchange copies: any merge order gives the same bytes, and merging again
    /// changes nothing.
    #[test]
    fn merging_is_commutative_associative_and_idempotent(steps in prop::collection::vec((0usize..3, 0u8..4, 0u64..6), 0..40), linear: bool) {
        let policy = if linear { Policy::LinThompson { noise: 0.5 } } else { Policy::ThompsonBeta };
        let params = BanditParams { policy, features: features(), half_life: Some(Span::secs(30)), ..BanditParams::default() };
        let mut processes: Vec<Bandit> = (0..3)
            .map(|p| Bandit::new(params.clone().check().unwrap(), arms(&["a", "b"]), format!("p{p}"), Evidence::default()).unwrap())
            .collect();
        let mut copies = vec![Evidence::default()];
        let mut draw = Draw(7);
        for (n, (p, what, which)) in steps.into_iter().enumerate() {
            let (id, context) = (n.to_string(), context(&mut draw));
            match what {
                0 | 1 => { processes[p].choose(&ask(&id, &context, n as i64, 3)).unwrap(); }
                2 => {
                    let id = ChoiceId { process: format!("p{p}"), number: which };
                    let _ = processes[p].reward(&id, 1.0, secs(n as i64)).unwrap();
                }
                _ => { let from = processes[(p + 1) % 3].evidence().clone(); processes[p].merge(&from).unwrap(); }
            }
            copies.push(processes[p].evidence().clone());
        }
        let join = |of: &[&Evidence]| { let mut all = Evidence::default(); of.iter().for_each(|e| all.merge(e)); all };
        let (a, b, c) = (processes[0].evidence(), processes[1].evidence(), processes[2].evidence());
        let bc = join(&[b, c]);
        let ab = join(&[a, b]);
        prop_assert_eq!(join(&[a, &bc]), join(&[&ab, c]));
        prop_assert_eq!(join(&[a, b]), join(&[b, a]));
        prop_assert_eq!(join(&[a, b, c, a, &bc, b]), join(&[c, b, a]));
        // Old copies that come late change nothing.
        let mut late = join(&[a, b, c]);
        copies.iter().for_each(|copy| late.merge(copy));
        prop_assert_eq!(&late, &join(&[a, b, c]));
        let text = serde_json::to_string(&late).unwrap();
        prop_assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), late);
    }

    /// Rewards in any order, twice, and late choices: the sums are those of a list that is added up at the end.
    #[test]
    fn evidence_is_what_a_list_adds_up_to(choices in prop::collection::vec((0i64..50, prop::option::of(0i64..20)), 1..25), half in 1u32..100) {
        let half_life = Span::secs(half);
        let params = BanditParams { half_life: Some(half_life), wait: Span::secs(10), ..BanditParams::default() };
        let mut bandit = bandit(params, &["a", "b"]);
        let mut choices: Vec<_> = choices.into_iter().collect();
        choices.sort_unstable();
        let mut list = Vec::new();
        let mut rewards = Vec::new();
        for (n, (at, after)) in choices.iter().enumerate() {
            let choice = bandit.choose(&ask(&n.to_string(), &ContentContext::default(), *at, 1)).unwrap();
            list.push((choice.arm.clone(), *at, after.is_some_and(|after| after <= 10)));
            if let Some(after) = after { rewards.push((at + after, choice.id.clone(), *after <= 10)); }
        }
        rewards.sort_unstable();
        rewards.reverse();
        for (at, id, in_time) in rewards {
            // A choice is forgotten only when a later one sees it is too old.
            let first = bandit.reward(&id, 1.0, secs(at)).unwrap();
            let fine = first == Rewarded::TooLate || in_time && first == Rewarded::Counted;
            prop_assert!(fine, "{first:?}");
            if first == Rewarded::Counted {
                prop_assert_eq!(bandit.reward(&id, 0.5, secs(at)).unwrap(), Rewarded::Duplicate);
            } else {
                let number = id.number as usize;
                list[number].2 = false;
            }
        }
        for arm in ["a", "b"] {
            let seen = bandit.evidence().of(arm, secs(60), Some(half_life));
            let mine = || list.iter().filter(|(a, ..)| a == arm);
            let weigh = |at: i64| 0.5f64.powf((60 - at) as f64 / f64::from(half));
            prop_assert_eq!(seen.shown, mine().count() as u64);
            prop_assert!((seen.weight - mine().map(|(_, at, _)| weigh(*at)).sum::<f64>()).abs() < 1e-9);
            prop_assert!((seen.reward - mine().filter(|c| c.2).map(|(_, at, _)| weigh(*at)).sum::<f64>()).abs() < 1e-9);
        }
    }
}

#[test]
fn the_same_question_has_the_same_answer_after_a_restart() {
    for policy in POLICIES {
        let mut bandit = taught(policy, 2, 80);
        let text = serde_json::to_string(bandit.evidence()).unwrap();
        let params = BanditParams { policy, features: features(), ..BanditParams::default() };
        let evidence = serde_json::from_str(&text).unwrap();
        let mut back = Bandit::new(params.check().unwrap(), arms(&["a", "b", "c"]), "p", evidence).unwrap();
        let context = context(&mut Draw(1));
        assert_eq!(
            bandit.choose(&ask("r", &context, 90, 4)).unwrap(),
            back.choose(&ask("r", &context, 90, 4)).unwrap()
        );
    }
}

#[test]
fn arms_come_and_go() {
    let mut bandit = taught(Policy::ThompsonBeta, 1, 200);
    let context = ContentContext::default();
    let before = bandit.evidence().of("c", secs(200), None);
    let mut pending = None;
    for n in 0..50 {
        let choice = bandit.choose(&ask(&format!("x{n}"), &context, 200, 1)).unwrap();
        if choice.arm == "c" {
            pending = Some(choice);
        }
    }
    let pending = pending.unwrap();
    bandit.set_arms(arms(&["a", "new"])).unwrap();
    let choice = bandit.choose(&ask("y", &context, 201, 1)).unwrap();
    assert!(choice.among.iter().map(|(arm, _)| arm.as_str()).eq(["a", "new"]));
    assert!(choice.among[1].1 > 0.5, "what nobody has seen may be better than .2: {choice:?}");
    // The reward of an arm that left still counts, and it comes back as it was.
    assert_eq!(bandit.reward(&pending.id, 1.0, secs(202)).unwrap(), Rewarded::Counted);
    bandit.set_arms(arms(&["a", "c"])).unwrap();
    let after = bandit.evidence().of("c", secs(202), None);
    assert!(after.shown > before.shown && after.reward >= before.reward + 1.0);
    assert_eq!(bandit.set_arms(arms(&["a", "a"])), Err(BanditError::ArmName { id: "a".into() }));
    assert_eq!(bandit.set_arms(arms(&[""])), Err(BanditError::ArmName { id: String::new() }));
    assert_eq!(bandit.arms().len(), 2);
    bandit.set_arms(vec![]).unwrap();
    assert_eq!(bandit.choose(&ask("z", &context, 203, 1)), Err(BanditError::NoneEligible { arms: 0 }));
}

#[test]
fn rewards_find_their_choice_or_say_why_not() {
    let params = BanditParams { wait: Span::secs(10), ..BanditParams::default() };
    let mut bandit = bandit(params.clone(), &["a", "b"]);
    let context = ContentContext::default();
    let choice = bandit.choose(&ask("r", &context, 0, 1)).unwrap();
    let id = |process: &str, number| ChoiceId { process: process.into(), number };
    let mut tell = |id: &ChoiceId, reward, at| bandit.reward(id, reward, secs(at));
    assert_eq!(tell(&id("p", 1), 1.0, 1), Ok(Rewarded::Unknown));
    assert_eq!(tell(&id("q", 0), 1.0, 1), Ok(Rewarded::Unknown));
    assert!(matches!(tell(&choice.id, 1.5, 1), Err(BanditError::Reward { .. })));
    assert!(matches!(tell(&choice.id, f64::NAN, 1), Err(BanditError::Reward { .. })));
    assert!(matches!(tell(&choice.id, -1.0, 1), Err(BanditError::Reward { .. })));
    assert_eq!(tell(&choice.id, 1.0, 1), Ok(Rewarded::Counted));
    assert_eq!(tell(&choice.id, 1.0, 2), Ok(Rewarded::Duplicate));
    assert_eq!(tell(&choice.id, 1.0, 11), Ok(Rewarded::TooLate));
    // The last moment counts, also when another choice is made in it.
    let late = bandit.choose(&ask("late", &context, 20, 1)).unwrap();
    let _ = bandit.choose(&ask("another", &context, 30, 1)).unwrap();
    assert_eq!(bandit.reward(&late.id, 1.0, secs(30)), Ok(Rewarded::Counted));
    let mut other = Bandit::new(params.check().unwrap(), arms(&["a", "b"]), "q", bandit.evidence().clone()).unwrap();
    assert_eq!(other.reward(&choice.id, 1.0, secs(3)), Ok(Rewarded::Elsewhere));
    assert_eq!(other.evidence(), bandit.evidence(), "nothing of that was counted");
    // Revenue may be negative where rewards are any numbers.
    let normal = BanditParams { policy: Policy::ThompsonNormal { deviation: 10.0 }, ..BanditParams::default() };
    let mut shop = self::bandit(normal, &["a"]);
    let choice = shop.choose(&ask("r", &context, 0, 1)).unwrap();
    assert_eq!(shop.reward(&choice.id, -25.0, secs(1)), Ok(Rewarded::Counted));
    assert!(shop.beliefs(&context, secs(1))[0].0 < 0.0);
}

#[test]
fn recipes_and_evidence_that_do_not_fit_are_refused() {
    let refused = |params: BanditParams| params.check().unwrap_err().param;
    let base = BanditParams::default;
    assert_eq!(refused(BanditParams { policy: Policy::EpsilonGreedy { epsilon: 1.5 }, ..base() }), "policy.epsilon");
    assert_eq!(refused(BanditParams { policy: Policy::LinThompson { noise: 0.0 }, ..base() }), "policy.noise");
    let endless = Policy::LinUcb { width: 1.0, noise: f64::INFINITY };
    assert_eq!(refused(BanditParams { policy: endless, ..base() }), "policy.noise");
    assert_eq!(refused(BanditParams { spread: 0.0, ..base() }), "spread");
    assert_eq!(refused(BanditParams { prior: Prior { mean: 1.0, weight: 1.0 }, ..base() }), "prior.mean");
    assert_eq!(refused(BanditParams { prior: Prior { mean: 0.5, weight: f64::NAN }, ..base() }), "prior.weight");
    assert_eq!(refused(BanditParams { explore: -0.1, ..base() }), "explore");
    assert_eq!(refused(BanditParams { half_life: Some(Span::ZERO), ..base() }), "half_life");
    let twice = Features { devices: vec!["x".into(), "x".into()], ..Features::default() };
    assert_eq!(refused(BanditParams { features: twice, ..base() }), "devices");
    let linear = taught(Policy::LinUcb { width: 1.5, noise: 0.5 }, 1, 10);
    let other = BanditParams { policy: Policy::LinUcb { width: 1.5, noise: 0.5 }, ..base() }.check().unwrap();
    let made = Bandit::new(other, arms(&["a"]), "p", linear.evidence().clone());
    assert!(matches!(made, Err(BanditError::Features { expected: 1, .. })));
    let nameless = Bandit::new(base().check().unwrap(), arms(&["a"]), "", Evidence::default());
    assert_eq!(nameless.err(), Some(BanditError::Process));
    let sure = Arm { prior: Some(Prior { mean: 0.0, weight: 1.0 }), ..Arm::new("a") };
    assert!(matches!(
        Bandit::new(base().check().unwrap(), vec![sure], "p", Evidence::default()),
        Err(BanditError::Prior { .. })
    ));
    let slot = [Slot { id: "s".into(), attention: 1.5 }];
    assert_eq!(plan_page(&slot, &[], &PageParams::default().check().unwrap()).unwrap_err().what, "the attention");
    let module = |value| Module { id: "m".into(), topic: String::new(), body: Body::Banner(value), fresh: 1.0 };
    for bad in [f64::NAN, -1.0] {
        assert!(plan_page(&[], &[module(bad)], &PageParams::default().check().unwrap()).is_err());
    }
}
