//! GF-CF: a linear filter and an ideal low-pass filter on the graph of shoppers and items.
//!
//! *When to use it:* short histories, a wide catalogue, and little time to fit: it has no training loop, and on the
//! gowalla check-ins it beats trained graph networks. *When not:* where order and recency decide.
//!
//! *Cost:* fit: a round is two passes of `pairs × factors` and `2 × items × factors²` multiply-adds; without low-pass
//! filter, one pass over the pairs. Memory: `9 × factors` bytes an item, 16 a pair. Query: the pairs of all shoppers who
//! share an item with the shopper (never more than all pairs), and a [search](crate::Retrieval) of the item vectors.
//!
//! 2026-11-23, gowalla, 256 factors, twenty of a request, two cores at work on other things: p50 0.9 ms. Until then the
//! products with all item vectors were taken, 42 MB to read: 2.95 ms on the idle machine.
//!
//! # References
//! * Y. Shen, Y. Wu, Y. Zhang, C. Shan, J. Zhang, K. Letaief & D. Li (2021): How powerful is graph convolution for
//!   recommendation? CIKM.
//! * J.-D. Park, Y.-M. Shin & W.-Y. Shin (2024): Turbo-CF: matrix decomposition-free graph filtering for fast
//!   recommendation. SIGIR. (Exponents of the normalisation other than 0.5.)

use super::{Basis, GfCfParams, voters};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::kernel::dot::dot;
use crate::kernel::panel_products::products_at;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::factors::Factors;
use crate::scorer::linear::Scaling;
use crate::scorer::linear::design::Design;
use crate::scorer::vote::Voting;
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Proposing, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace, opinion,
};

/// The shopper's items, spread over the graph of shoppers and items, and smoothed. Fitted from [`GfCfParams`].
///
/// No opinion without a voter the model knows; without low-pass filter, none on items that share no shopper with a voter.
/// Scores name no evidence; [`explain`](Scorer::explain) says what each item of the shopper adds.
///
/// # Example
/// ```
/// use likewise::testing::proposals;
/// use likewise::{Consented, Context, DatasetBuilder, Event, EventKind, Fit, GfCfParams, LawfulBasis, Run, Shelf, Shopper, Timestamp, Touch, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("bob", "pan"), ("eve", "saw")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.finish()?;
/// let model = GfCfParams { factors: 2, ..GfCfParams::default() }.check()?.fit(&(&data).into(), &Run::new(1))?;
/// let item = |id| data.item(id).unwrap();
/// let history = [Touch { item: item("tea"), kind: EventKind::View, at: Timestamp::from_secs(2), weight: 1.0 }];
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.history = &history;
/// assert_eq!(proposals(&model, &cx, 3)[1], item("mug")); // after the tea itself
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GfCf {
    name: String,
    extent: Extent,
    voting: Voting,
    design: Design,
    active: Vec<u32>,
    /// What a vote is multiplied by, and a score, on the way through shoppers.
    walk_from: Vec<f32>,
    walk_to: Vec<f32>,
    basis: Basis,
    /// The items' vectors times their scale and α: what the low-pass filter's share of a score is a product with.
    items: Factors,
}

/// Touched items whose products are taken together.
const TOGETHER: usize = 32;
/// What rounding may add to a product beyond the product of the lengths, in parts of it.
const SLACK: f32 = 1e-3;

/// What the voters of a request say by way of shoppers, and where they stand among the patterns.
struct Asked {
    voters: Vec<Scored>,
    /// A sum an item; above zero where it shares a shopper with a voter.
    walked: Vec<f32>,
    taste: Vec<f32>,
}

impl Asked {
    fn give_back(self, ws: &mut Workspace) {
        ws.give_floats(self.taste);
        ws.give_floats(self.walked);
        ws.give_scored(self.voters);
    }
}

