//! Fits read the histories a log permits: who withdrew or was erased is to them as if never seen, and gets no answer.

use std::sync::Arc;

use likewise::decide::predict::*;
use likewise::decide::segment::*;
use likewise::decide::trigger::*;
use likewise::decide::{Histories, Permissions};
use likewise::log::{Durability, EventLog, MemoryLog};
use likewise::*;
use proptest::prelude::*;

const USERS: [&str; 5] = ["ann", "bob", "cy", "dee", "eve"];
const ITEMS: [&str; 3] = ["mug", "cup", "bear"];
const KINDS: [EventKind; 2] = [EventKind::Purchase, EventKind::View];
const END: i64 = 100;

fn day(d: i64) -> Timestamp {
    Timestamp::from_secs(d * 86_400)
}

/// User (the last is an anonymous visit), item, kind, day, price.
type Done = (usize, usize, usize, i64, u8);

fn event(&(user, item, kind, at, price): &Done) -> Event<'static> {
    let who = USERS.get(user).map_or(Shopper::Anonymous { session: "visit" }, |user| {
        Shopper::Profiled(Consented::new(user, LawfulBasis::Contract))
    });
    Event::new(who, ITEMS[item], KINDS[kind], day(at)).value(price.into())
}

/// The shop, all items known from the start so that their numbers are the same whoever is left out.
fn dataset<'d>(done: impl IntoIterator<Item = &'d Done>) -> Dataset {
    let mut builder = DatasetBuilder::default().as_of(day(END));
    for item in 0..ITEMS.len() {
        builder.push(&event(&(USERS.len(), item, 1, 0, 0))).unwrap();
    }
    done.into_iter().for_each(|done| builder.push(&event(done)).unwrap());
    builder.build().unwrap()
}

fn log(done: &[Done]) -> MemoryLog {
    let log = MemoryLog::default();
    done.iter().for_each(|done| _ = log.append(&[event(done)], day(END), Durability::Memory).unwrap());
    log
}

fn shelf(data: &Dataset) -> Shelf {
    let mut builder = CatalogBuilder::default().attribute("category", AttributeKind::Category).unwrap();
    for (item, category) in ITEMS.iter().zip(["home", "home", "toys"]) {
        builder.add(&ItemRecord::new(*item).category("category", category)).unwrap();
    }
    Shelf::new(data, Arc::new(builder.build()))
}

/// Everything that is learned from histories or said of a shopper, by id, to the last digit.
fn learned<'d>(histories: impl Into<Histories<'d>>) -> Vec<String> {
    let (histories, run, now) = (histories.into(), Run::new(1), day(60));
    let (data, mut out) = (histories.dataset(), Vec::new());
    let ids = |users: &[UserIdx]| users.iter().map(|&user| data.user_key(user).to_owned()).collect::<Vec<_>>();

    let rfm = Rfm::fit(&RfmParams::default().check().unwrap(), histories, now, &run).unwrap();
    out.push(format!("{rfm:?}"));
    let group = |user| rfm.score(histories, user).map(|score| score.recency.into());
    let params = ActivityParams::default().check().unwrap();
    let activity = Activity::fit(&params, histories, &|_| Zone::utc(), &group, now, &run).unwrap();
    out.push(format!("{:?}", activity.everybody()));

    let shelf = shelf(data);
    let category = shelf.attribute("category").unwrap();
    let points = Points::affinities(histories, &shelf, category, KindSet::ALL, 1, now);
    let points_again = Points::new(histories, |user| points.of(user));
    assert_eq!(points, points_again);
    let vectors: Vec<_> = points.users().iter().map(|&user| points.of(user)).collect();
    out.push(format!("{:?} {vectors:?}", ids(points.users())));
    let groups = Clusters::fit(&KMeansParams::default().check().unwrap(), &points, &run).unwrap();
    out.push(format!("{:?}", groups.describe(histories, &shelf, category, KindSet::ALL, now, 3)));

    let purchases = PurchaseLog::of(histories, SummaryParams::default().check().unwrap());
    let summaries = purchases.summaries(now);
    out.push(format!("{:?}", summaries.iter().map(|&(c, s)| (purchases.id(c), s)).collect::<Vec<_>>()));
    let of_all: Vec<CustomerSummary> = summaries.iter().map(|row| row.1).collect();
    out.push(format!("{:?}", BgNbd::fit(&BgNbdParams::default().check().unwrap(), &of_all)));

    let days = PurchaseDays::purchases(histories, now);
    let pairs: Vec<_> = days.iter().map(|(user, item, days)| (data.user_key(user), item, days)).collect();
    out.push(format!("{pairs:?}"));
    let refills = Replenishment::fit(&ReplenishmentParams::default().check().unwrap(), &days);
    out.push(format!("{refills:?}"));

    let params = ProfileParams::default().check().unwrap();
    let set = Labelled::new(histories, histories, now, Span::days(30), &params);
    let rows: Vec<_> = set.profiles.rows().collect();
    out.push(format!("{:?} {rows:?} {:?}", ids(set.profiles.users()), set.labels));
    assert_eq!(set.profiles, Profiles::at(histories, now, &params));

    for user in USERS {
        let row = data.user(user).unwrap_or(UserIdx::new(u32::MAX));
        let score = rfm.score(histories, row);
        let week = activity.week(&[], Some(row), &Zone::utc());
        let features = Profiles::of(histories, row, now, &params);
        let due = refills.as_ref().map(|refills| refills.due(&days, row, now)).unwrap_or_default();
        let profile = Profile::of(histories, row, KindSet::ALL, now);
        let vector = points.of(row);
        out.push(format!("{user}: {score:?} {week:?} {features:?} {due:?} {profile:?} {vector:?}"));
    }
    out
}

