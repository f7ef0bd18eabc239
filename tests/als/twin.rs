//! The whole algorithm once more, slowly: dense matrices in `f64`, elimination, the published formulas.

use likewise::*;

pub(crate) type Matrix = Vec<Vec<f64>>;

pub(crate) fn confidence(p: &AlsParams, r: f64) -> f64 {
    let t = if p.confidence == Confidence::Log { (1.0 + r).log2() } else { r };
    p.alpha0 + p.alpha * t
}

/// Confidence of every pair (shopper by item) and whether it was observed; no row for those without any pair.
pub(crate) fn dense(p: &AlsParams, data: &Dataset) -> Vec<Vec<(f64, bool)>> {
    let weight = |u: usize, i| data.items_of(UserIdx::new(u as u32)).get(i as u32);
    let cell = |u, i| weight(u, i).map_or((p.alpha0, false), |r| (confidence(p, r.into()), true));
    (0..data.n_rows()).map(|u| (0..data.n_items()).map(|i| cell(u, i)).collect()).collect()
}

fn ridge(p: &AlsParams, row: &[(f64, bool)]) -> f64 {
    let total: f64 = row.iter().map(|cell| cell.0).sum();
    p.regularization * total.powf(p.frequency_exponent)
}

fn eliminate(mut m: Matrix) -> Vec<f64> {
    let n = m.len();
    for k in 0..n {
        for i in (0..n).filter(|&i| i != k) {
            let f = m[i][k] / m[k][k];
            (k..=n).for_each(|j| m[i][j] -= f * m[k][j]);
        }
    }
    (0..n).map(|i| m[i][n] / m[i][i]).collect()
}

pub(crate) fn solve_row(p: &AlsParams, row: &[(f64, bool)], fixed: &Matrix) -> Vec<f64> {
    let dim = p.factors as usize;
    let mut m = vec![vec![0.0; dim + 1]; dim];
    for (&(c, observed), y) in row.iter().zip(fixed) {
        for i in 0..dim {
            (0..dim).for_each(|j| m[i][j] += c * y[i] * y[j]);
            m[i][dim] += if observed { c * y[i] } else { 0.0 };
        }
    }
    (0..dim).for_each(|i| m[i][i] += ridge(p, row));
    eliminate(m)
}

pub(crate) fn transpose(cells: &[Vec<(f64, bool)>]) -> Vec<Vec<(f64, bool)>> {
    (0..cells[0].len()).map(|i| cells.iter().map(|row| row[i]).collect()).collect()
}

pub(crate) fn objective(p: &AlsParams, cells: &[Vec<(f64, bool)>], x: &Matrix, y: &Matrix) -> f64 {
    let mut sum = 0.0;
    for (row, x) in cells.iter().zip(x) {
        for (&(c, observed), y) in row.iter().zip(y) {
            let s: f64 = x.iter().zip(y).map(|(a, b)| a * b).sum();
            sum += c * (f64::from(u8::from(observed)) - s).powi(2);
        }
    }
    let squares = |v: &[f64]| v.iter().map(|a| a * a).sum::<f64>();
    sum += cells.iter().zip(x).map(|(row, x)| ridge(p, row) * squares(x)).sum::<f64>();
    sum + transpose(cells).iter().zip(y).map(|(row, y)| ridge(p, row) * squares(y)).sum::<f64>()
}

/// The starting vectors, written anew from their definition.
pub(crate) fn start(p: &AlsParams, rows: usize, seed: u64) -> Matrix {
    let mix = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    };
    let row = |r: u64| {
        let mut state = mix(mix(seed).wrapping_add(r));
        let mut normal = || {
            let mut sum = 0.0;
            for _ in 0..3 {
                state = state.wrapping_add(0x9e3779b97f4a7c15);
                let bits = mix(state);
                sum += (0..4).map(|k| ((bits >> (16 * k)) & 0xffff) as f64 - 32767.5).sum::<f64>();
            }
            sum / 65536.0
        };
        (0..p.factors).map(|_| normal() * p.init_std / f64::from(p.factors).sqrt()).collect()
    };
    (0..rows as u64).map(row).collect()
}

pub(crate) fn fit(p: &AlsParams, data: &Dataset, seed: u64) -> (Matrix, Matrix) {
    let by_user = dense(p, data);
    let by_item = transpose(&by_user);
    let mut x = start(p, data.n_rows(), seed);
    let mut y = Matrix::new();
    for _ in 0..p.iterations {
        y = by_item.iter().map(|row| solve_row(p, row, &x)).collect();
        x = by_user.iter().map(|row| solve_row(p, row, &y)).collect();
    }
    (x, y)
}
