//! Logs: every law for both, the one in memory being the slow twin of the other.

use likewise::log::{Appended, Cursor, Durability, EventLog, LogError, MemoryLog, Replay, Retention, Scan};
use likewise::source::RejectReason;
use likewise::{
    Channel, Consented, Dataset, DatasetBuilder, Event, EventKind, Flow, KindSet, LawfulBasis, Shopper, Span, Timestamp,
};
use proptest::prelude::*;

fn at(s: i64) -> Timestamp {
    Timestamp::from_secs(s)
}

fn who(user: &str) -> Consented<'_> {
    Consented::new(user, LawfulBasis::Consent)
}

fn view<'a>(user: &'a str, item: &'a str, s: i64) -> Event<'a> {
    Event::new(Shopper::Profiled(who(user)), item, EventKind::View, at(s))
}

fn visit<'a>(session: &'a str, item: &'a str, s: i64) -> Event<'a> {
    Event::new(Shopper::Anonymous { session }, item, EventKind::View, at(s))
}

/// What a scan says, in words.
fn said(log: &dyn EventLog, scan: Scan<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    log.scan(scan, &mut |logged| {
        lines.push(format!("{:?} {:?} {:?}", logged.cursor, logged.received, logged.event));
        Flow::Continue
    })
    .unwrap();
    lines
}

/// The same without numbers and times of arrival, which an erasure leaves gaps in.
fn events(log: &dyn EventLog) -> Vec<String> {
    let mut lines = Vec::new();
    log.scan(Scan::all(), &mut |logged| {
        lines.push(format!("{:?}", logged.event));
        Flow::Continue
    })
    .unwrap();
    lines
}

fn dataset(log: &dyn EventLog) -> Dataset {
    let mut builder = DatasetBuilder::default();
    builder.ingest(Replay::new(log)).unwrap();
    builder.finish().unwrap()
}

/// One thing that happens to a log.
#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(u8, u8, i64, Option<u8>)>),
    Merge(u8, u8),
    Unmerge(u8),
    Erase(u8),
    Restrict(u8),
    Lift(u8),
    Expire(i64),
}

const SHOPPERS: [&str; 5] = ["ann", "bob", "cat", "phone", "tablet"];
const ITEMS: [&str; 3] = ["mug", "tea", "saw"];

fn shopper(n: u8) -> Shopper<'static> {
    let key = SHOPPERS[n as usize % SHOPPERS.len()];
    if n as usize % SHOPPERS.len() < 3 { Shopper::Profiled(who(key)) } else { Shopper::Anonymous { session: key } }
}

fn step() -> impl Strategy<Value = Step> {
    let event = (0u8..5, 0u8..4, 0i64..100, prop::option::of(0u8..30));
    prop_oneof![
        4 => prop::collection::vec(event, 0..6).prop_map(Step::Append),
        1 => (0u8..5, 0u8..3).prop_map(|(from, into)| Step::Merge(from, into)),
        1 => (0u8..5).prop_map(Step::Unmerge),
        1 => (0u8..3).prop_map(Step::Erase),
        1 => (0u8..3).prop_map(Step::Restrict),
        1 => (0u8..3).prop_map(Step::Lift),
        1 => (0i64..60).prop_map(Step::Expire),
    ]
}