fn done() -> impl Strategy<Value = Vec<Done>> {
    prop::collection::vec((0..=USERS.len(), 0..ITEMS.len(), 0..KINDS.len(), 1..END, 1..20u8), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Withdrawn or erased since the dataset was built is, to every fit and every answer, never having been there.
    #[test]
    fn not_permitted_is_never_seen(
        done in done(),
        steps in prop::collection::vec((0..USERS.len(), 0..3usize), 0..6),
    ) {
        let (data, log) = (dataset(&done), log(&done));
        let (mut withdrawn, mut erased) = ([false; USERS.len()], [false; USERS.len()]);
        for (user, step) in steps {
            match step {
                0 => { log.restrict(USERS[user]).unwrap(); withdrawn[user] = true; }
                1 => { log.lift(USERS[user]).unwrap(); withdrawn[user] = false; }
                _ => { log.erase(USERS[user]).unwrap(); erased[user] = true; }
            }
        }
        let gone = |user: usize| user < USERS.len() && (withdrawn[user] || erased[user]);
        let rest = dataset(done.iter().filter(|done| !gone(done.0)));
        let permissions = Permissions::of(&log).unwrap();
        prop_assert_eq!(learned(permissions.histories(&data)), learned(&rest));
        let seen = permissions.histories(&data);
        let here = |user: usize| data.user(USERS[user]).is_some();
        let users: Vec<&str> = seen.users().map(|user| data.user_key(user)).collect();
        prop_assert_eq!(users.len(), (0..USERS.len()).filter(|&user| here(user) && !gone(user)).count());
        for user in (0..USERS.len()).filter(|&user| here(user)) {
            let row = data.user(USERS[user]).unwrap();
            prop_assert_eq!((seen.holds(row), seen.permits(USERS[user])), (!gone(user), !gone(user)));
        }
    }
}

#[test]
fn nobodys_sessions_and_unknown_rows_are_not_histories() {
    let data = dataset(&[(0, 0, 0, 5, 9), (1, 0, 0, 6, 9)]);
    let everybody = Histories::from(&data);
    assert_eq!(everybody.users().map(|user| data.user_key(user)).collect::<Vec<_>>(), ["ann", "bob"]);
    let rows: Vec<UserIdx> = (0..data.n_rows() as u32 + 1).map(UserIdx::new).collect();
    assert_eq!(rows.iter().filter(|&&row| everybody.holds(row)).count(), 2);
    assert!(everybody.permits("a stranger") && !everybody.permits(""));
    let nobody = Permissions::default();
    let nobody = nobody.histories(&data);
    assert!(rows.iter().all(|&row| !nobody.holds(row) && nobody.until(row, Timestamp::MAX).is_empty()));
    assert!(!nobody.permits("ann") && nobody.users().next().is_none());
}

#[test]
fn who_may_not_be_looked_at_later_has_no_label() {
    // Ann, Bob and Cy bought; Bob and Cy bought again, and Bob withdrew: he is not one who stayed away.
    let past = dataset(&[(0, 0, 0, 5, 9), (1, 0, 0, 6, 9), (2, 0, 0, 7, 9)]);
    let all = [(0, 0, 0, 5, 9), (1, 0, 0, 6, 9), (2, 0, 0, 7, 9), (1, 0, 0, 20, 9), (2, 0, 0, 21, 9)];
    let (future, log) = (dataset(&all), log(&all));
    log.restrict("bob").unwrap();
    let permissions = Permissions::of(&log).unwrap();
    let params = ProfileParams::default().check().unwrap();
    let labels = |past: Histories<'_>, future: Histories<'_>| {
        let set = Labelled::new(past, future, day(10), Span::days(30), &params);
        assert_eq!(set.labels.len(), set.profiles.len());
        let id = |user: &UserIdx| past.dataset().user_key(*user).to_owned();
        set.profiles.users().iter().map(id).zip(set.labels).collect::<Vec<_>>()
    };
    let expected = [("ann".to_owned(), 0), ("cy".to_owned(), 1)];
    assert_eq!(labels((&past).into(), permissions.histories(&future)), expected);
    assert_eq!(labels(permissions.histories(&past), (&future).into()), expected);
    assert_eq!(labels((&past).into(), (&future).into()).len(), 3);
}

#[test]
fn a_request_of_a_withdrawn_shopper_is_judged_by_its_session() {
    let done = [(0, 0, 0, 5, 9), (1, 0, 0, 6, 9)];
    let (data, log) = (dataset(&done), log(&done));
    let shelf = Shelf::bare(&data);
    let of = |kind, name| {
        let kinds = KindSet::of(&[kind]);
        SegmentRule::new(name, Condition::Measure(Measure { kinds, min: Some(1.0), ..Measure::default() }))
    };
    let rules = [of(EventKind::Purchase, "buyers"), of(EventKind::View, "lookers")];
    log.restrict("bob").unwrap();
    let permissions = Permissions::of(&log).unwrap();
    let segments = Segments::new(&rules, &data, &shelf).unwrap().permitted(&permissions);
    let session = [SessionEvent::new("cup", EventKind::View, day(50))];
    let own = |user| segments.of_request(Some(Consented::new(user, LawfulBasis::Contract)), &session, day(60));
    assert_eq!(own("ann"), ["buyers", "lookers"]);
    assert_eq!(own("bob"), ["lookers"]);
}
