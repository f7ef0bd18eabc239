//! Instants from text: the ways in which shops write down when something happened.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use crate::params::ParamError;
use crate::time::Timestamp;

/// How a source writes times.
///
/// | format | reads |
/// |---|---|
/// | `Auto` | all of the next four, and `2010-12-01 08:26:00`, `2010-12-01T08:26`, ... |
/// | `UnixSeconds` | `1291191960`, `1291191960.25` |
/// | `UnixMillis` | `1291191960250` |
/// | `Rfc3339` | `2010-12-01T08:26:00Z`, `2010-12-01 09:26:00.5+01:00` |
/// | `Date` | `2010-12-01`, its midnight |
/// | `Custom` | what a `strptime` pattern says: `%d/%m/%Y %H:%M` |
///
/// A time without an offset is taken as UTC. Parts of a millisecond are dropped.
///
/// # Example
/// ```
/// use likewise::{TimeFormat, Timestamp};
/// let time = Timestamp::from_secs(1_291_191_960);
/// assert_eq!(TimeFormat::Auto.read("1291191960"), Some(time));
/// assert_eq!(TimeFormat::Auto.read("2010-12-01 08:26:00"), Some(time));
/// assert_eq!(TimeFormat::Auto.read("2010-12-01T09:26:00+01:00"), Some(time));
/// assert_eq!(TimeFormat::Custom("%d/%m/%Y %H:%M".into()).read("01/12/2010 08:26"), Some(time));
/// assert_eq!(TimeFormat::Auto.read("yesterday"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TimeFormat {
    /// Recognised by its shape. A bare number is Unix seconds below 100,000,000,000 (the year 5138) either side of
    /// zero, and Unix milliseconds from there (March 1973). Name the format where that is wrong, and for compact dates
    /// such as `20101201`.
    #[default]
    Auto,
    /// Seconds since 1970, possibly with a fraction.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
    /// Date, time and offset from UTC.
    Rfc3339,
    /// Year, month and day.
    Date,
    /// A `strptime` pattern.
    Custom(String),
}

/// From here on a bare number is milliseconds under [`TimeFormat::Auto`].
const MILLIS_FROM: u64 = 100_000_000_000;

impl TimeFormat {
    /// The instant that `text` names; `None` when it names none in this format. Blanks around it do not matter.
    #[must_use]
    pub fn read(&self, text: &str) -> Option<Timestamp> {
        let text = text.trim_ascii();
        match self {
            Self::Auto => auto(text),
            Self::UnixSeconds => Number::read(text).map(Number::seconds),
            Self::UnixMillis => Number::read(text).map(Number::millis),
            Self::Rfc3339 => rfc3339(text),
            Self::Date => text.parse::<Date>().ok().filter(|_| text.len() == 10).map(|day| utc(day.into())),
            Self::Custom(pattern) => custom(pattern, text),
        }
    }

    /// Whether a custom pattern says enough to name an instant: a time written with it must be read back.
    pub(crate) fn validate(&self) -> Result<(), ParamError> {
        let Self::Custom(pattern) = self else { return Ok(()) };
        let day = jiff::civil::date(2010, 12, 31);
        let zoned = Offset::UTC.to_timestamp(day.at(20, 26, 59, 0)).map(|t| t.to_zoned(jiff::tz::TimeZone::UTC));
        let written = zoned.and_then(|zoned| strtime::BrokenDownTime::from(&zoned).to_string(pattern));
        let read = written.ok().and_then(|text| custom(pattern, &text));
        let midnight = utc(day.into()).millis();
        match read {
            Some(read) if (midnight..midnight + 86_400_000).contains(&read.millis()) => Ok(()),
            _ => Err(ParamError::new("time.format", pattern, "a strptime pattern with year, month and day")),
        }
    }
}

/// A decimal number: whole part, and thousandths of the same sign.
#[derive(Clone, Copy)]
struct Number {
    whole: i64,
    thousandths: i64,
}

impl Number {
    fn read(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits = fraction.bytes().chain(*b"00").take(3);
        let thousandths = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        let sign = if whole.starts_with('-') { -1 } else { 1 };
        Some(Self { whole: whole.parse().ok()?, thousandths: sign * thousandths })
    }

    fn seconds(self) -> Timestamp {
        Timestamp::from_millis(Timestamp::from_secs(self.whole).millis().saturating_add(self.thousandths))
    }

    const fn millis(self) -> Timestamp {
        Timestamp::from_millis(self.whole)
    }
}

fn auto(text: &str) -> Option<Timestamp> {
    if text.as_bytes().get(4) == Some(&b'-') {
        return civil(text);
    }
    let number = Number::read(text)?;
    Some(if number.whole.unsigned_abs() < MILLIS_FROM { number.seconds() } else { number.millis() })
}

/// A date with or without a time, with or without an offset.
///
/// Left to jiff: on 2026-11-22 ingest of date-times ran at the rate of Unix seconds (2.9 M events/s, within noise), so
/// a hand-written reader of the fixed-width form would buy nothing.
fn civil(text: &str) -> Option<Timestamp> {
    let after_date = text.get(10..)?;
    if after_date.contains(['Z', 'z', '+', '-']) {
        return rfc3339(text);
    }
    // A bracketed zone name would be read over in silence.
    let time: DateTime = text.parse().ok().filter(|_| !after_date.contains('['))?;
    Some(utc(time))
}

