//! Own frequencies by groups of baskets, mixed with those of the nearest shoppers.
//!
//! TIFU-kNN (Hu, He, Gao & Zhang, "Modeling Personalized Item Frequency Information for Next-basket Recommendation", SIGIR
//! 2020). A shopper's baskets, oldest first, are cut into at most `groups` groups of equal size (the oldest may be smaller).
//! Basket `j` of a group of `s` weighs `basket_decay^(s-j)`, group `g` of `G` weighs `group_decay^(G-g)`; the shopper's
//! vector is the mean over groups of the mean over their baskets. The score is `own` times the shopper's own vector plus
//! `1 - own` times the mean vector of the `neighbours` nearest by Euclidean distance, themselves left out.
//!
//! **When:** next baskets where shoppers repeat and resemble each other; one of the strongest simple models there. With
//! `own: 0` it is the neighbours' half alone, to be blended with another model of the shopper's own habits such as
//! [`BuyAgain`](super::BuyAgain), which beat TIFU-kNN's own half on both tables it was tried on. **When not:** one basket a
//! shopper; and without `kinds` set to purchases where views are recorded.
//!
//! Cost: fit `O(events)`; query `O(shoppers of the shopper's items + items of the neighbours)`: a fraction of a millisecond
//! with thousands of shoppers, but linear in them where many share an item. An update is a fit.

use serde::{Deserialize, Serialize};

use super::baskets::{Baskets, with_baskets};
use super::rows::Rows;
use super::sums::Summed;
use crate::dataset::{Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::accumulate::Accumulator;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace, opinion,
};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`TifuKnn`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `tifu_knn` | not empty | the scorer's name |
/// | `kinds` | interest | at least one | the events that put an item into a basket |
/// | `neighbours` | 300 | 1 to 100000 | nearest shoppers that count |
/// | `groups` | 7 | 1 to 10000 | groups a shopper's baskets are cut into, at most |
/// | `basket_decay` | 0.9 | 0 to 1 | what the next older basket of a group counts |
/// | `group_decay` | 0.8 | 0 to 1 | what the next older group counts |
/// | `own` | 0.5 | 0 to 1 | the share of the shopper's own vector |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TifuKnnParams {
    /// The scorer's name.
    pub name: String,
    /// The events that put an item into a basket.
    pub kinds: KindSet,
    /// Nearest shoppers that count, `1..=100_000` (k in the paper).
    pub neighbours: usize,
    /// Groups a shopper's baskets are cut into at most, `1..=10_000` (m).
    pub groups: usize,
    /// What the next older basket of a group counts, `0..=1` (r_b).
    pub basket_decay: f32,
    /// What the next older group counts, `0..=1` (r_g).
    pub group_decay: f32,
    /// The share of the shopper's own vector, `0..=1` (alpha); the rest is the neighbours'.
    pub own: f32,
}

impl Default for TifuKnnParams {
    fn default() -> Self {
        Self {
            name: "tifu_knn".to_owned(),
            kinds: KindSet::INTEREST,
            neighbours: 300,
            groups: 7,
            basket_decay: 0.9,
            group_decay: 0.8,
            own: 0.5,
        }
    }
}

impl Validate for TifuKnnParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::int("neighbours", 1, 100_000, "nearest shoppers that count"),
            ParamSpec::int("groups", 1, 10_000, "groups a shopper's baskets are cut into, at most"),
            ParamSpec::real("basket_decay", 0.0, 1.0, "what the next older basket of a group counts"),
            ParamSpec::real("group_decay", 0.0, 1.0, "what the next older group counts"),
            ParamSpec::real("own", 0.0, 1.0, "the share of the shopper's own vector"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("groups", self.groups as f64)?;
        check_range::<Self>("basket_decay", self.basket_decay.into())?;
        check_range::<Self>("group_decay", self.group_decay.into())?;
        check_range::<Self>("own", self.own.into())
    }
}

impl Tunable for TifuKnnParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("neighbours", Over::LogInt { lo: 50, hi: 1500 }),
            Axis::new("groups", Over::LogInt { lo: 2, hi: 30 }),
            Axis::new("basket_decay", Over::Real { lo: 0.7, hi: 1.0 }),
            Axis::new("group_decay", Over::Real { lo: 0.5, hi: 1.0 }),
            Axis::new("own", Over::Real { lo: 0.0, hi: 1.0 }),
        ];
        SPACE
    }
}

impl TifuKnnParams {
    /// Appends the vector of a shopper with these baskets to `out`, ascending by item.
    fn vector(&self, baskets: &mut Baskets, out: &mut Vec<Scored>) {
        baskets.weigh(|number, n| self.weight(number, n), out);
    }

    /// What basket `number` of `n` weighs, number 0 being the oldest. In f64: a mean of means.
    fn weight(&self, number: usize, n: usize) -> f64 {
        let size = n.div_ceil(self.groups);
        let groups = n.div_ceil(size);
        let oldest = n - (groups - 1) * size; // baskets in the oldest group
        let (group, place, held) = match number.checked_sub(oldest) {
            None => (0, number, oldest),
            Some(after) => (1 + after / size, after % size, size),
        };
        let faded = f64::from(self.basket_decay).powi((held - 1 - place) as i32) / held as f64;
        faded * f64::from(self.group_decay).powi((groups - 1 - group) as i32) / groups as f64
    }
}

