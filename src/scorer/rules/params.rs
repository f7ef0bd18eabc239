//! The recipes of [`Rules`](super::Rules).

use serde::{Deserialize, Serialize};

use super::Recipe;
use crate::event::KindSet;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::bucket::check_name_and_kinds;
use crate::scorer::cooccur::{PairUnit, Retain};
use crate::scorer::path::{GapLaw, KindFactors, LinkRule, ListRule, PairRule, PathStep, Profile, Repeats, StepRule};
use crate::scorer::{CurrentItem, VoteDecay};
use crate::tune::{Axis, Over, Tunable};

/// What a click counts for one `d` clicks before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepWeight {
    /// `1 / d`.
    #[default]
    Div,
    /// `1 / d^2`.
    Quadratic,
    /// `1 - d / 10`, nothing from ten on.
    Linear,
    /// `1 / log10(d + 1.7)`.
    Log,
}

impl StepWeight {
    const fn law(self) -> GapLaw {
        match self {
            Self::Div => GapLaw::Power(1.0),
            Self::Quadratic => GapLaw::Power(2.0),
            Self::Linear => GapLaw::Linear,
            Self::Log => GapLaw::Log,
        }
    }
}

/// Recipe for [`Rules`](super::Rules) that respect order: clicks `p < q` of one session, at most `steps` apart, add
/// [`StepWeight`] of `q - p` to the rule from the item of `p` to the item of `q`, itself included.
///
/// The rules as published ask with the item at hand only, and keep 20 an item: `history` 1, `rules` 20.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `sequential_rules` | not empty | the scorer's name |
/// | `kinds` | interest | at least one kind | the events that are clicks |
/// | `steps` | 15 | 1 to 10000 | the most clicks between the two |
/// | `weighting` | div | | what they count by their distance |
/// | `rules` | 200 | 1 to 1000000 | rules kept an item |
/// | `history` | 50 | 1 to 10000 | latest clicks that ask for their rules |
/// | `recency` | positions, half-life 1 | half-life above 0 | how their say fades |
/// | `current` | allowed | | whether the item at hand may come again |
/// | `retain` | counts | | what is kept for updates |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequentialRulesParams {
    /// The scorer's name.
    pub name: String,
    /// The events that are clicks.
    pub kinds: KindSet,
    /// The most clicks from the one to the other, `1..=10_000`.
    pub steps: usize,
    /// What they count by their distance.
    pub weighting: StepWeight,
    /// Rules kept an item, `1..=1_000_000`.
    pub rules: usize,
    /// The shopper's latest clicks that ask for their rules, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How their say fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// Whether the item at hand may be recommended again.
    pub current: CurrentItem,
    /// What is kept for updates.
    pub retain: Retain,
}

impl Default for SequentialRulesParams {
    fn default() -> Self {
        Self {
            name: "sequential_rules".to_owned(),
            kinds: KindSet::INTEREST,
            steps: 15,
            weighting: StepWeight::Div,
            rules: 200,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 1.0 }),
            current: CurrentItem::Allowed,
            retain: Retain::Counts,
        }
    }
}

impl SequentialRulesParams {
    pub(super) fn counted(&self) -> Recipe<'_> {
        let Self { kinds, steps, weighting, rules, history, recency, current, retain, .. } = *self;
        let rule = rule(kinds, steps, weighting.law(), 0.0, rules, retain);
        Recipe { name: &self.name, profile: asking(kinds, history, recency), current, rule }
    }
}

/// Recipe for [`Rules`](super::Rules) that do not look at order: every two clicks of one session, at most `steps` apart,
/// add 1 to the rules between their items in both directions. Two clicks on one item so add 2 to its rule to itself.
///
/// The rules as published ask with the item at hand only, and keep 20 an item: `history` 1, `rules` 20.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `association_rules` | not empty | the scorer's name |
/// | `kinds` | interest | at least one kind | the events that are clicks |
/// | `steps` | 1000 | 1 to 10000 | the most clicks between the two: bounds the work on a robot's session |
/// | `rules` | 200 | 1 to 1000000 | rules kept an item |
/// | `history` | 50 | 1 to 10000 | latest clicks that ask for their rules |
/// | `recency` | positions, half-life 1 | half-life above 0 | how their say fades |
/// | `current` | allowed | | whether the item at hand may come again |
/// | `retain` | counts | | what is kept for updates |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AssociationRulesParams {
    /// The scorer's name.
    pub name: String,
    /// The events that are clicks.
    pub kinds: KindSet,
    /// The most clicks from the one to the other, `1..=10_000`.
    pub steps: usize,
    /// Rules kept an item, `1..=1_000_000`.
    pub rules: usize,
    /// The shopper's latest clicks that ask for their rules, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How their say fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// Whether the item at hand may be recommended again.
    pub current: CurrentItem,
    /// What is kept for updates.
    pub retain: Retain,
}

