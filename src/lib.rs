//! Embeddable recommendation and personalisation for Rust shop backends: events in, a blended, filtered, explained
//! top-k out, in-process, for one shopper in microseconds and for all shoppers on all cores.
//!
//! No server, no JVM, no cloud account. The library reads no clock, draws no entropy, prints nothing and starts no
//! thread: time, seed, parallelism and progress are arguments.
//!
//! # The way through
//!
//! ```text
//! EventSource ─▶ DatasetBuilder ─▶ Dataset ─▶ Fit (checked params) ─▶ Scorer × n ─▶ Ranker ┐
//! Catalog (attributes, price, stock, dates) ───────────────────────────────────────────────┼─▶ Snapshot ─▶ Recommender
//!                                                                    Request ─▶ Recommendations ◀──┘
//! ```
//!
//! 1. **Events** come from an [`EventSource`]: memory, [`Delimited`] text, [`JsonLines`], or your own. A
//!    [`DatasetBuilder`] turns them into an immutable [`Dataset`] and accounts for every record it refused.
//! 2. **Recipes** — plain parameters, [checked](Validate::check) — are [fitted](Fit) into [`Scorer`]s; see the table in
//!    [`scorer`] for which to use.
//! 3. A [`Ranker`] says how opinions are blended, what is filtered, preferred, diversified, and which [`Rule`]s hold.
//! 4. A [`Snapshot`] joins dataset, [`Catalog`] and ranker; a [`Recommender`] swaps snapshots under running requests.
//!    [`Live`] does all of that over an event [`log`], while it records.
//! 5. A [`Request`] names who, where and what is in hand; [`Recommendations`] carry items, scores that add up, reasons
//!    with evidence, and an account of what ran dry, what rules did and what was not understood.
//!
//! | for | see |
//! |---|---|
//! | recommending what was recorded a moment ago, merging devices, forgetting shoppers | [`Live`], [`log`], [`customer`] |
//! | surviving a restart, publishing from another process | [`persist`], [`Snapshot::write_to`] |
//! | which message, to whom, when; which banner; who buys again | [`decide`] |
//! | models by name, and better parameters | [`recipe`], [`tune`] |
//! | did it work: on the past, and live | [`evaluate`], [`experiment`] |
//! | what the buyer should know | [`insight`] |
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use likewise::*;
//!
//! // Who bought what: ann and bob share a taste, eve has another.
//! let bought = [("ann", "tea"), ("ann", "mug"), ("bob", "tea"), ("bob", "mug"), ("bob", "honey"), ("eve", "saw")];
//! let events = bought.iter().zip(1..).map(|(&(user, item), day)| {
//!     let who = Shopper::Profiled(Consented::new(user, LawfulBasis::Contract));
//!     Event::new(who, item, EventKind::Purchase, Timestamp::from_secs(day * 86_400))
//! });
//! let mut builder = DatasetBuilder::new(Lineage::new(1));
//! builder.ingest(FromIter(events))?;
//! let data = Arc::new(builder.finish()?);
//!
//! let together = CoOccurrenceParams { unit: PairUnit::Shopper, min_support: 1, ..CoOccurrenceParams::co_purchase() };
//! let together = together.check()?.fit(&(&*data).into(), &Run::new(42))?;
//! let popular = PopularityParams::default().check()?.fit(&(&*data).into(), &Run::new(42))?;
//! let ranker = Ranker::builder()
//!     .scorer(Arc::new(together), 1.0)
//!     .scorer(Arc::new(popular), 0.1)
//!     .filter(Seen { kinds: KindSet::of(&[EventKind::Purchase]), again_after: None })
//!     .build()?;
//! let snapshot = Snapshot::new(data.clone(), Arc::new(Catalog::default()), Arc::new(ranker))?;
//!
//! let ann = Consented::new("ann", LawfulBasis::Contract);
//! let list = snapshot.recommend(&Request::profiled(ann, data.as_of()).k(1))?;
//! let first = list.get(0).unwrap();
//! assert_eq!(first.id(), "honey");
//! assert_eq!(first.reason().unwrap().code, ReasonCode::BoughtTogether);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Words
//!
//! * **Shopper row**: the events of one consented profile, or of one anonymous session. Only the former has an id.
//! * **Touch**: one thing the shopper of a request did with an item, as known at the request's time.
//! * **Candidate**: an item some scorer proposed and every filter admits; what is scored.
//! * **No opinion**: a scorer's silence on a candidate. It is not zero; [`Missing`] says what it counts.
//! * **Fold-in**: the factors of a shopper the model was not fitted on, from their history alone.
//! * **Generation**: the number of a published snapshot; every result names it.
//! * **Lineage**: an append-only numbering of shoppers and items; models and datasets of one lineage fit together.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `csv` | yes | delimited text for events and catalogues |
//! | `json` | yes | JSON lines for events and catalogues; [`recipe`]s (models by name) and the searches of [`tune`] |
//! | `gzip` | yes | `.gz` files for both |
//! | `linalg` | no | the exact EASE, which needs the inverse of a large matrix |
//! | `sqlite` | no | the event log in one SQLite file |
//! | `pseudonym` | no | keyed hashes in place of ids: [`customer`] |
//! | `mmap` | no | snapshots opened by memory map |
//! | `zones` | no | time zones by name, for triggers: the tz database, compiled in |
//! | `testing` | no | the conformance suite for your own scorers, and a synthetic shop |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::dbg_macro,
        clippy::disallowed_methods
    )
)]

