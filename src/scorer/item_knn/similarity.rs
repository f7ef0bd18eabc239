//! How alike two documents are by the terms they share. For items, the terms are shoppers; for shoppers, items.

use serde::{Deserialize, Serialize};

use crate::dataset::Csr;
use crate::params::ParamError;
use crate::scorer::pairs::{reweighed, row_sums};

/// How alike two items are by the shoppers they share (or two shoppers by their items).
///
/// With `x` the weight of a pair, `n_u` the shopper's items, `N` all items, `idf_u = ln(N / (1 + n_u))`:
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Similarity {
    /// `a · b / (|a| |b|)`.
    #[default]
    Cosine,
    /// `a · b / (|a|^2alpha |b|^2(1 - alpha))` (Aiolli 2013), `a` being what the shopper has. One half is
    /// [`Cosine`](Self::Cosine); 1 favours popular items, 0 rare ones.
    AsymmetricCosine {
        /// From 0 to 1.
        alpha: f32,
    },
    /// `a · b / (|a|² + |b|² - a · b)`: of all who touched either, those who touched both.
    Jaccard,
    /// `2 a · b / (|a|² + |b|²)`.
    Dice,
    /// The cosine with weights `sqrt(x) idf_u`: shoppers of everything say little about anything.
    TfIdf,
    /// The product of the weights `x (k1 + 1) / (k1 (1 - b + b len / mean len) + x) idf_u`, `len` being an item's summed
    /// weight (Robertson & Zaragoza 2009). It is not bounded by 1: items with many shoppers count more.
    Bm25 {
        /// How late repeated weight saturates; from 0 to 1,000.
        k1: f32,
        /// How much long items are held back; from 0 to 1.
        b: f32,
    },
}

impl Similarity {
    pub(in crate::scorer) const ALLOWED: &str =
        "cosine, asymmetric_cosine, jaccard, dice, tf_idf or bm25; alpha and b from 0 to 1, k1 from 0 to 1000";

    /// What a search tries.
    pub(in crate::scorer) const CHOICES: &[&str] =
        &["\"cosine\"", "\"tf_idf\"", "{\"asymmetric_cosine\":{\"alpha\":0.5}}", "{\"bm25\":{\"k1\":1.2,\"b\":0.25}}"];

    pub(in crate::scorer) fn validate(self, field: &str) -> Result<(), ParamError> {
        let within = |name: &str, value: f32, most: f32| {
            let error =
                || ParamError::new(format!("{field}.{name}"), value, format!("a finite number from 0 to {most}"));
            if (0.0..=most).contains(&value) { Ok(()) } else { Err(error()) }
        };
        match self {
            Self::AsymmetricCosine { alpha } => within("asymmetric_cosine.alpha", alpha, 1.0),
            Self::Bm25 { k1, b } => within("bm25.k1", k1, 1_000.0).and_then(|()| within("bm25.b", b, 1.0)),
            _ => Ok(()),
        }
    }

    /// `docs` (documents x terms) with the weights whose products are taken; `terms` is the same by term.
    pub(in crate::scorer) fn weigh(self, docs: &Csr, terms: &Csr) -> Csr {
        let idf = self.idf(docs, terms);
        match self {
            Self::TfIdf => reweighed(docs, |_, term, x| (f64::from(x).sqrt() * idf[term as usize]) as f32),
            Self::Bm25 { k1, b } => {
                let (k1, b, lengths) = (f64::from(k1), f64::from(b), row_sums(docs));
                let n_docs = (0..docs.rows()).filter(|&doc| !docs.row(doc).is_empty()).count();
                let mean = lengths.iter().sum::<f64>() / n_docs.max(1) as f64;
                reweighed(docs, |doc, term, x| {
                    let x = f64::from(x);
                    let length = 1.0 - b + b * lengths[doc] / mean;
                    (x * (k1 + 1.0) / (k1 * length + x) * idf[term as usize]) as f32
                })
            }
            _ => docs.clone(),
        }
    }

    /// How telling each term is; empty where all are the same.
    pub(in crate::scorer) fn idf(self, docs: &Csr, terms: &Csr) -> Vec<f64> {
        if !matches!(self, Self::TfIdf | Self::Bm25 { .. }) {
            return Vec::new();
        }
        let n_docs = (0..docs.rows()).filter(|&doc| !docs.row(doc).is_empty()).count() as f64;
        // Not a difference of logarithms: a term of all documents but one says exactly nothing.
        (0..terms.rows()).map(|term| (n_docs / (1.0 + terms.row(term).len() as f64)).ln()).collect()
    }

