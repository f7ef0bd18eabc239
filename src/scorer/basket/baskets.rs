//! A shopper's baskets, read from their row or from a request.

use crate::dataset::{Dataset, Events};
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::scorer::{Context, Scored, Workspace};
use crate::time::Timestamp;

/// What one session holds: distinct items, ascending, and the time of its latest event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Basket<'a> {
    pub(super) at: Timestamp,
    pub(super) items: &'a [u32],
}

/// Baskets, oldest first. Reusable: reading into it forgets what was there.
#[derive(Clone, Debug, Default)]
pub(super) struct Baskets {
    items: Vec<u32>,
    /// Where each basket ends in `items`, and when it was.
    ends: Vec<(usize, Timestamp)>,
    /// (session and item, time): sessions may overlap in time, so a row need not have them in one piece.
    sorting: Vec<(u64, i64)>,
    /// Item and number of basket, ascending, once asked for.
    holdings: Vec<u64>,
    weights: Vec<f64>,
}

/// The baskets that hold one item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding<'a>(&'a [u64]);

impl<'a> Holding<'a> {
    pub(super) fn item(self) -> ItemIdx {
        ItemIdx::new((self.0[0] >> 32) as u32)
    }

    /// Their numbers, oldest first.
    pub(super) fn baskets(self) -> impl ExactSizeIterator<Item = usize> + 'a {
        self.0.iter().map(|&key| key as u32 as usize) // the lower half
    }
}

impl Baskets {
    /// The baskets of a row of the dataset. `O(events)`, times a logarithm where sessions overlap.
    pub(super) fn of_row(&mut self, data: &Dataset, row: UserIdx, kinds: KindSet) -> &mut Self {
        self.clear();
        self.read(data.events_of(row), kinds);
        self
    }

    /// The baskets known at the time of a request: those of the shopper's row up to now, then the running session.
    pub(super) fn of_request(&mut self, cx: &Context<'_>, kinds: KindSet) -> &mut Self {
        self.clear();
        if let Some(user) = cx.user {
            self.read(cx.dataset.events_of(user).until(cx.now), kinds);
        }
        let running = cx.session().iter().chain(cx.fresh).filter(|t| kinds.contains(t.kind));
        self.sorting.clear();
        self.sorting.extend(running.map(|t| (t.item.get().into(), t.at.millis())));
        self.sort_out();
        self
    }

    /// Baskets, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Basket<'_>> + ExactSizeIterator {
        (0..self.ends.len()).map(|b| self.get(b))
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Hands each item to `f`, ascending, with the baskets that hold it. `O(items in baskets)`, times a logarithm.
    pub(super) fn each_holding(&mut self, mut f: impl FnMut(&Self, Holding<'_>)) {
        self.index();
        self.holdings.chunk_by(|a, b| a >> 32 == b >> 32).for_each(|same| f(self, Holding(same)));
    }

    /// Appends each item with the sum of the weights of the baskets that hold it, oldest first, to `out`, ascending by item.
    /// `weight` is given the number of a basket and the number of baskets.
    pub(super) fn weigh(&mut self, weight: impl Fn(usize, usize) -> f64, out: &mut Vec<Scored>) {
        let n = self.len();
        self.weights.clear();
        self.weights.extend((0..n).map(|number| weight(number, n)));
        self.index();
        for same in self.holdings.chunk_by(|a, b| a >> 32 == b >> 32).map(Holding) {
            let sum: f64 = same.baskets().map(|number| self.weights[number]).sum();
            out.push(Scored { item: same.item(), score: sum as f32 });
        }
    }

    /// How many baskets hold `item`. `O(baskets)`, times a logarithm.
    pub(super) fn holding(&self, item: ItemIdx) -> u64 {
        self.iter().filter(|basket| basket.items.binary_search(&item.get()).is_ok()).count() as u64
    }

    /// When basket `number` was.
    pub(super) fn at(&self, number: usize) -> Timestamp {
        self.ends[number].1
    }

    fn index(&mut self) {
        let mut holdings = std::mem::take(&mut self.holdings);
        holdings.clear();
        for (number, basket) in self.iter().enumerate() {
            holdings.extend(basket.items.iter().map(|&item| u64::from(item) << 32 | number as u64));
        }
        holdings.sort_unstable();
        self.holdings = holdings;
    }

    fn get(&self, number: usize) -> Basket<'_> {
        let from = number.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let (to, at) = self.ends[number];
        Basket { at, items: &self.items[from..to] }
    }

