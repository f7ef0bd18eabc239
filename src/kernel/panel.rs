//! Item vectors packed for screening: 16 items a panel, a byte a number, with a bound on what the bytes leave out.
//!
//! A product of bytes says what a [product](super::panel_products) in full is at most. [Screening](super::panel_screen)
//! multiplies the bytes and passes on the few items that may be among the best; those are scored in full, so the result is
//! that of a full scan, bit for bit, whatever the rounding of the bytes. Panels are sorted by the length of their longest
//! vector: once it is too short for the floor, so are all that follow.
//!
//! With `x = s q + e` and `y = t r + f` (`q`, `r` whole numbers), `x·y = s t q·r + e·(t r) + x·f`, so that
//!
//! ```text
//! x·y <= s t q·r + |e| |t r| + |x| |f|
//! ```
//!
//! and the computed sum exceeds that by at most `n 2^-24 |x| |y|` and a few denormals, which the bound holds too.

use bytemuck::{Pod, Zeroable};

use super::column::Column;
use super::panel_screen::CODE;

/// Items a panel.
pub(crate) const WIDE: usize = 16;
/// Numbers of an item that lie side by side: what one instruction multiplies and adds.
pub(super) const STEP: usize = 4;
/// A place without an item.
pub(crate) const NO_ROW: u32 = u32::MAX;
/// What is added to an item's whole numbers to store them without sign.
pub(super) const OFFSET: i32 = 128;
/// The largest whole number of an item.
const LARGEST: f64 = 127.0;
/// More than the rounding of the bounds themselves, which are summed in `f64`.
const SLACK: f64 = 1.0 + 1e-9;

/// What holds for all items of a panel.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Bounds {
    /// One over the scale of the whole numbers.
    pub(super) inverse: f64,
    /// The greatest length of a scaled vector of whole numbers.
    pub(super) coded: f64,
    /// The greatest length of what the whole numbers leave out, and of the rounding of a product in full.
    pub(super) lost: f64,
    /// The greatest length.
    pub(super) norm: f64,
}

/// Packed vectors: `factors + 6` bytes an item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panels {
    /// A panel's numbers, four an item by four an item.
    steps: usize,
    codes: Column<u8>,
    rows: Column<u32>,
    bounds: Vec<Bounds>,
}

/// What panels are made of, for a file.
pub(crate) struct Parts<'p> {
    pub(crate) steps: usize,
    pub(crate) codes: &'p Column<u8>,
    pub(crate) rows: &'p Column<u32>,
    /// Four a panel.
    pub(crate) bounds: &'p [f64],
}

