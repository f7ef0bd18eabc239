//! The formulas of BG/NBD at given parameters.

use crate::math::special::{hypergeometric, ln_add, ln_beta, ln_gamma, logistic};

use super::CustomerSummary;

/// The four parameters. Purchase rates are Gamma(`r`, rate `alpha`); after each purchase a customer leaves for good
/// with a probability that is Beta(`a`, `b`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Law {
    pub(super) r: f64,
    pub(super) alpha: f64,
    pub(super) a: f64,
    pub(super) b: f64,
}

/// Customers of the same history, counted once: likelihoods are sums.
#[derive(Clone, Debug)]
pub(super) struct Grouped {
    /// Distinct frequencies.
    frequency: Vec<f64>,
    /// Place in `frequency`, recency, age, how many.
    rows: Vec<(usize, f64, f64, f64)>,
}

impl Grouped {
    pub(super) fn new(customers: &[CustomerSummary]) -> Self {
        let mut sorted: Vec<(u32, f64, f64)> = customers.iter().map(|c| (c.frequency, c.recency, c.age)).collect();
        sorted.sort_by(|x, y| x.0.cmp(&y.0).then(x.1.total_cmp(&y.1)).then(x.2.total_cmp(&y.2)));
        let (mut frequency, mut rows) = (Vec::<f64>::new(), Vec::new());
        for same in sorted.chunk_by(|x, y| x == y) {
            let (x, recency, age) = same[0];
            if frequency.last() != Some(&f64::from(x)) {
                frequency.push(f64::from(x));
            }
            rows.push((frequency.len() - 1, recency, age, same.len() as f64));
        }
        Self { frequency, rows }
    }
}

impl Law {
    pub(super) fn from_logs(logs: &[f64]) -> Self {
        let at = |i: usize| logs.get(i).copied().unwrap_or(f64::NAN).exp();
        Self { r: at(0), alpha: at(1), a: at(2), b: at(3) }
    }

    pub(super) fn logs(self) -> [f64; 4] {
        [self.r.ln(), self.alpha.ln(), self.a.ln(), self.b.ln()]
    }

    /// `ln(a / (b + x - 1)) + (r + x) ln((alpha + T) / (alpha + t_x))`: the log odds of having left, for `x > 0`.
    fn log_odds_left(self, c: &CustomerSummary) -> f64 {
        let x = f64::from(c.frequency);
        (self.a / (self.b + x - 1.0)).ln() + (self.r + x) * ((self.alpha + c.age) / (self.alpha + c.recency)).ln()
    }

    /// Equation 6 of Fader, Hardie & Lee 2005, its two terms added as logarithms: the powers overflow, their
    /// logarithms do not.
    pub(super) fn log_likelihood(self, customers: &Grouped) -> f64 {
        let Self { r, alpha, a, b } = self;
        let constant = r * alpha.ln() - ln_gamma(r) - ln_beta(a, b);
        // What depends on the frequency alone: gamma functions are dear, and there are few frequencies.
        let by_frequency: Vec<(f64, f64)> = customers
            .frequency
            .iter()
            .map(|&x| {
                let left = if x > 0.0 { a.ln() - (b + x - 1.0).ln() } else { f64::NEG_INFINITY };
                (ln_gamma(r + x) + ln_beta(a, b + x), left)
            })
            .collect();
        let one = |&(place, recency, age, count): &(usize, f64, f64, f64)| {
            let (x, (fixed, left)) = (customers.frequency[place], by_frequency[place]);
            let there = -(r + x) * (alpha + age).ln();
            let gone = if x > 0.0 { left - (r + x) * (alpha + recency).ln() } else { f64::NEG_INFINITY };
            count * (constant + fixed + ln_add(there, gone))
        };
        customers.rows.iter().map(one).sum()
    }

    /// The probability that the customer has not left.
    pub(super) fn alive(self, c: &CustomerSummary) -> f64 {
        if c.frequency == 0 { 1.0 } else { logistic(-self.log_odds_left(c)) }
    }

    /// Who has not left starts anew, with what was learned of them: the posterior is of the prior's family.
    pub(super) fn of_survivor(self, c: &CustomerSummary) -> Self {
        let x = f64::from(c.frequency);
        Self { r: self.r + x, alpha: self.alpha + c.age, a: self.a, b: self.b + x }
    }

    /// Expected purchases of a new customer in `h`, equation 9: with `c = a + b - 1` and `z = h / (alpha + h)`,
    /// `c / (a - 1) [1 - (1 - z)^r 2F1(r, b; c; z)]`. Where `a < r + 1` that function grows without bound as `z` nears 1,
    /// and the power vanishes; Euler's transformation (A&S 15.3.3) makes of it `(1 - z)^(a - 1) 2F1(c - r, a - 1; c; z)`,
    /// which stays bounded there. So each is taken where it is bounded, and a series of some `h / alpha` terms is enough:
    /// right to 1e-9 up to `h = 10,000 alpha`, held against quadrature.
    pub(super) fn expected(self, h: f64) -> f64 {
        let Self { r, alpha, a, b } = self;
        let at = |a: f64| {
            let (c, z, rest) = (a + b - 1.0, h / (alpha + h), (alpha / (alpha + h)).ln());
            let bounded = if a > r + 1.0 {
                (r * rest).exp() * hypergeometric(r, b, c, z)
            } else {
                ((a - 1.0) * rest).exp() * hypergeometric(c - r, a - 1.0, c, z)
            };
            c / (a - 1.0) * (1.0 - bounded)
        };
        // Two values of `a` make the formula 0/0, though its limit is smooth: about them the chord between two
        // neighbours is it to 1e-9, slope included, which the intervals need.
        const NEAR: f64 = 2e-5;
        let chord = |s: f64| {
            let (low, high) = (at(s - NEAR), at(s + NEAR));
            low + (high - low) * (a - (s - NEAR)) / (2.0 * NEAR)
        };
        let singular = [1.0, 1.0 - b].into_iter().find(|s| (a - s).abs() < NEAR / 2.0);
        let expected = singular.map_or_else(|| at(a), chord);
        if h > 0.0 { expected.max(0.0) } else { 0.0 }
    }

