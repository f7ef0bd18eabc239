//! Inner products in one fixed order: factor after factor, each step one fused multiply-add.
//!
//! This is the sum that *is* the score of a factor model, wherever it is computed: for the candidates of a request, for
//! the survivors of a [screening](super::panel), for one shopper or a batch. Fused on every machine, in hardware or by
//! `f32::mul_add`, so it has the same bits everywhere. A sum of one row waits for itself: eight rows go side by side.

/// Rows that are summed side by side.
const ABREAST: usize = 8;

/// `x[0] y[0] + x[1] y[1] + ..`, over the shorter of the two.
#[inline(always)]
pub(crate) fn product(x: &[f32], y: &[f32]) -> f32 {
    x.iter().zip(y).fold(0.0, |sum, (x, y)| x.mul_add(*y, sum))
}

/// The [`product`] of `x` with the rows `index` of `rows`, which lie end to end, into `out`. Same bits as `product`.
pub(crate) fn products_at(rows: &[f32], index: &[u32], x: &[f32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn fused(rows: &[f32], index: &[u32], x: &[f32], out: &mut [f32]) {
            products_at_body(rows, index, x, out);
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            // SAFETY: `fused` is a safe function but for the instructions it is compiled to, and the machine was just
            // found to have them.
            #[allow(unsafe_code)]
            return unsafe { fused(rows, index, x, out) };
        }
    }
    products_at_body(rows, index, x, out);
}

#[inline(always)]
fn products_at_body(rows: &[f32], index: &[u32], x: &[f32], out: &mut [f32]) {
    let dim = x.len();
    let row = |i: u32| &rows[i as usize * dim..(i as usize + 1) * dim];
    let whole = index.len().min(out.len()) / ABREAST * ABREAST;
    for (index, out) in index[..whole].chunks_exact(ABREAST).zip(out[..whole].chunks_exact_mut(ABREAST)) {
        let [a, b, c, d, e, f, g, h] = [0, 1, 2, 3, 4, 5, 6, 7].map(|lane: usize| row(index[lane]));
        let mut sums = [0.0f32; ABREAST];
        for j in 0..dim {
            let at = [a[j], b[j], c[j], d[j], e[j], f[j], g[j], h[j]];
            for (sum, y) in sums.iter_mut().zip(at) {
                *sum = x[j].mul_add(y, *sum);
            }
        }
        out.copy_from_slice(&sums);
    }
    for (&i, out) in index[whole..].iter().zip(&mut out[whole..]) {
        *out = product(x, row(i));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::SplitMix64;

    #[test]
    fn every_path_gives_the_bits_of_the_plain_loop() {
        let mut rng = SplitMix64::new(5);
        for dim in [0usize, 1, 3, 16, 17, 64, 100] {
            let rows: Vec<f32> = (0..40 * dim).map(|_| rng.normal()).collect();
            let x: Vec<f32> = (0..dim).map(|_| rng.normal()).collect();
            for n in [0usize, 1, 7, 8, 9, 40] {
                let index: Vec<u32> = (0..n as u32).map(|i| i * 17 % 40).collect();
                let (mut fast, mut slow) = (vec![1.0; n], vec![2.0; n]);
                products_at(&rows, &index, &x, &mut fast);
                products_at_body(&rows, &index, &x, &mut slow);
                let plain: Vec<u32> = index
                    .iter()
                    .map(|&i| {
                        let mut sum = 0.0f32;
                        for j in 0..dim {
                            sum = x[j].mul_add(rows[i as usize * dim + j], sum);
                        }
                        sum.to_bits()
                    })
                    .collect();
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&fast), plain);
                assert_eq!(bits(&slow), plain);
            }
        }
    }
}
