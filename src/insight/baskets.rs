//! What stood in one basket: sets of items, counted.

use rustc_hash::FxHashMap;

use crate::{Dataset, ItemIdx, KindSet, UserIdx};

/// What makes one basket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasketUnit {
    /// One session, visit or invoice.
    #[default]
    Session,
    /// Everything one shopper row ever touched.
    Shopper,
}

/// Distinct items a basket, in baskets.
///
/// # Example
/// ```
/// use likewise::insight::{AffinityPairsParams, Baskets};
/// use likewise::Validate;
/// let baskets = Baskets::from_sets([vec!["tea", "mug"], vec!["tea", "mug"], vec!["tea", "pot"], vec!["saw"]]);
/// let params = AffinityPairsParams { min_count: 2, ..AffinityPairsParams::default() }.check()?;
/// let pairs = baskets.affinity(&params);
/// assert_eq!((pairs[0].a.as_str(), pairs[0].b.as_str(), pairs[0].both), ("tea", "mug", 2));
/// assert_eq!(pairs[0].confidence_a_to_b, 2.0 / 3.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baskets {
    pub(super) keys: Vec<String>,
    pub(super) offsets: Vec<usize>,
    pub(super) items: Vec<u32>,
}

impl Baskets {
    /// The items touched by events of `kinds`, by session or shopper row (anonymous ones included). Baskets without
    /// such an event do not count. `O(events log)`.
    #[must_use]
    pub fn of(data: &Dataset, kinds: KindSet, unit: BasketUnit) -> Self {
        let keys = data.item_keys().map(str::to_owned).collect();
        let mut out = Self { keys, offsets: vec![0], items: Vec::new() };
        let mut row: Vec<(u32, u32)> = Vec::new();
        for user in (0..data.n_rows() as u32).map(UserIdx::new) {
            let events = data.events_of(user);
            let session = |i: usize| match unit {
                BasketUnit::Session => events.sessions().get(i).copied().unwrap_or(0),
                BasketUnit::Shopper => 0,
            };
            let counted = events.iter().enumerate().filter(|(_, e)| kinds.contains(e.kind));
            row.clear();
            row.extend(counted.map(|(i, e)| (session(i), e.item.get())));
            row.sort_unstable();
            row.dedup();
            for basket in row.chunk_by(|a, b| a.0 == b.0) {
                out.items.extend(basket.iter().map(|&(_, item)| item));
                out.offsets.push(out.items.len());
            }
        }
        out
    }

    /// Baskets as lists of names, numbered as they first appear; repeats within a basket and empty baskets do not
    /// count.
    pub fn from_sets<'a>(sets: impl IntoIterator<Item = impl IntoIterator<Item = &'a str>>) -> Self {
        let mut out = Self { keys: Vec::new(), offsets: vec![0], items: Vec::new() };
        let mut numbers: FxHashMap<&str, u32> = FxHashMap::default();
        for set in sets {
            let from = out.items.len();
            for name in set {
                let next = numbers.len() as u32;
                let number = *numbers.entry(name).or_insert_with(|| {
                    out.keys.push(name.to_owned());
                    next
                });
                out.items.push(number);
            }
            out.items[from..].sort_unstable();
            let mut kept = from;
            for i in from..out.items.len() {
                if kept == from || out.items[kept - 1] != out.items[i] {
                    out.items[kept] = out.items[i];
                    kept += 1;
                }
            }
            out.items.truncate(kept);
            if kept > from {
                out.offsets.push(kept);
            }
        }
        out
    }

    /// How many baskets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each basket's items, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        self.offsets.windows(2).map(|w| &self.items[w[0]..w[1]])
    }

    /// The id of an item; `""` for an unknown number.
    #[must_use]
    pub fn key(&self, item: ItemIdx) -> &str {
        self.keys.get(item.as_usize()).map_or("", String::as_str)
    }

    /// In how many baskets each item stands.
    #[must_use]
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.keys.len()];
        self.items.iter().for_each(|&item| counts[item as usize] += 1);
        counts
    }
}
