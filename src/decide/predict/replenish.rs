//! When is this item due again for this shopper? A modified Poisson-Gamma law of the intervals, with windows.
//!
//! Poisson-Gamma: a shopper buys an item at a rate of their own, rates are gamma distributed, and the shopper's own
//! purchases sharpen the rate. A Poisson process has its most likely next purchase at once, which no packet of soap
//! does: Bhagat, Muralidharan, Lobzhanidze & Vishwanath ("Buy It Again", KDD 2018) therefore bend the age of the last
//! purchase about the mean interval ([`Replenishment::bent_rate`]). Here the modification is in the law: an
//! interval is Gamma(`shape`, mean 1 / rate), the Erlang of Chatfield & Goodhardt 1973 with any shape; at shape 1 it
//! is the Poisson-Gamma. The next interval of a shopper with `k` intervals of sum `S` is then a scaled beta-prime
//! number, whose quantiles are windows:
//!
//! ```text
//! next ~ (scale + shape S) / shape x BetaPrime(shape, rates + shape k)
//! ```
//!
//! `shape`, `rates` and the common `scale` are by maximum likelihood over all (shopper, item) pairs with a repeat; an
//! item's `scale` is that of all items times its own factor, the mean logarithm of its intervals against everybody's,
//! drawn towards 1.
//!
//! **When:** reminders and "running low" messages, with a window to send in and what it is worth. To *rank* what is due now,
//! [`BuyAgain`](crate::BuyAgain) is the scorer: its `due(age) = c f(age) / (c S(age) + 1 - c)` is the rate at one
//! moment, as [`Replenishment::probability`] is over a stretch of time. **When not:** for items bought once in a
//! life.
//!
//! Intervals that had not ended when the data did are not seen: long ones are missed more than short ones, so that
//! windows come early where intervals are long against the period of the data.
//!
//! Cost: fit `O(pairs)` a step of the search (one logarithm each); a window `O(log purchases)` and, after silence,
//! some hundred incomplete beta functions.

use serde::{Deserialize, Serialize};

use super::PredictError;
use super::purchase_days::{DAY, PurchaseDays};
use crate::math::optimise::minimise;
use crate::math::special::{beta_cdf, beta_prime_quantile, ln_gamma};
use crate::{Checked, ItemIdx, ParamError, ParamSpec, Timestamp, UserIdx, Validate, check_range};

/// Recipe for [`Replenishment`].
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `coverage` | .5 | .05 to .95 | the probability with which the next purchase, if it comes, falls in the window |
/// | `shrinkage` | 10 | 0 to 1e6 | intervals by which an item's factor is drawn towards 1 |
/// | `chance_prior` | 15 | 0 to 1e6 | purchases by which an item's chance of another is drawn towards that of all |
/// | `steps` | 300 | 10 to 100000 | steps of the search at most |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplenishmentParams {
    /// The probability with which the next purchase, if it comes, falls in the window.
    pub coverage: f64,
    /// Intervals by which an item's factor is drawn towards 1.
    pub shrinkage: f64,
    /// Purchases by which an item's chance of another is drawn towards that of all.
    pub chance_prior: f64,
    /// Steps of the search at most.
    pub steps: u32,
}

impl Default for ReplenishmentParams {
    fn default() -> Self {
        Self { coverage: 0.5, shrinkage: 10.0, chance_prior: 15.0, steps: 300 }
    }
}

impl Validate for ReplenishmentParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::real("coverage", 0.05, 0.95, "probability that the next purchase falls in the window"),
            ParamSpec::real("shrinkage", 0.0, 1e6, "intervals that draw an item's factor towards 1"),
            ParamSpec::real("chance_prior", 0.0, 1e6, "purchases that draw an item's chance towards that of all"),
            ParamSpec::int("steps", 10, 100_000, "steps of the search at most"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("coverage", self.coverage)?;
        check_range::<Self>("shrinkage", self.shrinkage)?;
        check_range::<Self>("chance_prior", self.chance_prior)?;
        check_range::<Self>("steps", self.steps.into())
    }
}

