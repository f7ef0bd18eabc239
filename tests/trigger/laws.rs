//! What holds for any shop: incremental sweeps are full ones, nothing fires twice, caps and nights hold; and bad input.

use std::collections::BTreeSet;
use std::sync::Arc;

use likewise::decide::trigger::*;
use likewise::*;
use proptest::prelude::*;

use super::script::{catalog, params, time};

const USERS: [&str; 3] = ["ann", "bob", "eve"];
const ITEMS: [&str; 6] = ["mug", "cup", "pan", "saw", "vase", "unlisted"];
const KINDS: [EventKind; 5] =
    [EventKind::View, EventKind::AddToCart, EventKind::RemoveFromCart, EventKind::Purchase, EventKind::Return];

/// A shop over forty days: events with the hour they happened and how late they arrived; changes of price and stock.
#[derive(Clone, Debug)]
struct Story {
    events: Vec<(usize, usize, usize, u32, u32)>,
    changes: Vec<(usize, bool, u32, u32)>,
    looks: Vec<u32>,
    setting: &'static str,
}

const ALL: &str = "cart browse linger onsite hesitate price stock refill back post new";
const CAPPED: &str = "cart bought=12 rest=1 browse rest=2 hesitate price stock refill rest=3 post new cap quiet \
                      zone=Europe/London back";

fn story() -> impl Strategy<Value = Story> {
    let hours = 40 * 24u32;
    let late = prop_oneof![4 => Just(0u32), 1 => 1u32..100];
    let event = (0..USERS.len(), 0..ITEMS.len(), 0..KINDS.len(), 0..hours, late);
    let change = (0..4usize, any::<bool>(), 0..hours, 0..12u32);
    let looks = prop::collection::vec(0..hours + 200, 1..9);
    (
        prop::collection::vec(event, 0..40),
        prop::collection::vec(change, 0..5),
        looks,
        prop::sample::select(vec![ALL, CAPPED]),
    )
        .prop_map(|(events, mut changes, mut looks, setting)| {
            looks.sort_unstable();
            changes.sort_by_key(|change| change.2);
            Story { events, changes, looks, setting }
        })
}

fn hour(h: u32) -> Timestamp {
    time("0").plus(Span::hours(h))
}

