//! What many want among items of the kind at hand: popularity within a category, a brand or any other attribute value.
//!
//! **When:** on product and category pages, and for shoppers of whom a few views are known; it needs no other shopper to
//! have seen the same item. Brand-new items get the typical rate of their value instead of nothing. **When not:** for an
//! anonymous shopper with an empty history: then it has no opinion; blend it with [`Popularity`](super::Popularity).
//!
//! The request says which values matter: the value of the context item, or else those of the latest items of the history,
//! fading by place. An item's rate is what it was wanted a day on sale, drawn towards the mean of the value as long as
//! little is known of it (a Gamma prior worth `prior` days; Efron and Morris 1975).
//!
//! Cost: fit `O(events + items × values an item)`, update `O(items × values an item)` and a look at each event's date, score `O(values of the context ×
//! values an item)` an item, propose `O(values of the context × pool)`. Memory: 12 bytes a (item, bucket), 24 bytes an
//! item, and `4 × pool` bytes a value at most.

use serde::{Deserialize, Serialize};

use super::bucket::{BUCKET, Buckets, CENTURY, Count, Counting, KINDS, NAME, check_name_and_kinds, check_span};
use super::popular_in_rates::Rates;
use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace,
};
use crate::catalog::{AttributeId, Shelf};
use crate::dataset::{Delta, Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::Run;
use crate::time::Span;
use crate::tune::{Axis, DAY, Over, Tunable};

/// How [`PopularIn`] counts, and how a request chooses the values.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `name` | `popular_in` | not empty | what the scorer is called |
/// | `attribute` | `category` | not empty | a category or tag attribute of the catalogue |
/// | `kinds` | [`KindSet::INTEREST`] | at least one | the events that count, and the touches that choose values |
/// | `count` | shoppers | | what counts as one |
/// | `window` | none | 1 ms to 100 years | how far back, in whole buckets from the dataset's `as_of` |
/// | `half_life` | 30 days | 1 ms to 100 years | after how long a bucket counts half; none for never |
/// | `bucket` | 1 day | 10 minutes to 100 years | time counted as one |
/// | `prior` | 7 | 2^-10 to 2^20 | days of typical demand every item starts with |
/// | `history` | 10 | 1 to 100 | latest items that choose values |
/// | `place_half_life` | 3 | 2^-10 to 2^20 | places after which a history item has half the say |
/// | `pool` | 50 | 1 to 1,000,000 | items a value that can be proposed |
///
/// The score is `Σ share(value) × rate(item) / max rate in the value` over the values chosen that the item has: from 0
/// to 1. Rates are as of [`Dataset::as_of`](crate::Dataset::as_of), not the request. An item counts as on sale from its
/// release or its first event, whichever is earlier; one with neither is brand-new. The catalogue may change after the
/// fit: values are matched by name, an item by the values it has now.
///
/// # Example
/// ```
/// use likewise::{PopularInParams, Validate};
/// let by_brand = PopularInParams { attribute: "brand".to_owned(), ..PopularInParams::default() };
/// assert!(by_brand.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopularInParams {
    /// What the scorer is called.
    pub name: String,
    /// A category or tag attribute.
    pub attribute: String,
    /// The events that count, and the touches that choose values.
    pub kinds: KindSet,
    /// What counts as one.
    pub count: Count,
    /// How far back; `None` for everything.
    pub window: Option<Span>,
    /// After how long a bucket counts half; `None` for never.
    pub half_life: Option<Span>,
    /// Time counted as one.
    pub bucket: Span,
    /// Days of typical demand every item starts with.
    pub prior: f32,
    /// Latest items that choose values.
    pub history: u32,
    /// Places after which a history item has half the say.
    pub place_half_life: f32,
    /// Items a value that can be proposed.
    pub pool: u32,
}

impl Default for PopularInParams {
    fn default() -> Self {
        Self {
            name: "popular_in".to_owned(),
            attribute: "category".to_owned(),
            kinds: KindSet::INTEREST,
            count: Count::default(),
            window: None,
            half_life: Some(Span::days(30)),
            bucket: Span::days(1),
            prior: 7.0,
            history: 10,
            place_half_life: 3.0,
            pool: 50,
        }
    }
}

