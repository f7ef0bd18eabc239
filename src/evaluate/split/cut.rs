//! Where each shopper's events are cut.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{FitOn, How, NewShoppers, Questions, Split, SplitError, Unit};
use crate::dataset::Log;
use crate::ids::UserIdx;
use crate::time::{Span, Timestamp};

/// One row's events in time order: `[0, fit)` is fitted on, `[fit, known)` is known beside it, `[known, end)` is asked
/// about, and the rest never happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) fit: usize,
    pub(super) known: usize,
    pub(super) end: usize,
    /// Searches before these moments are fitted on, and known.
    pub(super) fit_until: Timestamp,
    pub(super) known_until: Timestamp,
}

impl Row {
    /// All of it is fitted on.
    const fn whole(len: usize) -> Self {
        Self { fit: len, known: len, end: len, fit_until: Timestamp::MAX, known_until: Timestamp::MAX }
    }

    const fn nothing() -> Self {
        Self { fit: 0, known: 0, end: 0, fit_until: Timestamp::MIN, known_until: Timestamp::MIN }
    }

    /// Cut at places; searches go by the times of the events there.
    fn at(log: &Log<'_>, events: &[u32], fit: usize, known: usize, end: usize) -> Self {
        let from = |place: usize| events.get(place).map_or(Timestamp::MAX, |&event| log.at(event));
        Self { fit, known, end, fit_until: from(fit), known_until: from(known) }
    }
}

/// A cut through all rows.
#[derive(Debug)]
pub(super) struct RowCut {
    pub(super) rows: Vec<Row>,
    /// The moment models are fitted, and the moment of the question, where they are the same for all.
    pub(super) fit_at: Option<Timestamp>,
    pub(super) now: Option<Timestamp>,
}

pub(super) fn cuts(split: &Split, log: &Log<'_>, questions: &Questions) -> Result<Vec<RowCut>, SplitError> {
    let share = |what, got: f64| if got > 0.0 && got < 1.0 { Ok(got) } else { Err(SplitError::Share { what, got }) };
    match split.how {
        How::At { ref cuts, horizon } if !cuts.is_empty() => {
            let end = end(log);
            Ok(cuts.iter().map(|&cut| by_time(split, log, cut, horizon.unwrap_or(end.since(cut)), end)).collect())
        }
        How::Fraction { before, horizon } => {
            let before = share("events before the cut", before)?;
            Ok(vec![by_fraction(split, log, before, horizon)])
        }
        How::LeaveLast { n, unit } if n > 0 => Ok(vec![leave_last(split, log, questions, n, unit)]),
        How::HoldOut { shoppers, fold_in, seed } => {
            let (shoppers, fold_in) = (share("held-out shoppers", shoppers)?, share("events folded in", fold_in)?);
            Ok(vec![hold_out(split, log, questions, (shoppers, fold_in), seed)])
        }
        How::At { .. } => Err(SplitError::Nothing { what: "cut" }),
        How::LeaveLast { unit: Unit::Events, .. } => Err(SplitError::Nothing { what: "event" }),
        How::LeaveLast { unit: Unit::Sessions, .. } => Err(SplitError::Nothing { what: "session" }),
    }
}

/// The moment after the latest event.
fn end(log: &Log<'_>) -> Timestamp {
    log.times().iter().max().map_or(Timestamp::MIN, |&at| Timestamp::from_millis(at).plus(Span::millis(1)))
}

fn back(cut: Timestamp, step: Span, steps: usize) -> Timestamp {
    cut.minus(Span::millis(step.as_millis().saturating_mul(steps as i64)))
}

fn by_time(split: &Split, log: &Log<'_>, cut: Timestamp, step: Span, end: Timestamp) -> RowCut {
    let cut = back(cut, step, split.back);
    let fit = match split.fit_on {
        FitOn::TrainAndValidation => cut,
        FitOn::Train => back(cut, step, 1),
    };
    at_times(log, fit, cut, cut.plus(step).min(end))
}

fn by_fraction(split: &Split, log: &Log<'_>, before: f64, horizon: Option<Span>) -> RowCut {
    let mut times = log.times().to_vec();
    times.sort_unstable();
    let end = end(log);
    let cut = |steps: usize| match steps {
        0 => end,
        _ => {
            let place = (times.len() as f64 * before.powi(steps.min(1 << 20) as i32)) as usize;
            times.get(place).map_or(end, |&at| Timestamp::from_millis(at))
        }
    };
    let now = cut(split.back + 1);
    let fit = match split.fit_on {
        FitOn::TrainAndValidation => now,
        FitOn::Train => cut(split.back + 2),
    };
    let until = cut(split.back);
    at_times(log, fit, now, horizon.map_or(until, |span| now.plus(span).min(until)))
}

