//! How often, how recently, since when, for how much: what repeat-purchase models know of a customer.
//!
//! Conventions of Fader, Hardie & Lee 2005: purchases of one customer on one occasion (a day) are one purchase. The
//! first purchase starts the customer; `frequency` counts the occasions after it, `recency` is the time from the
//! first to the last and `age` from the first to the end of the period. The mean value is that of the repeat
//! occasions, without the first.
//!
//! Cost: `O(events log)` to read, `O(occasions)` for all summaries at one moment.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::PredictError;
use crate::decide::Histories;
use crate::{Checked, EventKind, KindSet, ParamError, ParamSpec, Span, Timestamp, Validate, check_range};

/// How purchases become summaries.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | purchase | at least one | the events that are purchases |
/// | `unit` | 604800000 ms (a week) | 1 to 1e12 ms | the unit of time of every number that comes out |
/// | `occasion` | 86400000 ms (a day) | 1 to 1e12 ms | purchases in one such stretch (counted from 1970-01-01T00:00Z) are one |
/// | `offset` | 0 ms | 0 to 86400000 ms | added to each time before it is cut into stretches: the shop's zone east of Greenwich |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SummaryParams {
    /// The events that are purchases.
    pub kinds: KindSet,
    /// The unit of time of every number that comes out.
    pub unit: Span,
    /// Purchases in one such stretch are one.
    pub occasion: Span,
    /// Added to each time before it is cut into stretches.
    pub offset: Span,
}

impl Default for SummaryParams {
    fn default() -> Self {
        let kinds = KindSet::of(&[EventKind::Purchase]);
        Self { kinds, unit: Span::days(7), occasion: Span::days(1), offset: Span::ZERO }
    }
}

impl Validate for SummaryParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "at least one event kind", "the events that are purchases"),
            ParamSpec::int("unit", 1, 1_000_000_000_000, "milliseconds of the unit of time"),
            ParamSpec::int("occasion", 1, 1_000_000_000_000, "milliseconds in which purchases are one"),
            ParamSpec::int("offset", 0, 86_400_000, "milliseconds added before times are cut"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "no kind", "at least one event kind"));
        }
        check_range::<Self>("unit", self.unit.as_millis() as f64)?;
        check_range::<Self>("occasion", self.occasion.as_millis() as f64)?;
        check_range::<Self>("offset", self.offset.as_millis() as f64)
    }
}

/// One customer at the end of a period, times in the unit of [`SummaryParams::unit`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CustomerSummary {
    /// Repeat purchase occasions.
    pub frequency: u32,
    /// From the first purchase to the last; 0 without a repeat.
    pub recency: f64,
    /// From the first purchase to the end of the period.
    pub age: f64,
    /// What a repeat occasion brought on average, less returns; 0 without a repeat.
    pub mean_value: f64,
}

impl CustomerSummary {
    /// A customer as plain numbers; see [`validate`](Self::validate).
    #[must_use]
    pub const fn new(frequency: u32, recency: f64, age: f64, mean_value: f64) -> Self {
        Self { frequency, recency, age, mean_value }
    }

    /// Whether the numbers can be true of anybody; `row` is named in the error.
    ///
    /// # Errors
    /// [`PredictError::Row`] where a number is not finite, a time negative, the recency above the age, or a recency
    /// given without a repeat. A negative mean value is possible (returns); models of value leave such customers out.
    pub fn validate(&self, row: usize) -> Result<(), PredictError> {
        let wrong = |what, got, expected| Err(PredictError::Row { row, what, got, expected });
        if !(0.0..=f64::MAX).contains(&self.age) {
            return wrong("age", self.age, "a finite number >= 0");
        }
        if !(0.0..=self.age).contains(&self.recency) {
            return wrong("recency", self.recency, "a number from 0 to the age");
        }
        if self.frequency == 0 && self.recency > 0.0 {
            return wrong("recency", self.recency, "0 for a customer without a repeat purchase");
        }
        if !self.mean_value.is_finite() {
            return wrong("mean_value", self.mean_value, "a finite number");
        }
        Ok(())
    }
}

