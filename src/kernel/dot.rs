//! Inner products of `f32` slices, summed in 16 lanes so that the compiler vectorises them under strict float rules.

const LANES: usize = 16;

/// `sum(a[i] * b[i])` over the shorter of the two, always in the same order of additions.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut lanes = [0.0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    // Pairwise, so that the rounding does not depend on how many lanes the machine has.
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0] + tail
}

/// `y += a * x`.
#[inline(always)]
pub(crate) fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `y += a[0] * x[0] + .. + a[3] * x[3]`: four [`axpy`]s for one pass over `y`. All slices are as long as `y`.
#[inline(always)]
pub(crate) fn axpy4(a: [f32; 4], x: [&[f32]; 4], y: &mut [f32]) {
    let n = y.len();
    let [x0, x1, x2, x3] = x.map(|x| &x[..n]);
    for j in 0..n {
        y[j] += (a[0] * x0[j] + a[1] * x1[j]) + (a[2] * x2[j] + a[3] * x3[j]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_plain_sum(v in prop::collection::vec((-4i8..4, -4i8..4), 0..70)) {
            // Small whole numbers: every order of additions is exact.
            let (a, b): (Vec<f32>, Vec<f32>) = v.iter().map(|&(x, y)| (f32::from(x), f32::from(y))).unzip();
            let plain: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            prop_assert_eq!(dot(&a, &b), plain);
            let mut y = b.clone();
            axpy(2.0, &a, &mut y);
            prop_assert!(y.iter().zip(a.iter().zip(&b)).all(|(y, (a, b))| *y == 2.0 * a + b));
            axpy4([1.0, -2.0, 3.0, 5.0], [&a, &b, &b, &a], &mut y);
            prop_assert!(y.iter().zip(a.iter().zip(&b)).all(|(y, (a, b))| *y == 8.0 * a + 2.0 * b));
        }
    }
}
