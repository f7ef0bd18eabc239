//! Histories as paths: which item follows which, how far apart, and how much that says.
//!
//! ```text
//! events ─▶ steps of each unit ─▶ exact sums a pair of items ─▶ each item's heaviest successors
//!                    shopper's history ─▶ steps with votes ───────────┴─▶ scores
//! ```
//!
//! All order-aware item scorers are made of this. What a pair of steps adds is rounded to a whole number of 2^-28 before
//! it is summed: whole numbers can be added in any order, and taken out again, without a trace.

mod link;
mod profile;
mod steps;
mod sums;

pub(in crate::scorer) use link::{LinkRule, ListRule, PathLink};
pub(in crate::scorer) use profile::Profile;
pub(in crate::scorer) use steps::StepRule;
pub use steps::{KindFactors, PathStep};
pub use sums::Repeats;
pub(in crate::scorer) use sums::{GapLaw, PairRule, PairSums};
