//! Which identities belong to which account, and which profiles are to be left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::LogError;
use crate::consent::{Consented, LawfulBasis, Shopper};
use crate::ids::MAX_ID_BYTES;

/// An identity events are recorded under: a profile id, or an anonymous session in a namespace of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) profiled: Space,
    pub(crate) key: Box<str>,
}

/// The namespace of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    Profile,
    Session,
}

impl Identity {
    pub(crate) fn of(shopper: Shopper<'_>) -> Self {
        let (profiled, key) = match shopper {
            Shopper::Profiled(who) => (Space::Profile, who.user()),
            Shopper::Anonymous { session } => (Space::Session, session),
        };
        Self { profiled, key: key.into() }
    }

    pub(crate) fn profile(user: &str) -> Self {
        Self { profiled: Space::Profile, key: user.into() }
    }
}

/// Which identities belong to which account, and which profiles are restricted. A [log](super::EventLog) of your own
/// keeps one of these.
#[derive(Clone, Debug, Default)]
pub struct Aliases {
    merged: BTreeMap<Identity, (Box<str>, LawfulBasis)>,
    restricted: BTreeSet<Box<str>>,
}

/// That an id is one.
pub(crate) fn check_id(field: &'static str, id: &str) -> Result<(), LogError> {
    if id.is_empty() || id.len() > MAX_ID_BYTES { Err(LogError::BadId { field, got: id.len() }) } else { Ok(()) }
}

impl Aliases {
    pub(crate) fn insert(&mut self, from: Identity, into: &str, basis: LawfulBasis) {
        self.merged.insert(from, (into.into(), basis));
    }

    /// Heap bytes, about: what a B-tree keeps an entry, and the texts.
    pub(crate) fn heap_bytes(&self) -> usize {
        let merged = self.merged.iter().map(|(from, (into, _))| 64 + from.key.len() + into.len());
        let restricted = self.restricted.iter().map(|user| 32 + user.len());
        merged.chain(restricted).sum()
    }

    /// Whom events of `shopper` belong to.
    #[must_use]
    pub fn resolve<'a>(&'a self, shopper: Shopper<'a>) -> Shopper<'a> {
        if self.merged.is_empty() {
            return shopper;
        }
        let mut shopper = shopper;
        // No circles: `link` sees to that, and a file from elsewhere cannot hold us for longer than its length.
        for _ in 0..=self.merged.len() {
            let Some((into, basis)) = self.merged.get(&Identity::of(shopper)) else { break };
            shopper = Shopper::Profiled(Consented::new(into, *basis));
        }
        shopper
    }

    /// Whether events of `shopper` must rest: the profile, or one on the way to the account it belongs to, is
    /// [restricted](super::EventLog::restrict).
    #[must_use]
    pub fn is_restricted(&self, shopper: Shopper<'_>) -> bool {
        if self.restricted.is_empty() {
            return false;
        }
        let mut shopper = shopper;
        for _ in 0..=self.merged.len() {
            if let Shopper::Profiled(who) = shopper
                && self.restricted.contains(who.user())
            {
                return true;
            }
            let Some((into, basis)) = self.merged.get(&Identity::of(shopper)) else { break };
            shopper = Shopper::Profiled(Consented::new(into, *basis));
        }
        false
    }

    /// Restricts a profile; whether it was not before.
    ///
    /// # Errors
    /// As [`EventLog::restrict`](super::EventLog::restrict).
    pub fn restrict(&mut self, user: &str) -> Result<bool, LogError> {
        check_id("the user", user)?;
        Ok(self.restricted.insert(user.into()))
    }

    /// Lifts the restriction of a profile; whether there was one.
    pub fn lift(&mut self, user: &str) -> bool {
        self.restricted.remove(user)
    }

    /// Notes `from → into`.
    ///
    /// # Errors
    /// As [`EventLog::merge`](super::EventLog::merge).
    pub fn merge(&mut self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LogError> {
        if self.link(from, into)? {
            self.insert(Identity::of(from), into.user(), into.basis());
        }
        Ok(())
    }

    /// Whether `from → into` may be added: `false` if it is there already.
    pub(crate) fn link(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<bool, LogError> {
        let identity = Identity::of(from);
        check_id("the identity", &identity.key)?;
        check_id("the account", into.user())?;
        if let Some((known, _)) = self.merged.get(&identity) {
            return if **known == *into.user() {
                Ok(false)
            } else {
                Err(LogError::MergedElsewhere { from: identity.key.into() })
            };
        }
        if Identity::of(self.resolve(Shopper::Profiled(into))) == identity {
            return Err(LogError::Cycle { from: identity.key.into(), into: into.user().to_owned() });
        }
        Ok(true)
    }

    /// Takes `from` out again.
    ///
    /// # Errors
    /// [`LogError::NotMerged`].
    pub fn unmerge(&mut self, from: Shopper<'_>) -> Result<(), LogError> {
        let identity = Identity::of(from);
        match self.merged.remove(&identity) {
            Some(_) => Ok(()),
            None => Err(LogError::NotMerged { from: identity.key.into() }),
        }
    }

    /// The identities that belong to `user`, itself first.
    pub(crate) fn identities(&self, user: &str) -> Vec<Identity> {
        let mut found = vec![Identity::profile(user)];
        let mut at = 0;
        while let Some(account) = found.get(at).cloned() {
            if account.profiled == Space::Profile {
                let merged =
                    self.merged.iter().filter(|(_, (into, _))| *into == account.key).map(|(from, _)| from.clone());
                let new: Vec<Identity> = merged.filter(|from| !found.contains(from)).collect();
                found.extend(new);
            }
            at += 1;
        }
        found
    }

    /// The profiles among them.
    pub(crate) fn profiles(&self, user: &str) -> Vec<Box<str>> {
        let identities = self.identities(user).into_iter();
        identities.filter(|identity| identity.profiled == Space::Profile).map(|identity| identity.key).collect()
    }

    /// Takes away the merges of these identities, also into another account, and their restrictions.
    pub(crate) fn forget(&mut self, identities: &[Identity]) {
        identities.iter().for_each(|identity| {
            self.merged.remove(identity);
            if identity.profiled == Space::Profile {
                self.restricted.remove(&identity.key);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consented(user: &str) -> Consented<'_> {
        Consented::new(user, LawfulBasis::Consent)
    }

    #[test]
    fn chains_resolve_and_circles_are_refused() {
        let mut aliases = Aliases::default();
        let phone = Shopper::Anonymous { session: "phone" };
        aliases.insert(Identity::of(phone), "old", LawfulBasis::Consent);
        aliases.insert(Identity::profile("old"), "new", LawfulBasis::Contract);
        assert_eq!(aliases.resolve(phone), Shopper::Profiled(Consented::new("new", LawfulBasis::Contract)));
        assert_eq!(aliases.identities("new").len(), 3);
        let error = aliases.link(Shopper::Profiled(consented("new")), consented("old")).unwrap_err();
        assert!(matches!(error, LogError::Cycle { .. }), "{error}");
        assert!(matches!(aliases.link(Shopper::Profiled(consented("a")), consented("a")), Err(LogError::Cycle { .. })));
        assert!(matches!(aliases.link(phone, consented("new")), Err(LogError::MergedElsewhere { .. })));
        assert!(!aliases.link(phone, consented("old")).unwrap());
        // The same text in the other namespace is somebody else.
        assert!(aliases.link(Shopper::Profiled(consented("phone")), consented("old")).unwrap());
    }
}
