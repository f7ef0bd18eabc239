//! What each trigger looks for, and how often it may.

use serde::{Deserialize, Serialize};

use super::quiet::QuietHours;
use super::when::When;
use super::zone::Zone;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::time::Span;

/// A century in milliseconds.
pub(super) const CENTURY: u64 = 3_155_760_000_000;

/// One trigger at work: what it waits for, how often it may fire, how it reaches the shopper.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `cart` | not empty | names it in firings and in the state; unique |
/// | `when` | cart abandoned | | the situation, see [`When`] |
/// | `cooldown` | 1 day | up to 100 years | how long it rests after firing |
/// | `after_purchase` | 0 | up to 100 years | how long it holds back after any purchase |
/// | `reach` | message | | whether quiet hours and the cap across triggers hold for it |
/// | `send` | at once | | when the message goes out |
/// | `suggest` | 3 | 0 to 1000 | how many items to suggest |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TriggerRule {
    /// Names it.
    pub name: String,
    /// The situation it waits for.
    pub when: When,
    /// How long it rests after firing.
    pub cooldown: Span,
    /// How long it holds back after any purchase.
    pub after_purchase: Span,
    /// How it reaches the shopper.
    pub reach: Reach,
    /// When the message goes out.
    pub send: SendTime,
    /// How many items to suggest.
    pub suggest: u32,
}

/// How a trigger reaches the shopper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// By mail, push or text: quiet hours hold, and it counts for the cap across triggers.
    #[default]
    Message,
    /// On the page the shopper is looking at: neither holds.
    OnSite,
}

/// When a message goes out once its trigger has fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SendTime {
    /// At once; a trigger that comes true in quiet hours fires at their end, if it still holds.
    #[default]
    AtOnce,
    /// In the hour in which the shopper is most active, within this time from firing and outside quiet hours. At once
    /// where no [`Activity`](super::Activity) is given.
    BestMoment {
        /// How long it may wait.
        within: Span,
    },
}

impl Default for TriggerRule {
    fn default() -> Self {
        Self::new("cart", When::default())
    }
}

impl TriggerRule {
    /// A trigger that rests a day, holds back after no purchase, and suggests three items.
    #[must_use]
    pub fn new(name: impl Into<String>, when: When) -> Self {
        Self {
            name: name.into(),
            when,
            cooldown: Span::days(1),
            after_purchase: Span::ZERO,
            reach: Reach::Message,
            send: SendTime::AtOnce,
            suggest: 3,
        }
    }

    /// With this rest after firing.
    #[must_use]
    pub fn cooldown(mut self, cooldown: Span) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Silent for so long after any purchase.
    #[must_use]
    pub fn after_purchase(mut self, span: Span) -> Self {
        self.after_purchase = span;
        self
    }

    /// On the page, not by message.
    #[must_use]
    pub fn on_site(mut self) -> Self {
        self.reach = Reach::OnSite;
        self
    }

    /// Sent in the shopper's best hour within this time.
    #[must_use]
    pub fn best_moment(mut self, within: Span) -> Self {
        self.send = SendTime::BestMoment { within };
        self
    }

    /// The longest it may lie between firing and sending.
    pub(super) const fn wait(&self) -> Span {
        match self.send {
            SendTime::AtOnce => Span::ZERO,
            SendTime::BestMoment { within } => within,
        }
    }
}

impl Validate for TriggerRule {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "a text that is not empty", "names it in firings and in the state"),
            ParamSpec::typed("when", "a situation with valid parameters", "the situation it waits for"),
            ParamSpec::int("cooldown", 0, CENTURY, "milliseconds it rests after firing"),
            ParamSpec::int("after_purchase", 0, CENTURY, "milliseconds it holds back after any purchase"),
            ParamSpec::typed("reach", "message or on_site", "whether quiet hours and the cap hold for it"),
            ParamSpec::typed("send", "at_once, or best_moment within at most 31 days", "when the message goes out"),
            ParamSpec::int("suggest", 0, 1000, "how many items to suggest"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.name.trim().is_empty() {
            return Err(ParamError::new("name", format_args!("{:?}", self.name), "a text that is not empty"));
        }
        self.when.validate()?;
        check_range::<Self>("cooldown", self.cooldown.as_millis() as f64)?;
        check_range::<Self>("after_purchase", self.after_purchase.as_millis() as f64)?;
        if self.wait() > Span::days(31) {
            let got = self.wait().as_millis();
            return Err(ParamError::new("send.best_moment.within", got, "milliseconds from 0 to 31 days"));
        }
        check_range::<Self>("suggest", self.suggest.into())
    }
}

/// How many messages a shopper may get, whatever the triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrequencyCap {
    /// How many, at least 1.
    pub messages: u32,
    /// Within how long; above 0.
    pub within: Span,
}

