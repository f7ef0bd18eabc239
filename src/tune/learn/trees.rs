//! LambdaMART: trees over the opinions of a blend, grown where NDCG has most to gain.
//!
//! Wu, Burges, Svore & Gao, "Adapting boosting for information retrieval measures", Information Retrieval 2010; the trees'
//! gains and values as in Chen & Guestrin, "XGBoost", KDD 2016. It starts from a blend of weights, so that trees only say
//! where that is wrong, and stops by lists it did not see: where trees do not help there are none.
//!
//! Why our own: looked at on 2026-11-22, `gbdt` 0.1.3 (Apache-2.0), `forust-ml` 0.8.0 and `perpetual` 3.0.0-rc.2 have no
//! ranking objective, and `lightgbm3` 1.0.11 (MIT) has one but builds LightGBM's C++ with CMake.

use super::fit::{ndcg, pairwise, summed};
use super::gradient::lambdas;
use super::grow::{Binned, Grower};
use super::lists::{Judged, JudgedLists};
use super::trees_params::TreesParams;
use crate::kernel::rng::SplitMix64;
use crate::params::Checked;
use crate::run::{Cancelled, Run};
use crate::scorer::tree_blend::Forest;

/// Trees that were learned.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LearnedTrees {
    /// For a [`TreeBlend`](crate::TreeBlend) of the same parts.
    pub forest: Forest,
    /// Mean NDCG of the start, and after each tree that was grown, those beyond the kept ones too: on the held-out lists, or
    /// on those learned from where none are held out.
    pub curve: Vec<f64>,
}

/// Trees that cannot be learned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TreesError {
    /// Stopped by the caller.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Weights, lists and held-out lists of different blends.
    #[error("the lists have {parts} parts, {what} {got}; they must be of one blend")]
    Parts {
        /// Parts of the lists learned from.
        parts: usize,
        /// What has others.
        what: &'static str,
        /// How many.
        got: usize,
    },
    /// A weight that is none.
    #[error("the weight {got} of part {part} is not a finite number of at least 0")]
    Weight {
        /// The part.
        part: usize,
        /// Its weight.
        got: f32,
    },
    /// More items than can be numbered.
    #[error("the lists have more than 4294967295 items; learn from a sample of them")]
    TooMany,
}

/// Learns trees over the opinions in `lists`, from the weights `start` (say, those of [`learn`](super::learn); all 0 to start
/// from nothing) on, until the NDCG of `held_out` gets no better. The best number of trees is kept: it is never below the
/// start's there. Hold out later lists than those learned from, as serving does.
///
/// The same for any number of threads; `run.seed` draws the lists of each tree. `O(trees × items × parts × log leaves)` and
/// the pairs of items with and without gain; 30 bytes an item and 6 a part and item.
///
/// # Errors
/// [`TreesError`].
///
/// # Example
/// ```
/// use likewise::Run;
/// use likewise::Validate;
/// use likewise::tune::learn::{JudgedLists, LoggedItem, LoggedList, Propensities, Shape, TreesParams, learn_trees};
/// // Liked is what exactly one of two voices praises: no weighting of the two puts it on top.
/// let item = |a: f32, b: f32| LoggedItem { parts: vec![a, b], gain: f32::from(u8::from(a != b)), ..LoggedItem::default() };
/// let list = LoggedList { items: vec![item(1.0, 1.0), item(0.0, 0.0), item(0.0, 1.0), item(1.0, 0.0)] };
/// let lists = JudgedLists::from_log([&list; 100], &Propensities::none(), 20.0);
/// let params = TreesParams { shape: Shape::Free, shrinkage: 0.3, ..TreesParams::default() }.check()?;
/// let learned = learn_trees(&params, &lists, &lists, &[0.5, 0.5], &Run::new(1))?;
/// assert!(learned.curve[0] < 0.8 && learned.curve.last() >= Some(&0.999));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn learn_trees(
    params: &Checked<TreesParams>,
    lists: &JudgedLists,
    held_out: &JudgedLists,
    start: &[f32],
    run: &Run<'_>,
) -> Result<LearnedTrees, TreesError> {
    let parts = lists.parts;
    let differs = |what, got| Err(TreesError::Parts { parts, what, got });
    if start.len() != parts {
        return differs("the weights have", start.len());
    }
    if !held_out.is_empty() && held_out.parts != parts {
        return differs("the held-out lists have", held_out.parts);
    }
    if let Some((part, &got)) = start.iter().enumerate().find(|(_, w)| !(w.is_finite() && **w >= 0.0)) {
        return Err(TreesError::Weight { part, got });
    }
    let rows: usize = lists.lists.iter().map(|list| list.gains.len()).sum();
    if u32::try_from(rows).is_err() {
        return Err(TreesError::TooMany);
    }
    let mut forest = Forest::linear(start.to_vec());
    if lists.is_empty() || parts == 0 {
        return Ok(LearnedTrees { forest, curve: Vec::new() });
    }
    let steep = steepness(lists, start, run);
    forest = Forest::linear(start.iter().map(|w| w * steep).collect());
    let data = Binned::of(lists, params.bins as usize, run);
    let judged = if held_out.is_empty() { lists } else { held_out };
    let mut seen = Scored::of(lists, &forest, run);
    let mut unseen = Scored::of(judged, &forest, run);
    let mut curve = vec![unseen.ndcg(params, run)];
    let mut best = (curve[0], 0);
    for round in 0..params.rounds {
        run.step(round.into(), params.rounds.into(), Some(1.0 - best.0))?;
        let (slope, bend) = seen.lambdas(params.reach as usize, run);
        let rows = seen.drawn(params.share, run.seed, round);
        let Some(tree) = (Grower { data: &data, params, slope: &slope, bend: &bend, run }).grow(rows) else { break };
        forest.push(&tree);
        seen.moved(&forest, round as usize, run);
        unseen.moved(&forest, round as usize, run);
        let now = unseen.ndcg(params, run);
        curve.push(now);
        if now > best.0 {
            best = (now, forest.trees());
        }
        if forest.trees() - best.1 >= params.patience as usize && !held_out.is_empty() {
            break;
        }
    }
    let kept = if held_out.is_empty() { forest.trees() } else { best.1 };
    Ok(LearnedTrees { forest: forest.cut(kept), curve })
}