impl Fit for Checked<GfCfParams> {
    type Model = GfCf;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("gf_cf", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<GfCf, FitError> {
        let data = train.data;
        let scale = |shopper_exponent| {
            let scaling = Scaling { half_life: self.half_life, shopper_exponent, item_exponent: 0.5, popularity: 0.0 };
            Design::new(data, self.strength, &scaling)
        };
        let factors = if self.low_pass > 0.0 { self.factors } else { 0 };
        let symmetric = scale(0.5);
        let basis = Basis::new(&symmetric, factors, self.rounds.into(), run)?;
        let design = if self.shopper_exponent == 0.5 { symmetric } else { scale(self.shopper_exponent) };
        // The design has an exponent of 0.5 for items already.
        let power = |exponent: f32| -> Vec<f32> {
            let power = |&n: &f32| f64::from(n).powf(0.5 - f64::from(exponent)) as f32;
            design.counts.iter().map(|n| if *n > 0.0 { power(n) } else { 0.0 }).collect()
        };
        let (walk_from, walk_to) = (power(self.from_exponent), power(self.to_exponent));
        if walk_from.iter().chain(&walk_to).any(|scale| !scale.is_finite()) {
            return Err(FitError::NotFinite { model: "gf_cf", step: 0 });
        }
        let (name, extent, active) = (self.name.clone(), data.extent(), design.active());
        let scale = |item: usize| self.low_pass * design.to[item];
        let items = basis.scaled(&active, design.n_items(), scale).indexed(self.retrieval, run);
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        Ok(GfCf { name, extent, voting, design, active, walk_from, walk_to, basis, items })
    }
}

impl GfCf {
    fn is_known(&self, item: usize) -> bool {
        self.design.is_active(item)
    }

    /// Asks the voters; `None` without one.
    fn asked(&self, cx: &Context<'_>, ws: &mut Workspace) -> Option<Asked> {
        let voters = voters(&self.voting, cx, ws, |item| self.is_known(item));
        if voters.is_empty() {
            ws.give_scored(voters);
            return None;
        }
        // Votes to shoppers, then shoppers to items: no pair is walked twice.
        let mut shoppers = ws.take_accumulator(self.design.by_row.rows());
        for voter in &voters {
            let vote = voter.score * self.walk_from[voter.item.as_usize()];
            self.design.by_item.row(voter.item.as_usize()).iter().for_each(|(row, x)| shoppers.add(row, vote * x));
        }
        let mut walked = ws.take_floats(self.extent.n_items);
        for (row, vote) in shoppers.iter() {
            self.design.by_row.row(row as usize).iter().for_each(|(item, x)| walked[item as usize] += vote * x);
        }
        ws.give_accumulator(shoppers);
        let taste = self.basis.fold_in(&voters, &self.design.from, ws);
        Some(Asked { voters, walked, taste })
    }

    /// The linear filter's share of an item's score, if there is one.
    #[inline]
    fn walked(&self, asked: &Asked, item: usize) -> Option<f32> {
        asked.walked.get(item).filter(|&&sum| sum > 0.0).map(|sum| sum * self.walk_to[item])
    }

    /// Calls `found` with the score of each item of `touched`; leaves out those that cannot reach what it last answered.
    fn score_touched(
        &self,
        taste: &[f32],
        touched: &[Scored],
        ws: &mut Workspace,
        found: &mut dyn FnMut(Scored) -> f64,
    ) {
        let length = dot(taste, taste).sqrt() * (1.0 + SLACK);
        let (mut rows, mut walked, mut floor) = (ws.take_indices(0), ws.take_floats(0), f64::NEG_INFINITY);
        let mut products = ws.take_floats(TOGETHER);
        let mut flush = |rows: &mut Vec<u32>, walked: &mut Vec<f32>, floor: &mut f64| {
            products_at(self.items.flat(), rows, taste, &mut products[..rows.len()]);
            for ((&row, walked), product) in rows.iter().zip(walked.iter()).zip(&products) {
                *floor = found(Scored { item: ItemIdx::new(row), score: walked + product });
            }
            rows.clear();
            walked.clear();
        };
        for &Scored { item, score } in touched {
            if f64::from(score + length * self.items.length(item.as_usize())) >= floor {
                rows.push(item.get());
                walked.push(score);
                if rows.len() == TOGETHER {
                    flush(&mut rows, &mut walked, &mut floor);
                }
            }
        }
        flush(&mut rows, &mut walked, &mut floor);
        ws.give_floats(products);
        ws.give_floats(walked);
        ws.give_indices(rows);
    }

