//! Sixteen `f32` lanes with fused multiply-add: one vector of AVX-512, two of AVX2, or an array.
//!
//! A kernel written over [`Lanes`] is compiled once for each (see [`fused`](super::fused)). Every operation is defined
//! lane by lane, every sum of lanes as one tree, and a multiply-add always rounds once: all three give the same bits.

/// Lanes of a vector.
pub(crate) const LANES: usize = 16;

/// What a vector is loaded from and stored to. Fastest at addresses that 64 divides, right at any.
pub(crate) type Block = [f32; LANES];

/// A vector of sixteen lanes.
pub(crate) trait Lanes: Copy {
    fn splat(v: f32) -> Self;
    fn load(from: &Block) -> Self;
    fn store(self, to: &mut Block);
    fn add(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `self + a * b`, rounded once.
    fn fma(self, a: Self, b: Self) -> Self;
    /// `self - a * b`, rounded once.
    fn fnma(self, a: Self, b: Self) -> Self;
    /// The lanes from `first` on; zeros before.
    fn tail(self, first: usize) -> Self;
    /// Lane `i` is the sum of the lanes of `v[i]`: those eight apart first, then four, two, one.
    fn sums(v: [Self; LANES]) -> Self;

    /// Asks for a block in the second-level cache.
    #[inline(always)]
    fn prefetch(_: &Block) {}

    #[inline(always)]
    fn zero() -> Self {
        Self::splat(0.0)
    }

    /// The sum of the lanes, in the order of [`sums`](Lanes::sums).
    #[inline(always)]
    fn sum(self) -> f32 {
        let mut out = [0.0; LANES];
        self.store(&mut out);
        fold(out)
    }
}

#[inline(always)]
fn fold(mut lanes: Block) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// For any machine; `f32::mul_add` where there is no such instruction is slow but the same.
#[derive(Clone, Copy)]
pub(crate) struct Portable(Block);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Lanes for Portable {
    #[inline(always)]
    fn splat(v: f32) -> Self {
        Self([v; LANES])
    }
    #[inline(always)]
    fn load(from: &Block) -> Self {
        Self(*from)
    }
    #[inline(always)]
    fn store(self, to: &mut Block) {
        *to = self.0;
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| a.0[i].mul_add(b.0[i], self.0[i])))
    }
    #[inline(always)]
    fn fnma(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| (-a.0[i]).mul_add(b.0[i], self.0[i])))
    }
    #[inline(always)]
    fn tail(self, first: usize) -> Self {
        Self(std::array::from_fn(|i| if i < first { 0.0 } else { self.0[i] }))
    }
    #[inline(always)]
    fn sums(v: [Self; LANES]) -> Self {
        Self(v.map(|v| fold(v.0)))
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86 {
    //! SAFETY of every block here: the instructions exist, since `fused!` makes these types the parameter of a kernel
    //! only after the machine was found to have them, and nobody else names them but tests that ask the same; loads and
    //! stores go to a whole `Block` and need no alignment.

    use std::arch::x86_64::*;

    use super::{Block, LANES, Lanes};

    /// One register. Needs `avx512f`.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512);

    impl Lanes for Avx512 {
        #[inline(always)]
        fn splat(v: f32) -> Self {
            unsafe { Self(_mm512_set1_ps(v)) }
        }
        #[inline(always)]
        fn load(from: &Block) -> Self {
            unsafe { Self(_mm512_loadu_ps(from.as_ptr())) }
        }
        #[inline(always)]
        fn store(self, to: &mut Block) {
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { Self(_mm512_add_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            unsafe { Self(_mm512_div_ps(self.0, other.0)) }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            unsafe { Self(_mm512_sqrt_ps(self.0)) }
        }
        #[inline(always)]
        fn fma(self, a: Self, b: Self) -> Self {
            unsafe { Self(_mm512_fmadd_ps(a.0, b.0, self.0)) }
        }
        #[inline(always)]
        fn fnma(self, a: Self, b: Self) -> Self {
            unsafe { Self(_mm512_fnmadd_ps(a.0, b.0, self.0)) }
        }
        #[inline(always)]
        fn prefetch(block: &Block) {
            unsafe { _mm_prefetch::<_MM_HINT_T1>(block.as_ptr().cast()) }
        }

        #[inline(always)]
        fn tail(self, first: usize) -> Self {
            unsafe { Self(_mm512_maskz_mov_ps((0xffff_u32 << first.min(LANES)) as u16, self.0)) }
        }

        /// Quarters of vectors travel together, so that each addition adds for as many sums as fit: quarter `q` of what
        /// `quarters(p)` gives belongs to `v[4 q + p]`.
        #[inline(always)]
        fn sums(v: [Self; LANES]) -> Self {
            unsafe {
                let q0 = quarters(v[0].0, v[4].0, v[8].0, v[12].0);
                let q1 = quarters(v[1].0, v[5].0, v[9].0, v[13].0);
                let q2 = quarters(v[2].0, v[6].0, v[10].0, v[14].0);
                let q3 = quarters(v[3].0, v[7].0, v[11].0, v[15].0);
                let (a, b) = (two_apart(q0, q1), two_apart(q2, q3));
                let even = _mm512_shuffle_ps::<0b10_00_10_00>(a, b);
                Self(_mm512_add_ps(even, _mm512_shuffle_ps::<0b11_01_11_01>(a, b)))
            }
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe {
                let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self.0)));
                sum8(_mm256_add_ps(_mm512_castps512_ps256(self.0), high))
            }
        }
    }

    /// Two registers. Needs `avx2` and `fma`.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256, __m256);

    impl Lanes for Avx2 {
        #[inline(always)]
        fn splat(v: f32) -> Self {
            let v = unsafe { _mm256_set1_ps(v) };
            Self(v, v)
        }
        #[inline(always)]
        fn load(from: &Block) -> Self {
            unsafe { Self(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
        }
        #[inline(always)]
        fn store(self, to: &mut Block) {
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), self.0);
                _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
            }
        }
        #[inline(always)]
        fn add(self, other: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn mul(self, other: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn div(self, other: Self) -> Self {
            unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            unsafe { Self(_mm256_sqrt_ps(self.0), _mm256_sqrt_ps(self.1)) }
        }
        #[inline(always)]
        fn fma(self, a: Self, b: Self) -> Self {
            unsafe { Self(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
        }
        #[inline(always)]
        fn fnma(self, a: Self, b: Self) -> Self {
            unsafe { Self(_mm256_fnmadd_ps(a.0, b.0, self.0), _mm256_fnmadd_ps(a.1, b.1, self.1)) }
        }
        #[inline(always)]
        fn prefetch(block: &Block) {
            unsafe { _mm_prefetch::<_MM_HINT_T1>(block.as_ptr().cast()) }
        }

        #[inline(always)]
        fn tail(self, first: usize) -> Self {
            let mut all = [0.0; LANES];
            self.store(&mut all);
            all[..first.min(LANES)].fill(0.0);
            Self::load(&all)
        }

        #[inline(always)]
        fn sums(v: [Self; LANES]) -> Self {
            unsafe {
                let lower = eight_sums(std::array::from_fn(|i| v[i]));
                Self(lower, eight_sums(std::array::from_fn(|i| v[8 + i])))
            }
        }

        #[inline(always)]
        fn sum(self) -> f32 {
            unsafe { sum8(_mm256_add_ps(self.0, self.1)) }
        }
    }

    /// The lanes of four vectors, those eight and then four apart added: a quarter each.
    #[inline(always)]
    unsafe fn quarters(a: __m512, b: __m512, c: __m512, d: __m512) -> __m512 {
        unsafe {
            let ab =
                _mm512_add_ps(_mm512_shuffle_f32x4::<0b01_00_01_00>(a, b), _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b));
            let cd =
                _mm512_add_ps(_mm512_shuffle_f32x4::<0b01_00_01_00>(c, d), _mm512_shuffle_f32x4::<0b11_10_11_10>(c, d));
            let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
            _mm512_add_ps(even, _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd))
        }
    }

    #[inline(always)]
    unsafe fn two_apart(a: __m512, b: __m512) -> __m512 {
        unsafe {
            let low = _mm512_shuffle_ps::<0b01_00_01_00>(a, b);
            _mm512_add_ps(low, _mm512_shuffle_ps::<0b11_10_11_10>(a, b))
        }
    }

    #[inline(always)]
    unsafe fn eight_sums([a, b, c, d, e, f, g, h]: [Avx2; 8]) -> __m256 {
        unsafe {
            let (ae, bf) = (halves(a, e), halves(b, f));
            let (cg, dh) = (halves(c, g), halves(d, h));
            let (low, high) = (two_apart256(ae, bf), two_apart256(cg, dh));
            let even = _mm256_shuffle_ps::<0b10_00_10_00>(low, high);
            _mm256_add_ps(even, _mm256_shuffle_ps::<0b11_01_11_01>(low, high))
        }
    }

    /// The lanes of two vectors, those eight and then four apart added: a half each.
    #[inline(always)]
    unsafe fn halves(a: Avx2, b: Avx2) -> __m256 {
        unsafe {
            let (a, b) = (_mm256_add_ps(a.0, a.1), _mm256_add_ps(b.0, b.1));
            _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b))
        }
    }

    #[inline(always)]
    unsafe fn two_apart256(a: __m256, b: __m256) -> __m256 {
        unsafe {
            let low = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
            _mm256_add_ps(low, _mm256_shuffle_ps::<0b11_10_11_10>(a, b))
        }
    }

    /// The sum of eight lanes: four apart first, then two, one. Needs `avx2`.
    #[inline(always)]
    unsafe fn sum8(v: __m256) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fused::fused;
    use crate::kernel::rng::SplitMix64;

    fused! {
        fn everything = everything_body(v: &[Block; LANES]) -> Vec<u32>
    }

    /// Each operation once, as bits.
    #[inline(always)]
    fn everything_body<L: Lanes>(v: &[Block; LANES]) -> Vec<u32> {
        let x: [L; LANES] = [
            L::load(&v[0]),
            L::load(&v[1]),
            L::load(&v[2]),
            L::load(&v[3]),
            L::load(&v[4]),
            L::load(&v[5]),
            L::load(&v[6]),
            L::load(&v[7]),
            L::load(&v[8]),
            L::load(&v[9]),
            L::load(&v[10]),
            L::load(&v[11]),
            L::load(&v[12]),
            L::load(&v[13]),
            L::load(&v[14]),
            L::load(&v[15]),
        ];
        let squares = x[5].mul(x[5]);
        let all = [
            L::sums(x),
            x[0].fma(x[1], x[2]),
            x[0].fnma(x[1], x[2]),
            x[3].add(x[4]),
            x[3].mul(x[4]),
            x[3].div(x[4]),
            squares.sqrt(),
            L::splat(x[6].sum()),
            x[7].tail(0),
            x[7].tail(5),
            x[7].tail(16),
            L::zero(),
        ];
        let mut out = [0.0; LANES];
        all.iter()
            .flat_map(|x| {
                x.store(&mut out);
                out.map(f32::to_bits)
            })
            .collect()
    }

    #[test]
    fn every_width_gives_the_same_bits() {
        let mut rng = SplitMix64::new(8);
        for _ in 0..200 {
            let v: [Block; LANES] = std::array::from_fn(|_| std::array::from_fn(|_| rng.normal()));
            let slow = everything_body::<Portable>(&v);
            assert_eq!(everything(&v), slow);
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                assert_eq!(everything_body::<Avx2>(&v), slow);
            }
            for (sum, v) in slow.iter().zip(&v) {
                approx::assert_relative_eq!(f32::from_bits(*sum), v.iter().sum::<f32>(), epsilon = 1e-5);
            }
        }
    }
}