fn at_times(log: &Log<'_>, fit_until: Timestamp, known_until: Timestamp, end: Timestamp) -> RowCut {
    let row = |events: &[u32]| {
        let before = |moment: Timestamp| events.partition_point(|&event| log.at(event) < moment);
        let (fit, known) = (before(fit_until), before(known_until));
        Row { fit, known, end: before(end).max(known), fit_until, known_until }
    };
    RowCut {
        rows: log.rows().map(|(_, events)| row(events)).collect(),
        fit_at: Some(fit_until),
        now: Some(known_until),
    }
}

fn leave_last(split: &Split, log: &Log<'_>, questions: &Questions, n: usize, unit: Unit) -> RowCut {
    let sessions = if unit == Unit::Sessions { log.sessions() } else { Vec::new() };
    let mut starts: Vec<usize> = Vec::new();
    let mut rows = Vec::with_capacity(log.n_rows());
    for (row, events) in log.rows() {
        if !log.is_profiled(row) {
            rows.push(Row::whole(events.len()));
            continue;
        }
        starts.clear();
        let wanted = |&place: &usize| questions.targets.contains(log.kind(events[place]));
        match unit {
            Unit::Events => starts.extend((0..events.len()).filter(wanted)),
            Unit::Sessions => session_starts(events, &sessions, wanted, &mut starts),
        }
        // The place where the last `steps * n` units begin; there must be something before it to know the shopper by.
        let enough = |start: &usize| *start > 0 || questions.new_shoppers == NewShoppers::Ask;
        let last = |steps: usize| {
            let from = starts.len().checked_sub(n.saturating_mul(steps))?;
            starts.get(from).copied().filter(enough)
        };
        let end = last(split.back).unwrap_or(events.len());
        rows.push(match (last(split.back + 1), split.fit_on) {
            (None, _) => Row::at(log, events, end, end, end),
            (Some(known), FitOn::TrainAndValidation) => Row::at(log, events, known, known, end),
            (Some(known), FitOn::Train) => Row::at(log, events, last(split.back + 2).unwrap_or(0), known, end),
        });
    }
    RowCut { rows, fit_at: None, now: None }
}

/// The place of the first event of each session that holds a wanted one, ascending.
fn session_starts(events: &[u32], sessions: &[u32], wanted: impl Fn(&usize) -> bool, starts: &mut Vec<usize>) {
    let mut first: rustc_hash::FxHashMap<u32, (usize, bool)> = rustc_hash::FxHashMap::default();
    for (place, &event) in events.iter().enumerate() {
        let (_, holds) = first.entry(sessions[event as usize]).or_insert((place, false));
        *holds |= wanted(&place);
    }
    starts.extend(first.into_values().filter(|&(_, holds)| holds).map(|(place, _)| place));
    starts.sort_unstable();
}

fn hold_out(split: &Split, log: &Log<'_>, questions: &Questions, shares: (f64, f64), seed: u64) -> RowCut {
    let (shoppers, fold_in) = shares;
    let wanted = |event: &u32| questions.targets.contains(log.kind(*event));
    let mut drawn: Vec<(u64, UserIdx)> = log
        .rows()
        .filter(|(row, events)| log.is_profiled(*row) && events.iter().filter(|e| wanted(e)).count() > 1)
        .map(|(row, _)| (xxh3_64_with_seed(log.row_key(row).as_bytes(), seed), row))
        .collect();
    drawn.sort_unstable();
    let group = ((drawn.len() as f64 * shoppers).ceil() as usize).max(1);
    let mut group_of = vec![usize::MAX; log.n_rows()];
    for (place, &(_, row)) in drawn.iter().enumerate() {
        group_of[row.as_usize()] = place / group;
    }
    let rows = log.rows().map(|(row, events)| match group_of[row.as_usize()] {
        // Shoppers kept for a later test do not exist for a validation before it.
        group if group < split.back => Row::nothing(),
        group if group == split.back => {
            let targets: Vec<usize> = (0..events.len()).filter(|&place| wanted(&events[place])).collect();
            let kept = ((targets.len() as f64 * fold_in) as usize).clamp(1, targets.len() - 1);
            Row::at(log, events, 0, targets[kept], events.len()).unfitted()
        }
        group if group == split.back + 1 && split.fit_on == FitOn::Train => Row::whole(events.len()).unfitted(),
        _ => Row::whole(events.len()),
    });
    RowCut { rows: rows.collect(), fit_at: None, now: None }
}

impl Row {
    /// The same, known but not fitted on.
    const fn unfitted(self) -> Self {
        Self { fit: 0, fit_until: Timestamp::MIN, ..self }
    }
}

/// All of `past` is fitted on; questions come from another log, as of the end of the past.
pub(super) fn given(past: &Log<'_>) -> RowCut {
    let now = past.times().iter().max().map(|&at| Timestamp::from_millis(at));
    RowCut { rows: past.rows().map(|(_, events)| Row::whole(events.len())).collect(), fit_at: now, now }
}
