//! The recipe of [`Transition`](super::Transition).

use serde::{Deserialize, Serialize};

use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::bucket::check_name_and_kinds;
use crate::scorer::cooccur::{PairUnit, Retain};
use crate::scorer::path::{GapLaw, KindFactors, LinkRule, ListRule, PairRule, PathStep, Profile, Repeats, StepRule};
use crate::scorer::{CurrentItem, ReasonCode, VoteDecay};
use crate::time::Span;
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`Transition`](super::Transition).
///
/// The default is a compromise; the presets are better where they fit:
/// [`next_item`](Self::next_item) for one kind of event in a clean order, [`next_click`](Self::next_click) for sessions,
/// [`next_purchase`](Self::next_purchase) for a shop's log of views, carts and purchases.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `transition` | not empty | the scorer's name |
/// | `kinds` | interest | at least one kind | the events that make steps |
/// | `unit` | shopper | | within what items must meet |
/// | `step` | run | | what several events on one item are |
/// | `window` | 50 | 1 to 10000 | the most steps between two items of a pair |
/// | `gap_exponent` | 1 | 0 to 8 | a pair `d` steps apart counts `d^-gap_exponent` |
/// | `gap_half_life` | none | | time between two steps after which their pair counts half |
/// | `back` | 0.35 | 0 to 1 | what the later item says about the earlier one |
/// | `source`, `target` | all 1 | 0 to 16 each | what the kind of the voting and of the wanted step counts |
/// | `source_exponent` | 0.5 | 0 to 1 | divides by the power of how often the voting item occurs |
/// | `target_exponent` | 0.125 | 0 to 1 | divides by the power of how often the wanted item occurs |
/// | `shrinkage` | 0 | 0 to 1e6 | draws weights of thin sums towards zero |
/// | `repeats` | skipped | | whether an item that comes again pairs with itself |
/// | `self_weight` | 0 | 0 to 1e6 | added to what an item says about itself |
/// | `neighbours` | 1000 | 1 to 1000000 | successors kept an item |
/// | `history` | 50 | 1 to 10000 | the shopper's latest steps that vote |
/// | `recency` | positions, half-life 3 | half-life above 0 | how a vote fades |
/// | `profile` | cart 3, purchase 5, else 1 | 0 to 16 each | what the kind of the shopper's own step counts |
/// | `current` | allowed | | whether the item at hand may be recommended again |
/// | `retain` | counts | | what is kept for updates |
/// | `reason` | viewed together | | what the opinion means to a shopper |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransitionParams {
    /// The scorer's name.
    pub name: String,
    /// The events that make steps, of all shoppers and of the one who asks.
    pub kinds: KindSet,
    /// Within what items must meet: a shopper's whole path, or one session.
    pub unit: PairUnit,
    /// What several events on one item are.
    pub step: PathStep,
    /// The most steps between two items of a pair, `1..=10_000`.
    pub window: usize,
    /// A pair `d` steps apart counts `d^-gap_exponent`, `0..=8`.
    pub gap_exponent: f32,
    /// Time between two steps after which their pair counts half; `None` for time does not matter.
    pub gap_half_life: Option<Span>,
    /// What the later item says about the earlier one, as a share of the other direction, `0..=1`.
    pub back: f32,
    /// What the voting step of a pair counts by its kind.
    pub source: KindFactors,
    /// What the wanted step of a pair counts by its kind: a purchase may be worth more than a view.
    pub target: KindFactors,
    /// Weights are divided by the number of steps on the voting item to this power, `0..=1`.
    pub source_exponent: f32,
    /// Weights are divided by the number of steps on the wanted item to this power, `0..=1`.
    pub target_exponent: f32,
    /// A sum `s` weighs `s / (s + shrinkage)` of itself, `0..=1e6`.
    pub shrinkage: f32,
    /// Whether an item that comes again within the window pairs with itself.
    pub repeats: Repeats,
    /// Added to what an item says about itself, after all division, `0..=1e6`; for shelves that may show an item again.
    pub self_weight: f32,
    /// Successors kept an item, `1..=1_000_000`.
    pub neighbours: usize,
    /// The shopper's latest steps that vote, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What the shopper's own step counts by its kind.
    pub profile: KindFactors,
    /// Whether the item at hand may be recommended again, if anything speaks for it.
    pub current: CurrentItem,
    /// What is kept for updates.
    pub retain: Retain,
    /// What the opinion means to a shopper.
    pub reason: ReasonCode,
}

