//! Demand per item and period, forecast and judged: the [`Forecaster`]s over a dataset.

use serde::{Deserialize, Serialize};

use super::forecast::{Forecaster, Pattern, backtest, pattern};
use crate::{
    Checked, Dataset, EventKind, ItemIdx, KindSet, ParamError, ParamSpec, Span, Timestamp, Validate, check_range,
};

/// Recipe for [`demand`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | purchase | at least one | the events whose units are demand |
/// | `period` | 604800000 ms (a week) | 3600000 to 1e11 ms | the length of a period |
/// | `test` | 12 | 1 to 10000 | periods at the end to judge on |
/// | `min_periods` | 20 | 5 to 100000 | periods since an item's first sale, at least |
/// | `min_units` | 1 | 0 to 1e12 | units sold, at least |
/// | `level` | .9 | .5 to .999 | the probability with which intervals hold the truth |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemandParams {
    /// The events whose units are demand.
    pub kinds: KindSet,
    /// The length of a period.
    pub period: Span,
    /// Periods at the end to judge on.
    pub test: u32,
    /// Periods since an item's first sale, at least.
    pub min_periods: u32,
    /// Units sold, at least.
    pub min_units: f64,
    /// The probability with which intervals hold the truth.
    pub level: f64,
}

impl Default for DemandParams {
    fn default() -> Self {
        let kinds = KindSet::of(&[EventKind::Purchase]);
        Self { kinds, period: Span::days(7), test: 12, min_periods: 20, min_units: 1.0, level: 0.9 }
    }
}

impl Validate for DemandParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "at least one event kind", "the events whose units are demand"),
            ParamSpec::int("period", 3_600_000, 100_000_000_000, "milliseconds of a period"),
            ParamSpec::int("test", 1, 10_000, "periods at the end to judge on"),
            ParamSpec::int("min_periods", 5, 100_000, "periods since an item's first sale"),
            ParamSpec::real("min_units", 0.0, 1e12, "units sold, at least"),
            ParamSpec::real("level", 0.5, 0.999, "the probability with which intervals hold the truth"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "no kind", "at least one event kind"));
        }
        check_range::<Self>("period", self.period.as_millis() as f64)?;
        check_range::<Self>("test", self.test.into())?;
        check_range::<Self>("min_periods", self.min_periods.into())?;
        check_range::<Self>("min_units", self.min_units)?;
        check_range::<Self>("level", self.level)
    }
}

/// One item's demand.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DemandRow {
    /// The item.
    pub item: String,
    /// Whole periods since its first sale.
    pub periods: usize,
    /// Units sold in them.
    pub units: f64,
    /// How demand comes.
    pub pattern: Pattern,
    /// The method that was best before the test, by which `next` is forecast.
    pub method: Forecaster,
    /// Units to expect in the next period.
    pub next: f64,
    /// The lower end of the range to expect.
    pub next_low: f64,
    /// The upper end.
    pub next_high: f64,
    /// Mean absolute scaled error of the last value, over the test.
    pub mase_naive: f64,
    /// That of exponential smoothing.
    pub mase_smoothing: f64,
    /// That of Croston's method.
    pub mase_croston: f64,
    /// That of Croston's method less its bias.
    pub mase_sba: f64,
    /// That of Teunter, Syntetos & Babai's.
    pub mase_tsb: f64,
    /// That of the method chosen.
    pub mase_chosen: f64,
}

/// Units by whole period, the last of which ends at `until`, from an item's first sale on.
#[must_use]
pub fn series(data: &Dataset, item: ItemIdx, until: Timestamp, params: &Checked<DemandParams>) -> Vec<f64> {
    let length = params.period.as_millis();
    let mut out: Vec<f64> = Vec::new(); // newest first
    for event in data.events_on(item).filter(|e| params.kinds.contains(e.kind) && e.at <= until) {
        let back = (until.since(event.at).as_millis() / length) as usize;
        if back >= 1_000_000 {
            continue; // a clock that is centuries wrong
        }
        if out.len() <= back {
            out.resize(back + 1, 0.0);
        }
        out[back] += f64::from(event.quantity);
    }
    out.reverse();
    out
}

/// Every item with enough history, the most units first, then by number. `O(events + items x periods x methods)`.
#[must_use]
pub fn demand(data: &Dataset, until: Timestamp, params: &Checked<DemandParams>) -> Vec<DemandRow> {
    let row = |item: ItemIdx| {
        let mut series = series(data, item, until, params);
        if series.len() > 1 {
            series.remove(0); // the period of the first sale is not whole
        }
        let units: f64 = series.iter().sum();
        if series.len() < params.min_periods as usize || units < params.min_units {
            return None;
        }
        let (tests, forecast) = backtest(&series, params.test as usize, params.level)?;
        let mase = |method: Forecaster| tests.iter().find(|t| t.method == method).map_or(f64::NAN, |t| t.mase);
        Some(DemandRow {
            item: data.item_key(item).to_owned(),
            periods: series.len(),
            units,
            pattern: pattern(&series),
            method: forecast.method,
            next: forecast.next.value,
            next_low: forecast.next.low,
            next_high: forecast.next.high,
            mase_naive: mase(Forecaster::Naive),
            mase_smoothing: mase(Forecaster::Smoothing),
            mase_croston: mase(Forecaster::Croston),
            mase_sba: mase(Forecaster::Sba),
            mase_tsb: mase(Forecaster::Tsb),
            mase_chosen: mase(forecast.method),
        })
    };
    let mut rows: Vec<DemandRow> = (0..data.n_items() as u32).map(ItemIdx::new).filter_map(row).collect();
    rows.sort_by(|a, b| b.units.total_cmp(&a.units));
    rows
}
