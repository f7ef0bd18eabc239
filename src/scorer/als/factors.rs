//! The vectors of one side: shoppers or items.

use ndarray::Array2;

use crate::kernel::dot::dot;
use crate::kernel::top_k::top_k;

/// One vector a row, with its length: `4 x (factors + 1)` bytes a row. A vector of zeros means "nothing is known".
#[derive(Clone)]
pub(super) struct Factors {
    of: Array2<f32>,
    norms: Vec<f32>,
}

impl Factors {
    pub(super) fn new(of: Array2<f32>) -> Self {
        let norms = of.rows().into_iter().map(|row| row.to_slice().map_or(0.0, |y| dot(y, y).sqrt())).collect();
        Self { of, norms }
    }

    /// All vectors, end to end.
    pub(super) fn flat(&self) -> &[f32] {
        self.of.as_slice().unwrap_or_default() // always in row-major order
    }

    /// Whether anything is known about a row.
    #[inline]
    pub(super) fn is_known(&self, row: usize) -> bool {
        self.norms.get(row).is_some_and(|&norm| norm > 0.0)
    }

    /// The vector of a row, if anything is known about it.
    #[inline]
    pub(super) fn known(&self, row: usize) -> Option<&[f32]> {
        let dim = self.of.ncols();
        self.is_known(row).then(|| &self.flat()[row * dim..(row + 1) * dim])
    }

    pub(super) fn cosine(&self, a: usize, b: usize) -> Option<f32> {
        let cosine = dot(self.known(a)?, self.known(b)?) / (self.norms[a] * self.norms[b]);
        cosine.is_finite().then(|| cosine.clamp(-1.0, 1.0))
    }

    /// The `k` rows of `among` whose vectors point most nearly where that of `row` does, itself left out.
    pub(super) fn most_alike(&self, row: usize, among: impl Iterator<Item = usize>, k: usize) -> Vec<(u32, f32)> {
        let others = among.filter(|&other| other != row);
        let mut alike: Vec<_> = others.filter_map(|o| self.cosine(row, o).map(|c| (o as u32, c))).collect();
        top_k(&mut alike, k, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        alike
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.of.len() * size_of::<f32>() + self.norms.capacity() * size_of::<f32>()
    }
}
