//! Which questions the events ahead make, in the log's own numbers.

use std::ops::Range;

use super::{Ask, Questions};
use crate::dataset::Log;
use crate::ids::UserIdx;
use crate::time::Timestamp;

/// A question as places in the log.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) row: UserIdx,
    pub(super) now: Timestamp,
    /// The running session, newest first.
    pub(super) session: Vec<u32>,
    pub(super) targets: Vec<u32>,
}

/// The questions of every row, in the order of the rows. `ahead` is where in a row's events the part asked about lies.
pub(super) fn drafts(
    log: &Log<'_>,
    ahead: &[Range<usize>],
    now: Option<Timestamp>,
    questions: &Questions,
) -> Vec<Draft> {
    let sessions = if questions.ask == Ask::Everything { Vec::new() } else { log.sessions() };
    let mut out = Vec::new();
    for ((row, events), ahead) in log.rows().zip(ahead) {
        if ahead.is_empty() || questions.ask != Ask::NextItem && !log.is_profiled(row) {
            continue;
        }
        let now = now.unwrap_or_else(|| log.at(events[ahead.start]));
        let wanted = |event: &u32| questions.targets.contains(log.kind(*event));
        let all = |session: &[u32]| {
            let targets: Vec<u32> = session.iter().copied().filter(wanted).collect();
            (!targets.is_empty()).then(|| Draft { row, now, session: Vec::new(), targets })
        };
        match questions.ask {
            Ask::Everything => out.extend(all(&events[ahead.clone()])),
            Ask::NextSession => out.extend(beginning(events, &sessions, ahead).iter().find_map(|s| all(s))),
            Ask::NextItem => {
                for session in beginning(events, &sessions, ahead) {
                    let next = (1..session.len()).filter(|&place| wanted(&session[place]));
                    out.extend(next.map(|place| Draft {
                        row,
                        now: log.at(session[place - 1]),
                        session: session[..place].iter().rev().copied().collect(),
                        targets: vec![session[place]],
                    }));
                }
            }
        }
    }
    out
}

/// The sessions that begin in the part ahead, with their events in it, in the order they begin.
fn beginning(events: &[u32], sessions: &[u32], ahead: &Range<usize>) -> Vec<Vec<u32>> {
    let begun: rustc_hash::FxHashSet<u32> = events[..ahead.start].iter().map(|&e| sessions[e as usize]).collect();
    let mut place_of: rustc_hash::FxHashMap<u32, usize> = rustc_hash::FxHashMap::default();
    let mut out: Vec<Vec<u32>> = Vec::new();
    for &event in &events[ahead.clone()] {
        let session = sessions[event as usize];
        if begun.contains(&session) {
            continue;
        }
        let place = *place_of.entry(session).or_insert_with(|| {
            out.push(Vec::new());
            out.len() - 1
        });
        out[place].push(event);
    }
    out
}
