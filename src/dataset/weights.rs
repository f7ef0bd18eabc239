//! How much an event of each kind says, and how fast that fades.

use serde::{Deserialize, Serialize};

use crate::event::{EventKind, KindSet};
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::time::{Span, Timestamp};

/// How a quantity or a value becomes a factor of an event's weight. Results are never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Transform {
    /// Factor 1 whatever the number.
    #[default]
    Ignore,
    /// The number itself, at most `cap`.
    Linear {
        /// The largest factor.
        cap: f32,
    },
    /// The square root.
    Sqrt,
    /// `ln(1 + x)`.
    Log1p,
    /// `x - neutral`: ratings above `neutral` speak for the item, below it against it.
    Above {
        /// The rating that says nothing.
        neutral: f32,
    },
}

impl Transform {
    /// The factor for `x`; it is negative only for [`Transform::Above`].
    fn factor(self, x: f32) -> f32 {
        match self {
            Self::Ignore => 1.0,
            Self::Linear { cap } => x.clamp(0.0, cap),
            Self::Sqrt => x.max(0.0).sqrt(),
            Self::Log1p => x.max(0.0).ln_1p(),
            Self::Above { neutral } => x - neutral,
        }
    }

    fn validate(self, field: &str) -> Result<(), ParamError> {
        match self {
            Self::Linear { cap } if !(f32::MIN_POSITIVE..=1e6).contains(&cap) => {
                Err(ParamError::new(format!("{field}.linear.cap"), cap, "a finite number above 0, up to 1000000"))
            }
            Self::Above { neutral } if !(-1e6..=1e6).contains(&neutral) => {
                Err(ParamError::new(format!("{field}.above.neutral"), neutral, "a finite number"))
            }
            _ => Ok(()),
        }
    }
}

/// The weight of one event kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KindWeight {
    /// What one event of this kind counts, `0..=1_000_000`. A [`EventKind::Dislike`] counts against the item.
    pub weight: f32,
    /// After how long it counts half; `None` for never.
    pub half_life: Option<Span>,
    /// What the number of units does.
    pub quantity: Transform,
    /// What the price or the rating does; no value leaves the factor at 1.
    pub value: Transform,
}

impl Default for KindWeight {
    fn default() -> Self {
        Self { weight: 1.0, half_life: None, quantity: Transform::Ignore, value: Transform::Ignore }
    }
}

/// Weight per kind with half-life, quantity and value transforms, and what cancels what.
///
/// | field | default | range |
/// |---|---|---|
/// | `kinds[..].weight` | view, click, search 1, cart, like 3, purchase, dislike 5, rating 1, custom 1, impression, return, removal 0 | 0 to 1e6 |
/// | `kinds[..].half_life` | none | any span |
/// | `kinds[..].quantity`, `value` | ignore (rating: above 3) | caps above 0 |
/// | `cancels` | return→purchase, remove-from-cart→add-to-cart, dislike→like | two different kinds each |
///
/// An event's weight at a time is `weight x quantity factor x value factor x 2^(-age / half_life)`. A cancelling event
/// takes its units off the shopper's latest earlier events of the other kind on the same item; both then count only for
/// what is left.
///
/// # Example
/// ```
/// use likewise::{EventKind, EventWeights, KindWeight, Span, Timestamp, Validate};
/// let half = KindWeight { weight: 4.0, half_life: Some(Span::days(30)), ..KindWeight::default() };
/// let weights = EventWeights::default().with(EventKind::View, half).check()?;
/// let seen = Timestamp::from_secs(0);
/// assert_eq!(weights.of(EventKind::View, 1.0, None, seen, seen.plus(Span::days(30))), 2.0);
/// # Ok::<(), likewise::ParamError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventWeights {
    kinds: Vec<(EventKind, KindWeight)>,
    cancels: Vec<Cancel>,
}

/// Events of kind `by` take back earlier events of kind `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// The kind that cancels.
    pub by: EventKind,
    /// The kind that is cancelled.
    pub of: EventKind,
}

