//! The learners.

use super::lists::{Judged, JudgedLists};
use super::params::{LearnParams, Method};
use crate::params::Checked;
use crate::run::{Cancelled, Run};

/// Learned weights.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Learned {
    /// One a part, at least 0, adding up to 1; even ones where there was nothing to learn.
    pub weights: Vec<f32>,
    /// Mean NDCG on the lists they were learned from, each counting as its mean gain: with even weights, and with these.
    pub ndcg: (f64, f64),
    /// Rounds until nothing got better.
    pub rounds: u32,
}

/// Lists summed as one, so that the order of additions does not depend on threads.
const CHUNK: usize = 64;

/// Learns the weights of a blend. The same for any number of threads; nothing is drawn. `O(rounds × items × parts)`, for
/// pairs times the clicked items of a list.
///
/// # Errors
/// [`Cancelled`].
///
/// # Example
/// ```
/// use likewise::tune::learn::{JudgedLists, LearnParams, LoggedItem, LoggedList, Propensities, learn};
/// use likewise::{Run, Validate};
/// // The second voice knows what is clicked, the first does not.
/// let item = |parts: [f32; 2], gain| LoggedItem { parts: parts.to_vec(), gain, ..LoggedItem::default() };
/// let list = LoggedList { items: vec![item([0.9, 0.1], 0.0), item([0.5, 0.9], 1.0), item([0.1, 0.3], 0.0)] };
/// let lists = JudgedLists::from_log([&list], &Propensities::none(), 20.0);
/// let learned = learn(&LearnParams::default().check()?, &lists, &Run::new(1))?;
/// assert!(learned.weights[1] > 0.8 && learned.ndcg.1 == 1.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn learn(params: &Checked<LearnParams>, lists: &JudgedLists, run: &Run<'_>) -> Result<Learned, Cancelled> {
    let parts = lists.parts;
    if parts == 0 {
        return Ok(Learned::default());
    }
    let even = vec![1.0 / parts as f64; parts];
    if lists.is_empty() {
        let weights = even.iter().map(|w| *w as f32).collect();
        return Ok(Learned { weights, ..Learned::default() });
    }
    let (found, rounds) = match params.method {
        Method::CoordinateAscent => ascend(params, lists, &even, run)?,
        method => descend(params, method, lists, run)?,
    };
    let weights = normalised(found).unwrap_or_else(|| even.clone());
    let ndcg = (mean_ndcg(params, lists, &even, run), mean_ndcg(params, lists, &weights, run));
    Ok(Learned { weights: weights.iter().map(|w| *w as f32).collect(), ndcg, rounds })
}

/// Adding up to 1; `None` when all are 0. What adds up already stays as it is, to the bit.
fn normalised(weights: Vec<f64>) -> Option<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    match sum {
        _ if (sum - 1.0).abs() < 1e-12 => Some(weights),
        _ if sum > 0.0 && sum.is_finite() => Some(weights.iter().map(|w| w / sum).collect()),
        _ => None,
    }
}

/// The sum of `of` over all lists, in a fixed order.
pub(super) fn summed(
    lists: &JudgedLists,
    run: &Run<'_>,
    width: usize,
    of: impl Fn(&Judged, &mut [f64]) + Sync + Send,
) -> Vec<f64> {
    let chunk = |chunk: usize| {
        let mut sums = vec![0.0; width];
        let to = lists.len().min((chunk + 1) * CHUNK);
        lists.lists[chunk * CHUNK..to].iter().for_each(|list| of(list, &mut sums));
        sums
    };
    let mut all = vec![0.0; width];
    for sums in run.threads.map(lists.len().div_ceil(CHUNK), chunk) {
        all.iter_mut().zip(sums).for_each(|(all, sum)| *all += sum);
    }
    all
}

fn score(features: &[f32], weights: &[f64]) -> f64 {
    features.iter().zip(weights).map(|(x, w)| f64::from(*x) * w).sum()
}

