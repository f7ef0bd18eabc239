use serde::{Deserialize, Serialize};

/// Whether the item the shopper is looking at may be recommended again.
///
/// The current item is the last item of the session. Click logs of shops with many reloads want it back in the list; a
/// shelf of alternatives does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CurrentItem {
    /// It is judged like every other item.
    #[default]
    Allowed,
    /// No opinion on it.
    Excluded,
}

crate::persist::portable_value!(CurrentItem);
