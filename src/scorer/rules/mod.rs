//! What do people click after this, in the same session? Association rules, sequential rules, and a memory that fades.
//!
//! * [`AssociationRulesParams`]: both anywhere in one session, in any order: pairs of size two (Agrawal et al. 1993).
//! * [`SequentialRulesParams`]: the one after the other, the nearer the more (Kamehkhosh, Jannach & Ludewig 2017).
//!
//! The strongest rules of an item are kept; the item at hand asks for them. With `history` above 1 the items before it ask
//! too, each with less say: summed with a decay by place, that is a first-order Markov chain mixed over the session.
//!
//! **When:** anonymous sessions, next click; a strong and very cheap base line (Ludewig & Jannach 2018). **When not:** for
//! long histories of profiles ([`Transition`](crate::Transition) divides by popularity), for new items.
//!
//! | | time | memory |
//! |---|---|---|
//! | fit | clicks x `steps` | 12 bytes a pair (if retained), 8 a rule |
//! | update | the same for changed shoppers only, plus a pass over all pairs | twice the pairs |
//! | query | history x rules | |

mod params;

#[doc(inline)]
pub use params::{AssociationRulesParams, SequentialRulesParams, StepWeight};

use super::path::{LinkRule, PathLink, Profile};
use super::vote::{Electorate, Vote};
use super::{
    Candidates, Context, CurrentItem, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace,
};
use crate::catalog::Shelf;
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;

/// Rules between the items of a session: `score(b) = Σ vote(a) x strength(a → b)` over the items `a` the session has had
/// lately.
///
/// # Example
/// ```
/// use likewise::*;
/// let mut shop = DatasetBuilder::default();
/// for (session, clicks) in [("s1", ["tea", "mug", "tea"]), ("s2", ["tea", "mug", "pot"])] {
///     for (item, second) in clicks.iter().zip(1..) {
///         shop.push(&Event::new(Shopper::Anonymous { session }, item, EventKind::View, Timestamp::from_secs(second)))?;
///     }
/// }
/// let data = shop.build()?;
/// let rules = SequentialRulesParams::default().check()?.fit(&(&data).into(), &Run::default())?;
/// let (tea, mug) = (data.item("tea").unwrap(), data.item("mug").unwrap());
/// assert_eq!(rules.after(tea, 1)[0], Scored { item: mug, score: 2.0 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    name: String,
    profile: Profile,
    current: CurrentItem,
    link: PathLink,
}

impl Rules {
    /// The `k` strongest rules from `item`, at most as many as were kept; none for an unknown item.
    #[must_use]
    pub fn after(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        self.link.lists().of(item).iter().copied().take(k).collect()
    }

    /// The strength of the rule from `a` to `b`, kept in a list or not; `None` if sums were not retained.
    #[must_use]
    pub fn strength(&self, a: ItemIdx, b: ItemIdx) -> Option<f64> {
        self.link.sums().map(|sums| sums.pair(a, b))
    }
}

/// What the two recipes come down to.
struct Recipe<'p> {
    name: &'p str,
    profile: Profile,
    current: CurrentItem,
    rule: LinkRule,
}

impl Recipe<'_> {
    fn model(&self, link: PathLink) -> Rules {
        Rules { name: self.name.to_owned(), profile: self.profile, current: self.current, link }
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Rules, FitError> {
        Ok(self.model(PathLink::fit(self.rule, train.data, run)?))
    }

    fn update(&self, model: &Rules, delta: &Delta<'_>, run: &Run<'_>) -> Result<Rules, FitError> {
        Ok(self.model(model.link.update(self.rule, delta, run)?))
    }
}

impl Fit for Checked<SequentialRulesParams> {
    type Model = Rules;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("sequential_rules", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Rules, FitError> {
        self.counted().fit(train, run)
    }

    fn update(&self, model: &Rules, delta: &Delta<'_>, _: Option<&Shelf>, run: &Run<'_>) -> Result<Rules, FitError> {
        self.counted().update(model, delta, run)
    }
}

impl Fit for Checked<AssociationRulesParams> {
    type Model = Rules;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("association_rules", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Rules, FitError> {
        self.counted().fit(train, run)
    }

    fn update(&self, model: &Rules, delta: &Delta<'_>, _: Option<&Shelf>, run: &Run<'_>) -> Result<Rules, FitError> {
        self.counted().update(model, delta, run)
    }
}

impl Electorate for Rules {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let mut voters = ws.take_scored();
        self.profile.voters(cx, ws, &mut voters);
        for &Scored { item, score } in &voters {
            cast(Vote { evidence: item, weight: score, code: self.reason(), list: self.link.lists().of(item) });
        }
        ws.give_scored(voters);
    }

    fn withheld<'c>(&self, cx: &'c Context<'_>) -> &'c [ItemIdx] {
        self.profile.withheld(cx, self.current)
    }
}

impl Scorer for Rules {
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
        ReasonCode::ViewedTogether
    }

    fn memory_report(&self) -> MemoryReport {
        self.link.memory_report()
    }
}

crate::persist::portable!(Rules { name, profile, current, link });
