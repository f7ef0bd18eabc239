//! Is it due again? Each item's chance and interval of being bought again, bent towards the shopper's own.
//!
//! The law (see also Bhagat, Muralidharan, Lobzhanidze & Vishwanath, "Buy It Again: Modeling Repeat Purchase
//! Recommendations", KDD 2018): after a purchase another follows with a chance `c`, after a log-normal interval. `c` is the
//! share of an item's purchases that others followed, shrunk to that of all items and then updated by the shopper's own
//! purchases of it; so is the mean log interval. The spread is the item's. The score is the rate at which the next purchase
//! is due now, given that none came since the last:
//!
//! ```text
//! due(age) = c f(age) / (c S(age) + 1 - c)       f, S: density and survival of the interval
//! ```
//!
//! per day or per basket: low just after a purchase, highest around the usual interval, and falling towards 0 as the
//! silence says that the shopper has moved on.
//!
//! **When:** "buy it again" shelves, reminders, and the shopper's own half of a next-basket blend (with
//! [`TifuKnn`](super::TifuKnn) at `own: 0` as the other half). Knows which items come back at all, which frequency does not.
//! **When not:** for items the shopper never bought: no opinion; with a filter on bought items.
//!
//! Cost: fit `O(events)`, update `O(changed rows + items)` and exact (sums of logarithms are kept as whole numbers), query
//! `O(own events)` and one exponential an own item; 44 bytes an item.

use super::again_params::{BuyAgainParams, Clock};
use super::baskets::{Baskets, Holding, with_baskets};
use super::renewal::Renewal;
use super::sums::Summed;
use crate::catalog::Shelf;
use crate::dataset::{Dataset, Delta, Extent, MemoryReport};
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::accumulate::Accumulator;
use crate::params::Checked;
use crate::run::Run;
use crate::scorer::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scorer, Scores, TrainingSet,
    Workspace, opinion,
};
use crate::time::Timestamp;

/// When the shopper's own items are due again. See the [module](self) and [`BuyAgainParams`].
///
/// # Example
/// ```
/// use likewise::{BuyAgainParams, Consented, Context, DatasetBuilder, Event, EventKind, Fit, LawfulBasis, Run, Shelf, Shopper, Timestamp, Validate};
/// use likewise::testing::proposals;
/// let mut shop = DatasetBuilder::default();
/// // Milk in every basket; soap in every fourth, lately in the first of the last four; a pan once, as for everybody.
/// for who in ["ann", "bob"] {
///     for (day, item) in (0..12).map(|d| (d, "milk")).chain([(0, "soap"), (4, "soap"), (8, "soap"), (5, "pan")]) {
///         let who = Shopper::Profiled(Consented::new(who, LawfulBasis::Contract));
///         shop.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(day * 86_400)))?;
///     }
/// }
/// let data = shop.build()?;
/// let model = BuyAgainParams { shrinkage: 1.0, ..BuyAgainParams::default() }.check()?.fit(&(&data).into(), &Run::default())?;
/// let soap = data.item("soap").unwrap();
/// assert!(model.due(soap, 1.0).unwrap() < model.due(soap, 3.0).unwrap());
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// cx.user = data.user("ann");
/// let list: Vec<&str> = proposals(&model, &cx, 3).into_iter().map(|item| data.item_key(item)).collect();
/// assert_eq!(list, ["milk", "soap", "pan"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BuyAgain {
    params: BuyAgainParams,
    extent: Extent,
    tallies: Vec<Tally>,
    habits: Vec<Habit>,
}

/// What was counted of an item. Whole numbers, so that rows can be taken out again exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Tally {
    /// Purchases.
    bought: i64,
    /// Purchases that others of the same shopper followed.
    repeated: i64,
    /// The sum of the intervals' logarithms, and of their squares, in steps of 1 / `STEPS`.
    log: i64,
    log_squared: i64,
}

const STEPS: f64 = 268_435_456.0;

/// How an item is bought again.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Habit {
    chance: f32,
    mean: f32,
    spread: f32,
}

/// A shopper's purchases of one item.
#[derive(Clone, Copy, Debug, Default)]
struct Purchases {
    times: u32,
    /// The number of the last basket.
    last: usize,
    log: f64,
}

/// Milliseconds a day.
const DAY: f64 = 86_400_000.0;
/// The least standard deviation of a log interval: nobody is a clockwork.
const LEAST_SPREAD: f64 = 0.1;
/// What an item of the shopper scores at least, if it is bought again at all.
const LEAST: f64 = 1e-30;

