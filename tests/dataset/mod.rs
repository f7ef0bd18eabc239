//! The dataset: against a slow twin, and by hand.

use std::collections::{BTreeMap, BTreeSet};

use likewise::{
    Cancel, Channel, Consented, Dataset, DatasetBuilder, Delta, Event, EventKind, EventWeights, KindWeight,
    LawfulBasis, Lineage, RejectReason, Shopper, Span, Timestamp, Transform, UserIdx, Validate,
};
use proptest::prelude::*;

mod twin;

const MINUTE: i64 = 60_000;
const AS_OF: i64 = 400 * MINUTE;

const KEYS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

fn on(user: &'static str, item: &'static str, kind: EventKind, ms: i64) -> Event<'static> {
    let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
    Event::new(who, item, kind, Timestamp::from_millis(ms))
}

fn bought(user: &'static str, item: &'static str, second: i64) -> Event<'static> {
    on(user, item, EventKind::Purchase, second * 1000)
}

#[test]
fn no_event_at_all() {
    let data = DatasetBuilder::default().build().unwrap();
    assert_eq!((data.n_events(), data.n_items(), data.n_rows(), data.n_pairs(), data.n_sessions()), (0, 0, 0, 0, 0));
    assert_eq!(data.as_of(), Timestamp::default());
    assert_eq!(data.summary().span, None);
    assert!(data.events_of(UserIdx::new(0)).is_empty() && data.items_of(UserIdx::new(9)).is_empty());
    assert_eq!(data.events_on(likewise::ItemIdx::new(0)).len(), 0);
    assert_eq!((data.user("ann"), data.item("mug"), data.user_key(UserIdx::new(3))), (None, None, ""));
    assert!(Delta::between(&data, &data).unwrap().rows().is_empty());
    assert!(data.memory_report().total() < 256);
}

#[test]
fn one_event() {
    let mut builder = DatasetBuilder::default();
    builder.push(&bought("ann", "mug", 5)).unwrap();
    let data = builder.build().unwrap();
    assert_eq!((data.n_events(), data.n_items(), data.n_rows(), data.n_sessions()), (1, 1, 1, 1));
    assert_eq!(data.as_of(), Timestamp::from_secs(5));
    let ann = data.user("ann").unwrap();
    assert_eq!(data.items_of(ann).iter().collect::<Vec<_>>(), [(0, 5.0)]);
    assert_eq!(data.events_of(ann).until(Timestamp::from_secs(4)).len(), 0);
    assert_eq!(data.events_of(ann).until(Timestamp::from_secs(5)).len(), 1);
}

#[test]
fn one_shopper_with_a_partial_return() {
    let mut builder = DatasetBuilder::default();
    builder.push(&bought("ann", "mug", 10).quantity(2.0)).unwrap();
    builder.push(&bought("ann", "mug", 20).quantity(3.0)).unwrap();
    builder.push(&on("ann", "mug", EventKind::Return, 30_000).quantity(4.0)).unwrap();
    builder.push(&on("ann", "tea", EventKind::Return, 30_000)).unwrap();
    let data = builder.build().unwrap();
    let left: Vec<_> = data
        .events_of(data.user("ann").unwrap())
        .iter()
        .map(|e| (e.kind, e.at.millis(), e.quantity, data.item_key(e.item)))
        .collect();
    // Three of four off the later purchase, one off the earlier; a return of what was never bought stays on record.
    assert_eq!(left, [(EventKind::Purchase, 10_000, 1.0, "mug"), (EventKind::Return, 30_000, 1.0, "tea")]);
    assert_eq!(data.summary().cancelled, 2);
}

#[test]
fn now_is_what_was_said_or_else_the_latest_event() {
    let mut builder = DatasetBuilder::default().as_of(Timestamp::from_secs(100));
    assert!(builder.push(&bought("ann", "mug", 101)).is_err());
    builder.push(&bought("ann", "mug", 100)).unwrap();
    assert_eq!(builder.build().unwrap().as_of(), Timestamp::from_secs(100));
    let mut builder = DatasetBuilder::default();
    builder.ingest(vec![bought("ann", "mug", 101), bought("ann", "mug", 7)]).unwrap();
    assert_eq!(builder.build().unwrap().as_of(), Timestamp::from_secs(101));
}

