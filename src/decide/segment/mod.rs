//! Who is alike? Segments by rules, by bands, by likeness, and by what shoppers would want.
//!
//! | to | use | cost |
//! |---|---|---|
//! | say who belongs, in words a marketer reads | [`SegmentRule`], [`Segments`] | events × conditions |
//! | band by recency, frequency, money | [`Rfm`] | events log |
//! | find groups nobody named, and say what they are | [`Clusters`] over [`Points`] | rounds × shoppers × groups × numbers |
//! | find those who would want this item, or this brand | [`Asking`] | shoppers × a scorer's scores |
//! | find more like these | [`Points::lookalikes`] | shoppers × numbers |
//! | give a request its segments | [`Segments::of_request`] | the shopper's events |
//! | let a segment decide | rules with [`Audience::Segment`](crate::Audience::Segment); another blend with [`BySegment`] | |
//!
//! Of a log's shoppers look only at those it permits: [`Segments::permitted`],
//! [`Permissions::among`](crate::decide::Permissions::among) for [`Asking`], and
//! [`Permissions::histories`](crate::decide::Permissions::histories) for all that is fitted.
//!
//! Only profiled shoppers are in segments; a request without profile is judged by its session alone. Everything is a pure
//! function of (events, catalogue, now), the same for any number of threads.

mod audience;
mod cluster;
mod condition;
mod members;
mod points;
mod rfm;
mod words;

pub use audience::{Asking, Wanting};
pub use cluster::{Clusters, Distinctive, KMeansParams};
pub use condition::{Condition, Measure, SegmentError, SegmentRule, Share, Since, What, Which};
pub use members::{BySegment, Profile, Segments};
pub use points::Points;
pub use rfm::{Bands, Rfm, RfmParams, RfmScore};
