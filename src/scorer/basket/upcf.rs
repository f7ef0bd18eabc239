//! The recent baskets of all shoppers with items in common, by how alike they are.
//!
//! UP-CF@r (Faggioli, Polato & Aiolli, "Recency Aware Collaborative Filtering for Next Basket Recommendation", UMAP 2020).
//! `P(v, i)` is the share of the last `window` baskets of shopper `v` that hold item `i`. How alike `u` and `v` are is the
//! asymmetric cosine `uv / (|u|^2a |v|^2(1-a))` of those rows, to the power `locality`. The score is the mean of `P(v, i)`
//! over the shoppers, weighed by that; the shopper counts with likeness 1.
//!
//! **When:** next baskets of shoppers with few baskets each, where neighbours have to help: there it is near TIFU-kNN with
//! less to tune. **When not:** as [`TifuKnn`](super::TifuKnn).
//!
//! Cost: fit `O(events)`; query `O(shoppers of the shopper's items + items of the neighbours)`. With `neighbours` left wide
//! every shopper with an item in common counts: set it to hundreds in a large shop. An update is a fit.

use serde::{Deserialize, Serialize};

use super::baskets::{Baskets, with_baskets};
use super::rows::Rows;
use super::sums::Summed;
use crate::dataset::{Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::accumulate::Accumulator;
use crate::kernel::top_k::top_k;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::scorer::bucket::{KINDS, NAME, check_name_and_kinds};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace, opinion,
};
use crate::tune::{Axis, Over, Tunable};

/// What shoppers are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Compare {
    /// The shares of their baskets that hold each item, as in the paper.
    #[default]
    Shares,
    /// Their items, however often bought.
    Items,
}

/// Recipe for [`UpCf`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `up_cf` | not empty | the scorer's name |
/// | `kinds` | interest | at least one | the events that put an item into a basket |
/// | `window` | 20 | 1 to 100000 | latest baskets of each shopper that count |
/// | `compare` | shares | | what shoppers are compared by |
/// | `asymmetry` | 0.5 | 0 to 1 | how much the shopper's own length counts against that of the other |
/// | `locality` | 2 | 0 to 100 | the power of the likeness: the higher, the fewer neighbours matter |
/// | `neighbours` | 1000 | 1 to 1000000 | most alike shoppers that count |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpCfParams {
    /// The scorer's name.
    pub name: String,
    /// The events that put an item into a basket.
    pub kinds: KindSet,
    /// Latest baskets of each shopper that count, `1..=100_000` (r in the paper).
    pub window: usize,
    /// What shoppers are compared by.
    pub compare: Compare,
    /// How much the shopper's own length counts against that of the other, `0..=1` (alpha). At ½ it is the cosine.
    pub asymmetry: f32,
    /// The power of the likeness, `0..=100` (q).
    pub locality: f32,
    /// Most alike shoppers that count, `1..=1_000_000`; the paper takes all.
    pub neighbours: usize,
}

impl Default for UpCfParams {
    fn default() -> Self {
        Self {
            name: "up_cf".to_owned(),
            kinds: KindSet::INTEREST,
            window: 20,
            compare: Compare::Shares,
            asymmetry: 0.5,
            locality: 2.0,
            neighbours: 1000,
        }
    }
}

impl Validate for UpCfParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::int("window", 1, 100_000, "latest baskets of each shopper that count"),
            ParamSpec::typed("compare", "shares or items", "what shoppers are compared by"),
            ParamSpec::real("asymmetry", 0.0, 1.0, "how much the shopper's own length counts"),
            ParamSpec::real("locality", 0.0, 100.0, "the power of the likeness"),
            ParamSpec::int("neighbours", 1, 1_000_000, "most alike shoppers that count"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_range::<Self>("window", self.window as f64)?;
        check_range::<Self>("asymmetry", self.asymmetry.into())?;
        check_range::<Self>("locality", self.locality.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)
    }
}

impl Tunable for UpCfParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("window", Over::LogInt { lo: 2, hi: 100 }),
            Axis::new("compare", Over::OneOf(&[r#""shares""#, r#""items""#])),
            Axis::new("asymmetry", Over::Real { lo: 0.0, hi: 1.0 }),
            Axis::new("locality", Over::Log { lo: 0.5, hi: 20.0 }),
            Axis::new("neighbours", Over::LogInt { lo: 50, hi: 5000 }),
        ];
        SPACE
    }
}

impl UpCfParams {
    /// Appends the shares of a shopper's latest baskets to `out`, ascending by item.
    fn shares(&self, baskets: &mut Baskets, out: &mut Vec<Scored>) {
        let weight = |number: usize, n: usize| match n.min(self.window) {
            recent if number + recent >= n => 1.0 / recent as f64,
            _ => 0.0,
        };
        baskets.weigh(weight, out);
        out.retain(|s| s.score > 0.0);
    }
}

