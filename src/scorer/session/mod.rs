//! What did those do next who had a session like this one?
//!
//! The training sessions most like the running one are looked up, and speak for their items: VMIS-kNN, V-SkNN, STAN and
//! VSTAN are presets of one recipe over one index.
//!
//! **When:** click streams, anonymous shoppers, "what next" on product pages and in the cart; nothing to train, new
//! sessions count as soon as the index is rebuilt, in well under a second for a million clicks. On click sessions the
//! family matches or beats recurrent and graph networks (Ludewig et al., UMUAI 2021). **When not:** long-term taste (blend
//! it with a long-term scorer: [`Blended`](crate::Blended)); items nobody clicked yet.
//!
//! | preset | neighbours by | their items by |
//! |---|---|---|
//! | [`vmis`](SessionKnnParams::vmis) | place `c / L` of the last 4 clicks | `1 - steps / 10`, idf |
//! | [`vsknn`](SessionKnnParams::vsknn) | place `(c / L)²` | `1 / steps`, 1 + 5 idf |
//! | [`stan`](SessionKnnParams::stan) | cosine, place `exp((c - L) / 1)`, age | distance to the last shared item |
//! | [`vstan`](SessionKnnParams::vstan) | cosine, place `exp((c - L) / 2)`, age | distance, `exp((1 - steps) / 0.5)`, 1 + idf |
//!
//! With `c*` the newest place of an item shared with training session `n`, and `p` the place of the last click on an item
//! in `n`:
//!
//! ```text
//! like(n)  = Σ shared place(c, L) [/ √distinct(n)] [x exp(-age(n) / age)]        the k most alike of the m most recent
//! score(i) = Σ neighbours like(n) x step(L - c* + 1) [x exp(-|p(i) - max shared p| / nearness)] x rarity(i)
//! ```
//!
//! Factors common to all neighbours are left out: the running session's norm or number of distinct items, and the age of
//! the newest training session. **Ties:** sessions of equal time count as newer the later they come in the dataset; of
//! equally alike candidates the newer is a neighbour. Serenade breaks both by the order in a hash table, so its lists are
//! these wherever they do not depend on it.
//!
//! The running session is that of the request, the item of the page at hand first if it is not its newest; without one,
//! the latest session of the profile. Items unknown to the training keep their place, and say nothing.
//!
//! Cost: fit sorts the sessions by time and walks the clicks twice; memory 9 bytes a click (8 a distinct item where no
//! formula asks for places) and 8 a session. A query walks the sessions that share an item (at most `recent` an item) and
//! the clicks of `neighbours` sessions. An update is a refit.

mod build;
mod index;
mod neighbours;
mod params;
mod query;

pub use params::{NextClick, PlaceWeight, Rarity, SessionKnnParams, StepDecay};

use std::sync::Arc;

use super::{
    Candidates, Context, Explanation, Fit, FitError, FitRecipe, Reason, ReasonCode, Scored, Scorer, Scores,
    TrainingSet, Workspace, opinion,
};
use crate::dataset::{Extent, MemoryReport};
use crate::ids::ItemIdx;
use crate::params::Checked;
use crate::run::Run;
use crate::time::Timestamp;
use build::Wanted;
use index::{Rows, SessionIndex};

