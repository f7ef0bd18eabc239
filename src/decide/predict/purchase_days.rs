//! When each shopper bought each item, in days: what intervals are made of.

use rustc_hash::FxHashMap;

use crate::decide::Histories;
use crate::{Dataset, EventKind, ItemIdx, KindSet, Timestamp, UserIdx};

/// When each shopper bought each item: occasions at least a day apart, in days since 1970-01-01T00:00Z.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PurchaseDays {
    pub(super) pairs: Vec<(UserIdx, ItemIdx)>,
    offsets: Vec<usize>,
    days: Vec<f64>,
}

/// Milliseconds.
pub(super) const DAY: f64 = 86_400_000.0;

impl PurchaseDays {
    /// What the profiled shoppers of `data`, of a log's those it [permits](crate::decide::Permissions::histories), bought
    /// (events of `kinds`) up to and including `until`. `O(events log)`.
    #[must_use]
    pub fn of<'d>(data: impl Into<Histories<'d>>, kinds: KindSet, until: Timestamp) -> Self {
        let data = data.into();
        let mut out = Self { offsets: vec![0], ..Self::default() };
        let mut row: Vec<(ItemIdx, i64)> = Vec::new();
        for user in data.users() {
            let known = data.until(user, until);
            row.clear();
            row.extend(known.iter().filter(|e| kinds.contains(e.kind)).map(|e| (e.item, e.at.millis())));
            row.sort_unstable();
            for same in row.chunk_by(|a, b| a.0 == b.0) {
                let from = out.days.len();
                for &(_, at) in same {
                    let day = at as f64 / DAY;
                    if out.days.get(from..).and_then(<[f64]>::last).is_none_or(|last| day - last >= 1.0) {
                        out.days.push(day);
                    }
                }
                out.pairs.push((user, same[0].0));
                out.offsets.push(out.days.len());
            }
        }
        out
    }

    /// The purchases of every event kind [`EventKind::Purchase`].
    #[must_use]
    pub fn purchases<'d>(data: impl Into<Histories<'d>>, until: Timestamp) -> Self {
        Self::of(data, KindSet::of(&[EventKind::Purchase]), until)
    }

    /// The same purchases under the numbers of another dataset, joined by id; what `to` does not know is left out.
    /// For a model of the past that is asked about the present.
    #[must_use]
    pub fn renumbered(&self, from: &Dataset, to: &Dataset) -> Self {
        let mut rows: Vec<(UserIdx, ItemIdx, &[f64])> = self
            .iter()
            .filter_map(|(user, item, days)| Some((to.user(from.user_key(user))?, to.item(from.item_key(item))?, days)))
            .collect();
        rows.sort_by_key(|row| (row.0, row.1));
        let mut out = Self { offsets: vec![0], ..Self::default() };
        for (user, item, days) in rows {
            out.pairs.push((user, item));
            out.days.extend(days);
            out.offsets.push(out.days.len());
        }
        out
    }

    /// When the shopper bought the item, ascending; nothing if never. `O(log pairs)`.
    #[must_use]
    pub fn get(&self, user: UserIdx, item: ItemIdx) -> &[f64] {
        self.pairs.binary_search(&(user, item)).map_or(&[], |place| self.at(place))
    }

    pub(super) fn at(&self, place: usize) -> &[f64] {
        &self.days[self.offsets[place]..self.offsets[place + 1]]
    }

    /// Every pair with its days, by shopper and item.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (UserIdx, ItemIdx, &[f64])> {
        self.pairs.iter().enumerate().map(|(place, &(user, item))| (user, item, self.at(place)))
    }

    /// How many (shopper, item) pairs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether nobody bought anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

/// Mean intervals in days, by item and of all, for the naive window of the backtest.
pub(super) fn mean_intervals(days: &PurchaseDays) -> (FxHashMap<ItemIdx, f64>, f64) {
    let mut sums: FxHashMap<ItemIdx, (f64, f64)> = FxHashMap::default();
    let mut all = (0.0, 0.0);
    for (_, item, days) in days.iter().filter(|(_, _, days)| days.len() > 1) {
        let (sum, n) = (days[days.len() - 1] - days[0], (days.len() - 1) as f64);
        let own = sums.entry(item).or_default();
        (own.0, own.1) = (own.0 + sum, own.1 + n);
        all = (all.0 + sum, all.1 + n);
    }
    (sums.into_iter().map(|(item, (sum, n))| (item, sum / n)).collect(), all.0 / all.1)
}
