//! Groups nobody named: k-means over shoppers' vectors, and what makes each group different.
//!
//! Seeding by k-means++ (Arthur & Vassilvitskii, SODA 2007), then Lloyd's iterations, or steps over small samples for many
//! shoppers (Sculley, "Web-scale k-means clustering", WWW 2010) with one whole assignment at the end. Our own hundred lines
//! and not `linfa-clustering` (0.8, MIT/Apache): that brings an ndarray and a rand of its own into the tree, and its sums
//! depend on threads; here they do not.

use serde::{Deserialize, Serialize};

use super::points::Points;
use crate::catalog::{AttributeId, Shelf};
use crate::decide::Histories;
use crate::event::KindSet;
use crate::ids::UserIdx;
use crate::kernel::rng::SplitMix64;
use crate::params::{Checked, ParamError, ParamSpec, Validate, check_range};
use crate::run::{Cancelled, Run};
use crate::time::Timestamp;

/// How points are grouped.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `clusters` | 8 | 1 to 10,000 | groups, at most as many as there are different points |
/// | `iterations` | 50 | 1 to 100,000 | rounds over all points, or over samples |
/// | `tolerance` | 0.0001 | 0 to 1 | a round that gains less than this share ends it |
/// | `sample` | 0 | 0 to 10^9 | points a round looks at; 0 for all |
/// | `starts` | 3 | 1 to 100 | the best of so many seedings is kept |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KMeansParams {
    /// Groups.
    pub clusters: u32,
    /// Rounds.
    pub iterations: u32,
    /// The gain that is worth another round.
    pub tolerance: f64,
    /// Points a round looks at; 0 for all.
    pub sample: u32,
    /// Seedings.
    pub starts: u32,
}

impl Default for KMeansParams {
    fn default() -> Self {
        Self { clusters: 8, iterations: 50, tolerance: 1e-4, sample: 0, starts: 3 }
    }
}

impl Validate for KMeansParams {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("clusters", 1, 10_000, "groups, at most as many as there are different points"),
            ParamSpec::int("iterations", 1, 100_000, "rounds over all points, or over samples"),
            ParamSpec::real("tolerance", 0.0, 1.0, "a round that gains less than this share ends it"),
            ParamSpec::int("sample", 0, 1_000_000_000, "points a round looks at; 0 for all"),
            ParamSpec::int("starts", 1, 100, "the best of so many seedings is kept"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("clusters", self.clusters.into())?;
        check_range::<Self>("iterations", self.iterations.into())?;
        check_range::<Self>("tolerance", self.tolerance)?;
        check_range::<Self>("sample", self.sample.into())?;
        check_range::<Self>("starts", self.starts.into())
    }
}

/// Points in groups, the largest group first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    dim: usize,
    centres: Vec<f64>,
    users: Vec<UserIdx>,
    of: Vec<u32>,
    sizes: Vec<usize>,
    /// The sum of squared distances to the centres.
    inertia: f64,
}

const CHUNK: usize = 512;

