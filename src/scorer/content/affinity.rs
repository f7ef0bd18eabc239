//! The categories, brands or other values a shopper comes back to, and what is wanted among their items.
//!
//! *When to use it:* personal category and brand shelves; new shoppers, from the first click of a session; as a share of a
//! blend that keeps to what the shopper shops for. *When not:* for the one next item (order and co-occurrence say more), and
//! for values nearly everybody touches.
//!
//! *Cost:* fit one pass over attribute values and pairs; a request `O(history x values)`, `score` `O(candidates x values)`,
//! `propose` is exact and costs all items of the values the shopper touched.
//!
//! # References
//! * D. Hiemstra (2001): Using language models for information retrieval. PhD thesis, Twente. Chapter 3: a shopper is a
//!   mixture of their own values and everybody's, an item is drawn from its value.

use super::affinity_params::AffinityParams;
use super::profile::Profile;
use super::traits::{Traits, Weigh};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::attributes::{CODED, Features};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scorer, Scores, TrainingSet, Workspace,
};

/// What is wanted among the values a shopper comes back to. Fitted from [`AffinityParams`].
///
/// With votes `n(v)` of the shopper's `n` for value `v`, of which everybody's share is `q(v)`, an item `i` scores the sum over
/// its values `v` that the shopper touched of
///
/// ```text
/// weight of the attribute x (n(v) + prior q(v)) / (n + prior) x share of i in v ^ popularity
/// ```
///
/// where the share of `i` in `v` is that of its shoppers, plus one, in those of all items of `v`: a new item has a share too.
#[derive(Clone, Debug)]
pub struct Affinity {
    params: AffinityParams,
    traits: Traits<Shares>,
    /// Everybody's share of each value.
    everybody: Vec<f32>,
}

#[derive(Clone, Debug)]
struct Shares {
    popularity: f32,
    /// Shoppers of each item of the fit.
    shoppers: Vec<u32>,
    /// Shoppers of all items of each value, and one for each item.
    total: Vec<f64>,
}

impl Weigh for Shares {
    fn weigh(&self, place: Option<usize>, attribute: f32, features: &mut [(u32, f32)]) {
        let shoppers = place.and_then(|place| self.shoppers.get(place)).map_or(0.0, |&n| f64::from(n));
        for (feature, weight) in features {
            let share = ((shoppers + 1.0) / self.total[*feature as usize].max(1.0)) as f32;
            *weight = attribute * share.powf(self.popularity);
        }
    }
}

impl Fit for Checked<AffinityParams> {
    type Model = Affinity;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("affinity", self)
    }

    /// Counts the shoppers of each item, of pairs of positive weight. Without a catalogue, and with no attribute named, the
    /// model has no opinions.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Affinity, FitError> {
        let features = Features::learn(&self.attributes, CODED, self.spans, train.shelf)?;
        let by_item = train.data.by_item();
        let shoppers: Vec<u32> = (0..by_item.rows()).map(|item| by_item.row(item).len() as u32).collect();
        let (mut total, mut touches) = (vec![0.0; features.len()], vec![0.0; features.len()]);
        let mut all = 0.0;
        if let Some(shelf) = train.shelf {
            let (mut row, mut word) = (Vec::new(), String::new());
            for item in 0..shelf.n_items() {
                features.read(shelf, ItemIdx::new(item as u32), &mut word, &mut row, |_, _| ());
                let n = shoppers.get(item).map_or(0.0, |&n| f64::from(n));
                for &(feature, _) in &row {
                    total[feature as usize] += n + 1.0;
                    touches[feature as usize] += n;
                }
                all += if row.is_empty() { 0.0 } else { n };
            }
        }
        let everybody = touches.iter().map(|n: &f64| (n / f64::max(all, 1.0)) as f32).collect();
        let weigh = Shares { popularity: self.popularity, shoppers, total };
        Ok(Affinity { params: (**self).clone(), traits: Traits::new(train, features, weigh, run)?, everybody })
    }
}

impl Affinity {
    /// The parameters it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &AffinityParams {
        &self.params
    }

    fn profile(&self, cx: &Context<'_>, ws: &mut Workspace) -> Box<Profile> {
        let (voting, prior) = (self.params.voting(), self.params.prior);
        let smooth =
            |votes: f32, feature: u32, sum: f32| (sum + prior * self.everybody[feature as usize]) / (votes + prior);
        self.traits.profile(&voting, cx, ws, |vote, _| vote, smooth)
    }
}

impl Scorer for Affinity {
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

    /// A part for each value of the item that the shopper touched.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let profile = self.profile(cx, ws);
        self.traits.explain((&self.params.name, self.reason()), cx, profile, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::FavouriteKind
    }

    fn memory_report(&self) -> MemoryReport {
        let Shares { shoppers, total, .. } = &self.traits.weigh;
        let counts = shoppers.capacity() * 4 + total.capacity() * 8 + self.everybody.capacity() * 4;
        self.traits.memory_report().with("counts", counts)
    }
}

crate::persist::portable!(Shares { popularity, shoppers, total });
crate::persist::portable!(Affinity { params, traits, everybody }
"shares that are not one a value" => |m| {
    let n = m.traits.n_features();
    [m.everybody.len(), m.traits.weigh.total.len()] == [n; 2]
});
