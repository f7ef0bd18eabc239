//! Which items go together? Counted, weighed, listed; then the shopper's items vote for their neighbours.
//!
//! * [`CoOccurrence`]: one kind of pair: viewed together, bought together, viewed then bought.
//! * [`CrossOccurrence`]: several kinds of behaviour, each with its own pairs, into one target.
//! * [`FrequentlyBoughtTogether`]: what goes with the basket.
//!
//! Use it first: it needs no profile (a session or the page at hand is enough), explains itself by items, and takes new
//! events in exactly. Do not use it alone for items nobody has met yet (nothing to count) or for very sparse data, where
//! collaborative filtering reaches further. Item-to-item lists: Linden, Smith & York 2003; Sarwar et al. 2001.
//!
//! | | time | memory |
//! |---|---|---|
//! | fit | items met in each unit, squared (at most `max_items` each) | 8 bytes a pair (if retained), 8 a neighbour |
//! | update | the same for changed shoppers only, plus a pass over all pairs | twice the pairs |
//! | query | history x neighbours | |

mod basket;
mod count;
mod cross;
mod lists;
mod units;
mod vote;
mod weight;

#[cfg(test)]
mod tests;

pub use basket::{FrequentlyBoughtTogether, FrequentlyBoughtTogetherParams};
pub use count::PairCounts;
pub use cross::{CrossOccurrence, CrossOccurrenceParams, Indicator};
pub use lists::Retain;
pub use units::{PairOrder, PairUnit};
pub use vote::VoteDecay;
pub use weight::PairWeight;

use serde::{Deserialize, Serialize};

use super::{
    Candidates, Context, Explanation, Fit, FitError, ReasonCode, Scored, Scorer, Scores, TrainingSet, Workspace,
};
use crate::catalog::Shelf;
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::event::{EventKind, KindSet};
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::time::Span;
use lists::{Link, LinkRule, ListRule};
use units::PairRule;
use vote::{Electorate, Vote, Voting};

/// Recipe for [`CoOccurrence`]. The default is [`co_view`](Self::co_view).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `co_view` | not empty | the scorer's name |
/// | `unit` | session | | within what items must meet |
/// | `from`, `to` | view, click | at least one kind | what is done to the first and to the second item |
/// | `order` | any | | whether the first must come first |
/// | `weight` | cosine | | how pairs are weighed |
/// | `shrinkage` | 10 | 0 to 1e6 | draws pairs met in few units towards zero |
/// | `min_support` | 2 | 1 to 1e9 | units a pair must be met in |
/// | `neighbours` | 50 | 1 to 10000 | neighbours kept an item |
/// | `max_items` | 200 | 2 to 100000 | of a unit only the latest so many distinct items count |
/// | `history` | 50 | 1 to 10000 | the shopper's latest distinct items that vote |
/// | `recency` | positions, half-life 10 | half-life above 0 | how a vote fades |
/// | `retain` | counts | | what is kept for updates |
/// | `reason` | viewed together | | what the opinion means to a shopper |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoOccurrenceParams {
    /// The scorer's name.
    pub name: String,
    /// Within what items must meet.
    pub unit: PairUnit,
    /// What is done to the first item of a pair; these touches of the shopper vote.
    pub from: KindSet,
    /// What is done to the second item of a pair.
    pub to: KindSet,
    /// Whether the first item must come first.
    pub order: PairOrder,
    /// How pairs are weighed.
    pub weight: PairWeight,
    /// A pair met in `n` units weighs `n / (n + shrinkage)` of its weight.
    pub shrinkage: f32,
    /// Units a pair must be met in, `1..=1_000_000_000`.
    pub min_support: u32,
    /// Neighbours kept an item, `1..=10_000`.
    pub neighbours: usize,
    /// Of a unit only the latest so many distinct items count, `2..=100_000`: a unit costs its square. Which are the
    /// latest is decided by each item's last event; equal times by item number.
    pub max_items: usize,
    /// The shopper's latest distinct items that vote, the item of the page included; `1..=10_000`.
    pub history: usize,
    /// How a vote fades; `None` for not at all.
    pub recency: Option<VoteDecay>,
    /// What is kept for updates.
    pub retain: Retain,
    /// What the opinion means to a shopper.
    pub reason: ReasonCode,
}

impl Default for CoOccurrenceParams {
    fn default() -> Self {
        Self::co_view()
    }
}

impl CoOccurrenceParams {
    /// Seen in the same sessions.
    #[must_use]
    pub fn co_view() -> Self {
        let seen = KindSet::of(&[EventKind::View, EventKind::Click]);
        Self {
            name: "co_view".to_owned(),
            unit: PairUnit::Session,
            from: seen,
            to: seen,
            order: PairOrder::Any,
            weight: PairWeight::Cosine,
            shrinkage: 10.0,
            min_support: 2,
            neighbours: 50,
            max_items: 200,
            history: 50,
            recency: Some(VoteDecay::Positions { half_life: 10.0 }),
            retain: Retain::Counts,
            reason: ReasonCode::ViewedTogether,
        }
    }

    /// Bought by the same shoppers.
    #[must_use]
    pub fn co_purchase() -> Self {
        let bought = KindSet::of(&[EventKind::Purchase]);
        Self {
            name: "co_purchase".to_owned(),
            unit: PairUnit::Shopper,
            from: bought,
            to: bought,
            reason: ReasonCode::BoughtTogether,
            ..Self::co_view()
        }
    }

