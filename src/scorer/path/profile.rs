//! The shopper's own path, as votes.

use super::steps::{KindFactors, PathStep, stronger};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::scorer::vote::VoteDecay;
use crate::scorer::{Context, CurrentItem, Scored, Touch, Workspace};

/// Who of the shopper's path votes, and how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct Profile {
    pub(in crate::scorer) kinds: KindSet,
    pub(in crate::scorer) step: PathStep,
    /// The latest steps that vote.
    pub(in crate::scorer) history: usize,
    pub(in crate::scorer) decay: Option<VoteDecay>,
    pub(in crate::scorer) factors: KindFactors,
}

impl Profile {
    /// Puts into `out` each item of the latest steps with the sum of its steps' votes, newest first. The item of the page
    /// at hand is the newest step, a full vote. An item without number in the model keeps its place.
    pub(in crate::scorer) fn voters(&self, cx: &Context<'_>, ws: &mut Workspace, out: &mut Vec<Scored>) {
        let mut steps = ws.take_touches();
        self.steps(cx, ws, &mut steps);
        let mut met = ws.take_set(cx.shelf.n_items());
        let page = cx.context_item.filter(|item| item.as_usize() < cx.shelf.n_items());
        if let Some(item) = page {
            met.insert(item);
            out.push(Scored { item, score: 1.0 });
        }
        // The page is the step being made: what is already written of it is no second one.
        let once = matches!(self.step, PathStep::First | PathStep::Last);
        let written = |place: usize, step: &Touch| Some(step.item) == page && (once || place == 0);
        let others = steps.iter().enumerate().filter(|&(place, step)| !written(place, step));
        for (place, (_, touch)) in (out.len()..self.history).zip(others) {
            let fresh = match self.decay {
                None => 1.0,
                Some(VoteDecay::Positions { half_life }) => (-(place as f32) / half_life).exp2(),
                Some(VoteDecay::Time { half_life }) => cx.now.since(touch.at).decay(half_life) as f32,
            };
            let vote = self.factors.of(touch.kind) * fresh;
            if vote > 0.0 {
                match met.position(touch.item) {
                    Some(voter) => out[voter].score += vote,
                    None => {
                        met.insert(touch.item);
                        out.push(Scored { item: touch.item, score: vote });
                    }
                }
            }
        }
        ws.give_set(met);
        ws.give_touches(steps);
    }

    /// The item at hand, where it may not come again: the page, or else the latest step.
    pub(in crate::scorer) fn withheld<'c>(&self, cx: &'c Context<'_>, current: CurrentItem) -> &'c [ItemIdx] {
        let latest = || cx.history.iter().find(|touch| self.kinds.contains(touch.kind)).map(|touch| &touch.item);
        match current {
            CurrentItem::Allowed => &[],
            CurrentItem::Excluded => cx.context_item.as_ref().or_else(latest).map_or(&[], std::slice::from_ref),
        }
    }

    /// Puts the steps of the history into `out`, newest first.
    fn steps(&self, cx: &Context<'_>, ws: &mut Workspace, out: &mut Vec<Touch>) {
        let touches = cx.history.iter().filter(|touch| self.kinds.contains(touch.kind));
        match self.step {
            PathStep::Event => out.extend(touches.take(self.history.saturating_add(1))),
            PathStep::Run => {
                for &touch in touches {
                    let steps = out.len();
                    match out.last_mut().filter(|step| step.item == touch.item) {
                        Some(step) => step.kind = stronger(step.kind, touch.kind),
                        None if steps > self.history => break,
                        None => out.push(touch),
                    }
                }
            }
            PathStep::Last => distinct(cx, touches, ws, out),
            PathStep::First => {
                distinct(cx, touches.rev(), ws, out);
                out.reverse();
            }
        }
    }
}

/// Each item once, where it comes first.
fn distinct<'t>(cx: &Context<'_>, touches: impl Iterator<Item = &'t Touch>, ws: &mut Workspace, out: &mut Vec<Touch>) {
    let mut met = ws.take_set(cx.shelf.n_items());
    for touch in touches {
        match met.position(touch.item) {
            Some(place) => out[place].kind = stronger(out[place].kind, touch.kind),
            None => {
                met.insert(touch.item);
                out.push(*touch);
            }
        }
    }
    ws.give_set(met);
}

crate::persist::portable!(Profile { kinds, step, history, decay, factors });
