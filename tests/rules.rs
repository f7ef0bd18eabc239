//! Merchandising rules, by hand: what each does, when it applies, and what contradictory ones come to.

use std::sync::Arc;

use crate::common::*;
use likewise::*;

fn pin(item: &str, position: usize) -> Action {
    Action::Pin { item: item.into(), position, filters: PinFilters::Respect }
}

fn force(item: &str, position: usize) -> Action {
    Action::Pin { item: item.into(), position, filters: PinFilters::Override }
}

fn slot(position: usize, items: &[&str]) -> Action {
    Action::Slot { position, items: Select::items(items.iter().copied()) }
}

fn boost(items: &[&str], by: f32) -> Action {
    Action::Boost { items: Select::items(items.iter().copied()), by }
}

fn bury(items: &[&str], by: f32) -> Action {
    Action::Bury { items: Select::items(items.iter().copied()), by }
}

/// Five items: a to d with scores 4 to 1, e without one.
struct Stall {
    data: Arc<Dataset>,
    catalog: Arc<Catalog>,
}

impl Stall {
    fn new() -> Self {
        let data = stocked(
            &["a", "b", "c", "d", "e"],
            &[("ann", "a", EventKind::View, 50), ("ann", "b", EventKind::View, 60)],
        );
        let home = |id| ItemRecord::new(id).category("category", "Home");
        let toys = |id| ItemRecord::new(id).category("category", "Toys");
        Self { data, catalog: catalog_of(&[home("a"), home("b"), home("c"), toys("d"), toys("e")]) }
    }

    fn ranker(&self) -> RankerBuilder {
        let scores = [("a", 4.0), ("b", 3.0), ("c", 2.0), ("d", 1.0)];
        as_is().scorer(Scripted::new("one", &self.data, &scores).share(), 1.0)
    }

    fn under(&self, ranker: RankerBuilder, rules: impl IntoIterator<Item = Rule>) -> Snapshot {
        serve(&self.data, &self.catalog, rules.into_iter().fold(ranker, RankerBuilder::rule))
    }

    fn with(&self, actions: impl IntoIterator<Item = Action>) -> Snapshot {
        let rules = actions.into_iter().enumerate().map(|(i, action)| Rule::new(format!("r{i}"), action));
        self.under(self.ranker(), rules)
    }
}

fn log(list: &Recommendations) -> Vec<(usize, Effect)> {
    list.rules().iter().map(|applied| (applied.rule, applied.effect)).collect()
}

#[test]
fn a_pin_has_its_place_in_the_whole_list() {
    let snapshot = Stall::new().with([pin("d", 1)]);
    let list = snapshot.recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["a", "d", "b", "c", "e"]);
    let pinned = list.get(1).unwrap();
    assert_eq!((pinned.placement(), pinned.score()), (Placement::Pinned(0), 1.0), "it keeps its true score");
    assert_eq!(log(&list), [(0, Effect::Pinned { position: 1 })]);
    // Pages are cuts: the pin is on the first page of two, and not again on the next.
    assert_eq!(told(&snapshot, &anybody().k(2)), "a d");
    assert_eq!(told(&snapshot, &anybody().k(2).offset(2)), "b c");
    assert_eq!(log(&snapshot.recommend(&anybody().k(1)).unwrap()), [], "its place is not reached yet");
}

#[test]
fn pins_that_contradict_each_other() {
    let stall = Stall::new();
    // Two on one place: the earlier rule has it, the later comes next.
    let list = stall.with([pin("c", 0), pin("d", 0)]).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["c", "d", "a", "b", "e"]);
    assert_eq!(log(&list), [(0, Effect::Pinned { position: 0 }), (1, Effect::Pinned { position: 1 })]);
    // One item twice: the second is void and says so.
    let list = stall.with([pin("c", 1), pin("c", 0)]).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["a", "c", "b", "d", "e"]);
    assert_eq!(log(&list), [(1, Effect::PinShadowed), (0, Effect::Pinned { position: 1 })]);
    // Pinned and excluded: the filter wins, unless the pin says otherwise.
    let list = stall.with([pin("c", 0)]).recommend(&anybody().exclude(&["c"])).unwrap();
    assert_eq!((list.ids().collect::<Vec<_>>(), log(&list)), (vec!["a", "b", "d", "e"], vec![(0, Effect::PinRefused)]));
    let forced = stall.with([force("c", 0)]);
    assert_eq!(told(&forced, &anybody().exclude(&["c"])), "c a b d e");
    // Refused for the first pin, forced by the second.
    assert_eq!(told(&stall.with([pin("c", 0), force("c", 1)]), &anybody().exclude(&["c"])), "a c b d e");
    // An item that is not there.
    let list = stall.with([pin("ghost", 0)]).recommend(&anybody()).unwrap();
    assert_eq!((list.len(), log(&list)), (5, vec![(0, Effect::PinUnknown)]));
}

