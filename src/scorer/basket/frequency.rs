//! How many of the shopper's baskets hold it.
//!
//! **When:** repeat purchase, as the first thing to try and as a part of every blend; nothing simpler comes near it, and
//! much that is cleverer stays below it (P-TopFreq and GP-TopFreq in Li et al. 2023, "A Next Basket Recommendation Reality
//! Check"). **When not:** for what a shopper does not know yet, or shoppers with one basket, whose items all count the same:
//! then popularity decides.
//!
//! Equal frequencies are ordered by overall popularity, then by item number; that order is exact. To be so in an `f32`,
//! scores of equal frequency but different popularity differ by their last bits, and the items that follow by popularity
//! ([`Others::ByPopularity`]) score below 1e-20, less than any item of the shopper's own.
//!
//! Cost: fit `O(events)`, update `O(changed rows + items log items)` and exact (with `popular_within` a fit), query
//! `O(own events + own items log own items)`; 16 bytes an item.

use serde::{Deserialize, Serialize};

use super::baskets::{Baskets, with_baskets};
use super::sums::Summed;
use crate::catalog::Shelf;
use crate::dataset::{Dataset, Delta, Extent, MemoryReport};
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
use crate::time::{Span, Timestamp};
use crate::tune::{Axis, Over, Tunable};

/// How much less an older basket counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum BasketDecay {
    /// By place: the newest basket counts 1, the one `half_life` baskets before it ½.
    Baskets {
        /// In baskets; above 0, up to a million.
        half_life: f32,
    },
    /// By the time from the basket to the request: ½ after `half_life`. A decay of `exp(-age / tau)` has the half-life
    /// `tau ln 2`.
    Time {
        /// Above 0.
        half_life: Span,
    },
}

impl BasketDecay {
    /// What a basket counts, `later` baskets after which there were.
    fn of(self, later: usize, at: Timestamp, now: Timestamp) -> f32 {
        match self {
            Self::Baskets { half_life } => (-(later as f32) / half_life).exp2(),
            Self::Time { half_life } => now.since(at).decay(half_life) as f32,
        }
    }

    fn validate(self) -> Result<(), ParamError> {
        match self {
            Self::Baskets { half_life } if !(f32::MIN_POSITIVE..=1e6).contains(&half_life) => {
                Err(ParamError::new("recency.baskets.half_life", half_life, "a number above 0, up to 1000000"))
            }
            Self::Time { half_life } if half_life == Span::ZERO => {
                Err(ParamError::new("recency.time.half_life", 0, "a span above 0"))
            }
            _ => Ok(()),
        }
    }
}

/// What about items the shopper never had?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Others {
    /// No opinion: P-TopFreq.
    #[default]
    Silent,
    /// They follow after the shopper's own, by popularity: GP-TopFreq.
    ByPopularity,
}

/// Recipe for [`PersonalFrequency`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `personal_frequency` | not empty | the scorer's name |
/// | `kinds` | interest | at least one | the events that put an item into a basket |
/// | `recency` | baskets, half-life 10 | half-life above 0 | how much less an older basket counts; none for all the same |
/// | `others` | silent | | whether other items follow by popularity |
/// | `popular_within` | 30 days | above 0 | the latest time in which baskets count towards popularity; none for all |
/// | `demand` | 0.3 | 0 to 10 | the power of `1 + popularity` that multiplies a frequency; 0 for none |
///
/// Validation cuts chose the defaults. UCI Online Retail: demand of the last 30 days lifts NDCG@20 from .303 to .318 (with all
/// of the past as demand .307), the half-life is flat between 6 and 20. Ta-Feng, where most shoppers have a handful of
/// baskets: best without recency, because then popularity has more ties to decide (NDCG@10 .104 against .100), and
/// indifferent to demand up to 0.15.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonalFrequencyParams {
    /// The scorer's name.
    pub name: String,
    /// The events that put an item into a basket.
    pub kinds: KindSet,
    /// How much less an older basket counts; `None` for all the same.
    pub recency: Option<BasketDecay>,
    /// Whether other items follow by popularity.
    pub others: Others,
    /// The latest time, before the dataset's "now", in which baskets count towards popularity; `None` for all.
    pub popular_within: Option<Span>,
    /// The power, `0..=10`, of `(1 + popularity) / (1 + largest popularity)` that multiplies a frequency: of the shopper's
    /// own items, those that sell now come first. At 0 popularity decides between equal frequencies only.
    pub demand: f32,
}

impl PersonalFrequencyParams {
    /// P-TopFreq: the shopper's items by the number of baskets that hold them, and no others. With
    /// [`Others::ByPopularity`] it is GP-TopFreq.
    #[must_use]
    pub fn top_frequency() -> Self {
        Self { recency: None, popular_within: None, demand: 0.0, ..Self::default() }
    }
}

impl Default for PersonalFrequencyParams {
    fn default() -> Self {
        Self {
            name: "personal_frequency".to_owned(),
            kinds: KindSet::INTEREST,
            recency: Some(BasketDecay::Baskets { half_life: 10.0 }),
            others: Others::Silent,
            popular_within: Some(Span::days(30)),
            demand: 0.3,
        }
    }
}

