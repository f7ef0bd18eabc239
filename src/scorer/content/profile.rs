//! What a shopper's items have in common: weighted features, each with the item that speaks loudest for it.

use crate::ids::ItemIdx;

/// A feature of the profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) feature: u32,
    pub(super) weight: f32,
    pub(super) because: ItemIdx,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    feature: u32,
    /// The voter's place: parts of one feature are added in it.
    order: u32,
    weight: f32,
    from: ItemIdx,
}

/// Kept in the workspace from request to request.
#[derive(Debug, Default)]
pub(super) struct Profile {
    parts: Vec<Part>,
    entries: Vec<Entry>,
    /// The features of the item at hand.
    pub(super) row: Vec<(u32, f32)>,
    pub(super) word: String,
}

impl Profile {
    pub(super) fn clear(&mut self) {
        self.parts.clear();
        self.entries.clear();
    }

    /// Adds a part to a feature; voters come in order.
    pub(super) fn add(&mut self, feature: u32, order: usize, weight: f32, from: ItemIdx) {
        self.parts.push(Part { feature, order: order as u32, weight, from });
    }

    /// Sums the parts, and makes of each sum what `weigh` says; a weight that is not above zero leaves the profile.
    pub(super) fn sum(&mut self, weigh: impl Fn(u32, f32) -> f32) {
        self.parts.sort_unstable_by_key(|part| (part.feature, part.order));
        for parts in self.parts.chunk_by(|a, b| a.feature == b.feature) {
            let mut loudest = parts[0];
            let mut sum = 0.0;
            for part in parts {
                sum += part.weight;
                if part.weight > loudest.weight {
                    loudest = *part;
                }
            }
            let weight = weigh(loudest.feature, sum);
            if weight > 0.0 && weight.is_finite() {
                self.entries.push(Entry { feature: loudest.feature, weight, because: loudest.from });
            }
        }
    }

    /// Ascending by feature.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries the item in `row` shares, ascending, each with what it adds to the score.
    pub(super) fn shared(&self) -> impl Iterator<Item = (Entry, f32)> + '_ {
        let mut rest = &self.entries[..];
        self.row.iter().filter_map(move |&(feature, weight)| {
            rest = &rest[rest.partition_point(|entry| entry.feature < feature)..];
            rest.first().filter(|entry| entry.feature == feature).map(|&entry| (entry, entry.weight * weight))
        })
    }
}