/// What followed in sessions like the running one. Fitted from [`SessionKnnParams`].
///
/// # Example
/// ```
/// use likewise::{Context, DatasetBuilder, Event, EventKind, Fit, Run, SessionKnnParams, Shelf, Shopper, Timestamp, Touch, Validate, testing::Trial};
/// let mut shop = DatasetBuilder::default();
/// for (n, (visit, item)) in [("v1", "tent"), ("v1", "mat"), ("v2", "tent"), ("v2", "mat"), ("v3", "tent"), ("v3", "lamp")].into_iter().enumerate() {
///     shop.push(&Event::new(Shopper::Anonymous { session: visit }, item, EventKind::View, Timestamp::from_secs(n as i64)))?;
/// }
/// let data = shop.finish()?;
/// let model = SessionKnnParams::vmis().check()?.fit(&(&data).into(), &Run::default())?;
/// let clicked = [Touch { item: data.item("tent").unwrap(), kind: EventKind::View, at: data.as_of(), weight: 1.0 }];
/// let shelf = Shelf::bare(&data);
/// let mut cx = Context::new(&data, &shelf, data.as_of());
/// (cx.history, cx.session_len) = (&clicked, 1);
/// let next = Trial::default().ask(&model, &cx, 1).to_vec();
/// assert_eq!(data.item_key(next[0].item), "mat");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SessionKnn {
    params: SessionKnnParams,
    extent: Extent,
    index: SessionIndex,
    rows: Rows,
    longest_row: usize,
    /// What each session's shared place weights are multiplied by: its norm and its freshness. Empty where that is 1.
    gain: Vec<f32>,
    rarity: Vec<f32>,
    /// What an item counts at each distance from the last shared one; empty where that is 1.
    nearness: Vec<f32>,
    /// What a click counts as a successor, 1 for the very next.
    fade: Vec<f32>,
    /// Whether nothing but votes and rarity counts: neither what came right after, nor what was clicked before.
    even: bool,
    /// Tells this model (and its copies, which are the same) from every other there is at the same time.
    token: Arc<()>,
}

impl SessionKnn {
    /// The recipe it was fitted with.
    #[must_use]
    pub const fn params(&self) -> &SessionKnnParams {
        &self.params
    }

    /// Training sessions it can choose from.
    #[must_use]
    pub fn n_sessions(&self) -> usize {
        self.index.n_sessions()
    }
}

impl Fit for Checked<SessionKnnParams> {
    type Model = SessionKnn;

    fn recipe(&self) -> Option<FitRecipe> {
        FitRecipe::of("session_knn", self)
    }

    fn fit(&self, train: &TrainingSet<'_>, run: &Run<'_>) -> Result<SessionKnn, FitError> {
        let params = (**self).clone();
        let extent = train.data.extent();
        let rows = match params.nearness {
            None if params.next.boost == 0.0 => Rows::Distinct,
            _ => Rows::Clicks,
        };
        let SessionKnnParams { kinds, longest, recent, .. } = params;
        let (index, facts) = Wanted { kinds, longest, recent, rows }.build(train.data, run)?;
        let newest = facts.times.first();
        let gain = |(&size, &time): (&u32, &Timestamp)| {
            let norm = f64::from(size).powf(-f64::from(params.norm));
            let fresh = params.age.zip(newest).map_or(1.0, |(age, newest)| {
                let older = newest.since(time);
                (-older.as_days() / age.as_days()).exp()
            });
            (norm * fresh) as f32
        };
        let gain = match (params.norm == 0.0, params.age) {
            (true, None) => Vec::new(),
            _ => facts.sizes.iter().zip(&facts.times).map(gain).collect(),
        };
        let rarity = |item: usize| match params.rarity {
            Rarity::Same => 1.0,
            Rarity::Plus { weight } => {
                let clicks = f64::from(facts.clicks[item].max(1));
                (1.0 + f64::from(weight) * (index.n_sessions() as f64 / clicks).ln()).max(0.0) as f32
            }
            Rarity::Times => (facts.pairs as f64 / f64::from(facts.holders[item].max(1))).ln().max(0.0) as f32,
        };
        let rarity = (0..extent.n_items).map(rarity).collect();
        let longest_row = index.longest_row();
        let nearness = match (rows, params.nearness) {
            (Rows::Distinct, _) => Vec::new(),
            (Rows::Clicks, None) => vec![1.0; longest_row],
            (Rows::Clicks, Some(scale)) => (0..longest_row).map(|away| (-(away as f32) / scale).exp()).collect(),
        };
        let fade = query::fades(params.next);
        let even = params.next.boost == 0.0 && params.repeat == 1.0 && params.returning == 1.0;
        let token = Arc::default();
        Ok(SessionKnn { params, extent, index, rows, longest_row, gain, rarity, nearness, fade, even, token })
    }
}

