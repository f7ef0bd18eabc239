//! Items alike by what the catalogue says of them: TF-IDF over categories, tags, words and spans of numbers, and the cosine.
//!
//! *When to use it:* for new items, for small shops, "similar items" on a product page, as a share of a blend that keeps the
//! long tail in play. Works for anonymous sessions from the first click. *When not:* as the only opinion on items with
//! events (behaviour says more than attributes), or where attributes are few and coarse: everything in a category then
//! scores the same. What the shopper touched is most like itself: filter it with [`Seen`](crate::Seen) or
//! [`NotCurrent`](crate::NotCurrent).
//!
//! *Cost:* fit two passes over the attribute values. A request adds up the features of its voters; `score` is
//! `O(candidates x features of an item x log)`, `propose` is exact and costs the items that share a feature with the profile:
//! a category every tenth item is in costs a tenth of the catalogue.
//!
//! # References
//! * G. Salton & C. Buckley (1988): Term-weighting approaches in automatic text retrieval. Information Processing &
//!   Management.
//! * P. Lops, M. de Gemmis & G. Semeraro (2011): Content-based recommender systems: state of the art and trends.
//!   Recommender Systems Handbook.

use super::profile::Profile;
use super::similarity_params::ContentSimilarityParams;
use super::traits::{Traits, Weigh};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::attributes::{ALL_KINDS, Features};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scorer, Scores, TrainingSet, Workspace,
};

/// Items alike by what the catalogue says of them. Fitted from [`ContentSimilarityParams`].
///
/// The score is the mean cosine with the shopper's items, weighted by their votes: from 0 to 1.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::*;
/// let mut builder = CatalogBuilder::default().attribute("title", AttributeKind::Text)?;
/// for (item, title) in [("m1", "Blue enamel mug"), ("m2", "Red enamel mug"), ("s1", "Steel saw"), ("s2", "Fret saw")] {
///     builder.add(&ItemRecord::new(item).text("title", title))?;
/// }
/// let data = DatasetBuilder::default().finish()?; // nothing ever happened
/// let shelf = Shelf::new(&data, Arc::new(builder.build()));
/// let train = TrainingSet::with_shelf(&data, &shelf);
/// let model = ContentSimilarityParams::default().check()?.fit(&train, &Run::new(1))?;
///
/// let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(0));
/// cx.context_item = shelf.item(&data, "m1");
/// let like_m1 = testing::proposals(&model, &cx, 9);
/// assert_eq!(like_m1.iter().map(|&i| shelf.key(&data, i)).collect::<Vec<_>>(), ["m1", "m2"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ContentSimilarity {
    params: ContentSimilarityParams,
    traits: Traits<TfIdf>,
}

/// Each attribute of an item is a vector of a length by its weight, so that a long text does not drown a category; all
/// together have length 1.
#[derive(Clone, Debug)]
struct TfIdf {
    idf: Vec<f32>,
}

impl Weigh for TfIdf {
    fn weigh(&self, _: Option<usize>, attribute: f32, features: &mut [(u32, f32)]) {
        for (feature, weight) in &mut *features {
            *weight = (1.0 + weight.ln()) * self.idf[*feature as usize];
        }
        scale_to(attribute.sqrt(), features);
    }

    fn finish(&self, features: &mut [(u32, f32)]) {
        scale_to(1.0, features);
    }
}

fn scale_to(length: f32, features: &mut [(u32, f32)]) {
    let square: f32 = features.iter().map(|(_, w)| w * w).sum();
    if square > 0.0 {
        let scale = length / square.sqrt();
        features.iter_mut().for_each(|(_, w)| *w *= scale);
    }
}

impl Fit for Checked<ContentSimilarityParams> {
    type Model = ContentSimilarity;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("content", self)
    }

    /// Reads the attributes of every item of dataset and catalogue. Without a catalogue, and with no attribute named, the
    /// model has no opinions. Events play no part.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<ContentSimilarity, FitError> {
        let features = Features::learn(&self.attributes, ALL_KINDS, self.spans, train.shelf)?;
        let mut holders = vec![0u32; features.len()];
        let mut n = 0u32;
        if let Some(shelf) = train.shelf {
            let (mut row, mut word) = (Vec::new(), String::new());
            for item in 0..shelf.n_items() as u32 {
                features.read(shelf, ItemIdx::new(item), &mut word, &mut row, |_, _| ());
                row.iter().for_each(|&(feature, _)| holders[feature as usize] += 1);
                n += u32::from(!row.is_empty());
            }
        }
        let idf = |&holders: &u32| (f64::from(n) / f64::from(holders.max(1))).ln_1p().powf(self.idf.into()) as f32;
        let weigh = TfIdf { idf: holders.iter().map(idf).collect() };
        Ok(ContentSimilarity { params: (**self).clone(), traits: Traits::new(train, features, weigh, run)? })
    }
}

impl ContentSimilarity {
    /// The parameters it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &ContentSimilarityParams {
        &self.params
    }

    fn profile(&self, cx: &Context<'_>, ws: &mut Workspace) -> Box<Profile> {
        let voting = self.params.voting();
        self.traits.profile(&voting, cx, ws, |vote, weight| vote * weight, |votes, _, sum| sum / votes)
    }
}

impl Scorer for ContentSimilarity {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.traits.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let profile = self.profile(cx, ws);
        self.traits.score(cx, profile, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let profile = self.profile(cx, ws);
        self.traits.propose(cx, profile, limit, out, ws);
    }

    /// A part for each value the item shares with the shopper's items: "because it is also of this category".
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let profile = self.profile(cx, ws);
        self.traits.explain((&self.params.name, self.reason()), cx, profile, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarItem
    }

    /// The cosine of what the catalogue said of two items of the dataset at the fit.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.traits.product(a, b).map(|cosine| cosine.clamp(0.0, 1.0))
    }

    fn memory_report(&self) -> MemoryReport {
        self.traits.memory_report().with("idf", self.traits.weigh.idf.capacity() * size_of::<f32>())
    }
}

crate::persist::portable!(TfIdf { idf });
crate::persist::portable!(ContentSimilarity { params, traits }
    "rarities that are not one a value" => |m| m.traits.weigh.idf.len() == m.traits.n_features());