#[test]
fn an_empty_event_id_is_none() {
    let mut builder = DatasetBuilder::default();
    let report = builder.ingest(vec![bought("ann", "mug", 1).id(""), bought("ann", "mug", 2).id("")]).unwrap();
    assert_eq!(report.accepted, 2);
}

#[test]
fn times_at_the_limits_and_ids_of_any_length() {
    let long: &'static str = Box::leak("x".repeat(10_000).into_boxed_str());
    let mut builder = DatasetBuilder::default();
    let at = |ms| on("ann", "mug", EventKind::View, ms);
    let report = builder
        .ingest(vec![
            at(i64::MIN),
            at(i64::MAX),
            at(-62_135_596_800_001),
            at(253_402_300_800_000),
            at(-62_135_596_800_000),
            at(253_402_300_799_999),
            bought("", "mug", 1),
            bought("ann", "", 1),
            bought(long, "mug", 1),
            bought("ann", long, 1),
            bought("ann", "mug", 1).session(long),
            bought("ann", "mug", 1).id(long),
        ])
        .unwrap();
    assert_eq!((report.offered, report.accepted), (12, 2));
    assert_eq!(report.rejected_for(&RejectReason::TimeOutOfRange), 4);
    for field in ["user", "item"] {
        assert_eq!(report.rejected_for(&RejectReason::Missing { field }), 1);
    }
    for field in ["user", "item", "session", "id"] {
        assert_eq!(report.rejected_for(&RejectReason::IdTooLong { field }), 1);
    }
    assert_eq!(builder.build().unwrap().n_items(), 1);
}

#[test]
fn another_numbering_has_no_delta() {
    let build = |lineage, item| {
        let mut builder = DatasetBuilder::new(Lineage::new(lineage));
        builder.push(&bought("ann", item, 1)).unwrap();
        builder.build().unwrap()
    };
    assert!(Delta::between(&build(1, "mug"), &build(2, "mug")).is_none());
    assert!(Delta::between(&build(1, "mug"), &build(1, "tea")).is_none());
    assert!(Delta::between(&build(1, "mug"), &build(1, "mug")).is_some());
}

/// Corrected data of the same numbering: whatever differs in an event makes its row one of the changed.
#[test]
fn a_delta_sees_every_part_of_an_event() {
    let build = |event: Event<'static>| {
        let mut builder = DatasetBuilder::default();
        builder.push(&event).unwrap();
        builder.build().unwrap()
    };
    let event = bought("ann", "mug", 1);
    let base = build(event);
    let others = [
        bought("ann", "mug", 2),
        on("ann", "mug", EventKind::View, 1000),
        event.quantity(2.0),
        event.value(1.0),
        event.channel(Channel::Email),
    ];
    for other in others {
        assert_eq!(Delta::between(&base, &build(other)).unwrap().rows().len(), 1, "{other:?}");
    }
    assert!(Delta::between(&base, &build(event)).unwrap().rows().is_empty());
}

/// The bar of the crate: at most 60 bytes an event in the finished dataset, keys and all.
#[test]
fn an_event_costs_at_most_sixty_bytes() {
    let mut state = 1u64;
    let mut draw = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
        (unit * unit * n as f64) as u64
    };
    let mut builder = DatasetBuilder::default();
    let n = 200_000;
    for i in 0..n {
        let (user, item) = (format!("customer-{:06}", draw(n / 10)), format!("SKU{:06}", draw(n / 20)));
        let who = Shopper::Profiled(Consented::new(&user, LawfulBasis::Contract));
        let kind = [EventKind::View, EventKind::AddToCart, EventKind::Purchase][draw(3) as usize];
        let session = format!("session-{}", i / 5);
        let event = Event::new(who, &item, kind, Timestamp::from_secs(i as i64))
            .session(&session)
            .quantity(1.0 + draw(3) as f32)
            .value(draw(100) as f32);
        builder.push(&event).unwrap();
    }
    let data = builder.finish().unwrap();
    let report = data.memory_report();
    println!("{report}");
    assert_eq!(report.total(), report.parts().map(|(_, bytes)| bytes).sum::<usize>());
    let each = report.total() as f64 / data.n_events() as f64;
    println!("{each:.1} bytes an event");
    assert!(each <= 60.0, "{each} bytes an event");
}
