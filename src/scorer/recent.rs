//! What the shopper looked at lately, and has not dealt with since.
//!
//! **When:** "continue where you left off" shelves, and as a small part of a blend. Works for anonymous sessions and for
//! items nobody else ever saw. **When not:** with a filter on seen items, which takes away everything it proposes.
//!
//! Cost: nothing is learned; score and propose `O(history)`, whatever the number of items.

use serde::{Deserialize, Serialize};

use super::bucket::{KINDS, NAME, check_name_and_kinds};
use super::{
    Candidates, Context, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet, Workspace,
};
use crate::dataset::Extent;
use crate::event::{EventKind, KindSet};
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::time::Span;
use crate::tune::{Axis, DAY, Over, Tunable};

/// What "lately" means.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Recency {
    /// By place: the latest item scores 1, the one `half` places before it ½.
    Place {
        /// Places after which the score is half; above 0, at most 10,000.
        half: f32,
    },
    /// By time before the request: 1 at once, ½ after `half_life`. A touch later than the request counts as at once.
    Time {
        /// Time after which the score is half; above 0.
        half_life: Span,
    },
}

/// What [`Recent`] looks at.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `recent` | not empty | what the scorer is called |
/// | `kinds` | view, click, cart, like | at least one | the touches that count |
/// | `unless` | purchase, dislike | | a later touch of such a kind takes the item out |
/// | `recency` | place, half 5 | half above 0 | how the score falls |
/// | `items` | 50 | 1 to 10,000 | the most items it has an opinion on |
///
/// # Example
/// ```
/// use likewise::{Recency, RecentParams, Span, Validate};
/// let two_days = Recency::Time { half_life: Span::days(2) };
/// assert!(RecentParams { recency: two_days, ..RecentParams::default() }.check().is_ok());
/// let never = Recency::Time { half_life: Span::ZERO };
/// let error = RecentParams { recency: never, ..RecentParams::default() }.check().unwrap_err();
/// assert_eq!(error.param, "recency.time.half_life");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecentParams {
    /// What the scorer is called.
    pub name: String,
    /// The touches that count.
    pub kinds: KindSet,
    /// A touch of such a kind takes the item out, until it is touched again by one of `kinds`.
    pub unless: KindSet,
    /// How the score falls.
    pub recency: Recency,
    /// The most items it has an opinion on.
    pub items: u32,
}

impl Default for RecentParams {
    fn default() -> Self {
        Self {
            name: "recent".to_owned(),
            kinds: KindSet::of(&[EventKind::View, EventKind::Click, EventKind::AddToCart, EventKind::Like]),
            unless: KindSet::of(&[EventKind::Purchase, EventKind::Dislike]),
            recency: Recency::Place { half: 5.0 },
            items: 50,
        }
    }
}

impl Validate for RecentParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("unless", "any kinds", "later touches that take an item out"),
            ParamSpec::typed("recency", "half above 0, at most 10000 places", "how the score falls"),
            ParamSpec::int("items", 1, 10_000, "the most items it has an opinion on"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        match self.recency {
            Recency::Place { half } if !(f32::MIN_POSITIVE..=10_000.0).contains(&half) => {
                return Err(ParamError::new("recency.place.half", half, "a number above 0, at most 10000"));
            }
            Recency::Time { half_life } if half_life == Span::ZERO => {
                return Err(ParamError::new("recency.time.half_life", 0, "a span above 0"));
            }
            _ => {}
        }
        check_range::<Self>("items", self.items.into())
    }
}

impl Tunable for RecentParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("recency", Over::OneOf(&["{\"place\":{\"half\":5.0}}", "{\"time\":{\"half_life\":2592000000}}"])),
            Axis::new("recency.place.half", Over::Log { lo: 0.5, hi: 50.0 }),
            Axis::new("recency.time.half_life", Over::LogInt { lo: DAY, hi: 365 * DAY }),
            Axis::new("items", Over::LogInt { lo: 10, hi: 1_000 }),
        ];
        SPACE
    }
}

/// What the shopper looked at lately. See [`RecentParams`].
#[derive(Clone, Debug, PartialEq)]
pub struct Recent {
    params: RecentParams,
    extent: Extent,
}

impl Fit for Checked<RecentParams> {
    type Model = Recent;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("recent", self)
    }

    /// Learns nothing: all it needs comes with the request. `O(1)`.
    fn fit(&self, train: &TrainingSet<'_>, _: &Run<'_>) -> Result<Recent, FitError> {
        Ok(Recent { params: (**self).clone(), extent: train.data.extent() })
    }
}

impl Recent {
    /// Calls `f(item, score)` for each item the shopper touched lately, distinct, latest first.
    fn walk(&self, cx: &Context<'_>, ws: &mut Workspace, mut f: impl FnMut(ItemIdx, f32)) {
        let mut met = ws.take_set(cx.shelf.n_items());
        let mut place = 0;
        for touch in cx.history {
            if place == self.params.items {
                break;
            }
            let taken_out = self.params.unless.contains(touch.kind);
            let counts = taken_out || self.params.kinds.contains(touch.kind);
            // An item is settled by its latest touch that says anything.
            if !counts || !met.insert(touch.item) || taken_out || !self.knows(cx, touch.item) {
                continue;
            }
            let score = match self.params.recency {
                Recency::Place { half } => (-f64::from(place) / f64::from(half)).exp2(),
                Recency::Time { half_life } => cx.now.since(touch.at).decay(half_life),
            };
            f(touch.item, score as f32);
            place += 1;
        }
        ws.give_set(met);
    }

    /// An item from after the fit is known as soon as it is in the catalogue.
    fn knows(&self, cx: &Context<'_>, item: ItemIdx) -> bool {
        item.as_usize() < self.extent.n_items || cx.shelf.row(item).is_some()
    }
}

impl Scorer for Recent {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.walk(cx, ws, |item, score| {
            if let Some(slot) = out.slot_of(item) {
                out.set_because(slot, score, item);
            }
        });
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut scored = ws.take_scored();
        self.walk(cx, ws, |item, score| scored.push(Scored { item, score }));
        // By time, a session with a wrong clock need not come first.
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::RecentlyViewed
    }
}

crate::persist::portable!(Recent { params, extent });
