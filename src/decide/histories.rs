//! Whose past may be read: a dataset, seen through what its log permits.
//!
//! What is fitted on shoppers' histories, or says something of one shopper, asks for [`Histories`] and not for a dataset.
//! Who is not permitted takes part in no fit and gets no band, no row of features, no prediction: the answer is the one
//! to a shopper nobody knows. What is already fitted keeps what it learned until it is fitted again.
//!
//! **When:** wherever the events come from a log in which people can withdraw. **When not:** for a file of events that is
//! the whole truth; a dataset by itself means everybody in it.

use std::sync::Arc;

use super::Permissions;
use crate::dataset::{Dataset, Events};
use crate::ids::UserIdx;
use crate::time::Timestamp;

/// The histories that may be read: of a `&Dataset` everybody's, of [`Permissions::histories`] those of the shoppers a log
/// lets be looked at. Anonymous sessions are nobody's. Cost: a look into a table a shopper.
///
/// # Example
/// ```
/// use likewise::decide::{Histories, Permissions};
/// use likewise::decide::predict::{PurchaseLog, SummaryParams};
/// use likewise::log::{Durability, EventLog, MemoryLog};
/// use likewise::*;
/// let (log, now) = (MemoryLog::default(), Timestamp::from_secs(0));
/// let mut builder = DatasetBuilder::default();
/// for user in ["ann", "bob"] {
///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
///     let event = Event::new(who, "tea", EventKind::Purchase, now);
///     log.append(&[event], now, Durability::Memory)?;
///     builder.push(&event)?;
/// }
/// let data = builder.build()?;
/// log.restrict("bob")?; // after the dataset was built
/// let permissions = Permissions::of(&log)?;
/// let params = SummaryParams::default().check()?;
/// let purchases = PurchaseLog::of(permissions.histories(&data), params.clone());
/// assert_eq!((purchases.len(), purchases.find("bob")), (1, None));
/// assert_eq!(PurchaseLog::of(&data, params).len(), 2, "the dataset has heard of nothing");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Histories<'a> {
    data: &'a Dataset,
    permitted: Option<&'a Permissions>,
}

impl<'a> From<&'a Dataset> for Histories<'a> {
    fn from(data: &'a Dataset) -> Self {
        Self { data, permitted: None }
    }
}

impl<'a> From<&'a Arc<Dataset>> for Histories<'a> {
    fn from(data: &'a Arc<Dataset>) -> Self {
        Self::from(&**data)
    }
}

impl<'a> Histories<'a> {
    /// The dataset, of everybody.
    #[must_use]
    pub const fn dataset(&self) -> &'a Dataset {
        self.data
    }

    /// Whether a shopper with this id may be looked at, in the dataset or not; never `""`, as which anonymous sessions
    /// are known.
    #[must_use]
    pub fn permits(&self, user: &str) -> bool {
        !user.is_empty() && self.permitted.is_none_or(|permissions| permissions.basis(user).is_some())
    }

    /// Whether the shopper of a row may be looked at; nobody's row and an unknown one may not.
    #[must_use]
    pub fn holds(&self, user: UserIdx) -> bool {
        self.permits(self.data.user_key(user))
    }

    /// The rows that may be read, in the order of their numbers.
    pub fn users(self) -> impl Iterator<Item = UserIdx> + 'a {
        self.data.users().filter(move |&user| self.holds(user))
    }

    /// One shopper's events up to and including `until`, oldest first; none for one who may not be looked at.
    #[must_use]
    pub fn until(&self, user: UserIdx, until: Timestamp) -> Events<'a> {
        const NOBODY: UserIdx = UserIdx::new(u32::MAX);
        self.data.events_of(if self.holds(user) { user } else { NOBODY }).until(until)
    }
}

impl Permissions {
    /// A dataset's histories, as far as they may be read; for [`Rfm`](super::segment::Rfm),
    /// [`Points`](super::segment::Points), [`Activity`](super::trigger::Activity) and all of
    /// [`predict`](super::predict).
    #[must_use]
    pub const fn histories<'a>(&'a self, data: &'a Dataset) -> Histories<'a> {
        Histories { data, permitted: Some(self) }
    }
}
