//! From requests to searches and back.

use super::index::Index;
use super::seek::{Admission, Seeking};
use crate::ids::ItemIdx;
use crate::scorer::{Context, Proposing, Scored, Workspace};

impl Index {
    /// Proposes to each of `asks` the best `limit` rows of `flat`, the vectors that were packed, and whatever `beyond` adds to
    /// them; what it adds is answered with the score that the next must reach. `taste` makes a request's vector, `item_of` an item of a row.
    #[allow(clippy::too_many_arguments)] // five of them are what differs between models
    pub(in crate::scorer) fn propose(
        &self,
        flat: &[f32],
        asks: &mut [Proposing<'_>],
        limit: usize,
        ws: &mut Workspace,
        taste: impl Fn(&Context<'_>, &mut Workspace) -> Option<Vec<f32>>,
        item_of: impl Fn(&Context<'_>, usize) -> Option<ItemIdx>,
        beyond: impl Fn(&Context<'_>, &[f32], &mut Workspace, &mut dyn FnMut(Scored) -> f64),
    ) {
        if limit == 0 {
            return;
        }
        let dim = self.dim();
        let (mut xs, mut who) = (ws.take_floats(0), ws.take_indices(0));
        for (ask, number) in asks.iter().zip(0..) {
            if let Some(x) = taste(ask.cx(), ws) {
                xs.extend_from_slice(&x);
                who.push(number);
                ws.give_floats(x);
            }
        }
        let mut seeking = ws.take::<Seeking>();
        seeking.start(who.len(), self.wanted(limit));
        let mut admission = Asking { asks, who: &who, item_of };
        for (u, &ask) in who.iter().enumerate() {
            let cx = *admission.asks[ask as usize].cx();
            beyond(&cx, &xs[u * dim..(u + 1) * dim], ws, &mut |scored| seeking.offer(u, scored, &mut admission));
        }
        self.search(&mut seeking, who.len(), &xs, flat, &mut admission);
        for (u, &ask) in who.iter().enumerate() {
            seeking.best(u).take(limit).for_each(|scored| asks[ask as usize].push(scored.item));
        }
        ws.give(seeking);
        ws.give_indices(who);
        ws.give_floats(xs);
    }
}

/// The requests of a search: search `u` is for `asks[who[u]]`.
struct Asking<'s, 'a, F> {
    asks: &'s mut [Proposing<'a>],
    who: &'s [u32],
    item_of: F,
}

impl<F: Fn(&Context<'_>, usize) -> Option<ItemIdx>> Admission for Asking<'_, '_, F> {
    #[inline]
    fn item(&self, u: usize, row: u32) -> Option<ItemIdx> {
        (self.item_of)(self.asks[self.who[u] as usize].cx(), row as usize)
    }

    #[inline]
    fn admits(&mut self, u: usize, item: ItemIdx) -> bool {
        self.asks[self.who[u] as usize].admits(item)
    }
}
