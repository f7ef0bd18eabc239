//! From the log to the next snapshot.

use std::sync::Arc;

use super::budget::{Halt, Patience, Raised, Room, held, hopeless, state};
use super::lineup::Fitted;
use super::{LiveConfig, LiveError, Stale, Standing};
use crate::catalog::{Catalog, Shelf};
use crate::dataset::{Bounds, Dataset, DatasetBuilder, Delta, Held, IngestError};
use crate::ids::Lineage;
use crate::log::{Cursor, EventLog, LogError, Replay};
use crate::persist::Resident;
use crate::run::Run;
use crate::scorer::TrainingSet;
use crate::serve::Snapshot;
use crate::time::Timestamp;

/// What the last refresh left behind for the next.
#[derive(Debug, Default)]
pub(super) struct Learning {
    pub(super) state: Option<State>,
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) epoch: u64,
    pub(super) covers: Cursor,
    pub(super) held: Held,
    pub(super) data: Arc<Dataset>,
    pub(super) fitted: Vec<Fitted>,
    /// The file it began with, which columns may share.
    pub(super) file: Resident,
    /// Bytes it took of its share when it was made; none yet of one from a file.
    pub(super) used: Option<u64>,
    pub(super) patience: Patience,
}

impl State {
    /// The higher cap on all events that everything is to be read again with.
    fn raised(&self, config: &LiveConfig) -> Option<u32> {
        let (budget, used) = (config.budget?, self.used?);
        if self.patience.is_over(self.held.arrived()) { self.held.may_rise(used, state(budget)) } else { None }
    }
}

/// The result of a refresh that is not served yet.
pub(super) struct Next {
    pub(super) snapshot: Snapshot,
    pub(super) events: u64,
    pub(super) evicted: u64,
    pub(super) models: usize,
}

/// A dataset and its models.
struct Made {
    data: Arc<Dataset>,
    fitted: Vec<Fitted>,
    snapshot: Snapshot,
    models: usize,
    /// Bytes of the state's share.
    used: u64,
}

/// What a refresh is asked for.
pub(super) struct Task<'a> {
    pub(super) config: &'a LiveConfig,
    pub(super) catalog: &'a Arc<Catalog>,
    pub(super) now: Timestamp,
    pub(super) run: &'a Run<'a>,
    pub(super) stale: Stale,
}

impl Learning {
    pub(super) fn epoch(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.epoch)
    }

    /// What is held for the next refresh, and under which cap.
    pub(super) fn standing(&self) -> Standing {
        let of = |state: &State| Standing {
            held: state.held.memory_report(),
            file: state.file.clone(),
            events_cap: state.held.events_cap(),
        };
        self.state.as_ref().map(of).unwrap_or_default()
    }

    /// Takes in what is new, or everything when more than appending happened. On an error, nothing has changed.
    pub(super) fn next(&mut self, log: &dyn EventLog, task: &Task<'_>) -> Result<Next, LiveError> {
        let (Read { held, covers, epoch }, made) = match self.risen(log, task)? {
            Some(risen) => risen,
            None => self.grown(log, task)?,
        };
        let Made { data, fitted, snapshot, models, used } = made;
        let (arrived, counted) = (held.arrived(), data.summary());
        let kept = counted.events as u64 + counted.cancelled;
        let last = self.state.take();
        let (known, patience) = last
            .as_ref()
            .filter(|state| state.epoch == epoch)
            .map_or_else(Default::default, |state| (state.held.arrived(), state.patience));
        let file = last.map(|state| state.file).unwrap_or_default();
        self.state = Some(State { epoch, covers, held, data, fitted, file, used: Some(used), patience });
        let evicted = arrived.saturating_sub(kept + counted.searches as u64);
        Ok(Next { snapshot: snapshot.covering(covers), events: arrived - known.min(arrived), evicted, models })
    }

    /// What is held, with what is new. What takes too much is let go of.
    fn grown(&self, log: &dyn EventLog, task: &Task<'_>) -> Result<(Read, Made), LiveError> {
        let (mut read, before) = loop {
            let epoch = log.state()?.epoch;
            let before = self.state.as_ref().filter(|state| state.epoch == epoch);
            let held = before.map_or_else(|| empty(task.config, epoch), |state| state.held.clone());
            let from = before.map_or(Cursor::START, |state| state.covers);
            if let Some(read) = read(log, epoch, from, held)? {
                break (read, before);
            }
        };
        loop {
            match made(&read.held, before, task) {
                Ok(made) => return Ok((read, made)),
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Memory(needed)) => {
                    if !read.held.tighten()? {
                        return Err(hopeless(task.config.budget, needed));
                    }
                }
            }
        }
    }

    /// Everything, read again under a higher cap on all events, where memory allows one. One that turns out too high is
    /// lowered, and what was held under it is not patched: what is kept in the end was read under its own cap alone.
    fn risen(&mut self, log: &dyn EventLog, task: &Task<'_>) -> Result<Option<(Read, Made)>, LiveError> {
        let epoch = log.state()?.epoch;
        let Some(state) = self.state.as_mut().filter(|state| state.epoch == epoch) else { return Ok(None) };
        let Some(mut most) = state.raised(task.config) else { return Ok(None) };
        let cap = state.held.events_cap();
        while most > cap {
            let held = state.held.read_again(empty(task.config, epoch), most);
            let Some(read) = read(log, epoch, Cursor::START, held)? else { return Ok(None) };
            if read.held.events_cap() < most {
                most = read.held.events_cap(); // long ids on the way
                continue;
            }
            match made(&read.held, None, task) {
                Ok(made) => {
                    state.patience = state.patience.after(read.held.arrived(), cap, Raised::Yes);
                    return Ok(Some((read, made)));
                }
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Memory(_)) => most -= (most / 4).max(1),
            }
        }
        state.patience = state.patience.after(state.held.arrived(), cap, Raised::No);
        Ok(None)
    }
}

