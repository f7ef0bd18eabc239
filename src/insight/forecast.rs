//! How many will be sold next period? Five simple methods, and which was best on this very series.
//!
//! | method | forecast | for |
//! |---|---|---|
//! | `naive` | the last value | the yardstick |
//! | `smoothing` | exponential smoothing | steady demand |
//! | `croston` | smoothed size over smoothed interval (Croston 1972) | intermittent demand |
//! | `sba` | the same times `1 - alpha / 2` (Syntetos & Boylan 2005) | the same without Croston's bias |
//! | `tsb` | smoothed probability times smoothed size (Teunter, Syntetos & Babai 2011) | items that die out |
//!
//! Each is a level: the forecast is the same for every period ahead. Negative or non-finite values count as 0: they
//! are no demand.

use serde::{Deserialize, Serialize};

use crate::Estimated;
use crate::math::distribution::two_sided;

/// A way to forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Forecaster {
    /// The last value.
    Naive,
    /// Exponential smoothing.
    Smoothing,
    /// Croston's method.
    Croston,
    /// Croston's method less its bias.
    Sba,
    /// Teunter, Syntetos & Babai's method.
    Tsb,
}

impl Forecaster {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Naive, Self::Smoothing, Self::Croston, Self::Sba, Self::Tsb];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Smoothing => "smoothing",
            Self::Croston => "croston",
            Self::Sba => "sba",
            Self::Tsb => "tsb",
        }
    }

    /// The forecast made after each value of `series`: entry `t` is for the time after `series[t]`, and knows nothing
    /// later. `alpha` in 0 to 1 smooths sizes, intervals, probabilities and levels alike.
    #[must_use]
    pub fn path(self, series: &[f64], alpha: f64) -> Vec<f64> {
        let alpha = alpha.clamp(0.0, 1.0);
        // Level, or size; interval, or probability; periods since the last demand; whether there was one.
        let (mut level, mut second, mut silent, mut any) = (0.0, 1.0, 1.0, false);
        let step = |(t, value): (usize, &f64)| {
            let y = if value.is_finite() { value.max(0.0) } else { 0.0 };
            match self {
                Self::Naive => level = y,
                Self::Smoothing => level = if t == 0 { y } else { level + alpha * (y - level) },
                Self::Croston | Self::Sba if y > 0.0 => {
                    // The first demand starts both: its size, and the time it took.
                    (level, second) = if any {
                        (level + alpha * (y - level), second + alpha * (silent - second))
                    } else {
                        (y, silent)
                    };
                    (silent, any) = (1.0, true);
                }
                Self::Croston | Self::Sba => silent += 1.0,
                Self::Tsb => {
                    let came = f64::from(u8::from(y > 0.0));
                    if y > 0.0 {
                        level = if any { level + alpha * (y - level) } else { y };
                        second = if any { second } else { 1.0 / silent };
                    }
                    if any {
                        second += alpha * (came - second);
                    }
                    any |= y > 0.0;
                    silent += 1.0;
                }
            }
            match self {
                Self::Naive | Self::Smoothing => level,
                _ if !any => 0.0,
                Self::Croston => level / second,
                Self::Sba => (1.0 - alpha / 2.0) * level / second,
                Self::Tsb => second * level,
            }
        };
        series.iter().enumerate().map(step).collect()
    }
}

/// How demand comes, by the cut-offs of Syntetos, Boylan & Croston 2005: mean interval 1.32, squared variation of
/// sizes .49.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pattern {
    /// Often, in like sizes.
    Smooth,
    /// Often, in sizes that differ.
    Erratic,
    /// Now and then, in like sizes.
    Intermittent,
    /// Now and then, in sizes that differ.
    Lumpy,
    /// Never.
    None,
}

