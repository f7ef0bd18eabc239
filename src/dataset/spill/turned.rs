//! Rows by item in files, for a dataset whose columns are mapped: the result a stretch at a time, each by a pass over all
//! entries.

use super::SpillError;
use super::columns::{Brought, Home};
use super::files::Scratch;
use crate::dataset::matrix::Csr;
use crate::dataset::turn::starts;
use crate::kernel::column::Column;
use bytemuck::Pod;

/// Bytes of the shortest stretch.
pub(super) const LEAST: u64 = 4096;

/// The pairs by item; where each item's events begin and the last one's end; the events by item. `room` bytes may be held
/// beside [`LEAST`].
pub(super) fn by_item(
    brought: &Brought,
    n_items: usize,
    scratch: &Scratch,
    room: u64,
) -> Result<(Csr, Vec<u64>, Column<u32>), SpillError> {
    let room = usize::try_from(room + LEAST).unwrap_or(usize::MAX);
    let (offsets, pair, pair_weight) = brought.by_user.columns();
    let item: &[u32] = bytemuck::cast_slice(&brought.table.item);
    let item_starts = starts(item, n_items);
    let events = turned(item, &item_starts, scratch, "item-events", room, || |event| event as u32)?;
    let pair_starts = starts(pair, n_items);
    let index = turned(pair, &pair_starts, scratch, "item-pairs", room, || {
        let mut row = 0;
        move |entry| {
            while offsets[row + 1] <= entry as u64 {
                row += 1;
            }
            row as u32
        }
    })?;
    let weight = turned(pair, &pair_starts, scratch, "item-weights", room, || |entry: usize| pair_weight[entry])?;
    Ok((Csr::of(pair_starts.into(), index, weight), item_starts, events))
}

/// What `each` says of every entry, which it is asked in order once a pass, by column.
fn turned<T: Pod, F: FnMut(usize) -> T>(
    column: &[u32],
    starts: &[u64],
    scratch: &Scratch,
    name: &str,
    room: usize,
    each: impl Fn() -> F,
) -> Result<Column<T>, SpillError> {
    let mut file = scratch.file(name)?;
    let stretch = (room / size_of::<T>()).clamp(1, column.len().max(1));
    let (mut out, mut next) = (vec![T::zeroed(); stretch], Vec::with_capacity(starts.len()));
    for first in (0..column.len()).step_by(stretch) {
        let out = &mut out[..stretch.min(column.len() - first)];
        next.clear();
        next.extend_from_slice(starts);
        let mut each = each();
        for (entry, &c) in column.iter().enumerate() {
            let value = each(entry);
            let at = &mut next[c as usize];
            if let Some(out) = (*at as usize).checked_sub(first).and_then(|at| out.get_mut(at)) {
                *out = value;
            }
            *at += 1;
        }
        file.append(out)?;
    }
    Home::Mapped.bring(file.finish()?)
}
