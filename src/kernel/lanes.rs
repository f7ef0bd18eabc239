//! Sixteen `f32` lanes with fused multiply-add: one vector of AVX-512, two of AVX2, four of NEON, or an array.
//!
//! A kernel written over [`Lanes`] is compiled once for each (see [`fused`](super::fused)). Every operation is defined
//! lane by lane, every sum of lanes as one tree, and a multiply-add always rounds once: all of them give the same bits.

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

#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod neon;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

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
            #[cfg(target_arch = "aarch64")]
            assert_eq!(everything_body::<Neon>(&v), slow);
            for (sum, v) in slow.iter().zip(&v) {
                approx::assert_relative_eq!(f32::from_bits(*sum), v.iter().sum::<f32>(), epsilon = 1e-5);
            }
        }
    }
}
