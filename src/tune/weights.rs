//! What should each voice of a blend count? Thousands of weightings a second over opinions asked once.
//!
//! The parts are asked once for each case: their first proposals together are its candidates, their scores its columns.
//! A weighting then costs a sum and a selection a case, no scorer. Weights add up to 1; the search tries the corners (each
//! part alone), the middle, seeded points in between, and from the best of them goes uphill one weight at a time with
//! ever smaller steps (pattern search: Hooke & Jeeves, JACM 1961).
//!
//! Scores are added as they are, silence counting nothing: give parts of one scale, such as
//! [`Blended`](crate::scorer::Blended)s of one part each.

use super::tpe::Dice;
use crate::evaluate::Task;
use crate::ids::ItemIdx;
use crate::run::{Cancelled, Run};
use crate::scorer::{Candidates, Scored, Scorer, Scores, Workspace};

/// What weights are to maximise: a mix of means over the cases, each at the same cut-off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The cut-off.
    pub k: usize,
    /// What mean NDCG counts.
    pub ndcg: f64,
    /// What the mean hit rate counts.
    pub hit_rate: f64,
    /// What the mean reciprocal rank counts.
    pub mrr: f64,
    /// What mean recall counts.
    pub recall: f64,
}

impl Aim {
    /// NDCG alone.
    #[must_use]
    pub const fn ndcg(k: usize) -> Self {
        Self { k, ndcg: 1.0, hit_rate: 0.0, mrr: 0.0, recall: 0.0 }
    }
}

/// The opinions of the parts of a blend on the candidates of a task's cases: 5 bytes a part and candidate.
#[derive(Clone, Debug)]
pub struct Columns {
    parts: usize,
    cases: Vec<CaseColumns>,
}

#[derive(Clone, Debug)]
struct CaseColumns {
    /// Ascending, so that the place of a candidate breaks ties as its number does.
    targets: Vec<bool>,
    /// One column after the other; silence is 0 here.
    scores: Vec<f32>,
    /// Where it is silence.
    silent: Vec<bool>,
    n_targets: usize,
}

impl Columns {
    /// Asks every part for its `depth` first proposals for each case, and for its opinion on the others' too.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn of(task: &Task, parts: &[&dyn Scorer], depth: usize, run: &Run<'_>) -> Result<Self, Cancelled> {
        let n = task.cases().len();
        let of = |(asked, ws): &mut (Vec<ItemIdx>, Workspace), number: usize| {
            if number.is_multiple_of(256) {
                run.step(number as u64, n as u64, None)?;
            }
            let case = &task.cases()[number];
            Ok(task.asking(case, |cx, admit| {
                asked.clear();
                for part in parts {
                    let (mut admitted, mut refused) =
                        (ws.take_set(cx.shelf.n_items()), ws.take_set(cx.shelf.n_items()));
                    let mut out = Candidates::new(&mut admitted, &mut refused, cx.shelf.n_items(), admit);
                    part.propose(cx, depth, &mut out, ws);
                    asked.extend(admitted.items().iter().take(depth));
                    ws.give_set(admitted);
                    ws.give_set(refused);
                }
                asked.sort_unstable();
                asked.dedup();
                let mut set = ws.take_set(cx.shelf.n_items());
                asked.iter().for_each(|&item| _ = set.insert(item));
                let mut scores = Vec::with_capacity(asked.len() * parts.len());
                let mut silent = Vec::with_capacity(asked.len() * parts.len());
                let (mut values, mut because) = (vec![0.0; asked.len()], vec![0; asked.len()]);
                for part in parts {
                    let mut out = Scores::new(&set, &mut values, &mut because);
                    part.score(cx, &mut out, ws);
                    scores.extend((0..asked.len()).map(|slot| out.get(slot).unwrap_or(0.0)));
                    silent.extend((0..asked.len()).map(|slot| out.get(slot).is_none()));
                }
                ws.give_set(set);
                let targets = asked.iter().map(|&item| case.is_target(item)).collect();
                CaseColumns { targets, scores, silent, n_targets: case.n_targets() }
            }))
        };
        let cases = run.threads.map_with(n, || (Vec::new(), Workspace::default()), of);
        let cases: Vec<CaseColumns> = cases.into_iter().collect::<Result<_, Cancelled>>()?;
        let cases = cases.into_iter().filter(|case| case.n_targets > 0).collect();
        Ok(Self { parts: parts.len(), cases })
    }

    /// Of each case: which candidates are targets, the scores and where they are silence (one column after the other), how
    /// many targets there are.
    pub(super) fn each(&self) -> impl Iterator<Item = (&[bool], &[f32], &[bool], usize)> {
        self.cases.iter().map(|case| (&case.targets[..], &case.scores[..], &case.silent[..], case.n_targets))
    }

    /// How many parts.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.parts
    }

    /// How good the blend is with these weights (those beyond the parts are left out). The same for any number of
    /// threads.
    #[must_use]
    pub fn score(&self, weights: &[f32], aim: &Aim, run: &Run<'_>) -> f64 {
        // Chunks of fixed size, summed in order: the sum does not depend on threads.
        const CHUNK: usize = 64;
        let chunks: Vec<&[CaseColumns]> = self.cases.chunks(CHUNK).collect();
        let sums = run.threads.map_with(chunks.len(), Scratch::default, |scratch, chunk| {
            chunks[chunk].iter().map(|case| case.score(weights, aim, scratch)).sum::<f64>()
        });
        sums.into_iter().sum::<f64>() / self.cases.len().max(1) as f64
    }

    /// Searches for the best weights. See the module's text; about `draws + 60 x parts` weightings.
    #[must_use]
    pub fn tune(&self, aim: &Aim, draws: usize, run: &Run<'_>) -> Tuned {
        let mut search = Search { columns: self, aim, run, tried: 0 };
        let n = self.parts;
        if n == 0 {
            return Tuned { weights: Vec::new(), score: 0.0, tried: 0 };
        }
        let corner = |at: usize| (0..n).map(|i| f32::from(u8::from(i == at))).collect::<Vec<f32>>();
        let mut seeds: Vec<Vec<f32>> = (0..n).map(corner).collect();
        seeds.push(vec![1.0; n]);
        for draw in 0..draws {
            let mut dice = Dice::new(run.seed, draw, 0);
            // Even on the simplex: exponential numbers over their sum.
            seeds.push((0..n).map(|_| -(1.0 - dice.uniform()).ln() as f32).collect());
        }
        let mut scored: Vec<(f64, Vec<f32>)> = seeds.into_iter().map(|w| search.of(w)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0)); // stable: the first of equals
        scored.truncate(3);
        let climbed = scored.into_iter().map(|start| search.climb(start));
        let best = climbed.reduce(|best, other| if other.0 > best.0 { other } else { best });
        let (score, weights) = best.unwrap_or_default();
        Tuned { weights, score, tried: search.tried }
    }
}

