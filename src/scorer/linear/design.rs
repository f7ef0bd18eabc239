//! The matrix of shoppers and items that a linear model is fitted on.

use serde::{Deserialize, Serialize};

use crate::dataset::{Csr, Dataset};
use crate::ids::UserIdx;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::scorer::vote::Strength;
use crate::time::{Span, Timestamp};
use crate::tune::{Axis, Over};

/// How the shopper × item matrix is scaled before a model is fitted on it, and its scores after.
///
/// With `t` the [`Strength`] of a pair, faded by age, `n` the sum of an item's column of `t`, and `d` of a shopper's row,
/// the model is fitted on `t / (d^shopper_exponent n^item_exponent)`. Its prediction, scaled back by `n^item_exponent`,
/// is multiplied by `n^popularity`.
///
/// The default changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scaling {
    /// After how long a pair counts half in the fit, from its latest event to the dataset's
    /// [`as_of`](Dataset::as_of); `None` for never.
    pub half_life: Option<Span>,
    /// How much a shopper with many items counts less: 0 for not at all, 0.5 for a row of length 1 (if pairs count 1), 1
    /// for a row that sums to 1; `0..=1`.
    pub shopper_exponent: f32,
    /// How much harder popular items are regularised: 0 for not at all, 0.5 for columns of length 1; `0..=1`.
    pub item_exponent: f32,
    /// What popularity adds to a score: 0 for nothing, above 0 lifts popular items, below lowers them; `-1..=1`.
    pub popularity: f32,
}

impl Scaling {
    pub(in crate::scorer) const TABLE: [ParamSpec; 4] = [
        ParamSpec::typed("scaling.half_life", "none, or any span", "after how long a pair counts half"),
        ParamSpec::real("scaling.shopper_exponent", 0.0, 1.0, "how much less shoppers of many items count"),
        ParamSpec::real("scaling.item_exponent", 0.0, 1.0, "how much harder popular items are regularised"),
        ParamSpec::real("scaling.popularity", -1.0, 1.0, "what popularity adds to a score"),
    ];

    /// Checks the fields against the lines of `P`, which hold [`Scaling::TABLE`].
    pub(in crate::scorer) fn validate_in<P: Validate>(&self) -> Result<(), ParamError> {
        check_range::<P>("scaling.shopper_exponent", self.shopper_exponent.into())?;
        check_range::<P>("scaling.item_exponent", self.item_exponent.into())?;
        check_range::<P>("scaling.popularity", self.popularity.into())
    }
}

/// What a search tries of fading: of pairs in the fit, and of the shopper's votes.
pub(super) const FADE: Axis =
    Axis::new("scaling.half_life", Over::OneOf(&["null", "2592000000", "5184000000", "15552000000"]));
pub(super) const VOTES: Axis = Axis::new(
    "recency",
    Over::OneOf(&["null", "{\"positions\":{\"half_life\":30.0}}", "{\"time\":{\"half_life\":7776000000}}"]),
);
pub(super) const VOTES_PLACES: Axis = Axis::new("recency.positions.half_life", Over::Log { lo: 1.0, hi: 200.0 });
pub(super) const VOTES_TIME: Axis =
    Axis::new("recency.time.half_life", Over::LogInt { lo: 604_800_000, hi: 31_536_000_000 });

/// The scaled matrix, both ways, and the scales.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::scorer) struct Design {
    pub(in crate::scorer) by_row: Csr,
    pub(in crate::scorer) by_item: Csr,
    /// The sum of an item's column before it was scaled.
    pub(in crate::scorer) counts: Vec<f32>,
    /// By how much an item's column was multiplied: what a voter's part has to be multiplied by, too.
    pub(in crate::scorer) from: Vec<f32>,
    /// By how much a target's score has to be multiplied.
    pub(in crate::scorer) to: Vec<f32>,
}

