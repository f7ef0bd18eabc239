//! Instants and spans, in whole milliseconds, saturating at both ends.

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Any `i64` is valid; arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant.
    pub const MAX: Self = Self(i64::MAX);

    /// From Unix milliseconds.
    #[must_use]
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms)
    }

    /// From Unix seconds, saturating.
    #[must_use]
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(1000))
    }

    /// Unix milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; [`Span::ZERO`] when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        let ms = self.0.saturating_sub(earlier.0);
        Span(if ms < 0 { 0 } else { ms })
    }

    /// This much later.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This much earlier.
    #[must_use]
    pub const fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// A length of time: milliseconds, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds; a negative number becomes zero.
    #[must_use]
    pub const fn millis(ms: i64) -> Self {
        Self(if ms < 0 { 0 } else { ms })
    }

    /// From seconds, saturating.
    #[must_use]
    pub const fn secs(s: u32) -> Self {
        Self(s as i64 * 1000)
    }

    /// From minutes.
    #[must_use]
    pub const fn minutes(m: u32) -> Self {
        Self(m as i64 * 60_000)
    }

    /// From hours.
    #[must_use]
    pub const fn hours(h: u32) -> Self {
        Self(h as i64 * 3_600_000)
    }

    /// From days of 24 hours.
    #[must_use]
    pub const fn days(d: u32) -> Self {
        Self(d as i64 * 86_400_000)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// In days of 24 hours.
    #[must_use]
    pub fn as_days(self) -> f64 {
        self.0 as f64 / 86_400_000.0
    }

    /// `2^(-self / half_life)`: 1 at once, ½ after one half-life, down to 0. A zero half-life forgets at once.
    #[must_use]
    pub fn decay(self, half_life: Self) -> f64 {
        if self.0 == 0 {
            return 1.0;
        }
        if half_life.0 == 0 {
            return 0.0;
        }
        (-(self.0 as f64) / half_life.0 as f64).exp2()
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let ms = i64::deserialize(d)?;
        if ms < 0 {
            return Err(serde::de::Error::custom(format!("a span is a number of milliseconds >= 0, got {ms}")));
        }
        Ok(Self(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_the_limits() {
        assert_eq!(Timestamp::MAX.since(Timestamp::MIN), Span::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Span::ZERO);
        assert_eq!(Timestamp::MAX.plus(Span::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.minus(Span::MAX), Timestamp::MIN);
        assert_eq!(Timestamp::from_secs(i64::MAX), Timestamp::MAX);
    }

    #[test]
    fn decay_halves() {
        assert_eq!(Span::days(30).decay(Span::days(30)), 0.5);
        assert_eq!(Span::ZERO.decay(Span::ZERO), 1.0);
        assert_eq!(Span::days(1).decay(Span::ZERO), 0.0);
        assert_eq!(Span::MAX.decay(Span::millis(1)), 0.0);
    }
}
