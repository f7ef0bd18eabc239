//! Soft preferences: bounded additions to the blended score.

use serde::{Deserialize, Serialize};

use crate::params::ParamError;
use crate::scorer::{Context, ReasonCode};
use crate::time::Span;

/// Something the list should lean towards. It adds `weight x p` to the blended score, with `p` in `0..=1`.
///
/// For a lean of the shop's own, write a scorer: it is blended and explained the same way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Preference {
    /// New goods: `p = 2^(-age / half_life)` since the release date; 0 without one or before it.
    Fresh {
        /// The age at which half of the lean is left; above zero.
        half_life: Span,
    },
    /// The shopper's usual prices: `p = exp(-(ln(price / usual) / width)^2 / 2)`, where `usual` is the weighted
    /// geometric mean price of what the shopper touched. 0 without prices or history.
    PriceBand {
        /// One standard deviation in log price, above 0 up to 10; 0.5 is about "half to twice as dear".
        width: f32,
    },
}

impl Preference {
    pub(crate) fn validate(self) -> Result<(), ParamError> {
        match self {
            Self::Fresh { half_life } if half_life == Span::ZERO => {
                Err(ParamError::new("fresh.half_life", 0, "a span above zero"))
            }
            Self::PriceBand { width } if !(1e-3..=10.0).contains(&width) => {
                Err(ParamError::new("price_band.width", width, "a finite number from 0.001 to 10"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fresh { .. } => "fresh",
            Self::PriceBand { .. } => "price band",
        }
    }

    pub(crate) const fn reason(self) -> ReasonCode {
        match self {
            Self::Fresh { .. } => ReasonCode::New,
            Self::PriceBand { .. } => ReasonCode::PriceMatch,
        }
    }

    /// The lean towards each item of a request.
    pub(crate) fn of_request(self, cx: &Context<'_>) -> Lean {
        match self {
            Self::Fresh { half_life } => Lean::Fresh { half_life },
            Self::PriceBand { width } => {
                usual_log_price(cx).map_or(Lean::Nowhere, |usual| Lean::Price { usual, width })
            }
        }
    }
}

/// A preference with the shopper's own numbers filled in.
pub(crate) enum Lean {
    Nowhere,
    Fresh { half_life: Span },
    Price { usual: f64, width: f32 },
}

impl Lean {
    /// `p` for one item: `0..=1`.
    pub(crate) fn towards(&self, cx: &Context<'_>, item: crate::ids::ItemIdx) -> f32 {
        match *self {
            Self::Nowhere => 0.0,
            Self::Fresh { half_life } => match cx.shelf.released(item) {
                Some(released) if released <= cx.now => cx.now.since(released).decay(half_life) as f32,
                _ => 0.0,
            },
            Self::Price { usual, width } => match cx.shelf.price(item) {
                Some(price) if price > 0.0 => {
                    let z = (price.ln() - usual) / f64::from(width);
                    (-0.5 * z * z).exp() as f32
                }
                _ => 0.0,
            },
        }
    }
}

fn usual_log_price(cx: &Context<'_>) -> Option<f64> {
    let (mut sum, mut weight) = (0.0, 0.0);
    for touch in cx.history.iter().filter(|t| t.weight > 0.0) {
        if let Some(price) = cx.shelf.price(touch.item).filter(|p| *p > 0.0) {
            sum += f64::from(touch.weight) * price.ln();
            weight += f64::from(touch.weight);
        }
    }
    (weight > 0.0).then(|| sum / weight)
}
