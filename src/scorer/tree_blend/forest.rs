//! A sum of weights and trees over opinions, with what each opinion had in it.

use serde::{Deserialize, Serialize};

/// No feature: a leaf.
pub(crate) const LEAF: u32 = u32::MAX;

/// What turns the opinions on an item into one score: a weight for each, and regression trees over all.
///
/// An opinion adds its weight times itself, and in each tree, wherever the path to the item's leaf asks for that opinion,
/// what the mean of the lists moved by from one node to the next (Saabas 2014). So the parts of a score *are* the score:
/// it is computed as their sum. Silence is a direction of its own at each node.
///
/// Made by [`learn_trees`](crate::tune::learn::learn_trees). As data it is checked when read.
///
/// # Example
/// ```
/// use likewise::Forest;
/// // One tree: is the second opinion above one half? Silence is taken for no.
/// let forest: Forest = serde_json::from_value(serde_json::json!({
///     "weights": [1.0, 0.0], "roots": [0], "features": [1, 4294967295u32, 4294967295u32],
///     "thresholds": [0.5, 0.0, 0.0], "silent": [1, 0, 0], "left": [1, 0, 0], "values": [0.0, -0.25, 0.75],
/// }))?;
/// assert_eq!(forest.contributions(&[Some(2.0), Some(0.9)]), [2.0, 0.75]);
/// assert_eq!(forest.contributions(&[Some(2.0), None]), [2.0, -0.25]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Forest(Raw);

/// The columns of a forest: nodes of one tree after the other, the right child behind the left one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    /// A weight an opinion.
    pub(crate) weights: Vec<f32>,
    /// The first node of each tree.
    pub(crate) roots: Vec<u32>,
    /// The opinion a node asks for, or [`LEAF`].
    pub(crate) features: Vec<u32>,
    /// At most this: left.
    pub(crate) thresholds: Vec<f32>,
    /// 1 where silence goes left.
    pub(crate) silent: Vec<u8>,
    /// The left child.
    pub(crate) left: Vec<u32>,
    /// The mean of the node.
    pub(crate) values: Vec<f32>,
}

impl TryFrom<Raw> for Forest {
    type Error = &'static str;

    fn try_from(raw: Raw) -> Result<Self, &'static str> {
        let n = raw.features.len();
        if [raw.thresholds.len(), raw.silent.len(), raw.left.len(), raw.values.len()] != [n; 4] {
            return Err("columns of different lengths");
        }
        let finite = |of: &[f32]| of.iter().all(|x| x.is_finite());
        if !(finite(&raw.weights) && finite(&raw.thresholds) && finite(&raw.values)) {
            return Err("numbers that are not finite");
        }
        let ends = raw.roots.iter().skip(1).copied().chain([n as u32]);
        if raw.roots.first().copied().unwrap_or(n as u32) != 0 || raw.roots.iter().zip(ends).any(|(a, b)| *a >= b) {
            return Err("trees that do not follow each other");
        }
        let mut end = n as u32;
        for root in raw.roots.iter().rev() {
            for node in *root as usize..end as usize {
                let (feature, left) = (raw.features[node], raw.left[node]);
                if feature == LEAF {
                    continue;
                }
                // Children behind their parent, within its tree: every path ends.
                let inside = left as usize > node && left.checked_add(1).is_some_and(|right| right < end);
                if feature as usize >= raw.weights.len() || !inside || raw.silent[node] > 1 {
                    return Err("a node that leads nowhere");
                }
            }
            end = *root;
        }
        Ok(Self(raw))
    }
}

impl From<Forest> for Raw {
    fn from(forest: Forest) -> Self {
        forest.0
    }
}

