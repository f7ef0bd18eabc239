//! Which of two rankings do shoppers click? Both in one list, and the clicks credited.
//!
//! **When:** two rankers should be compared in a tenth to a hundredth of the visits an A/B test takes (Chapelle, Joachims,
//! Radlinski & Yue 2012, "Large-scale validation and analysis of interleaved search evaluation", TOIS 30): every shopper
//! compares them within one list. **When not:** when revenue or the whole page is the question; it only says which
//! ranking is clicked more.
//!
//! Team draft (Radlinski, Kurup & Joachims 2008, "How does clickthrough data reflect retrieval quality?", CIKM): in each
//! round a fair coin says who picks first, each team adds its best item that is not in the list yet, and a click is a
//! point for the team that added the item. Two equal rankings get equal credit on average, wherever shoppers click.

use std::collections::HashSet;
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::kernel::rng::SplitMix64;
use crate::math::distribution::fair_coin;
use crate::math::special::quantile;
use crate::{Parallelism, Run};

/// Which ranking added an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Team {
    /// The first ranking.
    A,
    /// The second.
    B,
}

/// A list of two rankings. Log it with its clicks, or only its [`Credit`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interleaved<T> {
    /// The list, best first, with the team that added each item.
    pub items: Vec<(T, Team)>,
}

/// Clicks by team, of one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Items of the first ranking that were clicked.
    pub a: u32,
    /// Of the second.
    pub b: u32,
}

/// Interleaves `a` and `b`, best first, into at most `k` items. `O(k)` and what both share.
///
/// The coins depend on `seed` and `request` only, so a list can be made again. An item twice in a ranking counts where it
/// first stands; a ranking that runs dry leaves the rest to the other.
///
/// # Example
/// ```
/// use likewise::experiment::{Team, team_draft};
/// let list = team_draft(&["tea", "mug", "pot"], &["pot", "tea", "cup"], 4, 42, "visit-1");
/// assert_eq!(list.items.len(), 4);
/// let credit = list.credit(&["cup"]);
/// assert_eq!(credit.a + credit.b, 1);
/// assert_eq!(list.items.iter().find(|(item, _)| *item == "cup").unwrap().1, Team::B);
/// ```
#[must_use]
pub fn team_draft<T: Clone + Eq + Hash>(a: &[T], b: &[T], k: usize, seed: u64, request: &str) -> Interleaved<T> {
    let mut coins = SplitMix64::stream(seed, xxh3_64_with_seed(request.as_bytes(), 0));
    let mut used: HashSet<&T> = HashSet::new();
    let mut items = Vec::with_capacity(k.min(a.len() + b.len()));
    let (mut left, mut right) = (a.iter(), b.iter());
    while items.len() < k {
        let a_first = coins.next() >> 63 == 0;
        let before = items.len();
        for team in if a_first { [Team::A, Team::B] } else { [Team::B, Team::A] } {
            let ranking = if team == Team::A { &mut left } else { &mut right };
            if items.len() < k
                && let Some(item) = ranking.find(|item| used.insert(item))
            {
                items.push((item.clone(), team));
            }
        }
        if items.len() == before {
            break;
        }
    }
    Interleaved { items }
}

impl<T: Eq + Hash> Interleaved<T> {
    /// The credit for these clicks. An item counts once however often it was clicked; items that are not in the list
    /// count for nobody.
    #[must_use]
    pub fn credit(&self, clicked: &[T]) -> Credit {
        let clicked: HashSet<&T> = clicked.iter().collect();
        let mut credit = Credit::default();
        for (_, team) in self.items.iter().filter(|(item, _)| clicked.contains(item)) {
            match team {
                Team::A => credit.a += 1,
                Team::B => credit.b += 1,
            }
        }
        credit
    }
}

/// Which ranking won over many lists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Preference {
    /// Lists the first ranking won.
    pub a_wins: u64,
    /// Lists the second won.
    pub b_wins: u64,
    /// Lists with clicks and equal credit.
    pub ties: u64,
    /// `(b_wins + ties / 2) / (all three) - 1/2`: above 0 where the second ranking is preferred; 0 without any click.
    pub lean: f64,
    /// The percentile bootstrap interval of `lean` over lists with clicks.
    pub interval: (f64, f64),
    /// The sign test: the chance of wins as uneven or more under a fair coin, ties left out.
    pub p_value: f64,
}

/// The preference over lists, one credit each; lists without clicks say nothing. `resamples` replicates for the interval
/// of `level` (both are clamped: at least 1, and 0 to 1). `O(lists + resamples × lists)`; the same for any thread count.
#[must_use]
pub fn prefer(credits: &[Credit], resamples: usize, level: f64, run: &Run<'_>) -> Preference {
    let signs: Vec<i8> = (credits.iter().filter(|c| c.a + c.b > 0))
        .map(|c| match c.b.cmp(&c.a) {
            std::cmp::Ordering::Less => -1,
            std::cmp::Ordering::Equal => 0,
            std::cmp::Ordering::Greater => 1,
        })
        .collect();
    let count = |sign: i8| signs.iter().filter(|s| **s == sign).count() as u64;
    let (a_wins, ties, b_wins) = (count(-1), count(0), count(1));
    let n = signs.len();
    let lean = |sum: i64| if n == 0 { 0.0 } else { sum as f64 / (2.0 * n as f64) };
    let threads = if n == 0 { Parallelism::Serial } else { run.threads };
    let mut drawn = threads.map(resamples.max(1), |replicate| {
        let mut rng = SplitMix64::stream(run.seed, replicate as u64);
        lean((0..n).map(|_| signs.get(rng.below(n)).map_or(0, |s| i64::from(*s))).sum())
    });
    drawn.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level.clamp(0.0, 1.0)) / 2.0;
    let interval = (quantile(&drawn, tail), quantile(&drawn, 1.0 - tail));
    let lean = lean(signs.iter().map(|s| i64::from(*s)).sum());
    Preference { a_wins, b_wins, ties, lean, interval, p_value: fair_coin(a_wins, a_wins + b_wins) }
}
