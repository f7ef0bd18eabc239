//! Who is in which segment: one shopper on a request, or all of them.

use super::condition::{Condition, Measure, Place, SegmentError, SegmentRule, Since, What, Which};
use crate::catalog::{CompiledSelect, Select, Shelf};
use crate::consent::Consented;
use crate::dataset::{Dataset, EventRef};
use crate::decide::{Histories, Permissions};
use crate::event::{Channel, KindSet};
use crate::ids::{ItemIdx, UserIdx};
use crate::run::{Cancelled, Run};
use crate::serve::{Request, SessionEvent, Snapshot};
use crate::time::{Span, Timestamp};

/// Segments by rules, resolved against a dataset and a catalogue.
///
/// # Example
/// ```
/// use likewise::decide::segment::{Condition, Measure, SegmentRule, Segments};
/// use likewise::*;
/// let day = |d: i64| Timestamp::from_secs(d * 86_400);
/// let ann = Consented::new("ann", LawfulBasis::Contract);
/// let mut builder = DatasetBuilder::default();
/// builder.push(&Event::new(Shopper::Profiled(ann), "mug", EventKind::Purchase, day(1)))?;
/// let data = builder.build()?;
/// let shelf = Shelf::bare(&data);
/// let buyers = Condition::Measure(Measure { min: Some(1.0), ..Measure::default() });
/// let rules = [SegmentRule::new("buyers", buyers.clone()), SegmentRule::new("others", Condition::Not(Box::new(buyers)))];
/// let segments = Segments::new(&rules, &data, &shelf)?;
/// // Of a request: give them to it, and rules with `Audience::Segment("buyers")` apply.
/// let own = segments.of_request(Some(ann), &[], day(2));
/// assert_eq!(own, ["buyers"]);
/// let request = Request::profiled(ann, day(2)).segments(&own);
/// assert_eq!(segments.of_request(None, &[], day(2)), ["others"]);
/// # let _ = request;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    data: &'a Dataset,
    shelf: &'a Shelf,
    rules: Vec<(String, Compiled)>,
    permitted: Option<&'a Permissions>,
}

#[derive(Clone, Debug)]
enum Compiled {
    All(Vec<Compiled>),
    Any(Vec<Compiled>),
    Not(Box<Compiled>),
    Measure(Events, What, Option<f64>, Option<f64>),
    Since(Events, Which, Option<Span>, Option<Span>),
    Share(Events, Option<f64>, Option<f64>),
}

/// The events a number is made of.
#[derive(Clone, Debug)]
struct Events {
    kinds: KindSet,
    items: CompiledSelect,
    within: Option<Span>,
}

/// One event and its session.
type Row<'r> = (&'r [EventRef], &'r [u32]);

/// Rows a thread takes at a time.
const CHUNK: usize = 1024;

impl<'a> Segments<'a> {
    /// Resolves the rules.
    ///
    /// # Errors
    /// [`SegmentError`] names the segment and the field that cannot be meant, or the attribute that is not there.
    pub fn new(rules: &[SegmentRule], data: &'a Dataset, shelf: &'a Shelf) -> Result<Self, SegmentError> {
        let mut compiled = Vec::with_capacity(rules.len());
        for (number, rule) in rules.iter().enumerate() {
            let place = Place { segment: &rule.name, path: "when".to_owned() };
            let name = Place { path: "name".to_owned(), ..place.clone() };
            if rule.name.trim().is_empty() {
                return name.field("\"\"", "a text that is not empty");
            }
            if rules[..number].iter().any(|other| other.name == rule.name) {
                return name.field(&rule.name, "a name no other segment has");
            }
            rule.when.validate_at(&place, 1)?;
            compiled.push((rule.name.clone(), compile(&rule.when, &place, data, shelf)?));
        }
        Ok(Self { data, shelf, rules: compiled, permitted: None })
    }

    /// Leaves everybody out of [sweeps](Self::sweep) whom the log does not let be looked at, as far as the dataset has not
    /// heard of it yet: who withdrew or was erased since it was built. [Requests](Self::of_request) of theirs are judged
    /// by the session alone.
    #[must_use]
    pub const fn permitted(mut self, permissions: &'a Permissions) -> Self {
        self.permitted = Some(permissions);
        self
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rules.iter().map(|(name, _)| name.as_str())
    }

