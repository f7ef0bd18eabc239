//! All item sets that stand in enough baskets, without candidates: FP-growth.
//!
//! Han, Pei & Yin 2000, "Mining frequent patterns without candidate generation", SIGMOD. Baskets are kept as a tree of
//! prefixes, items in falling order of frequency; the sets that end with an item are found in the tree of the prefixes
//! before it. Sets come out exactly, each once.

use rustc_hash::FxHashMap;

/// A tree of prefixes; node 0 is the root.
struct Tree {
    item: Vec<u32>,
    parent: Vec<u32>,
    count: Vec<u32>,
    /// By item: its nodes.
    nodes: Vec<Vec<u32>>,
}

impl Tree {
    /// Of baskets with weights, in items `0..n` that ascend in each.
    fn new<'b>(n: usize, baskets: impl Iterator<Item = (&'b [u32], u32)>) -> Self {
        let mut tree = Self { item: vec![u32::MAX], parent: vec![0], count: vec![0], nodes: vec![Vec::new(); n] };
        let mut child: FxHashMap<(u32, u32), u32> = FxHashMap::default();
        for (basket, weight) in baskets {
            let mut node = 0;
            for &item in basket {
                node = *child.entry((node, item)).or_insert_with(|| {
                    let new = tree.item.len() as u32;
                    tree.item.push(item);
                    tree.parent.push(node);
                    tree.count.push(0);
                    tree.nodes[item as usize].push(new);
                    new
                });
                tree.count[node as usize] += weight;
            }
        }
        tree
    }

    fn support(&self, item: usize) -> u32 {
        self.nodes[item].iter().map(|&node| self.count[node as usize]).sum()
    }

    /// The prefixes before the nodes of `item`, items ascending, with weights.
    fn prefixes(&self, item: usize) -> Vec<(Vec<u32>, u32)> {
        let prefix = |&node: &u32| {
            let mut path = Vec::new();
            let mut up = self.parent[node as usize];
            while up != 0 {
                path.push(self.item[up as usize]);
                up = self.parent[up as usize];
            }
            path.reverse();
            (path, self.count[node as usize])
        };
        self.nodes[item].iter().map(prefix).collect()
    }
}

/// Every set of at most `longest` items that stands in at least `least` (above 0) of `baskets` (items below `n`, each
/// once a basket), with its count: items ascending in each set, in no order between sets.
pub(super) fn frequent_sets<'b>(
    n: usize,
    baskets: impl Iterator<Item = &'b [u32]> + Clone,
    least: u32,
    longest: usize,
) -> Vec<(Vec<u32>, u32)> {
    let mut counts = vec![0_u32; n];
    baskets.clone().flatten().for_each(|&item| counts[item as usize] += 1);
    let mut by_count: Vec<u32> = (0..n as u32).filter(|&item| counts[item as usize] >= least).collect();
    by_count.sort_by_key(|&item| (std::cmp::Reverse(counts[item as usize]), item));
    let mut rank = vec![u32::MAX; n];
    by_count.iter().zip(0..).for_each(|(&item, place)| rank[item as usize] = place);
    let ranked = baskets.map(|basket| {
        let mut ranks: Vec<u32> = basket.iter().map(|&item| rank[item as usize]).filter(|&r| r != u32::MAX).collect();
        ranks.sort_unstable();
        ranks
    });
    let ranked: Vec<Vec<u32>> = ranked.collect();
    let tree = Tree::new(by_count.len(), ranked.iter().map(|basket| (&basket[..], 1)));
    let mut out = Vec::new();
    if longest > 0 {
        grow(&tree, least, longest, &by_count, &mut Vec::new(), &mut out);
    }
    out
}

/// Appends the sets that end with `suffix` to `out`. `names` are the items of the tree's numbers. The depth is at
/// most the longest set.
fn grow(tree: &Tree, least: u32, longest: usize, names: &[u32], suffix: &mut Vec<u32>, out: &mut Vec<(Vec<u32>, u32)>) {
    for item in 0..names.len() {
        let support = tree.support(item);
        if support < least {
            continue;
        }
        suffix.push(names[item]);
        let mut set = suffix.clone();
        set.sort_unstable();
        out.push((set, support));
        if suffix.len() < longest {
            // Only what is frequent before this item can be in a longer set: the rest is dropped, and numbers close up.
            let mut prefixes = tree.prefixes(item);
            let mut counts = vec![0_u32; item];
            for (path, weight) in &prefixes {
                path.iter().for_each(|&other| counts[other as usize] += weight);
            }
            let kept: Vec<u32> = (0..item as u32).filter(|&other| counts[other as usize] >= least).collect();
            if !kept.is_empty() {
                let mut number = vec![u32::MAX; item];
                kept.iter().zip(0..).for_each(|(&other, new)| number[other as usize] = new);
                for (path, _) in &mut prefixes {
                    path.retain_mut(|other| {
                        *other = number[*other as usize];
                        *other != u32::MAX
                    });
                }
                let names: Vec<u32> = kept.iter().map(|&other| names[other as usize]).collect();
                let smaller = Tree::new(names.len(), prefixes.iter().map(|(path, weight)| (&path[..], *weight)));
                grow(&smaller, least, longest, &names, suffix, out);
            }
        }
        suffix.pop();
    }
}
