//! What is being served? Immutable snapshots, a handle that swaps them, single requests and batches.

mod batch;
mod explain;
mod live;
mod recommender;
mod render;
mod request;
mod resolve;
mod result;
mod saved;
mod shard;
mod snapshot;
mod why;

pub use crate::scorer::{Codecs, Persist};
pub use batch::{Answer, BatchError, BatchReport};
pub use explain::{Explained, Fate};
pub use live::{Lineup, Live, LiveConfig, LiveError, LiveReport, Origin, Recorded, Refit, Refreshed};
pub use recommender::Recommender;
pub use render::{English, Renderer};
pub use request::{Request, RequestError, SessionEvent};
pub use result::{Contribution, Ignored, Recommendation, Recommendations, Source};
pub use shard::{Shard, ShardError, merge_shards};
pub use snapshot::{Snapshot, SnapshotError};
pub use why::{Because, Otherwise, Why};

pub(crate) use resolve::append_profile;

pub use crate::rank::{Effect, Placement, RuleApplied, Stage, StageReport};