/// The pattern of a series.
#[must_use]
pub fn pattern(series: &[f64]) -> Pattern {
    let sizes: Vec<f64> = series.iter().copied().filter(|y| *y > 0.0).collect();
    let n = sizes.len() as f64;
    let mean = sizes.iter().sum::<f64>() / n;
    let varied = sizes.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / n / (mean * mean) >= 0.49;
    match (sizes.is_empty(), series.len() as f64 / n >= 1.32) {
        (true, _) => Pattern::None,
        (_, false) => {
            if varied {
                Pattern::Erratic
            } else {
                Pattern::Smooth
            }
        }
        (_, true) => {
            if varied {
                Pattern::Lumpy
            } else {
                Pattern::Intermittent
            }
        }
    }
}

/// How one method did, one step ahead at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Backtest {
    /// The method.
    pub method: Forecaster,
    /// The smoothing chosen on the part before the test; NaN where there is none to choose.
    pub alpha: f64,
    /// Mean absolute error over the test.
    pub mae: f64,
    /// Mean absolute scaled error (Hyndman & Koehler 2006): the error over that of the naive forecast *before* the
    /// test. Below 1 is better than naive was; NaN where the series did not move before the test.
    pub mase: f64,
    /// Mean error, forecast less actual: above 0 is too much stock.
    pub bias: f64,
}

/// What to expect of the next period.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Forecast {
    /// The method with the least error before the test, which is not the test's winner: choosing saw none of it.
    pub method: Forecaster,
    /// The forecast for the next period, with the range its one-step errors had over the whole series (normal; not
    /// below 0).
    pub next: Estimated,
}

const ALPHAS: [f64; 6] = [0.05, 0.1, 0.15, 0.2, 0.3, 0.5];

/// Mean absolute and mean error of one-step forecasts of `series[from..]`.
fn errors(path: &[f64], series: &[f64], from: usize) -> (f64, f64) {
    let from = from.max(1);
    let pairs = path[from - 1..].iter().zip(&series[from..]);
    let (sum, bias, n) = pairs.fold((0.0, 0.0, 0.0), |(s, b, n), (f, y)| (s + (f - y).abs(), b + f - y, n + 1.0));
    (sum / n, bias / n)
}

/// Judges every method on the last `test` values, one step ahead, the smoothing chosen on what came before; and
/// forecasts the next value by the method that was best before. `None` for a series with less than four values before
/// the test, or without a test.
#[must_use]
pub fn backtest(series: &[f64], test: usize, level: f64) -> Option<(Vec<Backtest>, Forecast)> {
    let series: Vec<f64> = series.iter().map(|y| if y.is_finite() { y.max(0.0) } else { 0.0 }).collect();
    let cut = series.len().checked_sub(test).filter(|cut| *cut >= 4 && test > 0)?;
    let past = &series[..cut];
    let naive = errors(past, past, 1).0;
    let mut best: Option<(f64, Forecaster, f64)> = None;
    let mut out = Vec::with_capacity(Forecaster::ALL.len());
    for method in Forecaster::ALL {
        let alphas = if method == Forecaster::Naive { &[f64::NAN][..] } else { &ALPHAS };
        let of = |alpha: f64| errors(&method.path(past, alpha), past, cut / 3).0;
        let chosen = alphas.iter().map(|&alpha| (of(alpha), alpha)).min_by(|a, b| a.0.total_cmp(&b.0));
        let (error, alpha) = chosen?;
        let (mae, bias) = errors(&method.path(&series, alpha), &series, cut);
        let mase = if naive > 0.0 { mae / naive } else { f64::NAN };
        out.push(Backtest { method, alpha, mae, mase, bias });
        if best.is_none_or(|(least, ..)| error < least) {
            best = Some((error, method, alpha));
        }
    }
    let (_, method, alpha) = best?;
    let path = method.path(&series, alpha);
    let squares = path.iter().zip(&series[1..]).map(|(f, y)| (f - y).powi(2));
    let spread = (squares.sum::<f64>() / (series.len() - 1) as f64).sqrt() * two_sided(level);
    let value = *path.last()?;
    let next = Estimated { value, low: (value - spread).max(0.0), high: value + spread };
    Some((out, Forecast { method, next }))
}
