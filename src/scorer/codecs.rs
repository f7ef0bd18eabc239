//! Which kinds of scorers a file can hold: all of the crate's, and those a shop registers.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{
    Affinity, AffinityParams, Als, AlsParams, Blended, Bpr, BprParams, BuyAgain, BuyAgainParams, CoOccurrence,
    ContentSimilarity, ContentSimilarityParams, CrossOccurrence, Embedding, EmbeddingParams, Focus,
    FrequentlyBoughtTogether, GfCf, GraphWalk, Hybrid, HybridParams, ItemKnn, LinearModel, PersonalFrequency,
    PersonalFrequencyParams, PopularIn, PopularInParams, Popularity, PureSvd, Recent, RecentParams, Rules, Scorer,
    SessionKnn, SessionKnnParams, TifuKnn, TifuKnnParams, Transition, TreeBlend, Trending, UpCf, UpCfParams, UserKnn,
    UserKnnParams,
};
use crate::persist::{Loader, PersistError, Saver, portable_params};

/// A scorer that can be kept in a file. The built-in ones are; implement it for one of your own and
/// [register](Codecs::with) it.
///
/// What [`load`](Persist::load) returns must give the same scores as what [`save`](Persist::save) was given, to the last
/// bit. A scorer that changes what it writes must still read what it wrote before, or take another name.
///
/// # Example
/// ```
/// use likewise::persist::{Container, Loader, PersistError, Saver, Verify};
/// use likewise::serve::{Codecs, Persist};
/// use likewise::{Context, Extent, Lineage, Scorer, Scores, Workspace};
///
/// #[derive(Debug)]
/// struct Margin(Extent, Vec<f32>);
/// impl Scorer for Margin {
///     fn name(&self) -> &str {
///         "margin"
///     }
///     fn extent(&self) -> Extent {
///         self.0
///     }
///     fn score(&self, _: &Context<'_>, out: &mut Scores<'_>, _: &mut Workspace) {
///         for (slot, item) in out.items().iter().enumerate() {
///             self.1.get(item.as_usize()).into_iter().for_each(|&margin| out.set(slot, margin));
///         }
///     }
/// }
/// impl Persist for Margin {
///     const CODEC: &'static str = "example.com/margin";
///     fn save(&self, out: &mut Saver<'_>, _: &Codecs) -> Result<(), PersistError> {
///         out.value("extent", &(self.0.lineage, self.0.n_items, self.0.n_rows))?;
///         out.column("margins", &self.1)
///     }
///     fn load(from: &Loader<'_>, _: &Codecs) -> Result<Self, PersistError> {
///         let (lineage, n_items, n_rows): (Lineage, usize, usize) = from.value("extent")?;
///         Ok(Self(Extent { lineage, n_items, n_rows }, from.column("margins")?))
///     }
/// }
/// let codecs = Codecs::default().with::<Margin>();
/// assert!(codecs.names().any(|name| name == "example.com/margin"));
/// ```
pub trait Persist: Scorer + Sized {
    /// The name of the codec in files, for ever: put a name of your own in front, `example.com/margin`.
    const CODEC: &'static str;