/// When an item is due again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Window {
    /// The window begins.
    pub from: Timestamp,
    /// As likely before as after, if it comes.
    pub middle: Timestamp,
    /// The window ends.
    pub to: Timestamp,
    /// The probability that the next purchase falls in the window, if it comes.
    pub coverage: f64,
    /// The probability that it comes at all, as far as the shares of this item's purchases that others followed tell.
    pub chance: f64,
    /// How many intervals of the shopper's own it rests on; at 0 it is the item's window.
    pub own_intervals: usize,
}

/// What is known of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Habit {
    factor: f64,
    chance: f64,
}

/// Fitted: how regularly things are bought again, and how soon each item.
///
/// # Example
/// ```
/// use likewise::*;
/// use likewise::decide::predict::{PurchaseDays, Replenishment, ReplenishmentParams};
/// let mut shop = DatasetBuilder::default();
/// for (who, every) in [("ann", 28), ("bob", 30), ("cy", 35), ("dee", 24), ("eve", 31)] {
///     let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///     for n in 0..6 {
///         let jitter = [0, 2, -1, 1, 3, -2][n as usize];
///         shop.push(&Event::new(who, "soap", EventKind::Purchase, Timestamp::from_secs((n * every + jitter) * 86_400)))?;
///     }
/// }
/// let data = shop.build()?;
/// let days = PurchaseDays::purchases(&data, data.as_of());
/// let model = Replenishment::fit(&ReplenishmentParams::default().check()?, &days)?;
/// let (ann, soap) = (data.user("ann").unwrap(), data.item("soap").unwrap());
/// let own = days.get(ann, soap);
/// let now = Timestamp::from_secs(139 * 86_400);
/// let window = model.window(soap, own, now).unwrap();
/// let days_to = |at: Timestamp| at.since(now).as_days();
/// assert!(days_to(window.from) > 20.0 && days_to(window.to) < 36.0, "{window:?}");
/// assert!(model.probability(soap, own, now, 7.0) < model.probability(soap, own, now.plus(Span::days(24)), 7.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Replenishment {
    coverage: f64,
    pub(super) shape: f64,
    pub(super) rates: f64,
    pub(super) scale: f64,
    habits: Vec<Habit>,
    everywhere: Habit,
    intervals: usize,
    pairs: usize,
    /// By number of own intervals: ends and middle of the shortest window, in units of the scale.
    windows: Vec<[f64; 3]>,
}

impl Replenishment {
    /// Learns from purchases. Deterministic.
    ///
    /// # Errors
    /// [`PredictError::TooFew`] with fewer than three intervals between purchases; [`PredictError::NotFound`] where
    /// all of them are alike to the last digit, so that there is nothing to be unsure about.
    pub fn fit(params: &Checked<ReplenishmentParams>, days: &PurchaseDays) -> Result<Replenishment, PredictError> {
        let items = days.pairs.iter().map(|(_, item)| item.as_usize() + 1).max().unwrap_or(0);
        // By item: purchases, intervals, sum of their logarithms.
        let mut tallies = vec![(0.0_f64, 0.0_f64, 0.0_f64); items];
        for (_, item, days) in days.iter() {
            let tally = &mut tallies[item.as_usize()];
            tally.0 += days.len() as f64;
            days.windows(2).for_each(|w| {
                tally.1 += 1.0;
                tally.2 += (w[1] - w[0]).ln();
            });
        }
        let (bought, again, logs) = tallies.iter().fold((0.0, 0.0, 0.0), |a, t| (a.0 + t.0, a.1 + t.1, a.2 + t.2));
        if again < 3.0 {
            return Err(PredictError::TooFew { what: "intervals between purchases", got: again as usize, needed: 3 });
        }
        let (mean, chance) = (logs / again, again / bought);
        let drawn = |sum: f64, n: f64, prior: f64| if n + prior > 0.0 { sum / (n + prior) } else { 0.0 };
        let habit = |&(bought, again, logs): &(f64, f64, f64)| Habit {
            factor: drawn(logs - again * mean, again, params.shrinkage).exp(),
            chance: if bought + params.chance_prior > 0.0 {
                (again + params.chance_prior * chance) / (bought + params.chance_prior)
            } else {
                chance
            },
        };
        let habits: Vec<Habit> = tallies.iter().map(habit).collect();
        let (pairs, [shape, rates, scale]) = Self::search(params, days, &habits, mean.exp())?;
        let longest = days.iter().map(|(_, _, days)| days.len()).max().unwrap_or(1);
        let windows =
            (0..longest.min(200)).map(|k| shortest(shape, rates + shape * k as f64, params.coverage)).collect();
        let everywhere = Habit { factor: 1.0, chance };
        let intervals = again as usize;
        Ok(Replenishment {
            coverage: params.coverage,
            shape,
            rates,
            scale,
            habits,
            everywhere,
            intervals,
            pairs,
            windows,
        })
    }