impl Forest {
    /// How many opinions it takes.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.0.weights.len()
    }

    /// How many trees it has.
    #[must_use]
    pub const fn trees(&self) -> usize {
        self.0.roots.len()
    }

    /// The weight of each opinion beside the trees.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.0.weights
    }

    /// What each opinion adds to the score, which is their sum in this order. Opinions beyond the parts are left out, those
    /// that are missing are silence. `O(parts + trees × depth)`.
    #[must_use]
    pub fn contributions(&self, opinions: &[Option<f32>]) -> Vec<f32> {
        let given = |part: usize| opinions.get(part).copied().flatten().filter(|x| x.is_finite());
        let x: Vec<f32> = (0..self.parts()).map(|part| given(part).unwrap_or(f32::NAN)).collect();
        let mut sums = vec![0.0; x.len()];
        let mut parts = vec![0.0; x.len()];
        self.explained(&x, &mut sums, &mut parts);
        parts
    }

    /// Puts what each of the opinions `x` (NaN for silence) adds into `parts`; all as long as there are parts.
    pub(crate) fn explained(&self, x: &[f32], sums: &mut [f64], parts: &mut [f32]) {
        for ((sum, x), weight) in sums.iter_mut().zip(x).zip(&self.0.weights) {
            *sum = if x.is_nan() { 0.0 } else { f64::from(*weight) * f64::from(*x) };
        }
        for root in &self.0.roots {
            self.walk(*root, x, |feature, moved| {
                if let Some(sum) = sums.get_mut(feature) {
                    *sum += moved;
                }
            });
        }
        parts.iter_mut().zip(&*sums).for_each(|(part, sum)| *part = *sum as f32);
    }

    /// How far tree number `tree` moves an item from the mean of its root.
    pub(crate) fn moved_by(&self, tree: usize, x: &[f32]) -> f64 {
        let mut all = 0.0;
        if let Some(root) = self.0.roots.get(tree) {
            self.walk(*root, x, |_, moved| all += moved);
        }
        all
    }

    /// From a root to the leaf of `x`: at each step, which opinion decided and how far the mean moved.
    fn walk(&self, root: u32, x: &[f32], mut step: impl FnMut(usize, f64)) {
        let Raw { features, thresholds, silent, left, values, .. } = &self.0;
        let mut node = root as usize;
        while features[node] != LEAF {
            let feature = features[node] as usize;
            let x = x.get(feature).copied().unwrap_or(f32::NAN);
            let goes_left = if x.is_nan() { silent[node] == 1 } else { x <= thresholds[node] };
            let next = left[node] as usize + usize::from(!goes_left);
            step(feature, f64::from(values[next]) - f64::from(values[node]));
            node = next;
        }
    }

    /// The first `trees` of the trees.
    pub(crate) fn cut(mut self, trees: usize) -> Self {
        if let Some(&nodes) = self.0.roots.get(trees) {
            let nodes = nodes as usize;
            self.0.roots.truncate(trees);
            self.0.features.truncate(nodes);
            self.0.thresholds.truncate(nodes);
            self.0.silent.truncate(nodes);
            self.0.left.truncate(nodes);
            self.0.values.truncate(nodes);
        }
        self
    }

    /// With one tree more, whose node numbers start at 0.
    pub(crate) fn push(&mut self, tree: &Raw) {
        let base = self.0.features.len() as u32;
        self.0.roots.push(base);
        self.0.features.extend_from_slice(&tree.features);
        self.0.thresholds.extend_from_slice(&tree.thresholds);
        self.0.silent.extend_from_slice(&tree.silent);
        self.0.left.extend(tree.left.iter().map(|left| left + base));
        self.0.values.extend_from_slice(&tree.values);
    }

    /// Weights without a tree.
    pub(crate) fn linear(weights: Vec<f32>) -> Self {
        Self(Raw { weights, ..Raw::default() })
    }

    /// The bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        4 * (self.parts() + self.trees()) + 17 * self.0.features.len()
    }
}

crate::persist::portable!(Raw { weights, roots, features, thresholds, silent, left, values });

impl crate::persist::Portable for Forest {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        self.0.save(out)
    }

    /// Checked whatever is asked of the file: a path that does not end is no wrong answer but none.
    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        Self::try_from(Raw::load(from)?).map_err(|what| from.unsound(format!("is no forest: it has {what}")))
    }
}
