//! Sparse rows of shoppers, searchable from both sides: whose row is near this one?

use std::sync::atomic::Ordering;

use super::baskets::Baskets;
use crate::dataset::{Csr, Dataset, Row};
use crate::event::KindSet;
use crate::ids::{ItemIdx, UserIdx};
use crate::kernel::top_k::top_k;
use crate::run::{Cancelled, Run};
use crate::scorer::{Scored, Workspace};

/// A weight above 0 for some items of each shopper, by shopper and by item: 16 bytes a pair, 8 a shopper.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    rows: Csr,
    columns: Csr,
    /// The squared length of each row.
    squared: Vec<f32>,
    /// The rows with an entry, shortest first, equal ones by number.
    by_length: Vec<u32>,
}

/// Rows made by one task.
const BLOCK: usize = 256;

impl Rows {
    /// The row that `weigh` makes of each shopper's baskets, items ascending. In parallel, the same for any number of
    /// threads. `O(events)`.
    pub(super) fn build(
        data: &Dataset,
        kinds: KindSet,
        run: &Run<'_>,
        weigh: impl Fn(&mut Baskets, &mut Vec<Scored>) + Sync + Send,
    ) -> Result<Self, Cancelled> {
        let n_rows = data.n_rows();
        let init = || (Baskets::default(), Vec::new());
        let blocks = run.threads.map_with(n_rows.div_ceil(BLOCK), init, |(baskets, row), block| {
            if run.cancel.load(Ordering::Relaxed) {
                return Err(Cancelled);
            }
            let (mut lens, mut entries) = (Vec::with_capacity(BLOCK), Vec::new());
            for user in block * BLOCK..n_rows.min((block + 1) * BLOCK) {
                row.clear();
                weigh(baskets.of_row(data, UserIdx::new(user as u32), kinds), row);
                row.retain(|s| s.score > 0.0 && s.score.is_finite());
                lens.push(row.len());
                entries.extend_from_slice(row);
            }
            Ok((lens, entries))
        });
        let blocks = blocks.into_iter().collect::<Result<Vec<_>, _>>()?;
        let pairs = blocks.iter().map(|(_, entries)| entries.len()).sum();
        let mut rows = Csr::with_capacity(n_rows, pairs);
        for (lens, entries) in blocks {
            let mut entries = entries.into_iter();
            for len in lens {
                entries.by_ref().take(len).for_each(|s| rows.push(s.item.get(), s.score));
                rows.end_row();
            }
        }
        let squared: Vec<f32> = (0..n_rows).map(|row| rows.row(row).weights().iter().map(|w| w * w).sum()).collect();
        let mut by_length: Vec<u32> = (0..n_rows as u32).filter(|&row| !rows.row(row as usize).is_empty()).collect();
        by_length.sort_unstable_by(|&a, &b| squared[a as usize].total_cmp(&squared[b as usize]).then(a.cmp(&b)));
        Ok(Self { columns: rows.transposed(data.n_items()), rows, squared, by_length })
    }

    pub(super) fn row(&self, row: u32) -> Row<'_> {
        self.rows.row(row as usize)
    }

    pub(super) fn squared(&self, row: u32) -> f32 {
        self.squared[row as usize]
    }

    /// Hands each other row that shares an item to `f`, with the product `Σ f(own weight, its weight)` over shared items.
    /// `O(shoppers of the items)`.
    pub(super) fn each_product(
        &self,
        own: &[Scored],
        except: Option<UserIdx>,
        product: impl Fn(f32, f32) -> f32,
        ws: &mut Workspace,
        mut f: impl FnMut(u32, f32),
    ) {
        let mut sums = ws.take_accumulator(self.squared.len());
        for s in own {
            for (row, weight) in self.columns.row(s.item.as_usize()).iter() {
                sums.add(row, product(s.score, weight));
            }
        }
        let others = sums.iter().filter(|&(row, sum)| sum > 0.0 && except != Some(UserIdx::new(row)));
        others.for_each(|(row, sum)| f(row, sum));
        ws.give_accumulator(sums);
    }

    /// Puts into `out` the `k` rows nearest to `own` by Euclidean distance, nearest first, equal ones by number; `except` is
    /// left out, and so are empty rows. The "item" of an entry is the row.
    ///
    /// Exact without a look at every row: one that shares no item is the nearer the shorter it is, so of those only the
    /// shortest `k` matter. `O(shoppers of the items + k)`.
    pub(super) fn nearest(
        &self,
        own: &[Scored],
        except: Option<UserIdx>,
        k: usize,
        ws: &mut Workspace,
        out: &mut Vec<Scored>,
    ) {
        // |a - b|^2 = |a|^2 + |b|^2 - 2ab, of which |a|^2 is the same for all.
        let near = |row: u32, away: f32| Scored { item: ItemIdx::new(row), score: 0.0 - away };
        let mut sharing = ws.take_set(self.squared.len());
        self.each_product(
            own,
            except,
            |a, b| a * b,
            ws,
            |row, ab| {
                sharing.insert(ItemIdx::new(row));
                out.push(near(row, self.squared(row) - 2.0 * ab));
            },
        );
        let strangers = self.by_length.iter().copied();
        let strangers =
            strangers.filter(|&row| except != Some(UserIdx::new(row)) && !sharing.contains(ItemIdx::new(row)));
        out.extend(strangers.take(k).map(|row| near(row, self.squared(row))));
        ws.give_set(sharing);
        top_k(out, k, Scored::order);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.rows.heap_bytes() + self.columns.heap_bytes() + 4 * (self.squared.capacity() + self.by_length.capacity())
    }
}

crate::persist::portable!(Rows { rows, columns, squared, by_length }
    "an index beyond what it numbers" => |m| m.rows.is_sound(m.columns.rows())
        && m.columns.is_sound(m.rows.rows())
        && m.by_length.iter().all(|&row| (row as usize) < m.rows.rows()),
    "lengths that are not one a row" => |m| m.squared.len() == m.rows.rows());
