//! Several fitted scorers as one.
//!
//! **When:** where a blend must itself be a scorer: as one part of a [`Ranker`](crate::Ranker) or of another blend, as the
//! model of an evaluation, or to let a session scorer and a long-term scorer share the word by the length of the session
//! (with [`Focus`](crate::Focus)). **When not:** for the outermost blend of a shop: a ranker also filters, prefers and
//! rules, and asks each scorer once instead of twice.
//!
//! A ranker may scale a scorer by the other candidates of the request. A scorer may not: the score of an item must not
//! depend on which other items are asked for. So each part is scaled by its own first `pool` proposals for the request,
//! made without any filter, and these are the same whatever is asked.
//!
//! Cost: `score` asks each part for its proposals and for its opinion on candidates and proposals; `propose` once more
//! where a filter refused one of them. Nothing is learned.
//!
//! Log-linear pooling: Genest & Zidek, *Combining probability distributions*, Statistical Science 1986. Ranks: Cormack,
//! Clarke & Büttcher, SIGIR 2009.

mod saved;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Candidates, Context, Explanation, Reason, ReasonCode, Scored, Scorer, Scores, Workspace, opinion};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::{ItemIdx, Lineage};
use crate::params::ParamError;

/// How a part's raw scores become comparable with those of the other parts. An item the part does not speak of gets
/// nothing, which is the lowest any item can get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PartScale {
    /// The raw score, if above 0.
    AsIs,
    /// Divided by the part's best proposal: 1 for the best, 0 for what is not above 0. Right for scores that are counts
    /// or sums of votes.
    #[default]
    Best,
    /// How many standard deviations of the part's proposals above the last of them; 0 below. Right for scores of any
    /// sign.
    Deviations,
    /// `(c + 1) / (c + rank)`: 1 for the best, 1/2 at rank `c + 2`, equals sharing the better rank.
    Rank {
        /// How slowly the advantage of the first places fades; 0 to 1,000,000.
        c: f32,
    },
    /// `ln(1 + best-scaled score / floor)`, over its own largest value: the sum of such parts ranks as the product of
    /// the scores (each raised to its weight) would, with `floor` in place of a score that is missing.
    Log {
        /// What a missing score counts, next to a best of 1; 1e-9 to 1.
        floor: f32,
    },
}

impl PartScale {
    fn validate(self, field: &str) -> Result<(), ParamError> {
        match self {
            Self::Rank { c } if !(0.0..=1e6).contains(&c) => {
                Err(ParamError::new(format!("{field}.rank.c"), c, "a finite number from 0 to 1000000"))
            }
            Self::Log { floor } if !(1e-9..=1.0).contains(&floor) => {
                Err(ParamError::new(format!("{field}.log.floor"), floor, "a number from 0.000000001 to 1"))
            }
            _ => Ok(()),
        }
    }
}

/// How a part's weight depends on the number `n` of touches that came with the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PartShare {
    /// Not at all.
    #[default]
    Constant,
    /// `2^(-n / half_life)`: whole without a session, less the longer it is. For long-term taste.
    Fades {
        /// In touches; above 0, up to a million.
        half_life: f32,
    },
    /// `1 - 2^(-n / half_life)`: nothing without a session, more the longer it is.
    Grows {
        /// In touches; above 0, up to a million.
        half_life: f32,
    },
}

impl PartShare {
    fn of(self, n: usize) -> f32 {
        match self {
            Self::Constant => 1.0,
            Self::Fades { half_life } => (-(n as f32) / half_life).exp2(),
            Self::Grows { half_life } => 1.0 - (-(n as f32) / half_life).exp2(),
        }
    }

    fn validate(self, field: &str) -> Result<(), ParamError> {
        match self {
            Self::Fades { half_life } | Self::Grows { half_life }
                if !(f32::MIN_POSITIVE..=1e6).contains(&half_life) =>
            {
                let expected = "a finite number above 0, up to 1000000";
                Err(ParamError::new(format!("{field}.half_life"), half_life, expected))
            }
            _ => Ok(()),
        }
    }
}

/// One scorer of a blend.
#[derive(Clone, Debug)]
pub struct BlendPart {
    /// The fitted scorer.
    pub scorer: Arc<dyn Scorer>,
    /// Its weight, 0 to 1,000,000; a part without weight is not asked.
    pub weight: f32,
    /// How its scores are scaled.
    pub scale: PartScale,
    /// How its weight depends on the session.
    pub share: PartShare,
}