#[test]
fn a_pin_beyond_the_end_comes_last() {
    let stall = Stall::new();
    let snapshot = stall.with([pin("a", 9_999), pin("b", 70)]);
    let list = snapshot.recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["c", "d", "e", "b", "a"]);
    assert_eq!(log(&list), [(1, Effect::Pinned { position: 3 }), (0, Effect::Pinned { position: 4 })]);
    assert_eq!(told(&snapshot, &anybody().k(3)), "c d e", "before the end it is not needed");
}

#[test]
fn pins_join_given_candidates_where_they_are_valid() {
    let stall = Stall::new();
    assert_eq!(told(&stall.with([pin("d", 0)]), &anybody().candidates(&["b", "c"])), "d b c");
    let rule = Rule { placement: Some("home".into()), ..Rule::new("r", pin("d", 0)) };
    let here = stall.under(stall.ranker(), [rule]);
    assert_eq!(told(&here, &anybody().candidates(&["b", "c"])), "b c");
    assert_eq!(told(&here, &anybody().candidates(&["b", "c"]).placement("home")), "d b c");
}

#[test]
fn a_slot_goes_to_the_best_that_matches() {
    let stall = Stall::new();
    let list = stall.with([slot(1, &["d", "c"])]).recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["a", "c", "b", "d", "e"]);
    assert_eq!(list.get(1).unwrap().placement(), Placement::Slot(0));
    assert_eq!(log(&list), [(0, Effect::SlotFilled { position: 1 })]);
    // Nothing matches: the place is filled as usual.
    let list = stall.with([slot(1, &["ghost"])]).recommend(&anybody()).unwrap();
    assert_eq!((list.get(1).unwrap().id(), log(&list)), ("b", vec![(0, Effect::SlotReleased)]));
    // What matched stands above already.
    let list = stall.with([slot(2, &["a"])]).recommend(&anybody()).unwrap();
    assert_eq!((list.get(2).unwrap().id(), log(&list)), ("c", vec![(0, Effect::SlotReleased)]));
    // A slot takes no item that waits for a pin, and no filtered one.
    assert_eq!(told(&stall.with([pin("c", 3), slot(0, &["c", "d"])]), &anybody()), "d a b c e");
    assert_eq!(told(&stall.with([slot(0, &["c", "d"])]), &anybody().exclude(&["c"])), "d a b e");
    // Two slots, and a pin, on one place: the pin, then the slots in their order.
    assert_eq!(told(&stall.with([slot(0, &["c"]), slot(0, &["d"]), pin("b", 0)]), &anybody()), "b c d a e");
}

#[test]
fn a_slot_is_filled_from_a_fallback_when_no_candidate_matches() {
    let stall = Stall::new();
    let more = Scripted::new("more", &stall.data, &[("a", 9.0), ("e", 7.0)]).share();
    let snapshot = stall.under(stall.ranker().fallback(more), [Rule::new("new", slot(1, &["e"]))]);
    let list = snapshot.recommend(&anybody()).unwrap();
    assert_eq!(list.ids().collect::<Vec<_>>(), ["a", "e", "b", "c", "d"]);
    let item = list.get(1).unwrap();
    assert_eq!((item.score(), item.placement()), (7.0, Placement::Slot(0)));
    assert_eq!(item.contributions()[0].source, Source::Fallback(0));
    // Among given candidates nothing else is looked for.
    let given = snapshot.recommend(&anybody().candidates(&["c", "b"])).unwrap();
    assert_eq!((given.ids().collect::<Vec<_>>(), log(&given)), (vec!["b", "c"], vec![(0, Effect::SlotReleased)]));
}

#[test]
fn boosts_and_buries_add_up_and_show() {
    let stall = Stall::new();
    let list =
        stall.with([boost(&["d", "c"], 2.5), bury(&["c"], 2.0), boost(&["ghost"], 1.0)]).recommend(&anybody()).unwrap();
    let told: Vec<(&str, f32)> = list.iter().map(|item| (item.id(), item.score())).collect();
    assert_eq!(told, [("a", 4.0), ("d", 3.5), ("b", 3.0), ("c", 2.5), ("e", 0.0)]);
    let parts: Vec<_> = list.get(3).unwrap().contributions().iter().map(|c| (c.source, c.value, c.code)).collect();
    let expected = [
        (Source::Scorer(0), 2.0, ReasonCode::Other),
        (Source::Rule(0), 2.5, ReasonCode::Curated),
        (Source::Rule(1), -2.0, ReasonCode::Curated),
    ];
    assert_eq!(parts, expected);
    assert_eq!(list.snapshot().source_name(Source::Rule(1)), "r1");
}

