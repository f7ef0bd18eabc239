//! The figures a shop is run by, per variant, with their variance.
//!
//! A shopper is the unit that was assigned, so a shopper is the unit of variance: clicks of one shopper are not
//! independent, and a click-through rate with binomial variance over impressions is far too sure of itself. Ratios of two
//! totals (click-through, order value) get their variance by the delta method: each shopper stands for
//! `(y - R d) / mean(d)` (Deng, Knoblich & Lu 2018, "Applying the delta method in metric analytics", KDD).
//!
//! **CUPED** ([`Adjust::Cuped`]) takes off what the time before the exposure already says about a shopper:
//! `estimate - θ (x̄ - x̄ of all)` with `θ = cov(y, x) / var(x)` within variants (Deng, Xu, Kohavi & Walker 2013, "Improving
//! the sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM). It changes no expectation
//! and removes the share `correlation²` of the variance. **Not** where the time before is of another kind (new
//! visitors have none): it then does nothing, at a small cost.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::exposure::Exposed;
use super::fixed::Sample;
use crate::{Event, EventKind, Span};

/// What one shopper did in a stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Totals {
    /// Things shown.
    pub impressions: u64,
    /// Things shown that were clicked.
    pub clicks: u64,
    /// Visits.
    pub visits: u64,
    /// Orders.
    pub orders: u64,
    /// Revenue in the shop's currency; returns may bring it below 0. Finite.
    pub revenue: f64,
}

/// One shopper of an experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcome {
    /// The number of the variant, 0 for the control.
    pub variant: usize,
    /// Before the first exposure, for [`Adjust::Cuped`].
    pub before: Totals,
    /// From the first exposure on.
    pub during: Totals,
}

/// A figure per variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kpi {
    /// Clicks per impression: a ratio of totals.
    ClickThrough,
    /// The share of shoppers with an order.
    Conversion,
    /// Revenue per shopper, buyers or not.
    RevenuePerVisitor,
    /// Revenue per order: a ratio of totals.
    OrderValue,
    /// The share of shoppers with a second visit.
    RepeatVisits,
}

impl Kpi {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::ClickThrough, Self::Conversion, Self::RevenuePerVisitor, Self::OrderValue, Self::RepeatVisits];

    /// Numerator and denominator of one shopper.
    fn parts(self, of: &Totals) -> (f64, f64) {
        let share = |yes: bool| (f64::from(u8::from(yes)), 1.0);
        match self {
            Self::ClickThrough => (of.clicks as f64, of.impressions as f64),
            Self::Conversion => share(of.orders > 0),
            Self::RevenuePerVisitor => (of.revenue, 1.0),
            Self::OrderValue => (of.revenue, of.orders as f64),
            Self::RepeatVisits => share(of.visits > 1),
        }
    }
}

/// Whether the time before the exposure is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjust {
    /// The figures as they are.
    #[default]
    Plain,
    /// Less what the same figure before the exposure explains.
    Cuped,
}

/// One figure of one variant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Which figure.
    pub kpi: Kpi,
    /// The variant's number.
    pub variant: usize,
    /// Shoppers.
    pub n: u64,
    /// The figure.
    pub estimate: f64,
    /// The variance a single shopper contributes: that of the estimate is `variance / n`.
    pub variance: f64,
    /// The share of the variance [`Adjust::Cuped`] took away; 0 without it.
    pub reduction: f64,
}

impl From<Measured> for Sample {
    fn from(m: Measured) -> Self {
        Self { n: m.n, mean: m.estimate, variance: m.variance }
    }
}

/// Outcomes that cannot be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KpiError {
    /// A variant number that does not exist.
    #[error("outcome {row} names variant {got} of {variants}; number them from 0")]
    Variant {
        /// The outcome's place in the slice.
        row: usize,
        /// Its variant.
        got: usize,
        /// Variants there are.
        variants: usize,
    },
    /// Revenue that is not a number.
    #[error("outcome {row} has revenue {got}; expected a finite number (returns may make it negative)")]
    Revenue {
        /// The outcome's place in the slice.
        row: usize,
        /// Its revenue.
        got: f64,
    },
    /// A variance needs two shoppers.
    #[error("variant {variant} has {n} shoppers; a variance needs at least 2")]
    TooFew {
        /// The variant.
        variant: usize,
        /// Its shoppers.
        n: u64,
    },
    /// A ratio over nothing.
    #[error("{kpi:?} of variant {variant} divides by a total of 0; nothing was shown or ordered")]
    Undefined {
        /// The figure.
        kpi: Kpi,
        /// The variant.
        variant: usize,
    },
}