    /// Maximum likelihood over the pairs with a repeat, in intervals divided by their item's factor.
    fn search(
        params: &Checked<ReplenishmentParams>,
        days: &PurchaseDays,
        habits: &[Habit],
        usual: f64,
    ) -> Result<(usize, [f64; 3]), PredictError> {
        // Intervals, their sum in usual intervals; pairs of the same number of intervals share their gamma functions.
        let mut rows: Vec<(usize, f64)> = Vec::new();
        let (mut logs, mut count) = (0.0, 0.0);
        for (_, item, days) in days.iter().filter(|(_, _, days)| days.len() > 1) {
            let unit = usual * habits[item.as_usize()].factor;
            rows.push((days.len() - 1, (days[days.len() - 1] - days[0]) / unit));
            logs += days.windows(2).map(|w| ((w[1] - w[0]) / unit).ln()).sum::<f64>();
            count += (days.len() - 1) as f64;
        }
        let most = rows.iter().map(|&(k, _)| k).max().unwrap_or(0);
        let mut with = vec![0.0; most + 1];
        rows.iter().for_each(|&(k, _)| with[k] += 1.0);
        let n = rows.len() as f64;
        let cost = |at: &[f64]| {
            if at.iter().any(|log| log.abs() > 15.0) {
                return f64::INFINITY;
            }
            let (shape, rates, scale) = (at[0].exp(), at[1].exp(), at[2].exp());
            let of_count = |(k, pairs): (usize, &f64)| pairs * ln_gamma(rates + shape * k as f64);
            let gammas: f64 = with.iter().enumerate().filter(|(_, pairs)| **pairs > 0.0).map(of_count).sum();
            let sums: f64 = rows.iter().map(|&(k, sum)| (rates + shape * k as f64) * (scale + shape * sum).ln()).sum();
            let fixed = count * (shape * shape.ln() - ln_gamma(shape)) + (shape - 1.0) * logs;
            -(fixed + n * (rates * scale.ln() - ln_gamma(rates)) + gammas - sums) / n
        };
        let found = minimise(&cost, &[1.5_f64.ln(), 2.0_f64.ln(), 2.0_f64.ln()], 1e-7, params.steps as usize);
        if !found.value.is_finite() || found.slope > 1e-3 || found.at.iter().any(|log| log.abs() > 13.0) {
            return Err(PredictError::NotFound { model: "replenishment", steps: found.steps, slope: found.slope });
        }
        Ok((rows.len(), [found.at[0].exp(), found.at[1].exp(), found.at[2].exp() * usual]))
    }
}

/// The shortest stretch that holds `coverage` of a beta-prime number, with its median; both ends and the middle.
fn shortest(a: f64, b: f64, coverage: f64) -> [f64; 3] {
    const TRIES: u32 = 40;
    let stretch = |k: u32| {
        let below = (1.0 - coverage) * f64::from(k) / f64::from(TRIES);
        let low = if k == 0 { 0.0 } else { beta_prime_quantile(a, b, below) };
        (low, beta_prime_quantile(a, b, below + coverage))
    };
    // The last try would end at infinity.
    let best = (0..TRIES).map(stretch).min_by(|x, y| (x.1 - x.0).total_cmp(&(y.1 - y.0)));
    let (low, high) = best.unwrap_or((0.0, f64::INFINITY));
    [low, beta_prime_quantile(a, b, 0.5), high]
}

impl Replenishment {
    /// How regular intervals are: 1 for none at all (Poisson), large for clockwork. One over it is the squared
    /// coefficient of variation of one shopper's intervals.
    #[must_use]
    pub const fn regularity(&self) -> f64 {
        self.shape
    }

    /// The probability its windows promise.
    pub(super) const fn promised(&self) -> f64 {
        self.coverage
    }

