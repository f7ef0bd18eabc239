//! The packed items of a model, whole or in lists.

use super::lists::{Anybody, Lists};
use super::seek::{Admission, Seeking};
use super::{AUTO_NUMBERS, Plan, Retrieval};
use crate::kernel::panel::{Panels, WIDE, length};
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
        let (lists, probes) = match retrieval.plan(rows.len(), dim) {
            Plan::Nothing => return None,
            Plan::Lists { lists, probes } => (lists, probes),
            plan => {
                panels.pack(flat, dim, &mut rows);
                let whole = Self { dim, panels, lists: None };
                match plan {
                    Plan::Unless { lists, probes } if whole.reach(flat, &rows) * dim as f64 > AUTO_NUMBERS as f64 => {
                        panels = Panels::new(dim);
                        rows.sort_unstable();
                        (lists, probes)
                    }
                    _ => return Some(whole),
                }
            }
        };
        let lists = Some(Lists::new(lists, probes, flat, dim, rows, &mut panels, run));
        Some(Self { dim, panels, lists })
    }

    /// How many items a search of everything goes over, on average: those long enough to be among the best hundred, with some
    /// of the items' own vectors for shoppers'. It follows from the numbers, not from a clock or a machine.
    pub(super) fn reach(&self, flat: &[f32], rows: &[u32]) -> f64 {
        const QUERIES: usize = 32;
        const BEST: usize = 100;
        let queries = (0..QUERIES.min(rows.len())).map(|i| rows[i * rows.len() / QUERIES.min(rows.len())] as usize);
        let vector = |row: usize| &flat[row * self.dim..(row + 1) * self.dim];
        let xs: Vec<f32> = queries.clone().flat_map(vector).copied().collect();
        let mut seeking = Seeking::default();
        seeking.start(queries.len(), BEST);
        self.search(&mut seeking, queries.len(), &xs, flat, &mut Anybody);
        let mut panels = 0;
        for (u, row) in queries.clone().enumerate() {
            let norm = length(vector(row));
            let last = seeking.best(u).nth(BEST - 1).map_or(f64::NEG_INFINITY, |last| f64::from(last.score));
            panels += (0..self.panels.len()).filter(|&panel| norm * self.panels.longest(panel) >= last).count();
        }
        (panels * WIDE) as f64 / queries.len().max(1) as f64
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
                    let probes = lists.nearest(x, &mut seeking.products, &mut order);
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

crate::persist::portable!(Index { dim, panels, lists }
    "lists beyond its panels" => |m| m.lists.as_ref().is_none_or(|lists| lists.is_within(m.panels.len(), m.dim)));

impl Index {
    /// Whether it packs rows below `rows` of `dim` numbers each; asked of what came from a file.
    pub(in crate::scorer) fn is_within(&self, rows: usize, dim: usize) -> bool {
        self.dim == dim && self.panels.is_sound(rows, dim)
    }
}

impl crate::persist::Portable for Panels {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        let parts = self.parts();
        out.part("steps", &parts.steps)?;
        out.part("codes", parts.codes)?;
        out.part("rows", parts.rows)?;
        out.column("bounds", parts.bounds)
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        let bounds: Vec<f64> = from.part("bounds")?;
        let panels = Self::of(from.part("steps")?, from.part("codes")?, from.part("rows")?, &bounds);
        panels.ok_or_else(|| from.unsound("has panels of several lengths"))
    }
}
