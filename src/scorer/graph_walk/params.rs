//! The recipe of a graph walk.

use serde::{Deserialize, Serialize};

use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::ReasonCode;
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::pairs::{ListScale, PairDecay};
use crate::scorer::vote::{Strength, VoteDecay};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`GraphWalk`](super::GraphWalk). See its [module](super) for the formula.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `graph_walk` | not empty | the scorer's name |
/// | `kinds` | interest | at least one kind | the touches that are edges, and those of the shopper that count |
/// | `edges` | one | | what an edge weighs, by its summed event weights |
/// | `alpha` | 1 | 0 to 8 | power of an edge's weight |
/// | `start` | 0.65 | -2 to 2 | how far the degree of the shopper's own items holds them back |
/// | `middle` | 0.9 | -2 to 2 | how far a shopper's degree holds them back |
/// | `end` | 0.15 | -2 to 2 | how far an item's degree holds it back: beta of RP3-beta |
/// | `neighbours` | none | 1 to 100000 | strongest sources kept an item; none walks the whole graph at each request |
/// | `scale` | as it is | | whether all of the shopper's items have the same say |
/// | `decay` | none | only with `neighbours` | how a step through one shopper fades with time |
/// | `history` | 500 | 1 to 100000 | the shopper's latest distinct items that count |
/// | `recency` | none | half-life above 0 | how an item of the shopper fades |
/// | `strength` | one | | what an item of the shopper counts |
/// | `reason` | similar taste | | what the opinion means to a shopper |
///
/// # Example
/// ```
/// use likewise::{GraphWalkParams, Validate};
/// let published = GraphWalkParams::rp3_beta(1.0, 0.25);
/// assert_eq!((published.start, published.middle, published.end), (1.0, 1.0, 0.25));
/// let wrong = GraphWalkParams { neighbours: Some(0), ..published };
/// assert_eq!(wrong.check().unwrap_err().param, "neighbours");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphWalkParams {
    /// The scorer's name.
    pub name: String,
    /// The touches that are edges, and those of the shopper that count.
    pub kinds: KindSet,
    /// What an edge weighs, by the summed weight of its events.
    pub edges: Strength,
    /// Power of an edge's weight; without effect when all edges weigh 1.
    pub alpha: f32,
    /// Power of the degree by which what leaves an item of the shopper is divided. 1 makes it a probability. Without
    /// effect under [`ListScale::SumToOne`].
    pub start: f32,
    /// Power of the degree by which what leaves a shopper is divided.
    pub middle: f32,
    /// Power of the degree by which what arrives at an item is divided: the more, the less popular items win.
    pub end: f32,
    /// How many of its strongest sources an item keeps, `1..=100_000`; `None` keeps no lists and walks exactly.
    pub neighbours: Option<usize>,
    /// [`ListScale::SumToOne`] gives each item of the shopper the same say, whatever its neighbourhood.
    pub scale: ListScale,
    /// How a step from item to item through one shopper fades with time; only with [`neighbours`](Self::neighbours).
    pub decay: Option<PairDecay>,
    /// The shopper's latest distinct items that count, `1..=100_000`.
    pub history: usize,
    /// How an item of the shopper fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What an item of the shopper counts.
    pub strength: Strength,
    /// What the opinion means to a shopper.
    pub reason: ReasonCode,
}

impl Default for GraphWalkParams {
    fn default() -> Self {
        Self {
            name: "graph_walk".to_owned(),
            kinds: KindSet::INTEREST,
            edges: Strength::One,
            alpha: 1.0,
            start: 0.65,
            middle: 0.9,
            end: 0.15,
            neighbours: None,
            scale: ListScale::AsIs,
            decay: None,
            history: 500,
            recency: None,
            strength: Strength::One,
            reason: ReasonCode::SimilarTaste,
        }
    }
}

impl GraphWalkParams {
    /// P3-alpha (Cooper et al. 2014): the probability of arriving by three random steps.
    #[must_use]
    pub fn p3_alpha(alpha: f32) -> Self {
        Self { name: "p3_alpha".to_owned(), alpha, start: 1.0, middle: 1.0, end: 0.0, ..Self::default() }
    }

    /// RP3-beta (Paudel et al. 2017): the same over the item's degree to the power `beta`.
    #[must_use]
    pub fn rp3_beta(alpha: f32, beta: f32) -> Self {
        Self { name: "rp3_beta".to_owned(), end: beta, ..Self::p3_alpha(alpha) }
    }
}

impl Validate for GraphWalkParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("edges", "one, weight or log", "what an edge weighs"),
            ParamSpec::real("alpha", 0.0, 8.0, "power of an edge's weight"),
            ParamSpec::real("start", -2.0, 2.0, "how far degree holds the shopper's own items back"),
            ParamSpec::real("middle", -2.0, 2.0, "how far degree holds shoppers back"),
            ParamSpec::real("end", -2.0, 2.0, "how far degree holds recommended items back"),
            ParamSpec::typed("neighbours", KEPT, "strongest sources kept an item"),
            ParamSpec::typed("scale", "as_is or sum_to_one", "whether all of the shopper's items have the same say"),
            ParamSpec::typed("decay", "none, or distance or age with neighbours", "how a step fades with time"),
            ParamSpec::int("history", 1, 100_000, "latest distinct items of the shopper that count"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how an item of the shopper fades"),
            ParamSpec::typed("strength", "one, weight or log", "what an item of the shopper counts"),
            ParamSpec::typed("reason", "any code", "what the opinion means to a shopper"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("alpha", self.alpha.into())?;
        check_range::<Self>("start", self.start.into())?;
        check_range::<Self>("middle", self.middle.into())?;
        check_range::<Self>("end", self.end.into())?;
        check_range::<Self>("history", self.history as f64)?;
        match self.neighbours {
            Some(kept) if !(1..=100_000).contains(&kept) => return Err(ParamError::new("neighbours", kept, KEPT)),
            None if self.decay.is_some() => {
                return Err(ParamError::new("decay", "a decay", "none without lists; set neighbours to keep lists"));
            }
            _ => {}
        }
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

const KEPT: &str = "none, or a whole number from 1 to 100000";

impl Tunable for GraphWalkParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("start", Over::Real { lo: 0.0, hi: 1.25 }),
            Axis::new("middle", Over::Real { lo: 0.0, hi: 1.25 }),
            Axis::new("end", Over::Real { lo: 0.0, hi: 0.75 }),
            // Lists win where a few thousand items meet again and again (invoices), the whole graph elsewhere.
            Axis::new("neighbours", Over::OneOf(&["null", "50", "200", "500"])),
            Axis::new("scale", Over::OneOf(&["\"as_is\"", "\"sum_to_one\""])),
            Axis::new("edges", Over::OneOf(&["\"one\"", "\"log\""])),
            Axis::new("strength", Over::OneOf(&["\"one\"", "\"log\""])),
            Axis::new("recency", Over::OneOf(&["null", "{\"positions\":{\"half_life\":10.0}}"])),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 100.0 }),
        ];
        SPACE
    }
}
