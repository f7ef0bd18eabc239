//! What changed between two datasets of one lineage.

use super::Dataset;
use crate::ids::UserIdx;

/// The shopper rows in which two datasets of one lineage differ.
///
/// Count-based models take the old rows out and put the new ones in; the result equals a rebuild bit for bit.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Delta, Event, EventKind, LawfulBasis, Shopper, Timestamp};
/// let on = |user, item, s| {
///     Event::new(Shopper::Profiled(Consented::new(user, LawfulBasis::Contract)), item, EventKind::View, Timestamp::from_secs(s))
/// };
/// let mut builder = DatasetBuilder::default();
/// builder.ingest(vec![on("ann", "mug", 1), on("bob", "mug", 2)])?;
/// let before = builder.build()?;
/// builder.push(&on("bob", "tea", 3))?;
/// let after = builder.build()?;
/// let delta = Delta::between(&before, &after).unwrap();
/// assert_eq!(delta.rows(), [after.user("bob").unwrap()]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Delta<'a> {
    base: &'a Dataset,
    data: &'a Dataset,
    rows: Vec<UserIdx>,
}

impl<'a> Delta<'a> {
    /// Compares two datasets; `None` when `data` is not a later state of `base`'s numbering. `O(events)`.
    #[must_use]
    pub fn between(base: &'a Dataset, data: &'a Dataset) -> Option<Self> {
        let grown = base.lineage() == data.lineage()
            && base.n_items() <= data.n_items()
            && base.n_rows() <= data.n_rows()
            && base.item_keys().zip(data.item_keys()).all(|(a, b)| a == b)
            && base.users().all(|u| base.user_key(u) == data.user_key(u));
        if !grown {
            return None;
        }
        let changed = |u: &UserIdx| !base.events_of(*u).same_as(data.events_of(*u));
        let rows = (0..data.n_rows() as u32).map(UserIdx::new).filter(changed).collect();
        Some(Self { base, data, rows })
    }

    /// The state before.
    #[must_use]
    pub const fn base(&self) -> &'a Dataset {
        self.base
    }

    /// The state after.
    #[must_use]
    pub const fn data(&self) -> &'a Dataset {
        self.data
    }

    /// The rows that differ, ascending.
    #[must_use]
    pub fn rows(&self) -> &[UserIdx] {
        &self.rows
    }
}
