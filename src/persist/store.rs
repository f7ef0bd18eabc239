//! A folder of generations: whole files only, the newest that is good is served.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::PersistError;

/// Which file of a store: later ones have larger numbers, and none is used twice while a later one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Generation(u64);

impl Generation {
    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    fn file(self) -> String {
        format!("{PREFIX}{:016}{SUFFIX}", self.0)
    }

    fn parse(name: &str) -> Option<Self> {
        let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let number = digits.parse().ok().map(Self)?;
        (number.file() == name).then_some(number)
    }

    /// Of a file that is being written.
    fn parse_unfinished(name: &str) -> Option<Self> {
        name.strip_suffix(UNFINISHED).and_then(Self::parse)
    }

    /// Of a pointer that is being written.
    fn parse_pointer(name: &str) -> Option<Self> {
        name.strip_suffix(UNFINISHED)?.strip_prefix(CURRENT)?.strip_prefix('-')?.parse().ok().map(Self)
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".likewise";
const UNFINISHED: &str = ".unfinished";
const CURRENT: &str = "CURRENT";
const ERASING: &str = "ERASING";

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder or a file in it cannot be used.
    #[error("{} cannot be {doing}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What was to be kept could not be written. Nothing changed.
    #[error(transparent)]
    Persist(#[from] PersistError),
    /// The file was taken away while it was being written: an erasure came between. Save again.
    #[error("generation {generation} was erased while it was written; refresh and save again")]
    Superseded {
        /// What it would have been.
        generation: Generation,
    },
}

/// What was opened, and what was not.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened<T> {
    /// Which generation.
    pub generation: Generation,
    /// What it holds.
    pub value: T,
    /// Later generations that could not be opened, latest first, each with what was wrong.
    pub skipped: Vec<(Generation, PersistError)>,
}

/// Generations of files in a folder of their own.
///
/// A generation is written to a file of another name, synced, renamed, and the folder synced: after a crash at any moment
/// each file is there whole, or not at all. `CURRENT` then names it, the same way. One process publishes, any number
/// [see](Self::newer_than) what it published: training can run elsewhere.
///
/// # Example
/// ```
/// use likewise::persist::{Container, Store, Verify};
/// let dir = std::env::temp_dir().join(format!("likewise-store-{}", std::process::id()));
/// let store = Store::open(&dir, 2)?;
/// assert!(store.generations()?.is_empty());
/// # let data = std::sync::Arc::new(likewise::DatasetBuilder::default().finish()?);
/// # let ranker = std::sync::Arc::new(likewise::Ranker::builder().build()?);
/// # let snapshot = likewise::Snapshot::new(data, std::sync::Arc::default(), ranker)?;
/// # let codecs = likewise::serve::Codecs::default();
/// for _ in 0..3 {
///     store.publish(|out| snapshot.write_to(out, &codecs).map(drop))?;
/// }
/// assert_eq!(store.generations()?.len(), 2); // the oldest went
/// let newest = store.newest(|path| Container::read(path, Verify::Now))?.unwrap();
/// assert!(store.newer_than(newest.generation)?.is_none());
/// # std::fs::remove_dir_all(dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    keep: usize,
}