impl Clock {
    /// From one basket of a shopper to a later one; `None` when they are one occasion.
    fn interval(self, baskets: &Baskets, from: usize, to: usize) -> Option<f64> {
        let interval = match self {
            Self::Baskets => (to - from) as f64,
            Self::Time => baskets.at(to).since(baskets.at(from)).as_millis() as f64 / DAY,
        };
        (interval >= 1.0).then_some(interval)
    }

    /// From a basket to the request; the next basket is the one asked for.
    fn age(self, baskets: &Baskets, from: usize, now: Timestamp) -> f64 {
        match self {
            Self::Baskets => (baskets.len() - from) as f64,
            Self::Time => (now.since(baskets.at(from)).as_millis() as f64 / DAY).max(1.0),
        }
    }

    /// Follows one item through a shopper's baskets, handing the logarithm of each interval to `f`.
    fn follow(self, baskets: &Baskets, holding: Holding<'_>, mut f: impl FnMut(f64)) -> Purchases {
        let mut bought = Purchases::default();
        for basket in holding.baskets() {
            if bought.times > 0 {
                let Some(interval) = self.interval(baskets, bought.last, basket) else { continue };
                bought.log += interval.ln();
                f(interval.ln());
            }
            bought = Purchases { times: bought.times + 1, last: basket, ..bought };
        }
        bought
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.bought += other.bought;
        self.repeated += other.repeated;
        self.log += other.log;
        self.log_squared += other.log_squared;
    }

    /// Chance, mean and variance, each drawn towards that of all items as if by `prior` observations.
    fn habit(&self, all: [f64; 3], prior: f64) -> [f64; 3] {
        let [chance, mean, variance] = all;
        let (bought, repeated) = (self.bought as f64, self.repeated as f64);
        let (log, log_squared) = (self.log as f64 / STEPS, self.log_squared as f64 / STEPS);
        let shrunk = |sum: f64, n: f64, to: f64| if n + prior > 0.0 { (sum + prior * to) / (n + prior) } else { to };
        let mean = shrunk(log, repeated, mean);
        // Σ (x - mean)^2, spelled out.
        let scatter = (log_squared - 2.0 * mean * log + repeated * mean * mean).max(0.0);
        [shrunk(repeated, bought, chance), mean, shrunk(scatter, repeated, variance)]
    }
}

impl BuyAgain {
    /// The rate at which a shopper who bought `item` once, `age` ago, buys it again: per day, or per basket, as the clock
    /// goes. `None` for an item nobody bought.
    #[must_use]
    pub fn due(&self, item: ItemIdx, age: f64) -> Option<f64> {
        let once = Purchases { times: 1, ..Purchases::default() };
        self.bought(item).map(|habit| self.renewal(habit, once).rate(age.max(f64::MIN_POSITIVE)))
    }

    /// The chance that a purchase of `item` is followed by another of the same shopper; `None` for one nobody bought.
    #[must_use]
    pub fn chance(&self, item: ItemIdx) -> Option<f32> {
        self.bought(item).map(|habit| habit.chance)
    }

    /// The median interval after which `item` is bought again, in days or baskets as the clock goes; `None` for one nobody
    /// bought.
    #[must_use]
    pub fn interval(&self, item: ItemIdx) -> Option<f32> {
        self.bought(item).map(|habit| habit.mean.exp())
    }

    fn bought(&self, item: ItemIdx) -> Option<Habit> {
        self.tallies.get(item.as_usize()).filter(|tally| tally.bought > 0)?;
        self.habits.get(item.as_usize()).copied()
    }

    /// The item's habit after what the shopper's own purchases say.
    fn renewal(&self, habit: Habit, own: Purchases) -> Renewal {
        let repeats = f64::from(own.times.saturating_sub(1));
        let drawn = |sum: f64, n: f64, prior: f32, to: f32| {
            let prior = f64::from(prior);
            if n + prior > 0.0 { (sum + prior * f64::from(to)) / (n + prior) } else { to.into() }
        };
        Renewal {
            chance: drawn(repeats, own.times.into(), self.params.chance_prior, habit.chance),
            mean: drawn(own.log, repeats, self.params.interval_prior, habit.mean),
            spread: habit.spread.into(),
        }
    }

    /// Hands each of the shopper's items with what is known of it to `f`.
    fn each_own(&self, cx: &Context<'_>, ws: &mut Workspace, mut f: impl FnMut(ItemIdx, Purchases, Renewal, &Baskets)) {
        let clock = self.params.clock;
        with_baskets(cx, self.params.kinds, ws, |baskets, _| {
            baskets.each_holding(|baskets, holding| {
                if let Some(&habit) = self.habits.get(holding.item().as_usize()) {
                    let own = clock.follow(baskets, holding, |_| {});
                    f(holding.item(), own, self.renewal(habit, own), baskets);
                }
            });
        });
    }
}

