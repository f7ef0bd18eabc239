//! Item affinity: the shoppers most likely to want this, out of all.

use crate::catalog::{CompiledSelect, Shelf};
use crate::dataset::Dataset;
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};
use crate::scorer::{Context, Scorer, Scores, Workspace};
use crate::serve::append_profile;
use crate::time::Timestamp;

/// Who is asked, and how.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Whose opinion counts.
    pub scorer: &'a dyn Scorer,
    /// The events it judges shoppers by.
    pub data: &'a Dataset,
    /// The items.
    pub shelf: &'a Shelf,
    /// As of when.
    pub now: Timestamp,
    /// The shoppers who come into question, such as a segment's members or those who did not buy it yet; `None` for all
    /// profiled ones.
    pub among: Option<&'a (dyn Fn(UserIdx) -> bool + Sync)>,
    /// How many.
    pub n: usize,
}

impl std::fmt::Debug for Asking<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asking").field("scorer", &self.scorer.name()).field("n", &self.n).finish_non_exhaustive()
    }
}

/// A shopper and what the scorer says of them and what is offered.
pub type Wanting = (UserIdx, f32);

const CHUNK: usize = 64;
/// The latest touches a scorer may look at, as in a default ranker.
const HISTORY: usize = 500;

impl Asking<'_> {
    /// The `n` shoppers with the highest score for an item, best first, equal ones by number: exact, over all of them.
    /// Shoppers the scorer has no opinion on are not among them.
    ///
    /// # Errors
    /// [`Cancelled`].
    ///
    /// # Example
    /// ```
    /// use likewise::decide::segment::Asking;
    /// use likewise::*;
    /// let bought = [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("eve", "saw")];
    /// let mut builder = DatasetBuilder::default();
    /// for (user, item) in bought {
    ///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
    ///     builder.push(&Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(1)))?;
    /// }
    /// let data = builder.build()?;
    /// let together = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::co_purchase() };
    /// let together = together.check()?.fit(&(&data).into(), &Run::new(1))?;
    /// let shelf = Shelf::bare(&data);
    /// let asking = Asking { scorer: &together, data: &data, shelf: &shelf, now: data.as_of(), among: None, n: 2 };
    /// let wanting = asking.for_item(data.item("mug").unwrap(), &Run::new(1))?;
    /// assert_eq!(wanting[0].0, data.user("bob").unwrap());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_item(&self, item: ItemIdx, run: &Run<'_>) -> Result<Vec<Wanting>, Cancelled> {
        Ok(self.for_each_of(&[vec![item]], run)?.pop().unwrap_or_default())
    }

    /// The same for anything that matches, such as an attribute value: a shopper counts with their best score among the
    /// matching items.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn for_any(&self, items: &CompiledSelect, run: &Run<'_>) -> Result<Vec<Wanting>, Cancelled> {
        let all = (0..self.shelf.n_items() as u32).map(ItemIdx::new);
        let matching = all.filter(|&item| items.matches(self.shelf, item, self.now)).collect();
        Ok(self.for_each_of(&[matching], run)?.pop().unwrap_or_default())
    }

    /// The same for many offers at once, each a list of items: every shopper is asked once for all of them.
    /// `O(shoppers × score of the distinct items)`; `n` pairs an offer are held.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn for_each_of(&self, offers: &[Vec<ItemIdx>], run: &Run<'_>) -> Result<Vec<Vec<Wanting>>, Cancelled> {
        let n_items = self.shelf.n_items();
        let weights = self.data.weights().by_code();
        let users: Vec<UserIdx> =
            self.data.users().filter(|&user| self.among.is_none_or(|among| among(user))).collect();
        let mut distinct: Vec<ItemIdx> = offers.iter().flatten().copied().filter(|i| i.as_usize() < n_items).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let slots: Vec<Vec<usize>> = offers
            .iter()
            .map(|offer| offer.iter().filter_map(|item| distinct.binary_search(item).ok()).collect())
            .collect();
        let order = |a: &Wanting, b: &Wanting| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        let chunk = |(ws, history): &mut (Workspace, Vec<_>), chunk: usize| {
            run.step((chunk * CHUNK) as u64, users.len() as u64, None)?;
            let mut set = ws.take_set(n_items);
            distinct.iter().for_each(|&item| _ = set.insert(item));
            let (mut values, mut because) = (ws.take_floats(distinct.len()), ws.take_indices(distinct.len()));
            let mut best: Vec<Vec<Wanting>> = vec![Vec::new(); offers.len()];
            for &user in &users[chunk * CHUNK..users.len().min((chunk + 1) * CHUNK)] {
                history.clear();
                append_profile(self.data, &weights, user, self.now, HISTORY, history);
                let mut cx = Context::new(self.data, self.shelf, self.now);
                (cx.user, cx.history) = (Some(user), &history[..]);
                let mut out = Scores::new(&set, &mut values, &mut because);
                self.scorer.score(&cx, &mut out, ws);
                for (best, slots) in best.iter_mut().zip(&slots) {
                    let opinions = slots.iter().filter_map(|&slot| out.get(slot));
                    if let Some(score) = opinions.reduce(f32::max) {
                        best.push((user, score));
                    }
                }
            }
            best.iter_mut().for_each(|best| crate::kernel::top_k::top_k(best, self.n, order));
            ws.give_floats(values);
            ws.give_indices(because);
            ws.give_set(set);
            Ok(best)
        };
        let chunks = run.threads.map_with(users.len().div_ceil(CHUNK), Default::default, chunk);
        let mut all: Vec<Vec<Wanting>> = vec![Vec::new(); offers.len()];
        for best in chunks.into_iter().collect::<Result<Vec<_>, Cancelled>>()? {
            for (all, best) in all.iter_mut().zip(best) {
                all.extend(best);
                if all.len() > 4 * self.n.max(1024) {
                    crate::kernel::top_k::top_k(all, self.n, order);
                }
            }
        }
        all.iter_mut().for_each(|all| crate::kernel::top_k::top_k(all, self.n, order));
        Ok(all)
    }
}
