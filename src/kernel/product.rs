//! Products of a sparse row, or a row, with a tall matrix of few columns.

use super::dispatch::vectorised;
use super::dot::{axpy, axpy4};

vectorised! {
    /// `out = Σ values[i] * dense[index[i]]`, over the rows of `out.len()` numbers of `dense`, which lie end to end.
    fn sparse_row = sparse_row_body(index: &[u32], values: &[f32], dense: &[f32], out: &mut [f32])
}

#[inline(always)]
fn sparse_row_body(index: &[u32], values: &[f32], dense: &[f32], out: &mut [f32]) {
    let dim = out.len();
    let row = |i: u32| &dense[i as usize * dim..(i as usize + 1) * dim];
    out.fill(0.0);
    let (by_four, rest) = (index.chunks_exact(4), index.len() - index.len() % 4);
    let tail = by_four.remainder();
    for (i, v) in by_four.zip(values.chunks_exact(4)) {
        axpy4([v[0], v[1], v[2], v[3]], [row(i[0]), row(i[1]), row(i[2]), row(i[3])], out);
    }
    for (&i, &v) in tail.iter().zip(&values[rest..]) {
        axpy(v, row(i), out);
    }
}

vectorised! {
    /// `out = Σ x[i] * dense[i]`, for a `dense` of `x.len()` rows of `out.len()` numbers.
    fn dense_row = dense_row_body(x: &[f32], dense: &[f32], out: &mut [f32])
}

#[inline(always)]
fn dense_row_body(x: &[f32], dense: &[f32], out: &mut [f32]) {
    let dim = out.len();
    out.fill(0.0);
    let by_four = x.len() - x.len() % 4;
    for (x, rows) in x.chunks_exact(4).zip(dense.chunks_exact(4 * dim.max(1))) {
        let (r0, rows) = rows.split_at(dim);
        let (r1, rows) = rows.split_at(dim);
        let (r2, r3) = rows.split_at(dim);
        axpy4([x[0], x[1], x[2], x[3]], [r0, r1, r2, r3], out);
    }
    for (&x, row) in x[by_four..].iter().zip(dense[by_four * dim..].chunks_exact(dim.max(1))) {
        axpy(x, row, out);
    }
}

vectorised! {
    /// `out += x * row`.
    fn add_scaled = add_scaled_body(x: f32, row: &[f32], out: &mut [f32])
}

#[inline(always)]
fn add_scaled_body(x: f32, row: &[f32], out: &mut [f32]) {
    axpy(x, row, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_the_plain_sums() {
        for rows in 0..10usize {
            for dim in [1usize, 3, 17] {
                // Small whole numbers: every order of additions is exact.
                let dense: Vec<f32> = (0..(rows + 3) * dim).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
                let x: Vec<f32> = (0..rows).map(|i| (i * 5 % 7) as f32 - 3.0).collect();
                let index: Vec<u32> = (0..rows as u32).map(|i| (i * 2) % (rows as u32 + 3)).collect();
                let (mut sparse, mut full) = (vec![9.0; dim], vec![9.0; dim]);
                sparse_row(&index, &x, &dense, &mut sparse);
                dense_row(&x, &dense, &mut full);
                let mut one_by_one = vec![0.0; dim];
                for (x, row) in x.iter().zip(dense.chunks_exact(dim)) {
                    add_scaled(*x, row, &mut one_by_one);
                }
                assert_eq!(full, one_by_one);
                for c in 0..dim {
                    let slow: f32 = index.iter().zip(&x).map(|(&i, x)| x * dense[i as usize * dim + c]).sum();
                    assert_eq!(sparse[c], slow);
                }
            }
        }
    }
}
