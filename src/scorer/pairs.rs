//! Who touched what: the weighted shopper x item matrix under the neighbour models, and how two of its items meet.

use serde::{Deserialize, Serialize};

use super::Scored;
use super::tally::Tally;
use super::vote::Strength;
use crate::dataset::{Csr, Dataset};
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::time::{Span, Timestamp};

/// Rows that are asked for before their turn comes.
const AHEAD: usize = 4;

/// How what a shopper says about two items fades with time, from 1 down to 0.
///
/// The time of an item is the shopper's latest touch of it by a kind that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PairDecay {
    /// By the time between the two: `2^(-|t_a - t_b| / half_life)`.
    Distance {
        /// Touches this far apart count half.
        half_life: Span,
    },
    /// By the age of the pair, which came to be with the later of the two: `2^(-(as_of - max(t_a, t_b)) / half_life)`,
    /// with [`Dataset::as_of`](crate::Dataset::as_of); a time beyond it is no age.
    Age {
        /// A pair this old counts half.
        half_life: Span,
    },
}

impl PairDecay {
    fn of(self, a: i64, b: i64, as_of: Timestamp) -> f32 {
        let (early, late) = (Timestamp::from_millis(a.min(b)), Timestamp::from_millis(a.max(b)));
        let fresh = match self {
            Self::Distance { half_life } => late.since(early).decay(half_life),
            Self::Age { half_life } => as_of.since(late).decay(half_life),
        };
        fresh as f32
    }
}

/// Whether something counts among its own neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Own {
    /// No.
    #[default]
    Dropped,
    /// Yes, and it takes one of the places. An item that is its own neighbour may be recommended again.
    Kept,
}

/// What becomes of the weights of a neighbour list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ListScale {
    /// They stay.
    #[default]
    AsIs,
    /// They are divided by their sum, so that every item of the shopper has the same say.
    SumToOne,
}

impl ListScale {
    /// Scales the weights of a list.
    pub(in crate::scorer) fn apply(self, list: &mut [Scored]) {
        if self == Self::SumToOne {
            let sum: f64 = list.iter().map(|near| f64::from(near.score)).sum();
            list.iter_mut().for_each(|near| near.score = (f64::from(near.score) / sum) as f32);
        }
    }
}

/// The distinct (shopper row, item) pairs with positive weight, both ways.
#[derive(Debug)]
pub(in crate::scorer) struct Pairs {
    pub(in crate::scorer) by_row: Csr,
    pub(in crate::scorer) by_item: Csr,
    fading: Option<Fading>,
}

/// The time of each pair's latest touch, in the order of both matrices.
#[derive(Debug)]
struct Fading {
    decay: PairDecay,
    as_of: Timestamp,
    by_row: Vec<i64>,
    by_item: Vec<i64>,
}

impl Pairs {
    /// The pairs of `data` by touches of `kinds`, each worth `strength` of their summed weights; times are kept if
    /// there is a decay. `O(events)`.
    pub(in crate::scorer) fn of(data: &Dataset, kinds: KindSet, strength: Strength, decay: Option<PairDecay>) -> Self {
        let mut by_row = Csr::with_capacity(data.n_rows(), data.n_pairs());
        let (mut latest, mut touches) = (Vec::new(), Vec::new());
        for user in (0..data.n_rows() as u32).map(UserIdx::new) {
            let (events, weights) = (data.events_of(user), data.event_weights_of(user));
            let columns = events.items().iter().zip(events.kinds()).zip(events.times()).zip(weights);
            let counted = columns.filter(|(((_, kind), _), _)| kinds.contains_code(**kind));
            touches.clear();
            touches.extend(counted.map(|(((item, _), &at), &weight)| (item.get(), at, weight)));
            touches.sort_by_key(|&(item, ..)| item); // stable: sums run oldest to newest
            for group in touches.chunk_by(|a, b| a.0 == b.0) {
                let sum: f64 = group.iter().map(|&(.., weight)| f64::from(weight)).sum();
                let worth = if sum > 0.0 { strength.of(sum.min(f64::from(f32::MAX)) as f32) } else { 0.0 };
                if worth > 0.0 {
                    by_row.push(group[0].0, worth);
                    if decay.is_some() {
                        latest.extend(group.iter().map(|&(_, at, _)| at).max());
                    }
                }
            }
            by_row.end_row();
        }
        by_row.shrink();
        let by_item = by_row.transposed(data.n_items());
        let fading = decay.map(|decay| {
            let by_item = turned(&by_row, &by_item, &latest);
            Fading { decay, as_of: data.as_of(), by_row: latest, by_item }
        });
        Self { by_row, by_item, fading }
    }

    /// The same pairs with each weight raised to `power`.
    pub(in crate::scorer) fn powered(mut self, power: f32) -> Self {
        if power != 1.0 {
            self.by_row = reweighed(&self.by_row, |_, _, weight| weight.powf(power));
            self.by_item = reweighed(&self.by_item, |_, _, weight| weight.powf(power));
        }
        self
    }

    /// Adds to `sums`, for every item `b` of the shoppers of `a`, `Σ left(u, a) x right(u, b) x decay(u, a, b)` over the
    /// shoppers `u` of both, ascending; and counts those shoppers in `met`, if that is wanted. `left` is by item,
    /// `right` by row; both hold these pairs with weights of their own.
    pub(in crate::scorer) fn meet(
        &self,
        a: ItemIdx,
        left: &Csr,
        right: &Csr,
        sums: &mut Tally,
        mut met: Option<&mut Tally>,
    ) {
        let range = left.range(a.as_usize());
        let rows = left.row(a.as_usize());
        for (nth, (place, (row, weight))) in range.zip(rows.iter()).enumerate() {
            if let Some(&ahead) = rows.indices().get(nth + AHEAD) {
                right.prefetch(ahead as usize);
            }
            let others = right.row(row as usize);
            match &self.fading {
                None => sums.add_row(others.indices(), |other| weight * others.weights()[other]),
                Some(fading) => {
                    let at = fading.by_item[place];
                    let then = &fading.by_row[right.range(row as usize)];
                    sums.add_row(others.indices(), |other| {
                        weight * others.weights()[other] * fading.decay.of(at, then[other], fading.as_of)
                    });
                }
            }
            if let Some(met) = &mut met {
                met.add_row(others.indices(), |_| 1.0);
            }
        }
    }
}

/// `values` in the order of `by_row`, brought into the order of `by_item`, which holds the same pairs.
fn turned(by_row: &Csr, by_item: &Csr, values: &[i64]) -> Vec<i64> {
    let mut next: Vec<usize> = (0..by_item.rows()).map(|item| by_item.range(item).start).collect();
    let mut out = vec![0; values.len()];
    for row in 0..by_row.rows() {
        for (&item, &value) in by_row.row(row).indices().iter().zip(&values[by_row.range(row)]) {
            out[next[item as usize]] = value;
            next[item as usize] += 1;
        }
    }
    out
}

/// The same pairs with weights `f(row, index, weight)`.
pub(in crate::scorer) fn reweighed(csr: &Csr, f: impl Fn(usize, u32, f32) -> f32) -> Csr {
    let mut out = Csr::with_capacity(csr.rows(), csr.len());
    for row in 0..csr.rows() {
        csr.row(row).iter().for_each(|(index, weight)| out.push(index, f(row, index, weight)));
        out.end_row();
    }
    out
}

/// The sum of each row's weights.
pub(in crate::scorer) fn row_sums(csr: &Csr) -> Vec<f64> {
    let sum = |row| csr.row(row).weights().iter().map(|&w| f64::from(w)).sum();
    (0..csr.rows()).map(sum).collect()
}
