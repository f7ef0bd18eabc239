//! Reusable scratch: after the first requests, nothing is allocated.

use std::any::Any;

use super::context::Touch;
use super::scores::{ItemSet, Scored};
use crate::kernel::accumulate::Accumulator;

/// Scratch space of one thread, handed down through a request.
///
/// Buffers are taken, used and given back; a buffer that is not given back is merely allocated again. Keep one a thread
/// and pass it to every request.
///
/// # Example
/// ```
/// let mut ws = likewise::Workspace::default();
/// let mut buffer = ws.take_floats(8); // eight zeros
/// buffer[0] = 1.0;
/// ws.give_floats(buffer);
/// ```
#[derive(Debug, Default)]
pub struct Workspace {
    floats: Vec<Vec<f32>>,
    indices: Vec<Vec<u32>>,
    scored: Vec<Vec<Scored>>,
    touches: Vec<Vec<Touch>>,
    accumulators: Vec<Accumulator>,
    sets: Vec<ItemSet>,
    own: Vec<Box<dyn Any + Send>>,
}

impl Workspace {
    /// `len` zeros.
    #[must_use]
    pub fn take_floats(&mut self, len: usize) -> Vec<f32> {
        let mut buffer = self.floats.pop().unwrap_or_default();
        buffer.clear();
        buffer.resize(len, 0.0);
        buffer
    }

    /// Gives a buffer back.
    pub fn give_floats(&mut self, buffer: Vec<f32>) {
        self.floats.push(buffer);
    }

    /// `len` zeros.
    #[must_use]
    pub fn take_indices(&mut self, len: usize) -> Vec<u32> {
        let mut buffer = self.indices.pop().unwrap_or_default();
        buffer.clear();
        buffer.resize(len, 0);
        buffer
    }

    /// Gives a buffer back.
    pub fn give_indices(&mut self, buffer: Vec<u32>) {
        self.indices.push(buffer);
    }

    /// An empty list of scored items.
    #[must_use]
    pub fn take_scored(&mut self) -> Vec<Scored> {
        let mut buffer = self.scored.pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Gives a buffer back.
    pub fn give_scored(&mut self, buffer: Vec<Scored>) {
        self.scored.push(buffer);
    }

    /// An empty list of touches.
    #[must_use]
    pub fn take_touches(&mut self) -> Vec<Touch> {
        let mut buffer = self.touches.pop().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Gives a buffer back.
    pub fn give_touches(&mut self, buffer: Vec<Touch>) {
        self.touches.push(buffer);
    }

    /// A cleared accumulator over `n` indices.
    pub(crate) fn take_accumulator(&mut self, n: usize) -> Accumulator {
        let mut accumulator = self.accumulators.pop().unwrap_or_default();
        accumulator.reset(n);
        accumulator
    }

    pub(crate) fn give_accumulator(&mut self, accumulator: Accumulator) {
        self.accumulators.push(accumulator);
    }

    /// An empty set over `n_items` items.
    pub(crate) fn take_set(&mut self, n_items: usize) -> ItemSet {
        let mut set = self.sets.pop().unwrap_or_default();
        set.reset(n_items);
        set
    }

    pub(crate) fn give_set(&mut self, set: ItemSet) {
        self.sets.push(set);
    }

    /// Scratch of a type of your own: what was given back before, or a new default.
    ///
    /// ```
    /// #[derive(Default)]
    /// struct MyScratch(Vec<u64>);
    /// let mut ws = likewise::Workspace::default();
    /// let mut mine = ws.take::<MyScratch>();
    /// mine.0.push(1);
    /// ws.give(mine);
    /// assert_eq!(ws.take::<MyScratch>().0, [1]); // content is kept: clear what you need cleared
    /// ```
    #[must_use]
    pub fn take<T: Any + Send + Default>(&mut self) -> Box<T> {
        let at = self.own.iter().position(|own| (**own).is::<T>());
        let own = at.map(|at| self.own.swap_remove(at));
        own.and_then(|own| (own as Box<dyn Any>).downcast().ok()).unwrap_or_default()
    }

    /// Gives scratch of your own back.
    pub fn give<T: Any + Send>(&mut self, own: Box<T>) {
        self.own.push(own);
    }
}
