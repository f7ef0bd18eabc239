//! How sure is a mean? Resampled cases, and flipped signs.

use crate::kernel::rng::SplitMix64;
use crate::run::Run;

/// Values by case (row) and metric (column); NaN where a metric is undefined for a case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    pub(super) columns: usize,
    pub(super) of: Vec<f64>,
}

impl Values {
    pub(super) fn rows(&self) -> usize {
        self.of.len().checked_div(self.columns).unwrap_or(0)
    }

    pub(super) fn column(&self, column: usize) -> impl Iterator<Item = f64> + '_ {
        self.of.iter().skip(column).step_by(self.columns.max(1)).copied()
    }

    /// Mean over the rows where it is defined, and how many these are.
    pub(super) fn mean(&self, column: usize) -> (Option<f64>, usize) {
        let (sum, n) = self.column(column).filter(|v| !v.is_nan()).fold((0.0, 0), |(s, n), v| (s + v, n + 1));
        ((n > 0).then(|| sum / n as f64), n)
    }

    /// The percentile bootstrap interval of every column's mean (Efron & Tibshirani 1993, ch. 13): rows are drawn with
    /// replacement, whole, `resamples` times. `O(resamples × rows × columns)`.
    pub(super) fn intervals(&self, resamples: usize, level: f64, run: &Run<'_>) -> Vec<Option<(f64, f64)>> {
        let (n, m) = (self.rows(), self.columns);
        // Undefined values count 0, and a column of ones beside them counts how many were drawn.
        let partly: Vec<usize> = (0..m).filter(|&c| self.column(c).any(f64::is_nan)).collect();
        let width = m + partly.len();
        let mut table = Vec::with_capacity(n * width);
        for row in self.of.chunks_exact(m.max(1)) {
            table.extend(row.iter().map(|v| if v.is_nan() { 0.0 } else { *v }));
            table.extend(partly.iter().map(|&c| if row[c].is_nan() { 0.0 } else { 1.0 }));
        }
        let replicate = |number: usize| {
            let mut rng = SplitMix64::stream(run.seed, number as u64);
            let mut sums = vec![0.0; width];
            for _ in 0..n {
                let row = rng.below(n) * width;
                sums.iter_mut().zip(&table[row..row + width]).for_each(|(sum, v)| *sum += v);
            }
            let (values, counts) = sums.split_at_mut(m);
            values.iter_mut().for_each(|sum| *sum /= n as f64);
            partly.iter().zip(counts).for_each(|(&c, drawn)| values[c] *= n as f64 / *drawn);
            sums.truncate(m);
            sums
        };
        let drawn = if n == 0 { Vec::new() } else { run.threads.map(resamples, replicate) };
        let interval = |column: usize| {
            let mut means: Vec<f64> = drawn.iter().map(|means| means[column]).filter(|mean| mean.is_finite()).collect();
            means.sort_unstable_by(f64::total_cmp);
            let tail = (1.0 - level) / 2.0;
            Some((quantile(&means, tail)?, quantile(&means, 1.0 - tail)?))
        };
        (0..m).map(interval).collect()
    }
}

/// Linear between the two nearest of the sorted values.
fn quantile(sorted: &[f64], at: f64) -> Option<f64> {
    let place = at * sorted.len().checked_sub(1)? as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

/// The two-sided p-value of "the differences are symmetric about 0": how often their sum is as far from 0 when each sign
/// is a coin's (Fisher's paired randomisation; Smucker, Allan & Carterette 2007, CIKM). Exact where there are no more
/// than `permutations` ways, else `(1 + as far) / (1 + permutations)`.
pub(super) fn sign_flip(differences: &[f64], permutations: usize, run: &Run<'_>) -> f64 {
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let sum = |bits: &mut dyn FnMut() -> u64| {
        let mut sums = [0.0; 4];
        for block in moved.chunks(64) {
            let signs = bits();
            for (place, d) in block.iter().enumerate() {
                sums[place % 4] += f64::from_bits(d.to_bits() ^ (signs >> place & 1) << 63);
            }
        }
        sums.iter().sum::<f64>().abs()
    };
    // Sums of the same numbers in another order of signs differ in their last bits: what is equal must count as equal.
    let observed = sum(&mut || 0);
    let far = |sum: f64| sum >= observed * (1.0 - 1e-9) - f64::MIN_POSITIVE;
    let ways = u32::try_from(moved.len()).ok().and_then(|n| 1_usize.checked_shl(n)).unwrap_or(usize::MAX);
    if ways <= permutations.max(1) {
        let count = (0..ways as u64).filter(|&signs| far(sum(&mut || signs))).count();
        return count as f64 / ways as f64;
    }
    let flip = |number: usize| {
        let mut rng = SplitMix64::stream(run.seed ^ 0x516e_f11b, number as u64);
        far(sum(&mut || rng.next()))
    };
    let count = run.threads.map(permutations, flip).into_iter().filter(|&far| far).count();
    (1 + count) as f64 / (1 + permutations) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_differences_are_tested_exactly() {
        let p = |d: &[f64]| sign_flip(d, 5000, &Run::new(1));
        assert_eq!(p(&[]), 1.0);
        assert_eq!(p(&[0.0, 0.0]), 1.0);
        assert_eq!(p(&[0.3]), 1.0); // +, -
        assert_eq!(p(&[0.1, 0.2, 0.3]), 0.25); // all + and all - of 8
        assert_eq!(p(&[1.0, -1.0, 1.0]), 1.0); // every sum is 1 or 3 away
        assert_eq!(p(&[1.0; 10]), 2.0 / 1024.0);
    }

    #[test]
    fn many_differences_come_near_the_exact_value() {
        let d: Vec<f64> = (1..=14).map(|i| f64::from(i) * if i % 4 == 0 { -1.0 } else { 1.0 }).collect();
        let exact = sign_flip(&d, 1 << 14, &Run::new(1));
        let drawn = sign_flip(&d, 10_000, &Run::new(1));
        assert!((exact - drawn).abs() < 0.01, "{exact} {drawn}");
        assert_eq!(drawn, sign_flip(&d, 10_000, &Run::new(1).threads(crate::run::Parallelism::Serial)));
    }

    #[test]
    fn intervals_cover_the_mean_as_often_as_they_say() {
        let mut rng = SplitMix64::new(5);
        let covered = (0..200).filter(|&i| {
            let of: Vec<f64> = (0..100).map(|_| f64::from(u8::from(rng.below(10) < 3))).collect();
            let (low, high) = Values { columns: 1, of }.intervals(200, 0.9, &Run::new(i)).remove(0).unwrap();
            (low..=high).contains(&0.3)
        });
        let covered = covered.count();
        assert!((164..=196).contains(&covered), "{covered} of 200 at 90 %");
    }

    #[test]
    fn undefined_values_are_left_out_of_the_mean_and_its_interval() {
        let nan = f64::NAN;
        let values = Values { columns: 3, of: vec![1.0, nan, nan, 1.0, 0.5, nan, 1.0, nan, nan] };
        assert_eq!((values.mean(0), values.mean(1), values.mean(2)), ((Some(1.0), 3), (Some(0.5), 1), (None, 0)));
        assert_eq!(values.intervals(100, 0.95, &Run::new(1)), [Some((1.0, 1.0)), Some((0.5, 0.5)), None]);
    }
}
