//! Lists with what each part said and what came of it.

use serde::{Deserialize, Serialize};

use super::super::weights::Columns;
use super::propensity::Propensities;
use crate::serve::{Recommendations, Source};

/// One list as it was shown: log it with the answer, add what was clicked, learn from it later.
///
/// # Example
/// ```
/// use likewise::tune::learn::LoggedList;
/// # use std::sync::Arc;
/// # use likewise::*;
/// # let mut builder = DatasetBuilder::default();
/// # let who = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
/// # builder.push(&Event::new(who, "mug", EventKind::Purchase, Timestamp::from_secs(1)))?;
/// # let data = Arc::new(builder.build()?);
/// # let popular = PopularityParams::default().check()?.fit(&(&*data).into(), &Run::new(1))?;
/// # let ranker = Ranker::builder().scorer(Arc::new(popular), 0.5).build()?;
/// # let snapshot = Snapshot::new(data, Arc::new(Catalog::default()), Arc::new(ranker))?;
/// let list = snapshot.recommend(&Request::anonymous(Timestamp::from_secs(2)))?;
/// let mut log = LoggedList::of(&list, 0);
/// log.gained("mug", 1.0); // a click; a purchase may count more
/// assert_eq!((log.items[0].parts.as_slice(), log.items[0].gain), (&[1.0][..], 1.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedList {
    /// The items shown.
    pub items: Vec<LoggedItem>,
}

/// One item of a [`LoggedList`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedItem {
    /// Its id.
    pub item: String,
    /// The place it was shown on, from 0 on, over all pages.
    pub place: u32,
    /// What each scorer of the blend said: normalised, without its weight. What is no finite number (in text: null) is
    /// silence, which counts 0 in a sum of weights, and has a direction of its own in trees.
    #[serde(with = "opinions")]
    pub parts: Vec<f32>,
    /// What came of it: 0 for nothing, 1 for a click, more for what is worth more.
    pub gain: f32,
}

/// JSON has no NaN.
mod opinions {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(parts: &[f32], to: S) -> Result<S::Ok, S::Error> {
        parts.iter().map(|x| x.is_finite().then_some(*x)).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<f32>, D::Error> {
        let parts = Vec::<Option<f32>>::deserialize(from)?;
        Ok(parts.into_iter().map(|x| x.unwrap_or(f32::NAN)).collect())
    }
}

impl LoggedList {
    /// The page `list` whose first item is on place `offset`. What a scorer says is its contribution over its weight: right
    /// for weighted sums in which silence does not move weights about (all but
    /// [`Missing::Redistribute`](crate::Missing::Redistribute)).
    #[must_use]
    pub fn of(list: &Recommendations, offset: usize) -> Self {
        let weights = &list.snapshot().ranker().weights;
        let item = |(place, item): (usize, crate::serve::Recommendation<'_>)| {
            let mut parts = vec![0.0; weights.len()];
            for c in item.contributions() {
                if let Source::Scorer(s) = c.source
                    && let (Some(part), Some(weighted)) = (parts.get_mut(s), weights.get(s))
                {
                    *part = c.value / weighted.weight;
                }
            }
            LoggedItem { item: item.id().to_owned(), place: (offset + place) as u32, parts, gain: 0.0 }
        };
        Self { items: list.iter().enumerate().map(item).collect() }
    }

    /// Adds `gain` to an item of the list; `false` when it is not on it.
    pub fn gained(&mut self, item: &str, gain: f32) -> bool {
        let found = self.items.iter_mut().find(|logged| logged.item == item);
        found.map(|logged| logged.gain += gain).is_some()
    }
}

/// Lists ready to learn from: for each item the parts, and what it gained, weighed. Lists in which nothing was gained teach
/// nothing and are left out. 5 bytes a part and item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JudgedLists {
    pub(super) parts: usize,
    pub(super) lists: Vec<Judged>,
}

/// One list: an item after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Judged {
    /// Silence is 0 here.
    pub(super) features: Vec<f32>,
    pub(super) silent: Vec<bool>,
    pub(super) gains: Vec<f32>,
    /// What the best list could have gained beyond these items: held-out targets nobody proposed.
    pub(super) missed: usize,
}

impl JudgedLists {
    /// From lists that were shown, each gain over the propensity of its place, at most `clip`. Parts beyond those of the
    /// first item are left out; those that are missing or no finite numbers are silence; gains below 0 or not finite are 0.
    #[must_use]
    pub fn from_log<'l>(
        lists: impl IntoIterator<Item = &'l LoggedList>,
        propensities: &Propensities,
        clip: f64,
    ) -> Self {
        let mut all = Self::default();
        for list in lists {
            if all.parts == 0 {
                all.parts = list.items.first().map_or(0, |item| item.parts.len());
            }
            let mut judged = Judged::default();
            for item in &list.items {
                let part = |p: usize| item.parts.get(p).copied().filter(|x| x.is_finite());
                judged.features.extend((0..all.parts).map(|p| part(p).unwrap_or(0.0)));
                judged.silent.extend((0..all.parts).map(|p| part(p).is_none()));
                let gain = if item.gain > 0.0 && item.gain.is_finite() { f64::from(item.gain) } else { 0.0 };
                judged.gains.push((gain / propensities.at(item.place as usize)).min(clip.max(0.0)) as f32);
            }
            all.push(judged);
        }
        all
    }

    /// From held-out history: the candidates of each case with the opinions of the parts; a target gains 1. There is no
    /// position bias, as nothing was shown.
    #[must_use]
    pub fn from_columns(columns: &Columns) -> Self {
        let mut all = Self { parts: columns.parts(), lists: Vec::new() };
        for (targets, scores, silent, n_targets) in columns.each() {
            let n = targets.len();
            let row = |slot: usize| (0..all.parts).map(move |part| scores[part * n + slot]);
            let silence = |slot: usize| (0..all.parts).map(move |part| silent[part * n + slot]);
            let found = targets.iter().filter(|target| **target).count();
            let judged = Judged {
                features: (0..n).flat_map(row).collect(),
                silent: (0..n).flat_map(silence).collect(),
                gains: targets.iter().map(|&target| f32::from(u8::from(target))).collect(),
                missed: n_targets.saturating_sub(found),
            };
            all.push(judged);
        }
        all
    }

    /// All of these, in their order: say, of several months. `None` when they are not of one blend; empty ones do not matter.
    #[must_use]
    pub fn joined(of: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut all = Self::default();
        for lists in of.into_iter().filter(|lists| !lists.is_empty()) {
            if !all.is_empty() && all.parts != lists.parts {
                return None;
            }
            all.parts = lists.parts;
            all.lists.extend(lists.lists);
        }
        Some(all)
    }

    fn push(&mut self, judged: Judged) {
        if judged.gains.iter().any(|gain| *gain > 0.0) {
            self.lists.push(judged);
        }
    }

    /// How many lists.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// How many parts a blend has.
    #[must_use]
    pub const fn parts(&self) -> usize {
        self.parts
    }
}