    /// Writes everything [`load`](Self::load) needs. A scorer within it goes through [`Codecs::save`].
    ///
    /// # Errors
    /// [`PersistError`].
    fn save(&self, out: &mut Saver<'_>, codecs: &Codecs) -> Result<(), PersistError>;

    /// Reads it again. Check what is used as an index: [`Loader::unsound`] makes the error.
    ///
    /// # Errors
    /// [`PersistError`].
    fn load(from: &Loader<'_>, codecs: &Codecs) -> Result<Self, PersistError>;
}

/// Places below each other: more than any blend of blends has, and few enough for every stack.
const DEEPEST: usize = 64;

type Save = fn(&dyn Scorer, &mut Saver<'_>, &Codecs) -> Result<(), PersistError>;
type Load = fn(&Loader<'_>, &Codecs) -> Result<Arc<dyn Scorer>, PersistError>;

/// The kinds of scorers a file can hold, by name. The default has all built-in ones. See [`Persist`].
#[derive(Clone)]
#[must_use]
pub struct Codecs {
    by_type: FxHashMap<TypeId, (&'static str, Save)>,
    by_name: BTreeMap<&'static str, Load>,
}

impl Codecs {
    /// No kind at all.
    pub fn none() -> Self {
        Self { by_type: FxHashMap::default(), by_name: BTreeMap::new() }
    }

    /// With one kind more; one of the same name is replaced.
    pub fn with<S: Persist>(mut self) -> Self {
        let save: Save = |scorer, out, codecs| {
            let any: &dyn Any = scorer;
            let name = || PersistError::NoCodec { scorer: scorer.name().to_owned() };
            any.downcast_ref::<S>().ok_or_else(name)?.save(out, codecs)
        };
        self.by_type.insert(TypeId::of::<S>(), (S::CODEC, save));
        self.by_name.insert(S::CODEC, |from, codecs| Ok(Arc::new(S::load(from, codecs)?)));
        self
    }

    /// The names, ascending.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> {
        self.by_name.keys().copied()
    }

    /// Writes a scorer with its codec's name, so that [`load`](Self::load) finds it.
    ///
    /// # Errors
    /// [`PersistError::NoCodec`] names a scorer of a kind that is not registered.
    pub fn save(&self, scorer: &dyn Scorer, out: &mut Saver<'_>) -> Result<(), PersistError> {
        let any: &dyn Any = scorer;
        let known = self.by_type.get(&any.type_id());
        let (codec, save) = known.ok_or_else(|| PersistError::NoCodec { scorer: scorer.name().to_owned() })?;
        out.value("codec", codec)?;
        out.value("scorer", scorer.name())?;
        save(scorer, &mut out.at("model"), self)
    }

    /// Reads a scorer.
    ///
    /// # Errors
    /// [`PersistError::UnknownCodec`] names the codec that is not registered.
    pub fn load(&self, from: &Loader<'_>) -> Result<Arc<dyn Scorer>, PersistError> {
        let codec: String = from.value("codec")?;
        if from.path().matches('/').count() > DEEPEST {
            return Err(from.unsound("nests scorers too deeply"));
        }
        let Some(load) = self.by_name.get(codec.as_str()) else {
            return Err(PersistError::UnknownCodec { scorer: from.value("scorer")?, codec });
        };
        load(&from.at("model"), self)
    }
}

impl fmt::Debug for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

portable_params!(
    AffinityParams,
    AlsParams,
    BprParams,
    BuyAgainParams,
    ContentSimilarityParams,
    EmbeddingParams,
    HybridParams,
    PersonalFrequencyParams,
    PopularInParams,
    RecentParams,
    SessionKnnParams,
    TifuKnnParams,
    UpCfParams,
    UserKnnParams,
);

/// Kinds whose parts are all plain.
macro_rules! plain {
    ($($type:ty = $name:literal,)*) => {
        $(impl Persist for $type {
            const CODEC: &'static str = $name;

            fn save(&self, out: &mut Saver<'_>, _: &Codecs) -> Result<(), PersistError> {
                crate::persist::Portable::save(self, out)
            }

            fn load(from: &Loader<'_>, _: &Codecs) -> Result<Self, PersistError> {
                crate::persist::Portable::load(from)
            }
        })*

        impl Default for Codecs {
            fn default() -> Self {
                let plain = Self::none()$(.with::<$type>())*;
                plain.with::<Blended>().with::<TreeBlend>().with::<Focus>()
            }
        }
    };
}

plain! {
    Affinity = "affinity",
    Als = "als",
    Bpr = "bpr",
    BuyAgain = "buy_again",
    CoOccurrence = "co_occurrence",
    ContentSimilarity = "content",
    CrossOccurrence = "cross_occurrence",
    Embedding = "embedding",
    FrequentlyBoughtTogether = "bought_together",
    GfCf = "gf_cf",
    GraphWalk = "graph_walk",
    Hybrid = "hybrid",
    ItemKnn = "item_knn",
    LinearModel = "linear",
    PersonalFrequency = "personal_frequency",
    PopularIn = "popular_in",
    Popularity = "popularity",
    PureSvd = "pure_svd",
    Recent = "recent",
    Rules = "rules",
    SessionKnn = "session_knn",
    TifuKnn = "tifu_knn",
    Transition = "transition",
    Trending = "trending",
    UpCf = "up_cf",
    UserKnn = "user_knn",
}
