//! Where does the shop lose people? Views without purchase, searches without result, items nobody is shown.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::{Dataset, Estimated, EventKind, ItemIdx, KindSet, Span, Timestamp, UserIdx};

/// An item that is looked at, and how often that ends in a purchase.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnboughtView {
    /// The item.
    pub item: String,
    /// Shoppers (profiles and anonymous sessions) who looked at it.
    pub viewers: usize,
    /// Those of them who bought it, then or later.
    pub buyers: usize,
    /// The share who bought.
    pub conversion: f64,
    /// The lower end of its (Wilson's) interval.
    pub conversion_low: f64,
    /// The upper end.
    pub conversion_high: f64,
    /// Viewers who would have bought at the shop's mean rate, less those who did: what is missing.
    pub missing_buyers: f64,
}

/// Items with at least `min_viewers` viewers, the most missing buyers first, then by number. "Looked at" is a view, a
/// click or a cart. `O(events log)`.
#[must_use]
pub fn unbought_views(data: &Dataset, min_viewers: usize, level: f64) -> Vec<UnboughtView> {
    let looking = KindSet::of(&[EventKind::View, EventKind::Click, EventKind::AddToCart]);
    let mut sums = vec![(0_usize, 0_usize); data.n_items()];
    let mut row: Vec<(ItemIdx, Timestamp, bool)> = Vec::new();
    for user in (0..data.n_rows() as u32).map(UserIdx::new) {
        row.clear();
        let told = data.events_of(user).iter().filter(|e| looking.contains(e.kind) || e.kind == EventKind::Purchase);
        row.extend(told.map(|e| (e.item, e.at, e.kind == EventKind::Purchase)));
        row.sort_by_key(|r| (r.0, r.1, r.2));
        for same in row.chunk_by(|a, b| a.0 == b.0) {
            let Some(first) = same.iter().position(|r| !r.2) else { continue };
            let sum = &mut sums[same[0].0.as_usize()];
            sum.0 += 1;
            sum.1 += usize::from(same[first..].iter().any(|r| r.2));
        }
    }
    let (viewers, buyers) = sums.iter().fold((0, 0), |a, s| (a.0 + s.0, a.1 + s.1));
    let rate = buyers as f64 / (viewers as f64).max(1.0);
    let item = |(number, &(viewers, buyers)): (usize, &(usize, usize))| {
        let share = Estimated::share(buyers as f64, viewers as f64, level);
        UnboughtView {
            item: data.item_key(ItemIdx::new(number as u32)).to_owned(),
            viewers,
            buyers,
            conversion: share.value,
            conversion_low: share.low,
            conversion_high: share.high,
            missing_buyers: rate * viewers as f64 - buyers as f64,
        }
    };
    let seen = sums.iter().enumerate().filter(|(_, s)| s.0 >= min_viewers.max(1));
    let mut rows: Vec<UnboughtView> = seen.map(item).collect();
    rows.sort_by(|a, b| b.missing_buyers.total_cmp(&a.missing_buyers));
    rows
}

/// A search text and how often nothing came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FruitlessSearch {
    /// The text, in lower case, blanks joined.
    pub query: String,
    /// How often it was searched for.
    pub searches: usize,
    /// By how many shoppers (profiles and anonymous sessions).
    pub shoppers: usize,
    /// Searches after which nothing was touched within the time given.
    pub fruitless: usize,
    /// Their share.
    pub share: f64,
    /// The lower end of its (Wilson's) interval.
    pub share_low: f64,
    /// The upper end.
    pub share_high: f64,
}

/// Search texts, the most fruitless searches first, then by text. A search bore fruit if the shopper touched any item
/// (viewed, clicked, carted, bought, liked, or came to it by the search) from then until `within` later. `O(events +
/// searches log)`.
#[must_use]
pub fn fruitless_searches(data: &Dataset, within: Span, min_searches: usize, level: f64) -> Vec<FruitlessSearch> {
    let mut sums: FxHashMap<String, (usize, FxHashSet<UserIdx>, usize)> = FxHashMap::default();
    for user in (0..data.n_rows() as u32).map(UserIdx::new) {
        let touched: Vec<Timestamp> =
            data.events_of(user).iter().filter(|e| KindSet::INTEREST.contains(e.kind)).map(|e| e.at).collect();
        for (at, text) in data.searches_of(user) {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            let next = touched.get(touched.partition_point(|t| *t < at));
            let sum = sums.entry(text).or_default();
            sum.0 += 1;
            sum.1.insert(user);
            sum.2 += usize::from(next.is_none_or(|next| *next > at.plus(within)));
        }
    }
    let row = |(query, (searches, shoppers, fruitless)): (String, (usize, FxHashSet<UserIdx>, usize))| {
        let share = Estimated::share(fruitless as f64, searches as f64, level);
        let shoppers = shoppers.len();
        let (share, share_low, share_high) = (share.value, share.low, share.high);
        FruitlessSearch { query, searches, shoppers, fruitless, share, share_low, share_high }
    };
    let mut rows: Vec<FruitlessSearch> =
        sums.into_iter().filter(|(_, s)| s.0 >= min_searches.max(1)).map(row).collect();
    rows.sort_by(|a, b| b.fruitless.cmp(&a.fruitless).then_with(|| a.query.cmp(&b.query)));
    rows
}

/// An item of the catalogue that few or none see.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnseenItem {
    /// The item.
    pub item: String,
    /// Impressions and views since the moment asked for.
    pub shown: usize,
    /// Purchases since then.
    pub bought: usize,
}

/// Numbered items (number a catalogue's with [`DatasetBuilder::items`](crate::DatasetBuilder::items)) shown at most
/// `most` times after `since`, the least shown first, then by number. A purchase is no showing: who sells without
/// events of kind view or impression finds every item here, with its purchases beside. `O(events)`.
#[must_use]
pub fn unseen_items(data: &Dataset, since: Timestamp, most: usize) -> Vec<UnseenItem> {
    let showing = KindSet::of(&[EventKind::Impression, EventKind::View, EventKind::Click]);
    let row = |item: ItemIdx| {
        let count = |f: &dyn Fn(EventKind) -> bool| data.events_on(item).filter(|e| e.at > since && f(e.kind)).count();
        let shown = count(&|kind| showing.contains(kind));
        let bought = count(&|kind| kind == EventKind::Purchase);
        (shown <= most).then(|| UnseenItem { item: data.item_key(item).to_owned(), shown, bought })
    };
    let mut rows: Vec<UnseenItem> = (0..data.n_items() as u32).map(ItemIdx::new).filter_map(row).collect();
    rows.sort_by_key(|row| row.shown);
    rows
}
