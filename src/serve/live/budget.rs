//! How much memory a live recommender may hold, and how that is shared out.

use super::LiveError;
use crate::budget::MemoryBudget;
use crate::run::Run;
use crate::scorer::FitError;

/// What fresh events may take of a budget.
pub(super) const fn fresh(budget: MemoryBudget) -> u64 {
    budget.bytes() / 8
}

/// What events and ids may take from which the next dataset is made.
pub(super) const fn held(budget: MemoryBudget) -> u64 {
    budget.bytes() / 8
}

/// What one state may take: half of five eighths.
pub(super) const fn state(budget: MemoryBudget) -> u64 {
    budget.bytes() / 16 * 5
}

/// Why a state was not made.
pub(super) enum Halt {
    /// It would be larger than the budget allows: so large, as far as was seen.
    Memory(u64),
    Failed(LiveError),
}

impl<E: Into<LiveError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// What is left of a state's share while it is made.
pub(super) struct Room {
    share: Option<u64>,
    used: u64,
}

impl Room {
    pub(super) fn of(budget: Option<MemoryBudget>) -> Self {
        Self { share: budget.map(state), used: 0 }
    }

    pub(super) const fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Halt> {
        self.used += bytes as u64;
        if self.share.is_some_and(|share| self.used > share) { Err(Halt::Memory(self.used)) } else { Ok(()) }
    }

    /// The run of a fit that may take what is left.
    pub(super) fn run<'r>(&self, run: &Run<'r>) -> Run<'r> {
        let left = self.share.map(|share| share.saturating_sub(self.used));
        Run { memory: run.memory.into_iter().chain(left).min(), ..*run }
    }

    /// What an error of such a fit means.
    pub(super) fn judge(&self, error: FitError, run: &Run<'_>) -> Halt {
        match error {
            FitError::Memory { needed, .. } if run.memory.is_none_or(|allowed| needed <= allowed) => {
                Halt::Memory(self.used + needed)
            }
            other => other.into(),
        }
    }
}

/// When the cap on all events is next raised, if it can be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// Not before so many events have arrived.
    until: u64,
    /// How many that were from the last time on.
    wait: u64,
}

impl Patience {
    pub(super) const fn is_over(self, arrived: u64) -> bool {
        arrived >= self.until
    }

    /// After a try: as many events as a quarter of the cap after one that raised it, twice as many as before after another.
    pub(super) fn after(self, arrived: u64, cap: u32, outcome: Raised) -> Self {
        let few = u64::from(cap / 4);
        let wait = match outcome {
            Raised::Yes => few,
            Raised::No => few.max(self.wait.saturating_mul(2)),
        };
        Self { until: arrived.saturating_add(wait), wait }
    }
}

/// Whether a cap above the one before was found that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Yes,
    No,
}

/// The error of a state that does not fit though next to nothing is in it.
pub(super) fn hopeless(budget: Option<MemoryBudget>, state: u64) -> LiveError {
    let declared = budget.map_or(0, MemoryBudget::bytes);
    LiveError::Budget { declared, needed: state.div_ceil(5) * 16 }
}
