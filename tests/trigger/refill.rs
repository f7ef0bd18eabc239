//! Reminders where an item's usual interval is known: how many own purchases it takes, and what the interval becomes.

use likewise::decide::trigger::*;
use likewise::*;

use super::script::time;

/// The days on which a shopper bought soap; then whether it is due, and the interval that was expected.
fn due(rule: ReplenishmentDue, bought: &[i64], now: i64, usual: Option<i64>) -> Option<f64> {
    let ann = Consented::new("ann", LawfulBasis::Consent);
    let mut builder = DatasetBuilder::default();
    for day in bought {
        builder.push(&Event::new(Shopper::Profiled(ann), "soap", EventKind::Purchase, time(&day.to_string()))).unwrap();
    }
    let data = builder.build().unwrap();
    let shelf = Shelf::bare(&data);
    let rules = vec![TriggerRule::new("refill", When::ReplenishmentDue(rule))];
    let params = TriggerParams { rules, quiet: None, ..TriggerParams::default() }.check().unwrap();
    let usual = |_: ItemIdx| usual.map(|days| Span::days(days as u32));
    let bound = Bound::new(&params, Facts::new(&data, &shelf).usual(&usual)).unwrap();
    let decision = bound.evaluate(ann, &[], &mut TriggerState::default(), time(&now.to_string()));
    decision.fired.first().map(|firing| match firing.detail {
        Detail::Rhythm { usual, .. } => usual.as_days(),
        _ => f64::NAN,
    })
}

#[test]
fn own_purchases_that_are_needed() {
    let rule = |purchases, with_usual| ReplenishmentDue { purchases, with_usual, ..ReplenishmentDue::default() };
    // (needed alone, needed with a usual interval, bought, asked on, usual, expected interval)
    for (alone, with, bought, now, usual, expected) in [
        (2, 1, &[0][..], 20, Some(20), Some(20.0)),
        (2, 1, &[0], 20, None, None),
        (2, 2, &[0], 20, Some(20), None),
        (2, 2, &[0, 20], 40, None, Some(20.0)),
        (3, 3, &[0, 20], 40, None, None),
        (3, 3, &[0, 20], 40, Some(20), None),
        (3, 3, &[0, 20, 40], 60, None, Some(20.0)),
        (3, 1, &[0, 20], 45, Some(30), Some(25.0)),     // (20 + 30) / 2
        (3, 3, &[0, 20, 40], 65, Some(32), Some(24.0)), // (40 + 32) / 3
    ] {
        assert_eq!(due(rule(alone, with), bought, now, usual), expected, "{alone} {with} {bought:?} {now} {usual:?}");
    }
}
