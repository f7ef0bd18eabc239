//! Where to look next: anywhere, or by a tree-structured Parzen estimator.
//!
//! The trials are parted into good ones and others; each part gets a density made of a kernel a trial and one for the
//! whole space, and of some candidates drawn from the good density the one with the largest ratio `good / other` is
//! proposed (Bergstra, Bardenet, Bengio & Kégl, NIPS 2011). Kernels over several axes: Falkner, Klein & Hutter, ICML 2018.
//! Failed trials, and those proposed in the same round, count as others. An axis that is not there adds nothing.

use super::domain::{Dim, Point, Space};
use super::study::{Tried, close};
use super::study_params::{Kernels, Tpe};
use crate::kernel::rng::SplitMix64;

/// Random numbers of one draw.
pub(super) struct Dice(SplitMix64);

impl Dice {
    pub(super) fn new(seed: u64, trial: usize, attempt: usize) -> Self {
        Self(SplitMix64::stream(seed, (trial as u64) << 16 | attempt as u64))
    }

    /// From 0 up to, not including, 1.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.0.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n.saturating_sub(1))
    }

    fn on(&mut self, dim: &Dim) -> f64 {
        match dim.n_choices() {
            Some(n) => self.below(n) as f64,
            None => {
                let (lo, hi) = dim.ends();
                lo + self.uniform() * (hi - lo)
            }
        }
    }

    /// Normal, within the ends: what falls outside is drawn again a few times, then evenly.
    fn near(&mut self, centre: f64, deviation: f64, dim: &Dim) -> f64 {
        let (lo, hi) = dim.ends();
        let draws = (0..32).map(|_| centre + deviation * f64::from(self.0.normal()));
        let inside = draws.into_iter().find(|x| (lo..=hi).contains(x));
        inside.unwrap_or_else(|| lo + self.uniform() * (hi - lo))
    }
}

/// Any point of the space.
pub(super) fn random(space: &Space, dice: &mut Dice) -> Point {
    space.point(|_, dim| dice.on(dim))
}

/// The most promising of some candidates.
pub(super) fn propose(space: &Space, params: &Tpe, tried: &[Tried], pending: &[&Point], dice: &mut Dice) -> Point {
    let Some((good, others)) = part(params, tried, pending) else {
        return random(space, dice);
    };
    let together = if params.kernels == Kernels::Joint { space.dims().len() } else { 1 };
    let (good, others) = (Density::new(space, good, together), Density::new(space, others, together));
    match params.kernels {
        Kernels::PerAxis => space.point(|axis, dim| {
            let draw = |dice: &mut Dice| {
                let kernel = dice.below(good.kernels.len() + 1);
                dim.snap(good.draw(kernel, axis, dim, dice))
            };
            let gain = |x: f64| good.log(&[(axis, x)]) - others.log(&[(axis, x)]);
            best(params.candidates, dice, draw, |&x| gain(x))
        }),
        Kernels::Joint => {
            let draw = |dice: &mut Dice| {
                let kernel = dice.below(good.kernels.len() + 1);
                space.point(|axis, dim| good.draw(kernel, axis, dim, dice))
            };
            best(params.candidates, dice, draw, |point: &Point| {
                let there = |(axis, x): (usize, &Option<f64>)| x.map(|x| (axis, x));
                let at: Vec<(usize, f64)> = point.at.iter().enumerate().filter_map(there).collect();
                good.log(&at) - others.log(&at)
            })
        }
    }
}

/// The first of the best of `n` draws.
fn best<T>(n: usize, dice: &mut Dice, mut draw: impl FnMut(&mut Dice) -> T, gain: impl Fn(&T) -> f64) -> T {
    let first = draw(dice);
    let mut top = (gain(&first), first);
    for _ in 1..n {
        let next = draw(dice);
        let value = gain(&next);
        if value > top.0 {
            top = (value, next);
        }
    }
    top.1
}

/// The good trials and the others, of the largest share that has enough; `None` before any has.
fn part<'a>(params: &Tpe, tried: &'a [Tried], pending: &[&'a Point]) -> Option<(Vec<&'a Point>, Vec<&'a Point>)> {
    let at = |share: f64| tried.iter().filter(move |t| close(t.share, share));
    let enough = |share: f64| at(share).filter(|t| t.score.is_some()).count() >= params.startup;
    let share = tried.iter().map(|t| t.share).filter(|&share| enough(share)).reduce(f64::max)?;
    let mut scored: Vec<(f64, &Point)> = at(share).filter_map(|t| Some((t.score?, &t.point))).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0)); // stable: the first of equals
    let n_good = ((scored.len() as f64 * params.good).ceil() as usize).clamp(1, 25);
    let others = scored.split_off(n_good.min(scored.len()));
    let failed = tried.iter().filter(|t| t.score.is_none()).map(|t| &t.point);
    let others = others.into_iter().map(|(_, point)| point).chain(failed).chain(pending.iter().copied());
    Some((scored.into_iter().map(|(_, point)| point).collect(), others.collect()))
}

