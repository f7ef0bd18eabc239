//! Shoppers as points: vectors of a factor model, or shares of what they like.

use crate::catalog::{AttributeId, Shelf};
use crate::decide::Histories;
use crate::event::KindSet;
use crate::ids::UserIdx;
use crate::time::Timestamp;

/// Profiled shoppers with a vector each, in ascending order: 4 bytes a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    dim: usize,
    users: Vec<UserIdx>,
    values: Vec<f32>,
}

impl Points {
    /// The vector `of` gives for each profiled shopper, such as [`Als::user_factors`](crate::Als::user_factors). Shoppers
    /// who may not be looked at, without a vector, with one of another length than the first, or with a number that is not finite are left out.
    #[must_use]
    pub fn new<'v, 'd>(data: impl Into<Histories<'d>>, of: impl Fn(UserIdx) -> Option<&'v [f32]>) -> Self {
        let mut points = Self::default();
        for user in data.into().users() {
            if let Some(vector) = of(user) {
                points.push(user, vector);
            }
        }
        points
    }

    fn push(&mut self, user: UserIdx, vector: &[f32]) {
        if self.users.is_empty() {
            self.dim = vector.len();
        }
        if vector.len() == self.dim && self.dim > 0 && vector.iter().all(|x| x.is_finite()) {
            self.users.push(user);
            self.values.extend_from_slice(vector);
        }
    }

    /// The shares of a shopper's events of `kinds` up to `now` that fall on each of the `most` commonest values of a category
    /// or tags attribute (an item's leaf counts); the last number is the share of all other values. Shoppers without such
    /// an event are left out. `O(events)`.
    #[must_use]
    pub fn affinities<'d>(
        data: impl Into<Histories<'d>>,
        shelf: &Shelf,
        attribute: AttributeId,
        kinds: KindSet,
        most: usize,
        now: Timestamp,
    ) -> Self {
        let data = data.into();
        let mut counts = vec![0u64; shelf.n_codes(attribute)];
        let codes = |user: UserIdx| {
            let events = data.until(user, now).iter().filter(|e| kinds.contains(e.kind));
            events.filter_map(|e| shelf.leaf(e.item, attribute))
        };
        data.users().flat_map(codes).for_each(|code| {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        });
        let mut common: Vec<usize> = (0..counts.len()).filter(|&code| counts[code] > 0).collect();
        common.sort_unstable_by_key(|&code| (std::cmp::Reverse(counts[code]), code));
        common.truncate(most);
        let mut place = vec![common.len(); counts.len()];
        common.iter().enumerate().for_each(|(i, &code)| place[code] = i);
        let mut points = Self::default();
        let mut shares = vec![0.0f32; common.len() + 1];
        for user in data.users() {
            shares.fill(0.0);
            codes(user).for_each(|code| shares[place.get(code as usize).copied().unwrap_or(common.len())] += 1.0);
            let all: f32 = shares.iter().sum();
            if all > 0.0 {
                shares.iter_mut().for_each(|share| *share /= all);
                points.push(user, &shares);
            }
        }
        points
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Numbers a vector has.
    #[must_use]
    pub const fn dim(&self) -> usize {
        self.dim
    }

    /// The shoppers, ascending.
    #[must_use]
    pub fn users(&self) -> &[UserIdx] {
        &self.users
    }

    /// The vector of a shopper.
    #[must_use]
    pub fn of(&self, user: UserIdx) -> Option<&[f32]> {
        self.users.binary_search(&user).ok().map(|place| self.at(place))
    }

    pub(super) fn at(&self, place: usize) -> &[f32] {
        &self.values[place * self.dim..(place + 1) * self.dim]
    }

    /// The `n` shoppers most like those of `seeds`, without these: by the cosine with the mean of the seeds' directions,
    /// best first, equal ones by number. Exact; seeds without a vector say nothing; empty without any seed.
    /// `O(shoppers × numbers)`.
    ///
    /// **When not:** for seeds of several kinds at once: their mean is like nobody. Cluster first.
    #[must_use]
    pub fn lookalikes(&self, seeds: &[UserIdx], n: usize) -> Vec<(UserIdx, f32)> {
        let mut taken: Vec<UserIdx> = seeds.to_vec();
        taken.sort_unstable();
        taken.dedup();
        let length = |x: &[f32]| x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let mut centre = vec![0.0f64; self.dim];
        for vector in taken.iter().filter_map(|&seed| self.of(seed)) {
            let length = length(vector);
            if length > 0.0 {
                centre.iter_mut().zip(vector).for_each(|(c, x)| *c += f64::from(*x) / length);
            }
        }
        let of_centre = centre.iter().map(|c| c * c).sum::<f64>().sqrt();
        if of_centre <= 0.0 {
            return Vec::new();
        }
        let cosine = |place: usize| {
            let vector = self.at(place);
            let dot: f64 = centre.iter().zip(vector).map(|(c, x)| c * f64::from(*x)).sum();
            let length = length(vector);
            (length > 0.0).then(|| (dot / length / of_centre) as f32 + 0.0)
        };
        let others = (0..self.len()).filter(|&place| taken.binary_search(&self.users[place]).is_err());
        let mut alike: Vec<(UserIdx, f32)> =
            others.filter_map(|place| Some((self.users[place], cosine(place)?))).collect();
        crate::kernel::top_k::top_k(&mut alike, n, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        alike
    }
}
