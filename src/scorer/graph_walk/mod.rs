//! Where does a random walk from the shopper's items end? Three steps: to shoppers, and on to their items.
//!
//! ```text
//! score(j) = Σ_i v_i d_i^-start Σ_u y_ui n_u^-middle y_uj d_j^-end      y = weight^alpha
//! ```
//!
//! over the shopper's items `i` with votes `v` and all shoppers `u` of both; `d` is an item's and `n` a shopper's summed
//! `y` (with edges of weight 1, how many they have). It holds the published walks as special cases:
//!
//! | | `start` | `middle` | `end` |
//! |---|---|---|---|
//! | P3-alpha | 1 | 1 | 0 |
//! | RP3-beta | 1 | 1 | beta |
//! | linear part of GF-CF | ½ | ½ | ½ |
//! | LinkProp | α' | δ' | β' |
//!
//! *When to use it:* first, for long-term taste over any catalogue: no training, no seed, three exponents to tune, and
//! among the most accurate models on interactions without order. New shoppers and sessions are served by their items at
//! once. *When not:* where order decides (the next click of a session); for items without events.
//!
//! *Two forms of the same sum.* Without lists (the default) the walk is made at request time and exact: the fit is
//! `O(pairs)`, a request costs the shoppers of the shopper's items, then these shoppers' items: at most all pairs, on
//! gowalla's 810,000 pairs well under a millisecond for most. Memory: 8 bytes a pair (16 to 24 with edges of different
//! weights), 8 to 12 a row and item. With [`neighbours`](GraphWalkParams::neighbours) each item keeps its strongest
//! sources; the fit is `O(Σ row²)`, a request `O(history x list)`, memory 8 bytes a neighbour. The cut costs accuracy on
//! sparse data of many items (gowalla) and gains much where the same few thousand items meet in every basket (the
//! invoices of a wholesaler), since it takes from popular items what arrives there from everywhere. An update is a fit.
//!
//! Gowalla, Recall@20 / NDCG@20 on the published test pairs: RP3-beta with beta 0.1 and lists that sum to one, cut to
//! 1,000 sources .1792 / .1474 (as irspack), uncut .1889 / .1579; the default exponents, uncut, .1869 / .1550.
//!
//! # References
//! * C. Cooper, S. H. Lee, T. Radzik & Y. Siantos (2014): Random walks in recommender systems: exact computation and
//!   simulations. WWW.
//! * B. Paudel, F. Christoffel, C. Newell & A. Bernstein (2017): Updatable, accurate, diverse, and scalable
//!   recommendations for interactive applications. ACM TiiS 7(1); F. Christoffel et al. (2015): Blockbusters and
//!   wallflowers. RecSys.
//! * H.-M. Fu, P. Poirson, K. S. Lee & C. Wang (2022): Revisiting neighborhood-based link prediction for collaborative
//!   filtering. WWW companion (an exponent for each degree).

mod lists;
mod params;

pub use params::GraphWalkParams;

use super::neighbours::Neighbours;
use super::pairs::{ListScale, Pairs, row_sums};
use super::vote::{Electorate, Vote, Voting};
use super::walk::{Graph, Middle, Walker};
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace,
};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::kernel::top_k::top_k;
use crate::params::Checked;
use crate::run::Run;

/// Items at the end of short walks from the shopper's own. Fitted from [`GraphWalkParams`].
///
/// The item of the page at hand ([`Context::context_item`]) counts first and in full, whatever the kinds; then the
/// shopper's latest distinct items.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, Fit, GraphWalkParams, LawfulBasis, Run, Shopper, Timestamp, Validate};
/// let mut shop = DatasetBuilder::default();
/// for (who, item) in [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("cat", "tea"), ("cat", "pan")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
/// }
/// let data = shop.build()?;
/// let model = GraphWalkParams::p3_alpha(1.0).check()?.fit(&(&data).into(), &Run::default())?;
/// let likely = model.similar_items(data.item("pan").unwrap(), 2);
/// // From the pan to cat, and from cat to her two items with equal probability: the first in number wins.
/// assert_eq!(likely.iter().map(|s| (data.item_key(s.item), s.score)).collect::<Vec<_>>(), [("tea", 0.5)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GraphWalk {
    name: String,
    reason: ReasonCode,
    extent: Extent,
    voting: Voting,
    /// Without edges where there are lists.
    ways: Ways,
    lists: Option<Neighbours>,
}

/// The graph, and the factor of each node by the step it is met in.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ways {
    graph: Graph,
    start: Vec<f32>,
    middle: Vec<f32>,
    end: Vec<f32>,
}

impl Fit for Checked<GraphWalkParams> {
    type Model = GraphWalk;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("graph_walk", self)
    }

    /// Without lists `O(events)`; with lists `O(Σ row²)` over the shopper rows, in parallel over items.
    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<GraphWalk, FitError> {
        run.step(0, 1, None)?;
        let pairs = Pairs::of(train.data, self.kinds, self.edges, self.decay).powered(self.alpha);
        let mut ways = Ways::new(self, &pairs);
        let lists = self.neighbours.map(|kept| lists::build(&ways, &pairs, kept, self.scale, run)).transpose()?;
        if lists.is_some() {
            ways = Ways::default();
        } else {
            ways.graph = Graph::new(&pairs.by_item, &pairs.by_row);
        }
        run.step(1, 1, None)?;
        let voting = Voting { kinds: self.kinds, history: self.history, decay: self.recency, strength: self.strength };
        Ok(GraphWalk { name: self.name.clone(), reason: self.reason, extent: train.data.extent(), voting, ways, lists })
    }
}

