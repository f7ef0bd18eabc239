//! Events already in memory: slices, vectors and iterators.

use std::convert::Infallible;

use super::{EventSource, Flow, Offered};
use crate::event::Event;

impl EventSource for &[Event<'_>] {
    type Error = Infallible;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Infallible> {
        FromIter(self.iter().copied()).for_each(sink)
    }
}

impl EventSource for Vec<Event<'_>> {
    type Error = Infallible;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Infallible> {
        FromIter(self.iter().copied()).for_each(sink)
    }
}

/// Any iterator of events as a source; it is used up.
///
/// # Example
/// ```
/// use likewise::{Consented, DatasetBuilder, Event, EventKind, FromIter, LawfulBasis, Shopper, Timestamp};
/// let rows = [("ann", "mug", 1), ("bob", "mug", 2)];
/// let events = rows.iter().map(|&(user, item, day)| {
///     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
///     Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(day * 86_400))
/// });
/// let mut builder = DatasetBuilder::default();
/// assert_eq!(builder.ingest(FromIter(events))?.accepted, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FromIter<I>(pub I);

impl<'e, I: Iterator<Item = Event<'e>>> EventSource for FromIter<I> {
    type Error = Infallible;

    fn for_each(&mut self, sink: &mut dyn FnMut(Offered<'_>) -> Flow) -> Result<(), Infallible> {
        for event in self.0.by_ref() {
            if sink(event.into()) == Flow::Stop {
                break;
            }
        }
        Ok(())
    }
}
