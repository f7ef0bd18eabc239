//! What is more wanted than it used to be, measured against its own past.
//!
//! **When:** "trending now" shelves, and to lift what is rising before plain popularity notices. **When not:** with less
//! data than three windows: then nothing can be said, and nothing is. A shop-wide rush lifts everything alike; blend by
//! rank or quantile and it cancels out.
//!
//! An item's events in a window are taken as Poisson with the mean λ of its own earlier windows, so that rising from 2 to
//! 6 says less than from 200 to 300. With `x_0` the latest window and `x_1`, `x_2` the two before:
//!
//! * velocity: `(x_0 - λ) / sqrt(λ + prior)`, standard deviations above expectation;
//! * acceleration, the change of the change: `(x_0 - 2 x_1 + x_2) / sqrt(6 λ + prior)`, whose variance is `6 λ`.
//!
//! Cost: fit `O(events)`, update `O(changed rows + buckets)`, score `O(1)` an item, propose `O(limit)`. Memory: 12 bytes
//! a (item, bucket) of the last windows, 16 bytes an item.

use serde::{Deserialize, Serialize};

use super::bucket::{BUCKET, Buckets, CENTURY, Count, Counting, KINDS, NAME, check_name_and_kinds, check_span};
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace,
};
use crate::catalog::Shelf;
use crate::dataset::{Dataset, Delta, Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::time::Span;
use crate::tune::{Axis, DAY, Over, Tunable};

/// How [`Trending`] tells a trend from chance.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `trending` | not empty | what the scorer is called |
/// | `kinds` | [`KindSet::INTEREST`] | at least one | the events that count |
/// | `count` | visits | events, visits, units | what counts as one |
/// | `window` | 7 days | 1 ms to 100 years | length of a window, in whole buckets up to the dataset's `as_of` |
/// | `baseline` | 4 | 2 to 1,000 | earlier windows an item is compared with; fewer where the data is shorter, never below 2 |
/// | `bucket` | 6 hours | 10 minutes to 100 years | time counted as one |
/// | `prior` | 5 | 2^-10 to 2^20 | events of variance added: more of it asks for more evidence |
/// | `acceleration` | 0.25 | 0 to 1,000 | what a standard deviation of acceleration is worth in ones of velocity |
/// | `min_count` | 5 | 1 to 1,000,000 | the least number in the latest window for an opinion |
///
/// The score is `velocity + acceleration × acceleration's weight`; only a positive velocity with a positive sum is an
/// opinion. All times are relative to [`Dataset::as_of`], not to the request. The running bucket is part of the latest
/// window, so keep buckets much shorter than windows.
///
/// # Example
/// ```
/// use likewise::{TrendingParams, Validate};
/// assert!(TrendingParams { baseline: 8, ..TrendingParams::default() }.check().is_ok());
/// assert_eq!(TrendingParams { baseline: 1, ..TrendingParams::default() }.check().unwrap_err().param, "baseline");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrendingParams {
    /// What the scorer is called.
    pub name: String,
    /// The events that count.
    pub kinds: KindSet,
    /// What counts as one; not [`Count::Shoppers`], which counts the latest touch only and would see trends everywhere.
    pub count: Count,
    /// Length of a window.
    pub window: Span,
    /// Earlier windows an item is compared with.
    pub baseline: u32,
    /// Time counted as one.
    pub bucket: Span,
    /// Events of variance added.
    pub prior: f32,
    /// Weight of acceleration.
    pub acceleration: f32,
    /// The least number in the latest window.
    pub min_count: u32,
}

impl Default for TrendingParams {
    fn default() -> Self {
        Self {
            name: "trending".to_owned(),
            kinds: KindSet::INTEREST,
            count: Count::Visits,
            window: Span::days(7),
            baseline: 4,
            bucket: Span::hours(6),
            prior: 5.0,
            acceleration: 0.25,
            min_count: 5,
        }
    }
}

