//! One regression tree on slopes and curvatures, leaf by leaf, over opinions cut into bins.
//!
//! Sums are made in the order of the rows, opinion by opinion, each by one thread: the same bits for any number of threads.
//! Both sides of a split are summed anew and not one taken from the other, which would round differently for each order of
//! splits. `O(rows × opinions)` a level.

use super::lists::JudgedLists;
use super::trees_params::{Shape, TreesParams};
use crate::run::Run;
use crate::scorer::tree_blend::{ForestColumns, LEAF};

/// The bin of silence.
const SILENT: u8 = 255;

/// All items of all lists: for each opinion its bins. One byte a part and item.
pub(super) struct Binned {
    /// Upper ends of the bins but the last, ascending.
    cuts: Vec<Vec<f32>>,
    columns: Vec<Vec<u8>>,
}

impl Binned {
    pub(super) fn of(lists: &JudgedLists, bins: usize, run: &Run<'_>) -> Self {
        let column = |part: usize| {
            let rows = lists.lists.iter().flat_map(|list| {
                let x = list.features.iter().skip(part).step_by(lists.parts);
                x.zip(list.silent.iter().skip(part).step_by(lists.parts))
            });
            let mut values: Vec<f32> = rows.clone().filter(|(_, silent)| !**silent).map(|(x, _)| *x + 0.0).collect();
            values.sort_unstable_by(f32::total_cmp);
            let cuts = cuts(&values, bins);
            let bin = |(x, silent): (&f32, &bool)| if *silent { SILENT } else { cuts.partition_point(|c| c < x) as u8 };
            let column: Vec<u8> = rows.map(bin).collect();
            (cuts, column)
        };
        let (cuts, columns) = run.threads.map(lists.parts, column).into_iter().unzip();
        Self { cuts, columns }
    }
}

/// At most `bins - 1` values between which the sorted `values` fall into even shares; all but the largest where they are few.
fn cuts(values: &[f32], bins: usize) -> Vec<f32> {
    let mut distinct = values.to_vec();
    distinct.dedup();
    let mut cuts = distinct;
    if cuts.len() > bins {
        cuts = (1..bins).filter_map(|b| values.get(b * values.len() / bins)).copied().collect();
        cuts.dedup();
    }
    if cuts.last() == values.last() {
        cuts.pop();
    }
    cuts
}

/// Slope, curvature and number of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    slope: f64,
    bend: f64,
    rows: u32,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.slope += other.slope;
        self.bend += other.bend;
        self.rows += other.rows;
    }

    fn plus(mut self, other: Self) -> Self {
        self.add(other);
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Split {
    gain: f64,
    part: usize,
    bin: usize,
    silent_left: bool,
    values: (f64, f64),
}

/// A leaf that may be split.
struct Open {
    node: usize,
    rows: Vec<u32>,
    /// What its values must lie between, so that the tree rises.
    bounds: (f64, f64),
    split: Option<Split>,
}

/// What one tree is grown from.
pub(super) struct Grower<'a> {
    pub(super) data: &'a Binned,
    pub(super) params: &'a TreesParams,
    pub(super) slope: &'a [f64],
    pub(super) bend: &'a [f64],
    pub(super) run: &'a Run<'a>,
}