impl Default for TransitionParams {
    fn default() -> Self {
        Self {
            name: "transition".to_owned(),
            kinds: KindSet::INTEREST,
            unit: PairUnit::Shopper,
            step: PathStep::Run,
            window: 50,
            gap_exponent: 1.0,
            gap_half_life: None,
            back: 0.35,
            source: KindFactors::default(),
            target: KindFactors::default(),
            source_exponent: 0.5,
            target_exponent: 0.125,
            shrinkage: 0.0,
            repeats: Repeats::Skipped,
            self_weight: 0.0,
            neighbours: 1000,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 3.0 }),
            profile: KindFactors { add_to_cart: 3.0, purchase: 5.0, ..KindFactors::default() },
            current: CurrentItem::Allowed,
            retain: Retain::Counts,
            reason: ReasonCode::ViewedTogether,
        }
    }
}

impl TransitionParams {
    /// The next item of a sequence of one kind of event: reviews, plays, purchases of things bought once.
    #[must_use]
    pub fn next_item() -> Self {
        Self {
            name: "next_item".to_owned(),
            gap_exponent: 0.5,
            back: 0.25,
            recency: Some(VoteDecay::Positions { half_life: 2.0 }),
            ..Self::default()
        }
    }

    /// The next click of a session; the item at hand may be it.
    #[must_use]
    pub fn next_click() -> Self {
        Self {
            name: "next_click".to_owned(),
            unit: PairUnit::Session,
            step: PathStep::Event,
            window: 15,
            gap_exponent: 1.25,
            source_exponent: 0.8,
            target_exponent: 0.2,
            repeats: Repeats::Counted,
            recency: Some(VoteDecay::Positions { half_life: 0.7 }),
            ..Self::default()
        }
    }

    /// The next purchase, from views, carts and purchases. What is done within the same minute belongs together (one
    /// order, one comparison); what was bought says much more than what was looked at, however long ago.
    #[must_use]
    pub fn next_purchase() -> Self {
        let bought_less = KindFactors { add_to_cart: 0.3, purchase: 0.5, ..KindFactors::default() };
        Self {
            name: "next_purchase".to_owned(),
            window: 3,
            gap_exponent: 0.2,
            gap_half_life: Some(Span::minutes(1)),
            back: 1.0,
            source: bought_less,
            target: KindFactors { purchase: 0.7, ..KindFactors::default() },
            source_exponent: 0.3,
            target_exponent: 0.05,
            shrinkage: 0.1,
            history: 200,
            recency: Some(VoteDecay::Positions { half_life: 34.0 }),
            profile: KindFactors { purchase: 9.0, ..KindFactors::default() },
            reason: ReasonCode::ViewedThenBought,
            ..Self::default()
        }
    }

    pub(super) fn rule(&self) -> LinkRule {
        let Self { unit, kinds, step, window, gap_exponent, back, source, target, repeats, .. } = *self;
        LinkRule {
            pairs: PairRule {
                steps: StepRule { unit, kinds, step },
                window,
                law: GapLaw::Power(gap_exponent),
                half_life: self.gap_half_life,
                back,
                source,
                target,
                repeats,
            },
            lists: ListRule {
                source_exponent: self.source_exponent,
                target_exponent: self.target_exponent,
                shrinkage: self.shrinkage,
                neighbours: self.neighbours,
                self_weight: self.self_weight,
            },
            retain: self.retain,
        }
    }

