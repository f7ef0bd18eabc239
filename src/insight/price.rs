//! What does the price do? Log-log elasticity where prices varied.
//!
//! Periods with a sale: the logarithm of the units against the logarithm of the mean unit price of the orders (each
//! order line counts once), by least squares, with White's robust errors (HC3, MacKinnon & White 1985) and Student's
//! t. An elasticity of
//! -2: a price 1 % higher goes with 2 % fewer units.
//!
//! **Read it as what went together, not as what a price would do.** Promotions come with advertising and seasons; shops that give
//! discounts for quantity sell many units *at* a low price, which looks like elastic demand and is not; periods
//! without a sale have no price and are left out, which makes demand look less elastic than it is. An experiment
//! tells more.

use serde::{Deserialize, Serialize};

use crate::math::distribution::student_two_sided_quantile;
use crate::math::special::quantile;
use crate::{
    Checked, Dataset, EventKind, ItemIdx, KindSet, ParamError, ParamSpec, Span, Timestamp, Validate, check_range,
};

/// Recipe for [`price_response`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `kinds` | purchase | at least one | the events with units and prices |
/// | `period` | 604800000 ms (a week) | 3600000 to 1e11 ms | the length of a period |
/// | `min_periods` | 12 | 4 to 100000 | periods with a sale, at least |
/// | `min_prices` | 3 | 2 to 1000 | distinct prices (to 1 %), at least |
/// | `min_spread` | .1 | .001 to 10 | the highest price over the lowest, less 1, at least |
/// | `level` | .95 | .5 to .999 | the probability with which intervals hold the truth |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceParams {
    /// The events with units and prices.
    pub kinds: KindSet,
    /// The length of a period.
    pub period: Span,
    /// Periods with a sale, at least.
    pub min_periods: u32,
    /// Distinct prices (to 1 %), at least.
    pub min_prices: u32,
    /// The highest price over the lowest, less 1, at least.
    pub min_spread: f64,
    /// The probability with which intervals hold the truth.
    pub level: f64,
}

impl Default for PriceParams {
    fn default() -> Self {
        let kinds = KindSet::of(&[EventKind::Purchase]);
        Self { kinds, period: Span::days(7), min_periods: 12, min_prices: 3, min_spread: 0.1, level: 0.95 }
    }
}

impl Validate for PriceParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::typed("kinds", "at least one event kind", "the events with units and prices"),
            ParamSpec::int("period", 3_600_000, 100_000_000_000, "milliseconds of a period"),
            ParamSpec::int("min_periods", 4, 100_000, "periods with a sale, at least"),
            ParamSpec::int("min_prices", 2, 1000, "distinct prices, at least"),
            ParamSpec::real("min_spread", 0.001, 10.0, "the highest price over the lowest, less 1, at least"),
            ParamSpec::real("level", 0.5, 0.999, "the probability with which intervals hold the truth"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        if self.kinds.is_empty() {
            return Err(ParamError::new("kinds", "no kind", "at least one event kind"));
        }
        check_range::<Self>("period", self.period.as_millis() as f64)?;
        check_range::<Self>("min_periods", self.min_periods.into())?;
        check_range::<Self>("min_prices", self.min_prices.into())?;
        check_range::<Self>("min_spread", self.min_spread)?;
        check_range::<Self>("level", self.level)
    }
}

/// Whether there is anything to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PriceVerdict {
    /// Units fall as the price rises, surely.
    Falls,
    /// Units rise as the price rises, surely: look for what else happened.
    Rises,
    /// The interval holds 0.
    Unsure,
    /// Too few periods with a sale and a price.
    TooFewPeriods,
    /// Too few distinct prices, or too near each other.
    TooFewPrices,
}

/// One item's prices and units.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PriceResponse {
    /// The item.
    pub item: String,
    /// Whether there is anything to say.
    pub verdict: PriceVerdict,
    /// The elasticity; NaN where there is too little to tell it from.
    pub elasticity: f64,
    /// The lower end of its interval.
    pub elasticity_low: f64,
    /// The upper end.
    pub elasticity_high: f64,
    /// The share of the variance of log units it accounts for.
    pub r_squared: f64,
    /// Periods with a sale and a price.
    pub periods: usize,
    /// Distinct prices of these periods, to 1 %.
    pub prices: usize,
    /// The lowest.
    pub price_low: f64,
    /// The median.
    pub price_median: f64,
    /// The highest.
    pub price_high: f64,
    /// Units sold in these periods.
    pub units: f64,
}

