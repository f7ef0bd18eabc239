//! Which of the other items explain an item? Linear models: each item's column of the shopper × item matrix is predicted
//! from all other columns, and the coefficients are the item-to-item weights.
//!
//! Three recipes, one fitted form ([`LinearModel`]):
//!
//! * [`EaseParams`] (feature `linalg`): ridge regression on all other items, in closed form. The most accurate of the
//!   three up to some ten thousand items; memory and time grow with the square and the cube of the catalogue.
//! * [`SparseEaseParams`]: the same regression for each item on the items nearest to it only. For catalogues of any size.
//! * [`SlimParams`]: the elastic net: few, if asked non-negative, coefficients. For any size; slower to fit than sparse
//!   EASE, and with shorter lists.
//!
//! Unlike co-occurrence, a regression sees that two items go together only because both go with a third, and gives each
//! its due; so it wins on dense histories (a dozen items and more a shopper). On very sparse data, and where order and
//! recency decide, prefer neighbours or transitions.
//!
//! | | fit | memory while fitting | query |
//! |---|---|---|---|
//! | EASE | items³ | 8 bytes × items² | history × items |
//! | sparse EASE | items × neighbours³ / 6 | 8 bytes a pair of items met | history × neighbours |
//! | SLIM | sweeps × pairs × items / 16 | 64 bytes × shoppers a thread | history × neighbours |
//!
//! An update is a fit: nothing cheaper equals it. Until then a new shopper, or a new event, is served without refitting,
//! because nothing about a shopper is stored.
//!
//! # References
//! * X. Ning & G. Karypis (2011): SLIM: Sparse linear methods for top-N recommender systems. ICDM.
//! * H. Steck (2019): Embarrassingly shallow autoencoders for sparse data. WWW.
//! * H. Steck (2019): Markov random fields for collaborative filtering. NeurIPS.
//! * H. Steck (2020): Autoencoders that don't overfit towards the identity. NeurIPS.

pub(in crate::scorer) mod design;
#[cfg(feature = "linalg")]
mod ease;
mod model;
mod slim;
mod sparse_ease;

pub use design::Scaling;
#[cfg(feature = "linalg")]
#[cfg_attr(docsrs, doc(cfg(feature = "linalg")))]
pub use ease::{EaseParams, Keep};
pub use model::LinearModel;
pub use slim::{Sign, SlimParams};
pub use sparse_ease::SparseEaseParams;

use crate::event::KindSet;
use crate::params::ParamError;

fn check_name(name: &str) -> Result<(), ParamError> {
    if name.is_empty() { Err(ParamError::new("name", "\"\"", "not empty")) } else { Ok(()) }
}

fn check_kinds(kinds: KindSet) -> Result<(), ParamError> {
    if kinds.is_empty() { Err(ParamError::new("kinds", "[]", "at least one kind")) } else { Ok(()) }
}

/// What the diagonal gets: λ, and what dropping a share of a shopper's items at random amounts to (Steck 2020).
fn ridge(regularization: f64, dropout: f64, square: f32) -> f32 {
    (regularization + dropout / (1.0 - dropout) * f64::from(square)) as f32
}
