//! Ids that say nothing without the key.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::consent::{Consented, Shopper};
use crate::source::{EventSource, Flow, Offered};

/// Why a key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Too few bytes to be secret.
    #[error("the key has {got} bytes; take at least 32 from the operating system's random generator")]
    Short {
        /// How many there are.
        got: usize,
    },
}

/// Turns user, session and event ids into pseudonyms by a keyed hash (HMAC-SHA-256, of which 128 bits are kept).
///
/// The same id under the same key is the same pseudonym for ever; without the key nobody gets from one to the other, not
/// even by trying all known ids. Keep the key apart from the events, and destroy it to cut the link for good. Users,
/// sessions and events have pseudonyms of their own: an id used for two of them does not show.
///
/// *The key:* 32 bytes or more of the operating system's random generator, from a secret store and not from the
/// configuration; one a shop. Changing it makes everybody a stranger, so erase first who wants to be erased: afterwards
/// nobody finds their events. What is kept here is the key's hash state, which is as secret: it is never printed, and not
/// overwritten when this is dropped, so it may stay in the process's memory until it ends.
///
/// *When to use it:* the log, snapshots and backups should not hold the shop's customer numbers or mail addresses. *When
/// not:* as anonymisation. The data stays personal data (GDPR Art. 4(5)): who has the key, or enough of somebody's
/// history, knows who it is.
///
/// # Example
/// ```
/// use likewise::customer::Pseudonyms;
/// let names = Pseudonyms::new(&[7; 32])?;
/// assert_eq!(names.user("ann@example.org"), names.user("ann@example.org"));
/// assert_eq!(names.user("ann@example.org").len(), 32);
/// assert_ne!(names.user("ann@example.org"), names.session("ann@example.org"));
/// assert_ne!(names.user("ann@example.org"), Pseudonyms::new(&[8; 32])?.user("ann@example.org"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Pseudonyms {
    keyed: Hmac<Sha256>,
}

impl Pseudonyms {
    /// With this secret key of at least 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Short`].
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        let short = KeyError::Short { got: key.len() };
        if key.len() < 32 {
            return Err(short);
        }
        // HMAC takes keys of every length.
        let keyed = Hmac::new_from_slice(key).map_err(|_| short)?;
        Ok(Self { keyed })
    }

    /// The pseudonym of a user id: 32 hexadecimal digits.
    #[must_use]
    pub fn user(&self, id: &str) -> String {
        self.of(b"user:", id)
    }

    /// The pseudonym of a session id: 32 hexadecimal digits.
    #[must_use]
    pub fn session(&self, id: &str) -> String {
        self.of(b"session:", id)
    }

    /// The pseudonym of an event id, an order line's say, which leads to its shopper too: 32 hexadecimal digits.
    #[must_use]
    pub fn event(&self, id: &str) -> String {
        self.of(b"event:", id)
    }

    fn of(&self, space: &[u8], id: &str) -> String {
        let mut mac = self.keyed.clone();
        mac.update(space);
        mac.update(id.as_bytes());
        let hash = mac.finalize().into_bytes();
        let mut hex = String::with_capacity(32);
        for byte in hash.iter().take(16) {
            for digit in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        hex
    }

    /// The same events under pseudonyms: of shoppers, visits, sessions and the events' own ids. Items, times and searches
    /// stay as they are; a search may hold a name, so leave it out at the source if it must not. An empty id stays empty: it
    /// is none.
    pub const fn over<S: EventSource>(&self, source: S) -> Pseudonymous<'_, S> {
        Pseudonymous { names: self, source }
    }
}

impl fmt::Debug for Pseudonyms {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pseudonyms").finish_non_exhaustive()
    }
}

/// A source whose events come under pseudonyms; see [`Pseudonyms::over`].
#[derive(Debug)]
pub struct Pseudonymous<'k, S> {
    names: &'k Pseudonyms,
    source: S,
}

