//! How likely a place is looked at.

use serde::{Deserialize, Serialize};

use super::lists::LoggedList;

/// The chance that a place is looked at, relative to the first; the last holds for all places below it.
///
/// # Example
/// ```
/// use likewise::tune::learn::{Propensities, Swapped};
/// let given = Propensities::given([1.0, 0.5, 0.25])?;
/// assert_eq!(given.at(7), 0.25);
/// // The first item and that of place 2 changed places for half of the lists: 200 clicks above, 50 below.
/// let swapped = [Swapped { place: 2, shown_first: 1000, clicks_first: 200, shown_there: 1000, clicks_there: 50 }];
/// assert_eq!(Propensities::from_swaps(&swapped)?.at(2), 0.25);
/// # Ok::<(), likewise::tune::learn::PropensityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Propensities(Vec<f64>);

/// Numbers that are no propensities.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PropensityError {
    /// One is out of range.
    #[error("the propensity of place {place} is {got}; expected a finite number above 0")]
    Range {
        /// The place.
        place: usize,
        /// What it was.
        got: f64,
    },
    /// There is none.
    #[error("there are no propensities, or no clicks to estimate them from; show more lists in random order")]
    Nothing,
}

/// What became of lists in which the first item and that of one other place were swapped for a random half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swapped {
    /// The other place, from 1 on; the first is 0.
    pub place: usize,
    /// How often such an item was shown first.
    pub shown_first: u64,
    /// How often it was clicked there.
    pub clicks_first: u64,
    /// How often it was shown in the other place.
    pub shown_there: u64,
    /// How often it was clicked there.
    pub clicks_there: u64,
}

impl Propensities {
    /// Every place is looked at: no correction, for held-out history.
    #[must_use]
    pub fn none() -> Self {
        Self(vec![1.0])
    }

    /// These, from the first place on.
    ///
    /// # Errors
    /// [`PropensityError`].
    pub fn given(places: impl Into<Vec<f64>>) -> Result<Self, PropensityError> {
        let places = places.into();
        if let Some((place, &got)) = places.iter().enumerate().find(|(_, p)| !(p.is_finite() && **p > 0.0)) {
            return Err(PropensityError::Range { place, got });
        }
        if places.is_empty() { Err(PropensityError::Nothing) } else { Ok(Self(places)) }
    }

    /// From lists whose items stood in random order: clicks at a place over clicks at the first, each per time shown. A
    /// place without a click counts half a click, so that no propensity is 0.
    ///
    /// # Errors
    /// [`PropensityError::Nothing`] without a click on the first place.
    pub fn from_shuffled<'l>(lists: impl IntoIterator<Item = &'l LoggedList>) -> Result<Self, PropensityError> {
        let mut places: Vec<(f64, f64)> = Vec::new();
        for item in lists.into_iter().flat_map(|list| &list.items) {
            let place = item.place as usize;
            if place >= places.len() && place < 10_000 {
                places.resize(place + 1, (0.0, 0.0));
            }
            if let Some((shown, clicked)) = places.get_mut(place) {
                *shown += 1.0;
                *clicked += f64::from(u8::from(item.gain > 0.0));
            }
        }
        let first = places.first().filter(|(_, clicked)| *clicked > 0.0).map(|(shown, clicked)| clicked / shown);
        let first = first.ok_or(PropensityError::Nothing)?;
        let mut last = 1.0;
        let ratio = |&(shown, clicked): &(f64, f64)| {
            if shown > 0.0 {
                last = f64::max(clicked, 0.5) / shown / first;
            }
            last // a place nobody was shown is taken to be as the one above
        };
        Self::given(places.iter().map(ratio).collect::<Vec<_>>())
    }

    /// From random swaps of the first place with others (Joachims et al. 2017, §5): the same items, so that the ratio of
    /// click rates is that of the places. Between the places said it is interpolated.
    ///
    /// # Errors
    /// [`PropensityError::Nothing`] without a click on the first place, or without a swap.
    pub fn from_swaps(swaps: &[Swapped]) -> Result<Self, PropensityError> {
        let mut known = vec![(0usize, 1.0f64)];
        for s in swaps.iter().filter(|s| s.place > 0 && s.place < 10_000 && s.shown_first > 0 && s.shown_there > 0) {
            if s.clicks_first == 0 {
                return Err(PropensityError::Nothing);
            }
            let first = s.clicks_first as f64 / s.shown_first as f64;
            known.push((s.place, f64::max(s.clicks_there as f64, 0.5) / s.shown_there as f64 / first));
        }
        if known.len() < 2 {
            return Err(PropensityError::Nothing);
        }
        known.sort_by_key(|(place, _)| *place); // stable: of a place said twice the first counts
        known.dedup_by_key(|(place, _)| *place);
        let mut places = vec![1.0];
        for pair in known.windows(2) {
            let ((from, a), (to, b)) = (pair[0], pair[1]);
            places.extend((from + 1..=to).map(|p| a + (b - a) * (p - from) as f64 / (to - from) as f64));
        }
        Self::given(places)
    }

    /// The propensity of a place, from 0 on.
    #[must_use]
    pub fn at(&self, place: usize) -> f64 {
        self.0.get(place).or(self.0.last()).copied().unwrap_or(1.0)
    }

    /// How many places are told apart.
    #[must_use]
    pub fn places(&self) -> usize {
        self.0.len()
    }
}

impl TryFrom<Vec<f64>> for Propensities {
    type Error = PropensityError;
    fn try_from(places: Vec<f64>) -> Result<Self, PropensityError> {
        Self::given(places)
    }
}

impl From<Propensities> for Vec<f64> {
    fn from(propensities: Propensities) -> Self {
        propensities.0
    }
}