/// Every item sold with a price, those with a sure answer first, then by units. Prices of 0 or below are no prices.
/// `O(events log)`.
#[must_use]
pub fn price_response(data: &Dataset, until: Timestamp, params: &Checked<PriceParams>) -> Vec<PriceResponse> {
    let length = params.period.as_millis();
    let mut rows: Vec<PriceResponse> = Vec::new();
    let mut sales: Vec<(i64, f64, f64)> = Vec::new();
    for item in (0..data.n_items() as u32).map(ItemIdx::new) {
        sales.clear();
        let counted = data.events_on(item).filter(|e| params.kinds.contains(e.kind) && e.at <= until);
        sales.extend(counted.filter_map(|e| {
            let price = e.value.map(f64::from).filter(|price| *price > 0.0)?;
            Some((until.since(e.at).as_millis() / length, price, f64::from(e.quantity)))
        }));
        if sales.is_empty() {
            continue;
        }
        sales.sort_by_key(|sale| sale.0);
        let period = |same: &[(i64, f64, f64)]| {
            let (price, units) = same.iter().fold((0.0, 0.0), |(p, u), sale| (p + sale.1, u + sale.2));
            (price / same.len() as f64, units)
        };
        let periods: Vec<(f64, f64)> = sales.chunk_by(|a, b| a.0 == b.0).map(period).collect();
        rows.push(response(data.item_key(item), &periods, params));
    }
    let told = |r: &PriceResponse| match r.verdict {
        PriceVerdict::Falls | PriceVerdict::Rises => 0,
        PriceVerdict::Unsure => 1,
        _ => 2,
    };
    rows.sort_by(|a, b| told(a).cmp(&told(b)).then(b.units.total_cmp(&a.units)));
    rows
}

fn response(item: &str, periods: &[(f64, f64)], params: &PriceParams) -> PriceResponse {
    let mut prices: Vec<f64> = periods.iter().map(|p| p.0).collect();
    prices.sort_by(f64::total_cmp);
    let distinct = prices.iter().fold((0, 0.0), |(n, last), &p| if p > last * 1.01 { (n + 1, p) } else { (n, last) }).0;
    let (low, high) = (quantile(&prices, 0.0), quantile(&prices, 1.0));
    let mut out = PriceResponse {
        item: item.to_owned(),
        verdict: PriceVerdict::TooFewPeriods,
        elasticity: f64::NAN,
        elasticity_low: f64::NAN,
        elasticity_high: f64::NAN,
        r_squared: f64::NAN,
        periods: periods.len(),
        prices: distinct,
        price_low: low,
        price_median: quantile(&prices, 0.5),
        price_high: high,
        units: periods.iter().map(|p| p.1).sum(),
    };
    if periods.len() < params.min_periods as usize {
        return out;
    }
    if distinct < params.min_prices as usize || high / low - 1.0 < params.min_spread {
        out.verdict = PriceVerdict::TooFewPrices;
        return out;
    }
    let logs: Vec<(f64, f64)> = periods.iter().map(|(p, u)| (p.ln(), u.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let xx: f64 = logs.iter().map(|(x, _)| (x - mx).powi(2)).sum();
    let yy: f64 = logs.iter().map(|(_, y)| (y - my).powi(2)).sum();
    let xy: f64 = logs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    let slope = xy / xx;
    let bent = |(x, y): &(f64, f64)| {
        let leverage = (1.0 / n + (x - mx).powi(2) / xx).min(1.0 - 1e-9);
        let residual = (y - my - slope * (x - mx)) / (1.0 - leverage);
        (x - mx).powi(2) * residual * residual
    };
    let half =
        student_two_sided_quantile(1.0 - params.level, n - 2.0) * (logs.iter().map(bent).sum::<f64>()).sqrt() / xx;
    (out.elasticity, out.elasticity_low, out.elasticity_high) = (slope, slope - half, slope + half);
    out.r_squared = if yy > 0.0 { xy * xy / (xx * yy) } else { 0.0 };
    out.verdict = if out.elasticity_high < 0.0 {
        PriceVerdict::Falls
    } else if out.elasticity_low > 0.0 {
        PriceVerdict::Rises
    } else {
        PriceVerdict::Unsure
    };
    out
}
