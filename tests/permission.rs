//! Sweeps ask the log, not the dataset: who withdrew, was erased or was never met is not looked at.

use likewise::decide::Permissions;
use likewise::decide::segment::*;
use likewise::decide::trigger::*;
use likewise::log::{Durability, EventLog, MemoryLog};
use likewise::*;
use proptest::prelude::*;

fn hour(h: i64) -> Timestamp {
    Timestamp::from_secs(1_323_691_200 + h * 3_600)
}

fn cart(user: &str, basis: LawfulBasis) -> Event<'_> {
    Event::new(Shopper::Profiled(Consented::new(user, basis)), "mug", EventKind::AddToCart, hour(0))
}

const BASIS: LawfulBasis = LawfulBasis::Contract;

/// The same carts in a dataset that hears of nothing later, and in a log.
fn shop(users: &[&str]) -> (Dataset, MemoryLog) {
    let (mut builder, log) = (DatasetBuilder::default(), MemoryLog::default());
    for user in users {
        builder.push(&cart(user, BASIS)).unwrap();
        log.append(&[cart(user, BASIS)], hour(0), Durability::Memory).unwrap();
    }
    (builder.build().unwrap(), log)
}

fn triggers() -> Checked<TriggerParams> {
    let rule = TriggerRule::new("cart", When::CartAbandoned(CartAbandoned::default()));
    TriggerParams { rules: vec![rule], quiet: None, ..TriggerParams::default() }.check().unwrap()
}

fn fired(data: &Dataset, permissions: &Permissions, state: &mut TriggerState, now: Timestamp) -> Vec<String> {
    let (shelf, params) = (Shelf::bare(data), triggers());
    let bound = Bound::new(&params, Facts::new(data, &shelf)).unwrap();
    let sweep = bound.sweep(&permissions.asked(), state, now, &Run::new(1)).unwrap();
    assert!(sweep.looked_at <= sweep.permitted && sweep.permitted <= permissions.len());
    sweep.firings.into_iter().map(|firing| firing.shopper).collect()
}

#[test]
fn who_withdrew_or_was_erased_is_not_looked_at() {
    let (data, log) = shop(&["ann", "bob", "cy", "dee"]);
    log.restrict("bob").unwrap();
    log.erase("cy").unwrap();
    let permissions = Permissions::of(&log).unwrap();
    let mut state = TriggerState::default();
    assert_eq!(fired(&data, &permissions, &mut state, hour(2)), ["ann", "dee"]);
    assert_eq!((state.fired_to("bob"), state.fired_to("cy")), (0, 0));

    let shelf = Shelf::bare(&data);
    let names = |users: &[UserIdx]| users.iter().map(|user| data.user_key(*user).to_owned()).collect::<Vec<_>>();
    let rules = [SegmentRule::new("all", Condition::Everyone)];
    let segments = Segments::new(&rules, &data, &shelf).unwrap();
    assert_eq!(segments.sweep(hour(2), &Run::new(1)).unwrap()[0].1.len(), 4, "the dataset has heard of nothing");
    let permitted = segments.permitted(&permissions).sweep(hour(2), &Run::new(1)).unwrap();
    assert_eq!(names(&permitted[0].1), ["ann", "dee"]);

    let popular = PopularityParams::default().check().unwrap().fit(&(&data).into(), &Run::new(1)).unwrap();
    let among = permissions.among(&data);
    let asking = Asking { scorer: &popular, data: &data, shelf: &shelf, now: hour(2), among: Some(&among), n: 9 };
    let wanting = asking.for_item(data.item("mug").unwrap(), &Run::new(1)).unwrap();
    assert_eq!(names(&wanting.iter().map(|w| w.0).collect::<Vec<_>>()), ["ann", "dee"]);
    let at = [1.0f32, 2.0];
    let points = Points::new(&data, |user| among(user).then_some(&at[..]));
    assert_eq!(
        names(&points.lookalikes(&[data.user("ann").unwrap()], 9)[..].iter().map(|p| p.0).collect::<Vec<_>>()),
        ["dee"]
    );

    // Lifted: looked at again, and what had fired does not fire twice.
    assert!(permissions.is_current(&log).unwrap());
    log.lift("bob").unwrap();
    assert!(!permissions.is_current(&log).unwrap());
    let permissions = Permissions::of(&log).unwrap();
    assert_eq!(fired(&data, &permissions, &mut state, hour(3)), ["bob"]);
    // Restricted again, with the state kept; erased, without.
    log.restrict("bob").unwrap();
    log.erase("dee").unwrap();
    let permissions = Permissions::of(&log).unwrap();
    assert_eq!(fired(&data, &permissions, &mut state, hour(4)), Vec::<String>::new());
    state.retain(|user| permissions.holds(user));
    assert_eq!(["ann", "bob", "dee"].map(|user| state.fired_to(user)), [1, 1, 0]);
    assert!(!serde_json::to_string(&state).unwrap().contains("\"dee\""));
    log.lift("bob").unwrap();
    assert_eq!(fired(&data, &Permissions::of(&log).unwrap(), &mut state, hour(5)), Vec::<String>::new());
}

