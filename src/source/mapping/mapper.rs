//! From one record to one event: a mapping applied, without allocating.

use std::fmt;
use std::ops::Range;

use super::{Columns, Fields, KindFrom, NegativeQuantity, Slot, TimeFrom, text_at};
use crate::consent::{Consented, Shopper};
use crate::event::{Channel, Event, EventKind};
use crate::params::{ParamError, Validate};
use crate::source::RejectReason;
use crate::time::Timestamp;

type Rule = (&'static str, Box<dyn FnMut(&Fields<'_>) -> bool + Send>);

/// How many spellings of kinds are remembered, so that none has to be worked out twice.
const REMEMBERED_KINDS: usize = 64;

/// Turns one record after the other into an event, or the reason why it is none.
pub(in crate::source) struct Mapper {
    columns: Columns,
    rules: Vec<Rule>,
    kinds: Vec<(String, EventKind)>,
    arrived: i64,
}

impl fmt::Debug for Mapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(|(reason, _)| reason).collect();
        f.debug_struct("Mapper").field("columns", &self.columns).field("leave_out", &rules).finish_non_exhaustive()
    }
}

impl Mapper {
    pub(in crate::source) fn new(columns: Columns) -> Result<Self, ParamError> {
        columns.validate()?;
        let kinds = columns.kind_names.clone();
        Ok(Self { columns, rules: Vec::new(), kinds, arrived: 0 })
    }

    pub(in crate::source) fn columns(&self) -> &Columns {
        &self.columns
    }

    pub(in crate::source) fn leave_out(
        &mut self,
        reason: &'static str,
        rule: Box<dyn FnMut(&Fields<'_>) -> bool + Send>,
    ) {
        self.rules.push((reason, rule));
    }

    /// Whether a record's event depends on no record before it.
    pub(in crate::source) fn is_free_of_order(&self) -> bool {
        self.rules.is_empty() && !matches!(self.columns.time, TimeFrom::Arrival { .. })
    }

    /// Counts one more record: its place in the order of arrival.
    pub(in crate::source) fn arrive(&mut self) {
        self.arrived = self.arrived.saturating_add(1);
    }

    /// The event of the record that arrived last, given as text and the spans of its slots.
    pub(in crate::source) fn event<'a>(
        &mut self,
        text: &'a str,
        spans: &[Range<usize>],
    ) -> Result<Event<'a>, RejectReason> {
        let fields = Fields { columns: &self.columns, text, spans };
        for (reason, rule) in &mut self.rules {
            if rule(&fields) {
                return Err(RejectReason::LeftOut(reason));
            }
        }
        let at = |slot: Slot| text_at(text, spans, slot as usize);
        let kind = match &self.columns.kind {
            KindFrom::Constant(kind) => *kind,
            KindFrom::Column(_) => {
                kind_of(&mut self.kinds, at(Slot::Kind).ok_or(RejectReason::Missing { field: "kind" })?)?
            }
        };
        let time = match &self.columns.time {
            TimeFrom::Column { format, .. } => {
                let text = at(Slot::Time).ok_or(RejectReason::Missing { field: "time" })?;
                format.read(text).ok_or(RejectReason::BadTime)?
            }
            TimeFrom::Arrival { from } => {
                Timestamp::from_millis(from.millis().saturating_add(self.arrived.saturating_sub(1)))
            }
        };
        let session = at(Slot::Session);
        let agreed = self.columns.consent.is_none() || at(Slot::Consent).is_some_and(is_yes);
        let profile = self.columns.user.as_ref().filter(|_| agreed).zip(at(Slot::User));
        let shopper = match (profile, session) {
            (Some((user, id)), _) => Shopper::Profiled(Consented::new(id, user.basis)),
            (None, Some(session)) => Shopper::Anonymous { session },
            (None, None) => return Err(RejectReason::NoShopper),
        };
        let mut event = Event::new(shopper, at(Slot::Item).unwrap_or_default(), kind, time);
        if let Some(text) = at(Slot::Quantity) {
            event.quantity = number("quantity", text)?;
        }
        if event.quantity < 0.0
            && kind == EventKind::Purchase
            && self.columns.negative_quantity == NegativeQuantity::Return
        {
            event.kind = EventKind::Return;
            event.quantity = -event.quantity;
        }
        event.value = at(Slot::Value).map(|text| number("value", text)).transpose()?;
        event.session = session;
        event.channel = at(Slot::Channel).map(Channel::parse).unwrap_or_default();
        event.id = at(Slot::Id);
        event.query = at(Slot::Query);
        Ok(event)
    }
}

fn kind_of(known: &mut Vec<(String, EventKind)>, text: &str) -> Result<EventKind, RejectReason> {
    if let Some((_, kind)) = known.iter().find(|(spelling, _)| spelling == text) {
        return Ok(*kind);
    }
    let kind = text.parse().map_err(|_| RejectReason::UnknownKind)?;
    if known.len() < REMEMBERED_KINDS {
        known.push((text.to_owned(), kind));
    }
    Ok(kind)
}

fn number(field: &'static str, text: &str) -> Result<f32, RejectReason> {
    let number: Option<f32> = text.trim_ascii().parse().ok();
    number.filter(|n| n.is_finite()).ok_or(RejectReason::BadNumber { field })
}

fn is_yes(text: &str) -> bool {
    let text = text.trim_ascii();
    ["1", "true", "t", "yes", "y"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
}