    /// How many intervals, of how many (shopper, item) pairs, it was fitted on.
    #[must_use]
    pub const fn fitted_on(&self) -> (usize, usize) {
        (self.intervals, self.pairs)
    }

    fn habit(&self, item: ItemIdx) -> Habit {
        self.habits.get(item.as_usize()).copied().unwrap_or(self.everywhere)
    }

    /// Shape and scale of the next interval's law after own purchases on `days`.
    fn law(&self, item: ItemIdx, days: &[f64]) -> (f64, f64) {
        let k = days.len().saturating_sub(1) as f64;
        let sum = days.last().zip(days.first()).map_or(0.0, |(last, first)| last - first);
        let scale = self.scale * self.habit(item).factor + self.shape * sum;
        (self.rates + self.shape * k, scale / self.shape)
    }

    /// The median of the first interval of somebody who bought `item` once, in days.
    #[must_use]
    pub fn usual_interval(&self, item: ItemIdx) -> f64 {
        let (b, scale) = self.law(item, &[]);
        scale * beta_prime_quantile(self.shape, b, 0.5)
    }

    /// The window after a purchase, in days from it: begin, middle, end.
    pub(super) fn days_after(&self, item: ItemIdx, days: &[f64]) -> [f64; 3] {
        let (b, scale) = self.law(item, days);
        let k = days.len().saturating_sub(1);
        let unit = self.windows.get(k).copied().unwrap_or_else(|| shortest(self.shape, b, self.coverage));
        unit.map(|t| t * scale)
    }

    /// When an item bought on `days` (ascending, at least a day apart, none after `now`: [`PurchaseDays::get`]) is due
    /// again, given that it was not bought until `now`. The shortest window just after a purchase; after a silence the
    /// central part of what is left. `None` without a purchase.
    #[must_use]
    pub fn window(&self, item: ItemIdx, days: &[f64], now: Timestamp) -> Option<Window> {
        let last = *days.last()?;
        let age = (now.millis() as f64 / DAY - last).max(0.0);
        let (b, scale) = self.law(item, days);
        let passed = self.passed(b, age / scale);
        let [from, middle, to] = if passed < 1e-3 {
            self.days_after(item, days)
        } else {
            let tail = 0.5 * (1.0 - self.coverage);
            [tail, 0.5, 1.0 - tail].map(|p| scale * beta_prime_quantile(self.shape, b, passed + (1.0 - passed) * p))
        };
        let at = |days: f64| Timestamp::from_millis(((last + days.min(1e9)) * DAY) as i64);
        let chance = self.habit(item).chance;
        let still = chance * (1.0 - passed) / (chance * (1.0 - passed) + 1.0 - chance);
        Some(Window {
            from: at(from.max(age)),
            middle: at(middle.max(age)),
            to: at(to.max(age)),
            coverage: self.coverage,
            chance: if still.is_finite() { still } else { 0.0 },
            own_intervals: days.len() - 1,
        })
    }

    /// The probability that an interval is shorter than `t` units of its scale.
    fn passed(&self, b: f64, t: f64) -> f64 {
        if t > 0.0 { beta_cdf(self.shape, b, t / (1.0 + t)) } else { 0.0 }
    }