/// By which power of two weights fit RankNet's loss best: trees speak in its unit.
fn steepness(lists: &JudgedLists, start: &[f32], run: &Run<'_>) -> f32 {
    let parts = lists.parts;
    let loss = |scale: f32| {
        let mut at: Vec<f64> = start.iter().map(|w| f64::from(w * scale)).collect();
        at.push(0.0);
        let of = |list: &Judged, sums: &mut [f64]| pairwise(list, parts, &at, sums);
        summed(lists, run, parts + 3, of).first().copied().unwrap_or(f64::NAN)
    };
    let scales = (0..8).map(|power| (1u32 << power) as f32);
    let best = scales.map(|scale| (loss(scale), scale)).reduce(|best, next| if next.0 < best.0 { next } else { best });
    best.map_or(1.0, |(_, scale)| scale)
}

/// Lists with the scores so far.
struct Scored<'a> {
    lists: &'a JudgedLists,
    /// Where each list begins.
    starts: Vec<usize>,
    scores: Vec<f64>,
}

/// Lists done at once.
const CHUNK: usize = 64;

impl<'a> Scored<'a> {
    fn of(lists: &'a JudgedLists, forest: &Forest, run: &Run<'_>) -> Self {
        let mut starts = vec![0];
        let mut rows = 0;
        for list in &lists.lists {
            rows += list.gains.len();
            starts.push(rows);
        }
        let mut scored = Self { lists, starts, scores: vec![0.0; rows] };
        let weigh = |x: &[f32]| {
            let opinions = x.iter().zip(forest.weights()).filter(|(x, _)| !x.is_nan());
            opinions.map(|(x, w)| f64::from(*w) * f64::from(*x)).sum()
        };
        scored.add(run, weigh);
        scored
    }

    /// Adds `of` each item to its score; silence is NaN.
    fn add(&mut self, run: &Run<'_>, of: impl Fn(&[f32]) -> f64 + Sync + Send) {
        let parts = self.lists.parts;
        let chunk = |list: &Judged| {
            let rows = list.features.chunks_exact(parts.max(1)).zip(list.silent.chunks_exact(parts.max(1)));
            let mut x = vec![0.0; parts];
            let row = |(features, silent): (&[f32], &[bool])| {
                for ((x, feature), silent) in x.iter_mut().zip(features).zip(silent) {
                    *x = if *silent { f32::NAN } else { *feature };
                }
                of(&x)
            };
            rows.map(row).collect::<Vec<f64>>()
        };
        let chunks: Vec<&[Judged]> = self.lists.lists.chunks(CHUNK).collect();
        let added = run.threads.map(chunks.len(), |n| chunks[n].iter().flat_map(chunk).collect::<Vec<f64>>());
        self.scores.iter_mut().zip(added.into_iter().flatten()).for_each(|(score, more)| *score += more);
    }

    fn moved(&mut self, forest: &Forest, tree: usize, run: &Run<'_>) {
        self.add(run, |x| forest.moved_by(tree, x));
    }

    fn each(&self) -> impl Iterator<Item = (&'a Judged, &[f64])> {
        let bounds = self.starts.windows(2).map(|w| &self.scores[w[0]..w[1]]);
        self.lists.lists.iter().zip(bounds)
    }

    /// The mean over lists, each counting as its mean gain.
    fn ndcg(&self, params: &TreesParams, run: &Run<'_>) -> f64 {
        let each: Vec<_> = self.each().collect();
        let of = |n: usize| {
            let (list, scores) = each[n];
            (list.weight() * ndcg(list, scores.iter().copied(), params.k as usize), list.weight())
        };
        let all = run.threads.map(each.len(), of);
        let (sum, weight) = all.into_iter().fold((0.0, 0.0), |(s, w), (sum, weight)| (s + sum, w + weight));
        sum / f64::max(weight, f64::MIN_POSITIVE)
    }

    /// Slopes and curvatures of all items.
    fn lambdas(&self, reach: usize, run: &Run<'_>) -> (Vec<f64>, Vec<f64>) {
        let each: Vec<_> = self.each().collect();
        let of = |n: usize| {
            let (list, scores) = each[n];
            let (mut slope, mut bend) = (vec![0.0; scores.len()], vec![0.0; scores.len()]);
            lambdas(list, scores, reach, &mut slope, &mut bend);
            (slope, bend)
        };
        let (mut slopes, mut bends) = (Vec::with_capacity(self.scores.len()), Vec::with_capacity(self.scores.len()));
        for (slope, bend) in run.threads.map(each.len(), of) {
            slopes.extend(slope);
            bends.extend(bend);
        }
        (slopes, bends)
    }

    /// The items of the lists drawn for a tree; of all where none is.
    fn drawn(&self, share: f64, seed: u64, round: u32) -> Vec<u32> {
        let mut dice = SplitMix64::stream(seed, round.into());
        let bounds = self.starts.windows(2).filter(|_| share >= 1.0 || f64::from(dice.unit()) < share);
        let rows: Vec<u32> = bounds.flat_map(|w| w[0] as u32..w[1] as u32).collect();
        if rows.is_empty() { (0..self.scores.len() as u32).collect() } else { rows }
    }
}
