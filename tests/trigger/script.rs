//! Timelines as text: what a shopper and the catalogue do, and what is expected of the triggers.

use std::sync::Arc;

use likewise::decide::trigger::*;
use likewise::*;

/// Monday 2024-03-25 00:00 UTC; in Europe clocks go forward on day 6 and back on day 216, both at 01:00 UTC.
pub(crate) const MONDAY: i64 = 1_711_324_800;

/// `day:hour:minute`, or parts of it from the left.
pub(crate) fn time(text: &str) -> Timestamp {
    let mut secs = 0;
    for (part, unit) in text.split(':').zip([86_400, 3_600, 60]) {
        secs += part.parse::<i64>().unwrap_or_else(|_| panic!("no time: {text}")) * unit;
    }
    Timestamp::from_secs(MONDAY + secs)
}

pub(crate) fn catalog() -> Catalog {
    let mut builder = CatalogBuilder::default()
        .attribute("category", AttributeKind::Category)
        .and_then(|b| b.attribute("title", AttributeKind::Text))
        .unwrap();
    for (item, category, price) in
        [("mug", "Kitchen", 8.0), ("cup", "Kitchen", 5.0), ("pan", "Kitchen", 30.0), ("saw", "Tools", 20.0)]
    {
        builder.add(&ItemRecord::new(item).category("category", category).price(price).stock(9)).unwrap();
    }
    let vase = ItemRecord::new("vase").category("category", "Kitchen").price(12.0);
    builder.add(&vase.released(time("10"))).unwrap();
    builder.build()
}

/// What the words of a setting make.
pub(crate) fn params(setting: &str) -> TriggerParams {
    let mut params = TriggerParams { rules: Vec::new(), quiet: None, cap: None, ..TriggerParams::default() };
    for word in setting.split_whitespace() {
        let (word, value) = word.split_once('=').unwrap_or((word, ""));
        let when = match word {
            "cart" => When::CartAbandoned(CartAbandoned::default()),
            "cart20" => When::CartAbandoned(CartAbandoned { worth: 20.0, ..Default::default() }),
            "gone" => When::BrowseAbandoned(BrowseAbandoned { after: Span::ZERO, ..Default::default() }),
            "browse" => When::BrowseAbandoned(BrowseAbandoned::default()),
            "linger" => When::Lingering(Lingering { views: 4, over: Span::minutes(5) }),
            "hesitate" => When::Hesitation(Hesitation { views: 4, visits: 3, ..Default::default() }),
            "price" => When::PriceDropped(PriceDropped::default()),
            "stock" => When::BackInStock(BackInStock::default()),
            "refill" => When::ReplenishmentDue(ReplenishmentDue { purchases: 2, with_usual: 1, ..Default::default() }),
            "back" => When::WinBack(WinBack::default()),
            "post" => When::PostPurchase(PostPurchase::default()),
            "new" => When::NewArrival(NewArrival { touches: 3, share: 0.5, ..Default::default() }),
            "quiet" => {
                params.quiet = Some(QuietHours { from: 21 * 60, until: 8 * 60 });
                continue;
            }
            "cap" => {
                params.cap = Some(FrequencyCap { messages: 1, within: Span::days(2) });
                continue;
            }
            "zone" => {
                params.zone = Zone::named(value).unwrap();
                continue;
            }
            "remember" => {
                params.remember = Span::days(value.parse().unwrap());
                continue;
            }
            "rest" => {
                let rule = params.rules.last_mut().unwrap();
                rule.cooldown = Span::days(value.parse().unwrap());
                continue;
            }
            "bought" => {
                let rule = params.rules.last_mut().unwrap();
                rule.after_purchase = Span::hours(value.parse().unwrap());
                continue;
            }
            "onsite" => {
                params.rules.last_mut().unwrap().reach = Reach::OnSite;
                continue;
            }
            other => panic!("no setting: {other}"),
        };
        params.rules.push(TriggerRule { cooldown: Span::ZERO, ..TriggerRule::new(word, when) });
    }
    params
}