    /// The probability that an item bought on `days` is bought again within `within` days after `now`, given that it
    /// was not until then. Silence speaks both for "soon" and for "never again": with the chance `c` of another
    /// purchase and `F` of the interval, `c (F(age + within) - F(age)) / (c (1 - F(age)) + 1 - c)`. 0 without a
    /// purchase.
    #[must_use]
    pub fn probability(&self, item: ItemIdx, days: &[f64], now: Timestamp, within: f64) -> f64 {
        let Some(last) = days.last() else { return 0.0 };
        let age = (now.millis() as f64 / DAY - last).max(0.0);
        let (b, scale) = self.law(item, days);
        let (now, then) = (self.passed(b, age / scale), self.passed(b, (age + within.max(0.0)) / scale));
        let chance = self.habit(item).chance;
        let p = chance * (then - now) / (chance * (1.0 - now) + 1.0 - chance);
        if p.is_finite() { p.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The modified Poisson-Gamma rate of Bhagat et al. 2018 (section 4.4), purchases a day. With `k` purchases, `t` since
    /// the last, `t_purch` from the first to the last and a gamma prior (`alpha`, `beta`) it is
    ///
    /// ```text
    /// (k + alpha) / (t_purch + 2 |t_mean - t| + beta)    for t < 2 t_mean
    /// (k + alpha) / (t_purch + t + beta)                 after that
    /// ```
    ///
    /// so that it peaks when a mean interval has passed; both are the same at `2 t_mean`. What differs from the paper:
    /// `alpha` and `beta` are this model's `rates` and the item's scale (the paper fits both by item to the rates of
    /// those who came back), and `t_mean` is one over the mean rate of the shopper's intervals under that prior, so that
    /// it is there after a single purchase. It ranks; it is not a probability. 0 without a purchase.
    #[must_use]
    pub fn bent_rate(&self, item: ItemIdx, days: &[f64], now: Timestamp) -> f64 {
        let Some((first, last)) = days.first().zip(days.last()) else { return 0.0 };
        let age = (now.millis() as f64 / DAY - last).max(0.0);
        let prior = self.scale * self.habit(item).factor;
        let k = days.len() as f64;
        let mean = (prior + (last - first)) / (self.rates + k - 1.0);
        let silence = if age < 2.0 * mean { 2.0 * (mean - age).abs() } else { age };
        (k + self.rates) / (last - first + silence + prior)
    }

    /// The windows of everything a shopper bought, the soonest middle first.
    #[must_use]
    pub fn due(&self, days: &PurchaseDays, user: UserIdx, now: Timestamp) -> Vec<(ItemIdx, Window)> {
        let from = days.pairs.partition_point(|pair| pair.0 < user);
        let own = days.pairs[from..].iter().take_while(|pair| pair.0 == user).enumerate();
        let window =
            |(k, &(_, item)): (usize, &(UserIdx, ItemIdx))| Some((item, self.window(item, days.at(from + k), now)?));
        let mut out: Vec<(ItemIdx, Window)> = own.filter_map(window).collect();
        out.sort_by_key(|(item, window)| (window.middle, *item));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's two lines, worked by hand: alpha 2, beta 60, bought on days 0, 20 and 40.
    #[test]
    fn the_bent_rate_is_the_papers() {
        let everywhere = Habit { factor: 1.0, chance: 0.5 };
        let model = Replenishment {
            coverage: 0.5,
            shape: 3.0,
            rates: 2.0,
            scale: 60.0,
            habits: Vec::new(),
            everywhere,
            intervals: 0,
            pairs: 0,
            windows: Vec::new(),
        };
        let rate = |t: f64| model.bent_rate(ItemIdx::new(0), &[0.0, 20.0, 40.0], at_day(40.0 + t));
        // t_mean = (60 + 40) / (2 + 2) = 25.
        for (t, below) in [(0.0, 40.0 + 50.0 + 60.0), (10.0, 40.0 + 30.0 + 60.0), (25.0, 40.0 + 60.0), (30.0, 110.0)] {
            assert!((rate(t) - 5.0 / below).abs() < 1e-12, "{t}");
        }
        for (t, below) in [(50.0, 150.0), (70.0, 170.0)] {
            assert!((rate(t) - 5.0 / below).abs() < 1e-12, "{t}");
        }
        assert_eq!(model.bent_rate(ItemIdx::new(0), &[], at_day(1.0)), 0.0);
    }

    fn at_day(day: f64) -> Timestamp {
        Timestamp::from_millis((day * DAY) as i64)
    }

    #[test]
    fn the_shortest_window_holds_its_share_and_is_no_longer_than_the_central_one() {
        for (a, b) in [(0.7, 2.0), (2.5, 4.0), (9.0, 30.0)] {
            let [low, middle, high] = shortest(a, b, 0.5);
            let cdf = |t: f64| beta_cdf(a, b, t / (1.0 + t));
            assert!((cdf(high) - cdf(low) - 0.5).abs() < 1e-9 && (cdf(middle) - 0.5).abs() < 1e-9);
            assert!(high - low <= beta_prime_quantile(a, b, 0.75) - beta_prime_quantile(a, b, 0.25) + 1e-9);
        }
    }
}
