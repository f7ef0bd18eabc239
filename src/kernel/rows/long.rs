//! Exactly, by as many unknowns as there are factors: the matrix is formed and factored.

use super::{Own, Room, Shared, combine, factor, room};
use crate::kernel::fused::fused;
use crate::kernel::gram::add_rows_body;
use crate::kernel::lanes::{Block, LANES, Lanes};

/// Observed rows gathered before they are added to the matrix.
const STRIP: usize = 64;

fused! {
    /// Puts the solution into `x`, whatever that held.
    fn long = long_body(shared: &Shared<'_>, own: &Own<'_>, at: &mut Room, x: &mut [Block])
}

#[inline(always)]
pub(super) fn long_body<L: Lanes>(shared: &Shared<'_>, own: &Own<'_>, at: &mut Room, x: &mut [Block]) {
    let width = shared.width;
    let x = &mut x[..width];
    shared.foresee::<L>(own);
    let matrix = room(&mut at.matrix, width * LANES * width);
    let scaled = room(&mut at.scaled, STRIP * width);
    let terms = room(&mut at.terms, STRIP / LANES);
    matrix.fill([0.0; LANES]);
    x.fill([0.0; LANES]);
    for (index, excess) in own.index.chunks(STRIP).zip(own.excess.chunks(STRIP)) {
        for (j, (to, &excess)) in scaled.chunks_exact_mut(width).zip(excess).enumerate() {
            let root = L::splat(excess.sqrt());
            for (to, y) in to.iter_mut().zip(shared.row(index[j])) {
                L::load(y).mul(root).store(to);
            }
        }
        add_rows_body::<L>(&scaled[..index.len() * width], width, matrix);
        for (term, excess) in terms.as_flattened_mut().iter_mut().zip(excess) {
            *term = shared.base + excess;
        }
        combine::<L>(shared, index, terms, x);
    }
    if let Some(mean) = own.mean {
        for (x, mean) in x.iter_mut().zip(mean) {
            L::load(x).fma(L::splat(own.ridge), L::load(mean)).store(x);
        }
    }
    let flat = matrix.as_flattened_mut();
    for (k, value) in shared.values.as_flattened().iter().enumerate() {
        flat[k * width * LANES + k] += value + own.ridge;
    }
    let inverse = room(&mut at.vectors, width);
    factor::solve::<L>(matrix, width * LANES, width, x, inverse);
}