/// A mixture of one kernel a point and one for the whole space.
struct Density<'a> {
    space: &'a Space,
    kernels: Vec<&'a Point>,
    /// The kernels' width on each axis, as a share of it.
    width: f64,
}

impl<'a> Density<'a> {
    fn new(space: &'a Space, kernels: Vec<&'a Point>, together: usize) -> Self {
        // Scott's rule, with a fifth of the axis for a single point.
        let width = 0.2 * (kernels.len().max(1) as f64).powf(-1.0 / (together as f64 + 4.0));
        Self { space, kernels, width }
    }

    /// A place on an axis drawn from a kernel; number `kernels.len()` is the one for the whole space.
    fn draw(&self, kernel: usize, axis: usize, dim: &Dim, dice: &mut Dice) -> f64 {
        let centre = self.kernels.get(kernel).and_then(|point| point.at.get(axis).copied().flatten());
        let Some(centre) = centre else { return dice.on(dim) };
        match dim.n_choices() {
            Some(n) if dice.uniform() < self.stray(n) => dice.below(n) as f64,
            Some(_) => centre,
            None => {
                let (lo, hi) = dim.ends();
                dice.near(centre, self.width * (hi - lo), dim)
            }
        }
    }

    /// How likely a kernel draws any choice instead of its own: `n / (n + kernels)`.
    fn stray(&self, n_choices: usize) -> f64 {
        n_choices as f64 / (n_choices + self.kernels.len()) as f64
    }

    /// The logarithm of the density at places on some axes.
    fn log(&self, at: &[(usize, f64)]) -> f64 {
        let whole = |dim: &Dim| match dim.n_choices() {
            Some(n) => -(n as f64).ln(),
            None => -(dim.ends().1 - dim.ends().0).max(f64::MIN_POSITIVE).ln(),
        };
        let kernel = |point: Option<&&Point>| -> f64 {
            let on = |&(axis, x): &(usize, f64)| {
                let dim = &self.space.dims()[axis];
                let Some(centre) = point.and_then(|point| point.at[axis]) else { return whole(dim) };
                match dim.n_choices() {
                    Some(n) => {
                        let stray = self.stray(n);
                        (stray / n as f64 + if x == centre { 1.0 - stray } else { 0.0 }).ln()
                    }
                    None => truncated_normal(x, centre, self.width, dim.ends()),
                }
            };
            at.iter().map(on).sum()
        };
        let logs: Vec<f64> = self.kernels.iter().map(Some).chain([None]).map(kernel).collect();
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logs.iter().map(|log| (log - top).exp()).sum();
        top + sum.ln() - (logs.len() as f64).ln()
    }
}

/// The logarithm of a normal density cut off at the ends.
fn truncated_normal(x: f64, centre: f64, width: f64, (lo, hi): (f64, f64)) -> f64 {
    let deviation = (width * (hi - lo)).max(f64::MIN_POSITIVE);
    let z = |x: f64| (x - centre) / deviation;
    let inside = (normal_cdf(z(hi)) - normal_cdf(z(lo))).max(1e-12);
    -0.5 * z(x).powi(2) - (deviation * (std::f64::consts::TAU).sqrt() * inside).ln()
}

/// Abramowitz & Stegun 26.2.17: within 7.5e-8.
fn normal_cdf(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * z * z).exp() / (std::f64::consts::TAU).sqrt() * poly;
    if z >= 0.0 { 1.0 - tail } else { tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_cdf_by_the_tables() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.841_344_75), (-1.96, 0.024_997_9), (3.0, 0.998_650_1)] {
            assert!((normal_cdf(z) - p).abs() < 1e-6, "{z}");
        }
    }

    #[test]
    fn a_truncated_normal_integrates_to_one() {
        let (lo, hi) = (2.0, 5.0);
        for centre in [2.0, 3.1, 5.0] {
            let steps = 3000;
            let dx = (hi - lo) / f64::from(steps);
            let at = |i: i32| truncated_normal(lo + (f64::from(i) + 0.5) * dx, centre, 0.2, (lo, hi)).exp() * dx;
            let whole: f64 = (0..steps).map(at).sum();
            assert!((whole - 1.0).abs() < 1e-4, "{centre}: {whole}");
        }
    }
}
