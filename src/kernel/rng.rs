//! Random numbers for starting values: few, seeded, and the same on every machine for ever.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of splitmix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// splitmix64.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    #[cfg(test)]
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// One of many generators under one seed, so that the numbers of row `stream` depend on no other row.
    pub(crate) const fn stream(seed: u64, stream: u64) -> Self {
        Self(mix(mix(seed).wrapping_add(stream)))
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Below `n` (above 0), evenly but for one part in 2^64 / n.
    #[inline]
    pub(crate) const fn below(&mut self, n: usize) -> usize {
        ((self.next() as u128 * n as u128) >> 64) as usize
    }

    /// From 0 to 1, both left out.
    pub(crate) fn unit(&mut self) -> f32 {
        ((self.next() >> 41) as f32 + 0.5) / (1u32 << 23) as f32
    }

    /// Mean 0, variance 1, nearly normal: the sum of twelve uniform 16-bit numbers (Irwin–Hall). Whole-number
    /// arithmetic only, so no platform's logarithm or cosine gets a say.
    pub(crate) fn normal(&mut self) -> f32 {
        const MEAN: i32 = 6 * 0xffff;
        let mut sum = 0;
        for _ in 0..3 {
            let bits = self.next();
            sum += (0..4).map(|part| (bits >> (16 * part) & 0xffff) as i32).sum::<i32>();
        }
        (sum - MEAN) as f32 / 65536.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_first_numbers() {
        // The reference implementation's output for seed 1234567.
        let mut rng = SplitMix64::new(1_234_567);
        assert_eq!([rng.next(), rng.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn even_numbers_stay_inside_and_reach_both_ends() {
        let mut rng = SplitMix64::new(3);
        let mut met = [0u32; 7];
        for _ in 0..7_000 {
            met[rng.below(7)] += 1;
            let u = rng.unit();
            assert!(u > 0.0 && u < 1.0);
        }
        assert!(met.iter().all(|n| (900..1100).contains(n)), "{met:?}");
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn normal_numbers_have_the_moments_and_never_change() {
        let mut rng = SplitMix64::stream(1, 2);
        let v: Vec<f64> = (0..100_000).map(|_| rng.normal().into()).collect();
        let moment = |k| v.iter().map(|x| x.powi(k)).sum::<f64>() / v.len() as f64;
        assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.02 && moment(3).abs() < 0.05);
        assert!((moment(4) - 2.9).abs() < 0.1, "an Irwin-Hall sum of twelve has kurtosis 2.9, not {}", moment(4));
        let first: Vec<u32> = (0..3).map(|_| SplitMix64::stream(7, 0)).map(|mut r| r.normal().to_bits()).collect();
        assert!(first.windows(2).all(|w| w[0] == w[1]));
        assert_ne!(SplitMix64::stream(7, 1).normal(), SplitMix64::stream(7, 0).normal());
    }
}