    /// The probabilities of 0, 1, 2, ... purchases of a new customer in `h` (equation 8), until all but `rest` is
    /// told or `limit` numbers are.
    pub(super) fn counts(self, h: f64, rest: f64, limit: usize) -> Vec<f64> {
        let Self { r, alpha, a, b } = self;
        let (stay, come) = ((alpha / (alpha + h)).ln(), (h / (alpha + h)).ln());
        let base = ln_beta(a, b);
        let (mut out, mut told, mut below) = (Vec::new(), 0.0, 0.0);
        // ln of Γ(r + n) / (Γ(r) n!) (alpha / (alpha + h))^r (h / (alpha + h))^n: n purchases of one who never leaves.
        let mut steady = r * stay;
        for n in 0..limit {
            let x = n as f64;
            let there = (ln_beta(a, b + x) - base + steady).exp();
            let left =
                if n == 0 { 0.0 } else { (ln_beta(a + 1.0, b + x - 1.0) - base).exp() * (1.0_f64 - below).max(0.0) };
            out.push(there + left);
            told += there + left;
            if told >= 1.0 - rest {
                break;
            }
            below += steady.exp();
            steady += (r + x).ln() - (x + 1.0).ln() + come;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CDNOW: Law = Law { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };

    #[test]
    fn the_mean_of_the_counts_is_the_expectation() {
        for law in [CDNOW, Law { a: 1.0, ..CDNOW }, Law { a: 0.4, b: 0.6, ..CDNOW }, Law { a: 2.5, r: 3.0, ..CDNOW }] {
            for h in [0.1, 1.0, 10.0, 39.0] {
                let counts = law.counts(h, 1e-13, 20_000);
                let mean: f64 = counts.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
                let expected = law.expected(h);
                assert!((mean - expected).abs() < 1e-6 * expected, "{law:?} {h}: {mean} and {expected}");
                assert!((counts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn long_horizons_are_those_of_quadrature() {
        // Integrals over the probability of leaving by adaptive quadrature, to 13 digits.
        for (law, h, expected) in [
            ([0.243, 4.414, 0.793, 2.426], 100.0, 2.1536737127669e+00),
            ([0.243, 4.414, 0.793, 2.426], 10000.0, 1.5067913315055e+01),
            ([1.5, 10.0, 1.000004, 3.0], 100.0, 5.0479745174014e+00),
            ([1.5, 10.0, 1.000004, 3.0], 10000.0, 1.8075687016192e+01),
            ([1.5, 10.0, 1.000009, 3.0], 100.0, 5.0479553421401e+00),
            ([1.5, 10.0, 1.000009, 3.0], 10000.0, 1.8075434994280e+01),
            ([0.05, 1.0, 15.0, 0.3], 100.0, 2.0959896923219e-01),
            ([0.05, 1.0, 15.0, 0.3], 1000.0, 2.9755332907652e-01),
            ([0.05, 1.0, 15.0, 0.3], 10000.0, 3.7624439413821e-01),
            ([0.6, 3.0, 2.4, 1.7], 100.0, 1.7032738262766e+00),
            ([0.6, 3.0, 2.4, 1.7], 10000.0, 2.1775106393965e+00),
            ([12.0, 3.0, 0.1, 15.0], 100.0, 3.1231754789532e+02),
            ([12.0, 3.0, 0.1, 15.0], 10000.0, 2.0049085972871e+04),
        ] {
            let [r, alpha, a, b] = law;
            let got = Law { r, alpha, a, b }.expected(h);
            assert!((got / expected - 1.0).abs() < 1e-8, "{law:?} {h}: {got} is not {expected}");
        }
    }

    #[test]
    fn nothing_jumps_where_the_formula_is_0_by_0() {
        // The chord, and its slope: the errors of intervals are made of it.
        for (b, s) in [(3.0, 1.0), (0.6, 0.4)] {
            let at = |a: f64| Law { r: 1.5, alpha: 10.0, a, b }.expected(500.0);
            let slope = (at(s + 2e-4) - at(s - 2e-4)) / 4e-4;
            for near in [-2.1e-5, -1.1e-5, -0.9e-5, -4e-6, 0.0, 4e-6, 0.9e-5, 1.1e-5, 2.1e-5] {
                let (line, got) = (at(s - 2e-4) + slope * (near + 2e-4), at(s + near));
                assert!((got / line - 1.0).abs() < 1e-6, "{b} {near}: {got} and {line}");
            }
            let local = (at(s + 6e-6) - at(s - 6e-6)) / 1.2e-5;
            assert!((local / slope - 1.0).abs() < 1e-3, "{b}: {local} and {slope}");
        }
    }

    #[test]
    fn long_horizons_and_no_horizon() {
        assert_eq!(CDNOW.expected(0.0), 0.0);
        let far = [1e2, 1e4, 1e6].map(|h| CDNOW.expected(h));
        assert!(far.is_sorted() && far.iter().all(|e| e.is_finite()), "{far:?}");
        assert_eq!(CDNOW.counts(0.0, 1e-12, 10), [1.0]);
    }
}
