//! A live recommender in a file: the snapshot it serves, and what the next refresh goes on from.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::budget::Patience;
use super::fresh::{FreshEvent, FreshTable};
use super::learning::{State, empty, fits};
use super::lineup::{Fitted, Told};
use super::{Kept, Live, LiveConfig, LiveError};
use crate::consent::Shopper;
use crate::dataset::Held;
use crate::event::Event;
use crate::log::{Cursor, EventLog, LogError, Logged, Scan};
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
    /// Files that were removed: generations of before a merge, withdrawal, expiry or erasure, which may hold what must not be
    /// held any more, and all of them where the process died in an erasure.
    pub removed: Vec<String>,
}

impl<L: EventLog> Live<L> {
    /// What it began with, and what was wrong with what it could not begin with.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Keeps what is served as a new generation of the [store](LiveConfig::store), so that the next
    /// [`open`](Live::open) fits nothing. Serving and recording go on meanwhile; a refresh waits. Generations of before the
    /// last merge, withdrawal, expiry or erasure go first: nothing could be opened from them any more.
    ///
    /// # Errors
    /// [`LiveError::NoStore`], [`LiveError::Store`] when it cannot be written (the generations there were still are), or when
    /// somebody was erased, or profiles were merged, since the last refresh: refresh first.
    pub fn save(&self) -> Result<Generation, LiveError> {
        let Kept { store, codecs, .. } = self.config.store.as_ref().ok_or(LiveError::NoStore)?;
        let learning = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.recommender.snapshot();
        let state = learning.state.as_ref().ok_or(LiveError::NoStore)?;
        let lineup = self.config.lineup.told();
        let seal = seal(&self.log, state.covers, SealForm::Fields)?;
        if self.saved_epoch.load(Ordering::Acquire) != state.epoch {
            self.outdate();
        }
        self.clear_store()?;
        let write = |out: &mut dyn std::io::Write| {
            let mut file = ContainerWriter::new(out)?;
            let mut out = Saver::new(&mut file);
            snapshot.save(&mut out, codecs)?;
            state.save(&mut out.at("live"), &lineup, seal)?;
            file.finish().map(drop)
        };
        // From here on until the file has its name, nobody is erased.
        let mut still = None;
        let generation = store.publish_unless(write, || {
            still = Some(self.aliases.read().unwrap_or_else(PoisonError::into_inner));
            Ok::<bool, LiveError>(self.log.state()?.epoch != state.epoch)
        })?;
        self.saved_epoch.store(state.epoch, Ordering::Release);
        Ok(generation)
    }
}

impl<L> Live<L> {
    /// Notes that what the store has is of an epoch that is over.
    pub(super) fn outdate(&self) {
        self.outdated.store(true, Ordering::Release);
    }

    /// Takes away what is of an epoch that is over. On an error, the next refresh or save tries again.
    pub(super) fn clear_store(&self) -> Result<Vec<String>, LiveError> {
        if !self.outdated.swap(false, Ordering::AcqRel) {
            return Ok(Vec::new());
        }
        let Some(kept) = &self.config.store else { return Ok(Vec::new()) };
        kept.store.erase_all().map_err(|error| {
            self.outdate();
            error.into()
        })
    }
}

impl State {
    fn save(&self, out: &mut Saver<'_>, lineup: &[Told], seal: Option<u64>) -> Result<(), PersistError> {
        out.value("lineup", lineup)?;
        out.value("last_event", &seal)?;
        out.value("epoch", &self.epoch)?;
        out.column("fitted_at", &self.fitted.iter().map(|fitted| fitted.at.millis()).collect::<Vec<_>>())?;
        out.column("fitted_events", &self.fitted.iter().map(|fitted| fitted.events).collect::<Vec<_>>())?;
        self.held.save(&mut out.at("builder"))
    }
}

/// A fingerprint of the last event a state covers, so that no other log, nor an older copy that went another way, is taken
/// for the one it was made from; none when that event is gone.
fn seal(log: &dyn EventLog, covers: Cursor, form: SealForm) -> Result<Option<u64>, LogError> {
    let Some(before) = covers.get().checked_sub(1) else { return Ok(None) };
    let mut seal = None;
    log.scan(Scan::after(Cursor::new(before)).even_restricted(), &mut |logged| {
        let event = &logged.event;
        if logged.cursor == covers {
            seal = Some(match form {
                SealForm::Fields => fingerprint(&logged),
                SealForm::Text => {
                    let (received, at) = (logged.received.millis(), event.at.millis());
                    let Event { shopper, item, kind, quantity, id, .. } = event;
                    xxh3_64(format!("{received} {at} {shopper:?} {item} {kind} {quantity} {id:?}").as_bytes())
                }
            });
        }
        Flow::Stop
    })?;
    Ok(seal)
}