impl<S: EventSource> EventSource for Pseudonymous<'_, S> {
    type Error = S::Error;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), S::Error> {
        let names = self.names;
        self.source.for_each(&mut |offered| {
            let Ok(mut event) = offered.event else { return sink(offered) };
            // An empty id is none and must stay none: else all that have none would be one session, and one event.
            let session = event.session.filter(|id| !id.is_empty()).map(|id| names.session(id));
            let id = event.id.filter(|id| !id.is_empty()).map(|id| names.event(id));
            (event.session, event.id) = (session.as_deref(), id.as_deref());
            let who = match event.shopper {
                // An empty id is nobody's: it must stay what it is, to be refused.
                Shopper::Profiled(who) if who.user().is_empty() => String::new(),
                Shopper::Anonymous { session: "" } => String::new(),
                Shopper::Profiled(who) => names.user(who.user()),
                Shopper::Anonymous { session } => names.session(session),
            };
            event.shopper = match event.shopper {
                Shopper::Profiled(by) => Shopper::Profiled(Consented::new(&who, by.basis())),
                Shopper::Anonymous { .. } => Shopper::Anonymous { session: &who },
            };
            sink(Offered { line: offered.line, event: Ok(event) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::LawfulBasis;
    use crate::dataset::DatasetBuilder;
    use crate::event::{Event, EventKind};
    use crate::source::{Flow, FromIter, Offered};
    use crate::time::Timestamp;

    /// RFC 4231, test case 2 has a short key; case 6 and 7 long ones. Ours is checked against an independent HMAC
    /// (`printf 'user:ann' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707..07`).
    #[test]
    fn equals_an_independent_hmac() {
        let names = Pseudonyms::new(&[7; 32]).unwrap();
        assert_eq!(names.user("ann"), GOLDEN);
        assert_eq!(format!("{names:?}"), "Pseudonyms { .. }");
        assert_eq!(Pseudonyms::new(&[7; 31]).unwrap_err(), KeyError::Short { got: 31 });
    }

    const GOLDEN: &str = "72f2d3ad094e62641d6008c11418dc96";

    #[test]
    fn a_dataset_under_pseudonyms_is_the_same_shop() {
        let names = Pseudonyms::new(&[7; 32]).unwrap();
        let who = |user| Shopper::Profiled(Consented::new(user, LawfulBasis::Consent));
        let events = [
            Event::new(who("ann"), "mug", EventKind::View, Timestamp::from_secs(1)),
            Event::new(Shopper::Anonymous { session: "ann" }, "tea", EventKind::View, Timestamp::from_secs(2)),
            Event::new(who(""), "tea", EventKind::View, Timestamp::from_secs(3)),
        ];
        let mut builder = DatasetBuilder::default();
        let report = builder.ingest(names.over(FromIter(events.into_iter()))).unwrap();
        assert_eq!((report.accepted, report.offered), (2, 3));
        let data = builder.finish().unwrap();
        assert!(data.user("ann").is_none());
        assert_eq!(data.events_of(data.user(&names.user("ann")).unwrap()).len(), 1);
    }

    #[test]
    fn ids_of_events_are_hidden_and_no_id_is_no_id() {
        let names = Pseudonyms::new(&[7; 32]).unwrap();
        let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Consent));
        let event = Event::new(ann, "mug", EventKind::View, Timestamp::from_secs(1));
        let events = [event.id("order-17").session("visit-3"), event.id("").session("")];
        let mut seen = Vec::new();
        let mut keep = |offered: Offered<'_>| {
            let event = offered.event.unwrap();
            seen.push((event.id.map(str::to_owned), event.session.map(str::to_owned)));
            Flow::Continue
        };
        names.over(FromIter(events.into_iter())).for_each(&mut keep).unwrap();
        assert_eq!(seen, [(Some(names.event("order-17")), Some(names.session("visit-3"))), (None, None)]);
        assert_ne!(names.event("x"), names.session("x"));
    }
}
