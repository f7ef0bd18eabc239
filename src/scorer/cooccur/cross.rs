//! Several kinds of behaviour as evidence for one outcome.
//!
//! Correlated cross-occurrence (Ferrel & Dunning, Universal Recommender): each indicator is the matrix `P' A`, with `P`
//! the outcome and `A` the indicator by shopper, its entries weighed by the log-likelihood ratio. The score of item `b`
//! is `Σ_i weight_i Σ_a vote(a) w_i(a → b)` over the shopper's items `a` of indicator `i`.
//!
//! Use it where the outcome (a purchase) is rare and other behaviour (views, carts, searches) plentiful. Costs and
//! memory are those of one [`CoOccurrence`](super::CoOccurrence) an indicator.

use serde::{Deserialize, Serialize};

use super::lists::{Link, LinkRule, ListRule, Retain};
use super::units::{PairOrder, PairRule, PairUnit};
use super::vote::{Electorate, Vote, VoteDecay, Voting};
use super::{PairCounts, PairWeight, not_empty, some_kind};
use crate::catalog::Shelf;
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::event::{EventKind, KindSet};
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, ReasonCode, Scored, Scorer, Scores, TrainingSet, Workspace,
};

/// One kind of behaviour that tells of the outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Indicator {
    /// The behaviour: what is done to the first item of a pair.
    pub kinds: KindSet,
    /// What its votes count, `0..=1_000_000`.
    pub weight: f32,
    /// How pairs are weighed.
    pub pair: PairWeight,
    /// Whether the behaviour must come before the outcome.
    pub order: PairOrder,
    /// A pair met in `n` units weighs `n / (n + shrinkage)` of its weight; `0..=1_000_000`.
    pub shrinkage: f32,
    /// Units a pair must be met in, `1..=1_000_000_000`.
    pub min_support: u32,
    /// What its votes mean to a shopper.
    pub reason: ReasonCode,
}

impl Default for Indicator {
    fn default() -> Self {
        Self {
            kinds: KindSet::of(&[EventKind::Purchase]),
            weight: 1.0,
            pair: PairWeight::Llr,
            order: PairOrder::Any,
            shrinkage: 0.0,
            min_support: 2,
            reason: ReasonCode::BoughtTogether,
        }
    }
}

/// Recipe for [`CrossOccurrence`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `cross_occurrence` | not empty | the scorer's name |
/// | `unit` | shopper | | within what items must meet |
/// | `target` | purchase | at least one kind | the outcome |
/// | `indicators` | purchase 1, cart 0.5, view and click 0.25 | 1 to 16 | the behaviour that tells of it |
/// | `indicators[..].weight` | 1 | 0 to 1e6 | what an indicator's votes count |
/// | `indicators[..].shrinkage` | 0 | 0 to 1e6 | draws pairs met in few units towards zero |
/// | `indicators[..].min_support` | 2 | 1 to 1e9 | units a pair must be met in |
/// | `neighbours` | 50 | 1 to 10000 | neighbours kept an item and indicator |
/// | `max_items` | 200 | 2 to 100000 | of a unit only the latest so many distinct items count |
/// | `history` | 50 | 1 to 10000 | the shopper's latest distinct items that vote, an indicator |
/// | `recency` | positions, half-life 10 | half-life above 0 | how a vote fades |
/// | `retain` | counts | | what is kept for updates |
/// | `reason` | similar taste | | what the opinion as a whole means to a shopper |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossOccurrenceParams {
    /// The scorer's name.
    pub name: String,
    /// Within what items must meet.
    pub unit: PairUnit,
    /// The outcome: what is done to the second item of a pair.
    pub target: KindSet,
    /// The behaviour that tells of it, 1 to 16 kinds of it.
    pub indicators: Vec<Indicator>,
    /// Neighbours kept an item and indicator, `1..=10_000`.
    pub neighbours: usize,
    /// Of a unit only the latest so many distinct items count (of one indicator or the target), `2..=100_000`.
    pub max_items: usize,
    /// The shopper's latest distinct items that vote, for each indicator; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What is kept for updates.
    pub retain: Retain,
    /// What the opinion as a whole means to a shopper; each indicator has a code of its own.
    pub reason: ReasonCode,
}

impl Default for CrossOccurrenceParams {
    fn default() -> Self {
        let after = |kinds: &[EventKind], weight| Indicator {
            kinds: KindSet::of(kinds),
            weight,
            reason: ReasonCode::ViewedThenBought,
            ..Indicator::default()
        };
        Self {
            name: "cross_occurrence".to_owned(),
            unit: PairUnit::Shopper,
            target: KindSet::of(&[EventKind::Purchase]),
            indicators: vec![
                Indicator::default(),
                after(&[EventKind::AddToCart], 0.5),
                after(&[EventKind::View, EventKind::Click], 0.25),
            ],
            neighbours: 50,
            max_items: 200,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 10.0 }),
            retain: Retain::Counts,
            reason: ReasonCode::SimilarTaste,
        }
    }
}

impl CrossOccurrenceParams {
    fn rule(&self, indicator: &Indicator) -> LinkRule {
        let Self { unit, target, neighbours, max_items, retain, .. } = *self;
        let Indicator { kinds, pair, order, shrinkage, min_support, .. } = *indicator;
        LinkRule {
            pairs: PairRule { unit, from: kinds, to: target, order, max_items },
            lists: ListRule { weight: pair, shrinkage, min_support, min_lift: 0.0, neighbours },
            retain,
        }
    }
}