impl BlendPart {
    /// A part scaled by its best proposal, with a constant weight.
    #[must_use]
    pub fn new(scorer: Arc<dyn Scorer>, weight: f32) -> Self {
        Self { scorer, weight, scale: PartScale::default(), share: PartShare::default() }
    }

    /// With this scale.
    #[must_use]
    pub fn scale(mut self, scale: PartScale) -> Self {
        self.scale = scale;
        self
    }

    /// With a weight that depends on the session.
    #[must_use]
    pub fn share(mut self, share: PartShare) -> Self {
        self.share = share;
        self
    }

    fn weight_for(&self, cx: &Context<'_>) -> f32 {
        self.weight * self.share.of(cx.session().len())
    }
}

/// Why scorers make no blend.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlendedError {
    /// A setting out of its range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// Nothing to blend.
    #[error("a blend needs at least one part")]
    Empty,
    /// Two numberings.
    #[error(
        "part {part:?} was fitted on {fitted:?}, the first one on {first:?}; fit all parts on data of one DatasetBuilder"
    )]
    Lineage {
        /// The part's name.
        part: String,
        /// What it was fitted on.
        fitted: Lineage,
        /// What the first part was fitted on.
        first: Lineage,
    },
}

/// Several fitted scorers as one: `score(i) = Σ weight x share(session) x scaled score(i)` over the parts that have an
/// opinion on `i`.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::{Blended, CoOccurrenceParams, DatasetBuilder, Fit, BlendPart, PopularityParams, Run, PartScale, Scorer, Validate};
/// let data = DatasetBuilder::default().finish()?;
/// let popular = PopularityParams::default().check()?.fit(&(&data).into(), &Run::new(1))?;
/// let together = CoOccurrenceParams::co_view().check()?.fit(&(&data).into(), &Run::new(1))?;
/// let blend = Blended::new("home", [BlendPart::new(Arc::new(together), 1.0), BlendPart::new(Arc::new(popular), 0.1).scale(PartScale::Rank { c: 10.0 })])?;
/// assert_eq!(blend.name(), "home");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Blended {
    name: String,
    parts: Vec<BlendPart>,
    pool: usize,
    extent: Extent,
}

/// Proposals of each part unless told otherwise: more than a page, and enough for a stable scale.
const POOL: usize = 200;

impl Blended {
    /// A blend of `parts`, each with its first 200 proposals.
    ///
    /// # Errors
    /// [`BlendedError`] when there is no part, a setting is out of its range, or the parts belong to different
    /// numberings.
    pub fn new(name: impl Into<String>, parts: impl IntoIterator<Item = BlendPart>) -> Result<Self, BlendedError> {
        let (name, parts): (String, Vec<BlendPart>) = (name.into(), parts.into_iter().collect());
        if name.trim().is_empty() {
            return Err(ParamError::new("name", "\"\"", "not empty").into());
        }
        let Some(mut extent) = parts.first().map(|part| part.scorer.extent()) else {
            return Err(BlendedError::Empty);
        };
        for (i, part) in parts.iter().enumerate() {
            let field = format!("parts.{i}");
            if !(0.0..=1e6).contains(&part.weight) {
                let expected = "a finite number from 0 to 1000000";
                return Err(ParamError::new(format!("{field}.weight"), part.weight, expected).into());
            }
            part.scale.validate(&format!("{field}.scale"))?;
            part.share.validate(&format!("{field}.share"))?;
            let fitted = part.scorer.extent();
            if fitted.lineage != extent.lineage {
                let (part, fitted, first) = (part.scorer.name().to_owned(), fitted.lineage, extent.lineage);
                return Err(BlendedError::Lineage { part, fitted, first });
            }
            extent.n_items = extent.n_items.max(fitted.n_items);
            extent.n_rows = extent.n_rows.max(fitted.n_rows);
        }
        Ok(Self { name, parts, pool: POOL, extent })
    }

    /// With this many proposals of each part, which are also what it is scaled by.
    ///
    /// # Errors
    /// [`ParamError`] outside `1..=1_000_000`.
    pub fn pool(mut self, proposals: usize) -> Result<Self, ParamError> {
        if !(1..=1_000_000).contains(&proposals) {
            return Err(ParamError::new("pool", proposals, "a whole number from 1 to 1000000"));
        }
        self.pool = proposals;
        Ok(self)
    }

    /// The parts, in the order in which they are summed.
    #[must_use]
    pub fn parts(&self) -> &[BlendPart] {
        &self.parts
    }

