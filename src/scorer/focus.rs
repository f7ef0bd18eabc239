//! A scorer that is shown a part of what the shopper did.
//!
//! **When:** to let the same kind of model answer for the running session and for long-term taste, and blend the two
//! ([`Blended`](crate::Blended), with weights that depend on the session); to let a scorer look at purchases only, or at
//! the last touch only. **When not:** to restrict what is recommended; that is what filters are for.
//!
//! Cost: that of the scorer, and a copy of the history where kinds are left out.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codecs::{Codecs, Persist};
use super::{Candidates, Context, Explanation, ReasonCode, Scorer, Scores, Workspace};
use crate::dataset::{Extent, MemoryReport};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::persist::{Loader, PersistError, Saver};

/// Which part of a shopper's history is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HistoryView {
    /// All of it.
    #[default]
    Whole,
    /// Only what came with the request: session, basket and page. The shopper is nobody in particular.
    Session,
    /// Only the profile: no session, no basket, no page.
    Profile,
}

/// A scorer that sees only a part of what the shopper did. It keeps the scorer's name.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use likewise::{Blended, CoOccurrenceParams, DatasetBuilder, Fit, Focus, BlendPart, PartShare, HistoryView, Run, Scorer, Validate};
/// let data = DatasetBuilder::default().finish()?;
/// let model: Arc<dyn Scorer> = Arc::new(CoOccurrenceParams::co_view().check()?.fit(&(&data).into(), &Run::new(1))?);
/// let now = Focus::on(HistoryView::Session, Arc::clone(&model)).latest(4);
/// let ever = Focus::on(HistoryView::Profile, model);
/// let ever = BlendPart::new(Arc::new(ever), 0.5).share(PartShare::Fades { half_life: 3.0 });
/// let blend = Blended::new("now and ever", [BlendPart::new(Arc::new(now), 1.0), ever])?;
/// assert_eq!(blend.parts().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Focus {
    scorer: Arc<dyn Scorer>,
    view: HistoryView,
    kinds: KindSet,
    latest: usize,
}

impl Focus {
    /// `scorer`, shown this part of the history.
    #[must_use]
    pub fn on(view: HistoryView, scorer: Arc<dyn Scorer>) -> Self {
        Self { scorer, view, kinds: KindSet::ALL, latest: usize::MAX }
    }

    /// Shown only touches of these kinds.
    #[must_use]
    pub fn kinds(mut self, kinds: KindSet) -> Self {
        self.kinds = kinds;
        self
    }

    /// Shown only the latest so many touches of those that are left.
    #[must_use]
    pub fn latest(mut self, touches: usize) -> Self {
        self.latest = touches;
        self
    }

    /// The scorer inside.
    #[must_use]
    pub fn scorer(&self) -> &Arc<dyn Scorer> {
        &self.scorer
    }

    /// Calls `ask` with what the scorer may see of `cx`.
    fn narrowed<T>(
        &self,
        cx: &Context<'_>,
        ws: &mut Workspace,
        ask: impl FnOnce(&dyn Scorer, &Context<'_>, &mut Workspace) -> T,
    ) -> T {
        let mut narrow = *cx;
        let session_len = cx.session().len();
        match self.view {
            HistoryView::Whole => narrow.session_len = session_len,
            HistoryView::Session => {
                narrow.user = None;
                narrow.history = cx.session();
                narrow.session_len = session_len;
            }
            HistoryView::Profile => {
                narrow.history = &cx.history[session_len..];
                narrow.session_len = 0;
                narrow.basket = &[];
                narrow.context_item = None;
            }
        }
        if self.kinds == KindSet::ALL {
            narrow.history = &narrow.history[..self.latest.min(narrow.history.len())];
            narrow.session_len = narrow.session_len.min(narrow.history.len());
            return ask(&*self.scorer, &narrow, ws);
        }
        let mut kept = ws.take_touches();
        let shown = |touch: &&super::Touch| self.kinds.contains(touch.kind);
        kept.extend(narrow.session().iter().filter(shown).take(self.latest));
        let in_session = kept.len();
        let profile = &narrow.history[narrow.session_len..];
        kept.extend(profile.iter().filter(shown).take(self.latest - in_session));
        let answer = ask(&*self.scorer, &Context { history: &kept, session_len: in_session, ..narrow }, ws);
        ws.give_touches(kept);
        answer
    }
}

impl Scorer for Focus {
    fn name(&self) -> &str {
        self.scorer.name()
    }

    fn extent(&self) -> Extent {
        self.scorer.extent()
    }

    fn score(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        self.narrowed(cx, ws, |scorer, cx, ws| scorer.score(cx, out, ws));
    }

    fn propose(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        self.narrowed(cx, ws, |scorer, cx, ws| scorer.propose(cx, limit, out, ws));
    }

    fn explain(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        self.narrowed(cx, ws, |scorer, cx, ws| scorer.explain(cx, item, ws))
    }

    fn reason(&self) -> ReasonCode {
        self.scorer.reason()
    }

    fn similarity(&self, a: ItemIdx, b: ItemIdx) -> Option<f32> {
        self.scorer.similarity(a, b)
    }

    fn memory_report(&self) -> MemoryReport {
        self.scorer.memory_report()
    }
}

impl Persist for Focus {
    const CODEC: &'static str = "focus";

    fn save(&self, out: &mut Saver<'_>, codecs: &Codecs) -> Result<(), PersistError> {
        out.value("view", &self.view)?;
        out.value("kinds", &self.kinds)?;
        out.value("latest", &(self.latest as u64))?;
        codecs.save(&*self.scorer, out)
    }

    fn load(from: &Loader<'_>, codecs: &Codecs) -> Result<Self, PersistError> {
        let latest = usize::try_from(from.value::<u64>("latest")?).unwrap_or(usize::MAX);
        Ok(Self { scorer: codecs.load(from)?, view: from.value("view")?, kinds: from.value("kinds")?, latest })
    }
}