/// Plays a script and holds every look against what is expected; also a full sweep, an incremental one and a look at the
/// one shopper against each other.
pub(crate) fn play(name: &str, setting: &str, script: &str) {
    let params = params(setting).check().unwrap();
    let mut events: Vec<(Timestamp, EventKind, String)> = Vec::new();
    let mut catalog = Arc::new(catalog());
    let mut news: Vec<CatalogNews> = Vec::new();
    let (mut state, mut full) = (TriggerState::default(), TriggerState::default());
    let mut now = time("0");
    for step in script.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        let words: Vec<&str> = step.split_whitespace().collect();
        let at = time(words[0]);
        assert!(at >= now, "{name}: {step} goes back in time");
        now = at;
        let change = |catalog: &mut Arc<Catalog>, news: &mut Vec<CatalogNews>, change: CatalogChange<'_>| {
            let after = catalog.update([change]).unwrap().0;
            news.extend(CatalogNews::between(catalog, &after, at));
            *catalog = Arc::new(after);
        };
        match words[1] {
            "restart" => {
                let text = serde_json::to_string(&state).unwrap();
                state = serde_json::from_str(&text).unwrap();
            }
            "price" => change(&mut catalog, &mut news, CatalogChange::price(words[2], words[3].parse().unwrap())),
            "left" => change(&mut catalog, &mut news, CatalogChange::stock(words[2], words[3].parse().unwrap())),
            "?" => look(name, step, &params, &events, &catalog, &news, (&mut state, &mut full), now, &words[2..]),
            verb => {
                let kind = match verb {
                    "view" => EventKind::View,
                    "cart" => EventKind::AddToCart,
                    "out" => EventKind::RemoveFromCart,
                    "buy" => EventKind::Purchase,
                    "back" => EventKind::Return,
                    other => panic!("{name}: no verb {other}"),
                };
                events.extend(words[2..].iter().map(|item| (at, kind, (*item).to_owned())));
            }
        }
    }
}

#[expect(clippy::too_many_arguments)]
fn look(
    name: &str,
    step: &str,
    params: &Checked<TriggerParams>,
    events: &[(Timestamp, EventKind, String)],
    catalog: &Arc<Catalog>,
    news: &[CatalogNews],
    (state, full): (&mut TriggerState, &mut TriggerState),
    now: Timestamp,
    expected: &[&str],
) {
    let ann = Consented::new("ann", LawfulBasis::Consent);
    let mut builder = DatasetBuilder::default().as_of(now);
    for (at, kind, item) in events {
        builder.push(&Event::new(Shopper::Profiled(ann), item, *kind, *at)).unwrap();
    }
    let data = builder.build().unwrap();
    let shelf = Shelf::new(&data, Arc::clone(catalog));
    let bound = Bound::new(params, Facts::new(&data, &shelf).news(news)).unwrap();
    let (mut alone, mut stranger) = (state.clone(), state.clone());
    let decision = bound.evaluate(ann, &[], &mut alone, now);
    // Without a basis nobody is looked at.
    assert!(bound.sweep(&|_| None, &mut stranger, now, &Run::new(1)).unwrap().firings.is_empty());
    let agreed = |_: &str| Some(LawfulBasis::Consent);
    let swept = bound.sweep(&agreed, state, now, &Run::new(1)).unwrap();
    full.look_again();
    let whole = bound.sweep(&agreed, full, now, &Run::new(1)).unwrap();
    assert_eq!(swept.firings, whole.firings, "{name}: {step}: incremental against full");
    assert_eq!(decision.fired, whole.firings, "{name}: {step}: one shopper against all");
    for firing in &whole.firings {
        assert!(bound.still_holds(firing, ann, &[], now), "{name}: {step}");
        assert!(!firing.because.is_empty() && firing.send_at >= now, "{name}: {step}: {firing:?}");
    }
    let told = |firing: &Firing| format!("{}:{}", firing.trigger, firing.items.join(","));
    let mut got: Vec<String> = decision.fired.iter().map(told).collect();
    if expected != ["."] && !(expected.is_empty()) {
        got.extend(decision.held.iter().map(|held| format!("!{:?}", held.why).to_lowercase()));
    }
    let expected = if expected == ["."] { &[] } else { expected };
    let expected: Vec<String> = expected.iter().filter(|word| **word != "-").map(|word| (*word).to_owned()).collect();
    assert_eq!(got, expected, "{name}: {step}");
}