    /// Puts the unfiltered proposals of all parts, one after the other, into `pools`, and where each ends into `ends`.
    fn pools(&self, cx: &Context<'_>, ws: &mut Workspace, pools: &mut Vec<ItemIdx>, ends: &mut Vec<usize>) {
        for part in &self.parts {
            if part.weight_for(cx) > 0.0 {
                propose(&*part.scorer, cx, self.pool, &|_| true, ws, pools);
            }
            ends.push(pools.len());
        }
    }

    /// Calls `add(part number, slot, contribution, evidence)` for each of `asked` on which a part has an opinion: part by
    /// part, slots in the order of `asked` (distinct).
    fn each_opinion(
        &self,
        cx: &Context<'_>,
        asked: &[ItemIdx],
        (pools, ends): (&[ItemIdx], &[usize]),
        ws: &mut Workspace,
        mut add: impl FnMut(usize, usize, f32, Option<ItemIdx>),
    ) {
        let n_items = asked.iter().map(|item| item.as_usize() + 1).fold(cx.shelf.n_items(), usize::max);
        let mut from = 0;
        for (number, (part, &to)) in self.parts.iter().zip(ends).enumerate() {
            let pool = &pools[std::mem::replace(&mut from, to)..to];
            let weight = part.weight_for(cx);
            if weight <= 0.0 {
                continue;
            }
            let mut all = ws.take_set(n_items);
            for &item in asked.iter().chain(pool) {
                all.insert(item);
            }
            let (mut values, mut because) = (ws.take_floats(all.items().len()), ws.take_indices(all.items().len()));
            let mut out = Scores::new(&all, &mut values, &mut because);
            part.scorer.score(cx, &mut out, ws);
            let mut yard = ws.take_floats(0);
            yard.extend(pool.iter().filter_map(|&item| out.get(out.slot_of(item)?)));
            let ruler = Ruler::new(part.scale, &mut yard);
            for slot in 0..asked.len() {
                if let Some(raw) = out.get(slot) {
                    add(number, slot, weight * ruler.measure(raw), out.because(slot));
                }
            }
            ws.give_floats(yard);
            ws.give_floats(values);
            ws.give_indices(because);
            ws.give_set(all);
        }
    }
}

/// Adds what `scorer` proposes to `out`.
fn propose(
    scorer: &dyn Scorer,
    cx: &Context<'_>,
    limit: usize,
    admit: &dyn Fn(ItemIdx) -> bool,
    ws: &mut Workspace,
    out: &mut Vec<ItemIdx>,
) {
    let n_items = cx.shelf.n_items();
    let (mut admitted, mut refused) = (ws.take_set(n_items), ws.take_set(n_items));
    scorer.propose(cx, limit, &mut Candidates::new(&mut admitted, &mut refused, n_items, admit), ws);
    out.extend_from_slice(&admitted.items()[..limit.min(admitted.items().len())]);
    ws.give_set(admitted);
    ws.give_set(refused);
}

/// A part's scale for one request.
struct Ruler<'a> {
    scale: PartScale,
    best: f32,
    /// For deviations: the last proposal and the deviation.
    last: f32,
    deviation: f32,
    /// For ranks: the proposals' scores, best first.
    scores: &'a [f32],
}

impl<'a> Ruler<'a> {
    /// Of the raw scores of a part's proposals. A part that proposes nothing is taken as it is.
    fn new(scale: PartScale, scores: &'a mut [f32]) -> Self {
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        let n = scores.len().max(1) as f64;
        let mean = scores.iter().copied().map(f64::from).sum::<f64>() / n;
        let variance = scores.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        Self {
            scale,
            best: scores.first().copied().unwrap_or(1.0),
            last: scores.last().copied().unwrap_or(0.0),
            deviation: if scores.is_empty() { 1.0 } else { variance.sqrt() as f32 },
            scores,
        }
    }

    fn measure(&self, raw: f32) -> f32 {
        // A part may propose less than its best: nothing becomes infinite all the same.
        let over_best = if self.best > 0.0 { (raw / self.best).clamp(0.0, 1e6) } else { 0.0 };
        match self.scale {
            PartScale::AsIs => raw.clamp(0.0, 1e30),
            PartScale::Best => over_best,
            PartScale::Deviations => {
                let above = f64::from(raw) - f64::from(self.last);
                let deviations = if self.deviation > 0.0 { above / f64::from(self.deviation) } else { 0.0 };
                deviations.clamp(0.0, 1e6) as f32
            }
            PartScale::Rank { c } => {
                let better = self.scores.partition_point(|&x| x > raw);
                (c + 1.0) / (c + better as f32 + 1.0)
            }
            PartScale::Log { floor } => (over_best / floor).ln_1p() / (1.0 / floor).ln_1p(),
        }
    }
}