    /// The segments of whoever makes a request: profile up to `now`, if there is one, and running session (its events
    /// count as one session more; unknown items are left out). In the order of the rules.
    #[must_use]
    pub fn of_request(&self, who: Option<Consented<'_>>, session: &[SessionEvent<'_>], now: Timestamp) -> Vec<&str> {
        let (mut events, mut sessions) = (Vec::new(), Vec::new());
        let permits = |id| self.permitted.is_none_or(|permitted| permitted.basis(id).is_some());
        let who = who.map(|who| who.user()).filter(|id| permits(id));
        if let Some(user) = who.and_then(|id| self.data.user(id)) {
            let known = self.data.events_of(user).until(now);
            events.extend(known.iter());
            sessions.extend_from_slice(known.sessions());
        }
        for e in session.iter().filter(|e| e.at <= now) {
            let Some(item) = self.shelf.item(self.data, e.item) else { continue };
            let quantity = if e.quantity > 0.0 && e.quantity.is_finite() { e.quantity } else { 1.0 };
            let value = e.value.filter(|v| v.is_finite());
            events.push(EventRef { item, kind: e.kind, at: e.at, quantity, value, channel: Channel::Unknown });
            sessions.push(u32::MAX);
        }
        let holds = |(_, condition): &&(String, Compiled)| condition.holds((&events, &sessions), self.shelf, now);
        self.rules.iter().filter(holds).map(|(name, _)| name.as_str()).collect()
    }

    /// The members of every segment among the profiled shoppers, ascending. The same for any number of threads.
    /// `O(events × conditions)`.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn sweep(&self, now: Timestamp, run: &Run<'_>) -> Result<Vec<(String, Vec<UserIdx>)>, Cancelled> {
        let rows = self.data.n_rows();
        let chunk = |buffer: &mut Vec<EventRef>, chunk: usize| {
            run.step((chunk * CHUNK) as u64, rows as u64, None)?;
            let mut members = vec![Vec::new(); self.rules.len()];
            for user in (chunk * CHUNK..rows.min((chunk + 1) * CHUNK)).map(|row| UserIdx::new(row as u32)) {
                let id = self.data.user_key(user);
                if id.is_empty() || self.permitted.is_some_and(|permitted| permitted.basis(id).is_none()) {
                    continue;
                }
                let known = self.data.events_of(user).until(now);
                buffer.clear();
                buffer.extend(known.iter());
                for ((_, condition), members) in self.rules.iter().zip(&mut members) {
                    if condition.holds((buffer, known.sessions()), self.shelf, now) {
                        members.push(user);
                    }
                }
            }
            Ok(members)
        };
        let chunks = run.threads.map_with(rows.div_ceil(CHUNK), Vec::new, chunk);
        let mut all: Vec<(String, Vec<UserIdx>)> = self.names().map(|name| (name.to_owned(), Vec::new())).collect();
        for members in chunks.into_iter().collect::<Result<Vec<_>, Cancelled>>()? {
            all.iter_mut().zip(members).for_each(|((_, all), members)| all.extend(members));
        }
        Ok(all)
    }
}

fn compile(condition: &Condition, place: &Place<'_>, data: &Dataset, shelf: &Shelf) -> Result<Compiled, SegmentError> {
    let events = |name: &str, kinds: KindSet, items: &Select, within: Option<Span>| {
        let place = place.at(format!(".{name}.items"));
        let items = items.compile(data, shelf).map_err(|source| place.items(source))?;
        Ok(Events { kinds, items, within })
    };
    let each = |name: &str, parts: &[Condition]| {
        let part = |(i, part)| compile(part, &place.at(format!(".{name}[{i}]")), data, shelf);
        parts.iter().enumerate().map(part).collect::<Result<Vec<_>, _>>()
    };
    Ok(match condition {
        Condition::Everyone => Compiled::All(Vec::new()),
        Condition::All(parts) => Compiled::All(each("all", parts)?),
        Condition::Any(parts) => Compiled::Any(each("any", parts)?),
        Condition::Not(part) => Compiled::Not(Box::new(compile(part, &place.at(".not"), data, shelf)?)),
        Condition::Measure(Measure { what, kinds, items, within, min, max }) => {
            Compiled::Measure(events("measure", *kinds, items, *within)?, *what, *min, *max)
        }
        Condition::Since(Since { of, kinds, items, min, max }) => {
            Compiled::Since(events("since", *kinds, items, None)?, *of, *min, *max)
        }
        Condition::Share(s) => Compiled::Share(events("share", s.kinds, &s.items, s.within)?, s.min, s.max),
    })
}

impl Events {
    fn counts(&self, e: &EventRef, now: Timestamp) -> bool {
        self.kinds.contains(e.kind) && self.within.is_none_or(|within| now.since(e.at) <= within)
    }

    fn on(&self, e: &EventRef, shelf: &Shelf, now: Timestamp) -> bool {
        self.items.is_all() || self.items.matches(shelf, e.item, now)
    }
}

fn between(x: f64, min: Option<f64>, max: Option<f64>) -> bool {
    min.is_none_or(|min| min <= x) && max.is_none_or(|max| x <= max)
}

impl Compiled {
    fn holds(&self, row: Row<'_>, shelf: &Shelf, now: Timestamp) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(row, shelf, now)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(row, shelf, now)),
            Self::Not(part) => !part.holds(row, shelf, now),
            Self::Measure(events, what, min, max) => between(measured(events, *what, row, shelf, now), *min, *max),
            Self::Since(events, of, min, max) => {
                // By time, not by place: a session's events stand behind the stored ones, whenever they happened.
                let counting = row.0.iter().filter(|e| events.counts(e, now) && events.on(e, shelf, now)).map(|e| e.at);
                let found = if *of == Which::First { counting.min() } else { counting.max() };
                let age = |at: Timestamp| now.since(at);
                found.is_some_and(|at| min.is_none_or(|min| min <= age(at)) && max.is_none_or(|max| age(at) <= max))
            }
            Self::Share(events, min, max) => {
                let (mut all, mut on) = (0u32, 0u32);
                for e in row.0.iter().filter(|e| events.counts(e, now)) {
                    all += 1;
                    on += u32::from(events.on(e, shelf, now));
                }
                all > 0 && between(f64::from(on) / f64::from(all), *min, *max)
            }
        }
    }
}

