//! VMIS-kNN in the words of its paper (Kersbergen, Sprangers & Schelter 2022, algorithm 2), over maps and sets.

use std::collections::{BTreeMap, BTreeSet};

/// Training sessions, the newest first, as sets of items.
pub(super) struct Serenade {
    pub(super) sessions: Vec<BTreeSet<u32>>,
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) latest: usize,
}

impl Serenade {
    /// The items that follow an evolving session, oldest click first, with their scores.
    pub(super) fn recommend(&self, evolving: &[u32]) -> BTreeMap<u32, f64> {
        let evolving = &evolving[evolving.len().saturating_sub(self.latest)..];
        let unique: BTreeSet<u32> = evolving.iter().copied().collect();
        let newest = |item: u32| evolving.iter().rposition(|&e| e == item).map_or(0, |p| p + 1);
        let sharing = self.sessions.iter().enumerate().filter(|(_, items)| !items.is_disjoint(&unique));
        let mut neighbours: Vec<(usize, f64)> = sharing
            .take(self.m)
            .map(|(n, items)| {
                (n, items.intersection(&unique).map(|&i| newest(i) as f64 / unique.len() as f64).sum::<f64>())
            })
            .collect();
        // Sums of the same fractions in another order are equals here.
        neighbours.sort_by_key(|&(n, similarity)| (std::cmp::Reverse((similarity * 1e9).round() as u64), n));
        let clicks: usize = self.sessions.iter().map(BTreeSet::len).sum();
        let mut scores = BTreeMap::new();
        for &(n, similarity) in neighbours.iter().take(self.k) {
            let items = &self.sessions[n];
            let steps = evolving.iter().rev().position(|e| items.contains(e)).map_or(0, |p| p + 1);
            for &item in items {
                *scores.entry(item).or_insert(0.0) += (1.0 - 0.1 * steps as f64) * similarity;
            }
        }
        scores.remove(evolving.last().unwrap_or(&u32::MAX));
        for (item, score) in &mut scores {
            let holders = self.sessions.iter().filter(|s| s.contains(item)).count();
            *score *= (clicks as f64 / holders as f64).ln();
        }
        scores
    }
}