impl Scorer for Blended {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// The evidence is that of the part that adds most.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let asked = out.items();
        let mut scratch = ws.take::<Pools>();
        let Pools { items, ends } = &mut *scratch.cleared();
        self.pools(cx, ws, items, ends);
        let (mut sum, mut most) = (ws.take_floats(asked.len()), ws.take_floats(asked.len()));
        let mut because = ws.take_indices(asked.len()); // 0 for no opinion, 1 for no evidence, else the evidence plus two
        self.each_opinion(cx, asked, (items, ends), ws, |_, slot, value, evidence| {
            sum[slot] += value;
            if because[slot] == 0 || value > most[slot] {
                most[slot] = value;
                because[slot] = evidence.map_or(1, |item| item.get().saturating_add(2));
            }
        });
        for slot in 0..asked.len() {
            match because[slot] {
                0 => {}
                1 => out.set(slot, sum[slot]),
                evidence => out.set_because(slot, sum[slot], ItemIdx::new(evidence - 2)),
            }
        }
        ws.give_floats(sum);
        ws.give_floats(most);
        ws.give_indices(because);
        ws.give(scratch);
    }

    /// The union of the parts' first proposals that pass the filters, best first.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut scratch = ws.take::<Pools>();
        let Pools { items, ends } = &mut *scratch.cleared();
        self.pools(cx, ws, items, ends);
        let mut asked = ws.take_set(cx.shelf.n_items());
        let mut again = ws.take::<Pools>();
        let (admit, mut from) = (out.filter(), 0);
        for (part, &to) in self.parts.iter().zip(&*ends) {
            let pool = &items[std::mem::replace(&mut from, to)..to];
            let admitted = &mut again.cleared().items;
            admitted.extend(pool.iter().copied().filter(|&item| admit(item)));
            if admitted.len() < pool.len() {
                admitted.clear();
                propose(&*part.scorer, cx, self.pool, admit, ws, admitted);
            }
            admitted.iter().for_each(|&item| _ = asked.insert(item));
        }
        let asked_items = asked.items();
        let mut scored = ws.take_scored();
        scored.extend(asked_items.iter().map(|&item| Scored { item, score: f32::NAN }));
        self.each_opinion(cx, asked_items, (items, ends), ws, |_, slot, value, _| {
            let score = &mut scored[slot].score;
            *score = if score.is_nan() { value } else { *score + value };
        });
        scored.retain(|s| s.score.is_finite());
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
        ws.give_set(asked);
        ws.give(again);
        ws.give(scratch);
    }

    /// A detail for each part with what it adds, and below it how the part came to its own score.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let reason = |scorer: &dyn Scorer| Reason::Scorer { name: scorer.name().to_owned(), code: scorer.reason() };
        let (mut pools, mut ends, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        self.pools(cx, ws, &mut pools, &mut ends);
        self.each_opinion(cx, &[item], (&pools, &ends), ws, |number, _, value, _| parts.push((number, value)));
        let detail = |(number, value): (usize, f32)| {
            let scorer = &*self.parts[number].scorer;
            Explanation { value: Some(value), reason: reason(scorer), details: vec![scorer.explain(cx, item, ws)] }
        };
        let details = parts.into_iter().map(detail).collect();
        Explanation { value: Some(score), reason: reason(self), details }
    }

    /// That of the heaviest part, the first of equals.
    fn reason(&self) -> ReasonCode {
        let heaviest = self.parts.iter().reduce(|a, b| if b.weight > a.weight { b } else { a });
        heaviest.map_or(ReasonCode::Other, |part| part.scorer.reason())
    }

    /// That of the first part that can say.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.parts.iter().find_map(|part| part.scorer.similarity(a, b))
    }

    fn memory_report(&self) -> MemoryReport {
        self.parts
            .iter()
            .fold(MemoryReport::default(), |sum, part| sum.with_all(part.scorer.name(), &part.scorer.memory_report()))
    }
}

#[derive(Default)]
struct Pools {
    items: Vec<ItemIdx>,
    ends: Vec<usize>,
}

impl Pools {
    fn cleared(&mut self) -> &mut Self {
        self.items.clear();
        self.ends.clear();
        self
    }
}