impl Clusters {
    /// Groups the points; the draws depend on the run's seed, nothing on its threads. No points, no groups.
    /// `O(rounds × points × groups × numbers)`.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn fit(params: &Checked<KMeansParams>, points: &Points, run: &Run<'_>) -> Result<Self, Cancelled> {
        let mut best: Option<Self> = None;
        for start in 0..params.starts {
            let fitted = Self::start(params, points, start, run)?;
            if best.as_ref().is_none_or(|best| fitted.inertia < best.inertia) {
                best = Some(fitted);
            }
        }
        Ok(best.unwrap_or_default())
    }

    fn start(params: &KMeansParams, points: &Points, start: u32, run: &Run<'_>) -> Result<Self, Cancelled> {
        let mut rng = SplitMix64::stream(run.seed, start.into());
        let centres = seeded(points, params.clusters as usize, &mut rng);
        let (dim, users) = (points.dim(), points.users().to_vec());
        let mut fit = Self { dim, centres, users, ..Self::default() };
        let n = points.len();
        if n == 0 {
            return Ok(fit);
        }
        fit.assign(points, run);
        let mut counts = vec![0.0f64; fit.len()];
        for round in 0..params.iterations {
            run.step(round.into(), params.iterations.into(), Some(fit.inertia))?;
            if params.sample == 0 || params.sample as usize >= n {
                let before = (fit.inertia, fit.of.clone());
                fit.recentre(points, run);
                fit.assign(points, run);
                if before.1 == fit.of || before.0 - fit.inertia <= params.tolerance * before.0 {
                    break;
                }
            } else {
                let drawn: Vec<usize> = (0..params.sample).map(|_| rng.below(n)).collect();
                let nearest: Vec<usize> = drawn.iter().map(|&place| fit.nearest_to(points.at(place)).0).collect();
                for (&place, &centre) in drawn.iter().zip(&nearest) {
                    counts[centre] += 1.0;
                    let rate = 1.0 / counts[centre];
                    let to = fit.centres[centre * dim..(centre + 1) * dim].iter_mut();
                    to.zip(points.at(place)).for_each(|(c, x)| *c += rate * (f64::from(*x) - *c));
                }
            }
        }
        fit.assign(points, run);
        fit.order();
        Ok(fit)
    }

    /// The nearest centre, of equals the first, and its squared distance.
    fn nearest_to(&self, x: &[f32]) -> (usize, f64) {
        let distance = |centre: &[f64]| centre.iter().zip(x).map(|(c, x)| (f64::from(*x) - c).powi(2)).sum::<f64>();
        let centres = self.centres.chunks_exact(self.dim.max(1)).map(distance).enumerate();
        centres.fold((0, f64::INFINITY), |best, (i, d)| if d < best.1 { (i, d) } else { best })
    }

    fn assign(&mut self, points: &Points, run: &Run<'_>) {
        let n = points.len();
        let chunk = |chunk: usize| {
            let places = chunk * CHUNK..n.min((chunk + 1) * CHUNK);
            places.map(|place| self.nearest_to(points.at(place))).collect::<Vec<_>>()
        };
        let nearest = run.threads.map(n.div_ceil(CHUNK), chunk).concat();
        self.inertia = nearest.iter().map(|(_, distance)| distance).sum();
        self.of = nearest.iter().map(|&(centre, _)| centre as u32).collect();
    }

    /// Every centre becomes the mean of its points; one without points goes to the point farthest from its own.
    fn recentre(&mut self, points: &Points, run: &Run<'_>) {
        let (n, k, dim) = (points.len(), self.len(), self.dim);
        let chunk = |chunk: usize| {
            let (mut sums, mut counts) = (vec![0.0f64; k * dim], vec![0usize; k]);
            for place in chunk * CHUNK..n.min((chunk + 1) * CHUNK) {
                let centre = self.of[place] as usize;
                counts[centre] += 1;
                let sum = sums[centre * dim..(centre + 1) * dim].iter_mut();
                sum.zip(points.at(place)).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            (sums, counts)
        };
        let chunks = run.threads.map(n.div_ceil(CHUNK), chunk);
        let (mut sums, mut counts) = (vec![0.0f64; k * dim], vec![0usize; k]);
        for (part, of) in &chunks {
            sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
            counts.iter_mut().zip(of).for_each(|(count, n)| *count += n);
        }
        let empty: Vec<usize> = (0..k).filter(|&centre| counts[centre] == 0).collect();
        let mut far: Vec<(f64, usize)> = Vec::new();
        if !empty.is_empty() {
            far = (0..n).map(|place| (self.nearest_to(points.at(place)).1, place)).collect();
            far.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        }
        for centre in (0..k).filter(|&centre| counts[centre] > 0) {
            for (c, sum) in self.centres[centre * dim..(centre + 1) * dim].iter_mut().zip(&sums[centre * dim..]) {
                *c = sum / counts[centre] as f64;
            }
        }
        for (centre, (_, place)) in empty.into_iter().zip(far) {
            let to = self.centres[centre * dim..(centre + 1) * dim].iter_mut();
            to.zip(points.at(place)).for_each(|(c, x)| *c = f64::from(*x));
        }
    }

    /// The largest first; those nobody is in go.
    fn order(&mut self) {
        let mut sizes = vec![0usize; self.len()];
        self.of.iter().for_each(|&centre| sizes[centre as usize] += 1);
        let mut order: Vec<usize> = (0..sizes.len()).filter(|&centre| sizes[centre] > 0).collect();
        order.sort_by_key(|&centre| std::cmp::Reverse(sizes[centre])); // stable
        let mut new = vec![0u32; sizes.len()];
        order.iter().enumerate().for_each(|(place, &centre)| new[centre] = place as u32);
        self.of.iter_mut().for_each(|centre| *centre = new[*centre as usize]);
        let centre = |&c: &usize| self.centres[c * self.dim..(c + 1) * self.dim].to_vec();
        self.centres = order.iter().flat_map(centre).collect();
        self.sizes = order.iter().map(|&centre| sizes[centre]).collect();
    }

    /// How many groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.centres.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Members of each group, descending.
    #[must_use]
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The sum of squared distances to the centres.
    #[must_use]
    pub const fn inertia(&self) -> f64 {
        self.inertia
    }

    /// The mean of a group's points.
    #[must_use]
    pub fn centre(&self, group: usize) -> Option<&[f64]> {
        self.centres.get(group * self.dim..(group + 1) * self.dim).filter(|_| self.dim > 0)
    }

    /// The group of a shopper that was among the points.
    #[must_use]
    pub fn group_of(&self, user: UserIdx) -> Option<usize> {
        self.users.binary_search(&user).ok().map(|place| self.of[place] as usize)
    }

    /// The group a vector belongs to, for a shopper who was not among the points; `None` for one of another length.
    #[must_use]
    pub fn nearest(&self, vector: &[f32]) -> Option<usize> {
        (vector.len() == self.dim && !self.is_empty()).then(|| self.nearest_to(vector).0)
    }

    /// A group's shoppers, ascending.
    pub fn members(&self, group: usize) -> impl Iterator<Item = UserIdx> + '_ {
        self.users.iter().zip(&self.of).filter(move |(_, of)| **of as usize == group).map(|(user, _)| *user)
    }

    /// For each group, the `n` values of a category or tags attribute that tell it most from everybody: by the z-score of
    /// the log-odds with everybody's counts as the prior (Monroe, Colaresi & Quinn, "Fightin' Words", Political Analysis
    /// 2008), so that a rare value needs more than a chance meeting. Only values above everybody's share. `O(events)`.
    #[must_use]
    pub fn describe<'d>(
        &self,
        data: impl Into<Histories<'d>>,
        shelf: &Shelf,
        attribute: AttributeId,
        kinds: KindSet,
        now: Timestamp,
        n: usize,
    ) -> Vec<Vec<Distinctive>> {
        let (data, codes) = (data.into(), shelf.n_codes(attribute));
        let mut counts = vec![0.0f64; codes * (self.len() + 1)];
        for (&user, &group) in self.users.iter().zip(&self.of) {
            for e in data.until(user, now).iter().filter(|e| kinds.contains(e.kind)) {
                for &code in shelf.codes(e.item, attribute) {
                    counts[group as usize * codes + code as usize] += 1.0;
                    counts[self.len() * codes + code as usize] += 1.0;
                }
            }
        }
        let all = &counts[self.len() * codes..];
        let of_all: f64 = all.iter().sum();
        let describe = |group: usize| {
            let own = &counts[group * codes..(group + 1) * codes];
            let of_own: f64 = own.iter().sum();
            let mut best: Vec<(f64, u32, f64, f64)> = Vec::new();
            for code in (0..codes).filter(|&code| own[code] > 0.0) {
                let (y, rest, prior) = (own[code], all[code] - own[code], all[code]);
                let (n_own, n_rest) = (of_own, of_all - of_own);
                let odds = |y: f64, n: f64| ((y + prior) / (n + of_all - y - prior).max(f64::MIN_POSITIVE)).ln();
                let z = (odds(y, n_own) - odds(rest, n_rest)) / (1.0 / (y + prior) + 1.0 / (rest + prior)).sqrt();
                let (share, everybody) = (y / of_own, prior / of_all);
                if share > everybody {
                    best.push((z, code as u32, share, everybody));
                }
            }
            best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let named = best.into_iter().filter_map(|(_, code, share, everybody)| {
                Some(Distinctive { value: shelf.value(attribute, code)?.to_owned(), share, everybody })
            });
            named.take(n).collect()
        };
        (0..self.len()).map(describe).collect()
    }
}

