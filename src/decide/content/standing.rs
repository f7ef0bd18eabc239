//! What is known of an arm's reward, and the chance that it is the best.
//!
//! Thompson sampling shows an arm with the probability that it is the best one (Thompson 1933, Biometrika 25). Drawing a
//! reward from each arm's law and taking the largest does that without ever knowing the probability, and the log needs
//! it. So it is computed, by one-dimensional integration, and the arm drawn from the very numbers that are logged: the
//! propensity is exact by construction, and only its likeness to Thompson's own (to 0.002, `tests/bandit/`) hangs on
//! the integral.
//!
//! `P(a is best) = ∫ f_a Π_{b≠a} F_b` on one grid for all arms: the nodes of every arm, laid where its mass is, sorted.
//! Densities are evaluated at all nodes, summed by trapezoids and normalised, so that no constant of any law is needed; a
//! Beta law is integrated over log-odds, where its density is bounded whatever its parameters. `O(arms² × 60)` densities
//! of one exponential each. The alternative, counting seeded draws, needs a thousand draws of every arm for an error of
//! 0.016 and gives arms that never won a propensity of 0.

use super::pooled::beta_of;

/// What is believed of an arm's mean reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Law {
    /// A share, by successes and failures including the prior's; both above 0.
    Beta { successes: f64, failures: f64 },
    /// A mean, with its standard error; the error may be 0.
    Normal { mean: f64, error: f64 },
}

impl Law {
    /// The expected reward.
    pub(super) fn mean(self) -> f64 {
        match self {
            Self::Beta { successes, failures } => successes / (successes + failures),
            Self::Normal { mean, .. } => mean,
        }
    }

    /// The standard deviation of that.
    pub(super) fn error(self) -> f64 {
        match self {
            Self::Beta { successes, failures } => {
                let mean = self.mean();
                (mean * (1.0 - mean) / (successes + failures + 1.0)).sqrt()
            }
            Self::Normal { error, .. } => error,
        }
    }

    /// The law of the same mean with an error `factor` times as large (for shares as far as there is room).
    pub(super) fn spread(self, factor: f64) -> Self {
        match self {
            _ if (factor - 1.0).abs() < 1e-12 => self,
            Self::Beta { .. } => {
                let error = self.error() * factor;
                beta_of(self.mean(), error * error)
            }
            Self::Normal { mean, error } => Self::Normal { mean, error: error * factor },
        }
    }

    /// Where the density lies in the coordinate of integration: its middle, its width, and how slowly its tails fall.
    fn place(self) -> (f64, f64, f64, f64) {
        match self {
            Self::Beta { successes: a, failures: b } => ((a / b).ln(), (1.0 / a + 1.0 / b).sqrt(), 1.0 / a, 1.0 / b),
            Self::Normal { mean, error } => (mean, error.max(mean.abs() * 1e-12).max(1e-150), 0.0, 0.0),
        }
    }

    /// The logarithm of the density, but for a constant, and its slope.
    fn ln_density(self, node: &Node) -> (f64, f64) {
        match self {
            Self::Beta { successes: a, failures: b } => {
                (a * node.ln_share + b * node.ln_rest, a * (1.0 - node.share) - b * node.share)
            }
            Self::Normal { .. } => {
                let (mean, error, ..) = self.place();
                let off = (mean - node.at) / error;
                (-0.5 * off * off, off / error)
            }
        }
    }
}

/// A point of the grid; for shares, what all Beta laws need of it.
struct Node {
    at: f64,
    share: f64,
    ln_share: f64,
    ln_rest: f64,
}

impl Node {
    fn new(at: f64, shares: bool) -> Self {
        if !shares {
            return Self { at, share: 0.0, ln_share: 0.0, ln_rest: 0.0 };
        }
        let small = (-at.abs()).exp();
        let tail = small.ln_1p();
        let (high, low) = (1.0 / (1.0 + small), small / (1.0 + small));
        let share = if at < 0.0 { low } else { high };
        Self { at, share, ln_share: at.min(0.0) - tail, ln_rest: (-at).min(0.0) - tail }
    }
}

