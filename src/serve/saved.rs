//! A snapshot in a file.

use std::io::Write;
use std::sync::Arc;

use super::Snapshot;
use crate::catalog::Catalog;
use crate::dataset::Dataset;
use crate::log::Cursor;
use crate::persist::{Container, ContainerWriter, Loader, PersistError, Saver};
use crate::rank::{Ranker, RankerBuilder};
use crate::scorer::Codecs;

/// What `kind` says in the table of a snapshot's file.
const KIND: &str = "snapshot";

impl Snapshot {
    /// Writes everything it is made of but code: dataset, catalogue, fitted scorers, weights, fallbacks, preferences, rules
    /// and limits. Of filters and re-ranks, which may be closures, only the names and the number. The same snapshot always
    /// gives the same bytes. Returns how many. See [`persist`](crate::persist) for the layout.
    ///
    /// `O(bytes)`, one pass, no copy of the columns. It is not the caller's file yet that a crash leaves whole:
    /// [`Store`](crate::persist::Store) does that.
    ///
    /// # Errors
    /// [`PersistError::NoCodec`] names a scorer of a kind that `codecs` does not have, [`PersistError::Io`] when `out`
    /// cannot be written.
    ///
    /// # Example
    /// ```
    /// use std::sync::Arc;
    /// use likewise::persist::{Container, Verify};
    /// use likewise::serve::Codecs;
    /// use likewise::*;
    /// let day = |d: i64| Timestamp::from_secs(d * 86_400);
    /// let ann = Shopper::Profiled(Consented::new("ann", LawfulBasis::Contract));
    /// let mut shop = DatasetBuilder::default();
    /// shop.push(&Event::new(ann, "mug", EventKind::Purchase, day(1)))?;
    /// let data = Arc::new(shop.finish()?);
    /// let popular = PopularityParams::default().check()?.fit(&(&*data).into(), &Run::new(1))?;
    /// let ranker = Ranker::builder().scorer(Arc::new(popular), 1.0).filter(Available).build()?;
    /// let snapshot = Snapshot::new(data, Arc::default(), Arc::new(ranker))?;
    ///
    /// let mut file = Vec::new();
    /// snapshot.write_to(&mut file, &Codecs::default())?;
    /// let file = Container::from_bytes(&file, Verify::Now)?; // or Container::read(path, ..)
    /// let again = Snapshot::read_from(&file, &Codecs::default(), |ranker| ranker.filter(Available))?;
    /// let request = Request::anonymous(day(2));
    /// assert_eq!(again.recommend(&request)?, snapshot.recommend(&request)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, out: &mut dyn Write, codecs: &Codecs) -> Result<u64, PersistError> {
        let mut file = ContainerWriter::new(out)?;
        self.save(&mut Saver::new(&mut file), codecs)?;
        file.finish()
    }

    pub(super) fn save(&self, out: &mut Saver<'_>, codecs: &Codecs) -> Result<(), PersistError> {
        out.value("kind", KIND)?;
        out.value("covers", &self.covers())?;
        out.part("dataset", &**self.dataset())?;
        out.part("catalog", &**self.shelf().catalog())?;
        self.ranker().save(&mut out.at("ranker"), codecs)
    }

    /// The snapshot that was [written](Self::write_to): it recommends the same, to the last bit. `code` adds the filters and
    /// re-ranks, and may change what else it likes, such as the rules. Big columns are not copied, they stay in the file's
    /// bytes or map. Generation 0 until it is published.
    ///
    /// # Errors
    /// [`PersistError`]: what is damaged, missing, or of a kind that `codecs` does not have, and
    /// [`PersistError::Recipe`] when `code` does not give the filters there were.
    pub fn read_from(
        file: &Container,
        codecs: &Codecs,
        code: impl FnOnce(RankerBuilder) -> RankerBuilder,
    ) -> Result<Self, PersistError> {
        let from = Loader::new(file);
        let Saved { dataset, catalog, ranker, covers } = Saved::load(&from, codecs)?;
        let ranker = code(ranker).build().map_err(|e| mismatch(&e))?;
        ranker.check_code(&from.at("ranker"))?;
        let snapshot = Self::new(dataset, catalog, Arc::new(ranker)).map_err(|e| mismatch(&e))?;
        Ok(snapshot.covering(covers))
    }
}

pub(super) fn mismatch(error: &dyn std::error::Error) -> PersistError {
    PersistError::Mismatch { reason: error.to_string() }
}

/// What a file of a snapshot holds.
pub(super) struct Saved {
    pub(super) dataset: Arc<Dataset>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) ranker: RankerBuilder,
    pub(super) covers: Cursor,
}

impl Saved {
    pub(super) fn load(from: &Loader<'_>, codecs: &Codecs) -> Result<Self, PersistError> {
        let kind: String = from.value("kind")?;
        if kind != KIND {
            return Err(from.unsound(format!("is a {kind:?}, not a {KIND}")));
        }
        Ok(Self {
            dataset: from.part("dataset")?,
            catalog: from.part("catalog")?,
            ranker: Ranker::load(&from.at("ranker"), codecs)?,
            covers: from.value("covers")?,
        })
    }
}
