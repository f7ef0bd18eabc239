//! How a model of factors finds the best items for a shopper: all of them, or those in the nearest lists.
//!
//! A search screens panels of bytes (`kernel/panel.rs`), scores the survivors in full and keeps the best under the one order of
//! the crate. One shopper or many, the result is that of scoring everything, bit for bit.

mod index;
mod lists;
mod propose;
mod seek;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::params::ParamError;

pub(in crate::scorer) use index::Index;

/// How a model of factors looks for the items it [proposes](crate::Scorer::propose).
///
/// `Exact` gives exactly the best of all items that the filters admit. It goes over the items from the longest vector to the
/// shortest, a byte a number, scores in full only what may be among the best, and ends where all that follow are too short to
/// be. Where long vectors are few, as with items learned from events, that is soon: 20 µs for 40,000 items of 64 factors. Where
/// all are of one length it goes over all of them: about 26 million numbers a millisecond.
///
/// `Ivf` groups the items around `lists` means of their vectors when the model is fitted, and looks through the `probes`
/// lists whose means have the largest products with the shopper's vector, exactly as above. Removed, sold-out and
/// otherwise refused items take nobody's place: filters are asked while looking, and when fewer than
/// 256 admitted items turn up, all other lists are looked through too. What is lost is the best items of other lists: see the
/// figures in `benches/README.md` for how many.
///
/// `Auto` is `Exact` as long as that stays under a millisecond: up to 24 million numbers (375,000 items of 64 factors), and
/// beyond that if searches for a hundred items, with 32 of the items' own vectors, end within as many. Otherwise it is `Ivf` with
/// `2 √items` lists and a sixteenth of them probed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Retrieval {
    /// The exact scan while it takes about a millisecond, lists beyond.
    #[default]
    Auto,
    /// The exact scan, however many items.
    Exact,
    /// The nearest of so many lists.
    Ivf {
        /// Lists the items are grouped in, `1..=65_536`; at most as many as there are items.
        lists: u32,
        /// Lists looked through, `1..=65_536`.
        probes: u32,
    },
    /// Nothing: the model judges what others propose.
    None,
}

impl Retrieval {
    pub(in crate::scorer) const ALLOWED: &'static str =
        "auto, exact, none, or ivf with lists and probes from 1 to 65536";

    pub(in crate::scorer) fn validate(self, param: &str) -> Result<(), ParamError> {
        let within = |name: &str, n: u32| match n {
            1..=65_536 => Ok(()),
            _ => Err(ParamError::new(format!("{param}.ivf.{name}"), n, "a whole number from 1 to 65536")),
        };
        match self {
            Self::Ivf { lists, probes } => within("lists", lists).and_then(|()| within("probes", probes)),
            _ => Ok(()),
        }
    }

    /// How many lists, and how many of them to look through, for so many vectors of so many numbers.
    fn plan(self, rows: usize, dim: usize) -> Plan {
        let lists = |lists: usize, probes: usize| match lists.min(rows) {
            0 | 1 => Plan::All,
            lists => Plan::Lists { lists, probes: probes.min(lists) },
        };
        match self {
            Self::None => Plan::Nothing,
            Self::Exact => Plan::All,
            Self::Ivf { lists: n, probes } => lists(n as usize, probes as usize),
            Self::Auto if rows.saturating_mul(dim) <= AUTO_NUMBERS => Plan::All,
            Self::Auto => {
                let n = (2.0 * (rows as f64).sqrt()) as usize;
                match lists(n, n.div_ceil(16)) {
                    Plan::Lists { lists, probes } => Plan::Unless { lists, probes },
                    all => all,
                }
            }
        }
    }
}

/// What an exact search gets through in a millisecond: how far [`Retrieval::Auto`] goes with it.
const AUTO_NUMBERS: usize = 24_000_000;

enum Plan {
    Nothing,
    All,
    Lists {
        lists: usize,
        probes: usize,
    },
    /// These lists, unless a search of everything ends soon enough.
    Unless {
        lists: usize,
        probes: usize,
    },
}