impl Grower<'_> {
    /// The tree over these rows (ascending), with its node numbers from 0; none where nothing is worth a split.
    pub(super) fn grow(&self, rows: Vec<u32>) -> Option<ForestColumns> {
        let mut tree = ForestColumns::default();
        let all = rows.iter().fold(Sum::default(), |sum, row| sum.plus(self.one(*row)));
        let free = (f64::NEG_INFINITY, f64::INFINITY);
        let root = self.leaf(&mut tree, rows, self.value(all, free), free);
        let mut open = vec![root];
        for _ in 1..self.params.leaves {
            let gain = |leaf: &Open| leaf.split.map_or(0.0, |split| split.gain);
            // The first of the best: leaves stand in the order in which they were made.
            let best = (0..open.len()).reduce(|best, at| if gain(&open[at]) > gain(&open[best]) { at } else { best });
            let Some((at, split)) = best.and_then(|at| Some((at, open[at].split?))) else { break };
            let leaf = open.remove(at);
            open.extend(self.divide(&mut tree, leaf, split));
        }
        (tree.features.len() > 1).then_some(tree)
    }

    fn one(&self, row: u32) -> Sum {
        Sum { slope: self.slope[row as usize], bend: self.bend[row as usize], rows: 1 }
    }

    fn value(&self, sum: Sum, bounds: (f64, f64)) -> f64 {
        let value = sum.slope / (sum.bend + self.params.l2).max(1e-12);
        value.max(bounds.0).min(bounds.1)
    }

    /// What the objective gains by this value: to the second order.
    fn worth(&self, sum: Sum, value: f64) -> f64 {
        sum.slope * value - 0.5 * (sum.bend + self.params.l2) * value * value
    }

    fn leaf(&self, tree: &mut ForestColumns, rows: Vec<u32>, value: f64, bounds: (f64, f64)) -> Open {
        let node = tree.features.len();
        tree.features.push(LEAF);
        tree.thresholds.push(0.0);
        tree.silent.push(0);
        tree.left.push(0);
        tree.values.push((value * self.params.shrinkage) as f32);
        let split = self.best_split(&rows, bounds);
        Open { node, rows, bounds, split }
    }

    fn divide(&self, tree: &mut ForestColumns, leaf: Open, split: Split) -> [Open; 2] {
        let (column, cuts) = (&self.data.columns[split.part], &self.data.cuts[split.part]);
        let goes_left = |row: &u32| match column[*row as usize] {
            SILENT => split.silent_left,
            bin => usize::from(bin) <= split.bin,
        };
        let (left, right): (Vec<u32>, Vec<u32>) = leaf.rows.into_iter().partition(goes_left);
        tree.features[leaf.node] = split.part as u32;
        // Behind the last cut: all that is not silence.
        tree.thresholds[leaf.node] = cuts.get(split.bin).copied().unwrap_or(f32::MAX);
        tree.silent[leaf.node] = u8::from(split.silent_left);
        tree.left[leaf.node] = tree.features.len() as u32;
        let (mut below, mut above) = (leaf.bounds, leaf.bounds);
        if self.params.shape == Shape::Rising && split.bin < cuts.len() {
            let middle = 0.5 * (split.values.0 + split.values.1);
            below.1 = middle.min(below.1);
            above.0 = middle.max(above.0);
        }
        let left = self.leaf(tree, left, split.values.0, below);
        let right = self.leaf(tree, right, split.values.1, above);
        [left, right]
    }

    /// The best split of these rows; of equal ones the first opinion, the lowest bin, silence on the left.
    fn best_split(&self, rows: &[u32], bounds: (f64, f64)) -> Option<Split> {
        if (rows.len() as u64) < 2 * u64::from(self.params.least) {
            return None;
        }
        let found = self.run.threads.map(self.data.columns.len(), |part| self.best_of(part, rows, bounds));
        let better = |a: Split, b: Split| if b.gain > a.gain { b } else { a };
        found.into_iter().flatten().reduce(better).filter(|split| split.gain > 1e-12)
    }

    fn best_of(&self, part: usize, rows: &[u32], bounds: (f64, f64)) -> Option<Split> {
        let (column, cuts) = (&self.data.columns[part], &self.data.cuts[part]);
        let mut bins = [Sum::default(); 256];
        for &row in rows {
            bins[usize::from(column[row as usize])].add(self.one(row));
        }
        let silent = bins[usize::from(SILENT)];
        let heard = bins[..=cuts.len()].iter().fold(Sum::default(), |sum, bin| sum.plus(*bin));
        let all = heard.plus(silent);
        let before = self.worth(all, self.value(all, bounds));
        let mut best: Option<Split> = None;
        let mut left = Sum::default();
        for bin in 0..=cuts.len() {
            left.add(bins[bin]);
            let right = bins[bin + 1..=cuts.len()].iter().fold(Sum::default(), |sum, bin| sum.plus(*bin));
            for silent_left in [true, false] {
                let last = bin == cuts.len();
                let nobody = silent.rows == 0;
                // Silence that was never heard goes where a nothing would: what is logged as 0 is served as silence.
                if nobody && (last || silent_left != cuts.get(bin).is_some_and(|cut| *cut >= 0.0))
                    || last && silent_left
                {
                    continue;
                }
                let (a, b) = if silent_left { (left.plus(silent), right) } else { (left, right.plus(silent)) };
                if a.rows < self.params.least || b.rows < self.params.least {
                    continue;
                }
                let values = (self.value(a, bounds), self.value(b, bounds));
                if self.params.shape == Shape::Rising && !last && values.0 > values.1 {
                    continue;
                }
                let gain = self.worth(a, values.0) + self.worth(b, values.1) - before;
                if best.is_none_or(|best| gain > best.gain) {
                    best = Some(Split { gain, part, bin, silent_left, values });
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lists::Judged;
    use super::*;

    type Row = ([Option<u8>; 2], i8, u8);

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let x = prop::option::weighted(0.8, 0u8..6);
        prop::collection::vec(([x.clone(), x], -8i8..9, 1u8..9), 2..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// The slow twin: every opinion, every value, silence on both sides, each side summed from nothing.
        #[test]
        fn no_split_is_better(rows in rows(), least in 1u32..5, rising: bool) {
            let features: Vec<f32> = rows.iter().flat_map(|r| r.0.map(|x| f32::from(x.unwrap_or(0)))).collect();
            let silent: Vec<bool> = rows.iter().flat_map(|r| r.0.map(|x| x.is_none())).collect();
            let judged = Judged { features, silent, gains: vec![0.0; rows.len()], missed: 0 };
            let lists = JudgedLists { parts: 2, lists: vec![judged] };
            let run = Run::new(1);
            let data = Binned::of(&lists, 64, &run);
            let slope: Vec<f64> = rows.iter().map(|r| f64::from(r.1) / 8.0).collect();
            let bend: Vec<f64> = rows.iter().map(|r| f64::from(r.2) / 8.0).collect();
            let shape = if rising { Shape::Rising } else { Shape::Free };
            let params = TreesParams { least, shape, leaves: 2, shrinkage: 1.0, ..TreesParams::default() };
            let grower = Grower { data: &data, params: &params, slope: &slope, bend: &bend, run: &run };
            let found = grower.grow((0..rows.len() as u32).collect());

            let value = |of: &[usize]| of.iter().map(|i| slope[*i]).sum::<f64>() / (of.iter().map(|i| bend[*i]).sum::<f64>() + 1.0);
            let gain = |of: &[usize]| 0.5 * value(of) * of.iter().map(|i| slope[*i]).sum::<f64>();
            let all: Vec<usize> = (0..rows.len()).collect();
            let mut best = 1e-12;
            for part in 0..2 {
                let known = rows.iter().any(|r| r.0[part].is_none());
                for cut in 0..6u8 {
                    for silent_left in [true, false] {
                        if !known && silent_left {
                            continue; // nobody is silent: one of the two is enough
                        }
                        let left = |i: &usize| rows[*i].0[part].map_or(silent_left, |x| x <= cut);
                        let (a, b): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| left(i));
                        let heard = |of: &[usize]| of.iter().any(|i| rows[*i].0[part].is_some());
                        // All that is heard on one side: silence against the rest, which no shape forbids.
                        let fine = !rising || !heard(&a) || !heard(&b) || value(&a) <= value(&b);
                        if a.len() >= least as usize && b.len() >= least as usize && fine {
                            best = f64::max(best, gain(&a) + gain(&b) - gain(&all));
                        }
                    }
                }
            }
            match found {
                None => prop_assert!(best < 1e-9, "{best} was missed"),
                Some(tree) => {
                    let values: Vec<f64> = tree.values.iter().map(|v| f64::from(*v)).collect();
                    let side = |i: &usize| {
                        let feature = tree.features[0] as usize;
                        rows[*i].0[feature].map_or(tree.silent[0] == 1, |x| f32::from(x) <= tree.thresholds[0])
                    };
                    let (a, b): (Vec<usize>, Vec<usize>) = all.iter().partition(|i| side(i));
                    prop_assert!((gain(&a) + gain(&b) - gain(&all) - best).abs() < 1e-9, "{best} was possible: {tree:?}");
                    prop_assert!((values[1] - value(&a)).abs() < 1e-6 && (values[2] - value(&b)).abs() < 1e-6);
                    prop_assert!((values[0] - value(&all)).abs() < 1e-6);
                }
            }
        }
    }
}