/// A value that tells a group from everybody.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Distinctive {
    /// The value.
    pub value: String,
    /// Its share of the group's events.
    pub share: f64,
    /// Its share of everybody's.
    pub everybody: f64,
}

/// The first centres: each the farther from those before, the likelier; fewer when the points run out.
fn seeded(points: &Points, k: usize, rng: &mut SplitMix64) -> Vec<f64> {
    let (n, dim) = (points.len(), points.dim());
    let mut centres: Vec<f64> = Vec::with_capacity(k.min(n) * dim);
    let mut distance = vec![f64::INFINITY; n];
    let mut next = (n > 0).then(|| rng.below(n));
    while let Some(place) = next.filter(|_| centres.len() < k * dim) {
        let chosen = points.at(place);
        centres.extend(chosen.iter().map(|x| f64::from(*x)));
        for (other, distance) in distance.iter_mut().enumerate() {
            let d: f64 = points.at(other).iter().zip(chosen).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            *distance = distance.min(d);
        }
        let all: f64 = distance.iter().sum();
        let mut left = (rng.next() >> 11) as f64 / (1u64 << 53) as f64 * all;
        next = (0..n).filter(|&place| distance[place] > 0.0).find(|&place| {
            left -= distance[place];
            left < 0.0
        });
        if next.is_none() {
            next = (0..n).rfind(|&place| distance[place] > 0.0); // what rounding left over
        }
    }
    centres
}