impl Default for AssociationRulesParams {
    fn default() -> Self {
        let SequentialRulesParams { kinds, rules, history, recency, current, retain, .. } = Default::default();
        Self { name: "association_rules".to_owned(), kinds, steps: 1000, rules, history, recency, current, retain }
    }
}

impl AssociationRulesParams {
    pub(super) fn counted(&self) -> Recipe<'_> {
        let Self { kinds, steps, rules, history, recency, current, retain, .. } = *self;
        let rule = rule(kinds, steps, GapLaw::Power(0.0), 1.0, rules, retain);
        Recipe { name: &self.name, profile: asking(kinds, history, recency), current, rule }
    }
}

fn rule(kinds: KindSet, window: usize, law: GapLaw, back: f32, rules: usize, retain: Retain) -> LinkRule {
    LinkRule {
        pairs: PairRule {
            steps: StepRule { unit: PairUnit::Session, kinds, step: PathStep::Event },
            window,
            law,
            half_life: None,
            back,
            source: KindFactors::default(),
            target: KindFactors::default(),
            repeats: Repeats::Counted,
        },
        lists: ListRule {
            source_exponent: 0.0,
            target_exponent: 0.0,
            shrinkage: 0.0,
            neighbours: rules,
            self_weight: 0.0,
        },
        retain,
    }
}

fn asking(kinds: KindSet, history: usize, decay: Option<VoteDecay>) -> Profile {
    Profile { kinds, step: PathStep::Event, history, decay, factors: KindFactors::default() }
}

const NAME: ParamSpec = ParamSpec::typed("name", "not empty", "the scorer's name");
const KINDS: ParamSpec = ParamSpec::typed("kinds", "at least one kind", "the events that are clicks");
const STEPS: ParamSpec = ParamSpec::int("steps", 1, 10_000, "the most clicks between the two");
const RULES: ParamSpec = ParamSpec::int("rules", 1, 1_000_000, "rules kept an item");
const HISTORY: ParamSpec = ParamSpec::int("history", 1, 10_000, "latest clicks that ask for their rules");
const RECENCY: ParamSpec = ParamSpec::typed("recency", "none, or a half-life above 0", "how their say fades");
const CURRENT: ParamSpec =
    ParamSpec::typed("current", "allowed or excluded", "whether the item at hand may come again");
const RETAIN: ParamSpec = ParamSpec::typed("retain", "counts or lists_only", "what is kept for updates");

impl Validate for SequentialRulesParams {
    fn table() -> &'static [ParamSpec] {
        const WEIGHTING: ParamSpec =
            ParamSpec::typed("weighting", "div, quadratic, linear or log", "what two clicks count by their distance");
        const TABLE: &[ParamSpec] = &[NAME, KINDS, STEPS, WEIGHTING, RULES, HISTORY, RECENCY, CURRENT, RETAIN];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("steps", self.steps as f64)?;
        check_range::<Self>("rules", self.rules as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Validate for AssociationRulesParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[NAME, KINDS, STEPS, RULES, HISTORY, RECENCY, CURRENT, RETAIN];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("steps", self.steps as f64)?;
        check_range::<Self>("rules", self.rules as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Tunable for SequentialRulesParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("steps", Over::LogInt { lo: 2, hi: 40 }),
            Axis::new("weighting", Over::OneOf(&["\"div\"", "\"quadratic\"", "\"log\""])),
            Axis::new("rules", Over::LogInt { lo: 20, hi: 1000 }),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.125, hi: 8.0 }),
            Axis::new("current", Over::OneOf(&["\"allowed\"", "\"excluded\""])),
        ];
        SPACE
    }
}

impl Tunable for AssociationRulesParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("rules", Over::LogInt { lo: 20, hi: 1000 }),
            Axis::new("recency.positions.half_life", Over::Log { lo: 0.125, hi: 8.0 }),
            Axis::new("current", Over::OneOf(&["\"allowed\"", "\"excluded\""])),
        ];
        SPACE
    }
}
