//! Items grouped around means of their vectors: k-means, started from items spread evenly over the catalogue.
//!
//! The same lists for any number of threads: an item goes to the nearest mean by an exact search with ties to the first, and
//! means are summed in `f64` in the order of the items.
//!
//! 2026-11-22, a synthetic shop of 100,000 items, 64 factors, 632 lists, the best 20 of 1,000 shoppers: a thirty-second of the
//! lists finds 95.3 % of them, a sixteenth 98.6 %, an eighth 99.2 %; a sixty-fourth too few items, so that all lists are looked
//! through. The exact search beats them all there, its long vectors being few: hence `Index::reach`.

use std::ops::Range;

use super::Retrieval;
use super::index::Index;
use super::seek::{Admission, Seeking, TOGETHER};
use crate::ids::ItemIdx;
use crate::kernel::panel::Panels;
use crate::kernel::panel_products::products_at;
use crate::kernel::top_k::top_k_first;
use crate::run::{Parallelism, Run};
use crate::scorer::Scored;

/// Items a list that the means are learned from.
const SAMPLE: usize = 32;
/// Rounds of learning the means.
const ROUNDS: usize = 6;
/// Items a task.
const CHUNK: usize = 64 * TOGETHER;

/// Which panels hold the items near to which mean.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    probes: usize,
    /// 0, 1, 2 and so on, one a list.
    numbers: Vec<u32>,
    /// End to end.
    means: Vec<f32>,
    ranges: Vec<Range<usize>>,
}

impl Lists {
    /// Groups `rows` and packs them list by list.
    pub(super) fn new(
        lists: usize,
        probes: usize,
        flat: &[f32],
        dim: usize,
        rows: Vec<u32>,
        panels: &mut Panels,
        run: &Run<'_>,
    ) -> Self {
        let vector = |row: u32| &flat[row as usize * dim..(row as usize + 1) * dim];
        let evenly = |n: usize| (0..n).map(|i| rows[i * rows.len() / n]).collect::<Vec<u32>>();
        let sample = evenly(rows.len().min(lists * SAMPLE));
        let mut means: Vec<f32> = evenly(lists).iter().flat_map(|&row| vector(row)).copied().collect();
        for _ in 0..ROUNDS {
            let nearest = assign(&means, flat, dim, &sample, run.threads);
            let mut sums = vec![0.0f64; means.len()];
            let mut counts = vec![0u32; lists];
            for (&row, &list) in sample.iter().zip(&nearest) {
                counts[list as usize] += 1;
                let sum = &mut sums[list as usize * dim..(list as usize + 1) * dim];
                sum.iter_mut().zip(vector(row)).for_each(|(sum, &v)| *sum += f64::from(v));
            }
            // A list that lost all its items keeps its mean.
            for ((mean, sum), &n) in means.chunks_exact_mut(dim).zip(sums.chunks_exact(dim)).zip(&counts) {
                if n > 0 {
                    mean.iter_mut().zip(sum).for_each(|(mean, sum)| *mean = (sum / f64::from(n)) as f32);
                }
            }
        }
        let mut grouped = vec![Vec::new(); lists];
        for (&row, &list) in rows.iter().zip(&assign(&means, flat, dim, &rows, run.threads)) {
            grouped[list as usize].push(row);
        }
        let ranges = grouped.iter_mut().map(|list| panels.pack(flat, dim, list)).collect();
        Self { probes, numbers: (0..lists as u32).collect(), means, ranges }
    }

    /// Puts all lists into `order`, those to look through in front; how many these are. Lists stand in for items.
    pub(super) fn nearest(&self, x: &[f32], products: &mut Vec<f32>, order: &mut Vec<Scored>) -> usize {
        products.resize(self.numbers.len(), 0.0);
        products_at(&self.means, &self.numbers, x, products);
        order.clear();
        order.extend(self.numbers.iter().zip(&*products).map(|(&list, &product)| {
            let score = if product.is_finite() { product } else { f32::MIN };
            Scored { item: ItemIdx::new(list), score }
        }));
        top_k_first(order, self.probes, Scored::order);
        self.probes
    }

    pub(super) fn range(&self, list: usize) -> Range<usize> {
        self.ranges[list].clone()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        (self.means.capacity() + self.numbers.capacity()) * 4 + self.ranges.capacity() * size_of::<Range<usize>>()
    }
}

/// The list of each row: that of the nearest mean. `|y - c|²` is least where `y·c - |c|²/2` is largest: a search for the best
/// one, with one more number a vector.
fn assign(means: &[f32], flat: &[f32], dim: usize, rows: &[u32], threads: Parallelism) -> Vec<u32> {
    let mut targets = Vec::with_capacity(means.len() / dim * (dim + 1));
    for mean in means.chunks_exact(dim) {
        targets.extend_from_slice(mean);
        let square: f64 = mean.iter().map(|&v| f64::from(v).powi(2)).sum();
        targets.push((-square / 2.0).max(f64::from(f32::MIN)) as f32);
    }
    let lists = (0..(means.len() / dim) as u32).collect();
    let Some(index) = Index::new(Retrieval::Exact, &targets, dim + 1, lists, &Run::new(0)) else {
        return vec![0; rows.len()];
    };
    let scratch = || (Seeking::default(), Vec::new());
    let found = threads.map_with(rows.len().div_ceil(CHUNK), scratch, |(seeking, xs), chunk| {
        let rows = &rows[chunk * CHUNK..rows.len().min((chunk + 1) * CHUNK)];
        xs.clear();
        for &row in rows {
            xs.extend_from_slice(&flat[row as usize * dim..(row as usize + 1) * dim]);
            xs.push(1.0);
        }
        seeking.start(rows.len(), 1);
        index.search(seeking, rows.len(), xs, &targets, &mut Anybody);
        (0..rows.len()).map(|u| seeking.best(u).next().map_or(0, |best| best.item.get())).collect::<Vec<u32>>()
    });
    found.into_iter().flatten().collect()
}

/// Every row is an item, and everybody may have it.
pub(super) struct Anybody;

impl Admission for Anybody {
    fn item(&self, _: usize, row: u32) -> Option<ItemIdx> {
        Some(ItemIdx::new(row))
    }

    fn admits(&mut self, _: usize, _: ItemIdx) -> bool {
        true
    }
}

impl Lists {
    /// Whether every list is within the panels, and has a mean.
    pub(super) fn is_within(&self, panels: usize, dim: usize) -> bool {
        self.ranges.iter().all(|range| range.start <= range.end && range.end <= panels)
            && self.numbers.len() == self.ranges.len()
            && self.numbers.iter().zip(0..).all(|(&number, place)| number == place)
            && self.ranges.len().checked_mul(dim) == Some(self.means.len())
            && self.probes <= self.ranges.len()
    }
}

impl crate::persist::Portable for Lists {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        out.part("probes", &self.probes)?;
        out.part("numbers", &self.numbers)?;
        out.part("means", &self.means)?;
        out.part("starts", &self.ranges.iter().map(|range| range.start).collect::<Vec<_>>())?;
        out.part("ends", &self.ranges.iter().map(|range| range.end).collect::<Vec<_>>())
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        let (starts, ends): (Vec<usize>, Vec<usize>) = (from.part("starts")?, from.part("ends")?);
        if starts.len() != ends.len() {
            return Err(from.unsound("has lists without an end"));
        }
        Ok(Self {
            probes: from.part("probes")?,
            numbers: from.part("numbers")?,
            means: from.part("means")?,
            ranges: starts.into_iter().zip(ends).map(|(start, end)| start..end).collect(),
        })
    }
}
