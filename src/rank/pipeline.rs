//! From a resolved request to a filled list: propose, filter, score, blend.

use super::assemble::{Assembly, Filler};
use super::placed::{Placed, RuleApplied};
use super::ranker::{Bound, BoundRule, Ranker};
use super::rule::{Action, Page, PinFilters};
use super::together::Proposed;
use crate::catalog::CompiledSelect;
use crate::ids::ItemIdx;
use crate::rank::filter::Refusals;
use crate::scorer::{Candidates, Context, ItemSet, NOBODY, Scores, Workspace};

/// A request as the pipeline sees it.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) cx: Context<'a>,
    pub(crate) page: Page<'a>,
    pub(crate) exclude: &'a [ItemIdx],
    /// Rank these and nothing else.
    pub(crate) candidates: Option<&'a [ItemIdx]>,
    pub(crate) only: Option<&'a CompiledSelect>,
    /// An item to be scored even if nobody proposes it, for an explanation.
    pub(crate) probe: Option<ItemIdx>,
    /// What scorers proposed to it together with other requests.
    pub(crate) proposed: Option<Proposed<'a>>,
    /// How many places to fill.
    pub(crate) places: usize,
}

impl<'a> Query<'a> {
    /// The plainest query: `places` of the best, without `exclude`.
    pub(crate) const fn of(cx: Context<'a>, exclude: &'a [ItemIdx], places: usize) -> Self {
        let page = Page { placement: None, segments: &[] };
        Self { cx, page, exclude, candidates: None, only: None, probe: None, proposed: None, places }
    }
}

/// What one source of candidates gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StageReport {
    /// Which source.
    pub stage: Stage,
    /// How many candidates were asked for.
    pub asked: usize,
    /// How many it gave that are admitted and that nobody gave before.
    pub new: usize,
    /// How many proposals named no item at all: a broken scorer.
    pub unknown: usize,
}

/// A source of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The scorer of that number in the blend.
    Scorer(usize),
    /// The fallback of that number.
    Fallback(usize),
    /// The whole catalogue, in the order of its numbers.
    Catalogue,
}

/// The buffers of one ranking, reused from request to request.
#[derive(Default)]
pub(crate) struct RankScratch {
    /// Contributions: one column a source (scorers, preferences, score rules), each as long as the candidates.
    pub(crate) columns: Vec<f32>,
    /// Evidence: one column a scorer.
    pub(crate) because: Vec<u32>,
    /// The score rules at work, in the order of their columns.
    pub(crate) boosts: Vec<usize>,
    /// The blended score of each candidate.
    pub(crate) scores: Vec<f32>,
    pub(crate) candidates: ItemSet,
    pub(crate) placed: Vec<Placed>,
    pub(crate) stages: Vec<StageReport>,
    pub(crate) log: Vec<RuleApplied>,
    refused: ItemSet,
    named: ItemSet,
    ask: Vec<usize>,
    order: Vec<u32>,
    assembly: Assembly,
}

/// Fills the places of `query` into `scratch.placed`.
pub(crate) fn rank(ranker: &Ranker, bound: &Bound, query: &Query<'_>, scratch: &mut RankScratch, ws: &mut Workspace) {
    let RankScratch {
        columns,
        because,
        boosts,
        scores,
        candidates,
        placed,
        stages,
        log,
        refused,
        named,
        ask,
        order,
        assembly,
    } = scratch;
    let cx = &query.cx;
    let n_items = cx.shelf.n_items();
    stages.clear();
    log.clear();
    placed.clear();

    name_refusals(ranker, query, named, ask);
    let (named, ask) = (&*named, &*ask);
    let admit = |item: ItemIdx| !named.contains(item) && admitted(ranker, bound, query, ask, item);

    candidates.reset(n_items);
    refused.reset(n_items);
    propose(ranker, query, &mut Candidates::new(candidates, refused, n_items, &admit), stages, ws);
    admit_pins(ranker, bound, query, candidates, &admit);

    score(ranker, query, candidates, columns, because, ws);
    let n = candidates.items().len();
    ranker.blend.contributions(&mut columns[..ranker.scorers.len() * n], n, &ranker.weights, order);
    lean(ranker, bound, query, candidates.items(), columns, boosts);
    sum_up(columns, n, scores);

    Filler { ranker, bound, query, candidates, scores, admit: &admit, placed, stages, log }.fill(assembly, ws);
}

/// Whether an item nobody refuses by name is admitted, the filters in `ask` being those to ask.
pub(super) fn admitted(ranker: &Ranker, bound: &Bound, query: &Query<'_>, ask: &[usize], item: ItemIdx) -> bool {
    let cx = &query.cx;
    !cx.shelf.is_removed(item)
        && bound.only.iter().chain(query.only).all(|only| only.matches(cx.shelf, item, cx.now))
        && ask.iter().all(|&f| ranker.filters[f].keep(cx, item))
}