fn mean_ndcg(params: &LearnParams, lists: &JudgedLists, weights: &[f64], run: &Run<'_>) -> f64 {
    let parts = lists.parts;
    let of = |list: &Judged, sum: &mut [f64]| {
        let scores = list.features.chunks_exact(parts).map(|x| score(x, weights));
        sum[0] += list.weight() * ndcg(list, scores, params.k as usize);
        sum[1] += list.weight();
    };
    let sums = summed(lists, run, 2, of);
    sums[0] / sums[1].max(f64::MIN_POSITIVE)
}

/// What a gain on this place, from 0 on, counts.
pub(super) fn discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}

impl Judged {
    /// Divided by its own best, a list forgets how much its clicks count: given back by this.
    pub(super) fn weight(&self) -> f64 {
        let gained = self.gains.iter().filter(|gain| **gain > 0.0);
        gained.clone().map(|gain| f64::from(*gain)).sum::<f64>() / gained.count().max(1) as f64
    }

    /// The most that `k` places can gain.
    pub(super) fn ideal(&self, k: usize) -> f64 {
        let mut best: Vec<f32> = self.gains.clone();
        best.extend(std::iter::repeat_n(1.0, self.missed.min(k)));
        best.sort_unstable_by(|a, b| b.total_cmp(a));
        best.iter().take(k).enumerate().map(|(place, gain)| f64::from(*gain) * discount(place)).sum()
    }
}

/// The places by these scores, best first; equal scores stand in the order of the list.
pub(super) fn ordered(scores: impl Iterator<Item = f64>) -> Vec<(f64, usize)> {
    let mut order: Vec<(f64, usize)> = scores.zip(0..).collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order
}

/// Linear gains.
pub(super) fn ndcg(list: &Judged, scores: impl Iterator<Item = f64>, k: usize) -> f64 {
    let gain = |slot: usize| f64::from(list.gains[slot]);
    let order = ordered(scores);
    let reached: f64 = order.iter().take(k).enumerate().map(|(place, (_, slot))| gain(*slot) * discount(place)).sum();
    let ideal = list.ideal(k);
    if ideal > 0.0 { reached / ideal } else { 0.0 }
}

/// One weight at a time, by ever smaller steps, from the even blend and from each part alone; the best is kept.
fn ascend(
    params: &LearnParams,
    lists: &JudgedLists,
    even: &[f64],
    run: &Run<'_>,
) -> Result<(Vec<f64>, u32), Cancelled> {
    let parts = lists.parts;
    let worth = |weights: &[f64]| mean_ndcg(params, lists, weights, run);
    let alone = (0..parts).map(|at| (0..parts).map(|i| f64::from(u8::from(i == at))).collect::<Vec<f64>>());
    let mut best = (f64::NEG_INFINITY, even.to_vec());
    let mut rounds = 0;
    for start in std::iter::once(even.to_vec()).chain(alone) {
        let mut own = (worth(&start), start);
        let mut step = 0.5;
        for round in 0..params.rounds {
            run.step(round.into(), params.rounds.into(), Some(1.0 - own.0))?;
            let before = own.0;
            for part in 0..parts {
                for change in [step, -step] {
                    let mut weights = own.1.clone();
                    weights[part] = (weights[part] + change).max(0.0);
                    let Some(weights) = normalised(weights) else { continue };
                    let tried = worth(&weights);
                    if tried > own.0 {
                        own = (tried, weights);
                    }
                }
            }
            rounds += 1;
            if own.0 <= before {
                step /= 2.0;
                if step < 0.004 {
                    break;
                }
            }
        }
        if own.0 > best.0 {
            best = own;
        }
    }
    Ok((best.1, rounds))
}