impl Validate for TrendingParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("count", "events, visits or units", "what counts as one"),
            ParamSpec::int("window", 1, CENTURY, "milliseconds of a window"),
            ParamSpec::int("baseline", 2, 1_000, "earlier windows an item is compared with"),
            BUCKET,
            ParamSpec::real("prior", 1.0 / 1024.0, 1_048_576.0, "events of variance added"),
            ParamSpec::real("acceleration", 0.0, 1_000.0, "weight of acceleration"),
            ParamSpec::int("min_count", 1, 1_000_000, "the least number in the latest window"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        if self.count == Count::Shoppers {
            return Err(ParamError::new("count", "shoppers", "events, visits or units"));
        }
        check_span::<Self>("window", Some(self.window))?;
        check_range::<Self>("baseline", self.baseline.into())?;
        check_span::<Self>("bucket", Some(self.bucket))?;
        check_range::<Self>("prior", self.prior.into())?;
        check_range::<Self>("acceleration", self.acceleration.into())?;
        check_range::<Self>("min_count", self.min_count.into())
    }
}

impl Tunable for TrendingParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("window", Over::LogInt { lo: DAY, hi: 60 * DAY }),
            Axis::new("baseline", Over::Int { lo: 2, hi: 12 }),
            Axis::new("prior", Over::Log { lo: 0.5, hi: 64.0 }),
            Axis::new("acceleration", Over::Real { lo: 0.0, hi: 1.0 }),
        ];
        SPACE
    }
}

impl TrendingParams {
    fn counting(&self) -> Counting {
        Counting { kinds: self.kinds, count: self.count, bucket: self.bucket }
    }

    /// The oldest bucket of the oldest window.
    fn from(&self, data: &Dataset) -> i64 {
        let counting = self.counting();
        let buckets = counting.buckets_in(self.window).saturating_mul(i64::from(self.baseline) + 1);
        counting.bucket_of(data.as_of()).saturating_sub(buckets - 1)
    }

    fn model(&self, data: &Dataset, buckets: Buckets) -> Trending {
        let counting = self.counting();
        let width = counting.buckets_in(self.window);
        let now = counting.bucket_of(data.as_of());
        // Windows from before the first event are not evidence of absence.
        let rows = (0..data.n_rows() as u32).map(UserIdx::new);
        let first = rows.filter_map(|row| data.events_of(row).get(0)).map(|e| counting.bucket_of(e.at)).min();
        let whole = first.map_or(0, |first| (now.saturating_sub(first).saturating_add(1) / width) - 1);
        let earlier = whole.min(self.baseline.into());
        let trend = |item: usize| (earlier >= 2).then(|| self.trend(&buckets, item, now, width, earlier)).flatten();
        let trends: Vec<Trend> = (0..buckets.n_items()).map(|item| trend(item).unwrap_or_default()).collect();
        let scored = |(item, trend): (usize, &Trend)| Scored { item: ItemIdx::new(item as u32), score: trend.score() };
        let mut ranking: Vec<Scored> = trends.iter().enumerate().map(scored).filter(|s| s.score > 0.0).collect();
        ranking.sort_unstable_by(Scored::order);
        let ranking = ranking.into_iter().map(|s| s.item).collect();
        Trending { name: self.name.clone(), extent: data.extent(), counting, now, width, buckets, trends, ranking }
    }

    /// `None` where there is no positive trend worth the name.
    fn trend(&self, buckets: &Buckets, item: usize, now: i64, width: i64, earlier: i64) -> Option<Trend> {
        let [latest, one_ago, two_ago] = [0, 1, 2].map(|ago| counting_in(buckets, item, now, width, ago..ago + 1));
        let past = counting_in(buckets, item, now, width, 1..earlier + 1);
        let real = |n| self.counting().real(n);
        if real(latest) < f64::from(self.min_count) {
            return None;
        }
        let prior = f64::from(self.prior);
        let expected = real(past) / earlier as f64;
        let velocity = (real(latest) - expected) / (expected + prior).sqrt();
        let change = real(latest) - 2.0 * real(one_ago) + real(two_ago);
        let acceleration = f64::from(self.acceleration) * change / (6.0 * expected + prior).sqrt();
        let trend = Trend { velocity: velocity as f32, acceleration: acceleration as f32 };
        (trend.velocity > 0.0 && trend.score() > 0.0).then_some(trend)
    }
}