impl Default for EventWeights {
    fn default() -> Self {
        let weigh = |kind, weight| (kind, KindWeight { weight, ..KindWeight::default() });
        let rating = KindWeight { value: Transform::Above { neutral: 3.0 }, ..KindWeight::default() };
        let cancel = |by, of| Cancel { by, of };
        Self {
            kinds: vec![
                weigh(EventKind::View, 1.0),
                weigh(EventKind::Click, 1.0),
                weigh(EventKind::Impression, 0.0),
                weigh(EventKind::Search, 1.0),
                weigh(EventKind::AddToCart, 3.0),
                weigh(EventKind::RemoveFromCart, 0.0),
                weigh(EventKind::Purchase, 5.0),
                weigh(EventKind::Return, 0.0),
                (EventKind::Rating, rating),
                weigh(EventKind::Like, 3.0),
                weigh(EventKind::Dislike, 5.0),
            ],
            cancels: vec![
                cancel(EventKind::Return, EventKind::Purchase),
                cancel(EventKind::RemoveFromCart, EventKind::AddToCart),
                cancel(EventKind::Dislike, EventKind::Like),
            ],
        }
    }
}

impl EventWeights {
    /// With another weight for `kind`.
    #[must_use]
    pub fn with(mut self, kind: EventKind, weight: KindWeight) -> Self {
        match self.kinds.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, old)) => *old = weight,
            None => self.kinds.push((kind, weight)),
        }
        self
    }

    /// With these cancellations instead of the default ones.
    #[must_use]
    pub fn with_cancels(mut self, cancels: Vec<Cancel>) -> Self {
        self.cancels = cancels;
        self
    }

    /// What cancels what.
    #[must_use]
    pub fn cancels(&self) -> &[Cancel] {
        &self.cancels
    }

    /// The weight of `kind`: its own, or [`KindWeight::default`] for one that is not listed.
    #[must_use]
    pub fn kind(&self, kind: EventKind) -> KindWeight {
        self.kinds.iter().find(|(k, _)| *k == kind).map(|(_, w)| *w).unwrap_or_default()
    }

    /// The weight, at time `now`, of an event of this kind, quantity and value that happened `at`.
    ///
    /// Finite always; negative for a dislike or a rating below neutral.
    #[must_use]
    pub fn of(&self, kind: EventKind, quantity: f32, value: Option<f32>, at: Timestamp, now: Timestamp) -> f32 {
        weigh(&self.kind(kind), kind, quantity, value, at, now)
    }

    /// The same by kind code, for loops over many events.
    pub(crate) fn by_code(&self) -> Vec<KindWeight> {
        (0..EventKind::CODES as u8).map(|code| self.kind(EventKind::from_code(code))).collect()
    }

    /// The kinds that can be cancelled or cancel.
    pub(crate) fn cancelling(&self) -> KindSet {
        self.cancels.iter().flat_map(|c| [c.by, c.of]).collect()
    }
}

pub(crate) fn weigh(
    w: &KindWeight,
    kind: EventKind,
    quantity: f32,
    value: Option<f32>,
    at: Timestamp,
    now: Timestamp,
) -> f32 {
    let sign = if kind == EventKind::Dislike { -1.0 } else { 1.0 };
    let factor = f64::from(w.quantity.factor(quantity)) * f64::from(value.map_or(1.0, |v| w.value.factor(v)));
    let fresh = w.half_life.map_or(1.0, |half_life| now.since(at).decay(half_life));
    // In f64, where no product of the three overflows: infinity times a faded zero would be NaN.
    let weight = f64::from(sign * w.weight) * factor * fresh;
    weight.clamp(f64::from(-f32::MAX), f64::from(f32::MAX)) as f32
}

impl Validate for KindWeight {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("weight", 0.0, 1e6, "what one event of the kind counts"),
            ParamSpec::typed("half_life", "any span", "after how long it counts half"),
            ParamSpec::typed("quantity", "caps above 0", "what the number of units does"),
            ParamSpec::typed("value", "caps above 0", "what the price or the rating does"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("weight", self.weight.into())?;
        self.quantity.validate("quantity")?;
        self.value.validate("value")
    }
}

impl Validate for EventWeights {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "each kind once", "weight per kind"),
            ParamSpec::typed("cancels", "two different kinds each", "what takes back what"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        for (i, (kind, w)) in self.kinds.iter().enumerate() {
            w.validate().map_err(|e| ParamError { param: format!("kinds[{kind}].{}", e.param), ..e })?;
            if self.kinds[..i].iter().any(|(other, _)| other == kind) {
                return Err(ParamError::new("kinds", kind, "each kind once"));
            }
        }
        match self.cancels.iter().find(|c| c.by == c.of) {
            Some(c) => Err(ParamError::new("cancels", format!("{} by {}", c.of, c.by), "two different kinds")),
            None => Ok(()),
        }
    }
}
