//! From the log to the next snapshot.

use std::sync::Arc;

use super::lineup::Fitted;
use super::{LiveConfig, LiveError, Stale};
use crate::catalog::{Catalog, Shelf};
use crate::dataset::{Dataset, DatasetBuilder, Delta, IngestError};
use crate::ids::Lineage;
use crate::log::{Cursor, EventLog, LogError, Replay};
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
    pub(super) builder: DatasetBuilder,
    pub(super) data: Arc<Dataset>,
    pub(super) fitted: Vec<Fitted>,
}

/// The result of a refresh that is not served yet.
pub(super) struct Next {
    pub(super) snapshot: Snapshot,
    pub(super) events: u64,
    pub(super) models: usize,
}

impl Learning {
    pub(super) fn epoch(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.epoch)
    }

    /// Takes in what is new, or everything when more than appending happened. On an error, nothing has changed.
    pub(super) fn next(
        &mut self,
        log: &dyn EventLog,
        config: &LiveConfig,
        catalog: &Arc<Catalog>,
        now: Timestamp,
        run: &Run<'_>,
        stale: Stale,
    ) -> Result<Next, LiveError> {
        let (builder, before, covers, epoch) = loop {
            let epoch = log.state()?.epoch;
            let before = self.state.as_ref().filter(|state| state.epoch == epoch);
            let mut builder = match before {
                Some(state) => state.builder.clone(),
                None => empty(config, epoch),
            };
            let mut replay = Replay::new(log).after(before.map_or(Cursor::START, |state| state.covers));
            builder.ingest(&mut replay).map_err(lost)?;
            let end = replay.end();
            if log.state()?.epoch == epoch {
                break (builder, before, end, epoch);
            }
        };
        let data = Arc::new(builder.build_as_of(now)?);
        let shelf = Shelf::new(&data, Arc::clone(catalog));
        let known = before.map_or(0, |state| state.builder.len());
        let delta = before.and_then(|state| Delta::between(&state.data, &data));
        let mut models = 0;
        let mut fitted = Vec::with_capacity(config.lineup.members().len());
        for (place, member) in config.lineup.members().iter().enumerate() {
            let last = before.and_then(|state| state.fitted.get(place));
            let events = builder.len() as u64;
            let due = stale == Stale::All
                || last.is_none_or(|last| member.refit.is_due(events - last.events.min(events), now.since(last.at)));
            fitted.push(match (last, &delta) {
                (Some(last), _) if !due => last.clone(),
                // An update needs the model of just before, and the catalogue is part of what some models learn from.
                (Some(last), Some(delta)) if stale == Stale::ByPolicy && last.events == known as u64 => {
                    models += 1;
                    let model = member.fit.update_dyn(&*last.model, delta, Some(&shelf), run)?;
                    Fitted { model, at: now, events }
                }
                _ => {
                    models += 1;
                    let model = member.fit.fit_dyn(&TrainingSet::with_shelf(&data, &shelf), run)?;
                    Fitted { model, at: now, events }
                }
            });
        }
        let ranker = Arc::new(config.lineup.ranker(&fitted)?);
        let snapshot = Snapshot::new(Arc::clone(&data), Arc::clone(catalog), ranker)?.covering(covers);
        let events = (builder.len() - known.min(builder.len())) as u64;
        self.state = Some(State { epoch, covers, builder, data, fitted });
        Ok(Next { snapshot, events, models })
    }
}

/// A builder for one epoch. Who was erased has no number, so numbers change with the epoch, and so does their name.
pub(super) fn empty(config: &LiveConfig, epoch: u64) -> DatasetBuilder {
    let lineage = match epoch {
        0 => config.lineage,
        epoch => Lineage::new(config.lineage.get() ^ epoch.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    };
    DatasetBuilder::new(lineage).weights(config.weights.clone()).session_gap(config.session_gap)
}

fn lost(error: IngestError<LogError>) -> LiveError {
    match error {
        IngestError::Source { source, .. } => source.into(),
        IngestError::Full(full) => full.into(),
        // The builder skips; a log refuses before it keeps.
        IngestError::Rejected { line, reason, .. } => {
            LogError::Damaged { reason: format!("event {line}: {reason}") }.into()
        }
    }
}
