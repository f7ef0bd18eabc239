//! Proposing for several requests at once.

use std::fmt;

use super::{Candidates, Context, Workspace};
use crate::ids::ItemIdx;

/// One of several requests that are proposed for together.
pub struct Proposing<'a> {
    cx: Context<'a>,
    admit: &'a mut dyn FnMut(ItemIdx) -> bool,
    found: &'a mut Vec<ItemIdx>,
}

impl<'a> Proposing<'a> {
    pub(crate) fn new(cx: Context<'a>, admit: &'a mut dyn FnMut(ItemIdx) -> bool, found: &'a mut Vec<ItemIdx>) -> Self {
        found.clear();
        Self { cx, admit, found }
    }

    /// The request.
    #[must_use]
    pub const fn cx(&self) -> &Context<'a> {
        &self.cx
    }

    /// Whether the filters of the request admit `item`.
    pub fn admits(&mut self, item: ItemIdx) -> bool {
        (self.admit)(item)
    }

    /// Proposes an admitted item: the best first, none twice.
    pub fn push(&mut self, item: ItemIdx) {
        self.found.push(item);
    }
}

impl fmt::Debug for Proposing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proposing").field("cx", &self.cx).field("found", &self.found).finish_non_exhaustive()
    }
}

/// A scorer that proposes for several requests in less time than one by one. See [`Scorer::together`](super::Scorer::together).
pub trait Together: Send + Sync {
    /// Proposes up to `limit` admitted items to each of `asks`: exactly those that
    /// [`Scorer::propose`](super::Scorer::propose) proposes to it alone, in that order.
    fn propose_together(&self, asks: &mut [Proposing<'_>], limit: usize, ws: &mut Workspace);
}

/// Proposes for one request through the same door.
pub(in crate::scorer) fn propose_alone(
    scorer: &dyn Together,
    cx: &Context<'_>,
    limit: usize,
    out: &mut Candidates<'_>,
    ws: &mut Workspace,
) {
    let mut found = ws.take::<Vec<ItemIdx>>();
    scorer.propose_together(&mut [Proposing::new(*cx, &mut |item| out.admits(item), &mut found)], limit, ws);
    out.extend_admitted(&found);
    ws.give(found);
}
