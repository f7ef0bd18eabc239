//! Drawing pairs of shoppers and items, and items that were not touched.

use super::params::Sampling;
use crate::dataset::Csr;
use crate::kernel::rng::SplitMix64;
use crate::run::Run;

/// The (shopper, item) pairs, laid out flat: 8 bytes a pair.
pub(super) struct Pairs<'a> {
    by_user: &'a Csr,
    users: Vec<u32>,
    items: Vec<u32>,
    /// The items with a pair, ascending.
    pub(super) active: Vec<u32>,
}

/// How often an item is drawn again because the shopper touched it. Who touched nearly all there is gets a wrong lesson now
/// and then.
const TRIES: usize = 16;

impl<'a> Pairs<'a> {
    pub(super) fn new(by_user: &'a Csr, by_item: &Csr) -> Self {
        let (mut users, mut items) = (Vec::with_capacity(by_user.len()), Vec::with_capacity(by_user.len()));
        for user in 0..by_user.rows() {
            let row = by_user.row(user).indices();
            users.resize(users.len() + row.len(), user as u32);
            items.extend_from_slice(row);
        }
        let active = (0..by_item.rows() as u32).filter(|&item| !by_item.row(item as usize).is_empty()).collect();
        Self { by_user, users, items, active }
    }

    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// Any pair.
    pub(super) fn draw(&self, rng: &mut SplitMix64) -> (usize, u32) {
        let pair = rng.below(self.len());
        (self.users[pair] as usize, self.items[pair])
    }

    fn touched(&self, user: usize, item: u32) -> bool {
        self.by_user.row(user).indices().binary_search(&item).is_ok()
    }
}

/// Items by one factor, largest first, and how far apart they lie in it.
struct ByFactor {
    items: Vec<u32>,
    spread: f32,
}

/// Draws items that a shopper did not touch.
pub(super) struct Others {
    sampling: Sampling,
    by_factor: Vec<ByFactor>,
    /// Steps until `by_factor` is made anew.
    fresh_for: usize,
}

impl Others {
    pub(super) const fn new(sampling: Sampling) -> Self {
        Self { sampling, by_factor: Vec::new(), fresh_for: 0 }
    }

    /// To be called before each step: sorts the items anew every `items x log2(items)` steps, as the paper does, which makes
    /// the sorting cost a step no more than a constant.
    pub(super) fn refresh(&mut self, items: &[f32], dim: usize, pairs: &Pairs<'_>, run: &Run<'_>) {
        if !matches!(self.sampling, Sampling::Adaptive { .. }) {
            return;
        }
        if self.fresh_for == 0 {
            let n = pairs.active.len();
            // The offset is a factor like the others: a popular item must be drawn too, or nothing holds it down.
            self.by_factor = run.threads.map(dim, |factor| by_factor(items, dim, factor, &pairs.active));
            self.fresh_for = n * (usize::BITS - n.leading_zeros()) as usize;
        }
        self.fresh_for -= 1;
    }

    /// An item the shopper with vector `x` did not touch; the last try if they touched every one that came up.
    pub(super) fn draw(&self, user: usize, x: &[f32], pairs: &Pairs<'_>, rng: &mut SplitMix64) -> u32 {
        let mut item = 0;
        for _ in 0..TRIES {
            item = match self.sampling {
                Sampling::Uniform => pairs.active[rng.below(pairs.active.len())],
                Sampling::Popularity => pairs.draw(rng).1,
                Sampling::Adaptive { rank } => self.ranked(x, rank, rng),
            };
            if !pairs.touched(user, item) {
                break;
            }
        }
        item
    }

    /// A factor by how much it matters to the shopper, then a place near the end of it they like.
    fn ranked(&self, x: &[f32], rank: f32, rng: &mut SplitMix64) -> u32 {
        let matters = |(x, by): (&f32, &ByFactor)| x.abs() * by.spread;
        let total: f32 = x.iter().zip(&self.by_factor).map(matters).sum();
        let mut left = rng.unit() * total;
        let past = |&(x, by): &(&f32, &ByFactor)| {
            left -= matters((x, by));
            left <= 0.0
        };
        // Rounding can leave a little after the last.
        let chosen = x.iter().zip(&self.by_factor).find(past);
        let (x, by) = chosen.unwrap_or((&x[0], &self.by_factor[0]));
        let n = by.items.len();
        // Exponential, cut off at the number of items.
        let tail = (-(n as f32) / rank).exp();
        let u = rng.unit();
        let place = ((-rank * (1.0 - u * (1.0 - tail)).ln()) as usize).min(n - 1);
        by.items[if *x >= 0.0 { place } else { n - 1 - place }]
    }
}

fn by_factor(items: &[f32], dim: usize, factor: usize, active: &[u32]) -> ByFactor {
    let value = |item: u32| items[item as usize * dim + factor];
    let mut sorted: Vec<(f32, u32)> = active.iter().map(|&item| (value(item), item)).collect();
    sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|&(v, _)| f64::from(v)).sum::<f64>() / n;
    let variance = sorted.iter().map(|&(v, _)| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    ByFactor { items: sorted.into_iter().map(|(_, item)| item).collect(), spread: variance.sqrt() as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csr(rows: &[&[u32]]) -> Csr {
        let mut csr = Csr::with_capacity(rows.len(), 0);
        for row in rows {
            row.iter().for_each(|&i| csr.push(i, 1.0));
            csr.end_row();
        }
        csr
    }

    #[test]
    fn what_was_touched_is_not_drawn_and_what_nobody_touched_neither() {
        let by_user = csr(&[&[0, 1], &[1, 2, 4]]);
        let pairs = Pairs::new(&by_user, &by_user.transposed(6));
        assert_eq!((pairs.len(), &pairs.active[..]), (5, &[0, 1, 2, 4][..]));
        let items: Vec<f32> = (0..6).flat_map(|i| [i as f32, 0.0]).collect();
        for sampling in [Sampling::Uniform, Sampling::Popularity, Sampling::Adaptive { rank: 2.0 }] {
            let (mut others, mut rng) = (Others::new(sampling), SplitMix64::new(1));
            for _ in 0..300 {
                others.refresh(&items, 2, &pairs, &Run::new(0));
                let item = others.draw(0, &[1.0, 1.0], &pairs, &mut rng);
                assert!(item == 2 || item == 4, "{sampling:?} drew {item}");
            }
        }
    }

    #[test]
    fn adaptive_draws_follow_the_factor_the_shopper_likes() {
        let by_user = csr(&[&(0..100).collect::<Vec<u32>>()]);
        let pairs = Pairs::new(&by_user, &by_user.transposed(100));
        // The second factor says nothing.
        let items: Vec<f32> = (0..100).flat_map(|i| [i as f32, 3.0, 0.0]).collect();
        let mut others = Others::new(Sampling::Adaptive { rank: 5.0 });
        others.refresh(&items, 3, &pairs, &Run::new(0));
        let mut rng = SplitMix64::new(4);
        let mut mean = |x: f32| (0..2_000).map(|_| others.ranked(&[x, 9.0, 1.0], 5.0, &mut rng)).sum::<u32>() / 2_000;
        assert!((92..=97).contains(&mean(1.0)), "not near the large end: {}", mean(1.0));
        assert!((3..=6).contains(&mean(-1.0)), "not near the small end: {}", mean(-1.0));
    }
}