impl Validate for PopularInParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            NAME,
            ParamSpec::typed("attribute", "a text that is not empty", "a category or tag attribute"),
            KINDS,
            ParamSpec::typed("count", "events, shoppers, visits or units", "what counts as one"),
            ParamSpec::int("window", 1, CENTURY, "milliseconds back from the dataset's as_of; none for everything"),
            ParamSpec::int("half_life", 1, CENTURY, "milliseconds after which a bucket counts half; none for never"),
            BUCKET,
            ParamSpec::real("prior", 1.0 / 1024.0, 1_048_576.0, "days of typical demand every item starts with"),
            ParamSpec::int("history", 1, 100, "latest items that choose values"),
            ParamSpec::real("place_half_life", 1.0 / 1024.0, 1_048_576.0, "places after which the say is half"),
            ParamSpec::int("pool", 1, 1_000_000, "items a value that can be proposed"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_name_and_kinds(&self.name, self.kinds)?;
        if self.attribute.trim().is_empty() {
            return Err(ParamError::new("attribute", format_args!("{:?}", self.attribute), "a text that is not empty"));
        }
        check_span::<Self>("window", self.window)?;
        check_span::<Self>("half_life", self.half_life)?;
        check_span::<Self>("bucket", Some(self.bucket))?;
        check_range::<Self>("prior", self.prior.into())?;
        check_range::<Self>("history", self.history.into())?;
        check_range::<Self>("place_half_life", self.place_half_life.into())?;
        check_range::<Self>("pool", self.pool.into())
    }
}

impl Tunable for PopularInParams {
    fn space() -> &'static [Axis] {
        const SPACE: &[Axis] = &[
            Axis::new("half_life", Over::LogInt { lo: DAY, hi: 730 * DAY }),
            Axis::new("prior", Over::Log { lo: 0.25, hi: 256.0 }),
            Axis::new("history", Over::LogInt { lo: 1, hi: 100 }),
            Axis::new("place_half_life", Over::Log { lo: 0.25, hi: 64.0 }),
            Axis::new("pool", Over::LogInt { lo: 20, hi: 1_000 }),
        ];
        SPACE
    }
}

impl PopularInParams {
    pub(super) fn counting(&self) -> Counting {
        Counting { kinds: self.kinds, count: self.count, bucket: self.bucket }
    }

    fn attribute_of(&self, shelf: Option<&Shelf>) -> Result<AttributeId, FitError> {
        let attribute = shelf.and_then(|shelf| shelf.attribute(&self.attribute));
        attribute.ok_or_else(|| FitError::NoAttribute { name: self.attribute.clone() })
    }
}

/// What many want among items of the kind at hand. See [`PopularInParams`].
#[derive(Clone, Debug)]
pub struct PopularIn {
    params: PopularInParams,
    extent: Extent,
    buckets: Buckets,
    rates: Rates,
}

impl Fit for Checked<PopularInParams> {
    type Model = PopularIn;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("popular_in", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<PopularIn, FitError> {
        let (data, counting) = (train.data, self.counting());
        let attribute = self.attribute_of(train.shelf)?;
        let buckets = Buckets::count(counting, data, counting.since(data.as_of(), self.window), run)?;
        let rates = train.shelf.map_or_else(Rates::default, |shelf| Rates::new(self, attribute, data, shelf, &buckets));
        Ok(PopularIn { params: (**self).clone(), extent: data.extent(), buckets, rates })
    }

    /// Takes the changed rows out and puts them back in, then recomputes the rates from the whole-number counts.
    fn update(
        &self,
        model: &PopularIn,
        delta: &Delta<'_>,
        shelf: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<PopularIn, FitError> {
        let (data, counting) = (delta.data(), self.counting());
        let attribute = self.attribute_of(shelf)?;
        let from = counting.since(data.as_of(), self.window);
        let buckets = model.buckets.updated(counting, delta, from, run)?;
        let rates = shelf.map_or_else(Rates::default, |shelf| Rates::new(self, attribute, data, shelf, &buckets));
        Ok(PopularIn { params: (**self).clone(), extent: data.extent(), buckets, rates })
    }
}

/// The values a request asks about, in buffers of the workspace.
struct Asked {
    attribute: Option<AttributeId>,
    /// Pairs: the value's code in the shelf of the request, its number in the fit.
    values: Vec<u32>,
    /// The item that named it, and its share.
    shares: Vec<Scored>,
}

impl Asked {
    fn iter(&self) -> impl Iterator<Item = (u32, u32, Scored)> + '_ {
        self.values.chunks_exact(2).zip(&self.shares).map(|(pair, share)| (pair[0], pair[1], *share))
    }

    fn give(self, ws: &mut Workspace) {
        ws.give_indices(self.values);
        ws.give_scored(self.shares);
    }
}

impl PopularIn {
    fn ask(&self, cx: &Context<'_>, ws: &mut Workspace) -> Asked {
        let attribute = cx.shelf.attribute(&self.params.attribute);
        let mut asked = Asked { attribute, values: ws.take_indices(0), shares: ws.take_scored() };
        if let Some(item) = cx.context_item {
            self.name_value(cx, &mut asked, item, 1.0);
        }
        if asked.shares.is_empty() {
            let mut touches = ws.take_touches();
            cx.distinct(self.params.kinds, self.params.history as usize, ws, &mut touches);
            for (place, touch) in touches.iter().enumerate() {
                let share = (-(place as f32) / self.params.place_half_life).exp2();
                self.name_value(cx, &mut asked, touch.item, share);
            }
            ws.give_touches(touches);
        }
        let total: f32 = asked.shares.iter().map(|s| s.score).sum();
        if total > 0.0 {
            asked.shares.iter_mut().for_each(|s| s.score /= total);
        } else {
            // Named by items so far back that their say rounds to nothing.
            asked.values.clear();
            asked.shares.clear();
        }
        asked
    }

