//! An event that owns its text.

use crate::consent::{Consented, LawfulBasis, Shopper};
use crate::event::{Channel, Event, EventKind};
use crate::time::Timestamp;

/// [`Event`], owned.
#[derive(Clone, Debug)]
pub(crate) struct OwnedEvent {
    key: Box<str>,
    /// `None` for an anonymous session.
    basis: Option<LawfulBasis>,
    item: Box<str>,
    kind: EventKind,
    at: Timestamp,
    quantity: f32,
    value: Option<f32>,
    session: Option<Box<str>>,
    channel: Channel,
    id: Option<Box<str>>,
    query: Option<Box<str>>,
}

impl OwnedEvent {
    pub(crate) fn new(event: &Event<'_>) -> Self {
        let (key, basis) = match event.shopper {
            Shopper::Profiled(who) => (who.user(), Some(who.basis())),
            Shopper::Anonymous { session } => (session, None),
        };
        Self {
            key: key.into(),
            basis,
            item: event.item.into(),
            kind: event.kind,
            at: event.at,
            quantity: event.quantity,
            value: event.value,
            session: event.session.map(Into::into),
            channel: event.channel,
            id: event.id.map(Into::into),
            query: event.query.map(Into::into),
        }
    }

    pub(crate) fn borrow(&self) -> Event<'_> {
        let shopper = match self.basis {
            Some(basis) => Shopper::Profiled(Consented::new(&self.key, basis)),
            None => Shopper::Anonymous { session: &self.key },
        };
        let mut event =
            Event::new(shopper, &self.item, self.kind, self.at).quantity(self.quantity).channel(self.channel);
        event.value = self.value;
        event.session = self.session.as_deref();
        event.id = self.id.as_deref();
        event.query = self.query.as_deref();
        event
    }
}
