//! Embeddable recommendation and personalisation for Rust shop backends.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::print_stdout,
        clippy::print_stderr,
        clippy::dbg_macro
    )
)]

mod consent;
mod event;
mod ids;
mod kernel;
mod params;
mod run;
mod time;

pub mod catalog;
pub mod dataset;
pub mod rank;
pub mod scorer;
pub mod serve;
pub mod source;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use catalog::{
    AttributeId, AttributeKind, AttributeValue, Catalog, CatalogBuilder, CatalogChange, CatalogError, CompiledSelect,
    ItemRecord, Select, SelectError, Shelf, UpdateReport,
};
#[cfg(any(feature = "csv", feature = "json"))]
pub use catalog::{CatalogColumns, CatalogLoadError, CatalogReport};
pub use consent::{Consented, LawfulBasis, Shopper};
pub use dataset::{
    Cancel, Dataset, DatasetBuilder, DatasetError, Delta, EventRef, EventWeights, Events, Extent, IngestError,
    IngestReport, KindWeight, MemoryReport, OnReject, Row, Summary, Transform,
};
pub use event::{Channel, CustomKind, Event, EventKind, KindSet, UnknownKind};
pub use ids::{IdMap, ItemIdx, Lineage, MAX_ID_BYTES, TooManyIds, UserIdx};
pub use params::{Checked, ParamError, ParamRange, ParamSpec, Validate, check_range};
pub use rank::{
    Action, Alike, Audience, Available, BindError, Binding, Blend, BoundError, CapParams, DiversityParams, Filter,
    FilterFn, Memo, Missing, NextPlace, Normalise, NotInBasket, PinFilters, Preference, Ranker, RankerBuilder,
    RankerError, Refusals, Rerank, RerankRecipe, Rule, RuleError, Seen, WhenShort,
};
pub use run::{Cancelled, Parallelism, Progress, Run};
pub use scorer::{
    Als, AlsParams, Candidates, CoOccurrence, CoOccurrenceParams, Confidence, Context, Count, CrossOccurrence,
    CrossOccurrenceParams, DynFit, Explanation, Fit, FitError, FrequentlyBoughtTogether,
    FrequentlyBoughtTogetherParams, Indicator, PairCounts, PairOrder, PairUnit, PairWeight, PopularIn, PopularInParams,
    Popularity, PopularityParams, Proposed, Reason, ReasonCode, Recency, Recent, RecentParams, Retain, Scored, Scorer,
    Scores, Solver, Touch, TrainingSet, Trending, TrendingParams, VoteDecay, Workspace,
};
pub use serve::{
    Answer, BatchError, BatchReport, Contribution, Effect, English, Explained, Fate, Ignored, Placement,
    Recommendation, Recommendations, Recommender, Renderer, Request, RequestError, RuleApplied, SessionEvent, Snapshot,
    SnapshotError, Source, Stage, StageReport,
};
#[cfg(feature = "json")]
pub use source::JsonLines;
#[cfg(any(feature = "csv", feature = "json"))]
pub use source::{Columns, Fields, NegativeQuantity, SourceError, TimeFormat};
#[cfg(feature = "csv")]
pub use source::{Delimited, Dialect};
pub use source::{EventSource, Flow, FromIter, Offered, RejectReason};
pub use time::{Span, Timestamp};
