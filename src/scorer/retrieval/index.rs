//! The packed items of a model, whole or in lists.

use super::lists::Lists;
use super::seek::{Admission, Seeking};
use super::{Plan, Retrieval};
use crate::kernel::panel::Panels;
use crate::run::Run;
use crate::scorer::Scored;

/// A search through lists that found fewer than this goes through all others too. It does not depend on how many are wanted,
/// so that for more wanted, the list of fewer is the head of the longer.
const ENOUGH: usize = 256;

/// What is searched: `factors + 6` bytes an item, and with lists `4 x factors` bytes a list.
#[derive(Clone, Debug)]
pub(in crate::scorer) struct Index {
    dim: usize,
    panels: Panels,
    lists: Option<Lists>,
}

impl Index {
    /// Packs `rows` (ascending) of the vectors that lie end to end in `flat`; `None` when nothing is to be proposed.
    pub(in crate::scorer) fn new(
        retrieval: Retrieval,
        flat: &[f32],
        dim: usize,
        mut rows: Vec<u32>,
        run: &Run<'_>,
    ) -> Option<Self> {
        // What has no finite number has no finite product.
        rows.retain(|&row| flat[row as usize * dim..(row as usize + 1) * dim].iter().all(|v| v.is_finite()));
        let mut panels = Panels::new(dim);
        let lists = match retrieval.plan(rows.len(), dim) {
            Plan::Nothing => return None,
            Plan::All => {
                panels.pack(flat, dim, &mut rows);
                None
            }
            Plan::Lists { lists, probes } => Some(Lists::new(lists, probes, flat, dim, rows, &mut panels, run)),
        };
        Some(Self { dim, panels, lists })
    }

    /// Runs the searches `0..n` that `seeking` has started, of the vectors end to end in `xs`.
    pub(in crate::scorer) fn search(
        &self,
        seeking: &mut Seeking,
        n: usize,
        xs: &[f32],
        flat: &[f32],
        admission: &mut dyn Admission,
    ) {
        let dim = self.dim;
        match &self.lists {
            None if n > 1 => seeking.look_together(n, xs, dim, flat, &self.panels, admission),
            None => {
                let all = std::iter::once(0..self.panels.len());
                (0..n).for_each(|u| {
                    seeking.look(u, &xs[u * dim..(u + 1) * dim], flat, &self.panels, all.clone(), admission)
                });
            }
            Some(lists) => {
                for (u, x) in xs.chunks_exact(dim.max(1)).enumerate().take(n) {
                    let mut order = std::mem::take(&mut seeking.order);
                    let probes = lists.nearest(x, &mut order);
                    let range = |list: &Scored| lists.range(list.item.as_usize());
                    seeking.look(u, x, flat, &self.panels, order[..probes].iter().map(range), admission);
                    if seeking.found(u) < ENOUGH {
                        seeking.look(u, x, flat, &self.panels, order[probes..].iter().map(range), admission);
                    }
                    seeking.order = order;
                }
            }
        }
    }

    /// Numbers a vector.
    pub(super) const fn dim(&self) -> usize {
        self.dim
    }

    /// How many must be looked for to find the best `limit`.
    pub(in crate::scorer) fn wanted(&self, limit: usize) -> usize {
        if self.lists.is_some() { limit.max(ENOUGH) } else { limit }
    }

    pub(in crate::scorer) fn heap_bytes(&self) -> usize {
        self.panels.heap_bytes() + self.lists.as_ref().map_or(0, Lists::heap_bytes)
    }
}
