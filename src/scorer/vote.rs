//! Items of the shopper vote for other items: the query side of every scorer that is linear in the shopper's history.

use serde::{Deserialize, Serialize};

use super::{Candidates, Context, Explanation, Reason, ReasonCode, Scored, Scorer, Scores, Touch, Workspace, opinion};
use crate::event::KindSet;
use crate::ids::ItemIdx;
use crate::params::ParamError;
use crate::time::Span;

/// How an item's vote fades, from 1 for the freshest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum VoteDecay {
    /// By place: half after this many more recent distinct items.
    Positions {
        /// In items; above 0, up to a million.
        half_life: f32,
    },
    /// By time: half after this long.
    Time {
        /// From the item's latest touch to the request.
        half_life: Span,
    },
}

impl VoteDecay {
    pub(in crate::scorer) fn validate(self, field: &str) -> Result<(), ParamError> {
        match self {
            Self::Positions { half_life } if !(f32::MIN_POSITIVE..=1e6).contains(&half_life) => Err(ParamError::new(
                format!("{field}.positions.half_life"),
                half_life,
                "a finite number above 0, up to 1000000",
            )),
            _ => Ok(()),
        }
    }
}

/// What an item's vote counts before it fades, given the summed weight of the shopper's events on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Strength {
    /// 1 whatever the events weigh.
    #[default]
    One,
    /// The weight.
    Weight,
    /// `log2(1 + weight)`: 1 for a weight of 1.
    Log,
}

impl Strength {
    pub(in crate::scorer) fn of(self, weight: f32) -> f32 {
        match self {
            Self::One => 1.0,
            Self::Weight => weight,
            Self::Log => weight.max(0.0).ln_1p() / std::f32::consts::LN_2,
        }
    }
}

/// Who of the shopper's history votes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::scorer) struct Voting {
    pub(in crate::scorer) kinds: KindSet,
    pub(in crate::scorer) history: usize,
    pub(in crate::scorer) decay: Option<VoteDecay>,
    pub(in crate::scorer) strength: Strength,
}

impl Voting {
    /// Puts the voters with their votes into `out`: `first` with a full vote, then the latest distinct items, newest
    /// first, at most `history` in all. A vote that has faded to nothing, or speaks against its item, is no vote.
    pub(in crate::scorer) fn voters(
        &self,
        cx: &Context<'_>,
        first: Option<ItemIdx>,
        ws: &mut Workspace,
        out: &mut Vec<Scored>,
    ) {
        let mut touches = ws.take_touches();
        cx.distinct(self.kinds, self.history, ws, &mut touches);
        if self.strength != Strength::One {
            self.add_up(cx, &mut touches, ws);
        }
        out.extend(first.map(|item| Scored { item, score: 1.0 }));
        let others = touches.iter().filter(|touch| Some(touch.item) != first);
        for (place, touch) in (out.len()..self.history).zip(others) {
            let fresh = match self.decay {
                None => 1.0,
                Some(VoteDecay::Positions { half_life }) => (-(place as f32) / half_life).exp2(),
                Some(VoteDecay::Time { half_life }) => cx.now.since(touch.at).decay(half_life) as f32,
            };
            let vote = self.strength.of(touch.weight) * fresh;
            if vote > 0.0 && vote.is_finite() {
                out.push(Scored { item: touch.item, score: vote });
            }
        }
        ws.give_touches(touches);
    }

    /// Puts into each touch the summed weight of all touches of its item by one of the kinds.
    fn add_up(&self, cx: &Context<'_>, distinct: &mut [Touch], ws: &mut Workspace) {
        let mut sum = ws.take_accumulator(cx.shelf.n_items());
        for touch in cx.history.iter().filter(|t| self.kinds.contains(t.kind)) {
            sum.add(touch.item.get(), touch.weight.clamp(-1e30, 1e30));
        }
        distinct.iter_mut().for_each(|touch| touch.weight = sum.get(touch.item.get()));
        ws.give_accumulator(sum);
    }
}

