//! Attribute-aware factors: an item is the sum of its attributes and of what sets it apart from them.
//!
//! [`Als`](crate::Als) draws the vector of an item nobody knows yet to zero. This draws it to the mean of items with its
//! attributes instead: a vector for each category, tag, word or span of numbers is learned along with the factors, and an
//! item's own part only says what events say beyond them. An item with many events keeps its own vector, one with few is
//! moderated by its kind, and one without any is what its attributes are.
//!
//! *When to use it:* in place of ALS wherever attributes are known and items come and go. *When not:* without attributes (it
//! is ALS then, and slower), and where a new item must be *explained* by its attributes
//! ([`ContentSimilarity`](crate::ContentSimilarity) does that). A new item competes with all others as if it were of average
//! popularity among its kind: blend it, or give new items places by a [`Rule`](crate::Rule).
//!
//! *Cost:* that of ALS, and each sweep `passes x (item, value) pairs x factors`, on one thread. Memory: that of ALS, and
//! `4 x factors` bytes a value and catalogue-only item. Queries as in ALS; an item that came to the catalogue after the fit
//! costs one look-up and one vector a value.
//!
//! # References
//! * Z. Gantner, L. Drumond, C. Freudenthaler, S. Rendle & L. Schmidt-Thieme (2010): Learning attribute-to-feature mappings
//!   for cold-start recommendations. ICDM.
//! * D. Agarwal & B.-C. Chen (2009): Regression-based latent factor models. KDD. (The attributes' share is learned together
//!   with the factors, as the mean of their prior.)

mod fit;
mod map;
mod model;
mod params;

pub use model::Hybrid;
pub use params::HybridParams;