impl Validate for CrossOccurrenceParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::typed("unit", "shopper or session", "within what items must meet"),
            ParamSpec::typed("target", "at least one kind", "the outcome"),
            ParamSpec::typed(
                "indicators",
                "1 to 16, each with at least one kind, weight and shrinkage from 0 to 1000000, min_support from 1",
                "the behaviour that tells of the outcome",
            ),
            ParamSpec::int("neighbours", 1, 10_000, "neighbours kept an item and indicator"),
            ParamSpec::int("max_items", 2, 100_000, "latest distinct items of a unit that count"),
            ParamSpec::int("history", 1, 10_000, "latest distinct items of the shopper that vote"),
            ParamSpec::typed("recency", "none, or a half-life above 0", "how a vote fades"),
            ParamSpec::typed("retain", "counts or lists_only", "what is kept for updates"),
            ParamSpec::typed("reason", "any code", "what the opinion means to a shopper"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        not_empty("name", &self.name)?;
        some_kind("target", self.target)?;
        if !(1..=16).contains(&self.indicators.len()) {
            return Err(ParamError::new("indicators", self.indicators.len(), "1 to 16 of them"));
        }
        for (i, indicator) in self.indicators.iter().enumerate() {
            indicator.validate(&format!("indicators[{i}]"))?;
        }
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("max_items", self.max_items as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

impl Indicator {
    fn validate(&self, path: &str) -> Result<(), ParamError> {
        some_kind(&format!("{path}.kinds"), self.kinds)?;
        for (field, value) in [("weight", self.weight), ("shrinkage", self.shrinkage)] {
            if !(0.0..=1e6).contains(&value) {
                return Err(ParamError::new(format!("{path}.{field}"), value, "a finite number from 0 to 1000000"));
            }
        }
        if !(1..=1_000_000_000).contains(&self.min_support) {
            let expected = "a whole number from 1 to 1000000000";
            return Err(ParamError::new(format!("{path}.min_support"), self.min_support, expected));
        }
        Ok(())
    }
}

/// Items towards which all that the shopper did points.
///
/// The item of the page at hand counts as viewed just now: it votes first, in every indicator with
/// [`EventKind::View`]. An indicator of weight 0 is fitted but says nothing.
///
/// # Example
/// ```
/// use likewise::{CrossOccurrenceParams, DatasetBuilder, Fit, Run, Scorer, Validate};
/// let data = DatasetBuilder::default().build()?;
/// let model = CrossOccurrenceParams::default().check()?.fit(&(&data).into(), &Run::default())?;
/// assert_eq!(model.name(), "cross_occurrence");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CrossOccurrence {
    name: String,
    reason: ReasonCode,
    extent: Extent,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
struct Part {
    weight: f32,
    reason: ReasonCode,
    voting: Voting,
    link: Link,
}

impl CrossOccurrence {
    /// The `k` heaviest neighbours of `item` by indicator number `indicator`; none beyond either.
    #[must_use]
    pub fn similar_items(&self, indicator: usize, item: ItemIdx, k: usize) -> Vec<Scored> {
        let part = self.parts.get(indicator);
        part.map_or_else(Vec::new, |part| part.link.lists().of(item).iter().copied().take(k).collect())
    }

    /// The counts of one indicator, if they were retained.
    #[must_use]
    pub fn counts(&self, indicator: usize) -> Option<&PairCounts> {
        self.parts.get(indicator).and_then(|part| part.link.counts())
    }
}

impl Checked<CrossOccurrenceParams> {
    fn model(
        &self,
        extent: Extent,
        link: impl Fn(usize, LinkRule) -> Result<Link, Cancelled>,
    ) -> Result<CrossOccurrence, FitError> {
        let part = |(i, indicator): (usize, &Indicator)| {
            let voting = Voting { kinds: indicator.kinds, history: self.history, decay: self.recency };
            let link = link(i, self.rule(indicator))?;
            Ok(Part { weight: indicator.weight, reason: indicator.reason, voting, link })
        };
        let parts = self.indicators.iter().enumerate().map(part).collect::<Result<_, Cancelled>>()?;
        Ok(CrossOccurrence { name: self.name.clone(), reason: self.reason, extent, parts })
    }
}

impl Fit for Checked<CrossOccurrenceParams> {
    type Model = CrossOccurrence;

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<CrossOccurrence, FitError> {
        self.model(train.data.extent(), |_, rule| Link::fit(rule, train.data, run))
    }

    fn update(
        &self,
        model: &CrossOccurrence,
        delta: &Delta<'_>,
        _shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<CrossOccurrence, FitError> {
        self.model(delta.data().extent(), |i, rule| match model.parts.get(i) {
            Some(part) => part.link.update(rule, delta, run),
            None => Link::fit(rule, delta.data(), run),
        })
    }
}

impl Electorate for CrossOccurrence {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let mut voters = ws.take_scored();
        for part in self.parts.iter().filter(|part| part.weight > 0.0) {
            voters.clear();
            let on_page = cx.context_item.filter(|_| part.voting.kinds.contains(EventKind::View));
            part.voting.voters(cx, on_page, ws, &mut voters);
            for &Scored { item, score } in &voters {
                let (weight, list) = (part.weight * score, part.link.lists().of(item));
                cast(Vote { evidence: item, weight, code: part.reason, list });
            }
        }
        ws.give_scored(voters);
    }
}

impl Scorer for CrossOccurrence {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.score_votes(cx, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.propose_votes(cx, limit, out, ws);
    }

    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        self.explain_votes(cx, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        self.reason
    }

    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.parts.iter().find_map(|part| part.link.similarity(a, b))
    }

    fn memory_report(&self) -> MemoryReport {
        self.parts.iter().enumerate().fold(MemoryReport::default(), |report, (i, part)| {
            report.with_all(&format!("indicator {i}"), &part.link.memory_report())
        })
    }
}