/// What the shopper's baskets and those of the nearest shoppers hold. See the [module](self) and [`TifuKnnParams`].
///
/// # Example
/// ```
/// use likewise::{Consented, Context, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, Run, Shelf, Shopper, TifuKnnParams, Timestamp, Validate};
/// use likewise::testing::proposals;
/// let mut shop = DatasetBuilder::default();
/// for (who, day, item) in [("ann", 1, "tea"), ("bob", 1, "tea"), ("bob", 2, "mug"), ("cat", 1, "saw")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(day * 86_400)))?;
/// }
/// let data = shop.build()?;
/// let model = TifuKnnParams { neighbours: 1, ..TifuKnnParams::default() }.check()?.fit(&(&data).into(), &Run::default())?;
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.user = data.user("ann");
/// let list: Vec<&str> = proposals(&model, &cx, 3).into_iter().map(|item| data.item_key(item)).collect();
/// assert_eq!(list, ["tea", "mug"]); // bob is nearest
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TifuKnn {
    params: TifuKnnParams,
    extent: Extent,
    rows: Rows,
}

impl TifuKnn {
    /// The vector of a shopper row at the time of the fit, ascending by item; empty for one without baskets.
    pub fn vector(&self, user: UserIdx) -> impl ExactSizeIterator<Item = Scored> + '_ {
        self.rows.row(user.get()).iter().map(|(item, score)| Scored { item: ItemIdx::new(item), score })
    }

    /// The shoppers nearest to the one of a request, nearest first; none for one without baskets.
    #[must_use]
    pub fn neighbours(&self, cx: &Context<'_>, ws: &mut Workspace) -> Vec<UserIdx> {
        let mut near = Vec::new();
        self.with_taste(cx, ws, |_, nearest, _| near.extend(nearest.iter().map(|s| UserIdx::new(s.item.get()))));
        near
    }

    /// Hands the shopper's vector and their neighbours to `f`, unless there are no baskets.
    fn with_taste(&self, cx: &Context<'_>, ws: &mut Workspace, f: impl FnOnce(&[Scored], &[Scored], &mut Workspace)) {
        let (mut own, mut nearest) = (ws.take_scored(), ws.take_scored());
        with_baskets(cx, self.params.kinds, ws, |baskets, _| self.params.vector(baskets, &mut own));
        if !own.is_empty() {
            self.rows.nearest(&own, cx.user, self.params.neighbours, ws, &mut nearest);
            f(&own, &nearest, ws);
        }
        ws.give_scored(own);
        ws.give_scored(nearest);
    }
}

impl Fit for Checked<TifuKnnParams> {
    type Model = TifuKnn;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("tifu_knn", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<TifuKnn, FitError> {
        run.step(0, 1, None)?;
        let rows = Rows::build(train.data, self.kinds, run, |baskets, row| self.vector(baskets, row))?;
        Ok(TifuKnn { params: (**self).clone(), extent: train.data.extent(), rows })
    }
}

impl Summed for TifuKnn {
    fn sum(&self, cx: &Context<'_>, ws: &mut Workspace, sums: &mut Accumulator) {
        self.with_taste(cx, ws, |own, nearest, _| {
            let each = (1.0 - self.params.own) / nearest.len().max(1) as f32;
            for near in nearest.iter().filter(|_| each > 0.0) {
                self.rows.row(near.item.get()).iter().for_each(|(item, weight)| sums.add(item, each * weight));
            }
            for s in own.iter().filter(|s| s.item.as_usize() < self.extent.n_items) {
                sums.add(s.item.get(), self.params.own * s.score);
            }
        });
    }
}

impl Scorer for TifuKnn {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.score_sums(cx, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.propose_sums(cx, limit, out, ws);
    }

    /// What the shopper's own baskets add, and how many neighbours add the rest.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else { return Explanation::leaf(None, Reason::Abstained) };
        let reason = Reason::Scorer { name: self.name().to_owned(), code: self.reason() };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let holding = with_baskets(cx, self.params.kinds, ws, |baskets, _| baskets.holding(item));
        self.with_taste(cx, ws, |own, nearest, _| {
            let mut part = |value: f32, events, code| {
                if value > 0.0 {
                    explanation.details.push(Explanation::leaf(Some(value), Reason::Count { events, code }));
                }
            };
            let own: f32 = own.iter().filter(|s| s.item == item).map(|s| self.params.own * s.score).sum();
            part(own, holding, ReasonCode::BoughtBefore);
            let each = (1.0 - self.params.own) / nearest.len().max(1) as f32;
            let weights = nearest.iter().filter_map(|near| self.rows.row(near.item.get()).get(item.get()));
            let (others, sum) = weights.fold((0, 0.0), |(n, sum), weight| (n + 1, sum + each * weight));
            part(sum, others, ReasonCode::SimilarTaste);
        });
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default().with("shopper vectors", self.rows.heap_bytes())
    }
}

crate::persist::portable!(TifuKnn { params, extent, rows });
