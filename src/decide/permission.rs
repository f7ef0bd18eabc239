//! Who may be looked at: what a log knows of withdrawals, erasures and grounds, as sweeps ask for it.
//!
//! A dataset is of the past: between two refreshes it holds shoppers who have withdrawn or were erased since. A sweep
//! that writes to people must ask the log, not the dataset. [`Permissions`] is the answer for everybody at one moment,
//! read in two passes; for [`Live`](crate::Live) read [`Live::log`](crate::Live::log).
//!
//! **When:** before every sweep over a log's events. **When not:** as the decision whether a message of this kind is covered by the basis;
//! that is the shop's.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::consent::{LawfulBasis, Shopper};
use crate::dataset::Dataset;
use crate::ids::UserIdx;
use crate::log::{EventLog, LogError, Scan};
use crate::source::Flow;

/// Whom a log lets be looked at, and on which basis.
///
/// A shopper is permitted on the basis of the latest event the log holds of them (of the account, where identities were
/// merged). Who is [restricted](EventLog::restrict), who was [erased](EventLog::erase) and whom the log never met is
/// not. It is the state at the moment it was read: read it again before the next sweep, or when
/// [`is_current`](Self::is_current) says so.
///
/// # Example
/// ```
/// use likewise::decide::Permissions;
/// use likewise::log::{Durability, EventLog, MemoryLog};
/// use likewise::{Consented, Event, EventKind, LawfulBasis, Shopper, Timestamp};
/// let (log, now) = (MemoryLog::default(), Timestamp::from_secs(0));
/// for user in ["ann", "bob", "eve"] {
///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
///     log.append(&[Event::new(who, "tea", EventKind::Purchase, now)], now, Durability::Memory)?;
/// }
/// log.restrict("bob")?;
/// log.erase("eve")?;
/// let permissions = Permissions::of(&log)?;
/// assert_eq!(permissions.basis("ann"), Some(LawfulBasis::Contract));
/// assert_eq!((permissions.basis("bob"), permissions.basis("eve")), (None, None));
/// // Bob's data rest, Eve's are gone: only Bob's memories of what was sent are kept.
/// assert!(permissions.holds("bob") && !permissions.holds("eve"));
/// # Ok::<(), likewise::log::LogError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    permitted: FxHashMap<Box<str>, LawfulBasis>,
    held: FxHashSet<Box<str>>,
    epoch: u64,
}

impl Permissions {
    /// Reads the log. `O(events)`, twice; an entry a shopper.
    ///
    /// # Errors
    /// [`LogError`] where the log cannot be read.
    pub fn of<L: EventLog + ?Sized>(log: &L) -> Result<Self, LogError> {
        // The epoch first: what changes while we read makes the answer out of date, not wrong unnoticed.
        let mut read = Self { epoch: log.state()?.epoch, ..Self::default() };
        log.scan(Scan::all().even_restricted(), &mut |logged| {
            if let Shopper::Profiled(who) = logged.event.shopper
                && !read.held.contains(who.user())
            {
                read.held.insert(who.user().into());
            }
            Flow::Continue
        })?;
        log.scan(Scan::all(), &mut |logged| {
            if let Shopper::Profiled(who) = logged.event.shopper {
                match read.permitted.get_mut(who.user()) {
                    Some(basis) => *basis = who.basis(),
                    None => _ = read.permitted.insert(who.user().into(), who.basis()),
                }
            }
            Flow::Continue
        })?;
        Ok(read)
    }

    /// The basis a shopper may be looked at on; `None` for not at all.
    #[must_use]
    pub fn basis(&self, user: &str) -> Option<LawfulBasis> {
        self.permitted.get(user).copied()
    }

    /// The same as a function, for [`Bound::sweep`](super::trigger::Bound::sweep).
    #[must_use = "pass it to a sweep"]
    pub fn asked(&self) -> impl Fn(&str) -> Option<LawfulBasis> + Sync + '_ {
        move |user| self.basis(user)
    }

    /// The same by row, for [`Asking::among`](super::segment::Asking::among).
    #[must_use = "pass it to a sweep"]
    pub fn among<'a>(&'a self, data: &'a Dataset) -> impl Fn(UserIdx) -> bool + Sync + 'a {
        move |user| self.basis(data.user_key(user)).is_some()
    }

    /// Whether the log holds anything of a shopper, restricted or not. What is remembered of others should go:
    /// [`TriggerState::retain`](super::trigger::TriggerState::retain).
    #[must_use]
    pub fn holds(&self, user: &str) -> bool {
        self.held.contains(user)
    }

    /// How many shoppers may be looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.permitted.len()
    }

    /// Whether nobody may.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty()
    }

    /// Whether nobody withdrew, came back, was merged or erased since. Shoppers met since then are not permitted before
    /// it is read again.
    ///
    /// # Errors
    /// [`LogError`] where the log cannot be read.
    pub fn is_current<L: EventLog + ?Sized>(&self, log: &L) -> Result<bool, LogError> {
        Ok(log.state()?.epoch == self.epoch)
    }
}
