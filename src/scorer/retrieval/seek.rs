//! Screen, score the survivors, keep the best: for one shopper or twelve at a time.
//!
//! 2026-11-22, gowalla (29,858 shoppers, 40,981 items, 64 factors), whole requests with seen items excluded, top 20, two cores
//! with AVX-512 VNNI: one shopper 0.033 ms on one thread, all shoppers 0.40 s on two. What lost: products of all items in `f32`
//! and a selection, 0.42 ms a shopper for reading the 10.5 MB alone; a register tile of 12 shoppers x 32 items in `f32`, 1.15 s
//! at 136 GFLOP/s. Bytes are a quarter to read and a quarter to multiply, and sorting by length ends most
//! searches early.

use std::ops::Range;

use crate::ids::ItemIdx;
use crate::kernel::best::Best;
use crate::kernel::panel::{Looking, NO_ROW, Panels};
use crate::kernel::panel_products::products_at;
use crate::kernel::panel_screen::screen;
use crate::scorer::Scored;

/// Shoppers screened together: their sums over two panels fill the registers.
pub(super) const TOGETHER: usize = 12;
/// Survivors scored together.
const FLUSH: usize = 32;
/// Bytes of panels that all shoppers of a call go over before the next are fetched: they stay in the second-level cache.
const CACHED: usize = 256 << 10;
/// Up to so many wanted, the floor is raised whenever something came in.
const FEW: usize = 256;

/// What the rows are called, and who may have them.
pub(in crate::scorer) trait Admission {
    /// The item of a row, if it has one for shopper `u`.
    fn item(&self, u: usize, row: u32) -> Option<ItemIdx>;
    /// Whether shopper `u` may be shown the item.
    fn admits(&mut self, u: usize, item: ItemIdx) -> bool;
}

/// One shopper's search.
#[derive(Debug, Default)]
struct Seeker {
    best: Best,
    /// Rows that survived the screening.
    pending: Vec<u32>,
}

/// The buffers of searches, reused.
#[derive(Debug, Default)]
pub(in crate::scorer) struct Seeking {
    seekers: Vec<Seeker>,
    pub(super) products: Vec<f32>,
    alone: Looking<1>,
    together: Vec<Looking<TOGETHER>>,
    pub(super) order: Vec<Scored>,
}

impl Seeker {
    fn floor(&self) -> f64 {
        match self.best.least() {
            0 => f64::NEG_INFINITY,
            u64::MAX => f64::INFINITY,
            least => f64::from(Scored::of_key(least).score),
        }
    }

    fn flush(&mut self, u: usize, flat: &[f32], x: &[f32], products: &mut Vec<f32>, admission: &mut dyn Admission) {
        products.resize(self.pending.len(), 0.0);
        products_at(flat, &self.pending, x, products);
        for (&row, &product) in self.pending.iter().zip(&*products) {
            if product.is_finite()
                && let Some(item) = admission.item(u, row)
            {
                let key = Scored { item, score: product + 0.0 }.key();
                if self.best.wants(key) && admission.admits(u, item) {
                    self.best.push(key);
                }
            }
        }
        self.pending.clear();
        if self.best.k() <= FEW {
            self.best.shrink();
        }
    }

    #[inline]
    fn add(&mut self, rows: &[u32], mask: u16) {
        let mut left = mask;
        while left != 0 {
            let row = rows[left.trailing_zeros() as usize];
            if row != NO_ROW {
                self.pending.push(row);
            }
            left &= left - 1;
        }
    }
}

impl Seeking {
    /// Starts `n` searches for the best `k`.
    pub(in crate::scorer) fn start(&mut self, n: usize, k: usize) {
        self.seekers.resize_with(self.seekers.len().max(n), Seeker::default);
        for seeker in &mut self.seekers[..n] {
            seeker.best.reset(k);
            seeker.pending.clear();
        }
    }

    /// Offers an item from elsewhere to search `u`; answers with the score that the next must reach.
    pub(in crate::scorer) fn offer(&mut self, u: usize, scored: Scored, admission: &mut dyn Admission) -> f64 {
        let seeker = &mut self.seekers[u];
        let key = Scored { score: scored.score + 0.0, ..scored }.key();
        if scored.score.is_finite() && seeker.best.wants(key) && admission.admits(u, scored.item) {
            seeker.best.push(key);
        }
        seeker.floor()
    }

    /// Search `u`, of vector `x`, goes over the panels `of`; `flat` holds the vectors packed in them.
    pub(super) fn look(
        &mut self,
        u: usize,
        x: &[f32],
        flat: &[f32],
        panels: &Panels,
        of: impl Iterator<Item = Range<usize>>,
        admission: &mut dyn Admission,
    ) {
        let Self { seekers, products, alone, .. } = self;
        let seeker = &mut seekers[u];
        alone.reset(x.len());
        alone.set(0, x);
        if alone.is_looking(0) {
            alone.set_floor(0, seeker.floor());
            for range in of {
                screen::<1, 4>(panels, range, alone, &mut |_, panel, mask| {
                    seeker.add(panels.rows(panel), mask);
                    if seeker.pending.len() >= FLUSH {
                        seeker.flush(u, flat, x, products, admission);
                    }
                    seeker.floor()
                });
            }
        }
        seeker.flush(u, flat, x, products, admission);
    }

    /// The searches `0..n`, of the vectors that lie end to end in `xs`, go over all panels.
    pub(super) fn look_together(
        &mut self,
        n: usize,
        xs: &[f32],
        dim: usize,
        flat: &[f32],
        panels: &Panels,
        admission: &mut dyn Admission,
    ) {
        let Self { seekers, products, together, .. } = self;
        let groups = n.div_ceil(TOGETHER);
        let x = |u: usize| &xs[u * dim..(u + 1) * dim];
        together.resize_with(together.len().max(groups), Looking::default);
        for (g, looking) in together[..groups].iter_mut().enumerate() {
            looking.reset(dim);
            let first = g * TOGETHER;
            for (at, seeker) in seekers[first..n.min(first + TOGETHER)].iter().enumerate() {
                looking.set(at, x(first + at));
                if looking.is_looking(at) {
                    looking.set_floor(at, seeker.floor());
                }
            }
        }
        let chunk = (CACHED / panels.panel_bytes().max(1)).max(1);
        for start in (0..panels.len()).step_by(chunk) {
            for (g, looking) in together[..groups].iter_mut().enumerate() {
                screen::<TOGETHER, 2>(
                    panels,
                    start..panels.len().min(start + chunk),
                    looking,
                    &mut |at, panel, mask| {
                        let u = g * TOGETHER + at;
                        let seeker = &mut seekers[u];
                        seeker.add(panels.rows(panel), mask);
                        if seeker.pending.len() >= FLUSH {
                            seeker.flush(u, flat, x(u), products, admission);
                        }
                        seeker.floor()
                    },
                );
            }
        }
        for (u, seeker) in seekers[..n].iter_mut().enumerate() {
            seeker.flush(u, flat, x(u), products, admission);
        }
    }

    /// How many search `u` found.
    pub(super) fn found(&mut self, u: usize) -> usize {
        self.seekers[u].best.shrink();
        self.seekers[u].best.len()
    }

    /// What search `u` found, best first.
    pub(in crate::scorer) fn best(&mut self, u: usize) -> impl Iterator<Item = Scored> + '_ {
        self.seekers[u].best.sorted().iter().map(|&key| Scored::of_key(key))
    }
}