fn rfc3339(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(time.as_millisecond()))
}

fn custom(pattern: &str, text: &str) -> Option<Timestamp> {
    let parts = strtime::parse(pattern, text).ok()?;
    if parts.offset().is_some() || parts.timestamp().is_some() {
        return parts.to_timestamp().ok().map(|time| Timestamp::from_millis(time.as_millisecond()));
    }
    parts.to_datetime().ok().map(utc)
}

/// Counted by the calendar, which reaches to the last second of the year 9999; `jiff::Timestamp` ends a day earlier.
fn utc(time: DateTime) -> Timestamp {
    let since = time.duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0));
    Timestamp::from_millis(since.as_secs() * 1000 + i64::from(since.subsec_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_291_191_960_000;

    fn read(format: TimeFormat, text: &str) -> Option<i64> {
        format.read(text).map(Timestamp::millis)
    }

    #[test]
    fn auto_recognises_every_shape() {
        for (text, ms) in [
            ("1291191960", AT),
            (" 1291191960 ", AT),
            ("1291191960.94", AT + 940),
            ("1291191960.1239", AT + 123),
            ("1291191960250", AT + 250),
            ("-1.5", -1500),
            ("-0.5", -500),
            ("0", 0),
            ("99999999999", 99_999_999_999_000),
            ("100000000000", 100_000_000_000),
            ("-100000000000", -100_000_000_000),
            ("2010-12-01 08:26:00", AT),
            ("2010-12-01T08:26:00", AT),
            ("2010-12-01 08:26:00.250", AT + 250),
            ("2010-12-01 08:26", AT),
            ("2010-12-01T08:26Z", AT),
            ("2010-12-01T08:26:00Z", AT),
            ("2010-12-01T09:26:00+01:00", AT),
            ("2010-11-30 23:26:00-09:00", AT),
            ("2010-12-01", 1_291_161_600_000),
            ("2012-02-29", 1_330_473_600_000),
            ("1969-12-31 23:59:59", -1000),
            ("0001-01-01", -62_135_596_800_000),
            ("9999-12-31 23:59:59.999", 253_402_300_799_999),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(read(TimeFormat::Auto, text), Some(ms), "{text}");
        }
    }

    #[test]
    fn auto_refuses_what_is_no_time() {
        for text in [
            "",
            " ",
            "yesterday",
            "2011-02-29",
            "2010-13-01",
            "2010-12-01 25:00:00",
            "2010-12-01 08:61:00",
            "1.",
            ".5",
            "-",
            "1e9",
            "0x10",
            "NaN",
            "inf",
            "9223372036854775808",
            "2010-12-01 08:26:00[Europe/Paris]",
            "12-1",
            "2010-12",
            "201\u{e9}-12-01",
            "2010-12-\u{e9}",
            "1.2.3",
            "1.-5",
            "2010-12-01 ",
            "2010/12/01",
        ] {
            let expected = (text.trim().len() == 10 && text.ends_with(' ')).then_some(1_291_161_600_000);
            assert_eq!(read(TimeFormat::Auto, text), expected, "{text:?}");
        }
    }

    #[test]
    fn named_formats_take_only_their_own() {
        assert_eq!(read(TimeFormat::UnixSeconds, "100000000000"), Some(100_000_000_000_000));
        assert_eq!(read(TimeFormat::UnixSeconds, "9223372036854775807.999"), Some(i64::MAX));
        assert_eq!(read(TimeFormat::UnixMillis, "5"), Some(5));
        assert_eq!(read(TimeFormat::UnixMillis, "2010-12-01"), None);
        assert_eq!(read(TimeFormat::Rfc3339, "2010-12-01 08:26:00"), None);
        assert_eq!(read(TimeFormat::Rfc3339, "2010-12-01T08:26:00Z"), Some(AT));
        assert_eq!(read(TimeFormat::Date, "2010-12-01"), Some(1_291_161_600_000));
        assert_eq!(read(TimeFormat::Date, "2010-12-01 08:26:00"), None);
        let custom = |pattern: &str, text| read(TimeFormat::Custom(pattern.into()), text);
        assert_eq!(custom("%d.%m.%Y %H:%M", "01.12.2010 08:26"), Some(AT));
        assert_eq!(custom("%Y%m%d", "20101201"), Some(1_291_161_600_000));
        assert_eq!(custom("%Y-%m-%d %H:%M %z", "2010-12-01 09:26 +0100"), Some(AT));
        assert_eq!(custom("%s", "1291191960"), Some(AT));
        assert_eq!(custom("%Y%m%d", "2010-12-01"), None);
    }

    #[test]
    fn a_pattern_must_name_an_instant() {
        for good in ["%Y-%m-%d", "%d/%m/%y %H:%M", "%s", "%Y-%m-%dT%H:%M:%S%z", "%b %d, %Y %I:%M %p"] {
            assert_eq!(TimeFormat::Custom(good.into()).validate(), Ok(()), "{good}");
        }
        for bad in ["", "%H:%M", "%d/%m", "%Q9", "%", "2010-12-31"] {
            let error = TimeFormat::Custom(bad.into()).validate().unwrap_err();
            assert_eq!((error.param.as_str(), error.got.as_str()), ("time.format", bad));
        }
    }
}
