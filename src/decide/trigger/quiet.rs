//! When nobody is to be disturbed, by the shopper's own clock.

use serde::{Deserialize, Serialize};

use super::zone::Zone;
use crate::params::{ParamError, ParamSpec, Validate, check_range};
use crate::time::{Span, Timestamp};

/// Hours of the local day in which no message goes out.
///
/// | field | default | range | what |
/// |---|---|---|---|
/// | `from` | 21 × 60 | 0 to 1439 | the first quiet minute of the day |
/// | `until` | 8 × 60 | 0 to 1439 | the first minute that is not quiet; before `from`, the night goes over midnight; equal to it, nothing is quiet |
///
/// A night in which the clocks change is as long as it is: nine, ten or eleven hours.
///
/// # Example
/// ```
/// use likewise::Timestamp;
/// use likewise::decide::trigger::{QuietHours, Zone};
/// let night = QuietHours { from: 22 * 60, until: 8 * 60 };
/// let (zone, two_at_night) = (Zone::utc(), Timestamp::from_secs(2 * 3600));
/// assert!(night.covers(&zone, two_at_night));
/// assert_eq!(night.end(&zone, two_at_night), Timestamp::from_secs(8 * 3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuietHours {
    /// The first quiet minute of the day.
    pub from: u16,
    /// The first minute that is not quiet.
    pub until: u16,
}

impl Default for QuietHours {
    fn default() -> Self {
        Self { from: 21 * 60, until: 8 * 60 }
    }
}

impl Validate for QuietHours {
    fn table() -> &'static [ParamSpec] {
        const TABLE: &[ParamSpec] = &[
            ParamSpec::int("from", 0, 1439, "the first quiet minute of the local day"),
            ParamSpec::int("until", 0, 1439, "the first minute that is not quiet"),
        ];
        TABLE
    }

    fn validate(&self) -> Result<(), ParamError> {
        check_range::<Self>("from", self.from.into())?;
        check_range::<Self>("until", self.until.into())
    }
}

impl QuietHours {
    /// Whether a moment is quiet.
    #[must_use]
    pub fn covers(&self, zone: &Zone, at: Timestamp) -> bool {
        let minute = zone.minute_of_day(at);
        if self.from <= self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// The first moment from `at` on that is not quiet, to the minute.
    #[must_use]
    pub fn end(&self, zone: &Zone, at: Timestamp) -> Timestamp {
        const MINUTE: Span = Span::minutes(1);
        if !self.covers(zone, at) {
            return at;
        }
        let left = (i64::from(self.until) - i64::from(zone.minute_of_day(at))).rem_euclid(1440);
        let whole = Span::millis(left * MINUTE.as_millis() - zone.past_minute(at));
        let mut end = at.plus(whole);
        if zone.minute_of_day(end) != self.until {
            // A clock changed on the way: minute by minute, as hours are skipped or come twice.
            end = at.plus(Span::millis(MINUTE.as_millis() - zone.past_minute(at)));
            let longest = at.plus(Span::days(3));
            while end < longest && self.covers(zone, end) {
                end = end.plus(MINUTE);
            }
        }
        end
    }
}