type Seal = (SealForm, Option<u64>);

/// How the fingerprint of an event is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SealForm {
    /// Of its fields.
    Fields,
    /// Of what `Debug` prints: in the first files.
    Text,
}

fn fingerprint(logged: &Logged<'_>) -> u64 {
    let Event { shopper, item, kind, at, quantity, id, .. } = logged.event;
    let (space, key, basis) = match shopper {
        Shopper::Profiled(who) => ("user", who.user(), who.basis().as_str()),
        Shopper::Anonymous { session } => ("visitor", session, ""),
    };
    let mut hash = Xxh3::new();
    for number in [logged.received.millis(), at.millis(), i64::from(quantity.to_bits()), i64::from(id.is_some())] {
        hash.update(&number.to_le_bytes());
    }
    for text in [space, key, basis, item, &kind.to_string(), id.unwrap_or_default()] {
        hash.update(text.as_bytes());
        hash.update(&[0xff]); // in no UTF-8 text
    }
    hash.digest()
}

/// Why a generation is not served: not the fault of the file.
fn other(what: &'static str, saved: impl ToString, now: impl ToString) -> PersistError {
    let hint = "nothing is wrong; the models are fitted anew from the log";
    PersistError::Recipe { what, saved: saved.to_string(), now: now.to_string(), hint }
}

fn joined(told: &[Told]) -> String {
    told.iter().map(Told::to_string).collect::<Vec<_>>().join("; ")
}

fn load(
    kept: &Kept,
    config: &LiveConfig,
    epoch: u64,
    path: &Path,
    outdated: &mut Vec<PathBuf>,
) -> Result<(State, Snapshot, Seal), PersistError> {
    let file = (kept.open)(path)?;
    let from = Loader::new(&file);
    let live = from.at("live");
    let saved_epoch: u64 = live.value("epoch")?;
    if saved_epoch != epoch {
        if saved_epoch < epoch {
            outdated.push(path.to_owned());
        }
        return Err(other("the log's epoch", saved_epoch, epoch));
    }
    if live.has("lineup") {
        let saved: Vec<Told> = live.value("lineup")?;
        if !config.lineup.is(&saved) {
            return Err(other("the lineup's models", joined(&saved), joined(&config.lineup.told())));
        }
    } else {
        let (saved, now): (Vec<String>, _) = (live.value("recipes")?, config.lineup.as_text());
        if saved != now {
            return Err(other("the lineup's models", saved.join("; "), now.join("; ")));
        }
    }
    let Saved { dataset, catalog, ranker, covers } = Saved::load(&from, &kept.codecs)?;
    let Some(held) = Held::load(&live.at("builder"), &dataset, &empty(config, epoch))? else {
        return Err(other("lineage, weights, session gap, caps or budget", "others", "those of the configuration"));
    };
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
    let file = file.resident();
    let state = State { epoch, covers, held, data: dataset, fitted, file, used: None, patience: Patience::default() };
    if !fits(config, &state, &snapshot) {
        return Err(other("the bytes", "more", "less than the memory budget allows"));
    }
    let seal = if live.has("last_event") {
        (SealForm::Fields, live.value("last_event")?)
    } else {
        (SealForm::Text, live.value("seal")?)
    };
    Ok((state, snapshot, seal))
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
    let mut removed = if kept.store.erasure_is_due()? { kept.store.finish_erasure()? } else { Vec::new() };
    let before = log.state()?;
    let mut outdated = Vec::new();
    let found = kept.store.try_newest(|path| load(kept, config, before.epoch, path, &mut outdated))?;
    removed.extend(kept.store.erase_where(|generation| outdated.contains(&kept.store.path(generation)))?);
    let opened = match found {
        Ok(opened) => opened,
        Err(skipped) => return Ok(Err(Origin { skipped: told(skipped), removed, ..Origin::default() })),
    };
    let (state, snapshot, (form, saved)) = opened.value;
    let mut origin =
        Origin { generation: Some(opened.generation), replayed: 0, skipped: told(opened.skipped), removed };
    if state.covers > before.end || seal(log, state.covers, form)? != saved {
        let reason = "it knows other events than the log holds; this is another log, or an older copy".to_owned();
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
