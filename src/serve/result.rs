//! What comes back: items with scores, reasons that add up, and an account of how the list came about.

use super::snapshot::Snapshot;
use crate::ids::ItemIdx;
use crate::rank::{Placement, RuleApplied, StageReport};
use crate::scorer::ReasonCode;

/// Where a contribution comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The scorer of that number in the blend.
    Scorer(usize),
    /// The preference of that number.
    Preference(usize),
    /// The boost or bury rule of that number.
    Rule(usize),
    /// The fallback scorer of that number.
    Fallback(usize),
}

/// One part of an item's score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contribution {
    /// Where it comes from.
    pub source: Source,
    /// How much it adds to the score.
    pub value: f32,
    /// What it means to a shopper.
    pub code: ReasonCode,
    /// The item of the shopper's history or basket that speaks loudest for it.
    pub because: Option<ItemIdx>,
}

/// One recommended item within [`Recommendations`].
#[derive(Clone, Copy, Debug)]
pub struct Recommendation<'a> {
    list: &'a Recommendations,
    entry: &'a Entry,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) item: ItemIdx,
    pub(crate) score: f32,
    pub(crate) placement: Placement,
    /// Its contributions.
    pub(crate) first: u32,
    pub(crate) end: u32,
}

impl<'a> Recommendation<'a> {
    /// The item's number in the snapshot.
    #[must_use]
    pub const fn item(&self) -> ItemIdx {
        self.entry.item
    }

    /// The item's id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.list.snapshot.item_id(self.entry.item)
    }

    /// The score it was ranked with; finite. Scores are comparable within one placement of one list.
    #[must_use]
    pub const fn score(&self) -> f32 {
        self.entry.score
    }

    /// How it came to its place.
    #[must_use]
    pub const fn placement(&self) -> Placement {
        self.entry.placement
    }

    /// The parts of the score that are not zero, in the order they are added: their `f32` sum *is* the score.
    #[must_use]
    pub fn contributions(&self) -> &'a [Contribution] {
        &self.list.contributions[self.entry.first as usize..self.entry.end as usize]
    }

    /// The reason to show: the largest contribution above 0 — or the largest that names an item of the shopper's own, if
    /// it is at least half as large, as "because you viewed X" tells a shopper more. `None` when nothing speaks for the
    /// item.
    #[must_use]
    pub fn reason(&self) -> Option<&'a Contribution> {
        let speaking = || self.contributions().iter().filter(|c| c.value > 0.0);
        let larger = |a: &'a Contribution, b: &'a Contribution| if b.value > a.value { b } else { a };
        let largest = speaking().reduce(larger)?;
        let named = speaking().filter(|c| c.because.is_some()).reduce(larger);
        Some(named.filter(|named| 2.0 * named.value >= largest.value).unwrap_or(largest))
    }
}

/// What of a request was not understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ignored {
    /// The profile is not known: the shopper was served as a new one.
    pub unknown_user: bool,
    /// Ids in session, basket, page or candidates that name no item.
    pub unknown_items: usize,
}

/// A ranked list with its account. Cheap to keep: it shares the snapshot it came from.
#[derive(Clone, Debug)]
pub struct Recommendations {
    pub(crate) snapshot: Snapshot,
    pub(crate) entries: Vec<Entry>,
    pub(crate) contributions: Vec<Contribution>,
    pub(crate) stages: Vec<StageReport>,
    pub(crate) rules: Vec<RuleApplied>,
    pub(crate) ignored: Ignored,
}

impl Recommendations {
    /// How many items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The items, best place first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Recommendation<'_>> + DoubleEndedIterator {
        self.entries.iter().map(|entry| Recommendation { list: self, entry })
    }

    /// The item on place `i` of this page.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<Recommendation<'_>> {
        self.entries.get(i).map(|entry| Recommendation { list: self, entry })
    }

    /// The ids, best place first.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.entries.iter().map(|entry| self.snapshot.item_id(entry.item))
    }

    /// The snapshot that answered.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The generation of the snapshot that answered.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.snapshot.generation()
    }

    /// What each source of candidates gave, in the order asked: who ran dry, and which fallbacks were needed.
    #[must_use]
    pub fn stages(&self) -> &[StageReport] {
        &self.stages
    }

    /// What the rules did to the list up to this page's end.
    #[must_use]
    pub fn rules(&self) -> &[RuleApplied] {
        &self.rules
    }

    /// What of the request was not understood.
    #[must_use]
    pub const fn ignored(&self) -> Ignored {
        self.ignored
    }
}

/// Equal answers: same items, order, score bits, contributions and account, whatever snapshot object gave them.
impl PartialEq for Recommendations {
    fn eq(&self, other: &Self) -> bool {
        let same_bits = |(a, b): (&Entry, &Entry)| a.score.to_bits() == b.score.to_bits();
        self.entries == other.entries
            && self.entries.iter().zip(&other.entries).all(same_bits)
            && self.contributions == other.contributions
            && self.stages == other.stages
            && self.rules == other.rules
            && self.ignored == other.ignored
            && self.generation() == other.generation()
    }
}