/// Does it, and says what came of it.
fn take(log: &dyn EventLog, step: &Step, now: i64) -> String {
    match step {
        Step::Append(batch) => {
            let ids: Vec<String> = (0..30).map(|i| format!("id-{i}")).collect();
            let batch: Vec<Event<'_>> = batch
                .iter()
                .map(|&(user, item, s, id)| {
                    // The fourth item does not exist: such an event is refused.
                    let item = ITEMS.get(item as usize).copied().unwrap_or_default();
                    let kind = if s % 3 == 0 { EventKind::Purchase } else { EventKind::View };
                    let mut event = Event::new(shopper(user), item, kind, at(s)).quantity(1.0 + (s % 4) as f32);
                    event = event.value(s as f32 / 8.0).channel(Channel::App);
                    event.id = id.map(|id| &*ids[id as usize]);
                    event
                })
                .collect();
            format!("{:?}", log.append(&batch, at(now), Durability::Os).unwrap())
        }
        Step::Merge(from, into) => {
            format!("{:?}", log.merge(shopper(*from), who(SHOPPERS[*into as usize])).map_err(|e| e.to_string()))
        }
        Step::Unmerge(from) => format!("{:?}", log.unmerge(shopper(*from)).map_err(|e| e.to_string())),
        Step::Erase(user) => format!("{:?}", log.erase(SHOPPERS[*user as usize]).unwrap()),
        Step::Restrict(user) => format!("{:?}", log.restrict(SHOPPERS[*user as usize])),
        Step::Lift(user) => format!("{:?}", log.lift(SHOPPERS[*user as usize])),
        Step::Expire(s) => {
            let retention = Retention::default().window(KindSet::of(&[EventKind::View]), Span::secs(20));
            format!("{:?}", log.expire(&retention, at(*s)).unwrap())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn taking_a_merge_back_leaves_no_trace(steps in prop::collection::vec(step(), 0..12), from in 0u8..5, into in 0u8..3) {
        let log = MemoryLog::default();
        steps.iter().zip(0..).for_each(|(step, now)| drop(take(&log, step, now)));
        let before = said(&log, Scan::all());
        if log.unmerge(shopper(from)).is_ok() || log.merge(shopper(from), who(SHOPPERS[into as usize])).is_err() {
            return Ok(());
        }
        log.unmerge(shopper(from)).unwrap();
        prop_assert_eq!(said(&log, Scan::all()), before);
    }

    /// Erased = never seen: the log reads as one that was never told of the shopper.
    #[test]
    fn erased_is_never_seen(batch in prop::collection::vec((0u8..5, 0u8..3, 0i64..100), 0..40), gone in 0u8..3, device in 3u8..5) {
        let (log, without) = (MemoryLog::default(), MemoryLog::default());
        let mine = [shopper(gone), shopper(device)];
        log.merge(shopper(device), who(SHOPPERS[gone as usize])).unwrap();
        for &(user, item, s) in &batch {
            let event = Event::new(shopper(user), ITEMS[item as usize], EventKind::View, at(s));
            log.append(&[event], at(s), Durability::Os).unwrap();
            if !mine.contains(&event.shopper) {
                without.append(&[event], at(s), Durability::Os).unwrap();
            }
        }
        let erasure = log.erase(SHOPPERS[gone as usize]).unwrap();
        prop_assert_eq!(erasure.events as usize, batch.iter().filter(|e| mine.contains(&shopper(e.0))).count());
        prop_assert_eq!(events(&log), events(&without));
        prop_assert_eq!(log.state().unwrap().events, without.state().unwrap().events);
        prop_assert!(log.export(SHOPPERS[gone as usize]).unwrap().events.is_empty());
        prop_assert_eq!(format!("{:?}", dataset(&log)), format!("{:?}", dataset(&without)));
    }
}

#[test]
fn who_withdrew_rests_until_the_restriction_is_lifted() {
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 1), view("bob", "tea", 2), visit("phone", "saw", 3)], at(3), Durability::Os)
        .unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    let (before, epoch) = (said(&log, Scan::all()), log.state().unwrap().epoch);
    log.restrict("ann").unwrap();
    log.restrict("ann").unwrap();
    assert_eq!(log.state().unwrap().epoch, epoch + 1);
    assert_eq!(events(&log).len(), 1, "only bob");
    assert!(dataset(&log).user("ann").is_none());
    assert_eq!(log.export("ann").unwrap().events.len(), 2, "she may still see it");
    assert_eq!(said(&log, Scan::all().even_restricted()), before);
    let refused =
        log.append(&[view("ann", "mug", 4), visit("phone", "mug", 4), view("bob", "mug", 4)], at(4), Durability::Os);
    assert_eq!(refused.unwrap().rejected, [(0, RejectReason::Restricted), (1, RejectReason::Restricted)]);
    // An account she had been merged into would go on without her.
    log.merge(Shopper::Profiled(who("ann")), who("bob")).unwrap();
    assert_eq!(events(&log).len(), 2);
    log.unmerge(Shopper::Profiled(who("ann"))).unwrap();
    log.lift("ann").unwrap();
    assert_eq!(said(&log, Scan::all())[..3], before);
    assert!(matches!(log.restrict(""), Err(LogError::BadId { .. })));
    // Erasing leaves nothing behind, not even the wish to be left alone.
    log.restrict("ann").unwrap();
    log.erase("ann").unwrap();
    assert_eq!(log.append(&[view("ann", "mug", 5)], at(5), Durability::Os).unwrap().accepted, 1);
}

