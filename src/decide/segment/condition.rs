//! Who belongs to a segment? Conditions on what a shopper did, as data.

use serde::{Deserialize, Serialize};

use crate::catalog::{Select, SelectError};
use crate::event::{EventKind, KindSet};
use crate::time::Span;

/// A condition on one shopper's events up to now.
///
/// `Display` says it in words.
///
/// # Example
/// ```
/// use likewise::decide::segment::Condition;
/// let parents: Condition = serde_json::from_str(r#"{"all": [
///     {"measure": {"items": {"in": {"attribute": "category", "values": ["toys"]}}, "within": 7776000000, "min": 3}},
///     {"measure": {"within": 2592000000, "max": 0}}
/// ]}"#)?;
/// assert_eq!(
///     parents.to_string(),
///     "at least 3 purchases of items with category `toys` in the last 90 days and no purchases in the last 30 days"
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Condition {
    /// Everybody.
    #[default]
    Everyone,
    /// All of these hold; with none, everybody.
    All(Vec<Condition>),
    /// One of these holds; with none, nobody.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// A number made of events lies between two bounds.
    Measure(Measure),
    /// The first or last event of some kind is so old; without such an event it does not hold.
    Since(Since),
    /// The share of events that fall on some items; without any event of the kinds it does not hold.
    Share(Share),
}

/// A number made of some events, between two bounds, both included; at least one bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Measure {
    /// What is counted (events).
    pub what: What,
    /// The events that count (purchases).
    pub kinds: KindSet,
    /// The items they are on (any).
    pub items: Select,
    /// How far back (all).
    pub within: Option<Span>,
    /// The smallest.
    pub min: Option<f64>,
    /// The largest.
    pub max: Option<f64>,
}

impl Default for Measure {
    fn default() -> Self {
        Self { what: What::default(), kinds: BOUGHT, items: Select::All, within: None, min: None, max: None }
    }
}

const BOUGHT: KindSet = KindSet::of(&[EventKind::Purchase]);

/// What a [`Measure`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum What {
    /// Events.
    #[default]
    Events,
    /// Units.
    Units,
    /// Units times price, where a price is known.
    Value,
    /// Distinct items.
    Items,
    /// Sessions: visits, orders.
    Sessions,
    /// Distinct days (UTC).
    Days,
}

/// The age of the first or last event of some kinds, between two bounds, both included; at least one bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Since {
    /// Which.
    pub of: Which,
    /// The events that count (purchases).
    pub kinds: KindSet,
    /// The items they are on (any).
    pub items: Select,
    /// At least so long ago.
    pub min: Option<Span>,
    /// At most so long ago.
    pub max: Option<Span>,
}

impl Default for Since {
    fn default() -> Self {
        Self { of: Which::default(), kinds: BOUGHT, items: Select::All, min: None, max: None }
    }
}

/// The first or the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The first.
    First,
    /// The last.
    #[default]
    Last,
}

/// Of the events of some kinds, the share on some items, between two bounds from 0 to 1, both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Share {
    /// The events that count (purchases).
    pub kinds: KindSet,
    /// The items whose share it is.
    pub items: Select,
    /// How far back (all).
    pub within: Option<Span>,
    /// The smallest share.
    pub min: Option<f64>,
    /// The largest share.
    pub max: Option<f64>,
}

impl Default for Share {
    fn default() -> Self {
        Self { kinds: BOUGHT, items: Select::All, within: None, min: None, max: None }
    }
}

/// A named segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentRule {
    /// What it is called, also in [`Audience::Segment`](crate::Audience::Segment).
    pub name: String,
    /// Who is in it.
    pub when: Condition,
}

impl SegmentRule {
    /// A segment.
    #[must_use]
    pub fn new(name: impl Into<String>, when: Condition) -> Self {
        Self { name: name.into(), when }
    }
}