    /// What one voter's vote adds to `item`: the shoppers both share, and the product of both vectors.
    fn part(&self, voter: &Scored, item: usize) -> f32 {
        let from = voter.item.as_usize();
        let shared: f32 = {
            let others = self.design.by_item.row(item);
            self.design.by_item.row(from).iter().filter_map(|(row, x)| others.get(row).map(|y| x * y)).sum()
        };
        let walked = self.walk_from[from] * shared * self.walk_to[item];
        let alike = match (self.basis.of(from), self.items.known(item)) {
            (Some(a), Some(b)) => dot(a, b),
            _ => 0.0,
        };
        voter.score * (walked + self.design.from[from] * alike)
    }
}

impl Scorer for GfCf {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let Some(asked) = self.asked(cx, ws) else { return };
        self.items.score(&asked.taste, out, ws, |item| Some(item.as_usize()));
        for slot in 0..out.items().len() {
            if let Some(walked) = self.walked(&asked, out.items()[slot].as_usize()) {
                let smooth = out.get(slot).unwrap_or(0.0);
                out.set(slot, walked + smooth);
            }
        }
        asked.give_back(ws);
    }

    /// The best of the items that share a shopper with a voter, and of all that the low-pass filter knows.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        if limit == 0 {
            return;
        }
        let Some(asked) = self.asked(cx, ws) else { return };
        let mut touched = ws.take_scored();
        touched.extend(self.active.iter().filter_map(|&item| {
            self.walked(&asked, item as usize).map(|score| Scored { item: ItemIdx::new(item), score })
        }));
        if self.basis.factors() == 0 {
            out.extend_top(&mut touched, limit);
        } else {
            // Those that the linear filter likes best first: they raise the floor that spares the others a product.
            if touched.len() > limit {
                touched.select_nth_unstable_by(limit - 1, Scored::order);
            }
            let mut found = ws.take::<Vec<ItemIdx>>();
            self.items.propose(
                &mut [Proposing::new(*cx, &mut |item| out.admits(item), &mut found)],
                limit,
                ws,
                |_, ws| {
                    let mut x = ws.take_floats(0);
                    x.extend_from_slice(&asked.taste);
                    Some(x)
                },
                |_, row| self.walked(&asked, row).is_none().then(|| ItemIdx::new(row as u32)),
                |_, taste, ws, offer| self.score_touched(taste, &touched, ws, offer),
            );
            out.extend_admitted(&found);
            ws.give(found);
        }
        ws.give_scored(touched);
        asked.give_back(ws);
    }

    /// What each of the shopper's items adds, both filters together.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else { return Explanation::leaf(None, Reason::Abstained) };
        let code = self.reason();
        let reason = Reason::Scorer { name: self.name.clone(), code };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let voters = voters(&self.voting, cx, ws, |item| self.is_known(item));
        for voter in &voters {
            let reason = Reason::Because { item: voter.item, code };
            explanation.details.push(Explanation::leaf(Some(self.part(voter, item.as_usize())), reason));
        }
        ws.give_scored(voters);
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    /// The cosine of the items' vectors; `None` without low-pass filter.
    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.basis.cosine(a.as_usize(), b.as_usize())
    }

    fn memory_report(&self) -> MemoryReport {
        let scales = (self.active.capacity() + self.walk_from.capacity() + self.walk_to.capacity()) * 4;
        let vectors = self.basis.heap_bytes() + self.items.heap_bytes() + self.items.packed_bytes();
        MemoryReport::default()
            .with("item vectors", vectors)
            .with("pairs", self.design.heap_bytes())
            .with("item scales", scales)
    }
}

crate::persist::portable!(GfCf { name, extent, voting, design, active, walk_from, walk_to, basis, items }
    "figures that are not one an item" => |m| m.design.by_item.rows() == m.extent.n_items
        && [m.walk_from.len(), m.walk_to.len()] == [m.extent.n_items; 2]
        && m.active.iter().all(|&item| (item as usize) < m.extent.n_items)
        && m.items.rows() == m.extent.n_items
        && m.items.dim() == m.basis.factors()
        && m.basis.is_of(m.extent.n_items));