/// The length of a vector; infinite or NaN when one of its numbers is.
pub(crate) fn length(y: &[f32]) -> f64 {
    y.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

impl Panels {
    /// No items, of vectors of `dim` numbers.
    pub(crate) fn new(dim: usize) -> Self {
        Self { steps: dim.div_ceil(STEP), ..Self::default() }
    }

    /// Packs `rows` of `flat`, longest first; returns the panels they went to. Vectors must be finite.
    pub(crate) fn pack(&mut self, flat: &[f32], dim: usize, rows: &mut [u32]) -> std::ops::Range<usize> {
        let vector = |row: u32| &flat[row as usize * dim..(row as usize + 1) * dim];
        rows.sort_by_cached_key(|&row| std::cmp::Reverse(length(vector(row)).to_bits())); // stable
        let first = self.len();
        for panel in rows.chunks(WIDE) {
            self.push(panel, vector, dim);
        }
        first..self.len()
    }

    fn push<'v>(&mut self, panel: &[u32], vector: impl Fn(u32) -> &'v [f32], dim: usize) {
        let largest = panel.iter().flat_map(|&row| vector(row)).fold(0.0f64, |m, &v| m.max(f64::from(v).abs()));
        let scale = if largest > 0.0 { largest / LARGEST } else { 1.0 };
        let mut bounds = Bounds { inverse: 1.0 / scale, coded: 0.0, lost: 0.0, norm: 0.0 };
        let codes = self.codes.own();
        let start = codes.len();
        codes.resize(start + self.steps * CODE, OFFSET as u8);
        for (lane, &row) in panel.iter().enumerate() {
            let (mut coded, mut lost) = (0.0f64, 0.0f64);
            for (j, &v) in vector(row).iter().enumerate() {
                let whole = (f64::from(v) / scale).round().clamp(-LARGEST, LARGEST);
                codes[start + j / STEP * CODE + lane * STEP + j % STEP] = (whole as i32 + OFFSET) as u8;
                coded += (whole * scale).powi(2);
                lost += (f64::from(v) - whole * scale).powi(2);
            }
            let norm = length(vector(row));
            bounds.coded = bounds.coded.max(coded.sqrt() * SLACK);
            bounds.lost = bounds.lost.max(lost.sqrt() * SLACK + rounding(dim) * norm);
            bounds.norm = bounds.norm.max(norm * SLACK);
        }
        self.bounds.push(bounds);
        let rows = self.rows.own();
        rows.extend_from_slice(panel);
        rows.resize(self.bounds.len() * WIDE, NO_ROW);
    }

    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts { steps: self.steps, codes: &self.codes, rows: &self.rows, bounds: bytemuck::cast_slice(&self.bounds) }
    }

    /// Panels of these parts; `None` when they are not equally many.
    pub(crate) fn of(steps: usize, codes: Column<u8>, rows: Column<u32>, bounds: &[f64]) -> Option<Self> {
        let bounds: Vec<Bounds> = bounds
            .as_chunks()
            .0
            .iter()
            .map(|&[inverse, coded, lost, norm]| Bounds { inverse, coded, lost, norm })
            .collect();
        let fits = steps.checked_mul(CODE).and_then(|size| size.checked_mul(bounds.len())) == Some(codes.len())
            && bounds.len().checked_mul(WIDE) == Some(rows.len());
        fits.then_some(Self { steps, codes, rows, bounds })
    }

    /// Whether it packs vectors of `dim` numbers, of rows below `rows`.
    pub(crate) fn is_sound(&self, rows: usize, dim: usize) -> bool {
        self.steps == dim.div_ceil(STEP) && self.rows.iter().all(|&row| row == NO_ROW || (row as usize) < rows)
    }

    /// How many panels.
    pub(crate) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// The rows of a panel, [`NO_ROW`] where it has none.
    #[inline]
    pub(crate) fn rows(&self, panel: usize) -> &[u32] {
        &self.rows[panel * WIDE..(panel + 1) * WIDE]
    }

    #[inline(always)]
    pub(super) fn codes(&self, panel: usize) -> &[[u8; CODE]] {
        let size = self.steps * CODE;
        self.codes[panel * size..(panel + 1) * size].as_chunks().0
    }

    #[inline(always)]
    pub(super) fn bounds(&self, panel: usize) -> &Bounds {
        &self.bounds[panel]
    }

    /// The length of a panel's longest vector, rounded up.
    pub(crate) fn longest(&self, panel: usize) -> f64 {
        self.bounds[panel].norm
    }

    /// Bytes a panel takes.
    pub(crate) const fn panel_bytes(&self) -> usize {
        self.steps * CODE
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.codes.capacity() + self.rows.capacity() * 4 + self.bounds.capacity() * size_of::<Bounds>()
    }
}

/// The rounding of a product in full, over the product of the lengths: twice the textbook bound.
fn rounding(dim: usize) -> f64 {
    (dim as f64 + 2.0) * f64::from(f32::EPSILON)
}

/// Shoppers whose best items are being looked for: `U` at a time, those not there with an infinite floor.
#[derive(Clone, Debug)]
pub(crate) struct Looking<const U: usize> {
    /// By step, then by shopper: four whole numbers in one.
    pub(super) codes: Vec<[i32; U]>,
    /// What an item must score to matter.
    pub(super) floor: [f64; U],
    pub(super) inverse: [f64; U],
    /// The length of what the whole numbers leave out.
    pub(super) lost: [f64; U],
    pub(super) norm: [f64; U],
    /// What the offset of the items adds to a product.
    pub(super) bias: [i32; U],
    /// What denormals may add to a product in full.
    pub(super) tiny: f64,
    dim: usize,
}