/// A segment that cannot be meant.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// A field out of its range.
    #[error("segment {segment:?}: {field} = {got} is not allowed; expected {expected}")]
    Field {
        /// The segment.
        segment: String,
        /// The field, with the path to it: `when.all[1].measure.max`.
        field: String,
        /// What it was.
        got: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Items that cannot be meant, or that the catalogue cannot tell.
    #[error("segment {segment:?}: {field}: {source}")]
    Items {
        /// The segment.
        segment: String,
        /// The field, with the path to it.
        field: String,
        /// Why.
        source: SelectError,
    },
}

/// Where in a segment something is.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) segment: &'a str,
    pub(super) path: String,
}

impl Place<'_> {
    pub(super) fn at(&self, more: impl std::fmt::Display) -> Self {
        Place { segment: self.segment, path: format!("{}{more}", self.path) }
    }

    pub(super) fn field<T>(&self, got: impl std::fmt::Display, expected: &'static str) -> Result<T, SegmentError> {
        let (segment, field) = (self.segment.to_owned(), self.path.clone());
        Err(SegmentError::Field { segment, field, got: got.to_string(), expected })
    }

    pub(super) fn items(&self, source: SelectError) -> SegmentError {
        SegmentError::Items { segment: self.segment.to_owned(), field: self.path.clone(), source }
    }

    /// Two bounds: at least one, neither NaN, in order, each in `lo..=hi`.
    fn bounds(
        &self,
        min: Option<f64>,
        max: Option<f64>,
        (lo, hi): (f64, f64),
        expected: &'static str,
    ) -> Result<(), SegmentError> {
        if min.is_none() && max.is_none() {
            return self.at(".min").field("none", "a bound: min, max or both");
        }
        for (name, bound) in [(".min", min), (".max", max)] {
            if let Some(bound) = bound.filter(|bound| !(lo..=hi).contains(bound)) {
                return self.at(name).field(bound, expected);
            }
        }
        match (min, max) {
            (Some(min), Some(max)) if min > max => self.at(".max").field(max, "a number not below min"),
            _ => Ok(()),
        }
    }

    fn kinds(&self, kinds: KindSet) -> Result<(), SegmentError> {
        if kinds.is_empty() { self.at(".kinds").field("[]", "at least one kind") } else { Ok(()) }
    }

    fn select(&self, items: &Select) -> Result<(), SegmentError> {
        items.validate().map_err(|source| self.at(".items").items(source))
    }
}

impl Condition {
    /// The deepest nesting that is allowed.
    pub const MAX_DEPTH: usize = 32;

    pub(super) fn validate_at(&self, place: &Place<'_>, depth: usize) -> Result<(), SegmentError> {
        if depth > Self::MAX_DEPTH {
            return place.field("nested too deeply", "at most 32 levels");
        }
        let each = |name: &str, parts: &[Self]| {
            let part = |(i, part): (usize, &Self)| part.validate_at(&place.at(format!(".{name}[{i}]")), depth + 1);
            parts.iter().enumerate().try_for_each(part)
        };
        const ANY: (f64, f64) = (0.0, f64::MAX);
        match self {
            Self::Everyone => Ok(()),
            Self::All(parts) => each("all", parts),
            Self::Any(parts) => each("any", parts),
            Self::Not(part) => part.validate_at(&place.at(".not"), depth + 1),
            Self::Measure(m) => {
                let place = place.at(".measure");
                place.kinds(m.kinds)?;
                place.select(&m.items)?;
                place.bounds(m.min, m.max, ANY, "a finite number of at least 0")
            }
            Self::Since(s) => {
                let place = place.at(".since");
                place.kinds(s.kinds)?;
                place.select(&s.items)?;
                let number = |span: Option<Span>| span.map(|span| span.as_millis() as f64);
                place.bounds(number(s.min), number(s.max), ANY, "a span")
            }
            Self::Share(s) => {
                let place = place.at(".share");
                place.kinds(s.kinds)?;
                place.select(&s.items)?;
                place.bounds(s.min, s.max, (0.0, 1.0), "a number from 0 to 1")
            }
        }
    }
}
