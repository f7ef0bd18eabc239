//! New items: a tenth of amazon-beauty's items hidden from the interactions, to be ranked by their attributes for the
//! shoppers who took them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::files::{customer, draw, rows, text};
use super::leave_one_out::attributes;
use super::outcome::Result;
use likewise::testing::opinions;
use likewise::{
    Context, Dataset, DatasetBuilder, Event, EventKind, ItemIdx, Lineage, Scored, Scorer, Shelf, Timestamp, Touch,
    TrainingSet, UserIdx,
};

/// What is known, the items to rank, and who took which of them.
pub(crate) struct NewItems {
    pub(crate) data: Dataset,
    pub(crate) shelf: Shelf,
    pub(crate) hidden: Vec<ItemIdx>,
    pub(crate) takers: Vec<(UserIdx, Vec<ItemIdx>)>,
}

/// Means over the takers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) hr10: f64,
    pub(crate) ndcg10: f64,
}

impl NewItems {
    pub(crate) fn load(dir: &Path) -> Result<Self> {
        let text = text(&dir.join("interactions.csv.gz"))?;
        let is_hidden = |item: &str| -> Result<bool> { Ok(draw(item.parse::<usize>()? ^ 0x5eed) < 0.1) };
        let mut builder = DatasetBuilder::new(Lineage::new(2));
        let mut takers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for fields in rows::<3>(&text, ',') {
            let [user, item, position] = fields?;
            if is_hidden(item)? {
                takers.entry(user).or_default().push(item);
            } else {
                let at = Timestamp::from_secs(86_400 * position.parse::<i64>()?);
                builder.push(&Event::new(customer(user), item, EventKind::Purchase, at))?;
            }
        }
        let data = builder.finish()?;
        let shelf = Shelf::new(&data, Arc::new(attributes(dir)?));
        let number = |item: &&str| shelf.item(&data, item);
        let mut hidden = Vec::new();
        for item in shelf.catalog().keys() {
            if is_hidden(item)? {
                hidden.extend(number(&item));
            }
        }
        let taker = |(user, items): (&&str, &Vec<&str>)| {
            let items: Vec<ItemIdx> = items.iter().filter_map(number).collect();
            Some((data.user(user)?, items)).filter(|(_, items)| !items.is_empty())
        };
        let takers = takers.iter().filter_map(taker).collect();
        Ok(Self { shelf, hidden, takers, data })
    }

    pub(crate) fn training_set(&self) -> TrainingSet<'_> {
        TrainingSet::with_shelf(&self.data, &self.shelf)
    }

    /// How well a scorer ranks all hidden items for each taker; an item it has no opinion on is not in the list.
    pub(crate) fn judge(&self, scorer: &dyn Scorer) -> Figures {
        self.judge_by(|cx| opinions(scorer, cx, &self.hidden))
    }

    /// The same for any opinions on the hidden items, in their order.
    pub(crate) fn judge_by(&self, mut opinions: impl FnMut(&Context<'_>) -> Vec<Option<f32>>) -> Figures {
        let mut sum = Figures::default();
        for (user, took) in &self.takers {
            let touch = |e: likewise::EventRef| Touch { item: e.item, kind: e.kind, at: e.at, weight: 1.0 };
            let history: Vec<Touch> = self.data.events_of(*user).iter().rev().map(touch).collect();
            let mut cx = Context::new(&self.data, &self.shelf, self.data.as_of());
            (cx.user, cx.history) = (Some(*user), &history);
            let scored = self.hidden.iter().zip(opinions(&cx));
            let mut list: Vec<Scored> =
                scored.filter_map(|(&item, score)| score.map(|score| Scored { item, score })).collect();
            list.sort_unstable_by(Scored::order);
            let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
            let hits = list.iter().take(10).enumerate().filter(|(_, s)| took.contains(&s.item));
            let dcg: f64 = hits.map(|(place, _)| gain(place)).sum();
            sum.hr10 += f64::from(u8::from(dcg > 0.0));
            sum.ndcg10 += dcg / (0..took.len().min(10)).map(gain).sum::<f64>();
        }
        let n = self.takers.len().max(1) as f64;
        Figures { hr10: sum.hr10 / n, ndcg10: sum.ndcg10 / n }
    }

    /// Each item by how many events an item of its kinds has on average: the same list for everybody.
    pub(crate) fn judge_popularity_of_kind(&self) -> Figures {
        let Some(attribute) = self.shelf.attribute("attribute") else { return Figures::default() };
        let mut of_kind = vec![(0.0f32, 0.0f32); self.shelf.n_codes(attribute)];
        for item in (0..self.data.n_items() as u32).map(ItemIdx::new) {
            for &code in self.shelf.codes(item, attribute) {
                of_kind[code as usize].0 += self.data.users_of(item).len() as f32;
                of_kind[code as usize].1 += 1.0;
            }
        }
        let score = |&item: &ItemIdx| {
            let codes = self.shelf.codes(item, attribute);
            let mean = |&code: &u32| of_kind[code as usize].0 / of_kind[code as usize].1.max(1.0);
            Some(codes.iter().map(mean).sum::<f32>() / codes.len().max(1) as f32)
        };
        let scores: Vec<Option<f32>> = self.hidden.iter().map(score).collect();
        self.judge_by(|_| scores.clone())
    }

    pub(crate) fn judge_random(&self) -> Figures {
        let mut n = 0;
        self.judge_by(|_| {
            let scores = self.hidden.iter().enumerate().map(|(i, _)| Some(draw(n + i) as f32)).collect();
            n += self.hidden.len();
            scores
        })
    }
}
