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

/// Turns user and session ids into pseudonyms by a keyed hash (HMAC-SHA-256, of which 128 bits are kept).
///
/// The same id under the same key is the same pseudonym for ever; without the key nobody gets from one to the other, not
/// even by trying all known ids. Keep the key apart from the events, and destroy it to cut the link for good. Users and
/// sessions have pseudonyms of their own: an id used for both does not show.
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

    /// The same events under pseudonyms: of shoppers, visits and sessions. Items, times and searches stay as they are;
    /// a search may hold a name, so leave it out at the source if it must not.
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
            let session = event.session.map(|session| names.session(session));
            event.session = session.as_deref();
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
    use crate::source::FromIter;
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
}
