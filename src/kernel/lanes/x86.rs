//! [Lanes](super::Lanes) of x86-64.
//!
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