    /// The similarity of `a` and `b` from their product and squared lengths, all of weighed vectors.
    pub(in crate::scorer) fn of(self, product: f64, a: f64, b: f64) -> f64 {
        match self {
            Self::Cosine | Self::TfIdf => product / (a.sqrt() * b.sqrt()),
            Self::AsymmetricCosine { alpha } => product / (a.powf(alpha.into()) * b.powf(1.0 - f64::from(alpha))),
            Self::Jaccard => product / (a + b - product),
            Self::Dice => 2.0 * product / (a + b),
            Self::Bm25 { .. } => product,
        }
    }

    /// The same for many pairs: what depends on one side only is taken out of the loop.
    pub(in crate::scorer) fn sides(self, lengths: &[f64]) -> Sides {
        let (left, right): (Vec<f64>, Vec<f64>) = match self {
            Self::Cosine | Self::TfIdf => lengths.iter().map(|x| (x.sqrt(), x.sqrt())).unzip(),
            Self::AsymmetricCosine { alpha } => {
                let beta = 1.0 - f64::from(alpha);
                lengths.iter().map(|x| (x.powf(alpha.into()), x.powf(beta))).unzip()
            }
            Self::Jaccard | Self::Dice | Self::Bm25 { .. } => lengths.iter().map(|&x| (x, x)).unzip(),
        };
        let inverse = |x: &f64| Some(x.recip() as f32).filter(|x| x.is_normal()).unwrap_or(f32::NAN);
        let inverse = match self {
            Self::Cosine | Self::TfIdf | Self::AsymmetricCosine { .. } => right.iter().map(inverse).collect(),
            _ => Vec::new(),
        };
        Sides { similarity: self, left, right, inverse }
    }

    /// Whether 1 is the similarity of equals.
    pub(in crate::scorer) const fn is_bounded(self) -> bool {
        matches!(self, Self::Cosine | Self::Jaccard | Self::Dice | Self::TfIdf)
    }
}

/// What each item brings to its similarities, as the one and as the other of a pair.
#[derive(Debug)]
pub(in crate::scorer) struct Sides {
    similarity: Similarity,
    left: Vec<f64>,
    right: Vec<f64>,
    /// One over `right`, roughly, where a similarity is a product over both; NaN beyond single precision.
    inverse: Vec<f32>,
}

impl Sides {
    pub(in crate::scorer) fn of_left(&self, item: usize) -> f64 {
        self.left[item]
    }

    /// What the similarities of one item go by, up to a rounding and a factor they share; NaN where that is not known.
    #[inline]
    pub(in crate::scorer) fn rough(&self, product: f32, b: usize) -> f32 {
        product * self.inverse.get(b).copied().unwrap_or(f32::NAN)
    }

    /// [`Similarity::of`] an item with this `left` and the item `b`, to the last bit.
    #[inline]
    pub(in crate::scorer) fn similarity(&self, product: f64, left: f64, b: usize) -> f64 {
        let right = self.right[b];
        match self.similarity {
            Similarity::Cosine | Similarity::TfIdf | Similarity::AsymmetricCosine { .. } => product / (left * right),
            Similarity::Jaccard => product / (left + right - product),
            Similarity::Dice => 2.0 * product / (left + right),
            Similarity::Bm25 { .. } => product,
        }
    }
}

/// The squared length of each row.
pub(in crate::scorer) fn squared_lengths(csr: &Csr) -> Vec<f64> {
    let square = |w: &f32| f64::from(*w) * f64::from(*w);
    (0..csr.rows()).map(|row| csr.row(row).weights().iter().map(square).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_the_similarity() {
        let lengths = [0.3, 7.0, 2.5e9, 1e-12];
        let (alpha, k1, b) = (0.3, 1.2, 0.5);
        let all = [Similarity::Cosine, Similarity::AsymmetricCosine { alpha }, Similarity::Jaccard, Similarity::Dice];
        for similarity in all.into_iter().chain([Similarity::TfIdf, Similarity::Bm25 { k1, b }]) {
            let sides = similarity.sides(&lengths);
            for (a, b) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
                let fast = sides.similarity(0.7, sides.of_left(a), b);
                assert_eq!(fast.to_bits(), similarity.of(0.7, lengths[a], lengths[b]).to_bits(), "{similarity:?}");
            }
        }
    }
}
