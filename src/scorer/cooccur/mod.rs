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

pub mod basket;
mod bounded;
mod count;
pub mod cross;
mod cross_params;
mod lists;
mod params;
mod units;
mod weight;

crate::persist::portable!(CoOccurrence { name, reason, voting, link });

#[cfg(test)]
mod tests;

#[doc(inline)]
pub use basket::{FrequentlyBoughtTogether, FrequentlyBoughtTogetherParams};
pub use count::PairCounts;
#[doc(inline)]
pub use cross::CrossOccurrence;
pub use cross_params::{CrossOccurrenceParams, Indicator};
pub use lists::Retain;
pub use params::CoOccurrenceParams;
pub use units::{PairOrder, PairUnit};
pub use weight::PairWeight;

use super::vote::{Electorate, Strength, Vote, Voting};
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace,
};
use crate::catalog::Shelf;
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use lists::Link;

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
        let voting = Voting { kinds: self.from, history: self.history, decay: self.recency, strength: Strength::One };
        CoOccurrence { name: self.name.clone(), reason: self.reason, voting, link }
    }
}

impl Fit for Checked<CoOccurrenceParams> {
    type Model = CoOccurrence;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("co_occurrence", self)
    }

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