    /// Adds the value `item` has, if the fit knows it.
    fn name_value(&self, cx: &Context<'_>, asked: &mut Asked, item: ItemIdx, share: f32) {
        let Some((attribute, code)) = asked.attribute.and_then(|a| Some((a, cx.shelf.leaf(item, a)?))) else { return };
        if let Some(at) = asked.values.chunks_exact(2).position(|pair| pair[0] == code) {
            asked.shares[at].score += share;
        } else if let Some(value) = cx.shelf.value(attribute, code).and_then(|v| self.rates.value(v)) {
            asked.values.extend([code, value]);
            asked.shares.push(Scored { item, score: share });
        }
    }

    /// Calls `f(evidence, part of the score)` for each value asked about that `item` has.
    fn parts(&self, cx: &Context<'_>, asked: &Asked, item: ItemIdx, mut f: impl FnMut(ItemIdx, f32)) {
        let Some(attribute) = asked.attribute else { return };
        let codes = cx.shelf.codes(item, attribute);
        for (code, value, share) in asked.iter() {
            if codes.contains(&code)
                && let Some(rate) = self.rates.relative(item, value)
            {
                f(share.item, share.score * rate);
            }
        }
    }

    fn opinion(&self, cx: &Context<'_>, asked: &Asked, item: ItemIdx) -> Option<(f32, ItemIdx)> {
        let mut sum: Option<f32> = None;
        let mut loudest = (f32::NEG_INFINITY, item);
        self.parts(cx, asked, item, |evidence, part| {
            sum = Some(sum.map_or(part, |sum| sum + part));
            if part > loudest.0 {
                loudest = (part, evidence);
            }
        });
        sum.map(|sum| (sum, loudest.1))
    }
}

impl Scorer for PopularIn {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let asked = self.ask(cx, ws);
        if !asked.shares.is_empty() {
            for (slot, &item) in out.items().iter().enumerate() {
                if let Some((score, evidence)) = self.opinion(cx, &asked, item) {
                    out.set_because(slot, score, evidence);
                }
            }
        }
        asked.give(ws);
    }

    /// The best of the `pool` best of each value: new items are judged, never proposed.
    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let asked = self.ask(cx, ws);
        let mut met = ws.take_set(cx.shelf.n_items());
        let mut scored = ws.take_scored();
        for (_, value, _) in asked.iter() {
            for &item in self.rates.best(value) {
                if met.insert(item)
                    && let Some((score, _)) = self.opinion(cx, &asked, item)
                {
                    scored.push(Scored { item, score });
                }
            }
        }
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
        ws.give_set(met);
        asked.give(ws);
    }

    /// One part a value, with the item that named it; in it the item's own count.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let asked = self.ask(cx, ws);
        let code = self.reason();
        let events = self.params.counting().whole(self.buckets.total(item.as_usize()));
        let mut details = Vec::new();
        self.parts(cx, &asked, item, |evidence, part| {
            let reason = Reason::Because { item: evidence, code };
            let count = Explanation::leaf(None, Reason::Count { events, code });
            details.push(Explanation { value: Some(part), reason, details: vec![count] });
        });
        let value = self.opinion(cx, &asked, item).map(|(score, _)| score);
        asked.give(ws);
        let reason = match value {
            Some(_) => Reason::Scorer { name: self.params.name.clone(), code },
            None => Reason::Abstained,
        };
        Explanation { value, reason, details }
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::PopularInCategory
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default().with("buckets", self.buckets.heap_bytes()).with("rates", self.rates.heap_bytes())
    }
}

crate::persist::portable!(PopularIn { params, extent, buckets, rates }
    "an item beyond its last" => |m| m.rates.is_within(m.extent.n_items));