    pub(super) fn voters(&self) -> Profile {
        let Self { kinds, step, history, recency, profile, .. } = *self;
        Profile { kinds, step, history, decay: recency, factors: profile }
    }
}

impl Validate for TransitionParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::typed("kinds", "at least one kind", "the events that make steps"),
            ParamSpec::typed("unit", "shopper or session", "within what items must meet"),
            ParamSpec::typed("step", "event, run, first or last", "what several events on one item are"),
            ParamSpec::int("window", 1, 10_000, "the most steps between two items of a pair"),
            ParamSpec::real("gap_exponent", 0.0, 8.0, "how a pair fades with the steps between"),
            ParamSpec::typed("gap_half_life", "none or any span", "how a pair fades with the time between"),
            ParamSpec::real("back", 0.0, 1.0, "what the later item says about the earlier one"),
            ParamSpec::typed("source", "0 to 16 each", "what the voting step counts by its kind"),
            ParamSpec::typed("target", "0 to 16 each", "what the wanted step counts by its kind"),
            ParamSpec::real("source_exponent", 0.0, 1.0, "power of the voting item's count to divide by"),
            ParamSpec::real("target_exponent", 0.0, 1.0, "power of the wanted item's count to divide by"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "draws weights of thin sums towards zero"),
            ParamSpec::typed("repeats", "skipped or counted", "whether an item that comes again pairs with itself"),
            ParamSpec::real("self_weight", 0.0, 1e6, "added to what an item says about itself"),
            ParamSpec::int("neighbours", 1, 1_000_000, "successors kept an item"),
            ParamSpec::int("history", 1, 10_000, "latest steps of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("profile", "0 to 16 each", "what the shopper's own step counts by its kind"),
            ParamSpec::typed("current", "allowed or excluded", "whether the item at hand may come again"),
            ParamSpec::typed("retain", "counts or lists_only", "what is kept for updates"),
            ParamSpec::typed("reason", "any code", "what the opinion means to a shopper"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("window", self.window as f64)?;
        check_range::<Self>("gap_exponent", self.gap_exponent.into())?;
        check_range::<Self>("back", self.back.into())?;
        self.source.validate_as("source")?;
        self.target.validate_as("target")?;
        check_range::<Self>("source_exponent", self.source_exponent.into())?;
        check_range::<Self>("target_exponent", self.target_exponent.into())?;
        check_range::<Self>("shrinkage", self.shrinkage.into())?;
        check_range::<Self>("self_weight", self.self_weight.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.profile.validate_as("profile")?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for TransitionParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("unit", Over::OneOf(&["\"shopper\"", "\"session\""])),
            Axis::new("step", Over::OneOf(&["\"event\"", "\"run\"", "\"first\"", "\"last\""])),
            Axis::new("window", Over::LogInt { lo: 2, hi: 100 }),
            Axis::new("gap_half_life", Over::OneOf(&["null", "60000", "600000", "3600000", "86400000"])),
            Axis::new("gap_exponent", Over::Real { lo: 0.0, hi: 2.0 }),
            Axis::new("back", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("source.purchase", Over::Log { lo: 0.25, hi: 4.0 }),
            Axis::new("target.purchase", Over::Log { lo: 0.25, hi: 4.0 }),
            Axis::new("source_exponent", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("target_exponent", Over::Real { lo: 0.0, hi: 0.6 }),
            Axis::new("shrinkage", Over::Real { lo: 0.0, hi: 4.0 }),
            Axis::new("self_weight", Over::Log { lo: 0.001, hi: 1.0 }),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.5, hi: 40.0 }),
            Axis::new("profile.add_to_cart", Over::Log { lo: 0.25, hi: 8.0 }),
            Axis::new("profile.purchase", Over::Log { lo: 0.125, hi: 8.0 }),
        ];
        SPACE
    }
}