/// What alike shoppers' recent baskets hold. See the [module](self) and [`UpCfParams`].
///
/// # Example
/// ```
/// use likewise::{Consented, Context, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, Run, Shelf, Shopper, Timestamp, UpCfParams, Validate};
/// use likewise::testing::proposals;
/// let mut shop = DatasetBuilder::default();
/// for (who, day, item) in [("ann", 1, "tea"), ("bob", 1, "tea"), ("bob", 2, "mug"), ("cat", 1, "saw")] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(day * 86_400)))?;
/// }
/// let data = shop.build()?;
/// let model = UpCfParams::default().check()?.fit(&(&data).into(), &Run::default())?;
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.user = data.user("ann");
/// let list: Vec<&str> = proposals(&model, &cx, 3).into_iter().map(|item| data.item_key(item)).collect();
/// assert_eq!(list, ["tea", "mug"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct UpCf {
    params: UpCfParams,
    extent: Extent,
    rows: Rows,
}

impl UpCf {
    /// Hands the shopper's shares and the alike shoppers with their weights to `f`, unless there are no baskets. Weights
    /// sum, with that of the shopper, to 1; the last argument is the shopper's.
    fn with_alike(&self, cx: &Context<'_>, ws: &mut Workspace, f: impl FnOnce(&[Scored], &[Scored], f32)) {
        let (mut own, mut alike) = (ws.take_scored(), ws.take_scored());
        with_baskets(cx, self.params.kinds, ws, |baskets, _| self.params.shares(baskets, &mut own));
        if !own.is_empty() {
            let length = |squared: f32, items: usize| match self.params.compare {
                Compare::Shares => squared,
                Compare::Items => items as f32,
            };
            let (asymmetry, items) = (self.params.asymmetry, self.params.compare == Compare::Items);
            let squared = own.iter().map(|s| s.score * s.score).sum();
            let own_length = length(squared, own.len()).powf(asymmetry);
            let product = |a: f32, b: f32| if items { 1.0 } else { a * b };
            self.rows.each_product(&own, cx.user, product, ws, |row, product| {
                let other = length(self.rows.squared(row), self.rows.row(row).len()).powf(1.0 - asymmetry);
                alike.push(Scored { item: ItemIdx::new(row), score: product / (own_length * other) });
            });
            top_k(&mut alike, self.params.neighbours, Scored::order);
            alike.iter_mut().for_each(|s| s.score = s.score.powf(self.params.locality));
            // The asymmetric cosine can exceed 1, and its powers everything: no row weighs more than 1e30.
            alike.iter_mut().for_each(|s| s.score = s.score.min(1e30));
            let all = 1.0 + alike.iter().map(|s| s.score).sum::<f32>();
            alike.iter_mut().for_each(|s| s.score /= all);
            f(&own, &alike, 1.0 / all);
        }
        ws.give_scored(own);
        ws.give_scored(alike);
    }

    /// The shoppers most alike to the one of a request with their weights, heaviest first. All weights and the shopper's
    /// own sum to 1.
    #[must_use]
    pub fn neighbours(&self, cx: &Context<'_>, ws: &mut Workspace) -> Vec<(UserIdx, f32)> {
        let mut near = Vec::new();
        self.with_alike(cx, ws, |_, alike, _| near.extend(alike.iter().map(|s| (UserIdx::new(s.item.get()), s.score))));
        near
    }
}

impl Fit for Checked<UpCfParams> {
    type Model = UpCf;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("up_cf", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<UpCf, FitError> {
        run.step(0, 1, None)?;
        let rows = Rows::build(train.data, self.kinds, run, |baskets, row| self.shares(baskets, row))?;
        Ok(UpCf { params: (**self).clone(), extent: train.data.extent(), rows })
    }
}

impl Summed for UpCf {
    fn sum(&self, cx: &Context<'_>, ws: &mut Workspace, sums: &mut Accumulator) {
        self.with_alike(cx, ws, |own, alike, weight| {
            for s in own.iter().filter(|s| s.item.as_usize() < self.extent.n_items) {
                sums.add(s.item.get(), weight * s.score);
            }
            for other in alike {
                self.rows.row(other.item.get()).iter().for_each(|(item, share)| sums.add(item, other.score * share));
            }
        });
    }
}

impl Scorer for UpCf {
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

    /// What the shopper's own baskets add, and how many others add the rest.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else { return Explanation::leaf(None, Reason::Abstained) };
        let reason = Reason::Scorer { name: self.name().to_owned(), code: self.reason() };
        let mut explanation = Explanation::leaf(Some(score), reason);
        let holding = with_baskets(cx, self.params.kinds, ws, |baskets, _| baskets.holding(item));
        self.with_alike(cx, ws, |own, alike, weight| {
            let mut part = |value: f32, events, code| {
                if value > 0.0 {
                    explanation.details.push(Explanation::leaf(Some(value), Reason::Count { events, code }));
                }
            };
            part(
                own.iter().filter(|s| s.item == item).map(|s| weight * s.score).sum(),
                holding,
                ReasonCode::BoughtBefore,
            );
            let shares = alike.iter().filter_map(|s| Some(s.score * self.rows.row(s.item.get()).get(item.get())?));
            let (others, sum) = shares.fold((0, 0.0), |(n, sum), share| (n + 1, sum + share));
            part(sum, others, ReasonCode::SimilarTaste);
        });
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::SimilarTaste
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default().with("shares of baskets", self.rows.heap_bytes())
    }
}

crate::persist::portable!(UpCf { params, extent, rows });
