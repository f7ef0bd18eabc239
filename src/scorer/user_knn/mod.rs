//! Which shoppers are most like this one, and what else do they have?
//!
//! Neighbours are found at request time, among all rows, from the history at hand: a session or a brand-new shopper has
//! neighbours like anyone else.
//!
//! *When to use it:* where many shoppers have few items each and catalogues turn over; as a part of a blend beside item
//! models. *When not:* for items without events; where order decides. Neighbours are never named: an
//! [explanation](Scorer::explain) splits each one's vote among the items shared with them.
//!
//! *Cost:* a fit is `O(pairs)`; 8 to 24 bytes a pair. A request reads the shoppers of the shopper's items, then the
//! items of the neighbours: at most all pairs, each. An update is a fit.
//!
//! # References
//! * J. Herlocker, J. Konstan, A. Borchers & J. Riedl (1999): An algorithmic framework for performing collaborative
//!   filtering. SIGIR.
//! * F. Aiolli (2013): Efficient top-N recommendation for very large scale binary rated datasets. RecSys (asymmetry,
//!   locality).

mod params;

pub use params::UserKnnParams;

use super::item_knn::{Similarity, squared_lengths};
use super::pairs::{Own, Pairs};
use super::vote::Voting;
use super::walk::{Graph, Middle, Walker};
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace,
};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;

/// Items of the shoppers most like this one: `score(i) = Σ_u similarity(u) x_ui` over the nearest shoppers `u`. Fitted
/// from [`UserKnnParams`].
///
/// The item of the page at hand ([`Context::context_item`]) counts first and in full, whatever the kinds; then the
/// shopper's latest distinct items. Equally near shoppers are taken in the order of their rows.
///
/// # Example
/// ```
/// use likewise::testing::{ShopParams, SyntheticShop, Trial};
/// use likewise::{Checked, Context, DatasetBuilder, EventKind, Fit, ItemIdx, Run, Shelf, Touch, UserKnnParams, Validate};
/// let shop = SyntheticShop::new(ShopParams { events: 1_000, ..ShopParams::default() }.check()?);
/// let mut builder = DatasetBuilder::default();
/// builder.ingest(&shop)?;
/// let data = builder.finish()?;
/// let model = Checked::<UserKnnParams>::default().fit(&(&data).into(), &Run::default())?;
///
/// let shelf = Shelf::bare(&data);
/// let seen = [Touch { item: ItemIdx::new(0), kind: EventKind::View, at: data.as_of(), weight: 1.0 }];
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.history = &seen;
/// assert!(!Trial::default().ask(&model, &cx, 5).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UserKnn {
    params: UserKnnParams,
    extent: Extent,
    /// Out by the weights of the similarity, back by those of the pairs.
    graph: Graph,
    /// Squared length of each shopper's vector.
    lengths: Vec<f64>,
    /// How telling each item is; empty where all are the same.
    idf: Vec<f64>,
}

impl Fit for Checked<UserKnnParams> {
    type Model = UserKnn;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("user_knn", self)
    }

    /// `O(events)`.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<UserKnn, FitError> {
        run.step(0, 1, None)?;
        let pairs = Pairs::of(train.data, self.kinds, self.pairs, None);
        let weighed = self.similarity.weigh(&pairs.by_row, &pairs.by_item);
        let model = UserKnn {
            params: (**self).clone(),
            extent: train.data.extent(),
            graph: Graph::new(&weighed.transposed(pairs.by_item.rows()), &pairs.by_row),
            lengths: squared_lengths(&weighed),
            idf: self.similarity.idf(&pairs.by_row, &pairs.by_item),
        };
        run.step(1, 1, None)?;
        Ok(model)
    }
}

impl UserKnn {
    /// What an item's vote weighs in the shopper's vector.
    fn weight(&self, item: ItemIdx, vote: f32) -> f32 {
        let idf = self.idf.get(item.as_usize()).copied().unwrap_or(1.0);
        match self.params.similarity {
            Similarity::TfIdf => (f64::from(vote).sqrt() * idf) as f32,
            _ => (f64::from(vote) * idf) as f32,
        }
    }
}

impl Walker for UserKnn {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn depart(&self, cx: &Context<'_>, ws: &mut Workspace, out: &mut Vec<Scored>) {
        let UserKnnParams { kinds, history, recency, strength, .. } = self.params;
        Voting { kinds, history, decay: recency, strength }.voters(cx, cx.context_item, ws, out);
        // An item that tells nothing stays: it is one of the items shared all the same.
        out.retain(|voter| voter.item.as_usize() < self.extent.n_items);
        out.iter_mut().for_each(|voter| voter.score = self.weight(voter.item, voter.score));
    }

    fn pass(&self, cx: &Context<'_>, departed: &[Scored], middle: &mut Middle) {
        let UserKnnParams { similarity, shrinkage, locality, neighbours, own, .. } = self.params;
        let shrinkage = f64::from(shrinkage);
        if own == Own::Dropped
            && let Some(user) = cx.user
        {
            middle.silence(user.as_usize());
        }
        let mut shared = std::mem::take(&mut middle.shared);
        if shrinkage > 0.0 {
            shared.resize(self.lengths.len(), 0.0);
            shared.fill(0.0);
            departed.iter().for_each(|from| self.graph.each_shopper(from.item, |row, _| shared[row] += 1.0));
        }
        let mut nearest = std::mem::take(&mut middle.keys);
        nearest.clear();
        let own_length = departed.iter().map(|from| f64::from(from.score) * f64::from(from.score)).sum();
        middle.each_mut(|row, mass| {
            let mut alike = similarity.of((*mass).into(), own_length, self.lengths[row]);
            if shrinkage > 0.0 {
                let n = f64::from(shared[row]);
                alike *= n / (n + shrinkage);
            }
            if locality != 1.0 {
                alike = alike.powf(locality.into());
            }
            *mass = alike as f32;
            if *mass > 0.0 && mass.is_finite() {
                nearest.push(u64::from(mass.to_bits()) << 32 | u64::from(!(row as u32)));
            } else {
                *mass = 0.0;
            }
        });
        if nearest.len() > neighbours {
            nearest.select_nth_unstable_by(neighbours, |a, b| b.cmp(a));
            nearest[neighbours..].iter().for_each(|&key| middle.silence(!(key as u32) as usize));
        }
        middle.keys = nearest;
        middle.shared = shared;
    }

    fn arrive(&self, _: usize, sum: f32) -> f32 {
        sum
    }
}

impl Scorer for UserKnn {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.score_walk(cx, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.propose_walk(cx, limit, out, ws);
    }

    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        self.explain_walk(cx, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        self.params.reason
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("pairs", self.graph.heap_bytes())
            .with("lengths and rarities", (self.lengths.capacity() + self.idf.capacity()) * 8)
    }
}

crate::persist::portable!(UserKnn { params, extent, graph, lengths, idf }
    "figures that are not one a shopper" => |m| m.lengths.len() == m.graph.n_shoppers());