#[test]
fn late_events_are_not_known_before_they_come() {
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 10)], at(10), Durability::Memory).unwrap();
    log.append(&[view("ann", "tea", 5), view("ann", "saw", 30)], at(20), Durability::Memory).unwrap();
    assert_eq!(said(&log, Scan::all().as_of(at(10))).len(), 1);
    assert_eq!(said(&log, Scan::all().as_of(at(29))).len(), 2);
    assert_eq!(said(&log, Scan::all().as_of(at(30))).len(), 3);
}

#[test]
fn an_event_after_the_erasure_starts_an_empty_profile() {
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 1).id("a"), visit("phone", "tea", 2)], at(2), Durability::Disk).unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    let erasure = log.erase("ann").unwrap();
    assert_eq!((erasure.events, erasure.identities), (2, 1));
    assert_eq!((erasure.earliest, erasure.latest), (Some(at(1)), Some(at(2))));
    assert_eq!(erasure.by_kind[&EventKind::View], 2);
    let again =
        log.append(&[view("ann", "saw", 3).id("a"), visit("phone", "mug", 4)], at(4), Durability::Disk).unwrap();
    assert_eq!(again.accepted, 2, "the id was forgotten too");
    assert_eq!(log.export("ann").unwrap().events.len(), 1, "the phone is nobody's again");
    assert_eq!(again.end, Cursor::new(4), "numbers are never used again");
}

#[test]
fn what_no_dataset_can_use_is_named_and_the_rest_kept() {
    let log = MemoryLog::default();
    let batch =
        [view("ann", "", 1), view("ann", "mug", 1), view("", "mug", 1), view("ann", "mug", 2).quantity(f32::NAN)];
    let Appended { accepted, rejected, .. } = log.append(&batch, at(1), Durability::Disk).unwrap();
    assert_eq!(accepted, 1);
    let reasons: Vec<String> = rejected.iter().map(|(place, reason)| format!("{place}: {reason}")).collect();
    assert_eq!(reasons.len(), 3);
    assert!(reasons[0].starts_with("0: item is empty") && reasons[1].starts_with("2: user is empty"), "{reasons:?}");
    assert!(matches!(log.erase(""), Err(LogError::BadId { field: "the user", got: 0 })));
    assert!(matches!(log.merge(Shopper::Anonymous { session: "x" }, who("")), Err(LogError::BadId { .. })));
}

/// GDPR Art. 15: what is held, and not only what a model would use of it.
#[test]
fn an_export_names_devices_ids_and_restrictions() {
    use likewise::log::ExportedIdentity;
    let log = MemoryLog::default();
    log.append(&[view("ann", "mug", 1).id("order-1/1"), visit("phone", "tea", 2)], at(2), Durability::Disk).unwrap();
    log.merge(Shopper::Anonymous { session: "phone" }, who("ann")).unwrap();
    log.merge(Shopper::Profiled(who("old")), who("ann")).unwrap();
    log.restrict("ann").unwrap();
    let export = log.export("ann").unwrap();
    assert_eq!(export.events.len(), 2);
    assert_eq!(export.events[0].id.as_deref(), Some("order-1/1"));
    assert!(export.restricted && !log.export("bob").unwrap().restricted);
    let [profile, session] = &export.merged[..] else { panic!("{export:?}") };
    assert_eq!(*profile, ExportedIdentity::Profile("old".to_owned()));
    assert_eq!(*session, ExportedIdentity::Session("phone".to_owned()));
    let text = serde_json::to_string(&export).unwrap();
    assert!(text.contains(r#"{"session":"phone"}"#) && text.contains("order-1/1"), "{text}");
    assert_eq!(serde_json::from_str::<likewise::log::Export>(&text).unwrap(), export);
}

#[cfg(feature = "sqlite")]
mod sqlite;