/// `kpi` for each of `variants` variants. Two passes over the outcomes.
///
/// # Errors
/// [`KpiError`]: a variant number that does not exist, revenue that is not finite, a variant with fewer than two shoppers,
/// a ratio with nothing below the line.
///
/// # Example
/// ```
/// use likewise::experiment::{Adjust, Kpi, Outcome, Totals, measure};
/// let shopper = |variant, clicks| Outcome {
///     variant,
///     during: Totals { impressions: 10, clicks, ..Totals::default() },
///     ..Outcome::default()
/// };
/// let seen = [shopper(0, 1), shopper(0, 2), shopper(1, 3), shopper(1, 5)];
/// let rates = measure(&seen, 2, Kpi::ClickThrough, Adjust::Plain)?;
/// assert!((rates[0].estimate - 0.15).abs() < 1e-12 && (rates[1].estimate - 0.4).abs() < 1e-12);
/// # Ok::<(), likewise::experiment::KpiError>(())
/// ```
pub fn measure(outcomes: &[Outcome], variants: usize, kpi: Kpi, adjust: Adjust) -> Result<Vec<Measured>, KpiError> {
    for (row, outcome) in outcomes.iter().enumerate() {
        if outcome.variant >= variants {
            return Err(KpiError::Variant { row, got: outcome.variant, variants });
        }
        let revenue = [outcome.before.revenue, outcome.during.revenue].into_iter().find(|r| !r.is_finite());
        if let Some(got) = revenue {
            return Err(KpiError::Revenue { row, got });
        }
    }
    let covariate = match adjust {
        Adjust::Plain => None,
        Adjust::Cuped => Ratio::of(outcomes.iter().map(|o| kpi.parts(&o.before))).filter(|r| r.per_unit > 0.0),
    };
    let x = |o: &Outcome| covariate.map_or(0.0, |ratio| ratio.linear(kpi.parts(&o.before)));
    let mut ratios = Vec::with_capacity(variants);
    for variant in 0..variants {
        let of = || outcomes.iter().filter(move |o| o.variant == variant);
        let n = of().count() as u64;
        if n < 2 {
            return Err(KpiError::TooFew { variant, n });
        }
        let ratio = Ratio::of(of().map(|o| kpi.parts(&o.during))).filter(|r| r.per_unit > 0.0);
        let ratio = ratio.ok_or(KpiError::Undefined { kpi, variant })?;
        ratios.push((n, ratio, of().map(x).sum::<f64>() / n as f64));
    }
    let (mut cross, mut square) = (0.0, 0.0);
    for o in outcomes {
        let Some((_, ratio, mean)) = ratios.get(o.variant) else { continue };
        let off = x(o) - mean;
        cross += ratio.linear(kpi.parts(&o.during)) * off;
        square += off * off;
    }
    let theta = if square > 0.0 { cross / square } else { 0.0 };
    let measured = ratios.iter().enumerate().map(|(variant, (n, ratio, mean))| {
        let (mut plain, mut rest) = (0.0, 0.0);
        for o in outcomes.iter().filter(|o| o.variant == variant) {
            let z = ratio.linear(kpi.parts(&o.during));
            plain += z * z;
            rest += (z - theta * (x(o) - mean)).powi(2);
        }
        let reduction = if plain > 0.0 { 1.0 - rest / plain } else { 0.0 };
        let variance = rest / (*n as f64 - 1.0);
        Measured { kpi, variant, n: *n, estimate: ratio.value - theta * mean, variance, reduction }
    });
    Ok(measured.collect())
}

/// A ratio of two totals.
#[derive(Clone, Copy, Debug)]
struct Ratio {
    value: f64,
    /// The denominator's mean.
    per_unit: f64,
}

impl Ratio {
    fn of(parts: impl Iterator<Item = (f64, f64)>) -> Option<Self> {
        let (n, y, d) = parts.fold((0.0, 0.0, 0.0), |(n, ys, ds), (y, d)| (n + 1.0, ys + y, ds + d));
        (d > 0.0).then(|| Self { value: y / d, per_unit: d / n })
    }

    /// What a unit adds to the ratio, to first order; 0 on average.
    fn linear(self, (y, d): (f64, f64)) -> f64 {
        (y - self.value * d) / self.per_unit
    }
}

/// Outcomes from events: what each exposed unit did in the `before` before its first exposure and in the `during` after
/// it (the exposure's instant belongs to `during`).
///
/// `events` come with the unit they belong to, in any order. Impressions and clicks count one each; visits are distinct
/// sessions of any event; orders are distinct sessions with a purchase, or purchases where no session is known; revenue
/// is `value × quantity` of purchases less that of returns. `variants` are the names in the order of their numbers; units
/// of other variants, and those that met several ([`Exposed::crossed`]), are left out. `O(events log units)`.
pub fn collect<'a>(
    exposed: &Exposed,
    variants: &[&str],
    events: impl IntoIterator<Item = (&'a str, Event<'a>)>,
    before: Span,
    during: Span,
) -> BTreeMap<String, Outcome> {
    let mut outcomes: BTreeMap<String, Outcome> = BTreeMap::new();
    for (unit, (name, _)) in &exposed.first {
        let number = variants.iter().position(|v| v == name);
        if let (Some(variant), Err(_)) = (number, exposed.crossed.binary_search(unit)) {
            outcomes.insert(unit.clone(), Outcome { variant, ..Outcome::default() });
        }
    }
    let mut met: BTreeSet<(&str, &str, usize)> = BTreeSet::new();
    for (unit, event) in events {
        let (Some(outcome), Some((_, start))) = (outcomes.get_mut(unit), exposed.first.get(unit)) else { continue };
        let (totals, stretch) = if event.at >= *start && event.at.since(*start) < during {
            (&mut outcome.during, 0)
        } else if event.at < *start && start.since(event.at) <= before {
            (&mut outcome.before, 1)
        } else {
            continue;
        };
        if let Some(session) = event.session {
            totals.visits += u64::from(met.insert((unit, session, stretch)));
        }
        let money = f64::from(event.value.unwrap_or(0.0)) * f64::from(event.quantity);
        match event.kind {
            EventKind::Impression => totals.impressions += 1,
            EventKind::Click => totals.clicks += 1,
            EventKind::Purchase => {
                totals.revenue += money;
                totals.orders += event.session.map_or(1, |s| u64::from(met.insert((unit, s, stretch + 2))));
            }
            EventKind::Return => totals.revenue -= money,
            _ => {}
        }
    }
    outcomes
}