/// All triggers of a shop, and what holds across them.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `rules` | the ten of [`TriggerParams::shop`], but those that need an attribute | names differ | in order of precedence: an earlier one has the cap's room |
/// | `cap` | 2 messages within 7 days | at least 1 within more than 0 | what a shopper may get across triggers; none for no cap |
/// | `quiet` | 21:00 to 8:00 | | when no message goes out; none for never |
/// | `zone` | UTC | | the zone of shoppers whose own is not known |
/// | `visit_gap` | 30 minutes | 1 ms to 1 day | the pause that ends a visit |
/// | `remember` | 400 days | up to 100 years | how long it is remembered that a situation has fired; make it longer than any situation lasts |
///
/// # Example
/// ```
/// use likewise::decide::trigger::TriggerParams;
/// use likewise::Validate;
/// let params: TriggerParams = serde_json::from_str(r#"{
///     "cap": {"messages": 1, "within": 86400000},
///     "zone": "+01:00",
///     "rules": [{"name": "cart", "when": {"cart_abandoned": {"after": 7200000}}, "after_purchase": 86400000}]
/// }"#)?;
/// params.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TriggerParams {
    /// The triggers, in order of precedence.
    pub rules: Vec<TriggerRule>,
    /// What a shopper may get across triggers.
    pub cap: Option<FrequencyCap>,
    /// When no message goes out.
    pub quiet: Option<QuietHours>,
    /// The zone of shoppers whose own is not known.
    pub zone: Zone,
    /// The pause that ends a visit.
    pub visit_gap: Span,
    /// How long fired situations are remembered.
    pub remember: Span,
}

impl Default for TriggerParams {
    fn default() -> Self {
        Self {
            rules: Self::shop(None),
            cap: Some(FrequencyCap { messages: 2, within: Span::days(7) }),
            quiet: Some(QuietHours::default()),
            zone: Zone::utc(),
            visit_gap: Span::minutes(30),
            remember: Span::days(400),
        }
    }
}

impl TriggerParams {
    /// All triggers with their defaults, the most urgent first; those about a category only where `attribute` names the
    /// category or tags attribute they go by.
    #[must_use]
    pub fn shop(attribute: Option<&str>) -> Vec<TriggerRule> {
        use super::when::*;
        let week = Span::days(7);
        let mut rules = vec![
            TriggerRule::new("cart", When::CartAbandoned(CartAbandoned::default())).after_purchase(Span::hours(12)),
            TriggerRule::new("price_drop", When::PriceDropped(PriceDropped::default())),
            TriggerRule::new("back_in_stock", When::BackInStock(BackInStock::default())),
            TriggerRule::new("replenishment", When::ReplenishmentDue(ReplenishmentDue::default()))
                .cooldown(week)
                .best_moment(Span::days(1)),
            TriggerRule::new("browse", When::BrowseAbandoned(BrowseAbandoned::default()))
                .cooldown(Span::days(3))
                .after_purchase(Span::days(1)),
            TriggerRule::new("post_purchase", When::PostPurchase(PostPurchase::default()))
                .cooldown(week)
                .best_moment(Span::days(1)),
            TriggerRule::new("win_back", When::WinBack(WinBack::default())).cooldown(Span::days(30)).best_moment(week),
            TriggerRule::new("lingering", When::Lingering(Lingering::default())).on_site().cooldown(Span::hours(4)),
        ];
        if let Some(attribute) = attribute.map(str::to_owned) {
            let hesitation = Hesitation { attribute: attribute.clone(), ..Hesitation::default() };
            let arrival = NewArrival { attribute, ..NewArrival::default() };
            rules.push(TriggerRule::new("hesitation", When::Hesitation(hesitation)).cooldown(week));
            rules.push(
                TriggerRule::new("new_arrival", When::NewArrival(arrival)).cooldown(week).best_moment(Span::days(2)),
            );
        }
        rules
    }
}

impl Validate for TriggerParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("rules", "valid triggers whose names differ", "the triggers, in order of precedence"),
            ParamSpec::typed("cap", "none, or at least 1 message within more than 0", "messages across triggers"),
            ParamSpec::typed("quiet", "none, or minutes of the day", "when no message goes out"),
            ParamSpec::typed("zone", "a time zone", "the zone of shoppers whose own is not known"),
            ParamSpec::int("visit_gap", 1, 86_400_000, "milliseconds of pause that end a visit"),
            ParamSpec::int("remember", 0, CENTURY, "milliseconds for which fired situations are remembered"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        for (number, rule) in self.rules.iter().enumerate() {
            let within = |e: ParamError| ParamError { param: format!("rules[{number}].{}", e.param), ..e };
            rule.validate().map_err(within)?;
            if self.rules[..number].iter().any(|other| other.name == rule.name) {
                return Err(ParamError::new(format!("rules[{number}].name"), &rule.name, "a name no other rule has"));
            }
        }
        if let Some(FrequencyCap { messages, within }) = self.cap {
            if messages == 0 {
                return Err(ParamError::new("cap.messages", messages, "a whole number of at least 1"));
            }
            if within == Span::ZERO {
                return Err(ParamError::new("cap.within", 0, "milliseconds above 0"));
            }
        }
        if let Some(quiet) = self.quiet {
            quiet.validate().map_err(|e| ParamError { param: format!("quiet.{}", e.param), ..e })?;
        }
        check_range::<Self>("visit_gap", self.visit_gap.as_millis() as f64)?;
        check_range::<Self>("remember", self.remember.as_millis() as f64)
    }
}