fn measured(events: &Events, what: What, (row, sessions): Row<'_>, shelf: &Shelf, now: Timestamp) -> f64 {
    let counting = || row.iter().zip(sessions).filter(|(e, _)| events.counts(e, now) && events.on(e, shelf, now));
    let distinct = |mut keys: Vec<i64>| {
        keys.sort_unstable();
        keys.dedup();
        keys.len() as f64
    };
    match what {
        What::Events => counting().count() as f64,
        What::Units => counting().map(|(e, _)| f64::from(e.quantity)).sum(),
        What::Value => counting().map(|(e, _)| f64::from(e.quantity) * f64::from(e.value.unwrap_or(0.0))).sum(),
        What::Items => distinct(counting().map(|(e, _)| i64::from(e.item.get())).collect()),
        What::Sessions => distinct(counting().map(|(_, &session)| i64::from(session)).collect()),
        What::Days => distinct(counting().map(|(e, _)| e.at.millis().div_euclid(86_400_000)).collect()),
    }
}

/// A snapshot for each of some segments: a blend of its own for newcomers, for regulars, for everybody else. Snapshots made
/// with [`Snapshot::with_ranker`] share data and scorers, so that each costs a list of weights.
///
/// For a pin, boost or cap that only some see, a [`Rule`](crate::Rule) with
/// [`Audience::Segment`](crate::Audience::Segment) is enough.
#[derive(Clone, Debug)]
pub struct BySegment {
    first: Vec<(String, Snapshot)>,
    otherwise: Snapshot,
}

impl BySegment {
    /// This snapshot for everybody.
    #[must_use]
    pub const fn new(otherwise: Snapshot) -> Self {
        Self { first: Vec::new(), otherwise }
    }

    /// Another one for requests that carry `segment` and none of those said before.
    #[must_use]
    pub fn or_in(mut self, segment: impl Into<String>, snapshot: Snapshot) -> Self {
        self.first.push((segment.into(), snapshot));
        self
    }

    /// The snapshot that answers a request with these [segments](Request::segments).
    #[must_use]
    pub fn of(&self, request: &Request<'_>) -> &Snapshot {
        let carried = |(name, _): &&(String, Snapshot)| request.segments.contains(&name.as_str());
        self.first.iter().find(carried).map_or(&self.otherwise, |(_, snapshot)| snapshot)
    }
}

/// What one shopper did in all, up to now.
///
/// # Example
/// ```
/// use likewise::decide::segment::Profile;
/// use likewise::*;
/// let mut builder = DatasetBuilder::default();
/// let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
/// builder.push(&Event::new(ann, "mug", EventKind::Purchase, Timestamp::from_secs(0)).quantity(2.0).value(8.0))?;
/// let data = builder.build()?;
/// let profile = Profile::of(&data, data.user("ann").unwrap(), KindSet::of(&[EventKind::Purchase]), data.as_of());
/// assert_eq!((profile.sessions, profile.units, profile.value), (1, 2.0, 16.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// Events.
    pub events: u32,
    /// Sessions with one of them.
    pub sessions: u32,
    /// Units.
    pub units: f64,
    /// Units times price, where a price is known.
    pub value: f64,
    /// Distinct items.
    pub items: u32,
    /// The first of them.
    pub first: Option<Timestamp>,
    /// The last of them.
    pub last: Option<Timestamp>,
}

impl Profile {
    /// Adds up the events of `kinds` of one shopper up to `now`; all 0 for an unknown number and for one who may not be
    /// looked at. `O(events log)`.
    #[must_use]
    pub fn of<'d>(data: impl Into<Histories<'d>>, user: UserIdx, kinds: KindSet, now: Timestamp) -> Self {
        let known = data.into().until(user, now);
        let mut profile = Self::default();
        let (mut items, mut sessions): (Vec<ItemIdx>, Vec<u32>) = (Vec::new(), Vec::new());
        for (e, &session) in known.iter().zip(known.sessions()).filter(|(e, _)| kinds.contains(e.kind)) {
            profile.events += 1;
            profile.units += f64::from(e.quantity);
            profile.value += f64::from(e.quantity) * f64::from(e.value.unwrap_or(0.0));
            profile.first = profile.first.or(Some(e.at));
            profile.last = Some(e.at);
            items.push(e.item);
            sessions.push(session);
        }
        items.sort_unstable();
        items.dedup();
        sessions.sort_unstable();
        sessions.dedup();
        (profile.items, profile.sessions) = (items.len() as u32, sessions.len() as u32);
        profile
    }
}
