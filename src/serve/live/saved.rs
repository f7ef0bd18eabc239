//! A live recommender in a file: the snapshot it serves, and what the next refresh goes on from.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use super::fresh::{FreshEvent, FreshTable};
use super::learning::{State, empty};
use super::lineup::Fitted;
use super::{Kept, Live, LiveConfig, LiveError};
use crate::consent::Shopper;
use crate::dataset::DatasetBuilder;
use crate::log::{EventLog, Scan};
use crate::persist::{ContainerWriter, Generation, Loader, PersistError, Saver};
use crate::serve::Snapshot;
use crate::serve::saved::{Saved, mismatch};
use crate::source::Flow;
use crate::time::Timestamp;

/// What a live recommender began with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The generation of the store that is served; `None` when everything was fitted from the log.
    pub generation: Option<Generation>,
    /// Events the log holds beyond that generation: read, and counted for their shoppers.
    pub replayed: u64,
    /// Later generations that could not be served, latest first, each with the reason.
    pub skipped: Vec<(Generation, String)>,
}

impl<L: EventLog> Live<L> {
    /// What it began with, and what was wrong with what it could not begin with.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Keeps what is served as a new generation of the [store](LiveConfig::store), so that the next
    /// [`open`](Live::open) fits nothing. Serving and recording go on meanwhile; a refresh waits.
    ///
    /// # Errors
    /// [`LiveError::NoStore`], [`LiveError::Store`] when it cannot be written (the generations there were still are), or when
    /// somebody was erased, or profiles were merged, since the last refresh: refresh first.
    pub fn save(&self) -> Result<Generation, LiveError> {
        let Kept { store, codecs, .. } = self.config.store.as_ref().ok_or(LiveError::NoStore)?;
        let learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.recommender.snapshot();
        let state = learning.state.as_ref().ok_or(LiveError::NoStore)?;
        let recipes = self.config.lineup.recipes();
        let write = |out: &mut dyn std::io::Write| {
            let mut file = ContainerWriter::new(out)?;
            let mut out = Saver::new(&mut file);
            snapshot.save(&mut out, codecs)?;
            state.save(&mut out.at("live"), &recipes)?;
            file.finish().map(drop)
        };
        // From here on until the file has its name, nobody is erased.
        let mut still = None;
        store.publish_unless(write, || {
            still = Some(self.aliases.read().unwrap_or_else(PoisonError::into_inner));
            Ok(self.log.state()?.epoch != state.epoch)
        })
    }
}

impl State {
    fn save(&self, out: &mut Saver<'_>, recipes: &[String]) -> Result<(), PersistError> {
        out.value("recipes", recipes)?;
        out.value("epoch", &self.epoch)?;
        out.column("fitted_at", &self.fitted.iter().map(|fitted| fitted.at.millis()).collect::<Vec<_>>())?;
        out.column("fitted_events", &self.fitted.iter().map(|fitted| fitted.events).collect::<Vec<_>>())?;
        self.builder.save(&mut out.at("builder"))
    }
}

/// Why a generation is not served: not the fault of the file.
fn other(what: &'static str, saved: impl ToString, now: impl ToString) -> PersistError {
    let hint = "nothing is wrong; the models are fitted anew from the log";
    PersistError::Recipe { what, saved: saved.to_string(), now: now.to_string(), hint }
}

fn load(kept: &Kept, config: &LiveConfig, epoch: u64, path: &Path) -> Result<(State, Snapshot), PersistError> {
    let file = (kept.open)(path)?;
    let from = Loader::new(&file);
    let live = from.at("live");
    let saved_epoch: u64 = live.value("epoch")?;
    if saved_epoch != epoch {
        return Err(other("the log's epoch", saved_epoch, epoch));
    }
    let (saved_recipes, recipes): (Vec<String>, _) = (live.value("recipes")?, config.lineup.recipes());
    if saved_recipes != recipes {
        return Err(other("the lineup's models", saved_recipes.join("; "), recipes.join("; ")));
    }
    let Saved { dataset, catalog, ranker, covers } = Saved::load(&from, &kept.codecs)?;
    let builder = DatasetBuilder::load(&live.at("builder"), &dataset)?;
    if !builder.is_like(&empty(config, epoch)) {
        return Err(other("lineage, weights or session gap", "others", "those of the configuration"));
    }
    let ranker = ranker.build().map_err(|e| mismatch(&e))?;
    let (at, events): (Vec<i64>, Vec<u64>) = (live.column("fitted_at")?, live.column("fitted_events")?);
    let models = config.lineup.models(&ranker).filter(|models| models.len() == at.len() && at.len() == events.len());
    let models = models.ok_or_else(|| live.unsound("does not have one model a member of the lineup"))?;
    let fitted: Vec<Fitted> = models
        .into_iter()
        .zip(at.into_iter().zip(events))
        .map(|(model, (at, events))| Fitted { model, at: Timestamp::from_millis(at), events })
        .collect();
    let ranker = Arc::new(config.lineup.ranker(&fitted).map_err(|e| mismatch(&e))?);
    let catalog = config.catalog.clone().unwrap_or(catalog);
    let snapshot = Snapshot::new(Arc::clone(&dataset), catalog, ranker).map_err(|e| mismatch(&e))?.covering(covers);
    Ok((State { epoch, covers, builder, data: dataset, fitted }, snapshot))
}

/// The newest generation that can be served, and in `fresh` what was logged since.
pub(super) fn restore(
    log: &dyn EventLog,
    config: &LiveConfig,
    fresh: &FreshTable,
) -> Result<Result<(State, Snapshot, Origin), Origin>, LiveError> {
    let Some(kept) = &config.store else { return Ok(Err(Origin::default())) };
    let told = |skipped: Vec<(Generation, PersistError)>| -> Vec<_> {
        skipped.into_iter().map(|(generation, error)| (generation, error.to_string())).collect()
    };
    let before = log.state()?;
    let opened = match kept.store.try_newest(|path| load(kept, config, before.epoch, path))? {
        Ok(opened) => opened,
        Err(skipped) => return Ok(Err(Origin { skipped: told(skipped), ..Origin::default() })),
    };
    let (state, snapshot) = opened.value;
    let mut origin = Origin { generation: Some(opened.generation), replayed: 0, skipped: told(opened.skipped) };
    if state.covers > before.end {
        let reason = "it knows more of the log than there is; this is another log, or an older copy".to_owned();
        origin.skipped.push((opened.generation, reason));
        return Ok(Err(Origin { generation: None, ..origin }));
    }
    log.scan(Scan::after(state.covers), &mut |logged| {
        origin.replayed += 1;
        if let Shopper::Profiled(who) = logged.event.shopper
            && !logged.event.item.is_empty()
        {
            fresh.push(who.user(), FreshEvent::new(logged.cursor, &logged.event));
        }
        Flow::Continue
    })?;
    if log.state()?.epoch == before.epoch {
        return Ok(Ok((state, snapshot, origin)));
    }
    fresh.clear();
    origin.skipped.push((opened.generation, "the log was changed while it was read".to_owned()));
    Ok(Err(Origin { generation: None, ..origin }))
}
