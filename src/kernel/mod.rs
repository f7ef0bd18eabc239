//! The hot loops and nothing else. Plain slices in, plain slices out; uses no other folder.
//!
//! Floats are summed in lanes and an order fixed in the source: the same bits on every machine.

pub(crate) mod accumulate;
pub(crate) mod best;
pub(crate) mod cholesky;
pub(crate) mod cholesky64;
pub(crate) mod column;
pub(crate) mod conjugate_gradient;
pub(crate) mod descent;
mod dispatch;
pub(crate) mod dot;
pub(crate) mod eigen;
pub(crate) mod eigenbasis;
mod fused;
pub(crate) mod gram;
pub(crate) mod lanes;
pub(crate) mod normal;
pub(crate) mod pairwise;
pub(crate) mod panel;
pub(crate) mod panel_products;
pub(crate) mod panel_screen;
pub(crate) mod prefetch;
pub(crate) mod product;
pub(crate) mod rng;
pub(crate) mod rotate;
pub(crate) mod rows;
#[cfg(feature = "linalg")]
pub(crate) mod spd;
pub(crate) mod survey;
pub(crate) mod top_k;
pub(crate) mod vectors;