/// What an item has in the windows `ago` (0 is the latest).
fn counting_in(buckets: &Buckets, item: usize, now: i64, width: i64, ago: std::ops::Range<i64>) -> u64 {
    let of = |bucket: i64| (now - bucket).div_euclid(width);
    buckets.item(item).filter(|&(bucket, _)| ago.contains(&of(bucket))).map(|(_, n)| n).sum()
}

/// Both parts of a score; zeros for no opinion.
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Trend {
    velocity: f32,
    /// Weighted.
    acceleration: f32,
}

impl Trend {
    fn score(self) -> f32 {
        self.velocity + self.acceleration
    }
}

/// What is more wanted than it used to be. See [`TrendingParams`].
#[derive(Clone, Debug, PartialEq)]
pub struct Trending {
    name: String,
    extent: Extent,
    counting: Counting,
    now: i64,
    width: i64,
    buckets: Buckets,
    trends: Vec<Trend>,
    ranking: Vec<ItemIdx>,
}

impl Trending {
    /// All items with a positive trend, strongest first.
    #[must_use]
    pub fn ranking(&self) -> &[ItemIdx] {
        &self.ranking
    }

    fn opinion(&self, item: ItemIdx) -> Option<Trend> {
        self.trends.get(item.as_usize()).copied().filter(|trend| trend.score() > 0.0)
    }
}

impl Fit for Checked<TrendingParams> {
    type Model = Trending;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("trending", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Trending, FitError> {
        let buckets = Buckets::count(self.counting(), train.data, self.from(train.data), run)?;
        Ok(self.model(train.data, buckets))
    }

    /// Takes the changed rows out and puts them back in. Exact; `O(changed rows + buckets + items log items)`.
    fn update(
        &self,
        model: &Trending,
        delta: &Delta<'_>,
        _: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<Trending, FitError> {
        let buckets = model.buckets.updated(self.counting(), delta, self.from(delta.data()), run)?;
        Ok(self.model(delta.data(), buckets))
    }
}

impl Scorer for Trending {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        for (slot, &item) in out.items().iter().enumerate() {
            if let Some(trend) = self.opinion(item) {
                out.set(slot, trend.score());
            }
        }
    }

    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        out.extend(self.ranking.iter().copied(), limit);
    }

    /// Velocity with the count of the latest window, acceleration with that of the window before.
    fn explain(&self, _: &Context<'_>, item: ItemIdx, _: &mut Workspace) -> Explanation {
        let Some(trend) = self.opinion(item) else { return Explanation::leaf(None, Reason::Abstained) };
        let code = self.reason();
        let part = |value, ago: i64| {
            let n = counting_in(&self.buckets, item.as_usize(), self.now, self.width, ago..ago + 1);
            Explanation::leaf(Some(value), Reason::Count { events: self.counting.whole(n), code })
        };
        Explanation {
            value: Some(trend.score()),
            reason: Reason::Scorer { name: self.name.clone(), code },
            details: vec![part(trend.velocity, 0), part(trend.acceleration, 1)],
        }
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::Trending
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("buckets", self.buckets.heap_bytes())
            .with("trends", self.trends.capacity() * size_of::<Trend>())
            .with("ranking", self.ranking.capacity() * 4)
    }
}

crate::persist::element!(Trend, "f32x2", |x| Self {
    velocity: crate::persist::Element::swapped(x.velocity),
    acceleration: crate::persist::Element::swapped(x.acceleration),
});
crate::persist::portable!(Trending { name, extent, counting, now, width, buckets, trends, ranking }
    "an item beyond its last" => |m| m.ranking.iter().all(|item| item.as_usize() < m.trends.len()),
    "trends beyond its items" => |m| m.trends.len() <= m.extent.n_items);
