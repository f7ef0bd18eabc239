//! Who would like what, by what the catalogue says of the items, or by vectors the shop brings.
//!
//! * [`ContentSimilarity`]: items that share rare categories, tags and words with what the shopper touched.
//! * [`Affinity`]: the favourites among the categories, brands or other values the shopper comes back to.
//! * [`Embedding`]: nearness in vectors of the shop's own: images, texts, anything.
//!
//! None of them needs events on the item it recommends. They know the items of the dataset and those of the catalogue of the
//! fit; an item that came to the catalogue since is read from the request's shelf (for [`Embedding`]: if a vector came with
//! the fit), so a new item is recommended at once, without a fit.
//!
//! # Cold start
//!
//! | cold is | served by |
//! |---|---|
//! | a shopper of whom nothing is known | [`Popularity`](crate::Popularity), [`Trending`](crate::Trending); on a page [`PopularIn`](crate::PopularIn), and all of this module, by the item of the page |
//! | a shopper with a session of a click or two | [`Affinity`] and [`ContentSimilarity`] by the attributes of what was clicked, beside co-occurrence; factor models by a fold-in |
//! | an item without events, attributes known | [`ContentSimilarity`], [`Embedding`], [`Affinity`] (as the least popular of its kind), [`Hybrid`](crate::Hybrid) by the factors of its attributes |
//! | an item of which nothing is known | nothing: pin it, give it a slot by a [`Rule`](crate::Rule), or prefer fresh items |
//!
//! A blend with one of them and a [`Preference`](crate::Preference) for fresh items keeps new items from waiting for their
//! first event for ever.

mod affinity;
mod affinity_params;
mod embedding;
mod embedding_params;
mod profile;
mod similarity;
mod similarity_params;
mod traits;
mod vectors;

pub use affinity::Affinity;
pub use affinity_params::AffinityParams;
pub use embedding::{Embedding, EmbeddingRecipe};
pub use embedding_params::{EmbeddingParams, ProfileBy};
pub use similarity::ContentSimilarity;
pub use similarity_params::ContentSimilarityParams;
pub use vectors::{VectorError, Vectors};
