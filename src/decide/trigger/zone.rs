//! Local time: what o'clock it is where the shopper is, daylight saving included.
//!
//! A zone is a table of moments and offsets, made once from the bundled tz database (feature `zones`, [`jiff`]) and looked
//! up by bisection: 4 ns a look-up and no library call in a sweep's inner loop. Without the feature there are fixed
//! offsets only, and a name is an error that says so: never a silently wrong hour.
//!
//! [`jiff`]: https://docs.rs/jiff

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A time zone. Cheap to clone.
///
/// Spelled in text and serde as `UTC`, a fixed offset such as `+01:00`, or a name of the IANA database such as
/// `Europe/London` (feature `zones`).
///
/// # Example
/// ```
/// use likewise::Timestamp;
/// use likewise::decide::trigger::Zone;
/// let monday_noon_utc = Timestamp::from_secs(1_323_691_200); // 2011-12-12
/// assert_eq!(Zone::utc().hour_of_week(monday_noon_utc), 12);
/// assert_eq!(Zone::named("-05:00")?.hour_of_week(monday_noon_utc), 7);
/// # Ok::<(), likewise::decide::trigger::ZoneError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: Arc<str>,
    /// From when on which offset holds, in milliseconds; the first is for ever before.
    since: Arc<[(i64, i64)]>,
}

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// Not in the tz database.
    #[error(
        "unknown time zone {name:?}; expected UTC, an offset such as +01:00, or an IANA name such as Europe/London"
    )]
    Unknown {
        /// What was read.
        name: String,
    },
    /// There is no tz database.
    #[error("time zone {name:?} needs the feature `zones` (the bundled tz database); or give an offset such as +01:00")]
    NoDatabase {
        /// What was read.
        name: String,
    },
}

/// Hours in a week.
pub const HOURS: usize = 168;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".into(), since: Arc::new([(i64::MIN, 0)]) }
    }

    /// So many minutes ahead of UTC all year round (behind, when negative), at most 18 hours.
    #[must_use]
    pub fn fixed(minutes: i16) -> Option<Self> {
        let magnitude = minutes.unsigned_abs();
        let sign = if minutes < 0 { '-' } else { '+' };
        (magnitude <= 18 * 60).then(|| Self {
            name: format!("{sign}{:02}:{:02}", magnitude / 60, magnitude % 60).into(),
            since: Arc::new([(i64::MIN, i64::from(minutes) * MINUTE)]),
        })
    }

    /// A zone by its spelling.
    ///
    /// # Errors
    /// [`ZoneError`].
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        match name {
            "UTC" | "Z" => Ok(Self::utc()),
            _ if name.starts_with(['+', '-']) => {
                Self::offset_of(name).and_then(Self::fixed).ok_or_else(|| ZoneError::Unknown { name: name.to_owned() })
            }
            _ => Self::looked_up(name),
        }
    }

    /// The minutes of `+hh:mm`.
    fn offset_of(text: &str) -> Option<i16> {
        let (sign, rest) = text.split_at_checked(1)?;
        let (hours, minutes) = rest.split_once(':')?;
        let number = |text: &str| text.parse::<i16>().ok().filter(|_| text.len() == 2 && !text.starts_with(['+', '-']));
        let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
        let size = number(hours)? * 60 + minutes;
        Some(if sign == "-" { -size } else { size })
    }

    #[cfg(not(feature = "zones"))]
    fn looked_up(name: &str) -> Result<Self, ZoneError> {
        Err(ZoneError::NoDatabase { name: name.to_owned() })
    }

    /// All transitions up to the year 2200; later the last offset is taken to hold.
    #[cfg(feature = "zones")]
    fn looked_up(name: &str) -> Result<Self, ZoneError> {
        const YEAR_2200: i64 = 7_258_118_400;
        let unknown = |_| ZoneError::Unknown { name: name.to_owned() };
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).map_err(unknown)?;
        let offset = |at| i64::from(zone.to_offset(at).seconds()) * 1000;
        let mut since = vec![(i64::MIN, offset(jiff::Timestamp::MIN))];
        for change in zone.following(jiff::Timestamp::MIN) {
            if change.timestamp().as_second() > YEAR_2200 {
                break;
            }
            since.push((change.timestamp().as_millisecond(), i64::from(change.offset().seconds()) * 1000));
        }
        Ok(Self { name: name.into(), since: since.into() })
    }

    /// Its spelling.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Milliseconds since 1970-01-01T00:00 on the shopper's own clock.
    fn local(&self, at: Timestamp) -> i64 {
        let place = self.since.partition_point(|&(since, _)| since <= at.millis());
        let offset = self.since.get(place.saturating_sub(1)).map_or(0, |&(_, offset)| offset);
        at.millis().saturating_add(offset)
    }

    /// The hour of the local week, 0 to 167: Monday from midnight to one is 0.
    #[must_use]
    pub fn hour_of_week(&self, at: Timestamp) -> usize {
        const THURSDAY: i64 = 3; // 1970-01-01
        let hours = self.local(at).div_euclid(60 * MINUTE);
        (hours.rem_euclid(HOURS as i64) + 24 * THURSDAY).rem_euclid(HOURS as i64) as usize
    }

    /// The minute of the local day, 0 to 1439.
    #[must_use]
    pub fn minute_of_day(&self, at: Timestamp) -> u16 {
        (self.local(at).rem_euclid(DAY) / MINUTE) as u16
    }

    /// How far into its local hour a moment is, in milliseconds.
    pub(super) fn past_hour(&self, at: Timestamp) -> i64 {
        self.local(at).rem_euclid(60 * MINUTE)
    }

    pub(super) fn past_minute(&self, at: Timestamp) -> i64 {
        self.local(at).rem_euclid(MINUTE)
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;
    fn try_from(name: String) -> Result<Self, ZoneError> {
        Self::named(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name.as_ref().to_owned()
    }
}