/// One item's say: `weight` times each weight of `list`.
pub(in crate::scorer) struct Vote<'m> {
    pub(in crate::scorer) evidence: ItemIdx,
    pub(in crate::scorer) weight: f32,
    pub(in crate::scorer) code: ReasonCode,
    pub(in crate::scorer) list: &'m [Scored],
}

/// A scorer whose opinion is a sum of votes. Scores, proposals and explanations all add the same votes in the same
/// order, so they agree to the last bit.
pub(in crate::scorer) trait Electorate: Scorer {
    /// Hands each vote to `cast`, always in the same order for the same context.
    fn each_vote<'m>(&'m self, cx: &Context<'_>, ws: &mut Workspace, cast: impl FnMut(Vote<'m>));

    /// Items on which it has no opinion whatever the votes.
    fn withheld<'c>(&self, cx: &'c Context<'_>) -> &'c [ItemIdx] {
        let _ = cx;
        &[]
    }

    /// [`Scorer::score`]. `O(voters x neighbours + candidates)`.
    fn score_votes(&self, cx: &Context<'_>, out: &mut Scores<'_>, ws: &mut Workspace) {
        let n = out.items().len();
        let (mut sum, mut loudest) = (ws.take_floats(n), ws.take_floats(n));
        let mut because = ws.take_indices(n); // the evidence plus one; 0 for "no vote yet"
        self.each_vote(cx, ws, |vote| {
            for near in vote.list {
                let Some(slot) = out.slot_of(near.item) else { continue };
                let part = vote.weight * near.score;
                sum[slot] += part;
                if because[slot] == 0 || part > loudest[slot] {
                    loudest[slot] = part;
                    because[slot] = vote.evidence.get() + 1;
                }
            }
        });
        for slot in self.withheld(cx).iter().filter_map(|&item| out.slot_of(item)) {
            because[slot] = 0;
        }
        for slot in 0..n {
            if let Some(evidence) = because[slot].checked_sub(1) {
                out.set_because(slot, sum[slot], ItemIdx::new(evidence));
            }
        }
        ws.give_floats(sum);
        ws.give_floats(loudest);
        ws.give_indices(because);
    }

    /// [`Scorer::propose`]. `O(voters x neighbours)`.
    fn propose_votes(&self, cx: &Context<'_>, limit: usize, out: &mut Candidates<'_>, ws: &mut Workspace) {
        let n_items = self.extent().n_items;
        let mut sum = ws.take_accumulator(n_items);
        self.each_vote(cx, ws, |vote| {
            for near in vote.list {
                sum.add(near.item.get(), vote.weight * near.score);
            }
        });
        let mut scored = ws.take_scored();
        scored.extend(sum.iter().map(|(item, score)| Scored { item: ItemIdx::new(item), score }));
        ws.give_accumulator(sum);
        let withheld = self.withheld(cx);
        if !withheld.is_empty() {
            let mut set = ws.take_set(n_items);
            withheld.iter().filter(|item| item.as_usize() < n_items).for_each(|&item| {
                set.insert(item);
            });
            scored.retain(|s| !set.contains(s.item));
            ws.give_set(set);
        }
        out.extend_top(&mut scored, limit);
        ws.give_scored(scored);
    }

    /// [`Scorer::explain`]: a detail for each vote on `item`, in the order in which they are summed.
    fn explain_votes(&self, cx: &Context<'_>, item: ItemIdx, ws: &mut Workspace) -> Explanation {
        let known = item.as_usize() < self.extent().n_items;
        let Some(score) = known.then(|| opinion(self, cx, item, ws).0).flatten() else {
            return Explanation::leaf(None, Reason::Abstained);
        };
        let reason = Reason::Scorer { name: self.name().to_owned(), code: self.reason() };
        let mut explanation = Explanation::leaf(Some(score), reason);
        self.each_vote(cx, ws, |vote| {
            if let Some(near) = vote.list.iter().find(|near| near.item == item) {
                let reason = Reason::Because { item: vote.evidence, code: vote.code };
                explanation.details.push(Explanation::leaf(Some(vote.weight * near.score), reason));
            }
        });
        explanation
    }
}

crate::persist::portable_value!(VoteDecay, Strength);
crate::persist::portable!(Voting { kinds, history, decay, strength });
