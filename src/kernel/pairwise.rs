//! One step of gradient ascent on `ln σ(x·i - x·j)`: the inner loop of pairwise ranking.

use super::dispatch::vectorised;
use super::dot::dot;

/// How far a step goes and what length costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) rate: f32,
    /// Of the shopper's vector.
    pub(crate) shopper: f32,
    /// Of the item's vectors.
    pub(crate) item: f32,
    /// Of the item's offsets.
    pub(crate) offset: f32,
}

/// `σ(-margin)`: how wrong the order of a pair still is.
#[inline(always)]
fn wrong(margin: f32) -> f32 {
    1.0 / (1.0 + margin.exp())
}

vectorised! {
    /// Moves a shopper and two items so that the first item gains on the second. The last number of a shopper is 1, of an
    /// item its offset.
    fn learn_order = learn_order_body(x: &mut [f32], i: &mut [f32], j: &mut [f32], pace: Pace)
}

#[inline(always)]
fn learn_order_body(x: &mut [f32], i: &mut [f32], j: &mut [f32], pace: Pace) {
    let g = wrong(dot(x, i) - dot(x, j));
    let Pace { rate, shopper, item, offset } = pace;
    let Some(last) = x.len().checked_sub(1) else { return };
    let ((i, i_offset), (j, j_offset)) = (i[..=last].split_at_mut(last), j[..=last].split_at_mut(last));
    for ((x, i), j) in x[..last].iter_mut().zip(i).zip(j) {
        let (was, liked, other) = (*x, *i, *j);
        *x += rate * (g * (liked - other) - shopper * was);
        *i += rate * (g * was - item * liked);
        *j -= rate * (g * was + item * other);
    }
    i_offset[0] += rate * (g - offset * i_offset[0]);
    j_offset[0] -= rate * (g + offset * j_offset[0]);
}

vectorised! {
    /// Moves a shopper only: towards the first item, away from the second.
    fn learn_taste = learn_taste_body(x: &mut [f32], i: &[f32], j: &[f32], pace: Pace)
}

#[inline(always)]
fn learn_taste_body(x: &mut [f32], i: &[f32], j: &[f32], pace: Pace) {
    let g = wrong(dot(x, i) - dot(x, j));
    let Some(last) = x.len().checked_sub(1) else { return };
    for ((x, i), j) in x[..last].iter_mut().zip(&i[..last]).zip(&j[..last]) {
        *x += pace.rate * (g * (i - j) - pace.shopper * *x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { rate: 0.5, shopper: 0.1, item: 0.2, offset: 0.0 };

    #[test]
    fn a_step_by_hand() {
        // Equal products: σ(0) = ½.
        let (mut x, mut i, mut j) = ([2.0, 1.0], [1.0, 0.0], [1.0, 0.0]);
        learn_order(&mut x, &mut i, &mut j, PACE);
        assert_eq!(x, [2.0 - 0.5 * 0.1 * 2.0, 1.0]);
        assert_eq!(i, [1.0 + 0.5 * (0.5 * 2.0 - 0.2), 0.25]);
        assert_eq!(j, [1.0 - 0.5 * (0.5 * 2.0 + 0.2), -0.25]);
    }

    #[test]
    fn a_taste_moves_as_in_a_full_step() {
        let (mut x, mut i, mut j) = ([0.3, -0.2, 1.0], [0.5, 0.1, 0.2], [-0.4, 0.6, 0.1]);
        let mut alone = x;
        learn_taste(&mut alone, &i, &j, PACE);
        learn_order(&mut x, &mut i, &mut j, PACE);
        assert_eq!(alone.map(f32::to_bits), x.map(f32::to_bits));
    }

    #[test]
    fn a_certain_order_is_left_alone_and_nothing_overflows() {
        let (mut x, mut i, mut j) = ([1e4, 1.0], [1e4, 0.0], [-1e4, 0.0]);
        let still = Pace { shopper: 0.0, item: 0.0, ..PACE };
        learn_order(&mut x, &mut i, &mut j, still);
        assert_eq!((x, i, j), ([1e4, 1.0], [1e4, 0.0], [-1e4, 0.0]));
        learn_order(&mut x, &mut j, &mut i, still);
        assert!(x[0].is_finite() && x[0] < 1e4);
    }
}
