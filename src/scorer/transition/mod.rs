//! What comes after what? Order, distance and recency, in the counts and in the shopper's path.
//!
//! If `i` is at place `p` and `j` at place `q > p` of one path, not more than `window` apart, then `(q - p)^-g` speaks for
//! `j` after `i`, and `back` times that for `i` after `j`. Sums are divided by powers of how often the items occur; the
//! shopper's latest steps vote, each less than the one after it. This one family holds first-order Markov chains (window
//! 1, back 0, one voter; Rendle et al. 2010, section 4.1), item-to-item counts (no gap exponent, back 1; Linden et al.
//! 2003) and most of what pays between the two: see Ludewig & Jannach 2018 for how hard such models are to beat.
//!
//! **When:** first, for a next item or a next purchase, with profiles or sessions. **When not:** where order means nothing
//! (invoices with all lines at one instant), for items nobody has met yet, and for baskets that repeat.
//!
//! | | time | memory |
//! |---|---|---|
//! | fit | steps x window | 12 bytes a pair (if retained), 8 a neighbour |
//! | update | the same for changed shoppers only; lists of what they touched; one pass over all pairs | twice the pairs |
//! | query | history x neighbours | |

mod params;

#[doc(inline)]
pub use params::TransitionParams;

use super::path::{PairSums, PathLink, Profile};
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

/// Items that follow what the shopper did lately: `score(b) = Σ vote(a) x weight(a → b)` over the items `a` of their
/// latest steps, newest first.
///
/// # Example
/// ```
/// use likewise::testing::Trial;
/// use likewise::*;
/// let mut shop = DatasetBuilder::default();
/// for (who, path) in [("ann", ["tent", "mat", "stove"]), ("bob", ["tent", "mat", "lamp"]), ("cat", ["mat", "tent", "mug"])] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     for (item, second) in path.iter().zip(1..) {
///         shop.push(&Event::new(who, item, EventKind::View, Timestamp::from_secs(second)))?;
///     }
/// }
/// let data = shop.build()?;
/// let model = TransitionParams::default().check()?.fit(&(&data).into(), &Run::default())?;
/// let (tent, mat) = (data.item("tent").unwrap(), data.item("mat").unwrap());
/// assert_eq!(model.successors(tent, 1)[0].item, mat);
/// assert!(model.support(tent, mat).unwrap() > 2.3); // twice ahead, once back
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    name: String,
    reason: ReasonCode,
    profile: Profile,
    current: CurrentItem,
    link: PathLink,
}

impl Transition {
    /// The `k` heaviest successors of `item`, at most as many as were kept; none for an unknown item.
    #[must_use]
    pub fn successors(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        self.link.lists().of(item).iter().copied().take(k).collect()
    }

    /// The sum behind the weight from `a` to `b`, before shrinkage and division; `None` if sums were not retained.
    #[must_use]
    pub fn support(&self, a: ItemIdx, b: ItemIdx) -> Option<f64> {
        self.link.sums().map(|sums: &PairSums| sums.pair(a, b))
    }
}

impl Checked<TransitionParams> {
    fn model(&self, link: PathLink) -> Transition {
        Transition { name: self.name.clone(), reason: self.reason, profile: self.voters(), current: self.current, link }
    }
}

impl Fit for Checked<TransitionParams> {
    type Model = Transition;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("transition", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Transition, FitError> {
        Ok(self.model(PathLink::fit(self.rule(), train.data, run)?))
    }

    fn update(
        &self,
        model: &Transition,
        delta: &Delta<'_>,
        _shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<Transition, FitError> {
        Ok(self.model(model.link.update(self.rule(), delta, run)?))
    }
}

impl Electorate for Transition {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let mut voters = ws.take_scored();
        self.profile.voters(cx, ws, &mut voters);
        for &Scored { item, score } in &voters {
            cast(Vote { evidence: item, weight: score, code: self.reason, list: self.link.lists().of(item) });
        }
        ws.give_scored(voters);
    }

    fn withheld<'c>(&self, cx: &'c Context<'_>) -> &'c [ItemIdx] {
        self.profile.withheld(cx, self.current)
    }
}

impl Scorer for Transition {
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

    fn memory_report(&self) -> MemoryReport {
        self.link.memory_report()
    }
}

crate::persist::portable!(Transition { name, reason, profile, current, link });
