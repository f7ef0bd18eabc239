//! How recently, how often, for how much: bands of the three, by quantiles of the shop or by fixed limits.

use serde::{Deserialize, Serialize};

use super::members::Profile;
use crate::decide::Histories;
use crate::event::{EventKind, KindSet};
use crate::ids::UserIdx;
use crate::params::{Checked, ParamError, ParamSpec, Validate};
use crate::run::{Cancelled, Run};
use crate::time::{Span, Timestamp};

/// How shoppers are banded (Hughes, *Strategic Database Marketing*, 1994).
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | purchases | at least one | the events that count |
/// | `bands` | 5 quantiles | 2 to 20 quantiles; limits that ascend | where one band ends and the next begins |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RfmParams {
    /// The events that count.
    pub kinds: KindSet,
    /// Where one band ends and the next begins.
    pub bands: Bands,
}

/// Where one band ends and the next begins. Equal values are always in one band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Bands {
    /// So many bands with, as far as equal values allow, equally many shoppers.
    Quantiles(u8),
    /// Fixed limits, ascending: a value at a limit is above it, but for ages, where it is still below.
    Limits {
        /// Ages; the youngest band is the best.
        recency: Vec<Span>,
        /// Numbers of sessions.
        frequency: Vec<f64>,
        /// Sums of money.
        monetary: Vec<f64>,
    },
}

impl Default for RfmParams {
    fn default() -> Self {
        Self { kinds: KindSet::of(&[EventKind::Purchase]), bands: Bands::Quantiles(5) }
    }
}

impl Validate for RfmParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "at least one kind", "the events that count"),
            ParamSpec::typed("bands", "2 to 20 quantiles, or finite limits that ascend", "where bands end"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "[]", "at least one kind"));
        }
        let ascend = |name: &str, limits: &[f64]| {
            let fine = limits.iter().all(|x| x.is_finite()) && limits.windows(2).all(|w| w[0] < w[1]);
            let few = (1..=20).contains(&limits.len());
            if fine && few {
                return Ok(());
            }
            Err(ParamError::new(
                format!("bands.limits.{name}"),
                format_args!("{limits:?}"),
                "1 to 20 finite numbers that ascend",
            ))
        };
        match &self.bands {
            Bands::Quantiles(n) if !(2..=20).contains(n) => {
                Err(ParamError::new("bands.quantiles", n, "a whole number from 2 to 20"))
            }
            Bands::Quantiles(_) => Ok(()),
            Bands::Limits { recency, frequency, monetary } => {
                let ages: Vec<f64> = recency.iter().map(|span| span.as_millis() as f64).collect();
                ascend("recency", &ages)?;
                ascend("frequency", frequency)?;
                ascend("monetary", monetary)
            }
        }
    }
}

/// The bands of one shopper, 1 the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RfmScore {
    /// How recently.
    pub recency: u8,
    /// How often.
    pub frequency: u8,
    /// For how much.
    pub monetary: u8,
}

/// Fitted bands.
#[derive(Clone, Debug, PartialEq)]
pub struct Rfm {
    kinds: KindSet,
    now: Timestamp,
    /// Ages in milliseconds, sessions, money: the inner limits, ascending.
    limits: [Vec<f64>; 3],
}

const CHUNK: usize = 1024;

impl Rfm {
    /// Finds the limits among the profiled shoppers with at least one event of the kinds up to `now`, of a log's those it
    /// [permits](crate::decide::Permissions::histories). `O(events log)`.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn fit<'d>(
        params: &Checked<RfmParams>,
        data: impl Into<Histories<'d>>,
        now: Timestamp,
        run: &Run<'_>,
    ) -> Result<Self, Cancelled> {
        let data = data.into();
        let mut rfm = Self { kinds: params.kinds, now, limits: [Vec::new(), Vec::new(), Vec::new()] };
        rfm.limits = match &params.bands {
            Bands::Limits { recency, frequency, monetary } => {
                [recency.iter().map(|span| span.as_millis() as f64).collect(), frequency.clone(), monetary.clone()]
            }
            Bands::Quantiles(n) => {
                let rows = data.dataset().n_rows();
                let chunk = |chunk: usize| {
                    run.step((chunk * CHUNK) as u64, rows as u64, None)?;
                    let users = (chunk * CHUNK..rows.min((chunk + 1) * CHUNK)).map(|row| UserIdx::new(row as u32));
                    Ok(users.filter_map(|user| rfm.values(data, user)).collect::<Vec<_>>())
                };
                let values = run.threads.map(rows.div_ceil(CHUNK), chunk);
                let values = values.into_iter().collect::<Result<Vec<_>, Cancelled>>()?.concat();
                std::array::from_fn(|of| {
                    let mut column: Vec<f64> = values.iter().map(|values| values[of]).collect();
                    column.sort_unstable_by(f64::total_cmp);
                    let (len, n) = (column.len(), usize::from(*n));
                    // The last of the k-th part for ages, the first of the next for the others.
                    let place =
                        |k: usize| if of == 0 { (len * k).div_ceil(n).checked_sub(1) } else { Some(len * k / n) };
                    (1..n).filter_map(|k| column.get(place(k)?).copied()).collect()
                })
            }
        };
        Ok(rfm)
    }

    /// Age, sessions and money.
    fn values(&self, data: Histories<'_>, user: UserIdx) -> Option<[f64; 3]> {
        let profile = Profile::of(data, user, self.kinds, self.now);
        let last = profile.last?;
        Some([self.now.since(last).as_millis() as f64, profile.sessions.into(), profile.value])
    }

    /// The bands of a shopper; `None` for one without an event of the kinds, and for one who may not be looked at.
    #[must_use]
    pub fn score<'d>(&self, data: impl Into<Histories<'d>>, user: UserIdx) -> Option<RfmScore> {
        let [age, often, much] = self.values(data.into(), user)?;
        let [ages, sessions, money] = &self.limits;
        let above = |limits: &[f64], x: f64| limits.partition_point(|limit| *limit <= x) as u8;
        let older = ages.partition_point(|limit| *limit < age) as u8;
        Some(RfmScore {
            recency: ages.len() as u8 + 1 - older,
            frequency: above(sessions, often) + 1,
            monetary: above(money, much) + 1,
        })
    }

    /// How many bands recency, frequency and money have.
    #[must_use]
    pub fn bands(&self) -> [u8; 3] {
        [0, 1, 2].map(|of: usize| self.limits[of].len() as u8 + 1)
    }

    /// A customary name: `champions` (recent, often), `loyal` (often), `new` (recent, the rarest band), `promising`
    /// (recent), `at risk` (often, not recent), `hibernating` (neither), `middling` between. "Often" and "recent" are the
    /// bands above three fifths, "not" those up to two fifths.
    #[must_use]
    pub fn label(&self, score: RfmScore) -> &'static str {
        let [recency, frequency, _] = self.bands();
        let high = |x: u8, of: u8| u32::from(x) * 5 > u32::from(of) * 3;
        let low = |x: u8, of: u8| u32::from(x) * 5 <= u32::from(of) * 2;
        let (recent, often) = (high(score.recency, recency), high(score.frequency, frequency));
        let (away, rare) = (low(score.recency, recency), low(score.frequency, frequency));
        match (recent, often) {
            (true, true) => "champions",
            (false, true) if away => "at risk",
            (_, true) => "loyal",
            (true, _) if score.frequency == 1 => "new",
            (true, _) => "promising",
            _ if away && rare => "hibernating",
            _ => "middling",
        }
    }
}