#[test]
fn the_latest_basis_counts_and_merged_identities_are_the_accounts() {
    let log = MemoryLog::default();
    let append = |event| _ = log.append(&[event], hour(0), Durability::Memory).unwrap();
    append(cart("ann", LawfulBasis::Consent));
    append(cart("ann", LawfulBasis::Contract));
    append(cart("old", LawfulBasis::Consent));
    append(Event::new(Shopper::Anonymous { session: "visit" }, "mug", EventKind::View, hour(0)));
    let merge = |from: &str| {
        let from = Shopper::Profiled(Consented::new(from, LawfulBasis::Consent));
        log.merge(from, Consented::new("new", LawfulBasis::LegitimateInterest)).unwrap();
    };
    merge("old");
    let permissions = Permissions::of(&log).unwrap();
    assert_eq!(permissions.basis("ann"), Some(LawfulBasis::Contract));
    assert_eq!(permissions.basis("new"), Some(LawfulBasis::LegitimateInterest));
    for stranger in ["old", "visit", "nobody", ""] {
        assert_eq!(permissions.basis(stranger), None, "{stranger}");
    }
    // The only identity behind the account withdraws: the account has nothing that may be used.
    log.restrict("old").unwrap();
    let permissions = Permissions::of(&log).unwrap();
    assert_eq!((permissions.basis("new"), permissions.holds("new"), permissions.len()), (None, true, 1));
    let empty = Permissions::of(&MemoryLog::default()).unwrap();
    assert!(empty.is_empty() && !empty.holds("ann"));
}

#[test]
fn a_running_shop_says_it_before_its_refresh() {
    let popular = PopularityParams::default().check().unwrap();
    let config = LiveConfig::new(Lineup::new().model(popular, 1.0, Refit::EveryRefresh));
    let shop = Live::open(MemoryLog::default(), config, hour(0), &Run::new(1)).unwrap();
    shop.record(&["ann", "bob", "eve"].map(|user| cart(user, BASIS)), hour(0), Durability::Disk).unwrap();
    shop.refresh(hour(1), &Run::new(1)).unwrap();
    shop.withdraw("bob").unwrap();
    shop.forget("eve").unwrap();
    let snapshot = shop.recommender().snapshot();
    assert!(snapshot.dataset().user("bob").is_some() && snapshot.dataset().user("eve").is_some(), "not refreshed yet");
    let permissions = Permissions::of(shop.log()).unwrap();
    assert_eq!(fired(snapshot.dataset(), &permissions, &mut TriggerState::default(), hour(2)), ["ann"]);
    shop.reinstate(Consented::new("bob", BASIS)).unwrap();
    let permissions = Permissions::of(shop.log()).unwrap();
    assert_eq!(fired(snapshot.dataset(), &permissions, &mut TriggerState::default(), hour(2)), ["ann", "bob"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever happens to whom, a sweep writes to exactly those whose last word was not "no", and who are still there.
    #[test]
    fn sweeps_follow_the_log(steps in prop::collection::vec((0usize..4, 0usize..5), 0..14)) {
        const USERS: [&str; 4] = ["ann", "bob", "cy", "dee"];
        let (data, log) = shop(&USERS);
        let (mut restricted, mut there) = ([false; 4], [true; 4]);
        for (user, step) in steps {
            let id = USERS[user];
            match step {
                0 | 1 => { log.restrict(id).unwrap(); restricted[user] = true; }
                2 | 3 => { log.lift(id).unwrap(); restricted[user] = false; }
                _ => { log.erase(id).unwrap(); (there[user], restricted[user]) = (false, log.merges().unwrap().is_restricted(cart(id, BASIS).shopper)); }
            }
            let permissions = Permissions::of(&log).unwrap();
            let expected: Vec<&str> = (0..4).filter(|&u| there[u] && !restricted[u]).map(|u| USERS[u]).collect();
            prop_assert_eq!(fired(&data, &permissions, &mut TriggerState::default(), hour(2)), expected);
            prop_assert!((0..4).all(|u| permissions.holds(USERS[u]) == there[u]));
        }
    }
}
