//! One question with its known answer.

use crate::ids::{ItemIdx, UserIdx};
use crate::scorer::Touch;
use crate::time::Timestamp;

/// One item that should have been recommended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The item; `None` when the data served from does not know it: a miss whatever is recommended.
    pub item: Option<ItemIdx>,
    /// What it was worth: revenue, or 1.
    pub value: f32,
}

/// One question of an evaluation: who asked, what had just happened, when, and what they took in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The shopper's row in the data served from.
    pub user: Option<UserIdx>,
    /// The running session, newest first; not in the dataset.
    pub session: Vec<Touch>,
    /// What is in the basket.
    pub basket: Vec<ItemIdx>,
    /// When the question is asked: nothing later is known.
    pub now: Timestamp,
    targets: Vec<Target>,
    known: Vec<ItemIdx>,
}

impl Case {
    /// A question whose answer is `targets`. Targets of one item count once, with their values added.
    #[must_use]
    pub fn new(now: Timestamp, targets: impl IntoIterator<Item = Target>) -> Self {
        let mut targets: Vec<Target> = targets.into_iter().collect();
        targets.sort_by_key(|t| t.item.map_or(u64::MAX, |item| item.get().into())); // stable, unknown ones last
        targets.dedup_by(|later, first| {
            let same = later.item.is_some() && later.item == first.item;
            if same {
                first.value += later.value;
            }
            same
        });
        let known = targets.iter().filter_map(|t| t.item).collect();
        Self { user: None, session: Vec::new(), basket: Vec::new(), now, targets, known }
    }

    /// The same, asked by this shopper.
    #[must_use]
    pub fn of(mut self, user: UserIdx) -> Self {
        self.user = Some(user);
        self
    }

    /// The same, with a running session, newest first.
    #[must_use]
    pub fn in_session(mut self, newest_first: Vec<Touch>) -> Self {
        self.session = newest_first;
        self
    }

    /// The same question with other targets.
    #[must_use]
    pub fn with_targets(&self, targets: impl IntoIterator<Item = Target>) -> Self {
        let Self { user, session, basket, now, .. } = self;
        Self { user: *user, session: session.clone(), basket: basket.clone(), ..Self::new(*now, targets) }
    }

    /// The distinct targets: known items ascending, then unknown ones.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// How many distinct items should have been recommended, unknown ones included.
    #[must_use]
    pub fn n_targets(&self) -> usize {
        self.targets.len()
    }

    /// The targets that have a number, ascending.
    #[must_use]
    pub fn known_targets(&self) -> &[ItemIdx] {
        &self.known
    }

    /// What the target `item` was worth; `None` when it is no target.
    #[must_use]
    pub fn value_of(&self, item: ItemIdx) -> Option<f32> {
        self.known.binary_search(&item).ok().map(|at| self.targets[at].value)
    }

    /// Whether `item` is a target. `O(log targets)`.
    #[must_use]
    pub fn is_target(&self, item: ItemIdx) -> bool {
        self.known.binary_search(&item).is_ok()
    }
}