impl Scorer for SessionKnn {
    fn name(&self) -> &str {
        &self.params.name
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    /// The evidence is the newest item shared with a neighbour that holds the item.
    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let poll = self.poll(cx, ws);
        for (slot, &item) in out.items().iter().enumerate() {
            if let Some(score) = self.score_of(&poll, item) {
                out.set_because(slot, score, poll.evidence(item));
            }
        }
        ws.give(poll);
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let mut poll = self.poll(cx, ws);
        let mut scored = ws.take_scored();
        let mut many = limit;
        loop {
            scored.clear();
            self.best(&mut poll, many, &mut scored);
            if out.extend(scored.iter().map(|s| s.item), limit) == limit || scored.len() < many {
                break;
            }
            many = many.saturating_mul(4); // some were refused: others come in their place
        }
        ws.give_scored(scored);
        ws.give(poll);
    }

    /// A detail for each click of the running session: what the neighbours add whose newest shared item it is.
    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let Some(score) = opinion(self, cx, item, ws).0 else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let mut parts: Vec<Scored> = Vec::new();
        let poll = self.poll(cx, ws);
        self.each_vote(&poll, item, |value, evidence| match parts.iter_mut().find(|part| part.item == evidence) {
            Some(part) => part.score += value,
            None => parts.push(Scored { item: evidence, score: value }),
        });
        let factor = self.factor(&poll, item) as f32;
        ws.give(poll);
        parts.sort_by(Scored::order);
        let reason = Reason::Scorer { name: self.name().to_owned(), code: self.reason() };
        let leaf = |part: Scored| {
            Explanation::leaf(Some(part.score * factor), Reason::Because { item: part.item, code: self.reason() })
        };
        Explanation { value: Some(score), reason, details: parts.into_iter().map(leaf).collect() }
    }

    fn reason(&self) -> ReasonCode {
        ReasonCode::ViewedTogether
    }

    fn memory_report(&self) -> MemoryReport {
        MemoryReport::default()
            .with("session index", self.index.heap_bytes())
            .with("session gains", self.gain.capacity() * size_of::<f32>())
            .with("item rarity", self.rarity.capacity() * size_of::<f32>())
    }
}

crate::persist::portable_value!(Rows);

impl crate::persist::Portable for SessionKnn {
    fn save(&self, out: &mut crate::persist::Saver<'_>) -> Result<(), crate::persist::PersistError> {
        out.part("params", &self.params)?;
        out.part("extent", &self.extent)?;
        out.part("index", &self.index)?;
        out.part("rows", &self.rows)?;
        out.part("longest_row", &self.longest_row)?;
        out.part("gain", &self.gain)?;
        out.part("rarity", &self.rarity)?;
        out.part("nearness", &self.nearness)?;
        out.part("fade", &self.fade)?;
        out.part("even", &self.even)
    }

    fn load(from: &crate::persist::Loader<'_>) -> Result<Self, crate::persist::PersistError> {
        let loaded = Self {
            params: from.part("params")?,
            extent: from.part("extent")?,
            index: from.part("index")?,
            rows: from.part("rows")?,
            longest_row: from.part("longest_row")?,
            gain: from.part("gain")?,
            rarity: from.part("rarity")?,
            nearness: from.part("nearness")?,
            fade: from.part("fade")?,
            even: from.part("even")?,
            token: Arc::default(),
        };
        from.check("figures that are not one a session or item", || {
            (loaded.gain.is_empty() || loaded.gain.len() == loaded.index.n_sessions())
                && loaded.rarity.len() == loaded.extent.n_items
                && loaded.index.longest_row() == loaded.longest_row
                && (loaded.rows == Rows::Distinct || loaded.nearness.len() == loaded.longest_row)
        })?;
        Ok(loaded)
    }
}