impl Validate for PersonalFrequencyParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("recency", "none, or a half-life above 0", "how much less an older basket counts"),
            ParamSpec::typed("others", "silent or by_popularity", "whether other items follow by popularity"),
            ParamSpec::typed("popular_within", "none, or a span above 0", "latest time that counts for popularity"),
            ParamSpec::real("demand", 0.0, 10.0, "the power of popularity that multiplies a frequency"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        self.recency.map_or(Ok(()), BasketDecay::validate)?;
        match self.popular_within {
            Some(Span::ZERO) => Err(ParamError::new("popular_within", 0, "none, or a span above 0")),
            _ => check_range::<Self>("demand", self.demand.into()),
        }
    }
}

impl Tunable for PersonalFrequencyParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new(
                "recency",
                Over::OneOf(&["null", r#"{"baskets":{"half_life":10}}"#, r#"{"time":{"half_life":7776000000}}"#]),
            ),
            Axis::new("recency.baskets.half_life", Over::Log { lo: 1.0, hi: 100.0 }),
            Axis::new("recency.time.half_life", Over::LogInt { lo: 86_400_000, hi: 63_072_000_000 }),
            Axis::new("others", Over::OneOf(&[r#""silent""#, r#""by_popularity""#])),
            Axis::new("popular_within", Over::OneOf(&["null", "2592000000", "7776000000"])),
            Axis::new("demand", Over::Real { lo: 0.0, hi: 1.0 }),
        ];
        SPACE
    }
}

/// How many of the shopper's baskets hold it: the share of their baskets, newer ones counting more, times the demand.
///
/// # Example
/// ```
/// use likewise::{Consented, Context, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, PersonalFrequencyParams, Run, Shelf, Shopper, Timestamp, Validate};
/// use likewise::testing::proposals;
/// let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
/// let mut shop = DatasetBuilder::default();
/// for (day, item) in [(1, "milk"), (1, "rice"), (2, "milk"), (3, "eggs"), (3, "milk")] {
///     shop.push(&Event::new(ann, item, EventKind::Purchase, Timestamp::from_secs(day * 86_400)))?;
/// }
/// let data = shop.build()?;
/// let model = PersonalFrequencyParams::default().check()?.fit(&(&data).into(), &Run::default())?;
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.user = data.user("ann");
/// let list: Vec<&str> = proposals(&model, &cx, 3).into_iter().map(|item| data.item_key(item)).collect();
/// assert_eq!(list, ["milk", "eggs", "rice"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PersonalFrequency {
    params: PersonalFrequencyParams,
    extent: Extent,
    /// Baskets that hold each item.
    popularity: Vec<u32>,
    /// What each item's frequency is multiplied by.
    demand: Vec<f32>,
    /// What each item scores as a follower; 0 for one that is in no basket.
    following: Vec<f32>,
    /// The items in baskets by popularity.
    ranking: Vec<ItemIdx>,
}

/// What the least popular follower scores; the next more popular twice that, and so on. Own items score `OWN` at least.
const FOLLOWER: f32 = 1e-30;
const OWN: f32 = 1e-20;

impl PersonalFrequency {
    /// How many baskets hold `item`, of all or of those within [`PersonalFrequencyParams::popular_within`].
    #[must_use]
    pub fn popularity(&self, item: ItemIdx) -> u32 {
        self.popularity.get(item.as_usize()).copied().unwrap_or(0)
    }

    /// Brings frequencies into their exact order, and tells equal ones of different popularity apart by their last bits.
    fn settle(&self, scored: &mut [Scored]) {
        let popularity = |s: &Scored| self.popularity[s.item.as_usize()];
        scored.sort_unstable_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then_with(|| popularity(b).cmp(&popularity(a)))
                .then_with(|| a.item.cmp(&b.item))
        });
        let mut below: Option<(Scored, f32)> = None; // the item before, and its frequency
        for s in scored.iter_mut().rev() {
            let frequency = s.score;
            s.score = match below {
                Some((other, same)) if same == frequency && popularity(&other) == popularity(s) => other.score,
                Some((other, _)) => frequency.max(other.score.next_up()),
                None => frequency,
            };
            below = Some((*s, frequency));
        }
    }
}

impl Checked<PersonalFrequencyParams> {
    fn model(&self, data: &Dataset, popularity: Vec<u32>) -> PersonalFrequency {
        let mut ranking: Vec<ItemIdx> = (0..popularity.len() as u32).map(ItemIdx::new).collect();
        ranking.retain(|item| popularity[item.as_usize()] > 0);
        ranking.sort_unstable_by_key(|item| (std::cmp::Reverse(popularity[item.as_usize()]), *item));
        let mut following = vec![0.0; popularity.len()];
        let same = |a: &ItemIdx, b: &ItemIdx| popularity[a.as_usize()] == popularity[b.as_usize()];
        for (level, tied) in ranking.chunk_by(same).rev().enumerate() {
            tied.iter().for_each(|item| following[item.as_usize()] = (level + 1) as f32 * FOLLOWER);
        }
        let most = popularity.iter().max().map_or(1.0, |&most| 1.0 + f64::from(most));
        let demand = |&n: &u32| ((1.0 + f64::from(n)) / most).powf(self.demand.into()) as f32;
        let demand = popularity.iter().map(demand).collect();
        PersonalFrequency { params: (**self).clone(), extent: data.extent(), popularity, demand, following, ranking }
    }

