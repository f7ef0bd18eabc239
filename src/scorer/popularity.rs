//! What many want: counts, in a window, fading with age.
//!
//! **When:** as the last resort that always has an answer (nobody need be known), and as a small part of every blend.
//! **When not:** as the only scorer: it shows everybody the same.
//!
//! Cost: fit `O(events)`, update `O(changed rows + buckets)`, score `O(1)` an item, propose `O(limit)`. Memory: 12 bytes
//! a (item, bucket) in which something happened and 16 bytes an item.

use serde::{Deserialize, Serialize};

use super::bucket::{BUCKET, Buckets, CENTURY, Count, Counting, KINDS, NAME, check_name_and_kinds, check_span};
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace,
};
use crate::catalog::Shelf;
use crate::dataset::{Dataset, Delta, Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::time::Span;
use crate::tune::{Axis, DAY, Over, Tunable};

/// How [`Popularity`] counts.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `popularity` | not empty | what the scorer is called |
/// | `kinds` | [`KindSet::INTEREST`] | at least one | the events that count |
/// | `count` | shoppers | | what counts as one |
/// | `window` | none | 1 ms to 100 years | how far back, in whole buckets from the dataset's `as_of`, the running one included |
/// | `half_life` | 30 days | 1 ms to 100 years | after how long a bucket counts half; none for never |
/// | `bucket` | 1 day | 10 minutes to 100 years | time counted as one |
/// | `smoothing` | 1 | 2^-10 to 2^20 | counts well below it score in proportion, well above it by their logarithm |
///
/// The score is `ln(1 + count / smoothing)`, where the count is the sum over buckets of `n × 2^(-age / half_life)` and
/// age is counted in whole buckets up to [`Dataset::as_of`], not up to the request: popularity is a fact of the snapshot.
/// An item without a count has no score.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, PopularityParams, Run, Scorer, Shopper};
/// use likewise::{Timestamp, TrainingSet, Validate};
/// let views = [("ann", "mug"), ("bob", "mug"), ("bob", "tea")];
/// let mut builder = DatasetBuilder::default();
/// for (user, item) in views {
///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Consent));
///     builder.push(&Event::new(who, item, EventKind::View, Timestamp::from_secs(0)))?;
/// }
/// let data = builder.finish()?;
/// let popularity = PopularityParams::default().check()?.fit(&TrainingSet::from(&data), &Run::default())?;
/// assert_eq!(popularity.ranking().first(), data.item("mug").as_ref());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopularityParams {
    /// What the scorer is called.
    pub name: String,
    /// The events that count.
    pub kinds: KindSet,
    /// What counts as one.
    pub count: Count,
    /// How far back; `None` for everything.
    pub window: Option<Span>,
    /// After how long a bucket counts half; `None` for never.
    pub half_life: Option<Span>,
    /// Time counted as one.
    pub bucket: Span,
    /// Where proportion turns into logarithm.
    pub smoothing: f32,
}

impl Default for PopularityParams {
    fn default() -> Self {
        Self {
            name: "popularity".to_owned(),
            kinds: KindSet::INTEREST,
            count: Count::default(),
            window: None,
            half_life: Some(Span::days(30)),
            bucket: Span::days(1),
            smoothing: 1.0,
        }
    }
}

impl Validate for PopularityParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            KINDS,
            ParamSpec::typed("count", "events, shoppers, visits or units", "what counts as one"),
            ParamSpec::int("window", 1, CENTURY, "milliseconds back from the dataset's as_of; none for everything"),
            ParamSpec::int("half_life", 1, CENTURY, "milliseconds after which a bucket counts half; none for never"),
            BUCKET,
            ParamSpec::real("smoothing", 1.0 / 1024.0, 1_048_576.0, "where proportion turns into logarithm"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        check_span::<Self>("window", self.window)?;
        check_span::<Self>("half_life", self.half_life)?;
        check_span::<Self>("bucket", Some(self.bucket))?;
        check_range::<Self>("smoothing", self.smoothing.into())
    }
}