impl Store {
    /// The store in `dir`, which is made if it is not there. It keeps the newest `keep` generations, at least 1; 2 or more
    /// leave something to fall back to.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open(dir: impl Into<PathBuf>, keep: usize) -> Result<Self, StoreError> {
        let store = Self { dir: dir.into(), keep: keep.max(1) };
        fs::create_dir_all(&store.dir).map_err(store.io("made", &store.dir))?;
        Ok(store)
    }

    /// Its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The file of a generation, whether it is there or not.
    #[must_use]
    pub fn path(&self, generation: Generation) -> PathBuf {
        self.dir.join(generation.file())
    }

    #[allow(clippy::unused_self)]
    fn io(&self, doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_owned();
        move |source| StoreError::Io { doing, path, source }
    }

    fn names(&self) -> Result<Vec<String>, StoreError> {
        let listed = || self.io("listed", &self.dir);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(listed())? {
            names.extend(entry.map_err(listed())?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// The finished generations, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn generations(&self) -> Result<Vec<Generation>, StoreError> {
        let mut all: Vec<Generation> = self.names()?.iter().filter_map(|name| Generation::parse(name)).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// The generation `CURRENT` names, if its file is there.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn current(&self) -> Result<Option<Generation>, StoreError> {
        let path = self.dir.join(CURRENT);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Generation::parse(text.trim_end()).filter(|&generation| self.path(generation).is_file())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => Ok(None),
            Err(error) => Err(self.io("read", &path)(error)),
        }
    }

    /// The newest finished generation behind `generation`, if there is one: what a serving process asks now and then.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn newer_than(&self, generation: Generation) -> Result<Option<Generation>, StoreError> {
        Ok(self.generations()?.pop().filter(|&newest| newest > generation))
    }

    /// Opens the newest generation that `open` can open: the one `CURRENT` names first when it is the newest, and then
    /// those before. `None` when there is no generation, or none that opens; see [`Opened::skipped`] for the first and
    /// [`try_newest`](Self::try_newest) for the errors of the second.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn newest<T>(
        &self,
        open: impl FnMut(&Path) -> Result<T, PersistError>,
    ) -> Result<Option<Opened<T>>, StoreError> {
        Ok(self.try_newest(open)?.ok())
    }

    /// The same; where nothing opened, what was wrong with each generation, latest first.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    #[allow(clippy::type_complexity)]
    pub fn try_newest<T>(
        &self,
        mut open: impl FnMut(&Path) -> Result<T, PersistError>,
    ) -> Result<Result<Opened<T>, Vec<(Generation, PersistError)>>, StoreError> {
        let mut skipped: Vec<(Generation, PersistError)> = Vec::new();
        loop {
            let known = skipped.len();
            for generation in self.generations()?.into_iter().rev() {
                if skipped.iter().any(|(tried, _)| *tried == generation) {
                    continue;
                }
                match open(&self.path(generation)) {
                    Ok(value) => {
                        skipped.sort_by_key(|(tried, _)| std::cmp::Reverse(*tried));
                        return Ok(Ok(Opened { generation, value, skipped }));
                    }
                    Err(error) => skipped.push((generation, error)),
                }
            }
            // What was listed may be gone by now, since something newer was published meanwhile: look again.
            if skipped.len() == known {
                skipped.sort_by_key(|(tried, _)| std::cmp::Reverse(*tried));
                return Ok(Err(skipped));
            }
        }
    }

    /// Writes a generation, makes it the current one, and takes away those beyond the newest few.
    ///
    /// The file is written under another name, synced, named, and its name synced in the folder; only then `CURRENT` names
    /// it and older ones go. So whenever the process or the power ends, every named file is whole. Several may publish into
    /// one store, each generation has a number of its own; but whoever is overtaken by a later one while writing gets
    /// [`StoreError::Superseded`]. A publisher in another process or machine must ask, before it publishes, whether the log
    /// it learned from still has the epoch it had: somebody may have been erased meanwhile.
    ///
    /// # Errors
    /// [`StoreError`]. The generations that were there still are, and no unfinished file stays. An error of [`StoreError::Io`]
    /// that concerns `CURRENT` or an older file comes after the new one is there and will be served.
    pub fn publish(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), PersistError>,
    ) -> Result<Generation, StoreError> {
        self.publish_unless(write, || Ok::<bool, StoreError>(false))
    }

    /// [`publish`](Self::publish), asking `stale` when everything is written and nothing is named yet: if it is, the file
    /// goes again.
    pub(crate) fn publish_unless<E: From<StoreError>>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), PersistError>,
        stale: impl FnOnce() -> Result<bool, E>,
    ) -> Result<Generation, E> {
        let (generation, file) = self.begin()?;
        let unfinished = self.unfinished(generation);
        let discard = || drop(fs::remove_file(&unfinished));
        if let Err(error) = self.fill(file, &unfinished, write) {
            discard();
            return Err(error.into());
        }
        match stale() {
            Ok(false) => {}
            Ok(true) => {
                discard();
                return Err(StoreError::Superseded { generation }.into());
            }
            Err(error) => {
                discard();
                return Err(error);
            }
        }
        let path = self.path(generation);
        if let Err(error) = fs::rename(&unfinished, &path) {
            discard();
            return Err(if error.kind() == io::ErrorKind::NotFound {
                StoreError::Superseded { generation }.into()
            } else {
                self.io("renamed", &unfinished)(error).into()
            });
        }
        self.sync_dir()?;
        self.point_from(generation)?;
        self.retain()?;
        Ok(generation)
    }

    fn unfinished(&self, generation: Generation) -> PathBuf {
        self.dir.join(format!("{}{UNFINISHED}", generation.file()))
    }

    /// A file of the next number, that nobody else writes.
    fn begin(&self) -> Result<(Generation, File), StoreError> {
        let taken = |name: &String| Generation::parse(name).or_else(|| Generation::parse_unfinished(name));
        // The pointer counts too: after an erasure it may be all that is left of the last number.
        let pointed =
            fs::read_to_string(self.dir.join(CURRENT)).ok().and_then(|text| Generation::parse(text.trim_end()));
        let mut last = self.names()?.iter().filter_map(taken).chain(pointed).max().map_or(0, Generation::get);
        loop {
            let used_up = || io::Error::other("the numbers of generations are used up; begin a new folder");
            let generation =
                Generation(last.checked_add(1).ok_or_else(|| self.io("numbered further", &self.dir)(used_up()))?);
            let path = self.unfinished(generation);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                // Somebody else may have finished a file of this number since the names were read.
                Ok(file) => match self.generations()?.last() {
                    Some(&newest) if newest >= generation => {
                        drop(file);
                        self.remove(&path)?;
                        last = newest.0;
                    }
                    _ => return Ok((generation, file)),
                },
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = generation.0,
                Err(error) => return Err(self.io("made", &path)(error)),
            }
        }
    }

    fn fill(
        &self,
        file: File,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> Result<(), PersistError>,
    ) -> Result<(), StoreError> {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)?;
        let file = out.into_inner().map_err(|error| self.io("written", path)(error.into_error()))?;
        file.sync_all().map_err(self.io("synced", path))
    }

    /// Makes names that were given survive a power cut.
    fn sync_dir(&self) -> Result<(), StoreError> {
        if cfg!(unix) {
            let dir = File::open(&self.dir).map_err(self.io("opened", &self.dir))?;
            dir.sync_all().map_err(self.io("synced", &self.dir))?;
        }
        Ok(())
    }

    /// Makes `CURRENT` name the newest generation, on behalf of one that was just named. Another publisher may be at it too:
    /// each looks again behind its write, so that the last write names the newest.
    fn point_from(&self, own: Generation) -> Result<(), StoreError> {
        let path = self.dir.join(CURRENT);
        let next = self.dir.join(format!("{CURRENT}-{}{UNFINISHED}", own.0));
        // If everything was erased meanwhile, the number is noted nevertheless: it is not used again.
        let newest = || -> Result<Generation, StoreError> {
            Ok(self.generations()?.pop().map_or(own, |newest| newest.max(own)))
        };
        let mut named = newest()?;
        loop {
            let write = || -> io::Result<()> {
                let mut file = File::create(&next)?;
                writeln!(file, "{}", named.file())?;
                file.sync_all()
            };
            let written = write().and_then(|()| fs::rename(&next, &path));
            let after = newest()?;
            match written {
                // A later publisher tidied up behind itself, once.
                Err(error) if error.kind() == io::ErrorKind::NotFound && after > own => named = after,
                Err(error) => {
                    let _ = fs::remove_file(&next);
                    return Err(self.io("written", &path)(error));
                }
                Ok(()) if after == named => return self.sync_dir(),
                Ok(()) => named = after,
            }
        }
    }

    /// Takes away what is beyond the newest few, and what a crash left unfinished before them.
    fn retain(&self) -> Result<(), StoreError> {
        let all = self.generations()?;
        let Some(newest) = all.last().copied() else { return Ok(()) };
        let old = &all[..all.len().saturating_sub(self.keep)];
        for path in old.iter().map(|&generation| self.path(generation)) {
            self.remove(&path)?;
        }
        for name in self.names()? {
            let pointer = || Generation::parse_pointer(&name);
            if Generation::parse_unfinished(&name).or_else(pointer).is_some_and(|unfinished| unfinished < newest) {
                self.remove(&self.dir.join(name))?;
            }
        }
        Ok(())
    }

    /// Whether a file was there and is gone.
    fn remove(&self, path: &Path) -> Result<bool, StoreError> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.io("removed", path)(error)),
        }
    }

    /// Takes away every generation up to and including `last`, finished or not: they may hold somebody who was erased.
    /// Returns the names of the files that were removed. Does not write over the bytes: a disk may keep them until it
    /// needs the room; encrypt it where that matters.
    ///
    /// # Errors
    /// [`StoreError::Io`]; some files may be gone then. Call it again.
    pub fn erase_through(&self, last: Generation) -> Result<Vec<String>, StoreError> {
        self.erase_where(|generation| generation <= last)
    }

    /// [`erase_through`](Self::erase_through) the newest there is, those being written included.
    ///
    /// # Errors
    /// As there.
    pub fn erase_all(&self) -> Result<Vec<String>, StoreError> {
        self.erase_where(|_| true)
    }

    /// Notes, as safely as a generation is written, that everything is about to be erased: who opens the store next and
    /// finds the note does it, see [`finish_erasure`](Self::finish_erasure).
    pub(crate) fn announce_erasure(&self) -> Result<(), StoreError> {
        let path = self.dir.join(ERASING);
        let file = File::create(&path).map_err(self.io("made", &path))?;
        file.sync_all().map_err(self.io("synced", &path))?;
        self.sync_dir()
    }

    /// Whether an erasure was announced and not finished: the process died on the way.
    pub(crate) fn erasure_is_due(&self) -> Result<bool, StoreError> {
        let path = self.dir.join(ERASING);
        path.try_exists().map_err(self.io("read", &path))
    }

    /// Takes away every generation, and then the note.
    pub(crate) fn finish_erasure(&self) -> Result<Vec<String>, StoreError> {
        let removed = self.erase_all()?;
        self.drop_announcement()?;
        Ok(removed)
    }

    /// Takes back the note: there is nothing to erase.
    pub(crate) fn drop_announcement(&self) -> Result<(), StoreError> {
        if self.remove(&self.dir.join(ERASING))? { self.sync_dir() } else { Ok(()) }
    }

    pub(crate) fn erase_where(&self, gone: impl Fn(Generation) -> bool) -> Result<Vec<String>, StoreError> {
        let mut removed = Vec::new();
        loop {
            let goes = |name: &String| {
                Generation::parse(name).or_else(|| Generation::parse_unfinished(name)).is_some_and(&gone)
            };
            let mut names: Vec<String> = self.names()?.into_iter().filter(goes).collect();
            if names.is_empty() {
                break;
            }
            names.sort_unstable();
            for name in names {
                if self.remove(&self.dir.join(&name))? {
                    removed.push(name);
                }
            }
            // Again, until nothing is left: a file may have got its name from another process between list and removal.
        }
        self.sync_dir()?;
        Ok(removed)
    }
}
