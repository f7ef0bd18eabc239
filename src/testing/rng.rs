//! Numbers that look random and are the same on every machine, forever: integers and exactly rounded operations only.

/// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
#[derive(Clone, Debug)]
pub(super) struct SplitMix(u64);

impl SplitMix {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    #[inline]
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Below `n`, which is above 0: the high half of a product (Lemire 2019, without the rejection: the bias is
    /// `n / 2^32`).
    #[inline]
    pub(super) const fn below(&mut self, n: u32) -> u32 {
        (((self.next() >> 32) * n as u64) >> 32) as u32
    }

    /// From 0 up to, not including, 1.
    #[inline]
    pub(super) const fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `true` in `share` of all cases.
    #[inline]
    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A fixed number for a fixed question, such as "the brand of item 7".
pub(super) const fn hash(seed: u64, question: u64, of: u64) -> u64 {
    mix(mix(seed ^ mix(question)).wrapping_add(of.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Draws rank `r` of `0..n` with probability proportional to `(r + 1)^-exponent`, in O(1): an alias table
/// (Walker 1977, Vose 1991), 8 bytes a rank.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    /// Keep the rank if 32 random bits are below; otherwise take the alias.
    rows: Vec<(u32, u32)>,
}

impl Zipf {
    /// `n` above 0.
    pub(super) fn new(n: u32, exponent: f64) -> Self {
        let mut log = 0.0;
        let mut weights: Vec<f64> = Vec::with_capacity(n as usize);
        for rank in 1..=u64::from(n) {
            if rank > 1 {
                log += log_step(rank as f64);
            }
            weights.push(exp_minus(exponent * log));
        }
        let total: f64 = weights.iter().sum();
        let mut share: Vec<f64> = weights.iter().map(|w| w * f64::from(n) / total).collect();
        let mut rows: Vec<(u32, u32)> = (0..n).map(|rank| (u32::MAX, rank)).collect();
        let (mut poor, mut rich): (Vec<u32>, Vec<u32>) = (0..n).partition(|&rank| share[rank as usize] < 1.0);
        while let (Some(&small), Some(&large)) = (poor.last(), rich.last()) {
            poor.pop();
            let kept = share[small as usize];
            rows[small as usize] = ((kept * 4_294_967_296.0) as u32, large);
            share[large as usize] -= 1.0 - kept;
            if share[large as usize] < 1.0 {
                rich.pop();
                poor.push(large);
            }
        }
        Self { rows }
    }

    #[inline]
    pub(super) fn draw(&self, rng: &mut SplitMix) -> u32 {
        let bits = rng.next();
        let rank = (((bits >> 32) * self.rows.len() as u64) >> 32) as usize;
        let (keep, alias) = self.rows[rank];
        if (bits as u32) < keep { rank as u32 } else { alias }
    }
}

/// `ln(k) - ln(k - 1)`, as `2 artanh(1 / (2k - 1))`.
fn log_step(k: f64) -> f64 {
    let x = 1.0 / (2.0 * k - 1.0);
    let (mut term, mut sum) = (x, 0.0);
    let mut odd = 1.0;
    while term > 1e-18 {
        sum += term / odd;
        term *= x * x;
        odd += 2.0;
    }
    2.0 * sum
}

/// `e^-x` for `x >= 0`: halved until small, then the series, then squared back. `std`'s may differ by machine.
fn exp_minus(x: f64) -> f64 {
    const HALVINGS: i32 = 10;
    let small = -x / f64::from(1 << HALVINGS);
    let (mut term, mut sum) = (1.0, 1.0);
    for i in 1..14 {
        term *= small / f64::from(i);
        sum += term;
    }
    (0..HALVINGS).fold(sum, |power, _| power * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut rng = SplitMix::new(1_234_567);
        let first = [rng.next(), rng.next(), rng.next()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn own_functions_agree_with_std() {
        let mut log = 0.0;
        for k in 2..2000 {
            log += log_step(f64::from(k));
            assert!((log - f64::from(k).ln()).abs() < 1e-12);
            assert!((exp_minus(log) * f64::from(k) - 1.0).abs() < 1e-10);
        }
    }

    #[test]
    fn ranks_are_drawn_as_often_as_they_should() {
        let zipf = Zipf::new(50, 1.1);
        let mut rng = SplitMix::new(7);
        let mut drawn = [0u32; 50];
        (0..1_000_000).for_each(|_| drawn[zipf.draw(&mut rng) as usize] += 1);
        let total: f64 = (1..=50).map(|k| f64::from(k).powf(-1.1)).sum();
        for (rank, &n) in drawn.iter().enumerate() {
            let expected = 1e6 * (rank as f64 + 1.0).powf(-1.1) / total;
            assert!((f64::from(n) - expected).abs() < 5.0 * expected.sqrt(), "rank {rank}: {n} for {expected}");
        }
    }
}
