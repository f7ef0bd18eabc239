//! [Screening](super::screen) on x86-64.

use std::arch::x86_64::*;

use super::*;

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn vnni<const U: usize, const P: usize>(
    panels: &Panels,
    of: Range<usize>,
    looking: &mut Looking<U>,
    hit: Hit<'_>,
) {
    walk::<U, P>(panels, of, looking, hit, |panels, x, thresholds| {
        // Plain loops: a closure handed to another function is not inlined there, where these instructions are not known.
        let mut sums = [[_mm512_setzero_si512(); U]; P];
        for step in 0..x.len() {
            let mut codes = [_mm512_setzero_si512(); P];
            for p in 0..P {
                // SAFETY: 64 bytes are read from an array of 64; no alignment is asked for.
                codes[p] = unsafe { _mm512_loadu_si512(panels[p][step].as_ptr().cast()) };
            }
            for u in 0..U {
                let x = _mm512_set1_epi32(x[step][u]);
                for p in 0..P {
                    sums[p][u] = _mm512_dpbusd_epi32(sums[p][u], codes[p], x);
                }
            }
        }
        let mut masks = [[0u16; U]; P];
        let mut any = 0;
        for p in 0..P {
            for u in 0..U {
                masks[p][u] = _mm512_cmpge_epi32_mask(sums[p][u], _mm512_set1_epi32(thresholds[p][u]));
                any |= masks[p][u];
            }
        }
        (masks, any != 0)
    });
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn avx2<const U: usize, const P: usize>(
    panels: &Panels,
    of: Range<usize>,
    looking: &mut Looking<U>,
    hit: Hit<'_>,
) {
    walk::<U, P>(panels, of, looking, hit, |panels, x, thresholds| {
        let ones = _mm256_set1_epi16(1);
        let mut masks = [[0u16; U]; P];
        let mut any = 0;
        // Four shoppers a panel are as many sums as there are registers for.
        for p in 0..P {
            for first in (0..U).step_by(4) {
                let mut low_sums = [_mm256_setzero_si256(); 4];
                let mut high_sums = [_mm256_setzero_si256(); 4];
                for step in 0..x.len() {
                    let at = panels[p][step].as_ptr();
                    // SAFETY: twice 32 bytes are read from an array of 64; no alignment is asked for.
                    let (low, high) = unsafe { (_mm256_loadu_si256(at.cast()), _mm256_loadu_si256(at.add(32).cast())) };
                    for i in 0..U.min(4) {
                        let x = _mm256_set1_epi32(x[step][(first + i).min(U - 1)]);
                        let low = _mm256_madd_epi16(_mm256_maddubs_epi16(low, x), ones);
                        let high = _mm256_madd_epi16(_mm256_maddubs_epi16(high, x), ones);
                        low_sums[i] = _mm256_add_epi32(low_sums[i], low);
                        high_sums[i] = _mm256_add_epi32(high_sums[i], high);
                    }
                }
                for i in 0..U.min(4).min(U - first) {
                    let threshold = _mm256_set1_epi32(thresholds[p][first + i]);
                    let low = _mm256_cmpgt_epi32(threshold, low_sums[i]);
                    let high = _mm256_cmpgt_epi32(threshold, high_sums[i]);
                    let low = _mm256_movemask_ps(_mm256_castsi256_ps(low));
                    let high = _mm256_movemask_ps(_mm256_castsi256_ps(high));
                    masks[p][first + i] = !((low | high << 8) as u16);
                    any |= masks[p][first + i];
                }
            }
        }
        (masks, any != 0)
    });
}