    /// Adds the baskets of `rows` to `popularity`, or takes them out.
    fn count(
        &self,
        data: &Dataset,
        rows: impl Iterator<Item = UserIdx>,
        popularity: &mut [u32],
        add: impl Fn(u32) -> u32,
    ) {
        let since = self.popular_within.map_or(Timestamp::MIN, |within| data.as_of().minus(within));
        let mut baskets = Baskets::default();
        for row in rows {
            for basket in baskets.of_row(data, row, self.kinds).iter().filter(|basket| basket.at >= since) {
                for &item in basket.items {
                    let count = &mut popularity[item as usize];
                    *count = add(*count);
                }
            }
        }
    }
}

impl Fit for Checked<PersonalFrequencyParams> {
    type Model = PersonalFrequency;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("personal_frequency", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<PersonalFrequency, FitError> {
        run.step(0, 1, None)?;
        let mut popularity = vec![0; train.data.n_items()];
        let rows = (0..train.data.n_rows() as u32).map(UserIdx::new);
        self.count(train.data, rows, &mut popularity, |count| count + 1);
        Ok(self.model(train.data, popularity))
    }

    /// Takes the changed rows out and puts them back in. Exact. With `popular_within`, where time alone changes counts, a
    /// fit.
    fn update(
        &self,
        model: &PersonalFrequency,
        delta: &Delta<'_>,
        shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<PersonalFrequency, FitError> {
        if self.popular_within.is_some() {
            return self.fit(&TrainingSet { data: delta.data(), shelf }, run);
        }
        run.step(0, 1, None)?;
        let mut popularity = model.popularity.clone();
        popularity.resize(delta.data().n_items(), 0);
        self.count(delta.base(), delta.rows().iter().copied(), &mut popularity, |count| count - 1);
        self.count(delta.data(), delta.rows().iter().copied(), &mut popularity, |count| count + 1);
        Ok(self.model(delta.data(), popularity))
    }
}

impl Summed for PersonalFrequency {
    fn sum(&self, cx: &Context<'_>, ws: &mut Workspace, sums: &mut Accumulator) {
        with_baskets(cx, self.params.kinds, ws, |baskets, ws| {
            let mut counts = ws.take_accumulator(self.extent.n_items);
            let (n, mut all) = (baskets.len(), 0.0);
            for (place, basket) in baskets.iter().enumerate() {
                let counted = self.params.recency.map_or(1.0, |decay| decay.of(n - 1 - place, basket.at, cx.now));
                all += counted;
                for &item in basket.items.iter().filter(|&&item| (item as usize) < self.extent.n_items) {
                    counts.add(item, counted);
                }
            }
            // Even baskets that have faded to nothing hold the shopper's own items.
            let share = |count: f32| if all > 0.0 { count / all } else { 0.0 };
            let score = |item: u32, count: f32| (share(count) * self.demand[item as usize]).max(OWN);
            let mut scored = ws.take_scored();
            scored.extend(counts.iter().map(|(i, count)| Scored { item: ItemIdx::new(i), score: score(i, count) }));
            self.settle(&mut scored);
            scored.iter().for_each(|s| sums.add(s.item.get(), s.score));
            ws.give_scored(scored);
            ws.give_accumulator(counts);
        });
    }

    fn followers(&self) -> &[ItemIdx] {
        if self.params.others == Others::ByPopularity { &self.ranking } else { &[] }
    }

    fn follows(&self, item: ItemIdx) -> Option<f32> {
        let follow = self.params.others == Others::ByPopularity;
        self.following.get(item.as_usize()).copied().filter(|&score| follow && score > 0.0)
    }
}

impl Scorer for PersonalFrequency {
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

    /// How many of the shopper's baskets hold it; for an item that follows, how many baskets of all.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else { return Explanation::leaf(None, Reason::Abstained) };
        let own = with_baskets(cx, self.params.kinds, ws, |baskets, _| baskets.holding(item));
        let (events, code) = match own {
            0 => (self.popularity(item).into(), ReasonCode::Popular),
            own => (own, ReasonCode::BoughtBefore),
        };
        Explanation {
            value: Some(score),
            reason: Reason::Scorer { name: self.name().to_owned(), code },
            details: vec![Explanation::leaf(Some(score), Reason::Count { events, code })],
        }
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::BoughtBefore
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("popularity", 4 * (self.popularity.capacity() + self.demand.capacity()))
            .with("followers", self.following.capacity() * 4 + self.ranking.capacity() * 4)
    }
}

crate::persist::portable!(PersonalFrequency { params, extent, popularity, demand, following, ranking }
    "figures that are not one an item" => |m| m.popularity.len() == m.extent.n_items
        && m.ranking.iter().all(|item| item.as_usize() < m.extent.n_items),
    "figures beyond its items" => |m| m.demand.len() >= m.extent.n_items);