#[test]
fn caps_as_rules_yield_to_pins_and_slots_but_count_them() {
    let stall = Stall::new();
    let cap = |when_short| Action::Cap { attribute: "category".into(), max: 1, when_short };
    assert_eq!(told(&stall.with([cap(WhenShort::Strict)]), &anybody()), "a d");
    assert_eq!(told(&stall.with([cap(WhenShort::Relax)]), &anybody()), "a d b c e");
    assert_eq!(told(&stall.with([cap(WhenShort::Strict), pin("b", 1)]), &anybody()), "a b d");
    assert_eq!(told(&stall.with([cap(WhenShort::Strict), pin("b", 0)]), &anybody()), "b d", "a is one too many now");
    assert_eq!(told(&stall.with([cap(WhenShort::Strict), slot(1, &["c"])]), &anybody()), "a c d");
}

#[test]
fn validity_starts_with_its_first_instant_and_ends_before_its_last() {
    let stall = Stall::new();
    let rule = Rule { from: Some(day(100)), until: Some(day(110)), ..Rule::new("week", pin("d", 0)) };
    let snapshot = stall.under(stall.ranker(), [rule]);
    let first = |now| told(&snapshot, &Request::anonymous(now).k(1));
    let instant = Span::millis(1);
    assert_eq!([first(day(100).minus(instant)), first(day(100))], ["a", "d"]);
    assert_eq!([first(day(110).minus(instant)), first(day(110))], ["d", "a"]);
}

#[test]
fn audiences_segments_and_placements() {
    let stall = Stall::new();
    let ann = || Request::profiled(consented("ann"), day(100)).k(1);
    let session = [SessionEvent::new("e", EventKind::View, day(100))];
    let requests: [(&str, Request<'_>); 6] = [
        ("anonymous", anybody().k(1)),
        ("unknown", Request::profiled(consented("stranger"), day(100)).k(1)),
        ("ann", ann()),
        ("ann in session", ann().session(&session)),
        ("ann then", Request::profiled(consented("ann"), day(55)).k(1)),
        ("vip", anybody().k(1).segments(&["vip"]).placement("home")),
    ];
    let reached = |rule: Rule| {
        let snapshot = stall.under(stall.ranker(), [Rule { action: pin("d", 0), ..rule }]);
        let reached = requests.iter().filter(|(_, request)| told(&snapshot, request) == "d");
        reached.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    };
    let rule = |audience| Rule { audience, ..Rule::new("r", pin("d", 0)) };
    assert_eq!(reached(rule(Audience::Everyone)), "anonymous, unknown, ann, ann in session, ann then, vip");
    assert_eq!(reached(rule(Audience::Anonymous)), "anonymous, unknown, vip");
    assert_eq!(reached(rule(Audience::Profiled)), "ann, ann in session, ann then");
    assert_eq!(reached(rule(Audience::FewerTouchesThan(2))), "anonymous, unknown, ann then, vip");
    assert_eq!(reached(rule(Audience::FewerTouchesThan(3))), "anonymous, unknown, ann, ann then, vip");
    assert_eq!(reached(rule(Audience::Segment("vip".into()))), "vip");
    assert_eq!(reached(Rule { placement: Some("home".into()), ..rule(Audience::Everyone) }), "vip");
    // How many touches a shopper has does not depend on how many the scorers look at.
    let few = stall.under(stall.ranker().history(1), [rule(Audience::FewerTouchesThan(2))]);
    assert_eq!(told(&few, &ann()), "a");
}

#[test]
fn rules_are_data() {
    let text = r#"{"id": "sale", "until": 1000, "audience": {"segment": "vip"}, "placement": "home",
        "action": {"pin": {"item": "mug", "position": 3, "filters": "override"}}}"#;
    let rule: Rule = serde_json::from_str(text).unwrap();
    let expected = Rule {
        until: Some(Timestamp::from_millis(1000)),
        audience: Audience::Segment("vip".into()),
        placement: Some("home".into()),
        ..Rule::new("sale", force("mug", 3))
    };
    assert_eq!(rule, expected);
    assert_eq!(serde_json::from_str::<Rule>(&serde_json::to_string(&rule).unwrap()).unwrap(), rule);
    let typo = serde_json::from_str::<Rule>(r#"{"id": "x", "action": {"pin": {"item": "mug", "place": 3}}}"#);
    assert!(typo.unwrap_err().to_string().contains("unknown field `place`"));
}