/// The best weights a search found.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tuned {
    /// A weight a part, adding up to 1; a part that only harms has 0.
    pub weights: Vec<f32>,
    /// What they reach.
    pub score: f64,
    /// How many weightings were tried.
    pub tried: usize,
}

#[derive(Default)]
struct Scratch {
    sums: Vec<f32>,
    top: Vec<Scored>,
}

impl CaseColumns {
    fn score(&self, weights: &[f32], aim: &Aim, scratch: &mut Scratch) -> f64 {
        let n = self.targets.len();
        let Scratch { sums, top } = scratch;
        sums.clear();
        sums.resize(n, 0.0);
        for (column, &weight) in self.scores.chunks_exact(n.max(1)).zip(weights) {
            if weight != 0.0 {
                sums.iter_mut().zip(column).for_each(|(sum, x)| *sum += weight * x);
            }
        }
        top.clear();
        top.extend(sums.iter().enumerate().map(|(i, &score)| Scored { item: ItemIdx::new(i as u32), score }));
        crate::kernel::top_k::top_k(top, aim.k, Scored::order);
        let (mut hits, mut gain, mut first) = (0usize, 0.0, 0.0);
        for (place, scored) in top.iter().enumerate() {
            if self.targets[scored.item.as_usize()] {
                first = if hits == 0 { 1.0 / (place + 1) as f64 } else { first };
                hits += 1;
                gain += discount(place);
            }
        }
        if hits == 0 {
            return 0.0;
        }
        let ideal: f64 = (0..aim.k.min(self.n_targets)).map(discount).sum();
        aim.ndcg * gain / ideal + aim.hit_rate + aim.mrr * first + aim.recall * hits as f64 / self.n_targets as f64
    }
}

fn discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}

struct Search<'a> {
    columns: &'a Columns,
    aim: &'a Aim,
    run: &'a Run<'a>,
    tried: usize,
}

impl Search<'_> {
    fn of(&mut self, mut weights: Vec<f32>) -> (f64, Vec<f32>) {
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w = (*w / sum * 1e4).round() / 1e4);
        self.tried += 1;
        (self.columns.score(&weights, self.aim, self.run), weights)
    }

    /// Uphill one weight at a time.
    fn climb(&mut self, mut best: (f64, Vec<f32>)) -> (f64, Vec<f32>) {
        for step in [0.5, 0.25, 0.1, 0.05, 0.02f32] {
            for _ in 0..3 {
                let before = best.0;
                for part in 0..best.1.len() {
                    for change in [step, -step] {
                        // A share of the weight goes to the part, or from it to the others.
                        let mut weights = best.1.clone();
                        let own = weights[part];
                        weights[part] = if change > 0.0 { own + change * (1.0 - own) } else { own * (1.0 + change) };
                        let (rest, left) = (1.0 - own, 1.0 - weights[part]);
                        let others = weights.iter_mut().enumerate().filter(|(i, _)| *i != part);
                        others.for_each(|(_, w)| *w = if rest > 0.0 { *w * left / rest } else { 0.0 });
                        if own >= 1.0 && change < 0.0 {
                            continue; // nobody to give it to
                        }
                        let tried = self.of(weights);
                        if tried.0 > best.0 {
                            best = tried;
                        }
                    }
                }
                if best.0 <= before {
                    break;
                }
            }
        }
        best
    }
}
