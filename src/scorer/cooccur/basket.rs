//! What goes with the basket?
//!
//! Association rules with one item on each side (Agrawal, Imielinski & Swami 1993), filtered by support and lift (Brin
//! et al. 1997). Use it on basket and product pages; not for a shopper without either, where it abstains. A query costs
//! the basket's items times the neighbours kept.

use serde::{Deserialize, Serialize};

use super::lists::{Link, LinkRule, ListRule, Retain};
use super::params::{not_empty, some_kind};
use super::units::{Count, PairOrder, PairRule, PairUnit};
use super::{PairCounts, PairWeight};
use crate::catalog::Shelf;
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::event::{EventKind, KindSet};
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::scorer::vote::{Electorate, Vote};
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, ReasonCode, Scored, Scorer, Scores, TrainingSet,
    Workspace,
};
use crate::tune::{Axis, Over, Tunable};

/// Recipe for [`FrequentlyBoughtTogether`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `bought_together` | not empty | the scorer's name |
/// | `unit` | session | | what counts as one basket |
/// | `kinds` | purchase | at least one kind | what puts an item into a past basket |
/// | `weight` | conditional | | how pairs are weighed |
/// | `shrinkage` | 5 | 0 to 1e6 | draws pairs met in few baskets towards zero |
/// | `min_support` | 3 | 1 to 1e9 | baskets a pair must be met in |
/// | `min_shoppers` | 1 | 1 to 1e9 | shoppers a pair must be met by (k-anonymity) |
/// | `min_lift` | 1 | 0 to 1e6 | how many times more often than by chance a pair must be met |
/// | `neighbours` | 50 | 1 to 10000 | neighbours kept an item |
/// | `max_items` | 200 | 2 to 100000 | of a past basket only the latest so many distinct items count |
/// | `retain` | counts | | what is kept for updates |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrequentlyBoughtTogetherParams {
    /// The scorer's name.
    pub name: String,
    /// What counts as one basket.
    pub unit: PairUnit,
    /// What puts an item into a past basket.
    pub kinds: KindSet,
    /// How pairs are weighed.
    pub weight: PairWeight,
    /// A pair met in `n` baskets weighs `n / (n + shrinkage)` of its weight.
    pub shrinkage: f32,
    /// Baskets a pair must be met in, `1..=1_000_000_000`.
    pub min_support: u32,
    /// Shoppers a pair must be met by, `1..=1_000_000_000`, as
    /// [`CoOccurrenceParams::min_shoppers`](super::CoOccurrenceParams::min_shoppers).
    pub min_shoppers: u32,
    /// How many times more often than by chance a pair must be met, `0..=1_000_000`.
    pub min_lift: f32,
    /// Neighbours kept an item, `1..=10_000`.
    pub neighbours: usize,
    /// Of a past basket only the latest so many distinct items count, `2..=100_000`.
    pub max_items: usize,
    /// What is kept for updates.
    pub retain: Retain,
}

impl Default for FrequentlyBoughtTogetherParams {
    fn default() -> Self {
        Self {
            name: "bought_together".to_owned(),
            unit: PairUnit::Session,
            kinds: KindSet::of(&[EventKind::Purchase]),
            weight: PairWeight::Conditional,
            shrinkage: 5.0,
            min_support: 3,
            min_shoppers: 1,
            min_lift: 1.0,
            neighbours: 50,
            max_items: 200,
            retain: Retain::Counts,
        }
    }
}

impl FrequentlyBoughtTogetherParams {
    fn rule(&self) -> LinkRule {
        let Self {
            unit,
            kinds,
            max_items,
            weight,
            shrinkage,
            min_support,
            min_shoppers,
            min_lift,
            neighbours,
            retain,
            ..
        } = *self;
        LinkRule {
            pairs: PairRule { unit, from: kinds, to: kinds, order: PairOrder::Any, max_items, count: Count::Units },
            lists: ListRule { weight, shrinkage, min_support, min_shoppers, min_lift, neighbours },
            retain,
        }
    }
}

impl Validate for FrequentlyBoughtTogetherParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("name", "not empty", "the scorer's name"),
            ParamSpec::typed("unit", "shopper or session", "what counts as one basket"),
            ParamSpec::typed("kinds", "at least one kind", "what puts an item into a past basket"),
            ParamSpec::typed("weight", "cosine, jaccard, lift, llr or conditional", "how pairs are weighed"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "draws pairs met in few baskets towards zero"),
            ParamSpec::int("min_support", 1, 1_000_000_000, "baskets a pair must be met in"),
            ParamSpec::int("min_shoppers", 1, 1_000_000_000, "shoppers a pair must be met by"),
            ParamSpec::real("min_lift", 0.0, 1e6, "how many times more often than by chance"),
            ParamSpec::int("neighbours", 1, 10_000, "neighbours kept an item"),
            ParamSpec::int("max_items", 2, 100_000, "latest distinct items of a basket that count"),
            ParamSpec::typed("retain", "counts or lists_only", "what is kept for updates"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        not_empty("name", &self.name)?;
        some_kind("kinds", self.kinds)?;
        check_range::<Self>("shrinkage", self.shrinkage.into())?;
        check_range::<Self>("min_support", self.min_support.into())?;
        check_range::<Self>("min_shoppers", self.min_shoppers.into())?;
        check_range::<Self>("min_lift", self.min_lift.into())?;
        check_range::<Self>("neighbours", self.neighbours as f64)?;
        check_range::<Self>("max_items", self.max_items as f64)
    }
}

impl Tunable for FrequentlyBoughtTogetherParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("weight", Over::OneOf(&["\"cosine\"", "\"jaccard\"", "\"llr\"", "\"conditional\""])),
            Axis::new("shrinkage", Over::Log { lo: 0.1, hi: 200.0 }),
            Axis::new("min_support", Over::Int { lo: 1, hi: 5 }),
            Axis::new("min_lift", Over::Real { lo: 0.0, hi: 2.0 }),
            Axis::new("neighbours", Over::LogInt { lo: 20, hi: 1_000 }),
        ];
        SPACE
    }
}

/// Items that go with the basket: the mean of `weight(a → b)` over the basket's items `a`.
///
/// With an empty basket the item of the page at hand stands in for it; with neither it abstains. It never proposes
/// what is in the basket already, nor has it an opinion on that.
///
/// # Example
/// ```
/// use likewise::{Context, DatasetBuilder, Event, EventKind, Fit, FrequentlyBoughtTogetherParams, Run, Scorer, Shelf, Shopper, Timestamp, Validate, Workspace};
/// let mut shop = DatasetBuilder::default();
/// for (basket, items) in [("1", &["bread", "jam"][..]), ("2", &["bread", "jam"]), ("3", &["bread"]), ("4", &["soap"])] {
///     for item in items {
///         shop.push(&Event::new(Shopper::Anonymous { session: basket }, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
///     }
/// }
/// let data = shop.build()?;
/// let params = FrequentlyBoughtTogetherParams { min_support: 2, shrinkage: 0.0, ..Default::default() };
/// let model = params.check()?.fit(&(&data).into(), &Run::default())?;
/// let (bread, jam) = (data.item("bread").unwrap(), data.item("jam").unwrap());
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// let basket = [bread];
/// cx.basket = &basket;
/// let why = model.explain(&cx, jam, &mut Workspace::default());
/// assert_eq!(why.value, Some(2.0 / 3.0)); // of three baskets with bread, two had jam
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FrequentlyBoughtTogether {
    name: String,
    link: Link,
}

impl FrequentlyBoughtTogether {
    /// The `k` heaviest companions of `item`, at most as many as were kept; none for an unknown item.
    #[must_use]
    pub fn companions(&self, item: ItemIdx, k: usize) -> Vec<Scored> {
        self.link.lists().of(item).iter().copied().take(k).collect()
    }

    /// All counts, if they were retained.
    #[must_use]
    pub fn counts(&self) -> Option<&PairCounts> {
        self.link.counts()
    }
}

impl Fit for Checked<FrequentlyBoughtTogetherParams> {
    type Model = FrequentlyBoughtTogether;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("bought_together", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<FrequentlyBoughtTogether, FitError> {
        let link = Link::fit(self.rule(), train.data, run)?;
        Ok(FrequentlyBoughtTogether { name: self.name.clone(), link })
    }

    fn update(
        &self,
        model: &FrequentlyBoughtTogether,
        delta: &Delta<'_>,
        _shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<FrequentlyBoughtTogether, FitError> {
        let link = model.link.update(self.rule(), delta, run)?;
        Ok(FrequentlyBoughtTogether { name: self.name.clone(), link })
    }
}

impl Electorate for FrequentlyBoughtTogether {
    fn each_vote<'m>(&'m self, cx: &Context<'_>, _ws: &mut Workspace, mut cast: impl FnMut(Vote<'m>)) {
        let mut votes = |items: &[ItemIdx]| {
            let weight = 1.0 / items.len() as f32;
            for &item in items {
                cast(Vote { evidence: item, weight, code: self.reason(), list: self.link.lists().of(item) });
            }
        };
        match (cx.basket, &cx.context_item) {
            ([], None) => {}
            ([], Some(item)) => votes(std::slice::from_ref(item)),
            (basket, _) => votes(basket),
        }
    }

    fn withheld<'c>(&self, cx: &'c Context<'_>) -> &'c [ItemIdx] {
        cx.basket
    }
}

impl Scorer for FrequentlyBoughtTogether {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.link.extent()
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.score_votes(cx, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.propose_votes(cx, limit, out, ws);
    }

    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        self.explain_votes(cx, item, ws)
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::GoesWithBasket
    }

    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.link.similarity(a, b)
    }

    fn memory_report(&self) -> MemoryReport {
        self.link.memory_report()
    }
}

crate::persist::portable!(FrequentlyBoughtTogether { name, link });
