//! How long events may be used.

use serde::{Deserialize, Serialize};

use crate::event::{EventKind, KindSet};
use crate::time::{Span, Timestamp};

/// How long events of each kind may be used; enforced when a log is read ([`Scan::retained`](super::Scan::retained)) and
/// when it expires ([`EventLog::expire`](super::EventLog::expire)).
///
/// A kind that several windows name goes by the shortest; one that none names is kept for ever.
///
/// # Example
/// ```
/// use likewise::log::Retention;
/// use likewise::{EventKind, KindSet, Span, Timestamp};
/// let retention = Retention::default()
///     .window(KindSet::of(&[EventKind::View, EventKind::Impression]), Span::days(90))
///     .window(KindSet::of(&[EventKind::Purchase]), Span::days(730));
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// assert!(!retention.keeps(EventKind::View, day(0), day(91)));
/// assert!(retention.keeps(EventKind::Purchase, day(0), day(91)));
/// assert!(retention.keeps(EventKind::Rating, day(0), day(9_999)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Retention {
    windows: Vec<(KindSet, Span)>,
}

impl Retention {
    /// With events of these kinds usable for this long after they happened, the last millisecond included.
    #[must_use]
    pub fn window(mut self, kinds: KindSet, span: Span) -> Self {
        self.windows.push((kinds, span));
        self
    }

    /// Whether an event of `at` may be used at `now`.
    #[must_use]
    pub fn keeps(&self, kind: EventKind, at: Timestamp, now: Timestamp) -> bool {
        self.windows.iter().all(|(kinds, span)| !kinds.contains(kind) || now.since(at) <= *span)
    }

    /// The kinds that expire, each with the latest time that has expired at `now`.
    #[cfg(feature = "sqlite")]
    pub(crate) fn horizons(&self, now: Timestamp) -> impl Iterator<Item = (EventKind, Timestamp)> {
        let windows = self.windows.iter();
        windows.flat_map(move |(kinds, span)| kinds.iter().map(move |kind| (kind, now.minus(*span))))
    }
}
