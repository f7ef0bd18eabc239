//! Statistics that several folders need: special functions, small optimisation, small systems, intervals.
//!
//! Gamma, beta and error functions come from `statrs` (looked at 2026-11-22: 0.19.1 of 2026-08, MIT; without its
//! default features it brings `approx` and `num-traits`, which are here already). What it lacks is here: 2F1 and
//! quantiles that cannot fail or hang on extreme shapes.

pub(crate) mod distribution;
mod estimated;
pub(crate) mod optimise;
pub(crate) mod solve;
pub(crate) mod special;

pub use estimated::Estimated;
