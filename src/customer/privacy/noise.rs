//! Whole-numbered noise, sampled exactly from uniform bits (Canonne, Kamath & Steinke 2020, algorithms 1 to 3).
//!
//! Every decision is a comparison of whole numbers, so that the distribution is the one of the proof, not its rounding.

/// Uniform bits, 64 at a time.
pub(super) type Bits<'a> = dyn FnMut() -> u64 + 'a;

/// A whole number below `n` (above 0), each as likely as the other.
fn below(n: u128, bits: &mut Bits<'_>) -> u128 {
    let wide = n > u128::from(u64::MAX);
    // The largest multiple of n: what lies beyond is drawn again.
    let (all, draws) = if wide { (u128::MAX, 2) } else { (u128::from(u64::MAX), 1) };
    let rest = (all % n + 1) % n;
    loop {
        let mut drawn = u128::from(bits());
        if draws == 2 {
            drawn = drawn << 64 | u128::from(bits());
        }
        if drawn <= all - rest {
            return drawn % n;
        }
    }
}

/// True with probability `num / den`; `den` above 0.
fn coin(num: u128, den: u128, bits: &mut Bits<'_>) -> bool {
    below(den, bits) < num
}

/// True with probability `exp(-num / den)`, for `num ≤ den`: algorithm 1.
fn coin_exp_small(num: u128, den: u128, bits: &mut Bits<'_>) -> bool {
    let mut k: u128 = 1;
    // The k-th coin falls with num / (den k).
    while below(k, bits) == 0 && coin(num, den, bits) {
        k += 1;
    }
    k % 2 == 1
}

/// True with probability `exp(-num / den)`.
fn coin_exp(num: u128, den: u128, bits: &mut Bits<'_>) -> bool {
    for _ in 0..num / den {
        if !coin_exp_small(1, 1, bits) {
            return false;
        }
    }
    coin_exp_small(num % den, den, bits)
}

/// Discrete Laplace noise: `P(x) ∝ exp(-|x| s / t)`: algorithm 2. `s` and `t` above 0.
pub(super) fn laplace(s: u64, t: u64, bits: &mut Bits<'_>) -> i64 {
    let (s, t) = (u128::from(s), u128::from(t));
    loop {
        let part = below(t, bits);
        if !coin_exp_small(part, t, bits) {
            continue;
        }
        let mut whole: u128 = 0;
        while coin_exp_small(1, 1, bits) {
            whole += 1;
        }
        let size = (part + t * whole) / s;
        let negative = coin(1, 2, bits);
        if negative && size == 0 {
            continue;
        }
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        return if negative { -size } else { size };
    }
}

/// Discrete Gaussian noise: `P(x) ∝ exp(-x² / (2 σ²))` with `σ² = num / den`: algorithm 3.
/// `0 < num ≤ 2^44`, `0 < den ≤ 2^10`.
pub(super) fn gaussian(num: u64, den: u64, bits: &mut Bits<'_>) -> i64 {
    let t = (num / den).isqrt() + 1;
    let (n, d, wide) = (u128::from(num), u128::from(den), u128::from(t));
    loop {
        let x = laplace(1, t, bits);
        // exp(-(|x| - σ²/t)² / (2 σ²)) = exp(-(|x| t d - n)² / (2 n d t²))
        let off = (u128::from(x.unsigned_abs()) * wide * d).abs_diff(n);
        // Beyond 2^63 the coin is tails: its exponent is above 2^30 for every σ allowed.
        if off < 1 << 63 && coin_exp(off * off, 2 * n * d * wide * wide, bits) {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::rng::SplitMix64;

    fn seeded(seed: u64) -> impl FnMut() -> u64 {
        let mut rng = SplitMix64::new(seed);
        move || rng.next()
    }

    /// χ² of draws against a law on the whole numbers, the tails beyond ±reach in one cell each.
    fn chi_square(draw: impl Fn(&mut Bits<'_>) -> i64, law: impl Fn(i64) -> f64, reach: i64) -> (f64, usize) {
        const DRAWS: usize = 40_000;
        let mut bits = seeded(7);
        let mut seen = vec![0.0f64; (2 * reach + 1) as usize];
        for _ in 0..DRAWS {
            seen[(draw(&mut bits).clamp(-reach, reach) + reach) as usize] += 1.0;
        }
        let total: f64 = (-2000..=2000).map(&law).sum();
        let mut expected = vec![0.0f64; seen.len()];
        (-2000..=2000).for_each(|x: i64| expected[(x.clamp(-reach, reach) + reach) as usize] += law(x) / total);
        let chi = seen.iter().zip(&expected).map(|(o, e)| (o - e * DRAWS as f64).powi(2) / (e * DRAWS as f64)).sum();
        (chi, seen.len() - 1)
    }

    #[test]
    fn laplace_has_its_law() {
        for (s, t) in [(1u64, 1u64), (1, 3), (2, 3), (7, 5)] {
            let rate = s as f64 / t as f64;
            let reach = (6.0 / rate) as i64 + 1;
            let (chi, cells) = chi_square(|bits| laplace(s, t, bits), |x| (-rate * x.abs() as f64).exp(), reach);
            assert!(chi < cells as f64 + 4.0 * (2.0 * cells as f64).sqrt(), "{s}/{t}: {chi} of {cells}");
        }
    }

    #[test]
    fn gaussian_has_its_law() {
        for (num, den) in [(1u64, 4u64), (1, 1), (7, 2), (40, 1)] {
            let variance = num as f64 / den as f64;
            let reach = (2.5 * variance.sqrt()) as i64 + 1;
            let law = |x: i64| (-(x * x) as f64 / (2.0 * variance)).exp();
            let (chi, cells) = chi_square(|bits| gaussian(num, den, bits), law, reach);
            assert!(chi < cells as f64 + 4.0 * (2.0 * cells as f64).sqrt(), "{num}/{den}: {chi} of {cells}");
        }
    }

    #[test]
    fn the_largest_noise_is_finite() {
        let mut bits = seeded(3);
        let sizes: Vec<f64> = (0..200).map(|_| gaussian(1 << 44, 1 << 10, &mut bits) as f64).collect();
        let mean_square = sizes.iter().map(|x| x * x).sum::<f64>() / 200.0;
        let variance = f64::from(1u32 << 30) * 16.0;
        assert!(mean_square > variance * 0.7 && mean_square < variance * 1.4, "{mean_square} {variance}");
    }

    #[test]
    fn numbers_below_are_even() {
        let mut bits = seeded(1);
        let mut seen = [0u32; 3];
        (0..30_000).for_each(|_| seen[below(3, &mut bits) as usize] += 1);
        assert!(seen.iter().all(|&n| n.abs_diff(10_000) < 400), "{seen:?}");
        assert!((0..100).all(|_| below(1, &mut bits) == 0));
        // Near the end of the range, where a remainder would favour small numbers most.
        let n = u128::from(u64::MAX) / 3 * 2;
        let low = (0..10_000).filter(|_| below(n, &mut bits) < n / 2).count();
        assert!(low.abs_diff(5_000) < 300, "{low}");
        assert!(below(u128::MAX, &mut bits) > 0);
    }
}