impl<const U: usize> Default for Looking<U> {
    fn default() -> Self {
        let (zeros, floor) = ([0.0; U], [f64::INFINITY; U]);
        let (lost, norm, inverse, bias) = (zeros, zeros, [1.0; U], [0; U]);
        Self { codes: Vec::new(), floor, inverse, lost, norm, bias, tiny: 0.0, dim: 0 }
    }
}

impl<const U: usize> Looking<U> {
    /// Nobody, with vectors of `dim` numbers.
    pub(crate) fn reset(&mut self, dim: usize) {
        let mut codes = std::mem::take(&mut self.codes);
        codes.clear();
        codes.resize(dim.div_ceil(STEP), [0; U]);
        *self = Self { codes, dim, tiny: (dim as f64 + 1.0) * 2f64.powi(-148), ..Self::default() };
    }

    /// Puts a shopper on place `u`. A vector with a number that is not finite finds nothing.
    pub(crate) fn set(&mut self, u: usize, x: &[f32]) {
        self.set_with(u, x, super::panel_screen::levels());
    }

    /// [`set`](Self::set) with whole numbers up to `levels`.
    pub(super) fn set_with(&mut self, u: usize, x: &[f32], levels: f64) {
        debug_assert_eq!(x.len(), self.dim);
        let norm = length(x);
        if !norm.is_finite() {
            return;
        }
        let largest = x.iter().fold(0.0f64, |m, &v| m.max(f64::from(v).abs()));
        let scale = if largest > 0.0 { largest / levels } else { 1.0 };
        let (mut lost, mut sum) = (0.0f64, 0i32);
        for (codes, x) in self.codes.iter_mut().zip(x.chunks(STEP)) {
            let mut bytes = [0u8; STEP];
            for (byte, &v) in bytes.iter_mut().zip(x) {
                let whole = (f64::from(v) / scale).round().clamp(-levels, levels);
                lost += (f64::from(v) - whole * scale).powi(2);
                sum += whole as i32;
                *byte = whole as i8 as u8;
            }
            codes[u] = i32::from_le_bytes(bytes);
        }
        self.floor[u] = f64::NEG_INFINITY;
        self.inverse[u] = 1.0 / scale;
        self.lost[u] = lost.sqrt() * SLACK;
        self.norm[u] = norm * SLACK;
        self.bias[u] = sum * OFFSET;
    }

    /// Whether there is a shopper on place `u` who can find anything.
    pub(crate) fn is_looking(&self, u: usize) -> bool {
        self.floor[u] < f64::INFINITY
    }

    /// What an item must score to matter to the shopper on place `u`.
    pub(crate) fn set_floor(&mut self, u: usize, floor: f64) {
        self.floor[u] = floor;
    }

    /// Whether a vector of that length may still matter to anybody.
    #[inline(always)]
    pub(super) fn hopes(&self, length: f64) -> bool {
        let slack = SLACK + rounding(self.dim);
        let hope = |u: usize| self.norm[u] * length * slack + self.tiny >= self.floor[u];
        (0..U).any(hope)
    }

    /// The product of whole numbers from which on an item of the panel may matter, by shopper.
    #[inline(always)]
    pub(super) fn thresholds(&self, b: &Bounds) -> [i32; U] {
        let mut out = [0; U];
        #[allow(clippy::needless_range_loop)] // five arrays in step, in lanes
        for u in 0..U {
            let error = self.lost[u] * b.coded + self.norm[u] * b.lost + self.tiny;
            let from = (self.floor[u] - error) * self.inverse[u] * b.inverse;
            // One less than it need be: the bound itself is rounded. `as` saturates.
            out[u] = ((from.floor() - 1.0) as i32).saturating_add(self.bias[u]);
        }
        out
    }
}