impl Design {
    /// `O(events)` with a half-life, `O(pairs)` without.
    pub(in crate::scorer) fn new(data: &Dataset, strength: Strength, scaling: &Scaling) -> Self {
        let faded = scaling.half_life.map(|half_life| Faded::new(data, half_life));
        let mut values = Csr::with_capacity(data.n_rows(), data.n_pairs());
        let mut counts = vec![0.0f64; data.n_items()];
        let mut fresh = faded.unwrap_or_default();
        for row in 0..data.n_rows() {
            fresh.turn_to(data, row);
            for (item, weight) in data.by_user().row(row).iter() {
                let value = strength.of(weight) * fresh.of(item);
                if value > 0.0 && value.is_finite() {
                    values.push(item, value);
                    counts[item as usize] += f64::from(value);
                }
            }
            values.end_row();
        }
        // An item without pairs has a scale of 1, which nothing is multiplied by.
        let power = |sum: f64, exponent: f32| if sum > 0.0 { sum.powf(exponent.into()) } else { 1.0 };
        let from: Vec<f32> = counts.iter().map(|&n| power(n, -scaling.item_exponent) as f32).collect();
        let to = counts.iter().map(|&n| power(n, scaling.item_exponent + scaling.popularity) as f32).collect();
        let mut by_row = Csr::with_capacity(data.n_rows(), values.len());
        for row in 0..data.n_rows() {
            let row = values.row(row);
            let sum: f64 = row.weights().iter().map(|&t| f64::from(t)).sum();
            let share = power(sum, -scaling.shopper_exponent) as f32;
            row.iter().for_each(|(item, t)| by_row.push(item, t * share * from[item as usize]));
            by_row.end_row();
        }
        let by_item = by_row.transposed(data.n_items());
        let counts = counts.into_iter().map(|n| n as f32).collect();
        Self { by_row, by_item, counts, from, to }
    }

    pub(in crate::scorer) fn n_items(&self) -> usize {
        self.from.len()
    }

    /// Whether the item has a pair.
    pub(in crate::scorer) fn is_active(&self, item: usize) -> bool {
        !self.by_item.row(item).is_empty()
    }

    /// The items that have a pair, ascending.
    pub(in crate::scorer) fn active(&self) -> Vec<u32> {
        (0..self.n_items()).filter(|&item| self.is_active(item)).map(|item| item as u32).collect()
    }

    /// The sum of the squares of an item's column.
    pub(in crate::scorer) fn square(&self, item: usize) -> f32 {
        self.by_item.row(item).weights().iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() as f32
    }

    pub(in crate::scorer) fn heap_bytes(&self) -> usize {
        self.by_row.heap_bytes()
            + self.by_item.heap_bytes()
            + (self.counts.capacity() + self.from.capacity() + self.to.capacity()) * 4
    }
}

/// How fresh each of one shopper's items is. The default finds all of them fresh.
#[derive(Default)]
struct Faded {
    half_life: Option<Span>,
    as_of: Timestamp,
    latest: Vec<Timestamp>,
}

impl Faded {
    fn new(data: &Dataset, half_life: Span) -> Self {
        Self { half_life: Some(half_life), as_of: data.as_of(), latest: vec![Timestamp::MIN; data.n_items()] }
    }

    fn turn_to(&mut self, data: &Dataset, row: usize) {
        if self.half_life.is_some() {
            for event in data.events_of(UserIdx::new(row as u32)).iter() {
                self.latest[event.item.as_usize()] = event.at; // oldest first, so the last one stays
            }
        }
    }

    fn of(&self, item: u32) -> f32 {
        self.half_life.map_or(1.0, |half_life| self.as_of.since(self.latest[item as usize]).decay(half_life) as f32)
    }
}

crate::persist::portable!(Design { by_row, by_item, counts, from, to }
"an index beyond what it numbers" => |d| d.by_row.is_sound(d.by_item.rows()) && d.by_item.is_sound(d.by_row.rows()),
"figures that are not one an item" => |d| {
    [d.counts.len(), d.from.len(), d.to.len()] == [d.by_item.rows(); 3]
});
