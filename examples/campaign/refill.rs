//! Are reminders to buy again followed by the purchase? Weekly sweeps over a quarter, each of which knows the past only.

use std::error::Error;

use likewise::decide::predict::PurchaseDays;
use likewise::decide::trigger::*;
use likewise::*;

use crate::online_retail::{load, load_until, midnight};

const WEEKS: u32 = 16;
const FOLLOWED_WITHIN: f64 = 14.0;

/// A setting and the least chance of another purchase with which an item's usual interval is known.
struct Setting {
    name: &'static str,
    rule: ReplenishmentDue,
    chance: Option<f32>,
    tally: Tally,
    state: TriggerState,
}

#[derive(Default)]
struct Tally {
    messages: usize,
    items: usize,
    followed: usize,
    any: usize,
}

/// Prints, for a few settings, how many reminders go out and how many are followed by the purchase within a fortnight,
/// beside the share of all things bought before that are bought again in the same time.
pub(crate) fn backtest() -> Result<(), Box<dyn Error>> {
    let due = ReplenishmentDue::default;
    let setting =
        |name, rule, chance| Setting { name, rule, chance, tally: Tally::default(), state: TriggerState::default() };
    let mut settings = [
        setting("as it is, no usual interval", due(), None),
        setting("2 own purchases, no usual", ReplenishmentDue { purchases: 2, ..due() }, None),
        setting("4 own purchases, no usual", ReplenishmentDue { purchases: 4, ..due() }, None),
        setting("5 own purchases, no usual", ReplenishmentDue { purchases: 5, ..due() }, None),
        setting("3 own, up to 1.25", ReplenishmentDue { late: 1.25, ..due() }, None),
        setting("as it is, usual at .3", due(), Some(0.3)),
        setting("1 own purchase, usual at .3", ReplenishmentDue { with_usual: 1, ..due() }, Some(0.3)),
        setting("2 own, usual at .3", ReplenishmentDue { purchases: 2, with_usual: 2, ..due() }, Some(0.3)),
        setting("3 own, usual at .3", ReplenishmentDue { purchases: 3, with_usual: 3, ..due() }, Some(0.3)),
        setting(
            "3 own, usual at .3 counts 3",
            ReplenishmentDue { purchases: 3, with_usual: 3, prior: 3.0, ..due() },
            Some(0.3),
        ),
        setting("4 own, usual at .3", ReplenishmentDue { purchases: 4, with_usual: 4, ..due() }, Some(0.3)),
    ];
    let whole = load()?.data;
    let later = PurchaseDays::purchases(&whole, whole.as_of());
    let mut chance_level = (0usize, 0usize);
    for week in 0..WEEKS {
        let now = midnight("2011-07-25")?.plus(Span::days(7 * week)).plus(Span::hours(9));
        let day = now.millis() as f64 / 864e5;
        let data = load_until(now)?.data;
        let shelf = Shelf::bare(&data);
        let again = BuyAgainParams { clock: Clock::Time, ..BuyAgainParams::default() }.check()?;
        let again = again.fit(&(&*data).into(), &Run::new(42))?;
        let next = |user: &str, item: &str| {
            let days = whole.user(user).zip(whole.item(item)).map_or(&[][..], |(user, item)| later.get(user, item));
            days.iter().any(|bought| (day..day + FOLLOWED_WITHIN).contains(bought))
        };
        for (user, item, _) in PurchaseDays::purchases(&data, now).iter() {
            chance_level.0 += 1;
            chance_level.1 += usize::from(next(data.user_key(user), data.item_key(item)));
        }
        for setting in &mut settings {
            let usual = |item| {
                let days = again.chance(item).filter(|chance| setting.chance.is_some_and(|least| *chance > least));
                days.and(again.interval(item)).map(|days| Span::millis((f64::from(days) * 864e5) as i64))
            };
            let rule = TriggerRule::new("refill", When::ReplenishmentDue(setting.rule.clone())).cooldown(Span::ZERO);
            let params = TriggerParams { rules: vec![rule], cap: None, quiet: None, ..TriggerParams::default() };
            let params = params.check()?;
            let bound = Bound::new(&params, Facts::new(&data, &shelf).usual(&usual))?;
            let everybody = |_: &str| Some(LawfulBasis::Contract);
            let sweep = bound.sweep(&everybody, &mut setting.state, now, &Run::new(42))?;
            setting.state.look_again();
            for firing in &sweep.firings {
                let hits = firing.items.iter().filter(|item| next(&firing.shopper, item)).count();
                setting.tally.messages += 1;
                setting.tally.items += firing.items.len();
                setting.tally.followed += hits;
                setting.tally.any += usize::from(hits > 0);
            }
        }
    }
    let per = |a: usize, b: usize| 100.0 * a as f64 / b.max(1) as f64;
    println!(
        "reminders in {WEEKS} weekly sweeps from 2011-07-25; of all things bought before, {:.2} % are bought in the next {FOLLOWED_WITHIN} days\n",
        per(chance_level.1, chance_level.0)
    );
    println!("  {:<30} {:>8} {:>8} {:>14} {:>20}", "setting", "messages", "items", "items bought", "messages with one");
    for Setting { name, tally: t, .. } in &settings {
        println!(
            "  {name:<30} {:>8} {:>8} {:>12.2} % {:>18.2} %",
            t.messages,
            t.items,
            per(t.followed, t.items),
            per(t.any, t.messages)
        );
    }
    Ok(())
}