impl Checked<BuyAgainParams> {
    /// Adds what `rows` bought to the tallies, or takes it out with `sign` -1.
    fn tally(&self, data: &Dataset, rows: impl Iterator<Item = UserIdx>, sign: i64, tallies: &mut [Tally]) {
        let mut baskets = Baskets::default();
        for row in rows {
            baskets.of_row(data, row, self.kinds).each_holding(|baskets, holding| {
                let mut own = Tally::default();
                let bought = self.clock.follow(baskets, holding, |log| {
                    own.repeated += sign;
                    own.log += sign * (log * STEPS).round() as i64;
                    own.log_squared += sign * (log * log * STEPS).round() as i64;
                });
                own.bought = sign * i64::from(bought.times);
                tallies[holding.item().as_usize()].add(&own);
            });
        }
    }

    fn model(&self, data: &Dataset, tallies: Vec<Tally>) -> BuyAgain {
        let mut all = Tally::default();
        tallies.iter().for_each(|tally| all.add(tally));
        let all = all.habit([0.0, 0.0, 1.0], 0.0);
        let habit = |tally: &Tally| {
            let [chance, mean, variance] = tally.habit(all, self.shrinkage.into());
            Habit { chance: chance as f32, mean: mean as f32, spread: variance.sqrt().max(LEAST_SPREAD) as f32 }
        };
        let habits = tallies.iter().map(habit).collect();
        BuyAgain { params: (**self).clone(), extent: data.extent(), tallies, habits }
    }
}

impl Fit for Checked<BuyAgainParams> {
    type Model = BuyAgain;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("buy_again", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<BuyAgain, FitError> {
        run.step(0, 1, None)?;
        let mut tallies = vec![Tally::default(); train.data.n_items()];
        self.tally(train.data, (0..train.data.n_rows() as u32).map(UserIdx::new), 1, &mut tallies);
        Ok(self.model(train.data, tallies))
    }

    /// Takes the changed rows out and puts them back in. Exact.
    fn update(
        &self,
        model: &BuyAgain,
        delta: &Delta<'_>,
        _: Option<&Shelf>,
        run: &Run<'_>,
    ) -> Result<BuyAgain, FitError> {
        run.step(0, 1, None)?;
        let mut tallies = model.tallies.clone();
        tallies.resize(delta.data().n_items(), Tally::default());
        self.tally(delta.base(), delta.rows().iter().copied(), -1, &mut tallies);
        self.tally(delta.data(), delta.rows().iter().copied(), 1, &mut tallies);
        Ok(self.model(delta.data(), tallies))
    }
}

impl Summed for BuyAgain {
    fn sum(&self, cx: &Context<'_>, ws: &mut Workspace, sums: &mut Accumulator) {
        self.each_own(cx, ws, |item, own, renewal, baskets| {
            if renewal.chance > 0.0 {
                let rate = renewal.rate(self.params.clock.age(baskets, own.last, cx.now));
                sums.add(item.get(), rate.max(LEAST) as f32);
            }
        });
    }
}

impl Scorer for BuyAgain {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.score_sums(cx, out, ws);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.propose_sums(cx, limit, out, ws);
    }

    /// When the shopper bought it last, how often, and after how long it is due again.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else { return Explanation::leaf(None, Reason::Abstained) };
        let reason = Reason::Scorer { name: self.name().to_owned(), code: self.reason() };
        let mut explanation = Explanation::leaf(Some(score), reason);
        self.each_own(cx, ws, |own_item, own, renewal, baskets| {
            if own_item == item {
                let repeat = Reason::Repeat {
                    last: baskets.at(own.last),
                    times: own.times,
                    age: self.params.clock.age(baskets, own.last, cx.now) as f32,
                    interval: renewal.mean.exp() as f32,
                };
                explanation.details.push(Explanation::leaf(Some(score), repeat));
            }
        });
        explanation
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::BoughtBefore
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("tallies", self.tallies.capacity() * size_of::<Tally>())
            .with("habits", self.habits.capacity() * size_of::<Habit>())
    }
}

crate::persist::element!(Tally, "i64x4", |x| Self {
    bought: x.bought.swap_bytes(),
    repeated: x.repeated.swap_bytes(),
    log: x.log.swap_bytes(),
    log_squared: x.log_squared.swap_bytes(),
});
crate::persist::element!(Habit, "f32x3", |x| Self {
    chance: crate::persist::Element::swapped(x.chance),
    mean: crate::persist::Element::swapped(x.mean),
    spread: crate::persist::Element::swapped(x.spread),
});
crate::persist::portable!(BuyAgain { params, extent, tallies, habits }
    "habits that are not one an item" => |m| m.tallies.len() == m.habits.len() && m.habits.len() == m.extent.n_items);
