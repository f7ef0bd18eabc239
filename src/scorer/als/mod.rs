//! Collaborative filtering by alternating least squares on implicit feedback.
//!
//! Every shopper and every item gets a vector, and their product says how much the one would like the other. An event
//! is taken as a liking of certain confidence, the absence of events as a weak dislike; alternately all item vectors
//! and all shopper vectors are set to the exact (or nearly exact) minimiser given the others.
//!
//! *When to use it:* shoppers with histories of five items and more, and a catalogue whose items have dozens of events;
//! it sees tastes that span items nobody ever combined. A new or anonymous shopper is served without refitting, by a
//! [fold-in](Als::fold_in) of their history. *When not:* items without events get no opinion (use attributes), sessions
//! of two clicks are better served by co-occurrence, and order and time play no part here.
//!
//! *Cost:* see [`Solver`] for the fit; `4 x factors` bytes an item and shopper row; scoring is one product of vectors an
//! item; a fold-in, made once in `propose` and once in `score`, is eight steps of `factors² + 2 x history x
//! factors` multiply-adds: for 55 items and 64 factors, as many as scoring 1,400 items.
//!
//! # References
//! * Y. Hu, Y. Koren & C. Volinsky (2008): Collaborative filtering for implicit feedback datasets. ICDM.
//! * S. Rendle, W. Krichene, L. Zhang & Y. Koren (2021): Revisiting the performance of iALS on item recommendation
//!   benchmarks. arXiv:2110.14037.
//! * S. Rendle, W. Krichene, L. Zhang & Y. Koren (2021): iALS++: Speeding up matrix factorization with subspace
//!   optimization. arXiv:2110.14044.
//! * G. Takács, I. Pilászy & D. Tikk (2011): Applications of the conjugate gradient method for implicit feedback
//!   collaborative filtering. RecSys.

mod fit;
mod model;
mod params;
mod row;
mod side;
mod taste;

pub(super) use fit::{Pull, learn};
pub use model::Als;
pub use params::{AlsParams, Confidence, Solver};
