//! The shop's own say: pins, boosts, caps and slots as data.

use serde::{Deserialize, Serialize};

use super::rerank::WhenShort;
use crate::catalog::{Select, SelectError};
use crate::scorer::Context;
use crate::time::Timestamp;

/// One merchandising rule: what, when, for whom, where. Rules are data: keep them in JSON, change them with a new
/// snapshot, refit nothing.
///
/// **Order and contradictions.** Rules act in the order of the list. Of two pins on one place the earlier has it and
/// the later takes the next free one; a second pin of one item is void; both are logged with the result. Boosts and
/// buries on one item add up. A pin or slot wins against a cap, and counts for it.
///
/// # Example
/// ```
/// use likewise::Rule;
/// let rule: Rule = serde_json::from_str(r#"{
///     "id": "christmas",
///     "from": 1321000000000, "until": 1324800000000,
///     "audience": "everyone",
///     "action": { "boost": { "items": { "in": { "attribute": "category", "values": ["Christmas"] } }, "by": 0.2 } }
/// }"#)?;
/// rule.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names it in logs and contributions; unique in a ranker.
    pub id: String,
    /// Valid from this time on; `None` for ever since.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// Valid before this time; `None` for ever after.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// For whom.
    #[serde(default)]
    pub audience: Audience,
    /// On which page slot ([`Request::placement`](crate::Request::placement)); `None` for everywhere.
    #[serde(default)]
    pub placement: Option<String>,
    /// What it does.
    pub action: Action,
}

/// Who a rule is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Audience {
    /// Everybody.
    #[default]
    Everyone,
    /// Requests without a profile.
    Anonymous,
    /// Requests with a profile that is known.
    Profiled,
    /// Shoppers with fewer than this many touches in profile and session.
    FewerTouchesThan(usize),
    /// Requests that carry this segment ([`Request::segments`](crate::Request::segments)).
    Segment(String),
}

/// Whether a pin heeds the filters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinFilters {
    /// A filtered item is not pinned; the log says so.
    #[default]
    Respect,
    /// The item is shown whatever the filters say, also when the request excludes it.
    Override,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Puts one item at one place of the whole list (0 is the first; pages do not matter). In a list that ends before,
    /// it comes last.
    Pin {
        /// The item's id.
        item: String,
        /// The place.
        position: usize,
        /// Whether filters are heeded.
        #[serde(default)]
        filters: PinFilters,
    },
    /// Adds to the blended score of matching candidates.
    Boost {
        /// Which.
        items: Select,
        /// How much: above 0, up to 1000, in units of the blended score.
        by: f32,
    },
    /// Takes from the blended score of matching candidates.
    Bury {
        /// Which.
        items: Select,
        /// How much: above 0, up to 1000, in units of the blended score.
        by: f32,
    },
    /// Caps a list like [`CapParams`](crate::CapParams).
    Cap {
        /// Whose values are capped.
        attribute: String,
        /// How many items may share one, 1 to 1000.
        max: usize,
        /// What happens when only capped items are left.
        #[serde(default)]
        when_short: WhenShort,
    },
    /// Keeps one place for the best matching candidate (or fallback); without any the place is released.
    Slot {
        /// The place.
        position: usize,
        /// Which items may have it.
        items: Select,
    },
}

/// The last place a pin or slot may name.
pub const MAX_POSITION: usize = 9_999;

/// A rule that cannot be meant.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A field out of its range.
    #[error("rule {rule:?}: {field} = {got} is not allowed; expected {expected}")]
    Field {
        /// The rule's id.
        rule: String,
        /// The field.
        field: &'static str,
        /// Its value.
        got: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Two rules of one id.
    #[error("rule id {rule:?} is used twice; every rule needs one of its own")]
    Twice {
        /// The id.
        rule: String,
    },
    /// A selection that cannot work.
    #[error("rule {rule:?}: {source}")]
    Select {
        /// The rule's id.
        rule: String,
        /// Why.
        source: SelectError,
    },
}

impl Rule {
    /// An always valid rule for everyone, everywhere.
    #[must_use]
    pub fn new(id: impl Into<String>, action: Action) -> Self {
        Self { id: id.into(), from: None, until: None, audience: Audience::Everyone, placement: None, action }
    }

    /// Whether it can be meant. A ranker checks its rules when it is built.
    ///
    /// # Errors
    /// [`RuleError`] names the field.
    pub fn validate(&self) -> Result<(), RuleError> {
        let field = |field, got: String, expected| RuleError::Field { rule: self.id.clone(), field, got, expected };
        if self.id.is_empty() {
            return Err(field("id", String::new(), "a name"));
        }
        if let (Some(from), Some(until)) = (self.from, self.until)
            && from >= until
        {
            return Err(field("until", until.millis().to_string(), "a time after from"));
        }
        let select =
            |items: &Select| items.validate().map_err(|source| RuleError::Select { rule: self.id.clone(), source });
        let place = |position: usize| match position {
            0..=MAX_POSITION => Ok(()),
            _ => Err(field("position", position.to_string(), "a place from 0 to 9999")),
        };
        match &self.action {
            Action::Pin { item, .. } if item.is_empty() => Err(field("item", String::new(), "an item id")),
            Action::Pin { position, .. } => place(*position),
            Action::Boost { items, by } | Action::Bury { items, by } => {
                if !(f32::MIN_POSITIVE..=1000.0).contains(by) {
                    return Err(field("by", by.to_string(), "a finite number above 0, up to 1000"));
                }
                select(items)
            }
            Action::Cap { max, .. } if !(1..=1000).contains(max) => {
                Err(field("max", max.to_string(), "a whole number from 1 to 1000"))
            }
            Action::Cap { .. } => Ok(()),
            Action::Slot { position, items } => {
                place(*position)?;
                select(items)
            }
        }
    }

    /// Whether it applies to a request.
    pub(crate) fn applies(&self, cx: &Context<'_>, page: &Page<'_>) -> bool {
        let valid = self.from.is_none_or(|from| from <= cx.now) && self.until.is_none_or(|until| cx.now < until);
        let here = self.placement.as_deref().is_none_or(|placement| page.placement == Some(placement));
        let meant = match &self.audience {
            Audience::Everyone => true,
            Audience::Anonymous => cx.user.is_none(),
            Audience::Profiled => cx.user.is_some(),
            Audience::FewerTouchesThan(n) => {
                let stored = cx.user.map_or(0, |user| cx.dataset.events_of(user).until(cx.now).len());
                cx.session_len + stored < *n
            }
            Audience::Segment(name) => page.segments.contains(&name.as_str()),
        };
        valid && here && meant
    }
}

/// Where a list is shown and for which segments: what rules ask besides the context.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Page<'a> {
    pub(crate) placement: Option<&'a str>,
    pub(crate) segments: &'a [&'a str],
}

/// Checks all rules of a ranker, and that no id is used twice.
pub(crate) fn validate_all(rules: &[Rule]) -> Result<(), RuleError> {
    for (i, rule) in rules.iter().enumerate() {
        rule.validate()?;
        if rules[..i].iter().any(|other| other.id == rule.id) {
            return Err(RuleError::Twice { rule: rule.id.clone() });
        }
    }
    Ok(())
}
