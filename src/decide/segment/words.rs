//! Conditions in words.

use std::fmt;

use super::condition::{Condition, Measure, SegmentRule, Share, Since, What, Which};
use crate::catalog::Select;
use crate::event::{EventKind, KindSet};
use crate::time::Span;

impl fmt::Display for SegmentRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.when)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everybody"),
            Self::All(parts) if parts.is_empty() => f.write_str("everybody"),
            Self::Any(parts) if parts.is_empty() => f.write_str("nobody"),
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Measure(measure) => measure.fmt(f),
            Self::Since(since) => since.fmt(f),
            Self::Share(share) => share.fmt(f),
        }
    }
}

/// With brackets around what binds less tightly than its surroundings.
fn joined(f: &mut fmt::Formatter<'_>, parts: &[Condition], by: &str) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        let alone = parts.len() == 1;
        let loose = !alone && matches!(part, Condition::All(p) | Condition::Any(p) if p.len() > 1);
        let by = if i == 0 { "" } else { by };
        if loose { write!(f, "{by}({part})")? } else { write!(f, "{by}{part}")? }
    }
    Ok(())
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bounds, events) = (Bounds(self.min, self.max), Kinds(self.kinds));
        match self.what {
            What::Events => write!(f, "{bounds} {events}")?,
            What::Units => write!(f, "{bounds} units in {events}")?,
            What::Value => write!(f, "{events} worth {bounds}")?,
            What::Items => write!(f, "{events} of {bounds} different items")?,
            What::Sessions => write!(f, "{events} in {bounds} sessions")?,
            What::Days => write!(f, "{events} on {bounds} days")?,
        }
        write!(f, "{}{}", Of(&self.items), Within(self.within))
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.of == Which::First { "first" } else { "last" };
        write!(f, "the {which} of all {}{} ", Kinds(self.kinds), Of(&self.items))?;
        match (self.min, self.max) {
            (Some(min), Some(max)) => write!(f, "{} to {} ago", Long(min), Long(max)),
            (Some(min), None) => write!(f, "at least {} ago", Long(min)),
            (None, Some(max)) => write!(f, "at most {} ago", Long(max)),
            (None, None) => f.write_str("at any time"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
        let bounds = Bounds(percent(self.min), percent(self.max));
        write!(f, "{bounds} % of all {}{}{}", Kinds(self.kinds), Of(&self.items), Within(self.within))
    }
}

struct Bounds(Option<f64>, Option<f64>);

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(min), Some(max)) if min == max => write!(f, "exactly {min}"),
            (Some(min), Some(max)) => write!(f, "{min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(0.0)) => f.write_str("no"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any number of"),
        }
    }
}

struct Kinds(KindSet);

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == KindSet::ALL {
            return f.write_str("events");
        }
        for (i, kind) in self.0.iter().enumerate() {
            let by = if i == 0 { "" } else { " or " };
            match kind {
                EventKind::Search => write!(f, "{by}searches")?,
                EventKind::AddToCart => write!(f, "{by}additions to the cart")?,
                EventKind::RemoveFromCart => write!(f, "{by}removals from the cart")?,
                EventKind::Custom(_) => write!(f, "{by}{kind} events")?,
                named => write!(f, "{by}{named}s")?,
            }
        }
        Ok(())
    }
}

struct Within(Option<Span>);

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |span| write!(f, " in the last {}", Long(span)))
    }
}

struct Long(Span);

impl fmt::Display for Long {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let units = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second")];
        match units.into_iter().find(|(unit, _)| ms >= *unit && ms % unit == 0) {
            Some((unit, name)) if ms == unit => write!(f, "{name}"),
            Some((unit, name)) => write!(f, "{} {name}s", ms / unit),
            None => write!(f, "{ms} ms"),
        }
    }
}

/// `of items with category X`, or nothing for all.
struct Of<'a>(&'a Select);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.0 == Select::All { Ok(()) } else { write!(f, " of items {}", That(self.0)) }
    }
}

struct That<'a>(&'a Select);

impl fmt::Display for That<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, values: &[String]| {
            values.iter().enumerate().try_for_each(|(i, v)| write!(f, "{}`{v}`", if i == 0 { "" } else { " or " }))
        };
        let parts = |f: &mut fmt::Formatter<'_>, parts: &[Select], by: &str, none: &str| {
            if parts.is_empty() {
                return f.write_str(none);
            }
            f.write_str("(")?;
            let part = |(i, part)| write!(f, "{}{}", if i == 0 { "" } else { by }, That(part));
            parts.iter().enumerate().try_for_each(part)?;
            f.write_str(")")
        };
        match self.0 {
            Select::All => f.write_str("of any kind"),
            Select::And(all) => parts(f, all, " and ", "of any kind"),
            Select::Or(any) => parts(f, any, " or ", "of no kind"),
            Select::Not(not) => write!(f, "not {}", That(not)),
            Select::In { attribute, values } => {
                write!(f, "with {attribute} ")?;
                list(f, values)
            }
            Select::Has { attribute } => write!(f, "with any {attribute}"),
            Select::Range { attribute, min, max } => write!(f, "with {attribute} {}", Bounds(*min, *max)),
            Select::Price { min, max } => write!(f, "with price {}", Bounds(*min, *max)),
            Select::Released { within } => write!(f, "released in the last {}", Long(*within)),
            Select::Items(ids) => list(f, ids),
        }
    }
}