/// The chance of each law's draw being the largest of all. They sum to 1; equal laws have equal chances.
#[allow(clippy::needless_range_loop)] // two tables run by column
pub(super) fn best_chances(laws: &[Law]) -> Vec<f64> {
    if laws.len() < 2 {
        return vec![1.0; laws.len()];
    }
    let shares = matches!(laws, [Law::Beta { .. }, ..]);
    let mut nodes = Vec::with_capacity(laws.len() * 64);
    for law in laws {
        let (middle, width, left, right) = law.place();
        nodes.extend((-22..=22).map(|step| middle + width * f64::from(step) * 0.25));
        for step in 1..=if shares { 8 } else { 0 } {
            let far = f64::from(step);
            // A Beta law with little evidence falls like an exponential in log-odds, far beyond its width.
            nodes.push(middle - width * 5.5 - left * 0.3 * far * far);
            nodes.push(middle + width * 5.5 + right * 0.3 * far * far);
        }
    }
    nodes.sort_unstable_by(f64::total_cmp);
    nodes.dedup();
    let nodes: Vec<Node> = nodes.into_iter().map(|at| Node::new(at, shares)).collect();
    let (n, k) = (nodes.len(), laws.len());
    let (mut density, mut below) = (vec![0.0; k * n], vec![0.0; k * n]);
    for ((law, density), below) in laws.iter().zip(density.chunks_exact_mut(n)).zip(below.chunks_exact_mut(n)) {
        tabulate(*law, &nodes, density, below);
    }
    // Column by column: each law's density times the others' chances of lying below, by trapezoids.
    let (mut chances, mut after) = (vec![0.0; k], vec![1.0; k + 1]);
    for node in 0..n {
        let left = if node == 0 { 0.0 } else { nodes[node].at - nodes[node - 1].at };
        let right = if node + 1 == n { 0.0 } else { nodes[node + 1].at - nodes[node].at };
        for law in (0..k).rev() {
            after[law] = after[law + 1] * below[law * n + node];
        }
        let mut before = 0.5 * (left + right);
        for (law, chance) in chances.iter_mut().enumerate() {
            *chance += density[law * n + node] * before * after[law + 1];
            before *= below[law * n + node];
        }
    }
    let total: f64 = chances.iter().sum();
    if total > 0.0 && total.is_finite() {
        chances.iter_mut().for_each(|c| *c /= total);
    } else {
        chances.fill(1.0 / k as f64);
    }
    chances
}

/// The density and the distribution function of a law at all nodes. Between two nodes the density is taken as the cubic
/// with its values and slopes, so that steps of a quarter of the width are right to 1e-4.
fn tabulate(law: Law, nodes: &[Node], density: &mut [f64], below: &mut [f64]) {
    let top = law.ln_density(&Node::new(law.place().0, matches!(law, Law::Beta { .. }))).0;
    let (mut last, mut sum): (Option<(f64, f64, f64)>, f64) = (None, 0.0);
    for ((node, density), below) in nodes.iter().zip(density.iter_mut()).zip(below.iter_mut()) {
        let (ln, slope) = law.ln_density(node);
        // What is below e^-40 of the top adds nothing.
        *density = if ln - top < -40.0 { 0.0 } else { (ln - top).exp() };
        let (t, slope) = (node.at, *density * slope);
        if let Some((before, was, sloped)) = last {
            let step = t - before;
            let (flat, bend) = (step * (*density + was) / 2.0, step * step * (slope - sloped) / 12.0);
            // Far from its own nodes a law is nearly 0 and the cubic may undershoot.
            sum += (flat - bend).clamp(0.0, 2.0 * flat);
        }
        *below = sum;
        last = Some((t, *density, slope));
    }
    if sum > 0.0 {
        density.iter_mut().chain(below.iter_mut()).for_each(|v| *v /= sum);
    }
}

/// All the chance to the largest values, evenly.
pub(super) fn greedy(values: &[f64]) -> Vec<f64> {
    let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let among = values.iter().filter(|v| **v >= best).count().max(1) as f64;
    values.iter().map(|v| if *v >= best { 1.0 / among } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::distribution::normal_cdf;

    #[test]
    fn two_normals_have_a_formula() {
        for (m, s, n, t) in
            [(0.0, 1.0, 0.5, 1.0), (0.0, 1.0, 0.3, 0.01), (1.0, 0.001, 1.002, 0.001), (-5.0, 2.0, 5.0, 2.0)]
        {
            let of = best_chances(&[Law::Normal { mean: m, error: s }, Law::Normal { mean: n, error: t }]);
            let want = normal_cdf((m - n) / f64::hypot(s, t));
            assert!((of[0] - want).abs() < 0.002, "{of:?} {want}");
        }
    }

    #[test]
    fn two_whole_betas_have_a_formula() {
        // P(X > Y) for Beta(a, 1) against Beta(b, 1) is a / (a + b).
        for (a, b) in [(1.0, 1.0), (3.0, 1.0), (0.05, 0.2), (40.0, 2.0), (0.001, 5.0)] {
            let law = |s| Law::Beta { successes: s, failures: 1.0 };
            let of = best_chances(&[law(a), law(b)]);
            assert!((of[0] - a / (a + b)).abs() < 0.002, "{a} {b} {of:?}");
        }
    }

    #[test]
    fn equal_laws_share_and_certain_ones_win() {
        let law = Law::Beta { successes: 0.5, failures: 0.5 };
        assert!(best_chances(&[law; 7]).iter().all(|c| (c - 1.0 / 7.0).abs() < 1e-12));
        let sure = best_chances(&[Law::Normal { mean: 1.0, error: 0.0 }, Law::Normal { mean: 0.0, error: 0.0 }]);
        assert!(sure[0] > 0.999, "{sure:?}");
        assert_eq!(best_chances(&[law]), [1.0]);
        assert_eq!(greedy(&[1.0, 3.0, 3.0]), [0.0, 0.5, 0.5]);
    }
}
