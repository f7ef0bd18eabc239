//! How much memory a live recommender may hold, and how that is shared out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::LiveError;
use crate::params::ParamError;
use crate::run::Run;
use crate::scorer::FitError;

/// A declared bound in bytes on what a [`Live`](super::Live) recommender holds in memory.
///
/// It is shared out: an eighth for fresh events, five eighths for two states of dataset, models and what the next refresh
/// goes on from (the one that is served, and the one that is made), and a quarter for the work of a refresh, the workspaces of
/// requests and what the allocator loses. What the bound does not know: the log's own memory, files that are mapped, and
/// replaced snapshots that a reader holds on to ([`LiveReport::memory`](super::LiveReport) shows these).
///
/// # Example
/// ```
/// use likewise::LiveBudget;
/// let budget: LiveBudget = "512MiB".parse()?;
/// assert_eq!(budget, LiveBudget::new(512 << 20)?);
/// assert_eq!(budget.to_string(), "512 MiB");
/// assert!(LiveBudget::new(1000).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct LiveBudget(u64);

impl LiveBudget {
    /// The smallest budget: 1 MiB.
    pub const SMALLEST: u64 = 1 << 20;

    /// So many bytes.
    ///
    /// # Errors
    /// [`ParamError`] below [`SMALLEST`](Self::SMALLEST).
    pub fn new(bytes: u64) -> Result<Self, ParamError> {
        if bytes < Self::SMALLEST {
            return Err(ParamError::new("budget", bytes, format!("at least {} bytes", Self::SMALLEST)));
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// What fresh events may take.
    pub(super) const fn fresh(self) -> u64 {
        self.0 / 8
    }

    /// What events and ids may take from which the next dataset is made.
    pub(super) const fn held(self) -> u64 {
        self.0 / 8
    }

    /// What one state may take: half of five eighths.
    const fn state(self) -> u64 {
        self.0 / 16 * 5
    }
}

impl From<LiveBudget> for u64 {
    fn from(budget: LiveBudget) -> Self {
        budget.0
    }
}

impl TryFrom<u64> for LiveBudget {
    type Error = ParamError;
    fn try_from(bytes: u64) -> Result<Self, ParamError> {
        Self::new(bytes)
    }
}

const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

impl fmt::Display for LiveBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, shift)| self.0.trailing_zeros() >= *shift) {
            Some((unit, shift)) => write!(f, "{} {unit}", self.0 >> shift),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// Bytes, or a number of `KiB`, `MiB` or `GiB`.
impl FromStr for LiveBudget {
    type Err = ParamError;
    fn from_str(text: &str) -> Result<Self, ParamError> {
        let bad = || ParamError::new("budget", text, "a number of bytes, KiB, MiB or GiB: 512MiB");
        let unit = UNITS.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
        let (number, shift) = unit.unwrap_or((text, 0));
        let number: u64 = number.trim().parse().map_err(|_| bad())?;
        Self::new(number.checked_mul(1 << shift).ok_or_else(bad)?)
    }
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
    pub(super) fn of(budget: Option<LiveBudget>) -> Self {
        Self { share: budget.map(LiveBudget::state), used: 0 }
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

/// The error of a state that does not fit though next to nothing is in it.
pub(super) fn hopeless(budget: Option<LiveBudget>, state: u64) -> LiveError {
    let declared = budget.map_or(0, LiveBudget::bytes);
    LiveError::Budget { declared, needed: state.div_ceil(5) * 16 }
}