/// What one customer bought and sent back on one occasion.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Occasion {
    number: i64,
    bought: f64,
    returned: f64,
    purchases: u32,
}

/// Everybody's purchase occasions, to be summarised as of any moment.
///
/// # Example
/// ```
/// use likewise::{Timestamp, Validate};
/// use likewise::decide::predict::{PurchaseLog, SummaryParams};
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let rows = [("ann", day(0), 9.0), ("ann", day(7), 5.0), ("ann", day(7), 3.0), ("ann", day(21), 4.0), ("bob", day(2), 1.0)];
/// let log = PurchaseLog::from_rows(rows, SummaryParams::default().check()?)?;
/// let ann = log.summary(0, day(28)).unwrap();
/// assert_eq!((ann.frequency, ann.recency, ann.age, ann.mean_value), (2, 3.0, 4.0, 6.0));
/// assert_eq!(log.summary(1, day(1)), None, "bob was not there yet");
/// assert_eq!(log.purchases(0, day(7), day(28)), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PurchaseLog {
    params: SummaryParams,
    ids: Vec<String>,
    offsets: Vec<usize>,
    occasions: Vec<Occasion>,
    unmatched: usize,
}

impl PurchaseLog {
    /// The purchases of the profiled shoppers of `data`, of a log's those it
    /// [permits](crate::decide::Permissions::histories), in the order of their numbers. What was returned is not in a
    /// dataset, whenever it was returned. An event without a price counts as a purchase of value 0.
    #[must_use]
    pub fn of<'d>(data: impl Into<Histories<'d>>, params: Checked<SummaryParams>) -> Self {
        let data = data.into();
        let mut log = Self::empty(params);
        let mut occasions = Vec::new();
        for user in data.users() {
            let bought = data.until(user, Timestamp::MAX).iter().filter(|e| log.params.kinds.contains(e.kind));
            occasions.extend(bought.map(|e| {
                let spent = f64::from(e.value.unwrap_or(0.0)) * f64::from(e.quantity);
                Occasion { number: log.number(e.at), bought: spent, returned: 0.0, purchases: 1 }
            }));
            if !occasions.is_empty() {
                log.push(data.dataset().user_key(user), &mut occasions);
            }
        }
        log
    }

    /// Purchases as rows of customer, time and spend, in any order; customers in the order of their first row. A
    /// negative spend is a return: it is no purchase, and counts against the latest purchase before it (or on the
    /// same occasion).
    ///
    /// # Errors
    /// [`PredictError::Row`] at a spend that is not finite.
    pub fn from_rows<'a>(
        rows: impl IntoIterator<Item = (&'a str, Timestamp, f64)>,
        params: Checked<SummaryParams>,
    ) -> Result<Self, PredictError> {
        let mut log = Self::empty(params);
        let mut places: FxHashMap<&str, usize> = FxHashMap::default();
        let mut customers: Vec<(&str, Vec<Occasion>)> = Vec::new();
        for (row, (id, at, spend)) in rows.into_iter().enumerate() {
            if !spend.is_finite() {
                return Err(PredictError::Row { row, what: "spend", got: spend, expected: "a finite number" });
            }
            let place = *places.entry(id).or_insert_with(|| {
                customers.push((id, Vec::new()));
                customers.len() - 1
            });
            let purchases = u32::from(spend >= 0.0);
            let (bought, returned) = (spend.max(0.0), (-spend).max(0.0));
            customers[place].1.push(Occasion { number: log.number(at), bought, returned, purchases });
        }
        for (id, mut occasions) in customers {
            log.push(id, &mut occasions);
        }
        Ok(log)
    }

    fn empty(params: Checked<SummaryParams>) -> Self {
        let params = params.into_inner();
        Self { params, ids: Vec::new(), offsets: vec![0], occasions: Vec::new(), unmatched: 0 }
    }

    fn number(&self, at: Timestamp) -> i64 {
        at.plus(self.params.offset).millis().div_euclid(self.params.occasion.as_millis())
    }

    /// Joins what fell on one occasion, and empties `events`.
    fn push(&mut self, id: &str, events: &mut Vec<Occasion>) {
        events.sort_by_key(|o| o.number); // stable: sums run in the order of arrival
        let mut bought_before = false;
        for same in events.chunk_by(|a, b| a.number == b.number) {
            let sum = |f: fn(&Occasion) -> f64| same.iter().map(f).sum::<f64>();
            let purchases = same.iter().map(|o| o.purchases).sum();
            bought_before |= purchases > 0;
            if bought_before {
                let (bought, returned) = (sum(|o| o.bought), sum(|o| o.returned));
                self.occasions.push(Occasion { number: same[0].number, bought, returned, purchases });
            } else {
                self.unmatched += same.len();
            }
        }
        events.clear();
        if bought_before {
            self.ids.push(id.to_owned());
            self.offsets.push(self.occasions.len());
        }
    }

    /// How many customers ever bought.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nobody did.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The id of a customer; `""` for an unknown number.
    #[must_use]
    pub fn id(&self, customer: usize) -> &str {
        self.ids.get(customer).map_or("", String::as_str)
    }

    /// The number of a customer. `O(customers)`.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<usize> {
        self.ids.iter().position(|known| known == id)
    }

    /// Returns that no purchase came before, which were left out.
    #[must_use]
    pub const fn unmatched_returns(&self) -> usize {
        self.unmatched
    }

    fn of_customer(&self, customer: usize) -> &[Occasion] {
        match (self.offsets.get(customer), self.offsets.get(customer + 1)) {
            (Some(&from), Some(&to)) => &self.occasions[from..to],
            _ => &[],
        }
    }

    /// A customer at the end of the occasion of `until`, from what happened up to then; `None` for one who had not
    /// bought.
    #[must_use]
    pub fn summary(&self, customer: usize, until: Timestamp) -> Option<CustomerSummary> {
        let (end, unit) = (self.number(until), self.params.unit.as_millis() as f64);
        let span = |from: i64, to: i64| (to - from) as f64 * self.params.occasion.as_millis() as f64 / unit;
        let known = self.of_customer(customer).iter().take_while(|o| o.number <= end);
        let (mut first, mut last, mut frequency, mut spent) = (None, 0, 0_u32, 0.0);
        for occasion in known {
            if occasion.purchases > 0 {
                last = occasion.number;
                if first.is_none() {
                    first = Some(occasion.number);
                } else {
                    frequency += 1;
                }
            }
            if frequency > 0 {
                spent += occasion.bought - occasion.returned; // before the first repeat it is the first purchase's affair
            }
        }
        let first = first?;
        let mean_value = if frequency > 0 { spent / f64::from(frequency) } else { 0.0 };
        Some(CustomerSummary { frequency, recency: span(first, last), age: span(first, end), mean_value })
    }

    /// All customers known at `until` with their numbers.
    #[must_use]
    pub fn summaries(&self, until: Timestamp) -> Vec<(usize, CustomerSummary)> {
        (0..self.len()).filter_map(|c| Some((c, self.summary(c, until)?))).collect()
    }

    /// How many purchase occasions a customer had after the one of `after`, up to the one of `until`.
    #[must_use]
    pub fn purchases(&self, customer: usize, after: Timestamp, until: Timestamp) -> u32 {
        let (after, until) = (self.number(after), self.number(until));
        let inside = |o: &&Occasion| o.number > after && o.number <= until && o.purchases > 0;
        self.of_customer(customer).iter().filter(inside).count() as u32
    }

    /// From one moment to another in the unit of the summaries, by occasions.
    #[must_use]
    pub fn units(&self, from: Timestamp, to: Timestamp) -> f64 {
        let occasions = (self.number(to) - self.number(from)) as f64;
        occasions * self.params.occasion.as_millis() as f64 / self.params.unit.as_millis() as f64
    }
}