/// Events of a log up to a place in it, at one epoch.
struct Read {
    held: Held,
    covers: Cursor,
    epoch: u64,
}

/// Adds what the log has behind `from`; `None` when more than appending happened meanwhile.
fn read(log: &dyn EventLog, epoch: u64, from: Cursor, mut held: Held) -> Result<Option<Read>, LiveError> {
    let mut replay = Replay::new(log).after(from);
    held.ingest(&mut replay).map_err(lost)?;
    let covers = replay.end();
    Ok((log.state()?.epoch == epoch).then_some(Read { held, covers, epoch }))
}

/// The dataset of what is held, with its models; of those before, what can be used.
fn made(held: &Held, before: Option<&State>, task: &Task<'_>) -> Result<Made, Halt> {
    let Task { config, catalog, now, run, stale } = *task;
    let mut room = Room::of(config.budget);
    room.take(held.memory_report().total())?;
    let data = Arc::new(held.dataset(now)?);
    let shelf = Shelf::new(&data, Arc::clone(catalog));
    room.take(data.memory_report().total() + shelf.memory_report().total())?;
    // Where numbers were given anew, models of the old ones are of no use.
    let before = before.filter(|state| state.data.lineage() == data.lineage());
    let known = before.map_or(0, |state| state.held.arrived());
    let delta = before.and_then(|state| Delta::between(&state.data, &data));
    let mut models = 0;
    let mut fitted = Vec::with_capacity(config.lineup.members().len());
    for (place, member) in config.lineup.members().iter().enumerate() {
        let last = before.and_then(|state| state.fitted.get(place));
        let events = held.arrived();
        let due = stale == Stale::All
            || last.is_none_or(|last| member.refit.is_due(events - last.events.min(events), now.since(last.at)));
        let next = match (last, &delta) {
            (Some(last), _) if !due => last.clone(),
            // An update needs the model of just before, and the catalogue is part of what some models learn from.
            (Some(last), Some(delta)) if stale == Stale::ByPolicy && last.events == known => {
                models += 1;
                let updated = member.fit.update_dyn(&*last.model, delta, Some(&shelf), &room.run(run));
                Fitted { model: updated.map_err(|error| room.judge(error, run))?, at: now, events }
            }
            _ => {
                models += 1;
                let fit = member.fit.fit_dyn(&TrainingSet::with_shelf(&data, &shelf), &room.run(run));
                Fitted { model: fit.map_err(|error| room.judge(error, run))?, at: now, events }
            }
        };
        room.take(next.model.memory_report().total())?;
        fitted.push(next);
    }
    let ranker = Arc::new(config.lineup.ranker(&fitted)?);
    let snapshot = Snapshot::new(Arc::clone(&data), Arc::clone(catalog), ranker)?;
    Ok(Made { data, fitted, snapshot, models, used: room.used() })
}

/// Nothing held, for one epoch. Who was erased has no number, so numbers change with the epoch, and so does their name.
pub(super) fn empty(config: &LiveConfig, epoch: u64) -> Held {
    let lineage = match epoch {
        0 => config.lineage,
        epoch => Lineage::new(config.lineage.get() ^ epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    let builder = DatasetBuilder::new(lineage).weights(config.weights.clone()).session_gap(config.session_gap);
    let bounds = Bounds { caps: (*config.caps).clone(), bytes: config.budget.map(held) };
    Held::new(builder, bounds)
}

/// Whether a state that was read from a file is within the budget.
pub(super) fn fits(config: &LiveConfig, state: &State, snapshot: &Snapshot) -> bool {
    let bytes = state.held.memory_report().total() + snapshot.memory_report().total() + state.file.heap_bytes();
    Room::of(config.budget).take(bytes).is_ok()
}

fn lost(error: IngestError<LogError>) -> LiveError {
    match error {
        IngestError::Source { source, .. } => source.into(),
        IngestError::Full(full) => full.into(),
        // What no dataset can use is skipped; a log refuses it before it keeps it.
        IngestError::Rejected { line, reason, .. } => {
            LogError::Damaged { reason: format!("event {line}: {reason}") }.into()
        }
    }
}
