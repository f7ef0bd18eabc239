//! One shopper of a live recommender: devices, consent, erasure, and the answer to "why?".

use std::sync::PoisonError;

use super::fresh::FreshEvent;
use super::{Live, LiveError, Request, RequestError, Snapshot, Why};
use crate::consent::{Consented, LawfulBasis, Shopper};
use crate::log::{Erasure, EventLog, Export, Scan};
use crate::persist::Store;
use crate::source::Flow;

impl<L: EventLog> Live<L> {
    /// Notes that `from` is the account `into`: what either did counts for the account from the next request on, and in
    /// the counts after the next refresh. A profile that was merged is a stranger when it asks: ask in the name of the account.
    ///
    /// # Errors
    /// As [`EventLog::merge`].
    pub fn merge(&self, from: Shopper<'_>, into: Consented<'_>) -> Result<(), LiveError> {
        let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
        self.log.merge(from, into)?;
        // Already noted, should the log not answer again.
        drop(aliases.merge(from, into));
        *aliases = self.log.merges()?;
        if let Shopper::Profiled(who) = from {
            self.fresh.replace(who.user(), Vec::new(), self.log.state()?.epoch);
        }
        self.reread(aliases.resolve(Shopper::Profiled(into)))
    }

    /// Takes a merge back, exactly; both are themselves again from the next request on.
    ///
    /// # Errors
    /// As [`EventLog::unmerge`].
    pub fn unmerge(&self, from: Shopper<'_>) -> Result<(), LiveError> {
        let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
        let before = aliases.clone();
        self.log.unmerge(from)?;
        *aliases = self.log.merges()?;
        self.reread(before.resolve(from))?;
        self.reread(from)
    }

    /// Makes what the log says of a profile all there is of it, until the next refresh. `O(its events)`.
    fn reread(&self, shopper: Shopper<'_>) -> Result<(), LiveError> {
        let Shopper::Profiled(who) = shopper else { return Ok(()) };
        let until = self.log.state()?.epoch;
        let mut events = Vec::new();
        self.log.scan(Scan::all().of(who.user()), &mut |logged| {
            if !logged.event.item.is_empty() {
                events.push(FreshEvent::new(logged.cursor, &logged.event));
            }
            Flow::Continue
        })?;
        self.fresh.replace(who.user(), events, until);
        Ok(())
    }

    /// Erases a shopper: gone from the next result at once, from the log and its files now, from counts and factors at the
    /// next refresh, which rebuilds all of them without the shopper. With a [store](super::LiveConfig::store), every generation goes
    /// now, since all may hold the shopper; refresh and [save](Live::save) to have one again. A process that dies on the way
    /// leaves a note in the store, and the next [`open`](Live::open) takes the generations away. Returns the certificate: the
    /// log's, with the names of the files that were removed.
    ///
    /// # Errors
    /// As [`EventLog::erase`], and [`LiveError::Store`] when a file cannot be removed or the note not be made; call it again
    /// then. Where the log says that it erased though not everything is done ([`LogError::NotScrubbed`](crate::log::LogError)), the shopper is
    /// gone from results and store all the same.
    pub fn forget(&self, user: &str) -> Result<Erasure, LiveError> {
        let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
        let identities = aliases.identities(user);
        let profiles = aliases.profiles(user);
        let before = self.log.state()?.epoch;
        let store = self.config.store.as_ref().map(|kept| &kept.store);
        if let Some(store) = store {
            // A disk may be too full for a note, and never is for taking files away.
            store.announce_erasure().or_else(|_| store.erase_all().map(drop))?;
        }
        let erased = self.log.erase(user);
        // What it said is not lost with the answer to this question.
        let until = self.log.state().map_or(before + 1, |state| state.epoch);
        if erased.is_err() && until == before {
            if let Some(store) = store {
                store.drop_announcement()?;
            }
            return Ok(erased?);
        }
        let merged = aliases.clone();
        aliases.forget(&identities);
        let until = until.max(before + 1);
        let empty = |profile: &str| self.fresh.replace(profile, Vec::new(), until);
        profiles.iter().for_each(|profile| empty(profile));
        // An account that this profile was merged into goes on without it.
        let account = merged.resolve(Shopper::Profiled(Consented::new(user, LawfulBasis::Consent)));
        if let Shopper::Profiled(who) = account {
            empty(who.user());
        }
        let reread = self.reread(account);
        let files = store.map_or(Ok(Vec::new()), Store::finish_erasure);
        *aliases = self.log.merges()?;
        reread?;
        Ok(Erasure { files: files?, ..erased? })
    }

    /// Stops the use of a shopper's profile, as when consent is withdrawn: from the next result on the shopper is a
    /// stranger, nothing more is recorded of the profile, and after the next refresh no count or factor has it. What is
    /// held stays in the log, for [`export`](Live::export), until it is [forgotten](Live::forget) or
    /// [reinstated](Live::reinstate). Generations of the [store](super::LiveConfig::store) go now: all may have used it.
    ///
    /// # Errors
    /// As [`EventLog::restrict`], and [`LiveError::Store`] when a file cannot be removed; call it again then.
    pub fn withdraw(&self, user: &str) -> Result<(), LiveError> {
        let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
        self.log.restrict(user)?;
        self.outdate();
        *aliases = self.log.merges()?;
        let until = self.log.state()?.epoch;
        aliases.profiles(user).iter().for_each(|profile| self.fresh.replace(profile, Vec::new(), until));
        // An account that this profile was merged into goes on without it.
        self.reread(aliases.resolve(Shopper::Profiled(Consented::new(user, LawfulBasis::Consent))))?;
        self.clear_store().map(drop)
    }

    /// Allows the use of a profile again, with all that was held of it, from the next request on.
    ///
    /// # Errors
    /// As [`EventLog::lift`].
    pub fn reinstate(&self, who: Consented<'_>) -> Result<(), LiveError> {
        let mut aliases = self.aliases.write().unwrap_or_else(PoisonError::into_inner);
        self.log.lift(who.user())?;
        *aliases = self.log.merges()?;
        self.reread(aliases.resolve(Shopper::Profiled(who)))
    }

    /// Which things a shopper did make the list that answers `request`, the fresh ones included.
    ///
    /// # Errors
    /// As [`Snapshot::why`].
    pub fn why(&self, request: &Request<'_>) -> Result<Vec<Why>, RequestError> {
        self.answer(request, Snapshot::why)
    }

    /// Everything held about a shopper.
    ///
    /// # Errors
    /// As [`EventLog::export`].
    pub fn export(&self, user: &str) -> Result<Export, LiveError> {
        Ok(self.log.export(user)?)
    }
}
