//! Items by their features and features by their items, and everything a request asks of them.

use super::profile::{Entry, Profile};
use crate::catalog::Shelf;
use crate::dataset::{Csr, Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::run::Run;
use crate::scorer::attributes::Features;
use crate::scorer::catalogued::Catalogued;
use crate::scorer::vote::Voting;
use crate::scorer::{
    Candidates, Context, Explanation, FitError, Reason, ReasonCode, Scored, Scores, TrainingSet, Workspace,
};

/// What a feature of an item weighs.
pub(super) trait Weigh: Sync {
    /// Weighs the features an item has for one attribute, given how often each occurs. `place` is the item's in the fit;
    /// `None` for one that came later.
    fn weigh(&self, place: Option<usize>, attribute: f32, features: &mut [(u32, f32)]);

    /// Weighs all features of an item, after each attribute was.
    fn finish(&self, features: &mut [(u32, f32)]) {
        let _ = features;
    }
}

/// Features of items, weighed: 16 bytes a (feature, item) pair.
#[derive(Clone, Debug)]
pub(super) struct Traits<W> {
    pub(super) extent: Extent,
    items: Catalogued,
    features: Features,
    pub(super) weigh: W,
    /// By item.
    rows: Csr,
    /// By feature.
    postings: Csr,
}

impl<W: Weigh> Traits<W> {
    pub(super) fn new(train: &TrainingSet<'_>, features: Features, weigh: W, run: &Run<'_>) -> Result<Self, FitError> {
        run.step(0, 2, None)?;
        let items = Catalogued::new(train);
        let n = items.len();
        let mut traits = Self {
            extent: train.data.extent(),
            items,
            features,
            weigh,
            rows: Csr::with_capacity(n, 0),
            postings: Csr::default(),
        };
        if let Some(shelf) = train.shelf {
            let row = |profile: &mut Profile, place: usize| {
                traits.read(shelf, ItemIdx::new(place as u32), Some(place), profile);
                profile.row.clone()
            };
            let rows = run.threads.map_with(n, Profile::default, row);
            run.step(1, 2, None)?;
            for row in rows {
                row.iter().for_each(|&(feature, weight)| traits.rows.push(feature, weight));
                traits.rows.end_row();
            }
        }
        traits.rows.shrink();
        traits.postings = traits.rows.transposed(traits.features.len());
        run.step(2, 2, None)?;
        Ok(traits)
    }

    /// Reads the features of an item off the shelf, and weighs them.
    fn read(&self, shelf: &Shelf, item: ItemIdx, place: Option<usize>, profile: &mut Profile) {
        let Profile { row, word, .. } = profile;
        self.features.read(shelf, item, word, row, |attribute, part| self.weigh.weigh(place, attribute, part));
        self.weigh.finish(row);
    }

    /// Puts the features of an item into `profile.row`: as the fit saw them, or off the shelf for an item it did not.
    fn row(&self, shelf: &Shelf, item: ItemIdx, profile: &mut Profile) {
        match self.items.place(shelf, item) {
            Some(place) => {
                profile.row.clear();
                profile.row.extend(self.rows.row(place).iter());
            }
            None => self.read(shelf, item, None, profile),
        }
    }

    /// The request's profile: what `part` makes of each voter's vote and each feature of theirs, summed, weighed by `weigh`
    /// given the votes of all that have features.
    pub(super) fn profile(
        &self,
        voting: &Voting,
        cx: &Context<'_>,
        ws: &mut Workspace,
        part: impl Fn(f32, f32) -> f32,
        weigh: impl Fn(f32, u32, f32) -> f32,
    ) -> Box<Profile> {
        let mut profile = ws.take::<Profile>();
        profile.clear();
        let mut voters = ws.take_scored();
        voting.voters(cx, cx.context_item, ws, &mut voters);
        let mut votes = 0.0;
        for (order, &Scored { item, score: vote }) in voters.iter().enumerate() {
            self.row(cx.shelf, item, &mut profile);
            let row = std::mem::take(&mut profile.row);
            if !row.is_empty() {
                votes += vote;
            }
            row.iter().for_each(|&(feature, weight)| profile.add(feature, order, part(vote, weight), item));
            profile.row = row;
        }
        profile.sum(|feature, sum| weigh(votes, feature, sum));
        ws.give_scored(voters);
        profile
    }

    /// The score of an item and who speaks for it: the item loudest for the feature that adds most.
    fn opinion(&self, shelf: &Shelf, item: ItemIdx, profile: &mut Profile) -> Option<(f32, ItemIdx)> {
        self.row(shelf, item, profile);
        let mut opinion: Option<(f32, f32, ItemIdx)> = None;
        for (Entry { because, .. }, part) in profile.shared() {
            opinion = Some(match opinion {
                None => (part, part, because),
                Some((sum, loudest, _)) if part > loudest => (sum + part, part, because),
                Some((sum, loudest, before)) => (sum + part, loudest, before),
            });
        }
        opinion.map(|(sum, _, because)| (sum, because))
    }

    pub(super) fn score(&self, cx: &Context<'_>, mut profile: Box<Profile>, out: &mut Scores<'_>, ws: &mut Workspace) {
        if !profile.entries().is_empty() {
            for (slot, &item) in out.items().iter().enumerate() {
                if let Some((score, because)) = self.opinion(cx.shelf, item, &mut profile) {
                    out.set_because(slot, score, because);
                }
            }
        }
        ws.give(profile);
    }

    /// Adds up the postings of the profile's features in ascending order, as [`score`](Self::score) does item by item: the
    /// same bits.
    pub(super) fn propose(
        &self,
        cx: &Context<'_>,
        mut profile: Box<Profile>,
        limit: usize,
        out: &mut Candidates<'_>,
        ws: &mut Workspace,
    ) {
        let mut sums = ws.take_accumulator(self.items.len());
        for entry in profile.entries() {
            for (place, weight) in self.postings.row(entry.feature as usize).iter() {
                sums.add(place, entry.weight * weight);
            }
        }
        let mut scored = ws.take_scored();
        for (place, score) in sums.iter() {
            if let Some(item) = self.items.item(cx.shelf, place as usize) {
                scored.push(Scored { item, score });
            }
        }
        ws.give_accumulator(sums);
        if !profile.entries().is_empty() {
            for item in self.items.news(cx.shelf) {
                let opinion = self.opinion(cx.shelf, item, &mut profile);
                scored.extend(opinion.map(|(score, _)| Scored { item, score }));
            }
        }
        scored.retain(|s| s.score.is_finite());
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
        ws.give(profile);
    }

    /// A part for each value the item shares with the profile, in the order in which they are summed, each with the item of
    /// the shopper that speaks loudest for it.
    pub(super) fn explain(
        &self,
        (name, code): (&str, ReasonCode),
        cx: &Context<'_>,
        mut profile: Box<Profile>,
        item: ItemIdx,
        ws: &mut Workspace,
    ) -> Explanation {
        let mut explanation = Explanation::leaf(None, Reason::Abstained);
        let score = self.opinion(cx.shelf, item, &mut profile).map(|(score, _)| score);
        if let Some(score) = score.filter(|score| score.is_finite()) {
            explanation.value = Some(score + 0.0);
            explanation.reason = Reason::Scorer { name: name.to_owned(), code };
            for (entry, part) in profile.shared() {
                let (attribute, value) = self.features.label(entry.feature);
                let because = Explanation::leaf(None, Reason::Because { item: entry.because, code });
                let reason = Reason::Attribute { attribute, value, code };
                explanation.details.push(Explanation { value: Some(part), reason, details: vec![because] });
            }
        }
        ws.give(profile);
        explanation
    }

    /// The product of the features of two items of the dataset; `None` unless both have some.
    pub(super) fn product(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        let known = |item: ItemIdx| (item.as_usize() < self.extent.n_items).then(|| self.rows.row(item.as_usize()));
        let (a, b) = (known(a)?, known(b)?);
        let product = a.iter().filter_map(|(feature, weight)| b.get(feature).map(|other| weight * other)).sum();
        (!a.is_empty() && !b.is_empty()).then_some(product)
    }

    pub(super) fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("features", self.features.heap_bytes())
            .with("items by feature", self.postings.heap_bytes())
            .with("features by item", self.rows.heap_bytes())
    }
}

impl<W> Traits<W> {
    /// How many values there are.
    pub(super) const fn n_features(&self) -> usize {
        self.features.count()
    }
}

impl<W: crate::persist::Portable> crate::persist::Portable for Traits<W> {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        out.part("extent", &self.extent)?;
        out.part("items", &self.items)?;
        out.part("features", &self.features)?;
        out.part("weigh", &self.weigh)?;
        out.part("rows", &self.rows)?;
        out.part("postings", &self.postings)
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        let loaded = Self {
            extent: from.part("extent")?,
            items: from.part("items")?,
            features: from.part("features")?,
            weigh: from.part("weigh")?,
            rows: from.part("rows")?,
            postings: from.part("postings")?,
        };
        from.check("an index beyond what it numbers", || {
            loaded.rows.rows() == loaded.items.len()
                && loaded.postings.rows() == loaded.features.count()
                && loaded.rows.is_sound(loaded.features.count())
                && loaded.postings.is_sound(loaded.items.len())
        })?;
        Ok(loaded)
    }
}
