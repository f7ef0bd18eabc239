//! Several kinds of behaviour as evidence for one outcome.
//!
//! Correlated cross-occurrence (Ferrel & Dunning, Universal Recommender): each indicator is the matrix `P' A`, with `P`
//! the outcome and `A` the indicator by shopper, its entries weighed by the log-likelihood ratio. The score of item `b`
//! is `Σ_i weight_i Σ_a vote(a) w_i(a → b)` over the shopper's items `a` of indicator `i`.
//!
//! Use it where the outcome (a purchase) is rare and other behaviour (views, carts, searches) plentiful. Costs and
//! memory are those of one [`CoOccurrence`](super::CoOccurrence) an indicator.

use super::PairCounts;
use super::cross_params::{CrossOccurrenceParams, Indicator};
use super::lists::{Link, LinkRule};
use crate::catalog::Shelf;
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::event::EventKind;
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::vote::{Electorate, Strength, Vote, Voting};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace,
};

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
        link: impl Fn(usize, LinkRule) -> Result<Link, FitError>,
    ) -> Result<CrossOccurrence, FitError> {
        let part = |(i, indicator): (usize, &Indicator)| {
            let voting =
                Voting { kinds: indicator.kinds, history: self.history, decay: self.recency, strength: Strength::One };
            let link = link(i, self.rule(indicator))?;
            Ok(Part { weight: indicator.weight, reason: indicator.reason, voting, link })
        };
        let parts = self.indicators.iter().enumerate().map(part).collect::<Result<_, FitError>>()?;
        Ok(CrossOccurrence { name: self.name.clone(), reason: self.reason, extent, parts })
    }
}

impl Fit for Checked<CrossOccurrenceParams> {
    type Model = CrossOccurrence;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("cross_occurrence", self)
    }

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

crate::persist::portable!(Part { weight, reason, voting, link });

impl crate::persist::Portable for CrossOccurrence {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        out.part("name", &self.name)?;
        out.part("reason", &self.reason)?;
        out.part("extent", &self.extent)?;
        crate::persist::list::save(&mut out.at("parts"), &self.parts)
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        Ok(Self {
            name: from.part("name")?,
            reason: from.part("reason")?,
            extent: from.part("extent")?,
            parts: crate::persist::list::load(&from.at("parts"))?,
        })
    }
}