/// Marks everything that is refused by name, and lists the filters that have to be asked.
fn name_refusals(ranker: &Ranker, query: &Query<'_>, named: &mut ItemSet, ask: &mut Vec<usize>) {
    named.reset(query.cx.shelf.n_items());
    each_refusal(ranker, query, ask, |item| _ = named.insert(item));
}

/// Every item that is refused by name; lists the filters that have to be asked.
pub(super) fn each_refusal(ranker: &Ranker, query: &Query<'_>, ask: &mut Vec<usize>, mut name: impl FnMut(ItemIdx)) {
    let n_items = query.cx.shelf.n_items();
    ask.clear();
    let mut refuse = |item: ItemIdx| {
        if item.as_usize() < n_items {
            name(item);
        }
    };
    query.exclude.iter().copied().for_each(&mut refuse);
    for (f, filter) in ranker.filters.iter().enumerate() {
        if filter.refusals(&query.cx, &mut refuse) == Refusals::Ask {
            ask.push(f);
        }
    }
}

fn propose(
    ranker: &Ranker,
    query: &Query<'_>,
    out: &mut Candidates<'_>,
    stages: &mut Vec<StageReport>,
    ws: &mut Workspace,
) {
    if let Some(given) = query.candidates {
        out.extend(given.iter().copied(), usize::MAX);
        return;
    }
    for (s, scorer) in ranker.scorers.iter().enumerate() {
        let (before, unknown) = (out.items().len(), out.unknown());
        match query.proposed.and_then(|proposed| proposed.by(s)) {
            Some(items) => out.extend_admitted(items),
            None => scorer.propose(&query.cx, ranker.candidates, out, ws),
        }
        stages.push(StageReport {
            stage: Stage::Scorer(s),
            asked: ranker.candidates,
            new: out.items().len() - before,
            unknown: out.unknown() - unknown,
        });
    }
    if let Some(item) = query.probe {
        out.push(item);
    }
}

/// Pinned items are candidates like others, so that they carry their true score.
fn admit_pins(
    ranker: &Ranker,
    bound: &Bound,
    query: &Query<'_>,
    candidates: &mut ItemSet,
    admit: &dyn Fn(ItemIdx) -> bool,
) {
    for (rule, bound) in ranker.rules.iter().zip(&bound.rules) {
        if let (Action::Pin { filters, .. }, BoundRule::Pin(Some(item))) = (&rule.action, bound)
            && rule.applies(&query.cx, &query.page)
            && (*filters == PinFilters::Override || admit(*item))
        {
            candidates.insert(*item);
        }
    }
}

fn score(
    ranker: &Ranker,
    query: &Query<'_>,
    candidates: &ItemSet,
    columns: &mut Vec<f32>,
    because: &mut Vec<u32>,
    ws: &mut Workspace,
) {
    let n = candidates.items().len();
    columns.clear();
    columns.resize(ranker.scorers.len() * n, f32::NAN);
    because.clear();
    because.resize(ranker.scorers.len() * n, NOBODY);
    if n == 0 {
        return;
    }
    for ((scorer, values), because) in
        ranker.scorers.iter().zip(columns.chunks_exact_mut(n)).zip(because.chunks_exact_mut(n))
    {
        scorer.score(&query.cx, &mut Scores::new(candidates, values, because), ws);
    }
}

/// Appends a column for each preference and each boost or bury at work.
fn lean(
    ranker: &Ranker,
    bound: &Bound,
    query: &Query<'_>,
    items: &[ItemIdx],
    columns: &mut Vec<f32>,
    boosts: &mut Vec<usize>,
) {
    let cx = &query.cx;
    for (preference, weight) in &ranker.preferences {
        let lean = preference.of_request(cx);
        columns.extend(items.iter().map(|&item| weight * lean.towards(cx, item)));
    }
    boosts.clear();
    for (r, (rule, bound)) in ranker.rules.iter().zip(&bound.rules).enumerate() {
        if let BoundRule::Score { items: select, by } = bound
            && rule.applies(cx, &query.page)
        {
            boosts.push(r);
            columns.extend(items.iter().map(|&i| if select.matches(cx.shelf, i, cx.now) { *by } else { 0.0 }));
        }
    }
}

/// The largest contribution: a sum of a million of them is still finite.
const LARGEST: f32 = 1e30;

/// Sums the columns, in their order.
fn sum_up(columns: &mut [f32], n: usize, scores: &mut Vec<f32>) {
    scores.clear();
    scores.resize(n, 0.0);
    if n == 0 {
        return;
    }
    for column in columns.chunks_exact_mut(n) {
        for (score, part) in scores.iter_mut().zip(column) {
            *part = part.clamp(-LARGEST, LARGEST);
            *score += *part;
        }
    }
}
