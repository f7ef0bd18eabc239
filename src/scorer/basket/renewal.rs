//! When is the next one due? The renewal law behind [`BuyAgain`](super::BuyAgain), for one item and one shopper.

/// After a purchase another follows with probability `chance`; if so, after a log-normal time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Renewal {
    /// In `0..1`.
    pub(super) chance: f64,
    /// Mean of the logarithm of the interval.
    pub(super) mean: f64,
    /// Standard deviation of that logarithm, above 0.
    pub(super) spread: f64,
}

impl Renewal {
    /// The rate of purchases at `age` (above 0), given that there was none since: with density `f` and survival `S` of the
    /// interval, `chance f / (chance S + 1 - chance)`. Silence speaks both for "soon" and for "never again".
    pub(super) fn rate(self, age: f64) -> f64 {
        let z = (age.ln() - self.mean) / self.spread;
        let bell = (-0.5 * z * z).exp();
        let density = bell / (age * self.spread * std::f64::consts::TAU.sqrt());
        self.chance * density / (self.chance * upper_tail(z, bell) + (1.0 - self.chance))
    }
}

/// The probability of a standard normal number above `z`, to 1e-7, given `exp(-z^2 / 2)`: formula 7.1.26 of Abramowitz &
/// Stegun, Handbook of Mathematical Functions, 1964.
fn upper_tail(z: f64, bell: f64) -> f64 {
    const COEFFICIENTS: [f64; 5] = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let t = 1.0 / (1.0 + 0.327_591_1 * z.abs() * std::f64::consts::FRAC_1_SQRT_2);
    let tail = 0.5 * bell * t * COEFFICIENTS.iter().fold(0.0, |sum, c| sum * t + c);
    if z < 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_that_of_the_tables() {
        let table = [(0.0, 0.5), (1.0, 0.158_655_3), (-1.0, 0.841_344_7), (1.959_964, 0.025), (-3.0, 0.998_650_1)];
        for (z, p) in table {
            let z: f64 = z;
            assert!((upper_tail(z, (-0.5 * z * z).exp()) - p).abs() < 2e-7, "{z}");
        }
    }

    #[test]
    fn the_rate_is_the_derivative_of_the_log_survival() {
        let habit = Renewal { chance: 0.7, mean: 1.5, spread: 0.6 };
        let alive = |age: f64| {
            let z = (age.ln() - habit.mean) / habit.spread;
            habit.chance * upper_tail(z, (-0.5 * z * z).exp()) + 1.0 - habit.chance
        };
        for age in [0.5, 1.0, 3.0, 4.5, 9.0, 30.0] {
            let slope = (alive(age - 1e-3).ln() - alive(age + 1e-3).ln()) / 2e-3;
            assert!((habit.rate(age) - slope).abs() < 5e-4, "{age}: {} and {slope}", habit.rate(age));
        }
        assert_eq!(Renewal { chance: 0.0, ..habit }.rate(3.0), 0.0);
    }

    #[test]
    fn what_is_bought_every_four_is_due_after_about_four_and_then_forgotten() {
        let habit = Renewal { chance: 0.8, mean: 4f64.ln(), spread: 0.4 };
        let rates = [1.0, 2.0, 4.0].map(|age| habit.rate(age));
        assert!(rates.is_sorted() && rates[0] < 0.05 * rates[2], "{rates:?}");
        assert!(habit.rate(12.0) < 0.2 * rates[2] && habit.rate(1e9) < 1e-9);
    }
}