impl Story {
    /// What is known at hour `now`.
    fn known(&self, now: u32) -> (Dataset, Shelf, Vec<CatalogNews>) {
        let mut builder = DatasetBuilder::default().as_of(hour(now));
        builder.items(ITEMS).unwrap();
        for &(user, item, kind, at, _) in self.events.iter().filter(|e| e.3 + e.4 <= now) {
            let who = Shopper::Profiled(Consented::new(USERS[user], LawfulBasis::Consent));
            builder.push(&Event::new(who, ITEMS[item], KINDS[kind], hour(at))).unwrap();
        }
        let data = builder.build().unwrap();
        let (mut catalog, mut news) = (catalog(), Vec::new());
        for &(item, price, at, value) in self.changes.iter().filter(|change| change.2 <= now) {
            let change = match price {
                true => CatalogChange::price(ITEMS[item], f64::from(value)),
                false => CatalogChange::stock(ITEMS[item], value.saturating_sub(6)),
            };
            let next = catalog.update([change]).unwrap().0;
            news.extend(CatalogNews::between(&catalog, &next, hour(at)));
            catalog = next;
        }
        let shelf = Shelf::new(&data, Arc::new(catalog));
        (data, shelf, news)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn incremental_sweeps_are_full_sweeps(story in story()) {
        let params = params(story.setting).check().unwrap();
        let (mut state, mut full, mut alone) = (TriggerState::default(), TriggerState::default(), TriggerState::default());
        let mut met = BTreeSet::new();
        let mut sends: Vec<(String, Timestamp)> = Vec::new();
        let agreed = |user: &str| (user != "eve").then_some(LawfulBasis::Consent);
        let usual = |_: ItemIdx| Some(Span::days(9));
        for &now in &story.looks {
            let (data, shelf, news) = story.known(now);
            let now = hour(now);
            let facts = Facts::new(&data, &shelf).news(&news).usual(&usual);
            let bound = Bound::new(&params, facts).unwrap();
            let swept = bound.sweep(&agreed, &mut state, now, &Run::new(1)).unwrap();
            full.look_again();
            let serial = Run::new(2).threads(Parallelism::Serial);
            let whole = bound.sweep(&agreed, &mut full, now, &serial).unwrap();
            prop_assert_eq!(&swept.firings, &whole.firings);
            prop_assert!(swept.looked_at <= whole.looked_at && whole.looked_at == whole.permitted);
            let mut one_by_one = Vec::new();
            for user in data.users().map(|user| data.user_key(user).to_owned()).filter(|user| user != "eve") {
                one_by_one.extend(bound.evaluate(Consented::new(&user, LawfulBasis::Consent), &[], &mut alone, now).fired);
            }
            prop_assert_eq!(&one_by_one, &whole.firings);
            state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
            for firing in &swept.firings {
                prop_assert!(firing.shopper != "eve");
                for id in &firing.covers {
                    prop_assert!(met.insert((firing.shopper.clone(), *id)), "twice: {:?}", firing);
                }
                prop_assert!(firing.covers.contains(&firing.id));
                if let Some(quiet) = params.quiet {
                    prop_assert!(!quiet.covers(&params.zone, firing.send_at));
                }
                sends.push((firing.shopper.clone(), firing.send_at));
            }
        }
        if let Some(cap) = params.cap {
            for (who, at) in &sends {
                let near = sends.iter().filter(|(w, s)| w == who && s >= at && s.since(*at) < cap.within).count();
                prop_assert!(near <= cap.messages as usize, "{} messages to {}", near, who);
            }
        }
    }

    /// The twin walks minute by minute.
    #[test]
    fn nights_end_when_a_minute_by_minute_walk_says(from in 0u16..1440, until in 0u16..1440, minute in 0u32..12_000, zone in 0usize..4) {
        let zone = Zone::named(["Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"][zone]).unwrap();
        let night = QuietHours { from, until };
        let start = time("3").plus(Span::minutes(minute)); // around the change of European clocks
        let slow = (0..3000).map(|m| start.plus(Span::minutes(m))).find(|at| !night.covers(&zone, *at));
        prop_assert_eq!(Some(night.end(&zone, start)), slow);
    }
}

/// Local time against the tz database's own arithmetic.
#[test]
fn zones_know_their_clocks() {
    let london = Zone::named("Europe/London").unwrap();
    assert_eq!(london.hour_of_week(time("6:00:59")), 6 * 24);
    assert_eq!(london.hour_of_week(time("6:01")), 6 * 24 + 2); // one o'clock is skipped
    assert_eq!(london.minute_of_day(time("216:00:30")), 90);
    assert_eq!(london.minute_of_day(time("216:01:30")), 90); // half past one twice
    let howe = Zone::named("Australia/Lord_Howe").unwrap(); // half an hour of daylight saving
    assert_eq!(howe.minute_of_day(time("0:00")), 11 * 60);
    assert_eq!(howe.minute_of_day(time("100:00")), 10 * 60 + 30);
    assert_eq!(Zone::named("+05:30").unwrap().minute_of_day(time("0")), 330);
    assert_eq!(Zone::fixed(-90).unwrap().name(), "-01:30");
    assert_eq!(Zone::fixed(19 * 60), None);
    for bad in ["Mars/Olympus", "+1:00", "+25:00", "+01:75", "", "+-1:00"] {
        assert!(Zone::named(bad).unwrap_err().to_string().contains("expected UTC"), "{bad}");
    }
    assert_eq!(Zone::default().hour_of_week(Timestamp::from_secs(0)), 3 * 24); // a Thursday
    let text = serde_json::to_string(&london).unwrap();
    assert_eq!(serde_json::from_str::<Zone>(&text).unwrap(), london);
}

#[test]
fn every_parameter_keeps_its_table() {
    use likewise::testing::check_params;
    check_params::<TriggerParams>().unwrap();
    check_params::<TriggerRule>().unwrap();
    check_params::<QuietHours>().unwrap();
    check_params::<ActivityParams>().unwrap();
    check_params::<CartAbandoned>().unwrap();
    check_params::<BrowseAbandoned>().unwrap();
    check_params::<Lingering>().unwrap();
    check_params::<Hesitation>().unwrap();
    check_params::<PriceDropped>().unwrap();
    check_params::<BackInStock>().unwrap();
    check_params::<ReplenishmentDue>().unwrap();
    check_params::<WinBack>().unwrap();
    check_params::<PostPurchase>().unwrap();
    check_params::<NewArrival>().unwrap();
    let twice = TriggerParams { rules: vec![TriggerRule::default(), TriggerRule::default()], ..Default::default() };
    assert_eq!(twice.validate().unwrap_err().param, "rules[1].name");
    let nan = When::CartAbandoned(CartAbandoned { worth: f64::NAN, ..Default::default() });
    let nan = TriggerParams { rules: vec![TriggerRule::new("c", nan)], ..Default::default() };
    assert_eq!(nan.validate().unwrap_err().param, "rules[0].when.cart_abandoned.worth");
    let cap = Some(FrequencyCap { messages: 0, within: Span::days(1) });
    assert_eq!(TriggerParams { cap, ..Default::default() }.validate().unwrap_err().param, "cap.messages");
}

#[test]
fn bad_input() {
    // No data at all, attributes that are not there or of another kind.
    let data = DatasetBuilder::default().build().unwrap();
    let bare = Shelf::bare(&data);
    let all = params(ALL).check().unwrap();
    let error = Bound::new(&all, Facts::new(&data, &bare)).unwrap_err();
    assert_eq!(error, TriggerError::NoAttribute { rule: "hesitate".into(), attribute: "category".into() });
    let titled = Hesitation { attribute: "title".into(), ..Default::default() };
    let rules = vec![TriggerRule::new("h", When::Hesitation(titled))];
    let wrong = TriggerParams { rules, ..Default::default() }.check().unwrap();
    let shelf = Shelf::new(&data, Arc::new(catalog()));
    assert!(matches!(Bound::new(&wrong, Facts::new(&data, &shelf)).unwrap_err(), TriggerError::WrongKind { .. }));

    let bound = Bound::new(&all, Facts::new(&data, &shelf)).unwrap();
    let mut state = TriggerState::default();
    let nobody = Consented::new("nobody", LawfulBasis::Consent);
    assert_eq!(bound.evaluate(nobody, &[], &mut state, time("1")), Decision::default());
    assert_eq!(state, TriggerState::default());
    let swept = bound.sweep(&|_| Some(LawfulBasis::Consent), &mut state, time("1"), &Run::new(1)).unwrap();
    assert_eq!((swept.permitted, swept.looked_at, swept.firings.len()), (0, 0, 0));

    // A stranger with a session: what is fresh counts, unknown items do not, and the state remembers.
    let fresh = [
        SessionEvent::new("mug", EventKind::AddToCart, time("0:12")),
        SessionEvent::new("?", EventKind::View, time("0:12")),
    ];
    let decision = bound.evaluate(nobody, &fresh, &mut state, time("0:14"));
    assert_eq!(decision.fired.len(), 1);
    assert_eq!(decision.fired[0].items, ["mug"]);
    assert!(state.has_fired("nobody", decision.fired[0].id) && state.fired_to("nobody") == 1);
    assert!(bound.evaluate(nobody, &fresh, &mut state, time("0:15")).fired.is_empty());
    let out = [fresh[0], SessionEvent::new("mug", EventKind::Purchase, time("0:14"))];
    assert!(bound.still_holds(&decision.fired[0], nobody, &fresh, time("0:15")));
    assert!(!bound.still_holds(&decision.fired[0], nobody, &out, time("0:15")));
    state.merge("nobody", "ann");
    assert!(state.has_fired("ann", decision.fired[0].id) && state.fired_to("nobody") == 0);
    state.forget("ann");
    assert!(state.fired_to("ann") == 0 && state.swept().is_none());
    assert!(serde_json::from_str::<TriggerId>("\"12\"").unwrap_err().to_string().contains("32 hexadecimal"));

    // An unknown zone is the default one; extreme times end quietly.
    let quiet = params("cart quiet zone=+03:00").check().unwrap();
    let unknown = |_: &str| None;
    let bound = Bound::new(&quiet, Facts::new(&data, &shelf).zones(&unknown)).unwrap();
    let late = [SessionEvent::new("mug", EventKind::AddToCart, time("0:17"))];
    let decision = bound.evaluate(nobody, &late, &mut TriggerState::default(), time("0:18:30"));
    assert_eq!(decision.held[0].why, Hold::Quiet);
    assert_eq!(decision.next, Some(time("1:05")));
    for at in [Timestamp::MIN, Timestamp::MAX] {
        bound.evaluate(nobody, &late, &mut TriggerState::default(), at);
    }
}

#[test]
fn cancelling_changes_nothing() {
    let params = params("cart").check().unwrap();
    let mut builder = DatasetBuilder::default();
    let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
    builder.push(&Event::new(ann, "mug", EventKind::AddToCart, time("0"))).unwrap();
    let data = builder.build().unwrap();
    let shelf = Shelf::bare(&data);
    let bound = Bound::new(&params, Facts::new(&data, &shelf)).unwrap();
    let (stop, mut state) = (std::sync::atomic::AtomicBool::new(true), TriggerState::default());
    let run = Run::new(1).cancel(&stop);
    assert!(bound.sweep(&|_| Some(LawfulBasis::Consent), &mut state, time("1"), &run).is_err());
    assert_eq!(state, TriggerState::default());
}

/// Two profiles of one person: the later of two firings rests, and what either sent counts for the cap.
#[test]
fn what_two_profiles_were_sent_is_one_persons() {
    let params = params("cart rest=2").check().unwrap();
    let data = DatasetBuilder::default().build().unwrap();
    let shelf = Shelf::new(&data, Arc::new(catalog()));
    let bound = Bound::new(&params, Facts::new(&data, &shelf)).unwrap();
    let who = |user| Consented::new(user, LawfulBasis::Consent);
    let cart = |item, at| [SessionEvent::new(item, EventKind::AddToCart, time(at))];
    for (from, into) in [("early", "late"), ("late", "early")] {
        let mut state = TriggerState::default();
        assert_eq!(bound.evaluate(who("early"), &cart("mug", "0:12"), &mut state, time("0:14")).fired.len(), 1);
        assert_eq!(bound.evaluate(who("late"), &cart("cup", "1:12"), &mut state, time("1:14")).fired.len(), 1);
        state.merge(from, into);
        let held = |state: &mut TriggerState, at| bound.evaluate(who(into), &cart("saw", "2:12"), state, time(at)).held;
        assert_eq!(held(&mut state, "2:14").first().map(|held| held.why), Some(Hold::Cooldown), "{from} into {into}");
        assert!(held(&mut state, "3:14").is_empty());
    }
}

/// A message that goes out in days leaves room for one today.
#[test]
fn the_cap_counts_what_is_near() {
    let mut builder = DatasetBuilder::default();
    let ann = Consented::new("ann", LawfulBasis::Consent);
    let event = |item, kind, at: &str| Event::new(Shopper::Profiled(ann), item, kind, time(at));
    // At home on Fridays at noon, in the weeks before.
    for at in ["4:12", "11:12", "18:12", "25:12"] {
        builder.push(&event("mug", EventKind::View, at)).unwrap();
    }
    for item in ["mug", "cup", "pan"] {
        builder.push(&event(item, EventKind::View, "28:09")).unwrap(); // a Monday
    }
    let data = builder.build().unwrap();
    let shelf = Shelf::new(&data, Arc::new(catalog()));
    let activity = ActivityParams::default().check().unwrap();
    let activity = Activity::fit(&activity, &data, &|_| Zone::utc(), &|_| None, time("28:13"), &Run::new(1)).unwrap();
    for (within, expected) in [(Span::days(1), None), (Span::days(5), Some(Hold::Cap))] {
        let mut params = params("browse cart");
        params.rules[0].send = SendTime::BestMoment { within: Span::days(6) };
        params.cap = Some(FrequencyCap { messages: 1, within });
        let params = params.check().unwrap();
        let bound = Bound::new(&params, Facts::new(&data, &shelf).activity(&activity)).unwrap();
        let mut state = TriggerState::default();
        let first = bound.evaluate(ann, &[], &mut state, time("28:14"));
        assert_eq!(first.fired[0].send_at, time("32:12"), "the Friday");
        let cart = [SessionEvent::new("saw", EventKind::AddToCart, time("28:15"))];
        let second = bound.evaluate(ann, &cart, &mut state, time("28:17"));
        assert_eq!(second.fired.len(), usize::from(expected.is_none()), "{within:?}");
        assert_eq!(second.held.iter().find(|held| held.trigger == "cart").map(|held| held.why), expected);
    }
}

/// The hours of a week by hand: one shopper of a segment, a prior of one hour each, nothing spread.
#[test]
fn the_best_moment() {
    let mut builder = DatasetBuilder::default();
    for (user, at) in [("ann", "0:19"), ("ann", "7:19"), ("ann", "14:19:30"), ("bob", "1:07"), ("eve", "2:22")] {
        let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Consent));
        for item in ["mug", "cup"] {
            builder.push(&Event::new(who, item, EventKind::View, time(at))).unwrap(); // an hour counts once
        }
    }
    let data = builder.build().unwrap();
    let params = ActivityParams { spread: 0.0, to_group: 1.0, to_all: 2.0, ..Default::default() }.check().unwrap();
    let group = |user: UserIdx| (data.user_key(user) != "eve").then_some(0);
    let now = time("15");
    let fit = |run: &Run<'_>| Activity::fit(&params, &data, &|_| Zone::utc(), &group, now, run).unwrap();
    let activity = fit(&Run::new(1));
    assert_eq!(activity, fit(&Run::new(1).threads(Parallelism::Serial)));
    let all = |h: usize| {
        let counts = if h == 19 {
            3.0
        } else if h == 24 + 7 || h == 48 + 22 {
            1.0
        } else {
            0.0
        };
        (counts + 1.0 / 168.0) / 6.0
    };
    assert!((activity.everybody()[19] - all(19)).abs() < 1e-12);
    let of_group = |h: usize| {
        (if h == 19 {
            3.0
        } else if h == 24 + 7 {
            1.0
        } else {
            0.0
        } + 2.0 * all(h))
            / 6.0
    };
    let week = |user: &str| {
        let user = data.user(user);
        let events: Vec<EventRef> = user.into_iter().flat_map(|user| data.events_of(user).iter()).collect();
        activity.week(&events, user, &Zone::utc())
    };
    let ann = week("ann");
    assert!((ann[19] - (3.0 + of_group(19)) / 4.0).abs() < 1e-12);
    assert!((week("bob")[19] - of_group(19) / 2.0).abs() < 1e-12);
    assert!((week("eve")[48 + 22] - (1.0 + all(48 + 22)) / 2.0).abs() < 1e-12);
    for user in ["ann", "bob", "eve", "nobody"] {
        assert!((week(user).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
    let user = data.user("ann");
    let events: Vec<EventRef> = data.events_of(user.unwrap()).iter().collect();
    let best = |from: &str, until: &str, quiet: Option<&QuietHours>| {
        activity.best_moment(&events, user, &Zone::utc(), quiet, time(from), time(until))
    };
    assert_eq!(best("20:10:20", "27", None), time("21:19"));
    assert_eq!(best("21:19:40", "27", None), time("21:19:40")); // it is the hour
    let night = QuietHours { from: 18 * 60, until: 8 * 60 };
    assert_eq!(best("20:10:20", "22", Some(&night)), time("20:10:20")); // nothing better is allowed
}