    fn clear(&mut self) {
        self.items.clear();
        self.ends.clear();
    }

    fn read(&mut self, events: Events<'_>, kinds: KindSet) {
        let counts = |code: u8| kinds.contains_code(code);
        let keys =
            events.sessions().iter().zip(events.items()).map(|(&s, item)| u64::from(s) << 32 | u64::from(item.get()));
        let rows = keys.zip(events.kinds()).zip(events.times());
        self.sorting.clear();
        self.sorting.extend(rows.filter(|((_, code), _)| counts(**code)).map(|((key, _), &at)| (key, at)));
        self.sort_out();
    }

    /// Appends the baskets found in `sorting`.
    fn sort_out(&mut self) {
        self.sorting.sort_unstable();
        for session in self.sorting.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
            let from = self.items.len();
            let mut latest = i64::MIN;
            for &(key, at) in session {
                let item = key as u32; // the lower half
                if self.items.len() == from || self.items.last() != Some(&item) {
                    self.items.push(item);
                }
                latest = latest.max(at);
            }
            self.ends.push((self.items.len(), Timestamp::from_millis(latest)));
        }
    }
}

/// Calls `f` with the baskets known at the time of a request, read into scratch of the workspace.
pub(super) fn with_baskets<T>(
    cx: &Context<'_>,
    kinds: KindSet,
    ws: &mut Workspace,
    f: impl FnOnce(&mut Baskets, &mut Workspace) -> T,
) -> T {
    let mut baskets = ws.take::<Baskets>();
    let out = f(baskets.of_request(cx, kinds), ws);
    ws.give(baskets);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Shelf;
    use crate::consent::{Consented, LawfulBasis, Shopper};
    use crate::dataset::DatasetBuilder;
    use crate::event::{Event, EventKind};
    use crate::scorer::Touch;

    #[test]
    fn a_basket_is_a_session_even_where_sessions_overlap() {
        let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
        let mut builder = DatasetBuilder::default();
        let rows = [("s1", "b", 1), ("s2", "a", 2), ("s1", "a", 3), ("s1", "b", 4), ("s2", "c", 5), ("s3", "a", 9)];
        for (session, item, at) in rows {
            let event = Event::new(ann, item, EventKind::Purchase, Timestamp::from_secs(at)).session(session);
            builder.push(&event).unwrap();
        }
        builder.push(&Event::new(ann, "d", EventKind::View, Timestamp::from_secs(6)).session("s2")).unwrap();
        let data = builder.finish().unwrap();
        let shelf = Shelf::bare(&data);
        let [a, b, c] = ["a", "b", "c"].map(|id| data.item(id).unwrap().get());
        let mut expected = [vec![a, b], vec![a, c]];
        expected.iter_mut().for_each(|items| items.sort_unstable());
        let bought = KindSet::of(&[EventKind::Purchase]);

        let mut cx = Context::new(&data, &shelf, Timestamp::from_secs(8));
        cx.user = data.user("ann");
        let at = Timestamp::from_secs(7);
        let touch = |item, kind| Touch { item: ItemIdx::new(item), kind, at, weight: 1.0 };
        let running = [touch(c, EventKind::Purchase), touch(a, EventKind::View), touch(c, EventKind::Purchase)];
        (cx.history, cx.session_len) = (&running, 3);
        let mut baskets = Baskets::default();
        for _ in 0..2 {
            let read: Vec<Basket<'_>> = baskets.of_request(&cx, bought).iter().collect();
            let basket = |at, items| Basket { at: Timestamp::from_secs(at), items };
            assert_eq!(read, [basket(4, &expected[0][..]), basket(5, &expected[1]), basket(7, &[c])]);
        }
        assert_eq!(baskets.of_row(&data, cx.user.unwrap(), bought).len(), 3);
        assert_eq!(baskets.of_row(&data, cx.user.unwrap(), KindSet::of(&[EventKind::Like])).len(), 0);
    }
}
