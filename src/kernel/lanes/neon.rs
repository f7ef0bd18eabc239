//! [Lanes](super::Lanes) of AArch64.
//!
//! SAFETY of every block here: NEON is part of every AArch64 this crate is compiled for; loads and stores go to a whole
//! `Block` and need no alignment beyond that of its numbers.

use std::arch::aarch64::*;

use super::{Block, LANES, Lanes};

/// Four registers.
#[derive(Clone, Copy)]
pub(crate) struct Neon([float32x4_t; 4]);

impl Neon {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(float32x4_t, float32x4_t) -> float32x4_t) -> Self {
        let (a, b) = (self.0, other.0);
        Self([f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])])
    }

    /// The lanes eight, then four apart, added.
    #[inline(always)]
    fn four(self) -> float32x4_t {
        let [a, b, c, d] = self.0;
        unsafe { vaddq_f32(vaddq_f32(a, c), vaddq_f32(b, d)) }
    }
}

impl Lanes for Neon {
    #[inline(always)]
    fn splat(v: f32) -> Self {
        Self([unsafe { vdupq_n_f32(v) }; 4])
    }
    #[inline(always)]
    fn load(from: &Block) -> Self {
        let at = from.as_ptr();
        unsafe { Self([vld1q_f32(at), vld1q_f32(at.add(4)), vld1q_f32(at.add(8)), vld1q_f32(at.add(12))]) }
    }
    #[inline(always)]
    fn store(self, to: &mut Block) {
        let at = to.as_mut_ptr();
        unsafe {
            vst1q_f32(at, self.0[0]);
            vst1q_f32(at.add(4), self.0[1]);
            vst1q_f32(at.add(8), self.0[2]);
            vst1q_f32(at.add(12), self.0[3]);
        }
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { vaddq_f32(a, b) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { vmulq_f32(a, b) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| unsafe { vdivq_f32(a, b) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.zip(self, |a, _| unsafe { vsqrtq_f32(a) })
    }
    #[inline(always)]
    fn fma(self, a: Self, b: Self) -> Self {
        let (s, a, b) = (self.0, a.0, b.0);
        Self(std::array::from_fn(|i| unsafe { vfmaq_f32(s[i], a[i], b[i]) }))
    }
    #[inline(always)]
    fn fnma(self, a: Self, b: Self) -> Self {
        let (s, a, b) = (self.0, a.0, b.0);
        Self(std::array::from_fn(|i| unsafe { vfmsq_f32(s[i], a[i], b[i]) }))
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
        Self(std::array::from_fn(|i| unsafe {
            four_sums(v[4 * i].four(), v[4 * i + 1].four(), v[4 * i + 2].four(), v[4 * i + 3].four())
        }))
    }

    #[inline(always)]
    fn sum(self) -> f32 {
        unsafe {
            let four = self.four();
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vget_lane_f32::<0>(vpadd_f32(two, two))
        }
    }
}

/// Lane `i` is the sum of the lanes of the `i`-th vector: two apart first, then one.
#[inline(always)]
unsafe fn four_sums(a: float32x4_t, b: float32x4_t, c: float32x4_t, d: float32x4_t) -> float32x4_t {
    unsafe {
        let ab = two_apart(a, b);
        let cd = two_apart(c, d);
        vpaddq_f32(ab, cd)
    }
}

/// The lanes two apart of two vectors, added: a half each.
#[inline(always)]
unsafe fn two_apart(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    unsafe {
        let low = vcombine_f32(vget_low_f32(a), vget_low_f32(b));
        vaddq_f32(low, vcombine_f32(vget_high_f32(a), vget_high_f32(b)))
    }
}
