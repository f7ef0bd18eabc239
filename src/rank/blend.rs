//! How several opinions become one score.

use serde::{Deserialize, Serialize};

use super::normalise::{Normalise, by_ties};
use crate::params::ParamError;

/// What a scorer without an opinion on a candidate adds to its score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// Nothing: silence is as good as the lowest opinion under [`Normalise::MinMax`]. Right when most scorers know most
    /// candidates.
    #[default]
    Nothing,
    /// The mean of that scorer's opinions on the other candidates: silence is neither praise nor blame.
    Mean,
    /// Its weight goes to the scorers that do have an opinion, in proportion. Right when scorers cover different parts
    /// of the catalogue.
    Redistribute,
}

/// The way opinions are combined.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Blend {
    /// `sum(weight x normalised score)`.
    WeightedSum {
        /// The scale the scores are brought to; one scorer's own setting overrides it.
        normalise: Normalise,
        /// What silence counts.
        missing: Missing,
    },
    /// Reciprocal-rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): `sum(weight / (c + rank))` over the scorers
    /// with an opinion, the best candidate and its equals having rank 1. Needs no scale; silence counts nothing.
    ReciprocalRank {
        /// How slowly the advantage of the first places fades, above 0; 60 in the paper.
        c: f32,
    },
}

impl Default for Blend {
    fn default() -> Self {
        Self::WeightedSum { normalise: Normalise::default(), missing: Missing::default() }
    }
}

impl Blend {
    pub(crate) fn validate(self) -> Result<(), ParamError> {
        match self {
            Self::ReciprocalRank { c } if !(f32::MIN_POSITIVE..=1e6).contains(&c) => {
                Err(ParamError::new("reciprocal_rank.c", c, "a finite number above 0, up to 1000000"))
            }
            _ => Ok(()),
        }
    }

    /// Turns raw columns (one a scorer, `n` long each, NaN for no opinion) into contributions whose sum over the scorers
    /// is the blended score.
    pub(crate) fn contributions(self, columns: &mut [f32], n: usize, weights: &[Weighted], order: &mut Vec<u32>) {
        if n == 0 {
            return;
        }
        for (column, w) in columns.chunks_exact_mut(n).zip(weights) {
            match self {
                Self::ReciprocalRank { c } => {
                    by_ties(column, order, |before, _, _| w.weight / (c + before as f32 + 1.0));
                    silence(column, 0.0);
                }
                Self::WeightedSum { normalise, missing } => {
                    w.normalise.unwrap_or(normalise).apply(column, order);
                    match missing {
                        Missing::Nothing => silence(column, 0.0),
                        Missing::Mean => {
                            let mean = mean(column);
                            silence(column, mean);
                        }
                        Missing::Redistribute => {}
                    }
                    column.iter_mut().for_each(|x| *x *= w.weight);
                }
            }
        }
        if let Self::WeightedSum { missing: Missing::Redistribute, .. } = self {
            redistribute(columns, n, weights);
        }
    }
}

/// A scorer's weight in the blend and, if it has one, its own scale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weighted {
    pub(crate) weight: f32,
    pub(crate) normalise: Option<Normalise>,
}

fn silence(column: &mut [f32], value: f32) {
    column.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = value);
}

fn mean(column: &[f32]) -> f32 {
    let opinions = column.iter().copied().filter(|x| !x.is_nan());
    let n = opinions.clone().count().max(1);
    (opinions.map(f64::from).sum::<f64>() / n as f64) as f32
}

fn redistribute(columns: &mut [f32], n: usize, weights: &[Weighted]) {
    let all: f32 = weights.iter().map(|w| w.weight).sum();
    for slot in 0..n {
        let speaking: f32 =
            weights.iter().enumerate().filter(|(s, _)| !columns[s * n + slot].is_nan()).map(|(_, w)| w.weight).sum();
        // In f64: a light voice alone must not become infinite.
        let factor = if speaking > 0.0 { f64::from(all) / f64::from(speaking) } else { 0.0 };
        for s in 0..weights.len() {
            let x = &mut columns[s * n + slot];
            *x = if x.is_nan() { 0.0 } else { (f64::from(*x) * factor) as f32 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blended(blend: Blend, columns: &[&[f32]], weights: &[f32]) -> Vec<f32> {
        let n = columns[0].len();
        let mut flat: Vec<f32> = columns.concat();
        let weights: Vec<Weighted> = weights.iter().map(|&weight| Weighted { weight, normalise: None }).collect();
        blend.contributions(&mut flat, n, &weights, &mut Vec::new());
        (0..n).map(|slot| flat.iter().skip(slot).step_by(n).sum()).collect()
    }

    #[test]
    fn by_hand() {
        const NONE: f32 = f32::NAN;
        let columns: [&[f32]; 2] = [&[4.0, 2.0, NONE], &[NONE, 10.0, 30.0]];
        let sum = |missing| Blend::WeightedSum { normalise: Normalise::MinMax, missing };
        assert_eq!(blended(sum(Missing::Nothing), &columns, &[1.0, 2.0]), [1.0, 0.0, 2.0]);
        assert_eq!(blended(sum(Missing::Mean), &columns, &[1.0, 2.0]), [2.0, 0.0, 2.5]);
        assert_eq!(blended(sum(Missing::Redistribute), &columns, &[1.0, 2.0]), [3.0, 0.0, 3.0]);
        let rrf = Blend::ReciprocalRank { c: 1.0 };
        assert_eq!(blended(rrf, &columns, &[1.0, 2.0]), [0.5, 1.0 / 3.0 + 2.0 / 3.0, 1.0]);
    }
}
