//! Events in files: what was held when the share of the budget was full, by shopper.

use bytemuck::{Pod, Zeroable};
use xxhash_rust::xxh3::xxh3_64;

use super::SpillError;
use super::files::{Kept, Scratch};
use crate::dataset::builder::DatasetBuilder;
use crate::dataset::rows::NO_SESSION;
use crate::dataset::table::EventTable;
use crate::ids::{ItemIdx, UserIdx};

/// An event in a file: 34 bytes.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, packed)]
pub(super) struct Record {
    at: i64,
    /// Hash of the session's key; 0 for none. Sessions are told apart within one shopper's events only: for a shopper of
    /// 10,000 sessions the chance that two of them are taken for one is 3 in 10^12.
    session: u64,
    user: u32,
    item: u32,
    quantity: f32,
    value: f32,
    kind: u8,
    channel: u8,
}

/// Records written and read at once, at most.
const CHUNK: usize = 2048;

/// Writes the events a builder holds, by shopper and of one shopper in the order of arrival.
pub(super) fn write(held: &DatasetBuilder, scratch: &mut Scratch) -> Result<Kept, SpillError> {
    let hashes: Vec<u64> = held.sessions.iter().map(|key| xxh3_64(key.as_bytes()).max(1)).collect();
    let mut order: Vec<u64> =
        (0u64..).zip(held.user.iter()).map(|(place, user)| u64::from(user.get()) << 32 | place).collect();
    order.sort_unstable(); // no two are the same
    let mut file = scratch.numbered()?;
    let mut records = Vec::with_capacity(CHUNK.min(order.len()));
    let table = &held.table;
    for places in order.chunks(CHUNK) {
        records.clear();
        records.extend(places.iter().map(|&place| {
            let (user, place) = ((place >> 32) as u32, place as u32 as usize);
            let session = held.session[place];
            Record {
                at: table.at[place],
                session: if session == NO_SESSION { 0 } else { hashes[session as usize] },
                user,
                item: table.item[place].get(),
                quantity: table.quantity.get(place),
                value: table.value.get(place).0,
                kind: table.kind[place],
                channel: table.channel.get(place),
            }
        }));
        if let Err(error) = file.append(&records) {
            file.discard(); // what it was to hold is still in memory
            return Err(error);
        }
    }
    file.finish()
}

/// Where the events of shoppers before each of `bounds` end in a run: it ascends, and the last is beyond all.
pub(super) fn cuts(run: &Kept, bounds: &[u32]) -> Result<Vec<usize>, SpillError> {
    let (mut reading, n) = (run.open()?, run.len::<Record>());
    let mut from = 0;
    bounds
        .iter()
        .map(|&bound| {
            // Steps that double, then halving: bounds are near each other where there are many.
            let (mut lo, mut step) = (from, 1);
            let mut hi = loop {
                let at = lo + step - 1;
                if at >= n {
                    break n;
                }
                if reading.one::<Record>(at)?.user >= bound {
                    break at;
                }
                lo = at + 1;
                step *= 2;
            };
            while lo < hi {
                let middle = lo + (hi - lo) / 2;
                if reading.one::<Record>(middle)?.user < bound { lo = middle + 1 } else { hi = middle }
            }
            from = lo;
            Ok(lo)
        })
        .collect()
}

/// Events read again, in the order they arrived as far as one shopper's go.
pub(super) struct Events {
    pub(super) user: Vec<UserIdx>,
    pub(super) session: Vec<u64>,
    pub(super) table: EventTable,
}

impl Events {
    pub(super) fn with_room(n: usize) -> Self {
        Self { user: Vec::with_capacity(n), session: Vec::with_capacity(n), table: EventTable::with_room(n) }
    }

    /// Reads records `from..to` of a run.
    pub(super) fn read(&mut self, run: &Kept, from: usize, to: usize) -> Result<(), SpillError> {
        if from == to {
            return Ok(());
        }
        let mut reading = run.open()?;
        let mut records = vec![Record::zeroed(); CHUNK.min(to - from)];
        for first in (from..to).step_by(CHUNK) {
            let records = &mut records[..CHUNK.min(to - first)];
            reading.read(first, records)?;
            for r in records {
                self.user.push(UserIdx::new(r.user));
                self.session.push(r.session);
                self.table.push(ItemIdx::new(r.item), r.kind, r.at, r.quantity, r.value, r.channel);
            }
        }
        Ok(())
    }
}