    /// Viewed, then something else bought by the same shopper within two weeks.
    #[must_use]
    pub fn viewed_then_bought() -> Self {
        Self {
            name: "viewed_then_bought".to_owned(),
            unit: PairUnit::Shopper,
            to: KindSet::of(&[EventKind::Purchase]),
            order: PairOrder::Then { within: Span::days(14) },
            reason: ReasonCode::ViewedThenBought,
            ..Self::co_view()
        }
    }

    fn rule(&self) -> LinkRule {
        let Self { unit, from, to, order, max_items, weight, shrinkage, min_support, neighbours, retain, .. } = *self;
        LinkRule {
            pairs: PairRule { unit, from, to, order, max_items },
            lists: ListRule { weight, shrinkage, min_support, min_lift: 0.0, neighbours },
            retain,
        }
    }
}

impl Validate for CoOccurrenceParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::typed("unit", "shopper or session", "within what items must meet"),
            ParamSpec::typed("from", "at least one kind", "what is done to the first item"),
            ParamSpec::typed("to", "at least one kind", "what is done to the second item"),
            ParamSpec::typed("order", "any or then", "whether the first must come first"),
            ParamSpec::typed("weight", "cosine, jaccard, lift, llr or conditional", "how pairs are weighed"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "draws pairs met in few units towards zero"),
            ParamSpec::int("min_support", 1, 1_000_000_000, "units a pair must be met in"),
            ParamSpec::int("neighbours", 1, 10_000, "neighbours kept an item"),
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
        some_kind("from", self.from)?;
        some_kind("to", self.to)?;
        check_range::<Self>("shrinkage", self.shrinkage.into())?;
        check_range::<Self>("min_support", self.min_support.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("max_items", self.max_items as f64)?;
        check_range::<Self>("history", self.history as f64)?;
        self.recency.map_or(Ok(()), |decay| decay.validate("recency"))
    }
}

fn not_empty(field: &str, name: &str) -> Result<(), ParamError> {
    if name.is_empty() { Err(ParamError::new(field, "\"\"", "not empty")) } else { Ok(()) }
}

fn some_kind(field: &str, kinds: KindSet) -> Result<(), ParamError> {
    if kinds.is_empty() { Err(ParamError::new(field, "[]", "at least one kind")) } else { Ok(()) }
}

/// Items that go with what the shopper did lately: `score(b) = Σ vote(a) x weight(a → b)` over the shopper's items `a`,
/// newest first.
///
/// The item of the page at hand ([`Context::context_item`]) votes first and in full, whatever the kinds; then the
/// latest distinct items touched by a from-kind. Each counts once, whatever its events weigh.
///
/// # Example
/// ```
/// use likewise::{CoOccurrenceParams, Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, PairUnit, Run, Shopper, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("cat", "tea"), ("cat", "pan")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.build()?;
/// let model = CoOccurrenceParams::co_purchase().check()?.fit(&(&data).into(), &Run::default())?;
/// let (tea, mug) = (data.item("tea").unwrap(), data.item("mug").unwrap());
/// assert_eq!(model.support(tea, mug), Some(2));
/// assert_eq!(model.similar_items(tea, 5).iter().map(|s| s.item).collect::<Vec<_>>(), [mug]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CoOccurrence {
    name: String,
    reason: ReasonCode,
    voting: Voting,
    link: Link,
}

impl CoOccurrence {
    /// The `k` heaviest neighbours of `item`, at most as many as were kept; none for an unknown item.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        self.link.lists().of(item).iter().copied().take(k).collect()
    }

    /// In how many units `a` and `b` make a pair; `None` if the counts were not retained.
    #[must_use]
    pub fn support(&self, a: ItemIdx, b: ItemIdx) -> Option<u32> {
        self.counts().map(|counts| counts.pair(a, b))
    }

    /// All counts, if they were retained.
    #[must_use]
    pub fn counts(&self) -> Option<&PairCounts> {
        self.link.counts()
    }
}

impl Checked<CoOccurrenceParams> {
    fn model(&self, link: Link) -> CoOccurrence {
        let voting = Voting { kinds: self.from, history: self.history, decay: self.recency };
        CoOccurrence { name: self.name.clone(), reason: self.reason, voting, link }
    }
}

impl Fit for Checked<CoOccurrenceParams> {
    type Model = CoOccurrence;

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<CoOccurrence, FitError> {
        Ok(self.model(Link::fit(self.rule(), train.data, run)?))
    }

    fn update(
        &self,
        model: &CoOccurrence,
        delta: &Delta<'_>,
        _shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<CoOccurrence, FitError> {
        Ok(self.model(model.link.update(self.rule(), delta, run)?))
    }
}

impl Electorate for CoOccurrence {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let mut voters = ws.take_scored();
        self.voting.voters(cx, cx.context_item, ws, &mut voters);
        for &Scored { item, score } in &voters {
            cast(Vote { evidence: item, weight: score, code: self.reason, list: self.link.lists().of(item) });
        }
        ws.give_scored(voters);
    }
}

impl Scorer for CoOccurrence {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.link.extent()
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
        self.link.similarity(a, b)
    }

    fn memory_report(&self) -> MemoryReport {
        self.link.memory_report()
    }
}