impl Tunable for PopularityParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("count", Over::OneOf(&["\"shoppers\"", "\"events\"", "\"visits\""])),
            Axis::new("half_life", Over::LogInt { lo: DAY, hi: 730 * DAY }),
        ];
        SPACE
    }
}

impl PopularityParams {
    fn counting(&self) -> Counting {
        Counting { kinds: self.kinds, count: self.count, bucket: self.bucket }
    }

    fn model(&self, data: &Dataset, buckets: Buckets) -> Popularity {
        let counting = self.counting();
        let now = counting.bucket_of(data.as_of());
        let score = |item: usize| {
            let faded = |(bucket, n)| counting.real(n) * counting.decay(now - bucket, self.half_life);
            let count: f64 = buckets.item(item).map(faded).sum();
            (count / f64::from(self.smoothing)).ln_1p() as f32
        };
        let scores: Vec<f32> = (0..buckets.n_items()).map(score).collect();
        let scored = |(item, &score)| Scored { item: ItemIdx::new(item as u32), score };
        let mut ranking: Vec<Scored> = scores.iter().enumerate().map(scored).filter(|s| s.score > 0.0).collect();
        ranking.sort_unstable_by(Scored::order);
        let ranking = ranking.into_iter().map(|s| s.item).collect();
        Popularity { name: self.name.clone(), extent: data.extent(), counting, buckets, scores, ranking }
    }
}

/// What many want. See [`PopularityParams`].
#[derive(Clone, Debug, PartialEq)]
pub struct Popularity {
    name: String,
    extent: Extent,
    counting: Counting,
    buckets: Buckets,
    /// 0 for no opinion.
    scores: Vec<f32>,
    ranking: Vec<ItemIdx>,
}

impl Popularity {
    /// All items with a score, best first.
    #[must_use]
    pub fn ranking(&self) -> &[ItemIdx] {
        &self.ranking
    }

    fn opinion(&self, item: ItemIdx) -> Option<f32> {
        self.scores.get(item.as_usize()).copied().filter(|&score| score > 0.0)
    }
}

impl Fit for Checked<PopularityParams> {
    type Model = Popularity;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("popularity", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<Popularity, FitError> {
        let counting = self.counting();
        let from = counting.since(train.data.as_of(), self.window);
        Ok(self.model(train.data, Buckets::count(counting, train.data, from, run)?))
    }

    /// Takes the changed rows out and puts them back in. Exact; `O(changed rows + buckets + items log items)`.
    fn update(
        &self,
        model: &Popularity,
        delta: &Delta<'_>,
        _: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<Popularity, FitError> {
        let counting = self.counting();
        let from = counting.since(delta.data().as_of(), self.window);
        Ok(self.model(delta.data(), model.buckets.updated(counting, delta, from, run)?))
    }
}

impl Scorer for Popularity {
    fn name(&self) -> &str {
        &self.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
        for (slot, &item) in out.items().iter().enumerate() {
            if let Some(score) = self.opinion(item) {
                out.set(slot, score);
            }
        }
    }

    fn propose(&self, _: &Context<'_>, limit: usize, out: &mut Candidates<'_>, _: &mut Workspace) {
        out.extend(self.ranking.iter().copied(), limit);
    }

    fn explain(&self, _: &Context<'_>, item: ItemIdx, _: &mut Workspace) -> Explanation {
        let Some(score) = self.opinion(item) else { return Explanation::leaf(None, Reason::Abstained) };
        let code = self.reason();
        let events = self.counting.whole(self.buckets.total(item.as_usize()));
        Explanation {
            value: Some(score),
            reason: Reason::Scorer { name: self.name.clone(), code },
            details: vec![Explanation::leaf(Some(score), Reason::Count { events, code })],
        }
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::Popular
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("buckets", self.buckets.heap_bytes())
            .with("scores", self.scores.capacity() * 4)
            .with("ranking", self.ranking.capacity() * 4)
    }
}

crate::persist::portable!(Popularity { name, extent, counting, buckets, scores, ranking }
    "an item beyond its last" => |m| m.scores.len() <= m.extent.n_items
        && m.ranking.iter().all(|item| item.as_usize() < m.scores.len()));