impl Ways {
    fn new(params: &GraphWalkParams, pairs: &Pairs) -> Self {
        let items = row_sums(&pairs.by_item);
        let mut ways = Self {
            graph: Graph::default(),
            start: powers(&items, params.start),
            middle: powers(&row_sums(&pairs.by_row), params.middle),
            end: powers(&items, params.end),
        };
        if params.scale == ListScale::SumToOne && params.neighbours.is_none() {
            ways.start = powers(&ways.arrivals(pairs), 1.0);
        }
        ways
    }

    /// What arrives at all items together, for one unit that leaves each item.
    fn arrivals(&self, pairs: &Pairs) -> Vec<f64> {
        let weighed = |sum: f64, (weight, factor): (f32, f64)| sum + f64::from(weight) * factor;
        let from_row = |row: usize| {
            let ends = pairs.by_row.row(row).iter().map(|(item, y)| (y, f64::from(self.end[item as usize])));
            f64::from(self.middle[row]) * ends.fold(0.0, weighed)
        };
        let from_rows: Vec<f64> = (0..pairs.by_row.rows()).map(from_row).collect();
        let from_item = |item| pairs.by_item.row(item).iter().map(|(row, y)| (y, from_rows[row as usize]));
        (0..pairs.by_item.rows()).map(|item| from_item(item).fold(0.0, weighed)).collect()
    }
}

/// Degrees to a negative power; a node without edges has none.
fn powers(degrees: &[f64], exponent: f32) -> Vec<f32> {
    let power = |&d: &f64| if d > 0.0 { d.powf(-f64::from(exponent)) as f32 } else { 0.0 };
    degrees.iter().map(power).collect()
}

impl GraphWalk {
    /// Where a walk from `item` alone ends: the `k` best other items, best first; none for an unknown item. At most as
    /// many as its list holds, where there are lists; otherwise at the cost of a request.
    #[must_use]
    pub fn similar_items(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        let mut near = match &self.lists {
            Some(lists) => lists.of(item).to_vec(),
            None => self.ways.from(item),
        };
        near.retain(|near| near.item != item);
        top_k(&mut near, k, Scored::order);
        near
    }
}

impl Ways {
    fn from(&self, item: ItemIdx) -> Vec<Scored> {
        let mut sums = vec![0.0f32; self.end.len()];
        let leaves = self.start.get(item.as_usize()).copied().unwrap_or(0.0);
        self.graph.each_shopper(item, |row, y| {
            let through = leaves * y * self.middle[row];
            self.graph.each_item(row, |to, y| sums[to] += through * y);
        });
        let score = |(to, sum): (usize, f32)| Scored { item: ItemIdx::new(to as u32), score: sum * self.end[to] };
        sums.into_iter().enumerate().map(score).filter(|s| s.score > 0.0 && s.score.is_finite()).collect()
    }
}

impl Walker for GraphWalk {
    fn graph(&self) -> &Graph {
        &self.ways.graph
    }

    fn depart(&self, cx: &Context<'_>, ws: &mut Workspace, out: &mut Vec<Scored>) {
        self.voting.voters(cx, cx.context_item, ws, out);
        out.retain_mut(|voter| {
            let start = self.ways.start.get(voter.item.as_usize());
            voter.score *= start.copied().unwrap_or(0.0);
            voter.score > 0.0
        });
    }

    fn pass(&self, _: &Context<'_>, _: &[Scored], middle: &mut Middle) {
        middle.each_mut(|row, mass| *mass *= self.ways.middle[row]);
    }

    fn arrive(&self, item: usize, sum: f32) -> f32 {
        sum * self.ways.end[item]
    }
}

impl Electorate for GraphWalk {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let Some(lists) = &self.lists else { return };
        let mut voters = ws.take_scored();
        self.voting.voters(cx, cx.context_item, ws, &mut voters);
        for &Scored { item, score } in &voters {
            cast(Vote { evidence: item, weight: score, code: self.reason, list: lists.of(item) });
        }
        ws.give_scored(voters);
    }
}

impl Scorer for GraphWalk {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// Lists name the item that speaks loudest; a walk over the graph names none, since it adds up all of them at once:
    /// [`explain`](Scorer::explain) does.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        match self.lists {
            Some(_) => self.score_votes(cx, out, ws),
            None => self.score_walk(cx, out, ws),
        }
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        match self.lists {
            Some(_) => self.propose_votes(cx, limit, out, ws),
            None => self.propose_walk(cx, limit, out, ws),
        }
    }

    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        match self.lists {
            Some(_) => self.explain_votes(cx, item, ws),
            None => self.explain_walk(cx, item, ws),
        }
    }

    fn reason(&self) -> ReasonCode {
        self.reason
    }

    fn memory_report(&self) -> MemoryReport {
        let Ways { graph, start, middle, end } = &self.ways;
        MemoryReport::default()
            .with("neighbour lists", self.lists.as_ref().map_or(0, Neighbours::heap_bytes))
            .with("edges", graph.heap_bytes())
            .with("factors of nodes", (start.capacity() + middle.capacity() + end.capacity()) * 4)
    }
}

crate::persist::portable!(Ways { graph, start, middle, end }
    "figures that are not one an end" => |w| w.graph.n_shoppers() <= w.middle.len()
        && w.graph.n_items() <= w.end.len().min(w.start.len()));
crate::persist::portable!(GraphWalk { name, reason, extent, voting, ways, lists }
    "a neighbour beyond its items" => |m| m.lists.as_ref().is_none_or(|lists| lists.is_within(m.extent.n_items)),
    "items beyond its last" => |m| m.ways.graph.n_items() <= m.extent.n_items);