/// Down the gradient, held at weights of at least 0, each step as long as it still pays (backtracking; the projected
/// gradient of Bertsekas 1976).
fn descend(
    params: &LearnParams,
    method: Method,
    lists: &JudgedLists,
    run: &Run<'_>,
) -> Result<(Vec<f64>, u32), Cancelled> {
    let parts = lists.parts;
    // The weights, then an offset that only the logistic uses.
    let mut at = vec![1.0 / parts as f64; parts];
    at.push(0.0);
    let loss = |at: &[f64]| {
        let of = |list: &Judged, sums: &mut [f64]| match method {
            Method::Logistic => logistic(list, parts, at, sums),
            _ => pairwise(list, parts, at, sums),
        };
        // Loss, what it is over, gradient.
        let mut sums = summed(lists, run, parts + 3, of);
        let over = sums[1].max(f64::MIN_POSITIVE);
        sums.iter_mut().for_each(|sum| *sum /= over);
        let held: f64 = at[..parts].iter().map(|w| w * w).sum();
        sums[0] += params.l2 / 2.0 * held;
        sums[2..].iter_mut().zip(&at[..parts]).for_each(|(gradient, w)| *gradient += params.l2 * w);
        (sums[0], sums.split_off(2))
    };
    let (mut value, mut gradient) = loss(&at);
    let mut step = 1.0;
    for round in 0..params.rounds {
        run.step(round.into(), params.rounds.into(), Some(value))?;
        let mut found = None;
        for _ in 0..40 {
            let mut next: Vec<f64> = at.iter().zip(&gradient).map(|(x, g)| x - step * g).collect();
            next[..parts].iter_mut().for_each(|w| *w = w.max(0.0));
            let (worth, slope) = loss(&next);
            let gain: f64 = gradient.iter().zip(at.iter().zip(&next)).map(|(g, (a, n))| g * (a - n)).sum();
            if worth <= value - 1e-4 * gain {
                found = Some((worth, slope, next));
                break;
            }
            step /= 2.0;
        }
        let Some((worth, slope, next)) = found else { return Ok((at[..parts].to_vec(), round)) };
        let gained = value - worth;
        (value, gradient, at) = (worth, slope, next);
        step *= 2.0;
        if gained <= 1e-9 * value.abs() {
            return Ok((at[..parts].to_vec(), round + 1));
        }
    }
    Ok((at[..parts].to_vec(), params.rounds))
}

/// `ln(1 + e^x)` and its slope, without overflow.
fn softplus(x: f64) -> (f64, f64) {
    let slope = if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) };
    (x.max(0.0) + (-x.abs()).exp().ln_1p(), slope)
}

pub(super) fn pairwise(list: &Judged, parts: usize, at: &[f64], sums: &mut [f64]) {
    let rows: Vec<&[f32]> = list.features.chunks_exact(parts).collect();
    let scores: Vec<f64> = rows.iter().map(|x| score(x, &at[..parts])).collect();
    let gained: f64 = list.gains.iter().map(|gain| f64::from(*gain)).sum();
    for (i, gain) in list.gains.iter().enumerate().filter(|(_, gain)| **gain > 0.0) {
        let below = list.gains.iter().filter(|other| **other < *gain).count();
        // A list counts as much as it gained, whatever its length: each item its mean over those it should beat.
        let weight = f64::from(*gain) / below.max(1) as f64;
        for j in (0..rows.len()).filter(|&j| list.gains[j] < *gain) {
            let (loss, slope) = softplus(scores[j] - scores[i]);
            sums[0] += weight * loss;
            for ((sum, a), b) in sums[2..].iter_mut().zip(rows[j]).zip(rows[i]) {
                *sum += weight * slope * f64::from(a - b);
            }
        }
    }
    sums[1] += gained;
}

/// A click counts `gain / propensity` for, what is left of 1 against (Saito et al., "Unbiased recommender learning from
/// missing-not-at-random implicit feedback", WSDM 2020, clipped at 0).
fn logistic(list: &Judged, parts: usize, at: &[f64], sums: &mut [f64]) {
    for (x, gain) in list.features.chunks_exact(parts).zip(&list.gains) {
        let (gain, s) = (f64::from(*gain), score(x, &at[..parts]) + at[parts]);
        let against = (1.0 - gain).max(0.0);
        let ((miss, up), (hit, down)) = (softplus(s), softplus(-s));
        sums[0] += gain * hit + against * miss;
        sums[1] += gain + against;
        let slope = against * up - gain * down;
        sums[2..].iter_mut().zip(x).for_each(|(sum, x)| *sum += slope * f64::from(*x));
        sums[2 + parts] += slope;
    }
}