/// The README's example compiles.
#[cfg(all(doctest, feature = "csv"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod budget;
mod consent;
mod event;
mod ids;
mod kernel;
mod math;
mod params;
mod run;
mod time;

pub mod catalog;
pub mod customer;
pub mod dataset;
pub mod decide;
pub mod evaluate;
pub mod experiment;
pub mod insight;
pub mod log;
pub mod persist;
pub mod rank;
#[cfg(feature = "json")]
#[cfg_attr(docsrs, doc(cfg(feature = "json")))]
pub mod recipe;
pub mod scorer;
pub mod serve;
pub mod source;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
pub mod tune;

pub use budget::{MemoryBudget, NoBudget};
pub use catalog::{
    AttributeId, AttributeKind, AttributeValue, Catalog, CatalogBuilder, CatalogChange, CatalogError, CompiledSelect,
    ItemRecord, Select, SelectError, Shelf, UpdateReport,
};
#[cfg(any(feature = "csv", feature = "json"))]
pub use catalog::{CatalogColumns, CatalogLoadError, CatalogReport};
pub use consent::{Consented, LawfulBasis, Shopper};
pub use dataset::{
    Cancel, Dataset, DatasetBuilder, DatasetError, Delta, EventRef, EventWeights, Events, Extent, HistoryCaps,
    IngestError, IngestReport, KindWeight, MemoryReport, OnReject, Row, SpillError, SpillIngestError, SpillingBuilder,
    Summary, Transform,
};
pub use event::{Channel, CustomKind, Event, EventKind, KindSet, UnknownKind};
pub use ids::{IdMap, ItemIdx, Lineage, MAX_ID_BYTES, TooManyIds, UserIdx};
pub use math::Estimated;
pub use params::{Checked, ParamError, ParamRange, ParamSpec, Validate, check_range};
pub use persist::{PersistError, Store, StoreError};
pub use rank::{
    Action, Alike, Audience, Available, BindError, Binding, Blend, BoundError, CapParams, DiversityParams, Filter,
    FilterFn, Memo, Missing, NextPlace, Normalise, NotCurrent, NotInBasket, PinFilters, Preference, Ranker,
    RankerBuilder, RankerError, Refusals, Rerank, RerankRecipe, Rule, RuleError, SearchGuard, Seen, WhenShort,
};
pub use run::{Cancelled, Parallelism, Progress, Run};
pub use scorer::{
    Affinity, AffinityParams, Als, AlsParams, AssociationRulesParams, AttributeWeight, BasketDecay, BlendPart, Blended,
    BlendedError, Bpr, BprParams, BuyAgain, BuyAgainParams, Candidates, Clock, CoOccurrence, CoOccurrenceParams,
    Compare, Confidence, ContentSimilarity, ContentSimilarityParams, Context, Count, CrossOccurrence,
    CrossOccurrenceParams, CurrentItem, DynFit, Embedding, EmbeddingParams, EmbeddingRecipe, Explanation, Fit,
    FitError, FitRecipe, Focus, Forest, FrequentlyBoughtTogether, FrequentlyBoughtTogetherParams, GfCf, GfCfParams,
    GraphWalk, GraphWalkParams, HistoryView, Hybrid, HybridParams, Indicator, ItemKnn, ItemKnnParams, KindFactors,
    LinearModel, ListScale, NextClick, Others, Own, PairCounts, PairDecay, PairOrder, PairUnit, PairWeight, PartScale,
    PartShare, PathStep, PersonalFrequency, PersonalFrequencyParams, PlaceWeight, PopularIn, PopularInParams,
    Popularity, PopularityParams, ProfileBy, Proposed, Proposing, PureSvd, PureSvdParams, Rarity, Reason, ReasonCode,
    Recency, Recent, RecentParams, Repeats, Retain, Retrieval, Rules, Sampling, Scaling, Scored, Scorer, Scores,
    SearchScore, SequentialRulesParams, SessionKnn, SessionKnnParams, Sign, Similarity, SlimParams, Solver,
    SparseEaseParams, StepDecay, StepWeight, Strength, TifuKnn, TifuKnnParams, Together, Touch, TrainingSet,
    Transition, TransitionParams, TreeBlend, TreeBlendError, Trending, TrendingParams, UpCf, UpCfParams, UserKnn,
    UserKnnParams, VectorError, Vectors, VoteDecay, Workspace,
};
#[cfg(feature = "linalg")]
pub use scorer::{EaseParams, Keep};
pub use serve::{
    Answer, BatchError, BatchReport, Because, Contribution, Effect, English, Explained, Fate, Ignored, Lineup, Live,
    LiveConfig, LiveError, LiveReport, Origin, Otherwise, Placement, Recommendation, Recommendations, Recommender,
    Recorded, Refit, Refreshed, Renderer, Request, RequestError, RuleApplied, SessionEvent, Shard, ShardError,
    Snapshot, SnapshotError, Source, Stage, StageReport, Why, merge_shards,
};
#[cfg(any(feature = "csv", feature = "json"))]
pub use source::{Block, BlockParser, BlockSource, Columns, Fields, NegativeQuantity, SourceError, TimeFormat};
#[cfg(feature = "csv")]
pub use source::{Delimited, DelimitedParser, Dialect};
pub use source::{EventSource, Flow, FromIter, Offered, RejectReason};
#[cfg(feature = "json")]
pub use source::{JsonLines, JsonLinesParser};
pub use time::{Span, Timestamp};
